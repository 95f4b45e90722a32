"""From neurons and synapses to cells, dies, area, layers, write time and energy, each figure with its origin."""

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple, final

from neurograft.cells import Figure
from neurograft.errors import OptionError, did_you_mean
from neurograft.pasting._technologies import Technology, grade

_BITS_PER_BYTE = 8
_UM2_PER_MM2 = 1e6
_MOST = 1e18  # of anything that is counted: far beyond every brain, and sums stay exact enough
_MOST_BITS = 64
_MOST_LAYERS = 10_000


class Brain(NamedTuple):
    """A worked row: counts and where they come from."""

    n_neurons: float
    synapses_per_neuron: float
    evidence: str


BRAINS: Final = MappingProxyType(
    {
        "human": Brain(
            86e9, 1000.0, "known: 86e9 neurons (the project's seed); assumed: about 1,000 synapses each (the seed)"
        ),
        "mouse": Brain(71e6, 1000.0, "memory: 71e6 neurons; assumed: synapses as in the human"),
        "fly": Brain(138_639.0, 15.09e6 / 138_639.0, "known: FlyWire, 138,639 neurons and 15.09e6 connections"),
        "worm": Brain(
            302.0, 3709.0 / 302.0, "known: Cook et al. 2019, hermaphrodite, 3,709 chemical connections of 302 neurons"
        ),
    }
)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a brain takes.  ``dies_s`` writes all dies at once, ``one_by_one_s`` one after the other.

    ``list_bytes`` is what the same synapses take as a list, each with the number of its target: in a crossbar
    the place of the cell says this.
    """

    technology: str
    n_neurons: float
    n_synapses: float
    counts: str  # where these two come from
    bits: int
    utilisation: float
    cells_used: float
    cells: float
    bytes_used: float
    list_bytes: float
    dies: Figure
    area_mm2: Figure  # of silicon, all layers used
    layers: Figure
    one_by_one_s: Figure
    dies_s: Figure
    energy_j: Figure

    def figures(self) -> tuple[tuple[str, Figure, str], ...]:
        """Return name, figure and unit of everything that may be assumed or not known."""
        return (
            ("dies", self.dies, ""),
            ("cell area", self.area_mm2, "mm2"),
            ("layers of cells", self.layers, ""),
            ("write time, all dies at once", self.dies_s, "s"),
            ("write time, one die after the other", self.one_by_one_s, "s"),
            ("write energy", self.energy_j, "J"),
        )

    def lines(self) -> tuple[str, ...]:
        """Return the plan in words; every figure says whether it is known or assumed, and why."""
        used = Figure(value=self.n_synapses, evidence=self.counts)
        return (
            f"{self.n_neurons:g} neurons, {self.n_synapses:g} synapses of {self.bits} bits in {self.technology}",
            f"counts: {grade(used)} ({self.counts})",
            f"{self.bytes_used:g} bytes of weights in {self.cells_used:g} cells; as a list with targets "
            f"{self.list_bytes:g} bytes",
            f"{self.cells:g} cells with {self.utilisation:.2%} of them used",
            *(_line(name, figure, unit) for name, figure, unit in self.figures()),
        )


def _line(name: str, figure: Figure, unit: str) -> str:
    how = grade(figure)
    value = "not known" if figure.value is None else f"{figure.value:.3g} {unit}".rstrip() + f", {how}"
    return f"{name}: {value} ({figure.evidence})"


def brain(name: str) -> Brain:
    """Return a worked row by name.

    >>> brain("human").n_neurons
    86000000000.0
    """
    if name not in BRAINS:
        raise OptionError(f"{name!r} is no brain of the table. {did_you_mean(name, BRAINS)}")
    return BRAINS[name]


def plan(
    *,
    n_neurons: float,
    synapses_per_neuron: float,
    memory: Technology,
    bits: int = 3,
    utilisation: float = 1.0,
    layers: int | None = None,
    counts: str = "known: given",
) -> Plan:
    """Return cells, dies, area, layers, time and energy for a brain.

    ``utilisation`` is the share of cells that hold synapses: 1 for a list of used cells (flash read as
    storage), a few per cent for packed crossbars, n_synapses / n_neurons**2 for a dense matrix.  ``layers``
    None takes the memory's own; another number divides the area of a layer by it, which is an assumption.
    """
    _require(n_neurons=n_neurons, synapses_per_neuron=synapses_per_neuron, bits=bits)
    if bits > _MOST_BITS:
        raise OptionError(f"bits is {bits}. Give the bits of a weight, 1 to {_MOST_BITS}.")
    if not 0 < utilisation <= 1:
        raise OptionError(f"utilisation is {utilisation}. Give the share of used cells, above 0 to 1.")
    if layers is not None and not 1 <= layers <= _MOST_LAYERS:
        raise OptionError(f"layers is {layers}. Give 1 to {_MOST_LAYERS} layers of cells.")
    n_synapses = n_neurons * synapses_per_neuron
    used = n_synapses * -(-bits // memory.bits_per_cell)
    cells = used / utilisation
    dies = _scaled(cells, over=(memory.cells_per_die,))
    one_by_one = _write_s(memory, used=used, cells=cells)
    stack = memory.layers if layers is None else Figure(value=float(layers), evidence=f"assumed: {layers} layers asked")
    return Plan(
        technology=memory.name,
        n_neurons=n_neurons,
        n_synapses=n_synapses,
        counts=counts,
        bits=bits,
        utilisation=utilisation,
        cells_used=used,
        cells=cells,
        bytes_used=n_synapses * bits / _BITS_PER_BYTE,
        list_bytes=n_synapses * (bits + math.ceil(math.log2(max(n_neurons, 2.0)))) / _BITS_PER_BYTE,
        dies=dies,
        area_mm2=_area(memory, stack, cells),
        layers=stack,
        one_by_one_s=one_by_one,
        dies_s=_at_least(memory.pulse_s.value or 0.0, _scaled(1.0, times=(one_by_one,), over=(_at_least(1.0, dies),))),
        energy_j=_scaled(used, times=(memory.pulse_j, memory.pulses_per_cell)),
    )


def _write_s(memory: Technology, *, used: float, cells: float) -> Figure:
    """Return the time to write one die after the other: at the published rate, else by pulses of used cells.

    It is at least one pulse (for flash, one page).
    """
    if memory.write_bytes_per_s.value is not None:
        stored_bytes = cells * memory.bits_per_cell / _BITS_PER_BYTE
        found = _scaled(stored_bytes, over=(memory.write_bytes_per_s,))
    else:
        found = _scaled(used, times=(memory.pulse_s, memory.pulses_per_cell), over=(memory.cells_at_once,))
    return _at_least(memory.pulse_s.value or 0.0, found)


def _area(memory: Technology, stack: Figure, cells: float) -> Figure:
    if stack is memory.layers:
        return _scaled(cells / _UM2_PER_MM2, times=(memory.cell_um2,))
    return _scaled(cells / _UM2_PER_MM2, times=(memory.cell_um2, memory.layers), over=(stack,))


def _scaled(factor: float, *, times: tuple[Figure, ...] = (), over: tuple[Figure, ...] = ()) -> Figure:
    """Return factor * times / over, with the origins of all; not known where one of them is."""
    evidence = "; ".join(dict.fromkeys(f.evidence for f in (*times, *over)))
    value = factor
    for figure in times:
        if figure.value is None:
            return Figure(value=None, evidence=evidence)
        value *= figure.value
    for figure in over:
        if figure.value is None:
            return Figure(value=None, evidence=evidence)
        value /= figure.value
    return Figure(value=value, evidence=evidence)


def _at_least(least: float, figure: Figure) -> Figure:
    return figure if figure.value is None else Figure(value=max(figure.value, least), evidence=figure.evidence)


def _require(**counts: float) -> None:
    for name, value in counts.items():
        if not 0 < value < _MOST:
            raise OptionError(f"{name} is {value}. Give a number above 0, below {_MOST:g}.")
