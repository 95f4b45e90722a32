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

_FAR, _OVERFLOWS = 10.0, 30.0  # exp(30^2) is infinite: a neuron that never fires
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
    """Return the integral of exp(u^2) (1 + erf u) = erfcx(-u), by Gauss quadrature.

    Pieces are at most 1 wide from -10 upwards.  Below, the integrand is 1 / (sqrt(pi) |u|) to half a percent and
    smooth in log |u|: one piece there, however little noise makes the range wide.
    """
    upper = np.minimum(upper, _OVERFLOWS)
    near, end = np.maximum(lower, -_FAR), np.maximum(upper, -_FAR)
    n_pieces = max(1, math.ceil(float(np.max(end - near, initial=0.0))))
    total = np.zeros(np.broadcast(lower, upper).shape)
    for piece in range(n_pieces):
        width = (end - near) / n_pieces
        middle = near + (piece + 0.5) * width
        u = middle[..., None] + 0.5 * width[..., None] * _NODES
        total += 0.5 * width * np.sum(_WEIGHTS * erfcx(-u), axis=-1)
    log_low, log_high = np.log(np.maximum(-upper, _FAR)), np.log(np.maximum(-lower, _FAR))
    half = 0.5 * (log_high - log_low)
    size = np.exp(0.5 * (log_low + log_high)[..., None] + half[..., None] * _NODES)
    return total + half * np.sum(_WEIGHTS * erfcx(size) * size, axis=-1)


def siegert_cv(
    mean_v: Float64[ndarray, " n"], noise_sd_v: Float64[ndarray, " n"], *, neuron: Lif
) -> Float64[ndarray, " n"]:
    """Return the coefficient of variation of the intervals (Brunel 2000, appendix A.1), to about 1e-3.

    CV^2 = 2 pi (rate tau)^2 * integral over [reset, threshold] of F(x) = exp(x^2) * integral up to x of
    exp(y^2) (1 + erf y)^2 dy.  F is carried from point to point, which neither overflows nor loses digits.
    """
    sigma = math.sqrt(2.0) * noise_sd_v
    upper = (neuron.threshold_v - mean_v) / sigma
    lower = (neuron.reset_v - mean_v) / sigma
    far = np.minimum(lower, 0.0) - 8.0
    with np.errstate(over="ignore", invalid="ignore"):
        at_far = erfcx(-far) ** 2 / (-2.0 * far)  # there F' = 0 = 2 x F + erfcx(-x)^2 to 1 %, and is forgotten
        at_lower = _carry(at_far, far, lower)[0]
        squared = _carry(at_lower, lower, upper)[1]
    rate_hz = siegert_rate_hz(mean_v, noise_sd_v, neuron=neuron)
    with np.errstate(over="ignore", invalid="ignore"):
        cv = rate_hz * neuron.tau_m_s * np.sqrt(2.0 * math.pi * squared)
    return np.where(np.isfinite(cv), cv, np.inf)


def _carry(value: ndarray, begin: ndarray, end: ndarray) -> tuple[ndarray, ndarray]:
    """Return F at ``end`` and its integral from ``begin``, where F' = 2 x F + erfcx(-x)^2 and F(begin) = value."""
    n_points = 100 * max(4, math.ceil(float(np.max(end - begin))))
    step = (end - begin) / n_points
    total = np.zeros_like(value)
    x, source = begin, erfcx(-begin) ** 2
    for k in range(1, n_points + 1):
        x_next = begin + k * step
        source_next = erfcx(-x_next) ** 2
        grown = np.exp(x_next**2 - x**2)
        value_next = value * grown + 0.5 * step * (source * grown + source_next)
        total = total + 0.5 * step * (value + value_next)
        x, source, value = x_next, source_next, value_next
    return value, total


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
