"""Loops over vectors, spelt out for LLVM where its vectoriser finds none.

A vector has as many bytes as the widest registers that are used; one text for all widths.
"""

import math

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from imgconv.engine.machine import TYPES, WORD, load, store

WIDTH = 32  # bytes of a vector


def vector(kind):
    """The type of a vector of a kind, and how many it holds."""
    lanes = WIDTH * 8 // int(str(TYPES[kind])[1:])
    return ir.VectorType(TYPES[kind], lanes), lanes


def shuffle(builder, a, b, places):
    """Lanes of two vectors, those of the second after those of the first."""
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(places)), list(places))
    return builder.shuffle_vector(a, b, mask)


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
                x, by = load(builder, row, i, TYPES[A], kind), depth
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
                    store(builder, out, at, TYPES[A], builder.add(x, before))
                for v in range(turn):
                    more = builder.add(builder.load(carried[v]), last(x, v * lanes))
                    builder.store(more, carried[v])

            def one(i):
                x = builder.add(summed(i), builder.load(carried[0]))
                store(builder, out, i, TYPES[A], x)
                builder.store(last(x), carried[0])

            done = loop(builder, WORD(0), n, turn * lanes, several)
            loop(builder, done, n, lanes, one)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, types.int64), build

    return vectors
