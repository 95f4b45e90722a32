"""``neurograft compare A B``: two of recording, activity, map and image, with nulls that give numbers a meaning."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, final

import typer

from neurograft.cli._deeper import (
    Asked,
    Curves,
    Predict,
    PredictClamp,
    Recopy,
    SameStimulus,
    TrialS,
    Trials,
    deeper,
)
from neurograft.cli._files import is_network, open_activity, open_network
from neurograft.cli._options import AgeDays, AsJson, Seed, show
from neurograft.cli._progress import shown_progress
from neurograft.errors import OptionError
from neurograft.provenance import Provenance, fingerprint
from neurograft.units import DAY

if TYPE_CHECKING:
    from neurograft.comparing import Trial, TrialOptions
    from neurograft.progress import Progress
    from neurograft.report import Section


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Outcome:
    """What the comparison itself gives: text, values, a chapter, and the runs where networks ran."""

    lines: Sequence[str]
    result: Mapping[str, object]
    section: "Section"
    trial: "Trial | None" = None


def compare_command(
    a: Annotated[Path, typer.Argument(help="The original: a recording, spikes, an activity, a map or an image.")],
    b: Annotated[Path, typer.Argument(help="The copy: likewise.")],
    report: Annotated[Path | None, typer.Option(help="Also write an HTML report.")] = None,
    seconds: Annotated[float | None, typer.Option(help="How long networks run.")] = None,
    shuffles: Annotated[int, typer.Option(min=0, help="Shuffled maps that run beside a network.")] = 19,
    predict: Predict = False,
    clamp: PredictClamp = "each",
    recopy: Recopy = False,
    stimulus: SameStimulus = None,
    trial_s: TrialS = 1.0,
    trials: Trials = 20,
    degrade: Curves = None,
    rate_hz: Annotated[float, typer.Option(help="Mean rate at which two networks are compared.")] = 5.0,
    age_days: AgeDays = 0.0,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Compare a copy with its original: two activities, a recording with a network, or two networks."""
    from neurograft.comparing import TrialOptions

    options = TrialOptions(duration_s=seconds, n_shuffled=shuffles, rate_hz=rate_hz)
    are_networks = (is_network(a), is_network(b))
    if are_networks == (True, False):
        raise OptionError(f"{a} is a network and {b} is not. Name the recording or activity first, the network second.")
    asked = Asked(
        predict=predict, clamp=clamp, recopy=recopy, stimulus=stimulus, trial_s=trial_s, n_trials=trials,
        curves=tuple(degrade or ()), n_shuffled=shuffles, rate_hz=rate_hz, seconds=seconds, age_s=age_days * DAY,
        seed=seed,
    )  # fmt: skip
    asked.require(a, b)
    with shown_progress() as progress:
        if are_networks == (True, True):
            outcome = _networks(a, b, options, age_days * DAY, seed, progress)
        elif are_networks == (False, True):
            outcome = _with_network(a, b, options, age_days * DAY, seed, progress)
        else:
            outcome = _activities(a, b, seed, progress)
        more = deeper(asked, a, b, outcome.trial, progress)
    lines = [*outcome.lines, *more.to_lines()]
    if report is not None:
        section = replace(outcome.section, blocks=[*outcome.section.blocks, *more.tables()])
        _write(report, section, a, b, seed)
        lines.append(f"written: {report}")
    show(lines, {**outcome.result, **more.as_json()}, as_json=as_json)


def _networks(a: Path, b: Path, options: "TrialOptions", age_s: float, seed: int, progress: "Progress") -> _Outcome:
    from neurograft.comparing import compare_maps, compare_twins
    from neurograft.report import fidelity_chapter

    original, copy = open_network(a, age_s=0.0, seed=seed), open_network(b, age_s=age_s, seed=seed)
    near = compare_maps(original, copy)
    trial = compare_twins(original, copy, options=options, seed=seed, progress=progress)
    text = "Both networks run with the same drive and the same noise.\n\n" + "\n\n".join(near.to_lines())
    section = fidelity_chapter("Two networks", trial, text=text, names={"original": a.name, "copy": b.name})
    lines = [*near.to_lines(), "", *trial.fidelity.to_lines()]
    return _Outcome(lines=lines, result=trial.fidelity.as_json(), section=section, trial=trial)


def _with_network(a: Path, b: Path, options: "TrialOptions", age_s: float, seed: int, progress: "Progress") -> _Outcome:
    from neurograft.comparing import compare_copy
    from neurograft.report import fidelity_chapter

    trial = compare_copy(
        open_activity(a), open_network(b, age_s=age_s, seed=seed), options=options, seed=seed, progress=progress
    )
    text = "The network runs under a background drive fitted to the rates of the original."
    section = fidelity_chapter("Recording and network", trial, text=text, names={"original": a.name, "copy": b.name})
    return _Outcome(
        lines=trial.fidelity.to_lines(), result=trial.fidelity.as_json(), section=section, trial=trial
    )  # fmt: skip


def _activities(a: Path, b: Path, seed: int, progress: "Progress") -> _Outcome:
    from neurograft.comparing import compare
    from neurograft.report import Section, fidelity_blocks, raster_figure

    original, copy = open_activity(a), open_activity(b)
    fidelity = compare(original, copy, nulls={}, seed=seed, progress=progress)
    text = (
        "The only null here is Poisson trains of the same rates: name a map instead of an activity for shuffled maps."
    )
    blocks = [raster_figure({a.name: original, b.name: copy}), *fidelity_blocks(fidelity)]
    section = Section(title="Two activities", text=text, blocks=blocks)
    return _Outcome(lines=fidelity.to_lines(), result=fidelity.as_json(), section=section)


def _write(report: Path, section: "Section", a: Path, b: Path, seed: int) -> None:
    from neurograft.report import Report, write_report

    provenance = Provenance(command="compare", seed=seed, inputs={p.name: fingerprint(p) for p in (a, b)})
    title = f"{b.name} compared with {a.name}"
    write_report(Report(title=title, sections=[section], provenance=provenance), report)
