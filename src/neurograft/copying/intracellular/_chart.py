"""From calls to the synaptic map: kinds, delays, columns beside the weight, evidence for every pair."""

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8
from numpy import ndarray

from neurograft.copying.intracellular._kinds import is_eventful
from neurograft.copying.intracellular.judging._calls import Called
from neurograft.copying.intracellular.judging._mixture import DIRECT_SD_V, Judged
from neurograft.copying.intracellular.judging._templates import Family
from neurograft.copying.intracellular.properties._plasticity import PAIRED_S
from neurograft.copying.intracellular.properties._properties import Properties
from neurograft.copying.intracellular.regression._design import ZERO
from neurograft.copying.intracellular.regression._regression import Fit
from neurograft.copying.intracellular.regression._slow import MIN_SHARE
from neurograft.maps import MEMBRANE_SD, MEMBRANE_TAU, Evidence, Kind, MembraneNoise, SynapseMap, synapse_map
from neurograft.provenance import Provenance
from neurograft.spikes import SpikeTrains
from neurograft.units import MS

_NAMED = 0.5  # of the electrical explanation's probability


def chart(
    spikes: SpikeTrains,
    fit: Fit,
    judged: Judged,
    called: Called,
    single: Properties,
    *,
    position_um: Float64[ndarray, "neurons 3"],
    provenance: Provenance,
    fdr: float,
    two_in_one: Bool[ndarray, " neurons"],
    noise: MembraneNoise,
) -> SynapseMap:
    """Return the map of chemical, electrical and polysynaptic connections, with the evidence of all pairs."""
    parts = [np.argwhere(mask) for mask in (called.is_synapse, called.is_path, called.is_electrical)]
    i, j = np.concatenate(parts).T
    n_chemical, n_paths = len(parts[0]), len(parts[1])
    electrical = np.arange(len(i)) >= n_chemical + n_paths
    a, b = i[electrical], j[electrical]
    weight_v, se_v, delay_s = judged.amplitude_v[i, j], judged.se_v[i, j], judged.latency_s[i, j]
    weight_v[electrical] = fit.beta[a, ZERO, b]
    seen = np.maximum(fit.share[a, ZERO, b], MIN_SHARE)
    se_v[electrical] = fit.noise[a, b] * np.sqrt(fit.inverse_block[a, ZERO, ZERO] / seen)
    delay_s[electrical] = 0.0
    weight_v[:n_chemical], se_v[:n_chemical] = single.rest_v, single.rest_se_v
    paths = slice(n_chemical, n_chemical + n_paths)
    weight_v[paths], se_v[paths] = size_of_paths(weight_v[paths], se_v[paths])
    delay_s[:n_chemical] = single.shape.latency_s
    alone = judged.excitatory_alone[i, j]
    named = judged.family[Family.ELECTRICAL][i, j]
    # of a junction told by what passes in both directions no probability is worked out
    chance = 1 - np.where(electrical, np.where(named > _NAMED, named, np.nan), judged.direct[i, j])
    kind = np.full(len(i), Kind.ELECTRICAL, dtype=np.uint8)
    kind[:n_chemical] = _kinds(spikes, i[:n_chemical], j[:n_chemical], weight_v[:n_chemical], fdr=fdr)
    kind[:n_chemical][called.is_kind_open[i[:n_chemical], j[:n_chemical]]] = Kind.UNDECIDED
    kind[paths] = Kind.POLYSYNAPTIC
    return synapse_map(
        n_neurons=spikes.n_neurons,
        pre=i,
        post=j,
        weight_v=weight_v,
        delay_s=delay_s,
        kind=kind,
        weight_se_v=se_v,
        q_value=np.where(electrical, np.nan, called.q[i, j]),
        labels=spikes.labels,
        position_um=position_um,
        sign=called.sign,
        extra={
            "local_fdr": chance,
            "shared_pad": two_in_one[i] + 2.0 * two_in_one[j],
            "excitatory_alone": np.where(electrical, np.nan, alone),
            **{name: _padded(column, len(i)) for name, column in _columns(single).items()},
        },
        neuron_extra={MEMBRANE_SD: noise.sd_v, MEMBRANE_TAU: noise.tau_s},
        evidence=Evidence(
            z=equivalent_z(judged).astype(np.float32),
            limit_v=called.limit_v.astype(np.float32),
            undecidable=called.undecidable,
        ),
        provenance=provenance,
    )


def size_of_paths(
    amplitude_v: Float64[ndarray, " paths"], se_v: Float64[ndarray, " paths"]
) -> tuple[Float64[ndarray, " paths"], Float64[ndarray, " paths"]]:
    """Return the posterior mean and standard deviation of what answers along paths come to as a direct synapse.

    Under the widest prior that synapses have (``DIRECT_SD_V``): only direct templates are asked, and one that hardly
    fits may be known to a hundred millivolts only, and would be stated as large as that.
    """
    kept = 1.0 / (1.0 + (se_v / DIRECT_SD_V[-1]) ** 2)
    return amplitude_v * kept, se_v * np.sqrt(kept)


def _columns(single: Properties) -> dict[str, Float64[ndarray, " synapses"]]:
    """Return the extra columns of chemical synapses; docs/reference/map-file.md says what each means."""
    shape, plasticity, small = single.shape, single.plasticity, single.vesicles
    columns = {
        "mean_v": shape.amplitude_v,
        "mean_se_v": shape.amplitude_sd_v,
        "latency_sd_s": shape.latency_sd_s,
        "rise_s": shape.rise_s,
        "rise_sd_s": shape.rise_sd_s,
        "decay_s": shape.decay_s,
        "decay_sd_s": shape.decay_sd_s,
        "release_probability": plasticity.use,
        "release_probability_sd": plasticity.use_sd,
        "recovery_s": plasticity.recovery_s,
        "facilitation_s": plasticity.facilitation_s,
        "failure_rate": small.failure,
        "failure_rate_sd": small.failure_sd,
        "quantum_v": small.quantum_v,
        "release_sites": small.sites,
        "quantum_to_noise": small.to_noise,
    }
    if single.quiet is not None:
        columns["quiet_v"], columns["quiet_se_v"] = single.quiet
    for k, interval_s in enumerate(PAIRED_S):
        name = f"paired_pulse_{round(interval_s / MS)}ms"
        columns[name] = plasticity.paired[:, k]
        columns[f"{name}_sd"] = plasticity.paired_sd[:, k]
    return columns


def _padded(column: Float64[ndarray, " synapses"], n: int) -> Float64[ndarray, " rows"]:
    """Return the column with NaN for paths and electrical synapses, which come after chemical ones."""
    return np.concatenate([column, np.full(n - len(column), np.nan)])


def equivalent_z(judged: Judged) -> Float64[ndarray, "pre post"]:
    """Return the normal deviate whose likelihood ratio is the pair's Bayes factor, signed; ranks as posteriors do.

    A Bayes factor B above 1 is worth sqrt(2 ln B); softened near and below 1 so that order is kept.
    """
    odds = np.nan_to_num(judged.log_odds)
    return np.where(np.isnan(judged.log_odds), np.nan, judged.sign * np.sqrt(2 * np.logaddexp(0.0, odds)))


def _kinds(
    spikes: SpikeTrains,
    i: Int64[ndarray, " synapses"],
    j: Int64[ndarray, " synapses"],
    weight_v: Float64[ndarray, " synapses"],
    *,
    fdr: float,
) -> UInt8[ndarray, " synapses"]:
    kind = np.full(len(i), Kind.INHIBITORY, dtype=np.uint8)
    excitatory = np.flatnonzero(weight_v > 0)
    drives = is_eventful(spikes.by_neuron(), np.column_stack([i, j])[excitatory], fdr=fdr)
    kind[excitatory] = np.where(drives, Kind.EXCITATORY_STRONG, Kind.EXCITATORY_WEAK)
    return kind
