"""Direct download: a recording's own signals drive memory cells, and what the cells then hold is the map.

Every ordered pair of channels has ``cells_per_pair`` cells at the crossing of the first one's row and the second
one's column.  Beside them each row has decoy cells, whose columns carry traces of 0.15 s before (nothing can be
connected there: they show what chance does to this row's cells), and reference cells, whose columns carry a
trace plus a test potential of known size at each of the row's pulses (they show what a potential does).  After
the recording all cells are read; pairs that stand out of the decoys keep their cells, the others are cut off.
"""

from dataclasses import asdict, dataclass, field, replace
from typing import NamedTuple, cast, final

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64
from numpy import ndarray
from numpy.random import Generator, default_rng

from neurograft.cells import (
    Figure,
    Flag,
    MemoryCell,
    MemoryImage,
    PlasticState,
    ProgramAndVerify,
    PulseWriter,
    card_sha256,
    defects_of,
    plastic_state,
    pulse_writer,
)
from neurograft.errors import OptionError
from neurograft.maps import SynapseMap
from neurograft.pasting._download_image import image_of, map_of
from neurograft.pasting._download_read import Held, Reading, near_pads, read_cells
from neurograft.pasting._drive import Crossbar, Past, SecondOrder, Windows, drive
from neurograft.pasting._front_end import FrontEnd, FrontEndOptions, ticks
from neurograft.pasting._front_end_set import calibrated
from neurograft.pasting._place import Tiles
from neurograft.progress import Progress, silent
from neurograft.provenance import JsonValue, Provenance
from neurograft.recordings import Recording, Signal, n_channels
from neurograft.units import MS

_SMALLEST = 1e-6  # of the window: pulses as weak as they come
_LEAST_SPIKES = 10.0  # a row's step is that of a row that fires so often at least
_MOST_CELLS = 1 << 27  # some 60 bytes each
_AT_ONCE = 1 << 22  # pulses that are computed together
REFERENCE_Z = (-64.0, -32.0, -16.0, -8.0, -4.0, 4.0, 8.0, 16.0, 32.0, 64.0)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadOptions:
    """How signals drive the cells.  ``step`` is how far chance alone takes a cell, as a share of half the window.

    ``cell_spread`` is the sd of ln(effect of a pulse) from cell to cell, drawn for up and for down (guessed: not
    published); ``compensates_rates`` sets each row's step by its rate, so that chance takes all rows' cells equally
    far; ``relaxes`` lets each cell scatter by the card's published spread when it has been programmed.
    """

    front: FrontEndOptions = field(default_factory=FrontEndOptions)
    state: SecondOrder = field(default_factory=SecondOrder)
    step: float = 0.1
    compensates_rates: bool = True
    cells_per_pair: int = 4
    cell_spread: float = 0.1
    relaxes: bool = True
    fdr: float = 0.05
    n_decoys: int = 16
    delay_s: float = 1.5 * MS  # given to every synapse: the cells do not learn it
    tiles: Tiles = field(default_factory=Tiles)

    def __post_init__(self) -> None:
        """Refuse values that no download has."""
        for name, low, high in (
            ("step", 1e-4, 10.0),
            ("cells_per_pair", 1, 64),
            ("cell_spread", 0.0, 2.0),
            ("fdr", 1e-9, 0.5),
            ("n_decoys", 8, 1024),
            ("delay_s", 0.0, 0.1),
        ):
            if not low <= getattr(self, name) <= high:
                raise OptionError(f"{name} is {getattr(self, name)}. Give {low:g} to {high:g}.")


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Downloaded:
    """The image of the pairs that stand out, the map read from it, and the reading of all pairs."""

    image: MemoryImage
    map: SynapseMap
    reading: Reading
    front: FrontEnd
    pulses: int
    seconds: float  # recorded: the download takes as long
    energy_j: Figure

    def lines(self) -> tuple[str, ...]:
        """Return what came out, for people."""
        n = self.map.n_neurons
        n_bad = sum(1 for reason in self.front.reason if reason)
        n_silent = int(np.count_nonzero(self.front.rate_hz == 0))
        return (
            f"channels: {n}, of them {n_bad} that drive no column, {n_silent} that never fire",
            f"pairs: {n * (n - 1)}, standing out: {self.map.n_synapses} (false-discovery rate as asked, by decoys)",
            f"chance takes a cell {self.reading.chance_siemens * 1e6:.3g} uS, "
            f"the usual pair {self.reading.usual_siemens * 1e6:.3g} uS",
            f"pulses: {self.pulses}, {self.pulses / max(n * n, 1):.0f} a pair, in {self.seconds:.0f} s of recording",
            f"energy of pulses: {self.energy_j.with_unit('J')}",
        )


class _Columns(NamedTuple):
    """What drives the columns beside the pairs': decoys' and references' channels, and the test potentials."""

    decoy: Int64[ndarray, "rows decoys"]
    reference: Int64[ndarray, "rows references"]
    test: Float64[ndarray, "rows references"]  # in noises of the trace, added at each of the row's pulses


class _Circuit(NamedTuple):
    front: FrontEnd
    bar: Crossbar
    columns: _Columns
    writer: PulseWriter
    options: DownloadOptions


def download(
    recording: Recording,
    *,
    memory: MemoryCell,
    options: DownloadOptions | None = None,
    seed: int,
    progress: Progress = silent,
) -> Downloaded:
    """Return what a recording leaves in memory cells that it drives; reads it twice, memory grows with pairs only.

    The recording must hold membrane potentials or intracellular pads.  The same recording, card, options and seed
    give the same image.  Raises RecordingError or CellError where no download is possible.
    """
    options = options or DownloadOptions()
    if not 0 <= seed < 2**63:
        raise OptionError(f"seed is {seed}. Give a whole number from 0 to below 2**63.")
    if memory.levels is not None:
        raise OptionError(
            f"{memory.name} has {memory.levels} levels, and signals drive analog cells. Use rram or pram."
        )
    n, width = n_channels(recording), _width(n_channels(recording), options)
    if n * width > _MOST_CELLS:
        raise OptionError(f"{n} channels take {n * width} cells, over {_MOST_CELLS}. Leave out channels.")
    writer = pulse_writer(memory, smallest=_SMALLEST, keeps_rest=False)
    rng = default_rng(seed)
    front = calibrated(recording, options.front, progress)
    is_pad = recording.signal is not Signal.MEMBRANE_V
    options = replace(options, state=options.state.for_recording(loud_share=front.loud_share, is_pad=is_pad))
    bar, start, is_good = _new_bar(writer, n, width, options, rng)
    columns = _columns(front, recording, options, rng)
    circuit = _Circuit(front, bar, columns, writer, options)
    n_spikes = _drive_all(recording, circuit, rng, progress)
    held = Held(
        start=start.reshape(n, width),
        now=_relaxed(bar.state.g_siemens, memory, options, rng).reshape(n, width),
        is_good=is_good.reshape(n, width),
        n_spikes=n_spikes,
        test=columns.test,
        near=near_pads(recording),
    )
    reading = read_cells(held, front, memory=memory, options=options)
    provenance = Provenance(
        command="download",
        parameters=cast("dict[str, JsonValue]", asdict(options)),
        seed=seed,
        inputs={"card": card_sha256(memory)},
    )
    image = image_of(reading, held, bar.state, recording, memory=memory, options=options, provenance=provenance)
    pulses = int(bar.state.pulses.sum())
    each_j = memory.cost.pulse_j
    return Downloaded(
        image=image,
        map=map_of(image, reading, options),
        reading=reading,
        front=front,
        pulses=pulses,
        seconds=sum(recording.segment_frames) / recording.rate_hz,
        energy_j=Figure(value=None if each_j.value is None else pulses * each_j.value, evidence=each_j.evidence),
    )


def _width(n: int, options: DownloadOptions) -> int:
    return n * options.cells_per_pair + options.n_decoys + len(REFERENCE_Z)


def _new_bar(
    writer: PulseWriter, n: int, width: int, options: DownloadOptions, rng: Generator
) -> tuple[Crossbar, Float64[ndarray, " cells"], Bool[ndarray, " cells"]]:
    """Return cells programmed to mid-window, what a read of them gave, and which could be programmed."""
    cell, address = writer.cell, np.arange(n * width, dtype=np.uint64)
    middle = 0.5 * (cell.g_min_siemens + cell.g_max_siemens)
    key, defect_key = (int(k) for k in rng.integers(0, 2**63, 2))
    written = cell.write(
        np.full(n * width, middle),
        address=address,
        defect=defects_of(address, defects=cell.defects, key=defect_key),
        verify=ProgramAndVerify(max_passes=3),
        key=key,
    )
    gains = np.exp(options.cell_spread * rng.standard_normal((2, n * width), dtype=np.float32))
    gains[:, (written.flags & Flag.DEFECTIVE) > 0] = 0.0  # no pulse moves them
    state: PlasticState = plastic_state(written.g_siemens, writer)
    is_good = (written.flags & Flag.OUT_OF_BAND) == 0
    return Crossbar(state, width, gains[0], gains[1]), state.g_siemens.copy(), is_good


def _columns(front: FrontEnd, recording: Recording, options: DownloadOptions, rng: Generator) -> _Columns:
    n = front.gain.size
    usable = np.flatnonzero(front.is_usable)
    pool = usable if usable.size else np.arange(n)
    strength = np.tile(np.array(REFERENCE_Z), (n, 1))
    return _Columns(
        decoy=pool[rng.integers(0, pool.size, (n, options.n_decoys))],
        reference=pool[rng.integers(0, pool.size, (n, len(REFERENCE_Z)))],
        test=strength / np.sqrt(_expected(front, recording))[:, None],
    )


def _expected(front: FrontEnd, recording: Recording) -> Float64[ndarray, " rows"]:
    """Return the number of spikes that each row will see if its rate stays."""
    seconds = sum(recording.segment_frames) / recording.rate_hz
    return np.maximum(front.rate_hz * seconds, _LEAST_SPIKES)


def _drive_all(recording: Recording, circuit: _Circuit, rng: Generator, progress: Progress) -> Int64[ndarray, " rows"]:
    """Let the recording drive the cells; return each row's number of pulses."""
    front, bar, columns, writer, options = circuit
    n = front.gain.size
    expected = _expected(front, recording)
    if not options.compensates_rates:
        expected = np.full(n, float(np.median(expected)))
    low, high = writer.window_siemens
    step = options.step * 0.5 * (high - low) / np.sqrt(expected)
    past = Past(n, options.state, front.tick_s)
    n_spikes = np.zeros(n, dtype=np.int64)
    for stretch in ticks(recording, front, progress):
        windows = past.windows(stretch)
        for low in range(0, windows.row.size, max(_AT_ONCE // bar.width, 1)):
            some = Windows(*(part[low : low + max(_AT_ONCE // bar.width, 1)] for part in windows))
            asked = _asked(some, columns, options) * step[some.row][:, None]
            drive(bar, some.row, asked, writer, rng)
        n_spikes += np.bincount(windows.row, minlength=n)
    return n_spikes


def _asked(windows: Windows, columns: _Columns, options: DownloadOptions) -> Float32[ndarray, "spikes width"]:
    """Return what each spike asks of all cells of its row: pairs, decoys, references."""
    row = windows.row
    asked = windows.asked.copy()
    asked[np.arange(row.size), row] = 0.0  # no cell joins a neuron to itself
    decoy = np.take_along_axis(windows.decoy, columns.decoy[row], axis=1)
    reference = np.take_along_axis(windows.decoy, columns.reference[row], axis=1) + columns.test[row]
    return np.concatenate((np.repeat(asked, options.cells_per_pair, axis=1), decoy, reference), axis=1).astype(
        np.float32
    )


def _relaxed(g: Float64[ndarray, " cells"], memory: MemoryCell, options: DownloadOptions, rng: Generator) -> ndarray:
    """Return the cells after they have scattered by the card's published spread."""
    if not options.relaxes:
        return g.copy()
    return np.clip(memory.program(g, rng), memory.g_min_siemens, memory.g_max_siemens)
