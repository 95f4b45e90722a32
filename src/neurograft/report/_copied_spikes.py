"""What a copy from spikes rests on: correlograms of its calls, and its nulls in this very recording."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from neurograft.copying import correlogram
from neurograft.maps import SynapseMap, Undecidable
from neurograft.report._blocks import Block, Figure, KeyNumber, KeyNumbers, Level, Note, Section
from neurograft.report._chapters import map_chapter
from neurograft.report._curves import LagCurve, lag_figure
from neurograft.spikes import SpikeTrains

_EACH: Final = 6  # correlograms of a kind

_TEXT: Final = (
    "Spikes tell of synapses by what follows them. The correlograms are the raw counts, before the drives that neurons "
    "share were taken away: where drives are strong a synapse may be hard to see in them. Decoys are the same trains "
    "with every spike drawn anew within its fixed 20 ms: no synapse is left in them, but what is slower is. The "
    "expected number of false calls is the sum of each call's own chance to be one; drives that are as fast as a "
    "synapse are in it only as far as networks that the judge was trained on had them."
)

_NONE_DOUBTFUL: Final = Note(text="No pair was left undecided because a drive that neurons share may explain it.")


def copied_spikes_chapters(title: str, m: SynapseMap, trains: SpikeTrains) -> list[Section]:
    """Return the map of spike trains, then the evidence for its error rate in this recording."""
    doubtful = _doubtful(m)
    blocks: list[Block] = [
        *(Note(text=f"{flag[0].upper()}{flag[1:]}", level=Level.WARNING) for flag in _flags(m)),
        KeyNumbers(numbers=_numbers(m)),
        correlograms_figure(trains, m, _surest_and_least(m), are_called=True),
        correlograms_figure(trains, m, doubtful, are_called=False) if doubtful else _NONE_DOUBTFUL,
    ]
    return [
        map_chapter(title, m, text="Who is taken to answer whose spikes, and how sure that is."),
        Section(title="Evidence for the error rate in this recording", text=_TEXT, blocks=blocks),
    ]


def correlograms_figure(
    trains: SpikeTrains, m: SynapseMap, pairs: Sequence[tuple[int, int]], *, are_called: bool
) -> Figure | Note:
    """Return the correlograms of some pairs, with 99 % of chance around their slow baseline."""
    q = {(int(i), int(j)): float(value) for i, j, value in zip(m.pre, m.post, m.q_value, strict=True)}
    curves: list[LagCurve] = []
    for i, j in pairs:
        c = correlogram(trains, i, j)
        name = f"{m.labels[i]} → {m.labels[j]}"
        curves.append(
            LagCurve(
                name=f"{name}, q {q[i, j]:.2g}" if (i, j) in q else name,
                lag_s=c.lag_s,
                value=c.counts.astype(np.float64),
                lower=c.band[0],
                upper=c.band[1],
                is_called=are_called,
            )
        )
    return lag_figure(
        curves, value_axis="spikes of post a bin", band="99 % of chance around the slow baseline", max_panels=2 * _EACH
    )


def _surest_and_least(m: SynapseMap) -> list[tuple[int, int]]:
    """Return the calls with the smallest and with the largest q-values, none twice."""
    order = np.argsort(m.q_value, kind="stable")
    chosen = order if order.size <= 2 * _EACH else np.concatenate([order[:_EACH], order[-_EACH:]])
    return [(int(m.pre[k]), int(m.post[k])) for k in chosen]


def _doubtful(m: SynapseMap) -> list[tuple[int, int]]:
    """Return the strongest pairs that a common drive may explain as well."""
    if m.evidence is None:
        return []
    pre, post = np.nonzero(m.evidence.undecidable == Undecidable.COMMON_DRIVE)
    z = np.nan_to_num(np.abs(m.evidence.z[pre, post]))
    return [(int(pre[k]), int(post[k])) for k in np.argsort(-z, kind="stable")[:_EACH]]


def _flags(m: SynapseMap) -> list[str]:
    flags = m.provenance.parameters.get("flags") if m.provenance else None
    return [str(flag) for flag in flags] if isinstance(flags, list) else []


def _numbers(m: SynapseMap) -> list[KeyNumber]:
    told = m.provenance.parameters if m.provenance else {}
    decoys, false = (told.get(name) for name in ("decoys", "calls_in_jittered_decoys"))
    expected = f"{np.sum(m.extra['local_fdr']):.1f}" if "local_fdr" in m.extra else "not known"
    n = m.n_synapses
    label = "calls in jittered copies of the recording"
    in_decoys = KeyNumber(label=label, value="not made", remark="too few or too many neurons, or not asked for")
    if isinstance(decoys, int) and isinstance(false, int):
        asked = float(str(told.get("fdr", 0.05)))
        level = Level.WARNING if false > asked * decoys * max(n, 1) else Level.GOOD
        remark = f"in {decoys}, for {n} calls in the true one"
        in_decoys = KeyNumber(label=label, value=str(false), remark=remark, level=level)
    return [
        in_decoys,
        KeyNumber(label="false calls to be expected", value=expected, remark=f"of {n}"),
        KeyNumber(
            label="drives taken away", value=str(told.get("n_drives_removed", 0)), remark="that many neurons share"
        ),
    ]
