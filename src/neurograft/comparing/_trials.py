"""Running a copy and its null maps under a fair drive, and comparing what they do with the original."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TypeVar, final

import numpy as np
from numpy.random import Generator

from neurograft.comparing._compare import compare
from neurograft.comparing._fidelity import Fidelity
from neurograft.comparing._options import CompareOptions, SameDrive
from neurograft.comparing._shuffle import shuffled_map
from neurograft.errors import CompareError
from neurograft.maps import SynapseMap
from neurograft.network import Drive, FitOptions, fit_drive, fit_drive_to_rates, run
from neurograft.progress import Progress, silent
from neurograft.spikes import SpikeTrains

SHUFFLED = "shuffled map"
ResultT = TypeVar("ResultT")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TrialOptions:
    """How long each network runs, how many null maps run beside it, and how the drive is fitted."""

    duration_s: float | None = None  # None: as long as the original, or 60 s for twins
    n_shuffled: int = 19  # 19 is the least with which a rank test can reach 5 %
    n_repeats: int = 5  # further runs of the original map, which give the ceiling of twins
    null: Callable[[SynapseMap, Generator], SynapseMap] = shuffled_map
    n_threads: int = 2  # networks that run at the same time; the result does not depend on it
    rate_hz: float = 5.0  # mean rate of twins, which have no recording to be fitted to
    fit: FitOptions = field(default_factory=FitOptions)
    compare: CompareOptions = field(default_factory=CompareOptions)


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trial:
    """A comparison with the activities that it was made of."""

    original: SpikeTrains
    copy: SpikeTrains
    shuffled: tuple[SpikeTrains, ...]
    drive: Drive
    fidelity: Fidelity


def compare_copy(
    original: SpikeTrains,
    network: SynapseMap,
    *,
    options: TrialOptions | None = None,
    seed: int,
    progress: Progress = silent,
) -> Trial:
    """Return how near a running copy comes to the recording that it was copied from.

    The background drive is fitted to the original's rates, anew for every shuffled map, so that a null
    loses by its wiring and not by its rates.
    """
    options = options or TrialOptions()
    duration_s = options.duration_s or original.duration_s
    seeds = _seeds(seed, 1 + options.n_shuffled)

    def one(m: SynapseMap, run_seed: int) -> tuple[SpikeTrains, Drive]:
        drive = fit_drive(m, original, seed=run_seed, options=options.fit)
        return run(m, duration_s=duration_s, seed=run_seed, drive=drive).spikes, drive

    def task(k: int) -> tuple[SpikeTrains, Drive]:
        m = network if k == 0 else options.null(network, np.random.default_rng(seeds[k]))
        return one(m, seeds[k])

    ran = _at_once(task, len(seeds), options.n_threads, progress, "running the copy and shuffled maps")
    copy, drive = ran[0]
    shuffled = [spikes for spikes, _ in ran[1:]]
    fidelity = compare(
        original, copy, nulls=_named(shuffled), options=options.compare, seed=seeds[0], progress=progress
    )
    return Trial(original=original, copy=copy, shuffled=tuple(shuffled), drive=drive, fidelity=fidelity)


def compare_twins(
    original: SynapseMap,
    copy: SynapseMap,
    *,
    options: TrialOptions | None = None,
    seed: int,
    progress: Progress = silent,
) -> Trial:
    """Return how near a copied network's activity is to the original network's under the same drive and noise.

    The drive is fitted on the original only and every network gets it unchanged: what differs between the
    two runs is the synapses.  Shuffled maps get the same drive and noise too.
    """
    options = options or TrialOptions()
    if original.labels != copy.labels:
        raise CompareError("The two networks have different neurons. Give maps or images of the same neurons.")
    duration_s = options.duration_s or 60.0
    drive = fit_drive_to_rates(original, options.rate_hz, seed=seed, options=options.fit, progress=progress)

    def activity(m: SynapseMap, run_seed: int) -> SpikeTrains:
        return run(m, duration_s=duration_s, seed=run_seed, drive=drive).spikes

    seeds = _seeds(seed, options.n_repeats + options.n_shuffled)

    def task(k: int) -> SpikeTrains:
        if k < 2:
            return activity((original, copy)[k], seed)
        other = seeds[k - 2]
        if k < 2 + options.n_repeats:
            return activity(original, other)
        return activity(options.null(original, np.random.default_rng(other)), seed)

    ran = _at_once(task, 2 + len(seeds), options.n_threads, progress, "running twins and shuffled maps")
    first, second = ran[:2]
    repeats, shuffled = ran[2 : 2 + options.n_repeats], ran[2 + options.n_repeats :]
    same = replace(options.compare, same_drive=options.compare.same_drive or SameDrive())
    fidelity = compare(
        first, second, nulls=_named(shuffled), repeats=repeats, options=same, seed=seed, progress=progress
    )
    return Trial(original=first, copy=second, shuffled=tuple(shuffled), drive=drive, fidelity=fidelity)


def _at_once(task: Callable[[int], ResultT], n: int, n_threads: int, progress: Progress, what: str) -> list[ResultT]:
    """Return the results of tasks 0 to n - 1, some at the same time: the engine's kernels leave Python's lock."""
    with ThreadPoolExecutor(max_workers=max(n_threads, 1)) as pool:
        results: list[ResultT] = []
        for result in pool.map(task, range(n)):
            results.append(result)
            progress(what, len(results), n)
    return results


def _named(shuffled: Sequence[SpikeTrains]) -> dict[str, Sequence[SpikeTrains]]:
    return {SHUFFLED: shuffled} if shuffled else {}


def _seeds(seed: int, n: int) -> list[int]:
    """Return seeds of independent runs; the first is not the given one."""
    return [int(s) for s in np.random.SeedSequence(seed).generate_state(n, np.uint32)]
