"""``neurograft demo``: the whole way on bundled data, ending in a report."""

import os
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurograft.cli._options import AsJson, Seed, show
from neurograft.cli._progress import shown_progress
from neurograft.provenance import Provenance

if TYPE_CHECKING:
    from neurograft.cli.demo import Walk
    from neurograft.progress import Progress

_INTRO = """A recording becomes a synaptic map (copy), the map becomes a programmed memory (paste), the memory runs \
(run), and what it does stands beside the original (compare). Each chapter says what its map means and what it does \
not mean."""


def demo_command(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the report and all files.")] = Path(
        "demo-output"
    ),
    culture: Annotated[bool, typer.Option("--culture", help="Walk on the grown culture alone.")] = False,
    aplysia: Annotated[bool, typer.Option("--aplysia", help="Add the sea slug's 125 neurons.")] = False,
    opens: Annotated[bool, typer.Option("--open/--no-open", help="Open the report in the browser.")] = True,
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """Walk the whole way on bundled real recordings and on a grown culture: copy, paste, run, compare, report."""
    from neurograft.report import Report, write_report

    done: dict[str, Walk] = {}
    with shown_progress() as progress:
        for name, walk in _walks(is_culture=culture, is_aplysia=aplysia).items():
            folder = out / name
            folder.mkdir(parents=True, exist_ok=True)
            done[name] = walk(folder, seed, progress)
            if not as_json:
                print("\n".join(done[name].lines), flush=True)
    file = out / "report.html"
    provenance = Provenance(command="demo", parameters={"culture": culture, "aplysia": aplysia}, seed=seed)
    sections = [section for walk in done.values() for section in walk.sections]
    write_report(Report(title="neurograft demo", intro=_INTRO, sections=sections, provenance=provenance), file)
    result: dict[str, object] = {name: dict(walk.result) for name, walk in done.items()}
    show([f"report: {file}"], {"report": str(file), **result}, as_json=as_json)
    if opens and not as_json and _has_screen():
        webbrowser.open(file.resolve().as_uri())


def _walks(*, is_culture: bool, is_aplysia: bool) -> "dict[str, Callable[[Path, int, Progress], Walk]]":
    from neurograft.cli import demo

    if is_culture:
        return {"culture": demo.culture_walk}
    walks = {
        "hippocampus": demo.hippocampus_walk,
        "multipatch": demo.multipatch_walk,
        "culture": demo.culture_walk,
        "worm": demo.worm_walk,
    }
    return walks | ({"aplysia": demo.aplysia_walk} if is_aplysia else {})


def _has_screen() -> bool:
    """Tell whether a person may be looking: not in CI, and on Linux with a display."""
    has_display = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return "CI" not in os.environ and (sys.platform != "linux" or has_display)
