"""Copying: recordings become synaptic maps whose error rate holds."""

from neurograft.copying._budget import Budget as Budget
from neurograft.copying._channel_reports import ChannelReport as ChannelReport
from neurograft.copying._copy import copy as copy
from neurograft.copying._dask import OnDask as OnDask
from neurograft.copying._gather import Threads as Threads
from neurograft.copying._gather import Work as Work
from neurograft.copying._intracellular import IntracellularCopy as IntracellularCopy
from neurograft.copying._intracellular import IntracellularOptions as IntracellularOptions
from neurograft.copying._intracellular import NullEvidence as NullEvidence
from neurograft.copying._intracellular import copy_intracellular as copy_intracellular
from neurograft.copying._intracellular import detect_spikes as detect_spikes
from neurograft.copying._intracellular import read_shard as read_shard
from neurograft.copying._library import ArrayLibrary as ArrayLibrary
from neurograft.copying._library import array_library as array_library
from neurograft.copying._spikes_mode import Correlogram as Correlogram
from neurograft.copying._spikes_mode import SpikesOptions as SpikesOptions
from neurograft.copying._spikes_mode import copy_spikes as copy_spikes
from neurograft.copying._spikes_mode import correlogram as correlogram
from neurograft.copying._triggered import TriggeredAverage as TriggeredAverage
from neurograft.copying._triggered import triggered_average as triggered_average
from neurograft.copying._work import WorkFolder as WorkFolder
