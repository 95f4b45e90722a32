"""What a caller may have to say about a spike file that does not say it itself."""

import re
from dataclasses import dataclass
from typing import final

from neurograft.errors import SpikeError
from neurograft.units import MS, US


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SpikeOptions:
    """Choices for spike files; most need none.

    ``part`` names one of several: a population of a SONATA report, a variable of a MATLAB file.
    ``quality`` are the curation labels of a Phy folder that are kept.  ``duration_s`` is how long spikes
    were looked for, from time 0, where the file does not tell; without it the time ends with the last
    spike, and rates of slow neurons come out too high.  ``tick_s`` is the unit of the file's times where the
    file does not tell it: 1e-3 for milliseconds, 1 / 20,000 for sample numbers at 20 kHz; without it, seconds.
    """

    part: str | None = None
    quality: tuple[str, ...] = ("good",)
    duration_s: float | None = None
    tick_s: float | None = None

    def __post_init__(self) -> None:
        """Refuse a unit that is none."""
        if self.tick_s is not None and not 0 < self.tick_s < float("inf"):
            raise SpikeError(f"tick_s is {self.tick_s}. Give the seconds that one unit of the file's times lasts.")


def tick_named(unit: str) -> float:
    """Return the seconds of a unit of time: s, ms, us, or a sampling rate such as 20kHz for sample numbers."""
    ticks_s = {"s": 1.0, "ms": MS, "us": US}
    if unit in ticks_s:
        return ticks_s[unit]
    found = re.fullmatch(r"([0-9.eE+]+) *(k?)Hz", unit)
    try:
        rate_hz = float(found[1]) * (1000.0 if found[2] else 1.0) if found else 0.0
    except ValueError:
        rate_hz = 0.0
    if not 0 < rate_hz < float("inf"):
        raise SpikeError(
            f"{unit!r} is no unit of time. Give s, ms, us, or the sampling rate as in 20kHz or 24414.06Hz."
        )
    return 1.0 / rate_hz
