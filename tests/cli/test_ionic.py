"""neurograft ionic: small runs of each command, files that they leave, bad input."""

import json
import sys
from dataclasses import asdict

import numpy as np
import pytest

from neurograft.ionic import MolecularSlit, Umbrellas, Visits, save_visits
from neurograft.ionic._molecules import built
from neurograft.units import NM


def test_ions_report_conduction_and_flag_the_step(neurograft, tmp_path):
    dump, state = tmp_path / "t.lammpstrj", tmp_path / "ions.npz"
    words = ("ionic", "ions", "--microseconds", "0.05", "--trajectory", dump, "--checkpoint", state, "--json")
    said = neurograft(*words)
    assert said.code == 0, said.err
    result = json.loads(said.out)
    assert 0.3 < result["conduction_fraction"] < 0.9
    assert "drifts" in result["flags"][0]
    assert dump.read_text().startswith("ITEM: TIMESTEP")
    again = json.loads(neurograft(*words).out)
    assert again["resumed"] is True
    assert again["model_time_s"] == pytest.approx(2 * result["model_time_s"])


def test_an_open_slit_takes_in_what_its_ends_let_in_and_goes_on(neurograft, tmp_path):
    words = ("ionic", "ions", "--open", "--ions", "40", "--side-nm", "120", "--microseconds", "0.02", "--json")
    more = ("--checkpoint", tmp_path / "open.npz", "--trajectory", tmp_path / "open.lammpstrj")
    said = neurograft(*words, *more)
    assert said.code == 0, said.err
    assert 0 < json.loads(said.out)["ions_in_the_slit"] != 40
    assert (tmp_path / "open.lammpstrj").read_text().count("ITEM: TIMESTEP") >= 5
    again = json.loads(neurograft(*words, *more).out)
    assert again["resumed"] is True
    assert again["model_time_s"] == pytest.approx(0.04e-6)


def test_mixtures_and_layers(neurograft):
    said = neurograft(
        "ionic",
        "ions",
        "--salt",
        "NaCl=40,CaSO4=20",
        "--layers",
        "2",
        "--microseconds",
        "0.02",
        "--side-nm",
        "200",
        "--json",
    )
    assert json.loads(said.out)["ions"] == 120


def test_the_neuron_spikes_thirteen_times(neurograft, tmp_path):
    said = neurograft("ionic", "neuron", "-o", tmp_path / "trace.csv", "--json")
    assert json.loads(said.out)["spikes"] == 13
    assert (tmp_path / "trace.csv").read_text().startswith("time_s,voltage_v,n_na,n_k\n")


def test_a_small_particle_neuron_goes_on_from_its_checkpoint(neurograft, tmp_path):
    words = ("ionic", "neuron", "--depth", "particles", "--size", "0.01", "--checkpoint", tmp_path / "n.npz", "--json")
    assert neurograft(*words, "--microseconds", "0.2").code == 0
    said = neurograft(*words, "--microseconds", "0.3", "-o", tmp_path / "trace.csv")
    assert said.code == 0, said.err
    assert len((tmp_path / "trace.csv").read_text().splitlines()) == 7
    kept = (tmp_path / "n.npz").read_bytes()
    held = neurograft(*words, "--microseconds", "0")
    assert json.loads(held.out)["model_time_s"] == pytest.approx(0.3e-6)
    assert (tmp_path / "n.npz").read_bytes() == kept


def test_the_neuron_of_stripes_repeats_with_its_seed(neurograft, tmp_path):
    words = ("ionic", "neuron", "--depth", "stripes", "--microseconds", "20")
    traces = []
    for seed in ("1", "1", "2"):
        said = neurograft(*words, "--seed", seed, "-o", tmp_path / "t.csv")
        assert said.code == 0, said.err
        traces.append((tmp_path / "t.csv").read_text())
    assert traces[0] == traces[1] != traces[2]


def test_the_narrowest_stripes_and_the_authors_start_run(neurograft):
    words = ("ionic", "neuron", "--depth", "stripes", "--microseconds", "1", "--json")
    for more in (("--size", "0.01"), ("--authors-start",)):
        said = neurograft(*words, *more)
        assert (said.code, json.loads(said.out)["spikes"]) == (0, 0), said.err


def test_stripes_go_on_from_the_ions_of_a_particle_neuron(neurograft, tmp_path):
    small = ("ionic", "neuron", "--size", "0.05", "--seed", "3")
    said = neurograft(*small, "--depth", "particles", "--checkpoint", tmp_path / "n.npz", "--microseconds", "0")
    assert said.code == 0, said.err
    words = (*small, "--depth", "stripes", "--microseconds", "8", "-o", tmp_path / "t.csv")
    said = neurograft(*words, "--start", tmp_path / "n.npz")
    assert said.code == 0, said.err
    told = (tmp_path / "t.csv").read_text()
    assert len(told.splitlines()) == 161
    assert neurograft(*words).code == 0
    assert (tmp_path / "t.csv").read_text() != told
    said = neurograft(*words, "--size", "0.1", "--start", tmp_path / "n.npz")
    assert (said.code, "400 ions a slit, the circuit 800" in said.err) == (2, True)


def test_a_pair_of_molecules_goes_on_and_a_short_run_is_told(neurograft, tmp_path):
    pytest.importorskip("openmm", reason="molecules need the extra md")
    words = ("ionic", "pair", "--side-nm", "2.3", "--visit-ps", "0.05", "--settle-ps", "0.5", "--json")
    kept = ("--checkpoint", tmp_path / "u.npz", "-o", tmp_path / "pair.csv")
    for rounds in ("6", "7"):
        said = neurograft(*words, *kept, "--rounds", rounds)
        assert said.code == 2
        assert "go on for longer" in said.err
    with np.load(tmp_path / "u.npz") as file:
        assert file["window"].size == 7 * 40
    refused = neurograft(*words, "--checkpoint", tmp_path / "u.npz", "--salt", "CaSO4")
    assert refused.code == 2
    assert "start anew" in refused.err


def test_the_work_of_visits_is_reported(neurograft, tmp_path):
    """Distances drawn from a known potential, -4 kT at 0.3 nm, stand in for a long run."""
    pytest.importorskip("openmm", reason="molecules need the extra md")
    umbrellas = Umbrellas()
    slit, rng = MolecularSlit(n_units=1, side_m=2.4 * NM), np.random.default_rng(0)
    grid, seen = np.linspace(0.2, 1.3, 20_000), Visits()
    energy = -4 * np.exp(-(((grid - 0.3) / 0.08) ** 2))
    for k in range(6 * 40):
        centre = umbrellas.centre_nm[k % 20]
        weight = grid * np.exp(-energy - 0.5 * umbrellas.spring / 2.4777 * (grid - centre) ** 2)
        seen.window.append(k % 20)
        seen.distance_nm.append(np.interp(rng.random(200), np.cumsum(weight) / weight.sum(), grid))
    place = built(slit, rng).place_nm
    seen.window_of, seen.place_nm, seen.speed_nm_ps = [*range(20)] * 2, [place] * 40, [np.zeros_like(place)] * 40
    save_visits(tmp_path / "u.npz", seen, umbrellas, label=json.dumps(asdict(slit), sort_keys=True))
    said = neurograft(
        "ionic", "pair", "--rounds", "6", "--checkpoint", tmp_path / "u.npz", "-o", tmp_path / "pair.csv", "--json"
    )
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert (found["resumed"], found["rounds"]) == (True, 6)
    assert found["contact_nm"] == pytest.approx(0.3, abs=0.03)
    assert found["contact_kt"] == pytest.approx(-4, abs=4 * found["contact_error_kt"] + 0.2)
    assert 0.01 < found["core_nm"] < 2
    assert (tmp_path / "pair.csv").read_text().startswith("distance_nm,work_kt,error_kt,in_less_out_kt\n0.")


def test_phase_tells_where_it_spikes(neurograft):
    words = ("ionic", "phase", "--layers", "2", "--valences", "2", "--batteries", "0.01,0.05", "--pairs", "4000")
    silent, spiking = json.loads(neurograft(*words, "--json").out)["points"]
    assert (silent["spikes"], spiking["spikes"]) == (False, True)
    assert "noisy_interval_s" not in silent
    assert 0.5 < spiking["noisy_interval_s"] / spiking["interval_s"] < 1.5
    assert "with noise, over the shortest slit: every" in neurograft(*words).out


def test_molecules_hand_a_slit_to_the_ions(neurograft, tmp_path):
    pytest.importorskip("openmm", reason="molecules need the extra md")
    slit, dump, state = tmp_path / "slit.json", tmp_path / "t.lammpstrj", tmp_path / "m.npz"
    words = ("ionic", "md", "--side-nm", "2.3", "--units", "1", "--ns", "0.005", "-o", slit)
    said = neurograft(*words, "--settle-ps", "1", "--trajectory", dump, "--checkpoint", state, "--json")
    assert said.code == 0, said.err
    result = json.loads(said.out)
    assert result["wall_atoms_simulated"] == 0
    assert 250 < result["thermostat_k"][0] < 350
    assert any("too short" in flag for flag in result["flags"])
    said = neurograft("ionic", "ions", "--from-md", slit, "--salt", "NaCl=50", "--microseconds", "0.01", "--json")
    assert said.code == 0, said.err
    assert any("too short" in flag for flag in json.loads(said.out)["flags"])
    assert json.loads(neurograft(*words, "--checkpoint", state, "--json").out)["ns_a_day"] is None  # all was there


def test_without_openmm_molecules_name_the_extra(neurograft, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openmm", None)
    said = neurograft("ionic", "md", "-o", tmp_path / "slit.json")
    assert said.code == 2
    assert "pip install 'neurograft[md]'" in said.err


@pytest.mark.slow
def test_figures_are_one_page(neurograft, tmp_path):
    said = neurograft("ionic", "figures", "--quick", "-o", tmp_path / "f.html", "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["ions, 5 ps, n at 0.3"] == pytest.approx(0.804, rel=0.06)
    page = (tmp_path / "f.html").read_text()
    titles = ("own start", "Where spiking is possible", "Reservoirs at both ends", "Molecules", "Ions across the field")
    for title in titles:
        assert title in page
    peaks = [v for name, v in json.loads(said.out).items() if name.startswith("neuron, stripes") and "peak" in name]
    assert peaks == [pytest.approx(40.6, abs=2.2)] * 2  # from the authors' start, from random ones


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("ions", "--salt", "NaCl"), "a number for each salt"),
        (("ions", "--salt", "NaBr=3"), "is no salt that is known"),
        (("ions", "--field", "9"), "water breaks down"),
        (("ions", "--step-ps", "5000"), "Use at most"),
        (("ions", "--side-nm", "30"), "its own image"),
        (("ions", "--layers", "4"), "1, 2 and 3 layers"),
        (("ions", "--from-md", "no.json", "--salt", "NaCl=5"), "holds no slit measured"),
        (("ions", "--from-md", "no.json"), "name a --salt"),
        (("md", "--layers", "0"), "1, 2 and 3 layers"),
        (("md", "--wall", "gold"), "Known: graphene, hbn"),
        (("md", "--ns", "0"), "Give 0.005 to 1000"),
        (("neuron", "--size", "0"), "above 0"),
        (("neuron", "--depth", "stripes", "--size", "0.009"), "give 0.01 or more"),
        (("neuron", "--authors-start"), "a start of --depth stripes or particles"),
        (
            ("neuron", "--authors-start", "--depth", "stripes", "--size", "0.5"),
            "4000 cations a slit, this circuit 2000",
        ),
        (("neuron", "--start", "n.npz"), "--start is for --depth stripes"),
        (("neuron", "--depth", "stripes", "--start", "no.npz"), "no.npz"),
        (("phase", "--batteries", "a,b"), "numbers with commas"),
    ],
)
def test_bad_input_is_one_message(neurograft, words, told):
    said = neurograft("ionic", *words)
    assert said.code == 2
    assert told in said.err
