"""Copies that are killed, shared out, followed and run out of disk: the same map, and nothing read twice."""

import itertools
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from cli.recorded import CHANNELS, RATE_HZ, same, samples, sidecar
from neurograft.maps import load_map, save_map

needs_kernels = pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="too long without compiled kernels"
)
pytestmark = pytest.mark.process
PIECES = 5
STEPS = ["read"] * PIECES + ["moments", "solution", "blocks"]

# Runs a copy that kills itself, with no chance to clean up, at its k-th kept result: before, while or after writing it.
# The first five are pieces; then come moments, solutions and blocks of the inverse, of the design and of turned ones.
KILLED = """
import os, signal, sys
from neurograft.copying import WorkFolder
import neurograft.files as files
from neurograft.cli import main
after, where, seen = int(sys.argv[1]), sys.argv[2], 0
put = WorkFolder.put
def counted(self, key, result):
    global seen
    seen += 1
    if seen == after and where == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    if seen == after and where == "while":
        os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)
    kept = put(self, key, result)
    if seen == after and where == "after":
        os.kill(os.getpid(), signal.SIGKILL)
    return kept
WorkFolder.put = counted
sys.exit(main(sys.argv[3:]))
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """A raw recording of 43 s, five pieces."""
    folder = tmp_path_factory.mktemp("seen")
    samples().tofile(folder / "seen.raw")
    (folder / "seen.toml").write_text(sidecar("seen.raw"))
    return folder / "seen.toml"


@pytest.fixture(scope="module")
def whole(seen, tmp_path_factory):
    """The map of a copy that nothing disturbs."""
    out = tmp_path_factory.mktemp("whole") / "map.h5"
    assert [name.split("-")[0] for name in kept_by("copy", str(seen), "-o", str(out))[: PIECES + 3]] == STEPS
    assert not out.with_name("map.h5.work").exists()
    assert load_map(out).n_synapses >= 2
    return out


def kept_by(*command):
    """Run a command; return the names of the results that it made and kept."""
    from neurograft.cli import main
    from neurograft.copying import WorkFolder

    put, made = WorkFolder.put, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WorkFolder, "put", lambda self, key, result: (made.append(key), put(self, key, result))[1])
        assert main(list(command)) == 0
    return made


@needs_kernels
@pytest.mark.parametrize(("after", "where"), [(1, "while"), (3, "before"), (6, "while"), (8, "after")])
def test_a_killed_copy_goes_on_and_makes_the_same_map_making_nothing_twice(seen, whole, tmp_path, after, where):
    out, work = tmp_path / "map.h5", tmp_path / "map.h5.work"
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    command = [sys.executable, str(script), str(after), where, "copy", str(seen), "-o", str(out)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert not out.exists()
    kept = {path.name: path.stat().st_mtime_ns for path in work.glob("*.npz")}
    assert len(kept) == (after if where == "after" else after - 1)
    made = kept_by("copy", str(seen), "-o", str(out), "--resume")
    assert not any(f"{key}.npz" in kept for key in made)
    assert len(made) + len(kept) == len(kept_by("copy", str(seen), "-o", str(tmp_path / "again.h5")))
    assert same(out, whole)
    assert not work.exists()


@needs_kernels
def test_shards_read_a_share_each_and_resume_joins_them(neurograft, seen, whole, tmp_path):
    out = tmp_path / "map.h5"
    first = neurograft("copy", str(seen), "-o", str(out), "--shard", "1/2")
    assert first.code == 0
    assert "2 of 5 pieces" in first.out
    assert "Run the other shards" in first.out
    second = neurograft("copy", str(seen), "-o", str(out), "--shard", "0/2")
    assert "5 of 5 pieces" in second.out
    assert "--resume" in second.out
    assert not out.exists()
    assert neurograft("copy", str(seen), "-o", str(out), "--resume", "--jobs", "2").code == 0
    assert same(out, whole)


@needs_kernels
def test_a_growing_recording_is_followed_to_the_map_of_the_whole(neurograft, whole, tmp_path):
    """In NumPy's format, whose header of 128 bytes tells a length that is not there yet."""
    np.save(tmp_path / "seen.npy", samples())
    everything = (tmp_path / "seen.npy").read_bytes()
    told = sidecar("live.npy").replace("[time]", "header_bytes = 128\n[time]")
    (tmp_path / "live.toml").write_text(told)
    frame = 2 * CHANNELS
    cuts = [0, 100, 9 * RATE_HZ * frame + 131, 25 * RATE_HZ * frame + 129, len(everything)]

    def record():
        for begin, end in itertools.pairwise(cuts):
            with (tmp_path / "live.npy").open("ab") as stream:  # half a frame may be there at any time
                stream.write(everything[begin:end])
            time.sleep(1.0)

    recorder = threading.Thread(target=record)
    recorder.start()
    out = tmp_path / "map.h5"
    done = neurograft("copy", str(tmp_path / "live.npy"), "-o", str(out), "--follow", "--every", "0.1", "--idle", "3")
    recorder.join()
    assert done.code == 0
    told = [line for line in done.err.splitlines() if " synapses of " in line]
    assert len(told) >= 2
    assert told[-1].startswith("43 s: ")
    assert same(out, whole, but={"neurograft/provenance"})  # which names the file


@needs_kernels
def test_a_longer_recording_is_copied_ahead_and_ends_in_the_map_of_the_whole(
    neurograft, seen, whole, tmp_path, monkeypatch
):
    made = []
    monkeypatch.setattr("neurograft.copying.intracellular.following._ahead.CALIBRATED_ON_S", 25.0)
    monkeypatch.setattr("neurograft.maps.save_map", lambda m, path: (made.append(m), save_map(m, path)))
    out, report = tmp_path / "map.h5", tmp_path / "report.html"
    done = neurograft("copy", seen, "-o", out, "--follow", "--idle", "1", "--spikes", tmp_path / "spikes.h5", "--json")
    assert done.code == 0, done.err
    told = [line for line in done.err.splitlines() if " synapses of " in line]
    assert told[-1].startswith("43 s: ")
    assert "coefficients to" in told[-2]
    assert same(out, whole, but=("neurograft/provenance",))
    early, last = made[-2:]
    assert "followed" in early.provenance.parameters
    assert "followed" not in last.provenance.parameters
    assert np.array_equal(early.pre, last.pre)
    assert np.allclose(early.extra["mean_v"], last.extra["mean_v"], rtol=0.1)
    save_map(early, tmp_path / "early.h5")
    assert load_map(tmp_path / "early.h5").n_synapses == early.n_synapses
    assert neurograft("copy", seen, "-o", out, "--follow", "--idle", "1", "--report", report).code == 0
    assert report.exists()


@needs_kernels
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_following_can_be_stopped_at_any_moment_and_leaves_a_valid_map(tmp_path, how):
    (tmp_path / "live.toml").write_text(sidecar("live.raw"))
    samples().tofile(tmp_path / "live.raw")
    out = tmp_path / "map.h5"
    command = [sys.executable, "-m", "neurograft", "copy", str(tmp_path / "live.raw"), "-o", str(out), "--follow"]
    running = subprocess.Popen([*command, "--idle", "600"], stderr=subprocess.PIPE, text=True)
    while not out.exists():
        assert running.poll() is None
        time.sleep(0.05)
    running.send_signal(how)
    _, said = running.communicate()
    assert running.returncode == 0
    assert "holds the last map" in said
    assert load_map(out).n_synapses >= 2


@needs_kernels
def test_a_full_disk_keeps_what_was_read_and_says_what_to_do(neurograft, seen, whole, tmp_path):
    import errno

    from neurograft.copying.intracellular.reading import _work

    written_whole, times = _work.written_whole, []

    def full(path):
        times.append(path)
        if len(times) > 5:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return written_whole(path)

    out = tmp_path / "map.h5"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_work, "written_whole", full)
        failed = neurograft("copy", str(seen), "-o", str(out))
    assert failed.code == 2
    assert "The disk is full" in failed.err
    assert "--resume" in failed.err
    assert len(list((tmp_path / "map.h5.work").glob("*.npz"))) == 2
    assert neurograft("copy", str(seen), "-o", str(out), "--resume").code == 0
    assert same(out, whole)


@needs_kernels
def test_a_damaged_piece_is_read_again(neurograft, seen, whole, tmp_path):
    out, work = tmp_path / "map.h5", tmp_path / "map.h5.work"
    assert neurograft("copy", str(seen), "-o", str(out), "--shard", "0/1").code == 0
    small, rows = sorted(work.glob("*.npz"))[0], sorted(work.glob("*.npy"))[-1]
    small.write_bytes(small.read_bytes()[:-100])
    held = bytearray(rows.read_bytes())
    held[-50] ^= 1
    rows.write_bytes(bytes(held))
    assert neurograft("copy", str(seen), "-o", str(out), "--resume").code == 0
    assert same(out, whole)


@needs_kernels
@pytest.mark.slow
def test_a_copy_keeps_to_its_memory(tmp_path):
    """512 channels of 10 kHz, 40 s: 410 MB of samples, 820 MB in volts."""
    rng, rate_hz, n, seconds = np.random.default_rng(0), 10_000, 512, 40
    noise = rng.integers(-12_060, -11_940, (rate_hz, n), dtype=np.int16)
    wave = (20_000 * np.array([0.1, 0.4, 0.8, 1.0, 0.8, 0.5, 0.3, 0.1])).astype(np.int16)
    with (tmp_path / "large.raw").open("wb") as stream:
        for _ in range(seconds):
            second = np.roll(noise, int(rng.integers(rate_hz)), axis=0)
            for c in range(0, n, 8):
                for frame in rng.integers(0, rate_hz - 8, 3):
                    second[frame : frame + 8, c] += wave
            stream.write(second.tobytes())
    told = sidecar("large.raw").replace(f"n_channels = {CHANNELS}", f"n_channels = {n}")
    (tmp_path / "large.toml").write_text(told.replace(f"rate_hz = {RATE_HZ}", f"rate_hz = {rate_hz}"))
    script = "import resource, sys; from neurograft.cli import main; code = main(sys.argv[1:]); "
    script += "print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss); sys.exit(code)"
    out = tmp_path / "map.h5"
    command = [sys.executable, "-c", script, "copy", str(tmp_path / "large.toml"), "-o", str(out), "--memory", "1200M"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    peak_kb = int(done.stdout.split("peak")[1])
    assert peak_kb < 1200 << 10
    assert load_map(out).n_neurons == n


@pytest.mark.parametrize("option", [("--shard", "2/2"), ("--shard", "half"), ("--memory", "lots"), ("--follow",)])
def test_options_that_make_no_sense_are_named(neurograft, seen, tmp_path, option):
    spikes = tmp_path / "nothing.npz"
    np.savez(spikes, a=np.zeros(1))
    source = spikes if option == ("--follow",) else seen
    failed = neurograft("copy", str(source), "-o", str(tmp_path / "map.h5"), *option)
    assert failed.code == 2
    assert option[0] in failed.err


@pytest.fixture
def cluster():
    """Return a cluster of two processes on this machine."""
    distributed = pytest.importorskip("distributed")
    # a worker that is killed is told of in warnings and logs of Dask's own
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as made:
        yield made


def copied_while(neurograft, seen, out, address, disturb):
    """Copy, and call ``disturb`` once when the first piece has come back."""
    from neurograft.copying import WorkFolder

    put, times = WorkFolder.put, []

    def counted(self, key, result):
        kept = put(self, key, result)
        times.append(key)
        if len(times) == 1:
            disturb()
        return kept

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WorkFolder, "put", counted)
        return neurograft("copy", str(seen), "-o", str(out), "--scheduler", address)


@needs_kernels
@pytest.mark.filterwarnings("ignore")
def test_a_worker_killed_in_mid_run_changes_nothing(neurograft, cluster, seen, whole, tmp_path):
    from distributed import Client

    def kill():
        with Client(cluster.scheduler_address) as client:
            os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)

    done = copied_while(neurograft, seen, tmp_path / "map.h5", cluster.scheduler_address, kill)
    assert done.code == 0, done.err
    assert same(tmp_path / "map.h5", whole)


@needs_kernels
@pytest.mark.filterwarnings("ignore")
def test_a_scheduler_that_vanishes_leaves_its_pieces_and_says_what_to_do(neurograft, cluster, seen, whole, tmp_path):
    out, address = tmp_path / "map.h5", cluster.scheduler_address
    failed = copied_while(neurograft, seen, out, address, cluster.close)
    assert failed.code == 2
    assert f"The Dask scheduler {address}" in failed.err
    assert "--resume" in failed.err
    assert list((tmp_path / "map.h5.work").glob("*.npz"))
    assert neurograft("copy", str(seen), "-o", str(out), "--resume").code == 0
    assert same(out, whole)
