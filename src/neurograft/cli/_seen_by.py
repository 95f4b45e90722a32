"""The ways in which ``neurograft culture`` records: an array, single electrodes, or a spike sorter."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, final

from neurograft.errors import MissingExtraError, OptionError

if TYPE_CHECKING:
    from neurograft.culture import ArrayOptions, Culture, CultureOptions, RecordingFormat, SortingOptions
    from neurograft.progress import Progress


class Mode(StrEnum):
    """What is recorded."""

    INTRACELLULAR = "intracellular"
    MEMBRANE = "membrane"
    EXTRACELLULAR = "extracellular"


class Clamp(StrEnum):
    """What a pad measures."""

    VOLTAGE = "voltage"
    CURRENT = "current"


class Format(StrEnum):
    """How samples are stored."""

    RAW = "raw"
    ZARR = "zarr"
    NWB = "nwb"


_RECORDING: Final = {Format.RAW: "recording.toml", Format.ZARR: "recording.zarr", Format.NWB: "recording.nwb"}
_SORTER_ONLY: Final = frozenset({"--perfect-sorting", "--missed", "--false-hz", "--merged", "--split"})


def refuse_what_does_nothing(mode: Mode, form: Format, given: Mapping[str, object]) -> None:
    """Raise ``OptionError`` for an option that the mode has no use for."""
    is_sorted = mode is Mode.EXTRACELLULAR and not given.get("--unsorted")
    used = {name for name in given if (name in _SORTER_ONLY) == is_sorted}
    used -= {"--clamp", "--extracellular-pads"} if mode is Mode.EXTRACELLULAR else {"--unsorted"}
    used |= {"--unsorted"} if mode is Mode.EXTRACELLULAR else set()
    idle = [name for name, value in given.items() if value is not None and (mode is Mode.MEMBRANE or name not in used)]
    if is_sorted and form is not Format.RAW:
        idle.append(f"--format {form}")
    if idle:
        raise OptionError(f"{', '.join(idle)} does nothing in --mode {mode}. Leave it out, or choose another mode.")
    sorter = [name for name in _SORTER_ONLY if name != "--perfect-sorting" and given.get(name) is not None]
    if given.get("--perfect-sorting") and sorter:
        raise OptionError(f"--perfect-sorting makes no errors, but {', '.join(sorted(sorter))} asks for some. Choose.")


def array_of(clamp: Clamp | None, flaws: Mapping[str, float | None]) -> "ArrayOptions":
    """Return the usual array with what was asked for."""
    from neurograft.culture import PSEUDO_CURRENT_CLAMP, PSEUDO_VOLTAGE_CLAMP, ArrayOptions

    usual = ArrayOptions(readout=PSEUDO_VOLTAGE_CLAMP if clamp is Clamp.CURRENT else PSEUDO_CURRENT_CLAMP)
    return replace(
        usual,
        extracellular_fraction=_or(flaws["--extracellular-pads"], usual.extracellular_fraction),
        dead_fraction=_or(flaws["--dead"], usual.dead_fraction),
        saturated_fraction=_or(flaws["--saturated"], usual.saturated_fraction),
        crosstalk=_or(flaws["--crosstalk"], usual.crosstalk),
        drops_per_minute=_or(flaws["--drops-per-minute"], usual.drops_per_minute),
    )


def outside_of(flaws: Mapping[str, float | None]) -> "ArrayOptions":
    """Return an array of which every pad that works is outside of all cells, with the flaws that were asked for."""
    from neurograft.culture import OUTSIDE

    usual = replace(array_of(None, {**flaws, "--extracellular-pads": None}), readout=OUTSIDE)
    return replace(usual, extracellular_fraction=1.0 - usual.dead_fraction - usual.saturated_fraction)


def sorting_of(is_perfect: bool, sorter: Mapping[str, float | None]) -> "SortingOptions":
    """Return the usual sorter with what was asked for."""
    from neurograft.culture import PERFECT_SORTING, SortingOptions

    usual = PERFECT_SORTING if is_perfect else SortingOptions()
    return replace(
        usual,
        missed_fraction=_or(sorter["--missed"], usual.missed_fraction),
        false_hz=_or(sorter["--false-hz"], usual.false_hz),
        merged_fraction=_or(sorter["--merged"], usual.merged_fraction),
        split_fraction=_or(sorter["--split"], usual.split_fraction),
    )


def _or(given: float | None, usual: float) -> float:
    return usual if given is None else given


class SeenBy(Protocol):
    """A way of recording: refuses what cannot be, then writes, and says what it wrote."""

    @property
    def files(self) -> tuple[str, ...]:
        """What the folder holds; first what is copied."""
        ...

    @property
    def hint(self) -> str:
        """What the next command needs to be told about the recording."""
        ...

    def require(self, options: "CultureOptions", folder: Path, seconds: float) -> None:
        """Raise before work starts when it cannot be done."""
        ...

    def write(
        self, culture: "Culture", folder: Path, seconds: float, seed: int, progress: "Progress"
    ) -> tuple[int, int]:
        """Write the folder; return the number of synapses in its truth and of channels or units."""
        ...


def seen_by(
    mode: Mode, form: Format, array: "ArrayOptions", sorting: "SortingOptions | None", n_workers: int
) -> SeenBy:
    """Return the way of recording for a mode; without a sorter an extracellular array keeps its voltages."""
    if mode is Mode.EXTRACELLULAR and sorting is not None:
        return _Sorter(sorting=sorting)
    written = _form(form)
    if mode is Mode.MEMBRANE:
        hint = "" if form is Format.RAW else " --signal membrane_v"
        return _Electrodes(form=written, file=_RECORDING[form], hint=hint)
    hint = "" if form is Format.RAW else f" --signal {array.readout.signal.name.lower()}"
    return _Array(array=array, form=written, n_workers=n_workers, file=_RECORDING[form], hint=hint)


def _form(form: Format) -> "RecordingFormat":
    from neurograft.culture import NwbFile, RawBinary, SpikeInterfaceZarr

    if form is Format.ZARR:
        if find_spec("spikeinterface") is None:
            raise MissingExtraError(purpose="writing Zarr", extra="io")
        return SpikeInterfaceZarr()
    if form is Format.NWB:
        if find_spec("pynwb") is None:
            raise MissingExtraError(purpose="writing NWB", extra="nwb")
        return NwbFile()
    return RawBinary()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Array:
    array: "ArrayOptions"
    form: "RecordingFormat"
    n_workers: int
    file: str
    hint: str

    @property
    def files(self) -> tuple[str, ...]:
        return (self.file, "truth.h5", "spikes.h5")

    def require(self, options: "CultureOptions", folder: Path, seconds: float) -> None:
        from neurograft.culture import require_place, require_writable

        require_writable(options, self.array, folder, seconds=seconds, form=self.form)
        require_place(folder, 0)

    def write(
        self, culture: "Culture", folder: Path, seconds: float, seed: int, progress: "Progress"
    ) -> tuple[int, int]:
        from neurograft.culture import write_culture
        from neurograft.maps import load_map

        write_culture(
            culture,
            folder,
            seconds=seconds,
            array=self.array,
            seed=seed,
            form=self.form,
            n_workers=self.n_workers,
            progress=progress,
        )
        return load_map(folder / "truth.h5").n_synapses, culture.options.grid.n_pads


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Electrodes:
    form: "RecordingFormat"
    file: str
    hint: str

    @property
    def files(self) -> tuple[str, ...]:
        return (self.file, "truth.h5", "spikes.h5")

    def require(self, options: "CultureOptions", folder: Path, seconds: float) -> None:
        from neurograft.culture import require_membrane

        require_membrane(options, folder, seconds=seconds, form=self.form)

    def write(
        self, culture: "Culture", folder: Path, seconds: float, seed: int, progress: "Progress"
    ) -> tuple[int, int]:
        from neurograft.culture import write_membrane
        from neurograft.maps import load_map

        write_membrane(culture, folder, seconds=seconds, seed=seed, form=self.form, progress=progress)
        return load_map(folder / "truth.h5").n_synapses, culture.n_recorded


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Sorter:
    sorting: "SortingOptions"

    @property
    def files(self) -> tuple[str, ...]:
        return ("spikes.h5", "truth.h5")

    @property
    def hint(self) -> str:
        return ""

    def require(self, options: "CultureOptions", folder: Path, seconds: float) -> None:
        from neurograft.culture import require_units

        require_units(options, folder, seconds=seconds, sorting=self.sorting)

    def write(
        self, culture: "Culture", folder: Path, seconds: float, seed: int, progress: "Progress"
    ) -> tuple[int, int]:
        from neurograft.culture import write_units

        units = write_units(culture, folder, seconds=seconds, sorting=self.sorting, seed=seed, progress=progress)
        return units.truth.n_synapses, units.truth.n_neurons
