"""From statistics of all pairs to decisions: synapse, none found, or undecidable and why."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt8
from numpy import ndarray

from neurograft.copying._fdr import Null, empirical_null, local_fdr, signed_q_values
from neurograft.copying.spikes._judge import Verdict
from neurograft.copying.spikes._pairs import PairStatistics
from neurograft.maps import Undecidable

_ODD_ZERO_LAG_Z = 3.5
_BLIND_RATIO = 0.5
_ASYMMETRY_Z = 3.0
_SAME_SIDE_Z = 1.5
_ECHO_SHARE = 0.6
_MOST_LOCAL = 4.0  # times the rate asked for: .2 of local false discoveries at .05 (Efron 2007, Ann. Stat. 35, 1351)
_POWER_Z = 0.8416212335729143  # 80 % power


class Decisions(NamedTuple):
    """What is known of each ordered pair; axes pre, post."""

    z: Float32[ndarray, "neurons neurons"]  # standard normal where there is no synapse; NaN untested
    q: Float64[ndarray, "neurons neurons"]
    local_fdr: Float64[ndarray, "neurons neurons"]
    is_synapse: Bool[ndarray, "neurons neurons"]
    undecidable: UInt8[ndarray, "neurons neurons"]
    null: Null
    needed_z: float  # |z| from which a pair was called, or would have been
    is_drive_separable: bool


def decide(
    found: PairStatistics,
    n_spikes: ndarray,
    is_duplicate: Bool[ndarray, " neurons"],
    *,
    fdr: float,
    is_drive_separable: bool,
) -> Decisions:
    """Return calls at the false-discovery rate ``fdr`` and the reasons of pairs that cannot be decided.

    Where drives cannot be told from synapses by other neurons, every call has to be stronger after the
    presynaptic spike than before it.
    """
    raw = found.z.astype(np.float64)
    silent = (n_spikes == 0)[:, None] | (n_spikes == 0)[None, :]
    duplicate = is_duplicate[:, None] | is_duplicate[None, :]
    raw[silent | duplicate] = np.nan
    tested = ~np.isnan(raw)
    null = _null(raw[tested])
    q, rate = np.full(raw.shape, np.nan), np.full(raw.shape, np.nan)
    q[tested] = signed_q_values(raw[tested], null=null)
    rate[tested] = local_fdr(raw[tested], null=null)
    z = (raw - null.centre) / null.sd
    significant = q <= fdr
    pad, drive = _confounded(found, z, significant, is_drive_separable=is_drive_separable)
    drive |= _echoes(z, significant) & ~pad
    undecidable = np.full(raw.shape, Undecidable.DECIDED, dtype=np.uint8)
    undecidable[drive] = Undecidable.COMMON_DRIVE
    undecidable[pad | duplicate] = Undecidable.SHARED_PAD
    undecidable[silent] = Undecidable.SILENT
    np.fill_diagonal(undecidable, Undecidable.DECIDED)
    return Decisions(
        z=z.astype(np.float32),
        q=q,
        local_fdr=rate,
        is_synapse=significant & ~pad & ~drive,
        undecidable=undecidable,
        null=null,
        needed_z=_needed_z(z[tested], significant[tested], fdr),
        is_drive_separable=is_drive_separable,
    )


def decide_judged(plain: Decisions, judged: Verdict, q: Float64[ndarray, "pre post"], *, fdr: float) -> Decisions:
    """Return the trained judge's calls, with the reasons for doubt that one pair's statistics give.

    ``plain`` are the decisions by the regression alone: what it would call and the judge does not is left
    undecidable, as common drive; what a shared electrode hides stays hidden.  Many sure calls make no call of one
    that is likely to be false itself.
    """
    tested = ~np.isnan(plain.z)
    is_pad = plain.undecidable == Undecidable.SHARED_PAD
    is_synapse = tested & ~is_pad & (q <= fdr) & (1 - judged.chance <= _MOST_LOCAL * fdr)
    undecidable = np.where(plain.undecidable == Undecidable.COMMON_DRIVE, Undecidable.DECIDED, plain.undecidable)
    doubtful = tested & ~is_pad & ~is_synapse & (plain.q <= fdr)
    undecidable[doubtful] = Undecidable.COMMON_DRIVE
    size = np.abs(plain.z[is_synapse])
    needed = max(plain.needed_z, float(np.quantile(size, 0.25))) if size.size else plain.needed_z
    return plain._replace(
        z=np.where(tested, judged.z, np.nan).astype(np.float32),
        q=np.where(tested, q, np.nan),
        local_fdr=np.where(tested, 1 - judged.chance, np.nan),
        is_synapse=is_synapse,
        undecidable=undecidable.astype(np.uint8),
        needed_z=needed,
    )


def limits_counts(found: PairStatistics, decisions: Decisions) -> Float64[ndarray, "neurons neurons"]:
    """Return the extra coincidences that a pair needs to be called with 80 % power.

    They must lift the best window's z past the threshold by .84 of its standard deviation.
    """
    single = decisions.needed_z * decisions.null.sd + max(decisions.null.centre, 0.0)
    largest = np.interp(single, found.table.single, found.table.largest)
    counts = (largest + _POWER_Z) * np.sqrt(np.maximum(found.variance.astype(np.float64), 1.0))
    if decisions.is_drive_separable:
        return counts
    lopsided = (_ASYMMETRY_Z + _POWER_Z) * np.sqrt(np.maximum(2.0 * found.expected.astype(np.float64), 1.0))
    return np.maximum(counts, lopsided)


def _null(z: Float64[ndarray, " tested"]) -> Null:
    """Return the empirical null, never narrower than the theoretical one."""
    null = empirical_null(z)
    return null._replace(sd=max(null.sd, 1.0))


def _echoes(z: ndarray, significant: ndarray) -> Bool[ndarray, "neurons neurons"]:
    """Return calls of one sign under the stronger opposite effect of the other direction.

    A neuron that has just driven another is itself just reset: seen from the other one, that looks like
    inhibition (and release from inhibition like excitation).  In simulated networks such echoes reach half
    of what they follow, and are most false calls there.
    """
    return significant & (z * z.T < 0) & (np.abs(z) < _ECHO_SHARE * np.abs(z.T))


def _confounded(
    found: PairStatistics, z: ndarray, significant: ndarray, *, is_drive_separable: bool
) -> tuple[ndarray, ndarray]:
    """Return the pairs whose shape speaks of a shared electrode, and of a shared drive.

    An odd count at lags too short for a synapse, or the same effect before and after the spike, is no
    synapse's doing.  A call then stands only if the causal side differs from the acausal one.  Where a
    sorter saw hardly any coincidence at all, a pair without a call is not known to be unconnected either.
    """
    direction = np.sign(z)
    is_lopsided = direction * found.asymmetry_z >= _ASYMMETRY_Z
    open_to_doubt = significant & ~is_lopsided
    is_blind = (found.zero_z < -_ODD_ZERO_LAG_Z) & (found.zero_ratio < _BLIND_RATIO)
    has_dip = found.zero_z < -_ODD_ZERO_LAG_Z
    # A sorter's dead time reaches into the first causal lags: no trough beside a dip is inhibition.
    pad = (open_to_doubt & has_dip) | (significant & has_dip & (direction < 0)) | (is_blind & ~significant)
    both_sides = significant & significant.T & (direction == direction.T) & (direction * found.zero_z > _SAME_SIDE_Z)
    is_odd = (found.zero_z > _ODD_ZERO_LAG_Z) | both_sides | (not is_drive_separable)
    drive = open_to_doubt & ~pad & is_odd
    return pad, drive


def _needed_z(z: Float64[ndarray, " tested"], significant: ndarray, fdr: float) -> float:
    """Return the smallest called |z|, or where nothing is called that of p = fdr / tests."""
    if np.any(significant):
        return float(np.min(np.abs(z[significant])))
    from scipy.special import ndtri

    return float(-ndtri(fdr / max(z.size, 1) / 2))


def presynaptic_sign(
    pre: ndarray, direction: ndarray, rate: Float64[ndarray, " synapses"], n_neurons: int
) -> tuple[ndarray, Float64[ndarray, " neurons"]]:
    """Return each neuron's sign by Dale's law and the probability that it is excitatory.

    Every output votes with the odds that it is what it seems: its local false-discovery rate, not below
    2 %, is the chance that its sign is chance.  Below 95 % certainty the sign is 0.  No synapse is changed.
    """
    wrong = np.clip(rate, 0.02, 0.98) / 2
    log_odds = np.bincount(pre, weights=direction * np.log((1 - wrong) / wrong), minlength=n_neurons)
    excitatory = 1 / (1 + np.exp(-log_odds))
    sign = np.where(excitatory > 0.95, 1, np.where(excitatory < 0.05, -1, 0)).astype(np.int8)
    return sign, excitatory
