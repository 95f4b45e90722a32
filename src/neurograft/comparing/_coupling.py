"""Millisecond coupling of every ordered pair, from one pass over the population's spikes."""

from typing import no_type_check

import numpy as np
from jaxtyping import Float64, Int64
from numba import njit
from numpy import ndarray

from neurograft.comparing._align import epoch_of
from neurograft.spikes import SpikeTrains


def lag_counts(
    trains: SpikeTrains, *, window_s: tuple[float, float], flank_s: float
) -> tuple[Int64[ndarray, "neurons neurons"], Int64[ndarray, "neurons neurons"]]:
    """Return, as [pre, post], how often post fires in the lag window after pre, and after it in the flank.

    The window is ``window_s[0] <= lag < window_s[1]``, the flank ``window_s[1] <= lag < flank_s``.
    Spikes of two epochs make no pair.  Cost: one step for each pair of spikes closer than ``flank_s``.
    """
    n = trains.n_neurons
    near = np.zeros((n, n), dtype=np.int64)
    far = np.zeros((n, n), dtype=np.int64)
    _count(
        trains.time_s, trains.neuron, epoch_of(trains), window_s[0], window_s[1], flank_s, n, near.ravel(), far.ravel()
    )
    return near, far


def coupling_z(trains: SpikeTrains, *, window_s: tuple[float, float], flank_s: float) -> Float64[ndarray, "n n"]:
    """Return the short-lag coupling as [pre, post] in standard deviations of chance; diagonal 0.

    N is the count in the window, E what the flanks on both sides predict for it by their mean height.
    z = (N - E) / sqrt(max(E, 1) (1 + r)), where r is the window's length over the flanks'.  The spread of
    z is about 1 where there is no coupling faster than the flanks.  A silent neuron has z = 0.
    """
    near, far = lag_counts(trains, window_s=window_s, flank_s=flank_s)
    ratio = (window_s[1] - window_s[0]) / (2 * (flank_s - window_s[1]))
    expected = (far + far.T) * ratio
    z = (near - expected) / np.sqrt(np.maximum(expected, 1.0) * (1 + ratio))
    np.fill_diagonal(z, 0.0)
    return z


@njit(cache=True)
@no_type_check
def _count(time_s, neuron, epoch, start_s, stop_s, flank_s, n, near, far):  # noqa: PLR0917
    n_spikes = time_s.size
    for i in range(n_spikes):
        row = neuron[i] * n
        for j in range(i + 1, n_spikes):
            lag_s = time_s[j] - time_s[i]
            if lag_s >= flank_s or epoch[j] != epoch[i]:
                break
            if lag_s >= stop_s:
                far[row + neuron[j]] += 1
            elif lag_s >= start_s:
                near[row + neuron[j]] += 1
