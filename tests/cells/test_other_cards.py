"""SONOS, CMO/HfOx, Milo, MRAM and cards fitted to own measurements."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from cells.slow_stream import SlowStream
from neurograft.cells import Defects, Flag, ProgramAndVerify, card, card_from_json, card_to_json, defects_of, fit_card
from neurograft.errors import CellError
from neurograft.units import DAY, MICROSIEMENS, NANOSIEMENS, YEAR

US, NS = MICROSIEMENS, NANOSIEMENS
ROOM_K = 298.15


# SONOS


@pytest.mark.parametrize(
    ("day", "law"),
    [
        (0, (19.887, 176.31)),
        (1, (25.591, 186.86)),
        (2, (28.728, 193.57)),
        (3, (31.043, 198.90)),
        (4, (33.762, 204.77)),
        (5, (34.579, 207.34)),
    ],
)
def test_sonos_spread_is_the_published_one(day, law):
    g = np.array([0.0, 100.0, 800.0, 1600.0])
    expected = law[0] * (1 - np.exp(-g / law[1]))
    np.testing.assert_allclose(card("sonos").spread_siemens(g * NS, age_s=day * DAY) / NS, expected, rtol=1e-9)


def test_sonos_cells_age_to_the_published_spread_and_shift():
    cell, rng = card("sonos"), np.random.default_rng(0)
    target = np.full(100_000, 800 * NS)
    g = cell.age(cell.program(target, rng), age_s=5 * DAY, temperature_k=ROOM_K, rng=rng)
    assert np.std(g) / NS == pytest.approx(34.579 * (1 - np.exp(-800 / 207.34)), rel=0.02)  # facts 8
    assert np.mean(g - target) / NS == pytest.approx(-15.2, abs=0.4)  # sampling: 0.11 (one sd)


@pytest.mark.parametrize(
    ("days", "shift_na"),
    [(1, (1.7, 1.0, 0.6, -3.8, -7.3, -11.5)), (5, (4.1, 2.6, -1.5, -15.2, -28.5, -40.7))],
)
def test_sonos_currents_shift_as_tabulated(days, shift_na):
    for at_na, expected in zip((100, 200, 400, 800, 1200, 1600), shift_na, strict=True):
        g = np.full(200_000, at_na * NS)
        moved = card("sonos").age(g, age_s=days * DAY, temperature_k=ROOM_K, rng=np.random.default_rng(0)) - g
        # facts 1.5, one decimal (0.05); 200,000 cells that widened by up to 28 nA know a mean to 0.06 (one sd)
        assert np.mean(moved) / NS == pytest.approx(expected, abs=0.05 + 4 * np.std(moved) / NS / 200_000**0.5)


@pytest.mark.parametrize("at_na", [100.0, 400.0, 1600.0])
def test_sonos_read_noise_is_the_published_one(at_na):
    g = np.full(100_000, at_na * NS)
    seen = card("sonos").read(g, programmed_siemens=g, age_s=0.0, temperature_k=ROOM_K, rng=np.random.default_rng(0))
    expected = 12.580 * (1 - np.exp(-at_na / 215.37))  # facts 1.5
    assert np.std(seen) / NS == pytest.approx(expected, rel=0.02)  # facts 8; sampling: 0.2 %


def test_sonos_zero_is_free_of_error():
    g = card("sonos").program(np.zeros(10), np.random.default_rng(0))
    np.testing.assert_array_equal(g, np.zeros(10))


def test_sonos_past_five_days_is_refused():
    with pytest.raises(CellError, match="measured from 0 to 432000 s"):
        card("sonos").age(np.full(1, NS), age_s=6 * DAY, temperature_k=ROOM_K, rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    "change",
    [
        {"spread_na": ((5.0, 100.0), (6.0, 100.0))},
        {"read_noise_na": (50.0, 200.0)},
        {"shift_at_na": (50.0, 200.0, 400.0, 800.0, 1200.0, 1600.0)},
        {"shift_days": (0.4, 5.0)},
        {"shifts_na": ((9.0,) * 6, (9.0,) * 6)},
    ],
)
def test_every_parameter_of_sonos_changes_what_is_read(change):
    def seen(cell):
        rng = np.random.default_rng(0)
        g = cell.program(np.linspace(60.0, 1500.0, 20) * NS, rng)
        g = cell.age(g, age_s=0.5 * DAY, temperature_k=ROOM_K, rng=rng)
        return cell.read(g, programmed_siemens=g, age_s=0.5 * DAY, temperature_k=ROOM_K, rng=rng)

    assert not np.array_equal(seen(card("sonos")), seen(replace(card("sonos"), **change)))


# CMO/HfOx and Milo


@pytest.mark.parametrize(("name", "slope_ns_per_us"), [("rram_cmo", 11.29), ("rram_cmo_fine", 1.07)])
def test_cmo_programming_error_has_the_published_slope(name, slope_ns_per_us):
    cell = card(name)
    sd = [np.std(cell.program(np.full(50_000, g * US), np.random.default_rng(0))) for g in (10.0, 80.0)]
    assert (sd[1] - sd[0]) / (70 * US) * 1e3 == pytest.approx(slope_ns_per_us, rel=0.02)  # facts 8


@pytest.mark.parametrize(
    ("name", "line"), [("rram_cmo", (0.0112903, 0.0112185)), ("rram_cmo_fine", (0.00106879, 0.00081107))]
)
def test_cmo_programming_error_is_the_published_line(name, line):
    for g in (10.0, 50.0, 80.0):
        sd = np.std(card(name).program(np.full(100_000, g * US), np.random.default_rng(0)))
        assert sd / US == pytest.approx(line[0] * g + line[1], rel=0.02)  # facts 1.2 and 8; sampling: 0.2 %


@pytest.mark.parametrize("age_s", [1.0, 3600.0, DAY])
def test_cmo_relaxes_alike_at_all_levels(age_s):
    cell = card("rram_cmo")
    for level in (20.0, 80.0):
        g = np.full(50_000, level * US)
        moved = cell.age(g, age_s=age_s, temperature_k=ROOM_K, rng=np.random.default_rng(0)) - g
        assert np.mean(moved) / US == pytest.approx(-0.0890 * np.log(age_s), abs=0.02)
        assert np.std(moved) / US == pytest.approx(0.0420 * np.log(age_s) + 0.4118, rel=0.02)


def test_cmo_read_noise_is_the_published_formula():
    cell, g = card("rram_cmo"), np.full(50_000, 50 * US)
    seen = cell.read(g, programmed_siemens=g, age_s=100.0, temperature_k=ROOM_K, rng=np.random.default_rng(0))
    expected = 0.02773 * np.log10(50.0) * np.sqrt(np.log((100.0 + 1e-6) / 2e-6))
    assert np.std(seen) / US == pytest.approx(expected, rel=0.015)


@pytest.mark.parametrize(
    "change",
    [
        {"spread_slope": 0.05},
        {"spread_offset_siemens": US},
        {"relaxation_siemens": -US},
        {"relaxation_sd_slope_siemens": US},
        {"relaxation_sd_siemens": 2 * US},
        {"noise_siemens": US},
    ],
)
def test_every_parameter_of_cmo_changes_what_is_read(change):
    def seen(cell):
        rng = np.random.default_rng(0)
        g = cell.age(cell.program(np.full(5, 30 * US), rng), age_s=100.0, temperature_k=ROOM_K, rng=rng)
        return cell.read(g, programmed_siemens=g, age_s=100.0, temperature_k=ROOM_K, rng=rng)

    assert not np.array_equal(seen(card("rram_cmo")), seen(replace(card("rram_cmo"), **change)))


def test_milo_spread_is_the_published_line():
    sd = np.std(card("rram_milo").program(np.full(50_000, 100 * US), np.random.default_rng(0)))
    assert sd / US == pytest.approx(4.782 - 0.009107 * 100, rel=0.02)


# MRAM


def test_one_pulse_fails_with_the_write_error():
    cell, n = replace(card("mram"), write_error=0.01), 50_000
    target = np.where(np.arange(n) % 2, cell.g_max_siemens, cell.g_min_siemens)
    failed = int(np.count_nonzero(cell.program(target, np.random.default_rng(0)) != target))
    low, high = stats.binom.interval(0.95, n, 0.01)  # facts 8: 95 % binomial interval; the seed is fixed
    assert low <= failed <= high


def write_bits(cell, n, *, defects=None, **verify):
    address = np.arange(n, dtype=np.uint64)
    target = np.where(np.arange(n) % 2, cell.g_max_siemens, cell.g_min_siemens)
    defect = defects_of(address, defects=defects or Defects(), key=7)
    return target, cell.write(target, address=address, defect=defect, verify=ProgramAndVerify(**verify), key=1)


@pytest.mark.parametrize("max_pulses", [1, 2, 3])
def test_verified_writes_fail_with_the_power_of_the_write_error(max_pulses):
    cell, n = replace(card("mram"), write_error=0.1), 20_000
    target, written = write_bits(cell, n, max_pulses=max_pulses)
    failed = int(np.count_nonzero(written.g_siemens != target))
    low, high = stats.binom.interval(0.95, n, 0.1**max_pulses)
    assert low <= failed <= high
    assert failed == np.count_nonzero(written.flags & Flag.OUT_OF_BAND)


def test_mram_kernel_equals_reference():
    cell = replace(card("mram"), write_error=0.4)
    n = 60
    address = np.arange(n, dtype=np.uint64)
    defect = (np.arange(n) % 4).astype(np.uint8)
    target = np.where(np.arange(n) % 3 == 0, cell.g_max_siemens, cell.g_min_siemens)
    found = cell.write(target, address=address, defect=defect, verify=ProgramAndVerify(max_pulses=3), key=9)
    for i in range(n):
        draw = SlowStream(9, i)
        stuck = {1: 0.0, 2: cell.g_min_siemens, 3: cell.g_max_siemens}.get(int(defect[i]))
        g, pulses = cell.g_min_siemens + cell.g_max_siemens - target[i], 0
        while pulses < 3 and (pulses == 0 or g != target[i]):
            pulses += 1
            u = draw.uniform()
            g = stuck if stuck is not None else target[i] if u >= 0.4 else g
        assert found.g_siemens[i] == pytest.approx(g, rel=1e-15)
        assert found.pulses[i] == pulses


def test_mram_pulses_switch_with_the_strength_of_the_drive():
    cell, n = card("mram"), 20_000
    g = np.full(n, cell.g_min_siemens)
    after = cell.pulse(g, np.full(n, 0.3), np.random.default_rng(0))
    assert np.mean(after == cell.g_max_siemens) == pytest.approx(0.3, abs=0.013)  # four sd


def test_mram_reads_the_nearer_state_after_ten_years():
    cell, rng = card("mram"), np.random.default_rng(0)
    g = cell.age(np.array([90.0, 190.0]) * US, age_s=10 * YEAR, temperature_k=350.0, rng=rng)
    seen = cell.read(g, programmed_siemens=g, age_s=10 * YEAR, temperature_k=350.0, rng=rng)
    np.testing.assert_array_equal(seen, [cell.g_min_siemens, cell.g_max_siemens])


# own measurements


def write_csv(path, *, levels=(5.0, 10.0, 20.0, 40.0), n=200, ages=(1.0, DAY), sd=lambda g, age: 0.5 + 0.02 * g):
    rng = np.random.default_rng(0)
    lines = ["target_us,measured_us,age_s"]
    for age in ages:
        for g in levels:
            lines += [f"{g},{abs(g + sd(g, age) * z)},{age}" for z in rng.standard_normal(n)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_card_fitted_to_measurements_has_their_spread(tmp_path):
    path = write_csv(tmp_path / "mine.csv", n=2000, sd=lambda g, age: (0.5 + 0.02 * g) * (2.0 if age > 1 else 1.0))
    cell = fit_card(path, name="mine", degree=1)
    target = np.full(20_000, 20 * US)
    rng = np.random.default_rng(1)
    g = cell.program(target, rng)
    assert np.std(g) / US == pytest.approx(0.9, rel=0.04)  # 2,000 cells a level: 1.6 % (one sd)
    aged = cell.age(g, age_s=DAY, temperature_k=ROOM_K, rng=rng)
    assert np.std(aged) / US == pytest.approx(1.8, rel=0.04)
    assert len(cell.residual_us) == 2
    assert max(cell.residual_us) < 0.1
    assert (cell.g_min_siemens, cell.g_max_siemens) == pytest.approx((5 * US, 40 * US))
    assert card_from_json(card_to_json(cell)) == cell


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("target_us,measured_us\n1,1\n", "lacks the column age_s"),
        ("target_us,measured_us,age_s\n", "has no measurements"),
        ("target_us,measured_us,age_s\n1,x,0\n", "line 2: measured_us is 'x'"),
        ("target_us,measured_us,age_s\n1,-3,0\n", "line 2: measured_us is '-3'"),
        ("target_us,measured_us,age_s\n" + "1,1,0\n" * 3, "3 cells at 1 uS"),
        ("target_us,measured_us,age_s\n" + "1,1,0\n" * 9, "1 levels at age 0 s, too few for degree 3"),
    ],
)
def test_bad_measurements_are_refused_with_the_place(tmp_path, text, message):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(CellError, match=message):
        fit_card(path, name="bad")


def test_a_missing_file_of_measurements_is_refused(tmp_path):
    with pytest.raises(CellError, match="cannot be read"):
        fit_card(tmp_path / "absent.csv", name="absent")
