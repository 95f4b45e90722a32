"""Cultures grown in simulation, whose synapses are known: the ground truth that copying is scored on."""

from neurograft.culture._adex import AdaptiveExponential as AdaptiveExponential
from neurograft.culture._cells import NeuronFamily as NeuronFamily
from neurograft.culture._families import FAMILIES as FAMILIES
from neurograft.culture._families import family_named as family_named
from neurograft.culture._grow import Culture as Culture
from neurograft.culture._grow import grow as grow
from neurograft.culture._hodgkin_huxley import HodgkinHuxley as HodgkinHuxley
from neurograft.culture._izhikevich import Izhikevich as Izhikevich
from neurograft.culture._options import ActivityOptions as ActivityOptions
from neurograft.culture._options import CultureOptions as CultureOptions
from neurograft.culture._options import PadGrid as PadGrid
from neurograft.culture._options import SynapseOptions as SynapseOptions
from neurograft.culture._options import WiringOptions as WiringOptions
from neurograft.culture._pads import PSEUDO_CURRENT_CLAMP as PSEUDO_CURRENT_CLAMP
from neurograft.culture._pads import PSEUDO_VOLTAGE_CLAMP as PSEUDO_VOLTAGE_CLAMP
from neurograft.culture._pads import ArrayOptions as ArrayOptions
from neurograft.culture._pads import PadState as PadState
from neurograft.culture._pads import Readout as Readout
from neurograft.culture._record import CultureRecording as CultureRecording
from neurograft.culture._record import record as record
from neurograft.culture._record import record_membrane as record_membrane
from neurograft.culture._write import RawBinary as RawBinary
from neurograft.culture._write import RecordingFormat as RecordingFormat
from neurograft.culture._write import require_writable as require_writable
from neurograft.culture._write import write_culture as write_culture
