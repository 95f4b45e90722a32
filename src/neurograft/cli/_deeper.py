"""What ``neurograft compare`` adds on request: copy of a copy, answers to a stimulus, prediction, degradation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, final

import typer

from neurograft.cli._files import is_network, open_activity, open_network
from neurograft.cli._memory import age_in_s
from neurograft.errors import OptionError

if TYPE_CHECKING:
    from neurograft.comparing import Degradation, Prediction, Recopied, Response, Spoil, Trial
    from neurograft.maps import SynapseMap
    from neurograft.progress import Progress
    from neurograft.report import Table

Predict = Annotated[
    bool,
    typer.Option(
        "--predict", help="A recording and a network: also replay, and predict neurons' spikes from the others'."
    ),
]
PredictClamp = Annotated[
    str,
    typer.Option(
        "--clamp",
        help="--predict: share of the neurons that replay while the rest is predicted, 0.5 or more; each: all but "
        "the one that is predicted.",
    ),
]
Recopy = Annotated[
    bool,
    typer.Option("--recopy", help="Also copy the copy's own activity, and compare that map with the one that ran."),
]
SameStimulus = Annotated[
    Path | None, typer.Option("--stimulus", help="Two networks: also give both this protocol, and compare answers.")
]
TrialS = Annotated[float, typer.Option(min=0.01, help="--stimulus: seconds from one beginning of it to the next.")]
Trials = Annotated[int, typer.Option(min=2, help="--stimulus: how often it is given.")]
Curves = Annotated[
    list[str] | None,
    typer.Option(
        "--degrade",
        help="Two networks: also tell how activity changes with bits:1,2,4 | noise:0.1,0.5 | missing:0.1,0.3 of the "
        "original, or age:1d,1y,10y of the copy, an image. May be given several times.",
    ),
]


class Spoiling(StrEnum):
    """What can be spoilt."""

    BITS = "bits"
    NOISE = "noise"
    MISSING = "missing"
    AGE = "age"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options of the command that ask for more than the table of measures."""

    predict: bool
    clamp: str
    recopy: bool
    stimulus: Path | None
    trial_s: float
    n_trials: int
    curves: tuple[str, ...]
    n_shuffled: int
    rate_hz: float
    seconds: float | None
    age_s: float
    seed: int

    def require(self, a: Path, b: Path) -> None:
        """Refuse what cannot be asked of these two files."""
        are_networks = (is_network(a), is_network(b))
        if self.predict and are_networks != (False, True):
            raise OptionError("--predict needs a recording or spikes first and a network second.")
        if self.recopy and not are_networks[1]:
            raise OptionError("--recopy needs a network second, whose activity is copied. Name a map or an image.")
        if (self.stimulus is not None or self.curves) and are_networks != (True, True):
            raise OptionError(
                "--stimulus and --degrade need two networks. A recording that was stimulated is compared with what "
                "neurograft run MAP --stimulus gives."
            )
        self.folds()
        for text in self.curves:
            _levels(text)

    def folds(self) -> int | None:
        """Return in how many groups neurons are free by turns; None: one by one."""
        if self.clamp == "each":
            return None
        try:
            share = float(self.clamp)
        except ValueError:
            share = 0.0
        if not 0.5 <= share < 1:
            raise OptionError(f"--clamp is {self.clamp}. Give a share from 0.5 to below 1, or each.")
        return round(1 / (1 - share))


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Deeper:
    """What was found on request."""

    prediction: "Prediction | None" = None
    recopied: "Recopied | None" = None
    response: "Response | None" = None
    curves: Mapping[str, "Degradation"] = field(default_factory=dict[str, "Degradation"])

    def to_lines(self) -> list[str]:
        """Return all of it in text."""
        lines: list[str] = []
        for found in (self.prediction, self.recopied, self.response):
            lines += [] if found is None else ["", *found.to_lines()]
        for text, curve in self.curves.items():
            what, _, levels = text.partition(":")
            lines += ["", *curve.to_lines(what, levels.split(","))]
        return lines

    def as_json(self) -> dict[str, object]:
        """Return all of it for scripts."""
        named = {"prediction": self.prediction, "recopied": self.recopied, "response": self.response}
        told: dict[str, object] = {name: found.as_json() for name, found in named.items() if found is not None}
        return told | ({"degradation": {k: c.as_json() for k, c in self.curves.items()}} if self.curves else {})

    def tables(self) -> "list[Table]":
        """Return tables for the report."""
        from neurograft.report import deeper_tables

        judged = {
            "Copy of a copy: the map that the copy's own activity shows, against the map that ran.": self.recopied,
            "The same stimulus to both networks: extra spikes of the neurons that it does not touch.": self.response,
        }
        rows = {caption: found.rows for caption, found in judged.items() if found is not None}
        return deeper_tables(rows, self.prediction, self.curves)


def deeper(asked: Asked, a: Path, b: Path, trial: "Trial | None", progress: "Progress") -> Deeper:
    """Return what was asked for of original ``a`` and copy ``b``; ``trial`` is what they did, where one ran."""
    return Deeper(
        prediction=_predicted(asked, a, b, progress) if asked.predict else None,
        recopied=_recopied(asked, a, b, trial, progress) if asked.recopy and trial is not None else None,
        response=None if asked.stimulus is None else _answered(asked, asked.stimulus, a, b, progress),
        curves={text: _curve(asked, text, a, b, progress) for text in asked.curves},
    )


def _predicted(asked: Asked, a: Path, b: Path, progress: "Progress") -> "Prediction":
    from neurograft.comparing import PredictionOptions, predict_by_replay

    return predict_by_replay(
        open_activity(a),
        open_network(b, age_s=asked.age_s, seed=asked.seed),
        options=PredictionOptions(n_shuffled=asked.n_shuffled, n_folds=asked.folds()),
        seed=asked.seed,
        progress=progress,
    )


def _recopied(asked: Asked, a: Path, b: Path, trial: "Trial", progress: "Progress") -> "Recopied":
    from neurograft.comparing import compare_recopied
    from neurograft.copying import copy_spikes

    first = open_network(a, age_s=0.0, seed=asked.seed) if is_network(a) else None
    return compare_recopied(
        open_network(b, age_s=asked.age_s, seed=asked.seed) if first is None else first,
        trial.original, trial.copy, trial.shuffled, copier=copy_spikes, seed=asked.seed, progress=progress,
    )  # fmt: skip


def _answered(asked: Asked, stimulus: Path, a: Path, b: Path, progress: "Progress") -> "Response":
    from neurograft.comparing import ResponseOptions, compare_responses
    from neurograft.network import load_protocol

    original, copy = _both(asked, a, b)
    options = ResponseOptions(
        trial_s=asked.trial_s, n_trials=asked.n_trials, n_shuffled=asked.n_shuffled, rate_hz=asked.rate_hz
    )
    given = load_protocol(stimulus, original.labels, seed=asked.seed)
    return compare_responses(original, copy, given, options=options, seed=asked.seed, progress=progress)


def _both(asked: Asked, a: Path, b: Path) -> "tuple[SynapseMap, SynapseMap]":
    return open_network(a, age_s=0.0, seed=asked.seed), open_network(b, age_s=asked.age_s, seed=asked.seed)


def _levels(text: str) -> tuple[Spoiling, tuple[float, ...]]:
    name, _, levels = text.partition(":")
    if name not in list(Spoiling) or not levels:
        raise OptionError(f"--degrade {text}: give {', '.join(f'{s}:LEVEL,LEVEL' for s in Spoiling)}.")
    spoiling = Spoiling(name)
    try:
        each = [age_in_s(x, 0.0) if spoiling is Spoiling.AGE else float(x) for x in levels.split(",")]
    except ValueError:
        raise OptionError(f"--degrade {text}: give numbers with commas between, e.g. {name}:0.1,0.3.") from None
    return spoiling, tuple(each)


def _curve(asked: Asked, text: str, a: Path, b: Path, progress: "Progress") -> "Degradation":
    from neurograft.comparing import degradation, with_bits, with_noise, without_some

    spoiling, levels = _levels(text)
    plain = {Spoiling.BITS: with_bits, Spoiling.NOISE: with_noise, Spoiling.MISSING: without_some}
    return degradation(
        open_network(a, age_s=0.0, seed=asked.seed),
        _ageing(b) if spoiling is Spoiling.AGE else plain[spoiling],
        levels,
        duration_s=asked.seconds or 60.0,
        rate_hz=asked.rate_hz,
        seed=asked.seed,
        progress=progress,
    )


def _ageing(b: Path) -> "Spoil":
    from neurograft.cells import load_image
    from neurograft.comparing import aged
    from neurograft.recordings import FileKind, kind_of

    if kind_of(b) is not FileKind.IMAGE:
        raise OptionError(f"--degrade age needs a memory image second; {b} is none. Paste the map.")
    return aged(load_image(b))
