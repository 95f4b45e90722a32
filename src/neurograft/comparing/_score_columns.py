"""Further properties of synapses against the truth: release, sites, failures, latency, each with its stated error."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.comparing._ranking import share
from neurograft.comparing._score_result import ColumnError
from neurograft.comparing._score_table import Table
from neurograft.comparing._statistics import pearson, ranks
from neurograft.maps import Kind, SynapseMap

_NORMAL_975 = 1.959963984540054
_LEAST = 3  # synapses, for a figure
_SD_OF = {"delay_s": "latency_sd_s"}  # others are called as their column, with _sd


def column_errors(m: SynapseMap, truth: SynapseMap, table: Table) -> dict[str, ColumnError]:
    """Return every property that both state, over chemical synapses that were found."""
    row = np.flatnonzero(table.call_of_true >= 0)
    call = table.call_of_true[row]
    chemical = (table.true.kind[row] != Kind.ELECTRICAL) & (table.called.kind[call] != Kind.ELECTRICAL)
    true_place, called_place = table.true.top[row[chemical]], table.called.top[call[chemical]]
    truths, calls = _columns(truth), _columns(m)
    out: dict[str, ColumnError] = {}
    for name in sorted(truths.keys() & calls.keys()):
        true, called = truths[name][true_place], calls[name][called_place]
        sd_name = _SD_OF.get(name, f"{name}_sd")
        sd = m.extra[sd_name][called_place] if sd_name in m.extra else np.full(len(called), np.nan)
        known = np.isfinite(true) & np.isfinite(called)
        if np.count_nonzero(known) >= _LEAST:
            out[name] = _error(true[known], called[known], sd[known])
    return out


def _columns(m: SynapseMap) -> Mapping[str, Float64[ndarray, " synapses"]]:
    """Return what a map states beside strength; a truth that counts sites and release states failures too."""
    columns = {**m.extra, "delay_s": m.delay_s}
    columns.pop("local_fdr", None)
    if "failure_rate" not in columns and {"release_probability", "release_sites"} <= columns.keys():
        columns["failure_rate"] = (1 - columns["release_probability"]) ** columns["release_sites"]
    return columns


def _error(true: ndarray, called: ndarray, sd: ndarray) -> ColumnError:
    error, stated = called - true, np.isfinite(sd)
    inside = np.abs(error[stated]) <= _NORMAL_975 * sd[stated]
    return ColumnError(
        n=true.size,
        bias=float(np.median(error)),
        median_abs=float(np.median(np.abs(error))),
        spearman=pearson(ranks(true), ranks(called)),
        coverage=share(int(np.count_nonzero(inside)), int(np.count_nonzero(stated))),
    )
