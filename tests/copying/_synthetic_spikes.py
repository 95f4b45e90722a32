"""Small simulated networks with known synapses and hidden common drive, only for testing the copier.

Own code, apart from the package's culture and network rooms: the copier is scored on what it never saw.
Two families: current-based leaky integrate-and-fire neurons with Ornstein-Uhlenbeck drives that they share
unseen, and Izhikevich neurons (Izhikevich 2003, IEEE Trans. Neural Netw. 14, 1569) with long axonal delays.
"""

# ruff: noqa: NPY002 - inside numba, np.random is numba's own generator, seeded on the spot

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit

from neurograft.spikes import SpikeTrains, spike_trains

STEP_MS = 0.1


class Truth(NamedTuple):
    trains: SpikeTrains
    weight: np.ndarray  # [pre, post] of the observed neurons, signed, 0 where unconnected
    delay_s: np.ndarray


@dataclass(frozen=True, kw_only=True)
class LifNet:
    """Membrane tau 20 ms, threshold 15 mV, reset 0 mV, refractory 2 ms, synaptic decay 3 ms."""

    n_neurons: int = 60
    n_observed: int = 60
    probability: float = 0.1
    share_inhibitory: float = 0.2
    psp_mv: float = 0.8  # median peak of excitatory potentials, log-normal with sigma .6
    inhibition: float = 2.0  # inhibitory peak / excitatory peak
    delay_ms: tuple[float, float] = (1.0, 4.0)
    mean_mv: float = 9.0
    noise_mv: float = 4.0  # sd of the membrane without threshold
    n_drives: int = 3
    drive_mv: float = 3.0  # sd of the membrane that all drives together would cause
    drive_tau_ms: float = 10.0
    seconds: float = 300.0


def lif_net(net: LifNet, *, seed: int) -> Truth:
    """Return the spikes of the observed neurons, on a 0.1 ms grid, and the synapses among them."""
    rng = np.random.default_rng(seed)
    n = net.n_neurons
    adjacency = rng.random((n, n)) < net.probability
    np.fill_diagonal(adjacency, val=False)
    sign = np.where(rng.random(n) < net.share_inhibitory, -net.inhibition, 1.0)
    psp = adjacency * sign[:, None] * net.psp_mv * np.exp(0.6 * rng.standard_normal((n, n)))
    delay = rng.integers(round(net.delay_ms[0] / STEP_MS), round(net.delay_ms[1] / STEP_MS) + 1, size=(n, n))
    loading = rng.standard_normal((n, net.n_drives))
    loading *= net.drive_mv / np.maximum(np.sqrt(np.sum(loading**2, axis=1, keepdims=True)), 1e-9)
    mean = net.mean_mv + rng.standard_normal(n)
    steps, neurons = _run_lif(
        psp * _peak_to_jump(20.0, 3.0),
        delay,
        mean,
        net.noise_mv,
        loading,
        net.drive_tau_ms,
        round(net.seconds / (STEP_MS * 1e-3)),
        seed,
    )
    return _observe(steps * (STEP_MS * 1e-3), neurons, net.n_observed, net.seconds, psp, delay * STEP_MS * 1e-3, rng)


def _peak_to_jump(tau_m, tau_s):
    """Return the jump of an exponential current (in mV of steady drive) whose potential peaks at 1 mV."""
    t = np.log(tau_m / tau_s) * tau_m * tau_s / (tau_m - tau_s)
    return (tau_m - tau_s) / tau_s / (np.exp(-t / tau_m) - np.exp(-t / tau_s))


@njit(cache=True)
def _run_lif(jump, delay, mean, noise, loading, drive_tau, n_steps, seed):
    np.random.seed(seed)
    n, n_drives = loading.shape
    depth = delay.max() + 1
    ring = np.zeros((depth, n))
    v = np.random.uniform(0.0, 15.0, n)
    current = np.zeros(n)
    quiet = np.zeros(n, dtype=np.int64)
    drive = np.random.standard_normal(n_drives)
    decay_drive, kick_drive = np.exp(-0.1 / drive_tau), np.sqrt(1 - np.exp(-0.2 / drive_tau))
    gain = np.sqrt((20.0 + drive_tau) / drive_tau)  # a slower membrane filters the drive: keep its potential's sd
    decay_s, kick_v = np.exp(-0.1 / 3.0), noise * np.sqrt(2 * 0.1 / 20.0)
    out_step, out_neuron = [0], [0]
    out_step.pop()
    out_neuron.pop()
    for step in range(n_steps):
        slot = step % depth
        for d in range(n_drives):
            drive[d] = decay_drive * drive[d] + kick_drive * np.random.standard_normal()
        for i in range(n):
            current[i] = current[i] * decay_s + ring[slot, i]
            ring[slot, i] = 0.0
            if quiet[i] > 0:
                quiet[i] -= 1
                continue
            common = 0.0
            for d in range(n_drives):
                common += loading[i, d] * drive[d]
            v[i] += 0.1 / 20.0 * (mean[i] + gain * common + current[i] - v[i]) + kick_v * np.random.standard_normal()
            if v[i] >= 15.0:
                v[i] = 0.0
                quiet[i] = 20
                out_step.append(step)
                out_neuron.append(i)
                for j in range(n):
                    if jump[i, j] != 0.0:
                        ring[(step + delay[i, j]) % depth, j] += jump[i, j]
    return np.array(out_step), np.array(out_neuron)


@dataclass(frozen=True, kw_only=True)
class IzhikevichNet:
    """Regular-spiking excitatory and fast-spiking inhibitory neurons, 1 ms grid."""

    n_neurons: int = 400
    n_observed: int = 60
    n_targets: int = 40
    share_inhibitory: float = 0.2
    excitatory_mv: float = 6.0  # mean jump, uniform between half and one and a half of it
    inhibitory_mv: float = -5.0
    delay_ms: tuple[int, int] = (1, 15)
    noise: float = 4.0
    seconds: float = 300.0


def izhikevich_net(net: IzhikevichNet, *, seed: int) -> Truth:
    """Return the spikes of the observed neurons and the synapses among them."""
    rng = np.random.default_rng(seed)
    n = net.n_neurons
    is_inhibitory = rng.random(n) < net.share_inhibitory
    weight = np.zeros((n, n))
    delay = np.ones((n, n), dtype=np.int64)
    for i in range(n):
        targets = rng.choice(np.delete(np.arange(n), i), size=net.n_targets, replace=False)
        base = net.inhibitory_mv if is_inhibitory[i] else net.excitatory_mv
        weight[i, targets] = base * rng.uniform(0.5, 1.5, size=net.n_targets)
        slowest = 5 if is_inhibitory[i] else net.delay_ms[1]
        delay[i, targets] = rng.integers(net.delay_ms[0], slowest + 1, size=net.n_targets)
    recovery = np.where(is_inhibitory, 0.1, 0.02)
    steps, neurons = _run_izhikevich(weight, delay, recovery, is_inhibitory, net.noise, round(net.seconds * 1e3), seed)
    return _observe(steps * 1e-3, neurons, net.n_observed, net.seconds, weight, delay * 1e-3, rng)


@njit(cache=True)
def _run_izhikevich(weight, delay, recovery, is_inhibitory, noise, n_steps, seed):
    np.random.seed(seed)
    n = weight.shape[0]
    depth = delay.max() + 1
    ring = np.zeros((depth, n))
    v = np.full(n, -65.0)
    u = 0.2 * v
    out_step, out_neuron = [0], [0]
    out_step.pop()
    out_neuron.pop()
    for step in range(n_steps):
        slot = step % depth
        for i in range(n):
            current = noise * np.random.standard_normal() + ring[slot, i]
            ring[slot, i] = 0.0
            for _ in range(2):
                v[i] += 0.5 * (0.04 * v[i] * v[i] + 5 * v[i] + 140 - u[i] + current)
            u[i] += recovery[i] * (0.2 * v[i] - u[i])
            if v[i] >= 30.0:
                v[i] = -65.0
                u[i] += 2.0 if is_inhibitory[i] else 8.0
                out_step.append(step)
                out_neuron.append(i)
                for j in range(n):
                    if weight[i, j] != 0.0:
                        ring[(step + delay[i, j]) % depth, j] += weight[i, j]
    return np.array(out_step), np.array(out_neuron)


def _observe(time_s, neuron, n_observed, seconds, weight, delay_s, rng):
    seen = np.sort(rng.choice(weight.shape[0], size=n_observed, replace=False))
    place = np.full(weight.shape[0], -1)
    place[seen] = np.arange(n_observed)
    keep = place[neuron] >= 0
    trains = spike_trains(
        time_s=time_s[keep],
        neuron=place[neuron[keep]],
        n_neurons=n_observed,
        epochs_s=np.array([[0.0, seconds]]),
    )
    return Truth(trains, weight[np.ix_(seen, seen)], delay_s[np.ix_(seen, seen)])
