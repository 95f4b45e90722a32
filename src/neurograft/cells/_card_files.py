"""Cards as JSON text: what an image carries, so that it can be read when the shipped card has changed."""

import hashlib
import json
from dataclasses import MISSING, asdict, fields, is_dataclass
from typing import Any, cast, get_type_hints

from neurograft.cells._ideal import Ideal
from neurograft.cells._ionic import IonicSlit
from neurograft.cells._measured import Measured
from neurograft.cells._mram import Mram
from neurograft.cells._nand import NandFlash
from neurograft.cells._pcm import Pcm
from neurograft.cells._protocol import MemoryCell
from neurograft.cells._rram import Rram
from neurograft.cells._rram_cmo import RramCmo
from neurograft.cells._sonos import Sonos
from neurograft.errors import CellError, did_you_mean

_SHAPES = (Ideal, IonicSlit, Measured, Mram, NandFlash, Pcm, Rram, RramCmo, Sonos)
_FAMILIES: dict[str, type[Any]] = {c.__name__: c for c in _SHAPES}
_ACCEPTED: dict[Any, tuple[type, ...]] = {float: (int, float), int: (int,), str: (str,), bool: (bool,)}
_LONGEST = 1 << 20  # characters; the largest shipped card has a few thousand


def card_to_json(cell: MemoryCell) -> str:
    """Return one line of JSON, the same for the same card."""
    family = type(cell).__name__
    if family not in _FAMILIES:
        raise CellError(f"A {family} cannot be written to a file. {did_you_mean(family, _FAMILIES)}")
    return json.dumps({"family": family, "card": asdict(cast("Any", cell))}, sort_keys=True)


def card_from_json(text: str) -> MemoryCell:
    """Return the card that ``card_to_json`` wrote; unknown or missing entries raise CellError."""
    if len(text) > _LONGEST:
        raise CellError(f"The card has {len(text)} characters; at most {_LONGEST} are read. This is not a card.")
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise CellError(f"The card is not JSON ({error}). Write it with card_to_json.") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("card"), dict):
        raise CellError("The card has no 'family' and 'card' entries. Write it with card_to_json.")
    family = str(raw.get("family"))
    if family not in _FAMILIES:
        raise CellError(f"{family!r} is no family of memory cells. {did_you_mean(family, _FAMILIES)}")
    return cast("MemoryCell", _build(_FAMILIES[family], raw["card"], where=family))


def card_sha256(cell: MemoryCell) -> str:
    """Return the SHA-256 of the card's JSON as hexadecimal text."""
    return hashlib.sha256(card_to_json(cell).encode()).hexdigest()


def _build(kind: type[Any], raw: dict[str, Any], *, where: str) -> object:
    known = {f.name for f in fields(kind)}
    for name in raw:
        if name not in known:
            raise CellError(f"{where} has no entry {name!r}. {did_you_mean(name, known)}")
    needed = {f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING}
    missing = sorted(needed - set(raw))
    if missing:
        raise CellError(f"{where} lacks {', '.join(missing)}. Give every entry that has no default.")
    hints = get_type_hints(kind)
    values = {name: _value(hints[name], raw[name], where=f"{where}.{name}") for name in raw}
    return kind(**values)


def _value(hint: Any, raw: Any, *, where: str) -> Any:
    if isinstance(raw, dict) and is_dataclass(cast("object", hint)):
        return _build(cast("type[Any]", hint), raw, where=where)
    if isinstance(raw, list):
        return tuple(_value(None, v, where=where) for v in raw)
    wanted = _ACCEPTED.get(hint)
    if wanted is not None and (not isinstance(raw, wanted) or (isinstance(raw, bool) and hint is not bool)):
        raise CellError(f"{where} is {raw!r}. Give a value of type {wanted[-1].__name__}.")
    return raw
