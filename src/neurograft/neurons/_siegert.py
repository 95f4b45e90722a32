"""Firing rate of a leaky integrate-and-fire neuron in white noise, and the drive that a rate needs."""

import math

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from scipy.special import erfcx

from neurograft.neurons._lif import Lif

GRID_SHIFT = 0.5826
"""-zeta(1/2)/sqrt(2 pi): a threshold looked at only on a grid acts like one higher by this many step sds
(Broadie, Glasserman and Kou 1997; the constant is Chernoff's)."""

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)


def siegert_rate_hz(
    mean_v: Float64[ndarray, " n"],
    noise_sd_v: Float64[ndarray, " n"],
    *,
    neuron: Lif,
    step_s: float = 0.0,
) -> Float64[ndarray, " n"]:
    """Return the mean rate of neurons with a steady drive and white noise (Siegert 1951; Brunel 2000, eq. 21).

    ``noise_sd_v`` is the standard deviation that the potential would have without a threshold, which is
    1/sqrt(2) of Brunel's sigma; above 0.  With ``step_s`` the threshold is looked at on that grid only.
    """
    sigma = math.sqrt(2.0) * np.asarray(noise_sd_v, dtype=np.float64)
    threshold = neuron.threshold_v + GRID_SHIFT * noise_sd_v * math.sqrt(2.0 * step_s / neuron.tau_m_s)
    upper = (threshold - mean_v) / sigma
    lower = (neuron.reset_v - mean_v) / sigma
    with np.errstate(over="ignore"):
        interval_s = neuron.refractory_s + neuron.tau_m_s * math.sqrt(math.pi) * _integral(lower, upper)
    return 1.0 / interval_s


def _integral(lower: ndarray, upper: ndarray) -> ndarray:
    """Return the integral of exp(u^2) (1 + erf u) = erfcx(-u), by Gauss quadrature on unit pieces."""
    n_pieces = max(1, math.ceil(float(np.max(upper - lower, initial=0.0))))
    total = np.zeros(np.broadcast(lower, upper).shape)
    for piece in range(n_pieces):
        width = (upper - lower) / n_pieces
        middle = lower + (piece + 0.5) * width
        u = middle[..., None] + 0.5 * width[..., None] * _NODES
        total += 0.5 * width * np.sum(_WEIGHTS * erfcx(-u), axis=-1)
    return total


def siegert_mean_v(
    rate_hz: Float64[ndarray, " n"],
    noise_sd_v: Float64[ndarray, " n"],
    *,
    neuron: Lif,
    step_s: float = 0.0,
) -> Float64[ndarray, " n"]:
    """Return the steady drive with which neurons in that noise fire at ``rate_hz`` (by bisection to 1 nV).

    Rates must lie above 0 and below 1 / refractory_s.
    """
    scale = neuron.threshold_v - neuron.reset_v
    low = neuron.threshold_v - 12.0 * noise_sd_v - scale
    high = np.full_like(low, neuron.threshold_v + scale)
    while np.any(siegert_rate_hz(high, noise_sd_v, neuron=neuron, step_s=step_s) < rate_hz):
        high = neuron.threshold_v + 2.0 * (high - neuron.threshold_v)
    for _ in range(60):
        middle = 0.5 * (low + high)
        is_low = siegert_rate_hz(middle, noise_sd_v, neuron=neuron, step_s=step_s) < rate_hz
        low, high = np.where(is_low, middle, low), np.where(is_low, high, middle)
        if np.all(high - low < 1e-9 * scale):
            break
    return 0.5 * (low + high)
