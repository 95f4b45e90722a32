"""A copied map against the truth: how right it is, for whom, and whether its claimed error rate holds."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy import ndarray

from neurograft.comparing import Direction, Score, Share, Slice
from neurograft.report._blocks import Block, Cell, Figure, KeyNumber, KeyNumbers, Level, Note, Section, Table
from neurograft.report._theme import BLUE, GREEN, GREY, VERMILLION, axis, themed
from neurograft.units import MS, MV

_MOST_POINTS: Final = 5000
_PSP: Final = "|PSP|"


def score_chapter(title: str, score: Score, *, text: str = "") -> Section:
    """Return everything that a score tells, the loudest first: a swapped map, a claim that does not hold."""
    blocks: list[Block] = [
        *_alarms(score),
        KeyNumbers(numbers=_key_numbers(score)),
        _rankings(score),
        reliability_figure(score),
        *(slice_figure(name, parts) for name, parts in score.slices.items()),
        found_figure(score),
        _kinds(score),
        _signs(score),
        _alarm_table(score),
        *(_slice_table(name, parts) for name, parts in score.slices.items()),
    ]
    return Section(title=title, text=text, blocks=blocks)


def _alarms(score: Score) -> list[Note]:
    notes: list[Note] = []
    if score.is_swapped:
        o = score.orientation
        text = (
            f"PRE AND POST ARE SWAPPED: of {o.n_forward + o.n_backward} pairs that are connected one way only, "
            f"{o.n_backward} have the larger score backward (p {o.p:.2g}). Exchange pre and post in the map; "
            "every figure below is about the map as it is."
        )
        notes.append(Note(text=text, level=Level.WARNING))
    if score.claim_holds is False:
        notes.append(
            Note(
                text=f"The claimed error rate does not hold: up to {score.claimed_fdr:.3g} was claimed, and "
                f"{_told(score.realised_fdr)} of the calls are false.",
                level=Level.WARNING,
            )
        )
    return notes


def _key_numbers(score: Score) -> list[KeyNumber]:
    whole, o = score.rankings["all pairs"], score.orientation
    holds = {None: Level.INFO, True: Level.GOOD, False: Level.WARNING}[score.claim_holds]
    direction = {Direction.RIGHT: Level.GOOD, Direction.SWAPPED: Level.WARNING, Direction.UNCLEAR: Level.INFO}[o.found]
    return [
        KeyNumber(
            label="area under the ROC curve", value=f"{whole.auc:.3f}", remark=f"{whole.n_pairs:,} ordered pairs"
        ),
        KeyNumber(
            label="average precision",
            value=f"{whole.average_precision:.3f}",
            remark=f"{whole.n_true / max(whole.n_pairs, 1):.3f} by chance",
        ),
        KeyNumber(
            label="false among the calls",
            value=_percent(score.realised_fdr),
            remark=f"{_interval(score.realised_fdr)}; claimed {score.claimed_fdr:.3g}",
            level=holds,
        ),
        KeyNumber(label="true synapses found", value=_percent(score.recall), remark=_interval(score.recall)),
        KeyNumber(
            label="wrong sign among the found",
            value=_percent(score.sign_error),
            remark=f"{score.sign_error.count} of {score.sign_error.of}",
        ),
        KeyNumber(
            label="orientation",
            value={Direction.RIGHT: "right", Direction.SWAPPED: "SWAPPED", Direction.UNCLEAR: "unclear"}[o.found],
            remark=f"{o.n_forward} pairs forward, {o.n_backward} backward",
            level=direction,
        ),
    ]


def _rankings(score: Score) -> Table:
    rows: list[list[Cell]] = [
        [name, r.auc, r.average_precision, r.n_true, r.n_pairs] for name, r in score.rankings.items()
    ]
    strangers = f", {score.n_unknown} of them not in the truth" if score.n_unknown else ""
    return Table(
        columns=["pairs", "AUC", "average precision", "connected", "pairs in all"],
        rows=rows,
        caption=f"How well {score.ranked_by} ranks connected pairs above others: {score.n_neurons} neurons{strangers}; "
        f"{score.hidden_fraction:.0%} of the truth's neurons are hidden. {score.n_undecidable} pairs are undecidable, "
        f"{score.n_true_undecidable} of them connected. Each sign counts the other as wrong.",
    )


def reliability_figure(score: Score) -> Figure | Note:
    """Return the share of calls that is false against the q-value up to which calls are taken."""
    # Levels above every q of the map add no call: they would repeat the last dot.
    known = [r for r in score.reliability if r.realised_fdr.of]
    used = [r for k, r in enumerate(known) if k == 0 or r.realised_fdr.of > known[k - 1].realised_fdr.of]
    if not used:
        return Note(text="The map has no q-values, so there is no reliability diagram.")
    level = np.array([r.q_level for r in used])
    # On a logarithmic axis the identity is a curve: two ends would be joined by a straight line.
    claimed = np.geomspace(level[0] / 2, level[-1] * 2, 200)
    claim = {
        "type": "scatter",
        "mode": "lines",
        "x": claimed,
        "y": claimed,
        "name": "as claimed",
        "line": {"color": GREY, "dash": "dash"},
        "hoverinfo": "skip",
    }
    dots = _with_bars(level, [r.realised_fdr for r in used], "calls up to this q", VERMILLION)
    layout = themed(
        {
            "xaxis": axis(
                "q-value up to which calls are taken",
                type="log",
                tickvals=level.tolist(),
                ticktext=[f"{value:g}" for value in level],
            ),
            "yaxis": axis("share of them that is false", rangemode="tozero"),
        }
    )
    caption = (
        "Reliability of the q-values. Dots with Wilson 95 % intervals; on or under the dashed line the claim holds. "
        "Look for an interval wholly above the line: there the map promises more than it keeps."
    )
    return Figure(plot={"data": [claim, dots], "layout": layout}, caption=caption)


def slice_figure(name: str, parts: Sequence[Slice]) -> Figure | Note:
    """Return recall, false calls and AUC of the parts of one property."""
    used = _used(parts)
    if not used:
        return Note(text=f"There is no synapse and no call to show by {name}.")
    names = [_borders(name, part) for part in used]
    place = np.arange(len(used), dtype=np.float64)
    auc = np.array([part.ranking.auc for part in used])
    data = [
        _with_bars(place - 0.08, [part.recall for part in used], "recall", BLUE),
        _with_bars(place + 0.08, [part.realised_fdr for part in used], "false among calls", VERMILLION),
        {**_dots(place, auc, "AUC"), "marker": {"symbol": "diamond-open", "size": 10, "color": GREEN}},
    ]
    layout = themed(
        {
            "xaxis": axis(_plain(name), tickvals=place.tolist(), ticktext=names, range=[-0.5, len(used) - 0.5]),
            "yaxis": axis("share, or AUC", range=[-0.03, 1.05]),
        }
    )
    caption = (
        f"By {name}: share of true synapses found, share of calls that is false, both with Wilson 95 % intervals, and "
        "the area under the ROC curve. Look for where recall starts, and whether false calls gather there."
    )
    return Figure(plot={"data": data, "layout": layout}, caption=caption)


def found_figure(score: Score) -> Figure | Note:
    """Return called against true strength and delay of the synapses that were found."""
    f, w, d = score.found, score.strength, score.delay
    if f.true_v.size == 0:
        return Note(text="No true synapse was found, so strengths and delays cannot be compared.", level=Level.WARNING)
    some = np.linspace(0, f.true_v.size - 1, min(f.true_v.size, _MOST_POINTS)).astype(np.int64)
    data: list[dict[str, Any]] = []
    for suffix, true, called in (
        ("", f.true_v / MV, f.called_v / MV),
        ("2", f.true_delay_s / MS, f.called_delay_s / MS),
    ):
        ends = [float(min(true.min(), called.min(), 0.0)), float(max(true.max(), called.max()))]
        axes = {"type": "scatter", "xaxis": f"x{suffix}", "yaxis": f"y{suffix}"}
        line = {"color": GREY, "dash": "dash"}
        data.append({**axes, "mode": "lines", "x": ends, "y": ends, "line": line, "hoverinfo": "skip"})
        marker = {"size": 5, "color": BLUE, "opacity": 0.6}
        hover = "true %{x:.3g}, called %{y:.3g}<extra></extra>"
        data.append(
            {**axes, "mode": "markers", "x": true[some], "y": called[some], "marker": marker, "hovertemplate": hover}
        )
    layout = themed(
        {
            "xaxis": axis("true weight (mV)", domain=[0, 0.45]),
            "yaxis": axis("called weight (mV)"),
            "xaxis2": axis("true delay (ms)", domain=[0.57, 1], anchor="y2"),
            "yaxis2": axis("called delay (ms)", anchor="x2"),
            "showlegend": False,
        }
    )
    caption = (
        f"{f.true_v.size} synapses found, on the dashed line when right. Strength: r {w.pearson:.3f}, slope "
        f"{w.slope:.2f}, median ratio {w.median_ratio:.2f}; {_told(w.coverage)} lie within their stated interval "
        f"(0.95 is right). Delay, electrical ones aside: bias {d.bias_s / MS:.2f} ms, median error "
        f"{d.median_abs_s / MS:.2f} ms, 90 % within {d.p90_abs_s / MS:.2f} ms. Weak synapses are found when noise "
        "lifts them, so small ones come out too strong."
    )
    return Figure(plot={"data": data, "layout": layout}, caption=caption)


def _kinds(score: Score) -> Table:
    counts = score.kind_confusion
    columns = [k for k in range(len(counts)) if counts[:, k].any() or counts[k].any()]
    rows: list[list[Cell]] = [
        [_kind(score.kind_names[i], "nothing"), *(int(counts[i, k]) for k in columns)] for i in columns
    ]
    return Table(
        columns=["truly", *(_kind(score.kind_names[k], "missed") for k in columns)],
        rows=rows,
        caption="Kinds: rows are what a pair is, columns what it was called. The last row are false calls. Of the "
        f"found, {_told(score.kind_error)} have the wrong kind.",
    )


def _kind(name: str, none: str) -> str:
    return none if name == "NO_SYNAPSE" else name.lower().replace("_", " ")


def _signs(score: Score) -> Table:
    (ee, ei), (ie, ii) = score.sign_confusion.tolist()
    return Table(
        columns=["truly", "called excitatory", "called inhibitory"],
        rows=[["excitatory", ee, ei], ["inhibitory", ie, ii]],
        caption="Signs of the synapses that were found.",
    )


def _alarm_table(score: Score) -> Table:
    w = score.wrong_way
    rows: list[list[Cell]] = [
        [
            "pairs connected the other way only (acausal)",
            w.reverse_only.count,
            w.reverse_only.of,
            _told(w.reverse_only),
        ],
        ["pairs connected in neither direction", w.neither.count, w.neither.of, _told(w.neither)],
    ]
    for name, a in score.false_alarms.items():
        rows.append([f"{name} data", a.calls_a_pair.count, a.calls_a_pair.of, _told(a.calls_a_pair)])
    decoys = "; ".join(f"{name} {a.calls_over_real:.3g}" for name, a in score.false_alarms.items())
    told = f" False-discovery rate that decoys predict: {decoys}." if decoys else " No decoys were copied."
    return Table(
        columns=["where there is no synapse", "calls", "pairs", "share"],
        rows=rows,
        caption="False alarms. More of them the other way round than in neither direction means that the time before a "
        f"spike is taken for the time after it.{told} Decoys show chance only, not common drive or paths.",
    )


def _slice_table(name: str, parts: Sequence[Slice]) -> Table:
    rows: list[list[Cell]] = [
        [
            _borders(name, part),
            part.ranking.n_true,
            part.ranking.auc,
            part.ranking.average_precision,
            _told(part.recall),
            _told(part.realised_fdr),
            f"{part.sign_error.count} / {part.kind_error.count} of {part.sign_error.of}",
            part.delay.bias_s / MS,
            part.delay.median_abs_s / MS,
            part.strength.pearson,
            part.strength.slope,
        ]
        for part in _used(parts)
    ]
    columns = [_plain(name), "connected", "AUC", "average precision", "recall", "false among calls"]
    columns += ["wrong sign / kind", "delay bias (ms)", "delay error (ms)", "strength r", "slope"]
    return Table(columns=columns, rows=rows, caption=f"All figures by {name}.")


def _used(parts: Sequence[Slice]) -> list[Slice]:
    return [part for part in parts if part.ranking.n_true or part.realised_fdr.of]


def _plain(name: str) -> str:
    return "|PSP| (mV)" if name.startswith(_PSP) else name


def _borders(name: str, part: Slice) -> str:
    unit = MV if name.startswith(_PSP) else 1.0
    return (
        f"{part.low / unit:.4g} and more" if np.isinf(part.high) else f"{part.low / unit:.4g} to {part.high / unit:.4g}"
    )


def _with_bars(x: ndarray, shares: Sequence[Share], name: str, colour: str) -> dict[str, Any]:
    value, low, high = (np.array([getattr(part, key) for part in shares]) for key in ("value", "low", "high"))
    bars = {"type": "data", "symmetric": False, "array": high - value, "arrayminus": value - low, "thickness": 1.5}
    told = [_told(part) for part in shares]
    return {
        **_dots(x, value, name),
        "error_y": bars,
        "marker": {"size": 9, "color": colour},
        "text": told,
        "hovertemplate": f"{name}: %{{text}}<extra></extra>",
    }


def _dots(x: ndarray, y: ndarray, name: str) -> dict[str, Any]:
    hover = f"{name}: %{{y:.3f}}<extra></extra>"
    return {"type": "scatter", "mode": "markers", "x": x, "y": y, "name": name, "hovertemplate": hover}


def _percent(part: Share) -> str:
    return f"{part.value:.1%}" if part.of else "none"


def _interval(part: Share) -> str:
    return f"{part.low:.1%} to {part.high:.1%} ({part.count} of {part.of})" if part.of else "0 of 0"


def _told(part: Share) -> str:
    return f"{part.value:.3f} [{part.low:.3f}, {part.high:.3f}]" if part.of else "none"
