"""Whether spike trains can be copied at all: enough of them, in seconds, from neurons; and on which grid they lie."""

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from neurograft.copying.spikes._correlogram import LagGrid
from neurograft.errors import CopyError
from neurograft.spikes import SpikeTrains
from neurograft.units import MS

_SHORTEST_S = 1.0
_FASTEST_HZ = 500.0  # mean rate over the whole recording that no neuron holds: refractoriness alone is 1 to 2 ms
_LONGEST_SHORT_INTERVAL_S = 0.5
_LONG_S = 6 * 3600.0
_SLOWEST_HZ = 0.1
_ENOUGH_INTERVALS = 500
_SECONDS = "Give spike times in seconds, or say what they are, as in --time-unit ms (SpikeOptions(tick_s=1e-3))."
_GRID_TOLERANCE = 1e-3  # of the grid's step


def require_usable(trains: SpikeTrains) -> None:
    """Raise ``CopyError`` where nothing, or only nonsense, could be copied."""
    if trains.n_neurons < 2:
        raise CopyError(f"There is {trains.n_neurons} neuron. Copying from spikes compares neurons: give at least two.")
    if trains.n_spikes == 0:
        raise CopyError(f"None of the {trains.n_neurons} neurons has a spike. Lower the detection threshold.")
    fast = impossible(trains)
    if np.count_nonzero(fast) > np.count_nonzero(trains.counts()) / 2:
        raise CopyError(
            f"{np.count_nonzero(fast)} of {trains.n_neurons} neurons fire over {_FASTEST_HZ:g} times a second on "
            f"average, the fastest {trains.rates_hz().max():.3g} times. {_SECONDS}"
        )
    if trains.duration_s > _LONG_S and trains.rates_hz().max() < _SLOWEST_HZ:
        raise CopyError(
            f"The recording lasts {trains.duration_s / 3600:.3g} h and its fastest neuron fires "
            f"{trains.rates_hz().max():.2g} times a second. {_SECONDS}"
        )
    if trains.duration_s < _SHORTEST_S:
        raise CopyError(
            f"The recording lasts {trains.duration_s:.3g} s. Give at least {_SHORTEST_S} s; "
            "minutes are needed to find synapses."
        )
    shortest_s = _short_interval_s(trains)
    if shortest_s > _LONGEST_SHORT_INTERVAL_S:
        raise CopyError(
            f"Of the intervals between spikes of one neuron 99.9 % are over {shortest_s:.3g} s, in {trains.n_spikes} "
            f"spikes: neurons do not fire so evenly. {_SECONDS}"
        )


def impossible(trains: SpikeTrains) -> Bool[ndarray, " neurons"]:
    """Return the units that fire faster than any neuron: a saturated or noisy channel."""
    return trains.rates_hz() > _FASTEST_HZ


def grid_of(trains: SpikeTrains) -> LagGrid:
    """Return lags of 0.5 ms, or of 1 ms for spikes that all lie on a 1 ms grid: half of the bins would stay empty."""
    return LagGrid(bin_s=1 * MS) if is_on_grid(trains, 1 * MS) else LagGrid()


def is_on_grid(trains: SpikeTrains, step_s: float) -> bool:
    """Tell whether every spike lies on a whole multiple of the step."""
    place = trains.time_s / step_s
    return bool(trains.n_spikes > 0 and np.all(np.abs(place - np.rint(place)) < _GRID_TOLERANCE))


def _short_interval_s(trains: SpikeTrains) -> float:
    """Return the interval that only a thousandth is shorter than, or 0 for too few intervals to tell."""
    intervals = [np.diff(times) for times in trains.by_neuron()]
    together = np.concatenate(intervals)
    return float(np.quantile(together, 1e-3)) if together.size >= _ENOUGH_INTERVALS else 0.0
