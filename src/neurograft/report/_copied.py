"""What a copy of membrane potentials rests on: its nulls in this very recording, flags, rejected pairs, vesicles."""

from typing import Any, Final

import numpy as np

from neurograft.copying import IntracellularCopy
from neurograft.maps import SynapseMap, assumed_action_potential_v
from neurograft.report._blocks import Block, Cell, Figure, KeyNumber, KeyNumbers, Level, Note, Section, Table
from neurograft.report._chapters import map_chapter
from neurograft.report._theme import BLUE, GREY, VERMILLION, axis, panel_title, themed
from neurograft.units import MS, MV

_COLUMNS: Final = 3
_MOST_ROWS: Final = 40
_NOTHING: Final = "nothing to test"

_MEANING: Final = (
    "Who answers whose action potentials. Weights are converted to rest: vesicles that were spent are added back, and "
    "inhibition is taken to a membrane 15 mV under threshold, which is assumed. The mean potential in this recording "
    "is beside it, and assumes nothing."
)


def copied_chapters(title: str, copied: IntracellularCopy) -> list[Section]:
    """Return the map, then the evidence for its error rate in this recording."""
    text = (
        "Four controls that need no truth. Shifted: the same spikes against the same traces, turned by over a second; "
        "there can be no synapse. Acausal: the milliseconds before a spike. Decoys: pairs of the shifted design judged "
        "like true ones. Without bursts: the fit again, without any row of a network burst."
    )
    evidence: list[Block] = [
        *(Note(text=f"{flag[0].upper()}{flag[1:]}", level=Level.WARNING) for flag in copied.flags),
        KeyNumbers(numbers=_numbers(copied)),
        calibration_figure(copied),
        decoy_table(copied),
        *_rejected(copied),
        *_channels(copied),
    ]
    more = [properties_table(copied), histogram_figure(copied)]
    return [
        map_chapter(title, copied.map, text=_meaning(copied.map), more=more),
        Section(title="Evidence for the error rate in this recording", text=text, blocks=evidence),
    ]


def _meaning(m: SynapseMap) -> str:
    """Return what weights mean, and what they rest on where pads do not tell."""
    pad_v = assumed_action_potential_v(m)
    if pad_v is None:
        return _MEANING
    return (
        f"{_MEANING} Pads do not tell how many millivolts a volt of theirs is worth: the peak of every neuron's action "
        f"potentials is assumed to lie {pad_v / MV:g} mV over its mean membrane potential. Of a neuron where it lies "
        "elsewhere all inputs are too large or too small by that ratio; 15 % for it are in the standard errors. Where "
        "it is known, copy with --action-potential-mv."
    )


def _numbers(copied: IntracellularCopy) -> list[KeyNumber]:
    null = copied.null
    if null.n_quiet:
        stands = f"{null.n_stand} of {null.n_quiet} that could be judged there"
    elif copied.map.n_synapses == 0:
        stands = _NOTHING
    else:
        stands = "none could be judged there" if "quiet_v" in copied.map.extra else "not made; copy with --report"
    return [
        _card(
            "calls in shifted designs over true calls",
            null.decoy_share,
            f"{null.decoy_share:.1%}",
            remark="chance's part of the false-discovery rate",
            level=Level.WARNING if null.decoy_share > 0.05 else Level.GOOD,
        ),
        _card(
            "z of shifted designs, standard deviation",
            null.shift_sd,
            f"{null.shift_sd:.3f}",
            remark=f"1 when errors are right; beyond 3: {null.shift_tail:.2%} (normal 0.27 %)",
        ),
        _card(
            "z before the spike, standard deviation",
            null.acausal_sd,
            f"{null.acausal_sd:.3f}",
            remark=f"mean {null.acausal_mean:+.3f}; above 0 tells of common drive",
        ),
        KeyNumber(label="calls that stand without bursts", value=stands),
    ]


def _card(label: str, value: float, shown: str, *, remark: str, level: Level = Level.INFO) -> KeyNumber:
    """Return a card; one without a number says so, and is neither good nor bad."""
    if np.isnan(value):
        return KeyNumber(label=label, value=_NOTHING)
    return KeyNumber(label=label, value=shown, remark=remark, level=level)


def calibration_figure(copied: IntracellularCopy) -> Figure | Note:
    """Return how often nulls fall below each nominal p: on the line where standard errors are right."""
    table = copied.null.calibration
    if table.size == 0:
        return Note(text="No pair could be tested, so there is no calibration to show.")
    data: list[dict[str, Any]] = [
        {
            "type": "scatter", "mode": "lines", "x": table[:, 0], "y": table[:, 0], "name": "as it should be",
            "line": {"color": GREY, "dash": "dash"}, "hoverinfo": "skip",
        },
        *(
            {
                "type": "scatter", "mode": "lines+markers", "x": table[:, 0], "y": np.maximum(table[:, k], 1e-6),
                "name": name, "line": {"color": colour},
            }
            for k, name, colour in ((1, "shifted", BLUE), (2, "before the spike", VERMILLION))
        ),
    ]  # fmt: skip
    layout = themed({"xaxis": axis("nominal p", type="log"), "yaxis": axis("share below it", type="log")})
    caption = (
        "Where no synapse can be, a share p of tests falls below p. Look for curves above the line: there the standard "
        "errors are too small (shifted) or neurons share a drive (before the spike)."
    )
    return Figure(plot={"data": data, "layout": layout}, caption=caption)


def decoy_table(copied: IntracellularCopy) -> Table:
    """Return pairs and decoys up to each local false-discovery rate."""
    rows: list[list[Cell]] = [
        [float(level), int(target), float(decoy), float(decoy / target) if target else None]
        for level, target, decoy in copied.null.decoys
    ]
    return Table(
        columns=["local false-discovery rate up to", "pairs", "decoys (mean of a shifted design)", "decoys over pairs"],
        rows=rows,
        caption="Targets and decoys. The last column is what chance alone puts into a list that ends there.",
    )


def properties_table(copied: IntracellularCopy) -> Table:
    """Return the surest synapses with what their single potentials tell."""
    found, m = copied.properties, copied.map
    size = np.abs(found.shape.amplitude_v) / found.shape.amplitude_sd_v
    rows: list[list[Cell]] = []
    for k in np.argsort(-size, kind="stable")[:_MOST_ROWS]:
        pre, post = found.pairs[k]
        failure = float(found.vesicles.failure[k])
        rows.append(
            [
                f"{m.labels[pre]} → {m.labels[post]}",
                f"{found.rest_v[k] / MV:+.2f} ± {1.96 * found.rest_se_v[k] / MV:.2f}",
                f"{found.shape.amplitude_v[k] / MV:+.2f} ± {1.96 * found.shape.amplitude_sd_v[k] / MV:.2f}",
                f"{found.shape.latency_s[k] / MS:.2f} ± {1.96 * found.shape.latency_sd_s[k] / MS:.2f}",
                f"{found.shape.rise_s[k] / MS:.1f} / {found.shape.decay_s[k] / MS:.0f}",
                f"{found.plasticity.paired[k, 1]:.2f} ± {1.96 * found.plasticity.paired_sd[k, 1]:.2f}",
                "not decidable" if np.isnan(failure) else f"{failure:.2f}",
            ]
        )
    return Table(
        columns=["pair", "at rest (mV)", "mean here (mV)", "latency (ms)", "rise / decay (ms)",
                 "second over first after 50 ms", "failures"],
        rows=rows,
        caption="The surest synapses, with 95 % intervals. Rise is from 10 to 90 % of the peak, decay from it to 37 %.",
    )  # fmt: skip


def histogram_figure(copied: IntracellularCopy) -> Figure | Note:
    """Return single potentials of the synapses whose vesicles stand out of the noise."""
    drawn = copied.properties.histograms
    if not drawn:
        return Note(text="At no synapse does one vesicle stand out of the membrane's noise: no quantal histogram.")
    data: list[dict[str, Any]] = []
    layout: dict[str, Any] = {"annotations": [], "showlegend": False, "margin": {"t": 60}}
    n_rows = -(-len(drawn) // _COLUMNS)
    for k, (place, seen) in enumerate(drawn):
        suffix = "" if k == 0 else str(k + 1)
        row, column = divmod(k, _COLUMNS)
        x_span = [column * 0.345, column * 0.345 + 0.27]
        top = 1 - row / n_rows
        y_span = [top - 0.62 / n_rows, top]
        middle_mv = 0.5 * (seen.edge_v[1:] + seen.edge_v[:-1]) / MV
        axes = {"type": "scatter", "mode": "lines", "x": middle_mv, "xaxis": f"x{suffix}", "yaxis": f"y{suffix}"}
        noise = np.exp(-0.5 * (middle_mv * MV / seen.noise_v) ** 2)
        data += [
            {**axes, "y": seen.n_each, "line": {"color": BLUE, "shape": "hvh"}, "fill": "tozeroy"},
            {**axes, "y": noise * seen.n_each.max(), "line": {"color": GREY, "dash": "dot"}},
        ]
        layout[f"xaxis{suffix}"] = axis("mV", domain=x_span, anchor=f"y{suffix}")
        layout[f"yaxis{suffix}"] = axis("spikes" if column == 0 else "", domain=y_span, anchor=f"x{suffix}", nticks=4)
        pre, post = copied.properties.pairs[place]
        name = f"{copied.map.labels[pre]} → {copied.map.labels[post]}"
        layout["annotations"].append(panel_title(name, x=x_span[0], y=y_span[1] + 0.004))
    caption = (
        "Single potentials, one count a presynaptic spike. The dotted line is the membrane's noise alone: what lies "
        "inside of it may be failures; look for further humps at equal distances, one a vesicle more."
    )
    return Figure(plot={"data": data, "layout": themed(layout)}, caption=caption, height_px=120 + 200 * n_rows)


def _rejected(copied: IntracellularCopy) -> list[Block]:
    if not copied.rejected:
        return []
    rows: list[list[Cell]] = [[f"{r.pre} → {r.post}", r.why] for r in copied.rejected[:_MOST_ROWS]]
    told = f"{len(rows)} of {len(copied.rejected)} pairs" if len(copied.rejected) > len(rows) else "Pairs"
    return [Table(columns=["pair", "why"], rows=rows, caption=f"{told} that answer, and not as a synapse does.")]


def _channels(copied: IntracellularCopy) -> list[Block]:
    flagged = [c for c in copied.channels if c.flags]
    if not flagged:
        return [Note(text="No channel was flagged.", level=Level.GOOD)]
    rows: list[list[Cell]] = [[c.label, c.n_spikes, "; ".join(c.flags)] for c in flagged[: 5 * _MOST_ROWS]]
    return [
        Table(
            columns=["channel", "spikes", "what is wrong with it"],
            rows=rows,
            caption=f"{len(flagged)} of {len(copied.channels)} channels are flagged.",
        )
    ]
