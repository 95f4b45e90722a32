"""``neurograft run map.h5|image.h5 -o activity.h5 --seconds S``: the network runs."""

from pathlib import Path
from typing import Annotated

import typer

from neurograft.cli._background import DriveOf, Like, NoiseMv, RateHz, StepMs
from neurograft.cli._learn import HomeostasisHz, Learn, Learnt, Living, MostMv, ShortTerm
from neurograft.cli._memory import Age, DriftEvery, LineOhm, ReadNoise, ReadoutBits, ReadoutMv
from neurograft.cli._neuron import Neuron, SynapseOf, TauExcitatoryMs, TauInhibitoryMs
from neurograft.cli._options import AgeDays, AsJson, Out, Seed, show
from neurograft.cli._outside import Clamp, Replay, StimulusFile
from neurograft.cli._progress import shown_progress
from neurograft.cli._run_task import Choices, EngineName, carry_out, prepare, told, write
from neurograft.cli._traces import Trace, TraceStates


def run_command(
    network: Annotated[Path, typer.Argument(help="A map or a memory image.")],
    out: Out,
    seconds: Annotated[
        float | None, typer.Option(help="How long the network runs, in model time; --replay: as long as the recording.")
    ] = None,
    like: Like = None,
    rate_hz: RateHz = 5.0,
    noise_mv: NoiseMv = None,
    drive_of: DriveOf = None,
    neuron: Neuron = None,
    synapse: SynapseOf = None,
    tau_excitatory_ms: TauExcitatoryMs = None,
    tau_inhibitory_ms: TauInhibitoryMs = None,
    step_ms: StepMs = 0.1,
    threads: Annotated[int, typer.Option(min=1, help="Threads; the spikes do not depend on them.")] = 1,
    round_weights: Annotated[
        bool,
        typer.Option(help="Keep weights as 1/32,767 of the largest: 4 bytes a synapse, not exact. For huge networks."),
    ] = False,
    stimulus: StimulusFile = None,
    replay: Replay = None,
    clamp: Clamp = "0.5",
    learn: Learn = None,
    homeostasis_hz: HomeostasisHz = None,
    short_term: ShortTerm = None,
    most_mv: MostMv = 5.0,
    learnt: Learnt = None,
    living: Living = None,
    age_days: AgeDays = 0.0,
    age: Age = None,
    read_noise: ReadNoise = False,
    readout_bits: ReadoutBits = None,
    readout_mv: ReadoutMv = 20.0,
    line_ohm: LineOhm = 0.0,
    drift_every_s: DriftEvery = None,
    engine: Annotated[
        EngineName, typer.Option(help="Who runs it; the others need that simulator.")
    ] = EngineName.BUILTIN,
    engine_python: Annotated[
        Path | None, typer.Option(help="The python in whose environment the other simulator is.")
    ] = None,
    ranks: Annotated[
        int, typer.Option(min=1, help="MPI processes of coreneuron, or of a NEST that was built with MPI.")
    ] = 1,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Also write the state at the end, or at Ctrl-C, for --resume.")
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(help="Go on from this --checkpoint of the same command; OUT then holds what comes after it."),
    ] = None,
    trace: Trace = None,
    trace_states: TraceStates = "v",
    watch: Annotated[str | None, typer.Option(help="Also print the rates of these neurons: labels and commas.")] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Run a map, or the network that a memory image holds, by the same engine.

    While it runs, spikes go to OUT.log, which info, compare and every other command read as spikes: a killed run
    leaves what it had done there. Ctrl-C writes OUT itself.
    """
    task = prepare(
        Choices(
            network=network,
            out=out,
            seconds=seconds,
            like=like,
            rate_hz=rate_hz,
            noise_mv=noise_mv,
            drive_of=drive_of,
            neuron=neuron,
            synapse=synapse,
            tau_excitatory_ms=tau_excitatory_ms,
            tau_inhibitory_ms=tau_inhibitory_ms,
            step_ms=step_ms,
            threads=threads,
            round_weights=round_weights,
            stimulus=stimulus,
            replay=replay,
            clamp=clamp,
            learn=learn,
            homeostasis_hz=homeostasis_hz,
            short_term=short_term,
            most_mv=most_mv,
            learnt=learnt,
            living=living,
            age_days=age_days,
            age=age,
            read_noise=read_noise,
            readout_bits=readout_bits,
            readout_mv=readout_mv,
            line_ohm=line_ohm,
            drift_every_s=drift_every_s,
            engine=engine,
            engine_python=engine_python,
            ranks=ranks,
            checkpoint=checkpoint,
            resume=resume,
            trace=trace,
            trace_states=trace_states,
            watch=watch,
            seed=seed,
        )
    )
    with shown_progress() as progress:
        activity, drift = carry_out(task, progress)
    write(task, activity)
    lines, result = told(task, activity, drift)
    show(lines, result, as_json=as_json)
