"""What recordings that stand for another one have in common."""

from dataclasses import dataclass

from jaxtyping import Float64
from numpy import ndarray

from neurograft.recordings._recording import Recording, Signal


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Behind:
    """All that another recording tells of its channels; who derives from it says which frames there are."""

    inner: Recording

    @property
    def rate_hz(self) -> float:
        """Samples a second and channel."""
        return self.inner.rate_hz

    @property
    def signal(self) -> Signal:
        """What the samples are."""
        return self.inner.signal

    @property
    def channel_labels(self) -> tuple[str, ...]:
        """One name a channel."""
        return self.inner.channel_labels

    @property
    def position_um(self) -> Float64[ndarray, "channels 2"]:
        """Where each channel's pad is."""
        return self.inner.position_um
