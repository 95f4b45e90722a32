"""The summary counts what is there, and its errors are those of a slow, plain calculation."""

from dataclasses import replace

import numpy as np
import pytest

from neurograft.cells import Cost, Figure, Flag, Ideal, card, image_to_map
from neurograft.errors import ImageError
from neurograft.pasting import PasteOptions, Scaling, Tiles, paste, summarise
from pasting.conftest import make_map

OPTIONS = PasteOptions(tiles=Tiles(rows=32, columns=16, spare_rows=4), scaling=Scaling(clip_share=0.0))


def test_an_ideal_memory_has_no_error_and_unknown_cost(random_map):
    found = summarise(paste(random_map, memory=Ideal(), options=OPTIONS, seed=1), random_map)
    assert found.weight_error < 1e-6  # 32-bit conductances
    assert found.product_error < 1e-6
    assert (found.serial_s.value, found.energy_j.value) == (None, None)
    assert "write energy: not known" in found.lines()


def test_counts_errors_and_cost_are_those_of_the_image(random_map):
    image = paste(random_map, memory=card("rram"), options=OPTIONS, seed=1)
    found = summarise(image, random_map)
    back = image_to_map(image, rng=np.random.default_rng(0))  # this card reads without noise of its own
    expected = np.linalg.norm(back.weight_v - random_map.weight_v) / np.linalg.norm(random_map.weight_v)
    assert found.weight_error == pytest.approx(expected, rel=1e-9)
    assert found.n_synapses == random_map.n_synapses
    assert found.utilisation == random_map.n_synapses / (found.n_tiles * 32 * 16)
    assert found.pulses == image.pulses.sum(dtype=int)
    assert found.pulses_p95 == np.percentile(image.pulses, 95)
    assert found.n_failed == np.count_nonzero(image.flags & Flag.OUT_OF_BAND)
    # 1 us a pulse and 1 us a read, one read before the first pulse and one after each
    assert found.serial_s.value == pytest.approx(1e-6 * (2 * found.pulses + image.n_cells))
    busiest = max(
        2 * image.pulses[image.tile == t].sum(dtype=int) + np.count_nonzero(image.tile == t)
        for t in range(found.n_tiles)
    )
    assert found.parallel_s.value == pytest.approx(1e-6 * busiest)
    assert found.energy_j.value == pytest.approx(0.6e-12 * found.pulses + 1e-12 * (found.pulses + image.n_cells))
    assert "second-hand" in str(found.energy_j)


def test_the_product_error_of_a_scaled_map_is_the_scale():
    m = make_map(n_neurons=300, n_synapses=3000)
    image = paste(m, memory=Ideal(), options=OPTIONS, seed=1)
    half = replace(image, part_gain=(0.5,))
    found = summarise(half, m)
    assert found.product_error == pytest.approx(0.5, rel=1e-6)
    assert found.weight_error == pytest.approx(0.5, rel=1e-6)


def test_an_unknown_energy_is_said_in_words(random_map):
    rram = card("rram")
    cost = replace(rram.cost, pulse_j=Figure(value=None, evidence="nobody measured it"))
    assert isinstance(cost, Cost)
    found = summarise(paste(random_map, memory=replace(rram, cost=cost), options=OPTIONS, seed=1), random_map)
    assert found.energy_j.value is None
    assert found.lines()[-1] == "write energy: not known"


def test_another_maps_image_is_refused(random_map):
    image = paste(random_map, memory=Ideal(), options=OPTIONS, seed=1)
    with pytest.raises(ImageError, match="not made from this map"):
        summarise(image, make_map(n_neurons=39))


def test_cells_that_share_pulses_wait_for_the_slowest_of_their_row(random_map):
    rram = card("rram")
    one = paste(random_map, memory=rram, options=OPTIONS, seed=1)
    row = replace(one, cell=replace(rram, cost=replace(rram.cost, cells_at_once=16)))
    longest = 0.0
    for t in range(one.tiles.n_tiles):
        rows = {}
        for r, pulses in zip(one.row[one.tile == t].tolist(), one.pulses[one.tile == t].tolist(), strict=True):
            rows[r] = max(rows.get(r, 0), 2 * pulses + 1)
        longest = max(longest, sum(rows.values()))
    assert summarise(row, random_map).parallel_s.value == pytest.approx(1e-6 * longest)
