"""Small cultures that several tests look at, grown once."""

import numba
import pytest

from neurograft.culture import ActivityOptions, Culture, CultureOptions, CultureRecording, WiringOptions, grow, record

NO_JIT = bool(numba.config.DISABLE_JIT)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if NO_JIT and item.get_closest_marker("compiled"):
            item.add_marker(pytest.mark.skip(reason="takes minutes without the compiler"))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "compiled: simulates seconds of a culture, too slow without the compiler")


QUICK = ActivityOptions(settle_s=0.1, settle_rounds=1)


@pytest.fixture(scope="session")
def tiny() -> Culture:
    """Six neurons that have hardly settled: quick also without the compiler."""
    return grow(CultureOptions(n_neurons=6, wiring=_few(2.0), activity=QUICK), seed=5)


def _few(inputs: float):
    from neurograft.culture import WiringOptions

    return WiringOptions(inputs_per_neuron=inputs)


@pytest.fixture(scope="session")
def culture() -> Culture:
    """Sixty neurons of the default kind."""
    return grow(CultureOptions(n_neurons=60, wiring=WiringOptions(inputs_per_neuron=8)), seed=1)


@pytest.fixture(scope="session")
def recorded(culture: Culture) -> CultureRecording:
    """Twenty seconds of them on an array with the usual flaws."""
    return record(culture, seconds=20.0, seed=3)
