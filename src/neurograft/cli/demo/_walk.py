"""What the walks share: the way from a map to a running copy, and what a walk hands back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from neurograft.cells import MemoryImage, card, image_to_map, load_image, save_image
from neurograft.comparing import Fidelity
from neurograft.maps import SynapseMap
from neurograft.pasting import PasteSummary, paste, summarise
from neurograft.progress import Progress
from neurograft.report import Section


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """Chapters for the report, lines for the terminal, numbers for ``--json``."""

    sections: Sequence[Section]
    lines: Sequence[str]
    result: Mapping[str, object]


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pasted:
    """A map in memory, and the map that is read back from it."""

    image: MemoryImage
    summary: PasteSummary
    held: SynapseMap


def pasted(m: SynapseMap, file: Path, *, memory: str, seed: int, progress: Progress) -> Pasted:
    """Return the map pasted, written to the file, and read back from that file."""
    image = paste(m, memory=card(memory), seed=seed, progress=progress)
    save_image(image, file)
    held = image_to_map(load_image(file), rng=np.random.default_rng(seed))
    return Pasted(image=image, summary=summarise(image, m), held=held)


def fidelity_lines(fidelity: Fidelity) -> list[str]:
    """Return the headline measures as lines: distance of copy, of itself, of nulls."""
    lines: list[str] = []
    for row in fidelity.headline:
        nulls = ", ".join(f"{name} {null.mean:.3g}" for name, null in row.nulls.items())
        won = "beats both" if row.beats_all else "does NOT beat every null"
        lines.append(
            f"  {row.name}: distance {row.distance:.3g} (original to itself {row.ceiling:.3g}; {nulls}): {won}"
        )
    return lines or ["  no measure on this data can tell a right copy from a null"]


def fidelity_result(fidelity: Fidelity) -> dict[str, object]:
    """Return how many headline measures are won, and their distances."""
    return {
        "headline": len(fidelity.headline),
        "won": sum(row.beats_all for row in fidelity.headline),
        "distance": {row.name: row.distance for row in fidelity.headline},
    }
