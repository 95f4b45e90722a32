"""Shape and type checks on every call of the package, which cases Hypothesis tries, and where the tests find data.

The checker is on unless NEUROGRAFT_PLAIN=1, which runs the tests as users run the package: ``make test`` so runs what
it left out under the checker, ``make test-plain`` everything.  Hypothesis tries the same
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of whole commands, so that they can be chosen."""
    for item in items:
        if item.path.parent == REPOSITORY / "tests" / "cli":
            item.add_marker("command")


_ONLY_PLAIN = {
    "plain": "the shape checker raises first",
    "process": "about processes, not shapes",
    "command": "tried as users run it",
}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Under the checker skip tests of our own message for a wrong shape, and long ones that are not about shapes."""
    why = next((why for name, why in _ONLY_PLAIN.items() if item.get_closest_marker(name)), None)
    if CHECKED and why is not None:
        pytest.skip(f"{why}; run with NEUROGRAFT_PLAIN=1")
