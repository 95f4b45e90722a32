"""What spikes really cause in a grown, quiet culture, against the truth that was asked for."""

import numpy as np
import pytest

from neurograft.culture import ActivityOptions, CultureOptions, SynapseOptions, WiringOptions, grow
from neurograft.culture._engine import at_rest, no_drive, run_steps

REPEATS, STEP_S, AFTER_S = 160, 1e-4, 0.04
KICK_V = 0.02  # above any spike threshold: the neuron fires in the next step


@pytest.fixture(scope="module")
def culture():
    quick = ActivityOptions(settle_s=0.1, settle_rounds=1)
    synapses = SynapseOptions(largest_excitatory_v=4e-3, nmda_ratio=0.0, quantum_cv=0.0)  # no synapse fires its target
    options = CultureOptions(n_neurons=24, wiring=WiringOptions(inputs_per_neuron=6), synapses=synapses, activity=quick)
    return grow(options, seed=8)


def answers_v(culture, pre):
    """Traces of all neurons, less those without the kick, after each of many first spikes of one neuron at rest."""
    n_steps = round(AFTER_S / STEP_S)
    out = np.empty((REPEATS, culture.options.n_neurons, n_steps))
    still = run_steps(
        culture.options.family, culture.cells, culture.wires, at_rest(culture.cells, culture.wires),
        no_drive(culture.cells), n_steps=n_steps,
    )  # fmt: skip
    for repeat in range(REPEATS):
        state = at_rest(culture.cells, culture.wires, seed=repeat)
        state.v[pre] = KICK_V
        seen = run_steps(
            culture.options.family, culture.cells, culture.wires, state, no_drive(culture.cells), n_steps=n_steps
        )
        assert set(seen.spike_neuron.tolist()) == {pre}
        out[repeat] = seen.trace_v - still.trace_v
    return out


@pytest.mark.compiled
def test_first_releases_have_the_potential_delay_and_failures_that_the_truth_tells(culture) -> None:
    truth = culture.map
    z, late, failed, failed_expected = [], [], [], []
    for pre in range(0, 24, 3):
        traces = answers_v(culture, pre)
        for s in np.flatnonzero(truth.pre == pre):
            mine = traces[:, truth.post[s]] * np.sign(truth.weight_v[s])
            mean = mine.mean(axis=0)
            peaks = mine[:, int(np.argmax(mean))]
            z.append((peaks.mean() - abs(truth.weight_v[s])) / (peaks.std(ddof=1) / np.sqrt(REPEATS)))
            late.append(np.flatnonzero(mean > 1e-9)[0] * STEP_S - truth.delay_s[s])
            sites, p = truth.extra["release_sites"][s], truth.extra["release_probability"][s]
            failed.append(np.count_nonzero(peaks < 1e-7))
            failed_expected.append((1 - p) ** sites)
    z, failed, failed_expected = np.array(z), np.array(failed), np.array(failed_expected)
    assert len(z) > 30
    # Saturation makes several vesicles at once a little less than their sum, so the mean may fall short.
    assert abs(np.median(z)) < 1.0
    assert np.abs(z).max() < 5.0
    assert max(late) <= 2 * STEP_S  # conductance starts in the step after the delay, the potential one later
    assert min(late) >= 0.0
    spread = np.sqrt(np.maximum(failed_expected * (1 - failed_expected) * REPEATS, 1.0))
    assert np.abs((failed - failed_expected * REPEATS) / spread).max() < 4.5  # of some 40 synapses
