"""Choosing which row of a tile an axon takes, so that defective cells lie where they do least harm.

A chip's defects are known from its test before anything is pasted.  A leaky cell on an unused place is a synapse
that nobody wanted; under a strong synapse of the same tile it does little harm.  Rows of a tile can be taken by
its axons in any order, and the best order is an assignment problem (Kuhn 1955; scipy solves it).
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from neurograft.cells import Defects, MemoryCell, defects_of
from neurograft.pasting._place import Tiles
from neurograft.progress import Progress


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AroundDefects:
    """Rows are taken so that the squared errors by known defects are least; needs the chip's test.

    ``unused_conduct`` counts defective cells on unused places too, which matter unless they are cut off.
    About 10 ms for a tile of 256 x 256.
    """

    unused_conduct: bool = True

    def rows(
        self,
        target_siemens: Float64[ndarray, " cells"],
        place: Int64[ndarray, "three cells"],
        *,
        zero_siemens: float,
        memory: MemoryCell,
        tiles: Tiles,
        defects: Defects,
        key: int,
        progress: Progress,
    ) -> Int64[ndarray, " cells"]:
        """Return each cell's new row; ``place`` holds tile, row and column of cells that are sorted by tile."""
        tile, row, column = place
        out = row.copy()
        shown = np.array([0.0, 0.0, memory.g_min_siemens, memory.g_max_siemens]) - zero_siemens
        starts = np.flatnonzero(np.diff(tile, prepend=-1))
        for start, stop in zip(starts, np.append(starts[1:], tile.size), strict=True):
            progress("rows around defects", int(start), tile.size)
            here = slice(int(start), int(stop))
            lines, line = np.unique(row[here], return_inverse=True)
            columns, at = np.unique(column[here], return_inverse=True)
            wanted = np.zeros((lines.size, columns.size))
            wanted[line, at] = target_siemens[here] - zero_siemens
            counts = np.ones_like(wanted)
            if not self.unused_conduct:
                counts[:] = 0.0
                counts[line, at] = 1.0
            usable = np.arange(tiles.rows - tiles.spare_rows, dtype=np.int64)
            address = (tile[start] * tiles.rows + usable[:, None]) * tiles.columns + columns[None, :]
            kind = defects_of(address.ravel().astype(np.uint64), defects=defects, key=key).reshape(address.shape)
            out[here] = usable[_best_rows(wanted, counts, kind > 0, shown[kind])][line]
        return out


def _best_rows(
    wanted: Float64[ndarray, "lines columns"],
    counts: Float64[ndarray, "lines columns"],
    is_bad: ndarray,
    shown: Float64[ndarray, "rows columns"],
) -> Int64[ndarray, " lines"]:
    """Return the row of each line: the sum over its defective columns of (wanted - shown)^2 is least in total."""
    from scipy.optimize import linear_sum_assignment

    bad = is_bad.astype(np.float64)
    cost = (counts * wanted**2) @ bad.T - 2 * (counts * wanted) @ (bad * shown).T + counts @ (bad * shown**2).T
    _, chosen = linear_sum_assignment(cost / max(float(np.abs(cost).max()), 1e-300))
    return np.asarray(chosen, dtype=np.int64)
