"""``neurograft compare A B``: two of recording, activity, map and image, with nulls that give numbers a meaning."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurograft.cli._files import is_network, open_activity, open_network
from neurograft.cli._options import AgeDays, AsJson, Seed, show
from neurograft.cli._progress import shown_progress
from neurograft.errors import OptionError
from neurograft.provenance import Provenance, fingerprint
from neurograft.units import DAY

if TYPE_CHECKING:
    from neurograft.comparing import TrialOptions
    from neurograft.progress import Progress
    from neurograft.report import Section

_Outcome = tuple[Sequence[str], Mapping[str, object], "Section"]


def compare_command(
    a: Annotated[Path, typer.Argument(help="The original: a recording, spikes, an activity, a map or an image.")],
    b: Annotated[Path, typer.Argument(help="The copy: likewise.")],
    report: Annotated[Path | None, typer.Option(help="Also write an HTML report.")] = None,
    seconds: Annotated[float | None, typer.Option(help="How long networks run.")] = None,
    shuffles: Annotated[int, typer.Option(min=0, help="Shuffled maps that run beside a network.")] = 19,
    predict: Annotated[
        bool,
        typer.Option(
            "--predict",
            help="A recording and a network: also replay, and predict each neuron's spikes from the others'.",
        ),
    ] = False,
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
    if predict and are_networks != (False, True):
        raise OptionError("--predict needs a recording or spikes first and a network second.")
    with shown_progress() as progress:
        if are_networks == (True, True):
            lines, result, section = _networks(a, b, options, age_days * DAY, seed, progress)
        elif are_networks == (False, True):
            lines, result, section = _with_network(a, b, options, age_days * DAY, seed, progress)
        else:
            lines, result, section = _activities(a, b, seed, progress)
        if predict:
            more, found = _predicted(a, b, shuffles, age_days * DAY, seed, progress)
            lines, result = [*lines, "", *more], {**result, "prediction": found}
    if report is not None:
        _write(report, section, a, b, seed)
        lines = [*lines, f"written: {report}"]
    show(lines, result, as_json=as_json)


def _networks(a: Path, b: Path, options: "TrialOptions", age_s: float, seed: int, progress: "Progress") -> _Outcome:
    from neurograft.comparing import compare_maps, compare_twins
    from neurograft.report import fidelity_chapter

    original, copy = open_network(a, age_s=0.0, seed=seed), open_network(b, age_s=age_s, seed=seed)
    near = compare_maps(original, copy)
    trial = compare_twins(original, copy, options=options, seed=seed, progress=progress)
    text = "Both networks run with the same drive and the same noise.\n\n" + "\n\n".join(near.to_lines())
    section = fidelity_chapter("Two networks", trial, text=text, names={"original": a.name, "copy": b.name})
    return [*near.to_lines(), "", *trial.fidelity.to_lines()], trial.fidelity.as_json(), section


def _with_network(a: Path, b: Path, options: "TrialOptions", age_s: float, seed: int, progress: "Progress") -> _Outcome:
    from neurograft.comparing import compare_copy
    from neurograft.report import fidelity_chapter

    trial = compare_copy(
        open_activity(a), open_network(b, age_s=age_s, seed=seed), options=options, seed=seed, progress=progress
    )
    text = "The network runs under a background drive fitted to the rates of the original."
    section = fidelity_chapter("Recording and network", trial, text=text, names={"original": a.name, "copy": b.name})
    return trial.fidelity.to_lines(), trial.fidelity.as_json(), section


def _predicted(
    a: Path, b: Path, shuffles: int, age_s: float, seed: int, progress: "Progress"
) -> tuple[list[str], dict[str, object]]:
    from neurograft.comparing import PredictionOptions, predict_by_replay

    found = predict_by_replay(
        open_activity(a), open_network(b, age_s=age_s, seed=seed), options=PredictionOptions(n_shuffled=shuffles),
        seed=seed, progress=progress,
    )  # fmt: skip
    values: dict[str, object] = {
        "bits_per_spike": found.bits_per_spike,
        "low": found.low,
        "high": found.high,
        "shuffled_mean": float(found.shuffled.mean()) if found.shuffled.size else None,
        "p": found.p if found.shuffled.size else None,
        "held_out_spikes": found.n_spikes,
    }
    return found.to_lines(), values


def _activities(a: Path, b: Path, seed: int, progress: "Progress") -> _Outcome:
    from neurograft.comparing import compare
    from neurograft.report import Section, fidelity_blocks, raster_figure

    original, copy = open_activity(a), open_activity(b)
    fidelity = compare(original, copy, nulls={}, seed=seed, progress=progress)
    text = (
        "The only null here is Poisson trains of the same rates: name a map instead of an activity for shuffled maps."
    )
    blocks = [raster_figure({a.name: original, b.name: copy}), *fidelity_blocks(fidelity)]
    return fidelity.to_lines(), fidelity.as_json(), Section(title="Two activities", text=text, blocks=blocks)


def _write(report: Path, section: "Section", a: Path, b: Path, seed: int) -> None:
    from neurograft.report import Report, write_report

    provenance = Provenance(command="compare", seed=seed, inputs={p.name: fingerprint(p) for p in (a, b)})
    title = f"{b.name} compared with {a.name}"
    write_report(Report(title=title, sections=[section], provenance=provenance), report)
