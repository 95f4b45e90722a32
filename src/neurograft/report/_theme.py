"""How every figure looks: colours that the colour-blind can tell apart, on light and dark paper."""

from collections.abc import Mapping
from typing import Any, Final, cast

# Okabe and Ito 2008, "Color universal design"; their black is grey here, to be seen on dark paper.
ORANGE: Final = "#E69F00"
SKY: Final = "#56B4E9"
GREEN: Final = "#009E73"
BLUE: Final = "#0072B2"
VERMILLION: Final = "#D55E00"
PURPLE: Final = "#CC79A7"
GREY: Final = "#8C8C8C"

ORIGINAL: Final = BLUE
COPY: Final = VERMILLION
SERIES: Final = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY, GREY)
EXCITES: Final = VERMILLION
INHIBITS: Final = BLUE
ELECTRICAL: Final = GREEN

# Weights: blue inhibits, orange excites, strong is saturated; near zero is pale, and no synapse is the paper.
SIGNED_SCALE: Final = (
    (0.0, "#08519c"),
    (0.25, "#3f8fcb"),
    (0.499, "#b9d7ee"),
    (0.501, "#fbd0ad"),
    (0.75, "#ee7b3a"),
    (1.0, "#a63603"),
)
LEVEL_SCALE: Final = (  # cividis, coarse: even in lightness, the same to every eye
    (0.0, "#00224e"),
    (0.25, "#434e6c"),
    (0.5, "#7d7c78"),
    (0.75, "#bcae6c"),
    (1.0, "#fee838"),
)

_GRID: Final = "rgba(128,128,128,0.22)"
_AXIS: Final[Mapping[str, Any]] = {
    "automargin": True,
    "gridcolor": _GRID,
    "linecolor": "rgba(128,128,128,0.6)",
    "showline": True,
    "ticks": "outside",
    "ticklen": 4,
    "tickcolor": "rgba(128,128,128,0.6)",
    "zeroline": False,
    "title": {"standoff": 8},
}
_LAYOUT: Final[Mapping[str, Any]] = {
    "font": {"family": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif", "size": 13},
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "margin": {"l": 64, "r": 24, "t": 44, "b": 52},
    "colorway": list(SERIES),
    "hoverlabel": {"font": {"size": 12}},
    "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "rgba(128,128,128,0.7)", "activecolor": "#0072B2"},
    "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.01, "xanchor": "left", "x": 0},
}


def themed(layout: Mapping[str, Any]) -> dict[str, Any]:
    """Return a layout on top of the house's defaults; every key that starts with xaxis or yaxis is an axis."""
    merged = _merged(_LAYOUT, layout)
    for key in ("xaxis", "yaxis"):
        merged.setdefault(key, {})
    for key in list(merged):
        if key.startswith(("xaxis", "yaxis")):
            merged[key] = _merged(_AXIS, merged[key])
    return merged


def axis(title: str, **changes: Any) -> dict[str, Any]:
    """Return an axis with a title, which ends in the unit."""
    return {"title": {"text": title}, **changes}


def escaped(label: str) -> str:
    """Return a label that plotly shows as it is; plotly itself would take <b> for bold."""
    return label.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def colour_bar(title: str, **changes: Any) -> dict[str, Any]:
    """Return a slim colour bar."""
    return {"title": {"text": title, "side": "right"}, "thickness": 14, "outlinewidth": 0, **changes}


def panel_title(text: str, *, x: float, y: float) -> dict[str, Any]:
    """Return a heading over one panel of a figure; x and y are its lower left corner on the paper."""
    place = {"xref": "paper", "yref": "paper", "x": x, "y": y, "xanchor": "left", "yanchor": "bottom"}
    return {"text": f"<b>{escaped(text)}</b>", "showarrow": False, "font": {"size": 13}, **place}


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = dict(base)
    for key, value in over.items():
        below = out.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            out[key] = _merged(cast("Mapping[str, Any]", below), cast("Mapping[str, Any]", value))
        else:
            out[key] = value
    return out
