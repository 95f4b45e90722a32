"""Memories as a planner sees them: bits, cells a die, area, pulses, time and energy, each figure with its origin.

Every origin begins with a word that ``grade`` understands: what was read in a source, in another's list of
sources (second-hand), computed, remembered (memory), assumed, or not found.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, final

from neurograft.cells import Figure
from neurograft.errors import OptionError, did_you_mean
from neurograft.units import MS, NS, PJ, US

_UM2_PER_MM2 = 1e6
_NODE_UM = 0.028  # assumed where a survey gives cell sizes in F squared
_GRADES = ("not known", "assumed", "memory", "second-hand", "computed", "known")  # the worst first
_FIRST_WORDS = {
    "not found": "not known",
    "not known": "not known",
    "assumed": "assumed",
    "guessed": "assumed",
    "memory": "memory",
    "second-hand": "second-hand",
    "computed": "computed",
}


def grade(figure: Figure) -> str:
    """Return how far a figure can be trusted: that of its worst part, parts being set apart by semicolons.

    >>> grade(Figure(value=1.0, evidence="second-hand: a survey; assumed: a 1-Gb die"))
    'assumed'
    """
    if figure.value is None:
        return "not known"
    parts = (part.strip() for part in figure.evidence.split(";"))
    found = [next((g for word, g in _FIRST_WORDS.items() if part.startswith(word)), "known") for part in parts]
    return min(found, key=_GRADES.index)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Technology:
    """A memory.  ``cell_um2`` is the area of a cell on the die, all ``layers`` of cells counted.

    Where the write rate of a die is not published it is computed from pulses, and says so.
    """

    name: str
    bits_per_cell: int
    cells_per_die: Figure
    cell_um2: Figure
    layers: Figure  # in ``cell_um2``
    pulse_s: Figure
    pulses_per_cell: Figure
    cells_at_once: Figure  # of a die
    pulse_j: Figure
    write_bytes_per_s: Figure  # of a die, as published


def technology(name: str) -> Technology:
    """Return a planner's memory by name.

    >>> technology("flash").bits_per_cell
    3
    """
    if name not in TECHNOLOGIES:
        raise OptionError(f"{name!r} is no memory that can be planned. {did_you_mean(name, TECHNOLOGIES)}")
    return TECHNOLOGIES[name]


def _second_hand(value: float, what: str) -> Figure:
    return Figure(value=value, evidence=f"second-hand: {what}")


def _assumed(value: float, what: str) -> Figure:
    return Figure(value=value, evidence=f"assumed: {what}")


_NOT_FOUND = Figure(value=None, evidence="not found")
_ONE_LAYER = _assumed(1.0, "one layer of cells")
_FLASH = Technology(
    name="flash",
    bits_per_cell=3,
    cells_per_die=_assumed(2**40 / 3, "a 1-Tb die of three bits a cell"),
    cell_um2=_second_hand(3 / 15e9 * _UM2_PER_MM2, "about 15 Gb/mm2, within 5.6 (2018) to 37.6 (2026)"),
    layers=Figure(value=232.0, evidence="memory: NAND of about 15 Gb/mm2 has 232 layers"),
    pulse_s=_second_hand(0.8 * MS, "a page, all its pulses: Micron 96L TLC"),
    pulses_per_cell=_assumed(1.0, "the page time holds all pulses"),
    cells_at_once=_assumed(16 * 1024 * 8.0, "a page of 16 KiB"),
    pulse_j=_NOT_FOUND,
    write_bytes_per_s=_second_hand(164e6, "a TLC die of 2022, 40 to 164 MB/s"),
)
_MRAM = Technology(
    name="mram",
    bits_per_cell=1,
    cells_per_die=_assumed(2.0**30, "a 1-Gb die"),
    cell_um2=_second_hand(0.046, "NVMExplorer survey, median 32 F2"),
    layers=_ONE_LAYER,
    pulse_s=_second_hand(12 * NS, "NVMExplorer survey, median of 16 (2 to 200 ns)"),
    pulses_per_cell=Figure(value=1.0, evidence="computed: pasting a larva, seven bits"),
    cells_at_once=_assumed(256.0, "a row of 256 cells"),
    pulse_j=_second_hand(2.55 * PJ, "NVMExplorer survey, median of 2 (0.6 to 4.5 pJ)"),
    write_bytes_per_s=_NOT_FOUND,
)
_PRAM = Technology(
    name="pram",
    bits_per_cell=3,
    cells_per_die=_assumed(2.0**30, "a die of 1 G cells"),
    cell_um2=Figure(value=37.5 * _NODE_UM**2, evidence="second-hand: 25 to 50 F2; assumed: F = 28 nm"),
    layers=_ONE_LAYER,
    pulse_s=_second_hand(100 * NS, "NVMExplorer survey, SET, median of 11 (20 ns to 30 us)"),
    pulses_per_cell=Figure(value=5.4, evidence="computed: pasting a larva with write-verify; an attempt is one pulse"),
    cells_at_once=_assumed(256.0, "a row of 256 cells"),
    pulse_j=Figure(value=3.5 * PJ, evidence="computed: NVSim cell defaults"),
    write_bytes_per_s=_NOT_FOUND,
)
_RRAM = Technology(
    name="rram",
    bits_per_cell=3,
    cells_per_die=Figure(value=3.1e6, evidence="second-hand: a NeuRRAM chip"),
    cell_um2=Figure(value=28.5 * _NODE_UM**2, evidence="second-hand: 4 to 53 F2; assumed: F = 28 nm"),
    layers=_ONE_LAYER,
    pulse_s=Figure(value=1 * US, evidence="code: NeuRRAM chip code"),
    pulses_per_cell=Figure(value=12.7, evidence="computed: pasting a larva; assumed: response to one pulse"),
    cells_at_once=_assumed(256.0, "a row of 256 cells"),
    pulse_j=_second_hand(0.6 * PJ, "NVSim default, one survey entry says 681 pJ"),
    write_bytes_per_s=_NOT_FOUND,
)
TECHNOLOGIES: Final = MappingProxyType({t.name: t for t in (_FLASH, _MRAM, _PRAM, _RRAM)})
