"""One verb for both ways of copying: what the source is decides which."""

from neurograft.copying.intracellular._intracellular import copy_intracellular
from neurograft.copying.intracellular._options import IntracellularOptions
from neurograft.copying.spikes._mode import SpikesOptions, copy_spikes
from neurograft.maps import SynapseMap
from neurograft.progress import Progress, silent
from neurograft.recordings import Recording, Signal
from neurograft.spikes import SpikeTrains, sort_spikes


def copy(source: SpikeTrains | Recording, *, fdr: float = 0.05, progress: Progress = silent) -> SynapseMap:
    """Return the synaptic map of spike trains, or of a recording of membrane potentials.

    An extracellular recording is sorted first (``neurograft.spikes.sort_spikes`` with its usual sorter).
    ``fdr`` is the share of wrong synapses that is accepted.  For options and the evidence behind the map
    use ``copy_spikes`` or ``copy_intracellular`` of ``neurograft.copying``.
    """
    if not isinstance(source, SpikeTrains) and source.signal is Signal.EXTRACELLULAR_V:
        source = sort_spikes(source, progress=progress).trains
    if isinstance(source, SpikeTrains):
        return copy_spikes(source, options=SpikesOptions(fdr=fdr), progress=progress)
    return copy_intracellular(source, options=IntracellularOptions(fdr=fdr), progress=progress).map
