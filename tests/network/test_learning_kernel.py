"""Learning in compiled stretches against the same steps from Python: the same spikes and the same weights."""

import numpy as np
import pytest
from numba import config

from neurograft.cells import card, pulse_writer
from neurograft.maps import synapse_map
from neurograft.network import (
    CellWeights,
    ExactWeights,
    Homeostasis,
    Plasticity,
    RunOptions,
    Stimulus,
    TimingRule,
    pair_rule,
    run,
    steady_drive,
    triplet_rule,
    with_short_term,
)
from neurograft.network import _engine as engine
from neurograft.network._group import run_learning, run_stepwise, runner_of
from neurograft.neurons import ExponentialSynapse, Lif
from neurograft.pasting import paste
from neurograft.units import MS, MV

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="compiled stretches are not used then")

N = 40
POWER = TimingRule(a2_plus=0.02, a2_minus=0.02, a3_plus=0.01, a3_minus=0.005, power=0.4)


def living():
    rng = np.random.default_rng(5)
    pre = np.concatenate([rng.choice(N, 8, replace=False) for _ in range(N)])
    weight_v = np.where(pre < 0.8 * N, 1.0, -2.0) * MV * rng.uniform(0.5, 1.5, 8 * N)
    delay_s = rng.integers(1, 30, 8 * N) * 0.1 * MS
    m = synapse_map(n_neurons=N, pre=pre, post=np.repeat(np.arange(N), 8), weight_v=weight_v, delay_s=delay_s)
    return with_short_term(m, release_probability=0.4, recovery_s=0.2, facilitation_s=0.05)


class OwnStore:
    """A user's store, of which compiled code knows nothing: weights move in steps of 10 uV."""

    def __init__(self, weight_v):
        self.weight_v, self.n_asked = weight_v.copy(), 0

    def change(self, which, wanted_v):
        self.n_asked += 1
        self.weight_v[which] += np.rint(wanted_v / 1e-5) * 1e-5


def plasticity(m, rule, kind, homeostasis):
    if kind in {"exact", "own"}:
        store = ExactWeights(m.weight_v, 5 * MV) if kind == "exact" else OwnStore(m.weight_v)
    else:
        image = paste(m, memory=card("rram"), seed=1)
        writer = pulse_writer(image.cell, keeps_rest=kind == "cells")
        store = CellWeights(image, m.weight_v, writer, np.random.default_rng(2))
    return Plasticity(
        store=store, timing=rule, homeostasis=homeostasis, has_short_term=True, snapshot_s=0.1,
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["exact", "own", "cells", "cells-lose-rest"])
@pytest.mark.parametrize(
    ("rule", "homeostasis"),
    [(pair_rule(), None), (triplet_rule(), None), (POWER, Homeostasis(target_hz=12.0, interval_s=0.07)),
     (None, Homeostasis(target_hz=12.0, interval_s=0.07))],
    ids=["pair", "triplet", "power and homeostasis", "homeostasis"],
)  # fmt: skip
def test_compiled_stretches_learn_as_steps_from_python_do(kind, rule, homeostasis, monkeypatch):
    m = living()
    stimulus = Stimulus(n_neurons=N, forced_neuron=np.arange(5), forced_s=np.linspace(0.01, 0.2, 5))
    results, used = [], []
    for slow in (False, True):

        def runner(group, slow=slow):
            used.append(runner_of(group))
            return run_stepwise if slow else used[-1]

        monkeypatch.setattr(engine, "runner_of", runner)
        given = plasticity(m, rule, kind, homeostasis)
        ran = run(
            m, duration_s=0.25, seed=3, neuron=Lif(synapse=ExponentialSynapse()), plasticity=given, stimulus=stimulus,
            drive=steady_drive(N, mean_v=13 * MV, noise_sd_v=4 * MV),
            options=RunOptions(chunk_s=0.043, record_voltage_of=(3,)),
        )  # fmt: skip
        results.append((ran, given))
    (fast, a), (slow, b) = results
    assert set(used) == {run_learning}
    assert fast.spikes.n_spikes > 60
    assert np.array_equal(fast.spikes.time_s, slow.spikes.time_s)
    assert np.array_equal(fast.spikes.neuron, slow.spikes.neuron)
    assert np.array_equal(fast.voltage_v, slow.voltage_v)
    assert a.store.weight_v == pytest.approx(b.store.weight_v, rel=1e-12)
    assert np.abs(a.store.weight_v - m.weight_v).max() > 1e-5
    assert [s.time_s for s in a.history] == [s.time_s for s in b.history]
    if kind.startswith("cells"):
        assert np.array_equal(a.store.state.pulses, b.store.state.pulses)
        assert a.store.state.rest_siemens == pytest.approx(b.store.state.rest_siemens, rel=1e-9, abs=1e-18)
    if kind == "own":
        assert a.store.n_asked == b.store.n_asked > 0
