"""What Numba's own language lacks: memory at addresses, arithmetic in a type, calls.

An address is an int64; kinds are by their names. What is written is told apart from what is read
(LLVM's `noalias`), so that a loop over many rows vectorises without asking whether they overlap:
no part writes to what it reads, but by `again`. Numba makes integers 64 bits wide to add them up;
here sums and products of int16 stay int16, sixteen or thirty-two at once.
"""

import platform

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

WORD = ir.IntType(64)
BYTE = ir.IntType(8)
TYPES = {
    "uint8": BYTE,
    "uint16": ir.IntType(16),
    "int16": ir.IntType(16),
    "int32": ir.IntType(32),
    "int64": WORD,
    "float32": ir.FloatType(),
    "float64": ir.DoubleType(),
}
CONTRACTED = ("contract",)


def _written(module):
    """The one scope of everything that is written."""
    scope = module.add_metadata([ir.MetaDataString(module, "written"), _domain(module)])
    return module.add_metadata([scope])


def _domain(module):
    return module.add_metadata([ir.MetaDataString(module, "imgconv")])


def _place(builder, address, index, kind):
    """The pointer to an item of an array."""
    return builder.gep(builder.inttoptr(address, kind.as_pointer()), [index])


def loaded(builder, address, index, kind, vector=None, scope="noalias"):
    """Read an item of an array, or a vector that begins with it; rows begin anywhere."""
    place = _place(builder, address, index, kind)
    if vector:
        place = builder.bitcast(place, vector.as_pointer())
    found = builder.load(place, align=1)
    found.set_metadata(scope, _written(builder.module))
    return found


def stored(builder, address, index, kind, value):
    """Write an item of an array, or a vector that begins with it."""
    place = builder.bitcast(_place(builder, address, index, kind), value.type.as_pointer())
    done = builder.store(value, place, align=1)
    done.set_metadata("alias.scope", _written(builder.module))


def _reading(kind, scope):
    numba_kind = getattr(types, kind)

    @intrinsic
    def read(typingctx, address, index):
        def build(context, builder, signature, args):
            return loaded(builder, *args, TYPES[kind], scope=scope)

        return numba_kind(types.int64, types.int64), build

    return read


def _writing(kind):
    numba_kind = getattr(types, kind)

    @intrinsic
    def write(typingctx, address, index, value):
        def build(context, builder, signature, args):
            stored(builder, args[0], args[1], TYPES[kind], args[2])
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, numba_kind), build

    return write


# Item `index` of the array at an address; `again` where the function itself has written it.
read = {kind: _reading(kind, "noalias") for kind in TYPES}
again = {kind: _reading(kind, "alias.scope") for kind in TYPES}
write = {kind: _writing(kind) for kind in TYPES}


def dot(S, A, count, fixed=False):
    """Make `dot(inputs, weights, index)`: a sum of `count` products in the type A.

    inputs: the addresses of `count` rows of S; weights: as many numbers of A. fixed: of each
    product of two uint16 the upper half. LLVM moves what does not change out of the loop.
    """
    source, kind = TYPES[S], TYPES[A]

    @intrinsic
    def dot(typingctx, inputs, weights, index):
        def build(context, builder, signature, args):
            inputs, weights, index = args
            rows = [loaded(builder, inputs, WORD(t), WORD) for t in range(count)]
            samples = [loaded(builder, row, index, source) for row in rows]
            if S != A:
                samples = [builder.sext(x, kind) for x in samples]
            known = [loaded(builder, weights, WORD(t), kind) for t in range(count)]
            return dotted(builder, known, samples, fixed)

        return getattr(types, A)(types.int64, types.int64, types.int64), build

    return dot


def dotted(builder, weights, samples, fixed=False):
    """The sum of products of numbers, or of vectors; fixed: as of `dot`."""
    total = None
    for w, x in zip(weights, samples, strict=True):
        if fixed:
            term = _upper_half(builder, w, x)
        elif _is_real(x):
            term = builder.fmul(w, x, flags=CONTRACTED)
        else:
            term = builder.mul(w, x)
        total = term if total is None else added(builder, total, term)
    return total


def added(builder, a, b):
    """The sum of two numbers, or vectors; one with a real product is rounded once."""
    return builder.fadd(a, b, flags=CONTRACTED) if _is_real(a) else builder.add(a, b)


def _is_real(x):
    kind = x.type.element if isinstance(x.type, ir.VectorType) else x.type
    return isinstance(kind, (ir.FloatType, ir.DoubleType))


def _typed(whole, real=None):
    """An operation on two numbers of one type that stays in it."""

    @intrinsic
    def operation(typingctx, a, b):
        def build(context, builder, signature, args):
            if isinstance(a, types.Float):
                return getattr(builder, real)(*args, flags=CONTRACTED)
            return getattr(builder, whole)(*args)

        return a(a, b), build

    return operation


plus, minus, times = _typed("add", "fadd"), _typed("sub", "fsub"), _typed("mul", "fmul")
both, united = _typed("and_"), _typed("or_")
shifted, unsigned_shifted = _typed("ashr"), _typed("lshr")


@intrinsic
def upper_half(typingctx, w, x):
    """The upper 16 bits of a product of two uint16: one instruction for a row of them."""

    def build(context, builder, signature, args):
        return _upper_half(builder, *args)

    return types.uint16(types.uint16, types.uint16), build


def _upper_half(builder, w, x):
    short, int32 = w.type, ir.IntType(32)
    name = f"v{short.count}i16" if isinstance(short, ir.VectorType) else "i16"
    kind = ir.FunctionType(short, [short, short, int32])
    multiply = cgutils.get_or_insert_function(builder.module, kind, f"llvm.umul.fix.{name}")
    return builder.call(multiply, [w, x, int32(16)])


@intrinsic
def call(typingctx, function, *numbers):
    """Call the function at an address with numbers."""

    def build(context, builder, signature, args):
        numbers = cgutils.unpack_tuple(builder, args[1])
        kind = ir.FunctionType(ir.VoidType(), [WORD] * len(numbers))
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), numbers)
        return context.get_dummy_value()

    return types.void(types.int64, types.StarArgTuple(numbers)), build


def _changing(how):
    """A word that other threads change too: change it, and return what it was before."""

    @intrinsic
    def changed(typingctx, address, index, value):
        def build(context, builder, signature, args):
            place = _place(builder, args[0], args[1], WORD)
            return builder.atomic_rmw(how, place, args[2], "seq_cst")

        return types.int64(types.int64, types.int64, types.int64), build

    return changed


increased, exchanged = _changing("add"), _changing("xchg")


@intrinsic
def polled(typingctx, address, index):
    """Read a word that other threads change."""

    def build(context, builder, signature, args):
        return builder.load_atomic(_place(builder, *args, WORD), "seq_cst", 8)

    return types.int64(types.int64, types.int64), build


@intrinsic
def pause(typingctx):
    """Leave the core to others for a moment."""

    def build(context, builder, signature, args):
        if platform.machine() in ("x86_64", "AMD64"):
            kind = ir.FunctionType(ir.VoidType(), [])
            name = "llvm.x86.sse2.pause"
            builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [])
        return context.get_dummy_value()

    return types.void(), build


@intrinsic
def copied(typingctx, target, source, count):
    """Copy bytes that do not overlap."""

    def build(context, builder, signature, args):
        pointer = BYTE.as_pointer()
        target, source = (builder.inttoptr(a, pointer) for a in args[:2])
        cgutils.raw_memcpy(builder, target, source, args[2], 1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), build


@intrinsic
def clear(typingctx, target, count):
    """Set bytes to 0."""

    def build(context, builder, signature, args):
        place = builder.inttoptr(args[0], BYTE.as_pointer())
        cgutils.memset(builder, place, args[1], 0)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), build


word = read["int64"]
inline = njit(inline="always", error_model="numpy", fastmath={"contract"})


@inline
def larger(a, b):
    """The larger of two numbers; b if one of them is a NaN."""
    return a if a > b else b
