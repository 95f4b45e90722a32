"""What a map states of release and latency, against a truth that knows it."""

import numpy as np
import pytest

from neurograft.comparing import score
from neurograft.maps import synapse_map

N = 40
PRE, POST = np.arange(N), (np.arange(N) + 1) % N


def made(**extra):
    return synapse_map(
        n_neurons=N, pre=PRE, post=POST, weight_v=np.full(N, 1e-3), delay_s=np.full(N, 2e-3), extra=extra
    )


def test_errors_and_coverage_of_stated_properties_are_those_of_the_columns():
    rng = np.random.default_rng(0)
    release, sites = rng.uniform(0.2, 0.8, N), rng.integers(1, 4, N).astype(float)
    truth = made(release_probability=release, release_sites=sites)
    error = np.where(np.arange(N) < 10, 0.3, 0.05)  # ten of forty are out of their interval
    m = made(
        release_probability=release + error,
        release_probability_sd=np.full(N, 0.1),
        release_sites=np.where(np.arange(N) < 20, np.nan, sites),
        failure_rate=(1 - release) ** sites,
        latency_sd_s=np.full(N, 1e-4),
    )
    columns = score(m, truth).columns
    assert set(columns) == {"release_probability", "release_sites", "failure_rate", "delay_s"}
    assert columns["release_probability"].bias == pytest.approx(0.05)
    assert columns["release_probability"].coverage.count == 30
    assert columns["release_sites"].n == 20
    assert columns["release_sites"].coverage.of == 0
    assert columns["failure_rate"].median_abs == pytest.approx(0.0, abs=1e-12)
    assert columns["delay_s"].coverage.count == N
    assert any("release_probability: bias 0.05" in line for line in score(m, truth).to_lines())


def test_maps_without_such_columns_have_only_delays():
    assert set(score(made(), made()).columns) == {"delay_s"}
