"""``copy --follow``, from the second minute on: maps of a recording that is copied ahead while it grows."""

import sys
import time
from typing import TYPE_CHECKING, NamedTuple, final

from neurograft.errors import CopyError
from neurograft.progress import silent

if TYPE_CHECKING:
    from neurograft.copying import IntracellularCopy, IntracellularOptions, Work
    from neurograft.progress import Progress
    from neurograft.recordings import Recording

_MOST_ANEW = 500  # channels of recordings that are copied anew for each map of the first minutes
_PAUSE = 9.0  # times what the last map took, for the work ahead


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
        self._not_before_s, self._until_s = -1e9, 0.0

    @property
    def is_following(self) -> bool:
        """Whether maps are those of the copy ahead."""
        return self._ahead is not None and self._ahead.state is not None

    def is_awaited(self, recording: "Recording") -> bool:
        """Whether the first map is left to the copy ahead, because one made anew would take too long."""
        from neurograft.recordings import n_channels

        return self._ahead is not None and n_channels(recording) > _MOST_ANEW

    def step(self, recording: "Recording", progress: "Progress" = silent) -> bool:
        """Do a little of what the next map needs."""
        if self._ahead is None:
            return False
        try:
            return self._ahead.step(recording, progress)
        except CopyError as problem:
            print(f"neurograft: not copied ahead, but anew for each map. {problem}", file=sys.stderr)
            self._ahead = None
            return False

    def map_of(self, recording: "Recording", *, is_growing: bool, progress: "Progress" = silent) -> Early | None:
        """Return the map of what has been added; None where nothing was added since the last, or that was just now."""
        from neurograft.copying import map_now

        begin_s = time.monotonic()
        if self._ahead is None or (is_growing and begin_s < self._not_before_s):
            return None
        if not is_growing:
            self._ahead.finish(recording, progress)
        state = self._ahead.state
        if state is None or state.until_s <= self._until_s:
            return None
        copied = map_now(state, progress)
        if not is_growing:
            self._ahead = None  # its sums make room for the map of the whole
        now_s = time.monotonic()
        self._not_before_s, self._until_s = now_s + _PAUSE * (now_s - begin_s), state.until_s
        return Early(copied, state.until_s, state.left_se)
