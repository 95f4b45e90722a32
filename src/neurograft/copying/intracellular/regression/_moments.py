"""What the regression sums up over a recording's rows, for a block of targets under each design; sums add."""

from collections.abc import Sequence
from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float, Float64, Int64
from numba import njit
from numpy import ndarray

from neurograft.copying.intracellular.reading._library import ArrayLibrary
from neurograft.copying.intracellular.reading._work import Arrays
from neurograft.copying.intracellular.regression._dense_gram import dense_sums
from neurograft.copying.intracellular.regression._design import add_blanked, add_box_sums
from neurograft.copying.intracellular.regression._factored import Design
from neurograft.copying.intracellular.regression._whiten import Prepared, Whitener

_TINY = 1e-9  # of a column's total: what is left when all of it was taken away


class Moments(NamedTuple):
    """Sums over the rows that each target keeps, for a block of targets; those of two recordings add."""

    sums: Float[ndarray, "columns targets"]  # X'We
    kept: Float[ndarray, "columns targets"]  # X'W1
    weight: Float64[ndarray, " targets"]
    sum_e: Float64[ndarray, " targets"]
    sum_e2: Float64[ndarray, " targets"]
    near_e2: Float64[ndarray, "firing targets"]  # W^2 e^2 over the rows just after each presynaptic spike


class Gathered(NamedTuple):
    """A block of targets: their whitening, moments under each design, and each target's blanked intervals of rows."""

    whitener: Whitener
    moments: list[Moments]
    blanked: list[Int64[ndarray, "_ 2"]]

    def arrays(self) -> Arrays:
        """Return it as named arrays."""
        length = np.array([len(mine) for mine in self.blanked])
        out = {"coefficient": self.whitener.coefficient, "blanked": np.concatenate(self.blanked), "length": length}
        for k, m in enumerate(self.moments):
            out |= {f"{name}{k}": array for name, array in m._asdict().items()}
        return out

    @classmethod
    def of(cls, arrays: Arrays, n_designs: int) -> "Gathered":
        """Return what ``arrays`` names."""
        each = [Moments(*(arrays[f"{name}{k}"] for name in Moments._fields)) for k in range(n_designs)]
        blanked = np.split(arrays["blanked"], np.cumsum(arrays["length"])[:-1])
        return cls(Whitener(arrays["coefficient"]), each, blanked)


def side_by_side(blocks: Sequence[Gathered]) -> Gathered:
    """Return several blocks as one."""
    each = [
        Moments(*(np.concatenate(column, axis=-1) for column in zip(*(b.moments[k] for b in blocks), strict=True)))
        for k in range(len(blocks[0].moments))
    ]
    coefficient = np.concatenate([b.whitener.coefficient for b in blocks], axis=1)
    return Gathered(Whitener(coefficient), each, [one for b in blocks for one in b.blanked])


def moments(
    parts: Sequence[Prepared], whitener: Whitener, designs: Sequence[Design], library: ArrayLibrary | None = None
) -> Gathered:
    """Return a block's moments under each design, and every target's blanked row intervals.

    Sums after spikes are running sums' differences at each spike, or products with the design in an array library.
    """
    row_weight, n = designs[0].row_weight, parts[0].volts.shape[1]
    near = designs[0].boxes.near()
    after = [np.zeros((len(d.total), n)) for d in designs]
    near_e2 = [np.zeros((len(d.start) - 1, n)) for d in designs]
    total = np.zeros((3, n))
    changes: list[ndarray] = []
    for part in parts:
        e, mask = whitener.whiten(part), part.settled()
        squares = np.empty_like(e)
        weigh(e, mask, row_weight[part.first_row : part.first_row + len(e)], squares, total)
        for d, mine, squared in zip(designs, after, near_e2, strict=True):
            for boxes, values, out in ((d.boxes, e, mine), (near, squares, squared)):
                if library is None:
                    add_box_sums(d.rows, d.start, boxes, first_row=part.first_row, values=values, sums=out)
                else:
                    out[:] += dense_sums(np.split(d.rows, d.start[1:-1]), boxes, part.first_row, values, library)
        found = changes_of(mask)
        found[0] += part.first_row
        changes.append(found)
    blanked = blanked_between(np.concatenate(changes, axis=1), n, len(row_weight))
    each = [
        Moments(mine.astype(d.factor.dtype, copy=False), _kept(d, blanked), total[0], total[1], total[2], squared)
        for d, mine, squared in zip(designs, after, near_e2, strict=True)
    ]
    return Gathered(whitener, each, blanked)


@njit(cache=True, nogil=True)
@no_type_check
def weigh(e, mask, worth, squares, total):
    """Weigh innovations, in place; fill in their squares, weighted twice; add weights, innovations and squares up."""
    n = e.shape[1]
    for t in range(len(e)):
        once, now, kept, squared = worth[t], e[t], mask[t], squares[t]
        for j in range(n):
            weight, value = once * kept[j], now[j]
            now[j] = weight * value
            squared[j] = once * value * (weight * value)
            total[0, j] += weight
            total[1, j] += weight * value
            total[2, j] += weight * value * value


def changes_of(mask: Float[ndarray, "rows targets"]) -> Int64[ndarray, "two changes"]:
    """Return row and target of each change between blanked and kept; outside of the rows all are blanked."""
    is_change = np.empty((len(mask) + 1, mask.shape[1]), dtype=np.bool_)
    is_change[0], is_change[-1] = mask[0] != 0, mask[-1] != 0
    np.not_equal(mask[1:], mask[:-1], out=is_change[1:-1])
    return np.array(np.divmod(np.flatnonzero(is_change), mask.shape[1]))


def blanked_between(changes: Int64[ndarray, "two changes"], n: int, n_rows: int) -> list[Int64[ndarray, "_ 2"]]:
    """Return the rows that each target does not keep, as intervals that are not empty."""
    order = np.argsort(changes[1], kind="stable")
    rows, ends = changes[0, order], np.cumsum(np.bincount(changes[1], minlength=n))[:-1]
    out: list[Int64[ndarray, "_ 2"]] = []
    for runs in np.split(rows, ends):  # first and one past the last row of each run of kept rows
        edges = np.concatenate([[0], runs, [n_rows]]).reshape(-1, 2)
        out.append(np.ascontiguousarray(edges[edges[:, 1] > edges[:, 0]], dtype=np.int64))
    return out


def _kept(d: Design, blanked: list[Int64[ndarray, "_ 2"]]) -> Float[ndarray, "columns targets"]:
    """Return each column's weight over the rows that targets keep: all of it, less that of the blanked rows."""
    out = np.zeros((len(blanked), len(d.total)))
    for j, intervals in enumerate(blanked):
        add_blanked(d.sorted_rows, d.sorted_who, d.boxes, d.running, intervals, out[j])
    left = d.total - out
    return np.ascontiguousarray(np.where(left > _TINY * d.total, left, 0.0).T, dtype=d.factor.dtype)
