"""The synaptic map: what copying makes, pasting takes, running runs and comparing compares."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import IntEnum
from types import MappingProxyType
from typing import final

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int8, Int32, Int64, UInt8
from numpy import ndarray

from neurograft.arrays import frozen, require_finite, require_ids
from neurograft.errors import MapError
from neurograft.provenance import Provenance

MAX_DELAY_S = 1.0  # longer than any axon's; a larger value is a unit mistake


class Kind(IntEnum):
    """What a synapse is.  The numbers are written to files: never change one."""

    CHEMICAL = 0  # sign from weight_v; no finer class known
    EXCITATORY_WEAK = 1  # "uneventful": below-threshold potentials only
    EXCITATORY_STRONG = 2  # "eventful": drives spikes of the postsynaptic neuron
    INHIBITORY = 3
    ELECTRICAL = 4  # one row for each direction
    POLYSYNAPTIC = 5  # a path through neurons in between
    UNDECIDED = 6  # joined, but the data do not tell an inhibitory synapse from a gap junction; weight_v as if chemical


FOR_STUDY = (Kind.POLYSYNAPTIC, Kind.UNDECIDED)  # kept in the map, never pasted or run


class Undecidable(IntEnum):
    """Why the data cannot tell whether a pair is connected.  Written to files: never change a number."""

    DECIDED = 0
    TOO_FEW_SPIKES = 1  # the detection limit is above any plausible strength
    SILENT = 2  # a neuron of the pair never fires (or was blanked throughout)
    SHARED_PAD = 3  # both neurons are seen by one electrode, or two units may be one neuron
    CROSS_TALK = 4  # an instrument's coupling hides what a synapse would show
    BAD_CHANNEL = 5  # constant, saturated or NaN channel
    COMMON_DRIVE = 6  # the causal and acausal sides cannot be told apart


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """What copying found out about every ordered pair, also those without a synapse; axes are pre, post.

    ``z`` is the signed test statistic, comparable between pairs (NaN on the diagonal and where nothing
    could be tested); ``limit_v`` is the smallest |weight| that would have been found with the power that
    the copier states; ``undecidable`` holds ``Undecidable`` codes.
    """

    z: Float32[ndarray, "neurons neurons"]
    limit_v: Float32[ndarray, "neurons neurons"]
    undecidable: UInt8[ndarray, "neurons neurons"]

    def __post_init__(self) -> None:
        """Make the arrays read-only."""
        if not self.z.shape == self.limit_v.shape == self.undecidable.shape or self.z.ndim != 2:
            raise MapError(
                f"Evidence has shapes {self.z.shape}, {self.limit_v.shape}, {self.undecidable.shape}. "
                "Give three square arrays of neurons by neurons."
            )
        for name in ("z", "limit_v", "undecidable"):
            object.__setattr__(self, name, frozen(getattr(self, name)))


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SynapseMap:
    """Synapses sorted by (pre, post, kind), checked once, then read-only; build with ``synapse_map``.

    ``weight_v`` is the peak postsynaptic potential at rest, negative inhibits.  NaN in ``weight_se_v``
    (standard error) or ``q_value`` means not known, as in a connectome.  ``sign`` of a neuron is +1
    excitatory, -1 inhibitory, 0 unknown.  ``extra`` holds further columns of synapses, ``neuron_extra`` of neurons,
    their unit at the end of their name.
    """

    n_neurons: int
    pre: Int32[ndarray, " synapses"]
    post: Int32[ndarray, " synapses"]
    weight_v: Float64[ndarray, " synapses"]
    delay_s: Float64[ndarray, " synapses"]
    kind: UInt8[ndarray, " synapses"]
    weight_se_v: Float64[ndarray, " synapses"]
    q_value: Float64[ndarray, " synapses"]
    labels: tuple[str, ...]
    position_um: Float64[ndarray, "neurons 3"]
    sign: Int8[ndarray, " neurons"]
    model: tuple[str, ...]  # name of each neuron's model, "" where the map does not say
    cell_type: tuple[str, ...] = ()  # what the neuron is called as a kind; () means "" for every neuron
    extra: Mapping[str, Float64[ndarray, " synapses"]] = field(default_factory=dict[str, ndarray])
    neuron_extra: Mapping[str, Float64[ndarray, " neurons"]] = field(default_factory=dict[str, ndarray])
    evidence: Evidence | None = None
    provenance: Provenance | None = None

    def __post_init__(self) -> None:
        """Refuse what breaks an invariant, naming the first place."""
        if not self.cell_type:
            object.__setattr__(self, "cell_type", ("",) * self.n_neurons)
        _require_nodes(self)
        _require_edges(self)
        _require_order(self)
        for name in ("pre", "post", "weight_v", "delay_s", "kind", "weight_se_v", "q_value", "position_um", "sign"):
            object.__setattr__(self, name, frozen(getattr(self, name)))
        for name in ("extra", "neuron_extra"):
            columns = {key: frozen(column) for key, column in getattr(self, name).items()}
            object.__setattr__(self, name, MappingProxyType(columns))

    @property
    def n_synapses(self) -> int:
        """Number of synapses of every kind."""
        return self.pre.size

    @property
    def is_used(self) -> Bool[ndarray, " synapses"]:
        """Which synapses are pasted and run: all but those kept for study."""
        return ~np.isin(self.kind, FOR_STUDY)

    def select(self, keep: ndarray) -> "SynapseMap":
        """Return the map with only the synapses that the boolean mask keeps; neurons and evidence stay."""
        return replace(
            self,
            pre=self.pre[keep],
            post=self.post[keep],
            weight_v=self.weight_v[keep],
            delay_s=self.delay_s[keep],
            kind=self.kind[keep],
            weight_se_v=self.weight_se_v[keep],
            q_value=self.q_value[keep],
            extra={name: column[keep] for name, column in self.extra.items()},
        )

    def weight_matrix_v(self) -> Float64[ndarray, "neurons neurons"]:
        """Return weights as [pre, post], synapses of one pair added; for small maps."""
        matrix = np.zeros((self.n_neurons, self.n_neurons))
        np.add.at(matrix, (self.pre, self.post), self.weight_v)
        return matrix


def synapse_map(
    *,
    n_neurons: int,
    pre: Int32[ndarray, " synapses"] | Int64[ndarray, " synapses"],
    post: Int32[ndarray, " synapses"] | Int64[ndarray, " synapses"],
    weight_v: Float64[ndarray, " synapses"],
    delay_s: Float64[ndarray, " synapses"] | float,
    kind: UInt8[ndarray, " synapses"] | Kind = Kind.CHEMICAL,
    weight_se_v: Float64[ndarray, " synapses"] | float = np.nan,
    q_value: Float64[ndarray, " synapses"] | float = np.nan,
    labels: Sequence[str] | None = None,
    position_um: Float64[ndarray, "neurons 3"] | None = None,
    sign: Int8[ndarray, " neurons"] | None = None,
    model: str | Sequence[str] = "",
    cell_type: Sequence[str] = (),
    extra: Mapping[str, Float64[ndarray, " synapses"]] | None = None,
    neuron_extra: Mapping[str, Float64[ndarray, " neurons"]] | None = None,
    evidence: Evidence | None = None,
    provenance: Provenance | None = None,
) -> SynapseMap:
    """Return a map from synapses in any order; single values are used for all synapses or neurons."""
    n = len(pre)
    require_ids(pre, n=n_neurons, name="pre", things="neurons", error=MapError)
    require_ids(post, n=n_neurons, name="post", things="neurons", error=MapError)
    _require_extra_names(extra or {})
    kinds = np.full(n, kind, dtype=np.uint8) if isinstance(kind, Kind) else kind
    _require_length(n, post=post, weight_v=weight_v, kind=kinds, **(extra or {}))
    order = np.lexsort((kinds, post, pre))
    return SynapseMap(
        n_neurons=n_neurons,
        pre=pre[order].astype(np.int32),
        post=post[order].astype(np.int32),
        weight_v=weight_v[order],
        delay_s=_column(delay_s, n, "delay_s")[order],
        kind=kinds[order],
        weight_se_v=_column(weight_se_v, n, "weight_se_v")[order],
        q_value=_column(q_value, n, "q_value")[order],
        labels=tuple(labels) if labels is not None else tuple(str(i) for i in range(n_neurons)),
        position_um=position_um if position_um is not None else np.full((n_neurons, 3), np.nan),
        sign=sign if sign is not None else np.zeros(n_neurons, dtype=np.int8),
        model=(model,) * n_neurons if isinstance(model, str) else tuple(model),
        cell_type=tuple(cell_type),
        extra={name: column[order] for name, column in (extra or {}).items()},
        neuron_extra=neuron_extra or {},
        evidence=evidence,
        provenance=provenance,
    )


def _column(values: ndarray | float, n: int, name: str) -> ndarray:
    column = np.full(n, values, dtype=np.float64) if isinstance(values, float | int) else values
    _require_length(n, **{name: column})
    return column


def _require_length(n: int, **columns: ndarray) -> None:
    for name, column in columns.items():
        if column.shape != (n,):
            raise MapError(f"{name} has shape {column.shape}, but pre has {n} entries. Give one value a synapse.")


def _require_nodes(m: SynapseMap) -> None:
    n = m.n_neurons
    _require_extra_names(m.neuron_extra)
    sizes = {
        "labels": len(m.labels),
        "model": len(m.model),
        "cell_type": len(m.cell_type),
        "sign": len(m.sign),
        **{name: len(column) for name, column in m.neuron_extra.items()},
    }
    for name, size in sizes.items():
        if size != n:
            raise MapError(f"{name} has {size} entries, but the map has {n} neurons. Give one a neuron.")
    if m.position_um.shape != (n, 3):
        raise MapError(f"position_um has shape {m.position_um.shape}. Give x, y, z of each of the {n} neurons.")
    if len(set(m.labels)) != n:
        twice = Counter(m.labels).most_common(1)[0][0]
        raise MapError(f"The neuron label {twice!r} is given twice. Make labels unique.")
    bad_sign = np.flatnonzero(np.abs(m.sign) > 1)
    if bad_sign.size:
        raise MapError(f"sign[{bad_sign[0]}] is {m.sign[bad_sign[0]]}. Use +1, -1 or 0 (unknown).")
    if m.evidence is not None and m.evidence.z.shape != (n, n):
        raise MapError(f"The evidence is {m.evidence.z.shape}, but the map has {n} neurons. Give neurons by neurons.")


def _require_extra_names(extra: Mapping[str, ndarray]) -> None:
    taken = {f.name for f in fields(SynapseMap)} & extra.keys()
    if taken:
        raise MapError(f"The extra column {min(taken)!r} has the name of a column that every map has. Rename it.")


def _require_edges(m: SynapseMap) -> None:
    _require_extra_names(m.extra)
    _require_length(
        m.pre.size,
        post=m.post,
        weight_v=m.weight_v,
        delay_s=m.delay_s,
        kind=m.kind,
        weight_se_v=m.weight_se_v,
        q_value=m.q_value,
        **m.extra,
    )
    require_ids(m.pre, n=m.n_neurons, name="pre", things="neurons", error=MapError)
    require_ids(m.post, n=m.n_neurons, name="post", things="neurons", error=MapError)
    require_finite(m.weight_v, name="weight_v", error=MapError, remedy="Leave out synapses of unknown strength.")
    require_finite(m.delay_s, name="delay_s", error=MapError, remedy="Give a delay, e.g. 1 ms, where it is unknown.")
    bad = np.flatnonzero((m.delay_s < 0) | (m.delay_s > MAX_DELAY_S))
    if bad.size:
        raise MapError(
            f"delay_s[{bad[0]}] is {m.delay_s[bad[0]]} s, outside 0 to {MAX_DELAY_S} s. Give delays in seconds."
        )
    bad = np.flatnonzero((m.q_value < 0) | (m.q_value > 1))
    if bad.size:
        raise MapError(f"q_value[{bad[0]}] is {m.q_value[bad[0]]}, outside 0 to 1. Give q-values, or NaN if unknown.")
    bad = np.flatnonzero(m.weight_se_v < 0)
    if bad.size:
        raise MapError(f"weight_se_v[{bad[0]}] is {m.weight_se_v[bad[0]]}. Give standard errors above 0, or NaN.")
    bad = np.flatnonzero(m.kind > max(Kind))
    if bad.size:
        raise MapError(f"kind[{bad[0]}] is {m.kind[bad[0]]}. Known: {', '.join(f'{k.value} {k.name}' for k in Kind)}.")


def _require_order(m: SynapseMap) -> None:
    pre, post, kind = (a.astype(np.int64) for a in (m.pre, m.post, m.kind))
    step = np.diff((pre * m.n_neurons + post) * (max(Kind) + 1) + kind)
    if np.any(step < 0):
        raise MapError(
            "The synapses are not sorted by (pre, post, kind). Build the map with synapse_map(), which sorts."
        )
    if np.any(step == 0):
        i = int(np.flatnonzero(step == 0)[0])
        raise MapError(
            f"Synapse {m.labels[m.pre[i]]} -> {m.labels[m.post[i]]} of kind {Kind(m.kind[i]).name} is given twice. "
            "Add the weights of repeated synapses first."
        )
