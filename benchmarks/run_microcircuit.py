"""What the full cortical microcircuit does with Poisson input, against the published rates.

    python benchmarks/run_microcircuit.py [--seconds 10] [--seeds 1 2]

The first half second is dropped, as its authors do.  Printed for each population and seed: the mean rate, the mean
coefficient of variation of intervals (of neurons with ten), and the mean correlation of counts in bins of 2 ms (of
200 neurons that fire); then the seeds' mean rates against those of full-scale runs of NEST, an earlier and a later set
that differ, and the spread between seeds.
"""

import argparse

import numpy as np

from neurograft.network import RunOptions, microcircuit, run
from neurograft.network._microcircuit import LATER_RATES_HZ, NAMES, RATES_HZ
from neurograft.spikes import SpikeTrains

SKIP_S, BIN_S, N_CORRELATED = 0.5, 0.002, 200


def of_population(spikes: SpikeTrains, members: slice, end_s: float) -> tuple[float, float, float]:
    """Return mean rate, irregularity and correlation of one population."""
    keep = (spikes.neuron >= members.start) & (spikes.neuron < members.stop) & (spikes.time_s >= SKIP_S)
    neuron, time_s = spikes.neuron[keep] - members.start, spikes.time_s[keep]
    n = members.stop - members.start
    order = np.lexsort((time_s, neuron))
    trains = np.split(time_s[order], np.cumsum(np.bincount(neuron, minlength=n))[:-1])
    intervals = [np.diff(train) for train in trains if train.size > 10]
    cv = np.mean([x.std() / x.mean() for x in intervals]) if intervals else np.nan
    firing = [train for train in trains if train.size][:N_CORRELATED]
    edges = np.arange(SKIP_S, end_s + BIN_S / 2, BIN_S)
    counts = np.array([np.histogram(train, edges)[0] for train in firing])
    pairs = np.corrcoef(counts)[np.triu_indices(len(firing), 1)]
    return neuron.size / n / (end_s - SKIP_S), float(cv), float(np.nanmean(pairs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--scale", type=float, default=1.0)
    given = parser.parse_args()
    rates = np.empty((len(given.seeds), 8))
    print(f"seed  {'  '.join(f'{name:>19}' for name in NAMES)}   (Hz, CV, correlation)")
    for row, seed in enumerate(given.seeds):
        c = microcircuit(rng=np.random.default_rng(seed), scale=given.scale)
        options = RunOptions(start_v=c.start_v)
        spikes = run(
            c.net, duration_s=given.seconds, seed=seed, neuron=c.neuron, drive=c.drive, options=options
        ).spikes  # fmt: skip
        found = [of_population(spikes, c.net.members(k), given.seconds) for k in range(8)]
        rates[row] = [x[0] for x in found]
        print(f"{seed:4}  {'  '.join(f'{a:6.2f} {b:5.2f} {d:6.4f}' for a, b, d in found)}", flush=True)
    mean = rates.mean(axis=0)
    print(f"mean of the seeds {' '.join(f'{x:.2f}' for x in mean)}")
    for name, published in (("NEST 2's example", RATES_HZ), ("the model's repository", LATER_RATES_HZ)):
        away = np.abs(mean / np.array(published) - 1.0)
        print(
            f"rates kept by {name}: {' '.join(f'{x:.2f}' for x in published)}; "
            f"ours lie {away.max():.1%} away at most, {away.mean():.1%} on average"
        )
    if len(given.seeds) > 1:
        spread = np.ptp(rates, axis=0) / mean
        print(f"seeds differ by {spread.max():.1%} at most, {spread.mean():.1%} on average")


if __name__ == "__main__":
    main()
