"""Designs turned round the time line: the same trains against other traces, where there can be no synapse."""

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from neurograft.copying.intracellular.reading._timeline import Timeline

_TESTS, _MOST = 3000, 20  # pairs that the shifted designs have together, at the least, and designs
_LEAST_SHIFT_S = 1.0


def n_shifts(n: int) -> int:
    """Return how many shifted designs of so many neurons tell how statistics behave."""
    return int(np.clip(-(-_TESTS // max(n * (n - 1), 1)), 1, _MOST))


def shifted_trains(
    spike_row: tuple[Int64[ndarray, " _"], ...], line: Timeline, n: int, rng: np.random.Generator
) -> list[tuple[Int64[ndarray, " _"], ...]]:
    """Return so many designs turned by over a second."""
    least = min(round(_LEAST_SHIFT_S * line.rate_hz), line.n_rows // 4)
    shifts = rng.integers(least, line.n_rows - least, n)
    return [tuple(np.sort((rows + shift) % line.n_rows) for rows in spike_row) for shift in shifts]
