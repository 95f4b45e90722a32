"""The kernels of a judgement against slow twins that write every matrix out."""

import numpy as np
import pytest
from test_mixture import BOXES, KINDS, N, made

from neurograft.copying.intracellular.judging._amplitude import alone, scores
from neurograft.copying.intracellular.judging._templates import Family
from neurograft.copying.intracellular.regression._slow import MIN_SHARE, baseline


def uneven(seed):
    """A fit whose shares, noise and slow changes differ, a silent target and a box that was never seen among them."""
    fit, _ = made(seed, noise_v=3e-3)
    rng = np.random.default_rng(seed)
    shape = fit.inverse_block.shape
    mix = 0.02 * rng.standard_normal(shape)
    block = fit.inverse_block * (np.eye(shape[1]) + mix + mix.transpose(0, 2, 1) + 0.2)
    noise, share = fit.noise * rng.uniform(0.5, 2.0, (N, N)), rng.uniform(0.5, 1.0, fit.share.shape)
    noise[:, 5], share[2, 3, 7] = 0.0, 0.01
    return fit._replace(inverse_block=block, noise=noise, share=share, slow_v=rng.uniform(0.0, 1e-4, (2, N)))


def scored(fit, i, j, image, pulses):
    """Score, information, what is explained besides and chi-squared left without images, by whole normal equations."""
    seen = np.sqrt(np.where(fit.share[i, :, j] >= MIN_SHARE, fit.share[i, :, j], 0.0))
    precision = np.linalg.inv(fit.inverse_block[i])
    besides = np.concatenate([baseline(fit.boxes, 1)[:, :, 0], pulses]) * seen
    theirs = besides @ precision @ besides.T
    theirs += 1e-9 * max(np.trace(theirs), 1.0) * np.eye(len(besides))
    theirs[[0, 1], [0, 1]] += fit.noise[i, j] ** 2 / np.maximum(fit.slow_v[:, j] ** 2, 1e-24)
    clear = precision - precision @ besides.T @ np.linalg.solve(theirs, besides @ precision)
    answer = clear @ (seen * fit.beta[i, :, j])
    information = np.einsum("tb,bc,tc->t", image * seen, clear, image * seen) / fit.noise[i, j] ** 2
    z = (image * seen) @ answer / fit.noise[i, j] ** 2 / np.sqrt(information)
    score = besides @ precision @ (seen * fit.beta[i, :, j])
    left = (seen * fit.beta[i, :, j]) @ answer / fit.noise[i, j] ** 2
    return z, information, score @ np.linalg.solve(theirs, score) / fit.noise[i, j] ** 2, left


def excess(fit, i, j, left, z, n_besides):
    """Chi-squared that the best of these templates leaves, a degree of freedom."""
    freedom = np.count_nonzero(fit.share[i, :, j] >= MIN_SHARE) - n_besides - 1
    return (left - np.max(z**2)) / freedom


@pytest.mark.parametrize("seed", range(3))
def test_scores_are_those_of_the_normal_equations_written_out(seed):
    fit = uneven(seed)
    pre = np.array([0, 2, 9])
    found, under = scores(fit, KINDS, pre), KINDS.is_under_talk
    talk, n_slow = int(np.argmax(KINDS.family == Family.CROSS_TALK)), len(baseline(fit.boxes, 1))
    for k, i in enumerate(pre):
        pulses = KINDS.own.pulses(int(i))
        for j in (1, 7, 30):
            image = KINDS.image[:, :, j].copy()
            image[talk] = pulses[0, :, j]
            plain = scored(fit, i, j, image, np.zeros((0, len(BOXES.low))))
            cleared = scored(fit, i, j, image, pulses[:, :, j])
            z = np.where(under, cleared[0], plain[0])
            gained = cleared[2] - plain[2] - (len(pulses) - 1) * np.log(fit.n_kept[i, j])
            wide = max(
                min(
                    excess(fit, i, j, plain[3], z[~under], n_slow),
                    excess(fit, i, j, cleared[3], z[under], n_slow + len(pulses)),
                ),
                1.0,
            )
            z[talk] = max(abs(z[talk]), np.sqrt(max(gained, 0.0)))
            # information cleared of what is besides is a difference: to 1e-6 of what it was before
            assert found.information[:, k, j] == pytest.approx(np.where(under, cleared[1], plain[1]) / wide, rel=1e-6)
            assert found.z[:, k, j] == pytest.approx(z / np.sqrt(wide), rel=1e-6, abs=1e-8)
        assert not found.z[:, k, [5, i]].any()
        assert not found.information[:, k, [5, i]].any()


def test_images_alone_are_scored_as_templates_are_but_for_the_width_of_the_pair():
    fit, plain = uneven(4), ~KINDS.is_under_talk & (KINDS.family == Family.DIRECT)
    everyone = np.arange(N)
    fitted, single = scores(fit, KINDS, everyone), alone(fit, KINDS.image[plain], everyone)
    seen = np.all(single.information > 0, axis=0)
    wide = single.information[:, seen] / fitted.information[plain][:, seen]
    assert np.all(wide >= 1 - 1e-12)
    assert wide == pytest.approx(np.broadcast_to(wide[0], wide.shape), rel=1e-9)
    assert fitted.z[plain][:, seen] * np.sqrt(wide) == pytest.approx(single.z[:, seen], rel=1e-9)
    assert not fitted.information[plain][:, ~seen].any()
    assert 0.1 < np.mean(wide[0] == 1) < 0.9  # both happen here
