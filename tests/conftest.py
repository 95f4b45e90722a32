"""Shape and type checks on every call of the package, which cases Hypothesis tries, and where the tests find data.

The checker is on unless NEUROGRAFT_PLAIN=1, which runs the tests as users run the package.  Hypothesis tries the same
cases each time, so that a change is judged by what it changes; HYPOTHESIS_PROFILE=default tries new ones.
"""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("repeatable", derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

CHECKED = os.environ.get("NEUROGRAFT_PLAIN") != "1"
if CHECKED:
    from jaxtyping import install_import_hook

    # Not the command line: its annotations name types that are only imported for the static checker.
    rooms = [path.stem for path in (Path(__file__).resolve().parents[1] / "src" / "neurograft").glob("*")]
    install_import_hook(
        [f"neurograft.{room}" for room in rooms if room.isidentifier() and room not in ("cli", "__init__")],
        "checker.beartype_pep484_tower",
    )

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED_DATA = REPOSITORY.parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real recordings that lie beside the repository and not in it; a test that needs them is skipped without."""
    if not SHARED_DATA.is_dir():
        pytest.skip("needs the data folder beside the repository (../shared/data)")
    return SHARED_DATA


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Under the checker skip tests of our own message for a wrong shape, and long ones of processes and streams."""
    if CHECKED and item.get_closest_marker("plain"):
        pytest.skip("the shape checker raises first; run with NEUROGRAFT_PLAIN=1")
    if CHECKED and item.get_closest_marker("process"):
        pytest.skip("about processes, not shapes; run with NEUROGRAFT_PLAIN=1")
