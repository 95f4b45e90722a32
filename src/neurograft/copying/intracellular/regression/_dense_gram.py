"""The Gram matrix, its factor, its solutions and sums after spikes by dense products alone, in any array library.

What ``_gram`` does by pairs of spikes is done here by blocks of rows of the design itself: more arithmetic, all of it
matrix products, which a GPU has to spare.  Only spike indicators, neurons wide, travel to the device.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, final

import numpy as np
from jaxtyping import Float, Float64, Int64
from numpy import ndarray

from neurograft.copying.intracellular.reading._budget import MOST_COLUMNS_OF_64_BITS
from neurograft.copying.intracellular.reading._library import ArrayLibrary
from neurograft.copying.intracellular.regression._design import LagBoxes, column_totals
from neurograft.copying.intracellular.regression._gram import RIDGE

_BLOCK_NUMBERS = 1 << 26  # of the design at a time: half a gigabyte of 64 bits
_COLUMNS_AT_ONCE = 512


@final
class DenseFactor:
    """The Cholesky factor of the centred Gram matrix of the neurons that fire, as ``_gram.Factor`` has it."""

    def __init__(
        self,
        trains: tuple[Int64[ndarray, " _"], ...],
        boxes: LagBoxes,
        row_weight: Float64[ndarray, " rows"],
        library: ArrayLibrary,
    ) -> None:
        """Hold what the factor is made of; it is made when it is first asked for."""
        self.firing = np.flatnonzero([len(train) > 0 for train in trains])
        self.n_boxes, self._library, self._xp = len(boxes.low), library, library.namespace()
        self._made_of = trains, boxes, row_weight
        n = len(self.firing) * self.n_boxes
        self.dtype: np.dtype[np.floating] = np.dtype(np.float64 if n <= MOST_COLUMNS_OF_64_BITS else np.float32)
        size = max(_COLUMNS_AT_ONCE // self.n_boxes, 1) * self.n_boxes
        self._spans = list(pairwise([*range(0, n, size), n])) if n else []
        self._lower: Any = None
        self._inverse: list[Any] = []

    @property
    def is_made(self) -> bool:
        """Whether the matrix is factorised."""
        return self._lower is not None or not self._spans

    def make(self) -> Any:
        """Build the matrix and factorise it on the library's device, once; return the lower factor."""
        if self.is_made:
            return self._lower
        trains, boxes, row_weight = self._made_of
        active, n = tuple(trains[i] for i in self.firing), len(self.firing) * self.n_boxes
        xp, library, total = self._xp, self._library, column_totals(active, boxes, row_weight)
        matrix = dense_gram(active, boxes, row_weight, library, self.dtype)
        own = self._array(total)
        matrix = matrix - own[:, None] * (own[None, :] / float(row_weight.sum()))
        diagonal = np.where(total == 0, 1.0, library.numpy(xp.linalg.diagonal(matrix)))
        n_columns = len(trains) * self.n_boxes  # a silent neuron's columns would have 1 there
        ridge = RIDGE * (float(diagonal.sum(dtype=np.float64)) + n_columns - n) / n_columns
        eye = xp.eye(n, dtype=matrix.dtype, device=library.device)
        lift = self._array(np.where(total == 0, 1.0, 0.0) + ridge)
        self._lower = xp.linalg.cholesky(matrix + eye * lift[None, :])
        self._inverse = [xp.linalg.inv(self._lower[a:b, a:b]) for a, b in self._spans]
        return self._lower

    def solve(self, right: Float[ndarray, "targets columns"]) -> Float[ndarray, "targets columns"]:
        """Return the inverse times each row: forward and back substitution by blocks of columns."""
        if not right.size or not self._spans:
            return right
        xp, lower, spans, inverse = self._xp, self.make(), self._spans, self._inverse
        given = self._array(right.T)
        forward: list[Any] = []
        for (a, b), own in zip(spans, inverse, strict=True):
            left = given[a:b, :]
            if forward:
                left = left - xp.matmul(lower[a:b, :a], xp.concat(forward))
            forward.append(xp.matmul(own, left))
        back: list[Any] = []
        for (a, b), own, half in zip(spans[::-1], inverse[::-1], forward[::-1], strict=True):
            left = half
            if back:
                left = left - xp.matmul(xp.matrix_transpose(lower[b:, a:b]), xp.concat(back[::-1]))
            back.append(xp.matmul(xp.matrix_transpose(own), left))
        return self._library.numpy(xp.concat(back[::-1])).T

    def inverse_blocks(self) -> Float64[ndarray, "firing boxes boxes"]:
        """Return each neuron's own block of the inverse: its columns of the inverse factor, times themselves."""
        xp, lower, spans, inverse, size = self._xp, self.make(), self._spans, self._inverse, self.n_boxes
        out = np.empty((len(self.firing), size, size))
        for k, (a, b) in enumerate(spans):
            column = [inverse[k]]
            for (c, d), own in zip(spans[k + 1 :], inverse[k + 1 :], strict=True):
                column.append(-xp.matmul(own, xp.matmul(lower[c:d, a:c], xp.concat(column))))
            whole = xp.concat(column)
            wide = xp.reshape(xp.matrix_transpose(whole), ((b - a) // size, size, whole.shape[0]))
            blocks = xp.matmul(wide, xp.matrix_transpose(wide))
            out[a // size : b // size] = self._library.numpy(blocks)
        return out

    def _array(self, values: ndarray) -> Any:
        return self._library.array(values.astype(self.dtype))


def dense_gram(
    trains: tuple[Int64[ndarray, " _"], ...],
    boxes: LagBoxes,
    row_weight: Float64[ndarray, " rows"],
    library: ArrayLibrary,
    dtype: np.dtype[np.floating],
) -> Any:
    """Return X'WX, whole, as an array of the library: the sum over blocks of rows of products of the design."""
    xp = library.namespace()
    n_columns, n_rows = len(trains) * len(boxes.low), len(row_weight)
    height = max(_BLOCK_NUMBERS // n_columns, 1)
    gram: Any = None
    for top in range(0, n_rows, height):
        stop = min(top + height, n_rows)
        x = dense_rows(trains, boxes, (top, stop), library, dtype)
        weight = library.array(row_weight[top:stop].astype(dtype))
        part = xp.matmul(xp.matrix_transpose(x), x * weight[:, None])
        gram = part if gram is None else gram + part
    return gram


def dense_sums(
    trains: Sequence[Int64[ndarray, " _"]],
    boxes: LagBoxes,
    first_row: int,
    values: Float[ndarray, "rows targets"],
    library: ArrayLibrary,
) -> Float[ndarray, "columns targets"]:
    """Return X'values of the rows from ``first_row`` on, as ``add_box_sums`` adds them, by products of the design."""
    xp, height = library.namespace(), max(_BLOCK_NUMBERS // (len(trains) * len(boxes.low)), 1)
    total: Any = None
    for top in range(0, len(values), height):
        stop = min(top + height, len(values))
        x = dense_rows(trains, boxes, (first_row + top, first_row + stop), library, values.dtype)
        part = xp.matmul(xp.matrix_transpose(x), library.array(values[top:stop]))
        total = part if total is None else total + part
    return library.numpy(total)


def dense_rows(
    trains: Sequence[Int64[ndarray, " _"]],
    boxes: LagBoxes,
    span: tuple[int, int],
    library: ArrayLibrary,
    dtype: np.dtype[np.floating],
) -> Any:
    """Return some rows of the design, [row, neuron and box]: differences of the spikes' running count."""
    xp, (top, stop), low, high = library.namespace(), span, int(boxes.low.min()), int(boxes.high.max())
    first, last = top - high, stop - low  # rows whose spikes reach in
    spikes = np.zeros((last - first + 1, len(trains)), dtype=dtype)
    for i, train in enumerate(trains):
        near = train[np.searchsorted(train, first) : np.searchsorted(train, last)]
        np.add.at(spikes[:, i], near - first + 1, 1.0)
    count = xp.cumulative_sum(library.array(spikes), axis=0)  # count[t]: spikes in rows before first + t
    height = stop - top
    columns = [
        count[high - a + 1 : high - a + 1 + height, :] - count[high - b + 1 : high - b + 1 + height, :]
        for a, b in zip(boxes.low.tolist(), boxes.high.tolist(), strict=True)
    ]
    return xp.reshape(xp.stack(columns, axis=-1), (height, len(trains) * len(columns)))
