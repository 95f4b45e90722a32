"""Depression and facilitation as a map states them: pools of vesicles after Tsodyks and Markram (1997)."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.errors import RunError
from neurograft.maps import Kind, SynapseMap
from neurograft.network._plasticity import ExactWeights, Plasticity

SHORT_TERM_COLUMNS = ("release_probability", "recovery_s", "facilitation_s")


def n_short_term(m: SynapseMap) -> int:
    """Return of how many synapses the map's columns state how they depress and facilitate."""
    if any(name not in m.extra for name in SHORT_TERM_COLUMNS):
        return 0
    return int(np.count_nonzero(np.isfinite(short_term_of(m)[0]) & m.is_used))


def states_short_term(m: SynapseMap) -> bool:
    """Tell whether the map states it of any synapse."""
    return n_short_term(m) > 0


def pools_only(m: SynapseMap) -> Plasticity:
    """Return plasticity of nothing but the map's short-term columns: no weight changes for good."""
    return Plasticity(store=ExactWeights(m.weight_v, np.inf), has_short_term=True, snapshot_s=None)


def short_term_of(m: SynapseMap) -> tuple[ndarray, ndarray, ndarray]:
    """Return use, recovery and facilitation of each synapse, NaN in use where the synapse does not change."""
    missing = [name for name in SHORT_TERM_COLUMNS if name not in m.extra]
    if missing:
        raise RunError(
            f"The map has no column {missing[0]!r}, so its short-term plasticity is not known. Copy it from membrane "
            "potentials, or set the columns with with_short_term()."
        )
    use, recovery_s, facilitation_s = (m.extra[name].copy() for name in SHORT_TERM_COLUMNS)
    is_known = np.isfinite(use) & np.isfinite(recovery_s) & np.isfinite(facilitation_s) & (m.kind != Kind.ELECTRICAL)
    bad = np.flatnonzero(is_known & ~((use > 0) & (use <= 1) & (recovery_s > 0) & (facilitation_s >= 0)))
    if bad.size:
        i = int(bad[0])
        pair = f"{m.labels[m.pre[i]]} -> {m.labels[m.post[i]]}"
        raise RunError(
            f"The synapse {pair} has release_probability {use[i]:g}, recovery_s {recovery_s[i]:g} and facilitation_s "
            f"{facilitation_s[i]:g}. Give a probability above 0 to 1, and times that are not negative."
        )
    use[~is_known] = np.nan
    return use, recovery_s, facilitation_s


def with_short_term(
    m: SynapseMap, *, release_probability: float, recovery_s: float, facilitation_s: float
) -> SynapseMap:
    """Return the map with the same short-term plasticity at every synapse."""
    given = (release_probability, recovery_s, facilitation_s)
    columns = {name: np.full(m.n_synapses, value) for name, value in zip(SHORT_TERM_COLUMNS, given, strict=True)}
    return replace(m, extra={**m.extra, **columns})


def without_short_term(m: SynapseMap) -> SynapseMap:
    """Return the map without the columns of short-term plasticity: every answer is ``weight_v``."""
    return replace(m, extra={name: column for name, column in m.extra.items() if name not in SHORT_TERM_COLUMNS})


def steady_share(m: SynapseMap, rate_hz: Float64[ndarray, " neurons"]) -> Float64[ndarray, " synapses"]:
    """Return what synapses bring at steady rates over what they bring after rest; 1 where they do not change.

    Mean field of Poisson trains (Tsodyks, Pawelzik and Markram 1998, eqs. 4.1 and 4.2): with rate r, the utilisation
    is u = U (1 + F r) / (1 + U F r) and the share x = 1 / (1 + u D r) of the vesicles is ready, F and D the time
    constants of facilitation and recovery; the mean answer is u x / U times the first.
    """
    if not states_short_term(m):
        return np.ones(m.n_synapses)
    use, recovery_s, facilitation_s = short_term_of(m)
    r = rate_hz[m.pre]
    rise = (1.0 + facilitation_s * r) / (1.0 + use * facilitation_s * r)
    return np.where(np.isfinite(use), rise / (1.0 + use * rise * recovery_s * r), 1.0)
