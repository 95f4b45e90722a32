"""Refusing values that lie outside what is known of a cell."""

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.errors import CellError

_US = 1e6


def require_window(g: Float64[ndarray, " cells"], *, low: float, high: float, name: str) -> None:
    """Raise CellError that names the first conductance which the cell cannot be asked for."""
    if g.size and not (g.min() >= low and g.max() <= high):  # also not a number
        i = int(np.flatnonzero(~((g >= low) & (g <= high)))[0])
        raise CellError(
            f"target_siemens[{i}] is {g[i] * _US:g} uS, outside the window {low * _US:g} to {high * _US:g} uS of "
            f"{name}. Scale or clip the weights into the window."
        )


def require_age(age_s: float, *, longest_s: float, name: str) -> None:
    """Raise CellError for an age that the card's measurements do not reach."""
    if not 0 <= age_s <= longest_s:
        raise CellError(
            f"age_s is {age_s:g} s, but {name} was measured from 0 to {longest_s:g} s. "
            "Ask for an age within, or choose a card that was measured longer."
        )


def require_temperature(temperature_k: float, *, low: float, high: float, name: str) -> None:
    """Raise CellError for a temperature about which the card knows nothing."""
    if not low <= temperature_k <= high:
        raise CellError(
            f"temperature_k is {temperature_k:g} K, but {name} is known from {low:g} to {high:g} K. "
            "Ask for a temperature within, or choose a card with a retention law."
        )


def require_drive(drive: Float64[ndarray, " cells"]) -> None:
    """Raise CellError for a pulse stronger than the strongest."""
    if drive.size and not np.max(np.abs(drive)) <= 1:
        raise CellError("drive has entries outside -1 to 1. Scale it to the strongest pulse.")
