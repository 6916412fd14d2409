"""TIFF in strips, each packed by any thread, before the directory that says where they are.

Source: TIFF, revision 6.0, sections 2 and 8; TIFF specification supplement 2 (deflate).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import IO

from imgconv.engine import samples
from imgconv.errors import ImageError
from imgconv.pictures import tiff_tags
from imgconv.pictures.metadata import Metadata
from imgconv.pictures.pixels import ImagePixels, Pixels
from imgconv.pictures.png_strips import quickest
from imgconv.pictures.tiff_heads import (
    BITS,
    CHANNELS,
    COLOURS,
    LENGTH,
    PACKED,
    PLANES,
    ROWS,
    STRIPS,
    WIDTH,
)

STRIP = 1 << 18  # bytes before they are packed
HEAD = b"II*\0\0\0\0\0"  # of a file; its last half leads to the directory
SHORT, LONG = (3, "H"), (4, "I")
OFFSETS, COUNTS = STRIPS
EXTRA, FORMAT = 338, 339
UNPACKED, DEFLATE = 1, 8
BEYOND = 2  # a channel that is alpha, and not multiplied into the others
REAL = 3  # samples
PHOTOMETRIC = {"l": 1, "rgb": 2, "cmyk": 5}
RAW = {"F": "F;32F"}  # what Pillow calls samples as they are written, if not as their mode
LEVEL = 6  # of zlib: its ninth takes four times as long, for files 1 % smaller
LONGEST = (1 << 32) - 1


class TiffCoder:
    """Makes a TIFF of one page, with what is said of it, out of strips of an image of Pillow's."""

    def __init__(
        self, names: str, kind: str, size: tuple[int, int], compress: str, said: Metadata
    ) -> None:
        self._names, self._kind, self._size = names, kind, size
        self._compress, self._said = compress, said
        self.rows = max(1, STRIP // (size[0] * len(names) * samples.size(kind)))
        self._places: list[tuple[int, int]] = []

    def code(self, strip: Pixels, _: int) -> bytes:
        """Return what a strip becomes."""
        assert isinstance(strip, ImagePixels)
        image = strip.image
        data = image.tobytes("raw", RAW.get(image.mode, image.mode))
        if self._compress == "none":
            return data
        library, level = (quickest(), 1) if self._compress == "fast" else (zlib, LEVEL)
        packed: bytes = library.compress(data, level)
        return packed

    def put(self, out: IO[bytes], coded: bytes) -> None:
        """Write the next strip."""
        if not self._places:
            out.write(HEAD)
        self._places.append((out.tell(), len(coded)))
        out.write(coded + b"\0" * (len(coded) % 2))

    def finish(self, out: IO[bytes]) -> None:
        """Write the directory, and what is said of the picture.

        Raises
        ------
        ImageError
            If offsets do not reach so far.
        """
        place = out.tell()
        directory = self._directory(place)
        if place + len(directory) > LONGEST:
            raise ImageError("is longer than 4 GB, which a TIFF has no offsets for; choose PNG")
        out.write(directory)
        out.seek(4)
        out.write(struct.pack("<I", place))
        tiff_tags.put(out, [self._said])

    def _directory(self, place: int) -> bytes:
        """A directory that stands there, with the values of its entries behind it."""
        count, (width, height) = len(self._names), self._size
        bare = self._names.removesuffix("a")
        offsets, lengths = zip(*self._places, strict=True)
        entries: dict[int, tuple[tuple[int, str], Sequence[int]]] = {
            WIDTH: (LONG, [width]),
            LENGTH: (LONG, [height]),
            BITS: (SHORT, [8 * samples.size(self._kind)] * count),
            PACKED: (SHORT, [UNPACKED if self._compress == "none" else DEFLATE]),
            COLOURS: (SHORT, [PHOTOMETRIC[bare]]),
            OFFSETS: (LONG, offsets),
            CHANNELS: (SHORT, [count]),
            ROWS: (LONG, [min(self.rows, height)]),
            COUNTS: (LONG, lengths),
            PLANES: (SHORT, [1]),
        }
        if bare != self._names:
            entries[EXTRA] = SHORT, [BEYOND]
        if self._kind.startswith("float"):
            entries[FORMAT] = SHORT, [REAL] * count
        at, heads, behind = place + 6 + 12 * len(entries), [], b""
        for tag, ((kind, form), values) in sorted(entries.items()):
            data = struct.pack(f"<{len(values)}{form}", *values)
            if len(data) > 4:
                data, behind = struct.pack("<I", at + len(behind)), behind + data
            heads.append(struct.pack("<HHI4s", tag, kind, len(values), data))
        return struct.pack("<H", len(entries)) + b"".join(heads) + bytes(4) + behind
