import numpy as np
import pytest

from neurograft.copying.intracellular.properties._properties import inhibition_at_rest


def test_inhibition_is_smaller_at_rest_than_near_threshold_and_never_larger():
    # -50 mV is assumed for the onset, -65 mV for rest, -80 mV for the reversal
    below_v = np.array([0.0, 7e-3, 15e-3, 20e-3, 57e-3, np.nan])
    assert inhibition_at_rest(below_v) == pytest.approx([15 / 30, 15 / 23, 1.0, 1.0, 1.0, 1.0])
