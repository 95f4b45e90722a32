"""Copying: recordings become synaptic maps whose error rate holds."""

from neurograft.copying._copy import copy as copy
from neurograft.copying.intracellular._copied import IntracellularCopy as IntracellularCopy
from neurograft.copying.intracellular._intracellular import copy_intracellular as copy_intracellular
from neurograft.copying.intracellular._intracellular import detect_spikes as detect_spikes
from neurograft.copying.intracellular._intracellular import read_shard as read_shard
from neurograft.copying.intracellular._null import NullEvidence as NullEvidence
from neurograft.copying.intracellular._options import IntracellularOptions as IntracellularOptions
from neurograft.copying.intracellular.following._ahead import Ahead as Ahead
from neurograft.copying.intracellular.following._first_map import map_now as map_now
from neurograft.copying.intracellular.judging._triggered import TriggeredAverage as TriggeredAverage
from neurograft.copying.intracellular.judging._triggered import triggered_average as triggered_average
from neurograft.copying.intracellular.neurons._channel_reports import ChannelReport as ChannelReport
from neurograft.copying.intracellular.reading._budget import Budget as Budget
from neurograft.copying.intracellular.reading._dask import OnDask as OnDask
from neurograft.copying.intracellular.reading._gather import Threads as Threads
from neurograft.copying.intracellular.reading._gather import Work as Work
from neurograft.copying.intracellular.reading._library import ArrayLibrary as ArrayLibrary
from neurograft.copying.intracellular.reading._library import array_library as array_library
from neurograft.copying.intracellular.reading._work import WorkFolder as WorkFolder
from neurograft.copying.spikes._mode import Correlogram as Correlogram
from neurograft.copying.spikes._mode import SpikesOptions as SpikesOptions
from neurograft.copying.spikes._mode import copy_spikes as copy_spikes
from neurograft.copying.spikes._mode import correlogram as correlogram
