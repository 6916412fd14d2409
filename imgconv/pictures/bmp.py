"""BMP whose samples lie where masks say: alpha and odd depths, which Pillow drops or refuses."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from imgconv.errors import ImageError
from imgconv.light import NamedTuple
from imgconv.pictures.faults import CUT_OFF
from imgconv.pictures.picture import Picture, Reading, Tally, cut
from imgconv.pictures.pixels import of_array

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

PLAIN, FIELDS, ALPHA_FIELDS = 0, 3, 6  # what a header calls compression
READ = {PLAIN: (1, 4, 8, 16, 24, 32), 1: (8,), 2: (4,), FIELDS: (16, 32), ALPHA_FIELDS: (16, 32)}
# What a BMP may hold, by what is called compression; some mean another thing to OS/2.
NAMES = {1: "RLE8", 2: "RLE4", FIELDS: "masks", 4: "JPEG", 5: "PNG", ALPHA_FIELDS: "masks",
         11: "CMYK", 12: "CMYK in RLE8", 13: "CMYK in RLE4"}  # fmt: skip
OS2 = {(1, 3): "Huffman's code", (24, 4): "RLE24"}
CORE, HEADERS = 12, (12, 40, 52, 56, 64, 108, 124)  # bytes of headers; the oldest has no packing
USUAL = (0x7C00, 0x3E0, 0x1F, 0)  # of 16 bits without masks


class Header(NamedTuple):
    """What a header tells of the pixels."""

    width: int
    height: int
    upwards: bool
    bits: int
    masks: tuple[int, ...]
    offset: int


def header(data: bytes) -> Header | None:
    """Return the header of a BMP of 16 or 32 bits with masks, nothing for others."""
    if data[:2] != b"BM" or len(data) < 54:
        return None
    offset, size, width, height, _, bits, kind = struct.unpack("<IIiiHHI", data[10:34])
    if size < 40 or bits not in (16, 32):
        return None
    masks = USUAL
    if kind in (FIELDS, ALPHA_FIELDS):  # an old header has no place for the fourth
        count = 4 if size >= 56 or kind == ALPHA_FIELDS else 3
        if len(data) < 54 + 4 * count:
            return None
        masks = (*struct.unpack(f"<{count}I", data[54 : 54 + 4 * count]), 0)[:4]
        if not any(masks):  # which Pillow reads as usual ones
            return None
    elif kind != PLAIN or bits == 32:
        return None
    return Header(width, abs(height), height > 0, bits, masks, offset)


def refuse_other(data: bytes) -> None:
    """Raise an error for a BMP of a kind that no library here reads, by its name."""
    if len(data) < 34:
        return
    size, _, _, _, bits, kind = struct.unpack("<IiiHHI", data[14:34])
    if size not in HEADERS:
        raise ImageError(f"is a BMP with a header of {size} bytes, which is not read; save it anew")
    if size == CORE or bits in READ.get(kind, ()):
        return
    what = OS2.get((bits, kind)) or NAMES.get(kind) or (f"packing {kind}" if kind else "no packing")
    raise ImageError(f"is a BMP of {bits}-bit pixels with {what}, which is not read; save it anew")


def has_fourth(data: bytes) -> bool:
    """Return whether what a BMP of 32 bits without masks calls unused may be somebody's alpha."""
    offset, size, _, _, _, bits, kind = struct.unpack("<IIiiHHI", data[10:34].ljust(24, b"\0"))
    unused = set(data[offset + 3 :: 4]) if (bits, kind) == (32, PLAIN) and size >= 40 else set()
    return len(unused) > 1 or not unused <= {0, 255}


def read(data: bytes, found: Header, how: Reading) -> Picture:
    """Decode a BMP with masks: to 8 bits a channel, or 16 where any has more than 8."""
    import numpy as np

    names, kind = look_over(found, len(data), how)
    masks = found.masks[: len(names)]
    row = _row(found)
    rows = np.frombuffer(data, np.uint8, row * found.height, found.offset)
    words = rows.reshape(found.height, row).view("<u2" if found.bits == 16 else "<u4")
    words = words[:: -1 if found.upwards else 1, : found.width]
    deep = max(mask.bit_count() for mask in masks) > 8
    array = np.dstack([_scaled(words, mask, np.uint16 if deep else np.uint8) for mask in masks])
    return Picture((of_array(array if kind == array.dtype else cut(array), names),), "BMP")


def look_over(found: Header, size: int, how: Reading) -> tuple[str, str]:
    """Return the channels and the kind of a BMP of so many bytes, by its header.

    Raises
    ------
    ImageError
        If its masks are none, or it is cut off or too large.
    """
    Tally(how).add((max(found.width, 0), found.height))
    masks = found.masks if found.masks[3] else found.masks[:3]
    taken = 0
    for mask in masks:
        run = mask // (mask & -mask) if mask else 0
        if not mask or mask >> found.bits or run & (run + 1) or mask & taken:
            shown = ", ".join(f"{mask:x}" for mask in masks)
            raise ImageError(
                f"broken image: its masks {shown} are no runs of {found.bits} bits; "
                "get a sound copy"
            )
        taken |= mask
    if found.offset + _row(found) * found.height > size:
        raise ImageError(CUT_OFF)
    deep = max(mask.bit_count() for mask in masks) > 8 and not how.shallow
    return "rgba"[: len(masks)], "uint16" if deep else "uint8"


def _row(found: Header) -> int:
    """How many bytes a row takes."""
    return (found.width * found.bits + 31) // 32 * 4


def _scaled(
    words: npt.NDArray[np.integer], mask: int, kind: type[np.unsignedinteger]
) -> npt.NDArray[np.unsignedinteger]:
    """The samples under a mask, so that its greatest is white; rounded half up."""
    import numpy as np

    most, white = mask // (mask & -mask), int(np.iinfo(kind).max)
    samples = ((words & mask) // (mask & -mask)).astype(np.uint64)
    return ((samples * (2 * white) + most) // (2 * most)).astype(kind)
