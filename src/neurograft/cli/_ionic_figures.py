"""The ionic report: each published figure drawn anew, with a table of what is met."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from neurograft.errors import OptionError
from neurograft.ionic import (
    BIOLOGICAL_SPIKE_J,
    CMOS_SPIKE_J,
    FIELD_UNIT_V_M,
    LEAST_CMOS_SPIKE_J,
    PAIRS_ALONE,
    PAPER,
    SAMPLE_FIT,
    WIDE_CORE,
    Adsorption,
    Circuit,
    IonModel,
    Leftover,
    NeuronTrace,
    OpenSlit,
    PairTheory,
    ParticleOptions,
    Plane,
    PowerLaw,
    Reduced,
    SpikeTrain,
    Stepper,
    authors_start,
    authors_trace,
    clusters,
    energy_per_spike_j,
    equilibrium_fraction,
    even_densities,
    exact_kt,
    filling_time_s,
    fitted,
    paper_salt,
    phase_diagram,
    random_start,
    rate_against_current,
    simulate,
    simulate_stripes,
    slit_memristor,
    slit_of_layers,
    spikes_of,
    static_fraction,
    stored_authors_start,
    stored_particle_run,
    stripes_start,
    thin_slab_kt,
)
from neurograft.progress import Progress
from neurograft.provenance import Provenance
from neurograft.report import (
    Cell,
    Figure,
    Report,
    Section,
    Table,
    conduction_figure,
    curve_figure,
    heat_figure,
    loops_figure,
    neuron_figure,
    potential_figure,
)
from neurograft.units import MS, NA, NM, UM, US

_SIDE_M = 447 * NM
_FILE_S = 1.221 * MS  # how long the authors' file is
# What trains are compared in, the authors' numbers, and the sd of 40 runs of stripes from their start.
_TRAIN: Final = (
    ("spikes in 1.17 ms", 13.0, 1.5),
    ("first spike at (us)", 92.2, 16.0),
    ("interval (us)", 87.7, 10.0),
    ("sd of intervals (us)", 15.5, 5.0),
    ("peak (V)", 40.6, 0.4),
    ("trough (V)", 9.3, 1.3),
)
_Row = tuple[str, str, float, float, str]  # what, quantity, ours, published, tolerance and its origin

# Four runs of ``ionic md`` with NaCl (docs/background/ionic.md).  Kept here, as they take an hour.
_MOLECULES: Final = (
    ("atoms, ns", "515, 0.6", "533, 0.5", "322, 0.5", "487, 0.5", ""),
    ("temperature (K)", "297.5 ± 0.7", "298.7 ± 0.4", "298.2 ± 0.7", "298.8 ± 0.6", "298 (thermostat)"),
    ("layers of oxygen", "1", "1", "2", "3", "1, 1, 2, 3 (checklist)"),
    ("diffusion of water (1e-9 m2/s)", "1.42 ± .15", "1.55 ± .19", "2.28 ± .37", "2.60 ± .20", ""),
    ("diffusion of Na", "0.85 ± .12", "1.05 ± .21", "2.0 ± .6", "1.8 ± .4", "1.034 (authors' model)"),
    ("diffusion of Cl", "1.02 ± .11", "1.57 ± .25", "1.9 ± .6", "1.8 ± .2", "1.034 (authors' model)"),
    ("permittivity along", "36 ± 11", "39 ± 8", "76 ± 15", "47 ± 4", "80 (model)"),
    ("permittivity across", "2.21 ± .04", "2.44 ± .08", "3.4 ± .3", "3.8 ± .2", "about 2 (Fumagalli et al. 2018)"),
    ("share of Na touching Cl", ".0002 ± .0002", "0", ".13 ± .07", ".008 ± .008", ""),
)
_MOLECULE_ROWS: Final[list[_Row]] = [
    *(
        (f"molecules, stored run, {which}", "temperature (K)", found, 298.0, "5 (checklist)")
        for which, found in (("1 layer", 297.5), ("1 layer, hBN", 298.7), ("2 layers", 298.2), ("3 layers", 298.8))
    ),
    *((f"molecules, stored run, {n:.0f} layers", "layers of oxygen", n, n, "0 (checklist)") for n in (1.0, 2.0, 3.0)),
    ("molecules, stored run", "mean diffusion of Na and Cl (1e-9 m2/s)", 0.94, 1.034, ".16, twice the run's error"),
]


def ionic_report(
    *, is_quick: bool, trace: Path | None, seed: int, progress: Progress
) -> tuple[Report, list[str], dict[str, float]]:
    """Return the report, lines for the terminal, and numbers."""
    rng = np.random.default_rng(seed)
    pairs, rows = _conduction(rng, is_quick=is_quick, progress=progress)
    neuron, trains = _neuron(rng, trace)
    sections = [_interaction(), pairs, _pairing(rng, is_quick=is_quick, progress=progress), _memory(), neuron]
    stripes, more = _stripes(seed, is_quick=is_quick, progress=progress)
    theirs, from_theirs = _authors(seed, is_quick=is_quick, progress=progress)
    sections += [theirs, stripes, _reservoirs(), _molecules(), _where(progress)]
    fit, power = trains["fit"], trains["power law"]
    rows += [
        ("neuron, fit to the sample run", "interval (us)", fit.interval_s / US, 87.7, "15.5 (authors' sd)"),
        ("neuron, fit to the sample run", "peak (V)", float(fit.peak_v.mean()), 40.6, "20 % (checklist)"),
        ("neuron, fit to the sample run", "spikes in 1.17 ms", float(fit.n_spikes), 13.0, "1"),
        ("neuron, power law", "interval (us)", power.interval_s / US, 87.7, "15.5 (authors' sd)"),
        ("neuron, power law", "peak (V)", float(power.peak_v.mean()), 40.6, "20 % (checklist)"),
        *from_theirs,
        *more,
        *_MOLECULE_ROWS,
    ]
    table = Table(
        columns=("what", "quantity", "ours", "published", "tolerance and its origin"),
        rows=rows,
        caption="What was measured in this run, beside the authors' output files.",
    )
    report = Report(
        title="The ionic neuron, redrawn",
        intro="Robin, Kavokine and Bocquet, Science 373, 687 (2021), computed anew from its equations.",
        sections=[Section(title="Measured against published", blocks=[table]), *sections],
        provenance=Provenance(command="ionic figures", parameters={"quick": is_quick}, seed=seed),
    )
    lines = [f"{what}, {quantity}: {ours:.4g} (published {theirs:.4g})" for what, quantity, ours, theirs, _ in rows]
    return report, lines, {f"{what}, {quantity}": float(ours) for what, quantity, ours, _, _ in rows}


def _interaction() -> Section:
    slit, r = slit_of_layers(1), np.geomspace(0.2, 150, 120) * NM
    curves = {
        "exact, one layer": exact_kt(slit, r),
        "thin slab (Keldysh-Rytova)": thin_slab_kt(slit, r),
        "authors' form": PAPER.energy_kt(r),
        "exact, two layers": exact_kt(slit_of_layers(2), r),
        "exact, three layers": exact_kt(slit_of_layers(3), r),
        "one layer, water of 2 across": exact_kt(slit_of_layers(1, permittivity_across=2.0), r),
    }
    return Section(title="Two ions in a slit", blocks=[potential_figure(curves, r)])


def _conduction(rng: np.random.Generator, *, is_quick: bool, progress: Progress) -> tuple[Section, list[_Row]]:
    fields = np.array([0.21, 0.30] if is_quick else [0.105, 0.148, 0.21, 0.30, 0.46])
    authors = dict(zip((0.105, 0.148, 0.21, 0.30, 0.46), (0.1089, 0.2570, 0.5234, 0.8040, 0.9469), strict=True))
    model = IonModel(salt=paper_salt(200), plane=Plane(length_m=_SIDE_M, width_m=_SIDE_M))
    measured = np.zeros(fields.size)
    rows: list[_Row] = []
    stepper = Stepper(model=model)
    for k, field in enumerate(fields):
        state = random_start(model, rng)
        measured[k], _ = static_fraction(
            stepper, state, field_v_m=float(field) * FIELD_UNIT_V_M, n_blocks=40 if is_quick else 200,
            n_settle=15 if is_quick else 60,
        )  # fmt: skip
        rows.append(("ions, 5 ps", f"n at {field:g}", float(measured[k]), authors[float(field)], "6 % (checklist)"))
        progress("conduction against field", k + 1, fields.size)
    grid = np.geomspace(0.03, 0.6, 60) * FIELD_UNIT_V_M
    curves = {
        "400 ions, 5 ps": (fields * FIELD_UNIT_V_M, measured),
        "lone pairs, 5 ps": (grid, equilibrium_fraction(PAIRS_ALONE, grid, per_m2=1e-3 / NM**2)),
        "power law 9.2": (grid, equilibrium_fraction(PowerLaw(), grid, per_m2=1e-3 / NM**2)),
        "pair theory, core 0.4 nm": (grid, equilibrium_fraction(PairTheory(form=WIDE_CORE), grid, per_m2=1e-3 / NM**2)),
        "pair theory, core 0.1 nm (converged)": (
            grid, equilibrium_fraction(PairTheory(form=PAPER), grid, per_m2=1e-3 / NM**2),
        ),
    }  # fmt: skip
    text = (
        "At the authors' step of 5 ps a touching ion drifts 0.47 nm a step, beyond the core of 0.1 "
        "nm: the step acts as a "
        "softer core. With shorter steps the same model conducts far less: at 0.30 .80, .22 and .08 with 5, 1 and "
        "0.25 ps, and .051 without a step, on the lowest curve."
    )
    return Section(title="Conduction against field", text=text, blocks=[conduction_figure(curves)]), rows


def _pairing(rng: np.random.Generator, *, is_quick: bool, progress: Progress) -> Section:
    rows: list[list[Cell]] = []
    fields = (0.0, 0.2) if is_quick else (0.0, 0.1, 0.2, 0.4)
    for layers in (1, 2, 3):
        model = IonModel(
            salt=paper_salt(200),
            plane=Plane(length_m=_SIDE_M, width_m=_SIDE_M),
            interaction=fitted(slit_of_layers(layers)),
        )
        for field in fields:
            state = random_start(model, rng)
            Stepper(model=model).advance(state, np.full(20_000 if is_quick else 150_000, field * FIELD_UNIT_V_M))
            found = clusters(model, state)
            rows.append([layers, field, found.free_fraction, found.pair_fraction, found.mean_size])
        progress("pairing by layers", layers, 3)
    caption = (
        "400 divalent ions, authors' step, started apart: pairing in one to three layers, and its loss in a field."
    )
    columns = ("layers", "field kT/(e A)", "free", "in neutral pairs", "mean cluster")
    return Section(title="Pairing by layers", blocks=[Table(columns=columns, rows=rows, caption=caption)])


def _memory() -> Section:
    slit = slit_memristor(Circuit(), SAMPLE_FIT)
    amplitude_v = 0.15 * FIELD_UNIT_V_M * slit.length_m
    loops = {f"{f / 1e3:g} kHz": slit.loop(amplitude_v=amplitude_v, frequency_hz=f) for f in (1e4, 1e5, 5e5, 5e6)}
    frequency = np.geomspace(3e3, 1e7, 25)
    areas: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for per_nm2 in (1e-3, 1e-4, 1e-5):
        dense = slit_memristor(Circuit(), SAMPLE_FIT, per_m2=per_nm2 / NM**2)
        area = [dense.loop(amplitude_v=amplitude_v, frequency_hz=float(f), n_points=800).area for f in frequency]
        areas[f"{per_nm2:g} per nm2"] = (frequency, np.array(area))
    slow = Adsorption()
    g = slow.pulses(30, 30) / slow.rest_siemens
    return Section(
        title="Memristor",
        text="Pairs alone remember microseconds. Ions that stick to the walls make minutes of it (Robin et al. 2023).",
        blocks=[
            loops_figure(loops),
            curve_figure(
                areas,
                x="frequency (Hz)",
                y="loop area",
                caption="Area against frequency, by density.",
                is_log=(True, False),
            ),
            curve_figure(
                {"conductance": (np.arange(60.0), g)}, x="pulse of 10 s", y="conductance / rest",
                caption=f"Potentiation and depression by adsorption; memory {slow.memory_s:.0f} s (published 50-400).",
            ),
        ],
    )  # fmt: skip


def _neuron(rng: np.random.Generator, trace: Path | None) -> tuple[Section, dict[str, SpikeTrain]]:
    laws = {"fit": SAMPLE_FIT, "power law": PowerLaw(), "lone pairs": PAIRS_ALONE}
    traces = {k: simulate(Reduced(circuit=Circuit(), law=law), duration_s=1.17 * MS) for k, law in laws.items()}
    traces["fit, with noise"] = simulate(Reduced(circuit=Circuit(), law=SAMPLE_FIT), duration_s=1.17 * MS, rng=rng)
    trains = {name: spikes_of(course) for name, course in traces.items()}
    traces["every ion, authors' start"] = stored_authors_start()
    if trace is not None:
        traces["every ion"] = _read_trace(trace)
    current = np.array([0.01, 0.02, 0.05, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25]) * NA
    rates = {
        name: (current / NA, rate_against_current(Reduced(circuit=Circuit(), law=law), current) / 1e3)
        for name, law in laws.items()
    }
    rows: list[list[Cell]] = [
        ["this circuit, power law", energy_per_spike_j(Reduced(circuit=Circuit(), law=PowerLaw()))],
        ["cortical neuron, all that a spike sets off (Attwell and Laughlin 2001)", BIOLOGICAL_SPIKE_J],
        ["analog CMOS neuron, 65 nm (J. Low Power Electron. Appl. 2023, 13, 55)", CMOS_SPIKE_J],
        ["analog CMOS neuron, the least known (Sourikopoulos et al. 2017)", LEAST_CMOS_SPIKE_J],
    ]
    blocks = [
        neuron_figure(traces),
        curve_figure(rates, x="current (nA)", y="rate (kHz)", caption="Rate against current; 0 beyond is block."),
        Table(columns=("neuron", "energy of a spike (J)"), rows=rows, caption="Energy of a spike."),
    ]
    return Section(title="Neuron", blocks=blocks), trains


def _authors(seed: int, *, is_quick: bool, progress: Progress) -> tuple[Section, list[_Row]]:
    """Return neurons from the places where the authors' input puts its ions, beside their output file."""
    file, ions = authors_trace(), stored_authors_start()
    begin = stripes_start(authors_start(Circuit(), ParticleOptions(), np.random.default_rng(seed)))
    n_runs = 3 if is_quick else 20
    traces: dict[str, NeuronTrace] = {"the authors' file": file, "every ion, stored run": ions}
    trains: list[SpikeTrain] = []
    for k in range(n_runs):
        noise = np.random.default_rng([seed, k])
        trace = simulate_stripes(Circuit(), PAIRS_ALONE, duration_s=_FILE_S, rng=noise, start=begin)
        trains.append(spikes_of(trace))
        if k < 2:
            traces[f"stripes, noise {k + 1}"] = trace
        progress("neurons from the authors' start", k + 1, n_runs)
    stored = {"authors' file": file, "every ion, their start": ions, "every ion, seed 5": stored_particle_run()}
    rows = [_train_row(name, float(trace.time_s[-1]), spikes_of(trace)) for name, trace in stored.items()]
    rows += [_train_row(f"stripes, their start, {k + 1}", _FILE_S, train) for k, train in enumerate(trains)]
    columns = ("neuron", "until (us)", "spikes", "first (us)", "interval (us)", "its sd", "peak (V)", "trough (V)")
    table = Table(columns=columns, rows=rows, caption="Trains one by one. Seed 5 was chosen among 20, theirs was not.")
    text = (
        "The authors' input names the seeds that spread their ions, so their start can be had. From there stripes and "
        "moving ions do what their output file shows: a jump to 13 V, some 30 us near 0, then spikes."
    )
    name = f"neuron, stripes from the authors' start, median of {n_runs} runs"
    found: list[_Row] = []
    median = np.nanmedian([_numbers_of(train) for train in trains], axis=0)
    for (what, theirs, sd), value in zip(_TRAIN, median.tolist(), strict=True):
        found.append((name, what, value, theirs, f"{sd:g} (sd of 40 such runs)"))
    train, end_s = spikes_of(ions), float(ions.time_s[-1])
    name = f"neuron, every ion from the authors' start, {end_s / US:.0f} us"
    until_then = float((spikes_of(file).time_s <= end_s).sum())
    found.append((name, "spikes until then", float(train.n_spikes), until_then, "1.5 (sd of stripes from there)"))
    if train.n_spikes:
        found.append((name, "first spike at (us)", float(train.time_s[0]) / US, 92.2, "16 (sd of stripes from there)"))
        found.append((name, "interval (us)", train.interval_s / US, 87.7, "15.5 (authors' sd)"))
        found.append((name, "peak (V)", float(train.peak_v.mean()), 40.6, "2.2 (authors' sd)"))
    return Section(title="The authors' own start", text=text, blocks=[neuron_figure(traces), table]), found


def _train_row(name: str, end_s: float, train: SpikeTrain) -> list[Cell]:
    """Return what a table says of a train; None where it has too few spikes."""
    return [name, end_s / US, *(None if math.isnan(v) else v for v in _numbers_of(train))]


def _numbers_of(train: SpikeTrain) -> list[float]:
    """Return what ``_TRAIN`` lists; NaN where there are too few spikes."""
    first = float(train.time_s[0]) / US if train.n_spikes else math.nan
    peak, trough = (float(v.mean()) if v.size else math.nan for v in (train.peak_v, train.trough_v))
    return [float(train.n_spikes), first, train.interval_s / US, train.interval_sd_s / US, peak, trough]


def _stripes(seed: int, *, is_quick: bool, progress: Progress) -> tuple[Section, list[_Row]]:
    """Return neurons whose ions have places across the field, from several random starts."""
    n_seeds = 3 if is_quick else 20
    traces: dict[str, NeuronTrace] = {}
    rows: list[list[Cell]] = []
    for k in range(n_seeds):
        rng = np.random.default_rng([seed, k])
        trace = simulate_stripes(Circuit(), PAIRS_ALONE, duration_s=1.205 * MS, rng=rng)
        train = spikes_of(trace)
        if k < 3:
            traces[f"start {k + 1}"] = trace
        peak, trough = (float(v.mean()) if v.size else None for v in (train.peak_v, train.trough_v))
        rows.append([k + 1, train.n_spikes, None if train.n_spikes < 2 else train.interval_s / US, peak, trough])
        progress("neurons of stripes", k + 1, n_seeds)
    median = [float(np.median([row[c] for row in rows if row[c] is not None])) for c in (1, 2, 3, 4)]  # pyright: ignore
    caption = "Rates of lone pairs, nothing fitted; the authors' one run: 13 spikes, 87.7 us, 40.6 V, trough 9.3 V."
    columns = ("random start", "spikes in 1.17 ms", "interval (us)", "peak (V)", "trough (V)")
    text = (
        "Where ions were spread at random, some stripes along the field have more cations and some more anions, and "
        "what is left over cannot pair until it has diffused across. Rates of the mean do not know of it; here each "
        "free ion and each pair has a place across the field."
    )
    blocks = [neuron_figure(traces), Table(columns=columns, rows=rows, caption=caption), _swings()]
    name = f"neuron, stripes, median of {n_seeds} starts"
    told: list[_Row] = [
        (name, "spikes in 1.17 ms", median[0], 13.0, "one run of theirs; starts differ by 5 (sd)"),
        (name, "interval (us)", median[1], 87.7, "15.5 (authors' sd)"),
        (name, "peak (V)", median[2], 40.6, "2.2 (authors' sd)"),
        (name, "trough (V)", median[3], 9.3, "2.8 to 12.3 (authors' range)"),
    ]
    return Section(title="Ions across the field", text=text, blocks=blocks), told


def _swings() -> Figure:
    """Return between which potentials a neuron swings, by the excess of one sign in stripes of its second slit."""
    excess = np.linspace(0.0, 0.32, 17)
    cycles = [Leftover(circuit=Circuit(), law=PAIRS_ALONE, na=e / math.sqrt(10), k=e).cycle() for e in excess.tolist()]
    curves = {
        "peak": (excess, np.array([c.highest_v for c in cycles])),
        "trough": (excess, np.array([c.lowest_v for c in cycles])),
    }
    caption = (
        "Mean rates where in each stripe this share of the ions is in excess of the other sign: whole spikes with "
        "little excess, a small swing with more, rest beyond .25. Of 8,000 ions spread at random it is .46 in cells of "
        "300 nm, and .26 after 140 us."
    )
    return curve_figure(curves, x="excess in the second slit", y="potential (V)", caption=caption)


def _reservoirs() -> Section:
    """Return how long an open slit takes to exchange its ions; the tests show that moving ions do so."""
    rows: list[list[Cell]] = []
    for length_um in (2, 5, 10):
        model = IonModel(salt=paper_salt(200), plane=Plane(length_m=length_um * UM, width_m=_SIDE_M))
        ends = even_densities(model)
        rows.append([length_um, filling_time_s(OpenSlit(model=model, left_per_m2=ends, right_per_m2=ends)) / MS])
    caption = "L^2 / (pi^2 D). Published: memory of milliseconds. At fixed numbers pairs forget in microseconds."
    table = Table(columns=("length (um)", "ions are exchanged in (ms)"), rows=rows, caption=caption)
    return Section(title="Reservoirs at both ends", blocks=[table])


def _molecules() -> Section:
    rows: list[list[Cell]] = [list(row) for row in _MOLECULES]
    caption = "Measured once by ionic md, not in this run: SPC/E water and NaCl between frozen sheets."
    columns = ("quantity", "1 layer, graphene", "1 layer, hBN", "2 layers, graphene", "3 layers, graphene", "elsewhere")
    return Section(title="Molecules", blocks=[Table(columns=columns, rows=rows, caption=caption)])


def _read_trace(path: Path) -> NeuronTrace:
    try:
        columns = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)
    except ValueError as error:
        raise OptionError(f"{path} is no trace of ionic neuron: {error}. Write it with its -o option.") from error
    if columns.shape[1] != 4:
        raise OptionError(f"{path} has {columns.shape[1]} columns; a trace of ionic neuron has 4.")
    return NeuronTrace(*columns.T.copy())


def _where(progress: Progress) -> Section:
    batteries: Sequence[float] = (0.03, 0.05, 0.1, 0.15, 0.2, 0.3)
    points = phase_diagram(layers=(1, 2, 3), valences=(1, 2), batteries=batteries, progress=progress)
    names = [f"{n} layers, z {z}" for n in (1, 2, 3) for z in (1, 2)]
    swing = np.array([o.swing_v if o.spikes else np.nan for _, _, o in points]).reshape(6, len(batteries))
    figure = heat_figure(
        swing, x=[f"{b:g}" for b in batteries], y=names, titles=("battery, kT/(e A)", "slit and salt", "swing (V)"),
        caption="Where the circuit spikes at any of six currents (pair theory, 2 um slits), how high. Blank: never.",
    )  # fmt: skip
    return Section(title="Where spiking is possible", blocks=[figure])
