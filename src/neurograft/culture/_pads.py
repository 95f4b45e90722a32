"""What pads hear: which neurons, how strongly, and what is wrong with each pad."""

from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Float64, Int64, UInt8
from numpy import ndarray
from numpy.random import Generator

from neurograft.culture._grow import Culture
from neurograft.culture._wiring import pad_centres_um
from neurograft.errors import CultureError
from neurograft.recordings import Signal
from neurograft.units import NANOSIEMENS, PA, UV

N_INSIDE = 2  # neurons that a pad can be inside of: two where a pad is shared
N_NEAR = 3  # neurons that a pad hears from outside


class PadState(IntEnum):
    """What a pad is like.  Written to files: never change a number."""

    INTRACELLULAR = 0
    EXTRACELLULAR = 1  # never got inside, or has no cell: hears its neighbours' spikes only
    DEAD = 2
    SATURATED = 3


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Readout:
    """How a pad turns potentials into samples; quantities named _u are in V (voltage) or A (current)."""

    signal: Signal
    coupling: float  # samples' unit per volt of membrane potential, median over pads
    extracellular: float  # the same for 0.1 ms x the slope of the potential of a cell that touches the pad
    white_u: float  # standard deviations of the electrode's and amplifier's noise
    flicker_u: float
    lsb_u: float  # one step of the converter
    n_bits: int


# Ham 2021, figure 2 (eyeballed): intracellular signals of some 4 mV from spikes of 100 mV, extracellular ones
# of 0.2 mV, a baseline that stays within +-25 uV: two standard deviations of white and 1/f noise together.
PSEUDO_CURRENT_CLAMP = Readout(
    signal=Signal.INTRACELLULAR_V,
    coupling=0.045,
    extracellular=0.0033,
    white_u=10 * UV,
    flicker_u=8 * UV,
    lsb_u=2 * UV,
    n_bits=14,
)
# The pad is held at a potential and the current through the pores in the membrane is measured.  The cell itself
# is not clamped (hence "pseudo"), so the current follows its potential; access of 2 nS is a guess.
PSEUDO_VOLTAGE_CLAMP = Readout(
    signal=Signal.MEMBRANE_A,
    coupling=2 * NANOSIEMENS,
    extracellular=0.15 * NANOSIEMENS,
    white_u=1.0 * PA,
    flicker_u=0.8 * PA,
    lsb_u=0.1 * PA,
    n_bits=14,
)


# The same amplifier with every pad outside of all cells: what a plain microelectrode array records.
OUTSIDE = replace(PSEUDO_CURRENT_CLAMP, signal=Signal.EXTRACELLULAR_V)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayOptions:
    """The array and its flaws; fractions are of pads, drawn pad by pad."""

    readout: Readout = field(default=PSEUDO_CURRENT_CLAMP)
    coupling_log_spread: float = 0.4  # between pads
    drift_log_spread: float = 0.25  # of one pad in the course of time
    drift_s: float = 30.0  # tens of seconds, Ham 2021
    extracellular_fraction: float = 0.08  # about 90 % of pads got inside, Wang 2025
    dead_fraction: float = 0.01
    saturated_fraction: float = 0.01
    second_pad_probability: float = 0.3  # a free pad beside a cell's own gets inside the same cell
    crosstalk: float = 0.003  # share of each direct neighbour's signal
    highpass_hz: float = 0.5  # the amplifier's AC coupling
    drops_per_minute: float = 0.0  # times a minute at which frames are lost; the last one is written again
    drop_s: float = 5e-3


def require_array(options: ArrayOptions) -> None:
    """Raise ``CultureError`` for an array that cannot be."""
    fractions = (options.extracellular_fraction, options.dead_fraction, options.saturated_fraction)
    if min(fractions) < 0 or sum(fractions) > 1:
        raise CultureError(
            f"extracellular, dead and saturated fractions are {fractions}: below 0, or above 1 together. Lower them."
        )
    ranges = [
        ("crosstalk", options.crosstalk, 0.0, 0.2),
        ("highpass_hz", options.highpass_hz, 0.0, 300.0),
        ("drift_s", options.drift_s, 0.1, 1e5),
        ("drift_log_spread", options.drift_log_spread, 0.0, 2.0),
        ("coupling_log_spread", options.coupling_log_spread, 0.0, 2.0),
        ("second_pad_probability", options.second_pad_probability, 0.0, 1.0),
        ("drops_per_minute", options.drops_per_minute, 0.0, 600.0),
        ("drop_s", options.drop_s, 0.0, 1.0),
        ("readout.n_bits", options.readout.n_bits, 6, 16),
    ]
    for name, value, low, high in ranges:
        if not low <= value <= high:
            raise CultureError(f"{name} is {value:g}, outside {low:g} to {high:g}. Give a value inside.")


class Pads(NamedTuple):
    """What each pad hears; -1 where it hears nobody."""

    state: UInt8[ndarray, " pads"]
    inside: Int64[ndarray, "pads two"]
    inside_gain: Float64[ndarray, "pads two"]  # samples' unit per volt, before drift
    near: Int64[ndarray, "pads three"]
    near_gain: Float64[ndarray, "pads three"]


def draw_pads(culture: Culture, options: ArrayOptions, rng: Generator) -> Pads:
    """Return which neurons every pad hears, and how strongly."""
    require_array(options)
    state_rng, gain_rng, second_rng = rng.spawn(3)
    n_pads = culture.options.grid.n_pads
    u = state_rng.random(n_pads)
    edges = np.cumsum([options.dead_fraction, options.saturated_fraction, options.extracellular_fraction])
    codes = np.array([PadState.DEAD, PadState.SATURATED, PadState.EXTRACELLULAR, PadState.INTRACELLULAR])
    state = codes[np.searchsorted(edges, u, side="right")].astype(np.uint8)
    inside = _inside(culture, options, second_rng)
    inside[state != PadState.INTRACELLULAR] = -1
    state[(inside[:, 0] < 0) & (state == PadState.INTRACELLULAR)] = PadState.EXTRACELLULAR
    gain = options.readout.coupling * np.exp(options.coupling_log_spread * gain_rng.standard_normal((n_pads, N_INSIDE)))
    gain[:, 1] *= 0.5  # the second neuron of a shared pad is not as well sealed
    near, near_gain = _near(culture, options, inside)
    hears = state[:, None] <= PadState.EXTRACELLULAR
    return Pads(state, inside, np.where(inside >= 0, gain, 0.0), near, np.where(hears & (near >= 0), near_gain, 0.0))


def _inside(culture: Culture, options: ArrayOptions, rng: Generator) -> Int64[ndarray, "pads two"]:
    """Return the neurons that sit on each pad; a free pad may reach into the cell of the pad beside it."""
    grid = culture.options.grid
    inside = np.full((grid.n_pads, N_INSIDE), -1, dtype=np.int64)
    for neuron, pad in enumerate(culture.pad):
        inside[pad, 0 if inside[pad, 0] < 0 else 1] = neuron
    own = inside[:, 0].copy()
    for pad in np.flatnonzero(own < 0):
        row, column = divmod(int(pad), grid.n_columns)
        beside = [(row, column - 1), (row, column + 1), (row - 1, column), (row + 1, column)]
        on_array = [r * grid.n_columns + c for r, c in beside if 0 <= r < grid.n_rows and 0 <= c < grid.n_columns]
        taken = [p for p in on_array if own[p] >= 0]
        if taken and rng.random() < options.second_pad_probability:
            inside[pad, 0] = own[taken[int(rng.integers(len(taken)))]]
    return inside


def _near(culture: Culture, options: ArrayOptions, inside: ndarray) -> tuple[ndarray, ndarray]:
    """Return the nearest neurons that a pad is not inside of, hidden ones too; gain falls as 1 / (1 + (d/15 um)^2)."""
    from scipy.spatial import cKDTree

    centres = pad_centres_um(culture.options.grid)
    n_pads = len(centres)
    k = min(N_NEAR + N_INSIDE, culture.options.n_neurons)
    apart, who = cKDTree(culture.map.position_um[:, :2]).query(centres, k=k)
    apart, who = np.asarray(apart).reshape(n_pads, k), np.asarray(who).reshape(n_pads, k)
    near, gain = np.full((n_pads, N_NEAR), -1, dtype=np.int64), np.zeros((n_pads, N_NEAR))
    filled = np.zeros(n_pads, dtype=np.int64)
    for column in range(k):
        fits = np.all(who[:, column, None] != inside, axis=1) & (filled < N_NEAR)
        rows = np.flatnonzero(fits)
        near[rows, filled[rows]] = who[rows, column]
        gain[rows, filled[rows]] = options.readout.extracellular / (1 + (apart[rows, column] / 15.0) ** 2)
        filled[rows] += 1
    return near, gain
