import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from neurograft.copying.intracellular.regression._design import (
    ACAUSAL,
    CHEMICAL,
    ZERO,
    add_blanked,
    add_box_sums,
    column_totals,
    joined,
    lag_boxes,
    subtract_prediction,
)
from neurograft.copying.intracellular.regression._gram import gram

N_ROWS = 110
BOXES = lag_boxes(1000.0)
trains = st.lists(
    st.lists(st.integers(BOXES.reach, N_ROWS - BOXES.reach - 1), max_size=6, unique=True).map(
        lambda rows: np.array(sorted(rows), dtype=np.int64)
    ),
    min_size=1,
    max_size=3,
).map(tuple)


def dense_design(spike_row, boxes, n_rows):
    """The matrix that the copier never builds."""
    t = np.arange(n_rows)[:, None, None]
    X = np.zeros((n_rows, len(spike_row), len(boxes.low)))
    for i, rows in enumerate(spike_row):
        lag = t - rows[:, None]
        X[:, i] = np.sum((lag >= boxes.low) & (lag < boxes.high), axis=1)
    return X.reshape(n_rows, -1)


def test_boxes_follow_each_other_and_lie_where_their_names_say():
    assert np.array_equal(BOXES.high[:-1], BOXES.low[1:])
    assert BOXES.low[ACAUSAL] == -6
    assert (BOXES.low[ZERO], BOXES.high[ZERO], BOXES.low[CHEMICAL]) == (0, 1, 1)
    assert np.array_equal(lag_boxes(2000.0).low, 2 * BOXES.low)


@settings(deadline=None, max_examples=20)  # the first call compiles
@given(spike_row=trains, seed=st.integers(0, 99))
def test_gram_matrix_and_totals_are_those_of_the_dense_design(spike_row, seed):
    X, weight = dense_design(spike_row, BOXES, N_ROWS), np.random.default_rng(seed).random(N_ROWS)
    expected = X.T @ (weight[:, None] * X)
    assert np.allclose(np.triu(gram(spike_row, BOXES, weight)), np.triu(expected), atol=1e-12)  # sums of 110 numbers
    assert np.allclose(column_totals(spike_row, BOXES, weight), weight @ X, atol=1e-12)


@settings(deadline=None, max_examples=20)  # the first call compiles
@given(spike_row=trains, cut=st.integers(1, N_ROWS - 1), seed=st.integers(0, 99))
def test_box_sums_of_two_chunks_add_up_to_the_dense_product(spike_row, cut, seed):
    values = np.random.default_rng(seed).standard_normal((N_ROWS, 2))
    rows, start = joined(spike_row)
    sums = np.zeros((len(spike_row) * len(BOXES.low), 2))
    for first, part in ((0, values[:cut]), (cut, values[cut:])):
        add_box_sums(rows, start, BOXES, first_row=first, values=part, sums=sums)
    assert np.allclose(sums, dense_design(spike_row, BOXES, N_ROWS).T @ values, atol=1e-12)  # sums of 110 numbers


@settings(deadline=None, max_examples=20)  # the first call compiles
@given(spike_row=trains, seed=st.integers(0, 99), first=st.integers(-5, 60))
def test_what_is_subtracted_is_the_dense_prediction(spike_row, seed, first):
    rng = np.random.default_rng(seed)
    beta, values = rng.standard_normal((len(spike_row) * len(BOXES.low), 20)), rng.standard_normal((40, 20))
    rows, start = joined(spike_row)
    left = values.copy()
    subtract_prediction(rows - first, start, BOXES.edges, beta, left)
    X = dense_design(tuple(r + 5 for r in spike_row), BOXES, N_ROWS + 5)  # room for rows before 0
    assert np.allclose(left, values - (X @ beta)[first + 5 : first + 45], atol=1e-12)


@settings(deadline=None, max_examples=20)  # the first call compiles
@given(spike_row=trains, cuts=st.lists(st.integers(0, N_ROWS), min_size=2, max_size=6, unique=True))
def test_blanked_weights_are_those_of_the_dense_design(spike_row, cuts):
    weight = np.random.default_rng(len(cuts)).random(N_ROWS)
    intervals = np.array(sorted(cuts)[: len(cuts) // 2 * 2], dtype=np.int64).reshape(-1, 2)
    inside = np.zeros(N_ROWS)
    for low, high in intervals:
        inside[low:high] = 1.0
    rows, start = joined(spike_row)
    order = np.argsort(rows, kind="stable")
    who = np.repeat(np.arange(len(spike_row)), np.diff(start))[order]
    out = np.zeros(len(spike_row) * len(BOXES.low))
    add_blanked(rows[order], who, BOXES, np.concatenate([[0.0], np.cumsum(weight)]), intervals, out)
    assert np.allclose(out, (weight * inside) @ dense_design(spike_row, BOXES, N_ROWS), atol=1e-12)
