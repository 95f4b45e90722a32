"""Forecasting and reservoirs: the published figures, their peers' and ours, in one run.

Peers: the code of Gauthier et al. 2021 (github.com/quantinfo/ng-rc-paper-code; give its folder by --paper) and
reservoirpy and conn2res if they can be imported or are given by --peers and --conn2res.  Every block states
the solver of its data.  CPU time of this process, best of many, one thread.
Run with: python benchmarks/forecast.py [--quick] [--paper DIR] [--peers DIR] [--only WORD ...]
"""

import argparse
import contextlib
import io
import re
import sys
import time
import warnings
from pathlib import Path

import numpy as np

from neurograft.reservoirs import (
    KURAMOTO_LYAPUNOV_TIME_22,
    Accurate,
    ClosedLoopChoice,
    CorrectedNvar,
    EchoState,
    FlowMap,
    IntegralNvar,
    KernelNvar,
    LearnedObserver,
    LocalNvar,
    MemristiveReservoir,
    Nvar,
    Published,
    Smoothing,
    by_cholesky,
    kuramoto_sivashinsky,
    largest_exponent,
    lorenz63,
    lorenz96,
    mackey_glass,
    narma10,
    nrmse_total,
    series,
    signed_lattice,
    spectrum_distance_db,
    starts,
    valid_time,
)

FLOW = lorenz63()


def best_s(call, n):
    """CPU seconds of one call: the least of n."""
    least = np.inf
    for _ in range(n):
        begin = time.process_time()
        call()
        least = min(least, time.process_time() - begin)
    return least


def say(row, ours, wanted, peer=""):
    print(f"{row:<58} {ours:<34} wanted {wanted:<20} {peer}", flush=True)


def paper_functions(folder):
    """The paper's regression and rollout, cut out of its own script and run in place."""
    text = (Path(folder) / "LorenzConstLinQuadraticNVARtimedelayNRMSE-RK23.py").read_text()
    body = text[
        text.index("    ##\n    ## NVAR\n") : text.index("    # calculate NRMSE between true Lorenz and prediction")
    ]
    train = body[: body.index("    # apply W_out to the training")]
    roll = body[body.index("    # create a place to store feature vectors for prediction") :]
    names = "d,k,dlin,dnonlin,dtot,ridge_param,warmup_pts,traintime_pts,warmtrain_pts,maxtime_pts,testtime_pts"
    dedent = lambda code: re.sub(r"^    ", "", code, flags=re.MULTILINE)  # noqa: E731
    return compile(dedent(train), "paper train", "exec"), compile(dedent(roll), "paper roll", "exec"), names


def speed(args):
    x = series(FLOW, n_points=5401, solver=Published())
    train = np.ascontiguousarray(x[199:600])
    model = Nvar(ridge=1e-9, solver=by_cholesky).fit(train)
    model.forecast(10)
    n = 300 if args.quick else 3000
    ours_fit, ours_roll = best_s(lambda: model.fit(train), n), best_s(lambda: model.forecast(4800), n // 10)
    peer_fit = peer_roll = None
    if args.paper:
        fit, roll, _ = paper_functions(args.paper)
        n_test = 4800
        scope = {"np": np, "d": 3, "k": 2, "dlin": 6, "dnonlin": 21, "dtot": 28, "ridge_param": 2.5e-6,
                 "warmup_pts": 1, "traintime_pts": 400, "warmtrain_pts": 401, "maxtime_pts": 401,
                 "testtime_pts": n_test, "lorenz_soln": type("S", (), {"y": train.T})()}  # fmt: skip
        peer_fit = best_s(lambda: exec(fit, scope), 50)
        peer_roll = best_s(lambda: exec(roll, scope), 5)
    rp_fit, rp_roll, esn = reservoirpy_speed(train, args)
    ratio = lambda peer, ours: "" if peer is None else f"{1e3 * peer:.3g} ms: {peer / ours:,.0f} x"  # noqa: E731
    say("Lorenz 63 training, 400 points", f"{1e3 * ours_fit:.4f} ms", "<= 0.03 ms, 20 x, 150 x",
        f"paper {ratio(peer_fit, ours_fit)}; reservoirpy {ratio(rp_fit, ours_fit)}")  # fmt: skip
    say("forecast of 4,800 steps", f"{1e3 * ours_roll:.3f} ms", "<= 0.25 ms, 150 x, 400 x",
        f"paper {ratio(peer_roll, ours_roll)}; reservoirpy {ratio(rp_roll, ours_roll)}")  # fmt: skip
    for nodes, (points, seconds) in esn.items():
        wanted = {100: 500, 1000: 7000, 4000: 2.5e5}[nodes]
        ratio_text = f"{seconds / ours_fit:,.0f} x"
        say(f"echo state training, {nodes} nodes, {points} points", ratio_text, f">= {wanted:,.0f} x",
            f"reservoirpy {1e3 * seconds:.1f} ms")  # fmt: skip


def reservoirpy_speed(train, args):
    try:
        import reservoirpy
        from reservoirpy.nodes import NVAR, Reservoir, Ridge
    except ImportError:
        return None, None, {}
    with contextlib.suppress(Exception):
        reservoirpy.verbosity(0)
    x, y = train[:-1], np.diff(train, axis=0)

    def fit():
        node = NVAR(delay=2, order=2, strides=1) >> Ridge(ridge=2.5e-6)
        node.fit(x, y, warmup=1)
        return node

    seconds = best_s(fit, 20)
    node = fit()

    def roll():
        state = train[-1:]
        for _ in range(100):
            state = state + np.atleast_2d(node.run(state))

    roll_s = None
    with contextlib.suppress(Exception):
        roll_s = best_s(roll, 2) * 48
    esn = {}
    for nodes, points, repeats in ((100, 400, 5), (1000, 400, 2), (4000, 10_000, 1)):
        if args.quick and nodes > 100:
            break
        long = series(FLOW, n_points=points + 1, n_warm_up=200, solver=Accurate(n_substeps=1))
        esn[nodes] = points, best_s(lambda n=nodes, s=long: esn_fit(Reservoir, Ridge, n, s), repeats)
    return seconds, roll_s, esn


def esn_fit(reservoir, ridge, nodes, x):
    model = reservoir(nodes, sr=0.9, lr=1.0, input_scaling=0.1, seed=0) >> ridge(ridge=1e-6)
    model.fit(x[:-1], x[1:], warmup=50)


def published_error(args):
    """Means over the paper's ten pieces, 5 to 95 time units in, 125 of the same run from 205 on, and 100 of another.

    Nothing was tuned on any of them.  The floor is the true equations under the same solver, started anew where the
    forecast starts: its step control does not know the steps before.
    """
    run = series(FLOW, n_points=50_400, solver=Published())
    fresh = series(FLOW, n_points=41_000, start=starts(FLOW, 40)[-1], solver=Published())
    n_others, n_fresh = (20, 10) if args.quick else (125, 100)
    sets = {
        "the ten": (run, 5.0 + 10.0 * np.arange(10)),
        "others": (run, 205.0 + 8.0 * np.arange(n_others)),
        "fresh": (fresh, 10.0 + 10.0 * np.arange(n_fresh)),
    }
    field = IntegralNvar(dt=FLOW.dt, order=4, refine=FlowMap(n_substeps=1), n_substeps=1)
    ridges = (1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5)
    family = [Nvar(degree=degree, ridge=ridge) for degree in (2, 3) for ridge in ridges]
    solvers = (None, Published(rtol=1e-2), Published(), Published(rtol=1e-4))
    unknown = [through(solver) for solver in solvers]
    models = {
        "two taps, degree 2, ridge 1e-9": Nvar(ridge=1e-9),
        "two taps, chosen in closed loop": ClosedLoopChoice(dt=FLOW.dt, candidates=family, n_starts=20),
        "field of degree 2 and a process of what it misses": CorrectedNvar(field),
        "field learnt through the data's solver": through(Published()),
        "field, its solver chosen in closed loop": ClosedLoopChoice(dt=FLOW.dt, candidates=unknown, n_starts=20),
    }
    for name, model in models.items():
        if args.model in name:
            errors = {which: segment_errors(x, model, firsts) for which, (x, firsts) in sets.items()}
            say(f"Lorenz 63 error, RK23 data: {name}", of_pieces(errors), "<= 1.6e-3")
    floor = {
        which: np.array([again_error(x, round(first / FLOW.dt) + 399) for first in firsts])
        for which, (x, firsts) in sets.items()
    }
    say("  the true equations under the same solver, started anew", of_pieces(floor), "-")


def through(solver):
    """A field of degree 2 whose weights and rollouts are of this solver, accurate if None."""
    return IntegralNvar(dt=FLOW.dt, order=4, refine=FlowMap(n_ahead=20), data_solver=solver)


def of_pieces(errors):
    return "; ".join(
        f"{which} {1e3 * e.mean():.2f} +- {1e3 * e.std() / e.size**0.5:.2f} e-3, median {1e3 * np.median(e):.2f}, "
        f"most {1e3 * e.max():.1f}"
        for which, e in errors.items()
    )


def again_error(x, begin):
    ahead = series(FLOW, n_points=44, start=x[begin], solver=Published())
    return nrmse_total(x[begin : begin + 44], ahead, variance=x[: begin + 45].var(axis=0))


def segment_errors(x, model, firsts):
    errors = []
    for first in firsts:
        begin = round(first / FLOW.dt)
        found = model.fit(x[begin - 1 : begin + 400]).forecast(43).values  # row begin + 399 is known
        ahead = np.vstack([x[begin + 399 : begin + 400], found])
        end = begin + 400 + 44
        errors.append(nrmse_total(x[begin + 399 : begin + 443], ahead, variance=x[:end].var(axis=0)))
    return np.array(errors)


def lorenz_truth(n_starts, n_steps):
    begin = starts(FLOW, n_starts, spacing=150)
    return series(FLOW, n_points=n_steps + 1, start=begin, solver=Accurate(n_substeps=10))


def lorenz_valid(args):
    """Accurate data (order 8, dt/10); training pieces that were not used to choose anything."""
    n_starts = 10 if args.quick else 40
    truth = lorenz_truth(n_starts, 1500)
    scale = truth.reshape(-1, 3).std(axis=0)
    long = series(FLOW, n_points=16_000, n_warm_up=9000, solver=Accurate(n_substeps=10))

    def times(model):
        found = model.forecast(1500, truth[:, :1])
        return valid_time(truth[:, 1:], found.values, scale=scale, dt=FLOW.dt, lyapunov_time=FLOW.lyapunov_time)

    rng = np.random.default_rng(0)
    for n, order, wanted in ((400, 8, 20), (100, 8, 20), (15, 4, 12)):
        found = [times(IntegralNvar(dt=FLOW.dt, order=order, refine=FlowMap(n_rounds=8)).fit(long[b : b + n]))
                 for b in range(0, 15_000, 3000)]  # fmt: skip
        medians = np.array([f.median for f in found])
        low, high = found[0].median_interval(rng)
        spread = f"{np.median(medians):.1f} ({medians.min():.1f}-{medians.max():.1f})"
        say(f"Lorenz 63 valid time, accurate data, {n} points", spread,
            f">= {wanted}", f"five pieces; the first's median has 95 % interval {low:.1f}-{high:.1f}")  # fmt: skip
    model = IntegralNvar(dt=FLOW.dt, order=8, refine=FlowMap()).fit(long[:400])
    exponent = largest_exponent(lambda h: model.forecast(1, h).values, long[400:401], dt=FLOW.dt, n_rounds=4000)
    say("  largest Lyapunov exponent of the model, 400 points", f"{exponent:.3f}", "-", "true 0.906 (Sprott 2003)")
    paper = [valid_of_nvar(Nvar(ridge=1e-9), long[b : b + 400], truth, scale) for b in range(0, 15_000, 3000)]
    say("  the same by 2 taps, degree 2, ridge 1e-9", f"{np.median(paper):.2f}", "-", "the published set-up")
    for noise, wanted in ((1e-3, 5.8), (1e-2, 3.6)):
        medians = []
        for seed, b in enumerate(range(0, 15_000, 3000)):
            z = long[b : b + 400]
            z = z + noise * z.std(axis=0) * np.random.default_rng(100 + seed).standard_normal(z.shape)
            model = IntegralNvar(dt=FLOW.dt, order=6, refine=Smoothing(least_t=3.0), is_centred=False).fit(z)
            medians.append(times(model).median)
        spread = f"{np.median(medians):.2f} ({min(medians):.2f}-{max(medians):.2f})"
        say(f"Lorenz 63 valid time, noise {noise:g}, 400 points", spread,
            f">= {wanted}", "five pieces with noise of their own")  # fmt: skip


def valid_of_nvar(model, train, truth, scale):
    found = model.fit(train).forecast(200, truth[:, :2])
    return valid_time(truth[:, 2:202], found.values, scale=scale, dt=FLOW.dt, lyapunov_time=FLOW.lyapunov_time).median


def hidden(_):
    x = series(FLOW, n_points=round(265 / 0.05) + 1, dt=0.05, solver=Published())
    for name, options in (("3 rows later known", {}), ("causal", {"is_causal": True, "n_stencil": 7})):
        errors = []
        for i in range(10):
            begin = round((5 + 20 * i) / 0.05)
            train, end = x[begin : begin + 400], begin + 400 + 900
            model = LearnedObserver(dt=0.05, **options).fit(train[:, :2], train[:, 2])
            found = model.predict(x[begin + 399 : end, :2], start=model.last_)[1:]
            errors.append(np.sqrt(np.mean((found - x[begin + 400 : end, 2]) ** 2)) / x[:end, 2].std())
        say(
            f"x, y -> z, RK23 data, {name}",
            f"{np.mean(errors):.3g} +- {np.std(errors) / 10**0.5:.1g}",
            "<= 2.5e-3",
            "paper 2.0e-2",
        )


def ring_of_sites(args):
    flow = lorenz96()
    solver = Accurate(n_substeps=1)
    truth = series(flow, n_points=1300, dt=0.01, start=starts(flow, 5 if args.quick else 20), solver=solver)
    long = series(flow, n_points=2400, dt=0.01, n_warm_up=4000, solver=solver)
    medians = []
    for b in range(0, 2000, 400):
        found = LocalNvar(dt=0.01, order=8, n_substeps=1).fit(long[b : b + 10]).forecast(1299, truth[:, :1])
        scale = truth.reshape(-1, 40).std(axis=0)
        medians.append(
            valid_time(
                truth[:, 1:], found.values, scale=scale, dt=0.01, lyapunov_time=flow.lyapunov_time, below=0.5
            ).median
        )
    say(
        "Lorenz 96, 40 sites, 10 snapshots, accurate data",
        f"{np.median(medians):.1f} ({min(medians):.1f}-{max(medians):.1f})",
        ">= 15",
        "",
    )


def waves(args):
    """Kuramoto-Sivashinsky on 22, read at 32 of 64 sites every 0.25: one field for all sites."""
    u = kuramoto_sivashinsky(n_points=7000, n_substeps=4)[:, ::2]
    begins = 3000 + np.arange(0, 3000, 600 if args.quick else 150)
    truth = np.stack([u[b : b + 961] for b in begins])
    rng = np.random.default_rng(0)
    for n_rows in (1000, 200):
        model = LocalNvar(dt=0.25, radius=5, order=8, n_substeps=20).fit(u[800 : 800 + n_rows])
        found = model.forecast(960, truth[:, :1])
        valid = valid_time(truth[:, 1:], found.values, scale=np.full(32, u[800:1800].std()), dt=0.25,
                           lyapunov_time=KURAMOTO_LYAPUNOV_TIME_22)  # fmt: skip
        low, high = valid.median_interval(rng)
        told = f"{begins.size} starts, {valid.n_cut_off} valid to the horizon of {valid.horizon:.1f}"
        say(f"Kuramoto-Sivashinsky, 32 sites, {n_rows} rows, accurate data",
            f"{valid.median:.1f} ({low:.1f}-{high:.1f})", "-", told)  # fmt: skip
        half = found.values.shape[1] // 2  # after five Lyapunov times most forecasts have lost the weather
        distance = spectrum_distance_db(truth[:, 1 + half :, 0].ravel(), found.values[:, half:, 0].ravel())
        say("  spectrum of a site over the second half, distance from the truth's", f"{distance:.1f} dB", "-")


def delays(args):
    """Mackey-Glass with delay 17 read every 1, accurate data: a kernel on the last 18 rows, 1,000 rows to learn."""
    x = mackey_glass(n_points=11_000, n_substeps=10)[:, None]
    train, scale = x[1000:2000], x[1000:2000].std(axis=0)
    begins = 3000 + np.arange(0, 5000, 1000 if args.quick else 250)
    lyapunov_time = 1 / mackey_glass_exponent()
    models = {
        "kernel, 18 taps": KernelNvar(n_taps=18, length=12.0, ridge=1e-13),
        "echo state, 500 nodes": EchoState(
            n_nodes=500, radius=0.95, leak=0.5, input_scale=0.3, ridge=1e-9, n_washout=100
        ),
    }
    rng = np.random.default_rng(0)
    for name, model in models.items():
        n = model.fit(train).n_history
        found = model.forecast(2500, np.stack([x[b - n : b] for b in begins])).values
        truth = np.stack([x[b : b + 2500] for b in begins])
        valid = valid_time(truth, found, scale=scale, dt=1.0, lyapunov_time=lyapunov_time)
        low, high = valid.median_interval(rng)
        after_84 = np.log10(np.sqrt(np.mean((found[:, 83] - truth[:, 83]) ** 2)) / scale[0])
        say(f"Mackey-Glass 17, {name}", f"{valid.median:.2f} ({low:.2f}-{high:.2f})", "-",
            f"Lyapunov time {lyapunov_time:.0f}; {valid.n_cut_off} of {begins.size} valid to the horizon of "
            f"{valid.horizon:.1f}; error after 84 rows 10^{after_84:.1f}")  # fmt: skip


def mackey_glass_exponent():
    """Growth of the distance of two runs that start 1e-9 apart, while it is from 1e-8 to 1e-3; mean of four starts."""
    found = []
    for start in (0.7, 0.9, 1.1, 1.3):
        one, other = (mackey_glass(n_points=6000, n_substeps=4, start=s) for s in (start, start + 1e-9))
        apart = np.maximum.reduceat(np.abs(one - other), np.arange(0, 6000, 60))
        begin, end = np.flatnonzero(apart > 1e-8)[0], np.flatnonzero(apart > 1e-3)
        last = end[0] if end.size else apart.size - 1
        found.append(np.log(apart[last] / apart[begin]) / (60.0 * (last - begin)))
    return np.mean(found)


def memristors(args):
    rng = np.random.default_rng(0)
    matrix = (rng.random((300, 300)) < 0.05).astype(float)
    net = MemristiveReservoir(matrix, rng, inputs=np.array([0, 1]), grounded=np.array([2, 3]))
    u = 0.3 * rng.standard_normal((20, 2))
    ours = best_s(lambda: net.states(u), 5) / 20
    peer = ""
    if args.conn2res:
        sys.path.insert(0, args.conn2res)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Exception):
            from conn2res.reservoir import MSSNetwork

            theirs = MSSNetwork(
                w=matrix, int_nodes=np.arange(4, 300), ext_nodes=np.array([0, 1]), gr_nodes=np.array([2, 3])
            )
            seconds = best_s(lambda: theirs.simulate(u[:4]), 2) / 4
            peer = f"conn2res {1e3 * seconds:.1f} ms: {seconds / ours:.0f} x"
    say(f"memristive step, 300 nodes, {net.one.size} devices", f"{1e3 * ours:.2f} ms", "<= 1.5 ms", peer)


def narma(args):
    """Settings chosen on seeds 11 and 12: 4,000 rows to learn from, 2,000 to be scored on."""
    for n_products, ridge, wanted in ((0, 1e-13, "-"), (30, 1e-8, "<= 0.08")):
        errors = []
        for seed in range(1, 3 if args.quick else 11):
            u, y = narma10(6000, np.random.default_rng(seed))
            model = EchoState(
                n_nodes=500, radius=0.97, input_scale=0.005, bias=0.02, ridge=ridge, n_washout=200,
                n_products=n_products, wiring=signed_lattice, random_state=seed,
            ).fit(u[:4000, None], y[:4000])  # fmt: skip
            wrong = model.predict(u[:, None])[4000:] - y[4000:]
            errors.append(np.sqrt(np.mean(wrong**2)) / y[4000:].std())
        say(f"NARMA-10, 500 nodes, read-out with {n_products} directions' products",
            f"{np.mean(errors):.4f} ({min(errors):.3f}-{max(errors):.3f})", wanted, f"{len(errors)} seeds")  # fmt: skip


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument("--paper", help="folder of the paper's scripts")
    parser.add_argument("--peers", help="folder with reservoirpy")
    parser.add_argument("--conn2res", help="folder of conn2res")
    parser.add_argument("--model", default="", help="published_error: only models with this in their name")
    parser.add_argument("--only", nargs="*", default=[], help="blocks: speed, published_error, lorenz_valid, ...")
    args = parser.parse_args()
    if args.peers:
        sys.path.append(args.peers)
    warnings.simplefilter("ignore")
    for block in (speed, published_error, lorenz_valid, hidden, ring_of_sites, waves, delays, memristors, narma):
        if not args.only or block.__name__ in args.only:
            block(args)


if __name__ == "__main__":
    main()
