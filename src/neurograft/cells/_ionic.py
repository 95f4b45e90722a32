"""A slit of water and ions as a memory cell: the ionic memristor of Robin, Kavokine and Bocquet with its own noise.

Its conductance is that of the free ions, n g.  It forgets: n goes back to rest within ``memory_s`` (minutes in the
slits of 2023, microseconds in those of 2021), so an image held in such cells must be used soon.  Spread and read
noise are those of a finite number of ions that pair and part.
"""

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64, UInt8, UInt64
from numpy import ndarray

from neurograft.cells._checks import require_drive, require_temperature, require_window
from neurograft.cells._noise import with_spread
from neurograft.cells._protocol import Cost, Defects, Figure, Header, ProgramAndVerify, Written
from neurograft.cells._redraw import soft_pulse, write_by_redraw
from neurograft.errors import CellError
from neurograft.units import PICOSIEMENS


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class IonicSlit:
    """A card; the window is that of free shares from ``g_min`` to ``g_max`` of ``free_siemens``."""

    name: str
    g_min_siemens: float
    g_max_siemens: float
    free_siemens: float
    rest_siemens: float
    memory_s: float
    n_ions: int
    defects: Defects
    cost: Cost
    header: Header
    levels: int | None = None

    def spread_siemens(self, g_siemens: Float64[ndarray, " cells"]) -> Float64[ndarray, " cells"]:
        """Return the sd of conductance: pairs that break and form leave var n = 2 n (1 - n) / (N (2 - n)).

        Linear noise of n' = (1 - n) k_d - k_a rho n^2, two ions an event; derived.
        """
        n = np.clip(g_siemens / self.free_siemens, 0.0, 1.0)
        return self.free_siemens * np.sqrt(2 * n * (1 - n) / (self.n_ions * (2 - n)))

    def program(
        self, target_siemens: Float64[ndarray, " cells"], rng: np.random.Generator
    ) -> Float64[ndarray, " cells"]:
        """Return target plus the noise of its ions."""
        require_window(target_siemens, low=self.g_min_siemens, high=self.g_max_siemens, name=self.name)
        return with_spread(target_siemens, self.spread_siemens, rng)

    def pulse(
        self, g_siemens: Float64[ndarray, " cells"], drive: Float64[ndarray, " cells"], rng: np.random.Generator
    ) -> Float64[ndarray, " cells"]:
        """Return G after a filling (drive above 0) or emptying pulse each; the response is guessed."""
        require_drive(drive)
        window = (self.g_min_siemens, self.g_max_siemens)
        return soft_pulse(g_siemens, drive, gain=0.05, jitter=0.1, window_siemens=window, rng=rng)

    def write(
        self,
        target_siemens: Float64[ndarray, " cells"],
        *,
        address: UInt64[ndarray, " cells"],
        defect: UInt8[ndarray, " cells"],
        verify: ProgramAndVerify,
        key: int,
    ) -> Written:
        """Return the outcome of setting the voltage anew until a read lies in the band."""
        require_window(target_siemens, low=self.g_min_siemens, high=self.g_max_siemens, name=self.name)
        spread = self.spread_siemens(target_siemens)
        return write_by_redraw(
            target_siemens,
            spread_siemens=spread,
            noise_siemens=np.zeros(target_siemens.size),
            address=address,
            defect=defect,
            verify=verify,
            key=key,
            window_siemens=(self.g_min_siemens, self.g_max_siemens),
        )

    def age(
        self, g_siemens: Float64[ndarray, " cells"], *, age_s: float, temperature_k: float, rng: np.random.Generator
    ) -> Float64[ndarray, " cells"]:
        """Return what is left: the distance from rest falls by e in each memory time."""
        if not age_s >= 0:
            raise CellError(f"age_s is {age_s}. Give the seconds since programming, 0 or more.")
        require_temperature(temperature_k, low=288.15, high=308.15, name=self.name)
        return self.rest_siemens + (g_siemens - self.rest_siemens) * math.exp(-age_s / self.memory_s)

    def read(
        self,
        g_siemens: Float64[ndarray, " cells"],
        *,
        programmed_siemens: Float64[ndarray, " cells"],
        age_s: float,
        temperature_k: float,
        rng: np.random.Generator,
    ) -> Float64[ndarray, " cells"]:
        """Return one reading: conductance and the noise of its ions, which is new at each read."""
        return with_spread(g_siemens, self.spread_siemens, rng)

    def read_noise_siemens(
        self,
        g_siemens: Float64[ndarray, " cells"],
        *,
        programmed_siemens: Float64[ndarray, " cells"],
        age_s: float,
    ) -> Float64[ndarray, " cells"]:
        """Return the sd of a reading."""
        return self.spread_siemens(g_siemens)


_GUESSED = Figure(value=None, evidence="not published")

IONIC_SLIT = IonicSlit(
    name="ionic",
    g_min_siemens=2 * PICOSIEMENS,
    g_max_siemens=45 * PICOSIEMENS,
    free_siemens=51.6 * PICOSIEMENS,
    rest_siemens=2 * PICOSIEMENS,
    memory_s=200.0,
    n_ions=8000,
    defects=Defects(),
    cost=Cost(pulse_s=_GUESSED, read_s=_GUESSED, pulse_j=_GUESSED, read_j=_GUESSED),
    header=Header(
        source="Robin, Kavokine, Bocquet 2021, Science 373:687; Robin et al. 2023, arXiv 2205.07653",
        table="conductance: 2021, public input files (8000 ions, 2 um); memory: 2023, 50-400 s, its middle",
        conditions="298 K, in simulation; the two slits are not the same device",
        fitted="nothing",
        guessed="that a slit of the first kind has the memory of the second; rest; response to a pulse; no defects",
        evidence="code",
    ),
)
