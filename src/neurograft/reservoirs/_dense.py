"""The next-generation models on arrays of any library that keeps the array API standard: torch, CuPy, JAX and others.

What a model learns is kept as numpy arrays of a few weights; features, solves and rollouts are done by the library
of the arrays that come in, on their device and in their precision.  Numpy's own arrays take the compiled way.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from neurograft.errors import MissingExtraError, SeriesError
from neurograft.reservoirs._monomials import Monomials
from neurograft.reservoirs._solvers import ORDER_8_A, ORDER_8_B

Array = Any  # a numpy array, or one of any library that keeps the array API standard


def namespace_of(x: Any) -> Any:
    """Return the array API namespace of another library's array; None for numpy's arrays, lists and tables."""
    if isinstance(x, ndarray) or not hasattr(x, "__dlpack__"):
        return None
    ask = getattr(x, "__array_namespace__", None)
    if ask is not None:
        return ask()
    try:
        import array_api_compat  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise MissingExtraError(purpose=f"Computing on arrays of {type(x).__module__}", extra="arrays") from None
    return array_api_compat.array_namespace(x)


def to_numpy(x: Array) -> ndarray:
    """Return a copy in the main memory, as float64 numpy array."""
    if hasattr(x, "detach"):  # torch: leave the graph of derivatives, and its device
        x = x.detach().cpu().numpy()
    return np.array(x, dtype=np.float64)


def checked_rows(xp: Any, x: Array, *, min_rows: int) -> Array:
    """Return rows of floating numbers; gaps and too few rows are refused."""
    if x.ndim != 2 or x.shape[0] < min_rows:
        raise SeriesError(f"X has shape {tuple(x.shape)}. Give at least {min_rows} rows, two axes.")
    if not xp.isdtype(x.dtype, "real floating"):
        raise SeriesError(f"X has dtype {x.dtype}. Give floating numbers.")
    if not bool(xp.all(xp.isfinite(x))):
        raise SeriesError("X contains NaN or infinity. Cut the series at the gaps, or fill them.")
    return x


def like(xp: Any, values: ndarray, x: Array) -> Array:
    """Return numbers as an array of x's library, on its device, in its precision."""
    return xp.asarray(values.tolist(), dtype=x.dtype, device=x.device)


def monomial_values(xp: Any, inputs: Array, m: Monomials) -> Array:
    """Return the monomials of the last axis, as ``Monomials.values`` does."""
    columns = [xp.ones_like(inputs[..., 0])]
    for f in range(1, m.n_features):
        columns.append(columns[int(m.parent[f])] * inputs[..., int(m.variable[f])])
    return xp.stack(columns, axis=-1)


def solved_by_svd(xp: Any, a: Array, y: Array, ridge: float) -> Array:
    """Return least-squares weights as ``by_svd`` does."""
    size = column_size(xp, a)
    left, values, right = xp.linalg.svd(a / size, full_matrices=False)
    is_kept = values > values[0] * (max(a.shape) * float(xp.finfo(a.dtype).eps))
    factor = xp.where(is_kept, values / (values**2 + ridge * a.shape[0]), xp.zeros_like(values))
    return (right.T @ (factor[:, None] * (left.T @ y))) / size[:, None]


def solved_by_qr(xp: Any, a: Array, y: Array, ridge: float) -> Array:
    """Return least-squares weights as ``by_qr`` does."""
    size = column_size(xp, a)
    n = a.shape[1]
    stacked, target = a / size, y
    if ridge > 0:
        eye = xp.eye(n, dtype=a.dtype, device=a.device)
        stacked = xp.concat([stacked, (ridge * a.shape[0]) ** 0.5 * eye], axis=0)
        target = xp.concat([y, xp.zeros((n, y.shape[1]), dtype=y.dtype, device=y.device)], axis=0)
    q, r = xp.linalg.qr(stacked)
    return xp.linalg.solve(r, q.T @ target) / size[:, None]


def solved_by_cholesky(xp: Any, a: Array, y: Array, ridge: float) -> Array:
    """Return least-squares weights as ``by_cholesky`` does."""
    size = column_size(xp, a)
    scaled = a / size
    gram = scaled.T @ scaled + ridge * a.shape[0] * xp.eye(a.shape[1], dtype=a.dtype, device=a.device)
    lower = xp.linalg.cholesky(gram)
    return xp.linalg.solve(lower.T, xp.linalg.solve(lower, scaled.T @ y)) / size[:, None]


def column_size(xp: Any, a: Array) -> Array:
    """Return the root mean square of each column, 1 for empty ones."""
    size = xp.sqrt(xp.mean(a**2, axis=0))
    return xp.where(size > 0, size, xp.ones_like(size))


def moments(xp: Any, x: Array) -> tuple[ndarray, ndarray, float]:
    """Return mean, standard deviation and largest scaled size of the columns, in numpy."""
    mean, scale = xp.mean(x, axis=0), xp.std(x, axis=0)
    safe = xp.where(scale > 0, scale, xp.ones_like(scale))
    return to_numpy(mean), to_numpy(scale), float(xp.max(xp.abs((x - mean) / safe)))


def tap_rows(xp: Any, z: Array, delays: Sequence[int]) -> Array:
    """Return the taps of each row that has all of them: rows so many back, side by side."""
    first = max(delays)
    return xp.concat([z[first - d : z.shape[0] - d, ...] for d in delays], axis=1)


def integral_rows(features: Array, weights: Sequence[float], dt: float) -> Array:
    """Return for each step the integral of the features over it, by the quadrature ``weights``."""
    used = features.shape[0] - len(weights) + 1
    out = weights[0] * dt * features[:used, ...]
    for j, b in enumerate(weights[1:], start=1):
        out = out + (b * dt) * features[j : j + used, ...]
    return out


def roll_map(
    xp: Any, history: Array, weights: ndarray, *, m: Monomials, delays: Sequence[int], limit: float, n_steps: int
) -> tuple[Array, Array]:
    """Return scaled states (starts, steps, columns) of the map, and how many steps each start stayed inside.

    ``history`` (starts, rows, columns) is scaled; ``weights`` is (columns, features).
    """
    w = like(xp, weights.T, history)

    def advance(recent: list[Array]) -> Array:
        taps = xp.concat([recent[-1 - d] for d in delays], axis=-1)
        return recent[-1] + monomial_values(xp, taps, m) @ w

    return _rolled(xp, [history[:, i, :] for i in range(history.shape[1])], advance, limit=limit, n_steps=n_steps)


def roll_field(
    xp: Any,
    start: Array,
    weights: Float64[ndarray, "outputs features"],
    *,
    m: Monomials,
    windows: Int64[ndarray, "groups inputs"],
    dt: float,
    n_substeps: int,
    limit: float,
    n_steps: int,
) -> tuple[Array, Array]:
    """Return scaled states (starts, steps, variables) of the field by steps of order 8, and how many stayed inside."""
    w = like(xp, weights.T, start)
    index = xp.asarray(windows.ravel().tolist(), device=start.device)
    step = dt / n_substeps

    def slope(z: Array) -> Array:
        u = xp.reshape(xp.take(z, index, axis=-1), (z.shape[0], *windows.shape))
        return xp.reshape(monomial_values(xp, u, m) @ w, z.shape)

    def advance(recent: list[Array]) -> Array:
        z = recent[-1]
        for _ in range(n_substeps):
            stages: list[Array] = []
            for row in ORDER_8_A:
                at = z
                for a, k in zip(row.tolist(), stages, strict=False):
                    at = at + (step * a) * k if a else at
                stages.append(slope(at))
            for b, k in zip(ORDER_8_B.tolist(), stages, strict=True):
                z = z + (step * b) * k
        return z

    return _rolled(xp, [start], advance, limit=limit, n_steps=n_steps)


def _rolled(
    xp: Any, recent: list[Array], advance: Callable[[list[Array]], Array], *, limit: float, n_steps: int
) -> tuple[Array, Array]:
    """Return the states and the count of bounded steps; a start that leaves the guard is held where it was."""
    start = recent[-1]
    is_inside = xp.all(xp.isfinite(start), axis=-1)
    bounded = xp.zeros(start.shape[0], dtype=xp.int64, device=start.device)
    states: list[Array] = []
    for _ in range(n_steps):
        after = advance(recent)
        is_inside = is_inside & xp.all(xp.abs(after) <= limit, axis=-1)
        after = xp.where(is_inside[:, None], after, recent[-1])
        recent = [*recent[1:], after]
        bounded = bounded + xp.astype(is_inside, xp.int64)
        states.append(after)
    return xp.stack(states, axis=1), bounded
