"""The authors' own neuron: where their input puts the ions, and what the potential of their output file does.

Their input (``neuron/input_bd``) names a seed for the cations and one for the anions of each slit.  LAMMPS spreads
atoms with Park and Miller's generator (Comm. ACM 31, 1192, 1988), s -> 16807 s mod 2^31 - 1, and takes x, y and z of
each atom in turn, after 30 numbers that it drops; z counts for nothing here.  So their start can be had to the last
digit, and nobody here has chosen it.  Their noise cannot: it depends on how their ions were shared among processors.
"""

from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from numpy.random import Generator

from neurograft.errors import IonicError
from neurograft.ionic._brownian import IonState, start_at
from neurograft.ionic._circuit import Circuit, NeuronTrace
from neurograft.ionic._particle_neuron import ParticleNeuron, ParticleOptions, slit_models
from neurograft.units import NM

_N_PAIRS: Final = 4000
_SEEDS: Final = ((10033, 3197), (5640, 8984))  # cations, anions: sodium's slit, the other
_MODULUS: Final = 2**31 - 1
_FACTOR: Final = 16807
_DROPPED: Final = 30


def park_miller(seed: int, n: int) -> Float64[ndarray, " n"]:
    """Return the first numbers, between 0 and 1, of the minimal standard generator."""
    numbers = np.zeros(n)
    for k in range(n):
        seed = seed * _FACTOR % _MODULUS
        numbers[k] = seed
    return numbers / _MODULUS


def authors_start(circuit: Circuit, options: ParticleOptions, rng: Generator) -> ParticleNeuron:
    """Return a neuron whose ions are where the authors' input puts them; ``rng`` is for their noise."""
    if circuit.n_pairs != _N_PAIRS:
        raise IonicError(
            f"The authors' input has {_N_PAIRS} cations a slit, this circuit {circuit.n_pairs}. Ask for their size."
        )
    slits: list[IonState] = []
    for model, seeds in zip(slit_models(circuit, options), _SEEDS, strict=True):
        drawn = [park_miller(seed, _DROPPED + 3 * _N_PAIRS)[_DROPPED:].reshape(-1, 3) for seed in seeds]
        x, y, _ = np.concatenate(drawn).T
        x, y = x * model.plane.length_m / NM, y * model.plane.width_m / NM
        species = np.repeat(np.arange(2), _N_PAIRS).astype(np.int8)
        slits.append(start_at(model, x_nm=x, y_nm=y, species=species, rng=rng))
    return ParticleNeuron(circuit=circuit, options=options, slits=(slits[0], slits[1]), voltage_v=options.start_v)


def authors_trace() -> NeuronTrace:
    """Return the potential of the authors' output file, means over each microsecond; its shares are not known (NaN).

    MIT licence, beside the file.
    """
    time_s, voltage_v = np.loadtxt(Path(__file__).parent / "stored" / "authors.csv", delimiter=",", skiprows=1).T
    unknown = np.full(time_s.size, np.nan)
    return NeuronTrace(time_s.copy(), voltage_v.copy(), unknown, unknown)
