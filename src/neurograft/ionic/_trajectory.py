"""Trajectories as LAMMPS text dumps, which MDAnalysis and OVITO open: a frame has its step, box and ions."""

from pathlib import Path
from types import TracebackType
from typing import Final, TextIO, final

import numpy as np

from neurograft.files import written_whole
from neurograft.ionic._brownian import IonModel, IonState
from neurograft.units import NM

_ANGSTROM_PER_NM: Final = 10.0


@final
class TrajectoryWriter:
    """Appends frames while open; the file appears whole when it is closed, and not at all after an error.

    Lengths are in angstrom, the file format's "real" unit; x and y are wrapped into the box, z is 0.
    """

    def __init__(self, path: Path, model: IonModel) -> None:
        self._model = model
        self._whole = written_whole(path)
        self._stream: TextIO | None = None

    def __enter__(self) -> "TrajectoryWriter":
        part = self._whole.__enter__()
        self._stream = part.open("w", encoding="ascii", newline="\n")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._stream is not None:
            self._stream.close()
        self._whole.__exit__(kind, error, at)

    def write(self, state: IonState) -> None:
        """Append a frame."""
        assert self._stream is not None, "the writer is used in a with block"
        plane = self._model.plane
        box = np.array([plane.length_m, plane.width_m]) / NM * _ANGSTROM_PER_NM
        edge = "pp ff pp" if plane.has_walls else "pp pp pp"
        head = (
            f"ITEM: TIMESTEP\n{state.n_steps}\nITEM: NUMBER OF ATOMS\n{state.x_nm.size}\nITEM: BOX BOUNDS {edge}\n"
            f"0 {box[0]:.6g}\n0 {box[1]:.6g}\n-5 5\nITEM: ATOMS id type q x y z\n"
        )
        valence = np.array([ion.valence for ion in self._model.salt.ions])[state.species]
        x = np.mod(state.x_nm * _ANGSTROM_PER_NM, box[0])
        y = state.y_nm * _ANGSTROM_PER_NM if plane.has_walls else np.mod(state.y_nm * _ANGSTROM_PER_NM, box[1])
        rows = zip(state.species.tolist(), valence.tolist(), x.tolist(), y.tolist(), strict=True)
        self._stream.write(head)
        self._stream.writelines(
            f"{i} {kind + 1} {z} {px:.4f} {py:.4f} 0\n" for i, (kind, z, px, py) in enumerate(rows, start=1)
        )
