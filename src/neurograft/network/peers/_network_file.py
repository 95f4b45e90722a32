"""A network as plain arrays in milliseconds and millivolts: what the scripts for other simulators read.

One NPZ file without pickles holds neurons, synapses, background and start potentials, so that a script of a
page builds the same network in NEST, Brian2 or PyNN with array calls.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy import ndarray

from neurograft.errors import RunError
from neurograft.files import written_whole
from neurograft.maps import Kind, SynapseMap
from neurograft.network._build import models_of
from neurograft.network._drive import Drive
from neurograft.network._options import RunOptions
from neurograft.network._random import STREAM_START, words_of
from neurograft.network._rows import delay_steps, used_synapses
from neurograft.neurons import (
    AdEx,
    AlphaSynapse,
    DeltaSynapse,
    ExponentialSynapse,
    Izhikevich,
    Lif,
    NeuronModel,
)

NETWORK_FORMAT_VERSION = 1  # times 1e3 turns s into ms and V into mV below: exact where a division by MS is not
_SYNAPSES: dict[type, str] = {DeltaSynapse: "delta", ExponentialSynapse: "exponential", AlphaSynapse: "alpha"}


def network_arrays(
    m: SynapseMap, *, neuron: NeuronModel, drive: Drive, options: RunOptions, duration_s: float, seed: int
) -> dict[str, ndarray]:
    """Return a network's arrays; a model that no script knows, or polysynaptic paths alone, are told apart here.

    ``weight_mv`` is what a spike adds to a receptor: the kick, or the current's jump (times resistance) that
    makes the potential at rest peak at the map's weight.  Weights are rounded to 32 bits, as the engine does.
    """
    if drive.poisson is not None:
        raise RunError("The drive has Poisson input, which the scripts do not make. Use a drive of mean and noise.")
    models, kind = models_of(m, neuron)
    used = used_synapses(m)
    weight_v, post = m.weight_v[used], m.post[used]
    amplitude, receptor = np.empty(weight_v.size), np.zeros(weight_v.size, dtype=np.int32)
    for i, model in enumerate(models):
        onto = kind[post] == i
        amplitude[onto], receptor[onto] = model.amplitude(weight_v[onto])
    _require_currents(m, models, kind, used)
    step_ms = options.step_s * 1e3
    start_v = _start_v(models, kind, seed) if options.start_v is None else options.start_v
    modulation = drive.modulation
    return {
        "format_version": np.array(NETWORK_FORMAT_VERSION),
        "models": np.array(json.dumps([_described(model, options.step_s) for model in models])),
        "model": kind,
        "label": np.array(m.labels),
        "pre": m.pre[used],
        "post": post,
        "weight_mv": (amplitude.astype(np.float32).astype(np.float64)) * 1e3,
        "delay_ms": np.round(delay_steps(m, used, options.step_s) * step_ms, 9),
        "receptor": receptor,
        "start_mv": start_v * 1e3,
        "drive_mv": drive.mean_v * 1e3,
        "noise_mv": drive.noise_sd_v * 1e3,
        "course": np.zeros(0) if modulation is None else modulation.course,
        "course_bin_ms": np.array(0.0 if modulation is None else modulation.bin_s * 1e3),
        "gain_mv": np.zeros(m.n_neurons) if modulation is None else modulation.gain_v * 1e3,
        "step_ms": np.array(step_ms),
        "duration_ms": np.array(duration_s * 1e3),
        "seed": np.array(seed),
    }


def write_network(arrays: Mapping[str, ndarray], path: Path) -> None:
    """Write the arrays whole or not at all."""
    with written_whole(path) as part, part.open("wb") as stream:
        np.savez(stream, **arrays)  # pyright: ignore[reportArgumentType]


def _described(model: NeuronModel, step_s: float) -> dict[str, str | float]:
    """Return a model's parameters in ms and mV; ``noise_kick`` is what a step of unit noise adds."""
    stepper = model.stepper(step_s)
    common: dict[str, str | float] = {"name": model.name, "noise_kick": stepper.noise_kick}
    match model:
        case Lif():
            common |= {
                "family": "lif",
                "tau_m_ms": model.tau_m_s * 1e3,
                "threshold_mv": model.threshold_v * 1e3,
                "reset_mv": model.reset_v * 1e3,
                "refractory_ms": model.refractory_s * 1e3,
            }
            return common | _described_synapse(model)
        case AdEx():
            return common | {
                "family": "adex",
                "synapse": "delta",
                "tau_m_ms": model.tau_m_s * 1e3,
                "threshold_mv": model.soft_threshold_v * 1e3,
                "slope_mv": model.slope_v * 1e3,
                "cut_mv": model.cut_v * 1e3,
                "reset_mv": model.reset_v * 1e3,
                "tau_w_ms": model.tau_w_s * 1e3,
                "adaptation_gain": model.adaptation_gain,
                "adaptation_jump_mv": model.adaptation_jump_v * 1e3,
                "refractory_ms": model.refractory_s * 1e3,
            }
        case Izhikevich():
            return common | {
                "family": "izhikevich",
                "synapse": "delta",
                "a": model.a,
                "b": model.b,
                "c": model.c,
                "d": model.d,
                "rest_mv": model.rest_mv,
                "slope_per_ms": model.slope_per_ms,
            }
        case _:
            raise RunError(
                f"Neurons of the model {model.name!r} cannot be exported: no script knows it. Run the map here, or "
                "give its neurons the model lif, adex or izhikevich."
            )


def _described_synapse(model: Lif) -> dict[str, str | float]:
    name = _SYNAPSES.get(type(model.synapse))
    if name is None:
        raise RunError(
            f"The synapse {type(model.synapse).__name__} cannot be exported: no script knows it. "
            f"Known: {', '.join(x.__name__ for x in _SYNAPSES)}."
        )
    if isinstance(model.synapse, DeltaSynapse):
        return {"synapse": name}
    return {
        "synapse": name,
        "tau_excitatory_ms": model.synapse.tau_excitatory_s * 1e3,
        "tau_inhibitory_ms": model.synapse.tau_inhibitory_s * 1e3,
    }


def _require_currents(m: SynapseMap, models: list[NeuronModel], kind: ndarray, used: ndarray) -> None:
    """Refuse electrical synapses onto neurons that other simulators give currents only."""
    is_current = np.array([isinstance(x, Lif) and not isinstance(x.synapse, DeltaSynapse) for x in models])
    at = np.flatnonzero(used & (m.kind == Kind.ELECTRICAL) & is_current[kind[m.post]])
    if at.size:
        pair = f"{m.labels[m.pre[at[0]]]} -> {m.labels[m.post[at[0]]]}"
        raise RunError(
            f"The electrical synapse {pair} ({at.size} in all) kicks the potential, which a neuron with synaptic "
            "currents does not offer in other simulators. Use delta synapses, or leave electrical ones out."
        )


def _start_v(models: list[NeuronModel], kind: ndarray, seed: int) -> ndarray:
    """Return the potentials that the engine starts with."""
    words = np.empty(kind.size, dtype=np.uint64)
    words_of(seed, STREAM_START, 0, 0, words)
    start_v = np.empty(kind.size)
    for i, model in enumerate(models):
        start_v[kind == i] = model.start(words[kind == i] / 2.0**32)[0]
    return start_v
