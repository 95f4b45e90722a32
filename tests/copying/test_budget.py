"""What a copy is expected to take, and that it refuses what does not fit."""

import pytest

from neurograft.copying.intracellular.reading._budget import Budget, needed_bytes
from neurograft.errors import CopyError


def test_two_thousand_neurons_on_4096_channels_fit_into_16_gb_and_not_into_8():
    size = {"n_neurons": 4096, "n_firing": 2000, "n_boxes": 17}
    assert 10e9 < needed_bytes(**size) < 16e9
    Budget(16 << 30).require(**size)
    with pytest.raises(
        CopyError, match=r"2000 neurons that fire, of 4096, need 1\d\.\d GB.*8\.6 GB are allowed.*--memory 1"
    ):
        Budget(8 << 30).require(**size)


def test_what_is_needed_grows_with_the_square_of_neurons_at_most():
    small, large = (needed_bytes(n_neurons=n, n_firing=n, n_boxes=17) for n in (2000, 4000))
    assert large < 4 * small


@pytest.mark.parametrize("n_threads", [1, 4])
def test_what_is_cut_to_size_follows_the_budget(n_threads):
    small, large = Budget(1 << 30), Budget(16 << 30)
    assert 16 * n_threads * small.samples_at_once(n_threads) <= (1 << 30) / 4
    assert small.block_bytes() < large.block_bytes()
    assert small.kept_bytes() + 2 * n_threads * small.block_bytes() < 1 << 30


def test_a_followed_recording_needs_room_for_its_sums_beside_the_matrix():
    size = {"n_neurons": 400, "n_firing": 200, "n_boxes": 17}
    enough = Budget(needed_bytes(**size))
    enough.require(**size)
    with pytest.raises(CopyError, match="--memory"):
        enough.require(**size, is_followed=True)
    Budget(enough.n_bytes + 3 * 8 * 200 * 17 * 400).require(**size, is_followed=True)
