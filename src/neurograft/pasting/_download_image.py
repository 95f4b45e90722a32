"""The image and the map that a direct download leaves."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.cells import (
    ROOM_TEMPERATURE_K,
    Code,
    Flag,
    LogEntry,
    MemoryCell,
    MemoryImage,
    Nodes,
    PlasticState,
    image_to_map,
    to_ns,
)
from neurograft.maps import Evidence, Kind, SynapseMap, Undecidable, synapse_map
from neurograft.pasting._download_read import Held, Reading
from neurograft.pasting._place import tile_table
from neurograft.provenance import Provenance
from neurograft.recordings import Recording

if TYPE_CHECKING:
    from neurograft.pasting._download import DownloadOptions

_N_GAINS = 200  # of columns and rows, in equal ratios: fewer than 256 parts
_MOST_PULSES = 65_535


def image_of(
    reading: Reading,
    held: Held,
    state: PlasticState,
    recording: Recording,
    *,
    memory: MemoryCell,
    options: "DownloadOptions",
    provenance: Provenance,
) -> MemoryImage:
    """Return the cells of the pairs that stand out.

    Weight 0 is mid-window, and both signs are kept; a cell's part is the gain of its row and column, rounded to one
    of 200 in equal ratios.
    ``target_siemens`` is what the cell would hold for its weight if chance and its first state were taken out.
    """
    n, m = len(recording.channel_labels), options.cells_per_pair
    pre, post = np.nonzero(reading.q <= options.fdr)
    good = held.is_good[:, : n * m].reshape(n, n, m)[pre, post]
    n_good = good.sum(axis=1)
    gain, part_of = _gains(reading.full_scale_v[pre, post] / np.maximum(n_good, 1))
    synapse, cell = np.nonzero(good)
    row, column = pre[synapse], post[synapse] * m + cell
    middle, top = 0.5 * (memory.g_min_siemens + memory.g_max_siemens), memory.g_max_siemens
    full_v = float(gain.max())
    code = Code(full_scale_v=full_v, exponent=reading.exponent, zero_siemens=middle, top_siemens=top)
    tiles = options.tiles
    tile = (row // tiles.rows) * -(-n * m // tiles.columns) + column // tiles.columns
    tile = np.unique(tile, return_inverse=True)[1] if tile.size else tile
    order = np.lexsort((column % tiles.columns, row % tiles.rows, tile))
    synapse, row, column, tile = synapse[order], row[order], column[order], tile[order]
    g = held.now[row, column]
    n_tiles = int(tile.max(initial=-1)) + 1
    table = tile_table(tile, row % tiles.rows, column % tiles.columns, tiles=tiles, n_tiles=n_tiles)
    target = np.clip(middle + reading.moved_siemens[pre, post][synapse], memory.g_min_siemens, top)
    pulses = state.pulses.reshape(held.now.shape)[row, column]
    ends = (g <= memory.g_min_siemens) | (g >= top)
    return MemoryImage(
        cell=memory,
        code=code,
        part_gain=tuple(float(x) for x in gain / full_v),
        tiles=table,
        nodes=Nodes(
            labels=tuple(recording.channel_labels),
            position_um=np.column_stack((recording.position_um, np.zeros(n))),
            sign=_signs(reading, options.fdr),
            model=("",) * n,
        ),
        tile=tile.astype(np.uint32),
        row=(row % tiles.rows).astype(np.uint16),
        column=(column % tiles.columns).astype(np.uint16),
        layer=table.layer[tile],
        target_siemens=target.astype(np.float32),
        programmed_siemens=g.astype(np.float32),
        pulses=np.minimum(pulses, _MOST_PULSES).astype(np.uint16),
        flags=np.where(ends, Flag.CLIPPED, 0).astype(np.uint8),
        pre=pre[synapse].astype(np.int32),
        post=post[synapse].astype(np.int32),
        delay_ns=to_ns(np.full(synapse.size, options.delay_s)),
        sign=np.ones(synapse.size, dtype=np.int8),
        kind=np.full(synapse.size, Kind.CHEMICAL, dtype=np.uint8),
        part=part_of[synapse],
        synapse=synapse.astype(np.int32),
        n_left_out=0,
        log=(
            LogEntry(
                what="driven by a recording",
                duration_s=sum(recording.segment_frames) / recording.rate_hz,
                temperature_k=ROOM_TEMPERATURE_K,
            ),
        ),
        provenance=provenance,
    )


def map_of(image: MemoryImage, reading: Reading, options: "DownloadOptions") -> SynapseMap:
    """Return the map that the image holds, with the evidence of all pairs."""
    back = image_to_map(image, rng=np.random.default_rng(image.provenance.seed))
    z = reading.z
    hidden = ~np.isfinite(z)
    undecidable = np.where(hidden, Undecidable.SILENT, Undecidable.DECIDED).astype(np.uint8)
    undecidable[reading.near] = Undecidable.CROSS_TALK
    np.fill_diagonal(undecidable, Undecidable.DECIDED)
    half = image.code.top_siemens - image.code.zero_siemens
    chance = reading.chance_siemens / half
    limit = np.where(hidden, np.nan, reading.full_scale_v * (_LIMIT_Z * chance) ** (1 / reading.exponent))
    moved = np.maximum(np.abs(reading.moved_siemens[back.pre, back.post]) / half, chance)
    return synapse_map(
        n_neurons=back.n_neurons,
        pre=back.pre,
        post=back.post,
        weight_v=back.weight_v,
        delay_s=back.delay_s,
        kind=back.kind,
        weight_se_v=np.abs(back.weight_v) * chance / moved / reading.exponent,
        q_value=reading.q[back.pre, back.post],
        labels=back.labels,
        position_um=back.position_um,
        sign=back.sign,
        evidence=Evidence(z=z.astype(np.float32), limit_v=limit.astype(np.float32), undecidable=undecidable),
        provenance=image.provenance,
    )


_LIMIT_Z = 4.0  # what is found about half of the time among tens of thousands of pairs


def _gains(
    volts_per_siemens: Float64[ndarray, " synapses"],
) -> tuple[Float64[ndarray, " gains"], ndarray]:
    """Return gains in equal ratios over their range, and the nearest for each synapse."""
    if volts_per_siemens.size == 0:
        return np.ones(1), np.zeros(0, dtype=np.uint8)
    low, high = np.log(volts_per_siemens.min()), np.log(volts_per_siemens.max())
    if high - low < 1e-9:
        return np.array([float(np.exp(low))]), np.zeros(volts_per_siemens.size, dtype=np.uint8)
    at = np.rint((np.log(volts_per_siemens) - low) / (high - low) * (_N_GAINS - 1)).astype(np.uint8)
    return np.exp(np.linspace(low, high, _N_GAINS)), at


def _signs(reading: Reading, fdr: float) -> ndarray:
    """Return each neuron's sign by what its outputs that stand out weigh together; 0 where it has none."""
    total = np.where(reading.q <= fdr, np.nan_to_num(reading.z), 0.0).sum(axis=1)
    return np.sign(total).astype(np.int8)
