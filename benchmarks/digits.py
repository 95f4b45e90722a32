"""Recognition from 1, 2, 5 and 10 examples: connectomes, their images, shuffled twins, echo states and kernels.

Scikit-learn's digits; 30 draws of examples, tested on all other pictures.  Every network is signed at random (but
the fly's visual system, whose signs are measured, and "worm, known signs", whose GABA neurons inhibit), driven by a
picture's rows and columns, and read out after every second of them: by the nearest neighbour, by ridge regression and
by propagation.  "Image" is the same signed map after it was written into RRAM cells and read back.  Shuffled twins
have the same strengths between random pairs.  The input scale of each network and the widths of the kernels were
chosen on other draws (seed 77) of 600 pictures.
Run with: python benchmarks/digits.py [--larva EDGES.csv] [--fly FLY.npz] [--only NAME] [--quick] [--out RESULTS.json]
"""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
from scipy import sparse
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process.kernels import RBF
from sklearn.svm import SVC

from neurograft.cells import card, image_to_map
from neurograft.maps import Kind, synapse_map
from neurograft.pasting import paste
from neurograft.reservoirs import (
    EchoState,
    PastedReservoir,
    accuracy,
    as_is,
    digits,
    draw,
    invariant_distance,
    matrix_of,
    nearest,
    null_matrices,
    pixel_distance,
    propagation,
    random_signs,
    reservoir_features,
)
from neurograft.samples import worm

SIZES = (1, 2, 5, 10)
SCALES = (0.1, 0.3, 1.0)
AT = tuple(range(1, 16, 2))  # states after every second row and column
VOLTS = 1e-4


def signed_map(matrix):
    """A map with the strengths of a matrix [to, from], so that it can be pasted."""
    m = sparse.coo_array(matrix)
    volts = m.data * (VOLTS / np.abs(m.data).mean())
    return synapse_map(n_neurons=m.shape[0], pre=m.col, post=m.row, weight_v=volts, delay_s=1e-3)


def larva(path):
    raw = np.loadtxt(path, delimiter=",")
    ids, index = np.unique(raw[:, :2].astype(np.int64), return_inverse=True)
    index = index.reshape(-1, 2)
    return sparse.csr_array(sparse.coo_array((raw[:, 2], (index[:, 1], index[:, 0])), shape=(ids.size,) * 2))


def fly(path):
    data = np.load(path)
    n = data["type"].size
    entries = (data["signed_syn"].astype(np.float64), (data["post"], data["pre"]))
    return sparse.csr_array(sparse.coo_array(entries, shape=(n, n)))


def networks(args, rng):
    """Name, matrix [to, from] with its signs, of every network."""
    found = {"worm": random_signs(matrix_of(worm()), rng)}
    if args.larva:
        found["larva"] = random_signs(larva(args.larva), rng)
    if args.fly:
        found["fly's visual system"] = fly(args.fly)
    rram = card("rram")
    for name, matrix in list(found.items()):
        image = paste(signed_map(matrix), memory=rram, seed=1)
        found[f"{name}, image"] = matrix_of(image_to_map(image, rng=rng))
        for i, null in enumerate(null_matrices(matrix, args.twins, rng)):
            found[f"{name}, shuffled {i + 1}"] = null
    return found | worms_of_known_signs(args.twins, np.random.default_rng(8))


def worms_of_known_signs(n_twins, rng):
    """The worm whose GABA neurons inhibit, shuffled twins, and twins in which as many other neurons inhibit."""
    m = worm()
    is_chemical, inhibits = m.kind != Kind.ELECTRICAL, np.unique(m.pre[m.weight_v < 0])
    found = {"worm, known signs": matrix_of(m)}
    for i in range(n_twins):
        sign = np.ones(m.n_neurons)
        sign[rng.choice(m.n_neurons, inhibits.size, replace=False)] = -1.0
        volts = np.where(is_chemical, np.abs(m.weight_v) * sign[m.pre], m.weight_v)
        drawn = sparse.csr_array(sparse.coo_array((volts, (m.post, m.pre)), shape=(m.n_neurons,) * 2))
        found[f"worm, known signs, {inhibits.size} others inhibit {i + 1}"] = drawn
        found[f"worm, known signs, shuffled {i + 1}"] = null_matrices(matrix_of(m), 1, rng)[0]
    return found


def features_of(matrix, scale, pixels):
    pasted = PastedReservoir(matrix, np.random.default_rng(6), signs=as_is, n_columns=8, input_scale=scale)
    return reservoir_features(pasted.states, pixels, at=AT)


def echo_features(n_nodes, scale, pixels):
    rows = np.random.default_rng(7).random((50, 8))
    model = EchoState(n_nodes=n_nodes, n_washout=0, bias=0.0, input_scale=scale).fit(rows)
    return reservoir_features(model.states, pixels, at=AT)


def linear_kernel(features):
    spread = features.std(axis=0)
    z = (features - features.mean(axis=0)) / np.where(spread > 1e-9, spread, 1.0)
    return z @ z.T / z.shape[1]


def kernel_ridge(kernel, ridge=1e-2):
    def classify(known, label):
        wanted = np.eye(10)[label] - 0.1
        inner = kernel[np.ix_(known, known)] + ridge * np.eye(known.size)
        return np.argmax(kernel[:, known] @ np.linalg.solve(inner, wanted), axis=1)

    return classify


def support_vectors(kernel):
    def classify(known, label):
        machine = SVC(kernel="precomputed", C=10.0).fit(kernel[np.ix_(known, known)], label)
        return machine.predict(kernel[:, known])

    return classify


def gaussian_process(pixels, length):
    def classify(known, label):
        return GaussianProcessClassifier(9.0 * RBF(length), optimizer=None).fit(pixels[known], label).predict(pixels)

    return classify


def scores(rule, label, n_each, seed, n_draws):
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n_draws):
        known = draw(label, n_each, rng)
        found.append(accuracy(rule(known, label[known]), label, known))
    return 100 * np.array(found)


def best_of(options, make, label):
    """The option whose rule does best at five examples on the draws for choosing."""
    means = [scores(make(o), label, 5, 77, 6).mean() for o in options]
    return options[int(np.argmax(means))]


def rules_of_pixels(few, few_label, pixels):
    """Name and rule of the methods without a network."""
    near = pixel_distance(pixels)
    yield "nearest, pixels", lambda k, c: nearest(near, k, c)

    def gauss(distance, length):
        return np.exp(-(distance**2) / (2 * length**2))

    few_near = pixel_distance(few)
    lengths = (0.7, 1.0, 1.5, 2.0, 3.0)
    for name, rule in (("kernel ridge", kernel_ridge), ("support vectors", support_vectors)):
        length = best_of(lengths, lambda v, r=rule: r(gauss(few_near, v)), few_label)
        yield f"{name}, Gaussian kernel {length:g}", rule(gauss(near, length))
    length = best_of(lengths, lambda v: gaussian_process(few, v), few_label)
    yield f"Gaussian process, kernel {length:g}", gaussian_process(pixels, length)
    yield "propagation, pixels", propagation(near)
    yield "propagation, shifts and turns", propagation(invariant_distance(pixels))


def rules(args):
    """Name and rule of every method on all pictures."""
    found = digits()
    part = np.random.default_rng(3).permutation(found.label.size)[:600]
    few, few_label, pixels = found.pixels[part], found.label[part], found.pixels
    if not args.only:
        yield from rules_of_pixels(few, few_label, pixels)
    rng = np.random.default_rng(5)
    made = {name: (lambda s, p, m=m: features_of(m, s, p)) for name, m in networks(args, rng).items()}
    made["echo state, 300 nodes"] = lambda s, p: echo_features(300, s, p)
    if args.larva:
        made["echo state, 2,952 nodes"] = lambda s, p: echo_features(2952, s, p)
    for name, make in made.items():
        if not name.startswith(args.only):
            continue
        scale = best_of(SCALES, lambda s, f=make: kernel_ridge(linear_kernel(f(s, few))), few_label)
        features = make(scale, pixels)
        distance, kernel = pixel_distance(features), linear_kernel(features)
        yield f"{name} (input {scale:g}), nearest", lambda k, c, d=distance: nearest(d, k, c)
        yield f"{name} (input {scale:g}), ridge", kernel_ridge(kernel)
        yield f"{name} (input {scale:g}), propagation", propagation(distance)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--larva", type=Path, help="edge list of a larva: pre, post, count a line, no header")
    parser.add_argument("--fly", type=Path, help="NPZ of a fly's visual system: pre, post, signed_syn, type")
    parser.add_argument("--twins", type=int, default=3, help="shuffled twins of each network")
    parser.add_argument("--only", default="", help="only networks whose name begins so")
    parser.add_argument("--quick", action="store_true", help="five draws, to see that it runs")
    parser.add_argument("--out", type=Path, help="also write the figures as JSON, a line a method")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    label = digits().label
    for name, rule in rules(args):
        drawn = [scores(rule, label, n, 1000 + n, 5 if args.quick else 30) for n in SIZES]
        text = " / ".join(f"{d.mean():.1f} +- {d.std() / d.size**0.5:.1f}" for d in drawn)
        print(f"{name:<58} {text}", flush=True)
        if args.out:
            with args.out.open("a") as file:
                file.write(json.dumps({"name": name, "means": [float(d.mean()) for d in drawn]}) + "\n")


if __name__ == "__main__":
    main()
