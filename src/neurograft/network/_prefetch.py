"""Asking the processor to fetch memory that is needed soon: rows of synapses lie at places it cannot guess."""

from typing import no_type_check

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic, overload

_READ, _KEEP_NEAR, _DATA = 0, 3, 1


@no_type_check
def prefetch(array, index):
    """Start fetching ``array[index]``; does nothing else, and nothing at all in plain Python."""


@intrinsic
@no_type_check
def _prefetch(typing_context, array, index):
    @no_type_check
    def code(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        pointer, word = ir.PointerType(ir.IntType(8)), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, word, word, word])
        name = "llvm.prefetch.p0"
        function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
        where = builder.bitcast(builder.gep(data, [arguments[1]]), pointer)
        builder.call(function, [where, *(ir.Constant(word, k) for k in (_READ, _KEEP_NEAR, _DATA))])
        return context.get_dummy_value()

    return types.void(array, index), code


@overload(prefetch, inline="always")
@no_type_check
def _prefetch_compiled(array, index):
    return lambda array, index: _prefetch(array, index)  # noqa: PLW0108 - numba asks for a plain function
