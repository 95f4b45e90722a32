"""Everything that the measures need of one activity, worked out once."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from neurograft.comparing._align import with_neurons
from neurograft.comparing._avalanches import Avalanches, avalanches_of
from neurograft.comparing._bursts import Bursts, bursts_of
from neurograft.comparing._correlations import count_correlations
from neurograft.comparing._coupling import coupling_z
from neurograft.comparing._intervals import Intervals, intervals_of
from neurograft.comparing._options import CompareOptions
from neurograft.comparing._spectrum import population_spectrum
from neurograft.spikes import SpikeTrains


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Features:
    """One activity's features; pair features are of the pair neurons only and hold every pair once."""

    trains: SpikeTrains
    rate_hz: Float64[ndarray, " neurons"]
    intervals: Intervals
    coupling_z: Float64[ndarray, " ordered_pairs"]
    correlation: tuple[Float64[ndarray, " pairs"], ...]  # one array a bin size
    population_coupling: Float64[ndarray, " pair_neurons"]
    band_hz: Float64[ndarray, " bands"]
    spectrum: Float64[ndarray, " bands"]
    bursts: Bursts
    avalanches: Avalanches


def features_of(
    trains: SpikeTrains, *, pair_neurons: Int64[ndarray, " pair_neurons"], options: CompareOptions
) -> Features:
    """Return the features of one activity."""
    pairs = with_neurons(trains, [trains.labels[i] for i in pair_neurons])
    n = pairs.n_neurons
    off_diagonal = ~np.eye(n, dtype=bool)
    upper = np.triu_indices(n, 1)
    by_bin = [count_correlations(pairs, bin_s) for bin_s in options.bins_s]
    z = coupling_z(pairs, window_s=options.coupling_window_s, flank_s=options.flank_s)
    band_hz, spectrum = population_spectrum(trains, bin_s=options.spectrum_bin_s, segment_s=options.spectrum_segment_s)
    return Features(
        trains=trains,
        rate_hz=trains.rates_hz(),
        intervals=intervals_of(trains, min_intervals=options.min_intervals),
        coupling_z=z[off_diagonal],
        correlation=tuple(matrix[upper] for matrix, _ in by_bin),
        population_coupling=by_bin[0][1],
        band_hz=band_hz,
        spectrum=spectrum,
        bursts=bursts_of(trains, options.burst),
        avalanches=avalanches_of(trains),
    )
