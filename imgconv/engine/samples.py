"""Views of samples in memory, whoever owns them, and numbers as the compiled code reads them."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Iterable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from imgconv.light import NamedTuple

if TYPE_CHECKING:
    import numpy.typing as npt

# The array module's letter for each type of sample or accumulator.
CODES = {
    "uint8": "B", "uint16": "H", "int16": "h", "int32": "i", "int64": "q",
    "float32": "f", "float64": "d",
}  # fmt: skip


class Samples(NamedTuple):
    """Rows of pixels with their channels side by side; `step` samples from one row to the next."""

    address: int
    height: int
    width: int
    channels: int
    step: int
    kind: str
    owner: object

    def at(self, y: int, x: int) -> int:
        """Return the address of the first sample of a pixel."""
        return self.address + (y * self.step + x * self.channels) * array(CODES[self.kind]).itemsize


def nowhere(kind: str, channels: int, height: int = 0, width: int = 0) -> Samples:
    """Return what is known of samples before they are anywhere."""
    return Samples(0, height, width, channels, 0, kind, None)


def of_array(image: npt.NDArray[Any]) -> Samples:
    """View an array of shape (H, W) or (H, W, C), whose rows are contiguous, without a copy."""
    height, width, *channels = image.shape
    depth = channels[0] if channels else 1
    address = address_of(image)
    step = image.strides[0] // image.itemsize if height > 1 else width * depth
    return Samples(address, height, width, depth, step, image.dtype.name, image)


def address_of(image: Any) -> int:
    """Return where the first sample of an array is, good while the array lives."""
    try:  # takes a quarter of a microsecond, and what NumPy offers one
        return ctypes.addressof(ctypes.c_char.from_buffer(image))
    except (TypeError, ValueError, BufferError):  # it is read-only, or not in one piece
        return int(image.ctypes.data)


def array_of(source: Samples) -> npt.NDArray[Any]:
    """View samples as an array of shape (H, W, C), which keeps their owner."""
    import numpy as np

    size_of = size(source.kind)
    interface = {
        "version": 3,
        "typestr": np.dtype(source.kind).str,
        "shape": (source.height, source.width, source.channels),
        "strides": tuple(n * size_of for n in (source.step, source.channels, 1)),
        "data": (source.address, False),
    }
    return np.asarray(SimpleNamespace(__array_interface__=interface, owner=source.owner))


def of_floats(kind: str, height: int, width: int, channels: int) -> Samples:
    """Return room for responses, as float32 or float64."""
    memory = room(kind, height * width * channels)
    step = width * channels
    return Samples(pointer(memory), height, width, channels, step, kind, memory)


def values(kind: str, numbers: Iterable[float]) -> array[Any]:
    """Return numbers in memory as the core reads them; `pointer` gives their address."""
    return array(CODES[kind], numbers)


def room(kind: str, count: int) -> array[Any]:
    """Return room for samples or accumulators, zeroed."""
    one = array(CODES[kind], (0,))
    return one * count


def size(kind: str) -> int:
    """Return how many bytes a sample of a kind takes."""
    return array(CODES[kind]).itemsize


def pointer(numbers: array[Any]) -> int:
    """Return the address of numbers in memory, good while they live and keep their length."""
    return numbers.buffer_info()[0]
