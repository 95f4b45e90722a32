"""Figures of the ionic report: conduction, loops, spike trains, each beside the published numbers."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.ionic import FIELD_UNIT_V_M, Loop, NeuronTrace
from neurograft.report._blocks import Figure
from neurograft.report._theme import GREY, SERIES, axis, themed
from neurograft.units import NM, US

# Conduction fraction of the authors' sample run at 1e-3 per nm2, field rising and falling; their output files,
# analysed by us; standard errors .0003 to .0015.
SAMPLE_FIELDS: Final = (0.04, 0.0634, 0.08, 0.105, 0.148, 0.21, 0.30, 0.46)
SAMPLE_RISING: Final = (0.0154, 0.0208, 0.0416, 0.1009, 0.2531, 0.5223, 0.8045, 0.9498)
SAMPLE_FALLING: Final = (0.0257, 0.0427, 0.0642, 0.1169, 0.2608, 0.5244, 0.8034, 0.9439)
_MAX_POINTS: Final = 4000


def potential_figure(curves: Mapping[str, Float64[ndarray, " distances"]], distance_m: ndarray) -> Figure:
    """Return energies of two unit charges against distance."""
    data = [_line(distance_m / NM, values, name, k) for k, (name, values) in enumerate(curves.items())]
    layout = themed({"xaxis": axis("distance (nm)", type="log"), "yaxis": axis("energy (kT)", rangemode="tozero")})
    caption = (
        "Energy of two elementary charges in the slit. It falls with the logarithm of distance up "
        "to some ten nanometres: "
        "a pair in a slit is bound far more strongly than in bulk water (0.7 kT at 1 nm)."
    )
    return Figure(plot={"data": data, "layout": layout}, caption=caption, height_px=380)


def conduction_figure(curves: Mapping[str, tuple[ndarray, ndarray]]) -> Figure:
    """Return conduction fractions against field (V/m) on the authors' sample run."""
    data: list[dict[str, Any]] = [
        _line(f / FIELD_UNIT_V_M, n, name, k) for k, (name, (f, n)) in enumerate(curves.items())
    ]
    for name, values, symbol in (
        ("rising", SAMPLE_RISING, "triangle-up"),
        ("falling", SAMPLE_FALLING, "triangle-down"),
    ):
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": np.array(SAMPLE_FIELDS),
                "y": np.array(values),
                "name": f"authors, field {name}",
                "marker": {"symbol": symbol, "size": 9, "color": GREY},
            }
        )
    layout = themed(
        {"xaxis": axis("field (kT / e angstrom)", type="log"), "yaxis": axis("conduction fraction n", type="log")}
    )
    caption = (
        "Share of the current that free ions would carry, against field. Triangles: the authors' "
        "sample run, up and down. "
        "The steep rise is Wien's effect in two dimensions; the gap between rising and falling is the memory."
    )
    return Figure(plot={"data": data, "layout": layout}, caption=caption, height_px=460)


def loops_figure(loops: Mapping[str, Loop]) -> Figure:
    """Return current against voltage over a period, each loop scaled to its largest current."""
    data = [
        _line(loop.voltage_v, loop.current_a / np.abs(loop.current_a).max(), f"{name} (area {loop.area:.3f})", k)
        for k, (name, loop) in enumerate(loops.items())
    ]
    layout = themed({"xaxis": axis("voltage (V)"), "yaxis": axis("current / largest current")})
    caption = (
        "Pinched loops: the current depends on what the voltage was before, and is 0 where the "
        "voltage is. Look for the "
        "frequency with the widest lobes: its period is the memory time."
    )
    return Figure(plot={"data": data, "layout": layout}, caption=caption, height_px=460)


def curve_figure(
    curves: Mapping[str, tuple[ndarray, ndarray]],
    *,
    x: str,
    y: str,
    caption: str,
    is_log: tuple[bool, bool] = (False, False),
) -> Figure:
    """Return named curves on common axes."""
    data = [_line(a, b, name, k) for k, (name, (a, b)) in enumerate(curves.items())]
    kinds = [{"type": "log"} if flag else {} for flag in is_log]
    layout = themed({"xaxis": axis(x, **kinds[0]), "yaxis": axis(y, **kinds[1])})
    return Figure(plot={"data": data, "layout": layout}, caption=caption, height_px=400)


def neuron_figure(traces: Mapping[str, NeuronTrace]) -> Figure:
    """Return potentials over time, one line a neuron, thinned to what a screen shows."""
    data: list[dict[str, Any]] = []
    for k, (name, trace) in enumerate(traces.items()):
        step = max(1, trace.time_s.size // _MAX_POINTS)
        data.append(_line(trace.time_s[::step] / US, trace.voltage_v[::step], name, k))
    shapes = [
        {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": v, "y1": v, "line": {"color": GREY, "dash": "dot"}}
        for v in (40.6, 9.3)
    ]
    layout = themed({"xaxis": axis("time (µs)"), "yaxis": axis("potential (V)"), "shapes": shapes})
    caption = (
        "The two-slit neuron. Dotted lines: peak and trough of the authors' particle simulation "
        "(40.6 and 9.3 V, a spike "
        "every 87.7 µs)."
    )
    return Figure(plot={"data": data, "layout": layout}, caption=caption, height_px=440)


def heat_figure(
    values: ndarray, *, x: Sequence[str], y: Sequence[str], titles: tuple[str, str, str], caption: str
) -> Figure:
    """Return a map of numbers over two named choices; NaN is left blank.  Titles: x, y, colour."""
    plot = {
        "type": "heatmap",
        "z": values,
        "x": list(x),
        "y": list(y),
        "colorscale": "Cividis",
        "colorbar": {"title": {"text": titles[2]}},
    }
    layout = themed({"xaxis": axis(titles[0], type="category"), "yaxis": axis(titles[1], type="category")})
    return Figure(plot={"data": [plot], "layout": layout}, caption=caption, height_px=400)


def _line(x: ndarray, y: ndarray, name: str, k: int) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": np.asarray(x, dtype=np.float32),
        "y": np.asarray(y, dtype=np.float32),
        "name": name,
        "line": {"width": 1.6, "color": SERIES[k % len(SERIES)]},
    }
