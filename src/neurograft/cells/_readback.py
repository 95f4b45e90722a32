"""Reading an image back: every used cell is aged, read and decoded, and the cells of a synapse are added."""

import numpy as np
from numpy.random import Generator

from neurograft.cells._card_files import card_sha256
from neurograft.cells._image import MemoryImage, from_ns
from neurograft.cells._protocol import ROOM_TEMPERATURE_K, Flag
from neurograft.errors import ImageError
from neurograft.maps import NOISE_KEY, Kind, SynapseMap, stated_noise_v, synapse_map
from neurograft.provenance import Provenance


def image_to_map(
    image: MemoryImage, *, age_s: float = 0.0, temperature_k: float = ROOM_TEMPERATURE_K, rng: Generator
) -> SynapseMap:
    """Return the map that the memory holds ``age_s`` after programming, read once with noise; weights in volts.

    A cell that read noise has pushed beyond weight 0 gives a weight of the other sign.  Standard errors
    and q-values are not stored in cells and come back as not known.  A partly loaded image gives the
    synapses of the loaded tiles.
    """
    programmed = image.programmed_siemens.astype(np.float64)
    g = image.cell.age(programmed, age_s=age_s, temperature_k=temperature_k, rng=rng)
    g = image.cell.read(g, programmed_siemens=programmed, age_s=age_s, temperature_k=temperature_k, rng=rng)
    signed = image.sign * np.array(image.part_gain)[image.part] * image.code.to_volts(g)
    synapse, first, place = np.unique(image.synapse, return_index=True, return_inverse=True)
    weight_v = np.bincount(place, weights=signed, minlength=synapse.size)
    nodes = image.nodes
    return synapse_map(
        n_neurons=nodes.n_neurons,
        pre=image.pre[first],
        post=image.post[first],
        weight_v=weight_v.astype(np.float64),
        delay_s=from_ns(image.delay_ns[first]),
        kind=image.kind[first],
        labels=nodes.labels,
        position_um=nodes.position_um,
        sign=nodes.sign,
        model=nodes.model,
        extra={name: column[synapse] for name, column in image.beside.items()},
        neuron_extra=nodes.extra,
        provenance=Provenance(
            command="image_to_map",
            parameters={
                "age_s": age_s,
                "temperature_k": temperature_k,
                "card": image.cell.name,
                NOISE_KEY: stated_noise_v(image.provenance),
            },
            seed=image.provenance.seed,
            inputs={"card": card_sha256(image.cell), **image.provenance.inputs},
        ),
    )


def describe(image: MemoryImage) -> tuple[str, ...]:
    """Return what the image is in at most ten lines, for people."""
    if image.tiles.rows * image.tiles.columns < 1:
        raise ImageError("The tiles have no cells. Give tiles of at least one row and one column.")
    tiles, n = image.tiles, image.n_cells
    n_synapses = np.unique(image.synapse).size
    failed = int(np.count_nonzero(image.flags & Flag.OUT_OF_BAND))
    clipped = int(np.count_nonzero(image.flags & Flag.CLIPPED))
    electrical = int(np.count_nonzero(image.kind == Kind.ELECTRICAL))
    pulses = int(image.pulses.sum(dtype=np.int64))
    life = ", ".join(f"{e.what} {e.duration_s:g} s at {e.temperature_k:g} K" for e in image.log)
    part = " (only some tiles are loaded)" if image.is_partial else ""
    used = int(tiles.n_cells.sum()) / max(tiles.n_tiles * tiles.rows * tiles.columns, 1)
    return (
        f"memory image{part}: {n_synapses} synapses of {image.nodes.n_neurons} neurons in {n} cells",
        f"card: {image.cell.name} ({image.cell.header.source}), sha256 {card_sha256(image.cell)[:12]}",
        f"tiles: {tiles.n_tiles} of {tiles.rows} x {tiles.columns}, {tiles.spare_rows} rows spare, {used:.2%} used",
        f"window: {image.cell.g_min_siemens * 1e6:g} to {image.cell.g_max_siemens * 1e6:g} uS, "
        f"full scale {image.code.full_scale_v * 1e3:g} mV, exponent {image.code.exponent:g}",
        f"pulses: {pulses}, {pulses / max(n, 1):.2f} a cell",
        f"out of band: {failed} cells; clipped at full scale: {clipped} cells; electrical: {electrical} cells",
        f"left out: {image.n_left_out} polysynaptic paths and undecided kinds, which are never pasted",
        f"life: {life or 'just programmed'}",
        f"made by: neurograft {image.provenance.version}, {image.provenance.command}, seed {image.provenance.seed}",
    )
