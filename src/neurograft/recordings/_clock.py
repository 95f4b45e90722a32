"""Sample times: where a recording's clock runs evenly, and where it jumps.

A jump parts a recording into segments, across which nothing is filtered or correlated: samples that were not taken
must not be joined over, and samples that are timed twice must not be laid on each other.
"""

import warnings
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.errors import RecordingError
from neurograft.recordings._lazy import GAP_S

_BLOCK = 1 << 20
_FAR = 1000  # samples over which the usual step is measured: stamps may be rounded
_LEAST_MEAN_S = 0.1  # of stretches: what jumps more often has no rate
_SAME_RATE = 1e-3
_MOST_TOLD = 3


class Stretch(NamedTuple):
    """Samples ``first`` to ``stop`` - 1, evenly spaced from ``start_s`` on."""

    first: int
    stop: int
    start_s: float


class Clock(NamedTuple):
    """A rate, and the stretches in which it holds, in order; they do not overlap in time."""

    rate_hz: float
    stretches: tuple[Stretch, ...]


def clock_of(path: Path, times_s: Any, name: str) -> Clock:
    """Return rate and stretches of sample times; a warning tells of jumps, and times without a rate are refused.

    ``times_s`` is read in blocks.  A clock that went back is taken to have run on: its later times are moved behind
    the earlier ones, a second apart.
    """
    n = len(times_s)
    if n < 2:
        raise RecordingError(f"{path}: {name} has {n} samples. A recording needs two.")
    first_s, last_s = float(times_s[0]), float(times_s[n - 1])
    step_s = (last_s - first_s) / (n - 1)
    if step_s > 0 and _off(times_s, 0, n, first_s, step_s) is None:
        return Clock(1.0 / step_s, (Stretch(0, n, first_s),))
    usual_s = _usual_step_s(times_s, n)
    breaks = _breaks(times_s, n, usual_s) if usual_s > 0 else []
    edges = [0, *breaks, n]
    spans = list(pairwise(edges))
    if not usual_s > 0 or n * usual_s < len(spans) * _LEAST_MEAN_S:
        raise _uneven(path, times_s, name, 1, first_s + step_s)
    longest = max(spans, key=lambda span: span[1] - span[0])
    common_s = _step_s(times_s, *longest)
    for first, stop in spans:
        own_s = _step_s(times_s, first, stop) if stop - first > 1 else common_s
        off = _off(times_s, first, stop, float(times_s[first]), own_s)
        # a short stretch tells its step no better than half a step in its length
        if off is not None or abs(own_s / common_s - 1) > _SAME_RATE + 0.5 / (stop - first):
            at = first + 1 if off is None else off
            raise _uneven(path, times_s, name, at, float(times_s[first]) + own_s * (at - first))
    return _laid(path, name, common_s, [(first, stop, float(times_s[first])) for first, stop in spans])


def told_frames(path: Path, number: ndarray, rate_hz: float, name: str) -> Clock:
    """Return the stretches in which a counter of frames goes up by one a frame."""
    breaks = np.flatnonzero(np.diff(number.astype(np.int64)) != 1) + 1
    edges = [0, *breaks.tolist(), len(number)]
    origin = int(number[0])
    spans = [(a, b, (int(number[a]) - origin) / rate_hz) for a, b in pairwise(edges)]
    if len(number) < len(spans) * _LEAST_MEAN_S * rate_hz:
        raise RecordingError(
            f"{path}: {name} counts frames with {len(breaks)} jumps in {len(number)} frames: too many to be gaps. "
            "The file is damaged; copy it again."
        )
    return _laid(path, name, 1.0 / rate_hz, spans)


def _laid(path: Path, name: str, step_s: float, spans: list[tuple[int, int, float]]) -> Clock:
    """Return stretches that do not overlap, and warn of each jump."""
    shift_s, end_s, told = 0.0, -np.inf, list[str]()
    out: list[Stretch] = []
    for first, stop, start_s in spans:
        jump_s = start_s + shift_s - end_s
        if jump_s < -step_s / 2:
            told.append(f"back by {-jump_s:.6g} s at frame {first}")
            shift_s += GAP_S - jump_s
        elif out:
            told.append(f"by {jump_s:.6g} s at frame {first}")
        out.append(Stretch(first, stop, max(start_s + shift_s, end_s)))
        end_s = out[-1].start_s + (stop - first) * step_s
    if told:
        more = f" and {len(told) - _MOST_TOLD} times more" if len(told) > _MOST_TOLD else ""
        warnings.warn(
            f"{path.name}: the clock of {name} jumps {', '.join(told[:_MOST_TOLD])}{more}. "
            f"It is read as {len(out)} segments; nothing is joined across a jump.",
            stacklevel=5,
        )
    return Clock(1.0 / step_s, tuple(out))


def _blocks(times_s: Any, first: int, stop: int) -> Iterator[tuple[int, Float64[ndarray, " some"]]]:
    for begin in range(first, stop, _BLOCK):
        yield begin, np.asarray(times_s[begin : min(begin + _BLOCK, stop)], dtype=np.float64)


def _off(times_s: Any, first: int, stop: int, start_s: float, step_s: float) -> int | None:
    """Return the first sample that is half a step or more from even, None where none is."""
    for begin, some_s in _blocks(times_s, first, stop):
        even_s = start_s + step_s * (np.arange(begin, begin + len(some_s)) - first)
        off = np.flatnonzero(~(np.abs(some_s - even_s) < step_s / 2))
        if off.size:
            return begin + int(off[0])
    return None


def _usual_step_s(times_s: Any, n: int) -> float:
    """Return the step between samples, from the median of steps over up to a thousand of them."""
    far = max(min(_FAR, n // 10), 1)
    steps = [some_s[far:] - some_s[:-far] for _, some_s in _blocks(times_s, 0, n) if len(some_s) > far]
    return float(np.median(np.concatenate(steps))) / far if steps else 0.0


def _breaks(times_s: Any, n: int, step_s: float) -> list[int]:
    """Return the samples that do not come one step after the one before, to half a step."""
    found, last_s = list[int](), None
    for begin, some_s in _blocks(times_s, 0, n):
        step = np.diff(some_s, prepend=some_s[0] - step_s if last_s is None else last_s)
        found += (begin + np.flatnonzero(~(np.abs(step - step_s) < step_s / 2))).tolist()
        last_s = some_s[-1]
    return found


def _step_s(times_s: Any, first: int, stop: int) -> float:
    return (float(times_s[stop - 1]) - float(times_s[first])) / max(stop - 1 - first, 1)


def _uneven(path: Path, times_s: Any, name: str, k: int, even_s: float) -> RecordingError:
    return RecordingError(
        f"{path}: {name} is sampled unevenly: sample {k} is at {float(times_s[k])} s, {even_s} s would be even. "
        "Save it at one rate, or as one series a stretch."
    )
