"""A trained judge read from a file of plain numbers: boosted trees and a line, and their answer for rows of features.

Trees fit the families that they saw better, a line carries further: on families left out of training a mean of
both log odds ranks better than either (``docs/background/copy-spikes.md``).

The file (``_judge.npz``, NumPy arrays without pickled objects) is written by the training script
``benchmarks/train_spikes.py``; its names of features must be those that the copier computes.
"""

from pathlib import Path
from typing import NamedTuple, final, no_type_check

import numpy as np
from jaxtyping import Float32, Float64, Int32
from numba import njit
from numpy import ndarray

from neurograft.errors import CopyError

FORMAT_VERSION = 3
TREE_SHARE = 2 / 3  # chosen among .5, 2/3, .8 and 1 on families left out of training
_MOST_LEAVES = 32  # of a tree: one bit each
_EVERY_LEAF = (1 << _MOST_LEAVES) - 1
_DE_BRUIJN = 0x077CB531  # its products with 1, 2, 4, ... differ in the upper 5 of 32 bits
_ROWS_SIDE_BY_SIDE = 64
LARGEST = 20.0  # z beyond which more says nothing more


@final
class Trees(NamedTuple):
    """All trees behind each other; a leaf has feature -1; rows go left where value <= threshold."""

    names: tuple[str, ...]
    base: float
    root: Int32[ndarray, " trees"]
    feature: Int32[ndarray, " nodes"]
    threshold: Float32[ndarray, " nodes"]
    left: Int32[ndarray, " nodes"]
    right: Int32[ndarray, " nodes"]
    value: Float32[ndarray, " nodes"]


@final
class Line(NamedTuple):
    """Log odds linear in sign(x) log(1 + |x|) of every feature and in x between 0 and ``LARGEST``."""

    base: float
    squashed: Float64[ndarray, " features"]
    capped: Float64[ndarray, " features"]


@final
class Calibration(NamedTuple):
    """What the judge's log odds are worth in a recording that itself shows how many coincidences are no synapses."""

    base: float
    slope: float
    signs: Float64[ndarray, " signs"]  # slopes of the recording's own signs, see ``_judge.recording_signs``
    inhibition: float  # more for troughs than for peaks: unseen common inputs make peaks
    regular: float  # less for troughs of targets that fire regularly, see ``_judge.regularity``


@final
class Judge(NamedTuple):
    """Trees, line, calibration, and the share of synapses among the readings of pairs that they were trained on."""

    trees: Trees
    line: Line
    calibration: Calibration
    prior: float


def log_odds(judge: Judge, rows: Float32[ndarray, "rows features"]) -> Float64[ndarray, " rows"]:
    """Return the log odds of every row: the weighted mean of those of the trees and of the line."""
    return TREE_SHARE * tree_odds(judge.trees, rows) + (1 - TREE_SHARE) * line_odds(judge.line, rows)


def tree_odds(trees: Trees, rows: Float32[ndarray, "rows features"]) -> Float64[ndarray, " rows"]:
    """Return the trees' log odds of every row.

    By the leaves that stay possible instead of by walks (QuickScorer; Lucchese et al. 2015, SIGIR): a test that fails
    rules out the leaves to its left, and the first leaf that remains is the tree's answer.  So a test is one comparison
    for 64 rows side by side, without a branch.
    """
    answer = np.full(len(rows), trees.base)
    nodes = (trees.root, trees.feature, trees.threshold, trees.left, trees.right, trees.value)
    _add_trees(rows, _tests(nodes), answer)
    return answer


def line_odds(line: Line, rows: Float32[ndarray, "rows features"]) -> Float64[ndarray, " rows"]:
    """Return the line's log odds of every row."""
    used = np.flatnonzero(line.capped)  # few
    return squash(rows) @ line.squashed + np.clip(rows[:, used], 0.0, LARGEST) @ line.capped[used] + line.base


def squash(rows: Float32[ndarray, "rows features"]) -> Float32[ndarray, "rows features"]:
    """Return sign(x) log(1 + |x|)."""
    size = np.abs(rows)
    size += np.float32(1.0)
    return np.copysign(np.log(size, out=size), rows)


def load_judge(path: Path) -> Judge:
    """Return the trained judge, refusing a file that is not one."""
    with np.load(path, allow_pickle=False) as file:
        if int(file["format_version"]) != FORMAT_VERSION:
            raise CopyError(
                f"{path.name} has format {int(file['format_version'])}, not {FORMAT_VERSION}. Train it again."
            )
        trees = _trees(file)
        line = Line(float(file["line_base"]), file["line_squashed"], file["line_capped"])
        if line.squashed.shape != (len(trees.names),) or line.capped.shape != line.squashed.shape:
            raise CopyError(f"{path.name} is damaged: its line is not one of {len(trees.names)} features.")
        calibration = Calibration(
            float(file["calibration_base"]),
            float(file["calibration_slope"]),
            file["calibration_signs"],
            float(file["calibration_inhibition"]),
            float(file["calibration_regular"]),
        )
        if calibration.slope <= 0:
            raise CopyError(f"{path.name} is damaged: the slope of its calibration is {calibration.slope}.")
        return Judge(trees, line, calibration, float(file["prior"]))


def pack(judge: Judge) -> dict[str, ndarray]:
    """Return the arrays of a judge as they are written to its file."""
    trees = {field: np.array(value) for field, value in judge.trees._asdict().items()}
    line = {f"line_{field}": np.array(value) for field, value in judge.line._asdict().items()}
    calibration = {f"calibration_{field}": np.array(value) for field, value in judge.calibration._asdict().items()}
    return {"format_version": np.array(FORMAT_VERSION), "prior": np.array(judge.prior)} | trees | line | calibration


def _trees(file: "np.lib.npyio.NpzFile") -> Trees:
    root, feature, threshold, left, right, value = (
        file[field] for field in ("root", "feature", "threshold", "left", "right", "value")
    )
    names = tuple(str(n) for n in file["names"])
    nodes = np.arange(feature.size)
    inner = feature >= 0
    below = np.concatenate([root, left[inner], right[inner]])
    # Children come after their parents, so that every walk ends, and at nodes that there are, each below one other.
    if (
        np.unique(below).size != below.size
        or np.any(feature >= len(names))
        or np.any((left <= nodes)[inner])
        or np.any((right <= nodes)[inner])
        or np.any((np.maximum(left, right) >= nodes.size)[inner])
        or np.any((root < 0) | (root >= nodes.size))
        or np.diff(_tests((root, feature, threshold, left, right, value))[-1]).max(initial=0) > _MOST_LEAVES
    ):
        raise CopyError("The trees of the trained judge are damaged. Install neurograft again.")
    return Trees(names, float(file["base"]), root, feature, threshold, left, right, value)


@njit(cache=True, nogil=True)
@no_type_check
def _tests(nodes):
    """Return every tree's tests (feature, threshold, leaves that a failed one keeps) and its leaves from left to right.

    Trees come after each other, the first of tree t at ``first_test[t]`` and ``first_leaf[t]``.
    """
    root, feature, threshold, left, right, value = nodes
    n, n_nodes = root.size, feature.size
    test_feature, test_threshold = np.empty(n_nodes, np.int32), np.empty(n_nodes, np.float32)
    keeps, leaf = np.empty(n_nodes, np.uint32), np.empty(n_nodes, np.float32)
    first_test, first_leaf = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)
    leaves_before, stack = np.zeros(n_nodes, np.int64), np.empty(n_nodes, np.int64)
    for t in range(n):
        n_tests, n_leaves, depth = first_test[t], first_leaf[t], 1
        stack[0] = root[t]
        while depth > 0:
            depth -= 1
            node = stack[depth]
            leaves_before[node] = n_leaves - first_leaf[t]
            if feature[node] < 0:
                leaf[n_leaves] = value[node]
                n_leaves += 1
                continue
            stack[depth], stack[depth + 1] = right[node], left[node]
            depth += 2
            test_feature[n_tests], test_threshold[n_tests] = feature[node], threshold[node]
            keeps[n_tests] = node
            n_tests += 1
        for k in range(first_test[t], n_tests):
            node = np.int64(keeps[k])
            stop = min(leaves_before[right[node]], _MOST_LEAVES)  # larger trees are refused where they are read
            to_the_left = (1 << stop) - (1 << min(leaves_before[node], _MOST_LEAVES))
            keeps[k] = np.uint32(_EVERY_LEAF ^ to_the_left)
        first_test[t + 1], first_leaf[t + 1] = n_tests, n_leaves
    return test_feature, test_threshold, keeps, leaf, first_test, first_leaf


@njit(cache=True, nogil=True)
@no_type_check
def _add_trees(rows, tests, answer):
    feature, threshold, keeps, leaf, first_test, first_leaf = tests
    every = np.uint32(_EVERY_LEAF)
    place = np.zeros(_MOST_LEAVES, np.int64)  # of the only bit of a number, by the product with a de Bruijn sequence
    for k in range(_MOST_LEAVES):
        place[(_DE_BRUIJN << k & _EVERY_LEAF) >> 27] = k
    columns = np.zeros((rows.shape[1], _ROWS_SIDE_BY_SIDE), np.float32)
    possible, total = np.empty(_ROWS_SIDE_BY_SIDE, np.uint32), np.empty(_ROWS_SIDE_BY_SIDE)
    for start in range(0, rows.shape[0], _ROWS_SIDE_BY_SIDE):
        m = min(_ROWS_SIDE_BY_SIDE, rows.shape[0] - start)
        for r in range(m):
            for f in range(rows.shape[1]):
                columns[f, r] = rows[start + r, f]
        total[:] = 0.0
        for t in range(first_test.size - 1):
            possible[:] = every
            for k in range(first_test[t], first_test[t + 1]):
                column, limit, kept = columns[feature[k]], threshold[k], keeps[k]
                for r in range(_ROWS_SIDE_BY_SIDE):
                    possible[r] &= every if column[r] <= limit else kept
            for r in range(m):
                left = np.int64(possible[r])
                first = left & -left
                total[r] += leaf[first_leaf[t] + place[(first * _DE_BRUIJN & _EVERY_LEAF) >> 27]]
        for r in range(m):
            answer[start + r] += total[r]
