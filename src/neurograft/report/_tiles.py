"""Memory tiles: what was programmed, how far it is from its target, and what that took."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from neurograft.cells import MemoryImage
from neurograft.report._blocks import Figure, Level, Note
from neurograft.report._theme import BLUE, GREY, LEVEL_SCALE, SIGNED_SCALE, axis, colour_bar, panel_title, themed
from neurograft.units import MICROSIEMENS
from neurograft.wording import counted

_MAX_SIDE: Final = 192  # of a drawn tile; larger ones are averaged in blocks
_FEW: Final = 5  # rows or columns, between which plotly would write halves


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TilePicture:
    """One tile as matrices of rows by columns, NaN where no cell is used."""

    name: str
    programmed_siemens: Float32[ndarray, "rows columns"]
    target_siemens: Float32[ndarray, "rows columns"]


def tile_pictures(image: MemoryImage, *, max_tiles: int = 3) -> tuple[TilePicture, ...]:
    """Return the tiles with most cells in use, each cut to the rows and columns that are used."""
    count = np.bincount(image.tile.astype(np.int64), minlength=1)
    chosen = np.argsort(-count, kind="stable")[:max_tiles]
    return tuple(_picture(image, int(tile)) for tile in np.sort(chosen) if count[tile])


def _picture(image: MemoryImage, tile: int) -> TilePicture:
    cells = np.flatnonzero(image.tile == tile)
    row, column = image.row[cells].astype(np.int64), image.column[cells].astype(np.int64)
    both = np.full((2, int(row.max()) + 1, int(column.max()) + 1), np.nan, dtype=np.float32)
    both[0, row, column] = image.programmed_siemens[cells]
    both[1, row, column] = image.target_siemens[cells]
    name = f"tile {tile}: {counted(cells.size, 'cell')} in use"
    return TilePicture(name=name, programmed_siemens=both[0], target_siemens=both[1])


def tiles_figure(tiles: Sequence[TilePicture]) -> Figure | Note:
    """Return for each tile a map of conductance on the left and of programming error on the right."""
    used = [tile for tile in tiles if np.isfinite(tile.programmed_siemens).any()]
    if not used:
        return Note(text="No memory cell is in use, so there is no tile to draw.", level=Level.WARNING)
    top_us = max(float(np.nanmax(tile.programmed_siemens)) for tile in used) / MICROSIEMENS
    errors = [(tile.programmed_siemens - tile.target_siemens) / MICROSIEMENS for tile in used]
    limit_us = max(float(np.nanquantile(np.abs(np.concatenate([e.ravel() for e in errors])), 0.99)), 1e-6)
    data: list[dict[str, Any]] = []
    layout: dict[str, Any] = {"annotations": [], "margin": {"r": 90, "t": 68}}
    gap = 0.14 / len(used) if len(used) > 1 else 0.0
    height = (1 - gap * (len(used) - 1)) / len(used)
    for k, (tile, error) in enumerate(zip(used, errors, strict=True)):
        top = 1 - k * (height + gap)
        span = [max(top - height, 0.0), top]
        halves = ((tile.programmed_siemens / MICROSIEMENS, [0.0, 0.40]), (error, [0.57, 0.97]))
        for j, (values, x_span) in enumerate(halves):
            suffix = "" if k + j == 0 else str(2 * k + j + 1)
            data.append(_heat(values, suffix, is_error=bool(j), limit=(top_us, limit_us)[j], bar=k == 0))
            across = "column of the tile" if k == len(used) - 1 else ""
            down = "row of the tile" if j == 0 else ""  # the error's stand beside the colour bar
            layout[f"xaxis{suffix}"] = axis(
                across, domain=x_span, anchor=f"y{suffix}", showgrid=False, **_whole_ticks(values.shape[1])
            )
            layout[f"yaxis{suffix}"] = axis(
                down, domain=span, anchor=f"x{suffix}", autorange="reversed", showgrid=False,
                **_whole_ticks(values.shape[0]),
            )  # fmt: skip
            title = ("programming error", "conductance")[j == 0]
            layout["annotations"].append(panel_title(f"{tile.name}, {title}", x=x_span[0], y=top + 0.003))
    caption = (
        f"{counted(len(used), 'tile')}, the fullest of the image. Left: conductance after programming; right: "
        f"programmed minus target, the colour stops at ±{limit_us:.3g} µS (99 % of the cells). Empty is unused. Look "
        "for whole rows or columns of one error colour: a line defect rather than chance."
    )
    height_px = 90 + 330 * len(used)
    return Figure(plot={"data": data, "layout": themed(layout)}, caption=caption, height_px=height_px)


def _whole_ticks(side: int) -> dict[str, Any]:
    """Return ticks at whole numbers for an axis of few rows or columns."""
    return {"dtick": 1} if side <= _FEW else {}


def error_figure(image: MemoryImage) -> Figure | Note:
    """Return histograms of the programming error and of the pulses over all cells of an image."""
    error_us = (image.programmed_siemens.astype(np.float64) - image.target_siemens) / MICROSIEMENS
    return error_histograms(error_us=error_us, pulses=image.pulses.astype(np.float64))


def error_histograms(*, error_us: ndarray, pulses: ndarray) -> Figure | Note:
    """Return histograms of errors in microsiemens and of pulses, one value a cell each."""
    error_us, pulses = error_us[np.isfinite(error_us)], pulses[np.isfinite(pulses)]
    if error_us.size == 0:
        return Note(text="No memory cell is in use, so there is no error to show.", level=Level.WARNING)
    limit = max(float(np.quantile(np.abs(error_us), 0.999)), 1e-9)
    data = [
        _bars(np.clip(error_us, -limit, limit), 61, (-limit, limit), "", BLUE),
        _bars(pulses, *_whole_bins(pulses), "2", GREY),
    ]
    layout = themed(
        {
            "xaxis": axis("programmed minus target (µS)", domain=[0, 0.46]),
            "yaxis": _cells_axis(data[0]),
            "xaxis2": axis("pulses a cell", domain=[0.56, 1], anchor="y2"),
            "yaxis2": _cells_axis(data[1], anchor="x2"),
            "showlegend": False,
            "bargap": 0.04,
        }
    )
    spread = f"mean {np.mean(error_us):.3g} µS and standard deviation {np.std(error_us):.3g} µS"
    caption = (
        f"{counted(error_us.size, 'cell')}: error with {spread} (the outermost bars hold what lies beyond "
        f"±{limit:.3g} µS), and {np.mean(pulses):.3g} pulses in the mean. Look for a second hump (cells that never "
        "reached their target) and for cells at the largest number of pulses."
    )
    return Figure(plot={"data": data, "layout": layout}, caption=caption, height_px=340)


def _cells_axis(bars: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a logarithmic axis from half a cell on, so that a bar of one cell is seen."""
    return axis("cells", type="log", dtick=1, range=[np.log10(0.5), np.log10(2.0 * np.nanmax(bars["y"]))], **changes)


def _whole_bins(counts: ndarray) -> tuple[int, tuple[float, float]]:
    """Return bins that are whole numbers wide, at most about 80 of them."""
    top = int(counts.max(initial=1.0))
    width = -(-(top + 1) // 80)
    n_bins = -(-(top + 1) // width)
    return n_bins, (-0.5, n_bins * width - 0.5)


def _bars(values: ndarray, n_bins: int, span: tuple[float, float], suffix: str, colour: str) -> dict[str, Any]:
    counts, edges = np.histogram(values, bins=n_bins, range=span)
    return {
        "type": "bar",
        "x": 0.5 * (edges[1:] + edges[:-1]),
        "y": np.where(counts > 0, counts, np.nan),
        "xaxis": f"x{suffix}",
        "yaxis": f"y{suffix}",
        "marker": {"color": colour},
        "hovertemplate": "%{x:.3g}: %{y} cells<extra></extra>",
    }


def _heat(values: ndarray, suffix: str, *, is_error: bool, limit: float, bar: bool) -> dict[str, Any]:
    block = -(-max(values.shape) // _MAX_SIDE)
    z = _block_mean(values, block)
    place = [np.arange(side, dtype=np.int32) * block + block // 2 for side in z.shape]
    title = "programmed - target (µS)" if is_error else "conductance (µS)"
    scale = SIGNED_SCALE if is_error else LEVEL_SCALE
    return {
        "type": "heatmap",
        "z": z,
        "y": place[0],
        "x": place[1],
        "xaxis": f"x{suffix}",
        "yaxis": f"y{suffix}",
        "colorscale": [list(stop) for stop in scale],
        "zmin": -limit if is_error else 0.0,
        "zmax": limit,
        "showscale": bar,
        "colorbar": colour_bar(title, x=0.985 if is_error else 0.405, xanchor="left"),
        "hoverongaps": False,
        "hovertemplate": "row %{y}, column %{x}: %{z:.3g} µS<extra></extra>",
    }


def _block_mean(values: ndarray, block: int) -> ndarray:
    """Return the mean of the known values in each block, NaN where there is none."""
    if block == 1:
        return values.astype(np.float32)
    rows, columns = (-(-side // block) for side in values.shape)
    padded = np.full((rows * block, columns * block), np.nan)
    padded[: values.shape[0], : values.shape[1]] = values
    blocks = padded.reshape(rows, block, columns, block)
    known = np.isfinite(blocks)
    count = known.sum(axis=(1, 3))
    total = np.where(known, blocks, 0.0).sum(axis=(1, 3))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
