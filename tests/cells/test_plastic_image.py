"""An image whose cells learn."""

from dataclasses import replace

import numpy as np
import pytest

from neurograft.cells import (
    Code,
    ExactWriter,
    MemoryImage,
    Nodes,
    TileTable,
    card,
    image_after,
    image_to_map,
    load_image,
    plastic_cells,
    plastic_weights_v,
    pulse_writer,
    save_image,
)
from neurograft.errors import ImageError
from neurograft.provenance import Provenance

FULL_V = 1e-3


def _image() -> MemoryImage:
    """Return three synapses among three neurons; the second lies on two cells, the third inhibits."""
    cell = card("ideal")
    g = np.array([0.25, 1.0, 0.5, 0.75], dtype=np.float32) * np.float32(cell.g_max_siemens)
    n = g.size
    table = TileTable(
        rows=4,
        columns=4,
        spare_rows=0,
        layer=np.zeros(1, dtype=np.uint8),
        first_cell=np.zeros(1, dtype=np.int64),
        n_cells=np.array([n]),
        n_rows=np.array([4], dtype=np.int32),
        n_columns=np.array([1], dtype=np.int32),
    )
    return MemoryImage(
        cell=cell,
        code=Code(full_scale_v=FULL_V, exponent=1.0, zero_siemens=0.0, top_siemens=cell.g_max_siemens),
        part_gain=(1.0, 1.0),
        tiles=table,
        nodes=Nodes(
            labels=("a", "b", "c"),
            position_um=np.zeros((3, 3)),
            sign=np.array([1, 1, -1], dtype=np.int8),
            model=("", "", ""),
        ),
        tile=np.zeros(n, dtype=np.uint32),
        row=np.arange(n, dtype=np.uint16),
        column=np.zeros(n, dtype=np.uint16),
        layer=np.zeros(n, dtype=np.uint8),
        target_siemens=g,
        programmed_siemens=g,
        pulses=np.ones(n, dtype=np.uint16),
        flags=np.zeros(n, dtype=np.uint8),
        pre=np.array([0, 1, 1, 2], dtype=np.int32),
        post=np.array([1, 2, 2, 0], dtype=np.int32),
        delay_ns=np.full(n, 1_000_000, dtype=np.uint32),
        sign=np.array([1, 1, 1, -1], dtype=np.int8),
        kind=np.zeros(n, dtype=np.uint8),
        part=np.array([0, 0, 1, 0], dtype=np.uint8),
        synapse=np.array([0, 1, 1, 2], dtype=np.int32),
        n_left_out=0,
        log=(),
        provenance=Provenance(command="paste", seed=1),
    )


def test_weights_are_those_of_the_map_that_the_image_holds():
    image = _image()
    cells = plastic_cells(image, pulse_writer(image.cell))
    back = image_to_map(image, rng=np.random.default_rng(0))
    assert plastic_weights_v(image, cells.state) == pytest.approx(back.weight_v)
    assert cells.cell.tolist() == [0, 1, 3]


def test_a_change_in_volts_arrives_in_volts_with_its_sign_and_the_image_stays():
    image = _image()
    writer = ExactWriter(window_siemens=(0.0, image.cell.g_max_siemens))
    cells = plastic_cells(image, writer)
    before = plastic_weights_v(image, cells.state)
    wanted_v = np.array([1e-4, -2e-4, -1e-4])
    which = np.arange(3)
    writer.change(cells.state, cells.cell[which], wanted_v * cells.siemens_per_v[which], np.random.default_rng(0))
    assert plastic_weights_v(image, cells.state) - before == pytest.approx(wanted_v)
    assert image.programmed_siemens[0] == np.float32(0.25 * image.cell.g_max_siemens)


def test_a_learnt_image_is_saved_with_its_pulses_and_its_life(tmp_path):
    image = _image()
    writer = pulse_writer(image.cell)
    cells = plastic_cells(image, writer)
    writer.change(cells.state, cells.cell[:1], np.array([1e-4]) * cells.siemens_per_v[:1], np.random.default_rng(0))
    save_image(image_after(image, cells.state, duration_s=2.0), tmp_path / "learnt.h5")
    learnt = load_image(tmp_path / "learnt.h5")
    assert learnt.pulses.tolist() == [2, 1, 1, 1]
    assert learnt.log[-1].duration_s == 2.0
    assert image_to_map(learnt, rng=np.random.default_rng(0)).weight_v[0] == pytest.approx(0.35 * FULL_V, rel=1e-6)


def test_a_code_that_is_not_linear_cannot_learn():
    image = _image()
    companded = replace(image, code=replace(image.code, exponent=0.5))
    with pytest.raises(ImageError, match="not linear"):
        plastic_cells(companded, pulse_writer(image.cell))
