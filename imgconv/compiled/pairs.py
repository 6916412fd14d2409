"""Products of pairs, added up in the instructions that processors have for them.

One text for both widths: sums are made in vectors of 64 bytes, or in two of 32 where a processor
has none of 64.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from imgconv.compiled.machine import BYTE, TYPES, WORD, loaded, stored
from imgconv.compiled.vectors import fetch, loop, named, shuffle, splat, tell, vector
from imgconv.compiled.words import DIVIDE, ON_TO_BYTES, PLAIN, TO_SUMS, TO_TOTALS

PAIRS = 64  # bytes of the vectors in which pairs are summed
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
    products, added up, stay within the kind, and what a rounding takes (`engine.pairs.products`).
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
        """Bits for sums below 0, and for those above 255, as `engine.pairs.in_bits` has them."""
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
