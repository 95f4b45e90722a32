"""A few channels of many, read again and again: kept channel by channel in a folder, so that all are read only once.

Most formats keep the channels of an instant together, so ten channels of 4,096 cost reading all.  The cache holds
blocks of 64 channels, one file each, each channel's samples in one piece.  A block appears whole or not at all; the
folder never grows beyond its bound, and the blocks that were used longest ago go first.
"""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import numpy as np
from numpy import ndarray

from neurograft.arrays import frozen
from neurograft.errors import RecordingError
from neurograft.files import written_whole
from neurograft.recordings._identity import samples_hash
from neurograft.recordings._lazy import LazyRecording, with_channels

BLOCK_CHANNELS = 64
_PIECE_SAMPLES = 1 << 23


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelCache:
    """Where channels are kept, and how many bytes at most."""

    folder: Path
    most_bytes: int = 20 << 30


def cached_channels(
    recording: LazyRecording, labels: Sequence[str], *, cache: ChannelCache, path: Path
) -> LazyRecording:
    """Return the recording with only these channels, in this order, read from the cache, which is filled as needed.

    Filling reads the recording once.  Where the blocks of the channels take more than the bound, nothing is
    cached, and an error says how much it would be.
    """
    chosen = with_channels(recording, labels, path=path)
    index_of = {label: k for k, label in enumerate(recording.channel_labels)}
    channel = np.array([index_of[label] for label in labels])
    blocks = np.unique(channel // BLOCK_CHANNELS).tolist()
    dtype = recording.fetch(0, 0, 1).dtype.newbyteorder("=")
    n_frames, n = sum(recording.segment_frames), len(recording.channel_labels)
    block_bytes = n_frames * BLOCK_CHANNELS * dtype.itemsize
    if len(blocks) * block_bytes > cache.most_bytes:
        raise RecordingError(
            f"{len(labels)} channels of {path} lie in {len(blocks)} blocks of {block_bytes / 1e9:.3g} GB, and the "
            f"cache {cache.folder} may hold {cache.most_bytes / 1e9:.3g} GB. Raise most_bytes, or leave the cache out."
        )
    name = f"{samples_hash(recording)[:24]}-{dtype.str[1:]}"
    files = {block: cache.folder / f"{name}-{block}.raw" for block in blocks}
    missing = [block for block in blocks if not _is_whole(files[block], _width(block, n) * n_frames * dtype.itemsize)]
    if missing:
        _make_room(cache, len(missing) * block_bytes, keep=set(files.values()))
        _fill(recording, {block: files[block] for block in missing}, dtype)
    for file in files.values():
        os.utime(file)  # used now
    maps = {b: np.memmap(f, dtype=dtype, mode="r", shape=(_width(b, n), n_frames)) for b, f in files.items()}
    rows = [maps[int(c) // BLOCK_CHANNELS][int(c) % BLOCK_CHANNELS] for c in channel]
    first = np.concatenate([[0], np.cumsum(recording.segment_frames)])

    def fetch(segment: int, start: int, stop: int) -> ndarray:
        at = int(first[segment])
        return np.stack([row[at + start : at + stop] for row in rows], axis=1)

    return replace(chosen, fetch=fetch, gain=frozen(chosen.gain))


def _width(block: int, n_channels: int) -> int:
    return min(BLOCK_CHANNELS, n_channels - block * BLOCK_CHANNELS)


def _is_whole(file: Path, n_bytes: int) -> bool:
    return file.is_file() and file.stat().st_size == n_bytes


def _make_room(cache: ChannelCache, wanted: int, *, keep: set[Path]) -> None:
    """Remove the blocks that were used longest ago until the wanted bytes fit."""
    cache.folder.mkdir(parents=True, exist_ok=True)
    held = sorted((f.stat().st_mtime, f.stat().st_size, f) for f in cache.folder.glob("*-*.raw"))
    total = sum(size for _, size, _ in held)
    for _, size, file in held:
        if total + wanted <= cache.most_bytes:
            break
        if file not in keep:
            file.unlink()
            total -= size


def _fill(recording: LazyRecording, files: dict[int, Path], dtype: np.dtype) -> None:
    """Write the blocks in one pass over the recording; all appear at its end."""
    n, n_frames = len(recording.channel_labels), sum(recording.segment_frames)
    size, at = max(_PIECE_SAMPLES // n, 1), 0
    with ExitStack() as stack:
        parts = {block: stack.enter_context(written_whole(file)) for block, file in files.items()}
        maps = {
            block: np.memmap(part, dtype=dtype, mode="w+", shape=(_width(block, n), n_frames))
            for block, part in parts.items()
        }
        for segment, stop in enumerate(recording.segment_frames):
            for start in range(0, stop, size):
                piece = recording.fetch(segment, start, min(start + size, stop))
                for block, to in maps.items():
                    first = block * BLOCK_CHANNELS
                    to[:, at : at + len(piece)] = piece[:, first : first + len(to)].T
                at += len(piece)
        for to in maps.values():
            to.flush()
        maps.clear()
