"""Writing what was learned as equations in the series' own units."""

from collections.abc import Sequence
from functools import reduce

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.reservoirs._check import Scaling
from neurograft.reservoirs._monomials import Monomials


def own_units(
    m: Monomials, weights: Float64[ndarray, "outputs features"], scaling: Scaling
) -> Float64[ndarray, "outputs features"]:
    """Return the weights of the same polynomial of the inputs themselves instead of their scaled values.

    Each monomial of (x - mean) / scale is multiplied out; x^p gives binomial terms of lower powers.
    """
    index = {tuple(p): f for f, p in enumerate(m.powers.tolist())}
    out = np.zeros_like(weights)
    for f, powers in enumerate(m.powers.tolist()):
        if not weights[:, f].any():
            continue
        terms: dict[tuple[int, ...], float] = {(0,) * m.n_inputs: 1.0}
        for i, power in enumerate(powers):
            terms = reduce(lambda t, _, i=i: _times(t, i, scaling), range(power), terms)
        for key, factor in terms.items():
            out[:, index[key]] += weights[:, f] * factor
    return out


def _times(terms: dict[tuple[int, ...], float], i: int, scaling: Scaling) -> dict[tuple[int, ...], float]:
    product: dict[tuple[int, ...], float] = {}
    for key, factor in terms.items():
        raised = (*key[:i], key[i] + 1, *key[i + 1 :])
        product[raised] = product.get(raised, 0.0) + factor / scaling.scale[i]
        product[key] = product.get(key, 0.0) - factor * scaling.mean[i] / scaling.scale[i]
    return product


def equation_lines(
    m: Monomials,
    weights: Float64[ndarray, "outputs features"],
    *,
    scaling: Scaling,
    gain: Float64[ndarray, " outputs"],
    left: Sequence[str],
    names: Sequence[str],
    smallest: float,
) -> list[str]:
    """Return one line an output: its left side, and the terms that matter in the inputs' own units.

    A term matters when its weight times the size of its monomial on scaled inputs is at least ``smallest`` of
    the output's standard deviation.
    """
    own = own_units(m, weights, scaling) * gain[:, None]
    size = np.prod((np.abs(scaling.mean) + scaling.scale) ** m.powers, axis=1) / gain[:, None]
    lines = []
    for name, row, relative in zip(left, own, np.abs(own) * size, strict=True):
        terms = [
            f"{'-' if row[f] < 0 else '+'} {abs(row[f]):.6g}" + ("" if f == 0 else f" {m.text(f, tuple(names))}")
            for f in np.flatnonzero(relative >= smallest).tolist()
        ]
        right = " ".join(terms).removeprefix("+ ") or "0"
        lines.append(f"{name} = {right}")
    return lines
