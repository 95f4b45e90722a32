"""``neurograft import TABLE``: a connectome table becomes a map."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurograft.cli._options import AsJson, Out, Seed, show
from neurograft.errors import MapError, OptionError

if TYPE_CHECKING:
    from neurograft.maps import SignRule, SynapseMap


def import_command(
    table: Annotated[Path, typer.Argument(help="CSV, TSV, NPZ, Parquet or Feather: one row a connection.")],
    out: Out,
    pre: Annotated[str | None, typer.Option(help="Column of the presynaptic neuron.")] = None,
    post: Annotated[str | None, typer.Option(help="Column of the postsynaptic neuron.")] = None,
    weight: Annotated[str | None, typer.Option(help="Column of counts or strengths.")] = None,
    transmitter: Annotated[str | None, typer.Option(help="Column of the neurotransmitter.")] = None,
    no_header: Annotated[bool, typer.Option("--no-header", help="The first row is data.")] = False,
    neurons: Annotated[Path | None, typer.Option(help="Table of neurons: order, labels, positions.")] = None,
    n_neurons: Annotated[
        int | None, typer.Option("--n-neurons", help="Neurons are 0 to N - 1, also those without a connection.")
    ] = None,
    add_to: Annotated[
        Path | None,
        typer.Option(help="Add to this map, e.g. gap junctions to chemical synapses."),
    ] = None,
    undirected: Annotated[bool, typer.Option("--undirected", help="Each row counts both ways.")] = False,
    electrical: Annotated[bool, typer.Option("--electrical", help="The rows are gap junctions.")] = False,
    sum_duplicates: Annotated[bool, typer.Option("--sum-duplicates", help="Add rows of one pair.")] = False,
    signs: Annotated[
        str | None,
        typer.Option(help="excitatory | fly | vertebrate | random:SHARE | inhibitory:LABEL,LABEL,… | celegans"),
    ] = None,
    mv_per_count: Annotated[
        float | None, typer.Option(help="Millivolts of a count of one; 0.275 if not given (Shiu 2024).")
    ] = None,
    delay_ms: Annotated[float | None, typer.Option(help="Delay of every synapse; 1.8 ms if not given.")] = None,
    fly_brain: Annotated[
        bool,
        typer.Option(
            "--fly-brain",
            help="The tables of the whole-fly-brain model (Shiu 2024): connectivity, and --neurons, its completeness "
            "table. Neurons get that model.",
        ),
    ] = False,
    stimulated: Annotated[
        str | None,
        typer.Option(
            help="--fly-brain: neurons that will be stimulated and so have no refractory time: ids with commas "
            "between, or sugar-right."
        ),
    ] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Make a map of a connectome table. Signs and strengths that the table lacks are your assumption."""
    from neurograft.maps import (
        SHIU_VOLTS_PER_COUNT,
        Kind,
        NeuronTable,
        TableOptions,
        describe,
        import_table,
        load_map,
        merge_maps,
        save_map,
    )
    from neurograft.units import MS, MV

    if fly_brain:
        fixed = any(x is not None for x in (pre, post, weight, transmitter, signs, mv_per_count, delay_ms))
        if fixed or no_header or undirected or electrical or sum_duplicates or n_neurons is not None:
            raise OptionError("--fly-brain fixes columns, signs, strengths and delays. Leave those options out.")
        m = _fly_brain(table, neurons, stimulated)
    elif stimulated is not None:
        raise OptionError("--stimulated is for --fly-brain. Leave it out.")
    else:
        options = TableOptions(
            pre=pre,
            post=post,
            weight=weight,
            transmitter=transmitter,
            has_header=not no_header,
            neurons=None if neurons is None else NeuronTable(path=neurons),
            n_neurons=n_neurons,
            kind=Kind.ELECTRICAL if electrical else Kind.CHEMICAL,
            is_undirected=undirected,
            sums_duplicates=sum_duplicates,
            volts_per_count=SHIU_VOLTS_PER_COUNT if mv_per_count is None else mv_per_count * MV,
            delay_s=None if delay_ms is None else delay_ms * MS,
            sign_rule=None if signs is None else sign_rule(signs, seed=seed),
        )
        try:
            m = import_table(table, options=options)
        except MapError as error:
            raise OptionError(_in_options(str(error))) from error
    if add_to is not None:
        m = merge_maps(load_map(add_to), m)
    save_map(m, out)
    lines = (*describe(m), f"written: {out}")
    show(lines, {"map": str(out), "neurons": m.n_neurons, "synapses": m.n_synapses}, as_json=as_json)


def _in_options(message: str) -> str:
    """Return a message of the library with the command's own names of what it asks for."""
    for python, option in _OPTION_OF.items():
        message = message.replace(python, option)
    return message


_OPTION_OF = {
    "a sign_rule: AllExcitatory, InhibitoryNeurons, InhibitoryTypes, ByTransmitter or RandomInhibitory": "--signs "
    "excitatory, inhibitory:LABEL,LABEL, fly, vertebrate, celegans or random:SHARE",
    "Use SignedWeights, or": "Leave --signs out, or",
    "has_header=False": "--no-header",
    "is_undirected=True": "--undirected",
    "sums_duplicates=True": "--sum-duplicates",
    "with the option ": "with the option --",
    "the options pre and post": "--pre and --post",
    "n_neurons": "--n-neurons",
}


def _fly_brain(table: Path, neurons: Path | None, stimulated: str | None) -> "SynapseMap":
    from neurograft.maps import load_fly_brain
    from neurograft.network import SUGAR_RIGHT
    from neurograft.neurons import FlyLif

    if neurons is None:
        raise OptionError("--fly-brain needs --neurons, the model's completeness table, which numbers the neurons.")
    named = [] if stimulated is None else [x.strip() for x in stimulated.split(",") if x.strip()]
    if named == ["sugar-right"]:
        named = [*SUGAR_RIGHT]
    return load_fly_brain(table, neurons, peak_per_jump=FlyLif().peak_per_jump, stimulated=named)


def sign_rule(text: str, *, seed: int) -> "SignRule":
    """Return the sign rule that the option's text names."""
    from neurograft import maps
    from neurograft.errors import did_you_mean

    name, _, argument = text.partition(":")
    plain = {
        "excitatory": maps.AllExcitatory,
        "fly": lambda: maps.ByTransmitter(sign_of=maps.FLY_SIGNS),
        "vertebrate": lambda: maps.ByTransmitter(sign_of=maps.VERTEBRATE_SIGNS),
        "celegans": lambda: maps.InhibitoryNeurons(labels=maps.CELEGANS_GABA),
    }
    if name in plain and not argument:
        return plain[name]()
    if name == "inhibitory" and argument:
        return maps.InhibitoryNeurons(labels=frozenset(argument.split(",")))
    if name == "random" and argument:
        try:
            return maps.RandomInhibitory(fraction=float(argument), seed=seed)
        except ValueError:
            raise OptionError(f"--signs {text}: {argument!r} is no number. Give a share, e.g. random:0.3.") from None
    known = [*plain, "inhibitory:LABEL,…", "random:SHARE"]
    raise OptionError(f"--signs {text} is unknown. {did_you_mean(text, known)}")
