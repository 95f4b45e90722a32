"""Does a synapse stand without the network's bursts?  The same regression, with every row of a burst left out."""

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from neurograft.copying.intracellular.regression._design import LagBoxes
from neurograft.copying.intracellular.regression._factored import design
from neurograft.copying.intracellular.regression._regression import Fit, fits
from neurograft.copying.intracellular.regression._whiten import Traces, Whitener
from neurograft.progress import Progress

_BIN_S = 50e-3
_MADS = 3.0  # of the population's rate over its median
_LEAST_SHARE = 0.2  # of the rows' weight: with less left nothing can be fitted


def burst_rows(spike_row: tuple[Int64[ndarray, " _"], ...], n_rows: int, row_rate_hz: float) -> Bool[ndarray, " rows"]:
    """Tell which rows lie in bins of 50 ms, or beside one, whose population rate is over median + 3 MAD."""
    size = max(round(_BIN_S * row_rate_hz), 1)
    n_bins = -(-n_rows // size)
    counts = np.bincount(np.concatenate(spike_row) // size, minlength=n_bins)[:n_bins].astype(np.float64)
    middle = float(np.median(counts))
    spread = float(np.median(np.abs(counts - middle)))
    is_high = counts > middle + _MADS * max(spread, 1.0)
    beside = is_high | np.roll(is_high, 1) | np.roll(is_high, -1)
    return np.repeat(beside, size)[:n_rows]


def without_bursts(
    traces: Traces,
    whitener: Whitener,
    boxes: LagBoxes,
    row_weight: Float64[ndarray, " rows"],
    progress: Progress,
) -> Fit | None:
    """Return the fit of the rows outside of bursts; None where bursts leave too little (reads the recording once)."""
    quiet = row_weight.copy()
    quiet[burst_rows(traces.spike_row, len(row_weight), traces.line.rate_hz)] = 0.0
    if quiet.sum() < _LEAST_SHARE * row_weight.sum():
        return None
    _, (found,) = fits(
        traces, [design(traces.spike_row, boxes, quiet, library=traces.library)], progress, whitener=whitener
    )
    return found
