import numpy as np
import pytest

from neurograft.copying.intracellular.judging._electrical import may_be_junction, passes_on
from neurograft.copying.intracellular.judging._templates import Shape, TemplateOptions, templates
from neurograft.copying.intracellular.regression._boxes import box_z, z_at
from neurograft.copying.intracellular.regression._design import lag_boxes
from neurograft.copying.intracellular.regression._regression import Fit
from neurograft.copying.intracellular.regression._whiten import Whitener

N = 6
BOXES = lag_boxes(1000.0)
AR = 0.9


def fit_of(course, *, both_ways, size_v=1e-3, seed=0):
    """Neurons 0 and 1 with this course (1 ms rows from the spike on, whitened), all others with noise alone."""
    course = np.asarray(course, dtype=float)
    white = course - AR * np.concatenate([[0.0], course[:-1]])
    n_spikes, noise_v = 400, 1e-3
    answer = np.zeros(len(BOXES.low))
    for box, (low, high) in enumerate(zip(BOXES.low, BOXES.high, strict=True)):
        rows = np.arange(low, high)
        inside = (rows >= 0) & (rows < len(white))
        answer[box] = size_v * np.sum(white[rows[inside]]) / len(rows)
    block = np.diag(1 / (n_spikes * BOXES.width.astype(float)))
    rng = np.random.default_rng(seed)
    beta = noise_v * np.sqrt(np.diag(block))[:, None] * rng.standard_normal((N, len(BOXES.low), N))
    beta[0, :, 1] += answer
    if both_ways:
        beta[1, :, 0] += answer
    return Fit(
        beta=beta,
        inverse_block=np.broadcast_to(block, (N, *block.shape)).copy(),
        share=np.ones((N, len(BOXES.low), N)),
        noise=np.full((N, N), noise_v),
        n_spikes=np.full(N, n_spikes),
        n_kept=np.full((N, N), float(n_spikes)),
        slow_v=np.zeros((2, N)),
        boxes=BOXES,
    )


SPIKELET = [0.8, 0.9, 0.1, -0.4, -0.5, -0.45, -0.4, -0.35, -0.3, -0.25, -0.2]


def test_a_spike_and_its_after_potential_that_come_through_are_told_in_both_directions():
    found = passes_on(fit_of(SPIKELET, both_ways=True))
    assert np.argwhere(found).tolist() == [[0, 1], [1, 0]]
    assert np.argwhere(passes_on(fit_of(SPIKELET, both_ways=False))).tolist() == [[0, 1]]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("latency_s", [0.5e-3, 1e-3, 2e-3])
def test_no_chemical_synapse_looks_like_that(sign, latency_s):
    options = TemplateOptions(latency_s=(latency_s,), rise_factors=(1.0,))
    image = templates(Shape(1e-3, 10e-3), options, Whitener(np.full((1, N), AR)), BOXES, 1000.0).image[0, :, 0]
    fit = fit_of(np.zeros(10), both_ways=False)
    fit.beta[0, :, 1] += sign * 1e-3 * image
    fit.beta[1, :, 0] += sign * 1e-3 * image
    assert not passes_on(fit).any()


def test_unseen_pairs_pass_nothing_on():
    fit = fit_of(SPIKELET, both_ways=True)
    unseen = fit._replace(share=np.zeros_like(fit.share))
    assert not passes_on(unseen).any()


def test_inhibition_is_doubted_where_the_spike_comes_through_in_one_direction_and_excitation_is_not():
    fit, nothing = fit_of(SPIKELET, both_ways=False), np.zeros((N, N))
    minus, no_talk = np.full((N, N), -1.0), np.zeros((N, N), dtype=bool)
    both = [[0, 1], [1, 0]]
    assert np.argwhere(may_be_junction(fit, minus, nothing, no_talk)).tolist() == both
    assert not may_be_junction(fit, -minus, nothing, no_talk).any()
    talk = no_talk.copy()
    talk[0, 1] = True
    assert not may_be_junction(fit, minus, nothing, talk).any()
    assert not may_be_junction(fit_of(np.zeros(10), both_ways=False), minus, nothing, no_talk).any()


def test_a_weak_hint_counts_where_the_electrical_explanation_is_likely():
    fit = fit_of(SPIKELET, both_ways=False, size_v=0.15e-3)
    minus, no_talk = np.full((N, N), -1.0), np.zeros((N, N), dtype=bool)
    assert not passes_on(fit)[0, 1]
    electric = np.full((N, N), np.nan)
    assert not may_be_junction(fit, minus, electric, no_talk)[0, 1]
    electric[1, 0] = 0.3
    assert may_be_junction(fit, minus, electric, no_talk)[0, 1]


def test_z_of_some_pairs_is_that_of_all():
    rng, fit = np.random.default_rng(3), fit_of(SPIKELET, both_ways=True)
    noise, n_spikes = fit.noise * rng.uniform(0.5, 2.0, (N, N)), fit.n_spikes.copy()
    noise[:, 2], n_spikes[4] = 0.0, 0
    fit = fit._replace(noise=noise, n_spikes=n_spikes, share=rng.uniform(0.0, 1.0, fit.share.shape))
    pre, post = np.nonzero(~np.eye(N, dtype=bool))
    for box in (0, 7):
        whole = box_z(fit, box)[pre, post]
        assert z_at(fit, box, pre, post) == pytest.approx(whole, rel=1e-12, nan_ok=True)
        assert 0.2 < np.isnan(whole).mean() < 0.8
