"""The loops that Numba compiles: gather a piece of a picture, sweep the taps of a kernel over it.

`sweep`, `extent` and `gather` make the function for given types; `native` compiles it with a C
signature. Pointers and sizes come in as arguments; nothing is allocated, nothing raises, no
module variable is read. Sizes, steps and offsets count samples, not bytes.

What makes the loops vectorise, each of it measured: a tap is a slice (an index with a sign hides
a wraparound test), nine taps share a pass (fewer are bound by loads and stores, more by registers),
and each step is cast back to the accumulator's type, so that int16 stays int16.
"""

import functools

import numpy as np
from llvmlite import ir
from numba import carray, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

inline = njit(inline="always", error_model="numpy", fastmath={"contract"})

ANY = 1 << 60  # the length of a view whose bounds the caller has checked
SHORT = 16  # below this many samples, setting up nine slices costs more than it saves


def rounding_for(A, rounding):
    """Make `rounded(total, scalars)`, half to even, and the type of what it returns.

    plain: the total itself; shift: its absolute value if so told, over a power of two; divide:
    over any divisor, exactly; real: of a float, whose divisor is folded into the weights.
    """
    if rounding == "plain":

        @inline
        def rounded(total, scalars):
            return total

        return rounded, A

    if rounding == "real":

        @inline
        def rounded(total, scalars):
            return np.rint(larger(total, total * scalars[1]))

        return rounded, A

    if rounding == "shift":
        last = 8 * A().itemsize - 1  # a shift known to be no more stays within the type

        @inline
        def rounded(total, scalars):
            shift, half, odd = scalars[3] & last, scalars[4], scalars[5]
            total = larger(total, A(total * scalars[1]))
            tie = A(A(total >> shift) & odd)
            return A(A(total + half + tie) >> shift)

        return rounded, A

    if np.int64 == A:

        @inline
        def rounded(total, scalars):
            total, divisor = larger(total, total * scalars[1]), scalars[6]
            floor = total // divisor
            rest = total - floor * divisor
            return floor + (rest > divisor - rest or (rest == divisor - rest and floor & 1 == 1))

        return rounded, A

    if np.int16 == A:
        # Granlund and Montgomery, Division by Invariant Integers using Multiplication, 1994: the
        # quotient of 15 bits is the upper half of a product, shifted (see `plan.reciprocal`).
        @inline
        def rounded(total, scalars):
            shift, half, even, divisor = scalars[3] & 15, scalars[4], scalars[5], scalars[6]
            raised = A(larger(total, A(total * scalars[1])) + half)
            dividend = np.uint16(larger(raised, A(0)))
            quotient = A(upper_half(dividend, np.uint16(scalars[7])) >> shift)
            tie = even if A(quotient * divisor) == raised else A(0)
            return A(quotient - A(quotient & tie)) if raised >= 0 else A(-1)

        return rounded, A

    # A float division is right to half a unit in its last place, and a quotient that is no tie
    # lies at least 1/(2 divisor) off one: with total and divisor below 2**31 none within the range
    # of pixels can be mistaken for a tie.
    @inline
    def rounded(total, scalars):
        return np.rint(np.float64(larger(total, A(total * scalars[1]))) / np.float64(scalars[6]))

    return rounded, np.float64


@inline
def larger(a, b):
    return a if a > b else b


@inline
def six_slices(src, offsets, size):
    return (
        src[offsets[0] : offsets[0] + size], src[offsets[1] : offsets[1] + size],
        src[offsets[2] : offsets[2] + size], src[offsets[3] : offsets[3] + size],
        src[offsets[4] : offsets[4] + size], src[offsets[5] : offsets[5] + size],
    )  # fmt: skip


@inline
def nine_slices(src, offsets, size):
    return (
        src[offsets[0] : offsets[0] + size], src[offsets[1] : offsets[1] + size],
        src[offsets[2] : offsets[2] + size], src[offsets[3] : offsets[3] + size],
        src[offsets[4] : offsets[4] + size], src[offsets[5] : offsets[5] + size],
        src[offsets[6] : offsets[6] + size], src[offsets[7] : offsets[7] + size],
        src[offsets[8] : offsets[8] + size],
    )  # fmt: skip


@inline
def six(w):
    return w[0], w[1], w[2], w[3], w[4], w[5]


@inline
def nine(w):
    return w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], w[8]


@intrinsic
def upper_half(typingctx, w, x):
    """The upper 16 bits of a product of two uint16: one instruction for a row of them."""

    def build(context, builder, signature, args):
        short, int32 = ir.IntType(16), ir.IntType(32)
        kind = ir.FunctionType(short, [short, short, int32])
        multiply = cgutils.get_or_insert_function(builder.module, kind, "llvm.umul.fix.i16")
        return builder.call(multiply, [*args, int32(16)])

    return types.uint16(types.uint16, types.uint16), build


def term_for(fixed):
    """Make `term(w, x)`: their product; fixed: in units of 2**-16, both of them uint16."""
    if fixed:

        @inline
        def term(w, x):
            return upper_half(np.uint16(w), x)

    else:

        @inline
        def term(w, x):
            return w * x

    return term


def weighted_for(fixed):
    """Make the sums of six and of nine terms."""
    term = term_for(fixed)

    @inline
    def weighted_six(w, x, i):
        return (
            term(w[0], x[0][i]) + term(w[1], x[1][i]) + term(w[2], x[2][i])
            + term(w[3], x[3][i]) + term(w[4], x[4][i]) + term(w[5], x[5][i])
        )  # fmt: skip

    @inline
    def weighted_nine(w, x, i):
        return (
            term(w[0], x[0][i]) + term(w[1], x[1][i]) + term(w[2], x[2][i])
            + term(w[3], x[3][i]) + term(w[4], x[4][i]) + term(w[5], x[5][i])
            + term(w[6], x[6][i]) + term(w[7], x[7][i]) + term(w[8], x[8][i])
        )  # fmt: skip

    return weighted_six, weighted_nine


def signed_for(A, fixed):
    """Make `signed(total, sign)`: fixed: added or taken away."""

    @inline
    def signed(total, sign):
        return A(sign * total) if fixed else total

    return signed


@inline
def itself(w, x, i):
    return x[i]


def least_for(A):
    """How many samples are worth a group of taps; floats always, whose sum depends on the order."""
    return SHORT if np.issubdtype(A, np.integer) else 0


@functools.cache  # compiled once in a process, whatever forms use it
def accumulate_for(A, fixed=0):
    """Make `accumulate(...)`: acc = bias + the taps, nine at a time and the rest one by one.

    fixed: with the sum of those from `added` on taken away, as their weights have no sign.
    """
    least = least_for(A)
    term, (_, weighted_nine), signed = term_for(fixed), weighted_for(fixed), signed_for(A, fixed)

    @njit(error_model="numpy", fastmath={"contract"})
    def accumulate(acc, src, offsets, weights, taps, bias, added):
        done = 0
        while done + 9 <= taps and acc.size >= least:
            w = nine(weights[done:])
            x = nine_slices(src, offsets[done:], acc.size)
            sign = A(1) if done < added else A(-1)
            if done == 0:
                for i in range(acc.size):
                    acc[i] = bias + signed(weighted_nine(w, x, i), sign)
            else:
                for i in range(acc.size):
                    acc[i] += signed(weighted_nine(w, x, i), sign)
            done += 9
        if done == 0:
            for i in range(acc.size):
                acc[i] = bias
        for rest in range(done, taps):
            weight, sign = weights[rest], A(1) if rest < added else A(-1)
            x0 = src[offsets[rest] : offsets[rest] + acc.size]
            for i in range(acc.size):
                acc[i] += signed(term(weight, x0[i]), sign)

    return accumulate


def pixels_for(A, total_at, rounding, masked):
    """Make `pixels(...)`: totals to pixels, counting those clipped, where the mask says 1."""
    rounded, P = rounding_for(A, rounding)
    W = {2: np.int16, 4: np.int32, 8: np.int64}[P().itemsize]  # a counter as wide as a lane

    @inline
    def pixels(dst, bias, w, x, scalars, mask, counts):
        top = P(scalars[2])
        low = W(0)
        high = W(0)
        for i in range(dst.size):
            pixel = rounded(A(bias + total_at(w, x, i)), scalars)
            named = mask[i] if masked else 1
            low = W(low + W(named & (pixel < P(0))))
            high = W(high + W(named & (pixel > top)))
            positive = pixel if pixel > P(0) else P(0)  # NaN is not: it becomes 0
            dst[i] = positive if positive < top else top
        counts[0] += low
        counts[1] += high

    return pixels


def store_for(A, rounding, masked):
    """Make `store(...)`: accumulators to pixels, or to responses as floats (whole: as they are)."""
    if rounding == "whole":

        @inline
        def store(dst, acc, scalars, mask, counts):
            for i in range(dst.size):
                dst[i] = acc[i]

        return store

    if rounding != "response":
        pixels = pixels_for(A, itself, rounding, masked)

        @inline
        def store(dst, acc, scalars, mask, counts):
            pixels(dst, A(0), 0, acc, scalars, mask, counts)

        return store

    divides = np.issubdtype(A, np.integer)

    @inline
    def store(dst, acc, scalars, mask, counts):
        sign, divisor = scalars[1], np.float64(scalars[6])
        for i in range(dst.size):
            total = larger(acc[i], A(acc[i] * sign))
            dst[i] = total / divisor if divides else total

    return store


def finish_for(A, total_at, rounding, masked):
    """Make `finish(...)`: totals straight to pixels, or as they are."""
    if rounding != "whole":
        return pixels_for(A, total_at, rounding, masked)

    @inline
    def finish(dst, bias, w, x, scalars, mask, counts):
        for i in range(dst.size):
            dst[i] = A(bias + total_at(w, x, i))

    return finish


def sweep(A, rounding, fused, masked, fixed):
    """Make the function that correlates rows of `size` samples, a block at a time.

    fused: 6 or 9 taps straight to what is stored in one pass; 0: any number, through acc. Tap t of
    sample i in row r is src[r * src_step + offsets[t] + i]; offsets has room for as many again.
    scalars: bias, sign (-1 takes the absolute value), top, shift, half, odd, divisor, and how many
    taps are added or the reciprocal. mask: ones and zeros by channel, block + channels of them.
    counts: clipped below, above. Of several outputs each has its weights and scalars, one after the
    other, and is written `apart` from the one before.
    """
    accumulate, store = accumulate_for(A, fixed), store_for(A, rounding, masked)
    least = least_for(A)
    if fused:
        weighted_six, weighted_nine = weighted_for(fixed)
        weighted = weighted_nine if fused == 9 else weighted_six
        values, slices = (nine, nine_slices) if fused == 9 else (six, six_slices)
        finish = finish_for(A, weighted, rounding, masked)

    @inline
    def piece(dst, src, offsets, weights, taps, scalars, acc, mask, counts):
        if fused and dst.size >= least:
            w, x = values(weights), slices(src, offsets, dst.size)
            finish(dst, scalars[0], w, x, scalars, mask, counts)
        else:
            accumulate(acc, src, offsets, weights, taps, scalars[0], scalars[7])
            store(dst, acc, scalars, mask, counts)

    def function(
        src, src_step, dst, dst_step, rows, size, channels,
        offsets, weights, taps, scalars, acc, block, mask, counts, outputs, apart,
    ):  # fmt: skip
        source, target, scratch = carray(src, ANY), carray(dst, ANY), carray(acc, block)
        offset, weight = carray(offsets, 2 * taps), carray(weights, outputs * taps)
        scalar, masks = carray(scalars, 8 * outputs), carray(mask, block + channels)
        clipped = carray(counts, 2)
        moved = offset[taps:]
        for row in range(rows):
            for start in range(0, size, block):
                length = min(block, size - start)
                for t in range(taps):
                    moved[t] = offset[t] + row * src_step + start
                named = masks[start % channels : start % channels + length]
                for o in range(outputs):
                    at = o * apart + row * dst_step + start
                    out, w = target[at : at + length], weight[o * taps : o * taps + taps]
                    s, acc = scalar[8 * o : 8 * o + 8], scratch[:length]
                    piece(out, source, moved, w, taps, s, acc, named, clipped)

    return function


def columns(A, fixed):
    """Make the function that adds up taps in rows of accumulators: the first pass of two.

    Nine taps at a time go down all rows of a panel, so that the rows which they share stay in the
    first-level cache. As `sweep`, but with the taps below each other and numbers: bias, added.
    """
    term, (_, weighted_nine), signed = term_for(fixed), weighted_for(fixed), signed_for(A, fixed)

    def function(
        src, src_step, dst, dst_step, rows, size, offsets, weights, taps, numbers, panel
    ):  # fmt: skip
        source, target = carray(src, ANY), carray(dst, ANY)
        offset, weight = carray(offsets, 2 * taps), carray(weights, taps)
        number = carray(numbers, 2)
        moved, bias, added = offset[taps:], number[0], number[1]
        for left in range(0, size, panel):
            length = min(panel, size - left)
            done = 0
            while done < taps:
                nines = done + 9 <= taps
                sign = A(1) if done < added else A(-1)
                for row in range(rows):
                    out = target[row * dst_step + left : row * dst_step + left + length]
                    if done == 0:
                        for i in range(length):
                            out[i] = bias
                    if nines:
                        w = nine(weight[done:])
                        for t in range(9):
                            moved[t] = offset[done + t] + row * src_step + left
                        x = nine_slices(source, moved, length)
                        for i in range(length):
                            out[i] += signed(weighted_nine(w, x, i), sign)
                    else:
                        first = offset[done] + row * src_step + left
                        x0 = source[first : first + length]
                        for i in range(length):
                            out[i] += signed(term(weight[done], x0[i]), sign)
                done += 9 if nines else 1

    return function


def extent(A):
    """Make the function that finds the least and the greatest accumulator that the mask names.

    As `sweep`; found holds a pair to begin with. NaN and infinities change nothing.
    """
    accumulate = accumulate_for(A)

    def function(
        src, src_step, rows, size, channels, offsets, weights, taps, bias, acc, block, mask, found,
    ):  # fmt: skip
        source, scratch, ends = carray(src, ANY), carray(acc, block), carray(found, 2)
        offset, weight, first = carray(offsets, 2 * taps), carray(weights, taps), carray(bias, 1)
        masks, moved = carray(mask, block + channels), offset[taps:]
        for row in range(rows):
            for start in range(0, size, block):
                length = min(block, size - start)
                for t in range(taps):
                    moved[t] = offset[t] + row * src_step + start
                part = scratch[:length]
                accumulate(part, source, moved, weight, taps, first[0], taps)
                named = masks[start % channels : start % channels + length]
                for i in range(length):
                    if named[i] and part[i] - part[i] == 0:
                        ends[0] = min(ends[0], part[i])
                        ends[1] = max(ends[1], part[i])

    return function


def joined_for(how):
    """Make `first(x)`, `further(total, x)` and `last(total)`; a NaN among them makes a NaN."""
    if how == "magnitude":

        @inline
        def square(x):
            return x * x

        @inline
        def add_square(total, x):
            return total + x * x

        @inline
        def root(total):
            return np.sqrt(total)

        return square, add_square, root

    @inline
    def same(x):
        return x

    @inline
    def greatest(total, x):
        return x if x > total or x != x else total

    @inline
    def least(total, x):
        return x if x < total or x != x else total

    @inline
    def add(total, x):
        return total + x

    return same, {"max": greatest, "min": least, "sum": add, "mean": add}[how], same


def join(A, how, rounding, masked):
    """Make the function that puts the responses of several kernels together, to pixels or as reals.

    Response k of sample i in row r is src[k * apart + r * src_step + i]. factors: scale and shift
    of the levels, applied before the rounding of `sweep`, whose scalars, mask and counts these are.
    """
    store = store_for(A, rounding, masked)
    first, further, last = joined_for(how)

    def function(
        src, apart, src_step, count, dst, dst_step, rows, size, channels,
        factors, scalars, acc, block, mask, counts,
    ):  # fmt: skip
        source, target, scratch = carray(src, ANY), carray(dst, ANY), carray(acc, block)
        factor, scalar, clipped = carray(factors, 2), carray(scalars, 8), carray(counts, 2)
        masks, scale, shift = carray(mask, block + channels), factor[0], factor[1]
        for row in range(rows):
            for start in range(0, size, block):
                length = min(block, size - start)
                total = scratch[:length]
                at = row * src_step + start
                one = source[at : at + length]
                for i in range(length):
                    total[i] = first(A(one[i]))
                for k in range(1, count):
                    one = source[at + k * apart : at + k * apart + length]
                    for i in range(length):
                        total[i] = further(total[i], A(one[i]))
                for i in range(length):
                    total[i] = last(total[i]) * scale + shift
                out = target[row * dst_step + start : row * dst_step + start + length]
                named = masks[start % channels : start % channels + length]
                store(out, total, scalar, named, clipped)

    return function


def interleave():
    """Make the function that puts planes side by side, pixel by pixel, `depth` samples apart.

    Three planes, with or without room for a fourth (which gets the third), become shuffles of
    vectors. Others are done a block of pixels at a time, which stays in the first-level cache until
    all planes are there.
    """

    def function(src, apart, src_step, planes, dst, dst_step, depth, rows, width):
        source, target = carray(src, ANY), carray(dst, ANY)
        for row in range(rows):
            at, to = row * src_step, row * dst_step
            if planes == 3 and depth <= 4:
                a, b = source[at : at + width], source[apart + at : apart + at + width]
                c = source[2 * apart + at : 2 * apart + at + width]
                out = target[to : to + width * depth]
                if depth == 3:
                    for i in range(width):
                        out[3 * i], out[3 * i + 1], out[3 * i + 2] = a[i], b[i], c[i]
                else:
                    for i in range(width):
                        out[4 * i], out[4 * i + 1] = a[i], b[i]
                        out[4 * i + 2], out[4 * i + 3] = c[i], c[i]
                continue
            for start in range(0, width, 256):
                length = min(256, width - start)
                first = to + start * depth
                out = target[first : first + length * depth]
                for plane in range(planes):
                    one = source[plane * apart + at + start : plane * apart + at + start + length]
                    for i in range(length):
                        out[i * depth + plane] = one[i]

    return function


def gather(scaled):
    """Make the function that copies rows and runs of pixels, converted to the type of dst.

    The border is made here, by indices. sources: for each row of dst the row of src, or -1 for a
    row of fill. runs: first pixel in dst, first in src or -1 for fill, step in src, length.
    values: what fills, what samples are multiplied by where scaled.
    """

    def function(
        src, src_step, rows, sources, dst, dst_step, channels, runs, count, values
    ):  # fmt: skip
        source, target = carray(src, ANY), carray(dst, ANY)
        row_map, run, value = carray(sources, rows), carray(runs, (count, 4)), carray(values, 2)
        scale = value[1]
        for row in range(rows):
            for r in range(count):
                to, at, step, length = run[r, 0], run[r, 1], run[r, 2], run[r, 3]
                first = row * dst_step + to * channels
                out = target[first : first + length * channels]
                if row_map[row] < 0 or at < 0:
                    out[:] = value[0]
                    continue
                base = row_map[row] * src_step + at * channels
                if step == 1:
                    inside = source[base : base + length * channels]
                    for i in range(out.size):
                        out[i] = inside[i] * scale if scaled else inside[i]
                    continue
                if channels == 1:
                    one = source[base : base + length * step]
                    if step == 3:  # known steps become shuffles of vectors, ten times as fast
                        for i in range(length):
                            out[i] = one[3 * i] * scale if scaled else one[3 * i]
                    elif step == 4:
                        for i in range(length):
                            out[i] = one[4 * i] * scale if scaled else one[4 * i]
                    else:
                        for i in range(length):
                            out[i] = one[step * i] * scale if scaled else one[step * i]
                    continue
                for pixel in range(length):
                    for c in range(channels):
                        sample = source[base + pixel * step * channels + c]
                        out[pixel * channels + c] = sample * scale if scaled else sample

    return function
