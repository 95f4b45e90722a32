"""From neurons and synapses to cells, dies, area, write time and energy, each figure with its origin."""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, final

from neurograft.cells import Figure
from neurograft.errors import OptionError, did_you_mean
from neurograft.units import PJ

_BITS_PER_BYTE = 8
_UM2_PER_MM2 = 1e6
_NODE_UM = 0.028  # assumed where a survey gives cell sizes in F squared


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Technology:
    """A memory as a planner sees it.  ``cell_um2`` is the area of a cell on the die, layers included."""

    name: str
    bits_per_cell: int
    cells_per_die: Figure
    cell_um2: Figure
    write_bytes_per_s: Figure  # of one die
    write_j_per_cell: Figure


def _second_hand(value: float | None, what: str) -> Figure:
    return Figure(value=value, evidence=f"second-hand: {what}")


_TB_DIE = 2**40 / 3
TECHNOLOGIES: Final = MappingProxyType(
    {
        t.name: t
        for t in (
            Technology(
                name="flash",
                bits_per_cell=3,
                cells_per_die=Figure(value=_TB_DIE, evidence="assumed: a 1-Tb die of three bits a cell"),
                cell_um2=_second_hand(3 / 15e9 * _UM2_PER_MM2, "about 15 Gb/mm2, within 5.6 (2018) to 37.6 (2026)"),
                write_bytes_per_s=_second_hand(164e6, "a TLC die of 2022; 40-164 MB/s"),
                write_j_per_cell=Figure(value=None, evidence="not found"),
            ),
            Technology(
                name="mram",
                bits_per_cell=1,
                cells_per_die=Figure(value=2.0**30, evidence="assumed: a 1-Gb die"),
                cell_um2=_second_hand(0.046, "NVMExplorer survey, median 32 F2"),
                write_bytes_per_s=Figure(value=None, evidence="not found"),
                write_j_per_cell=_second_hand(2.55 * PJ, "NVMExplorer survey, median of 2 (0.6-4.5 pJ)"),
            ),
            Technology(
                name="pram",
                bits_per_cell=3,
                cells_per_die=Figure(value=2.0**30, evidence="assumed: a 1-G-cell die"),
                cell_um2=Figure(value=37.5 * _NODE_UM**2, evidence="second-hand: 25-50 F2; F = 28 nm assumed"),
                write_bytes_per_s=Figure(value=None, evidence="not found"),
                write_j_per_cell=Figure(value=3.5 * PJ, evidence="computed: NVSim defaults, one pulse"),
            ),
            Technology(
                name="rram",
                bits_per_cell=3,
                cells_per_die=Figure(value=3.1e6, evidence="facts: a NeuRRAM chip"),
                cell_um2=Figure(value=28.5 * _NODE_UM**2, evidence="second-hand: 4-53 F2; F = 28 nm assumed"),
                write_bytes_per_s=Figure(value=None, evidence="not found"),
                write_j_per_cell=_second_hand(0.6 * PJ, "NVSim default, one pulse; one survey entry says 681 pJ"),
            ),
        )
    }
)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a brain takes.  ``dies_s`` writes all dies at once, ``one_by_one_s`` one after the other."""

    technology: str
    n_neurons: float
    n_synapses: float
    bits: int
    utilisation: float
    cells_used: float
    cells: float
    bytes_used: float
    dies: Figure
    area_mm2: Figure
    one_by_one_s: Figure
    dies_s: Figure
    energy_j: Figure

    def lines(self) -> tuple[str, ...]:
        """Return the plan in words; every figure says whether it is known or assumed."""
        return (
            f"{self.n_neurons:g} neurons, {self.n_synapses:g} synapses of {self.bits} bits in {self.technology}",
            f"{self.bytes_used:g} bytes of weights in {self.cells_used:g} cells",
            f"{self.cells:g} cells with {self.utilisation:.2%} of them used",
            f"dies: {self.dies}",
            f"cell area: {self.area_mm2.with_unit('mm2')}",
            f"write time, all dies at once: {self.dies_s.with_unit('s')}",
            f"write time, one by one: {self.one_by_one_s.with_unit('s')}",
            f"write energy: {self.energy_j.with_unit('J')}",
        )


def technology(name: str) -> Technology:
    """Return a planner's memory by name.

    >>> technology("flash").bits_per_cell
    3
    """
    if name not in TECHNOLOGIES:
        raise OptionError(f"{name!r} is no memory that can be planned. {did_you_mean(name, TECHNOLOGIES)}")
    return TECHNOLOGIES[name]


def plan(
    *,
    n_neurons: float,
    synapses_per_neuron: float,
    memory: Technology,
    bits: int = 3,
    utilisation: float = 1.0,
) -> Plan:
    """Return cells, dies, area, time and energy for a brain.

    ``utilisation`` is the share of cells that hold synapses: 1 for a list of used cells (flash read as
    storage), a few per cent for packed crossbars, n_synapses / n_neurons**2 for a dense matrix.
    """
    for name, value in (("n_neurons", n_neurons), ("synapses_per_neuron", synapses_per_neuron), ("bits", bits)):
        if not 0 < value < 1e18:
            raise OptionError(f"{name} is {value}. Give a number above 0.")
    if not 0 < utilisation <= 1:
        raise OptionError(f"utilisation is {utilisation}. Give the share of used cells, above 0 to 1.")
    n_synapses = n_neurons * synapses_per_neuron
    used = n_synapses * -(-bits // memory.bits_per_cell)
    cells = used / utilisation
    dies = _scaled(memory.cells_per_die, lambda per_die: cells / per_die)
    stored_bytes = cells * memory.bits_per_cell / _BITS_PER_BYTE
    one_by_one = _scaled(memory.write_bytes_per_s, lambda rate: stored_bytes / rate)
    together = None
    if one_by_one.value is not None and dies.value is not None:
        together = one_by_one.value / max(dies.value, 1.0)
    return Plan(
        technology=memory.name,
        n_neurons=n_neurons,
        n_synapses=n_synapses,
        bits=bits,
        utilisation=utilisation,
        cells_used=used,
        cells=cells,
        bytes_used=n_synapses * bits / _BITS_PER_BYTE,
        dies=dies,
        area_mm2=_scaled(memory.cell_um2, lambda um2: cells * um2 / _UM2_PER_MM2),
        one_by_one_s=one_by_one,
        dies_s=Figure(value=together, evidence=one_by_one.evidence),
        energy_j=_scaled(memory.write_j_per_cell, lambda j: used * j),
    )


# n_neurons, synapses a neuron, where they come from
BRAINS: Final = MappingProxyType(
    {
        "human": (86e9, 1000.0, "the project's seed: 86e9 neurons, about 1,000 synapses each"),
        "mouse": (71e6, 1000.0, "memory: 71e6 neurons; synapses assumed as in the human"),
        "fly": (138_639.0, 15.09e6 / 138_639.0, "FlyWire counts as in the facts: 15.09e6 connections"),
        "worm": (302.0, 3709.0 / 302.0, "Cook et al. 2019, hermaphrodite, chemical connections between neurons"),
    }
)


def _scaled(figure: Figure, to: Callable[[float], float]) -> Figure:
    return Figure(value=None if figure.value is None else to(figure.value), evidence=figure.evidence)
