"""Large kernels by Fourier transforms of tiles: cost grows with the picture, not with the taps.

Two real tiles travel as the real and the imaginary part of one complex tile, which takes half as
long as transforms of each.
"""

from __future__ import annotations

import ctypes
import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Weights = tuple[tuple[float, ...], ...]


def side(size: tuple[int, int]) -> int:
    """Return how many samples a tile has in each direction: the kernel takes a quarter at most.

    Powers of two were faster than 320 and 384; 256 fit the second-level cache twice.
    """
    return max(256, 4 << (max(size) - 1).bit_length())


def outputs(size: tuple[int, int]) -> tuple[int, int]:
    """Return the rows and columns of outputs that two tiles have, one below the other."""
    return 2 * (side(size) - size[0] + 1), side(size) - size[1] + 1


@functools.lru_cache(maxsize=8)
def _spectrum(weights: Weights) -> npt.NDArray[np.complex64]:
    """What the transform of a tile is multiplied by."""
    import numpy as np

    tile = side((len(weights), len(weights[0])))
    padded = np.zeros((tile, tile))
    padded[: len(weights), : len(weights[0])] = weights
    return (np.conj(np.fft.fft2(padded)) / padded.size).astype(np.complex64)


def correlate(
    source: int, target: int, shape: tuple[int, int, int], steps: tuple[int, int], weights: Weights
) -> None:
    """Correlate float32 samples at an address into float32 samples at another.

    `shape` is that of the outputs: rows, columns, channels; `steps` are the samples from one row to
    the next in source and target.
    """
    import numpy as np

    rows, columns, channels = shape
    size = len(weights), len(weights[0])
    high, wide = rows + size[0] - 1, columns + size[1] - 1
    image = _view(source, high, steps[0])[:, : wide * channels].reshape(high, wide, channels)
    out = _view(target, rows, steps[1])[:, : columns * channels].reshape(rows, columns, channels)
    factors = _spectrum(weights)
    tile: npt.NDArray[Any] = np.empty_like(factors)
    half = len(tile) - size[0] + 1
    for channel in range(channels):
        tile[:] = 0
        for part, first in ((tile.real, 0), (tile.imag, half)):
            inside = image[first : first + len(tile), :, channel]
            part[: len(inside), :wide] = inside
        # The inverse is the transform of the conjugate: NumPy 2.4's ifft2 is wrong with `out`,
        # without which every tile takes fresh memory.
        np.fft.fft2(tile, out=tile)
        np.multiply(tile, factors, out=tile)
        np.conjugate(tile, out=tile)
        np.fft.fft2(tile, out=tile)
        for part, first, sign in ((tile.real, 0, 1), (tile.imag, half, -1)):
            below = out[first : first + half, :, channel]
            np.multiply(part[: len(below), :columns], np.float32(sign), out=below)


def _view(address: int, rows: int, step: int) -> npt.NDArray[np.float32]:
    """Samples in memory as an array of whole rows."""
    import numpy as np

    memory = (ctypes.c_float * (rows * step)).from_address(address)
    view: npt.NDArray[np.float32] = np.ctypeslib.as_array(memory).reshape(rows, step)
    return view
