"""The report of a copy from spikes shows what its calls rest on, and does not praise what was not tested."""

import numpy as np
import pytest

from neurograft import samples
from neurograft.copying import SpikesOptions, copy_spikes
from neurograft.maps import Evidence, Undecidable, synapse_map
from neurograft.provenance import Provenance
from neurograft.report import Figure, KeyNumbers, Level, Note, copied_spikes_chapters
from neurograft.spikes import spike_trains


def chain(n, *, seconds=120.0, rate_hz=10.0):
    """Trains in which each neuron makes the next one fire 3 ms later, one time in four."""
    rng = np.random.default_rng(4)
    times = [np.sort(rng.uniform(0, seconds - 1, int(rate_hz * seconds))) for _ in range(n)]
    alone = list(times)
    for i in range(n - 1):
        times[i + 1] = np.append(times[i + 1], alone[i][rng.random(alone[i].size) < 0.25] + 3e-3)
    neuron = np.concatenate([np.full(len(t), i) for i, t in enumerate(times)])
    return spike_trains(time_s=np.concatenate(times), neuron=neuron, epochs_s=np.array([[0.0, seconds]]))


def evidence_of(m, trains):
    return copied_spikes_chapters("A chain", m, trains)[1].blocks


def cards_of(blocks):
    (cards,) = [block for block in blocks if isinstance(block, KeyNumbers)]
    return {card.label: card for card in cards.numbers}


def test_surest_and_least_sure_calls_are_drawn_with_their_band():
    trains = chain(16)
    m = copy_spikes(trains)
    assert m.n_synapses == 15
    blocks = evidence_of(m, trains)
    figure = next(block for block in blocks if isinstance(block, Figure))
    titles = [note["text"] for note in figure.plot["layout"]["annotations"]]
    assert len(titles) == 12
    order = np.argsort(m.q_value, kind="stable")
    first, last = order[0], order[-1]
    assert titles[0].startswith(f"<b>{m.labels[m.pre[first]]} → {m.labels[m.post[first]]}, q ")
    assert titles[-1].startswith(f"<b>{m.labels[m.pre[last]]} → {m.labels[m.post[last]]}, q ")
    lower, upper, counts = figure.plot["data"][:3]
    at = int(np.argmax(counts["y"]))
    assert counts["x"][at] == pytest.approx(3.0, abs=0.5)
    assert counts["y"][at] > upper["y"][at] > lower["y"][at]
    cards = cards_of(blocks)
    jittered = cards["calls in jittered copies of the recording"]
    assert jittered.remark == "in 1, for 15 calls in the true one"
    assert int(jittered.value) == 0
    assert jittered.level is Level.GOOD
    assert float(cards["false calls to be expected"].value) == pytest.approx(m.extra["local_fdr"].sum(), abs=0.05)


def test_what_was_not_tested_is_not_praised():
    trains = samples.hippocampus()
    m = copy_spikes(trains, options=SpikesOptions(decoys=1))  # six units: no judge, so no decoys
    card = cards_of(evidence_of(m, trains))["calls in jittered copies of the recording"]
    assert (card.value, card.level) == ("not made", Level.INFO)


def test_many_calls_in_decoys_and_doubtful_pairs_are_shown():
    trains = chain(3, seconds=20.0)
    told = {"decoys": 1, "calls_in_jittered_decoys": 1, "flags": ["unit 2 is left out"]}
    undecidable = np.zeros((3, 3), dtype=np.uint8)
    undecidable[2, 0] = Undecidable.COMMON_DRIVE
    limit_v = np.full((3, 3), 1e-3, dtype=np.float32)
    m = synapse_map(
        n_neurons=3, pre=np.array([0]), post=np.array([1]), weight_v=np.array([1e-3]), delay_s=1e-3, q_value=0.01,
        evidence=Evidence(z=np.full((3, 3), 4.0, dtype=np.float32), limit_v=limit_v, undecidable=undecidable),
        provenance=Provenance(command="copy --mode spikes", parameters=told),
    )  # fmt: skip
    blocks = evidence_of(m, trains)
    assert cards_of(blocks)["calls in jittered copies of the recording"].level is Level.WARNING
    assert Note(text="Unit 2 is left out", level=Level.WARNING) in blocks
    doubtful = [block for block in blocks if isinstance(block, Figure)][1]
    assert [note["text"] for note in doubtful.plot["layout"]["annotations"]] == ["<b>2 → 0</b>"]
    none = np.empty(0)
    nothing = evidence_of(
        synapse_map(n_neurons=3, pre=none.astype(int), post=none.astype(int), weight_v=none, delay_s=1e-3), trains
    )
    assert sum(isinstance(block, Note) for block in nothing) == 2  # no call to draw, no pair in doubt
    assert cards_of(nothing)["false calls to be expected"].value == "not known"
