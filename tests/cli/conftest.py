"""A command line in the test's own process, and small files to call it on."""

from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from neurograft.cli import main
from neurograft.maps import save_map as write_map
from neurograft.maps import synapse_map
from neurograft.units import MS, MV

Said = namedtuple("Said", "code out err")


@pytest.fixture
def neurograft(capsys):
    """Return a function that runs the command line and gives back exit code, stdout and stderr."""

    def call(*words: str | Path) -> Said:
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return call


@pytest.fixture
def ring(tmp_path) -> Path:
    """Return the file of a map of twelve neurons in a ring, every third inhibitory."""
    n = 12
    pre = np.arange(n)
    m = synapse_map(
        n_neurons=n,
        pre=pre,
        post=(pre + 1) % n,
        weight_v=np.where(pre % 3 == 0, -3.0, 4.0) * MV,
        delay_s=2 * MS,
        sign=np.where(pre % 3 == 0, -1, 1).astype(np.int8),
    )
    path = tmp_path / "ring.h5"
    write_map(m, path)
    return path
