"""What is packed of a strip: the differences of its samples, deflated."""

from __future__ import annotations

import zlib
from array import array
from typing import TYPE_CHECKING, Any

from imgconv.compiled import native
from imgconv.compiled.words import (
    AS_PACKED,
    ENDS_OF_FOUR,
    FROM_LEFT,
    IN_WORDS,
    MARGIN,
    OF_TWO,
    THREE_OF_FOUR,
)
from imgconv.engine import ready, samples
from imgconv.engine.samples import pointer

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgconv.engine.samples import Samples

# zlib's level for what has repetitions, told by so many bytes at the beginning, or where runs alone
# leave less than such a part; it is to save a fifth.
REGULAR, START, LITTLE, WORTH = 4, 1 << 12, 4, 0.8


def packed(strip: Samples, names: str, differing: int, make: Callable[[memoryview], Any]) -> Any:
    """Return what is made of the samples of a strip, of channels of such names, once packed.

    `differing` is how their rows differ, see `words`.
    """
    pixel = len(names) * samples.size(strip.kind)
    length = strip.width * pixel
    size = strip.height * (length + (differing != FROM_LEFT))
    room, at = ready.lent(size + 2 * length + 11 * MARGIN)
    job = array("q", (
        strip.address, strip.step * samples.size(strip.kind), strip.height,
        _layout(strip, names, differing), length, pixel, at, at + size + MARGIN, differing, 0,
    ))  # fmt: skip
    native.alone("pack")(pointer(job))
    start = at - pointer(room)
    with memoryview(room)[start : start + size] as lines:
        found = make(lines)
    ready.give_back(room)
    return found


def _layout(strip: Samples, names: str, differing: int) -> int:
    """How the samples lie that are to be packed; of 16 bits PNG wants the upper halves first."""
    if strip.kind == "uint16":
        return IN_WORDS if differing == FROM_LEFT else OF_TWO
    if strip.channels == len(names):
        return AS_PACKED
    return {"rgb": THREE_OF_FOUR, "la": ENDS_OF_FOUR}[names]


def fast(data: memoryview, *, end: bool = True, wrapped: bool = False) -> bytes:
    """Return data deflated quickly: by runs alone, or by repetitions too where these are many.

    Of photographs runs make about the smallest file, in half the time of zlib's first level. What
    has repetitions, as its beginning tells or how little is left of it, takes not much longer.
    """
    start = data[:START]
    few = len(by_runs(start)) * WORTH <= len(deflated(start, REGULAR))
    found = by_runs(data, end=end, wrapped=wrapped) if few else b""
    if len(found) * LITTLE > len(data):
        return found
    other = deflated(data, REGULAR, end=end, wrapped=wrapped)
    return min(found or other, other, key=len)


def by_runs(data: memoryview, *, end: bool = True, wrapped: bool = False) -> bytes:
    """Return data deflated by runs alone; the arguments are those of `deflated`."""
    return deflated(data, 1, zlib.Z_RLE, end=end, wrapped=wrapped)


def deflated(
    data: memoryview,
    level: int,
    strategy: int = zlib.Z_DEFAULT_STRATEGY,
    *,
    end: bool = True,
    wrapped: bool = False,
) -> bytes:
    """Return deflated data, to a whole byte, to be followed by more unless they are the end.

    wrapped: with the head and the sum of zlib's.
    """
    bits = zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS
    packer = zlib.compressobj(level, zlib.DEFLATED, bits, zlib.DEF_MEM_LEVEL, strategy)
    flush = zlib.Z_FINISH if end else zlib.Z_SYNC_FLUSH
    return b"".join((packer.compress(data), packer.flush(flush)))
