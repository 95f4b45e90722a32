"""Matrices to maps, two maps to one, maps to files of other fields, a map in ten lines."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from neurograft.errors import MapError
from neurograft.maps import (
    Evidence,
    Kind,
    NeuronTable,
    TableOptions,
    describe,
    export_csv,
    export_graphml,
    export_npz,
    export_parquet,
    import_table,
    map_from_matrix,
    merge_maps,
    neurons_path,
    synapse_map,
)
from neurograft.provenance import Provenance
from neurograft.units import MS, MV


def small_map():
    return synapse_map(
        n_neurons=3,
        pre=np.array([0, 0, 2, 2]),
        post=np.array([1, 2, 0, 0]),
        weight_v=np.array([0.1, 0.2, -0.3, 0.4]) * MV,
        delay_s=np.array([1.0, 2.0, 3.0, 0.0]) * MS,
        kind=np.array([0, 1, 3, 4], dtype=np.uint8),
        q_value=np.array([0.01, np.nan, 0.03, np.nan]),
        labels=["a", 'b "<&>,', "é"],
        position_um=np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [np.nan] * 3]),
        sign=np.array([1, 0, -1], dtype=np.int8),
        cell_type=["PC", "", "PV"],
        extra={"rise_s": np.array([1.0, 2.0, 3.0, 4.0]) * MS},
        provenance=Provenance(command="test", seed=3),
    )


@given(
    entries=st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 4), st.floats(-1, 1).map(lambda x: round(x, 3))), max_size=12
    )
)
def test_a_matrix_becomes_a_map_and_the_map_the_matrix(entries):
    dense = np.zeros((5, 5))
    for row, column, value in entries:
        dense[row, column] = value
    for matrix in (dense, sparse.csr_matrix(dense), sparse.coo_array(dense), sparse.lil_array(dense)):
        m = map_from_matrix(matrix, delay_s=MS)
        assert np.array_equal(m.weight_matrix_v(), dense)
        assert m.n_synapses == np.count_nonzero(dense)


def test_repeated_sparse_entries_are_added_and_the_matrix_stays_as_it_was():
    matrix = sparse.coo_array((np.array([1.0, 2.0]), (np.array([0, 0]), np.array([1, 1]))), shape=(2, 2))
    assert map_from_matrix(matrix, delay_s=MS).weight_v.tolist() == [3.0]
    assert matrix.nnz == 2


def test_delays_may_be_a_matrix():
    m = map_from_matrix(np.array([[0.0, 1.0], [2.0, 0.0]]), delay_s=np.array([[0.0, 0.1], [0.2, 0.0]]))
    assert m.delay_s.tolist() == [0.1, 0.2]


@pytest.mark.plain
def test_matrices_of_the_wrong_shape_are_refused():
    with pytest.raises(MapError, match=r"is \(2, 3\). Give a square one"):
        map_from_matrix(np.ones((2, 3)), delay_s=MS)
    with pytest.raises(MapError, match="delay matrix is"):
        map_from_matrix(np.ones((2, 2)), delay_s=np.ones((3, 3)))


def test_nan_in_a_matrix_is_refused():
    with pytest.raises(MapError, match="not finite"):
        map_from_matrix(np.array([[0.0, np.nan], [0.0, 0.0]]), delay_s=MS)


def test_merging_joins_neurons_by_label_and_fills_what_one_map_lacks():
    first = small_map()
    second = synapse_map(
        n_neurons=2,
        pre=np.array([0, 1]),
        post=np.array([1, 0]),
        weight_v=np.array([1.0, 1.0]) * MV,
        delay_s=0.0,
        kind=Kind.ELECTRICAL,
        labels=["new", "é"],
        position_um=np.array([[9.0] * 3, [7.0] * 3]),
        model="lif",
        extra={"sections": np.array([1.0, 2.0])},
    )
    m = merge_maps(first, second)
    assert m.labels == ("a", 'b "<&>,', "é", "new")
    assert m.n_synapses == 6
    assert m.position_um[2].tolist() == [7.0] * 3
    assert m.model == ("", "", "lif", "lif")
    assert m.cell_type == ("PC", "", "PV", "")
    assert m.sign.tolist() == [1, 0, -1, 0]
    assert np.isnan(m.extra["sections"]).sum() == 4
    assert m.weight_matrix_v()[3, 2] == MV
    assert m.provenance is not None
    assert "test" in str(m.provenance.parameters["first"])


def test_merging_refuses_contradictions_repeats_and_evidence():
    m = small_map()
    with pytest.raises(MapError, match="given twice"):
        merge_maps(m, m)
    empty = m.select(np.zeros(4, dtype=bool))
    with pytest.raises(MapError, match="sign of 'a' is 1 in the first map and -1"):
        merge_maps(m, replace(empty, sign=np.array([-1, 0, -1], dtype=np.int8)))
    square = np.zeros((3, 3), dtype=np.float32)
    with pytest.raises(MapError, match="evidence"):
        merge_maps(m, replace(empty, evidence=Evidence(z=square, limit_v=square, undecidable=square.astype(np.uint8))))


@pytest.mark.parametrize(("export", "suffix"), [(export_csv, ".csv"), (export_parquet, ".parquet")])
def test_exported_tables_are_read_back(tmp_path, export, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    m = small_map()
    path = tmp_path / f"m{suffix}"
    export(m, path)
    again = import_table(path, options=TableOptions(neurons=NeuronTable(path=neurons_path(path))))
    assert again.labels == m.labels
    assert np.array_equal(again.position_um, m.position_um, equal_nan=True)
    assert again.cell_type == m.cell_type
    for name in ("weight_v", "delay_s", "kind"):
        assert getattr(again, name).tolist() == getattr(m, name).tolist()
    assert [again.labels[i] for i in again.pre] == [m.labels[i] for i in m.pre]
    assert [again.labels[i] for i in again.post] == [m.labels[i] for i in m.post]


def test_an_exported_npz_holds_plain_arrays(tmp_path):
    m = small_map()
    export_npz(m, tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz", allow_pickle=False) as arrays:
        assert arrays["labels"].tolist() == list(m.labels)
        assert arrays["rise_s"].tolist() == m.extra["rise_s"].tolist()
        assert arrays["post"].tolist() == m.post.tolist()
    again = import_table(tmp_path / "m.npz", options=TableOptions(n_neurons=3))
    assert again.weight_v.tolist() == m.weight_v.tolist()
    assert again.kind.tolist() == m.kind.tolist()


@pytest.mark.filterwarnings("ignore")
def test_networkx_reads_the_graphml(tmp_path):
    networkx = pytest.importorskip("networkx")
    m = replace(small_map(), labels=("a", 'b "<&>,\n', "é"))
    export_graphml(m, tmp_path / "m.graphml")
    graph = networkx.read_graphml(tmp_path / "m.graphml", force_multigraph=True)
    assert set(graph.nodes) == {"a", 'b "<&>,\n', "é"}
    assert graph.nodes["a"]["x_um"] == 1.0
    assert graph.nodes["é"]["cell_type"] == "PV"
    assert "x_um" not in graph.nodes["é"]
    weights = sorted((a, b, data["weight_v"], data["kind"]) for a, b, data in graph.edges(data=True))
    kinds = [Kind(k).name for k in m.kind]
    expected = [(m.labels[a], m.labels[b], w, k) for a, b, w, k in zip(m.pre, m.post, m.weight_v, kinds, strict=True)]
    assert weights == sorted(expected)


def test_graphml_of_a_large_map_is_refused(tmp_path):
    m = map_from_matrix(np.ones((320, 320)) * MV, delay_s=MS)
    with pytest.raises(MapError, match="102400 synapses; GraphML is written up to 100000"):
        export_graphml(m, tmp_path / "m.graphml")


def test_a_map_is_described_in_at_most_ten_lines():
    m = small_map()
    square = np.zeros((3, 3), dtype=np.float32)
    codes = np.zeros((3, 3), dtype=np.uint8)
    codes[0, 1] = 2
    lines = describe(replace(m, evidence=Evidence(z=square, limit_v=square, undecidable=codes)))
    assert len(lines) <= 10
    text = "\n".join(lines)
    for part in (
        "3 neurons, 4 synapses",
        "50 % of ordered pairs",
        "1 excitatory, 1 inhibitory, 1 unknown",
        "2 excite, 1 inhibit",
        "1 electrical",
        "2 known, largest 0.03",
        "5 decided, 1 silent",
        "seed 3",
    ):
        assert part in text


def test_an_empty_map_is_described():
    nothing = np.zeros(0, dtype=np.int64)
    m = synapse_map(n_neurons=0, pre=nothing, post=nothing, weight_v=np.zeros(0), delay_s=0.0)
    assert describe(m)[0] == "synaptic map: 0 neurons, 0 synapses"
