"""Curves of two or more activities over each other: spectrum, intervals, and each neuron's rate."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.report._blocks import Figure, Level, Note
from neurograft.report._theme import COPY, GREY, ORIGINAL, SERIES, axis, escaped, themed

_MAX_DOTS: Final = 6000


def spectrum_figure(
    frequency_hz: Float64[ndarray, " bands"], power: Mapping[str, Float64[ndarray, " bands"]]
) -> Figure | Note:
    """Return population spectra; a power of 1 is that of neurons that fire independently at random."""
    known = {name: values for name, values in power.items() if np.isfinite(values).any()}
    if frequency_hz.size == 0 or not known:
        return Note(text="There is no spectrum: too few spikes, or too short a time.", level=Level.WARNING)
    data = [_line(frequency_hz, np.where(v > 0, v, np.nan), name, k) for k, (name, v) in enumerate(known.items())]
    layout = themed(
        {
            "xaxis": axis("frequency (Hz)", type="log"),
            "yaxis": axis("power (Poisson = 1)", type="log"),
            "shapes": [_level_line(y=1.0)],
        }
    )
    caption = (
        "Power of the summed spikes at each frequency, over that of independent random (Poisson) neurons of the same "
        "rate. Look for peaks above 1: rhythms and bursts of the whole population, in one activity or in both."
    )
    return Figure(plot={"data": data, "layout": layout}, caption=caption, height_px=400)


def interval_figure(
    edges_s: Float64[ndarray, " edges"], density: Mapping[str, Float64[ndarray, " bins"]]
) -> Figure | Note:
    """Return histograms of the time between a neuron's successive spikes, as shares a decade."""
    known = {name: values for name, values in density.items() if np.isfinite(values).any()}
    if edges_s.size < 2 or not known:
        return Note(text="There are too few spikes for a histogram of intervals.", level=Level.WARNING)
    middle_s = np.sqrt(edges_s[1:] * edges_s[:-1])
    data = [_line(middle_s, values, name, k, shape="hvh") for k, (name, values) in enumerate(known.items())]
    layout = themed(
        {
            "xaxis": axis("interval between two spikes of a neuron (s)", type="log"),
            "yaxis": axis("share of intervals a decade", rangemode="tozero"),
        }
    )
    caption = (
        "How long neurons wait between two spikes. Look for a short-interval hump (bursts) and for the gap at the left "
        "that the refractory time leaves; a copy that lacks one of them runs on another mechanism."
    )
    return Figure(plot={"data": data, "layout": layout}, caption=caption, height_px=400)


def rates_figure(
    original_hz: Float64[ndarray, " neurons"],
    copies_hz: Mapping[str, Float64[ndarray, " neurons"]],
    *,
    labels: Sequence[str],
) -> Figure | Note:
    """Return each neuron's rate in the copies against its rate in the original, on logarithmic axes."""
    firing = original_hz[np.isfinite(original_hz) & (original_hz > 0)]
    if firing.size == 0 or not copies_hz:
        return Note(text="No neuron of the original fires, so rates cannot be compared.", level=Level.WARNING)
    every = np.concatenate([firing, *(v[np.isfinite(v) & (v > 0)] for v in copies_hz.values())])
    low, high = float(every.min()) / 1.6, float(every.max()) * 1.6
    floor = low * 1.15  # where silent neurons are drawn
    data: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [low, high],
            "y": [low, high],
            "line": {"color": GREY, "dash": "dot", "width": 1},
            "name": "equal",
            "hoverinfo": "skip",
        }
    ]
    colours = (COPY, *[c for c in SERIES if c not in (COPY, ORIGINAL)])
    texts = np.array([escaped(label) for label in labels], dtype=object)
    shown = np.linspace(0, original_hz.size - 1, min(original_hz.size, _MAX_DOTS)).astype(np.int64)
    for k, (name, rate_hz) in enumerate(copies_hz.items()):
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": np.maximum(original_hz[shown], floor),
                "y": np.maximum(rate_hz[shown], floor),
                "text": texts[shown].tolist(),
                "name": escaped(name),
                "marker": {**_dot(shown.size), "color": colours[k % len(colours)]},
                "hovertemplate": "%{text}: %{x:.3g} Hz → %{y:.3g} Hz<extra></extra>",
            }
        )
    span = [float(np.log10(low)), float(np.log10(high))]
    layout = themed(
        {
            "xaxis": axis("rate in the original (Hz)", type="log", range=span, constrain="domain"),
            "yaxis": axis("rate in the copy (Hz)", type="log", range=span, scaleanchor="x"),
        }
    )
    n_silent = int(np.sum(original_hz <= 0))
    caption = (
        f"One dot a neuron ({original_hz.size}; {n_silent} silent in the original). Silent ones lie on the lower or "
        "left edge. Look for dots far from the dotted line, and for neurons that fall silent in the copy."
    )
    return Figure(plot={"data": data, "layout": layout}, caption=caption, height_px=520)


def pairs_figure(
    original: Float64[ndarray, " pairs"], copies: Mapping[str, Float64[ndarray, " pairs"]], *, quantity: str
) -> Figure | Note:
    """Return a quantity of each pair of neurons in the copies against the original, e.g. its correlation."""
    if not np.isfinite(original).any() or not copies:
        return Note(text=f"There is no {quantity} to compare.", level=Level.WARNING)
    shown = np.linspace(0, original.size - 1, min(original.size, _MAX_DOTS)).astype(np.int64)
    low = float(min(np.nanmin(original), *(np.nanmin(v, initial=0.0) for v in copies.values())))
    high = float(max(np.nanmax(original), *(np.nanmax(v, initial=0.0) for v in copies.values())))
    line = {"color": GREY, "dash": "dot", "width": 1}
    data: list[dict[str, Any]] = [
        {"type": "scatter", "mode": "lines", "x": [low, high], "y": [low, high], "line": line, "name": "equal"}
    ]
    colours = (COPY, *[c for c in SERIES if c not in (COPY, ORIGINAL)])
    for k, (name, values) in enumerate(copies.items()):
        marker = {**_dot(shown.size), "color": colours[k % len(colours)]}
        x, y = original[shown].astype(np.float32), values[shown].astype(np.float32)
        data.append({"type": "scatter", "mode": "markers", "x": x, "y": y, "name": escaped(name), "marker": marker})
    layout = themed(
        {
            "xaxis": axis(f"{quantity}, original", constrain="domain"),
            "yaxis": axis(f"{quantity}, copy", scaleanchor="x"),
        }
    )
    told = f"{shown.size} of {original.size} pairs" if shown.size < original.size else f"{original.size} pairs"
    caption = f"One dot a pair ({told}). The original's strongest pairs should lie on the dotted line."
    return Figure(plot={"data": data, "layout": layout}, caption=caption, height_px=480)


def _dot(n: int) -> dict[str, float]:
    """Return a dot's size and opacity: many dots are small and pale, so that their crowd shows."""
    return {"size": 7, "opacity": 0.7} if n <= 500 else {"size": 4, "opacity": 0.35}


def _line(x: ndarray, y: ndarray, name: str, k: int, *, shape: str = "linear") -> dict[str, Any]:
    is_null = k >= 2
    return {
        "type": "scatter",
        "mode": "lines",
        "x": x,
        "y": y,
        "name": escaped(name),
        "line": {
            "color": SERIES[k % len(SERIES)],
            "width": 1.2 if is_null else 2.2,
            "dash": "dot" if is_null else "solid",
            "shape": shape,
        },
        "hovertemplate": f"{escaped(name)}: %{{x:.3g}}, %{{y:.3g}}<extra></extra>",
    }


def _level_line(*, y: float) -> dict[str, Any]:
    line = {"color": GREY, "width": 1, "dash": "dot"}
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y, "line": line}
