"""Recordings: voltages of channels read in pieces, whatever file they lie in."""

from neurograft.recordings._binary import open_binary as open_binary
from neurograft.recordings._binary import sidecar_of as sidecar_of
from neurograft.recordings._binary import write_template as write_template
from neurograft.recordings._channel_cache import ChannelCache as ChannelCache
from neurograft.recordings._describe import describe as describe
from neurograft.recordings._flags import ChannelFlags as ChannelFlags
from neurograft.recordings._flags import check_channels as check_channels
from neurograft.recordings._identity import samples_hash as samples_hash
from neurograft.recordings._lazy import LazyRecording as LazyRecording
from neurograft.recordings._open import open_recording as open_recording
from neurograft.recordings._options import OpenOptions as OpenOptions
from neurograft.recordings._options import signal_named as signal_named
from neurograft.recordings._recording import ArrayRecording as ArrayRecording
from neurograft.recordings._recording import Recording as Recording
from neurograft.recordings._recording import Signal as Signal
from neurograft.recordings._recording import array_recording as array_recording
from neurograft.recordings._recording import duration_s as duration_s
from neurograft.recordings._recording import epochs_s as epochs_s
from neurograft.recordings._recording import n_channels as n_channels
from neurograft.recordings._sniff import FileKind as FileKind
from neurograft.recordings._sniff import kind_of as kind_of
from neurograft.recordings._spikeinterface import from_spikeinterface as from_spikeinterface
