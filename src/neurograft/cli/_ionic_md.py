"""``neurograft ionic md``: molecules in a slit, and what they hand to the Brownian model."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurograft.cli._options import AsJson, Seed, show
from neurograft.cli._progress import shown_progress
from neurograft.errors import OptionError
from neurograft.units import NM, NS, PS

if TYPE_CHECKING:
    from neurograft.ionic import Estimate


def md_command(
    layers: Annotated[int, typer.Option(help="Water layers: 1, 2 or 3.")] = 1,
    wall: Annotated[str, typer.Option(help="Sheets: graphene or hbn.")] = "graphene",
    salt: Annotated[str, typer.Option(help="NaCl, CaCl2, CaSO4 or Na2SO4.")] = "NaCl",
    units: Annotated[int, typer.Option(min=0, help="Formula units of salt in the box.")] = 4,
    side_nm: Annotated[float, typer.Option(help="Side of the box, rounded to whole cells of the sheet.")] = 4.0,
    smooth: Annotated[bool, typer.Option("--smooth", help="Sheets without their atoms' pattern.")] = False,
    temperature_k: Annotated[float, typer.Option("--temperature", help="In kelvin.")] = 298.0,
    ns: Annotated[float, typer.Option(help="Nanoseconds to measure, after settling.")] = 0.5,
    settle_ps: Annotated[float, typer.Option(min=0, help="Picoseconds before that.")] = 50.0,
    out: Annotated[Path, typer.Option("--out", "-o", help="JSON for ionic ions --from-md.")] = Path("slit.json"),
    checkpoint: Annotated[Path | None, typer.Option(help="Go on from this file, and keep it up.")] = None,
    trajectory: Annotated[Path | None, typer.Option(help="Write up to 200 frames as a LAMMPS dump.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of OpenMM.")] = 1,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Move the molecules of a slit (needs the extra md); report diffusion, permittivity, layers and pairs."""
    from neurograft.ionic import (
        MolecularRun,
        MolecularSlit,
        load_molecules,
        measured,
        run_molecules,
        save_measured,
        write_molecules,
    )

    if not 0.005 <= ns <= 1000:
        raise OptionError(f"--ns is {ns:g}. Give 0.005 to 1000 nanoseconds.")
    slit = MolecularSlit(
        layers=layers, wall=wall, salt=salt, n_units=units, side_m=side_nm * NM, is_corrugated=not smooth,
        temperature_k=temperature_k,
    )  # fmt: skip
    is_resumed = checkpoint is not None and checkpoint.exists()
    if is_resumed and checkpoint is not None:
        run = load_molecules(checkpoint, slit, seed=seed, n_threads=threads)
    else:
        run = MolecularRun(slit, seed=seed, n_threads=threads)
    with shown_progress() as progress:
        run.settle(settle_ps * PS, progress=progress)
        before, began = len(run.state.frames), time.perf_counter()
        frames = run_molecules(
            run, duration_s=ns * NS, settle_s=settle_ps * PS, checkpoint=checkpoint, progress=progress
        )
        wall_s = time.perf_counter() - began
    state = run.state
    found, _ = measured(slit, run.atoms, frames, frame_s=state.frame_s, temperatures_k=state.temperatures_k)
    save_measured(out, found)
    if trajectory is not None:
        write_molecules(trajectory, slit, run.atoms, frames[:: max(1, frames.shape[0] // 200)])
    added = frames.shape[0] - before
    ns_a_day = added * state.frame_s / NS / wall_s * 86400 if added > 0 else None
    result: dict[str, object] = {
        "atoms": len(run.atoms.kinds), "wall_atoms_simulated": 0, "resumed": is_resumed, "ns": found.duration_s / NS,
        "ns_a_day": ns_a_day, "flags": list(found.flags()), "out": str(out),
        **{name: list(value) for name, value in _estimates(found).items()}, "water_layers": found.water_layers,
    }  # fmt: skip
    lines = [
        f"{len(run.atoms.kinds)} atoms, {found.duration_s / NS:.3g} ns"
        + (f" at {ns_a_day:.0f} ns a day" if ns_a_day else "")
        + f"; the two {wall} sheets are a field, not atoms",
        f"water lies in {found.water_layers} layers",
        *(f"{name}: {_told(value)}" for name, value in _estimates(found).items()),
        *(f"note: {flag}" for flag in found.flags()),
        *(f"written: {path}" for path in (out, checkpoint, trajectory) if path is not None),
    ]
    show(lines, result, as_json=as_json)


def _estimates(found) -> "dict[str, Estimate]":  # pyright: ignore
    names = (
        "thermostat_k", "water_m2_s", "cation_m2_s", "anion_m2_s", "permittivity", "permittivity_across",
        "pair_fraction", "contact_m",
    )  # fmt: skip
    return {name: getattr(found, name) for name in names}


def _told(value: "Estimate") -> str:
    if value.value is None or value.error is None:
        return "this run cannot tell"
    return f"{value.value:.3g} +- {value.error:.2g}"
