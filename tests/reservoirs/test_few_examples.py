"""Few examples: distances by hand, propagation on a toy graph, and the honest order of methods on the digits."""

import numpy as np
import pytest

from neurograft.errors import OptionError
from neurograft.reservoirs import (
    accuracy,
    digits,
    draw,
    invariant_distance,
    nearest,
    pixel_distance,
    propagation,
    reservoir_features,
)


def test_a_shifted_picture_is_near_only_for_the_invariant_distance():
    picture = np.zeros((8, 8))
    picture[2:5, 3] = 1.0
    pixels = np.stack([picture.ravel(), np.roll(picture, 1, axis=1).ravel()])
    assert pixel_distance(pixels)[0, 1] == pytest.approx(np.sqrt(6))
    assert invariant_distance(pixels)[0, 1] == pytest.approx(0, abs=1e-7)
    assert np.allclose(invariant_distance(pixels), invariant_distance(pixels).T)


def test_propagation_follows_a_chain_that_the_nearest_known_point_does_not():
    rng = np.random.default_rng(0)
    # two long parallel strands: the far end of a strand is nearer to the other strand's known point
    along = np.linspace(0, 10, 60)
    strand = np.concatenate([np.column_stack([along, np.zeros(60)]), np.column_stack([along, np.full(60, 2.0)])])
    points = strand + 0.02 * rng.standard_normal(strand.shape)
    distance = np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=2))
    label = np.repeat([0, 1], 60)
    known = np.array([0, 119])  # opposite ends
    assert accuracy(nearest(distance, known, label[known]), label, known) < 0.7
    assert accuracy(propagation(distance, n_neighbours=6)(known, label[known]), label, known) == 1.0
    with pytest.raises(OptionError, match="Take fewer neighbours"):
        propagation(distance[:5, :5])


def test_unlabelled_pictures_and_not_features_win_on_few_examples():
    found = digits()
    part = np.random.default_rng(1).permutation(found.label.size)[:900]
    pixels, label = found.pixels[part], found.label[part]
    distance = pixel_distance(pixels)
    spread = propagation(distance)
    rng = np.random.default_rng(2)
    scores = []
    for _ in range(8):
        known = draw(label, 1, rng)
        assert sorted(label[known]) == list(range(10))
        scores.append(
            [accuracy(f(known, label[known]), label, known) for f in (lambda k, c: nearest(distance, k, c), spread)]
        )
    nn, prop = np.mean(scores, axis=0)
    assert 0.55 < nn < 0.72  # 64 % on all 1,797
    assert prop > nn + 0.1


def test_features_are_the_states_after_rows_and_after_columns():
    pixels = np.arange(64.0)[None] / 64

    def states(rows):
        return np.cumsum(rows, axis=0)

    picture = pixels.reshape(8, 8)
    expected = np.concatenate([picture.sum(axis=0), picture.sum(axis=0) + picture.T.sum(axis=0)])
    assert np.allclose(reservoir_features(states, pixels)[0], expected)
