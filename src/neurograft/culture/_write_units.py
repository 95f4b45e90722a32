"""The culture as an extracellular array and a spike sorter give it: sorted units on disk, with their truth.

OUT/spikes.h5   spikes of the units, a SONATA report: what a copier gets
OUT/truth.h5    the map between units; in /culture whose spikes each unit holds
"""

from pathlib import Path

import numpy as np
from numpy import ndarray

from neurograft.culture._grow import Culture
from neurograft.culture._options import CultureOptions, require_possible
from neurograft.culture._play import n_frames, play
from neurograft.culture._record import neuron_labels, recorded_spikes, recorded_truth
from neurograft.culture._sorting import SortedUnits, SortingOptions, require_sorting, sort_with_errors
from neurograft.culture._truth_file import require_place, save_truth
from neurograft.culture._write import folder_appears_whole
from neurograft.progress import Progress, silent
from neurograft.spikes import save_spikes

_BYTES_OF_A_SPIKE = 64
_SPARE_BYTES = 64 << 20


def write_units(
    culture: Culture,
    folder: Path,
    *,
    seconds: float,
    sorting: SortingOptions | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> SortedUnits:
    """Write what a sorter makes of a culture, and the truth between its units, into a new folder; return both."""
    sorting = sorting or SortingOptions()
    require_units(culture.options, folder, seconds=seconds, sorting=sorting)
    names = neuron_labels(culture)
    when, who = _spikes(culture, seconds=seconds, seed=seed, progress=progress)
    trains = recorded_spikes(culture, when, who, seconds=seconds, labels=names)
    units = sort_with_errors(trains, recorded_truth(culture, names), seed=seed, options=sorting)
    with folder_appears_whole(folder) as part:
        save_spikes(units.spikes, part / "spikes.h5")
        columns = {"unit_share": units.share, "neuron_pad": culture.pad, "neuron_label": np.array(names, dtype="S")}
        told = {"seconds": seconds, "recording_seed": seed, "sorting": sorting}
        save_truth(units.truth, part / "truth.h5", culture=culture, told=told, columns=columns)
    return units


def require_units(options: CultureOptions, folder: Path, *, seconds: float, sorting: SortingOptions) -> None:
    """Raise ``CultureError`` for what cannot be grown, sorted or stored; call it before growing."""
    require_possible(options)
    require_sorting(sorting)
    n_spikes = n_frames(options, seconds) * options.step_s * options.activity.rate_hz * options.n_recorded
    require_place(folder, _BYTES_OF_A_SPIKE * n_spikes + _SPARE_BYTES)


def _spikes(culture: Culture, *, seconds: float, seed: int, progress: Progress) -> tuple[ndarray, ndarray]:
    when: list[ndarray] = []
    who: list[ndarray] = []
    total = n_frames(culture.options, seconds)
    for piece in play(culture, seconds=seconds, seed=seed):
        when.append(piece.spike_frame)
        who.append(piece.spike_neuron)
        progress("running the culture", piece.start + piece.trace_v.shape[1], total)
    return np.concatenate(when), np.concatenate(who)
