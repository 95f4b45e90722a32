"""Lets the tests of this folder import its grown networks (the underscored files)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
