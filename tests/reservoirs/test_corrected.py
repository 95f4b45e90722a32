"""A model and a Gaussian process of what it misses: likelihood by hand, and nearly simple series."""

import numpy as np
import pytest

from neurograft.errors import OptionError, SeriesError
from neurograft.reservoirs import CorrectedNvar, FlowMap, IntegralNvar, Nvar, likeliest, nrmse_total
from reservoirs.lorenz import FLOW, published


def likelihood_reference(inputs, targets, length, noise):
    """Log density of a multivariate normal, each target's variance at its best, by the matrix itself."""
    total = 0.0
    apart = np.linalg.norm(inputs[:, None] - inputs[None], axis=2)
    shape = np.exp(-(apart**2) / (2 * length**2)) + noise * np.eye(len(inputs))
    for y in targets.T:
        variance = y @ np.linalg.solve(shape, y) / len(y)
        total += -0.5 * (np.linalg.slogdet(variance * shape)[1] + y @ np.linalg.solve(variance * shape, y))
    return total


def test_the_likeliest_process_is_the_one_of_the_highest_density():
    rng = np.random.default_rng(0)
    inputs = rng.uniform(-2, 2, (40, 2))
    targets = np.column_stack([np.sin(2 * inputs[:, 0]), inputs[:, 1] ** 2]) + 0.03 * rng.standard_normal((40, 2))
    lengths, noises = (0.3, 1.0, 3.0), (1e-4, 1e-2, 1.0)
    found = likeliest(inputs, targets, lengths=lengths, noises=noises)
    table = {(a, b): likelihood_reference(inputs, targets, a, b) for a in lengths for b in noises}
    assert (found.length, found.noise) == max(table, key=table.get)
    apart = np.linalg.norm(inputs[:, None] - inputs[None], axis=2)
    shape = np.exp(-(apart**2) / (2 * found.length**2)) + found.noise * np.eye(40)
    assert np.allclose(found.weights, np.linalg.solve(shape, targets), atol=1e-6)


def errors(model, begins):
    x = published(3000)
    found = []
    for b in begins:
        model.fit(x[b : b + 400])
        ahead = model.forecast(44).values
        found.append(nrmse_total(x[b + 400 : b + 444], ahead, variance=x.var(axis=0)))
    return np.array(found)


def test_inaccurate_data_are_forecast_better_with_a_correction_than_without():
    begins = (250, 900, 1500, 2300)
    base = IntegralNvar(dt=FLOW.dt, order=4, refine=FlowMap(n_substeps=1), n_substeps=1)
    plain, corrected = errors(base, begins), errors(CorrectedNvar(base), begins)
    # geometric means; benchmarks/forecast.py has more pieces
    assert np.exp(np.log(corrected).mean()) < 0.6 * np.exp(np.log(plain).mean())


@pytest.mark.parametrize("has_change", [False, True])
def test_a_rollout_is_the_prediction_repeated_and_batches_are_single_starts(has_change):
    x = published(900)
    model = CorrectedNvar(Nvar(ridge=1e-8), has_change=has_change, most_rows=300).fit(x[:500])
    again = x[498:500]
    for _ in range(6):
        again = np.vstack([again, model.predict(again)[-1]])
    assert np.allclose(model.forecast(6).values, again[2:], atol=1e-9)
    batch = model.forecast(5, np.stack([x[600:602], x[700:702]]))
    assert np.allclose(batch.values[1], model.forecast(5, x[700:702]).values, atol=1e-12)


def test_an_exploding_correction_is_flagged_and_finite():
    x = np.exp(np.linspace(0, 3, 60))[:, None]
    found = CorrectedNvar(Nvar(n_taps=1, degree=1, ridge=1e-12)).fit(x).forecast(400)
    assert not found.is_bounded
    assert np.isfinite(found.values).all()
    assert np.abs(found.values).max() < 10 * x.max()


def test_bad_input_is_refused():
    with pytest.raises(OptionError, match="most_rows is 0"):
        CorrectedNvar(most_rows=0).fit(published(100))
    with pytest.raises(SeriesError, match="rows"):
        CorrectedNvar().fit(published(3))
    with pytest.raises(SeriesError, match="expecting 3 features"):
        CorrectedNvar().fit(published(60)).predict(published(60)[:, :2])
