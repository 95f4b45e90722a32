"""Climate: what a forecast keeps after its weather is lost.  The largest exponent and the spectrum."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from scipy.signal import welch

from neurograft.errors import SeriesError

Advance = Callable[[ndarray], ndarray]


def largest_exponent(
    advance: Advance,
    history: Float64[ndarray, "rows variables"],
    *,
    dt: float,
    n_rounds: int = 400,
    distance: float = 1e-7,
) -> float:
    """Return the largest Lyapunov exponent of a map of histories, per unit of time (Benettin et al. 1980).

    ``advance`` takes histories of shape (2, rows, variables) and returns as many new rows for each, the
    next ones in time.  The second is pulled back to ``distance`` from the first after every round; the first
    tenth of the rounds only turns the distance into the growing direction.
    """
    rows = history.shape[0]
    scale = np.linalg.norm(history) if np.any(history) else 1.0
    apart = np.zeros_like(history)
    apart[:, 0] = distance * scale / np.sqrt(rows)
    growth = []
    state = history
    for _ in range(n_rounds):
        two = advance(np.stack([state, state + apart]))
        difference = two[1] - two[0]
        size = float(np.linalg.norm(difference))
        if not (np.isfinite(size) and size > 0):
            raise SeriesError("The rollout left all bounds or froze, so it has no Lyapunov exponent. Fit again.")
        growth.append(np.log(size / np.linalg.norm(apart)))
        apart = difference * (distance * scale / size)
        state = two[0]
    return float(np.mean(growth[n_rounds // 10 :]) / (rows * dt))


def spectrum_distance_db(
    a: Float64[ndarray, " steps"], b: Float64[ndarray, " steps"], *, n_segment: int = 512
) -> float:
    """Return the root mean square over frequencies of the ratio of two power spectra in decibels (Welch 1967).

    Powers below a millionth of the mean count as that: rounding noise in an empty band is no climate.
    """
    size = min(n_segment, a.size, b.size)
    power = [welch(x - x.mean(), nperseg=size)[1][1:] for x in (a, b)]
    floor = 1e-6 * np.mean(power[0])
    ratio_db = 10 * np.log10(np.maximum(power[0], floor) / np.maximum(power[1], floor))
    return float(np.sqrt(np.mean(ratio_db**2)))
