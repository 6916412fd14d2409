"""What the head of an image file tells of its pictures, and why it is refused: no pixels."""

from __future__ import annotations

import io
import os
import warnings
from typing import IO, TYPE_CHECKING

from PIL import Image, ImageFile

from imgconv.errors import ImageError
from imgconv.pictures import decode, faults, misread, npy_csv
from imgconv.pictures.formats import TIFF_MAGIC, of_head
from imgconv.pictures.metadata import ORIENTATION, SWAPPED
from imgconv.pictures.orientation import of_image
from imgconv.pictures.picture import AS_IT_IS, Head, Picture, Reading, refuse_unlisted
from imgconv.pictures.pixels import MODES, Pixels, white

if TYPE_CHECKING:
    from imgconv.pictures.tiff_heads import Pages

Size = tuple[int, int]


def read(file: IO[bytes], how: Reading = AS_IT_IS) -> Head:
    """Look at a file's heads, as `decode.read` does before it decodes anything.

    Raises
    ------
    ImageError
        As `decode.read` does, but for what only pixels can tell.
    """
    Image.MAX_IMAGE_PIXELS = None
    with faults.told(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start, size = file.read(faults.START), file.seek(0, os.SEEK_END)
        if not start:
            raise ImageError(faults.EMPTY)
        if start[:1] in decode.TABLES and npy_csv.is_table(start):
            return npy_csv.head(file, size, how)
        if how.formats and (name := of_head(start)):
            refuse_unlisted(name, how)
        if start[:4] == b"\x89PNG":
            return _png(file, size, how)
        if start[:2] == b"BM":
            from imgconv.pictures import bmp

            if found := bmp.header(start):
                names, kind = bmp.look_over(found, size, how)
                return _alike(white(names, kind), (found.width, found.height), "BMP")
            bmp.refuse_other(start)
        if start[:4] in TIFF_MAGIC:
            return _tiff(file, size, how)
        if start[:3] == b"GIF":
            from imgconv.pictures import gif

            file.seek(0)
            gif.refuse_too_large(file.read(), how)
        return _opened(file, size, how)


def _alike(pixel: Pixels, size: Size, format: str, count: int = 1) -> Head:
    """Frames that have all the same channels and size."""
    times = (0.0,) * count if count > 1 else ()
    return Head(Picture((pixel,) * count, format, durations=times), (size,) * count)


def _png(file: IO[bytes], length: int, how: Reading) -> Head:
    """A PNG of so many bytes, whose notes may stand behind the pixels."""
    from imgconv.pictures import apng, chunks, png

    file.seek(0)
    data, _ = chunks.sound(chunks.skeleton(file))
    image = decode.identified(io.BytesIO(data), how)
    assert image
    with image:
        count, chosen, fault = decode.look_over(image, length, how)
        pixel = white(*png.look_over(image, how)) if fault else _pixel(image, how)
        size = image.size
    with Image.open(io.BytesIO(chunks.of_one_pixel(data)), formats=["PNG"]) as small:
        size = size[::-1] if of_image(small) in SWAPPED else size
    if not decode.is_animated(image, count):
        return _alike(pixel, size, "PNG")
    apart, through = apng.head(data, chosen)
    if through:
        pixel = white(f"{pixel.names.removesuffix('a')}a", pixel.kind)
    found = _alike(pixel, size, "PNG", len(chosen))
    return found._replace(picture=found.picture._replace(apart=apart and len(chosen) > 1))


def _opened(file: IO[bytes], size: int, how: Reading) -> Head:
    """A file of so many bytes that Pillow opens."""
    image = decode.identified(file, how)
    assert image
    with image:
        _, chosen, _ = decode.look_over(image, size, how)
        return _alike(_pixel(image, how), _upright(image), decode.format_of(image), len(chosen))


def _tiff(file: IO[bytes], size: int, how: Reading) -> Head:
    """A TIFF of so many bytes, which Pillow opens or must not."""
    from imgconv.pictures import tiff_heads

    pages = tiff_heads.pages(file, how)
    if pages.broken:
        file.seek(0)
        file = io.BytesIO(tiff_heads.repaired(file.read(), pages.broken))
    image = decode.identified(file, how, pages)
    if not image:
        return _deep(file, size, how, misread.UNKNOWN, pages)
    with image:
        _, chosen, fault = decode.look_over(image, size, how, pages)
        if fault:
            return _deep(file, size, how, fault, pages)
        frames, sizes = [], []
        for index in chosen:
            image.seek(index)
            frames.append(_pixel(image, how))
            sizes.append(_upright(image))
        return Head(Picture(tuple(frames), "TIFF"), tuple(sizes))


def _pixel(image: ImageFile.ImageFile, how: Reading) -> Pixels:
    """One pixel of the channels that an image will have."""
    return white(*MODES[decode.mode_of(image, decode.is_gray(image), how)])


def _upright(image: ImageFile.ImageFile) -> Size:
    """The size of an image that has been turned; Pillow gives it of a TIFF by its own tag."""
    told = getattr(image, "tag_v2", {}).get(ORIENTATION)
    return image.size[::-1] if told not in SWAPPED and of_image(image) in SWAPPED else image.size


def _deep(file: IO[bytes], size: int, how: Reading, fault: str, pages: Pages) -> Head:
    """A TIFF that Pillow must not decode."""
    from imgconv.pictures import tiff

    cuttable = misread.is_cuttable(fault)
    found = tiff.opened(file, size, how, fault, pages, cuttable=cuttable)
    each = [(white(*tiff.look_over(page, how)), tiff.size_of(page)) for page in found]
    frames, sizes = zip(*each, strict=True)
    return Head(Picture(frames, "TIFF"), sizes)
