"""How much each membrane moves by itself: the noise that a running copy needs, measured between action potentials.

The potential's structure function at a lag L, half the mean square of V(t + L) - V(t), is s^2 (1 - exp(-L / tau)) for
noise of standard deviation s and correlation time tau.  It is measured while no action potential is near: a variance
would hold the slow way back to threshold, and stop short where a neuron fires.  The mean way back, by time since the
last action potential, is taken out; what called synapses bring (Campbell's theorem) as well, because a running copy
brings that itself.  Slow changes are no noise: drift is out of the traces.  An amplifier's noise is in.
"""

# ruff: noqa: PLR0917  (kernels take their arrays by position)
from typing import no_type_check

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numba import njit
from numpy import ndarray

from neurograft.copying.intracellular.properties._properties import Properties
from neurograft.copying.intracellular.reading._threads import in_order
from neurograft.copying.intracellular.regression._whiten import Block, Traces, chunks_that_tell, prepared
from neurograft.maps import MembraneNoise
from neurograft.progress import Progress
from neurograft.units import MS

LAG_S = 10 * MS  # and twice that: about as long as a postsynaptic potential
_AFTER_S, _BEFORE_S = 15 * MS, 10 * MS  # of an action potential's quick after-potential, and of its upstroke
_BIN_S, _N_BINS = 10 * MS, 30  # of the time since the last one; the last bin has no end
_MIN_PAIRS = 300.0  # an sd from so many is known to some 8 %: neighbours go together
_SHORTEST_S, _LONGEST_S = 2 * MS, 100 * MS
_LEAST_LEFT = 0.25  # of the square that is measured: synapses are known to a factor only


def membrane_noise(
    traces: Traces,
    row_weight: Float64[ndarray, " rows"],
    synapses: Properties,
    progress: Progress,
    *,
    is_seen: Bool[ndarray, " neurons"],
) -> MembraneNoise:
    """Return each neuron's noise beside the called synapses (reads the rows once).

    NaN where ``is_seen`` is False: a pad that shows no membrane, or one in unknown units, has noise of its own.
    """
    lag = max(round(LAG_S * traces.line.rate_hz), 1)
    square_v2 = _less_synapses(structure(traces, row_weight, lag, progress), synapses, traces, lag)
    square_v2[:, ~is_seen] = np.nan
    with np.errstate(invalid="ignore", divide="ignore"):
        left = np.clip(square_v2[1] / square_v2[0] - 1.0, 1e-9, 1 - 1e-9)  # exp(-L / tau)
        tau_s = np.clip(-LAG_S / np.log(left), _SHORTEST_S, _LONGEST_S)
    return MembraneNoise(np.sqrt(square_v2[0] / -np.expm1(-LAG_S / tau_s)), tau_s)


def structure(
    traces: Traces, row_weight: Float64[ndarray, " rows"], lag: int, progress: Progress
) -> Float64[ndarray, "two neurons"]:
    """Return half the mean square by which each potential moves in ``lag`` rows and in twice as many, in V^2.

    Of long recordings from chunks all over them, 200,000 to 400,000 rows.
    """
    n, rate_hz = len(traces.channel), traces.line.rate_hz
    after, before, width = (max(round(t * rate_hz), 1) for t in (_AFTER_S, _BEFORE_S, _BIN_S))
    sums = np.zeros((n, 2, _N_BINS, 4))
    blocks = traces.blocks()

    def fill(block: Block) -> None:
        for part in prepared(traces, block, chunks=slice(None, None, chunks_that_tell(traces.line.n_rows))):
            worth = row_weight[part.first_row : part.first_row + len(part.volts) - part.before]
            for place, j in enumerate(block):
                volts = np.ascontiguousarray(part.volts[part.before :, place])
                kept = np.ascontiguousarray(part.weight[part.before :, place]) * worth
                add_moves(volts, kept, traces.spike_row[j] - part.first_row, after, before, width, lag, sums[j])

    for done, _ in enumerate(in_order(traces.n_threads, fill, blocks)):
        progress("measuring the membranes' noise", done + 1, len(blocks))
    return moves(sums)


def moves(sums: Float64[ndarray, "neurons two bins four"]) -> Float64[ndarray, "two neurons"]:
    """Return half the mean square of moves about each bin's mean, NaN where too few were seen."""
    weight, total, square, weight2 = np.moveaxis(sums, 3, 0)
    at_least = np.maximum(weight, 1e-300)
    left = square - total**2 / at_least
    free = weight - weight2 / at_least  # a bin's mean is fitted: one move's worth is lost
    worth = np.sum(weight, axis=2) ** 2 / np.maximum(np.sum(weight2, axis=2), 1e-300)
    found = 0.5 * np.sum(left, axis=2) / np.maximum(np.sum(free, axis=2), 1e-300)
    return np.where(worth >= _MIN_PAIRS, found, np.nan).T


@njit(cache=True, nogil=True)
@no_type_check
def add_moves(volts, kept, spikes, after, before, width, lag, sums):
    """Add to ``sums`` [lag or twice lag, bin of the time since a spike] weight, w d, w d^2 and w^2 of moves d.

    Between the two rows lies no spike, none within ``after`` rows before the first or ``before`` rows after the last.
    """
    n, n_bins = len(volts), sums.shape[1]
    for k in range(-1, len(spikes)):
        begin = 0 if k < 0 else max(spikes[k] + after, 0)
        end = n if k + 1 == len(spikes) else min(spikes[k + 1] - before, n)
        for m in range(2):
            far = lag * (m + 1)
            for t in range(begin, end - far):
                weight = min(kept[t], kept[t + far])
                if weight > 0.0:
                    b = n_bins - 1 if k < 0 else min((t - spikes[k] - after) // width, n_bins - 1)
                    move = volts[t + far] - volts[t]
                    sums[m, b, 0] += weight
                    sums[m, b, 1] += weight * move
                    sums[m, b, 2] += weight * move * move
                    sums[m, b, 3] += weight * weight


def _less_synapses(
    square_v2: Float64[ndarray, "two neurons"], synapses: Properties, traces: Traces, lag: int
) -> Float64[ndarray, "two neurons"]:
    """Take out what the called synapses' potentials add: rate x peak^2 x decay / 2 (1 - exp(-L / decay)) each."""
    pre, post = synapses.pairs.T
    rate_hz = spike_rates_hz(traces)
    decay_s = synapses.shape.decay_s
    power = rate_hz[pre] * synapses.shape.amplitude_v**2 * decay_s / 2.0
    lags_s = lag * np.array([[1.0], [2.0]]) / traces.line.rate_hz
    brought = power * -np.expm1(-lags_s / decay_s)
    own = np.stack([np.bincount(post, weights=row, minlength=square_v2.shape[1]) for row in brought])
    return np.maximum(square_v2 - own, _LEAST_LEFT * square_v2)


def spike_rates_hz(traces: Traces) -> Float64[ndarray, " neurons"]:
    """Return how often each neuron fires, over all segments."""
    counts: Int64[ndarray, " neurons"] = np.array([len(rows) for rows in traces.spike_row])
    return counts * traces.line.rate_hz / max(sum(traces.thin.segment_rows), 1)
