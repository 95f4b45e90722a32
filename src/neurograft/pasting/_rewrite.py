"""Programming some cells of an image anew."""

from dataclasses import replace

import numpy as np
from jaxtyping import Int64, UInt64
from numpy import ndarray

from neurograft.cells import Flag, LogEntry, MemoryImage, Written

_MOST_PULSES = 65_535


def addresses(image: MemoryImage) -> UInt64[ndarray, " cells"]:
    """Return a number for each cell's place on the tiles, the one that its random numbers hang on."""
    shape = image.tiles
    place = (image.tile.astype(np.uint64) * shape.rows + image.row) * np.uint64(shape.columns) + image.column
    return place.astype(np.uint64)


def rewritten(
    image: MemoryImage, at: Int64[ndarray, " chosen"], written: Written, *, log: tuple[LogEntry, ...] = ()
) -> MemoryImage:
    """Return the image in which the cells ``at`` hold what was written; pulses are added up."""
    g, pulses, flags = image.programmed_siemens.copy(), image.pulses.astype(np.int64), image.flags.copy()
    g[at] = written.g_siemens
    pulses[at] += written.pulses
    flags[at] = (flags[at] & ~np.uint8(Flag.OUT_OF_BAND)) | written.flags
    return replace(
        image,
        programmed_siemens=g,
        pulses=np.minimum(pulses, _MOST_PULSES).astype(np.uint16),
        flags=flags,
        log=(*image.log, *log),
    )
