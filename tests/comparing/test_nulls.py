"""Null maps and Poisson trains keep what they promise and nothing else."""

import numpy as np
import pytest

from neurograft.comparing import poisson_trains, redrawn_map, shuffled_map, weights_permuted
from neurograft.errors import OptionError
from neurograft.maps import Kind, synapse_map
from neurograft.spikes import spike_trains


def wiring(n=30, density=0.2, seed=1, self_at=(3,), n_gaps=12):
    """Return a map with excitatory, inhibitory, electrical and a few self-connections."""
    rng = np.random.default_rng(seed)
    link = rng.random((n, n)) < density
    np.fill_diagonal(link, False)
    for i in self_at:
        link[i, i] = True
    pre, post = np.nonzero(link)
    sign = np.where(np.arange(n) % 5 == 0, -1, 1).astype(np.int8)
    kind = np.where(sign[pre] < 0, Kind.INHIBITORY, Kind.CHEMICAL).astype(np.uint8)
    upper = np.argwhere(np.triu(np.ones((n, n)), 1))
    a, b = rng.choice(upper, n_gaps, replace=False).T
    pre, post = np.concatenate([pre, a, b]), np.concatenate([post, b, a])
    kind = np.concatenate([kind, np.full(2 * n_gaps, Kind.ELECTRICAL, np.uint8)])
    weight_v = np.where(kind == Kind.INHIBITORY, -1, 1) * rng.lognormal(-7, 1, pre.size)
    return synapse_map(
        n_neurons=n,
        pre=pre,
        post=post,
        weight_v=weight_v,
        delay_s=0.001 + 0.01 * rng.random(pre.size),
        kind=kind,
        sign=sign,
        q_value=0.01,
        extra={"distance_um": rng.random(pre.size)},
    )


def of_rows(m, neuron_of_row):
    """Return, for every neuron, its rows' columns in a fixed order."""
    columns = zip(neuron_of_row.tolist(), m.kind.tolist(), m.weight_v.tolist(), m.delay_s.tolist(), strict=True)
    return sorted(columns)


def test_shuffled_map_keeps_each_neurons_output_and_in_degree():
    m = wiring()
    s = shuffled_map(m, np.random.default_rng(2))
    assert of_rows(s, s.pre) == of_rows(m, m.pre)
    chemical = [x.kind != Kind.ELECTRICAL for x in (m, s)]
    for kinds in (chemical, [~c for c in chemical]):
        degree = [np.bincount(x.post[k], minlength=30).tolist() for x, k in zip((m, s), kinds, strict=True)]
        assert degree[0] == degree[1]
    assert s.sign.tolist() == m.sign.tolist()
    assert s.labels == m.labels
    assert np.isnan(s.q_value).all()
    assert sorted(s.extra["distance_um"]) == sorted(m.extra["distance_um"])


def test_shuffled_map_moves_nearly_everything():
    m = wiring(n=60, density=0.05)
    s = shuffled_map(m, np.random.default_rng(2))
    kept = np.mean((m.weight_matrix_v() != 0)[s.pre, s.post])
    # A random target is an old one with the chance of the density, 0.05 and a little for gap junctions.
    assert kept == pytest.approx(0.06, abs=0.05)


def test_shuffled_map_makes_no_self_connection_and_keeps_the_given_ones():
    m = wiring(self_at=(3, 7))
    s = shuffled_map(m, np.random.default_rng(4))
    assert s.pre[s.pre == s.post].tolist() == [3, 7]
    assert s.weight_v[s.pre == s.post].tolist() == m.weight_v[m.pre == m.post].tolist()


def test_shuffled_gap_junctions_stay_two_way():
    m = wiring(n_gaps=40)
    s = shuffled_map(m, np.random.default_rng(5))
    gap = s.kind == Kind.ELECTRICAL
    pairs = set(zip(s.pre[gap].tolist(), s.post[gap].tolist(), strict=True))
    old = set(zip(m.pre[m.kind == Kind.ELECTRICAL].tolist(), m.post[m.kind == Kind.ELECTRICAL].tolist(), strict=True))
    assert len(pairs) == 80
    assert pairs == {(b, a) for a, b in pairs}
    assert len(pairs & old) < 40


def test_a_complete_map_can_only_change_its_strengths():
    m = wiring(n=6, density=2.0, self_at=(), n_gaps=0)
    s = shuffled_map(m, np.random.default_rng(6))
    assert s.post.tolist() == m.post.tolist()
    assert s.weight_v.tolist() != m.weight_v.tolist()


def test_an_empty_map_stays_empty():
    m = synapse_map(n_neurons=3, pre=np.zeros(0, int), post=np.zeros(0, int), weight_v=np.zeros(0), delay_s=0.001)
    assert shuffled_map(m, np.random.default_rng(1)).n_synapses == 0
    assert weights_permuted(m, np.random.default_rng(1)).n_synapses == 0


def test_weights_permuted_keeps_wiring_and_signs():
    m = wiring()
    w = weights_permuted(m, np.random.default_rng(7))
    assert w.pre.tolist() == m.pre.tolist()
    assert w.post.tolist() == m.post.tolist()
    assert w.kind.tolist() == m.kind.tolist()
    assert np.sign(w.weight_v).tolist() == np.sign(m.weight_v).tolist()
    assert sorted(w.weight_v) == sorted(m.weight_v)
    assert np.mean(w.weight_v == m.weight_v) < 0.1


def test_null_maps_follow_their_seed():
    m = wiring()
    for null in (shuffled_map, weights_permuted):
        one, same, other = (null(m, np.random.default_rng(s)).weight_matrix_v() for s in (1, 1, 2))
        assert np.array_equal(one, same)
        assert not np.array_equal(one, other)


def two_rates():
    """Return a neuron of 40 then 2 Hz, and one of 2 then 40, in two epochs with a gap."""
    rng = np.random.default_rng(8)
    time_s = [rng.random(400) * 10, rng.random(20) * 10, 15 + rng.random(20) * 10, 15 + rng.random(400) * 10]
    neuron = np.repeat([0, 1, 0, 1], [400, 20, 20, 400])
    return spike_trains(time_s=np.concatenate(time_s), neuron=neuron, epochs_s=np.array([[0.0, 10.0], [15.0, 25.0]]))


def test_poisson_trains_keep_rates_in_each_epoch():
    x = two_rates()
    p = poisson_trains(x, np.random.default_rng(9))
    for start_s, stop_s in x.epochs_s:
        ours, theirs = (y.between(start_s, stop_s).counts() for y in (p, x))
        assert np.all(np.abs(ours - theirs) < 5 * np.sqrt(theirs))  # five standard deviations of a Poisson count
    assert p.epochs_s.tolist() == x.epochs_s.tolist()
    assert p.time_s.tolist() != x.time_s.tolist()


def test_poisson_trains_draw_their_counts():
    x = two_rates()
    rng = np.random.default_rng(10)
    counts = np.array([poisson_trains(x, rng).n_spikes for _ in range(200)])
    assert counts.mean() == pytest.approx(840, abs=4 * np.sqrt(840 / 200))
    assert counts.var() == pytest.approx(840, rel=0.4)  # the variance of 200 draws has a relative error of 10 %


def test_slow_modulation_is_kept_on_request():
    rng = np.random.default_rng(11)
    x = spike_trains(time_s=5 * rng.random(500), neuron=np.zeros(500, np.int64), epochs_s=np.array([[0.0, 10.0]]))
    plain, slow = poisson_trains(x, rng), poisson_trains(x, rng, slow_s=2.5)
    assert plain.between(5.0, 10.0).n_spikes > 150
    assert slow.between(5.0, 10.0).n_spikes == 0
    with pytest.raises(OptionError, match="slow_s is 0"):
        poisson_trains(x, rng, slow_s=0.0)


def test_a_redrawn_map_keeps_strengths_and_has_no_self_connection_nor_pair_twice():
    m = synapse_map(
        n_neurons=4,
        pre=np.array([0, 1, 2]),
        post=np.array([1, 2, 3]),
        weight_v=np.array([1.0, -2.0, 3.0]),
        delay_s=1e-3,
    )
    seen = set()
    for seed in range(200):
        drawn = redrawn_map(m, np.random.default_rng(seed))
        assert sorted(drawn.weight_v.tolist()) == [-2.0, 1.0, 3.0]
        assert np.all(drawn.pre != drawn.post)
        pairs = set(zip(drawn.pre.tolist(), drawn.post.tolist(), strict=True))
        assert len(pairs) == 3
        seen |= pairs
    assert len(seen) == 12  # every ordered pair is drawn at some time


def test_a_map_of_two_synapses_is_not_always_shuffled_into_itself():
    m = synapse_map(n_neurons=4, pre=np.array([0, 1]), post=np.array([2, 3]), weight_v=np.ones(2), delay_s=1e-3)
    posts = {tuple(shuffled_map(m, np.random.default_rng(seed)).post.tolist()) for seed in range(20)}
    assert posts == {(2, 3), (3, 2)}
