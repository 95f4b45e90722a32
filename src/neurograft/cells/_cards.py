"""The shipped cards by name."""

from types import MappingProxyType
from typing import Final

from neurograft.cells._ideal import IDEAL
from neurograft.cells._protocol import MemoryCell
from neurograft.cells._rram import RRAM_WAN_AIHWKIT, RRAM_WAN_CROSSSIM
from neurograft.errors import CellError, did_you_mean

_SHIPPED: tuple[MemoryCell, ...] = (RRAM_WAN_AIHWKIT, RRAM_WAN_CROSSSIM, IDEAL)

CARDS: Final = MappingProxyType({cell.name: cell for cell in _SHIPPED})


def card(name: str) -> MemoryCell:
    """Return the shipped card of this name.

    >>> card("rram").g_max_siemens
    4e-05
    """
    if name not in CARDS:
        raise CellError(f"{name!r} is no memory card. {did_you_mean(name, CARDS)}")
    return CARDS[name]
