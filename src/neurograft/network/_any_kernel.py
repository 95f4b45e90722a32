"""Whole stretches of steps of any built-in model, with stimuli and with cells that are read anew at each event."""
# ruff: noqa: PLR0917 - compiled functions take their arguments by place

from typing import no_type_check

from numba import njit

from neurograft.network._forced import add_kicks, force
from neurograft.network._kernels import deliver
from neurograft.network._poisson import add_poisson
from neurograft.network._random import add_noise, fill_noise
from neurograft.network._reading import convert, deliver_read
from neurograft.neurons import known_steps

ADVANCES = known_steps()
"""The compiled steps that ``run_any`` knows, by the number that it takes for one."""

_DELTA, _EXPONENTIAL, _ALPHA, _CONDUCTANCE, _ADEX, _IZHIKEVICH, _HH, _CHANNELS, _IONIC, _FLY = ADVANCES


@njit(cache=True, nogil=True)
@no_type_check
def advance(which, state, refractory, drive_v, inputs, constants, spiked):
    """Do one step of the model with this number."""
    if which == 0:
        n = _DELTA(state, refractory, drive_v, inputs, constants, spiked)
    elif which == 1:
        n = _EXPONENTIAL(state, refractory, drive_v, inputs, constants, spiked)
    elif which == 2:
        n = _ALPHA(state, refractory, drive_v, inputs, constants, spiked)
    elif which == 3:
        n = _CONDUCTANCE(state, refractory, drive_v, inputs, constants, spiked)
    elif which == 4:
        n = _ADEX(state, refractory, drive_v, inputs, constants, spiked)
    elif which == 5:
        n = _IZHIKEVICH(state, refractory, drive_v, inputs, constants, spiked)
    elif which == 6:
        n = _HH(state, refractory, drive_v, inputs, constants, spiked)
    elif which == 7:
        n = _CHANNELS(state, refractory, drive_v, inputs, constants, spiked)
    elif which == 8:
        n = _IONIC(state, refractory, drive_v, inputs, constants, spiked)
    else:
        n = _FLY(state, refractory, drive_v, inputs, constants, spiked)
    return n


@njit(cache=True, nogil=True)
@no_type_check
def _arrive(
    step, origin, first, delays, past_neuron, past_start, rows, flat, reading, stimulus, noise_v,
    has_noise, poisson, has_poisson, seed, words, n_local,
):  # fmt: skip
    """Add up what reaches the neurons in a step, in the order of ``run_stepwise``."""
    if reading.synapse.size:
        n = deliver_read(
            step, origin, delays, past_neuron, past_start, rows.start, rows.target, reading.weight, reading.noise,
            reading.synapse, flat, seed,
        )  # fmt: skip
        if n and reading.levels:
            convert(flat, reading.levels, reading.step_v)
    else:
        deliver(step, origin, delays, past_neuron, past_start, rows, flat)
    if has_noise:
        add_noise(seed, step, first, noise_v, flat[:n_local], words)
    if has_poisson:
        add_poisson(seed, step, first, poisson, flat, words)
    if stimulus.kick_step.size:
        add_kicks(step, stimulus, flat)


@njit(cache=True, nogil=True)
@no_type_check
def run_any(
    which, step, n_steps, origin, first, delays, past_neuron, past_start, out_neuron, out_start, out_origin,
    rows, reading, stimulus, inputs, n_channels, state, refractory, drive_v, noise_v, has_noise,
    poisson, has_poisson, seed, constants, spiked, words, recorded, voltage_v,
):  # fmt: skip
    """Do up to ``n_steps`` steps of one group; return how many were done before the output was full."""
    flat, values, n_local = inputs.reshape(inputs.size), state.reshape(state.size), state.shape[1]
    inner = flat[: n_channels * n_local]
    for k in range(step, step + n_steps):
        at = out_start[k - out_origin]
        if at + n_local > out_neuron.size:
            return k - step
        _arrive(
            k, origin, first, delays, past_neuron, past_start, rows, inner, reading, stimulus, noise_v,
            has_noise, poisson, has_poisson, seed, words, n_local,
        )  # fmt: skip
        if inputs.shape[0] > n_channels:
            fill_noise(seed, k, first, inputs[n_channels:], words)
        n = advance(which, state, refractory, drive_v, inputs, constants, spiked)
        if stimulus.has_spikes:
            n = force(k, stimulus, state, refractory, spiked, n)
        for i in range(n):
            out_neuron[at + i] = first + spiked[i]
        out_start[k - out_origin + 1] = at + n
        for r in range(recorded.size):
            voltage_v[k - step, r] = values[recorded[r]]
    return n_steps
