"""Local whitening: against its definition, and the same through any library that keeps the array-API standard."""

import numpy as np
import pytest

from neurograft.arrays import namespace
from neurograft.errors import OptionError
from neurograft.spikes._whitening import footprint_of, local_covariance, neighbours_of, whitening_weights

SIDE = 5
GRID = np.column_stack([np.arange(SIDE**2) % SIDE, np.arange(SIDE**2) // SIDE]) * 20.0


def measured(seed=0):
    """Correlated noise on a grid; returns samples, neighbours, footprint and which slots are real."""
    rng = np.random.default_rng(seed)
    own = rng.normal(size=(4000, SIDE**2))
    samples = own + 0.5 * np.roll(own, 1, axis=1) + rng.normal(size=(4000, 1))
    near = neighbours_of(GRID)
    footprint = np.where(near.is_near.T, 0.3, 0.0)
    footprint[:, 0] = 1.0
    return samples, near, footprint, np.ascontiguousarray(near.is_near.T)


def weights_reference(samples, near, footprint):
    """The slow twin: one channel after the other, its neighbours only, C^-1 f with the same hair on the diagonal."""
    out = np.zeros(footprint.shape)
    for c in range(samples.shape[1]):
        slots = np.flatnonzero(near.is_near[:, c])
        x = samples[:, near.channel[slots, c]]
        cov = x.T @ x / len(x)
        w = np.linalg.solve(cov + 0.01 * np.mean(np.diag(cov)) * np.eye(slots.size), footprint[c, slots])
        out[c, slots] = w / np.sqrt(w @ cov @ w)
    return out


def test_weights_are_those_of_the_slow_twin_and_make_unit_noise():
    samples, near, footprint, is_near = measured()
    weight = whitening_weights(local_covariance(samples, near.channel), footprint, is_near)
    np.testing.assert_allclose(weight, weights_reference(samples, near, footprint), rtol=1e-9, atol=1e-12)
    z = np.einsum("ck,tkc->tc", weight, samples[:, near.channel])
    np.testing.assert_allclose(np.mean(z**2, axis=0), 1.0, rtol=1e-9)


def test_they_tell_a_spike_from_noise_better_than_the_channel_alone():
    samples, near, footprint, is_near = measured()
    weight = whitening_weights(local_covariance(samples, near.channel), footprint, is_near)
    own = 1.0 / samples.std(axis=0)  # depth of the same spike, in noise sds, seen by its channel only
    assert np.all(np.sum(weight * footprint, axis=1) > own)


def test_a_dead_channel_gets_no_weight():
    samples, near, footprint, is_near = measured()
    samples[:, 7] = 0.0
    weight = whitening_weights(local_covariance(samples, near.channel), footprint, is_near)
    assert not weight[7].any()
    assert np.isfinite(weight).all()


@pytest.mark.parametrize("name", ["array_api_strict", "torch"])
def test_another_array_library_gives_the_same(name):
    xp = pytest.importorskip(name, reason=f"{name} is not installed: whitening was checked with NumPy only")
    if name == "torch":
        pytest.importorskip("array_api_compat")
    samples, near, footprint, is_near = measured()
    usual = whitening_weights(local_covariance(samples, near.channel), footprint, is_near)
    other = whitening_weights(
        local_covariance(xp.asarray(samples), xp.asarray(near.channel)), xp.asarray(footprint), xp.asarray(is_near)
    )
    assert type(other) is type(xp.asarray(usual))
    np.testing.assert_allclose(np.asarray(other), usual, rtol=1e-9, atol=1e-12)


def test_an_array_of_no_known_library_is_refused():
    with pytest.raises(OptionError, match="does not tell its array library"):
        namespace([1.0, 2.0])


def test_the_footprint_is_the_mean_share_at_each_distance():
    near = neighbours_of(GRID)
    channel = np.repeat(np.arange(SIDE**2), 2)
    gap = GRID[near.channel] - GRID[None]
    share = np.where(near.is_near, 1 / (1 + np.hypot(gap[..., 0], gap[..., 1]) / 20.0), 0.0)
    peak = (-7.0 * share[:, channel]).astype(np.float32)
    np.testing.assert_allclose(footprint_of(peak, channel, near, GRID), (share * near.is_near).T, atol=1e-6)
    few = footprint_of(peak[:, :3], channel[:3], near, GRID)
    assert np.array_equal(few[:, 0], np.ones(SIDE**2))
    assert not few[:, 1:].any()


def test_neighbours_are_none_where_places_lack_and_stay_within_reach():
    unknown = GRID.copy()
    unknown[3] = np.nan
    near = neighbours_of(unknown)
    assert near.is_near[1:, 3].sum() == 0
    assert not (near.is_near & (near.channel == 3))[1:].any()
    assert neighbours_of(np.full((4, 2), np.nan)).channel.shape == (1, 4)
