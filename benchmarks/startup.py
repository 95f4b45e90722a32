"""How long a user waits before anything happens: importing the package, and the command's help.

Run: python benchmarks/startup.py.  Budgets: import 0.3 s, --help 0.5 s, each the median of ten fresh processes
with warm file caches; the bare interpreter and numpy's import are printed beside them, because they are the floor.
"""

import statistics
import subprocess
import sys
import time

REPEATS = 10
BUDGET_S = {"import neurograft": 0.3, "neurograft --help": 0.5}
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import numpy": ["-c", "import numpy"],
    "import neurograft": ["-c", "import neurograft"],
    "neurograft --help": ["-m", "neurograft", "--help"],
}


def median_s(arguments: list[str]) -> float:
    lengths_s: list[float] = []
    for _ in range(REPEATS):
        begin_s = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        lengths_s.append(time.perf_counter() - begin_s)
    return statistics.median(lengths_s)


def main() -> int:
    missed = 0
    for name, arguments in COMMANDS.items():
        took_s = median_s(arguments)
        budget_s = BUDGET_S.get(name)
        verdict = "" if budget_s is None else f"  budget {budget_s:.2f} s  {'ok' if took_s <= budget_s else 'MISSED'}"
        missed += budget_s is not None and took_s > budget_s
        print(f"{name:20} {took_s:6.3f} s{verdict}")
    return missed


if __name__ == "__main__":
    sys.exit(main())
