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
    """Return the trees' log odds of every row."""
    answer = np.full(len(rows), trees.base)
    nodes = (trees.root, trees.feature, trees.threshold, trees.left, trees.right, trees.value)
    _add_trees(np.ascontiguousarray(rows), nodes, answer)
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
    # Children come after their parents, so that every walk ends, and at nodes that there are.
    if (
        np.any(feature >= len(names))
        or np.any((left <= nodes)[inner])
        or np.any((right <= nodes)[inner])
        or np.any((np.maximum(left, right) >= nodes.size)[inner])
        or np.any((root < 0) | (root >= nodes.size))
    ):
        raise CopyError("The trees of the trained judge are damaged. Install neurograft again.")
    return Trees(names, float(file["base"]), root, feature, threshold, left, right, value)


@njit(cache=True, nogil=True)
@no_type_check
def _add_trees(rows, nodes, answer):
    root, feature, threshold, left, right, value = nodes
    for r in range(rows.shape[0]):
        total = 0.0
        for t in range(root.size):
            node = root[t]
            while feature[node] >= 0:
                node = left[node] if rows[r, feature[node]] <= threshold[node] else right[node]
            total += value[node]
        answer[r] += total
