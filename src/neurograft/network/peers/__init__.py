"""The same network in other people's simulators: scripts, files, and running them from here."""

from neurograft.network.peers._nir import export_nir as export_nir
from neurograft.network.peers._scripts import Peer as Peer
from neurograft.network.peers._scripts import export_script as export_script
from neurograft.network.peers._scripts import read_spikes as read_spikes
from neurograft.network.peers._scripts import run_in_peer as run_in_peer
