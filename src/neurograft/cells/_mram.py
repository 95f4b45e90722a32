"""Spin-transfer-torque MRAM: a bit that a pulse sets, or fails to set with a small probability."""

from dataclasses import dataclass
from typing import NamedTuple, final, no_type_check

import numpy as np
from jaxtyping import Bool, Float64, UInt8, UInt64
from numba import njit
from numpy import ndarray

from neurograft.cells._checks import require_age, require_drive, require_temperature, require_window
from neurograft.cells._defects import HEALTHY, shown
from neurograft.cells._protocol import Cost, Defects, Figure, Flag, Header, ProgramAndVerify, Written
from neurograft.cells._stream import GOLDEN, stream, uniform
from neurograft.cells._threads import in_slices
from neurograft.units import MICROSIEMENS, NS, PJ, YEAR

_BAD = Flag.DEFECTIVE.value
_OUT = Flag.OUT_OF_BAND.value


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Mram:
    """A card: a pulse fails with ``write_error``, pulses independent; a verified write repeats until it holds.

    Before a write every cell is taken to hold the other bit, the worst case.  Reads are exact.
    """

    name: str
    g_min_siemens: float
    g_max_siemens: float
    write_error: float
    defects: Defects
    cost: Cost
    header: Header
    longest_s: float = 10 * YEAR
    levels: int = 2

    def program(
        self, target_siemens: Float64[ndarray, " cells"], rng: np.random.Generator
    ) -> Float64[ndarray, " cells"]:
        """Return cells after one pulse each; targets go to the nearer of the two states."""
        is_on = self._is_on(target_siemens)
        return self._state(is_on ^ (rng.random(is_on.size) < self.write_error))

    def pulse(
        self, g_siemens: Float64[ndarray, " cells"], drive: Float64[ndarray, " cells"], rng: np.random.Generator
    ) -> Float64[ndarray, " cells"]:
        """Return cells after a pulse each that switches with probability |drive| * (1 - write_error); guessed."""
        require_drive(drive)
        switches = rng.random(g_siemens.size) < np.abs(drive) * (1.0 - self.write_error)
        return np.where(switches, self._state(drive > 0), g_siemens)

    def write(
        self,
        target_siemens: Float64[ndarray, " cells"],
        *,
        address: UInt64[ndarray, " cells"],
        defect: UInt8[ndarray, " cells"],
        verify: ProgramAndVerify,
        key: int,
    ) -> Written:
        """Return the outcome of write, verify, write ... with at most ``max_pulses`` pulses."""
        on = self._is_on(target_siemens).astype(np.uint8)
        n = on.size
        g, pulses, flags = np.zeros(n), np.zeros(n, dtype=np.uint16), np.zeros(n, dtype=np.uint8)
        law = _Law(self.g_min_siemens, self.g_max_siemens, self.write_error, verify.max_pulses)

        def work(part: slice) -> None:
            cells = (on[part], address[part], defect[part], g[part], pulses[part], flags[part])
            flip_kernel(*cells, np.uint64(key), law)

        in_slices(n, work)
        return Written(g, pulses, flags)

    def age(
        self, g_siemens: Float64[ndarray, " cells"], *, age_s: float, temperature_k: float, rng: np.random.Generator
    ) -> Float64[ndarray, " cells"]:
        """Return the cells as they were: ten years at 85 C are survived (survey)."""
        require_age(age_s, longest_s=self.longest_s, name=self.name)
        require_temperature(temperature_k, low=233.15, high=358.15, name=self.name)
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
        """Return the nearer of the two states."""
        require_age(age_s, longest_s=self.longest_s, name=self.name)
        return self._state(g_siemens > 0.5 * (self.g_min_siemens + self.g_max_siemens))

    def read_noise_siemens(
        self,
        g_siemens: Float64[ndarray, " cells"],
        *,
        programmed_siemens: Float64[ndarray, " cells"],
        age_s: float,
    ) -> Float64[ndarray, " cells"]:
        """Return the sd of a reading: readings are exact."""
        return np.zeros(g_siemens.size)

    def _is_on(self, target_siemens: Float64[ndarray, " cells"]) -> Bool[ndarray, " cells"]:
        require_window(target_siemens, low=self.g_min_siemens, high=self.g_max_siemens, name=self.name)
        return target_siemens > 0.5 * (self.g_min_siemens + self.g_max_siemens)

    def _state(self, is_on: Bool[ndarray, " cells"]) -> Float64[ndarray, " cells"]:
        return np.where(is_on, self.g_max_siemens, self.g_min_siemens)


class _Law(NamedTuple):
    g_min: float
    g_max: float
    write_error: float
    max_pulses: int


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def flip_kernel(on, address, defect, g_out, pulses_out, flags_out, key, law):  # noqa: PLR0917
    for i in range(on.size):
        s = stream(key, address[i])
        wanted = law.g_max if on[i] else law.g_min
        g = law.g_min if on[i] else law.g_max
        pulses = 0
        while pulses < law.max_pulses:
            pulses += 1
            if uniform(s) >= law.write_error:
                g = wanted
            s = s + GOLDEN
            g = shown(g, defect[i], law.g_min, law.g_max)
            if g == wanted:
                break
        g_out[i] = g
        pulses_out[i] = min(pulses, 65535)
        flags_out[i] = (_OUT if g != wanted else 0) | (_BAD if defect[i] != HEALTHY else 0)


STT_MRAM = Mram(
    name="mram",
    g_min_siemens=80 * MICROSIEMENS,
    g_max_siemens=200 * MICROSIEMENS,
    write_error=7.5e-7,
    defects=Defects(),
    cost=Cost(
        pulse_s=Figure(value=12 * NS, evidence="second-hand: NVMExplorer survey, median of 16 (2-200 ns)"),
        read_s=Figure(value=12 * NS, evidence="guessed: as long as the pulse"),
        pulse_j=Figure(value=2.55 * PJ, evidence="second-hand: NVMExplorer survey, median of 2 (0.6-4.5 pJ)"),
        read_j=Figure(value=0.3 * PJ, evidence="second-hand: NVMExplorer survey, median of 5 (0.21-1.2 pJ)"),
        endurance=Figure(value=1e6, evidence="second-hand: NVMExplorer survey, as tested, 15 (to 1e15)"),
    ),
    header=Header(
        source="NVMExplorer survey 2006-2020; Intel 22FFL and GlobalFoundries, IEDM 2018",
        table="write error: median of 10 (1e-11 to 1e-4); Intel 5e-7, GlobalFoundries 1e-6 without ECC",
        conditions="retention 10 years at 85 to 220 C; temperature of the write errors not stated",
        fitted="nothing",
        guessed="the two conductances (memory); errors of pulses independent; no stuck cells (rate not found)",
        evidence="second-hand",
    ),
)
