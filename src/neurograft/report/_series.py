"""A series and its forecasts, a panel a variable."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.report._blocks import Figure, Note
from neurograft.report._theme import GREY, SERIES, axis, themed

_MOST_PANELS: Final = 6
_MOST_POINTS: Final = 1500
_PANEL_PX: Final = 130


def series_figure(
    values: Float64[ndarray, "rows variables"],
    forecasts: Mapping[str, Float64[ndarray, "steps variables"]],
    *,
    names: Sequence[str],
    dt: float,
    begin: int,
    caption: str,
) -> Figure | Note:
    """Return panels of up to six variables; forecasts start at row ``begin``, and as many rows before are drawn."""
    if not forecasts:
        return Note(text="There is no forecast to draw.")
    n_ahead = max(f.shape[0] for f in forecasts.values())
    first = max(begin - n_ahead, 0)
    n_panels = min(len(names), _MOST_PANELS)
    data: list[dict[str, Any]] = []
    layout: dict[str, Any] = {"shapes": []}
    for panel in range(n_panels):
        suffix = "" if panel == 0 else str(panel + 1)
        known = values[first : begin + n_ahead, panel]
        data.append(_line(known, first, dt, suffix, name="data", color=GREY, is_named=panel == 0))
        for i, (name, forecast) in enumerate(forecasts.items()):
            color = SERIES[i % len(SERIES)]
            data.append(_line(forecast[:, panel], begin, dt, suffix, name=name, color=color, is_named=panel == 0))
        top, bottom = 1 - panel / n_panels, 1 - (panel + 0.85) / n_panels
        is_last = panel == n_panels - 1
        layout[f"xaxis{suffix}"] = axis("time" if is_last else "", anchor=f"y{suffix}", showticklabels=is_last)
        layout[f"yaxis{suffix}"] = axis(names[panel], domain=[max(bottom, 0.0), top], anchor=f"x{suffix}", nticks=4)
        edge = {"type": "line", "xref": f"x{suffix}", "yref": f"y{suffix} domain", "y0": 0, "y1": 1}
        layout["shapes"].append({**edge, "x0": begin * dt, "x1": begin * dt, "line": {"color": GREY, "dash": "dot"}})
    more = "" if len(names) <= n_panels else f" {n_panels} of {len(names)} variables are shown."
    return Figure(
        plot={"data": data, "layout": themed(layout)}, caption=caption + more, height_px=110 + _PANEL_PX * n_panels
    )


def _line(
    y: ndarray, begin: int, dt: float, suffix: str, *, name: str, color: str, is_named: bool
) -> dict[str, Any]:  # fmt: skip
    step = max(-(-y.size // _MOST_POINTS), 1)
    return {
        "type": "scatter", "mode": "lines", "name": name, "showlegend": is_named, "legendgroup": name,
        "x": ((begin + np.arange(y.size)) * dt)[::step], "y": y[::step].astype(np.float32),
        "xaxis": f"x{suffix}", "yaxis": f"y{suffix}", "line": {"width": 1.5, "color": color},
    }  # fmt: skip


def bars_figure(values: Mapping[str, float], *, value_axis: str, caption: str) -> Figure | Note:
    """Return one bar a name; the first, which the others are compared with, is orange."""
    if not values:
        return Note(text=f"There is no {value_axis} to draw.")
    colors = [SERIES[1] if i == 0 else SERIES[0] for i in range(len(values))]
    bar = {"type": "bar", "x": list(values), "y": list(values.values()), "marker": {"color": colors}}
    layout = {"xaxis": axis(""), "yaxis": axis(value_axis), "showlegend": False}
    return Figure(plot={"data": [bar], "layout": themed(layout)}, caption=caption, height_px=320)
