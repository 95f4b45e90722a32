"""From extra spikes to millivolts: the kick that makes a standard neuron fire as much more as was counted.

A correlogram gives the transmission gain: extra spikes of the postsynaptic neuron for each presynaptic one.
``weight_v`` is the jump of the potential that has this gain in a leaky integrate-and-fire neuron in white
noise that fires at the postsynaptic neuron's own rate.  ASSUMPTION, and the largest source of error: the
neuron is that one (membrane 20 ms, threshold 15 mV over rest, refractory 2 ms) and the noise of its
potential has the stated standard deviation; half the noise needs less than half the kick at low rates.
"""

from dataclasses import dataclass, field
from typing import final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.errors import CopyError
from neurograft.neurons import Lif, siegert_mean_v
from neurograft.units import MS, MV

_STEP_S = 0.1 * MS
_GRID_V = 0.1 * MV
_LARGEST_KICK_V = 30 * MV
_SLOWEST_HZ, _FASTEST_HZ = 0.02, 150.0
_RATES_PER_DECADE = 12


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StandardNeuron:
    """The neuron in which gains are expressed as potentials."""

    neuron: Lif = field(default_factory=Lif)
    noise_sd_v: float = 4 * MV  # guessed: the middle of what is reported for neurons in active networks

    def __post_init__(self) -> None:
        """Refuse a neuron without noise: it has no rate that depends smoothly on a kick."""
        if not 0.5 * MV <= self.noise_sd_v <= 20 * MV:
            raise CopyError(f"noise_sd_v is {self.noise_sd_v} V. Give 0.5 to 20 mV, usually 4 mV.")


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GainTable:
    """Extra spikes within a window after a kick, for neurons of several rates; axes rate, kick."""

    log_rate: Float64[ndarray, " rates"]
    kick_v: Float64[ndarray, " kicks"]
    gain: Float64[ndarray, "rates kicks"]

    def gains(self, kick_v: Float64[ndarray, " n"], rate_hz: float) -> Float64[ndarray, " n"]:
        """Return the extra spikes that each kick causes in a neuron that fires at this rate."""
        return np.interp(kick_v, self.kick_v, self._row(rate_hz))

    def kicks_v(self, gain: Float64[ndarray, " n"], rate_hz: float) -> Float64[ndarray, " n"]:
        """Return the kick with each gain, held to +-30 mV: a neuron cannot fire less than not at all."""
        return np.interp(gain, self._row(rate_hz), self.kick_v)

    def slopes_per_v(self, kick_v: Float64[ndarray, " n"], rate_hz: float) -> Float64[ndarray, " n"]:
        """Return how fast the gain grows with the kick there; close to 0 where it saturates."""
        step_v = 0.5 * MV
        return (self.gains(kick_v + step_v, rate_hz) - self.gains(kick_v - step_v, rate_hz)) / (2 * step_v)

    def _row(self, rate_hz: float) -> Float64[ndarray, " kicks"]:
        x = float(np.clip(np.log(max(rate_hz, _SLOWEST_HZ)), self.log_rate[0], self.log_rate[-1]))
        right = int(np.clip(np.searchsorted(self.log_rate, x), 1, self.log_rate.size - 1))
        share = (x - self.log_rate[right - 1]) / (self.log_rate[right] - self.log_rate[right - 1])
        low, high = self.gain[right - 1], self.gain[right]
        # Gains grow about like a power of the rate, so each side is interpolated in its logarithm.
        sign = np.sign(self.kick_v)
        return sign * np.exp((1 - share) * _log(low * sign) + share * _log(high * sign))


def gain_table(standard: StandardNeuron, *, window_s: float, rates_hz: Float64[ndarray, " n"]) -> GainTable:
    """Return the table for neurons with rates in the range given and spikes counted for ``window_s``."""
    known = rates_hz[(rates_hz > _SLOWEST_HZ) & (rates_hz < _FASTEST_HZ)]
    low, high = (known.min(), known.max()) if known.size else (1.0, 1.0)
    n = max(2, int(np.ceil(_RATES_PER_DECADE * np.log10(high / low))) + 1)
    grid_hz = np.geomspace(low / 1.01, high * 1.01, n)
    kick_v = np.arange(-round(_LARGEST_KICK_V / _GRID_V), round(_LARGEST_KICK_V / _GRID_V) + 1) * _GRID_V
    gain = np.array([kick_gains(kick_v, standard, rate_hz=float(r), window_s=window_s) for r in grid_hz])
    return GainTable(log_rate=np.log(grid_hz), kick_v=kick_v, gain=gain)


def kick_gains(
    kick_v: Float64[ndarray, " kicks"], standard: StandardNeuron, *, rate_hz: float, window_s: float
) -> Float64[ndarray, " kicks"]:
    """Return the mean number of extra spikes within ``window_s`` after the potential jumps by each kick.

    The density of the potential is moved on a grid of 0.1 mV in steps of 0.1 ms: first its steady state,
    then, backwards in time, the number of spikes to come from each potential.  Kicks that meet a
    refractory neuron are lost.  For small kicks and long windows it is kick x tau_m x d rate / d drive
    with the rate of Siegert (1951).
    """
    neuron = standard.neuron
    mean_v = float(
        siegert_mean_v(np.array([rate_hz]), np.array([standard.noise_sd_v]), neuron=neuron, step_s=_STEP_S)[0]
    )
    v, move, fires = _step(neuron, mean_v, standard.noise_sd_v)
    reset = int(np.argmin(np.abs(v - neuron.reset_v)))
    density = _steady_density(move, reset, n_refractory=round(neuron.refractory_s / _STEP_S))
    to_come = _spikes_to_come(move, fires, reset, round(window_s / _STEP_S), round(neuron.refractory_s / _STEP_S))
    fired_now = 1.0 + to_come[max(0, to_come.shape[0] - 1 - round(neuron.refractory_s / _STEP_S)), reset]
    after = to_come[-1]
    gains = np.empty(kick_v.size)
    for i, kick in enumerate(kick_v):
        landed = np.interp(v + kick, v, after, left=after[0], right=0.0)
        landed = np.where(v + kick >= neuron.threshold_v, fired_now, landed)
        gains[i] = density @ (landed - after)
    return gains


def _step(neuron: Lif, mean_v: float, noise_sd_v: float) -> tuple[ndarray, ndarray, ndarray]:
    """Return the grid of potentials, the chance to move from one to another in a step, and that to fire."""
    from scipy.special import ndtr

    lowest = min(neuron.reset_v, mean_v) - 6 * noise_sd_v
    n = int(np.ceil((neuron.threshold_v - lowest) / _GRID_V))
    v = neuron.threshold_v - _GRID_V * (np.arange(n, 0, -1) - 0.5)
    decay = np.exp(-_STEP_S / neuron.tau_m_s)
    centre = mean_v + (v - mean_v) * decay
    sd = noise_sd_v * np.sqrt(1 - decay**2)
    edges = np.append(v - _GRID_V / 2, neuron.threshold_v)
    below = ndtr((edges[None, :] - centre[:, None]) / sd)
    below[:, 0] = 0.0  # what would fall off the grid's lower end stays in its last cell
    return v, np.diff(below, axis=1), 1.0 - below[:, -1]


def _steady_density(move: ndarray, reset: int, *, n_refractory: int) -> Float64[ndarray, " states"]:
    """Return the chance of each potential at any moment; the rest of 1 is refractory."""
    inject = np.zeros(move.shape[0])
    inject[reset] = 1.0
    density = np.linalg.solve(np.eye(move.shape[0]) - move.T, inject)  # for a flux of one spike a step
    return density / (density.sum() + n_refractory)


def _spikes_to_come(move: ndarray, fires: ndarray, reset: int, n_steps: int, n_refractory: int) -> ndarray:
    """Return the expected spikes within k steps from each potential, for k = 0 to n_steps."""
    to_come = np.zeros((n_steps + 1, move.shape[0]))
    for k in range(1, n_steps + 1):
        again = to_come[k - 1 - n_refractory, reset] if k > n_refractory else 0.0
        to_come[k] = move @ to_come[k - 1] + fires * (1.0 + again)
    return to_come


def _log(x: ndarray) -> ndarray:
    return np.log(np.maximum(x, 1e-12))
