"""The loops that take samples from place to place, whatever their kind; as in `parts`."""

from imgconv.compiled.machine import copied, inline, read, word, write
from imgconv.compiled.rows import one_of
from imgconv.compiled.words import *


def copy():
    """Make the part that copies pieces to where they are side by side.

    Numbers: words; bytes of a piece, and from one to the next. Pieces of a byte or three, pixels of
    a border, are too small for calls of memcpy; one piece over and over is copied from its copies.
    """
    byte, put = read["uint8"], write["uint8"]

    def part(job):
        n, out, numbers, row = word(job, N), word(job, OUT), word(job, NUMBERS), word(job, INPUTS)
        size, step = word(numbers, 0), word(numbers, 1)
        if step == size:
            copied(out, row, n * size)
        elif size == 1:
            for i in range(n):
                put(out, i, byte(row, i * step))
        elif size == 3:
            for i in range(n):
                put(out, 3 * i, byte(row, i * step))
                put(out, 3 * i + 1, byte(row, i * step + 1))
                put(out, 3 * i + 2, byte(row, i * step + 2))
        else:
            done = 1 if step == 0 else n
            for i in range(done):
                copied(out + i * size, row + i * step, size)
            while done < n:
                more = min(done, n - done)
                copied(out + done * size, out, more * size)
                done += more

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
