"""What ``compare`` adds on request: refused where it makes no sense, before anything runs; told and in the report."""

import json

import numpy as np
import pytest
from numba import config

from neurograft.spikes import save_spikes, spike_trains


@pytest.fixture
def recording(tmp_path):
    rng = np.random.default_rng(1)
    path = tmp_path / "recording.h5"
    save_spikes(
        spike_trains(
            time_s=rng.uniform(0, 20, 1200),
            neuron=rng.integers(0, 12, 1200),
            n_neurons=12,
            epochs_s=np.array([[0.0, 20.0]]),
        ),
        path,
    )
    return path


@pytest.mark.parametrize(
    ("first", "second", "words", "told"),
    [
        ("recording", "ring", ("--predict", "--clamp", "0.3"), "--clamp is 0.3"),
        ("recording", "ring", ("--predict", "--clamp", "half"), "--clamp is half"),
        ("recording", "ring", ("--stimulus", "protocol.csv"), "need two networks"),
        ("recording", "ring", ("--degrade", "bits:1"), "need two networks"),
        ("recording", "recording", ("--recopy",), "--recopy needs a network second"),
        ("ring", "ring", ("--predict",), "--predict needs a recording"),
        ("ring", "ring", ("--degrade", "rust:1"), "bits:LEVEL"),
        ("ring", "ring", ("--degrade", "bits:many"), "--degrade bits:many: give numbers"),
        ("ring", "ring", ("--degrade", "age:1"), "s, min, h, d or y"),
        ("ring", "recording", (), "is a network and"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_runs(neurograft, ring, recording, first, second, words, told):
    path = {"ring": ring, "recording": recording}
    said = neurograft("compare", path[first], path[second], *words)
    assert said.code == 2
    assert told in said.err


@pytest.mark.slow
@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="seconds of model time need compiled code")
def test_everything_that_is_asked_for_is_told_and_in_the_report(neurograft, ring, tmp_path):
    image, protocol, report = tmp_path / "image.h5", tmp_path / "protocol.csv", tmp_path / "report.html"
    assert neurograft("paste", ring, "-o", image, "--memory", "rram").code == 0
    protocol.write_text("kind,neurons,start_s\nspikes,1 4,0.05\n")
    said = neurograft(
        "compare", ring, image, "--seconds", "20", "--shuffles", "2", "--recopy", "--stimulus", protocol, "--trial-s",
        "0.2", "--trials", "5", "--degrade", "age:1d", "--degrade", "bits:1,4", "--report", report, "--json",
    )  # fmt: skip
    assert said.code == 0, said.err
    told = json.loads(said.out)
    assert told["recopied"]["n_first"] == 12
    assert told["response"]["untouched_neurons"] == 10
    assert len(told["degradation"]["age:1d"]["distance"]) == 1
    assert len(told["degradation"]["bits:1,4"]["distance"]) == 2
    page = report.read_text()
    for words in ("Copy of a copy", "The same stimulus", "shuffled maps"):
        assert words in page
