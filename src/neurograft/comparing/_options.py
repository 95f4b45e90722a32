"""What a user may choose when two activities are compared."""

from dataclasses import dataclass, field
from typing import final

from neurograft.errors import OptionError
from neurograft.units import MS


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BurstRule:
    """What counts as a network burst: a run of bins with more spikes than chance gives.

    A bin is in a burst where the spikes of all neurons in it are more than a Poisson population of the
    same mean rate reaches with probability ``chance``, and at least ``min_spikes``.  Runs at most
    ``bridge_bins`` bins apart are one burst.  The threshold follows each activity's own mean rate.
    """

    bin_s: float = 25 * MS
    chance: float = 1e-4
    min_spikes: int = 3
    bridge_bins: int = 1


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SameDrive:
    """States that original and copy were run with the same drive noise on the same clock, as twins are.

    Only then do spike-train distances mean anything.  ``tau_s`` is van Rossum's time constant,
    ``cost_per_s`` Victor and Purpura's cost of moving a spike; at most ``max_neurons`` are measured.
    """

    tau_s: float = 10 * MS
    cost_per_s: float = 100.0
    max_neurons: int = 40


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CompareOptions:
    """Windows, bins and counts of ``compare``; the defaults suit neurons of 0.5 to 30 Hz over a minute or more."""

    coupling_window_s: tuple[float, float] = (0.5 * MS, 8 * MS)  # lags at which a monosynaptic effect is sought
    flank_s: float = 32 * MS  # lags from the window's end to here, on both sides, give the expected count
    bins_s: tuple[float, ...] = (20 * MS, 100 * MS)  # of count correlations; the first also of population coupling
    min_intervals: int = 20  # a neuron with fewer has no interval distribution
    spectrum_bin_s: float = 2 * MS
    spectrum_segment_s: float = 2.0
    burst: BurstRule = field(default_factory=BurstRule)
    same_drive: SameDrive | None = None
    n_poisson: int = 19  # 19 is the least for which a rank test can reach 5 %
    max_pair_neurons: int = 400  # more neurons than this: pair measures use this many, drawn with the seed
    alpha: float = 0.05
    min_duration_s: float = 5.0
    is_partial_allowed: bool = False  # compare only the neurons that both have

    def __post_init__(self) -> None:
        """Refuse windows and counts that cannot be used."""
        low, high = self.coupling_window_s
        if not 0 <= low < high < self.flank_s:
            raise OptionError(
                f"coupling_window_s is {self.coupling_window_s} and flank_s {self.flank_s}. "
                "Give 0 <= start < stop < flank_s, in seconds."
            )
        if not self.bins_s or min(self.bins_s) <= 0:
            raise OptionError(f"bins_s is {self.bins_s}. Give at least one bin above 0, in seconds.")
        if self.spectrum_segment_s < 8 * self.spectrum_bin_s or self.spectrum_bin_s <= 0:
            raise OptionError(
                f"spectrum_segment_s is {self.spectrum_segment_s} and spectrum_bin_s {self.spectrum_bin_s}. "
                "Give segments of at least eight bins."
            )
        if self.min_duration_s < 2 * self.spectrum_segment_s:
            raise OptionError(
                f"min_duration_s is {self.min_duration_s}. Give at least two segments of {self.spectrum_segment_s} s."
            )
        if not 0 < self.alpha < 1:
            raise OptionError(f"alpha is {self.alpha}. Give a probability between 0 and 1, such as 0.05.")
        if self.n_poisson < 0 or self.max_pair_neurons < 2 or self.min_intervals < 3:
            raise OptionError(
                f"n_poisson is {self.n_poisson}, max_pair_neurons {self.max_pair_neurons}, min_intervals "
                f"{self.min_intervals}. Give at least 0, 2 and 3."
            )
