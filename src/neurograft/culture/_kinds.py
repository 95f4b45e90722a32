"""Kinds of cultures that differ in cells, synapses, delays, rates, shared drive and what is hidden.

A copier is tuned on some and tested on others; together they span what the ground-truth issue asks for:
delays of 0.5-20 ms, 0.2-30 Hz, 0-95 % hidden, weak to strong common drive.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from neurograft.culture._cells import NeuronFamily
from neurograft.culture._hodgkin_huxley import HodgkinHuxley
from neurograft.culture._izhikevich import Izhikevich
from neurograft.culture._options import ActivityOptions, CultureOptions, SynapseOptions, WiringOptions
from neurograft.errors import CultureError, did_you_mean
from neurograft.units import MS, MV

_CALM = ActivityOptions(burst_rate_hz=0.0, modulation_v=0.3 * MV, rate_hz=8.0, noise_v=1.5 * MV)


def _bursting(usual: CultureOptions) -> CultureOptions:
    return usual


def _calm(usual: CultureOptions) -> CultureOptions:
    return replace(usual, activity=_CALM)


def _fast(usual: CultureOptions) -> CultureOptions:
    busy = replace(usual.activity, rate_hz=30.0, burst_rate_hz=0.05, noise_v=2 * MV)
    return replace(usual, family=Izhikevich(), activity=busy)


def _silent(usual: CultureOptions) -> CultureOptions:
    slow = replace(usual.activity, rate_hz=0.2, burst_rate_hz=0.05, rate_log_spread=1.0)
    weak = replace(usual.synapses, excitatory_v=0.35 * MV, inhibitory_v=0.35 * MV)
    return replace(usual, activity=slow, synapses=weak)


def _driven(usual: CultureOptions) -> CultureOptions:
    shared = replace(usual.activity, rate_hz=5.0, modulation_v=3 * MV, modulation_s=4.0, burst_rate_hz=0.3)
    return replace(usual, family=Izhikevich(), activity=shared)


def _noisy(usual: CultureOptions) -> CultureOptions:
    family = HodgkinHuxley(channel_siemens=100e-12)
    return replace(usual, family=family, activity=replace(usual.activity, rate_hz=4.0, noise_v=1.0 * MV))


def _late(usual: CultureOptions) -> CultureOptions:
    far = replace(usual.wiring, latency_s=0.5 * MS, speed_m_per_s=0.015, delay_cv=0.4)
    return replace(usual, wiring=far, activity=replace(_CALM, rate_hz=4.0))


def _facilitating(usual: CultureOptions) -> CultureOptions:
    plastic = SynapseOptions(release_probability=0.2, facilitation_s=0.6, recovery_s=0.15, quantum_v=0.4 * MV)
    return replace(usual, synapses=plastic, activity=replace(usual.activity, rate_hz=6.0))


def _hidden(usual: CultureOptions) -> CultureOptions:
    return replace(usual, hidden_fraction=0.5, activity=replace(usual.activity, rate_hz=4.0))


def _mostly_hidden(usual: CultureOptions) -> CultureOptions:
    return replace(usual, hidden_fraction=0.95, activity=replace(usual.activity, rate_hz=4.0))


def _electrical(usual: CultureOptions) -> CultureOptions:
    gaps = WiringOptions(
        inputs_per_neuron=usual.wiring.inputs_per_neuron, gap_junctions_per_neuron=4.0, gap_coupling=0.1
    )
    return replace(usual, wiring=gaps, family=HodgkinHuxley(), excitatory_fraction=0.65)


ABOUT: Mapping[str, str] = MappingProxyType(
    {
        "bursting": "the usual culture: network bursts every ten seconds, slow shared excitability",
        "calm": "no bursts, hardly any shared excitability",
        "fast": "busy neurons",
        "silent": "rare spikes, weak synapses",
        "driven": "strong drive that all share, many bursts",
        "noisy": "few, large ion channels: noisy membranes",
        "late": "slow axons: delays up to 20 ms",
        "facilitating": "unreliable synapses that facilitate",
        "hidden": "half of the neurons are never recorded",
        "mostly-hidden": "of twenty neurons one is recorded",
        "electrical": "gap junctions between inhibitory neurons",
    }
)
KINDS: Mapping[str, Callable[[CultureOptions], CultureOptions]] = MappingProxyType(
    {
        "bursting": _bursting,
        "calm": _calm,
        "fast": _fast,
        "silent": _silent,
        "driven": _driven,
        "noisy": _noisy,
        "late": _late,
        "facilitating": _facilitating,
        "hidden": _hidden,
        "mostly-hidden": _mostly_hidden,
        "electrical": _electrical,
    }
)


def culture_named(
    name: str, *, n_neurons: int = 100, inputs_per_neuron: float = 12.0, family: NeuronFamily | None = None
) -> CultureOptions:
    """Return the options of a kind of culture, of which some hide a part of the neurons.

    Every kind has its own family of neurons; another one may take its place.
    """
    if name not in KINDS:
        raise CultureError(f"There is no kind of culture {name!r}. {did_you_mean(name, KINDS)}")
    usual = CultureOptions(n_neurons=n_neurons, wiring=WiringOptions(inputs_per_neuron=inputs_per_neuron))
    asked = KINDS[name](usual)
    return asked if family is None or family.name == asked.family.name else replace(asked, family=family)


def describe_kinds() -> tuple[str, ...]:
    """Return one line for each kind: what is special about it, its family and its rate."""
    width = max(map(len, KINDS))
    return tuple(
        f"{name:{width}}  {ABOUT[name]} ({o.family.name}, {o.activity.rate_hz:g} Hz)"
        for name, o in ((name, culture_named(name)) for name in KINDS)
    )
