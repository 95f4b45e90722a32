"""Spike trains and the files they come in."""

from neurograft.spikes._describe import describe as describe
from neurograft.spikes._log import LogHead as LogHead
from neurograft.spikes._log import LogWriter as LogWriter
from neurograft.spikes._log import SpikeLog as SpikeLog
from neurograft.spikes._log import open_log as open_log
from neurograft.spikes._open import open_spikes as open_spikes
from neurograft.spikes._options import SpikeOptions as SpikeOptions
from neurograft.spikes._options import tick_named as tick_named
from neurograft.spikes._peaks import detect_peaks as detect_peaks
from neurograft.spikes._peaks_options import Course as Course
from neurograft.spikes._peaks_options import PeakOptions as PeakOptions
from neurograft.spikes._peaks_options import Peaks as Peaks
from neurograft.spikes._sonata import save_spikes as save_spikes
from neurograft.spikes._sort import SORTERS as SORTERS
from neurograft.spikes._sort import USUAL_SORTER as USUAL_SORTER
from neurograft.spikes._sort import Sorted as Sorted
from neurograft.spikes._sort import require_sorter as require_sorter
from neurograft.spikes._sort import sort_spikes as sort_spikes
from neurograft.spikes._sort import version_of as version_of
from neurograft.spikes._trains import SpikeTrains as SpikeTrains
from neurograft.spikes._trains import spike_trains as spike_trains
