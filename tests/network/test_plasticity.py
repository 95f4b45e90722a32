"""Plastic synapses: NEST's weights to the digit, homeostasis that reaches its rate, and an image that learns.

NEST 3.10.0 gave the numbers (tsodyks2_synapse, stdp_synapse, stdp_triplet_synapse between parrot neurons, November
2026).  NEST keeps the delay in the dendrite and we in the axon, so its presynaptic trains were two delays later.
"""

import numpy as np
import pytest
from numba import config

from neurograft.cells import ExactWriter, card, image_after, image_to_map, pulse_writer
from neurograft.errors import RunError
from neurograft.maps import synapse_map
from neurograft.network import (
    CellWeights,
    ExactWeights,
    Homeostasis,
    Plasticity,
    RunOptions,
    Stimulus,
    TimingRule,
    learning_drift,
    pair_rule,
    run,
    steady_drive,
    triplet_rule,
    with_short_term,
)
from neurograft.neurons import ExponentialSynapse, Lif
from neurograft.pasting import PasteOptions, Scaling, paste
from neurograft.units import MS, MV

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="seconds of model time need compiled code")

STEP_S = 0.1 * MS
NEST_SHORT = {
    (0.5, 0.8, 0.0): [
        0.5, 0.25449043252448267, 0.13357429452677533, 0.09379653313691333, 0.07141388884020733,
        0.042790853055097056, 0.048647003195963046, 0.03199077934600991, 0.016539588690279605, 0.019330365486432965,
    ],
    (0.1, 0.1, 1.0): [
        0.1, 0.17238106304823922, 0.2071328415420041, 0.24367360711824468, 0.2596742527015432, 0.2139360048553926,
        0.26035743568572894, 0.1948959628395373, 0.10513432440600362, 0.14046207227628796,
    ],
}  # fmt: skip
PAIR = TimingRule(a2_plus=0.01, a2_minus=0.0105, most_v=1.0)
POWER = TimingRule(a2_plus=0.01, a2_minus=0.0105, most_v=1.0, tau_minus_s=33 * MS, power=0.4)
TRIPLET = TimingRule(
    a2_plus=0.005, a2_minus=0.007, a3_plus=0.0065, a3_minus=0.0023, tau_plus_s=16.8 * MS, tau_minus_s=33.7 * MS,
    tau_x_s=101 * MS, tau_y_s=114 * MS, most_v=1.0,
)  # fmt: skip
NEST_LONG = [
    (PAIR, 1, 0.571767920071476), (POWER, 1, 0.39636570188535963), (TRIPLET, 1, 0.6303759267014666),
    (PAIR, 2, 0.5076778950395445), (POWER, 2, 0.3693759689079176), (TRIPLET, 2, 0.5731251667358631),
]  # fmt: skip


def trains(seed):
    """Return trains in steps; no post spike lies in the step of an arrival, which NEST would not count."""
    rng = np.random.default_rng(seed)
    pre = np.sort(rng.choice(np.arange(100, 19000), 60, replace=False))
    post = np.sort(rng.choice(np.arange(100, 19000), 60, replace=False))
    return pre, post[~np.isin(post, pre + 10)]


def pair_of_neurons(weight_v):
    return synapse_map(
        n_neurons=2, pre=np.array([0]), post=np.array([1]), weight_v=np.array([weight_v]), delay_s=1 * MS
    )


def played(pre, post):
    """Force the trains (steps) on the two neurons and nothing else."""
    return Stimulus(
        n_neurons=2,
        forced_neuron=np.repeat([0, 1], [pre.size, post.size]),
        forced_s=np.concatenate([pre, post]) * STEP_S,
        muted_neuron=np.array([0, 1]), muted_start_s=np.zeros(2), muted_stop_s=np.full(2, np.inf),
    )  # fmt: skip


@pytest.mark.parametrize("parameters", list(NEST_SHORT), ids=["depressing", "facilitating"])
def test_pools_of_vesicles_answer_as_in_nest(parameters):
    use, recovery_s, facilitation_s = parameters
    m = with_short_term(
        pair_of_neurons(2 * MV), release_probability=use, recovery_s=recovery_s, facilitation_s=facilitation_s
    )
    pre = trains(1)[0][:10]
    plastic = Plasticity(store=ExactWeights(m.weight_v, 1.0), has_short_term=True)
    neuron = Lif(threshold_v=1.0)
    ran = run(
        m, duration_s=(pre[-1] + 20) * STEP_S, seed=0, drive=steady_drive(2), neuron=neuron, plasticity=plastic,
        stimulus=played(pre, np.array([], dtype=int)), options=RunOptions(start_v=np.zeros(2), record_voltage_of=(1,)),
    )  # fmt: skip
    v = np.concatenate([[0.0], ran.voltage_v[:, 0]])
    kick = v[1:] - v[:-1] * np.exp(-0.1 / 20)
    assert kick[pre + 10] / (2 * MV) * use == pytest.approx(np.array(NEST_SHORT[parameters]), rel=2e-5)  # 32-bit sums


@pytest.mark.parametrize(("rule", "seed", "nest"), NEST_LONG)
def test_timing_rules_end_at_nests_weight(rule, seed, nest):
    m = pair_of_neurons(0.5)
    pre, post = trains(seed)
    store = ExactWeights(m.weight_v, 1.0)
    given = {"duration_s": 2.0, "seed": 0, "drive": steady_drive(2), "stimulus": played(pre, post)}
    run(m, plasticity=Plasticity(store=store, timing=rule), **given)
    assert store.weight_v[0] == pytest.approx(nest, rel=1e-9)


def test_learning_does_not_depend_on_chunks():
    m = pair_of_neurons(0.5)
    ends = []
    for chunk_s in (0.25, 0.0371):
        store = ExactWeights(m.weight_v, 1.0)
        run(
            m, duration_s=1.0, seed=0, drive=steady_drive(2), stimulus=played(*trains(1)),
            plasticity=Plasticity(store=store, timing=TRIPLET), options=RunOptions(chunk_s=chunk_s),
        )  # fmt: skip
        ends.append(store.weight_v[0])
    assert ends[0] == ends[1] != 0.5


def test_the_published_rules_have_their_published_windows():
    """One pair at +10 ms grows by A+ exp(-1/2) of the pair rule; the triplet rule does nothing for a lone pair."""
    for rule, change in ((pair_rule(), 5e-3 * 5 * MV * np.exp(-0.5)), (triplet_rule(), 0.0)):
        m = pair_of_neurons(2 * MV)
        store = ExactWeights(m.weight_v, 5 * MV)
        run(
            m, duration_s=0.1, seed=0, drive=steady_drive(2), plasticity=Plasticity(store=store, timing=rule),
            stimulus=played(np.array([100]), np.array([210])),  # arrives 10 steps later, at 110
        )  # fmt: skip
        assert store.weight_v[0] - 2 * MV == pytest.approx(change, abs=1e-12)


def living(n=30, seed=0):
    rng = np.random.default_rng(seed)
    pre = np.concatenate([rng.choice(n, 8, replace=False) for _ in range(n)])
    weight_v = np.where(pre < 0.8 * n, 1.0, -2.0) * MV * rng.uniform(0.5, 1.5, 8 * n)
    return synapse_map(n_neurons=n, pre=pre, post=np.repeat(np.arange(n), 8), weight_v=weight_v, delay_s=2 * MS)


@pytest.mark.parametrize("neuron", [Lif(), Lif(synapse=ExponentialSynapse())], ids=["delta", "exponential"])
def test_plastic_synapses_that_do_not_change_spike_as_static_ones(neuron):
    m = living()
    given = {
        "duration_s": 0.5, "seed": 3, "neuron": neuron,
        "drive": steady_drive(30, mean_v=12 * MV, noise_sd_v=4 * MV),
    }  # fmt: skip
    still = Plasticity(store=ExactWeights(m.weight_v, 1.0), timing=TimingRule(a2_plus=0.0, a2_minus=0.0))
    a, b = run(m, **given).spikes, run(m, plasticity=still, **given).spikes
    assert a.n_spikes > 50
    assert np.array_equal(a.time_s, b.time_s)
    assert np.array_equal(a.neuron, b.neuron)


@pytest.mark.slow
@pytest.mark.parametrize(("mean_v", "target_hz"), [(6 * MV, 6.0), (10 * MV, 9.5)], ids=["up", "down"])
def test_homeostasis_brings_rates_to_the_target(mean_v, target_hz):
    m = living()
    drive = steady_drive(30, mean_v=mean_v, noise_sd_v=4 * MV)
    before = run(m, duration_s=8.0, seed=3, drive=drive).spikes.rates_hz().mean()
    rule = Homeostasis(target_hz=target_hz, strength=0.3, interval_s=0.25, tau_s=1.0)
    plastic = Plasticity(store=ExactWeights(m.weight_v, 15 * MV), homeostasis=rule)
    spikes = run(m, duration_s=16.0, seed=3, drive=drive, plasticity=plastic).spikes
    after = spikes.between(10.0, 16.0).rates_hz().mean()
    assert abs(after - target_hz) < 0.5 * abs(before - target_hz)


def test_inhibitory_synapses_stay_as_they_are():
    m = living()
    store = ExactWeights(m.weight_v, 5 * MV)
    drive = steady_drive(30, mean_v=14 * MV, noise_sd_v=4 * MV)
    run(m, duration_s=1.0, seed=3, drive=drive, plasticity=Plasticity(store=store, timing=pair_rule()))
    changed = store.weight_v != m.weight_v
    assert changed.any()
    assert not changed[m.weight_v < 0].any()


# An image that learns.


def learnt(m, image, writer, seconds=4.0):
    """Run the image's network as it learns; return its plasticity."""
    held = image_to_map(image, age_s=0.0, rng=np.random.default_rng(0))
    store = CellWeights(image, held.weight_v, writer, np.random.default_rng(1))
    plastic = Plasticity(store=store, timing=pair_rule(most_v=3 * MV), snapshot_s=0.5)
    run(held, duration_s=seconds, seed=3, drive=DRIVE, plasticity=plastic)
    return plastic


DRIVE = steady_drive(30, mean_v=14 * MV, noise_sd_v=4 * MV)


def test_an_image_learns_by_pulses_and_is_saved_as_it_then_is():
    m = living()
    image = paste(m, memory=card("ideal"), seed=1)
    plastic = learnt(m, image, pulse_writer(image.cell))
    state = plastic.store.state
    assert state.pulses_up.sum() > 0 < state.pulses_down.sum()
    after = image_after(image, state, duration_s=4.0)
    back = image_to_map(after, age_s=0.0, rng=np.random.default_rng(0))
    scale = np.abs(m.weight_v).max()
    assert back.weight_v == pytest.approx(plastic.store.weight_v, abs=1e-3 * scale)
    assert not np.allclose(back.weight_v, m.weight_v, atol=1e-3 * scale)
    assert int(after.pulses.astype(int).sum() - image.pulses.astype(int).sum()) == int(state.pulses.sum())


@pytest.mark.slow
def test_a_copy_that_learns_is_followed_beside_the_living_network():
    """One cell a synapse and exact changes: the copy learns what the original learns.  A memory makes it drift away."""
    m = living()
    image = paste(m, memory=card("ideal"), options=PasteOptions(scaling=Scaling(clip_share=0.0)), seed=1)
    held = image_to_map(image, age_s=0.0, rng=np.random.default_rng(0))
    original = Plasticity(store=ExactWeights(held.weight_v, 1.0), timing=pair_rule(most_v=3 * MV), snapshot_s=0.5)
    run(held, duration_s=4.0, seed=3, drive=DRIVE, plasticity=original)
    low, high = image.cell.g_min_siemens, image.cell.g_max_siemens
    several = paste(m, memory=card("ideal"), seed=1)
    faithful, in_one_of_several = (
        learning_drift(original, learnt(m, x, ExactWriter(window_siemens=(low, high))), is_plastic=held.weight_v > 0)
        for x in (image, several)
    )
    noisy_image = paste(m, memory=card("rram"), seed=1)
    noisy = learning_drift(original, learnt(m, noisy_image, pulse_writer(noisy_image.cell)), is_plastic=m.weight_v > 0)
    assert faithful.living_moved_v[-1] > 0
    assert faithful.same_change[-1] > 0.999
    # a quarter of the synapses lie in several cells, of which one learns
    assert 0.8 < in_one_of_several.same_change[-1] < 0.95
    assert noisy.same_change[-1] < faithful.same_change[-1]
    assert noisy.apart_v[-1] > faithful.apart_v[-1]
    began = learning_drift(
        original, original, is_plastic=held.weight_v > 0, began=(held.weight_v, held.weight_v)
    )  # fmt: skip
    assert began.time_s[0] == 0
    assert not began.apart_v.any()
    assert began.apart_unlearnt_v == pytest.approx(began.living_moved_v)  # what stays is left behind by all that moved
    assert len(began.to_lines()) == 1 + began.time_s.size


def test_snapshots_must_match():
    m = living()
    run_of = lambda every: Plasticity(store=ExactWeights(m.weight_v, 1.0), snapshot_s=every)  # noqa: E731
    a, b = run_of(0.1), run_of(0.2)
    for plastic in (a, b):
        run(m, duration_s=0.5, seed=0, drive=DRIVE, plasticity=plastic)
    with pytest.raises(RunError, match="5 and 2 snapshots"):
        learning_drift(a, b, is_plastic=m.weight_v > 0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {
                "options": RunOptions(n_threads=2),
                "plasticity": Plasticity(store=ExactWeights(living().weight_v, 1.0), timing=PAIR),
            },
            "one thread",
        ),
        ({"plasticity": Plasticity(store=ExactWeights(np.ones(3), 1.0))}, "for 3 synapses"),
        ({"plasticity": Plasticity(store=ExactWeights(living().weight_v * 2, 1.0))}, "not the map's"),
        ({"plasticity": Plasticity(store=ExactWeights(living().weight_v, 1.0), has_short_term=True)}, "no column"),
    ],
)
def test_what_cannot_learn_is_refused(changes, words):
    m = living()
    given = {"plasticity": Plasticity(store=ExactWeights(m.weight_v, 1.0))} | changes
    with pytest.raises(RunError, match=words):
        run(m, duration_s=0.1, seed=0, drive=DRIVE, **given)


def test_impossible_pools_are_refused():
    m = with_short_term(living(), release_probability=1.5, recovery_s=0.1, facilitation_s=0.0)
    with pytest.raises(RunError, match="above 0 to 1"):
        run(
            m, duration_s=0.1, seed=0, drive=DRIVE,
            plasticity=Plasticity(store=ExactWeights(m.weight_v, 1.0), has_short_term=True),
        )  # fmt: skip
