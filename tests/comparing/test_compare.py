"""Whole comparisons: identity, nulls that must be beaten and nulls that must not, symmetry, refusals."""

import json

import numpy as np
import pytest

from comparing.nets import activity, poisson, random_weights
from neurograft.comparing import BurstRule, CompareOptions, SameDrive, compare, poisson_trains
from neurograft.comparing._align import with_neurons
from neurograft.comparing._compare import null_result
from neurograft.errors import CompareError, MissingExtraError, OptionError
from neurograft.spikes import spike_trains

WIRED = ("ms coupling", "correlation 20 ms")
SECONDS = 20.0


FEW = {"n_poisson": 0}


@pytest.fixture(scope="module")
def net():
    rng = np.random.default_rng(11)
    weights = random_weights(12, rng)
    shuffled = []
    for _ in range(4):
        order = rng.permutation(12)
        shuffled.append(activity(weights[np.ix_(order, order)], seconds=SECONDS, rng=rng))
    return {
        "original": activity(weights, seconds=SECONDS, rng=rng),
        "copy": activity(weights, seconds=SECONDS, rng=rng),
        "third": activity(weights, seconds=SECONDS, rng=rng),
        "shuffled": shuffled,
    }


@pytest.fixture(scope="module")
def fidelity(net):
    return compare(net["original"], net["copy"], nulls={"shuffled": net["shuffled"]}, seed=1)


def test_a_second_run_of_the_same_map_beats_both_nulls_where_it_matters(fidelity):
    for name in WIRED:
        row = fidelity.row(name)
        assert row.is_headline
        assert row.beats_all
        # Nearly all the way from the null to the original's own other half; its sampling spread is about 0.1.
        assert row.recovered("shuffled") == pytest.approx(1.0, abs=0.3)
    assert fidelity.beats_nulls


def test_a_shuffled_net_passed_off_as_the_copy_does_not_win(net):
    fidelity = compare(net["original"], net["shuffled"][0], nulls={"shuffled": net["shuffled"][1:]}, seed=1)
    assert not fidelity.beats_nulls
    assert fidelity.row("ms coupling").nulls["shuffled"].is_beaten is False


def test_an_activity_is_at_distance_zero_from_itself_and_beats_all_nulls(net):
    fidelity = compare(net["original"], net["original"], nulls={"shuffled": net["shuffled"]}, seed=1)
    known = [row for row in fidelity.rows if row.is_applicable]
    assert len(known) >= 15
    for row in known:
        assert row.distance == pytest.approx(0.0, abs=1e-12), row.name
        assert row.original == pytest.approx(row.copy, nan_ok=True)
    assert fidelity.beats_nulls


def test_distances_are_symmetric(net):
    options = CompareOptions(n_poisson=0)
    forth = compare(net["original"], net["copy"], nulls={}, options=options, seed=1)
    back = compare(net["copy"], net["original"], nulls={}, options=options, seed=1)
    for one, two in zip(forth.rows, back.rows, strict=True):
        assert one.distance == pytest.approx(two.distance, nan_ok=True), one.name
        assert one.original == pytest.approx(two.copy, nan_ok=True)


def test_the_order_of_neurons_does_not_matter(net):
    options = CompareOptions(n_poisson=0)
    order = np.random.default_rng(2).permutation(12)
    mixed = [with_neurons(net[name], [net[name].labels[i] for i in order]) for name in ("original", "copy")]
    there = compare(net["original"], net["copy"], nulls={}, options=options, seed=1)
    for pair in (mixed, [net["original"], mixed[1]]):
        again = compare(*pair, nulls={}, options=options, seed=1)
        for one, two in zip(there.rows, again.rows, strict=True):
            assert one.distance == pytest.approx(two.distance, nan_ok=True), one.name


@pytest.mark.parametrize(
    ("n_trials", "most"),
    # The most wins of one row in n_trials at 5 %: passed by chance in under 0.3 %.  Fewer are no fault.
    [(12, 4), pytest.param(200, 19, marks=pytest.mark.slow)],
)
def test_poisson_does_not_beat_poisson_more_often_than_it_claims(n_trials, most):
    # Copy and null are draws of one process, so p <= 0.05 happens in 5 % of the rows at most.
    rng = np.random.default_rng(21)
    original = poisson(n=5, seconds=12.0, rate_hz=6.0, rng=rng)
    wins: dict[str, int] = {}
    for seed in range(n_trials):
        fidelity = compare(original, poisson_trains(original, rng), nulls={}, seed=seed)
        for row in fidelity.rows:
            wins[row.name] = wins.get(row.name, 0) + (row.nulls["poisson"].is_beaten is True)
    assert max(wins.values()) <= most, wins


def test_the_p_of_few_nulls_is_uniform_for_a_draw_of_the_null():
    # 2,000 draws: the share under 0.05 has a standard error of 0.5 %.
    rng = np.random.default_rng(22)
    p = [null_result(float(rng.normal()), rng.normal(size=4), np.zeros(4), alpha=0.05).p for _ in range(2000)]
    assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.05, abs=0.02)
    assert np.mean(p) == pytest.approx(0.5, abs=0.03)


def test_two_nulls_or_equal_nulls_cannot_be_judged():
    assert null_result(0.0, np.array([1.0, 2.0]), np.zeros(2), alpha=0.05).is_beaten is None
    assert null_result(0.0, np.ones(5), np.zeros(5), alpha=0.05).is_beaten is None
    assert null_result(0.0, np.ones(19), np.zeros(19), alpha=0.05).is_beaten is True
    assert null_result(1.0, np.ones(19), np.zeros(19), alpha=0.05).is_beaten is False


def test_rates_are_never_headline_and_unreachable_rows_say_why(fidelity):
    assert not fidelity.row("rate").is_headline
    trains = poisson(n=5, seconds=12.0, rate_hz=6.0, rng=np.random.default_rng(3))
    none = compare(trains, trains, nulls={}, seed=1)
    assert "cannot show" in none.row("ms coupling").note
    assert not none.row("ms coupling").is_headline


def test_repeats_give_the_ceiling_instead_of_halves(net):
    options = CompareOptions(**FEW)
    by_halves = compare(net["original"], net["copy"], nulls={}, options=options, seed=1)
    by_repeats = compare(net["original"], net["copy"], nulls={}, repeats=[net["third"]], options=options, seed=1)
    assert by_halves.ceiling_from != by_repeats.ceiling_from
    row = by_repeats.row("ms coupling")
    assert row.copy_at_ceiling == row.distance
    # Whole runs hold twice the spikes of halves, so they are nearer to each other.
    assert row.ceiling < by_halves.row("ms coupling").ceiling


def test_the_same_seed_gives_the_same_table(net):
    options = CompareOptions(n_poisson=2)
    tables = [compare(net["original"], net["copy"], nulls={}, options=options, seed=s).to_lines() for s in (5, 5, 6)]
    assert tables[0] == tables[1]
    assert tables[0] != tables[2]


@pytest.mark.parametrize(
    "changes",
    [
        {"coupling_window_s": (0.0005, 0.003)},
        {"flank_s": 0.05},
        {"bins_s": (0.03, 0.1)},
        {"min_intervals": 150},
        {"spectrum_bin_s": 0.004},
        {"spectrum_segment_s": 1.0},
        {"n_poisson": 3},
        {"max_pair_neurons": 6},
        {"burst": BurstRule(chance=1e-9, min_spikes=9)},
    ],
    ids=lambda c: next(iter(c)),
)
def test_each_option_changes_the_result(net, changes):
    one, two = (
        compare(
            net["original"], net["copy"], nulls={}, options=CompareOptions(**({"n_poisson": 2} | c)), seed=1
        ).as_json()
        for c in ({}, changes)
    )
    assert one["rows"] != two["rows"]


def test_alpha_decides_what_is_beaten():
    draws = np.array([1.0, 1.2, 0.9, 1.1])
    found = [null_result(0.5, draws, draws, alpha=alpha).is_beaten for alpha in (0.05, 1e-4)]
    assert found == [True, False]


def test_many_neurons_are_thinned_for_pairs_only(net):
    fidelity = compare(
        net["original"], net["copy"], nulls={}, options=CompareOptions(max_pair_neurons=6, **FEW), seed=1
    )
    assert fidelity.n_pair_neurons == 6
    assert fidelity.curves.rate_hz["copy"].size == 12
    assert fidelity.curves.pair_coupling_z["copy"].size == 30


def test_unequal_lengths_are_cut_and_said(net):
    fidelity = compare(net["original"], net["copy"].between(0.0, 15.0), nulls={}, options=CompareOptions(**FEW), seed=1)
    assert fidelity.duration_s == pytest.approx(15.0)
    assert "the first 15 s of each are compared" in fidelity.notes[0]


def test_a_silent_copy_is_a_result_and_wins_nothing(net):
    silent = spike_trains(time_s=np.zeros(0), neuron=np.zeros(0, np.int64), n_neurons=12, epochs_s=net["copy"].epochs_s)
    fidelity = compare(net["original"], silent, nulls={"shuffled": net["shuffled"]}, seed=1)
    assert "The copy is silent." in fidelity.notes
    assert fidelity.row("rate").distance == 2.0
    assert fidelity.row("ms coupling").distance == 1.0
    assert fidelity.row("intervals").distance == 1.0
    assert not any(row.beats_all for row in fidelity.rows)


def test_json_holds_no_nan(fidelity):
    plain = fidelity.as_json()
    text = json.dumps(plain, allow_nan=False)
    assert json.loads(text)["rows"][0]["name"] == "rate"


def test_twins_with_one_drive_have_train_distances(net):
    pytest.importorskip("elephant")
    options = CompareOptions(same_drive=SameDrive(max_neurons=3), n_poisson=2)
    moved = net["original"].between(0.0, SECONDS - 0.002)
    moved = spike_trains(
        time_s=moved.time_s + 0.001, neuron=moved.neuron, n_neurons=12, epochs_s=net["original"].epochs_s
    )
    fidelity = compare(net["original"], moved, nulls={}, options=options, seed=1)
    # Every spike moves 1 ms at 100 a second: 0.1 for each pair of spikes, so 0.05 of all spikes.
    assert fidelity.row("Victor-Purpura").distance == pytest.approx(0.05, abs=0.005)
    assert 0 < fidelity.row("van Rossum").distance < 0.5 * fidelity.row("van Rossum").nulls["poisson"].mean
    slower = CompareOptions(same_drive=SameDrive(max_neurons=3, tau_s=0.1, cost_per_s=10.0), n_poisson=0)
    other = compare(net["original"], moved, nulls={}, options=slower, seed=1)
    assert other.row("Victor-Purpura").distance < fidelity.row("Victor-Purpura").distance
    assert other.row("van Rossum").distance < fidelity.row("van Rossum").distance


def test_train_distances_are_not_applicable_without_one_drive(fidelity):
    row = fidelity.row("van Rossum")
    assert not row.is_applicable
    assert "same drive" in row.note


def test_train_distances_need_elephant(net, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "elephant.spike_train_dissimilarity", None)
    options = CompareOptions(same_drive=SameDrive(), n_poisson=0)
    with pytest.raises(MissingExtraError, match=r"neurograft\[distances\]"):
        compare(net["original"], net["copy"], nulls={}, options=options, seed=1)


def relabelled(trains, labels):
    return spike_trains(
        time_s=trains.time_s, neuron=trains.neuron, n_neurons=12, labels=labels, epochs_s=trains.epochs_s
    )


def test_different_neurons_are_refused_or_cut_on_request(net):
    other = relabelled(net["copy"], [*"abcd", *net["copy"].labels[4:]])
    with pytest.raises(CompareError, match=r"8 labels are in both \(missing: 0, 1, 2, 3; added: a, b, c, d\)"):
        compare(net["original"], other, nulls={}, seed=1)
    fidelity = compare(net["original"], other, nulls={}, options=CompareOptions(is_partial_allowed=True, **FEW), seed=1)
    assert fidelity.n_neurons == 8
    assert "8 neurons that all activities have, of 12" in fidelity.notes[0]
    with pytest.raises(CompareError, match="no label in common"):
        compare(net["original"], relabelled(net["copy"], [f"x{i}" for i in range(12)]), nulls={}, seed=1)


def test_unusable_activities_are_refused(net):
    silent = spike_trains(
        time_s=np.zeros(0), neuron=np.zeros(0, np.int64), n_neurons=12, epochs_s=net["original"].epochs_s
    )
    with pytest.raises(CompareError, match="The original has no spike in its first 20 s"):
        compare(silent, net["copy"], nulls={}, seed=1)
    with pytest.raises(CompareError, match="the copy lasts 3 s, under 5 s"):
        compare(net["original"], net["copy"].between(0.0, 3.0), nulls={}, seed=1)
    with pytest.raises(CompareError, match=r"null 'shuffled' \(1\) lasts 2 s"):
        compare(
            net["original"],
            net["copy"],
            nulls={"shuffled": [net["copy"], net["copy"].between(0.0, 2.0)]},
            seed=1,
        )
    with pytest.raises(CompareError, match="null is named 'poisson'"):
        compare(net["original"], net["copy"], nulls={"poisson": [net["copy"]]}, seed=1)
    with pytest.raises(CompareError, match="null 'shuffled' has no activity"):
        compare(net["original"], net["copy"], nulls={"shuffled": []}, seed=1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"coupling_window_s": (0.01, 0.005)}, "coupling_window_s is"),
        ({"bins_s": ()}, "bins_s is"),
        ({"spectrum_segment_s": 0.001}, "segments of at least eight bins"),
        ({"min_duration_s": 1.0}, "at least two segments"),
        ({"alpha": 0.0}, "alpha is 0"),
        ({"n_poisson": -1}, "n_poisson is -1"),
    ],
)
def test_unusable_options_are_refused(changes, message):
    with pytest.raises(OptionError, match=message):
        CompareOptions(**changes)


def test_progress_is_told_to_its_end(net):
    told = []
    options = CompareOptions(n_poisson=2)
    compare(
        net["original"],
        net["copy"],
        nulls={"shuffled": net["shuffled"][:1]},
        options=options,
        seed=1,
        progress=lambda what, done, total: told.append((what, done, total)),
    )
    assert [done for _, done, _ in told] == [0, 1, 2, 3]
    assert {total for *_, total in told} == {3}


def test_curves_hold_every_activity_on_the_same_axes(fidelity):
    curves = fidelity.curves
    for values in (curves.spectrum, curves.interval_density, curves.rate_hz, curves.pair_coupling_z):
        assert list(values) == ["original", "copy", "shuffled", "poisson"]
        assert len({x.size for x in values.values()}) == 1
    # Shares a decade, added over bins of a tenth of a decade, make the whole.
    assert curves.interval_density["original"].sum() / 10 == pytest.approx(1.0, abs=0.01)
