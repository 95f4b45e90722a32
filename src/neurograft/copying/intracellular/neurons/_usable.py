"""What cannot be copied from membrane potentials, and why."""

import numpy as np

from neurograft.copying.intracellular.neurons._detect import Detected
from neurograft.copying.intracellular.neurons._neurons import Neurons
from neurograft.errors import CopyError
from neurograft.recordings import Recording, Signal, duration_s

MIN_RATE_HZ, MIN_SECONDS = 500.0, 3.0


def require_usable(recording: Recording) -> None:
    """Refuse signals and lengths that hold no answer."""
    if recording.signal not in (Signal.MEMBRANE_V, Signal.INTRACELLULAR_V):
        raise CopyError(
            f"The recording holds '{recording.signal.value}', and intracellular copying needs a membrane potential. "
            "Copy its sorted spikes instead, or say what the signal is when opening it."
        )
    if recording.rate_hz < MIN_RATE_HZ:
        raise CopyError(
            f"The recording has {recording.rate_hz} samples a second; action potentials and delays need "
            f"{MIN_RATE_HZ:.0f}. Check the sampling rate, or give the recording before it was thinned out."
        )
    if duration_s(recording) < MIN_SECONDS:
        raise CopyError(
            f"The recording lasts {duration_s(recording):.3g} s, and copying needs {MIN_SECONDS:.0f} s at least. "
            "Give a longer recording, or check its sampling rate."
        )


def require_spikes(found: Detected, cells: Neurons) -> None:
    """Refuse recordings in which nothing fires, and say what they look like."""
    n_spikes, refused = cells.events.frame.size, int(found.implausible.sum())
    if np.all(cells.is_bad):
        raise CopyError(
            f"All {len(cells.is_bad)} channels are constant, saturated or NaN for most of the time. "
            "Check the file, its gain, and which channels were connected."
        )
    if refused > n_spikes:
        raise CopyError(
            f"{refused} steep events are too wide or too narrow for action potentials (0.1 to 5 ms at half "
            f"amplitude), only {n_spikes} are not. Check the sampling rate and what the signal is."
        )
    if n_spikes == 0:
        raise CopyError(
            f"None of the {len(cells.is_bad)} channels shows an action potential, so nothing can be copied. "
            "Check the gain (the signal is read in volts) and that the channels are intracellular."
        )
