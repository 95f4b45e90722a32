"""What a map is, in ten lines."""

import numpy as np
from numpy import ndarray

from neurograft.maps._map import Kind, SynapseMap, Undecidable
from neurograft.maps._noise import measured_noise, stated_noise_v
from neurograft.maps._pads import assumed_action_potential_v
from neurograft.units import MS, MV
from neurograft.wording import counted


def describe(m: SynapseMap) -> tuple[str, ...]:
    """Return at most ten lines for a person: size, signs, kinds, strengths, delays, errors, origin."""
    n_pairs = m.n_neurons * (m.n_neurons - 1)
    chemical = m.weight_v[(m.kind != Kind.ELECTRICAL) & (m.kind != Kind.UNDECIDED)]
    signs = f"{_part(m.sign > 0)} excitatory, {_part(m.sign < 0)} inhibitory, {_part(m.sign == 0)} unknown or mixed"
    noise = measured_noise(m)
    if noise is not None:
        signs += f"; membrane noise {1e3 * np.nanmedian(noise.sd_v):.2g} mV, {1e3 * np.nanmedian(noise.tau_s):.2g} ms"
    lines = [f"synaptic map: {counted(m.n_neurons, 'neuron')}, {counted(m.n_synapses, 'synapse')}", f"neurons: {signs}"]
    if m.n_synapses:
        density = np.unique(m.pre.astype(np.int64)[m.pre != m.post] * m.n_neurons + m.post[m.pre != m.post]).size
        lines[0] += f", {100 * density / max(n_pairs, 1):.3g} % of ordered pairs joined"
        kinds = [f"{np.sum(m.kind == k)} {k.name.lower().replace('_', ' ')}" for k in Kind if np.any(m.kind == k)]
        lines.append("kinds: " + ", ".join(kinds))
        lines.append(
            f"signs: {np.sum(chemical > 0)} excite, {np.sum(chemical < 0)} inhibit "
            "(electrical and undecided ones not counted)"
        )
        noise_v = stated_noise_v(m)
        stated = "" if noise_v is None else f"; in {noise_v / MV:g} mV of noise"
        pad_v = assumed_action_potential_v(m)
        stated += "" if pad_v is None else f"; assumes action potentials {pad_v / MV:g} mV over the mean potential"
        lines.append(f"|weight|: {_quartiles(np.abs(m.weight_v) / MV, 'mV')}{stated}")
        lines.append(f"delay: {_quartiles(m.delay_s / MS, 'ms')}")
        known = np.isfinite(m.q_value)
        if known.any():
            lines.append(f"q-values: {known.sum()} known, largest {np.nanmax(m.q_value):.3g}")
    if m.evidence is not None:
        codes = m.evidence.undecidable[~np.eye(m.n_neurons, dtype=bool)]
        told = [f"{np.sum(codes == u)} {u.name.lower().replace('_', ' ')}" for u in Undecidable if np.any(codes == u)]
        lines.append(f"evidence on {codes.size} ordered pairs: " + ", ".join(told))
    if m.provenance is not None:
        made = f"made by: neurograft {m.provenance.version} {m.provenance.command}"
        seed = "" if m.provenance.seed is None else f", seed {m.provenance.seed}"
        lines.append(made + seed + "".join(f", from {name}" for name in list(m.provenance.inputs)[:3]))
        flags = m.provenance.parameters.get("flags")
        lines += [f"flagged: {flag}" for flag in flags] if isinstance(flags, list) else []
    return tuple(lines)


def _part(mask: ndarray) -> str:
    return str(int(np.sum(mask)))


def _quartiles(values: ndarray, unit: str) -> str:
    low, first, median, third, high = np.quantile(values, [0, 0.25, 0.5, 0.75, 1])
    return f"median {median:.3g} {unit}, half between {first:.3g} and {third:.3g}, all between {low:.3g} and {high:.3g}"
