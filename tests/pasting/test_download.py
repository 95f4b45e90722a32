"""Direct download: the recording's own signals move the cells."""

from dataclasses import replace

import numpy as np
import pytest

from neurograft.cells import Defects, Flag, card, card_sha256, image_to_map, load_image, save_image
from neurograft.errors import OptionError, RecordingError
from neurograft.maps import Undecidable
from neurograft.pasting import DownloadOptions, SecondOrder, download
from neurograft.pasting._download_read import near_pads
from neurograft.recordings import Signal, array_recording
from neurograft.units import MV
from pasting._signals import EXCITES, INHIBITS, RATE_HZ, seen

QUIET = DownloadOptions(cell_spread=0.0, relaxes=False, cells_per_pair=1)


@pytest.fixture(scope="module")
def made():
    return seen(8, 60.0)


@pytest.fixture(scope="module")
def found(made):
    return download(made.recording, memory=card("rram"), seed=1)


def _pairs(m):
    return set(zip(m.pre.tolist(), m.post.tolist(), strict=True))


@pytest.mark.parametrize("memory", ["rram", "pram"])
def test_the_synapses_stand_out_with_their_signs_and_nothing_else_does(made, memory):
    got = download(made.recording, memory=card(memory), seed=1).map
    assert _pairs(got) == {EXCITES, INHIBITS}
    weight_v = got.weight_matrix_v()
    assert weight_v[EXCITES] > 0 > weight_v[INHIBITS]
    assert got.sign[[0, 2]].tolist() == [1, -1]


def test_weights_are_of_the_size_that_was_put_in(made):
    # the same template is assumed as here; what is left is soft bounds fitted by a power law
    got = download(made.recording, memory=card("pram"), options=QUIET, seed=1).map.weight_matrix_v()
    for pair, peak_v in ((EXCITES, 1 * MV), (INHIBITS, -1 * MV)):
        assert got[pair] == pytest.approx(peak_v, rel=0.5)


def test_stronger_potentials_leave_larger_weights():
    sizes, small_steps = {}, replace(QUIET, step=0.01)  # far from the ends of the window
    for peak_v in (0.3 * MV, 0.8 * MV, 2.0 * MV):
        both = seen(6, 40.0, synapses={EXCITES: peak_v}).recording
        sizes[peak_v] = download(both, memory=card("ideal"), options=small_steps, seed=0).reading.moved_siemens[EXCITES]
    assert list(sizes.values()) == sorted(sizes.values())


def test_the_image_holds_the_map_and_comes_back_from_its_file(found, tmp_path):
    save_image(found.image, tmp_path / "image.h5")
    image = load_image(tmp_path / "image.h5")
    back = image_to_map(image, rng=np.random.default_rng(0))
    assert _pairs(back) == _pairs(found.map)
    assert back.weight_v == pytest.approx(found.map.weight_v)
    assert image.provenance.inputs["card"] == card_sha256(card("rram"))
    assert image.log[-1].duration_s == pytest.approx(60.0)
    assert image.pulses.min() > 100  # one at each action potential of 8 Hz


def test_the_same_seed_gives_the_same_image_and_another_one_another(made, found):
    again = download(made.recording, memory=card("rram"), seed=1)
    assert again.image.programmed_siemens.tolist() == found.image.programmed_siemens.tolist()
    other = download(made.recording, memory=card("rram"), seed=2)
    assert other.reading.moved_siemens.tolist() != found.reading.moved_siemens.tolist()


def test_a_recording_without_synapses_leaves_nothing_at_the_stated_rate():
    calls, pairs = 0, 0
    for seed in range(3):
        none = seen(8, 30.0, seed=seed, synapses={}).recording
        calls += download(none, memory=card("rram"), seed=seed).map.n_synapses
        pairs += 56
    assert calls <= 3  # at 5 % a family (Benjamini and Hochberg), 0.15 families are expected to hold a call


def test_a_first_order_cell_misses_what_comes_after_the_action_potential(made):
    first = DownloadOptions(state=SecondOrder(decay_s=0.0, before=0.0))
    z = {
        name: download(made.recording, memory=card("rram"), options=o, seed=1).reading.z[EXCITES]
        for name, o in (
            ("first", first),
            ("second", DownloadOptions()),
        )
    }
    assert abs(z["first"]) < 4 < z["second"]


def test_more_cells_a_pair_scatter_less(made):
    spread = {}
    for m in (1, 9):
        options = DownloadOptions(cells_per_pair=m)
        reading = download(made.recording, memory=card("rram"), options=options, seed=3).reading
        others = np.ones((8, 8), dtype=bool)
        others[EXCITES] = others[INHIBITS] = False
        np.fill_diagonal(others, False)
        spread[m] = np.std(reading.moved_siemens[others])
    assert spread[9] < 0.8 * spread[1]


def test_silent_and_dead_channels_are_said_to_be_undecidable():
    made = seen(5, 20.0)
    samples = np.array(made.recording.samples[0])
    samples[:, 3] = -0.065
    recording = array_recording(samples, rate_hz=RATE_HZ, signal=Signal.MEMBRANE_V)
    found = download(recording, memory=card("rram"), seed=0)
    assert found.front.reason[3] == "constant or saturated"
    evidence = found.map.evidence
    assert evidence is not None
    off = ~np.eye(5, dtype=bool)
    assert np.isnan(evidence.z[3]).all()
    assert np.isnan(evidence.z[:, 3]).all()
    assert np.all(evidence.undecidable[3][off[3]] != 0)
    assert 3 not in found.map.pre
    assert 3 not in found.map.post


def test_segments_are_driven_one_after_the_other_and_never_across():
    made = seen(6, 40.0)
    whole = np.array(made.recording.samples[0])
    parts = array_recording((whole[:100_000], whole[100_000:]), rate_hz=RATE_HZ, signal=Signal.MEMBRANE_V)
    found = download(parts, memory=card("rram"), seed=1)
    assert _pairs(found.map) == {EXCITES, INHIBITS}
    assert found.seconds == pytest.approx(40.0)


def test_figures_have_their_origin(found):
    words = "\n".join(found.lines())
    assert "second-hand" in words
    assert found.energy_j.value == pytest.approx(found.pulses * 0.6e-12)


@pytest.mark.parametrize(("memory", "message"), [("flash", "flash has 8 levels"), ("mram", "mram has 2 levels")])
def test_memories_with_levels_are_refused(made, memory, message):
    with pytest.raises(OptionError, match=message):
        download(made.recording, memory=card(memory), seed=0)


@pytest.mark.parametrize(
    ("name", "value"),
    [("step", 0.0), ("cells_per_pair", 0), ("fdr", 0.0), ("n_decoys", 2), ("delay_s", 1.0), ("cell_spread", -1.0)],
)
def test_impossible_options_are_refused(name, value):
    with pytest.raises(OptionError, match=name):
        replace(DownloadOptions(), **{name: value})


def test_a_recording_of_nothing_is_refused_or_left_empty():
    with pytest.raises(RecordingError, match="lasts"):
        download(
            array_recording(np.zeros((100, 3), dtype=np.float32), rate_hz=RATE_HZ, signal=Signal.MEMBRANE_V),
            memory=card("rram"),
            seed=0,
        )
    flat = array_recording(np.zeros((20_000, 3), dtype=np.float32), rate_hz=RATE_HZ, signal=Signal.MEMBRANE_V)
    with pytest.raises(RecordingError, match="All 3 channels"):
        download(flat, memory=card("rram"), seed=0)


def test_a_recording_is_read_in_pieces_however_long_it_is(made, monkeypatch):
    asked = []

    class Watched:
        """The recording, taking down how much is asked for at once."""

        def __getattr__(self, name):
            return getattr(made.recording, name)

        def read(self, segment, start, stop):
            asked.append(stop - start)
            return made.recording.read(segment, start, stop)

    for module in ("_front_end", "_front_end_set"):
        monkeypatch.setattr(f"neurograft.pasting.{module}.CHUNK_SAMPLES", 80_000)
    found = download(Watched(), memory=card("rram"), seed=1)
    assert max(asked) <= 80_000 / 8 + 0.4 * RATE_HZ  # a piece of eight channels and its margins; 300,000 in all
    assert _pairs(found.map) == {EXCITES, INHIBITS}


def test_cells_that_cannot_be_programmed_are_cut_off_and_change_no_weight(made):
    many = replace(card("rram"), defects=Defects(dead=0.05, stuck_low=0.05, leaky=0.05))
    found = download(made.recording, memory=many, options=DownloadOptions(cells_per_pair=9), seed=4)
    assert _pairs(found.map) == {EXCITES, INHIBITS}
    assert found.image.n_cells < 18
    assert not (found.image.flags & Flag.DEFECTIVE).any()
    good = download(made.recording, memory=card("rram"), options=DownloadOptions(cells_per_pair=9), seed=4)
    for pair in (EXCITES, INHIBITS):
        ratio = found.map.weight_matrix_v()[pair] / good.map.weight_matrix_v()[pair]
        assert ratio == pytest.approx(1.0, abs=0.4)  # dead cells left in would take 0.1 of full scale each


def test_pads_beside_each_other_are_undecidable_and_true_potentials_are_not():
    made = seen(6, 30.0, gain=np.full(6, 0.04))
    place = np.array([[20.0 * i, 0.0] for i in range(6)])
    pads = array_recording(made.recording.samples[0], rate_hz=RATE_HZ, signal=Signal.INTRACELLULAR_V, position_um=place)
    evidence = download(pads, memory=card("rram"), seed=0).map.evidence
    assert evidence is not None
    assert evidence.undecidable[0, 1] == evidence.undecidable[1, 0] == Undecidable.CROSS_TALK
    assert evidence.undecidable[0, 2] == Undecidable.DECIDED
    assert np.isnan(evidence.z[0, 1])
    assert not near_pads(made.recording).any()  # no places known


def test_pads_far_apart_are_downloaded_like_membranes():
    synapses = {(0, 3): 1.5 * MV, (4, 1): -1.5 * MV}
    made = seen(6, 60.0, synapses=synapses, gain=np.array([0.04, 0.03, 0.05, 0.04, 0.06, 0.02]))
    assert _pairs(download(made.recording, memory=card("rram"), seed=0).map) == set(synapses)
