"""Loops over vectors, spelt out for LLVM where its vectoriser finds none.

A vector has as many bytes as the widest registers that are used; one text for all widths.
"""

import math

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from imgconv.engine.machine import TYPES, WORD, loaded, stored

WIDTH = 32  # bytes of a vector


def vector(kind):
    """The type of a vector of a kind, and how many it holds."""
    lanes = WIDTH * 8 // int(str(TYPES[kind])[1:])
    return ir.VectorType(TYPES[kind], lanes), lanes


def named(builder, name, result, *takes):
    """The instruction that LLVM knows by a name."""
    kind = ir.FunctionType(result, takes)
    return cgutils.get_or_insert_function(builder.module, kind, name)


def shuffle(builder, a, b, places):
    """Lanes of two vectors, those of the second after those of the first."""
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(places)), list(places))
    return builder.shuffle_vector(a, b, mask)


def splat(builder, x, lanes):
    """A vector of the same number in all lanes."""
    kind = ir.VectorType(x.type, lanes)
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), x, ir.IntType(32)(0))
    return shuffle(builder, one, one, [0] * lanes)


def loop(builder, start, count, step, body):
    """Build a loop: body(i) for i = start, start + step and so on, as long as i + step <= count."""
    before = builder.block
    head, inside, after = (builder.append_basic_block() for _ in range(3))
    builder.branch(head)
    builder.position_at_end(head)
    i = builder.phi(WORD)
    i.add_incoming(start, before)
    following = builder.add(i, WORD(step))
    builder.cbranch(builder.icmp_signed("<=", following, count), inside, after)
    builder.position_at_end(inside)
    body(i)
    i.add_incoming(following, builder.block)
    builder.branch(head)
    builder.position_at_end(after)
    return i


def prefix_sums(A, depth):
    """Make `vectors(row, out, n)`: sums of each sample and all before it, `depth` apart.

    n: whole vectors. So many at a time that they hold whole pixels, so that what one turn hands to
    the next is added, and never shuffled: that would be the time of it all.
    """
    kind, lanes = vector(A)
    zero = ir.Constant(kind, [0] * lanes)
    turn = depth // math.gcd(lanes, depth)

    @intrinsic
    def vectors(typingctx, row, out, n):
        def build(context, builder, signature, args):
            row, out, n = args
            carried = [cgutils.alloca_once_value(builder, zero) for _ in range(turn)]

            def summed(i):
                """The sums within a vector."""
                x, by = loaded(builder, row, i, TYPES[A], kind), depth
                while by < lanes:
                    shifted = shuffle(builder, zero, x, range(lanes - by, 2 * lanes - by))
                    x, by = builder.add(x, shifted), 2 * by
                return x

            def last(x, at=0):
                """The last pixel of a vector, over and over, as it goes on `at` samples later."""
                return shuffle(builder, x, x, [
                    lanes - depth + (at + lane) % depth for lane in range(lanes)
                ])  # fmt: skip

            def several(i):
                x = None
                for v in range(turn):
                    at = builder.add(i, WORD(v * lanes))
                    x = builder.add(summed(at), last(x)) if v else summed(at)
                    before = builder.load(carried[v])
                    stored(builder, out, at, TYPES[A], builder.add(x, before))
                for v in range(turn):
                    more = builder.add(builder.load(carried[v]), last(x, v * lanes))
                    builder.store(more, carried[v])

            def one(i):
                x = builder.add(summed(i), builder.load(carried[0]))
                stored(builder, out, i, TYPES[A], x)
                builder.store(last(x), carried[0])

            done = loop(builder, WORD(0), n, turn * lanes, several)
            loop(builder, done, n, lanes, one)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, types.int64), build

    return vectors


def pair_sums(count, *, to_bytes):
    """Make `vectors(inputs, out, n, numbers, mask, told)`: sums of products of pairs of bytes.

    inputs: the addresses of `count` rows of pairs. numbers, of int16: -1 for adding to what is
    there, the bias, and for each row two weights of 8 bits whose products with bytes, added up,
    stay within 16 bits. to_bytes: clipped, and counted where the mask is 1.
    """
    SHORT, BYTE = TYPES["int16"], TYPES["uint8"]
    wide, lanes = vector("int16")
    bytes_of, _ = vector("uint8")
    zero, top = (ir.Constant(wide, [n] * lanes) for n in (0, 255))

    @intrinsic
    def vectors(typingctx, inputs, out, n, numbers, mask, told):
        def build(context, builder, signature, args):
            inputs, out, n, numbers, mask, told = args
            name = {32: "llvm.x86.avx2.pmadd.ub.sw", 64: "llvm.x86.avx512.pmaddubs.w.512"}[WIDTH]
            multiply = named(builder, name, wide, bytes_of, bytes_of)
            larger = named(builder, f"llvm.smax.v{lanes}i16", wide, wide, wide)
            smaller = named(builder, f"llvm.smin.v{lanes}i16", wide, wide, wide)

            def number(at):
                return splat(builder, loaded(builder, numbers, WORD(at), SHORT), lanes)

            adding, bias = number(0), number(1)
            weights = [builder.bitcast(number(2 + t), bytes_of) for t in range(count)]
            rows = [loaded(builder, inputs, WORD(t), WORD) for t in range(count)]
            counts = [cgutils.alloca_once_value(builder, zero) for _ in range(2)]

            def total(i):
                found = bias
                if not to_bytes:
                    seen = loaded(builder, out, i, SHORT, wide, scope="alias.scope")
                    found = builder.add(bias, builder.and_(seen, adding))
                for row, weight in zip(rows, weights, strict=True):
                    pairs = builder.bitcast(loaded(builder, row, i, SHORT, wide), bytes_of)
                    found = builder.add(found, builder.call(multiply, [pairs, weight]))
                return found

            def clipped(i):
                x = total(i)
                ones = loaded(builder, mask, i, SHORT, wide)
                for held, clips in zip(
                    counts,
                    (builder.icmp_signed("<", x, zero), builder.icmp_signed(">", x, top)),
                    strict=True,
                ):
                    more = builder.and_(builder.sext(clips, wide), ones)
                    builder.store(builder.add(builder.load(held), more), held)
                return builder.call(smaller, [builder.call(larger, [x, zero]), top])

            def two(i):
                first, second = clipped(i), clipped(builder.add(i, WORD(lanes)))
                both = shuffle(builder, first, second, range(2 * lanes))
                stored(builder, out, i, BYTE, builder.trunc(both, bytes_of))

            def one(i):
                stored(builder, out, i, SHORT, total(i))

            if not to_bytes:
                loop(builder, WORD(0), n, lanes, one)
                return context.get_dummy_value()
            loop(builder, WORD(0), n, 2 * lanes, two)
            for which, held in enumerate(counts):
                tell(builder, told, which, builder.load(held), lanes)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 6), build

    return vectors


def tell(builder, told, which, counted, lanes):
    """Add the lanes of a vector to a word."""
    found = loaded(builder, told, WORD(which), WORD, scope="alias.scope")
    for lane in range(lanes):
        one = builder.extract_element(counted, ir.IntType(32)(lane))
        found = builder.add(found, builder.sext(one, WORD))
    stored(builder, told, WORD(which), WORD, found)


def mixing(source, target):
    """Make `vectors(row, out, n, numbers, told)`: pixels of bytes to those that sum their channels.

    source, target: bytes of a pixel; of three outputs a fourth is 0. numbers: for each of three
    outputs its weights as pairs of int16, of the channels 0 and 1, 2 and 1, then three biases,
    three float32 by which sums are multiplied, and three for `sums.snapping`.
    """
    outputs = 3 if target > 1 else 1
    BYTE, WHOLE, REAL = TYPES["uint8"], TYPES["int32"], TYPES["float32"]
    wide, _ = vector("int32")
    pairs, real = ir.VectorType(TYPES["int16"], 16), ir.VectorType(REAL, 8)
    zero, top = ir.Constant(wide, [0] * 8), ir.Constant(wide, [255] * 8)

    @intrinsic
    def vectors(typingctx, row, out, n, numbers, told):
        def build(context, builder, signature, args):
            row, out, n, numbers, told = args

            multiply = named(builder, "llvm.x86.avx2.pmadd.wd", wide, pairs, pairs)
            nearest = named(builder, "llvm.x86.avx.cvt.ps2dq.256", wide, real)  # half to even
            larger = named(builder, "llvm.smax.v8i32", wide, wide, wide)
            smaller = named(builder, "llvm.smin.v8i32", wide, wide, wide)

            def number(at, kind=WHOLE):
                return splat(builder, loaded(builder, numbers, WORD(at), kind), 8)

            weights = [
                [builder.bitcast(number(2 * o + half), pairs) for half in range(2)]
                for o in range(outputs)
            ]
            biases = [number(6 + o) for o in range(outputs)]
            scales = [(number(9 + o, REAL), number(12 + o, REAL)) for o in range(outputs)]
            counts = [cgutils.alloca_once_value(builder, zero) for _ in range(2)]

            def channels(pixels, first, second):
                """Two channels of eight pixels, side by side as int16."""
                places = [
                    place
                    for pixel in range(8)
                    for at in (16 * (pixel // 4) + source * (pixel % 4),)
                    for place in (at + first, 32, at + second, 32)
                ]
                nothing = ir.Constant(pixels.type, [0] * 32)
                return builder.bitcast(shuffle(builder, pixels, nothing, places), pairs)

            def count(which, clipped, counted):
                if counted is not None:
                    clipped = builder.and_(clipped, counted)
                held = builder.load(counts[which])
                builder.store(builder.sub(held, builder.sext(clipped, wide)), counts[which])

            def eight(i, counted=None):
                """Eight pixels, of which some count."""
                at = builder.mul(i, WORD(source))
                half = ir.VectorType(BYTE, 16)
                low, high = (
                    loaded(builder, row, builder.add(at, WORD(4 * source * h)), BYTE, half)
                    for h in range(2)
                )
                pixels = shuffle(builder, low, high, range(32))
                first, second = channels(pixels, 0, 1), channels(pixels, 2, 1)
                made = []
                for (one, two), bias, (scale, snap) in zip(weights, biases, scales, strict=True):
                    total = builder.add(bias, builder.call(multiply, [first, one]))
                    total = builder.add(total, builder.call(multiply, [second, two]))
                    quotient = builder.fmul(builder.sitofp(total, real), scale)
                    quotient = builder.fsub(builder.fadd(quotient, snap), snap)
                    level = builder.call(nearest, [quotient])
                    count(0, builder.icmp_signed("<", level, zero), counted)
                    count(1, builder.icmp_signed(">", level, top), counted)
                    level = builder.call(smaller, [builder.call(larger, [level, zero]), top])
                    made.append(level)
                if outputs == 1:
                    stored(builder, out, i, BYTE, builder.trunc(made[0], ir.VectorType(BYTE, 8)))
                    return
                whole = made[0]
                for o in (1, 2):
                    by = ir.Constant(wide, [8 * o] * 8)
                    whole = builder.or_(whole, builder.shl(made[o], by))
                whole = builder.bitcast(whole, ir.VectorType(BYTE, 32))
                for h in range(2):
                    places = [16 * h + 4 * (k // target) + k % target for k in range(4 * target)]
                    places += [places[-1]] * (16 - len(places))
                    to = builder.add(builder.mul(i, WORD(target)), WORD(4 * target * h))
                    stored(builder, out, to, BYTE, shuffle(builder, whole, whole, places))

            done = loop(builder, WORD(0), n, 8, eight)
            left = builder.trunc(builder.sub(n, done), WHOLE)
            places = ir.Constant(wide, list(range(8)))
            eight(done, builder.icmp_signed("<", places, splat(builder, left, 8)))
            for which, held in enumerate(counts):
                tell(builder, told, which, builder.load(held), 8)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 5), build

    return vectors
