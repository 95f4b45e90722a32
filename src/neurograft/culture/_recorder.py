"""Turning a culture's life into an array's samples, piece by piece."""

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int16, Int64
from numpy import ndarray
from numpy.random import default_rng

from neurograft.culture._amplifier import Amplifier, amplifier, digitise, hear, leak_between
from neurograft.culture._grow import Culture
from neurograft.culture._pads import ArrayOptions, Pads, draw_pads
from neurograft.culture._play import Piece, n_frames, play

_DRIFT_KNOT_S = 0.5
_WINDOW = 100  # frames that are amplified at a time: 1.6 MB of what 4,096 pads hear
_EXTRACELLULAR_S = 1e-4  # what the readout's extracellular factor is stated for


class Frames(NamedTuple):
    """Consecutive samples of all pads, and the spikes of all neurons meanwhile."""

    start: int
    samples: Int16[ndarray, "frames pads"]
    spike_frame: Int64[ndarray, " spikes"]
    spike_neuron: Int64[ndarray, " spikes"]


class Recorder(NamedTuple):
    """Everything about an array on a culture that is decided before the first frame."""

    culture: Culture
    options: ArrayOptions
    pads: Pads
    amp: Amplifier
    drift: Float64[ndarray, "knots pads"]  # relative coupling at knots half a second apart
    drops: Int64[ndarray, "drops 2"]  # first frame that is lost, and the first that is not


def recorder(culture: Culture, options: ArrayOptions, *, seconds: float, seed: int) -> Recorder:
    """Return an array on a culture; ``seed`` decides pads, drift and noise."""
    pad_rng, drift_rng, drop_rng, noise_rng = default_rng([culture.seed, seed, 1]).spawn(4)
    pads = draw_pads(culture, options, pad_rng)
    step_s = culture.options.step_s
    frames = n_frames(culture.options, seconds)
    starts = np.sort(drop_rng.integers(1, max(frames, 2), drop_rng.poisson(options.drops_per_minute * seconds / 60)))
    stops = starts + max(round(options.drop_s / step_s), 1)
    return Recorder(
        culture=culture,
        options=options,
        pads=pads,
        amp=amplifier(options, pads, rest_v=culture.cells.rest_v, step_s=step_s, rng=noise_rng),
        drift=_drift(options, seconds=seconds, n_pads=pads.state.size, rng=drift_rng),
        drops=np.stack([starts, np.minimum(stops, frames)], axis=1).astype(np.int64),
    )


def _drift(options: ArrayOptions, *, seconds: float, n_pads: int, rng: np.random.Generator) -> ndarray:
    """Return each pad's relative coupling at knots: the exponential of an Ornstein-Uhlenbeck process, as float32."""
    n_knots = int(np.ceil(seconds / _DRIFT_KNOT_S)) + 2
    keep = np.exp(-_DRIFT_KNOT_S / options.drift_s)
    log_gain = np.empty((n_knots, n_pads), dtype=np.float32)
    now = options.drift_log_spread * rng.standard_normal(n_pads)
    for knot in range(n_knots):
        log_gain[knot] = now
        now = now * keep + options.drift_log_spread * np.sqrt(1 - keep**2) * rng.standard_normal(n_pads)
    return np.exp(log_gain)


def frames(made: Recorder, *, seconds: float, seed: int, n_workers: int = 1) -> Iterator[Frames]:
    """Yield samples of all pads for so many seconds; they do not depend on the number of workers.

    With two workers or more, the culture lives in one thread while the others amplify what it just did.
    """
    culture, step_s = made.culture, made.culture.options.step_s
    lsb = made.options.readout.lsb_u
    pads = made.pads._replace(
        inside_gain=made.pads.inside_gain / lsb, near_gain=made.pads.near_gain / lsb * (_EXTRACELLULAR_S / step_s)
    )
    last = np.zeros((1, pads.state.size), dtype=np.int16)
    lives = play(culture, seconds=seconds, seed=seed)
    with ThreadPoolExecutor(max(n_workers, 1)) as pool:
        ahead = pool.submit(next, lives, None)
        while (piece := ahead.result()) is not None:
            if n_workers > 1:
                ahead = pool.submit(next, lives, None)
            samples = _sampled(made, pads, piece, pool, max(n_workers - 1, 1))
            if n_workers <= 1:
                ahead = pool.submit(next, lives, None)
            _lose(samples, made.drops, piece.start, last)
            last = samples[-1:].copy()
            yield Frames(piece.start, samples, piece.spike_frame, piece.spike_neuron)


def _sampled(made: Recorder, pads: Pads, piece: Piece, pool: Executor, n_parts: int) -> Int16[ndarray, "frames pads"]:
    """Return a piece's samples, made window by window so that what lies between stays in the processor's cache."""
    n_pads, n_steps = pads.state.size, piece.trace_v.shape[1]
    edges = np.linspace(0, n_pads, n_parts + 1).astype(int).tolist()
    out = np.empty((n_steps, n_pads), dtype=np.int16)
    if piece.start == 0:
        made.amp.last_v[:] = piece.trace_v[:, 0]
    for begin in range(0, n_steps, _WINDOW):
        heard, mixed = np.empty((2, n_pads, min(_WINDOW, n_steps - begin)), dtype=np.float32)
        listen = partial(_listen, made=made, pads=pads, piece=piece, begin=begin, heard=heard)
        window = out[begin : begin + _WINDOW]
        convert = partial(_convert, made=made, at=piece.start + begin, heard=heard, mixed=mixed, out=window)
        for work in (listen, convert):  # every pad is heard before neighbours are mixed
            for done in [pool.submit(work, first, last) for first, last in pairwise(edges)]:
                done.result()
    made.amp.last_v[:] = piece.trace_v[:, -1]
    return out


def _listen(first: int, last: int, *, made: Recorder, pads: Pads, piece: Piece, begin: int, heard: ndarray) -> None:
    """Fill what pads ``first`` to ``last`` - 1 hear of a window, with the coupling drifting from knot to knot."""
    step_s = made.culture.options.step_s
    knot = piece.start * step_s / _DRIFT_KNOT_S
    before, share = int(knot), knot - int(knot)
    rise = (made.drift[before + 1] - made.drift[before]).astype(np.float64)
    drift, drift_step = made.drift[before] + share * rise, rise * (step_s / _DRIFT_KNOT_S)
    rest_v = made.culture.cells.rest_v
    hear(piece.trace_v, begin, rest_v, made.amp.last_v, pads, drift, drift_step, heard, first, last)


def _convert(first: int, last: int, *, made: Recorder, at: int, heard: ndarray, mixed: ndarray, out: ndarray) -> None:
    """Fill samples of channels ``first`` to ``last`` - 1 of a window that begins at frame ``at``."""
    grid = made.culture.options.grid
    leak_between(heard, grid.n_rows, grid.n_columns, float(made.options.crosstalk), mixed, first, last)
    if at == 0:  # the AC coupling has forgotten the step from nothing to the first sample
        made.amp.last_in[first:last] += mixed[first:last, 0]
    digitise(mixed, made.amp, first, last, out)


def _lose(samples: ndarray, drops: ndarray, start: int, last: ndarray) -> None:
    """Write the last good frame over lost ones; a drop may go on from the piece before."""
    for first, stop in drops - start:
        if stop > 0 and first < len(samples):
            held = samples[first - 1 : first] if first > 0 else last
            samples[max(first, 0) : stop] = held
