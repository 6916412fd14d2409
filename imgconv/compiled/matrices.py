"""Sums over the channels of pixels, three of them with room for a fourth: a product of matrices.

One text for vectors of 32 and of 64 bytes, in lanes of 16: shuffles stay within lanes but where
pixels of three bytes are read and written, four to a lane.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from imgconv.compiled.machine import BYTE, CONTRACTED, TYPES, WORD, loaded, stored
from imgconv.compiled.vectors import loop, named, shuffle, splat, summed, tell, vector
from imgconv.compiled.words import MIXED_AT_ONCE


def mixing(source, target, within, width):
    """Make `vectors(row, out, n, numbers, told)`: pixels of bytes to those that sum their channels.

    source, target: bytes of a pixel; of three outputs a fourth is 0. within: none is clipped, so
    that there is nothing to count. numbers: for each of three outputs its weights as pairs of
    int16, of the channels 0 and 1, 2 and 1, then three biases, three float32 by which sums are
    multiplied, and three for `sums.snapping`.

    Nothing beyond a row of `words.MIXED_AT_ONCE` pixels or more is read or written, since the last
    vector takes some once more; of a shorter row, as much as of one of these.
    """

    @intrinsic
    def vectors(typingctx, row, out, n, numbers, told):
        def build(context, builder, signature, args):
            _Mixing(builder, source, target, within, width, *args).loop()
            return context.get_dummy_value()

        return types.void(*[types.int64] * 5), build

    return vectors


# Sums of pairs of int16, float32 to the nearest int32 as half to even has it, and the packing of
# two vectors by lanes of 16 bytes, by the bytes of a vector.
MIX = {
    32: ("avx2.pmadd.wd", "avx.cvt.ps2dq.256", "avx2.packssdw", "avx2.packuswb"),
    64: ("avx512.pmaddw.d.512", "avx512.mask.cvtps2dq.512", "avx512.packssdw.512",
         "avx512.packuswb.512"),
}  # fmt: skip


class _Mixing:
    """The loop of `mixing`, as it is built: a vector of pixels at once, or four of one output."""

    def __init__(self, builder, source, target, within, width, row, out, n, numbers, told):
        self.builder, self.source, self.target, self.within = builder, source, target, within
        self.row, self.out, self.n, self.numbers, self.told = row, out, n, numbers, told
        self.outputs = 3 if target > 1 else 1
        self.width, self.lanes = width, width // 16
        self.ends = self.lanes == 2 or source == 4
        self.wholes, self.at_once = vector("int32", self.width)
        self.shorts, self.halves = vector("int16", self.width)
        self.bytes, _ = vector("uint8", self.width)
        self.weights = [
            [builder.bitcast(self.number(2 * o + half), self.shorts) for half in range(2)]
            for o in range(self.outputs)
        ]
        self.biases = [self.number(6 + o) for o in range(self.outputs)]
        self.scales = [self.number(9 + o, "float32") for o in range(self.outputs)]
        self.snaps = [self.number(12 + o, "float32") for o in range(self.outputs)]
        nothing = self.shorts([0] * self.halves)
        self.counts = [cgutils.alloca_once_value(builder, nothing) for _ in range(2)]

    def number(self, at, kind="int32"):
        number = loaded(self.builder, self.numbers, WORD(at), TYPES[kind])
        return splat(self.builder, number, self.at_once)

    def done(self, which, result, *given):
        """What an instruction makes of vectors."""
        name = f"llvm.x86.{MIX[self.width][which]}"
        if "mask" in name:  # all of it, rounded as it usually is
            given = *given, result([0] * self.at_once), ir.IntType(16)(-1), ir.IntType(32)(4)
        instruction = named(self.builder, name, result, *(x.type for x in given))
        return self.builder.call(instruction, given)

    def loop(self):
        builder, once = self.builder, self.at_once * (1 if self.outputs == 3 else 4)
        assert once <= MIXED_AT_ONCE
        done = loop(builder, WORD(0), self.n, once, self.pixels)
        last = builder.sub(self.n, WORD(once))
        last = builder.select(builder.icmp_signed("<", last, WORD(0)), WORD(0), last)
        new = [builder.trunc(builder.sub(x, last), TYPES["int16"]) for x in (done, self.n)]
        self.pixels(last, *new)
        for which, held in enumerate(self.counts):
            tell(builder, self.told, which, summed(builder, builder.load(held)))

    def pixels(self, i, begin=None, end=None):
        """Make so many pixels; where it is said which are new, these alone count."""
        if self.outputs == 1:
            at = [self.builder.add(i, WORD(self.at_once * k)) for k in range(4)]
            found = [level for each in at for level in self.levels(each)]
        else:
            found = [*self.levels(i), self.wholes([0] * self.at_once)]
        shorts = [self.done(2, self.shorts, *found[k : k + 2]) for k in (0, 2)]
        if not self.within:
            for half, short in enumerate(shorts):
                self.count(short, half, begin, end)
        self.store(i, self.done(3, self.bytes, *shorts))

    def levels(self, i):
        """As many pixels as a vector has whole numbers: each output's levels, not yet clipped."""
        builder, pixels = self.builder, self.read(i)
        first, second = self.channels(pixels, 0, 1), self.channels(pixels, 2, 1)
        for (one, two), bias, scale, snap in zip(
            self.weights, self.biases, self.scales, self.snaps, strict=True
        ):
            total = builder.add(bias, self.done(0, self.wholes, first, one))
            total = builder.add(total, self.done(0, self.wholes, second, two))
            quotient = builder.fmul(builder.sitofp(total, scale.type), scale, flags=CONTRACTED)
            quotient = builder.fadd(quotient, snap, flags=CONTRACTED)
            quotient = builder.fsub(quotient, snap)
            yield self.done(1, self.wholes, quotient)

    def moved(self, x, places):
        """Bytes moved by fours, over lanes; there may be fewer places than a vector has."""
        fours = self.builder.bitcast(x, self.wholes)
        places = [*places, *[0] * (self.at_once - len(places))]
        return self.builder.bitcast(shuffle(self.builder, fours, fours, places), self.bytes)

    def bytes_from(self, i, begin, count):
        """So many bytes of a row, from one of pixel i on."""
        at = self.builder.add(self.builder.mul(i, WORD(self.source)), WORD(begin))
        return loaded(self.builder, self.row, at, BYTE, ir.VectorType(BYTE, count))

    def read(self, i):
        """Pixels, four to a lane: from its beginning, or if `ends` up to the end of the second."""
        size, half = self.at_once * self.source, self.width // 2
        count = half if self.ends else size - half
        low = self.bytes_from(i, 0, half)
        high = self.bytes_from(i, size - count, count)
        high = shuffle(self.builder, high, high, [k % count for k in range(half)])
        pixels = shuffle(self.builder, low, high, range(self.width))
        if self.ends:
            return pixels
        return self.moved(pixels, [3 * (k // 4) + min(k % 4, 2) for k in range(self.at_once)])

    def channels(self, pixels, first, second):
        """Two channels of pixels, side by side as int16."""
        places = []
        for pixel in range(self.at_once):
            lane, four = divmod(pixel, 4)
            at = 16 * lane + self.source * four + (16 - 4 * self.source) * (self.ends and lane)
            places += [at + first, self.width, at + second, self.width]
        nothing = self.bytes([0] * self.width)
        return self.builder.bitcast(shuffle(self.builder, pixels, nothing, places), self.shorts)

    def count(self, short, half, begin, end):
        """Count what is clipped."""
        builder, apart = self.builder, self.at_once if self.outputs == 1 else 0
        starts = [(2 * half + k) * apart for k in range(2)]
        places = [s + 4 * k + j for k in range(self.lanes) for s in starts for j in range(4)]
        for held, (sign, limit) in zip(self.counts, (("<", 0), (">", 255)), strict=True):
            clipped = builder.icmp_signed(sign, short, self.shorts([limit] * self.halves))
            if begin is not None:
                at = self.shorts(places)
                new = builder.icmp_signed(">=", at, splat(builder, begin, self.halves))
                there = builder.icmp_signed("<", at, splat(builder, end, self.halves))
                clipped = builder.and_(clipped, builder.and_(new, there))
            more = builder.sub(builder.load(held), builder.sext(clipped, self.shorts))
            builder.store(more, held)

    def store(self, i, made):
        """Store pixels in their order: packing takes fours of each vector in turn."""
        builder, target, half = self.builder, self.target, self.width // 2
        if self.outputs == 1:
            made = self.moved(made, [4 * n + k for k in range(4) for n in range(self.lanes)])
            stored(builder, self.out, i, BYTE, made)
            return
        in_lane = [k // target % 4 + k % target * 4 for k in range(16)]
        places = [16 * lane + k for lane in range(self.lanes) for k in in_lane]
        made = shuffle(builder, made, made, places)
        if target == 3:
            made = self.moved(made, [4 * (k // 3) + k % 3 for k in range(3 * self.lanes)])
        at = builder.mul(i, WORD(target))
        for begin, end in ((0, half), (half, self.at_once * target)):
            part = shuffle(builder, made, made, range(begin, end))
            stored(builder, self.out, builder.add(at, WORD(begin)), BYTE, part)
