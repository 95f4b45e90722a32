"""Choosing a forecaster by what it is for: free-running over stretches that it has not seen.

One-step errors choose wrongly: models that diverge in closed loop have the better ones.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast, final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from neurograft.errors import NeurograftError, OptionError, SeriesError
from neurograft.progress import Progress, silent
from neurograft.reservoirs._check import checked_series, scaling_of
from neurograft.reservoirs._flow_map import FlowMap
from neurograft.reservoirs._forecast import Forecast, Forecaster, one_step_score
from neurograft.reservoirs._integral import IntegralNvar
from neurograft.reservoirs._kernel_nvar import KernelNvar
from neurograft.reservoirs._monomials import MOST_FEATURES
from neurograft.reservoirs._nvar import Nvar
from neurograft.reservoirs._smoothing import Smoothing

_PENALTY: Final = 10.0  # decades added to a rollout that leaves the guard
_FLOOR: Final = 1e-9  # errors below are equally good
_LEAST_FIT_ROWS: Final = 12
_MOST_FEATURES: Final = 350
_MOST_REFINED: Final = 400
_MOST_SMOOTHED: Final = 120


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One candidate's closed-loop score (mean decadic logarithm of its scaled error; less is better) and bounds."""

    model: str
    score: float
    is_bounded: bool
    refused: str = ""


@final
class ClosedLoopChoice(BaseEstimator):
    """Fits every candidate to the first part of a series, lets each run free over the rest, refits the best on all.

    Parameters
    ----------
    dt
        Time between two rows, for the default candidates.
    candidates
        Unfitted forecasters; ``default_candidates`` of the series' columns if None.
    held_out
        Share of the rows at the end that candidates are judged on.
    n_starts
        Starts of free runs in that part.
    most_rows
        The choice looks at the last so many rows only; the winner learns from all.
    progress
        Told after every candidate.

    After ``fit``: ``model_`` is the winner, ``trials_`` lists all.
    """

    def __init__(
        self,
        *,
        dt: float = 1.0,
        candidates: Sequence[Forecaster] | None = None,
        held_out: float = 0.25,
        n_starts: int = 5,
        most_rows: int = 1000,
        progress: Progress = silent,
    ) -> None:
        self.dt = dt
        self.candidates = candidates
        self.held_out = held_out
        self.n_starts = n_starts
        self.most_rows = most_rows
        self.progress = progress

    def fit(self, X: ndarray, y: ndarray | None = None) -> "ClosedLoopChoice":
        """Choose and fit; a series too short to hold a part out is refused."""
        if not 0 < self.held_out < 0.9 or self.n_starts < 1:
            raise OptionError(f"held_out is {self.held_out}, n_starts {self.n_starts}. Give 0 to 0.9, and 1 or more.")
        whole = checked_series(X, min_rows=_LEAST_FIT_ROWS + 4)
        x = whole[-max(self.most_rows, _LEAST_FIT_ROWS + 4) :]
        n_fit = max(round(x.shape[0] * (1 - self.held_out)), _LEAST_FIT_ROWS)
        scale = scaling_of(x).scale
        candidates = self.candidates or default_candidates(x.shape[1], dt=self.dt)
        self.trials_ = []
        for i, candidate in enumerate(candidates):
            self.trials_.append(self._trial(candidate, x, n_fit, scale))
            self.progress("choosing a model", i + 1, len(candidates))
        for place in np.argsort([t.score for t in self.trials_], kind="stable"):
            if not np.isfinite(self.trials_[place].score):
                break
            winner = cast("Forecaster", clone(candidates[place]))
            try:
                winner.fit(whole)
            except NeurograftError:
                continue
            self.model_, self.best_ = winner, self.trials_[place]
            return self
        raise SeriesError(
            f"None of {len(candidates)} models could be fitted to {x.shape[0]} rows of {x.shape[1]} columns; the first "
            f"said: {self.trials_[0].refused} Give a longer series or your own candidates."
        )

    def _trial(self, candidate: Forecaster, x: ndarray, n_fit: int, scale: ndarray) -> Trial:
        name = " ".join(str(candidate).split())
        model = cast("Forecaster", clone(candidate))
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                model.fit(x[:n_fit])
                score, is_bounded = self._judged(model, x, n_fit, scale)
        except (NeurograftError, np.linalg.LinAlgError) as error:
            return Trial(model=name, score=np.inf, is_bounded=False, refused=str(error))
        return Trial(model=name, score=score, is_bounded=is_bounded)

    def _judged(self, model: Forecaster, x: ndarray, n_fit: int, scale: ndarray) -> tuple[float, bool]:
        left = x.shape[0] - n_fit
        n_steps = max(round(0.6 * left), 1)
        last_start = max(left - n_steps, 0)
        begins = np.unique(np.linspace(n_fit, n_fit + last_start, self.n_starts).astype(int))
        begins = begins[begins >= model.n_history]
        history = np.stack([x[b - model.n_history : b] for b in begins])
        truth = np.stack([x[b : b + n_steps] for b in begins])
        found = model.forecast(n_steps, history)
        error = np.sqrt(np.mean(((found.values - truth) / scale) ** 2, axis=(1, 2)))
        has_left = np.asarray(found.n_bounded) < n_steps
        score = float(np.mean(np.log10(error + _FLOOR) + _PENALTY * has_left))
        return (score if np.isfinite(score) else np.inf), not has_left.any()

    def forecast(self, n_steps: int, history: ndarray | None = None) -> Forecast:
        """Return the winner's forecast."""
        check_is_fitted(self, "model_")
        return self.model_.forecast(n_steps, history)

    def predict(self, X: Float64[ndarray, "rows columns"]) -> ndarray:
        """Return for each row the row that comes next, by the winner."""
        check_is_fitted(self, "model_")
        return self.model_.predict(X)

    def score(self, X: ndarray, y: ndarray | None = None) -> float:
        """Return R^2 of each row predicted from those before; ``y`` is ignored."""
        return one_step_score(self.predict, X)

    @property
    def n_history(self) -> int:
        """Rows of history that a forecast starts from; 1 while nothing is chosen."""
        return self.model_.n_history if hasattr(self, "model_") else 1


def default_candidates(n_columns: int, *, dt: float) -> list[Forecaster]:
    """Return the models that a choice is made among, those left out that would have too many features."""
    found: list[Forecaster] = []
    for degree in (2, 3, 4, 5):
        n = _n_monomials(n_columns, degree)
        if n > _MOST_FEATURES:
            continue
        for order in (6, 8):
            found += [IntegralNvar(dt=dt, degree=degree, order=order, ridge=r) for r in (0.0, 1e-10, 1e-7, 1e-5)]
        if n * n_columns <= _MOST_REFINED:
            found += [IntegralNvar(dt=dt, degree=degree, order=8, ridge=r, refine=FlowMap()) for r in (0.0, 1e-10)]
        if n * n_columns <= _MOST_SMOOTHED:
            sparse = Smoothing(least_t=3.0)
            found.append(IntegralNvar(dt=dt, degree=degree, order=6, refine=sparse, is_centred=False))
    for n_taps, degree in ((1, 2), (1, 3), (1, 4), (1, 5), (1, 6), (2, 2), (2, 3), (3, 2)):
        if _n_monomials(n_taps * n_columns, degree) <= _MOST_FEATURES:
            found += [Nvar(n_taps=n_taps, degree=degree, ridge=r) for r in (1e-8, 1e-6, 1e-4, 1e-2)]
    for n_taps in (1, 2):
        found += [
            KernelNvar(n_taps=n_taps, length=length, ridge=r)
            for length in (1.5, 4.0, 10.0)
            for r in (1e-14, 1e-11, 1e-8, 1e-5)
        ]
    return found


def _n_monomials(n_inputs: int, degree: int) -> int:
    n = 1
    for k in range(1, degree + 1):
        n = n * (n_inputs + k) // k
        if n > MOST_FEATURES:
            break
    return n
