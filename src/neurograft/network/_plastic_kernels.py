"""Inner loops of plastic synapses: delivery through vesicle pools, and the traces that learning rules read."""
# ruff: noqa: PLR0917 - compiled functions take their arguments by place

import math
from typing import no_type_check

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
@no_type_check
def deliver_plastic(
    step, origin, delays, past_neuron, past_start, start, target, weight, inputs, step_s,
    use, recovery_s, facilitation_s, utilised, ready, last, arrived,
):  # fmt: skip
    """Add what arrives in a step, each synapse by its pools; list the places of the synapses that delivered.

    Tsodyks and Markram (1997), as Maass and Markram (2002) write it for single spikes: with dt since the last
    arrival, u = U + u (1 - U) exp(-dt / facilitation) and x = 1 + (x - x u - 1) exp(-dt / recovery), both with
    the u and x of the last arrival; what arrives is weight u x / U, so that the first after rest is the weight.
    A synapse whose ``use`` is NaN does not change.  ``last`` is -1 before the first arrival.
    """
    n_delays, n = delays.size, 0
    for d in range(n_delays):
        k = step - delays[d] - origin
        if k < 0:
            continue
        for s in range(past_start[k], past_start[k + 1]):
            row = np.int64(past_neuron[s]) * n_delays + d
            for j in range(start[row], start[row + 1]):
                share = 1.0
                if use[j] == use[j]:
                    if last[j] >= 0:
                        dt = (step - last[j]) * step_s
                        left = ready[j] - ready[j] * utilised[j] - 1.0
                        ready[j] = 1.0 + left * math.exp(-dt / recovery_s[j])
                        kept = math.exp(-dt / facilitation_s[j]) if facilitation_s[j] > 0.0 else 0.0
                        utilised[j] = use[j] + utilised[j] * (1.0 - use[j]) * kept
                    last[j] = step
                    share = utilised[j] * ready[j] / use[j]
                inputs[target[j]] += weight[j] * share
                arrived[n] = j
                n += 1
    return n


@njit(cache=True, nogil=True)
@no_type_check
def at_arrival(places, post, step, step_s, rule, fast, slow, seen, post_fast, post_slow, post_seen, wanted):
    """Fill ``wanted`` with each arrival's depression, then add the arrival to its synapse's traces.

    ``rule`` is (tau_plus, tau_x, tau_minus, tau_y, a2_plus, a3_plus, a2_minus, a3_minus).  Traces are those at
    the step ``seen`` and decay from there.
    """
    tau_plus, tau_x, tau_minus = rule[0], rule[1], rule[2]
    a2, a3 = rule[6], rule[7]
    for i in range(places.size):
        j = places[i]
        n = post[j]
        since = (step - post_seen[n]) * step_s
        dt = (step - seen[j]) * step_s
        slow_now = slow[j] * math.exp(-dt / tau_x)
        wanted[i] = -post_fast[n] * math.exp(-since / tau_minus) * (a2 + a3 * slow_now)
        fast[j] = fast[j] * math.exp(-dt / tau_plus) + 1.0
        slow[j] = slow_now + 1.0
        seen[j] = step


@njit(cache=True, nogil=True)
@no_type_check
def at_spike(
    spiked, in_start, in_place, step, step_s, rule, fast, seen, post_fast, post_slow, post_seen, places, wanted
):  # fmt: skip
    """List the plastic synapses onto the neurons that spiked, with their potentiation; add the spikes to the traces."""
    tau_plus, tau_minus, tau_y, a2, a3 = rule[0], rule[2], rule[3], rule[4], rule[5]
    count = 0
    for s in range(spiked.size):
        n = spiked[s]
        since = (step - post_seen[n]) * step_s
        slow_now = post_slow[n] * math.exp(-since / tau_y)
        gain = a2 + a3 * slow_now
        for at in range(in_start[n], in_start[n + 1]):
            j = in_place[at]
            dt = (step - seen[j]) * step_s
            places[count] = j
            wanted[count] = fast[j] * math.exp(-dt / tau_plus) * gain
            count += 1
        post_fast[n] = post_fast[n] * math.exp(-since / tau_minus) + 1.0
        post_slow[n] = slow_now + 1.0
        post_seen[n] = step
    return count
