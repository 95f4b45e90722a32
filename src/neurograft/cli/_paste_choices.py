"""From the words of ``neurograft paste`` to the objects that do the steps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, final

from neurograft.errors import CellError, OptionError, did_you_mean
from neurograft.units import DAY, HOUR, YEAR

if TYPE_CHECKING:
    import numpy as np

    from neurograft.cells import AbsentUnused, Defects, MemoryCell, ZeroUnused
    from neurograft.maps import SynapseMap
    from neurograft.pasting import Encoder, NeuronOrder, PasteOptions, PasteSummary

_Chosen = TypeVar("_Chosen")
_UNITS = {"s": 1.0, "h": HOUR, "d": DAY, "w": 7 * DAY, "y": YEAR}
_ZERO_C_IN_K = 273.15
_MUCH_ERROR, _SMALL_TILE = 0.05, 64  # of postsynaptic sums; the smallest tile of docs/background/paste.md
_BIN_S = 0.02  # of activity that becomes inputs: about a membrane's time constant


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What a user said."""

    tile: int
    spare_rows: int
    layers: int
    max_tiles: int | None
    order: str
    is_paired: bool
    encode: str
    cells: int
    large_share: float | None
    is_one_shot: bool
    passes: int
    reads: int
    tolerance: float
    dead: float | None
    stuck: float | None
    leaky: float | None
    is_around: bool


def chosen(given: str, known: Mapping[str, Callable[[], _Chosen]], *, what: str) -> _Chosen:
    """Return what a name stands for; a near miss is named."""
    if given not in known:
        raise OptionError(f"{given!r} is no {what}. {did_you_mean(given, known)}")
    return known[given]()


def memory_of(given: str) -> "tuple[MemoryCell, tuple[str, ...]]":
    """Return a shipped card by name, a card from a JSON file, or one fitted to a CSV of measurements, and notes."""
    from neurograft.cells import card, card_from_json, fit_card

    path = Path(given)
    if path.suffix.lower() not in (".json", ".csv"):
        return card(given), ()
    if not path.is_file():
        raise CellError(f"{path} is not a file. Give a card's JSON, a CSV of measurements, or a shipped card's name.")
    if path.suffix.lower() == ".json":
        return card_from_json(path.read_text(encoding="utf-8")), ()
    fitted = fit_card(path, name=path.stem)
    residuals = ", ".join(
        f"{r:.3g} uS at {age:g} s" for age, r in zip(fitted.spread.ages_s, fitted.residual_us, strict=True)
    )
    return fitted, (f"card fitted to {fitted.header.table}; rms residual of the spread: {residuals}",)


def options_of(said: Choices, memory: "MemoryCell") -> "PasteOptions":
    """Return the options of pasting."""
    from neurograft.cells import OneShot, ProgramAndVerify
    from neurograft.pasting import AroundDefects, ColumnPairs, PasteOptions, RowPolarity, Tiles

    return PasteOptions(
        tiles=Tiles(
            rows=said.tile,
            columns=said.tile,
            spare_rows=said.spare_rows,
            layers=said.layers,
            max_tiles=said.max_tiles,
        ),
        scaling=_encoder(said, memory),
        signs=ColumnPairs() if said.is_paired else RowPolarity(),
        order=_order(said.order),
        verify=OneShot()
        if said.is_one_shot
        else ProgramAndVerify(max_passes=said.passes, n_reads=said.reads, tolerance=said.tolerance),
        defects=_defects(said, memory),
        around=AroundDefects() if said.is_around else None,
    )


def unused_of(given: str) -> "AbsentUnused | ZeroUnused":
    """Return what unused cells are."""
    from neurograft.cells import AbsentUnused, ProgramAndVerify, ZeroUnused

    verify = ProgramAndVerify(max_passes=3)
    known: dict[str, Callable[[], AbsentUnused | ZeroUnused]] = {
        "absent": AbsentUnused,
        "zero": ZeroUnused,
        "balanced": lambda: ZeroUnused(verify=verify, is_balanced=True),
    }
    return chosen(given, known, what="state of unused cells")


def hints(said: Choices, unused: str, summary: "PasteSummary") -> tuple[str, ...]:
    """Return what would lower the error of sums where unused cells spoil it."""
    if unused == "absent" or summary.product_error < _MUCH_ERROR or (said.is_around and said.tile <= _SMALL_TILE):
        return ()
    return (
        "hint: unused cells make most of this error; small tiles have fewer, and rows laid around known defects keep "
        f"the bad ones away: --tile {_SMALL_TILE} --spare-rows 2 --around-defects",
    )


def ages_of(given: str) -> tuple[float, ...]:
    """Return seconds from words such as '0s,1d,10y'."""
    found: list[float] = []
    for word in (w.strip() for w in given.split(",")):
        try:
            found.append(float(word[:-1]) * _UNITS[word[-1]])
        except (ValueError, KeyError, IndexError):
            raise OptionError(
                f"The age {word!r} is not a number and a unit. Give such as '1d,1y,10y': s, h, d, w, y."
            ) from None
    return tuple(found)


def kelvin(celsius: float) -> float:
    """Return the absolute temperature."""
    return celsius + _ZERO_C_IN_K


def inputs_of(activity: Path | None, m: "SynapseMap", seed: int) -> "np.ndarray":
    """Return test inputs: recorded activity in bins of 20 ms by the neurons' labels, or 1 % of axons at random."""
    import numpy as np

    from neurograft.cli._files import open_activity

    if activity is None:
        return (np.random.default_rng(seed).random((400, m.n_neurons)) < 0.01).astype(np.float64)
    spikes = open_activity(activity)
    place = {label: i for i, label in enumerate(m.labels)}
    known = np.array([place.get(label, -1) for label in spikes.labels])
    if not np.any(known >= 0):
        raise OptionError(f"{activity} has none of the map's neurons (labels such as {m.labels[0]!r}).")
    column = known[spikes.neuron]
    bins = np.floor((spikes.time_s - spikes.epochs_s[0, 0]) / _BIN_S).astype(np.int64)
    busy, row = np.unique(bins[column >= 0], return_inverse=True)
    inputs = np.zeros((busy.size, m.n_neurons))
    np.add.at(inputs, (row, column[column >= 0]), 1.0)
    return inputs[np.random.default_rng(seed).permutation(busy.size)[:2000]]


def _encoder(said: Choices, memory: "MemoryCell") -> "Encoder":
    from neurograft.pasting import Digits, Levels, Overflow, Parallel, Scaling, default_encoder

    share = said.large_share
    clipped = {} if share is None else {"clip_share": share}
    known: dict[str, Callable[[], Encoder]] = {
        "auto": lambda: default_encoder(memory) if share is None else Overflow(large_share=share),
        "overflow": lambda: Overflow() if share is None else Overflow(large_share=share),
        "linear": lambda: Scaling(**clipped),
        "companded": lambda: Scaling(exponent=0.5, **clipped),
        "levels": lambda: Levels(**clipped),
        "digits": lambda: Digits(n_cells=said.cells, **clipped),
        "parallel": lambda: Parallel(n_cells=said.cells, **clipped),
    }
    return chosen(said.encode, known, what="encoding")


def _order(given: str) -> "NeuronOrder":
    from neurograft.pasting import FileOrder, HubOrder, HypergraphOrder, MetisOrder, SharedInputsOrder

    known: dict[str, Callable[[], NeuronOrder]] = {
        "shared": SharedInputsOrder,
        "file": FileOrder,
        "hubs": HubOrder,
        "metis": MetisOrder,
        "hypergraph": HypergraphOrder,
    }
    return chosen(given, known, what="order of columns")


def _defects(said: Choices, memory: "MemoryCell") -> "Defects | None":
    from neurograft.cells import Defects

    if said.dead is None and said.stuck is None and said.leaky is None:
        return None
    own = memory.defects
    return Defects(
        dead=own.dead if said.dead is None else said.dead,
        stuck_low=own.stuck_low if said.stuck is None else said.stuck,
        leaky=own.leaky if said.leaky is None else said.leaky,
    )
