"""From calls to the synaptic map: kinds, delays, columns beside the weight, evidence for every pair."""

import numpy as np
from jaxtyping import Float64, Int64, UInt8
from numpy import ndarray

from neurograft.copying._amplitude import Shape
from neurograft.copying._calls import Called, Screened, Statistics
from neurograft.copying._design import ZERO
from neurograft.copying._kinds import is_eventful
from neurograft.copying._regression import MIN_SHARE
from neurograft.maps import Evidence, Kind, SynapseMap, Undecidable, synapse_map
from neurograft.provenance import Provenance
from neurograft.spikes import SpikeTrains


def chart(  # noqa: PLR0917  (the parts of one result)
    spikes: SpikeTrains,
    statistics: Statistics,
    screened: Screened,
    called: Called,
    shape: Shape,
    position_um: Float64[ndarray, "neurons 3"],
    provenance: Provenance,
    *,
    fdr: float,
    plausible_v: float,
) -> SynapseMap:
    """Return the map of chemical and electrical synapses, with the evidence of all pairs."""
    chemical, electrical = np.argwhere(called.is_called), np.argwhere(screened.is_electrical)
    i, j = np.concatenate([chemical, electrical]).T
    n_chemical, best, fit = len(chemical), statistics.best, statistics.fit
    weight_v, se_v, delay_s, q = best.amplitude_v[i, j], best.se_v[i, j], best.latency_s[i, j], called.q[i, j]
    latency_sd_s = best.latency_sd_s[i, j]
    a, b = i[n_chemical:], j[n_chemical:]
    share = np.maximum(fit.share[a, ZERO, b], MIN_SHARE)
    weight_v[n_chemical:] = fit.beta[a, ZERO, b]
    se_v[n_chemical:] = fit.noise[a, b] * np.sqrt(fit.inverse_block[a, ZERO, ZERO] / share)
    delay_s[n_chemical:] = latency_sd_s[n_chemical:] = 0.0
    q[n_chemical:] = np.nan
    return synapse_map(
        n_neurons=spikes.n_neurons,
        pre=i,
        post=j,
        weight_v=weight_v,
        delay_s=delay_s,
        kind=_kinds(spikes, i, j, weight_v, n_chemical, fdr=fdr),
        weight_se_v=se_v,
        q_value=q,
        labels=spikes.labels,
        position_um=position_um,
        sign=called.sign,
        extra={
            "local_fdr": called.local_fdr[i, j],
            "latency_sd_s": latency_sd_s,
            "rise_s": np.where(np.arange(len(i)) < n_chemical, shape.rise_s, np.nan),
            "decay_s": np.where(np.arange(len(i)) < n_chemical, shape.decay_s, np.nan),
        },
        evidence=_evidence(screened, called, plausible_v),
        provenance=provenance,
    )


def _kinds(
    spikes: SpikeTrains,
    i: Int64[ndarray, " rows"],
    j: Int64[ndarray, " rows"],
    weight_v: Float64[ndarray, " rows"],
    n_chemical: int,
    *,
    fdr: float,
) -> UInt8[ndarray, " rows"]:
    kind = np.full(len(i), Kind.ELECTRICAL, dtype=np.uint8)
    kind[:n_chemical] = Kind.INHIBITORY
    excitatory = np.flatnonzero(weight_v[:n_chemical] > 0)
    drives = is_eventful(spikes.by_neuron(), np.column_stack([i, j])[excitatory], fdr=fdr)
    kind[excitatory] = np.where(drives, Kind.EXCITATORY_STRONG, Kind.EXCITATORY_WEAK)
    return kind


def _evidence(screened: Screened, called: Called, plausible_v: float) -> Evidence:
    undecidable = screened.undecidable.copy()
    unseen = ~called.is_called & ~screened.is_electrical & ~(called.limit_v <= plausible_v)
    np.fill_diagonal(unseen, False)
    undecidable[unseen & (undecidable == Undecidable.DECIDED)] = Undecidable.TOO_FEW_SPIKES
    return Evidence(z=screened.z.astype(np.float32), limit_v=called.limit_v.astype(np.float32), undecidable=undecidable)
