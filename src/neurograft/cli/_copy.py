"""``neurograft copy RECORDING -o map.h5``: a recording becomes a synaptic map."""

import math
import sys
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from neurograft.cli._copy_ahead import Following
from neurograft.cli._copy_follow import EveryS, Follow, IdleS, Unit, growing, require_followed
from neurograft.cli._copy_follow import follow as follow_recording
from neurograft.cli._copy_work import Arrays, How, Jobs, Memory, Opener, Resume, Scheduler, Shard, SkipUnreadable
from neurograft.cli._files import open_source
from neurograft.cli._options import AsJson, Out, Part, SignalName, TimeUnit, show
from neurograft.cli._progress import shown_progress
from neurograft.cli._sorted import SorterName, sorted_first, with_sorter
from neurograft.errors import OptionError, WorkError
from neurograft.files import url_of
from neurograft.maps import Kind
from neurograft.progress import silent
from neurograft.provenance import Provenance, fingerprint
from neurograft.units import MV

if TYPE_CHECKING:
    from collections.abc import Callable, Sized

    from neurograft.copying import IntracellularCopy, IntracellularOptions, Work
    from neurograft.maps import SynapseMap
    from neurograft.progress import Progress
    from neurograft.recordings import Recording
    from neurograft.spikes import SpikeTrains


_MOST_FLAGS = 3


class Mode(StrEnum):
    """Which of the two ways of copying is taken."""

    AUTO = "auto"
    INTRACELLULAR = "intracellular"
    SPIKES = "spikes"


def copy_command(
    recording: Annotated[Path, typer.Argument(help="A recording, or sorted spike trains, in their own format.")],
    out: Out,
    mode: Annotated[Mode, typer.Option(help="From membrane potentials, or from spikes alone.")] = Mode.AUTO,
    fdr: Annotated[float, typer.Option(help="False-discovery rate: share of wrong synapses that is accepted.")] = 0.05,
    action_potential_mv: Annotated[
        float,
        typer.Option(
            min=10.0,
            max=200.0,
            help="Peak of an action potential over the mean membrane potential, on which strengths from pads rest.",
        ),
    ] = 100.0,
    spikes_out: Annotated[Path | None, typer.Option("--spikes", help="Also write the spikes that were found.")] = None,
    report: Annotated[Path | None, typer.Option(help="Also write an HTML report with the evidence.")] = None,
    sorter: SorterName = None,
    signal: SignalName = None,
    part: Part = None,
    time_unit: TimeUnit = None,
    resume: Resume = False,
    skip_unreadable: SkipUnreadable = False,
    shard: Shard = None,
    scheduler: Scheduler = None,
    memory: Memory = "8G",
    n_jobs: Jobs = 1,
    arrays: Arrays = None,
    follow: Follow = False,
    every_s: EveryS = 5.0,
    idle_s: IdleS = 10.0,
    unit: Unit = None,
    as_json: AsJson = False,
) -> None:
    """Copy the synaptic map out of a recording.

    An unsorted extracellular recording is sorted first, by one of SpikeInterface's sorters (--sorter); the units
    are kept beside the map.

    What is read of a recording of potentials is kept beside the output, in OUT.work, until the map is written: a copy
    that was stopped goes on with --resume.
    """
    from neurograft.spikes import SpikeTrains

    how = How(
        out=out,
        is_resumed=resume,
        shard=shard,
        scheduler=scheduler,
        memory=memory,
        n_jobs=n_jobs,
        is_skipping=skip_unreadable,
        arrays=arrays,
    )
    asked = _Asked(
        recording=recording,
        out=out,
        mode=mode,
        fdr=fdr,
        action_potential_v=action_potential_mv * MV,
        spikes_out=spikes_out,
        report=report,
    )
    if follow:
        if time_unit is not None:
            raise OptionError("--time-unit is for files of spike times, which do not grow. Leave it out with --follow.")
        how.require_here()
        with growing(recording, out=out, signal_name=signal, part=part, unit=unit, is_resumed=resume) as (path, opened):
            _follow(replace(asked, recording=path), how, opened, every_s=every_s, idle_s=idle_s, as_json=as_json)
        return
    require_followed(recording)
    source = how.opened(open_source(recording, signal=signal, part=part, time_unit=time_unit))
    told: tuple[str, ...] = ()
    if mode is not Mode.INTRACELLULAR:  # which says itself what it needs
        with shown_progress() as progress:
            source, told = sorted_first(source, out=out, sorter=sorter, progress=progress)
    for line in told:
        print(line, file=sys.stderr)
    if isinstance(source, SpikeTrains):
        if not told:  # units that were kept are the work of an earlier run: --resume may be said
            how.require_recording()
        with shown_progress() as progress:
            made = _copied(source, asked, work=None, progress=progress)
        show(*_written(asked, made), as_json=as_json)
        return
    folder = how.open_folder()
    work = how.work(
        folder, Opener(recording if url_of(recording) else recording.resolve(), signal, part, skip_unreadable)
    )
    with shown_progress() as progress:
        if shard is not None:
            show(*_shard(source, work, progress, folder.path), as_json=as_json)
            return
        made = _copied(source, asked, work=work, progress=progress)
    try:
        show(*_written(asked, made), as_json=as_json)
    except OSError as problem:
        raise WorkError(
            f"{out} cannot be written: {problem}. What was read is kept in {folder.path}. "
            "Make room or choose a folder that can be written to, then run the same command with --resume."
        ) from problem
    folder.remove()


@dataclass(frozen=True, kw_only=True, eq=False)
class _Asked:
    """What is copied, how sure, and where to."""

    recording: Path
    out: Path
    mode: Mode
    fdr: float
    action_potential_v: float
    spikes_out: Path | None
    report: Path | None


def _written(asked: _Asked, made: "_Made") -> tuple[tuple[str, ...], dict[str, object]]:
    """Write the files that were asked for; return what to print."""
    from neurograft.maps import describe, save_map
    from neurograft.spikes import save_spikes

    m = made.map
    inputs = {asked.recording.name: fingerprint(asked.recording)}
    m = replace(m, provenance=replace(m.provenance or Provenance(command="copy"), inputs=inputs))
    save_map(m, asked.out)
    if asked.spikes_out is not None:
        save_spikes(made.spikes, asked.spikes_out)
    lines = [*describe(m), *made.warnings()]
    if asked.report is not None:
        _write(asked.report, m, made)
        lines.append(f"written: {asked.report}")
    result: dict[str, object] = {"map": str(asked.out), "neurons": m.n_neurons, "synapses": m.n_synapses}
    result["pairs"] = _pairs(m)
    if made.intracellular is not None:
        result |= _evidence(made.intracellular)
    return (*lines, f"written: {asked.out}"), result


def _follow(
    asked: _Asked, how: How, opened: "Callable[[], Recording]", *, every_s: float, idle_s: float, as_json: bool
) -> None:
    """Copy what there is of a growing recording, again and again; every map is whole."""
    from neurograft.recordings import duration_s

    folder = how.open_folder()
    last: list[tuple[tuple[str, ...], dict[str, object]]] = []
    opener = Opener(asked.recording.resolve(), None, None)
    ahead = Following(_options(asked), how.work(folder, opener), is_wanted=asked.mode is not Mode.SPIKES)

    def tell(made: "_Made", seconds: float, more: str = "") -> None:
        last[:] = [_written(asked, made)]
        m = made.map
        print(f"{seconds:.0f} s: {m.n_synapses} synapses of {m.n_neurons} neurons{more}", file=sys.stderr)

    def publish(recording: "Recording", is_growing: bool) -> None:
        early = ahead.map_of(recording, is_growing=is_growing)
        if early is not None:
            tell(_Made(map=early.copied.map, spikes=early.copied.spikes, intracellular=early.copied), *early.told())
        if not is_growing or not (ahead.is_following or ahead.is_awaited(recording)):
            made = _copied(recording, asked, work=how.work(folder, opener, is_growing=is_growing), progress=silent)
            tell(made, duration_s(recording))
            ahead.was_published(duration_s(recording))

    ended = follow_recording(opened, publish, ahead.step, every_s=every_s, idle_s=idle_s)
    if last:
        show(*last[-1], as_json=as_json)
    if ended:
        folder.remove()
    else:
        has = f"{asked.out} holds the last map" if last else "there was not enough yet for a map"
        print(f"neurograft: stopped; {has}. With --resume what was read need not be read again.", file=sys.stderr)


def _shard(
    source: "Recording", work: "Work", progress: "Progress", folder: Path
) -> tuple[tuple[str, ...], dict[str, object]]:
    """Read a share; return what to print."""
    from neurograft.copying import read_shard

    done, total = read_shard(source, work, progress=progress)
    left = "Now run the same command with --resume instead of --shard." if done == total else "Run the other shards."
    return (f"{done} of {total} pieces are in {folder}. {left}",), {"pieces": total, "done": done}


@dataclass(frozen=True, kw_only=True, eq=False)
class _Made:
    """A map, the spikes that it rests on, and all else of a copy of potentials."""

    map: "SynapseMap"
    spikes: "SpikeTrains"
    intracellular: "IntracellularCopy | None" = None

    def warnings(self) -> tuple[str, ...]:
        """Return a line for times without a sample, and one for flagged channels; report and --json name each."""
        if self.intracellular is None:
            return ()
        lines: list[str] = []
        spans = self.intracellular.unusable_s
        if len(spans):
            told = ", ".join(f"{begin:.6g} to {end:.6g} s" for begin, end in spans[:_MOST_FLAGS])
            total_s = float(np.sum(spans[:, 1] - spans[:, 0]))
            lines.append(f"left out: {total_s:.4g} s without a usable sample on any channel ({told}{_more(spans)})")
        flagged = [c for c in self.intracellular.channels if c.flags]
        if flagged:
            told = "; ".join(f"{c.label}: {c.flags[0]}" for c in flagged[:_MOST_FLAGS])
            n = len(self.intracellular.channels)
            lines.append(f"flagged: {len(flagged)} of {n} channels ({told}{_more(flagged)})")
        return tuple(lines)


def _more(found: "Sized") -> str:
    return f"; and {len(found) - _MOST_FLAGS} more" if len(found) > _MOST_FLAGS else ""


def _pairs(m: "SynapseMap") -> list[dict[str, object]]:
    """Return every synapse with all its columns; what is not known is None."""
    columns = {"weight_v": m.weight_v, "weight_se_v": m.weight_se_v, "delay_s": m.delay_s, "q_value": m.q_value}
    columns |= m.extra
    return [
        {
            "pre": m.labels[m.pre[k]],
            "post": m.labels[m.post[k]],
            "kind": Kind(m.kind[k]).name,
            **{name: _plain(float(column[k])) for name, column in columns.items()},
        }
        for k in range(m.n_synapses)
    ]


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _evidence(copied: "IntracellularCopy") -> dict[str, object]:
    """Return the nulls of this recording, its flagged channels and the pairs that were rejected by name."""
    null = copied.null
    numbers = {name: value for name, value in null._asdict().items() if isinstance(value, int | float)}
    return {
        "null": {
            **{name: _plain(float(value)) for name, value in numbers.items()},
            "calibration": null.calibration.tolist(),
            "decoys": null.decoys.tolist(),
        },
        "unusable_s": copied.unusable_s.tolist(),
        "recording_flags": list(copied.flags),
        "flags": {c.label: list(c.flags) for c in copied.channels if c.flags},
        "rejected": [r._asdict() for r in copied.rejected],
    }


def _write(path: Path, m: "SynapseMap", made: "_Made") -> None:
    from neurograft.report import Report, copied_chapters, copied_spikes_chapters, write_report

    title = "The synaptic map"
    chapters = (
        copied_spikes_chapters(title, m, made.spikes)
        if made.intracellular is None
        else copied_chapters(title, made.intracellular)
    )
    write_report(Report(title="A recording copied", sections=chapters, provenance=m.provenance), path)


def _copied(source: "SpikeTrains | Recording", asked: _Asked, *, work: "Work | None", progress: "Progress") -> _Made:
    from neurograft.copying import SpikesOptions, copy_intracellular, copy_spikes, detect_spikes
    from neurograft.spikes import SpikeTrains

    if isinstance(source, SpikeTrains):
        if asked.mode is Mode.INTRACELLULAR:
            raise OptionError("--mode intracellular needs membrane potentials; the file holds spikes. Leave it out.")
        m = copy_spikes(source, options=SpikesOptions(fdr=asked.fdr), progress=progress)
        return _Made(map=with_sorter(m, source), spikes=source)
    if asked.mode is Mode.SPIKES:
        spikes = detect_spikes(source, work=work, progress=progress)
        return _Made(map=copy_spikes(spikes, options=SpikesOptions(fdr=asked.fdr), progress=progress), spikes=spikes)
    copied = copy_intracellular(source, options=_options(asked), work=work, progress=progress)
    return _Made(map=copied.map, spikes=copied.spikes, intracellular=copied)


def _options(asked: _Asked) -> "IntracellularOptions":
    from neurograft.copying import IntracellularOptions

    return IntracellularOptions(
        fdr=asked.fdr, action_potential_v=asked.action_potential_v, with_evidence=asked.report is not None
    )
