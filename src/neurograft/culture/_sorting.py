"""The same culture as a spike sorter would see it: units that miss, invent, merge and split."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray
from numpy.random import Generator, default_rng

from neurograft.errors import CultureError
from neurograft.maps import Kind, SynapseMap, synapse_map
from neurograft.spikes import SpikeTrains, spike_trains


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SortingOptions:
    """How bad the sorting is; sorters reach some 0.8-0.97 mean accuracy on dense arrays (Buccino 2022, roughly)."""

    missed_fraction: float = 0.08  # mean over units of the share of spikes lost; units differ widely
    false_hz: float = 0.05  # spikes that are nobody's, mean rate of a unit
    foreign_fraction: float = 0.02  # share of each unit's spikes that belong to a neighbour
    merged_fraction: float = 0.03  # share of neurons that end in one unit with a neighbour
    split_fraction: float = 0.04  # share of units that come out as two
    shadow_s: float = 0.5e-3  # a later spike of any neuron within 40 um is lost in the shape of the one before
    shadow_um: float = 40.0
    jitter_s: float = 0.05e-3  # standard deviation of spike times
    least_spikes: int = 10  # units with fewer are thrown away


PERFECT_SORTING = SortingOptions(
    missed_fraction=0.0,
    false_hz=0.0,
    foreign_fraction=0.0,
    merged_fraction=0.0,
    split_fraction=0.0,
    shadow_s=0.0,
    jitter_s=0.0,
    least_spikes=0,
)


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SortedUnits:
    """Units, the truth between units, and whose spikes each unit holds (share of its spikes by neuron).

    Two units are truly connected when a neuron of the one reaches a neuron of the other; a unit that holds
    two neurons has both their synapses.  Units of one neuron are not connected by it.
    """

    spikes: SpikeTrains
    truth: SynapseMap
    share: Float64[ndarray, "units neurons"]


def sort_with_errors(
    spikes: SpikeTrains, truth: SynapseMap, *, seed: int, options: SortingOptions | None = None
) -> SortedUnits:
    """Return what a sorter makes of true spike trains; ``truth`` is the map of the same neurons."""
    options = options if options is not None else SortingOptions()
    require_sorting(options)
    if truth.n_neurons != spikes.n_neurons:
        raise CultureError(
            f"The spikes have {spikes.n_neurons} neurons and the truth {truth.n_neurons}. Give those of one recording."
        )
    miss_rng, merge_rng, split_rng, foreign_rng, false_rng, jitter_rng = default_rng([seed, 4]).spawn(6)
    near = _nearest(truth.position_um)
    kept = ~_shadowed(spikes, truth.position_um, options) & _seen(spikes, options, miss_rng)
    time_s, neuron = spikes.time_s[kept], spikes.neuron[kept].astype(np.int64)
    unit = _merged(spikes.n_neurons, near, options, merge_rng)[neuron]
    foreign = foreign_rng.random(time_s.size) < options.foreign_fraction
    unit = np.where(foreign, near[unit], unit)
    unit, n_units = _split(unit, spikes.n_neurons, options, split_rng)
    extra_s, extra_unit = _false(spikes, n_units, options, false_rng)
    members = np.zeros((n_units, spikes.n_neurons))
    np.add.at(members, (unit, neuron), 1.0)
    time_s = np.concatenate([time_s, extra_s]) + options.jitter_s * jitter_rng.standard_normal(unit.size + extra_s.size)
    unit = np.concatenate([unit, extra_unit])
    return _units(spikes, truth, members=members, time_s=time_s, unit=unit, options=options)


def require_sorting(options: SortingOptions) -> None:
    """Raise ``CultureError`` for a sorter that cannot be."""
    for name in ("missed_fraction", "foreign_fraction", "merged_fraction", "split_fraction"):
        value = getattr(options, name)
        if not 0 <= value < 0.95:
            raise CultureError(f"{name} is {value:g}. Give a share from 0 to below 0.95.")
    for name in ("false_hz", "shadow_s", "shadow_um", "jitter_s", "least_spikes"):
        if getattr(options, name) < 0:
            raise CultureError(f"{name} is {getattr(options, name):g}. Give 0 or more.")


def _nearest(position_um: Float64[ndarray, "neurons 3"]) -> Int64[ndarray, " neurons"]:
    """Return each neuron's nearest other, or itself where it is alone."""
    from scipy.spatial import cKDTree

    n = len(position_um)
    if n < 2:
        return np.zeros(n, dtype=np.int64)
    who = np.asarray(cKDTree(position_um).query(position_um, k=2)[1])
    return np.where(who[:, 0] == np.arange(n), who[:, 1], who[:, 0]).astype(np.int64)


def _seen(spikes: SpikeTrains, options: SortingOptions, rng: Generator) -> Bool[ndarray, " spikes"]:
    """Tell which spikes are found; the missed share of a neuron is a beta variable, so some lose most."""
    mean = options.missed_fraction
    share = rng.beta(mean * 2.0, (1 - mean) * 2.0, spikes.n_neurons) if mean > 0 else np.zeros(spikes.n_neurons)
    return rng.random(spikes.n_spikes) >= share[spikes.neuron]


def _shadowed(spikes: SpikeTrains, position_um: ndarray, options: SortingOptions) -> Bool[ndarray, " spikes"]:
    """Tell which spikes come so soon after a neighbour's that the sorter sees one shape."""
    lost = np.zeros(spikes.n_spikes, dtype=bool)
    back = 1
    while options.shadow_s > 0:
        soon = np.flatnonzero(spikes.time_s[back:] - spikes.time_s[:-back] < options.shadow_s) + back
        if soon.size == 0:
            break
        mine, theirs = spikes.neuron[soon], spikes.neuron[soon - back]
        apart = np.hypot(*(position_um[mine, :2] - position_um[theirs, :2]).T)
        lost[soon[(apart < options.shadow_um) & (mine != theirs)]] = True
        back += 1
    return lost


def _merged(n: int, near: ndarray, options: SortingOptions, rng: Generator) -> Int64[ndarray, " neurons"]:
    """Return the unit of each neuron: its own number, or its nearest neighbour's where the two are merged."""
    unit = np.arange(n, dtype=np.int64)
    chosen: list[int] = rng.permutation(n)[: round(0.5 * options.merged_fraction * n)].tolist()
    for i in chosen:
        if unit[i] == i and unit[near[i]] == near[i]:
            unit[i] = near[i]
    return unit


def _split(
    unit: Int64[ndarray, " spikes"], n: int, options: SortingOptions, rng: Generator
) -> tuple[Int64[ndarray, " spikes"], int]:
    """Return units of which some have lost a part of their spikes to a new one, and the number of units."""
    chosen = rng.permutation(n)[: round(options.split_fraction * n)]
    new = np.full(n, -1, dtype=np.int64)
    new[chosen] = n + np.arange(chosen.size)
    share = 0.2 + 0.3 * rng.random(n)
    goes = (rng.random(unit.size) < share[unit]) & (new[unit] >= 0)
    return np.where(goes, new[unit], unit), n + chosen.size


def _false(
    spikes: SpikeTrains, n_units: int, options: SortingOptions, rng: Generator
) -> tuple[Float64[ndarray, " spikes"], Int64[ndarray, " spikes"]]:
    """Return times and units of spikes that never were."""
    count = rng.poisson(options.false_hz * spikes.duration_s, n_units)
    lengths = np.diff(spikes.epochs_s, axis=1).ravel()
    epoch = rng.choice(lengths.size, count.sum(), p=lengths / lengths.sum())
    start, stop = spikes.epochs_s[epoch].T
    return start + rng.random(epoch.size) * (stop - start), np.repeat(np.arange(n_units), count)


def _units(
    spikes: SpikeTrains,
    truth: SynapseMap,
    *,
    members: ndarray,
    time_s: ndarray,
    unit: ndarray,
    options: SortingOptions,
) -> SortedUnits:
    """Return units that have spikes enough, in order of their numbers, and the truth between them."""
    kept = np.flatnonzero(np.bincount(unit, minlength=len(members)) >= options.least_spikes)
    if kept.size == 0:
        raise CultureError(f"No unit has {options.least_spikes} spikes. Record longer, or lower least_spikes.")
    number = np.full(len(members), -1, dtype=np.int64)
    number[kept] = np.arange(kept.size)
    here = number[unit] >= 0
    share = members[kept]
    owner = share.argmax(axis=1)
    low, high = spikes.epochs_s[0, 0], np.nextafter(spikes.epochs_s[-1, 1], -np.inf)
    time_s = np.clip(time_s, low, high)
    inside = here & np.any([(time_s >= a) & (time_s < b) for a, b in spikes.epochs_s], axis=0)
    total = np.maximum(share.sum(axis=1, keepdims=True), 1.0)
    belongs = share / total > 0.1
    labels = [f"u{number}" for number in range(kept.size)]
    return SortedUnits(
        spikes=spike_trains(
            time_s=time_s[inside],
            neuron=number[unit[inside]],
            n_neurons=kept.size,
            epochs_s=spikes.epochs_s,
            labels=labels,
        ),
        truth=_truth_between(truth, belongs, owner, labels),
        share=share / total,
    )


def _truth_between(truth: SynapseMap, belongs: ndarray, owner: ndarray, labels: list[str]) -> SynapseMap:
    """Return the map of units: the strongest synapse of each kind between their neurons stands for a pair."""
    units_of = [np.flatnonzero(belongs[:, neuron]) for neuron in range(truth.n_neurons)]
    best: dict[tuple[int, int, int], int] = {}
    for s in np.argsort(np.abs(truth.weight_v), kind="stable"):
        for a in units_of[truth.pre[s]]:
            for b in units_of[truth.post[s]]:
                if a != b and not (belongs[a] & belongs[b]).any():
                    best[int(a), int(b), int(truth.kind[s])] = int(s)
    pairs = np.array([key[:2] for key in best], dtype=np.int64).reshape(-1, 2)
    row = np.array(list(best.values()), dtype=np.int64)
    sign = truth.sign[owner].copy()
    mixed = np.array([len(set(truth.sign[members].tolist())) != 1 for members in belongs])  # or of noise alone
    sign[mixed] = 0
    return synapse_map(
        n_neurons=len(labels),
        pre=pairs[:, 0],
        post=pairs[:, 1],
        weight_v=truth.weight_v[row],
        delay_s=truth.delay_s[row],
        kind=truth.kind[row] if row.size else Kind.CHEMICAL,
        labels=labels,
        position_um=truth.position_um[owner],
        sign=sign,
        model=[truth.model[i] for i in owner],
        provenance=truth.provenance,
    )
