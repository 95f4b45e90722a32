"""Where spiking is possible at all: layers, valence, battery and temperature, and the slit of lowest voltage.

Rates are those of ``PairTheory`` with the fitted form of each slit: theory alone, so that any salt and slit can be
asked for.  Voltage is field times length, and a slit must be a few times longer than its reach xi to be a plane.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import Final, NamedTuple, final

import numpy as np
from numpy.random import Generator

from neurograft.ionic._circuit import FIELD_UNIT_V_M, Circuit, NeuronTrace
from neurograft.ionic._interaction import fitted
from neurograft.ionic._rates import PairTheory
from neurograft.ionic._reduced import Reduced, simulate
from neurograft.ionic._slit import TEMPERATURE_K, Slit, slit_of_layers
from neurograft.ionic._spiking import heat_w
from neurograft.progress import Progress, silent
from neurograft.units import NM, NS

_CORE_M: Final = 0.4 * NM  # with short steps; see WIDE_CORE
_SMALLEST_SWING: Final = 0.1  # of the battery, from trough to peak; a smaller ripple is no spike
_LENGTHS_OF_REACH: Final = 5.0  # shortest slit that is still a plane, in xi; a rule of thumb, guessed
_RUN_S: Final = 6e-3
_SUSTAINED: Final = 0.9  # of its swing a cycle keeps from a run's third quarter to the fourth; else it rings down
_N_CANDIDATES: Final = 6
_CURRENT_SHARES: Final = (0.0005, 0.0015, 0.01, 0.03, 0.1)
BIOLOGICAL_SWING_V: Final = 0.1
# A rodent's cortical neuron spends 3.29e9 ATP a second at 4 Hz (Attwell and Laughlin 2001, J. Cereb. Blood Flow Metab.
# 21, 1133), 87 % of it on spikes and what they set off: 7.2e8 ATP a spike, of about 50 kJ/mol in a cell.
BIOLOGICAL_SPIKE_J: Final = 6e-11
# Analog neurons in 65 nm: 2.1 pJ a spike (J. Low Power Electron. Appl. 13, 55, 2023) and, of the least kind known, 4 fJ
# (Sourikopoulos et al. 2017, Front. Neurosci. 11, 123).
CMOS_SPIKE_J: Final = 2.1e-12
LEAST_CMOS_SPIKE_J: Final = 4e-15


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A slit, a salt and a circuit around it; ``battery`` is E_Na over the length in the authors' unit of field."""

    height_m: float
    valence: int = 2
    battery: float = 0.2
    current_share: float = 0.0038  # of gain g E_Na, the current of free ions; 0.0038 is the authors'
    width_ratio: float = 10.0  # of potassium's slit over sodium's
    per_m2: float = 1e-4 / NM**2  # of sodium's slit
    temperature_k: float = TEMPERATURE_K


class Outcome(NamedTuple):
    """What a choice does; interval and energy are NaN where nothing spikes, swing is then that of the ripple."""

    interval_s: float
    swing_v: float
    shortest_swing_v: float  # of the same fields over the shortest slit that is a plane
    energy_j: float

    @property
    def spikes(self) -> bool:
        """Tell whether spikes repeat."""
        return not math.isnan(self.interval_s)


def neuron_of(choice: Choice) -> Reduced:
    """Return the circuit of a choice: 2 um long, sizes as the authors', capacitor as theirs in proportion."""
    slit = Slit(height_m=choice.height_m, temperature_k=choice.temperature_k)
    form = fitted(slit, core_m=_CORE_M)
    law = PairTheory(form=form, valence=choice.valence, temperature_k=choice.temperature_k)
    usual = Circuit()
    battery_v = choice.battery * FIELD_UNIT_V_M * usual.length_m
    na_width_m = usual.n_pairs / (usual.length_m * choice.per_m2)
    free = Circuit(valence=choice.valence, temperature_k=choice.temperature_k).free_siemens
    return Reduced(
        law=law,
        circuit=Circuit(
            na_width_m=na_width_m,
            k_width_m=na_width_m * choice.width_ratio,
            valence=choice.valence,
            reversal_na_v=battery_v,
            reversal_k_v=-battery_v,
            current_a=choice.current_share * usual.na_gain * free * battery_v,
            temperature_k=choice.temperature_k,
        ),
    )


def outcome(choice: Choice) -> Outcome:
    """Return what a choice does once the first half of 6 ms is over; what rings down is no spiking."""
    neuron = neuron_of(choice)
    trace = simulate(neuron, duration_s=_RUN_S, step_s=50 * NS)
    half = trace.time_s.size // 2
    late = NeuronTrace(*(column[half:] for column in trace))
    v = late.voltage_v
    swing_v = float(v.max() - v.min())
    slit = Slit(height_m=choice.height_m, temperature_k=choice.temperature_k)
    shorter = _LENGTHS_OF_REACH * slit.reach_m / neuron.circuit.length_m
    ups = _crossings(v, low=v.min() + 0.3 * swing_v, high=v.min() + 0.6 * swing_v)
    earlier, later = np.array_split(v, 2)
    rings_down = np.ptp(later) < _SUSTAINED * np.ptp(earlier)
    if swing_v < _SMALLEST_SWING * neuron.circuit.reversal_na_v or ups.size < 3 or rings_down:
        return Outcome(math.nan, swing_v, swing_v * shorter, math.nan)
    first, last = int(ups[0]), int(ups[-1])
    step_s = float(late.time_s[1] - late.time_s[0])
    energy_j = float(heat_w(neuron.circuit, late)[first:last].sum()) * step_s / (ups.size - 1)
    return Outcome((last - first) * step_s / (ups.size - 1), swing_v, swing_v * shorter, energy_j)


class Noisy(NamedTuple):
    """Spikes over the shortest slit that is a plane, with noise; NaN where there are too few."""

    interval_s: float
    interval_sd_s: float
    swing_v: float  # median from trough to peak
    energy_j: float


def shortest_neuron(choice: Choice, *, n_pairs: int) -> Reduced:
    """Return the circuit of a choice over its shortest slit, wide enough for so many cations and anions a slit.

    Fields, densities and times are those of ``neuron_of``: voltages shrink with the length, conductances and the
    current grow with the width over the length, and so does the capacitor.
    """
    whole = neuron_of(choice)
    c = whole.circuit
    reach_m = Slit(height_m=choice.height_m, temperature_k=choice.temperature_k).reach_m
    shorter = _LENGTHS_OF_REACH * reach_m / c.length_m
    wider = n_pairs / (c.n_pairs * shorter)
    return Reduced(
        law=whole.law,
        circuit=replace(
            c, length_m=c.length_m * shorter, n_pairs=n_pairs, na_width_m=c.na_width_m * wider,
            k_width_m=c.k_width_m * wider, reversal_na_v=c.reversal_na_v * shorter,
            reversal_k_v=c.reversal_k_v * shorter, current_a=c.current_a * wider,
            capacitance_f=c.capacitance_f * wider / shorter,
        ),
    )  # fmt: skip


def with_noise(choice: Choice, *, n_pairs: int, rng: Generator) -> Noisy:
    """Return what so few ions do: pairs break and form one by one, and currents are thermal; 6 ms, half of it seen."""
    found = outcome(choice)
    if not found.spikes:
        return Noisy(math.nan, math.nan, math.nan, math.nan)
    neuron = shortest_neuron(choice, n_pairs=n_pairs)
    still, trace = (
        simulate(neuron, duration_s=_RUN_S, step_s=50 * NS, start=(0.0, 1.0, 1.0), rng=noise) for noise in (None, rng)
    )
    half = trace.time_s.size // 2
    late = NeuronTrace(*(column[half:] for column in trace))
    v, lowest_v, swing_v = late.voltage_v, float(still.voltage_v[half:].min()), found.shortest_swing_v
    ups = _crossings(v, low=lowest_v + 0.3 * swing_v, high=lowest_v + 0.6 * swing_v)
    if ups.size < 4:
        return Noisy(math.nan, math.nan, math.nan, math.nan)
    step_s = float(late.time_s[1] - late.time_s[0])
    intervals_s = np.diff(ups) * step_s
    swings_v = [float(np.ptp(v[a:b])) for a, b in pairwise(ups)]
    energy_j = float(heat_w(neuron.circuit, late)[ups[0] : ups[-1]].sum()) * step_s / (ups.size - 1)
    return Noisy(float(intervals_s.mean()), float(intervals_s.std(ddof=1)), float(np.median(swings_v)), energy_j)


def _crossings(v: np.ndarray, *, low: float, high: float) -> np.ndarray:
    """Return where v rises above ``high`` after having been below ``low``."""
    marks = np.flatnonzero((v > high) | (v < low))
    is_up = v[marks] > high
    return marks[1:][is_up[1:] & ~is_up[:-1]]


def phase_diagram(
    *,
    layers: Sequence[int],
    valences: Sequence[int],
    batteries: Sequence[float],
    temperatures_k: Sequence[float] = (TEMPERATURE_K,),
    progress: Progress = silent,
) -> list[tuple[int, Choice, Outcome]]:
    """Return (layers, choice, outcome) for all combinations, each at the first current of six at which it spikes."""
    combinations = list(product(layers, valences, temperatures_k, batteries))
    found: list[tuple[int, Choice, Outcome]] = []
    for done, (n_layers, valence, temperature_k, battery) in enumerate(combinations):
        usual = Choice(
            height_m=slit_of_layers(n_layers).height_m, valence=valence, battery=battery, temperature_k=temperature_k
        )
        choice, result = usual, outcome(usual)
        for share in _CURRENT_SHARES:
            if result.spikes:
                break
            choice = replace(usual, current_share=share)
            result = outcome(choice)
        found.append((n_layers, choice, result))
        progress("phase diagram", done + 1, len(combinations))
    return found


def lowest_voltage(*, n_rounds: int, rng: Generator, progress: Progress = silent) -> tuple[Choice, Outcome] | None:
    """Return the divalent choice whose spikes swing least over the shortest slit, by differential evolution.

    Height, battery, current, width ratio and density are varied; choices that do not spike cost 1 kV.  None where no
    choice spiked.
    """
    from scipy.optimize import Bounds, differential_evolution

    rounds = 0

    def choice_of(x: np.ndarray) -> Choice:
        return Choice(
            height_m=float(x[0]) * NM, battery=float(x[1]), current_share=float(10 ** x[2]),
            width_ratio=float(10 ** x[3]), per_m2=float(10 ** x[4]) / NM**2,
        )  # fmt: skip

    def cost(x: np.ndarray) -> float:
        found = outcome(choice_of(x))
        return found.shortest_swing_v if found.spikes else 1e3

    def told(_x: object, _convergence: object) -> None:
        nonlocal rounds
        rounds += 1
        progress("slit of lowest voltage", rounds, n_rounds)

    bounds = Bounds([0.7, 0.01, -3.0, 0.3, -5.0], [1.4, 0.3, -0.5, 2.0, -3.0])
    best = differential_evolution(
        cost, bounds, maxiter=n_rounds, popsize=_N_CANDIDATES, rng=rng, callback=told, polish=False, tol=1e-3
    )
    choice = choice_of(best.x)
    found = outcome(choice)
    return (choice, found) if found.spikes else None
