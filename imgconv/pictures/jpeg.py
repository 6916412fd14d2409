"""JPEG in strips: each is encoded by itself, and restart markers stand between them."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import IO, Any

from PIL import Image

from imgconv.pictures.pixels import ImagePixels, Pixels

NAME = "picture.jpg"  # by which Pillow imports the one plugin that is needed
STRIP = 1 << 19  # pixels of a strip: many enough for threads to share, its marker costs nothing
UNIT = 16  # rows of which strips consist, whatever the sampling
SOI, EOI, RESTART = b"\xff\xd8", b"\xff\xd9", 0xD0
FRAMES, SCAN, INTERVAL = (0xC0, 0xC1), 0xDA, b"\xff\xdd\0\4"
ARITHMETIC = 0xC9, 0xCA  # frames that are coded so
ALL_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
FILL = 0xFF  # a byte before a marker
BLOCK = 1 << 16  # bytes in which Pillow decodes


class JpegCoder:
    """A large JPEG; `coding` are Pillow's options for pixels, `notes` those for what is said."""

    def __init__(self, size: tuple[int, int], coding: dict[str, Any], notes: dict[str, Any]):
        self._size, self._coding, self._notes, self._strips = size, coding, notes, 0
        self.rows = max(1, STRIP // size[0] // UNIT) * UNIT

    def code(self, strip: Pixels, first: int) -> bytes:
        """Return a JPEG of a strip; what the file says stands in the first."""
        assert isinstance(strip, ImagePixels)
        return saved(strip.image, self._coding if first else self._coding | self._notes)

    def put(self, out: IO[bytes], coded: bytes) -> None:
        """Write the scan of a strip behind a marker; the first behind the head of the file."""
        head, scan = _parted(coded)
        if self._strips:
            out.write(bytes((0xFF, RESTART + (self._strips - 1) % 8)))
        else:
            out.write(_head(head, self._size[1], self.rows))
        out.write(scan)
        self._strips += 1

    def finish(self, out: IO[bytes]) -> None:
        """Write the end."""
        out.write(EOI)


def _segments(data: bytes) -> Iterator[bytes]:
    """The segments of a file's head, as far as it goes, up to that of its first scan."""
    at, kind = len(SOI), 0
    while kind != SCAN and data[at : at + 1] == b"\xff" and at + 4 < len(data):
        kind = data[at + 1]
        end = at + 1 if kind == FILL else at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if kind != FILL:
            yield data[at:end]
        at = end


def _parted(data: bytes) -> tuple[list[bytes], memoryview]:
    """The segments of the head of a file of Pillow's, and what follows them up to its end."""
    segments = [*_segments(data)]
    at = len(SOI) + sum(map(len, segments))
    return segments, memoryview(data)[at : -len(EOI)]


def _head(segments: list[bytes], height: int, rows: int) -> bytes:
    """The head of a picture so high, of strips of so many rows."""
    parts, units = [SOI], 0
    for segment in segments:
        if segment[1] in FRAMES:
            units = _units(segment, rows)
            segment = segment[:5] + height.to_bytes(2, "big") + segment[7:]
        elif segment[1] == SCAN:
            parts.append(INTERVAL + units.to_bytes(2, "big"))
        parts.append(segment)
    return b"".join(parts)


def _units(frame: bytes, rows: int) -> int:
    """How many units (MCU) so many rows are, by the head of a frame: ITU-T T.81, B.2.2, A.2."""
    width, count = int.from_bytes(frame[7:9], "big"), frame[9]
    factors = frame[11 : 11 + 3 * count : 3] if count > 1 else b"\x11"
    across, down = 8 * max(f >> 4 for f in factors), 8 * max(f & 15 for f in factors)
    return -(-width // across) * (rows // down)


def saved(image: Image.Image, options: dict[str, Any]) -> bytes:
    """Return what Pillow writes."""
    if image.mode == "L" and "qtables" in options:
        options = options | {"qtables": {0: options["qtables"][0]}, "subsampling": -1}
    if data := _without_lock(image, options):
        return data
    out = io.BytesIO()
    out.name = NAME
    image.save(out, **options)
    return out.getvalue()


def _without_lock(image: Image.Image, options: dict[str, Any]) -> bytes:
    """What Pillow writes to a file in memory, without Python's lock; nothing if not all.

    It does not look how much of it the system has taken.
    """
    try:
        with os.fdopen(os.memfd_create("imgconv"), "w+b", buffering=0) as out:
            vars(out)["name"] = NAME
            image.save(out, **options)
            data = os.pread(out.fileno(), os.fstat(out.fileno()).st_size, 0)
    except (AttributeError, OSError):  # another system, or one that refuses
        return b""
    return data if data.endswith(EOI) else b""


def coded(data: bytes) -> tuple[int, bool]:
    """Return how a file is coded, by its frame, and whether one scan of it is all that is read.

    libjpeg takes any other for a fault, if the first has all components of a baseline frame.
    """
    frame, components = 0, b""
    for segment in _segments(data):
        if segment[1] == SCAN:
            return frame, frame in FRAMES and segment[4:5] == components
        if segment[1] in ALL_FRAMES:
            frame, components = segment[1], segment[9:10]
    return frame, False
