"""Copying from intracellular traces: who answers whose action potentials, by how much, and how sure that is."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from neurograft.copying.intracellular._chart import chart
from neurograft.copying.intracellular._copied import IntracellularCopy, provenance_of
from neurograft.copying.intracellular._judgement import explained, judged_pairs, open_pairs
from neurograft.copying.intracellular._null import null_evidence
from neurograft.copying.intracellular._options import IntracellularOptions, read_options
from neurograft.copying.intracellular._traces_of import scale_v, sources, spikes_of, untestable
from neurograft.copying.intracellular.judging._calls import call
from neurograft.copying.intracellular.judging._null_width import narrowed
from neurograft.copying.intracellular.neurons._channel_reports import channel_reports, two_told
from neurograft.copying.intracellular.neurons._coupling import Coupling
from neurograft.copying.intracellular.neurons._detect import detect
from neurograft.copying.intracellular.neurons._hum import rate_doubts
from neurograft.copying.intracellular.neurons._neurons import neurons
from neurograft.copying.intracellular.neurons._two_in_one import two_in_one
from neurograft.copying.intracellular.neurons._usable import require_spikes, require_usable
from neurograft.copying.intracellular.properties._membrane_noise import membrane_noise
from neurograft.copying.intracellular.properties._properties import properties, quiet_sizes
from neurograft.copying.intracellular.reading._gather import Work, read_all, read_share
from neurograft.copying.intracellular.reading._kept import Kept
from neurograft.copying.intracellular.reading._peaks import DetectionOptions
from neurograft.copying.intracellular.reading._read import Reading
from neurograft.copying.intracellular.reading._work import MAPPED, Nowhere, WorkFolder, digest
from neurograft.copying.intracellular.regression._bursts import without_bursts
from neurograft.copying.intracellular.regression._whiten import in_memory, row_weights
from neurograft.progress import Progress, silent
from neurograft.recordings import Recording, n_channels
from neurograft.spikes import SpikeTrains


def copy_intracellular(
    recording: Recording,
    *,
    options: IntracellularOptions | None = None,
    work: Work | None = None,
    progress: Progress = silent,
) -> IntracellularCopy:
    """Return the synaptic map of a recording of membrane potentials, true or seen through pads.

    Every neuron's action potentials are regressed on every other's whitened trace, all pairs at once
    (``docs/background/copy-intracellular.md``).  The samples are read once, piece by piece, and once more around the
    spikes of pairs that cross-talk may explain; ``work`` says by whom and where the pieces' results are kept.
    """
    require_usable(recording)
    options, work = options or IntracellularOptions(), work or Work()
    if isinstance(work.store, Nowhere) and _rows_bytes(recording, options) > work.memory.n_bytes // 4:
        with tempfile.TemporaryDirectory(prefix="neurograft-") as folder:  # rows go to disk, not to memory
            kept = replace(work, store=WorkFolder(Path(folder)))
            return copy_intracellular(recording, options=options, work=kept, progress=progress)
    reading_options = read_options(recording, options)
    reading = read_all(recording, reading_options, work, progress)
    found, cells, gains, _, boxes, traces = sources(recording, reading, options, work, progress)
    line = traces.line
    traces = replace(traces, keep=_keep(reading, gains, work))
    is_two = two_in_one(recording, cells, found.noise_v)
    flags = rate_doubts(traces.thin, cells.events, rate_hz=recording.rate_hz) + two_told(recording, cells, is_two)
    n_firing = sum(len(rows) > 0 for rows in traces.spike_row)
    work.memory.require(n_neurons=len(cells.channel), n_firing=n_firing, n_boxes=len(boxes.low))
    traces = in_memory(traces, progress)
    worth = row_weights(traces, scale_v(found, cells, gains), progress, seed=options.seed)
    found_ = explained(traces, worth, boxes, options, progress)
    whitener = found_.whitener
    undecidable = untestable(cells, gains, found_.fit)
    progress("judging pairs", 0, 1)
    found_ = found_._replace(fit=narrowed(found_.fit, found_.kinds, open_pairs(undecidable), n_threads=work.n_threads))
    judgement = judged_pairs(found_, undecidable, options, work.n_threads)
    called = call(
        recording, cells, found_.fit, judgement.judged, undecidable,
        fdr=options.fdr, plausible_v=options.plausible_v, n_threads=work.n_threads, progress=progress,
    )  # fmt: skip
    spikes = spikes_of(recording, cells)
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
        provenance=provenance_of(options, flags, recording, found),
        fdr=options.fdr,
        two_in_one=is_two,
        noise=noise,
    )  # fmt: skip
    progress("testing the map on designs that are turned", 0, 1)
    return IntracellularCopy(
        map=synapses,
        spikes=spikes,
        null=null_evidence(found_, judgement, called, undecidable, options, single, work.n_threads),
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


def _rows_bytes(recording: Recording, options: IntracellularOptions) -> int:
    factor = read_options(recording, options).factor
    return 4 * n_channels(recording) * sum(n // factor for n in recording.segment_frames)


def read_shard(
    recording: Recording, work: Work, *, options: IntracellularOptions | None = None, progress: Progress = silent
) -> tuple[int, int]:
    """Read this call's share of a recording into the store; return how many pieces are there now, and of how many."""
    require_usable(recording)
    return read_share(recording, read_options(recording, options or IntracellularOptions()), work, progress)


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
        recording, read_all(recording, read_options(recording, options), work or Work(), progress), options.detection
    )
    cells = neurons(recording, found)
    require_spikes(found, cells)
    return spikes_of(recording, cells)
