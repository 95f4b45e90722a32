"""From a map to an engine: models, order of neurons, delays in steps, groups and their rows."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Int32, Int64
from numpy import ndarray

from neurograft.errors import OptionError, RunError, did_you_mean
from neurograft.maps import Kind, SynapseMap
from neurograft.network._drive import Drive, Poisson
from neurograft.network._engine import Engine
from neurograft.network._forced import StimulusTables
from neurograft.network._group import Clock, Group, Spikes
from neurograft.network._lazy import can_skip, quiet_of
from neurograft.network._learning import GroupPlasticity, places_of
from neurograft.network._options import RunOptions
from neurograft.network._plasticity import Plasticity
from neurograft.network._poisson import PoissonInput, no_poisson, poisson_input
from neurograft.network._populations import Populations
from neurograft.network._random import STREAM_START, words_of
from neurograft.network._rows import Synapses, delay_steps, used_synapses
from neurograft.network._stimulus import Stimulus, tables_of
from neurograft.network._synapse_hook import SynapseHook
from neurograft.neurons import Lif, NeuronModel, Stepper, find_model, known_models

_SYNAPSES_PER_NEURON = 3000  # that cost as much at a few spikes a second as stepping their neuron does


def build_engine(
    m: SynapseMap | Populations,
    *,
    seed: int,
    neuron: NeuronModel,
    drive: Drive,
    options: RunOptions,
    stimulus: Stimulus | None = None,
    plasticity: Plasticity | None = None,
    hook: SynapseHook | None = None,
) -> Engine:
    """Return an engine at step 0; its neurons are sorted by model, see ``engine_order``."""
    models, kind = models_of(m, neuron)
    order = engine_order(kind)
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    if isinstance(m, Populations):
        synapses = m.synapses(neuron, options.step_s)
    else:
        synapses = _synapses(m, models, kind, place, options.step_s)
    stretches = _stretches(kind[order])
    bounds = _bounds(stretches, synapses.n_incoming(), options.n_threads)
    has_words = not options.skip_quiet and plasticity is None and hook is None
    units = {
        kind[order[a]]: synapses.units(
            a, b, n_channels=models[kind[order[a]]].stepper(options.step_s).n_channels, is_rounded=options.round_weights
        )
        for a, b in (stretches if has_words else [])
    }
    recorded = place[np.array(options.record_voltage_of, dtype=np.int64)]
    drive_v, noise_sd_v = drive.mean_at_v(0.0)[order], drive.noise_sd_v[order]
    groups: list[Group] = []
    columns: list[ndarray] = []
    for first, last in bounds:
        model = models[kind[order[first]]]
        stepper = model.stepper(options.step_s)
        mine = np.sort(recorded[(recorded >= first) & (recorded < last)])
        flat, named = _recorded(model, stepper, mine - first, last - first, options)
        columns.append(np.column_stack([np.tile(mine, len(options.record_states)), named]))
        state = model.start(_fractions(seed, order[first:last]))
        if options.start_v is not None:
            state[0] = options.start_v[order[first:last]]
        group = Group(
            model=model,
            stepper=stepper,
            first=first,
            rows=synapses.rows(
                first=first, last=last, n_channels=stepper.n_channels, units=units.get(kind[order[first]])
            ),
            state=state,
            refractory=np.zeros(last - first, dtype=np.int32),
            noise_v=noise_sd_v[first:last] * stepper.noise_kick,
            recorded=flat,
            drive_v=drive_v[first:last].copy(),
            poisson=_poisson(drive.poisson, order[first:last], model, options.step_s),
            stimulus=_stimulus(stimulus, order[first:last], model, options.step_s),
        )
        if options.skip_quiet:
            _skip_quiet(group, mine - first, drive, order[first:last])
        if plasticity is not None or hook is not None:
            assert isinstance(m, SynapseMap)
            assert isinstance(synapses, Synapses)
            n = last - first
            synapse, at, per_volt = places_of(m, synapses, model=model, first=first, n_neurons=n)
            if plasticity is not None:
                group.synapses = GroupPlasticity(
                    plasticity, m, group.rows, synapse=synapse, place=at, per_volt=per_volt, n_neurons=n,
                    step_s=options.step_s,
                )  # fmt: skip
            elif hook is not None:
                group.synapses = hook(group.rows, synapse, per_volt, n, options.step_s)
        groups.append(group)
    past = Spikes(origin=0, neuron=np.empty(0, dtype=np.int32), start=np.zeros(1, dtype=np.int64))
    clock = Clock(step=0, step_s=options.step_s, seed=seed, delays=synapses.delays)
    return Engine(groups=groups, clock=clock, past=past, n_threads=options.n_threads, columns=np.concatenate(columns))


def _recorded(
    model: NeuronModel, stepper: Stepper, mine: ndarray, n: int, options: RunOptions
) -> tuple[Int64[ndarray, " recorded"], Int64[ndarray, " recorded"]]:
    """Return the recorded places in a group's flat state, and for each which of the named states it is."""
    rows: list[int] = []
    for name in options.record_states if mine.size else ():
        if name not in stepper.state_names:
            raise RunError(
                f"The neuron model {model.name!r} has no state {name!r} to record. "
                f"{did_you_mean(name, stepper.state_names)}"
            )
        rows.append(stepper.state_names.index(name))
    flat = np.concatenate([row * n + mine for row in rows]) if rows else np.zeros(0, dtype=np.int64)
    return flat.astype(np.int64), np.repeat(np.arange(len(options.record_states)), mine.size)


def _skip_quiet(group: Group, recorded: ndarray, drive: Drive, mine: ndarray) -> None:
    """Let a group skip its quiet neurons, if its model can."""
    if not isinstance(group.model, Lif) or not can_skip(group.model):
        return
    if drive.modulation is not None:
        raise RunError("skip_quiet cannot be used with a modulation, which moves every neuron. Leave one of them out.")
    always = group.noise_v > 0.0
    if drive.poisson is not None:
        always |= drive.poisson.rate_hz[mine] > 0.0
    always[recorded] = True
    n_states = group.stepper.n_states
    group.quiet = quiet_of(
        group.model, group.stepper.constants, always, state=group.state, drive_v=group.drive_v
    )  # fmt: skip
    group.state = group.quiet.cells[:, :n_states].T


def _poisson(given: Poisson | None, mine: ndarray, model: NeuronModel, step_s: float) -> PoissonInput:
    if given is None or not np.any(given.rate_hz[mine]):
        return no_poisson()
    amplitude, channel = model.amplitude(given.weight_v[mine])
    place = channel.astype(np.int64) * mine.size + np.arange(mine.size)
    return poisson_input(given.rate_hz[mine], step_s, amplitude=amplitude, place=place)


def _stimulus(given: Stimulus | None, mine: ndarray, model: NeuronModel, step_s: float) -> StimulusTables | None:
    return tables_of(given, mine, model, step_s) if given is not None and given.acts_on_spikes else None


def models_of(m: SynapseMap | Populations, neuron: NeuronModel) -> tuple[list[NeuronModel], Int32[ndarray, " neurons"]]:
    """Return the models in use and each neuron's index among them; "" in the map means ``neuron``."""
    if isinstance(m, Populations):
        return [neuron], np.zeros(m.n_neurons, dtype=np.int32)
    known = known_models()
    known[neuron.name] = neuron
    names = sorted(set(m.model))
    models: list[NeuronModel] = []
    for name in names:
        try:
            models.append(find_model(name, known) if name else neuron)
        except OptionError as error:
            at = m.model.index(name)
            raise RunError(
                f"Neuron {m.labels[at]} of the map cannot run. {error} Change the map's model column, or leave it "
                "empty to run every neuron with the model given to run()."
            ) from error
    index = {name: i for i, name in enumerate(names)}
    return models, np.array([index[name] for name in m.model], dtype=np.int32)


def engine_order(kind: Int32[ndarray, " neurons"]) -> Int64[ndarray, " neurons"]:
    """Return the map's neurons in the engine's order: by model, else as in the map."""
    return np.argsort(kind, kind="stable").astype(np.int64)


def _synapses(m: SynapseMap, models: Sequence[NeuronModel], kind: ndarray, place: ndarray, step_s: float) -> Synapses:
    used = used_synapses(m)
    steps = delay_steps(m, used, step_s)
    delays, index = np.unique(steps, return_inverse=True)
    weight_v, post = m.weight_v[used], m.post[used]
    amplitude = np.empty(weight_v.size)
    channel = np.empty(weight_v.size, dtype=np.int32)
    for i, model in enumerate(models):
        onto = kind[post] == i
        amplitude[onto], channel[onto] = model.amplitude(weight_v[onto])
    is_electrical = m.kind[used] == Kind.ELECTRICAL
    amplitude[is_electrical], channel[is_electrical] = weight_v[is_electrical], 0
    return Synapses(
        pre=place[m.pre[used]].astype(np.int32),
        post=place[post].astype(np.int32),
        amplitude=amplitude,
        channel=channel,
        delay_index=index.astype(np.int32),
        delays=delays.astype(np.int32),
        n_neurons=m.n_neurons,
    )


def _stretches(kind: ndarray) -> list[tuple[int, int]]:
    """Return where each model's neurons are in the engine's order."""
    return list(pairwise([0, *(np.flatnonzero(np.diff(kind)) + 1).tolist(), kind.size]))


def _bounds(stretches: list[tuple[int, int]], n_incoming: ndarray, n_parts: int) -> list[tuple[int, int]]:
    """Return each model's neurons cut into parts of about equal work."""
    work = n_incoming + _SYNAPSES_PER_NEURON
    bounds: list[tuple[int, int]] = []
    for first, last in stretches:
        done = np.cumsum(work[first:last])
        cuts = first + np.searchsorted(done, done[-1] * np.arange(1, n_parts) / n_parts)
        inner = sorted({first, *(int(c) for c in cuts), last})
        bounds += list(pairwise(inner))
    return bounds


def _fractions(seed: int, neuron: ndarray) -> ndarray:
    """Return one uniform number a neuron, the same whatever the order of neurons."""
    words = np.empty(int(neuron.max()) + 1, dtype=np.uint64)
    words_of(seed, STREAM_START, 0, 0, words)
    return words[neuron] / 2.0**32
