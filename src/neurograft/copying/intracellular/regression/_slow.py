"""What slow changes leave in a pair's coefficients: a constant and a slope over all lags, before the spike and after.

Neurons that fire in network bursts do so while other membranes are high or rising, and that is no answer to them.
How large it is differs between targets and is learnt from all presynaptic neurons of each.
"""

import numpy as np
from jaxtyping import Float, Float64, Int64
from numpy import ndarray

from neurograft.copying.intracellular.reading._threads import in_order
from neurograft.copying.intracellular.regression._design import LagBoxes

_TARGETS_AT_ONCE = 512
MIN_SHARE = 0.1  # of a box's rows; with fewer kept, its coefficient is not used


def baseline(boxes: LagBoxes, n: int) -> Float64[ndarray, "two boxes neurons"]:
    """Return the constant and the slope, of size 1, in each of ``n`` targets' boxes."""
    centre = 0.5 * (boxes.low + boxes.high)
    slope = (centre - centre.mean()) / np.ptp(centre)
    return np.repeat(np.stack([np.ones_like(slope), slope])[:, :, None], n, axis=2)


def slow_sd(
    beta: Float[ndarray, "pre boxes post"],
    inverse_block: Float64[ndarray, "pre boxes boxes"],
    share: Float[ndarray, "pre boxes post"],
    noise: Float64[ndarray, "pre post"],
    boxes: LagBoxes,
    *,
    n_threads: int = 1,
) -> Float64[ndarray, "two post"]:
    """Return each target's standard deviation of constant and slope between presynaptic neurons, beyond chance.

    From the excess of chi-squared over its expectation (DerSimonian and Laird 1986, Control. Clin. Trials 7, 177).
    """
    precision = np.linalg.inv(inverse_block)
    chance = np.zeros((2, beta.shape[2]))

    def fill(targets: Int64[ndarray, " block"]) -> None:
        shapes, mine = baseline(boxes, len(targets)), slice(int(targets[0]), int(targets[-1]) + 1)
        chi2, precise, count = np.zeros((2, len(targets))), np.zeros((2, len(targets))), np.zeros(len(targets))
        for i in range(len(beta)):
            known = (noise[i, mine] > 0) & (targets != i)
            seen = np.sqrt(np.where(share[i, :, mine] >= MIN_SHARE, share[i, :, mine], 0.0))
            if not known.any() or not seen.any():
                continue
            scaled, noise2 = shapes * seen, np.where(known, noise[i, mine] ** 2, np.inf)
            both = precision[i] @ np.concatenate([scaled, (seen * beta[i, :, mine])[None]])
            own = np.sum(scaled * both[:2], axis=1) / noise2
            score = np.sum(scaled * both[2], axis=1) / noise2
            known &= own.min(axis=0) > 0
            chi2[:, known] += score[:, known] ** 2 / own[:, known]
            precise[:, known] += own[:, known]
            count += known
        chance[:, mine] = np.sqrt(np.maximum(chi2 - count, 0.0) / np.where(precise > 0, precise, np.inf))

    blocks = np.array_split(np.arange(beta.shape[2]), max(beta.shape[2] // _TARGETS_AT_ONCE, 1))
    for _ in in_order(n_threads, fill, blocks):
        pass
    return chance
