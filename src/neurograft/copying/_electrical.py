"""Gap junctions by what only they do: in both directions the spike comes through at once, and so does what follows it.

A junction passes on the action potential within its own row and, in the next rows, the repolarisation and the
after-potential that outlasts it.  In whitened lag boxes that is up, then steeply down.  A chemical synapse answers
in one sign, later, and mostly in one direction.  An amplifier's copy looks alike in the boxes and is told by its
full-rate course (``_crosstalk``).  Nothing is learnt from the recording: the share of junctions cannot grow on itself.
"""

import numpy as np
from jaxtyping import Bool, Float64
from numpy import ndarray

from neurograft.copying._boxes import box_z
from neurograft.copying._design import ZERO
from neurograft.copying._regression import Fit

_UP_Z, _DOWN_Z = 3.5, 3.5
_DOWN_BOXES = (ZERO + 1, ZERO + 2, ZERO + 3)  # 1 to 4 ms


def passes_on(fit: Fit) -> Bool[ndarray, "pre post"]:
    """Tell in which pairs the spike's own row goes up and one of the next three boxes down, each beyond chance."""
    up = np.nan_to_num(box_z(fit, ZERO)) > _UP_Z
    down = np.min([np.nan_to_num(box_z(fit, box)) for box in _DOWN_BOXES], axis=0) < -_DOWN_Z
    return up & down


def may_be_junction(
    comes_through: Bool[ndarray, "pre post"], sign: Float64[ndarray, "pre post"]
) -> Bool[ndarray, "pre post"]:
    """Tell which pairs, if they are called inhibitory, may owe that to a junction's after-potential.

    It is enough that the spike comes through in one direction: of the other there may be too few.
    """
    return (sign < 0) & (comes_through | comes_through.T)
