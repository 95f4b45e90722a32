"""Placement: no two synapses share a cell, rows hold one axon and one sign, tiles are filled as promised."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurograft.errors import ImageError, OptionError
from neurograft.maps import Kind, synapse_map
from neurograft.pasting import ColumnPairs, FileOrder, RowPolarity, Tiles
from neurograft.pasting._place import place, tile_table
from pasting.conftest import make_map


def placed(m, *, signs=None, max_tiles=None, rows=16, columns=16, spare_rows=2):
    tiles = Tiles(rows=rows, columns=columns, spare_rows=spare_rows, max_tiles=max_tiles)
    return place(m, np.arange(m.n_synapses), tiles=tiles, signs=signs or RowPolarity(), order=FileOrder(), seed=0)


@settings(deadline=None, max_examples=40)
@given(
    n_neurons=st.integers(1, 30),
    n_synapses=st.integers(0, 200),
    is_dale=st.booleans(),
    signs=st.sampled_from([RowPolarity(), ColumnPairs()]),
    rows=st.integers(4, 12),
    columns=st.integers(2, 12),
    seed=st.integers(0, 100),
)
def test_every_synapse_has_a_cell_of_its_own_on_a_row_of_its_axon(
    n_neurons, n_synapses, is_dale, signs, rows, columns, seed
):
    m = make_map(n_neurons, n_synapses, seed, is_dale=is_dale)
    found = placed(m, signs=signs, rows=rows, columns=columns, spare_rows=1)
    width = 2 if isinstance(signs, ColumnPairs) else 1
    cell = (found.tile * rows + found.row) * columns + found.column
    assert np.unique(cell).size == m.n_synapses
    assert found.row.max(initial=0) < rows - 1  # spare rows stay free
    assert found.column.max(initial=0) + width <= columns
    for line in np.unique(found.tile * rows + found.row):
        on_line = found.tile * rows + found.row == line
        assert np.unique(m.pre[on_line]).size == 1
        assert width == 2 or np.unique(m.weight_v[on_line] < 0).size == 1
    for place_of in {(t, c) for t, c in zip(found.tile.tolist(), found.column.tolist(), strict=True)}:
        in_column = (found.tile == place_of[0]) & (found.column == place_of[1])
        assert np.unique(m.post[in_column]).size == 1
    assert np.unique(found.tile).size == found.n_tiles


def test_a_pair_with_two_kinds_of_synapse_gets_two_rows():
    m = synapse_map(
        n_neurons=2,
        pre=np.array([0, 0]),
        post=np.array([1, 1]),
        weight_v=np.array([1e-3, 2e-3]),
        delay_s=1e-3,
        kind=np.array([Kind.CHEMICAL, Kind.ELECTRICAL], dtype=np.uint8),
    )
    found = placed(m)
    assert found.column.tolist() == [0, 0]
    assert sorted(found.row.tolist()) == [0, 1]


def test_an_axon_of_both_signs_takes_two_rows_or_one_with_pairs():
    m = synapse_map(
        n_neurons=3, pre=np.array([0, 0]), post=np.array([1, 2]), weight_v=np.array([1e-3, -1e-3]), delay_s=1e-3
    )
    assert np.unique(placed(m).row).size == 2
    assert np.unique(placed(m, signs=ColumnPairs()).row).size == 1


def test_an_axon_that_reaches_nobody_of_a_group_takes_no_row():
    m = synapse_map(
        n_neurons=4,
        pre=np.array([0, 1, 2, 3]),
        post=np.array([0, 0, 3, 3]),
        weight_v=np.full(4, 1e-3),
        delay_s=1e-3,
    )
    found = placed(m, rows=4, columns=2, spare_rows=2)  # columns 0 and 1 hold the only two targets
    assert found.n_tiles == 2  # four axons, two usable rows a tile
    assert found.row.tolist() == [0, 1, 0, 1]


def test_the_tile_table_counts_what_is_placed():
    m = make_map()
    tiles = Tiles(rows=16, columns=16, spare_rows=2, layers=3)
    found = place(m, np.arange(m.n_synapses), tiles=tiles, signs=RowPolarity(), order=FileOrder(), seed=0)
    order = np.lexsort((found.column, found.row, found.tile))
    columns = (found.tile[order], found.row[order], found.column[order])
    table = tile_table(*columns, tiles=tiles, n_tiles=found.n_tiles)
    assert table.n_cells.sum() == m.n_synapses
    assert table.layer.tolist() == [t % 3 for t in range(found.n_tiles)]
    for t in range(found.n_tiles):
        assert table.n_rows[t] == np.unique(found.row[found.tile == t]).size
        assert table.n_columns[t] == np.unique(found.column[found.tile == t]).size
        assert np.all(columns[0][table.first_cell[t] : table.first_cell[t] + table.n_cells[t]] == t)


def test_a_map_that_does_not_fit_is_refused():
    with pytest.raises(ImageError, match=r"needs \d+ tiles of 16 x 16, but there are 2"):
        placed(make_map(), max_tiles=2)


@pytest.mark.parametrize(
    ("option", "value"), [("rows", 1), ("columns", 100_000), ("spare_rows", 256), ("layers", 0), ("layers", 300)]
)
def test_impossible_tiles_are_refused(option, value):
    with pytest.raises(OptionError, match=option):
        Tiles(**{option: value})
