"""The list of commands.  Each command is a file; its heavy imports are inside its function."""

from typing import Annotated

import typer

from neurograft.cli._compare import compare_command
from neurograft.cli._copy import copy_command
from neurograft.cli._culture import culture_command
from neurograft.cli._demo import demo_command
from neurograft.cli._download import download_command
from neurograft.cli._export import export_command
from neurograft.cli._forecast import forecast_command
from neurograft.cli._import import import_command
from neurograft.cli._info import info_command
from neurograft.cli._ionic import ionic_app
from neurograft.cli._paste import paste_command
from neurograft.cli._plan import plan_command
from neurograft.cli._reservoir import reservoir_command
from neurograft.cli._run import run_command
from neurograft.cli._score import score_command
from neurograft.version import VERSION

app = typer.Typer(
    name="neurograft",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(VERSION)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Copy a living network's synaptic map, paste it into memory, run it, compare it with the original."""


app.command("demo")(demo_command)
app.command("info")(info_command)
app.command("copy")(copy_command)
app.command("import")(import_command)
app.command("paste")(paste_command)
app.command("download")(download_command)
app.command("plan")(plan_command)
app.command("run")(run_command)
app.command("compare")(compare_command)
app.command("score")(score_command)
app.command("culture")(culture_command)
app.command("export")(export_command)
app.command("forecast")(forecast_command)
app.command("reservoir")(reservoir_command)
app.add_typer(ionic_app, name="ionic")
