"""Traces made ready channel by channel, against plain NumPy."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from neurograft.copying.intracellular.neurons._coupling import Coupling
from neurograft.copying.intracellular.regression._moments import blanked_between, changes_of, weigh
from neurograft.copying.intracellular.regression._prepare import blank, scaled, turn


@settings(deadline=None, max_examples=20)  # the first call compiles
@given(seed=st.integers(0, 99), n_knots=st.lists(st.integers(1, 4), min_size=1, max_size=3))
def test_traces_take_their_channels_gain_between_knots_and_are_nothing_where_bad(seed, n_knots):
    rng = np.random.default_rng(seed)
    n, time_s = len(n_knots), np.sort(rng.random(40))
    given_v = rng.standard_normal((n, 40)).astype(np.float32)
    given_v[rng.random(given_v.shape) < 0.2] = np.nan
    knots = tuple(np.sort(rng.choice(time_s, k, replace=False)) for k in n_knots)  # on rows, and between them
    gains = tuple(rng.random(k) for k in n_knots)
    found = scaled(given_v, time_s, list(knots), list(gains))
    expected = given_v.astype(np.float64) * Coupling(knots, gains, np.ones(n, dtype=bool)).at(time_s, np.arange(n)).T
    np.testing.assert_array_equal(found.is_ok, ~np.isnan(given_v))
    np.testing.assert_allclose(found.volts, np.nan_to_num(expected), rtol=1e-12, atol=1e-15)


@settings(deadline=None, max_examples=20)  # the first call compiles
@given(seed=st.integers(0, 99), before=st.integers(0, 3), after=st.integers(0, 5), first=st.integers(0, 20))
def test_rows_around_spikes_and_artefacts_weigh_nothing_and_are_bridged(seed, before, after, first):
    rng = np.random.default_rng(seed)
    volts, is_ok = rng.standard_normal((3, 150)), rng.random((3, 150)) > 0.1
    spikes = [np.sort(rng.choice(np.arange(-10, 160), rng.integers(0, 6), replace=False)) for _ in range(3)]
    artefacts, late = np.array([70]), after + 3
    traces = scaled(
        np.where(is_ok, volts, np.nan).astype(np.float32), np.arange(150.0), [np.zeros(1)] * 3, [np.ones(1)] * 3
    )
    held = traces.volts.copy()
    blank(traces, spikes, artefacts, before, (after, late))
    rows, weight = np.empty((150 - first, 3)), np.empty((150 - first, 3))
    turn(*traces, first, rows, weight)
    t = np.arange(150)
    for j in range(3):
        around = [(s, after) for s in spikes[j]] + [(s, late) for s in artefacts]
        kept = is_ok[j] & ~np.any([(t >= s - before) & (t <= s + last) for s, last in around], axis=0)
        straight = np.interp(t, t[kept], held[j, kept])
        np.testing.assert_array_equal(weight[:, j], kept[first:])
        np.testing.assert_allclose(rows[:, j], straight[first:], rtol=1e-12, atol=1e-12)


@settings(deadline=None, max_examples=20)  # the first call compiles
@given(seed=st.integers(0, 99), cut=st.integers(1, 39))
def test_sums_of_innovations_and_blanked_rows_are_those_of_their_definition_however_cut(seed, cut):
    rng = np.random.default_rng(seed)
    e, mask, worth = rng.standard_normal((40, 3)), (rng.random((40, 3)) > 0.3).astype(np.float64), rng.random(40)
    total, first, changes = np.zeros((3, 3)), 5, []
    kept = mask * worth[:, None]
    for begin, end in ((0, cut), (cut, 40)):
        part, squares = e[begin:end].copy(), np.empty((end - begin, 3))
        weigh(part, mask[begin:end], worth[begin:end], squares, total)
        np.testing.assert_allclose(part, (e * kept)[begin:end], rtol=1e-13)
        np.testing.assert_allclose(squares, (worth[:, None] * e**2 * kept)[begin:end], rtol=1e-13)
        found = changes_of(mask[begin:end])
        found[0] += first + begin
        changes.append(found)
    np.testing.assert_allclose(total, [kept.sum(axis=0), (e * kept).sum(axis=0), (e**2 * kept).sum(axis=0)], rtol=1e-12)
    seen = np.ones((50, 3))
    for j, intervals in enumerate(blanked_between(np.concatenate(changes, axis=1), 3, 50)):
        assert (intervals[:, 1] > intervals[:, 0]).all()
        for low, high in intervals:
            seen[low:high, j] = 0.0
    np.testing.assert_array_equal(seen[first : first + 40], mask)  # and nothing is kept outside of the chunks
    assert not seen[:first].any()
    assert not seen[first + 40 :].any()
