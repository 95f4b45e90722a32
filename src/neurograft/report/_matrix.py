"""A map as a matrix: rows send, columns receive."""

from typing import Any, Final

import numpy as np
from numpy import ndarray

from neurograft.maps import SynapseMap, Undecidable
from neurograft.report._blocks import Figure, Level, Note
from neurograft.report._theme import SIGNED_SCALE, axis, colour_bar, escaped, themed
from neurograft.units import MV
from neurograft.wording import counted

_MAX_SIDE: Final = 384  # of the drawn matrix; larger maps are drawn in blocks
_MAX_REASONS: Final = 64  # neurons up to which every undecidable pair names its reason


def matrix_figure(m: SynapseMap) -> Figure | Note:
    """Return the matrix of weights, undecidable pairs grey; where it is too large, the strongest of each block."""
    n = m.n_neurons
    if n == 0:
        return Note(text="The map has no neuron.", level=Level.WARNING)
    if m.n_synapses == 0 and m.evidence is None:
        return Note(text=f"The map has {counted(n, 'neuron')} and no synapse.", level=Level.WARNING)
    block = -(-n // _MAX_SIDE)
    names = [escaped(label) for label in m.labels] if block == 1 else None
    data: list[dict[str, Any]] = []
    undecidable = _undecidable(m)
    if undecidable.any():
        data.append(_grey(undecidable, m, block, names))
    z_mv = _strongest_mv(m, block)
    limit_mv = _limit_mv(z_mv)
    bar = colour_bar("weight (mV)", len=0.9)
    data.append(
        {
            "type": "heatmap",
            "z": z_mv,
            **_places(names, z_mv.shape[0], block),
            "colorscale": [list(stop) for stop in SIGNED_SCALE],
            "zmin": -limit_mv,
            "zmax": limit_mv,
            "colorbar": bar,
            "hoverongaps": False,
            "hovertemplate": "%{y} → %{x}: %{z:.3g} mV<extra></extra>",
        }
    )
    kind = {"type": "category"} if names is not None else {}
    layout = themed(
        {
            "xaxis": axis("postsynaptic neuron", showgrid=False, constrain="domain", **kind),
            "yaxis": axis(
                "presynaptic neuron", showgrid=False, autorange="reversed", scaleanchor="x", constrain="domain", **kind
            ),
        }
    )
    return Figure(
        plot={"data": data, "layout": layout}, caption=_caption(m, undecidable, z_mv, limit_mv), height_px=640
    )


def _caption(m: SynapseMap, undecidable: ndarray, z_mv: ndarray, limit_mv: float) -> str:
    block = -(-m.n_neurons // _MAX_SIDE)
    parts = [
        f"{counted(m.n_synapses, 'synapse')} of {counted(m.n_neurons, 'neuron')}: "
        "orange excites, blue inhibits, empty is no synapse."
    ]
    if block > 1:
        parts.append(f"Each cell is {block} by {block} pairs and shows the strongest synapse among them.")
    if np.nanmax(np.abs(z_mv), initial=0.0) > limit_mv:
        parts.append(f"The colour stops at {limit_mv:.3g} mV (98 % of the synapses); stronger ones look like it.")
    if undecidable.any() and m.evidence is not None:
        codes = m.evidence.undecidable[undecidable]
        reasons = [f"{np.sum(codes == u)} {_reason(u)}" for u in Undecidable if np.any(codes == u)]
        parts.append("Grey pairs are undecidable from these data: " + ", ".join(reasons) + ".")
    grey = ", and for grey where you expect a synapse" if undecidable.any() else ""
    parts.append(f"Look for rows of one colour (Dale's rule){grey}.")
    return " ".join(parts)


def _reason(code: Undecidable) -> str:
    return code.name.lower().replace("_", " ")


def _undecidable(m: SynapseMap) -> ndarray:
    if m.evidence is None:
        return np.zeros((m.n_neurons, m.n_neurons), dtype=bool)
    return (m.evidence.undecidable != Undecidable.DECIDED) & ~np.eye(m.n_neurons, dtype=bool)


def _strongest_mv(m: SynapseMap, block: int) -> ndarray:
    """Return for each block of pairs the weight that is largest in size, NaN where there is none."""
    side = -(-m.n_neurons // block)
    z_mv = np.full((side, side), np.nan, dtype=np.float32)
    order = np.argsort(np.abs(m.weight_v), kind="stable")
    z_mv[m.pre[order] // block, m.post[order] // block] = m.weight_v[order] / MV  # the last one written stays
    return z_mv


def _limit_mv(z_mv: ndarray) -> float:
    size = np.abs(z_mv[np.isfinite(z_mv)])
    return float(np.quantile(size, 0.98)) or 1.0 if size.size else 1.0


def _places(names: list[str] | None, side: int, block: int) -> dict[str, Any]:
    where = names if names is not None else np.arange(side, dtype=np.int32) * block + block // 2
    return {"x": where, "y": where}


def _grey(undecidable: ndarray, m: SynapseMap, block: int, names: list[str] | None) -> dict[str, Any]:
    side = -(-m.n_neurons // block)
    share = np.zeros((side * block, side * block), dtype=np.float32)
    share[: m.n_neurons, : m.n_neurons] = undecidable
    share = share.reshape(side, block, side, block).mean(axis=(1, 3))
    z = np.where(share > 0, share, np.nan).astype(np.float32)
    text: list[list[str]] | None = None
    if m.n_neurons <= _MAX_REASONS and m.evidence is not None:
        text = [[_reason(Undecidable(int(code))) for code in row] for row in m.evidence.undecidable]
    why = "%{text}" if text is not None else "undecidable"
    return {
        "type": "heatmap",
        "z": z,
        **_places(names, side, block),
        **({"text": text} if text is not None else {}),
        "colorscale": [[0, "rgba(140,140,140,0.15)"], [1, "rgba(140,140,140,0.55)"]],
        "zmin": 0,
        "zmax": 1,
        "showscale": False,
        "hoverongaps": False,
        "hovertemplate": f"%{{y}} → %{{x}}: {why}<extra></extra>",
    }
