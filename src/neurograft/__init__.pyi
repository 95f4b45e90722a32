# The public names, each in the room that it comes from.  __init__.py imports them when they are first used.
from .cells import MemoryImage as MemoryImage
from .cells import card as card
from .cells import image_to_map as image_to_map
from .cells import load_image as load_image
from .cells import save_image as save_image
from .comparing import compare as compare
from .comparing import score as score
from .copying import copy as copy
from .culture import grow as grow
from .errors import NeurograftError as NeurograftError
from .maps import Kind as Kind
from .maps import SynapseMap as SynapseMap
from .maps import import_table as import_table
from .maps import load_map as load_map
from .maps import save_map as save_map
from .maps import synapse_map as synapse_map
from .network import fit_drive as fit_drive
from .network import run as run
from .network import steady_drive as steady_drive
from .neurons import Lif as Lif
from .pasting import paste as paste
from .recordings import Signal as Signal
from .recordings import array_recording as array_recording
from .recordings import open_recording as open_recording
from .report import write_report as write_report
from .spikes import SpikeTrains as SpikeTrains
from .spikes import open_spikes as open_spikes
from .spikes import save_spikes as save_spikes
from .spikes import spike_trains as spike_trains

__version__: str
