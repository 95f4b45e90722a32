"""Copying from intracellular traces: who answers whose action potentials, by how much, and how sure that is."""

# ruff: noqa: PLR0917  (a judgement is told by its parts)
import tempfile
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import NamedTuple, cast, final

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8
from numpy import ndarray

from neurograft.copying._fdr import empirical_null, two_sided_p
from neurograft.copying.intracellular._chart import chart
from neurograft.copying.intracellular.judging._amplitude import alone, choose_shape, scores
from neurograft.copying.intracellular.judging._calls import Called, RejectedPair, call
from neurograft.copying.intracellular.judging._mixture import Judged, Mixture, learn
from neurograft.copying.intracellular.judging._null_width import narrowed
from neurograft.copying.intracellular.judging._posterior import judge_all
from neurograft.copying.intracellular.judging._templates import (
    Family,
    OwnCourses,
    Shape,
    TemplateOptions,
    Templates,
    reach,
    templates,
)
from neurograft.copying.intracellular.neurons._channel_reports import ChannelReport, channel_reports, two_told
from neurograft.copying.intracellular.neurons._coupling import Coupling, coupling
from neurograft.copying.intracellular.neurons._detect import Detected, detect
from neurograft.copying.intracellular.neurons._hum import rate_doubts
from neurograft.copying.intracellular.neurons._neurons import Neurons, neurons
from neurograft.copying.intracellular.neurons._two_in_one import two_in_one
from neurograft.copying.intracellular.neurons._usable import MIN_RATE_HZ, require_spikes, require_usable
from neurograft.copying.intracellular.properties._membrane_noise import membrane_noise
from neurograft.copying.intracellular.properties._properties import Properties, properties, quiet_sizes
from neurograft.copying.intracellular.reading._gather import Work, read_all, read_share
from neurograft.copying.intracellular.reading._kept import Kept
from neurograft.copying.intracellular.reading._peaks import DetectionOptions
from neurograft.copying.intracellular.reading._read import Reading, ReadOptions
from neurograft.copying.intracellular.reading._thin import Thin, thin_of
from neurograft.copying.intracellular.reading._timeline import Timeline, timeline
from neurograft.copying.intracellular.reading._work import MAPPED, Nowhere, WorkFolder, digest
from neurograft.copying.intracellular.regression._boxes import box_z
from neurograft.copying.intracellular.regression._bursts import without_bursts
from neurograft.copying.intracellular.regression._design import ACAUSAL, LagBoxes, lag_boxes
from neurograft.copying.intracellular.regression._factored import Design, design
from neurograft.copying.intracellular.regression._over_mean import coupling_over_mean
from neurograft.copying.intracellular.regression._regression import Fit, fits
from neurograft.copying.intracellular.regression._shifted import n_shifts, shifted_trains
from neurograft.copying.intracellular.regression._whiten import (
    Traces,
    Whitener,
    WhiteningOptions,
    in_memory,
    own_course,
    row_weights,
)
from neurograft.errors import CopyError
from neurograft.maps import PAD_KEY, SynapseMap, Undecidable
from neurograft.progress import Progress, silent
from neurograft.provenance import JsonValue, Provenance
from neurograft.recordings import Recording, Signal, epochs_s, n_channels
from neurograft.spikes import SpikeTrains, spike_trains
from neurograft.units import MV

MIN_SPIKES = 8.0  # after which the target was seen: a mean over fewer potentials is not normal
_NULL_NEURONS = 400  # as many, drawn at random, tell how statistics behave at shifted designs
_LEARNT_FROM = 50_000
_MOST_SPANS = 1000  # of times that a map's provenance tells
_LOCAL_LEVELS = (0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
_LEVELS = np.array([0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001])


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class IntracellularOptions:
    """How an intracellular recording is copied."""

    fdr: float = 0.05
    row_rate_hz: float = 1000.0  # of the regression; traces are averaged down to it
    action_potential_v: float = 100 * MV  # of the peak over the mean membrane potential, for which a pad's is taken
    coupling_window_s: float = 30.0
    plausible_v: float = 1 * MV  # a pair whose detection limit is above is undecidable
    with_evidence: bool = False  # also fit without bursts: a third more time, columns quiet_v and quiet_se_v
    is_dale: bool = True  # one sign a presynaptic neuron, learnt from its surest synapses
    detection: DetectionOptions = field(default_factory=DetectionOptions)
    whitening: WhiteningOptions = field(default_factory=WhiteningOptions)
    templates: TemplateOptions = field(default_factory=TemplateOptions)
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse values that no recording can be copied with."""
        if not 0 < self.fdr < 1:
            raise CopyError(f"fdr is {self.fdr}. Give a false-discovery rate between 0 and 1, such as 0.05.")
        if not self.row_rate_hz >= MIN_RATE_HZ:
            raise CopyError(f"row_rate_hz is {self.row_rate_hz} Hz. Give at least {MIN_RATE_HZ} Hz; 1000 is usual.")
        if not self.plausible_v > 0:
            raise CopyError(f"plausible_v is {self.plausible_v} V. Give the smallest synapse of interest, above 0 V.")


class NullEvidence(NamedTuple):
    """How the statistics behave where there can be no synapse: at shifted designs, and before the spike."""

    n_shifts: int
    shift_sd: float  # of single boxes' z at shifted designs; 1 when standard errors are right
    shift_tail: float  # share of |z| > 3 there; 0.0027 when normal
    template_sd: float  # of the direct templates' z there; standard errors are widened by it
    decoy_share: float  # calls in shifted designs over calls in the true one, per design: chance's part of the FDR
    acausal_mean: float  # z of the 6 ms before the spike, at the true design
    acausal_sd: float
    centre: float  # Efron's empirical null over all pairs, at the commonest latency
    sd: float
    calibration: Float64[ndarray, "levels 3"]  # nominal p; share below it at shifted designs; and before the spike
    decoys: Float64[ndarray, "levels 3"]  # local FDR up to which is counted; pairs of the true design; of a shifted one
    n_quiet: int  # calls that the fit without bursts could judge; 0 where it was not made
    n_stand: int  # ... and that have the same sign there, over two standard errors


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IntracellularCopy:
    """The map, the action potentials it rests on, and the evidence for its error rate."""

    map: SynapseMap
    spikes: SpikeTrains
    null: NullEvidence
    shape: Shape
    mixture: Mixture
    flags: tuple[str, ...]  # sentences on the whole recording; none when nothing is in doubt
    channels: tuple[ChannelReport, ...]
    rejected: tuple[RejectedPair, ...]
    properties: Properties
    unusable_s: Float64[ndarray, "stretches 2"]  # times in which no channel has a usable sample


def copy_intracellular(
    recording: Recording,
    *,
    options: IntracellularOptions = IntracellularOptions(),
    work: Work | None = None,
    progress: Progress = silent,
) -> IntracellularCopy:
    """Return the synaptic map of a recording of membrane potentials, true or seen through pads.

    Every neuron's action potentials are regressed on every other's whitened trace, all pairs at once
    (``docs/background/copy-intracellular.md``).  The samples are read once, piece by piece, and once more around the
    spikes of pairs that cross-talk may explain; ``work`` says by whom and where the pieces' results are kept.
    """
    require_usable(recording)
    work = work or Work()
    if isinstance(work.store, Nowhere) and _rows_bytes(recording, options) > work.memory.n_bytes // 4:
        with tempfile.TemporaryDirectory(prefix="neurograft-") as folder:  # rows go to disk, not to memory
            kept = replace(work, store=WorkFolder(Path(folder)))
            return copy_intracellular(recording, options=options, work=kept, progress=progress)
    reading_options = _read_options(recording, options)
    reading = read_all(recording, reading_options, work, progress)
    found = detect(recording, reading, options.detection)
    cells = neurons(recording, found)
    require_spikes(found, cells)
    gains = coupling(
        recording, cells.events, action_potential_v=options.action_potential_v, window_s=options.coupling_window_s
    )
    factor = reading_options.factor
    boxes = lag_boxes(recording.rate_hz / factor)
    line = timeline(recording, factor=factor, gap_rows=boxes.reach + 1)
    thin = thin_of(recording, reading, factor)
    traces = replace(
        _traces(thin, line, cells, gains, options), memory=work.memory, n_threads=work.n_threads, library=work.library,
    )  # fmt: skip
    gains = coupling_over_mean(traces, action_potential_v=options.action_potential_v, progress=progress)
    traces = replace(traces, coupling=gains, keep=_keep(reading, gains, work))
    is_two = two_in_one(recording, cells, found.noise_v)
    flags = rate_doubts(thin, cells.events, rate_hz=recording.rate_hz) + two_told(recording, cells, is_two)
    n_firing = sum(len(rows) > 0 for rows in traces.spike_row)
    work.memory.require(n_neurons=len(cells.channel), n_firing=n_firing, n_boxes=len(boxes.low))
    traces = in_memory(traces, progress)
    worth = row_weights(traces, _scale_v(found, cells, gains), progress, seed=options.seed)
    found_ = _fitted(traces, worth, boxes, options, progress)
    whitener = found_.whitener
    undecidable = _untestable(cells, gains, found_.fit)
    progress("judging pairs", 0, 1)
    found_ = found_._replace(fit=narrowed(found_.fit, found_.kinds, _is_open(undecidable), n_threads=work.n_threads))
    judgement = _judged(found_, undecidable, options, work.n_threads)
    called = call(
        recording, cells, found_.fit, judgement.judged, undecidable,
        fdr=options.fdr, plausible_v=options.plausible_v, n_threads=work.n_threads, progress=progress,
    )  # fmt: skip
    spikes = _spikes(recording, cells)
    single = properties(
        traces, whitener, worth, found_.fit, found_.kinds.own, found_.below_v, judgement.judged, called.is_synapse,
        progress,
    )  # fmt: skip
    if options.with_evidence:
        quiet = without_bursts(traces, whitener, boxes, worth, progress)
        if quiet is not None:
            single = single._replace(quiet=quiet_sizes(whitener, quiet, found_.kinds.own, single, line.rate_hz))
    is_seen = gains.is_known[cells.channel] & ~cells.is_bad[cells.channel]
    noise = membrane_noise(traces, worth, single, progress, is_seen=is_seen)
    synapses = chart(
        spikes, found_.fit, judgement.judged, called, single,
        position_um=np.column_stack([recording.position_um[cells.channel], np.full(len(cells.channel), np.nan)]),
        provenance=_provenance(options, flags, recording, found),
        fdr=options.fdr,
        two_in_one=is_two,
        noise=noise,
    )  # fmt: skip
    progress("testing the map on designs that are turned", 0, 1)
    return IntracellularCopy(
        map=synapses,
        spikes=spikes,
        null=_null_evidence(found_, judgement, called, undecidable, options, single, work.n_threads),
        shape=found_.shape,
        mixture=judgement.mixture,
        flags=flags,
        channels=channel_reports(recording, found, cells, gains, is_two),
        rejected=called.rejected,
        properties=single,
        unusable_s=found.presence.unusable_s,
    )


def _keep(reading: Reading, gains: Coupling, work: Work) -> Kept:
    """Return where later steps' results are kept: nowhere for a recording that grows, whose next map has others."""
    if work.is_growing:
        return Kept()
    told = {f"{k} {name}": array for k, r in enumerate(reading.results) for name, array in r.items() if name != MAPPED}
    told |= {f"knot{k}": array for k, array in enumerate(gains.time_s)}
    told |= {f"gain{k}": array for k, array in enumerate(gains.gain)}
    return Kept(work.store, f"{digest(told)} {reading.pieces}")


class _Fitted(NamedTuple):
    """The regression at the true design and at its shifts, and what potentials look like in it."""

    whitener: Whitener
    fit: Fit
    shifted: list[Fit]
    null: Int64[ndarray, " some"]  # neurons that the shifted fits are of
    shape: Shape
    kinds: Templates
    below_v: Float64[ndarray, " neurons"]


class _Judgement(NamedTuple):
    """Posteriors of all pairs."""

    judged: Judged
    mixture: Mixture
    sd: float


def _scale_v(found: Detected, cells: Neurons, gains: Coupling) -> Float64[ndarray, " neurons"]:
    """Return how much each neuron's trace moves in 2 ms, in membrane volts; 1 V where it does not move."""
    volts = [found.noise_v[c] * float(np.median(gains.gain[c])) for c in cells.channel]
    return np.where(np.array(volts) > 0, volts, 1.0)


def _fitted(
    traces: Traces,
    worth: Float64[ndarray, " rows"],
    boxes: LagBoxes,
    options: IntracellularOptions,
    progress: Progress,
) -> _Fitted:
    line, n = traces.line, len(traces.channel)
    whitener, (true,) = fits(traces, [_design(traces, traces.spike_row, boxes, worth)], progress)
    null = np.arange(n)
    if n > _NULL_NEURONS:
        null = np.sort(np.random.default_rng(options.seed).choice(n, _NULL_NEURONS, replace=False))
    some = traces.select(null)
    trains = shifted_trains(some.spike_row, line, n_shifts(len(null)), np.random.default_rng(options.seed))
    designs = [_design(traces, train, boxes, worth) for train in trains]
    _, shifted = fits(some, designs, progress, whitener=whitener.of(null))
    usable = true.noise.max(axis=0) > 0
    first, last = reach(whitener, boxes)
    mine = own_course(traces, first, last, progress)
    own = OwnCourses(mine.course, first, whitener, boxes)
    progress("finding the potentials' common shape", 0, 1)
    shape = choose_shape(true, options.templates, own, line.rate_hz, usable, n_threads=traces.n_threads)
    kinds = templates(shape, options.templates, whitener, boxes, line.rate_hz, own=own)
    return _Fitted(whitener, true, shifted, null, shape, kinds, mine.below_v)


def _design(
    traces: Traces, trains: tuple[Int64[ndarray, " _"], ...], boxes: LagBoxes, worth: Float64[ndarray, " rows"]
) -> Design:
    return design(trains, boxes, worth, n_threads=traces.n_threads, library=traces.library)


def _judged(
    found: _Fitted, undecidable: UInt8[ndarray, "pre post"], options: IntracellularOptions, n_threads: int
) -> _Judgement:
    """Learn how common each explanation is from up to 50,000 pairs, then judge all."""
    is_open = _is_open(undecidable)
    n = len(is_open)
    sd = _template_sd(found, is_open)
    some = np.sort(np.random.default_rng(options.seed).permutation(n)[: max(_LEARNT_FROM // n, 1)])
    sample = scores(found.fit, found.kinds, some)
    mixture = learn(sample, found.kinds, is_open[some], sd=sd, is_dale=options.is_dale)
    can_rank = is_open | (undecidable == Undecidable.TOO_FEW_SPIKES)  # such a pair has evidence, if no call
    judged = judge_all(
        found.fit, found.kinds, can_rank, mixture, sd=sd, is_dale=options.is_dale, is_sure=is_open, n_threads=n_threads
    )
    return _Judgement(judged, mixture, sd)


def _is_open(undecidable: UInt8[ndarray, "pre post"]) -> Bool[ndarray, "pre post"]:
    is_open = undecidable == Undecidable.DECIDED
    np.fill_diagonal(is_open, False)
    return is_open


def _template_sd(found: _Fitted, is_open: Bool[ndarray, "pre post"]) -> float:
    """Return the sd of direct templates' z at shifted designs, from their central half; never under 1."""
    is_open, everyone = is_open[np.ix_(found.null, found.null)], np.arange(len(found.null))
    image = found.kinds.of(Family.DIRECT).image[::4][:, :, found.null]
    z = np.concatenate([alone(f, image, everyone).z[:, is_open].ravel() for f in found.shifted])
    if z.size == 0:
        return 1.0
    low, high = np.quantile(z, [0.25, 0.75])
    return max(float(high - low) / 1.349, 1.0)


def _rows_bytes(recording: Recording, options: IntracellularOptions) -> int:
    factor = _read_options(recording, options).factor
    return 4 * n_channels(recording) * sum(n // factor for n in recording.segment_frames)


def _read_options(recording: Recording, options: IntracellularOptions) -> ReadOptions:
    return ReadOptions(options.detection, max(round(recording.rate_hz / options.row_rate_hz), 1))


def _traces(thin: Thin, line: Timeline, cells: Neurons, gains: Coupling, options: IntracellularOptions) -> Traces:
    rows: list[ndarray] = []
    for neuron in range(len(cells.channel)):
        segment, frame = cells.frames(neuron).T
        mine = line.row_of(segment, frame)
        rows.append(np.unique(mine))  # a second spike within one row is a doublet at most: one entry
    artefact = line.row_of(cells.artefact[:, 0], cells.artefact[:, 1])
    return Traces(
        thin=thin,
        line=line,
        channel=cells.channel,
        coupling=gains,
        spike_row=tuple(rows),
        artefact_row=np.unique(artefact),
        options=options.whitening,
    )


def _untestable(cells: Neurons, gains: Coupling, fit_: Fit) -> UInt8[ndarray, "pre post"]:
    """Return the reason for every pair that cannot be tested at all, and DECIDED for the others."""
    n = len(cells.channel)
    code = np.full((n, n), Undecidable.DECIDED, dtype=np.uint8)
    code[fit_.n_seen() < MIN_SPIKES] = Undecidable.TOO_FEW_SPIKES
    code[fit_.n_spikes == 0, :] = Undecidable.SILENT
    code[:, ~gains.is_known[cells.channel]] = Undecidable.SILENT
    code[cells.shared] = Undecidable.SHARED_PAD
    bad = cells.is_bad[cells.channel]
    code[bad, :] = code[:, bad] = Undecidable.BAD_CHANNEL
    np.fill_diagonal(code, Undecidable.DECIDED)
    return code


def read_shard(
    recording: Recording, work: Work, *, options: IntracellularOptions | None = None, progress: Progress = silent
) -> tuple[int, int]:
    """Read this call's share of a recording into the store; return how many pieces are there now, and of how many."""
    require_usable(recording)
    return read_share(recording, _read_options(recording, options or IntracellularOptions()), work, progress)


def detect_spikes(
    recording: Recording,
    *,
    detection: DetectionOptions | None = None,
    work: Work | None = None,
    progress: Progress = silent,
) -> SpikeTrains:
    """Return the action potentials in membrane potentials, pads of one neuron merged; labels are those of channels."""
    require_usable(recording)
    options = IntracellularOptions(detection=detection or DetectionOptions())
    found = detect(
        recording, read_all(recording, _read_options(recording, options), work or Work(), progress), options.detection
    )
    cells = neurons(recording, found)
    require_spikes(found, cells)
    return _spikes(recording, cells)


def _spikes(recording: Recording, cells: Neurons) -> SpikeTrains:
    start_s = np.array(recording.segment_start_s)
    per = [cells.frames(neuron) for neuron in range(len(cells.channel))]
    return spike_trains(
        time_s=np.concatenate([start_s[f[:, 0]] + f[:, 1] / recording.rate_hz for f in per]),
        neuron=np.repeat(np.arange(len(per)), [len(f) for f in per]),
        n_neurons=len(per),
        epochs_s=epochs_s(recording),
        labels=[recording.channel_labels[c] for c in cells.channel],
    )


def _null_evidence(
    found: _Fitted,
    judgement: _Judgement,
    called: Called,
    undecidable: ndarray,
    options: IntracellularOptions,
    measured: Properties,
    n_threads: int,
) -> NullEvidence:
    is_open = _is_open(undecidable)
    among = is_open[np.ix_(found.null, found.null)]
    single = np.concatenate([box_z(f, box)[among] for f in found.shifted for box in range(found.fit.beta.shape[1])])
    before = box_z(found.fit, ACAUSAL)[is_open]
    single, before = single[~np.isnan(single)], before[~np.isnan(before)]
    kinds, scale = found.kinds.among(found.null), np.count_nonzero(is_open) / max(np.count_nonzero(among), 1)
    worst = float(np.min(judgement.judged.direct[called.is_synapse], initial=1.0))
    false = [
        judge_all(
            f,
            kinds,
            among,
            judgement.mixture,
            sd=judgement.sd,
            is_dale=options.is_dale,
            is_sure=among,
            n_threads=n_threads,
        ).direct[among]
        for f in found.shifted
    ]
    decoys = scale * sum(int(np.count_nonzero(direct >= worst)) for direct in false)
    target = judgement.judged.direct[is_open & (called.undecidable != Undecidable.CROSS_TALK)]
    counts = [
        (level, np.sum(1 - target <= level), scale * np.sum(1 - np.concatenate(false) <= level) / len(false))
        for level in _LOCAL_LEVELS
    ]
    stands = measured.stands()
    n_calls = int(np.count_nonzero(called.is_synapse))
    commonest = int(np.argmax(judgement.mixture.direct.sum(axis=1)))
    image = found.kinds.of(Family.DIRECT).image[commonest : commonest + 1]
    efron = empirical_null(alone(found.fit, image, np.arange(len(is_open)), n_threads=n_threads).z[0][is_open])
    p_shift, p_before = two_sided_p(single), two_sided_p(before)
    levels = [(level, np.mean(p_shift <= level), np.mean(p_before <= level)) for level in _LEVELS if before.size]
    return NullEvidence(
        n_shifts=len(found.shifted),
        shift_sd=float(np.std(single)) if single.size else np.nan,
        shift_tail=float(np.mean(np.abs(single) > 3)) if single.size else np.nan,
        template_sd=judgement.sd,
        decoy_share=decoys / len(found.shifted) / n_calls if n_calls else np.nan,
        acausal_mean=float(np.mean(before)) if before.size else np.nan,
        acausal_sd=float(np.std(before)) if before.size else np.nan,
        centre=efron.centre,
        sd=efron.sd,
        calibration=np.array(levels, dtype=np.float64).reshape(-1, 3),
        decoys=np.array(counts, dtype=np.float64),
        n_quiet=len(stands),
        n_stand=int(np.count_nonzero(stands)),
    )


def _provenance(
    options: IntracellularOptions, flags: tuple[str, ...], recording: Recording, found: Detected
) -> Provenance:
    """Return the parameters, and which times the map rests on: segments, and stretches in them without a sample."""
    parameters = cast("dict[str, JsonValue]", asdict(options)) | {"flags": list[JsonValue](flags)}
    if recording.signal is not Signal.MEMBRANE_V:
        parameters[PAD_KEY] = options.action_potential_v
    spans_s = {"segments_s": epochs_s(recording), "unusable_s": found.presence.unusable_s}
    parameters |= cast("dict[str, JsonValue]", {name: spans[:_MOST_SPANS].tolist() for name, spans in spans_s.items()})
    return Provenance(command="copy_intracellular", parameters=parameters, seed=options.seed)
