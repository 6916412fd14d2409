"""PNG in strips, each packed by any thread: filtered by a compiled part, and deflated by itself.

Joined by what a sync flush ends with, they are one stream of zlib's. So the same bytes come of any
number of threads; a strip loses only what it has in common with the one above.
Source: RFC 1950 and 1951; Portable Network Graphics (PNG) Specification, third edition.
"""

from __future__ import annotations

import io
import zlib
from array import array
from functools import partial
from typing import IO, TYPE_CHECKING, Any

from imgconv.engine import native, ready, samples
from imgconv.engine.samples import Samples, pointer
from imgconv.engine.words import AS_PACKED, ENDS_OF_FOUR, MARGIN, OF_TWO, THREE_OF_FOUR
from imgconv.errors import ImageError
from imgconv.pictures.chunks import SIGNATURE, chunk, split

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgconv.pictures.pixels import Pixels

    Deflate = Callable[[memoryview], bytes]


COLOURS = {"l": 0, "rgb": 2, "la": 4, "rgba": 6}  # as a head numbers them
# Filtered bytes of a strip, by how it is packed. Of photographs strips of 256 KB cost 0.3 % more
# than one would, and 2 % of pictures that pack well; zlib's best loses twice as much.
STRIP = {"fast": 1 << 18, "small": 1 << 20, "none": 1 << 20}
# What is packed to less than such a part by the fastest is packed again by zlib's third level,
# which takes no longer for it than the fastest for a photograph, and a tenth to a half less room.
REGULAR, THIRD = 16, 3
HEAD = b"\x78\x01"  # of zlib's stream
BASE = 65521  # of Adler's sum
WORDS = 8  # bytes of each number before what is packed


class PngCoder:
    """Makes a PNG of strips.

    `names` are the channels, `kind` uint8 or uint16, `kept` what Pillow is told of metadata,
    `compress` one of STRIP. `rows` is how many each strip has but the last.
    """

    def __init__(
        self, names: str, kind: str, size: tuple[int, int], kept: dict[str, Any], compress: str
    ) -> None:
        if not all(size):
            raise ImageError(f"is {size[0]}x{size[1]}, and a PNG has pixels; choose another format")
        self._names, self._kind, self._size, self._kept = names, kind, size, kept
        self._compress = compress
        self._pixel = len(names) * samples.size(kind)
        self._line = 1 + size[0] * self._pixel
        self.rows = max(1, STRIP[compress] // self._line)
        self._check, self._begun = 1, False

    def code(self, strip: Pixels, first: int) -> bytes:
        """Return what a strip becomes, whose first row is that one: the chunk, behind numbers."""
        view = strip.view()
        packed, check = self._packed(view, end=first + view.height == self._size[1])
        length = view.height * self._line
        numbers = [number.to_bytes(WORDS, "little") for number in (check, length)]
        data = packed if first else HEAD + packed
        return b"".join((*numbers, *chunk(b"IDAT", data, quickest().crc32)))

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

    def _packed(self, strip: Samples, *, end: bool) -> tuple[bytes, int]:
        """A strip deflated, and the sum of what is; each way makes its own of it."""
        if self._compress == "none":
            return self._filtered(strip, partial(_deflated, zlib, 0, end=end), differing=False)
        if self._compress == "fast":
            return self._filtered(strip, partial(_fast, end=end))
        tried = {d: len(self._filtered(strip, _tried, differing=d)[0]) for d in (False, True)}
        differing = tried[True] <= tried[False]
        small = partial(_deflated, zlib, 9, end=end, differing=differing)
        return self._filtered(strip, small, differing=differing)

    def _filtered(
        self, strip: Samples, deflate: Deflate, *, differing: bool = True
    ) -> tuple[bytes, int]:
        """What is made of the filtered bytes of a strip, and their sum."""
        length = strip.height * self._line
        room, at = ready.lent(length + 2 * self._line + 11 * MARGIN)
        job = array("q", (
            strip.address, strip.step * samples.size(strip.kind), strip.height, self._layout(strip),
            self._line - 1, self._pixel, at, at + length + MARGIN, differing, 0,
        ))  # fmt: skip
        native.alone("pack")(pointer(job))
        start = at - pointer(room)
        with memoryview(room)[start : start + length] as filtered:
            found = deflate(filtered), quickest().adler32(filtered)
        ready.give_back(room)
        return found

    def _layout(self, strip: Samples) -> int:
        if strip.kind == "uint16":
            return OF_TWO
        if strip.channels == len(self._names):
            return AS_PACKED
        return {"rgb": THREE_OF_FOUR, "la": ENDS_OF_FOUR}[self._names]


def quickest() -> Any:
    """Return what deflates and inflates fastest: isal, or zlib where there is no wheel of it."""
    try:
        from isal import isal_zlib
    except ImportError:
        return zlib
    return isal_zlib


def joined(check: int, other: int, length: int) -> int:
    """Return Adler's sum of data and of others behind, so many bytes, from those of each."""
    first, second = check & 0xFFFF, check >> 16
    sums = first + (other & 0xFFFF) - 1, second + (other >> 16) + length * (first - 1)
    return sums[1] % BASE << 16 | sums[0] % BASE


def _fast(data: memoryview, *, end: bool) -> bytes:
    packed = _deflated(quickest(), 1, data, end=end)
    if len(packed) * REGULAR > len(data):
        return packed
    return min(packed, _deflated(zlib, THIRD, data, end=end), key=len)


def _tried(data: memoryview) -> bytes:
    """What tells, quickly enough, which of two is packed smaller."""
    return _deflated(zlib, 1, data, end=True)


def _deflated(
    library: Any, level: int, data: memoryview, *, end: bool, differing: bool = False
) -> bytes:
    """Deflated data, to a whole byte, to be followed by more unless they are the end.

    Of differences, zlib's best leaves short matches out: a photograph is 3 % smaller for it.
    """
    how = zlib.Z_FILTERED if differing else zlib.Z_DEFAULT_STRATEGY
    packer = library.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, how)
    flush = zlib.Z_FINISH if end else zlib.Z_SYNC_FLUSH
    return b"".join((packer.compress(data), packer.flush(flush)))
