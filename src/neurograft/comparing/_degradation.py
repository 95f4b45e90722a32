"""How fidelity falls as a map is spoilt: fewer bits, noise, missing synapses, each at several levels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from numpy.random import Generator

from neurograft.comparing._compare import compare
from neurograft.comparing._options import CompareOptions
from neurograft.errors import CompareError
from neurograft.maps import SynapseMap
from neurograft.network import FitOptions, fit_drive_to_rates, run
from neurograft.progress import Progress, silent

Spoil = Callable[[SynapseMap, float, Generator], SynapseMap]
"""Returns the map spoilt to a level; 0 is not at all for shares, and levels of bits are bits."""


def with_bits(m: SynapseMap, bits: float, rng: Generator) -> SynapseMap:
    """Return the map with |weights| rounded to 2^bits - 1 equal steps up to the largest one."""
    top = float(np.abs(m.weight_v).max(initial=0.0))
    if top == 0 or not bits >= 1:
        raise CompareError(f"{bits:g} bits of weights up to {top:g} V. Give 1 bit or more, and a map with weights.")
    step = top / (2.0**bits - 1.0)
    return replace(m, weight_v=np.rint(m.weight_v / step) * step)


def with_noise(m: SynapseMap, share: float, rng: Generator) -> SynapseMap:
    """Return the map with Gaussian errors of that share of the rms weight on every synapse."""
    size = float(np.sqrt(np.mean(m.weight_v**2))) if m.n_synapses else 0.0
    return replace(m, weight_v=m.weight_v + share * size * rng.standard_normal(m.n_synapses))


def without_some(m: SynapseMap, share: float, rng: Generator) -> SynapseMap:
    """Return the map with a random share of its synapses missing."""
    if not 0 <= share <= 1:
        raise CompareError(f"The share of missing synapses is {share:g}. Give 0 to 1.")
    return m.select(rng.random(m.n_synapses) >= share)


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Degradation:
    """Distances from the original for each level (rows) and measure; ``sd`` over draws, ``ceiling`` of repeats."""

    levels: tuple[float, ...]
    measures: tuple[str, ...]
    distance: Float64[ndarray, "levels measures"]
    sd: Float64[ndarray, "levels measures"]
    ceiling: Float64[ndarray, " measures"]

    def to_lines(self) -> list[str]:
        """Return a table in text."""
        lines = ["  ".join(["level", *self.measures])]
        for level, mean, sd in zip(self.levels, self.distance, self.sd, strict=True):
            lines.append("  ".join([f"{level:g}", *(f"{m:.3g} ± {s:.2g}" for m, s in zip(mean, sd, strict=True))]))
        return [*lines, "  ".join(["itself", *(f"{c:.3g}" for c in self.ceiling)])]


def degradation(
    m: SynapseMap,
    spoil: Spoil,
    levels: Sequence[float],
    *,
    measures: tuple[str, ...] = ("ms coupling", "correlation 20 ms", "intervals"),
    n_draws: int = 3,
    duration_s: float = 60.0,
    rate_hz: float = 5.0,
    fit: FitOptions | None = None,
    compare_options: CompareOptions | None = None,
    seed: int,
    progress: Progress = silent,
) -> Degradation:
    """Return how far a spoilt map's activity is from the map's own, under one drive and one noise, level by level.

    The ceiling is the map's distance to itself with other noise.
    """
    if not levels or n_draws < 1:
        raise CompareError(f"{len(levels)} levels and {n_draws} draws. Give at least one of each.")
    drive = fit_drive_to_rates(m, rate_hz, seed=seed, options=fit, progress=progress)
    original = run(m, duration_s=duration_s, seed=seed, drive=drive).spikes
    repeats = [run(m, duration_s=duration_s, seed=seed + 1 + k, drive=drive).spikes for k in range(2)]
    values = np.empty((len(levels), n_draws, len(measures)))
    ceiling = np.empty(len(measures))
    for i, level in enumerate(levels):
        for k, rng in enumerate(np.random.default_rng((seed, i)).spawn(n_draws)):
            spoilt = run(spoil(m, level, rng), duration_s=duration_s, seed=seed, drive=drive).spikes
            found = compare(original, spoilt, nulls={}, repeats=repeats, options=compare_options, seed=seed)
            values[i, k] = [found.row(name).distance for name in measures]
            ceiling = np.array([found.row(name).ceiling for name in measures])
            progress("spoiling the map", i * n_draws + k + 1, len(levels) * n_draws)
    return Degradation(
        levels=tuple(levels),
        measures=measures,
        distance=values.mean(axis=1),
        sd=values.std(axis=1, ddof=1) if n_draws > 1 else np.full((len(levels), len(measures)), np.nan),
        ceiling=ceiling,
    )
