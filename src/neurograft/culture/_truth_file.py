"""Truth files and places of recordings that need no array: single neurons, and sorted units."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import cast

import h5py
from numpy import ndarray

from neurograft.culture._grow import Culture
from neurograft.culture._write import CULTURE_FORMAT_VERSION, json_ready
from neurograft.errors import CultureError
from neurograft.maps import SynapseMap, save_map
from neurograft.provenance import JsonValue, Provenance


def require_place(folder: Path, n_bytes: float) -> None:
    """Raise ``CultureError`` unless a new folder of that size can be made there; call it before growing."""
    if folder.exists():
        raise CultureError(f"{folder} exists already. Choose another name, or remove it first.")
    parent = next(place for place in folder.absolute().parents if place.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise CultureError(f"{folder} cannot be made: {parent} is not a folder to write to. Choose another place.")
    free = shutil.disk_usage(parent).free
    if n_bytes > free:
        raise CultureError(
            f"The recording needs {n_bytes / 1e9:.1f} GB, but {parent} has {free / 1e9:.1f} GB free. "
            "Record fewer seconds or neurons, or choose another disk."
        )


def save_truth(
    truth: SynapseMap, path: Path, *, culture: Culture, told: Mapping[str, object], columns: Mapping[str, ndarray]
) -> None:
    """Write a map, and beside it in /culture how it was grown (``told`` is added) and what sits where."""
    save_map(truth, path)
    parameters = cast("dict[str, JsonValue]", json_ready(asdict(culture.options) | dict(told)))
    provenance = Provenance(command="culture", parameters=parameters, seed=culture.seed)
    with h5py.File(path, "r+") as file:
        group = file.create_group("culture")
        group.attrs["format_version"] = CULTURE_FORMAT_VERSION
        group.attrs["family"] = culture.options.family.name
        group.attrs["n_hidden"] = culture.options.n_neurons - culture.n_recorded
        group.attrs["provenance"] = provenance.to_json()
        for name, column in columns.items():
            group[name] = column
