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

# The type of an exact quotient of accumulators.
QUOTIENT = {np.int16: np.float32, np.int32: np.float64, np.int64: np.int64}
ANY = 1 << 60  # the length of a view whose bounds the caller has checked


def nearest_for(A):
    """Make `nearest(total, scalars)`: the total over a power of two, rounded half to even."""
    if np.issubdtype(A, np.floating):  # no divisor: it is folded into the weights

        @inline
        def nearest(total, scalars):
            return np.rint(total)
    else:
        last = 8 * A().itemsize - 1  # a shift known to be less stays within the type

        @inline
        def nearest(total, scalars):
            shift, half, odd = scalars[3] & last, scalars[4], scalars[5]
            tie = A(A(total >> shift) & odd)
            return A(A(total + half + tie) >> shift)

    return nearest


def quotient_for(A):
    """Make `quotient(total, scalars)`: the total over any divisor, half to even, exactly."""
    if np.int64 == A:

        @inline
        def quotient(total, scalars):
            divisor = scalars[6]
            floor = total // divisor
            rest = total - floor * divisor
            return floor + (rest > divisor - rest or (rest == divisor - rest and floor & 1 == 1))
    else:
        # A float division is right to half a unit in its last place, and a quotient that is no
        # tie lies at least 1/(2 divisor) off one: with total and divisor below 2**15 in float32,
        # 2**31 in float64, none within the range of pixels can be mistaken for a tie.
        real = QUOTIENT[A]

        @inline
        def quotient(total, scalars):
            return np.rint(real(total) / real(scalars[6]))

    return quotient


@inline
def nine_taps(src, offsets, size):
    return (
        src[offsets[0] : offsets[0] + size], src[offsets[1] : offsets[1] + size],
        src[offsets[2] : offsets[2] + size], src[offsets[3] : offsets[3] + size],
        src[offsets[4] : offsets[4] + size], src[offsets[5] : offsets[5] + size],
        src[offsets[6] : offsets[6] + size], src[offsets[7] : offsets[7] + size],
        src[offsets[8] : offsets[8] + size],
    )  # fmt: skip


@inline
def nine_weights(w):
    return w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], w[8]


@inline
def weighted(w, x, i):
    return (
        w[0] * x[0][i] + w[1] * x[1][i] + w[2] * x[2][i]
        + w[3] * x[3][i] + w[4] * x[4][i] + w[5] * x[5][i]
        + w[6] * x[6][i] + w[7] * x[7][i] + w[8] * x[8][i]
    )  # fmt: skip


@inline
def itself(w, x, i):
    return x[i]


@njit(error_model="numpy", fastmath={"contract"})
def accumulate(acc, src, offsets, weights, taps, bias):
    """Acc = bias + the taps, nine at a time and the rest one by one."""
    done = 0
    while done + 9 <= taps:
        w = nine_weights(weights[done:])
        x = nine_taps(src, offsets[done:], acc.size)
        if done == 0:
            for i in range(acc.size):
                acc[i] = bias + weighted(w, x, i)
        else:
            for i in range(acc.size):
                acc[i] += weighted(w, x, i)
        done += 9
    if done == 0:
        for i in range(acc.size):
            acc[i] = bias
    for rest in range(done, taps):
        weight = weights[rest]
        x0 = src[offsets[rest] : offsets[rest] + acc.size]
        for i in range(acc.size):
            acc[i] += weight * x0[i]


def pixels_for(A, total_at, rounded, P):
    """Make `pixels(...)`: totals, rounded to the type P, to pixels; counts what the mask names."""
    W = {2: np.int16, 4: np.int32, 8: np.int64}[P().itemsize]  # a counter for each lane

    @inline
    def pixels(dst, bias, w, x, scalars, mask, counts):
        sign, top = scalars[1], scalars[2]
        low = W(0)
        high = W(0)
        for i in range(dst.size):
            total = A(bias + total_at(w, x, i))
            opposite = A(total * sign)
            pixel = rounded(total if total > opposite else opposite, scalars)
            low = W(low + W(mask[i] & (pixel < P(0))))
            high = W(high + W(mask[i] & (pixel > P(top))))
            positive = pixel if pixel > P(0) else P(0)  # NaN is not: it becomes 0
            dst[i] = positive if positive < P(top) else P(top)
        counts[0] += low
        counts[1] += high

    return pixels


def store_for(A, U):
    """Make `store(...)`: accumulators to pixels, or to responses where U is a float."""
    if np.issubdtype(U, np.floating):
        divides = np.issubdtype(A, np.integer)

        @inline
        def store(dst, acc, scalars, shifts, mask, counts):
            sign, divisor = scalars[1], np.float64(scalars[6])
            for i in range(dst.size):
                opposite = A(acc[i] * sign)
                total = acc[i] if acc[i] > opposite else opposite
                dst[i] = total / divisor if divides else total

        return store

    by_shift = pixels_for(A, itself, nearest_for(A), A)
    if np.issubdtype(A, np.floating):

        @inline
        def store(dst, acc, scalars, shifts, mask, counts):
            by_shift(dst, A(0), 0, acc, scalars, mask, counts)

        return store

    by_division = pixels_for(A, itself, quotient_for(A), QUOTIENT[A])

    @inline
    def store(dst, acc, scalars, shifts, mask, counts):
        if shifts:
            by_shift(dst, A(0), 0, acc, scalars, mask, counts)
        else:
            by_division(dst, A(0), 0, acc, scalars, mask, counts)

    return store


def sweep(A, U):
    """Make the function that correlates rows of `size` samples, a block at a time.

    Tap t of sample i in row r is src[r * src_step + offsets[t] + i]; offsets has room for as many
    again. scalars: bias, sign (-1 takes the absolute value), top, shift, half, odd, divisor.
    mask: ones and zeros by channel, block + channels of them. counts: clipped below, above.
    """
    store = store_for(A, U)
    pixels = pixels_for(A, weighted, nearest_for(A), A)
    fuses = np.issubdtype(U, np.integer)

    def function(
        src, src_step, dst, dst_step, rows, size, channels,
        offsets, weights, taps, scalars, shifts, acc, block, mask, counts,
    ):  # fmt: skip
        source, target, scratch = carray(src, ANY), carray(dst, ANY), carray(acc, block)
        offset, weight, scalar = (
            carray(offsets, 2 * taps),
            carray(weights, taps),
            carray(scalars, 7),
        )
        masks, clipped = carray(mask, block + channels), carray(counts, 2)
        moved = offset[taps:]
        for row in range(rows):
            for start in range(0, size, block):
                length = min(block, size - start)
                for t in range(taps):
                    moved[t] = offset[t] + row * src_step + start
                out = target[row * dst_step + start : row * dst_step + start + length]
                named = masks[start % channels : start % channels + length]
                if fuses and shifts and taps == 9:
                    w, x = nine_weights(weight), nine_taps(source, moved, length)
                    pixels(out, scalar[0], w, x, scalar, named, clipped)
                else:
                    part = scratch[:length]
                    accumulate(part, source, moved, weight, taps, scalar[0])
                    store(out, part, scalar, shifts, named, clipped)

    return function


def extent():
    """Make the function that finds the least and the greatest accumulator that the mask names.

    As `sweep`; found holds a pair to begin with. NaN and infinities change nothing.
    """

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
