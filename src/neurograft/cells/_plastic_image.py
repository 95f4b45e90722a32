"""The cells of a memory image as plastic synapses, and the image that is left when learning ends."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from neurograft.cells._image import LogEntry, MemoryImage
from neurograft.cells._plastic import PlasticState, PlasticWriter, plastic_state
from neurograft.cells._protocol import ROOM_TEMPERATURE_K
from neurograft.errors import ImageError

_MOST_PULSES = 65_535


class PlasticCells(NamedTuple):
    """Where the synapses of an image lie; entry i is synapse i of ``image_to_map(image)``.

    A synapse on several cells is changed on the one that counts most (``cell``); the others keep what they hold.
    """

    state: PlasticState  # one entry for each cell of the image
    cell: Int64[ndarray, " synapses"]
    siemens_per_v: Float64[ndarray, " synapses"]  # signed: a change of weight_v times this is the cell's change


def plastic_cells(image: MemoryImage, writer: PlasticWriter) -> PlasticCells:
    """Return the image's cells, ready to be changed; the image itself stays as it is.

    Raises ImageError where a change of weight is no proportional change of conductance (a companded code or levels).
    """
    if image.code.exponent != 1.0 or image.code.levels_v:
        raise ImageError("The image's code is not linear. Paste with a linear encoder (Overflow) before learning.")
    if image.is_partial:
        raise ImageError("Only some tiles of this image are loaded. Load all of it before learning.")
    gain = np.array(image.part_gain)[image.part]
    order = np.lexsort((np.arange(image.n_cells), -gain, image.synapse))
    first = order[np.flatnonzero(np.diff(image.synapse[order], prepend=-1))]
    state = plastic_state(image.programmed_siemens.astype(np.float64), writer)
    return PlasticCells(state, first, image.sign[first] / (gain[first] * image.volts_per_siemens))


def plastic_weights_v(image: MemoryImage, state: PlasticState) -> Float64[ndarray, " synapses"]:
    """Return the weight that each synapse has now, sign included, without read noise."""
    signed = image.sign * np.array(image.part_gain)[image.part] * image.code.to_volts(state.g_siemens)
    synapse, place = np.unique(image.synapse, return_inverse=True)
    return np.bincount(place, weights=signed, minlength=synapse.size)


def image_after(
    image: MemoryImage, state: PlasticState, *, duration_s: float, temperature_k: float = ROOM_TEMPERATURE_K
) -> MemoryImage:
    """Return the image with what its cells hold after learning; pulses are added to those of pasting."""
    pulses = np.minimum(image.pulses + state.pulses, _MOST_PULSES).astype(np.uint16)
    learnt = LogEntry(what="learnt while running", duration_s=duration_s, temperature_k=temperature_k)
    return replace(
        image,
        programmed_siemens=state.g_siemens.astype(np.float32),
        pulses=pulses,
        log=(*image.log, learnt),
    )
