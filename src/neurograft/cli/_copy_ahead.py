"""``copy --follow``, from the second minute on: maps of a recording that is copied ahead while it grows."""

import sys
import time
from typing import TYPE_CHECKING, NamedTuple, final

from neurograft.errors import CopyError, WorkError
from neurograft.progress import silent

if TYPE_CHECKING:
    from neurograft.copying import IntracellularCopy, IntracellularOptions, Work
    from neurograft.progress import Progress
    from neurograft.recordings import Recording

_MOST_ANEW = 500  # channels of recordings that are copied anew for each map of the first minutes
_PAUSE = 9.0  # times what the last map took, for the work ahead; less where what it learnt is of under half of the rows
_SHORT_PAUSE = 3.0


class Early(NamedTuple):
    """A map whose synapses' courses, plasticity and vesicles are to follow."""

    copied: "IntracellularCopy"
    until_s: float
    left_se: float

    def told(self) -> tuple[float, str]:
        """Return what to print: seconds, and how far coefficients are from where more steps would bring them."""
        return self.until_s, f" (coefficients to {self.left_se:.1g} standard errors)"


@final
class Following:
    """The copy ahead, where memory has room for it."""

    def __init__(self, options: "IntracellularOptions", work: "Work", *, is_wanted: bool) -> None:
        """Start; ``is_wanted`` is False where maps are not made of potentials."""
        from neurograft.copying import Ahead

        self._ahead = Ahead(options, work) if is_wanted else None
        self._last_s, self._took_s, self._until_s = -1e9, 0.0, 0.0  # of the last map
        self._anew_s = 0.0  # of the last map that was made anew
        self._is_behind = True

    @property
    def is_following(self) -> bool:
        """Whether maps are those of the copy ahead."""
        return self._ahead is not None and self._ahead.state is not None

    def is_awaited(self, recording: "Recording") -> bool:
        """Whether the first map is left to the copy ahead, because one made anew would take too long."""
        from neurograft.recordings import n_channels

        return self._ahead is not None and n_channels(recording) > _MOST_ANEW

    def was_published(self, until_s: float) -> None:
        """Take note of a map that was made anew of so many seconds: one of fewer would lead back."""
        self._anew_s = until_s

    def step(self, recording: "Recording", progress: "Progress" = silent) -> bool:
        """Do a little of what the next map needs."""
        if self._ahead is None:
            return False
        try:
            self._is_behind = self._ahead.take(recording, progress)
            return self._is_behind or self._ahead.improve(progress)
        except WorkError:  # of a recording that cannot be read on
            raise
        except CopyError as problem:
            print(f"neurograft: not copied ahead, but anew for each map. {problem}", file=sys.stderr)
            self._ahead = None
            return False

    def map_of(self, recording: "Recording", *, is_growing: bool, progress: "Progress" = silent) -> Early | None:
        """Return the map of what has been added; None where nothing was added since the last, or too soon."""
        from neurograft.copying import map_now

        begin_s = time.monotonic()
        if self._ahead is None or (is_growing and self._is_soon(begin_s)):
            return None
        if not is_growing:
            self._ahead.finish(recording, progress)
        state = self._ahead.state
        if state is None or state.until_s <= self._until_s or state.until_s < self._anew_s:
            return None
        copied = map_now(state, progress)
        if not is_growing:
            self._ahead = None  # its sums make room for the map of the whole
        self._last_s, self._took_s, self._until_s = begin_s, time.monotonic() - begin_s, state.until_s
        return Early(copied, state.until_s, state.left_se)

    def _is_soon(self, now_s: float) -> bool:
        """Whether the next map has to wait, for rows and coefficients or to leave time for the work ahead."""
        state = None if self._ahead is None else self._ahead.state
        if state is None or self._is_behind or not state.is_begun:
            return True
        pause = _SHORT_PAUSE if state.learnt is not None and state.learnt.is_old(state.until_s) else _PAUSE
        return now_s < self._last_s + (1 + pause) * self._took_s
