"""What a caller may have to say about a spike file that does not say it itself."""

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SpikeOptions:
    """Choices for spike files; most need none.

    ``part`` names one of several: a population of a SONATA report, a variable of a MATLAB file.
    ``quality`` are the curation labels of a Phy folder that are kept.  ``duration_s`` is how long spikes
    were looked for, from time 0, where the file does not tell; without it the time ends with the last
    spike, and rates of slow neurons come out too high.
    """

    part: str | None = None
    quality: tuple[str, ...] = ("good",)
    duration_s: float | None = None
