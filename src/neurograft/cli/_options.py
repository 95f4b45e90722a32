"""Options and arguments that several commands share, and how a result is printed."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, for scripts.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="File to write. It is written whole or not at all.")]
Seed = Annotated[int, typer.Option(min=0, help="Same seed, same result.")]
SignalName = Annotated[
    str | None,
    typer.Option("--signal", help="What the samples are, where the file does not say: membrane_v, intracellular_v, …"),
]
Part = Annotated[str | None, typer.Option("--part", help="Which of several recordings in the file; wrong: a list.")]
TimeUnit = Annotated[
    str | None,
    typer.Option("--time-unit", help="Of spike times that the file does not tell: s, ms, us, or a rate as in 20kHz."),
]
AgeDays = Annotated[float, typer.Option("--age-days", min=0, help="Age of a memory image when it is read.")]


def show(lines: Sequence[str], result: Mapping[str, object], *, as_json: bool) -> None:
    """Print the result: as lines for people, or as JSON."""
    print(json.dumps(result, indent=2, sort_keys=True) if as_json else "\n".join(lines))
