"""Programming on sums: what verifying cell by cell cannot see is corrected, and fresh inputs judge."""

import numpy as np
import pytest

from neurograft.cells import Ideal, OneShot, ZeroUnused, card, crossbars, products
from neurograft.errors import ImageError, OptionError
from neurograft.pasting import Overflow, PasteOptions, Tiles, paste, programmed_on_sums
from pasting.conftest import make_map

TILES = Tiles(rows=64, columns=32, spare_rows=2)


def together(seed, k, n):
    """Inputs in which a random share of the neurons is active together, as in bursts."""
    rng = np.random.default_rng(seed)
    return (rng.random((k, n)) < rng.beta(0.5, 2.0, k)[:, None]).astype(float)


def error(image, m, inputs, **how):
    seen = products(crossbars(image, rng=np.random.default_rng(3), **how), inputs, np.random.default_rng(4))
    right = inputs @ m.weight_matrix_v()
    return np.linalg.norm(seen - right) / np.linalg.norm(right)


@pytest.fixture
def m():
    return make_map(n_neurons=100, n_synapses=2500)


def test_errors_that_bursts_add_up_are_corrected_for_fresh_bursts(m):
    options = PasteOptions(tiles=TILES, scaling=Overflow(), verify=OneShot())
    image = paste(m, memory=card("pram"), options=options, seed=1)
    after = programmed_on_sums(image, m, together(0, 400, 100), rounds=16, seed=5)
    fresh = together(1, 200, 100)  # none of them was played before
    assert error(after, m, fresh) < 0.75 * error(image, m, fresh)
    assert after.pulses.sum() > image.pulses.sum()
    assert "programmed on sums" in after.log[-1].what
    again = programmed_on_sums(image, m, together(0, 400, 100), rounds=16, seed=5)
    np.testing.assert_array_equal(again.programmed_siemens, after.programmed_siemens)


def test_what_unused_cells_add_on_average_is_taken_away(m):
    # zero cells of PRAM are cut off at 0, so that each adds on average: only sums can see it
    options = PasteOptions(tiles=TILES, scaling=Overflow())
    image = paste(m, memory=card("pram"), options=options, seed=1)
    unused = ZeroUnused()
    after = programmed_on_sums(image, m, together(0, 400, 100), rounds=12, unused=unused, seed=5)
    fresh = together(1, 200, 100)
    assert error(after, m, fresh, unused=unused) < 0.8 * error(image, m, fresh, unused=unused)


def test_an_exact_memory_is_left_alone(m):
    image = paste(m, memory=Ideal(), options=PasteOptions(tiles=TILES), seed=1)
    after = programmed_on_sums(image, m, together(0, 300, 100), seed=5)
    # conductances are kept in 32 bits, so a change of a ten-millionth may pay
    np.testing.assert_allclose(after.programmed_siemens, image.programmed_siemens, rtol=1e-5, atol=1e-11)


def test_wrong_inputs_and_other_maps_are_refused(m):
    image = paste(m, memory=card("pram"), options=PasteOptions(tiles=TILES), seed=1)
    with pytest.raises(OptionError, match=r"shape \(3, 7\).*100 neurons"):
        programmed_on_sums(image, m, np.ones((3, 7)), seed=0)
    with pytest.raises(OptionError, match="not finite"):
        programmed_on_sums(image, m, np.full((3, 100), np.nan), seed=0)
    with pytest.raises(OptionError, match="rounds is 0"):
        programmed_on_sums(image, m, np.ones((3, 100)), rounds=0, seed=0)
    with pytest.raises(ImageError, match="not made from this map"):
        programmed_on_sums(image, make_map(n_neurons=90, n_synapses=50), np.ones((3, 90)), seed=0)
