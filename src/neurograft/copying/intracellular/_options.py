"""How an intracellular recording is copied."""

from dataclasses import dataclass, field
from typing import final

from neurograft.copying.intracellular.judging._templates import TemplateOptions
from neurograft.copying.intracellular.neurons._usable import MIN_RATE_HZ
from neurograft.copying.intracellular.reading._peaks import DetectionOptions
from neurograft.copying.intracellular.reading._read import ReadOptions
from neurograft.copying.intracellular.regression._whiten import WhiteningOptions
from neurograft.errors import CopyError
from neurograft.recordings import Recording
from neurograft.units import MV


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class IntracellularOptions:
    """How an intracellular recording is copied."""

    fdr: float = 0.05
    row_rate_hz: float = 1000.0  # of the regression; traces are averaged down to it
    action_potential_v: float = 100 * MV  # of the peak over the mean membrane potential, for which a pad's is taken
    coupling_window_s: float = 30.0
    plausible_v: float = 1 * MV  # a pair whose detection limit is above is undecidable
    with_evidence: bool = False  # also fit without bursts: a third more time, columns quiet_v and quiet_se_v
    is_dale: bool = True  # one sign a presynaptic neuron, learnt from its surest synapses
    detection: DetectionOptions = field(default_factory=DetectionOptions)
    whitening: WhiteningOptions = field(default_factory=WhiteningOptions)
    templates: TemplateOptions = field(default_factory=TemplateOptions)
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse values that no recording can be copied with."""
        if not 0 < self.fdr < 1:
            raise CopyError(f"fdr is {self.fdr}. Give a false-discovery rate between 0 and 1, such as 0.05.")
        if not self.row_rate_hz >= MIN_RATE_HZ:
            raise CopyError(f"row_rate_hz is {self.row_rate_hz} Hz. Give at least {MIN_RATE_HZ} Hz; 1000 is usual.")
        if not self.plausible_v > 0:
            raise CopyError(f"plausible_v is {self.plausible_v} V. Give the smallest synapse of interest, above 0 V.")


def read_options(recording: Recording, options: IntracellularOptions) -> ReadOptions:
    """Return how its pieces are read."""
    return ReadOptions(options.detection, max(round(recording.rate_hz / options.row_rate_hz), 1))
