"""Synaptic maps and the files they come in."""

from neurograft.maps._io import MAP_FORMAT_VERSION as MAP_FORMAT_VERSION
from neurograft.maps._io import load_map as load_map
from neurograft.maps._io import save_map as save_map
from neurograft.maps._map import MAX_DELAY_S as MAX_DELAY_S
from neurograft.maps._map import Evidence as Evidence
from neurograft.maps._map import Kind as Kind
from neurograft.maps._map import SynapseMap as SynapseMap
from neurograft.maps._map import Undecidable as Undecidable
from neurograft.maps._map import synapse_map as synapse_map
