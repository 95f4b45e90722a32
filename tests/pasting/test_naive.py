"""A paste beside the plain one: the errors are those of the images, the costs those of the summaries."""

import numpy as np
import pytest

from neurograft.cells import AbsentUnused, OneShot, ZeroUnused, card
from neurograft.pasting import AroundDefects, PasteOptions, Scaling, Tiles, ageing, beside_naive, paste

SMALL = Tiles(rows=32, columns=16, spare_rows=4)


def test_naive_is_one_cell_set_once_with_unused_cells_at_zero(random_map):
    options = PasteOptions(tiles=SMALL, around=AroundDefects())
    image = paste(random_map, memory=card("rram"), options=options, seed=3)
    found = beside_naive(image, random_map, options=options, unused=AbsentUnused(), seed=3)
    plain = PasteOptions(tiles=SMALL, scaling=Scaling(clip_share=0.0), verify=OneShot())
    other = paste(random_map, memory=card("rram"), options=plain, seed=3)
    assert found.naive.n_cells == found.naive.pulses == other.n_cells == np.unique(other.synapse).size
    assert found.naive.unused_pulses == found.naive.n_unused > 0
    assert found.ours.unused_pulses == 0
    assert found.ours.pulses == image.pulses.sum()
    aged = ageing(other, random_map, ages_s=(0.0,), unused=ZeroUnused(), seed=3)[0]
    assert found.naive_error == aged.error_after_gain
    assert found.our_error < 0.5 * found.naive_error


def test_the_words_give_errors_and_costs(random_map):
    options = PasteOptions(tiles=SMALL)
    image = paste(random_map, memory=card("pram"), options=options, seed=3)
    found = beside_naive(image, random_map, options=options, unused=ZeroUnused(), seed=3)
    words = " ".join(found.lines())
    assert f"naive {found.naive_error:.1%}, here {found.our_error:.1%}" in words
    assert f"{found.ours.n_cells / found.naive.n_cells:.2f} x the cells" in words
    every = [s.pulses + s.unused_pulses for s in (found.ours, found.naive)]
    assert f"{every[0] / every[1]:.3g} x the pulses" in words
    assert found.ours.parallel_s.value is not None
    assert found.naive.parallel_s.value is not None
    assert f"{found.ours.parallel_s.value / found.naive.parallel_s.value:.3g} x the write time" in words


def test_a_naive_paste_of_the_naive_options_is_the_same_paste(random_map):
    options = PasteOptions(tiles=SMALL, scaling=Scaling(clip_share=0.0), verify=OneShot())
    image = paste(random_map, memory=card("pram"), options=options, seed=3)
    found = beside_naive(image, random_map, options=options, unused=ZeroUnused(), seed=3)
    assert found.our_error == pytest.approx(found.naive_error, abs=0)
    assert found.ours == found.naive
