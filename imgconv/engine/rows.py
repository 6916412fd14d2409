"""The loops that take rows from kind to kind, from place to place, and together; as in `parts`."""

import numpy as np

from imgconv.engine.machine import again, copied, inline, larger, read, times, word, write
from imgconv.engine.words import *


def one_of(place, parts):
    """Make the part that is one of up to six, by the number in a word of the numbers.

    Side by side: for functions within others Numba takes half as long again a level. What there is
    not, it leaves out by the count.
    """
    count = len(parts)
    first, second, third, fourth, fifth, sixth = (*parts, *[None] * 5)[:6]

    def part(job):
        which = word(word(job, NUMBERS), place)
        if which == 0:
            first(job)
        if count > 1 and which == 1:
            second(job)
        if count > 2 and which == 2:
            third(job)
        if count > 3 and which == 3:
            fourth(job)
        if count > 4 and which == 4:
            fifth(job)
        if count > 5 and which == 5:
            sixth(job)

    return part if count > 1 else first


# ---- from kind to kind ------------------------------------------------------------------------


def _converting(S, A):
    """Make `convert(job)`: a row of S as A; bytes as int16 times a factor."""
    sample, put, T = read[S], write[A], getattr(np, A)
    scaled = A == "int16"

    @inline
    def convert(job):
        n, out, row = word(job, N), word(job, OUT), word(job, INPUTS)
        factor = T(word(word(job, NUMBERS), 1))
        for i in range(n):
            put(out, i, times(T(sample(row, i)), factor) if scaled else T(sample(row, i)))

    return convert


def widen(A):
    """Make the part that converts a row to A.

    Numbers: words; which of the kinds in `words.WIDENED` the row has, and for int16 a factor.
    """
    return one_of(0, [_converting(S, A) for S in WIDENED[A]])


def join(A):
    """Make the part that puts responses of A together in out; a NaN among them makes a NaN.

    Numbers, which are doubles: what is done (see `words`); for SCALED and ROOT a factor and what is
    added; for OVER the divisor and -1 for absolute values.
    """
    responses, seen, put, double, T = read[A], again[A], write[A], read["float64"], getattr(np, A)

    def part(job):
        n, out, numbers, row = word(job, N), word(job, OUT), word(job, NUMBERS), word(job, INPUTS)
        how, scale, shift = double(numbers, 0), T(double(numbers, 1)), T(double(numbers, 2))
        if how == SQUARE:
            for i in range(n):
                put(out, i, responses(row, i) * responses(row, i))
        elif how == ADD_SQUARE:
            for i in range(n):
                put(out, i, seen(out, i) + responses(row, i) * responses(row, i))
        elif how == ADD:
            for i in range(n):
                put(out, i, seen(out, i) + responses(row, i))
        elif how == GREATEST:
            for i in range(n):
                x, total = responses(row, i), seen(out, i)
                put(out, i, x if x > total or x != x else total)
        elif how == LEAST:
            for i in range(n):
                x, total = responses(row, i), seen(out, i)
                put(out, i, x if x < total or x != x else total)
        elif how == ROOT:
            for i in range(n):
                put(out, i, np.sqrt(responses(row, i)) * scale + shift)
        elif how == OVER:
            for i in range(n):
                put(out, i, larger(responses(row, i), responses(row, i) * shift) / scale)
        else:
            for i in range(n):
                put(out, i, responses(row, i) * scale + shift)

    return part


def _ends(S):
    """Make `ends(job)`: the least and the greatest total that the mask names; a NaN is none."""
    lane = LANE.get(S, S)
    kind = "float64" if S.startswith("float") else "int64"
    totals, mask, seen, tell, T = read[S], read[lane], again[kind], write[kind], getattr(np, kind)

    @inline
    def ends(job):
        n, numbers, row = word(job, N), word(job, NUMBERS), word(job, INPUTS)
        told = word(job, TOLD) + 16 * word(numbers, PAIR)
        named, low, high = word(numbers, MASK), seen(told, 0), seen(told, 1)
        for i in range(n):
            total = T(totals(row, i))
            counts = mask(named, i) != 0 and total - total == 0
            low = total if counts and total < low else low
            high = total if counts and total > high else high
        tell(told, 0, low)
        tell(told, 1, high)

    return ends


def extent():
    """Make the part that keeps the ends of totals, as int64 or float64.

    Numbers: as of `store`; KIND is which of the kinds in `words.TOTALS` the totals have.
    """
    return one_of(KIND, [_ends(S) for S in TOTALS])


# ---- from place to place ----------------------------------------------------------------------


def copy():
    """Make the part that copies pieces to where they are side by side.

    Numbers: words; bytes of a piece, and from one to the next.
    """

    def part(job):
        n, out, numbers, row = word(job, N), word(job, OUT), word(job, NUMBERS), word(job, INPUTS)
        size, step = word(numbers, 0), word(numbers, 1)
        if step == size:
            copied(out, row, n * size)
        else:
            for i in range(n):
                copied(out + i * size, row + i * step, size)

    return part


SIZES = ("uint8", "uint16", "int32", "int64")  # samples are moved as numbers of their size


def _picking(kind, known):
    """Make `pick(job)` for samples as wide as a kind; known: with three and four apart written out.

    Known steps become shuffles of vectors, ten times as fast.
    """
    sample, put = read[kind], write[kind]

    @inline
    def pick(job):
        n, out, numbers, row = word(job, N), word(job, OUT), word(job, NUMBERS), word(job, INPUTS)
        depth, apart = word(numbers, 1), word(numbers, 2)
        if known and depth == 1 and apart == 3:
            for i in range(n):
                put(out, i, sample(row, 3 * i))
        elif known and depth == 1 and apart == 4:
            for i in range(n):
                put(out, i, sample(row, 4 * i))
        else:
            for c in range(depth):
                for i in range(n):
                    put(out, i * depth + c, sample(row, i * apart + c))

    return pick


def pick():
    """Make the part that takes pixels which are not side by side.

    Numbers: words; which of SIZES a sample has, samples of a pixel that are taken, from one pixel
    to the next.
    """
    return one_of(0, [_picking(kind, kind != SIZES[-1]) for kind in SIZES])


def _interleaving(kind, known):
    """Make `interleave(job)` likewise; known: three planes with and without a fourth."""
    sample, put = read[kind], write[kind]

    @inline
    def interleave(job):
        n, out, planes = word(job, N), word(job, OUT), word(job, COUNT)
        depth = word(word(job, NUMBERS), 1)
        if known and planes == 3 and depth <= 4:
            a, b, c = word(job, INPUTS), word(job, INPUTS + 1), word(job, INPUTS + 2)
            if depth == 3:
                for i in range(n):
                    put(out, 3 * i, sample(a, i))
                    put(out, 3 * i + 1, sample(b, i))
                    put(out, 3 * i + 2, sample(c, i))
            else:
                for i in range(n):
                    put(out, 4 * i, sample(a, i))
                    put(out, 4 * i + 1, sample(b, i))
                    put(out, 4 * i + 2, sample(c, i))
                    put(out, 4 * i + 3, sample(c, i))
        else:
            for plane in range(planes):
                row = word(job, INPUTS + plane)
                for i in range(n):
                    put(out, i * depth + plane, sample(row, i))

    return interleave


def interleave():
    """Make the part that puts planes side by side, pixel by pixel; of three, a fourth is the third.

    Numbers: words; which of SIZES a sample has, samples of a pixel.
    """
    return one_of(0, [_interleaving(kind, kind != SIZES[-1]) for kind in SIZES])
