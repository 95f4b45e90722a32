"""What is kept of a recording that grows, so that its map takes a minute and not what all of it took.

Pieces are read as they come.  The first minutes tell what is the same all over the recording (``_calibration``).  From
then on rows are added to the regression's sums once the seconds around them are known (``_heard``, ``_sums``), and
coefficients follow in the time that is left (``_improving``).  A map (``_first_map``) is that of the rows so far.
"""

from typing import final

from neurograft.copying.intracellular._options import IntracellularOptions, read_options
from neurograft.copying.intracellular.following._calibration import calibrate
from neurograft.copying.intracellular.following._state import State
from neurograft.copying.intracellular.following._until import Until, until, whole_pieces
from neurograft.copying.intracellular.reading._gather import Work, read_pieces
from neurograft.copying.intracellular.reading._read import Piece, Reading
from neurograft.copying.intracellular.reading._work import Arrays
from neurograft.errors import CopyError
from neurograft.progress import Progress, silent
from neurograft.recordings import Recording, duration_s

CALIBRATED_ON_S = 120.0


@final
class Ahead:
    """The work on a recording that grows; each call does a little of it, and tells whether there was any to do."""

    def __init__(self, options: IntracellularOptions, work: Work, *, calibrated_on_s: float | None = None) -> None:
        """Hold nothing yet."""
        self.options, self.work = options, work
        self.state: State | None = None
        self._calibrated_on_s = CALIBRATED_ON_S if calibrated_on_s is None else calibrated_on_s
        self._pieces: list[Piece] = []
        self._results: list[Arrays] = []

    def take(self, recording: Recording, progress: Progress = silent) -> bool:
        """Read what is new, or add what has been read; return whether there was anything."""
        return self._read(recording, is_over=False, progress=progress) or self._advance(recording, False, progress)

    def step(self, recording: Recording, progress: Progress = silent) -> bool:
        """Do the most urgent of reading, adding and improving; return whether there was anything to do.

        Raises CopyError where memory has no room for what is kept.
        """
        return self.take(recording, progress) or self.improve(progress)

    def improve(self, progress: Progress = silent) -> bool:
        """Bring some coefficients nearer to their solution; return whether any were far from it."""
        return self.state is not None and self.state.traces is not None and self.state.improve(progress)

    def finish(self, recording: Recording, progress: Progress = silent) -> None:
        """Read and add all that is left of a recording that is over."""
        self._read(recording, is_over=True, progress=progress)
        while self._advance(recording, True, progress):
            pass

    def _read(self, recording: Recording, *, is_over: bool, progress: Progress) -> bool:
        options = read_options(recording, self.options)
        pieces = whole_pieces(recording, options.factor, is_over=is_over)[len(self._pieces) :]
        pieces = pieces if is_over else pieces[: self.work.n_threads]
        if not pieces:
            return False
        self._results += read_pieces(recording, pieces, options, self.work, progress)
        self._pieces += pieces
        return True

    def _advance(self, recording: Recording, is_over: bool, progress: Progress) -> bool:
        if not self._pieces:
            return False
        seen, reading = until(recording, self._pieces), Reading(self._pieces, self._results)
        if self.state is None:
            if duration_s(seen) < self._calibrated_on_s:
                return False
            self.state = self._begun(seen, reading, progress)
            if self.state is None:
                self._calibrated_on_s = 2 * duration_s(seen)
                return False
        return self.state.advance(seen, reading, is_over=is_over, progress=progress)

    def _begun(self, seen: Until, reading: Reading, progress: Progress) -> State | None:
        """Return the sums of no row under a calibration; None where nothing fires yet."""
        try:
            known = calibrate(seen, reading, self.options, self.work, progress)
        except CopyError:
            return None
        state = State(known, seen, reading, self.options, self.work)
        return state if state.has_columns.any() else None
