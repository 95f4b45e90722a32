"""Postsynaptic sums read from the memory: what a crossbar's columns give for inputs on its rows.

Only occupied cells are worked on.  Read noise of cells is independent and Gaussian, so the noise of a sum
is drawn once a sum, with the variance of all its cells: the same statistics as a draw a cell.  Unused
cells of a column, where they conduct, add n0*m0 +- sqrt(n0)*s0 (n0 of them on active rows).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from numpy.random import Generator

from neurograft.cells._image import MemoryImage
from neurograft.cells._protocol import ROOM_TEMPERATURE_K
from neurograft.errors import ImageError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_N_ZERO_CELLS = 4096


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AbsentUnused:
    """Unused cells do not conduct: never formed (RRAM), or cut off by their transistor."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ZeroUnused:
    """Unused cells are programmed to weight 0, with the card's one-shot spread: the naive crossbar."""


class Crossbars(NamedTuple):
    """What sums need, axes post by pre; made by ``crossbars``.  All in volts."""

    weight_v: "csr_array"
    noise_v2: "csr_array"  # variance of a reading
    occupied: "csr_array"  # signed count of used cells
    occupied_n: "csr_array"
    tile_rows: "csr_array"  # tile by pre: signed count of rows
    tile_rows_n: "csr_array"
    tile_columns: "csr_array"  # post by tile
    zero_mean_v: float
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
    if image.code.exponent != 1.0:
        raise ImageError("A companded image cannot be summed on columns: its cells are decoded one by one. Use 1.")
    programmed = image.programmed_siemens.astype(np.float64)
    g = image.cell.age(programmed, age_s=age_s, temperature_k=temperature_k, rng=rng)
    sd = image.cell.read_noise_siemens(g, programmed_siemens=programmed, age_s=age_s)
    if image.cell.levels is not None:
        g = image.cell.read(g, programmed_siemens=programmed, age_s=age_s, temperature_k=temperature_k, rng=rng)
    gain = np.array(image.part_gain)[image.part]
    zero_mean_v, zero_sd_v = 0.0, 0.0
    if isinstance(unused, ZeroUnused):
        zero_mean_v, zero_sd_v = _zero_cells(image, age_s=age_s, temperature_k=temperature_k, rng=rng)
    n, n_tiles = image.nodes.n_neurons, image.tiles.n_tiles
    tile_rows, tile_columns = _lines(image)
    sign, ones = image.sign.astype(np.float64), np.ones(image.n_cells)
    return Crossbars(
        weight_v=_sparse(sign * gain * image.code.to_volts(g), image.post, image.pre, (n, n)),
        noise_v2=_sparse((gain * image.volts_per_siemens * sd) ** 2, image.post, image.pre, (n, n)),
        occupied=_sparse(sign, image.post, image.pre, (n, n)),
        occupied_n=_sparse(ones, image.post, image.pre, (n, n)),
        tile_rows=_sparse(tile_rows[2], tile_rows[0], tile_rows[1], (n_tiles, n)),
        tile_rows_n=_sparse(np.abs(tile_rows[2]), tile_rows[0], tile_rows[1], (n_tiles, n)),
        tile_columns=_sparse(np.ones(tile_columns[0].size), tile_columns[0], tile_columns[1], (n, n_tiles)),
        zero_mean_v=zero_mean_v,
        zero_sd_v=zero_sd_v,
    )


def product(bars: Crossbars, inputs: Float64[ndarray, " neurons"], rng: Generator) -> Float64[ndarray, " neurons"]:
    """Return sum over pre of weight * input for every postsynaptic neuron, read once with noise."""
    sums = bars.weight_v @ inputs
    squares = inputs * inputs
    variance = bars.noise_v2 @ squares if bars.noise_v2.nnz else np.zeros(sums.size)
    if bars.zero_sd_v > 0 or bars.zero_mean_v != 0:
        sums += bars.zero_mean_v * (bars.tile_columns @ (bars.tile_rows @ inputs) - bars.occupied @ inputs)
        n0 = bars.tile_columns @ (bars.tile_rows_n @ squares) - bars.occupied_n @ squares
        variance += bars.zero_sd_v**2 * np.maximum(n0, 0.0)
    if not variance.any():
        return sums
    return sums + np.sqrt(variance) * rng.standard_normal(sums.size)


def _sparse(values: ndarray, rows: ndarray, columns: ndarray, shape: tuple[int, int]) -> "csr_array":
    from scipy.sparse import coo_array

    keep = values != 0
    matrix = coo_array((values[keep], (rows[keep].astype(np.int32), columns[keep].astype(np.int32))), shape=shape)
    return matrix.tocsr()  # adds the cells of a pair


def _lines(image: MemoryImage) -> tuple[tuple[ndarray, ndarray, ndarray], tuple[ndarray, ndarray]]:
    """Return (tile, pre, sign) of every row in use and (post, tile) of every column in use.

    A row of a differential pair feeds both signs: its unused pairs cancel but for their spread; the sign of
    its first cell is taken.
    """
    tile = image.tile.astype(np.int64)
    _, row = np.unique(tile * image.tiles.rows + image.row, return_index=True)
    _, column = np.unique(tile * image.tiles.columns + image.column, return_index=True)
    rows = (image.tile[row], image.pre[row], image.sign[row].astype(np.float64))
    return rows, (image.post[column], image.tile[column])


def _zero_cells(image: MemoryImage, *, age_s: float, temperature_k: float, rng: Generator) -> tuple[float, float]:
    zero = np.full(_N_ZERO_CELLS, image.code.zero_siemens)
    programmed = image.cell.program(zero, rng)
    g = image.cell.age(programmed, age_s=age_s, temperature_k=temperature_k, rng=rng)
    g = image.cell.read(g, programmed_siemens=programmed, age_s=age_s, temperature_k=temperature_k, rng=rng)
    volts = float(np.mean(image.part_gain)) * image.code.to_volts(g)
    return float(np.mean(volts)), float(np.std(volts))
