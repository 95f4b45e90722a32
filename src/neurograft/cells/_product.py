"""Postsynaptic sums read from the memory: what a crossbar's columns give for inputs on its rows.

Only occupied cells on active rows are worked on, those of one pair of neurons as one.  Read noise of cells is
independent and Gaussian, so the noise of a sum is drawn once a sum, with the variance of all its cells: the same
statistics as a draw a cell.  Unused cells are those of ``_unused``; a balanced crossbar takes the mean zero cell
away for every active row.
"""

from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float64, Int64, UInt32, UInt64
from numba import njit
from numpy import ndarray
from numpy.random import Generator

from neurograft.cells._image import MemoryImage
from neurograft.cells._noise import normals
from neurograft.cells._protocol import ROOM_TEMPERATURE_K
from neurograft.cells._unused import AbsentUnused, ZeroUnused, defective_unused, fixed_unused, lines_of, zero_cells
from neurograft.errors import ImageError


class Crossbars(NamedTuple):
    """What sums need, in volts, sorted by presynaptic neuron; made by ``crossbars``.

    A sum is that of its pairs of neurons and of its tiles: a tile gives all of its columns what zero cells on its
    active rows would.  Weights and variances of pairs have that taken away.
    """

    first: UInt64[ndarray, " neurons_and_end"]  # of each neuron's pairs
    post: UInt32[ndarray, " pairs"]
    weight_v: Float64[ndarray, " pairs"]
    noise_v2: Float64[ndarray, " pairs_or_none"]  # variance of a reading; empty where readings are exact
    first_row: UInt64[ndarray, " neurons_and_end"]
    row_tile: UInt32[ndarray, " rows"]  # empty where unused cells add nothing
    row_v: Float64[ndarray, " rows"]
    first_column: UInt64[ndarray, " tiles_and_end"]
    column_post: UInt32[ndarray, " columns"]
    row_v2: Float64[ndarray, " rows"]


def crossbars(
    image: MemoryImage,
    *,
    age_s: float = 0.0,
    temperature_k: float = ROOM_TEMPERATURE_K,
    unused: AbsentUnused | ZeroUnused | None = None,
    rng: Generator,
) -> Crossbars:
    """Return the image aged once and laid out for sums; raises ImageError for a companded image."""
    if image.code.exponent != 1.0 or image.code.levels_v:
        raise ImageError("A companded image cannot be summed on columns: its cells are decoded one by one. Use 1.")
    weight_v, noise_v2 = _weights(image, age_s=age_s, temperature_k=temperature_k, rng=rng)
    pre, post, sign = image.pre.astype(np.int64), image.post.astype(np.int64), image.sign.astype(np.float64)
    lines, row_v, zero_sd_v = lines_of(image), 0.0, 0.0
    if isinstance(unused, ZeroUnused):
        zero = zero_cells(image, unused, age_s=age_s, temperature_k=temperature_k, rng=rng)
        taken_v = zero.mean_v if unused.is_balanced or not unused.is_fixed else 0.0  # from every cell
        more = None
        if unused.is_fixed:
            more = fixed_unused(image, lines, unused, age_s=age_s, temperature_k=temperature_k)
        else:
            row_v, zero_sd_v = 0.0 if unused.is_balanced else zero.mean_v, zero.sd_v
            more = defective_unused(image, lines) if unused.has_defects else None
        if more is not None:
            pre, post, sign = (np.concatenate(c) for c in zip((pre, post, sign), more[:3], strict=True))
            weight_v = np.concatenate((weight_v, more.sign * more.weight_v))
            noise_v2 = np.concatenate((noise_v2, more.noise_v2))
        weight_v = weight_v - taken_v * sign
        noise_v2 = noise_v2 - zero_sd_v**2
    n, n_tiles = image.nodes.n_neurons, image.tiles.n_tiles
    pair, of_cell = np.unique(pre * n + post, return_inverse=True)
    variance = np.bincount(of_cell, weights=noise_v2, minlength=pair.size)
    adds = zero_sd_v > 0 or row_v != 0
    row = np.argsort(lines.row_pre, kind="stable")[: None if adds else 0]
    return Crossbars(
        first=_starts(pair, np.arange(n + 1) * n),
        post=(pair % max(n, 1)).astype(np.uint32),
        weight_v=np.bincount(of_cell, weights=weight_v, minlength=pair.size),
        noise_v2=variance if zero_sd_v > 0 or variance.any() else variance[:0],
        first_row=_starts(lines.row_pre[row], np.arange(n + 1)),
        row_tile=lines.row_tile[row].astype(np.uint32),
        row_v=row_v * lines.row_sign[row],
        first_column=_starts(lines.column_tile, np.arange(n_tiles + 1)),
        column_post=lines.column_post.astype(np.uint32),
        row_v2=np.full(row.size, zero_sd_v**2),
    )


def _weights(
    image: MemoryImage, *, age_s: float, temperature_k: float, rng: Generator
) -> tuple[Float64[ndarray, " cells"], Float64[ndarray, " cells"]]:
    """Return what each cell adds to a sum, aged, and the variance of its readings."""
    programmed = image.programmed_siemens.astype(np.float64)
    g = image.cell.age(programmed, age_s=age_s, temperature_k=temperature_k, rng=rng)
    sd = image.cell.read_noise_siemens(g, programmed_siemens=programmed, age_s=age_s)
    if image.cell.levels is not None:
        g = image.cell.read(g, programmed_siemens=programmed, age_s=age_s, temperature_k=temperature_k, rng=rng)
    gain = np.array(image.part_gain)[image.part]
    return image.sign * gain * image.code.to_volts(g), (gain * image.volts_per_siemens * sd) ** 2


def _starts(sorted_ids: Int64[ndarray, " entries"], ids: Int64[ndarray, " ids"]) -> UInt64[ndarray, " ids"]:
    """Return where the entries of each id begin; unsigned, as kernels need not look for negative places then."""
    return np.searchsorted(sorted_ids, ids).astype(np.uint64)


def product(bars: Crossbars, inputs: Float64[ndarray, " neurons"], rng: Generator) -> Float64[ndarray, " neurons"]:
    """Return sum over pre of weight * input for every postsynaptic neuron, read once with noise."""
    return products(bars, inputs[None, :], rng)[0]


def products(
    bars: Crossbars, inputs: Float64[ndarray, "inputs neurons"], rng: Generator
) -> Float64[ndarray, "inputs neurons"]:
    """Return the sums for several inputs, each read once with noise; cost grows with the inputs that are not 0."""
    sums = np.zeros(inputs.shape)
    lines = (bars.first_row, bars.row_tile, bars.first_column, bars.column_post)
    _sum_kernel(inputs, bars.first, bars.post, bars.weight_v, *lines, bars.row_v, sums)
    if not bars.noise_v2.size:
        return sums
    variance = np.zeros(inputs.shape)
    _sum_kernel(inputs**2, bars.first, bars.post, bars.noise_v2, *lines, bars.row_v2, variance)
    return sums + np.sqrt(np.maximum(variance, 0.0)) * normals(sums.size, rng).reshape(sums.shape)


@njit(cache=True, nogil=True)
@no_type_check
def _sum_kernel(inputs, first, post, value, first_row, row_tile, first_column, column_post, row_value, sums):  # noqa: PLR0917
    tile_value = np.zeros(first_column.size - 1)
    for k in range(inputs.shape[0]):
        _add(inputs[k], first, post, value, sums[k])
        if row_tile.size:
            tile_value[:] = 0.0
            _add(inputs[k], first_row, row_tile, row_value, tile_value)
            for t in range(tile_value.size):
                here, total = tile_value[t], sums[k]
                if here != 0.0:
                    for c in range(first_column[t], first_column[t + 1]):
                        total[column_post[c]] += here


@njit(cache=True, nogil=True)
@no_type_check
def _add(x, first, to, value, total):
    """Add value * x of each active line's entries to where they belong."""
    for i in range(x.size):
        here = x[i]
        if here != 0.0:
            for c in range(first[i], first[i + 1]):
                total[to[c]] += value[c] * here
