"""Action potentials and coupling of a recording that grows, piece by piece, as they will stay.

Whether a peak is an action potential, and what a pad's volt is worth, is told by the half minute around it: a piece is
settled when what follows it has been read for as long.
"""

from typing import final

import numpy as np
from jaxtyping import Bool, Int64
from numpy import ndarray

from neurograft.copying.intracellular._options import IntracellularOptions
from neurograft.copying.intracellular.following._calibration import Calibration
from neurograft.copying.intracellular.neurons._coupling import Coupling, gain_knots
from neurograft.copying.intracellular.neurons._detect import Events, detect, running_amplitude_v
from neurograft.copying.intracellular.neurons._neurons import Neurons, coincidence_frames, without_artefacts
from neurograft.copying.intracellular.reading._read import Piece, Reading
from neurograft.copying.intracellular.reading._timeline import Timeline
from neurograft.recordings import Recording, Signal

_WINDOW_SHARE = 7.0 / 12.0  # of the running amplitude's window, that a step of it looks ahead at most


@final
class Heard:
    """What the settled pieces told."""

    def __init__(self, known: Calibration, options: IntracellularOptions) -> None:
        """Hold nothing yet."""
        cells, gains = known.known.cells, known.known.gains
        self._known, self._options = known, options
        self._ahead_s = _WINDOW_SHARE * max(options.detection.running_s, options.coupling_window_s)
        self._frames: list[list[ndarray]] = [[] for _ in cells.channel]  # segment and frame, neuron by neuron
        self._artefacts: list[ndarray] = [np.empty((0, 2), dtype=np.int64)]
        n = len(gains.gain)
        self._knot_s: list[list[ndarray]] = [[] for _ in range(n)]
        self._gain: list[list[ndarray]] = [[] for _ in range(n)]
        self.n_pieces = 0

    def hear(self, recording: Recording, reading: Reading, *, is_over: bool) -> None:
        """Settle pieces that are followed by others long enough, or all of a recording that is over."""
        begin_s, end_s = (np.array(edge) for edge in zip(*(_span_s(recording, p) for p in reading.pieces), strict=True))
        ready = len(end_s) if is_over else int(np.count_nonzero(end_s + self._ahead_s <= end_s[-1]))
        if ready <= self.n_pieces:
            return
        low = int(np.searchsorted(end_s, begin_s[self.n_pieces] - self._ahead_s))
        high = int(np.searchsorted(begin_s, end_s[ready - 1] + self._ahead_s, side="right"))
        near = Reading(reading.pieces[low:high], reading.results[low:high])
        found = detect(recording, near, self._options.detection, self._known.known.found.presence)
        events = found.events.select(~self._known.known.cells.is_bad[found.events.channel])
        window = coincidence_frames(recording.rate_hz)
        events, artefact = without_artefacts(events, window, n_active=self._known.n_active)
        settled = reading.pieces[self.n_pieces : ready]
        self._artefacts.append(artefact[_inside(settled, *artefact.T)])
        self._add(recording, events, _inside(settled, events.segment, events.frame))
        self.n_pieces = ready

    def _add(self, recording: Recording, events: Events, inside: Bool[ndarray, " events"]) -> None:
        edges = np.searchsorted(events.channel, np.arange(len(self._gain) + 1))
        for neuron, c in enumerate(self._known.known.cells.channel):
            mine = np.flatnonzero(inside[edges[c] : edges[c + 1]]) + edges[c]
            if mine.size:
                self._frames[neuron].append(np.column_stack([events.segment[mine], events.frame[mine]]))
        if recording.signal is Signal.MEMBRANE_V:
            return
        start_s = np.array(recording.segment_start_s)
        for c in np.flatnonzero(self._known.known.gains.is_known):
            mine = slice(edges[c], edges[c + 1])
            settled = inside[mine]
            if not settled.any():
                continue
            time_s = start_s[events.segment[mine]] + events.frame[mine] / recording.rate_hz
            running_v = running_amplitude_v(time_s, events.amplitude_v[mine], window_s=self._options.coupling_window_s)
            knot_s, gain = gain_knots(
                time_s[settled],
                running_v[settled],
                action_potential_v=self._options.action_potential_v,
                window_s=self._options.coupling_window_s,
            )
            self._knot_s[c].append(knot_s)
            self._gain[c].append(gain / self._known.known.over_mean[c])

    def coupling(self, until_s: float) -> Coupling:
        """Return the coupling as told by action potentials up to a time."""
        first = self._known.known.gains
        time_s: list[ndarray] = []
        gain: list[ndarray] = []
        for c, (knots, gains) in enumerate(zip(self._knot_s, self._gain, strict=True)):
            knot_s = np.concatenate(knots) if knots else first.time_s[c]
            n = max(int(np.searchsorted(knot_s, until_s)), 1) if knots else len(knot_s)
            time_s.append(knot_s[:n])
            gain.append((np.concatenate(gains) if knots else first.gain[c])[:n])
        return Coupling(tuple(time_s), tuple(gain), first.is_known)

    def trains(self, line: Timeline) -> tuple[Int64[ndarray, " _"], ...]:
        """Return the rows of each neuron's action potentials."""
        return tuple(np.unique(line.row_of(*frames.T)) for frames in self._by_neuron())

    def artefacts(self, line: Timeline) -> Int64[ndarray, " artefacts"]:
        """Return the rows of stimuli."""
        return np.unique(line.row_of(*np.concatenate(self._artefacts).T))

    def cells(self) -> Neurons:
        """Return the neurons with their action potentials so far, whose sizes are not kept."""
        cells, frames = self._known.known.cells, self._by_neuron()
        segment, frame = np.concatenate(frames).T
        channel = np.repeat(cells.channel, [len(mine) for mine in frames])
        unknown = np.full(len(frame), np.nan)
        return cells._replace(
            events=Events(channel, segment.copy(), frame.copy(), unknown, unknown, unknown),
            artefact=np.concatenate(self._artefacts),
        )

    def _by_neuron(self) -> list[Int64[ndarray, "spikes 2"]]:
        none = np.empty((0, 2), dtype=np.int64)
        return [np.concatenate([none, *mine]) for mine in self._frames]


def _span_s(recording: Recording, piece: Piece) -> tuple[float, float]:
    start_s = recording.segment_start_s[piece.segment]
    return start_s + piece.first / recording.rate_hz, start_s + piece.stop / recording.rate_hz


def _inside(
    pieces: list[Piece], segment: Int64[ndarray, " events"], frame: Int64[ndarray, " events"]
) -> Bool[ndarray, " events"]:
    """Tell which frames lie in these pieces."""
    inside = np.zeros(len(frame), dtype=np.bool_)
    for p in pieces:
        inside |= (segment == p.segment) & (frame >= p.first) & (frame < p.stop)
    return inside
