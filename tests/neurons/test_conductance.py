"""Conductance synapses: potentials as NEST's, and as an adaptive solver's with NMDA; peaks that are the weights."""

import math
from dataclasses import replace

import numpy as np
import pytest
from numba import config
from scipy.integrate import solve_ivp

from neurograft.errors import OptionError, RunError
from neurograft.neurons import AlphaConductance, ConductanceLif, ExponentialConductance, NeuronModel, Nmda
from neurograft.units import MS, MV

STEP_S = 0.1 * MS
EXPONENTIAL = ConductanceLif()
ALPHA = ConductanceLif(synapse=AlphaConductance(tau_excitatory_s=2 * MS, tau_inhibitory_s=5 * MS))


def stepped(neuron, inputs, *, drive_v=0.0, step_s=STEP_S):
    """Return potentials after each step and the steps of spikes; ``inputs`` are channels by steps."""
    stepper = neuron.stepper(step_s)
    state, refractory = neuron.start(np.zeros(1)), np.zeros(1, dtype=np.int32)
    spiked, potentials, spikes = np.empty(1, dtype=np.int32), [], []
    for k in range(inputs.shape[1]):
        arrived = inputs[:, k : k + 1].astype(np.float32)
        if stepper.advance(state, refractory, np.array([drive_v]), arrived, stepper.constants, spiked):
            spikes.append(k)
        potentials.append(state[0, 0])
    return np.array(potentials), spikes


# NEST 3.10.0, C_m 250 pF, g_L 12.5 nS, E_L -70, V_th -55, E_ex 0, E_in -80 mV, taus 2 and 5 ms, I_e 150 pA: 1.25 nS
# every 1.5 ms from 10 ms to 89.5 ms, -2.5 nS at 30, 31, 50, 52 and 53 ms, delays 1 ms; V_m at 0.1 ms + 5 ms k.
NEST_V_MV = {
    "exponential": [
        -69.94015,
        -67.299,
        -65.24207,
        -62.4672,
        -59.75941,
        -57.61284,
        -56.0345,
        -55.95789,
        -55.38472,
        -69.6007,
        -65.1259,
        -62.51739,
        -60.67044,
        -58.73504,
        -56.99144,
        -55.62664,
        -69.69227,
        -65.09015,
        -61.66998,
        -59.8754,
    ],
    "alpha": [
        -69.94015,
        -67.299,
        -65.24207,
        -61.90446,
        -56.92364,
        -68.55892,
        -61.05774,
        -56.64395,
        -70.0,
        -63.88728,
        -58.30325,
        -70.0,
        -65.79891,
        -60.71087,
        -56.61252,
        -68.74042,
        -61.3793,
        -56.06249,
        -67.00544,
        -60.99558,
    ],
}
NEST_SPIKES_MS = {"exponential": [42.7, 77.8], "alpha": [22.3, 39.0, 55.0, 72.4, 86.4]}


@pytest.mark.parametrize("name", ["exponential", "alpha"])
def test_potentials_and_spikes_are_nests(name):
    neuron = EXPONENTIAL if name == "exponential" else ALPHA
    inputs = np.zeros((3, 1000))
    for t in np.arange(10, 90, 1.5):
        inputs[1, round((t + 1) * 10) - 1] += 0.1
    for t in (30, 31, 50, 52, 53):
        inputs[2, round((t + 1) * 10) - 1] += 0.2
    potentials, spikes = stepped(neuron, inputs, drive_v=12 * MV)
    ours = potentials[::50] * 1e3 - 70.0
    # NEST's own solver keeps an error of 1e-3 mV a step.
    np.testing.assert_allclose(ours[: len(NEST_V_MV[name])], NEST_V_MV[name], atol=1e-3)
    assert [(k + 1) / 10 for k in spikes] == pytest.approx(NEST_SPIKES_MS[name], abs=1e-9)


@pytest.mark.parametrize("neuron", [EXPONENTIAL, ALPHA, replace(ALPHA, nmda=Nmda()), replace(EXPONENTIAL, nmda=Nmda())])
def test_the_potential_follows_its_differential_equation(neuron):
    synapse, nmda = neuron.synapse, neuron.nmda or Nmda(ratio=0.0)
    is_alpha = isinstance(synapse, AlphaConductance)
    rise, decay = nmda.tau_rise_s, nmda.tau_decay_s
    at = math.log(decay / rise) * decay * rise / (decay - rise)
    unit = 1.0 / (math.exp(-at / decay) - math.exp(-at / rise))
    given_e, given_i = 0.3, 0.2

    def course(t, tau):
        return t / tau * math.exp(1 - t / tau) if is_alpha else math.exp(-t / tau)

    def slope(t, y):
        v = y[0]
        g_n = given_e * nmda.ratio * unit * (math.exp(-t / decay) - math.exp(-t / rise))
        g_n /= 1.0 + nmda.magnesium_mm / 3.57 * math.exp(-0.062 * (v + neuron.rest_v) / MV)
        pull = (given_e * course(t, synapse.tau_excitatory_s) + g_n) * (neuron.excitatory_reversal_v - v)
        pull += given_i * course(t, synapse.tau_inhibitory_s) * (neuron.inhibitory_reversal_v - v)
        return [(-v + 5 * MV + pull) / neuron.tau_m_s]

    inputs = np.zeros((3, 1001))
    inputs[1, 0], inputs[2, 0] = given_e, given_i
    potentials, spikes = stepped(replace(neuron, threshold_v=60 * MV), inputs, drive_v=5 * MV)
    assert spikes == []
    t = STEP_S * np.arange(1001)
    exact = solve_ivp(slope, (0, t[-1]), [potentials[0]], t_eval=t, rtol=1e-10, atol=1e-12, max_step=1e-3).y[0]
    np.testing.assert_allclose(potentials, exact, atol=2e-6)  # a 1e-4 of 10 mV and inputs of 32 bits
    if nmda.ratio:
        without, _ = stepped(replace(neuron, nmda=None, threshold_v=60 * MV), inputs, drive_v=5 * MV)
        assert np.max(np.abs(potentials - without)) > 0.2 * MV


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="a hundred lone neurons are stepped")
@pytest.mark.parametrize("neuron", [EXPONENTIAL, ALPHA, replace(EXPONENTIAL, nmda=Nmda())])
@pytest.mark.parametrize("weight_v", [0.2 * MV, 8 * MV, -0.1 * MV, -3 * MV])
def test_a_spike_at_rest_peaks_at_the_weight(neuron, weight_v):
    amplitude, channel = neuron.amplitude(np.array([weight_v]))
    inputs = np.zeros((3, 1200))
    inputs[channel[0], 0] = amplitude[0]
    potentials, _ = stepped(neuron, inputs)
    peak = potentials[np.argmax(np.abs(potentials))]
    assert peak == pytest.approx(weight_v, rel=1e-3)  # the peak falls between steps, the curve between its points


def test_magnesium_blocks_at_rest():
    inputs = np.zeros((3, 800))
    inputs[1, 0] = 0.2
    blocked, open_ = (
        stepped(replace(EXPONENTIAL, nmda=Nmda(magnesium_mm=mg)), inputs)[0].max() for mg in (1.0, 0.0)
    )  # fmt: skip
    assert open_ > 1.5 * blocked


CHANGES = [
    {"tau_m_s": 10 * MS}, {"threshold_v": 14 * MV}, {"reset_v": 3 * MV}, {"refractory_s": 4 * MS},
    {"excitatory_reversal_v": 60 * MV}, {"inhibitory_reversal_v": -20 * MV},
    {"synapse": ExponentialConductance(tau_excitatory_s=4 * MS)},
    {"synapse": ExponentialConductance(tau_inhibitory_s=8 * MS)},
    {"nmda": Nmda(ratio=0.2)}, {"nmda": Nmda(tau_rise_s=5 * MS)}, {"nmda": Nmda(tau_decay_s=50 * MS)},
    {"nmda": Nmda(magnesium_mm=2.0)}, {"nmda": Nmda(), "rest_v": -60 * MV},
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_every_parameter_changes_the_potential(change):
    inputs = np.zeros((3, 400))
    inputs[1, ::20], inputs[2, 100::50] = 0.15, 0.1
    base = replace(EXPONENTIAL, nmda=Nmda()) if "nmda" in change else EXPONENTIAL
    plain, changed = (stepped(neuron, inputs, drive_v=12 * MV)[0] for neuron in (base, replace(base, **change)))
    assert np.max(np.abs(plain - changed)) > 0.01 * MV


def test_what_cannot_be_is_refused():
    assert isinstance(EXPONENTIAL, NeuronModel)
    with pytest.raises(RunError, match=r"pull towards -0\.01 V"):
        EXPONENTIAL.amplitude(np.array([1 * MV, -11 * MV]))
    with pytest.raises(OptionError, match="below excitatory_reversal_v"):
        ConductanceLif(threshold_v=80 * MV)
    with pytest.raises(OptionError, match="below rest"):
        ConductanceLif(inhibitory_reversal_v=1 * MV)
    with pytest.raises(OptionError, match="rise shorter than the decay"):
        Nmda(tau_rise_s=1.0)
    with pytest.raises(OptionError, match="time constants"):
        AlphaConductance(tau_inhibitory_s=0.0)
