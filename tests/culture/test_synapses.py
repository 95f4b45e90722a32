"""Release, receptors and gap junctions against their equations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from neurograft.culture import AdaptiveExponential
from neurograft.culture._blocks import CURRENT, N_SHARED, SIEMENS, gather_blocks, raise_e, scatter_blocks
from neurograft.culture._engine import at_rest, no_drive, no_wires, run_steps
from neurograft.culture._lanes import LANES
from neurograft.culture._synapses import AMPA_S, GABA_S, NMDA_S, receive, receptors, release, settle_gates

FAMILY = AdaptiveExponential(log_spread=0, spread_v=0)
STEP_S = 1e-4


def cells(n: int, excites: bool = True):
    return FAMILY.cells(np.full(n, excites), np.random.default_rng(0))


def one_wire(n_targets: int, **changed):
    """Wires from neuron 0 to each of the others, one synapse each."""
    base = no_wires(cells(n_targets + 1), step_s=STEP_S, nmda_ratio=0.0)
    start = np.full(n_targets + 2, n_targets)
    start[0] = 0
    wires = base._replace(
        start=start,
        target=1 + np.arange(n_targets),
        delay_steps=np.full(n_targets, 3),
        quantum_siemens=np.full(n_targets, 1e-9),
        n_sites=np.full(n_targets, 5),
        release=np.full(n_targets, 0.4),
        n_slots=4,
    )
    return wires._replace(**changed)


def received(who, wires, state) -> tuple[float, float]:
    """Return the conductance and current of neuron 0 after a step of its receptors; the state moves on."""
    n = who.rest_v.size
    rows, words, pair = gather_blocks(who, state, no_drive(who), N_SHARED)
    slot = slice((state.clock[0] & (wires.n_slots - 1)) * n, None)
    receive(rows[0], rows[0].view(np.int64), receptors(wires), state.excite[slot], state.inhibit[slot], n)
    settle_gates(rows[0])
    scatter_blocks(state, rows, words, pair)
    state.clock[0] += 1
    return float(rows[0, SIEMENS * LANES]), float(rows[0, CURRENT * LANES])


def arrivals(wires, spikes_s: list[float], excites: bool = True) -> np.ndarray:
    """Return conductance sent by each spike to each target, in units of one vesicle."""
    n = wires.target.size + 1
    who = cells(n, excites)
    state = at_rest(who, wires, seed=7)
    sent = []
    for at_s in spikes_s:
        state.clock[0] = round(at_s / STEP_S)
        waiting = state.excite if excites else state.inhibit
        waiting[:] = 0.0
        release(who, wires, state, np.array([0]), 1)
        slot = (state.clock[0] + 3) & (wires.n_slots - 1)
        sent.append(waiting.reshape(wires.n_slots, n)[slot, 1:] / 1e-9)
        assert waiting.sum() == pytest.approx(sent[-1].sum() * 1e-9)  # nothing anywhere else
    return np.array(sent)


def tsodyks_markram(spikes_s, p, recovery_s, facilitation_s) -> np.ndarray:
    """Return the mean share of vesicles that each spike releases (Tsodyks and Markram 1997, 1998)."""
    u, x, last, out = 0.0, 1.0, None, []
    for at_s in spikes_s:
        if last is not None:
            x = 1 - (1 - x) * np.exp(-(at_s - last) / recovery_s) if recovery_s > 0 else 1.0
            u = u * np.exp(-(at_s - last) / facilitation_s) if facilitation_s > 0 else 0.0
        u = u + p * (1 - u)
        out.append(u * x)
        x *= 1 - u
        last = at_s
    return np.array(out)


@pytest.mark.parametrize(("recovery_s", "facilitation_s"), [(0.3, 0.0), (0.1, 0.5), (0.0, 0.4), (0.0, 0.0)])
def test_the_mean_release_is_that_of_tsodyks_and_markram(recovery_s: float, facilitation_s: float) -> None:
    spikes_s = [0.1, 0.12, 0.15, 0.4, 0.42, 1.5]
    n = 300
    wires = one_wire(n, recovery_s=recovery_s, facilitation_s=facilitation_s)
    found = arrivals(wires, spikes_s).mean(axis=1) / 5
    wanted = tsodyks_markram(spikes_s, 0.4, recovery_s, facilitation_s)
    # 1,500 release sites: four standard errors of a binomial mean.
    assert found == pytest.approx(wanted, abs=4 * np.sqrt(0.25 / (5 * n)))


def test_synapses_fail_and_release_whole_vesicles() -> None:
    sent = arrivals(one_wire(600), [0.1])[0]
    assert np.array_equal(sent, np.rint(sent))
    expected = 0.6**5  # all five sites fail
    assert np.mean(sent == 0) == pytest.approx(expected, abs=4 * np.sqrt(expected / 600))
    assert sent.var() == pytest.approx(5 * 0.4 * 0.6, rel=0.25)


def test_vesicles_differ_in_size() -> None:
    certain = {"release": np.ones(600), "n_sites": np.ones(600, dtype=np.int64)}
    assert arrivals(one_wire(600, **certain), [0.1]).std() == 0
    sent = arrivals(one_wire(600, quantum_cv=0.25, **certain), [0.1])[0]
    assert sent.mean() == pytest.approx(1.0, abs=0.05)
    assert sent.std() == pytest.approx(0.25, rel=0.15)


def test_inhibitory_neurons_fill_the_other_buffer() -> None:
    assert arrivals(one_wire(50), [0.1], excites=False).sum() > 0


def course(times_s: tuple[float, float], t: np.ndarray) -> np.ndarray:
    rise, decay = times_s
    shape = np.exp(-t / decay) - np.exp(-t / rise)
    fine = np.linspace(0, 5 * decay, 200_001)
    return shape / (np.exp(-fine / decay) - np.exp(-fine / rise)).max()


@pytest.mark.parametrize(("excites", "ratio"), [(True, 0.0), (True, 0.5), (False, 0.0)])
def test_conductances_rise_and_fall_as_stated(excites: bool, ratio: float) -> None:
    who = cells(1)
    wires = no_wires(who, step_s=STEP_S, nmda_ratio=ratio)
    state = at_rest(who, wires)
    (state.excite if excites else state.inhibit)[0] = 2e-9
    found = []
    for _ in range(300):
        siemens, current_a = received(who, wires, state)
        found.append(siemens)
    t = STEP_S * np.arange(300)
    wanted = course(AMPA_S if excites else GABA_S, t)
    if ratio:
        wanted += ratio * course(NMDA_S, t) / (1 + np.exp(-62 * who.rest_v[0]) / 3.57)
    assert np.array(found) == pytest.approx(2e-9 * wanted, abs=2e-14)
    assert current_a == pytest.approx(0.0 if excites else siemens * who.inhibition_v[0])


@pytest.mark.parametrize("v", [-0.2, -0.1003, -0.0651, 0.0, 0.04, 0.3])
def test_the_magnesium_block_follows_its_equation(v: float) -> None:
    who = cells(1)
    wires = no_wires(who, step_s=STEP_S, nmda_ratio=1.0)
    state = at_rest(who, wires)
    state.v[:], state.gates[3] = v, 1e-9  # the decaying part of NMDA, nothing of its rise
    decayed = 1e-9 * np.exp(-STEP_S / NMDA_S[1])
    assert received(who, wires, state)[0] == pytest.approx(decayed / (1 + np.exp(-62 * v) / 3.57), rel=1e-7)


@settings(deadline=None)
@given(st.lists(st.floats(-600, 600), min_size=1, max_size=LANES))
def test_powers_of_e_equal_those_of_the_library(x: list[float]) -> None:
    row = np.zeros(N_SHARED * LANES)
    row[3 * LANES : 3 * LANES + len(x)] = x
    raise_e(row, row.view(np.int64), 3, len(x))
    # 3e-9 of the interpolant; and x / ln 2 is rounded, which counts for as many steps as x is large.
    assert row[3 * LANES : 3 * LANES + len(x)] == pytest.approx(np.exp(x), rel=4e-9)


def test_what_has_decayed_is_zero_and_not_subnormal() -> None:
    who = cells(1)
    wires = no_wires(who, step_s=STEP_S, nmda_ratio=0.0)
    state = at_rest(who, wires)
    state.gates[:] = 1e-42
    received(who, wires, state)
    assert not state.gates.any()


def test_a_gap_junction_divides_a_steady_potential_as_two_conductors_do() -> None:
    who = cells(2)
    gap = 1e-9
    wires = no_wires(who, step_s=STEP_S, nmda_ratio=0.0)._replace(
        gap_start=np.array([0, 1, 2]), gap_other=np.array([1, 0]), gap_siemens=np.array([gap, gap])
    )
    push = np.array([[0.02e-9, 0.0]])
    drive = no_drive(who)._replace(current_a=push)
    seen = run_steps(FAMILY, who, wires, at_rest(who, wires), drive, n_steps=2000)
    v = seen.trace_v[:, -1].astype(float) - who.rest_v
    # Both cells: g_L + a towards rest, and the junction; solved by hand, a millivolt is small.
    g = who.own[1, 0] + who.own[7, 0]
    matrix = np.array([[g + gap, -gap], [-gap, g + gap]])
    # The adaptation has not quite arrived after 0.2 s (150 ms): compare the ratio, which does not depend on it.
    wanted = np.linalg.solve(matrix, push[0])
    assert v[1] / v[0] == pytest.approx(wanted[1] / wanted[0], rel=0.03)
    assert v[1] > 0.5e-4


@pytest.mark.parametrize("excites", [True, False])
def test_a_potential_at_rest_equals_an_independent_integration(excites: bool) -> None:
    who = cells(1)
    wires = no_wires(who, step_s=STEP_S, nmda_ratio=0.0)
    state = at_rest(who, wires)
    (state.excite if excites else state.inhibit)[0] = 2e-9
    seen = run_steps(FAMILY, who, wires, state, no_drive(who), n_steps=400)
    found = seen.trace_v[0].astype(float) - who.rest_v[0]
    C, gL, EL, VT, D, _, _, a, tw = who.own[:9, 0]
    times_s, reversal = (AMPA_S, 0.0) if excites else (GABA_S, who.inhibition_v[0])

    def slopes(t, y):
        v, w = y
        g = 2e-9 * course_at(times_s, t)
        upstroke = gL * D * np.exp((v - VT) / D)
        return [(gL * (EL - v) + upstroke - w + g * (reversal - v)) / C, (a * (v - EL) - w) / tw]

    exact = solve_ivp(slopes, (0, 0.04), [EL, 0.0], t_eval=STEP_S * np.arange(0.5, 399), rtol=1e-8, atol=1e-12)
    # A step uses the conductance at its start, so the potential comes half a step (0.05 ms) late.
    assert found[:399] == pytest.approx(exact.y[0] - EL, abs=0.015 * np.abs(exact.y[0] - EL).max())


def course_at(times_s: tuple[float, float], t: float) -> float:
    rise, decay = times_s
    peak_at = np.log(decay / rise) * rise * decay / (decay - rise)
    top = np.exp(-peak_at / decay) - np.exp(-peak_at / rise)
    return (np.exp(-t / decay) - np.exp(-t / rise)) / top
