"""Animated PNG, composed as https://www.w3.org/TR/png-3/#apng-frame-based-animation says.

Pillow reads the parts, each as a PNG of its own; it would lay them upon each other otherwise.
"""

from __future__ import annotations

import io
import itertools
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from PIL import Image

from imgconv.errors import ImageError
from imgconv.pictures import orientation
from imgconv.pictures.chunks import ANIMATION, Chunk, put_together, split
from imgconv.pictures.picture import Picture
from imgconv.pictures.pixels import Pixels, of_array

if TYPE_CHECKING:
    import numpy.typing as npt

OVER = 1  # a part is laid upon what is there, else in its place
BACKGROUND, PREVIOUS = 1, 2  # what comes in a part's place before the next one, if anything
COMMON = (b"PLTE", b"tRNS")  # what all parts are made of
HUNDREDTHS = 100  # of a second, where a delay has no unit

Read = Callable[[bytes], Picture]


class _Part(NamedTuple):
    """A part of the canvas: its data, where and for how long, and what is done with it."""

    data: bytes
    place: tuple[slice, slice]
    delay: float
    dispose: int
    blend: int


def read(data: bytes, chosen: Sequence[int], single: Read) -> Picture:
    """Return the chosen frames as they are seen; `single` reads a PNG that is no animation.

    Raises
    ------
    ImageError
        If a part is broken, out of order or outside the canvas.
    """
    chunks = list(split(data))
    whole = put_together(*((c.kind, c.data) for c in chunks if c.kind not in ANIMATION))
    picture = single(whole)
    with Image.open(io.BytesIO(whole), formats=["PNG"]) as image:
        turns = orientation.of_image(image)
    apart = _is_apart(chunks)
    frames, durations = [], []
    if apart and chosen[0] == 0:  # which is upright already
        frames, durations = [_with_alpha(picture.frames[0])], [0.0]
    wanted, last = {index - apart for index in chosen}, max(chosen) - apart
    for i, (seen, delay) in enumerate(_seen(chunks, single)):
        if i in wanted:
            frames.append(orientation.upright(seen, turns))
            durations.append(delay)
        if i >= last:
            break
    (promised, loop), found = _control(chunks), [c.kind for c in chunks].count(b"fcTL")
    lost = picture.lost + (f"frames beyond the {promised} it says",) * (found > promised)
    several = len(frames) > 1
    return picture._replace(
        frames=tuple(_pixels(frames, picture.frames[0])),
        durations=tuple(durations) if several else (),
        loop=loop if several else None,
        apart=several and apart,
        lost=lost,
    )


def head(data: bytes, chosen: Sequence[int]) -> tuple[bool, bool]:
    """Return whether the plain picture is no frame, and whether one may see through the canvas.

    Raises
    ------
    ImageError
        If a part is out of order or outside the canvas.
    """
    chunks = list(split(data))
    apart = _is_apart(chunks)
    first, *others = itertools.islice(_parts(chunks), max(1, max(chosen) + 1 - apart))
    top, left = first.place
    height, width = (int.from_bytes(chunks[0].data[at : at + 4], "big") for at in (4, 0))
    whole = (top, left) == (slice(0, height), slice(0, width))
    return apart, not whole or any(part.dispose for part in (first, *others))


def _pixels(frames: list[npt.NDArray[Any]], like: Pixels) -> list[Pixels]:
    """Frames of the channels of the file, and of alpha where parts leave the canvas empty."""
    bare = like.names.removesuffix("a")
    if bare == like.names and all(bool((f[:, :, -1] == _white(f)).all()) for f in frames):
        return [of_array(frame[:, :, :-1], bare) for frame in frames]
    return [of_array(frame, f"{bare}a") for frame in frames]


def _white(array: npt.NDArray[Any]) -> int:
    import numpy as np

    return int(np.iinfo(array.dtype).max)


def _is_apart(chunks: list[Chunk]) -> bool:
    """Whether the pixels of the plain PNG are for viewers that show no animation."""
    return next(c.kind for c in chunks if c.kind in (b"fcTL", b"IDAT")) == b"IDAT"


def _control(chunks: list[Chunk]) -> tuple[int, int]:
    """How many frames there are, and how often they are shown."""
    frames, plays = struct.unpack(">II", next(c.data[:8] for c in chunks if c.kind == b"acTL"))
    return frames, plays


def _parts(chunks: list[Chunk]) -> Iterator[_Part]:
    """The parts in their order, each as a PNG of its own."""
    head = bytes(chunks[0].data)
    width, height = struct.unpack(">II", head[:8])
    common = [(c.kind, c.data) for c in chunks if c.kind in COMMON]
    control, data, number = b"", [], 0
    for chunk in chunks:
        kind, part = chunk.kind, chunk.data
        if kind in (b"fcTL", b"fdAT"):
            if int.from_bytes(part[:4], "big") != number:
                raise ImageError("broken image: its frames are out of order; get a sound copy")
            number, part = number + 1, part[4:]
        if kind in (b"IDAT", b"fdAT") and control:
            data.append((b"IDAT", part))
        if kind not in (b"fcTL", b"IEND"):
            continue
        if control and not data:
            raise ImageError("broken image: it has a frame without pixels; get a sound copy")
        if control:
            w, h, left, top, over, under, dispose, blend = struct.unpack(">IIIIHHBB", control[:22])
            if left + w > width or top + h > height:
                raise ImageError(
                    f"broken image: it has a frame outside its {width}x{height}; get a sound copy"
                )
            own = put_together((b"IHDR", control[:8] + head[8:]), *common, *data, (b"IEND", b""))
            place = slice(top, top + h), slice(left, left + w)
            yield _Part(own, place, 1000 * over / (under or HUNDREDTHS), dispose, blend)
        control, data = bytes(part), []


def _seen(chunks: list[Chunk], single: Read) -> Iterator[tuple[npt.NDArray[Any], float]]:
    """The frames of the animation, with alpha, and their times."""
    import numpy as np

    width, height = struct.unpack(">II", chunks[0].data[:8])
    canvas: npt.NDArray[Any] | None = None
    for part in _parts(chunks):
        array = _with_alpha(single(part.data).frames[0])
        if canvas is None:
            canvas = np.zeros((height, width, array.shape[2]), array.dtype)
        place = canvas[part.place]
        before = place.copy()
        place[:] = _over(array, before) if part.blend == OVER else array
        yield canvas.copy(), part.delay
        if part.dispose == BACKGROUND:
            place[:] = 0
        elif part.dispose == PREVIOUS:
            place[:] = before


def _with_alpha(pixels: Pixels) -> npt.NDArray[Any]:
    import numpy as np

    array = pixels.array()
    if pixels.names.endswith("a"):
        return array
    return np.dstack([array, np.full(array.shape[:2], _white(array), array.dtype)])


def _over(part: npt.NDArray[Any], below: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A part laid upon what is below it, rounded half up."""
    import numpy as np

    white = _white(part)
    wide, under = part.astype(np.int64), below.astype(np.int64)
    alpha = wide[:, :, -1:]
    rest = under[:, :, -1:] * (white - alpha)
    total = white * alpha + rest  # the alpha that comes out, times white
    colours = wide[:, :, :-1] * white * alpha + under[:, :, :-1] * rest
    shown = (2 * colours + total) // np.maximum(2 * total, 1)
    return np.dstack([shown, (2 * total + white) // (2 * white)]).astype(part.dtype)
