"""Postsynaptic sums read from the memory: what a crossbar's columns give for inputs on its rows.

Only occupied cells on active rows are worked on.  Read noise of cells is independent and Gaussian, so the noise
of a sum is drawn once a sum, with the variance of all its cells: the same statistics as a draw a cell.  Unused
cells are those of ``_unused``; a balanced crossbar takes the mean zero cell away for every active row.
"""

from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float64, Int32, Int64
from numba import njit
from numpy import ndarray
from numpy.random import Generator

from neurograft.cells._image import MemoryImage
from neurograft.cells._noise import normals
from neurograft.cells._protocol import ROOM_TEMPERATURE_K
from neurograft.cells._unused import AbsentUnused, ZeroUnused, defective_unused, lines_of, zero_cells
from neurograft.errors import ImageError


class Crossbars(NamedTuple):
    """What sums need, in volts, sorted by presynaptic neuron; made by ``crossbars``.

    A sum is that of its cells and of its tiles: a tile gives all of its columns what zero cells on its active
    rows would.  Weights and variances of cells have that taken away.
    """

    first: Int64[ndarray, " neurons_and_end"]  # of each neuron's cells
    post: Int32[ndarray, " cells"]
    weight_v: Float64[ndarray, " cells"]
    noise_v2: Float64[ndarray, " cells"]  # variance of a reading
    first_row: Int64[ndarray, " neurons_and_end"]
    row_tile: Int32[ndarray, " rows"]
    row_v: Float64[ndarray, " rows"]
    column_tile: Int32[ndarray, " columns"]
    column_post: Int32[ndarray, " columns"]
    n_tiles: int
    zero_sd_v: float


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
    programmed = image.programmed_siemens.astype(np.float64)
    g = image.cell.age(programmed, age_s=age_s, temperature_k=temperature_k, rng=rng)
    sd = image.cell.read_noise_siemens(g, programmed_siemens=programmed, age_s=age_s)
    if image.cell.levels is not None:
        g = image.cell.read(g, programmed_siemens=programmed, age_s=age_s, temperature_k=temperature_k, rng=rng)
    gain = np.array(image.part_gain)[image.part]
    sign = image.sign.astype(np.float64)
    weight_v, noise_v2 = sign * gain * image.code.to_volts(g), (gain * image.volts_per_siemens * sd) ** 2
    pre, post = image.pre.astype(np.int64), image.post.astype(np.int64)
    lines, row_v, zero_sd_v = lines_of(image), 0.0, 0.0
    if isinstance(unused, ZeroUnused):
        zero = zero_cells(image, unused, age_s=age_s, temperature_k=temperature_k, rng=rng)
        row_v, zero_sd_v = 0.0 if unused.is_balanced else zero.mean_v, zero.sd_v
        if unused.has_defects:
            more = defective_unused(image, lines)
            pre, post, sign = (np.concatenate(c) for c in zip((pre, post, sign), more[:3], strict=True))
            weight_v = np.concatenate((weight_v, more[2] * more[3]))
            noise_v2 = np.concatenate((noise_v2, np.zeros(more[3].size)))
        weight_v = weight_v - zero.mean_v * sign
        noise_v2 = noise_v2 - zero.sd_v**2
    n = image.nodes.n_neurons
    order, row = np.argsort(pre, kind="stable"), np.argsort(lines.row_pre, kind="stable")
    return Crossbars(
        first=np.searchsorted(pre[order], np.arange(n + 1)),
        post=post[order].astype(np.int32),
        weight_v=weight_v[order],
        noise_v2=noise_v2[order],
        first_row=np.searchsorted(lines.row_pre[row], np.arange(n + 1)),
        row_tile=lines.row_tile[row].astype(np.int32),
        row_v=row_v * lines.row_sign[row],
        column_tile=lines.column_tile.astype(np.int32),
        column_post=lines.column_post.astype(np.int32),
        n_tiles=image.tiles.n_tiles,
        zero_sd_v=zero_sd_v,
    )


def product(bars: Crossbars, inputs: Float64[ndarray, " neurons"], rng: Generator) -> Float64[ndarray, " neurons"]:
    """Return sum over pre of weight * input for every postsynaptic neuron, read once with noise."""
    return products(bars, inputs[None, :], rng)[0]


def products(
    bars: Crossbars, inputs: Float64[ndarray, "inputs neurons"], rng: Generator
) -> Float64[ndarray, "inputs neurons"]:
    """Return the sums for several inputs, each read once with noise; cost grows with the inputs that are not 0."""
    sums, variance = np.zeros_like(inputs), np.zeros_like(inputs)
    has_noise = bars.zero_sd_v > 0 or bool(bars.noise_v2.any())
    has_zeros = bars.zero_sd_v > 0 or bool(bars.row_v.any())
    n = bars.n_tiles if has_zeros else 0
    _sum_kernel(inputs, bars, np.zeros(n), np.zeros(n), has_noise, sums, variance)
    if not has_noise:
        return sums
    return sums + np.sqrt(np.maximum(variance, 0.0)) * normals(sums.size, rng).reshape(sums.shape)


@njit(cache=True, nogil=True)
@no_type_check
def _sum_kernel(inputs, bars, tile_v, tile_v2, has_noise, sums, variance):  # noqa: PLR0917
    zero_v2 = bars.zero_sd_v * bars.zero_sd_v
    for k in range(inputs.shape[0]):
        total, spread = sums[k], variance[k]
        tile_v[:] = 0.0
        tile_v2[:] = 0.0
        for i in range(inputs.shape[1]):
            x = inputs[k, i]
            if x == 0.0:
                continue
            if has_noise:
                for c in range(bars.first[i], bars.first[i + 1]):
                    total[bars.post[c]] += bars.weight_v[c] * x
                    spread[bars.post[c]] += bars.noise_v2[c] * (x * x)
            else:
                for c in range(bars.first[i], bars.first[i + 1]):
                    total[bars.post[c]] += bars.weight_v[c] * x
            if tile_v.size:
                for r in range(bars.first_row[i], bars.first_row[i + 1]):
                    tile_v[bars.row_tile[r]] += bars.row_v[r] * x
                    tile_v2[bars.row_tile[r]] += zero_v2 * (x * x)
        if tile_v.size:
            for c in range(bars.column_post.size):
                total[bars.column_post[c]] += tile_v[bars.column_tile[c]]
                spread[bars.column_post[c]] += tile_v2[bars.column_tile[c]]
