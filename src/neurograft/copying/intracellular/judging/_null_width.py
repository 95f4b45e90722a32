"""How wide statistics are where nothing is, neuron by neuron, from the central half of them (Efron 2004, JASA 99, 96).

The noise after a neuron's spikes is measured before the regression takes out what other neurons do to the same
target.  Where a neuron fires in bursts, most of what moves the target then is the known potentials of others, so
its errors are stated too large: on one driven culture pairs seen mostly in bursts had a standard deviation of .65
where shifted designs, which have nothing to take out, had 1.00.
"""

from typing import no_type_check

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numba import njit
from numpy import ndarray

from neurograft.copying.intracellular.judging._amplitude import alone
from neurograft.copying.intracellular.judging._templates import Family, Templates
from neurograft.copying.intracellular.reading._threads import in_order
from neurograft.copying.intracellular.regression._regression import Fit

_EACH = 12  # of the direct templates; those between tell the same
_LEAST_PAIRS = 20  # of a neuron; with fewer its width is not known
_CHANCE = 1.05  # a width from sixty pairs is known to 5 %: what is taken for narrow must be narrower
_NARROWEST = 0.4
_MIDDLE_HALF_OF_NORMAL = 1.3489795003921634


def narrowed(fit: Fit, kinds: Templates, is_open: Bool[ndarray, "pre post"], *, n_threads: int = 1) -> Fit:
    """Return the fit with the noise that the statistics of its own pairs show, never more than is stated."""
    image = kinds.image[(kinds.family == Family.DIRECT) & ~kinds.is_under_talk][::_EACH]
    z = alone(fit, image, np.arange(len(is_open)), n_threads=n_threads).z
    return fit._replace(noise=fit.noise * null_width(z, is_open, n_threads=n_threads))


def null_width(
    z: Float64[ndarray, "templates pre post"], is_open: Bool[ndarray, "pre post"], *, n_threads: int = 1
) -> Float64[ndarray, "pre post"]:
    """Return presynaptic times postsynaptic neuron's width, at most 1: synapses widen the middle half as well."""
    width = np.ones(is_open.shape)
    for _ in range(2):  # the widths of either side are those that the other side's leave
        for axis in (0, 1):
            each, mine = np.ones(is_open.shape[axis]), np.moveaxis(is_open, axis, 0)
            spread, so_far = np.moveaxis(z, axis + 1, 1), np.moveaxis(width, axis, 0)

            def measure(
                k: int, each: ndarray = each, mine: ndarray = mine, spread: ndarray = spread, so_far: ndarray = so_far
            ) -> None:
                middle_half = _middle_half(spread[:, k], so_far[k], np.flatnonzero(mine[k]))
                each[k] = max(middle_half / _MIDDLE_HALF_OF_NORMAL, _NARROWEST)

            enough = np.flatnonzero(np.count_nonzero(is_open, axis=1 - axis) >= _LEAST_PAIRS)
            for _ in in_order(n_threads, measure, enough.tolist()):
                pass
            width = width * (each[:, None] if axis == 0 else each[None, :])
    return np.clip(_CHANCE * width, _NARROWEST, 1.0)


def _middle_half(
    z: Float64[ndarray, "templates pairs"], width: Float64[ndarray, " pairs"], known: Int64[ndarray, " known"]
) -> float:
    """Return how far the quartiles of some pairs' statistics, each over its width, are apart.

    They are those of ``numpy.quantile``; sorting is three times as quick as looking for them.
    """
    values = np.empty(len(z) * len(known))
    _gather(z, width, known, values)
    values.sort()
    low, high = np.interp([0.25 * (len(values) - 1), 0.75 * (len(values) - 1)], np.arange(len(values)), values)
    return float(high - low)


@njit(cache=True, nogil=True)
@no_type_check
def _gather(z, width, known, values):
    n = 0
    for row in z:
        for c in known:
            values[n] = row[c] / width[c]
            n += 1
