"""The list of measures: what each means, its value in one activity, its distance between two."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.comparing._avalanches import size_distance
from neurograft.comparing._bursts import relative_gap
from neurograft.comparing._correlations import pattern_distance
from neurograft.comparing._distances import van_rossum, victor_purpura
from neurograft.comparing._features import Features
from neurograft.comparing._intervals import mean_gap, mean_ks, wasserstein_decades
from neurograft.comparing._options import CompareOptions, SameDrive
from neurograft.comparing._spectrum import spectrum_distance_db
from neurograft.comparing._statistics import ranks
from neurograft.spikes import SpikeTrains
from neurograft.units import MS

_BY_RATE = "Rates are given to the copy and to the Poisson null, so this cannot tell a copy from a null."
_PARTIAL = "Supports a headline row; not judged on its own."


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureSpec:
    """One measure; ``why_not_headline`` is empty for those that a right copy should win."""

    name: str
    meaning: str
    unit: str
    distance_unit: str
    value: Callable[[Features], float]
    distance: Callable[[Features, Features], float]
    why_not_headline: str = ""
    is_on_one_clock: bool = False


def measure_specs(options: CompareOptions) -> list[MeasureSpec]:
    """Return the measures for these options, in the report's order."""
    return [
        *_rates(),
        *_intervals(options.min_intervals),
        *_pairs(options),
        *_population(options),
        *_bursting(),
        *_avalanches(),
        *_train_distances(options.same_drive),
    ]


def _rates() -> list[MeasureSpec]:
    return [
        MeasureSpec(
            name="rate",
            meaning="Mean rate; distance: the neurons' rate differences added, over the mean of both totals (0 to 2).",
            unit="Hz",
            distance_unit="",
            value=lambda f: float(f.rate_hz.mean()),
            distance=lambda a, b: _summed_gap(a.rate_hz, b.rate_hz),
            why_not_headline=_BY_RATE,
        ),
        MeasureSpec(
            name="rate pattern",
            meaning="Spread of rates (sd over mean); distance: 1 - Spearman's r of the rates across neurons.",
            unit="",
            distance_unit="1-r",
            value=lambda f: float(f.rate_hz.std() / f.rate_hz.mean()) if f.rate_hz.any() else np.nan,
            distance=lambda a, b: pattern_distance(ranks(a.rate_hz), ranks(b.rate_hz)),
            why_not_headline=_BY_RATE,
        ),
    ]


def _intervals(min_intervals: int) -> list[MeasureSpec]:
    return [
        MeasureSpec(
            name="intervals",
            meaning="Median inter-spike interval; distance: Kolmogorov-Smirnov between each neuron's intervals, mean.",
            unit="s",
            distance_unit="KS",
            value=lambda f: float(np.median(f.intervals.sorted_s)) if f.intervals.sorted_s.size else np.nan,
            distance=lambda a, b: mean_ks(a.intervals, b.intervals, min_intervals=min_intervals),
        ),
        MeasureSpec(
            name="pooled intervals",
            meaning="Mean log10 interval in s; distance: Wasserstein between all neurons' log10 intervals.",
            unit="decades",
            distance_unit="decades",
            value=lambda f: _mean_log(f.intervals.sorted_s),
            distance=lambda a, b: wasserstein_decades(a.intervals, b.intervals),
            why_not_headline=_PARTIAL,
        ),
        MeasureSpec(
            name="interval CV",
            meaning="Irregularity over all time scales, 1 for Poisson; distance: difference in each neuron, mean.",
            unit="",
            distance_unit="CV",
            value=lambda f: _known_mean(f.intervals.cv),
            distance=lambda a, b: mean_gap(a.intervals.cv, b.intervals.cv),
            why_not_headline=_PARTIAL,
        ),
        MeasureSpec(
            name="local variation",
            meaning="Irregularity from one interval to the next, 1 for Poisson; distance: difference a neuron, mean.",
            unit="",
            distance_unit="LV",
            value=lambda f: _known_mean(f.intervals.lv),
            distance=lambda a, b: mean_gap(a.intervals.lv, b.intervals.lv),
            why_not_headline=_PARTIAL,
        ),
    ]


def _pairs(options: CompareOptions) -> list[MeasureSpec]:
    low_s, high_s = options.coupling_window_s
    specs = [
        MeasureSpec(
            name="ms coupling",
            meaning=(
                f"Spread of the pairs' coupling at {low_s / MS:g} to {high_s / MS:g} ms (1 is chance); "
                "distance: 1 - r of the [pre, post] matrices."
            ),
            unit="sd",
            distance_unit="1-r",
            value=lambda f: float(f.coupling_z.std()) if f.coupling_z.size else np.nan,
            distance=lambda a, b: pattern_distance(a.coupling_z, b.coupling_z),
        )
    ]
    for k, bin_s in enumerate(options.bins_s):
        specs.append(
            MeasureSpec(
                name=f"correlation {bin_s / MS:g} ms",
                meaning="Mean correlation of two neurons' counts; distance: 1 - r of all pairs' correlations.",
                unit="",
                distance_unit="1-r",
                value=partial(_mean_correlation, k=k),
                distance=partial(_correlation_pattern, k=k),
            )
        )
        specs.append(
            MeasureSpec(
                name=f"synchrony {bin_s / MS:g} ms",
                meaning="Mean correlation of two neurons' counts; distance: the difference of the means.",
                unit="",
                distance_unit="r",
                value=partial(_mean_correlation, k=k),
                distance=partial(_correlation_level, k=k),
                why_not_headline=_PARTIAL,
            )
        )
    return specs


def _population(options: CompareOptions) -> list[MeasureSpec]:
    return [
        MeasureSpec(
            name="population coupling",
            meaning=(
                f"Mean correlation of a neuron with the sum of the others, {options.bins_s[0] / MS:g} ms bins; "
                "distance: difference in each neuron, mean."
            ),
            unit="",
            distance_unit="r",
            value=lambda f: _known_mean(f.population_coupling),
            distance=lambda a, b: mean_gap(a.population_coupling, b.population_coupling),
        ),
        MeasureSpec(
            name="population spectrum",
            meaning="Population power below 10 Hz over Poisson's; distance: rms over third octaves of the ratio.",
            unit="dB",
            distance_unit="dB",
            value=_low_power_db,
            distance=lambda a, b: spectrum_distance_db(a.spectrum, b.spectrum),
        ),
    ]


def _bursting() -> list[MeasureSpec]:
    return [
        MeasureSpec(
            name="spikes in bursts",
            meaning="Share of spikes inside network bursts; distance: the difference.",
            unit="",
            distance_unit="share",
            value=lambda f: f.bursts.spike_share,
            distance=lambda a, b: abs(a.bursts.spike_share - b.bursts.spike_share),
        ),
        MeasureSpec(
            name="burst rate",
            meaning="Network bursts a minute; distance: difference over the mean of both (0 to 2).",
            unit="/min",
            distance_unit="",
            value=lambda f: f.bursts.per_minute,
            distance=lambda a, b: relative_gap(a.bursts.per_minute, b.bursts.per_minute),
            why_not_headline=_PARTIAL,
        ),
        MeasureSpec(
            name="burst duration",
            meaning="Mean length of a network burst; distance: difference over the mean of both (0 to 2).",
            unit="s",
            distance_unit="",
            value=lambda f: f.bursts.mean_duration_s,
            distance=lambda a, b: relative_gap(a.bursts.mean_duration_s, b.bursts.mean_duration_s),
            why_not_headline=_PARTIAL,
        ),
        MeasureSpec(
            name="burst participation",
            meaning="Mean share of neurons that fire in a burst; distance: difference over the mean of both (0 to 2).",
            unit="",
            distance_unit="",
            value=lambda f: f.bursts.participation,
            distance=lambda a, b: relative_gap(a.bursts.participation, b.bursts.participation),
            why_not_headline=_PARTIAL,
        ),
    ]


def _avalanches() -> list[MeasureSpec]:
    return [
        MeasureSpec(
            name="avalanche size",
            meaning="Mean spikes of a run of active bins (bin: mean population interval); distance: KS of all sizes.",
            unit="spikes",
            distance_unit="KS",
            value=lambda f: float(f.avalanches.size.mean()) if f.avalanches.size.size else np.nan,
            distance=lambda a, b: size_distance(a.avalanches, b.avalanches),
            why_not_headline=_PARTIAL,
        ),
        MeasureSpec(
            name="branching ratio",
            meaning="Spikes that follow in the next bin, for each spike of an avalanche; distance: the difference.",
            unit="",
            distance_unit="",
            value=lambda f: f.avalanches.branching,
            distance=lambda a, b: abs(a.avalanches.branching - b.avalanches.branching),
            why_not_headline=_PARTIAL,
        ),
    ]


def _train_distances(drive: SameDrive | None) -> list[MeasureSpec]:
    def spec(name: str, meaning: str, measure: Callable[[SpikeTrains, SpikeTrains, SameDrive], float]) -> MeasureSpec:
        return MeasureSpec(
            name=name,
            meaning=f"{meaning} Twins with the same drive only.",
            unit="",
            distance_unit="",
            value=lambda f: np.nan,
            distance=lambda a, b: np.nan if drive is None else measure(a.trains, b.trains, drive),
            why_not_headline="" if drive else "Not applicable: the two did not run with the same drive (same_drive).",
            is_on_one_clock=True,
        )

    return [
        spec(
            "Victor-Purpura", "Share of spikes to delete, insert or move to make one train the other.", victor_purpura
        ),
        spec("van Rossum", "Distance of the smoothed trains over that of unrelated trains.", van_rossum),
    ]


def _summed_gap(a: Float64[ndarray, " n"], b: Float64[ndarray, " n"]) -> float:
    total = float(a.sum() + b.sum())
    return 2 * float(np.abs(a - b).sum()) / total if total > 0 else np.nan


def _mean_log(interval_s: Float64[ndarray, " n"]) -> float:
    positive = interval_s[interval_s > 0]
    return float(np.log10(positive).mean()) if positive.size else np.nan


def _known_mean(x: Float64[ndarray, " n"]) -> float:
    known = x[~np.isnan(x)]
    return float(known.mean()) if known.size else np.nan


def _mean_correlation(f: Features, *, k: int) -> float:
    return float(f.correlation[k].mean()) if f.correlation[k].size else np.nan


def _correlation_pattern(a: Features, b: Features, *, k: int) -> float:
    return pattern_distance(a.correlation[k], b.correlation[k])


def _correlation_level(a: Features, b: Features, *, k: int) -> float:
    return abs(_mean_correlation(a, k=k) - _mean_correlation(b, k=k))


def _low_power_db(f: Features) -> float:
    low = f.spectrum[f.band_hz < 10.0]
    return float(10 * np.log10(max(float(low.mean()), 1e-6))) if low.size and not np.isnan(low).any() else np.nan
