"""A recording as far as it has been read."""

from dataclasses import dataclass
from typing import final

from jaxtyping import Float32
from numpy import ndarray

from neurograft.copying.intracellular.reading._read import MARGIN_S, Piece, pieces_of
from neurograft.recordings import Behind, Recording


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Until(Behind):
    """The first frames of each segment of another recording."""

    segment_frames: tuple[int, ...]

    @property
    def segment_start_s(self) -> tuple[float, ...]:
        """When each segment starts."""
        return self.inner.segment_start_s[: len(self.segment_frames)]

    def read(self, segment: int, start: int, stop: int) -> Float32[ndarray, "frames channels"]:
        """Return frames ``start`` to ``stop - 1`` of a segment."""
        return self.inner.read(segment, start, stop)


def until(recording: Recording, pieces: list[Piece]) -> Until:
    """Return the recording up to the last of these pieces."""
    frames = [0] * (pieces[-1].segment + 1)
    for piece in pieces:
        frames[piece.segment] = piece.stop
    return Until(inner=recording, segment_frames=tuple(frames))


def whole_pieces(recording: Recording, factor: int, *, is_over: bool) -> list[Piece]:
    """Return the pieces that will be the same when the recording has grown; all of one that is over."""
    pieces, last = pieces_of(recording, factor), len(recording.segment_frames) - 1
    margin, n_frames = round(MARGIN_S * recording.rate_hz), recording.segment_frames[-1]
    return [p for p in pieces if is_over or p.segment < last or p.stop + margin <= n_frames]
