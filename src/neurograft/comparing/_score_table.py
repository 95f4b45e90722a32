"""A copied map and the truth matched pair by pair, and the figures of any part of the pairs."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from neurograft.comparing._pairs import PairRows, pair_rows, row_of
from neurograft.comparing._ranking import Ranking, Share, share
from neurograft.comparing._score_result import DelayError, Found, Slice, StrengthError
from neurograft.comparing._statistics import pearson, ranks
from neurograft.maps import Kind, SynapseMap, Undecidable


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """The truth and the map in the map's numbering, matched pair by pair."""

    true: PairRows
    called: PairRows
    call_of_true: Int64[ndarray, " true"]  # the row of ``called`` with the same pair, -1: missed
    true_of_call: Int64[ndarray, " called"]
    signed: Float64[ndarray, "n n"]  # signed score of each pair, [pre, post]
    ranked_by: str
    is_decided: Bool[ndarray, "n n"]
    off_diagonal: Bool[ndarray, "n n"]

    @staticmethod
    def of(m: SynapseMap, truth: SynapseMap) -> "Table":
        """Return the map's neurons' pairs, matched; the truth's other neurons are left out."""
        true, called = (pair_rows(x, m.labels, with_self=False) for x in (truth, m))
        signed, ranked_by = _signed_scores(m, called)
        n = m.n_neurons
        is_decided = np.ones((n, n), dtype=np.bool_)
        if m.evidence is not None:
            is_decided = m.evidence.undecidable == Undecidable.DECIDED
        return Table(
            true=true,
            called=called,
            call_of_true=row_of(true.key, called),
            true_of_call=row_of(called.key, true),
            signed=signed,
            ranked_by=ranked_by,
            is_decided=is_decided,
            off_diagonal=~np.eye(n, dtype=np.bool_),
        )

    def true_pairs(self, sign: int = 0) -> Bool[ndarray, "n n"]:
        """Return which pairs are connected in truth, of one sign or of any (0)."""
        n = self.true.n_neurons
        pairs = np.zeros(n * n, dtype=np.bool_)
        pairs[self.true.key if sign == 0 else self.true.key[np.sign(self.true.weight_v) == sign]] = True
        return pairs.reshape(n, n)


def _signed_scores(m: SynapseMap, called: PairRows) -> tuple[Float64[ndarray, "n n"], str]:
    """Return a score of every pair whose size ranks it and whose sign is the synapse's; 0 where nothing is known."""
    if m.evidence is not None:
        return np.nan_to_num(m.evidence.z.astype(np.float64), nan=0.0), "|z|"
    strength = np.abs(called.weight_v)
    if np.isnan(called.q_value).all():
        size, name = strength, "|weight|"
    else:
        q = np.where(np.isnan(called.q_value), 1.0, called.q_value)
        table = np.stack([-q, strength], axis=1)
        size = 1.0 + np.unique(table, axis=0, return_inverse=True)[1].ravel()
        name = "q-value, then |weight|"
    signed = np.zeros(m.n_neurons**2)
    signed[called.key] = np.where(called.weight_v < 0, -size, size)
    return signed.reshape(m.n_neurons, m.n_neurons), name


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """True synapses and calls of one part of the pairs."""

    table: Table
    is_true: Bool[ndarray, " true"]
    is_call: Bool[ndarray, " called"]

    @staticmethod
    def whole(table: Table) -> "Part":
        """Return the part that is everything."""
        return Part(
            table=table,
            is_true=np.ones(table.true.key.size, dtype=np.bool_),
            is_call=np.ones(table.called.key.size, dtype=np.bool_),
        )

    def found(self) -> tuple[ndarray, ndarray]:
        """Return the rows of the true synapses that were found, and of their calls."""
        row = np.flatnonzero(self.is_true & (self.table.call_of_true >= 0))
        return row, self.table.call_of_true[row]

    def found_as_known(self) -> tuple[ndarray, ndarray]:
        """Return the same without calls whose kind, and so sign, is said to be undecided."""
        row, call = self.found()
        known = self.table.called.kind[call] != Kind.UNDECIDED
        return row[known], call[known]

    def listed(self) -> Found:
        """Return what the synapses found are and were called."""
        row, call = self.found()
        true, called = self.table.true, self.table.called
        return Found(
            true_v=true.weight_v[row],
            called_v=called.weight_v[call],
            true_delay_s=true.delay_s[row],
            called_delay_s=called.delay_s[call],
        )

    def slice(self, low: float, high: float, ranks_as: Ranking) -> Slice:
        """Return all figures of this part, under its borders."""
        table = self.table
        return Slice(
            low=low,
            high=high,
            ranking=ranks_as,
            recall=share(self.found()[0].size, int(np.count_nonzero(self.is_true))),
            realised_fdr=share(
                int(np.count_nonzero(self.is_call & (table.true_of_call < 0))), int(np.count_nonzero(self.is_call))
            ),
            sign_error=self.sign_error(),
            kind_error=self.kind_error(),
            delay=self.delay(),
            strength=self.strength(),
        )

    def sign_error(self) -> Share:
        """Return the share of found synapses whose sign is wrong, undecided kinds left out."""
        row, call = self.found_as_known()
        wrong = self.table.true.weight_v[row] * self.table.called.weight_v[call] < 0
        return share(int(np.count_nonzero(wrong)), row.size)

    def kind_error(self) -> Share:
        """Return the share of found synapses whose kind is wrong; a plain CHEMICAL fits every chemical kind.

        Undecided kinds are left out.
        """
        row, call = self.found_as_known()
        true, called = self.table.true.kind[row], self.table.called.kind[call]
        is_chemical = (true != Kind.ELECTRICAL) & (called != Kind.ELECTRICAL)
        is_plain = (true == Kind.CHEMICAL) | (called == Kind.CHEMICAL)
        return share(int(np.count_nonzero((true != called) & ~(is_chemical & is_plain))), row.size)

    def delay(self) -> DelayError:
        """Return the delay errors of the synapses found."""
        row, call = self.found()
        chemical = self.table.true.kind[row] != Kind.ELECTRICAL
        error_s = (self.table.called.delay_s[call] - self.table.true.delay_s[row])[chemical]
        if error_s.size == 0:
            return DelayError(n=0, bias_s=np.nan, median_abs_s=np.nan, p90_abs_s=np.nan)
        return DelayError(
            n=error_s.size,
            bias_s=float(error_s.mean()),
            median_abs_s=float(np.median(np.abs(error_s))),
            p90_abs_s=float(np.quantile(np.abs(error_s), 0.9)),
        )

    def strength(self) -> StrengthError:
        """Return the strength errors of the synapses found whose kind is decided."""
        row, call = self.found_as_known()
        true_v, called_v = self.table.true.weight_v[row], self.table.called.weight_v[call]
        se_v = self.table.called.weight_se_v[call]
        stated = ~np.isnan(se_v)
        inside = np.abs(called_v - true_v)[stated] <= 1.96 * se_v[stated]
        squares = float(true_v @ true_v)
        ratio = called_v[true_v != 0] / true_v[true_v != 0]
        return StrengthError(
            n=row.size,
            pearson=pearson(called_v, true_v),
            spearman=pearson(ranks(called_v), ranks(true_v)),
            slope=float(called_v @ true_v) / squares if squares > 0 else np.nan,
            median_ratio=float(np.median(ratio)) if ratio.size else np.nan,
            coverage=share(int(np.count_nonzero(inside)), inside.size),
        )
