"""Spike trains and the files they come in."""

from neurograft.spikes._trains import SpikeTrains as SpikeTrains
from neurograft.spikes._trains import spike_trains as spike_trains
