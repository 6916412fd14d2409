"""Loops over vectors of 64 bytes give what those of 32 give, also where they are two of these."""

import numba
import numpy as np
import pytest

from imgconv.compiled.vectors import prefix_sums

SUMS = [(kind, depth) for kind in ("int16", "int32") for depth in (1, 3, 4)]


@pytest.mark.parametrize("width", [32, 64])
def test_sums_from_the_left(width: int) -> None:
    """Of each channel by itself, over vectors and over what is left of them, without saturation."""
    first, second, third, fourth, fifth, sixth = (prefix_sums(*each, width) for each in SUMS)

    @numba.njit
    def add_up(which: int, row: int, out: int, n: int) -> None:
        if which == 0:
            first(row, out, n)
        elif which == 1:
            second(row, out, n)
        elif which == 2:
            third(row, out, n)
        elif which == 3:
            fourth(row, out, n)
        elif which == 4:
            fifth(row, out, n)
        else:
            sixth(row, out, n)

    for which, (kind, depth) in enumerate(SUMS):
        for vectors in (1, 2, 3, 7):
            count = vectors * width // np.dtype(kind).itemsize
            row = np.random.default_rng(vectors).integers(-3000, 9000, count).astype(kind)
            out = np.empty_like(row)
            add_up(which, row.ctypes.data, out.ctypes.data, count)
            for channel in range(depth):
                wanted = np.cumsum(row[channel::depth], dtype=kind)
                np.testing.assert_array_equal(out[channel::depth], wanted)
