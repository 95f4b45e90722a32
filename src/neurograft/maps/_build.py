"""Maps from matrices, and one map of two."""

from collections.abc import Sequence
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.errors import MapError
from neurograft.maps._map import Kind, SynapseMap, synapse_map
from neurograft.provenance import Provenance


@runtime_checkable
class SparseMatrix(Protocol):
    """Any of scipy's sparse matrices and arrays (scipy itself is not imported)."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""
        ...

    def tocoo(self) -> Any:
        """Return the matrix as one of coordinates."""
        ...


def map_from_matrix(
    weight_v: Float64[ndarray, "neurons neurons"] | SparseMatrix,
    *,
    delay_s: Float64[ndarray, "neurons neurons"] | float,
    labels: Sequence[str] | None = None,
    kind: Kind = Kind.CHEMICAL,
    position_um: Float64[ndarray, "neurons 3"] | None = None,
    provenance: Provenance | None = None,
) -> SynapseMap:
    """Return the map of a square matrix [pre, post] of weights, dense or of any scipy sparse form.

    Zeros, also stored ones, are no synapses.  Delays are one number or a dense matrix.
    """
    if len(weight_v.shape) != 2 or weight_v.shape[0] != weight_v.shape[1]:
        raise MapError(f"The weight matrix is {weight_v.shape}. Give a square one: pre in rows, post in columns.")
    n = int(weight_v.shape[0])
    pre, post, weights_v = _entries(weight_v)
    if isinstance(delay_s, ndarray) and delay_s.shape != (n, n):
        raise MapError(f"The delay matrix is {delay_s.shape}, but the weights are {(n, n)}. Give one delay a pair.")
    return synapse_map(
        n_neurons=n,
        pre=pre,
        post=post,
        weight_v=weights_v,
        delay_s=delay_s[pre, post] if isinstance(delay_s, ndarray) else delay_s,
        kind=kind,
        labels=labels,
        position_um=position_um,
        provenance=provenance,
    )


def _entries(matrix: ndarray | SparseMatrix) -> tuple[ndarray, ndarray, ndarray]:
    """Return rows, columns and values that are not zero; NaN counts as a value, and the map refuses it."""
    if isinstance(matrix, ndarray):
        row, column = np.nonzero(matrix)
        return row, column, matrix[row, column]
    entries = matrix.tocoo()
    if entries is matrix:
        entries = entries.copy()  # adding repeated entries would change the caller's matrix
    entries.sum_duplicates()
    kept = np.asarray(entries.data) != 0
    row, column = (np.asarray(ids, dtype=np.int64)[kept] for ids in (entries.row, entries.col))
    return row, column, np.asarray(entries.data, dtype=np.float64)[kept]


def merge_maps(first: SynapseMap, second: SynapseMap) -> SynapseMap:
    """Return one map with the synapses of both; neurons of the same label are the same neuron.

    The first map's neurons come first, in its order.  What it does not know of a neuron (place, sign,
    model, type) is taken from the second; a contradiction is refused.  Extra columns that only one map has are
    NaN for the other's synapses.  A synapse of the same pair and kind in both is refused.
    """
    for m in (first, second):
        if m.evidence is not None:
            raise MapError("A map with evidence of copying cannot be merged: its test covered its own neurons only.")
    labels = tuple(dict.fromkeys((*first.labels, *second.labels)))
    index = {label: i for i, label in enumerate(labels)}
    place = [np.array([index[label] for label in m.labels], dtype=np.int64) for m in (first, second)]
    n, n_first = len(labels), first.n_synapses
    extra = {
        name: np.concatenate([m.extra.get(name, np.full(m.n_synapses, np.nan)) for m in (first, second)])
        for name in dict.fromkeys((*first.extra, *second.extra))
    }

    def joined(name: str) -> ndarray:
        return np.concatenate([cast("ndarray", getattr(m, name)) for m in (first, second)])

    def known(name: str, unknown: object) -> ndarray:
        values = [np.array(getattr(m, name), dtype=object if unknown == "" else None) for m in (first, second)]
        return _known(place, values, unknown=unknown, labels=labels, name=name)

    return synapse_map(
        n_neurons=n,
        pre=np.concatenate([place[0][first.pre], place[1][second.pre]]),
        post=np.concatenate([place[0][first.post], place[1][second.post]]),
        weight_v=joined("weight_v"),
        delay_s=joined("delay_s"),
        kind=joined("kind"),
        weight_se_v=joined("weight_se_v"),
        q_value=joined("q_value"),
        labels=labels,
        position_um=known("position_um", np.nan),
        sign=known("sign", 0),
        model=known("model", "").tolist(),
        cell_type=known("cell_type", "").tolist(),
        extra=extra,
        provenance=_provenance_of_both(first, second, n_first),
    )


def _known(
    place: list[ndarray], values: list[ndarray], *, unknown: object, labels: Sequence[str], name: str
) -> ndarray:
    """Return per-neuron values of both maps laid over each other, unknown ones filled by the other map."""
    shape = (len(labels), *values[0].shape[1:])
    a, b = (np.full(shape, unknown, dtype=v.dtype) for v in values)
    a[place[0]], b[place[1]] = values
    is_a, is_b = (v == v if unknown is not None and unknown != unknown else v != unknown for v in (a, b))  # noqa: PLR0124
    differs = is_a & is_b & (a != b)
    if differs.any():
        i = int(np.argwhere(differs)[0][0])
        raise MapError(f"{name} of {labels[i]!r} is {a[i]} in the first map and {b[i]} in the second. Make them agree.")
    return np.where(is_a, a, b)


def _provenance_of_both(first: SynapseMap, second: SynapseMap, n_first: int) -> Provenance:
    both = [m.provenance for m in (first, second)]
    return Provenance(
        command="merge",
        parameters={
            "synapses_of_first": n_first,
            "first": None if both[0] is None else both[0].to_json(),
            "second": None if both[1] is None else both[1].to_json(),
        },
        inputs={name: print_ for p in both if p is not None for name, print_ in p.inputs.items()},
    )
