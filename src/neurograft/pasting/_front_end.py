"""The circuit between electrodes and memory cells: what drives the cells of a direct download.

Per channel: a comparator on the rise within 2 ms makes a pulse of every action potential; the trace, averaged
over a tick of a millisecond, passes a filter with as many zeros as ``order`` that takes out what the membrane and
its noise remember (decorrelation: a potential that lasts 20 ms becomes a current that lasts 3), is held at 0 during
the channel's own action potentials, scaled to its own noise, and limited.  All constants are measured from
the first ``calibrate_s`` of the recording.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64
from numpy import ndarray

from neurograft.errors import OptionError, RecordingError
from neurograft.progress import Progress
from neurograft.recordings import Recording, Signal, n_channels
from neurograft.units import MS, MV

MIN_RATE_HZ = 2000.0
MIN_SECONDS = 2.0
_MAD_TO_SD = 1.4826
_ACTION_POTENTIAL_V = 100 * MV  # height of one inside a cell (Ham 2021, figure 2, eyeballed), as copying takes it
_NOISE_SDS = 8.0
_BLOCK_S = 0.1
_FEWEST_PEAKS = 3
_OUTSIDE_SHARE = 0.1  # of the array's usual height: such a pad is inside of no cell
_HALF = 0.5
_LEAST_SHARE = 0.01
_LEAST_UNREST = 1e-6
_CHUNK_SAMPLES = 1 << 23
_BEFORE_S, _AFTER_S = 200 * MS, 160 * MS  # more than half of the high-pass and the hold


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FrontEndOptions:
    """Constants of the circuit; the first two are the comparator's, the others the trace's."""

    spike_share: float = 0.4  # of the usual rise: higher is an action potential
    refractory_s: float = 3 * MS
    tick_s: float = 1 * MS
    hold_before_s: float = 1 * MS
    hold_after_s: float = 8 * MS
    order: int = 2  # of the filter behind the high-pass; 0: none
    high_pass_s: float = 0.3
    limit_sds: float = 5.0
    holds_bursts: bool = True  # traces are divided by the network's unrest, see ``Ticks``
    calibrate_s: float = 30.0

    def __post_init__(self) -> None:
        """Refuse constants that no circuit has."""
        for name, low, high in (
            ("spike_share", 0.05, 1.0),
            ("tick_s", 0.2 * MS, 5 * MS),
            ("order", 0, 8),
            ("limit_sds", 0.5, 100.0),
            ("calibrate_s", 1.0, 3600.0),
        ):
            if not low <= getattr(self, name) <= high:
                raise OptionError(f"{name} is {getattr(self, name)}. Give {low:g} to {high:g}.")


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FrontEnd:
    """The circuit after calibration, one value a channel; ``filter`` holds the taps after the first, which is 1."""

    options: FrontEndOptions
    frames_per_tick: int
    gain: Float64[ndarray, " channels"]  # membrane volts per recorded volt
    threshold_v: Float64[ndarray, " channels"]  # of the rise, in recorded volts; infinite where nothing fires
    taps: Float64[ndarray, "channels order"]
    noise_v: Float64[ndarray, " channels"]  # of the filtered trace, in membrane volts
    rate_hz: Float64[ndarray, " channels"]
    is_usable: Bool[ndarray, " channels"]  # its trace can drive a column
    reason: tuple[str, ...]  # why a channel cannot be used, "" where it can
    offset: Float64[ndarray, " channels"]  # of the trace that drives a column, in its noise: nulled
    unrest: float  # usual mean square of the filtered traces

    @property
    def tick_s(self) -> float:
        """Length of a tick."""
        return self.options.tick_s


class Ticks(NamedTuple):
    """A stretch of filtered traces and the spikes in it.

    ``trace`` has noise 1; where ``holds_bursts``, it is divided by the mean square of all traces within
    20 ms where that is above its usual value: in a burst every trace is loud and says little.
    """

    first: bool  # a segment starts here
    trace: Float32[ndarray, "ticks channels"]
    spike_tick: Int64[ndarray, " spikes"]  # counted from the start of this stretch, in order
    spike_channel: Int64[ndarray, " spikes"]


def calibrated(recording: Recording, options: FrontEndOptions, progress: Progress) -> FrontEnd:
    """Return the circuit set for this recording; raises RecordingError where it cannot be used."""
    _require_usable(recording)
    per_tick = max(round(options.tick_s * recording.rate_hz), 1)
    threshold_v, gain, reason = _thresholds(recording, options, per_tick, progress)
    n = n_channels(recording)
    first = FrontEnd(
        options=options,
        frames_per_tick=per_tick,
        gain=gain,
        threshold_v=threshold_v,
        taps=np.zeros((n, options.order)),
        noise_v=np.ones(n),
        rate_hz=np.zeros(n),
        is_usable=np.array([not r for r in reason]),
        reason=reason,
        offset=np.zeros(n),
        unrest=np.inf,
    )
    return _with_filter(first, recording, progress)


def ticks(recording: Recording, front: FrontEnd, progress: Progress) -> Generator[Ticks]:
    """Yield the recording as the cells see it, stretch by stretch; memory is bounded by a stretch."""
    total, done = sum(recording.segment_frames), 0
    lag = front.options.order + 1
    for piece in _pieces(recording, front, total):
        progress("downloading", done, total)
        trace = _driving(piece, front)
        own = slice(piece.before, piece.before + piece.n_ticks)
        keep = (piece.spike_tick >= piece.before) & (piece.spike_tick < own.stop)
        assert piece.before >= lag or piece.is_first
        yield Ticks(piece.is_first, trace[own], piece.spike_tick[keep] - piece.before, piece.spike_channel[keep])
        done += piece.n_ticks * front.frames_per_tick
    progress("downloading", total, total)


class _Piece(NamedTuple):
    """Membrane volts by ticks, with ticks before and after that only feed filters; NaN where a sample was not finite."""

    is_first: bool
    before: int
    n_ticks: int
    volts: Float32[ndarray, "ticks channels"]
    spike_tick: Int64[ndarray, " spikes"]
    spike_channel: Int64[ndarray, " spikes"]


def _pieces(recording: Recording, front: FrontEnd, n_frames: float) -> Generator[_Piece]:
    """Yield at most ``n_frames`` of the recording, rounded up to a piece."""
    per, rate_hz = front.frames_per_tick, recording.rate_hz
    step = max(_CHUNK_SAMPLES // n_channels(recording) // per, round(2 * _BEFORE_S * rate_hz / per)) * per
    left = n_frames
    for segment, length in enumerate(recording.segment_frames):
        for start in range(0, length // per * per, step):
            if left <= 0:
                return
            stop = min(start + step, length // per * per)
            low = max(start - round(_BEFORE_S * rate_hz / per) * per, 0)
            high = min(stop + round(_AFTER_S * rate_hz / per) * per, length // per * per)
            raw = recording.read(segment, low, high)
            tick, channel = _spikes(raw, front, rate_hz)
            volts = raw.reshape(-1, per, raw.shape[1]).mean(axis=1) * front.gain.astype(np.float32)
            yield _Piece(start == 0, (start - low) // per, (stop - start) // per, volts, tick, channel)
            left -= stop - start


def _rise(raw: Float32[ndarray, "frames channels"], lag: int) -> Float32[ndarray, "frames channels"]:
    rise = np.zeros_like(raw)
    rise[lag:] = raw[lag:] - raw[:-lag]
    return rise


def _lag(rate_hz: float) -> int:
    return max(round(2 * MS * rate_hz), 1)


def _spikes(raw: ndarray, front: FrontEnd, rate_hz: float) -> tuple[Int64[ndarray, " n"], Int64[ndarray, " n"]]:
    """Return tick and channel of every action potential, in order of time; a comparator with a dead time."""
    over = _rise(raw, _lag(rate_hz)) > front.threshold_v.astype(np.float32)
    channel, frame = np.nonzero((over[1:] & ~over[:-1]).T)
    frame = frame + 1
    dead = front.options.refractory_s * rate_hz
    keep = np.ones(frame.size, dtype=bool)
    last, whose = -np.inf, -1
    for i in range(frame.size):
        if channel[i] != whose:
            last, whose = -np.inf, channel[i]
        if frame[i] - last < dead:
            keep[i] = False
        else:
            last = frame[i]
    tick, channel = frame[keep] // front.frames_per_tick, channel[keep]
    order = np.argsort(tick, kind="stable")
    return tick[order], channel[order]


def _held(piece: _Piece, front: FrontEnd) -> Bool[ndarray, "ticks channels"]:
    """Return where a channel's own action potentials, or samples that are no numbers, hide its trace."""
    held = ~np.isfinite(piece.volts)
    options = front.options
    before, after = (round(s / options.tick_s) for s in (options.hold_before_s, options.hold_after_s))
    for k in range(-before, after):
        at = piece.spike_tick + k
        inside = (at >= 0) & (at < len(held))
        held[at[inside], piece.spike_channel[inside]] = True
    return held


def _filtered(piece: _Piece, front: FrontEnd) -> Float32[ndarray, "ticks channels"]:
    """Return the filtered trace in membrane volts, 0 where the filter sees a held sample."""
    held = _held(piece, front)
    volts, order = _high_passed(piece, held, front), front.options.order
    out = volts.copy()
    hidden = held.copy()
    for k in range(order):
        out[k + 1 :] -= front.taps[:, k].astype(np.float32) * volts[: -k - 1]
        hidden[k + 1 :] |= held[: -k - 1]
    hidden[:order] = True
    return np.where(hidden, np.float32(0.0), out)


def _high_passed(piece: _Piece, held: ndarray, front: FrontEnd) -> Float32[ndarray, "ticks channels"]:
    """Return volts less their running mean over ``high_pass_s``, both without held samples; those become 0."""
    from scipy.ndimage import uniform_filter1d

    size = max(round(front.options.high_pass_s / front.options.tick_s), 1)
    volts = np.where(held, np.float32(0.0), piece.volts)
    base = volts.sum(axis=0) / np.maximum((~held).sum(axis=0), 1).astype(np.float32)  # keeps sums small
    volts = np.where(held, np.float32(0.0), volts - base)
    total = uniform_filter1d(volts, size, axis=0, mode="nearest")
    share = uniform_filter1d((~held).astype(np.float32), size, axis=0, mode="nearest")
    slow = np.where(share > _LEAST_SHARE, total / np.maximum(share, _LEAST_SHARE), np.float32(0.0))
    return np.where(held, np.float32(0.0), volts - slow)


def _driving(piece: _Piece, front: FrontEnd) -> Float32[ndarray, "ticks channels"]:
    """Return the traces as they drive columns: scaled, limited, quiet in bursts, without offset; 0 where held."""
    trace = _limited(piece, front)
    free = trace != 0
    if front.options.holds_bursts:
        trace /= _loudness(trace, front)[:, None]
    trace -= front.offset.astype(np.float32)
    return np.where(free, trace, np.float32(0.0))


def _limited(piece: _Piece, front: FrontEnd) -> Float32[ndarray, "ticks channels"]:
    trace = _filtered(piece, front) / front.noise_v.astype(np.float32)
    trace[:, ~front.is_usable] = 0.0
    limit = np.float32(front.options.limit_sds)
    return np.clip(trace, -limit, limit)


def _loudness(trace: Float32[ndarray, "ticks channels"], front: FrontEnd) -> Float32[ndarray, " ticks"]:
    """Return by what the traces are divided: their mean square within 20 ms over its usual value, at least 1."""
    from scipy.ndimage import uniform_filter1d

    size = max(round(20 * MS / front.options.tick_s), 1)
    now = uniform_filter1d((trace**2).mean(axis=1), size, mode="nearest")
    return np.maximum(now / np.float32(front.unrest), np.float32(1.0))


def _thresholds(
    recording: Recording, options: FrontEndOptions, per_tick: int, progress: Progress
) -> tuple[ndarray, ndarray, tuple[str, ...]]:
    """Return comparator thresholds, gains and why channels cannot be used, from block-wise largest rises."""
    n, rate_hz = n_channels(recording), recording.rate_hz
    block, lag = max(round(_BLOCK_S * rate_hz), 2), _lag(rate_hz)
    peaks: list[ndarray] = []
    noise: list[ndarray] = []
    bad = np.zeros(n)
    seen, total = 0, min(options.calibrate_s * rate_hz, sum(recording.segment_frames))
    step = max(_CHUNK_SAMPLES // n // block, 1) * block
    for segment, length in enumerate(recording.segment_frames):
        for start in range(0, length - block + 1, step):
            if seen >= total:
                break
            progress("setting comparators", seen, total)
            raw = recording.read(segment, start, min(start + step, length))
            bad += np.count_nonzero(~np.isfinite(raw), axis=0)
            rise = _rise(np.nan_to_num(raw), lag)
            rise = rise[: len(rise) // block * block].reshape(-1, block, n)
            peaks.append(rise.max(axis=1))
            noise.append(_MAD_TO_SD * np.median(np.abs(rise[:, :: max(lag // 2, 1)]), axis=(0, 1)))
            seen += len(raw)
    progress("setting comparators", total, total)
    peak, noise_v = np.concatenate(peaks).astype(np.float64), np.median(noise, axis=0).astype(np.float64)
    rise_v = np.array([_usual_rise(peak[:, c], float(noise_v[c])) for c in range(n)])
    return _judged_channels(rise_v, noise_v, bad / max(seen, 1), recording, options)


def _usual_rise(peak: Float64[ndarray, " blocks"], noise_v: float) -> float:
    """Return the median rise of the blocks that hold an action potential, NaN where too few do."""
    top = np.sort(peak)[-_FEWEST_PEAKS:][0] if peak.size >= _FEWEST_PEAKS else 0.0
    large = peak[peak > max(_NOISE_SDS * noise_v, _HALF * top)]
    return float(np.median(large)) if large.size >= _FEWEST_PEAKS and noise_v > 0 else np.nan


def _judged_channels(
    rise_v: Float64[ndarray, " channels"],
    noise_v: Float64[ndarray, " channels"],
    bad_share: Float64[ndarray, " channels"],
    recording: Recording,
    options: FrontEndOptions,
) -> tuple[ndarray, ndarray, tuple[str, ...]]:
    is_true = recording.signal is Signal.MEMBRANE_V
    usual = float(np.nanmedian(rise_v)) if np.isfinite(rise_v).any() else np.nan
    reasons: list[str] = []
    for c in range(rise_v.size):
        if noise_v[c] <= 0:
            reasons.append("constant or saturated")
        elif bad_share[c] > _HALF:
            reasons.append("mostly no numbers")
        elif not is_true and not np.isfinite(rise_v[c]):
            reasons.append("too few action potentials to know its coupling")
        elif not is_true and rise_v[c] < _OUTSIDE_SHARE * usual:
            reasons.append("inside of no cell")
        else:
            reasons.append("")
    fires = np.isfinite(rise_v) & np.array([not r for r in reasons])
    if is_true:
        fires &= rise_v > 30 * MV  # a rise within 2 ms that only an action potential makes
    threshold_v = np.where(fires, options.spike_share * np.nan_to_num(rise_v), np.inf)
    gain = np.ones(rise_v.size)
    if not is_true:
        gain[fires] = _ACTION_POTENTIAL_V / rise_v[fires]
    return threshold_v, gain, tuple(reasons)


def _with_filter(front: FrontEnd, recording: Recording, progress: Progress) -> FrontEnd:
    """Return the circuit with its filter, noise, rates and usual unrest, from the first seconds."""
    n, order = front.gain.size, front.options.order
    gram, right = np.zeros((n, order, order)), np.zeros((n, order))
    count, n_ticks = np.zeros(n), 0
    wanted = front.options.calibrate_s * recording.rate_hz
    for piece in _pieces(recording, front, wanted):
        progress("setting filters", 0, 1)
        own = (piece.spike_tick >= piece.before) & (piece.spike_tick < piece.before + piece.n_ticks)
        count += np.bincount(piece.spike_channel[own], minlength=n)
        n_ticks += piece.n_ticks
        _add_moments(piece, front, gram, right)
    taps = np.zeros((n, order))
    for c in np.flatnonzero(front.is_usable) if order else ():
        scale = np.trace(gram[c]) / order
        taps[c] = np.linalg.solve(gram[c] + 1e-9 * scale * np.eye(order) + 1e-30 * np.eye(order), right[c])
    found = _replaced(front, taps=taps, rate_hz=count / (n_ticks * front.tick_s))
    return _with_noise(found, recording, wanted, progress)


def _add_moments(piece: _Piece, front: FrontEnd, gram: ndarray, right: ndarray) -> None:
    order = front.options.order
    held = _held(piece, front)
    free = ~held[order:]
    for k in range(order):
        free &= ~held[order - k - 1 : len(held) - k - 1]
    x = _high_passed(piece, held, front).astype(np.float64)
    past = [x[order - k - 1 : len(x) - k - 1] for k in range(order)]
    for a in range(order):
        right[:, a] += np.einsum("tc,tc->c", past[a] * free, x[order:])
        for b in range(a + 1):
            gram[:, a, b] += np.einsum("tc,tc->c", past[a] * free, past[b])
            gram[:, b, a] = gram[:, a, b]


def _with_noise(front: FrontEnd, recording: Recording, wanted: float, progress: Progress) -> FrontEnd:
    parts: list[ndarray] = []
    for piece in _pieces(recording, front, wanted):
        progress("setting filters", 1, 2)
        trace = np.abs(_filtered(piece, front)[:: max(len(piece.volts) // 2000, 1)])
        trace[trace == 0.0] = np.nan
        with np.errstate(all="ignore"):
            parts.append(_nanmedian(trace))
    noise_v = _MAD_TO_SD * _nanmedian(np.array(parts))
    progress("setting filters", 2, 2)
    usable = front.is_usable & (noise_v > 0)
    reason = tuple(r or ("" if usable[c] else "constant or saturated") for c, r in enumerate(front.reason))
    noise_v = np.where(usable, noise_v, 1.0)
    found = _replaced(front, noise_v=noise_v, is_usable=usable, reason=reason)
    return _with_offset(found, recording, wanted)


def _with_offset(front: FrontEnd, recording: Recording, wanted: float) -> FrontEnd:
    unrest = [(_limited(piece, front) ** 2).mean(axis=1) for piece in _pieces(recording, front, wanted)]
    found = _replaced(front, unrest=float(max(np.median(np.concatenate(unrest)), _LEAST_UNREST)))
    total, count = np.zeros(front.gain.size), np.zeros(front.gain.size)
    for piece in _pieces(recording, found, wanted):
        trace = _driving(piece, found)
        total += trace.sum(axis=0, dtype=np.float64)
        count += np.count_nonzero(trace, axis=0)
    return _replaced(found, offset=total / np.maximum(count, 1))


def _nanmedian(values: ndarray) -> Float64[ndarray, " channels"]:
    """Return the median over axis 0 of what is known, 0 where nothing is."""
    known = np.isfinite(values)
    out = np.zeros(values.shape[1])
    for c in np.flatnonzero(known.any(axis=0)):
        out[c] = np.median(values[known[:, c], c])
    return out


def _replaced(front: FrontEnd, **changes: object) -> FrontEnd:
    from dataclasses import replace

    return replace(front, **changes)  # pyright: ignore[reportArgumentType]


def _require_usable(recording: Recording) -> None:
    if recording.signal not in (Signal.MEMBRANE_V, Signal.INTRACELLULAR_V):
        raise RecordingError(
            f"The recording holds '{recording.signal.value}', and a direct download needs the membrane potential that "
            "drives the cells. Copy its sorted spikes instead, or say what the signal is when opening it."
        )
    if recording.rate_hz < MIN_RATE_HZ:
        raise RecordingError(
            f"The recording has {recording.rate_hz:g} samples a second; action potentials need {MIN_RATE_HZ:.0f}. "
            "Check the sampling rate, or give the recording before it was thinned out."
        )
    seconds = sum(recording.segment_frames) / recording.rate_hz
    if seconds < MIN_SECONDS:
        raise RecordingError(
            f"The recording lasts {seconds:.3g} s, and a download needs {MIN_SECONDS:.0f} s at least. Give a longer one."
        )
    if n_channels(recording) < 2:
        raise RecordingError(f"The recording has {n_channels(recording)} channel, so no pair. Give at least two.")
