import numpy as np
import pytest

from neurograft.copying.intracellular.judging._amplitude import Scores, choose_shape, scores
from neurograft.copying.intracellular.judging._mixture import expected_fdr, learn
from neurograft.copying.intracellular.judging._posterior import judge_all
from neurograft.copying.intracellular.judging._templates import Family, Shape, TemplateOptions, templates
from neurograft.copying.intracellular.regression._design import lag_boxes
from neurograft.copying.intracellular.regression._regression import Fit
from neurograft.copying.intracellular.regression._slow import slow_sd
from neurograft.copying.intracellular.regression._whiten import Whitener

N = 40
SHAPE, OPTIONS = (
    Shape(1e-3, 20e-3),
    TemplateOptions(latency_s=tuple(k * 1e-3 for k in range(1, 11)), rise_factors=(1.0,)),
)
BOXES = lag_boxes(1000.0)
KINDS = templates(SHAPE, OPTIONS, Whitener(np.full((1, N), 0.95)), BOXES, 1000.0)
OPEN = ~np.eye(N, dtype=bool)


def made(seed, share=0.1, family=Family.DIRECT, latency=2, noise_v=1e-3, n_spikes=1000, shape_kinds=KINDS):
    """Coefficients of pairs of which some answer with one template, in white noise."""
    rng = np.random.default_rng(seed)
    image = shape_kinds.of(family).image[latency]
    weight_v = np.where((rng.random((N, N)) < share) & OPEN, 0.5e-3 * np.exp(rng.standard_normal((N, N))), 0.0)
    weight_v[: N // 5] *= -1
    block = np.diag(1 / (n_spikes * BOXES.width.astype(float)))
    noise = noise_v * np.sqrt(np.diag(block))[:, None] * rng.standard_normal((N, len(BOXES.low), N))
    fit = Fit(
        beta=weight_v[:, None, :] * image + noise,
        inverse_block=np.broadcast_to(block, (N, *block.shape)).copy(),
        share=np.ones((N, len(BOXES.low), N)),
        noise=np.full((N, N), noise_v),
        n_spikes=np.full(N, n_spikes),
        n_kept=np.full((N, N), float(n_spikes)),
        slow_v=np.zeros((2, N)),
        boxes=BOXES,
    )
    return fit, weight_v


def judged(fit, is_dale=True):
    found = scores(fit, KINDS, np.arange(N))
    mixture = learn(found, KINDS, OPEN, sd=1.0, is_dale=is_dale)
    return judge_all(fit, KINDS, OPEN, mixture, sd=1.0, is_dale=is_dale, is_sure=OPEN), mixture


def called(posterior, fdr=0.05):
    out = np.zeros((N, N), dtype=bool)
    out[OPEN] = expected_fdr(1 - posterior.direct[OPEN]) <= fdr
    return out


@pytest.mark.parametrize("under_talk", [False, True])
def test_scores_are_generalised_least_squares_beside_a_baseline_and_cross_talk(under_talk):
    fit, _ = made(0)
    rng, n_boxes = np.random.default_rng(5), len(BOXES.low)
    half = rng.standard_normal((N, n_boxes, n_boxes))
    fit = fit._replace(inverse_block=half @ half.transpose(0, 2, 1) + np.eye(n_boxes))
    fit = fit._replace(slow_v=np.repeat([[0.5e-3], [1e-3]], N, axis=1))
    found = scores(fit, KINDS, np.array([3, 7]))
    template = 4 if not under_talk else int(np.flatnonzero(KINDS.is_under_talk)[4])
    centre = 0.5 * (BOXES.low + BOXES.high)
    X = [KINDS.image[template, :, 9]]
    if under_talk:
        X += list(KINDS.own.pulses(7)[:, :, 9])
    X, b = np.column_stack(X), fit.beta[7, :, 9]
    slow = np.column_stack([np.ones(n_boxes), (centre - centre.mean()) / np.ptp(centre)]) * [0.5e-3, 1e-3]
    inverse = np.linalg.inv(fit.noise[7, 9] ** 2 * fit.inverse_block[7] + slow @ slow.T)
    covariance = np.linalg.pinv(X.T @ inverse @ X)
    expected = covariance @ (X.T @ inverse @ b)
    assert found.z[template, 1, 9] == pytest.approx(expected[0] / np.sqrt(covariance[0, 0]), rel=1e-4)
    assert found.information[template, 1, 9] == pytest.approx(1 / covariance[0, 0], rel=1e-4)  # the hair on pulses
    assert found.z[template, 1, 7] == 0.0


def test_a_synapse_beneath_cross_talk_is_found_and_cross_talk_alone_is_not_called():
    fit, weight_v = made(2)
    rng = np.random.default_rng(8)
    talks = (rng.random((N, N)) < 0.3) & OPEN
    both = fit._replace(beta=fit.beta + np.where(talks, 3e-3, 0.0)[:, None, :] * KINDS.own.pulses(0)[1])
    posterior, _ = judged(both)
    calls = called(posterior)
    large = np.abs(weight_v) > 0.4e-3
    assert calls[talks & large].mean() > 0.9
    assert calls[talks & (weight_v == 0)].mean() < 0.02
    assert np.median(posterior.family[Family.CROSS_TALK][talks & (weight_v == 0)]) > 0.9


def test_slow_changes_are_no_answer():
    centre = 0.5 * (BOXES.low + BOXES.high)
    rng = np.random.default_rng(4)
    slow = rng.standard_normal((N, N))[:, None, :] + rng.standard_normal((N, N))[:, None, :] * centre[:, None] / 20
    for share, large_v, most in ((0.0, np.inf, 3), (0.1, 0.5e-3, 12)):  # 5 % of 140 calls: 7 +- 2.6
        fit, weight_v = made(0, share=share)
        moved = fit._replace(beta=fit.beta + 1e-3 * slow)
        sizes = slow_sd(moved.beta, moved.inverse_block, moved.share, moved.noise, BOXES)
        known, unknown = called(judged(moved._replace(slow_v=sizes))[0]), called(judged(moved)[0])
        assert known[weight_v == 0].sum() <= most
        assert unknown[weight_v == 0].sum() <= most  # they fit no potential, which widens all errors
        large = np.abs(weight_v) > large_v
        assert known[large].sum() >= 0.95 * large.sum()  # synapses are found beneath them, where their size is known
        assert unknown[large].sum() <= 0.2 * large.sum()


def test_errors_are_widened_where_no_template_fits():
    fit, weight_v = made(12)
    rng = np.random.default_rng(13)
    i, j = np.argwhere((weight_v == 0) & OPEN)[5]
    odd = rng.standard_normal(len(BOXES.low))
    plain = scores(fit, KINDS, np.array([i]))
    rough = scores(fit._replace(beta=fit.beta + odd_at(i, j, 2e-3 * odd)), KINDS, np.array([i]))
    others = np.arange(N) != j
    assert np.array_equal(rough.z[:, 0, others], plain.z[:, 0, others])
    widened = plain.information[:, 0, j] / rough.information[:, 0, j]
    assert widened == pytest.approx(widened[0], rel=1e-9)  # one factor for all explanations
    stated = np.sqrt(fit.noise[i, j] ** 2 * np.diag(fit.inverse_block[i]))
    chi2 = np.sum((2e-3 * odd / stated) ** 2)
    assert np.max(rough.z[:, 0, j] ** 2) < 0.3 * chi2
    fitting = scores(fit._replace(beta=fit.beta + odd_at(i, j, 3e-3 * KINDS.image[2, :, j])), KINDS, np.array([i]))
    assert fitting.information[:, 0, j] == pytest.approx(plain.information[:, 0, j], rel=1e-9)


def test_the_widening_is_what_the_best_template_leaves_with_pulses_or_without():
    fit, _ = made(3)
    fit = fit._replace(beta=fit.beta * 6, slow_v=np.repeat([[0.2e-3], [0.4e-3]], N, axis=1))
    i, j = 4, 9
    found = scores(fit, KINDS, np.array([i]))
    n_boxes, b = len(BOXES.low), fit.beta[i, :, j]
    centre = 0.5 * (BOXES.low + BOXES.high)
    slow = np.column_stack([np.ones(n_boxes), (centre - centre.mean()) / np.ptp(centre)]) * [0.2e-3, 0.4e-3]
    inverse = np.linalg.inv(fit.noise[i, j] ** 2 * fit.inverse_block[i] + slow @ slow.T)
    pulses = KINDS.own.pulses(i)[:, :, j].T
    cleared = inverse - inverse @ pulses @ np.linalg.pinv(pulses.T @ inverse @ pulses) @ pulses.T @ inverse
    own = KINDS.image[:, :, j].copy()
    own[int(np.argmax(KINDS.family == Family.CROSS_TALK))] = pulses[:, 0]
    left = []
    for weight, mine, n_besides in ((inverse, ~KINDS.is_under_talk, 2), (cleared, KINDS.is_under_talk, 2 + 6)):
        z2 = [(x @ weight @ b) ** 2 / (x @ weight @ x) for x in own[mine]]
        left.append((b @ weight @ b - max(z2)) / (n_boxes - n_besides - 1))
    expected = max(min(left), 1.0)
    assert expected > 5  # six times the noise that is stated
    x = KINDS.image[2, :, j]
    assert found.information[2, 0, j] == pytest.approx(x @ inverse @ x / expected, rel=1e-3)  # the hair on pulses


def odd_at(i, j, change):
    out = np.zeros((N, len(BOXES.low), N))
    out[i, :, j] = change
    return out


def test_the_size_of_slow_changes_is_learnt_target_by_target():
    fit = made(0, share=0.0)[0]
    rng = np.random.default_rng(6)
    size_v = np.where(np.arange(N) < N // 2, 0.0, 0.4e-3)
    moved = fit.beta + size_v * rng.standard_normal((N, N))[:, None, :]
    found = slow_sd(moved, fit.inverse_block, fit.share, fit.noise, BOXES)[0]
    assert np.median(found[size_v > 0]) == pytest.approx(0.4e-3, rel=0.15)  # of 39 pairs: 11 %
    assert found[size_v == 0].max() < 0.02e-3


def test_nothing_is_called_where_nothing_answers():
    calls = [called(judged(made(seed, share=0.0)[0])[0]).sum() for seed in range(3)]
    assert np.mean(calls) <= 1.0  # of 1560 pairs


def test_stated_error_rate_holds_and_sizes_and_latencies_are_right():
    false, n = 0, 0
    for seed in range(5):
        fit, weight_v = made(seed)
        posterior, mixture = judged(fit)
        calls = called(posterior)
        hit = calls & (weight_v != 0)
        false, n = false + int((calls & (weight_v == 0)).sum()), n + int(calls.sum())
        assert hit.sum() > 0.9 * (np.abs(weight_v) > 0.2e-3).sum()
        assert np.array_equal(posterior.sign[hit], np.sign(weight_v[hit]))
        z = (posterior.amplitude_v[hit] - weight_v[hit]) / posterior.se_v[hit]
        assert np.std(z) < 1.3  # best of ten latencies: a little over 1
        assert np.median(posterior.latency_s[hit]) == pytest.approx(3e-3, abs=0.2e-3)
        assert mixture.direct.sum() == pytest.approx(0.1, abs=0.04)
    assert 0.02 < false / n < 0.08  # over 600 calls: 0.05 +- 0.018, and the sizes' prior is no normal


@pytest.mark.parametrize("family", [Family.CROSS_TALK, Family.COMMON, Family.INDIRECT])
def test_rivals_are_named_and_not_called(family):
    direct, weight_v = made(1, share=0.1)
    other, _ = made(3, share=0.0)  # the noise of the rivals, to be taken out again
    rival, rival_v = made(3, share=0.05, family=family)
    both = direct._replace(beta=direct.beta + rival.beta - other.beta)
    posterior, _ = judged(both)
    large = (np.abs(rival_v) > 0.6e-3) & (weight_v == 0)
    assert np.median(posterior.family[family][large]) > 0.9
    assert called(posterior)[large].mean() < 0.3


def test_answers_beyond_the_bulk_of_latencies_are_paths():
    direct, weight_v = made(1, share=0.1, latency=1)
    other, _ = made(4, share=0.0)
    late, late_v = made(4, share=0.03, latency=9)
    posterior, mixture = judged(direct._replace(beta=direct.beta + late.beta - other.beta))
    assert mixture.is_bulk[1]
    assert not mixture.is_bulk[9]
    large = (np.abs(late_v) > 0.6e-3) & (weight_v == 0)
    assert np.median(posterior.family[Family.INDIRECT][large]) > 0.9


def test_dales_law_helps_and_can_be_left_out():
    fit, weight_v = made(6)
    with_law, without = judged(fit)[0], judged(fit, is_dale=False)[0]
    assert np.array_equal(with_law.excitatory > 0.5, np.arange(N) >= N // 5)
    truth = weight_v != 0
    assert (called(with_law) & truth).sum() >= (called(without) & truth).sum()
    assert np.all(without.excitatory == 0.5)


def test_a_wider_null_calls_less():
    fit, _ = made(7)
    found = scores(fit, KINDS, np.arange(N))
    mixture = learn(found, KINDS, OPEN, sd=1.0, is_dale=True)
    narrow, wide = (judge_all(fit, KINDS, OPEN, mixture, sd=sd, is_dale=True, is_sure=OPEN) for sd in (1.0, 1.5))
    assert called(wide).sum() < called(narrow).sum()
    assert np.nanmedian(wide.se_v / narrow.se_v) == pytest.approx(1.5, rel=0.01)


def test_q_values_are_running_means_of_local_rates():
    chance = np.array([0.5, 0.0, 0.1, 0.2])
    assert expected_fdr(chance) == pytest.approx([0.2, 0.0, 0.05, 0.1])


def test_the_shape_that_made_the_answers_is_chosen():
    options = TemplateOptions(latency_s=(3e-3,), rise_factors=(1.0,), rise_s=(1e-3, 4e-3), decay_s=(5e-3, 20e-3))
    whitener = Whitener(np.full((1, N), 0.95))
    for shape in (Shape(1e-3, 20e-3), Shape(4e-3, 20e-3), Shape(1e-3, 5e-3)):
        kinds = templates(shape, options, whitener, BOXES, 1000.0)
        fit, _ = made(0, latency=0, noise_v=0.3e-3, shape_kinds=kinds)
        assert choose_shape(fit, options, kinds.own, 1000.0, np.ones(N, dtype=bool)) == shape


def test_cross_talk_has_no_vote_on_the_shape():
    rises, decays = (0.3e-3, 4e-3), (5e-3, 20e-3, 40e-3)
    options = TemplateOptions(latency_s=(1e-3,), rise_factors=(1.0,), rise_s=rises, decay_s=decays)
    shape, whitener = Shape(4e-3, 20e-3), Whitener(np.full((1, N), 0.95))
    kinds = templates(shape, options, whitener, BOXES, 1000.0)
    fit, _ = made(0, latency=0, noise_v=0.3e-3, shape_kinds=kinds)
    talks = (np.random.default_rng(8).random((N, N)) < 0.4) & OPEN
    both = fit._replace(beta=fit.beta + np.where(talks, 20e-3, 0.0)[:, None, :] * kinds.own.pulses(0)[3])
    assert choose_shape(both, options, kinds.own, 1000.0, np.ones(N, dtype=bool)) == shape


def test_a_silent_neuron_scores_nothing():
    fit, _ = made(0)
    fit = fit._replace(n_spikes=np.where(np.arange(N) == 3, 0, fit.n_spikes))
    found = scores(fit, KINDS, np.arange(N))
    assert isinstance(found, Scores)
    assert not found.information[:, 3].any()
