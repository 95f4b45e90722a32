"""Channel noise in the running neuron: the voltage of a held cell against the linear prediction.

Around a potential V, dv and the gates obey a linear system J; channel noise enters as current of variance and
correlation time known for every Ornstein-Uhlenbeck term (Linaro 2011).  The variance of v is the sum over terms of
the solution of a Lyapunov equation, which is the integral of S_I |Z|^2 over frequency.  The channels here are
small and many: with usual ones (20 pS) only a few are open below threshold, and the kernel, which knows no
negative numbers of them, makes about a fifth less noise than the prediction, as it should.
"""

import numpy as np
import pytest
from scipy.linalg import solve_continuous_lyapunov

from neurograft.culture import HodgkinHuxley
from neurograft.culture._channels import gate_rates
from neurograft.culture._engine import at_rest, no_drive, no_wires, run_steps

STEP_S = 1e-4
pytestmark = pytest.mark.compiled


def rates(v_mv: float) -> np.ndarray:
    """Return opening and shutting rates (1/s) of m, h, n."""
    return 1e3 * np.array(gate_rates(v_mv)).reshape(3, 2)


def terms(v_mv: float, n_na: float, n_k: float) -> tuple[list, list]:
    """Return (variance of the open share, rate) of every term of sodium and of potassium noise."""
    from math import comb

    up, down = rates(v_mv).T
    (m, h, n), (a, b, c) = up / (up + down), up + down
    sodium = [
        (comb(3, i) * m**3 * h * m ** (3 - i) * (1 - m) ** i * (h if j == 0 else 1 - h) / n_na, i * a + j * b)
        for i in range(4)
        for j in range(2)
        if i + j > 0
    ]
    potassium = [(comb(4, i) * n ** (8 - i) * (1 - n) ** i / n_k, i * c) for i in range(1, 5)]
    return sodium, potassium


def predicted_sd_v(own: np.ndarray, v: float, p: float) -> float:
    """Return the standard deviation of v around a resting point, all currents made linear; p of g_M stays."""
    C, g_l, g_na, g_k, g_m, _, v_t, n_na, n_k = own[:9]
    v_mv = 1e3 * (v - v_t)
    up, down = rates(v_mv).T
    x, speed = up / (up + down), up + down
    ahead, behind = (rates(v_mv + s * 1e-3) for s in (1, -1))
    slope = [(u[0] / u.sum() - w[0] / w.sum()) / 2e-6 for u, w in zip(ahead, behind, strict=True)]
    m, h, n = x
    J = np.zeros((4, 4))
    J[0, 0] = -(g_l + g_na * m**3 * h + g_k * n**4 + g_m * p) / C
    J[0, 1] = g_na * 3 * m**2 * h * (0.05 - v) / C
    J[0, 2] = g_na * m**3 * (0.05 - v) / C
    J[0, 3] = g_k * 4 * n**3 * (-0.09 - v) / C
    for gate in range(3):
        J[1 + gate, 0], J[1 + gate, 1 + gate] = slope[gate] * speed[gate], -speed[gate]
    sodium, potassium = terms(v_mv, n_na, n_k)
    total = 0.0
    for group, drive in ((sodium, g_na * (0.05 - v) / C), (potassium, g_k * (-0.09 - v) / C)):
        for variance, rate in group:
            A = np.zeros((5, 5))
            A[:4, :4], A[0, 4], A[4, 4] = J, drive, -rate
            Q = np.zeros((5, 5))
            Q[4, 4] = 2 * rate * variance
            total += solve_continuous_lyapunov(A, -Q)[0, 0]
    return float(np.sqrt(total))


@pytest.mark.parametrize("above_rest_v", [4e-3, 8e-3])
def test_the_noise_of_a_held_neuron_is_the_linear_prediction(above_rest_v: float) -> None:
    family = HodgkinHuxley(log_spread=0, spread_v=0, n_substeps=4, channel_siemens=0.1e-12)
    quiet = HodgkinHuxley(log_spread=0, spread_v=0, channel_siemens=0)
    copies = 40
    cells = family.cells(np.zeros(copies, dtype=bool), np.random.default_rng(0))  # no slow current in these
    wires = no_wires(cells, step_s=STEP_S, nmda_ratio=0.0)
    drive = no_drive(cells)._replace(current_a=np.full((1, copies), above_rest_v) * cells.rest_siemens)
    state = at_rest(cells, wires, seed=5)
    run_steps(family, cells, wires, state, drive, n_steps=3000)
    seen = run_steps(family, cells, wires, state, drive, n_steps=20_000)
    assert seen.spike_step.size == 0
    still = quiet.cells(np.zeros(1, dtype=bool), np.random.default_rng(0))
    alone = run_steps(
        quiet,
        still,
        wires._replace(gap_start=np.zeros(2, dtype=np.int64), start=np.zeros(2, dtype=np.int64)),
        at_rest(still, wires),
        no_drive(still)._replace(current_a=drive.current_a[:, :1].copy()),
        n_steps=5000,
    )
    wanted = predicted_sd_v(cells.own[:, 0], float(alone.trace_v[0, -1]), 0.0)
    found = seen.trace_v.astype(float).std()
    assert found > 2e-7  # float32 rounds to 4e-9
    # 40 cells x 2 s over some 10 ms are 8,000 values (1 %); the rest is what is not linear and the finite step.
    assert found == pytest.approx(wanted, rel=0.07)
