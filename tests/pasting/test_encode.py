"""Encoders: cells add up to the weights, several cells beat one, and each parameter has its effect."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurograft.cells import CARDS, Defects, Flag, Ideal, card, image_to_map, load_image, save_image
from neurograft.errors import OptionError
from neurograft.pasting import (
    ColumnPairs,
    Digits,
    Levels,
    OneShot,
    Overflow,
    Parallel,
    PasteOptions,
    Scaling,
    Tiles,
    paste,
    summarise,
)
from neurograft.pasting._encode import _best_levels
from pasting.conftest import make_map

SMALL = Tiles(rows=64, columns=32, spare_rows=4)
weights = st.lists(st.floats(-1e-2, 1e-2), min_size=1, max_size=40).map(np.array)


def decoded(encoding, n):
    volts = np.array(encoding.part_gain)[encoding.part] * encoding.code.to_volts(encoding.target_siemens)
    return np.bincount(encoding.synapse, weights=volts, minlength=n)


@settings(deadline=None)
@given(weight_v=weights, encoder=st.sampled_from([Scaling(clip_share=0.0), Parallel(n_cells=3, clip_share=0.0),
                                                  Overflow(large_share=0.3, max_cells=64)]))  # fmt: skip
def test_cells_of_an_analog_memory_add_up_to_the_weight(weight_v, encoder):
    encoding = encoder.encode(weight_v, memory=card("rram"))
    size = np.abs(weight_v)
    held = decoded(encoding, weight_v.size)
    full = encoding.code.full_scale_v
    room = np.bincount(encoding.synapse, weights=np.array(encoding.part_gain)[encoding.part]) * full
    np.testing.assert_allclose(held, np.minimum(size, room), rtol=1e-9, atol=size.max() * 1e-9 + 1e-15)
    if not isinstance(encoder, Overflow):
        np.testing.assert_allclose(held, size, rtol=1e-9, atol=size.max() * 1e-9 + 1e-15)


@settings(deadline=None)
@given(weight_v=weights, n_cells=st.integers(1, 8), name=st.sampled_from(["mram", "flash"]))
def test_digits_hold_the_nearest_of_their_values(weight_v, n_cells, name):
    encoding = Digits(n_cells=n_cells).encode(weight_v, memory=card(name))
    steps = card(name).levels ** n_cells - 1
    full = encoding.code.full_scale_v
    error = np.abs(decoded(encoding, weight_v.size) - np.abs(weight_v))
    assert error.max() <= 0.5 * full / steps * (1 + 1e-6) + full * 1e-12
    assert np.all(np.bincount(encoding.synapse) == n_cells)


@settings(deadline=None)
@given(weight_v=weights)
def test_levels_are_nearest_and_never_worse_than_even_ones(weight_v):
    size = np.abs(weight_v)
    encoding = Levels().encode(weight_v, memory=card("flash"))
    held = decoded(encoding, size.size)
    table = np.array(encoding.code.levels_v)
    assert table[0] == 0
    assert np.all(np.diff(table) >= 0)
    nearest = np.min(np.abs(size[:, None] - table[None, :]), axis=1)
    np.testing.assert_allclose(np.abs(held - size), nearest, atol=size.max() * 1e-8 + 1e-15)


def test_levels_of_few_distinct_weights_are_exact():
    size = np.repeat(np.arange(8.0), 5) * 1e-3
    np.testing.assert_allclose(_best_levels(size, 7e-3, 8), np.arange(8.0) * 1e-3, atol=1e-8)


@settings(deadline=None, max_examples=20)
@given(size=st.lists(st.integers(0, 20), min_size=3, max_size=9).map(lambda v: np.array(v, dtype=float)))
def test_levels_are_the_best_of_all_partitions(size):
    found = _best_levels(size, float(size.max()), 3)
    order = np.sort(size)
    best = min(
        np.sum(order[:i] ** 2) + sum(np.sum((part - part.mean()) ** 2) for part in (order[i:j], order[j:]) if part.size)
        for i in range(size.size + 1)
        for j in range(i, size.size + 1)
    )
    reached = np.sum(np.min((size[:, None] - found[None, :]) ** 2, axis=1))
    assert reached <= best + 1e-6 * (1 + best)


def test_fitted_levels_beat_even_ones_on_heavy_tails():
    m = make_map(n_neurons=100, n_synapses=2000)
    size = np.abs(m.weight_v)
    errors = []
    for encoder in (Levels(), Scaling(clip_share=0.0)):
        encoding = encoder.encode(m.weight_v, memory=card("flash"))
        level = np.rint(encoding.target_siemens * 1e6) * 1e-6  # the card goes to the nearest level
        errors.append(np.linalg.norm(decoded(encoding._replace(target_siemens=level), size.size) - size))
    assert errors[0] < 0.5 * errors[1]


@pytest.mark.parametrize("signs", [None, ColumnPairs()])
@pytest.mark.parametrize(
    "encoder", [Overflow(large_share=0.3), Parallel(n_cells=3, clip_share=0.0), Scaling(clip_share=0.0)]
)
def test_an_ideal_memory_gives_the_map_back_through_every_encoder(random_map, encoder, signs, tmp_path):
    options = PasteOptions(tiles=SMALL, scaling=encoder, **({"signs": signs} if signs else {}))
    image = paste(random_map, memory=Ideal(), options=options, seed=1)
    save_image(image, tmp_path / "i.h5")
    back = image_to_map(load_image(tmp_path / "i.h5"), rng=np.random.default_rng(0))
    np.testing.assert_allclose(back.weight_v, random_map.weight_v, rtol=1e-6)  # 32-bit conductances
    np.testing.assert_array_equal(back.pre, random_map.pre)
    np.testing.assert_array_equal(back.delay_s, random_map.delay_s)
    assert not np.any(image.flags & Flag.CLIPPED)


@pytest.mark.parametrize(
    ("name", "encoder"), [("mram", Digits(n_cells=7)), ("flash", Levels()), ("flash", Digits(n_cells=2))]
)
def test_levels_and_digits_come_back_from_a_file(random_map, name, encoder, tmp_path):
    image = paste(random_map, memory=card(name), options=PasteOptions(tiles=SMALL, scaling=encoder), seed=1)
    save_image(image, tmp_path / "i.h5")
    loaded = load_image(tmp_path / "i.h5")
    assert (loaded.code, loaded.part_gain) == (image.code, image.part_gain)
    back = image_to_map(loaded, rng=np.random.default_rng(0))
    error = np.linalg.norm(back.weight_v - random_map.weight_v) / np.linalg.norm(random_map.weight_v)
    assert error < 0.25  # eight levels on a log-normal map: about 15 %; 64 and 128 values are better


def test_the_default_beats_one_clipped_cell_a_synapse_several_times():
    m = make_map(n_neurons=200, n_synapses=4000)
    errors = {}
    for encoder in (Overflow(), Scaling()):
        image = paste(m, memory=card("rram"), options=PasteOptions(tiles=SMALL, scaling=encoder), seed=1)
        errors[type(encoder)] = summarise(image, m).product_error
        assert image.n_cells < 1.4 * m.n_synapses
    assert errors[Overflow] < 0.6 * errors[Scaling]


def test_parallel_cells_average_their_errors():
    m = make_map(n_neurons=200, n_synapses=4000)
    errors = []
    for n_cells in (1, 4):
        options = PasteOptions(tiles=SMALL, scaling=Parallel(n_cells=n_cells, clip_share=0.0), verify=OneShot())
        image = paste(m, memory=card("pram"), options=options, seed=1)
        errors.append(summarise(image, m).weight_error)
    assert errors[1] == pytest.approx(errors[0] / 2, rel=0.1)  # 4,000 cells: 1 %; clipping at 0 is not averaged


def test_clipping_is_flagged_where_the_cells_do_not_suffice(random_map):
    encoder = Overflow(large_share=0.5, max_cells=2)
    image = paste(random_map, memory=Ideal(), options=PasteOptions(tiles=SMALL, scaling=encoder), seed=1)
    full = image.code.full_scale_v
    clipped = np.unique(image.synapse[(image.flags & Flag.CLIPPED) > 0])
    np.testing.assert_array_equal(clipped, np.flatnonzero(np.abs(random_map.weight_v) > 2 * full))
    assert clipped.size > 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Overflow(), Overflow(large_share=0.3)),
        (Overflow(large_share=0.9), Overflow(large_share=0.9, max_cells=2)),
        (Parallel(n_cells=2), Parallel(n_cells=3)),
        (Parallel(n_cells=2), Parallel(n_cells=2, clip_share=0.2)),
        (Digits(n_cells=2), Digits(n_cells=3)),
        (Digits(n_cells=2), Digits(n_cells=2, clip_share=0.2)),
        (Levels(), Levels(clip_share=0.2)),
    ],
)
def test_every_parameter_changes_the_cells(random_map, one, other):
    memory = card("flash")
    a, b = (encoder.encode(random_map.weight_v, memory=memory) for encoder in (one, other))
    assert not (np.array_equal(a.target_siemens, b.target_siemens) and a.code == b.code)


def test_levels_and_digits_need_a_cell_with_levels():
    with pytest.raises(OptionError, match="Digits needs a cell with levels, but rram is analog"):
        Digits(n_cells=2).encode(np.ones(2), memory=card("rram"))
    with pytest.raises(OptionError, match="Levels needs a cell with levels"):
        Levels().encode(np.ones(2), memory=card("pram"))


@pytest.mark.parametrize("make", [lambda: Overflow(large_share=1.0), lambda: Parallel(n_cells=0),
                                  lambda: Digits(n_cells=65), lambda: Levels(clip_share=-0.1)])  # fmt: skip
def test_impossible_encoders_are_refused(make):
    with pytest.raises(OptionError, match="Give"):
        make()


@pytest.mark.parametrize("name", sorted(CARDS))
def test_the_default_encoder_pastes_a_heavy_tailed_map_well_on_every_card(name):
    m = make_map(n_neurons=100, n_synapses=2000)
    image = paste(m, memory=card(name), options=PasteOptions(tiles=SMALL, defects=Defects()), seed=1)
    # 0.15: what the Paste issue asks of RRAM on a larva; the worst here are wide RRAM windows and eight levels
    assert summarise(image, m).product_error < 0.15
