"""Cells of used rows and columns that hold no synapse: what they do to the sums.

On sparse maps they outnumber the used cells fifty to one.  Either they do not conduct, or they hold weight 0
with the spread of cells programmed to it; then n0 of them on active rows add n0*m0 +- sqrt(n0)*s0 to a sum,
and each defective one among them is a synapse that nobody wanted.
"""

from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray
from numpy.random import Generator

from neurograft.cells._defects import LEAKY, STUCK_LOW, defects_of
from neurograft.cells._image import MemoryImage
from neurograft.cells._protocol import OneShot, ProgramAndVerify

_N_ZERO_CELLS = 1 << 14
_CHUNK = 1 << 22  # cells looked at together
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
    """

    verify: ProgramAndVerify | OneShot = _ONCE
    is_balanced: bool = False
    has_defects: bool = True


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


def defective_unused(
    image: MemoryImage, lines: Lines
) -> tuple[Int64[ndarray, " cells"], Int64[ndarray, " cells"], Float64[ndarray, " cells"], Float64[ndarray, " cells"]]:
    """Return pre, post, sign and weight in volts of every unused cell of the chip that is defective."""
    nothing = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0)
    if image.chip is None or image.is_partial:
        return nothing
    shape = image.tiles
    n_tiles = shape.n_tiles
    first_row, first_column = (np.searchsorted(t, np.arange(n_tiles + 1)) for t in (lines.row_tile, lines.column_tile))
    used = (image.tile.astype(np.int64) * shape.rows + image.row) * shape.columns + image.column
    found: list[tuple[ndarray, ndarray, ndarray]] = []
    per_tile = np.diff(first_row) * np.diff(first_column)
    stops = np.searchsorted(np.cumsum(per_tile), np.arange(_CHUNK, per_tile.sum() + _CHUNK, _CHUNK), side="right")
    begin = 0
    for stop in np.unique(np.minimum(stops + 1, n_tiles)):
        size = per_tile[begin:stop]
        tile = np.repeat(np.arange(begin, stop), size)
        at = np.arange(tile.size) - np.repeat(np.cumsum(size) - size, size)
        width = np.diff(first_column)[tile]
        row, column = first_row[tile] + at // np.maximum(width, 1), first_column[tile] + at % np.maximum(width, 1)
        address = (tile * shape.rows + lines.row[row]) * shape.columns + lines.column[column]
        kind = defects_of(address.astype(np.uint64), defects=image.chip.defects, key=image.chip.key)
        bad = np.flatnonzero(kind)
        bad = bad[~np.isin(address[bad], used)]
        found.append((row[bad], column[bad], kind[bad]))
        begin = int(stop)
    row, column, kind = (np.concatenate(c) for c in zip(*found, strict=True)) if found else (*nothing[:2], nothing[2])
    cell = image.cell
    g = np.where(kind == LEAKY, cell.g_max_siemens, np.where(kind == STUCK_LOW, cell.g_min_siemens, 0.0))
    sign = lines.row_sign[row] if lines.is_by_row else lines.column_sign[column]
    volts = float(np.mean(image.part_gain)) * image.code.to_volts(g)
    return lines.row_pre[row], lines.column_post[column], sign, volts
