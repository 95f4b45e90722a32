"""A small recording of membrane potentials in five pieces, and what two maps are compared by."""

import h5py
import numpy as np

RATE_HZ, SECONDS, CHANNELS = 2000, 43, 5


def samples():
    rng = np.random.default_rng(5)
    n = SECONDS * RATE_HZ
    volts = -0.06 + 0.3e-3 * rng.standard_normal((n, CHANNELS))
    wave, answer = np.array([0.3, 0.9, 1.0, 0.4]), np.exp(-np.arange(80) / 20) - np.exp(-np.arange(80) / 4)
    for c in range(CHANNELS):
        for frame in np.sort(rng.choice(np.arange(300, n - 300, 61), 25 * SECONDS // 5, replace=False)) + 7 * c:
            volts[frame : frame + 4, c] += 0.1 * wave
            if c < 2:
                volts[frame + 4 : frame + 84, c + 1] += 3e-3 * answer
    return np.round(volts / 5e-6).astype("<i2")


def sidecar(name):
    return (
        f"format_version = 1\n[samples]\nfiles = ['{name}']\ndtype = 'int16'\nbyte_order = 'little'\n"
        f"order = 'frames'\nn_channels = {CHANNELS}\n[time]\nrate_hz = {RATE_HZ}\n"
        "[signal]\nkind = 'membrane_v'\ngain_v = 5e-6\n"
    )


def content(path):
    """Every dataset of a map to the bit."""
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def same(a, b, *, but=()):
    mine, theirs = ({name: x for name, x in content(path).items() if name not in but} for path in (a, b))
    assert mine.keys() == theirs.keys()
    for name in mine:
        assert np.array_equal(mine[name], theirs[name], equal_nan=np.asarray(mine[name]).dtype.kind == "f"), name
    return True
