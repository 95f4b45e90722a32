"""Pasting a synaptic map into a memory."""

from neurograft.cells import OneShot as OneShot
from neurograft.cells import ProgramAndVerify as ProgramAndVerify
from neurograft.pasting._encode import Digits as Digits
from neurograft.pasting._encode import Encoder as Encoder
from neurograft.pasting._encode import Encoding as Encoding
from neurograft.pasting._encode import Levels as Levels
from neurograft.pasting._encode import Overflow as Overflow
from neurograft.pasting._encode import Parallel as Parallel
from neurograft.pasting._encode import Scaling as Scaling
from neurograft.pasting._order import FileOrder as FileOrder
from neurograft.pasting._order import HubOrder as HubOrder
from neurograft.pasting._order import MetisOrder as MetisOrder
from neurograft.pasting._order import SharedInputsOrder as SharedInputsOrder
from neurograft.pasting._paste import PasteOptions as PasteOptions
from neurograft.pasting._paste import map_sha256 as map_sha256
from neurograft.pasting._paste import paste as paste
from neurograft.pasting._place import ColumnPairs as ColumnPairs
from neurograft.pasting._place import NeuronOrder as NeuronOrder
from neurograft.pasting._place import RowPolarity as RowPolarity
from neurograft.pasting._place import Tiles as Tiles
from neurograft.pasting._summary import PasteSummary as PasteSummary
from neurograft.pasting._summary import summarise as summarise
