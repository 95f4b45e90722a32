"""Changing any parameter changes what is grown or recorded."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from neurograft.culture import (
    PSEUDO_CURRENT_CLAMP,
    ActivityOptions,
    AdaptiveExponential,
    ArrayOptions,
    CultureOptions,
    HodgkinHuxley,
    Izhikevich,
    PadGrid,
    Readout,
    SynapseOptions,
    WiringOptions,
    grow,
    record,
)
from neurograft.recordings import Signal

pytestmark = pytest.mark.compiled

ARRAY = ArrayOptions(dead_fraction=0.1, extracellular_fraction=0.1, saturated_fraction=0.1, drops_per_minute=300.0)
OPTIONS = CultureOptions(
    n_neurons=14,
    excitatory_fraction=0.6,
    pads=PadGrid(n_rows=4, n_columns=4, shared_fraction=0.1),
    wiring=WiringOptions(inputs_per_neuron=4, gap_junctions_per_neuron=2, delay_limit_s=0.76e-3),
    synapses=SynapseOptions(facilitation_s=0.1, largest_excitatory_v=1.5e-3, largest_inhibitory_v=1.2e-3),
    activity=ActivityOptions(rate_hz=20.0, burst_rate_hz=4.0, settle_s=0.3, settle_rounds=2),
)
OTHER: dict[type, dict[str, Any]] = {
    WiringOptions: {
        "inputs_per_neuron": 5.0,
        "excitatory_length_um": 60.0,
        "inhibitory_length_um": 60.0,
        "latency_s": 0.5e-3,
        "speed_m_per_s": 0.5,
        "delay_cv": 0.5,
        "delay_limit_s": 1.0e-3,
        "gap_junctions_per_neuron": 4.0,
        "gap_length_um": 20.0,
        "gap_coupling": 0.1,
    },
    SynapseOptions: {
        "excitatory_v": 0.7e-3,
        "inhibitory_v": 0.7e-3,
        "log_spread": 0.6,
        "largest_excitatory_v": 1e-3,
        "largest_inhibitory_v": 0.9e-3,
        "quantum_v": 0.2e-3,
        "quantum_cv": 0.1,
        "release_probability": 0.7,
        "release_spread": 0.05,
        "recovery_s": 0.1,
        "facilitation_s": 0.0,
        "nmda_ratio": 0.3,
    },
    ActivityOptions: {
        "rate_hz": 30.0,
        "rate_log_spread": 0.2,
        "burst_rate_hz": 2.0,
        "burst_cv": 1.0,
        "burst_s": 0.1,
        "burst_v": 8e-3,
        "burst_speed_m_per_s": 0.01,
        "modulation_v": 2e-3,
        "modulation_s": 2.0,
        "noise_v": 1.5e-3,
        "noise_s": 2e-3,
        "settle_s": 0.5,
        "settle_rounds": 1,
    },
    PadGrid: {"n_rows": 5, "n_columns": 5, "pitch_um": 25.0, "jitter_um": 1.0, "shared_fraction": 0.0},
    CultureOptions: {
        "n_neurons": 15,
        "family": Izhikevich(),
        "excitatory_fraction": 0.7,
        "hidden_fraction": 0.3,
        "step_s": 0.05e-3,
    },
    ArrayOptions: {
        "coupling_log_spread": 0.1,
        "drift_log_spread": 0.1,
        "drift_s": 5.0,
        "extracellular_fraction": 0.4,
        "dead_fraction": 0.3,
        "saturated_fraction": 0.0,
        "second_pad_probability": 1.0,
        "crosstalk": 0.01,
        "highpass_hz": 5.0,
        "drops_per_minute": 600.0,
        "drop_s": 20e-3,
    },
    Readout: {
        "signal": Signal.EXTRACELLULAR_V,
        "coupling": 0.02,
        "extracellular": 0.01,
        "white_u": 20e-6,
        "flicker_u": 20e-6,
        "lsb_u": 1e-6,
        "n_bits": 8,
    },
}


def outcome(options: CultureOptions, array: ArrayOptions = ARRAY) -> tuple[object, ...]:
    seen = record(grow(options, seed=3), array, seconds=0.5, seed=1)
    r = seen.recording
    return (r.signal, r.rate_hz, r.position_um.tobytes(), r.read(0, 0, r.segment_frames[0]).tobytes())


@pytest.fixture(scope="module")
def usual() -> tuple[object, ...]:
    return outcome(OPTIONS)


def cases() -> list[Any]:
    return [
        pytest.param(kind, name, value, id=f"{kind.__name__}.{name}")
        for kind in OTHER
        for name, value in OTHER[kind].items()
    ]


def test_every_parameter_has_another_value_to_try() -> None:
    part_of = {"pads", "wiring", "synapses", "activity", "readout"}  # tried field by field
    for kind, values in OTHER.items():
        assert {field.name for field in fields(kind)} - part_of == set(values)


@pytest.mark.parametrize(("kind", "name", "value"), cases())
def test_another_value_gives_another_recording(kind: type, name: str, value: object, usual: tuple[object, ...]) -> None:
    change = {name: value}
    if kind is ArrayOptions:
        assert outcome(OPTIONS, replace(ARRAY, **change)) != usual
    elif kind is Readout:
        assert outcome(OPTIONS, replace(ARRAY, readout=replace(PSEUDO_CURRENT_CLAMP, **change))) != usual
    elif kind is CultureOptions:
        assert outcome(replace(OPTIONS, **change)) != usual
    else:
        part = {WiringOptions: "wiring", SynapseOptions: "synapses", ActivityOptions: "activity", PadGrid: "pads"}[kind]
        assert outcome(replace(OPTIONS, **{part: replace(getattr(OPTIONS, part), **change)})) != usual


@pytest.mark.parametrize(
    ("family", "change"),
    [
        (AdaptiveExponential(), {"log_spread": 0.05}),
        (AdaptiveExponential(), {"spread_v": 0.5e-3}),
        (Izhikevich(), {"log_spread": 0.05}),
        (Izhikevich(), {"spread_v": 0.5e-3}),
        (HodgkinHuxley(), {"log_spread": 0.05}),
        (HodgkinHuxley(), {"spread_v": 0.5e-3}),
        (HodgkinHuxley(), {"channel_siemens": 100e-12}),
        (HodgkinHuxley(), {"n_substeps": 3}),
    ],
)
def test_parameters_of_families_count_too(family: Any, change: dict[str, float]) -> None:
    assert outcome(replace(OPTIONS, family=family)) != outcome(replace(OPTIONS, family=replace(family, **change)))


def test_the_length_of_settling_and_the_seed_are_kept_apart() -> None:
    first, second = (grow(OPTIONS, seed=seed).steady_v for seed in (1, 2))
    assert not np.array_equal(first, second)
