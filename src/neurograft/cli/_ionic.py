"""``neurograft ionic …``: ions in a slit, the memristor that follows, the neuron built of two of them."""

import math
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurograft.cli._ionic_md import md_command
from neurograft.cli._ionic_pair import pair_command
from neurograft.cli._options import AsJson, Seed, show
from neurograft.cli._progress import shown_progress
from neurograft.errors import OptionError
from neurograft.units import NM, NS, PS, US

if TYPE_CHECKING:
    from neurograft.ionic import IonState, LogRatio, NeuronTrace, Noisy, RateLaw, Salt

ionic_app = typer.Typer(
    no_args_is_help=True,
    help="Ions in a slit one molecule high: pairs, memristor, neuron (Robin et al., Science 2021).",
)


ionic_app.command("md")(md_command)
ionic_app.command("pair")(pair_command)


_LEAST_STRIPES = 0.01  # of the authors' 20 um


class Depth(StrEnum):
    """How deep the neuron is simulated."""

    ODE = "ode"
    NOISY = "noisy"
    STRIPES = "stripes"
    PARTICLES = "particles"


class Law(StrEnum):
    """Where the rates of breaking and catching come from."""

    POWER = "power"
    SAMPLE = "sample"
    PAIRS = "pairs"
    THEORY = "theory"


@ionic_app.command("ions")
def ions_command(
    salt: Annotated[
        str, typer.Option(help="model (divalent, the authors'), or formula units: NaCl=100,CaSO4=50.")
    ] = "model",
    ions: Annotated[int, typer.Option(min=2, help="Ions in all, for the model salt.")] = 400,
    side_nm: Annotated[float, typer.Option(help="Side of the square plane.")] = 447.0,
    layers: Annotated[int, typer.Option(help="Water layers: 0 is the authors' fit, else 1, 2 or 3.")] = 0,
    from_md: Annotated[
        Path | None, typer.Option(help="Slit and ions as measured on molecules (JSON of ionic md).")
    ] = None,
    field: Annotated[float, typer.Option(help="Field along the plane, kT/(e A) = 257 MV/m.")] = 0.21,
    hertz: Annotated[float, typer.Option(help="Frequency of a cosine; 0 holds the field.")] = 0.0,
    microseconds: Annotated[float, typer.Option(help="Model time, the first fifth of which is not counted.")] = 1.0,
    step_ps: Annotated[float, typer.Option(help="Time step; the authors' 5 ps is not converged.")] = 5.0,
    trajectory: Annotated[Path | None, typer.Option(help="Write a LAMMPS dump, for MDAnalysis and OVITO.")] = None,
    checkpoint: Annotated[Path | None, typer.Option(help="Write the ions' state at the end; go on from it.")] = None,
    is_open: Annotated[
        bool, typer.Option("--open", help="Reservoirs of the salt's density at both ends, instead of a ring.")
    ] = False,
    threads: Annotated[int, typer.Option(min=1, help="Threads; the ions' paths do not depend on them.")] = 1,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Move ions of a salt in a plane under a field; report conduction, pairs and clusters."""
    import numpy as np

    from neurograft.ionic import (
        FIELD_UNIT_V_M,
        TEMPERATURE_K,
        IonModel,
        OpenSlit,
        Plane,
        Sine,
        Steady,
        Stepper,
        clusters,
        even_densities,
        load_ions,
        load_measured,
        open_start,
        random_start,
        save_ions,
    )  # fmt: skip

    if from_md is not None and (layers or salt == "model"):
        raise OptionError("--from-md brings its own layers and knows real ions. Leave out --layers, name a --salt.")
    of_molecules = load_measured(from_md) if from_md is not None else None
    chosen = _salt(salt, ions)
    model = IonModel(
        salt=chosen if of_molecules is None else of_molecules.salt_of(chosen),
        plane=Plane(length_m=side_nm * NM, width_m=side_nm * NM),
        interaction=_interaction(layers) if of_molecules is None else of_molecules.interaction(),
        step_s=step_ps * PS,
        temperature_k=TEMPERATURE_K if of_molecules is None else of_molecules.temperature_k,
    )
    strongest = field * FIELD_UNIT_V_M
    flags = model.flags(strongest_v_m=strongest) + (() if of_molecules is None else of_molecules.flags())
    wave = Sine(amplitude_v_m=strongest, frequency_hz=hertz) if hertz > 0 else Steady(field_v_m=strongest)
    is_resumed = checkpoint is not None and checkpoint.exists()
    n_chunks = 8 if model.salt.n_ions >= 4000 else 1
    rng = np.random.default_rng(seed)
    slit = OpenSlit(model=model, left_per_m2=even_densities(model), right_per_m2=even_densities(model))
    moved = slit.whole if is_open else model
    if is_resumed and checkpoint is not None:
        state = load_ions(checkpoint, moved, is_open=is_open)
    elif is_open:
        state = open_start(slit, rng, n_chunks=n_chunks)
    else:
        state = random_start(model, rng, n_chunks=n_chunks)
    with shown_progress() as progress:
        if is_open:
            ratio, state = _open_moved(slit, state, wave, rng, microseconds * US, threads, trajectory, progress)
        else:
            n_blocks = max(5, round(microseconds * US / (2000 * model.step_s)))
            ratio = _moved(Stepper(model=model, n_threads=threads), state, wave, n_blocks, trajectory, progress)
    if checkpoint is not None:
        save_ions(checkpoint, moved, state)
    settled = ratio[:, ratio.shape[1] // 5 :]
    fraction = float(settled[1].sum() / settled[0].sum()) if hertz == 0 and field != 0 else None
    found = clusters(moved, state)
    result = {
        "ions": model.salt.n_ions,
        "ions_in_the_slit": int(slit.is_inside(state).sum()) if is_open else model.salt.n_ions,
        "model_time_s": state.n_steps * model.step_s,
        "conduction_fraction": fraction,
        "free_fraction": found.free_fraction,
        "pair_fraction": found.pair_fraction,
        "mean_cluster_size": found.mean_size,
        "resumed": is_resumed,
        "flags": list(flags),
    }
    told = "not asked for (no steady field)" if fraction is None else f"{fraction:.4f}"
    lines = [
        f"{model.salt.n_ions} ions, {state.n_steps} steps of {step_ps:g} ps; conduction fraction {told}",
        *([f"{result['ions_in_the_slit']} ions in the slit now, by what its ends let in and out"] if is_open else []),
        f"free {found.free_fraction:.3f}, in neutral pairs {found.pair_fraction:.3f}, mean cluster "
        f"{found.mean_size:.2f}",
        *(f"note: {flag}" for flag in flags),
        *(f"written: {path}" for path in (trajectory, checkpoint) if path is not None),
    ]
    show(lines, result, as_json=as_json)


def _interaction(layers: int) -> "LogRatio":
    from neurograft.ionic import PAPER, fitted, slit_of_layers

    return PAPER if layers == 0 else fitted(slit_of_layers(layers))


def _moved(stepper, state, wave, n_blocks, trajectory, progress):  # pyright: ignore
    """Return field and current ratio of each block, writing a frame every tenth of the run where one is asked for."""
    import numpy as np

    from neurograft.ionic import TrajectoryWriter, run_ions

    if trajectory is None:
        record = run_ions(stepper, state, wave, n_blocks=n_blocks, progress=progress)
        return np.stack([record.field_v_m, record.current_ratio])
    every, count = max(1, n_blocks // 100), 0
    with TrajectoryWriter(trajectory, stepper.model) as writer:
        writer.write(state)

        def frame(now: "IonState") -> None:
            nonlocal count
            count += 1
            if count % every == 0:
                writer.write(now)

        record = run_ions(stepper, state, wave, n_blocks=n_blocks, on_block=frame, progress=progress)
    return np.stack([record.field_v_m, record.current_ratio])


def _open_moved(slit, state, wave, rng, duration_s, n_threads, trajectory, progress):  # pyright: ignore
    """Return field and current ratio of each block, and the last state; a frame every hundredth of the run."""
    from contextlib import nullcontext

    import numpy as np

    from neurograft.ionic import TrajectoryWriter, free_current_a, run_open

    block_steps = max(1, min(200, int(slit.longest_block_s / slit.model.step_s)))
    n_blocks = max(5, round(duration_s / (block_steps * slit.model.step_s)))
    every, count = max(1, n_blocks // 100), 0
    with TrajectoryWriter(trajectory, slit.whole) if trajectory is not None else nullcontext() as writer:

        def frame(now: "IonState") -> None:
            nonlocal count
            count += 1
            if writer is not None and count % every == 0:
                writer.write(now)

        record, last = run_open(
            slit, state, wave, rng, n_blocks=n_blocks, block_steps=block_steps, n_threads=n_threads, on_block=frame,
            progress=progress,
        )  # fmt: skip
    return np.stack([record.field_v_m, record.current_a / free_current_a(slit, 1.0)]), last


def _salt(text: str, n_ions: int) -> "Salt":
    from neurograft.ionic import paper_salt, salt

    if text == "model":
        return paper_salt(n_ions // 2)
    units: dict[str, int] = {}
    for part in text.split(","):
        name, _, count = part.partition("=")
        if not count.isdigit():
            raise OptionError(f"--salt has {part!r}. Write model, or a number for each salt: NaCl=100,CaSO4=50.")
        units[name.strip()] = int(count)
    return salt(**units)


@ionic_app.command("neuron")
def neuron_command(
    depth: Annotated[
        Depth, typer.Option(help="Rate equations; with noise; ions' places across the field; every ion.")
    ] = Depth.ODE,
    law: Annotated[
        Law | None,
        typer.Option(
            help="Rates: power law, fit to the authors' run (ode, noisy), lone pairs (stripes), pair theory.",
            show_default=False,
        ),
    ] = None,
    current_na: Annotated[float, typer.Option(help="Current into the capacitor.")] = 0.1,
    microseconds: Annotated[
        float, typer.Option(min=0, help="Model time from the start; 0 with a checkpoint reports what it holds.")
    ] = 1170.0,
    size: Annotated[float, typer.Option(help="Share of the authors' 8000 ions a slit; circuit in proportion.")] = 1.0,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="CSV of time, potential and both shares.")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Particles: go on from this file, and keep it up to date.")
    ] = None,
    start: Annotated[
        Path | None, typer.Option(help="Stripes: begin where the ions of this checkpoint are, instead of at random.")
    ] = None,
    is_authors: Annotated[
        bool, typer.Option("--authors-start", help="Particles, stripes: ions where the authors' input puts them.")
    ] = False,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Run the two-slit neuron and report its spikes."""
    from dataclasses import replace

    import numpy as np

    from neurograft.ionic import (
        Circuit,
        ParticleOptions,
        Reduced,
        authors_start,
        load_neuron,
        simulate,
        simulate_stripes,
        spikes_of,
        start_neuron,
        stripes_start,
    )
    from neurograft.units import NA

    if not 0 < size <= 4:
        raise OptionError(f"--size is {size:g}. Give a share of the authors' ions above 0, at most 4.")
    if depth is Depth.STRIPES and size < _LEAST_STRIPES:
        raise OptionError(
            f"--size is {size:g}. Stripes need two cells of 100 nm across: give {_LEAST_STRIPES} or more."
        )
    whole = Circuit()
    circuit = replace(
        whole, current_a=current_na * NA * size, n_pairs=max(1, round(whole.n_pairs * size)),
        na_width_m=whole.na_width_m * size, k_width_m=whole.k_width_m * size, capacitance_f=whole.capacitance_f * size,
    )  # fmt: skip
    if start is not None and depth is not Depth.STRIPES:
        raise OptionError(f"--start is for --depth stripes; {depth.value} cannot begin at places of ions.")
    if is_authors and (start is not None or depth not in (Depth.STRIPES, Depth.PARTICLES)):
        raise OptionError("--authors-start is a start of --depth stripes or particles, instead of --start.")
    rng, excess, options = np.random.default_rng(seed), {}, ParticleOptions()
    rates = _law(law or (Law.PAIRS if depth is Depth.STRIPES else Law.SAMPLE))
    with shown_progress() as progress:
        if depth is Depth.STRIPES:
            begun = load_neuron(start, circuit, options) if start is not None else None
            begun = authors_start(circuit, options, rng) if is_authors else begun
            begun = None if begun is None else stripes_start(begun)
            trace = simulate_stripes(circuit, rates, duration_s=microseconds * US, rng=rng, start=begun)
        elif depth is Depth.PARTICLES:
            fresh = (authors_start if is_authors else start_neuron)(circuit, options, rng)
            trace, excess = _particles(fresh, microseconds * US, checkpoint, progress)
        else:
            neuron = Reduced(circuit=circuit, law=rates)
            noise = rng if depth is Depth.NOISY else None
            trace = simulate(neuron, duration_s=microseconds * US, step_s=50 * NS, rng=noise)
    train = spikes_of(trace)
    result: Mapping[str, float | int | None] = {
        "model_time_s": float(trace.time_s[-1]) if trace.time_s.size else 0.0,
        "spikes": train.n_spikes,
        "interval_s": _known(train.interval_s),
        "interval_sd_s": _known(train.interval_sd_s),
        "peak_v": _known(float(train.peak_v.mean())) if train.n_spikes else None,
        "trough_v": _known(float(train.trough_v.mean())) if train.trough_v.size else None,
        **excess,
    }
    lines = [f"{key}: {'-' if value is None else f'{value:.4g}'}" for key, value in result.items()]
    if train.n_spikes and depth is Depth.PARTICLES:
        told = zip(train.time_s / US, train.peak_v, strict=True)
        lines.append("spikes at " + ", ".join(f"{t:.1f} us ({v:.1f} V)" for t, v in told))
    lines.append("authors, every ion: 13 spikes in 1.17 ms, interval 87.7 +- 15.5 us, peak 40.6 V, trough 9.3 V")
    if out is not None:
        _write_trace(trace, out)
        lines.append(f"written: {out}")
    show(lines, result, as_json=as_json)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _law(law: Law) -> "RateLaw":
    from neurograft.ionic import PAIRS_ALONE, SAMPLE_FIT, WIDE_CORE, PairTheory, PowerLaw

    known: dict[Law, RateLaw] = {
        Law.POWER: PowerLaw(), Law.SAMPLE: SAMPLE_FIT, Law.PAIRS: PAIRS_ALONE, Law.THEORY: PairTheory(form=WIDE_CORE),
    }  # fmt: skip
    return known[law]


def _particles(neuron, duration_s, checkpoint, progress) -> "tuple[NeuronTrace, dict[str, float]]":  # pyright: ignore
    """Return the course, and in each slit the share of ions that are in excess of the other sign where they are."""
    from neurograft.ionic import excess_shares, load_neuron, run_particles

    if checkpoint is not None and checkpoint.exists():
        neuron = load_neuron(checkpoint, neuron.circuit, neuron.options)
    trace = run_particles(neuron, duration_s=duration_s, checkpoint=checkpoint, progress=progress)
    in_na, in_k = excess_shares(neuron)
    return trace, {"excess_na": in_na, "excess_k": in_k}


def _write_trace(trace: "NeuronTrace", out: Path) -> None:
    from neurograft.files import written_whole

    with written_whole(out) as part, part.open("w", encoding="ascii", newline="\n") as stream:
        stream.write("time_s,voltage_v,n_na,n_k\n")
        stream.writelines(f"{t:.9g},{v:.6g},{a:.6g},{b:.6g}\n" for t, v, a, b in zip(*trace, strict=True))


@ionic_app.command("phase")
def phase_command(
    layers: Annotated[str, typer.Option(help="Water layers, with commas.")] = "1,2,3",
    valences: Annotated[str, typer.Option(help="Valences of the salt.")] = "1,2",
    batteries: Annotated[str, typer.Option(help="E_Na over the length, in kT/(e A).")] = "0.05,0.1,0.15,0.2,0.3",
    temperatures_k: Annotated[str, typer.Option("--temperatures", help="In kelvin.")] = "298",
    rounds: Annotated[int, typer.Option(min=0, help="Rounds of the search for the slit of lowest voltage.")] = 0,
    pairs: Annotated[
        int, typer.Option(min=0, help="Cations, and anions, of each slit: what their noise does over the shortest one.")
    ] = 0,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Say which slits and salts can spike at all, how high, how often, at what energy."""
    from dataclasses import asdict

    import numpy as np

    from neurograft.ionic import lowest_voltage, phase_diagram, with_noise

    with shown_progress() as progress:
        points = phase_diagram(
            layers=[int(v) for v in _numbers(layers, "--layers")],
            valences=[int(v) for v in _numbers(valences, "--valences")],
            batteries=_numbers(batteries, "--batteries"),
            temperatures_k=_numbers(temperatures_k, "--temperatures"),
            progress=progress,
        )
        best = lowest_voltage(n_rounds=rounds, rng=np.random.default_rng(seed), progress=progress) if rounds else None
    rng = np.random.default_rng(seed)
    rows = [
        {
            "layers": n, "valence": c.valence, "battery": c.battery, "temperature_k": c.temperature_k,
            "spikes": o.spikes, "current_share": c.current_share, "interval_s": _known(o.interval_s),
            "swing_v": o.swing_v if o.spikes else None, "shortest_swing_v": o.shortest_swing_v if o.spikes else None,
            "energy_j": _known(o.energy_j),
            **(_noise(with_noise(c, n_pairs=pairs, rng=rng)) if pairs and o.spikes else {}),
        }
        for n, c, o in points
    ]  # fmt: skip
    lines = [
        f"{n} layers, z {c.valence}, battery {c.battery:g}, {c.temperature_k:g} K: "
        + (
            f"spikes every {o.interval_s / US:.3g} us, swing {o.swing_v:.3g} V, {o.energy_j:.2g} J"
            if o.spikes
            else "no"
        )
        for n, c, o in points
    ]
    if pairs:
        lines = [line + _noise_told(row) for line, row in zip(lines, rows, strict=True)]
    result: dict[str, object] = {"points": rows}
    if rounds and best is None:
        lines.append("The search found no slit that spikes. Give it more --rounds.")
    elif best is not None:
        choice, found = best
        lines.append(
            f"lowest voltage: height {choice.height_m / NM:.3g} nm, battery {choice.battery:.3g}, widths 1 to "
            f"{choice.width_ratio:.3g}, {choice.per_m2 * NM**2:.3g} ions of a species per nm2: swing "
            f"{found.shortest_swing_v:.3g} V over the shortest slit that is a plane, a spike every "
            f"{found.interval_s / US:.3g} us at {found.energy_j:.2g} J over 2 um; a biological spike swings 0.1 V"
        )
        result["lowest"] = {**asdict(choice), **found._asdict()}
        if pairs:
            noise = _noise(with_noise(choice, n_pairs=pairs, rng=rng))
            lines[-1] += _noise_told(noise)
            result["lowest"] |= noise
    show(lines, result, as_json=as_json)


def _noise(found: "Noisy") -> dict[str, float | None]:
    return {f"noisy_{name}": _known(value) for name, value in found._asdict().items()}


def _noise_told(row: Mapping[str, object]) -> str:
    """Return what noise does to the spikes of a row, nothing where there are none."""
    values = [row.get(f"noisy_{name}", math.nan) for name in ("interval_s", "interval_sd_s", "swing_v", "energy_j")]
    if any(isinstance(v, float) and math.isnan(v) for v in values):  # not asked
        return ""
    numbers = [v for v in values if isinstance(v, float)]
    if len(numbers) < 4:
        return "; with noise no regular spikes"
    interval, spread, swing, energy = numbers
    return (
        f"; with noise, over the shortest slit: every {interval / US:.3g} +- {spread / US:.2g} us, "
        f"swing {swing:.2g} V, {energy:.2g} J"
    )


def _numbers(text: str, option: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise OptionError(f"{option} is {text!r}. Give numbers with commas between them.") from None


@ionic_app.command("figures")
def figures_command(
    out: Annotated[Path, typer.Option("--out", "-o", help="HTML report to write.")] = Path("ionic.html"),
    is_quick: Annotated[bool, typer.Option("--quick", help="Fewer fields and shorter runs.")] = False,
    trace: Annotated[
        Path | None, typer.Option(help="CSV of a particle neuron (ionic neuron -o), drawn beside.")
    ] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Redraw the paper's results beside the published numbers."""
    from neurograft.cli._ionic_figures import ionic_report
    from neurograft.report import write_report

    with shown_progress() as progress:
        report, lines, result = ionic_report(is_quick=is_quick, trace=trace, seed=seed, progress=progress)
    write_report(report, out)
    show([*lines, f"written: {out}"], {**result, "report": str(out)}, as_json=as_json)
