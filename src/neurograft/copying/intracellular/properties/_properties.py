"""What each called synapse is like: its potential at rest, course, plasticity and vesicles, each with its error.

The mean potential in a recording is not that at rest.  Two things are undone: vesicles that were spent
(``_plasticity`` measures it) and, for inhibition, the driving force.  A recording does not show a neuron's rest
where something always drives it, nor its reversal potentials, so these are ASSUMED: action potentials start at
-50 mV, rest is 15 mV below (the standard neuron of ``_strength``), inhibition reverses at -80 mV.  Excitation is
left as it is: near threshold the driving force is a fifth smaller than at rest, and sodium and NMDA currents make
up for it (on grown cultures the two cancel to within a tenth).  What the assumptions may be wrong by is in the
standard error.
"""

# ruff: noqa: PLR0917  (a synapse is told by many parts)
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from neurograft.copying.intracellular.judging._mixture import Judged
from neurograft.copying.intracellular.judging._templates import OwnCourses
from neurograft.copying.intracellular.properties._events import Events, events
from neurograft.copying.intracellular.properties._plasticity import PAIRED_S, Plastic, joined_plastic, plastic
from neurograft.copying.intracellular.properties._shapes import Shaped, ShapeGrid, shape_grid, shaped, whitened
from neurograft.copying.intracellular.properties._vesicles import (
    AmplitudeHistogram,
    Vesicles,
    histogram,
    joined_vesicles,
    vesicles,
)
from neurograft.copying.intracellular.regression._regression import Fit
from neurograft.copying.intracellular.regression._whiten import Traces, Whitener
from neurograft.progress import Progress
from neurograft.recordings import Signal
from neurograft.units import MV

ONSET_V, REST_V, INHIBITION_V = -50 * MV, -65 * MV, -80 * MV  # assumed, round numbers of cortical cells
# What the conversion to rest may be wrong by, as a share; chosen on development cultures (docs/accuracy.md).
EXCITATORY_ERROR, INHIBITORY_ERROR, PAD_ERROR = 0.15, 0.25, 0.15
# Of the logarithm of rested over mean answers, a priori: a neuron that never pauses shows hardly anything of its
# rested answer, and an estimate of ten times the mean, give or take ten, helps nobody.
_RESTED_SD = 1.0
_STANDS_SE, _JUDGED_SE = 2.0, 4.0  # a synapse of four standard errors stands in 98 % of cases when it is there
_MOST_HISTOGRAMS = 12


class Properties(NamedTuple):
    """Of all called chemical synapses, in the order of ``pairs``."""

    pairs: Int64[ndarray, "synapses 2"]
    rest_v: Float64[ndarray, " synapses"]  # peak potential at rest, after long silence
    rest_se_v: Float64[ndarray, " synapses"]
    shape: Shaped  # its amplitude is the mean in the recording
    plasticity: Plastic
    vesicles: Vesicles
    histograms: tuple[tuple[int, AmplitudeHistogram], ...]  # place and single potentials, clearest vesicles first
    quiet: tuple[Float64[ndarray, " synapses"], Float64[ndarray, " synapses"]] | None = None  # size without bursts, se

    def stands(self) -> Bool[ndarray, " judged"]:
        """Tell which synapses keep sign and two standard errors without bursts, of those that can be judged there."""
        if self.quiet is None:
            return np.empty(0, dtype=np.bool_)
        size_v, se_v = self.quiet
        can_judge = np.abs(self.shape.amplitude_v) > _JUDGED_SE * se_v
        same = size_v * np.sign(self.shape.amplitude_v) > _STANDS_SE * se_v
        return same[can_judge]


def properties(
    traces: Traces,
    whitener: Whitener,
    row_weight: Float64[ndarray, " rows"],
    fit: Fit,
    own: OwnCourses,
    below_v: Float64[ndarray, " neurons"],
    judged: Judged,
    is_synapse: Bool[ndarray, "pre post"],
    progress: Progress,
) -> Properties:
    """Return what the called synapses are like; reads the rows once more, or as often as memory asks for."""
    pairs = np.argwhere(is_synapse).astype(np.int64)
    sign = judged.sign[pairs[:, 0], pairs[:, 1]]
    grid = shape_grid(whitener, fit.boxes, traces.line.rate_hz)
    progress("fitting each synapse's course", 0, 1)
    shape = shaped(fit, whitener, fit.boxes, grid, own, pairs, sign, n_threads=traces.n_threads)
    n_spikes = np.array([len(traces.spike_row[i]) for i in pairs[:, 0]], dtype=np.int64)
    block = np.cumsum(n_spikes) // traces.memory.events_at_once()
    plasticity: list[Plastic] = []
    small: list[Vesicles] = []
    clear: list[tuple[float, int, AmplitudeHistogram]] = []
    for b in np.unique(block):
        mine = np.flatnonzero(block == b)
        course = _courses(grid, whitener, pairs[mine], shape.best[mine])
        seen = events(traces, whitener, fit.boxes, fit, row_weight, pairs[mine], course, progress)
        progress("measuring plasticity and vesicles", 0, 1)
        plasticity.append(plastic(seen, pairs[mine, 0], sign[mine], traces.line.rate_hz, n_threads=traces.n_threads))
        small.append(vesicles(seen, plasticity[-1], n_threads=traces.n_threads))
        clear += _clearest(seen, small[-1], mine)
    plasticity = plasticity or [plastic([], pairs[:, 0], sign, traces.line.rate_hz)]
    about = joined_plastic(plasticity)
    factor, error = _driving_force(traces, below_v[pairs[:, 1]], sign)
    rest_v = shape.amplitude_v * factor * np.exp(np.log(about.rested) / (1 + (about.log_rested_sd / _RESTED_SD) ** 2))
    relative = (shape.amplitude_sd_v / np.abs(shape.amplitude_v)) ** 2 + about.log_rested_sd**2 + error**2
    se_v = np.abs(rest_v) * np.sqrt(relative)
    clear = sorted(clear, key=lambda row: -row[0])[:_MOST_HISTOGRAMS]
    return Properties(
        pairs=pairs,
        rest_v=rest_v,
        rest_se_v=se_v,
        shape=shape,
        plasticity=about,
        vesicles=joined_vesicles(small or [vesicles([], about)]),
        histograms=tuple((place, drawn) for _, place, drawn in clear),
    )


def mean_sizes(
    traces: Traces, below_v: Float64[ndarray, " neurons"], judged: Judged, is_synapse: Bool[ndarray, "pre post"]
) -> Properties:
    """Return the called synapses' mean potentials as they were judged, without another look at the rows.

    Spent vesicles are not added back, and courses, plasticity and vesicles are NaN.
    """
    pairs = np.argwhere(is_synapse).astype(np.int64)
    i, j = pairs.T
    n, unknown, sign = len(pairs), np.full(len(pairs), np.nan), judged.sign[i, j]
    amplitude_v, se_v = judged.amplitude_v[i, j], judged.se_v[i, j]
    factor, error = _driving_force(traces, below_v[j], sign)
    size_v, intervals = amplitude_v * factor, np.full((n, len(PAIRED_S)), np.nan)
    return Properties(
        pairs=pairs,
        rest_v=size_v,
        rest_se_v=np.abs(size_v) * np.sqrt((se_v / np.abs(amplitude_v)) ** 2 + error**2),
        shape=Shaped(
            amplitude_v=amplitude_v,
            amplitude_sd_v=se_v,
            latency_s=judged.latency_s[i, j],
            latency_sd_s=judged.latency_sd_s[i, j],
            rise_s=unknown,
            rise_sd_s=unknown,
            decay_s=unknown,
            decay_sd_s=unknown,
            best=np.zeros(n, dtype=np.int64),
        ),
        plasticity=Plastic(
            rested=unknown,
            log_rested_sd=unknown,
            use=unknown,
            use_sd=unknown,
            recovery_s=unknown,
            facilitation_s=unknown,
            paired=intervals,
            paired_sd=intervals,
            excess=unknown,
            efficacy=(),
        ),
        vesicles=Vesicles(
            failure=unknown, failure_sd=unknown, quantum_v=unknown, sites=unknown, release=unknown, to_noise=unknown
        ),
        histograms=(),
    )


def _clearest(
    seen: list[Events], found: Vesicles, place: Int64[ndarray, " block"]
) -> list[tuple[float, int, AmplitudeHistogram]]:
    """Return clearness, place and histogram of the pairs whose vesicles stand out most."""
    known = np.flatnonzero(np.isfinite(found.failure))
    best = known[np.argsort(-found.to_noise[known])][:_MOST_HISTOGRAMS]
    return [(float(found.to_noise[k]), int(place[k]), histogram(seen[k])) for k in best]


def quiet_sizes(
    whitener: Whitener, quiet: Fit, own: OwnCourses, found: Properties, row_rate_hz: float
) -> tuple[Float64[ndarray, " synapses"], Float64[ndarray, " synapses"]]:
    """Return each synapse's mean potential and standard error in a fit without bursts."""
    grid = shape_grid(whitener, quiet.boxes, row_rate_hz)
    again = shaped(quiet, whitener, quiet.boxes, grid, own, found.pairs, np.sign(found.shape.amplitude_v))
    return again.amplitude_v, again.amplitude_sd_v


def _courses(
    grid: ShapeGrid, whitener: Whitener, pairs: Int64[ndarray, "pairs 2"], best: Int64[ndarray, " pairs"]
) -> Float64[ndarray, "pairs lags"]:
    """Return each pair's likeliest course, whitened, from the spike's row on."""
    out = [whitened(grid, whitener, int(j), best[k : k + 1])[0] for k, (_, j) in enumerate(pairs)]
    return np.ascontiguousarray(np.reshape(out, (len(pairs), grid.course.shape[1]))[:, -grid.first :])


def _driving_force(
    traces: Traces, below_v: Float64[ndarray, " synapses"], sign: Float64[ndarray, " synapses"]
) -> tuple[Float64[ndarray, " synapses"], Float64[ndarray, " synapses"]]:
    """Return what the potential grows by from the recording's mean membrane potential to rest, and its error."""
    factor = np.where(sign < 0, inhibition_at_rest(below_v), 1.0)
    error = np.where(sign < 0, INHIBITORY_ERROR, EXCITATORY_ERROR)
    pad = PAD_ERROR if traces.thin.signal is not Signal.MEMBRANE_V else 0.0
    return factor, np.sqrt(error**2 + pad**2)


def inhibition_at_rest(below_v: Float64[ndarray, " synapses"]) -> Float64[ndarray, " synapses"]:
    """Return inhibition's driving force at rest over that at a mean so far under the onset of action potentials.

    The mean is taken for no lower than rest.  Where it measures lower, that is the measure's fault: neurons whose
    action potentials start slowly (Izhikevich's) seem 45 to 80 mV under their onset, beyond inhibition's reversal.
    """
    level_v = np.maximum(ONSET_V - np.nan_to_num(below_v, nan=ONSET_V - REST_V), REST_V)
    return (REST_V - INHIBITION_V) / (level_v - INHIBITION_V)
