"""Whether the sampling rate can be right: hum lies at 50 or 60 Hz, action potentials last about a millisecond.

Nothing else in a recording of neurons has a time scale that is known to a few per cent: widths, refractory times and
membranes differ twofold and more between cells.  The mains does not: its line and harmonics are steady to a tenth of
a hertz and seen by most channels.  A line that stands elsewhere says by how much the stated rate is off.  A recording
without hum tells of gross mistakes only.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.copying.intracellular.neurons._detect import Events
from neurograft.copying.intracellular.reading._thin import Thin
from neurograft.units import MS

MAINS_HZ = (50.0, 60.0)
_USUAL_HZ = (1e3, 2e3, 2.5e3, 4e3, 5e3, 8e3, 10e3, 12.5e3, 15e3, 16e3, 20e3, 24e3, 25e3, 30e3, 32e3, 40e3, 50e3, 100e3)
_MOST_CHANNELS, _MOST_S = 32, 600.0
_WINDOW_S, _WINDOWS = 8.0, 6  # at most as long, and at least as many (half overlapping)
_FROM_HZ, _FUNDAMENTAL_TO_HZ = 15.0, 130.0  # 50 Hz read at .3 to 60 Hz read at 2 times the true time
_HARMONICS = 10
_AROUND_HZ = 4.0  # on either side: the background of a line
_SDS, _LEAST_POWER = 7.0, 1.5  # over that background, in the middle channel
_CLIP_SDS = 4.0
_OFF_HZ, _OFF_SHARE = 0.15, 3e-3  # mains wander, and so do clocks
_WIDTH_S = (0.2 * MS, 2.5 * MS)  # of the middle neuron, at half amplitude: mammals at 22 to 37 degrees, from memory
_LEAST_NEURONS, _LEAST_EVENTS = 3, 20


class Line(NamedTuple):
    """A steady sinusoid that most channels hold."""

    hz: float
    power: float  # over the background, in the middle channel


def rate_doubts(thin: Thin, events: Events, *, rate_hz: float) -> tuple[str, ...]:
    """Return what speaks against the sampling rate that the recording states; nothing where nothing does."""
    return (*_width_doubt(events), *hum_doubt(steady_lines(thin), rate_hz=rate_hz))


def hum_doubt(lines: tuple[Line, ...], *, rate_hz: float) -> tuple[str, ...]:
    """Return a doubt where steady lines are spaced like mains hum and none is where the mains is.

    Stimuli and screens are steady as well: a line must have harmonics, or a usual sampling rate that would put it at 50
    or 60 Hz.  Lines that are all harmonics of the mains speak for the rate, unless all of several are even ones: then
    it is twice the true one.
    """
    hz = np.array([line.hz for line in lines])
    for mains in MAINS_HZ:
        orders = [_harmonic(line, mains) for line in hz]
        if 1 in orders or (all(orders) and (len(orders) < 2 or any(k % 2 for k in orders))):
            return ()
    for base in hz[hz <= _FUNDAMENTAL_TO_HZ]:
        n_harmonics = sum(_harmonic(line, base) > 1 for line in hz)
        rates_hz = [rate_hz * mains / base for mains in MAINS_HZ]
        usual = [_usual(rate) for rate in rates_hz]
        if n_harmonics or any(usual):
            seen = f"{base:.2f} Hz" + (f" and {n_harmonics} of its harmonics" if n_harmonics else "")
            told = [u or round(rate) for u, rate in zip(usual, rates_hz, strict=True)]
            guess = " or ".join(f"{rate:.6g} Hz (mains {m:g} Hz)" for rate, m in zip(told, MAINS_HZ, strict=True))
            return (
                f"sampling rate in doubt: a steady line at {seen} in most channels, none at 50 or 60 Hz. If it is "
                f"mains hum, the recording was sampled at {guess}, not at {rate_hz:g} Hz, and all times and delays are "
                "off by that factor. Check the sampling rate, or whether something was driven at that frequency.",
            )
    return ()


def _usual(rate_hz: float) -> float:
    """Return the usual sampling rate that this is, 0 for none."""
    return next((usual for usual in _USUAL_HZ if abs(usual / rate_hz - 1) < _OFF_SHARE), 0.0)


def _harmonic(line_hz: float, base_hz: float) -> int:
    """Return which harmonic of a base a line is, 0 for none."""
    k = round(line_hz / base_hz)
    return k if 1 <= k < _HARMONICS and _is_near(np.array([line_hz]), k * base_hz)[0] else 0


def _is_near(hz: ndarray, wanted_hz: float) -> ndarray:
    return np.abs(hz - wanted_hz) < np.maximum(_OFF_HZ, _OFF_SHARE * wanted_hz)


def _width_doubt(events: Events) -> tuple[str, ...]:
    """Return a doubt where the middle neuron's action potentials are far from what mammals' neurons have."""
    _, first, count = np.unique(events.channel, return_index=True, return_counts=True)  # sorted by channel
    enough = count >= _LEAST_EVENTS
    widths_s = [np.median(events.width_s[a : a + n]) for a, n in zip(first[enough], count[enough], strict=True)]
    if len(widths_s) < _LEAST_NEURONS:
        return ()
    middle_s, (low_s, high_s) = float(np.median(widths_s)), _WIDTH_S
    if low_s <= middle_s <= high_s:
        return ()
    return (
        f"sampling rate in doubt: action potentials are {middle_s / MS:.2g} ms wide at half amplitude in the middle "
        f"neuron; {low_s / MS:g} to {high_s / MS:g} ms are usual in mammals. Check the sampling rate.",
    )


def steady_lines(thin: Thin) -> tuple[Line, ...]:
    """Return lines far narrower than any rhythm of neurons, in the middle channel's spectrum over its surroundings.

    Power is the median over windows, so bursts do not count, against the running median over 4 Hz on either side.
    """
    n_channels = thin.parts[0][0].shape[0]
    channel = np.unique(np.linspace(0, n_channels - 1, min(n_channels, _MOST_CHANNELS)).round().astype(np.int64))
    segment = int(np.argmax(thin.segment_rows))
    n = min(thin.segment_rows[segment], round(_MOST_S * thin.rate_hz))
    size = min(round(_WINDOW_S * thin.rate_hz), 2 * n // (_WINDOWS + 1))
    rows = thin.read(segment, 0, n, channel)
    lasts = rows.is_ok.mean(axis=0) > 0.5
    volts = _clipped(rows.volts[:, lasts])
    if volts.shape[1] == 0 or size < 2 * thin.rate_hz:
        return ()
    over = _over_background(volts, size, thin.rate_hz)
    hz = np.fft.rfftfreq(size, 1 / thin.rate_hz)
    middle = np.median(over, axis=1)
    wanted = (hz >= _FROM_HZ) & (hz < 0.45 * thin.rate_hz)
    sd = 1.4826 * float(np.median(np.abs(middle[wanted])))
    is_peak = np.zeros(len(hz), dtype=np.bool_)
    is_peak[1:-1] = (middle[1:-1] >= middle[:-2]) & (middle[1:-1] > middle[2:])
    high = np.flatnonzero(wanted & is_peak & (middle > max(_SDS * sd, np.log(_LEAST_POWER))))
    return tuple(Line(_between_bins(middle, int(k), hz), float(np.exp(middle[k]))) for k in high)


def _clipped(volts: Float64[ndarray, "rows channels"]) -> Float64[ndarray, "rows channels"]:
    """Return traces whose action potentials are cut off: hum is small."""
    centred = volts - np.median(volts, axis=0)
    most = _CLIP_SDS * 1.4826 * np.median(np.abs(centred), axis=0)
    return np.clip(centred, -most, most)


def _over_background(
    volts: Float64[ndarray, "rows channels"], size: int, rate_hz: float
) -> Float64[ndarray, "frequencies channels"]:
    """Return the logarithm of each channel's median power over the running median around it."""
    from scipy.ndimage import median_filter

    taper = np.hanning(size + 1)[:size, None]
    starts = range(0, len(volts) - size + 1, max(size // 2, 1))
    power = np.stack([np.abs(np.fft.rfft(volts[k : k + size] * taper, axis=0)) ** 2 for k in starts])
    middle = np.log(np.maximum(np.median(power, axis=0), np.finfo(np.float64).tiny))
    width = 2 * round(_AROUND_HZ * size / rate_hz) + 1
    return middle - median_filter(middle, size=(width, 1), mode="nearest")


def _between_bins(log_power: ndarray, k: int, hz: ndarray) -> float:
    """Return the frequency at the top of the parabola through three bins."""
    a, b, c = log_power[k - 1 : k + 2]
    bend = a - 2 * b + c
    return float(hz[k] + (0.5 * (a - c) / bend if bend < 0 else 0.0) * (hz[1] - hz[0]))
