"""Sums through the image against plain matrices, and their noise against a draw a cell."""

from dataclasses import replace

import numpy as np
import pytest

from neurograft.cells import (
    AbsentUnused,
    Ideal,
    ProgramAndVerify,
    ZeroUnused,
    card,
    crossbars,
    image_to_map,
    product,
    products,
    zero_cells,
)
from neurograft.cells._unused import fixed_unused, lines_of, n_unused
from neurograft.errors import ImageError
from neurograft.pasting import ColumnPairs, OneShot, Overflow, PasteOptions, Scaling, Tiles, paste
from neurograft.units import DAY
from pasting.conftest import make_map

SMALL = Tiles(rows=32, columns=16, spare_rows=4)


def options(**changes):
    return PasteOptions(**({"tiles": SMALL, "scaling": Overflow(large_share=0.2)} | changes))


@pytest.mark.parametrize("changes", [{}, {"signs": ColumnPairs()}, {"scaling": Scaling(clip_share=0.0)}])
def test_sums_of_an_ideal_memory_are_those_of_the_map(random_map, changes):
    image = paste(random_map, memory=Ideal(), options=options(**changes), seed=1)
    rng = np.random.default_rng(0)
    x = rng.standard_normal(random_map.n_neurons)
    for unused in (AbsentUnused(), ZeroUnused()):
        found = product(crossbars(image, unused=unused, rng=rng), x, rng)
        expected = x @ random_map.weight_matrix_v()
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-8)  # 32-bit conductances


def test_sums_are_those_of_the_map_read_back(random_map):
    image = paste(random_map, memory=card("rram"), options=options(), seed=1)
    x = np.ones(random_map.n_neurons)
    sums = product(crossbars(image, age_s=DAY, rng=np.random.default_rng(3)), x, np.random.default_rng(0))
    back = image_to_map(image, age_s=DAY, rng=np.random.default_rng(3))  # the same draw of ageing
    np.testing.assert_allclose(sums, x @ back.weight_matrix_v(), rtol=1e-9)


def test_read_noise_of_sums_is_that_of_cells_read_one_by_one():
    m = make_map(n_neurons=20, n_synapses=200)
    image = paste(m, memory=card("pram"), options=options(verify=OneShot()), seed=1)
    rng = np.random.default_rng(0)
    x = rng.uniform(0.0, 2.0, m.n_neurons)
    bars = crossbars(image, rng=rng)
    sums = np.array([product(bars, x, rng) for _ in range(600)])
    read = np.array([x @ image_to_map(image, rng=rng).weight_matrix_v() for _ in range(600)])
    # 600 draws know an sd to 2.9 % (one sd), 20 neurons and two sets: within 15 %
    np.testing.assert_allclose(sums.std(axis=0), read.std(axis=0), rtol=0.15)
    np.testing.assert_allclose(sums.mean(axis=0), read.mean(axis=0), atol=5 * read.std(axis=0).max() / 600**0.5)


def test_unused_cells_add_the_spread_of_a_dense_crossbar():
    """A dense simulation: every unused cell of used rows and columns is drawn, summed, and compared in sd."""
    m = make_map(n_neurons=20, n_synapses=60)
    image = paste(m, memory=card("pram"), options=options(verify=OneShot()), seed=1)
    rng = np.random.default_rng(0)
    x = rng.uniform(0.5, 1.5, m.n_neurons)
    n = 600
    bars = crossbars(image, unused=ZeroUnused(), rng=rng)
    # only unused cells are left: used ones take away what a tile gives all of its columns, and add nothing
    bars = bars._replace(noise_v2=np.full(bars.noise_v2.size, -bars.row_v2[0]))
    held = crossbars(image, rng=rng)
    of_used = product(held._replace(noise_v2=0 * held.noise_v2), x, rng)
    sums = np.array([product(bars, x, rng) for _ in range(n)])
    dense = np.zeros((n, m.n_neurons))
    for t in range(image.tiles.n_tiles):
        here = image.tile == t
        rows = {r: (p, s) for r, p, s in zip(image.row[here], image.pre[here], image.sign[here], strict=True)}
        columns = dict(zip(image.column[here].tolist(), image.post[here].tolist(), strict=True))
        used = set(zip(image.row[here].tolist(), image.column[here].tolist(), strict=True))
        for c, post in columns.items():
            for r, (pre, sign) in rows.items():
                if (int(r), c) not in used:
                    zero = image.cell.program(np.zeros(n), rng)
                    zero = image.cell.read(zero, programmed_siemens=zero, age_s=0.0, temperature_k=298.15, rng=rng)
                    dense[:, post] += sign * x[pre] * image.code.to_volts(zero)
    # 600 draws know an sd to 2.9 %, the 16,384 zero cells to 1 % (their distribution is skewed)
    np.testing.assert_allclose(sums.std(axis=0), dense.std(axis=0), rtol=0.15)
    known_to = 5 * dense.std(axis=0).max() * (2 / 600) ** 0.5
    np.testing.assert_allclose(sums.mean(axis=0) - of_used, dense.mean(axis=0), rtol=0.04, atol=known_to)


def test_a_companded_image_cannot_be_summed(random_map):
    image = paste(random_map, memory=Ideal(), options=options(scaling=Scaling(exponent=0.5)), seed=1)
    with pytest.raises(ImageError, match="decoded one by one"):
        crossbars(image, rng=np.random.default_rng(0))


def test_many_inputs_at_once_are_those_one_by_one(random_map):
    image = paste(random_map, memory=Ideal(), options=options(), seed=1)
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((5, random_map.n_neurons)) * (rng.random((5, random_map.n_neurons)) < 0.3)
    bars = crossbars(image, unused=ZeroUnused(), rng=rng)
    found = products(bars, inputs, rng)
    np.testing.assert_array_equal(found, [product(bars, x, rng) for x in inputs])


def test_a_balanced_crossbar_loses_what_zero_cells_add_on_average(random_map):
    image = paste(random_map, memory=card("pram"), options=options(), seed=1)
    x = np.ones(random_map.n_neurons)

    def mean_of(unused):
        bars = crossbars(image, unused=unused, rng=np.random.default_rng(0))
        return products(bars, np.tile(x, (400, 1)), np.random.default_rng(1)).mean(axis=0)

    added = [np.abs(mean_of(u) - mean_of(AbsentUnused())).mean() for u in (ZeroUnused(is_balanced=True), ZeroUnused())]
    assert added[0] < 0.25 * added[1]


def test_zero_cells_that_are_verified_spread_less_and_cost_pulses(random_map):
    image = paste(random_map, memory=card("pram"), options=options(), seed=1)
    once, verified = (
        zero_cells(image, ZeroUnused(verify=v), age_s=0.0, temperature_k=298.15, rng=np.random.default_rng(0))
        for v in (OneShot(), ProgramAndVerify(tolerance=0.005))
    )
    assert once.pulses == 1.0
    # facts 1.1: at 0 a cell is N(0, 0.263 uS), not below 0 (mean 0.105 uS, sd 0.154), and is read with that noise
    rng = np.random.default_rng(1)
    g = np.maximum(0.26348 * rng.standard_normal(200_000), 0.0)
    share = np.minimum(0.0088 / np.maximum(g / 25, 1e-6) ** 0.65, 0.2) * np.sqrt(np.log(20 / 500e-9))
    read = g * (1 + share * rng.standard_normal(g.size))
    per_us = 1e-6 * image.code.volts_per_siemens
    assert once.mean_v == pytest.approx(0.105 * per_us, rel=0.05)  # 16,384 cells know it to 1.4 %
    assert once.sd_v == pytest.approx(read.std() * per_us, rel=0.05)
    assert verified.sd_v < 0.5 * once.sd_v
    assert verified.pulses > 1.0


@pytest.mark.parametrize("verify", [OneShot(), ProgramAndVerify(tolerance=0.005)])
def test_fixed_unused_cells_are_all_there_and_spread_as_those_drawn_for_each_sum(verify):
    m = make_map(n_neurons=60, n_synapses=300)
    image = paste(m, memory=card("pram"), options=options(), seed=1)
    how = ZeroUnused(verify=verify, is_fixed=True)
    extra = fixed_unused(image, lines_of(image), how, age_s=DAY, temperature_k=298.15)
    n = extra.weight_v.size
    assert n == n_unused(image) > 2000
    drawn = zero_cells(image, how, age_s=DAY, temperature_k=298.15, rng=np.random.default_rng(0))
    # ``drawn`` is read once with noise, the fixed cells are not: their noise stands beside them
    sd_v = np.sqrt(extra.weight_v.var() + extra.noise_v2.mean())
    assert extra.weight_v.mean() == pytest.approx(drawn.mean_v, abs=5 * drawn.sd_v / n**0.5)
    assert sd_v == pytest.approx(drawn.sd_v, rel=0.1)  # two skewed samples of 2,298 and 16,384


def test_sums_of_one_chip_repeat_only_where_unused_cells_are_fixed():
    m = make_map(n_neurons=40, n_synapses=200)
    image = paste(m, memory=card("rram"), options=options(), seed=1)
    x, rng = np.ones(m.n_neurons), np.random.default_rng(0)
    for is_fixed in (True, False):
        how = ZeroUnused(is_fixed=is_fixed)
        first, second = (
            product(crossbars(image, unused=how, rng=np.random.default_rng(k)), x, np.random.default_rng(k))
            for k in (0, 1)
        )
        assert np.array_equal(first, second) == is_fixed
    other = paste(m, memory=card("rram"), options=options(), seed=2)
    on_another = product(crossbars(other, unused=ZeroUnused(is_fixed=True), rng=rng), x, rng)
    assert not np.array_equal(first, on_another)


def test_a_balanced_crossbar_takes_the_mean_of_fixed_cells_away(random_map):
    image = paste(random_map, memory=card("pram"), options=options(verify=OneShot()), seed=1)
    x = np.ones(random_map.n_neurons)

    def mean_of(unused):
        bars = crossbars(image, unused=unused, rng=np.random.default_rng(0))
        return products(bars, np.tile(x, (100, 1)), np.random.default_rng(1)).mean(axis=0)

    nothing = mean_of(AbsentUnused())
    plain, balanced = (
        np.abs(mean_of(ZeroUnused(is_fixed=True, is_balanced=b)) - nothing).mean() for b in (False, True)
    )
    assert balanced < 0.5 * plain


def test_fixed_cells_of_an_image_that_does_not_know_its_chip_are_refused(random_map):
    image = replace(paste(random_map, memory=card("rram"), options=options(), seed=1), chip=None)
    with pytest.raises(ImageError, match="not known one by one"):
        crossbars(image, unused=ZeroUnused(is_fixed=True), rng=np.random.default_rng(0))
