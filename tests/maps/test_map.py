"""The synaptic map: sorted, read-only, every broken invariant named."""

import numpy as np
import pytest

from neurograft.errors import MapError
from neurograft.maps import Evidence, Kind, synapse_map
from neurograft.units import MS, MV


def small_map(**changes):
    given = {
        "n_neurons": 3,
        "pre": np.array([2, 0, 0]),
        "post": np.array([0, 2, 1]),
        "weight_v": np.array([-1.0, 0.5, 0.25]) * MV,
        "delay_s": np.array([1.0, 2.0, 3.0]) * MS,
        "extra": {"rise_s": np.array([3.0, 2.0, 1.0]) * MS},
    }
    return synapse_map(**(given | changes))


def test_synapses_are_sorted_with_every_column():
    m = small_map()
    assert m.pre.tolist() == [0, 0, 2]
    assert m.post.tolist() == [1, 2, 0]
    assert m.weight_v.tolist() == [0.25 * MV, 0.5 * MV, -1.0 * MV]
    assert m.extra["rise_s"].tolist() == [1.0 * MS, 2.0 * MS, 3.0 * MS]


def test_matrix_is_pre_by_post():
    assert small_map().weight_matrix_v()[2, 0] == -1.0 * MV


def test_select_keeps_neurons_and_cuts_every_column():
    m = small_map()
    inhibitory = m.select(m.weight_v < 0)
    assert inhibitory.n_synapses == 1
    assert inhibitory.n_neurons == 3
    assert inhibitory.extra["rise_s"].tolist() == [3.0 * MS]


def test_a_pair_may_have_a_chemical_and_an_electrical_synapse():
    m = small_map(post=np.array([0, 1, 1]), kind=np.array([0, Kind.ELECTRICAL, 0], dtype=np.uint8))
    assert m.kind.tolist() == [0, 4, 0]


def test_arrays_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        small_map().weight_v[0] = 1.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"post": np.array([0, 3, 1])}, r"post\[1\] is 3, but there are neurons 0 to 2"),
        ({"pre": np.array([2, -1, 0])}, r"pre\[1\] is -1"),
        ({"weight_v": np.array([1.0, np.nan, 1.0])}, r"weight_v\[1\] is nan"),
        ({"delay_s": 5.0}, "outside 0 to 1.0 s"),
        ({"q_value": 1.5}, "outside 0 to 1"),
        ({"weight_se_v": -1.0}, "standard errors above 0"),
        ({"post": np.array([0, 1, 1])}, "0 -> 1 of kind CHEMICAL is given twice"),
        ({"labels": ["a", "b", "a"]}, "'a' is given twice"),
        ({"sign": np.array([0, 2, 1], dtype=np.int8)}, r"sign\[1\] is 2"),
        pytest.param({"weight_v": np.ones(2)}, "weight_v has shape", marks=pytest.mark.plain),
        ({"extra": {"weight_v": np.ones(3)}}, "'weight_v' has the name of a column that every map has"),
        ({"cell_type": ["a"]}, "cell_type has 1 entries"),
        ({"kind": np.array([0, 9, 0], dtype=np.uint8)}, r"kind\[\d\] is 9"),
    ],
)
def test_broken_input_is_named(changes, message):
    with pytest.raises(MapError, match=message):
        small_map(**changes)


def test_evidence_of_another_size_is_refused():
    square = np.zeros((2, 2))
    evidence = Evidence(
        z=square.astype(np.float32), limit_v=square.astype(np.float32), undecidable=square.astype(np.uint8)
    )
    with pytest.raises(MapError, match="neurons by neurons"):
        small_map(evidence=evidence)
