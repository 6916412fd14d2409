"""PNG of 16 bits a channel, which Pillow would cut: read by a compiled part."""

from __future__ import annotations

import io
import zlib
from array import array
from typing import TYPE_CHECKING, Any

from PIL import Image

from imgconv.compiled import native
from imgconv.compiled.memory import refuse_beyond
from imgconv.compiled.words import AS_PACKED, FAULT, MARGIN
from imgconv.engine import samples
from imgconv.engine.samples import pointer
from imgconv.errors import ImageError
from imgconv.pictures import faults, metadata, orientation
from imgconv.pictures.chunks import of_one_pixel, split
from imgconv.pictures.picture import Picture, Reading, cut
from imgconv.pictures.pixels import of_array

if TYPE_CHECKING:
    import numpy.typing as npt

CHANNELS = {1: "l", 2: "la", 3: "rgb", 4: "rgba"}
COUNTS = {0: 1, 2: 3, 4: 2, 6: 4}  # of channels, by the number of the colours
# Where the passes of an interlaced picture begin, and how far its pixels are apart: y, x, y, x.
PASSES = (
    (0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
    (1, 0, 2, 1),
)  # fmt: skip
WHOLE = ((0, 0, 1, 1),)


def read(data: bytes, how: Reading) -> Picture:
    """Decode a PNG of 16 bits a channel."""
    with Image.open(io.BytesIO(of_one_pixel(data)), formats=["PNG"]) as image:
        transparent = image.info.get("transparency")
        turns = orientation.turn(image)
        kept = metadata.read(image, turns)
    array = _decoded(data)
    if transparent is not None and array.shape[2] in (1, 3):
        array = _with_alpha(array, transparent)
    array = orientation.upright(array, turns)
    array = cut(array) if how.shallow else array
    return Picture((of_array(array, CHANNELS[array.shape[2]]),), "PNG", (kept,))


def look_over(image: Image.Image, how: Reading) -> tuple[str, str]:
    """Return the channels and the kind of what `read` makes of a PNG, by its head."""
    tile, *_ = image.tile  # type: ignore[attr-defined]
    names = str(tile.args).partition(";")[0].lower().replace("i", "l")
    through = "a" * ("transparency" in image.info and not names.endswith("a"))
    return names + through, "uint8" if how.shallow else "uint16"


def _decoded(data: bytes) -> npt.NDArray[Any]:
    """The samples of a PNG, as they lie; of an interlaced one pass by pass."""
    import numpy as np

    head, *chunks = split(data)
    width, height = (int.from_bytes(head.data[at : at + 4], "big") for at in (0, 4))
    count = COUNTS[head.data[9]]
    shapes = [
        (-(-(height - y) // down), -(-(width - x) // across), count)
        for y, x, down, across in (PASSES if head.data[12] else WHOLE)
    ]
    needed = sum(rows * _line(columns, count) for rows, columns, _ in shapes if columns)
    refuse_beyond(2.0 * needed)
    packed = _inflated(b"".join(c.data for c in chunks if c.kind == b"IDAT"), needed)
    if not head.data[12]:
        return _unpacked(packed, 0, shapes[0])
    array, at = np.empty((height, width, count), np.uint16), 0
    for (y, x, down, across), shape in zip(PASSES, shapes, strict=True):
        if all(shape):
            array[y::down, x::across] = _unpacked(packed, at, shape)
            at += shape[0] * _line(shape[1], count)
    return array


def _line(width: int, count: int) -> int:
    """How many bytes a row is packed in."""
    return 1 + 2 * width * count


def _inflated(data: bytes, needed: int) -> bytes:
    """As many bytes as are needed, of what they are deflated to; it may hold more, or no end."""
    stream = zlib.decompressobj()
    try:
        found: bytes = stream.decompress(data, needed)
        if len(found) == needed and not stream.eof:
            stream.decompress(stream.unconsumed_tail, 1)  # the sum behind them
    except zlib.error:
        raise faults.broken() from None
    if len(found) < needed:
        raise faults.broken() if stream.eof else ImageError(faults.CUT_OFF)
    return found


def _unpacked(packed: bytes, at: int, shape: tuple[int, int, int]) -> npt.NDArray[Any]:
    """Samples of a shape, that are packed from there on."""
    import numpy as np

    found = np.empty(shape, np.uint16)
    height, width, count = shape
    length = _line(width, count) - 1
    lines = samples.room("uint8", 2 * length + 4 * MARGIN)
    source = samples.of_array(np.frombuffer(packed, np.uint8)[None])
    job = array("q", (
        samples.of_array(found).address, length, height, AS_PACKED, length, 2 * count,
        source.address + at, pointer(lines), 0, 0,
    ))  # fmt: skip
    native.alone("unpack")(pointer(job))
    if job[FAULT] < height:
        raise faults.broken()
    return found


def _with_alpha(array: npt.NDArray[Any], value: Any) -> npt.NDArray[Any]:
    """Make the one transparent colour of a PNG an alpha channel."""
    import numpy as np

    seen = (array != np.array(value, array.dtype)).any(axis=2)
    return np.dstack([array, np.where(seen, 65535, 0).astype(array.dtype)])
