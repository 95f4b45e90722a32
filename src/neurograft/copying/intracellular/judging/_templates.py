"""What may follow a presynaptic spike in a trace: synapses, and the four things that pass for them.

Every template is a potential's course of peak 1 V, put through the target's own whitening filter and averaged
in the lag boxes.  A direct synapse has a sharp onset at one latency, and a rise near the common one: membranes
and receptors differ.  Its rivals:

* electrical: the presynaptic neuron's own course, action potential, ramp before and reset after, smoothed by the
  other's membrane; it starts with the spike or before it;
* cross-talk: a copy of the presynaptic neuron's own course, or one to three rows up and at once back down, which
  no membrane does; a synapse may lie beneath it, and is then looked for in what the copy leaves;
* common drive: a hidden neuron excites both, so the potential's onset is spread over the milliseconds that the
  presynaptic neuron took to fire after its own share;
* indirect: a neuron between, hidden or not, fires somewhere in the rise of its potential, so the onset is late
  and spread in the same way.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from neurograft.copying.intracellular.regression._design import LagBoxes
from neurograft.copying.intracellular.regression._whiten import Whitener
from neurograft.units import MS

_FINE = 20  # steps a row in which a course is averaged
_SPREAD_S = tuple((k + 0.5) * 0.5 * MS for k in range(12))  # how long a driven neuron takes to fire
_ELECTRICAL_S = (-0.5 * MS, 0.0, 0.5 * MS)
_AROUND = (0.0, 0.0), (0.1, 0.0), (0.1, 0.1)  # ramp before and reset after, of the action potential's height
_AP_S, _RAMP_S, _RESET_S = 1 * MS, 5 * MS, 15 * MS  # round numbers of cortical cells, from memory
_EDGE_ROWS = (-1, 0, 1, 2)
_PULSE_ROWS = ((0, 1), (1, 2), (0, 2), (0, 3), (1, 3))


class Family(IntEnum):
    """What a template stands for."""

    DIRECT = 0
    ELECTRICAL = 1
    CROSS_TALK = 2
    COMMON = 3
    INDIRECT = 4


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateOptions:
    """Which potentials are looked for; latencies count from the action potential's rise."""

    latency_s: tuple[float, ...] = (*(k * 0.5 * MS for k in range(1, 17)), *(k * MS for k in range(9, 21)))
    common_s: tuple[float, ...] = tuple(k * MS for k in range(-3, 4))
    indirect_s: tuple[float, ...] = tuple(k * MS for k in range(2, 13))
    rise_factors: tuple[float, ...] = (0.6, 1.0, 1.7)  # of single synapses' rise over the common one
    rise_s: tuple[float, ...] = (0.3 * MS, 0.6 * MS, 1 * MS, 1.5 * MS, 2 * MS, 3 * MS, 4 * MS, 6 * MS)
    decay_s: tuple[float, ...] = (5 * MS, 8 * MS, 12 * MS, 20 * MS, 40 * MS)


class Shape(NamedTuple):
    """Time constants of a postsynaptic potential, a difference of two exponentials."""

    rise_s: float
    decay_s: float


class Templates(NamedTuple):
    """Images of potentials of 1 V in each target's coefficients."""

    image: Float64[ndarray, "templates boxes neurons"]
    family: Int64[ndarray, " templates"]
    latency_s: Float64[ndarray, " templates"]
    is_under_talk: Bool[ndarray, " templates"]  # beneath cross-talk of whatever size
    own: "OwnCourses"

    def of(self, family: Family) -> "Templates":
        """Return one family."""
        mine = self.family == family
        return Templates(self.image[mine], self.family[mine], self.latency_s[mine], self.is_under_talk[mine], self.own)

    def among(self, neurons: Int64[ndarray, " some"]) -> "Templates":
        """Return the templates of some neurons as if there were no others."""
        course, first, whitener, boxes = self.own
        own = OwnCourses(course[neurons], first, whitener.of(neurons), boxes)
        return Templates(self.image[:, :, neurons], self.family, self.latency_s, self.is_under_talk, own)


class OwnCourses(NamedTuple):
    """What cross-talk is a copy of: each presynaptic neuron's potential in rows from ``first`` on."""

    course: Float64[ndarray, "neurons rows"]
    first: int
    whitener: Whitener
    boxes: LagBoxes

    @property
    def n_pulses(self) -> int:
        """How many there are of each neuron."""
        return 2 + len(_EDGE_ROWS)

    def pulses(self, pre: int) -> Float64[ndarray, "pulses boxes neurons"]:
        """Return images of the neuron's course, of its slope (seen from outside), and of single rows around its spike.

        The rows take up what courses that are averaged over rows cannot show of the action potential's edges.
        """
        return images_of(self._copies(pre), self.first, self.whitener, self.boxes)

    def pulses_at(self, pre: int, post: int) -> Float64[ndarray, "pulses boxes"]:
        """Return the same in one target alone."""
        whitener = Whitener(self.whitener.coefficient[:, post : post + 1])
        return images_of(self._copies(pre), self.first, whitener, self.boxes)[:, :, 0]

    def moving(self, pre: Int64[ndarray, " some"]) -> Float64[ndarray, "two some rows"]:
        """Return the pulses that differ between presynaptic neurons: their courses and slopes."""
        mine = self.course[pre]
        return np.stack([mine, np.diff(mine, axis=1, prepend=mine[:, :1])])

    def edges(self) -> Float64[ndarray, "edges boxes neurons"]:
        """Return images of the pulses that do not."""
        return images_of(self._edge_rows(), self.first, self.whitener, self.boxes)

    def _edge_rows(self) -> Float64[ndarray, "edges rows"]:
        rows = np.arange(self.first, self.first + self.course.shape[1])
        return np.stack([np.where(rows == k, 1.0, 0.0) for k in _EDGE_ROWS])

    def _copies(self, pre: int) -> Float64[ndarray, "pulses rows"]:
        return np.concatenate([self.moving(np.array([pre]))[:, 0], self._edge_rows()])


def no_courses(whitener: Whitener, boxes: LagBoxes) -> OwnCourses:
    """Return own courses that are single rows, for recordings whose action potentials are not known."""
    first, last = reach(whitener, boxes)
    course = np.zeros((whitener.coefficient.shape[1], last - first))
    course[:, -first] = 1.0
    return OwnCourses(course, first, whitener, boxes)


def reach(whitener: Whitener, boxes: LagBoxes) -> tuple[int, int]:
    """Return the rows, counted from the spike's, that the boxes and the filter's memory before them span."""
    return int(boxes.low[0]) - len(whitener.coefficient), int(boxes.high[-1])


def potential(t_s: Float64[ndarray, " times"], shape: Shape, onset_s: float) -> Float64[ndarray, " times"]:
    """Return a potential of peak 1 that starts at ``onset_s``."""
    rise_s, decay_s = shape
    since_s = np.maximum(t_s - onset_s, 0.0)
    peak_s = np.log(decay_s / rise_s) / (1 / rise_s - 1 / decay_s)
    peak = np.exp(-peak_s / decay_s) - np.exp(-peak_s / rise_s)
    return (np.exp(-since_s / decay_s) - np.exp(-since_s / rise_s)) / peak


def templates(
    shape: Shape,
    options: TemplateOptions,
    whitener: Whitener,
    boxes: LagBoxes,
    row_rate_hz: float,
    *,
    own: OwnCourses | None = None,
    with_rivals: bool = True,
) -> Templates:
    """Return all families' images for every target, or those of direct synapses of this very shape alone."""
    first, last = reach(whitener, boxes)
    t_s = first / row_rate_hz + (np.arange((last - first) * _FINE) + 0.5) / (_FINE * row_rate_hz)
    factors = options.rise_factors if with_rivals else (1.0,)
    near = [Shape(min(shape.rise_s * x, 0.9 * shape.decay_s), shape.decay_s) for x in factors]
    direct = [(Family.DIRECT, s, _in_rows(potential(t_s, one, s))) for one in near for s in options.latency_s]
    others = _rivals(t_s, shape, options, np.arange(first, last), row_rate_hz) if with_rivals else []
    under = direct if with_rivals else []
    courses = [*direct, *under, *others]
    image = images_of(np.stack([course for _, _, course in courses]), first, whitener, boxes)
    image = np.ascontiguousarray(image.T).T  # in memory by target, as scores take it
    is_under_talk = (np.arange(len(courses)) >= len(direct)) & (np.arange(len(courses)) < len(direct) + len(under))
    family, latency_s = np.array([c[0] for c in courses]), np.array([c[1] for c in courses])
    return Templates(image, family, latency_s, is_under_talk, own or no_courses(whitener, boxes))


def _rivals(
    t_s: Float64[ndarray, " fine"],
    shape: Shape,
    options: TemplateOptions,
    rows: Int64[ndarray, " rows"],
    row_rate_hz: float,
) -> list[tuple[Family, float, ndarray]]:
    """Return family, time and course of everything that passes for a synapse."""
    courses: list[tuple[Family, float, ndarray]] = []
    for onset_s in _ELECTRICAL_S:
        for ramp, reset in _AROUND:
            wave = _spikelet(t_s - onset_s, shape.decay_s, ramp=ramp, reset=reset)
            courses.append((Family.ELECTRICAL, onset_s, _in_rows(wave)))
    for begin, end in _PULSE_ROWS:
        pulse = ((rows >= begin) & (rows < end)).astype(np.float64)
        courses.append((Family.CROSS_TALK, begin / row_rate_hz, pulse))
    spread_s, share = np.array(_SPREAD_S), _firing_share(shape)
    for family, side, middles_s in (
        (Family.COMMON, -1.0, options.common_s),
        (Family.INDIRECT, 1.0, options.indirect_s),
    ):
        for middle_s in middles_s:
            waves = [w * potential(t_s, shape, middle_s + side * x) for w, x in zip(share, spread_s, strict=True)]
            courses.append((family, middle_s, _in_rows(np.sum(waves, axis=0))))
    return courses


def _spikelet(
    t_s: Float64[ndarray, " fine"], membrane_s: float, *, ramp: float, reset: float
) -> Float64[ndarray, " fine"]:
    """Return what a gap junction passes on of an action potential that rises at 0, its peak 1."""
    drive = np.where((t_s >= 0) & (t_s < _AP_S), 1 - t_s / _AP_S, 0.0)
    drive += ramp * np.exp(np.minimum(t_s, 0.0) / _RAMP_S) * (t_s < 0)
    drive -= reset * np.exp(-np.maximum(t_s - _AP_S, 0.0) / _RESET_S) * (t_s >= _AP_S)
    step_s = t_s[1] - t_s[0]
    decay = np.exp(-np.arange(len(t_s)) * step_s / membrane_s)
    wave = np.convolve(drive, decay)[: len(t_s)]
    return wave / wave.max()


def _firing_share(shape: Shape) -> Float64[ndarray, " delays"]:
    """Return how a driven neuron's spikes spread after its potential's onset: as the potential's slope."""
    x_s = np.array(_SPREAD_S)
    slope = np.exp(-x_s / shape.rise_s) / shape.rise_s - np.exp(-x_s / shape.decay_s) / shape.decay_s
    slope = np.maximum(slope, 0.0)
    return slope / slope.sum()


def _in_rows(course: Float64[ndarray, " fine"]) -> Float64[ndarray, " rows"]:
    """Return row means of a course whose spike lies anywhere in its row."""
    spread = np.convolve(np.concatenate([np.zeros(_FINE - 1), course]), np.full(_FINE, 1 / _FINE), mode="valid")
    return spread.reshape(-1, _FINE).mean(axis=1)


def images_of(
    courses: Float64[ndarray, "courses rows"], first: int, whitener: Whitener, boxes: LagBoxes
) -> Float64[ndarray, "courses boxes neurons"]:
    """Return the whitened courses' means in every box; row 0 of a course lies at lag ``first``."""
    by_lag = means_by_lag(courses, first, len(whitener.coefficient), boxes)
    return by_lag[0][:, :, None] - np.tensordot(by_lag[1:], whitener.coefficient, axes=(0, 0))


def means_by_lag(
    courses: Float64[ndarray, "courses rows"], first: int, order: int, boxes: LagBoxes
) -> Float64[ndarray, "lags courses boxes"]:
    """Return means in every box of courses that come 0 to ``order`` rows later: an image is a weighted sum of them."""
    n, n_rows = courses.shape
    mean, later = np.zeros((n_rows, len(boxes.low))), np.zeros((n, n_rows + order))
    for b, (low, high) in enumerate(zip(boxes.low - first, boxes.high - first, strict=True)):
        mean[low:high, b] = 1.0 / (high - low)
    later[:, order:] = courses
    return np.stack([later[:, order - lag : order - lag + n_rows] @ mean for lag in range(order + 1)])
