"""The closed-loop choice on the flows of dysts (Gilpin 2021): 400 rows to learn from, 2,500 ahead, one start each.

Data: SciPy's DOP853 at 1e-10, 50 rows a period, from the collection's own start after 500 rows.  The data's own
error reaches the size of the attractor after about ln(1e10) = 23 Lyapunov times, so nothing is scored beyond 20.
Systems without a right-hand side (delays) are named and left out.  A line of JSON a system is added to --out,
and a stopped run goes on where it was.  Budget: 3 s of CPU time a system for the choice.
Run with: python benchmarks/forecast_dysts.py --out results.jsonl [--dysts DIR] [--every N]
"""

import argparse
import importlib
import json
import signal
import sys
import time
import types
import warnings
from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp

from neurograft.reservoirs import ClosedLoopChoice, Nvar, valid_steps

N_LEFT, N_LEARN, N_AHEAD = 500, 400, 2500
SHORT = 700  # the horizon of earlier figures, in rows
MOST_LYAPUNOV_TIMES = 20.0
LIMIT_S = 400


def rows_of(flow):
    dt = flow.period / 50
    n = N_LEFT + N_LEARN + N_AHEAD
    found = solve_ivp(
        lambda t, x: np.array(flow.rhs(x, t), float), (0, dt * (n - 1)), np.atleast_2d(flow.ic)[0],
        t_eval=dt * np.arange(n), method="DOP853", rtol=1e-10, atol=1e-10,
    )  # fmt: skip
    if found.y.shape[1] < n or not np.isfinite(found.y).all():
        raise RuntimeError("the integration stopped")
    return found.y.T[N_LEFT:], dt, 1 / flow.maximum_lyapunov_estimated


def scored(name, flow):
    x, dt, lyapunov_time = rows_of(flow)
    n_ahead = min(N_AHEAD, int(MOST_LYAPUNOV_TIMES * lyapunov_time / dt))
    learn, ahead = x[:N_LEARN], x[N_LEARN : N_LEARN + n_ahead]
    scale = x[: N_LEARN + SHORT].std(axis=0)

    def valid(model):
        return float(valid_steps(ahead, model.forecast(n_ahead).values, scale=scale)) * dt / lyapunov_time

    begin = time.process_time()
    choice = ClosedLoopChoice(dt=dt).fit(learn)
    cpu_s = time.process_time() - begin
    return {
        "name": name, "vpt": valid(choice), "horizon": n_ahead * dt / lyapunov_time, "model": choice.best_.model,
        "short": SHORT * dt / lyapunov_time, "paper_like": valid(Nvar(ridge=1e-4).fit(learn)), "cpu_s": cpu_s,
    }  # fmt: skip


def told(rows):
    good = [r for r in rows if "vpt" in r]
    rng = np.random.default_rng(0)
    for key in ("vpt", "paper_like"):
        for name, horizon in (("", "horizon"), (f" in the first {SHORT} rows", "short")):
            v = np.array([min(r[key], r[horizon]) for r in good])
            low, high = np.quantile(np.median(rng.choice(v, (2000, v.size)), axis=1), [0.025, 0.975])
            cut = 100 * np.mean([r[key] >= 0.999 * r[horizon] for r in good])
            print(f"{key}{name}: median {np.median(v):.2f} ({low:.2f}-{high:.2f}), mean {v.mean():.2f}, above one "
                  f"Lyapunov time {100 * (v > 1).mean():.0f} %, valid to the end {cut:.0f} %")  # fmt: skip
    at_limit = 100 * np.mean([r["vpt"] >= 0.99 * MOST_LYAPUNOV_TIMES for r in good])
    cpu = np.array([r["cpu_s"] for r in good])
    left_out = [r["name"] for r in rows if "vpt" not in r]
    print(f"{len(good)} systems, {at_limit:.0f} % valid for {MOST_LYAPUNOV_TIMES:g} Lyapunov times; CPU time of the "
          f"choice: median {np.median(cpu):.1f} s, most {cpu.max():.1f} s; left out: {left_out}")  # fmt: skip


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--dysts", help="folder with dysts")
    parser.add_argument("--every", type=int, default=1, help="only every N-th system")
    args = parser.parse_args()
    if args.dysts:
        sys.path.append(args.dysts)
    # dysts imports gluonts for a writer that is not used here
    for module in ("gluonts", "gluonts.dataset", "gluonts.dataset.arrow"):
        sys.modules.setdefault(module, types.ModuleType(module))
    sys.modules["gluonts.dataset.arrow"].ArrowWriter = None
    flows = importlib.import_module("dysts.flows")
    names = importlib.import_module("dysts.systems").get_attractor_list()[:: args.every]
    warnings.simplefilter("ignore")
    rows = [json.loads(line) for line in args.out.read_text().splitlines()] if args.out.exists() else []
    done = {r["name"] for r in rows}

    def too_long(*_):
        raise TimeoutError(f"over {LIMIT_S} s of CPU time")

    signal.signal(signal.SIGPROF, too_long)
    for name in (n for n in names if n not in done):
        signal.setitimer(signal.ITIMER_PROF, LIMIT_S)
        try:
            row = scored(name, getattr(flows, name)())
        except Exception as error:
            row = {"name": name, "error": repr(error)[:200]}
        signal.setitimer(signal.ITIMER_PROF, 0)
        rows.append(row)
        with args.out.open("a") as file:
            file.write(json.dumps(row) + "\n")
    told(rows)


if __name__ == "__main__":
    main()
