"""The image file: exact round trip, same bytes, partial reading, and no damage that passes unnoticed.

It lies here, not in tests/cells, because only pasting makes images.
"""

import hashlib
import json
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from neurograft.cells import _image_io as image_io
from neurograft.cells import card, describe, image_format, image_to_map, load_image, save_image
from neurograft.cells._image import CELL_COLUMNS
from neurograft.errors import ImageError
from neurograft.pasting import PasteOptions, Tiles, paste
from pasting.conftest import make_map

OPTIONS = PasteOptions(tiles=Tiles(rows=32, columns=16, spare_rows=4))


@pytest.fixture
def image(random_map):
    return paste(random_map, memory=card("rram"), options=OPTIONS, seed=1)


@pytest.fixture
def path(image, tmp_path):
    save_image(image, tmp_path / "image.h5")
    return tmp_path / "image.h5"


def assert_same(a, b):
    for name in CELL_COLUMNS:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    for name in ("layer", "first_cell", "n_cells", "n_rows", "n_columns"):
        np.testing.assert_array_equal(getattr(a.tiles, name), getattr(b.tiles, name))
    assert (a.tiles.rows, a.tiles.columns, a.tiles.spare_rows) == (b.tiles.rows, b.tiles.columns, b.tiles.spare_rows)
    np.testing.assert_array_equal(a.nodes.position_um, b.nodes.position_um)
    np.testing.assert_array_equal(a.nodes.sign, b.nodes.sign)
    assert (a.nodes.labels, a.nodes.model) == (b.nodes.labels, b.nodes.model)
    for name in ("cell", "code", "part_gain", "n_left_out", "log", "provenance", "is_partial"):
        assert getattr(a, name) == getattr(b, name), name


def test_an_image_comes_back_exactly(image, path):
    assert_same(load_image(path), image)
    assert image_format(path) == "neurograft image"


def test_an_image_without_cells_comes_back(random_map, tmp_path):
    empty = paste(random_map.select(np.zeros(300, dtype=bool)), memory=card("rram"), options=OPTIONS, seed=1)
    save_image(empty, tmp_path / "empty.h5")
    assert_same(load_image(tmp_path / "empty.h5"), empty)


def test_the_same_image_gives_the_same_bytes_at_another_time(image, path, tmp_path):
    time.sleep(1.1)  # HDF5 keeps times in whole seconds
    save_image(image, tmp_path / "again.h5")
    assert path.read_bytes() == (tmp_path / "again.h5").read_bytes()


def test_some_tiles_are_read_alone(image, path):
    part = load_image(path, tiles=[3, 1, 2])
    chosen = np.isin(image.tile, [1, 2, 3])
    for name in CELL_COLUMNS:
        np.testing.assert_array_equal(getattr(part, name), getattr(image, name)[chosen])
    assert part.is_partial
    assert "only some tiles are loaded" in describe(part)[0]
    back = image_to_map(part, rng=np.random.default_rng(0))
    assert back.n_synapses == np.unique(image.synapse[chosen]).size
    with pytest.raises(ImageError, match="Load all of it"):
        save_image(part, path)


def test_some_tiles_are_read_without_the_other_blocks(image, tmp_path, monkeypatch):
    monkeypatch.setattr(image_io, "_BLOCK", 64)
    path = tmp_path / "blocks.h5"
    save_image(image, path)
    with h5py.File(path, "r+") as file:
        file["cells/pulses"][-1] += 1
    first = load_image(path, tiles=[0])  # the damaged block is not needed
    np.testing.assert_array_equal(first.pulses, image.pulses[image.tile == 0])
    last = image.n_cells - 1
    with pytest.raises(ImageError, match=f"/cells/pulses, cells {last // 64 * 64} to {last}, do not match"):
        load_image(path)


@pytest.mark.parametrize("name", ["cells/pre", "tiles/layer", "nodes/labels", "nodes/sign", "digests/row", "manifest"])
def test_a_changed_value_is_refused_and_its_place_named(path, name):
    with h5py.File(path, "r+") as file:
        data = file[name]
        data[0] = data[0] ^ 1
    with pytest.raises(ImageError, match=f"{name}.*SHA-256"):
        load_image(path)


def test_no_bit_flip_anywhere_changes_what_is_read(image, path, tmp_path):
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    places = np.concatenate([np.arange(0, 4000, 23), rng.integers(0, len(whole), 100)])  # HDF5's own part, and all
    n_refused = 0
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        other = tmp_path / "damaged.h5"
        other.write_bytes(damaged)
        try:
            found = load_image(other)
        except ImageError:
            n_refused += 1
        else:
            assert_same(found, image)  # padding between datasets carries nothing
    assert n_refused > 0.9 * places.size


def test_no_text_of_the_file_has_a_variable_length(path):
    # HDF5 looks for such a text in a heap, and one changed byte of the heap kept it looking for ever
    with h5py.File(path, "r") as file:
        kinds = {name: file.attrs.get_id(name).dtype.kind for name in file.attrs}
    assert kinds == {"format": "S", "format_version": "i", "manifest_sha256": "S"}


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.5, 0.9, 0.99, 0.99999])
def test_a_truncated_file_is_refused(path, share):
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ImageError, match="cannot be read as a memory image"):
        load_image(path)


def test_another_kind_of_file_is_refused(tmp_path):
    text = tmp_path / "text.h5"
    text.write_text("not an image")
    with pytest.raises(ImageError, match="cannot be read as a memory image"):
        load_image(text)
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file.attrs["format"] = "something else"
    with pytest.raises(ImageError, match="its format is 'something else'"):
        load_image(other)
    with pytest.raises(ImageError, match="is not a file"):
        load_image(tmp_path / "absent.h5")
    assert (image_format(text), image_format(other)) == ("", "something else")


def test_a_later_format_is_refused(path):
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = 99
    with pytest.raises(ImageError, match=r"format_version 99; this neurograft reads 1 to 1"):
        load_image(path)


def test_a_dataset_that_claims_more_than_the_file_holds_is_refused_before_memory_is_taken(path):
    with h5py.File(path, "r+") as file:
        del file["cells/pre"]
        file.create_dataset("cells/pre", shape=(1 << 40,), dtype="i4", chunks=(1024,))
    with pytest.raises(ImageError, match="/cells/pre is not stored as one plain block"):
        load_image(path)
    with h5py.File(path, "r+") as file:
        del file["cells/pre"]
        file.create_dataset("cells/pre", shape=(1 << 40,), dtype="i4")  # contiguous, never written
    with pytest.raises(ImageError, match=r"/cells/pre claims 4398046511104 bytes"):
        load_image(path)


def test_a_column_that_lies_in_another_file_is_refused(path, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["pre"] = np.zeros(3)
    with h5py.File(path, "r+") as file:
        del file["cells/pre"]
        file["cells/pre"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "pre")
    with pytest.raises(ImageError, match="/cells/pre is missing or lies outside the file"):
        load_image(path)


def test_a_tile_that_is_not_there_is_refused(path):
    with pytest.raises(ImageError, match="Tile 9999 was asked for"):
        load_image(path, tiles=[9999])


def test_an_image_is_readable_when_the_shipped_card_has_changed(path):
    """The card travels in the file, so an older card still reads; forging it breaks the chain of digests."""
    with h5py.File(path, "r+") as file:
        manifest = json.loads(file["manifest"][()].tobytes())
        manifest["card_sha256"] = "0" * 64
        text = json.dumps(manifest, sort_keys=True).encode()
        del file["manifest"]
        file.create_dataset("manifest", data=np.frombuffer(text, dtype=np.uint8))
        file.attrs["manifest_sha256"] = hashlib.sha256(text).hexdigest()
    with pytest.raises(ImageError, match="the card 'rram' does not match its SHA-256"):
        load_image(path)


def test_an_existing_image_survives_a_failed_save(image, path, monkeypatch):
    before = path.read_bytes()
    monkeypatch.setattr(image_io, "_put", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        save_image(image, path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_description_has_at_most_ten_lines_and_names_the_card(image):
    lines = describe(image)
    assert len(lines) <= 10
    assert any("rram" in line for line in lines)


def test_reading_is_repeatable_and_ages(image):
    now, again = (image_to_map(image, rng=np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(now.weight_v, again.weight_v)
    day = image_to_map(image, age_s=86_400.0, rng=np.random.default_rng(4))
    m = make_map()
    error = [np.linalg.norm(found.weight_v - m.weight_v) for found in (now, day)]
    assert error[1] > 1.3 * error[0]


def test_a_file_of_format_version_1_is_still_read():
    image = load_image(Path(__file__).parent / "data" / "image_v1.h5")
    back = image_to_map(image, rng=np.random.default_rng(0))
    # written by the first version: 30 synapses in 33 cells, what they held is noted here
    assert (image.n_cells, back.n_synapses, int(image.pulses.sum())) == (33, 30, 374)
    assert back.weight_v.sum() == pytest.approx(0.023965612107150043, rel=1e-9)
    assert image.cell.name == "rram"
