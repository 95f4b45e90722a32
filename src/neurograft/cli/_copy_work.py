"""How a copy is read: where pieces are kept, by whom they are read, how much memory they may take."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from neurograft.errors import OptionError

if TYPE_CHECKING:
    from neurograft.copying import Work, WorkFolder
    from neurograft.recordings import Recording
    from neurograft.spikes import SpikeTrains

Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with a copy that was stopped, or join what shards have read.")
]
SkipUnreadable = Annotated[
    bool, typer.Option("--skip-unreadable", help="Take frames of a damaged file that cannot be read as not recorded.")
]
Shard = Annotated[
    str | None,
    typer.Option(
        help="i/n: only read the i-th of n shares (from 0), on one of n machines; then --resume makes the map."
    ),
]
Scheduler = Annotated[
    str | None, typer.Option(help="Read by a Dask scheduler (tcp://…), or 'local' for a cluster of this machine.")
]
Memory = Annotated[str, typer.Option(help="What the copy may take, such as 8G. More than it needs does not help.")]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=1, help="Pieces read, and blocks computed, at a time.")]

Arrays = Annotated[
    str | None,
    typer.Option(help="Array library of the regression's dense products, and its device: torch:cuda:0, cupy, torch."),
]

_UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """The options of a command that say how a recording is read, not what is made of it."""

    out: Path
    is_resumed: bool
    shard: str | None
    scheduler: str | None
    memory: str
    n_jobs: int
    is_skipping: bool = False
    arrays: str | None = None

    def folder(self) -> Path:
        """Return where pieces are kept: beside the output."""
        return self.out.with_name(self.out.name + ".work")

    def require_recording(self) -> None:
        """Refuse what makes no sense for spikes, which are all in memory."""
        for name, given in (
            ("--resume", self.is_resumed),
            ("--shard", self.shard),
            ("--scheduler", self.scheduler),
            ("--skip-unreadable", self.is_skipping),
            ("--arrays", self.arrays),
        ):
            if given:
                raise OptionError(f"{name} is for recordings of potentials; the file holds spikes. Leave it out.")

    def opened(self, source: "Recording | SpikeTrains") -> "Recording | SpikeTrains":
        """Return what is copied, a recording without its unreadable frames where that was asked for."""
        from neurograft.spikes import SpikeTrains

        if not self.is_skipping or isinstance(source, SpikeTrains):
            return source
        from neurograft.recordings import Skipping

        return Skipping(inner=source)

    def require_here(self) -> None:
        """Refuse what spreads or mends a recording that is whole."""
        for name, given in (
            ("--shard", self.shard),
            ("--scheduler", self.scheduler),
            ("--skip-unreadable", self.is_skipping),
        ):
            if given:
                raise OptionError(f"{name} is for recordings that have ended, and --follow for those that grow.")

    def share(self) -> tuple[int, int]:
        """Return which share of how many."""
        found = re.fullmatch(r"(\d+)/(\d+)", self.shard or "0/1")
        if found is None or not int(found[1]) < int(found[2]):
            raise OptionError(f"--shard is {self.shard!r}. Give i/n with i from 0 to n - 1, such as 0/8.")
        return int(found[1]), int(found[2])

    def memory_bytes(self) -> int:
        """Return the memory budget."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)i?B?", self.memory.strip(), re.IGNORECASE)
        if found is None:
            raise OptionError(f"--memory is {self.memory!r}. Give a size such as 8G or 500M.")
        return round(float(found[1]) * _UNITS[found[2].upper()])

    def open_folder(self) -> "WorkFolder":
        """Return the folder of pieces; without --resume and --shard an older one is emptied first."""
        from neurograft.copying import WorkFolder

        folder = WorkFolder(self.folder())
        if not (self.is_resumed or self.shard):
            folder.remove()
            folder = WorkFolder(self.folder())
        return folder

    def work(self, folder: "WorkFolder", opener: "Opener", *, is_growing: bool = False) -> "Work":
        """Return the work."""
        from neurograft.copying import Budget, OnDask, Threads, Work, array_library

        memory = Budget(self.memory_bytes())
        samples = memory.samples_at_once(self.n_jobs), memory.samples_held(self.n_jobs)
        threads = Threads(self.n_jobs, *samples)
        return Work(
            store=folder,
            workers=threads if self.scheduler is None else OnDask(address=self.scheduler, opener=opener),
            share=self.share(),
            memory=memory,
            n_threads=self.n_jobs,
            is_growing=is_growing,
            library=None if self.arrays is None else array_library(self.arrays),
        )


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens a recording, here or in another process."""

    path: Path
    signal: str | None
    part: str | None
    is_skipping: bool = False

    def __call__(self) -> "Recording":
        """Return the recording."""
        from neurograft.recordings import OpenOptions, Skipping, open_recording, signal_named

        named = None if self.signal is None else signal_named(self.signal)
        recording = open_recording(self.path, signal=named, options=OpenOptions(part=self.part))
        return Skipping(inner=recording) if self.is_skipping else recording
