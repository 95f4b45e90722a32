"""Reading all pieces: by this process, threads of it, a share on each of many machines, or Dask; kept as they come."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol, final, runtime_checkable

from neurograft.copying.intracellular.reading._budget import Budget
from neurograft.copying.intracellular.reading._library import ArrayLibrary
from neurograft.copying.intracellular.reading._read import Piece, Reading, ReadOptions, piece_key, pieces_of, read_piece
from neurograft.copying.intracellular.reading._threads import in_order
from neurograft.copying.intracellular.reading._work import Arrays, Nowhere, Store
from neurograft.errors import CopyError, NeurograftError, WorkError
from neurograft.progress import Progress
from neurograft.recordings import Recording

_READING = "finding action potentials"


@runtime_checkable
class Workers(Protocol):
    """Reads pieces, in any order."""

    def each(self, recording: Recording, pieces: Sequence[Piece], options: ReadOptions) -> Iterator[tuple[int, Arrays]]:
        """Yield the place of each piece among those given, and its result."""
        ...


@final
@dataclass(frozen=True, slots=True)
class Threads:
    """Reads ``n`` pieces at a time in threads, so that one is read while another is computed on."""

    n: int = 1
    most_samples: int | None = None  # read at a time by each thread
    held_samples: int = 0  # by each thread, between two looks at them

    def each(self, recording: Recording, pieces: Sequence[Piece], options: ReadOptions) -> Iterator[tuple[int, Arrays]]:
        """Yield results in order; never more than ``n`` pieces are in memory, and one more result."""

        def read(piece: Piece) -> Arrays:
            return read_piece(recording, piece, options, self.most_samples, self.held_samples)

        yield from enumerate(in_order(self.n, read, pieces, ahead=1))


@final
@dataclass(frozen=True, slots=True)
class Work:
    """How a recording is read: where results are kept, who reads, and which share of the pieces is this call's."""

    memory: Budget = field(default_factory=Budget)
    n_threads: int = 1  # of everything after the reading
    library: ArrayLibrary | None = None  # of the regression's dense products
    store: Store = field(default_factory=Nowhere)
    workers: Workers = field(default_factory=Threads)
    is_growing: bool = False  # the last piece will be another one next time: it is not kept
    share: tuple[int, int] = (0, 1)  # pieces k with k % second == first are read by ``read_share``


def read_all(recording: Recording, options: ReadOptions, work: Work, progress: Progress) -> Reading:
    """Return all pieces' results, read now or taken from the store."""
    pieces = pieces_of(recording, options.factor)
    return Reading(pieces, read_pieces(recording, pieces, options, work, progress))


def read_pieces(
    recording: Recording, pieces: list[Piece], options: ReadOptions, work: Work, progress: Progress
) -> list[Arrays]:
    """Return the results of some pieces, the recording's last among them if it has no end yet."""
    keys = _keys(recording, pieces, options)
    known = {k: kept for k, key in enumerate(keys) if (kept := work.store.get(key)) is not None}
    missing = [k for k in range(len(pieces)) if k not in known]
    for k, result in _read(recording, pieces, missing, options, work):
        is_tail = work.is_growing and k == len(pieces) - 1
        known[k] = result if is_tail else work.store.put(_key(recording, pieces, keys, k, options), result)
        progress(_READING, len(known), len(pieces))
    return [known[k] for k in range(len(pieces))]


def read_share(recording: Recording, options: ReadOptions, work: Work, progress: Progress) -> tuple[int, int]:
    """Read this call's share into the store; return how many pieces are done, by whoever, and how many there are."""
    pieces = pieces_of(recording, options.factor)
    keys = _keys(recording, pieces, options)
    done = {k for k, key in enumerate(keys) if work.store.get(key) is not None}
    first, step = work.share
    for k, result in _read(
        recording, pieces, [k for k in range(first, len(pieces), step) if k not in done], options, work
    ):
        work.store.put(_key(recording, pieces, keys, k, options), result)
        done.add(k)
        progress(_READING, len(done), len(pieces))
    return len(done), len(pieces)


def _keys(recording: Recording, pieces: list[Piece], options: ReadOptions) -> list[str]:
    """Return the pieces' names, up to the first whose samples cannot be read: those before it are worth keeping."""
    keys: list[str] = []
    with suppress(OSError, ValueError, NeurograftError):
        for piece in pieces:
            keys.append(piece_key(recording, piece, options))
    return keys


def _key(recording: Recording, pieces: list[Piece], keys: list[str], k: int, options: ReadOptions) -> str:
    return keys[k] if k < len(keys) else piece_key(recording, pieces[k], options)


def _read(
    recording: Recording, pieces: list[Piece], missing: list[int], options: ReadOptions, work: Work
) -> Iterator[tuple[int, Arrays]]:
    """Yield number and result of each missing piece; a piece that cannot be read ends it, with what to do."""
    n_done = len(pieces) - len(missing)
    try:
        for place, result in work.workers.each(recording, [pieces[k] for k in missing], options):
            yield missing[place], result
            n_done += 1
    except (OSError, ValueError, NeurograftError) as problem:
        if isinstance(problem, CopyError):
            raise
        kept = "" if isinstance(work.store, Nowhere) else "What was read is kept. "
        raise WorkError(
            f"Reading failed after {n_done} of {len(pieces)} pieces of {pieces[0].stop - pieces[0].first} frames: "
            f"{problem} {kept}Repair or replace the file, then run the same command with --resume; or leave out what "
            "cannot be read: --resume --skip-unreadable."
        ) from problem
