"""How fidelity falls as a map is spoilt: fewer bits, noise, missing synapses, age, each at several levels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from numpy.random import Generator

from neurograft.cells import MemoryImage, image_to_map
from neurograft.comparing._compare import compare
from neurograft.comparing._json import plain_fields
from neurograft.comparing._options import CompareOptions
from neurograft.comparing._shuffle import shuffled_map
from neurograft.errors import CompareError
from neurograft.maps import SynapseMap
from neurograft.network import FitOptions, fit_drive_to_rates, run
from neurograft.progress import Progress, silent
from neurograft.spikes import SpikeTrains

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


def aged(image: MemoryImage) -> Spoil:
    """Return what turns a map into what an image of it holds at an age in seconds; every draw ages anew."""

    def spoil(m: SynapseMap, age_s: float, rng: Generator) -> SynapseMap:
        held = image_to_map(image, age_s=age_s, rng=rng)
        if held.labels != m.labels:
            raise CompareError("The image holds other neurons than the map. Give an image of this map.")
        return held

    return spoil


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Degradation:
    """Distances from the original for each level (rows) and measure (columns): mean over draws, and 95 % of the mean.

    ``low`` and ``high`` are Student's, NaN with one draw.  ``ceiling`` is the map against itself with other noise;
    ``null`` and ``null_sd`` are of shuffled maps, which know the map's strengths and degrees but not its wiring.
    """

    levels: tuple[float, ...]
    measures: tuple[str, ...]
    distance: Float64[ndarray, "levels measures"]
    low: Float64[ndarray, "levels measures"]
    high: Float64[ndarray, "levels measures"]
    ceiling: Float64[ndarray, " measures"]
    null: Float64[ndarray, " measures"]
    null_sd: Float64[ndarray, " measures"]
    n_draws: int

    def to_rows(self, names: Sequence[str] | None = None) -> list[list[str]]:
        """Return a row of text a level, then the map itself and shuffled maps; ``names`` are those of the levels."""
        rows: list[list[str]] = []
        levels = names if names is not None else [f"{level:g}" for level in self.levels]
        for level, mean, low, high in zip(levels, self.distance, self.low, self.high, strict=True):
            cells = (f"{d:.3g} ({a:.3g} to {b:.3g})" for d, a, b in zip(mean, low, high, strict=True))
            rows.append([level, *cells])
        rows.append(["itself", *(f"{c:.3g}" for c in self.ceiling)])
        rows.append(["shuffled", *(f"{c:.3g} ± {s:.2g}" for c, s in zip(self.null, self.null_sd, strict=True))])
        return rows

    def to_lines(self, title: str = "level", names: Sequence[str] | None = None) -> list[str]:
        """Return a table in text."""
        table = [[title, *self.measures], *self.to_rows(names)]
        width = [max(len(line[k]) for line in table) for k in range(len(table[0]))]
        return ["  ".join(c.ljust(w) for c, w in zip(line, width, strict=True)).rstrip() for line in table]

    def as_json(self) -> dict[str, object]:
        """Return plain values, NaN as None."""
        return plain_fields(self)


def degradation(
    m: SynapseMap,
    spoil: Spoil,
    levels: Sequence[float],
    *,
    measures: tuple[str, ...] = ("ms coupling", "correlation 20 ms", "intervals"),
    n_draws: int = 3,
    n_shuffled: int = 5,
    duration_s: float = 60.0,
    rate_hz: float = 5.0,
    fit: FitOptions | None = None,
    compare_options: CompareOptions | None = None,
    seed: int,
    progress: Progress = silent,
) -> Degradation:
    """Return how far a spoilt map's activity is from the map's own, under one drive and one noise, level by level.

    The ceiling is the map's distance to itself with other noise, the null that of shuffled maps with the same noise.
    """
    if not levels or n_draws < 1 or n_shuffled < 2:
        raise CompareError(
            f"{len(levels)} levels, {n_draws} draws and {n_shuffled} shuffled maps. Give at least 1, 1 and 2."
        )
    drive = fit_drive_to_rates(m, rate_hz, seed=seed, options=fit, progress=progress)

    def activity(other: SynapseMap, run_seed: int) -> SpikeTrains:
        return run(other, duration_s=duration_s, seed=run_seed, drive=drive).spikes

    original = activity(m, seed)
    repeats = [activity(m, seed + 1 + k) for k in range(2)]
    null_rng, *rngs = np.random.default_rng(seed).spawn(1 + len(levels))
    nulls = {"shuffled map": [activity(shuffled_map(m, rng), seed) for rng in null_rng.spawn(n_shuffled)]}
    values = np.empty((len(levels), n_draws, len(measures)))
    unspoilt = compare(original, original, nulls=nulls, repeats=repeats, options=compare_options, seed=seed)
    for i, level in enumerate(levels):
        for k, rng in enumerate(rngs[i].spawn(n_draws)):
            spoilt = activity(spoil(m, level, rng), seed)
            found = compare(original, spoilt, nulls={}, repeats=repeats, options=compare_options, seed=seed)
            values[i, k] = [found.row(name).distance for name in measures]
            progress("spoiling the map", i * n_draws + k + 1, len(levels) * n_draws)
    rows = [unspoilt.row(name) for name in measures]
    mean, half = values.mean(axis=1), _half_width(values)
    return Degradation(
        levels=tuple(levels),
        measures=measures,
        distance=mean,
        low=np.maximum(mean - half, 0.0),
        high=mean + half,
        ceiling=np.array([row.ceiling for row in rows]),
        null=np.array([row.nulls["shuffled map"].mean for row in rows]),
        null_sd=np.array([row.nulls["shuffled map"].sd for row in rows]),
        n_draws=n_draws,
    )


def _half_width(values: Float64[ndarray, "levels draws measures"]) -> Float64[ndarray, "levels measures"]:
    """Return half the width of Student's 95 % interval of the mean over draws."""
    n = values.shape[1]
    if n < 2:
        return np.full((values.shape[0], values.shape[2]), np.nan)
    from scipy.stats import t

    return float(t.ppf(0.975, n - 1)) * values.std(axis=1, ddof=1) / np.sqrt(n)
