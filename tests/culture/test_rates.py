"""Rates over a minute against those asked for, kind by kind, and bursts in the spikes; all slow."""

import numpy as np
import pytest

from neurograft.culture import FAMILIES, KINDS, CultureOptions, culture_named, grow
from neurograft.culture._play import play

pytestmark = [pytest.mark.compiled, pytest.mark.slow]
N, SECONDS = 60, 60.0
# Rare spikes come in a few bursts a minute, and a strong shared drive is seldom the same for a minute.
LOOSE = {"silent": 0.5, "driven": 0.5}


def rate_hz(options: CultureOptions, lives: tuple[int, ...] = (1, 2)) -> float:
    culture = grow(options, seed=21)
    n_spikes = sum(piece.spike_frame.size for life in lives for piece in play(culture, seconds=SECONDS, seed=life))
    return n_spikes / (len(lives) * SECONDS * N)


@pytest.mark.parametrize("kind", KINDS)
def test_two_minutes_of_every_kind_have_about_the_rate_asked_for(kind: str) -> None:
    options = culture_named(kind, n_neurons=N, inputs_per_neuron=8)
    assert rate_hz(options) == pytest.approx(options.activity.rate_hz, rel=LOOSE.get(kind, 0.25))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_family_fires_at_a_rate_asked_for(family) -> None:
    options = culture_named("calm", n_neurons=N, inputs_per_neuron=8, family=family)
    assert options.family == family
    assert rate_hz(options, lives=(1,)) == pytest.approx(8.0, rel=0.1)


def test_bursts_are_seen_in_the_spikes_at_their_rate_and_length() -> None:
    culture = grow(culture_named("bursting", n_neurons=N, inputs_per_neuron=8), seed=22)
    bins = np.zeros(round(2 * SECONDS / 0.05))
    for piece in play(culture, seconds=2 * SECONDS, seed=1):
        bins += np.bincount((piece.spike_frame * 1e-4 / 0.05).astype(int), minlength=bins.size)[: bins.size]
    # A spike for every second neuron within 50 ms: chance has 6 of 60 on the mean, bursts have 90 and more.
    busy = np.concatenate([[False], bins > 0.5 * N, [False]])
    start, stop = np.flatnonzero(np.diff(busy.astype(int)) == 1), np.flatnonzero(np.diff(busy.astype(int)) == -1)
    # Joined where less than 0.2 s apart.
    apart = np.concatenate([[True], (start[1:] - stop[:-1]) > 4])
    n_bursts = int(apart.sum())
    assert 6 <= n_bursts <= 18  # 12 asked for; gamma intervals of cv 0.5: a standard deviation of 1.7
    length_s = 0.05 * np.add.reduceat(stop - start, np.flatnonzero(apart))
    assert 0.1 < np.median(length_s) < 0.5  # 0.25 s of drive with edges of 20 and 50 ms
