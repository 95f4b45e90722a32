"""Progress with time left, drawn on stderr once work has lasted two seconds."""

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from neurograft.progress import RUN, Progress

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
    step_begin_s: dict[str, float] = {}
    begin_s = time.monotonic()

    def show(what: str, done: float, total: float) -> None:
        if what not in tasks:
            tasks[what] = bars.add_task(what, total=total)
        detail = _model_time(what, done, total, time.monotonic() - step_begin_s.setdefault(what, time.monotonic()))
        bars.update(tasks[what], completed=done, total=total, description=what + detail)
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
            detail = _model_time(what, done, total, now_s - begin_s)
            print(f"{what}: {100 * done / total:.0f} %{detail}, {left_s:.0f} s left", file=sys.stderr)

    return show


def _model_time(what: str, done: float, total: float, spent_s: float) -> str:
    """Return model time and real-time factor of a running network, nothing for other work."""
    if what != RUN or done <= 0:
        return ""
    return f", {done:.4g} of {total:.4g} s of model time, {spent_s / done:.2g} s each"
