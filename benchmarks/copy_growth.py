"""What copying thousands of neurons takes: kernels measured at full length on a few neurons, and what they add up to.

    python benchmarks/copy_growth.py [--firing 2000] [--channels 4096] [--minutes 19] [--threads 2] [--only gram,judge]

Every step's cost is (what is counted) x (time of one), and what is counted grows in a known way: samples, spikes x
targets, spike pairs, flops, pairs.  One is timed with the very kernels of the copy, on spikes and traces drawn for the
size asked; the table gives the count, the time of one, and the product for the whole on that many threads.  Steps
that are no such kernel (the common shape, cross-talk in full samples, widths) are in ``copy_whole.py`` alone.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

ROW_HZ, RATE_HZ, SPIKES_HZ = 1000.0, 10_000, 2.0
STEPS = ("read", "prepare", "moments", "gram", "factor", "solve", "blocks", "near", "step", "fill", "judge", "calls")


def drawn(n: int, n_rows: int, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Return spike trains of Poisson neurons, in rows."""
    rng = np.random.default_rng(seed)
    mean = n_rows / ROW_HZ * SPIKES_HZ
    return tuple(np.unique(rng.integers(100, n_rows - 100, rng.poisson(mean))) for _ in range(n))


def timed(work) -> float:
    """Return the seconds that a call takes, the second time."""
    work()
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def reading(channels: int, threads: int) -> float:
    """Return seconds for a sample: pieces of a raw file, read, searched and thinned."""
    from copy_scale import write

    from neurograft.copying.intracellular.reading._gather import Threads, Work, read_all
    from neurograft.copying.intracellular.reading._peaks import DetectionOptions
    from neurograft.copying.intracellular.reading._read import ReadOptions
    from neurograft.copying.intracellular.reading._work import WorkFolder
    from neurograft.progress import silent
    from neurograft.recordings import open_recording

    with tempfile.TemporaryDirectory() as folder:
        path, seconds = Path(folder) / "a.bin", 20
        write(path, firing=channels // 2, channels=channels, seconds=seconds, rate_hz=SPIKES_HZ)
        recording, options = open_recording(path), ReadOptions(DetectionOptions(), 10)
        short = read_all(recording, options, Work(), silent)  # compiled, and the file is in the system's cache
        del short
        begin = time.perf_counter()
        read_all(recording, options, Work(store=WorkFolder(Path(folder) / "w"), workers=Threads(threads)), silent)
        return (time.perf_counter() - begin) / (channels * seconds * RATE_HZ)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--firing", type=int, default=2000)
    parser.add_argument("--channels", type=int, default=4096)
    parser.add_argument("--minutes", type=float, default=19.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default=",".join(STEPS))
    told = parser.parse_args()
    os.environ.setdefault("NUMBA_NUM_THREADS", "1")
    measured = Measured(told.firing, told.channels, told.minutes * 60, told.threads)
    total_s = 0.0
    print(f"{'step':10s} {'count':>10s} {'ns of one':>10s} {'whole, s':>9s} (on {told.threads} threads)")
    for step in told.only.split(","):
        count, one_s = getattr(measured, step)()
        whole_s = count * one_s
        total_s += whole_s
        print(f"{step:10s} {count:10.3g} {1e9 * one_s:10.4g} {whole_s:9.1f}", flush=True)
    print(f"{'all':10s} {'':10s} {'':10s} {total_s:9.1f}  of {told.minutes * 60:.0f} s recorded")


class Measured:
    """Counts and times of one; kernels that threads share by targets or neurons are timed on one thread."""

    def __init__(self, firing: int, channels: int, seconds: float, threads: int) -> None:
        from neurograft.copying.intracellular.regression._design import lag_boxes

        self.firing, self.channels, self.seconds, self.threads = firing, channels, seconds, threads
        self.n_rows = round(seconds * ROW_HZ)
        self.boxes = lag_boxes(ROW_HZ)
        self.columns = firing * len(self.boxes.low)
        self._trains: tuple[np.ndarray, ...] = ()

    @property
    def trains(self) -> tuple[np.ndarray, ...]:
        self._trains = self._trains or drawn(self.firing, self.n_rows)
        return self._trains

    def design(self):
        """Return a design of full size without its factor."""
        from neurograft.copying.intracellular.regression._design import column_totals, joined
        from neurograft.copying.intracellular.regression._factored import Design

        rows, start = joined(self.trains)
        order = np.argsort(rows, kind="stable")
        who = np.repeat(np.arange(self.firing), np.diff(start))[order]
        weight = np.random.default_rng(1).uniform(0.5, 1.0, self.n_rows)
        running = np.concatenate([[0.0], np.cumsum(weight)])
        total = column_totals(self.trains, self.boxes, weight)
        n_spikes = np.diff(start)
        return Design(n_spikes, rows, start, rows[order], who, total, self.boxes, weight, running, None)

    def read(self) -> tuple[float, float]:
        return self.channels * self.seconds * RATE_HZ, reading(self.channels, self.threads)

    def _block(self, n: int, seconds: float):
        from neurograft.copying.intracellular.neurons._coupling import Coupling
        from neurograft.copying.intracellular.reading._thin import Thin
        from neurograft.copying.intracellular.reading._timeline import Timeline
        from neurograft.copying.intracellular.regression._whiten import Traces, WhiteningOptions
        from neurograft.recordings import Signal

        n_rows, gap = round(seconds * ROW_HZ), 50
        volts = (1e-3 * np.random.default_rng(2).standard_normal((n, n_rows))).astype(np.float32)
        line = Timeline(ROW_HZ, 10, np.array([gap]), np.array([n_rows]), n_rows + 2 * gap)
        return Traces(
            thin=Thin(rate_hz=ROW_HZ, signal=Signal.MEMBRANE_V, segment_start_s=(0.0,), segment_rows=(n_rows,),
                      parts=(tuple(np.array_split(volts, max(n_rows // 10_000, 1), axis=1)),)),
            line=line,
            channel=np.arange(n),
            coupling=Coupling((np.zeros(1),) * n, (np.ones(1),) * n, np.ones(n, dtype=bool)),
            spike_row=drawn(n, n_rows),
            artefact_row=np.empty(0, dtype=np.int64),
            options=WhiteningOptions(),
        )  # fmt: skip

    def prepare(self) -> tuple[float, float]:
        """Rows of targets, prepared three times (unrest, moments, single potentials), with autoregression once."""
        from neurograft.copying.intracellular.regression._whiten import autoregression, prepared

        n, seconds = 64, 60.0
        traces = self._block(n, seconds)
        ones = np.ones(traces.line.n_rows)
        prepare_s = timed(lambda: list(prepared(traces, np.arange(n))))
        parts = list(prepared(traces, np.arange(n)))
        regress_s = timed(lambda: autoregression(parts, ones, 8))
        each = (3 * prepare_s + regress_s) / (n * seconds * ROW_HZ)
        return self.channels * self.n_rows, each / self.threads

    def moments(self) -> tuple[float, float]:
        """Spikes x targets: sums in 17 boxes, squares in one, and the prediction taken out once."""
        from neurograft.copying.intracellular.regression._design import add_box_sums, subtract_prediction

        d, n, rows = self.design(), 64, min(60_000, self.n_rows)
        values, sums = np.random.default_rng(0).standard_normal((rows, n)), np.zeros((self.columns, n))
        squares = np.zeros((self.firing, n))
        spikes = np.count_nonzero(d.rows < rows)

        def gather() -> None:
            add_box_sums(d.rows, d.start, self.boxes, first_row=0, values=values, sums=sums)
            add_box_sums(d.rows, d.start, self.boxes.near(), first_row=0, values=values, sums=squares)
            subtract_prediction(d.rows, d.start, self.boxes.edges, sums, values.copy())

        return len(d.rows) * self.channels, timed(gather) / (spikes * n) / self.threads

    def gram(self) -> tuple[float, float]:
        """Spike pairs within the boxes' reach, each once, and sorted by neuron."""
        from neurograft.copying.intracellular.regression._design import joined
        from neurograft.copying.intracellular.regression._gram import _fill_gram, _overlaps

        rows, start = joined(self.trains)
        order, who = np.argsort(rows, kind="stable"), np.repeat(np.arange(self.firing, dtype=np.int32), np.diff(start))
        edges, by_time, parts = self.boxes.edges, (rows[order], who[order]), _overlaps(self.boxes.edges)
        running = np.arange(self.n_rows + 1 + 2 * (edges[-1] - edges[0]), dtype=np.float64)
        some = 4
        upper = np.zeros((some * len(self.boxes.low), self.columns), dtype=np.float32)
        seconds = timed(lambda: _fill_gram(rows, start, *by_time, edges, *parts, running, 0, some, upper))
        span = int(self.boxes.high[-1] - self.boxes.low[0]) * 2 / ROW_HZ
        pairs = len(rows) ** 2 / (self.n_rows / ROW_HZ) * span / 2
        return pairs, seconds / (some / self.firing * 2 * pairs) / self.threads

    def _matrix(self, n: int) -> np.ndarray:
        from scipy.linalg.lapack import spotrf

        matrix = np.eye(n, dtype=np.float32)
        matrix += 1e-4
        begin = time.perf_counter()
        lower, failed = spotrf(matrix.T, lower=True, overwrite_a=True, clean=False)
        assert failed == 0
        self._spotrf_s = time.perf_counter() - begin
        return lower

    def factor(self) -> tuple[float, float]:
        """A third of the columns cubed, multiplications with additions."""
        n = 8000
        self._matrix(n)
        return self.columns**3 / 3, self._spotrf_s / (n**3 / 3)

    def solve(self) -> tuple[float, float]:
        """Columns squared x targets, three times: first guess, and two fillings (more where more is blanked)."""
        from neurograft.copying.intracellular.regression._gram import Factor

        n, targets = 8000, 512
        factor = Factor.__new__(Factor)
        factor._lower = self._matrix(n)
        factor.dtype = factor._lower.dtype
        right = np.random.default_rng(0).standard_normal((targets, n))
        return 3.0 * self.columns**2 * self.channels, timed(lambda: factor.solve(right)) / (n**2 * targets)

    def blocks(self) -> tuple[float, float]:
        """A third of the columns cubed: the inverse factor, by forward substitution."""
        from neurograft.copying.intracellular.regression._gram import Factor

        b = len(self.boxes.low)
        n = 6000 // b * b
        factor = Factor.__new__(Factor)
        factor._lower, factor.n_boxes, factor._n_threads = self._matrix(n), b, self.threads
        factor.dtype = factor._lower.dtype
        factor.firing = np.arange(n // b)
        return self.columns**3 / 3, timed(factor._exact_blocks) / (n**3 / 3)

    def near(self) -> tuple[float, float]:
        """Columns squared: blocks of the inverse to second order, without a factor."""
        from neurograft.copying.intracellular.regression._near import Near

        b = len(self.boxes.low)
        n = 16_000 // b * b
        matrix = np.random.default_rng(0).standard_normal((n, n), dtype=np.float32)
        matrix *= 0.2 / n**0.5
        np.einsum("ii->i", matrix)[:] = 1.0

        def invert() -> None:
            Near.of(matrix, b, np.random.default_rng(0)).inverse_blocks(matrix, np.random.default_rng(1))

        return float(self.columns**2), timed(invert) / n**2

    def step(self) -> tuple[float, float]:
        """Columns squared x targets, four times: steps without a factor, blanks not counted."""
        from neurograft.copying.intracellular.regression._near import times

        n, targets = 8000, 512
        matrix = np.eye(n, dtype=np.float32)
        rows = np.random.default_rng(0).standard_normal((targets, n), dtype=np.float32)
        return 4.0 * self.columns**2 * self.channels, timed(lambda: times(matrix, rows)) / (n**2 * targets)

    def fill(self) -> tuple[float, float]:
        """Own spikes x spikes nearby, twice, and the kept weights once."""
        from neurograft.copying.intracellular.regression._design import add_blanked
        from neurograft.copying.intracellular.regression._solve import _fill

        d = self.design()
        blank = np.column_stack([self.trains[0] - 2, self.trains[0] + 9])
        n_lags, out = len(self.boxes.of_lags), np.zeros(self.columns)
        by_lag = np.random.default_rng(0).standard_normal(self.firing * n_lags, dtype=np.float32)
        sums, low = np.zeros(len(by_lag)), int(self.boxes.low[0])
        fill_s = timed(
            lambda: _fill(d.sorted_rows, d.sorted_who, low, n_lags, d.row_weight, d.running, blank, by_lag, 0.1, sums)
        )
        kept_s = timed(lambda: add_blanked(d.sorted_rows, d.sorted_who, self.boxes, d.running, blank, out))
        return float(self.firing), (2 * fill_s + kept_s) / self.threads

    def judge(self) -> tuple[float, float]:
        """Ordered pairs whose presynaptic neuron fires: scores of all templates, and their Bayes factors."""
        from neurograft.copying.intracellular.judging._mixture import Mixture
        from neurograft.copying.intracellular.judging._posterior import judge_all
        from neurograft.copying.intracellular.judging._templates import Family, Shape, TemplateOptions, templates
        from neurograft.copying.intracellular.regression._regression import Fit
        from neurograft.copying.intracellular.regression._whiten import Whitener

        n, n_pre, b = self.channels, 64, len(self.boxes.low)
        rng = np.random.default_rng(0)
        kinds = templates(Shape(1e-3, 20e-3), TemplateOptions(), Whitener(np.full((8, n), 0.1)), self.boxes, ROW_HZ)
        block = np.diag(1 / (2000.0 * self.boxes.width))
        fit = Fit(
            beta=1e-3 * np.sqrt(np.diag(block))[:, None] * rng.standard_normal((n_pre, b, n)),
            inverse_block=np.broadcast_to(block, (n_pre, b, b)).copy(),
            share=rng.uniform(0.9, 1.0, (n_pre, b, n)),
            noise=np.full((n_pre, n), 1e-3),
            slow_v=np.full((2, n), 1e-5),
            n_spikes=np.full(n_pre, 2000),
            n_kept=np.full((n_pre, n), 2000.0),
            boxes=self.boxes,
        )
        n_direct = int(np.count_nonzero(kinds.family == Family.DIRECT))
        shares = np.full((n_direct, 6), 1e-5), np.full((len(kinds.family) - n_direct, 8), 1e-5)
        mixture = Mixture(0.94, *shares, np.ones(n_direct, dtype=bool))
        is_open = np.ones((n_pre, n), dtype=bool)

        def one() -> None:
            judge_all(fit, kinds, is_open, mixture, sd=1.0, is_dale=True, is_sure=is_open)

        return float(self.firing * self.channels), timed(one) / (n_pre * n) / self.threads

    def calls(self) -> tuple[float, float]:
        """Called synapses (12 of each neuron here): course, plasticity and vesicles; 2.3 ms each on two threads,
        measured in a whole copy of 600 neurons and 7,603 calls (``copy_whole.py``)."""
        return 12.0 * self.firing, 2.3e-3 * 2 / self.threads


if __name__ == "__main__":
    main()
