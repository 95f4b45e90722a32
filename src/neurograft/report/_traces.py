"""Traces of a recording with the spikes found in them."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from jaxtyping import Float32, Float64
from numpy import ndarray

from neurograft.recordings import Recording, Signal
from neurograft.report._blocks import Figure, Level, Note
from neurograft.report._theme import BLUE, VERMILLION, axis, escaped, themed
from neurograft.spikes import SpikeTrains
from neurograft.units import MV, PA, UV

_READ_SAMPLES: Final = 4_000_000  # read at once, whatever the number of channels
_N_BINS: Final = 1500  # more than a screen is wide


def traces_figure(
    recording: Recording,
    *,
    trains: SpikeTrains | None = None,
    segment: int = 0,
    start_s: float = 0.0,
    length_s: float = 1.0,
    channels: Sequence[int] | None = None,
    max_channels: int = 8,
    row_height: float | None = None,
) -> Figure | Note:
    """Return up to ``max_channels`` traces above each other on one scale, spikes marked above their trace.

    ``start_s`` counts from the segment's start.  A neuron belongs to the channel of the same label.
    Without ``channels`` those with most spikes are drawn, else the first.  Longer excerpts are drawn as the
    smallest and largest sample of each bin, so no spike is lost.  ``row_height`` (V or A) enlarges what is
    small: higher peaks are then cut at the next row, and the caption says so.
    """
    n_frames = recording.segment_frames[segment]
    first = min(max(round(start_s * recording.rate_hz), 0), n_frames)
    last = min(first + round(length_s * recording.rate_hz), n_frames)
    if last - first < 2:
        return Note(text=f"Segment {segment} of the recording has no samples at {start_s} s.", level=Level.WARNING)
    shown = list(channels) if channels is not None else _busiest(recording, trains, max_channels)
    if not shown:
        return Note(text="The recording has no channel to draw.", level=Level.WARNING)
    begin_s = recording.segment_start_s[segment]
    time_s, values = _envelope(recording, segment=segment, first=first, last=last, channels=shown)
    unit, unit_name = _unit(recording.signal, values)
    values = values / unit
    values = values - _middle(values)
    peak = max(float(np.nanmax(np.abs(np.nan_to_num(values)))), 1e-9)
    spacing = 1.25 * peak if row_height is None else row_height / unit
    labels = [recording.channel_labels[c] for c in shown]
    rows = len(shown) - 1 - np.arange(len(shown))
    data: list[dict[str, Any]] = []
    for row, label, trace in zip(rows, labels, values.T, strict=True):
        data.append(_trace(time_s + begin_s, row + np.clip(trace / spacing, -0.5, 0.85), label))
    n_spikes = 0
    if trains is not None:
        window = (begin_s + first / recording.rate_hz, begin_s + last / recording.rate_hz)
        marks = _marks(trains, labels, rows, window)
        n_spikes = int(marks["x"].size)
        data.append(marks)
    bar = _round_number(spacing * 0.5)
    layout = themed(
        {
            "xaxis": axis("time (s)"),
            "yaxis": axis(
                f"channel (rows on one scale, {unit_name})",
                tickvals=rows.tolist(),
                ticktext=[escaped(label) for label in labels],
                showgrid=False,
                range=[-0.7, len(shown) + 0.1],
            ),
            "showlegend": False,
            **_scale_bar(bar / spacing, f"{bar:g} {unit_name}"),
        }
    )
    told = f" Triangles mark the {n_spikes} spikes that were found." if trains is not None else ""
    cut = " Peaks beyond their row are cut." if 0.85 * spacing < peak else ""
    caption = (
        f"{len(shown)} of {len(recording.channel_labels)} channels, {recording.signal.value.split(',')[0]}, each "
        f"around its median; the bar is {bar:g} {unit_name}.{cut}{told} Look for spikes without a mark and marks "
        "without a spike."
    )
    return Figure(plot={"data": data, "layout": layout}, caption=caption, height_px=120 + 62 * max(len(shown), 3))


def _middle(values: ndarray) -> ndarray:
    """Return each channel's median, 0 where a channel is all NaN."""
    known = np.where(np.isfinite(values).any(axis=0), values, 0.0)
    return np.nanmedian(known, axis=0)


def _trace(time_s: ndarray, y: ndarray, label: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": time_s,
        "y": y.astype(np.float32),
        "name": escaped(label),
        "line": {"width": 1, "color": BLUE},
        "hovertemplate": f"{escaped(label)}<br>%{{x:.4f}} s<extra></extra>",
    }


def _busiest(recording: Recording, trains: SpikeTrains | None, n: int) -> list[int]:
    labels = recording.channel_labels
    if trains is None:
        return list(range(min(n, len(labels))))
    count = dict(zip(trains.labels, trains.counts().tolist(), strict=True))
    order = sorted(range(len(labels)), key=lambda c: (-count.get(labels[c], 0), c))
    return sorted(order[:n])


def _marks(trains: SpikeTrains, labels: Sequence[str], rows: ndarray, window: tuple[float, float]) -> dict[str, Any]:
    row_of = dict(zip(labels, rows.tolist(), strict=True))
    row_of_neuron = np.array([row_of.get(label, np.nan) for label in trains.labels], dtype=np.float64)
    inside = (trains.time_s >= window[0]) & (trains.time_s < window[1])
    y = row_of_neuron[trains.neuron[inside]]
    known = np.isfinite(y)
    return {
        "type": "scatter",
        "mode": "markers",
        "x": trains.time_s[inside][known],
        "y": (y[known] + 0.92).astype(np.float32),
        "name": "spikes",
        "marker": {"symbol": "triangle-down", "size": 7, "color": VERMILLION},
        "hovertemplate": "spike at %{x:.4f} s<extra></extra>",
    }


def _envelope(
    recording: Recording, *, segment: int, first: int, last: int, channels: Sequence[int]
) -> tuple[Float64[ndarray, " points"], Float32[ndarray, "points channels"]]:
    """Return times within the segment and values: all samples, or minimum and maximum of each bin."""
    n = last - first
    if n <= 2 * _N_BINS:
        values = recording.read(segment, first, last)[:, list(channels)]
        return (first + np.arange(n)) / recording.rate_hz, values
    width = -(-n // _N_BINS)
    bins_at_once = max(_READ_SAMPLES // (width * len(recording.channel_labels)), 1)
    pieces: list[ndarray] = []
    for start in range(first, last, width * bins_at_once):
        block = recording.read(segment, start, min(start + width * bins_at_once, last))[:, list(channels)]
        edges = np.arange(0, len(block), width)
        low, high = np.fmin.reduceat(block, edges), np.fmax.reduceat(block, edges)
        pieces.append(np.stack([low, high], axis=1).reshape(-1, len(channels)))
    values = np.concatenate(pieces)
    return (first + (np.arange(len(values)) + 0.5) * width / 2) / recording.rate_hz, values


def _unit(signal: Signal, values: ndarray) -> tuple[float, str]:
    if signal is Signal.MEMBRANE_A:
        return PA, "pA"
    return (MV, "mV") if np.nanmax(np.abs(np.nan_to_num(values)), initial=0.0) >= MV else (UV, "µV")


def _round_number(value: float) -> float:
    """Return the largest of 1, 2 or 5 times a power of ten that is not above the value."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(max(step for step in (1.0, 2.0, 5.0) if step * power <= value * (1 + 1e-9)) * power)


def _scale_bar(height: float, text: str) -> dict[str, Any]:
    line = {"type": "line", "xref": "paper", "x0": 1.008, "x1": 1.008, "y0": 0.0, "y1": height}
    note = {"xref": "paper", "x": 1.014, "y": height / 2, "xanchor": "left", "text": text, "showarrow": False}
    return {
        "shapes": [{**line, "line": {"width": 3, "color": "rgb(128,128,128)"}}],
        "annotations": [note],
        "margin": {"r": 84},
    }
