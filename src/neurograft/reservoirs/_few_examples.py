"""Recognition from few examples: scikit-learn's digits, honest baselines, and networks as feature makers.

What wins from few examples is knowledge of what does not matter (small shifts and turns) and the unlabelled
pictures themselves (graph propagation, Zhou et al. 2004); a reservoir's random features add neither.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray
from numpy.random import Generator
from scipy.ndimage import affine_transform, shift
from scipy.sparse import csr_array, eye_array
from scipy.sparse.linalg import splu

from neurograft.errors import OptionError

_HALF_PIXELS = (-1.0, -0.5, 0.0, 0.5, 1.0)
_TURN_DEGREES = 12.0


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Digits:
    """The pictures as rows of 64 pixels, and their classes."""

    pixels: Float64[ndarray, "pictures 64"]
    label: Int64[ndarray, " pictures"]


def digits() -> Digits:
    """Return scikit-learn's bundled digits: 1,797 pictures of 8 x 8 pixels (Alpaydin and Kaynak 1998)."""
    from sklearn.datasets import load_digits

    pixels, label = load_digits(return_X_y=True)
    return Digits(pixels=np.asarray(pixels, dtype=np.float64) / 16, label=np.asarray(label, dtype=np.int64))


def pixel_distance(pixels: Float64[ndarray, "pictures 64"]) -> Float64[ndarray, "pictures pictures"]:
    """Return Euclidean distances."""
    return _distances(pixels, pixels)


def invariant_distance(pixels: Float64[ndarray, "pictures 64"]) -> Float64[ndarray, "pictures pictures"]:
    """Return the least distance over 25 shifts of up to a pixel and turns of 12 degrees either way, made symmetric."""
    pictures = pixels.reshape(-1, 8, 8)
    least = np.full((pixels.shape[0],) * 2, np.inf)
    moved = [np.stack([shift(p, (dy, dx), order=1) for p in pictures]) for dy in _HALF_PIXELS for dx in _HALF_PIXELS]
    moved += [np.stack([_turned(p, angle) for p in pictures]) for angle in (-_TURN_DEGREES, _TURN_DEGREES)]
    for m in moved:
        np.minimum(least, _distances(m.reshape(pixels.shape), pixels), out=least)
    return np.minimum(least, least.T)


def _turned(picture: ndarray, degrees: float) -> ndarray:
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    turn = np.array([[c, -s], [s, c]])
    centre = np.array([3.5, 3.5])
    return affine_transform(picture, turn, offset=centre - turn @ centre, order=1)


def _distances(a: ndarray, b: ndarray) -> ndarray:
    square = np.sum(a**2, axis=1)[:, None] + np.sum(b**2, axis=1)[None] - 2 * (a @ b.T)
    return np.sqrt(np.maximum(square, 0.0))


def nearest(distance: ndarray, known: Int64[ndarray, " known"], label: Int64[ndarray, " known"]) -> ndarray:
    """Return for every picture the class of its nearest known one."""
    return label[np.argmin(distance[:, known], axis=1)]


def propagation(distance: ndarray, n_neighbours: int = 10, keep: float = 0.99) -> Callable[[ndarray, ndarray], ndarray]:
    """Return a rule that spreads known classes over the graph of nearest neighbours (Zhou et al. 2004).

    Weights exp(-d^2 / (s_i s_j)), s the distance to the tenth neighbour (Zelnik-Manor and Perona 2004).  It is
    transductive: the pictures to be recognised are in the graph, and columns are normalised as if classes
    were equally frequent.
    """
    n = distance.shape[0]
    if n <= n_neighbours:
        raise OptionError(f"{n} pictures have no {n_neighbours} neighbours each. Take fewer neighbours.")
    near = np.argsort(distance, axis=1)[:, 1 : n_neighbours + 1]
    size = np.maximum(np.take_along_axis(distance, near[:, -1:], axis=1)[:, 0], 1e-12)
    row = np.repeat(np.arange(n), n_neighbours)
    column = near.ravel()
    weight = np.exp(-(distance[row, column] ** 2) / (size[row] * size[column]))
    one_way = csr_array((weight, (row, column)), shape=(n, n))
    graph = one_way.maximum(one_way.T)
    root = 1 / np.sqrt(np.maximum(np.asarray(graph.sum(axis=0)).ravel(), 1e-300))
    smooth = graph.multiply(root[:, None]).multiply(root[None]).tocsc()
    solve = splu((eye_array(n, format="csc") - keep * smooth).tocsc()).solve

    def classify(known: Int64[ndarray, " known"], label: Int64[ndarray, " known"]) -> ndarray:
        start = np.zeros((n, int(label.max()) + 1))
        start[known, label] = 1.0
        spread = solve(start)
        return np.argmax(spread / spread.sum(axis=0), axis=1)

    return classify


def draw(label: Int64[ndarray, " pictures"], n_each: int, rng: Generator) -> Int64[ndarray, " known"]:
    """Return ``n_each`` random pictures of every class."""
    return np.concatenate([rng.choice(np.flatnonzero(label == c), n_each, replace=False) for c in np.unique(label)])


def accuracy(found: ndarray, label: ndarray, known: Int64[ndarray, " known"]) -> float:
    """Return the share of right answers among the pictures that were not known."""
    is_asked = np.ones(label.size, dtype=bool)
    is_asked[known] = False
    return float(np.mean(found[is_asked] == label[is_asked]))


def reservoir_features(
    states: Callable[[ndarray], ndarray], pixels: Float64[ndarray, "pictures 64"], *, at: Sequence[int] = (7, 15)
) -> Float64[ndarray, "pictures features"]:
    """Return each picture's features: the states after some of its rows, then columns, were fed in one by one.

    ``states`` takes rows of eight values, a picture's rows followed by its columns; ``at`` says after which of the 16.
    """
    pictures = pixels.reshape(-1, 8, 8)
    return np.stack([states(np.vstack([p, p.T]))[list(at)].ravel() for p in pictures])
