"""The array library that the regression's dense products run in: NumPy's processor code, or another's device.

Any library that keeps the array-API standard (https://data-apis.org/array-api) does, as it is or through
array-api-compat: CuPy, PyTorch, JAX.
"""

import importlib
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy import ndarray

from neurograft.errors import MissingExtraError, OptionError

_THROUGH_COMPAT = ("numpy", "torch", "cupy")  # NumPy before 2.1 lacks a function


@final
@dataclass(frozen=True, slots=True)
class ArrayLibrary:
    """A library by its module's name, and the device that its arrays lie on; None is the library's own choice."""

    name: str
    device: str | None = None

    def namespace(self) -> Any:
        """Return the library, its functions named as the standard names them."""
        name = f"array_api_compat.{self.name}" if self.name in _THROUGH_COMPAT else self.name
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as problem:
            if problem.name is not None and problem.name.startswith("array_api_compat"):
                raise MissingExtraError(purpose=f"--arrays {self.name}", extra="arrays") from problem
            raise OptionError(
                f"--arrays {self.name}: there is no library {problem.name!r}. Install it, such as torch or cupy, "
                "or leave --arrays out."
            ) from problem

    def array(self, values: ndarray) -> Any:
        """Return values as an array of the library, on its device."""
        xp = self.namespace()
        try:
            return xp.asarray(np.ascontiguousarray(values), device=self.device)
        except (
            RuntimeError,
            ValueError,
            AssertionError,
        ) as problem:  # each library's own word
            raise OptionError(
                f"--arrays {self.name}:{self.device}: {problem}. Name a device that the library has, or none."
            ) from problem

    def numpy(self, array: Any) -> ndarray:
        """Return an array of the library as NumPy's."""
        return np.array(array.cpu() if hasattr(array, "cpu") else array.get() if hasattr(array, "get") else array)


def array_library(text: str) -> ArrayLibrary:
    """Return the library and device of ``LIBRARY`` or ``LIBRARY:DEVICE``, and refuse what cannot hold an array.

    >>> array_library("numpy")
    ArrayLibrary(name='numpy', device=None)
    """
    name, _, device = text.partition(":")
    if not name.replace("_", "").isalnum():
        raise OptionError(f"--arrays is {text!r}. Give a library and, if wanted, a device: torch, torch:cuda:0, cupy.")
    library = ArrayLibrary(name, device or None)
    xp = library.namespace()
    lacking = [part for part in ("matmul", "cumulative_sum", "linalg") if not hasattr(xp, part)]
    if lacking:
        raise OptionError(f"--arrays {name}: it does not keep the array-API standard of 2023 ({lacking[0]} lacks).")
    library.array(np.zeros(1))
    return library
