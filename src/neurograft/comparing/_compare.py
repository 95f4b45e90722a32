"""Comparing a copy's activity with its original's, on a scale from nulls to the original itself."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray
from numpy.random import Generator

from neurograft.comparing._align import common_labels, first_part, halves, with_neurons
from neurograft.comparing._features import Features, features_of
from neurograft.comparing._fidelity import Curves, Fidelity, Measure, NullResult
from neurograft.comparing._intervals import pooled_density
from neurograft.comparing._measures import MeasureSpec, measure_specs
from neurograft.comparing._options import CompareOptions
from neurograft.comparing._poisson import poisson_trains
from neurograft.errors import CompareError
from neurograft.progress import Progress, silent
from neurograft.spikes import SpikeTrains

POISSON = "poisson"
_RANK_N = 19  # the least number of draws whose rank can reach 5 %
_MIN_DRAWS = 3  # below, a spread says nothing
_MAX_CURVE_PAIRS = 5_000
_EDGES_S = np.logspace(-4, 2, 61)  # 0.1 ms to 100 s, ten bins a decade


def compare(
    original: SpikeTrains,
    copy: SpikeTrains,
    *,
    nulls: Mapping[str, Sequence[SpikeTrains]],
    options: CompareOptions | None = None,
    repeats: Sequence[SpikeTrains] = (),
    seed: int,
    progress: Progress = silent,
) -> Fidelity:
    """Return how near the copy's activity is to the original's, measure by measure.

    ``nulls`` are activities of null maps (``shuffled_map``), run as the copy was, by name; Poisson trains
    with the original's rates are added here.  ``repeats`` are further runs of the original's own map: they
    give the ceiling; without them it is the distance between two halves of the original.  Neurons are
    matched by label; all activities are cut to the first part as long as the shortest, which a note says.
    Raises CompareError where neurons differ, the original is silent or the common time is too short.
    """
    options = options or CompareOptions()
    _require_names(nulls)
    activities = [original, copy, *repeats, *(x for draws in nulls.values() for x in draws)]
    names = ["original", "the copy", *(f"repeat {i}" for i in range(len(repeats)))]
    names += [f"null {name!r} ({i})" for name, draws in nulls.items() for i in range(len(draws))]
    activities, notes = _aligned(activities, names, options)
    if activities[0].n_spikes == 0:
        raise CompareError(
            f"The original has no spike in its first {activities[0].duration_s:g} s. Give an activity that has some."
        )
    if activities[1].n_spikes == 0:
        notes.append("The copy is silent.")
    choice_rng, poisson_rng = np.random.default_rng(seed).spawn(2)
    judge = _Judge.of(
        activities[0],
        activities[2 : 2 + len(repeats)],
        _pair_neurons(activities[0], options, choice_rng),
        options,
    )
    rest = iter(activities[2 + len(repeats) :])
    draws = {name: [next(rest) for _ in given] for name, given in nulls.items()}
    if options.n_poisson:
        draws[POISSON] = [poisson_trains(activities[0], rng) for rng in poisson_rng.spawn(options.n_poisson)]
    ours = judge.features(activities[1])
    results, shown = _judged_nulls(judge, draws, progress)
    return Fidelity(
        rows=_rows(judge, ours, results),
        curves=_curves({"original": judge.whole, "copy": ours, **shown}),
        n_neurons=activities[0].n_neurons,
        n_pair_neurons=judge.pair_neurons.size,
        duration_s=activities[0].duration_s,
        ceiling_from=f"{len(repeats)} further runs of the original" if repeats else "two halves of the original",
        alpha=options.alpha,
        seed=seed,
        labels=activities[0].labels,
        notes=tuple(notes),
    )


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Judge:
    """The original's features and those that its ceiling is measured with."""

    whole: Features
    half: Features | None  # None where repeats give the ceiling
    ceiling: tuple[Features, ...]
    pair_neurons: Int64[ndarray, " pair_neurons"]
    specs: list[MeasureSpec]
    options: CompareOptions

    @staticmethod
    def of(
        original: SpikeTrains, repeats: Sequence[SpikeTrains], pair_neurons: ndarray, options: CompareOptions
    ) -> "_Judge":
        """Return the judge of an original, whose ceiling comes from the repeats or, without any, from its halves."""
        whole = features_of(original, pair_neurons=pair_neurons, options=options)
        specs = measure_specs(options)
        if repeats:
            runs = tuple(features_of(x, pair_neurons=pair_neurons, options=options) for x in repeats)
            return _Judge(whole=whole, half=None, ceiling=runs, pair_neurons=pair_neurons, specs=specs, options=options)
        one, two = (
            features_of(x, pair_neurons=pair_neurons, options=options)
            for x in halves(original, min_block_s=_block_s(options))
        )
        return _Judge(whole=whole, half=one, ceiling=(two,), pair_neurons=pair_neurons, specs=specs, options=options)

    def features(self, trains: SpikeTrains) -> Features:
        """Return an activity's features, of the same pairs as the original's."""
        return features_of(trains, pair_neurons=self.pair_neurons, options=self.options)

    def distances(self, other: Features) -> list[float]:
        """Return every measure's distance from the original."""
        return [spec.distance(self.whole, other) for spec in self.specs]

    def distances_at_ceiling(self, other: Features) -> list[float]:
        """Return the distances with as much data as the ceiling's: of halves, where halves give it."""
        if self.half is None:
            return [math.nan if spec.is_on_one_clock else spec.distance(self.whole, other) for spec in self.specs]
        second = self.features(halves(other.trains, min_block_s=_block_s(self.options))[1])
        return [math.nan if spec.is_on_one_clock else spec.distance(self.half, second) for spec in self.specs]

    def ceilings(self) -> list[float]:
        """Return the original's distance to itself; none on one clock, where a second run is the first."""
        against = self.whole if self.half is None else self.half
        return [
            math.nan
            if spec.is_on_one_clock
            else float(np.mean([spec.distance(against, other) for other in self.ceiling]))
            for spec in self.specs
        ]


def _judged_nulls(
    judge: _Judge, draws: Mapping[str, Sequence[SpikeTrains]], progress: Progress
) -> tuple[dict[str, tuple[ndarray, ndarray]], dict[str, Features]]:
    """Return every null's distances as [draw, measure], whole and at the ceiling's length, and its first draw."""
    results: dict[str, tuple[ndarray, ndarray]] = {}
    shown: dict[str, Features] = {}
    done, total = 0, sum(len(given) for given in draws.values())
    for name, given in draws.items():
        whole: list[list[float]] = []
        at_ceiling: list[list[float]] = []
        for draw in given:
            progress("comparing with nulls", done, total)
            features = judge.features(draw)
            shown.setdefault(name, features)
            whole.append(judge.distances(features))
            at_ceiling.append(judge.distances_at_ceiling(features))
            done += 1
        results[name] = np.array(whole), np.array(at_ceiling)
    progress("comparing with nulls", total, total)
    return results, shown


def _block_s(options: CompareOptions) -> float:
    """Return the least length of the blocks that make halves: two spectrum segments."""
    return 2 * options.spectrum_segment_s


def _rows(judge: _Judge, ours: Features, results: Mapping[str, tuple[ndarray, ndarray]]) -> tuple[Measure, ...]:
    alpha = judge.options.alpha
    copy, copy_at_ceiling, ceiling = judge.distances(ours), judge.distances_at_ceiling(ours), judge.ceilings()
    rows: list[Measure] = []
    for k, spec in enumerate(judge.specs):
        nulls = {
            name: null_result(copy[k], whole[:, k], at_ceiling[:, k], alpha=alpha)
            for name, (whole, at_ceiling) in results.items()
        }
        note = spec.why_not_headline
        if not note and math.isnan(copy[k]):
            note = "Not applicable: one of the two has too little for it."
        out_of_reach = [
            name for name, (_, at) in results.items() if not _is_reachable(ceiling[k], at[:, k], alpha=alpha)
        ]
        if not note and out_of_reach:
            note = (
                f"Not headline: the original is no nearer to itself than null {', '.join(out_of_reach)} is, "
                "so this data cannot show that a copy is right."
            )
        rows.append(
            Measure(
                name=spec.name,
                meaning=spec.meaning,
                unit=spec.unit,
                distance_unit=spec.distance_unit,
                original=spec.value(judge.whole),
                copy=spec.value(ours),
                distance=copy[k],
                ceiling=ceiling[k],
                copy_at_ceiling=copy_at_ceiling[k],
                nulls=nulls,
                is_headline=not note,
                note=note,
            )
        )
    return tuple(rows)


def null_result(
    distance: float, draws: Float64[ndarray, " draws"], at_ceiling: Float64[ndarray, " draws"], *, alpha: float
) -> NullResult:
    """Return a null's mean, spread and whether the distance is smaller than chance gives under it."""
    known = draws[~np.isnan(draws)]
    same = at_ceiling[~np.isnan(at_ceiling)]
    p = _p_value(distance, known)
    return NullResult(
        mean=float(known.mean()) if known.size else math.nan,
        sd=float(known.std(ddof=1)) if known.size > 1 else math.nan,
        n=int(known.size),
        p=p,
        is_beaten=None if math.isnan(p) else p <= alpha,
        mean_at_ceiling=float(same.mean()) if same.size else math.nan,
    )


def _p_value(distance: float, draws: Float64[ndarray, " draws"]) -> float:
    """Return the one-sided probability that a draw is as near (see ``NullResult``)."""
    n = draws.size
    if math.isnan(distance) or n < _MIN_DRAWS:
        return math.nan
    if n >= _RANK_N:
        return (1 + int(np.count_nonzero(draws <= distance))) / (1 + n)
    sd = float(draws.std(ddof=1))
    if sd == 0:
        return math.nan
    from scipy.stats import t

    return float(t.cdf((distance - float(draws.mean())) / (sd * math.sqrt(1 + 1 / n)), n - 1))


def _is_reachable(ceiling: float, draws: Float64[ndarray, " draws"], *, alpha: float) -> bool:
    """Tell whether the original itself would beat this null; True where that cannot be judged."""
    known = draws[~np.isnan(draws)]
    if math.isnan(ceiling) or known.size == 0:
        return True
    p = _p_value(ceiling, known)
    return ceiling < float(known.mean()) if math.isnan(p) else p <= alpha


def _aligned(
    activities: Sequence[SpikeTrains], names: Sequence[str], options: CompareOptions
) -> tuple[list[SpikeTrains], list[str]]:
    """Return the activities with the same neurons and observed time, and notes of what was left out."""
    original = activities[0]
    labels: tuple[str, ...] = original.labels
    for name, other in zip(names[1:], activities[1:], strict=True):
        shared = set(common_labels(original, other, name=name, is_partial_allowed=options.is_partial_allowed))
        labels = tuple(label for label in labels if label in shared)
    if not labels:
        raise CompareError("No neuron is in all activities. Give activities of the same neurons.")
    lengths_s = [x.duration_s for x in activities]
    common_s = min(lengths_s)
    if common_s < options.min_duration_s:
        raise CompareError(
            f"{names[int(np.argmin(lengths_s))]} lasts {common_s:g} s, under {options.min_duration_s:g} s. "
            "Give longer activities, or shorten min_duration_s and spectrum_segment_s."
        )
    notes: list[str] = []
    if len(labels) < original.n_neurons:
        notes.append(f"Compared are the {len(labels)} neurons that all activities have, of {original.n_neurons}.")
    if max(lengths_s) > common_s * (1 + 1e-9):
        notes.append(
            f"Observed times differ ({common_s:g} to {max(lengths_s):g} s): "
            f"the first {common_s:g} s of each are compared."
        )
    return [first_part(with_neurons(x, labels), common_s) for x in activities], notes


def _pair_neurons(original: SpikeTrains, options: CompareOptions, rng: Generator) -> Int64[ndarray, " neurons"]:
    """Return the neurons whose pairs are compared: all, or a draw among those that fire in the original."""
    if original.n_neurons <= options.max_pair_neurons:
        return np.arange(original.n_neurons)
    active = np.flatnonzero(original.counts())
    return np.sort(rng.permutation(active)[: options.max_pair_neurons])


def _require_names(nulls: Mapping[str, Sequence[SpikeTrains]]) -> None:
    for name, draws in nulls.items():
        if name in {POISSON, "original", "copy"}:
            raise CompareError(f"A null is named {name!r}, which has a meaning of its own here. Rename it.")
        if not draws:
            raise CompareError(f"The null {name!r} has no activity. Give at least one, better 19, or leave it out.")


def _curves(shown: Mapping[str, Features]) -> Curves:
    original = shown["original"]
    ordered, unordered = (
        np.unique(np.linspace(0, max(n - 1, 0), min(n, _MAX_CURVE_PAIRS)).astype(np.int64))
        for n in (original.coupling_z.size, original.correlation[0].size)
    )
    return Curves(
        spectrum_hz=original.band_hz,
        spectrum={name: f.spectrum for name, f in shown.items()},
        interval_edges_s=_EDGES_S,
        interval_density={name: pooled_density(f.intervals, _EDGES_S) for name, f in shown.items()},
        rate_hz={name: f.rate_hz for name, f in shown.items()},
        pair_coupling_z={name: f.coupling_z[ordered] for name, f in shown.items()},
        pair_correlation={name: f.correlation[0][unordered] for name, f in shown.items()},
    )
