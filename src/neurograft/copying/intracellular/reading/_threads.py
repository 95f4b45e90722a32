"""Work in threads whose results come in order: the same sums in the same order, whatever the number of threads."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")


def in_order(
    n_threads: int, make: Callable[[Given], Made], items: Iterable[Given], *, ahead: int = 0
) -> Iterator[Made]:
    """Yield ``make`` of each item, in order; never more than ``n_threads`` + ``ahead`` results are made or wait.

    With one ahead all threads have work while a result is taken care of.
    """
    if n_threads == 1:
        yield from map(make, items)
        return
    with ThreadPoolExecutor(n_threads) as pool:
        waiting: deque[Future[Made]] = deque()
        for item in items:
            waiting.append(pool.submit(make, item))
            if len(waiting) == n_threads + ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
