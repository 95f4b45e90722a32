"""The regression's dense products: the same as by pairs of spikes, in any library of the array-API standard."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurograft.copying import array_library
from neurograft.copying.intracellular.reading._library import ArrayLibrary
from neurograft.copying.intracellular.regression import _dense_gram
from neurograft.copying.intracellular.regression._dense_gram import DenseFactor, dense_gram, dense_rows, dense_sums
from neurograft.copying.intracellular.regression._design import add_box_sums, column_totals, joined, lag_boxes
from neurograft.copying.intracellular.regression._gram import Factor, gram
from neurograft.errors import MissingExtraError, OptionError

BOXES, N_ROWS = lag_boxes(1000.0), 400
needs_kernels = pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="too long without kernels")


@pytest.fixture(params=["numpy", "array_api_strict", "torch"])
def library(request):
    pytest.importorskip("array_api_compat", reason="array_api_compat is not installed: no other library is checked")
    pytest.importorskip(request.param, reason=f"{request.param} is not installed: checked with NumPy only")
    return array_library(request.param)


def made(seed, n=4, silent=()):
    rng = np.random.default_rng(seed)
    trains = tuple(
        np.sort(rng.choice(N_ROWS, 0 if i in silent else 25, replace=False)).astype(np.int64) for i in range(n)
    )
    return trains, rng.random(N_ROWS)


def slow_design(trains):
    """Row t of column (i, b) counts the spikes of i with t in box b."""
    x = np.zeros((N_ROWS, len(trains) * len(BOXES.low)))
    for i, train in enumerate(trains):
        for b, (low, high) in enumerate(zip(BOXES.low, BOXES.high, strict=True)):
            for s in train:
                for t in range(max(s + low, 0), min(s + high, N_ROWS)):
                    x[t, i * len(BOXES.low) + b] += 1
    return x


def test_rows_of_the_design_are_those_of_its_definition(library):
    trains, _ = made(0)
    x = library.numpy(dense_rows(trains, BOXES, (130, 290), library, np.dtype(np.float64)))
    np.testing.assert_array_equal(x, slow_design(trains)[130:290])


@needs_kernels
@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 99), block=st.integers(300, 40_000))
def test_the_gram_matrix_is_that_of_pairs_of_spikes_whatever_the_blocks(seed, block):
    trains, weight = made(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_dense_gram, "_BLOCK_NUMBERS", block)
        dense = dense_gram(trains, BOXES, weight, ArrayLibrary("numpy"), np.dtype(np.float64))
    pairs = gram(trains, BOXES, weight)
    upper = np.triu(np.ones(pairs.shape, dtype=bool))
    np.testing.assert_allclose(dense[upper], pairs[upper], atol=1e-11)  # sums of 400 numbers


@needs_kernels
@pytest.mark.parametrize("boxes", [BOXES, BOXES.near()])
def test_sums_after_spikes_are_those_of_running_sums_whatever_the_blocks(library, monkeypatch, boxes):
    monkeypatch.setattr(_dense_gram, "_BLOCK_NUMBERS", 5000)
    trains, _ = made(5)
    values = np.random.default_rng(6).standard_normal((200, 3))
    usual = np.zeros((len(trains) * len(boxes.low), 3))
    add_box_sums(*joined(trains), boxes, first_row=130, values=values, sums=usual)
    np.testing.assert_allclose(
        dense_sums(trains, boxes, 130, values, library), usual, atol=1e-12
    )  # sums of 200 numbers


@needs_kernels
@pytest.mark.parametrize("columns", [17, 40, 512])
def test_solutions_and_inverse_blocks_are_those_of_the_usual_factor(library, monkeypatch, columns):
    monkeypatch.setattr(_dense_gram, "_COLUMNS_AT_ONCE", columns)
    trains, weight = made(1, n=5, silent=(2,))
    usual, dense = Factor(trains, BOXES, weight), DenseFactor(trains, BOXES, weight, library)
    np.testing.assert_array_equal(dense.firing, usual.firing)
    assert dense.dtype == usual.dtype
    right = np.random.default_rng(2).standard_normal((3, len(usual.firing) * len(BOXES.low)))
    np.testing.assert_allclose(dense.solve(right), usual.solve(right), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(dense.inverse_blocks(), usual.inverse_blocks(), rtol=1e-6, atol=1e-9)


def test_a_column_that_no_row_holds_and_a_network_that_is_silent_are_solved(library):
    trains, weight = made(3, n=2)
    weight[:] = 0.0
    weight[:50] = 1.0
    late = (trains[0], np.array([395]))
    assert (column_totals(late, BOXES, weight) == 0).any()
    assert np.isfinite(DenseFactor(late, BOXES, weight, library).inverse_blocks()).all()
    silent = DenseFactor((np.empty(0, dtype=np.int64),), BOXES, weight, library)
    assert silent.solve(np.empty((0, 0))).size == 0
    assert silent.inverse_blocks().shape[0] == 0


@needs_kernels
def test_above_6000_columns_numbers_are_of_32_bits(library, monkeypatch):
    monkeypatch.setattr(_dense_gram, "MOST_COLUMNS_OF_64_BITS", 10)
    trains, weight = made(4)
    dense = DenseFactor(trains, BOXES, weight, library)
    right = np.random.default_rng(2).standard_normal((3, 4 * len(BOXES.low)))
    exact = Factor(trains, BOXES, weight).solve(right)
    assert dense.dtype == np.float32
    np.testing.assert_allclose(dense.solve(right), exact, atol=2e-3 * np.abs(exact).max())  # condition number 1e4


@pytest.mark.parametrize(
    ("text", "says"), [("nothing_at_all", "there is no library"), ("math", "does not keep"), ("a b", "Give a library")]
)
def test_what_is_no_array_library_is_told(text, says):
    with pytest.raises(OptionError, match=says):
        array_library(text)


def test_a_device_that_is_not_there_is_told():
    pytest.importorskip("array_api_strict")
    with pytest.raises(OptionError, match="Name a device that the library has"):
        array_library("array_api_strict:nowhere")


def test_compat_that_is_not_installed_is_told(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "array_api_compat", None)
    monkeypatch.setitem(__import__("sys").modules, "array_api_compat.torch", None)
    with pytest.raises((MissingExtraError, OptionError), match=r"--arrays"):
        array_library("torch")
