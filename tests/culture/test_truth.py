"""The truth is what the recording shows: orientation, sign, strength and delay by spike-triggered averages."""

import numpy as np
import pytest

from neurograft.culture import ActivityOptions, CultureOptions, SynapseOptions, WiringOptions, grow, record_membrane

BEFORE, AFTER = 5, 120  # frames of 0.1 ms


@pytest.fixture(scope="module")
def shown():
    """A calm culture with strong, reliable synapses, and the mean potential of each neuron after each one's spikes."""
    options = CultureOptions(
        n_neurons=30,
        wiring=WiringOptions(inputs_per_neuron=4, speed_m_per_s=0.05),
        synapses=SynapseOptions(excitatory_v=2e-3, inhibitory_v=1.5e-3, log_spread=0.4, recovery_s=0.05),
        activity=ActivityOptions(rate_hz=4.0, burst_rate_hz=0.0, modulation_v=0.0, noise_v=0.5e-3),
    )
    culture = grow(options, seed=6)
    seen = record_membrane(culture, seconds=40.0, noise_v=0.0, seed=1)
    v = seen.recording.read(0, 0, seen.recording.segment_frames[0])
    frames = np.rint(seen.spikes.time_s * seen.recording.rate_hz).astype(int)
    mean = np.zeros((30, AFTER + BEFORE, 30))
    level = np.median(v, axis=0)
    quiet = np.where(np.abs(v - level) < 0.012, v - level, 0.0)  # without action potentials
    for i in range(30):
        mine = frames[(seen.spikes.neuron == i) & (frames > BEFORE) & (frames < len(v) - AFTER)]
        for at in mine:
            mean[i] += quiet[at - BEFORE : at + AFTER]
        mean[i] /= max(mine.size, 1)
    return seen.truth, mean - mean[:, :BEFORE].mean(axis=1, keepdims=True), seen.spikes.counts()


@pytest.mark.compiled
def test_strong_synapses_show_with_their_sign_and_size_and_from_pre_to_post(shown) -> None:
    truth, mean, counts = shown
    sure = (np.abs(truth.weight_v) > 1e-3) & (counts[truth.pre] > 70)
    assert sure.sum() > 25
    peak = mean[:, BEFORE : BEFORE + 80].reshape(30, 80, 30)
    sign = np.sign(truth.weight_v)
    height = np.array([(s * peak[i, :, j]).max() for i, j, s in zip(truth.pre, truth.post, sign, strict=True)])
    # Neurons work above rest and synapses are depressed: potentials are smaller (excitatory) than at rest.
    excites = sure & (sign > 0)
    assert np.corrcoef(height[excites], truth.weight_v[excites])[0, 1] > 0.6
    assert 0.3 < np.median(height[excites] / truth.weight_v[excites]) < 1.1
    reversed_height = np.array([(s * peak[j, :, i]).max() for i, j, s in zip(truth.pre, truth.post, sign, strict=True)])
    both = truth.weight_matrix_v() * truth.weight_matrix_v().T != 0
    one_way = sure & ~both[truth.pre, truth.post]
    # Not all: a neuron that is made to fire shows, seen backwards, the rise before its own spike.
    assert np.mean(height[one_way] > 2 * reversed_height[one_way]) > 0.75


@pytest.mark.compiled
def test_potentials_start_at_the_delay_of_the_truth(shown) -> None:
    truth, mean, counts = shown
    strong = np.flatnonzero((truth.weight_v > 2e-3) & (counts[truth.pre] > 100))
    assert strong.size > 8
    late = []
    for s in strong:
        trace = mean[truth.pre[s], BEFORE:, truth.post[s]]
        top = trace[:80].argmax()
        onset = np.flatnonzero(trace[: top + 1] < 0.2 * trace[top])[-1]
        late.append(onset * 1e-4 - truth.delay_s[s])
    # 20 % of the peak is reached 0.2-0.5 ms after the start of a potential with a rise of 0.4 ms.
    assert -0.2e-3 < np.median(late) < 0.8e-3
    assert np.std(truth.delay_s[strong]) > 0.3e-3
    assert np.percentile(np.abs(late), 80) < 1e-3


@pytest.mark.compiled
def test_a_potential_is_over_within_fifteen_milliseconds_or_so() -> None:
    """Ham 2021, figure 2: gone in 10-15 ms; here less than a third is left at 15 ms after the peak."""
    from neurograft.culture import AdaptiveExponential
    from neurograft.culture._engine import at_rest, no_drive, no_wires, run_steps

    family = AdaptiveExponential()
    cells = family.cells(np.ones(20, dtype=bool), np.random.default_rng(0))
    wires = no_wires(cells, step_s=1e-4, nmda_ratio=SynapseOptions().nmda_ratio)
    state = at_rest(cells, wires)
    state.excite[:] = 2e-9
    seen = run_steps(family, cells, wires, state, no_drive(cells), n_steps=400)
    potential = seen.trace_v.astype(float) - cells.rest_v[:, None]
    peak = potential.max(axis=1)
    left = np.array([row[row.argmax() + 150] for row in potential]) / peak
    assert np.median(left) < 0.33
    assert 1e-3 < np.median(peak) < 7e-3
