"""``neurograft plan``: what a brain takes in a memory, and which of the figures are known."""

from typing import TYPE_CHECKING, Annotated

import typer

from neurograft.cli._options import AsJson, show
from neurograft.errors import OptionError

if TYPE_CHECKING:
    from neurograft.pasting import Brain, Plan


def plan_command(
    neurons: Annotated[float | None, typer.Option(help="Number of neurons, such as 86e9.")] = None,
    synapses_per_neuron: Annotated[float | None, typer.Option(help="Synapses of a neuron, mean.")] = None,
    brain: Annotated[
        str | None, typer.Option(help="human, mouse, fly or worm, instead of numbers; without either: all four.")
    ] = None,
    memory: Annotated[str, typer.Option(help="flash, mram, pram or rram.")] = "flash",
    bits: Annotated[int, typer.Option(help="Bits of a weight; the seed's 86 TB are 8.")] = 8,
    utilisation: Annotated[
        float, typer.Option(help="Share of cells that hold synapses: 1 a list, 0.03 packed crossbars.")
    ] = 1.0,
    layers: Annotated[int | None, typer.Option(help="Layers of cells, instead of the memory's own.")] = None,
    as_json: AsJson = False,
) -> None:
    """Plan a memory for a brain: cells, dies, area, layers, write time, energy; known, assumed or not known."""
    from neurograft.pasting import plan, technology

    chosen = technology(memory)
    plans = {
        name: plan(
            n_neurons=one.n_neurons,
            synapses_per_neuron=one.synapses_per_neuron,
            memory=chosen,
            bits=bits,
            utilisation=utilisation,
            layers=layers,
            counts=one.evidence,
        )
        for name, one in _asked(neurons, synapses_per_neuron, brain).items()
    }
    lines: list[str] = []
    for name, found in plans.items():
        first, *rest = found.lines()
        lines += [*([""] if lines else []), f"{name}: {first}", *(f"  {line}" for line in rest)]
    show(lines, {name: _as_json(found) for name, found in plans.items()}, as_json=as_json)


def _asked(neurons: float | None, synapses_per_neuron: float | None, name: str | None) -> "dict[str, Brain]":
    from neurograft.pasting import BRAINS, Brain, brain

    given = (neurons, synapses_per_neuron)
    if name is not None:
        if given != (None, None):
            raise OptionError("--brain has its own numbers. Leave out --neurons and --synapses-per-neuron, or --brain.")
        return {name: brain(name)}
    if neurons is None and synapses_per_neuron is None:
        return dict(BRAINS)
    if neurons is None or synapses_per_neuron is None:
        missing = "--neurons" if neurons is None else "--synapses-per-neuron"
        raise OptionError(f"{missing} is missing. Give both numbers, or --brain human.")
    return {"yours": Brain(neurons, synapses_per_neuron, "known: given")}


def _as_json(found: "Plan") -> dict[str, object]:
    from neurograft.pasting import grade

    plain: dict[str, object] = {
        "memory": found.technology,
        "neurons": found.n_neurons,
        "synapses": found.n_synapses,
        "counts_evidence": found.counts,
        "bits": found.bits,
        "utilisation": found.utilisation,
        "cells_used": found.cells_used,
        "cells": found.cells,
        "bytes": found.bytes_used,
        "bytes_as_list": found.list_bytes,
    }
    names = ("dies", "area_mm2", "layers", "dies_s", "one_by_one_s", "energy_j")
    figures: dict[str, object] = {
        name: {"value": figure.value, "unit": unit, "grade": grade(figure), "evidence": figure.evidence}
        for name, (_, figure, unit) in zip(names, found.figures(), strict=True)
    }
    return plain | figures
