"""Stimulation protocols: a small CSV or JSON file that says what is done to which neurons, and when.

A row has ``kind`` and ``neurons`` (labels separated by blanks, ``all``, or ``fraction:0.1`` for random ones),
``start_s``, ``stop_s`` and what its kind asks for:

    current   level_mv                 a steady depolarisation from start to stop
    kicks     weight_mv, every_s       a shift of the potential at start, and every so often until before stop
    poisson   weight_mv, rate_hz       the same at random times, other ones for each neuron
    spikes    every_s                  a spike forced at start, and every so often until before stop
    silence                            the neuron's own spikes reach nobody from start to stop
"""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray
from numpy.random import Generator

from neurograft.errors import RunError, did_you_mean
from neurograft.network._stimulus import Stimulus, indices_of, merge_stimuli

_NEEDS: Final[Mapping[str, frozenset[str]]] = {
    "current": frozenset({"level_mv", "stop_s"}),
    "kicks": frozenset({"weight_mv"}),
    "poisson": frozenset({"weight_mv", "rate_hz", "stop_s"}),
    "spikes": frozenset(),
    "silence": frozenset({"stop_s"}),
}
_MAY: Final[Mapping[str, frozenset[str]]] = {
    "kicks": frozenset({"every_s", "stop_s"}),
    "spikes": frozenset({"every_s", "stop_s"}),
}
_COLUMNS: Final = ("kind", "neurons", "start_s", "stop_s", "level_mv", "weight_mv", "rate_hz", "every_s")
_MOST_EVENTS: Final = 50_000_000  # 1 GB of tables; more is a unit mistake


class _Row(NamedTuple):
    """A row that was looked at: its values as text, and what all kinds need."""

    values: Mapping[str, str]
    where: str
    neurons: ndarray
    start_s: float
    stop_s: float
    n_neurons: int
    rng: Generator


def load_protocol(path: Path, labels: Sequence[str], *, seed: int) -> Stimulus:
    """Return the stimulus that a CSV or JSON file describes, for a network of these neurons."""
    rows = _rows(path)
    if not rows:
        raise RunError(f"{path} has no row. Give at least one stimulus.")
    rngs = np.random.default_rng(seed).spawn(len(rows))
    return merge_stimuli(
        [
            _stimulus(row, f"{path}, row {i + 1}", labels, rng)
            for i, (row, rng) in enumerate(zip(rows, rngs, strict=True))
        ]
    )


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".json":
            listed = json.loads(text)
            if not isinstance(listed, list) or not all(isinstance(row, dict) for row in listed):
                raise RunError(f'{path} is no list of objects. Write [{{"kind": "current", …}}, …].')
            return [{str(k): str(v) for k, v in row.items()} for row in listed]
        return [{k: v or "" for k, v in row.items()} for row in csv.DictReader(text.splitlines(), strict=True)]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, csv.Error, AttributeError) as error:
        raise RunError(f"{path} cannot be read as a protocol: {error}. Give a CSV or JSON file.") from error


def _stimulus(row: Mapping[str, str], where: str, labels: Sequence[str], rng: Generator) -> Stimulus:
    unknown = [name for name in row if name not in _COLUMNS]
    if unknown:
        raise RunError(f"{where}: the column {unknown[0]!r} is unknown. {did_you_mean(unknown[0], _COLUMNS)}")
    kind = row.get("kind", "").strip()
    if kind not in _NEEDS:
        raise RunError(f"{where}: the kind {kind!r} is unknown. {did_you_mean(kind, _NEEDS)}")
    given = {name for name, value in row.items() if value.strip()} - {"kind", "neurons", "start_s"}
    missing, surplus = _NEEDS[kind] - given, given - _NEEDS[kind] - _MAY.get(kind, frozenset())
    if missing or surplus:
        what = f"lacks {min(missing)}" if missing else f"has no use for {min(surplus)}"
        raise RunError(
            f"{where}: {kind} {what}. It takes {', '.join(sorted(_NEEDS[kind] | _MAY.get(kind, frozenset())))}."
        )
    neurons = _neurons(row.get("neurons", ""), labels, where, rng)
    start_s = _number(row, "start_s", where)
    stop_s = _number(row, "stop_s", where) if "stop_s" in given else math.nan
    if start_s < 0 or stop_s <= start_s:
        raise RunError(f"{where}: it runs from {start_s:g} to {stop_s:g} s. Give 0 <= start_s < stop_s.")
    return _TABLES[kind](_Row(row, where, neurons, start_s, stop_s, len(labels), rng))


def _current(row: _Row) -> Stimulus:
    one = np.ones(row.neurons.size)
    return Stimulus(
        n_neurons=row.n_neurons, current_neuron=row.neurons, current_start_s=row.start_s * one,
        current_stop_s=row.stop_s * one,
        current_v=_number(row.values, "level_mv", row.where) * 1e-3 * one,
    )  # fmt: skip


def _kicks(row: _Row) -> Stimulus:
    time_s = _train(row)
    weight_v = np.full(time_s.size * row.neurons.size, _number(row.values, "weight_mv", row.where) * 1e-3)
    return Stimulus(
        n_neurons=row.n_neurons,
        kick_neuron=np.repeat(row.neurons, time_s.size),
        kick_s=np.tile(time_s, row.neurons.size),
        kick_v=weight_v,
    )


def _poisson(row: _Row) -> Stimulus:
    rate_hz = _number(row.values, "rate_hz", row.where)
    expected = rate_hz * (row.stop_s - row.start_s)
    if rate_hz < 0 or expected * row.neurons.size > _MOST_EVENTS:
        raise RunError(
            f"{row.where}: {rate_hz:g} Hz for {row.stop_s - row.start_s:g} s. Give a lower, positive rate in hertz."
        )
    counts = row.rng.poisson(expected, row.neurons.size)
    time_s = row.rng.uniform(row.start_s, row.stop_s, int(counts.sum()))
    weight_v = np.full(time_s.size, _number(row.values, "weight_mv", row.where) * 1e-3)
    return Stimulus(n_neurons=row.n_neurons, kick_neuron=np.repeat(row.neurons, counts), kick_s=time_s, kick_v=weight_v)


def _spikes(row: _Row) -> Stimulus:
    time_s = _train(row)
    return Stimulus(
        n_neurons=row.n_neurons,
        forced_neuron=np.repeat(row.neurons, time_s.size),
        forced_s=np.tile(time_s, row.neurons.size),
    )


def _silence(row: _Row) -> Stimulus:
    one = np.ones(row.neurons.size)
    return Stimulus(
        n_neurons=row.n_neurons,
        muted_neuron=row.neurons,
        muted_start_s=row.start_s * one,
        muted_stop_s=row.stop_s * one,
    )


_TABLES: Final = {"current": _current, "kicks": _kicks, "poisson": _poisson, "spikes": _spikes, "silence": _silence}


def _train(row: _Row) -> Float64[ndarray, " events"]:
    """Return one event, or a regular train up to before the stop."""
    if not row.values.get("every_s", "").strip():
        return np.array([row.start_s])
    every_s = _number(row.values, "every_s", row.where)
    if math.isnan(row.stop_s) or not every_s > 0 or (row.stop_s - row.start_s) / every_s > _MOST_EVENTS:
        raise RunError(f"{row.where}: every_s is {every_s:g}. Give a positive number of seconds, and stop_s with it.")
    return row.start_s + every_s * np.arange(math.ceil((row.stop_s - row.start_s) / every_s - 1e-9))


def _neurons(text: str, labels: Sequence[str], where: str, rng: Generator) -> Int64[ndarray, " neurons"]:
    words = text.split()
    if words == ["all"] and "all" not in labels:
        return np.arange(len(labels))
    if len(words) == 1 and words[0].startswith("fraction:") and words[0] not in labels:
        try:
            fraction = float(words[0].partition(":")[2])
        except ValueError:
            fraction = math.nan
        if not 0 < fraction <= 1:
            raise RunError(f"{where}: neurons is {text!r}. Give fraction: and a number up to 1, e.g. fraction:0.1.")
        return np.sort(rng.permutation(len(labels))[: max(1, round(fraction * len(labels)))])
    if not words:
        raise RunError(f"{where}: neurons is empty. Give labels, all, or e.g. fraction:0.1.")
    try:
        return indices_of(words, labels).astype(np.int64)
    except RunError as error:
        raise RunError(f"{where}: {error}") from None


def _number(row: Mapping[str, str], name: str, where: str) -> float:
    try:
        value = float(row.get(name, ""))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise RunError(f"{where}: {name} is {row.get(name, '')!r}. Give a finite number.")
    return value
