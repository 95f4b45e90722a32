"""The map after the last sample of a recording that was followed: wall time of each step, calls, what is left.

    python benchmarks/copy_followed.py [--firing 2000] [--channels 4096] [--minutes 19] [--threads 2] [--memory 16]
        [--pace 1] [--work FOLDER] [--whole]

The recording of ``copy_whole.py`` grows by the clock, ``--pace`` times as fast as it would be recorded, while it is
copied ahead.  What is printed after it has ended is what a user waits for.  With ``--whole`` the batch's copy follows,
and how the two maps differ is told.
"""

import argparse
import json
import resource
import time
from pathlib import Path

import numpy as np
from copy_whole import RATE_HZ, Made, Steps, gflops, in_folder, sized, work_in


def main() -> None:
    """Make, follow, print."""
    parser = sized(__doc__)
    parser.add_argument("--pace", type=float, default=1.0, help="times as fast as recorded")
    parser.add_argument("--whole", action="store_true", help="also copy all of it when it is over, and compare")
    told = parser.parse_args()
    in_folder(told, run)


def run(told: argparse.Namespace, folder: Path) -> None:
    """Follow a recording that is made as it is read."""
    from neurograft.cli._copy_ahead import Following
    from neurograft.copying import IntracellularOptions, copy_intracellular

    made = Made(firing=told.firing, channels=told.channels, seconds=round(60 * told.minutes))
    made.fetch(0, 0, 100)  # compiled
    made.seconds = 0.0
    work, limit = work_in(folder, told), gflops()
    following, begin = Following(IntracellularOptions(), work, is_wanted=True), time.perf_counter()
    while_recorded, longest_s = Steps(is_quiet=True), 0.0
    early: list[tuple[int, int]] = []
    while (elapsed_s := told.pace * (time.perf_counter() - begin)) * RATE_HZ < made.frames:
        now, n_frames = time.perf_counter(), max(int(elapsed_s * RATE_HZ), RATE_HZ)
        growing = made.until(n_frames)
        published = following.map_of(growing, is_growing=True, progress=while_recorded)
        if published is not None:
            early.append((round(published.until_s), published.copied.map.n_synapses))
        elif not following.step(growing, while_recorded):
            while_recorded("waiting", 0, 1)
            time.sleep(0.1)
        longest_s = max(longest_s, time.perf_counter() - now)
    while_recorded("end", 1, 1)
    late_s = time.perf_counter() - begin - made.frames / RATE_HZ / told.pace
    while_recorded.table()
    recording, steps = made.until(made.frames), Steps()
    found = following.map_of(recording, is_growing=False, progress=steps)
    steps("end", 1, 1)
    steps.table()
    assert found is not None
    copied = found.copied
    assert copied.map.provenance is not None
    after_s = sum(row[0] for row in steps.took.values())
    print(json.dumps({
        "firing": told.firing, "channels": told.channels, "minutes": told.minutes, "pace": told.pace,
        "after_the_last_sample_s": round(late_s + after_s, 1), "of_which_late_s": round(late_s, 1),
        "longest_step_s": round(longest_s, 1), "published_before": early,
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2), "gflops_32_bit": round(limit),
        **made.score(copied.map.pre, copied.map.post), "followed": copied.map.provenance.parameters["followed"],
    }))  # fmt: skip
    if told.whole:
        whole = copy_intracellular(recording, work=work).map
        called = [set(zip(m.pre.tolist(), m.post.tolist(), strict=True)) for m in (whole, copied.map)]
        assert whole.evidence is not None
        assert copied.map.evidence is not None
        off = np.abs(whole.evidence.z - copied.map.evidence.z)
        print(json.dumps({
            **made.score(whole.pre, whole.post), "in_both": len(called[0] & called[1]),
            "z_off_median": float(np.nanmedian(off)), "z_off_99_percent": float(np.nanquantile(off, 0.99)),
        }))  # fmt: skip


if __name__ == "__main__":
    main()
