"""Heads are claims: how far they are believed, by the bytes and the memory that are there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from imgconv.compiled.memory import refuse_beyond
from imgconv.errors import ImageError
from imgconv.pictures.files import MAX_PIXELS

if TYPE_CHECKING:
    from PIL import Image

    from imgconv.pictures.picture import Reading

BELIEVED = 1 << 25  # pixels that a file may claim without anything behind it: they cost little
DEFLATED = 1032  # bytes that a byte of deflate's makes at most
LZW = 2560  # pixels that a byte of GIF's makes at most: 3,840 of a code of 12 bits
JPEG = 512  # pixels: a block of 64 takes a bit at least
SCANS = 100  # of a JPEG, each of which goes through all of its pixels; ten are many
SCAN = b"\xff\xda"
NEXT = b"\xff\xd9\xff\xd8"  # where another picture follows
BITS = {"RGB": 24, "RGBA": 32, "LA": 16, "I;16": 16}  # of a pixel of PNG; of others one is enough
BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2}  # of a pixel in memory; of others four


def refuse_hollow(image: Image.Image, length: int, how: Reading) -> None:
    """Raise an error for a picture of more pixels than so many bytes, or the memory, can hold.

    A TIFF says by itself where its bytes are, see `tiff_heads`.
    """
    width, height = image.size
    if image.format != "TIFF":
        most = 8 * DEFLATED
        if image.format == "PNG":
            most //= BITS.get(image.mode, 1)
        elif image.format in ("JPEG", "MPO"):
            most = JPEG
        refuse_claim((width, height), most * length, length, how)
    refuse_beyond(float(width * height * BYTES.get(image.mode, 4)))


def refuse_claim(size: tuple[int, int], most: float, length: int, how: Reading) -> None:
    """Raise an error for a size of more than the most pixels that its so many bytes can hold.

    Some coders have no such most, for pixels that are all alike; who asks for so many gets them.
    """
    pixels = math.prod(size)
    if pixels > max(BELIEVED, most) and how.max_pixels <= MAX_PIXELS:
        raise ImageError(
            f"says {size[0]}x{size[1]}, for which its {length} bytes are too few; "
            f"get the whole file, or believe it with --max-pixels {max(pixels, MAX_PIXELS) + 1}"
        )


def refuse_scans(data: bytes) -> None:
    """Raise an error for a JPEG that goes through its pixels again and again."""
    scans = data.count(SCAN)
    if scans > SCANS and (end := data.find(NEXT)) > 0:
        scans = data.count(SCAN, 0, end)
    if scans > SCANS:
        raise ImageError(f"is a JPEG of {scans} scans, and no camera makes {SCANS}; save it anew")
