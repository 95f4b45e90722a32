"""Rows laid around known defects: the assignment against trying all orders, and what it does to sums."""

from itertools import permutations

import numpy as np
import pytest

from neurograft.cells import Defects, Flag, ZeroUnused, card, crossbars, load_image, product, save_image
from neurograft.cells._unused import defective_unused, lines_of, n_unused
from neurograft.pasting import AroundDefects, Overflow, PasteOptions, Tiles, paste, summarise
from neurograft.pasting._around import _best_rows
from pasting.conftest import make_map

TILES = Tiles(rows=64, columns=32, spare_rows=2)
LEAKY = Defects(leaky=0.02)


def pasted(m, around, *, defects=LEAKY, seed=1):
    options = PasteOptions(tiles=TILES, scaling=Overflow(), defects=defects, around=around)
    return paste(m, memory=card("rram"), options=options, seed=seed)


@pytest.mark.parametrize("seed", range(5))
def test_the_assignment_is_the_best_of_all_orders(seed):
    rng = np.random.default_rng(seed)
    lines, rows, columns = 3, 5, 4
    wanted = rng.random((lines, columns)) * (rng.random((lines, columns)) < 0.5)
    counts = (rng.random((lines, columns)) < 0.8).astype(float)
    is_bad = rng.random((rows, columns)) < 0.4
    shown = rng.random((rows, columns))

    def harm(order):
        return sum(
            counts[line, c] * (wanted[line, c] - shown[row, c]) ** 2
            for line, row in enumerate(order)
            for c in range(columns)
            if is_bad[row, c]
        )

    found = _best_rows(wanted, counts, is_bad, shown)
    assert len(set(found.tolist())) == lines
    assert harm(found) == pytest.approx(min(harm(o) for o in permutations(range(rows), lines)))


def test_leaky_cells_on_unused_places_do_less_harm_when_rows_are_laid_around_them():
    m = make_map(n_neurons=150, n_synapses=3000)
    unused = ZeroUnused()
    plain, laid = (summarise(pasted(m, a), m, unused=unused).product_error for a in (None, AroundDefects()))
    ideal = summarise(pasted(m, None, defects=Defects()), m, unused=unused).product_error
    assert ideal < laid < 0.7 * plain


def test_rows_are_left_alone_where_nothing_is_defective_or_matters():
    m = make_map(n_neurons=100, n_synapses=1000)
    for around in (AroundDefects(), AroundDefects(unused_conduct=False)):
        image = pasted(m, around)
        used = image.tile.astype(np.int64) * TILES.rows * TILES.columns + image.row * TILES.columns + image.column
        assert np.unique(used).size == image.n_cells  # no two share a cell
        assert (image.row < TILES.rows).all()
    # where unused cells are cut off, defective cells are simply left unused
    cut = pasted(m, AroundDefects(unused_conduct=False))
    assert np.count_nonzero(cut.flags & Flag.DEFECTIVE) < 0.2 * np.count_nonzero(pasted(m, None).flags & Flag.DEFECTIVE)


def test_defective_unused_cells_are_those_of_the_chip_and_add_to_sums():
    m = make_map(n_neurons=60, n_synapses=400)
    image = pasted(m, None)
    pre, post, sign, volts, _ = defective_unused(image, lines_of(image))
    n = n_unused(image)
    assert pre.size == pytest.approx(0.02 * n, abs=4 * np.sqrt(0.02 * n))  # four sd
    assert np.allclose(volts, image.code.full_scale_v, rtol=1e-6)  # leaky is the top of the window
    signs = dict(zip(image.pre.tolist(), image.sign.tolist(), strict=True))
    assert [signs[int(p)] for p in pre] == sign.tolist()
    x, rng = np.ones(m.n_neurons), np.random.default_rng(0)
    bars = [crossbars(image, unused=ZeroUnused(has_defects=h), rng=np.random.default_rng(0)) for h in (True, False)]
    quiet = [product(b._replace(noise_v2=0 * b.noise_v2, row_v2=0 * b.row_v2), x, rng) for b in bars]
    expected = np.bincount(post, weights=sign * volts, minlength=m.n_neurons)
    # the cells no longer count as healthy zeros, whose mean is near 0
    np.testing.assert_allclose(quiet[0] - quiet[1], expected, atol=0.05 * image.code.full_scale_v)


def test_the_chip_comes_back_from_the_file(tmp_path):
    m = make_map()
    image = pasted(m, None)
    save_image(image, tmp_path / "image.h5")
    assert load_image(tmp_path / "image.h5").chip == image.chip
    assert image.chip.defects == LEAKY
