"""The loops that add up taps and make samples of totals, compiled once for the kinds between.

A part takes the address of a job, which `conductor` writes: how many samples, where they go, the
part's own numbers, how many rows it reads and where they are. Rows have room for whole vectors,
over which loops run; a mask tells which samples count. Nothing is allocated, nothing raises, no
module variable is read while it runs.
"""

import numpy as np

from imgconv.compiled import processor
from imgconv.compiled.machine import *
from imgconv.compiled.rows import one_of
from imgconv.compiled.vectors import abreast_sums
from imgconv.compiled.words import *

BLOCK = 1 << 14  # so many samples are counted in 16 bits


# ---- taps -------------------------------------------------------------------------------------


def total(S, A):
    """Make the part that adds up taps: out = bias + the sum of weights times rows.

    Numbers of A: 1 for adding to what is there, and 2 more for rows ABREAST (of real numbers); the
    bias, one that is not read, the weights. Nine taps at a time: fewer are bound by loads and
    stores, more by registers.
    """
    number, put, seen, add = read[A], write[A], again[A], plus
    nine, six, three, one = (dot(S, A, count) for count in (9, 6, 3, 1))
    size, abreast = np.dtype(A).itemsize, abreast_sums(A, processor.width())
    real = A.startswith("float")

    def part(job):
        n, out, numbers, taps = word(job, N), word(job, OUT), word(job, NUMBERS), word(job, COUNT)
        bias, rows, weights = number(numbers, 1), job + 8 * INPUTS, numbers + 3 * size
        how, done = number(numbers, 0), 0
        if real and how >= 2:
            abreast(rows, weights, out, n, bias, bias, how == 3)
            return
        if how == 0:
            if taps >= 9:
                for i in range(n):
                    put(out, i, add(bias, nine(rows, weights, i)))
                done = 9
            elif taps >= 6:
                for i in range(n):
                    put(out, i, add(bias, six(rows, weights, i)))
                done = 6
            elif taps >= 3:
                for i in range(n):
                    put(out, i, add(bias, three(rows, weights, i)))
                done = 3
            else:
                for i in range(n):
                    put(out, i, add(bias, one(rows, weights, i)))
                done = 1
        while done < taps:
            x, w = rows + 8 * done, weights + size * done
            if taps - done >= 9:
                for i in range(n):
                    put(out, i, add(seen(out, i), nine(x, w, i)))
                done += 9
            elif taps - done >= 3:
                for i in range(n):
                    put(out, i, add(seen(out, i), three(x, w, i)))
                done += 3
            else:
                for i in range(n):
                    put(out, i, add(seen(out, i), one(x, w, i)))
                done += 1

    return part


def fixed():
    """Make the part that adds up taps of uint16 in units of 2**-16, nine at a time.

    Numbers as of `total`; the third is how many taps are added. The others are taken away, as
    weights have no sign.
    """
    number, put, seen = read["uint16"], write["uint16"], again["uint16"]
    nine = dot("uint16", "uint16", 9, fixed=True)
    abreast = abreast_sums("uint16", processor.width())

    def part(job):
        n, out, numbers, taps = word(job, N), word(job, OUT), word(job, NUMBERS), word(job, COUNT)
        how, bias, added = number(numbers, 0), number(numbers, 1), number(numbers, 2)
        rows, done, sign = job + 8 * INPUTS, 0, np.uint16(1) if added else np.uint16(65535)
        if how >= 2:
            abreast(rows, numbers + 6, out, n, bias, sign, how == 3)
            return
        if how == 0:
            for i in range(n):
                put(out, i, plus(bias, times(sign, nine(rows, numbers + 6, i))))
            done = 9
        while done < taps:
            sign = np.uint16(1) if done < added else np.uint16(65535)
            x, w = rows + 8 * done, numbers + 6 + 2 * done
            for i in range(n):
                put(out, i, plus(seen(out, i), times(sign, nine(x, w, i))))
            done += 9

    return part


# ---- totals to pixels -------------------------------------------------------------------------


def _rounded(A, rounding):
    """Make `rounded(total, numbers)`, half to even, and the type of what it returns.

    PLAIN: the total itself, of a float to the nearest; SHIFT: its absolute value if so told, over a
    power of two; DIVIDE: over any divisor, exactly.
    """
    T = getattr(np, A)
    if rounding == PLAIN and A == "int16":

        @inline
        def rounded(total, numbers):
            return total

        return rounded, T

    if rounding == PLAIN:

        @inline
        def rounded(total, numbers):
            return np.rint(larger(total, total * T(word(numbers, SIGN))))

        return rounded, T

    if rounding == SHIFT:
        last = 8 * np.dtype(A).itemsize - 1  # a shift known to be no more stays within the type
        right = shifted if A.startswith("int") else unsigned_shifted

        @inline
        def rounded(total, numbers):
            shift = T(word(numbers, BITS) & last)
            half, odd = T(word(numbers, HALF)), T(word(numbers, ODD))
            total = larger(total, times(total, T(word(numbers, SIGN))))
            tie = both(right(total, shift), odd)
            return right(plus(plus(total, half), tie), shift)

        return rounded, T

    if A == "int64":

        @inline
        def rounded(total, numbers):
            total, divisor = larger(total, total * word(numbers, SIGN)), word(numbers, DIVISOR)
            floor = total // divisor
            rest = total - floor * divisor
            return floor + (rest > divisor - rest or (rest == divisor - rest and floor & 1 == 1))

        return rounded, T

    if A == "int16":
        # Granlund and Montgomery, Division by Invariant Integers using Multiplication, 1994: the
        # quotient of 15 bits is the upper half of a product, shifted (see `whole.reciprocal`).
        @inline
        def rounded(total, numbers):
            shift, half = np.uint16(word(numbers, BITS) & 15), T(word(numbers, HALF))
            even, divisor = T(word(numbers, ODD)), T(word(numbers, DIVISOR))
            raised = plus(larger(total, times(total, T(word(numbers, SIGN)))), half)
            dividend = np.uint16(larger(raised, T(0)))
            upper = upper_half(dividend, np.uint16(word(numbers, RECIPROCAL)))
            quotient = T(unsigned_shifted(upper, shift))
            tie = even if times(quotient, divisor) == raised else T(0)
            nearest = minus(quotient, both(quotient, tie))
            return united(nearest, shifted(raised, T(15)))  # -1 for what is below 0

        return rounded, T

    if rounding == NARROW:  # see `sums.snapping`

        @inline
        def rounded(total, numbers):
            total = larger(total, times(total, T(word(numbers, SIGN))))
            snap = np.float32(word(numbers, HALF))
            quotient = np.float32(total) * (np.float32(1) / np.float32(word(numbers, DIVISOR)))
            return np.rint(quotient + snap - snap)

        return rounded, np.float32

    # A float division is right to half a unit in its last place, and a quotient that is no tie
    # lies at least 1/(2 divisor) off one: with total and divisor below 2**31 none within the range
    # of pixels can be mistaken for a tie.
    @inline
    def rounded(total, numbers):
        total = larger(total, T(total * T(word(numbers, SIGN))))
        return np.rint(np.float64(total) / np.float64(word(numbers, DIVISOR)))

    return rounded, np.float64


def _pixels(A, U, rounding, taps=0):
    """Make `pixels(job)`: totals to pixels, counting those clipped, where the mask says 1.

    taps: so many are added up here, rather than totals read.
    """
    rounded, P = _rounded(A, rounding)
    lane = LANE.get(A, A)
    W, T = getattr(np, lane), getattr(np, U)
    mask, totals, put, told, tell = read[lane], read[A], write[U], again["int64"], write["int64"]
    added, size = dot(A, A, max(taps, 1)), np.dtype(A).itemsize

    @inline
    def pixels(job):
        n, out, numbers, rows = word(job, N), word(job, OUT), word(job, NUMBERS), word(job, INPUTS)
        top, named, weights = P(word(numbers, TOP)), word(numbers, MASK), word(numbers, SUM)
        counts = word(job, TOLD)
        for start in range(0, n, BLOCK):
            low, high = W(0), W(0)
            for i in range(start, min(start + BLOCK, n)):
                if taps > 0:
                    x = plus(totals(weights, 1), added(job + 8 * INPUTS, weights + 3 * size, i))
                else:
                    x = totals(rows, i)
                pixel = rounded(x, numbers)
                one = mask(named, i)
                low = plus(low, one if pixel < P(0) else W(0))
                high = plus(high, one if pixel > top else W(0))
                positive = pixel if pixel > P(0) else P(0)  # NaN is not: it becomes 0
                put(out, i, T(positive if positive < top else top))
            tell(counts, 0, told(counts, 0) + low)
            tell(counts, 1, told(counts, 1) + high)

    return pixels


def store(A, *kinds):
    """Make the part that turns totals into samples of a kind; of two kinds, the numbers tell which.

    Numbers: words, see `words`.
    """
    if A == "int16":
        return one_of(ROUNDING, [_pixels(A, *kinds, how) for how in (PLAIN, SHIFT, DIVIDE)])
    if A == "int32":
        return one_of(DIVIDING, [_pixels(A, *kinds, how) for how in (SHIFT, DIVIDE, NARROW)])
    how = {"uint16": SHIFT, "int64": DIVIDE}.get(A, PLAIN)
    return one_of(WIDE, [_pixels(A, kind, how) for kind in kinds])


def _means(A, taps):
    """Make `means(job)`: sums as of `_pixels`, divided to bytes that cannot be clipped.

    No quotient is a tie in int16, and in int32 what tells float32's ties is added.
    """
    totals, put, T = read[A], write["uint8"], getattr(np, A)

    @inline
    def total(inputs, weights, i):
        if taps == -3:
            x = plus(totals(word(inputs, 0), i), totals(word(inputs, 1), i))
            return plus(totals(weights, 1), plus(x, totals(word(inputs, 2), i)))
        x = minus(totals(word(inputs, 1), i), totals(word(inputs, 0), i))
        return plus(totals(weights, 1), x)

    if A == "int16":

        @inline
        def means(job):
            n, out, numbers = word(job, N), word(job, OUT), word(job, NUMBERS)
            weights, half = word(numbers, SUM), T(word(numbers, HALF))
            factor = np.uint16(word(numbers, RECIPROCAL))
            shift = np.uint16(word(numbers, BITS) & 15)
            for i in range(n):
                x = np.uint16(plus(total(job + 8 * INPUTS, weights, i), half))
                put(out, i, np.uint8(unsigned_shifted(upper_half(x, factor), shift)))

        return means

    @inline
    def means(job):
        n, out, numbers = word(job, N), word(job, OUT), word(job, NUMBERS)
        weights, snap = word(numbers, SUM), np.float32(word(numbers, HALF))
        factor = np.float32(1) / np.float32(word(numbers, DIVISOR))
        for i in range(n):
            x = np.float32(total(job + 8 * INPUTS, weights, i)) * factor
            put(out, i, np.uint8(np.rint(x + snap - snap)))

    return means


def fused():
    """Make the part that adds up taps straight to bytes, so that totals need no memory.

    Numbers: as of `store`; SUM is where those of `total` are; KIND is which of `words.FUSED`.
    """
    return one_of(KIND, [
        _means(A, taps) if how else _pixels(A, "uint8", how, taps) for A, taps, how in FUSED
    ])  # fmt: skip
