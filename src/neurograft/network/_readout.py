"""Running a memory image as it is read: with age, drift, noise of each reading, wires, converters, and its energy."""

from dataclasses import dataclass, field, replace
from typing import final, no_type_check

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from neurograft.cells import ROOM_TEMPERATURE_K, Figure, MemoryImage, image_to_map
from neurograft.errors import RunError
from neurograft.maps import SynapseMap
from neurograft.network._drive import Drive
from neurograft.network._lines import line_factors
from neurograft.network._options import RunOptions
from neurograft.network._reading import Reading, convert, deliver_read
from neurograft.network._rows import Rows
from neurograft.network._run import Activity, run
from neurograft.network._stimulus import Stimulus
from neurograft.network._synapse_hook import SynapseHook
from neurograft.neurons import NeuronModel, steps_of
from neurograft.progress import Progress, silent
from neurograft.spikes import SpikeTrains


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Readout:
    """How an image's cells are read during a run.

    ``has_read_noise``: every synaptic event is a new, noisy reading; without, one reading serves the whole run.
    ``bits``: a converter of so many bits gives each neuron's sum of a step, between plus and minus ``range_v``;
    None: exact sums.  ``ohm_per_cell``: resistance of a wire between two cells.  ``drift_every_s``: cells grow
    older as the run goes on, and are decoded anew that often; None: they keep the age of the start.
    """

    has_read_noise: bool = False
    bits: int | None = None
    range_v: float = 0.02
    ohm_per_cell: float = 0.0
    drift_every_s: float | None = None

    def __post_init__(self) -> None:
        """Refuse converters without levels and negative times."""
        if self.bits is not None and not 1 <= self.bits <= 24:
            raise RunError(f"bits is {self.bits}. Give a converter of 1 to 24 bits, or None for exact sums.")
        if not self.range_v > 0 or (self.drift_every_s is not None and not self.drift_every_s > 0):
            raise RunError(f"{self}: give a positive range_v and drift_every_s.")


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageRun:
    """An image's activity, the map that was run at its start, and the energy of reading its cells."""

    activity: Activity
    network: SynapseMap
    energy_per_event_j: Figure
    energy_per_s_j: Figure


def run_image(
    image: MemoryImage,
    *,
    duration_s: float,
    seed: int,
    drive: Drive,
    age_s: float = 0.0,
    temperature_k: float = ROOM_TEMPERATURE_K,
    readout: Readout | None = None,
    neuron: NeuronModel | None = None,
    options: RunOptions | None = None,
    stimulus: Stimulus | None = None,
    progress: Progress = silent,
) -> ImageRun:
    """Return what the network in a memory image does when its cells are read as ``readout`` says."""
    readout = readout if readout is not None else Readout()
    source = _Source.of(image, readout, age_s=age_s, temperature_k=temperature_k, seed=seed)
    network = replace(source.network, weight_v=source.weight_v(0.0))
    needs_hook = readout.has_read_noise or readout.bits is not None or readout.drift_every_s is not None
    activity = run(
        network, duration_s=duration_s, seed=seed, drive=drive, neuron=neuron, options=options, stimulus=stimulus,
        synapses=source.hook(seed) if needs_hook else None, progress=progress,
    )  # fmt: skip
    event, second = reading_energy(image, activity.spikes)
    return ImageRun(activity=activity, network=network, energy_per_event_j=event, energy_per_s_j=second)


def reading_energy(image: MemoryImage, spikes: SpikeTrains) -> tuple[Figure, Figure]:
    """Return joules per synaptic event and per second of model time: a card's read for each cell of a synapse.

    Only the cells' reads are counted, no converters, wires or neurons: the cards hold nothing on those.
    """
    read = image.cell.cost.read_j
    if read.value is None or spikes.n_spikes == 0:
        why = read.evidence if read.value is None else "no synaptic event happened"
        return Figure(value=None, evidence=why), Figure(value=None if read.value is None else 0.0, evidence=why)
    cells_read = float(np.bincount(image.pre, minlength=spikes.n_neurons)[spikes.neuron].sum())
    first = np.unique(image.synapse, return_index=True)[1]
    events = float(np.bincount(image.pre[first], minlength=spikes.n_neurons)[spikes.neuron].sum())
    per_event = cells_read * read.value / events if events else None
    return (
        Figure(value=per_event, evidence=read.evidence),
        Figure(value=cells_read * read.value / spikes.duration_s, evidence=read.evidence),
    )


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Source:
    """Weights of an image at any time of the run."""

    image: MemoryImage
    network: SynapseMap
    readout: Readout
    age_s: float
    temperature_k: float
    seed: int
    factor: Float64[ndarray, " cells"] = field(repr=False)

    @staticmethod
    def of(image: MemoryImage, readout: Readout, *, age_s: float, temperature_k: float, seed: int) -> "_Source":
        """Return the source for one run; the same seed draws the same relaxation and drift at every moment."""
        network = image_to_map(image, age_s=age_s, temperature_k=temperature_k, rng=np.random.default_rng(seed))
        return _Source(
            image=image, network=network, readout=readout, age_s=age_s, temperature_k=temperature_k, seed=seed,
            factor=line_factors(image, ohm_per_cell=readout.ohm_per_cell),
        )  # fmt: skip

    def weight_v(self, time_s: float) -> Float64[ndarray, " synapses"]:
        """Return weights at a time of the run; read once with noise, unless every event is a reading of its own."""
        g, _ = self._aged(time_s)
        if not self.readout.has_read_noise or self.image.cell.levels is not None:
            g = self.image.cell.read(
                g, programmed_siemens=self._programmed(), age_s=self._age_s(time_s), temperature_k=self.temperature_k,
                rng=np.random.default_rng((self.seed, 1)),
            )  # fmt: skip
        return self._summed(self.image.sign * self._gain() * self._lined(g))

    def noise_v(self, time_s: float) -> Float64[ndarray, " synapses"]:
        """Return the standard deviation of one reading of each synapse."""
        _, sd = self._aged(time_s)
        in_volts = self._gain() * self.image.volts_per_siemens * sd * self.factor
        return np.sqrt(self._summed(in_volts**2))

    def hook(self, seed: int) -> SynapseHook:
        """Return what the engine calls in place of its own delivery."""
        return lambda rows, synapse, per_volt, n_local, step_s: _NoisyRows(
            self, rows, synapse, per_volt, n_local, step_s, seed
        )

    def _age_s(self, time_s: float) -> float:
        return self.age_s + (time_s if self.readout.drift_every_s is not None else 0.0)

    def _programmed(self) -> ndarray:
        return self.image.programmed_siemens.astype(np.float64)

    def _gain(self) -> ndarray:
        return np.array(self.image.part_gain)[self.image.part]

    def _aged(self, time_s: float) -> tuple[ndarray, ndarray]:
        age_s, programmed = self._age_s(time_s), self._programmed()
        rng = np.random.default_rng(self.seed)  # the same draws at every moment: one history of each cell
        g = self.image.cell.age(programmed, age_s=age_s, temperature_k=self.temperature_k, rng=rng)
        return g, self.image.cell.read_noise_siemens(g, programmed_siemens=programmed, age_s=age_s)

    def _lined(self, g: ndarray) -> ndarray:
        """Return volts of cells behind their wires: a wire scales the whole current, that of weight 0 included."""
        return self.image.code.to_volts(g * self.factor)

    def _summed(self, values: ndarray) -> ndarray:
        synapse, place = np.unique(self.image.synapse, return_inverse=True)
        return np.bincount(place, weights=values, minlength=synapse.size)


@final
class _NoisyRows:
    """Rows whose weights are read at every event, summed by a converter, and grow older."""

    def __init__(  # noqa: PLR0917 - as ``SynapseHook`` calls it
        self,
        source: _Source,
        rows: Rows,
        synapse: Int64[ndarray, " rows"],
        per_volt: Float64[ndarray, " rows"],
        n_local: int,
        step_s: float,
        seed: int,
    ) -> None:
        readout = source.readout
        self._source, self._rows, self._synapse, self._per_volt = source, rows, synapse, per_volt
        self._step_s, self._seed, self._n_local = step_s, seed, n_local
        self._levels = 0.0 if readout.bits is None else 2.0 ** (readout.bits - 1)
        self._step_v = readout.range_v / self._levels if self._levels else 1.0
        self._every = 0 if readout.drift_every_s is None else max(1, steps_of(readout.drift_every_s, step_s))
        self._decode(0)

    def _decode(self, moment: int) -> None:
        self._decoded, time_s = moment, moment * self._every * self._step_s
        weight = (self._source.weight_v(time_s)[self._synapse] * self._per_volt).astype(np.float32)
        noise = np.zeros(weight.size, dtype=np.float32)
        if self._source.readout.has_read_noise:
            noise = np.abs(self._source.noise_v(time_s)[self._synapse] * self._per_volt).astype(np.float32)
        self._weight, self._noise = weight, noise

    def reading(self, step: int) -> tuple[Reading, int]:
        """Return how cells read at a step, and from which step on they may read otherwise."""
        until = np.iinfo(np.int64).max
        if self._every:
            moment = step // self._every
            if moment != self._decoded:
                self._decode(moment)
            until = (moment + 1) * self._every
        return Reading(self._weight, self._noise, self._synapse, self._levels, self._step_v), until

    @no_type_check  # called every step: the tests' checker would take most of a run
    def deliver(self, step, clock, past, inputs):
        """Add what arrives in a step."""
        now, _ = self.reading(step)
        n = deliver_read(
            step, past.origin, clock.delays, past.neuron, past.start, self._rows.start, self._rows.target,
            now.weight, now.noise, now.synapse, inputs, self._seed,
        )  # fmt: skip
        if n and now.levels:
            convert(inputs, now.levels, now.step_v)

    @no_type_check
    def learn(self, step, spiked):
        """Do nothing: cells are only read."""
