"""``neurograft score map.h5 truth.h5``: how right a copied map is."""

from pathlib import Path
from typing import Annotated

import typer

from neurograft.cli._options import AsJson, show


def score_command(
    map_file: Annotated[Path, typer.Argument(metavar="MAP", help="The copied map.")],
    truth_file: Annotated[Path, typer.Argument(metavar="TRUTH", help="The true map, e.g. a culture's truth.h5.")],
    spikes: Annotated[Path | None, typer.Option(help="Spikes, to show recall against their number.")] = None,
    as_json: AsJson = False,
) -> None:
    """Score a map against the truth: AUC, average precision, recall, realised false-discovery rate, errors."""
    from neurograft.comparing import score
    from neurograft.maps import load_map
    from neurograft.spikes import open_spikes

    trains = None if spikes is None else open_spikes(spikes)
    result = score(load_map(map_file), load_map(truth_file), spikes=trains)
    show(result.to_lines(), result.as_json(), as_json=as_json)
