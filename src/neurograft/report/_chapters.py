"""Whole chapters of a report, made of our data types: a map, a memory image, a copy beside its original."""

from collections.abc import Mapping, Sequence

import numpy as np

from neurograft.cells import MemoryImage
from neurograft.comparing import Fidelity, Trial
from neurograft.maps import Kind, SynapseMap, Undecidable
from neurograft.maps import describe as describe_map
from neurograft.pasting import PasteSummary
from neurograft.report._activity import interval_figure, pairs_figure, rates_figure, spectrum_figure
from neurograft.report._blocks import Block, Cell, KeyNumber, KeyNumbers, Level, Section, Table
from neurograft.report._fidelity import fidelity_figure, fidelity_rows, fidelity_table
from neurograft.report._graph import graph_figure
from neurograft.report._matrix import matrix_figure
from neurograft.report._raster import raster_figure
from neurograft.report._tiles import error_figure, tile_pictures, tiles_figure
from neurograft.spikes import SpikeTrains
from neurograft.units import MS, MV

_MAX_ROWS = 20


def map_chapter(title: str, m: SynapseMap, *, text: str, more: Sequence[Block] = ()) -> Section:
    """Return a map as matrix, graph and table; ``more`` (e.g. correlograms) comes after them."""
    summary = Table(columns=["what"], rows=[[line] for line in describe_map(m)], caption="The map in short.")
    blocks = [summary, matrix_figure(m), graph_figure(m), synapse_table(m), *undecided_table(m), *more]
    return Section(title=title, text=text, blocks=blocks)


def synapse_table(m: SynapseMap) -> Table:
    """Return the synapses with the smallest q-values, or the strongest where there are none."""
    known = np.isfinite(m.q_value).any()
    order = np.argsort(m.q_value if known else -np.abs(m.weight_v), kind="stable")[:_MAX_ROWS]
    rows: list[list[Cell]] = [
        [
            m.labels[m.pre[k]],
            m.labels[m.post[k]],
            Kind(m.kind[k]).name.lower().replace("_", " "),
            float(m.weight_v[k] / MV),
            None if np.isnan(m.weight_se_v[k]) else float(m.weight_se_v[k] / MV),
            float(m.delay_s[k] / MS),
            None if np.isnan(m.q_value[k]) else float(m.q_value[k]),
        ]
        for k in order
    ]
    which = "with the smallest q-values" if known else "that are strongest"
    told = f"The {len(rows)} synapses of {m.n_synapses} {which}. " if m.n_synapses > len(rows) else ""
    return Table(
        columns=["pre", "post", "kind", "weight (mV)", "standard error (mV)", "delay (ms)", "q-value"],
        rows=rows,
        caption=f"{told}Weight is the peak postsynaptic potential at rest; negative inhibits.",
    )


def undecided_table(m: SynapseMap) -> tuple[Table, ...]:
    """Return why pairs are undecidable and how many, or nothing where every pair was decided."""
    if m.evidence is None:
        return ()
    off_diagonal = ~np.eye(m.n_neurons, dtype=bool)
    codes = m.evidence.undecidable[off_diagonal]
    limits_v = m.evidence.limit_v[off_diagonal]
    rows: list[list[Cell]] = []
    for reason in Undecidable:
        has = codes == reason
        if not has.any():
            continue
        finite = limits_v[has][np.isfinite(limits_v[has])]
        name = "decided: synapse or none" if reason is Undecidable.DECIDED else reason.name.lower().replace("_", " ")
        rows.append([name, int(has.sum()), float(np.median(finite) / MV) if finite.size else None])
    return (
        Table(
            columns=["ordered pairs", "number", "median detection limit (mV)"],
            rows=rows,
            caption="What the data could tell. A pair without a synapse is only known to have none above its limit.",
        ),
    )


def memory_chapter(title: str, image: MemoryImage, summary: PasteSummary, *, text: str) -> Section:
    """Return tiles with their programming errors, and what pasting cost."""
    header = image.cell.header
    rows: list[list[Cell]] = [[line] for line in summary.lines()]
    rows.append([f"card: {image.cell.name}; {header.source}; {header.table}; evidence: {header.evidence}"])
    if header.guessed:
        rows.append([f"guessed in the card: {header.guessed}"])
    cost = Table(columns=["what"], rows=rows, caption="What pasting took, each figure with its origin.")
    return Section(title=title, text=text, blocks=[tiles_figure(tile_pictures(image)), error_figure(image), cost])


def fidelity_chapter(
    title: str, trial: Trial, *, text: str, names: Mapping[str, str], first: Sequence[Block] = ()
) -> Section:
    """Return original above copy, and every measure on its scale; ``names`` are those of original and copy."""
    activities: dict[str, SpikeTrains] = {names["original"]: trial.original, names["copy"]: trial.copy}
    if trial.shuffled:
        activities["one shuffled map"] = trial.shuffled[0]
    blocks = [*first, raster_figure(activities), *fidelity_blocks(trial.fidelity)]
    return Section(title=title, text=text, blocks=blocks)


def fidelity_blocks(fidelity: Fidelity) -> list[Block]:
    """Return verdict, table and plots of a comparison."""
    rows, curves = fidelity_rows(fidelity), fidelity.curves
    copies_hz = {name: rate for name, rate in curves.rate_hz.items() if name != "original"}
    coupling = {name: z for name, z in curves.pair_coupling_z.items() if name != "original"}
    return [
        KeyNumbers(numbers=[verdict(fidelity)]),
        fidelity_table(rows),
        fidelity_figure(rows),
        pairs_figure(curves.pair_coupling_z["original"], coupling, quantity="coupling within 8 ms (sd)"),
        rates_figure(curves.rate_hz["original"], copies_hz, labels=fidelity.labels),
        spectrum_figure(curves.spectrum_hz, curves.spectrum),
        interval_figure(curves.interval_edges_s, curves.interval_density),
    ]


def verdict(fidelity: Fidelity) -> KeyNumber:
    """Return in how many headline measures the copy beats every null, and which it does not."""
    lost = [row.name for row in fidelity.headline if not row.beats_all]
    n = len(fidelity.headline)
    remark = f"not in: {', '.join(lost)}" if lost else "nearer to the original than every null, in every one"
    return KeyNumber(
        label="headline measures in which the copy beats both nulls",
        value=f"{n - len(lost)} of {n}",
        remark=remark if n else "this data cannot tell a right copy from a null",
        level=Level.GOOD if n and not lost else Level.WARNING,
    )
