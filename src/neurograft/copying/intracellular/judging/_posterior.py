"""Posteriors of all pairs under a mixture that was learnt, right to 1e-4, as their Bayes factors are of 32 bits."""

# ruff: noqa: PLR0917  (a judgement is told by its parts)
import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from neurograft.copying.intracellular.judging._evidence import (
    DOWN,
    DOWN_S,
    DOWN_S2,
    EARLY_DOWN,
    EARLY_UP,
    LATE_DOWN,
    LATE_UP,
    RIVALS,
    UP,
    UP_S,
    UP_S2,
)
from neurograft.copying.intracellular.judging._mixture import (
    DIRECT_SD_V,
    RIVAL_SD_V,
    Judged,
    Mixture,
    chance_of,
    stages,
)
from neurograft.copying.intracellular.judging._side_by_side import Seen, in_blocks, weighed_lanes
from neurograft.copying.intracellular.judging._templates import Family, Templates
from neurograft.copying.intracellular.reading._threads import in_order
from neurograft.copying.intracellular.regression._regression import Fit

_SIGNS = np.array([1.0, 0.5, 0.0])  # a neuron that excites, one that is unknown, one that inhibits


def judge_all(
    fit: Fit,
    kinds: Templates,
    is_open: Bool[ndarray, "pre post"],
    mixture: Mixture,
    *,
    sd: float,
    is_dale: bool,
    is_sure: Bool[ndarray, "pre post"],
    n_threads: int = 1,
) -> Judged:
    """Return every pair's posterior; pairs that are not open get NaN.

    Each neuron's sign is learnt from its pairs that are sure; ``sd`` is that of z where there is no synapse.
    """
    shape, stage = is_open.shape, stages(kinds, mixture)
    columns = {name: np.full(shape, np.nan) for name in Judged._fields if name not in {"family", "excitatory"}}
    out = Judged(**columns, family=np.full((len(Family), *shape), np.nan), excitatory=np.full(shape[0], 0.5))

    def fill(pre: Int64[ndarray, " lanes"]) -> None:
        seen = weighed_lanes(
            fit, kinds, pre, sd=sd, direct_share=mixture.direct, rival_share=mixture.rival, direct_sd_v=DIRECT_SD_V,
            rival_sd_v=RIVAL_SD_V, stage=stage, chance=chance_of(_SIGNS, is_dale),
        )  # fmt: skip
        _fill(out, pre, seen, mixture, is_open[pre].T, (is_open[pre] & is_sure[pre]).T, sd=sd, is_dale=is_dale)

    for _ in in_order(n_threads, fill, in_blocks(np.flatnonzero((fit.n_spikes > 0) & is_open.any(axis=1)))):
        pass
    return out


def _fill(
    out: Judged,
    pre: Int64[ndarray, " lanes"],
    seen: Seen,
    mixture: Mixture,
    is_open: Bool[ndarray, "post lanes"],
    is_sure: Bool[ndarray, "post lanes"],
    *,
    sd: float,
    is_dale: bool,
) -> None:
    """Fill in what these neurons' pairs are."""
    sums = seen.sums.transpose(1, 0, 2)
    excitatory = _excitatory(sums, mixture, is_sure, is_dale=is_dale)
    out.excitatory[pre] = excitatory
    up = chance_of(excitatory, is_dale)
    total, first, second, late, early = (
        up * sums[one] + (1 - up) * sums[other]
        for one, other in ((UP, DOWN), (UP_S, DOWN_S), (UP_S2, DOWN_S2), (LATE_UP, LATE_DOWN), (EARLY_UP, EARLY_DOWN))
    )
    joint = sums[RIVALS:-1].copy()
    joint[Family.DIRECT] = total
    joint[Family.INDIRECT] += late
    joint[Family.COMMON] += early
    rest = joint[1:].sum(axis=0) + sums[-1] * mixture.nothing
    every, tiny, prior = total + rest, np.finfo(np.float64).tiny, mixture.direct[mixture.is_bulk].sum()
    log_odds = np.log(np.maximum(total, tiny)) - np.log(np.maximum(rest, tiny)) - np.log(prior / (1 - prior))
    mean_s = first / np.maximum(total, tiny)
    likeliest = np.argmin(np.abs(chance_of(_SIGNS, is_dale)[:, None] - up), axis=0)[None, None]
    z = np.take_along_axis(seen.z, likeliest, axis=1)[:, 0].astype(np.float64)
    root = np.sqrt(np.take_along_axis(seen.information, likeliest, axis=1)[:, 0].astype(np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = {
            "direct": total / every,
            "log_odds": log_odds,
            "sign": np.sign(up * sums[UP] - (1 - up) * sums[DOWN]),
            "amplitude_v": z / root,
            "se_v": sd / root,
            "latency_s": mean_s,
            "latency_sd_s": np.sqrt(np.maximum(second / np.maximum(total, tiny) - mean_s**2, 0.0)),
            "excitatory_alone": sums[UP] / np.maximum(sums[UP] + sums[DOWN], tiny),
        }
        for name, column in columns.items():
            getattr(out, name)[pre] = np.where(is_open, column, np.nan).T
        for family in Family:
            out.family[family, pre] = np.where(is_open, joint[family] / every, np.nan).T


def _excitatory(
    sums: Float64[ndarray, "columns post lanes"],
    mixture: Mixture,
    is_sure: Bool[ndarray, "post lanes"],
    *,
    is_dale: bool,
) -> Float64[ndarray, " lanes"]:
    """Return each neuron's probability of being excitatory, half a priori, from its sure pairs' three explanations."""
    from scipy.special import expit

    up, down = (sums[bulk] + sums[late] + sums[early] for bulk, late, early in (
        (UP, LATE_UP, EARLY_UP), (DOWN, LATE_DOWN, EARLY_DOWN)
    ))  # fmt: skip
    rest = sums[RIVALS:-1].sum(axis=0) + sums[-1] * mixture.nothing
    high, low = chance_of(np.array([1.0, 0.0]), is_dale)
    gain = np.log(high * up + low * down + rest) - np.log(low * up + high * down + rest)
    return expit(np.where(is_sure, gain, 0.0).sum(axis=0))
