"""The chapter of a score: what must be loud is loud, and what is drawn is what was scored."""

import numpy as np
import pytest

from neurograft.comparing import score
from neurograft.maps import Kind, synapse_map
from neurograft.report import (
    Figure,
    Level,
    Note,
    Report,
    Table,
    found_figure,
    reliability_figure,
    report_html,
    score_chapter,
    slice_figure,
)


def net(seed=3, n=30, **more):
    rng = np.random.default_rng(seed)
    pre, post = np.nonzero((rng.random((n, n)) < 0.1) & ~np.eye(n, dtype=bool))
    weight_v = rng.lognormal(-7.5, 1, pre.size) * np.where(pre % 4 == 0, -1, 1)
    kind = np.where(weight_v < 0, Kind.INHIBITORY, Kind.EXCITATORY_WEAK).astype(np.uint8)
    return synapse_map(n_neurons=n, pre=pre, post=post, weight_v=weight_v, delay_s=2e-3, kind=kind, **more)


def rebuilt(m, *, is_swapped=False, q=0.03):
    pre, post = (m.post, m.pre) if is_swapped else (m.pre, m.post)
    return synapse_map(
        n_neurons=m.n_neurons, pre=pre, post=post, weight_v=0.8 * m.weight_v, delay_s=2.5e-3, kind=m.kind,
        q_value=np.full(pre.size, q),
    )  # fmt: skip


def test_a_swapped_map_is_the_first_thing_on_the_page():
    truth = net()
    chapter = score_chapter("Score", score(rebuilt(truth, is_swapped=True), truth))
    first = chapter.blocks[0]
    assert isinstance(first, Note)
    assert first.level is Level.WARNING
    assert first.text.startswith("PRE AND POST ARE SWAPPED")
    assert "SWAPPED" in report_html(Report(title="t", sections=[chapter])).split("</table>")[0]


def test_a_right_map_has_no_alarm_and_good_marks():
    truth = net()
    chapter = score_chapter("Score", score(rebuilt(truth), truth))
    assert not any(isinstance(block, Note) for block in chapter.blocks)
    numbers = {n.label: n for n in chapter.blocks[0].numbers}
    assert numbers["orientation"].level is Level.GOOD
    assert numbers["false among the calls"].level is Level.GOOD
    assert numbers["true synapses found"].value == "100.0%"


def test_a_claim_that_does_not_hold_is_told():
    chapter = score_chapter("Score", score(rebuilt(net(seed=9)), net()))
    assert any("does not hold" in block.text for block in chapter.blocks if isinstance(block, Note))


def test_the_reliability_diagram_shows_each_level_that_adds_calls():
    truth = net()
    copied = rebuilt(truth)
    q = np.where(np.arange(copied.n_synapses) % 2, 0.004, 0.03)
    mixed = synapse_map(
        n_neurons=30, pre=copied.pre, post=copied.post, weight_v=copied.weight_v, delay_s=1e-3, q_value=q
    )
    figure = reliability_figure(score(mixed, truth))
    assert isinstance(figure, Figure)
    assert figure.plot["data"][1]["x"].tolist() == [0.01, 0.05]
    assert figure.plot["data"][1]["y"].tolist() == [0.0, 0.0]
    claim = figure.plot["data"][0]  # straight pieces between its points on a logarithmic axis
    assert np.interp(np.log(0.05), np.log(claim["x"]), claim["y"]) == pytest.approx(0.05, rel=0.01)
    assert np.interp(np.log(0.01), np.log(claim["x"]), claim["y"]) == pytest.approx(0.01, rel=0.01)
    assert isinstance(reliability_figure(score(truth, truth)), Note)  # no q-values


def test_strengths_and_delays_are_drawn_as_found():
    truth = net()
    figure = found_figure(score(rebuilt(truth), truth))
    assert isinstance(figure, Figure)
    strength, delay = figure.plot["data"][1], figure.plot["data"][3]
    assert strength["y"] == pytest.approx(0.8 * strength["x"])
    assert set(np.round(delay["y"], 9)) == {2.5}
    assert "slope 0.80" in figure.caption
    assert isinstance(found_figure(score(net(seed=3).select(truth.pre < 0), truth)), Note)


def test_parts_without_synapses_and_calls_are_left_out():
    truth = net()
    s = score(rebuilt(truth), truth)
    name, parts = next(iter(s.slices.items()))
    figure = slice_figure(name, parts)
    assert isinstance(figure, Figure)
    recall = figure.plot["data"][0]
    assert len(recall["y"]) == sum(part.ranking.n_true > 0 or part.realised_fdr.of > 0 for part in parts)
    assert figure.plot["layout"]["xaxis"]["ticktext"][-1] == "2 and more"  # in mV


def test_the_tables_hold_the_confusions_and_decoys():
    truth = net()
    s = score(rebuilt(truth), truth, decoys={"time-shifted": rebuilt(truth).select(truth.pre < 2)})
    tables = [block for block in score_chapter("Score", s).blocks if isinstance(block, Table)]
    kinds = next(t for t in tables if t.columns[0] == "truly")
    assert kinds.rows[0][:2] == ["excitatory weak", int((truth.weight_v > 0).sum())]
    alarms = next(t for t in tables if t.columns[0] == "where there is no synapse")
    assert [row[0] for row in alarms.rows][2] == "time-shifted data"
    assert alarms.rows[2][1] == int((truth.pre < 2).sum())
