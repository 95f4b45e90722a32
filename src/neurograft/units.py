"""Factors that turn everyday units into SI, and the physical constants that the project uses.

Everything outside this file is in SI; write ``20 * MS``, not ``0.02``.  The one exception is
electrode and cell positions, which are in micrometres and end in ``_um``.
"""

from typing import Final

MS: Final = 1e-3
US: Final = 1e-6
NS: Final = 1e-9
MINUTE: Final = 60.0
HOUR: Final = 3600.0
DAY: Final = 86_400.0
YEAR: Final = 365.25 * DAY

PS: Final = 1e-12

NM: Final = 1e-9
UM: Final = 1e-6

KHZ: Final = 1e3

MV: Final = 1e-3
UV: Final = 1e-6

NA: Final = 1e-9
PA: Final = 1e-12

MICROSIEMENS: Final = 1e-6
NANOSIEMENS: Final = 1e-9
PICOSIEMENS: Final = 1e-12

FF: Final = 1e-15

PJ: Final = 1e-12

# CODATA 2018; the first two are exact by the definition of the SI.
BOLTZMANN_J_PER_K: Final = 1.380649e-23
ELEMENTARY_CHARGE_C: Final = 1.602176634e-19
VACUUM_PERMITTIVITY_F_PER_M: Final = 8.8541878128e-12
