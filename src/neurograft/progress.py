"""How long work reports how far it is.  Work calls a ``Progress``; the edges decide what it looks like."""

from typing import Final, Protocol, runtime_checkable

RUN: Final = "run"
"""The step in which a network runs: ``done`` and ``total`` are seconds of model time."""


@runtime_checkable
class Progress(Protocol):
    """Called now and then by work that may take seconds."""

    def __call__(self, what: str, done: float, total: float) -> None:
        """Say that ``done`` of ``total`` (any unit) of the step named ``what`` is finished."""
        ...


def silent(what: str, done: float, total: float) -> None:
    """Report nothing: the default for calls from Python."""
