"""Action potentials in one trace, found by their steep rise and short width, with their amplitude.

Works on true membrane potentials and on pads of unknown coupling alike: what counts is the rise within
2 ms against its own robust noise and against the channel's running action-potential amplitude.  The
candidates are local peaks, so an action potential is found wherever it rides: in a burst the potential
underneath it stays high for long.
"""

# ruff: noqa: PLR0912, PLR0917  (kernels loop, and take their arrays by position)
from dataclasses import dataclass
from typing import NamedTuple, final, no_type_check

import numpy as np
from jaxtyping import Float64, Int64
from numba import njit
from numpy import ndarray

from neurograft.units import MS, MV

BLOCK = 16  # samples that are looked at together before each is


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionOptions:
    """What an action potential looks like (the first three: Abbott 2020; the others hold for all neurons)."""

    noise_sds: float = 5.0
    running_share: float = 0.3  # of the running amplitude; smaller events are not action potentials
    running_s: float = 30.0
    rise_s: float = 2 * MS
    width_s: tuple[float, float] = (0.1 * MS, 5 * MS)  # at half amplitude; a postsynaptic potential is wider
    min_membrane_v: float = 15 * MV  # smallest action potential where the signal is the membrane's own


class Peaks(NamedTuple):
    """Peaks of one trace: frame of the steepest rise, height over the baseline, width in frames, dip before it."""

    frame: Int64[ndarray, " events"]
    amplitude_v: Float64[ndarray, " events"]
    width: Float64[ndarray, " events"]
    dip_v: Float64[ndarray, " events"]


def find_peaks(volts: Float64[ndarray, " frames"], *, lag: int, widest: int, threshold_v: float) -> Peaks:
    """Return every peak that is the highest within ``lag`` on either side and rises over the threshold in ``lag``.

    The baseline is the median of the samples from four to two lags before the peak: neither a slow rise nor an
    earlier action potential among them moves it.  The width is taken at half amplitude (at least the time
    that one sample stands for); a peak that stays up for longer than ``widest`` gets ``widest + 1``.
    """
    most = len(volts) // (lag + 1) + 2
    frame, values = np.empty(most, dtype=np.int64), np.empty((3, most))
    by_block = volts[: len(volts) // BLOCK * BLOCK].reshape(-1, BLOCK)
    n = find_peaks_in(volts, by_block.min(axis=1), by_block.max(axis=1), lag, widest, threshold_v, frame, values)
    return Peaks(frame[:n], *values[:, :n])


@njit(cache=True)
@no_type_check
def find_peaks_in(volts, lowest, highest, lag, widest, threshold_v, frame, values):
    """Fill frames and values; return how many.

    ``lowest`` and ``highest`` are of every ``BLOCK`` samples: where those of a block are not as far from the lowest
    of the ``lag`` samples before as the threshold, none of it is looked at.
    """
    n, found = len(volts), 0
    peak, back = 1, -(-lag // BLOCK)
    while peak < n:
        if peak % BLOCK == 0 and peak // BLOCK < len(highest):
            block = peak // BLOCK
            low = lowest[block]
            for q in range(max(block - back, 0), block):
                low = min(low, lowest[q])
            if highest[block] - low <= threshold_v:
                peak += BLOCK
                continue
        top = volts[peak]
        is_peak = top > volts[peak - 1] and (peak + 1 == n or top >= volts[peak + 1])
        low = top
        for q in range(max(peak - lag, 0), peak):
            if not is_peak:
                break
            low = min(low, volts[q])
            is_peak = volts[q] <= top
        for q in range(peak + 1, min(peak + lag + 1, n)):
            if not is_peak:
                break
            is_peak = volts[q] <= top
        if not is_peak or top - low <= threshold_v:
            peak += 1
            continue
        base = np.median(volts[max(peak - 4 * lag, 0) : max(peak - 2 * lag, 0) + 1])
        high = top - base
        if high > threshold_v:
            steep, rise, fall = peak, peak, peak
            for q in range(max(peak - lag, 1), peak):
                if volts[q] - volts[q - 1] > volts[steep] - volts[steep - 1]:
                    steep = q
            while rise > 0 and volts[rise - 1] > base + 0.5 * high:
                rise -= 1
            while fall + 1 < n and fall - rise < widest and volts[fall + 1] > base + 0.5 * high:
                fall += 1
            frame[found] = steep
            values[0, found] = high
            values[1, found] = fall - rise + 1
            values[2, found] = base - low
            found += 1
        peak += lag + 1
    return found
