"""The fly brain's model: spike for spike as its equations run in Brian2, and its tables; MN9 for those who have them.

Brian2 2.9.0 ran Shiu's equations on this small net with these stimulus times (November 2026).  Set
NEUROGRAFT_FLY_BRAIN to a folder with the two files of release 630 to test the published rates at full size.
"""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from numba import config

from neurograft.errors import MapError, OptionError, RunError
from neurograft.maps import SHIU_VOLTS_PER_COUNT, load_fly_brain
from neurograft.network import (
    MN9_LEFT,
    MN9_RIGHT,
    SUGAR_RIGHT,
    RunOptions,
    Stimulus,
    run,
    steady_drive,
    stimulated_rates_hz,
)
from neurograft.neurons import FlyLif
from neurograft.units import MS, MV

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="seconds of model time need compiled code")


def small_net(seed=11, n=80, k=12):
    rng = np.random.default_rng(seed)
    pre = np.concatenate([rng.choice(n, k, replace=False) for _ in range(n)])
    post = np.repeat(np.arange(n), k)
    count = np.where(pre < 60, 1, -1) * rng.integers(1, 40, n * k)
    keep = pre != post
    stimulated = np.arange(6)
    times = [np.sort(rng.choice(np.arange(1, 4900), 60, replace=False)) for _ in stimulated]
    return n, pre[keep], post[keep], count[keep], stimulated, times


def write_tables(folder, n, pre, post, count):
    ids = [720575940600000000 + 7 * i for i in range(n)]
    (folder / "completeness.csv").write_text(",Completed\n" + "".join(f"{i},True\n" for i in ids))
    rows = [f"{a},{b},{abs(c)},{np.sign(c)},{c}\n" for a, b, c in zip(pre, post, count, strict=True)]
    head = "Presynaptic_Index,Postsynaptic_Index,Connectivity,Excitatory,Excitatory x Connectivity\n"
    (folder / "connectivity.csv").write_text(head + "".join(rows))
    return folder / "connectivity.csv", folder / "completeness.csv", [str(i) for i in ids]


def brain(folder):
    n, pre, post, count, stimulated, times = small_net()
    connections, neurons, ids = write_tables(folder, n, pre, post, count)
    m = load_fly_brain(connections, neurons, peak_per_jump=FlyLif().peak_per_jump)
    return m, ids, stimulated, times


@pytest.mark.parametrize("options", [RunOptions(), RunOptions(n_threads=2, chunk_s=0.0113)], ids=["plain", "parts"])
def test_a_small_brain_spikes_as_in_brian2(tmp_path, options):
    m, _, stimulated, times = brain(tmp_path)
    model = ["lif-fly-stimulated" if i in stimulated else "lif-fly" for i in range(m.n_neurons)]
    kicks = Stimulus(
        n_neurons=m.n_neurons,
        kick_neuron=np.repeat(stimulated, [t.size for t in times]),
        kick_s=np.concatenate(times) * 0.1 * MS,
        kick_v=np.full(sum(t.size for t in times), 68.75 * MV),
    )
    from dataclasses import replace

    ran = run(
        replace(m, model=tuple(model)), duration_s=0.5, seed=0, drive=steady_drive(m.n_neurons), stimulus=kicks,
        options=options,
    ).spikes  # fmt: skip
    step = np.rint(ran.time_s / (0.1 * MS)).astype("<i4")
    assert ran.n_spikes == 620
    assert hashlib.sha256(np.column_stack([step, ran.neuron.astype("<i4")]).tobytes()).hexdigest() == (
        "b4f8aa287397bea27f00d80883993812fe31673494ca1e2c9da7dfd53929e753"
    )


def test_the_published_tables_become_a_map(tmp_path):
    m, ids, _, _ = brain(tmp_path)
    n, pre, post, count, _, _ = small_net()
    assert m.labels == tuple(ids)
    matrix = np.zeros((n, n))
    matrix[pre, post] = count
    assert m.weight_matrix_v() == pytest.approx(matrix * SHIU_VOLTS_PER_COUNT * FlyLif().peak_per_jump)
    assert m.extra["count"].sum() == count.sum()
    assert m.sign[:60].tolist() == [1] * 60
    assert set(m.delay_s.tolist()) == {1.8 * MS}


def test_tables_of_two_releases_are_refused(tmp_path):
    n, pre, post, count, _, _ = small_net()
    connections, neurons, _ = write_tables(tmp_path, n, pre, post, count)
    neurons.write_text("\n".join(neurons.read_text().splitlines()[:40]))
    with pytest.raises(MapError, match="different releases"):
        load_fly_brain(connections, neurons, peak_per_jump=1.0)
    connections.write_text("pre,post,weight\n1,2,3\n")
    with pytest.raises(MapError, match="Presynaptic_Index"):
        load_fly_brain(connections, neurons, peak_per_jump=1.0)


def test_a_jump_of_g_peaks_at_the_weight():
    from neurograft.maps import synapse_map

    m = synapse_map(
        n_neurons=2, pre=np.array([0]), post=np.array([1]), weight_v=np.array([1 * MV]), delay_s=1.8 * MS,
        model="lif-fly",
    )  # fmt: skip
    once = Stimulus(n_neurons=2, forced_neuron=np.array([0]), forced_s=np.array([0.0]))
    v = run(
        m, duration_s=0.1, seed=0, drive=steady_drive(2), stimulus=once, options=RunOptions(record_voltage_of=(1,))
    ).voltage_v  # fmt: skip
    assert v.max() == pytest.approx(1 * MV, rel=1e-4)  # the peak between two steps
    assert np.flatnonzero(v)[0] == 19


def test_stimulated_neurons_follow_their_events_and_silencing_cuts_the_way(tmp_path):
    m, ids, _, _ = brain(tmp_path)
    rates = stimulated_rates_hz(m, ids[:6], rate_hz=120.0, n_trials=6, seed=3)
    assert rates[:, :6].mean() == pytest.approx(120.0, abs=4 * np.sqrt(120.0 / 36) + 6)  # and what the net adds
    assert rates[:, 6:].sum() > 0
    cut = stimulated_rates_hz(m, ids[:6], rate_hz=120.0, n_trials=2, silenced=ids[:6], seed=3)
    assert cut[:, 6:].sum() == 0
    again = stimulated_rates_hz(m, ids[:6], rate_hz=120.0, n_trials=2, seed=3)
    assert np.array_equal(again, stimulated_rates_hz(m, ids[:6], rate_hz=120.0, n_trials=2, seed=3))
    with pytest.raises(RunError, match="There is no neuron"):
        stimulated_rates_hz(m, ["1"], rate_hz=120.0, seed=3)


def test_impossible_constants_are_refused():
    with pytest.raises(OptionError, match="different positive"):
        FlyLif(tau_g_s=20 * MS)
    with pytest.raises(OptionError, match="threshold_v"):
        FlyLif(threshold_v=0.0)


FULL = [(20, 0.0, 0.0), (40, 5.4, 4.5), (60, 38.0, 28.7), (80, 58.4, 43.0), (100, 68.1, 49.0)]


@pytest.mark.slow
@pytest.mark.parametrize(("rate_hz", "left_hz", "right_hz"), FULL)
def test_sugar_moves_the_proboscis_as_published(rate_hz, left_hz, right_hz):
    """Means of 10 trials; the published ones are of 30 with a trial-to-trial sd of up to 6.7 Hz: 3 standard errors."""
    folder = Path(os.environ.get("NEUROGRAFT_FLY_BRAIN", "/no/folder"))
    if not folder.is_dir():
        pytest.skip("needs FlyWire's files (NEUROGRAFT_FLY_BRAIN names their folder)")
    connections = next(folder.glob("*onnectivity*630*"))
    neurons = next(folder.glob("*ompleteness*630*"))
    m = load_fly_brain(connections, neurons, peak_per_jump=FlyLif().peak_per_jump)
    rates = stimulated_rates_hz(m, SUGAR_RIGHT, rate_hz=rate_hz, n_trials=10, seed=1).mean(axis=0)
    room = 3 * 6.7 * np.sqrt(1 / 10 + 1 / 30)
    assert rates[m.labels.index(MN9_LEFT)] == pytest.approx(left_hz, abs=room)
    assert rates[m.labels.index(MN9_RIGHT)] == pytest.approx(right_hz, abs=room)
