"""Chaotic networks: rates, irregularity and correlations are distributed as NEST's, though no spike is the same.

Quantiles are of six seeds of NEST 3.10.0 (iaf_psc_exp, poisson_generator, same map) pooled; the limit is the largest
distance of one NEST seed from the five others, as Potjans and Diesmann's model is judged.
"""

from dataclasses import replace

import numpy as np
import pytest
from numba import config

from network.brunel import EXPONENTIAL
from network.chaotic import END_S, chaotic_drive, chaotic_map, distance, measures
from neurograft.network import RunOptions, run
from neurograft.units import MS

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="ten thousand neuron-seconds")

NEST = {
    "rate_hz": (
        [
            2.4,
            3.0,
            3.4,
            3.8,
            4.2,
            4.4,
            4.6,
            4.8,
            5.132,
            5.2,
            5.6,
            5.8,
            6.0,
            6.2,
            6.4,
            6.6,
            6.8,
            7.0,
            7.2,
            7.6,
            7.8,
            8.2,
            8.6,
            9.2,
            10.4,
        ],
        0.0683,
    ),
    "cv": (
        [
            0.456,
            0.4894,
            0.5166,
            0.5331,
            0.5493,
            0.5645,
            0.5773,
            0.5892,
            0.602,
            0.6153,
            0.6272,
            0.6389,
            0.65,
            0.6597,
            0.6734,
            0.6864,
            0.6986,
            0.7147,
            0.7307,
            0.749,
            0.7698,
            0.8009,
            0.8358,
            0.8944,
            1.0048,
        ],
        0.0651,
    ),
    "correlation": (
        [
            -0.1015,
            -0.0772,
            -0.0622,
            -0.0498,
            -0.0383,
            -0.0289,
            -0.0205,
            -0.0132,
            -0.0052,
            0.002,
            0.0084,
            0.0154,
            0.0228,
            0.0298,
            0.0375,
            0.0453,
            0.0538,
            0.0624,
            0.0711,
            0.0812,
            0.0925,
            0.1048,
            0.1206,
            0.1428,
            0.1832,
        ],
        0.0866,
    ),
}


def pooled(neuron, seeds=(21, 22, 23)):
    m, start = chaotic_map()
    found = []
    for seed in seeds:
        drive, options = chaotic_drive(), RunOptions(start_v=start)
        spikes = run(m, duration_s=END_S, seed=seed, neuron=neuron, drive=drive, options=options).spikes
        found.append(measures(spikes.time_s + options.step_s, spikes.neuron))
    return {name: np.concatenate([x[name] for x in found]) for name in NEST}


def test_rate_cv_and_correlation_are_distributed_as_in_nest():
    for name, sample in pooled(EXPONENTIAL).items():
        quantiles, limit = NEST[name]
        assert distance(sample, np.array(quantiles)) <= limit, name


def test_a_shorter_membrane_is_told_apart():
    sample = pooled(replace(EXPONENTIAL, tau_m_s=18 * MS), seeds=(21,))["rate_hz"]
    quantiles, limit = NEST["rate_hz"]
    assert distance(sample, np.array(quantiles)) > limit
