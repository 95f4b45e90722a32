"""Runs of ions under a waveform, block by block: conduction, clusters, trajectories, checkpoints."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.errors import IonicError
from neurograft.ionic._brownian import IonModel, IonState, Stepper
from neurograft.ionic._checkpoint import read_arrays, write_arrays
from neurograft.ionic._observables import block_error, free_current_per_field
from neurograft.ionic._waveform import Steady, Waveform
from neurograft.progress import Progress, silent

_KIND = "ions"


class IonRecord(NamedTuple):
    """Means over blocks; ``current_ratio`` is the current over that of free ions at 1 V/m: n is ratio / field."""

    time_s: Float64[ndarray, " blocks"]
    field_v_m: Float64[ndarray, " blocks"]
    current_ratio: Float64[ndarray, " blocks"]


def run_ions(
    stepper: Stepper,
    state: IonState,
    waveform: Waveform,
    *,
    n_blocks: int,
    block_steps: int = 2000,
    on_block: Callable[[IonState], None] | None = None,
    progress: Progress = silent,
) -> IonRecord:
    """Advance ``state`` through the waveform, which starts where the state's clock stands."""
    step_s = stepper.model.step_s
    per_field = free_current_per_field(stepper.model) * block_steps * step_s
    rows = np.zeros((n_blocks, 3))
    for block in range(n_blocks):
        times_s = (state.n_steps + np.arange(block_steps)) * step_s
        fields = waveform.at(times_s)
        moved_nm = stepper.advance(state, fields)
        rows[block] = times_s.mean(), fields.mean(), moved_nm / per_field
        if on_block is not None:
            on_block(state)
        progress("ions", block + 1, n_blocks)
    return IonRecord(*rows.T.copy())


def static_fraction(
    stepper: Stepper, state: IonState, *, field_v_m: float, n_blocks: int, n_settle: int, progress: Progress = silent
) -> tuple[float, float]:
    """Return the conduction fraction in a steady field and its standard error, after ``n_settle`` blocks."""
    record = run_ions(stepper, state, Steady(field_v_m=field_v_m), n_blocks=n_settle + n_blocks, progress=progress)
    fraction = record.current_ratio[n_settle:] / field_v_m
    return float(fraction.mean()), block_error(fraction)


def save_ions(path: Path, model: IonModel, state: IonState) -> None:
    """Write a checkpoint."""
    arrays = {"x_nm": state.x_nm, "y_nm": state.y_nm, "species": state.species, "words": state.words}
    arrays["n_steps"] = np.array(state.n_steps)
    arrays["plane_m"] = np.array([model.plane.length_m, model.plane.width_m])
    write_arrays(path, arrays, kind=_KIND)


def load_ions(path: Path, model: IonModel, *, is_open: bool = False) -> IonState:
    """Return a checkpoint's ions; those of another plane or salt are refused.  An open slit may hold any number."""
    arrays = read_arrays(path, kind=_KIND)
    plane_m = np.array([model.plane.length_m, model.plane.width_m])
    counts = np.bincount(arrays["species"], minlength=len(model.salt.ions)).tolist()
    is_known = len(counts) == len(model.salt.counts) and (is_open or tuple(counts) == model.salt.counts)
    if not np.allclose(arrays["plane_m"], plane_m) or not is_known:
        raise IonicError(f"{path} holds {counts} ions on {arrays['plane_m']} m, not those of this model. Start anew.")
    return IonState(
        x_nm=arrays["x_nm"],
        y_nm=arrays["y_nm"],
        species=arrays["species"],
        words=arrays["words"],
        n_steps=int(arrays["n_steps"]),
    )
