"""The trained judge: its trees against a slow walk, its file, and the features that it was trained on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurograft.copying.spikes._judge import trained_judge
from neurograft.copying.spikes._model import (
    Calibration,
    Judge,
    Line,
    Trees,
    line_odds,
    load_judge,
    log_odds,
    pack,
    tree_odds,
)
from neurograft.errors import CopyError


def random_trees(rng, *, n_trees=5, depth=3, n_features=4):
    feature, threshold, left, right, value, root = [], [], [], [], [], []

    def grow(level):
        here = len(feature)
        for column in (feature, threshold, left, right, value):
            column.append(0)
        if level == 0 or rng.random() < 0.2:
            feature[here], value[here] = -1, rng.standard_normal()
            return here
        feature[here], threshold[here] = int(rng.integers(n_features)), rng.standard_normal()
        left[here] = grow(level - 1)
        right[here] = grow(level - 1)
        return here

    for _ in range(n_trees):
        root.append(grow(depth))
    whole = [np.array(c, dtype=np.int32) for c in (root, feature)]
    return Trees(
        tuple("abcd"[:n_features]),
        0.25,
        *whole,
        np.array(threshold, dtype=np.float32),
        np.array(left, dtype=np.int32),
        np.array(right, dtype=np.int32),
        np.array(value, dtype=np.float32),
    )


def random_judge(rng):
    trees, line = random_trees(rng), Line(-0.5, rng.standard_normal(4), rng.standard_normal(4))
    return Judge(trees, line, Calibration(-0.3, 0.8, rng.standard_normal(2), 0.4, -2.0), 0.05)


def walked(trees, row):
    """One tree after the other, by recursion over (left, right)."""

    def below(node):
        if trees.feature[node] < 0:
            return float(trees.value[node])
        goes_left = row[trees.feature[node]] <= trees.threshold[node]
        return below(trees.left[node] if goes_left else trees.right[node])

    return trees.base + sum(below(r) for r in trees.root)


@settings(deadline=None)  # the first call compiles
@given(seed=st.integers(0, 1000), n_rows=st.sampled_from([0, 1, 6, 64, 130]), depth=st.integers(0, 5))
def test_the_kernel_equals_a_slow_walk(seed, n_rows, depth):
    rng = np.random.default_rng(seed)
    trees = random_trees(rng, depth=depth)
    rows = rng.standard_normal((n_rows, 4)).astype(np.float32)
    rows[rng.random(rows.shape) < 0.1] = np.float32(np.nan)  # fails every test
    rows[: n_rows // 2, 0] = trees.threshold[0]
    np.testing.assert_allclose(tree_odds(trees, rows), [walked(trees, r) for r in rows], atol=1e-6)


def test_the_answer_is_two_thirds_of_the_trees_and_a_third_of_the_line():
    rng = np.random.default_rng(4)
    judge = random_judge(rng)
    row = np.array([[-3.0, 0.0, 5.0, 90.0]], dtype=np.float32)
    squashed = np.array([-np.log(4.0), 0.0, np.log(6.0), np.log(91.0)])
    line = -0.5 + squashed @ judge.line.squashed + np.array([0.0, 0.0, 5.0, 20.0]) @ judge.line.capped
    assert line_odds(judge.line, row)[0] == pytest.approx(line)
    assert log_odds(judge, row)[0] == pytest.approx((line + 2 * walked(judge.trees, row[0])) / 3)


def test_a_judge_survives_its_file(tmp_path):
    judge = random_judge(np.random.default_rng(1))
    np.savez(tmp_path / "judge.npz", **pack(judge))
    again = load_judge(tmp_path / "judge.npz")
    assert again.trees.names == judge.trees.names
    assert again.prior == judge.prior
    rows = np.random.default_rng(2).standard_normal((9, 4)).astype(np.float32)
    np.testing.assert_array_equal(log_odds(again, rows), log_odds(judge, rows))


def test_a_damaged_or_foreign_file_is_refused(tmp_path):
    arrays = pack(random_judge(np.random.default_rng(1)))
    np.savez(tmp_path / "old.npz", **(arrays | {"format_version": np.array(99)}))
    with pytest.raises(CopyError, match="format 99"):
        load_judge(tmp_path / "old.npz")
    loop = arrays["left"].copy()
    loop[0] = 0  # a walk that never ends
    np.savez(tmp_path / "loop.npz", **(arrays | {"left": loop}))
    with pytest.raises(CopyError, match="damaged"):
        load_judge(tmp_path / "loop.npz")
    shared = arrays["right"].copy()
    shared[0] = arrays["left"][0]  # one node below another twice
    large = pack(random_judge(np.random.default_rng(1))._replace(trees=random_trees(np.random.default_rng(4), depth=9)))
    for damaged in (arrays | {"right": shared}, large):
        np.savez(tmp_path / "shape.npz", **damaged)
        with pytest.raises(CopyError, match="damaged"):
            load_judge(tmp_path / "shape.npz")
    np.savez(tmp_path / "line.npz", **(arrays | {"line_capped": np.zeros(7)}))
    with pytest.raises(CopyError, match="not one of 4 features"):
        load_judge(tmp_path / "line.npz")
    np.savez(tmp_path / "objects.npz", **(arrays | {"names": np.array(["a", 1, None], dtype=object)}))
    with pytest.raises(ValueError, match="allow_pickle"):
        load_judge(tmp_path / "objects.npz")


def test_more_evidence_never_makes_the_packaged_trees_less_sure():
    # Trained with rising answers for the strengths; what follows from them for one pair is held fixed here.
    judge = trained_judge()
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((200, len(judge.trees.names))).astype(np.float32) * 3
    for name in ("joint z", "local z", "clean flat z", "clean sharp z", "clean white z"):
        column = judge.trees.names.index(name)
        answers = []
        for z in np.linspace(-2, 30, 12):
            rows[:, column] = z
            answers.append(tree_odds(judge.trees, rows))
        assert np.all(np.diff(answers, axis=0) >= -1e-6)
    assert 0 < judge.prior < 0.5
