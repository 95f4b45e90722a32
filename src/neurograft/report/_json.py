"""Figures as JSON that plotly.js reads: arrays as base64 of their bytes, a third of their size as text."""

import base64
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import numpy as np
from numpy import ndarray

from neurograft.report._blocks import PlotlyFigure

_SHORT: Final = 16  # below, a plain list is smaller and readable
_CODES: Final = {"f8": "f8", "f4": "f4", "i1": "i1", "i2": "i2", "i4": "i4", "u1": "u1", "u2": "u2", "u4": "u4"}


def figure_json(plot: Mapping[str, Any] | PlotlyFigure) -> str:
    """Return a figure as one line of JSON that may stand inside an HTML script element."""
    figure = plot.to_plotly_json() if isinstance(plot, PlotlyFigure) else plot
    text = json.dumps(_plain(figure), allow_nan=False, sort_keys=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _plain(value: object) -> object:
    if isinstance(value, ndarray):
        return _array(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in cast("Mapping[object, object]", value).items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(item) for item in cast("Sequence[object]", value)]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _array(array: ndarray) -> object:
    code = f"{array.dtype.kind}{array.dtype.itemsize}"
    if code in ("i8", "u8"):  # plotly.js has no 64-bit integers
        array, code = array.astype(np.float64), "f8"
    if code not in _CODES or array.size < _SHORT or array.ndim > 2:
        return _plain(array.tolist())
    raw = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<")))
    packed: dict[str, object] = {"dtype": code, "bdata": base64.b64encode(raw.tobytes()).decode("ascii")}
    if array.ndim == 2:
        packed["shape"] = f"{array.shape[0]}, {array.shape[1]}"
    return packed
