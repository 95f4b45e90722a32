"""Each synapse's own course: three filters in a row, and what a grid of them finds in coefficients of known pairs."""

import numpy as np
import pytest

from neurograft.copying.intracellular.judging._templates import images_of, no_courses
from neurograft.copying.intracellular.properties._shapes import (
    _DECAY_S,
    _LATENCY_S,
    _OPENING_S,
    _RISE_S,
    cascade,
    rise_and_decay_s,
    shape_grid,
    shaped,
)
from neurograft.copying.intracellular.regression._design import lag_boxes
from neurograft.copying.intracellular.regression._regression import Fit
from neurograft.copying.intracellular.regression._whiten import Whitener

BOXES = lag_boxes(1000.0)
N = 12
WHITENER = Whitener(np.full((1, N), 0.9))
GRID = shape_grid(WHITENER, BOXES, 1000.0)


def test_a_course_is_three_exponential_filters_in_a_row():
    step_s, taus_s = 1e-5, (0.3e-3, 2e-3, 9e-3)
    t_s = np.arange(8000) * step_s
    wave = np.exp(-t_s / taus_s[0])
    for tau_s in taus_s[1:]:
        wave = np.convolve(wave, np.exp(-t_s / tau_s))[: len(t_s)]
    assert np.abs(wave / wave.max() - cascade(t_s, taus_s)).max() < 0.01  # the step's own error is half a per cent
    assert np.all(cascade(-t_s[1:], taus_s) == 0)


def test_row_means_are_those_of_the_course_with_the_spike_anywhere_in_its_row():
    k = int(np.argmin(np.abs(GRID.latency_s - 2e-3) + np.abs(GRID.rise_s - 2.5e-3)))
    taus_s = [
        (opening_s, rise_s, decay_s) for rise_s in _RISE_S for decay_s in _DECAY_S for opening_s in _OPENING_S
        if decay_s > rise_s
    ][k // len(_LATENCY_S)]  # fmt: skip
    rng = np.random.default_rng(0)
    phase = rng.random(4000)[:, None]
    row = np.arange(12)
    inside = (row + rng.random((4000, 12)) - phase) * 1e-3
    mean = cascade(inside.ravel() - GRID.latency_s[k], taus_s).reshape(inside.shape).mean(axis=0)
    assert GRID.course[k, -GRID.first : -GRID.first + 12] == pytest.approx(mean, abs=0.02)
    assert np.all(GRID.course[k, : -GRID.first] == 0)


def test_rise_and_decay_are_those_of_the_slowest_parts():
    rise_s, decay_s = rise_and_decay_s((0.01e-3, 0.02e-3, 20e-3))
    assert decay_s == pytest.approx(20e-3, rel=0.02)  # nothing but the membrane is left
    assert rise_s < 0.2e-3
    slower = rise_and_decay_s((0.3e-3, 4e-3, 20e-3))
    assert slower[0] > 1e-3
    assert slower[1] > decay_s


def coefficients(which, weight_v, seed=0, n_spikes=4000, noise_v=1e-3):
    """Coefficients of a neuron's synapses on all others, of known course, in white noise."""
    rng = np.random.default_rng(seed)
    each = images_of(GRID.course[which], GRID.first, WHITENER, BOXES)
    image = np.stack([each[j, :, j] for j in range(N)], axis=1)
    block = np.diag(1 / (n_spikes * BOXES.width.astype(float)))
    noise = noise_v * np.sqrt(np.diag(block))[:, None] * rng.standard_normal((N, len(BOXES.low), N))
    return Fit(
        beta=np.broadcast_to(weight_v, (N, N))[:, None, :] * image + noise,
        inverse_block=np.broadcast_to(block, (N, *block.shape)).copy(),
        share=np.ones((N, len(BOXES.low), N)),
        noise=np.full((N, N), noise_v),
        n_spikes=np.full(N, n_spikes),
        n_kept=np.full((N, N), float(n_spikes)),
        slow_v=np.zeros((2, N)),
        boxes=BOXES,
    )


def test_latency_and_size_of_every_synapse_are_found_with_errors_that_hold():
    rng = np.random.default_rng(1)
    near = np.flatnonzero((GRID.latency_s > 1e-3) & (GRID.latency_s < 6e-3))
    which, weight_v = rng.choice(near, N), rng.uniform(0.2e-3, 1e-3, N)
    fit = coefficients(which, weight_v)
    pairs = np.array([(i, j) for i in range(N) for j in range(N) if i != j])
    found = shaped(fit, WHITENER, BOXES, GRID, no_courses(WHITENER, BOXES), pairs, np.ones(len(pairs)))
    true_v, true_s = weight_v[pairs[:, 1]], GRID.latency_s[which[pairs[:, 1]]]
    late = (found.latency_s - true_s) / found.latency_sd_s
    assert np.median(np.abs(found.latency_s - true_s)) < 0.2e-3  # opening times of 0.15 to 0.6 ms cannot be told
    assert np.mean(np.abs(late) < 2.5) > 0.85
    assert np.median(found.amplitude_v / true_v) == pytest.approx(1.0, abs=0.1)
    assert np.mean(np.abs(found.amplitude_v - true_v) < 2.5 * found.amplitude_sd_v) > 0.85
    slow = GRID.rise_s[which] > np.median(GRID.rise_s[which])
    assert found.rise_s[slow[pairs[:, 1]]].mean() > found.rise_s[~slow[pairs[:, 1]]].mean() + 0.5e-3


def test_an_amplifiers_pulse_over_a_synapse_is_cleared_before_it_is_measured():
    own = no_courses(WHITENER, BOXES)
    which = np.full(N, int(np.argmin(np.abs(GRID.latency_s - 3e-3) + np.abs(GRID.rise_s - 2e-3))))
    fit = coefficients(which, np.full(N, 0.6e-3), n_spikes=20_000)
    pulse = np.stack([own.pulses(i) for i in range(N)])[:, 0]
    under = fit._replace(beta=fit.beta + 2e-3 * pulse)
    pairs = np.array([(i, (i + 1) % N) for i in range(N)])
    clean, cleared = (shaped(f, WHITENER, BOXES, GRID, own, pairs, np.ones(N)) for f in (fit, under))
    assert cleared.amplitude_v == pytest.approx(clean.amplitude_v, rel=0.15)
    assert np.median(np.abs(cleared.latency_s - 3e-3)) < 0.4e-3
