"""Setting the circuit of a direct download for a recording: comparators, gains, filters, noise, offsets."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.errors import RecordingError
from neurograft.pasting._front_end import (
    CHUNK_SAMPLES,
    FrontEnd,
    FrontEndOptions,
    Piece,
    driving,
    filtered,
    held_samples,
    high_passed,
    limited,
    loudness,
    pieces,
    rise_frames,
    rise_of,
)
from neurograft.progress import Progress
from neurograft.recordings import Recording, Signal, n_channels
from neurograft.units import MV

MIN_RATE_HZ = 2000.0
MIN_SECONDS = 2.0
_MAD_TO_SD = 1.4826
_ACTION_POTENTIAL_V = 100 * MV  # height of one inside a cell (Ham 2021, figure 2, eyeballed), as copying takes it
_STEEP_V = 30 * MV  # a rise of a membrane within 2 ms that only an action potential makes
_NOISE_SDS = 8.0
_BLOCK_S = 0.1
_FEWEST_PEAKS = 3
_OUTSIDE_SHARE = 0.1  # of the array's usual height: such a pad is inside of no cell
_HALF = 0.5
_LEAST_UNREST = 1e-6
_LOUD = 2.0


def calibrated(recording: Recording, options: FrontEndOptions, progress: Progress) -> FrontEnd:
    """Return the circuit set for this recording; raises RecordingError where it cannot be used."""
    _require_usable(recording)
    per_tick = max(round(options.tick_s * recording.rate_hz), 1)
    threshold_v, gain, reason = _thresholds(recording, options, progress)
    n = n_channels(recording)
    if all(reason):
        raise RecordingError(
            f"All {n} channels are unusable, the first because it is {reason[0]}. "
            "Check the file, its gain, what the signal is, and which channels were connected."
        )
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
        loud_share=0.0,
    )
    return _with_filter(first, recording, progress)


def _thresholds(
    recording: Recording, options: FrontEndOptions, progress: Progress
) -> tuple[ndarray, ndarray, tuple[str, ...]]:
    """Return comparator thresholds, gains and why channels cannot be used, from block-wise largest rises."""
    n, rate_hz = n_channels(recording), recording.rate_hz
    block, lag = max(round(_BLOCK_S * rate_hz), 2), rise_frames(rate_hz)
    peaks: list[ndarray] = []
    noise: list[ndarray] = []
    bad = np.zeros(n)
    seen, total = 0, min(options.calibrate_s * rate_hz, sum(recording.segment_frames))
    step = max(CHUNK_SAMPLES // n // block, 1) * block
    for segment, length in enumerate(recording.segment_frames):
        for start in range(0, length - block + 1, step):
            if seen >= total:
                break
            progress("setting comparators", seen, total)
            raw = recording.read(segment, start, min(start + step, length))
            bad += np.count_nonzero(~np.isfinite(raw), axis=0)
            rise = rise_of(np.nan_to_num(raw), lag)
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
        if bad_share[c] > _HALF:
            reasons.append("mostly no numbers")
        elif noise_v[c] <= 0:
            reasons.append("constant or saturated")
        elif not is_true and not np.isfinite(rise_v[c]):
            reasons.append("too few action potentials to know its coupling")
        elif not is_true and rise_v[c] < _OUTSIDE_SHARE * usual:
            reasons.append("inside of no cell")
        else:
            reasons.append("")
    fires = np.isfinite(rise_v) & np.array([not r for r in reasons])
    if is_true:
        fires &= rise_v > _STEEP_V
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
    for piece in pieces(recording, front, wanted):
        progress("setting filters", 0, 1)
        own = (piece.spike_tick >= piece.before) & (piece.spike_tick < piece.before + piece.n_ticks)
        count += np.bincount(piece.spike_channel[own], minlength=n)
        n_ticks += piece.n_ticks
        _add_moments(piece, front, gram, right)
    taps = np.zeros((n, order))
    for c in np.flatnonzero(front.is_usable) if order else ():
        scale = np.trace(gram[c]) / order
        taps[c] = np.linalg.solve(gram[c] + 1e-9 * scale * np.eye(order) + 1e-30 * np.eye(order), right[c])
    found = replace(front, taps=taps, rate_hz=count / (n_ticks * front.tick_s))
    return _with_noise(found, recording, wanted, progress)


def _add_moments(piece: Piece, front: FrontEnd, gram: ndarray, right: ndarray) -> None:
    order = front.options.order
    held = held_samples(piece, front)
    free = ~held[order:]
    for k in range(order):
        free &= ~held[order - k - 1 : len(held) - k - 1]
    x = high_passed(piece, held, front).astype(np.float64)
    past = [x[order - k - 1 : len(x) - k - 1] for k in range(order)]
    for a in range(order):
        right[:, a] += np.einsum("tc,tc->c", past[a] * free, x[order:])
        for b in range(a + 1):
            gram[:, a, b] += np.einsum("tc,tc->c", past[a] * free, past[b])
            gram[:, b, a] = gram[:, a, b]


def _with_noise(front: FrontEnd, recording: Recording, wanted: float, progress: Progress) -> FrontEnd:
    parts: list[ndarray] = []
    for piece in pieces(recording, front, wanted):
        progress("setting filters", 1, 2)
        trace = np.abs(filtered(piece, front)[:: max(len(piece.volts) // 2000, 1)])
        trace[trace == 0.0] = np.nan
        with np.errstate(all="ignore"):
            parts.append(_nanmedian(trace))
    noise_v = _MAD_TO_SD * _nanmedian(np.array(parts))
    progress("setting filters", 2, 2)
    usable = front.is_usable & (noise_v > 0)
    reason = tuple(r or ("" if usable[c] else "constant or saturated") for c, r in enumerate(front.reason))
    noise_v = np.where(usable, noise_v, 1.0)
    found = replace(front, noise_v=noise_v, is_usable=usable, reason=reason)
    return _with_offset(found, recording, wanted)


def _with_offset(front: FrontEnd, recording: Recording, wanted: float) -> FrontEnd:
    unrest = [(limited(piece, front) ** 2).mean(axis=1) for piece in pieces(recording, front, wanted)]
    found = replace(front, unrest=float(max(np.median(np.concatenate(unrest)), _LEAST_UNREST)))
    total, count = np.zeros(front.gain.size), np.zeros(front.gain.size)
    n_loud, n_ticks = 0, 0
    for piece in pieces(recording, found, wanted):
        loud = loudness(limited(piece, found), found)
        n_loud += int(np.count_nonzero(loud > _LOUD))
        n_ticks += loud.size
        trace = driving(piece, found)
        total += trace.sum(axis=0, dtype=np.float64)
        count += np.count_nonzero(trace, axis=0)
    return replace(found, offset=total / np.maximum(count, 1), loud_share=n_loud / max(n_ticks, 1))


def _nanmedian(values: ndarray) -> Float64[ndarray, " channels"]:
    """Return the median over axis 0 of what is known, 0 where nothing is."""
    known = np.isfinite(values)
    out = np.zeros(values.shape[1])
    for c in np.flatnonzero(known.any(axis=0)):
        out[c] = np.median(values[known[:, c], c])
    return out


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
            f"The recording lasts {seconds:.3g} s, and a download needs {MIN_SECONDS:.0f} s at least. Give more."
        )
    if n_channels(recording) < 2:
        raise RecordingError(f"The recording has {n_channels(recording)} channel, so no pair. Give at least two.")
