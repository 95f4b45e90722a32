"""Letting a culture live: its potentials and spikes, piece by piece, in memory that does not grow."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int64
from numpy import ndarray
from numpy.random import SeedSequence, default_rng

from neurograft.culture._activity import shared_activity
from neurograft.culture._engine import at_rest
from neurograft.culture._grow import Culture, advance
from neurograft.culture._options import CultureOptions
from neurograft.errors import CultureError

PIECE_S = 0.05
_WARM_UP_S = 0.3  # lets noise, gates and adaptation reach their usual values


class Piece(NamedTuple):
    """Consecutive frames of all neurons; the arrays are used again for the next piece."""

    start: int
    trace_v: Float32[ndarray, "neurons frames"]
    spike_frame: Int64[ndarray, " spikes"]  # counted from the start of the recording
    spike_neuron: Int64[ndarray, " spikes"]


def n_frames(options: CultureOptions, seconds: float) -> int:
    """Return how many frames so many seconds are; at least one."""
    frames = round(seconds / options.step_s) if np.isfinite(seconds) else 0
    if frames < 1:
        raise CultureError(f"{seconds} s of recording were asked for. Give a positive number of seconds.")
    return frames


def play(culture: Culture, *, seconds: float, seed: int) -> Iterator[Piece]:
    """Yield the next so many seconds of a culture that starts at rest; the same seed gives the same life."""
    options, position_um = culture.options, culture.map.position_um
    frames = n_frames(options, seconds)
    state_seed, shared_seed = SeedSequence([culture.seed, seed]).generate_state(2, np.uint64)
    shared = shared_activity(
        options.activity, seconds=_WARM_UP_S + seconds, position_um=position_um, rng=default_rng(shared_seed)
    )
    state = at_rest(culture.cells, culture.wires, seed=int(state_seed))
    warm_up = round(_WARM_UP_S / options.step_s)
    piece = round(PIECE_S / options.step_s)
    starts = [*range(-warm_up, 0, piece), *range(0, frames, piece)]
    for start, stop in zip(starts, [*starts[1:], frames], strict=True):
        seen = advance(
            culture,
            options,
            state,
            shared,
            start_s=start * options.step_s + _WARM_UP_S,
            n_steps=stop - start,
            steady_v=culture.steady_v,
            burst_gain=culture.burst_gain,
            position_um=position_um,
        )
        if not np.isfinite(state.v).all():
            bad = int(np.flatnonzero(~np.isfinite(state.v))[0])
            raise CultureError(
                f"The potential of neuron {bad} stopped being finite at {start * options.step_s:.2f} s. Shorten step_s."
            )
        if start >= 0:
            yield Piece(start, seen.trace_v, start + seen.spike_step, seen.spike_neuron)
