"""Each channel against its neighbours: their shared noise taken out, the usual footprint of a spike kept.

The weights of a channel are C^-1 f, scaled to unit noise: C is the covariance of the channel and its
neighbours in quiet frames, f the mean footprint of large spikes over the same channels.  Among linear
combinations they have the largest ratio of spike to noise (the matched filter in coloured noise, North
1943; Fisher 1936); with f = 0 at the neighbours they only whiten.

Written against the array-API standard: NumPy, PyTorch or CuPy arrays go in, the same kind comes out.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int64
from numpy import ndarray

from neurograft.arrays import namespace

GATHER = int(np.iinfo(np.int64).max)  # a shift that differs between channels: the index tells it
_SHRINKAGE = 1e-2  # of the mean variance, on the diagonal: a covariance from few samples can be inverted
_MOST_SHIFTS = 32
_MOST_NEAR = 12


class Neighbours(NamedTuple):
    """For every channel the same number of slots; slot 0 is the channel itself, empty slots repeat it."""

    channel: Int64[ndarray, "slots channels"]
    is_near: Any  # Bool[ndarray, "slots channels"]; slot 0 is True
    shift: Int64[ndarray, " slots"]  # channel less own where that is the same in all channels, else GATHER


def neighbours_of(position_um: Float64[ndarray, "channels 2"]) -> Neighbours:
    """Return each channel's neighbours within 1.6 times the distance of nearest ones; none where positions lack.

    On grids whose channels are numbered along rows a slot is one direction, which keeps memory in order;
    otherwise slot k holds the k-th nearest, up to twelve.
    """
    from scipy.spatial import KDTree

    n = len(position_um)
    own = np.arange(n)
    known = np.flatnonzero(np.isfinite(position_um).all(axis=1))
    alone = Neighbours(own[None, :], np.ones((1, n), np.bool_), np.zeros(1, np.int64))
    if known.size < 2:
        return alone
    tree = KDTree(position_um[known])
    apart, order = _queried(tree, position_um[known], min(_MOST_NEAR + 1, known.size))
    positive = apart[apart > 0]
    if positive.size == 0:
        return alone
    reach = 1.6 * float(np.median(np.min(np.where(apart > 0, apart, np.inf), axis=1)))
    is_close = (apart <= reach) & (known[order] != known[:, None])
    first, second = np.broadcast_to(known[:, None], order.shape)[is_close], known[order[is_close]]
    shifts = np.unique(second - first)
    if shifts.size <= _MOST_SHIFTS:
        slot = 1 + np.searchsorted(shifts, second - first)
        shift = np.concatenate([[0], shifts])
    else:
        slot = (1 + np.cumsum(is_close, axis=1))[is_close] - 1
        shift = np.concatenate([[0], np.full(int(slot.max()), GATHER)])
    index, is_near = np.tile(own, (shift.size, 1)), np.zeros((shift.size, n), np.bool_)
    index[slot, first], is_near[slot, first] = second, True
    is_near[0] = True
    return Neighbours(index, is_near, shift)


def _queried(tree: Any, points: ndarray, k: int) -> tuple[ndarray, ndarray]:
    apart, order = tree.query(points, k=k)
    return np.asarray(apart), np.asarray(order)


def local_covariance(samples: Any, index: Any) -> Any:
    """Return the second moments of every channel's slots, (channels, slots, slots).

    ``samples`` is frames by channels with mean 0; ``index`` is ``Neighbours.channel`` as an array of the same library.
    """
    xp = namespace(samples)
    n_slots, n = index.shape
    # By way of one long row, which puts each channel's samples in one piece: a transpose alone is a view.
    columns = xp.reshape(xp.reshape(xp.permute_dims(samples, (1, 0)), (-1,)), (samples.shape[1], samples.shape[0]))
    out: list[Any] = []
    for first in range(0, n, 16):  # so few that what is picked stays in the cache
        picked = index[:, first : min(first + 16, n)]
        block = xp.reshape(xp.take(columns, xp.reshape(picked, (-1,)), axis=0), (n_slots, -1, samples.shape[0]))
        block = xp.permute_dims(block, (1, 0, 2))
        out.append(xp.matmul(block, xp.permute_dims(block, (0, 2, 1))) / samples.shape[0])
    return xp.concat(out, axis=0)


def whitening_weights(covariance: Any, footprint: Any, is_near: Any) -> Any:
    """Return C^-1 f of every channel with unit noise, (channels, slots); empty slots get 0.

    ``footprint`` and ``is_near`` are channels by slots.  A channel without variance gets zeros.
    """
    xp = namespace(covariance)
    n_slots = covariance.shape[1]
    near = xp.astype(is_near, covariance.dtype)
    eye = xp.eye(n_slots, dtype=covariance.dtype)
    variance = xp.sum(covariance * eye, axis=2)
    mean = xp.sum(variance * near, axis=1) / xp.sum(near, axis=1)
    safe = xp.where(mean > 0, mean, xp.ones_like(mean))
    inside = near[:, :, None] * near[:, None, :]
    c = (
        covariance * inside
        + _SHRINKAGE * safe[:, None, None] * eye
        + safe[:, None, None] * (1 - near)[:, :, None] * eye
    )
    weight = xp.linalg.solve(c, (footprint * near)[:, :, None])[:, :, 0] * near
    noise = xp.sum(weight * xp.matmul(covariance * inside, weight[:, :, None])[:, :, 0], axis=1)
    is_alive = (noise > 0) & (variance[:, 0] > 0)
    return xp.where(
        is_alive[:, None], weight / xp.sqrt(xp.where(is_alive, noise, xp.ones_like(noise)))[:, None], 0.0 * weight
    )


def footprint_of(
    peak: Float32[ndarray, "slots peaks"], channel: Int64[ndarray, " peaks"], near: Neighbours, position_um: ndarray
) -> Float64[ndarray, "channels slots"]:
    """Return the mean share of a spike that reaches each slot, by distance alone: one curve for the whole array.

    ``peak`` holds, for every large spike, the signal of its channel's slots at its deepest frame.
    """
    n_slots, n = near.channel.shape
    gap = position_um[near.channel] - position_um[None, :, :]
    apart = np.where(near.is_near, np.hypot(gap[..., 0], gap[..., 1]), 0.0)
    apart[0] = 0.0
    footprint = np.zeros((n, n_slots))
    footprint[:, 0] = 1.0
    if channel.size < 20 or n_slots == 1:  # too few to tell: whiten only
        return footprint
    pitch = float(np.median(apart[1:][near.is_near[1:]]))
    ring = np.rint(4 * apart / pitch).astype(np.int64)
    of_peak, is_real = ring[:, channel], near.is_near[:, channel]
    total = np.bincount(of_peak[is_real], weights=peak[is_real], minlength=int(ring.max()) + 1)
    own = np.bincount(of_peak[is_real], weights=np.broadcast_to(peak[0], peak.shape)[is_real], minlength=total.size)
    share = np.divide(total, own, out=np.zeros_like(total), where=own != 0)
    footprint[:, 1:] = (np.clip(share, 0.0, 1.0)[ring] * near.is_near).T[:, 1:]
    return footprint
