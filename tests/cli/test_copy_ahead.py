"""Which maps of a followed recording are published."""

from types import SimpleNamespace

import pytest

from neurograft.cli._copy_ahead import Following
from neurograft.copying import IntracellularOptions, Work


@pytest.fixture
def ahead(monkeypatch):
    """What is copied ahead, whose map is always ready."""
    monkeypatch.setattr("neurograft.copying.map_now", lambda state, progress: ("map of", state.until_s))
    state = SimpleNamespace(until_s=100.0, left_se=0.1, is_begun=True, learnt=None)
    following = Following(IntracellularOptions(), Work(), is_wanted=True)
    following._ahead = SimpleNamespace(state=state, take=lambda *_: False, improve=lambda _: False)
    following.step(None)
    return following, state


def test_the_first_map_ahead_does_not_lead_back_behind_one_that_was_made_anew(ahead):
    following, state = ahead
    following.was_published(104.0)
    assert following.map_of(None, is_growing=True) is None
    state.until_s = 110.0
    assert following.map_of(None, is_growing=True).copied == ("map of", 110.0)


def test_a_map_ahead_is_of_what_was_added_since_the_last(ahead):
    following, state = ahead
    assert following.map_of(None, is_growing=True).until_s == 100.0
    following._took_s = 0.0  # the work ahead has had its time
    assert following.map_of(None, is_growing=True) is None
    state.until_s = 130.0
    following._took_s = 60.0
    assert following.map_of(None, is_growing=True) is None  # it has not
    following._took_s = 0.0
    assert following.map_of(None, is_growing=True).until_s == 130.0
