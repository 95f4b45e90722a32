"""Siegert's rate: against plain quadrature of its integral, its limits, and its inverse."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import erfc, erfcx

from neurograft.neurons import Lif, siegert_cv, siegert_mean_v, siegert_rate_hz
from neurograft.neurons._siegert import _integral
from neurograft.units import MS, MV

CASES = [(10 * MV, 3 * MV), (14 * MV, 2 * MV), (16 * MV, 4 * MV), (25 * MV, 6 * MV)]


@pytest.mark.parametrize(("mean_v", "sd_v"), CASES)
def test_rate_is_the_integral_done_by_adaptive_quadrature(mean_v, sd_v):
    neuron = Lif()
    sigma = math.sqrt(2) * sd_v
    bounds = ((neuron.reset_v - mean_v) / sigma, (neuron.threshold_v - mean_v) / sigma)
    integral = quad(lambda u: math.exp(u * u) * erfc(-u), *bounds, epsabs=0, epsrel=1e-9)[0]
    expected = 1 / (neuron.refractory_s + neuron.tau_m_s * math.sqrt(math.pi) * integral)
    rate = siegert_rate_hz(np.array([mean_v]), np.array([sd_v]), neuron=neuron)
    assert rate[0] == pytest.approx(expected, rel=1e-8)


def test_without_noise_it_tends_to_the_deterministic_rate():
    neuron = Lif()
    exact = 1 / (neuron.refractory_s + neuron.tau_m_s * math.log(20 / 5))
    rate = siegert_rate_hz(np.array([20 * MV]), np.array([0.02 * MV]), neuron=neuron)
    assert rate[0] == pytest.approx(exact, rel=1e-4)


def test_next_to_no_noise_costs_no_more_and_is_as_exact():
    """Under 1 nV the integral runs over ten million units, and beyond 30 its integrand overflows."""
    neuron, mean_v = Lif(), np.array([20 * MV, 10 * MV])
    rate = siegert_rate_hz(mean_v, np.full(2, 1e-9), neuron=neuron)
    exact = 1 / (neuron.refractory_s + neuron.tau_m_s * math.log(20 / 5))
    assert rate.tolist() == pytest.approx([exact, 0.0], rel=1e-9)


@pytest.mark.parametrize(("low", "high"), [(-3.0, 2.0), (-200.0, -1.0), (-1e4, -30.0), (-9.5, -9.0), (-12.0, 5.0)])
def test_the_integral_is_whole_on_both_sides_of_its_seam(low, high):
    expected = quad(lambda u: float(erfcx(-u)), low, high, epsabs=0, epsrel=1e-12, limit=2000)[0]
    assert _integral(np.array([low]), np.array([high]))[0] == pytest.approx(expected, rel=1e-10)


def test_a_grid_lowers_the_rate():
    mean_v, sd_v = np.array([14 * MV]), np.array([3 * MV])
    fine = siegert_rate_hz(mean_v, sd_v, neuron=Lif())
    assert siegert_rate_hz(mean_v, sd_v, neuron=Lif(), step_s=0.1 * MS) < fine


def test_mean_is_the_inverse_of_rate():
    rate_hz = np.array([0.01, 0.5, 5.0, 60.0, 300.0])
    sd_v = np.full(5, 4 * MV)
    mean_v = siegert_mean_v(rate_hz, sd_v, neuron=Lif(), step_s=0.1 * MS)
    again = siegert_rate_hz(mean_v, sd_v, neuron=Lif(), step_s=0.1 * MS)
    np.testing.assert_allclose(again, rate_hz, rtol=1e-5)  # the bisection stops at 1e-9 of the threshold


def test_cv_is_small_when_driven_over_threshold_and_one_when_rarely_reached():
    mean_v, sd_v = np.array([30 * MV, 5 * MV]), np.array([0.5 * MV, 3 * MV])
    regular, irregular = siegert_cv(mean_v, sd_v, neuron=Lif())
    # Without a threshold nearby the time to it spreads by sd sqrt(2 / tau) over the slope: a few per cent here.
    assert 0.01 < regular < 0.06
    assert irregular == pytest.approx(1.0, abs=0.03)


def test_cv_is_the_double_integral_done_by_adaptive_quadrature():
    neuron, mean_v, sd_v = Lif(), 14 * MV, 4 * MV
    sigma = math.sqrt(2) * sd_v
    a, b = (neuron.reset_v - mean_v) / sigma, (neuron.threshold_v - mean_v) / sigma

    def inner(x):
        return quad(lambda y: math.exp(x * x + y * y) * erfc(-y) ** 2, x - 8.0, x)[0]  # below it is under 1e-20

    rate = siegert_rate_hz(np.array([mean_v]), np.array([sd_v]), neuron=neuron)[0]
    expected = rate * neuron.tau_m_s * math.sqrt(2 * math.pi * quad(inner, a, b)[0])
    assert siegert_cv(np.array([mean_v]), np.array([sd_v]), neuron=neuron)[0] == pytest.approx(expected, rel=1e-3)
