"""The suite's table in Markdown, and its place between two markers of a page."""

import math
import os
import platform
from collections import Counter
from collections.abc import Sequence
from datetime import date
from importlib import metadata
from pathlib import Path

import numpy as np
from suite_rows import Row, Tool

from neurograft.comparing import Share, share

BEGIN, END = "<!-- suite: begin -->", "<!-- suite: end -->"
NOTHING = "-"
MODES = {
    "array": "Array: potentials seen through flawed pads",
    "membrane": "Membrane: true potentials, as by patch electrodes",
    "spikes": "Spikes: sorted units, with a sorter's errors",
}
PEERS = {"SpikeInterface correlogram": "SI", "elephant TSPE": "TSPE", "triggered average": "STA"}


def markdown(rows: Sequence[Row], *, split: str, load: float, more: str = "") -> str:
    """Return all tables with date and machine."""
    parts = [
        f"{date.today():%-d %B %Y}, {split} cultures. {machine()}. Load when it ended: {load:.1f} "
        f"({'others were working: take the ratios, not the seconds' if load > 1.5 else 'quiet'}).{more}"
    ]
    for mode, title in MODES.items():
        mine = [row for row in rows if row.mode == mode]
        if mine:
            parts += [f"### {title}", _ranking_table(mine), _list_table(mine), _summary(mine)]
    return "\n\n".join(parts)


def machine() -> str:
    """Return processor, cores and versions."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    packages = ("neurograft", "numpy", "numba", "spikeinterface", "elephant")
    versions = ", ".join(f"{name} {_version(name)}" for name in packages)
    return f"{model}, {os.cpu_count()} cores, one thread used; Python {platform.python_version()}, {versions}"


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "(in place)"


def _ranking_table(rows: Sequence[Row]) -> str:
    peers = [name for name in PEERS if any(name in row.tools for row in rows)]
    head = ["culture", "seed", "hidden", "neurons", "Hz found (true)", "true pairs", "neurograft", "decided only"]
    head += [PEERS[name] for name in peers]
    head += ["CPU s"] + [f"{PEERS[name]} CPU s (ours / theirs)" for name in peers]
    lines = []
    for row in rows:
        if row.error:
            lines.append([row.name, row.seed, f"{row.hidden_fraction:.0%}", f"refused: {row.error}"])
            continue
        ours = row.tools["neurograft"]
        cells = [row.name, row.seed, f"{row.hidden_fraction:.0%}", _neurons(row), _rates(row), row.n_true]
        cells += [_worth(ours), _worth(row.decided), *(_worth(row.tools[name]) for name in peers)]
        cells += [_digits(ours.cpu_s)]
        cells += [f"{_digits(row.tools[name].cpu_s)} ({_digits(ours.cpu_s / row.tools[name].cpu_s)})" for name in peers]
        lines.append(cells)
    return "AUC / average precision over all ordered pairs, and CPU seconds:\n\n" + _table(head, lines)


def _list_table(rows: Sequence[Row]) -> str:
    head = ["culture", "seed", "calls", "realised FDR", "recall", "recall, decided", "undecided"]
    head += ["wrong sign", "delay error, median", "strength slope"]
    lines = [
        [
            row.name,
            row.seed,
            row.realised_fdr.of,
            _share(row.realised_fdr),
            _share(row.recall),
            _share(row.recall_decided),
            f"{row.n_undecidable / (row.n_neurons * (row.n_neurons - 1)):.0%}",
            _share(row.sign_error),
            f"{1e3 * row.delay_median_abs_s:.2f} ms" if math.isfinite(row.delay_median_abs_s) else NOTHING,
            f"{row.strength_slope:.2f}" if math.isfinite(row.strength_slope) else NOTHING,
        ]
        for row in rows
        if not row.error
    ]
    return "neurograft's list of synapses at a nominal 5 % (Wilson 95 % intervals):\n\n" + _table(head, lines)


def _summary(rows: Sequence[Row]) -> str:
    used = [row for row in rows if not row.error]
    if not used:
        return "No culture gave a map."
    tools = list(dict.fromkeys(name for row in used for name in row.tools))
    means = "; ".join(
        f"{name} {np.nanmean([r.tools[name].auc for r in used]):.3f} / "
        f"{np.nanmean([r.tools[name].average_precision for r in used]):.3f}"
        for name in tools
    )
    directions = Counter(row.orientation for row in used if row.orientation)
    told = ", ".join(f"{name.lower()} in {n}" for name, n in sorted(directions.items()))
    false = pooled([row.realised_fdr for row in used])
    found = pooled([row.recall for row in used])
    refused = len(rows) - len(used)
    aside = f" ({refused} that were refused are left out everywhere here)" if refused else ""
    return (
        f"Means of AUC / average precision over {len(used)} cultures{aside}: {means}. "
        f"All calls together: realised FDR {_share(false)} of {false.of}, recall {_share(found)}."
        + (f" Orientation of our maps: {told}." if told else "")
    )


def pooled(parts: Sequence[Share]) -> Share:
    """Return the share over all parts together."""
    return share(sum(part.count for part in parts), sum(part.of for part in parts))


def _digits(value: float) -> str:
    """Return two digits, or all of a larger number."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def _neurons(row: Row) -> str:
    """Return how many neurons the map has, with those that are none."""
    odd = [f"{n} {what}" for n, what in ((row.n_strangers, "none"), (row.n_twice, "twice")) if n]
    return f"{row.n_neurons} ({', '.join(odd)})" if odd else str(row.n_neurons)


def _rates(row: Row) -> str:
    return f"{_digits(row.rate_hz)} ({_digits(row.true_rate_hz)})"


def _worth(tool: Tool) -> str:
    return NOTHING if math.isnan(tool.auc) else f"{_short(tool.auc)} / {_short(tool.average_precision)}"


def _short(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


def _share(part: Share) -> str:
    return NOTHING if part.of == 0 else f"{_short(part.value)} ({_short(part.low)}-{_short(part.high)})"


def _table(head: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    filled = [[*row, *[""] * (len(head) - len(row))] for row in rows]
    body = [f"| {' | '.join(map(str, row))} |" for row in (head, ["---"] * len(head), *filled)]
    return "\n".join(body)


def require_markers(path: Path) -> str:
    """Return the page; one without the two markers is refused, before hours of work."""
    page = path.read_text(encoding="utf-8")
    if page.count(BEGIN) != 1 or page.count(END) != 1 or page.index(BEGIN) > page.index(END):
        raise ValueError(f"{path} must have {BEGIN} and then {END}, once each.")
    return page


def put_between_markers(path: Path, text: str) -> None:
    """Replace what stands between the page's markers."""
    page = require_markers(path)
    head, tail = page.split(BEGIN)[0], page.split(END)[1]
    path.write_text(f"{head}{BEGIN}\n\n{text}\n\n{END}{tail}", encoding="utf-8")
