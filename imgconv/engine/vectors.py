"""Loops over vectors, spelt out for LLVM where its vectoriser finds none.

One text for all widths: vectors of 64 bytes are two of 32 where a processor has none.
"""

import math

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from imgconv.engine.machine import CONTRACTED, TYPES, WORD, loaded, stored
from imgconv.engine.words import MIXED_AT_ONCE

PAIRS = 64  # bytes of the vectors in which pairs are summed


def vector(kind, width):
    """The type of a vector of a kind, of so many bytes, and how many it holds."""
    lanes = width * 8 // int(str(TYPES[kind])[1:])
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


def prefix_sums(A, depth, width):
    """Make `vectors(row, out, n)`: sums of each sample and all before it, `depth` apart.

    n: whole vectors of `width` bytes. So many at a time that they hold whole pixels, so that what
    one turn hands to the next is added, and never shuffled: that would be the time of it all.
    """
    kind, lanes = vector(A, width)
    zero = ir.Constant(kind, [0] * lanes)
    turn = depth // math.gcd(lanes, depth)
    within, by, part = [], depth, lanes * 16 // width
    while by < part:
        within.append([lanes + i - by if i % part >= by else 0 for i in range(lanes)])
        by *= 2
    while part < lanes:
        ends = [i // part * part for i in range(lanes)]
        within.append([
            lanes + end - depth + (i - end) % depth if end // part % 2 else 0
            for i, end in enumerate(ends)
        ])  # fmt: skip
        part *= 2

    @intrinsic
    def vectors(typingctx, row, out, n):
        def build(context, builder, signature, args):
            row, out, n = args
            carried = [cgutils.alloca_once_value(builder, zero) for _ in range(turn)]

            def summed(i):
                """The sums within a vector: within quarters or halves of 16 bytes, then of these.

                Instructions that shift all of a vector take thrice as long.
                """
                x = loaded(builder, row, i, TYPES[A], kind)
                for places in within:
                    x = builder.add(x, shuffle(builder, zero, x, places))
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


# What multiplies pairs and adds up the products of each, by the bytes of a vector: uint8 by int8 to
# int16, and int16 by int16 to int32.
MULTIPLY = {
    ("int16", 32): "llvm.x86.avx2.pmadd.ub.sw", ("int16", 64): "llvm.x86.avx512.pmaddubs.w.512",
    ("int32", 32): "llvm.x86.avx2.pmadd.wd", ("int32", 64): "llvm.x86.avx512.pmaddw.d.512",
}  # fmt: skip
HALF = {"int16": "uint8", "int32": "int16"}


def pair_sums(kind, count, *, to_bytes, width):
    """Make `vectors(inputs, out, n, numbers, mask, told)`: sums of products of pairs.

    inputs: the addresses of `count` rows of pairs. numbers, of the kind of the sums: -1 for adding
    to what is there, the bias, and for each row two weights in one number, whose products, added
    up, stay within the kind. to_bytes: of int16; clipped, and counted where the mask is 1.
    """
    ITEM, BYTE = TYPES[kind], TYPES["uint8"]
    wide, lanes = vector(kind, PAIRS)
    halves, _ = vector(HALF[kind], PAIRS)
    zero, top = (ir.Constant(wide, [n] * lanes) for n in (0, 255))

    @intrinsic
    def vectors(typingctx, inputs, out, n, numbers, mask, told):
        def build(context, builder, signature, args):
            inputs, out, n, numbers, mask, told = args
            (sums, _), (factors, held) = vector(kind, width), vector(HALF[kind], width)
            multiply = named(builder, MULTIPLY[kind, width], sums, factors, factors)
            larger = named(builder, f"llvm.smax.v{lanes}i16", wide, wide, wide)
            smaller = named(builder, f"llvm.smin.v{lanes}i16", wide, wide, wide)

            def number(at):
                return splat(builder, loaded(builder, numbers, WORD(at), ITEM), lanes)

            adding, bias = number(0), number(1)
            weights = [builder.bitcast(number(2 + t), halves) for t in range(count)]
            rows = [loaded(builder, inputs, WORD(t), WORD) for t in range(count)]
            counts = [cgutils.alloca_once_value(builder, zero) for _ in range(2)]

            def products(pairs, weight):
                """As many at a time as the processor multiplies at once."""
                made = []
                for begin in range(0, 2 * lanes, held):
                    places = range(begin, begin + held)
                    some = [shuffle(builder, x, x, places) for x in (pairs, weight)]
                    made.append(builder.call(multiply, some))
                return made[0] if len(made) == 1 else shuffle(builder, *made, range(lanes))

            def total(i):
                found = bias
                if not to_bytes:
                    seen = loaded(builder, out, i, ITEM, wide, scope="alias.scope")
                    found = builder.add(bias, builder.and_(seen, adding))
                for row, weight in zip(rows, weights, strict=True):
                    pairs = builder.bitcast(loaded(builder, row, i, ITEM, wide), halves)
                    found = builder.add(found, products(pairs, weight))
                return found

            def clipped(i):
                x = total(i)
                ones = loaded(builder, mask, i, ITEM, wide)
                for place, clips in zip(
                    counts,
                    (builder.icmp_signed("<", x, zero), builder.icmp_signed(">", x, top)),
                    strict=True,
                ):
                    more = builder.and_(builder.sext(clips, wide), ones)
                    builder.store(builder.add(builder.load(place), more), place)
                return builder.call(smaller, [builder.call(larger, [x, zero]), top])

            def two(i):
                first, second = clipped(i), clipped(builder.add(i, WORD(lanes)))
                both = shuffle(builder, first, second, range(2 * lanes))
                stored(builder, out, i, BYTE, builder.trunc(both, halves))

            def one(i):
                stored(builder, out, i, ITEM, total(i))

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
    wide = ir.VectorType(ir.IntType(32), lanes)
    total = named(builder, f"llvm.vector.reduce.add.v{lanes}i32", ir.IntType(32), wide)
    kind = counted.type.element
    lanes_of = builder.sext(counted, wide) if kind != wide.element else counted
    found = loaded(builder, told, WORD(which), WORD, scope="alias.scope")
    more = builder.sext(builder.call(total, [lanes_of]), WORD)
    stored(builder, told, WORD(which), WORD, builder.add(found, more))


def mixing(source, target, within):
    """Make `vectors(row, out, n, numbers, told)`: pixels of bytes to those that sum their channels.

    source, target: bytes of a pixel; of three outputs a fourth is 0. within: none is clipped, so
    that there is nothing to count. numbers: for each of three
    outputs its weights as pairs of int16, of the channels 0 and 1, 2 and 1, then three biases,
    three float32 by which sums are multiplied, and three for `sums.snapping`.

    Nothing beyond a row of `words.MIXED_AT_ONCE` pixels or more is read, since the last vector
    takes some once more; of a shorter row, as much as of one of these.
    """
    outputs = 3 if target > 1 else 1
    once = 8 if outputs == 3 else MIXED_AT_ONCE
    BYTE, SHORT, WHOLE, REAL = (TYPES[k] for k in ("uint8", "int16", "int32", "float32"))
    wide, real = ir.VectorType(WHOLE, 8), ir.VectorType(REAL, 8)
    pairs, bytes_of = ir.VectorType(SHORT, 16), ir.VectorType(BYTE, 32)
    nothing, none = ir.Constant(pairs, [0] * 16), ir.Constant(wide, [0] * 8)
    top = ir.Constant(pairs, [255] * 16)

    @intrinsic
    def vectors(typingctx, row, out, n, numbers, told):
        def build(context, builder, signature, args):
            row, out, n, numbers, told = args

            multiply = named(builder, "llvm.x86.avx2.pmadd.wd", wide, pairs, pairs)
            nearest = named(builder, "llvm.x86.avx.cvt.ps2dq.256", wide, real)  # half to even
            to_shorts = named(builder, "llvm.x86.avx2.packssdw", pairs, wide, wide)
            to_bytes = named(builder, "llvm.x86.avx2.packuswb", bytes_of, pairs, pairs)

            def number(at, kind=WHOLE):
                return splat(builder, loaded(builder, numbers, WORD(at), kind), 8)

            weights = [
                [builder.bitcast(number(2 * o + half), pairs) for half in range(2)]
                for o in range(outputs)
            ]
            biases = [number(6 + o) for o in range(outputs)]
            scales = [(number(9 + o, REAL), number(12 + o, REAL)) for o in range(outputs)]
            counts = [cgutils.alloca_once_value(builder, nothing) for _ in range(2)]

            def channels(pixels, first, second):
                """Two channels of eight pixels, side by side as int16."""
                places = [
                    place
                    for pixel in range(8)
                    for at in ((pixel if pixel < 4 else pixel - 8) * source % 16 + pixel // 4 * 16,)
                    for place in (at + first, 32, at + second, 32)
                ]
                empty = ir.Constant(bytes_of, [0] * 32)
                return builder.bitcast(shuffle(builder, pixels, empty, places), pairs)

            def levels(i):
                """Eight pixels: for each output their levels, not yet clipped."""
                at = builder.mul(i, WORD(source))
                ends = (at, builder.add(at, WORD(8 * source - 16)))
                half = ir.VectorType(BYTE, 16)
                low, high = (loaded(builder, row, end, BYTE, half) for end in ends)
                pixels = shuffle(builder, low, high, range(32))
                first, second = channels(pixels, 0, 1), channels(pixels, 2, 1)
                for (one, two), bias, (scale, snap) in zip(weights, biases, scales, strict=True):
                    total = builder.add(bias, builder.call(multiply, [first, one]))
                    total = builder.add(total, builder.call(multiply, [second, two]))
                    quotient = builder.fmul(builder.sitofp(total, real), scale, flags=CONTRACTED)
                    quotient = builder.fadd(quotient, snap, flags=CONTRACTED)
                    yield builder.call(nearest, [builder.fsub(quotient, snap)])

            def count(short, half, begin, end):
                """Count what is clipped; if it is said which pixels are new, of these alone."""
                starts = (16 * half, 16 * half + 8) if outputs == 1 else (0, 0)  # of what is packed
                order = [s + 4 * part + j for part in range(2) for s in starts for j in range(4)]
                below = builder.icmp_signed("<", short, nothing)
                above = builder.icmp_signed(">", short, top)
                for place, ones in zip(counts, (below, above), strict=True):
                    if begin is not None:
                        at = ir.Constant(pairs, order)
                        new = builder.icmp_signed(">=", at, splat(builder, begin, 16))
                        there = builder.icmp_signed("<", at, splat(builder, end, 16))
                        ones = builder.and_(ones, builder.and_(new, there))
                    more = builder.sub(builder.load(place), builder.sext(ones, pairs))
                    builder.store(more, place)

            def several(i, begin=None, end=None):
                """So many pixels, of which some may be new."""
                if outputs == 1:
                    found = [x for g in range(4) for x in levels(builder.add(i, WORD(8 * g)))]
                else:
                    found = [*levels(i), none]
                halves = [builder.call(to_shorts, found[k : k + 2]) for k in (0, 2)]
                if not within:
                    for half, short in enumerate(halves):
                        count(short, half, begin, end)
                made = builder.call(to_bytes, halves)
                if outputs == 1:
                    words = builder.bitcast(made, wide)
                    words = shuffle(builder, words, words, (0, 4, 1, 5, 2, 6, 3, 7))
                    stored(builder, out, i, BYTE, builder.bitcast(words, bytes_of))
                    return
                for h in range(2):
                    order = [16 * h + k // target + k % target * 4 for k in range(4 * target)]
                    order += [order[-1]] * (16 - len(order))
                    to = builder.add(builder.mul(i, WORD(target)), WORD(4 * target * h))
                    stored(builder, out, to, BYTE, shuffle(builder, made, made, order))

            done = loop(builder, WORD(0), n, once, several)
            last = builder.sub(n, WORD(once))
            last = builder.select(builder.icmp_signed("<", last, WORD(0)), WORD(0), last)
            several(last, *(builder.trunc(builder.sub(x, last), SHORT) for x in (done, n)))
            for which, held in enumerate(counts):
                tell(builder, told, which, builder.load(held), 16)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 5), build

    return vectors
