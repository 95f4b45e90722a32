"""Cards by name and as JSON."""

import json

import numpy as np
import pytest

from neurograft.cells import CARDS, MemoryCell, card, card_from_json, card_sha256, card_to_json
from neurograft.errors import CellError


@pytest.mark.parametrize("name", sorted(CARDS))
def test_every_card_says_where_its_numbers_come_from(name):
    header = card(name).header
    assert all((header.source, header.table, header.conditions, header.fitted, header.guessed, header.evidence))
    assert isinstance(card(name), MemoryCell)


@pytest.mark.parametrize("name", sorted(CARDS))
def test_a_card_comes_back_from_its_json(name):
    again = card_from_json(card_to_json(card(name)))
    assert again == card(name)
    assert card_sha256(again) == card_sha256(card(name))


def test_cards_differ_in_hash():
    assert len({card_sha256(c) for c in CARDS.values()}) == len(CARDS)


@pytest.mark.parametrize("name", sorted(CARDS))
def test_programming_stays_a_conductance_and_repeats_with_its_seed(name):
    cell = card(name)
    target = np.linspace(cell.g_min_siemens, cell.g_max_siemens, 20)
    first, again = (cell.program(target, np.random.default_rng(3)) for _ in range(2))
    assert np.all(first >= 0)
    np.testing.assert_array_equal(first, again)


def test_an_unknown_name_gets_a_suggestion():
    with pytest.raises(CellError, match=r"'rrma' is no memory card\. Did you mean 'rram'\?"):
        card("rrma")


def test_a_misspelt_entry_is_refused_with_a_suggestion():
    raw = json.loads(card_to_json(card("rram")))
    raw["card"]["g_max_simens"] = raw["card"].pop("g_max_siemens")
    with pytest.raises(CellError, match="Did you mean 'g_max_siemens'"):
        card_from_json(json.dumps(raw))


def test_a_missing_entry_is_refused():
    raw = json.loads(card_to_json(card("rram")))
    del raw["card"]["ramp"]["step_v"]
    with pytest.raises(CellError, match=r"Rram\.ramp lacks step_v"):
        card_from_json(json.dumps(raw))


def test_a_value_of_the_wrong_type_is_refused():
    raw = json.loads(card_to_json(card("rram")))
    raw["card"]["ramp"]["step_v"] = "fast"
    with pytest.raises(CellError, match=r"Rram\.ramp\.step_v is 'fast'"):
        card_from_json(json.dumps(raw))


@pytest.mark.parametrize("text", ["{", "[]", '{"family": "Rram"}', '{"family": "Tape", "card": {}}'])
def test_what_is_no_card_is_refused(text):
    with pytest.raises(CellError):
        card_from_json(text)
