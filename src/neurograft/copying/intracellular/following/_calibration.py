"""What is the same all over a recording, learnt from its first minutes and kept from then on.

Noise, which channels show a neuron and which of them one, how high action potentials
are over the mean, each membrane's memory, how restless the network usually is, and how statistics behave at designs
that are turned.  All else of a row is told by the seconds around it.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from neurograft.copying.intracellular._judgement import turned, weighted_design
from neurograft.copying.intracellular._options import IntracellularOptions
from neurograft.copying.intracellular._traces_of import Sources, scale_v, sources
from neurograft.copying.intracellular.judging._templates import reach
from neurograft.copying.intracellular.neurons._channel_reports import ChannelReport, channel_reports, two_told
from neurograft.copying.intracellular.neurons._hum import rate_doubts
from neurograft.copying.intracellular.neurons._two_in_one import two_in_one
from neurograft.copying.intracellular.reading._gather import Work
from neurograft.copying.intracellular.reading._read import Reading
from neurograft.copying.intracellular.reading._threads import in_order
from neurograft.copying.intracellular.regression._regression import Fit
from neurograft.copying.intracellular.regression._whiten import (
    Block,
    Own,
    Traces,
    Whitener,
    autoregression,
    own_course,
    prepared,
    unrest,
)
from neurograft.progress import Progress
from neurograft.recordings import Recording, duration_s


class Calibration(NamedTuple):
    """What was learnt of the whole recording."""

    until_s: float  # of the recording, that it was learnt from
    known: Sources  # of that stretch
    n_active: int  # channels with action potentials
    scale_v: Float64[ndarray, " neurons"]
    usual: float  # unrest
    whitener: Whitener
    own: Own
    null: Int64[ndarray, " some"]
    shifted: list[Fit]
    is_two: Bool[ndarray, " neurons"]
    flags: tuple[str, ...]
    reports: tuple[ChannelReport, ...]


def calibrate(
    recording: Recording, reading: Reading, options: IntracellularOptions, work: Work, progress: Progress
) -> Calibration:
    """Return what a recording's first minutes tell."""
    known = sources(recording, reading, options, work, progress)
    found, cells, gains, _, boxes, traces = known
    scale = scale_v(found, cells, gains)
    seen = unrest(traces, scale, progress, seed=options.seed)
    usual = seen.usual(traces)
    worth = seen.worth(traces, usual)
    telling = weighted_design(traces, traces.spike_row, boxes, worth).telling()
    whitener = _whitener(traces, telling)
    null, shifted = turned(traces, worth, boxes, whitener, options, progress)
    own = own_course(traces, *reach(whitener, boxes), progress)
    is_two = two_in_one(recording, cells, found.noise_v)
    return Calibration(
        until_s=duration_s(recording),
        known=known,
        n_active=len(np.unique(cells.events.channel)),
        scale_v=scale,
        usual=usual,
        whitener=whitener,
        own=own,
        null=null,
        shifted=shifted,
        is_two=is_two,
        flags=rate_doubts(traces.thin, cells.events, rate_hz=recording.rate_hz) + two_told(recording, cells, is_two),
        reports=channel_reports(recording, found, cells, gains, is_two),
    )


def _whitener(traces: Traces, telling: Float64[ndarray, " rows"]) -> Whitener:
    order = traces.options.ar_order

    def of(block: Block) -> Float64[ndarray, "order targets"]:
        return autoregression(list(prepared(traces, block)), telling, order).coefficient

    return Whitener(np.concatenate(list(in_order(traces.n_threads, of, traces.blocks())), axis=1))
