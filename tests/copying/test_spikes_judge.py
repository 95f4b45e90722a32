"""What the judge reads and says: symmetric in neurons and signs, q-values that decoys can only raise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurograft.copying._fdr import Null
from neurograft.copying.spikes._correlogram import LagGrid, events, exposure
from neurograft.copying.spikes._coupling import BoxOptions
from neurograft.copying.spikes._decide import Decisions, decide_judged
from neurograft.copying.spikes._features import describe
from neurograft.copying.spikes._joint import all_correlograms
from neurograft.copying.spikes._judge import (
    JITTER_S,
    Verdict,
    as_sure,
    calibrated,
    jittered,
    q_values,
    recording_signs,
    regularity,
    trained_judge,
    verdict,
)
from neurograft.copying.spikes._latent import DriveOptions
from neurograft.copying.spikes._model import Calibration
from neurograft.errors import CopyError
from neurograft.maps import Undecidable
from neurograft.progress import silent
from neurograft.spikes import spike_trains

GRID = LagGrid()


def planted(rng, *, n=5, seconds=200.0):
    times = [np.sort(rng.uniform(0, seconds, 1600)) for _ in range(n)]
    caused = times[0][rng.random(1600) < 0.1] + 3e-3
    times[1] = np.append(times[1], caused[caused < seconds])
    return times


def trains_of(times, seconds=200.0):
    return spike_trains(
        time_s=np.concatenate(times),
        neuron=np.concatenate([np.full(len(t), i) for i, t in enumerate(times)]),
        n_neurons=len(times),
        epochs_s=np.array([[0.0, seconds]]),
    )


def described(times):
    trains = trains_of(times)
    counts = all_correlograms(events(trains, GRID), GRID, threads=1, progress=silent)
    return describe(
        counts,
        trains.counts(),
        GRID,
        exposed=exposure(trains, GRID),
        n_bins_seen=trains.duration_s / GRID.bin_s,
        drives=DriveOptions(),
        boxes=BoxOptions(),
        progress=silent,
    )


def test_features_are_those_of_the_judge_and_finite():
    found = described(planted(np.random.default_rng(1)))
    assert found.names == trained_judge().trees.names
    assert np.isfinite(found.excitatory).all()
    assert np.isfinite(found.inhibitory).all()
    k = found.names.index("joint z")
    off = np.where(np.eye(5, dtype=bool), -np.inf, found.excitatory[..., k])
    assert np.unravel_index(off.argmax(), off.shape) == (0, 1)
    # The other direction finds it as what comes back.
    assert found.excitatory[1, 0, found.names.index("joint back")] == off[0, 1]


def test_features_follow_the_neurons_when_these_are_numbered_anew():
    times = planted(np.random.default_rng(2))
    order = np.array([3, 1, 4, 0, 2])
    one, two = described(times), described([times[i] for i in order])
    np.testing.assert_allclose(two.excitatory, one.excitatory[np.ix_(order, order)], atol=2e-3)
    np.testing.assert_allclose(two.inhibitory, one.inhibitory[np.ix_(order, order)], atol=2e-3)


def test_silent_neurons_leave_the_others_finite():
    times = planted(np.random.default_rng(3))
    times[4] = np.zeros(0)
    found = described(times)
    assert np.isfinite(found.excitatory).all()
    mask = np.ones((5, 5), dtype=bool)
    mask[4] = mask[:, 4] = False
    answer = verdict(found, mask & ~np.eye(5, dtype=bool), trained_judge())
    assert np.isnan(answer.chance[4]).all()
    assert answer.chance[0, 1] > 0.9
    assert answer.direction[0, 1] == 1
    assert answer.z[0, 1] > 3


def test_detours_and_forks_are_told_by_what_they_could_make_of_a_gain():
    rng = np.random.default_rng(6)
    times = [np.sort(rng.uniform(0, 200, 1600)) for _ in range(5)]

    def driven(by, chance):
        caused = times[by][rng.random(times[by].size) < chance] + 3e-3 + rng.uniform(0, 1e-3, times[by].size)[0]
        return caused[caused < 200]

    times[1] = np.append(times[1], driven(0, 0.5))  # 0 > 1 > 2, and 3 drives neither
    times[2] = np.append(times[2], driven(1, 0.5))
    times[4] = np.append(times[4], driven(0, 0.5))  # 0 drives 1 and 4
    found = described(times)
    detour, fork = (found.excitatory[..., found.names.index(name)] for name in ("detour", "fork"))
    assert detour[0, 2] == pytest.approx(1.0, abs=0.2)
    assert abs(detour[0, 1]) < 0.2
    assert abs(detour[1, 2]) < 0.2
    assert fork[4, 1] > 0.5 or fork[1, 4] > 0.5
    assert abs(fork[0, 1]) < 0.2
    assert found.inhibitory[0, 2, found.names.index("detour")] < -1  # it would have made the opposite of a trough


def test_z_is_also_told_in_units_of_what_the_recording_shows_before_the_spike():
    # A drive of all neurons, 4 ms wide, widens all z; that of a quiet recording stays what it was.
    rng = np.random.default_rng(7)
    quiet = [np.sort(rng.uniform(0, 200, 1600)) for _ in range(5)]
    moments = rng.uniform(0, 199, 1500)
    loud = [np.append(t, rng.choice(moments, 1200) + rng.exponential(4e-3, 1200)) for t in quiet]
    tops = []
    for times in (quiet, loud):
        found = described(times)
        off = ~np.eye(5, dtype=bool)
        column = {name: found.excitatory[..., k][off] for k, name in enumerate(found.names)}
        top = np.quantile(column["clean flat before"], 0.95)
        tops.append(top)
        for name in ("clean flat z", "course z"):
            assert column[f"{name}, relative"] == pytest.approx(column[name] * 2.3 / top, rel=1e-4)
        back = np.quantile(column["joint back"], 0.95)
        assert column["joint z, relative"] == pytest.approx(column["joint z"] * 2.3 / back, rel=1e-4)
    assert tops[1] > 1.3 * tops[0]


def test_calibration_is_a_line_in_odds_and_signs_and_inhibition_has_terms_of_its_own():
    line = Calibration(-0.5, 0.7, np.array([-0.4, 0.2, -0.3]), 0.6, -3.0)
    odds, signs = np.array([-2.0, 0.0, 5.0]), np.array([2.5, 0.4, -0.7])
    up, down = calibrated((odds, odds[::-1]), signs, np.array([0.0, 0.5, 0.0]), line)
    by_hand = [-0.5 + 0.7 * each - 0.4 * 2.5 + 0.2 * 0.4 - 0.3 * -0.7 for each in odds]
    assert up == pytest.approx(by_hand)
    assert down == pytest.approx([by_hand[2] + 0.6, by_hand[1] + 0.6 - 1.5, by_hand[0] + 0.6])


@pytest.mark.parametrize(("synchrony_z", "counted"), [(2.5, 2.5), (6.0, 6.0), (40.0, 7.5)])
def test_synchrony_beyond_what_calibration_has_seen_counts_no_more(synchrony_z, counted):
    names = ("clean zero lag, top", "course z", "course over bump", "course over backward")
    rows = np.array([[synchrony_z, 9.0, -1.0, 2.0], [synchrony_z, 9.0, 3.0, 2.0], [synchrony_z, 1.0, -1.0, -2.0]])
    signs = recording_signs(names, rows.astype(np.float32))
    assert signs == pytest.approx([counted, np.log(1.5 / 1.5), np.log(0.5 / 2.5)])


def test_a_target_is_regular_where_spikes_are_missing_around_its_own():
    rng = np.random.default_rng(8)
    times = planted(rng)
    times[2] = np.arange(0.05, 200, 0.025) + rng.normal(0, 2e-3, 7998)  # 40 Hz, hardly two within 10 ms
    found = described(times)
    regular = regularity(found.names, found.excitatory.reshape(25, -1)).reshape(5, 5)
    assert regular[0, 2] == pytest.approx(
        4 * 18.5 / 120, abs=0.03
    )  # 4 spikes within 60 ms, and none from 0.75 to 10 ms
    assert np.all(regular[0, [1, 3, 4]] < 0.1)
    np.testing.assert_array_equal(regular, np.broadcast_to(regular[0], (5, 5)))


def test_a_judge_of_other_features_is_refused():
    found = described(planted(np.random.default_rng(4)))._replace(names=("something else",))
    with pytest.raises(CopyError, match="other features"):
        verdict(found, ~np.eye(5, dtype=bool), trained_judge())


def random_verdict(rng, n):
    chance = rng.random((n, n)) ** 3
    np.fill_diagonal(chance, np.nan)
    direction = np.where(rng.random((n, n)) < 0.5, 1, -1).astype(np.int8)
    return Verdict(chance, direction, chance)


@given(seed=st.integers(0, 500), n=st.integers(2, 8), n_decoys=st.integers(0, 2))
def test_q_is_the_mean_chance_of_being_wrong_or_more(seed, n, n_decoys):
    rng = np.random.default_rng(seed)
    found = random_verdict(rng, n)
    decoys = [random_verdict(rng, n) for _ in range(n_decoys)]
    found.direction[np.eye(n, dtype=bool)] = 0
    for decoy in decoys:
        decoy.direction[np.eye(n, dtype=bool)] = 0
    q = q_values(found, decoys)
    for i in range(n):
        for j in range(n):
            if i == j:
                continue
            rivals = (found.direction == found.direction[i, j]) & (found.chance >= found.chance[i, j])
            plain = 1 - found.chance[rivals].mean()
            if not decoys:
                assert q[i, j] == pytest.approx(plain)
            assert q[i, j] >= plain - 1e-12
            assert q[i, j] <= 1


def test_decoys_as_sure_as_the_calls_make_their_q_one():
    chance, direction = np.full((4, 4), 0.99), np.ones((4, 4), dtype=np.int8)
    found = Verdict(chance, direction, chance)
    assert np.allclose(q_values(found, []), 0.01)
    assert np.allclose(q_values(found, [found]), 1.0)
    half = found._replace(chance=np.where(np.arange(16).reshape(4, 4) < 8, 0.99, 0.0))
    assert np.allclose(q_values(found, [half]), 0.5)


@given(seed=st.integers(0, 500), n=st.integers(0, 60))
def test_decoys_are_counted_and_their_tail_read_on(seed, n):
    rng = np.random.default_rng(seed)
    decoys, chance = rng.random(n) ** 3, rng.random(20)
    found = as_sure(decoys, chance)
    ranked = sorted(decoys.tolist(), reverse=True)
    for c, answer in zip(chance.tolist(), found.tolist(), strict=True):
        expected = sum(d >= c for d in ranked)
        if n >= 20 and c > ranked[10]:
            odds = [np.log(d / (1 - d)) for d in ranked[:11]]
            mean = sum(odds[:10]) / 10 - odds[10]
            expected = max(expected, 10 * np.exp(-(np.log(c / (1 - c)) - odds[10]) / mean))
        assert answer == pytest.approx(expected, rel=1e-9)


def test_no_decoy_as_sure_says_little_where_others_come_near_and_enough_where_none_does():
    direction = np.ones((7, 7), dtype=np.int8)
    near, far = np.linspace(0.5, 0.94, 49).reshape(7, 7), np.linspace(0.001, 0.05, 49).reshape(7, 7)
    chance = np.where(np.arange(49).reshape(7, 7) < 2, 0.97, far)
    found = Verdict(chance, direction, chance)
    sure = chance > 0.9
    assert np.all(q_values(found, [Verdict(near, direction, near)])[sure] > 0.05)
    assert q_values(found, [Verdict(far, direction, far)])[sure] == pytest.approx(0.03)


def test_jitter_keeps_every_spike_in_its_window_and_on_its_grid():
    trains = trains_of(planted(np.random.default_rng(5)))
    moved = jittered(trains, None, np.random.default_rng(6))
    for was, now in zip(trains.by_neuron(), moved.by_neuron(), strict=True):
        assert np.array_equal(np.floor(was / JITTER_S), np.sort(np.floor(now / JITTER_S)))
    assert np.mean(np.isin(moved.time_s, trains.time_s)) < 0.01
    whole = jittered(trains, 1e-3, np.random.default_rng(6))
    assert np.allclose(whole.time_s * 1e3, np.rint(whole.time_s * 1e3), atol=1e-6)


def test_many_sure_calls_make_no_call_of_one_likely_to_be_false():
    n = 8
    chance = np.full((n, n), 0.01)
    chance[0, 1:] = 0.999
    chance[1, 2], chance[1, 3] = 0.7, 0.85
    direction = np.ones((n, n), dtype=np.int8)
    judged = Verdict(chance, direction, np.ones((n, n)))
    plain = Decisions(
        z=np.zeros((n, n), dtype=np.float32),
        q=np.ones((n, n)),
        local_fdr=np.ones((n, n)),
        is_synapse=np.zeros((n, n), dtype=bool),
        undecidable=np.full((n, n), Undecidable.DECIDED, dtype=np.uint8),
        null=Null(0.0, 1.0),
        needed_z=4.0,
        is_drive_separable=True,
    )
    q = q_values(judged, [])
    found = decide_judged(plain, judged, q, fdr=0.06)
    assert found.is_synapse[0, 1:].all()
    assert found.is_synapse[1, 3]  # .15 of being false: within four times .06
    assert not found.is_synapse[1, 2]  # .3: beyond, though the mean of all calls is under .06
    assert q[1, 2] <= 0.06
