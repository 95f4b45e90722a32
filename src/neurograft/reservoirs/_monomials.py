"""All products of some inputs up to a degree: the features of the next-generation family."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations_with_replacement
from math import comb
from typing import Final, final, no_type_check

import numpy as np
from jaxtyping import Bool, Float64, Int32
from numba import njit
from numpy import ndarray

from neurograft.arrays import frozen
from neurograft.errors import OptionError

MOST_FEATURES: Final = 5000


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Monomials:
    """Monomials of degree 0 to ``degree``; each above 0 is an earlier one (its parent) times one input.

    ``powers[f, i]`` is the exponent of input i in feature f.
    """

    degree: int
    powers: Int32[ndarray, "features inputs"]
    parent: Int32[ndarray, " features"]
    variable: Int32[ndarray, " features"]

    @property
    def n_inputs(self) -> int:
        """Number of inputs."""
        return self.powers.shape[1]

    @property
    def n_features(self) -> int:
        """Number of monomials, the constant among them."""
        return self.powers.shape[0]

    def of_degrees(self, degrees: tuple[int, ...]) -> Bool[ndarray, " features"]:
        """Tell which monomials have one of these degrees."""
        return np.isin(self.powers.sum(axis=1), degrees)

    def values(self, inputs: Float64[ndarray, "*rows inputs"]) -> Float64[ndarray, "*rows features"]:
        """Return the monomials of each row of inputs."""
        out = np.empty((*inputs.shape[:-1], self.n_features))
        out[..., 0] = 1.0
        for f in range(1, self.n_features):
            out[..., f] = out[..., self.parent[f]] * inputs[..., self.variable[f]]
        return out

    def text(self, feature: int, names: tuple[str, ...]) -> str:
        """Return a monomial as text, such as ``x*y^2``; the constant is ``1``.

        >>> monomials(2, 2).text(4, ("x", "y"))
        'x*y'
        """
        parts = [
            name if power == 1 else f"{name}^{power}"
            for name, power in zip(names, self.powers[feature], strict=True)
            if power
        ]
        return "*".join(parts) or "1"


@lru_cache(maxsize=256)
def monomials(n_inputs: int, degree: int) -> Monomials:
    """Return all monomials of ``n_inputs`` up to ``degree``, lowest degrees first.

    >>> monomials(3, 2).n_features
    10
    """
    if n_inputs < 1 or degree < 1:
        raise OptionError(f"There are {n_inputs} inputs and degree {degree}. Both must be 1 or more.")
    n = comb(n_inputs + degree, degree)
    if n > MOST_FEATURES:
        raise OptionError(
            f"{n_inputs} inputs to degree {degree} make {n} features; the most is {MOST_FEATURES}. "
            "Take fewer taps or columns, a lower degree, or the local form."
        )
    tuples = [t for d in range(degree + 1) for t in combinations_with_replacement(range(n_inputs), d)]
    index = {t: i for i, t in enumerate(tuples)}
    powers = np.zeros((n, n_inputs), dtype=np.int32)
    for f, t in enumerate(tuples):
        for i in t:
            powers[f, i] += 1
    parent = np.array([0] + [index[t[:-1]] for t in tuples[1:]], dtype=np.int32)
    variable = np.array([0] + [t[-1] for t in tuples[1:]], dtype=np.int32)
    return Monomials(degree=degree, powers=frozen(powers), parent=frozen(parent), variable=frozen(variable))


@njit(cache=True, inline="always")
@no_type_check
def fill_monomials(inputs, parent, variable, out):
    """Fill ``out`` with the monomials of one row of inputs."""
    out[0] = 1.0
    for f in range(1, parent.size):
        out[f] = out[parent[f]] * inputs[variable[f]]
