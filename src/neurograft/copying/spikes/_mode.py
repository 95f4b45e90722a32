"""Copying from spikes alone: correlograms of all pairs become a synaptic map."""

from dataclasses import asdict, dataclass, field, replace
from typing import NamedTuple, cast, final

import numpy as np
from jaxtyping import Bool, Float64
from numpy import ndarray

from neurograft.copying.spikes._correlogram import Events, LagGrid, count_listed, count_pair, events, exposure
from neurograft.copying.spikes._coupling import BoxOptions
from neurograft.copying.spikes._decide import Decisions, decide, decide_judged, limits_counts, presynaptic_sign
from neurograft.copying.spikes._duplicates import repeats, without
from neurograft.copying.spikes._flags import unit_flags
from neurograft.copying.spikes._hollow import HollowOptions, first_causal_bin, smooth_baseline
from neurograft.copying.spikes._indirect import Calls, explained_elsewhere
from neurograft.copying.spikes._input import grid_of, impossible, is_on_grid, require_usable
from neurograft.copying.spikes._joint import Joint, joint_statistics
from neurograft.copying.spikes._judge import FASTEST_JUDGED_HZ, Verdict, jittered, q_values, trained_judge, verdict
from neurograft.copying.spikes._latent import DriveOptions
from neurograft.copying.spikes._network import CLEAR_CHANCE, FEWEST_CLEAR
from neurograft.copying.spikes._pairs import PairStatistics, pair_statistics
from neurograft.copying.spikes._scan import onset_s
from neurograft.copying.spikes._strength import GainTable, StandardNeuron, gain_table
from neurograft.errors import CopyError
from neurograft.maps import NOISE_KEY, Evidence, Kind, SynapseMap, Undecidable, synapse_map
from neurograft.progress import Progress, silent
from neurograft.provenance import JsonValue, Provenance
from neurograft.spikes import SpikeTrains
from neurograft.units import MS, MV

_BEFORE_PEAK_S = 2 * MS


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SpikesOptions:
    """How spikes are copied; the defaults suit millisecond synapses of sorted units."""

    fdr: float = 0.05  # of the excitatory calls, and of the inhibitory calls
    grid: LagGrid | None = None  # of the lags; None: bins of 0.5 ms, or 1 ms where all spikes lie on a 1 ms grid
    hollow: HollowOptions = field(default_factory=HollowOptions)
    drives: DriveOptions = field(default_factory=DriveOptions)
    boxes: BoxOptions = field(default_factory=BoxOptions)
    most_joint_neurons: int = 1000  # 7 GB; with more, each correlogram is judged alone by the hollow test
    decoys: int = 1  # jittered copies of the recording that the judge sees too; each costs as much as the recording
    most_decoy_neurons: int = 300  # with more neurons no decoys are made: the share that they measure is the finer
    most_network_neurons: int = 300  # with more, drives are not estimated anew beside the clear synapses: time
    seed: int = 1  # of the decoys
    standard: StandardNeuron = field(default_factory=StandardNeuron)
    gain_window_s: float = 10 * MS  # extra spikes are counted from 2 ms before the peak to this long after it
    plausible_v: float = 5 * MV  # a pair whose detection limit is above this potential is undecidable
    is_gap_real_time: bool = False  # whether the clock ran on between epochs
    threads: int = 1

    def __post_init__(self) -> None:
        """Refuse options out of range."""
        if not 0 < self.fdr < 1:
            raise CopyError(f"fdr is {self.fdr}. Give a false-discovery rate between 0 and 1, usually 0.05.")
        half_s = self.lags.half_window_s / 2
        if not 0 < self.gain_window_s < half_s:
            raise CopyError(
                f"gain_window_s is {self.gain_window_s} s. Give more than 0 and less than half of the lags, {half_s} s."
            )
        if self.plausible_v <= 0:
            raise CopyError(f"plausible_v is {self.plausible_v} V. Give a potential above 0, usually 5 mV.")
        if self.threads < 1:
            raise CopyError(f"threads is {self.threads}. Give 1 or more.")
        if self.decoys < 0:
            raise CopyError(f"decoys is {self.decoys}. Give 0 or more.")

    @property
    def lags(self) -> LagGrid:
        """The grid of lags, the usual one where none was chosen."""
        return self.grid if self.grid is not None else LagGrid()


DEFAULT_OPTIONS = SpikesOptions()


class Correlogram(NamedTuple):
    """One correlogram for a figure: 99 % of bins of unconnected trains lie within the band."""

    lag_s: Float64[ndarray, " bins"]
    counts: ndarray
    baseline: Float64[ndarray, " bins"]
    band: Float64[ndarray, "2 bins"]


class _Strengths(NamedTuple):
    delay_s: Float64[ndarray, " synapses"]
    gain: Float64[ndarray, " synapses"]
    gain_se: Float64[ndarray, " synapses"]
    weight_v: Float64[ndarray, " synapses"]
    weight_se_v: Float64[ndarray, " synapses"]


def copy_spikes(
    trains: SpikeTrains, *, options: SpikesOptions = DEFAULT_OPTIONS, progress: Progress = silent
) -> SynapseMap:
    """Return the synaptic map of spike trains, with q-values, strengths and what could not be decided.

    Weights are potentials that would have the measured transmission gain in a standard neuron (see
    ``StandardNeuron``); the gain itself is in ``extra["gain_spikes"]``.  Neurons seen by one electrode,
    driven together, silent or with too few spikes end in ``evidence.undecidable``, never in a synapse.
    """
    require_usable(trains)
    options = replace(options, grid=options.grid or grid_of(trains))
    spikes = events(trains, options.lags, is_gap_real_time=options.is_gap_real_time)
    is_impossible = impossible(trains)
    spikes = without(spikes, is_impossible)
    repeated = repeats(spikes)
    is_duplicate = repeated.is_twin
    spikes = without(spikes, is_duplicate)
    is_left_out = is_duplicate | is_impossible
    found, joint, judged = _known(trains, spikes, is_left_out, options, progress)
    decisions = decide(
        found,
        np.where(is_impossible, 0, trains.counts()),
        is_duplicate,
        fdr=options.fdr,
        is_drive_separable=judged is not None,
    )
    decoy_calls, is_fast = None, np.zeros_like(is_impossible)
    if judged is not None:
        decoys = _decoys(trains, is_left_out, options, progress)
        decisions = decide_judged(decisions, judged, q_values(judged, decoys), fdr=options.fdr)
        is_fast = trains.rates_hz() > FASTEST_JUDGED_HZ
        decisions = _beyond_training(decisions, is_fast)
        if decoys:
            decoy_calls = sum(int(np.sum(q_values(decoy, []) <= options.fdr)) for decoy in decoys)
    decisions = _left_out(decisions, is_impossible)
    rates_hz = trains.rates_hz()
    gains = gain_table(options.standard, window_s=options.gain_window_s, rates_hz=rates_hz)
    pre, post = np.nonzero(decisions.is_synapse)
    direction = np.sign(decisions.z[pre, post].astype(np.float64))
    strengths = _strengths(
        spikes,
        joint,
        found,
        pairs=(pre, post),
        direction=direction,
        gains=gains,
        rates_hz=rates_hz,
        options=options,
    )
    agrees = strengths.gain * direction > strengths.gain_se
    calls = Calls(pre[agrees], post[agrees], strengths.gain[agrees], strengths.delay_s[agrees])
    agrees[agrees] = ~explained_elsewhere(
        calls, spikes, rates_hz, is_thorough=joint is not None and not joint.is_drive_separable
    )
    decisions = _withdraw(decisions, pre[~agrees], post[~agrees])
    evidence = _evidence(found, decisions, trains, gains, options)
    pre, post, direction = pre[agrees], post[agrees], direction[agrees]
    strengths = _Strengths(*(column[agrees] for column in strengths))
    rate = decisions.local_fdr[pre, post]
    sign, _ = presynaptic_sign(pre, direction, rate, trains.n_neurons)
    return synapse_map(
        n_neurons=trains.n_neurons,
        pre=pre,
        post=post,
        weight_v=strengths.weight_v,
        delay_s=strengths.delay_s,
        kind=np.where(direction > 0, Kind.EXCITATORY_STRONG, Kind.INHIBITORY).astype(np.uint8),
        weight_se_v=strengths.weight_se_v,
        q_value=decisions.q[pre, post],
        labels=trains.labels,
        sign=sign,
        extra={
            "gain_spikes": strengths.gain,
            "gain_se_spikes": strengths.gain_se,
            "local_fdr": rate,
            "asymmetry_z": found.asymmetry_z[pre, post].astype(np.float64),
            "zero_lag_z": found.zero_z[pre, post].astype(np.float64),
        },
        evidence=evidence,
        provenance=_provenance(
            trains,
            decisions,
            joint,
            decoy_calls,
            options,
            flags=unit_flags(trains.labels, repeated, is_impossible, is_fast & ~is_impossible),
        ),
    )


def _left_out(decisions: Decisions, is_impossible: ndarray) -> Decisions:
    """Return the decisions with nothing known of units that no neuron can be."""
    pairs = is_impossible[:, None] | is_impossible[None, :]
    np.fill_diagonal(pairs, val=False)
    undecidable, z = decisions.undecidable.copy(), decisions.z.copy()
    undecidable[pairs], z[pairs] = Undecidable.BAD_CHANNEL, np.nan
    return decisions._replace(undecidable=undecidable, z=z, is_synapse=decisions.is_synapse & ~pairs)


def _known(
    trains: SpikeTrains,
    spikes: Events,
    is_left_out: Bool[ndarray, " neurons"],
    options: SpikesOptions,
    progress: Progress,
) -> tuple[PairStatistics, Joint | None, Verdict | None]:
    """Return the statistics, joint where memory allows, and the trained judge's verdict where he may be asked.

    He is asked twice where there are drives: what he finds clear at first is no drive.
    """
    found, joint = _statistics(trains, spikes, options, progress)
    if joint is None or not joint.is_drive_separable:
        return found, joint, None
    is_judged = ~is_left_out & (trains.counts() > 0)
    tested = is_judged[:, None] & is_judged[None, :] & ~np.isnan(found.z)
    judged = verdict(joint.described, tested, trained_judge())
    clear = np.nan_to_num(judged.chance) > CLEAR_CHANCE
    is_network = np.count_nonzero(clear) >= FEWEST_CLEAR * trains.n_neurons
    if joint.described.n_drives and is_network and trains.n_neurons <= options.most_network_neurons:
        found, joint = _statistics(trains, spikes, options, progress, clear=clear)
        assert joint is not None
        judged = verdict(joint.described, tested, trained_judge())
    return found, joint, judged


def _decoys(
    trains: SpikeTrains, is_left_out: Bool[ndarray, " neurons"], options: SpikesOptions, progress: Progress
) -> list[Verdict]:
    """Return the judge's verdicts on jittered copies of the recording, none where neurons are too many."""
    decoys: list[Verdict] = []
    n_decoys = options.decoys if trains.n_neurons <= options.most_decoy_neurons else 0
    for rng in np.random.default_rng(options.seed).spawn(n_decoys):
        bin_s = options.lags.bin_s if is_on_grid(trains, options.lags.bin_s) else None
        moved = events(jittered(trains, bin_s, rng), options.lags, is_gap_real_time=options.is_gap_real_time)
        judged = _known(trains, without(moved, is_left_out), is_left_out, options, progress)[2]
        assert judged is not None
        decoys.append(judged)
    return decoys


def correlogram(trains: SpikeTrains, pre: int, post: int, *, options: SpikesOptions = DEFAULT_OPTIONS) -> Correlogram:
    """Return how often ``post`` fires each lag after ``pre``, with what its surroundings lead one to expect."""
    for name, neuron in (("pre", pre), ("post", post)):
        if not 0 <= neuron < trains.n_neurons:
            raise CopyError(f"{name} is {neuron}, but there are neurons 0 to {trains.n_neurons - 1}.")
    from scipy.stats import poisson

    grid = options.grid or grid_of(trains)
    counts = count_pair(trains, grid, pre, post, is_gap_real_time=options.is_gap_real_time)
    near = np.abs(grid.lag_s) <= min(options.hollow.window_stops_s)
    baseline = smooth_baseline(counts.astype(np.float64), grid, options.hollow.baseline_sd_s, near)
    band = np.stack([poisson.ppf(0.005, baseline), poisson.ppf(0.995, baseline)])
    return Correlogram(grid.lag_s, counts, baseline, np.nan_to_num(band))


def _statistics(
    trains: SpikeTrains,
    spikes: Events,
    options: SpikesOptions,
    progress: Progress,
    clear: Bool[ndarray, "pre post"] | None = None,
) -> tuple[PairStatistics, Joint | None]:
    """Return the joint statistics where memory allows, else those of each correlogram alone."""
    n_bins_seen = trains.duration_s / options.lags.bin_s
    if spikes.n_neurons > options.most_joint_neurons:
        found = pair_statistics(
            spikes, options.lags, options.hollow, n_bins_seen=n_bins_seen, threads=options.threads, progress=progress
        )
        return found, None
    joint = joint_statistics(
        spikes,
        options.lags,
        first_lag_s=options.hollow.first_lag_s,
        drives=options.drives,
        boxes=options.boxes,
        exposed=exposure(trains, options.lags, is_gap_real_time=options.is_gap_real_time),
        n_bins_seen=n_bins_seen,
        threads=options.threads,
        progress=progress,
        clear=clear,
    )
    return joint.statistics, joint


def _withdraw(decisions: Decisions, pre: ndarray, post: ndarray) -> Decisions:
    """Return the decisions without calls that their correlogram, or other calls, do not bear out."""
    is_synapse, undecidable = decisions.is_synapse.copy(), decisions.undecidable.copy()
    is_synapse[pre, post] = False
    undecidable[pre, post] = Undecidable.COMMON_DRIVE
    return decisions._replace(is_synapse=is_synapse, undecidable=undecidable)


def _beyond_training(decisions: Decisions, is_fast: ndarray) -> Decisions:
    """Return the decisions with nothing decided of neurons that fire faster than those that taught the judge."""
    pairs = is_fast[:, None] | is_fast[None, :]
    np.fill_diagonal(pairs, val=False)
    return _withdraw(decisions, *np.nonzero(pairs & (decisions.undecidable == Undecidable.DECIDED)))


def _evidence(
    found: PairStatistics, decisions: Decisions, trains: SpikeTrains, gains: GainTable, options: SpikesOptions
) -> Evidence:
    gain = limits_counts(found, decisions) / np.maximum(trains.counts(), 1)[:, None]
    limit_v = np.stack([gains.kicks_v(gain[:, j], r) for j, r in enumerate(trains.rates_hz())], axis=1)
    limit_v[np.isnan(decisions.z)] = np.nan
    undecidable = decisions.undecidable.copy()
    weak = (limit_v > options.plausible_v) & ~decisions.is_synapse & (undecidable == Undecidable.DECIDED)
    undecidable[weak] = Undecidable.TOO_FEW_SPIKES
    return Evidence(z=decisions.z, limit_v=limit_v.astype(np.float32), undecidable=undecidable)


def _strengths(
    spikes: Events,
    joint: Joint | None,
    found: PairStatistics,
    *,
    pairs: tuple[ndarray, ndarray],
    direction: Float64[ndarray, " synapses"],
    gains: GainTable,
    rates_hz: Float64[ndarray, " neurons"],
    options: SpikesOptions,
) -> _Strengths:
    """Return delay and strength of calls from their correlograms, common drive removed where it is known."""
    rows = np.zeros((direction.size, 5))
    for k, (pre, post) in enumerate(zip(pairs[0].tolist(), pairs[1].tolist(), strict=True)):
        if joint is None:
            counts = count_listed(spikes, options.lags, pre, post).astype(np.float64)
        else:
            counts = joint.cleaned(pre, post)
        window, is_trough = found.windows[found.window[pre, post]], bool(direction[k] < 0)
        peak_s = peak_lag_s(counts, options.lags, window, is_trough=is_trough)
        delay_s = onset_s(counts, options.lags, peak_s, is_trough=is_trough)
        gain, gain_se = _gain(counts, options, peak_s, int(spikes.own_start[pre + 1] - spikes.own_start[pre]))
        rate_hz = float(rates_hz[post])
        kick_v = gains.kicks_v(np.array([gain]), rate_hz)
        slope = float(gains.slopes_per_v(kick_v, rate_hz)[0])
        is_saturated = gain_se > abs(slope) * float(gains.kick_v[-1])
        rows[k] = delay_s, gain, gain_se, kick_v[0], np.nan if is_saturated else gain_se / slope
    return _Strengths(*rows.T)


def peak_lag_s(counts: Float64[ndarray, " bins"], grid: LagGrid, window: ndarray, *, is_trough: bool) -> float:
    """Return the lag of the window's highest (or lowest) count, smoothed over 1 ms, between bins by a parabola."""
    distance = np.arange(-grid.n_half, grid.n_half + 1) * grid.bin_s
    width = np.exp(-0.5 * (distance / (0.5 * MS)) ** 2)
    smooth = np.convolve(counts, width / width.sum(), mode="same") * (-1.0 if is_trough else 1.0)
    k = int(np.argmax(np.where(window, smooth, -np.inf)))
    left, middle, right = smooth[k - 1 : k + 2]
    bend = left - 2 * middle + right
    shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return float(grid.lag_s[k] + np.clip(shift, -0.5, 0.5) * grid.bin_s)


def _gain(counts: Float64[ndarray, " bins"], options: SpikesOptions, peak_s: float, n_pre: int) -> tuple[float, float]:
    """Return extra spikes for each presynaptic spike around the peak, and their standard error."""
    grid = options.lags
    first_s = grid.lag_s[grid.n_half + first_causal_bin(grid, options.hollow.first_lag_s)]
    start_s, stop_s = max(first_s, peak_s - _BEFORE_PEAK_S), peak_s + options.gain_window_s
    inside = (grid.lag_s >= start_s) & (grid.lag_s <= stop_s)
    out = inside | (np.abs(grid.lag_s) < first_s)
    baseline = smooth_baseline(counts, grid, options.hollow.baseline_sd_s, out)[inside]
    n, expected = counts[inside].sum(), baseline.sum()
    # The baseline rests on about as many counts again, each weighing like one inside.
    return float((n - expected) / n_pre), float(np.sqrt(max(n + expected, 1.0)) / n_pre)


def _provenance(
    trains: SpikeTrains,
    decisions: Decisions,
    joint: Joint | None,
    decoy_calls: int | None,
    options: SpikesOptions,
    *,
    flags: list[str],
) -> Provenance:
    parameters = cast("dict[str, JsonValue]", asdict(options)) | {"flags": list[JsonValue](flags)}
    parameters["n_drives_removed"] = joint.described.n_drives if joint else 0
    parameters["calls_in_jittered_decoys"] = decoy_calls
    parameters["null_centre"] = decisions.null.centre
    parameters["null_sd"] = decisions.null.sd
    parameters[NOISE_KEY] = options.standard.noise_sd_v
    parameters["weight_assumption"] = (
        "weight_v is the potential jump with the measured transmission gain in the standard neuron at the "
        "postsynaptic neuron's own rate"
    )
    inputs = trains.provenance.inputs if trains.provenance else {}
    return Provenance(command="copy --mode spikes", parameters=parameters, inputs=inputs)
