"""From a function of `core` and its types to a C function: the only file that knows how."""

import ctypes
import functools
import threading
from collections.abc import Callable

# The C signatures of `core`, kept here so that a compiled function can be called without it.
# S: samples read, A: accumulators, U: samples written; a star is a pointer.
SIGNATURES = {
    "sweep": "S* int64 U* int64 int64 int64 int64 int64* A* int64 A* A* int64 uint8* int64*",
    "extent": "S* int64 int64 int64 int64 int64* A* int64 A* A* int64 uint8* A*",
    "gather": "S* int64 int64 int64* U* int64 int64 int64* int64 U*",
}
_compiling = threading.Lock()


def function(name: str, *form: str | int, S: str, A: str = "", U: str = "") -> Callable[..., None]:
    """Return a C function of `core` for the given types; a call lets go of the GIL.

    `form` are the further arguments of the function in `core` that makes it.
    """
    with _compiling:
        return _compiled(name, form, S, A, U)


@functools.cache
def _compiled(
    name: str, form: tuple[str | int, ...], S: str, A: str, U: str
) -> Callable[..., None]:
    import numba
    import numpy as np

    from imgconv import core

    kinds = {"S": S, "A": A, "U": U}
    words = SIGNATURES[name].split()
    types = [f"CPointer({kinds.get(w[:-1], w[:-1])})" if w[-1] == "*" else w for w in words]
    first = (getattr(np, A),) if name == "sweep" else ()
    python = getattr(core, name)(*first, *form)
    # `contract` lets a multiplication and an addition become one rounding; nothing is reordered,
    # so the bytes do not depend on where a band or a block begins.
    signature = f"void({', '.join(types)})"
    code = numba.cfunc(signature, fastmath={"contract"}, error_model="numpy")(python)
    prototype = ctypes.CFUNCTYPE(
        None, *(ctypes.c_void_p if w[-1] == "*" else ctypes.c_int64 for w in words)
    )
    c_function: Callable[..., None] = prototype(code.address or 0)
    c_function.code = code  # type: ignore[attr-defined]  # the machine code lives as long as it
    return c_function
