"""What an image is worth after days and years, and what keeping it fresh costs."""

from dataclasses import dataclass, replace
from typing import final

import numpy as np

from neurograft.cells import (
    ROOM_TEMPERATURE_K,
    AbsentUnused,
    Figure,
    Flag,
    LogEntry,
    MemoryImage,
    ProgramAndVerify,
    ZeroUnused,
    image_to_map,
)
from neurograft.errors import CellError, OptionError
from neurograft.maps import SynapseMap
from neurograft.pasting._rewrite import addresses, rewritten
from neurograft.pasting._summary import summarise, trial_sums
from neurograft.units import DAY, YEAR

_ZERO_C_IN_K = 273.15


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Aged:
    """Errors at an age; None where the card was never measured that long, and ``why`` says so.

    ``gain`` is the one factor on all sums that fits best; a chip can set it (drift lowers all cells alike).
    """

    age_s: float
    temperature_k: float
    weight_error: float | None
    product_error: float | None
    gain: float | None
    error_after_gain: float | None
    why: str = ""

    def line(self) -> str:
        """Return the errors in words."""
        head = f"after {self.age_s / DAY:g} days at {self.temperature_k - _ZERO_C_IN_K:.4g} C: "
        if self.product_error is None or self.weight_error is None or self.gain is None:
            return head + self.why
        return head + (
            f"error of weights {self.weight_error:.1%}, of sums {self.product_error:.1%}, "
            f"{self.error_after_gain:.1%} after a gain of {self.gain:.3g}"
        )


def ageing(
    image: MemoryImage,
    m: SynapseMap,
    *,
    ages_s: tuple[float, ...] = (0.0, DAY, YEAR, 10 * YEAR),
    temperature_k: float = ROOM_TEMPERATURE_K,
    unused: AbsentUnused | ZeroUnused | None = None,
    seed: int = 0,
) -> tuple[Aged, ...]:
    """Return the errors of weights and postsynaptic sums at each age, read with noise."""
    rows: list[Aged] = []
    for age_s in ages_s:
        try:
            rows.append(_aged(image, m, age_s=age_s, temperature_k=temperature_k, unused=unused, seed=seed))
        except CellError as error:
            rows.append(
                Aged(
                    age_s=age_s,
                    temperature_k=temperature_k,
                    weight_error=None,
                    product_error=None,
                    gain=None,
                    error_after_gain=None,
                    why=f"not known: {error}",
                )
            )
    return tuple(rows)


def _aged(
    image: MemoryImage,
    m: SynapseMap,
    *,
    age_s: float,
    temperature_k: float,
    unused: AbsentUnused | ZeroUnused | None,
    seed: int,
) -> Aged:
    rng = np.random.default_rng(seed)
    back = image_to_map(image, age_s=age_s, temperature_k=temperature_k, rng=rng)
    wanted = m.weight_v[np.unique(image.synapse)]
    seen, right = (
        s.ravel() for s in trial_sums(image, m, age_s=age_s, temperature_k=temperature_k, unused=unused, rng=rng)
    )
    size, power = float(np.linalg.norm(right)), float(seen @ seen)
    gain = float(seen @ right) / power if power > 0 else 1.0
    scale = float(np.linalg.norm(wanted))
    return Aged(
        age_s=age_s,
        temperature_k=temperature_k,
        weight_error=float(np.linalg.norm(back.weight_v - wanted)) / scale if scale > 0 else 0.0,
        product_error=float(np.linalg.norm(seen - right)) / size if size > 0 else 0.0,
        gain=gain,
        error_after_gain=float(np.linalg.norm(gain * seen - right)) / size if size > 0 else 0.0,
    )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshAll:
    """Every cell is programmed anew, whatever it holds."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshStray:
    """Every cell is read, and only those that have left their target by more than ``beyond`` of g_max are programmed.

    The others stay as they are; the model lets their drift or relaxation start again, which is pessimistic.
    """

    beyond: float = 0.05

    def __post_init__(self) -> None:
        """Refuse a band that is none."""
        if not 0 < self.beyond < 1:
            raise OptionError(f"beyond is {self.beyond}. Give a share of the card's highest conductance, 0 to 1.")


_ALL = RefreshAll()


def refreshed(
    image: MemoryImage,
    *,
    after_s: float,
    temperature_k: float = ROOM_TEMPERATURE_K,
    policy: RefreshAll | RefreshStray = _ALL,
    verify: ProgramAndVerify | None = None,
    seed: int,
) -> MemoryImage:
    """Return the image after it was kept for a time and cells were then programmed anew, as the policy says.

    Cells that are known to the simulation as defective stay as they are.  Pulses are added up, the log
    says what happened, and the age of the new image counts from the refresh.
    """
    if image.is_partial:
        raise OptionError("Only some tiles of this image are loaded. Load all of it before refreshing.")
    rng = np.random.default_rng((seed, len(image.log)))
    window = image.cell.g_min_siemens, image.cell.g_max_siemens
    target = np.clip(image.target_siemens.astype(np.float64), *window)
    chosen = (image.flags & Flag.DEFECTIVE) == 0
    g = image.programmed_siemens.astype(np.float64)
    if isinstance(policy, RefreshStray):
        aged = image.cell.age(g, age_s=after_s, temperature_k=temperature_k, rng=rng)
        seen = image.cell.read(aged, programmed_siemens=g, age_s=after_s, temperature_k=temperature_k, rng=rng)
        chosen &= np.abs(seen - target) > policy.beyond * window[1]
        g = aged
    at = np.flatnonzero(chosen)
    written = image.cell.write(
        target[at],
        address=addresses(image)[at],
        defect=np.zeros(at.size, dtype=np.uint8),
        verify=verify or ProgramAndVerify(max_passes=3),
        key=int(np.random.SeedSequence((seed, len(image.log))).generate_state(1, np.uint64)[0]),
    )
    kept = LogEntry(what="kept", duration_s=after_s, temperature_k=temperature_k)
    what = "all cells" if at.size == np.count_nonzero((image.flags & Flag.DEFECTIVE) == 0) else f"{at.size} cells"
    fresh = LogEntry(what=f"{what} programmed anew", duration_s=0.0, temperature_k=temperature_k)
    return rewritten(replace(image, programmed_siemens=g.astype(np.float32)), at, written, log=(kept, fresh))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshCost:
    """Cost of refreshing every ``every_s``, and the error just before each time.

    ``share`` of the cells are programmed anew each time.  Reads that only look for strays are counted in time
    and energy, a read of every cell each time.
    """

    every_s: float
    share: float
    worst: Aged
    pulses_per_cell_year: float
    write_s_per_year: Figure
    energy_j_per_year: Figure
    life_years: Figure  # until the mean cell has used up its endurance

    def lines(self) -> tuple[str, ...]:
        """Return the cost in words."""
        return (
            f"refresh every {self.every_s / DAY:g} days: {self.share:.1%} of the cells each time, "
            f"{self.pulses_per_cell_year:.4g} pulses a cell and year",
            f"just before a refresh: {self.worst.line()}",
            f"refreshing a year: {self.write_s_per_year.with_unit('s')}, {self.energy_j_per_year.with_unit('J')}",
            f"worn out after {self.life_years.with_unit('years')}",
        )


def refresh_cost(
    image: MemoryImage,
    m: SynapseMap,
    *,
    every_s: float,
    temperature_k: float = ROOM_TEMPERATURE_K,
    policy: RefreshAll | RefreshStray = _ALL,
    verify: ProgramAndVerify | None = None,
    seed: int = 0,
) -> RefreshCost:
    """Return what refreshing costs a year, from the pulses that one refresh takes."""
    if not every_s > 0:
        raise OptionError(f"every_s is {every_s}. Give the time between two refreshes, above 0 s.")
    n = YEAR / every_s
    fresh = refreshed(image, after_s=every_s, temperature_k=temperature_k, policy=policy, verify=verify, seed=seed)
    spent = (fresh.pulses.astype(np.int64) - image.pulses).astype(np.uint16)
    once = summarise(replace(fresh, pulses=spent), m)
    pulses, life = once.pulses_mean * n, image.cell.cost.endurance
    years = life.value / pulses if life.value is not None and pulses > 0 else None
    return RefreshCost(
        every_s=every_s,
        share=float(np.mean(spent > 0)) if spent.size else 0.0,
        worst=ageing(image, m, ages_s=(every_s,), temperature_k=temperature_k, seed=seed)[0],
        pulses_per_cell_year=pulses,
        write_s_per_year=_times(once.parallel_s, n),
        energy_j_per_year=_times(once.energy_j, n),
        life_years=Figure(value=years, evidence=life.evidence),
    )


def _times(figure: Figure, n: float) -> Figure:
    return Figure(value=None if figure.value is None else figure.value * n, evidence=figure.evidence)
