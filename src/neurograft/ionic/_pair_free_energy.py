"""How strongly two ions of a molecular slit hold each other: umbrella sampling of their distance, and WHAM.

A spring holds the distance r of one cation and one anion near each of several values in turn (Torrie and Valleau, J.
Comput. Phys. 23, 187, 1977); the weighted histogram (Kumar et al., J. Comput. Chem. 13, 1011, 1992) joins what was
seen: W(r) = -ln(p(r) / r^(d-1)) in kT, up to a constant.  All windows are visited in turn, inwards and back, so that a
run may be stopped at any time; the scatter between its parts is the error.  Lengths in nm, energies in kJ/mol, as in
OpenMM.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple, final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.errors import IonicError
from neurograft.ionic._checkpoint import read_arrays, write_arrays
from neurograft.ionic._interaction import LogRatio
from neurograft.progress import Progress, silent
from neurograft.units import NM, PS

_KIND: Final = "umbrellas"
_SAMPLE_STEPS: Final = 25
_TOLERANCE: Final = 1e-7
_MAX_ROUNDS: Final = 20_000
_BIN_NM: Final = 0.01
_LEAST_CORE_NM: Final = 0.01
_WIDEST_CORE_NM: Final = 2.0
_CONTACT_NM: Final = 0.42  # beyond, water lies between


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Umbrellas:
    """Windows over a distance (nm) and the spring of each (kJ/mol/nm^2); of a visit the first part only settles."""

    centre_nm: tuple[float, ...] = tuple(float(r) for r in np.round(np.linspace(0.26, 1.03, 12), 3))
    spring: float = 1500.0
    visit_s: float = 6 * PS
    settle_s: float = 1 * PS

    def __post_init__(self) -> None:
        """Refuse windows that cannot be joined."""
        if len(self.centre_nm) < 2 or min(self.centre_nm) <= 0 or list(self.centre_nm) != sorted(self.centre_nm):
            raise IonicError(f"centre_nm is {self.centre_nm}. Give two distances or more, rising, above 0.")
        if not (self.spring > 0 and 0 <= self.settle_s < self.visit_s):
            raise IonicError(
                f"spring {self.spring:g}, visit {self.visit_s:g} s, of it {self.settle_s:g} s to settle: give a spring "
                "above 0 and visits longer than their settling."
            )


@final
@dataclass(slots=True, kw_only=True, eq=False)
class Visits:
    """What was seen: for each visit in turn its window and the distances (nm)."""

    window: list[int] = field(default_factory=list[int])
    distance_nm: list[Float64[ndarray, " samples"]] = field(default_factory=list[Any])


class PairWork(NamedTuple):
    """W (kT, 0 at the last distance but for the mean of its last tenth), its standard error, where (nm)."""

    distance_nm: Float64[ndarray, " bins"]
    work_kt: Float64[ndarray, " bins"]
    error_kt: Float64[ndarray, " bins"]

    @property
    def contact_nm(self) -> float:
        """Distance of the least W where no water lies between."""
        near = self.distance_nm < _CONTACT_NM
        return float(self.distance_nm[near][np.argmin(self.work_kt[near])])

    @property
    def contact_kt(self) -> tuple[float, float]:
        """W at contact against the far end, and its error."""
        k = int(np.argmin(np.abs(self.distance_nm - self.contact_nm)))
        return float(self.work_kt[k]), float(self.error_kt[k])


def add_spring(mm: Any, system: Any, pair: tuple[int, int], spring: float) -> None:
    """Hang two atoms of an OpenMM system on a spring whose rest length is the context's parameter ``pair_r0``."""
    bond = mm.CustomBondForce("0.5*pair_k*(r-pair_r0)^2")
    bond.addGlobalParameter("pair_k", spring)
    bond.addGlobalParameter("pair_r0", 0.3)
    bond.setUsesPeriodicBoundaryConditions(True)
    bond.addBond(*pair)
    system.addForce(bond)


def visit_windows(
    context: Any,
    integrator: Any,
    pair: tuple[int, int],
    umbrellas: Umbrellas,
    seen: Visits,
    *,
    n_visits: int,
    step_ps: float,
    on_visit: Callable[[Visits], None] | None = None,
    progress: Progress = silent,
) -> Visits:
    """Add visits until there are ``n_visits``, from window to window, inwards and back; the context has the spring."""
    n = len(umbrellas.centre_nm)
    turn = [*range(n - 1, -1, -1), *range(n)]
    settle = round(umbrellas.settle_s / PS / step_ps)
    n_samples = max(1, (round(umbrellas.visit_s / PS / step_ps) - settle) // _SAMPLE_STEPS)
    while len(seen.window) < n_visits:
        window = turn[len(seen.window) % len(turn)]
        context.setParameter("pair_r0", umbrellas.centre_nm[window])
        integrator.step(settle)
        distance = np.zeros(n_samples)
        for k in range(n_samples):
            integrator.step(_SAMPLE_STEPS)
            distance[k] = _apart_nm(context, pair)
        seen.window.append(window)
        seen.distance_nm.append(distance)
        if on_visit is not None:
            on_visit(seen)
        progress("umbrellas", len(seen.window), n_visits)
    return seen


def _apart_nm(context: Any, pair: tuple[int, int]) -> float:
    state = context.getState(getPositions=True)
    place, box = state.getPositions(asNumpy=True), state.getPeriodicBoxVectors(asNumpy=True)
    apart = np.array((place[pair[0]] - place[pair[1]]) / place.unit)
    side = np.diag(np.array(box / place.unit))
    return float(np.linalg.norm(apart - side * np.rint(apart / side)))


def wham(
    distance_nm: Sequence[Float64[ndarray, " samples"]],
    centre_nm: Sequence[float],
    *,
    spring_kt: float,
    edges_nm: Float64[ndarray, " edges"],
    dimensions: int,
) -> Float64[ndarray, " bins"]:
    """Return W (kT) in each bin from the samples of each window, infinite in bins that none reached."""
    middle = 0.5 * (edges_nm[1:] + edges_nm[:-1])
    counts = np.array([np.histogram(d, edges_nm)[0] for d in distance_nm])
    bias = 0.5 * spring_kt * (middle[None, :] - np.asarray(centre_nm)[:, None]) ** 2
    boltzmann, n = np.exp(-bias), counts.sum(axis=1)
    shift = np.ones(len(distance_nm))  # exp of each window's free energy
    total = counts.sum(axis=0)
    p = np.zeros(middle.size)
    for _ in range(_MAX_ROUNDS):
        under = (n[:, None] * shift[:, None] * boltzmann).sum(axis=0)
        p = np.divide(total, under, out=np.zeros(middle.size), where=under > 0)
        new = 1 / np.maximum((boltzmann * p).sum(axis=1), 1e-300)
        new /= new[0]
        if np.max(np.abs(np.log(new / shift))) < _TOLERANCE:
            break
        shift = new
    with np.errstate(divide="ignore"):
        return -np.log(p / middle ** (dimensions - 1))


def pair_work(
    seen: Visits, umbrellas: Umbrellas, *, thermal_kj: float, dimensions: int = 2, n_parts: int = 4
) -> PairWork:
    """Return the work of bringing a pair together; errors from ``n_parts`` parts of the rounds.

    ``dimensions`` is 2 for a slit, where a distance has 2 pi r places, and 3 in space.
    """
    n = len(umbrellas.centre_nm)
    n_rounds = len(seen.window) // n
    if n_rounds < n_parts:
        raise IonicError(
            f"{len(seen.window)} visits to {n} windows are {n_rounds} whole rounds; {n_parts} are needed to tell an "
            "error. Go on from the checkpoint."
        )
    edges = np.arange(umbrellas.centre_nm[0], umbrellas.centre_nm[-1] + 1e-9, _BIN_NM)
    middle = 0.5 * (edges[1:] + edges[:-1])

    def of(rounds: range) -> Float64[ndarray, " bins"]:
        visits = [k for r in rounds for k in range(r * n, (r + 1) * n)]
        samples = [np.concatenate([seen.distance_nm[k] for k in visits if seen.window[k] == w]) for w in range(n)]
        work = wham(
            samples, umbrellas.centre_nm, spring_kt=umbrellas.spring / thermal_kj, edges_nm=edges, dimensions=dimensions
        )
        far = work[-max(1, work.size // 10) :]
        return work - np.mean(far[np.isfinite(far)]) if np.any(np.isfinite(far)) else work

    cuts = np.linspace(0, n_rounds, n_parts + 1).astype(int)
    parts = np.array([of(range(int(a), int(b))) for a, b in pairwise(cuts)])
    whole = of(range(n_rounds))
    is_seen = np.all(np.isfinite(parts), axis=0)
    first = int(np.argmax(is_seen))  # nearer than that the ions never came
    if not np.all(is_seen[first:]):
        gap = middle[first:][~is_seen[first:]]
        raise IonicError(
            f"Not every part of the run saw {gap[0]:.2f} to {gap[-1]:.2f} nm: put windows closer, or go on for longer."
        )
    error = parts[:, first:].std(axis=0, ddof=1) / np.sqrt(n_parts)
    return PairWork(middle[first:], whole[first:], error)


def core_for(work: PairWork, form: LogRatio, *, charges: int) -> float:
    """Return the core (m) with which ``form`` holds as many pairs within the last distance as the molecules do.

    Both association constants, the integral of 2 pi r exp(-W) up to there with W counted from there, are made equal;
    ``charges`` is the product of both valences.  Where no core does it, the end of 0.01 to 2 nm that is nearer.
    """
    r, end = work.distance_nm, work.distance_nm[-1]
    wanted = float((r * np.exp(-work.work_kt)).sum() * (r[1] - r[0]))
    fine = (np.arange(4000) + 0.5) / 4000 * end
    gamma, reach_nm = form.strength * charges, form.reach_m / NM
    low, high = _LEAST_CORE_NM, _WIDEST_CORE_NM
    for _ in range(60):
        core = 0.5 * (low + high)
        shape = ((fine + reach_nm) / (fine + core)) ** gamma
        held = float((fine * shape).sum() * (fine[1] - fine[0])) / ((end + reach_nm) / (end + core)) ** gamma
        low, high = (core, high) if held > wanted else (low, core)
    return 0.5 * (low + high) * NM


def save_visits(path: Path, seen: Visits, umbrellas: Umbrellas, *, label: str, place: ndarray, speed: ndarray) -> None:
    """Write a checkpoint, whole or not at all; ``label`` says of which system."""
    arrays = {
        "label": np.array(json.dumps({"of": label, **asdict(umbrellas)}, sort_keys=True)),
        "window": np.array(seen.window, dtype=np.int64),
        "distance_nm": np.array(seen.distance_nm),
        "place_nm": place,
        "speed_nm_ps": speed,
    }
    write_arrays(path, arrays, kind=_KIND)


def load_visits(path: Path, umbrellas: Umbrellas, *, label: str) -> tuple[Visits, ndarray, ndarray]:
    """Return visits, places and speeds of a checkpoint; one of another system or other windows is refused."""
    arrays = read_arrays(path, kind=_KIND)
    wanted = json.dumps({"of": label, **asdict(umbrellas)}, sort_keys=True)
    if str(arrays["label"]) != wanted:
        raise IonicError(f"{path} holds {arrays['label']}, not {wanted}. Ask for those, or start anew.")
    seen = Visits(window=arrays["window"].tolist(), distance_nm=list(arrays["distance_nm"]))
    return seen, arrays["place_nm"], arrays["speed_nm_ps"]
