"""What a network can compute as a reservoir, beside null models of the same connections and strengths."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy import ndarray
from numpy.random import Generator
from scipy import sparse

from neurograft.errors import OptionError
from neurograft.progress import Progress, silent
from neurograft.reservoirs._capacity import States, information_capacity, kernel_rank, memory_capacity
from neurograft.reservoirs._driven import narma10
from neurograft.reservoirs._least_squares import by_svd
from neurograft.reservoirs._pasted import PastedReservoir, Signs, null_matrices

_NARMA_ROWS = 3000


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """Measures of one reservoir: more is better, but for ``narma_nrmse``."""

    name: str
    memory: float
    information: float
    rank: int
    narma_nrmse: float


def examine(
    matrix: sparse.csr_array,
    rng: Generator,
    *,
    signs: Signs,
    n_nulls: int = 5,
    radius: float = 0.95,
    progress: Progress = silent,
) -> list[Examination]:
    """Return the measures of the network itself, then those of each null model, all with the same rule of signs."""
    if n_nulls < 0 or not radius > 0:
        raise OptionError(f"n_nulls is {n_nulls} and radius {radius}. Give 0 or more, and a positive radius.")
    found: list[Examination] = []
    nulls = null_matrices(matrix, n_nulls, rng)
    for i, one in enumerate([matrix, *nulls]):
        name = "the network" if i == 0 else f"null {i}"
        found.append(examine_one(name, one, rng, signs=signs, radius=radius))
        progress("examining", i + 1, n_nulls + 1)
    return found


def examine_one(name: str, matrix: sparse.csr_array, rng: Generator, *, signs: Signs, radius: float) -> Examination:
    """Return the measures of one matrix; each task draws its input by ``rng``, its states start at rest."""
    pasted = PastedReservoir(matrix, rng, signs=signs, radius=radius)
    states: States = pasted.states
    return Examination(
        name=name,
        memory=memory_capacity(states, rng).total,
        information=information_capacity(states, rng, n_rows=2500).total,
        rank=kernel_rank(states, rng),
        narma_nrmse=narma_error(states, rng),
    )


def narma_error(states: States, rng: Generator, *, n_rows: int = _NARMA_ROWS, n_washout: int = 200) -> float:
    """Return the error of NARMA-10 over its standard deviation: last third held out."""
    u, y = narma10(n_rows, rng)
    x = states(4 * u[:, None] - 1)  # the input's 0 to 0.5 becomes -1 to 1
    features = np.hstack([np.ones((n_rows, 1)), x, x**2])
    half = n_rows * 2 // 3
    weights = by_svd(features[n_washout:half], y[n_washout:half, None], 1e-12)
    wrong: ndarray = features[half:] @ weights[:, 0] - y[half:]
    return float(np.sqrt(np.mean(wrong**2)) / y[half:].std())
