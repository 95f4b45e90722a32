"""Counter-based numbers: published vectors, moments, and independence from what is computed around them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurograft.network._random import BLOCK, LANES, STREAM_NOISE, add_noise, fill_words, philox, words_of


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [  # Random123 kat_vectors, philox4x32 10 (from memory)
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_published_numbers(counter, key, words):
    assert tuple(int(w) for w in philox(*(np.uint64(x) for x in counter + key))) == words


@pytest.mark.parametrize("n_lanes", [LANES, 5])
def test_many_lanes_equal_one_at_a_time(n_lanes):
    words = np.empty((4, n_lanes), dtype=np.uint64)
    fill_words(2**40 + 7, STREAM_NOISE, 2**33 + 5, 3, words)
    one = np.empty(BLOCK, dtype=np.uint64)
    words_of(2**40 + 7, STREAM_NOISE, 2**33 + 5, 3 * BLOCK, one)
    assert words.tolist() == one.reshape(4, LANES)[:, :n_lanes].tolist()


def noise(seed, step, first, n):
    kick = np.zeros(n)
    add_noise(seed, step, first, np.ones(n), kick, np.empty(4 * LANES, dtype=np.uint64))
    return kick


@settings(max_examples=20, deadline=None)
@given(first=st.integers(0, 600), n=st.integers(1, 700), seed=st.integers(0, 2**62), step=st.integers(0, 2**40))
def test_noise_is_the_bytes_of_each_neurons_own_word(first, n, seed, step):
    words = np.empty(n, dtype=np.uint64)
    words_of(seed, STREAM_NOISE, step, first, words)
    octets = words.astype("<u4").view(np.uint8).reshape(n, 4)
    expected = (octets.sum(axis=1) - 510.0) / np.sqrt((256**2 - 1) / 3)
    np.testing.assert_allclose(noise(seed, step, first, n), expected, rtol=1e-14)


def test_noise_has_mean_0_variance_1_and_no_correlation_in_step_or_neuron():
    x = np.stack([noise(5, step, 0, 256) for step in range(40)])
    n = x.size
    assert abs(x.mean()) < 4 / np.sqrt(n)
    assert abs(x.var() - 1) < 4 * np.sqrt(1.7 / n)  # variance of x^2 is kurtosis - 1 = 1.7
    assert abs((x[1:] * x[:-1]).mean()) < 4 / np.sqrt(n)
    assert abs((x[:, 1:] * x[:, :-1]).mean()) < 4 / np.sqrt(n)


def test_seed_and_step_change_the_noise():
    assert not np.array_equal(noise(5, 0, 0, 64), noise(6, 0, 0, 64))
    assert not np.array_equal(noise(5, 0, 0, 64), noise(5, 1, 0, 64))
    assert not np.array_equal(noise(5, 0, 0, 64), noise(5 + 2**32, 0, 0, 64))
