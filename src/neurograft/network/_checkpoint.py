"""Stopping a run and going on later, also in another process or with another number of threads."""

from dataclasses import dataclass
from pathlib import Path
from typing import final
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float64, Int32, Int64
from numpy import ndarray

from neurograft.errors import RunError
from neurograft.files import written_whole
from neurograft.network._engine import Engine
from neurograft.network._group import Group, Spikes
from neurograft.network._lazy import AWAKE, asleep_since, fall_asleep
from neurograft.network._learning import GroupPlasticity
from neurograft.network._learning_kernel import Pools

FORMAT_VERSION = 3
_SINCE = {"asleep_since": 2, "pool": 3, "pool_last": 3}  # the version that has it first


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Checkpoint:
    """Everything that the next step depends on beside map, drive, models and step length.

    Arrays are in the engine's order of neurons; a model with fewer states than another leaves rows at 0.
    """

    step: int
    seed: int
    step_s: float
    state: Float64[ndarray, "states neurons"]
    refractory: Int32[ndarray, " neurons"]
    asleep_since: Int64[ndarray, " neurons"]  # step from which a skipped neuron is not yet followed; -1 awake
    past_origin: int
    past_neuron: Int32[ndarray, " past_spikes"]
    past_start: Int64[ndarray, " past_steps_and_end"]
    pool: Float64[ndarray, "two synapses"]  # utilised and ready vesicles of the map's synapses; none without pools
    pool_last: Int64[ndarray, " synapses"]  # step of the last arrival; -1 before the first


def take(engine: Engine, step_s: float) -> Checkpoint:
    """Return a copy of an engine's state between two steps."""
    state = np.zeros((max(group.state.shape[0] for group in engine.groups), engine.n_neurons))
    for group in engine.groups:
        state[: group.state.shape[0], group.first : group.first + group.n_neurons] = group.state
    at = engine.step - engine.past.origin
    used = int(engine.past.start[at])
    pool, pool_last = _pools(engine)
    return Checkpoint(
        step=engine.step,
        seed=engine.clock.seed,
        step_s=step_s,
        state=state,
        refractory=np.concatenate([group.refractory for group in engine.groups]),
        asleep_since=np.concatenate([_asleep_since(group) for group in engine.groups]),
        past_origin=engine.past.origin,
        past_neuron=engine.past.neuron[:used].copy(),
        past_start=engine.past.start[: at + 1].copy(),
        pool=pool,
        pool_last=pool_last,
    )


def _held(engine: Engine) -> tuple[list[tuple[Pools, ndarray]], int]:
    """Return the pools of each group with the map's synapses that they are of, and the number of the map's synapses."""
    held = [group.synapses.pools for group in engine.groups if isinstance(group.synapses, GroupPlasticity)]
    return held, max((int(synapse.max(initial=-1)) + 1 for _, synapse in held), default=0)


def _pools(engine: Engine) -> tuple[ndarray, ndarray]:
    """Return the state of all pools by synapse of the map, whatever groups they are in."""
    held, n = _held(engine)
    pool, last = np.ones((2, n)), np.full(n, -1, dtype=np.int64)
    for pools, synapse in held:
        pool[0, synapse], pool[1, synapse], last[synapse] = pools.utilised, pools.ready, pools.last
    return pool, last


def _refill(engine: Engine, checkpoint: Checkpoint) -> None:
    held, n = _held(engine)
    if n != checkpoint.pool_last.size:
        raise RunError(
            f"The checkpoint knows the vesicles of {checkpoint.pool_last.size} synapses, the run needs those of {n}. "
            "Resume with the map of the run that was stopped."
        )
    for pools, synapse in held:
        pools.utilised[:], pools.ready[:] = checkpoint.pool[:, synapse]
        pools.last[:] = checkpoint.pool_last[synapse]


def _asleep_since(group: Group) -> ndarray:
    return np.full(group.n_neurons, AWAKE, dtype=np.int64) if group.quiet is None else asleep_since(group.quiet)


def _fall_asleep(group: Group, since: ndarray) -> None:
    if group.quiet is not None:
        fall_asleep(group.quiet, since)
    elif np.any(since != AWAKE):
        raise RunError("The checkpoint is of a run with skip_quiet. Resume with RunOptions(skip_quiet=True).")


def restore(engine: Engine, checkpoint: Checkpoint, step_s: float) -> None:
    """Put an engine built for the same map into the state of a checkpoint; another map or step is refused."""
    n_states = max(group.state.shape[0] for group in engine.groups)
    if checkpoint.state.shape != (n_states, engine.n_neurons) or checkpoint.step_s != step_s:
        raise RunError(
            f"The checkpoint is of {checkpoint.state.shape[1]} neurons with {checkpoint.state.shape[0]} states and "
            f"steps of {checkpoint.step_s:g} s, the run of {engine.n_neurons}, {n_states} and {step_s:g} s. "
            "Resume with the map, neuron models and step_s of the run that was stopped."
        )
    if checkpoint.seed != engine.clock.seed:
        raise RunError(
            f"The checkpoint's seed is {checkpoint.seed}, the run's {engine.clock.seed}. Give the same seed."
        )
    for group in engine.groups:
        here = slice(group.first, group.first + group.n_neurons)
        group.state[:] = checkpoint.state[: group.state.shape[0], here]
        group.refractory[:] = checkpoint.refractory[here]
        group.inputs[:] = 0.0
        _fall_asleep(group, checkpoint.asleep_since[here])
    _refill(engine, checkpoint)
    engine.clock.step = checkpoint.step
    engine.past = Spikes(
        origin=checkpoint.past_origin, neuron=checkpoint.past_neuron.copy(), start=checkpoint.past_start.copy()
    )


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint whole or not at all (NPZ)."""
    columns = {name: getattr(checkpoint, name) for name in Checkpoint.__dataclass_fields__}
    with written_whole(path) as part, part.open("wb") as stream:
        np.savez(stream, format_version=FORMAT_VERSION, **columns)


def load_checkpoint(path: Path) -> Checkpoint:
    """Return what ``save_checkpoint`` wrote; nothing is unpickled."""
    try:
        with np.load(path, allow_pickle=False) as file:
            version = int(file["format_version"])
            if version > FORMAT_VERSION:
                raise RunError(f"{path} is of format {version}, newer than {FORMAT_VERSION}. Update neurograft.")
            names = (name for name in Checkpoint.__dataclass_fields__ if version >= _SINCE.get(name, 1))
            read = {name: file[name] for name in names}
    except FileNotFoundError as error:
        raise RunError(f"There is no checkpoint {path}. Check the name.") from error
    except (KeyError, ValueError, EOFError, OSError, BadZipFile) as error:
        raise RunError(
            f"{path} cannot be read as a checkpoint. Give a file of save_checkpoint or run --checkpoint, whole."
        ) from error
    return Checkpoint(
        step=int(read["step"]),
        seed=int(read["seed"]),
        step_s=float(read["step_s"]),
        state=read["state"],
        refractory=read["refractory"],
        asleep_since=read.get("asleep_since", np.full(read["refractory"].size, -1, dtype=np.int64)),
        past_origin=int(read["past_origin"]),
        past_neuron=read["past_neuron"],
        past_start=read["past_start"],
        pool=read.get("pool", np.ones((2, 0))),
        pool_last=read.get("pool_last", np.zeros(0, dtype=np.int64)),
    )
