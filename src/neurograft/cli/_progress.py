"""Progress with time left, drawn on stderr once work has lasted two seconds."""

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from neurograft.progress import Progress

_PATIENCE_S: Final = 2.0
_LINE_EVERY_S: Final = 10.0


@contextmanager
def shown_progress() -> Generator[Progress]:
    """Yield a progress callback: bars on a terminal, now and then a line elsewhere."""
    if sys.stderr.isatty():
        with _bars() as progress:
            yield progress
    else:
        yield _lines()


@contextmanager
def _bars() -> Generator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    bars = Bars(*columns, console=Console(stderr=True), transient=True)
    tasks: dict[str, TaskID] = {}
    begin_s = time.monotonic()

    def show(what: str, done: float, total: float) -> None:
        if what not in tasks:
            tasks[what] = bars.add_task(what, total=total)
        bars.update(tasks[what], completed=done, total=total)
        if not bars.live.is_started and time.monotonic() - begin_s > _PATIENCE_S:
            bars.start()

    try:
        yield show
    finally:
        bars.stop()


def _lines() -> Progress:
    step_begin_s: dict[str, float] = {}
    last_line_s = -_LINE_EVERY_S

    def show(what: str, done: float, total: float) -> None:
        nonlocal last_line_s
        now_s = time.monotonic()
        begin_s = step_begin_s.setdefault(what, now_s)
        if 0 < done < total and now_s - begin_s >= _PATIENCE_S and now_s - last_line_s >= _LINE_EVERY_S:
            last_line_s = now_s
            left_s = (now_s - begin_s) * (total - done) / done
            print(f"{what}: {100 * done / total:.0f} %, {left_s:.0f} s left", file=sys.stderr)

    return show
