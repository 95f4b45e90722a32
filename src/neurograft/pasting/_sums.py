"""Closed loop on postsynaptic sums: what counts is a column's answer to the inputs it will get, not each cell.

Test inputs are played in, the columns' sums are read, and in each column the one cell is programmed anew whose
change takes most away from the error of all its sums; then sums are read again.  A cell that is programmed
anew gets a fresh error of its own, so it is left alone where that would cost more than it wins, or where what it
seems to win could be the chance of these inputs and reads.  This sees
what cell-by-cell verifying cannot: unused cells, defective ones, drift since programming, errors that add
up because axons fire together.  (arXiv 2305.16647 programs on product errors by gradient descent; abstract read.)
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray
from numpy.random import Generator

from neurograft.cells import (
    ROOM_TEMPERATURE_K,
    AbsentUnused,
    Flag,
    LogEntry,
    MemoryImage,
    ProgramAndVerify,
    ZeroUnused,
    crossbars,
    products,
)
from neurograft.errors import OptionError
from neurograft.maps import SynapseMap
from neurograft.pasting._rewrite import addresses, rewritten
from neurograft.pasting._summary import require_same_map
from neurograft.progress import Progress, silent

_CHUNK = 1 << 14  # cells whose inputs are looked at together


class _Aim(NamedTuple):
    """What the loop works towards."""

    inputs: Float64[ndarray, "inputs neurons"]
    wanted: Float64[ndarray, "inputs neurons"]
    unused: AbsentUnused | ZeroUnused
    verify: ProgramAndVerify


def programmed_on_sums(
    image: MemoryImage,
    m: SynapseMap,
    inputs: Float64[ndarray, "inputs neurons"],
    *,
    rounds: int = 8,
    unused: AbsentUnused | ZeroUnused | None = None,
    verify: ProgramAndVerify | None = None,
    seed: int,
    progress: Progress = silent,
) -> MemoryImage:
    """Return the image after ``rounds`` of correcting sums; each reads every column once for every input.

    ``inputs`` shall be like those that the network will have: activity in bins, say, 256 or more of them, as
    fewer than a neuron has synapses are learnt by heart.  Each column stops changing when nothing pays.
    """
    if inputs.ndim != 2 or inputs.shape[1] != m.n_neurons or not np.isfinite(inputs).all():
        raise OptionError(
            f"inputs have the shape {inputs.shape}, or entries that are not finite. "
            f"Give numbers, a row an input and a column for each of the {m.n_neurons} neurons."
        )
    if not 1 <= rounds <= 1000:
        raise OptionError(f"rounds is {rounds}. Give 1 to 1000.")
    if image.is_partial:
        raise OptionError("Only some tiles of this image are loaded. Load all of it first.")
    require_same_map(image, m)
    kept = np.unique(image.synapse)
    pasted = np.zeros(m.n_synapses)
    pasted[kept] = m.weight_v[kept]
    aim = _Aim(inputs, _sums(m, pasted, inputs), unused or AbsentUnused(), verify or ProgramAndVerify(max_passes=3))
    rng = np.random.default_rng(seed)
    target = np.clip(image.target_siemens.astype(np.float64), image.cell.g_min_siemens, image.cell.g_max_siemens)
    n_changed = 0
    for k in range(rounds):
        progress("correcting sums", k, rounds)
        image, target, n_now = _round(image, target, aim, rng)
        n_changed += n_now
        if not n_now:
            break
    progress("correcting sums", rounds, rounds)
    entry = LogEntry(what=f"{n_changed} cells programmed on sums", duration_s=0.0, temperature_k=ROOM_TEMPERATURE_K)
    return replace(image, log=(*image.log, entry))


def _sums(m: SynapseMap, weight_v: ndarray, inputs: ndarray) -> Float64[ndarray, "inputs neurons"]:
    from scipy.sparse import coo_array

    matrix = coo_array((weight_v, (m.pre, m.post)), shape=(m.n_neurons, m.n_neurons)).tocsr()
    return np.asarray(inputs @ matrix)


def _round(
    image: MemoryImage, target: Float64[ndarray, " cells"], aim: _Aim, rng: Generator
) -> tuple[MemoryImage, Float64[ndarray, " cells"], int]:
    """Return the image with at most one cell of each column programmed anew, the targets, and how many were."""
    # One seed draws the unused cells of all rounds: they are the same cells.
    bars = crossbars(image, unused=aim.unused, rng=np.random.default_rng(0))
    off = products(bars, aim.inputs, rng) - aim.wanted
    volts_per_siemens = image.sign * np.array(image.part_gain)[image.part] * image.volts_per_siemens
    pull, power = _pull(image, aim.inputs, off)
    low, high = image.cell.g_min_siemens, image.cell.g_max_siemens
    change = -pull / np.maximum(power, 1e-300) / volts_per_siemens
    change = np.clip(target + change, low, high) - target
    shift = change * volts_per_siemens
    healthy = (image.flags & Flag.DEFECTIVE) == 0  # the others were found bad by the verify reads
    left = np.sqrt(np.mean((image.programmed_siemens[healthy] - target[healthy]) ** 2)) if healthy.any() else 0.0
    gain = -(2 * shift * pull + shift**2 * power) - (left * volts_per_siemens) ** 2 * power
    gain[~healthy] = 0.0
    gain -= _chance(image.post.astype(np.int64), off)
    chosen = _best_of_columns(gain, image.post.astype(np.int64))
    chosen = chosen[gain[chosen] > 0]
    if not chosen.size:
        return image, target, 0
    target = target.copy()
    target[chosen] = np.clip(target[chosen] + change[chosen], low, high)
    return _rewritten(image, target, chosen, aim.verify, rng), target, chosen.size


def _pull(
    image: MemoryImage, inputs: ndarray, off: ndarray
) -> tuple[Float64[ndarray, " cells"], Float64[ndarray, " cells"]]:
    """Return, for each cell, the products of its input with its column's errors and with itself, over inputs."""
    pull, power = np.empty(image.n_cells), np.einsum("ki,ki->i", inputs, inputs)[image.pre]
    for start in range(0, image.n_cells, _CHUNK):
        part = slice(start, start + _CHUNK)
        pull[part] = np.einsum("kc,kc->c", inputs[:, image.pre[part]], off[:, image.post[part]])
    return pull, power


def _chance(post: Int64[ndarray, " cells"], off: Float64[ndarray, "inputs neurons"]) -> Float64[ndarray, " cells"]:
    """Return what the luckiest of a column's n cells would seem to win by chance: 2 ln n variances of its error.

    The universal threshold (Donoho and Johnstone 1994); all of the error counts as chance, which is cautious.
    """
    n_cells = np.bincount(post, minlength=off.shape[1])
    return (2.0 * np.log(np.maximum(n_cells, 2)) * np.mean(off**2, axis=0))[post]


def _best_of_columns(gain: Float64[ndarray, " cells"], post: Int64[ndarray, " cells"]) -> Int64[ndarray, " columns"]:
    order = np.lexsort((-gain, post))
    is_first: Bool[ndarray, " cells"] = np.diff(post[order], prepend=-1) > 0
    return order[is_first]


def _rewritten(
    image: MemoryImage, target: ndarray, chosen: Int64[ndarray, " chosen"], verify: ProgramAndVerify, rng: Generator
) -> MemoryImage:
    written = image.cell.write(
        target[chosen],
        address=addresses(image)[chosen],
        defect=np.zeros(chosen.size, dtype=np.uint8),
        verify=verify,
        key=int(rng.integers(2**63)),
    )
    return rewritten(replace(image, target_siemens=target.astype(np.float32)), chosen, written)
