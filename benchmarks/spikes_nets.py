"""Fast simulators of the networks that the spikes copier is trained and scored on; truth included.

Two kinds of point neurons with sparse wiring, delays and hidden company: leaky integrate-and-fire with
Ornstein-Uhlenbeck, rhythmic or up-state drives and unseen spike sources that they share, and Izhikevich's
regular- and fast-spiking neurons (Izhikevich 2003, IEEE Trans. Neural Netw. 14, 1569) on a 1 ms grid with
axonal delays to 20 ms (as in Izhikevich 2006, Neural Comput. 18, 245, without plasticity), wired at random
or scale-free.  Each neuron's steady drive is set in rounds so that rates come near those asked for.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit


class Net(NamedTuple):
    """Spikes of the neurons that are seen, and the synapses among them."""

    time_s: np.ndarray
    neuron: np.ndarray
    seconds: float
    weight: np.ndarray  # [pre, post], signed, 0 where unconnected; unit of the simulator
    delay_s: np.ndarray


class Wiring(NamedTuple):
    start: np.ndarray  # of each neuron's synapses
    target: np.ndarray
    weight: np.ndarray
    delay: np.ndarray  # steps


@dataclass(frozen=True, kw_only=True)
class LifNet:
    """Threshold 15 mV over rest, reset 0, refractory 2 ms; exponential currents (tau_s 0: jumps)."""

    n: int = 50
    n_seen: int = 50
    inputs: float = 5.0  # synapses that a neuron receives
    inhibitory: float = 0.2
    psp_mv: float = 0.8  # median peak, log-normal
    log_spread: float = 0.6
    inhibition: float = 2.0
    tau_s_ms: float = 3.0
    delay_ms: tuple[float, float] = (1.0, 4.0)
    rate_hz: float = 6.0
    rate_spread: float = 0.5  # sd of ln(rate)
    noise_mv: float = 4.0
    drives: int = 3
    drive_mv: float = 3.0
    drive_tau_ms: float = 10.0
    drive_hz: float = 0.0  # above 0: the drive is a noisy rhythm
    same_sign: bool = False  # all neurons are driven the same way
    drive_late_ms: float = 0.0  # each neuron hears each drive up to this much later, as a wave that travels
    sources: int = 0  # unseen spike trains with sharp effects on many
    source_hz: float = 10.0
    source_mv: float = 2.0
    source_share: float = 0.15
    source_delay_ms: tuple[float, float] = (1.0, 5.0)
    scale_free: bool = False  # few neurons have most outputs, few have most inputs
    seconds: float = 300.0
    dt_ms: float = 0.2


@dataclass(frozen=True, kw_only=True)
class IzhikevichNet:
    n: int = 500
    n_seen: int = 60
    outputs: int = 40
    inhibitory: float = 0.2
    exc_mv: float = 6.0
    inh_mv: float = -5.0
    spread: float = 0.5  # weights uniform within this share of the mean
    delay_ms: tuple[int, int] = (1, 20)
    inh_delay_ms: tuple[int, int] = (1, 1)
    scale_free: bool = False
    rate_hz: float = 4.0
    noise: float = 4.0
    thalamic_hz: float = 0.0  # each neuron gets 20 mV jumps at this rate
    seconds: float = 900.0


class Driven(NamedTuple):
    """What nobody sees who records spikes: the drives, one value a millisecond, and how strongly neurons have them."""

    drive: np.ndarray  # [drives, milliseconds]
    loading: np.ndarray  # [neurons seen, drives]


def lif(net: LifNet, *, seed: int) -> Net:
    return lif_and_drives(net, seed=seed)[0]


def lif_and_drives(net: LifNet, *, seed: int) -> tuple[Net, Driven]:
    rng = np.random.default_rng(seed)
    n, dt = net.n, net.dt_ms
    chance = np.full((n, n), net.inputs / n)
    if net.scale_free:
        out, into = rng.pareto(1.5, n) + 0.3, rng.pareto(1.5, n) + 0.3
        chance = np.minimum(net.inputs * n * np.outer(out / out.sum(), into / into.sum()), 0.5)
    adjacency = rng.random((n, n)) < chance
    np.fill_diagonal(adjacency, val=False)
    sign = np.where(rng.random(n) < net.inhibitory, -net.inhibition, 1.0)
    psp = adjacency * sign[:, None] * net.psp_mv * np.exp(net.log_spread * rng.standard_normal((n, n)))
    psp = np.clip(psp, -12.0, 12.0)
    delay = rng.integers(round(net.delay_ms[0] / dt), round(net.delay_ms[1] / dt) + 1, size=(n, n))
    loading = rng.standard_normal((n, net.drives))
    if net.same_sign:
        loading = np.abs(loading) + 0.3
    loading *= net.drive_mv / np.maximum(np.sqrt(np.sum(loading**2, axis=1, keepdims=True)), 1e-9)
    jump_of_peak = _peak_to_jump(20.0, net.tau_s_ms)
    wiring = _sparse(psp * jump_of_peak, delay)
    source_psp = (rng.random((net.sources, n)) < net.source_share) * net.source_mv
    source_psp = (
        source_psp
        * np.exp(0.5 * rng.standard_normal((net.sources, n)))
        * rng.choice([1.0, 1.0, -1.0], (net.sources, 1))
    )
    low_ms, high_ms = net.source_delay_ms
    source_delay = rng.integers(round(low_ms / dt), round(high_ms / dt) + 1, size=(net.sources, n))
    sources = _sparse(source_psp * jump_of_peak, source_delay)
    wanted = net.rate_hz * np.exp(net.rate_spread * rng.standard_normal(n) - net.rate_spread**2 / 2)
    late = np.zeros(loading.shape, dtype=np.int64)
    if net.drive_late_ms > 0:
        late = rng.integers(0, round(net.drive_late_ms) + 1, size=loading.shape)
    time_s, who, drive = _settled(net, wiring, sources, loading, late, wanted, seconds=net.seconds, seed=seed)
    seen = np.sort(rng.choice(n, size=net.n_seen, replace=False))
    return _of_seen(time_s, who, seen, net.seconds, psp, delay * dt * 1e-3), Driven(drive, loading[seen])


def kicked(net: LifNet, wanted_hz: np.ndarray, psp_mv: np.ndarray, *, seconds: float, seed: int):
    """Return a run of the net's neurons, driven alike but not wired to each other, and how many of them there are.

    Target j fires at ``wanted_hz[j % len]``; it is kicked by two undriven neurons, which come after the targets, with
    one of the potentials each.
    """
    rng = np.random.default_rng([seed, 3])
    n_targets, n_kickers = 24 * wanted_hz.size, 6 * psp_mv.size
    n = n_targets + n_kickers
    psp = np.zeros((n, n))
    for j in range(n_targets):
        psp[n_targets + rng.choice(n_kickers, size=2, replace=False), j] = np.nan
    psp = np.where(np.isnan(psp), psp_mv[np.arange(n) % psp_mv.size][:, None], 0.0)
    loading = np.zeros((n, net.drives))
    if net.drives:
        loading[:n_targets] = rng.standard_normal((n_targets, net.drives))
        loading[:n_targets] *= net.drive_mv / np.linalg.norm(loading[:n_targets], axis=1, keepdims=True)
    wanted = np.concatenate([np.tile(wanted_hz, 24), np.full(n_kickers, 15.0)])
    delay = np.full((n, n), round(1.0 / net.dt_ms))
    wiring = _sparse(psp * _peak_to_jump(20.0, net.tau_s_ms), delay)
    none = _sparse(np.zeros((0, n)), np.zeros((0, n), dtype=np.int64))
    late = np.zeros(loading.shape, dtype=np.int64)
    time_s, who, _ = _settled(net, wiring, none, loading, late, wanted, seconds=seconds, seed=seed)
    return Net(time_s, who, seconds, psp, delay * net.dt_ms * 1e-3), n_targets


def _settled(net: LifNet, wiring, sources, loading, late, wanted_hz, *, seconds: float, seed: int):
    """Return times and neurons of all spikes, and the drives, after steady drives were set for the rates wanted."""
    mean = np.full(wanted_hz.size, 9.0)

    def run(seconds, mean, seed):
        return _run_lif(
            wiring, sources, mean, net.noise_mv, loading, late, net.drive_tau_ms, net.drive_hz, net.source_hz,
            net.tau_s_ms, round(seconds * 1e3 / net.dt_ms), net.dt_ms, seed,
        )  # fmt: skip

    for k in range(8):
        _, who, _ = run(8.0, mean, seed + 7919 * (k + 1))
        rate = (np.bincount(who, minlength=wanted_hz.size) + 0.5) / 8.0
        mean += np.clip(1.5 * 0.8**k * np.log(wanted_hz / rate), -2.5, 2.5)
    step, who, drive = run(seconds, mean, seed)
    return step * net.dt_ms * 1e-3, who, drive


def izhikevich(net: IzhikevichNet, *, seed: int) -> Net:
    rng = np.random.default_rng(seed)
    n = net.n
    is_inhibitory = rng.random(n) < net.inhibitory
    weight, delay = np.zeros((n, n)), np.ones((n, n), dtype=np.int64)
    popularity = (rng.pareto(1.5, n) + 0.3) if net.scale_free else np.ones(n)
    popularity /= popularity.sum()
    share = rng.permutation(popularity) if net.scale_free else popularity
    n_out = np.clip(rng.poisson(net.outputs * n * share), 1, n // 2)
    for i in range(n):
        p = popularity.copy()
        p[i] = 0.0
        targets = rng.choice(n, size=n_out[i], replace=False, p=p / p.sum())
        base = net.inh_mv if is_inhibitory[i] else net.exc_mv
        weight[i, targets] = base * rng.uniform(1 - net.spread, 1 + net.spread, size=targets.size)
        low, high = net.inh_delay_ms if is_inhibitory[i] else net.delay_ms
        delay[i, targets] = rng.integers(low, high + 1, size=targets.size)
    wiring = _sparse(weight, delay)
    recovery = np.where(is_inhibitory, 0.1, 0.02)
    bias = np.zeros(n)
    wanted = net.rate_hz * np.exp(0.5 * rng.standard_normal(n)) * np.where(is_inhibitory, 1.5, 0.9)
    for k in range(8):
        _, who = _run_izhikevich(wiring, recovery, is_inhibitory, bias, net.noise, net.thalamic_hz, 8000, seed + k + 1)
        rate = (np.bincount(who, minlength=n) + 0.5) / 8.0
        bias += np.clip(0.8 * 0.8**k * np.log(wanted / rate), -1.5, 1.5)
    step, who = _run_izhikevich(
        wiring, recovery, is_inhibitory, bias, net.noise, net.thalamic_hz, round(net.seconds * 1e3), seed
    )
    return _observe(step * 1e-3, who, net.n_seen, net.seconds, weight, delay * 1e-3, rng)


def _sparse(weight, delay) -> Wiring:
    pre, post = np.nonzero(weight)
    start = np.searchsorted(pre, np.arange(weight.shape[0] + 1))
    return Wiring(start, post, weight[pre, post], delay[pre, post].astype(np.int64))


def _peak_to_jump(tau_m, tau_s):
    """Return the jump of an exponential current (mV of steady drive) whose potential peaks at 1 mV; of a voltage: 1."""
    if tau_s == 0:
        return 1.0
    t = np.log(tau_m / tau_s) * tau_m * tau_s / (tau_m - tau_s)
    return (tau_m - tau_s) / tau_s / (np.exp(-t / tau_m) - np.exp(-t / tau_s))


@njit(cache=True)
def _bits(state):
    """Return 64 random bits (splitmix64; Steele, Lea & Flood 2014)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(cache=True)
def _uniform(state):
    return np.float64(_bits(state) >> np.uint64(11)) * 2.0**-53


@njit(cache=True)
def _normal(state):
    """Return the sum of four uniform numbers of 16 bits, of mean 0 and sd 1: normal enough for membrane noise."""
    z = _bits(state)
    low = np.uint64(0xFFFF)
    total = (z & low) + ((z >> np.uint64(16)) & low) + ((z >> np.uint64(32)) & low) + (z >> np.uint64(48))
    return (np.float64(total) - 131070.0) * 2.6428858e-05


@njit(cache=True)
def _run_lif(wiring, sources, mean, noise, loading, late, drive_tau, drive_hz, source_hz, tau_s, n_steps, dt, seed):
    state = np.array([np.uint64(seed)])
    n, n_drives = loading.shape
    n_sources = sources.start.size - 1
    depth = 2
    if wiring.delay.size:
        depth = max(depth, wiring.delay.max() + 2)
    if sources.delay.size:
        depth = max(depth, sources.delay.max() + 2)
    ring = np.zeros((depth, n))
    v = np.array([15.0 * _uniform(state) for _ in range(n)])
    current = np.zeros(n)
    quiet = np.zeros(n, dtype=np.int64)
    drive = np.zeros((2, max(n_drives, 1)))
    keep, kick = np.exp(-dt / drive_tau), np.sqrt(1 - np.exp(-2 * dt / drive_tau))
    turn_cos, turn_sin = np.cos(2e-3 * np.pi * drive_hz * dt), np.sin(2e-3 * np.pi * drive_hz * dt)
    gain = np.sqrt((20.0 + drive_tau) / drive_tau) if drive_hz == 0 else 1.5
    keep_s = np.exp(-dt / tau_s) if tau_s > 0 else 0.0
    kick_v = noise * np.sqrt(2 * dt / 20.0)
    refractory = round(2.0 / dt)
    every = round(1.0 / dt)
    trace = np.zeros((n_drives, n_steps // every + 1), dtype=np.float32)
    out_step, out_neuron = [0], [0]
    out_step.pop()
    out_neuron.pop()
    for step in range(n_steps):
        slot = step % depth
        for d in range(n_drives):
            a = keep * drive[0, d] + kick * _normal(state)
            b = keep * drive[1, d] + kick * _normal(state) if drive_hz > 0 else 0.0
            drive[0, d] = turn_cos * a - turn_sin * b
            drive[1, d] = turn_sin * a + turn_cos * b
            if step % every == 0:
                trace[d, step // every] = drive[0, d]
        for s in range(n_sources):
            if _uniform(state) < source_hz * dt * 1e-3:
                for k in range(sources.start[s], sources.start[s + 1]):
                    ring[(step + sources.delay[k]) % depth, sources.target[k]] += sources.weight[k]
        for i in range(n):
            arrived = ring[slot, i]
            ring[slot, i] = 0.0
            current[i] = current[i] * keep_s + (arrived if tau_s > 0 else 0.0)
            if quiet[i] > 0:
                quiet[i] -= 1
                continue
            common = 0.0
            for d in range(n_drives):
                now = drive[0, d]
                if late[i, d] > 0:
                    now = trace[d, max(step // every - late[i, d], 0)]
                common += loading[i, d] * now
            v[i] += dt / 20.0 * (mean[i] + gain * common + current[i] - v[i]) + kick_v * _normal(state)
            if tau_s == 0:
                v[i] += arrived
            if v[i] >= 15.0:
                v[i] = 0.0
                quiet[i] = refractory
                out_step.append(step)
                out_neuron.append(i)
                for k in range(wiring.start[i], wiring.start[i + 1]):
                    ring[(step + wiring.delay[k]) % depth, wiring.target[k]] += wiring.weight[k]
    return np.array(out_step), np.array(out_neuron), trace


@njit(cache=True)
def _run_izhikevich(wiring, recovery, is_inhibitory, bias, noise, thalamic_hz, n_steps, seed):
    state = np.array([np.uint64(seed)])
    n = bias.size
    depth = wiring.delay.max() + 1
    ring = np.zeros((depth, n))
    v = np.full(n, -65.0)
    u = 0.2 * v
    out_step, out_neuron = [0], [0]
    out_step.pop()
    out_neuron.pop()
    for step in range(n_steps):
        slot = step % depth
        for i in range(n):
            current = bias[i] + noise * _normal(state) + ring[slot, i]
            if thalamic_hz > 0 and _uniform(state) < thalamic_hz * 1e-3:
                current += 20.0
            ring[slot, i] = 0.0
            for _ in range(2):
                v[i] += 0.5 * (0.04 * v[i] * v[i] + 5 * v[i] + 140 - u[i] + current)
            u[i] += recovery[i] * (0.2 * v[i] - u[i])
            if v[i] >= 30.0:
                v[i] = -65.0
                u[i] += 2.0 if is_inhibitory[i] else 8.0
                out_step.append(step)
                out_neuron.append(i)
                for k in range(wiring.start[i], wiring.start[i + 1]):
                    ring[(step + wiring.delay[k]) % depth, wiring.target[k]] += wiring.weight[k]
            elif v[i] < -120.0:
                v[i] = -120.0
    return np.array(out_step), np.array(out_neuron)


def _observe(time_s, neuron, n_seen, seconds, weight, delay_s, rng) -> Net:
    seen = np.sort(rng.choice(weight.shape[0], size=n_seen, replace=False))
    return _of_seen(time_s, neuron, seen, seconds, weight, delay_s)


def _of_seen(time_s, neuron, seen, seconds, weight, delay_s) -> Net:
    place = np.full(weight.shape[0], -1)
    place[seen] = np.arange(seen.size)
    keep = place[neuron] >= 0
    return Net(time_s[keep], place[neuron[keep]], seconds, weight[np.ix_(seen, seen)], delay_s[np.ix_(seen, seen)])
