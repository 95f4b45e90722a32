"""Cells of used rows and columns that hold no synapse: what they do to the sums.

On sparse maps they outnumber the used cells fifty to one.  Either they do not conduct, or they hold weight 0
with the spread of cells programmed to it; then n0 of them on active rows add n0*m0 +- sqrt(n0)*s0 to a sum,
and each defective one among them is a synapse that nobody wanted.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Float64, Int64, UInt8
from numpy import ndarray
from numpy.random import Generator

from neurograft.cells._defects import LEAKY, STUCK_LOW, defects_of
from neurograft.cells._image import MemoryImage
from neurograft.cells._protocol import OneShot, ProgramAndVerify
from neurograft.errors import ImageError

_N_ZERO_CELLS = 1 << 14
_CHUNK = 1 << 22  # cells looked at together
_MOST_FIXED = 1 << 26  # cells that are kept one by one
_NONE = np.zeros(0, dtype=np.int64)
_ONCE = OneShot()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AbsentUnused:
    """Unused cells do not conduct: never formed (RRAM), or cut off by their transistor."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ZeroUnused:
    """Unused cells are programmed to weight 0: once (the naive crossbar), or in a closed loop, which costs pulses.

    With ``is_balanced`` a counter of active rows takes away what the mean zero cell adds.  Unused cells of the
    chip that are dead, stuck or leaky are where pasting left them; ``has_defects`` False leaves them out.

    A sum draws what its unused cells add, as if they were other cells each time.  With ``is_fixed`` every one of
    them is programmed once, by the chip's key, and is the same in all sums: right for what is asked of many sums of
    one chip, but as slow and as large as the whole crossbar.
    """

    verify: ProgramAndVerify | OneShot = _ONCE
    is_balanced: bool = False
    has_defects: bool = True
    is_fixed: bool = False


class ZeroCells(NamedTuple):
    """What a cell programmed to weight 0 is worth in volts, and the pulses that it takes."""

    mean_v: float
    sd_v: float
    pulses: float


class Lines(NamedTuple):
    """Rows and columns of tiles that are in use, each with its neuron and sign."""

    row_tile: Int64[ndarray, " rows"]
    row: Int64[ndarray, " rows"]
    row_pre: Int64[ndarray, " rows"]
    row_sign: Float64[ndarray, " rows"]
    column_tile: Int64[ndarray, " columns"]
    column: Int64[ndarray, " columns"]
    column_post: Int64[ndarray, " columns"]
    column_sign: Float64[ndarray, " columns"]
    is_by_row: bool


def lines_of(image: MemoryImage) -> Lines:
    """Return the rows and columns in use.

    A row of a differential pair feeds both signs: its unused pairs cancel but for their spread; the sign of
    its first cell is taken.
    """
    tile, sign = image.tile.astype(np.int64), image.sign.astype(np.float64)
    _, row, row_of = np.unique(tile * image.tiles.rows + image.row, return_index=True, return_inverse=True)
    _, column = np.unique(tile * image.tiles.columns + image.column, return_index=True)
    return Lines(
        row_tile=tile[row],
        row=image.row[row].astype(np.int64),
        row_pre=image.pre[row].astype(np.int64),
        row_sign=sign[row],
        column_tile=tile[column],
        column=image.column[column].astype(np.int64),
        column_post=image.post[column].astype(np.int64),
        column_sign=sign[column],
        is_by_row=bool(np.all(sign[row][row_of] == sign)),
    )


class Extra(NamedTuple):
    """Unused cells one by one: weight in volts (its sign apart) and the variance of its readings."""

    pre: Int64[ndarray, " cells"]
    post: Int64[ndarray, " cells"]
    sign: Float64[ndarray, " cells"]
    weight_v: Float64[ndarray, " cells"]
    noise_v2: Float64[ndarray, " cells"]


def zero_cells(image: MemoryImage, how: ZeroUnused, *, age_s: float, temperature_k: float, rng: Generator) -> ZeroCells:
    """Return mean and sd of the weight of a healthy cell that was programmed to 0 and has aged."""
    cell, target = image.cell, np.full(_N_ZERO_CELLS, image.code.zero_siemens)
    if isinstance(how.verify, OneShot):
        programmed, pulses = cell.program(target, rng), 1.0
    else:
        written = cell.write(
            target,
            address=np.arange(target.size, dtype=np.uint64),
            defect=np.zeros(target.size, dtype=np.uint8),
            verify=how.verify,
            key=int(rng.integers(2**63)),
        )
        programmed, pulses = written.g_siemens, float(written.pulses.mean())
    g = cell.age(programmed, age_s=age_s, temperature_k=temperature_k, rng=rng)
    g = cell.read(g, programmed_siemens=programmed, age_s=age_s, temperature_k=temperature_k, rng=rng)
    volts = float(np.mean(image.part_gain)) * image.code.to_volts(g)
    return ZeroCells(float(np.mean(volts)), float(np.std(volts)), pulses)


def n_unused(image: MemoryImage) -> int:
    """Return how many cells lie on a used row and a used column and hold nothing."""
    return int(np.sum(image.tiles.n_rows.astype(np.int64) * image.tiles.n_columns)) - image.n_cells


def defective_unused(image: MemoryImage, lines: Lines) -> Extra:
    """Return every unused cell of the chip that is defective; it reads exactly."""
    row, column, kind = [_NONE], [_NONE], [_NONE.astype(np.uint8)]
    if image.chip is not None and not image.is_partial:
        for place in _places(image, lines):
            found = defects_of(place.address.astype(np.uint64), defects=image.chip.defects, key=image.chip.key)
            bad = np.flatnonzero(found)
            row.append(place.row[bad])
            column.append(place.column[bad])
            kind.append(found[bad])
    g = _shown(image, np.concatenate(kind))
    return _extra(image, lines, (np.concatenate(row), np.concatenate(column)), g, np.zeros(g.size))


def fixed_unused(image: MemoryImage, lines: Lines, how: ZeroUnused, *, age_s: float, temperature_k: float) -> Extra:
    """Return every unused cell, programmed to weight 0 and aged: the same each time, as the chip's key decides."""
    if image.chip is None or image.is_partial:
        raise ImageError("The unused cells of this image are not known one by one. Load it whole, or paste it anew.")
    if n_unused(image) > _MOST_FIXED:
        raise ImageError(
            f"{n_unused(image)} unused cells cannot be kept one by one, only {_MOST_FIXED} can. Leave is_fixed out."
        )
    cell, chip = image.cell, image.chip
    row, column, g_siemens, sd_siemens = [_NONE], [_NONE], [np.zeros(0)], [np.zeros(0)]
    for k, place in enumerate(_places(image, lines)):
        address, rng = place.address.astype(np.uint64), np.random.default_rng((chip.key, k))
        target = np.full(address.size, image.code.zero_siemens)
        kind = defects_of(address, defects=chip.defects, key=chip.key) * np.uint8(how.has_defects)
        if isinstance(how.verify, OneShot):
            programmed = np.where(kind > 0, _shown(image, kind), cell.program(target, rng))
        else:
            programmed = cell.write(target, address=address, defect=kind, verify=how.verify, key=chip.key).g_siemens
        g = cell.age(programmed, age_s=age_s, temperature_k=temperature_k, rng=rng)
        sd = cell.read_noise_siemens(g, programmed_siemens=programmed, age_s=age_s)
        if cell.levels is not None:
            g = cell.read(g, programmed_siemens=programmed, age_s=age_s, temperature_k=temperature_k, rng=rng)
        row.append(place.row)
        column.append(place.column)
        g_siemens.append(g)
        sd_siemens.append(sd)
    at = np.concatenate(row), np.concatenate(column)
    return _extra(image, lines, at, np.concatenate(g_siemens), np.concatenate(sd_siemens))


class _Places(NamedTuple):
    """Unused cells where a used row crosses a used column of its tile; rows and columns are entries of ``Lines``."""

    row: Int64[ndarray, " places"]
    column: Int64[ndarray, " places"]
    address: Int64[ndarray, " places"]


def _places(image: MemoryImage, lines: Lines) -> Iterator[_Places]:
    """Yield all places, tile after tile, about ``_CHUNK`` at a time."""
    shape, n_tiles = image.tiles, image.tiles.n_tiles
    used = (image.tile.astype(np.int64) * shape.rows + image.row) * shape.columns + image.column
    first_row, first_column = (np.searchsorted(t, np.arange(n_tiles + 1)) for t in (lines.row_tile, lines.column_tile))
    per_tile = np.diff(first_row) * np.diff(first_column)
    stops = np.searchsorted(np.cumsum(per_tile), np.arange(_CHUNK, per_tile.sum() + _CHUNK, _CHUNK), side="right")
    begin = 0
    for stop in np.unique(np.minimum(stops + 1, n_tiles)):
        size = per_tile[begin:stop]
        tile = np.repeat(np.arange(begin, stop), size)
        at = np.arange(tile.size) - np.repeat(np.cumsum(size) - size, size)
        width = np.diff(first_column)[tile]
        row, column = first_row[tile] + at // np.maximum(width, 1), first_column[tile] + at % np.maximum(width, 1)
        address = (tile * shape.rows + lines.row[row]) * shape.columns + lines.column[
            column
        ]  # they rise, as do ``used``
        free = np.ones(address.size, dtype=bool)
        here = slice(*np.searchsorted(image.tile, (begin, stop)))
        free[np.searchsorted(address, used[here])] = False
        yield _Places(row[free], column[free], address[free])
        begin = int(stop)


def _shown(image: MemoryImage, kind: UInt8[ndarray, " cells"]) -> Float64[ndarray, " cells"]:
    """Return what a defective cell of a kind conducts."""
    cell = image.cell
    return np.where(kind == LEAKY, cell.g_max_siemens, np.where(kind == STUCK_LOW, cell.g_min_siemens, 0.0))


def _extra(
    image: MemoryImage,
    lines: Lines,
    at: tuple[Int64[ndarray, " cells"], Int64[ndarray, " cells"]],
    g_siemens: Float64[ndarray, " cells"],
    sd_siemens: Float64[ndarray, " cells"],
) -> Extra:
    row, column = at
    gain = float(np.mean(image.part_gain))
    sign = lines.row_sign[row] if lines.is_by_row else lines.column_sign[column]
    noise_v2 = (gain * image.volts_per_siemens * sd_siemens) ** 2
    return Extra(lines.row_pre[row], lines.column_post[column], sign, gain * image.code.to_volts(g_siemens), noise_v2)
