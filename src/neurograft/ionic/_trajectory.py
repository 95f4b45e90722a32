"""Trajectories as LAMMPS text dumps, which MDAnalysis and OVITO open: a frame has its step, box, ions or atoms."""

from pathlib import Path
from types import TracebackType
from typing import Final, TextIO, final

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from neurograft.files import written_whole
from neurograft.ionic._brownian import IonModel, IonState
from neurograft.ionic._molecules import Atoms, MolecularSlit
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


def write_molecules(path: Path, slit: MolecularSlit, atoms: Atoms, frames: Float32[ndarray, "frames atoms 3"]) -> None:
    """Write frames of molecules with the sheets' atoms, which never move; an atom's name is its ``element``.

    The box begins at 0 on all axes, the slit's middle lies at half its height.
    """
    box = np.array(slit.box_nm)
    n_x, n_y = (round(side / cell) for side, cell in zip(box[:2], slit.sheet.cell_nm, strict=True))
    names = ("C", "C") if slit.wall == "graphene" else ("B", "N")
    still: list[str] = []
    for height in (-0.5 * slit.gap_nm, 0.5 * slit.gap_nm):
        for name, kind, places in zip(names, slit.sheet.kinds, slit.sheet.atoms_nm(n_x, n_y), strict=True):
            wrapped = np.mod(places, box[:2]) * _ANGSTROM_PER_NM
            z = (0.5 * box[2] + height) * _ANGSTROM_PER_NM
            still += [f"{name} {kind.charge:g} {x:.3f} {y:.3f} {z:.3f}\n" for x, y in wrapped.tolist()]
    labels = [f"{'O' if kind.name == 'OS' else kind.name} {kind.touch.charge:g}" for kind in atoms.kinds]
    bounds = box * _ANGSTROM_PER_NM
    head = (
        f"ITEM: NUMBER OF ATOMS\n{len(labels) + len(still)}\nITEM: BOX BOUNDS pp pp pp\n0 {bounds[0]:.6g}\n"
        f"0 {bounds[1]:.6g}\n0 {bounds[2]:.6g}\nITEM: ATOMS id element q x y z\n"
    )
    with written_whole(path) as part, part.open("w", encoding="ascii", newline="\n") as stream:
        for step, frame in enumerate(frames):
            place = frame.astype(np.float64)
            place[:, :2] = np.mod(place[:, :2], box[:2])
            place[:, 2] += 0.5 * box[2]
            moving = [
                f"{label} {x:.3f} {y:.3f} {z:.3f}\n"
                for label, (x, y, z) in zip(labels, (place * _ANGSTROM_PER_NM).tolist(), strict=True)
            ]
            stream.write(f"ITEM: TIMESTEP\n{step}\n{head}")
            stream.writelines(f"{i} {line}" for i, line in enumerate([*moving, *still], start=1))
