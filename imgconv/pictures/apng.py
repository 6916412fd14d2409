"""Animated PNG, composed as https://www.w3.org/TR/png-3/#apng-frame-based-animation says.

Pillow reads the parts, each as a PNG of its own; it would lay them upon each other otherwise.
"""

from __future__ import annotations

import io
import itertools
import struct
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import IO, TYPE_CHECKING, Any

from PIL import Image, ImageChops

from imgconv.errors import ImageError
from imgconv.light import NamedTuple
from imgconv.pictures import faults, orientation
from imgconv.pictures.chunks import ANIMATION, SIGNATURE, Chunk, put_together, split
from imgconv.pictures.lazy import each
from imgconv.pictures.picture import Picture
from imgconv.pictures.pixels import Pixels, of_array

if TYPE_CHECKING:
    import numpy.typing as npt

OVER = 1  # a part is laid upon what is there, else in its place
BACKGROUND, PREVIOUS = 1, 2  # what comes in a part's place before the next one, if anything
CODING = ("compress_level", "compress_type")  # of Pillow's options
COMMON, LONGEST = (b"PLTE", b"tRNS"), 768  # what all parts are made of, and its most bytes
HUNDREDTHS = 100  # of a second, where a delay has no unit

Read = Callable[[bytes], Picture]


class _Part(NamedTuple):
    """A part of the canvas: its data, where it is, and what is done with it."""

    data: bytes
    place: tuple[slice, slice]
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
    bare = picture.frames[0].names.removesuffix("a")
    through = _is_seen_through(chunks, chosen, apart)
    opaque = bare == picture.frames[0].names
    opaque = opaque and (not through or _is_opaque(chunks, chosen, apart, single))
    film = _Film(chunks, single)

    def at(place: int) -> Pixels:
        index = chosen[place] - apart
        with faults.told():
            if index < 0:  # which is upright already
                frame = _with_alpha(picture.frames[0])
            else:
                frame = orientation.upright(film.seen(index), turns)
        return of_array(frame[:, :, :-1], bare) if opaque else of_array(frame, f"{bare}a")

    (promised, loop), parts = _control(chunks), [c.data for c in chunks if c.kind == b"fcTL"]
    lost = picture.lost + (f"frames beyond the {promised} it says",) * (len(parts) > promised)
    several = len(chosen) > 1
    delays = [0.0] * apart + [_delay(part) for part in parts]  # with the plain picture's
    return picture._replace(
        frames=each(range(len(chosen)), at),
        durations=tuple(delays[index] for index in chosen) if several else (),
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
    return apart, _is_seen_through(chunks, chosen, apart)


def _is_seen_through(chunks: list[Chunk], chosen: Sequence[int], apart: bool) -> bool:
    """Whether parts may leave some of the canvas empty, by their heads; raises what `head` does."""
    count = max(1, chosen[-1] + 1 - apart)
    first, *others = ((p.place, p.dispose) for p in itertools.islice(_parts(chunks), count))
    height, width = (int.from_bytes(chunks[0].data[at : at + 4], "big") for at in (4, 0))
    whole = first[0] == (slice(0, height), slice(0, width))
    return not whole or any(dispose for _, dispose in (first, *others))


class _Film:
    """The frames of an animation as they are seen, with alpha: played on, or from the beginning."""

    def __init__(self, chunks: list[Chunk], single: Read) -> None:
        self._chunks, self._single = chunks, single
        self._begin()

    def _begin(self) -> None:
        self._going, self._at = enumerate(_seen(self._chunks, self._single)), -1

    def seen(self, index: int) -> npt.NDArray[Any]:
        """Return one of them."""
        if index <= self._at:
            self._begin()
        for place, frame in self._going:
            self._at = place
            if place == index:
                return frame
        raise ImageError(f"broken image: it has no frame {index}; get the whole file")


def _is_opaque(chunks: list[Chunk], chosen: Sequence[int], apart: bool, single: Read) -> bool:
    """Whether all frames cover the canvas, by their pixels."""
    last = chosen[-1] - apart
    seen = itertools.islice(_seen(chunks, single), last + 1)
    wanted = {index - apart for index in chosen}
    return all(
        bool((frame[:, :, -1] == _white(frame)).all())
        for i, frame in enumerate(seen)
        if i in wanted
    )


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
    common = {c.kind: c.data[:LONGEST] for c in chunks if c.kind in COMMON}.items()
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
            w, h, left, top = struct.unpack(">IIII", control[:16])
            if left + w > width or top + h > height:
                raise ImageError(
                    f"broken image: it has a frame outside its {width}x{height}; get a sound copy"
                )
            own = put_together((b"IHDR", control[:8] + head[8:]), *common, *data, (b"IEND", b""))
            place = slice(top, top + h), slice(left, left + w)
            yield _Part(own, place, *control[20:22])
        control, data = bytes(part), []


def _delay(control: memoryview) -> float:
    """How long a frame is shown, in milliseconds."""
    over, under = struct.unpack(">HH", control[20:24])
    return 1000 * int(over) / (int(under) or HUNDREDTHS)


def _seen(chunks: list[Chunk], single: Read) -> Iterator[npt.NDArray[Any]]:
    """The frames of the animation, with alpha."""
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
        yield canvas.copy()
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


def write(
    out: IO[bytes], images: Sequence[Image.Image], picture: Picture, options: dict[str, Any]
) -> None:
    """Write frames as an animation: of each one the part that differs from the one before.

    `options` are those by which Pillow writes the first, with all that is said beside pixels; the
    picture has timing and loop. Frames that are equal stay frames, of a pixel.
    """
    apart, count = picture.apart, len(images)
    delays = picture.durations or (0.0,) * count
    play = (b"acTL", struct.pack(">II", count - apart, picture.loop or 0))
    coding = {key: value for key, value in options.items() if key in CODING}
    number, before = 0, images[0]
    for i in range(count):
        image = images[i]
        box = _changed(before, image) if i > apart else (0, 0, *image.size)
        chunks = _saved(image.crop(box), coding) if i else _saved(image, options)
        at = next(k for k, (kind, _) in enumerate(chunks) if kind == b"IDAT")
        data = [part for kind, part in chunks if kind == b"IDAT"]
        found = [*chunks[:at], play] if not i else []
        if i or not apart:
            found.append((b"fcTL", _control_of(number, box, delays[i])))
            number += 1
        if i:
            found += [(b"fdAT", struct.pack(">I", number + k) + d) for k, d in enumerate(data)]
            number += len(data)
        else:
            found += [(kind, d) for kind, d in chunks[at:] if kind != b"IEND"]
        made = put_together(*found)
        out.write(made[len(SIGNATURE) :] if i else made)
        before = image
    out.write(put_together((b"IEND", b""))[len(SIGNATURE) :])


def _saved(image: Image.Image, options: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    """The chunks of a PNG of Pillow's."""
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return [(chunk.kind, bytes(chunk.data)) for chunk in split(file.getvalue())]


def _control_of(number: int, box: tuple[int, int, int, int], delay: float) -> bytes:
    """What stands before a part's data: its place, and its time in seconds as a fraction."""
    left, top, right, bottom = box
    time = Fraction(delay / 1000)
    time = time.limit_denominator(int(0xFFFF / max(float(time), 1.0)))
    numbers = number, right - left, bottom - top, left, top, time.numerator, time.denominator
    return struct.pack(">5IHHBB", *numbers, 0, 0)  # which stays, in place of what was there


def _changed(before: Image.Image, image: Image.Image) -> tuple[int, int, int, int]:
    """The part in which an image differs from the one before; a pixel of equal ones."""
    one, other = (each.convert("RGBA") for each in (before, image))
    return ImageChops.difference(one, other).getbbox(alpha_only=False) or (0, 0, 1, 1)
