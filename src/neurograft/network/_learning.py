"""Groups of neurons whose synapses change while they run; the engine calls them in place of its own delivery."""

from typing import final, no_type_check

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from neurograft.maps import SynapseMap
from neurograft.network._learning_kernel import Changes, Kept, Pools, Traces, asked_of_python
from neurograft.network._plastic_kernels import at_arrival, at_spike, deliver_plastic
from neurograft.network._plasticity import CompiledStore, Plasticity, Snapshot
from neurograft.network._rows import Rows, Synapses, used_synapses
from neurograft.network._short_term import short_term_of
from neurograft.neurons import NeuronModel, steps_of

_NEVER = 1 << 62  # a step that no run reaches


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
        self._pools = self._pools_of(m, synapse)
        plastic = plasticity.plastic(m)[synapse]
        incoming = np.flatnonzero(plastic)
        timing = plasticity.timing
        self._traces = Traces(
            learns=timing is not None,
            rule=timing.constants() if timing is not None else np.ones(8),
            most_v=timing.most_v if timing is not None else 1.0,
            power=timing.power if timing is not None else 0.0,
            is_plastic=plastic,
            post=place,
            synapse=synapse,
            per_volt=per_volt,
            fast=np.zeros(n),
            slow=np.zeros(n),
            seen=np.zeros(n, dtype=np.int64),
            in_start=np.concatenate([[0], np.cumsum(np.bincount(place[incoming], minlength=n_neurons))]),
            in_place=incoming[np.argsort(place[incoming], kind="stable")],
            post_fast=np.zeros(n_neurons),
            post_slow=np.zeros(n_neurons),
            post_seen=np.zeros(n_neurons, dtype=np.int64),
            since_scaling=np.zeros(n_neurons),
        )
        self._changes = Changes(
            np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64), np.empty(n), np.zeros(2, dtype=np.int64)
        )
        self._rate_hz = np.full(n_neurons, np.nan)
        self._rows = rows._replace(weight=rows.weight.copy())

    def _pools_of(self, m: SynapseMap, synapse: ndarray) -> Pools:
        n = synapse.size
        use, recovery_s, facilitation_s = (np.full(n, np.nan), np.ones(n), np.zeros(n))
        if self._given.has_short_term:
            use, recovery_s, facilitation_s = (column[synapse] for column in short_term_of(m))
        return Pools(use, recovery_s, facilitation_s, use.copy(), np.ones(n), np.full(n, -1, dtype=np.int64))

    def tables(self) -> tuple[Rows, Pools, Traces, Changes, Kept]:
        """Return the rows to deliver, and all that compiled code changes in place."""
        store = self._given.store
        kept = store.kept() if isinstance(store, CompiledStore) else asked_of_python(store.weight_v)
        return self._rows, self._pools, self._traces, self._changes, kept

    @property
    def pools(self) -> tuple[Pools, Int64[ndarray, " rows"]]:
        """The vesicles of each entry of the rows, and which synapse of the map it is."""
        return self._pools, self._synapse

    def until(self, step: int) -> int:
        """Return the end of the stretch that begins with a step: the next scaling or snapshot."""
        return min((step // n * n + n for n in self._intervals()), default=_NEVER)

    def change(self, n: int) -> None:
        """Make the first ``n`` changes that compiled code asked for."""
        self._change(self._changes.place[:n], self._changes.wanted[:n])

    @no_type_check  # called every step: the tests' checker would take most of a run
    def deliver(self, step, clock, past, inputs):
        """Deliver what arrives, then depress by it."""
        rows, traces = self._rows, self._traces
        n = deliver_plastic(
            step, past.origin, clock.delays, past.neuron, past.start, rows.start, rows.target, rows.weight,
            inputs, self._step_s, *self._pools, self._changes.arrived,
        )  # fmt: skip
        if n and traces.learns:
            places = self._changes.arrived[:n]
            places = places[traces.is_plastic[places]]
            wanted = self._changes.wanted[: places.size]
            at_arrival(
                places, traces.post, step, self._step_s, traces.rule, traces.fast, traces.slow, traces.seen,
                traces.post_fast, traces.post_slow, traces.post_seen, wanted,
            )  # fmt: skip
            self._change(places, wanted)

    @no_type_check
    def learn(self, step, spiked):
        """Potentiate by the spikes of a step; scale and take a snapshot when it is time."""
        traces = self._traces
        if spiked.size:
            traces.since_scaling[spiked] += 1
            if traces.learns:
                n = at_spike(
                    spiked, traces.in_start, traces.in_place, step, self._step_s, traces.rule, traces.fast, traces.seen,
                    traces.post_fast, traces.post_slow, traces.post_seen, self._changes.place, self._changes.wanted,
                )  # fmt: skip
                self.change(n)
        self.rest(step)

    def rest(self, step: int) -> None:
        """Scale and take a snapshot when it is time."""
        homeostasis = self._given.homeostasis
        if homeostasis is not None and (step + 1) % steps_of(homeostasis.interval_s, self._step_s) == 0:
            self._scale()
        snapshot_s = self._given.snapshot_s
        if snapshot_s is not None and (step + 1) % steps_of(snapshot_s, self._step_s) == 0:
            weight_v = self._given.store.weight_v[self._synapse].copy()
            self._given.history.append(Snapshot((step + 1) * self._step_s, self._synapse, weight_v))

    def _intervals(self) -> list[int]:
        homeostasis = self._given.homeostasis
        both = (self._given.snapshot_s, None if homeostasis is None else homeostasis.interval_s)
        return [steps_of(seconds, self._step_s) for seconds in both if seconds is not None]

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
        rate_hz = self._traces.since_scaling / homeostasis.interval_s
        self._traces.since_scaling[:] = 0
        kept = np.exp(-homeostasis.interval_s / homeostasis.tau_s)
        self._rate_hz = np.where(np.isnan(self._rate_hz), rate_hz, kept * self._rate_hz + (1 - kept) * rate_hz)
        places = self._traces.in_place
        which = self._synapse[places]
        push = np.clip(1.0 - self._rate_hz / homeostasis.target_hz, -1.0, 1.0)[self._post[places]]
        self._ask(places, which, self._given.store.weight_v[which] * homeostasis.strength * push)
