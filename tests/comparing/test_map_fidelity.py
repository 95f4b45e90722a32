"""Comparing two maps."""

import json

import numpy as np
import pytest

from neurograft.comparing import compare_maps, shuffled_map
from neurograft.errors import CompareError
from neurograft.maps import Kind, synapse_map
from neurograft.units import MV


def wired(weight_mv, labels=("a", "b", "c")):
    """Return a map from {(pre, post): weight in mV}."""
    pairs = list(weight_mv)
    return synapse_map(
        n_neurons=len(labels),
        pre=np.array([labels.index(p) for p, _ in pairs], dtype=np.int64),
        post=np.array([labels.index(q) for _, q in pairs], dtype=np.int64),
        weight_v=np.array(list(weight_mv.values())) * MV,
        delay_s=0.001,
        kind=np.array([Kind.INHIBITORY if w < 0 else Kind.CHEMICAL for w in weight_mv.values()], dtype=np.uint8),
        labels=labels,
    )


A = {("a", "b"): 1.0, ("b", "c"): 0.5, ("c", "a"): -2.0, ("c", "c"): 0.25}
B = {("a", "b"): 1.1, ("b", "c"): -0.5, ("c", "a"): -2.0, ("b", "a"): 0.3}


def test_a_map_equals_itself():
    f = compare_maps(wired(A), wired(A))
    assert (f.n_shared, f.n_missing, f.n_added, f.n_sign_flipped, f.n_kind_changed) == (4, 0, 0, 0, 0)
    assert f.relative_error_p95 == 0.0
    assert f.rms_error_v == 0.0
    for r in (f.correlation_shared, f.correlation_all, f.in_strength_correlation, f.out_strength_correlation):
        assert r == pytest.approx(1.0)


def test_differences_are_those_made_by_hand():
    f = compare_maps(wired(A), wired(B))
    assert (f.n_a, f.n_b, f.n_shared, f.n_missing, f.n_added) == (4, 4, 3, 1, 1)
    assert f.n_sign_flipped == 1
    assert f.n_kind_changed == 1
    assert f.relative_error_median == pytest.approx(0.1)  # of 0.1, 2 and 0
    assert f.weight_bias_v == pytest.approx((0.1 - 1.0) / 3 * MV)
    assert f.rms_error_v == pytest.approx(np.sqrt((0.1**2 + 1 + 0.25**2 + 0.3**2) / 5) * MV)
    a, b = wired(A).weight_matrix_v(), wired(B).weight_matrix_v()
    assert f.correlation_all == pytest.approx(np.corrcoef(a.ravel(), b.ravel())[0, 1])
    assert f.out_strength_correlation == pytest.approx(np.corrcoef(a.sum(1), b.sum(1))[0, 1])
    assert f.in_strength_correlation == pytest.approx(np.corrcoef(a.sum(0), b.sum(0))[0, 1])


def test_neurons_are_matched_by_label():
    f = compare_maps(wired(A), wired(A, labels=("x", "c", "b", "a")))
    assert (f.n_neurons, f.n_only_in_b, f.n_shared, f.n_missing) == (3, 1, 4, 0)
    assert f.correlation_all == pytest.approx(1.0)


def test_repeated_synapses_of_a_pair_are_added():
    split = synapse_map(
        n_neurons=3,
        pre=np.array([0, 0, 0]),
        post=np.array([1, 1, 2]),
        weight_v=np.array([0.4, 0.6, 5.0]) * MV,
        delay_s=0.001,
        kind=np.array([Kind.EXCITATORY_WEAK, Kind.ELECTRICAL, Kind.POLYSYNAPTIC], dtype=np.uint8),
        labels=("a", "b", "c"),
    )
    f = compare_maps(wired({("a", "b"): 1.0}), split)
    assert (f.n_shared, f.n_added) == (1, 0)
    assert f.relative_error_median == pytest.approx(0.0, abs=1e-12)


def test_a_shuffled_map_keeps_neurons_outputs_only():
    rng = np.random.default_rng(1)
    pre, post = np.nonzero((rng.random((50, 50)) < 0.1) & ~np.eye(50, dtype=bool))
    m = synapse_map(n_neurons=50, pre=pre, post=post, weight_v=rng.lognormal(-8, 1, pre.size), delay_s=0.001)
    f = compare_maps(m, shuffled_map(m, rng))
    assert f.out_strength_correlation == pytest.approx(1.0)
    assert abs(f.correlation_all) < 0.1  # five times the 1/sqrt(2,450) of unrelated pairs


def test_json_holds_no_nan():
    plain = compare_maps(wired({}), wired({})).as_json()
    assert json.loads(json.dumps(plain, allow_nan=False))["relative_error_median"] is None
    assert len(compare_maps(wired(A), wired(B)).to_lines()) == 6


def test_strangers_are_refused():
    with pytest.raises(CompareError, match="no neuron label in common"):
        compare_maps(wired(A), wired({}, labels=("x", "y")))
