"""Reading pieces on a Dask cluster: the same function, sent to workers that open the recording themselves."""

import asyncio
import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, final

from neurograft.copying.intracellular.reading._read import Piece, ReadOptions, read_piece
from neurograft.copying.intracellular.reading._work import Arrays
from neurograft.errors import MissingExtraError, NeurograftError, WorkError
from neurograft.recordings import Recording

LOCAL = "local"
_CONNECT_S = 10
_GIVE_UP_S = 2
_AHEAD = 2  # pieces sent to each worker, so that none waits
_WORKERS_LOCAL = 2
_MOST_SENT = 3  # times that a piece whose worker died with the result is sent again


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class OnDask:
    """Sends pieces to a scheduler, or to a cluster of this machine's processes; ``opener`` opens the recording there.

    A worker that dies is Dask's to replace: its pieces go to others, and results that died with it are made again.
    The path must be reachable from all workers.
    """

    address: str
    opener: Callable[[], Recording]

    def each(self, recording: Recording, pieces: Sequence[Piece], options: ReadOptions) -> Iterator[tuple[int, Arrays]]:
        """Yield results as workers finish them."""
        del recording
        if not pieces:
            return
        try:
            from distributed import as_completed
        except ImportError as problem:
            raise MissingExtraError(purpose="--scheduler", extra="dask") from problem
        try:
            client = self._client()
        except OSError as problem:  # also what a broken connection and a time-out are
            raise WorkError(self._lost(f"did not answer within {_CONNECT_S} s")) from problem
        with _closed_soon(client):
            todo = iter(range(len(pieces)))
            place: dict[Any, int] = {}
            times_sent = [0] * len(pieces)
            waiting = as_completed()

            def send(k: int | None) -> None:
                if k is not None:
                    future = client.submit(read_there, self.opener, pieces[k], options, pure=False, retries=2)
                    place[future.key] = k
                    times_sent[k] += 1
                    waiting.add(future)

            for _ in range(_AHEAD * max(len(client.scheduler_info()["workers"]), 1)):
                send(next(todo, None))
            for future in waiting:
                k, result = place.pop(future.key), None
                if future.status == "error":
                    raise self._told(future.exception())
                if future.status == "finished":
                    with suppress(OSError, CancelledError):  # the worker that held it died before it was fetched
                        result = future.result()
                if result is None and (client.status != "running" or times_sent[k] == _MOST_SENT):
                    raise WorkError(self._lost("was lost"))
                future.release()
                if result is None:
                    send(k)
                else:
                    send(next(todo, None))
                    yield k, result

    def _client(self) -> Any:
        from distributed import Client, LocalCluster

        for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
            logging.getLogger(name).setLevel(logging.CRITICAL)  # what it tells of lost connections, we tell
        if self.address == LOCAL:
            cluster = LocalCluster(
                n_workers=_WORKERS_LOCAL, threads_per_worker=1, dashboard_address=":0", silence_logs=50
            )
            return Client(cluster)
        return Client(self.address, timeout=_CONNECT_S)

    def _told(self, problem: Exception) -> Exception:
        """Return what a worker raised; what is neither a file's fault nor ours is its software's."""
        if isinstance(problem, (NeurograftError, OSError, ValueError)):
            return problem
        return WorkError(
            f"A worker of {self.address} cannot do its piece: {problem} Pieces that had come back are kept. Install "
            "the same versions of neurograft and its libraries on all workers, then run the same command with --resume."
        )

    def _lost(self, what: str) -> str:
        return (
            f"The Dask scheduler {self.address} {what}. Pieces that had come back are kept. "
            "Start it again (dask scheduler; dask worker ADDRESS), then run the same command with --resume."
        )


@contextmanager
def _closed_soon(client: Any) -> Generator[None]:
    """Close a client in the end; one whose scheduler is gone would try to reach it for a minute."""
    try:
        yield
    finally:
        is_lost = client.status != "running"
        with suppress(OSError, TimeoutError, asyncio.TimeoutError, AssertionError):
            client.close(timeout=_GIVE_UP_S if is_lost else _CONNECT_S)


def read_there(opener: Callable[[], Recording], piece: Piece, options: ReadOptions) -> Arrays:
    """Open the recording, once a worker, and return a piece's result."""
    return read_piece(_opened(opener), piece, options)


@lru_cache(maxsize=4)
def _opened(opener: Callable[[], Recording]) -> Recording:
    return opener()
