"""A series forecast ahead by several models at once, scored on rows that none of them has seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.errors import NeurograftError, OptionError
from neurograft.maps import SynapseMap
from neurograft.progress import Progress, silent
from neurograft.reservoirs._check import checked_series, scaling_of
from neurograft.reservoirs._choose import ClosedLoopChoice
from neurograft.reservoirs._forecast import Forecast, Forecaster
from neurograft.reservoirs._kernel_nvar import KernelNvar
from neurograft.reservoirs._measures import valid_steps
from neurograft.reservoirs._nvar import Nvar
from neurograft.spikes import SpikeTrains


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeldOut:
    """One model's forecast of the rows held out, its errors there, and for how many steps it was valid.

    ``nrmse`` is over all held-out rows, ``nrmse_one_step`` from each row to the next; a mean forecast has
    about 1.  ``refused`` says why a model could not be fitted, and the rest is then NaN.
    """

    name: str
    nrmse: float
    nrmse_one_step: float
    valid_steps: int
    is_bounded: bool
    forecast: Float64[ndarray, "steps variables"]
    refused: str = ""


def forecast_held_out(
    x: Float64[ndarray, "rows columns"],
    *,
    n_held_out: int,
    models: dict[str, Forecaster] | None = None,
    dt: float = 1.0,
    names: Sequence[str] = (),
    progress: Progress = silent,
) -> list[HeldOut]:
    """Return each model's score on the last ``n_held_out`` rows, learnt from the rows before.

    The persistence forecast, the last row for ever, is always among them: what does not beat it is worth nothing.
    Columns that cannot be forecast are refused by their ``names``, else by their places.
    """
    series = checked_series(x, min_rows=8, columns=names)
    if not 1 <= n_held_out <= series.shape[0] - 6:
        raise OptionError(f"{n_held_out} rows cannot be held out of {series.shape[0]}. Leave at least 6 to learn from.")
    train, ahead = series[:-n_held_out], series[-n_held_out:]
    scale = scaling_of(train, names=names or None).scale
    given = default_models(dt=dt, progress=progress) if models is None else models
    still = np.repeat(train[-1:], n_held_out, axis=0)
    one_step = float(np.sqrt(np.mean(((series[-n_held_out - 1 : -1] - ahead) / scale) ** 2)))
    found = [_scored("persistence", still, ahead, scale, one_step=one_step, is_bounded=True)]
    for name, model in given.items():
        try:
            model.fit(train)
            rollout = model.forecast(n_held_out)
            ahead_of = model.predict(series)[-n_held_out - 1 : -1]
        except NeurograftError as error:
            nothing = np.full_like(ahead, np.nan)
            found.append(HeldOut(
                name=name, nrmse=np.nan, nrmse_one_step=np.nan, valid_steps=0, is_bounded=True, forecast=nothing,
                refused=str(error),
            ))  # fmt: skip
            continue
        one_step = float(np.sqrt(np.mean(((ahead_of - ahead) / scale) ** 2)))
        found.append(_scored(name, rollout.values, ahead, scale, one_step=one_step, is_bounded=rollout.is_bounded))
    return found


def _scored(
    name: str, values: ndarray, ahead: ndarray, scale: ndarray, *, one_step: float, is_bounded: bool
) -> HeldOut:
    return HeldOut(
        name=name,
        nrmse=float(np.sqrt(np.mean(((values - ahead) / scale) ** 2))),
        nrmse_one_step=one_step,
        valid_steps=int(valid_steps(ahead, values, scale=scale)),
        is_bounded=is_bounded,
        forecast=np.ascontiguousarray(values),
    )


def default_models(
    *, dt: float, network: SynapseMap | None = None, progress: Progress = silent
) -> dict[str, Forecaster]:
    """Return the models that a series is forecast by when none is named, by name.

    Two of them are echo states wired as ``network``, or the bundled worm, and as its shuffled twin.
    """
    from neurograft.reservoirs._echo_state import EchoState
    from neurograft.reservoirs._pasted import MapWiring
    from neurograft.samples import worm

    wired, whose = (worm(), "the worm's") if network is None else (network, "the network's")
    return {
        "chosen in closed loop": ClosedLoopChoice(dt=dt, progress=progress),
        "next generation, 2 taps, degree 2": Nvar(ridge=1e-6),
        "kernel": KernelNvar(n_taps=2, ridge=1e-8),
        "echo state, 300 nodes": EchoState(n_nodes=300),
        **{
            f"echo state, {whose} wiring{', shuffled' * is_shuffled}": EchoState(
                n_nodes=wired.n_neurons, wiring=MapWiring(wired, is_shuffled=is_shuffled)
            )
            for is_shuffled in (False, True)
        },
    }


def population_series(
    trains: SpikeTrains, *, bin_s: float, n_components: int = 3, smooth_bins: float = 2.0
) -> Float64[ndarray, "bins components"]:
    """Return a recording's population activity: smoothed spike counts on their strongest common directions.

    Counts in bins are square-rooted (so that their noise is even), smoothed by a Gaussian that looks back only,
    and projected on the first principal components.  Epochs are joined without a mark.
    """
    n_bins = np.maximum(np.floor(np.diff(trains.epochs_s, axis=1)[:, 0] / bin_s + 1e-9).astype(int), 0)
    total = int(n_bins.sum())
    if not bin_s > 0 or total < 8:
        raise OptionError(
            f"bin_s {bin_s} makes {total} bins of this recording. Take smaller bins or a longer recording."
        )
    begin = np.concatenate([[0], np.cumsum(n_bins)])
    epoch = np.searchsorted(trains.epochs_s[:, 0], trains.time_s, side="right") - 1
    within = np.floor((trains.time_s - trains.epochs_s[epoch, 0]) / bin_s).astype(int)
    is_in = within < n_bins[epoch]
    counts = np.zeros((total, trains.n_neurons))
    np.add.at(counts, (begin[epoch[is_in]] + within[is_in], trains.neuron[is_in]), 1.0)
    weights = np.exp(-0.5 * (np.arange(int(4 * smooth_bins) + 1) / max(smooth_bins, 1e-9)) ** 2)
    root = np.sqrt(counts)
    smooth = np.apply_along_axis(lambda c: np.convolve(c, weights / weights.sum())[:total], 0, root)
    centred = smooth - smooth.mean(axis=0)
    left, size, _ = np.linalg.svd(centred, full_matrices=False)
    n = min(n_components, int(np.sum(size > 1e-10 * size[0])) if size[0] > 0 else 0)
    if n < 1:
        raise OptionError("The recording has no activity that changes between bins. Take other bins.")
    return np.ascontiguousarray(left[:, :n] * size[:n])


def names_of(models: Sequence[HeldOut]) -> list[str]:
    """Return the models' names, best held-out error first, refused ones last."""
    return [m.name for m in sorted(models, key=lambda m: (np.isnan(m.nrmse), m.nrmse))]


def continued(model: Forecaster, x: ndarray, n_steps: int) -> Forecast:
    """Return what comes after all rows, by a model refitted to all of them."""
    model.fit(x)
    return model.forecast(n_steps)
