"""How strongly two ions of a molecular slit hold each other: umbrella sampling of their distance, and WHAM.

A spring holds the distance r of one cation and one anion near one of several values (Torrie and Valleau, J. Comput.
Phys. 23, 187, 1977); the weighted histogram (Kumar et al., J. Comput. Chem. 13, 1011, 1992) joins what was seen:
W(r) = -ln(p(r) / r^(d-1)) in kT, up to a constant.  Each window has two states of its own, one left there by a pair
that was pulled inwards, one by the same pair on its way out; both run on, a visit a round, and neighbours of one
direction may trade windows (Sugita, Kitao and Okamoto, J. Chem. Phys. 113, 6042, 2000), which costs nothing, as only
the spring's energy changes.  The first rounds are dropped.  Whether the water has settled shows in how far both
directions agree.  The error to expect is sqrt(2 / (D T)) L in kT, with D of the separation, T of all visits, L from the
first window to the last.
Lengths in nm, energies in kJ/mol, as in OpenMM.
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
from numpy.random import Generator

from neurograft.errors import IonicError
from neurograft.ionic._checkpoint import read_arrays, write_arrays
from neurograft.ionic._interaction import LogRatio
from neurograft.progress import Progress, silent
from neurograft.units import NM, PS

_KIND: Final = "umbrellas"
_SAMPLE_STEPS: Final = 25
GAS_KJ_PER_K: Final = 8.314462618e-3
_TOLERANCE: Final = 1e-7
_MAX_ROUNDS: Final = 20_000
_BIN_NM: Final = 0.01
_LEAST_CORE_NM: Final = 0.01
_WIDEST_CORE_NM: Final = 2.0
_CONTACT_NM: Final = 0.42  # beyond, water lies between
_DROPPED: Final = 0.25  # of the rounds, the first


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Umbrellas:
    """Windows over a distance (nm) and the spring of each (kJ/mol/nm^2).

    ``settle_s`` is spent in each window on the first way in and out, ``visit_s`` in each round.  In one layer water
    resists a pair's opening by over 100 kT/nm: with springs of 3,000 no window holds 0.33 to 0.40 nm.
    """

    centre_nm: tuple[float, ...] = tuple(float(r) for r in np.round(np.linspace(0.25, 0.82, 20), 3))
    spring: float = 10_000.0
    visit_s: float = 3 * PS
    settle_s: float = 3 * PS

    def __post_init__(self) -> None:
        """Refuse windows that cannot be joined."""
        if len(self.centre_nm) < 2 or min(self.centre_nm) <= 0 or list(self.centre_nm) != sorted(self.centre_nm):
            raise IonicError(f"centre_nm is {self.centre_nm}. Give two distances or more, rising, above 0.")
        if not (self.spring > 0 and self.settle_s >= 0 and self.visit_s > 0):
            raise IonicError(
                f"spring {self.spring:g}, visit {self.visit_s:g} s, settling {self.settle_s:g} s: give a spring and "
                "visits above 0, settling of 0 or more."
            )


@final
@dataclass(slots=True, kw_only=True, eq=False)
class Visits:
    """What was seen: for each visit in turn its window and the distances (nm); and where each state stands.

    The n windows' states that came inwards are visited first, those that came outwards then: 2 n visits are a round.
    """

    window: list[int] = field(default_factory=list[int])
    distance_nm: list[Float64[ndarray, " samples"]] = field(default_factory=list[Any])
    window_of: list[int] = field(default_factory=list[int])  # the window of each state now
    place_nm: list[Float64[ndarray, "atoms 3"]] = field(default_factory=list[Any])
    speed_nm_ps: list[Float64[ndarray, "atoms 3"]] = field(default_factory=list[Any])


class PairWork(NamedTuple):
    """W (kT, 0 on the mean of the last tenth of distances), its standard error, where (nm).

    ``split_kt`` is W of the states that came inwards less W of those that came outwards.
    """

    distance_nm: Float64[ndarray, " bins"]
    work_kt: Float64[ndarray, " bins"]
    error_kt: Float64[ndarray, " bins"]
    split_kt: Float64[ndarray, " bins"]

    @property
    def contact_nm(self) -> float:
        """Distance of the least W where no water lies between."""
        near = self.distance_nm < _CONTACT_NM
        return float(self.distance_nm[near][np.argmin(self.work_kt[near])])

    @property
    def contact_kt(self) -> tuple[float, float]:
        """W at contact against the far end, and its error."""
        k = self._contact
        return float(self.work_kt[k]), float(self.error_kt[k])

    @property
    def contact_split_kt(self) -> float:
        """By how much both directions differ at contact; twice the error is what chance makes of it."""
        return float(self.split_kt[self._contact])

    @property
    def _contact(self) -> int:
        return int(np.argmin(np.abs(self.distance_nm - self.contact_nm)))


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
    n_rounds: int,
    step_ps: float,
    seed: int,
    on_visit: Callable[[Visits], None] | None = None,
    progress: Progress = silent,
) -> Visits:
    """Add visits until there are ``n_rounds``, after a way in and out that leaves two states in each window.

    The context has the spring; a new pair starts where the context is.
    """
    n = len(umbrellas.centre_nm)
    if seen.place_nm:
        _put(context, seen, -1)
    while len(seen.place_nm) < 2 * n:
        k = len(seen.place_nm)
        window = n - 1 - k if k < n else k - n
        _held(context, integrator, pair, umbrellas.centre_nm[window], round(umbrellas.settle_s / PS / step_ps))
        place_nm, speed_nm_ps = _state(context)
        seen.window_of.append(window)
        seen.place_nm.append(place_nm)
        seen.speed_nm_ps.append(speed_nm_ps)
        progress("pulling", k + 1, 2 * n)
    n_visits = 2 * n * n_rounds
    thermal_kj = GAS_KJ_PER_K * float(integrator.getTemperature() / integrator.getTemperature().unit)
    while len(seen.window) < n_visits:
        k = len(seen.window) % (2 * n)
        if k % n == 0 and len(seen.window) >= 2 * n:
            _trade(seen, k, umbrellas, thermal_kj, np.random.default_rng([seed, len(seen.window)]))
        _put(context, seen, k)
        n_steps = round(umbrellas.visit_s / PS / step_ps)
        distance = _held(context, integrator, pair, umbrellas.centre_nm[seen.window_of[k]], n_steps)
        seen.place_nm[k], seen.speed_nm_ps[k] = _state(context)
        seen.window.append(seen.window_of[k])
        seen.distance_nm.append(distance)
        if on_visit is not None:
            on_visit(seen)
        progress("umbrellas", len(seen.window), n_visits)
    return seen


def _held(
    context: Any, integrator: Any, pair: tuple[int, int], centre_nm: float, n_steps: int
) -> Float64[ndarray, " samples"]:
    """Run with the spring at rest at a distance; return the distances on the way."""
    context.setParameter("pair_r0", centre_nm)
    distance = np.zeros(max(1, n_steps // _SAMPLE_STEPS))
    for k in range(distance.size):
        integrator.step(_SAMPLE_STEPS)
        distance[k] = _apart_nm(context, pair)
    return distance


def _trade(seen: Visits, first: int, umbrellas: Umbrellas, thermal_kj: float, rng: Generator) -> None:
    """Let states of neighbouring windows trade these by Metropolis' rule, every other pair of neighbours a round.

    ``first`` is the number of the first state of a direction; a state's distance is the last that was seen of it.
    """
    n, centre = len(umbrellas.centre_nm), umbrellas.centre_nm
    state = {seen.window_of[k]: k for k in range(first, first + n)}
    for w in range(len(seen.window) // (2 * n) % 2, n - 1, 2):
        i, j = state[w], state[w + 1]
        r_i, r_j = (float(seen.distance_nm[len(seen.window) - 2 * n + k - first][-1]) for k in (i, j))
        cost_kj = umbrellas.spring * (centre[w + 1] - centre[w]) * (r_j - r_i)
        if rng.random() < np.exp(-max(cost_kj, 0.0) / thermal_kj):
            seen.window_of[i], seen.window_of[j] = w + 1, w


def _put(context: Any, seen: Visits, k: int) -> None:
    context.setPositions(seen.place_nm[k])
    context.setVelocities(seen.speed_nm_ps[k])


def _state(context: Any) -> tuple[Float64[ndarray, "atoms 3"], Float64[ndarray, "atoms 3"]]:
    state = context.getState(getPositions=True, getVelocities=True)
    place, speed = state.getPositions(asNumpy=True), state.getVelocities(asNumpy=True)
    return np.array(place / place.unit), np.array(speed / speed.unit)


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
    n_rounds = len(seen.window) // (2 * n)
    dropped = int(_DROPPED * n_rounds)
    if n_rounds - dropped < n_parts:
        raise IonicError(
            f"{len(seen.window)} visits to {n} windows from both sides are {n_rounds} whole rounds, of which the first "
            f"{dropped} only settle; {n_parts} more are needed to tell an error. Go on from the checkpoint."
        )
    edges = np.arange(umbrellas.centre_nm[0], umbrellas.centre_nm[-1] + 1e-9, _BIN_NM)
    middle = 0.5 * (edges[1:] + edges[:-1])

    def of(rounds: range, directions: tuple[int, ...] = (0, 1)) -> Float64[ndarray, " bins"]:
        visits = [(2 * r + d) * n + k for r in rounds for d in directions for k in range(n)]
        samples = [np.concatenate([seen.distance_nm[k] for k in visits if seen.window[k] == w]) for w in range(n)]
        work = wham(
            samples, umbrellas.centre_nm, spring_kt=umbrellas.spring / thermal_kj, edges_nm=edges, dimensions=dimensions
        )
        far = work[-max(1, work.size // 10) :]
        return work - np.mean(far[np.isfinite(far)]) if np.any(np.isfinite(far)) else work

    cuts = np.linspace(dropped, n_rounds, n_parts + 1).astype(int)
    parts = np.array([of(range(int(a), int(b))) for a, b in pairwise(cuts)])
    kept = range(dropped, n_rounds)
    sides = np.array([of(kept, (0,)), of(kept, (1,))])
    is_seen = np.all(np.isfinite(parts), axis=0) & np.all(np.isfinite(sides), axis=0)
    first = int(np.argmax(is_seen))  # nearer than that the ions never came
    if not np.all(is_seen[first:]):
        gap = middle[first:][~is_seen[first:]]
        raise IonicError(
            f"Not every part of the run saw {gap[0]:.2f} to {gap[-1]:.2f} nm: put windows closer, or go on for longer."
        )
    error = parts[:, first:].std(axis=0, ddof=1) / np.sqrt(n_parts)
    return PairWork(middle[first:], of(kept)[first:], error, sides[0, first:] - sides[1, first:])


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


def save_visits(path: Path, seen: Visits, umbrellas: Umbrellas, *, label: str) -> None:
    """Write a checkpoint, whole or not at all; ``label`` says of which system."""
    arrays = {
        "label": np.array(json.dumps({"of": label, **asdict(umbrellas)}, sort_keys=True)),
        "window": np.array(seen.window, dtype=np.int64),
        "distance_nm": np.array(seen.distance_nm),
        "window_of": np.array(seen.window_of, dtype=np.int64),
        "place_nm": np.array(seen.place_nm),
        "speed_nm_ps": np.array(seen.speed_nm_ps),
    }
    write_arrays(path, arrays, kind=_KIND)


def load_visits(path: Path, umbrellas: Umbrellas, *, label: str) -> Visits:
    """Return the visits and states of a checkpoint; one of another system or other windows is refused."""
    arrays = read_arrays(path, kind=_KIND)
    wanted = json.dumps({"of": label, **asdict(umbrellas)}, sort_keys=True)
    if str(arrays["label"]) != wanted or "window_of" not in arrays:
        raise IonicError(f"{path} holds {arrays['label']}, not {wanted}. Ask for those, or start anew.")
    return Visits(
        window=arrays["window"].tolist(), distance_nm=list(arrays["distance_nm"]),
        window_of=arrays["window_of"].tolist(), place_nm=list(arrays["place_nm"]),
        speed_nm_ps=list(arrays["speed_nm_ps"]),
    )  # fmt: skip
