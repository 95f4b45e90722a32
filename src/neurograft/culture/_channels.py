"""Gates of the Hodgkin-Huxley neurons, and how much the finite number of channels makes them fluctuate.

Rates: Traub and Miles (1991) as in Brette et al. (2007), benchmark 3; the slow potassium current of
adaptation: Yamada, Koch and Adams (1989) as in Pospischil et al. (2008).  All from memory.

N channels that open and close on their own have an open fraction whose autocovariance is a sum of
exponentials.  For k identical gates of open probability x and time constant tau it is
    x^k / N [(x + (1 - x) e^(-t/tau))^k - x^k],
and each term of the expansion is an Ornstein-Uhlenbeck process (Linaro, Storace and Giugliano 2011).  The
terms add up to the binomial variance p (1 - p) / N of p = n^4 and p = m^3 h.
"""

# ruff: noqa: PLR0917 - kernels take their arrays one by one

import math
from typing import no_type_check

from numba import njit

from neurograft.culture._random import SLOW, draw_bits, quick_normal, slow_normal

N_SODIUM_TERMS = 7  # (gates m shut 0-3) x (gate h shut 0-1), without none
N_POTASSIUM_TERMS = 4
TABLE_LOW_V, TABLE_STEP_V, TABLE_SIZE = -0.120, 5e-5, 5401  # to +150 mV, 40 mV above any spike
_PER_TABLE_STEP = 1.0 / TABLE_STEP_V


@njit(cache=True)
@no_type_check
def _linear_exp(x):
    """Return x / (e^x - 1), also at 0."""
    if abs(x) < 1e-6:
        return 1.0 - 0.5 * x
    return x / (math.exp(x) - 1.0)


@njit(cache=True)
@no_type_check
def gate_rates(v_mv):
    """Return opening and shutting rates (1/ms) of m, h, n at v - V_T in mV."""
    return (
        0.32 * 4.0 * _linear_exp((13.0 - v_mv) / 4.0),
        0.28 * 5.0 * _linear_exp((v_mv - 40.0) / 5.0),
        0.128 * math.exp((17.0 - v_mv) / 18.0),
        4.0 / (1.0 + math.exp((40.0 - v_mv) / 5.0)),
        0.032 * 5.0 * _linear_exp((15.0 - v_mv) / 5.0),
        0.5 * math.exp((10.0 - v_mv) / 40.0),
    )


@njit(cache=True)
@no_type_check
def slow_gate(v_mv):
    """Return open probability and time constant (ms) of the adaptation current at v in mV."""
    open_share = 1.0 / (1.0 + math.exp(-(v_mv + 35.0) / 10.0))
    return open_share, 608.0 / (3.3 * math.exp((v_mv + 35.0) / 20.0) + math.exp(-(v_mv + 35.0) / 20.0))


@njit(cache=True)
@no_type_check
def fill_table(step_s, table):
    """Fill columns m, h, n open probability and what a step leaves of a deviation, over v - V_T."""
    for row in range(TABLE_SIZE):
        rates = gate_rates(1e3 * (TABLE_LOW_V + row * TABLE_STEP_V))
        for gate in range(3):
            up, down = rates[2 * gate], rates[2 * gate + 1]
            table[row, 2 * gate] = up / (up + down)
            table[row, 2 * gate + 1] = math.exp(-1e3 * step_s * (up + down))


@njit(cache=True)
@no_type_check
def table_place(v):
    """Return row and share of the next row for v - V_T in volts; beyond the table its ends hold."""
    x = min(max((v - TABLE_LOW_V) * _PER_TABLE_STEP, 0.0), TABLE_SIZE - 1.000001)
    row = int(x)
    return row, x - row


@njit(cache=True)
@no_type_check
def fill_normals(a, b, c, k, i, z):
    """Fill ``z`` with normal numbers of stream ``i``; one call for all, because calls cost more than draws."""
    for j in range(z.size):
        bits = draw_bits(a, b, c, k, i)
        z[j] = quick_normal(bits)
        if z[j] == SLOW:
            z[j] = slow_normal(a, b, c, k, i, bits)


@njit(cache=True)
@no_type_check
def _aged(value, variance, keep, z):
    """Return an Ornstein-Uhlenbeck value after a step in which a share ``keep`` of it is left."""
    return value * keep + math.sqrt(variance * (1.0 - keep * keep)) * z


@njit(cache=True, error_model="numpy")
@no_type_check
def potassium_noise(z, noise, n, keep_n, n_channels):
    """Advance the four processes of n^4 and return their sum; ``keep_n`` is what a step leaves of gate n."""
    ratio, term, keep = (1.0 - n) / max(n, 1e-9), n**8 / n_channels, 1.0
    weight, total = 1.0, 0.0
    for shut in range(1, 5):
        keep *= keep_n
        term *= ratio
        weight = weight * (5 - shut) / shut
        noise[shut - 1] = _aged(noise[shut - 1], weight * term, keep, z[shut - 1])
        total += noise[shut - 1]
    return total


@njit(cache=True, error_model="numpy")
@no_type_check
def sodium_noise(z, noise, m, h, keep_m, keep_h, n_channels):
    """Advance the seven processes of m^3 h and return their sum."""
    ratio, term, keep = (1.0 - m) / max(m, 1e-9), m**6 * h / n_channels, 1.0
    weight, total = 1.0, 0.0
    noise[0] = _aged(noise[0], term * (1.0 - h), keep_h, z[0])
    for shut in range(1, 4):
        keep *= keep_m
        term *= ratio
        weight = weight * (4 - shut) / shut
        noise[2 * shut - 1] = _aged(noise[2 * shut - 1], weight * term * h, keep, z[2 * shut - 1])
        noise[2 * shut] = _aged(noise[2 * shut], weight * term * (1.0 - h), keep * keep_h, z[2 * shut])
    for j in range(7):
        total += noise[j]
    return total
