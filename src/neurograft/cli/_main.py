"""Running one command and turning what it raises into a message and an exit code."""

import sys
import traceback
import warnings
from typing import Final, TextIO

from neurograft.errors import NeurograftError

DONE: Final = 0
FAULT_OF_OURS: Final = 1
INPUT_WRONG: Final = 2
INTERRUPTED: Final = 130  # the shells' code for Ctrl-C


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    from neurograft.cli._app import app

    try:
        with warnings.catch_warnings():
            warnings.showwarning = _say_warning
            app(argv)
    except SystemExit as stop:
        return _code(stop)
    except (NeurograftError, OSError, MemoryError) as error:
        print(f"neurograft: {str(error) or type(error).__name__}", file=sys.stderr)
        return INPUT_WRONG
    except KeyboardInterrupt:
        return _interrupted()
    except Exception:
        traceback.print_exc()
        print("neurograft: this is a fault of ours; please report it with the lines above.", file=sys.stderr)
        return FAULT_OF_OURS
    return DONE


def _say_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning for a user as a note, without the line of ours that raised it; others are for developers."""
    if issubclass(category, UserWarning):
        print(f"neurograft: note: {message}", file=sys.stderr)


def _code(stop: SystemExit) -> int:
    """Return typer's exit code; its 1 or 130 means Ctrl-C, because no command of ours leaves so."""
    if stop.code in (None, 0):
        return DONE
    return _interrupted() if stop.code in (FAULT_OF_OURS, INTERRUPTED) else INPUT_WRONG


def _interrupted() -> int:
    print("neurograft: stopped. No output file was half written.", file=sys.stderr)
    return INTERRUPTED
