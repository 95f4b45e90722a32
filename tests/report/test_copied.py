"""The chapter of a recording in which nothing can be tested says so, in words."""

from neurograft import samples
from neurograft.copying import IntracellularOptions, copy_intracellular
from neurograft.report import KeyNumbers, Level, copied_chapters


def test_without_anything_to_test_no_card_shows_nan_or_praise():
    copied = copy_intracellular(samples.multipatch(), options=IntracellularOptions(with_evidence=True))
    assert copied.map.n_synapses == 0
    evidence = copied_chapters("Eight cells", copied)[1]
    (cards,) = [block for block in evidence.blocks if isinstance(block, KeyNumbers)]
    assert [card.value for card in cards.numbers] == ["nothing to test"] * 4
    assert all(card.level is Level.INFO and "nan" not in card.remark for card in cards.numbers)
