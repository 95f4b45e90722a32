import numpy as np
import pytest
from _firing import BOXES, drawn_trains, worth_of

from neurograft.copying.intracellular.regression import _gram
from neurograft.copying.intracellular.regression._gram import Factor
from neurograft.copying.intracellular.regression._near import Near, by_block, times

B = len(BOXES.low)
N, ROWS = 40, 22_700  # as many columns a row as 2,000 neurons have in 19 minutes


def made(in_bursts, seed=0, n=N, extra=()):
    rng = np.random.default_rng(seed)
    trains = (*drawn_trains(n, ROWS, rng, in_bursts=in_bursts), *extra)
    matrix = Factor(trains, BOXES, worth_of(trains, ROWS, rng)).unfactorised()
    return matrix, np.triu(matrix) + np.triu(matrix, 1).T


def near_of(half):
    return Near.of(half, B, np.random.default_rng(1))


def blocks_of(near, half):
    return near.inverse_blocks(half, np.random.default_rng(2))


def own_blocks(matrix):
    return np.stack([matrix[a : a + B, a : a + B] for a in range(0, len(matrix), B)])


@pytest.mark.parametrize("in_bursts", [0.0, 0.4])
def test_corrections_converge_and_leave_less_than_a_third_of_most_errors(in_bursts):
    half, whole = made(in_bursts)
    near = near_of(half)
    left = np.eye(len(whole)) - near.apply(whole)  # of each unit vector: symmetric in the metric of the inverse
    size = np.sort(np.abs(np.linalg.eigvals(left)))
    assert size[-1] < (0.95 if in_bursts else 0.6)
    assert np.median(size) < 0.3
    alone = Near(near.root, near.vectors[:0], near.values[:0])
    worst = np.abs(np.linalg.eigvals(np.eye(len(whole)) - alone.apply(whole))).max()
    assert len(near.values) == 0 if not in_bursts else worst > 3.0  # which would not converge


@pytest.mark.parametrize("in_bursts", [0.0, 0.4])
def test_own_blocks_of_the_inverse_tell_standard_errors_to_half_a_per_cent(in_bursts):
    half, whole = made(in_bursts, seed=3)
    near = near_of(half)
    exact = own_blocks(np.linalg.inv(whole))
    found = blocks_of(near, half)
    ratio = np.sqrt(np.einsum("iaa->ia", found) / np.einsum("iaa->ia", exact))
    assert np.sqrt(np.mean((ratio - 1) ** 2)) < 0.005
    assert np.abs(ratio - 1).max() < 0.02
    alone = np.sqrt(np.einsum("iaa->ia", np.linalg.inv(own_blocks(whole))) / np.einsum("iaa->ia", exact))
    assert np.mean(1 - alone) > 0.015  # what others share counts
    assert np.linalg.eigvalsh(found).min() > 0


def test_a_train_that_is_there_twice_has_errors_that_are_large_and_finite():
    twin = drawn_trains(1, ROWS, np.random.default_rng(8))
    half, _ = made(0.0, n=10, extra=(*twin, *twin))
    found = np.einsum("iaa->i", blocks_of(near_of(half), half))
    assert np.isfinite(found).all()
    assert found[-2:].min() > 100 * found[:-2].max()


def test_products_look_at_the_upper_half_alone_and_agree_with_the_dense_ones():
    half, whole = made(0.4, n=6)
    rows = np.random.default_rng(0).standard_normal((5, len(whole)))
    assert np.allclose(times(half, rows), rows @ whole, rtol=1e-12, atol=1e-9)
    assert times(half, rows[:0]).shape == (0, len(whole))
    blocks = own_blocks(whole)
    dense = np.zeros_like(whole)
    for i, block in enumerate(blocks):
        dense[i * B : (i + 1) * B, i * B : (i + 1) * B] = block
    assert np.allclose(by_block(rows, blocks), rows @ dense, rtol=1e-12, atol=1e-9)
    spoilt = half.copy()
    spoilt[np.tril_indices(len(half), -1)] = np.nan
    near, other = (near_of(matrix) for matrix in (half, spoilt))
    assert np.array_equal(near.apply(rows), other.apply(rows))
    assert np.allclose(blocks_of(near, half), blocks_of(other, spoilt), rtol=1e-12)


def test_32_bits_do_as_well(monkeypatch):
    exact, _ = made(0.4, seed=5, n=20)
    monkeypatch.setattr(_gram, "MOST_COLUMNS_OF_64_BITS", 0)
    rounded, _ = made(0.4, seed=5, n=20)
    assert rounded.dtype == np.float32
    one, other = (near_of(matrix) for matrix in (exact, rounded))
    assert np.allclose(blocks_of(one, exact), blocks_of(other, rounded), rtol=1e-3, atol=1e-7)


def test_no_column_and_one_neuron():
    nothing = np.empty((0, 0))
    assert blocks_of(near_of(nothing), nothing).shape == (0, B, B)
    half, whole = made(0.0, n=1)
    near = near_of(half)
    assert np.allclose(near.apply(whole), np.eye(B), atol=1e-9)
    assert np.allclose(blocks_of(near, half)[0], np.linalg.inv(whole), rtol=1e-9)


def test_a_large_matrix_is_inverted_to_second_order_where_that_is_told_to_be_enough(monkeypatch):
    trains = drawn_trains(N, ROWS, np.random.default_rng(6), in_bursts=0.4)
    worth = worth_of(trains, ROWS, np.random.default_rng(6))
    exact = Factor(trains, BOXES, worth).inverse_blocks()
    monkeypatch.setattr(_gram, "_NEAR_FROM", 0)
    near = Factor(trains, BOXES, worth).inverse_blocks()
    ratio = np.sqrt(np.einsum("iaa->ia", near) / np.einsum("iaa->ia", exact)) - 1
    assert 1e-5 < np.sqrt(np.mean(ratio**2)) < 0.005
    few = 3000  # rows for 680 columns: second order is not enough
    short = tuple(train[train < few - 100] for train in trains)
    told = Factor(short, BOXES, worth[:few])
    blocks = told.inverse_blocks()
    assert told._error_of(told._near_blocks) > 0.005
    monkeypatch.setattr(_gram, "_NEAR_FROM", 1_000_000)
    assert np.allclose(blocks, Factor(short, BOXES, worth[:few]).inverse_blocks(), rtol=1e-9)
