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

from neurograft.errors import OptionError
from neurograft.progress import Progress
from neurograft.recordings import Recording, n_channels
from neurograft.units import MS

_LEAST_SHARE = 0.01
CHUNK_SAMPLES = 1 << 23
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
    loud_share: float  # of ticks at which the network is twice as loud as usual: bursts

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


def ticks(recording: Recording, front: FrontEnd, progress: Progress) -> Generator[Ticks]:
    """Yield the recording as the cells see it, stretch by stretch; memory is bounded by a stretch."""
    total, done = sum(recording.segment_frames), 0
    lag = front.options.order + 1
    for piece in pieces(recording, front, total):
        progress("downloading", done, total)
        trace = driving(piece, front)
        own = slice(piece.before, piece.before + piece.n_ticks)
        keep = (piece.spike_tick >= piece.before) & (piece.spike_tick < own.stop)
        assert piece.before >= lag or piece.is_first
        yield Ticks(piece.is_first, trace[own], piece.spike_tick[keep] - piece.before, piece.spike_channel[keep])
        done += piece.n_ticks * front.frames_per_tick
    progress("downloading", total, total)


class Piece(NamedTuple):
    """Membrane volts by ticks, with ticks before and after that only feed filters; NaN where no number was."""

    is_first: bool
    before: int
    n_ticks: int
    volts: Float32[ndarray, "ticks channels"]
    spike_tick: Int64[ndarray, " spikes"]
    spike_channel: Int64[ndarray, " spikes"]


def pieces(recording: Recording, front: FrontEnd, n_frames: float) -> Generator[Piece]:
    """Yield at most ``n_frames`` of the recording, rounded up to a piece."""
    per, rate_hz = front.frames_per_tick, recording.rate_hz
    step = max(CHUNK_SAMPLES // n_channels(recording) // per, round(2 * _BEFORE_S * rate_hz / per)) * per
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
            yield Piece(start == 0, (start - low) // per, (stop - start) // per, volts, tick, channel)
            left -= stop - start


def rise_of(raw: Float32[ndarray, "frames channels"], lag: int) -> Float32[ndarray, "frames channels"]:
    rise = np.zeros_like(raw)
    rise[lag:] = raw[lag:] - raw[:-lag]
    return rise


def rise_frames(rate_hz: float) -> int:
    return max(round(2 * MS * rate_hz), 1)


def _spikes(raw: ndarray, front: FrontEnd, rate_hz: float) -> tuple[Int64[ndarray, " n"], Int64[ndarray, " n"]]:
    """Return tick and channel of every action potential, in order of time; a comparator with a dead time."""
    over = rise_of(raw, rise_frames(rate_hz)) > front.threshold_v.astype(np.float32)
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


def held_samples(piece: Piece, front: FrontEnd) -> Bool[ndarray, "ticks channels"]:
    """Return where a channel's own action potentials, or samples that are no numbers, hide its trace."""
    held = ~np.isfinite(piece.volts)
    options = front.options
    before, after = (round(s / options.tick_s) for s in (options.hold_before_s, options.hold_after_s))
    for k in range(-before, after):
        at = piece.spike_tick + k
        inside = (at >= 0) & (at < len(held))
        held[at[inside], piece.spike_channel[inside]] = True
    return held


def filtered(piece: Piece, front: FrontEnd) -> Float32[ndarray, "ticks channels"]:
    """Return the filtered trace in membrane volts, 0 where the filter sees a held sample."""
    held = held_samples(piece, front)
    volts, order = high_passed(piece, held, front), front.options.order
    out = volts.copy()
    hidden = held.copy()
    for k in range(order):
        out[k + 1 :] -= front.taps[:, k].astype(np.float32) * volts[: -k - 1]
        hidden[k + 1 :] |= held[: -k - 1]
    hidden[:order] = True
    return np.where(hidden, np.float32(0.0), out)


def high_passed(piece: Piece, held: ndarray, front: FrontEnd) -> Float32[ndarray, "ticks channels"]:
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


def driving(piece: Piece, front: FrontEnd) -> Float32[ndarray, "ticks channels"]:
    """Return the traces as they drive columns: scaled, limited, quiet in bursts, without offset; 0 where held."""
    trace = limited(piece, front)
    free = trace != 0
    if front.options.holds_bursts:
        trace /= _loudness(trace, front)[:, None]
    trace -= front.offset.astype(np.float32)
    return np.where(free, trace, np.float32(0.0))


def limited(piece: Piece, front: FrontEnd) -> Float32[ndarray, "ticks channels"]:
    trace = filtered(piece, front) / front.noise_v.astype(np.float32)
    trace[:, ~front.is_usable] = 0.0
    limit = np.float32(front.options.limit_sds)
    return np.clip(trace, -limit, limit)


def _loudness(trace: Float32[ndarray, "ticks channels"], front: FrontEnd) -> Float32[ndarray, " ticks"]:
    """Return by what the traces are divided, at least 1."""
    return np.maximum(loudness(trace, front), np.float32(1.0))


def loudness(trace: Float32[ndarray, "ticks channels"], front: FrontEnd) -> Float32[ndarray, " ticks"]:
    """Return the mean square of all traces within 20 ms over its usual value.

    It is 1 at three standard deviations of that mean by chance, which is much with few channels.
    """
    from scipy.ndimage import uniform_filter1d

    size = max(round(20 * MS / front.options.tick_s), 1)
    chance = 3.0 * np.sqrt(2.0 / (size * max(int(front.is_usable.sum()), 1)))
    now = uniform_filter1d((trace**2).mean(axis=1), size, mode="nearest")
    return now / np.float32(front.unrest * (1.0 + chance))
