"""Spikes of extracellular arrays, found in one pass: filter, whiten, track the noise, keep the locally deepest.

The recording is read by chunks of whole ticks (50 ms).  A tick's threshold comes from the noise of the 64 ticks
that end with it, so the result does not depend on how many ticks a chunk has or how many threads work.  Reading
and computing overlap; memory is bounded by the chunk and the number of threads.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Float32, Float64
from numpy import ndarray

from neurograft.errors import SpikeError
from neurograft.progress import Progress, silent
from neurograft.recordings import Recording, Signal, n_channels
from neurograft.spikes._counts import UNREADABLE, Counts, counts_of, padded
from neurograft.spikes._peaks_calibrate import MAD_TO_SD, Calibration, calibrated
from neurograft.spikes._peaks_options import Course, Frames, PeakOptions, Peaks

_TICK_S = 50e-3
_HISTORY = 64  # ticks
_EVERY = 8  # frames of a tick that its noise is taken from
_STILL = 0.05  # of the usual noise: a tick under it has no signal
_WINDOW_TICKS = 200  # of the noise's course: 10 s
_LEAST_SHARE = 0.5  # of the recording that has to be readable
_USUAL = PeakOptions()


def detect_peaks(
    recording: Recording,
    *,
    options: PeakOptions = _USUAL,
    n_workers: int = 2,
    chunk_ticks: int = 4,
    progress: Progress = silent,
) -> Peaks:
    """Return the spikes of an extracellular recording, read once.

    ``n_workers`` threads and chunks of ``chunk_ticks`` times 50 ms set speed and memory, not the result:
    about 14 bytes a sample of a chunk, for ``2 n_workers + 2`` chunks.  A chunk that cannot be read is left
    out and told in ``lost_s``; where that is more than half of the recording it is an error.
    """
    if recording.signal is not Signal.EXTRACELLULAR_V:
        raise SpikeError(
            f"The recording holds '{recording.signal.value}'; these spikes are looked for in extracellular potentials. "
            "Use neurograft.copying.detect_spikes, or say what the signal is when opening it."
        )
    if n_workers < 1 or chunk_ticks < 1:
        raise SpikeError(f"n_workers is {n_workers} and chunk_ticks {chunk_ticks}. Give at least 1 of both.")
    frames = options.frames(recording.rate_hz)
    counts = counts_of(recording, largest=((1 << 31) - 1) // (2 * frames.n_short**2 * (2 * frames.n_half + 1)))
    work = _Work(recording, counts, options, frames, calibrated(recording, counts, options, frames))
    n_chunks = sum(-(-n // (chunk_ticks * work.tick)) for n in recording.segment_frames)
    done: list[_Found] = []
    sums = _Sums(work)
    for found in _streamed(work, n_workers, chunk_ticks):
        done.append(sums.added(found))
        progress("finding spikes", len(done), n_chunks)
    return work.peaks(done, sums)


class _Piece(NamedTuple):
    """A chunk after the first half of the work: its raw frames, its whitened ones, and each tick's noise."""

    segment: int
    start: int
    stop: int
    raw: ndarray
    z: Float32[ndarray, "frames channels"]
    noise: Float32[ndarray, "ticks channels"]  # in units of the usual noise
    problem: str = ""  # why it could not be read


class _Found(NamedTuple):
    """What a chunk gave."""

    segment: int
    start: int
    stop: int
    problem: str
    frame: ndarray
    channel: ndarray
    depth: ndarray  # in noise sds
    band: ndarray  # counts
    total: ndarray  # sum of raw snippets a channel
    n_peaks: ndarray  # a channel
    noise: Float32[ndarray, "ticks channels"]


def _streamed(work: "_Work", n_workers: int, chunk_ticks: int) -> Iterator[_Found]:
    """Yield what the chunks give, in order, while later ones are read."""
    first: deque[Future[_Piece]] = deque()
    second: deque[Future[_Found]] = deque()
    spans = iter(work.spans(chunk_ticks))
    history = _History(work.n)
    with ThreadPoolExecutor(n_workers) as pool:
        try:
            while True:
                while len(first) <= n_workers and (span := next(spans, None)) is not None:
                    first.append(pool.submit(work.prepare, *span))
                if not first:
                    break
                piece = first.popleft().result()
                second.append(pool.submit(work.search, piece, history.thresholds(piece)))
                if len(second) > n_workers:
                    yield second.popleft().result()
            while second:
                yield second.popleft().result()
        finally:
            for future in (*first, *second):
                future.cancel()


@final
class _History:
    """The noise of the last ticks of a segment, from which thresholds come."""

    def __init__(self, n: int) -> None:
        """Start with the usual noise of every channel."""
        self._ticks = np.ones((_HISTORY, n), np.float32)
        self._segment, self._at = -1, 0

    def thresholds(self, piece: _Piece) -> Float32[ndarray, "ticks channels"]:
        """Return the noise that holds for each tick: the median of the last ones, of channels that are not still."""
        from neurograft.spikes._peaks_kernels import absolute_median

        if piece.segment != self._segment:
            self._ticks[:] = 1
            self._segment, self._at = piece.segment, 0
        out = np.empty_like(piece.noise)
        for k, noise in enumerate(piece.noise):
            is_still = noise < _STILL
            self._ticks[self._at] = np.where(is_still, self._ticks[self._at - 1], noise)
            self._at = (self._at + 1) % _HISTORY
            absolute_median(self._ticks, 0, 1, out[k])
            out[k][is_still] = np.inf
        return out


@final
class _Work:
    """The two halves of the work on a chunk, and putting the chunks together; all that changes are idle buffers."""

    def __init__(
        self, recording: Recording, counts: Counts, options: PeakOptions, frames: Frames, known: Calibration
    ) -> None:
        """Keep what all chunks share."""
        self.recording, self.counts, self.options, self.frames, self.known = recording, counts, options, frames, known
        self.n = n_channels(recording)
        self.tick = max(round(_TICK_S * recording.rate_hz), 64)
        self._reading = Lock()
        self._idle: list[ndarray] = []  # buffers of whitened frames: fresh memory costs as much as the filter

    def spans(self, chunk_ticks: int) -> Iterator[tuple[int, int, int]]:
        """Yield segment, first and stop frame of every chunk."""
        for segment, n_frames in enumerate(self.recording.segment_frames):
            for start in range(0, n_frames, chunk_ticks * self.tick):
                yield segment, start, min(start + chunk_ticks * self.tick, n_frames)

    def prepare(self, segment: int, start: int, stop: int) -> _Piece:
        """Read a chunk with its margins, filter and whiten it, and measure each tick's noise."""
        from neurograft.spikes._peaks_kernels import absolute_median, filter_and_whiten, silence_still

        frames, known, margin = self.frames, self.known, self.frames.margin
        n_ticks = -(-(stop - start) // self.tick)
        noise = np.zeros((n_ticks, self.n), np.float32)
        try:
            with self._reading:  # readers of files are seldom safe in threads
                n_frames = self.recording.segment_frames[segment]
                raw = padded(self.counts, segment, start - margin, stop + margin, n_frames)
        except UNREADABLE as problem:
            return _Piece(
                segment, start, stop, np.empty(0), np.empty((0, self.n), np.float32), noise, str(problem) or "?"
            )
        z = self._buffer(stop - start + 2 * frames.sweep)
        near = known.near
        filter_and_whiten(
            raw, margin - frames.sweep, frames.n_short, frames.n_half, near.shift, near.channel, known.weight, z
        )
        own = z[frames.sweep : frames.sweep + stop - start]
        for k in range(n_ticks):
            part = own[k * self.tick : (k + 1) * self.tick]
            if len(part) < self.tick // 2:  # the rest of a segment: the noise before it holds
                noise[k] = noise[k - 1] if k else 1
                continue
            absolute_median(part, 0, _EVERY, noise[k])
            noise[k] *= np.float32(MAD_TO_SD)
            silence_still(raw, margin + k * self.tick, margin + k * self.tick + len(part), _EVERY, noise[k])
        return _Piece(segment, start, stop, raw, z, noise)

    def _buffer(self, n_rows: int) -> ndarray:
        try:
            whole = self._idle.pop()  # one step, so that two threads never get the same
        except IndexError:
            whole = np.empty((0, self.n), np.float32)
        return whole[:n_rows] if len(whole) >= n_rows else np.empty((n_rows, self.n), np.float32)

    def search(self, piece: _Piece, noise: Float32[ndarray, "ticks channels"]) -> _Found:
        """Return the peaks of a chunk under each tick's threshold."""
        from neurograft.spikes._peaks_kernels import add_snippets

        frames, known, width = self.frames, self.known, 2 * self.frames.n_half + 1
        total, count = np.zeros((self.n, width), np.int64), np.zeros(self.n, np.int64)
        parts: list[tuple[ndarray, ndarray, ndarray]] = []
        for k in range(0 if piece.problem else len(noise)):
            first = frames.sweep + k * self.tick
            stop = min(first + self.tick, frames.sweep + piece.stop - piece.start)
            low = np.where(known.unusable, -np.inf, -self.options.noise_sds * noise[k]).astype(np.float32)
            parts.append(_found(piece.z, low, known, first=first, stop=stop, sweep=frames.sweep))
            parts[-1][2][:] /= noise[k][parts[-1][1]]
        frame, channel, depth = (np.concatenate(column) for column in zip(*parts, strict=True)) if parts else _NOTHING
        band = np.empty(frame.size)
        if frame.size:
            at = frame + (frames.margin - frames.sweep)
            add_snippets(piece.raw, at, channel, frames.n_short, frames.n_half, total, count, band)
        frame = frame - frames.sweep + piece.start
        if not piece.problem:
            self._idle.append(piece.z if piece.z.base is None else piece.z.base)
        return _Found(
            piece.segment,
            piece.start,
            piece.stop,
            piece.problem,
            frame,
            channel,
            depth,
            band,
            total,
            count,
            piece.noise,
        )

    def peaks(self, done: list[_Found], sums: "_Sums") -> Peaks:
        """Put the chunks together."""
        gain_v = self.counts.gain_v
        lost = [f for f in done if f.problem]
        lost_frames, n_frames = sum(f.stop - f.start for f in lost), sum(f.stop - f.start for f in done)
        if lost and lost_frames > (1 - _LEAST_SHARE) * n_frames:
            raise SpikeError(
                f"{lost_frames / n_frames:.0%} of the recording cannot be read; first {self._told(lost[0])}. "
                "Copy the file again, or export it anew."
            )
        segment = np.repeat([f.segment for f in done], [f.frame.size for f in done]).astype(np.int32)
        frame, channel, depth, band = (np.concatenate([f[k] for f in done]) for k in range(4, 8))
        mean_v = sums.total / np.maximum(sums.n_peaks, 1)[:, None]
        mean_v = (mean_v - mean_v.mean(axis=1, keepdims=True)) * gain_v[:, None]
        amplitude_v = np.abs(band * gain_v[channel])
        area = self.frames.n_short**2 * (2 * self.frames.n_half + 1)
        usual_v = self.known.band_sd / area * np.abs(gain_v)
        course = self._course(sums, usual_v, segment=segment, frame=frame, channel=channel, amplitude_v=amplitude_v)
        still_share = sums.still / max(sums.n_ticks, 1)
        order = np.lexsort((channel, frame, segment))
        return Peaks(
            segment=segment[order],
            frame=frame[order],
            channel=channel[order].astype(np.int32),
            amplitude_v=amplitude_v[order].astype(np.float32),
            depth_sds=depth[order].astype(np.float32),
            noise_v=usual_v.astype(np.float32),
            course=course,
            still_share=still_share,
            unusable=self.known.unusable,
            mean_v=mean_v.astype(np.float32),
            lost_s=np.array([self._span_s(f) for f in lost], dtype=np.float64).reshape(-1, 2),
            warnings=self._warnings(lost, still_share),
        )

    def _course(
        self,
        sums: "_Sums",
        usual_v: Float64[ndarray, " channels"],
        *,
        segment: ndarray,
        frame: ndarray,
        channel: ndarray,
        amplitude_v: ndarray,
    ) -> Course:
        """Return noise and amplitudes by windows of ten seconds."""
        first, noise, seen = sums.first_window, sums.noise, sums.seen
        windows = np.diff(first)
        cell = (first[segment] + frame // (self.tick * _WINDOW_TICKS)) * self.n + channel
        n_peaks = np.bincount(cell, minlength=noise.size).reshape(noise.shape)
        depth_v = np.bincount(cell, weights=amplitude_v, minlength=noise.size).reshape(noise.shape)
        inside = np.concatenate([np.arange(n) for n in windows]) * (_WINDOW_TICKS * self.tick / self.recording.rate_hz)
        with np.errstate(invalid="ignore"):
            return Course(
                start_s=np.repeat(np.array(self.recording.segment_start_s), windows) + inside,
                noise_v=(noise / seen * usual_v).astype(np.float32),
                amplitude_v=(depth_v / n_peaks).astype(np.float32),
                n_peaks=n_peaks.astype(np.int32),
            )

    def _span_s(self, found: _Found) -> tuple[float, float]:
        origin, rate_hz = self.recording.segment_start_s[found.segment], self.recording.rate_hz
        return origin + found.start / rate_hz, origin + found.stop / rate_hz

    def _told(self, found: _Found) -> str:
        start_s, stop_s = self._span_s(found)
        return f"{start_s:.3f} to {stop_s:.3f} s ({found.problem})"

    def _warnings(self, lost: list[_Found], still_share: ndarray) -> tuple[str, ...]:
        """Return what a user has to know, one line each."""
        lines: list[str] = []
        labels = self.recording.channel_labels
        if lost:
            lines.append(f"{len(lost)} stretches could not be read and are left out; first {self._told(lost[0])}")
        for what, which in (
            ("constant, saturated or NaN: not used", np.flatnonzero(self.known.unusable)),
            ("without a signal for part of the time", np.flatnonzero((still_share > 0) & ~self.known.unusable)),
        ):
            if which.size:
                named = ", ".join(labels[int(c)] for c in which[:4]) + (" …" if which.size > 4 else "")
                lines.append(f"{which.size} of {self.n} channels ({named}) are {what}")
        if not np.isfinite(self.recording.position_um).all():
            lines.append("positions of channels are not known: a spike seen by several channels counts several times")
        return tuple(lines)


@final
class _Sums:
    """What is added up over the chunks, so that only peaks and 10 s windows stay of a long recording."""

    def __init__(self, work: "_Work") -> None:
        """Start at zero."""
        windows = [-(-n // (_WINDOW_TICKS * work.tick)) for n in work.recording.segment_frames]
        self._tick = work.tick
        self.first_window = np.concatenate([[0], np.cumsum(windows)])
        shape = (int(self.first_window[-1]), work.n)
        self.noise, self.seen = np.zeros(shape), np.zeros(shape, np.int64)
        self.still, self.n_ticks = np.zeros(work.n, np.int64), 0
        self.total = np.zeros((work.n, 2 * work.frames.n_half + 1), np.int64)
        self.n_peaks = np.zeros(work.n, np.int64)

    def added(self, found: _Found) -> _Found:
        """Add a chunk; return it without what was added."""
        window = self.first_window[found.segment] + (
            (found.start // self._tick + np.arange(len(found.noise))) // _WINDOW_TICKS
        )
        if not found.problem:
            is_seen = found.noise >= _STILL
            np.add.at(self.noise, window, np.where(is_seen, found.noise, 0))
            np.add.at(self.seen, window, is_seen)
            self.still += np.count_nonzero(~is_seen, axis=0)
            self.n_ticks += len(found.noise)
            self.total += found.total
            self.n_peaks += found.n_peaks
        return found._replace(total=self.total[:0], n_peaks=self.n_peaks[:0], noise=found.noise[:0].copy())


_NOTHING = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))


def _found(
    z: ndarray, low: ndarray, known: Calibration, *, first: int, stop: int, sweep: int
) -> tuple[ndarray, ndarray, ndarray]:
    """Return frame, channel and depth of a tick's peaks, however many there are."""
    from neurograft.spikes._peaks_kernels import deepest

    most = 1 << 12
    while True:
        frame, channel, depth = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.float32)
        n = deepest(z, first, stop, low, known.around_start, known.around, sweep, frame, channel, depth)
        if n <= most:
            return frame[:n], channel[:n], depth[:n]
        most = n
