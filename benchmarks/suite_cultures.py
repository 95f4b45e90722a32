"""The suite's cultures: read from suite.toml, grown once, kept in a folder, opened again in any of three modes."""

import hashlib
import json
import tomllib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import neurograft.culture
from neurograft.culture import (
    Culture,
    CultureOptions,
    culture_named,
    family_named,
    grow,
    record_membrane,
    sort_with_errors,
    write_culture,
)
from neurograft.maps import SynapseMap, load_map, save_map
from neurograft.recordings import Recording, Signal, array_recording, open_recording
from neurograft.spikes import SpikeTrains, open_spikes

MODES = ("array", "membrane", "spikes")
SPLITS = ("held-out", "development")
STEP_V = 10e-6  # of the stored membrane potentials, far under their noise of 50 uV


@dataclass(frozen=True, kw_only=True)
class Case:
    """One culture of the suite with one seed."""

    name: str
    split: str
    kind: str
    n_neurons: int
    seconds: float
    seed: int
    hidden_fraction: float | None = None  # None: what the kind has
    inputs_per_neuron: float = 12.0
    settle_rounds: int | None = None
    family: str | None = None
    rate_hz: float | None = None

    @property
    def options(self) -> CultureOptions:
        options = culture_named(self.kind, n_neurons=self.n_neurons, inputs_per_neuron=self.inputs_per_neuron)
        if self.hidden_fraction is not None:
            options = replace(options, hidden_fraction=self.hidden_fraction)
        if self.settle_rounds is not None:
            options = replace(options, activity=replace(options.activity, settle_rounds=self.settle_rounds))
        if self.family is not None:
            options = replace(options, family=family_named(self.family))
        if self.rate_hz is not None:
            options = replace(options, activity=replace(options.activity, rate_hz=self.rate_hz))
        return options

    def folder_name(self) -> str:
        """Return a name that changes with everything that the culture depends on, the growing code included."""
        asked = {key: value for key, value in asdict(self).items() if value is not None and key != "name"}
        what = json.dumps([asked, source_hash()], sort_keys=True)
        return f"{self.kind}-{self.seed}-{hashlib.sha256(what.encode()).hexdigest()[:12]}"


def source_hash() -> str:
    """Return a hash of the room that grows cultures: a changed grower makes other cultures."""
    room = Path(neurograft.culture.__file__).parent
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(room.glob("*.py")))).hexdigest()


def read_cases(path: Path, *, split: str, quick: bool = False) -> list[Case]:
    """Return the cases of one split; quick ones are a quarter as long and have one seed."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    assert table["format_version"] == 1, f"{path} is of a version that this suite does not read"
    known = set(Case.__dataclass_fields__) - {"seed"}
    cases = []
    for row in table["culture"]:
        assert not set(row) - known, f"{path}: {row['name']} has unknown keys {set(row) - known}"
        assert row["split"] in SPLITS, f"{path}: split of {row['name']} is {row['split']!r}, not one of {SPLITS}"
        if row["split"] == split:
            cases += [Case(**row, seed=seed) for seed in table["seeds"][split]]
    if quick:
        first = table["seeds"][split][0]
        cases = [replace(case, seconds=max(case.seconds / 4, 20)) for case in cases if case.seed == first]
    return cases


@dataclass(frozen=True, kw_only=True, eq=False)
class Grown:
    """A culture on disk: its recordings, the spikes that really were, and the truth."""

    case: Case
    folder: Path

    @property
    def truth_file(self) -> Path:
        return self.folder / "array" / "truth.h5"

    @property
    def truth(self) -> SynapseMap:
        """The whole truth, hidden neurons included, under the labels of the recording."""
        return load_map(self.folder / "whole.h5")

    @property
    def spikes(self) -> SpikeTrains:
        """The spikes that the recorded neurons really fired."""
        return open_spikes(self.folder / "array" / "spikes.h5")

    def recording(self, mode: str) -> Recording:
        if mode == "array":
            return open_recording(self.folder / "array" / "recording.toml")
        samples = np.load(self.folder / "membrane.npy", mmap_mode="r")
        return array_recording(
            samples,
            rate_hz=1.0 / self.case.options.step_s,
            signal=Signal.MEMBRANE_V,
            channel_labels=load_map(self.truth_file).labels,
            gain=STEP_V,
        )

    def sorted_units(self) -> tuple[SpikeTrains, SynapseMap]:
        """Return the spikes as a sorter would find them, and the truth between its units."""
        units = sort_with_errors(self.spikes, load_map(self.truth_file), seed=self.case.seed)
        return units.spikes, units.truth


def grown(case: Case, cache: Path, *, modes: tuple[str, ...], progress: Any = None) -> Grown:
    """Return the culture, grown now unless the cache holds it."""
    folder = cache / case.folder_name()
    needs_membrane = "membrane" in modes and not (folder / "membrane.npy").exists()
    if (folder / "whole.h5").exists() and not needs_membrane:
        return Grown(case=case, folder=folder)
    folder.mkdir(parents=True, exist_ok=True)
    told = {} if progress is None else {"progress": progress}
    culture = grow(case.options, seed=case.seed, **told)
    if not (folder / "array").exists():
        write_culture(culture, folder / "array", seconds=case.seconds, seed=case.seed, **told)
    if needs_membrane:
        _write_membrane(culture, case, folder / "membrane.npy")
    save_map(_whole(culture, load_map(folder / "array" / "truth.h5").labels), folder / "whole.h5")
    return Grown(case=case, folder=folder)


def _whole(culture: Culture, labels: tuple[str, ...]) -> SynapseMap:
    """Return the map of all neurons; recorded ones, which come first, are called as in the recording."""
    return replace(culture.map, labels=(*labels, *culture.map.labels[culture.n_recorded :]))


def _write_membrane(culture: Culture, case: Case, path: Path) -> None:
    """Write the true potentials of the same life as the array's, in steps of 10 uV."""
    seen = record_membrane(culture, seconds=case.seconds, seed=case.seed)
    steps = np.rint(seen.recording.samples[0] / STEP_V)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.save(file, np.clip(steps, -32768, 32767).astype(np.int16))
    part.replace(path)
