"""Pasting: what is asked for is held, nothing depends on chance that the seed does not fix, failures use spares."""

from dataclasses import replace

import numpy as np
import pytest

from neurograft.cells import Defects, Flag, Ideal, MemoryImage, card, image_to_map
from neurograft.cells._image import CELL_COLUMNS
from neurograft.errors import OptionError
from neurograft.maps import Kind
from neurograft.pasting import (
    ColumnPairs,
    OneShot,
    PasteOptions,
    ProgramAndVerify,
    RowPolarity,
    Scaling,
    Tiles,
    paste,
)
from pasting.conftest import make_map

SMALL = Tiles(rows=32, columns=16, spare_rows=4)
NO_DEFECTS = Defects()


def options(**changes):
    return PasteOptions(**({"tiles": SMALL, "scaling": Scaling()} | changes))


@pytest.mark.parametrize("signs", [RowPolarity(), ColumnPairs()])
@pytest.mark.parametrize("verify", [OneShot(), ProgramAndVerify()])
@pytest.mark.parametrize("exponent", [1.0, 0.5])
def test_an_ideal_memory_holds_the_targets_bit_for_bit_and_gives_the_map_back(random_map, signs, verify, exponent):
    scaling = Scaling(clip_share=0.0, exponent=exponent)
    image = paste(random_map, memory=Ideal(), options=options(signs=signs, verify=verify, scaling=scaling), seed=1)
    np.testing.assert_array_equal(image.programmed_siemens, image.target_siemens)
    back = image_to_map(image, rng=np.random.default_rng(0))
    for name in ("pre", "post", "kind", "delay_s", "position_um", "sign"):
        np.testing.assert_array_equal(getattr(back, name), getattr(random_map, name))
    assert (back.labels, back.model) == (random_map.labels, random_map.model)
    # conductances are kept in 32 bits: half a unit in the last place, doubled by decoding a square root
    np.testing.assert_allclose(back.weight_v, random_map.weight_v, rtol=3e-7)


def test_the_same_seed_gives_the_same_image_and_another_does_not(random_map):
    first, again, other = (paste(random_map, memory=card("rram"), options=options(), seed=s) for s in (1, 1, 2))
    for name in CELL_COLUMNS:
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert not np.array_equal(first.programmed_siemens, other.programmed_siemens)


@pytest.mark.parametrize("kind", [Kind.POLYSYNAPTIC, Kind.UNDECIDED])
def test_polysynaptic_paths_and_undecided_kinds_are_left_out_and_counted(kind):
    m = make_map(kinds=(Kind.CHEMICAL, kind, Kind.ELECTRICAL))
    image = paste(m, memory=Ideal(), options=options(), seed=1)
    assert image.n_left_out == np.count_nonzero(m.kind == kind) > 0
    kept = m.select(m.kind != kind)
    back = image_to_map(image, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(back.kind, kept.kind)
    np.testing.assert_array_equal(m.kind[image.synapse], image.kind)


def test_weights_beyond_full_scale_sit_at_the_end_of_the_window_and_are_flagged(random_map):
    image = paste(random_map, memory=Ideal(), options=options(scaling=Scaling(clip_share=0.1)), seed=1)
    clipped = (image.flags & Flag.CLIPPED) > 0
    assert np.count_nonzero(clipped) == random_map.n_synapses // 10
    np.testing.assert_array_equal(image.target_siemens[clipped], np.float32(image.cell.g_max_siemens))
    assert np.all(np.abs(random_map.weight_v[image.synapse[clipped]]) > image.code.full_scale_v)


def test_pairs_take_two_neighbouring_columns_one_of_them_at_zero(random_map):
    image = paste(random_map, memory=Ideal(g_min_siemens=1e-6), options=options(signs=ColumnPairs()), seed=1)
    assert image.n_cells == 2 * random_map.n_synapses
    zero = (image.flags & Flag.ZERO) > 0
    np.testing.assert_array_equal(image.target_siemens[zero], np.float32(1e-6))
    order = np.lexsort((image.column, image.synapse))
    columns, signs = image.column[order].reshape(-1, 2), image.sign[order].reshape(-1, 2)
    assert np.all(columns[:, 1] == columns[:, 0] + 1)
    assert np.all(signs == [1, -1])


def test_spare_rows_take_the_rows_that_fail_and_failures_fall(random_map):
    # cells stuck at the top: no target reaches it once full scale is above every weight
    scaling, defects = Scaling(clip_share=0.0), Defects(dead=0.03)
    images = [
        paste(
            random_map,
            memory=card("rram"),
            options=options(tiles=replace(SMALL, spare_rows=k), scaling=scaling, defects=defects),
            seed=3,
        )
        for k in (0, 8)
    ]
    without, with_spares = (np.count_nonzero(i.flags & Flag.OUT_OF_BAND) for i in images)
    assert without > 0
    assert with_spares < without / 2
    spare = (images[1].flags & Flag.SPARE) > 0
    assert np.all(images[1].row[spare] >= SMALL.rows - 8)
    assert np.all(images[1].row[~spare] < SMALL.rows - 8)
    place = images[1].tile * 10_000 + images[1].row * 100 + images[1].column
    assert np.unique(place).size == images[1].n_cells


def test_each_option_of_pasting_changes_the_image(random_map):
    base = paste(random_map, memory=card("rram"), options=options(), seed=1)
    for changed in (
        options(tiles=replace(SMALL, rows=64)),
        options(tiles=replace(SMALL, columns=8)),
        options(tiles=replace(SMALL, spare_rows=0)),
        options(tiles=replace(SMALL, layers=2)),
        options(scaling=Scaling(clip_share=0.2)),
        options(scaling=Scaling(exponent=0.5)),
        options(signs=ColumnPairs()),
        options(verify=OneShot()),
        options(verify=ProgramAndVerify(tolerance=0.05, max_passes=3)),
        options(defects=Defects(leaky=0.2)),
    ):
        other = paste(random_map, memory=card("rram"), options=changed, seed=1)
        assert any(not np.array_equal(getattr(base, c), getattr(other, c)) for c in CELL_COLUMNS), changed


def test_a_defective_cell_in_one_shot_programming_shows_its_fault(random_map):
    image = paste(
        random_map, memory=card("rram"), options=options(verify=OneShot(), defects=Defects(leaky=1.0)), seed=1
    )
    np.testing.assert_array_equal(image.programmed_siemens, np.float32(40e-6))
    assert np.all(image.flags & Flag.DEFECTIVE)


def test_a_map_without_synapses_gives_an_image_without_cells(random_map):
    empty = random_map.select(np.zeros(random_map.n_synapses, dtype=bool))
    image = paste(empty, memory=card("rram"), options=options(), seed=1)
    assert isinstance(image, MemoryImage)
    assert (image.n_cells, image.tiles.n_tiles) == (0, 0)
    assert image_to_map(image, rng=np.random.default_rng(0)).n_synapses == 0


def test_progress_is_told(random_map):
    heard = []
    paste(random_map, memory=card("rram"), options=options(), seed=1, progress=lambda *a: heard.append(a))
    assert {"placing", "programming"} <= {what for what, _, _ in heard}


def test_a_negative_seed_is_refused(random_map):
    with pytest.raises(OptionError, match="seed is -1"):
        paste(random_map, memory=card("rram"), seed=-1)
