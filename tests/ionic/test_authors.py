"""The authors' start: their generator, their places, and what becomes of them beside the potential of their file."""

from dataclasses import replace

import numpy as np
import pytest

from neurograft.errors import IonicError
from neurograft.ionic import (
    PAIRS_ALONE,
    Circuit,
    ParticleOptions,
    authors_start,
    authors_trace,
    simulate_stripes,
    spikes_of,
    stored_authors_start,
    stored_particle_run,
    stripes_start,
)
from neurograft.ionic._authors import park_miller
from neurograft.units import NM, US


@pytest.fixture(scope="module")
def neuron():
    return authors_start(Circuit(), ParticleOptions(), np.random.default_rng(0))


def test_the_generator_is_park_and_millers():
    """From 1, the 10,000th number is 1043618065 (Comm. ACM 31, 1192, 1988, page 1195)."""
    assert park_miller(1, 10_000)[-1] * (2**31 - 1) == pytest.approx(1043618065, abs=0.5)


def test_ions_lie_where_the_input_puts_them(neuron):
    """x and y of an atom are the first two of three numbers in turn, after 30."""
    circuit, numbers = neuron.circuit, park_miller(8984, 36)[30:]
    state = neuron.slits[1]
    first_anion = int(np.argmax(state.species == 1))
    assert state.x_nm[first_anion : first_anion + 2] * NM == pytest.approx(numbers[[0, 3]] * circuit.length_m)
    assert state.y_nm[first_anion : first_anion + 2] * NM == pytest.approx(numbers[[1, 4]] * circuit.k_width_m)
    for slit, width_m in zip(neuron.slits, (circuit.na_width_m, circuit.k_width_m), strict=True):
        share = np.histogram(slit.y_nm * NM / width_m, bins=20, range=(0, 1))[0] / 8000
        assert share == pytest.approx(np.full(20, 0.05), abs=0.012)  # five sd of 400 among 8,000


def test_the_authors_spikes_are_those_of_their_file():
    """Thirteen, 87.7 +- 15.5 us, 40.6 +- 2.2 V, troughs of 2.8 to 12.3 V; what is dropped before 92 us counts not."""
    trace = authors_trace()
    for transient_us in (0, 35, 90):
        train = spikes_of(trace, transient_s=transient_us * US)
        assert train.n_spikes == (13 if transient_us < 90 else 12)
    train = spikes_of(trace)
    assert train.interval_s == pytest.approx(87.7 * US, abs=1 * US)
    assert train.peak_v.mean() == pytest.approx(40.6, abs=0.3)  # means over a microsecond are lower
    assert (train.trough_v.min(), train.trough_v.max()) == (pytest.approx(2.8, abs=0.2), pytest.approx(12.3, abs=0.2))


def test_stripes_from_the_authors_places_spike_as_theirs_did(neuron):
    """Nothing fitted, nothing chosen: theirs is one of these, to two standard deviations between runs."""
    begin, found = stripes_start(neuron), []
    for seed in range(8):
        rng = np.random.default_rng([9, seed])
        train = spikes_of(simulate_stripes(Circuit(), PAIRS_ALONE, duration_s=1221 * US, rng=rng, start=begin))
        means = (float(train.peak_v.mean()), float(train.trough_v.mean()))
        found.append((train.time_s[0] / US, train.n_spikes, train.interval_s / US, train.interval_sd_s / US, *means))
    theirs = (92.2, 13, 88.2, 16.3, 40.6, 9.3)  # first spike (us), number, interval and sd (us), peak, trough (V)
    mean, sd = np.mean(found, axis=0), np.std(found, axis=0, ddof=1)
    assert np.all(np.abs(theirs - mean) < 2 * sd)
    assert np.all(sd < 0.45 * mean)


def test_moving_ions_from_the_authors_places_follow_their_file():
    """To 3 V rms until their first spike; those of another start are 20 V away.  Then noise parts them."""
    theirs, ours, others = (f().voltage_v[5:90] for f in (authors_trace, stored_authors_start, stored_particle_run))
    assert np.sqrt(np.mean((ours - theirs) ** 2)) < 3
    assert np.sqrt(np.mean((others - theirs) ** 2)) > 10
    first_s = spikes_of(stored_authors_start()).time_s[0]
    assert first_s == pytest.approx(92 * US, abs=16 * US)  # sd of stripes from there


def test_moving_ions_from_the_authors_places_spike_as_theirs_did():
    """One run of another noise: number, interval and trough to two standard deviations of stripes' runs from there."""
    ours, theirs = spikes_of(stored_authors_start()), spikes_of(authors_trace())
    assert theirs.n_spikes == 13
    assert ours.n_spikes == pytest.approx(13, abs=3)
    assert ours.interval_s == pytest.approx(87.7 * US, abs=20 * US)
    assert ours.peak_v.mean() == pytest.approx(40.6, abs=2.2)  # the authors' sd of peaks
    assert ours.trough_v.mean() == pytest.approx(9.3, abs=2.6)


def test_another_size_is_refused():
    with pytest.raises(IonicError, match="4000 cations a slit, this circuit 2000"):
        authors_start(replace(Circuit(), n_pairs=2000), ParticleOptions(), np.random.default_rng(0))
