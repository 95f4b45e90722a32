"""The map file: exact round trip, opened by other SONATA readers, one clear message for every bad file."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurograft.errors import MapError
from neurograft.maps import Evidence, Kind, SynapseMap, load_map, save_map, synapse_map
from neurograft.maps._io import most_bytes
from neurograft.maps._sonata import index_of
from neurograft.provenance import Provenance
from neurograft.units import MS, MV

DATA = Path(__file__).resolve().parents[1] / "data"
COLUMNS = ("pre", "post", "weight_v", "delay_s", "kind", "weight_se_v", "q_value", "position_um", "sign")
EDGES = "edges/neurons_to_neurons"


def assert_same(a: SynapseMap, b: SynapseMap) -> None:
    assert (a.n_neurons, a.labels, a.model, a.cell_type) == (b.n_neurons, b.labels, b.model, b.cell_type)
    for name in COLUMNS:
        x, y = getattr(a, name), getattr(b, name)
        assert (x.dtype, x.shape) == (y.dtype, y.shape), name
        assert x.tobytes() == y.tobytes(), name
    assert list(a.extra) == list(b.extra)
    assert all(a.extra[name].tobytes() == b.extra[name].tobytes() for name in a.extra)
    assert list(a.neuron_extra) == list(b.neuron_extra)
    assert all(a.neuron_extra[name].tobytes() == b.neuron_extra[name].tobytes() for name in a.neuron_extra)
    assert (a.evidence is None) == (b.evidence is None)
    if a.evidence is not None and b.evidence is not None:
        for name in ("z", "limit_v", "undecidable"):
            assert getattr(a.evidence, name).tobytes() == getattr(b.evidence, name).tobytes()
    assert a.provenance == b.provenance


def random_map(seed: int, n: int, n_synapses: int, *, with_evidence: bool = True) -> SynapseMap:
    rng = np.random.default_rng(seed)
    pair = rng.choice(n * n, size=min(n_synapses, n * n), replace=False) if n else np.zeros(0, dtype=np.int64)
    k = pair.size
    weight_v = rng.normal(size=k) * MV
    q_value = np.where(rng.random(k) < 0.3, np.nan, rng.random(k))
    square = (n, n)
    return synapse_map(
        n_neurons=n,
        pre=pair // max(n, 1),
        post=pair % max(n, 1),
        weight_v=weight_v,
        delay_s=rng.random(k) * 20 * MS,
        kind=rng.integers(0, len(Kind), k).astype(np.uint8),
        weight_se_v=np.abs(weight_v) * 0.1,
        q_value=q_value,
        labels=[f"n{i} é<b>" for i in range(n)],
        position_um=rng.normal(size=(n, 3)) * 100,
        sign=rng.integers(-1, 2, n).astype(np.int8),
        model=["lif" if i % 2 else "" for i in range(n)],
        cell_type=[f"type {i % 3}" for i in range(n)],
        extra={"rise_s": rng.random(k), "sections": np.floor(rng.random(k) * 9)},
        neuron_extra={"membrane_noise_v": rng.random(n)} if with_evidence else {},
        evidence=Evidence(
            z=rng.normal(size=square).astype(np.float32),
            limit_v=rng.random(square).astype(np.float32),
            undecidable=rng.integers(0, 7, square).astype(np.uint8),
        )
        if with_evidence
        else None,
        provenance=Provenance(command="test", parameters={"fdr": 0.05, "names": ["a"]}, seed=7, inputs={"x": "00"}),
    )


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(0, 12), n_synapses=st.integers(0, 60), full=st.booleans())
@settings(max_examples=40, deadline=None)
def test_a_map_comes_back_bit_for_bit(tmp_path_factory, seed, n, n_synapses, full):
    path = tmp_path_factory.mktemp("map") / "m.h5"
    m = random_map(seed, n, n_synapses, with_evidence=full)
    save_map(m, path)
    assert_same(m, load_map(path))


@given(weight_v=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5))
@settings(max_examples=30, deadline=None)
def test_every_finite_weight_comes_back(tmp_path_factory, weight_v):
    path = tmp_path_factory.mktemp("map") / "m.h5"
    k = len(weight_v)
    m = synapse_map(
        n_neurons=k, pre=np.arange(k), post=np.zeros(k, dtype=int), weight_v=np.array(weight_v), delay_s=0.0
    )
    save_map(m, path)
    assert_same(m, load_map(path))


def test_a_map_without_anything_optional_comes_back(tmp_path):
    m = synapse_map(n_neurons=2, pre=np.array([0]), post=np.array([1]), weight_v=np.array([MV]), delay_s=MS)
    save_map(m, tmp_path / "m.h5")
    assert_same(m, load_map(tmp_path / "m.h5"))


def test_version_1_stays_readable():
    m = load_map(DATA / "map_format_1.h5")
    assert m.labels == ("left", "right", "gap")
    assert m.weight_v.tolist() == [0.5e-3, -0.25e-3, 0.125e-3]
    assert m.delay_s.tolist() == [1.5e-3, 2.5e-3, 0.0]
    assert m.kind.tolist() == [Kind.EXCITATORY_WEAK, Kind.INHIBITORY, Kind.ELECTRICAL]
    assert m.cell_type == ("E", "I", "")
    assert m.provenance is not None
    assert m.provenance.seed == 7
    assert m.evidence is not None
    assert m.evidence.undecidable[0, 1] == 2


def index_reference(node, n_nodes):
    """List each node's edges one by one: the slow twin of the index."""
    return [[e for e in range(len(node)) if node[e] == i] for i in range(n_nodes)]


@given(node=st.lists(st.integers(0, 5), max_size=40))
def test_the_index_lists_every_edge_of_every_node_once(node):
    edge_range, node_range = index_of(np.array(node, dtype=np.int32), 6)
    listed = [
        [e for k in range(int(start), int(stop)) for e in range(*(int(x) for x in edge_range[k]))]
        for start, stop in node_range
    ]
    assert listed == index_reference(node, 6)


@pytest.fixture
def saved(tmp_path):
    m = random_map(3, 9, 40)
    save_map(m, tmp_path / "m.h5")
    return m, tmp_path / "m.h5"


def test_libsonata_reads_columns_and_neighbours(saved):
    libsonata = pytest.importorskip("libsonata")
    m, path = saved
    nodes = libsonata.NodeStorage(path).open_population("neurons")
    everyone = nodes.select_all()
    assert nodes.get_attribute("label", everyone).tolist() == list(m.labels)
    assert nodes.get_attribute("cell_type", everyone).tolist() == list(m.cell_type)
    assert nodes.get_attribute("y", everyone).tolist() == m.position_um[:, 1].tolist()
    edges = libsonata.EdgeStorage(path).open_population("neurons_to_neurons")
    assert (edges.source, edges.target) == ("neurons", "neurons")
    all_edges = edges.select_all()
    assert edges.source_nodes(all_edges).tolist() == m.pre.tolist()
    assert edges.get_attribute("weight_v", all_edges).tolist() == m.weight_v.tolist()
    assert edges.get_attribute("delay", all_edges) == pytest.approx(m.delay_s * 1e3, rel=1e-15)
    assert edges.get_attribute("syn_weight", all_edges) == pytest.approx(m.weight_v * 1e3, rel=1e-15)
    assert edges.get_attribute("kind", all_edges).tolist() == [Kind(k).name for k in m.kind]
    for i in range(m.n_neurons):
        assert edges.afferent_edges(i).flatten().tolist() == np.flatnonzero(m.post == i).tolist()
        assert edges.efferent_edges(i).flatten().tolist() == np.flatnonzero(m.pre == i).tolist()


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # BMTK 1.2 under pandas 3
def test_bmtk_reads_columns_and_neighbours(saved):
    sonata = pytest.importorskip("bmtk.utils.sonata")
    m, path = saved
    types = [
        pd.DataFrame({"node_type_id": [0], "model_type": ["point_neuron"]}),
        pd.DataFrame({"edge_type_id": [0], "model_template": ["static_synapse"]}),
    ]
    file = sonata.File(data_files=str(path), data_type_files=types)
    edges = file.edges["neurons_to_neurons"]
    for i in range(m.n_neurons):
        found = sorted((e.source_node_id, e["weight_v"], e["delay"]) for e in edges.get_target(i))
        into = m.post == i
        expected = sorted(zip(m.pre[into], m.weight_v[into], m.delay_s[into] / MS, strict=True))
        assert found == expected
        assert sorted(e.target_node_id for e in edges.get_source(i)) == m.post[m.pre == i].tolist()
    nodes = file.nodes["neurons"].to_dataframe()
    assert nodes["x"].tolist() == m.position_um[:, 0].tolist()
    assert nodes["sign"].tolist() == m.sign.tolist()
    assert nodes["label"].str.decode("utf-8").tolist() == list(m.labels)


def test_an_old_file_survives_a_failed_write(saved):
    m, path = saved
    before = path.read_bytes()
    with pytest.raises(MapError, match="label of neuron 0"):
        save_map(replace(m, labels=("a\0b", *m.labels[1:])), path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(("n", "n_synapses"), [(3, 0), (300, 20), (300, 20_000)])
def test_a_file_takes_no_more_than_what_is_asked_for_and_not_far_less(tmp_path, n, n_synapses):
    m = random_map(1, n, n_synapses)
    save_map(m, tmp_path / "map.h5")
    held = (tmp_path / "map.h5").stat().st_size
    assert held <= most_bytes(m) < 1.5 * held + (1 << 17)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system cannot ask for room")
def test_a_full_disk_is_told_before_hdf5_can_fail_on_it(saved, monkeypatch):
    """HDF5 ends the process where it cannot write: it must not be tried."""
    m, path = saved
    before = path.read_bytes()

    def full(handle, start, n_bytes):
        assert (start, n_bytes) == (0, most_bytes(m))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    monkeypatch.setattr(h5py, "File", None)
    with pytest.raises(OSError, match="No space left"):
        save_map(m, path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("name", ["syn_weight", "delay", "a/b", "a b", "@library"])
def test_an_extra_column_whose_name_is_taken_is_refused(saved, name):
    m, path = saved
    with pytest.raises(MapError, match="extra column"):
        save_map(replace(m, extra={name: m.weight_v}), path)


@pytest.mark.parametrize("name", ["x", "label", "a/b"])
def test_a_column_of_neurons_whose_name_is_taken_is_refused(saved, name):
    m, path = saved
    with pytest.raises(MapError, match="extra column"):
        save_map(replace(m, neuron_extra={name: np.zeros(m.n_neurons)}), path)


def test_files_that_are_no_map_are_named(tmp_path):
    (tmp_path / "empty.h5").touch()
    (tmp_path / "text.h5").write_text("pre,post\n1,2\n")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["edges/x/source_node_id"] = [1]
    for name, message in (
        ("none.h5", "There is no map file"),
        ("empty.h5", "is empty"),
        ("text.h5", "cannot be read as a map file"),
        ("other.h5", "SONATA file of another program"),
    ):
        with pytest.raises(MapError, match=message):
            load_map(tmp_path / name)
    with pytest.raises(MapError, match="It is a folder"):
        load_map(tmp_path)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.999])
def test_a_file_cut_short_is_refused(saved, kept):
    _, path = saved
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(MapError, match="cannot be read as a map file"):
        load_map(path)


def test_no_text_that_is_read_has_a_variable_length(saved):
    # HDF5 looks for such a text in a heap, and one changed byte of the heap kept it looking for ever
    variable = []

    def look(name, item):
        held = {f"{name}/{a}": item.attrs.get_id(a).dtype for a in item.attrs}
        if isinstance(item, h5py.Dataset):
            held[name] = item.dtype
        texts = {place: h5py.check_string_dtype(dtype) for place, dtype in held.items()}
        variable.extend(place for place, text in texts.items() if text is not None and text.length is None)

    with h5py.File(saved[1], "r") as file:
        file.visititems(look)
        kinds = {a: file.attrs.get_id(a).dtype.kind for a in file.attrs}
    assert kinds == {"magic": "u", "version": "u", "format": "S", "format_version": "i"}
    # libsonata takes these in no other form; load_map does not read them
    copies = {f"nodes/neurons/0/{name}" for name in ("label", "model", "cell_type")} | {f"{EDGES}/0/@library/kind"}
    assert set(variable) == copies


def test_a_flipped_bit_anywhere_is_refused_or_does_no_harm(saved, tmp_path):
    m, path = saved
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    other = tmp_path / "damaged.h5"
    for place in np.concatenate([np.arange(0, 4000, 97), rng.integers(0, len(whole), 100)]):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        other.write_bytes(damaged)
        try:
            found = load_map(other)
        except MapError:
            continue
        assert_same(m, found)


def edit_newer(file):
    file.attrs["format_version"] = 2


def edit_value(file):
    file[f"{EDGES}/0/weight_v"][3] += 1.0


def edit_delay(file):
    values = file[f"{EDGES}/0/delay"][()] * 2
    del file[f"{EDGES}/0/delay"]
    file[f"{EDGES}/0/delay"] = values


def edit_type(file):
    del file[f"{EDGES}/0/kind"]
    file[f"{EDGES}/0/kind"] = np.zeros(40, dtype=np.int64)


def edit_missing(file):
    del file["nodes/neurons/0/sign"]


def edit_huge(file):
    del file["nodes/neurons/node_id"]
    file.create_dataset("nodes/neurons/node_id", shape=(1 << 50,), dtype=np.uint64)


def edit_huge_chunked(file):
    del file["nodes/neurons/node_id"]
    file.create_dataset("nodes/neurons/node_id", shape=(1 << 40,), dtype=np.uint64, chunks=(1024,), compression="gzip")


def edit_link(file):
    del file["nodes/neurons/0/x"]
    file["nodes/neurons/0/x"] = h5py.ExternalLink("elsewhere.h5", "/x")


def edit_target(file):
    values = file[f"{EDGES}/target_node_id"][()]
    values[5] = 9
    del file[f"{EDGES}/target_node_id"]
    file[f"{EDGES}/target_node_id"] = values


def edit_labels(file):
    del file["neurograft/labels"]
    file["neurograft/labels"] = np.frombuffer(b'["a", 3]', dtype=np.uint8)


def edit_json(file):
    del file["neurograft/labels"]
    file["neurograft/labels"] = np.frombuffer(b'["a", ', dtype=np.uint8)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (edit_newer, "format_version 2; this neurograft reads 1 to 1"),
        (edit_value, "checksum of edges/neurons_to_neurons/0/weight_v"),
        (edit_delay, r"delay\[0\] in m.h5 is"),
        (edit_type, "0/kind in m.h5 is int64"),
        (edit_missing, "has no dataset nodes/neurons/0/sign"),
        (edit_huge, "claims 9007199254740992 bytes"),
        (edit_huge_chunked, "claims 8796093022208 bytes"),
        (edit_link, "nodes/neurons/0/x in m.h5 is a link"),
        (edit_target, r"target_node_id\[5\] in m.h5 is 9, but the file has 9 neurons"),
        (edit_labels, "neurograft/labels in m.h5 is not a list of 9 names"),
        (edit_json, "neurograft/labels in m.h5 is not JSON"),
    ],
)
def test_a_damaged_or_foreign_place_is_named(saved, edit, message):
    _, path = saved
    with h5py.File(path, "r+") as file:
        edit(file)
    with pytest.raises(MapError, match=message):
        load_map(path)


def test_a_change_that_was_meant_is_read_once_its_checksum_is_deleted(saved):
    m, path = saved
    with h5py.File(path, "r+") as file:
        del file["nodes/neurons/0/x"].attrs["crc32"]
        file["nodes/neurons/0/x"][0] = 5.0
    assert load_map(path).position_um[0].tolist() == [5.0, *m.position_um[0, 1:]]


@given(place=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_changed_byte_is_refused_or_does_no_harm(saved, tmp_path_factory, place, value):
    m, path = saved
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] = value
    changed = tmp_path_factory.mktemp("changed") / "m.h5"
    changed.write_bytes(bytes(data))
    try:
        again = load_map(changed)
    except MapError:
        return
    assert_same(m, again)
