"""Weights as whole numbers of one unit: four bytes a synapse with its target, and sums that no order changes.

Counts of synapses times a strength, levels of memory cells and the dyadic weights that engines are compared with are
such weights.  Nothing is rounded unless asked for: a unit is taken only where every weight is a multiple of it to
1e-9, finer than the 32-bit floats that weights are kept in otherwise.
"""

from typing import no_type_check

import numpy as np
from jaxtyping import Float32, Float64, Int32
from numba import njit
from numpy import ndarray

from neurograft.errors import RunError

MOST = 32_767  # units of one weight in the 16 bits that up to 65,536 targets leave
_MOST_TARGET_BITS = 22  # which leave 511 units
_LARGEST_SUM = 1 << 24  # units that may reach a neuron in a step: 32-bit floats hold whole numbers up to there
_SAME = 1e-9  # of a weight
_NOTHING = 1e-6  # of a unit: what division leaves over by rounding alone


def target_bits(n_targets: int) -> int:
    """Return how many bits of a word hold the target; the others are the weight's."""
    return max(16, (n_targets - 1).bit_length())


def most_units(n_targets: int) -> int:
    """Return how many units a weight may be, 0 where targets leave too few bits."""
    bits = target_bits(n_targets)
    return (1 << (31 - bits)) - 1 if bits <= _MOST_TARGET_BITS else 0


def unit_of(amplitude: Float64[ndarray, " synapses"], most: int = MOST) -> float:
    """Return the largest unit of which all amplitudes are multiples, up to ``most`` of it; 0.0 where there is none.

    >>> unit_of(np.array([0.25, -0.625, 0.0]))
    0.125
    """
    unit, largest = _common(amplitude, most)
    if unit == 0.0:
        return 0.0
    unit = largest / np.rint(largest / unit)
    return float(unit) if _are_multiples(amplitude, unit) else 0.0


def units_of(
    amplitude: Float64[ndarray, " synapses"],
    channel: Int32[ndarray, " synapses"],
    post: Int32[ndarray, " synapses"],
    *,
    n_neurons: int,
    n_channels: int,
) -> Float32[ndarray, " channels"] | None:
    """Return the unit of each channel of one model's synapses; None where they must stay 32-bit floats.

    None also where so much may arrive in one step that its sum would be rounded.  The answer depends on the whole
    network, so threads do not change what is computed.
    """
    most = most_units(n_neurons * n_channels)
    if most == 0 or amplitude.size == 0:
        return None
    units = np.ones(n_channels, dtype=np.float32)
    for c in np.unique(channel):
        mine = channel == c
        unit = unit_of(amplitude[mine], most)
        if unit == 0.0 or not np.float32(unit) > 0.0:
            return None
        size = np.bincount(post[mine], weights=np.abs(amplitude[mine]) / unit)
        if size.max() >= _LARGEST_SUM:
            return None
        units[c] = unit
    return units


def rounded_units(
    largest: Float64[ndarray, " channels"], *, n_neurons: int, most_incoming: int
) -> Float32[ndarray, " channels"]:
    """Return units to which weights up to ``largest`` can be rounded in the bits that a word has for them."""
    most = most_units(n_neurons * largest.size)
    if most * most_incoming >= 1 << 31 or most == 0:
        raise RunError(
            f"Weights cannot be rounded to fit beside {n_neurons * largest.size} targets with {most_incoming} synapses "
            "onto one neuron. Leave round_weights out."
        )
    return np.where(largest > 0, largest / most, 1.0).astype(np.float32)


@njit(cache=True, error_model="numpy")
@no_type_check
def _common(values, most):
    """Return the greatest common divisor by Euclid's rule, and the largest size; 0 once it is below largest / most."""
    unit, largest = 0.0, 0.0
    for value in values:
        x, y = abs(value), unit
        if x == 0.0:
            continue
        largest = max(largest, x)
        while y > 0.0:
            rest = abs(x - np.rint(x / y) * y)
            if rest <= _NOTHING * y:
                rest = 0.0
            x, y = y, rest
            if y > 0.0 and y * most < largest:
                return 0.0, largest
        unit = x
        if unit * (most + 0.5) < largest:
            return 0.0, largest
    return unit, largest


@njit(cache=True, error_model="numpy")
@no_type_check
def _are_multiples(values, unit):
    for value in values:  # noqa: SIM110 - compiled
        if not abs(np.rint(value / unit) * unit - value) <= _SAME * abs(value):
            return False
    return True
