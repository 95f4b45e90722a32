"""Membrane potentials of a small network whose synapses are known: the bench on which copying is scored.

Leaky integrate-and-fire cells with spike-triggered adaptation, exponential synaptic currents (or
conductances), private and shared drive, bursts and pasted action potentials.  It shares no code with the
copier, and nothing in the copier may be tuned on the seeds that a benchmark reports (from 1000 on).
"""

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from numba import njit
from numpy import ndarray

from neurograft.recordings import ArrayRecording, Signal, array_recording

DT_S = 1e-4
REST_V, THRESHOLD_V, RESET_V, PEAK_V = -65e-3, -50e-3, -60e-3, 35e-3
E_REVERSAL_V, I_REVERSAL_V = 0.0, -80e-3
AP_STEPS = 20  # of DT_S: refractory time, filled with the pasted action potential


@dataclass(frozen=True, kw_only=True)
class Bench:
    """One ground truth; the families of the benchmark are a few of these."""

    n: int = 60
    n_hidden: int = 0
    seconds: float = 60.0
    rate_hz: float = 1000.0
    connection_probability: float = 0.1
    inhibitory_share: float = 0.2
    psp_median_v: float = 0.6e-3
    psp_log_sd: float = 0.8
    delay_s: tuple[float, float] = (1.0e-3, 4.0e-3)
    tau_membrane_s: float = 20e-3
    tau_synapse_s: float = 2e-3
    drive_v: tuple[float, float] = (9.5e-3, 12.5e-3)  # steady drive above rest, lowest and highest cell
    private_sd_v: float = 2.5e-3
    shared_sd_v: float = 1.0e-3  # slow, one second
    burst_interval_s: float = 4.0
    burst_v: float = 4.0e-3
    noise_v: float = 0.75e-3  # of a sample at 1 kHz, white, membrane-equivalent
    adaptation_v: float = 2e-3
    is_conductance: bool = False
    failure: float = 0.0
    n_gap: int = 0
    gap_coupling: float = 0.2  # of the leak: spikelets of half a millivolt
    is_drifting: bool = False  # intracellular pads of unknown, drifting coupling
    seed: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Truth:
    """Weights are [pre, post] peak potentials at rest; axes hold the observed cells only."""

    recording: ArrayRecording
    weight_v: ndarray
    delay_s: ndarray
    gap: ndarray  # bool, symmetric
    spike_s: tuple[ndarray, ...]
    is_inhibitory: ndarray
    coupling: ndarray  # frames of one second by cells; ones unless drifting


def grow(bench: Bench) -> Truth:
    """Return traces and truth."""
    rng = np.random.default_rng(bench.seed)
    n_all = bench.n + bench.n_hidden
    inhibitory = np.zeros(n_all, dtype=bool)
    inhibitory[rng.permutation(n_all)[: round(bench.inhibitory_share * n_all)]] = True
    weight = np.where(
        rng.random((n_all, n_all)) < bench.connection_probability,
        bench.psp_median_v * np.exp(bench.psp_log_sd * rng.standard_normal((n_all, n_all))),
        0.0,
    )
    np.fill_diagonal(weight, 0.0)
    weight[inhibitory] *= -1
    delay = rng.uniform(*bench.delay_s, (n_all, n_all))
    gap = np.zeros((n_all, n_all))
    while np.count_nonzero(gap) < 2 * bench.n_gap:
        i, k = rng.choice(n_all, 2, replace=False)
        gap[i, k] = gap[k, i] = bench.gap_coupling
    pre, post = np.nonzero(weight)
    start = np.searchsorted(pre, np.arange(n_all + 1))
    tau_m, tau_s = bench.tau_membrane_s, bench.tau_synapse_s
    peak_s = np.log(tau_m / tau_s) / (1 / tau_s - 1 / tau_m)
    peak = (np.exp(-peak_s / tau_m) - np.exp(-peak_s / tau_s)) / (tau_m - tau_s) * tau_s  # of a unit drive
    n_steps = round(bench.seconds / DT_S)
    every = round(1 / (bench.rate_hz * DT_S))
    traces = np.empty((n_steps // every, n_all), dtype=np.float32)
    spikes = np.full((n_all * round(bench.seconds * 80) + 100, 2), -1, dtype=np.int64)
    n_spikes = _simulate(
        n_steps, every, start.astype(np.int64), post.astype(np.int64),
        weight[pre, post] / peak, np.round(delay[pre, post] / DT_S).astype(np.int64), inhibitory, gap,
        rng.uniform(*bench.drive_v, n_all), rng.uniform(0.5, 1.5, n_all),
        _shared(bench, n_steps // 10 + 1, rng), tau_m, tau_s, bench.private_sd_v, bench.adaptation_v,
        bench.is_conductance, bench.failure, int(rng.integers(1 << 31)), traces, spikes,
    )  # fmt: skip
    spikes = spikes[:n_spikes]
    n, noise_v = bench.n, bench.noise_v * np.sqrt(bench.rate_hz / 1000.0)
    coupling = np.ones((len(traces), n), dtype=np.float32)
    if bench.is_drifting:
        coupling = _drifting(len(traces), n, bench.rate_hz, rng)
    seen = traces[:, :n] * coupling + rng.standard_normal((len(traces), n), dtype=np.float32) * noise_v * (
        coupling.mean(0) if bench.is_drifting else 1.0
    )
    return Truth(
        recording=array_recording(
            seen.astype(np.float32),
            rate_hz=bench.rate_hz,
            signal=Signal.INTRACELLULAR_V if bench.is_drifting else Signal.MEMBRANE_V,
        ),
        weight_v=weight[:n, :n],
        delay_s=np.where(weight[:n, :n] != 0, delay[:n, :n], np.nan),
        gap=gap[:n, :n] > 0,
        spike_s=tuple(spikes[spikes[:, 1] == i, 0] * DT_S for i in range(n)),
        is_inhibitory=inhibitory[:n],
        coupling=coupling[:: round(bench.rate_hz)],
    )


def _shared(bench: Bench, n_ms: int, rng: np.random.Generator) -> ndarray:
    """Slow noise (one second) and bursts, one value a millisecond."""
    slow = np.empty(n_ms)
    _ou(rng.standard_normal(n_ms), 1e-3, slow)
    drive = bench.shared_sd_v * slow
    t_s = 0.0
    while bench.burst_v > 0:
        t_s += rng.exponential(bench.burst_interval_s) + 0.3
        k = int(t_s * 1000)
        if k + 400 >= n_ms:
            break
        drive[k : k + 400] += bench.burst_v * rng.uniform(0.5, 1.5) * np.exp(-np.arange(400) / 80.0)
    return drive


def _drifting(n_frames: int, n: int, rate_hz: float, rng: np.random.Generator) -> ndarray:
    """Coupling of each pad: 2 to 10 %, drifting by some ten per cent within half a minute."""
    t_s = np.arange(n_frames) / rate_hz
    base = np.exp(rng.uniform(np.log(0.02), np.log(0.1), n))
    wave = np.zeros((n_frames, n))
    for _ in range(3):
        wave += 0.15 * np.sin(2 * np.pi * t_s[:, None] / rng.uniform(25, 120, n) + rng.uniform(0, 6.28, n))
    return (base * np.exp(wave)).astype(np.float32)


@njit(cache=True)
@no_type_check
def _ou(noise, share, out):
    x = 0.0
    for k in range(len(noise)):
        x += -share * x + np.sqrt(2 * share) * noise[k]
        out[k] = x


@njit(cache=True)
@no_type_check
def _simulate(
    n_steps, every, start, post, drive, delay, inhibitory, gap, steady_v, share, shared_v, tau_m, tau_s,
    private_sd_v, adaptation_v, is_conductance, failure, seed, traces, spikes,
):  # fmt: skip
    np.random.seed(seed)  # noqa: NPY002  (numba's own generator, inside the kernel only)
    n = len(steady_v)
    horizon = 0
    for d in delay:
        horizon = max(horizon, d)
    horizon += 2
    coming = np.zeros((horizon, n, 2))
    v = np.full(n, REST_V + 0.007)
    seen = v.copy()
    last = v.copy()
    current = np.zeros((n, 2))
    private = np.zeros(n)
    adaptation = np.zeros(n)
    left = np.zeros(n, dtype=np.int64)
    total = np.zeros(n)
    neighbours = np.zeros((n, n), dtype=np.int64)
    n_neighbours = np.zeros(n, dtype=np.int64)
    for i in range(n):
        for k in range(n):
            if gap[i, k] > 0:
                neighbours[i, n_neighbours[i]] = k
                n_neighbours[i] += 1
    keep_s = np.exp(-DT_S / tau_s)
    # private current with the synapses' time constant; its gain makes the potential's sd private_sd_v
    private_gain = private_sd_v * np.sqrt((tau_m + tau_s) / tau_s)
    count = 0
    for step in range(n_steps):
        slot = step % horizon
        common = shared_v[step // 10]
        last[:] = seen
        for i in range(n):
            for c in range(2):
                current[i, c] = current[i, c] * keep_s + coming[slot, i, c]
                coming[slot, i, c] = 0.0
            private[i] += -DT_S / tau_s * private[i] + np.sqrt(2 * DT_S / tau_s) * np.random.standard_normal()  # noqa: NPY002
            adaptation[i] -= DT_S / 0.1 * adaptation[i]
            synaptic = current[i, 0] + current[i, 1]
            if is_conductance:
                synaptic = current[i, 0] * (v[i] - E_REVERSAL_V) / (REST_V - E_REVERSAL_V)
                synaptic += current[i, 1] * (v[i] - I_REVERSAL_V) / (REST_V - I_REVERSAL_V)
            if left[i] > 0:
                age = AP_STEPS - left[i]
                if age < 3:
                    seen[i] = THRESHOLD_V + (PEAK_V - THRESHOLD_V) * (age + 1) / 3
                else:
                    seen[i] = RESET_V + (PEAK_V - RESET_V) * np.exp(-(age - 2) / 4.0)
                left[i] -= 1
                v[i] = RESET_V
            else:
                push = REST_V + steady_v[i] + share[i] * common + private_gain * private[i] + synaptic - adaptation[i]
                step_v = (push - v[i]) / tau_m
                for q in range(n_neighbours[i]):
                    k = neighbours[i, q]
                    step_v += gap[i, k] * (last[k] - v[i]) / tau_m
                v[i] += DT_S * step_v
                seen[i] = v[i]
                if v[i] > THRESHOLD_V:
                    left[i] = AP_STEPS
                    adaptation[i] += adaptation_v
                    if count < len(spikes):
                        spikes[count, 0] = step
                        spikes[count, 1] = i
                        count += 1
                    for s in range(start[i], start[i + 1]):
                        if failure == 0.0 or np.random.random() >= failure:  # noqa: NPY002
                            coming[(step + delay[s]) % horizon, post[s], 1 if inhibitory[i] else 0] += drive[s]
            total[i] += seen[i]
        if (step + 1) % every == 0:
            row = (step + 1) // every - 1
            if row < len(traces):
                for i in range(n):
                    traces[row, i] = total[i] / every
                    total[i] = 0.0
    return count
