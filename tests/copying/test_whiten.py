from dataclasses import replace

import numpy as np
import pytest
from test_regression import N, made, whitened, worth_of

from neurograft.copying.intracellular.neurons._coupling import Coupling
from neurograft.copying.intracellular.reading._thin import thinned
from neurograft.copying.intracellular.reading._timeline import timeline
from neurograft.copying.intracellular.regression import _whiten
from neurograft.copying.intracellular.regression._design import lag_boxes
from neurograft.copying.intracellular.regression._factored import design
from neurograft.copying.intracellular.regression._prepare import bridge, without_drift
from neurograft.copying.intracellular.regression._whiten import (
    Traces,
    WhiteningOptions,
    autoregression,
    own_course,
    prepared,
)
from neurograft.progress import silent
from neurograft.recordings import Signal, array_recording


def traces_of(volts, **options):
    recording = array_recording(volts, rate_hz=1000.0, signal=Signal.MEMBRANE_V)
    n = volts.shape[1]
    return Traces(
        thin=thinned(recording, 1),
        line=timeline(recording, factor=1, gap_rows=30),
        channel=np.arange(n),
        coupling=Coupling((np.zeros(1),) * n, (np.ones(1),) * n, np.ones(n, dtype=bool)),
        spike_row=(np.empty(0, dtype=np.int64),) * n,
        artefact_row=np.empty(0, dtype=np.int64),
        options=WhiteningOptions(**options),
    )


def coefficients(traces, worth):
    return autoregression(list(prepared(traces, np.arange(len(traces.channel)))), worth, traces.options.ar_order)


def test_coefficients_are_those_of_the_process_that_made_the_trace():
    rng = np.random.default_rng(0)
    volts = np.zeros((30_000, 1))
    noise = rng.standard_normal(30_000)
    for t in range(2, 30_000):
        volts[t] = 1.2 * volts[t - 1] - 0.5 * volts[t - 2] + noise[t]
    traces = traces_of(volts, ar_order=3, drift_sd_s=2.0)
    whitener = coefficients(traces, np.ones(traces.line.n_rows))
    assert whitener.coefficient[:, 0] == pytest.approx([1.2, -0.5, 0.0], abs=0.03)  # 4 standard errors


def test_some_chunks_of_a_long_recording_tell_the_same_and_all_of_a_neuron_that_is_there_between_them(monkeypatch):
    rng, n = np.random.default_rng(4), 30_000
    volts = np.zeros((n, 2))
    noise = rng.standard_normal((n, 2))
    for t in range(1, n):
        volts[t] = 0.8 * volts[t - 1] + noise[t]
    volts[:, 1] = np.where((np.arange(n) >= 1000) & (np.arange(n) < 3000), volts[:, 1], np.nan)  # chunks 1 and 2
    traces = traces_of(volts, ar_order=2, chunk_s=1.0)
    worth = np.ones(traces.line.n_rows)
    every = coefficients(traces, worth).coefficient
    monkeypatch.setattr(_whiten, "_ROWS_THAT_TELL", n // 3)  # chunks 0, 3, 6, ...
    some = coefficients(traces, worth).coefficient
    assert np.array_equal(some[:, 1], every[:, 1])
    assert not np.array_equal(some[:, 0], every[:, 0])
    assert some[:, 0] == pytest.approx(every[:, 0], abs=0.04)  # 4 standard errors of 10,000 rows


def test_innovations_are_white():
    traces = made()
    e, weight = whitened(traces, coefficients(traces, worth_of(traces)))
    for j in range(N):
        x = e[:, j] * weight[:, j]
        correlation = [np.sum(x[lag:] * x[:-lag]) / np.sum(x * x) for lag in range(1, 4)]
        assert np.abs(correlation).max() < 0.15  # about 800 kept rows: 4 standard errors, spikes' answers included


def test_rows_that_are_foretold_from_a_bridge_weigh_nothing():
    rng, n, keep = np.random.default_rng(1), 20_000, np.exp(-1 / 15)
    noise, spikes, volts = rng.standard_normal(n), np.arange(50, n, 40), np.zeros((n, 1))
    noise[spikes] -= 10.0  # a reset, from which the membrane comes back as from anything else
    for t in range(2, n):
        volts[t] = (keep + 0.8) * volts[t - 1] - 0.8 * keep * volts[t - 2] + noise[t]
    traces = traces_of(volts, ar_order=4, drift_sd_s=2.0, chunk_s=1.0)
    traces = replace(traces, spike_row=(spikes + traces.line.offset[0],))
    parts = list(prepared(traces, np.arange(1)))
    whitener = coefficients(traces, np.ones(traces.line.n_rows))
    e = np.concatenate([whitener.whiten(part) for part in parts])[:, 0]
    plain = np.concatenate([part.weight[part.before :] for part in parts])[:, 0] > 0
    settled = np.concatenate([part.settled() for part in parts])[:, 0] > 0
    for row in range(n):
        assert settled[row] == plain[max(row - 2, 0) : row + 1].all()
    assert np.mean(e[spikes[:-1] + 6] ** 2) > 3.0  # noise of variance 1; the second row after 4 ms
    assert np.mean(e[plain] ** 2) > np.mean(e[settled] ** 2) + 0.05
    assert np.mean(e[settled] ** 2) == pytest.approx(1.0, abs=0.12)  # 5 standard errors, and what is left of drift


def test_memory_is_learnt_where_spikes_tell_of_synapses():
    rng, n = np.random.default_rng(2), 40_000
    is_burst = np.arange(n) % 4000 < 400
    volts, noise = np.zeros((n, 1)), rng.standard_normal(n)
    for t in range(1, n):
        volts[t] = (0.9 if is_burst[t] else 0.2) * volts[t - 1] + noise[t]
    traces = traces_of(volts, ar_order=1, drift_sd_s=2.0)
    boxes, n_rows, offset = lag_boxes(1000.0), traces.line.n_rows, traces.line.offset[0]
    spikes = offset + np.flatnonzero(is_burst)[50::20]
    telling = design((spikes[::2], spikes[1::2]), boxes, np.ones(n_rows)).telling()
    reached = np.zeros(n_rows)
    for s in spikes:
        reached[s + boxes.low[0] : s + boxes.high[-1]] += 1
    assert telling == pytest.approx(reached / reached[reached > 0].mean() + 1e-3)
    assert coefficients(traces, telling).coefficient[0, 0] == pytest.approx(0.9, abs=0.03)  # 4 standard errors
    assert coefficients(traces, np.ones(n_rows)).coefficient[0, 0] < 0.8


def test_a_blank_is_bridged_by_a_straight_line_and_weighs_nothing():
    volts = np.arange(12.0) ** 2
    weight = np.ones(12)
    weight[4:7] = 0.0
    out = volts.copy()
    bridge(out, weight)
    assert out[4:7] == pytest.approx([9 + (49 - 9) * k / 4 for k in (1, 2, 3)])
    assert np.array_equal(out[weight > 0], volts[weight > 0])
    out = volts.copy()
    bridge(out, np.zeros(12))
    assert np.array_equal(out, volts)


def test_drift_is_the_gaussian_smooth_also_at_the_edges():
    rng = np.random.default_rng(0)
    volts, sd = rng.standard_normal((600, 2)).cumsum(axis=0), 40.0
    t = np.arange(600)
    kernel = np.exp(-0.5 * ((t[:, None] - t) / sd) ** 2)
    expected = kernel @ volts / kernel.sum(axis=1, keepdims=True)
    left = volts.T.copy()
    without_drift(left, sd)
    assert np.abs(volts - left.T - expected).max() < 0.02 * volts.std()  # blocks of a tenth of the sd


def test_artefacts_and_missing_samples_weigh_nothing():
    volts = np.random.default_rng(0).standard_normal((400, 1))
    volts[100:120] = np.nan  # held from sample 99 on, which stands still with them
    plain = traces_of(volts, ar_order=2)
    fields = {name: getattr(plain, name) for name in plain.__slots__}
    traces = Traces(**fields | {"artefact_row": np.array([30 + 1 + 250])})
    parts = list(prepared(traces, np.arange(1)))
    weight = np.concatenate([part.weight[part.before :, 0] for part in parts])
    assert np.flatnonzero(weight == 0).tolist() == [*range(99, 120), *range(246, 260)]
    assert all(np.isfinite(part.volts).all() for part in parts)


def test_what_comes_before_and_after_an_action_potential_is_no_memory_of_the_membrane():
    """A reset by an action potential makes products across the blank that no autoregression made."""
    rng = np.random.default_rng(3)
    volts, rows = np.zeros((40_000, 1)), np.arange(100, 39_900, 60)
    for t in range(1, len(volts)):
        volts[t] = 0.9 * volts[t - 1] + 1e-3 * rng.standard_normal()
        if t in set(rows + 8):
            volts[t] = -0.01
    traces = traces_of(volts, ar_order=12)
    fields = {name: getattr(traces, name) for name in traces.__slots__}
    traces = Traces(**fields | {"spike_row": (traces.line.offset[0] + rows,)})
    found = coefficients(traces, np.ones(traces.line.n_rows)).coefficient[:, 0]
    assert found == pytest.approx([0.9, *(0.0,) * 11], abs=0.05)  # 4 standard errors of 10,000 whole windows


def test_an_own_course_is_the_mean_of_lonely_action_potentials():
    wave = np.array([0.0, 0.5, 1.0, 0.2, -0.3, -0.1])
    volts = 1e-9 * np.random.default_rng(0).standard_normal((3000, 2))  # a constant would be a dropped channel
    rows = np.array([200, 500, 520, 900, 1300, 1700, 2100, 2500])
    for row in rows:
        volts[row - 2 : row + 4, 0] += 0.1 * wave
    traces = traces_of(volts)
    fields = {name: getattr(traces, name) for name in traces.__slots__}
    mine = traces.line.offset[0] + rows
    traces = Traces(**fields | {"spike_row": (mine, mine[:1])})
    course = own_course(traces, -14, 34, silent).course
    assert course[0, 12:18] == pytest.approx(wave, abs=1e-6)  # the two near each other are left out
    assert np.array_equal(course[1], course[0])  # too few of its own
