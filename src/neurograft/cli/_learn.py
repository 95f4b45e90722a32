"""How ``neurograft run`` lets synapses change, and what it writes of what was learnt."""

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, final

import typer

from neurograft.errors import OptionError

if TYPE_CHECKING:
    from neurograft.cells import MemoryImage
    from neurograft.maps import SynapseMap
    from neurograft.network import Plasticity, WeightStore


class Rule(StrEnum):
    """A timing rule."""

    PAIR = "pair"
    TRIPLET = "triplet"


Learn = Annotated[
    Rule | None, typer.Option(help="Exciting synapses learn by spike timing; an image learns by its cells' pulses.")
]
HomeostasisHz = Annotated[float | None, typer.Option(help="Exciting synapses scale until neurons fire at this rate.")]
ShortTerm = Annotated[
    bool | None,
    typer.Option("--short-term/--no-short-term", help="Depression and facilitation; usual where the map states them."),
]
MostMv = Annotated[float, typer.Option(help="Largest weight that learning reaches, in millivolts.")]
Living = Annotated[
    Path | None,
    typer.Option(
        help="A map of the same synapses that learns beside by the same rule, as the living culture does: tells how "
        "far the copy drifts from it."
    ),
]
Learnt = Annotated[Path | None, typer.Option(help="Where to write the map, or the image, after learning.")]


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learning:
    """What is plastic in the run, and the image that learns, if it is one."""

    plasticity: "Plasticity"
    image: "MemoryImage | None"
    most_v: float

    def write(self, m: "SynapseMap", out: Path, *, duration_s: float) -> None:
        """Write the network as it is after learning."""
        from neurograft.cells import image_after, save_image
        from neurograft.maps import save_map
        from neurograft.network import CellWeights

        store = self.plasticity.store
        if self.image is not None and isinstance(store, CellWeights):
            save_image(image_after(self.image, store.state, duration_s=duration_s), out)
        else:
            save_map(replace(m, weight_v=store.weight_v.copy()), out)

    def told(self, m: "SynapseMap") -> tuple[list[str], dict[str, object]]:
        """Return how much was learnt, in words and for scripts."""
        import numpy as np

        moved = self.plasticity.store.weight_v - m.weight_v
        changed = int(np.count_nonzero(moved))
        size_v = float(np.sqrt(np.mean(moved**2))) if moved.size else 0.0
        line = f"{changed} of {m.n_synapses} synapses changed, rms {1e3 * size_v:.3g} mV"
        return [line], {"changed_synapses": changed, "rms_change_v": size_v}


def learning_of(
    m: "SynapseMap",
    network: Path,
    *,
    rule: Rule | None,
    homeostasis_hz: float | None,
    has_short_term: bool,
    most_mv: float,
    snapshot_s: float = 1.0,
    seed: int,
) -> Learning | None:
    """Return what is plastic, None where nothing is; an image is opened for its cells."""
    if rule is None and homeostasis_hz is None:
        return None
    if not most_mv > 0:
        raise OptionError(f"--most-mv is {most_mv:g}. Give a positive number of millivolts.")
    from neurograft.network import Homeostasis, Plasticity, pair_rule, triplet_rule

    made = {Rule.PAIR: pair_rule, Rule.TRIPLET: triplet_rule}
    image, store = _store(m, network, most_v=1e-3 * most_mv, seed=seed)
    plasticity = Plasticity(
        store=store,
        timing=None if rule is None else made[rule](most_v=1e-3 * most_mv),
        homeostasis=None if homeostasis_hz is None else Homeostasis(target_hz=homeostasis_hz),
        has_short_term=has_short_term,
        snapshot_s=snapshot_s,
    )
    return Learning(plasticity=plasticity, image=image, most_v=1e-3 * most_mv)


def _store(m: "SynapseMap", network: Path, *, most_v: float, seed: int) -> "tuple[MemoryImage | None, WeightStore]":
    import numpy as np

    from neurograft.cells import load_image, pulse_writer
    from neurograft.network import CellWeights, ExactWeights
    from neurograft.recordings import FileKind, kind_of

    if kind_of(network) is not FileKind.IMAGE:
        return None, ExactWeights(m.weight_v, most_v)
    image = load_image(network)
    rng = np.random.default_rng((seed, 1))
    return image, CellWeights(image, m.weight_v, pulse_writer(image.cell), rng)
