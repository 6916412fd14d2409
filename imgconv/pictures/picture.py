"""What the readers of all formats share: the picture they return, and what they are asked for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from imgconv.errors import ImageError
from imgconv.light import NamedTuple
from imgconv.pictures.descriptions import IMAGEJ
from imgconv.pictures.files import MAX_PIXELS
from imgconv.pictures.formats import VARIABLE
from imgconv.pictures.metadata import DESCRIPTION, Metadata
from imgconv.pictures.pixels import Pixels

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt

# Tags of a TIFF by which its first page is known for a part.
NEW_SUBFILE_TYPE, SUB_IFDS, DNG_VERSION, STRIP_BYTES = 254, 330, 50706, 279
PLANES_OF_METAMORPH = 33629
PART_TAGS = NEW_SUBFILE_TYPE, SUB_IFDS, DNG_VERSION, STRIP_BYTES, DESCRIPTION
# Colours that are not read, by their number in a TIFF.
COLOURS = {
    4: "a mask of transparency", 8: "CIELAB", 9: "ICCLAB", 10: "ITULAB", 32803: "a sensor (CFA)",
    32844: "LogL", 32845: "LogLuv", 34892: "a sensor (linear raw)",
}  # fmt: skip
SIGNED, YCBCR, JPEG = 2, 6, (6, 7)  # of samples, of colours, of what packs them
LARGE = 1 << 20  # pixels from which on a picture is read and written in strips
NO_SAMPLES = "broken image: a page has no samples, or does not say where; get a sound copy"


class Reading(NamedTuple):
    """How inputs are read: `shallow` lets them be cut to 8 bits, `frame` chooses one, from 0.

    `axes` are those of arrays, as a user says them; nothing for the usual ones. `formats` are all
    that are opened; nothing for every one that is read. `later` lets the pixels of a large picture
    come later, see `decode.whole`.
    """

    max_pixels: int = MAX_PIXELS
    shallow: bool = False
    frame: int | None = None
    axes: str = ""
    formats: tuple[str, ...] = ()
    later: bool = False


AS_IT_IS = Reading()


class Picture(NamedTuple):
    """The frames of a file, the format they came in, what it says beside, and their timing.

    Of several, each is decoded when it is asked for, and its metadata are read with it.
    `metadata` are those of each frame of a TIFF, else one for all; `durations` are milliseconds,
    none where the frames are pages. `loop` is how often they are shown, 0 for ever. `axes` are
    those of an array, a letter for each; `notes` are what is to be told of how it was read.
    """

    frames: Sequence[Pixels]
    format: str
    metadata: Sequence[Metadata] = (Metadata(),)
    durations: tuple[float, ...] = ()
    loop: int | None = None
    apart: bool = False  # the first frame of a PNG is for viewers that show no animation
    lost: tuple[str, ...] = ()
    axes: str = ""
    notes: tuple[str, ...] = ()


def refuse_unlisted(name: str, how: Reading) -> None:
    """Raise an error for a format that is not among those to be opened, before any decoder runs."""
    if how.formats and name not in how.formats:
        allowed = ", ".join(how.formats)
        raise ImageError(
            f"is {name}, and only {allowed} may be opened; "
            f"add {name.lower()} to --formats (or {VARIABLE})"
        )


class Head(NamedTuple):
    """What heads tell of a picture: `sizes` of frames, for each of which one pixel stands."""

    picture: Picture
    sizes: tuple[tuple[int, int], ...]


def refuse_part(tags: Mapping[int, Any], count: int, size: int) -> None:
    """Raise an error for a TIFF whose first page is only a part of the picture or the stack.

    `tags` are those of the first page, at least PART_TAGS; `count` is the number of pages, `size`
    that of the file in bytes.
    """
    _refuse_thumbnail(tags)
    _refuse_short_stack(tags, count, size)


def _refuse_thumbnail(tags: Mapping[int, Any]) -> None:
    """Raise an error for a thumbnail of what its SubIFDs hold, as in cameras' raw files."""
    reduced = (tags.get(NEW_SUBFILE_TYPE) or 0) & 1
    if reduced and SUB_IFDS in tags:
        kind = "DNG" if DNG_VERSION in tags else "raw"
        raise ImageError(
            f"is a {kind} file, whose first picture is a thumbnail; develop it to a TIFF first"
        )


def _refuse_short_stack(tags: Mapping[int, Any], count: int, size: int) -> None:
    """Raise an error for a stack of one page, behind whose samples the other images follow."""
    text = str(tags.get(DESCRIPTION) or "")
    lengths, planes = tags.get(STRIP_BYTES) or 0, tags.get(PLANES_OF_METAMORPH)
    length = lengths if isinstance(lengths, int) else sum(lengths)
    images = re.search(r"^images=(\d{1,9})\s*$", text, re.MULTILINE)
    told, held = "", 1
    if isinstance(planes, tuple):  # one for each
        told, held = f"a MetaMorph stack of {len(planes)} images", len(planes)
    elif images and text.startswith(IMAGEJ):
        told, held = f"an ImageJ stack of {images[1]} images", int(images[1])
    elif text.startswith('{"shape": ') and '"truncated": true' in text:
        told, held = "a stack of tifffile's", 2  # or more
    if count == 1 < held and size >= length * held:
        raise ImageError(
            f"is {told} in one page, of which one would be read; save them as pages first"
        )


def refuse_samples(bits: int, kinds: Iterable[int], colours: int) -> None:
    """Raise an error for samples of a TIFF of so many bits, and such kinds and colours."""
    if SIGNED in kinds:
        raise ImageError("has signed samples; convert them to 8 or 16 bits without a sign")
    if bits > 16 and 1 in kinds:
        raise ImageError(f"has samples of {bits} bits; convert them to 16")
    if colours in COLOURS:
        raise ImageError(f"has colours of {COLOURS[colours]}, which are not read; make them RGB")


class Tally:
    """The pixels of a file's frames, counted by their heads before any is decoded."""

    def __init__(self, how: Reading) -> None:
        self._most, self._frames, self._pixels = how.max_pixels, 0, 0

    def add(self, size: tuple[int, int], frames: int = 1) -> None:
        """Count the next frames, which are of one size.

        Raises
        ------
        ImageError
            If they have no pixels, or there are now more than are allowed.
        """
        width, height = size
        if not width or not height:
            raise ImageError(f"broken image: it is {width}x{height}; get a sound copy")
        self._frames += frames
        self._pixels += width * height * frames
        if self._pixels > self._most:
            times = f"{self._frames} frames up to " if self._frames > 1 else ""
            limit = f"{self._most / 1e6:g} million pixels"
            raise ImageError(
                f"{times}{width}x{height} is more than {limit}; --max-pixels allows more"
            )


def choose(count: int, how: Reading) -> int:
    """Return the frame that is asked for."""
    frame = how.frame or 0
    if frame >= count:
        raise ImageError(f"has no frame {frame}; its frames are 0 to {count - 1}")
    return frame


def cut(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return samples of 8 bits: the upper ones of 16, as Pillow cuts colours; reals from 0 to 1."""
    if array.dtype.kind == "f":
        from imgconv.pictures.responses import to_pixels

        return to_pixels(array * 255.0, "uint8")
    return (array >> 8).astype("uint8") if array.dtype.itemsize == 2 else array
