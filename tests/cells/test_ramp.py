"""Write-verify of RRAM: the kernel against a slow twin, the NeuRRAM failure rate, every parameter's effect."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cells.slow_stream import MASK, SlowStream
from neurograft.cells import RRAM_WAN_AIHWKIT, Defects, Flag, ProgramAndVerify, defects_of
from neurograft.errors import CellError
from neurograft.units import MICROSIEMENS

US = MICROSIEMENS


def slow_ramp(target, *, address, defect, verify, key, card):
    """One cell by the words of the protocol; returns conductance, pulses, whether it failed, narrowest decision."""
    ramp, noise, margin = card.ramp, SlowStream(key, address), np.inf
    v_set, v_reset = (v + sd * z for v, sd, z in zip(
        (ramp.set_v, ramp.reset_v), (ramp.set_sd_v, ramp.reset_sd_v), noise.pair(), strict=True
    ))  # fmt: skip
    g, n_pulses, failed = card.g_min_siemens, 0, False
    band, read_sd = verify.tolerance * card.g_max_siemens, ramp.read_noise_siemens / math.sqrt(verify.n_reads)
    stuck = {1: 0.0, 2: card.g_min_siemens, 3: card.g_max_siemens}.get(defect)
    for k in range(verify.max_passes):
        failed, polarity, n_up, n_here, n_turns, n_end = False, None, 0, 0, 0, 0
        while True:
            error, chance = noise.read_and_jitter()
            seen = (g if stuck is None else stuck) + read_sd * error
            margin = min(margin, abs(abs(seen - target) - band))
            if abs(seen - target) <= band:
                break
            now = "set" if seen < target else "reset"
            if now != polarity:
                n_turns += polarity is not None
                polarity, n_up, n_end = now, 0, 0
            elif ramp.start_v + (n_up + 0.5) * ramp.step_v <= ramp.end_v:
                n_up += 1
            else:
                n_end += 1
            failed = n_turns > ramp.max_reversals or n_end > ramp.max_at_end or n_here >= verify.max_pulses
            if failed:
                break
            n_here += 1
            factor = 1 + ramp.jitter * math.sqrt(12) * (chance - 0.5)
            over = max(ramp.start_v + n_up * ramp.step_v - (v_set if now == "set" else v_reset), 0.0)
            room = max(1 - g / ramp.top_siemens, 0.0) if now == "set" else -g / ramp.top_siemens
            g = float(np.clip(g + ramp.gain_siemens_per_v * over * room * factor, 0.0, ramp.top_siemens))
        n_pulses += n_here
        x = min(g, card.g_max_siemens) / card.spread.unit_siemens
        sd = max(np.polynomial.polynomial.polyval(x, card.spread.polynomials_us[0]), 0.0) * 1e-6
        g = max(g + sd * noise.pair()[0], 0.0)
        if failed or stuck is not None:
            break
        if k + 1 < verify.max_passes:
            margin = min(margin, abs(abs(g - target) - band))
        if abs(g - target) <= band:
            break
    return (g if stuck is None else stuck), n_pulses, failed, margin


def write(target, card=RRAM_WAN_AIHWKIT, *, address=None, defect=None, key=1, **verify):
    n = target.size
    return card.write(
        target,
        address=np.arange(n, dtype=np.uint64) if address is None else address,
        defect=np.zeros(n, dtype=np.uint8) if defect is None else defect,
        verify=ProgramAndVerify(**verify),
        key=key,
    )


@settings(deadline=None, max_examples=30)
@given(
    targets_us=st.lists(st.floats(1.0, 40.0), min_size=1, max_size=4),
    defect=st.integers(0, 3),
    key=st.integers(0, MASK),
    first=st.integers(0, 2**63),
    tolerance=st.sampled_from([0.01, 0.025, 0.1]),
    max_passes=st.integers(1, 3),
    n_reads=st.sampled_from([1, 4]),
    max_reversals=st.sampled_from([0, 3, 20]),
    end_v=st.sampled_from([1.35, 2.0, 3.3]),
)
def test_kernel_equals_reference(targets_us, defect, key, first, tolerance, max_passes, n_reads, max_reversals, end_v):
    card = replace(
        RRAM_WAN_AIHWKIT, ramp=replace(RRAM_WAN_AIHWKIT.ramp, max_reversals=max_reversals, end_v=end_v, max_at_end=5)
    )
    verify = ProgramAndVerify(tolerance=tolerance, max_passes=max_passes, max_pulses=60, n_reads=n_reads)
    target = np.clip(np.array(targets_us) * US, card.g_min_siemens, card.g_max_siemens)
    address = np.arange(first, first + target.size, dtype=np.uint64)
    found = card.write(
        target, address=address, defect=np.full(target.size, defect, dtype=np.uint8), verify=verify, key=key
    )
    for i in range(target.size):
        g, pulses, failed, margin = slow_ramp(
            target[i], address=int(address[i]), defect=defect, verify=verify, key=key, card=card
        )
        # a normal number is right to 1e-3 of its sd at worst: 4 uS of relaxation, 0.1 V of threshold (3 uS a pulse)
        if margin < 0.02 * US:  # the kernel may decide otherwise; one decision in a hundred is so narrow
            continue
        assert found.g_siemens[i] == pytest.approx(g, abs=0.01 * US)
        assert found.pulses[i] == pulses
        assert bool(found.flags[i] & Flag.OUT_OF_BAND) == failed


def test_failures_with_neurram_settings_lie_in_the_published_range():
    # 0.18 to 1.35 % in three NeuRRAM notebooks (facts, 8).  The card's share of defective cells was set from the
    # same three counts, so this checks that write-verify adds next to nothing of its own and hides little.
    n = 6_000  # one sd of the share is 0.12 %
    address = np.arange(n, dtype=np.uint64)
    target = np.random.default_rng(0).uniform(1.0, 40.0, n) * US
    defect = defects_of(address, defects=RRAM_WAN_AIHWKIT.defects, key=5)
    for passes in (1, 3):
        outcome = write(target, defect=defect, max_passes=passes)
        assert 0.002 <= np.mean(outcome.flags & Flag.OUT_OF_BAND > 0) <= 0.014


def test_mean_pulses_are_near_the_remembered_8_5():
    # "memory" in the facts, and the guessed pulse response was set by it: a check that nobody changes it unnoticed
    target = np.random.default_rng(0).uniform(1.0, 40.0, 5_000) * US
    assert 7.5 < write(target).pulses.mean() < 9.5


def test_one_pass_leaves_the_published_spread_after_relaxation():
    # at 12 uS: spread 2.30 uS, plus the accepted band of +-1 uS (at most 0.58 uS in quadrature, so up to 3.2 %
    # more, and it varies inside the band); sampling of 4,000 cells adds 1.1 % (one sd)
    target = np.full(4_000, 12 * US)
    spread = RRAM_WAN_AIHWKIT.spread_siemens(target[:1], age_s=1.0)[0]
    left = np.std(write(target).g_siemens - target)
    assert left == pytest.approx(math.hypot(spread, 0.4 * US), rel=0.06)


def test_three_passes_cut_the_spread_by_a_fifth_or_more():
    # cells that stay in the band are left alone: expected factor 1 - P(stay); the 29 % of the paper is "memory"
    target = np.full(4_000, 12 * US)
    one, three = (np.std(write(target, max_passes=k).g_siemens - target) for k in (1, 3))
    assert 0.60 < three / one < 0.80


def test_the_result_of_a_cell_depends_on_its_address_not_on_its_company():
    target = np.linspace(1.0, 40.0, 50) * US
    target = np.clip(target, RRAM_WAN_AIHWKIT.g_min_siemens, RRAM_WAN_AIHWKIT.g_max_siemens)
    whole = write(target)
    part = write(target[20:30], address=np.arange(20, 30, dtype=np.uint64))
    np.testing.assert_array_equal(part.g_siemens, whole.g_siemens[20:30])
    np.testing.assert_array_equal(part.pulses, whole.pulses[20:30])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("start_v", 1.0),
        ("step_v", 0.05),
        ("end_v", 1.4),
        ("max_at_end", 0),
        ("max_reversals", 0),
        ("set_v", 1.6),
        ("set_sd_v", 0.0),
        ("reset_v", 1.6),
        ("reset_sd_v", 0.0),
        ("gain_siemens_per_v", 60 * US),
        ("top_siemens", 80 * US),
        ("jitter", 0.0),
        ("read_noise_siemens", 0.0),
    ],
)
def test_every_parameter_of_the_ramp_changes_the_result(name, value):
    changes = {name: value} | ({"end_v": 1.4} if name == "max_at_end" else {})
    base = {"end_v": 1.4} if name == "max_at_end" else {}
    target = np.random.default_rng(1).uniform(1.0, 40.0, 200) * US
    before = write(target, replace(RRAM_WAN_AIHWKIT, ramp=replace(RRAM_WAN_AIHWKIT.ramp, **base)))
    after = write(target, replace(RRAM_WAN_AIHWKIT, ramp=replace(RRAM_WAN_AIHWKIT.ramp, **changes)))
    assert not np.array_equal(before.g_siemens, after.g_siemens)


def test_lanes_that_take_further_cells_give_what_cells_alone_give():
    # more cells than lanes, so that lanes are filled again; alone there is one lane
    n = 300
    target = np.random.default_rng(2).uniform(1.0, 40.0, n) * US
    defect = (np.arange(n) % 7 == 0).astype(np.uint8)
    whole = write(target, defect=defect, max_passes=3)
    for i in range(0, n, 37):
        one = slice(i, i + 1)
        alone = write(target[one], address=np.arange(i, i + 1, dtype=np.uint64), defect=defect[one], max_passes=3)
        assert (alone.g_siemens[0], alone.pulses[0], alone.flags[0]) == (
            whole.g_siemens[i], whole.pulses[i], whole.flags[i]
        )  # fmt: skip


def test_more_reads_a_decision_narrow_what_is_accepted():
    card = replace(RRAM_WAN_AIHWKIT, ramp=replace(RRAM_WAN_AIHWKIT.ramp, read_noise_siemens=2 * US))
    target = np.full(4_000, 12 * US)
    one, many = (write(target, card, n_reads=n, max_passes=3).g_siemens for n in (1, 25))
    assert np.std(many - target) < 0.95 * np.std(one - target)  # 4,000 cells know an sd to 1.1 %


@pytest.mark.parametrize("changed", [{"tolerance": 0.1}, {"max_passes": 2}, {"max_pulses": 3}, {"n_reads": 9}])
def test_every_setting_of_verify_changes_the_result(changed):
    target = np.random.default_rng(1).uniform(1.0, 40.0, 200) * US
    assert not np.array_equal(write(target).g_siemens, write(target, **changed).g_siemens)


@pytest.mark.parametrize(("kind", "shown_us"), [(1, 0.0), (2, 1.0), (3, 40.0)])
def test_a_defective_cell_shows_one_value_for_ever_and_fails(kind, shown_us):
    outcome = write(np.array([20 * US]), defect=np.array([kind], dtype=np.uint8), max_passes=3)
    assert outcome.g_siemens[0] == pytest.approx(shown_us * US)
    assert outcome.flags[0] == Flag.OUT_OF_BAND | Flag.DEFECTIVE


def test_defects_come_at_the_stated_rates_and_stay_where_they_are():
    n = 20_000
    address = np.arange(n, dtype=np.uint64)
    rates = Defects(dead=0.02, stuck_low=0.05, leaky=0.1)
    kinds = defects_of(address, defects=rates, key=3)
    for kind, rate in ((1, 0.02), (2, 0.05), (3, 0.1)):
        assert np.mean(kinds == kind) == pytest.approx(rate, abs=4 * math.sqrt(rate / n))  # four sd
    np.testing.assert_array_equal(defects_of(address[500:600], defects=rates, key=3), kinds[500:600])
    assert not np.array_equal(defects_of(address, defects=rates, key=4), kinds)


def test_no_defects_without_rates():
    assert not defects_of(np.arange(100, dtype=np.uint64), defects=Defects(), key=3).any()


@pytest.mark.parametrize("change", [{"jitter": 0.6}, {"step_v": 0.0}, {"end_v": 1.0}])
def test_impossible_ramps_are_refused(change):
    with pytest.raises(CellError, match=r"Let it rise|jitter is"):
        replace(RRAM_WAN_AIHWKIT.ramp, **change)
