"""The chapter of a recording in which nothing can be tested says so, in words."""

from neurograft import samples
from neurograft.copying import IntracellularOptions, copy_intracellular
from neurograft.recordings import array_recording
from neurograft.report import KeyNumbers, Level, copied_chapters

EVIDENCE = IntracellularOptions(with_evidence=True)


def test_without_anything_to_test_no_card_shows_nan_or_praise():
    whole = samples.multipatch()  # spikes at 200 and 302 ms of each sweep: six are fewer than the eight asked for
    stops = [whole.segment_frames[k] if k < 3 else round(0.15 * whole.rate_hz) for k in range(10)]
    sweeps = tuple(whole.read(k, 0, stop) for k, stop in enumerate(stops))
    copied = copy_intracellular(array_recording(sweeps, rate_hz=whole.rate_hz, signal=whole.signal), options=EVIDENCE)
    assert copied.map.n_synapses == 0
    evidence = copied_chapters("Eight cells", copied)[1]
    (cards,) = [block for block in evidence.blocks if isinstance(block, KeyNumbers)]
    assert [card.value for card in cards.numbers] == ["nothing to test"] * 4
    assert all(card.level is Level.INFO and "nan" not in card.remark for card in cards.numbers)


def test_without_a_call_what_was_tested_is_shown_and_what_was_not_is_not():
    copied = copy_intracellular(samples.multipatch(), options=EVIDENCE)
    assert copied.map.n_synapses == 0
    evidence = copied_chapters("Eight cells", copied)[1]
    (cards,) = [block for block in evidence.blocks if isinstance(block, KeyNumbers)]
    shown = {card.label: card for card in cards.numbers}
    assert shown["calls in shifted designs over true calls"].value == "nothing to test"
    assert shown["z of shifted designs, standard deviation"].value == f"{copied.null.shift_sd:.3f}"
    assert all("nan" not in card.value + card.remark for card in cards.numbers)
