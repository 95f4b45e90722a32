"""What a caller may have to say about a file that does not say it itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import final

from neurograft.errors import RecordingError, did_you_mean
from neurograft.recordings._channel_cache import ChannelCache
from neurograft.recordings._recording import Signal


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOptions:
    """Choices for files that hold several recordings or leave something out; most files need none.

    ``part`` chooses one of several: a HEKA series (its number), an NWB series (its name), a set of
    cells of an icephys file (its number), a 3Brain well, a SpikeInterface stream (its name).
    ``channels`` keeps only these labels, in this order; with a ``cache`` they are kept in its folder channel by
    channel, so that reading them again does not cost reading all.  ``pitch_um`` is the distance of neighbouring
    electrodes, for 3Brain files, which do not tell it.
    """

    part: str | None = None
    channels: tuple[str, ...] | None = None
    pitch_um: float | None = None
    cache: ChannelCache | None = None


def signal_named(name: str) -> Signal:
    """Return the signal of a name such as ``membrane_v``; an unknown name is refused with the known ones."""
    by_name = {signal.name.lower(): signal for signal in Signal}
    if name.lower() not in by_name:
        raise RecordingError(f"The signal {name!r} is unknown. {did_you_mean(name.lower(), by_name)}")
    return by_name[name.lower()]


def ask_signal(path: Path, why: str) -> RecordingError:
    """Return the error that asks what the numbers of a file are."""
    choices = "; ".join(f"{signal.name.lower()} ({signal.value})" for signal in Signal)
    return RecordingError(
        f"{path}: {why} Say it with signal=Signal.… (command line: --signal …); the choices are {choices}."
    )


def ask_part(path: Path, things: str, choices: dict[str, str], given: str | None) -> RecordingError:
    """Return the error that lists what a file holds and asks for one of it."""
    listed = "\n".join(f"  {name}: {what}" for name, what in choices.items())
    told = "Choose one" if given is None else f"There is no {given!r} among them; choose one"
    first = next(iter(choices), "")
    return RecordingError(
        f"{path} holds {len(choices)} {things}. {told} with OpenOptions(part={first!r}) or another "
        f"(command line: --part {first}):\n"
        f"{listed}"
    )
