"""Fields over time: constant, sinusoidal, or any samples."""

import math
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.errors import IonicError

Times = Float64[ndarray, " times"]


@runtime_checkable
class Waveform(Protocol):
    """A field along the slit as a function of time."""

    def at(self, time_s: Times) -> Times:
        """Return the field in V/m."""
        ...


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """The same field for ever."""

    field_v_m: float

    def at(self, time_s: Times) -> Times:
        """Return the field at each time."""
        return np.full_like(time_s, self.field_v_m)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Sine:
    """amplitude cos(2 pi f t), as the authors sweep it."""

    amplitude_v_m: float
    frequency_hz: float

    def at(self, time_s: Times) -> Times:
        """Return the field at each time."""
        return self.amplitude_v_m * np.cos(2 * math.pi * self.frequency_hz * time_s)


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Samples:
    """Straight lines between given points; held before the first and after the last."""

    time_s: Times
    field_v_m: Times

    def __post_init__(self) -> None:
        """Refuse points out of order."""
        if self.time_s.size != self.field_v_m.size or self.time_s.size < 1 or np.any(np.diff(self.time_s) <= 0):
            raise IonicError("A waveform needs as many times as fields, and its times must rise.")

    def at(self, time_s: Times) -> Times:
        """Return the field at each time."""
        return np.interp(time_s, self.time_s, self.field_v_m)
