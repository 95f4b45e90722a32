"""``neurograft export map.h5 --to csv|npz|graphml|parquet|sonata OUT``: a map for other tools."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from neurograft.cli._files import open_network
from neurograft.cli._options import AgeDays, AsJson, Seed, show
from neurograft.units import DAY


class Target(StrEnum):
    """What a map can be written as."""

    SONATA = "sonata"
    CSV = "csv"
    NPZ = "npz"
    GRAPHML = "graphml"
    PARQUET = "parquet"


def export_command(
    network: Annotated[Path, typer.Argument(help="A map or a memory image.")],
    out: Annotated[Path, typer.Argument(help="File to write.")],
    to: Annotated[Target, typer.Option(help="sonata also turns an image back into a map.")],
    age_days: AgeDays = 0.0,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Write a map, or the map that an image holds, for other tools."""
    from neurograft import maps

    m = open_network(network, age_s=age_days * DAY, seed=seed)
    writers = {
        Target.SONATA: maps.save_map,
        Target.CSV: maps.export_csv,
        Target.NPZ: maps.export_npz,
        Target.GRAPHML: maps.export_graphml,
        Target.PARQUET: maps.export_parquet,
    }
    writers[to](m, out)
    show([f"{m.n_synapses} synapses of {m.n_neurons} neurons", f"written: {out}"], {"file": str(out)}, as_json=as_json)
