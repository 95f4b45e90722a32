"""How fast pairs break and form as a function of field: laws that the rate equations take.

n' = (1 - n) k_d(|E|) - k_a rho n^2, with n the share of free ions, rho the ions of one species on an area.
"""

import math
from dataclasses import dataclass
from typing import Final, Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.errors import IonicError
from neurograft.ionic._circuit import FIELD_UNIT_V_M
from neurograft.ionic._interaction import LogRatio
from neurograft.ionic._salt import PAPER_DIFFUSION_M2_S, thermal_energy_j
from neurograft.ionic._slit import TEMPERATURE_K
from neurograft.units import ELEMENTARY_CHARGE_C, NM

Fields = Float64[ndarray, " fields"]
_NM2: Final = NM**2
_N_RADII: Final = 400
_LANGEVIN_M2_S: Final = 1.2e11 * _NM2  # 4 pi D Gamma for the authors' divalent ions


@runtime_checkable
class RateLaw(Protocol):
    """Rates of a pair in a field."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    def breaking_hz(self, field_v_m: Fields) -> Fields:
        """Return k_d at fields of 0 or more."""
        ...

    def catching_m2_s(self, field_v_m: Fields, *, per_m2: float) -> Fields:
        """Return k_a at fields of 0 or more, for ions at a density."""
        ...


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PowerLaw:
    """k_d / k_a = ratio (E / E_1)^exponent, E_1 a tenth of the authors' unit; the authors' sample gives 9.2 (Gamma)."""

    name: str = "power law"
    exponent: float = 9.2
    ratio_per_m2: float = 1.05e-5 / _NM2
    catching: float = _LANGEVIN_M2_S

    def breaking_hz(self, field_v_m: Fields) -> Fields:
        """Return k_d."""
        return self.ratio_per_m2 * self.catching * (field_v_m / (0.1 * FIELD_UNIT_V_M)) ** self.exponent

    def catching_m2_s(self, field_v_m: Fields, *, per_m2: float) -> Fields:
        """Return k_a, the same everywhere."""
        return np.full_like(field_v_m, self.catching)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Tabulated:
    """Rates measured at some fields, straight lines between their logarithms, the end slopes beyond.

    ``fields`` are in the authors' unit.  ``catching_nm2_s`` has a row for each of ``per_nm2`` (falling in density)
    and a column for each of ``catching_fields``; it is interpolated in field and in the logarithm of density.
    """

    name: str
    fields: tuple[float, ...]
    breaking: tuple[float, ...]
    per_nm2: tuple[float, ...]
    catching_fields: tuple[float, ...]
    catching_nm2_s: tuple[tuple[float, ...], ...]
    low_slope: float | None = None  # of log k_d against log E below the first field; None: as between the first two

    def breaking_hz(self, field_v_m: Fields) -> Fields:
        """Return k_d."""
        x, y = np.log(self.fields), np.log(self.breaking)
        at = np.log(np.maximum(field_v_m / FIELD_UNIT_V_M, 1e-4))
        low = self.low_slope if self.low_slope is not None else (y[1] - y[0]) / (x[1] - x[0])
        high = (y[-1] - y[-2]) / (x[-1] - x[-2])
        inside = np.interp(at, x, y)
        return np.exp(inside + low * np.minimum(at - x[0], 0.0) + high * np.maximum(at - x[-1], 0.0))

    def catching_m2_s(self, field_v_m: Fields, *, per_m2: float) -> Fields:
        """Return k_a."""
        at = field_v_m / FIELD_UNIT_V_M
        rows = np.array([np.interp(at, self.catching_fields, row) for row in self.catching_nm2_s])
        if len(self.per_nm2) == 1:
            return rows[0] * _NM2
        x = np.log(np.array(self.per_nm2[::-1]))
        where = float(np.interp(math.log(per_m2 * _NM2), x, np.arange(x.size)))
        k = min(int(where), x.size - 2)
        low, high = rows[::-1][k], rows[::-1][k + 1]
        return (low + (where - k) * (high - low)) * _NM2


# Fitted to the authors' sample run (facts page, section 4); below 0.0463, where k_d
# would fall beneath the sample's floor of 1.2e4, the slope is halfway between that floor and going on as it was.
SAMPLE_FIT: Final = Tabulated(
    name="fitted to the authors' sample run",
    fields=(0.0463, 0.06, 0.08, 0.105, 0.14, 0.19, 0.26, 0.35, 0.5),
    breaking=(1.2e4, 4.2e4, 1.68e5, 7.14e5, 3.47e6, 1.81e7, 8.9e7, 3.43e8, 1.12e9),
    per_nm2=(1e-3,),
    catching_fields=(0.0,),
    catching_nm2_s=((5.3e10,),),
    low_slope=2.41,
)


# Pairs alone, with the authors' interaction and step, measured by ``breaking_rate_hz`` and ``catching_rate_m2_s`` (seed
# 2021; 46 to 6030 events broke, 98 to 3460 were caught; benchmarks/ionic_rates.py makes the table anew).
PAIRS_ALONE: Final = Tabulated(
    name="pairs alone, at the authors' step",
    fields=(0.0375, 0.045, 0.06, 0.08, 0.105, 0.14, 0.19, 0.26, 0.35, 0.5, 0.6),
    breaking=(2396, 6875, 3.609e4, 2.027e5, 9.781e5, 5.241e6, 2.768e7, 1.183e8, 3.249e8, 7.086e8, 9.422e8),
    per_nm2=(1e-3, 1e-4, 1e-5),
    catching_fields=(0.0, 0.01, 0.02, 0.045, 0.08, 0.14, 0.21, 0.30, 0.46),
    catching_nm2_s=(
        (1.069e11, 1.081e11, 1.049e11, 1.000e11, 1.002e11, 9.728e10, 9.616e10, 9.450e10, 9.481e10),
        (2.035e10, 3.523e10, 4.426e10, 5.945e10, 7.297e10, 8.359e10, 8.938e10, 8.645e10, 8.762e10),
        (7.656e9, 2.461e10, 3.602e10, 5.602e10, 6.664e10, 7.758e10, 8.070e10, 9.336e10, 8.703e10),
    ),
)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PairTheory:
    """Wien's effect in a plane by Kramers' escape of one pair over the saddle on the field's axis; nothing is fitted.

    u = -Gamma ln((r + xi) / (r + C)) - f r cos(theta); k_d = 2 D exp(-u(r*)) / Z, Z = int_0^r* 2 pi r exp(-u(r)) dr.
    The saddle r* solves Gamma (1/(r + C) - 1/(r + xi)) = f.  Free ions are caught by diffusion and drift:
    k_a = 4 pi D / max(1, ln(R / R_cut)) + 4 D f w, R = (pi rho)^-1/2, at most Langevin's 4 pi D Gamma.  In a steady
    drift the pair's sink (flux 2 pi Gamma) swallows a stream of half width w = pi Gamma / f, or the cut if narrower.
    """

    form: LogRatio
    valence: int = 2
    diffusion_m2_s: float = PAPER_DIFFUSION_M2_S
    temperature_k: float = TEMPERATURE_K
    name: str = "pair theory"

    @property
    def gamma(self) -> float:
        """Strength of the pair's attraction."""
        return self.form.strength * self.valence**2

    def saddle_m(self, field_v_m: Fields) -> Fields:
        """Return r*, not beyond the cut; 0 where the field pulls a touching pair apart."""
        f = self._force_per_m(field_v_m)
        core, reach = self.form.core_m, self.form.reach_m
        # Gamma (xi - C) = f (r + C)(r + xi): a quadratic in r
        half = 0.5 * (core + reach)
        inside = half**2 - core * reach + self.gamma * (reach - core) / np.maximum(f, 1e-30)
        return np.clip(np.sqrt(inside) - half, 0.0, self.form.cut_m)

    def breaking_hz(self, field_v_m: Fields) -> Fields:
        """Return k_d; where there is no saddle left the pair flies apart in the time of drift over the core."""
        saddle_m = self.saddle_m(field_v_m)
        f = self._force_per_m(field_v_m)
        t = (np.arange(_N_RADII) + 0.5) / _N_RADII
        core, reach = self.form.core_m, self.form.reach_m
        r = saddle_m[:, None] * t[None, :] ** 2  # fine near contact
        dr = saddle_m[:, None] * 2 * t[None, :] / _N_RADII
        weight = ((r + reach) / (r + core)) ** self.gamma
        with np.errstate(divide="ignore", invalid="ignore"):
            partition = (2 * math.pi * r * weight * dr).sum(axis=1)
            top = self.gamma * np.log((saddle_m + reach) / (saddle_m + core)) + f * saddle_m
            rate = 2 * self.diffusion_m2_s * np.exp(top) / partition
        fastest = 2 * self.diffusion_m2_s * np.maximum(f, 1 / core) / core
        return np.where(saddle_m > 1e-3 * core, np.minimum(rate, fastest), fastest)

    def catching_m2_s(self, field_v_m: Fields, *, per_m2: float) -> Fields:
        """Return k_a."""
        if not per_m2 > 0:
            raise IonicError(f"per_m2 is {per_m2:g}. Give a density above 0.")
        f = self._force_per_m(field_v_m)
        half_width_m = np.minimum(math.pi * self.gamma / np.maximum(f, 1e-30), self.form.cut_m)
        away_m = math.sqrt(1 / (math.pi * per_m2))
        diffusive = 4 * math.pi / max(1.0, math.log(away_m / self.form.cut_m))
        return self.diffusion_m2_s * np.minimum(diffusive + 4 * f * half_width_m, 4 * math.pi * self.gamma)

    def _force_per_m(self, field_v_m: Fields) -> Fields:
        return self.valence * ELEMENTARY_CHARGE_C * field_v_m / thermal_energy_j(self.temperature_k)


def equilibrium_fraction(law: RateLaw, field_v_m: Fields, *, per_m2: float) -> Fields:
    """Return the free share n in a steady field: the root of n^2 / (1 - n) = k_d / (k_a rho)."""
    ratio = law.breaking_hz(field_v_m) / (law.catching_m2_s(field_v_m, per_m2=per_m2) * per_m2)
    return 2 / (1 + np.sqrt(1 + 4 / np.maximum(ratio, 1e-300)))


def local_exponent(field_v_m: Fields, fraction: Fields) -> Float64[ndarray, " gaps"]:
    """Return d ln(n^2 / (1 - n)) / d ln E between neighbouring fields: Gamma less corrections."""
    return np.diff(np.log(fraction**2 / (1 - fraction))) / np.diff(np.log(field_v_m))


def bulk_onsager_factor(field_v_m: Fields, *, bjerrum_m: float, temperature_k: float = TEMPERATURE_K) -> Fields:
    """Return the rise of conductance of a weak electrolyte in bulk to first order, 1 + lB / (4 lE) (Onsager 1934)."""
    per_m = ELEMENTARY_CHARGE_C * np.abs(field_v_m) / thermal_energy_j(temperature_k)
    return 1 + 0.25 * bjerrum_m * per_m
