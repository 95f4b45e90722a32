"""The command ``plan``."""

import json

import pytest


def test_the_four_brains_are_planned_and_every_figure_is_graded(neurograft):
    said = neurograft("plan", "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert set(found) == {"human", "mouse", "fly", "worm"}
    assert found["human"]["bytes"] == pytest.approx(86e12)
    assert found["human"]["energy_j"] == {
        "value": None,
        "unit": "J",
        "grade": "not known",
        "evidence": found["human"]["energy_j"]["evidence"],
    }
    assert found["fly"]["dies"]["grade"] == "assumed"


def test_numbers_of_ones_own_are_planned_in_words(neurograft):
    said = neurograft("plan", "--neurons", "86e9", "--synapses-per-neuron", "1000", "--memory", "rram", "--bits", "3")
    assert said.code == 0, said.err
    assert "8.6e+13 synapses of 3 bits in rram" in said.out
    assert "assumed" in said.out


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("--memory", "flahs"), "Did you mean 'flash'"),
        (("--brain", "mose"), "Did you mean 'mouse'"),
        (("--neurons", "5"), "--synapses-per-neuron is missing"),
        (("--brain", "fly", "--neurons", "5"), "Leave out --neurons"),
        (("--neurons", "-5", "--synapses-per-neuron", "3"), "n_neurons is -5"),
        (("--bits", "0"), "bits is 0"),
        (("--bits", "100"), "bits is 100"),
        (("--utilisation", "2"), "utilisation is 2"),
        (("--layers", "0"), "layers is 0"),
        (("--neurons", "nan", "--synapses-per-neuron", "3"), "n_neurons is nan"),
    ],
)
def test_an_impossible_plan_is_refused_with_the_remedy(neurograft, words, answer):
    said = neurograft("plan", *words)
    assert said.code == 2
    assert answer in said.err
