"""Integrate-and-fire: the analytic interval, exact potentials, peak potentials that are the weights."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from neurograft.errors import OptionError
from neurograft.neurons import (
    AlphaSynapse,
    DeltaSynapse,
    ExponentialSynapse,
    Lif,
    NeuronModel,
    find_model,
    known_models,
)
from neurograft.units import MS, MV

STEP_S = 0.1 * MS


def stepped(neuron, n_steps, *, drive_v=0.0, first_inputs=None, start_v=0.0):
    """Return potentials and spike steps of one neuron; ``first_inputs`` arrive during step 0."""
    stepper = neuron.stepper(STEP_S)
    state = neuron.start(np.zeros(1))
    state[0] = start_v
    refractory, spiked = np.zeros(1, dtype=np.int32), np.empty(1, dtype=np.int32)
    inputs = np.zeros((stepper.n_channels, 1))
    if first_inputs is not None:
        inputs[:, 0] = first_inputs
    potentials, spikes = [], []
    for step in range(n_steps):
        if stepper.advance(state, refractory, np.array([drive_v]), inputs, stepper.constants, spiked):
            spikes.append(step)
        potentials.append(state[0, 0])
    return np.array(potentials), spikes


@pytest.mark.parametrize("drive_v", [16 * MV, 20 * MV, 40 * MV])
@pytest.mark.parametrize("refractory_s", [0.0, 2 * MS])
def test_interval_is_the_analytic_one_on_the_grid(drive_v, refractory_s):
    neuron = Lif(refractory_s=refractory_s)
    to_threshold = neuron.tau_m_s * math.log(drive_v / (drive_v - neuron.threshold_v))
    steps = math.ceil(to_threshold / STEP_S) + round(refractory_s / STEP_S)
    _, spikes = stepped(neuron, 4 * steps, drive_v=drive_v)
    assert np.diff(spikes).tolist() == [steps] * (len(spikes) - 1)
    assert len(spikes) >= 3


def test_free_potential_is_exact_at_any_step():
    potentials, _ = stepped(Lif(), 500, drive_v=14 * MV, start_v=3 * MV)
    t = STEP_S * np.arange(1, 501)
    exact = 14 * MV + (3 * MV - 14 * MV) * np.exp(-t / (20 * MS))
    np.testing.assert_allclose(potentials, exact, rtol=1e-12)  # rounding of 500 products


@pytest.mark.parametrize(
    ("synapse", "tau_s", "order"),
    [
        (ExponentialSynapse(), {1: 2 * MS, -1: 5 * MS}, 1),
        (ExponentialSynapse(tau_excitatory_s=20 * MS), {1: 20 * MS, -1: 5 * MS}, 1),
        (AlphaSynapse(), {1: 1 * MS, -1: 2.5 * MS}, 2),
        (AlphaSynapse(tau_inhibitory_s=20 * MS), {1: 1 * MS, -1: 20 * MS}, 2),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_current_synapses_follow_their_differential_equation_and_peak_at_the_weight(synapse, tau_s, order, sign):
    neuron = Lif(synapse=synapse)
    amplitude, channel = neuron.amplitude(np.array([sign * 1 * MV]))
    assert channel[0] == (1 if sign > 0 else 2)
    inputs = np.zeros(3)
    inputs[channel[0]] = amplitude[0]
    n = 600
    potentials, _ = stepped(neuron, n + 1, first_inputs=inputs)
    s = tau_s[sign]

    def slope(_, y):
        if order == 1:
            return [(-y[0] + y[1]) / neuron.tau_m_s, -y[1] / s]
        return [(-y[0] + y[1]) / neuron.tau_m_s, (-y[1] + math.e * y[2]) / s, -y[2] / s]

    start = [0.0, amplitude[0]] if order == 1 else [0.0, 0.0, amplitude[0]]
    t = STEP_S * np.arange(n + 1)
    exact = solve_ivp(slope, (0, t[-1]), start, t_eval=t, rtol=1e-10, atol=1e-14).y[0]
    np.testing.assert_allclose(potentials, exact, atol=1e-10)  # the solver's own error
    assert np.max(np.abs(potentials)) == pytest.approx(1 * MV, rel=1e-4)  # the peak falls between two steps
    area_s = neuron.area_s(np.array([sign * 1 * MV]))[0]
    lasting, _ = stepped(neuron, 4000, first_inputs=inputs)
    assert lasting.sum() * STEP_S == pytest.approx(sign * 1 * MV * area_s, rel=1e-3)  # rectangles of one step


def test_a_delta_synapse_shifts_by_the_weight_and_holds_the_membranes_area():
    neuron = Lif()
    amplitude, channel = neuron.amplitude(np.array([2 * MV, -1 * MV]))
    assert amplitude.tolist() == [2 * MV, -1 * MV]
    assert channel.tolist() == [0, 0]
    potentials, _ = stepped(neuron, 1, first_inputs=[2 * MV])
    assert potentials[0] == 2 * MV
    assert neuron.area_s(np.array([2 * MV]))[0] == neuron.tau_m_s


def test_input_while_refractory_is_lost():
    neuron = Lif()
    stepper = neuron.stepper(STEP_S)
    state, refractory = np.array([[1 * MV]]), np.array([2], dtype=np.int32)
    inputs, spiked = np.array([[20 * MV]]), np.empty(1, dtype=np.int32)
    assert stepper.advance(state, refractory, np.zeros(1), inputs, stepper.constants, spiked) == 0
    assert state[0, 0] == neuron.reset_v
    assert refractory[0] == 1
    assert inputs[0, 0] == 0.0


@pytest.mark.parametrize(
    "change",
    [
        {"tau_m_s": 10 * MS},
        {"threshold_v": 18 * MV},
        {"reset_v": 5 * MV},
        {"refractory_s": 4 * MS},
    ],
)
def test_every_parameter_changes_the_spikes(change):
    _, plain = stepped(Lif(), 1000, drive_v=20 * MV)
    _, changed = stepped(Lif(**change), 1000, drive_v=20 * MV)
    assert plain != changed


@pytest.mark.parametrize("synapse_type", [ExponentialSynapse, AlphaSynapse])
@pytest.mark.parametrize(("name", "sign"), [("tau_excitatory_s", 1), ("tau_inhibitory_s", -1)])
def test_every_synaptic_time_constant_changes_the_amplitude(synapse_type, name, sign):
    weight_v = np.array([sign * 1 * MV])
    plain = Lif(synapse=synapse_type()).amplitude(weight_v)[0]
    changed = Lif(synapse=synapse_type(**{name: 7 * MS})).amplitude(weight_v)[0]
    assert plain[0] != changed[0]


def test_models_are_found_by_name_and_near_misses_named():
    assert isinstance(find_model("lif", known_models()), NeuronModel)
    with pytest.raises(OptionError, match=r"'lfi' is unknown\. Did you mean 'lif'"):
        find_model("lfi", known_models())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tau_m_s": 0.0}, "tau_m_s is 0.0"),
        ({"reset_v": 15 * MV}, "Put the reset below the threshold"),
        ({"refractory_s": -1.0}, "refractory_s is -1.0"),
    ],
)
def test_impossible_parameters_are_refused(change, message):
    with pytest.raises(OptionError, match=message):
        Lif(**change)


def test_synaptic_time_constants_must_be_positive():
    with pytest.raises(OptionError, match="time constants"):
        ExponentialSynapse(tau_excitatory_s=0.0)
    with pytest.raises(OptionError, match="time constants"):
        AlphaSynapse(tau_inhibitory_s=math.nan)
    assert DeltaSynapse() == DeltaSynapse()
