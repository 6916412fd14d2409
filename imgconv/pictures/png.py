"""PNG of 16 bits a channel, which Pillow would cut: read and written by imagecodecs."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from PIL import Image

from imgconv.pictures import metadata, orientation
from imgconv.pictures.chunks import split
from imgconv.pictures.extras import library
from imgconv.pictures.picture import Picture, Reading, cut
from imgconv.pictures.pixels import Pixels, of_array

if TYPE_CHECKING:
    import numpy.typing as npt

CHANNELS = {1: "l", 2: "la", 3: "rgb", 4: "rgba"}
_PIXELS = (b"IHDR", b"IDAT", b"IEND")
COMPRESS: dict[str, dict[str, int]] = {
    "fast": {"level": 1, "strategy": 3, "filter": 16},
    "small": {"level": 9, "strategy": 0},
    "none": {"level": 0},
}


def read(data: bytes, how: Reading, fault: str) -> Picture:
    """Decode a PNG of 16 bits a channel; `fault` is what is said where the library is missing."""
    codecs = library("imagecodecs", fault, cuttable=not how.shallow)
    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        transparent = image.info.get("transparency")
        turns = orientation.turn(image)  # which loads it: text stands behind the pixels too
        kept = metadata.read(image, turns)
    array = codecs.png_decode(data)
    array = array if array.ndim == 3 else array[:, :, None]
    if transparent is not None and array.shape[2] in (1, 3):
        array = _with_alpha(array, transparent)
    array = orientation.upright(array, turns)
    array = cut(array) if how.shallow else array
    return Picture((of_array(array, CHANNELS[array.shape[2]]),), "PNG", (kept,))


def look_over(image: Image.Image, how: Reading, fault: str) -> tuple[str, str]:
    """Return the channels and the kind of what `read` makes of a PNG, by its head."""
    library("imagecodecs", fault, cuttable=not how.shallow)
    tile, *_ = image.tile  # type: ignore[attr-defined]
    names = str(tile.args).partition(";")[0].lower().replace("i", "l")
    through = "a" * ("transparency" in image.info and not names.endswith("a"))
    return names + through, "uint8" if how.shallow else "uint16"


def _with_alpha(array: npt.NDArray[Any], value: Any) -> npt.NDArray[Any]:
    """Make the one transparent colour of a PNG an alpha channel."""
    import numpy as np

    seen = (array != np.array(value, array.dtype)).any(axis=2)
    return np.dstack([array, np.where(seen, 65535, 0).astype(array.dtype)])


def write(pixels: Pixels, kept: dict[str, Any], compress: str) -> bytes:
    """Return the bytes of a PNG; its metadata are the chunks that Pillow writes for them."""
    codecs = library("imagecodecs", "has 16 bits a channel")
    out: bytes = codecs.png_encode(pixels.array(), **COMPRESS[compress])
    mode = "RGB" if pixels.names.startswith("rgb") else "L"
    small = io.BytesIO()
    Image.new(mode, (1, 1)).save(small, "PNG", **kept)
    notes = [small.getvalue()[c.place] for c in split(small.getvalue()) if c.kind not in _PIXELS]
    header, rest = out[:33], out[33:]  # signature and IHDR
    return header + b"".join(notes) + rest
