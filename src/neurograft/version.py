"""The version, in one place that imports nothing (``pyproject.toml`` is held to it by a test)."""

from typing import Final

VERSION: Final = "0.1.0"
