"""Results of steps after the reading: kept as they come, used again, and never another copy's."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.recorded import RATE_HZ, samples
from neurograft.copying import Budget, Threads, Work, copy_intracellular
from neurograft.errors import WorkError
from neurograft.recordings import Signal, array_recording

pytestmark = pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="too long without kernels")
COLUMNS = ("pre", "post", "weight_v", "weight_se_v", "delay_s", "q_value")


class StoppedError(Exception):
    """Stands for whatever ends a process."""


class Shelf:
    """Keeps results in memory; the ``last``-th that is put there is the end, before or after it is kept."""

    def __init__(self, last: int = 1000, *, is_kept: bool = False, held=None):
        self.held, self.made, self.last, self.is_kept = dict(held or {}), [], last, is_kept

    def get(self, key):
        return self.held.get(key)

    def has_room(self, n_bytes):
        return True

    def put(self, key, result):
        self.made.append(key)
        if len(self.made) < self.last or self.is_kept:
            self.held[key] = {name: array.copy() for name, array in result.items()}
        if len(self.made) == self.last:
            raise StoppedError
        return result


class Full(Shelf):
    """A disk that holds the pieces, and has no room for more; ``is_told`` before it is tried, or when it is."""

    def __init__(self, *, is_told: bool):
        super().__init__()
        self.is_told = is_told

    def has_room(self, n_bytes):
        assert n_bytes > 0
        return not self.is_told

    def put(self, key, result):
        if not key.startswith("read"):
            raise WorkError("The disk is full")
        return super().put(key, result)


def recording(seed=0):
    volts = samples() * 5e-6
    volts[:, 4] += 1e-6 * np.random.default_rng(seed).standard_normal(len(volts))
    return array_recording(volts, rate_hz=RATE_HZ, signal=Signal.MEMBRANE_V)


def copied(store, *, seen=None, n_threads=1, **options):
    work = Work(store=store, workers=Threads(n_threads), n_threads=n_threads, memory=Budget(1 << 30), **options)
    return copy_intracellular(recording() if seen is None else seen, work=work)


@pytest.fixture(scope="module")
def whole():
    store = Shelf()
    return copied(store), store


def same(a, b):
    assert all(np.array_equal(getattr(a.map, name), getattr(b.map, name), equal_nan=True) for name in COLUMNS)
    assert all(np.array_equal(a.map.extra[name], b.map.extra[name], equal_nan=True) for name in a.map.extra)
    assert a.null[:4] == b.null[:4]


@settings(deadline=None, max_examples=6)
@given(data=st.data())
def test_a_copy_that_is_stopped_anywhere_goes_on_with_all_that_it_made_to_the_same_map(whole, data):
    expected, store = whole
    last, is_kept = data.draw(st.integers(1, len(store.made))), data.draw(st.booleans())
    first = Shelf(last, is_kept=is_kept)
    with pytest.raises(StoppedError):
        copied(first)
    second = Shelf(held=first.held)
    same(copied(second, n_threads=data.draw(st.integers(1, 2))), expected)
    assert sorted([*first.held, *second.made]) == sorted(store.made)  # at most the one that was not kept is made again


def test_nothing_is_made_again_and_what_another_recording_or_option_gave_is_not_used(whole):
    expected, store = whole
    again = Shelf(held=store.held)
    same(copied(again), expected)
    assert not again.made
    other = Shelf(held=store.held)
    copied(other, seen=recording(1))
    assert [key.split("-")[0] for key in other.made] == [key.split("-")[0] for key in store.made]


def test_a_recording_that_grows_keeps_its_pieces_alone_and_a_full_disk_stops_no_step(whole):
    expected, store = whole
    growing = Shelf()
    copied(growing, is_growing=True)
    assert {key.split("-")[0] for key in growing.made} == {"read"}
    for is_told in (True, False):
        full = Full(is_told=is_told)
        same(copied(full), expected)
        assert sorted(full.held) == sorted(key for key in store.made if key.startswith("read"))
