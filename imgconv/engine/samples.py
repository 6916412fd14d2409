"""Views of samples in memory, whoever owns them: the only file that touches addresses."""

from __future__ import annotations

import ctypes
import functools
import sys
from array import array
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy.typing as npt
    from PIL import Image, ImageFile

# The array module's letter for each type of sample or accumulator.
CODES = {
    "uint8": "B", "uint16": "H", "int16": "h", "int32": "i", "int64": "q",
    "float32": "f", "float64": "d",
}  # fmt: skip


LARGE_PAGE, MADV_HUGEPAGE = 1 << 21, 14
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


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


def of_array(image: npt.NDArray[Any]) -> Samples:
    """View an array of shape (H, W) or (H, W, C), whose rows are contiguous, without a copy."""
    height, width, *channels = image.shape
    depth = channels[0] if channels else 1
    address = int(image.__array_interface__["data"][0])
    step = image.strides[0] // image.itemsize if height > 1 else width * depth
    return Samples(address, height, width, depth, step, image.dtype.name, image)


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


def of_image(image: Image.Image) -> Samples:
    """View an image in place where Pillow's memory can be reached, else a copy of it."""
    image.load()
    found = _arrow(image.im) if _reachable() else None
    if found:
        return found
    import numpy as np

    return of_array(np.ascontiguousarray(image))


def blank(mode: str, height: int, width: int) -> tuple[Samples, Callable[[], Image.Image]]:
    """Return room for the pixels of a new image, and what returns the image once they are there."""
    from PIL import Image

    if _reachable():
        image = Image.new(mode, (width, height), None)
        _use_large_pages(image.im)
        if found := _arrow(image.im):
            return found, lambda: image
    import numpy as np

    bands = Image.getmodebands(mode)
    shape = (height, width) if bands == 1 else (height, width, bands)
    pixels = np.empty(shape, _KINDS.get(mode, "uint8"))
    return of_array(pixels), lambda: Image.fromarray(pixels)


def in_one_block() -> None:
    """Have Pillow keep each image that it makes from now on in one piece of memory."""
    from PIL import Image

    Image.core.set_use_block_allocator(1)  # type: ignore[attr-defined]


def keep_memory() -> None:
    """Have the C library keep what is freed for the next picture, where it can be told so.

    To give pages back and take them anew is a quarter of the time of a small picture.
    """
    mallopt = getattr(_c_library(), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:
        mallopt(M_MMAP_THRESHOLD, 32 << 20)  # the most that glibc takes
        mallopt(M_TRIM_THRESHOLD, 1 << 30)


@functools.cache
def _c_library() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def prepare(image: ImageFile.ImageFile) -> None:
    """Make room for the pixels of an image before they are decoded, in one block of memory."""
    in_one_block()
    image.load_prepare()
    _use_large_pages(image.im)


def _use_large_pages(image: Any) -> None:
    """Ask Linux for large pages under memory of Pillow's that nobody has written to yet.

    Each page touched for the first time costs a microsecond or more: of the usual 4 KB a tenth of
    what it takes to filter a JPEG file, and threads wait for each other there.
    """
    view = _arrow(image) if sys.platform == "linux" and _reachable() else None
    madvise = getattr(_c_library(), "madvise", None) if view else None
    if not view or not madvise:
        return
    end = view.address + view.height * view.step * size(view.kind)
    first, end = -(-view.address // LARGE_PAGE) * LARGE_PAGE, end // LARGE_PAGE * LARGE_PAGE
    if end > first:
        madvise(ctypes.c_void_p(first), ctypes.c_size_t(end - first), MADV_HUGEPAGE)


# Arrow's C data interface, https://arrow.apache.org/docs/format/CDataInterface.html
class _ArrowArray(ctypes.Structure):
    pass


_ArrowArray._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(_ArrowArray))),
]
_KINDS = {"I;16": "uint16", "F": "float32"}
# Samples a pixel in Pillow's memory: colour has a fourth that is nobody's, or alpha.
_DEPTHS = {"L": 1, "I;16": 1, "F": 1, "LA": 4, "RGB": 4, "RGBA": 4, "CMYK": 4}


def _arrow(image: Any) -> Samples | None:
    """View Pillow's memory; None where it is not in one piece or not as expected."""
    depth = _DEPTHS.get(image.mode, 0)
    try:
        capsule = image.__arrow_c_array__()
    except (AttributeError, ValueError):
        return None
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    array = _ArrowArray.from_address(get(capsule, b"arrow_array") or 0)
    width, height = image.size
    if array.n_children == 1:
        array = array.children[0].contents
    count = width * height * depth
    if not depth or array.length != count or array.offset or array.n_buffers != 2:
        return None
    address = array.buffers[1] or 0
    kind = _KINDS.get(image.mode, "uint8")
    return Samples(address, height, width, depth, width * depth, kind, (image, capsule))


@functools.cache
def _reachable() -> bool:
    """Whether what is written to an image's memory is what Pillow reads: tried once."""
    from PIL import Image

    in_one_block()
    for mode, pixel in (("L", 1), ("RGB", (1, 2, 3)), ("RGBA", (1, 2, 3, 4))):
        image = Image.new(mode, (3, 2))
        view = _arrow(image.im)
        if view is None:
            return False
        data = bytes(pixel) if isinstance(pixel, tuple) else bytes([pixel])
        ctypes.memmove(view.at(1, 1), data, len(data))
        if image.getpixel((1, 1)) != pixel or image.getpixel((2, 1)) == pixel:
            return False
    return True


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
