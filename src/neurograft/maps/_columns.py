"""Under which names connectome tables keep their columns."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from neurograft.errors import MapError, did_you_mean
from neurograft.units import MV, UV


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# First come, first taken: an id before an index, a signed weight before a plain one.
EDGE_NAMES: Final[Mapping[str, Sequence[str]]] = MappingProxyType(
    {
        "pre": _words(
            "pre pre_id pre_root_id pre_pt_root_id presynaptic_id presynaptic source source_id src from from_id "
            "bodyid_pre pre_label pre_neuron pre_cell presynaptic_index source_node_id"
        ),
        "post": _words(
            "post post_id post_root_id post_pt_root_id postsynaptic_id postsynaptic target target_id tgt to to_id "
            "bodyid_post post_label post_neuron post_cell postsynaptic_index target_node_id"
        ),
        "weight": _words(
            "weight_v weight_mv weight_uv signed_syn excitatory_x_connectivity weight syn_count synapse_count "
            "n_synapses n_syn synapses count sections connectivity n_contacts number strength"
        ),
        "sign": _words("sign polarity ei"),
        "transmitter": _words("neurotransmitter nt_type transmitter nt top_nt predicted_nt"),
        "kind": ("kind",),
        "delay": _words("delay_s delay_ms delay"),
    }
)
NEURON_NAMES: Final[Mapping[str, Sequence[str]]] = MappingProxyType(
    {
        "ids": ["", "id", "neuron", "neuron_id", "root_id", "pt_root_id", "bodyid", "skid", "label", "node_id", "name"],
        "x": ["x_um"],
        "y": ["y_um"],
        "z": ["z_um"],
        "cell_type": ["cell_type", "type", "celltype", "primary_type"],
        "transmitter": EDGE_NAMES["transmitter"],
    }
)
UNDIRECTED_NAMES: Final = (("a", "b"), ("cell1", "cell2"), ("neuron1", "neuron2"), ("i", "j"))


def find_column(
    table: str, names: Sequence[str], role: str, given: str | None, usual: Mapping[str, Sequence[str]] = EDGE_NAMES
) -> str | None:
    """Return the column that has a role: the given one, or the first of the usual names, or None."""
    if given is not None:
        if given not in names:
            raise MapError(f"{table} has no column {given!r} (given for {role}). {did_you_mean(given, names)}")
        return given
    by_plain_name = {plain(name): name for name in reversed(names)}
    return next((by_plain_name[usual_name] for usual_name in usual[role] if usual_name in by_plain_name), None)


def plain(name: str) -> str:
    """Return a column's name in lower case with _ for blanks and dashes."""
    return "_".join(name.strip().lower().replace("-", " ").split())


def unit_of(column: str) -> float | None:
    """Return the unit in volts at the end of a weight column's name, or None for a count."""
    return {"v": 1.0, "mv": MV, "uv": UV}.get(plain(column).rpartition("_")[2]) if "_" in column else None
