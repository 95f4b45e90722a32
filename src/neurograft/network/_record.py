"""What a run leaves behind: spikes and chosen states, kept in memory or written block by block."""

from collections.abc import Mapping
from typing import final

import numpy as np
from jaxtyping import Float64, Int32, Int64
from numpy import ndarray

from neurograft.network._engine import Engine, Piece
from neurograft.network._options import RunOptions
from neurograft.provenance import Provenance
from neurograft.spikes import LogHead, LogWriter, SpikeTrains, spike_trains


@final
class Recorder:
    """Collects pieces of a run under the map's numbers and labels."""

    def __init__(
        self, engine: Engine, order: ndarray, labels: tuple[str, ...], options: RunOptions, provenance: Provenance
    ) -> None:
        self._order, self._labels, self._options, self._provenance = order, labels, options, provenance
        self.begin_step = self.end_step = engine.step
        self._step: list[Int64[ndarray, " spikes"]] = []
        self._neuron: list[Int32[ndarray, " spikes"]] = []
        self._states: list[Float64[ndarray, "steps columns"]] = []
        at = {(int(order[place]), int(state)): k for k, (place, state) in enumerate(engine.columns)}
        wanted = [
            (neuron, state) for state in range(len(options.record_states)) for neuron in options.record_voltage_of
        ]
        self._columns = np.array([at[pair] for pair in wanted], dtype=np.int64)
        self._log: LogWriter | None = None
        if options.record_to is not None:
            names = tuple((neuron, options.record_states[state]) for neuron, state in wanted)
            head = LogHead(
                n_neurons=order.size, labels=labels, step_s=options.step_s, columns=names, provenance=provenance
            )
            self._log = LogWriter(options.record_to, head)

    def add(self, piece: Piece) -> None:
        """Keep what happened up to the piece's end."""
        neuron = self._order[piece.neuron].astype(np.int32)
        states = piece.voltage_v[:, self._columns]
        if self._log is not None:
            self._log.append(self.end_step, piece.stop_step, step=piece.step, neuron=neuron, states=states)
        else:
            self._states.append(states)
        self._step.append(piece.step)
        self._neuron.append(neuron)
        self.end_step = piece.stop_step

    def finish(self) -> None:
        """Mark the log as whole."""
        if self._log is not None:
            self._log.finish()

    def close(self) -> None:
        """Close the log, as it is."""
        if self._log is not None:
            self._log.close()

    def spikes(self) -> SpikeTrains:
        """Return the spikes so far."""
        step_s = self._options.step_s
        return spike_trains(
            time_s=np.concatenate(self._step) * step_s,
            neuron=np.concatenate(self._neuron),
            n_neurons=self._order.size,
            epochs_s=np.array([[self.begin_step * step_s, self.end_step * step_s]]),
            labels=self._labels,
            provenance=self._provenance,
        )

    def counts(self, engine: Engine) -> Int64[ndarray, " neurons"]:
        """Return how often each neuron spiked, in the engine's order."""
        counts = np.bincount(np.concatenate(self._neuron), minlength=engine.n_neurons)
        return counts[self._order]

    def states(self) -> Mapping[str, Float64[ndarray, "steps recorded"]]:
        """Return what was recorded by name, one column for each of ``record_voltage_of``; none when it was written."""
        n = len(self._options.record_voltage_of)
        whole = np.concatenate(self._states) if self._states else np.empty((0, self._columns.size))
        return {name: whole[:, k * n : (k + 1) * n] for k, name in enumerate(self._options.record_states)}
