"""Image files to pictures: every frame upright, in channels we filter, nothing cut in silence."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterable
from typing import NamedTuple

from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from imgconv import metadata, samples
from imgconv.errors import ImageError
from imgconv.levels import to_pixels
from imgconv.metadata import Metadata
from imgconv.pixels import MODES, ImagePixels, Pixels

# An allow-list: some formats that Pillow reads run other programs.
READ = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
MAX_PIXELS = 500_000_000
TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
BITS, FORMAT = 258, 339
TABLES = b"\x93 \t\r\n+-.0123456789nN"  # what an array in a file may begin with
# What Pillow logs of a broken file is told by our own error.
logging.getLogger("PIL").addHandler(logging.NullHandler())


class Reading(NamedTuple):
    """How inputs are read: `shallow` lets them be cut to 8 bits, `frame` chooses one, from 0."""

    max_pixels: int = MAX_PIXELS
    shallow: bool = False
    frame: int | None = None


AS_IT_IS = Reading()


class Picture(NamedTuple):
    """The frames of a file, the format they came in, what it says beside, and their timing.

    `metadata` are those of each frame of a TIFF, else one for all; `durations` are milliseconds,
    none where the frames are pages. `loop` is how often they are shown, 0 for ever.
    """

    frames: tuple[Pixels, ...]
    format: str
    metadata: tuple[Metadata, ...] = (Metadata(),)
    durations: tuple[float, ...] = ()
    loop: int | None = None
    apart: bool = False  # the first frame of a PNG is for viewers that show no animation
    lost: tuple[str, ...] = ()


def read(data: bytes, how: Reading = AS_IT_IS) -> Picture:
    """Decode an image file's bytes.

    Raises
    ------
    ImageError
        If they are no image, a broken one, or one that would lose something by being read.
    """
    Image.MAX_IMAGE_PIXELS = None  # the limit is ours, see below
    samples.in_one_block()
    if not data:
        raise ImageError("the file is empty")
    if data[:1] in TABLES:
        from imgconv import tables

        if tables.is_table(data):
            return tables.read(data, how)
    try:
        with warnings.catch_warnings():  # what Pillow says of broken tags is no line of ours
            warnings.simplefilter("ignore")
            return _decoded(data, how)
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # decoders raise a dozen kinds on broken files
        fault = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"broken image: {fault}") from None


def _decoded(data: bytes, how: Reading) -> Picture:
    try:
        image = Image.open(io.BytesIO(data), formats=READ)
    except UnidentifiedImageError:
        if data[:4] in TIFF_MAGIC:
            from imgconv import deep

            return deep.read_tiff(data, how, "has a layout that Pillow does not read")
        kinds = ", ".join(READ)
        raise ImageError(f"not an image of a kind that is read ({kinds})") from None
    with image:
        count = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
        refuse_too_many(*image.size, count, how)
        chosen = [choose(count, how)] if how.frame is not None else range(count)
        if _is_deep(image) and not how.shallow:
            from imgconv import deep

            read_deep = {"PNG": deep.read_png, "TIFF": deep.read_tiff}.get(image.format or "")
            if read_deep is None:
                raise ImageError("has 16 bits a channel, which are not read; --depth 8 cuts them")
            return read_deep(data, how, _depth(image))
        if count == 1:
            return _single(image, how)
        return _several(image, chosen, how)


def refuse_too_many(width: int, height: int, count: int, how: Reading) -> None:
    """Raise an error for more pixels than are allowed, or none, before any is decoded."""
    if not width or not height:
        raise ImageError(f"broken image: it is {width}x{height}")
    if width * height * (1 if how.frame is not None else count) > how.max_pixels:
        times = f"{count} frames of " if count > 1 else ""
        limit = f"{how.max_pixels / 1e6:g} million pixels"
        raise ImageError(f"{times}{width}x{height} is more than {limit}; --max-pixels allows more")


def choose(count: int, how: Reading) -> int:
    """Return the frame that is asked for."""
    frame = how.frame or 0
    if frame >= count:
        raise ImageError(f"has no frame {frame}; its frames are 0 to {count - 1}")
    return frame


def _single(image: ImageFile.ImageFile, how: Reading) -> Picture:
    gray = _is_gray(image)
    if image.format in ("JPEG", "MPO"):  # other plugins prepare in ways of their own
        samples.prepare(image)
    ImageOps.exif_transpose(image, in_place=True)
    kept = metadata.read(image)
    lost = ("further pictures",) if image.format == "MPO" else ()
    return Picture((_plain(image, gray, how),), _format(image), (kept,), lost=lost)


def _several(image: ImageFile.ImageFile, chosen: Iterable[int], how: Reading) -> Picture:
    """Frames as they are seen: Pillow has laid those that are only changes upon the others."""
    pages = image.format == "TIFF"
    frames: list[Pixels] = []
    durations: list[float] = []
    kept: list[Metadata] = []
    for index in chosen:
        image.seek(index)
        gray = _is_gray(image)
        image.load()
        durations.append(float(image.info.get("duration") or 0))
        frame = image.copy()
        if pages or not kept:
            kept.append(metadata.read(image))
        if not pages:  # a TIFF turns itself
            ImageOps.exif_transpose(frame, in_place=True)
        frames.append(_plain(frame, gray, how))
    if not pages:
        frames = _alike(frames)
    several = len(frames) > 1
    return Picture(
        tuple(frames),
        _format(image),
        tuple(kept),
        tuple(durations) if several and not pages else (),
        image.info.get("loop") if several else None,
        several and bool(image.info.get("default_image")),
    )


def _alike(frames: list[Pixels]) -> list[Pixels]:
    """Frames of the same channels: of all that any of them has."""
    names = {frame.names for frame in frames}
    if len(names) == 1:
        return frames
    colour, alpha = any("r" in n for n in names), any("a" in n for n in names)
    mode = ("RGB" if colour else "L") + "A" * alpha
    return [ImagePixels(f.image.convert(mode)) if isinstance(f, ImagePixels) else f for f in frames]


def _format(image: Image.Image) -> str:
    names = {"MPO": "JPEG", "PPM": "PNM"}
    return names.get(image.format or "", image.format or "")


def _is_deep(image: ImageFile.ImageFile) -> bool:
    """Whether Pillow would cut the samples; looks at the header only."""
    if image.mode in ("I;16", "I;16B", "F"):
        return image.has_transparency_data
    if image.format == "TIFF":
        kinds = image.tag_v2.get(FORMAT, (1,))  # type: ignore[attr-defined]
        if 2 in kinds:
            raise ImageError("has signed samples; convert them to 8 or 16 bits without a sign")
        return max(_bits(image)) > 8 or any(kind != 1 for kind in kinds)
    arguments = str(image.tile[0].args) if image.tile else ""
    if image.format == "PPM":
        return image.mode != "I" and _maximum(image) > 255
    return ";16" in arguments


def _bits(image: ImageFile.ImageFile) -> tuple[int, ...]:
    found: tuple[int, ...] = image.tag_v2.get(BITS, (1,))  # type: ignore[attr-defined]
    return found


def _maximum(image: ImageFile.ImageFile) -> int:
    """What a PPM calls white."""
    arguments = image.tile[0].args if image.tile else ()
    found = arguments[1] if isinstance(arguments, tuple) and len(arguments) > 1 else 255
    return found if isinstance(found, int) else 255


def _depth(image: ImageFile.ImageFile) -> str:
    """What is deep about an image, as an error says it."""
    if image.format == "TIFF":
        kinds = image.tag_v2.get(FORMAT, (1,))  # type: ignore[attr-defined]
        bits = max(_bits(image))
        if 2 in kinds:
            return f"has signed samples of {bits} bits"
        return (
            f"has {'real samples of ' * (3 in kinds)}{bits} bits{' a channel' * (3 not in kinds)}"
        )
    return "has 16 bits a channel"


def _is_gray(image: ImageFile.ImageFile) -> bool:
    """Whether Pillow will give colours for a gray file: a PNG of 16 bits with alpha."""
    return "LA;16" in (str(image.tile[0].args) if image.tile else "")


def _plain(image: Image.Image, gray: bool, how: Reading) -> Pixels:
    """The pixels in channels that we filter: palettes expanded, transparency as alpha."""
    image.load()
    if image.mode in ("I;16B", "I"):
        image = image.convert("I").convert("I;16")  # straight to I;16 would clip at 255
    if how.shallow and image.mode in ("I;16", "F"):
        image = _cut(image)
    if gray:
        return ImagePixels(image.convert("LA"))
    if image.has_transparency_data and image.mode not in ("LA", "RGBA"):
        return ImagePixels(image.convert("LA" if image.mode in ("1", "L") else "RGBA"))
    target = {"1": "L", "P": "RGB", "PA": "RGBA", "RGBX": "RGB"}.get(image.mode, image.mode)
    if target not in MODES:
        raise ImageError(f"has samples of mode {image.mode}; convert it to gray or RGB first")
    # convert() to the same mode copies
    return ImagePixels(image if target == image.mode else image.convert(target))


def _cut(image: Image.Image) -> Image.Image:
    """Samples of 8 bits: the upper ones of 16, as Pillow cuts colours; reals from 0 to 1."""
    import numpy as np

    array = np.asarray(image)
    if image.mode == "F":
        return Image.fromarray(to_pixels(array * 255.0, "uint8"))
    cut = Image.fromarray((array >> 8).astype(np.uint8))
    value = image.info.get("transparency")
    if value is None:
        return cut
    alpha = Image.fromarray(np.where(array == value, 0, 255).astype(np.uint8))
    return Image.merge("LA", (cut, alpha))
