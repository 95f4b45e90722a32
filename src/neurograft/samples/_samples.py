"""Opening the bundled samples with the same readers that open a user's files."""

from pathlib import Path
from typing import Final

from neurograft.maps import CELEGANS_GABA, InhibitoryNeurons, Kind, SynapseMap, TableOptions, import_table, merge_maps
from neurograft.recordings import Recording, open_recording
from neurograft.spikes import SpikeTrains, open_spikes
from neurograft.units import MV

# Assumed: a table of contact sizes says nothing about volts.  With 0.1 mV a section the median synapse of the
# worm is 0.3 mV and the network stays well below the strength at which it would ignite.
WORM_VOLTS_PER_SECTION: Final = 0.1 * MV


def sample_path(name: str) -> Path:
    """Return where a bundled file lies, such as ``hippocampus/spikes.npz``."""
    return Path(__file__).parent / name


def hippocampus() -> SpikeTrains:
    """Return six real units of a mouse's hippocampus, with couplings at the scale of milliseconds."""
    return open_spikes(sample_path("hippocampus/spikes.npz"))


def multipatch() -> Recording:
    """Return eight real neurons patched at once: amplifier cross-talk, no synapse."""
    return open_recording(sample_path("multipatch/vm.npz"))


def aplysia() -> SpikeTrains:
    """Return 125 real neurons of a sea slug during a locomotion programme."""
    return open_spikes(sample_path("aplysia/Feb1312da06spks.mat"))


def worm() -> SynapseMap:
    """Return the wiring of *C. elegans*: chemical synapses and gap junctions of 302 neurons.

    The wiring is measured (Cook et al. 2019).  Signs (26 GABA neurons inhibit, all others excite), strengths
    (``WORM_VOLTS_PER_SECTION``) and delays are assumptions: the table has none.
    """
    chemical = import_table(
        sample_path("worm/chemical.csv"),
        options=TableOptions(sign_rule=InhibitoryNeurons(labels=CELEGANS_GABA), volts_per_count=WORM_VOLTS_PER_SECTION),
    )
    electrical = import_table(
        sample_path("worm/gap_junctions.csv"),
        options=TableOptions(kind=Kind.ELECTRICAL, is_undirected=True, volts_per_count=WORM_VOLTS_PER_SECTION),
    )
    return merge_maps(chemical, electrical)
