"""One lag box's coefficient against chance, for all pairs."""

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from neurograft.copying.intracellular.regression._regression import Fit
from neurograft.copying.intracellular.regression._slow import MIN_SHARE


def box_z(fit: Fit, box: int) -> Float64[ndarray, "pre post"]:
    """Return the z of one box's coefficient; NaN where it was not seen, and on the diagonal."""
    share = np.where(fit.share[:, box] >= MIN_SHARE, fit.share[:, box], np.nan)
    noise = np.where(fit.noise > 0, fit.noise, np.nan)
    variance = np.where(fit.n_spikes > 0, fit.inverse_block[:, box, box], np.nan)[:, None]
    z = fit.beta[:, box] / (noise * np.sqrt(variance / share))
    np.fill_diagonal(z, np.nan)
    return z


def z_at(fit: Fit, box: int, pre: Int64[ndarray, " some"], post: Int64[ndarray, " some"]) -> Float64[ndarray, " some"]:
    """Return the same of some pairs of two neurons."""
    share, noise = fit.share[pre, box, post].astype(np.float64), fit.noise[pre, post]
    seen = (share >= MIN_SHARE) & (noise > 0) & (fit.n_spikes[pre] > 0)
    variance = np.where(seen, fit.inverse_block[pre, box, box] / np.maximum(share, MIN_SHARE), np.nan)
    return fit.beta[pre, box, post] / (np.where(seen, noise, np.nan) * np.sqrt(variance))
