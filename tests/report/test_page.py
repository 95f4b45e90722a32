"""The report's page: one file, nothing from outside, every text shown as it is."""

import base64
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from neurograft.provenance import Provenance
from neurograft.report import (
    Figure,
    KeyNumber,
    KeyNumbers,
    Level,
    Note,
    Report,
    Section,
    Table,
    report_html,
    write_report,
)
from neurograft.report._json import figure_json

NASTY = "<b>n&0</b></script><script>alert(1)</script>\"'"


class Elements(HTMLParser):
    """Collects start tags with their attributes, and the text of the page outside scripts and styles."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._skipped = 0

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._skipped += tag in ("script", "style")

    def handle_endtag(self, tag):
        self._skipped -= tag in ("script", "style")

    def handle_data(self, data):
        if not self._skipped:
            self.text.append(data)


def parsed(html: str) -> Elements:
    elements = Elements()
    elements.feed(html)
    return elements


def full_report(text: str = "plain") -> Report:
    plot = {"data": [{"type": "scatter", "x": [0, 1], "y": [1.0, np.nan], "name": text}], "layout": {"title": text}}
    blocks = [
        Figure(plot=plot, caption=f"{text}. Look here."),
        Figure(plot=plot, caption="again"),
        Table(columns=[text, "n"], rows=[[text, 1], [True, None], [0.123456, float("nan")]], caption=text),
        Note(text=text, level=Level.WARNING),
        KeyNumbers(numbers=[KeyNumber(label=text, value=text, remark=text)]),
        Table(columns=["a"], rows=[], caption="Nobody."),
    ]
    return Report(
        title=text,
        intro=f"{text}\n\nsecond",
        sections=[Section(title=text, text=text, blocks=blocks), Section(title="Empty", blocks=[])],
        key_numbers=[KeyNumber(label="k", value="7")],
        provenance=Provenance(command=text, seed=3, parameters={text: text}, inputs={text: "sha256:ab"}),
    )


def test_nothing_is_loaded_from_outside():
    page = parsed(report_html(full_report()))
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "img", "object", "embed", "base")
        assert "src" not in attributes, tag
        assert not (attributes.get("href") or "#").startswith(("http", "//", "file")), tag
    policy = next(a["content"] for t, a in page.tags if t == "meta" and a.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy
    style = re.search("<style>(.*?)</style>", report_html(full_report()), re.DOTALL)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_plotly_is_in_the_page_once_and_only_where_there_is_a_plot():
    with_plots = report_html(full_report())
    assert with_plots.count("Copyright 2012-") == 1
    without = report_html(Report(title="t", sections=[Section(title="s", blocks=[Note(text="n")])]))
    assert "plotly" not in without.lower()
    assert len(without) < 20_000


def test_every_text_is_shown_as_it_is():
    html = report_html(full_report(NASTY))
    page = parsed(html)
    assert "alert" not in [tag for tag, _ in page.tags]
    assert "<script>alert" not in html
    assert "<b>" not in html.replace("<body>", "")
    assert " ".join(page.text).count(NASTY) >= 10
    aria = [a["aria-label"] for t, a in page.tags if a.get("role") == "img"]
    assert aria[0] == NASTY


def test_figures_survive_as_json():
    html = report_html(full_report(NASTY))
    scripts = re.findall(r'<script type="application/json">(.*?)</script>', html, re.DOTALL)
    assert len(scripts) == 2
    figure = json.loads(scripts[0])
    assert figure["data"][0]["name"] == NASTY
    assert figure["data"][0]["y"] == [1.0, None]


def test_each_block_and_each_section_is_on_the_page():
    text = " ".join(parsed(report_html(full_report("word"))).text)
    for part in ("Look here", "✓ yes", "0.1235", "Nobody. There are no rows.", "There is nothing to show here."):
        assert part in text
    for part in ("seed", "3", "sha256:ab", "neurograft 0", "input word", "parameter word"):
        assert part in text


def test_contents_lead_to_sections():
    page = parsed(report_html(full_report()))
    targets = {a["href"] for t, a in page.tags if t == "a"}
    assert targets == {f"#{a['id']}" for t, a in page.tags if t == "section"}


def test_a_report_without_provenance_says_so():
    text = " ".join(parsed(report_html(Report(title="t", sections=[]))).text)
    assert "Nothing is recorded about its inputs" in text


def test_equal_reports_are_equal_files(tmp_path):
    for name in ("a.html", "b.html"):
        write_report(full_report(), tmp_path / name)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_a_table_whose_rows_do_not_fit_is_a_fault_and_leaves_the_old_report(tmp_path):
    path = tmp_path / "r.html"
    path.write_text("old")
    bad = Report(title="t", sections=[Section(title="s", blocks=[Table(columns=["a"], rows=[[1, 2]], caption="c")])])
    with pytest.raises(ValueError, match="zip"):
        write_report(bad, path)
    assert path.read_text() == "old"


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int8, np.uint8, np.int16, np.int32, np.uint32])
def test_arrays_are_packed_exactly(dtype):
    array = (np.arange(60) - 20).astype(dtype).reshape(6, 10)
    packed = json.loads(figure_json({"data": [{"z": array}]}))["data"][0]["z"]
    assert packed["shape"] == "6, 10"
    raw = np.frombuffer(base64.b64decode(packed["bdata"]), dtype=np.dtype(packed["dtype"]).newbyteorder("<"))
    assert raw.tolist() == array.ravel().tolist()
    assert np.dtype(packed["dtype"]) == np.dtype(dtype)


def test_64_bit_integers_become_doubles_and_short_arrays_lists():
    figure = json.loads(figure_json({"data": [{"x": np.arange(40), "y": np.arange(3), "n": np.int64(4)}]}))
    assert figure["data"][0]["x"]["dtype"] == "f8"
    assert figure["data"][0]["y"] == [0, 1, 2]
    assert figure["data"][0]["n"] == 4


def test_plotlys_own_figures_are_taken_too():
    graph_objects = pytest.importorskip("plotly.graph_objects")
    figure = graph_objects.Figure(data=[graph_objects.Scatter(x=np.arange(30.0), y=np.arange(30.0))])
    assert json.loads(figure_json(figure))["data"][0]["type"] == "scatter"
