"""A connectome table becomes a map; what the table does not say comes from options that provenance keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, final

import numpy as np
from jaxtyping import Int8
from numpy import ndarray

from neurograft.errors import MapError, did_you_mean
from neurograft.maps._columns import EDGE_NAMES, UNDIRECTED_NAMES, find_column, unit_of
from neurograft.maps._map import Kind, SynapseMap, synapse_map
from neurograft.maps._neuron_table import NeuronFacts, NeuronTable, read_neurons
from neurograft.maps._signs import SignColumn, SignedWeights, SignFacts, SignRule
from neurograft.maps._table import Table, read_table
from neurograft.provenance import Provenance, fingerprint
from neurograft.units import MS, MV

# The fly model of Shiu et al. 2024: 0.275 mV a synapse, 1.8 ms.  For any other animal it is an assumption.
SHIU_VOLTS_PER_COUNT: Final = 0.275 * MV
SHIU_DELAY_S: Final = 1.8 * MS
# Guessed: the rise of a spikelet.  Not 0, because an engine with a clock cannot deliver within its own step.
SPIKELET_DELAY_S: Final = 0.5 * MS


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TableOptions:
    """How to read a connectome table.

    Columns that are not named are found by their usual names.  ``volts_per_count`` turns a count (of
    synapses, of sections) into volts; a weight column whose name ends in ``_v`` or ``_mv`` is in that
    unit and is not scaled.  Without ``delay_s`` chemical synapses take 1.8 ms and electrical ones 0.5 ms.
    ``n_neurons`` says that neurons are numbered 0 to n_neurons - 1, whether or not they all occur.
    ``kinds`` is a column as our exports write it; without one all synapses are of ``kind``.
    ``sign_rule`` may be left out where the table has signs itself.
    """

    pre: str | None = None
    post: str | None = None
    weight: str | None = None
    sign: str | None = None
    transmitter: str | None = None
    delay: str | None = None
    kinds: str | None = None
    has_header: bool = True
    delimiter: str | None = None
    neurons: NeuronTable | None = None
    n_neurons: int | None = None
    kind: Kind = Kind.CHEMICAL
    is_undirected: bool = False
    sums_duplicates: bool = False
    volts_per_count: float = SHIU_VOLTS_PER_COUNT
    delay_s: float | None = None
    sign_rule: SignRule | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Rows:
    """The table's rows with neurons as indices."""

    pre: ndarray
    post: ndarray
    weight_v: ndarray
    count: ndarray | None
    delay_s: ndarray
    kind: ndarray


def import_table(path: Path | str, *, options: TableOptions | None = None) -> SynapseMap:
    """Return the map of a connectome table with one row a connection (CSV, TSV, NPZ, Parquet or Feather).

    Neurons are those of the neuron table in its order, or else all that occur, sorted by label.  Rows of
    weight 0 are left out and counted in the provenance.
    """
    path, options = Path(path), options or TableOptions()
    table = read_table(path, has_header=options.has_header, delimiter=options.delimiter)
    columns = _find_columns(table, options)
    _require_equal_lengths(table, columns)
    pre_label, post_label = table.texts(columns["pre"]), table.texts(columns["post"])
    neurons = _neurons(pre_label, post_label, options, table)
    index = {label: i for i, label in enumerate(neurons.ids)}
    pre, post = (np.array([index[x] for x in side], dtype=np.int64) for side in (pre_label, post_label))
    weight = table.numbers(columns["weight"]) if "weight" in columns else np.ones(pre.size)
    sign, rule = _row_signs(table, columns=columns, neurons=neurons, pre=pre, weight=weight, options=options)
    unit = unit_of(columns.get("weight", ""))
    weight_v = np.abs(weight) * sign * (options.volts_per_count if unit is None else unit)
    rows = _Rows(
        pre=pre,
        post=post,
        weight_v=weight_v,
        count=np.abs(weight) if unit is None else None,
        delay_s=_delays(table, columns, options, pre.size),
        kind=_kinds(table, columns, options, pre.size),
    )
    nonzero = weight_v != 0
    rows = _one_row_a_pair(_both_directions(_select(rows, nonzero), options), neurons, options)
    provenance = _provenance(
        path, table=table, columns=columns, options=options, rule=rule, n_zero=int(np.sum(~nonzero))
    )
    return _map_of(rows, neurons, options, provenance)


def _find_columns(table: Table, options: TableOptions) -> dict[str, str]:
    given = {
        "pre": options.pre,
        "post": options.post,
        "weight": options.weight,
        "sign": options.sign,
        "transmitter": options.transmitter,
        "delay": options.delay,
        "kind": options.kinds,
    }
    names = tuple(table.columns)
    found = {role: find_column(table.name, names, role, named) for role, named in given.items()}
    if not options.has_header:
        by_place: dict[str, str] = dict(zip(("pre", "post", "weight"), names, strict=False))
        found = {role: given[role] or by_place.get(role) for role in given}
    ends = (found["pre"], found["post"])
    if ends == (None, None):
        found["pre"], found["post"] = _undirected_ends(table, names, options)
    for role in ("pre", "post"):
        if found[role] is None:
            raise MapError(
                f"{table.name} has no column that names the {role}synaptic neuron. Name it with the option {role}. "
                f"Its columns are {', '.join(names)}; usual names are {', '.join(EDGE_NAMES[role][:6])}."
            )
    return {role: name for role, name in found.items() if name is not None}


def _undirected_ends(table: Table, names: Sequence[str], options: TableOptions) -> tuple[str, str] | tuple[None, None]:
    ends = next(((a, b) for a, b in UNDIRECTED_NAMES if a in names and b in names), None)
    if ends is None:
        return None, None
    if not options.is_undirected:
        raise MapError(
            f"The columns {ends[0]!r} and {ends[1]!r} of {table.name} do not say which neuron is presynaptic. "
            "Say is_undirected=True (each row then counts both ways), or name them with the options pre and post."
        )
    return ends


def _require_equal_lengths(table: Table, columns: Mapping[str, str]) -> None:
    lengths = {name: table.columns[name].size for name in columns.values()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {size}" for name, size in lengths.items())
        raise MapError(f"The columns of {table.name} differ in length: {told}. Give one value a connection.")


def _neurons(pre: Sequence[str], post: Sequence[str], options: TableOptions, table: Table) -> NeuronFacts:
    seen = {*pre, *post}
    if options.n_neurons is not None:
        return _numbered(seen, options, table)
    if options.neurons is None:
        return NeuronFacts.of_ids(sorted(seen, key=_natural))
    neurons = read_neurons(options.neurons)
    missing = sorted(seen - set(neurons.ids), key=_natural)
    if missing:
        raise MapError(
            f"{len(missing)} neurons of {table.name} are not in {options.neurons.path.name}, the first is "
            f"{missing[0]!r}. Add them, or name the column of ids. {did_you_mean(missing[0], neurons.ids[:5])}"
        )
    return neurons


def _numbered(seen: set[str], options: TableOptions, table: Table) -> NeuronFacts:
    if options.neurons is not None:
        raise MapError("Both n_neurons and a neuron table are given. Leave one out.")
    ids = [str(i) for i in range(options.n_neurons or 0)]
    unknown = sorted(seen - set(ids), key=_natural)
    if unknown:
        raise MapError(f"{table.name} has the neuron {unknown[-1]!r}, but n_neurons is {options.n_neurons}. Raise it.")
    return NeuronFacts.of_ids(ids)


def _natural(label: str) -> tuple[bool, int, str]:
    """Sort whole numbers by size, before all other labels."""
    is_number = label.isascii() and label.isdecimal()
    return (not is_number, int(label) if is_number else 0, label)


def _row_signs(
    table: Table,
    *,
    columns: Mapping[str, str],
    neurons: NeuronFacts,
    pre: ndarray,
    weight: ndarray,
    options: TableOptions,
) -> tuple[Int8[ndarray, " rows"], str]:
    is_signed = bool(np.any(weight < 0)) or unit_of(columns.get("weight", "")) is not None
    rule = options.sign_rule
    if rule is None and "sign" in columns:
        rule = SignColumn()
    if rule is None and is_signed:
        rule = SignedWeights()
    if options.kind is Kind.ELECTRICAL and rule is None:
        return np.ones(pre.size, dtype=np.int8), "none: electrical"
    if rule is None:
        raise MapError(
            f"{table.name} does not say which synapses inhibit. Choose a sign_rule: AllExcitatory, InhibitoryNeurons, "
            "InhibitoryTypes, ByTransmitter or RandomInhibitory. It is an assumption, and the map keeps it."
        )
    if np.any(weight < 0) and not isinstance(rule, SignedWeights):
        row = int(np.flatnonzero(weight < 0)[0])
        raise MapError(
            f"{table.place(row, columns['weight'])} is {weight[row]}: the weights have signs themselves, but the sign "
            f"rule is {rule}. Use SignedWeights, or make the weights positive."
        )
    transmitter: list[str] | None = None
    if "transmitter" in columns:
        transmitter = table.texts(columns["transmitter"])
    elif neurons.transmitter is not None:
        transmitter = [neurons.transmitter[int(i)] for i in pre]
    facts = SignFacts(
        labels=neurons.labels,
        cell_type=neurons.cell_type,
        pre=pre,
        weight=weight,
        sign=table.texts(columns["sign"]) if "sign" in columns else None,
        transmitter=transmitter,
    )
    return rule.signs(facts), repr(rule)


def _delays(table: Table, columns: Mapping[str, str], options: TableOptions, n: int) -> ndarray:
    if "delay" not in columns:
        return np.full(n, _default_delay_s(options))
    if options.delay_s is not None:
        raise MapError(f"{table.name} has the delay column {columns['delay']!r}, and delay_s is given. Leave one out.")
    unit = {"s": 1.0, "ms": MS}.get(columns["delay"].lower().rpartition("_")[2])
    if unit is None:
        raise MapError(
            f"The unit of the delay column {columns['delay']!r} of {table.name} is unknown. "
            "Rename it to end in _s or _ms."
        )
    return table.numbers(columns["delay"]) * unit


def _kinds(table: Table, columns: Mapping[str, str], options: TableOptions, n: int) -> ndarray:
    """Return the kinds that our own exports name in a column, else the one kind of the options."""
    if "kind" not in columns:
        return np.full(n, options.kind, dtype=np.uint8)
    codes = {text: kind for kind in Kind for text in (kind.name, str(kind.value))}
    texts = table.texts(columns["kind"])
    unknown = next((i for i, text in enumerate(texts) if text not in codes), None)
    if unknown is not None:
        raise MapError(
            f"{table.place(unknown, columns['kind'])} is {texts[unknown]!r}, not a kind of synapse. "
            f"Rename the column if it means something else. {did_you_mean(texts[unknown], [k.name for k in Kind])}"
        )
    return np.array([codes[text] for text in texts], dtype=np.uint8)


def _default_delay_s(options: TableOptions) -> float:
    if options.delay_s is not None:
        return options.delay_s
    return SPIKELET_DELAY_S if options.kind is Kind.ELECTRICAL else SHIU_DELAY_S


def _select(rows: _Rows, keep: ndarray) -> _Rows:
    return _Rows(
        pre=rows.pre[keep],
        post=rows.post[keep],
        weight_v=rows.weight_v[keep],
        count=None if rows.count is None else rows.count[keep],
        delay_s=rows.delay_s[keep],
        kind=rows.kind[keep],
    )


def _both_directions(rows: _Rows, options: TableOptions) -> _Rows:
    """Return each row and its mirror; a row from a neuron to itself stays single."""
    if not options.is_undirected:
        return rows
    every = np.arange(rows.pre.size)
    both = _select(rows, np.concatenate([every, every[rows.pre != rows.post]]))
    mirrored = np.arange(both.pre.size) >= every.size
    return replace(both, pre=np.where(mirrored, both.post, both.pre), post=np.where(mirrored, both.pre, both.post))


def _one_row_a_pair(rows: _Rows, neurons: NeuronFacts, options: TableOptions) -> _Rows:
    key = (rows.pre * len(neurons.ids) + rows.post) * (max(Kind) + 1) + rows.kind
    _, first, inverse, size = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
    if np.all(size == 1):
        return rows
    if not options.sums_duplicates:
        i = int(first[np.argmax(size > 1)])
        pair = f"{neurons.labels[rows.pre[i]]} -> {neurons.labels[rows.post[i]]}"
        both_ways = " An undirected table gives each pair once." if options.is_undirected else ""
        raise MapError(
            f"{pair} is given more than once ({int(np.sum(size > 1))} such pairs).{both_ways} Say "
            "sums_duplicates=True to add their weights."
        )
    if np.any(rows.delay_s != rows.delay_s[first][inverse]):
        raise MapError("Rows of one pair have different delays, so they cannot be added. Give each pair once.")
    summed = _select(rows, first)
    count = None if rows.count is None else np.bincount(inverse, weights=rows.count)
    return replace(summed, weight_v=np.bincount(inverse, weights=rows.weight_v), count=count)


def _map_of(rows: _Rows, neurons: NeuronFacts, options: TableOptions, provenance: Provenance) -> SynapseMap:
    return synapse_map(
        n_neurons=len(neurons.ids),
        pre=rows.pre,
        post=rows.post,
        weight_v=rows.weight_v,
        delay_s=rows.delay_s,
        kind=rows.kind,
        labels=neurons.labels,
        position_um=neurons.position_um,
        cell_type=neurons.cell_type,
        sign=_neuron_signs(rows, len(neurons.ids)),
        extra={} if rows.count is None else {"count": rows.count},
        provenance=provenance,
    )


def _neuron_signs(rows: _Rows, n: int) -> Int8[ndarray, " neurons"]:
    """Return the sign that all chemical synapses of a neuron share, 0 where they differ or there are none."""
    chemical = rows.kind != Kind.ELECTRICAL
    excites = np.bincount(rows.pre[chemical & (rows.weight_v > 0)], minlength=n) > 0
    inhibits = np.bincount(rows.pre[chemical & (rows.weight_v < 0)], minlength=n) > 0
    return (excites.astype(np.int8) - inhibits.astype(np.int8)).astype(np.int8)


def _provenance(
    path: Path, *, table: Table, columns: Mapping[str, str], options: TableOptions, rule: str, n_zero: int
) -> Provenance:
    inputs = {path.name: fingerprint(path)}
    if options.neurons is not None:
        inputs[options.neurons.path.name] = fingerprint(options.neurons.path)
    unit = unit_of(columns.get("weight", ""))
    return Provenance(
        command="import",
        parameters={
            "columns": dict(columns),
            "columns_not_used": [name for name in table.columns if name not in columns.values()],
            "kind": options.kind.name,
            "is_undirected": options.is_undirected,
            "sums_duplicates": options.sums_duplicates,
            "volts_per_count": options.volts_per_count if unit is None else None,
            "delay_s": None if "delay" in columns else _default_delay_s(options),
            "sign_rule": rule,
            "rows_of_weight_zero_left_out": n_zero,
        },
        inputs=inputs,
    )
