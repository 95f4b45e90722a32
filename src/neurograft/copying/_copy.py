"""One verb for both ways of copying: what the source is decides which."""

from neurograft.copying._intracellular import IntracellularOptions, copy_intracellular
from neurograft.copying._spikes_mode import SpikesOptions, copy_spikes
from neurograft.maps import SynapseMap
from neurograft.progress import Progress, silent
from neurograft.recordings import Recording
from neurograft.spikes import SpikeTrains


def copy(source: SpikeTrains | Recording, *, fdr: float = 0.05, progress: Progress = silent) -> SynapseMap:
    """Return the synaptic map of spike trains, or of a recording of membrane potentials.

    ``fdr`` is the share of wrong synapses that is accepted.  For options and the evidence behind the map
    use ``copy_spikes`` or ``copy_intracellular`` of ``neurograft.copying``.
    """
    if isinstance(source, SpikeTrains):
        return copy_spikes(source, options=SpikesOptions(fdr=fdr), progress=progress)
    return copy_intracellular(source, options=IntracellularOptions(fdr=fdr), progress=progress).map
