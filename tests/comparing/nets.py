"""A toy network that the tests compare with itself: coin flips driven by spikes two steps before."""

import numpy as np

from neurograft.spikes import spike_trains

STEP_S = 2e-3


def random_weights(n, rng, *, n_targets=3, strength=0.25):
    """Return a [pre, post] matrix of probabilities that a spike adds to its targets' chance of firing."""
    weights = np.zeros((n, n))
    for pre in range(n):
        post = rng.choice(np.delete(np.arange(n), pre), n_targets, replace=False)
        weights[pre, post] = strength
    return weights


def activity(weights, *, seconds, rng, base_hz=3.0):
    """Return spikes on a grid of 2 ms, each moved by under half a millisecond."""
    n = weights.shape[0]
    extra = np.zeros(n)
    times, neurons = [], []
    coins = rng.random((round(seconds / STEP_S), n))
    for k, coin in enumerate(coins):
        fired = np.flatnonzero(coin < base_hz * STEP_S + extra)
        extra = weights[fired].sum(axis=0)
        times.append(np.full(fired.size, k * STEP_S))
        neurons.append(fired)
    time_s = np.concatenate(times)
    return spike_trains(
        time_s=time_s + 0.2 * STEP_S * rng.random(time_s.size),
        neuron=np.concatenate(neurons),
        n_neurons=n,
        epochs_s=np.array([[0.0, seconds]]),
    )


def poisson(*, n, seconds, rate_hz, rng, epochs_s=None):
    """Return Poisson trains, all of one rate."""
    count = rng.poisson(n * seconds * rate_hz)
    return spike_trains(
        time_s=seconds * rng.random(count),
        neuron=rng.integers(0, n, count),
        n_neurons=n,
        epochs_s=np.array([[0.0, seconds]]) if epochs_s is None else epochs_s,
    )
