"""What wires with resistance leave of a crossbar's cells when one row is read at a time, as sparse spikes do."""

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.cells import MemoryImage
from neurograft.errors import RunError


def line_factors(image: MemoryImage, *, ohm_per_cell: float) -> Float64[ndarray, " cells"]:
    """Return for each cell the current that its column sees over that without wire resistance.

    A row is driven at column 0 and its columns are held at 0 V past the last row; each wire has ``ohm_per_cell``
    between neighbours, and from the driver to the first cell.  With one row driven the column wires carry that row's
    current alone (other rows' cells are cut off), so every cell is in series with its column, and the row is a
    ladder that is solved exactly.  Unused cells do not conduct.
    """
    if not (np.isfinite(ohm_per_cell) and ohm_per_cell >= 0):
        raise RunError(f"ohm_per_cell is {ohm_per_cell}. Give the resistance of a wire between two cells, 0 or more.")
    g = image.programmed_siemens.astype(np.float64)
    if ohm_per_cell == 0 or g.size == 0:
        return np.ones(g.size)
    rows, columns = image.tiles.rows, image.tiles.columns
    line, row = np.unique(image.tile.astype(np.int64) * rows + image.row, return_inverse=True)
    to_sense = ohm_per_cell * (rows - image.row.astype(np.float64))
    ladder = np.zeros((line.size, columns))
    ladder[row, image.column] = g / (1.0 + g * to_sense)
    voltage = _ladder(ladder, ohm_per_cell)
    return voltage[row, image.column] / (1.0 + g * to_sense)


def _ladder(g: Float64[ndarray, "lines nodes"], ohm: float) -> Float64[ndarray, "lines nodes"]:
    """Return node voltages of ladders driven with 1 V through one resistance, with g to ground at each node."""
    n = g.shape[1]
    seen = np.zeros_like(g)  # conductance to ground of node k and all beyond it
    beyond = np.zeros(g.shape[0])
    for k in range(n - 1, -1, -1):
        seen[:, k] = g[:, k] + beyond
        beyond = seen[:, k] / (1.0 + ohm * seen[:, k])
    voltage = np.empty_like(g)
    before = np.ones(g.shape[0])
    for k in range(n):
        voltage[:, k] = before / (1.0 + ohm * seen[:, k])
        before = voltage[:, k]
    return voltage
