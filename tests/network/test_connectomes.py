"""Real connectomes imported, pasted and run; those that are not in the package are read beside the repository."""

import numpy as np
import pytest
from numba import config

from neurograft.cells import card, image_to_map
from neurograft.comparing import compare_maps
from neurograft.maps import NeuronTable, RandomInhibitory, TableOptions, import_table
from neurograft.network import FitOptions, fit_drive_to_rates, run
from neurograft.pasting import paste
from neurograft.samples import worm
from neurograft.units import MV

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="seconds of model time need compiled code")


def larva(shared_data):
    folder = shared_data / "larva_winding"
    options = TableOptions(
        has_header=False,
        neurons=NeuronTable(path=folder / "unmatched_full_nodes.csv"),
        sign_rule=RandomInhibitory(fraction=0.3, seed=1),
        volts_per_count=0.05 * MV,
    )
    return import_table(folder / "unmatched_full_edgelist.csv", options=options)


def lobe(shared_data):
    options = TableOptions(n_neurons=1203, volts_per_count=0.02 * MV)
    return import_table(shared_data / "flyvis" / "flyvis_extent2.npz", options=options)


def pasted_and_run(m, *, rate_hz):
    """Return the map's and the image's mean rates under one drive, and how alike their weights are."""
    image = paste(m, memory=card("rram"), seed=1)
    held = image_to_map(image, rng=np.random.default_rng(1))
    drive = fit_drive_to_rates(m, rate_hz, seed=1, options=FitOptions(n_rounds=3, trial_s=2.0))
    rates = [run(x, duration_s=3.0, seed=2, drive=drive).spikes.rates_hz().mean() for x in (m, held)]
    return rates, compare_maps(m, held).correlation_shared


def judge(m):
    (original, copy), alike = pasted_and_run(m, rate_hz=5.0)
    assert original == pytest.approx(5.0, rel=0.35)  # three rounds of a short fit
    assert copy == pytest.approx(original, rel=0.35)
    assert alike > 0.9


def test_the_worm_is_pasted_and_runs_as_it_ran_before():
    judge(worm())


@pytest.mark.slow
@pytest.mark.parametrize("of", [larva, lobe], ids=["larva", "lobe"])
def test_flies_are_pasted_and_run_as_they_ran_before(of, shared_data):
    judge(of(shared_data))
