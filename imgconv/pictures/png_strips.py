"""PNG in strips, which what a sync flush ends with joins to one stream of zlib's.

A strip loses what it has in common with the one above: its first row differs from none.
Source: RFC 1950 and 1951; Portable Network Graphics (PNG) Specification, third edition.
"""

from __future__ import annotations

import io
import zlib
from functools import partial
from typing import IO, TYPE_CHECKING, Any

from imgconv.compiled.words import AS_THEY_ARE, AT_BEST
from imgconv.engine import samples
from imgconv.errors import ImageError
from imgconv.pictures.chunks import SIGNATURE, chunk, split
from imgconv.pictures.deflate import deflated, fast, packed

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgconv.engine.samples import Samples
    from imgconv.pictures.pixels import Pixels

COLOURS = {"l": 0, "rgb": 2, "la": 4, "rgba": 6}  # as a head numbers them
# Filtered bytes of a strip, by how it is packed: few enough for threads to share, and so many that
# little is lost between strips. In halves of these photographs are 0.6 % larger.
STRIP = {"fast": 1 << 19, "small": 1 << 20, "none": 1 << 20}
HEAD = b"\x78\x01"  # of zlib's stream
BASE = 65521  # of Adler's sum
WORDS = 8  # bytes of each number before what is packed


class PngCoder:
    """Makes a PNG of strips, see `coders.Coder`.

    `names` are the channels, `kind` uint8 or uint16, `kept` what Pillow is told of metadata,
    `compress` one of STRIP.
    """

    def __init__(
        self, names: str, kind: str, size: tuple[int, int], kept: dict[str, Any], compress: str
    ) -> None:
        if not all(size):
            raise ImageError(f"is {size[0]}x{size[1]}, and a PNG has pixels; choose another format")
        self._names, self._kind, self._size, self._kept = names, kind, size, kept
        self._compress = compress
        self._line = 1 + size[0] * len(names) * samples.size(kind)
        self.rows = max(1, STRIP[compress] // self._line)
        self._check, self._begun = 1, False

    def code(self, strip: Pixels, first: int) -> bytes:
        """Return what a strip becomes, whose first row is that one: the chunk, behind numbers."""
        view = strip.view()
        data, check = self._deflated(view, end=first + view.height == self._size[1])
        length = view.height * self._line
        numbers = [number.to_bytes(WORDS, "little") for number in (check, length)]
        data = data if first else HEAD + data
        return b"".join((*numbers, *chunk(b"IDAT", data)))

    def put(self, out: IO[bytes], coded: bytes) -> None:
        """Write the next strip."""
        if not self._begun:
            out.write(b"".join((SIGNATURE, *chunk(b"IHDR", self._head()), *self._notes())))
            self._begun = True
        view = memoryview(coded)
        check, length = (int.from_bytes(view[at : at + WORDS], "little") for at in (0, WORDS))
        self._check = joined(self._check, check, length)
        out.write(view[2 * WORDS :])

    def finish(self, out: IO[bytes]) -> None:
        """Write what stands behind the last strip."""
        check = self._check.to_bytes(4, "big")
        out.write(b"".join((*chunk(b"IDAT", check), *chunk(b"IEND", b""))))

    def _head(self) -> bytes:
        sides = b"".join(side.to_bytes(4, "big") for side in self._size)
        return sides + bytes((8 * samples.size(self._kind), COLOURS[self._names], 0, 0, 0))

    def _notes(self) -> list[bytes]:
        """The metadata: the chunks that Pillow writes for them."""
        if not self._kept:
            return []
        from PIL import Image

        mode = "RGB" if self._names.startswith("rgb") else "L"
        small = io.BytesIO()
        Image.new(mode, (1, 1)).save(small, "PNG", **self._kept)
        data, pixels = small.getvalue(), (b"IHDR", b"IDAT", b"IEND")
        return [data[each.place] for each in split(data) if each.kind not in pixels]

    def _deflated(self, strip: Samples, *, end: bool) -> tuple[bytes, int]:
        """A strip deflated, and the sum of what is."""
        if self._compress == "none":
            return self._made(strip, AS_THEY_ARE, partial(deflated, level=0, end=end))
        if self._compress == "fast":
            return self._made(strip, AT_BEST, partial(fast, end=end))
        # Of drawings, rows as they are may pack better than the smallest differences.
        quick = partial(deflated, level=1)
        tried = {d: len(self._made(strip, d, quick)[0]) for d in (AT_BEST, AS_THEY_ARE)}
        best = min(tried, key=lambda differing: tried[differing])
        # Of differences short matches are better left out: a photograph is 3 % smaller for it.
        strategy = zlib.Z_FILTERED if best == AT_BEST else zlib.Z_DEFAULT_STRATEGY
        small = partial(deflated, level=9, strategy=strategy, end=end)
        return self._made(strip, best, small)

    def _made(
        self, strip: Samples, differing: int, deflate: Callable[[memoryview], bytes]
    ) -> tuple[bytes, int]:
        def make(lines: memoryview) -> tuple[bytes, int]:
            return deflate(lines), zlib.adler32(lines)

        found: tuple[bytes, int] = packed(strip, self._names, differing, make)
        return found


def joined(check: int, other: int, length: int) -> int:
    """Return Adler's sum of data and of others behind, so many bytes, from those of each."""
    first, second = check & 0xFFFF, check >> 16
    sums = first + (other & 0xFFFF) - 1, second + (other >> 16) + length * (first - 1)
    return sums[1] % BASE << 16 | sums[0] % BASE
