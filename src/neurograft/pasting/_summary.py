"""What pasting cost and how far the memory is from the map."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from numpy.random import Generator

from neurograft.cells import (
    ROOM_TEMPERATURE_K,
    AbsentUnused,
    Figure,
    Flag,
    MemoryImage,
    ZeroUnused,
    crossbars,
    n_unused,
    products,
    zero_cells,
)
from neurograft.errors import ImageError
from neurograft.maps import SynapseMap
from neurograft.wording import counted

_N_INPUTS = 16
_NO_ENERGY = "write energy: not known"
_ACTIVE = 0.01  # share of axons active in a trial input, as in the measured table of the facts


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PasteSummary:
    """Counts, cost and errors of an image at the end of programming.

    ``weight_error`` is rms(weight in memory - weight in map) / rms(weight in map); ``product_error`` the same
    for the postsynaptic sums of random inputs in which 1 % of the axons are active.  Times count pulses and
    verify reads; in parallel means every tile at once, in a tile as many cells of a row at a time as the
    card's ``cells_at_once`` (one, but a page of flash).
    """

    n_synapses: int
    n_cells: int
    n_tiles: int
    utilisation: float  # synapses / cells of all tiles
    n_left_out: int
    n_clipped: int
    pulses: int
    pulses_mean: float
    pulses_p95: float
    n_failed: int
    n_defective: int
    n_spare_rows: int
    weight_error: float
    product_error: float
    serial_s: Figure
    parallel_s: Figure
    energy_j: Figure
    n_unused: int  # cells on a used row and column that hold nothing
    unused_pulses: int  # to program them to weight 0; 0 where they do not conduct

    def lines(self) -> tuple[str, ...]:
        """Return the summary in words, a fact a line."""
        n = max(self.n_cells, 1)
        return (
            f"{counted(self.n_synapses, 'synapse')} in {counted(self.n_cells, 'cell')} on "
            f"{counted(self.n_tiles, 'tile')}, {self.utilisation:.2%} used",
            f"{self.pulses} pulses, {self.pulses_mean:.2f} a cell, 95th percentile {self.pulses_p95:g}",
            f"{counted(self.n_failed, 'cell')} out of band ({self.n_failed / n:.2%}), {self.n_defective} defective, "
            f"{self.n_spare_rows} spare rows used",
            f"{counted(self.n_clipped, 'synapse')} clipped, {self.n_left_out} paths and undecided kinds left out",
            f"{counted(self.n_unused, 'cell')} of used rows and columns without a weight"
            + (f"; {self.unused_pulses} pulses program them to 0" if self.unused_pulses else ""),
            f"error of weights {self.weight_error:.1%}, of postsynaptic sums {self.product_error:.1%}",
            f"write time, cells one by one: {self.serial_s.with_unit('s')}",
            f"write time, all tiles at once: {self.parallel_s.with_unit('s')}",
            f"write energy: {self.energy_j.with_unit('J')}" if self.energy_j.value is not None else _NO_ENERGY,
        )


def summarise(
    image: MemoryImage, m: SynapseMap, *, seed: int = 0, unused: AbsentUnused | ZeroUnused | None = None
) -> PasteSummary:
    """Return the cost and the errors of an image against the map that was pasted; ``seed`` draws the trial inputs.

    Where unused cells conduct, the error of sums is that of sums read from the columns, and the pulses that
    program unused cells to 0 are counted beside those of the used ones, not in them.
    """
    require_same_map(image, m)
    g = _held_siemens(image)
    signed = image.sign * np.array(image.part_gain)[image.part] * image.code.to_volts(g)
    held = np.bincount(image.synapse, weights=signed, minlength=m.n_synapses)
    is_pasted = np.bincount(image.synapse, minlength=m.n_synapses) > 0
    wanted = np.where(is_pasted, m.weight_v, 0.0)
    out = (image.flags & Flag.OUT_OF_BAND) > 0
    spare = (image.flags & Flag.SPARE) > 0
    lines = np.unique(image.tile[spare].astype(np.int64) * image.tiles.rows + image.row[spare])
    pulses = image.pulses.astype(np.int64)
    serial, parallel, energy = _cost(image)
    n_empty = n_unused(image)
    product_error, zero_pulses = _product_error(m, held - wanted, wanted, seed), 0.0
    if isinstance(unused, ZeroUnused):
        rng = np.random.default_rng(seed)
        zero = zero_cells(image, unused, age_s=0.0, temperature_k=ROOM_TEMPERATURE_K, rng=rng)
        zero_pulses = zero.pulses
        seen, right = trial_sums(image, m, age_s=0.0, temperature_k=ROOM_TEMPERATURE_K, unused=unused, rng=rng)
        product_error = _relative((seen - right).ravel(), right.ravel())
    return PasteSummary(
        n_synapses=int(np.count_nonzero(is_pasted)),
        n_cells=image.n_cells,
        n_tiles=image.tiles.n_tiles,
        utilisation=float(is_pasted.sum()) / max(image.tiles.n_tiles * image.tiles.rows * image.tiles.columns, 1),
        n_left_out=image.n_left_out,
        n_clipped=int(np.count_nonzero(image.flags & Flag.CLIPPED)),
        pulses=int(pulses.sum()),
        pulses_mean=float(pulses.mean()) if pulses.size else 0.0,
        pulses_p95=float(np.percentile(pulses, 95)) if pulses.size else 0.0,
        n_failed=int(np.count_nonzero(out)),
        n_defective=int(np.count_nonzero(image.flags & Flag.DEFECTIVE)),
        n_spare_rows=lines.size,
        weight_error=_relative(held - wanted, wanted),
        product_error=product_error,
        serial_s=serial,
        parallel_s=parallel,
        energy_j=energy,
        n_unused=n_empty,
        unused_pulses=round(n_empty * zero_pulses),
    )


def trial_sums(
    image: MemoryImage,
    m: SynapseMap,
    *,
    age_s: float,
    temperature_k: float,
    unused: AbsentUnused | ZeroUnused | None,
    rng: Generator,
) -> tuple[Float64[ndarray, "inputs neurons"], Float64[ndarray, "inputs neurons"]]:
    """Return postsynaptic sums as read and as they should be, for inputs in which 1 % of the axons are active."""
    bars = crossbars(image, age_s=age_s, temperature_k=temperature_k, unused=unused, rng=rng)
    origin = np.unique(image.synapse)
    axons = np.unique(m.pre[origin])
    inputs = np.zeros((_N_INPUTS if axons.size else 0, m.n_neurons))
    for x in inputs:
        x[rng.choice(axons, max(1, round(_ACTIVE * axons.size)), replace=False)] = 1.0
    right = [
        np.bincount(m.post[origin], weights=m.weight_v[origin] * x[m.pre[origin]], minlength=x.size) for x in inputs
    ]
    return products(bars, inputs, rng), np.array(right).reshape(inputs.shape)


def require_same_map(image: MemoryImage, m: SynapseMap) -> None:
    """Raise ImageError for a map from which the image cannot have been made."""
    if (image.n_cells and int(image.synapse.max()) >= m.n_synapses) or image.nodes.labels != m.labels:
        raise ImageError("The image was not made from this map. Give the map that was pasted.")


def _held_siemens(image: MemoryImage) -> Float64[ndarray, " cells"]:
    """Return what cells hold: of a cell with levels the level that a read finds, of an analog one its state."""
    g = image.programmed_siemens.astype(np.float64)
    if image.cell.levels is None:
        return g
    rng = np.random.default_rng(0)  # reads of levels are exact: nothing is drawn
    return image.cell.read(g, programmed_siemens=g, age_s=0.0, temperature_k=ROOM_TEMPERATURE_K, rng=rng)


def _relative(error: Float64[ndarray, " values"], wanted: Float64[ndarray, " values"]) -> float:
    size = float(np.sqrt(np.sum(wanted**2)))
    return float(np.sqrt(np.sum(error**2))) / size if size > 0 else 0.0


def _product_error(
    m: SynapseMap, error: Float64[ndarray, " synapses"], wanted: Float64[ndarray, " synapses"], seed: int
) -> float:
    rng = np.random.default_rng(seed)
    axons = np.unique(m.pre)
    n_active = max(1, round(_ACTIVE * axons.size))
    errors: list[ndarray] = []
    sums: list[ndarray] = []
    for _ in range(_N_INPUTS if axons.size else 0):
        x = np.zeros(m.n_neurons)
        x[rng.choice(axons, n_active, replace=False)] = 1.0
        errors.append(np.bincount(m.post, weights=error * x[m.pre], minlength=m.n_neurons))
        sums.append(np.bincount(m.post, weights=wanted * x[m.pre], minlength=m.n_neurons))
    return _relative(np.concatenate(errors), np.concatenate(sums)) if errors else 0.0


def _cost(image: MemoryImage) -> tuple[Figure, Figure, Figure]:
    """Return serial time, parallel time and energy; a decision is one after each pulse and one before the first.

    Each takes as many reads as the image was pasted with.
    """
    cost, n_reads = image.cell.cost, _reads(image)
    pulses = image.pulses.sum(dtype=np.int64)
    reads = n_reads * (pulses + image.n_cells)
    origin = f"pulse {cost.pulse_s.evidence}; read {cost.read_s.evidence}"
    serial = parallel = None
    if cost.pulse_s.value is not None and cost.read_s.value is not None:
        serial = float(pulses * cost.pulse_s.value + reads * cost.read_s.value)
        decision_s = n_reads * cost.read_s.value
        each = image.pulses * (cost.pulse_s.value + decision_s) + decision_s
        parallel = float(_busiest_tile(image, each, cost.cells_at_once))
    energy = None
    if cost.pulse_j.value is not None and cost.read_j.value is not None:
        energy = float(pulses * cost.pulse_j.value + reads * cost.read_j.value)
    return (
        Figure(value=serial, evidence=origin),
        Figure(value=parallel, evidence=origin),
        Figure(value=energy, evidence=f"pulse {cost.pulse_j.evidence}; read {cost.read_j.evidence}"),
    )


def _reads(image: MemoryImage) -> int:
    verify = image.provenance.parameters.get("verify")
    found = verify.get("n_reads", 1) if isinstance(verify, dict) else 1
    return found if isinstance(found, int) else 1


def _busiest_tile(image: MemoryImage, each_s: Float64[ndarray, " cells"], cells_at_once: int) -> float:
    """Return the longest time that a tile takes: cells of a row that share pulses wait for the slowest."""
    group = (image.tile.astype(np.int64) * image.tiles.rows + image.row) * image.tiles.columns
    group += image.column.astype(np.int64) // cells_at_once
    starts = np.flatnonzero(np.diff(group, prepend=-1))  # cells are sorted by tile, row, column
    if not starts.size:
        return 0.0
    slowest = np.maximum.reduceat(each_s, starts)
    return float(np.bincount(image.tile[starts], weights=slowest).max())
