"""The loops that take rows from kind to kind, and together; as in `parts`."""

import numpy as np

from imgconv.compiled import processor
from imgconv.compiled.machine import (
    again,
    inline,
    larger,
    minus,
    plus,
    read,
    times,
    word,
    write,
)
from imgconv.compiled.matrices import mixing
from imgconv.compiled.pairs import pair_sums
from imgconv.compiled.vectors import prefix_sums
from imgconv.compiled.words import *


def one_of(place, parts):
    """Make the part that is one of up to twelve, by the number in a word of the numbers.

    Side by side: for functions within others Numba takes half as long again a level. What there is
    not, it leaves out by the count.
    """
    count = len(parts)
    given = (*parts, *[None] * 11)[:12]
    a, b, c, d, e, f, g, h, i, j, k, m = given

    def part(job):
        which = word(word(job, NUMBERS), place)
        if which == 0:
            a(job)
        if count > 1 and which == 1:
            b(job)
        if count > 2 and which == 2:
            c(job)
        if count > 3 and which == 3:
            d(job)
        if count > 4 and which == 4:
            e(job)
        if count > 5 and which == 5:
            f(job)
        if count > 6 and which == 6:
            g(job)
        if count > 7 and which == 7:
            h(job)
        if count > 8 and which == 8:
            i(job)
        if count > 9 and which == 9:
            j(job)
        if count > 10 and which == 10:
            k(job)
        if count > 11 and which == 11:
            m(job)

    return part if count > 1 else a


# ---- from kind to kind ------------------------------------------------------------------------


def _converting(S, A):
    """Make `convert(job)`: a row of S as A; as int16 bytes times a factor, uint16 less the half."""
    sample, put, T = read[S], write[A], getattr(np, A)
    scaled, halved = A == "int16" and S == "uint8", A == "int16" and S == "uint16"

    @inline
    def convert(job):
        n, out, row = word(job, N), word(job, OUT), word(job, INPUTS)
        factor = T(word(word(job, NUMBERS), 1))
        for i in range(n):
            x = T(sample(row, i))
            put(out, i, times(x, factor) if scaled else minus(x, T(-32768)) if halved else x)

    return convert


def widen(which):
    """Make the part that converts a row to a wider kind.

    Numbers: words; which of `words.WIDENED`, and for int16 a factor.
    """
    return one_of(0, [_converting(*kinds) for kinds in WIDENED[which]])


def join():
    """Make the part that puts responses together in out; a NaN among them makes a NaN.

    Numbers: a word, which of `words.JOINED` they are; doubles, what is done (see `words`), for
    SCALED and ROOT a factor and what is added, for OVER the divisor and -1 for absolute values.
    """
    return one_of(0, [_joining(A) for A in JOINED])


def _joining(A):
    """Make `join(job)` for responses of A."""
    responses, seen, put, double, T = read[A], again[A], write[A], read["float64"], getattr(np, A)

    @inline
    def join(job):
        n, out, numbers, row = word(job, N), word(job, OUT), word(job, NUMBERS), word(job, INPUTS)
        how, scale, shift = double(numbers, 1), T(double(numbers, 2)), T(double(numbers, 3))
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

    return join


def _ends(S):
    """Make `ends(job)`: the least and the greatest finite total that the mask names."""
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


# ---- samples in pairs -------------------------------------------------------------------------


def _paired(A, becoming, rounding, pairs):
    """Make `paired(job)`: sums of products of so many pairs."""
    vectors = pair_sums(A, pairs, becoming, rounding, processor.width())

    @inline
    def paired(job):
        numbers, rows, out = word(job, NUMBERS), job + 8 * INPUTS, word(job, OUT)
        told, ahead, mask = word(job, TOLD), word(job, AHEAD), word(numbers, 1)
        vectors(rows, out, word(job, N), word(numbers, 2), mask, told, ahead)

    return paired


def paired(how):
    """Make the part that adds up products of pairs.

    Numbers: words; which of `words.PAIRED`, the mask of samples that count, and where the numbers
    of `pairs.pair_sums` are.
    """
    return one_of(0, [_paired(*kinds) for kinds in PAIRED[how]])


# ---- channels that mix ------------------------------------------------------------------------


def _mix(source, target, within):
    vectors = mixing(source, target, within, processor.width())

    @inline
    def mix(job):
        numbers = word(job, NUMBERS) + 8
        vectors(word(job, INPUTS), word(job, OUT), word(job, N), numbers, word(job, TOLD))

    return mix


def mix():
    """Make the part that sums three channels of pixels of bytes, of which there may be a fourth.

    Numbers: a word, which of `words.MIXED`; then as of `matrices.mixing`.
    """
    return one_of(0, [_mix(*kinds) for kinds in MIXED])


# ---- sums that run ----------------------------------------------------------------------------


def _sliding(S, A, going_on):
    """Make `slide(job)`: sums of rows of S as A; going on: of two, one comes and one goes."""
    sample, put, seen, T = read[S], write[A], again[A], getattr(np, A)

    @inline
    def slide(job):
        n, out, row = word(job, N), word(job, OUT), word(job, INPUTS)
        if going_on:
            gone = word(job, INPUTS + 1)
            for i in range(n):
                change = minus(T(sample(row, i)), T(sample(gone, i)))
                put(out, i, plus(seen(out, i), change))
        else:
            for i in range(n):
                put(out, i, T(sample(row, i)))
            for t in range(1, word(job, COUNT)):
                row = word(job, INPUTS + t)
                for i in range(n):
                    put(out, i, plus(seen(out, i), T(sample(row, i))))

    return slide


def slide():
    """Make the part that adds up rows, once, and then goes on from the sums of the row above.

    Numbers: words; which of `words.SLIDING`, twice, and one more to go on.
    """
    return one_of(0, [_sliding(*kinds, on) for kinds in SLIDING for on in (False, True)])


def _prefix(A, depth):
    """Make `prefix(job)` for pixels of so many samples; 0: of as many as the numbers say."""
    sample, put, seen, T, size = read[A], write[A], again[A], getattr(np, A), np.dtype(A).itemsize
    vectors = prefix_sums(A, depth or 1, processor.width())

    @inline
    def prefix(job):
        n, out, row, apart = (
            word(job, N), word(job, OUT), word(job, INPUTS), word(word(job, NUMBERS), 1)
        )  # fmt: skip
        for i in range(apart):
            put(out, i, T(0))
        if depth:
            vectors(row, out + apart * size, n)
        else:
            for i in range(n):
                put(out, i + apart, plus(seen(out, i), sample(row, i)))

    return prefix


def prefix():
    """Make the part that adds up all pixels to the left of each, channel by channel.

    Numbers: words; which of `words.PREFIXED`, samples of a pixel.
    """
    return one_of(0, [_prefix(*kinds) for kinds in PREFIXED])
