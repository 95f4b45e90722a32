"""The classic reservoir: a fixed sparse random network of leaky tanh nodes, of which only the read-out is learnt."""

from typing import Protocol, final, no_type_check, runtime_checkable

import numpy as np
from jaxtyping import Float64
from numba import njit
from numpy import ndarray
from numpy.random import Generator
from scipy import sparse
from scipy.sparse.linalg import ArpackNoConvergence, eigs
from sklearn.base import BaseEstimator
from sklearn.metrics import r2_score

from neurograft.errors import OptionError, SeriesError
from neurograft.reservoirs._check import Scaling, checked_series, rows_for, scaling_of
from neurograft.reservoirs._forecast import Forecast, one_step_score, packed, rollout_starts
from neurograft.reservoirs._least_squares import by_cholesky, by_svd

Matrix = Float64[ndarray, "nodes nodes"]


@runtime_checkable
class Wiring(Protocol):
    """Makes the matrix of a reservoir; entry [to, from]."""

    def __call__(self, n_nodes: int, rng: Generator) -> sparse.csr_array:
        """Return a matrix of any spectral radius."""
        ...


def sparse_random(n_nodes: int, rng: Generator) -> sparse.csr_array:
    """Return ten connections a node, normal weights: the classic reservoir."""
    density = min(10 / n_nodes, 1.0)
    matrix = sparse.random_array((n_nodes, n_nodes), density=density, rng=rng, data_sampler=rng.standard_normal)
    return sparse.csr_array(matrix)


def ring(n_nodes: int, rng: Generator) -> sparse.csr_array:
    """Return one cycle of equal weights (Rodan and Tino 2011): the longest linear memory."""
    node = np.arange(n_nodes)
    return sparse.csr_array((np.ones(n_nodes), ((node + 1) % n_nodes, node)), shape=(n_nodes, n_nodes))


def orthogonal(n_nodes: int, rng: Generator) -> sparse.csr_array:
    """Return a random rotation (dense)."""
    q, r = np.linalg.qr(rng.standard_normal((n_nodes, n_nodes)))
    return sparse.csr_array(q * np.sign(np.diag(r)))


def signed_lattice(n_nodes: int, rng: Generator) -> sparse.csr_array:
    """Return a ring in which each node hears its four nearest neighbours on both sides, with random signs."""
    node = np.repeat(np.arange(n_nodes), 8)
    shift = np.tile([-4, -3, -2, -1, 1, 2, 3, 4], n_nodes)
    sign = rng.choice([-1.0, 1.0], node.size)
    return sparse.csr_array((sign, ((node + shift) % n_nodes, node)), shape=(n_nodes, n_nodes))


def with_radius(matrix: sparse.csr_array, radius: float) -> sparse.csr_array:
    """Return the matrix scaled to a spectral radius; one without cycles (radius 0) is refused."""
    n = matrix.shape[0]
    if n <= 600:
        largest = float(np.max(np.abs(np.linalg.eigvals(matrix.toarray()))))
    else:
        try:
            largest = float(np.max(np.abs(eigs(matrix, k=1, v0=np.ones(n), return_eigenvectors=False))))
        except ArpackNoConvergence:
            largest = float(np.max(np.abs(np.linalg.eigvals(matrix.toarray()))))
    if largest < 1e-8:
        raise SeriesError("The reservoir's matrix has no cycle, so it has no spectral radius. Give one with cycles.")
    return sparse.csr_array(matrix * (radius / largest))


@final
class EchoState(BaseEstimator):
    """An echo state network (Jaeger 2001): x <- (1 - leak) x + leak tanh(W x + V u + b), ridge read-out.

    Parameters
    ----------
    n_nodes, radius, leak
        Size, spectral radius of W and leak rate.
    input_scale, bias
        Widths of the uniform input weights (on scaled inputs) and biases.
    ridge
        Of the read-out, on columns of unit size.
    n_washout
        First rows that only drive.
    has_squares
        Whether the read-out sees the states' squares too.
    n_products
        With more than 0, the read-out also sees the products, two by two, of that many leading directions of the
        states (principal components of the training states).
    wiring
        ``sparse_random``, ``ring``, ``orthogonal``, ``signed_lattice`` or your own.
    random_state
        Seed of the wiring.

    ``fit(X)`` learns to go on with X; ``fit(X, y)`` learns y[t] from X up to row t.
    """

    def __init__(
        self,
        *,
        n_nodes: int = 300,
        radius: float = 0.9,
        leak: float = 1.0,
        input_scale: float = 0.5,
        bias: float = 0.2,
        ridge: float = 1e-8,
        n_washout: int = 50,
        has_squares: bool = True,
        n_products: int = 0,
        wiring: Wiring = sparse_random,
        random_state: int = 0,
    ) -> None:
        self.n_nodes = n_nodes
        self.radius = radius
        self.leak = leak
        self.input_scale = input_scale
        self.bias = bias
        self.ridge = ridge
        self.n_washout = n_washout
        self.has_squares = has_squares
        self.n_products = n_products
        self.wiring = wiring
        self.random_state = random_state

    def fit(self, X: ndarray, y: ndarray | None = None) -> "EchoState":
        """Learn the read-out; without ``y``, of the step to the next row."""
        if self.n_nodes < 2 or not 0 < self.leak <= 1 or min(self.radius, self.n_washout, self.n_products) < 0:
            raise OptionError(
                f"n_nodes {self.n_nodes} must be 2 or more, leak {self.leak} in 0 to 1, radius {self.radius}, "
                f"n_washout {self.n_washout} and n_products {self.n_products} 0 or more."
            )
        x = checked_series(X, min_rows=self.n_washout + 3)
        self._scaling = scaling_of(x)
        self.n_features_in_ = x.shape[1]
        self._draw(x.shape[1])
        z = self._scaling.scaled(x)
        states = self._driven(z, np.zeros(self.n_nodes))
        if self.n_products > 0:
            self._learn_directions(states[self.n_washout :])
        self._is_flat = y is not None and np.ndim(y) == 1
        if y is None:
            target = np.diff(z, axis=0)
            self._target = Scaling(mean=np.zeros(x.shape[1]), scale=np.ones(x.shape[1]), largest=1.0)
            features = self._features(states[:-1])
        else:
            target = checked_series(np.asarray(y, dtype=np.float64).reshape(len(y), -1), min_rows=x.shape[0], name="y")
            self._target = scaling_of(target)
            target, features = self._target.scaled(target), self._features(states)
        solve = by_cholesky if self.ridge > 0 and features.shape[0] > features.shape[1] else by_svd
        self.weights_ = solve(features[self.n_washout :], target[self.n_washout :], self.ridge)
        self._has_target = y is not None
        self._state, self.last_ = states[-1].copy(), x[-self.n_history :].copy()
        return self

    def predict(self, X: ndarray) -> ndarray:
        """Return for each row the next row of X, or y; the network starts at rest, so the first rows are rough."""
        x = rows_for(self, X)
        z = self._scaling.scaled(x)
        out = self._features(self._driven(z, np.zeros(self.n_nodes))) @ self.weights_
        if not self._has_target:
            return self._scaling.unscaled(z + out)
        values = self._target.unscaled(out)
        return values[:, 0] if self._is_flat else values

    def score(self, X: ndarray, y: ndarray | None = None) -> float:
        """Return R^2 of ``predict``; without ``y``, of each row from those before."""
        return one_step_score(self.predict, X) if y is None else float(r2_score(y, self.predict(X)))

    def forecast(self, n_steps: int, history: ndarray | None = None) -> Forecast:
        """Return the next states in closed loop; each history first drives the network from rest."""
        many, is_single = rollout_starts(self, n_steps, history, follows_y=getattr(self, "_has_target", False))
        out = np.empty((many.shape[0], n_steps, many.shape[2]))
        n_bounded = np.full(many.shape[0], n_steps)
        for s, one in enumerate(many):
            z = self._scaling.scaled(one)
            state = self._state if history is None else self._driven(z, np.zeros(self.n_nodes))[-1]
            n_bounded[s] = self._rolled(z[-1], state, out[s])
        return packed(self._scaling.unscaled(out), n_bounded, is_single=is_single)

    def states(self, X: ndarray) -> Float64[ndarray, "rows nodes"]:
        """Return the nodes' states while X drives them from rest."""
        return self._driven(self._scaling.scaled(rows_for(self, X)), np.zeros(self.n_nodes))

    @property
    def n_history(self) -> int:
        """Rows that drive the network before a forecast."""
        return self.n_washout + 1

    def _draw(self, n_columns: int) -> None:
        rng = np.random.default_rng(self.random_state)
        self._matrix = with_radius(self.wiring(self.n_nodes, rng), self.radius)
        self._input = rng.uniform(-self.input_scale, self.input_scale, (self.n_nodes, n_columns))
        self._bias = rng.uniform(-self.bias, self.bias, self.n_nodes)

    def _driven(self, z: Float64[ndarray, "rows columns"], state: ndarray) -> Float64[ndarray, "rows nodes"]:
        m = self._matrix
        drive = z @ self._input.T + self._bias
        out = np.empty((z.shape[0], self.n_nodes))
        drive_nodes(m.indptr, m.indices, m.data, drive, self.leak, state, out)
        return out

    def _rolled(self, z: ndarray, state: ndarray, out: ndarray) -> int:
        now = z
        for n in range(out.shape[0]):
            after = now + (self._features(state[None]) @ self.weights_)[0]
            if not np.all(np.abs(after) <= self._scaling.limit):
                out[n:] = now
                return n
            out[n] = now = after
            state = self._driven(now[None], state)[0]
        return out.shape[0]

    def _learn_directions(self, states: Float64[ndarray, "rows nodes"]) -> None:
        self._centre = states.mean(axis=0)
        _, size, rotation = np.linalg.svd(states - self._centre, full_matrices=False)
        n = min(self.n_products, int(np.sum(size > 1e-10 * size[0])))
        self._directions = rotation[:n].T * (np.sqrt(states.shape[0]) / size[:n])

    def _features(self, states: Float64[ndarray, "rows nodes"]) -> ndarray:
        parts = [np.ones((states.shape[0], 1)), states]
        if self.has_squares:
            parts.append(states**2)
        if self.n_products > 0:
            along = (states - self._centre) @ self._directions
            one, other = np.triu_indices(along.shape[1])
            parts.append(along[:, one] * along[:, other])
        return np.hstack(parts)


@njit(cache=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")
@no_type_check
def drive_nodes(start, source, weight, drive, leak, state, out):  # noqa: PLR0917
    """Fill ``out`` (rows, nodes) with the states of leaky tanh nodes; row ``start`` .. of a sparse matrix a node."""
    before = state
    for t in range(drive.shape[0]):
        for i in range(drive.shape[1]):
            total = drive[t, i]
            for k in range(start[i], start[i + 1]):
                total += weight[k] * before[source[k]]
            out[t, i] = (1 - leak) * before[i] + leak * np.tanh(total)
        before = out[t]
