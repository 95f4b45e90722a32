"""What a driven network can compute: memory, information-processing capacity, kernel rank."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from numpy.random import Generator
from scipy.special import eval_legendre
from scipy.stats import chi2

from neurograft.errors import SeriesError

States = Callable[[ndarray], ndarray]  # input rows -> states, one row each
_RIDGE: Final = 1e-8
_FALSE_SHARE: Final = 1e-4


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Capacity:
    """Capacities by delay (memory) or by degree (information processing), and the bound: the states' rank."""

    by_order: Float64[ndarray, " orders"]
    bound: int

    @property
    def total(self) -> float:
        """Sum of all; never above the bound but for chance."""
        return float(self.by_order.sum())


def memory_capacity(
    states: States, rng: Generator, *, n_rows: int = 3000, n_washout: int = 300, longest: int = 200
) -> Capacity:
    """Return the linear memory of delays 1 to ``longest`` (Jaeger 2001): r^2 between u[t - k] and its best read-out.

    The input is uniform in -1 to 1.  Read-outs learn on the first half and are scored on the second, so
    chance adds nothing.
    """
    u = rng.uniform(-1, 1, n_rows)
    x = _centred(states(u[:, None]))
    first = max(n_washout, longest)
    half = (first + n_rows) // 2
    targets = np.stack([u[first - k : n_rows - k] for k in range(1, longest + 1)], axis=1)
    out = _read_out(x[first:half], targets[: half - first], x[half:])
    known = targets[half - first :]
    found = np.zeros(longest)
    for k in range(longest):
        a, b = out[:, k] - out[:, k].mean(), known[:, k] - known[:, k].mean()
        size = np.sum(a**2) * np.sum(b**2)
        found[k] = np.sum(a * b) ** 2 / size if size > 0 else 0.0
    floor = 4.0 / (n_rows - half)  # r^2 of two unrelated series this long, four times its mean
    return Capacity(by_order=np.where(found > floor, found, 0.0), bound=_rank(x[first:]))


def information_capacity(
    states: States, rng: Generator, *, n_rows: int = 4000, n_washout: int = 300, degrees: Sequence[tuple[int, int]] = ()
) -> Capacity:
    """Return the capacity of each degree (Dambre et al. 2012): products of Legendre polynomials of past inputs.

    ``degrees`` lists (degree, longest delay); by default degree 1 to 50 rows back, 2 to 20, 3 to 8.  A
    capacity counts only above the 1e-4 quantile of what chance gives (chi-squared of the rank over the rows),
    as the paper prescribes.
    """
    orders = list(degrees) or [(1, 50), (2, 20), (3, 8)]
    u = rng.uniform(-1, 1, n_rows)
    x = _centred(states(u[:, None]))[n_washout:]
    basis, size, _ = np.linalg.svd(x, full_matrices=False)
    rank = int(np.sum(size > size[0] * 1e-10)) if size.size and size[0] > 0 else 0
    basis = basis[:, :rank]
    chance = float(chi2.isf(_FALSE_SHARE, max(rank, 1))) / x.shape[0]
    found = np.zeros(len(orders))
    for i, (degree, longest) in enumerate(orders):
        for target in _targets(u, degree, longest, n_washout):
            centred = target - target.mean()
            share = float(np.sum((basis.T @ centred) ** 2) / np.sum(centred**2))
            found[i] += share if share > chance else 0.0
    return Capacity(by_order=found, bound=rank)


def kernel_rank(states: States, rng: Generator, *, n_inputs: int = 100, n_rows: int = 60) -> int:
    """Return how many of ``n_inputs`` random streams the last states tell apart (Legenstein and Maass 2007).

    The rank of the matrix of last states, singular values below 1 % of the largest left out.
    """
    last = np.stack([states(rng.uniform(-1, 1, (n_rows, 1)))[-1] for _ in range(n_inputs)])
    size = np.linalg.svd(last - last.mean(axis=0), compute_uv=False)
    return int(np.sum(size > 0.01 * size[0])) if size[0] > 0 else 0


def _targets(u: ndarray, degree: int, longest: int, n_washout: int) -> Iterator[ndarray]:
    """Yield every product of Legendre polynomials whose degrees sum to ``degree``, the oldest input within reach."""
    n = u.size
    for parts in _partitions(degree):
        for delays in combinations(range(longest), len(parts)):
            for powers in set(_orders(parts)):
                target = np.ones(n - n_washout)
                for delay, power in zip(delays, powers, strict=True):
                    target = target * eval_legendre(power, u[n_washout - delay : n - delay])
                yield target


def _partitions(degree: int) -> list[tuple[int, ...]]:
    if degree == 0:
        return [()]
    found = {tuple(sorted((k, *rest))) for k in range(1, degree + 1) for rest in _partitions(degree - k)}
    return sorted(found)


def _orders(parts: tuple[int, ...]) -> list[tuple[int, ...]]:
    if len(parts) <= 1:
        return [parts]
    return [(parts[i], *rest) for i in range(len(parts)) for rest in _orders(parts[:i] + parts[i + 1 :])]


def _centred(x: ndarray) -> ndarray:
    if x.ndim != 2 or not np.isfinite(x).all():
        raise SeriesError(f"The states have shape {x.shape} or are not all finite. Give one finite row for each input.")
    return x - x.mean(axis=0)


def _read_out(x: ndarray, y: ndarray, test: ndarray) -> ndarray:
    left, size, right = np.linalg.svd(x, full_matrices=False)
    factor = size / (size**2 + _RIDGE * max(float(size[0]) ** 2, 1e-300))
    return test @ (right.T @ (factor[:, None] * (left.T @ (y - y.mean(axis=0)))))


def _rank(x: ndarray) -> int:
    return int(np.linalg.matrix_rank(x, tol=None)) if np.any(x) else 0
