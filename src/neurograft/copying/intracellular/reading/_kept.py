"""Steps after the reading whose results are kept beside the pieces: made once, whatever stops the copy."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import final

from neurograft.copying.intracellular.reading._work import Arrays, Nowhere, Store, key_of
from neurograft.errors import WorkError


@final
@dataclass(frozen=True, slots=True)
class Kept:
    """Keeps results under a hash of the step, its parameters, and ``content``, a hash of all that steps work on."""

    store: Store = field(default_factory=Nowhere)
    content: str = ""

    def made(self, step: str, parameters: object, make: Callable[[], Arrays]) -> Arrays:
        """Return what was kept, or what is made now; a disk that is full stops nothing that needs no room on it."""
        key = key_of(step, parameters, self.content)
        found = self.store.get(key)
        if found is None:
            found = make()
            if self.store.has_room(sum(array.nbytes for array in found.values())):
                with suppress(WorkError):
                    self.store.put(key, found)
        return found
