"""Images as they are read: wires against a nodal solution, noise and converters by their own formulas, energy."""

from dataclasses import replace

import numpy as np
import pytest
from numba import config

from neurograft.cells import card, image_to_map
from neurograft.errors import RunError
from neurograft.maps import synapse_map
from neurograft.network import Readout, RunOptions, Stimulus, line_factors, run, run_image, steady_drive
from neurograft.neurons import Lif
from neurograft.pasting import PasteOptions, Tiles, paste
from neurograft.units import DAY, MS, MV

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="seconds of model time need compiled code")


def net(n=24, seed=0):
    rng = np.random.default_rng(seed)
    pre = np.concatenate([rng.choice(n, 8, replace=False) for _ in range(n)])
    weight_v = np.where(pre < 0.8 * n, 1.0, -2.0) * MV * rng.uniform(0.5, 1.5, 8 * n)
    return synapse_map(n_neurons=n, pre=pre, post=np.repeat(np.arange(n), 8), weight_v=weight_v, delay_s=2 * MS)


def image_of(memory, tile=32):
    options = PasteOptions(tiles=Tiles(rows=tile, columns=tile, spare_rows=0))
    return paste(net(), memory=card(memory), options=options, seed=1)


def nodal_factors(image, ohm):
    """Solve every node of every driven row, and its columns' wires, as one dense system of Kirchhoff's law."""
    rows, columns = image.tiles.rows, image.tiles.columns
    factor = np.empty(image.n_cells)
    for line in np.unique(image.tile.astype(int) * rows + image.row):
        mine = np.flatnonzero(image.tile.astype(int) * rows + image.row == line)
        r = int(image.row[mine[0]])
        g = np.zeros(columns)
        g[image.column[mine]] = image.programmed_siemens[mine]
        n = columns + columns * (rows - r)  # nodes of the row, then of each column's wire from here to the last row
        a, b = np.zeros((n, n)), np.zeros(n)

        def link(i, j, siemens, a=a, b=b):
            a[i, i] += siemens
            if j is None:
                return
            a[j, j] += siemens
            a[i, j] -= siemens
            a[j, i] -= siemens

        wire = 1.0 / ohm
        link(0, None, wire)
        b[0] = wire  # the driver, 1 V
        for c in range(columns):
            if c:
                link(c - 1, c, wire)
            down = columns + c * (rows - r) + np.arange(rows - r)
            link(c, int(down[0]), g[c])
            for k in range(rows - r - 1):
                link(int(down[k]), int(down[k + 1]), wire)
            link(int(down[-1]), None, wire)
        v = np.linalg.solve(a, b)
        for i in mine:
            c = int(image.column[i])
            factor[i] = v[c] - v[columns + c * (rows - r)]
    return factor


@pytest.mark.parametrize("ohm", [1.0, 100.0])
def test_wires_leave_what_kirchhoff_leaves(ohm):
    image = image_of("rram", tile=12)
    assert line_factors(image, ohm_per_cell=ohm) == pytest.approx(nodal_factors(image, ohm), rel=1e-9)
    assert line_factors(image, ohm_per_cell=0.0).tolist() == [1.0] * image.n_cells


def kicks(image, readout, *, pre=0, n=200):
    """Return what neuron ``pre``'s spikes add to each neuron, spike by spike, and the map that is run."""
    m = image_to_map(image, rng=np.random.default_rng(0))
    forced = Stimulus(
        n_neurons=m.n_neurons, forced_neuron=np.full(n, pre), forced_s=np.arange(n) * 5 * MS,
        muted_neuron=np.arange(m.n_neurons), muted_start_s=np.zeros(m.n_neurons),
        muted_stop_s=np.full(m.n_neurons, np.inf),
    )  # fmt: skip
    ran = run_image(
        image, duration_s=n * 5 * MS + 3 * MS, seed=3, drive=steady_drive(m.n_neurons), readout=readout,
        neuron=Lif(threshold_v=1.0), stimulus=forced,
        options=RunOptions(start_v=np.zeros(m.n_neurons), record_voltage_of=tuple(range(m.n_neurons))),
    )  # fmt: skip
    v = np.vstack([np.zeros(m.n_neurons), ran.activity.voltage_v])
    jump = v[1:] - v[:-1] * np.exp(-0.1 / 20)
    return jump[np.arange(n) * 50 + 20], ran.network


def test_every_event_is_a_reading_of_its_own_with_the_cards_noise():
    image = image_of("pram")
    jump, network = kicks(image, Readout(has_read_noise=True))
    mine = (network.pre == 0) & (network.post != 0)  # itself, it is deaf while refractory
    cells = image.pre == 0
    g = image.cell.age(
        image.programmed_siemens.astype(float), age_s=0.0, temperature_k=300.0, rng=np.random.default_rng(3)
    )
    sd = image.cell.read_noise_siemens(g, programmed_siemens=image.programmed_siemens.astype(float), age_s=0.0)
    expected = (sd * image.volts_per_siemens * np.array(image.part_gain)[image.part])[cells]
    by_post = np.zeros(24)
    np.add.at(by_post, image.post[cells], expected**2)
    post = network.post[mine]
    assert (by_post[post] > 0).all()
    seen = jump[:, post].std(axis=0)
    assert np.mean(seen / np.sqrt(by_post[post])) == pytest.approx(1.0, abs=4 * 0.05 / np.sqrt(post.size))
    assert jump[:, post].mean(axis=0) == pytest.approx(network.weight_v[mine], abs=5 * seen.max() / np.sqrt(200))
    once, _ = kicks(image, Readout())
    assert once.std(axis=0).max() < 1e-6 * MV + 1e-7  # without, one reading serves the whole run


def test_a_converter_rounds_the_sums():
    image = image_of("ideal")
    exact, _ = kicks(image, Readout(), n=2)
    rough, _ = kicks(image, Readout(bits=5, range_v=4 * MV), n=2)
    step_v = 8 * MV / 2**5
    assert rough[0] / step_v == pytest.approx(np.clip(np.rint(exact[0] / step_v), -16, 15), abs=1e-4)
    fine, _ = kicks(image, Readout(bits=20, range_v=20 * MV), n=2)
    assert fine[0] == pytest.approx(exact[0], abs=40 * MV / 2**20)


def test_cells_grow_older_during_the_run():
    image = image_of("pram")
    still, _ = kicks(image, Readout())
    drifting, _ = kicks(image, Readout(drift_every_s=0.05))
    assert still[1] == pytest.approx(still[-1], abs=1e-4 * MV)

    def held(age_s):
        programmed, rng = image.programmed_siemens.astype(float), np.random.default_rng(3)
        g = image.cell.age(programmed, age_s=age_s, temperature_k=298.15, rng=rng)
        g = image.cell.read(
            g, programmed_siemens=programmed, age_s=age_s, temperature_k=298.15, rng=np.random.default_rng((3, 1))
        )  # fmt: skip
        weight = image.sign * np.array(image.part_gain)[image.part] * image.code.to_volts(g)
        return np.bincount(image.post, weights=weight * (image.pre == 0), minlength=24)

    assert drifting[1, 1:] == pytest.approx(held(0.0)[1:], abs=1e-4 * MV)
    assert drifting[-1, 1:] == pytest.approx(held(0.95)[1:], abs=1e-4 * MV)  # the last spike arrives at 0.997 s
    assert np.abs(held(0.95) - held(0.0)).max() > 1e-3 * MV


def test_wires_weaken_a_network_and_age_changes_it():
    image = image_of("rram")
    drive = steady_drive(24, mean_v=12 * MV, noise_sd_v=4 * MV)
    given = {"duration_s": 0.2, "seed": 0, "drive": drive}
    plain, lined = run_image(image, **given), run_image(image, readout=Readout(ohm_per_cell=50.0), **given)
    assert np.abs(lined.network.weight_v).sum() < np.abs(plain.network.weight_v).sum()
    old = run_image(image, age_s=DAY, **given).network
    assert not np.array_equal(old.weight_v, plain.network.weight_v)


def test_without_options_an_image_runs_as_its_map():
    image = image_of("rram")
    drive = steady_drive(24, mean_v=14 * MV, noise_sd_v=4 * MV)
    ran = run_image(image, duration_s=0.5, seed=2, drive=drive)
    again = run(ran.network, duration_s=0.5, seed=2, drive=drive).spikes
    assert again.n_spikes > 20
    assert np.array_equal(again.time_s, ran.activity.spikes.time_s)


def test_energy_is_the_cards_read_for_each_cell_or_not_known():
    known = image_of("rram")
    cost = known.cell.cost
    drive = steady_drive(24, mean_v=16 * MV, noise_sd_v=4 * MV)
    ran = run_image(known, duration_s=0.5, seed=2, drive=drive)
    if cost.read_j.value is None:
        assert ran.energy_per_event_j.value is None
    priced = replace(known, cell=replace(known.cell, cost=replace(cost, read_j=replace(cost.read_j, value=2e-15))))
    ran = run_image(priced, duration_s=0.5, seed=2, drive=drive)
    cells = np.bincount(priced.pre, minlength=24)[ran.activity.spikes.neuron].sum()
    assert ran.energy_per_s_j.value == pytest.approx(cells * 2e-15 / 0.5)
    assert ran.energy_per_event_j.value == pytest.approx(cells * 2e-15 / ran.activity.n_events)


@pytest.mark.parametrize("wrong", [{"bits": 0}, {"range_v": 0.0}, {"drift_every_s": -1.0}])
def test_an_impossible_readout_is_refused(wrong):
    with pytest.raises(RunError):
        Readout(**wrong)


def test_a_negative_wire_is_refused():
    with pytest.raises(RunError, match="ohm_per_cell"):
        line_factors(image_of("ideal"), ohm_per_cell=-1.0)
