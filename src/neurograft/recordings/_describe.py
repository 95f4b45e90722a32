"""A recording in ten lines."""

import numpy as np

from neurograft.recordings._flags import check_channels
from neurograft.recordings._recording import Recording, Signal, duration_s, n_channels

_NAMED = 8  # channels listed by name before "and … more"


def describe(recording: Recording) -> tuple[str, ...]:
    """Return at most ten lines that tell what a recording holds; reads a few pieces, however long it is."""
    flags = check_channels(recording)
    n, frames = n_channels(recording), recording.segment_frames
    unit, factor = ("pA", 1e12) if recording.signal is Signal.MEMBRANE_A else ("µV", 1e6)
    share = flags.checked_frames / sum(frames)
    good = flags.noise[flags.usable]
    seen = "all samples" if share == 1 else f"{share:.2g} of the samples"
    noise = f"{factor * np.median(good):.3g} {unit} (median channel, {seen})" if good.size else "no usable channel"
    lines = [
        f"recording of {recording.signal.name.lower()} ({recording.signal.value})",
        f"channels: {n}",
        f"rate: {recording.rate_hz:.10g} Hz",
        f"duration: {duration_s(recording):.6g} s, {_segments(frames)}",
        f"noise: {noise}",
        f"positions: {_positions(recording)}",
    ]
    for name, flag in (("constant", flags.constant), ("saturated", flags.saturated), ("with NaN", flags.has_nan)):
        if flag.any():
            lines.append(f"{name}: {_listed(recording.channel_labels, np.flatnonzero(flag))}")
    return tuple(lines)


def _segments(frames: tuple[int, ...]) -> str:
    if len(frames) == 1:
        return f"1 segment of {frames[0]} frames"
    low, high = min(frames), max(frames)
    return (
        f"{len(frames)} segments of {low} frames" if low == high else f"{len(frames)} segments, {low} to {high} frames"
    )


def _positions(recording: Recording) -> str:
    known = np.isfinite(recording.position_um).all(axis=1)
    if not known.any():
        return "not told by the file"
    size_um = np.ptp(recording.position_um[known], axis=0)
    some = "" if known.all() else f", known for {known.sum()} of {known.size} channels"
    return f"{size_um[0]:.6g} by {size_um[1]:.6g} µm{some}"


def _listed(labels: tuple[str, ...], which: np.ndarray) -> str:
    names = ", ".join(labels[int(i)] for i in which[:_NAMED])
    more = f" and {which.size - _NAMED} more" if which.size > _NAMED else ""
    return f"{which.size} of {len(labels)}: {names}{more}"
