"""One culture copied, scored and timed beside its peers: a row of the table."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from suite_cultures import Grown
from suite_peers import SPIKE_PEERS, known_pair, triggered_averages

from neurograft.comparing import Ranking, Share, score
from neurograft.copying import copy_intracellular, copy_spikes
from neurograft.errors import NeurograftError
from neurograft.maps import Evidence, Layout, SynapseMap, load_layout, synapse_map
from neurograft.recordings import array_recording
from neurograft.spikes import SpikeTrains


@dataclass(frozen=True, kw_only=True)
class Tool:
    """What a tool's ranking of all ordered pairs is worth, and what it took."""

    auc: float
    average_precision: float
    cpu_s: float
    wall_s: float


@dataclass(frozen=True, kw_only=True)
class Row:
    """One culture in one mode."""

    name: str
    kind: str
    seed: int
    mode: str
    seconds: float
    hidden_fraction: float
    n_neurons: int = 0
    n_true: int = 0
    rate_hz: float = float("nan")  # of the spikes that were found
    true_rate_hz: float = float("nan")
    tools: dict[str, Tool] = field(default_factory=dict)  # "neurograft" first
    decided: Tool | None = None  # ours among the pairs that were decided
    n_undecidable: int = 0
    n_strangers: int = 0  # neurons of the map that stand for nobody
    n_twice: int = 0  # second pads that were not merged
    realised_fdr: Share | None = None
    recall: Share | None = None
    recall_decided: Share | None = None
    sign_error: Share | None = None
    delay_median_abs_s: float = float("nan")
    strength_slope: float = float("nan")
    orientation: str = ""  # what the orientation test says of our map
    error: str = ""  # why there is no map

    def as_json(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Copied:
    map: SynapseMap
    spikes: SpikeTrains
    truth: SynapseMap
    layout: Layout | None


def row_of(grown: Grown, mode: str) -> Row:
    """Return the row of a culture in one mode; a copy that is refused is a row that says so."""
    case = grown.case
    about = {
        "name": case.name,
        "kind": case.kind,
        "seed": case.seed,
        "mode": mode,
        "seconds": case.seconds,
        "hidden_fraction": case.options.hidden_fraction,
    }
    try:
        copied, cpu_s, wall_s = timed(lambda: _copied(grown, mode))
    except NeurograftError as refused:
        return Row(**about, error=str(refused))
    result = score(copied.map, copied.truth, layout=copied.layout, spikes=copied.spikes)
    ours = result.rankings["all pairs"]
    tools = {"neurograft": _tool(ours, cpu_s, wall_s)}
    peers: dict[str, Callable[[], np.ndarray]] = {
        name: lambda peer=peer: peer(copied.spikes) for name, peer in SPIKE_PEERS.items()
    }
    if mode != "spikes":
        recording = grown.recording(mode)
        peers["triggered average"] = lambda: triggered_averages(recording, copied.spikes)
    for name, peer in peers.items():
        tools[name] = _peer(peer, copied)
    return Row(
        **about,
        n_neurons=result.n_neurons,
        n_true=ours.n_true,
        rate_hz=float(copied.spikes.rates_hz().mean()),
        true_rate_hz=float(grown.spikes.rates_hz().mean()),
        tools=tools,
        decided=_tool(result.rankings["decided"], cpu_s, wall_s),
        n_undecidable=result.n_undecidable,
        n_strangers=result.n_unknown,
        n_twice=result.n_twice,
        realised_fdr=result.realised_fdr,
        recall=result.recall,
        recall_decided=result.recall_decided,
        sign_error=result.sign_error,
        delay_median_abs_s=result.delay.median_abs_s,
        strength_slope=result.strength.slope,
        orientation=result.orientation.found.name,
    )


def warm_up(grown: Grown, modes: tuple[str, ...]) -> None:
    """Copy ten seconds once, so that no row pays for compiling kernels."""
    for mode in modes:
        with contextlib.suppress(NeurograftError):  # ten seconds may hold too few spikes; the kernels ran all the same
            if mode == "spikes":
                copy_spikes(known_pair())
                continue
            whole = grown.recording(mode)
            part = whole.read(0, 0, min(round(10 * whole.rate_hz), whole.segment_frames[0]))
            copy_intracellular(array_recording(part, rate_hz=whole.rate_hz, signal=whole.signal))


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, time.process_time() - cpu, time.perf_counter() - wall


def _copied(grown: Grown, mode: str) -> _Copied:
    if mode == "spikes":
        spikes, truth = grown.sorted_units()
        return _Copied(map=copy_spikes(spikes), spikes=spikes, truth=truth, layout=None)
    copied = copy_intracellular(grown.recording(mode))
    layout = load_layout(grown.truth_file) if mode == "array" else None
    return _Copied(map=copied.map, spikes=copied.spikes, truth=grown.truth, layout=layout)


def _peer(peer: Callable[[], np.ndarray], copied: _Copied) -> Tool:
    """Return what a peer's matrix [pre, post] is worth on the same neurons against the same truth."""
    z, cpu_s, wall_s = timed(peer)
    n = copied.map.n_neurons
    nothing = np.zeros(0)
    evidence = Evidence(
        z=z.astype(np.float32), limit_v=np.zeros((n, n), np.float32), undecidable=np.zeros((n, n), np.uint8)
    )
    none = synapse_map(
        n_neurons=n,
        pre=nothing.astype(np.int64),
        post=nothing.astype(np.int64),
        weight_v=nothing,
        delay_s=nothing,
        labels=copied.map.labels,
        evidence=evidence,
    )
    ranking = score(none, copied.truth, layout=copied.layout).rankings["all pairs"]
    return _tool(ranking, cpu_s, wall_s)


def _tool(ranking: Ranking, cpu_s: float, wall_s: float) -> Tool:
    return Tool(auc=ranking.auc, average_precision=ranking.average_precision, cpu_s=cpu_s, wall_s=wall_s)
