"""Small operations on arrays that every room shares: freezing, and checking data where it enters."""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from neurograft.errors import NeurograftError, OptionError

ScalarT = TypeVar("ScalarT", bound=np.generic)


def frozen(array: NDArray[ScalarT]) -> NDArray[ScalarT]:
    """Return a read-only view of an array (the array itself stays as it was)."""
    view = array.view()
    view.flags.writeable = False
    return view


def require_finite(values: NDArray[np.floating], *, name: str, error: type[NeurograftError], remedy: str) -> None:
    """Raise ``error`` that names the first entry which is NaN or infinite, if there is one."""
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        first = int(bad[0])
        raise error(
            f"{name}[{first}] is {values.flat[first]}; {bad.size} of {values.size} entries are not finite. {remedy}"
        )


def require_ids(ids: NDArray[np.integer], *, n: int, name: str, things: str, error: type[NeurograftError]) -> None:
    """Raise ``error`` that names the first id outside 0 to n - 1, if there is one."""
    bad = np.flatnonzero((ids < 0) | (ids >= n))
    if bad.size:
        first = int(bad[0])
        known = f"{things} 0 to {n - 1}" if n else f"no {things}"
        raise error(
            f"{name}[{first}] is {ids.flat[first]}, but there are {known}. Renumber the {things} or raise their number."
        )


def turns(ids: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return for each entry how often the same id came before it.

    >>> turns(np.array([5, 7, 5, 5])).tolist()
    [0, 0, 1, 2]
    """
    order = np.argsort(ids, kind="stable")
    ordered = ids[order]
    turn = np.empty(ids.size, dtype=np.int64)
    turn[order] = np.arange(ids.size) - np.searchsorted(ordered, ordered)
    return turn


def namespace(array: Any) -> Any:
    """Return the library of an array, as the array-API standard names its functions.

    NumPy, CuPy, JAX and array-api-strict tell it themselves; PyTorch needs the package array-api-compat.
    """
    if hasattr(array, "__array_namespace__"):
        return array.__array_namespace__()
    unknown = f"A {type(array).__module__}.{type(array).__name__} does not tell its array library"
    try:
        from array_api_compat import array_namespace  # pyright: ignore[reportMissingImports]
    except ImportError as problem:
        raise OptionError(f"{unknown}. Install what tells it: pip install array-api-compat.") from problem
    try:
        return array_namespace(array)
    except TypeError as problem:
        raise OptionError(f"{unknown}, and is no array of a known one. Give a NumPy array.") from problem
