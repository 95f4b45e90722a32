"""The neuron's circuit: two slits, two batteries, a capacitor and a current source, with the authors' numbers.

C V' = I - gain i_Na - i_K with i_a = g_a (V - E_a); both slits feel the same field V / L.
"""

import math
from dataclasses import dataclass
from typing import Final, NamedTuple, final

from jaxtyping import Float64
from numpy import ndarray

from neurograft.errors import IonicError
from neurograft.ionic._brownian import require_field
from neurograft.ionic._salt import PAPER_DIFFUSION_M2_S, thermal_energy_j
from neurograft.ionic._slit import TEMPERATURE_K
from neurograft.units import BOLTZMANN_J_PER_K, ELEMENTARY_CHARGE_C, FF, NA, NM, UM

# The authors state fields in kT / (e A); at 298 K this is 257 MV/m.
FIELD_UNIT_V_M: Final = BOLTZMANN_J_PER_K * TEMPERATURE_K / ELEMENTARY_CHARGE_C / (0.1 * NM)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """The authors' circuit by default.  The slits differ only in width, and so in how dense their ions are."""

    length_m: float = 2 * UM
    na_width_m: float = 20 * UM
    k_width_m: float = 200 * UM
    n_pairs: int = 4000  # cations in each slit, and as many anions
    valence: int = 2
    diffusion_m2_s: float = PAPER_DIFFUSION_M2_S
    na_gain: float = 5.0
    reversal_na_v: float = 0.2 * FIELD_UNIT_V_M * 2 * UM
    reversal_k_v: float = -0.2 * FIELD_UNIT_V_M * 2 * UM
    capacitance_f: float = 0.1 * FF
    current_a: float = 0.1 * NA
    temperature_k: float = TEMPERATURE_K

    def __post_init__(self) -> None:
        """Refuse a circuit that cannot be built."""
        sizes = (self.length_m, self.na_width_m, self.k_width_m, self.capacitance_f, self.na_gain, self.diffusion_m2_s)
        if not (min(sizes) > 0 and self.n_pairs >= 1 and 1 <= self.valence <= 3):
            raise IonicError(f"{self}: lengths, capacitance, gain and diffusion must be above 0, valence 1 to 3.")
        require_field(max(abs(self.reversal_na_v), abs(self.reversal_k_v)) / self.length_m)

    @property
    def free_siemens(self) -> float:
        """Conductance of a slit all of whose ions are free, N (z e)^2 D / (kT L^2): 51.6 pS."""
        charge = self.valence * ELEMENTARY_CHARGE_C
        thermal_j = thermal_energy_j(self.temperature_k)
        return 2 * self.n_pairs * charge**2 * self.diffusion_m2_s / (thermal_j * self.length_m**2)

    @property
    def na_per_m2(self) -> float:
        """Ions of one species on an area of the first slit."""
        return self.n_pairs / (self.length_m * self.na_width_m)

    @property
    def k_per_m2(self) -> float:
        """Ions of one species on an area of the second slit."""
        return self.n_pairs / (self.length_m * self.k_width_m)

    def current_noise_a(self, duration_s: float) -> float:
        """Return the sd of a slit's thermal current averaged over ``duration_s``, all ions free."""
        return math.sqrt(2 * thermal_energy_j(self.temperature_k) * self.free_siemens / duration_s)


class NeuronTrace(NamedTuple):
    """What a neuron did; conduction fractions are 1 where all ions carry current."""

    time_s: Float64[ndarray, " times"]
    voltage_v: Float64[ndarray, " times"]
    n_na: Float64[ndarray, " times"]
    n_k: Float64[ndarray, " times"]
