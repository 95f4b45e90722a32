"""Rules that give the synapses of an unsigned connectome a sign.  Each is an assumption of whoever chooses it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Float64, Int8, Int64
from numpy import ndarray

from neurograft.errors import MapError, did_you_mean

# Transmitter to sign, in the words of connectome tables.  Which sign glutamate has depends on the animal.
FLY_SIGNS: Final[Mapping[str, int]] = MappingProxyType(  # as in Shiu et al. 2024 (from memory)
    {"ach": 1, "acetylcholine": 1, "da": 1, "dopamine": 1, "ser": 1, "serotonin": 1, "oct": 1, "octopamine": 1}
    | {"gaba": -1, "glut": -1, "glutamate": -1}
)
VERTEBRATE_SIGNS: Final[Mapping[str, int]] = MappingProxyType(
    {"ach": 1, "acetylcholine": 1, "glut": 1, "glutamate": 1, "gaba": -1, "gly": -1, "glycine": -1}
)

# The 26 neurons of McIntire, Jorgensen, Kaplan and Horvitz 1993 (list from memory).  Later work adds some.
CELEGANS_GABA: Final = frozenset(
    {f"DD{i}" for i in range(1, 7)}
    | {f"VD{i}" for i in range(1, 14)}
    | {"RMED", "RMEL", "RMER", "RMEV", "RIS", "AVL", "DVB"}
)

_SIGN_WORDS: Final = MappingProxyType(
    {"+": 1, "e": 1, "exc": 1, "excitatory": 1, "-": -1, "i": -1, "inh": -1, "inhibitory": -1}
)


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SignFacts:
    """What a sign rule may look at: neurons, and the table's rows."""

    labels: Sequence[str]
    cell_type: Sequence[str]  # one a neuron, "" where unknown
    pre: Int64[ndarray, " rows"]
    weight: Float64[ndarray, " rows"]
    sign: Sequence[str] | None  # the table's sign column
    transmitter: Sequence[str] | None  # one a row


@runtime_checkable
class SignRule(Protocol):
    """Gives every row of a table a sign; its ``repr`` goes into the map's provenance."""

    def signs(self, facts: SignFacts) -> Int8[ndarray, " rows"]:
        """Return +1 or -1 for each row."""
        ...


@final
@dataclass(frozen=True, slots=True)
class AllExcitatory:
    """Every synapse excites."""

    def signs(self, facts: SignFacts) -> Int8[ndarray, " rows"]:
        """Return +1 for each row."""
        return np.ones(facts.pre.size, dtype=np.int8)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class InhibitoryNeurons:
    """All synapses of the neurons of these labels inhibit, all others excite."""

    labels: frozenset[str]

    def signs(self, facts: SignFacts) -> Int8[ndarray, " rows"]:
        """Return one sign a row; a label that no neuron has is refused."""
        _require_known(self.labels, facts.labels, "neuron")
        return _of_neurons([label in self.labels for label in facts.labels], facts)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class InhibitoryTypes:
    """All synapses of neurons of these cell types inhibit, all others excite."""

    types: frozenset[str]

    def signs(self, facts: SignFacts) -> Int8[ndarray, " rows"]:
        """Return one sign a row; a type that no neuron has is refused."""
        _require_known(self.types, facts.cell_type, "cell type")
        return _of_neurons([cell_type in self.types for cell_type in facts.cell_type], facts)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RandomInhibitory:
    """All synapses of a random fraction of the neurons inhibit."""

    fraction: float
    seed: int

    def signs(self, facts: SignFacts) -> Int8[ndarray, " rows"]:
        """Return one sign a row; exactly ``round(fraction * neurons)`` neurons inhibit."""
        if not 0 <= self.fraction <= 1:
            raise MapError(f"The inhibitory fraction is {self.fraction}. Give a number from 0 to 1.")
        n = len(facts.labels)
        chosen = np.random.default_rng(self.seed).permutation(n)[: round(self.fraction * n)]
        return _of_neurons(np.isin(np.arange(n), chosen).tolist(), facts)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ByTransmitter:
    """The sign of the row's neurotransmitter, its name compared without case."""

    sign_of: Mapping[str, int]
    unknown: int | None = None  # sign of a transmitter that sign_of lacks; None refuses it

    def signs(self, facts: SignFacts) -> Int8[ndarray, " rows"]:
        """Return one sign a row."""
        if facts.transmitter is None:
            raise MapError("The table has no neurotransmitter column. Name it with the option transmitter.")
        words = [word.strip().lower() for word in facts.transmitter]
        missing = sorted(set(words) - set(self.sign_of))
        if missing and self.unknown is None:
            raise MapError(
                f"The neurotransmitter {missing[0]!r} has no sign ({len(missing)} such names). "
                f"Add it to sign_of or give a sign for unknown ones. {did_you_mean(missing[0], self.sign_of)}"
            )
        return np.array([self.sign_of.get(word, self.unknown) for word in words], dtype=np.int8)


@final
@dataclass(frozen=True, slots=True)
class SignColumn:
    """The table's own sign column: 1, -1, +, -, e, i, exc, inh, excitatory or inhibitory."""

    def signs(self, facts: SignFacts) -> Int8[ndarray, " rows"]:
        """Return one sign a row."""
        if facts.sign is None:
            raise MapError("The table has no sign column. Name it with the option sign.")
        return np.array([_sign_of_word(word, row) for row, word in enumerate(facts.sign)], dtype=np.int8)


@final
@dataclass(frozen=True, slots=True)
class SignedWeights:
    """The sign of the weight itself."""

    def signs(self, facts: SignFacts) -> Int8[ndarray, " rows"]:
        """Return one sign a row."""
        return np.where(facts.weight < 0, -1, 1).astype(np.int8)


def _of_neurons(inhibits: Sequence[bool], facts: SignFacts) -> Int8[ndarray, " rows"]:
    return np.where(np.array(inhibits, dtype=bool), -1, 1).astype(np.int8)[facts.pre]


def _require_known(names: frozenset[str], known: Sequence[str], thing: str) -> None:
    missing = sorted(names - set(known))
    if missing:
        raise MapError(f"The sign rule names the {thing} {missing[0]!r}, which the table does not have. Check it.")


def _sign_of_word(word: str, row: int) -> int:
    clean = word.strip().lower()
    if clean in _SIGN_WORDS:
        return _SIGN_WORDS[clean]
    try:
        value = float(clean)
    except ValueError:
        value = 0.0
    if value not in (1.0, -1.0):
        raise MapError(f"The sign of row {row} (counted from 0) is {word!r}. Use 1, -1, excitatory or inhibitory.")
    return int(value)
