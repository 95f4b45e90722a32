"""The command ``neurograft``: parse, call, print.  Exit codes: 0 done, 2 input or options wrong, 1 our fault."""

from neurograft.cli._main import main as main
