"""Recordings: voltages of channels read in pieces, whatever file they lie in."""

from neurograft.recordings._recording import ArrayRecording as ArrayRecording
from neurograft.recordings._recording import Recording as Recording
from neurograft.recordings._recording import Signal as Signal
from neurograft.recordings._recording import array_recording as array_recording
from neurograft.recordings._recording import duration_s as duration_s
from neurograft.recordings._recording import epochs_s as epochs_s
from neurograft.recordings._recording import n_channels as n_channels
