"""Connectome tables become maps: real ones, every option, every refusal."""

from pathlib import Path

import numpy as np
import pytest

from neurograft.errors import MapError
from neurograft.maps import (
    CELEGANS_GABA,
    FLY_SIGNS,
    SHIU_DELAY_S,
    SHIU_VOLTS_PER_COUNT,
    VERTEBRATE_SIGNS,
    AllExcitatory,
    ByTransmitter,
    InhibitoryNeurons,
    InhibitoryTypes,
    Kind,
    NeuronTable,
    RandomInhibitory,
    SignColumn,
    SignedWeights,
    TableOptions,
    import_table,
    merge_maps,
)
from neurograft.units import MS, MV

EXCITES = TableOptions(sign_rule=AllExcitatory())


@pytest.fixture
def write(tmp_path):
    def write_text(text: str, name: str = "t.csv") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write_text


def edges_of(m):
    return [(m.labels[a], m.labels[b], round(w / MV, 9)) for a, b, w in zip(m.pre, m.post, m.weight_v, strict=True)]


def test_celegans_has_the_published_counts(shared_data):
    folder = shared_data / "celegans"
    rule = InhibitoryNeurons(labels=CELEGANS_GABA)
    chemical = import_table(folder / "cook2019_herm_chemical_neurons.csv", options=TableOptions(sign_rule=rule))
    assert (chemical.n_neurons, chemical.n_synapses) == (302, 3709)
    assert chemical.extra["count"].sum() == 20965
    assert chemical.weight_v.max() == chemical.extra["count"].max() * SHIU_VOLTS_PER_COUNT
    assert {chemical.labels[i] for i in np.flatnonzero(chemical.sign < 0)} <= CELEGANS_GABA
    gap = import_table(
        folder / "cook2019_herm_gap_junction_neurons.csv",
        options=TableOptions(kind=Kind.ELECTRICAL, is_undirected=True),
    )
    assert gap.n_synapses == 2 * 1105 - 14  # a neuron's junction with itself has one direction
    matrix = gap.weight_matrix_v()
    assert np.array_equal(matrix, matrix.T)
    worm = merge_maps(chemical, gap)
    assert (worm.n_neurons, worm.n_synapses) == (302, 3709 + 2196)
    assert worm.weight_v.sum() == pytest.approx(chemical.weight_v.sum() + gap.weight_v.sum())


def test_the_larva_has_every_edge_although_its_list_has_no_header(shared_data):
    folder = shared_data / "larva_winding"
    neurons = NeuronTable(path=folder / "unmatched_full_nodes.csv", cell_type="simple_group")
    edge_list = folder / "unmatched_full_edgelist.csv"
    larva = import_table(edge_list, options=TableOptions(has_header=False, neurons=neurons, sign_rule=AllExcitatory()))
    assert (larva.n_neurons, larva.n_synapses) == (3013, 111_243)
    assert larva.extra["count"].sum() == 353_859
    assert np.sum(larva.pre == larva.post) == 537
    assert larva.cell_type[larva.labels.index("11691603")] == "KCs"
    with pytest.raises(MapError, match=r"has no header. Say so with has_header=False"):
        import_table(edge_list, options=EXCITES)


def test_the_optic_lobe_is_signed_already(shared_data):
    path = shared_data / "flyvis" / "flyvis_extent2.npz"
    m = import_table(path, options=TableOptions(n_neurons=1203))
    truth = np.load(path)
    assert (m.n_neurons, m.n_synapses) == (1203, 28_904)
    assert m.weight_v.sum() == pytest.approx(truth["signed_syn"].sum() * SHIU_VOLTS_PER_COUNT)
    assert np.mean(m.weight_v > 0) == pytest.approx(np.mean(truth["signed_syn"] > 0))


def test_defaults_are_those_of_the_fly_model_and_are_recorded(write):
    m = import_table(write("pre,post,count\nb,a,2\na,b,1\n"), options=EXCITES)
    assert edges_of(m) == [("a", "b", 0.275), ("b", "a", 0.55)]
    assert set(m.delay_s) == {SHIU_DELAY_S}
    assert m.extra["count"].tolist() == [1.0, 2.0]
    assert m.provenance is not None
    assert m.provenance.parameters["volts_per_count"] == 0.275 * MV
    assert m.provenance.parameters["delay_s"] == 1.8 * MS
    assert m.provenance.parameters["sign_rule"] == "AllExcitatory()"
    assert m.provenance.inputs["t.csv"].startswith("sha256:")


@pytest.mark.parametrize(
    "text",
    [
        "source,target,weight\nb,a,2\n",
        "Presynaptic_Index\tPostsynaptic_Index\tExcitatory x Connectivity\nb\ta\t2\n",
        "pre_root_id;post_root_id;syn_count\nb;a;2\n",
        "from,to,sections,remark\nb,a,2,x\n",
        "\ufeffpre,post,n\nb,a,1\n",  # no weight column: each row counts one
    ],
)
def test_usual_column_names_are_found(write, text):
    m = import_table(write(text), options=EXCITES)
    weight_mv = 0.275 if ",n\n" in text else 0.55
    assert edges_of(m) == [("b", "a", weight_mv)]


def test_columns_can_be_named(write):
    path = write("pre,post,count,x,y,z\na,b,1,c,d,5\n")
    m = import_table(path, options=TableOptions(pre="x", post="y", weight="z", sign_rule=AllExcitatory()))
    assert edges_of(m) == [("c", "d", 5 * 0.275)]
    with pytest.raises(MapError, match=r"no column 'zz' .*Did you mean 'z'"):
        import_table(path, options=TableOptions(weight="zz"))


def test_options_change_weight_delay_and_kind(write):
    path = write("pre,post,count\na,b,2\n")
    m = import_table(path, options=TableOptions(sign_rule=AllExcitatory(), volts_per_count=MV, delay_s=3 * MS))
    assert (m.weight_v[0], m.delay_s[0], m.kind[0]) == (2 * MV, 3 * MS, Kind.CHEMICAL)
    electrical = import_table(path, options=TableOptions(kind=Kind.ELECTRICAL))
    assert (electrical.delay_s[0], electrical.kind[0], electrical.sign[0]) == (0.5 * MS, Kind.ELECTRICAL, 0)


def test_a_unit_at_the_end_of_a_name_is_obeyed(write):
    m = import_table(write("pre,post,weight_mV,delay_ms\na,b,-2,1.5\n"))
    assert m.weight_v.tolist() == [-2 * MV]
    assert m.delay_s.tolist() == [1.5 * MS]
    assert "count" not in m.extra
    m = import_table(write("pre,post,weight_v,delay_s\na,b,-2e-3,1.5e-3\n"))
    assert (m.weight_v[0], m.delay_s[0]) == (-2e-3, 1.5e-3)


def test_zero_rows_are_left_out_and_counted(write):
    m = import_table(write("pre,post,count\na,b,0\na,c,1\n"), options=EXCITES)
    assert edges_of(m) == [("a", "c", 0.275)]
    assert m.n_neurons == 3
    assert m.provenance is not None
    assert m.provenance.parameters["rows_of_weight_zero_left_out"] == 1


def test_duplicates_are_summed_only_when_asked(write):
    path = write("pre,post,count\na,b,1\nb,a,1\na,b,2\n")
    with pytest.raises(MapError, match=r"a -> b is given more than once"):
        import_table(path, options=EXCITES)
    m = import_table(path, options=TableOptions(sign_rule=AllExcitatory(), sums_duplicates=True))
    assert edges_of(m) == [("a", "b", 0.825), ("b", "a", 0.275)]
    assert m.extra["count"].tolist() == [3.0, 1.0]


def test_an_undirected_table_counts_both_ways_and_must_be_called_so(write):
    path = write("a,b,sections\nx,y,2\nz,z,1\n")
    with pytest.raises(MapError, match=r"do not say which neuron is presynaptic"):
        import_table(path, options=EXCITES)
    m = import_table(path, options=TableOptions(is_undirected=True, kind=Kind.ELECTRICAL))
    assert edges_of(m) == [("x", "y", 0.55), ("y", "x", 0.55), ("z", "z", 0.275)]
    both = write("a,b,sections\nx,y,2\ny,x,2\n")
    with pytest.raises(MapError, match=r"gives each pair once"):
        import_table(both, options=TableOptions(is_undirected=True, kind=Kind.ELECTRICAL))


FOUR = "pre,post,count,nt_type,sign\na,b,1,ACH,e\nb,c,1,GABA,-1\nc,d,1,GLUT,+\nd,a,1,ACH,I\n"


@pytest.mark.parametrize(
    ("rule", "signs"),
    [
        (AllExcitatory(), [1, 1, 1, 1]),
        (InhibitoryNeurons(labels=frozenset({"b", "d"})), [1, -1, 1, -1]),
        (ByTransmitter(sign_of=FLY_SIGNS), [1, -1, -1, 1]),
        (ByTransmitter(sign_of=VERTEBRATE_SIGNS), [1, -1, 1, 1]),
        (SignColumn(), [1, -1, 1, -1]),
        (None, [1, -1, 1, -1]),  # a sign column is used where there is one
        (RandomInhibitory(fraction=0.0, seed=1), [1, 1, 1, 1]),
        (RandomInhibitory(fraction=1.0, seed=1), [-1, -1, -1, -1]),
    ],
)
def test_each_sign_rule_gives_its_signs(write, rule, signs):
    m = import_table(write(FOUR), options=TableOptions(sign_rule=rule))
    assert np.sign(m.weight_v).tolist() == signs
    assert m.sign.tolist() == signs


def test_types_and_transmitters_may_stand_in_the_table_of_neurons(write):
    neurons = write("id,type,x_um,y_um,z_um,nt_type\nd,PV,1,2,3,gaba\na,PC,4,5,6,glut\ne,PC,7,8,9,glut\n", "n.csv")
    path = write("pre,post,count\na,d,1\nd,a,1\n")
    table = NeuronTable(path=neurons)
    for rule in (InhibitoryTypes(types=frozenset({"PV"})), ByTransmitter(sign_of=VERTEBRATE_SIGNS)):
        m = import_table(path, options=TableOptions(neurons=table, sign_rule=rule))
        assert m.labels == ("d", "a", "e")
        assert m.cell_type == ("PV", "PC", "PC")
        assert m.sign.tolist() == [-1, 1, 0]
        assert m.position_um[2].tolist() == [7.0, 8.0, 9.0]
    nm = NeuronTable(path=neurons, x="x_um", um_per_unit=1e-3, label="nt_type")
    with pytest.raises(MapError, match=r"'glut' is given twice"):
        import_table(path, options=TableOptions(neurons=nm, sign_rule=AllExcitatory()))
    scaled = NeuronTable(path=neurons, x="x_um", um_per_unit=1e-3)
    m = import_table(path, options=TableOptions(neurons=scaled, sign_rule=AllExcitatory()))
    assert m.position_um[0].tolist() == [1e-3, 2.0, 3.0]


def test_a_random_fraction_is_exact_and_seeded(write):
    text = "pre,post,count\n" + "".join(f"{i},{(i + 1) % 40},1\n" for i in range(40))
    maps = [
        import_table(write(text), options=TableOptions(sign_rule=RandomInhibitory(fraction=0.2, seed=seed)))
        for seed in (1, 1, 2)
    ]
    assert all(np.sum(m.sign < 0) == 8 for m in maps)
    assert maps[0].sign.tolist() == maps[1].sign.tolist()
    assert maps[0].sign.tolist() != maps[2].sign.tolist()
    assert maps[0].labels == tuple(str(i) for i in range(40))  # numbers sort as numbers


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", EXCITES, "is empty"),
        ("pre,post,count\n", EXCITES, "a header and no row"),
        ("pre,post,count\na,b,x\n", EXCITES, r"Row 2, column 'count' of t.csv is 'x', not a finite number"),
        ("pre,post,count\na,b,nan\n", EXCITES, "is 'nan', not a finite number"),
        ("pre,post,count\na,b,1\na,,1\n", EXCITES, "Row 3, column 'post' of t.csv is empty"),
        ("pre,post,count\na,b,1\na,b\n", EXCITES, r"Row 3 .* has 2 cells, but the first has 3"),
        ("pre,pre,count\na,b,1\n", EXCITES, "'pre' twice"),
        ("left,right\na,b\n", EXCITES, "no column that names the presynaptic neuron"),
        ("pre,post,count\na,b,1\n", TableOptions(), "Choose a sign_rule"),
        ("pre,post,count\na,b,-1\n", EXCITES, "the weights have signs themselves"),
        ("pre,post,count\na,b,1\n", TableOptions(sign_rule=ByTransmitter(sign_of=FLY_SIGNS)), "no neurotransmitter"),
        ("pre,post,count\na,b,1\n", TableOptions(sign_rule=SignColumn()), "no sign column"),
        ("pre,post,nt\na,b,5HT9\n", TableOptions(sign_rule=ByTransmitter(sign_of=FLY_SIGNS)), "'5ht9' has no sign"),
        ("pre,post,sign\na,b,2\n", TableOptions(), "is '2'. Use 1, -1"),
        (
            "pre,post,count\na,b,1\n",
            TableOptions(sign_rule=InhibitoryNeurons(labels=frozenset("q"))),
            "names the neuron 'q'",
        ),
        ("pre,post,count\na,b,1\n", TableOptions(sign_rule=RandomInhibitory(fraction=2.0, seed=0)), "fraction is 2.0"),
        ("pre,post,delay\na,b,1\n", EXCITES, "unit of the delay column 'delay'"),
        ("pre,post,delay_ms\na,b,1\n", TableOptions(sign_rule=AllExcitatory(), delay_s=MS), "Leave one out"),
        ("pre,post,delay_s\na,b,3\n", EXCITES, "outside 0 to 1.0 s"),
        ("pre,post,kind\na,b,magic\n", EXCITES, "is 'magic', not a kind"),
        ("pre,post,count\n3,1,1\n", TableOptions(sign_rule=AllExcitatory(), n_neurons=3), "has the neuron '3'"),
        (
            "pre,post,count,delay_s\na,b,1,0.1\na,b,1,0.2\n",
            TableOptions(sign_rule=AllExcitatory(), sums_duplicates=True),
            "different delays",
        ),
    ],
)
def test_bad_tables_are_named(write, text, options, message):
    with pytest.raises(MapError, match=message):
        import_table(write(text), options=options)


def test_files_that_are_no_table_are_named(tmp_path, write):
    for path, message in (
        (tmp_path / "none.csv", "There is no table"),
        (tmp_path, "It is a folder"),
        (write("x", "t.xlsx"), "unknown type '.xlsx'"),
        (write("x", "t.npz"), "cannot be read as NPZ"),
        (write("x", "t.parquet"), "cannot be read"),
    ):
        with pytest.raises(MapError, match=message):
            import_table(path)
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(MapError, match=r"is not a text table"):
        import_table(tmp_path / "binary.csv")


def test_an_npz_is_never_unpickled_nor_trusted_on_its_size(tmp_path):
    pickled = tmp_path / "p.npz"
    np.savez(pickled, pre=np.array([{"a": 1}], dtype=object), post=np.array([1]))
    with pytest.raises(MapError, match=r"claims|cannot be read as NPZ"):
        import_table(pickled)
    huge = tmp_path / "h.npz"
    np.savez(huge, pre=np.array([1, 2]), post=np.array([2, 1]))
    data = huge.read_bytes()
    assert data.count(b"(2,), }") == 2
    huge.write_bytes(data.replace(b"(2,), }    ", b"(2000000,), }"[:11].ljust(11)))
    with pytest.raises(MapError):
        import_table(huge)


def test_the_same_map_is_read_from_parquet_with_64_bit_ids(tmp_path, write):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    ids = np.array([720575940624963786, 720575940630233916])
    table = pa.table({"pre_root_id": ids, "post_root_id": ids[::-1], "syn_count": [3, 4], "nt_type": ["GABA", "ACH"]})
    pq.write_table(table, tmp_path / "t.parquet")
    m = import_table(tmp_path / "t.parquet", options=TableOptions(sign_rule=ByTransmitter(sign_of=FLY_SIGNS)))
    assert m.labels == tuple(str(i) for i in ids)
    assert m.weight_v.tolist() == [-3 * SHIU_VOLTS_PER_COUNT, 4 * SHIU_VOLTS_PER_COUNT]
    gap = pa.table({"pre": pa.array([int(ids[0]), None]), "post": ids, "syn_count": [3, 4]})
    pq.write_table(gap, tmp_path / "g.parquet")
    with pytest.raises(MapError, match=r"Row 1, column 'pre' of g.parquet is empty"):
        import_table(tmp_path / "g.parquet", options=EXCITES)


def test_signed_weights_can_be_asked_for(write):
    m = import_table(write("pre,post,count\na,b,1\n"), options=TableOptions(sign_rule=SignedWeights()))
    assert m.sign.tolist() == [1, 0]
