"""Groups of neurons whose synapses change while they run; the engine calls them in place of its own delivery."""

from typing import final, no_type_check

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from neurograft.maps import SynapseMap
from neurograft.network._plastic_kernels import at_arrival, at_spike, deliver_plastic
from neurograft.network._plasticity import Plasticity, Snapshot, short_term_of
from neurograft.network._rows import Rows, Synapses, used_synapses
from neurograft.neurons import NeuronModel, steps_of


def places_of(
    m: SynapseMap, synapses: Synapses, *, model: NeuronModel, first: int, n_neurons: int
) -> tuple[Int64[ndarray, " rows"], Int64[ndarray, " rows"], Float64[ndarray, " rows"]]:
    """Return for each entry of a group's rows its synapse in the map, its neuron in the group, and its scale.

    The group's neurons are those from ``first`` on; the scale is the amplitude of a weight of 1 V.
    """
    here = np.flatnonzero((synapses.post >= first) & (synapses.post < first + n_neurons))
    row = synapses.pre[here].astype(np.int64) * max(1, synapses.delays.size) + synapses.delay_index[here]
    here = here[np.argsort(row, kind="stable")]  # the order in which rows_of fills
    synapse = np.flatnonzero(used_synapses(m))[here]
    weight_v = m.weight_v[synapse]
    unit, _ = model.amplitude(np.where(weight_v < 0, -1.0, 1.0))
    per_volt = np.where(weight_v != 0, synapses.amplitude[here] / np.where(weight_v != 0, weight_v, 1.0), np.abs(unit))
    return synapse, synapses.post[here].astype(np.int64) - first, per_volt


@final
class GroupPlasticity:
    """The plastic synapses onto one group of neurons; the engine calls it instead of its own delivery."""

    def __init__(
        self,
        plasticity: Plasticity,
        m: SynapseMap,
        rows: Rows,
        *,
        synapse: Int64[ndarray, " rows"],
        place: Int64[ndarray, " rows"],
        per_volt: Float64[ndarray, " rows"],
        n_neurons: int,
        step_s: float,
    ) -> None:
        """Take over ``rows``: entry j of them is ``synapse[j]`` of the map, onto the group's neuron ``place[j]``.

        ``per_volt`` is the amplitude of a weight of 1 V.
        """
        self._given, self._synapse, self._post, self._per_volt = plasticity, synapse, place, per_volt
        self._step_s, n = step_s, synapse.size
        self._short = self._pools(m, synapse)
        self._arrived = np.empty(n, dtype=np.int64)
        plastic = plasticity.plastic(m)[synapse]
        self._is_plastic, self._learns = plastic, plasticity.timing is not None
        incoming = np.flatnonzero(plastic)
        self._in_place = incoming[np.argsort(place[incoming], kind="stable")]
        self._in_start = np.concatenate([[0], np.cumsum(np.bincount(place[incoming], minlength=n_neurons))])
        self._rule = plasticity.timing.constants() if plasticity.timing is not None else np.ones(8)
        self._fast, self._slow, self._seen = np.zeros(n), np.zeros(n), np.zeros(n, dtype=np.int64)
        self._post_fast, self._post_slow = np.zeros(n_neurons), np.zeros(n_neurons)
        self._post_seen = np.zeros(n_neurons, dtype=np.int64)
        self._wanted, self._listed = np.empty(n), np.empty(n, dtype=np.int64)
        self._count, self._rate_hz = np.zeros(n_neurons), np.full(n_neurons, np.nan)
        self._rows = rows._replace(weight=rows.weight.copy())

    def _pools(self, m: SynapseMap, synapse: ndarray) -> tuple[ndarray, ...]:
        n = synapse.size
        use, recovery_s, facilitation_s = (np.full(n, np.nan), np.ones(n), np.zeros(n))
        if self._given.has_short_term:
            use, recovery_s, facilitation_s = (column[synapse] for column in short_term_of(m))
        return use, recovery_s, facilitation_s, use.copy(), np.ones(n), np.full(n, -1, dtype=np.int64)

    @no_type_check  # called every step: the tests' checker would take most of a run
    def deliver(self, step, clock, past, inputs):
        """Deliver what arrives, then depress by it."""
        rows = self._rows
        n = deliver_plastic(
            step, past.origin, clock.delays, past.neuron, past.start, rows.start, rows.target, rows.weight,
            inputs, self._step_s, *self._short, self._arrived,
        )  # fmt: skip
        if n and self._learns:
            places = self._arrived[:n]
            places = places[self._is_plastic[places]]
            wanted = self._wanted[: places.size]
            at_arrival(
                places, self._post, step, self._step_s, self._rule, self._fast, self._slow, self._seen,
                self._post_fast, self._post_slow, self._post_seen, wanted,
            )  # fmt: skip
            self._change(places, wanted)

    @no_type_check
    def learn(self, step, spiked):
        """Potentiate by the spikes of a step; scale and take a snapshot when it is time."""
        if spiked.size:
            self._count[spiked] += 1
            if self._learns:
                n = at_spike(
                    spiked, self._in_start, self._in_place, step, self._step_s, self._rule, self._fast, self._seen,
                    self._post_fast, self._post_slow, self._post_seen, self._listed, self._wanted,
                )  # fmt: skip
                self._change(self._listed[:n], self._wanted[:n])
        homeostasis = self._given.homeostasis
        if homeostasis is not None and (step + 1) % steps_of(homeostasis.interval_s, self._step_s) == 0:
            self._scale()
        if (step + 1) % steps_of(self._given.snapshot_s, self._step_s) == 0:
            weight_v = self._given.store.weight_v[self._synapse].copy()
            self._given.history.append(Snapshot((step + 1) * self._step_s, self._synapse, weight_v))

    def _change(self, places: ndarray, wanted: ndarray) -> None:
        """Ask the store for changes in units of ``most_v``, away from 0 where positive; take over what came."""
        timing = self._given.timing
        assert timing is not None
        some = np.flatnonzero(wanted)
        if some.size == 0:
            return
        places, wanted = places[some], wanted[some]
        which = self._synapse[places]
        weight_v = self._given.store.weight_v[which]
        if timing.power > 0:
            w = np.clip(np.abs(weight_v) / timing.most_v, 0.0, 1.0)
            wanted = wanted * np.where(wanted > 0, 1.0 - w, w) ** timing.power
        self._ask(places, which, np.where(weight_v < 0, -1.0, 1.0) * wanted * timing.most_v)

    def _ask(self, places: ndarray, which: ndarray, wanted_v: ndarray) -> None:
        self._given.store.change(which, wanted_v)
        self._rows.weight[places] = self._given.store.weight_v[which] * self._per_volt[places]

    def _scale(self) -> None:
        homeostasis = self._given.homeostasis
        assert homeostasis is not None
        rate_hz = self._count / homeostasis.interval_s
        self._count[:] = 0
        kept = np.exp(-homeostasis.interval_s / homeostasis.tau_s)
        self._rate_hz = np.where(np.isnan(self._rate_hz), rate_hz, kept * self._rate_hz + (1 - kept) * rate_hz)
        places = self._in_place
        which = self._synapse[places]
        push = np.clip(1.0 - self._rate_hz / homeostasis.target_hz, -1.0, 1.0)[self._post[places]]
        self._ask(places, which, self._given.store.weight_v[which] * homeostasis.strength * push)
