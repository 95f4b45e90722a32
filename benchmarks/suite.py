"""The standard suite: grow cultures, copy each, score each, time peers on the same spikes, write the table.

    python benchmarks/suite.py                                  held-out cultures; the table goes to docs/benchmarks.md
    python benchmarks/suite.py --split development --only calm,driven --modes array --seeds 1,2
    python benchmarks/suite.py --quick --docs page.md           a quarter of the time, one seed, another page

benchmarks/suite.toml says what is grown.  Held-out cultures are for reporting, never for choosing anything.  Grown
cultures are kept in --cache (4 GB for the whole suite) and grown again when the grower changes, so a rerun only
copies and scores.  One thread; seconds are CPU seconds.  --docs is only implied when everything held out was run.
"""

import argparse
import json
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

if __name__ == "__main__":
    for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(_threads, "1")  # peers and we use one thread each

sys.path.insert(0, str(Path(__file__).resolve().parent))

from suite_cultures import MODES, SPLITS, Case, grown, read_cases
from suite_peers import SPIKE_PEERS, points_forward
from suite_rows import Row, row_of, warm_up
from suite_table import markdown, put_between_markers, require_markers

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
CACHE = Path(tempfile.gettempdir()) / "neurograft-suite"


def asked(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", type=Path, default=HERE / "suite.toml")
    parser.add_argument("--split", choices=SPLITS, default="held-out")
    parser.add_argument(
        "--only", default="", help="names of cultures, separated by commas (write 'late' for 'late, …')"
    )
    parser.add_argument("--seeds", default="", help="other seeds than the suite's, for development")
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--quick", action="store_true", help="a quarter of the time and one seed")
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--docs", type=Path, default=None, help="page whose markers the table goes between")
    parser.add_argument("--json", type=Path, default=None, help="rows as JSON, written after each row")
    parser.add_argument("--grow-only", action="store_true", help="fill the cache, copy nothing")
    args = parser.parse_args(argv)
    args.modes = tuple(args.modes.split(","))
    unknown = set(args.modes) - set(MODES)
    if unknown:
        parser.error(f"--modes has {sorted(unknown)}; known: {', '.join(MODES)}")
    is_whole = args.split == "held-out" and args.modes == MODES and not (args.only or args.quick or args.seeds)
    if args.seeds and args.split == "held-out":
        parser.error("--seeds changes what is held out. Use it with --split development.")
    if args.docs is None and is_whole and not args.grow_only:
        args.docs = PAGE
    return args


def cases_of(args: argparse.Namespace) -> list[Case]:
    cases = read_cases(args.suite, split=args.split, quick=args.quick)
    if args.only:
        wanted = args.only.split(",")
        cases = [case for case in cases if case.name.split(",")[0] in wanted]
        if not cases:
            raise SystemExit(f"No {args.split} culture is called {args.only}.")
    if args.seeds:
        first = cases[0].seed
        seeds = [int(seed) for seed in args.seeds.split(",")]
        cases = [replace(case, seed=seed) for case in cases if case.seed == first for seed in seeds]
    return cases


def main(argv: list[str] | None = None) -> list[Row]:
    args = asked(argv)
    for name, peer in SPIKE_PEERS.items():
        assert points_forward(peer), f"{name}: pre and post are swapped; its numbers would be wrong"
    if args.docs is not None:
        require_markers(args.docs)
    rows: list[Row] = []
    cases = cases_of(args)
    for case in cases:
        culture = grown(case, args.cache, modes=args.modes)
        if not (rows or args.grow_only):
            warm_up(culture, args.modes)
        print(f"{case.name}, seed {case.seed}: {culture.truth.n_synapses} synapses grown", flush=True)
        for mode in () if args.grow_only else args.modes:
            rows.append(row_of(culture, mode))
            print("  " + line(rows[-1]), flush=True)
            if args.json is not None:
                args.json.write_text(json.dumps([row.as_json() for row in rows], indent=1), encoding="utf-8")
        if rows and args.docs is not None:  # after every culture: a run that is stopped leaves what it has
            put_between_markers(args.docs, table(rows, args, n_cases=len(cases)))
    if rows:
        print("\n" + table(rows, args, n_cases=len(cases)))
    if rows and args.docs is not None:
        print(f"\nwritten: {args.docs}")
    return rows


def table(rows: list[Row], args: argparse.Namespace, *, n_cases: int) -> str:
    is_all = len(rows) == n_cases * len(args.modes)
    part = "" if is_all else f" **Not finished**: {len(rows)} of {n_cases * len(args.modes)} rows."
    return markdown(rows, split=args.split, load=os.getloadavg()[0], more=part)


def line(row: Row) -> str:
    """Return a row as one line for whoever waits."""
    if row.error:
        return f"{row.mode:<8} refused: {row.error}"
    tools = "  ".join(f"{n} {t.auc:.3f}/{t.average_precision:.3f} {t.cpu_s:.1f}s" for n, t in row.tools.items())
    return f"{row.mode:<8} {tools}  false {row.realised_fdr}  recall {row.recall}"


if __name__ == "__main__":
    main()
