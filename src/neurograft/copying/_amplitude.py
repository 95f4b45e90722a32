"""From lag coefficients to amplitudes: every template fitted alone, by generalised least squares."""

# ruff: noqa: PLR0917  (a fit is told by its parts)
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from neurograft.copying._design import LagBoxes
from neurograft.copying._regression import MIN_SHARE, Fit
from neurograft.copying._templates import Shape, TemplateOptions, templates
from neurograft.copying._whiten import Whitener

_STRONG_Z = 6.0
_SHAPE_NEURONS = 200  # as many presynaptic neurons decide the common shape


class Scores(NamedTuple):
    """Amplitude over standard error, and one over the error squared, of each template at each pair; 0 = unseen."""

    z: Float64[ndarray, "templates pre post"]
    information: Float64[ndarray, "templates pre post"]  # V^-2


def scores(fit: Fit, image: Float64[ndarray, "templates boxes neurons"], pre: Int64[ndarray, " pre"]) -> Scores:
    """Return the fit of every template to these presynaptic neurons' coefficients."""
    n_templates, _, n = image.shape
    z, information = np.zeros((n_templates, len(pre), n)), np.zeros((n_templates, len(pre), n))
    for k, i in enumerate(pre):
        if fit.n_spikes[i] == 0:
            continue
        seen = np.sqrt(np.where(fit.share[i] >= MIN_SHARE, fit.share[i], 0.0))
        precision = np.linalg.inv(fit.inverse_block[i])
        scaled = image * seen
        noise2 = np.where(fit.noise[i] > 0, fit.noise[i] ** 2, np.inf)
        score = np.einsum("tbj,bj->tj", scaled, precision @ (seen * fit.beta[i])) / noise2
        information[:, k] = np.sum(scaled * (precision @ scaled), axis=1) / noise2
        z[:, k] = score / np.sqrt(np.where(information[:, k] > 0, information[:, k], np.inf))
    for k, i in enumerate(pre):
        z[:, k, i] = information[:, k, i] = 0.0
    return Scores(z, information)


def choose_shape(
    fit: Fit, options: TemplateOptions, whitener: Whitener, boxes: LagBoxes, row_rate_hz: float, usable: ndarray
) -> Shape:
    """Return the time constants under which the strong pairs are likeliest; the middle ones when none is strong.

    A pair's likelihood is that of its best latency; a pair is strong when some shape makes it so.
    """
    pre = np.flatnonzero(usable & (fit.n_spikes > 0))[:_SHAPE_NEURONS]
    shapes = [Shape(rise_s, decay_s) for rise_s in options.rise_s for decay_s in options.decay_s if rise_s < decay_s]
    best: list[ndarray] = []
    for shape in shapes:
        image = templates(shape, options, whitener, boxes, row_rate_hz, with_rivals=False).image
        best.append(np.max(np.abs(scores(fit, image, pre).z), axis=0)[:, usable])
    strong = np.max(best, axis=0) > _STRONG_Z
    if not strong.any():
        return shapes[len(shapes) // 2]
    return shapes[int(np.argmax([np.sum(z[strong] ** 2) for z in best]))]
