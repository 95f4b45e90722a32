"""What any copier can reach that has to tell common drive from the spikes it sees: an oracle without the drives.

The judge of ``spikes_limit.py`` knows all drives.  This one knows of a network what no copier knows, but not those: the
delay of every synapse (of a pair without one, some delay of the network), the course of the effect of each sign, every
neuron's sign, how strongly each neuron is driven and how it follows its drive.  The drives themselves it estimates from
the spikes of the other neurons, by the best linear smoother (Wiener's, frequency by frequency), and each neuron's rate
at every moment from them.  It runs on the network's own spikes and tests all neurons on a target together, its history
beside them: one step of the Poisson regression, z of every pair.

In the same run: the same judge given the true drives, and given none.  So three rows: what the drives cost, and what
part of that the spikes give back.
Run with: python benchmarks/spikes_oracle.py [--families "lif drive"] [--seeds 31 32]
"""

import argparse
from itertools import pairwise

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score
from spikes_families import drawn, network_seed
from spikes_nets import Driven, LifNet, Net, lif_and_drives

COURSE_MS = 20
HISTORY_MS = (1, 2, 3, 4, 6, 9, 14, 22, 40, 80)  # edges of the boxes of a target's own past
FOLLOW_MS = (-10, 90)  # lags at which a neuron follows its drive
STEP_MS = 2
PIECE_MS = 20_000
HIGHEST_HZ = 100.0
N_BANDS, N_LEVELS = 60, 25
KNOWN = ("no drive", "estimated", "true")


def binned(net: Net, n_ms: int) -> np.ndarray:
    spikes = np.zeros((len(net.weight), n_ms), dtype=np.float32)
    np.add.at(spikes, (net.neuron, np.minimum((net.time_s * 1e3).astype(np.int64), n_ms - 1)), 1.0)
    return spikes


def followed(drive: np.ndarray, spikes: np.ndarray) -> np.ndarray:
    """Return a neuron's spikes a millisecond by its drive: linear over the drive's past, then any rising curve."""
    if drive.std() == 0:
        return np.full(drive.size, spikes.mean())
    lags = np.arange(FOLLOW_MS[0], FOLLOW_MS[1], STEP_MS)
    coarse = drive[: drive.size // STEP_MS * STEP_MS].reshape(-1, STEP_MS).mean(axis=1)
    counts = spikes[: coarse.size * STEP_MS].reshape(-1, STEP_MS).sum(axis=1)
    columns = np.stack([np.roll(coarse, lag // STEP_MS) for lag in lags], axis=1).astype(np.float64)
    gram = columns.T @ columns
    weight = np.linalg.solve(gram + 1e-4 * np.trace(gram) / len(lags) * np.eye(len(lags)), columns.T @ counts)
    at = np.repeat(columns @ weight, STEP_MS)
    at = np.concatenate([at, np.full(drive.size - at.size, at[-1])])
    edges = np.quantile(at, np.linspace(0, 1, N_LEVELS + 1))
    level = np.clip(np.searchsorted(edges, at, side="right") - 1, 0, N_LEVELS - 1)
    n = np.bincount(level, minlength=N_LEVELS)
    rate = np.bincount(level, weights=spikes, minlength=N_LEVELS) / np.maximum(n, 1)
    middle = np.bincount(level, weights=at, minlength=N_LEVELS) / np.maximum(n, 1)
    return np.maximum(np.interp(at, middle, np.maximum.accumulate(rate)), 0.05 * spikes.mean())


def estimated_drives(driven: Driven, spikes: np.ndarray) -> np.ndarray:
    """Return each neuron's drive as the spikes of all others tell it best; axes neurons, milliseconds."""
    n, n_ms = spikes.shape
    n_drives = len(driven.drive)
    drive = np.fft.rfft(driven.drive[:, :n_ms], axis=1)
    frequency = np.fft.rfftfreq(n_ms, 1e-3)
    used = int(np.searchsorted(frequency, HIGHEST_HZ))
    drive, seen = drive[:, :used], np.fft.rfft(spikes - spikes.mean(axis=1, keepdims=True), axis=1)[:, :used]
    edges = np.unique(np.concatenate([[0], np.geomspace(20, used, N_BANDS).astype(np.int64)]))[:-1]
    band = np.searchsorted(edges, np.arange(used), side="right") - 1

    def banded(values: np.ndarray) -> np.ndarray:
        return np.bincount(band, weights=values, minlength=edges.size) / np.bincount(band, minlength=edges.size)

    power = np.mean([banded(np.abs(row) ** 2) for row in drive], axis=0)
    precision = np.zeros((edges.size, n_drives, n_drives), dtype=np.complex128)
    precision += np.eye(n_drives) / power[:, None, None]
    pull = np.zeros((used, n_drives), dtype=np.complex128)
    parts = []
    for i in range(n):
        own = driven.loading[i] @ drive
        cross = seen[i] * np.conj(own)
        gain = (banded(cross.real) + 1j * banded(cross.imag)) / banded(np.abs(own) ** 2)
        noise = np.maximum(banded(np.abs(seen[i] - gain[band] * own) ** 2), 1e-9)  # a silent neuron has none
        weight = np.abs(gain) ** 2 / noise
        own_precision = weight[:, None, None] * np.outer(driven.loading[i], driven.loading[i])
        own_pull = (np.conj(gain) / noise)[band] * seen[i]
        parts.append((own_precision, own_pull))
        precision += own_precision
        pull += own_pull[:, None] * driven.loading[i]
    answer = np.empty((n, n_ms), dtype=np.float32)
    for i, (own_precision, own_pull) in enumerate(parts):
        without = np.linalg.inv(precision - own_precision)[band]
        mean = np.einsum("fab,fb->fa", without, pull - own_pull[:, None] * driven.loading[i])
        whole = np.zeros(n_ms // 2 + 1, dtype=np.complex128)
        whole[:used] = mean @ driven.loading[i]
        answer[i] = np.fft.irfft(whole, n=n_ms)
    return answer


def courses_of(net: Net, spikes: np.ndarray) -> dict[int, np.ndarray]:
    """Return the mean course of the effect of synapses of each sign, its largest value 1, from their delay on."""
    answer = {}
    for sign in (1, -1):
        total = np.zeros(COURSE_MS)
        for i, j in np.argwhere(np.sign(net.weight) == sign):
            at = np.flatnonzero(spikes[i]) + round(float(net.delay_s[i, j]) * 1e3)
            at = at[at < spikes.shape[1] - COURSE_MS]
            total += spikes[j][at[:, None] + np.arange(COURSE_MS)].sum(axis=0) - at.size * spikes[j].mean()
        answer[sign] = total / max(abs(total).max(), 1e-9)
    return answer


def z_of_target(j: int, net: Net, spikes: np.ndarray, run: dict[int, np.ndarray], delay: np.ndarray, rate: np.ndarray):
    """Return the z of all neurons on one target, positive for the effect that each neuron's sign would have."""
    n, n_ms = spikes.shape
    columns = np.empty((n_ms, n + len(HISTORY_MS) + 1), dtype=np.float32, order="F")
    for i in range(n):
        columns[:, i] = np.roll(run[i], delay[i, j])
    past = np.concatenate([[0.0], np.cumsum(spikes[j])])
    for b, (first, stop) in enumerate(pairwise(HISTORY_MS)):
        now = np.arange(n_ms)
        columns[:, n + b] = past[np.maximum(now - first + 1, 0)] - past[np.maximum(now - stop + 1, 0)]
    columns[:, -2] = 1.0
    columns[:, -1] = np.log(rate / rate.mean())
    keep = np.arange(columns.shape[1]) != j
    if rate.std() == 0:
        keep[-1] = False
    information, score = np.zeros((columns.shape[1],) * 2), np.zeros(columns.shape[1])
    for start in range(0, n_ms, PIECE_MS):  # one that fits into the cache
        part, expected = columns[start : start + PIECE_MS], rate[start : start + PIECE_MS].astype(np.float32)
        information += part.T @ (part * expected[:, None])
        score += part.T @ (spikes[j, start : start + PIECE_MS] - expected)
    information, score = information[np.ix_(keep, keep)], score[keep]
    cover = np.linalg.inv(information + np.diag(1e-6 * np.diag(information) + 1e-6))
    z = np.full(n, np.nan)
    z[np.arange(n) != j] = (cover @ score / np.sqrt(np.diag(cover)))[: n - 1]
    return z


def scored(drawn_net: LifNet, seed: int) -> list[float]:
    net, driven = lif_and_drives(drawn_net, seed=seed)
    n, n_ms = len(net.weight), int(net.seconds * 1e3)
    spikes = binned(net, n_ms)
    courses = courses_of(net, spikes)
    sign = np.where((net.weight < 0).any(axis=1), -1, 1)
    delay = np.rint(net.delay_s * 1e3).astype(np.int64)  # drawn for all pairs, used by those with a synapse
    run = {i: np.convolve(spikes[i], courses[int(sign[i])])[:n_ms].astype(np.float32) for i in range(n)}
    known = {"estimated": estimated_drives(driven, spikes) if len(driven.drive) else np.zeros((n, n_ms))}
    known["true"] = driven.loading @ driven.drive[:, :n_ms] if len(driven.drive) else np.zeros((n, n_ms))
    known["no drive"] = np.zeros((n, n_ms), dtype=np.float32)
    fires = spikes.sum(axis=1) > 0
    pairs = fires[:, None] & fires[None, :] & ~np.eye(n, dtype=bool)
    truth = (net.weight != 0)[pairs]
    row = []
    for name in KNOWN:
        z = np.stack(
            [z_of_target(j, net, spikes, run, delay, followed(known[name][j], spikes[j])) for j in range(n)], axis=1
        )
        z = np.nan_to_num(z)[pairs]
        row += [float(f(truth, z)) for f in (roc_auc_score, average_precision_score)]
    return row


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--families", nargs="*", default=["lif drive", "lif dense"])
    parser.add_argument("--seeds", nargs="*", type=int, default=[31, 32, 33, 34, 35, 36])
    args = parser.parse_args()
    print("family, seed: AUC, AP of the judge without drives; with drives estimated from spikes; with the true drives")
    for family in args.families:
        rows = []
        for seed in args.seeds:
            rows.append(scored(drawn(family, seed), network_seed(family, seed)))
            print(f"{family:16} {seed:3}: " + " ".join(f"{x:.3f}" for x in rows[-1]), flush=True)
        print(f"{family:16} mean of {len(rows)}: " + " ".join(f"{x:.3f}" for x in np.mean(rows, axis=0)), flush=True)


if __name__ == "__main__":
    main()
