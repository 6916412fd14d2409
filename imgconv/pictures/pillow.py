"""Pillow's memory as samples, in place where it can be reached, and as much of it kept as helps."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import struct
import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import IO, TYPE_CHECKING, Any

from imgconv.engine import samples
from imgconv.engine.samples import Samples
from imgconv.pictures.formats import BY_NAME, PILLOW

if TYPE_CHECKING:
    from PIL import Image, ImageFile

PLUGINS = {"WEBP": "WebP"}  # that are not called as the format is
LARGE_PAGE, MADV_DONTNEED, MADV_HUGEPAGE = 1 << 21, 4, 14
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8


def of_image(image: Image.Image) -> Samples:
    """View an image in place where Pillow's memory can be reached, else a copy of it."""
    image.load()
    if found := of_memory(image.im):
        return found
    import numpy as np

    return samples.of_array(np.ascontiguousarray(image))


def of_memory(image: Any) -> Samples | None:
    """View what holds the pixels of an image, in place; None where it cannot be reached."""
    return _arrow(image) if is_reachable() else None


def release(rows: Samples) -> None:
    """Give back the memory under rows of an image that nobody reads any more, where Linux can.

    What is read there is zero by then. Only whole large pages go, which are not to be split.
    """
    madvise = getattr(_c_library(), "madvise", None) if sys.platform == "linux" else None
    first, end = -(-rows.at(0, 0) // LARGE_PAGE), rows.at(rows.height, 0) // LARGE_PAGE
    if madvise and end > first:
        size = ctypes.c_size_t((end - first) * LARGE_PAGE)
        madvise(ctypes.c_void_p(first * LARGE_PAGE), size, MADV_DONTNEED)


def blank(mode: str, height: int, width: int) -> tuple[Samples, Callable[[], Image.Image]]:
    """Return room for the pixels of a new image, and what returns the image once they are there."""
    from PIL import Image

    if is_reachable():
        image = Image.new(mode, (width, height), None)
        _use_large_pages(image.im)
        if found := _arrow(image.im):
            return found, lambda: image
    import numpy as np

    bands = Image.getmodebands(mode)
    shape = (height, width) if bands == 1 else (height, width, bands)
    pixels = np.empty(shape, _KINDS.get(mode, "uint8"))
    return samples.of_array(pixels), lambda: Image.fromarray(pixels)


def opened(file: IO[bytes], head: str, formats: tuple[str, ...]) -> ImageFile.ImageFile:
    """Open a file of some formats, which begins as one of ours: by its plugin, if that reads it.

    By itself Pillow imports five of them for a file without a name, the most of a small start.

    Raises
    ------
    PIL.UnidentifiedImageError
        If it is of none.
    """
    from PIL import Image

    name = BY_NAME[head].pillow or head if head else ""
    if name in formats and BY_NAME[head].reader == PILLOW:
        import_module(f"PIL.{PLUGINS.get(name, name.capitalize())}ImagePlugin")
        factory, accept = Image.OPEN[name]
        file.seek(0)
        if not accept or accept(file.read(16)) is True:
            file.seek(0)
            with contextlib.suppress(SyntaxError, IndexError, TypeError, struct.error):
                return factory(file, "")
    return Image.open(file, formats=formats)


def in_one_block() -> None:
    """Have Pillow keep each image that it makes from now on in one piece of memory."""
    from PIL import Image

    Image.core.set_use_block_allocator(1)  # type: ignore[attr-defined]


def keep_memory(arenas: int = 0) -> None:
    """Have the C library keep what is freed for the next picture, where it can be told so.

    To give pages back and take them anew is a quarter of the time of a small picture. Threads that
    take turns need one of its arenas, not one each.
    """
    mallopt = getattr(_c_library(), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:
        mallopt(M_MMAP_THRESHOLD, 32 << 20)  # the most that glibc takes
        mallopt(M_TRIM_THRESHOLD, 1 << 30)
        if arenas:
            mallopt(M_ARENA_MAX, arenas)


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
    (width, height), pixel = image.size, _DEPTHS.get(image.mode, 0)
    pixel *= samples.size(_KINDS.get(image.mode, "uint8"))
    large = width * height * pixel >= LARGE_PAGE  # else none fits in
    view = _arrow(image) if large and sys.platform == "linux" and is_reachable() else None
    madvise = getattr(_c_library(), "madvise", None) if view else None
    if not view or not madvise:
        return
    end = view.address + view.height * view.step * samples.size(view.kind)
    first, end = -(-view.address // LARGE_PAGE) * LARGE_PAGE, end // LARGE_PAGE * LARGE_PAGE
    if end > first:
        madvise(ctypes.c_void_p(first), ctypes.c_size_t(end - first), MADV_HUGEPAGE)


class _Places(list[int]):
    """Where directories of a TIFF are, which is asked for each of them whether it was there."""

    def __init__(self, places: Iterable[int]) -> None:
        super().__init__(places)
        self._seen = set(self)

    def append(self, place: int) -> None:
        super().append(place)
        self._seen.add(place)

    def __contains__(self, place: object) -> bool:
        return place in self._seen


def expect_pages(image: ImageFile.ImageFile) -> None:
    """Have Pillow go from page to page of a TIFF in the same time, however many it has been at."""
    image._frame_pos = _Places(getattr(image, "_frame_pos", ()))  # type: ignore[attr-defined]


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


_within = ctypes.pythonapi.PyCapsule_GetPointer
_within.restype, _within.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]


def _arrow(image: Any) -> Samples | None:
    """View Pillow's memory; None where it is not in one piece or not as expected."""
    depth = _DEPTHS.get(image.mode, 0)
    try:
        capsule = image.__arrow_c_array__()
    except (AttributeError, ValueError):
        return None
    array = _ArrowArray.from_address(_within(capsule, b"arrow_array") or 0)
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
def is_reachable() -> bool:
    """Return whether what is written to an image's memory is what Pillow reads: tried once."""
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


def without_comments(data: bytes) -> bytes:
    """Return a PNM of numbers as text without its comments, as Pillow takes them out.

    It copies what follows for each of them.
    """
    import re

    return re.sub(rb"#[^\r\n]*[\r\n]?", b"", data)


def scale_transparency(image: ImageFile.ImageFile) -> None:
    """Give the transparent value of a PNG of 2 or 4 bits in units of 8, as its samples are."""
    times = {"L;2": 85, "L;4": 17}.get(str(image.tile[0].args) if image.tile else "")
    if times and isinstance(image.info.get("transparency"), int):
        image.info["transparency"] *= times
