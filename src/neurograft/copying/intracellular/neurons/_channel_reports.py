"""What became of each channel of a copied recording, in words."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from neurograft.copying.intracellular.neurons._coupling import Coupling
from neurograft.copying.intracellular.neurons._detect import Detected
from neurograft.copying.intracellular.neurons._neurons import BAD_SHARE, Neurons
from neurograft.recordings import Recording, duration_s, n_channels

_MOST_TOLD = 8  # channels, in a sentence
_ROUNDING = 1e-9  # of shares of the time


class ChannelReport(NamedTuple):
    """What became of a channel; ``flags`` are sentences, none when it is an ordinary neuron."""

    label: str
    neuron: int
    n_spikes: int
    noise_v: float  # robust sd of the 2 ms rise, as read
    flags: tuple[str, ...]


def two_told(recording: Recording, cells: Neurons, is_two: Bool[ndarray, " neurons"]) -> tuple[str, ...]:
    """Return a sentence that names the channels of two neurons each; nothing where there are none."""
    labels = [recording.channel_labels[c] for c in cells.channel[is_two]]
    if not labels:
        return ()
    named = ", ".join(labels[:_MOST_TOLD]) + (f" and {len(labels) - _MOST_TOLD} more" if labels[_MOST_TOLD:] else "")
    return (
        f"likely two neurons in one channel: {named}. Which of the two a synapse belongs to is not known, and its "
        "weight may be off; column shared_pad marks these synapses.",
    )


def channel_reports(
    recording: Recording, found: Detected, cells: Neurons, gains: Coupling, is_two: Bool[ndarray, " neurons"]
) -> tuple[ChannelReport, ...]:
    """Return a report of every channel."""
    counts, there = np.bincount(cells.events.channel, minlength=n_channels(recording)), found.presence
    nothing_share = float(np.diff(there.unusable_s).sum()) / duration_s(recording)  # told of the recording as a whole
    reports: list[ChannelReport] = []
    for c, label in enumerate(recording.channel_labels):
        neuron, flags = int(cells.merged_into[c]), list[str]()
        ok_share, since_s, until_s = (float(x[c]) for x in (there.ok_share, there.since_s, there.until_s))
        if not np.isnan(since_s):
            flags.append(f"appears after about {since_s:.4g} s: nothing before is used")
        if not np.isnan(until_s):
            flags.append(f"vanishes after about {until_s:.4g} s: nothing later is used")
        if there.present_share[c] < BAD_SHARE:
            flags.append(f"bad channel: {1 - ok_share:.0%} of its samples are constant, saturated or NaN")
        elif cells.is_outside[c]:
            flags.append("hears action potentials from outside of every cell: not a neuron's potential")
        elif 1 - ok_share > nothing_share + _ROUNDING:
            flags.append(f"{1 - ok_share:.1%} of its samples are constant, saturated or NaN and are left out")
        if cells.channel[neuron] != c:
            flags.append(f"shows the same neuron as channel {recording.channel_labels[cells.channel[neuron]]}: merged")
        if is_two[neuron]:
            flags.append("likely two neurons: action potentials of two sizes take turns")
        if counts[c] == 0:
            flags.append("no action potential: nothing can be said of its outputs")
        if not gains.is_known[c]:
            flags.append("too few action potentials to know its coupling: nothing can be said of its inputs")
        if found.implausible[c] > counts[c]:
            flags.append(f"{found.implausible[c]} steep events are too wide or too narrow for action potentials")
        reports.append(ChannelReport(label, neuron, int(counts[c]), float(found.noise_v[c]), tuple(flags)))
    return tuple(reports)
