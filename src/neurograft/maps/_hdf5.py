"""Datasets that are written with a checksum and read back with their size bounded before memory is taken."""

import json
import zlib
from collections.abc import Sequence
from typing import cast, final

import h5py
import numpy as np
from numpy import ndarray

from neurograft.errors import MapError

_CHECKSUM = "crc32"
# Deflate cannot shrink data more than 1032 times, so no honest filtered dataset holds more than this.
_MAX_EXPANSION = 1032


@final
class Reader:
    """Reads datasets of one open file; every message names the file and the place in it."""

    def __init__(self, file: h5py.File, name: str) -> None:
        self._file = file
        self._name = name

    def dataset(self, place: str) -> h5py.Dataset:
        """Return a dataset that lies wholly in this file and is not larger than its stored bytes allow."""
        self._refuse_links(place)
        item = self._file.get(place)
        if not isinstance(item, h5py.Dataset):
            raise MapError(f"{self._name} has no dataset {place}. The file is damaged: take another copy of it.")
        if item.is_virtual or item.external:
            raise MapError(f"{place} in {self._name} points to another file. Copy the data into this file.")
        stored = int(item.id.get_storage_size())
        expansion = _MAX_EXPANSION if item.compression is not None else 1
        if item.nbytes > stored * expansion:
            raise MapError(
                f"{place} in {self._name} claims {item.nbytes} bytes ({item.shape}), but {stored} are stored. "
                "The file is damaged: take another copy of it."
            )
        return item

    def array(self, place: str, *, dtype: type[np.generic], shape: tuple[int, ...]) -> ndarray:
        """Return a dataset that must have this type and shape, its checksum compared where it has one."""
        item = self.dataset(place)
        if item.dtype != np.dtype(dtype) or item.shape != shape:
            raise MapError(
                f"{place} in {self._name} is {item.dtype} of shape {item.shape}, but {np.dtype(dtype)} of shape "
                f"{shape} is asked for. The file was changed by another program: write it again from its source."
            )
        values = np.empty(shape, dtype=dtype)
        if values.size:
            item.read_direct(values)
        self._compare_checksum(item, values, place)
        return values

    def json(self, place: str) -> object:
        """Return what ``write_json`` wrote."""
        item = self.dataset(place)
        if item.dtype != np.uint8 or item.ndim != 1:
            raise MapError(f"{place} in {self._name} is {item.dtype} of shape {item.shape}, not text as bytes.")
        raw = self.array(place, dtype=np.uint8, shape=item.shape)
        try:
            return cast("object", json.loads(raw.tobytes()))
        except (ValueError, RecursionError) as error:
            raise MapError(f"{place} in {self._name} is not JSON: {error}. The file is damaged.") from error

    def strings(self, place: str, *, n: int) -> tuple[str, ...]:
        """Return ``n`` strings that ``write_json`` wrote as a list."""
        values = self.json(place)
        if not isinstance(values, list) or len(values) != n or not all(isinstance(v, str) for v in values):
            raise MapError(f"{place} in {self._name} is not a list of {n} names. The file is damaged.")
        return tuple(cast("list[str]", values))

    def _refuse_links(self, place: str) -> None:
        parts = place.split("/")
        for depth in range(1, len(parts) + 1):
            prefix = "/".join(parts[:depth])
            link = self._file.get(prefix, getlink=True, default=None)
            if link is not None and not isinstance(link, h5py.HardLink):
                raise MapError(f"{prefix} in {self._name} is a link to another place. Copy the data into this file.")

    def _compare_checksum(self, item: h5py.Dataset, values: ndarray, place: str) -> None:
        expected = item.attrs.get(_CHECKSUM)
        if expected is not None and int(expected) != _crc32(values):
            raise MapError(
                f"The checksum of {place} in {self._name} does not fit its values: the file is damaged or was changed "
                f"in place. Take another copy; if the change was meant, delete the attribute {_CHECKSUM!r} there."
            )


def write_array(group: h5py.Group, name: str, values: ndarray, **attributes: str) -> h5py.Dataset:
    """Write an uncompressed array with its checksum; ``attributes`` are notes such as the unit."""
    item = group.create_dataset(name, data=values)
    item.attrs[_CHECKSUM] = np.uint32(_crc32(values))
    for key, text in attributes.items():
        write_note(item, key, text)
    return item


def write_note(item: h5py.Group | h5py.Dataset, name: str, text: str) -> None:
    """Write an attribute of fixed length: HDF5 keeps others in a heap, in which a damaged file can make it loop."""
    raw = text.encode()
    item.attrs.create(name, raw, dtype=h5py.string_dtype("utf-8", max(len(raw), 1)))


def read_note(file: h5py.File, name: str) -> str:
    """Return a text attribute of the file, '' where there is none; older files have such of variable length."""
    found = file.attrs.get(name, "")
    return found.decode("utf-8", "replace") if isinstance(found, bytes) else str(found)


def write_texts(group: h5py.Group, name: str, texts: Sequence[str]) -> None:
    """Write texts for other programs; libsonata wants them of variable length, so this package never reads them."""
    group.create_dataset(name, data=np.array(texts, dtype=object), dtype=h5py.string_dtype(), shape=(len(texts),))


def write_json(group: h5py.Group, name: str, value: object) -> None:
    """Write a value as JSON text in bytes, whose size is known before it is read (unlike HDF5's own strings)."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    write_array(group, name, np.frombuffer(text.encode(), dtype=np.uint8))


def _crc32(values: ndarray) -> int:
    return zlib.crc32(np.ascontiguousarray(values).data.cast("B")) if values.size else 0
