"""A map as a graph: neurons at their places, or on a circle, and its strongest synapses."""

from typing import Any, Final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.maps import Kind, SynapseMap
from neurograft.report._blocks import Figure, Note
from neurograft.report._theme import ELECTRICAL, EXCITES, GREY, INHIBITS, axis, escaped, themed
from neurograft.units import MV
from neurograft.wording import counted

_CURVE_POINTS: Final = 9
_MAX_NAMED: Final = 60
_WIDTHS: Final = (0.7, 1.5, 3.0)
_BLANK: Final = {"visible": False, "range": [-1.06, 1.06]}


def graph_figure(m: SynapseMap, *, max_synapses: int = 300) -> Figure | Note:
    """Return neurons as dots and the strongest synapses as curves with an arrow at the receiving end."""
    if m.n_neurons == 0 or m.n_synapses == 0:
        return Note(
            text=f"The map has {counted(m.n_neurons, 'neuron')} and {counted(m.n_synapses, 'synapse')}: "
            "no graph to draw."
        )
    has_place = bool(np.isfinite(m.position_um[:, :2]).all() and np.ptp(m.position_um[:, :2], axis=0).max() > 0)
    place = m.position_um[:, :2] if has_place else _circle(m.n_neurons)
    drawable = np.flatnonzero((m.pre != m.post) & ((m.kind != Kind.ELECTRICAL) | (m.pre < m.post)))
    strongest = np.argsort(-np.abs(m.weight_v[drawable]), kind="stable")[:max_synapses]
    chosen = np.sort(drawable[strongest])
    data = [*_edges(m, chosen, place, has_place=has_place), _neurons(m, place)]
    units = (axis("x (µm)"), axis("y (µm)")) if has_place else (_BLANK, _BLANK)
    layout = themed(
        {
            "xaxis": {**units[0], "showgrid": False, "constrain": "domain"},
            "yaxis": {**units[1], "showgrid": False, "scaleanchor": "x", "constrain": "domain"},
            "hovermode": "closest",
            **({} if has_place else {"margin": {"b": 12}}),
        }
    )
    where = "at their places" if has_place else "on a circle in the map's order, because their places are not known"
    count = "All" if chosen.size == drawable.size else f"The {chosen.size} strongest of {drawable.size}"
    caption = (
        f"{m.n_neurons} neurons {where}. {count} synapses between different neurons are drawn (both ways of an "
        f"electrical one as one), from {_weakest_mv(m, chosen):.3g} mV upwards: three widths by strength, arrow "
        "at the receiving end. Larger dots have more strength, in and out. Look for hubs and for groups that inhibit "
        "each other."
    )
    return Figure(plot={"data": data, "layout": layout}, caption=caption, height_px=680)


def _weakest_mv(m: SynapseMap, chosen: ndarray) -> float:
    return float(np.abs(m.weight_v[chosen]).min(initial=np.inf) / MV) if chosen.size else 0.0


def _circle(n: int) -> Float64[ndarray, "neurons 2"]:
    angle = np.pi / 2 - 2 * np.pi * np.arange(n) / n
    return np.column_stack([np.cos(angle), np.sin(angle)])


def _edges(m: SynapseMap, chosen: ndarray, place: ndarray, *, has_place: bool) -> list[dict[str, Any]]:
    """Return one trace for each sign and width."""
    size = np.abs(m.weight_v[chosen])
    cuts = np.quantile(size, [1 / 3, 2 / 3]) if size.size else np.zeros(2)
    width_class = np.searchsorted(cuts, size, side="left")
    electrical = m.kind[chosen] == Kind.ELECTRICAL
    groups = (
        ("excites", EXCITES, ~electrical & (m.weight_v[chosen] >= 0)),
        ("inhibits", INHIBITS, ~electrical & (m.weight_v[chosen] < 0)),
        ("electrical", ELECTRICAL, electrical),
    )
    traces: list[dict[str, Any]] = []
    for name, colour, mask in groups:
        used = [k for k in range(len(_WIDTHS)) if np.any(mask & (width_class == k))]
        for k in used:
            members = chosen[mask & (width_class == k)]
            trace = _edge_trace(
                _curves(m, members, place, has_place=has_place), m, members, name=name, colour=colour, width=_WIDTHS[k]
            )
            traces.append(trace | {"showlegend": k == used[-1]})
    return traces


def _curves(m: SynapseMap, edges: ndarray, place: ndarray, *, has_place: bool) -> Float64[ndarray, "edges points 2"]:
    """Return quadratic curves that end short of the neuron and bend to the centre, or aside."""
    a, b = place[m.pre[edges]], place[m.post[edges]]
    chord = b - a
    aside = np.column_stack([-chord[:, 1], chord[:, 0]])
    control = 0.5 * (a + b) + 0.12 * aside if has_place else 0.175 * (a + b)
    t = np.linspace(0.02, 0.97, _CURVE_POINTS)[None, :, None]
    return (1 - t) ** 2 * a[:, None] + 2 * t * (1 - t) * control[:, None] + t**2 * b[:, None]


def _edge_trace(
    curve: ndarray, m: SynapseMap, edges: ndarray, *, name: str, colour: str, width: float
) -> dict[str, Any]:
    gap = np.full((len(edges), 1, 2), np.nan)
    points = np.concatenate([curve, gap], axis=1)
    arrow = np.zeros(points.shape[:2], dtype=np.float32)
    if name != "electrical":
        arrow[:, _CURVE_POINTS - 1] = 5 + 2.2 * width
    texts = [
        f"{escaped(m.labels[m.pre[e]])} → {escaped(m.labels[m.post[e]])}: "
        f"{m.weight_v[e] / MV:.3g} mV, {m.delay_s[e] * 1e3:.3g} ms"
        for e in edges.tolist()
    ]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": points[..., 0].ravel().astype(np.float32),
        "y": points[..., 1].ravel().astype(np.float32),
        "line": {"width": width, "color": colour},
        "marker": {
            "symbol": "arrow",
            "angleref": "previous",
            "size": arrow.ravel(),
            "color": colour,
            "line": {"width": 0},
        },
        "opacity": 0.62,
        "name": name,
        "legendgroup": name,
        "text": [text for text in texts for _ in range(_CURVE_POINTS + 1)],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _neurons(m: SynapseMap, place: ndarray) -> dict[str, Any]:
    strength = np.bincount(m.pre, np.abs(m.weight_v), m.n_neurons) + np.bincount(
        m.post, np.abs(m.weight_v), m.n_neurons
    )
    largest = float(strength.max()) or 1.0
    colours = {1: EXCITES, -1: INHIBITS, 0: GREY}
    is_small = m.n_neurons <= _MAX_NAMED
    signs = {1: "excitatory", -1: "inhibitory", 0: "sign unknown or mixed"}
    texts = [
        f"{escaped(label)}{f' ({escaped(kind)})' if kind else ''}, {signs[sign]}"
        for label, kind, sign in zip(m.labels, m.cell_type, m.sign.tolist(), strict=True)
    ]
    return {
        "type": "scatter",
        "mode": "markers+text" if is_small else "markers",
        "x": place[:, 0].astype(np.float32),
        "y": place[:, 1].astype(np.float32),
        "text": [escaped(label) for label in m.labels] if is_small else "",
        "textposition": [_outward(x, y) for x, y in place.tolist()] if is_small else "top center",
        "customdata": texts,
        "hovertemplate": "%{customdata}<extra></extra>",
        "marker": {
            "size": (
                5 + 13 * np.sqrt(strength / largest) if m.n_neurons <= 1000 else 2 + 3 * strength / largest
            ).astype(np.float32),
            "color": [colours[sign] for sign in m.sign.tolist()],
            "line": {"width": 1 if m.n_neurons <= 1000 else 0, "color": "rgba(160,160,160,0.8)"},
        },
        "name": "neuron",
        "showlegend": False,
        "cliponaxis": False,
    }


def _outward(x: float, y: float) -> str:
    vertical = "top" if y > 0.35 else "bottom" if y < -0.35 else "middle"
    horizontal = "right" if x > 0.35 else "left" if x < -0.35 else "center"
    return f"{vertical} {horizontal}" if (vertical, horizontal) != ("middle", "center") else "top center"
