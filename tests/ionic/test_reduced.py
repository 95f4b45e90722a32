"""The neuron in three variables: published and derived figures, an adaptive solver, noise, f-I, refractoriness."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from neurograft.errors import IonicError
from neurograft.ionic import (
    FIELD_UNIT_V_M,
    PAIRS_ALONE,
    PAPER,
    SAMPLE_FIT,
    WIDE_CORE,
    Circuit,
    PairTheory,
    PowerLaw,
    Reduced,
    breaking_rate_hz,
    catching_rate_m2_s,
    energy_per_spike_j,
    equilibrium_fraction,
    local_exponent,
    rate_against_current,
    refractory_curve,
    simulate,
    spikes_of,
    with_current,
)
from neurograft.ionic._reduced import advance_many, rates_at, step_reduced
from neurograft.units import MS, NA, NM, NS, PICOSIEMENS, US

CLOSED = Reduced(circuit=Circuit(), law=PowerLaw())
SAMPLE = Reduced(circuit=Circuit(), law=SAMPLE_FIT)


def test_the_circuit_has_the_authors_numbers():
    c = Circuit()
    assert c.free_siemens == pytest.approx(51.6 * PICOSIEMENS, rel=0.002)  # derived from their input
    assert c.reversal_na_v == pytest.approx(102.7, abs=0.1)
    assert (c.na_per_m2 * NM**2, c.k_per_m2 * NM**2) == pytest.approx((1e-4, 1e-5))


def test_the_power_law_spikes_as_worked_out_beforehand():
    # facts page, section 8, first closure: interval 78 us within 3 %, peak 43 within 1, trough 7 within 1
    train = spikes_of(simulate(CLOSED, duration_s=2 * MS), transient_s=0.3 * MS)
    assert train.interval_s == pytest.approx(77.5 * US, rel=0.03)
    assert train.peak_v.mean() == pytest.approx(43, abs=1)
    assert train.trough_v.mean() == pytest.approx(7, abs=1)


def test_rates_fitted_to_the_sample_run_give_the_authors_spike_train():
    # authors: 13 spikes in 1.17 ms, 87.7 +- 15.5 us, 40.6 V; the checklist asks for 25 % and 20 %
    trace = simulate(SAMPLE, duration_s=1.17 * MS)
    train = spikes_of(trace)
    assert 12 <= train.n_spikes <= 14
    assert train.interval_s == pytest.approx(87.7 * US, rel=0.25)
    assert train.peak_v.mean() == pytest.approx(40.6, rel=0.20)


def test_the_kernel_is_an_adaptive_solver_to_half_a_percent():
    c, law = CLOSED.circuit, CLOSED.law

    def slope(_, y):
        v, n_na, n_k = y
        field = np.array([abs(v) / c.length_m])
        kd = law.breaking_hz(field)[0]
        ka = law.catching_m2_s(field, per_m2=1.0)[0]
        i_na = c.na_gain * c.free_siemens * n_na * (v - c.reversal_na_v)
        i_k = c.free_siemens * n_k * (v - c.reversal_k_v)
        caught = ka * c.na_per_m2 * n_na**2, ka * c.k_per_m2 * n_k**2
        return [(c.current_a - i_na - i_k) / c.capacitance_f, (1 - n_na) * kd - caught[0], (1 - n_k) * kd - caught[1]]

    def crossing(_, y):
        return y[0] - 25.0

    crossing.direction = 1
    solved = solve_ivp(slope, (0, 0.6 * MS), (0.5, 1.0, 1.0), events=crossing, method="LSODA", rtol=1e-8, atol=1e-9)
    exact = solved.t_events[0]
    exact = exact[exact > 150 * US]
    for step_s, error in ((50 * NS, 0.005), (5 * NS, 0.0006)):  # of first order in the step
        train = spikes_of(simulate(CLOSED, duration_s=0.6 * MS, step_s=step_s), transient_s=150 * US)
        assert train.n_spikes == exact.size > 4
        assert train.interval_s == pytest.approx(np.diff(exact).mean(), rel=error)


@pytest.mark.parametrize("law", [PowerLaw(), SAMPLE_FIT, PAIRS_ALONE, PairTheory(form=WIDE_CORE)])
def test_tabulated_rates_are_the_laws_to_a_part_in_a_thousand(law):
    neuron = Reduced(circuit=Circuit(), law=law)
    constants = neuron.constants(50 * NS)
    v = np.random.default_rng(0).uniform(10, 110, 300)
    found = np.array([rates_at(x, constants) for x in v])
    field = v / neuron.circuit.length_m
    assert found[:, 0] == pytest.approx(law.breaking_hz(field) * 50 * NS, rel=1e-3)
    for column, rho in ((1, neuron.circuit.na_per_m2), (2, neuron.circuit.k_per_m2)):
        assert found[:, column] == pytest.approx(law.catching_m2_s(field, per_m2=rho) * rho * 50 * NS, rel=1e-3)


def test_many_neurons_step_as_one_does():
    constants = CLOSED.constants(50 * NS)
    state = np.array([[5.0, 40.0, -3.0], [0.01, 0.2, 0.5], [0.06, 0.3, 1.0]])
    extra = np.array([0.0, 0.05, 0.1])
    lone = np.array([step_reduced(*state[:, i], extra[i], constants) for i in range(3)]).T
    advance_many(state, extra, constants)
    np.testing.assert_array_equal(state, lone)


def test_free_shares_stay_between_none_and_all_and_the_battery_bounds_the_potential():
    trace = simulate(Reduced(circuit=replace(Circuit(), current_a=0.0), law=PowerLaw()), duration_s=0.5 * MS)
    assert np.all((trace.n_na >= 0) & (trace.n_na <= 1) & (trace.n_k >= 0) & (trace.n_k <= 1))
    assert np.abs(trace.voltage_v).max() < 102.8


def test_noise_of_ions_scatters_the_intervals_and_more_ions_less():
    few, many = (Reduced(circuit=scaled(Circuit(), factor), law=PowerLaw()) for factor in (0.25, 16))
    spread = [
        spikes_of(simulate(n, duration_s=4 * MS, rng=np.random.default_rng(5)), transient_s=0.3 * MS)
        for n in (few, many)
    ]
    assert spread[1].interval_s == pytest.approx(78 * US, rel=0.06)
    assert spread[0].interval_sd_s > 2 * spread[1].interval_sd_s > 0


def scaled(c, factor):
    """Return a circuit with more ions at the same densities, and everything else in proportion."""
    return replace(
        c, n_pairs=int(c.n_pairs * factor), na_width_m=c.na_width_m * factor, k_width_m=c.k_width_m * factor,
        capacitance_f=c.capacitance_f * factor, current_a=c.current_a * factor,
    )  # fmt: skip


def test_scaling_ions_capacitor_and_current_together_changes_nothing_without_noise():
    small = spikes_of(simulate(Reduced(circuit=scaled(Circuit(), 0.125), law=PowerLaw()), duration_s=1 * MS))
    whole = spikes_of(simulate(CLOSED, duration_s=1 * MS))
    assert small.time_s == pytest.approx(whole.time_s)


def test_rate_rises_with_current_and_strong_current_blocks():
    rates = rate_against_current(CLOSED, np.array([0.01, 0.03, 0.05, 0.1, 0.16, 0.4]) * NA, duration_s=2.5 * MS)
    assert np.all(np.diff(rates[:5]) > 0)
    assert rates[3] == pytest.approx(12.8e3, rel=0.05)
    assert rates[5] == 0.0


def test_after_a_spike_a_kick_does_less():
    peaks = refractory_curve(CLOSED, np.array([20, 30, 60]) * US)
    assert peaks[0] < peaks[2]
    assert peaks[1] < peaks[2]


def test_a_spike_costs_picojoules_and_batteries_pay_for_the_heat():
    energy_j = energy_per_spike_j(CLOSED)
    assert 1e-12 < energy_j < 2e-11  # facts page: about 10 pJ
    trace = simulate(CLOSED, duration_s=2 * MS)
    train, c = spikes_of(trace, transient_s=0.6 * MS), CLOSED.circuit
    inside = (trace.time_s >= train.time_s[0]) & (trace.time_s < train.time_s[-1])
    i_na = c.na_gain * c.free_siemens * trace.n_na * (trace.voltage_v - c.reversal_na_v)
    i_k = c.free_siemens * trace.n_k * (trace.voltage_v - c.reversal_k_v)
    given_w = c.current_a * trace.voltage_v - i_na * c.reversal_na_v - i_k * c.reversal_k_v
    assert float(given_w[inside].sum()) * 50 * NS / (train.n_spikes - 1) == pytest.approx(energy_j, rel=0.01)


@pytest.mark.parametrize("field", [0.105, 0.19, 0.35])
def test_pairs_break_as_the_table_says(field):
    rng = np.random.default_rng(77)  # not the table's seed
    rate = breaking_rate_hz(
        PAPER, field_v_m=field * FIELD_UNIT_V_M, n_steps={0.105: 400_000, 0.19: 60_000, 0.35: 10_000}[field], rng=rng
    )
    expected = PAIRS_ALONE.breaking_hz(np.array([field * FIELD_UNIT_V_M]))[0]
    assert rate.value == pytest.approx(expected, rel=4 / np.sqrt(rate.n_events) + 0.05)


def test_free_ions_are_caught_as_the_table_says():
    rng = np.random.default_rng(78)
    for per_nm2, n_steps in ((1e-3, 30_000), (1e-4, 200_000)):
        rate = catching_rate_m2_s(
            PAPER, field_v_m=0.14 * FIELD_UNIT_V_M, per_m2=per_nm2 / NM**2, n_steps=n_steps, rng=rng
        )
        expected = PAIRS_ALONE.catching_m2_s(np.array([0.14 * FIELD_UNIT_V_M]), per_m2=per_nm2 / NM**2)[0]
        assert rate.value == pytest.approx(expected, rel=4 / np.sqrt(rate.n_events) + 0.03)


def test_kramers_theory_is_the_measured_rate_where_the_step_is_short():
    """The saddle is well outside of the core at this field; the theory is good to 10 % there (facts page)."""
    field = np.array([0.19 * FIELD_UNIT_V_M])
    theory = PairTheory(form=WIDE_CORE).breaking_hz(field)[0]
    rate = breaking_rate_hz(WIDE_CORE, field_v_m=field[0], n_steps=100_000, rng=np.random.default_rng(1), step_s=1e-12)
    assert theory == pytest.approx(rate.value, rel=0.25 + 2 / np.sqrt(rate.n_events))


def test_langevins_rate_bounds_catching_and_the_cut_lowers_it_in_weak_fields():
    theory = PairTheory(form=PAPER)
    fields = np.array([0.0, 0.02, 0.3]) * FIELD_UNIT_V_M
    for per_nm2 in (1e-4, 1e-5):
        found = theory.catching_m2_s(fields, per_m2=per_nm2 / NM**2)
        measured = PAIRS_ALONE.catching_m2_s(fields, per_m2=per_nm2 / NM**2)
        assert found[2] == pytest.approx(1.2e11 * NM**2, rel=0.01)
        assert np.all(np.diff(found) > 0)
        assert found == pytest.approx(measured, rel=0.45)


def test_the_exponent_of_the_sample_run_lies_between_the_published_bounds():
    """Issue: 5.3 to 5.5; of n against E at low n it is half the exponent of n^2/(1-n) plus that of the current, 1."""
    field = np.geomspace(0.04, 0.06, 12) * FIELD_UNIT_V_M
    n = equilibrium_fraction(PowerLaw(), field, per_m2=1e-3 / NM**2)
    current = np.diff(np.log(n * field)) / np.diff(np.log(field))
    assert np.all((current > 5.3) & (current < 5.65))  # 1 + 9.2 / 2 = 5.6 less what n takes from it
    assert local_exponent(field, n) == pytest.approx(np.full(11, 9.2), rel=1e-6)


def test_a_step_that_loses_the_spike_is_refused():
    with pytest.raises(IonicError, match="keep their shape"):
        simulate(CLOSED, duration_s=1 * MS, step_s=2 * US)


def test_batteries_beyond_breakdown_are_refused():
    with pytest.raises(IonicError, match="water breaks down"):
        Circuit(reversal_na_v=3000.0)


def test_no_current_source_changes_the_train():
    assert spikes_of(simulate(with_current(CLOSED, 0.4 * NA), duration_s=1 * MS), transient_s=0.3 * MS).n_spikes == 0
