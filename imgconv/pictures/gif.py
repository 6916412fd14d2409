"""GIF: frames of at most 256 colours, one of which may be transparent."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from typing import IO, Any

from PIL import Image

from imgconv.pictures.limits import LZW, refuse_claim
from imgconv.pictures.picture import Picture, Reading, Tally
from imgconv.pictures.pixels import ImagePixels, Pixels

COLOURS = 256  # of a frame
FRAME, EXTENSION, END = b",!;"  # what begins
END_OF_FILE = b";"
BACKGROUND = 2  # what takes a frame's place before the next one: nothing of it stays
TABLE = 0x80  # whether colours follow a head
LAST, TAIL = b"\0;", 64  # a last block of no bytes, the trailer, and what some put behind it
FEWER = "colours over 256 a frame"
COVERED = 16  # times a frame, which may be only a part of what it lies on
CUT_OFF = "what follows its last frame (the file is cut off)"


def refuse_too_large(data: bytes, how: Reading) -> None:
    """Raise an error for more pixels than are allowed, before Pillow makes room for them."""
    width, height, count, held = canvas(data)
    Tally(how).add((width, height), count if how.frame is None and count else 1)
    refuse_claim((width, height), COVERED * held, len(data), how)


def is_cut_off(data: bytes) -> bool:
    """Return whether a file ends before its trailer."""
    return LAST not in data[-TAIL:]


def canvas(data: bytes) -> tuple[int, int, int, int]:
    """Return width and height of what all frames lie on, by their heads, and how many there are.

    Pillow makes room for that at once, and more of it for a frame that lies outside. The fourth is
    how many pixels the data of one of them can hold.
    """
    width, height, flags = struct.unpack("<HHB", data[6:11].ljust(5, b"\0"))
    at, count, held = 13 + _colours(flags), 0, 0
    while at + 10 < len(data) and data[at] != END:
        begun, pixels = at, 0
        if data[at] == FRAME:
            left, top, wide, high, flags = struct.unpack("<4HB", data[at + 1 : at + 10])
            width, height = max(width, left + wide), max(height, top + high)
            at, count, pixels = at + 11 + _colours(flags), count + 1, wide * high
        elif data[at] == EXTENSION:
            at += 2
        else:  # what belongs to nothing
            at += 1
            continue
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
        held = max(held, min(pixels, LZW * (at - begun)))
    return width, height, count, held


def _colours(flags: int) -> int:
    """How many bytes of colours follow a head."""
    return 3 << (flags & 7) + 1 if flags & TABLE else 0


def write(
    out: IO[bytes], images: Sequence[Image.Image], picture: Picture, options: dict[str, Any]
) -> bool:
    """Write frames as an animation, each with colours of its own; return whether some had to go.

    `options` are those by which Pillow writes the first; the picture has timing and loop.
    """
    fewer = False
    if picture.loop is not None:
        options = options | {"loop": picture.loop}
    for i in range(len(images)):
        image = images[i]
        fewer |= has_more_colours(ImagePixels(image))
        shown = {"duration": round(picture.durations[i])} if picture.durations else {}
        file = io.BytesIO()
        with_palette(image).save(
            file, "GIF", optimize=False, disposal=BACKGROUND, **shown, **(options if not i else {})
        )
        data = file.getvalue().removesuffix(END_OF_FILE)
        out.write(_further(data) if i else data)
    out.write(END_OF_FILE)
    return fewer


def _further(data: bytes) -> bytes:
    """The only frame of a file as a further one of another, with the file's colours for its own."""
    length = _colours(data[10])
    start = at = 13 + length
    while data[at] == EXTENSION:
        at += 2
        while data[at]:
            at += 1 + data[at]
        at += 1
    head, flags = data[start : at + 9], data[at + 9]
    if flags & TABLE:
        return data[start:]
    flags |= TABLE | data[10] & 7
    return head + bytes([flags]) + data[13:start] + data[at + 10 :]


def has_more_colours(frame: Pixels) -> bool:
    """Return whether a frame has more colours than a palette takes."""
    if not isinstance(frame, ImagePixels) or frame.names == "l":
        return False
    return _palette(_seen(frame.image)) is None


def with_palette(image: Image.Image) -> Image.Image:
    """Return an image as a GIF stores it: its own colours where there are few, else the nearest."""
    if image.mode == "L":
        return image
    image = _seen(image)
    if _palette(image) is None:
        return image
    import numpy as np

    array = np.array(image)
    codes = array.astype(np.uint32) @ (1 << 8 * np.arange(array.shape[2], dtype=np.uint32))
    unique, places = np.unique(codes, return_inverse=True)
    palette = unique[:, None] >> 8 * np.arange(array.shape[2], dtype=np.uint32) & 255
    found = Image.fromarray(places.reshape(codes.shape).astype(np.uint8))
    found.putpalette(palette[:, :3].astype(np.uint8).tobytes())
    if array.shape[2] == 4 and (unseen := np.flatnonzero(palette[:, 3] == 0)).size:
        found.info["transparency"] = int(unseen[0])
    return found


def _palette(image: Image.Image) -> list[Any] | None:
    """The colours of an image, if a palette takes them all."""
    found = image.getcolors(COLOURS)
    return None if found is None else [colour for _, colour in found]


def _seen(image: Image.Image) -> Image.Image:
    """An image whose hidden pixels are all of one colour, which is the transparent one."""
    if not image.mode.endswith("A"):
        return image
    image = image.convert("RGBA")
    seen = Image.new("RGBA", image.size)
    seen.paste(image, mask=image.getchannel("A").point([0] + [255] * 255))
    return seen
