"""The command line: every verb on small files, bad input refused in one message with exit code 2."""

import json

import numpy as np
import pytest

from neurograft.cells import load_image
from neurograft.maps import load_map
from neurograft.spikes import open_spikes

COMMANDS = [
    "demo",
    "info",
    "copy",
    "import",
    "paste",
    "download",
    "plan",
    "run",
    "compare",
    "score",
    "culture",
    "export",
    "forecast",
    "reservoir",
    "ionic",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(neurograft, command):
    said = neurograft(command, "--help")
    assert said.code == 0
    assert "Usage" in said.out


def test_the_list_of_commands_names_each(neurograft):
    said = neurograft("--help")
    assert [command for command in COMMANDS if command not in said.out] == []


def test_version_is_printed(neurograft):
    from neurograft import __version__

    assert neurograft("--version").out.strip() == __version__


def test_a_wrong_option_is_exit_code_two(neurograft):
    assert neurograft("paste", "--no-such-option").code == 2


def test_a_table_becomes_a_map(neurograft, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("pre,post,count\na,b,3\nb,c,2\nc,a,5\n")
    said = neurograft("import", table, "-o", tmp_path / "map.h5", "--signs", "inhibitory:b")
    assert said.code == 0, said.err
    m = load_map(tmp_path / "map.h5")
    assert m.labels == ("a", "b", "c")
    assert np.sign(m.weight_v).tolist() == [1, -1, 1]


def test_an_unsigned_table_needs_an_assumption(neurograft, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("pre,post,count\na,b,3\n")
    said = neurograft("import", table, "-o", tmp_path / "map.h5")
    assert said.code == 2
    assert "does not say which synapses inhibit" in said.err
    assert not (tmp_path / "map.h5").exists()


def test_a_mistyped_sign_rule_is_answered_with_the_known_ones(neurograft, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("pre,post,count\na,b,3\n")
    said = neurograft("import", table, "-o", tmp_path / "map.h5", "--signs", "exitatory")
    assert said.code == 2
    assert "Did you mean 'excitatory'" in said.err


def test_a_map_is_pasted_run_compared_and_exported(neurograft, ring, tmp_path):
    image, activity, table = tmp_path / "image.h5", tmp_path / "activity.h5", tmp_path / "table.csv"
    pasted = neurograft("paste", ring, "-o", image, "--memory", "rram", "--seed", "3", "--json")
    assert pasted.code == 0, pasted.err
    assert json.loads(pasted.out)["cells"] == load_image(image).n_cells == 12
    ran = neurograft("run", image, "-o", activity, "--seconds", "2", "--rate-hz", "20", "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["spikes"] == open_spikes(activity).n_spikes > 0
    for file in (ring, image, activity):
        assert neurograft("info", file).code == 0
    exported = neurograft("export", image, table, "--to", "csv")
    assert exported.code == 0, exported.err
    assert len(table.read_text().splitlines()) == 13


def test_the_same_seed_gives_the_same_activity(neurograft, ring, tmp_path):
    for name in ("one.h5", "two.h5"):
        assert neurograft("run", ring, "-o", tmp_path / name, "--seconds", "1", "--seed", "5").code == 0
    one, two = open_spikes(tmp_path / "one.h5"), open_spikes(tmp_path / "two.h5")
    assert one.time_s.tolist() == two.time_s.tolist()
    assert one.neuron.tolist() == two.neuron.tolist()


def test_two_networks_are_compared_in_a_report(neurograft, ring, tmp_path):
    image, report = tmp_path / "image.h5", tmp_path / "report.html"
    neurograft("paste", ring, "-o", image)
    said = neurograft(
        "compare", ring, image, "--report", report, "--seconds", "20", "--shuffles", "3", "--rate-hz", "20"
    )
    assert said.code == 0, said.err
    assert "The copy beats every null in" in said.out
    assert report.read_text().startswith("<!DOCTYPE html>")


def test_a_network_cannot_be_the_original_of_an_activity(neurograft, ring, tmp_path):
    neurograft("run", ring, "-o", tmp_path / "activity.h5", "--seconds", "1")
    assert not (tmp_path / "activity.h5.log").exists()
    said = neurograft("compare", ring, tmp_path / "activity.h5")
    assert said.code == 2
    assert "Name the recording or activity first" in said.err


@pytest.mark.parametrize("verb", ["info", "copy", "paste", "run", "score", "compare", "export", "import"])
@pytest.mark.parametrize("kind", ["missing", "empty", "text", "truncated"])
def test_bad_files_are_refused_in_one_message(neurograft, ring, tmp_path, verb, kind):
    bad = tmp_path / f"{kind}.h5"
    if kind == "empty":
        bad.touch()
    if kind == "text":
        bad.write_text("this is not a recording\n" * 50)
    if kind == "truncated":
        bad.write_bytes(ring.read_bytes()[:700])
    out = tmp_path / "out.h5"
    out.write_text("what was there before")
    words = {
        "info": (bad,),
        "copy": (bad, "-o", out),
        "paste": (bad, "-o", out),
        "run": (bad, "-o", out, "--seconds", "1"),
        "score": (bad, ring),
        "compare": (bad, ring),
        "export": (bad, out, "--to", "csv"),
        "import": (bad, "-o", out),
    }[verb]
    said = neurograft(verb, *words)
    assert said.code == 2
    assert said.err.startswith("neurograft: ")
    assert "Traceback" not in said.err
    assert bad.name in said.err
    assert out.read_text() == "what was there before"


def test_an_unknown_memory_is_answered_with_a_suggestion(neurograft, ring, tmp_path):
    said = neurograft("paste", ring, "-o", tmp_path / "image.h5", "--memory", "rrma")
    assert said.code == 2
    assert "Did you mean 'rram'" in said.err


def test_ctrl_c_leaves_no_half_written_output(neurograft, ring, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("neurograft.pasting.paste", interrupted)
    said = neurograft("paste", ring, "-o", tmp_path / "image.h5")
    assert said.code == 130
    assert not (tmp_path / "image.h5").exists()


def test_a_fault_of_ours_is_exit_code_one(neurograft, ring, tmp_path, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("a bug")

    monkeypatch.setattr("neurograft.pasting.paste", broken)
    said = neurograft("paste", ring, "-o", tmp_path / "image.h5")
    assert said.code == 1
    assert "fault of ours" in said.err


def test_spikes_are_copied_into_a_map(neurograft, tmp_path):
    rng = np.random.default_rng(7)
    pre = np.sort(rng.uniform(0, 600, 3_000))
    caused = pre[rng.random(pre.size) < 0.3] + 0.003
    post = np.sort(np.concatenate([rng.uniform(0, 600, 3_000), caused]))
    time_s, unit = np.concatenate([pre, post]), np.repeat([0, 1], [pre.size, post.size])
    np.savez(tmp_path / "spikes.npz", time_s=np.sort(time_s), unit=unit[np.argsort(time_s)])
    said = neurograft("copy", tmp_path / "spikes.npz", "-o", tmp_path / "map.h5", "--json")
    assert said.code == 0, said.err
    pairs = json.loads(said.out)["pairs"]
    assert [(p["pre"], p["post"]) for p in pairs] == [("0", "1")]
    assert pairs[0]["delay_s"] == pytest.approx(0.003, abs=0.0005)


def test_a_map_becomes_a_script_for_another_simulator(neurograft, ring, tmp_path):
    said = neurograft("export", ring, tmp_path / "net.py", "--to", "nest", "--rate-hz", "8", "--seconds", "3")
    assert said.code == 0, said.err
    compile((tmp_path / "net.py").read_text(), "net.py", "exec")
    with np.load(tmp_path / "net.npz") as net:
        assert net["pre"].size == 12
        assert float(net["duration_ms"]) == 3000.0
        assert net["noise_mv"].min() > 0  # --rate-hz gave it a background


def test_a_map_becomes_an_nir_graph_and_the_loss_is_said(neurograft, ring, tmp_path):
    said = neurograft("export", ring, tmp_path / "net.nir", "--to", "nir", "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["not_in_this_file"] == ["refractory times (up to 0.002 s)"]


def test_an_engine_that_is_not_installed_is_exit_code_two(neurograft, ring, tmp_path):
    words = (
        "run",
        ring,
        "-o",
        tmp_path / "a.h5",
        "--seconds",
        "0.5",
        "--engine",
        "nest",
        "--engine-python",
        "/no/python",
    )
    said = neurograft(*words)
    assert said.code == 2
    assert "cannot be started" in said.err
    assert not (tmp_path / "a.h5").exists()


def test_gap_junctions_are_added_to_a_map_and_lonely_neurons_counted(neurograft, tmp_path):
    chemical, gaps, both = tmp_path / "chemical.csv", tmp_path / "gaps.csv", tmp_path / "both.h5"
    chemical.write_text("pre,post,count\n0,1,3\n1,2,2\n")
    gaps.write_text("a,b,count\n0,2,5\n")
    words = ("--signs", "excitatory", "--n-neurons", "5")
    assert neurograft("import", chemical, "-o", tmp_path / "map.h5", *words).code == 0
    said = neurograft("import", gaps, "-o", both, "--electrical", "--undirected", "--add-to", tmp_path / "map.h5")
    assert said.code == 0, said.err
    m = load_map(both)
    assert (m.n_neurons, m.n_synapses, int((m.kind == 4).sum())) == (5, 4, 2)


@pytest.mark.parametrize(
    ("table", "words", "told"),
    [
        ("pre,post,count\na,b,3\n", (), "--signs excitatory, inhibitory:LABEL"),
        ("0,1,3\n1,2,3\n", ("--signs", "excitatory"), "--no-header"),
        ("a,b,count\nx,y,3\n", ("--signs", "excitatory"), "--undirected"),
        ("pre,post,count\na,b,3\na,b,4\n", ("--signs", "excitatory"), "--sum-duplicates"),
        ("from_,to_,count\na,b,3\n", ("--signs", "excitatory"), "--pre"),
        ("pre,post,count\n0,7,3\n", ("--signs", "excitatory", "--n-neurons", "5"), "--n-neurons is 5"),
    ],
)
def test_what_an_import_needs_is_asked_for_by_the_names_of_options(neurograft, tmp_path, table, words, told):
    (tmp_path / "table.csv").write_text(table)
    said = neurograft("import", tmp_path / "table.csv", "-o", tmp_path / "map.h5", *words)
    assert said.code == 2
    assert told in said.err


def test_a_copy_that_learns_is_followed_beside_the_living_network(neurograft, ring, tmp_path):
    image = tmp_path / "image.h5"
    assert neurograft("paste", ring, "-o", image, "--memory", "rram").code == 0
    words = ("run", image, "-o", tmp_path / "a.h5", "--seconds", "1", "--rate-hz", "20", "--living", ring)
    said = neurograft(*words, "--learn", "pair", "--json")
    assert said.code == 0, said.err
    drift = json.loads(said.out)["drift"]
    assert drift["time_s"] == pytest.approx(np.arange(11) / 10)
    assert drift["living_moved_v"][0] == 0 < drift["living_moved_v"][-1]
    assert drift["apart_v"][0] == drift["apart_unlearnt_v"][0] > 0  # what pasting left
    assert drift["same_change"][0] is None
    said = neurograft(*words)
    assert said.code == 2
    assert "nothing learns" in said.err
    other = tmp_path / "other.csv"
    other.write_text("pre,post,count\n0,1,3\n")
    assert neurograft("import", other, "-o", tmp_path / "other.h5", "--signs", "excitatory").code == 0
    said = neurograft(*words[:-1], tmp_path / "other.h5", "--learn", "pair")
    assert said.code == 2
    assert "does not have the synapses" in said.err


def test_chosen_neurons_states_are_kept_beside_the_spikes(neurograft, ring, tmp_path):
    out = tmp_path / "out.h5"
    words = ("run", ring, "--rate-hz", "20", "--seconds", "1", "-o", out)
    said = neurograft(*words, "--trace", "3, 5")
    assert said.code == 0, said.err
    assert f"states: {out}.traces.npz" in said.out
    spikes = open_spikes(out)
    with np.load(tmp_path / "out.h5.traces.npz") as kept:
        assert kept["value"].shape == (10_000, 2)
        assert (kept["label"].tolist(), kept["state"].tolist()) == (["3", "5"], ["v", "v"])
        assert kept["time_s"][[0, -1]] == pytest.approx([1e-4, 1.0])
        at_spikes = kept["value"][np.rint(spikes.by_neuron()[3] / 1e-4).astype(int), 0]
        assert kept["value"][:, 0].max() > 10e-3
    assert at_spikes.size > 5
    assert not at_spikes.any()  # a neuron that fires ends that step at its reset potential, which is rest
    for more, told in (
        (("--trace", "3", "--trace-states", "x"), "no state 'x'"),
        (("--trace", "77"), "77"),
        (("--trace", "3", "--engine", "nest"), "--trace does not go with"),
    ):
        said = neurograft(*words, *more)
        assert said.code == 2
        assert told in said.err


def test_the_model_of_the_neurons_can_be_named_and_a_misspelt_one_is_told(neurograft, ring, tmp_path):
    words = ("run", ring, "--seconds", "0.5", "--rate-hz", "0", "--noise-mv", "12", "-o")
    for name in ("lif", "izhikevich"):
        assert neurograft(*words, tmp_path / name, "--neuron", name).code == 0
    assert neurograft(*words, tmp_path / "default").code == 0
    spikes = {name: open_spikes(tmp_path / name) for name in ("lif", "izhikevich", "default")}
    assert spikes["lif"].n_spikes > 20
    assert np.array_equal(spikes["lif"].time_s, spikes["default"].time_s)
    assert spikes["izhikevich"].n_spikes != spikes["lif"].n_spikes
    said = neurograft(*words, tmp_path / "no", "--neuron", "izhikevic")
    assert said.code == 2
    assert "Did you mean 'izhikevich'" in said.err


def test_the_shape_of_synapses_is_chosen_with_its_time_constants(neurograft, ring, tmp_path):
    words = ("run", ring, "--seconds", "2", "--rate-hz", "20", "--noise-mv", "3", "-o")
    shapes = {
        "plain": (),
        "delta": ("--synapse", "delta"),
        "exponential": ("--synapse", "exponential"),
        "same": ("--synapse", "exponential", "--tau-excitatory-ms", "2", "--tau-inhibitory-ms", "5"),
        "slow": ("--synapse", "exponential", "--tau-excitatory-ms", "8"),
        "alpha": ("--synapse", "alpha"),
        "conductance": ("--neuron", "lif-conductance", "--synapse", "alpha", "--tau-excitatory-ms", "2"),
    }
    spikes = {}
    for name, options in shapes.items():
        said = neurograft(*words, tmp_path / name, *options)
        assert said.code == 0, said.err
        spikes[name] = open_spikes(tmp_path / name)
        # 20 neurons' counting errors, of the run and of the fit's trials: 4 sd
        assert spikes[name].rates_hz().mean() == pytest.approx(20, abs=4 * np.sqrt(20 * (1 / 40 + 1 / 400)))
    times = {name: trains.time_s.tolist() for name, trains in spikes.items()}
    assert times["plain"] == times["delta"]
    assert times["exponential"] == times["same"]
    assert len({tuple(times[name]) for name in ("delta", "exponential", "slow", "alpha", "conductance")}) == 5
    assert spikes["slow"].provenance.parameters["tau_excitatory_ms"] == 8
    for more, told in (
        (("--tau-excitatory-ms", "3"), "Add --synapse exponential"),
        (("--synapse", "delta", "--tau-inhibitory-ms", "3"), "Add --synapse exponential"),
        (("--synapse", "alpha", "--tau-inhibitory-ms", "-3"), "Give positive numbers"),
        (("--synapse", "alpha", "--neuron", "adex"), "does not go with --neuron adex"),
        (("--synapse", "delta", "--neuron", "lif-conductance"), "does not go with --neuron lif-conductance"),
        (("--synapse", "square"), "square"),
    ):
        said = neurograft(*words, tmp_path / "no", *more)
        assert said.code == 2
        assert told in said.err
        assert not (tmp_path / "no").exists()


def test_rounded_weights_are_an_option_of_the_command(neurograft, ring, tmp_path):
    words = ("run", ring, "--seconds", "1", "--rate-hz", "20", "-o")
    assert neurograft(*words, tmp_path / "a.h5", "--round-weights").code == 0
    assert open_spikes(tmp_path / "a.h5").provenance.parameters["round_weights"] is True
    said = neurograft(*words, tmp_path / "b.h5", "--round-weights", "--learn", "pair")
    assert said.code == 2
    assert "round_weights cannot be used with" in said.err


def test_what_another_engine_cannot_do_is_said_before_anything_runs(neurograft, ring, tmp_path):
    words = ("run", ring, "-o", tmp_path / "a.h5", "--seconds", "1")
    said = neurograft(*words, "--ranks", "2")
    assert said.code == 2
    assert "--ranks is for" in said.err
    said = neurograft(*words, "--engine", "coreneuron", "--learn", "pair")
    assert said.code == 2
    assert "not in coreneuron" in said.err


def test_rates_of_named_neurons_are_told_and_without_background_all_are_silent(neurograft, ring, tmp_path):
    words = ("run", ring, "-o", tmp_path / "a.h5", "--seconds", "1", "--rate-hz", "0")
    said = neurograft(*words, "--watch", "3, 5", "--json")
    assert said.code == 0, said.err
    told = json.loads(said.out)
    assert told["watched_hz"] == {"3": 0.0, "5": 0.0}
    assert neurograft(*words, "--watch", "77").code == 2


def test_half_of_a_network_replays_a_recording_and_the_rest_is_filled_in(neurograft, ring, tmp_path):
    original, filled = tmp_path / "original.h5", tmp_path / "filled.h5"
    assert neurograft("run", ring, "-o", original, "--seconds", "2", "--rate-hz", "20").code == 0
    said = neurograft("run", ring, "-o", filled, "--replay", original, "--clamp", "0, 3,5", "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["clamped_neurons"] == 3
    a, b = open_spikes(original), open_spikes(filled)
    assert b.duration_s == a.duration_s
    for i in (0, 3, 5):
        assert b.by_neuron()[i] == pytest.approx(a.by_neuron()[i])
    assert not np.array_equal(a.time_s, b.time_s)
    assert neurograft("run", ring, "-o", filled, "--replay", original, "--clamp", "each").code == 0
    assert neurograft("run", ring, "-o", filled, "--replay", original, "--seconds", "9").code == 2
    assert neurograft("run", ring, "-o", filled, "--replay", original, "--clamp", "0,77").code == 2
    assert neurograft("run", ring, "-o", filled).code == 2


def test_a_protocol_stimulates(neurograft, ring, tmp_path):
    protocol, activity = tmp_path / "protocol.csv", tmp_path / "a.h5"
    protocol.write_text("kind,neurons,start_s,stop_s,every_s\nspikes,4,0.1,0.5,0.1\nsilence,all,0,1,\n")
    said = neurograft("run", ring, "-o", activity, "--seconds", "0.6", "--rate-hz", "20", "--stimulus", protocol)
    assert said.code == 0, said.err
    spikes = open_spikes(activity)
    assert spikes.neuron.tolist() == [4, 4, 4, 4]
    assert spikes.time_s == pytest.approx([0.1, 0.2, 0.3, 0.4])
    protocol.write_text("kind,neurons,start_s\nspike,4,0.1\n")
    said = neurograft("run", ring, "-o", activity, "--seconds", "1", "--stimulus", protocol)
    assert said.code == 2
    assert "Did you mean 'spikes'" in said.err


def test_a_map_and_an_image_learn_while_they_run(neurograft, ring, tmp_path):
    image, activity, learnt = tmp_path / "image.h5", tmp_path / "a.h5", tmp_path / "learnt.h5"
    words = ("-o", activity, "--seconds", "2", "--rate-hz", "30", "--learnt", learnt, "--json")
    said = neurograft("run", ring, *words, "--learn", "pair", "--most-mv", "8")
    assert said.code == 0, said.err
    before, after = load_map(ring), load_map(learnt)
    assert json.loads(said.out)["changed_synapses"] == np.count_nonzero(before.weight_v != after.weight_v) > 0
    assert neurograft("paste", ring, "-o", image, "--memory", "ideal").code == 0
    said = neurograft("run", image, *words, "--learn", "pair", "--homeostasis-hz", "40")
    assert said.code == 0, said.err
    assert load_image(learnt).pulses.sum() > load_image(image).pulses.sum()
    assert neurograft("run", ring, *words).code == 2  # nothing learns
    said = neurograft("run", ring, "-o", activity, "--seconds", "1", "--short-term")
    assert said.code == 2
    assert "release_probability" in said.err


def test_an_image_is_read_as_asked_and_its_energy_told(neurograft, ring, tmp_path):
    image, activity = tmp_path / "image.h5", tmp_path / "a.h5"
    assert neurograft("paste", ring, "-o", image, "--memory", "pram").code == 0
    words = ("run", image, "-o", activity, "--seconds", "0.5", "--rate-hz", "20")
    said = neurograft(*words, "--age", "10d", "--read-noise", "--readout-bits", "8", "--line-ohm", "2", "--json")
    assert said.code == 0, said.err
    assert "read_j_per_event" in json.loads(said.out)
    assert "energy of reading the cells" in neurograft(*words).out
    assert neurograft("run", ring, "-o", activity, "--seconds", "0.5", "--read-noise").code == 2
    said = neurograft(*words, "--age", "10 weeks")
    assert said.code == 2
    assert "e.g. 1y" in said.err


def test_paste_takes_every_way_of_pasting_and_says_what_it_costs(neurograft, ring, tmp_path):
    image = tmp_path / "image.h5"
    words = ("--tile", "16", "--spare-rows", "2", "--order", "hubs", "--encode", "overflow", "--large-share", "0.3")
    more = ("--passes", "2", "--reads", "4", "--tolerance", "0.03", "--leaky", "0.05", "--around-defects")
    rest = (
        "--on-sums",
        "2",
        "--unused",
        "balanced",
        "--ages",
        "0s,1d",
        "--refresh-days",
        "1",
        "--refresh-beyond",
        "0.1",
    )
    said = neurograft("paste", ring, "-o", image, *words, *more, *rest, "--json")
    assert said.code == 0, said.err
    result = json.loads(said.out)
    assert result["unused_cells"] > 0
    assert result["unused_pulses"] > 0
    assert [row["age_s"] for row in result["ages"]] == [0.0, 86_400.0]
    assert result["ages"][1]["weight_error"] > result["ages"][0]["weight_error"]
    assert 0 <= result["refresh"]["share"] <= 1
    loaded = load_image(image)
    assert loaded.chip.defects.leaky == 0.05
    assert loaded.provenance.parameters["verify"]["n_reads"] == 4
    plain = neurograft("paste", ring, "-o", image, "--ages", "1y", "--refresh-days", "1")
    assert "not known: age_s" in plain.out
    assert "worn out after" in plain.out
    late = neurograft("paste", ring, "-o", image, "--refresh-days", "30", "--refresh-beyond", "0.1")
    assert late.code == 0  # rram is known for two days: the image is good all the same
    assert "refreshed every 30 days: not known: age_s is" in late.out


def test_paste_stands_beside_the_naive_way_and_hints_at_what_would_lower_the_error(neurograft, ring, tmp_path):
    words = ("paste", ring, "-o", tmp_path / "image.h5", "--memory", "pram", "--unused", "zero", "--beside-naive")
    said = neurograft(*words, "--tile", "128")
    assert said.code == 0, said.err
    assert "error of sums after one gain: naive" in said.out
    assert "hint: unused cells make most of this error" in said.out
    result = json.loads(neurograft(*words, "--tile", "64", "--around-defects", "--json").out)
    assert 0 < result["error_after_gain"] < result["naive_error_after_gain"]
    assert result["naive"]["n_cells"] == result["naive"]["pulses"] == 12
    assert "hint" not in neurograft(*words, "--tile", "64", "--around-defects").out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--order", "metsi"), "Did you mean 'metis'"),
        (("--encode", "overlow"), "Did you mean 'overflow'"),
        (("--unused", "abset"), "Did you mean 'absent'"),
        (("--ages", "3x"), "'3x' is not a number and a unit"),
        (("--leaky", "2"), "leaky is 2.0"),
        (("--max-tiles", "1", "--tile", "4", "--spare-rows", "0"), "The map needs"),
        (("--memory", "absent.json"), "absent.json is not a file"),
        (("--refresh-beyond", "3"), "beyond is 3.0"),
    ],
)
def test_a_wrong_way_of_pasting_is_refused_with_the_remedy(neurograft, ring, tmp_path, words, message):
    said = neurograft("paste", ring, "-o", tmp_path / "image.h5", *words)
    assert (said.code, said.out) == (2, "")
    assert message in said.err
    assert not (tmp_path / "image.h5").exists()


def test_own_measurements_become_a_card_and_a_misspelt_entry_of_it_is_named(neurograft, ring, tmp_path):
    table, kept = tmp_path / "mine.csv", tmp_path / "mine.json"
    rng = np.random.default_rng(0)
    lines = [f"{t},{abs(rng.normal(t, 0.5)):.4f},1" for t in (1, 5, 10, 20, 40) for _ in range(20)]
    table.write_text("\n".join(("target_us,measured_us,age_s", *lines)))
    said = neurograft("paste", ring, "-o", tmp_path / "image.h5", "--memory", table, "--save-card", kept)
    assert said.code == 0, said.err
    assert "rms residual of the spread" in said.out
    assert neurograft("paste", ring, "-o", tmp_path / "image.h5", "--memory", kept).code == 0
    kept.write_text(kept.read_text().replace("g_max_siemens", "g_max_simens"))
    said = neurograft("paste", ring, "-o", tmp_path / "image.h5", "--memory", kept)
    assert said.code == 2
    assert "Did you mean 'g_max_siemens'" in said.err


def test_recorded_activity_gives_the_inputs_whose_sums_are_corrected(neurograft, ring, tmp_path):
    activity = tmp_path / "activity.h5"
    assert neurograft("run", ring, "-o", activity, "--seconds", "2", "--rate-hz", "20").code == 0
    words = ("-o", tmp_path / "image.h5", "--memory", "pram", "--on-sums", "2", "--inputs", activity)
    said = neurograft("paste", ring, *words)
    assert said.code == 0, said.err
    assert "programmed on sums" in " ".join(e.what for e in load_image(tmp_path / "image.h5").log)
