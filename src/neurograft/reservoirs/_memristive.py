"""A network of memristors: voltages by Kirchhoff's law at each moment, conductances that drift with them.

Devices are metastable switches (Nugent and Molter 2014, PLoS ONE 9:e85175): each holds many two-state
switches, which flip to the conducting state with probability P_on = (dt / tc) / (1 + exp(-(V - v_on) / V_T))
and back with P_off = (dt / tc) (1 - 1 / (1 + exp(-(V + v_off) / V_T))) a step.  The expected flips are taken
here, so that equal input gives equal states.
"""

from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray
from numpy.random import Generator
from scipy import sparse
from scipy.linalg.lapack import dposv

from neurograft.errors import OptionError, SeriesError
from neurograft.reservoirs._check import checked_series

THERMAL_V: Final = 0.025680  # k T / q at 298 K
_SPREAD: Final = 0.1


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """One device's parameters: Ag-chalcogenide, as conn2res takes them from Nugent and Molter 2014.

    Conductances are of the whole device with all its switches off or on; ``spread`` is the relative standard
    deviation between devices.
    """

    on_v: float = 0.17
    off_v: float = 0.22
    time_s: float = 0.32e-3
    off_siemens: float = 0.91e-3
    on_siemens: float = 0.87e-2
    start_share: float = 0.2
    spread: float = _SPREAD


@final
class MemristiveReservoir:
    """Undirected network of memristors between nodes; some nodes are held at input voltages, some at ground.

    ``network`` is a matrix whose non-zero entries, in either direction, are devices.
    """

    def __init__(
        self,
        network: Float64[ndarray, "nodes nodes"] | sparse.csr_array,
        rng: Generator,
        *,
        inputs: Int64[ndarray, " inputs"],
        grounded: Int64[ndarray, " grounded"],
        device: Switches | None = None,
        step_s: float = 1e-4,
    ) -> None:
        device = Switches() if device is None else device
        dense = sparse.coo_array(network)
        low, high = np.minimum(dense.row, dense.col), np.maximum(dense.row, dense.col)
        pairs = np.unique(np.stack([low, high], axis=1)[(dense.data != 0) & (low != high)], axis=0)
        self.n_nodes = dense.shape[0]
        self.one, self.other = pairs[:, 0], pairs[:, 1]
        fixed = np.concatenate([inputs, grounded])
        if np.unique(fixed).size < fixed.size or inputs.size == 0 or grounded.size == 0:
            raise OptionError("Input and grounded nodes must be different nodes, at least one of each.")
        self.inputs, self.grounded = inputs, grounded
        self.inner = np.setdiff1d(np.arange(self.n_nodes), fixed)
        self._refuse_floating()
        index = np.full(self.n_nodes, -1)
        index[self.inner] = np.arange(self.inner.size)
        self._both_inner = np.flatnonzero((index[self.one] >= 0) & (index[self.other] >= 0))
        low_i, high_i = index[self.one[self._both_inner]], index[self.other[self._both_inner]]
        self._place = low_i * self.inner.size + high_i  # column low, row high: one < other, and inner is sorted
        self._step_s = step_s
        n = self.one.size

        def spread(mean: float) -> ndarray:
            return np.maximum(mean * (1 + device.spread * rng.standard_normal(n)), 1e-3 * mean)

        self._on_v, self._off_v, self._time_s = spread(device.on_v), spread(device.off_v), spread(device.time_s)
        self._off, self._on = spread(device.off_siemens), spread(device.on_siemens)
        self._start = np.clip(spread(device.start_share), 0.0, 1.0)

    def states(self, u: Float64[ndarray, "rows inputs"]) -> Float64[ndarray, "rows nodes"]:
        """Return every node's voltage while the rows hold the input nodes, from fresh devices."""
        x = checked_series(u, min_rows=1, name="u")
        if x.shape[1] != self.inputs.size:
            raise SeriesError(f"u has {x.shape[1]} columns for {self.inputs.size} input nodes. Give one column each.")
        share = self._start.copy()
        out = np.zeros((x.shape[0], self.n_nodes))
        for t, row in enumerate(x):
            out[t] = self._voltages(share, row)
            share = self._drifted(share, out[t, self.one] - out[t, self.other])
        return out

    def _voltages(self, share: ndarray, row: ndarray) -> ndarray:
        """Solve Kirchhoff's current law at the inner nodes: (diagonal - conductances) v = current from held nodes."""
        siemens = self._off + share * (self._on - self._off)
        volts = np.zeros(self.n_nodes)
        volts[self.inputs] = row
        n = self.inner.size
        to_one = np.bincount(self.one, siemens, self.n_nodes)
        diagonal = (to_one + np.bincount(self.other, siemens, self.n_nodes))[self.inner]
        held = np.bincount(self.one, siemens * volts[self.other], self.n_nodes)
        current = (held + np.bincount(self.other, siemens * volts[self.one], self.n_nodes))[self.inner]
        laplacian = np.zeros(n * n)  # by columns, lower triangle: what LAPACK takes
        laplacian[self._place] = -siemens[self._both_inner]
        laplacian[:: n + 1] = diagonal
        _, found, flaw = dposv(laplacian.reshape((n, n), order="F"), current, lower=1, overwrite_a=1)
        if flaw:
            raise SeriesError("The network's conductances became singular. Use more grounded nodes.")
        volts[self.inner] = found
        return volts

    def _drifted(self, share: ndarray, across: ndarray) -> ndarray:
        rate = np.minimum(self._step_s / self._time_s, 1.0)
        on = rate / (1 + np.exp(-(across - self._on_v) / THERMAL_V))
        off = rate * (1 - 1 / (1 + np.exp(-(across + self._off_v) / THERMAL_V)))
        return np.clip(share + (1 - share) * on - share * off, 0.0, 1.0)

    def _refuse_floating(self) -> None:
        ones = np.ones(self.one.size)
        graph = sparse.coo_array((ones, (self.one, self.other)), shape=(self.n_nodes, self.n_nodes))
        _, part = sparse.csgraph.connected_components(graph, directed=False)
        held = np.unique(part[np.concatenate([self.inputs, self.grounded])])
        floating = np.flatnonzero(~np.isin(part, held))
        if floating.size:
            raise SeriesError(
                f"Node {floating[0]} and {floating.size - 1} more are connected to no input or grounded node, so their "
                "voltage is undefined. Take the largest connected part of the network."
            )
