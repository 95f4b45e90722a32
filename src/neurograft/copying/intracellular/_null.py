"""What the evidence says of a map's error rate: how statistics behave where there can be no synapse."""

# ruff: noqa: PLR0917  (a judgement is told by its parts)
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.copying._fdr import empirical_null, two_sided_p
from neurograft.copying.intracellular._judgement import Explained, Judgement, open_pairs
from neurograft.copying.intracellular._options import IntracellularOptions
from neurograft.copying.intracellular.judging._amplitude import alone
from neurograft.copying.intracellular.judging._calls import Called
from neurograft.copying.intracellular.judging._posterior import judge_all
from neurograft.copying.intracellular.judging._templates import Family
from neurograft.copying.intracellular.properties._properties import Properties
from neurograft.copying.intracellular.regression._boxes import box_z
from neurograft.copying.intracellular.regression._design import ACAUSAL
from neurograft.maps import Undecidable

_LOCAL_LEVELS = (0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
_LEVELS = np.array([0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001])


class NullEvidence(NamedTuple):
    """How the statistics behave where there can be no synapse: at shifted designs, and before the spike."""

    n_shifts: int
    shift_sd: float  # of single boxes' z at shifted designs; 1 when standard errors are right
    shift_tail: float  # share of |z| > 3 there; 0.0027 when normal
    template_sd: float  # of the direct templates' z there; standard errors are widened by it
    decoy_share: float  # calls in shifted designs over calls in the true one, per design: chance's part of the FDR
    acausal_mean: float  # z of the 6 ms before the spike, at the true design
    acausal_sd: float
    centre: float  # Efron's empirical null over all pairs, at the commonest latency
    sd: float
    calibration: Float64[ndarray, "levels 3"]  # nominal p; share below it at shifted designs; and before the spike
    decoys: Float64[ndarray, "levels 3"]  # local FDR up to which is counted; pairs of the true design; of a shifted one
    n_quiet: int  # calls that the fit without bursts could judge; 0 where it was not made
    n_stand: int  # ... and that have the same sign there, over two standard errors


def null_evidence(
    found: Explained,
    judgement: Judgement,
    called: Called,
    undecidable: ndarray,
    options: IntracellularOptions,
    measured: Properties,
    n_threads: int,
) -> NullEvidence:
    """Return the evidence of a map that was called."""
    is_open = open_pairs(undecidable)
    among = is_open[np.ix_(found.null, found.null)]
    single = np.concatenate([box_z(f, box)[among] for f in found.shifted for box in range(found.fit.beta.shape[1])])
    before = box_z(found.fit, ACAUSAL)[is_open]
    single, before = single[~np.isnan(single)], before[~np.isnan(before)]
    kinds, scale = found.kinds.among(found.null), np.count_nonzero(is_open) / max(np.count_nonzero(among), 1)
    worst = float(np.min(judgement.judged.direct[called.is_synapse], initial=1.0))
    false = [
        judge_all(
            f,
            kinds,
            among,
            judgement.mixture,
            sd=judgement.sd,
            is_dale=options.is_dale,
            is_sure=among,
            n_threads=n_threads,
        ).direct[among]
        for f in found.shifted
    ]
    decoys = scale * sum(int(np.count_nonzero(direct >= worst)) for direct in false)
    target = judgement.judged.direct[is_open & (called.undecidable != Undecidable.CROSS_TALK)]
    counts = [
        (level, np.sum(1 - target <= level), scale * np.sum(1 - np.concatenate(false) <= level) / len(false))
        for level in _LOCAL_LEVELS
    ]
    stands = measured.stands()
    n_calls = int(np.count_nonzero(called.is_synapse))
    commonest = int(np.argmax(judgement.mixture.direct.sum(axis=1)))
    image = found.kinds.of(Family.DIRECT).image[commonest : commonest + 1]
    efron = empirical_null(alone(found.fit, image, np.arange(len(is_open)), n_threads=n_threads).z[0][is_open])
    p_shift, p_before = two_sided_p(single), two_sided_p(before)
    levels = [(level, np.mean(p_shift <= level), np.mean(p_before <= level)) for level in _LEVELS if before.size]
    return NullEvidence(
        n_shifts=len(found.shifted),
        shift_sd=float(np.std(single)) if single.size else np.nan,
        shift_tail=float(np.mean(np.abs(single) > 3)) if single.size else np.nan,
        template_sd=judgement.sd,
        decoy_share=decoys / len(found.shifted) / n_calls if n_calls else np.nan,
        acausal_mean=float(np.mean(before)) if before.size else np.nan,
        acausal_sd=float(np.std(before)) if before.size else np.nan,
        centre=efron.centre,
        sd=efron.sd,
        calibration=np.array(levels, dtype=np.float64).reshape(-1, 3),
        decoys=np.array(counts, dtype=np.float64),
        n_quiet=len(stands),
        n_stand=int(np.count_nonzero(stands)),
    )
