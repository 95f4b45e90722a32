"""``neurograft culture``: every option does something, and what cannot be is refused before work starts."""

import json
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from neurograft.maps import load_map
from neurograft.recordings import Signal, open_recording
from neurograft.spikes import open_spikes

SMALL = ("--neurons", "6", "--kind", "calm")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Let cultures settle for a moment only."""
    from dataclasses import replace

    import neurograft.culture

    named = neurograft.culture.culture_named

    def hardly_settled(*args, **options):
        asked = named(*args, **options)
        return replace(asked, activity=replace(asked.activity, settle_s=0.2, settle_rounds=2))

    monkeypatch.setattr(neurograft.culture, "culture_named", hardly_settled)


def test_kinds_and_families_are_listed(neurograft):
    said = neurograft("culture", "--list-kinds")
    assert said.code == 0
    for word in ("bursting", "mostly-hidden", "electrical", "families: adex, izhikevich, hh"):
        assert word in said.out


def test_an_array_records_what_was_asked_for(neurograft, tmp_path):
    out = tmp_path / "grown"
    words = ("--family", "izhikevich", "--rows", "4", "--columns", "5", "--pitch-um", "30", "--seconds", "0.2")
    flaws = ("--dead", "0.5", "--saturated", "0.2", "--extracellular-pads", "0.1", "--drops-per-minute", "600")
    said = neurograft("culture", out, *SMALL, *words, *flaws, "--crosstalk", "0.01", "--workers", "1", "--json")
    assert said.code == 0, said.err
    told = json.loads(said.out)
    assert (told["family"], told["recorded"], told["seen"]) == ("izhikevich", 6, 20)
    recording = open_recording(out / "recording.toml")
    assert recording.signal is Signal.INTRACELLULAR_V
    assert len(recording.channel_labels) == 20
    assert np.ptp(recording.position_um, axis=0).tolist() == [120.0, 90.0]
    truth = load_map(out / "truth.h5")
    assert truth.n_synapses == told["synapses"]
    assert set(truth.labels) <= set(recording.channel_labels)
    with h5py.File(out / "truth.h5") as file:
        assert file["culture/lost_frames"].shape[0] > 0
        assert np.sum(file["culture/channel_state"][:] == 2) >= 4
        assert file["culture/channel_neuron"].shape == (20, 2)
        parameters = json.loads(file["culture"].attrs["provenance"])["parameters"]
    assert parameters["array"]["crosstalk"] == 0.01


def test_currents_on_shared_pads_and_hidden_neurons(neurograft, tmp_path):
    out = tmp_path / "grown"
    words = ("--clamp", "current", "--hidden", "0.5", "--shared", "0.25", "--excitatory-fraction", "0.5")
    more = ("--rate-hz", "3", "--inputs", "2", "--seconds", "0.05", "--json")
    said = neurograft("culture", out, "--kind", "calm", "--neurons", "16", *words, *more)
    assert said.code == 0, said.err
    assert json.loads(said.out)["recorded"] == 8
    assert open_recording(out / "recording.toml").signal is Signal.MEMBRANE_A
    truth = load_map(out / "truth.h5")
    assert sum(label.endswith("b") for label in truth.labels) == 2
    with h5py.File(out / "truth.h5") as file:
        parameters = json.loads(file["culture"].attrs["provenance"])["parameters"]
    assert parameters["activity"]["rate_hz"] == 3
    assert parameters["wiring"]["inputs_per_neuron"] == 2
    assert parameters["excitatory_fraction"] == 0.5


@pytest.mark.parametrize(("form", "name"), [("zarr", "recording.zarr"), ("nwb", "recording.nwb")])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the libraries' own dependencies
def test_other_formats_open_with_the_word_that_the_command_gives(neurograft, tmp_path, form, name):
    pytest.importorskip("spikeinterface")
    pytest.importorskip("pynwb")
    out = tmp_path / "grown"
    said = neurograft("culture", out, *SMALL, "--seconds", "0.1", "--format", form)
    assert said.code == 0, said.err
    assert f"{name} -o map.h5 --signal intracellular_v" in said.out
    assert open_recording(out / name, signal=Signal.INTRACELLULAR_V).segment_frames == (1000,)


def test_membrane_potentials_have_a_channel_for_each_neuron(neurograft, tmp_path):
    out = tmp_path / "grown"
    said = neurograft("culture", out, *SMALL, "--mode", "membrane", "--seconds", "0.1", "--seed", "3")
    assert said.code == 0, said.err
    recording, truth = open_recording(out / "recording.toml"), load_map(out / "truth.h5")
    assert recording.signal is Signal.MEMBRANE_V
    assert recording.channel_labels == truth.labels == open_spikes(out / "spikes.h5").labels
    v = recording.read(0, 0, 1000)
    assert -0.08 < np.median(v) < -0.04
    with h5py.File(out / "truth.h5") as file:
        assert file["culture/channel_neuron"][:, 0].tolist() == list(range(6))


def test_sorted_units_come_with_their_own_truth(neurograft, tmp_path):
    out = tmp_path / "grown"
    words = ("--mode", "extracellular", "--seconds", "20", "--missed", "0.3", "--merged", "0.5", "--split", "0.4")
    said = neurograft("culture", out, "--kind", "calm", "--neurons", "12", *words, "--false-hz", "1", "--json")
    assert said.code == 0, said.err
    units, truth = open_spikes(out / "spikes.h5"), load_map(out / "truth.h5")
    assert units.labels == truth.labels
    assert units.n_neurons == json.loads(said.out)["seen"]
    with h5py.File(out / "truth.h5") as file:
        share = file["culture/unit_share"][:]
        assert share.shape == (units.n_neurons, 12)
        assert set(np.round(share.sum(axis=1), 9)) <= {0.0, 1.0}  # 0: a silent neuron's unit holds noise alone
    assert np.any(np.sum(share > 0.1, axis=1) > 1)  # merged


def test_a_perfect_sorter_gives_the_neurons(neurograft, tmp_path):
    out = tmp_path / "grown"
    words = ("--mode", "extracellular", "--seconds", "5", "--perfect-sorting")
    assert neurograft("culture", out, *SMALL, *words).code == 0
    with h5py.File(out / "truth.h5") as file:
        share = file["culture/unit_share"][:]
    assert np.array_equal(share, np.eye(6))


def test_what_was_grown_can_be_copied_and_scored(neurograft, tmp_path):
    out = tmp_path / "grown"
    assert (
        neurograft("culture", out, *SMALL, "--mode", "extracellular", "--seconds", "20", "--perfect-sorting").code == 0
    )
    assert neurograft("copy", out / "spikes.h5", "-o", tmp_path / "map.h5").code == 0
    said = neurograft("score", tmp_path / "map.h5", out / "truth.h5")
    assert said.code == 0, said.err
    assert "all pairs" in said.out


WRONG = [
    (("--kind", "burstin"), "Did you mean 'bursting'"),
    (("--family", "adexx"), "Did you mean 'adex'"),
    (("--mode", "both"), "both"),
    (("--format", "csv"), "csv"),
    (("--clamp", "dynamic"), "dynamic"),
    (("--neurons", "1"), "equal to 2"),
    (("--neurons", "10", "--rows", "3", "--columns", "3"), "3 x 3 = 9 pads. Raise the pads"),
    (("--rows", "3"), "--rows and --columns belong together"),
    (("--hidden", "0.999"), "equal to 0.99"),
    (("--hidden", "0.99", "--neurons", "6"), "leaves 0 of 6"),
    (("--inputs", "100"), "only 5 others"),
    (("--excitatory-fraction", "1.5"), "excitatory_fraction is 1.5"),
    (("--rate-hz", "0"), "rate_hz is 0"),
    (("--seconds", "0"), "Give a positive number of seconds"),
    (("--seconds", "nan"), "Give a positive number of seconds"),
    (("--seconds", "1e9"), "GB free"),
    (("--mode", "membrane", "--seconds", "1e9"), "GB free"),
    (("--pitch-um", "0"), "pitch_um is 0"),
    (("--shared", "0.9"), "shared_fraction is 0.9"),
    (("--dead", "0.7", "--saturated", "0.7"), "above 1 together"),
    (("--dead", "-0.1"), "below 0"),
    (("--crosstalk", "0.5"), "crosstalk is 0.5"),
    (("--drops-per-minute", "-1"), "drops_per_minute is -1"),
    (("--missed", "0.1"), "--missed does nothing in --mode intracellular"),
    (("--mode", "membrane", "--dead", "0.1"), "--dead does nothing in --mode membrane"),
    (("--mode", "extracellular", "--clamp", "current"), "--clamp does nothing"),
    (("--mode", "extracellular", "--format", "nwb"), "--format nwb does nothing"),
    (("--mode", "extracellular", "--missed", "1"), "missed_fraction is 1"),
    (("--mode", "extracellular", "--false-hz", "-1"), "false_hz is -1"),
    (("--mode", "extracellular", "--perfect-sorting", "--split", "0.1"), "makes no errors, but --split"),
    (("--workers", "0"), "equal to 1"),
]


@pytest.mark.parametrize(("words", "message"), WRONG, ids=[" ".join(words) for words, _ in WRONG])
def test_what_cannot_be_is_refused_before_any_work(neurograft, tmp_path, monkeypatch, words, message):
    def work(*_: object, **__: object) -> None:
        raise AssertionError("work began")

    monkeypatch.setattr("neurograft.culture.grow", work)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=200_000_000_000))
    said = neurograft("culture", tmp_path / "grown", *SMALL, *words)
    assert said.code == 2, said.err
    assert message in said.err
    assert "Traceback" not in said.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", ["intracellular", "membrane", "extracellular"])
def test_a_place_that_is_taken_or_no_folder_is_refused(neurograft, tmp_path, mode):
    (tmp_path / "taken").write_text("mine")
    taken = neurograft("culture", tmp_path / "taken", *SMALL, "--mode", mode)
    inside = neurograft("culture", tmp_path / "taken" / "grown", *SMALL, "--mode", mode)
    assert (taken.code, inside.code) == (2, 2)
    assert "exists already" in taken.err
    assert "is not a folder to write to" in inside.err
    assert (tmp_path / "taken").read_text() == "mine"


def test_a_missing_library_is_named_before_any_work(neurograft, tmp_path, monkeypatch):
    monkeypatch.setattr("neurograft.cli._seen_by.find_spec", lambda _: None)
    for form, extra in (("zarr", "io"), ("nwb", "nwb")):
        said = neurograft("culture", tmp_path / "grown", *SMALL, "--format", form)
        assert said.code == 2
        assert f"neurograft[{extra}]" in said.err
