"""The experiment of the whole-brain fly model: some neurons get Poisson input, others fall silent."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.errors import RunError
from neurograft.maps import SynapseMap
from neurograft.network._drive import steady_drive
from neurograft.network._run import run
from neurograft.network._stimulus import Stimulus, indices_of
from neurograft.progress import Progress, silent
from neurograft.units import MV

STIMULUS_V = 68.75 * MV  # 250 x 0.275 mV into the potential: every event makes a spike (the model's own code)

# Right sugar-sensing neurons and the motor neuron MN9 of FlyWire release 630 (the model's own code).
SUGAR_RIGHT = (
    "720575940624963786", "720575940630233916", "720575940637568838", "720575940638202345",
    "720575940617000768", "720575940630797113", "720575940632889389", "720575940621754367",
    "720575940621502051", "720575940640649691", "720575940639332736", "720575940616885538",
    "720575940639198653", "720575940620900446", "720575940617937543", "720575940632425919",
    "720575940633143833", "720575940612670570", "720575940628853239", "720575940629176663",
    "720575940611875570",
)  # fmt: skip
MN9_LEFT, MN9_RIGHT = "720575940660219265", "720575940645521262"


def stimulated_rates_hz(
    m: SynapseMap,
    stimulated: Sequence[str],
    *,
    rate_hz: float,
    n_trials: int = 30,
    trial_s: float = 1.0,
    silenced: Sequence[str] = (),
    seed: int,
    progress: Progress = silent,
) -> Float64[ndarray, "trials neurons"]:
    """Return every neuron's rate in each trial while Poisson events at ``rate_hz`` fire the stimulated neurons.

    As in Shiu et al. (2024): stimulated neurons have no refractory time, silenced ones lose their outgoing synapses.
    """
    if not (rate_hz >= 0 and n_trials >= 1 and trial_s > 0):
        raise RunError(f"{n_trials} trials of {trial_s:g} s at {rate_hz:g} Hz: give positive numbers.")
    driven, quiet = indices_of(stimulated, m.labels), indices_of(silenced, m.labels)
    chosen = set(driven.tolist())
    model = tuple("lif-fly-stimulated" if i in chosen else name for i, name in enumerate(m.model))
    network = replace(m.select(~np.isin(m.pre, quiet)), model=model) if quiet.size else replace(m, model=model)
    drive = steady_drive(m.n_neurons)
    rates = np.empty((n_trials, m.n_neurons))
    for trial, rng in enumerate(np.random.default_rng(seed).spawn(n_trials)):
        counts = rng.poisson(rate_hz * trial_s, driven.size)
        given = Stimulus(
            n_neurons=m.n_neurons,
            kick_neuron=np.repeat(driven.astype(np.int64), counts),
            kick_s=rng.uniform(0.0, trial_s, int(counts.sum())),
            kick_v=np.full(int(counts.sum()), STIMULUS_V),
        )
        ran = run(network, duration_s=trial_s, seed=trial, drive=drive, stimulus=given)
        rates[trial] = ran.spikes.counts() / trial_s
        progress("stimulating the brain", trial + 1, n_trials)
    return rates
