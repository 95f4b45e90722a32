"""Plans: the worked fly budget of the facts, the seed's 86 TB, scaling laws, unknown figures."""

import pytest

from neurograft.cells import Figure
from neurograft.errors import OptionError
from neurograft.pasting import BRAINS, TECHNOLOGIES, brain, grade, plan, technology

FLY = 138_639


def test_the_fly_budget_is_the_computed_one():
    # facts 3: used cells 5.7 MB, 0.035 s at 164 MB/s; dense 1.92e10 cells, 7.2 GB, 44 s, 5.2 % of a 1-Tb die
    used = plan(n_neurons=FLY, synapses_per_neuron=15.09e6 / FLY, memory=technology("flash"))
    assert used.bytes_used == pytest.approx(5.7e6, rel=0.01)
    assert used.one_by_one_s.value == pytest.approx(0.035, rel=0.02)
    dense = plan(
        n_neurons=FLY, synapses_per_neuron=15.09e6 / FLY, memory=technology("flash"), utilisation=15.09e6 / FLY**2
    )
    assert dense.cells == pytest.approx(1.92e10, rel=0.01)
    assert dense.one_by_one_s.value == pytest.approx(44, rel=0.01)
    assert dense.dies.value == pytest.approx(0.052, rel=0.02)


def test_a_packed_fly_takes_about_450_neurram_chips():
    found = plan(n_neurons=FLY, synapses_per_neuron=15.09e6 / FLY, memory=technology("rram"), utilisation=0.0107)
    assert found.dies.value == pytest.approx(450, rel=0.02)  # facts 3: "~450"


def test_the_human_brain_takes_the_seeds_86_terabytes_at_a_byte_a_synapse():
    human = BRAINS["human"]
    found = plan(
        n_neurons=human.n_neurons, synapses_per_neuron=human.synapses_per_neuron, memory=technology("flash"), bits=8
    )
    assert found.bytes_used == pytest.approx(86e12)
    # 8 bits on cells of 3 take 3 cells, which 1-Tb dies of 2**40 / 3 cells hold; 86e9 targets need 37 bits each
    assert found.dies.value == pytest.approx(3 * 86e12 / (2**40 / 3))
    assert found.list_bytes == pytest.approx(86e12 * (8 + 37) / 8)


@pytest.mark.parametrize("name", sorted(TECHNOLOGIES))
def test_twice_the_neurons_take_twice_of_everything_known(name):
    one, two = (plan(n_neurons=n, synapses_per_neuron=1000, memory=technology(name)) for n in (1e9, 2e9))
    for figure in ("dies", "area_mm2", "one_by_one_s", "energy_j"):
        a, b = getattr(one, figure), getattr(two, figure)
        assert a.evidence
        assert (a.value is None) == (b.value is None)
        assert a.value is None or b.value == pytest.approx(2 * a.value)


def test_binary_cells_take_one_a_bit():
    found = plan(n_neurons=100, synapses_per_neuron=10, memory=technology("mram"), bits=4)
    assert found.cells_used == 4000


def test_what_is_not_known_is_said():
    lines = plan(n_neurons=1e6, synapses_per_neuron=1000, memory=technology("flash")).lines()
    assert any(line.startswith("write energy: not known (not found") for line in lines)
    assert any("assumed" in line for line in lines)


def test_an_unknown_memory_gets_a_suggestion():
    with pytest.raises(OptionError, match="Did you mean 'flash'"):
        technology("flahs")


@pytest.mark.parametrize(
    "change", [{"n_neurons": 0}, {"synapses_per_neuron": -1}, {"bits": 0}, {"utilisation": 0.0}, {"utilisation": 1.1}]
)
def test_impossible_brains_are_refused(change):
    given = {"n_neurons": 10, "synapses_per_neuron": 10, "memory": technology("rram")} | change
    with pytest.raises(OptionError, match=next(iter(change))):
        plan(**given)


def test_a_figure_is_as_good_as_its_worst_part():
    for evidence, expected in (
        ("known: FlyWire", "known"),
        ("code: NeuRRAM chip code", "known"),
        ("code: a; computed: b", "computed"),
        ("second-hand: a; memory: b", "memory"),
        ("memory: a; guessed: b", "assumed"),
    ):
        assert grade(Figure(value=1.0, evidence=evidence)) == expected
    assert grade(Figure(value=None, evidence="known: nothing")) == "not known"


@pytest.mark.parametrize("name", sorted(TECHNOLOGIES))
def test_every_figure_of_a_plan_has_an_origin_and_a_grade(name):
    found = plan(n_neurons=1e6, synapses_per_neuron=1000, memory=technology(name))
    for _, figure, _ in found.figures():
        assert figure.evidence
        assert grade(figure) in {"known", "computed", "second-hand", "memory", "assumed", "not known"}
    assert grade(found.dies_s) == "assumed"  # no die's size and rate are both published for one memory


def test_a_write_time_by_pulses_is_pulses_times_length_over_cells_at_once():
    found = plan(n_neurons=1e6, synapses_per_neuron=1000, memory=technology("rram"), bits=3)
    assert found.one_by_one_s.value == pytest.approx(1e9 * 12.7 * 1e-6 / 256)
    assert found.energy_j.value == pytest.approx(1e9 * 12.7 * 0.6e-12)
    assert found.dies_s.value == pytest.approx(found.one_by_one_s.value / found.dies.value)


def test_more_layers_take_less_silicon_and_the_same_cells():
    one, four = (
        plan(n_neurons=1e6, synapses_per_neuron=1000, memory=technology("rram"), layers=layers) for layers in (1, 4)
    )
    assert four.area_mm2.value == pytest.approx(one.area_mm2.value / 4)
    assert four.cells == one.cells
    assert grade(four.layers) == "assumed"
    with pytest.raises(OptionError, match="layers is 0"):
        plan(n_neurons=1e6, synapses_per_neuron=1000, memory=technology("rram"), layers=0)


def test_an_unknown_brain_gets_a_suggestion():
    with pytest.raises(OptionError, match="Did you mean 'mouse'"):
        brain("mose")
