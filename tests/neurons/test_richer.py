"""AdEx, Izhikevich and Hodgkin-Huxley: spike times against an adaptive solver, published counts, parameters."""

import math
from dataclasses import replace

import numpy as np
import pytest
from numba import config
from scipy.integrate import solve_ivp

from neurograft.errors import OptionError, RunError
from neurograft.neurons import AdEx, HodgkinHuxley, Izhikevich, NeuronModel, known_models
from neurograft.units import MS, MV

STEP_S = 0.1 * MS
N_STEPS = 3000 if not config.DISABLE_JIT else 600


def spike_steps(neuron, drive_v, n_steps=N_STEPS, kick_v=0.0):
    stepper = neuron.stepper(STEP_S)
    state, refractory = neuron.start(np.zeros(1)), np.zeros(1, dtype=np.int32)
    inputs, spiked = np.array([[kick_v]]), np.empty(1, dtype=np.int32)
    found = []
    for step in range(n_steps):
        if stepper.advance(state, refractory, np.array([drive_v]), inputs, stepper.constants, spiked):
            found.append(step)
    return found


def solved_spike_times(slope, start, *, level, reset, stop):
    """Return spike times of a model with a reset, by an adaptive Runge-Kutta solver stopped at each spike."""

    def crossing(_, y):
        return y[0] - level

    crossing.terminal, crossing.direction = True, 1
    t, y, times = 0.0, np.array(start, dtype=float), []
    while t < stop:
        part = solve_ivp(slope, (t, stop), y, events=crossing, rtol=1e-9, atol=1e-9, max_step=stop / 100)
        if not part.t_events[0].size:
            break
        t = float(part.t_events[0][0])
        times.append(t)
        y = reset(part.y_events[0][0])
    return np.array(times)


@pytest.mark.parametrize("drive_v", [25 * MV, 40 * MV])
def test_adex_spikes_within_two_steps_of_an_adaptive_solver(drive_v):
    p = AdEx(cut_v=32 * MV)  # beyond, the solver's own steps become too small

    def slope(_, y):
        v, w = y
        pull = p.slope_v * math.exp(min((v - p.soft_threshold_v) / p.slope_v, 60.0))
        return [(-v + pull - w + drive_v) / p.tau_m_s, (p.adaptation_gain * v - w) / p.tau_w_s]

    exact = solved_spike_times(
        slope, [0, 0], level=p.cut_v, reset=lambda y: np.array([p.reset_v, y[1] + p.adaptation_jump_v]),
        stop=N_STEPS * STEP_S,
    )  # fmt: skip
    steps = spike_steps(p, drive_v)
    assert len(steps) == len(exact) > 0
    # A reset waits for the end of its step, so intervals lengthen by up to one step each.
    late = np.array(steps) * STEP_S - exact
    assert np.all(np.abs(late) < STEP_S * (2 + np.arange(len(steps))))


def test_izhikevich_spikes_within_two_steps_of_an_adaptive_solver():
    p = Izhikevich()
    current = 10.0  # the step current of figure 2 in the paper

    def slope(_, y):
        return [0.04 * y[0] ** 2 + 5 * y[0] + 140 - y[1] + current, p.a * (p.b * y[0] - y[1])]

    exact_ms = solved_spike_times(
        slope, [p.rest_mv, p.b * p.rest_mv], level=30.0, reset=lambda y: np.array([p.c, y[1] + p.d]),
        stop=N_STEPS * STEP_S / MS,
    )  # fmt: skip
    steps = spike_steps(p, current / p.slope_per_ms * MV)
    assert len(steps) == len(exact_ms) > 0
    late_ms = np.array(steps) * STEP_S / MS - exact_ms
    assert np.all(np.abs(late_ms) < 0.1 * (2 + np.arange(len(steps))))


def test_hodgkin_huxley_spikes_within_two_steps_of_an_adaptive_solver():
    current = 10.0  # uA/cm^2, repetitive firing

    def slope(_, y):
        v, m, h, n = y
        a_m, b_m = 0.1 * (25 - v) / (math.exp((25 - v) / 10) - 1), 4 * math.exp(-v / 18)
        a_h, b_h = 0.07 * math.exp(-v / 20), 1 / (math.exp((30 - v) / 10) + 1)
        a_n, b_n = 0.01 * (10 - v) / (math.exp((10 - v) / 10) - 1), 0.125 * math.exp(-v / 80)
        into = current - 120 * m**3 * h * (v - 115) - 36 * n**4 * (v + 12) - 0.3 * (v - 10.613)
        return [into, a_m * (1 - m) - b_m * m, a_h * (1 - h) - b_h * h, a_n * (1 - n) - b_n * n]

    def crossing(_, y):
        return y[0] - 50.0

    crossing.direction = 1
    p = HodgkinHuxley()
    start = p.start(np.zeros(1))[:4, 0]
    stop_ms = N_STEPS * STEP_S / MS
    solved = solve_ivp(slope, (0, stop_ms), start, events=crossing, rtol=1e-9, atol=1e-9, max_step=0.1)
    exact_ms = solved.t_events[0]
    steps = spike_steps(p, current / 0.3 * MV)
    assert len(steps) == len(exact_ms) > 2
    # The splitting's error of a few us adds up over intervals.
    np.testing.assert_allclose(np.array(steps) * 0.1, exact_ms, atol=0.2 + 0.02 * len(steps))


def test_squid_axon_rests_fires_once_or_repetitively_as_the_current_grows():
    p = HodgkinHuxley()
    assert spike_steps(p, 0.0) == []
    assert len(spike_steps(p, 3.0 / 0.3 * MV)) == 1  # between 2.3 and 6.2 uA/cm^2 one spike at the onset
    assert len(spike_steps(p, 10.0 / 0.3 * MV)) > 2
    assert spike_steps(p, 0.0, kick_v=12 * MV) != []  # a shock of over about 7 mV fires (Hodgkin and Huxley 1952)
    assert spike_steps(p, 0.0, kick_v=4 * MV) == []


@pytest.mark.parametrize("neuron", [AdEx(), Izhikevich(), HodgkinHuxley()])
def test_a_kick_at_rest_is_the_peak_and_all_are_models(neuron):
    assert isinstance(neuron, NeuronModel)
    assert known_models()[neuron.name] == neuron
    stepper = neuron.stepper(STEP_S)
    state, refractory = neuron.start(np.zeros(1)), np.zeros(1, dtype=np.int32)
    inputs, spiked = np.array([neuron.amplitude(np.array([1 * MV]))[0]]), np.empty(1, dtype=np.int32)
    potentials = []
    for _ in range(200):
        stepper.advance(state, refractory, np.zeros(1), inputs, stepper.constants, spiked)
        potentials.append(state[0, 0])
    # AdEx's exponential and the squid's leak leave rest a few tens of microvolts from 0.
    assert max(potentials) == pytest.approx(1 * MV, abs=0.02 * MV)


CHANGES = [
    *[(AdEx(), 30 * MV, c) for c in (
        {"tau_m_s": 15 * MS}, {"soft_threshold_v": 22 * MV}, {"slope_v": 3 * MV}, {"cut_v": 25 * MV},
        {"reset_v": 5 * MV}, {"tau_w_s": 50 * MS}, {"adaptation_gain": 0.5},
        {"adaptation_jump_v": 6 * MV}, {"refractory_s": 3 * MS},
    )],
    *[(Izhikevich(), 20 * MV, c) for c in ({"a": 0.1}, {"b": 0.25}, {"c": -55.0}, {"d": 2.0})],
    *[(HodgkinHuxley(), 33 * MV, c) for c in (
        {"capacitance_uf_cm2": 1.5}, {"g_na_ms_cm2": 100.0}, {"g_k_ms_cm2": 30.0}, {"g_leak_ms_cm2": 0.4},
        {"e_na_v": 105 * MV}, {"e_k_v": -10 * MV}, {"e_leak_v": 12 * MV}, {"detect_v": 20 * MV},
    )],
]  # fmt: skip


@pytest.mark.parametrize(("neuron", "drive_v", "change"), CHANGES)
def test_every_parameter_changes_the_spikes(neuron, drive_v, change):
    assert spike_steps(neuron, drive_v) != spike_steps(replace(neuron, **change), drive_v)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: AdEx(tau_m_s=0.0), OptionError, "give positive tau_m_s"),
        (lambda: AdEx(reset_v=30 * MV), OptionError, "put reset_v below"),
        (lambda: Izhikevich(b=0.3), OptionError, "has no rest"),
        (lambda: HodgkinHuxley(capacitance_uf_cm2=0.0), OptionError, "give a positive capacitance"),
        (lambda: AdEx().stepper(20 * MS), RunError, "longer than tau_m_s"),
        (lambda: Izhikevich().stepper(2 * MS), RunError, "too long for this model"),
        (lambda: HodgkinHuxley().stepper(1 * MS), RunError, "too long for this model"),
    ],
)
def test_impossible_parameters_and_steps_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
