"""Neuron families against independent integrations of their published equations."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from neurograft.culture import FAMILIES, AdaptiveExponential, HodgkinHuxley, Izhikevich, family_named
from neurograft.culture._cells import AP_SAMPLES, Cells, NeuronFamily, Seen
from neurograft.culture._engine import at_rest, no_drive, no_wires, run_steps
from neurograft.culture._lanes import LANES
from neurograft.errors import CultureError

STEP_S = 1e-4
SECONDS = 0.6
HH_SECONDS = 0.3
EXACT = {
    "adex": AdaptiveExponential(log_spread=0, spread_v=0),
    "izhikevich": Izhikevich(log_spread=0, spread_v=0),
    "hh": HodgkinHuxley(log_spread=0, spread_v=0, channel_siemens=0),
}


def one_cell(family: NeuronFamily, excites: bool, copies: int = 1) -> Cells:
    return family.cells(np.full(copies, excites), np.random.default_rng(0))


def driven(family: NeuronFamily, excites: bool, current_a: np.ndarray, seconds: float = SECONDS) -> Seen:
    cells = one_cell(family, excites, current_a.size)
    wires = no_wires(cells, step_s=STEP_S, nmda_ratio=0.0)
    drive = no_drive(cells)._replace(current_a=current_a[None, :].copy())
    return run_steps(family, cells, wires, at_rest(cells, wires), drive, n_steps=round(seconds / STEP_S))


def reset_spikes(slopes, start, spike_v, after, seconds=SECONDS) -> int:
    """Count spikes of a model with a reset, integrating from one to the next."""

    def reached(_, y):
        return y[0] - spike_v

    reached.terminal, reached.direction = True, 1
    t, y, n = 0.0, np.array(start), 0
    while t < seconds:
        run = solve_ivp(slopes, (t, seconds), y, events=reached, rtol=1e-7, atol=1e-11, method="LSODA")
        if run.status != 1:
            return n
        n += 1
        t, y = after(run.t[-1], run.y[:, -1])
    return n


def adex_count(own, current):
    C, gL, EL, VT, D, Vr, Vs, a, tw, b, ref = own[:11, 0]

    def slopes(_, y):
        v, w = y
        return [(-gL * (v - EL) + gL * D * np.exp((v - VT) / D) - w + current) / C, (a * (v - EL) - w) / tw]

    def after(t, y):  # v is held at the reset while w relaxes towards a (Vr - EL)
        goal = a * (Vr - EL)
        return t + ref, np.array([Vr, goal + (y[1] + b - goal) * np.exp(-ref / tw)])

    return reset_spikes(slopes, [EL, 0.0], Vs, after)


def izhikevich_count(own, current):
    C, k, vr, vt, vp, a, b, c, d = own[:9, 0]

    def slopes(_, y):
        v, u = y
        return [(k * (v - vr) * (v - vt) - u + current) / C, a * (b * (v - vr) - u)]

    def after(t, y):  # held for the millisecond of the drawn action potential
        goal = b * (c - vr)
        return t + 1e-3, np.array([c, goal + (y[1] + d - goal) * np.exp(-1e-3 * a)])

    return reset_spikes(slopes, [vr, 0.0], vp, after)


def traub_miles(own, current):
    C, gL, gNa, gK, gM, EL, VT = own[:7, 0]

    def slopes(_, y):
        v, m, h, n, p = y
        x, mv = 1e3 * (v - VT), 1e3 * v
        am = 0.32 * (13 - x) / (np.exp((13 - x) / 4) - 1)
        bm = 0.28 * (x - 40) / (np.exp((x - 40) / 5) - 1)
        ah, bh = 0.128 * np.exp((17 - x) / 18), 4 / (1 + np.exp((40 - x) / 5))
        an, bn = 0.032 * (15 - x) / (np.exp((15 - x) / 5) - 1), 0.5 * np.exp((10 - x) / 40)
        p_open = 1 / (1 + np.exp(-(mv + 35) / 10))
        tau_p = 608 / (3.3 * np.exp((mv + 35) / 20) + np.exp(-(mv + 35) / 20))
        ions = gNa * m**3 * h * (0.05 - v) + (gK * n**4 + gM * p) * (-0.09 - v) + gL * (EL - v)
        return [(ions + current) / C] + [
            1e3 * slope
            for slope in (am * (1 - m) - bm * m, ah * (1 - h) - bh * h, an * (1 - n) - bn * n, (p_open - p) / tau_p)
        ]

    return slopes


def hodgkin_huxley_run(cells, current):
    start = [cells.rest_v[0], *cells.aux_at_rest[:4, 0]]
    grid = np.arange(0, HH_SECONDS, 2e-5)
    slopes = traub_miles(cells.own, current)
    return solve_ivp(slopes, (0, HH_SECONDS), start, t_eval=grid, rtol=1e-6, atol=1e-8, method="LSODA").y[0]


def upward(v: np.ndarray) -> int:
    return int(np.sum((v[:-1] < -0.01) & (v[1:] >= -0.01)))


CURRENTS_A = {"adex": [150e-12, 300e-12], "izhikevich": [80e-12, 300e-12]}


@pytest.mark.compiled
@pytest.mark.parametrize("excites", [True, False])
@pytest.mark.parametrize(("name", "count"), [("adex", adex_count), ("izhikevich", izhikevich_count)])
def test_rates_against_current_equal_an_adaptive_integration(name, count, excites) -> None:
    current_a = np.array([0.0, *CURRENTS_A[name]])
    seen = driven(EXACT[name], excites, current_a)
    found = np.bincount(seen.spike_neuron, minlength=current_a.size)
    own = one_cell(EXACT[name], excites).own
    wanted = np.array([count(own, current) for current in current_a])
    assert wanted[0] == 0
    assert wanted[-1] >= 20
    # A spike waits for the end of its step, and Euler lags a steep upstroke by two: up to 0.3 ms an interval.
    assert np.all(found <= wanted + 1)
    assert np.all(found >= wanted / (1 + 3 * STEP_S * wanted / SECONDS) - 1)


@pytest.mark.compiled
@pytest.mark.parametrize("excites", [True, False])
def test_hodgkin_huxley_rates_and_shape_equal_an_adaptive_integration(excites) -> None:
    family = EXACT["hh"]
    current_a = np.array([0.0, 150e-12, 400e-12])
    cells = one_cell(family, excites)
    seen = driven(family, excites, current_a, seconds=HH_SECONDS)
    found = np.bincount(seen.spike_neuron, minlength=3)
    traces = [hodgkin_huxley_run(cells, current) for current in current_a]
    wanted = np.array([upward(v) for v in traces])
    assert wanted[-1] > 20
    assert found == pytest.approx(wanted, rel=0.03, abs=1.01)
    # The first spike at 400 pA: height, depth after it and width at -20 mV of both.
    fine, coarse = traces[2], seen.trace_v[2].astype(float)
    first, first_found = np.argmax(fine > -0.01), np.argmax(coarse > -0.01)
    shape, shape_found = fine[first - 50 : first + 500], coarse[first_found - 10 : first_found + 100]
    assert shape_found.max() == pytest.approx(shape.max(), abs=3e-3)
    assert shape_found.min() == pytest.approx(shape.min(), abs=2e-3)
    # One sample of 0.1 ms apart, and what doubles round.
    assert np.sum(shape_found > -0.02) * STEP_S == pytest.approx(np.sum(shape > -0.02) * 2e-5, abs=1e-4 + 1e-12)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_family_is_found_by_its_name_and_rests_where_it_says(family: NeuronFamily) -> None:
    assert family_named(family.name) is family
    quiet = EXACT[family.name]
    cells = quiet.cells(np.array([True, False]), np.random.default_rng(0))
    wires = no_wires(cells, step_s=STEP_S, nmda_ratio=0.0)
    seen = run_steps(quiet, cells, wires, at_rest(cells, wires), no_drive(cells), n_steps=200)
    assert seen.spike_step.size == 0
    assert np.abs(seen.trace_v - cells.rest_v[:, None]).max() < 2e-4


@pytest.mark.compiled
@pytest.mark.parametrize("family", list(EXACT.values()), ids=lambda family: family.name)
def test_input_conductance_and_time_constant_are_those_stated(family: NeuronFamily) -> None:
    cells = one_cell(family, True)
    small_a = 0.3e-3 * cells.rest_siemens[:1]  # moves the membrane by 0.3 mV
    moved = driven(family, True, small_a, seconds=1.0).trace_v[0].astype(float) - cells.rest_v[0]
    assert moved[-1] == pytest.approx(0.3e-3, rel=0.06)  # not quite linear
    # From the first milliseconds, before slow currents answer: slope I / C.
    assert moved[9] / 1e-3 == pytest.approx(small_a[0] / cells.own[0, 0], rel=0.1)


@pytest.mark.parametrize("family", list(EXACT.values()), ids=lambda family: family.name)
def test_an_action_potential_is_about_a_hundred_millivolts_high(family: NeuronFamily) -> None:
    seen = driven(family, True, np.array([600e-12]), seconds=0.03)
    assert seen.spike_step.size >= 1
    at = int(seen.spike_step[0])
    peak = seen.trace_v[0, at : at + AP_SAMPLES].max()
    assert 0.09 < peak - one_cell(family, True).rest_v[0] < 0.12  # Ham 2021, figure 2: about 100 mV


@pytest.mark.parametrize("name", list(EXACT))
def test_a_block_of_lanes_does_not_change_its_neurons_and_time_does_not_run_out(name: str) -> None:
    family, n = EXACT[name], LANES + 2
    cells = family.cells(np.ones(n, dtype=bool), np.random.default_rng(0))
    wires = no_wires(cells, step_s=STEP_S, nmda_ratio=0.0)
    push = np.linspace(0.0, 3e-9, n)[None, :].copy()
    quiet = no_drive(cells)._replace(current_a=push)
    late = at_rest(cells, wires)
    late.clock[0] = 1 << 40
    seen = run_steps(family, cells, wires, late, quiet, n_steps=35)
    assert late.clock[0] == (1 << 40) + 35
    for first in (0, LANES, n - 1):  # each alone, in steps of its own
        one, alone = cells.take(np.array([first])), quiet._replace(current_a=push[:, [first]], noise_a=np.zeros(1))
        lonely = no_wires(one, step_s=STEP_S, nmda_ratio=0.0)
        state = at_rest(one, lonely)
        parts = [run_steps(family, one, lonely, state, alone, n_steps=steps).trace_v for steps in (1, 4, 30)]
        assert np.array_equal(np.concatenate(parts, axis=1)[0], seen.trace_v[first])
    assert seen.spike_step.size > 0


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_neurons_of_a_family_differ_and_the_spread_can_be_switched_off(family: NeuronFamily) -> None:
    assert np.ptp(one_cell(family, True, 10).own[0]) > 0
    assert np.ptp(one_cell(EXACT[family.name], True, 10).own) == pytest.approx(
        np.ptp(one_cell(EXACT[family.name], True, 1).own)
    )


def test_an_unknown_family_is_named_with_the_known_ones() -> None:
    with pytest.raises(CultureError, match=r"no neuron family 'izikevich'\. Did you mean 'izhikevich'"):
        family_named("izikevich")
