"""Pictures that are decoded while others work on the rows that are there."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import IO, TYPE_CHECKING, Any

from imgconv.engine import samples
from imgconv.pictures import faults, jpeg, pillow

if TYPE_CHECKING:
    from PIL import Image, ImageFile

PIECES = 64  # in which a file is decoded, unless one would have fewer or more bytes than
LEAST, MOST = 1 << 12, jpeg.BLOCK
AHEAD = 8  # marked rows that are looked at beyond one that is not there, if only by being zero


def comes_in_rows(image: ImageFile.ImageFile) -> bool:
    """Return whether Pillow decodes an open image row by row from the top, where we see it."""
    if len(image.tile) != 1 or not pillow.is_reachable():
        return False
    if image.format == "JPEG":
        waits = image.info.get("progressive") or image.decodermaxblock > jpeg.BLOCK
        return image.mode in ("L", "RGB") and not waits
    if image.format == "PNG":
        modes = "L", "LA", "RGB", "RGBA", "I;16"
        plain = not image.info.get("interlace") and "transparency" not in image.info
        return plain and image.mode in modes
    return image.format == "PPM" and image.mode in ("L", "RGB") and image.tile[0][0] == "raw"


def is_arriving(image: Image.Image) -> bool:
    """Return whether an image is still to be decoded."""
    return bool(getattr(image, "tile", None))


def load(image: Image.Image, size: int, marks: Sequence[int], there: Callable[[int], None]) -> None:
    """Decode a file of so many bytes; tell how many of the marked rows are there, as they come.

    Raises
    ------
    ImageError
        If it is broken; and whatever telling raises.
    """
    file: Any = image
    file.decodermaxblock = min(MOST, max(LEAST, size // PIECES))
    told = file.fp = _Told(file.fp, _Rows(file, marks), there)
    try:
        with faults.told():
            file.load()
    except Exception:
        if told.error:
            raise told.error from None
        raise
    there(len(marks))


class _Told:
    """A file that tells how far its picture is whenever more of it is read."""

    def __init__(self, file: IO[bytes], rows: _Rows, there: Callable[[int], None]) -> None:
        self._file, self._rows, self._there = file, rows, there
        self.error: Exception | None = None

    def read(self, size: int = -1) -> bytes:
        """Read on."""
        try:
            if self._rows.look():
                self._there(self._rows.count)
        except Exception as error:  # which is not the decoder's
            self.error = error
            raise
        return self._file.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class _Rows:
    """The rows of an image that are there, up to the last of the marked ones that is not all zero.

    Decoders write one row after the other into memory that was zero. So one that is black is taken
    for missing until another follows, but for those of RGB, whose fourth byte tells.
    """

    def __init__(self, image: ImageFile.ImageFile, marks: Sequence[int]) -> None:
        view = pillow.of_memory(image.im)
        assert view
        exact = image.mode == "RGB"
        self._bytes = 1 if exact else view.step * samples.size(view.kind)
        self._ends = [view.at(mark + 1, 0) for mark in marks]
        self._ahead, self.count = 1 if exact else AHEAD, 0
        for i, mark in enumerate(marks):
            if self._is_there(i):
                ctypes.memset(view.at(mark, 0), 0, view.at(1, 0) - view.at(0, 0))

    def look(self) -> bool:
        """Count anew; return whether there are more."""
        before, most = self.count, len(self._ends)
        for i in range(self.count, most):
            if i >= self.count + self._ahead:
                break
            if self._is_there(i):
                self.count = i + 1
        return self.count > before

    def _is_there(self, i: int) -> bool:
        last = ctypes.string_at(self._ends[i] - self._bytes, self._bytes)
        return last.count(0) < len(last)
