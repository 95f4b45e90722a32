"""``neurograft info FILE``: what any file is, in ten lines."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from neurograft.cli._files import open_source
from neurograft.cli._options import AsJson, Part, SignalName, TimeUnit, show
from neurograft.errors import OptionError


def info_command(
    path: Annotated[Path, typer.Argument(help="Any file or folder that neurograft reads or writes.")],
    signal: SignalName = None,
    part: Part = None,
    time_unit: TimeUnit = None,
    as_json: AsJson = False,
) -> None:
    """Say what a file is, in ten lines."""
    from neurograft.recordings import kind_of

    kind = kind_of(path)
    lines = _lines(path, kind.name, signal, part, time_unit)
    show(lines, {"file": path.name, "kind": kind.value, "lines": list(lines)}, as_json=as_json)


def _lines(path: Path, kind: str, signal: str | None, part: str | None, time_unit: str | None) -> Sequence[str]:
    if kind == "MAP":
        from neurograft.maps import describe, load_map

        return describe(load_map(path))
    if kind == "IMAGE":
        from neurograft.cells import describe as describe_image
        from neurograft.cells import load_image

        return describe_image(load_image(path))
    if kind == "TABLE":
        raise OptionError(f"{path} looks like a connectome table. Make a map of it first: neurograft import {path}")
    return _source_lines(path, signal, part, time_unit)


def _source_lines(path: Path, signal: str | None, part: str | None, time_unit: str | None) -> Sequence[str]:
    from neurograft.recordings import describe as describe_recording
    from neurograft.spikes import SpikeTrains
    from neurograft.spikes import describe as describe_spikes

    source = open_source(path, signal=signal, part=part, time_unit=time_unit)
    return describe_spikes(source) if isinstance(source, SpikeTrains) else describe_recording(source)
