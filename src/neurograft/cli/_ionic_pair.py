"""``neurograft ionic pair``: how strongly two ions of a molecular slit hold each other, for the Brownian model."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurograft.cli._options import AsJson, Seed, show
from neurograft.cli._progress import shown_progress
from neurograft.errors import OptionError
from neurograft.units import NM, PS

if TYPE_CHECKING:
    from neurograft.ionic import PairWork

_VALENCES = {"NaCl": (1, 1), "CaCl2": (2, 1), "CaSO4": (2, 2), "Na2SO4": (1, 2)}


def pair_command(
    layers: Annotated[int, typer.Option(help="Water layers: 1, 2 or 3.")] = 1,
    wall: Annotated[str, typer.Option(help="Sheets: graphene or hbn.")] = "graphene",
    salt: Annotated[str, typer.Option(help="NaCl, CaCl2, CaSO4 or Na2SO4: one formula unit.")] = "NaCl",
    side_nm: Annotated[float, typer.Option(help="Side of the box, rounded to whole cells of the sheet.")] = 2.4,
    rounds: Annotated[
        int, typer.Option(min=6, help="Visits to each of 40 states, of which the first quarter only settles.")
    ] = 10,
    visit_ps: Annotated[float, typer.Option(help="Picoseconds a visit.")] = 3.0,
    settle_ps: Annotated[float, typer.Option(min=0, help="Picoseconds before all visits.")] = 20.0,
    checkpoint: Annotated[Path | None, typer.Option(help="Go on from this file, and keep it up to date.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="CSV of distance, work and error.")] = Path("pair.csv"),
    into: Annotated[Path | None, typer.Option(help="Slit measured by ionic md: put the core found into it.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of OpenMM.")] = 1,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Pull a cation and an anion together by springs (needs the extra md); report the work and the model's core."""
    from neurograft.ionic import (
        Estimate,
        MolecularRun,
        MolecularSlit,
        Umbrellas,
        Visits,
        core_for,
        fitted,
        load_measured,
        pair_work,
        save_measured,
        slit_of_layers,
    )

    if not 0.05 <= visit_ps <= 10_000:
        raise OptionError(f"--visit-ps is {visit_ps:g}. Give 0.05 to 10000 picoseconds.")
    slit = MolecularSlit(layers=layers, wall=wall, salt=salt, n_units=1, side_m=side_nm * NM)
    known = load_measured(into) if into is not None else None
    if known is not None and (known.layers, known.wall, known.salt) != (layers, wall, salt):
        raise OptionError(
            f"{into} is of {known.salt}, {known.layers} layers, {known.wall}; these are {salt}, {layers}, {wall}. "
            "Name the slit that it was measured in."
        )
    umbrellas = Umbrellas(visit_s=visit_ps * PS, settle_s=min(3.0, visit_ps) * PS)
    run = MolecularRun(slit, seed=seed, n_threads=threads, spring=umbrellas.spring)
    is_resumed = checkpoint is not None and checkpoint.exists()
    seen = run.go_on(checkpoint, umbrellas) if is_resumed and checkpoint is not None else Visits()
    with shown_progress() as progress:
        run.settle(settle_ps * PS, progress=progress)
        run.visit(umbrellas, seen, n_rounds=rounds, seed=seed, checkpoint=checkpoint, progress=progress)
    work = pair_work(seen, umbrellas, thermal_kj=8.314462618e-3 * slit.temperature_k)
    _write(work, out)
    form = fitted(slit_of_layers(layers)) if known is None else known.interaction()
    plus, minus = _VALENCES[salt]
    core_m = core_for(work, form, charges=plus * minus)
    contact_kt, error_kt = work.contact_kt
    split_kt, n_rounds = work.contact_split_kt, len(seen.window) // (2 * len(umbrellas.centre_nm))
    notes = [f"an error of {error_kt:.1f} kT says little; go on with more --rounds"] if error_kt > 1 else []
    if abs(split_kt) > max(4 * error_kt, 1.0):
        notes.append("both ways differ by more than chance: water has not settled; go on with more --rounds")
    if known is not None and into is not None:
        save_measured(into, replace(known, contact_m=Estimate(core_m, 0.0)))
    result = {
        "atoms": len(run.atoms.kinds), "resumed": is_resumed, "rounds": n_rounds, "contact_nm": work.contact_nm,
        "contact_kt": contact_kt, "contact_error_kt": error_kt, "in_less_out_kt": split_kt, "core_nm": core_m / NM,
        "notes": notes, "out": str(out),
    }  # fmt: skip
    lines = [
        f"{len(run.atoms.kinds)} atoms, {n_rounds} rounds of {len(umbrellas.centre_nm)} windows from both sides",
        f"at contact, {work.contact_nm:.3f} nm, the work is {contact_kt:.2f} +- {error_kt:.2f} kT, counted from "
        f"{work.distance_nm[-1]:.2f} nm; pairs pulled inwards less pairs pulled outwards: {split_kt:.2f} kT",
        f"the model's core that holds as many pairs: {core_m / NM:.3f} nm",
        *(f"note: {note}" for note in notes),
        *(f"written: {path}" for path in (out, checkpoint, into) if path is not None),
    ]
    show(lines, result, as_json=as_json)


def _write(work: "PairWork", out: Path) -> None:
    from neurograft.files import written_whole

    with written_whole(out) as part, part.open("w", encoding="ascii", newline="\n") as stream:
        stream.write("distance_nm,work_kt,error_kt,in_less_out_kt\n")
        stream.writelines(f"{r:.4g},{w:.5g},{e:.4g},{d:.4g}\n" for r, w, e, d in zip(*work, strict=True))
