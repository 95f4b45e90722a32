import numpy as np
import pytest
from scipy.signal import lfilter

from neurograft.copying.intracellular.judging._templates import Family, Shape, TemplateOptions, potential, templates
from neurograft.copying.intracellular.regression._design import lag_boxes
from neurograft.copying.intracellular.regression._whiten import Whitener

SHAPE = Shape(2e-3, 20e-3)
BOXES = lag_boxes(1000.0)
PLAIN = Whitener(np.zeros((2, 1)))


def made(whitener=PLAIN, options=None):
    return templates(SHAPE, options or TemplateOptions(), whitener, BOXES, 1000.0)


def test_a_potential_peaks_at_one_when_its_two_exponentials_say():
    t_s = np.arange(0, 0.1, 1e-6)
    v = potential(t_s, SHAPE, 3e-3)
    peak_s = 2e-3 * 20e-3 / 18e-3 * np.log(10)  # d/dt of exp(-t/20) - exp(-t/2) is 0
    assert v.max() == pytest.approx(1.0, abs=1e-6)
    assert t_s[np.argmax(v)] == pytest.approx(3e-3 + peak_s, abs=2e-6)
    assert not v[t_s <= 3e-3].any()


def test_an_image_is_the_filtered_potential_seen_by_many_spikes_at_random_moments_of_their_row():
    coefficient = np.array([[0.8], [0.1]])
    options = TemplateOptions(latency_s=(2.5e-3,), rise_factors=(1.0,))
    image = made(Whitener(coefficient), options).of(Family.DIRECT).image[0, :, 0]
    rng, total = np.random.default_rng(0), np.zeros(len(BOXES.low))
    n = 4000
    for phase in rng.random(n):
        t_s = (np.arange(0, 40, 0.02) + 0.01 - phase) * 1e-3
        row = potential(t_s, SHAPE, 2.5e-3).reshape(40, 50).mean(axis=1)
        white = lfilter([1, -0.8, -0.1], [1], row)
        total += [white[a:b].mean() if a >= 0 else 0.0 for a, b in zip(BOXES.low, BOXES.high, strict=True)]
    assert image == pytest.approx(total / n, abs=0.01)  # the image moves in steps of a twentieth of a row


def test_direct_answers_start_after_the_spike_and_common_drive_before():
    all_ = made()
    direct, common = all_.of(Family.DIRECT), all_.of(Family.COMMON)
    assert not direct.image[direct.latency_s >= 1e-3][:, :3].any()
    assert np.all(common.image[common.latency_s < 0][:, :3, 0].max(axis=1) > 0.1)


def test_cross_talk_is_up_and_gone():
    pulse = made().of(Family.CROSS_TALK).image[..., 0]
    assert np.array_equal(pulse[0], np.eye(len(BOXES.low))[3])
    assert not pulse[:, BOXES.low >= 3].any()


def test_an_indirect_answer_is_spread_wider_than_a_direct_one_of_the_same_latency():
    all_ = made(Whitener(np.array([[0.95]])))
    direct, indirect = all_.of(Family.DIRECT), all_.of(Family.INDIRECT)
    sharp = direct.image[direct.latency_s == 4e-3][0, :, 0]
    broad = indirect.image[indirect.latency_s == 4e-3][0, :, 0]
    assert sharp.max() > 1.3 * broad.max()


def test_synapses_rise_by_the_factors_asked_for():
    options = TemplateOptions(latency_s=(2e-3,), rise_factors=(0.5, 1.0))
    direct = made(options=options).of(Family.DIRECT)
    quick = templates(Shape(1e-3, 20e-3), options, PLAIN, BOXES, 1000.0, with_rivals=False).image
    assert np.array_equal(direct.image[0], quick[0])
    assert len(direct.family) == 4  # each also beneath cross-talk


@pytest.mark.parametrize(
    "change", [{"latency_s": (1e-3,)}, {"rise_factors": (1.0,)}, {"common_s": (0.0,)}, {"indirect_s": (5e-3,)}]
)
def test_options_choose_the_templates(change):
    assert len(made(options=TemplateOptions(**change)).family) < len(made().family)
