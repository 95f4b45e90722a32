"""Running one command and turning what it raises into a message and an exit code."""

import sys
import traceback
from typing import Final

from neurograft.errors import NeurograftError

DONE: Final = 0
FAULT_OF_OURS: Final = 1
INPUT_WRONG: Final = 2
INTERRUPTED: Final = 130  # the shells' code for Ctrl-C


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    from neurograft.cli._app import app

    try:
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


def _code(stop: SystemExit) -> int:
    """Return typer's exit code; its 1 means Ctrl-C, because no command of ours leaves with 1."""
    if stop.code in (None, 0):
        return DONE
    return _interrupted() if stop.code == 1 else INPUT_WRONG


def _interrupted() -> int:
    print("neurograft: stopped. No output file was half written.", file=sys.stderr)
    return INTERRUPTED
