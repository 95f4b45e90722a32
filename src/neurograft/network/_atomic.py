"""Waiting for other threads inside compiled code that holds no lock of Python's."""

import os
from typing import no_type_check

import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import types
from numba.extending import intrinsic, overload

CAN_WAIT = os.name == "posix"  # sched_yield and usleep are there
_SPINS = 40_000  # looks before the core is offered to others: about 100 us, longer than members differ in a step
_OFFERS = 400  # of the core before this thread sleeps, which a busy machine's scheduler rewards
_SLEEP_US = 30
_ORDER = "seq_cst"
_COUNT, _ROUND = 0, 1
GATE_SIZE = 16  # numbers of one gate: two cache lines


def new_gate() -> np.ndarray:
    """Return a gate that nobody has reached."""
    return np.zeros(GATE_SIZE, dtype=np.int64)


@no_type_check
def _add(gate, place, n):
    """Add ``n`` and return what was there before, in one go."""
    before = gate[place]
    gate[place] = before + n
    return before


@no_type_check
def _look(gate, place):
    """Return what is there now, without taking the line from the others."""
    return gate[place]


@no_type_check
def _give_way():
    """Offer the core to other threads."""


@no_type_check
def _sleep_us(n):
    """Sleep so many microseconds."""


@no_type_check
def _pointer(context, builder, kind, array, place):
    data = context.make_array(kind)(context, builder, array).data
    return builder.gep(data, [place])


@intrinsic
@no_type_check
def _add_intrinsic(typing_context, array, place, n):
    @no_type_check
    def code(context, builder, signature, arguments):
        pointer = _pointer(context, builder, signature.args[0], arguments[0], arguments[1])
        return builder.atomic_rmw("add", pointer, arguments[2], _ORDER)

    return types.int64(array, types.int64, types.int64), code


@intrinsic
@no_type_check
def _look_intrinsic(typing_context, array, place):
    @no_type_check
    def code(context, builder, signature, arguments):
        pointer = _pointer(context, builder, signature.args[0], arguments[0], arguments[1])
        return builder.load_atomic(pointer, _ORDER, 8)

    return types.int64(array, types.int64), code


@intrinsic
@no_type_check
def _give_way_intrinsic(typing_context):
    @no_type_check
    def code(context, builder, signature, arguments):
        kind = ir.FunctionType(ir.IntType(32), [])
        found = builder.module.globals.get("sched_yield")
        builder.call(found or ir.Function(builder.module, kind, "sched_yield"), [])
        return context.get_dummy_value()

    return types.void(), code


@intrinsic
@no_type_check
def _sleep_intrinsic(typing_context, n):
    @no_type_check
    def code(context, builder, signature, arguments):
        word = ir.IntType(32)
        kind = ir.FunctionType(word, [word])
        found = builder.module.globals.get("usleep") or ir.Function(builder.module, kind, "usleep")
        builder.call(found, [builder.trunc(arguments[0], word)])
        return context.get_dummy_value()

    return types.void(types.int64), code


@overload(_add, inline="always")
@no_type_check
def _add_compiled(gate, place, n):
    return lambda gate, place, n: _add_intrinsic(gate, place, n)  # noqa: PLW0108 - numba asks for a plain function


@overload(_look, inline="always")
@no_type_check
def _look_compiled(gate, place):
    return lambda gate, place: _look_intrinsic(gate, place)  # noqa: PLW0108 - numba asks for a plain function


@overload(_give_way, inline="always")
@no_type_check
def _give_way_compiled():
    return lambda: _give_way_intrinsic()  # noqa: PLW0108 - numba asks for a plain function


@overload(_sleep_us, inline="always")
@no_type_check
def _sleep_compiled(n):
    return lambda n: _sleep_intrinsic(n)  # noqa: PLW0108 - numba asks for a plain function


@njit(cache=True, nogil=True)
@no_type_check
def meet(gate, n_members):
    """Return once ``n_members`` threads have called this with the same gate."""
    if n_members == 1:
        return
    before = _look(gate, _ROUND)
    if _add(gate, _COUNT, 1) == n_members - 1:
        _add(gate, _COUNT, -n_members)
        _add(gate, _ROUND, 1)
        return
    spins = 0
    while _look(gate, _ROUND) == before:
        spins += 1
        if spins > _SPINS + _OFFERS:
            _sleep_us(_SLEEP_US)
        elif spins > _SPINS:
            _give_way()
