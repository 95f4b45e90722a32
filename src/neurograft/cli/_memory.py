"""How ``neurograft run`` reads a memory image: age, noise, converters, wires, drift; and an age in words."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from neurograft.errors import OptionError
from neurograft.units import DAY, YEAR

if TYPE_CHECKING:
    from neurograft.cells import Figure
    from neurograft.network import Readout

_UNITS: Final = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": DAY, "y": YEAR}

Age = Annotated[
    str | None,
    typer.Option(help="Age of a memory image when it is read: 30s, 10min, 2h, 5d or 1y; in place of --age-days."),
]
ReadNoise = Annotated[bool, typer.Option("--read-noise", help="Images: every synaptic event is a noisy reading.")]
ReadoutBits = Annotated[
    int | None, typer.Option(min=1, max=24, help="Images: bits of the converter that gives each neuron's sum.")
]
ReadoutMv = Annotated[float, typer.Option(help="Images: the converter reaches from minus to plus this many mV.")]
LineOhm = Annotated[float, typer.Option(min=0, help="Images: resistance of a wire between two cells.")]
DriftEvery = Annotated[float | None, typer.Option("--drift-every-s", help="Images: cells age on during the run.")]


def age_in_s(text: str | None, age_days: float) -> float:
    """Return an age in seconds; --age counts where both are given a value, which is refused."""
    if text is None:
        return age_days * DAY
    if age_days:
        raise OptionError("Both --age and --age-days are given. Give one of them.")
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?(?:e-?\d+)?)\s*([a-z]+)\s*", text)
    if found is None or found.group(2) not in _UNITS:
        raise OptionError(f"--age is {text!r}. Give a number and s, min, h, d or y, e.g. 1y.")
    return float(found.group(1)) * _UNITS[found.group(2)]


def readout_of(
    network: Path, *, read_noise: bool, bits: int | None, range_mv: float, ohm: float, drift_every_s: float | None
) -> "Readout | None":
    """Return how the image is read; None where nothing was asked for; options on a map are refused."""
    if not read_noise and bits is None and ohm == 0 and drift_every_s is None:
        return None
    from neurograft.network import Readout
    from neurograft.recordings import FileKind, kind_of

    if kind_of(network) is not FileKind.IMAGE:
        raise OptionError(f"{network} is no memory image: reading options are for images. Paste it, or leave them out.")
    return Readout(
        has_read_noise=read_noise, bits=bits, range_v=1e-3 * range_mv, ohm_per_cell=ohm, drift_every_s=drift_every_s
    )


def told_energy(event: "Figure", second: "Figure") -> str:
    """Return the energy of reading in words."""
    if event.value is None or second.value is None:
        return f"energy of reading the cells: not known ({event.evidence})"
    return f"energy of reading the cells: {event.value:.3g} J an event, {second.value:.3g} W ({event.evidence})"
