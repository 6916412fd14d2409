"""PGM and PPM of 8 bits: a head, and rows as they are."""

from __future__ import annotations

from typing import IO

from imgconv.pictures.pixels import ImagePixels, Pixels

STRIP = 1 << 19  # pixels
MAGIC = {"l": b"P5", "rgb": b"P6"}


class PnmCoder:
    """A file of gray or of colours."""

    def __init__(self, names: str, size: tuple[int, int]) -> None:
        self._head = b"%s\n%d %d\n255\n" % (MAGIC[names], *size)
        self.rows = max(1, STRIP // size[0])

    def code(self, strip: Pixels, _: int) -> bytes:
        """Return rows."""
        assert isinstance(strip, ImagePixels)
        return strip.image.tobytes()

    def put(self, out: IO[bytes], coded: bytes) -> None:
        """Write rows, the first behind the head."""
        out.write(self._head)
        out.write(coded)
        self._head = b""

    def finish(self, out: IO[bytes]) -> None:
        """Write nothing more."""
