"""The log of a run: whole after a run, readable after a kill at any byte, and refused when it is none."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from numba import config

from neurograft.errors import SpikeError
from neurograft.maps import synapse_map
from neurograft.network import RunInterrupted, RunOptions, run, steady_drive
from neurograft.recordings._sniff import FileKind, kind_of
from neurograft.spikes import open_log, open_spikes
from neurograft.units import MS, MV

IS_JIT = not config.DISABLE_JIT


def ring(n=5):
    return synapse_map(
        n_neurons=n, pre=np.arange(n), post=(np.arange(n) + 1) % n, weight_v=np.full(n, 2 * MV), delay_s=1 * MS,
        model=["lif", "adex", "lif", "adex", "lif"], labels=[f"cell {i}" for i in range(n)],
    )  # fmt: skip


def recorded(path, **options):
    return RunOptions(record_voltage_of=(3, 1), record_states=("w", "v"), chunk_s=10 * MS, record_to=path, **options)


def test_a_log_holds_the_spikes_and_states_of_the_run(tmp_path):
    drive = steady_drive(5, mean_v=32 * MV)
    kept = run(
        ring(), duration_s=0.06, seed=2, drive=drive,
        options=RunOptions(record_voltage_of=(3, 1), record_states=("w", "v")),
    )  # fmt: skip
    written = run(ring(), duration_s=0.06, seed=2, drive=drive, options=recorded(tmp_path / "a.log", n_threads=2))
    log = open_log(tmp_path / "a.log")
    assert log.is_complete
    assert log.columns == ((3, "w"), (1, "w"), (3, "v"), (1, "v"))
    np.testing.assert_array_equal(log.states, np.hstack([kept.states["w"], kept.states["v"]]))
    assert np.any(kept.states["w"])
    assert np.array_equal(kept.states["v"], kept.voltage_v)
    assert written.voltage_v.shape == (0, 2)
    for spikes in (written.spikes, open_spikes(tmp_path / "a.log")):
        assert spikes.n_spikes == kept.spikes.n_spikes > 0
        assert np.array_equal(spikes.time_s, kept.spikes.time_s)
        assert spikes.labels == kept.spikes.labels
    assert log.spikes.provenance.seed == 2
    assert kind_of(tmp_path / "a.log") is FileKind.SPIKES


def test_a_log_cut_at_any_place_gives_the_whole_blocks_before_it(tmp_path):
    drive = steady_drive(5, mean_v=32 * MV)
    whole = run(ring(), duration_s=0.04, seed=2, drive=drive, options=recorded(tmp_path / "a.log")).spikes
    content = (tmp_path / "a.log").read_bytes()
    rng = np.random.default_rng(0)
    lengths, until = set(), 0.0
    for cut in [*rng.integers(len(content) // 2, len(content), 30).tolist(), len(content) - 1]:
        (tmp_path / "b.log").write_bytes(content[:cut])
        try:
            log = open_log(tmp_path / "b.log")
        except SpikeError:
            continue
        assert not log.is_complete
        until = log.spikes.duration_s
        lengths.add(round(until / (10 * MS)))
        assert log.spikes.time_s.tolist() == whole.between(0, until).time_s.tolist()
    assert len(lengths) > 1
    broken = bytearray(content)
    broken[-40] ^= 1  # a flipped bit ends the log where its block begins
    (tmp_path / "b.log").write_bytes(bytes(broken))
    assert open_log(tmp_path / "b.log").spikes.duration_s == pytest.approx(0.03)


def test_ctrl_c_leaves_a_log_of_what_was_done(tmp_path):
    def impatient(what, done, total):
        if done > 0.025:
            raise KeyboardInterrupt

    drive = steady_drive(5, mean_v=32 * MV)
    with pytest.raises(RunInterrupted) as caught:
        run(ring(), duration_s=0.2, seed=2, drive=drive, options=recorded(tmp_path / "a.log"), progress=impatient)
    log = open_log(tmp_path / "a.log")
    assert not log.is_complete
    assert log.spikes.time_s.tolist() == caught.value.activity.spikes.time_s.tolist()
    assert log.spikes.duration_s == pytest.approx(0.03)


ENDLESS = """
import sys
import numpy as np
from pathlib import Path
from neurograft.maps import synapse_map
from neurograft.network import RunOptions, run, steady_drive
m = synapse_map(n_neurons=2, pre=np.array([0]), post=np.array([1]), weight_v=np.array([1e-3]), delay_s=1e-3)
run(m, duration_s=1e6, seed=0, drive=steady_drive(2, mean_v=0.03), options=RunOptions(record_to=Path(sys.argv[1])))
"""


@pytest.mark.skipif(not IS_JIT, reason="compiled steps are quick enough to be killed in the middle")
def test_a_killed_run_leaves_a_readable_log(tmp_path):
    path = tmp_path / "a.log"
    child = subprocess.Popen([sys.executable, "-c", ENDLESS, str(path)])
    until = time.monotonic() + 60.0
    while (not path.exists() or path.stat().st_size < 50_000) and time.monotonic() < until:
        time.sleep(0.05)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    log = open_log(path)
    assert not log.is_complete
    assert log.spikes.duration_s > 0.2
    assert log.spikes.n_spikes > 0


def test_what_is_no_log_is_refused(tmp_path):
    (tmp_path / "a").write_bytes(b"something else")
    with pytest.raises(SpikeError, match="is not a log"):
        open_log(tmp_path / "a")
    (tmp_path / "b").write_bytes(b"NGRAFTL1")
    with pytest.raises(SpikeError, match="stopped before the first step"):
        open_log(tmp_path / "b")
