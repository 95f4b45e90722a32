"""Small panels of curves against lag, each with its confidence band: triggered waveforms, correlograms."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.report._blocks import Figure, Note
from neurograft.report._theme import BLUE, GREY, VERMILLION, axis, panel_title, themed
from neurograft.units import MS

_COLUMNS: Final = 3
_MAX_POINTS: Final = 801
_PANEL_PX: Final = 190


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LagCurve:
    """One panel: values against lag, and the band in which they lie where there is no synapse (or NaN)."""

    name: str
    lag_s: Float64[ndarray, " lags"]
    value: Float64[ndarray, " lags"]
    lower: Float64[ndarray, " lags"]
    upper: Float64[ndarray, " lags"]
    is_called: bool = False


def lag_figure(curves: Sequence[LagCurve], *, value_axis: str, band: str, max_panels: int = 12) -> Figure | Note:
    """Return panels of up to ``max_panels`` curves, those that are called first.

    ``value_axis`` names the value and its unit; ``band`` says what the band is, e.g. "99.9 % of jittered trains".
    """
    usable = [curve for curve in curves if curve.lag_s.size and np.isfinite(curve.value).any()]
    if not usable:
        return Note(text=f"There is no curve of {value_axis} to draw.")
    shown = sorted(usable, key=lambda curve: not curve.is_called)[:max_panels]
    n_rows = -(-len(shown) // _COLUMNS)
    data: list[dict[str, Any]] = []
    layout: dict[str, Any] = {"annotations": [], "showlegend": False, "margin": {"t": 68}}
    for k, curve in enumerate(shown):
        suffix = "" if k == 0 else str(k + 1)
        x_span, y_span = _spans(k, n_rows)
        data += _panel(curve, suffix)
        is_last_row = k + _COLUMNS >= len(shown)
        layout[f"xaxis{suffix}"] = axis(
            "lag (ms)" if is_last_row else "", domain=x_span, anchor=f"y{suffix}", zeroline=True, zerolinecolor=GREY
        )
        layout[f"yaxis{suffix}"] = axis(
            value_axis if k % _COLUMNS == 0 else "", domain=y_span, anchor=f"x{suffix}", nticks=5
        )
        layout["annotations"].append(panel_title(curve.name, x=x_span[0], y=y_span[1] + 0.004))
    n_called = sum(curve.is_called for curve in usable)
    caption = (
        f"{len(shown)} of {len(usable)} curves; orange ones were called a synapse ({n_called} in all), blue ones not. "
        f"The grey band is {band}. Look for a curve that leaves the band shortly after lag 0, on one side only."
    )
    height_px = 100 + int((_PANEL_PX + 40) * n_rows)
    return Figure(plot={"data": data, "layout": themed(layout)}, caption=caption, height_px=height_px)


def _spans(k: int, n_rows: int) -> tuple[list[float], list[float]]:
    row, column = divmod(k, _COLUMNS)
    x_gap, y_gap = 0.075, 0.34 / (n_rows + 0.34)
    width = (1 - x_gap * (_COLUMNS - 1)) / _COLUMNS
    height = (1 - y_gap * (n_rows - 1)) / n_rows if n_rows > 1 else 1.0
    left, top = column * (width + x_gap), 1 - row * (height + y_gap)
    return [left, left + width], [max(top - height, 0.0), top]


def _panel(curve: LagCurve, suffix: str) -> list[dict[str, Any]]:
    step = -(-curve.lag_s.size // _MAX_POINTS)
    lag_ms = (curve.lag_s[::step] / MS).astype(np.float32)
    axes = {"type": "scatter", "mode": "lines", "x": lag_ms, "xaxis": f"x{suffix}", "yaxis": f"y{suffix}"}
    edge = {**axes, "line": {"width": 0}, "hoverinfo": "skip"}
    value = {
        **axes,
        "y": curve.value[::step].astype(np.float32),
        "line": {"width": 1.6, "color": VERMILLION if curve.is_called else BLUE},
        "hovertemplate": "%{x:.3g} ms: %{y:.4g}<extra></extra>",
    }
    if not np.isfinite(curve.lower).any():
        return [value]
    lower = {**edge, "y": curve.lower[::step].astype(np.float32)}
    upper = {
        **edge,
        "y": curve.upper[::step].astype(np.float32),
        "fill": "tonexty",
        "fillcolor": "rgba(140,140,140,0.28)",
    }
    return [lower, upper, value]
