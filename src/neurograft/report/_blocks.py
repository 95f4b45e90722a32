"""What a report is made of: sections of figures, tables, notes and key numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol, final, runtime_checkable

from neurograft.provenance import Provenance

Cell = str | float | int | bool | None


class Level(Enum):
    """How loud a note is."""

    INFO = "info"
    GOOD = "good"
    WARNING = "warning"


@runtime_checkable
class PlotlyFigure(Protocol):
    """What plotly's own figures offer; ours are plain mappings, which need no plotly to be built."""

    def to_plotly_json(self) -> Any:
        """Return data and layout as plain objects and arrays."""
        ...


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Figure:
    """An interactive plot: ``plot`` has plotly's keys ``data`` and ``layout``; the caption says what to look for."""

    plot: Mapping[str, Any] | PlotlyFigure
    caption: str
    height_px: int = 420


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of plain values; numbers are shown with four digits, None as a dash."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A paragraph that stands out; also what a figure-maker gives back when there is nothing to draw."""

    text: str
    level: Level = Level.INFO


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class KeyNumber:
    """One number that a reader should take away."""

    label: str
    value: str
    remark: str = ""
    level: Level = Level.INFO


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class KeyNumbers:
    """A row of cards with key numbers."""

    numbers: Sequence[KeyNumber]


Block = Figure | Table | Note | KeyNumbers


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One chapter; ``text`` may have paragraphs, separated by an empty line."""

    title: str
    blocks: Sequence[Block]
    text: str = ""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A whole report."""

    title: str
    sections: Sequence[Section]
    intro: str = ""
    provenance: Provenance | None = None
    key_numbers: Sequence[KeyNumber] = field(default=())
