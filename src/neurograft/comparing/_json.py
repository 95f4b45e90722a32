"""Results as plain values that a JSON writer takes."""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum

import numpy as np


def plain_fields(value: object, *, skip: tuple[str, ...] = ()) -> dict[str, object]:
    """Return a dataclass's fields as plain values."""
    assert is_dataclass(value)
    assert not isinstance(value, type)
    return {f.name: as_plain(getattr(value, f.name)) for f in fields(value) if f.name not in skip}


def as_plain(value: object) -> object:  # noqa: PLR0911 - one a type
    """Return dataclasses and mappings as dicts, sequences and arrays as lists, NaN and infinity as None."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain_fields(value)
    if isinstance(value, Mapping):
        return {str(key): as_plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return as_plain(value.tolist())
    if isinstance(value, tuple | list):
        return [as_plain(item) for item in value]
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    raise TypeError(f"{type(value).__name__} has no plain form")
