"""A memory without noise, drift or defects: what pasting alone does to a map, and a check of the way there and back."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64, UInt8, UInt64
from numpy import ndarray

from neurograft.cells._checks import require_window
from neurograft.cells._protocol import Cost, Defects, Figure, Header, ProgramAndVerify, Written
from neurograft.units import MICROSIEMENS

_NONE = Figure(value=None, evidence="an ideal cell has none")
_NO_DEFECTS = Defects()
_NO_COST = Cost(pulse_s=_NONE, read_s=_NONE, pulse_j=_NONE, read_j=_NONE)
_NO_HEADER = Header(
    source="none: a thought experiment",
    table="none",
    conditions="none",
    fitted="nothing",
    guessed="everything",
    evidence="computed",
)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Ideal:
    """A card of a cell that takes exactly what it is given, in one pulse, for ever."""

    name: str = "ideal"
    g_min_siemens: float = 0.0
    g_max_siemens: float = 40 * MICROSIEMENS
    defects: Defects = _NO_DEFECTS
    cost: Cost = _NO_COST
    header: Header = _NO_HEADER
    levels: int | None = None

    def program(
        self, target_siemens: Float64[ndarray, " cells"], rng: np.random.Generator
    ) -> Float64[ndarray, " cells"]:
        """Return the targets."""
        require_window(target_siemens, low=self.g_min_siemens, high=self.g_max_siemens, name=self.name)
        return target_siemens.copy()

    def pulse(
        self, g_siemens: Float64[ndarray, " cells"], drive: Float64[ndarray, " cells"], rng: np.random.Generator
    ) -> Float64[ndarray, " cells"]:
        """Return conductances moved by drive times the window, kept inside it."""
        step = drive * (self.g_max_siemens - self.g_min_siemens)
        return np.clip(g_siemens + step, self.g_min_siemens, self.g_max_siemens)

    def write(
        self,
        target_siemens: Float64[ndarray, " cells"],
        *,
        address: UInt64[ndarray, " cells"],
        defect: UInt8[ndarray, " cells"],
        verify: ProgramAndVerify,
        key: int,
    ) -> Written:
        """Return the targets after one pulse each."""
        require_window(target_siemens, low=self.g_min_siemens, high=self.g_max_siemens, name=self.name)
        n = target_siemens.size
        return Written(target_siemens.copy(), np.ones(n, dtype=np.uint16), np.zeros(n, dtype=np.uint8))

    def age(
        self, g_siemens: Float64[ndarray, " cells"], *, age_s: float, temperature_k: float, rng: np.random.Generator
    ) -> Float64[ndarray, " cells"]:
        """Return the conductances as they were."""
        return g_siemens.copy()

    def read(
        self,
        g_siemens: Float64[ndarray, " cells"],
        *,
        programmed_siemens: Float64[ndarray, " cells"],
        age_s: float,
        temperature_k: float,
        rng: np.random.Generator,
    ) -> Float64[ndarray, " cells"]:
        """Return the conductances exactly."""
        return g_siemens.copy()

    def read_noise_siemens(
        self,
        g_siemens: Float64[ndarray, " cells"],
        *,
        programmed_siemens: Float64[ndarray, " cells"],
        age_s: float,
    ) -> Float64[ndarray, " cells"]:
        """Return the sd of a reading: readings are exact."""
        return np.zeros(g_siemens.size)


IDEAL = Ideal()
