"""Views of samples in memory, whoever owns them: the only file that touches addresses."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt

# The array module's letter for each type of sample or accumulator.
CODES = {
    "uint8": "B", "uint16": "H", "int16": "h", "int32": "i", "int64": "q",
    "float32": "f", "float64": "d",
}  # fmt: skip


@dataclass(frozen=True)
class Samples:
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


def of_array(image: npt.NDArray[Any]) -> Samples:
    """View a C-contiguous array of shape (H, W) or (H, W, C), without a copy."""
    height, width, *channels = image.shape
    depth = channels[0] if channels else 1
    address = int(image.__array_interface__["data"][0])
    return Samples(address, height, width, depth, width * depth, image.dtype.name, image)


def values(kind: str, numbers: Iterable[float]) -> array[Any]:
    """Return numbers in memory as the core reads them; `pointer` gives their address."""
    return array(CODES[kind], numbers)


def room(kind: str, count: int) -> array[Any]:
    """Return room for samples or accumulators, zeroed."""
    one = array(CODES[kind], (0,))
    return one * count


def pointer(numbers: array[Any]) -> int:
    """Return the address of numbers in memory, good while they live and keep their length."""
    return numbers.buffer_info()[0]
