"""Errors that a user can act on.  Each message says what is wrong, where, the value and the remedy.

The command line prints these without a traceback and leaves with exit code 2.  A fault of ours is any
other exception.
"""

import difflib
from collections.abc import Iterable


class NeurograftError(Exception):
    """Base of every error caused by an input, an option or a file."""


class RecordingError(NeurograftError):
    """A recording cannot be opened or cannot be used."""


class EmptyRecordingError(RecordingError):
    """A recording holds no sample, or none yet."""


class SpikeError(NeurograftError):
    """Spike trains break an invariant or cannot be read."""


class MapError(NeurograftError):
    """A synaptic map breaks an invariant or cannot be read."""


class CopyError(NeurograftError):
    """A recording cannot be copied with these options."""


class WorkError(CopyError):
    """A copy stopped half-way for a reason outside of the recording; what it had read is kept."""


class CellError(NeurograftError):
    """A memory cell's card or a value handed to it is outside what is known of it."""


class ImageError(NeurograftError):
    """A memory image cannot be made or read."""


class RunError(NeurograftError):
    """A network cannot be run with these options, or its state stopped being finite."""


class CompareError(NeurograftError):
    """Two activities or maps cannot be compared."""


class CultureError(NeurograftError):
    """A culture cannot be grown with these parameters."""


class SeriesError(NeurograftError, ValueError):
    """A time series cannot be learnt from or forecast; a ValueError too, as scikit-learn's conventions ask."""


class IonicError(NeurograftError):
    """A slit, a salt, a field or a time step is outside what the ionic models can be asked for."""


class OptionError(NeurograftError):
    """An option or a choice is unknown or out of range."""


class MissingExtraError(NeurograftError):
    """A library of an optional extra is needed and is not installed."""

    def __init__(self, *, purpose: str, extra: str) -> None:
        super().__init__(f"{purpose} needs the extra '{extra}'. Install it: pip install 'neurograft[{extra}]'.")


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """Return a sentence that lists the known names and, where one is close, suggests it.

    >>> did_you_mean("rrma", ["rram", "flash"])
    "Did you mean 'rram'? Known: flash, rram."
    """
    names = sorted(known)
    close = difflib.get_close_matches(given, names, n=1)
    hint = f"Did you mean '{close[0]}'? " if close else ""
    return f"{hint}Known: {', '.join(names)}."
