"""Growing: cells are placed, wired, given strengths, and left to settle until they fire at the wanted rates."""

from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray
from numpy.random import Generator, default_rng

from neurograft.culture._activity import ROW_S, Shared, drive_v, share_of_time, sweep
from neurograft.culture._cells import Cells, Drive, Seen, State, Wires
from neurograft.culture._engine import at_rest, noise_current_a, noise_keep, run_steps
from neurograft.culture._options import CultureOptions, require_possible
from neurograft.culture._strengths import Strengths, draw_strengths, with_conductances
from neurograft.culture._truth import truth_map
from neurograft.culture._wiring import Graph, connect, place_on_pads
from neurograft.maps import SynapseMap
from neurograft.progress import Progress, silent
from neurograft.units import MV

_STEP_V = 2.0 * MV  # change of the steady drive for an e-fold of the rate, in the first round
_FINE_STEP_V = 1.0 * MV  # for rates that are wrong by all of themselves, once they are about right
_LARGEST_CHANGE_V = 4 * MV
_CHUNK_S = 0.05  # of a sweep; within it excitability counts as constant
_BURST_TAIL_S = 0.3  # until adaptation and depression are over
_GOLDEN = 0.618034  # multiples of it, without the whole part, fill 0 to 1 evenly


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Culture:
    """A grown culture: its truth (``map``, all neurons, recorded ones first) and what runs it."""

    options: CultureOptions
    seed: int
    map: SynapseMap
    pad: Int64[ndarray, " recorded"]  # on which pad each recorded neuron sits
    cells: Cells
    wires: Wires
    steady_v: Float64[ndarray, " neurons"]
    burst_gain: Float64[ndarray, " neurons"]

    @property
    def n_recorded(self) -> int:
        """Number of neurons on pads; they are neurons 0 to n_recorded - 1."""
        return self.pad.size


class _Grown(NamedTuple):
    cells: Cells
    wires: Wires
    position_um: Float64[ndarray, "neurons 3"]


def grow(options: CultureOptions, *, seed: int, progress: Progress = silent) -> Culture:
    """Return a culture; the same options and seed give the same culture.

    Raises ``CultureError`` for what no culture can have, before work starts.
    """
    require_possible(options)
    place_rng, cell_rng, wire_rng, strength_rng, settle_rng = default_rng(seed).spawn(5)
    n = options.n_neurons
    pad, position_um = place_on_pads(options, place_rng)
    is_excitatory = np.zeros(n, dtype=bool)
    is_excitatory[cell_rng.permutation(n)[: round(options.excitatory_fraction * n)]] = True
    cells = options.family.cells(is_excitatory, cell_rng)
    graph = connect(
        position_um=position_um, is_excitatory=is_excitatory, wiring=options.wiring, progress=progress, rng=wire_rng
    )
    progress("measuring synaptic potentials", 0, 1)
    strengths = with_conductances(
        draw_strengths(is_excitatory=is_excitatory[graph.pre], synapses=options.synapses, rng=strength_rng),
        post=graph.post,
        family=options.family,
        cells=cells,
        nmda_ratio=options.synapses.nmda_ratio,
        step_s=options.step_s,
    )
    wires = _wires(options, graph, strengths, cells, strength_rng)
    burst_gain = np.exp(0.3 * settle_rng.standard_normal(n))
    steady_v = _settle(options, _Grown(cells, wires, position_um), burst_gain, progress, settle_rng)
    return Culture(
        options=options,
        seed=seed,
        map=truth_map(
            options, seed=seed, graph=graph, strengths=strengths, cells=cells, wires=wires, where=position_um
        ),
        pad=pad,
        cells=cells,
        wires=wires,
        steady_v=steady_v,
        burst_gain=burst_gain,
    )


def _wires(options: CultureOptions, graph: Graph, strengths: Strengths, cells: Cells, rng: Generator) -> Wires:
    n, synapses, wiring = options.n_neurons, options.synapses, options.wiring
    delay_steps = np.maximum(np.rint(graph.delay_s / options.step_s), 1).astype(np.int64)
    spread = np.exp(0.4 * rng.standard_normal(graph.gap_pre.size))
    softer = np.minimum(cells.rest_siemens[graph.gap_pre], cells.rest_siemens[graph.gap_post])
    end, other = np.concatenate([graph.gap_pre, graph.gap_post]), np.concatenate([graph.gap_post, graph.gap_pre])
    order = np.lexsort((other, end))
    longest = int(delay_steps.max(initial=1)) + 1
    return Wires(
        start=np.searchsorted(graph.pre, np.arange(n + 1)).astype(np.int64),
        target=graph.post.astype(np.int64),
        delay_steps=delay_steps,
        quantum_siemens=strengths.quantum_siemens,
        n_sites=strengths.n_sites,
        release=strengths.release,
        quantum_cv=float(synapses.quantum_cv),
        recovery_s=float(synapses.recovery_s),
        facilitation_s=float(synapses.facilitation_s),
        nmda_ratio=float(synapses.nmda_ratio),
        gap_start=np.searchsorted(end[order], np.arange(n + 1)).astype(np.int64),
        gap_other=other[order],
        gap_siemens=np.tile(wiring.gap_coupling * softer * spread, 2)[order],
        n_slots=1 << (longest - 1).bit_length(),
        step_s=float(options.step_s),
    )


def advance(
    culture: Culture | _Grown,
    options: CultureOptions,
    state: State,
    shared: Shared,
    *,
    start_s: float,
    n_steps: int,
    steady_v: Float64[ndarray, " neurons"],
    burst_gain: Float64[ndarray, " neurons"],
    position_um: Float64[ndarray, "neurons 3"],
) -> Seen:
    """Return what is seen in the next steps of a culture; ``start_s`` is the time on the shared activity's clock."""
    activity, cells = options.activity, culture.cells
    steps_per_row = max(round(ROW_S / options.step_s), 1)
    drive = Drive(
        current_a=cells.rest_siemens
        * drive_v(
            activity,
            shared,
            start_s=start_s,
            n_rows=-(-n_steps // steps_per_row),
            steady_v=steady_v,
            burst_gain=burst_gain,
            position_um=position_um,
        ),
        steps_per_row=steps_per_row,
        noise_keep=noise_keep(activity.noise_s, options.step_s),
        noise_a=noise_current_a(cells, noise_v=activity.noise_v, noise_s=activity.noise_s),
    )
    return run_steps(options.family, cells, culture.wires, state, drive, n_steps=n_steps)


def _settle(
    options: CultureOptions, grown: _Grown, burst_gain: ndarray, progress: Progress, rng: Generator
) -> Float64[ndarray, " neurons"]:
    """Return the steady drive of each neuron that brings its rate near what is wanted.

    Each round is one burst amid quiet; the expected rate is burst rate x spikes in the burst + rate in the
    quiet.  First the drive moves by the logarithm of wanted over found, which finds the right size from far
    away; then by their difference, which has no bias however few spikes a round holds.
    """
    activity, cells = options.activity, grown.cells
    wanted = np.exp(activity.rate_log_spread * rng.standard_normal(options.n_neurons))
    wanted *= activity.rate_hz / wanted.mean()
    least = 0.5 / activity.settle_s
    steady = 0.6 * (cells.threshold_v - cells.rest_v)
    state = at_rest(cells, grown.wires, seed=int(rng.integers(2**63)))
    far = activity.settle_rounds // 2
    for turn in range(activity.settle_rounds):
        progress("settling the culture", turn, activity.settle_rounds)
        shared = sweep(
            activity,
            seconds=activity.settle_s,
            position_um=grown.position_um,
            burst_at=(turn * _GOLDEN) % 1.0,
            rng=rng,
        )
        found = _expected_rates_hz(options, grown, state, shared, steady=steady, burst_gain=burst_gain)
        if turn < far:
            gain = _STEP_V / (1 + turn / 3)
            change = gain * np.log((wanted + least) / (found + least))
            change += gain * np.log(wanted.sum() / max(found.sum(), 0.5 * least))
        else:
            gain = _FINE_STEP_V / (1 + 0.5 * (turn - far))
            change = gain * (wanted - found) / (wanted + least)
            change += gain * (wanted.sum() - found.sum()) / wanted.sum()
        steady = steady + np.clip(change, -_LARGEST_CHANGE_V, _LARGEST_CHANGE_V)
    return steady


def _expected_rates_hz(
    options: CultureOptions, grown: _Grown, state: State, shared: Shared, *, steady: ndarray, burst_gain: ndarray
) -> Float64[ndarray, " neurons"]:
    """Return rates over a long time from one sweep: burst and quiet, each excitability in its share of the time."""
    activity, n = options.activity, options.n_neurons
    chunk = round(_CHUNK_S / options.step_s)
    n_chunks = max(round(activity.settle_s / _CHUNK_S), 4)
    edge_s = chunk * options.step_s * np.arange(n_chunks + 1)
    begin_s = shared.burst_s[0] if shared.burst_s.size else np.inf
    spread_s = 1e-6 * np.ptp(grown.position_um[:, :2], axis=0).max() / activity.burst_speed_m_per_s
    end_s = min(begin_s + activity.burst_s + spread_s + _BURST_TAIL_S, edge_s[-1])
    overlap_s = np.minimum(edge_s[1:], end_s) - np.maximum(edge_s[:-1], begin_s)
    quiet_s = np.diff(edge_s) - np.maximum(overlap_s, 0.0)
    usual = np.where(quiet_s > 0.5 * _CHUNK_S, share_of_time(edge_s, activity.settle_s), 0.0)
    in_burst, quiet_hz = np.zeros(n), np.zeros(n)
    for k in range(n_chunks):
        seen = advance(
            grown,
            options,
            state,
            shared,
            start_s=edge_s[k],
            n_steps=chunk,
            steady_v=steady,
            burst_gain=burst_gain,
            position_um=grown.position_um,
        )
        time_s = edge_s[k] + seen.spike_step * options.step_s
        bursting = (time_s >= begin_s) & (time_s < end_s)
        in_burst += np.bincount(seen.spike_neuron[bursting], minlength=n)
        if usual[k] > 0:
            quiet_hz += usual[k] * np.bincount(seen.spike_neuron[~bursting], minlength=n) / quiet_s[k]
    quiet_hz /= max(usual.sum(), 1e-9)
    if not shared.burst_s.size:
        return quiet_hz
    share = min(activity.burst_rate_hz * max(end_s - begin_s, _CHUNK_S), 0.9)
    return share * in_burst / max(end_s - begin_s, _CHUNK_S) + (1 - share) * quiet_hz
