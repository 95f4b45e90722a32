"""Where the copy of a recording that grows stands: its sums under a calibration, and the coefficients they led to."""

import time
from dataclasses import replace
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.copying.intracellular._null import NullEvidence
from neurograft.copying.intracellular._options import IntracellularOptions, read_options
from neurograft.copying.intracellular.following._calibration import Calibration
from neurograft.copying.intracellular.following._heard import Heard
from neurograft.copying.intracellular.following._improving import ENOUGH, Nearly, design_so_far, improve
from neurograft.copying.intracellular.following._sums import OfTargets, Rows, Shared, add_chunks, span_of
from neurograft.copying.intracellular.following._until import Until
from neurograft.copying.intracellular.following._watched import frames_of, nobody
from neurograft.copying.intracellular.judging._mixture import Mixture
from neurograft.copying.intracellular.judging._templates import Shape, Templates
from neurograft.copying.intracellular.judging._triggered import Span
from neurograft.copying.intracellular.reading._budget import MOST_COLUMNS_OF_64_BITS
from neurograft.copying.intracellular.reading._gather import Work
from neurograft.copying.intracellular.reading._read import Reading
from neurograft.copying.intracellular.reading._thin import thin_of
from neurograft.copying.intracellular.reading._timeline import timeline
from neurograft.copying.intracellular.regression._factored import Design
from neurograft.copying.intracellular.regression._whiten import Traces, Unrest, chunks_of, unrest
from neurograft.progress import Progress, silent
from neurograft.recordings import Signal

_TARGETS = 256  # whose sums lie together, and whose coefficients are improved at a time
_CHUNKS_AT_ONCE = 6
_VISITS = 2  # that all coefficients have had before the first map
_LEARNT_FOR = 2.0  # times the recording that it was learnt from


class Learnt(NamedTuple):
    """What the pairs of a map told of all pairs."""

    until_s: float
    shape: Shape
    kinds: Templates
    mixture: Mixture
    sd: float  # of z at designs that are turned
    null: NullEvidence

    def is_old(self, until_s: float) -> bool:
        """Whether it is of under half of the rows that a map would be of."""
        return until_s > _LEARNT_FOR * self.until_s


@final
class State:
    """Sums and coefficients; what was added is never looked at again."""

    def __init__(
        self, known: Calibration, seen: Until, reading: Reading, options: IntracellularOptions, work: Work
    ) -> None:
        """Hold the sums of no row; neurons that have fired by now have columns."""
        self.known, self.options, self.work = known, options, work
        self.heard = Heard(known, options)
        self.heard.hear(seen, reading, is_over=False)
        self.has_columns = np.array([len(rows) > 0 for rows in self._traces(seen, reading).spike_row])
        n_firing, n = int(np.count_nonzero(self.has_columns)), len(self.has_columns)
        work.memory.require(n_neurons=n, n_firing=n_firing, n_boxes=len(known.known.boxes.low), is_followed=True)
        n_columns = n_firing * len(known.known.boxes.low)
        dtype: np.dtype[np.floating] = np.dtype(np.float64 if n_columns <= MOST_COLUMNS_OF_64_BITS else np.float32)
        self.shared = Shared.empty(n_columns, dtype)
        targets = np.array_split(np.arange(n), -(-n // _TARGETS))
        self.blocks = [OfTargets.empty(block, n_firing, n_columns, dtype) for block in targets]
        self.far = [np.full(len(block), np.inf) for block in targets]  # standard errors from each target's solution
        self.averaged = nobody(seen, known.known.cells)
        self.spans: list[Span] = []  # of frames, whose rows were added
        self.learnt: Learnt | None = None
        self.visit_s = 0.0  # what the last step of a block's coefficients took
        self.visits = np.zeros(len(targets), dtype=np.int64)  # of each block's coefficients
        self.leaves = 1.0  # what the last step left of its targets' distance
        self.left_se = np.inf  # of the last map's coefficients, what its correction left
        self.worth: Float64[ndarray, " rows"] = np.zeros(0)  # of the rows that were added, 0 of later ones
        self.traces: Traces | None = None  # as they were when rows were last added
        self.seen: Until | None = None
        self.reading = reading
        self._unrest = Unrest(np.zeros(0), np.zeros(0))
        self._n_unrest = self._n_summed = 0  # chunks
        self._next = 0  # block whose coefficients are improved next
        self._looked_at = 0  # settled pieces that led to no more rows
        self._near: Nearly | None = None
        self._design: Design | None = None

    @property
    def until_s(self) -> float:
        """Seconds of the recording whose rows were added."""
        if self.traces is None:
            return 0.0
        edges = [span_of(self.traces, k) for k in range(self._n_summed)]
        return sum(stop - first for first, stop in edges) / self.traces.line.rate_hz

    def advance(self, seen: Until, reading: Reading, *, is_over: bool, progress: Progress = silent) -> bool:
        """Add the rows of the next chunks whose surroundings are known, some at a time; return whether there were any.

        How restless the network is must be known a chunk ahead, because it is smoothed over some rows.
        """
        self.heard.hear(seen, reading, is_over=is_over)
        if self.heard.n_pieces == (0 if is_over else self._looked_at):
            return False
        traces = self._traces(seen, reading)
        ready = self._ready(traces, self._heard_row(traces, reading), is_over=is_over)
        stop = ready if is_over and ready == len(chunks_of(traces)) else ready - 1
        if stop <= self._n_summed:
            self._looked_at = self.heard.n_pieces
            return False
        progress("adding what was recorded", self._n_summed, len(chunks_of(traces)))
        self._add_unrest(traces, range(self._n_unrest, ready))
        self.worth = self._unrest.worth(traces, self.known.usual)
        self.worth[span_of(traces, stop - 1)[1] :] = 0.0
        span = range(self._n_summed, stop)
        self._add_sums(traces, span)
        spans = [_frames_of(traces, k) for k in span]
        if len(self.averaged.pairs) and not is_over:  # the last half minute changes little, and is waited for
            frames = frames_of(self.heard.cells())
            self.averaged.add(seen, frames, spans, n_threads=self.work.n_threads, progress=progress)
        self.spans += spans
        self._n_unrest, self._n_summed = ready, stop
        self.traces, self.seen, self.reading, self._design = traces, seen, reading, None
        for far in self.far:
            far[:] = np.inf
        return True

    def _ready(self, traces: Traces, end: int, *, is_over: bool) -> int:
        """Return up to which chunk the network's unrest can be told, where spikes are known up to row ``end``."""
        size = round(traces.options.chunk_s * traces.line.rate_hz)
        ready, most = self._n_unrest, min(self._n_summed + _CHUNKS_AT_ONCE + 1, len(chunks_of(traces)))
        while ready < most and (is_over or span_of(traces, ready)[1] + size <= end):
            ready += 1
        return ready

    def _add_sums(self, traces: Traces, chunks: range) -> None:
        boxes, edges = self.known.known.boxes, [span_of(traces, k) for k in chunks]
        trains = tuple(rows for rows, own in zip(traces.spike_row, self.has_columns, strict=True) if own)
        rows = [Rows.of(trains, boxes, self.worth, edge) for edge in edges]
        add_chunks([self._at(traces, k) for k in chunks], chunks, rows, self.known.whitener, self.blocks)
        # rows between segments weigh nothing, so that one range holds all
        whole = Rows.of(trains, boxes, self.worth, (edges[0][0], edges[-1][1]))
        self.shared.add(whole, self.work.n_threads)

    @property
    def is_begun(self) -> bool:
        """Whether all coefficients were brought so near to their solution that a map of them says something."""
        return self.traces is not None and int(self.visits.min()) >= _VISITS

    def improve(self, progress: Progress = silent) -> bool:
        """Bring the coefficients of the next targets nearer to their solution; return whether any were far."""
        for _ in self.blocks:
            k, self._next = self._next, (self._next + 1) % len(self.blocks)
            if self.far[k].max(initial=0.0) >= ENOUGH:
                progress("improving coefficients", 0, 1)
                begin_s = time.monotonic()
                found = improve(self.blocks[k], self.design(), self.shared, self.near(), self.work.n_threads)
                self.far[k], self.leaves = found.after, found.leaves
                self.visits[k] += 1
                self.visit_s = time.monotonic() - begin_s
                return True
        return False

    def near(self) -> Nearly:
        """Return what is near the inverse of the present Gram matrix."""
        self._near = Nearly.of(self.shared, len(self.known.known.boxes.low), self._near)
        return self._near.now(self.shared)

    def design(self) -> Design:
        """Return the design of the rows that were added."""
        assert self.traces is not None
        if self._design is None:
            none = np.empty(0, dtype=np.int64)
            trains = [rows if own else none for rows, own in zip(self.traces.spike_row, self.has_columns, strict=True)]
            self._design = design_so_far(tuple(trains), self.known.known.boxes, self.worth, self.shared)
        return self._design

    def _traces(self, seen: Until, reading: Reading) -> Traces:
        """Return the traces so far; their coupling is that of the calibration, which each chunk replaces."""
        boxes, factor = self.known.known.boxes, read_options(seen, self.options).factor
        line = timeline(seen, factor=factor, gap_rows=boxes.reach + 1)
        return replace(
            self.known.known.traces,
            thin=thin_of(seen, reading, factor),
            line=line,
            spike_row=self.heard.trains(line),
            artefact_row=self.heard.artefacts(line),
        )

    def _at(self, traces: Traces, chunk: int) -> Traces:
        """Return the traces with the coupling that is known a chunk later, whatever is known by now."""
        if traces.thin.signal is Signal.MEMBRANE_V:
            return traces
        segment, first = chunks_of(traces)[chunk]
        until_s = traces.thin.segment_start_s[segment] + first / traces.line.rate_hz + 2 * traces.options.chunk_s
        return replace(traces, coupling=self.heard.coupling(until_s))

    def _add_unrest(self, traces: Traces, chunks: range) -> None:
        n = traces.line.n_rows
        power, seen = (np.pad(have, (0, n - len(have))) for have in self._unrest)
        for k in chunks:
            more = unrest(
                self._at(traces, k), self.known.scale_v, silent, seed=self.options.seed, chunks=slice(k, k + 1)
            )
            power += more.power
            seen += more.seen
        self._unrest = Unrest(power, seen)

    def _heard_row(self, traces: Traces, reading: Reading) -> int:
        last = reading.pieces[self.heard.n_pieces - 1]
        return int(traces.line.offset[last.segment]) + last.stop // traces.line.factor


def _frames_of(traces: Traces, chunk: int) -> Span:
    """Return the frames of a chunk's rows."""
    segment = chunks_of(traces)[chunk][0]
    first, stop = ((row - int(traces.line.offset[segment])) * traces.line.factor for row in span_of(traces, chunk))
    return Span(segment, first, stop)
