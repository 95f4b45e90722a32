"""Spike for spike as NEST: the hashes are of spikes that NEST 3.10.0 and our engine both gave (November 2026).

NEST ran iaf_psc_delta and iaf_psc_exp on one thread (the full delta network also on two) with the same weights,
delays, start potentials and 0.1 ms steps; a NEST spike at t belongs to our step that ends at t.  Brian2 2.9 (C++
standalone) gave the same 233,282 spikes of the full delta network (benchmarks/run.py --peers).
"""

import pytest
from numba import config

from network.brunel import DELTA, DRIVE, EXPONENTIAL, brunel_map, spike_hash
from neurograft.network import RunOptions, run, steady_drive

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="ten million events need compiled code")

SMALL = [
    (DELTA, False, 60_647, "128085ad42e4c1c5d1bcbe22d322355b4806ba564b149f1efcc03da3b0ede036"),
    (DELTA, True, 52_220, "e20b2d806d2b63dae8eb2f010f08b3dacbac920ab536252ae1202d55edabe597"),
    (EXPONENTIAL, False, 37_345, "8bce0aea6adb6410d612727e78aad9517523bfa4a3cfa14082a7b3a12e902e80"),
]
FULL = [
    (DELTA, False, 233_282, "53f562aed37ce31a2b2113001ce0e9154763e92c2c6140311a650476bab7a351"),
    (DELTA, True, 234_315, "2944bbe13593b727e57a7d8c2e9e8a53056e39d093a864686d92423845c4180b"),
    (EXPONENTIAL, False, 221_536, "61600392bd1ec02e0dc485ab7b2b0a0d8c81e98889c4eb00b89dfe9c86b32bef"),
]
IDS = ["delta", "mixed-delays", "exponential"]


def spikes_of(scale, neuron, has_mixed_delays, **options):
    m, start = brunel_map(scale, has_mixed_delays=has_mixed_delays, is_current=neuron is EXPONENTIAL)
    drive = steady_drive(m.n_neurons, mean_v=DRIVE)
    return run(
        m, duration_s=1.0, seed=0, neuron=neuron, drive=drive, options=RunOptions(start_v=start, **options)
    ).spikes  # fmt: skip


@pytest.mark.parametrize(("neuron", "has_mixed_delays", "n_spikes", "sha"), SMALL, ids=IDS)
def test_a_thousand_neurons_spike_as_in_nest(neuron, has_mixed_delays, n_spikes, sha):
    spikes = spikes_of(10, neuron, has_mixed_delays)
    assert spikes.n_spikes == n_spikes
    assert spike_hash(spikes) == sha


@pytest.mark.parametrize("options", [{"n_threads": 2}, {"n_threads": 4, "chunk_s": 0.0777}], ids=str)
def test_and_so_they_do_on_any_threads_and_chunks(options):
    assert spike_hash(spikes_of(10, DELTA, False, **options)) == SMALL[0][3]


@pytest.mark.slow
@pytest.mark.parametrize("n_threads", [1, 2, 4])
@pytest.mark.parametrize(("neuron", "has_mixed_delays", "n_spikes", "sha"), FULL, ids=IDS)
def test_ten_thousand_neurons_spike_as_in_nest(neuron, has_mixed_delays, n_spikes, sha, n_threads):
    spikes = spikes_of(1, neuron, has_mixed_delays, n_threads=n_threads)
    assert spikes.n_spikes == n_spikes
    assert spike_hash(spikes) == sha
