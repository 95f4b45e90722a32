"""Sums over explanations against arrays written out."""

import numpy as np
import pytest

from neurograft.copying.intracellular.judging._evidence import Weighed
from neurograft.copying.intracellular.judging._posterior import BULK, EARLY, LATE, summed
from neurograft.copying.intracellular.judging._templates import Family

N, N_DIRECT, N_RIVALS = 40, 9, 6


def test_sums_by_family_and_moments_of_the_latency_are_those_written_out():
    rng = np.random.default_rng(0)
    plus, minus, rival = (rng.exponential(size=(N, k)) ** 3 for k in (N_DIRECT, N_DIRECT, N_RIVALS))
    chance, latency_s = rng.random(N), np.sort(rng.uniform(1e-3, 9e-3, N_DIRECT))
    stage = np.array([EARLY, *(BULK,) * 6, LATE, LATE])
    rivals = np.array([1, 1, 2, 3, 3, 4])
    found = summed(Weighed(plus, minus, rival, np.ones(N)), chance, stage, latency_s, rivals, len(Family))
    up, down = chance[:, None] * plus, (1 - chance)[:, None] * minus
    both, bulk = up + down, stage == BULK
    joint = np.stack([rival[:, rivals == family].sum(axis=1) for family in Family])
    for family, kept in ((Family.DIRECT, BULK), (Family.INDIRECT, LATE), (Family.COMMON, EARLY)):
        joint[family] += both[:, stage == kept].sum(axis=1)
    assert found.joint == pytest.approx(joint)
    assert np.array_equal(found.best, np.argmax(np.where(bulk, both, 0.0), axis=1))
    assert np.array_equal(found.sign, np.sign((up - down)[:, bulk].sum(axis=1)))
    assert {-1.0, 1.0} == set(found.sign.tolist())
    weight = np.where(bulk, both, 0.0) / both[:, bulk].sum(axis=1, keepdims=True)
    assert found.latency_s == pytest.approx(weight @ latency_s)
    sd_s = np.sqrt(np.sum(weight * (latency_s - found.latency_s[:, None]) ** 2, axis=1))
    assert found.latency_sd_s == pytest.approx(sd_s, rel=1e-6)
    alone = plus[:, bulk].sum(axis=1) / (plus + minus)[:, bulk].sum(axis=1)
    assert found.excitatory_alone == pytest.approx(alone)
