"""A page of a TIFF in strips, deflated as the differences of samples from those to the left.

Source: TIFF Revision 6.0, sections 2, 8 and 14; Adobe Photoshop TIFF Technical Notes, 2002.
"""

from __future__ import annotations

import struct
import zlib
from functools import partial
from itertools import accumulate
from typing import IO, TYPE_CHECKING

from imgconv.compiled.words import FROM_LEFT
from imgconv.engine import samples
from imgconv.pictures import tiff_tags
from imgconv.pictures.deflate import deflated, fast, packed
from imgconv.pictures.pixels import ImagePixels, weight

if TYPE_CHECKING:
    from imgconv.pictures.metadata import Metadata
    from imgconv.pictures.pixels import Pixels

WHOLE, REAL = 1, 3
FORMATS = {"uint8": WHOLE, "uint16": WHOLE, "float32": REAL}
RAW = {"F": "F;32F"}  # what Pillow calls samples as they are written, if not as their mode
COLOURS = {"l": 1, "rgb": 2, "cmyk": 5}  # as a TIFF numbers them
STRIP = 1 << 18  # bytes
MOST = 4e9  # bytes of samples, for which offsets of 32 bits do
NONE = "none"
AS_IT_IS, DEFLATED, FROM_THE_LEFT, ALPHA = 1, 8, 2, 2
SHORT, LONG = 3, 4
SIZES = {SHORT: "H", LONG: "I"}


def takes(names: str, kind: str, size: tuple[int, int]) -> bool:
    """Return whether pixels are written so."""
    known = names.removesuffix("a") in COLOURS and kind in FORMATS and all(size)
    return known and weight(names, kind, size) < MOST


class TiffCoder:
    """Makes a TIFF of one page, with what is `said` of it; see `coders.Coder`."""

    def __init__(
        self, names: str, kind: str, size: tuple[int, int], compress: str, said: Metadata
    ) -> None:
        self._names, self._kind, self._size = names, kind, size
        self._compress, self._said = compress, said
        self.rows = max(1, STRIP // (size[0] * len(names) * samples.size(kind)))
        self._lengths: list[int] = []

    @property
    def _differs(self) -> bool:
        """Whether differences are packed, which of real samples nobody understands."""
        return self._compress != NONE and FORMATS[self._kind] == WHOLE

    def code(self, strip: Pixels, _: int) -> bytes:
        """Return what a strip becomes."""
        # Of differences zlib's best takes eight times as long as its sixth level, for 6 % less.
        strategy = zlib.Z_FILTERED if self._differs else zlib.Z_DEFAULT_STRATEGY
        small = partial(deflated, level=6, strategy=strategy, wrapped=True)
        make = partial(fast, wrapped=True) if self._compress == "fast" else small
        if self._differs:
            found: bytes = packed(strip.view(), self._names, FROM_LEFT, make)
        else:
            found = _bytes(strip)
            found = found if self._compress == NONE else make(memoryview(found))
        return found

    def put(self, out: IO[bytes], coded: bytes) -> None:
        """Write the next strip, so that what follows begins at an even place."""
        if not self._lengths:
            out.write(b"II*\0" + bytes(4))
        self._lengths.append(len(coded))
        out.write(coded + bytes(len(coded) % 2))

    def finish(self, out: IO[bytes]) -> None:
        """Write the directory behind the strips, and where it is."""
        *places, place = accumulate((n + n % 2 for n in self._lengths), initial=8)
        entries = self._entries(places)
        data, beside = struct.pack("<H", len(entries)), b""
        end = place + len(data) + 12 * len(entries) + 4
        for tag, kind, values in entries:
            held = struct.pack(f"<{len(values)}{SIZES[kind]}", *values)
            if len(held) > 4:
                beside, held = beside + held, struct.pack("<I", end + len(beside))
            data += struct.pack("<HHI", tag, kind, len(values)) + held.ljust(4, b"\0")
        out.write(data + bytes(4) + beside)
        out.seek(4)
        out.write(struct.pack("<I", place))
        tiff_tags.put(out, [self._said])

    def _entries(self, places: list[int]) -> list[tuple[int, int, list[int]]]:
        """What it tells of strips at such places: tags in order, their kinds, and their values."""
        count, (width, height), packs = len(self._names), self._size, self._compress != NONE
        entries: list[tuple[int, int, list[int]]] = [
            (256, LONG, [width]), (257, LONG, [height]),
            (258, SHORT, [8 * samples.size(self._kind)] * count),
            (259, SHORT, [DEFLATED if packs else AS_IT_IS]),
            (262, SHORT, [COLOURS[self._names.removesuffix("a")]]), (273, LONG, places),
            (277, SHORT, [count]), (278, LONG, [self.rows]), (279, LONG, self._lengths),
            (284, SHORT, [1]),
        ]  # fmt: skip
        if self._differs:
            entries.append((317, SHORT, [FROM_THE_LEFT]))
        if self._names.endswith("a"):
            entries.append((338, SHORT, [ALPHA]))
        entries.append((339, SHORT, [FORMATS[self._kind]] * count))
        return entries


def _bytes(strip: Pixels) -> bytes:
    """Samples as they are written."""
    if not isinstance(strip, ImagePixels):
        return strip.array().tobytes()
    image = strip.image
    return image.tobytes("raw", RAW.get(image.mode, image.mode))
