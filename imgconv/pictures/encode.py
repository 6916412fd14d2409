"""Pictures to image files: what a format keeps, how it is written, what is said to be left out."""

from __future__ import annotations

import contextlib
import io
import math
import os
from collections.abc import Sequence
from typing import IO, Any, NamedTuple

from PIL import Image

from imgconv.engine.levels import MAXIMUM
from imgconv.errors import ImageError, OptionError, one_line, shortened
from imgconv.pictures import pillow
from imgconv.pictures.descriptions import Written
from imgconv.pictures.formats import ARRAYS, BY_NAME, PIECES, SEVERAL, keeping
from imgconv.pictures.metadata import Metadata
from imgconv.pictures.picture import Head, Picture
from imgconv.pictures.pixels import NAMELESS, ImagePixels, Pixels

QUALITY = 90  # of lossy formats
SIDES = {"JPEG": 65_500, "GIF": 65_535, "WEBP": 16_383}  # what Pillow's writers can do
LONGEST = {"GIF": 655_350, "PNG": 65_535_000, "WEBP": (1 << 24) - 1}  # ms that a frame is shown
LOSSLESS = 100  # the quality at which a WebP loses nothing
# How a lossless format is packed. For PNG, zlib's run-length strategy takes a quarter of the
# default's time for files 6 % larger.
COMPRESS: dict[str, dict[str, dict[str, Any]]] = {
    "fast": {"PNG": {"compress_level": 1, "compress_type": 3}, "TIFF": {"compression": "tiff_lzw"}},
    "small": {"PNG": {"compress_level": 9}, "TIFF": {"compression": "tiff_adobe_deflate"}},
    "none": {"PNG": {"compress_level": 0}, "TIFF": {}},
}


Size = tuple[int, int]


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


def encode(picture: Picture, name: str, how: Writing = USUALLY) -> tuple[bytes, tuple[str, ...]]:
    """Return the bytes of an image file, and the names of what it does not keep.

    Raises
    ------
    ImageError
        If the format cannot keep what can be seen.
    """
    if name in ARRAYS:
        from imgconv.pictures import npy_csv

        npy_csv.refuse(picture, name)
        return npy_csv.write(picture, name), (*_named(picture, name), *picture.lost)
    picture, dropped = _shown(picture, name)
    frames = fitting(picture.frames, [frame.size for frame in picture.frames], name)
    pages = [
        m.fitted(Written(f.names, f.kind, f.size, len(frames)))
        for m, f in zip(picture.metadata, frames, strict=False)
    ]  # an animation has those of its first frame
    if how.strip:
        pages = [Metadata(jpeg=page.jpeg, lossless=page.lossless) for page in pages[:1]]
    options, lost = pages[0].options(name)
    lost += () if how.strip else (*pages[0].lost, *picture.lost)
    lost += dropped
    if name == "GIF":
        from imgconv.pictures import gif

        lost += ["colours over 256 a frame"] * any(map(gif.has_more_colours, frames))
    try:
        if name == "PNG" and frames[0].kind == "uint16" and frames[0].names != "l":
            from imgconv.pictures import png

            return png.write(frames[0], options, how.compress), tuple(lost)
        data = _tiff(frames, pages, how) if name == "TIFF" else None
        data = data or _saved(frames, name, options | _coding(name, pages[0], how), picture)
        lost += _merged(data, len(frames), name)
    except ImageError:
        raise
    except MemoryError:
        raise
    except Exception as error:  # a size or a note over a format's limit
        words = shortened(one_line(error), 160)
        raise ImageError(
            f"cannot be written as {name} ({words}); choose another format with -o, or try --strip"
        ) from None
    return data, tuple(lost)


def refuse(head: Head, name: str) -> tuple[str, ...]:
    """Raise an error for a picture that `encode` refuses, as far as its head tells.

    Notes are returned of what only pixels tell.
    """
    if name in ARRAYS:
        from imgconv.pictures import npy_csv

        npy_csv.refuse(head.picture, name)
        return ()
    picture, _ = _shown(head.picture, name)
    fitting(picture.frames, head.sizes[-len(picture.frames) :], name)
    if not any(_depends_on_alpha(frame, name) for frame in picture.frames):
        return ()
    part = "partly transparent" if name == "GIF" else "transparent"
    return (f"refused if a pixel is {part}, which only pixels tell; --background COLOUR fills it",)


def _depends_on_alpha(frame: Pixels, name: str) -> bool:
    """Whether it is for the alpha itself to tell if a format keeps a frame."""
    able = name != "GIF" and frame.names in BY_NAME[name].keeps.get(frame.kind, ())
    return frame.names.endswith("a") and not able


def fitting(frames: Sequence[Pixels], sizes: Sequence[Size], name: str) -> list[Pixels]:
    """Return frames of such sizes as a format keeps them.

    Raises
    ------
    ImageError
        If it cannot keep what can be seen.
    """
    if name == PIECES:
        raise ImageError("is written to .zarr piece by piece; its source must be TIFF or .zarr")
    found = [kept(named(frame, name), name) for frame in frames]
    if len(found) > 1 and name not in SEVERAL:
        able = ", ".join(SEVERAL)
        raise ImageError(
            f"has {len(found)} frames, of which {name} keeps one; "
            f"choose one with --frame, or {able} with -o"
        )
    _refuse_long(sizes[0], name)
    if len(found) > 1:
        _refuse_frames(found, sizes, name)
    return found


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


def _refuse_long(size: Size, name: str) -> None:
    """Raise an error for sides that a format has no numbers for."""
    width, height = size
    most = SIDES.get(name)
    if most and max(width, height) > most:
        raise ImageError(
            f"is {width}x{height}, and {name} keeps sides up to {most}; choose PNG or TIFF with -o"
        )


def _refuse_frames(frames: Sequence[Pixels], sizes: Sequence[Size], name: str) -> None:
    """Raise an error for frames that a format would mix up."""
    if name == "TIFF":
        return
    if len(set(sizes)) > 1:
        raise ImageError(
            f"has {len(frames)} pages of different sizes, which {name} cannot keep; "
            "choose one with --frame, or TIFF with -o"
        )
    if any(frame.kind != "uint8" for frame in frames):
        raise ImageError(
            f"has {len(frames)} frames of 16 bits, which {name} cannot keep; --depth 8 cuts them, "
            "--frame chooses one, TIFF keeps all"
        )


def _named(picture: Picture, name: str) -> list[str]:
    """What of the metadata an array has no place for."""
    _, lost = picture.metadata[0].options(name)
    return lost


def named(frame: Pixels, name: str) -> Pixels:
    """The frame with names for the channels of an array, as an image needs them.

    A TIFF keeps any number of real channels, which have no names there either.
    """
    if not frame.names.startswith(NAMELESS):
        return frame
    bare = frame.names.removesuffix("a")
    if names := {1: "l", 3: "rgb"}.get(len(bare)):
        from imgconv.pictures.pixels import of_array

        return of_array(frame.array(), frame.names.replace(bare, names))
    if name == "TIFF" and frame.kind == "float32":
        return frame
    raise ImageError(
        f"has {len(bare)} channels, and {name} keeps 1 or 3; choose .npy with -o, "
        "or .tif with --levels none"
    )


def kept(frame: Pixels, name: str) -> Pixels:
    """Return the frame as a format can keep it whole, or an error that names what it would lose."""
    channels = BY_NAME[name].keeps.get(frame.kind, ())
    if frame.names.startswith(NAMELESS) or (NAMELESS in frame.names and name == "TIFF"):
        return frame
    if NAMELESS in frame.names:
        raise ImageError(
            f"{name} cannot keep a channel that is neither colour nor alpha; "
            "choose TIFF, .npy or .zarr with -o"
        )
    if frame.names in channels and (name != "GIF" or _is_binary(frame)):
        return frame.colour() if name == "PPM" else frame
    bare = frame.names.removesuffix("a")
    if bare in channels and name != "GIF" and _is_opaque(frame):
        return kept(_without_alpha(frame), name)
    if not channels:
        what = "16 bits" if frame.kind == "uint16" else "real samples"
        remedy = "--depth 8 cuts them to 8 bits"
        if frame.kind == "float32":
            remedy = "--levels stretch makes pixels of them"
        if frame.kind == "uint8":  # of PFM, which keeps nothing else
            what, remedy = "samples of 8 bits", "--levels none --channels gray makes them real"
    elif frame.names == "cmyk":
        what, remedy = "CMYK", "--channels rgb converts it"
    elif frame.names.endswith("a"):
        part = "partial transparency" if name == "GIF" else "transparency"
        what, remedy = part, "--background COLOUR fills it"
    else:
        what = "colour" if frame.kind == "uint8" else "colour of 16 bits"
        remedy = "--channels gray leaves it out"
    able = ", ".join(n for n in keeping(frame.names, frame.kind) if n not in (name, "GIF"))
    raise ImageError(f"{name} cannot keep {what}; {remedy}, or choose {able} with -o")


def _alpha(frame: Pixels) -> Pixels:
    return frame.channel(len(frame.names) - 1)


def _is_opaque(frame: Pixels) -> bool:
    if not frame.names.endswith("a"):
        return False
    alpha, top = _alpha(frame), MAXIMUM[frame.kind]
    if isinstance(alpha, ImagePixels):
        low, _ = alpha.image.getextrema()
        return bool(low == top)
    return bool((alpha.array() == top).all())


def _without_alpha(frame: Pixels) -> Pixels:
    if isinstance(frame, ImagePixels):
        return ImagePixels(frame.image.convert(frame.image.mode.removesuffix("A")))
    from imgconv.pictures.pixels import of_array

    return of_array(frame.array()[:, :, :-1], frame.names[:-1])


def _is_binary(frame: Pixels) -> bool:
    """Whether every pixel is seen or is not."""
    if not frame.names.endswith("a"):
        return True
    alpha = _alpha(frame)
    assert isinstance(alpha, ImagePixels)
    return not any(alpha.image.histogram()[1:-1])


def _coding(name: str, meta: Metadata, how: Writing) -> dict[str, Any]:
    """How the pixels themselves are coded."""
    options = dict(COMPRESS[how.compress].get(name, {}))
    if name == "JPEG":
        if how.quality is None and meta.jpeg:
            return options | dict(meta.jpeg)
        options["quality"] = how.quality or QUALITY
    elif name == "WEBP":
        quality = how.quality or (LOSSLESS if meta.lossless else QUALITY)
        options |= {"lossless": True} if quality == LOSSLESS else {"quality": quality}
        options["exact"] = True  # colours are kept where they are not seen
    return options


def _saved(frames: list[Pixels], name: str, options: dict[str, Any], picture: Picture) -> bytes:
    """What Pillow writes."""
    images = [f.image for f in frames if isinstance(f, ImagePixels)]
    if name == "GIF":
        from imgconv.pictures import gif

        images = [gif.with_palette(image) for image in images]
    first, *others = images
    if others and name != "TIFF":
        options = options | {"save_all": True, "append_images": others}
        if picture.durations:
            shown = picture.durations[1:] if picture.apart else picture.durations
            options["duration"] = [round(d) for d in shown]
            if picture.loop is not None:
                options["loop"] = picture.loop
        if name == "PNG":
            options["default_image"] = picture.apart
        if name == "GIF":
            options |= {"disposal": 2, "optimize": False}
    if name == "JPEG" and first.mode == "L" and "qtables" in options:
        options = options | {"qtables": {0: options["qtables"][0]}, "subsampling": -1}
    with _memory(name) as out:
        if name == "TIFF" and others:
            pillow.append(out, images, options)
        else:
            first.save(out, BY_NAME[name].pillow or name, **options)
        out.seek(0)
        return out.read()


def _merged(data: bytes, count: int, name: str) -> list[str]:
    """What encoders leave out: frames equal to the one before, which is shown longer."""
    if count == 1 or name == "TIFF":
        return []
    with Image.open(io.BytesIO(data), formats=[name]) as image:
        fewer = count - getattr(image, "n_frames", 1)
    return [f"{fewer} of {count} frames, equal to the one before,"] * bool(fewer)


def _tiff(frames: list[Pixels], pages: list[Metadata], how: Writing) -> bytes:
    if all(isinstance(frame, ImagePixels) for frame in frames):
        data = _saved(frames, "TIFF", COMPRESS[how.compress]["TIFF"], Picture((), ""))
    else:
        from imgconv.pictures import tiff

        data = tiff.write(tuple(frames), how.compress)
    from imgconv.pictures import tiff_tags

    file = io.BytesIO(data)
    tiff_tags.put(file, pages)
    return file.getvalue()


def _memory(name: str) -> IO[bytes]:
    """A file in memory: with a descriptor Pillow encodes a JPEG without Python's lock."""
    if name == "JPEG":
        with contextlib.suppress(AttributeError, OSError):  # another system, or one that refuses
            return os.fdopen(os.memfd_create("imgconv"), "w+b")
    return io.BytesIO()
