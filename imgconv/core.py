"""The loops that Numba compiles: gather a piece of a picture, sweep the taps of a kernel over it.

`sweep`, `extent` and `gather` make the function for given types; `native` compiles it with a C
signature. Pointers and sizes come in as arguments; nothing is allocated, nothing raises, no
module variable is read. Sizes, steps and offsets count samples, not bytes.

What makes the loops vectorise, each of it measured: a tap is a slice (an index with a sign hides
a wraparound test), nine taps share a pass (fewer are bound by loads and stores, more by registers),
and each step is cast back to the accumulator's type, so that int16 stays int16.
"""

import numpy as np
from numba import carray, njit

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

    # A float division is right to half a unit in its last place, and a quotient that is no tie
    # lies at least 1/(2 divisor) off one: with total and divisor below 2**15 in float32, 2**31 in
    # float64, none within the range of pixels can be mistaken for a tie.
    real = np.float32 if np.int16 == A else np.float64

    @inline
    def rounded(total, scalars):
        return np.rint(real(larger(total, A(total * scalars[1]))) / real(scalars[6]))

    return rounded, real


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


@inline
def weighted_six(w, x, i):
    return (
        w[0] * x[0][i] + w[1] * x[1][i] + w[2] * x[2][i]
        + w[3] * x[3][i] + w[4] * x[4][i] + w[5] * x[5][i]
    )  # fmt: skip


@inline
def weighted_nine(w, x, i):
    return (
        w[0] * x[0][i] + w[1] * x[1][i] + w[2] * x[2][i]
        + w[3] * x[3][i] + w[4] * x[4][i] + w[5] * x[5][i]
        + w[6] * x[6][i] + w[7] * x[7][i] + w[8] * x[8][i]
    )  # fmt: skip


@inline
def itself(w, x, i):
    return x[i]


def least_for(A):
    """How many samples are worth a group of taps; floats always, whose sum depends on the order."""
    return SHORT if np.issubdtype(A, np.integer) else 0


def accumulate_for(A):
    """Make `accumulate(...)`: acc = bias + the taps, nine at a time and the rest one by one."""
    least = least_for(A)

    @njit(error_model="numpy", fastmath={"contract"})
    def accumulate(acc, src, offsets, weights, taps, bias):
        done = 0
        while done + 9 <= taps and acc.size >= least:
            w = nine(weights[done:])
            x = nine_slices(src, offsets[done:], acc.size)
            if done == 0:
                for i in range(acc.size):
                    acc[i] = bias + weighted_nine(w, x, i)
            else:
                for i in range(acc.size):
                    acc[i] += weighted_nine(w, x, i)
            done += 9
        if done == 0:
            for i in range(acc.size):
                acc[i] = bias
        for rest in range(done, taps):
            weight = weights[rest]
            x0 = src[offsets[rest] : offsets[rest] + acc.size]
            for i in range(acc.size):
                acc[i] += weight * x0[i]

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
    """Make `store(...)`: accumulators to pixels, to responses as floats, or as they are (raw)."""
    if rounding == "raw":

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


def sweep(A, rounding, fused, masked):
    """Make the function that correlates rows of `size` samples, a block at a time.

    fused: 6 or 9 taps straight to pixels in one pass; 0: any number, through acc. Tap t of sample
    i in row r is src[r * src_step + offsets[t] + i]; offsets has room for as many again. scalars:
    bias, sign (-1 takes the absolute value), top, shift, half, odd, divisor. mask: ones and zeros
    by channel, block + channels of them. counts: clipped below, above.
    """
    accumulate, store = accumulate_for(A), store_for(A, rounding, masked)
    least = least_for(A)
    if fused:
        weighted = weighted_nine if fused == 9 else weighted_six
        values, slices = (nine, nine_slices) if fused == 9 else (six, six_slices)
        pixels = pixels_for(A, weighted, rounding, masked)

    @inline
    def piece(dst, src, offsets, weights, taps, scalars, acc, mask, counts):
        if fused and dst.size >= least:
            w, x = values(weights), slices(src, offsets, dst.size)
            pixels(dst, scalars[0], w, x, scalars, mask, counts)
        else:
            accumulate(acc, src, offsets, weights, taps, scalars[0])
            store(dst, acc, scalars, mask, counts)

    def function(
        src, src_step, dst, dst_step, rows, size, channels,
        offsets, weights, taps, scalars, acc, block, mask, counts,
    ):  # fmt: skip
        source, target, scratch = carray(src, ANY), carray(dst, ANY), carray(acc, block)
        offset, weight = carray(offsets, 2 * taps), carray(weights, taps)
        scalar, masks = carray(scalars, 7), carray(mask, block + channels)
        clipped = carray(counts, 2)
        moved = offset[taps:]
        for row in range(rows):
            for start in range(0, size, block):
                length = min(block, size - start)
                for t in range(taps):
                    moved[t] = offset[t] + row * src_step + start
                out = target[row * dst_step + start : row * dst_step + start + length]
                named = masks[start % channels : start % channels + length]
                piece(out, source, moved, weight, taps, scalar, scratch[:length], named, clipped)

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
                accumulate(part, source, moved, weight, taps, first[0])
                named = masks[start % channels : start % channels + length]
                for i in range(length):
                    if named[i] and part[i] - part[i] == 0:
                        ends[0] = min(ends[0], part[i])
                        ends[1] = max(ends[1], part[i])

    return function


def gather():
    """Make the function that copies rows and runs of pixels, converted to the type of dst.

    The border is made here, by indices. sources: for each row of dst the row of src, or -1 for a
    row of fill. runs: first pixel in dst, first in src or -1 for fill, step in src, length.
    """

    def function(src, src_step, rows, sources, dst, dst_step, channels, runs, count, fill):
        source, target = carray(src, ANY), carray(dst, ANY)
        row_map, run, value = carray(sources, rows), carray(runs, (count, 4)), carray(fill, 1)
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
                        out[i] = inside[i]
                else:
                    for pixel in range(length):
                        for c in range(channels):
                            out[pixel * channels + c] = source[base + pixel * step * channels + c]

    return function
