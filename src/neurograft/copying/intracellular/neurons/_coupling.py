"""What a pad's volt is worth in membrane volts: the coupling drifts, the action potential hardly does.

An action potential's peak is taken to lie 100 mV over the neuron's mean membrane potential (Ham 2021, fig. 2;
WO2026128660A1 normalises postsynaptic potentials by action potentials likewise).  How coupling changes in time is told
by the running amplitude, which counts from the potential just before; how far that is over the mean is measured
for each neuron (``over_the_mean``): cells that rise slowly to their action potential are already high.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from neurograft.copying.intracellular.neurons._detect import Events, amplitude_step, running_amplitude_v
from neurograft.recordings import Recording, Signal, n_channels

MIN_EVENTS = 5  # with fewer action potentials a pad's coupling is not known


class Coupling(NamedTuple):
    """Membrane volts for each volt read, at the knots ``time_s``; ``is_known`` is False where no one can tell."""

    time_s: tuple[Float64[ndarray, " _"], ...]  # one a channel
    gain: tuple[Float64[ndarray, " _"], ...]
    is_known: Bool[ndarray, " channels"]

    def at(
        self, time_s: Float64[ndarray, " frames"], channel: Int64[ndarray, " channels"]
    ) -> Float64[ndarray, "frames channels"]:
        """Return some channels' gains at these times, linear between knots, constant outside."""
        if all(len(self.gain[c]) == 1 for c in channel):
            return np.broadcast_to(np.array([self.gain[c][0] for c in channel]), (len(time_s), len(channel)))
        return np.column_stack([np.interp(time_s, self.time_s[c], self.gain[c]) for c in channel])


def coupling(recording: Recording, events: Events, *, action_potential_v: float, window_s: float) -> Coupling:
    """Return the gain of every channel: 1 for a true membrane potential, else from its action potentials."""
    n = n_channels(recording)
    if recording.signal is Signal.MEMBRANE_V:
        return Coupling((np.zeros(1),) * n, (np.ones(1),) * n, np.ones(n, dtype=np.bool_))
    start_s = np.array(recording.segment_start_s)
    knots: list[ndarray] = []
    gains: list[ndarray] = []
    is_known = np.zeros(n, dtype=np.bool_)
    for c in range(n):
        mine = slice(*np.searchsorted(events.channel, [c, c + 1]))
        time_s = start_s[events.segment[mine]] + events.frame[mine] / recording.rate_hz
        amplitude_v = events.amplitude_v[mine]
        is_known[c] = len(time_s) >= MIN_EVENTS
        if is_known[c]:
            running_v = running_amplitude_v(time_s, amplitude_v, window_s=window_s)
            time, gain = gain_knots(time_s, running_v, action_potential_v=action_potential_v, window_s=window_s)
            knots.append(time)
            gains.append(gain)
        else:
            knots.append(np.zeros(1))
            gains.append(np.ones(1))
    return Coupling(tuple(knots), tuple(gains), is_known)


def gain_knots(
    time_s: Float64[ndarray, " events"],
    running_v: Float64[ndarray, " events"],
    *,
    action_potential_v: float,
    window_s: float,
) -> tuple[Float64[ndarray, " knots"], Float64[ndarray, " knots"]]:
    """Return times and gains; events of one step of the running amplitude share it: one knot, at their mean time."""
    step = np.unique(amplitude_step(time_s, window_s), return_inverse=True)[1]
    count = np.bincount(step)
    return np.bincount(step, time_s) / count, action_potential_v * count / np.bincount(step, running_v)
