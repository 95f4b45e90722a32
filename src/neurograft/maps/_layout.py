"""Which neurons the channels of a grown culture's array are inside of: kept beside its truth, needed to score."""

from dataclasses import dataclass
from pathlib import Path
from typing import final

import h5py
import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from neurograft.arrays import frozen
from neurograft.errors import MapError
from neurograft.maps._hdf5 import Reader

_GROUP = "culture"


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layout:
    """Channels and the truth's neurons: ``channel_neuron`` holds up to two that a channel is inside of, -1 for none.

    ``n_hidden`` more neurons were grown that no channel hears and the truth does not hold;
    ``hidden_input_share`` is the part of each neuron's summed |input| that comes from them.
    """

    channel_labels: tuple[str, ...]
    channel_neuron: Int64[ndarray, "channels two"]
    n_hidden: int
    hidden_input_share: Float64[ndarray, " neurons"]

    def __post_init__(self) -> None:
        """Refuse neurons that are not there."""
        n, n_channels = self.hidden_input_share.size, len(self.channel_labels)
        if self.channel_neuron.shape != (n_channels, 2):
            raise MapError(
                f"channel_neuron has shape {self.channel_neuron.shape}, but there are {n_channels} channels. "
                "Give two neurons a channel, -1 for none."
            )
        bad = np.argwhere((self.channel_neuron < -1) | (self.channel_neuron >= n))
        if bad.size:
            c, k = bad[0]
            raise MapError(
                f"channel_neuron[{c}, {k}] is {self.channel_neuron[c, k]}, but the truth has neurons 0 to {n - 1}. "
                "Use the truth's numbering, -1 for none."
            )
        if self.n_hidden < 0:
            raise MapError(f"n_hidden is {self.n_hidden}. Give 0 or more.")
        for name in ("channel_neuron", "hidden_input_share"):
            object.__setattr__(self, name, frozen(getattr(self, name)))


def load_layout(path: Path) -> Layout | None:
    """Return the layout in a culture's truth.h5; None where the file has none, as a connectome or another's truth."""
    try:
        with h5py.File(path, "r") as file:
            if f"{_GROUP}/channel_labels" not in file:
                return None
            return _read(file, path.name)
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise MapError(f"The layout of channels in {path} cannot be read: {error}. Take another copy of it.") from error


def _read(file: h5py.File, name: str) -> Layout:
    reader = Reader(file, name)
    n_channels = reader.dataset(f"{_GROUP}/channel_neuron").shape[0]
    n = reader.dataset(f"{_GROUP}/hidden_input_share").shape[0]
    return Layout(
        channel_labels=reader.strings(f"{_GROUP}/channel_labels", n=n_channels),
        channel_neuron=reader.array(f"{_GROUP}/channel_neuron", dtype=np.int64, shape=(n_channels, 2)),
        n_hidden=int(file[_GROUP].attrs.get("n_hidden", 0)),
        hidden_input_share=reader.array(f"{_GROUP}/hidden_input_share", dtype=np.float64, shape=(n,)),
    )
