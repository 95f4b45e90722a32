"""The table ``PAIRS_ALONE``: how often lone pairs break and free ions are caught in the authors' model.

    python benchmarks/ionic_rates.py [--scale 0.1]

Two minutes of one core at full scale; the table in ``ionic/_rates.py`` was made with seed 2021 at scale 1.
"""

import argparse

import numpy as np

from neurograft.ionic import FIELD_UNIT_V_M, PAPER, breaking_rate_hz, catching_rate_m2_s
from neurograft.units import NM

CATCHING = {1e-3: 100_000, 1e-4: 800_000, 1e-5: 4_000_000}
CATCHING_FIELDS = (0.0, 0.01, 0.02, 0.045, 0.08, 0.14, 0.21, 0.30, 0.46)
BREAKING = {
    0.6: 2e4, 0.5: 2e4, 0.35: 4e4, 0.26: 1e5, 0.19: 3e5, 0.14: 1e6, 0.105: 3e6, 0.08: 8e6, 0.06: 2e7, 0.045: 4e7,
    0.0375: 6e7,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=2021)
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    for per_nm2, steps in CATCHING.items():
        for field in CATCHING_FIELDS:
            n_steps, field_v_m = int(steps * given.scale), field * FIELD_UNIT_V_M
            rate = catching_rate_m2_s(PAPER, field_v_m=field_v_m, per_m2=per_nm2 / NM**2, n_steps=n_steps, rng=rng)
            print(f"caught  rho {per_nm2:g} /nm2  E {field:5.3f}  {rate.value / NM**2:.4g} nm2/s  ({rate.n_events})")
    for field, steps in BREAKING.items():
        rate = breaking_rate_hz(PAPER, field_v_m=field * FIELD_UNIT_V_M, n_steps=int(steps * given.scale), rng=rng)
        print(f"broke  E {field:6.4f}  {rate.value:.4g} 1/s  ({rate.n_events})")


if __name__ == "__main__":
    main()
