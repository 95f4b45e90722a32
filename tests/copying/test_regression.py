from dataclasses import replace

import numpy as np
import pytest
from test_design import dense_design

from neurograft.copying.intracellular.neurons._coupling import Coupling
from neurograft.copying.intracellular.reading._library import ArrayLibrary
from neurograft.copying.intracellular.reading._thin import thinned
from neurograft.copying.intracellular.reading._timeline import timeline
from neurograft.copying.intracellular.regression import _gram, _solve, _whiten
from neurograft.copying.intracellular.regression._design import lag_boxes
from neurograft.copying.intracellular.regression._factored import design
from neurograft.copying.intracellular.regression._gram import Factor
from neurograft.copying.intracellular.regression._regression import fits
from neurograft.copying.intracellular.regression._whiten import Traces, WhiteningOptions, prepared, row_weights
from neurograft.progress import silent
from neurograft.recordings import Signal, array_recording

BOXES = lag_boxes(1000.0)
N, SEGMENTS = 3, (700, 500)


def samples(seed=0):
    """Three noisy neurons in two segments; spikes of each move the next one's trace, and blanks go with spikes."""
    rng = np.random.default_rng(seed)
    traces, line_rows = [rng.standard_normal((n, N)).cumsum(axis=0) * 0.1e-3 for n in SEGMENTS], []
    recording = array_recording(tuple(traces), rate_hz=1000.0, signal=Signal.MEMBRANE_V)
    line = timeline(recording, factor=1, gap_rows=BOXES.reach + 1)
    for i in range(N):
        rows = [np.sort(rng.choice(np.arange(5, n - 5, 2), 12, replace=False)) for n in SEGMENTS]
        for k, r in enumerate(rows):
            for f in r:
                traces[k][f + 2 :, (i + 1) % N] += 1e-3 * np.exp(-np.arange(SEGMENTS[k] - f - 2) / 15.0)
        line_rows.append(np.concatenate([line.offset[k] + r for k, r in enumerate(rows)]))
    return traces, line, tuple(line_rows)


def made(seed=0, chunk_s=0.3, drift_sd_s=0.05, blank_s=(5e-3, 8e-3)):
    traces, line, spike_row = samples(seed)
    return Traces(
        thin=thinned(array_recording(tuple(traces), rate_hz=1000.0, signal=Signal.MEMBRANE_V), 1),
        line=line,
        channel=np.arange(N),
        coupling=Coupling((np.zeros(1),) * N, (np.ones(1),) * N, np.ones(N, dtype=bool)),
        spike_row=spike_row,
        artefact_row=np.empty(0, dtype=np.int64),
        options=WhiteningOptions(chunk_s=chunk_s, drift_sd_s=drift_sd_s, ar_order=4, blank_s=blank_s),
    )


def whitened(traces, whitener):
    e, weight = np.zeros((traces.line.n_rows, N)), np.zeros((traces.line.n_rows, N))
    for part in prepared(traces, np.arange(N)):
        own = whitener.whiten(part)
        e[part.first_row : part.first_row + len(own)] = own
        weight[part.first_row : part.first_row + len(own)] = part.settled()
    return e, weight


def worth_of(traces):
    """Weights of rows that differ, 0 where no segment is."""
    ones = np.zeros(traces.line.n_rows)
    for offset, rows in zip(traces.line.offset, traces.line.rows, strict=True):
        ones[offset : offset + rows] = 0.4 + 0.6 * np.random.default_rng(9).random(rows)
    return ones


def fitted(traces, n_steps):
    whitener, (fit,) = fits(traces, [design(traces.spike_row, BOXES, worth_of(traces))], silent, n_steps=n_steps)
    return fit, whitener


def dense(traces, whitener, j, share):
    """Weighted least squares with the matrix written out, columns that target j never sees left out."""
    e, weight = whitened(traces, whitener)
    kept = weight[:, j] > 0
    root = np.sqrt(worth_of(traces)[kept])
    X = np.column_stack([np.ones(kept.sum()), dense_design(traces.spike_row, BOXES, traces.line.n_rows)[kept]])
    seen = np.append(True, share.reshape(-1, N)[:, j] > 0.1)
    out = np.zeros(X.shape[1])
    out[seen] = np.linalg.lstsq(root[:, None] * X[:, seen], root * e[kept, j], rcond=None)[0]
    return out[1:].reshape(N, -1)


def test_filling_blanks_from_the_fit_gives_each_targets_own_weighted_least_squares():
    traces = made(blank_s=(2e-3, 8e-3))  # a third of all rows; each step leaves about that share of the error
    exact, whitener = fitted(traces, 60)
    quick, _ = fitted(traces, 4)
    plain, _ = fitted(traces, 0)
    for j in range(N):
        others = [i for i in range(N) if i != j]
        expected = dense(traces, whitener, j, exact.share)[others]
        errors = [np.abs(f.beta[others, :, j] - expected).max() for f in (exact, quick, plain)]
        assert errors[0] < 1e-8  # of coefficients near 1e-3; the ridge is 1e-6
        assert errors[1] < 0.1 * errors[2]  # the kept share alone is where filling starts


def test_filling_stops_where_a_factor_of_32_bits_tells_no_more(monkeypatch):
    traces = made()
    monkeypatch.setattr(_gram, "MOST_COLUMNS_OF_64_BITS", 0)
    calls, solve = [], Factor.solve
    monkeypatch.setattr(Factor, "solve", lambda self, right: calls.append(1) or solve(self, right))
    enough = fitted(traces, 60)[0]
    assert 3 <= len(calls) < 40  # a third is blanked here, and of 61 solutions none would be left out
    monkeypatch.setattr(_solve, "_ENOUGH", 0.0)
    all_steps = fitted(traces, 60)[0]
    size = np.sqrt(np.mean(all_steps.beta.astype(np.float64) ** 2, axis=(0, 1)))
    moved = np.sqrt(np.mean((enough.beta.astype(np.float64) - all_steps.beta) ** 2, axis=(0, 1)))
    assert np.max(moved / size) < 3e-5  # what is left to change, and what 32 bits lose


def test_rows_of_32_bits_as_large_recordings_have_them_lose_nothing_that_counts(monkeypatch):
    traces = made()
    exact = fitted(traces, 4)[0]
    monkeypatch.setattr(_whiten, "MOST_ROWS_OF_64_BITS", 0)
    assert made().dtype == np.float32
    rounded = fitted(made(), 4)[0]
    for name in ("beta", "share", "noise", "n_kept"):
        one, other = getattr(exact, name), getattr(rounded, name)
        scale = np.sqrt(np.mean(one**2))
        np.testing.assert_allclose(other, one, atol=1e-5 * scale, err_msg=name)  # 60 mV in 32 bits is known to 4 nV


def test_an_array_library_gives_the_same_fit():
    pytest.importorskip("array_api_compat")
    traces, library = made(), ArrayLibrary("numpy")
    usual = fitted(traces, 4)[0]
    dense = design(traces.spike_row, BOXES, worth_of(traces), library=library)
    _, (fit,) = fits(replace(traces, library=library), [dense], silent, n_steps=4)
    for name in ("beta", "share", "noise", "n_kept", "inverse_block"):
        np.testing.assert_allclose(getattr(fit, name), getattr(usual, name), rtol=1e-6, atol=1e-12, err_msg=name)


def test_moments_do_not_depend_on_how_the_recording_is_cut():
    whole, cut = made(chunk_s=10.0), made(chunk_s=0.11)
    a, b = fitted(whole, 4)[0], fitted(cut, 4)[0]
    # drift is a smooth of tenths of its sd, laid from each chunk's start: equal to a few per cent of the noise
    assert np.abs(a.beta - b.beta).max() < 0.05 * a.noise.max()
    assert np.allclose(a.share, b.share, atol=1e-12)  # sums in another order


def test_the_factor_inverts_the_centred_matrix_and_survives_a_silent_neuron():
    traces = made()
    worth = worth_of(traces)
    X = dense_design(traces.spike_row, BOXES, traces.line.n_rows)
    X = X - np.average(X, axis=0, weights=worth)
    matrix = X.T @ (worth[:, None] * X)
    factor = Factor(traces.spike_row, BOXES, worth)
    assert np.allclose(factor.solve(matrix), np.eye(len(matrix)), atol=1e-4)  # the ridge
    b = len(BOXES.low)
    inverse = np.linalg.inv(matrix + 1e-6 * np.mean(np.diag(matrix)) * np.eye(len(matrix)))
    blocks = factor.inverse_blocks()
    for i in range(N):
        own = slice(i * b, (i + 1) * b)
        assert np.allclose(blocks[i], inverse[own, own], rtol=1e-8)
    silent_too = (traces.spike_row[0], np.empty(0, dtype=np.int64), *traces.spike_row[1:])
    other = Factor(silent_too, BOXES, worth)
    assert other.firing.tolist() == [0, 2, 3]
    assert np.allclose(other.solve(matrix), factor.solve(matrix), rtol=1e-3, atol=1e-6)


def test_noise_after_a_neurons_spikes_is_told_from_the_rest():
    rng = np.random.default_rng(1)
    traces = made()
    loud, _, _ = samples()
    for row in traces.spike_row[0]:
        k = int(row >= traces.line.offset[1])
        f = int(row - traces.line.offset[k])
        loud[k][f : f + 13, 2] += 1e-3 * rng.standard_normal(len(loud[k][f : f + 13]))
    recording = array_recording(tuple(loud), rate_hz=1000.0, signal=Signal.MEMBRANE_V)
    changed = Traces(**{name: getattr(traces, name) for name in traces.__slots__} | {"thin": thinned(recording, 1)})
    noise = fitted(changed, 2)[0].noise
    assert noise[0, 2] > 1.2 * noise[1, 2]


def test_rows_in_which_all_traces_are_restless_weigh_by_one_over_their_power():
    rng = np.random.default_rng(2)
    n, rows = 40, 4000
    scale = np.where((np.arange(rows) >= 2000) & (np.arange(rows) < 2600), 3.0, 1.0)
    volts = (1e-3 * scale[:, None] * rng.standard_normal((rows, n))).cumsum(axis=0)
    recording = array_recording(volts, rate_hz=1000.0, signal=Signal.MEMBRANE_V)
    fields = {name: getattr(made(), name) for name in Traces.__slots__}
    traces = Traces(
        **fields
        | {
            "thin": thinned(recording, 1),
            "line": timeline(recording, factor=1, gap_rows=BOXES.reach + 1),
            "channel": np.arange(n),
            "coupling": Coupling((np.zeros(1),) * n, (np.ones(1),) * n, np.ones(n, dtype=bool)),
            "spike_row": (np.empty(0, dtype=np.int64),) * n,
            "options": WhiteningOptions(),
        }
    )
    worth = row_weights(traces, np.full(n, 1e-3), silent)
    offset = traces.line.offset[0]
    assert not worth[:offset].any()
    assert np.median(worth[offset : offset + 1900]) == pytest.approx(1.0, abs=0.02)
    # 1/9, but ten still neurons are counted with these forty
    assert np.median(worth[offset + 2100 : offset + 2500]) == pytest.approx(50 / (40 * 9 + 10), rel=0.05)


@pytest.mark.parametrize("change", [{"ar_order": 1}, {"drift_sd_s": 0.5}, {"blank_s": (0.0, 1e-3)}])
def test_each_whitening_option_changes_the_coefficients(change):
    traces = made()
    base = {name: getattr(traces.options, name) for name in traces.options.__slots__}
    fields = {name: getattr(traces, name) for name in traces.__slots__}
    other = Traces(**fields | {"options": WhiteningOptions(**base | change)})
    assert not np.allclose(fitted(other, 2)[0].beta, fitted(traces, 2)[0].beta, rtol=1e-6)


def test_spikes_are_counted_whatever_their_rows_weigh():
    traces = made()
    worth = worth_of(traces)
    one, other = (fits(traces, [design(traces.spike_row, BOXES, w)], silent)[1][0] for w in (worth, 0.1 * worth))
    assert other.n_kept == pytest.approx(0.1 * one.n_kept)
    assert other.n_seen() == pytest.approx(one.n_seen())
    flat = fits(traces, [design(traces.spike_row, BOXES, (worth > 0) * 1.0)], silent)[1][0]
    assert flat.n_seen() == pytest.approx(flat.n_kept)
    assert np.all(flat.n_seen() < 24 + 1e-9)  # spikes a neuron
