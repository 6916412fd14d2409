"""The loops that make rows of samples differences, as PNG packs them, and that make them back.

A row is packed as a byte, which says from what its bytes are differences, and these: of the same
byte of the pixel to the left (a), above (b), or to the left above (c). Of the five filters a row
takes the one whose differences are smallest, as many as are weighed.
Source: Portable Network Graphics (PNG) Specification, third edition, 9 and 12.7.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from imgconv.compiled.machine import (
    BYTE,
    WORD,
    again,
    clear,
    copied,
    inline,
    loaded,
    minus,
    plus,
    read,
    stored,
    unsigned_shifted,
    word,
    write,
)
from imgconv.compiled.vectors import named, shuffle, vector
from imgconv.compiled.words import *

NONE, SUB, UP, AVERAGE, PAETH = range(5)
VECTOR, AT_ONCE = vector("uint8", MARGIN)
SHORTS, _ = vector("uint16", MARGIN)
# Two bytes of up to 128 are added to 16 bits so many times.
WEIGHED = 255

byte, short, put_word = read["uint8"], read["uint16"], write["int64"]
put, put_short = write["uint8"], write["uint16"]
seen, seen_short = again["uint8"], again["uint16"]


# ---- differences --------------------------------------------------------------------------------


def _greater(builder, a, b):
    return builder.icmp_unsigned(">", a, b)


def _apart(builder, a, b):
    """How far bytes are from each other."""
    more = builder.select(_greater(builder, a, b), a, b)
    return builder.sub(more, builder.select(_greater(builder, a, b), b, a))


def _paeth(builder, a, b, c):
    """Which of a, b and c is nearest to a + b - c; the first of them where two are.

    It is as far from a as b is from c, and from b as a is. From c it is as far as these together if
    both are above c or both below; then c is never the nearest. Else as far as they are apart.
    """
    from_a, from_b = _apart(builder, b, c), _apart(builder, a, c)
    same = builder.not_(builder.xor(_greater(builder, b, c), _greater(builder, a, c)))
    from_c = builder.select(same, VECTOR([255] * AT_ONCE), _apart(builder, from_a, from_b))
    nearest = builder.select(_greater(builder, from_b, from_c), c, b)
    least = builder.select(_greater(builder, from_b, from_c), from_c, from_b)
    return builder.select(_greater(builder, from_a, least), nearest, a)


def _average(builder, a, b):
    """Half the sum, without its ninth bit."""
    half = builder.lshr(builder.xor(a, b), VECTOR([1] * AT_ONCE))
    return builder.add(builder.and_(a, b), half)


def _read(builder, this, above, i, by):
    """Vectors of bytes and of what they are compared with: x, a, b and c; `by` bytes is a pixel."""
    left = builder.sub(i, by)
    return [
        loaded(builder, row, at, BYTE, VECTOR, scope="alias.scope")
        for at in (i, left)
        for row in (this, above)
    ]


def _differences(builder, way, x, b, a, c):
    """A vector of differences."""
    if way == AVERAGE:
        return builder.sub(x, _average(builder, a, b))
    if way == PAETH:
        return builder.sub(x, _paeth(builder, a, b, c))
    return x if way == NONE else builder.sub(x, a if way == SUB else b)


def _filtered(way):
    """Make `filtered(out, this, above, i, by)`: write a vector of differences."""

    @intrinsic
    def filtered(typingctx, out, this, above, i, by):
        def build(context, builder, signature, args):
            out, *rest = args
            bytes_read = _read(builder, *rest)
            stored(builder, out, rest[2], BYTE, _differences(builder, way, *bytes_read))
            return context.get_dummy_value()

        return types.void(*[types.int64] * 5), build

    return filtered


sub, up, average, paeth = map(_filtered, (SUB, UP, AVERAGE, PAETH))


@intrinsic
def weigh(typingctx, sums, this, above, i, by):
    """Add up, for each filter, how far a vector of differences is from 0, as signed bytes."""

    def build(context, builder, signature, args):
        sums, *rest = args
        absolute = named(builder, f"llvm.abs.v{AT_ONCE}i8", VECTOR, VECTOR, ir.IntType(1))
        bytes_read, lanes = _read(builder, *rest), SHORTS.count
        more = []
        for way in range(5):
            far = _differences(builder, way, *bytes_read)
            far = builder.bitcast(builder.call(absolute, [far, ir.IntType(1)(0)]), SHORTS)
            low = builder.and_(far, SHORTS([255] * lanes))
            high = builder.lshr(far, SHORTS([8] * lanes))
            more.append(builder.add(low, high))
        for way, each in enumerate(more):
            at = WORD(way * MARGIN)
            total = loaded(builder, sums, at, BYTE, SHORTS, scope="alias.scope")
            stored(builder, sums, at, BYTE, builder.add(total, each))
        return context.get_dummy_value()

    return types.void(*[types.int64] * 5), build


@intrinsic
def weight(typingctx, sums, way):
    """The sum of a filter."""

    def build(context, builder, signature, args):
        sums, way = args
        wide = ir.VectorType(ir.IntType(32), SHORTS.count)
        name = f"llvm.vector.reduce.add.v{SHORTS.count}i32"
        total = named(builder, name, ir.IntType(32), wide)
        at = builder.mul(way, WORD(MARGIN))
        found = loaded(builder, sums, at, BYTE, SHORTS, scope="alias.scope")
        return builder.zext(builder.call(total, [builder.zext(found, wide)]), WORD)

    return types.int64(types.int64, types.int64), build


@inline
def best(sums, this, above, n, by, ways):
    """Return which of the first so many filters makes the smallest differences."""
    clear(sums, 5 * MARGIN)
    step = (n // (WEIGHED * MARGIN) + 1) * MARGIN
    for i in range(0, n, step):
        weigh(sums, this, above, i, by)
    found, least = 0, weight(sums, 0)
    for way in range(1, ways):
        other = weight(sums, way)
        if other < least:
            found, least = way, other
    return found


@inline
def filter_row(way, out, this, above, n, by):
    """Write differences, and up to a vector beyond them."""
    if way == NONE:
        copied(out, this, n)
    elif way == SUB:
        for i in range(0, n, MARGIN):
            sub(out, this, above, i, by)
    elif way == UP:
        for i in range(0, n, MARGIN):
            up(out, this, above, i, by)
    elif way == AVERAGE:
        for i in range(0, n, MARGIN):
            average(out, this, above, i, by)
    else:
        for i in range(0, n, MARGIN):
            paeth(out, this, above, i, by)


# ---- samples ------------------------------------------------------------------------------------


@intrinsic
def three_of_four(typingctx, out, i, row):
    """Take the first three bytes of each four, of sixteen pixels."""

    def build(context, builder, signature, args):
        out, i, row = args
        pixels = loaded(builder, row, builder.mul(i, WORD(4)), BYTE, VECTOR)
        places = [k // 3 * 4 + k % 3 for k in range(48)]
        colours = shuffle(builder, pixels, pixels, places)
        stored(builder, out, builder.mul(i, WORD(3)), BYTE, colours)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 3), build


@intrinsic
def shifted_up(typingctx, a, b):
    """A number whose bits go up by so many."""

    def build(context, builder, signature, args):
        return builder.shl(*args)

    return a(a, b), build


@inline
def swapped(x):
    """A number of 16 bits with its halves in the other order."""
    return plus(unsigned_shifted(x, np.uint16(8)), shifted_up(x, np.uint16(8)))


@inline
def pack_row(layout, out, row, n):
    """Put the samples of a row side by side, as so many bytes."""
    if layout == THREE_OF_FOUR:
        pixels = n // 3
        whole = pixels & ~15
        for i in range(0, whole, 16):
            three_of_four(out, i, row)
        for i in range(whole, pixels):
            put(out, 3 * i, byte(row, 4 * i))
            put(out, 3 * i + 1, byte(row, 4 * i + 1))
            put(out, 3 * i + 2, byte(row, 4 * i + 2))
    elif layout == ENDS_OF_FOUR:
        for i in range(n // 2):
            put(out, 2 * i, byte(row, 4 * i))
            put(out, 2 * i + 1, byte(row, 4 * i + 3))
    elif layout == OF_TWO:
        for i in range(n // 2):
            put_short(out, i, swapped(short(row, i)))
    else:
        copied(out, row, n)


def pack():
    """Make the part that packs a strip; a job is the words that `words` names.

    The first row looks at none above. Beside two rows with a margin on each side, the room LINES
    has that for the sums. Up to MARGIN bytes are written beyond what is packed.
    """

    def part(job):
        row, step, layout = word(job, PIXELS), word(job, PIXELS_STEP), word(job, LAYOUT)
        n, by, out, sums = (
            word(job, LENGTH), word(job, APART_BY), word(job, PACKED), word(job, LINES)
        )  # fmt: skip
        differing = word(job, DIFFERING)
        apart, told = n + 2 * MARGIN, np.int64(differing != FROM_LEFT)
        this, above = sums + 6 * MARGIN, sums + 6 * MARGIN + apart
        if differing != AS_THEY_ARE:
            clear(sums, 6 * MARGIN + 2 * apart)
        ways = 2
        for _ in range(word(job, HEIGHT)):
            pack_row(layout, out + told if differing == AS_THEY_ARE else this, row, n)
            way = NONE if differing == AS_THEY_ARE else SUB
            if differing == AT_BEST:
                way = best(sums, this, above, n, by, ways)
            if layout == IN_WORDS:
                for i in range(n // 2):
                    left = seen_short(this, i - by // 2)
                    put_short(out, i, minus(seen_short(this, i), left))
            elif differing != AS_THEY_ARE:
                filter_row(way, out + told, this, above, n, by)
            if told:
                put(out, 0, np.uint8(way))
            this, above, ways = above, this, 5
            row += step
            out += n + told

    return part


# ---- and back -----------------------------------------------------------------------------------


@inline
def nearest(a, b, c):
    """Which of a, b and c is nearest to a + b - c; the first of them where two are."""
    from_a, from_b, from_c = abs(b - c), abs(a - c), abs(a + b - 2 * c)
    found = c if from_c < from_b else b
    return a if from_a <= min(from_b, from_c) else found


@inline
def unfilter_row(way, this, above, packed, n, by):
    """Make bytes of differences."""
    if way == NONE:
        copied(this, packed, n)
    elif way == SUB:
        for i in range(n):
            put(this, i, plus(byte(packed, i), seen(this, i - by)))
    elif way == UP:
        for i in range(n):
            put(this, i, plus(byte(packed, i), seen(above, i)))
    elif way == AVERAGE:
        for i in range(n):
            half = (np.int32(seen(this, i - by)) + np.int32(seen(above, i))) >> 1
            put(this, i, plus(byte(packed, i), np.uint8(half)))
    else:
        for i in range(n):
            a, b = np.int32(seen(this, i - by)), np.int32(seen(above, i))
            c = np.int32(seen(above, i - by))
            put(this, i, plus(byte(packed, i), np.uint8(nearest(a, b, c))))


def unpack():
    """Make the part that makes rows of samples of 16 bits of what is packed.

    A job is words as of `pack`; it ends at a row whose first byte is no filter.
    """

    def part(job):
        row, step, height = word(job, PIXELS), word(job, PIXELS_STEP), word(job, HEIGHT)
        n, by, packed, lines = (
            word(job, LENGTH), word(job, APART_BY), word(job, PACKED), word(job, LINES)
        )  # fmt: skip
        apart = n + 2 * MARGIN
        this, above = lines + MARGIN, lines + MARGIN + apart
        clear(lines, 2 * apart)
        y = 0
        while y < height and byte(packed, 0) <= PAETH:
            unfilter_row(byte(packed, 0), this, above, packed + 1, n, by)
            for i in range(n // 2):
                put_short(row, i, swapped(seen_short(this, i)))
            this, above = above, this
            row += step
            packed += n + 1
            y += 1
        put_word(job, FAULT, y)

    return part
