"""A neuron of moving ions as stripes see it: which ions are single, which are pairs, and where across the field."""

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.errors import IonicError
from neurograft.ionic._brownian import IonModel, IonState
from neurograft.ionic._leftover import excess_share
from neurograft.ionic._observables import LINK_M, places_in_box_nm
from neurograft.ionic._particle_neuron import ParticleNeuron, slit_models
from neurograft.ionic._stripes import NeuronStart, Placed
from neurograft.units import NM


def placed_of(model: IonModel, state: IonState, *, link_m: float = LINK_M) -> Placed:
    """Return places across the field; unlike ions within ``link_m`` are pairs, the nearest first."""
    from scipy.spatial import KDTree

    valence = model.valences()[state.species]
    if not np.array_equal(np.unique(valence), [-valence.max(), valence.max()]):
        raise IonicError("Stripes know one kind of cation and one of anion, of one valence. Use such a salt.")
    places, box = places_in_box_nm(model, state)
    kinds = [np.flatnonzero(valence > 0), np.flatnonzero(valence < 0)]
    trees = [KDTree(places[kind], boxsize=box) for kind in kinds]
    near = trees[0].sparse_distance_matrix(trees[1], link_m / NM, output_type="ndarray")
    is_single = [np.ones(kind.size, dtype=np.bool_) for kind in kinds]
    pairs: list[tuple[int, int]] = []
    for a, b in near[np.argsort(near["v"], kind="stable")][["i", "j"]].tolist():
        if is_single[0][a] and is_single[1][b]:
            is_single[0][a] = is_single[1][b] = False
            pairs.append((a, b))
    y_m = np.clip(state.y_nm * NM, 0.0, model.plane.width_m) if model.plane.has_walls else places[:, 1] * NM
    first, other = (y_m[kind] for kind in kinds)
    chosen = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    middle: Float64[ndarray, " pairs"] = 0.5 * (first[chosen[:, 0]] + other[chosen[:, 1]])
    return Placed(first[is_single[0]], other[is_single[1]], middle)


def stripes_start(neuron: ParticleNeuron) -> NeuronStart:
    """Return where ``simulate_stripes`` can go on from a neuron of moving ions."""
    models = slit_models(neuron.circuit, neuron.options)
    na, k = (placed_of(model, state) for model, state in zip(models, neuron.slits, strict=True))
    block_s = neuron.options.block_steps * neuron.options.step_s
    return NeuronStart(time_s=len(neuron.rows) * block_s, voltage_v=neuron.voltage_v, na=na, k=k)


def excess_shares(neuron: ParticleNeuron) -> tuple[float, float]:
    """Return the share of ions in excess of the other sign where they are, in the sodium's slit and in the other."""
    circuit = neuron.circuit
    shares: list[float] = []
    for state, width_m in zip(neuron.slits, (circuit.na_width_m, circuit.k_width_m), strict=True):
        y_m = np.clip(state.y_nm * NM, 0.0, width_m)
        cations, anions = y_m[state.species == 0], y_m[state.species == 1]
        shares.append(excess_share(cations, anions, n_pairs=circuit.n_pairs, width_m=width_m))
    return shares[0], shares[1]
