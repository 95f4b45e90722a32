"""Scoring where channels and neurons are not one to one: second pads, shared pads, pads that hear nobody."""

import numpy as np
import pytest

from neurograft.comparing import score
from neurograft.comparing._score_align import align
from neurograft.errors import CompareError, MapError
from neurograft.maps import Kind, Layout, synapse_map
from neurograft.spikes import spike_trains

# Truth: neurons A (pad p0), B (p1), C (p1 too: "p1b"), D (p4).  Pad p2 is a second pad of A; p3 hears from outside.
TRUE_LABELS = ("p0", "p1", "p1b", "p4")
PADS = ("p0", "p1", "p2", "p3", "p4")
INSIDE = np.array([[0, -1], [1, 2], [0, -1], [-1, -1], [3, -1]])


def net(labels, rows, **more):
    """Return a map from rows (pre, post, weight)."""
    number = {label: i for i, label in enumerate(labels)}
    pre, post, weight = zip(*rows, strict=True) if rows else ((), (), ())
    return synapse_map(
        n_neurons=len(labels),
        pre=np.array([number[x] for x in pre], dtype=np.int64),
        post=np.array([number[x] for x in post], dtype=np.int64),
        weight_v=np.array(weight, dtype=np.float64),
        delay_s=np.full(len(rows), 1e-3),
        labels=labels,
        **more,
    )


TRUTH = net(TRUE_LABELS, [("p0", "p4", 1e-3), ("p1b", "p4", 2e-3), ("p1", "p4", -3e-3), ("p1", "p1b", 1e-3)])


def layout(n_hidden=0, share=(0.0, 0.0, 0.0, 0.0)):
    return Layout(
        channel_labels=PADS, channel_neuron=INSIDE, n_hidden=n_hidden, hidden_input_share=np.array(share, np.float64)
    )


def test_a_second_pad_stands_for_its_neuron():
    copied = net(("p2", "p4"), [("p2", "p4", 1e-3)])
    blind, seeing = score(copied, TRUTH), score(copied, TRUTH, layout=layout())
    assert (blind.n_unknown, blind.realised_fdr.count) == (1, 1)
    assert (seeing.n_unknown, seeing.realised_fdr.count, seeing.recall.count) == (0, 0, 1)
    assert seeing.strength.slope == pytest.approx(1.0)


def test_both_pads_of_a_neuron_have_its_synapses_and_none_between_them():
    copied = net(("p0", "p2", "p4"), [("p0", "p4", 1e-3), ("p2", "p4", 1e-3), ("p0", "p2", 1e-3)])
    s = score(copied, TRUTH, layout=layout())
    assert (s.recall.count, s.recall.of) == (2, 2)
    assert (s.realised_fdr.count, s.realised_fdr.of) == (1, 3)  # a neuron is not connected to itself
    assert s.n_twice == 1


def test_a_shared_pad_stands_for_both_its_neurons():
    copied = net(("p1", "p4"), [("p1", "p4", -3e-3)])
    s = score(copied, TRUTH, layout=layout())
    assert (s.n_shared, s.recall.count, s.recall.of) == (1, 1, 1)  # B -> C is inside the pad
    aligned = align(copied, TRUTH, layout())
    assert aligned.members == ((1, 2), (3,))
    assert sorted(aligned.truth.weight_v[aligned.truth.pre == 0]) == [-3e-3]  # the stronger of B -> D and C -> D


def test_a_shared_pad_whose_second_neuron_is_told_apart_stands_for_one():
    copied = net(("p1", "p1b", "p4"), [("p1", "p1b", 1e-3), ("p1b", "p4", 2e-3)])
    s = score(copied, TRUTH, layout=layout())
    assert (s.n_shared, s.recall.count, s.recall.of) == (0, 2, 3)
    assert align(copied, TRUTH, layout()).members == ((1,), (2,), (3,))


def test_a_pad_that_hears_neighbours_from_outside_stays_false():
    copied = net(("p3", "p4"), [("p3", "p4", 1e-3)])
    s = score(copied, TRUTH, layout=layout())
    assert (s.n_unknown, s.realised_fdr.count, s.recall.of) == (1, 1, 0)


def test_hidden_neurons_are_those_that_were_grown_and_not_copied():
    copied = net(("p0", "p4"), [("p0", "p4", 1e-3)])
    assert score(copied, TRUTH, layout=layout()).hidden_fraction == pytest.approx(0.5)  # B and C
    more = score(copied, TRUTH, layout=layout(n_hidden=4))
    assert more.hidden_fraction == pytest.approx(0.75)


def test_hidden_input_counts_what_no_channel_hears():
    copied = net(("p0", "p4"), [("p0", "p4", 1e-3)])
    # Of D's input among recorded neurons (1 + 3 + 2 mV) the map lacks 5/6; half of all of it comes from hidden ones.
    share = align(copied, TRUTH, layout(n_hidden=4, share=(0.2, 0, 0, 0.5))).hidden_share
    assert share.tolist() == pytest.approx([0.2, 0.5 + 0.5 * 5 / 6])
    # A truth that holds the hidden neurons itself needs no telling.
    whole = net((*TRUE_LABELS, "h0"), [("p0", "p4", 1e-3), ("h0", "p4", 1e-3)])
    assert align(copied, whole, layout(n_hidden=1, share=(0, 0, 0, 0.5))).hidden_share.tolist() == [0.0, 0.5]


def test_without_shared_or_second_pads_a_layout_changes_nothing():
    labels = ("p0", "p1", "p1b", "p4")
    copied = net(labels, [("p0", "p4", 1e-3), ("p4", "p1", 1e-3)])
    one_each = Layout(
        channel_labels=labels,
        channel_neuron=np.array([[0, -1], [1, -1], [2, -1], [3, -1]]),
        n_hidden=0,
        hidden_input_share=np.zeros(4),
    )
    assert score(copied, TRUTH, layout=one_each).as_json() == score(copied, TRUTH).as_json()


def test_a_hidden_neuron_with_the_label_of_a_strange_pad_is_another():
    truth = net(("p0", "p4", "p3"), [("p3", "p4", 1e-3)])
    inside = np.array([[0, -1], [-1, -1], [-1, -1], [-1, -1], [1, -1]])
    there = Layout(channel_labels=PADS, channel_neuron=inside, n_hidden=0, hidden_input_share=np.zeros(3))
    s = score(net(("p3", "p4"), [("p3", "p4", 1e-3)]), truth, layout=there)
    assert (s.recall.count, s.n_unknown) == (1, 0)  # a label of the truth counts even where the pad never got inside


def test_spikes_of_a_second_pad_are_those_of_its_neuron():
    spikes = spike_trains(
        time_s=np.arange(40) * 0.1, neuron=np.repeat([0, 1, 2, 3], 10), labels=["p0", "p1", "p1b", "p4"]
    )
    copied = net(("p2", "p4"), [("p2", "p4", 1e-3)])
    s = score(copied, TRUTH, layout=layout(), spikes=spikes)
    assert s.slices["presynaptic spikes"][0].recall.count == 1
    with pytest.raises(CompareError, match="1 of the map's neurons have no spike train, the first 'p2'"):
        score(copied, TRUTH, spikes=spikes)


def test_calls_the_wrong_way_round_are_told_apart_from_other_false_calls():
    copied = net(TRUE_LABELS, [("p4", "p0", 1e-3), ("p4", "p1", 1e-3), ("p0", "p1", 1e-3)])
    w = score(copied, TRUTH).wrong_way
    assert (w.reverse_only.count, w.reverse_only.of) == (2, 4)
    assert (w.neither.count, w.neither.of) == (1, 4)


def test_kinds_are_wrong_where_a_chemical_synapse_is_called_electrical():
    rows = [("p0", "p4", 1e-3), ("p1", "p4", -3e-3), ("p1b", "p4", 2e-3)]
    truth = net(
        TRUE_LABELS, rows, kind=np.array([Kind.EXCITATORY_WEAK, Kind.INHIBITORY, Kind.EXCITATORY_WEAK], np.uint8)
    )
    plain = net(TRUE_LABELS, rows)
    assert (score(plain, truth).kind_error.count, score(plain, truth).kind_error.of) == (0, 3)
    finer = net(TRUE_LABELS, rows, kind=np.array([Kind.ELECTRICAL, Kind.INHIBITORY, Kind.EXCITATORY_STRONG], np.uint8))
    s = score(finer, truth)
    assert (s.kind_error.count, s.kind_error.of) == (2, 3)
    assert s.slices[next(iter(s.slices))][-1].kind_error.of == 2  # those of 2 mV and more
    assert "true EXCITATORY_WEAK    called: 1 EXCITATORY_STRONG, 1 ELECTRICAL" in "\n".join(s.to_lines())


def test_the_claim_holds_where_the_interval_reaches_it():
    rows = [("p0", "p4", 1e-3), ("p1", "p4", -3e-3), ("p1b", "p4", 2e-3), ("p0", "p1", 1e-3)]
    assert score(net(TRUE_LABELS, rows, q_value=np.full(4, 0.05)), TRUTH).claim_holds is True  # 1 of 4, from 0.046
    wrong = [(b, a, w) for a, b, w in rows]
    s = score(net(TRUE_LABELS, wrong, q_value=np.full(4, 0.05)), TRUTH)
    assert s.claim_holds is False
    assert "THE CLAIM DOES NOT HOLD" in "\n".join(s.to_lines())
    assert score(net(TRUE_LABELS, rows), TRUTH).claim_holds is None  # no q-value, no claim


def test_decoys_are_scaled_to_the_pairs_of_the_map():
    copied = net(("p0", "p4"), [("p0", "p4", 1e-3)])
    decoy = net(PADS, [("p0", "p4", 1e-3), ("p1", "p0", 1e-3)])
    alarms = score(copied, TRUTH, decoys={"shifted": decoy}).false_alarms["shifted"]
    assert alarms.calls_over_real == pytest.approx(2 / 20 * 2 / 1)


def test_a_layout_of_neurons_that_are_not_there_is_refused():
    with pytest.raises(MapError, match=r"channel_neuron\[0, 1\] is 4, but the truth has neurons 0 to 3"):
        Layout(channel_labels=("p0",), channel_neuron=np.array([[0, 4]]), n_hidden=0, hidden_input_share=np.zeros(4))
    with pytest.raises(MapError, match="n_hidden is -1"):
        Layout(channel_labels=PADS, channel_neuron=INSIDE, n_hidden=-1, hidden_input_share=np.zeros(4))
