"""A small grown culture with known truth: copied from its membrane potentials, scored, pasted, run, compared."""

from pathlib import Path

from neurograft.cli.demo._walk import Walk, fidelity_lines, fidelity_result, pasted
from neurograft.comparing import Score, TrialOptions, compare_copy, score
from neurograft.copying import copy_intracellular
from neurograft.culture import culture_named, grow, record
from neurograft.maps import save_map
from neurograft.progress import Progress
from neurograft.report import fidelity_chapter, map_chapter, memory_chapter, score_chapter, traces_figure
from neurograft.spikes import save_spikes

_N_NEURONS, _N_INPUTS = 40, 6
_SECONDS = 60.0

_MEANING = """A culture grown in simulation, so every synapse is known. It is a calm one: forty neurons that fire of \
themselves, without bursts, so what couples them is their synapses. The copier sees only the voltages of the array's \
pads, with their drifting coupling, noise and dead pads; it does not see the truth that it is scored on."""

_RUN = """The copied map runs from memory with integrate-and-fire neurons under a drive fitted to the culture's \
rates. The culture itself has other neurons (adaptive exponential ones) with synapses that fail and depress, so a \
perfect score is not to be had."""


def culture_walk(folder: Path, seed: int, progress: Progress) -> Walk:
    """Return the walk over a grown culture; files go to the folder."""
    options = culture_named("calm", n_neurons=_N_NEURONS, inputs_per_neuron=_N_INPUTS)
    culture = grow(options, seed=seed, progress=progress)
    recorded = record(culture, seconds=_SECONDS, seed=seed, progress=progress)
    save_map(recorded.truth, folder / "truth.h5")
    copied = copy_intracellular(recorded.recording, progress=progress)
    save_map(copied.map, folder / "map.h5")
    save_spikes(copied.spikes, folder / "spikes.h5")
    result = score(copied.map, recorded.truth, layout=recorded.layout, spikes=copied.spikes)
    in_memory = pasted(copied.map, folder / "image.h5", memory="rram", seed=seed, progress=progress)
    trial = compare_copy(copied.spikes, in_memory.held, options=TrialOptions(), seed=seed, progress=progress)
    save_spikes(trial.copy, folder / "activity.h5")
    traces = traces_figure(recorded.recording, trains=copied.spikes, length_s=1.0)
    return Walk(
        sections=[
            map_chapter("Culture: the map that was copied", copied.map, text=_MEANING, more=[traces]),
            score_chapter("Culture: the map beside the truth", result),
            memory_chapter("Culture: the map in memory", in_memory.image, in_memory.summary, text=""),
            fidelity_chapter(
                "Culture: the copy beside the original",
                trial,
                text=_RUN,
                names={"original": "culture", "copy": "copy, run from memory"},
            ),
        ],
        lines=[*_told(result), *fidelity_lines(trial.fidelity)],
        result={"score": result.as_json(), "fidelity": fidelity_result(trial.fidelity)},
    )


def _told(result: Score) -> list[str]:
    """Return what the truth says of the map in four lines; the report has the whole score."""
    return [
        f"grown culture: of {result.recall.of} synapses {result.recall.count} found, {result.recall_decided} of those "
        "between pads that show a neuron from inside",
        f"  calls that are false  {result.realised_fdr}, claimed {result.claimed_fdr:.3f}",
        f"  found with the wrong sign  {result.sign_error}",
        f"  true strength within 1.96 standard errors  {result.strength.coverage}",
    ]
