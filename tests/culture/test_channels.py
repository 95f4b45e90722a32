"""Channel noise against the binomial variance and against channels that are really counted."""

import numpy as np
import pytest

from neurograft.culture._channels import fill_normals, gate_rates, potassium_noise, sodium_noise
from neurograft.culture._random import streams

STEP_MS = 0.05


def gates(v_mv: float) -> tuple[np.ndarray, np.ndarray]:
    """Return open probabilities and what a step leaves, of m, h, n."""
    up, down = np.array(gate_rates(v_mv)).reshape(3, 2).T
    return up / (up + down), np.exp(-STEP_MS * (up + down))


def series(v_mv: float, n_channels: int, n_steps: int, seed: int) -> np.ndarray:
    """Return noise of sodium and potassium open fractions at a held potential."""
    (m, h, n), (keep_m, keep_h, keep_n) = gates(v_mv)
    source, z, noise = streams(1, np.random.default_rng(seed)), np.zeros(11), np.zeros(11)
    out = np.empty((2, n_steps))
    for step in range(n_steps):
        fill_normals(*source, 0, z)
        out[0, step] = sodium_noise(z[:7], noise[:7], m, h, keep_m, keep_h, n_channels)
        out[1, step] = potassium_noise(z[7:], noise[7:], n, keep_n, n_channels)
    return out


@pytest.mark.compiled
@pytest.mark.parametrize("v_mv", [5.0, 30.0])
def test_the_variance_is_that_of_independent_channels(v_mv: float) -> None:
    (m, h, n), _ = gates(v_mv)
    n_channels = 1000
    found = series(v_mv, n_channels, 200_000, seed=1)[:, 4000:].var(axis=1)
    p = np.array([m**3 * h, n**4])
    # 10 s of noise with time constants up to 5 ms: some thousand independent values, 5 % and more.
    assert found == pytest.approx(p * (1 - p) / n_channels, rel=0.12)


@pytest.mark.compiled
def test_the_autocovariance_is_that_of_counted_channels() -> None:
    v_mv, n_channels, n_steps = 30.0, 300, 40_000
    (m, h, n), (keep_m, keep_h, keep_n) = gates(v_mv)
    rng = np.random.default_rng(3)
    counted = np.empty((2, n_steps))
    for row, (count, opened, keep) in enumerate([((3, 1), (m, h), (keep_m, keep_h)), ((4,), (n,), (keep_n,))]):
        # Every gate of every channel is a two-state chain: redrawn from rest with probability 1 - keep.
        state = [rng.random((k, n_channels)) < x for k, x in zip(count, opened, strict=True)]
        for step in range(n_steps // 4):
            for part, (x, left) in enumerate(zip(opened, keep, strict=True)):
                again = rng.random(state[part].shape) > left
                state[part] = np.where(again, rng.random(state[part].shape) < x, state[part])
            counted[row, step] = np.all(np.concatenate(state), axis=0).mean()
    noise = series(v_mv, n_channels, n_steps, seed=2)
    for row in range(2):
        for lag in (0, 4, 20):
            exact = _covariance(counted[row, : n_steps // 4], lag)
            # Both are estimates from seconds of noise; their spread over seeds is about 7 % of the variance.
            assert _covariance(noise[row], lag) == pytest.approx(exact, abs=0.25 * _covariance(noise[row], 0))


def test_more_channels_are_quieter() -> None:
    few, many = (series(20.0, n, 400, seed=1).std(axis=1) for n in (100, 10_000))
    assert few == pytest.approx(10 * many)


def _covariance(x: np.ndarray, lag: int) -> float:
    y = x - x.mean()
    return float(np.mean(y[: y.size - lag] * y[lag:]))
