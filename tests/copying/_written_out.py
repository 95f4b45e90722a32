"""A judgement written out: arrays of pairs x templates x sizes, with 64 bits."""

import numpy as np
from scipy.special import expit, log_ndtr, logsumexp

from neurograft.copying.intracellular.judging._evidence import BULK, EARLY, LATE
from neurograft.copying.intracellular.judging._mixture import DIRECT_SD_V, RIVAL_SD_V, Judged
from neurograft.copying.intracellular.judging._templates import Family


def evidence(found, kinds, is_open, sd):
    """Log Bayes factors of half-normal (direct) and normal (rival) amplitudes against none (Wakefield 2009, eq. 2).

    Positive and negative, of direct templates, and of rivals, each [pairs, templates, sizes].
    """
    z, information = found.z[:, is_open].T / sd, found.information[:, is_open].T / sd**2
    direct = kinds.family == Family.DIRECT

    def factors(mine, sizes_v):
        ratio = information[:, mine, None] * sizes_v**2
        shrunk = ratio / (1 + ratio)
        return 0.5 * (z[:, mine, None] ** 2 * shrunk - np.log1p(ratio)), z[:, mine, None] * np.sqrt(shrunk)

    both, standard = factors(direct, DIRECT_SD_V)
    rival, _ = factors(~direct, RIVAL_SD_V)
    plus, minus = both + np.log(2) + log_ndtr(standard), both + np.log(2) + log_ndtr(-standard)
    under = kinds.is_under_talk[direct]
    talk = rival[:, kinds.family[~direct] == Family.CROSS_TALK]
    talk = logsumexp(talk, axis=(1, 2)) - np.log(talk.shape[1] * talk.shape[2])
    plus[:, under] += talk[:, None, None]
    minus[:, under] += talk[:, None, None]
    return plus, minus, rival


def weighed_out(found, kinds, is_open, mixture, sd):
    """Log of each template's share times its Bayes factor: positive, negative, rivals, [pairs, templates]."""
    shares = mixture.direct, mixture.direct, mixture.rival
    return [
        logsumexp(factors + np.log(share), axis=2)
        for factors, share in zip(evidence(found, kinds, is_open, sd), shares, strict=True)
    ]


def judge_written_out(found, kinds, is_open, mixture, *, sd, is_dale, is_sure=None):
    """What ``judge_all`` returns, from the scores of all pairs."""
    plus, minus, rival = weighed_out(found, kinds, is_open, mixture, sd)
    top = np.maximum(np.max(np.concatenate([plus, minus, rival], axis=1), axis=1), 0.0)[:, None]
    plus, minus, rival, nothing = (np.exp(x - top) for x in (plus, minus, rival, np.log(mixture.nothing) + 0 * top))
    odd, pre = 0.01 if is_dale else 0.5, np.nonzero(is_open)[0]
    rest = rival.sum(axis=1) + nothing[:, 0]
    up, down = plus.sum(axis=1), minus.sum(axis=1)
    gain = np.log((1 - odd) * up + odd * down + rest) - np.log(odd * up + (1 - odd) * down + rest)
    sure = np.ones(len(pre), dtype=bool) if is_sure is None else is_sure[is_open]
    excitatory = expit(np.bincount(pre[sure], gain[sure], minlength=len(is_open)))
    chance = ((1 - odd) * excitatory + odd * (1 - excitatory))[pre, None]
    up, down = chance * plus, (1 - chance) * minus
    both, latency_s = up + down, kinds.latency_s[kinds.family == Family.DIRECT]
    late = ~mixture.is_bulk & (latency_s > latency_s[mixture.is_bulk].max())
    stage = np.where(mixture.is_bulk, BULK, np.where(late, LATE, EARLY))
    rivals = kinds.family[kinds.family != Family.DIRECT]
    joint = np.stack([rival[:, rivals == family].sum(axis=1) for family in Family])
    for family, kept in ((Family.DIRECT, BULK), (Family.INDIRECT, LATE), (Family.COMMON, EARLY)):
        joint[family] += both[:, stage == kept].sum(axis=1)
    bulk = np.where(stage == BULK, both, 0.0)
    rest = joint[1:].sum(axis=0) + nothing[:, 0]
    prior = mixture.direct[mixture.is_bulk].sum()
    best = np.flatnonzero(kinds.family == Family.DIRECT)[np.argmax(bulk, axis=1)]
    z, root = (x[:, is_open][best, np.arange(len(pre))] for x in (found.z, np.sqrt(found.information)))
    mean_s = bulk @ latency_s / bulk.sum(axis=1)
    variance_s2 = np.sum(bulk * (latency_s - mean_s[:, None]) ** 2, axis=1) / bulk.sum(axis=1)
    alone = plus[:, stage == BULK].sum(axis=1) / (plus + minus)[:, stage == BULK].sum(axis=1)

    def spread(values):
        out = np.full(is_open.shape, np.nan)
        out[is_open] = values
        return out

    unseen = root == 0
    z[unseen], root[unseen] = np.nan, np.nan
    return Judged(
        direct=spread(joint[0] / (joint[0] + rest)),
        log_odds=spread(np.log(joint[0]) - np.log(rest) - np.log(prior / (1 - prior))),
        family=np.stack([spread(part / (joint[0] + rest)) for part in joint]),
        sign=spread(np.sign((up - down)[:, stage == BULK].sum(axis=1))),
        amplitude_v=spread(z / root),
        se_v=spread(sd / root),
        latency_s=spread(mean_s),
        latency_sd_s=spread(np.sqrt(variance_s2)),
        excitatory_alone=spread(alone),
        excitatory=excitatory,
    )


def learn_written_out(found, kinds, is_open, *, sd, is_dale):
    """The shares that ``learn`` finds in eighty steps of expectation-maximisation: of nothing, direct, rivals."""
    logs = evidence(found, kinds, is_open, sd)
    top = np.maximum(np.max([np.max(x, axis=(1, 2)) for x in logs], axis=0), 0.0)
    plus, minus, rival = (np.exp(x - top[:, None, None]) for x in logs)
    start = 0.94, np.full(plus.shape[1:], 0.03 / plus[0].size), np.full(rival.shape[1:], 0.03 / rival[0].size)
    nothing, (bare, direct, other) = np.exp(-top), start
    odd, pre = 0.01 if is_dale else 0.5, np.nonzero(is_open)[0]
    excitatory, n = np.full(len(is_open), 0.5), len(top) + 50.0
    for _ in range(80):
        chance = ((1 - odd) * excitatory + odd * (1 - excitatory))[pre]
        both = chance[:, None, None] * plus + (1 - chance)[:, None, None] * minus
        total = np.sum(both * direct, axis=(1, 2)) + np.sum(rival * other, axis=(1, 2)) + nothing * bare
        direct = (np.einsum("p,pts->ts", 1 / total, both) * direct + 50.0 * start[1]) / n
        other = (np.einsum("p,pts->ts", 1 / total, rival) * other + 50.0 * start[2]) / n
        bare = (np.sum(nothing / total) * bare + 50.0 * start[0]) / n
        up, down = np.sum(plus * direct, axis=(1, 2)), np.sum(minus * direct, axis=(1, 2))
        rest = np.sum(rival * other, axis=(1, 2)) + nothing * bare
        gain = np.log((1 - odd) * up + odd * down + rest) - np.log(odd * up + (1 - odd) * down + rest)
        excitatory = expit(np.bincount(pre, gain, minlength=len(is_open)))
    return bare, direct, other
