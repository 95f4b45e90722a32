"""What memory a copy takes: what can be cut to size is cut, and what cannot is refused before it is tried."""

from dataclasses import dataclass
from typing import final

from neurograft.errors import CopyError

MOST_COLUMNS_OF_64_BITS = 6000  # of the Gram matrix: 288 MB
MOST_ROWS_OF_64_BITS = 1 << 27  # times neurons, of prepared traces: 1 GB
SOLVED_AT_ONCE = 512  # targets
_PROGRAM = (
    700 << 20
)  # libraries, compiled kernels, and what is learnt from 50,000 pairs is freed before pairs are judged
_BYTES_A_SAMPLE = 16  # a sample while it is read: as stored, in volts, and in the trace that is searched
_PAIR_MATRICES = 28  # of neurons x neurons, 64 bits each: posteriors, limits, sizes


@final
@dataclass(frozen=True, slots=True)
class Budget:
    """Bytes that a copy may take."""

    n_bytes: int = 8 << 30

    def samples_at_once(self, n_threads: int) -> int:
        """Return how many samples each thread may read at a time."""
        return max(self.n_bytes // (8 * _BYTES_A_SAMPLE * n_threads), 1 << 16)

    def samples_held(self, n_threads: int) -> int:
        """Return how many samples each thread may hold, in volts, so that it need not read them again: a quarter."""
        return self.n_bytes // (4 * 4 * n_threads)

    def kept_bytes(self) -> int:
        """Return how much of prepared traces may be kept in memory, instead of being prepared again at each use."""
        return min(self.n_bytes // 8, 1 << 30)

    def block_bytes(self) -> int:
        """Return how much one block of prepared traces may take."""
        return min(self.n_bytes // 32, 1 << 28)

    def events_at_once(self) -> int:
        """Return of how many single potentials sums may be kept: 60 bytes each, in a quarter of the memory."""
        return max(self.n_bytes // 240, 1 << 20)

    def require(self, *, n_neurons: int, n_firing: int, n_boxes: int, is_followed: bool = False) -> None:
        """Refuse a network whose matrices do not fit."""
        needed = needed_bytes(n_neurons=n_neurons, n_firing=n_firing, n_boxes=n_boxes)
        if is_followed:  # coefficients, what they lack and what is blanked stay beside the matrix
            needed += 3 * _bytes_each(n_firing * n_boxes) * n_firing * n_boxes * n_neurons
        if needed > self.n_bytes:
            raise CopyError(
                f"{n_firing} neurons that fire, of {n_neurons}, need {needed / 1e9:.1f} GB for their Gram matrix, "
                f"coefficients and posteriors; {self.n_bytes / 1e9:.1f} GB are allowed. Give --memory "
                f"{-(-needed // (1 << 30))}G on a machine that has it, or copy fewer channels."
            )


def needed_bytes(*, n_neurons: int, n_firing: int, n_boxes: int) -> int:
    """Return what a copy takes besides what is cut to size: the factor, coefficients and shares, and pairs."""
    columns = n_firing * n_boxes
    each = _bytes_each(columns)
    factor = each * columns**2
    coefficients = 2 * each * n_neurons**2 * n_boxes
    solving = 8 * 8 * columns * min(SOLVED_AT_ONCE, n_neurons)
    return _PROGRAM + factor + coefficients + solving + 8 * _PAIR_MATRICES * n_neurons**2


def _bytes_each(n_columns: int) -> int:
    return 8 if n_columns <= MOST_COLUMNS_OF_64_BITS else 4
