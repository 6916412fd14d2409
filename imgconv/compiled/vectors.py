"""Loops over vectors, spelt out for LLVM where its vectoriser finds none.

One text for all widths that processors have.
"""

import math

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from imgconv.compiled.machine import BYTE, TYPES, WORD, added, dotted, loaded, stored
from imgconv.compiled.words import ABREAST


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
