"""Pictures to image files: what a format keeps, how it is written, what is said to be left out."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any

from PIL import Image

from imgconv.compiled import native
from imgconv.errors import ImageError, OptionError, heed_cause, one_line, shortened
from imgconv.light import NamedTuple
from imgconv.pictures import jpeg
from imgconv.pictures.descriptions import Written
from imgconv.pictures.fitting import depends_on_alpha, fitting
from imgconv.pictures.formats import ARRAYS, BY_NAME
from imgconv.pictures.lazy import each
from imgconv.pictures.metadata import Metadata
from imgconv.pictures.picture import LARGE, Head, Picture
from imgconv.pictures.pixels import ImagePixels, Pixels, common

if TYPE_CHECKING:
    from imgconv.pictures.coders import Coder

QUALITY = 90  # of lossy formats
LONGEST = {"GIF": 655_350, "PNG": 65_535_000, "WEBP": (1 << 24) - 1}  # ms that a frame is shown
PACKED = ("PNG", "TIFF")  # the formats whose rows are packed by compiled code
LOSSLESS = 100  # the quality at which a WebP loses nothing
# How zlib packs an animated PNG: its run-length strategy takes a quarter of the default's time for
# files 6 % larger.
COMPRESS: dict[str, dict[str, Any]] = {
    "fast": {"compress_level": 1, "compress_type": 3},
    "small": {"compress_level": 9},
    "none": {"compress_level": 0},
}


class Writing(NamedTuple):
    """How outputs are written; without a quality a JPEG or WebP is coded as its source was."""

    force: bool = False
    quality: int | None = None
    compress: str = "fast"
    strip: bool = False


USUALLY = Writing()


def checked(writing: Writing) -> Writing:
    """Return what is asked for, if it can be done.

    Raises
    ------
    OptionError
        If it can't.
    """
    if writing.compress not in COMPRESS:
        choices = ", ".join(COMPRESS)
        raise OptionError(f"no compress {writing.compress!r}; choose from {choices}")
    return writing


def expect(name: str) -> None:
    """Have compiled what writing a format takes, while other parts are waited for."""
    if name in PACKED:
        native.expect("pack")


def encode(
    picture: Picture, name: str, how: Writing = USUALLY, threads: int = 1
) -> tuple[bytes, tuple[str, ...]]:
    """Return the bytes of an image file, and the names of what it does not keep; see `write`."""
    out = io.BytesIO()
    lost = write(out, picture, name, how, threads)
    return out.getvalue(), lost


def write(
    out: IO[bytes], picture: Picture, name: str, how: Writing = USUALLY, threads: int = 1
) -> tuple[str, ...]:
    """Write an image file into an open one, frame by frame; return the names of what is not kept.

    Strips of a frame are coded on so many threads.

    Raises
    ------
    ImageError
        If the format cannot keep what can be seen.
    """
    if name in ARRAYS:
        from imgconv.pictures import npy_csv

        npy_csv.refuse(picture, name)
        npy_csv.write(out, picture, name)
        return *_named(picture, name), *picture.lost
    picture, dropped = _shown(picture, name)
    frames = fitting(picture.frames, name)
    pages = _told(picture.metadata, frames, how)
    options, lost = _said(picture, pages, name, how)
    lost += dropped
    with told(name):
        if len(frames) > 1 and name != "TIFF":
            options |= _coding(name, pages[0], how)
            lost += _write_animation(out, picture._replace(frames=frames), name, options)
        elif len(frames) == 1 and (
            coder := _coder(frames[0], frames[0].size, name, options, pages[0], how)
        ):
            from imgconv.pictures import coders

            coders.write(out, frames[0], coder, threads)
        elif name == "TIFF":
            _write_pages(out, frames, pages, how, threads)
        else:
            lost += _write_single(out, frames[0], name, options, pages[0], how)
    return tuple(lost)


def begun(head: Head, name: str, how: Writing) -> tuple[Coder | None, tuple[str, ...]]:
    """Return what writes a single picture strip by strip, and the names of what is not kept.

    That is nothing for formats that are written as a whole, or keep not what the head tells.
    """
    frame, size = head.picture.frames[0], head.sizes[0]
    if frame.names not in BY_NAME[name].keeps.get(frame.kind, ()):
        return None, ()
    (kept,) = fitting((frame,), name, head.sizes)
    pages = _told(head.picture.metadata, (frame,), how, head.sizes)
    options, lost = _said(head.picture, pages, name, how)
    if kept.names != frame.names:
        return None, ()
    return _coder(frame, size, name, options, pages[0], how), tuple(lost)


@contextlib.contextmanager
def told(name: str) -> Iterator[None]:
    """Tell what a coder raises as what cannot be written in a format."""
    try:
        yield
    except ImageError:
        raise
    except Exception as error:  # a size or a note over a format's limit
        heed_cause(error)
        if isinstance(error, OSError) and error.errno:  # of the disk
            raise
        words = shortened(one_line(error), 160)
        raise ImageError(
            f"cannot be written as {name} ({words}); choose another format with -o, or try --strip"
        ) from None


def _said(
    picture: Picture, pages: Sequence[Metadata], name: str, how: Writing
) -> tuple[dict[str, Any], list[str]]:
    """What Pillow is told of a picture's metadata, and what is lost of them."""
    options, lost = pages[0].options(name)
    return options, [*lost, *(() if how.strip else (*pages[0].lost, *picture.lost))]


def _told(
    metadata: Sequence[Metadata],
    frames: Sequence[Pixels],
    how: Writing,
    sizes: Sequence[tuple[int, int]] = (),
) -> Sequence[Metadata]:
    """What is said of each page, or of an animation as a whole: all that is true of the frames.

    `sizes` are theirs, where one pixel stands for each.
    """

    def fitted(i: int) -> Metadata:
        if how.strip:
            return Metadata(jpeg=metadata[i].jpeg, lossless=metadata[i].lossless)
        frame, size = frames[i], sizes[i] if sizes else frames[i].size
        return metadata[i].fitted(Written(frame.names, frame.kind, size, len(frames)))

    return each(range(min(len(metadata), len(frames))), fitted)


def refuse(head: Head, name: str) -> tuple[str, ...]:
    """Raise an error for a picture that `encode` refuses, as far as its head tells.

    Notes are returned of what only pixels tell.
    """
    if name in ARRAYS:
        from imgconv.pictures import npy_csv

        npy_csv.refuse(head.picture, name)
        return ()
    picture, _ = _shown(head.picture, name)
    for _ in fitting(picture.frames, name, head.sizes[-len(picture.frames) :]):
        pass
    if not any(depends_on_alpha(frame, name) for frame in picture.frames):
        return ()
    part = "partly transparent" if name == "GIF" else "transparent"
    return (f"refused if a pixel is {part}, which only pixels tell; --background COLOUR fills it",)


def _shown(picture: Picture, name: str) -> tuple[Picture, list[str]]:
    """The picture with the timing that a format has, and what of it is lost."""
    if not picture.durations:
        return picture, []
    if name == "TIFF":
        return picture, ["timing"]
    lost = []
    if picture.apart and name != "PNG":
        lost.append("the default image")
        picture = picture._replace(
            frames=picture.frames[1:], durations=picture.durations[1:], apart=False
        )
    if picture.format == "GIF" and picture.loop is None and name != "GIF":
        picture = picture._replace(loop=1)  # a GIF that does not say so is shown once
    most = LONGEST.get(name, math.inf)
    if max(picture.durations) > most:
        lost.append(f"timing over {most / 1000:g} s a frame")
        picture = picture._replace(durations=tuple(min(d, most) for d in picture.durations))
    whole = tuple(10 * round(d / 10) for d in picture.durations)
    if name == "GIF" and whole != picture.durations:
        lost.append("timing finer than 10 ms")
        picture = picture._replace(durations=whole)
    return picture, lost


def _named(picture: Picture, name: str) -> list[str]:
    """What of the metadata an array has no place for."""
    _, lost = picture.metadata[0].options(name)
    return lost


def _coding(name: str, meta: Metadata, how: Writing) -> dict[str, Any]:
    """How the pixels themselves are coded."""
    options = dict(COMPRESS[how.compress]) if name == "PNG" else {}
    if name == "JPEG":
        if how.quality is None and meta.jpeg:
            return options | dict(meta.jpeg)
        options["quality"] = how.quality or QUALITY
    elif name == "WEBP":
        quality = how.quality or (LOSSLESS if meta.lossless else QUALITY)
        options |= {"lossless": True} if quality == LOSSLESS else {"quality": quality}
        options["exact"] = True  # colours are kept where they are not seen
    return options


def _coder(
    frame: Pixels,
    size: tuple[int, int],
    name: str,
    options: dict[str, Any],
    meta: Metadata,
    how: Writing,
) -> Coder | None:
    """What writes pixels like these strip by strip, if their format is written so."""
    if name == "JPEG" and math.prod(size) >= LARGE:
        return jpeg.JpegCoder(size, _coding(name, meta, how), options)
    if name == "PNG":
        from imgconv.pictures import png_strips

        return png_strips.PngCoder(frame.names, frame.kind, size, options, how.compress)
    if name == "TIFF":
        from imgconv.pictures import tiff_strips

        if tiff_strips.takes(frame.names, frame.kind, size):
            return tiff_strips.TiffCoder(frame.names, frame.kind, size, how.compress, meta)
    if BY_NAME[name].pillow == "PPM" or name == "PPM":
        from imgconv.pictures import pnm

        return pnm.PnmCoder(frame.names, size) if frame.kind == "uint8" else None
    return None


def _write_single(
    out: IO[bytes], frame: Pixels, name: str, options: dict[str, Any], meta: Metadata, how: Writing
) -> list[str]:
    """Write a picture of one frame; return what is lost."""
    lost = []
    if name == "GIF":
        from imgconv.pictures import gif

        lost = [gif.FEWER] * gif.has_more_colours(frame)
        frame = ImagePixels(gif.with_palette(_image(frame)))
    out.write(_saved(_image(frame), name, options | _coding(name, meta, how)))
    return lost


def _write_animation(
    out: IO[bytes], picture: Picture, name: str, options: dict[str, Any]
) -> list[str]:
    """Write frames that are shown one after the other; return what is lost."""
    images = each(picture.frames, _image)
    if name == "GIF":
        from imgconv.pictures import gif

        return [gif.FEWER] * gif.write(out, images, picture, options)
    if name == "PNG":
        from imgconv.pictures import apng

        if not picture.durations and (mode := common({f.names for f in picture.frames})):
            images = each(images, lambda image: image.convert(mode))
        apng.write(out, images, picture, options)
        return []
    from imgconv.pictures import webp

    return webp.write(out, images, picture, options)


def _write_pages(
    out: IO[bytes],
    frames: Sequence[Pixels],
    kept: Sequence[Metadata],
    how: Writing,
    threads: int,
) -> None:
    """Write pages, each with what is said of it."""

    def page(i: int) -> tuple[bytes, Metadata]:
        meta, frame = kept[i] if i < len(kept) and not how.strip else Metadata(), frames[i]
        coder = _coder(frame, frame.size, "TIFF", {}, Metadata(), how)
        if not coder:
            from imgconv.pictures import tiff

            return tiff.write(frame, how.compress), meta
        from imgconv.pictures import coders

        alone = io.BytesIO()
        coders.write(alone, frame, coder, threads)
        return alone.getvalue(), meta

    from imgconv.pictures import tiff_tags

    tiff_tags.join(out, map(page, range(len(frames))))


def _image(frame: Pixels) -> Image.Image:
    """The image of pixels for which Pillow has a mode."""
    assert isinstance(frame, ImagePixels)
    return frame.image


def _saved(image: Image.Image, name: str, options: dict[str, Any]) -> bytes:
    """What Pillow writes."""
    if name == "JPEG":
        return jpeg.saved(image, options)
    out = io.BytesIO()
    out.name = "picture" + BY_NAME[name].endings[0]  # by a format Pillow imports five plugins
    image.save(out, **options)
    return out.getvalue()
