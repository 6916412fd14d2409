"""What is packed of a strip: the differences of its samples, deflated."""

from __future__ import annotations

import zlib
from array import array
from typing import TYPE_CHECKING, Any

from imgconv.engine import native, ready, samples
from imgconv.engine.samples import pointer
from imgconv.engine.words import (
    AS_PACKED,
    ENDS_OF_FOUR,
    FROM_LEFT,
    IN_WORDS,
    MARGIN,
    OF_TWO,
    THREE_OF_FOUR,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgconv.engine.samples import Samples

# What is packed to less than such a part by the fastest is packed again by zlib's third level,
# which takes no longer for it than the fastest for a photograph, and a tenth to a half less room.
REGULAR, THIRD = 16, 3


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


def quickest() -> Any:
    """Return what deflates and inflates fastest: isal, or zlib where there is no wheel of it."""
    try:
        from isal import isal_zlib
    except ImportError:
        return zlib
    return isal_zlib


def fast(data: memoryview, *, end: bool = True, wrapped: bool = False) -> bytes:
    """Return data deflated quickly; the arguments are those of `deflated`."""
    found = deflated(quickest(), 1, data, end=end, wrapped=wrapped)
    if len(found) * REGULAR > len(data):
        return found
    return min(found, deflated(zlib, THIRD, data, end=end, wrapped=wrapped), key=len)


def deflated(
    library: Any,
    level: int,
    data: memoryview,
    *,
    end: bool = True,
    differing: bool = False,
    wrapped: bool = False,
) -> bytes:
    """Return deflated data, to a whole byte, to be followed by more unless they are the end.

    Of differences, zlib's best leaves short matches out: a photograph is 3 % smaller for it.
    wrapped: with the head and the sum of zlib's.
    """
    bits = zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS
    how = zlib.Z_FILTERED if differing else zlib.Z_DEFAULT_STRATEGY
    packer = library.compressobj(level, zlib.DEFLATED, bits, zlib.DEF_MEM_LEVEL, how)
    flush = zlib.Z_FINISH if end else zlib.Z_SYNC_FLUSH
    return b"".join((packer.compress(data), packer.flush(flush)))
