"""Families of networks with known synapses for training and scoring the spikes copier, cached on disk.

Every family draws its networks' parameters anew for each seed: rates, strengths, drives, durations.
Families are the unit of validation: a model is always scored on families that it was not trained on.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from spikes_nets import IzhikevichNet, LifNet, Net, izhikevich, lif

from neurograft.culture import culture_named, grow, sort_with_errors
from neurograft.culture._play import play
from neurograft.culture._record import neuron_labels, recorded_spikes, recorded_truth
from neurograft.units import MV


def _between(rng, low, high):
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _drive(rng):
    return LifNet(
        inputs=_between(rng, 2, 8),
        psp_mv=_between(rng, 0.5, 1.5),
        tau_s_ms=float(rng.choice([0.0, 2.0, 4.0])),
        delay_ms=(1.0, float(rng.uniform(2, 6))),
        rate_hz=_between(rng, 2, 12),
        drives=int(rng.integers(1, 5)),
        drive_mv=float(rng.uniform(2, 5)),
        drive_tau_ms=_between(rng, 3, 30),
        drive_hz=float(rng.choice([0.0, 0.0, 8.0])),
        same_sign=bool(rng.random() < 0.4),
        seconds=_between(rng, 200, 900),
    )


def _slow(rng):
    return LifNet(
        inputs=_between(rng, 2, 7),
        psp_mv=_between(rng, 0.6, 1.6),
        tau_s_ms=float(rng.choice([0.0, 3.0])),
        rate_hz=_between(rng, 2, 10),
        drives=int(rng.integers(1, 4)),
        drive_mv=float(rng.uniform(4, 8)),
        drive_tau_ms=_between(rng, 20, 100),
        same_sign=bool(rng.random() < 0.5),
        seconds=_between(rng, 200, 900),
    )


def _late(rng):
    n = int(rng.integers(16, 61))
    return LifNet(
        n=n,
        n_seen=n,
        inputs=min(_between(rng, 2, 8), n / 5),
        psp_mv=_between(rng, 0.5, 1.6),
        tau_s_ms=float(rng.choice([0.0, 2.0, 4.0])),
        delay_ms=(1.0, float(rng.uniform(2, 8))),
        rate_hz=_between(rng, 2, 10),
        drives=int(rng.integers(1, 3)),
        drive_mv=float(rng.uniform(2, 6)),
        drive_tau_ms=_between(rng, 10, 200),
        drive_late_ms=_between(rng, 10, 60),
        same_sign=True,
        seconds=_between(rng, 300, 1500),
    )


def _sources(rng):
    return LifNet(
        inputs=_between(rng, 2, 7),
        psp_mv=_between(rng, 0.6, 1.5),
        rate_hz=_between(rng, 2, 8),
        drives=int(rng.integers(0, 3)),
        drive_mv=2.0,
        sources=int(rng.integers(5, 40)),
        source_hz=_between(rng, 3, 20),
        source_mv=float(rng.uniform(1, 3)),
        source_share=float(rng.uniform(0.05, 0.3)),
        seconds=_between(rng, 200, 900),
    )


def _partial(rng):
    return LifNet(
        n=int(rng.integers(100, 200)),
        n_seen=int(rng.integers(30, 60)),
        inputs=_between(rng, 8, 25),
        psp_mv=_between(rng, 0.5, 1.2),
        rate_hz=_between(rng, 2, 8),
        drives=int(rng.integers(0, 3)),
        drive_mv=2.5,
        drive_tau_ms=_between(rng, 5, 40),
        same_sign=True,
        seconds=_between(rng, 200, 600),
    )


def _dense(rng):
    n = int(rng.integers(30, 60))
    return LifNet(
        n=n,
        n_seen=n,
        inputs=_between(rng, 3, 10),
        psp_mv=_between(rng, 0.6, 2.0),
        tau_s_ms=float(rng.choice([0.0, 2.0, 5.0])),
        rate_hz=_between(rng, 12, 35),
        drives=int(rng.integers(0, 3)),
        drive_mv=2.0,
        drive_tau_ms=_between(rng, 5, 40),
        seconds=_between(rng, 45, 150),
    )


def _strong(rng):
    n = int(rng.integers(16, 41))
    psp_mv = _between(rng, 1, 5)
    return LifNet(
        n=n,
        n_seen=n,
        inputs=min(_between(rng, 2, 5), 12 / psp_mv),
        inhibitory=float(rng.choice([0.2, 0.3])),
        psp_mv=psp_mv,
        log_spread=0.5,
        inhibition=float(rng.uniform(1, 2)),
        tau_s_ms=float(rng.choice([0.0, 0.0, 2.0])),
        delay_ms=(1.0, float(rng.uniform(3, 6))),
        rate_hz=_between(rng, 4, 25),
        drives=int(rng.integers(0, 2)),
        drive_mv=2.0,
        seconds=_between(rng, 100, 400),
    )


def _far(rng):
    return LifNet(
        n=int(rng.integers(100, 200)),
        n_seen=int(rng.integers(40, 60)),
        inputs=_between(rng, 5, 15),
        psp_mv=_between(rng, 0.8, 2.0),
        tau_s_ms=float(rng.choice([0.0, 2.0])),
        delay_ms=(1.0, float(rng.uniform(12, 20))),
        rate_hz=_between(rng, 2, 7),
        drives=int(rng.integers(0, 3)),
        drive_mv=2.0,
        drive_tau_ms=_between(rng, 5, 40),
        sources=int(rng.integers(0, 20)),
        source_hz=_between(rng, 3, 12),
        source_mv=float(rng.uniform(1, 3)),
        source_share=float(rng.uniform(0.05, 0.2)),
        source_delay_ms=(1.0, 20.0),
        seconds=_between(rng, 300, 900),
    )


def _hubs(rng):
    return LifNet(
        n=int(rng.integers(120, 220)),
        n_seen=int(rng.integers(50, 70)),
        inputs=_between(rng, 5, 15),
        psp_mv=_between(rng, 0.8, 2.0),
        tau_s_ms=float(rng.choice([0.0, 2.0])),
        delay_ms=(1.0, float(rng.uniform(4, 20))),
        rate_hz=_between(rng, 2, 6),
        drives=int(rng.integers(0, 2)),
        drive_mv=2.0,
        scale_free=True,
        seconds=_between(rng, 400, 900),
    )


def _few(rng):
    return LifNet(
        n=120,
        n_seen=int(rng.integers(10, 26)),
        inputs=_between(rng, 5, 15),
        inhibitory=float(rng.choice([0.0, 0.2])),
        psp_mv=_between(rng, 0.8, 2.0),
        log_spread=0.9,
        delay_ms=(1.0, 5.0),
        rate_hz=_between(rng, 1, 4),
        rate_spread=0.8,
        drives=1,
        drive_mv=float(rng.uniform(1, 4)),
        drive_tau_ms=_between(rng, 10, 60),
        same_sign=True,
        seconds=_between(rng, 900, 1800),
    )


def _izhikevich(rng, seed, *, n, n_seen, outputs, scale_free, slowest, seconds=(600, 1500)):
    return izhikevich(
        IzhikevichNet(
            n=n,
            n_seen=n_seen,
            outputs=outputs,
            scale_free=scale_free,
            exc_mv=_between(rng, 3, 9),
            inh_mv=-_between(rng, 2, 7),
            spread=float(rng.uniform(0.2, 0.9)),
            delay_ms=(1, slowest),
            inh_delay_ms=(1, int(rng.choice([1, 3, slowest]))),
            rate_hz=_between(rng, 1.5, 6),
            noise=float(rng.uniform(2, 5)),
            thalamic_hz=float(rng.choice([0.0, 1.0])),
            seconds=_between(rng, *seconds),
        ),
        seed=seed,
    )


def _izhikevich_near(rng, seed):
    return _izhikevich(
        rng,
        seed,
        n=400,
        n_seen=60,
        outputs=int(rng.integers(15, 50)),
        scale_free=False,
        slowest=int(rng.integers(3, 8)),
    )


def _izhikevich_far(rng, seed):
    return _izhikevich(
        rng,
        seed,
        n=800,
        n_seen=90,
        outputs=int(rng.integers(15, 60)),
        scale_free=False,
        slowest=int(rng.integers(15, 21)),
    )


def _izhikevich_hubs(rng, seed):
    return _izhikevich(rng, seed, n=800, n_seen=90, outputs=int(rng.integers(12, 30)), scale_free=True, slowest=20)


def _izhikevich_long(rng, seed):
    return _izhikevich(
        rng,
        seed,
        n=800,
        n_seen=70,
        outputs=int(rng.integers(10, 30)),
        scale_free=bool(rng.random() < 0.6),
        slowest=int(rng.integers(8, 21)),
        seconds=(2400, 4000),
    )


def _culture(kind, *, seconds, n=70, is_sorted=False):
    def make(rng, seed):
        options = culture_named(kind, n_neurons=n if kind != "mostly-hidden" else 400)
        synapses = replace(options.synapses, largest_excitatory_v=5 * MV, largest_inhibitory_v=2 * MV)
        culture = grow(replace(options, synapses=synapses), seed=seed)
        when, who = [], []
        for piece in play(culture, seconds=seconds, seed=seed):
            when.append(piece.spike_frame)
            who.append(piece.spike_neuron)
        labels = neuron_labels(culture)
        trains = recorded_spikes(culture, np.concatenate(when), np.concatenate(who), seconds=seconds, labels=labels)
        truth = recorded_truth(culture, labels)
        if is_sorted:
            units = sort_with_errors(trains, truth, seed=seed)
            trains, truth = units.spikes, units.truth
        n_units = trains.n_neurons
        weight, delay = np.zeros((n_units, n_units)), np.zeros((n_units, n_units))
        chemical = truth.kind != 4  # electrical synapses are no directed synapse
        weight[truth.pre[chemical], truth.post[chemical]] = truth.weight_v[chemical] * 1e3
        delay[truth.pre[chemical], truth.post[chemical]] = truth.delay_s[chemical]
        return Net(trains.time_s, trains.neuron.astype(np.int64), seconds, weight, delay)

    return make


LIF_DRAWS = {
    "lif drive": _drive,
    "lif slow drive": _slow,
    "lif late drive": _late,
    "lif unseen sources": _sources,
    "lif partly seen": _partial,
    "lif dense": _dense,
    "lif few seen": _few,
    "lif strong": _strong,
    "lif far": _far,
    "lif hubs": _hubs,
}


def _lif(draw):
    return lambda rng, seed: lif(draw(rng), seed=seed)


def drawn(family: str, seed: int) -> LifNet:
    """Return the parameters of one network of a LIF family."""
    return LIF_DRAWS[family](_rng(family, seed))


FAMILIES = {family: _lif(draw) for family, draw in LIF_DRAWS.items()} | {
    "izhikevich near": _izhikevich_near,
    "izhikevich far": _izhikevich_far,
    "izhikevich hubs": _izhikevich_hubs,
    "izhikevich long": _izhikevich_long,
    "culture calm": _culture("calm", seconds=400),
    "culture bursting": _culture("bursting", seconds=500),
    "culture driven": _culture("driven", seconds=500),
    "culture fast": _culture("fast", seconds=200),
    "culture late": _culture("late", seconds=400),
    "culture sorted": _culture("calm", seconds=400, is_sorted=True),
    "culture hidden": _culture("hidden", seconds=400, n=100),
    "culture mostly hidden": _culture("mostly-hidden", seconds=250),
    "culture noisy": _culture("noisy", seconds=250, n=50),
    "culture electrical": _culture("electrical", seconds=300, n=40),
}


def _rng(family: str, seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, sum(map(ord, family))])


def network_seed(family: str, seed: int) -> int:
    """Return the seed that a family's network is grown with."""
    return 1000 * seed + len(family)


def network(family: str, seed: int, cache: Path) -> Net:
    """Return one network of a family, from the cache where it was made before."""
    path = cache / f"{family.replace(' ', '_')}-{seed}.npz"
    if path.exists():
        with np.load(path) as file:
            return Net(file["time_s"], file["neuron"], float(file["seconds"]), file["weight"], file["delay_s"])
    net = FAMILIES[family](_rng(family, seed), network_seed(family, seed))
    cache.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part.npz")
    np.savez(part, **net._asdict())
    part.rename(path)
    return net
