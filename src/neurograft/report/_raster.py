"""Spikes of several activities above each other on one time axis, and their population rates."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy import ndarray

from neurograft.report._blocks import Figure, Level, Note
from neurograft.report._theme import SERIES, axis, escaped, panel_title, themed
from neurograft.spikes import SpikeTrains

# In one figure, drawn as SVG.  WebGL would draw more, but a browser without a graphics card takes minutes for it.
_MAX_SPIKES: Final = 8_000
_MAX_NAMED: Final = 24
_RATE_BINS: Final = 240


def raster_figure(
    activities: Mapping[str, SpikeTrains], *, length_s: float | None = None, start_s: Mapping[str, float] | None = None
) -> Figure | Note:
    """Return rasters on one time axis, the first on top, with the rate of each population below.

    Time counts from the start of each excerpt: ``start_s`` of that activity, else its first epoch's start.
    Without a length the excerpt is as long as the shortest activity, cut so that 8,000 spikes are drawn.
    """
    if not activities or all(trains.n_spikes == 0 for trains in activities.values()):
        return Note(text="There are no spikes to draw.", level=Level.WARNING)
    begin_s = {name: (start_s or {}).get(name, float(t.epochs_s[0, 0])) for name, t in activities.items()}
    longest_s = min(float(t.epochs_s[-1, 1]) - begin_s[name] for name, t in activities.items())
    shown_s = _excerpt_s(activities, begin_s, longest_s if length_s is None else min(length_s, longest_s))
    if shown_s <= 0:
        return Note(text="The excerpt lies outside the observed time, so no spike is drawn.", level=Level.WARNING)
    cuts = {name: _cut(t, begin_s[name], shown_s) for name, t in activities.items()}
    spans = _spans(len(activities))
    data: list[dict[str, Any]] = []
    layout: dict[str, Any] = {"annotations": [], "showlegend": False}
    for k, (name, trains) in enumerate(activities.items()):
        suffix = "" if k == 0 else str(k + 1)
        time_s, neuron = cuts[name]
        colour = SERIES[k % len(SERIES)]
        data.append(_ticks(time_s, neuron, trains, colour=colour, suffix=suffix, pixels=_height(spans[k])))
        layout[f"yaxis{suffix}"] = _neuron_axis(trains, spans[k])
        rate = f"{time_s.size / shown_s / max(trains.n_neurons, 1):.3g}"
        title = f"{name}: {trains.n_neurons} neurons, {time_s.size} spikes, mean {rate} Hz"
        layout["annotations"].append(panel_title(title, x=0, y=spans[k][1] + 0.005))
    last = str(len(activities) + 1)
    for k, (name, trains) in enumerate(activities.items()):
        data.append(_rate(cuts[name][0], trains, shown_s, name=name, colour=SERIES[k % len(SERIES)], suffix=last))
    layout[f"yaxis{last}"] = axis("rate (Hz)", domain=list(spans[-1]), rangemode="tozero", nticks=4)
    layout["xaxis"] = axis("time since the start of the excerpt (s)", range=[0, shown_s], anchor=f"y{last}")
    layout["annotations"].append(panel_title("rate of the mean neuron", x=0, y=spans[-1][1] + 0.005))
    caption = (
        f"{shown_s:.4g} s of each activity, one row a neuron, one mark a spike"
        f"{_shortened(shown_s, longest_s, length_s)}. Look for rows that are busy above and silent below, and for "
        "population bursts that one of the two has alone."
    )
    return Figure(plot={"data": data, "layout": themed(layout)}, caption=caption, height_px=180 + 230 * len(activities))


def _shortened(shown_s: float, longest_s: float, length_s: float | None) -> str:
    asked_s = longest_s if length_s is None else min(length_s, longest_s)
    return f", cut from {asked_s:.4g} s to keep the figure light" if shown_s < asked_s else ""


def _excerpt_s(activities: Mapping[str, SpikeTrains], begin_s: Mapping[str, float], length_s: float) -> float:
    """Return the longest time, at most ``length_s``, in which all activities together have few enough spikes."""
    since_s = np.concatenate([t.time_s - begin_s[name] for name, t in activities.items()])
    since_s = np.sort(since_s[(since_s >= 0) & (since_s < length_s)])
    return float(since_s[_MAX_SPIKES]) if since_s.size > _MAX_SPIKES else length_s


def _cut(trains: SpikeTrains, begin_s: float, length_s: float) -> tuple[ndarray, ndarray]:
    inside = (trains.time_s >= begin_s) & (trains.time_s < begin_s + length_s)
    return trains.time_s[inside] - begin_s, trains.neuron[inside]


def _spans(n: int) -> list[tuple[float, float]]:
    """Return the vertical domains of n rasters, the first on top, and of the rates at the bottom."""
    gap, rate = 0.085, 0.13
    each = (1 - rate - n * gap) / n
    tops = [1 - k * (each + gap) - 0.03 * (k == 0) for k in range(n)]
    return [(max(top - each, 0.0), top) for top in tops] + [(0.0, rate)]


def _height(span: tuple[float, float]) -> float:
    return (span[1] - span[0]) * 560


def _ticks(
    time_s: ndarray, neuron: ndarray, trains: SpikeTrains, *, colour: str, suffix: str, pixels: float
) -> dict[str, Any]:
    size = float(np.clip(0.75 * pixels / max(trains.n_neurons, 1), 2.0, 14.0))
    is_line = size > 3
    return {
        "type": "scatter",
        "mode": "markers",
        "x": time_s,
        "y": neuron.astype(np.int16) if trains.n_neurons < 2**15 else neuron,
        "xaxis": "x",
        "yaxis": f"y{suffix}",
        "marker": {
            "symbol": "line-ns-open" if is_line else "square",
            "size": size,
            "color": colour,
            **({"line": {"width": 1.2, "color": colour}} if is_line else {}),
        },
        "hovertemplate": "neuron %{y}, %{x:.4f} s<extra></extra>",
    }


def _neuron_axis(trains: SpikeTrains, span: tuple[float, float]) -> dict[str, Any]:
    n = trains.n_neurons
    named = (
        {"tickvals": list(range(n)), "ticktext": [escaped(label) for label in trains.labels]} if n <= _MAX_NAMED else {}
    )
    return axis("neuron", domain=list(span), range=[n - 0.4, -0.6], showgrid=False, **named)


def _rate(
    time_s: ndarray, trains: SpikeTrains, length_s: float, *, name: str, colour: str, suffix: str
) -> dict[str, Any]:
    counts, edges = np.histogram(time_s, bins=_RATE_BINS, range=(0, length_s))
    return {
        "type": "scatter",
        "mode": "lines",
        "x": 0.5 * (edges[1:] + edges[:-1]),
        "y": (counts / (length_s / _RATE_BINS) / max(trains.n_neurons, 1)).astype(np.float32),
        "xaxis": "x",
        "yaxis": f"y{suffix}",
        "line": {"width": 1.4, "color": colour, "shape": "hvh"},
        "name": escaped(name),
        "hovertemplate": f"{escaped(name)}: %{{y:.3g}} Hz<extra></extra>",
    }
