"""Loops over vectors, spelt out for LLVM where its vectoriser finds none.

One text for all widths: pairs are summed in vectors of 64 bytes, or in two of 32 where a processor
has none.
"""

import math

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from imgconv.compiled.machine import BYTE, TYPES, WORD, added, dotted, loaded, stored
from imgconv.compiled.words import ABREAST, DIVIDE, ON_TO_BYTES, PLAIN, TO_SUMS, TO_TOTALS

PAIRS = 64  # bytes of the vectors in which pairs are summed


def vector(kind, width):
    """The type of a vector of a kind, of so many bytes, and how many it holds."""
    lanes = width // np.dtype(kind).itemsize
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

    @intrinsic
    def vectors(typingctx, row, out, n):
        def build(context, builder, signature, args):
            _PrefixSums(builder, A, depth, width, *args).loop()
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, types.int64), build

    return vectors


class _PrefixSums:
    """The loop of `prefix_sums`, as it is built."""

    def __init__(self, builder, A, depth, width, row, out, n):
        self.builder, self.depth, self.row, self.out, self.n = builder, depth, row, out, n
        self.item, (self.sums, self.lanes) = TYPES[A], vector(A, width)
        self.zero = self.sums([0] * self.lanes)
        self.steps = list(self.shifts(self.lanes * 16 // width))
        turn = depth // math.gcd(self.lanes, depth)
        self.carried = [cgutils.alloca_once_value(builder, self.zero) for _ in range(turn)]

    def shifts(self, part):
        """What is added to a vector, step by step: within parts of 16 bytes, then to whole parts.

        Instructions that shift all of a vector take thrice as long.
        """
        lanes, by = range(self.lanes), self.depth
        while by < part:
            yield [self.lanes + i - by if i % part >= by else 0 for i in lanes]
            by *= 2
        while part < self.lanes:
            places = []
            for i in lanes:
                end = i // part * part  # of the part before
                last = self.lanes + end - self.depth + (i - end) % self.depth
                places.append(last if end // part % 2 else 0)
            yield places
            part *= 2

    def loop(self):
        builder, turn = self.builder, len(self.carried) * self.lanes
        done = loop(builder, WORD(0), self.n, turn, self.turn)
        loop(builder, done, self.n, self.lanes, self.one)

    def turn(self, i):
        """Vectors that hold whole pixels."""
        builder, x = self.builder, None
        for v, held in enumerate(self.carried):
            at = builder.add(i, WORD(v * self.lanes))
            x = builder.add(self.summed(at), self.last(x)) if v else self.summed(at)
            stored(builder, self.out, at, self.item, builder.add(x, builder.load(held)))
        for v, held in enumerate(self.carried):
            more = self.last(x, v * self.lanes)
            builder.store(builder.add(builder.load(held), more), held)

    def one(self, i):
        """One of the vectors that are left over."""
        x = self.builder.add(self.summed(i), self.builder.load(self.carried[0]))
        stored(self.builder, self.out, i, self.item, x)
        self.builder.store(self.last(x), self.carried[0])

    def summed(self, i):
        """The sums within a vector."""
        x = loaded(self.builder, self.row, i, self.item, self.sums)
        for places in self.steps:
            x = self.builder.add(x, shuffle(self.builder, self.zero, x, places))
        return x

    def last(self, x, at=0):
        """The last pixel of a vector, over and over, as it goes on `at` samples later."""
        first, lanes = self.lanes - self.depth, range(self.lanes)
        places = [first + (at + lane) % self.depth for lane in lanes]
        return shuffle(self.builder, x, x, places)


def abreast_sums(kind, width):
    """Make `vectors(rows, weights, out, n, start, sign, adding)`: four rows of totals at once.

    Each adds nine taps, as `parts.total` does, to what is there or to `start`, and each reads one
    row further than the one before: a row is read once for all, as rows of many taps are not in the
    first cache. The addresses in `rows` go on with those of all totals but the first. sign: of
    uint16, 1 or, modulo its range, -1.
    """
    fixed = kind == "uint16"

    @intrinsic
    def vectors(typingctx, rows, weights, out, n, start, sign, adding):
        def build(context, builder, signature, args):
            rows, weights, out, n, start, sign, adding = args
            item, (many, lanes) = TYPES[kind], vector(kind, width)
            above = [loaded(builder, rows, WORD(t), WORD) for t in range(9 + 2 * ABREAST - 2)]
            read, made = above[: 9 + ABREAST - 1], [out, *above[9 + ABREAST - 1 :]]
            known = [loaded(builder, weights, WORD(t), item) for t in range(9)]
            start, sign, *known = (splat(builder, x, lanes) for x in (start, sign, *known))

            def body(i):
                samples = [loaded(builder, row, i, item, many) for row in read]
                for first, to in enumerate(made):
                    seen = loaded(builder, to, i, item, many, scope="alias.scope")
                    total = dotted(builder, known, samples[first : first + 9], fixed)
                    total = builder.mul(sign, total) if fixed else total
                    begin = builder.select(adding, seen, start)
                    stored(builder, to, i, item, added(builder, begin, total))

            loop(builder, WORD(0), n, lanes, body)
            return context.get_dummy_value()

        number = getattr(types, kind)
        takes = *[types.int64] * 4, number, number, types.boolean
        return types.void(*takes), build

    return vectors


# What multiplies pairs and adds up the products of each, by the bytes of a vector: uint8 by int8 to
# int16, and int16 by int16 to int32.
MULTIPLY = {
    ("int16", 32): "llvm.x86.avx2.pmadd.ub.sw", ("int16", 64): "llvm.x86.avx512.pmaddubs.w.512",
    ("int32", 32): "llvm.x86.avx2.pmadd.wd", ("int32", 64): "llvm.x86.avx512.pmaddw.d.512",
}  # fmt: skip
HALF = {"int16": "uint8", "int32": "int16"}
# What makes bytes of two vectors of int16, without a sign and with one.
PACK = {32: "llvm.x86.avx2.packuswb", 64: "llvm.x86.avx512.packuswb.512"}
SIGNED_PACK = "llvm.x86.avx2.packsswb"


def pair_sums(kind, pairs, becoming, rounding, width):
    """Make `vectors(inputs, out, n, numbers, mask, told, ahead)`: sums of products of pairs.

    inputs: the addresses of two rows for each pair, of uint8 for sums of int16, of int16 for int32;
    in registers their samples come to lie side by side. numbers, of the kind of the sums: -1 for
    adding to the sums that are there, the bias, for each pair its weights in one number, whose
    products, added up, stay within the kind, and what a rounding takes (`pairs.products`).
    becoming, rounding: see `words.PAIRED`; bytes are clipped, and counted where a bit of the mask
    is 1; the sums that they are added to are the last input. ahead: bytes that will be read next,
    fetched meanwhile: of a large picture in 15 % less time.
    """

    @intrinsic
    def vectors(typingctx, inputs, out, n, numbers, mask, told, ahead):
        def build(context, builder, signature, args):
            _PairSums(builder, kind, pairs, becoming, rounding, width, *args).loop()
            return context.get_dummy_value()

        return types.void(*[types.int64] * 7), build

    return vectors


class _PairSums:
    """The loop of `pair_sums`, as it is built.

    Bytes are put side by side within parts of 16, the first halves of these and the second ones:
    the instructions that do, and that pack sums, know no other way. So there are two vectors of
    sums, whose order is that of samples only after packing, or a shuffle.
    """

    def __init__(
        self, builder, kind, pairs, becoming, rounding, width,
        inputs, out, n, numbers, mask, told, ahead,
    ):  # fmt: skip
        self.builder, self.kind, self.becoming, self.width = builder, kind, becoming, width
        self.out, self.n, self.numbers = out, n, numbers
        self.mask, self.told, self.ahead = mask, told, ahead
        self.item, self.sample = TYPES[kind], TYPES[HALF[kind]]
        self.sums, self.lanes = vector(kind, PAIRS)
        self.halves, self.step = vector(HALF[kind], PAIRS)
        self.adding, self.bias = self.number(0), self.number(1)
        self.weights = [builder.bitcast(self.number(2 + p), self.halves) for p in range(pairs)]
        self.rounding = rounding
        self.known = [self.number(2 + pairs + k) for k in range(5 if rounding else 0)]
        rows = [loaded(builder, inputs, WORD(t), WORD) for t in range(2 * pairs)]
        self.rows = list(zip(rows[::2], rows[1::2], strict=True))
        self.before = loaded(builder, inputs, WORD(2 * pairs), WORD)

    def number(self, at):
        number = loaded(self.builder, self.numbers, WORD(at), self.item)
        return splat(self.builder, number, self.lanes)

    def loop(self):
        builder = self.builder
        if self.becoming in (TO_SUMS, TO_TOTALS):
            loop(builder, WORD(0), self.n, self.step, self.store)
            return
        self.counts = [cgutils.alloca_once_value(builder, WORD(0)) for _ in range(2)]
        loop(builder, WORD(0), self.n, self.step, self.store_bytes)
        for which, held in enumerate(self.counts):
            tell(builder, self.told, which, builder.load(held))

    def store(self, i):
        """Sums, added to what is there if so told; of totals, as samples lie."""
        builder, lanes = self.builder, self.lanes
        begin = [
            builder.add(self.bias, builder.and_(seen, self.adding))
            for seen in self.seen(self.out, i, "alias.scope")
        ]
        made = self.total(i, begin)
        if self.becoming == TO_TOTALS:
            part = 16 * lanes // PAIRS  # sums of a part of 16 bytes in one of the two vectors
            places = [
                k // (2 * part) * part + k % part + lanes * (k // part % 2)
                for k in range(2 * lanes)
            ]
            made = [shuffle(builder, *made, places[half:][:lanes]) for half in (0, lanes)]
        for half, each in enumerate(made):
            stored(builder, self.out, builder.add(i, WORD(half * lanes)), self.item, each)

    def store_bytes(self, i):
        """Two vectors of sums, clipped, as one of bytes; what is clipped is counted."""
        builder = self.builder
        fetch(builder, builder.add(self.ahead, i))
        on = self.becoming == ON_TO_BYTES
        totals = self.total(i, self.seen(self.before, i) if on else [self.bias] * 2)
        low, high = map(self.rounded, totals)
        if self.rounding != DIVIDE:
            self.count(i, low, high)
        stored(builder, self.out, i, BYTE, self.packed(PACK[self.width], low, high))

    def rounded(self, total):
        """Sums, rounded as in `parts`; what is divided is within the range, and no tie."""
        builder = self.builder
        if self.rounding == PLAIN:
            return total
        sign, bits, half, odd, factor = self.known
        if self.rounding == DIVIDE:
            wide = ir.VectorType(ir.IntType(32), self.lanes)
            total, factor = (
                builder.zext(each, wide) for each in (builder.add(total, half), factor)
            )
            upper = builder.lshr(
                builder.mul(total, factor), splat(builder, wide.element(16), self.lanes)
            )
            return builder.lshr(builder.trunc(upper, self.sums), bits)
        other = builder.mul(total, sign)
        total = builder.select(builder.icmp_signed(">", total, other), total, other)
        tie = builder.and_(builder.ashr(total, bits), odd)
        return builder.ashr(builder.add(builder.add(total, half), tie), bits)

    def count(self, i, low, high):
        """Count which sums are clipped, and count."""
        builder = self.builder
        counted = loaded(builder, self.mask, builder.lshr(i, WORD(6)), WORD)
        ones = named(builder, "llvm.ctpop.i64", WORD, WORD)
        for held, bits in zip(self.counts, self.beyond(low, high), strict=True):
            more = builder.call(ones, [builder.and_(bits, counted)])
            builder.store(builder.add(builder.load(held), more), held)

    def beyond(self, low, high):
        """Bits for sums below 0, and for those above 255, in the order of `pairs.in_bits`."""
        builder, zero, white = self.builder, *(self.sums([n] * self.lanes) for n in (0, 255))
        above = [builder.icmp_signed(">", each, white) for each in (low, high)]
        if self.width == PAIRS:
            below = [builder.icmp_signed("<", each, zero) for each in (low, high)]
            both = [shuffle(builder, *each, range(PAIRS)) for each in (below, above)]
        else:  # a byte of each has the sign of it
            above = [builder.sext(each, self.sums) for each in above]
            bytes_of = [self.packed(SIGNED_PACK, *each) for each in ((low, high), above)]
            none = ir.Constant(bytes_of[0].type, [0] * PAIRS)
            both = [builder.icmp_signed("<", each, none) for each in bytes_of]
        return [builder.bitcast(each, WORD) for each in both]

    def seen(self, row, i, scope="noalias"):
        """Two vectors of sums that were made before."""
        return [
            loaded(self.builder, row, self.builder.add(i, WORD(at)), self.item, self.sums, scope)
            for at in (0, self.lanes)
        ]

    def packed(self, pack, low, high):
        """Two vectors of sums as one of bytes, clipped."""
        wide, narrow = (vector(kind, self.width)[0] for kind in (self.kind, "uint8"))
        return self.at_once(named(self.builder, pack, narrow, wide, wide), low, high)

    def total(self, i, sums):
        """The sums of all products, added to two vectors."""
        for rows, weight in zip(self.rows, self.weights, strict=True):
            samples = [loaded(self.builder, row, i, self.sample, self.halves) for row in rows]
            sums = [
                self.builder.add(
                    each, self.products(shuffle(self.builder, *samples, places), weight)
                )
                for each, places in zip(sums, self.side_by_side(), strict=True)
            ]
        return sums

    def side_by_side(self):
        """The places of samples of two vectors, in turns, of the first and the second halves."""
        part = 16 * self.step // PAIRS
        for half in range(0, part, part // 2):
            begins = range(half, self.step, part)
            firsts = [begin + k for begin in begins for k in range(part // 2)]
            yield [place for k in firsts for place in (k, self.step + k)]

    def products(self, pairs, weight):
        """The products of pairs, added up."""
        sums, halves = (vector(kind, self.width)[0] for kind in (self.kind, HALF[self.kind]))
        multiply = named(self.builder, MULTIPLY[self.kind, self.width], sums, halves, halves)
        return self.at_once(multiply, pairs, weight)

    def at_once(self, instruction, a, b):
        """What an instruction makes of two vectors, as much at a time as the processor does."""
        builder, count = self.builder, a.type.count
        if self.width == PAIRS:
            return builder.call(instruction, [a, b])
        made = [
            builder.call(instruction, [shuffle(builder, x, x, places) for x in (a, b)])
            for places in (range(count // 2), range(count // 2, count))
        ]
        return shuffle(builder, *made, range(2 * made[0].type.count))


def fetch(builder, address):
    """Have the second cache fetch a line that is to be read, if there is such memory."""
    number, place = ir.IntType(32), builder.inttoptr(address, BYTE.as_pointer())
    name, kinds = "llvm.prefetch.p0", (place.type, *[number] * 3)
    how = (number(n) for n in (0, 2, 1))  # to read, not that soon, data
    builder.call(named(builder, name, ir.VoidType(), *kinds), [place, *how])


def tell(builder, told, which, more):
    """Add a number to a word."""
    found = loaded(builder, told, WORD(which), WORD, scope="alias.scope")
    stored(builder, told, WORD(which), WORD, builder.add(found, more))


def summed(builder, counted):
    """The sum of the lanes of a vector, as a word."""
    wide = ir.VectorType(ir.IntType(32), counted.type.count)
    total = named(builder, f"llvm.vector.reduce.add.v{wide.count}i32", wide.element, wide)
    lanes = builder.sext(counted, wide) if counted.type != wide else counted
    return builder.sext(builder.call(total, [lanes]), WORD)
