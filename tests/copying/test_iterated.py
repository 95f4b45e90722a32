import numpy as np
import pytest
from _firing import BOXES, seen
from test_design import dense_design

from neurograft.copying.intracellular.regression import _gram
from neurograft.copying.intracellular.regression._conjugate import State, step
from neurograft.copying.intracellular.regression._iterated import Equations, distance
from neurograft.copying.intracellular.regression._near import Near

N, ROWS, TARGETS = 24, 13_600, 4


class Solved:
    """A problem, its equations, and each target's weighted least squares with the matrix written out."""

    def __init__(self, in_bursts, seed):
        self.given = given = seen(N, ROWS, TARGETS, in_bursts=in_bursts, seed=seed)
        matrix = given.design.factor.unfactorised()
        near = Near.of(matrix, len(BOXES.low), np.random.default_rng(0))
        self.blocks = near.inverse_blocks(matrix, np.random.default_rng(0))
        self.equations = Equations.of(matrix, near, given.design, given.moments, given.blanked)
        self.is_seen = 0.1 * given.design.total < given.moments.kept.T
        self.start = State.left(np.zeros_like(self.equations.observed), self.equations.observed)
        self.exact, self.error, self.noise = self._dense()

    def _dense(self):
        X = np.column_stack([np.ones(ROWS), dense_design(self.given.trains, BOXES, ROWS)])
        exact, error, noise = np.zeros(self.is_seen.shape), np.ones(self.is_seen.shape), np.zeros(TARGETS)
        for j in range(TARGETS):
            weight = self.given.worth * self.given.keep[:, j]
            columns = np.append(True, self.given.moments.kept[:, j] > 0)
            mine = X[:, columns]
            inverse = np.linalg.inv(mine.T @ (weight[:, None] * mine))
            beta = inverse @ (mine.T @ (weight * self.given.e[:, j]))
            noise[j] = np.sqrt(np.sum(weight * (self.given.e[:, j] - mine @ beta) ** 2) / weight.sum())
            exact[j, columns[1:]] = beta[1:]
            error[j, columns[1:]] = noise[j] * np.sqrt(np.diag(inverse)[1:])
        return exact, error, noise

    def off(self, beta):
        """Root mean square, and largest, of the error in standard errors, where coefficients are used."""
        z = np.where(self.is_seen, (beta - self.exact) / self.error, 0.0)
        return np.sqrt((z**2).sum(axis=1) / self.is_seen.sum(axis=1)), np.abs(z).max()


@pytest.fixture(scope="module", params=[0.0, 0.4], ids=["even", "bursts"])
def problem(request):
    return Solved(request.param, seed=1)


def test_steps_lead_to_each_targets_own_least_squares_and_each_leaves_less_than_half(problem):
    state = problem.start
    left = [problem.off(state.beta)[0]]
    for _ in range(8):
        state = step(problem.equations, state)
        left.append(problem.off(state.beta)[0])
    ratio = np.array(left[1:]) / np.array(left[:-1])
    assert ratio.max() < 0.5
    assert left[5].max() < 0.02 * left[0].min()
    assert problem.off(state.beta)[1] < 0.02  # of a standard error: the largest of any coefficient
    for _ in range(12):
        state = step(problem.equations, state)
    assert problem.off(state.beta)[1] < 2e-4  # the ridge, which the exact answer has not, is a millionth


def test_a_step_from_an_older_answer_brings_it_near_and_tells_how_near(problem):
    rng = np.random.default_rng(2)
    older = problem.exact + 0.3 * problem.error * rng.standard_normal(problem.exact.shape) * problem.is_seen
    state = State.left(older, problem.equations.residual(older))
    for _ in range(3):
        told = distance(problem.equations, state.residual, problem.blocks, problem.noise)
        real = problem.off(state.beta)[0]
        assert np.all((0.7 * real < told) & (told < 1.3 * real))
        state = step(problem.equations, state)
    assert problem.off(state.beta)[0].max() < 0.02


def test_the_residual_is_known_without_a_product(problem):
    state = problem.start
    for _ in range(3):
        state = step(problem.equations, state)
    anew = problem.equations.residual(state.beta)
    assert np.allclose(state.residual, anew, atol=1e-9 * np.abs(problem.equations.observed).max())
    finished = problem.off(state.beta + problem.equations.nearly_solved(state.residual))[0]
    assert finished.max() < 0.65 * problem.off(state.beta)[0].max()  # no product, and about as good as a step
    again = step(problem.equations, State.left(state.beta, state.residual))  # without the last direction
    assert problem.off(again.beta)[0].max() < 0.6 * problem.off(state.beta)[0].max()


def test_a_targets_matrix_is_that_of_the_rows_that_it_keeps(problem):
    X = dense_design(problem.given.trains, BOXES, ROWS)
    rows = np.random.default_rng(0).standard_normal(problem.is_seen.shape)
    found = problem.equations.times(rows)
    ridge = 1e-6 * np.mean(np.diag(problem.equations.matrix))
    for j in range(TARGETS):
        weight = problem.given.worth * problem.given.keep[:, j]
        centred = X - np.average(X, axis=0, weights=weight)
        expected = centred.T @ (weight * (centred @ rows[j])) + ridge * rows[j]
        assert np.allclose(found[j], expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_32_bits_come_as_near_as_counts(monkeypatch):
    monkeypatch.setattr(_gram, "MOST_COLUMNS_OF_64_BITS", 0)
    rounded = Solved(0.4, seed=4)
    assert rounded.equations.matrix.dtype == np.float32
    state = rounded.start
    for _ in range(12):
        state = step(rounded.equations, state)
    assert state.beta.dtype == np.float32
    assert rounded.off(state.beta)[1] < 5e-3
