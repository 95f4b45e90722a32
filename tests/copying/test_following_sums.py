"""Sums that are kept up with a recording, against the regression's own and against the matrix written out."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from test_design import dense_design
from test_regression import BOXES, N, made, whitened, worth_of

from neurograft.copying.intracellular.following._sums import OfTargets, Rows, Shared, add_chunks, span_of
from neurograft.copying.intracellular.regression._factored import design
from neurograft.copying.intracellular.regression._gram import gram
from neurograft.copying.intracellular.regression._moments import moments
from neurograft.copying.intracellular.regression._whiten import autoregression, chunks_of, prepared

N_COLUMNS = N * len(BOXES.low)
TRACES = made()
WORTH = worth_of(TRACES)
DESIGN = design(TRACES.spike_row, BOXES, WORTH)
PARTS = list(prepared(TRACES, np.arange(N)))
WHITENER = autoregression(PARTS, WORTH, TRACES.options.ar_order)
N_CHUNKS = len(chunks_of(TRACES))
cuts = st.sets(st.integers(1, N_CHUNKS - 1)).map(sorted)


def summed(steps, change=lambda blocks: None):
    """Sums of two blocks of targets after all chunks, added in these steps; coefficients may change in between."""
    shared = Shared.empty(N_COLUMNS, np.dtype(float))
    blocks = [OfTargets.empty(np.array(b), N, N_COLUMNS, np.dtype(float)) for b in ([0, 1], [2])]
    for first, stop in zip([0, *steps], [*steps, N_CHUNKS], strict=True):
        edges = [span_of(TRACES, k) for k in range(first, stop)]
        rows = [Rows.of(TRACES.spike_row, BOXES, WORTH, edge) for edge in edges]
        add_chunks([TRACES] * len(rows), range(first, stop), rows, WHITENER, blocks)
        shared.add(Rows.of(TRACES.spike_row, BOXES, WORTH, (edges[0][0], edges[-1][1])), 1)
        change(blocks)
    return shared, blocks


@settings(deadline=None, max_examples=15)
@given(steps=cuts)
def test_a_recording_added_in_any_steps_has_the_regression_s_own_moments_and_gram_matrix(steps):
    shared, blocks = summed(steps)
    whole = moments(PARTS, WHITENER, [DESIGN])
    (plain,) = whole.moments
    scale = np.abs(plain.sums).max()
    assert np.allclose(np.hstack([b.lacking for b in blocks]), plain.sums, atol=1e-12 * scale)
    kept = np.hstack([b.kept(shared.total).T for b in blocks])
    assert np.allclose(kept, plain.kept, atol=1e-9)
    assert np.allclose(np.hstack([b.near_e2 for b in blocks]), plain.near_e2, rtol=1e-9)
    assert np.allclose(np.hstack([b.plain for b in blocks]), [plain.weight, plain.sum_e, plain.sum_e2], atol=1e-15)
    assert np.allclose(shared.total, DESIGN.total)
    centred = gram(TRACES.spike_row, BOXES, WORTH) - np.outer(DESIGN.total, DESIGN.total) / WORTH.sum()
    assert np.allclose(np.triu(shared.gram), np.triu(centred + 1e-3 * np.eye(N_COLUMNS)), atol=1e-9)
    mask = np.zeros((N, len(WORTH)), dtype=bool)
    for b in blocks:
        for j, intervals in zip(b.targets, b.blanked, strict=True):
            for low, high in np.concatenate(intervals):
                mask[j, low:high] = True
    for j, intervals in enumerate(whole.blanked):
        theirs = np.zeros(len(WORTH), dtype=bool)
        for low, high in intervals:
            theirs[low:high] = True
        assert np.array_equal(mask[j] & (WORTH > 0), theirs & (WORTH > 0))


@settings(deadline=None, max_examples=15)
@given(steps=cuts, seed=st.integers(0, 99))
def test_what_coefficients_lack_is_that_of_the_matrix_written_out_though_they_changed_on_the_way(steps, seed):
    rng = np.random.default_rng(seed)
    e, keeps = whitened(TRACES, WHITENER)
    weight = WORTH[:, None] * keeps
    X = dense_design(TRACES.spike_row, BOXES, len(WORTH))
    done = []

    def change(blocks):
        """What a change of coefficients takes from the sums so far, by the matrix written out."""
        stop = span_of(TRACES, [*steps, N_CHUNKS][len(done)] - 1)[1]
        done.append(stop)
        for b in blocks:
            more, lift = 1e-5 * rng.standard_normal(b.beta.shape), 1e-6 * rng.standard_normal(len(b.targets))
            moved = lift + X @ more
            moved[stop:] = 0.0
            now = (e[:, b.targets] - b.constant - X @ b.beta) * (np.arange(len(e)) < stop)[:, None]
            w = weight[:, b.targets]
            b.lacking[:] -= X.T @ (w * moved)
            b.left[1] -= np.sum(w * moved, axis=0)
            b.left[2] += np.sum(w * ((now - moved) ** 2 - now**2), axis=0)
            b.beta[:] += more
            b.constant[:] += lift

    shared, blocks = summed(steps, change)
    for b in blocks:
        for is_centred in (False, True):
            if is_centred:
                b.centre(shared.total)
            left = e[:, b.targets] - b.constant - X @ b.beta
            w = weight[:, b.targets]
            scale = np.abs(X.T @ (w * e[:, b.targets])).max()
            assert np.allclose(b.lacking, X.T @ (w * left), atol=1e-10 * scale)
            assert np.allclose(b.left, [w.sum(0), np.sum(w * left, 0), np.sum(w * left**2, 0)], atol=1e-12)
        assert np.abs(b.left[1]).max() == 0.0
