"""Reservoirs at the ends: Fick's law between unequal ones, Poisson numbers, Ohm's law, filling, what is refused."""

import numpy as np
import pytest

from neurograft.errors import IonicError
from neurograft.ionic import (
    FIELD_UNIT_V_M,
    IonModel,
    LogRatio,
    OpenSlit,
    Plane,
    Steady,
    even_densities,
    filling_time_s,
    free_current_a,
    open_start,
    paper_salt,
    run_open,
)
from neurograft.units import NM, PS

FREE = LogRatio(strength=0.0, reach_m=14 * NM, cut_m=5 * NM)
STILL = Steady(field_v_m=0.0)


def slit_of(n_pairs=300, *, left=None, right=None, length_nm=60.0, width_nm=1500.0, interaction=FREE, step_s=20 * PS):
    model = IonModel(
        salt=paper_salt(n_pairs), plane=Plane(length_m=length_nm * NM, width_m=width_nm * NM),
        interaction=interaction, step_s=step_s,
    )  # fmt: skip
    usual = even_densities(model)
    return OpenSlit(model=model, left_per_m2=left or usual, right_per_m2=right or usual)


def test_free_ions_have_the_reservoirs_density_and_poisson_numbers():
    slit, rng = slit_of(), np.random.default_rng(1)
    record, _ = run_open(slit, open_start(slit, rng), STILL, rng, n_blocks=350, block_steps=200)
    # 1.4 us, memory L^2 / (pi^2 D) = 0.35 us: some 2 independent numbers of each species, of sd sqrt(300)
    assert filling_time_s(slit) == pytest.approx(0.35e-6, rel=0.02)
    assert record.n_ions.mean() == pytest.approx(300, abs=4 * np.sqrt(300) / np.sqrt(2 * 2.0))


def test_between_unequal_reservoirs_the_density_falls_on_a_line_and_ions_flow_by_ficks_law():
    usual = 300 / (60e-9 * 1500e-9)
    slit = slit_of(left=(2 * usual, 0.0), right=(0.0, 0.0))
    rng = np.random.default_rng(2)
    _, state = run_open(slit, open_start(slit, rng), STILL, rng, n_blocks=250, block_steps=200)
    places = []
    record, _ = run_open(
        slit, state, STILL, rng, n_blocks=600, block_steps=100,
        on_block=lambda s: places.append(s.x_nm[slit.is_inside(s)] - 40.0),
    )  # fmt: skip
    found = np.histogram(np.concatenate(places), bins=4, range=(0, 60))[0] / 600
    line = np.array([7, 5, 3, 1]) / 8 * 2 * 75
    # 1.2 us are 3.4 independent numbers; ends blurred by 2 nm of 60 raise the lowest bin by 3
    assert np.all(np.abs(found - line) < 4 * np.sqrt(line / 3.4) + 3)
    flux = 1.034e-9 * 2 * usual / 60e-9 * 1500e-9  # ions a second
    # sd of the displacement of 300 ions in 1.2 us over its mean: 0.07; ends blurred by 2 nm: 0.05
    assert record.current_a.mean() == pytest.approx(2 * 1.602e-19 * flux, rel=0.05 + 3 * 0.07)


def test_free_ions_carry_the_current_of_ohms_law():
    slit, rng = slit_of(), np.random.default_rng(3)
    field = 0.05 * FIELD_UNIT_V_M
    record, _ = run_open(slit, open_start(slit, rng), Steady(field_v_m=field), rng, n_blocks=300, block_steps=200)
    # the number of ions in 1.2 us: sd 0.04 of it; their thermal displacement: 0.02 of the drift
    assert record.current_a.mean() == pytest.approx(free_current_a(slit, field), rel=4 * 0.045)


def test_an_empty_slit_fills_from_its_ends():
    slit, rng = slit_of(), np.random.default_rng(4)
    record, _ = run_open(slit, open_start(slit, rng, is_empty=True), STILL, rng, n_blocks=250, block_steps=200)
    total = record.n_ions.sum(axis=1)
    assert total[0] < 120
    # 1 - (8 / pi^2) exp(-t / tau) of 600: 0.70 of them after one tau of 0.35 us, which is block 88
    assert total[83:93].mean() == pytest.approx(600 * (1 - 8 / np.pi**2 * np.exp(-1)), rel=0.12)
    assert total[-50:].mean() == pytest.approx(600, rel=0.15)


def test_pairs_gather_in_a_slit_that_attracts():
    forms = (FREE, LogRatio(strength=2.3, reach_m=14 * NM))
    numbers = []
    for form in forms:
        slit, rng = slit_of(100, width_nm=1000.0, interaction=form, step_s=5 * PS), np.random.default_rng(5)
        record, _ = run_open(slit, open_start(slit, rng), STILL, rng, n_blocks=200, block_steps=250)
        numbers.append(record.n_ions[100:].sum(axis=1).mean())
    assert numbers[1] > 1.1 * numbers[0]  # sd of each: sqrt(200), 0.07 of it


def test_reservoirs_that_do_not_fit_are_refused():
    slit = slit_of()
    with pytest.raises(IonicError, match="needs 2 densities"):
        OpenSlit(model=slit.model, left_per_m2=(1e15,), right_per_m2=(1e15, 1e15))
    with pytest.raises(IonicError, match="feel each other"):
        OpenSlit(model=slit.model, left_per_m2=(1e15, 1e15), right_per_m2=(1e15, 1e15), zone_m=3 * NM)
    with pytest.raises(IonicError, match="blocks of at most"):
        run_open(slit, open_start(slit, np.random.default_rng(0)), STILL, np.random.default_rng(0), n_blocks=1,
                 block_steps=100_000)  # fmt: skip
