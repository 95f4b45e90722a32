"""Scoring a map: against scikit-learn, against published intervals, against tables made by hand."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score

from neurograft.comparing import Direction, ScoreOptions, score
from neurograft.comparing._ranking import ranking, share
from neurograft.errors import CompareError, OptionError
from neurograft.maps import Evidence, Kind, Undecidable, synapse_map
from neurograft.spikes import spike_trains
from neurograft.units import MS, MV


@settings(max_examples=60, deadline=None)
@given(pairs=st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=60))
def test_ranking_equals_scikit_learn(pairs):
    value, is_true = (np.array(x) for x in zip(*pairs, strict=True))
    ours = ranking(value.astype(np.float64), is_true)
    if is_true.all() or not is_true.any():
        assert np.isnan(ours.auc)
        return
    assert ours.auc == pytest.approx(roc_auc_score(is_true, value))
    assert ours.average_precision == pytest.approx(average_precision_score(is_true, value))


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    # Newcombe, Statistics in Medicine 17:857 (1998), table N, method 3 (score, no continuity correction).
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_intervals_are_those_published(count, of, low, high):
    ours = share(count, of)
    assert (ours.low, ours.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@settings(max_examples=40, deadline=None)
@given(of=st.integers(1, 500), part=st.floats(0, 1))
def test_intervals_equal_scipy(of, part):
    count = round(part * of)
    theirs = stats.binomtest(count, of).proportion_ci(method="wilson")
    ours = share(count, of)
    assert (ours.low, ours.high) == (pytest.approx(theirs.low, abs=1e-12), pytest.approx(theirs.high, abs=1e-12))


def test_a_share_of_nothing_is_unknown():
    assert np.isnan(share(0, 0).value)
    assert str(share(0, 0)) == "- (0 of 0)"


LABELS = ("a", "b", "c", "d")
E, N, X = Kind.EXCITATORY_WEAK, Kind.INHIBITORY, Kind.ELECTRICAL


def by_hand(rows, *, labels=LABELS, **more):
    """Return a map from rows (pre, post, weight in mV, delay in ms, kind, q)."""
    number = {label: i for i, label in enumerate(labels)}
    pre, post, weight, delay, kind, q = zip(*rows, strict=True) if rows else ((), (), (), (), (), ())
    return synapse_map(
        n_neurons=len(labels),
        pre=np.array([number[x] for x in pre], dtype=np.int64),
        post=np.array([number[x] for x in post], dtype=np.int64),
        weight_v=np.array(weight, dtype=np.float64) * MV,
        delay_s=np.array(delay, dtype=np.float64) * MS,
        kind=np.array(kind, dtype=np.uint8),
        q_value=np.array(q, dtype=np.float64),
        labels=labels,
        **more,
    )


# Neuron h is hidden: the map does not have it.  Its input is half of c's.
TRUTH = by_hand(
    [
        ("h", "c", 0.4, 2, E, np.nan),
        ("a", "b", 1.0, 2, E, np.nan),
        ("a", "c", 0.4, 3, E, np.nan),
        ("d", "a", -0.6, 2, N, np.nan),
        ("b", "d", 0.05, 4, E, np.nan),
        ("c", "d", 0.3, 1, X, np.nan),
        ("d", "c", 0.3, 1, X, np.nan),
        ("d", "d", 9.0, 1, E, np.nan),  # a self-connection
        ("b", "c", 0.7, 9, Kind.POLYSYNAPTIC, np.nan),
    ],
    labels=("h", "d", "c", "b", "a"),  # in another order than the map's
)
# Found: a->b, a->c (wrong sign), d->a, c->d (as chemical).  Missed: b->d, d->c.  False: c->a.
ROWS = [
    ("a", "b", 0.8, 2.5, E, 0.001),
    ("a", "c", -0.2, 3.0, N, 0.04),
    ("d", "a", -0.6, 1.0, N, 0.002),
    ("c", "d", 0.3, 1.0, E, 0.03),
    ("c", "a", 0.2, 5.0, E, 0.05),
]


def test_confusions_are_those_made_by_hand():
    s = score(by_hand(ROWS), TRUTH)
    assert (s.recall.count, s.recall.of) == (4, 6)
    assert (s.realised_fdr.count, s.realised_fdr.of) == (1, 5)
    assert s.sign_confusion.tolist() == [[2, 1], [0, 1]]
    assert (s.sign_error.count, s.sign_error.of) == (1, 4)
    none = s.kind_names.index("NO_SYNAPSE")
    expected = np.zeros((none + 1, none + 1), dtype=int)
    expected[E, E] = expected[E, N] = expected[N, N] = expected[X, E] = 1
    expected[E, none] = expected[X, none] = 1
    expected[none, E] = 1
    assert s.kind_confusion.tolist() == expected.tolist()
    assert s.claimed_fdr == 0.05
    assert s.n_pairs == 12
    assert s.hidden_fraction == pytest.approx(0.2)


def test_a_call_of_undecided_kind_is_found_and_its_sign_and_strength_are_not_judged():
    rows = [(*row[:4], Kind.UNDECIDED, row[5]) if row[:2] == ("a", "c") else row for row in ROWS]
    s = score(by_hand(rows), TRUTH)
    assert (s.recall.count, s.realised_fdr.count) == (4, 1)
    assert s.sign_confusion.tolist() == [[2, 0], [0, 1]]
    assert (s.sign_error.count, s.sign_error.of) == (0, 3)
    assert s.kind_confusion[E, Kind.UNDECIDED] == 1
    assert (s.kind_error.count, s.kind_error.of) == (1, 3)  # c->d alone
    assert s.strength.n == 3
    assert s.delay.n == 3


def test_delay_and_strength_errors_are_those_made_by_hand():
    s = score(by_hand(ROWS, weight_se_v=np.full(5, 0.15 * MV)), TRUTH)
    # Chemical synapses found: a->b +0.5 ms, a->c 0, d->a -1 ms.
    assert s.delay.n == 3
    assert s.delay.bias_s == pytest.approx(-0.5 / 3 * MS)
    assert s.delay.median_abs_s == pytest.approx(0.5 * MS)
    true, called = np.array([1.0, 0.4, -0.6, 0.3]), np.array([0.8, -0.2, -0.6, 0.3])
    assert s.strength.pearson == pytest.approx(np.corrcoef(true, called)[0, 1])
    assert s.strength.spearman == pytest.approx(stats.spearmanr(true, called).statistic)
    assert s.strength.slope == pytest.approx(np.sum(true * called) / np.sum(true**2))
    assert s.strength.median_ratio == pytest.approx(0.9)  # of 0.8, -0.5, 1, 1
    assert (s.strength.coverage.count, s.strength.coverage.of) == (3, 4)  # 0.2, 0.6, 0 and 0 off; 0.294 allowed


def test_without_evidence_pairs_rank_by_q_then_weight():
    s = score(by_hand(ROWS), TRUTH)
    assert s.ranked_by.startswith("q-value")
    # True pairs have ranks 5, 4, 3 and 2 of the calls, the false call 1, two are missed among 6 ties at 0:
    # of 6 x 6 (true, other) comparisons 4 x 6 are won, 2 x 1 lost, 2 x 5 tied.
    assert s.rankings["all pairs"].auc == pytest.approx((24 + 5) / 36)
    tied = [(*row[:5], 0.01) for row in ROWS]
    weakest_is_false = score(by_hand([*tied[:4], (*tied[4][:2], 0.1, *tied[4][3:])]), TRUTH)
    assert weakest_is_false.rankings["all pairs"].auc == pytest.approx((24 + 5) / 36)
    strongest_is_false = score(by_hand([*tied[:4], (*tied[4][:2], 5.0, *tied[4][3:])]), TRUTH)
    assert strongest_is_false.rankings["all pairs"].auc == pytest.approx((24 - 4 + 5) / 36)
    no_q = score(by_hand([(*row[:5], np.nan) for row in ROWS]), TRUTH)
    assert no_q.ranked_by == "|weight|"
    assert no_q.reliability == ()


def evidence(z, undecidable=None):
    n = len(z)
    u = np.zeros((n, n), dtype=np.uint8) if undecidable is None else undecidable
    return Evidence(z=np.array(z, np.float32), limit_v=np.zeros((n, n), np.float32), undecidable=u)


def test_evidence_ranks_all_pairs_and_undecidable_ones_can_be_left_out():
    rng = np.random.default_rng(1)
    z = rng.normal(size=(4, 4))
    true = np.zeros((4, 4), dtype=bool)
    for a, b in ("ab", "ac", "da", "bd", "cd", "dc"):
        true[LABELS.index(a), LABELS.index(b)] = True
    undecidable = np.zeros((4, 4), dtype=np.uint8)
    undecidable[1, 3] = Undecidable.TOO_FEW_SPIKES  # b->d, connected
    undecidable[1, 0] = Undecidable.SILENT
    z[1, 0] = np.nan
    s = score(by_hand(ROWS, evidence=evidence(z, undecidable)), TRUTH)
    pairs = ~np.eye(4, dtype=bool)
    size = np.nan_to_num(np.abs(z))
    assert s.ranked_by == "|z|"
    assert s.rankings["all pairs"].auc == pytest.approx(roc_auc_score(true[pairs], size[pairs]), abs=1e-6)
    decided = pairs & (undecidable == 0)
    assert s.rankings["decided"].auc == pytest.approx(roc_auc_score(true[decided], size[decided]), abs=1e-6)
    assert s.rankings["pre and post exchanged"].auc == pytest.approx(roc_auc_score(true[pairs], size.T[pairs]))
    assert (s.n_undecidable, s.n_true_undecidable) == (2, 1)
    assert (s.recall_decided.count, s.recall_decided.of) == (4, 5)
    inhibitory = np.zeros((4, 4), dtype=bool)
    inhibitory[3, 0] = True
    assert s.rankings["inhibitory"].auc == pytest.approx(
        roc_auc_score(inhibitory[pairs], np.nan_to_num(-z)[pairs]), abs=1e-6
    )
    assert s.rankings["excitatory"].n_true == 5


def test_slices_by_strength_and_hidden_input():
    s = score(
        by_hand(ROWS), TRUTH, options=ScoreOptions(psp_edges_v=(0.0, 0.35 * MV, np.inf), hidden_edges=(0, 0.3, 1))
    )
    weak, strong = next(iter(s.slices.values()))
    assert (weak.recall.count, weak.recall.of) == (1, 3)
    assert (strong.recall.count, strong.recall.of) == (3, 3)
    assert (weak.realised_fdr.count, weak.realised_fdr.of) == (1, 3)  # called with 0.2, 0.3 and the false 0.2 mV
    assert (strong.sign_error.count, strong.sign_error.of) == (1, 3)
    assert strong.ranking.auc == 1.0  # every strong synapse ranks above every unconnected pair
    seen, hidden = s.slices["hidden share of the postsynaptic neuron's input"]
    assert hidden.recall.of == 2  # c gets 0.4 of 1.1 mV from h
    assert seen.recall.of == 4
    assert hidden.ranking.n_pairs == 3


def test_slices_by_presynaptic_spikes():
    spikes = spike_trains(
        time_s=np.arange(160) * 0.1, neuron=np.repeat([0, 1, 2, 3], [100, 30, 20, 10]), labels=["d", "c", "b", "a"]
    )
    options = ScoreOptions(spike_edges=(0, 15, 50, np.inf))
    few, some, many = score(by_hand(ROWS), TRUTH, spikes=spikes, options=options).slices["presynaptic spikes"]
    assert (few.recall.count, few.recall.of) == (2, 2)  # a
    assert (some.recall.count, some.recall.of) == (1, 2)  # b and c
    assert (some.realised_fdr.count, some.realised_fdr.of) == (1, 2)
    assert (many.recall.count, many.recall.of) == (1, 2)  # d
    with pytest.raises(CompareError, match="1 of the map's neurons have no spike train, the first 'd'"):
        score(by_hand(ROWS), TRUTH, spikes=spike_trains(time_s=np.zeros(1), neuron=np.zeros(1, int), labels=[*"abc"]))


def test_reliability_counts_calls_up_to_each_level():
    s = score(by_hand(ROWS), TRUTH, options=ScoreOptions(q_levels=(0.002, 0.049, 0.05)))
    assert [(r.realised_fdr.count, r.realised_fdr.of) for r in s.reliability] == [(0, 2), (0, 4), (1, 5)]


def random_truth(n=40, seed=3):
    rng = np.random.default_rng(seed)
    pre, post = np.nonzero((rng.random((n, n)) < 0.1) & ~np.eye(n, dtype=bool))
    return synapse_map(n_neurons=n, pre=pre, post=post, weight_v=rng.lognormal(-8, 1, pre.size), delay_s=0.002)


def turned(m):
    return synapse_map(n_neurons=m.n_neurons, pre=m.post, post=m.pre, weight_v=m.weight_v, delay_s=m.delay_s)


def test_a_swapped_map_is_told_loudly():
    truth = random_truth()
    right, wrong = score(truth, truth), score(turned(truth), truth)
    assert right.orientation.found is Direction.RIGHT
    assert not right.is_swapped
    assert wrong.is_swapped
    assert wrong.to_lines()[0].startswith("PRE AND POST ARE SWAPPED")
    assert wrong.rankings["pre and post exchanged"].auc == 1.0
    assert right.rankings["pre and post exchanged"].auc == wrong.rankings["all pairs"].auc


def test_a_swapped_score_matrix_is_told_even_with_noise():
    truth = random_truth()
    rng = np.random.default_rng(4)
    z = 5e3 * truth.weight_matrix_v() + rng.normal(size=(40, 40))
    calls = synapse_map(n_neurons=40, pre=np.zeros(0, int), post=np.zeros(0, int), weight_v=np.zeros(0), delay_s=0.001)
    for matrix, found in (
        (z, Direction.RIGHT),
        (z.T, Direction.SWAPPED),
        (rng.normal(size=(40, 40)), Direction.UNCLEAR),
    ):
        m = synapse_map(
            n_neurons=40,
            pre=calls.pre,
            post=calls.post,
            weight_v=calls.weight_v,
            delay_s=0.001,
            evidence=evidence(matrix),
        )
        assert score(m, truth).orientation.found is found


def test_the_truth_scores_perfectly_on_itself():
    truth = random_truth()
    s = score(truth, truth)
    assert s.rankings["all pairs"].auc == 1.0
    assert s.rankings["all pairs"].average_precision == 1.0
    assert s.recall.value == 1.0
    assert s.realised_fdr.value == 0.0
    assert s.strength.pearson == pytest.approx(1.0)
    assert s.strength.slope == pytest.approx(1.0)
    assert s.delay.median_abs_s == 0.0


def test_an_empty_map_finds_nothing_and_ranks_nothing():
    s = score(by_hand([]), TRUTH)
    assert s.rankings["all pairs"].auc == 0.5
    assert s.recall.value == 0.0
    assert np.isnan(s.realised_fdr.value)
    assert np.isnan(s.claimed_fdr)
    assert s.orientation.found is Direction.UNCLEAR


def test_the_order_of_neurons_does_not_matter():
    order = ("c", "a", "d", "b")
    there, mixed = score(by_hand(ROWS), TRUTH).as_json(), score(by_hand(ROWS, labels=order), TRUTH).as_json()
    assert there == mixed


def test_decoys_tell_their_false_alarms():
    s = score(by_hand(ROWS), TRUTH, decoys={"time-shifted": by_hand(ROWS[:1])})
    alarms = s.false_alarms["time-shifted"]
    assert (alarms.calls_a_pair.count, alarms.calls_a_pair.of) == (1, 12)
    assert alarms.calls_over_real == pytest.approx(0.2)


def test_json_and_lines_hold_everything():
    s = score(by_hand(ROWS), TRUTH, decoys={"acausal": by_hand([])})
    plain = json.loads(json.dumps(s.as_json(), allow_nan=False))
    assert plain["sign_confusion"] == [[2, 1], [0, 1]]
    assert plain["orientation"]["found"] in {d.name for d in Direction}
    text = "\n".join(s.to_lines())
    for part in (
        "AUC",
        "average precision",
        "Realised false-discovery rate  0.200",
        "By |PSP|",
        "acausal",
        "Orientation",
    ):
        assert part in text


def test_maps_that_cannot_be_scored_are_refused():
    with pytest.raises(CompareError, match="4 of the map's 4 neurons are not in the truth, the first '0'"):
        score(by_hand([], labels=("0", "1", "2", "3")), TRUTH)
    with pytest.raises(CompareError, match="The map has 1 neurons"):
        score(by_hand([], labels=("a",)), TRUTH)
    with pytest.raises(OptionError, match="q_levels is"):
        ScoreOptions(q_levels=(0.1, 0.05))


def test_a_neuron_that_is_not_in_the_truth_makes_every_call_to_it_false():
    def net(labels, pre, post):
        return synapse_map(
            n_neurons=len(labels), pre=np.array(pre), post=np.array(post), weight_v=np.ones(len(pre)), delay_s=1e-3,
            q_value=0.01, labels=labels,
        )  # fmt: skip

    result = score(net(["a", "b", "x"], [0, 0, 2], [1, 2, 1]), net(["a", "b"], [0], [1]))
    assert (result.n_unknown, result.hidden_fraction) == (1, 0.0)
    assert (result.realised_fdr.count, result.realised_fdr.of) == (2, 3)
    assert "3 neurons (1 not in the truth)" in "\n".join(result.to_lines())
