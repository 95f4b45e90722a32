"""What all correlograms together say of each ordered pair, as the numbers that the trained judge reads.

Every pair is described twice: once as if it were excitatory and once as if it were inhibitory.  Features
that have a direction are turned round in the second description, so one judge serves both signs.
"""

import warnings
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt32
from numpy import ndarray

from neurograft.copying.spikes._correlogram import LagGrid
from neurograft.copying.spikes._coupling import BoxOptions, BoxScores, box_scores, counted_z, lift_of
from neurograft.copying.spikes._latent import DriveOptions, are_drives_told, excess, high_passed, remove_drives
from neurograft.copying.spikes._network import drives_beside
from neurograft.copying.spikes._scan import (
    Baseline,
    Contrasts,
    Courses,
    contrasts,
    courses,
    extremes,
    spectra,
    whitened,
)
from neurograft.progress import Progress
from neurograft.units import MS

_BLOCK_BYTES = 200 << 20
_SD_OF_MAD = 1.4826
_ZERO_S = 0.75 * MS
_BROAD_S = 25 * MS
_BASELINE_SD_S = 10 * MS
_COURSE_BINS = 4.0  # bins that a course of a few milliseconds fills: only few counts depend on it
_LEAST_SD = 0.03  # counts
_CLEAR_STEP_Z = 6.0  # weaker steps make no detour that shows
_LEAST_GAIN = 1e-4  # spikes
_MOST_SHARE = 5.0
_USUAL_TOP = 2.3  # 95th percentile of z before the spike where nothing happens
_BEFORE_OF = {
    "joint z": "joint back",
    "local z": "local back",
    "clean flat z": "clean flat before",
    "clean sharp z": "clean sharp before",
    "clean white z": "clean white before",
    "course z": "clean flat before",
}

_Columns = dict[str, tuple[ndarray, ndarray]]  # excitatory and inhibitory reading


class Described(NamedTuple):
    """Features of both readings, and what later steps need of the correlograms."""

    names: tuple[str, ...]
    excitatory: Float32[ndarray, "pre post features"]
    inhibitory: Float32[ndarray, "pre post features"]
    clean: Float32[ndarray, "pre post bins"]  # excess without common drive
    even: Float32[ndarray, "pre post bins"]  # the same, of unit variance in every bin
    mean: Float64[ndarray, "pre post"]
    scores: BoxScores
    n_drives: int
    grid: LagGrid


def describe(
    counts: UInt32[ndarray, "pre post bins"],
    n_spikes: ndarray,
    grid: LagGrid,
    *,
    exposed: Float64[ndarray, " bins"],
    n_bins_seen: float,
    drives: DriveOptions,
    boxes: BoxOptions,
    progress: Progress,
    clear: Bool[ndarray, "pre post"] | None = None,
) -> Described:
    """Return the features of all ordered pairs; what silent neurons take part in means nothing.

    Drives are estimated beside the ``clear`` synapses, where some are known already.
    """
    n = counts.shape[0]
    raw, mean = excess(counts, exposed)
    progress("common drive", 0, 1)
    undriven = remove_drives(raw, grid, drives)
    if clear is not None and undriven.n_drives:
        undriven = drives_beside(raw, undriven, clear, grid, drives=drives, lags=boxes, n_bins_seen=n_bins_seen)
    clean, even, n_drives = undriven.values, undriven.even(mean), undriven.n_drives
    del undriven
    is_separable = are_drives_told(n, drives)
    local = high_passed(raw, grid, _BASELINE_SD_S)
    if not is_separable:
        clean = even = local
    columns: _Columns = {}
    progress("regression", 0, 2)
    lift = lift_of(raw, clean, mean, grid, boxes) if is_separable else None
    scores = box_scores(clean, mean, grid, boxes, n_bins_seen=n_bins_seen, lift=lift)
    _add_regression(columns, "joint", scores, grid)
    progress("regression", 1, 2)
    lift = lift_of(raw, local, mean, grid, boxes) if is_separable else None
    nearby = box_scores(local, mean, grid, boxes, n_bins_seen=n_bins_seen, lift=lift)
    _add_regression(columns, "local", nearby, grid)
    _add_agreement(columns, scores, nearby)
    progress("regression", 2, 2)
    del local, lift
    autos = raw[np.arange(n), np.arange(n)] * (np.sqrt(np.diag(mean)) / np.maximum(n_spikes, 1))[:, None].astype(
        np.float32
    )
    white = spectra(autos, grid)
    extra: dict[str, tuple[ndarray, ndarray]] = {}
    for name, values, baseline, is_white in (
        ("clean flat", even, Baseline.FLAT, False),
        ("clean sharp", even, Baseline.SHARP, False),
        ("clean white", even, Baseline.HOLLOW, True),
        ("raw flat", raw, Baseline.FLAT, False),
        ("raw hollow", raw, Baseline.HOLLOW, False),
    ):
        progress("shapes of correlograms", 0, 1)
        spectrum = white if is_white else None
        extra[name] = _add_scan(columns, name, values, mean, tests=contrasts(grid, baseline), spectrum=spectrum)
    _add_courses(columns, raw, even, mean, courses(grid))
    _add_shape(columns, raw, even, grid)
    _add_context(columns, n_spikes)
    _add_plain(columns, mean, n_spikes, autos=autos, grid=grid, n_drives=n_drives)
    _add_detours(columns, extra["clean flat"], n_spikes)
    _add_synchrony(columns, n_spikes)
    _add_relative(columns, n_spikes)
    names = tuple(columns)
    stacked = [np.stack([np.asarray(columns[name][k], dtype=np.float32) for name in names], axis=2) for k in (0, 1)]
    return Described(names, stacked[0], stacked[1], clean, even, mean, scores, n_drives, grid)


def _odd(value: ndarray) -> tuple[ndarray, ndarray]:
    return value, -value


def _even(value: ndarray) -> tuple[ndarray, ndarray]:
    return value, value


def _add_regression(columns: _Columns, name: str, scores: BoxScores, grid: LagGrid) -> None:
    width_s = scores.windows.sum(axis=1) * grid.bin_s
    z = scores.z.astype(np.float32)
    high, low = z.argmax(axis=2), z.argmin(axis=2)
    up = np.take_along_axis(z, high[..., None], axis=2)[..., 0]
    down = -np.take_along_axis(z, low[..., None], axis=2)[..., 0]
    columns[f"{name} z"] = up, down
    columns[f"{name} width"] = width_s[high], width_s[low]
    columns[f"{name} other sign"] = down, up
    columns[f"{name} back"] = up.T, down.T
    columns[f"{name} back, other sign"] = down.T, up.T


def _add_agreement(columns: _Columns, scores: BoxScores, nearby: BoxScores) -> None:
    """Add what the high-passed regression says where the other one is strongest: drives removed too far fail here."""
    both = [
        np.take_along_axis(sign * nearby.z, (sign * scores.z).argmax(axis=2)[..., None], axis=2)[..., 0]
        for sign in (1.0, -1.0)
    ]
    columns["local at joint"] = both[0].astype(np.float32), both[1].astype(np.float32)


def _add_scan(
    columns: _Columns,
    name: str,
    values: ndarray,
    mean: Float64[ndarray, "pre post"],
    *,
    tests: Contrasts,
    spectrum: ndarray | None,
) -> tuple[ndarray, ndarray]:
    """Add the strongest peak and trough, and return the counts in them beyond those expected."""
    n = values.shape[0]
    ahead = [np.empty((n, n), dtype=np.float32) for _ in range(4)]
    behind = [np.empty((n, n), dtype=np.float32) for _ in range(2)]
    rows = max(1, _BLOCK_BYTES // (4 * n * (values.shape[2] + tests.weights.shape[1])))
    for first in range(0, n, rows):
        part = slice(first, first + rows)
        chosen = values[part] if spectrum is None else whitened(values[part], spectrum, first)
        for store, found in zip(ahead, extremes(chosen, tests.weights), strict=True):
            store[part] = found
        found = extremes(chosen, tests.mirrored)
        behind[0][part], behind[1][part] = found.peak, found.trough
    peak, high, trough, low = ahead
    high, low = high.astype(np.int64), low.astype(np.int64)
    bins = tests.width_s / tests.width_s.min()
    up = counted_z(peak.astype(np.float64), mean * bins[high])
    down = -counted_z(-trough.astype(np.float64), mean * bins[low])
    columns[f"{name} z"] = up, down
    columns[f"{name} width"] = tests.width_s[high], tests.width_s[low]
    columns[f"{name} before"] = behind[0], behind[1]
    return peak * np.sqrt(mean * bins[high]), trough * np.sqrt(mean * bins[low])


def _add_courses(
    columns: _Columns, raw: ndarray, even: ndarray, mean: Float64[ndarray, "pre post"], table: Courses
) -> None:
    """Add how well the course of a synapse fits, how much better than a bump or than itself read backwards."""
    n = even.shape[0]
    names = ("course z", "course decay", "course over bump", "course over backward", "course lead", "course in raw")
    both = {name: (np.empty((n, n), dtype=np.float32), np.empty((n, n), dtype=np.float32)) for name in names}
    rows = max(1, _BLOCK_BYTES // (4 * n * (3 * table.synapse.shape[1] + even.shape[2])))
    for first in range(0, n, rows):
        part = slice(first, first + rows)
        fit, lead, in_raw = even[part] @ table.synapse, even[part] @ table.lead, raw[part] @ table.synapse
        rivals = {
            "course over bump": _of_both_signs(even[part] @ table.bump),
            "course over backward": _of_both_signs(even[part] @ table.backward),
        }
        for k, sign, best in ((0, 1.0, fit.argmax(axis=2)), (1, -1.0, fit.argmin(axis=2))):
            z = sign * _at(fit, best)
            for name, rival in rivals.items():
                better = np.maximum(z, 0.0) ** 2 - np.maximum(rival[k], 0.0) ** 2
                both[name][k][part] = np.copysign(np.sqrt(np.abs(better)), better)
            both["course z"][k][part] = counted_z(sign * z.astype(np.float64), mean[part] * _COURSE_BINS) * sign
            both["course decay"][k][part] = table.decay_s[best]
            both["course lead"][k][part] = sign * _at(lead, best)
            both["course in raw"][k][part] = sign * _at(in_raw, best)
    columns.update(both)


def _of_both_signs(fit: Float32[ndarray, "pre post templates"]) -> tuple[ndarray, ndarray]:
    return fit.max(axis=2), -fit.min(axis=2)


def _at(values: Float32[ndarray, "pre post templates"], place: ndarray) -> Float32[ndarray, "pre post"]:
    return np.take_along_axis(values, place[..., None], axis=2)[..., 0]


def _add_shape(columns: _Columns, raw: ndarray, even: ndarray, grid: LagGrid) -> None:
    lag = np.abs(grid.lag_s)
    near, broad = lag < _ZERO_S, lag < _BROAD_S
    causal = (grid.lag_s > _ZERO_S) & (grid.lag_s < 12 * MS)
    for name, values in (("raw", raw), ("clean", even)):
        columns[f"{name} zero lag"] = _odd(_sum(values, near))
        columns[f"{name} broad"] = _odd(_sum(values, broad & ~causal))
        both = _sum(values, causal) - _sum(values, causal[::-1])
        columns[f"{name} lopsided"] = _odd(both / np.sqrt(2.0))


def _sum(values: ndarray, mask: Bool[ndarray, " bins"]) -> ndarray:
    return values @ (mask / np.sqrt(mask.sum())).astype(np.float32)


def _add_context(columns: _Columns, n_spikes: ndarray) -> None:
    """Add how far a pair stands out among those of its neurons and of the recording."""
    seen = (n_spikes > 0)[:, None] & (n_spikes > 0)[None, :] & ~np.eye(n_spikes.size, dtype=bool)
    for name in ("joint z", "clean flat z", "local z"):
        pair = columns[name]
        shown = [np.where(seen, z, np.nan) for z in pair]
        columns[f"{name} in row"] = _rank(shown[0], axis=1), _rank(shown[1], axis=1)
        columns[f"{name} in column"] = _rank(shown[0], axis=0), _rank(shown[1], axis=0)
    for name in ("clean flat before", "clean flat z", "raw hollow before", "raw flat before", "clean sharp before"):
        values = [z[seen] for z in columns[name]]
        for k, label in ((0.5, "middle"), (0.95, "upper")):
            columns[f"{name}, {label}"] = _constant(seen.shape, values, k)


def _add_synchrony(columns: _Columns, n_spikes: ndarray) -> None:
    """Add how strong the strongest coincidences of the recording are at lags too short for a synapse.

    What unseen neurons put there they put at a synapse's lags too: this is the recording's own warning.
    """
    seen = (n_spikes > 0)[:, None] & (n_spikes > 0)[None, :] & ~np.eye(n_spikes.size, dtype=bool)
    for name in ("raw zero lag", "clean zero lag"):
        values = [z[seen] for z in columns[name]]
        for k, label in ((0.95, "upper"), (0.99, "top")):
            columns[f"{name}, {label}"] = _constant(seen.shape, values, k)


def _add_relative(columns: _Columns, n_spikes: ndarray) -> None:
    """Add z in units of what this recording shows before the spike, where hardly any pair has a synapse.

    An empirical null (Efron 2007): unseen neurons and long recordings widen all z alike.
    """
    seen = (n_spikes > 0)[:, None] & (n_spikes > 0)[None, :] & ~np.eye(n_spikes.size, dtype=bool)
    for name, before in _BEFORE_OF.items():
        tops = [np.quantile(back[seen], 0.95) if seen.any() else 0.0 for back in columns[before]]
        up, down = (
            z * np.float32(_USUAL_TOP / max(float(top), 1.0)) for z, top in zip(columns[name], tops, strict=True)
        )
        columns[f"{name}, relative"] = up, down


def _constant(shape: tuple[int, ...], values: list[ndarray], share: float) -> tuple[ndarray, ndarray]:
    up, down = (np.full(shape, np.quantile(v, share) if v.size else 0.0, dtype=np.float32) for v in values)
    return up, down


def _rank(z: ndarray, *, axis: int) -> ndarray:
    """Return by how many robust standard deviations each value is above the median along the axis."""
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # rows of silent neurons are empty
        middle = np.nanmedian(z, axis=axis, keepdims=True)
        spread = _SD_OF_MAD * np.nanmedian(np.abs(z - middle), axis=axis, keepdims=True)
    return np.nan_to_num((z - middle) / np.maximum(spread, 0.2))


def _add_plain(
    columns: _Columns,
    mean: Float64[ndarray, "pre post"],
    n_spikes: ndarray,
    *,
    autos: ndarray,
    grid: LagGrid,
    n_drives: int,
) -> None:
    per_ms = mean * (1 * MS / grid.bin_s)
    columns["log expected"] = _even(np.log(per_ms))
    n_pre = np.maximum(n_spikes, 1)[:, None]
    for name in ("clean flat", "clean white"):
        sizes = [
            (z, np.sqrt(mean * np.round(width / grid.bin_s)))
            for z, width in zip(columns[f"{name} z"], columns[f"{name} width"], strict=True)
        ]
        (up, sd_up), (down, sd_down) = sizes
        columns[f"{name} gain"] = up * sd_up / n_pre, down * sd_down / n_pre
        columns[f"{name} contrast"] = up / np.maximum(sd_up, _LEAST_SD), down / np.maximum(sd_down, _LEAST_SD)
    early = (np.abs(grid.lag_s) > _ZERO_S) & (np.abs(grid.lag_s) < 10 * MS)
    burst = autos[:, early].sum(axis=1)
    columns["pre bursts"] = _even(np.broadcast_to(burst[:, None], mean.shape))
    columns["post bursts"] = _even(np.broadcast_to(burst[None, :], mean.shape))
    columns["log neurons"] = _even(np.full(mean.shape, np.log(mean.shape[0])))
    columns["drives"] = _even(np.full(mean.shape, float(n_drives)))


def _add_detours(columns: _Columns, extra: tuple[ndarray, ndarray], n_spikes: ndarray) -> None:
    """Add what share of a pair's gain clear steps over third neurons come to, and neurons that drive both."""
    size = np.maximum(n_spikes, 1).astype(np.float32)[:, None]
    up, down = ((counts / size).astype(np.float32) for counts in extra)
    z_up, z_down = columns["clean flat z"]
    step = np.where(z_up >= z_down, up, -down)
    step = np.where(np.maximum(z_up, z_down) > _CLEAR_STEP_Z, step, np.float32(0.0))
    np.fill_diagonal(step, 0.0)
    for name, ways in (("detour", step @ step), ("fork", step.T @ (step * size) / size)):
        shares = [sign * ways / np.maximum(own, _LEAST_GAIN) for sign, own in ((1.0, up), (-1.0, down))]
        columns[name] = np.clip(shares[0], -_MOST_SHARE, _MOST_SHARE), np.clip(shares[1], -_MOST_SHARE, _MOST_SHARE)
