"""Gap junctions by what only they do: in both directions the spike comes through at once, and so does what follows it.

A junction passes on the action potential within its own row and, in the next rows, the repolarisation and the
after-potential that outlasts it.  In whitened lag boxes that is up, then steeply down.  A chemical synapse answers
in one sign, later, and mostly in one direction.  An amplifier's copy looks alike in the boxes and is told by its
full-rate course (``_crosstalk``).  Nothing is learnt from the recording: the share of junctions cannot grow on itself.
"""

import numpy as np
from jaxtyping import Bool, Float64
from numpy import ndarray

from neurograft.copying.intracellular.regression._boxes import box_z, z_at
from neurograft.copying.intracellular.regression._design import ZERO
from neurograft.copying.intracellular.regression._regression import Fit

_UP_Z, _DOWN_Z = 3.5, 3.5
_DOWN_BOXES = (ZERO + 1, ZERO + 2, ZERO + 3)  # 1 to 4 ms
_HINT_UP_Z, _HINT_DOWN_Z = 2.0, 1.5
_HINT_BOXES = (*_DOWN_BOXES, ZERO + 4)
_HINT = 0.1  # posterior of the electrical explanation, in either direction


def passes_on(fit: Fit) -> Bool[ndarray, "pre post"]:
    """Tell in which pairs the spike's own row goes up and one of the next three boxes down, each beyond chance."""
    return _goes_up_and_down(fit, _UP_Z, _DOWN_Z, _DOWN_BOXES)


def may_be_junction(
    fit: Fit,
    sign: Float64[ndarray, "pre post"],
    electric: Float64[ndarray, "pre post"],
    is_talk: Bool[ndarray, "pre post"],
) -> Bool[ndarray, "pre post"]:
    """Tell which pairs, if they are called inhibitory, may owe that to a junction's after-potential.

    It is enough that the spike comes through in one direction: of the other there may be too few.  Where it does so
    within chance, the electrical explanation must be likely as well (``electric``, its posterior).
    """
    hint = _either_way(_goes_up_and_down(fit, _HINT_UP_Z, _HINT_DOWN_Z, _HINT_BOXES) & ~is_talk)
    i, j = np.nonzero(hint & (sign < 0))
    likely = np.nan_to_num(np.fmax(electric[i, j], electric[j, i])) > _HINT
    out = (sign < 0) & _either_way(passes_on(fit) & ~is_talk)
    out[i, j] |= likely
    return out


def _either_way(mask: Bool[ndarray, "pre post"]) -> Bool[ndarray, "pre post"]:
    """Return the mask or its transpose, of which few are set."""
    out, (i, j) = mask.copy(), np.nonzero(mask)
    out[j, i] = True
    return out


def _goes_up_and_down(fit: Fit, up_z: float, down_z: float, boxes: tuple[int, ...]) -> Bool[ndarray, "pre post"]:
    goes = box_z(fit, ZERO) > up_z
    up = np.nonzero(goes)  # few: the other boxes of all pairs need not be looked at
    goes[up] = np.min([np.nan_to_num(z_at(fit, box, *up)) for box in boxes], axis=0) < -down_z
    return goes
