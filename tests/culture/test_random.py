import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from neurograft.culture._random import SLOW, draw_binomial, draw_bits, draw_uniform, quick_normal, slow_normal, streams

words = st.integers(0, 2**32 - 1)


def sfc32(a: int, b: int, c: int, counter: int) -> tuple[int, tuple[int, int, int, int]]:
    """The generator as its author states it, on Python's integers."""
    word = 2**32
    out = (a + b + counter) % word
    a, b, c = b ^ (b // 2**9), (c + c * 8) % word, ((c * 2**21) % word) | (c // 2**11)
    return out, (a, b, (c + out) % word, (counter + 1) % word)


@settings(deadline=None)  # the first example compiles
@given(words, words, words, words)
def test_bits_equal_those_of_the_published_generator(a: int, b: int, c: int, counter: int) -> None:
    arrays = [np.array([word], dtype=np.int64) for word in (a, b, c, counter)]
    state = (a, b, c, counter)
    for _ in range(5):
        expected, state = sfc32(*state)
        assert draw_bits(*arrays, 0) == expected
    assert tuple(int(x[0]) for x in arrays) == state


def normals(n: int, seed: int) -> np.ndarray:
    source = streams(1, np.random.default_rng(seed))
    out = np.empty(n)
    for i in range(n):
        bits = draw_bits(*source, 0)
        z = quick_normal(bits)
        out[i] = z if z != SLOW else slow_normal(*source, 0, bits)
    return out


@pytest.mark.compiled
def test_normal_numbers_are_normal_also_far_out() -> None:
    z = normals(400_000, seed=1)
    assert stats.kstest(z, "norm").pvalue > 1e-3
    for limit in (2.0, 3.0, 3.6):  # the last lies in the tail beyond the boxes
        expected = 2 * stats.norm.sf(limit) * z.size
        assert np.sum(np.abs(z) > limit) == pytest.approx(expected, abs=4 * np.sqrt(expected))
    assert np.abs(np.corrcoef(z[:-1], z[1:])[0, 1]) < 4 / np.sqrt(z.size)


@pytest.mark.compiled
def test_streams_of_one_seed_are_independent() -> None:
    source = streams(200, np.random.default_rng(2))
    u = np.array([[draw_uniform(*source, i) for _ in range(400)] for i in range(200)])
    assert stats.kstest(u.ravel(), "uniform").pvalue > 1e-3
    between = np.corrcoef(u)[np.triu_indices(200, 1)]
    assert between.std() == pytest.approx(1 / np.sqrt(400), rel=0.05)


def test_binomial_numbers_have_their_mean_and_their_limits() -> None:
    source = streams(1, np.random.default_rng(3))
    found = np.array([draw_binomial(*source, 0, 7, 0.3) for _ in range(2000)])
    assert found.mean() == pytest.approx(2.1, abs=4 * np.sqrt(7 * 0.3 * 0.7 / 2000))
    assert draw_binomial(*source, 0, 5, 1.0) == 5
    assert draw_binomial(*source, 0, 5, 0.0) == 0
    assert draw_binomial(*source, 0, 0, 0.5) == 0
