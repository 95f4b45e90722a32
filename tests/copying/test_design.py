import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from neurograft.copying._design import (
    ACAUSAL,
    CHEMICAL,
    ZERO,
    add_box_sums,
    column_totals,
    design_rows,
    gram,
    joined,
    lag_boxes,
)

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
    assert np.allclose(gram(spike_row, BOXES, weight), X.T @ (weight[:, None] * X), atol=1e-12)  # sums of 110 numbers
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
@given(spike_row=trains, first=st.integers(0, N_ROWS - 2), n=st.integers(1, 40))
def test_listed_rows_are_those_of_the_dense_design(spike_row, first, n):
    stop = min(first + n, N_ROWS)
    rows, start = joined(spike_row)
    part = design_rows(rows, start, BOXES, first=first, stop=stop)
    X = np.zeros((stop - first, len(spike_row) * len(BOXES.low)))
    for t in range(stop - first):
        np.add.at(X[t], part.columns[part.pointer[t] : part.pointer[t + 1]], 1.0)
    assert np.array_equal(X, dense_design(spike_row, BOXES, N_ROWS)[first:stop])
