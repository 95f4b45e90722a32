"""How much a copy knows about each spike: conditional intensity from replay, judged on time that it was not fitted on.

While all other neurons fire as recorded, doubles of a neuron say how likely it is to fire at each moment.  That
likelihood, scaled on the training half by a Poisson regression of two numbers a neuron, is judged on the other half
in bits a spike above a steady rate (Pillow et al. 2008, Nature 454, 995, use the same unit).  Drive and noise know
nothing of the recording but rates: what is known beyond them is known through synapses.
"""

from dataclasses import dataclass, field
from typing import final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from numpy.random import Generator
from scipy.ndimage import gaussian_filter1d

from neurograft.comparing._shuffle import shuffled_map
from neurograft.errors import CompareError
from neurograft.maps import SynapseMap
from neurograft.network import FitOptions, fit_drive, predicted_counts
from neurograft.progress import Progress, silent
from neurograft.spikes import SpikeTrains
from neurograft.units import MS

_RIDGE = 1.0  # of the slope, in units of spikes: a neuron of few spikes keeps a steady rate
_MOST_CELLS = 200_000_000  # maps x neurons x bins held at once


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionOptions:
    """How the prediction is made and judged."""

    n_doubles: int = 20  # of each neuron; their count is smoothed by ``smooth_s``
    n_folds: int | None = None  # neurons are free in so many groups by turns; None: each alone, all others clamped
    bin_s: float = 2 * MS
    smooth_s: float = 4 * MS
    n_shuffled: int = 19  # the least with which a rank can reach 5 %
    n_bootstrap: int = 500
    block_s: float = 1.0  # of the bootstrap: longer than what spikes remember
    fit: FitOptions = field(default_factory=lambda: FitOptions(modulation_bin_s=None, n_rounds=1, trial_s=5.0))

    def __post_init__(self) -> None:
        """Refuse options with which nothing can be judged."""
        if self.n_doubles < 1 or not (0 < self.bin_s <= self.block_s and self.smooth_s >= 0):
            raise CompareError(f"{self}: give at least one double, and bins above 0 and no longer than a block.")
        if self.fit.modulation_bin_s is not None:
            raise CompareError("A modulation would tell what is to be predicted. Fit with modulation_bin_s=None.")
        if self.n_folds is not None and self.n_folds < 2:
            raise CompareError(f"n_folds is {self.n_folds}. Give at least 2: with one fold nobody is clamped.")


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prediction:
    """Bits a spike above a steady rate on the held-out half, all neurons together and one by one.

    ``low`` and ``high`` are the bootstrap's 95 % interval over blocks of held-out time; ``shuffled`` holds the
    shuffled maps' values and ``p`` the rank of the copy among them (NaN without).  A neuron without held-out spikes
    has NaN.
    """

    bits_per_spike: float
    low: float
    high: float
    by_neuron: Float64[ndarray, " neurons"]
    shuffled: Float64[ndarray, " draws"]
    p: float
    n_spikes: int
    labels: tuple[str, ...]
    clamped_share: float  # of the neurons that fire as recorded while the others are predicted

    def to_lines(self) -> list[str]:
        """Return what was found, in words."""
        lines = [
            f"{self.clamped_share:.0%} clamped: replay predicts {self.bits_per_spike:.3g} bits a spike "
            f"({self.low:.3g} to {self.high:.3g}) beyond rates, on {self.n_spikes} held-out spikes"
        ]
        if self.shuffled.size:
            lines.append(
                f"shuffled maps: {self.shuffled.mean():.3g}, at most {self.shuffled.max():.3g}; p = {self.p:.2g}"
            )
        return lines

    def as_json(self) -> dict[str, object]:
        """Return plain values, NaN as None."""
        return {
            "bits_per_spike": self.bits_per_spike,
            "low": self.low,
            "high": self.high,
            "shuffled_mean": float(self.shuffled.mean()) if self.shuffled.size else None,
            "p": self.p if self.shuffled.size else None,
            "held_out_spikes": self.n_spikes,
            "clamped_share": self.clamped_share,
        }


def predict_by_replay(
    original: SpikeTrains,
    network: SynapseMap,
    *,
    options: PredictionOptions | None = None,
    seed: int,
    progress: Progress = silent,
) -> Prediction:
    """Return how well a copy predicts each spike of its original from the others' spikes, against shuffled maps."""
    options = options or PredictionOptions()
    if original.labels != network.labels:
        raise CompareError("The network's neurons are not those of the recording. Give the recording that was copied.")
    n_bins = int(original.duration_s / options.bin_s + 1e-9)
    cells = (1 + options.n_shuffled) * original.n_neurons * n_bins
    if n_bins < 20 or cells > _MOST_CELLS:
        raise CompareError(
            f"{original.duration_s:g} s of {original.n_neurons} neurons and {1 + options.n_shuffled} maps make {cells} "
            "numbers. Give between 20 bins and 2e8 numbers: another bin_s, part of the recording or fewer shuffles."
        )
    rngs = np.random.default_rng(seed).spawn(options.n_shuffled + 2)
    fold = None if options.n_folds is None else rngs[-1].permutation(original.n_neurons) % options.n_folds
    maps = [network, *(shuffled_map(network, rng) for rng in rngs[1:-1])]
    drives = [fit_drive(m, original, seed=seed, options=options.fit) for m in maps]
    counts = predicted_counts(
        maps, drives, original, n_doubles=options.n_doubles, bin_s=options.bin_s, seed=seed, fold=fold,
        progress=progress,
    )  # fmt: skip
    seen = _binned(original, options.bin_s, n_bins)
    gains = [_gain(predicted, seen, options) for predicted in counts]
    total, by_neuron = _bits(gains[0], seen)
    shuffled = np.array([_bits(gain, seen)[0] for gain in gains[1:]])
    low, high = _interval(gains[0], seen, options, rngs[0])
    return Prediction(
        bits_per_spike=total,
        low=low,
        high=high,
        by_neuron=by_neuron,
        shuffled=shuffled,
        p=(1 + int(np.sum(shuffled >= total))) / (1 + shuffled.size) if shuffled.size else np.nan,
        n_spikes=int(seen[:, n_bins // 2 :].sum()),
        labels=original.labels,
        clamped_share=1.0 - 1.0 / (original.n_neurons if options.n_folds is None else options.n_folds),
    )


def _binned(original: SpikeTrains, bin_s: float, n_bins: int) -> Float64[ndarray, "neurons bins"]:
    lengths_s = original.epochs_s[:, 1] - original.epochs_s[:, 0]
    offset_s = np.concatenate([[0.0], np.cumsum(lengths_s)])[:-1] - original.epochs_s[:, 0]
    epoch = np.searchsorted(original.epochs_s[:, 0], original.time_s, side="right") - 1
    at = ((original.time_s + offset_s[epoch] + 0.01 * MS) / bin_s).astype(np.int64)
    keep = at < n_bins
    flat = original.neuron[keep].astype(np.int64) * n_bins + at[keep]
    return np.bincount(flat, minlength=original.n_neurons * n_bins).reshape(-1, n_bins).astype(np.float64)


def _gain(
    predicted: ndarray, seen: Float64[ndarray, "neurons bins"], options: PredictionOptions
) -> Float64[ndarray, "neurons held_out"]:
    """Return each held-out bin's gain in log likelihood, in bits, over a steady rate fitted on the training half."""
    x = predicted / options.n_doubles
    if options.smooth_s > 0:
        x = gaussian_filter1d(x.astype(np.float64), options.smooth_s / options.bin_s, axis=1, mode="nearest")
    half = seen.shape[1] // 2
    floor = 0.1 * x[:, :half].mean(axis=1, keepdims=True) + 1e-6
    x = np.log(x + floor)
    x = x - x[:, :half].mean(axis=1, keepdims=True)
    rate = (seen[:, :half].sum(axis=1) + 0.5) / half  # half a spike: a neuron silent in training is not impossible
    intercept, slope = _poisson_regression(x[:, :half], seen[:, :half])
    log_mean = intercept[:, None] + slope[:, None] * x[:, half:]
    gain = seen[:, half:] * (log_mean - np.log(rate)[:, None]) - (np.exp(log_mean) - rate[:, None])
    return gain / np.log(2.0)


def _poisson_regression(x: ndarray, y: ndarray) -> tuple[Float64[ndarray, " neurons"], Float64[ndarray, " neurons"]]:
    """Return intercept and slope of log mean on x for each row, by Newton's steps; a ridge holds the slope."""
    total = y.sum(axis=1) + 0.5
    slope = np.zeros(x.shape[0])
    for _ in range(25):
        weight = np.exp(np.clip(slope[:, None] * x, -30, 30))
        norm = weight.sum(axis=1)
        mean = (weight * x).sum(axis=1) / norm  # the intercept is at its best for every slope: only the slope is left
        spread = (weight * x * x).sum(axis=1) / norm - mean**2
        push = (y * x).sum(axis=1) - total * mean - _RIDGE * slope
        move = np.clip(push / (total * spread + _RIDGE), -1.0, 1.0)
        slope = slope + move
        if np.abs(move).max(initial=0.0) < 1e-8:
            break
    norm = np.exp(np.clip(slope[:, None] * x, -30, 30)).sum(axis=1)
    return np.log(total / norm), slope


def _bits(gain: ndarray, seen: ndarray) -> tuple[float, Float64[ndarray, " neurons"]]:
    spikes = seen[:, seen.shape[1] // 2 :].sum(axis=1)
    if spikes.sum() == 0:
        raise CompareError("The held-out half of the recording has no spike. Give a longer one.")
    by_neuron = np.divide(gain.sum(axis=1), spikes, out=np.full(spikes.size, np.nan), where=spikes > 0)
    return float(gain.sum() / spikes.sum()), by_neuron


def _interval(gain: ndarray, seen: ndarray, options: PredictionOptions, rng: Generator) -> tuple[float, float]:
    """Return the central 95 % of bits a spike over blocks of time drawn with replacement."""
    width = max(1, round(options.block_s / options.bin_s))
    spikes = seen[:, seen.shape[1] // 2 :].sum(axis=0)
    starts = np.arange(0, spikes.size, width)
    gained, counted = np.add.reduceat(gain.sum(axis=0), starts), np.add.reduceat(spikes, starts)
    drawn = rng.integers(0, starts.size, (options.n_bootstrap, starts.size))
    values = gained[drawn].sum(axis=1) / np.maximum(counted[drawn].sum(axis=1), 1.0)
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
