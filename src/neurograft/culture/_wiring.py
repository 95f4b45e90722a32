"""Where cells lie and who connects to whom, at what delay; strengths come in ``_strengths``."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray
from numpy.random import Generator

from neurograft.culture._options import CultureOptions, PadGrid, WiringOptions
from neurograft.errors import CultureError
from neurograft.progress import Progress

_UM = 1e-6


class Graph(NamedTuple):
    """Chemical synapses sorted by (pre, post), and gap junctions, each named once with pre < post."""

    pre: Int64[ndarray, " synapses"]
    post: Int64[ndarray, " synapses"]
    delay_s: Float64[ndarray, " synapses"]
    gap_pre: Int64[ndarray, " gaps"]
    gap_post: Int64[ndarray, " gaps"]


def place_on_pads(options: CultureOptions, rng: Generator) -> tuple[Int64[ndarray, " recorded"], ndarray]:
    """Return each recorded neuron's pad, and positions (um) of all neurons; hidden ones lie anywhere between.

    Pads are numbered row by row.  Shared pads get their second neuron from ``shared_fraction``.
    """
    grid, n = options.grid, options.n_recorded
    n_shared = round(grid.shared_fraction * n)
    first = rng.permutation(grid.n_pads)[: n - n_shared]
    pad = np.concatenate([first, rng.permutation(first)[:n_shared]])
    on_pad = pad_centres_um(grid)[pad] + grid.jitter_um * rng.standard_normal((n, 2))
    edge_um = np.array([grid.n_columns, grid.n_rows]) * grid.pitch_um
    between = rng.random((options.n_neurons - n, 2)) * edge_um - 0.5 * grid.pitch_um
    return pad, np.column_stack([np.vstack([on_pad, between]), np.zeros(options.n_neurons)])


def pad_centres_um(grid: PadGrid) -> Float64[ndarray, "pads 2"]:
    """Return x, y of every pad, row by row, pad 0 at the origin."""
    row, column = np.divmod(np.arange(grid.n_pads), grid.n_columns)
    return np.column_stack([column, row]) * grid.pitch_um


def connect(
    *,
    position_um: Float64[ndarray, "neurons 3"],
    is_excitatory: Bool[ndarray, " neurons"],
    wiring: WiringOptions,
    progress: Progress,
    rng: Generator,
) -> Graph:
    """Return who connects to whom: independent draws with a probability that falls with distance."""
    scale = _probability_scale(position_um, is_excitatory, wiring)
    chemical_rng, gap_rng, delay_rng = rng.spawn(3)
    posts: list[ndarray] = []
    n = len(position_um)
    for i in range(n):
        near = scale * np.exp(-_distance_um(position_um, i) / _length_um(is_excitatory[i], wiring))
        near[i] = 0.0
        posts.append(np.flatnonzero(chemical_rng.random(n) < near))
        if i % 1024 == 0:
            progress("wiring the culture", i, n)
    pre = np.repeat(np.arange(n), [found.size for found in posts])
    post = np.concatenate(posts)
    gap_pre, gap_post = _gaps(position_um, is_excitatory, wiring, gap_rng)
    return Graph(pre, post, _delays_s(position_um, pre, post, wiring, delay_rng), gap_pre, gap_post)


def _length_um(is_excitatory: bool | np.bool_, wiring: WiringOptions) -> float:
    return wiring.excitatory_length_um if is_excitatory else wiring.inhibitory_length_um


def _distance_um(position_um: Float64[ndarray, "neurons 3"], i: int | np.integer) -> Float64[ndarray, " neurons"]:
    return np.hypot(position_um[:, 0] - position_um[i, 0], position_um[:, 1] - position_um[i, 1])


def _probability_scale(position_um: ndarray, is_excitatory: ndarray, wiring: WiringOptions) -> float:
    """Return p0 that gives the mean number of inputs; found from all pairs, or from 1,000 senders of many."""
    n = len(position_um)
    senders = np.arange(n) if n <= 1000 else np.linspace(0, n - 1, 1000).astype(int)
    falls = [np.exp(-_distance_um(position_um, i) / _length_um(is_excitatory[i], wiring)) for i in senders]
    mean_sum = float(np.mean([fall.sum() - 1.0 for fall in falls]))
    scale = wiring.inputs_per_neuron / mean_sum
    if scale > 1:
        raise CultureError(
            f"{wiring.inputs_per_neuron:g} inputs a neuron need a connection probability of {scale:.2f} at distance 0, "
            f"above 1. Lower inputs_per_neuron to {mean_sum:.3g} or less, or lengthen the connections."
        )
    return scale


def _delays_s(position_um: ndarray, pre: ndarray, post: ndarray, wiring: WiringOptions, rng: Generator) -> ndarray:
    apart_m = _UM * np.hypot(*(position_um[pre, :2] - position_um[post, :2]).T)
    detour = np.exp(wiring.delay_cv * rng.standard_normal(pre.size))
    return np.minimum(wiring.latency_s + apart_m / wiring.speed_m_per_s * detour, wiring.delay_limit_s)


def _gaps(
    position_um: ndarray, is_excitatory: ndarray, wiring: WiringOptions, rng: Generator
) -> tuple[ndarray, ndarray]:
    """Return pairs of inhibitory neurons with gap junctions, as many as the mean number asks for or as are near."""
    cells = np.flatnonzero(~is_excitatory)
    if wiring.gap_junctions_per_neuron <= 0 or cells.size < 2:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    first, second = np.triu_indices(cells.size, k=1)
    apart = np.hypot(*(position_um[cells[first], :2] - position_um[cells[second], :2]).T)
    likely = np.exp(-apart / wiring.gap_length_um)
    likely *= 0.5 * wiring.gap_junctions_per_neuron * cells.size / likely.sum()
    chosen = rng.random(likely.size) < likely
    return cells[first[chosen]], cells[second[chosen]]
