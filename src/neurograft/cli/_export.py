"""``neurograft export map.h5 OUT --to FORMAT``: a map as a table, a graph, or a network for a simulator."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurograft.cli._background import Like, NoiseMv, StepMs, fitted_drive
from neurograft.cli._files import open_network
from neurograft.cli._options import AgeDays, AsJson, Seed, show
from neurograft.cli._progress import shown_progress
from neurograft.units import DAY, MS

if TYPE_CHECKING:
    from neurograft.maps import SynapseMap
    from neurograft.network import Drive


class Target(StrEnum):
    """What a map can be written as."""

    SONATA = "sonata"
    CSV = "csv"
    NPZ = "npz"
    GRAPHML = "graphml"
    PARQUET = "parquet"
    NEST = "nest"
    BRIAN2 = "brian2"
    PYNN = "pynn"
    CORENEURON = "coreneuron"
    NIR = "nir"


_SCRIPTS = (Target.NEST, Target.BRIAN2, Target.PYNN, Target.CORENEURON)


def export_command(
    network: Annotated[Path, typer.Argument(help="A map or a memory image.")],
    out: Annotated[Path, typer.Argument(help="File to write; simulators: a script, OUT.py.")],
    to: Annotated[Target, typer.Option(help="sonata also turns an image back into a map.")],
    like: Like = None,
    rate_hz: Annotated[
        float, typer.Option(min=0, help="Simulators only: background for this mean rate; 0: there is none.")
    ] = 0.0,
    noise_mv: NoiseMv = None,
    seconds: Annotated[float, typer.Option(help="Simulators only: how long the script runs.")] = 10.0,
    step_ms: StepMs = 0.1,
    age_days: AgeDays = 0.0,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Write a map, or the map that an image holds, for other tools; for simulators with a background."""
    m = open_network(network, age_s=age_days * DAY, seed=seed)
    lines = [f"{m.n_synapses} synapses of {m.n_neurons} neurons", f"written: {out}"]
    result: dict[str, object] = {"file": str(out)}
    if to in _SCRIPTS or to is Target.NIR:
        with shown_progress() as progress:
            drive = fitted_drive(m, like=like, rate_hz=rate_hz, noise_mv=noise_mv, seed=seed, progress=progress)
        if to is Target.NIR:
            from neurograft.network.peers import export_nir

            lost = export_nir(m, out, drive=drive, step_s=step_ms * MS)
            result["not_in_this_file"] = list(lost)
            lines += [f"NIR has no word for: {', '.join(lost)}"] if lost else []
        else:
            data = _script(m, out, to, drive, seconds, step_ms, seed)
            result["arrays"] = str(data)
            lines.append(f"its arrays: {data}; run it with: python {out}{' nest' if to is Target.PYNN else ''}")
    else:
        _writer(to)(m, out)
    show(lines, result, as_json=as_json)


def _writer(to: Target) -> "Callable[[SynapseMap, Path], None]":
    from neurograft import maps

    return {
        Target.SONATA: maps.save_map,
        Target.CSV: maps.export_csv,
        Target.NPZ: maps.export_npz,
        Target.GRAPHML: maps.export_graphml,
        Target.PARQUET: maps.export_parquet,
    }[to]


def _script(m: "SynapseMap", out: Path, to: Target, drive: "Drive", seconds: float, step_ms: float, seed: int) -> Path:
    from neurograft.network import RunOptions
    from neurograft.network.peers import Peer, export_script

    options = RunOptions(step_s=step_ms * MS)
    return export_script(m, out, peer=Peer(to), drive=drive, options=options, duration_s=seconds, seed=seed)
