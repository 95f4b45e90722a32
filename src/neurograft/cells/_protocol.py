"""What every memory cell can do, and the small types that all cards share."""

from dataclasses import dataclass
from enum import IntFlag
from typing import NamedTuple, Protocol, final, runtime_checkable

from jaxtyping import Float64, UInt8, UInt16, UInt64
from numpy import ndarray
from numpy.random import Generator

from neurograft.errors import OptionError

ROOM_TEMPERATURE_K = 298.15


class Flag(IntFlag):
    """What happened to a cell.  The numbers are written to files: never change one."""

    OUT_OF_BAND = 1  # write-verify gave up: the last read was outside the accepted band
    DEFECTIVE = 2  # the cell is dead, stuck low or leaky (known to the simulation, not to the programmer)
    SPARE = 4  # the cell lies on a spare row
    CLIPPED = 8  # its weight was beyond the window and is held at the end of the window
    ZERO = 16  # the cell holds no weight of its own: the other half of a differential pair


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Where a card's numbers come from; without it no card may be used."""

    source: str
    table: str
    conditions: str
    fitted: str
    guessed: str
    evidence: str  # measured, code, abstract, second-hand, computed, guessed or memory
    residual: str = "not stated by the source"  # of the formula against the measurements


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number with its origin; ``value`` is None where nobody has published it."""

    value: float | None
    evidence: str

    def __str__(self) -> str:
        """Return the value and its origin, or the words 'not known'."""
        return self.with_unit("")

    def with_unit(self, unit: str) -> str:
        """Return value, unit and origin in words."""
        known = "not known" if self.value is None else f"{self.value:g} {unit}".rstrip()
        return f"{known} ({self.evidence})"


_NOT_FOUND = Figure(value=None, evidence="not found")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Time and energy of one programming pulse and of one read; ``cells_at_once`` cells of a row share a pulse.

    ``endurance`` is the number of writes that a cell survives.
    """

    pulse_s: Figure
    read_s: Figure
    pulse_j: Figure
    read_j: Figure
    cells_at_once: int = 1
    endurance: Figure = _NOT_FOUND


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Defects:
    """Share of cells that cannot be programmed: dead (0 S), stuck at the lower end, leaky (at the upper end)."""

    dead: float = 0.0
    stuck_low: float = 0.0
    leaky: float = 0.0

    def __post_init__(self) -> None:
        """Refuse shares outside 0 to 1."""
        for name in ("dead", "stuck_low", "leaky"):
            if not 0 <= getattr(self, name) <= 1:
                raise OptionError(f"{name} is {getattr(self, name)}. Give the share of cells, from 0 to 1.")
        if self.dead + self.stuck_low + self.leaky > 1:
            raise OptionError("dead, stuck_low and leaky add up to more than 1. Give shares of all cells.")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramAndVerify:
    """Closed loop: pulse, read, decide, repeat until the read lies in the band; then again after relaxation.

    ``tolerance`` is half the accepted band as a share of the card's highest conductance (0.025: the
    1 uS of 40 uS of NeuRRAM, Wan 2022).  Each further pass, up to ``max_passes``, programs anew the
    cells that have left the band by relaxing.  Each decision rests on the mean of ``n_reads`` reads, whose
    noise is taken as independent (noise of 1/f kind averages out less); levels of flash and MRAM read exactly.
    """

    tolerance: float = 0.025
    max_passes: int = 1
    max_pulses: int = 1000
    n_reads: int = 1

    def __post_init__(self) -> None:
        """Refuse values that cannot be programmed."""
        if not 0 < self.tolerance < 1:
            raise OptionError(
                f"tolerance is {self.tolerance}. Give half the band as a share of g_max, above 0, below 1."
            )
        if not 1 <= self.max_passes <= 1000:
            raise OptionError(f"max_passes is {self.max_passes}. Give 1 to 1000.")
        if not 1 <= self.max_pulses <= 60_000:
            raise OptionError(f"max_pulses is {self.max_pulses}. Give 1 to 60000 (a pass).")
        if not 1 <= self.n_reads <= 1000:
            raise OptionError(f"n_reads is {self.n_reads}. Give 1 to 1000 reads a decision.")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class OneShot:
    """No verify: every cell is set once, with the card's published spread; counted as one pulse."""


Cells = Float64[ndarray, " cells"]


class Written(NamedTuple):
    """What writing left behind, a value a cell; ``g_siemens`` is at the end of programming."""

    g_siemens: Float64[ndarray, " cells"]
    pulses: UInt16[ndarray, " cells"]
    flags: UInt8[ndarray, " cells"]


@runtime_checkable
class MemoryCell(Protocol):
    """A card: parameters and pure functions.  Values outside what is known of the cell raise CellError."""

    @property
    def name(self) -> str:
        """Name under which ``card`` finds it."""
        ...

    @property
    def g_min_siemens(self) -> float:
        """Lowest conductance that can be asked for."""
        ...

    @property
    def g_max_siemens(self) -> float:
        """Highest conductance that can be asked for."""
        ...

    @property
    def levels(self) -> int | None:
        """Number of levels that a read tells apart, evenly spaced over the window; None for an analog cell."""
        ...

    @property
    def defects(self) -> Defects:
        """Share of cells that cannot be programmed."""
        ...

    @property
    def cost(self) -> Cost:
        """Time and energy, each with its origin."""
        ...

    @property
    def header(self) -> Header:
        """Source, table, conditions, what was fitted and what was guessed."""
        ...

    def program(self, target_siemens: Cells, rng: Generator) -> Cells:
        """Return conductances after one-shot programming with the published spread."""
        ...

    def pulse(self, g_siemens: Cells, drive: Cells, rng: Generator) -> Cells:
        """Return conductances after one pulse each; drive -1 is the strongest lowering pulse, +1 raising, 0 none."""
        ...

    def write(
        self,
        target_siemens: Cells,
        *,
        address: UInt64[ndarray, " cells"],
        defect: UInt8[ndarray, " cells"],
        verify: ProgramAndVerify,
        key: int,
    ) -> Written:
        """Return the outcome of write-verify; a cell's random numbers depend on key and address only."""
        ...

    def age(self, g_siemens: Cells, *, age_s: float, temperature_k: float, rng: Generator) -> Cells:
        """Return conductances ``age_s`` after the end of programming, kept at ``temperature_k``."""
        ...

    def read(
        self, g_siemens: Cells, *, programmed_siemens: Cells, age_s: float, temperature_k: float, rng: Generator
    ) -> Cells:
        """Return one noisy reading of conductances that are ``age_s`` old and were ``programmed_siemens`` at first."""
        ...

    def read_noise_siemens(self, g_siemens: Cells, *, programmed_siemens: Cells, age_s: float) -> Cells:
        """Return the sd of ``read`` from one reading to the next; 0 where readings are exact."""
        ...
