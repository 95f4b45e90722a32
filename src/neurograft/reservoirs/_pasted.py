"""Any network's map as a reservoir: driven through the engine that runs maps and images, or as leaky tanh nodes."""

from dataclasses import dataclass, field
from typing import Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from numpy.random import Generator
from scipy import sparse

from neurograft.errors import OptionError, SeriesError
from neurograft.maps import SynapseMap, synapse_map
from neurograft.network import Drive, Modulation, RunOptions, run
from neurograft.reservoirs._check import checked_series
from neurograft.reservoirs._echo_state import drive_nodes, with_radius
from neurograft.units import MS, MV


@runtime_checkable
class Signs(Protocol):
    """Decides the signs of a matrix [to, from]."""

    def __call__(self, matrix: sparse.csr_array, rng: Generator) -> sparse.csr_array:
        """Return the matrix with other signs."""
        ...


def as_is(matrix: sparse.csr_array, rng: Generator) -> sparse.csr_array:
    """Return the matrix as it is.  All positive, as most connectomes come, it is the worst of reservoirs."""
    return matrix


def random_signs(matrix: sparse.csr_array, rng: Generator) -> sparse.csr_array:
    """Return each connection's size with a sign drawn by coin."""
    data = np.abs(matrix.data) * rng.choice([-1.0, 1.0], matrix.data.size)
    return sparse.csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)


@final
class Dale:
    """Gives a random ``share`` of the neurons negative output, all others positive."""

    def __init__(self, share: float = 0.2) -> None:
        if not 0 <= share <= 1:
            raise OptionError(f"share is {share}. Give 0 to 1.")
        self.share = share

    def __call__(self, matrix: sparse.csr_array, rng: Generator) -> sparse.csr_array:
        """Return each connection's size with the sign of the neuron that it comes from."""
        sign = np.where(rng.random(matrix.shape[0]) < self.share, -1.0, 1.0)
        return sparse.csr_array(
            (np.abs(matrix.data) * sign[matrix.indices], matrix.indices, matrix.indptr), matrix.shape
        )


def matrix_of(m: SynapseMap) -> sparse.csr_array:
    """Return a map's strengths in volts as a matrix [post, pre]; polysynaptic paths are left out, parallels summed."""
    used = np.flatnonzero(m.is_used)
    entries = (m.weight_v[used], (m.post[used], m.pre[used]))
    matrix = sparse.csr_array(sparse.coo_array(entries, shape=(m.n_neurons, m.n_neurons)))
    matrix.eliminate_zeros()  # an inhibitory synapse may cancel an electrical one
    return matrix


def null_matrices(matrix: sparse.csr_array, n: int, rng: Generator) -> list[sparse.csr_array]:
    """Return ``n`` null models: the same number of connections and the same strengths between random pairs."""
    size = matrix.shape[0]
    found: list[sparse.csr_array] = []
    for _ in range(n):
        place = rng.choice(size * (size - 1), matrix.nnz, replace=False)
        source, other = place // (size - 1), place % (size - 1)
        target = other + (other >= source)
        data = rng.permutation(matrix.data)
        found.append(sparse.csr_array(sparse.coo_array((data, (target, source)), shape=matrix.shape)))
    return found


@final
@dataclass(frozen=True, slots=True, eq=False)
class MapWiring:
    """A map's wiring for an echo state, which can forecast: ``EchoState(n_nodes=m.n_neurons, wiring=MapWiring(m))``."""

    network: SynapseMap = field(repr=False)
    signs: Signs = random_signs
    is_shuffled: bool = False  # the null model: the same strengths between random pairs

    def __call__(self, n_nodes: int, rng: Generator) -> sparse.csr_array:
        """Return the map's matrix, or its null model's, with its signs by the rule."""
        if n_nodes != self.network.n_neurons:
            raise OptionError(
                f"n_nodes is {n_nodes}, but the map has {self.network.n_neurons} neurons. Give as many nodes."
            )
        matrix = matrix_of(self.network)
        return self.signs(null_matrices(matrix, 1, rng)[0] if self.is_shuffled else matrix, rng)

    def __deepcopy__(self, memo: object) -> "MapWiring":
        """Return itself: nothing in it changes, and scikit-learn copies parameters when it clones."""
        return self


@final
class PastedReservoir:
    """A map, or a matrix [to, from], driven by input rows; ``states`` gives one row of node states an input row.

    Nodes are leaky tanh units; the matrix is scaled to ``radius``.  For the spiking engine see
    ``SpikingReservoir``.
    """

    def __init__(
        self,
        network: SynapseMap | Float64[ndarray, "nodes nodes"] | sparse.csr_array,
        rng: Generator,
        *,
        signs: Signs = as_is,
        radius: float = 0.95,
        leak: float = 1.0,
        input_scale: float = 0.1,
        n_columns: int = 1,
        input_share: float = 1.0,
    ) -> None:
        matrix = matrix_of(network) if isinstance(network, SynapseMap) else sparse.csr_array(network)
        if matrix.shape[0] != matrix.shape[1] or matrix.nnz == 0:
            raise SeriesError(
                f"A reservoir's matrix has shape {matrix.shape} and {matrix.nnz} entries. Give a square one."
            )
        if not np.isfinite(matrix.data).all():
            raise SeriesError("The reservoir's matrix has entries that are not finite. Leave them out.")
        self.matrix = with_radius(signs(matrix, rng), radius)
        self.leak = leak
        self._input = rng.uniform(-input_scale, input_scale, (matrix.shape[0], n_columns))
        self._input[rng.random(matrix.shape[0]) >= input_share] = 0.0

    def states(self, u: Float64[ndarray, "rows columns"]) -> Float64[ndarray, "rows nodes"]:
        """Return the nodes' states while the rows drive them from rest."""
        x = checked_series(u, min_rows=1, name="u")
        out = np.empty((x.shape[0], self.matrix.shape[0]))
        m = self.matrix
        drive_nodes(m.indptr, m.indices, m.data, x @ self._input.T, self.leak, np.zeros(out.shape[1]), out)
        return out


@final
class SpikingReservoir:
    """A map run by the network engine, each input value held for ``hold_s`` on top of a steady drive.

    ``states`` reads spikes, filtered by ``filter_s`` and sampled at the end of each hold, or with
    ``has_voltages`` the membrane potentials there.
    """

    def __init__(
        self,
        network: SynapseMap,
        rng: Generator,
        *,
        mean_v: float = 18 * MV,
        noise_v: float = 0.5 * MV,
        gain_v: float = 4 * MV,
        hold_s: float = 20 * MS,
        filter_s: float = 30 * MS,
        has_voltages: bool = False,
    ) -> None:
        self.network = network
        self.drive = (mean_v, noise_v)
        self.gain_v = rng.uniform(-gain_v, gain_v, network.n_neurons)
        self.hold_s = hold_s
        self.filter_s = filter_s
        self.has_voltages = has_voltages

    def states(self, u: Float64[ndarray, "rows 1"]) -> Float64[ndarray, "rows neurons"]:
        """Return one row of neuron states an input row; the same input gives the same states."""
        x = checked_series(u, min_rows=1, name="u")
        if x.shape[1] != 1:
            raise SeriesError(f"The spiking reservoir takes one input column, not {x.shape[1]}. Give one.")
        n, m = x.shape[0], self.network
        duration_s = n * self.hold_s
        drive = Drive(
            mean_v=np.full(m.n_neurons, self.drive[0]),
            noise_sd_v=np.full(m.n_neurons, self.drive[1]),
            modulation=Modulation(course=x[:, 0].copy(), bin_s=self.hold_s, gain_v=self.gain_v),
        )
        recorded = tuple(range(m.n_neurons)) if self.has_voltages else ()
        activity = run(m, duration_s=duration_s, seed=0, drive=drive, options=RunOptions(record_voltage_of=recorded))
        if self.has_voltages:
            per_hold = round(self.hold_s / activity.step_s)
            return np.ascontiguousarray(activity.voltage_v[per_hold - 1 :: per_hold][:n])
        trains = activity.spikes
        row = np.minimum((trains.time_s / self.hold_s).astype(int), n - 1)
        left_s = (row + 1) * self.hold_s - trains.time_s
        out = np.zeros((n, m.n_neurons))
        np.add.at(out, (row, trains.neuron), np.exp(-left_s / self.filter_s))
        fade = float(np.exp(-self.hold_s / self.filter_s))
        for t in range(1, n):
            out[t] += fade * out[t - 1]
        return out


def all_positive(m: SynapseMap) -> SynapseMap:
    """Return a map in which every synapse excites: how a connectome without signs would be pasted."""
    return synapse_map(
        n_neurons=m.n_neurons, pre=m.pre, post=m.post, weight_v=np.abs(m.weight_v), delay_s=m.delay_s, kind=m.kind,
        labels=m.labels,
    )  # fmt: skip
