"""What neurons receive besides their synapses: a mean, white noise, Poisson spikes, and a shared slow modulation."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.arrays import frozen, require_finite
from neurograft.errors import RunError


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Modulation:
    """A time course shared by all neurons; neuron i gets ``gain_v[i] * course[bin]`` on top of its mean.

    After its last bin the course starts again.
    """

    course: Float64[ndarray, " bins"]
    bin_s: float
    gain_v: Float64[ndarray, " neurons"]

    def __post_init__(self) -> None:
        """Refuse an empty or not finite course."""
        if self.course.size == 0 or not (np.isfinite(self.bin_s) and self.bin_s > 0):
            raise RunError(
                f"The modulation has {self.course.size} bins of {self.bin_s} s. Give at least one bin of some length."
            )
        require_finite(self.course, name="course", error=RunError, remedy="Give a finite time course.")
        require_finite(self.gain_v, name="gain_v", error=RunError, remedy="Give finite gains.")
        object.__setattr__(self, "course", frozen(self.course))
        object.__setattr__(self, "gain_v", frozen(self.gain_v))


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Poisson:
    """Independent Poisson spikes for each neuron, at ``rate_hz`` in all, each with a potential of ``weight_v``.

    They arrive through the neuron's own synapses, so a current or conductance has its course.
    """

    rate_hz: Float64[ndarray, " neurons"]
    weight_v: Float64[ndarray, " neurons"]

    def __post_init__(self) -> None:
        """Refuse lengths that differ, negative rates and values that are not finite."""
        if self.rate_hz.size != self.weight_v.size:
            raise RunError(
                f"Poisson input has {self.rate_hz.size} rates and {self.weight_v.size} weights. Give one a neuron."
            )
        require_finite(self.rate_hz, name="rate_hz", error=RunError, remedy="Give finite rates.")
        require_finite(self.weight_v, name="weight_v", error=RunError, remedy="Give finite volts.")
        negative = np.flatnonzero(self.rate_hz < 0)
        if negative.size:
            raise RunError(f"rate_hz[{negative[0]}] is {self.rate_hz[negative[0]]} Hz. Give rates of 0 or more.")
        object.__setattr__(self, "rate_hz", frozen(self.rate_hz))
        object.__setattr__(self, "weight_v", frozen(self.weight_v))


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DriveFit:
    """How well a fitted drive does what it was fitted for: rates wanted and rates of the last trial run."""

    wanted_hz: Float64[ndarray, " neurons"]
    achieved_hz: Float64[ndarray, " neurons"]
    standard_error_hz: Float64[ndarray, " neurons"]  # of achieved_hz, from the count of the last run alone
    n_rounds: int

    @property
    def worst_relative_error(self) -> float:
        """Largest |achieved - wanted| / wanted of the neurons that have a wanted rate."""
        has = self.wanted_hz > 0
        if not has.any():
            return 0.0
        return float(np.max(np.abs(self.achieved_hz - self.wanted_hz)[has] / self.wanted_hz[has]))


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drive:
    """Background of every neuron, in volts of the depolarisation that a passive membrane at rest would show.

    ``mean_v`` is steady; ``noise_sd_v`` is the standard deviation of the potential that the white noise
    alone would cause without a threshold; both one value a neuron.  Build one with ``steady_drive`` or
    ``fit_drive``.
    """

    mean_v: Float64[ndarray, " neurons"]
    noise_sd_v: Float64[ndarray, " neurons"]
    modulation: Modulation | None = None
    fit: DriveFit | None = None
    poisson: Poisson | None = None

    def __post_init__(self) -> None:
        """Refuse lengths that differ, negative noise and values that are not finite."""
        n = self.mean_v.size
        if self.noise_sd_v.size != n or (self.modulation is not None and self.modulation.gain_v.size != n):
            raise RunError(
                f"The drive has {n} means, {self.noise_sd_v.size} noise values"
                + (f" and {self.modulation.gain_v.size} gains" if self.modulation is not None else "")
                + ". Give one of each for every neuron."
            )
        if self.poisson is not None and self.poisson.rate_hz.size != n:
            raise RunError(
                f"The drive has {n} means and {self.poisson.rate_hz.size} Poisson rates. Give one of each a neuron."
            )
        require_finite(self.mean_v, name="mean_v", error=RunError, remedy="Give finite volts.")
        require_finite(self.noise_sd_v, name="noise_sd_v", error=RunError, remedy="Give finite volts.")
        negative = np.flatnonzero(self.noise_sd_v < 0)
        if negative.size:
            raise RunError(
                f"noise_sd_v[{negative[0]}] is {self.noise_sd_v[negative[0]]} V. Give standard deviations, 0 or more."
            )
        object.__setattr__(self, "mean_v", frozen(self.mean_v))
        object.__setattr__(self, "noise_sd_v", frozen(self.noise_sd_v))

    @property
    def n_neurons(self) -> int:
        """Number of neurons that it drives."""
        return self.mean_v.size

    def mean_at_v(self, time_s: float) -> Float64[ndarray, " neurons"]:
        """Return each neuron's mean with the modulation of that moment."""
        if self.modulation is None:
            return self.mean_v.copy()
        bins = self.modulation.course.size
        return self.mean_v + self.modulation.gain_v * self.modulation.course[int(time_s / self.modulation.bin_s) % bins]


def steady_drive(
    n_neurons: int,
    *,
    mean_v: float | Float64[ndarray, " neurons"] = 0.0,
    noise_sd_v: float | Float64[ndarray, " neurons"] = 0.0,
) -> Drive:
    """Return a drive without modulation; single values are used for all neurons."""
    return Drive(
        mean_v=np.array(np.broadcast_to(np.asarray(mean_v, dtype=np.float64), (n_neurons,))),
        noise_sd_v=np.array(np.broadcast_to(np.asarray(noise_sd_v, dtype=np.float64), (n_neurons,))),
    )
