"""One number of a copy beside what chance and the original itself give, with its interval: larger is nearer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.comparing._json import as_plain, plain_fields
from neurograft.comparing._statistics import pearson


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """A similarity of the copy: 95 % interval, the same of the original itself, and of every null map.

    ``p`` is the rank of the copy among the nulls, (1 + nulls at least as near) / (1 + nulls); NaN without nulls.
    """

    name: str
    meaning: str
    value: float
    low: float
    high: float
    itself: float
    nulls: Float64[ndarray, " draws"]

    @property
    def p(self) -> float:
        """The chance that a null comes as near."""
        known = self.nulls[np.isfinite(self.nulls)]
        if known.size == 0 or np.isnan(self.value):
            return float("nan")
        return (1 + int(np.sum(known >= self.value))) / (1 + known.size)

    def as_json(self) -> dict[str, object]:
        """Return plain values, NaN as None."""
        return {**plain_fields(self), "p": as_plain(self.p)}

    @property
    def null_mean(self) -> float:
        """The nulls' mean; NaN without."""
        known = self.nulls[np.isfinite(self.nulls)]
        return float(known.mean()) if known.size else float("nan")


def judged_lines(title: str, rows: Sequence[Judged]) -> list[str]:
    """Return a table in text: value with its interval, the original itself, the nulls and p."""
    head = ("measure", "copy", "95 %", "itself", "shuffled", "p")
    table = [
        head,
        *(
            (
                row.name,
                _short(row.value),
                f"{_short(row.low)} to {_short(row.high)}",
                _short(row.itself),
                _short(row.null_mean),
                _short(row.p),
            )
            for row in rows
        ),
    ]
    width = [max(len(line[k]) for line in table) for k in range(len(head))]
    return [title, *("  ".join(c.ljust(w) for c, w in zip(line, width, strict=True)).rstrip() for line in table)]


def correlation_of(a: Float64[ndarray, " values"], b: Float64[ndarray, " values"]) -> float:
    """Return Pearson's correlation; 0 where one of the two does not vary, for it then tells nothing of the other."""
    r = pearson(a, b)
    return 0.0 if np.isnan(r) else r


def _short(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3g}"
