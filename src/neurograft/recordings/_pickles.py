"""A check that a folder made by another program can be loaded without unpickling anything."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from neurograft.errors import NeurograftError

_MAX_FILES = 1_000_000
_ALLOWED = "spikeinterface"  # the package whose classes a description file may name


def require_no_pickle(folder: Path, *, error: type[NeurograftError]) -> None:
    """Refuse a folder whose loading would run code: pickled arrays, Zarr pickle codecs, foreign classes.

    SpikeInterface loads properties with ``allow_pickle=True`` and makes the class that a JSON file names.
    """
    for k, file in enumerate(sorted(folder.rglob("*"))):
        if k > _MAX_FILES:
            raise error(f"{folder} holds over {_MAX_FILES} files. Save it again with larger chunks.")
        if file.suffix == ".npy":
            _require_plain_npy(file, error)
        elif file.name in (".zarray", "zarr.json"):
            if b"pickle" in file.read_bytes():
                raise error(f"{file} asks for unpickling, which can run any code. Save the store again without it.")
        elif file.suffix == ".json" and file.parent == folder:
            _require_known_classes(file, error)
    if not any((folder / f"{name}").exists() for name in ("si_folder.json", "cached.json")):
        for name in ("cached.pkl", "cached.pickle"):
            if (folder / name).exists():
                raise error(
                    f"{folder / name} would have to be unpickled, which can run any code. Save it again as JSON."
                )


def _require_plain_npy(file: Path, error: type[NeurograftError]) -> None:
    try:
        with file.open("rb") as stream:
            version = np.lib.format.read_magic(stream)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            dtype = read(stream)[2]
    except (ValueError, EOFError) as problem:
        raise error(f"{file} is not a whole NPY file: {problem}. Save it again.") from problem
    if dtype.hasobject:
        raise error(
            f"{file} holds Python objects, which would have to be unpickled, and that can run any code. "
            "Remove this property and save again."
        )


def _require_known_classes(file: Path, error: type[NeurograftError]) -> None:
    try:
        told: Any = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as problem:
        raise error(f"{file} is not valid JSON: {problem}. Save it again.") from problem
    stack: list[Any] = [told]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            name = item.get("class")
            if "kwargs" in item and isinstance(name, str) and name.split(".")[0] != _ALLOWED:
                raise error(
                    f"{file} asks for the class {name!r}, which is not SpikeInterface's. Save it again as data."
                )
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
