"""The plain way to paste, as a yardstick: what better pasting wins, and what it costs."""

from dataclasses import dataclass, replace
from typing import final

from neurograft.cells import AbsentUnused, MemoryImage, OneShot, ZeroUnused
from neurograft.maps import SynapseMap
from neurograft.pasting._ageing import ageing
from neurograft.pasting._encode import Scaling
from neurograft.pasting._paste import PasteOptions, paste
from neurograft.pasting._summary import PasteSummary, summarise
from neurograft.progress import Progress, silent


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BesideNaive:
    """A paste beside the naive one; errors are those of postsynaptic sums read once, after the best one gain."""

    naive: PasteSummary
    ours: PasteSummary
    naive_error: float
    our_error: float

    def lines(self) -> tuple[str, ...]:
        """Return what is won and what it costs, in words."""
        naive, ours = self.naive, self.ours
        long_s, short_s = ours.parallel_s.value, naive.parallel_s.value
        times = f"{long_s / short_s:.3g} x" if long_s is not None and short_s else "an unknown part of"
        return (
            "naive: one cell a synapse set once, largest weight at the end of the window, unused cells set to 0 once",
            f"error of sums after one gain: naive {self.naive_error:.1%}, here {self.our_error:.1%}",
            f"for that: {ours.n_cells / max(naive.n_cells, 1):.2f} x the cells, "
            f"{ours.n_tiles / max(naive.n_tiles, 1):.3g} x the tiles, "
            f"{_all_pulses(ours) / max(_all_pulses(naive), 1):.3g} x the pulses (with those of unused cells), "
            f"{times} the write time with all tiles at once",
        )


def beside_naive(
    image: MemoryImage,
    m: SynapseMap,
    *,
    options: PasteOptions,
    unused: AbsentUnused | ZeroUnused,
    seed: int,
    progress: Progress = silent,
) -> BesideNaive:
    """Return an image, made with ``options``, beside a naive one with the same tiles, order, signs and defects."""
    plain = replace(options, scaling=Scaling(clip_share=0.0), verify=OneShot(), around=None)
    other = paste(m, memory=image.cell, options=plain, seed=seed, progress=progress)
    zero = ZeroUnused()
    return BesideNaive(
        naive=summarise(other, m, seed=seed, unused=zero),
        ours=summarise(image, m, seed=seed, unused=unused),
        naive_error=_error(other, m, zero, seed),
        our_error=_error(image, m, unused, seed),
    )


def _error(image: MemoryImage, m: SynapseMap, unused: AbsentUnused | ZeroUnused, seed: int) -> float:
    return ageing(image, m, ages_s=(0.0,), unused=unused, seed=seed)[0].error_after_gain or 0.0


def _all_pulses(summary: PasteSummary) -> int:
    return summary.pulses + summary.unused_pulses
