"""Reading the cells after a direct download: which pairs stand out of the decoys, and by how many millivolts."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from neurograft.cells import MemoryCell
from neurograft.pasting._front_end import FrontEnd
from neurograft.recordings import Recording, Signal
from neurograft.units import MS

if TYPE_CHECKING:
    from neurograft.pasting._download import DownloadOptions

_POOLED = 16  # decoys that the pooled spread counts as, beside a row's own
_IQR_TO_SD = 1.0 / 1.349
_LEAST_EXPONENT = 0.2
_NEAR = 1.5
_TEST_RISE_S, _TEST_DECAY_S, _TEST_ONSET_S = 3 * MS, 10 * MS, 1.5 * MS


class Held(NamedTuple):
    """What all cells held before and after, by row; ``test`` in noises of the trace at each pulse.

    Cells that could not be programmed to mid-window (``is_good`` False) count for nothing.
    """

    start: Float64[ndarray, "rows width"]
    now: Float64[ndarray, "rows width"]
    is_good: Bool[ndarray, "rows width"]
    n_spikes: Int64[ndarray, " rows"]
    test: Float64[ndarray, "rows references"]
    near: Bool[ndarray, "pre post"]  # pads that hear each other: nothing can be said of the pair


class Reading(NamedTuple):
    """Evidence of all pairs, [pre, post].

    A cell's weight is ``full_scale_v`` * (its change / half the window) ** (1 / ``exponent``): a cell moves the
    less the farther it is, and the references show by how much.
    """

    z: Float64[ndarray, "pre post"]  # NaN where nothing can be said
    q: Float64[ndarray, "pre post"]  # 1 where nothing can be said
    moved_siemens: Float64[ndarray, "pre post"]  # mean of the pair's cells, chance's own drift taken out
    near: Bool[ndarray, "pre post"]
    full_scale_v: Float64[ndarray, "pre post"]
    exponent: float
    chance_siemens: float
    usual_siemens: float


def read_cells(held: Held, front: FrontEnd, *, memory: MemoryCell, options: "DownloadOptions") -> Reading:
    """Return what the cells say of each pair.

    A row's decoys give mean and spread of chance; the spread over all pairs (its central half, never below 1)
    widens it, because neurons that fire together also move unconnected pairs.  q-values: Benjamini and Hochberg
    1995 over all pairs.
    """
    n, m = front.gain.size, options.cells_per_pair
    moved = np.ma.masked_array(held.now - held.start, ~held.is_good)
    pairs = moved[:, : n * m].reshape(n, n, m).mean(axis=2)
    decoys = moved[:, n * m : n * m + options.n_decoys]
    centre = np.ma.median(decoys, axis=1).filled(0.0)
    sd = _row_sd(decoys - centre[:, None], held.n_spikes)
    hidden = np.ma.getmaskarray(pairs) | (held.n_spikes == 0)[:, None] | ~front.is_usable[None, :]
    hidden |= np.eye(n, dtype=bool) | held.near
    change = pairs.filled(0.0) - centre[:, None]
    z = change / sd[:, None]
    known = z[~hidden]
    low, high = np.quantile(known, [0.25, 0.75]) if known.size else (0.0, 0.0)
    z = np.where(hidden, np.nan, z / max(float(high - low) * _IQR_TO_SD, 1.0))
    references = moved[:, n * m + options.n_decoys :] - centre[:, None]
    half = 0.5 * (memory.g_max_siemens - memory.g_min_siemens)
    exponent, full_z = _response_law(references / half, held)
    volts = front.noise_v / _test_response(front, options)
    return Reading(
        z=z,
        q=_q_values(z),
        moved_siemens=change,
        near=held.near,
        full_scale_v=full_z * _test_unit(held)[:, None] * volts[None, :],
        exponent=exponent,
        chance_siemens=float(np.median(sd)),
        usual_siemens=float(np.median(np.abs(change[~hidden]))) if known.size else 0.0,
    )


def near_pads(recording: Recording) -> Bool[ndarray, "pre post"]:
    """Return which pads lie within 1.5 of the usual distance to the next: the four or eight around one.

    True membrane potentials, and pads whose places the file does not tell, have none.
    """
    from scipy.spatial import cKDTree

    position = recording.position_um
    n = len(position)
    if recording.signal is Signal.MEMBRANE_V or not np.isfinite(position).all():
        return np.zeros((n, n), dtype=bool)
    nearest = np.asarray(cKDTree(position).query(position, k=2)[0])
    reach_um = _NEAR * float(np.median(nearest[:, 1]))
    near = np.zeros((n, n), dtype=bool)
    for i, j in cKDTree(position).query_pairs(reach_um):
        near[i, j] = near[j, i] = True
    return near


def _row_sd(decoys: np.ma.MaskedArray, n_spikes: Int64[ndarray, " rows"]) -> Float64[ndarray, " rows"]:
    """Return each row's sd of chance in one cell, drawn towards that of all rows that fire."""
    k = decoys.shape[1]
    own = (decoys**2).mean(axis=1).filled(0.0)
    fires = n_spikes > 0
    pooled = float(np.median(own[fires])) if fires.any() else 1.0
    variance = np.maximum((k * own + _POOLED * pooled) / (k + _POOLED), np.finfo(np.float64).tiny)
    return np.sqrt(variance)


def _test_unit(held: Held) -> Float64[ndarray, " rows"]:
    """Return each row's test potential of one z in noises of the trace: 1 over the root of its expected pulses."""
    return np.abs(held.test).min(axis=1) / _SMALLEST_TEST


_SMALLEST_TEST = 4.0  # z of the smallest reference


def _response_law(moved: np.ma.MaskedArray, held: Held) -> tuple[float, float]:
    """Return exponent and the z that would take a cell by half the window, from |move| = (z / full) ** exponent.

    The median reference of each size, over the rows that fire, is fitted by a line through its logarithms.
    """
    z = held.test[0] / _test_unit(held)[0]
    fires = held.n_spikes > 0
    size = np.unique(np.abs(z).round(6))
    signed = moved * np.sign(z)
    usual = np.array([_median(signed[fires][:, np.isclose(np.abs(z), one)]) for one in size])
    seen = usual > 0
    if np.count_nonzero(seen) < 2:
        return 1.0, float(size[-1])
    slope, at_1 = np.polyfit(np.log(size[seen]), np.log(usual[seen]), 1)
    exponent = float(np.clip(slope, _LEAST_EXPONENT, 1.0))
    middle = np.mean(np.log(usual[seen]) - exponent * np.log(size[seen])) if exponent != slope else at_1
    return exponent, float(np.exp(-middle / exponent))


def _median(values: np.ma.MaskedArray) -> float:
    known = values.compressed()
    return float(np.median(known)) if known.size else 0.0


def _test_response(front: FrontEnd, options: "DownloadOptions") -> Float64[ndarray, " channels"]:
    """Return what a potential of 1 V asks of a cell, in volts of the filtered trace: the filter's and the state's sum.

    The test potential starts after 1.5 ms, rises in 3 (the receptors) and decays in 10 (the
    membrane): assumed.
    """
    kernel = options.state.kernel(front.tick_s)
    first = options.state.first_tick(front.tick_s)
    t = (np.arange(len(kernel) + first) + 0.5) * front.tick_s - _TEST_ONSET_S
    late = np.maximum(t, 0.0)
    shape = np.exp(-late / _TEST_DECAY_S) - np.exp(-late / _TEST_RISE_S)
    fine = np.arange(0.0, 20 * MS, 0.01 * MS)
    shape = np.where(t > 0, shape, 0.0) / np.max(np.exp(-fine / _TEST_DECAY_S) - np.exp(-fine / _TEST_RISE_S))
    out = np.tile(shape, (front.gain.size, 1))
    for k in range(front.taps.shape[1]):
        out[:, k + 1 :] -= front.taps[:, k : k + 1] * shape[: -k - 1]
    response = (out[:, first:] * kernel).sum(axis=1)
    return np.maximum(response, 1e-3)


def _q_values(z: Float64[ndarray, "pre post"]) -> Float64[ndarray, "pre post"]:
    from scipy.stats import norm

    q = np.ones(z.shape)
    known = np.isfinite(z)
    p = 2.0 * norm.sf(np.abs(z[known]))
    if p.size:
        order = np.argsort(p)
        raw = p[order] * p.size / np.arange(1, p.size + 1)
        value = np.empty(p.size)
        value[order] = np.minimum(np.minimum.accumulate(raw[::-1])[::-1], 1.0)
        q[known] = value
    return q
