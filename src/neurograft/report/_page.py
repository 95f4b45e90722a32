"""A report as one HTML file that asks nothing of any other host."""

from collections.abc import Sequence
from html import escape
from importlib import resources
from pathlib import Path
from typing import Final

from neurograft.files import written_whole
from neurograft.provenance import Provenance
from neurograft.report._blocks import Block, Cell, Figure, KeyNumber, KeyNumbers, Level, Note, Report, Section, Table
from neurograft.report._json import figure_json
from neurograft.version import VERSION

# The page may load nothing: the browser itself refuses.  WebGL plots compile their drawing functions (eval).
_POLICY: Final = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' blob:; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; worker-src blob:"
)
_MARKS: Final = {Level.INFO: "i", Level.GOOD: "✓", Level.WARNING: "!"}


def write_report(report: Report, path: Path | str) -> None:
    """Write a report as one self-contained HTML file, whole or not at all; equal reports give equal bytes."""
    text = report_html(report)
    with written_whole(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def report_html(report: Report) -> str:
    """Return the page; plotly.js is in it once, and not at all in a report without a figure."""
    from plotly.offline import get_plotlyjs

    has_figure = any(isinstance(block, Figure) for section in report.sections for block in section.blocks)
    library = f"<script>{get_plotlyjs()}</script>\n<script>{_asset('page.js')}</script>" if has_figure else ""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="neurograft {VERSION}">
<title>{escape(report.title)}</title>
<style>{_asset("style.css")}</style>
</head>
<body>
{_contents(report)}
<main>
<header>
<h1>{escape(report.title)}</h1>
{_paragraphs(report.intro)}
{_cards(report.key_numbers)}
</header>
<noscript><p class="note warning">The plots need JavaScript; tables and text do not.</p></noscript>
{"".join(_section(i, section) for i, section in enumerate(report.sections))}
{_footer(report.provenance)}
</main>
{library}
</body>
</html>
"""


def _asset(name: str) -> str:
    return resources.files("neurograft.report").joinpath(name).read_text(encoding="utf-8")


def _contents(report: Report) -> str:
    links = "".join(f'<li><a href="#s{i}">{escape(s.title)}</a></li>' for i, s in enumerate(report.sections))
    button = '<button type="button" id="paper" hidden>light / dark</button>'
    return f'<nav aria-label="Contents"><p class="brand">neurograft</p><ol>{links}</ol>{button}</nav>'


def _section(index: int, section: Section) -> str:
    blocks = "".join(_block(block) for block in section.blocks)
    empty = "" if section.blocks or section.text else _block(Note(text="There is nothing to show here."))
    title = f'<h2><a href="#s{index}">{escape(section.title)}</a></h2>'
    return f'<section id="s{index}">{title}{_paragraphs(section.text)}{blocks}{empty}</section>\n'


def _block(block: Block) -> str:
    if isinstance(block, Figure):
        return _figure(block)
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, KeyNumbers):
        return _cards(block.numbers)
    mark = f'<span class="mark" aria-hidden="true">{_MARKS[block.level]}</span>'
    return f'<div class="note {block.level.value}">{mark}<div>{_paragraphs(block.text)}</div></div>'


def _figure(figure: Figure) -> str:
    label = escape(figure.caption.split(". ")[0], quote=True)
    return (
        f'<figure><div class="plot" role="img" aria-label="{label}" style="height:{figure.height_px}px"></div>'
        f'<script type="application/json">{figure_json(figure.plot)}</script>'
        f"<figcaption>{escape(figure.caption)}</figcaption></figure>"
    )


def _table(table: Table) -> str:
    if not table.rows:
        return _block(Note(text=f"{table.caption} There are no rows."))
    classes = [' class="number"' if _is_numeric(column) else "" for column in zip(*table.rows, strict=True)]
    heads = zip(table.columns, classes, strict=True)
    head = "".join(f'<th scope="col"{kind}>{escape(column)}</th>' for column, kind in heads)
    body = "".join(
        f"<tr>{''.join(_cell(cell, kind) for cell, kind in zip(row, classes, strict=True))}</tr>" for row in table.rows
    )
    return (
        f'<figure class="table"><div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
        f"</div><figcaption>{escape(table.caption)}</figcaption></figure>"
    )


def _is_numeric(column: Sequence[Cell]) -> bool:
    return all(cell is None or (isinstance(cell, int | float) and not isinstance(cell, bool)) for cell in column)


def _cell(cell: Cell, kind: str) -> str:
    if isinstance(cell, bool):
        return f'<td class="{"yes" if cell else "no"}">{"✓ yes" if cell else "✗ no"}</td>'
    if cell is None or cell != cell:  # noqa: PLR0124  (NaN)
        return f"<td{kind}>&ndash;</td>"
    if isinstance(cell, str):
        return f"<td>{escape(cell)}</td>"
    return f"<td{kind}>{_number(cell)}</td>"


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _cards(numbers: Sequence[KeyNumber]) -> str:
    if not numbers:
        return ""
    cards = "".join(
        f'<div class="card {n.level.value}"><p class="label">{escape(n.label)}</p>'
        f'<p class="value">{escape(n.value)}</p><p class="remark">{escape(n.remark)}</p></div>'
        for n in numbers
    )
    return f'<div class="cards">{cards}</div>'


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{escape(part.strip())}</p>" for part in text.split("\n\n") if part.strip())


def _footer(provenance: Provenance | None) -> str:
    if provenance is None:
        return f"<footer><p>Made by neurograft {escape(VERSION)}. Nothing is recorded about its inputs.</p></footer>"
    seed = "none" if provenance.seed is None else str(provenance.seed)
    facts = {
        "software": f"neurograft {provenance.version}, Python {provenance.python}",
        "command": provenance.command,
        "seed": seed,
        **{f"parameter {name}": str(value) for name, value in sorted(provenance.parameters.items())},
        **{f"input {name}": print_ for name, print_ in sorted(provenance.inputs.items())},
    }
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    return f"<footer><h2>How this was made</h2><dl>{rows}</dl></footer>"
