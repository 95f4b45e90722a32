"""What can be asked of a culture: cells, wiring, synapses and activity, all with working defaults."""

import math
from dataclasses import dataclass, field
from typing import final

from neurograft.culture._adex import AdaptiveExponential
from neurograft.culture._cells import NeuronFamily
from neurograft.errors import CultureError
from neurograft.units import MS, MV

LONGEST_DELAY_S = 20 * MS  # what the delay buffers hold; longer than any axon's of a culture of millimetres


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PadGrid:
    """Where the pads are, and so where the recorded cells sit; a cell lies on its pad, give or take."""

    n_rows: int
    n_columns: int
    pitch_um: float = 20.0  # the 64 x 64 array of Abbott 2020 and Ham 2021
    jitter_um: float = 3.0
    shared_fraction: float = 0.0  # share of the recorded cells that sit on another cell's pad

    @property
    def n_pads(self) -> int:
        """Number of pads."""
        return self.n_rows * self.n_columns


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class WiringOptions:
    """Who connects to whom: P(connected at distance d) = p0 exp(-d / length), p0 from the mean number of inputs."""

    inputs_per_neuron: float = 12.0  # chemical synapses that a neuron receives, on average
    excitatory_length_um: float = 300.0
    inhibitory_length_um: float = 150.0
    latency_s: float = 0.7 * MS  # release and receptors: what a synapse at distance 0 takes
    speed_m_per_s: float = 0.3  # unmyelinated axons of cultures: 0.2-0.6 m/s
    delay_cv: float = 0.2  # spread of the axons' detours
    delay_limit_s: float = LONGEST_DELAY_S  # longer ones are cut to this
    gap_junctions_per_neuron: float = 0.0  # between inhibitory neurons, as in cortex
    gap_length_um: float = 60.0
    gap_coupling: float = 0.05  # median conductance, as a share of the input conductance at rest


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SynapseOptions:
    """How strong synapses are and how they release; strengths are mean peak potentials at rest."""

    excitatory_v: float = 0.6 * MV  # median of a lognormal
    inhibitory_v: float = 0.6 * MV
    log_spread: float = 0.9  # standard deviation of ln(strength); 0.9 as between cortical cells (Song 2005)
    largest_excitatory_v: float = 8 * MV  # stronger draws are drawn again
    largest_inhibitory_v: float = 3 * MV  # rest is not far above the reversal potential
    quantum_v: float = 1.0 * MV  # one vesicle at rest, median: 45 uV at a pad of coupling 0.045 (Ham 2021, figure 2)
    quantum_cv: float = 0.25  # from release to release
    release_probability: float = 0.5
    release_spread: float = 0.15  # standard deviation between synapses
    recovery_s: float = 0.3  # Tsodyks and Markram 1997: depression
    facilitation_s: float = 0.0  # 0: none
    nmda_ratio: float = 0.1  # peak NMDA conductance over peak AMPA conductance, magnesium block aside


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityOptions:
    """How the culture fires; each neuron's steady drive is set while it settles so that rates come out so."""

    rate_hz: float = 2.0  # mean over neurons
    rate_log_spread: float = 0.6  # of the neurons' wanted rates
    burst_rate_hz: float = 0.1  # network bursts
    burst_cv: float = 0.5  # of the intervals between them (gamma); 1 is a Poisson process
    burst_s: float = 0.25
    burst_v: float = 12 * MV  # steady depolarisation that a burst's drive would make
    burst_speed_m_per_s: float = 0.05  # bursts spread from where they start (Orlandi 2013: tens of mm/s)
    modulation_v: float = 1.0 * MV  # slow excitability that all neurons share
    modulation_s: float = 5.0  # after which its correlation is gone; it has no power at frequency 0
    noise_v: float = 0.75 * MV  # of the membrane potential, each neuron its own
    noise_s: float = 5 * MS
    settle_s: float = 3.0  # length of one of the rounds that set the drive
    settle_rounds: int = 10


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CultureOptions:
    """A culture to grow; ``hidden_fraction`` of the neurons lie beside the pads and are never recorded."""

    n_neurons: int = 100
    family: NeuronFamily = field(default_factory=AdaptiveExponential)
    excitatory_fraction: float = 0.8
    hidden_fraction: float = 0.0
    pads: PadGrid | None = None  # None: the smallest square that holds the recorded neurons
    wiring: WiringOptions = field(default_factory=WiringOptions)
    synapses: SynapseOptions = field(default_factory=SynapseOptions)
    activity: ActivityOptions = field(default_factory=ActivityOptions)
    step_s: float = 0.1 * MS  # also the sampling interval of what is recorded

    @property
    def n_recorded(self) -> int:
        """Number of neurons that lie on pads; they come first in every numbering."""
        return self.n_neurons - round(self.hidden_fraction * self.n_neurons)

    @property
    def grid(self) -> PadGrid:
        """The pads, also where they were left to us."""
        side = math.ceil(math.sqrt(self.n_recorded))
        return self.pads if self.pads is not None else PadGrid(n_rows=side, n_columns=side)


def require_possible(options: CultureOptions) -> None:
    """Raise ``CultureError`` for parameters that no culture can have, before any work is done."""
    _require_numbers(options)
    grid, recorded = options.grid, options.n_recorded
    primary = recorded - round(grid.shared_fraction * recorded)
    if primary > grid.n_pads:
        raise CultureError(
            f"{recorded} neurons are to be recorded, {primary} of them on a pad of their own, but the array has "
            f"{grid.n_rows} x {grid.n_columns} = {grid.n_pads} pads. Raise the pads or hidden_fraction, or grow fewer."
        )
    wiring = options.wiring
    if wiring.inputs_per_neuron > options.n_neurons - 1:
        raise CultureError(
            f"{wiring.inputs_per_neuron:g} inputs a neuron were asked for, but a neuron has only "
            f"{options.n_neurons - 1} others. Lower inputs_per_neuron or grow more neurons."
        )
    if not options.step_s <= wiring.latency_s <= wiring.delay_limit_s <= LONGEST_DELAY_S:
        raise CultureError(
            f"Delays run from latency_s = {wiring.latency_s:g} s to delay_limit_s = {wiring.delay_limit_s:g} s, which "
            f"must lie between step_s = {options.step_s:g} s and {LONGEST_DELAY_S:g} s, in this order. Change them."
        )
    syn = options.synapses
    for name, largest, median in (
        ("excitatory", syn.largest_excitatory_v, syn.excitatory_v),
        ("inhibitory", syn.largest_inhibitory_v, syn.inhibitory_v),
    ):
        if largest <= median:
            raise CultureError(
                f"largest_{name}_v is {largest:g} V, not above the median strength {median:g} V. Raise it."
            )


def _require_numbers(options: CultureOptions) -> None:
    if options.n_neurons < 2:
        raise CultureError(f"n_neurons is {options.n_neurons}. Grow at least 2.")
    if not 0 <= options.hidden_fraction <= 0.99 or options.n_recorded < 1:
        raise CultureError(
            f"hidden_fraction is {options.hidden_fraction:g}, which leaves {options.n_recorded} of "
            f"{options.n_neurons} neurons to record. Give 0 to 0.99, and leave at least one."
        )
    ranges = [
        ("excitatory_fraction", options.excitatory_fraction, 0.0, 1.0),
        ("step_s", options.step_s, 1e-5, 2e-4),
        ("pads.pitch_um", options.grid.pitch_um, 1.0, 1e4),
        ("pads.shared_fraction", options.grid.shared_fraction, 0.0, 0.5),
        ("synapses.release_probability", options.synapses.release_probability, 0.01, 1.0),
        ("synapses.recovery_s", options.synapses.recovery_s, 0.0, 100.0),
        ("synapses.facilitation_s", options.synapses.facilitation_s, 0.0, 100.0),
        ("synapses.excitatory_v", options.synapses.excitatory_v, 1e-6, 0.02),
        ("synapses.inhibitory_v", options.synapses.inhibitory_v, 1e-6, 0.008),
        ("synapses.nmda_ratio", options.synapses.nmda_ratio, 0.0, 2.0),
        ("activity.rate_hz", options.activity.rate_hz, 0.01, 100.0),
        ("activity.burst_rate_hz", options.activity.burst_rate_hz, 0.0, 5.0),
        ("activity.burst_cv", options.activity.burst_cv, 0.05, 2.0),
        ("activity.modulation_s", options.activity.modulation_s, 0.05, 1e4),
        ("activity.noise_v", options.activity.noise_v, 0.0, 0.01),
        ("wiring.speed_m_per_s", options.wiring.speed_m_per_s, 1e-3, 100.0),
        ("wiring.gap_coupling", options.wiring.gap_coupling, 0.0, 0.5),
    ]
    for name, value, low, high in ranges:
        if not low <= value <= high:
            raise CultureError(f"{name} is {value:g}, outside {low:g} to {high:g}. Give a value inside.")
