"""The same stimulus to a network and to its copy, and how alike the neurons that nobody touched answer.

Every network runs twice with the same drive and noise, with the stimulus again and again and without; the difference
is what the stimulus did, and it reaches untouched neurons through synapses only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import final

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from neurograft.comparing._judged import Judged, correlation_of, judged_lines
from neurograft.comparing._shuffle import shuffled_map
from neurograft.errors import CompareError
from neurograft.maps import SynapseMap
from neurograft.network import Drive, FitOptions, Stimulus, fit_drive_to_rates, merge_stimuli, run
from neurograft.progress import Progress, silent
from neurograft.units import MS


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseOptions:
    """How often the stimulus is given, how long each time lasts, and how answers are counted."""

    trial_s: float = 1.0  # from one beginning of the stimulus to the next
    n_trials: int = 20
    bin_s: float = 10 * MS
    n_shuffled: int = 19
    n_bootstrap: int = 500
    rate_hz: float = 5.0
    fit: FitOptions = field(default_factory=FitOptions)

    def __post_init__(self) -> None:
        """Refuse counts and times with which there is no answer."""
        if self.n_trials < 2 or not 0 < self.bin_s <= self.trial_s:
            raise CompareError(
                f"{self.n_trials} trials of {self.trial_s:g} s in bins of {self.bin_s:g} s. Give at least two trials, "
                "and bins no longer than a trial."
            )


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Response:
    """Answers of original and copy: extra spikes by neuron and time since a trial began, and how alike they are."""

    original: Float64[ndarray, "neurons bins"]
    copy: Float64[ndarray, "neurons bins"]
    counted: Int64[ndarray, " counted"]  # neurons that the stimulus does not touch
    rows: tuple[Judged, ...]

    def to_lines(self) -> list[str]:
        """Return the result in text."""
        return judged_lines(f"the same stimulus: answers of {self.counted.size} untouched neurons", self.rows)

    def as_json(self) -> dict[str, object]:
        """Return plain values."""
        return {"untouched_neurons": int(self.counted.size), "rows": [row.as_json() for row in self.rows]}


def compare_responses(
    original: SynapseMap,
    copy: SynapseMap,
    stimulus: Stimulus,
    *,
    options: ResponseOptions | None = None,
    seed: int,
    progress: Progress = silent,
) -> Response:
    """Return how alike two networks answer a stimulus whose times count from the beginning of a trial.

    Drive and noise are the same for original, copy and the shuffled maps; ``itself`` is the original with other
    noise.  Intervals: bootstrap over trials.
    """
    options = options or ResponseOptions()
    if original.labels != copy.labels:
        raise CompareError("The two networks have different neurons. Give maps or images of the same neurons.")
    counted = _untouched(stimulus)
    repeated = _repeated(stimulus, options)
    drive = fit_drive_to_rates(original, options.rate_hz, seed=seed, options=options.fit, progress=progress)
    rngs = np.random.default_rng(seed).spawn(options.n_shuffled + 1)
    networks = [original, copy, original, *(shuffled_map(original, rng) for rng in rngs[1:])]
    answers: list[ndarray] = []
    for k, m in enumerate(networks):
        answers.append(_answers(m, repeated, drive, options, seed=seed + (k == 2))[:, counted])
        progress("giving the stimulus", k + 1, len(networks))
    first, second = answers[0], answers[1]
    drawn = rngs[0].integers(0, options.n_trials, (options.n_bootstrap, options.n_trials))
    rows = tuple(
        Judged(
            name=name,
            meaning=meaning,
            value=_alike(first, second, over),
            low=float(np.quantile(boot, 0.025)),
            high=float(np.quantile(boot, 0.975)),
            itself=_alike(first, answers[2], over),
            nulls=np.array([_alike(first, x, over) for x in answers[3:]], dtype=np.float64),
        )
        for name, meaning, over in _MEASURES
        for boot in ([_alike(first[at], second[at], over) for at in drawn],)
    )
    return Response(original=first.mean(axis=0), copy=second.mean(axis=0), counted=counted, rows=rows)


_MEASURES = (
    ("who answers when", "correlation over neurons and bins of extra spikes, less the mean of all in that bin", None),
    ("who answers", "correlation of extra spikes over neurons, all bins together", 1),
    ("when", "correlation of extra spikes over bins, all neurons together (a shuffled map has it too)", 0),
)


def _alike(a: ndarray, b: ndarray, over: int | None) -> float:
    """Return the correlation of two mean answers; ``over`` is the axis of [neuron, bin] that is added up first.

    Without, what all neurons do together is taken off: a course in time that every wiring has would hide the rest.
    """
    x, y = a.mean(axis=0), b.mean(axis=0)
    if over is None:
        return correlation_of((x - x.mean(axis=0)).ravel(), (y - y.mean(axis=0)).ravel())
    return correlation_of(x.sum(axis=over), y.sum(axis=over))


def _answers(
    m: SynapseMap, repeated: Stimulus, drive: Drive, options: ResponseOptions, *, seed: int
) -> Float64[ndarray, "trials neurons bins"]:
    """Return the extra spikes of each trial, neuron and bin, with the stimulus over without."""
    duration_s = options.n_trials * options.trial_s
    n_bins = max(1, round(options.trial_s / options.bin_s))
    counted: list[ndarray] = []
    for given in (repeated, None):
        spikes = run(m, duration_s=duration_s, seed=seed, drive=drive, stimulus=given).spikes
        at_s = spikes.time_s + 0.01 * MS
        trial = np.minimum((at_s / options.trial_s).astype(np.int64), options.n_trials - 1)
        place = ((at_s - trial * options.trial_s) / options.trial_s * n_bins).astype(np.int64).clip(0, n_bins - 1)
        flat = (trial * m.n_neurons + spikes.neuron) * n_bins + place
        counts = np.bincount(flat, minlength=options.n_trials * m.n_neurons * n_bins)
        counted.append(counts.reshape(options.n_trials, m.n_neurons, n_bins))
    return (counted[0] - counted[1]).astype(np.float64)


def _repeated(stimulus: Stimulus, options: ResponseOptions) -> Stimulus:
    """Return the stimulus once a trial; what begins after a trial's end is refused."""
    columns = {f.name: getattr(stimulus, f.name) for f in fields(stimulus) if f.name != "n_neurons"}
    begins = [x for name, x in columns.items() if name.endswith("_s") and not name.endswith("stop_s")]
    latest_s = max(float(x.max(initial=0.0)) for x in begins)
    if latest_s >= options.trial_s:
        raise CompareError(
            f"The stimulus acts at {latest_s:g} s, but a trial lasts {options.trial_s:g} s. Give longer trials."
        )
    once: list[Stimulus] = []
    for k in range(options.n_trials):
        moved = {name: x + k * options.trial_s if name.endswith("_s") else x for name, x in columns.items()}
        for name in ("current_stop_s", "muted_stop_s"):
            moved[name] = np.minimum(moved[name], (k + 1) * options.trial_s)
        once.append(Stimulus(n_neurons=stimulus.n_neurons, **moved))
    return merge_stimuli(once)


def _untouched(stimulus: Stimulus) -> Int64[ndarray, " counted"]:
    touched: Sequence[ndarray] = (
        stimulus.current_neuron, stimulus.kick_neuron, stimulus.forced_neuron, stimulus.muted_neuron
    )  # fmt: skip
    rest = np.setdiff1d(np.arange(stimulus.n_neurons), np.concatenate(touched))
    if rest.size in (0, stimulus.n_neurons):
        raise CompareError(
            "The stimulus touches every neuron or none, so nothing reaches an untouched one. Stimulate some of them."
        )
    return rest.astype(np.int64)
