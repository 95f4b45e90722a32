"""Single potentials, short-term plasticity and vesicles: kernels against slow twins, simulated synapses found again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurograft.copying.intracellular.properties._events import N_NEXT, Events, _add_events
from neurograft.copying.intracellular.properties._plasticity import (
    PAIRED_S,
    _project,
    efficacies,
    efficacy,
    plastic,
    plasticity_grid,
)
from neurograft.copying.intracellular.properties._vesicles import histogram, vesicles

RATE_HZ = 1000.0


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(20, 60))
def test_event_sums_are_those_of_the_written_out_products(seed, n_spikes, n_rows):
    rng = np.random.default_rng(seed)
    first, low, high = int(rng.integers(0, 50)), np.array([-1, 0, 2]), np.array([0, 2, 5])
    train = np.sort(rng.choice(np.arange(first - 10, first + n_rows + 10), n_spikes, replace=False)).astype(np.int64)
    left, weight = rng.standard_normal(n_rows), rng.random(n_rows)
    beta, course = rng.standard_normal(3), rng.standard_normal(7)
    s, q = np.zeros((2, n_spikes)), np.zeros((n_spikes, N_NEXT + 1))
    _add_events(left, weight, first, train, low, high, beta, course, s, q)
    rows = np.arange(first, first + n_rows)
    own = left + sum(beta[b] * sum((rows - t >= low[b]) & (rows - t < high[b]) for t in train) for b in range(3))
    shifted = np.array([[course[r - t] if 0 <= r - t < 7 else 0.0 for r in rows] for t in train])
    assert s[0] == pytest.approx(shifted @ (weight * own))
    assert s[1] == pytest.approx(shifted @ weight)
    for m in range(N_NEXT + 1):
        for k in range(n_spikes - m):
            assert q[k, m] == pytest.approx(np.sum(weight * shifted[k] * shifted[k + m]))


@settings(deadline=None)
@given(st.floats(0.05, 0.9), st.floats(0.02, 2.0), st.floats(0.005, 1.0))
def test_a_second_answer_is_smaller_by_what_was_spent_and_has_not_come_back(use, recovery_s, interval_s):
    pair = efficacy(np.array([interval_s]), use, recovery_s, 0.0)
    assert pair == pytest.approx([1.0, 1 - use * np.exp(-interval_s / recovery_s)])  # Tsodyks and Markram 1997, eq. 1


def test_synapses_side_by_side_are_those_one_by_one():
    grid, interval_s = plasticity_grid(), np.random.default_rng(0).exponential(0.2, 60) + 1e-3
    each = np.array([efficacy(interval_s, *row) for row in zip(*grid[:3], strict=True)])
    assert efficacies(interval_s, grid) == pytest.approx(each.T, rel=1e-9)


@given(st.integers(0, 10_000), st.integers(3, 40))
@settings(deadline=None, max_examples=10)
def test_sums_of_a_grid_are_those_of_every_overlap(seed, n):
    rng = np.random.default_rng(seed)
    q = rng.standard_normal((n, N_NEXT + 1)) * (rng.random((n, N_NEXT + 1)) < 0.7)
    pair, factor = Events(np.arange(n), rng.standard_normal(n), q, 1.0, 1.0), rng.random((n, 5))
    score, own, overlap = np.zeros((3, 5))
    _project(factor, pair.s, q, pair.all_overlaps(np.ones(n)), score, own, overlap)
    each = np.array([pair.all_overlaps(f) for f in factor.T])
    assert score == pytest.approx(factor.T @ pair.s)
    assert own == pytest.approx(np.sum(factor.T * each, axis=1))
    assert overlap == pytest.approx(each.sum(axis=1))


def test_regular_spikes_reach_the_published_steady_state():
    use, recovery_s, rate_hz = 0.5, 0.8, 20.0
    left = np.exp(-1 / (rate_hz * recovery_s))
    steady = (1 - left) / (1 - (1 - use) * left)  # Tsodyks and Markram 1997, eq. 3, over its first response
    assert efficacy(np.full(400, 1 / rate_hz), use, recovery_s, 0.0)[-1] == pytest.approx(steady, rel=1e-6)
    assert efficacy(np.full(3, 0.02), 0.1, 0.05, 0.8)[1] > 1.2  # facilitation


def synapse(seed, *, use, recovery_s, quantum_v, sites, noise_v, facilitation_s=0.0, n=500, rate_hz=6.0):
    """Single potentials of a synapse that releases vesicle by vesicle."""
    rng = np.random.default_rng(seed)
    interval_s = rng.exponential(1 / rate_hz, n) + 0.003
    row = np.round(np.cumsum(interval_s) * RATE_HZ).astype(np.int64)
    ready, u, last = sites, use, 0
    amplitude_v = np.zeros(n)
    for k in range(n):
        gap_s = (row[k] - last) / RATE_HZ
        last = row[k]
        if facilitation_s and k:
            u = u * np.exp(-gap_s / facilitation_s) + use * (1 - u * np.exp(-gap_s / facilitation_s))
        ready += rng.binomial(sites - ready, 1 - np.exp(-gap_s / recovery_s))
        released = rng.binomial(ready, u)
        ready -= released
        amplitude_v[k] = quantum_v * (released + 0.3 * np.sqrt(released) * rng.standard_normal())
    whole = 3.0
    q = np.zeros((n, N_NEXT + 1))
    q[:, 0] = whole
    noise = noise_v * np.sqrt(whole)
    s = q[:, 0] * amplitude_v + noise * np.sqrt(whole) * rng.standard_normal(n)
    return Events(row, s, q, whole, noise)


def many(**changes):
    usual = {"use": 0.5, "recovery_s": 0.3, "quantum_v": 0.5e-3, "sites": 3, "noise_v": 0.3e-3}
    return [synapse(k, **(usual | changes)) for k in range(20)]


def test_depression_is_found_and_undone():
    seen = many()
    found = plastic(seen, np.arange(20), np.ones(20), RATE_HZ)
    assert found.use.mean() == pytest.approx(0.5, abs=0.08)
    mean_v = np.array([np.mean(pair.s / pair.q[:, 0]) for pair in seen])
    assert np.median(mean_v * found.rested) == pytest.approx(0.75e-3, rel=0.08)
    true = 1 - 0.5 * np.exp(-np.array(PAIRED_S) / 0.3)
    assert found.paired.mean(axis=0) == pytest.approx(true, abs=0.1)
    assert np.mean(np.abs(found.paired - true) < 2.5 * found.paired_sd) > 0.85
    assert np.all(found.excess > 1.2)


def test_facilitation_and_no_plasticity_are_told_apart():
    up = plastic(many(use=0.15, recovery_s=0.1, facilitation_s=0.5), np.arange(20), np.ones(20), RATE_HZ)
    assert np.median(up.paired[:, 1]) > 1.15
    flat = [
        pair._replace(s=pair.q[:, 0] * 0.7e-3 + np.random.default_rng(k).standard_normal(500) * 0.5e-3)
        for k, pair in enumerate(many())
    ]
    none = plastic(flat, np.arange(20), np.ones(20), RATE_HZ)
    assert none.rested == pytest.approx(np.ones(20), abs=0.06)
    assert plasticity_grid().paired[0] == pytest.approx(np.ones(len(PAIRED_S)), abs=1e-4)


@pytest.mark.parametrize(("use", "sites"), [(0.3, 2), (0.5, 1), (0.5, 3)])
def test_failures_are_counted_where_a_vesicle_stands_out(use, sites):
    seen = many(use=use, sites=sites, recovery_s=0.05, noise_v=0.2e-3)
    about = plastic(seen, np.arange(20), np.ones(20), RATE_HZ)
    found = vesicles(seen, about)
    failure = (1 - use) ** sites
    assert np.isfinite(found.failure).sum() >= 15
    assert np.nanmedian(found.failure) == pytest.approx(failure, abs=0.1)
    assert np.nanmean(np.abs(found.failure - failure) < 2 * found.failure_sd) > 0.8
    assert np.nanmedian(found.quantum_v) == pytest.approx(0.5e-3, rel=0.25)


def test_vesicles_that_drown_in_noise_or_are_seen_too_rarely_are_not_decidable():
    drowned = many(quantum_v=0.1e-3, noise_v=0.5e-3)
    found = vesicles(drowned, plastic(drowned, np.arange(20), np.ones(20), RATE_HZ))
    assert np.isnan(found.failure).all()
    few = [synapse(1, use=0.5, recovery_s=0.1, quantum_v=1e-3, sites=1, noise_v=0.1e-3, n=20)]
    assert np.isnan(vesicles(few, plastic(few, np.zeros(1, dtype=np.int64), np.ones(1), RATE_HZ)).failure[0])


def test_a_histogram_holds_every_potential_that_was_alone():
    pair = synapse(3, use=0.5, recovery_s=0.05, quantum_v=0.5e-3, sites=1, noise_v=0.1e-3)
    crowded = pair._replace(q=pair.q.copy())
    crowded.q[10, 1] = 0.5  # spikes 10 and 11 overlap
    whole, seen = histogram(pair), histogram(crowded)
    assert len(whole.amplitude_v) == 500
    assert len(seen.amplitude_v) == 498
    assert whole.noise_v == pytest.approx(0.1e-3)
    assert whole.n_each.sum() >= 0.98 * 500


def test_no_synapse_gives_empty_columns():
    none = plastic([], np.empty(0, dtype=np.int64), np.empty(0), RATE_HZ)
    assert none.paired.shape == (0, len(PAIRED_S))
    assert vesicles([], none).failure.shape == (0,)
