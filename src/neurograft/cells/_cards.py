"""The shipped cards by name."""

from types import MappingProxyType
from typing import Final

from neurograft.cells._ideal import IDEAL
from neurograft.cells._ionic import IONIC_SLIT
from neurograft.cells._measured import RRAM_MILO
from neurograft.cells._mram import STT_MRAM
from neurograft.cells._nand import NAND_MLC, NAND_QLC, NAND_SLC, NAND_TLC, NAND_TLC_HELD
from neurograft.cells._pcm import PCM_HERMES_ONE, PCM_HERMES_TWO, PCM_JOSHI
from neurograft.cells._protocol import MemoryCell
from neurograft.cells._rram import RRAM_WAN_AIHWKIT, RRAM_WAN_CROSSSIM
from neurograft.cells._rram_cmo import RRAM_CMO, RRAM_CMO_FINE
from neurograft.cells._sonos import SONOS_AGRAWAL
from neurograft.errors import CellError, did_you_mean

_SHIPPED: tuple[MemoryCell, ...] = (
    RRAM_WAN_AIHWKIT,
    RRAM_WAN_CROSSSIM,
    RRAM_CMO,
    RRAM_CMO_FINE,
    RRAM_MILO,
    PCM_JOSHI,
    PCM_HERMES_ONE,
    PCM_HERMES_TWO,
    NAND_TLC,
    NAND_TLC_HELD,
    NAND_QLC,
    NAND_MLC,
    NAND_SLC,
    SONOS_AGRAWAL,
    STT_MRAM,
    IONIC_SLIT,
    IDEAL,
)

CARDS: Final = MappingProxyType({cell.name: cell for cell in _SHIPPED})


def card(name: str) -> MemoryCell:
    """Return the shipped card of this name.

    >>> card("rram").g_max_siemens
    4e-05
    """
    if name not in CARDS:
        raise CellError(f"{name!r} is no memory card. {did_you_mean(name, CARDS)}")
    return CARDS[name]
