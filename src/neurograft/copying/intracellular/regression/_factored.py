"""A design as the regression wants it: spikes in the orders that steps need, rows' weights, and the factor."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from neurograft.copying.intracellular.reading._library import ArrayLibrary
from neurograft.copying.intracellular.regression._dense_gram import DenseFactor
from neurograft.copying.intracellular.regression._design import LagBoxes, column_totals, joined
from neurograft.copying.intracellular.regression._gram import Factor

_NEVER_REACHED = 1e-3


class Design(NamedTuple):
    """The spikes of the neurons that fire, in the orders that steps need, their weights and their factor."""

    n_spikes: Int64[ndarray, " neurons"]
    rows: Int64[ndarray, " spikes"]  # train after train
    start: Int64[ndarray, " starts"]
    sorted_rows: Int64[ndarray, " spikes"]  # by time
    sorted_who: Int64[ndarray, " spikes"]
    total: Float64[ndarray, " columns"]
    boxes: LagBoxes
    row_weight: Float64[ndarray, " rows"]
    running: Float64[ndarray, " rows_plus_one"]  # sum of the weights
    factor: Factor | DenseFactor

    def telling(self) -> Float64[ndarray, " rows"]:
        """Return how much each row tells of coefficients: its weight, times the spikes whose boxes hold it.

        The mean over rows that any spike reaches is that of the weights.  A thousandth is added, so that something is
        known of a trace that is never seen after a spike.
        """
        edges, n_rows = self.boxes.edges, len(self.row_weight)
        begins, ends = (np.clip(self.rows + edge, 0, n_rows) for edge in (edges[0], edges[-1]))
        steps = np.bincount(begins, minlength=n_rows + 1) - np.bincount(ends, minlength=n_rows + 1)
        count = np.cumsum(steps)[:n_rows].astype(np.float64)
        return self.row_weight * (count / max(count.sum() / max(np.count_nonzero(count), 1), 1.0) + _NEVER_REACHED)


def design(
    trains: tuple[Int64[ndarray, " _"], ...],
    boxes: LagBoxes,
    row_weight: Float64[ndarray, " rows"],
    *,
    n_threads: int = 1,
    library: ArrayLibrary | None = None,
) -> Design:
    """Return a design; its Gram matrix is factorised by pairs of spikes or by dense products of an array library."""
    factor = (
        Factor(trains, boxes, row_weight, n_threads=n_threads)
        if library is None
        else DenseFactor(trains, boxes, row_weight, library)
    )
    active = tuple(trains[i] for i in factor.firing) or (np.empty(0, dtype=np.int64),)
    rows, start = joined(active)
    order = np.argsort(rows, kind="stable")
    who = np.repeat(np.arange(len(active)), np.diff(start))
    return Design(
        n_spikes=np.array([len(train) for train in trains]),
        rows=rows,
        start=start,
        sorted_rows=rows[order],
        sorted_who=who[order],
        total=column_totals(active, boxes, row_weight),
        boxes=boxes,
        row_weight=row_weight,
        running=np.concatenate([[0.0], np.cumsum(row_weight)]),
        factor=factor,
    )
