"""How a result came to be: which software, which command, which parameters, which seed, which inputs."""

import hashlib
import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, cast, final

from neurograft.files import url_of
from neurograft.version import VERSION

_BLOCK_BYTES: Final = 1 << 20
_END_BYTES: Final = 16 << 20
_WHOLE_BYTES: Final = 1 << 30

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What has to be written beside a result so that somebody can make it again."""

    command: str
    parameters: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    seed: int | None = None
    inputs: Mapping[str, str] = field(default_factory=dict[str, str])  # file name -> fingerprint
    version: str = VERSION
    python: str = platform.python_version()

    def to_json(self) -> str:
        """Return one line of JSON, the same for the same content."""
        return json.dumps(asdict(self), sort_keys=True)


def provenance_from_json(text: str) -> Provenance:
    """Return what ``to_json`` wrote; unknown keys of a later version are dropped, the file says its version."""
    raw = cast("dict[str, JsonValue]", json.loads(text))
    parameters, inputs, seed = raw.get("parameters"), raw.get("inputs"), raw.get("seed")
    return Provenance(
        command=str(raw.get("command", "")),
        parameters=parameters if isinstance(parameters, dict) else {},
        seed=seed if isinstance(seed, int) else None,
        inputs={k: str(v) for k, v in inputs.items()} if isinstance(inputs, dict) else {},
        version=str(raw.get("version", "")),
        python=str(raw.get("python", "")),
    )


def fingerprint(path: Path) -> str:
    """Return ``sha256:`` of a file, or of all files under a folder in name order.

    A file above 1 GiB is known by its length, first and last 16 MiB instead, and the text then starts with
    ``sha256-ends:``, because reading 80 GB twice to name it would cost minutes.  What lies in an object store is
    known by its URL.
    """
    url = url_of(path)
    if url is not None:
        return f"url:{url}"
    digest = hashlib.sha256()
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    is_whole = True
    for file in files:
        if path.is_dir():
            digest.update(file.relative_to(path).as_posix().encode())
        is_whole &= _add_file(file, digest.update)
    return f"{'sha256' if is_whole else 'sha256-ends'}:{digest.hexdigest()}"


def _add_file(file: Path, add: Callable[[bytes], None]) -> bool:
    """Add a file's content to a digest and tell whether it was all of it."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        if size > _WHOLE_BYTES:
            add(str(size).encode())
            add(stream.read(_END_BYTES))
            stream.seek(-_END_BYTES, 2)
            add(stream.read(_END_BYTES))
            return False
        while block := stream.read(_BLOCK_BYTES):
            add(block)
    return True
