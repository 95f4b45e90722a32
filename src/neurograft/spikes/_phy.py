"""Phy and Kilosort folders: sorted spikes with the labels that a curator gave.

``params.py`` is Python that Phy executes; here it is only parsed, and only plain values are taken.
"""

import ast
import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from neurograft.errors import SpikeError
from neurograft.recordings._numpy_files import load_npy
from neurograft.spikes._read import Read

_MAX_TEXT_BYTES = 1 << 24
# Where a label may stand, the curator's own first; column names as Phy writes them.
_LABELS = (
    ("cluster_group.tsv", "group"),
    ("cluster_group.csv", "group"),
    ("cluster_info.tsv", "group"),
    ("cluster_KSLabel.tsv", "KSLabel"),
)


def read_phy(folder: Path, *, quality: tuple[str, ...]) -> tuple[Read, list[Path]]:
    """Return the spikes of the clusters whose label is in ``quality``, and the files that were read.

    A folder without labels keeps all clusters; which of the two happened is among the notes.
    """
    params = parameters(folder / "params.py")
    rate_hz = params.get("sample_rate")
    if not isinstance(rate_hz, int | float) or not rate_hz > 0:
        raise SpikeError(f"{folder / 'params.py'}: sample_rate is {rate_hz}. Give samples a second.")
    files = [folder / "spike_times.npy", folder / "spike_clusters.npy"]
    if not files[1].is_file():
        files[1] = folder / "spike_templates.npy"  # Kilosort's own, before curation
    if not files[1].is_file():
        raise SpikeError(f"{folder} has neither spike_clusters.npy nor spike_templates.npy. Save it from Phy again.")
    frames, clusters = (_column(file) for file in files)
    if frames.shape != clusters.shape:
        raise SpikeError(
            f"{folder} has {frames.size} spike times and {clusters.size} clusters. Save it from Phy again."
        )
    epochs_s = _epochs(folder, params, float(rate_hz))
    labelled, label_file = _labels(folder)
    if label_file is None:
        note = f"no curation labels: all {len(np.unique(clusters))} clusters are kept"
        return Read(frames / rate_hz, clusters, epochs_s=epochs_s, notes=(note,)), [*files, folder / "params.py"]
    kept = np.array(sorted(c for c, label in labelled.items() if label in quality), dtype=np.int64)
    if not kept.size:
        raise SpikeError(
            f"{folder}: no cluster is labelled {' or '.join(quality)}; the labels are {_counted(labelled)}. "
            "Choose with SpikeOptions(quality=…)."
        )
    note = f"kept {kept.size} of {len(labelled)} clusters, labelled {' or '.join(quality)} ({_counted(labelled)})"
    keep = np.isin(clusters, kept)
    read = Read(frames[keep] / rate_hz, clusters[keep], known=kept, epochs_s=epochs_s, notes=(note,))
    return read, [*files, folder / "params.py", label_file]


def parameters(file: Path) -> dict[str, Any]:
    """Return the plain values assigned in a ``params.py``, without executing it."""
    if not file.is_file():
        raise SpikeError(f"{file} is missing, so the sampling rate is unknown. Save the folder from Phy again.")
    if file.stat().st_size > _MAX_TEXT_BYTES:
        raise SpikeError(f"{file} has {file.stat().st_size} bytes; it should hold a few lines. It is not Phy's.")
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError, ValueError, RecursionError) as problem:
        raise SpikeError(
            f"{file} is not readable: {problem}. It should hold lines such as sample_rate = 30000."
        ) from problem
    values: dict[str, Any] = {}
    for line in tree.body:
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
            try:
                values[line.targets[0].id] = ast.literal_eval(line.value)
            except (ValueError, TypeError, RecursionError):
                continue  # an expression, which only running it could value; not ours
    return values


def _column(file: Path) -> ndarray:
    array = load_npy(file, error=SpikeError)
    if array.dtype.kind not in "iu" and not (array.dtype.kind == "f" and np.all(array == np.round(array))):
        raise SpikeError(f"{file} is {array.dtype}. It should hold whole numbers; save it from Phy again.")
    if array.size != max(array.shape, default=0):
        raise SpikeError(f"{file} has shape {array.shape}. It should hold one number a spike.")
    return np.asarray(array).ravel().astype(np.int64)


def _labels(folder: Path) -> tuple[dict[int, str], Path | None]:
    """Return each cluster's label and the file it is from; None where no file has any."""
    for name, column in _LABELS:
        file = folder / name
        if not file.is_file() or file.stat().st_size > _MAX_TEXT_BYTES:
            continue
        with file.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t" if file.suffix == ".tsv" else ","))
        out: dict[int, str] = {}
        for line, row in enumerate(rows, start=2):
            cluster = row.get("cluster_id", row.get("id"))
            if cluster is None or not cluster.strip().isdecimal():
                raise SpikeError(f"{file}, line {line}: the cluster_id is {cluster!r}. Save the table from Phy again.")
            if int(cluster) in out:
                raise SpikeError(f"{file}, line {line}: cluster {cluster} is listed twice. Keep one of the two lines.")
            out[int(cluster)] = (row.get(column) or "unsorted").strip()
        if any(label != "unsorted" for label in out.values()):
            return out, file
    return {}, None


def _counted(labelled: dict[int, str]) -> str:
    labels = list(labelled.values())
    return ", ".join(f"{labels.count(label)} {label}" for label in sorted(set(labels)))


def _epochs(folder: Path, params: dict[str, Any], rate_hz: float) -> ndarray | None:
    """Return the recorded time from the size of the raw file, where it is still there."""
    dat, n, dtype = params.get("dat_path"), params.get("n_channels_dat"), params.get("dtype")
    dat = dat[0] if isinstance(dat, list | tuple) and len(dat) == 1 else dat
    if not isinstance(dat, str) or not isinstance(n, int) or n < 1 or not isinstance(dtype, str):
        return None
    try:
        file, itemsize = folder / dat, np.dtype(dtype).itemsize
        n_bytes = file.stat().st_size - int(params.get("offset", 0) or 0)
    except (OSError, TypeError, ValueError):
        return None
    return np.array([[0.0, n_bytes // (n * itemsize) / rate_hz]]) if n_bytes >= n * itemsize else None
