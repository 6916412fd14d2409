"""Image files to pictures: every frame upright, in channels we filter, nothing cut in silence."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, TYPE_CHECKING

from PIL import Image, ImageFile, UnidentifiedImageError

from imgconv.errors import ImageError, heed_cause
from imgconv.pictures import faults, jpeg, libtiff, limits, metadata, misread, pillow
from imgconv.pictures.formats import TIFF_MAGIC, of_head, pillows
from imgconv.pictures.lazy import Lazy, each
from imgconv.pictures.metadata import Metadata
from imgconv.pictures.orientation import of_image, turn
from imgconv.pictures.picture import (
    AS_IT_IS,
    LARGE,
    Picture,
    Reading,
    Tally,
    choose,
    cut,
    refuse_part,
    refuse_unlisted,
)
from imgconv.pictures.pixels import MODES, ImagePixels, Pixels, common

if TYPE_CHECKING:
    from imgconv.pictures.tiff_heads import Pages

MAX_TEXT = 1 << 26
BROKEN = b"Exif\0\0broken"  # EXIF that nobody reads, which is then told
TABLES = b"\x93\xef \t\r\n+-.0123456789nNiI"  # what an array in a file may begin with
# What Pillow logs of a broken file is told by our own error.
logging.getLogger("PIL").addHandler(logging.NullHandler())


def read(data: bytes, how: Reading = AS_IT_IS) -> Picture:
    """Decode an image file's bytes.

    Raises
    ------
    ImageError
        If they are no image, a broken one, or one that would lose something by being read.
    """
    Image.MAX_IMAGE_PIXELS = None  # the limit is ours, see below
    pillow.in_one_block()
    if not data:
        raise ImageError(faults.EMPTY)
    if data[:1] in TABLES:
        from imgconv.pictures import npy_csv

        if npy_csv.is_table(data):
            return npy_csv.read(data, how)
    with faults.told(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Pillow says of broken tags is no line of ours
        return _decoded(data, how)


def _decoded(data: bytes, how: Reading) -> Picture:
    if how.formats and (name := of_head(data)):
        refuse_unlisted(name, how)
    if data[:4] == b"\x89PNG":
        return _png(data, how)
    if data[:2] == b"BM":
        return _bmp(data, how)
    if data[:4] in TIFF_MAGIC:
        return _tiff(data, how)
    if data[:3] == b"GIF":
        return _gif(data, how)
    if data[:2] in (b"P1", b"P2", b"P3"):
        data = pillow.without_comments(data)
    return _opened(data, how)


def _tiff(data: bytes, how: Reading) -> Picture:
    """A TIFF without its broken notes, behind which Pillow would see no others."""
    from imgconv.pictures import tiff_heads

    pages = tiff_heads.pages(io.BytesIO(data), how)
    picture = _opened(tiff_heads.repaired(data, pages.broken), how, pages)
    return picture._replace(lost=(*picture.lost, *pages.lost))


def _bmp(data: bytes, how: Reading) -> Picture:
    """A BMP, whose masks Pillow does not all read."""
    from imgconv.pictures import bmp

    if found := bmp.header(data):
        return bmp.read(data, found, how)
    bmp.refuse_other(data)
    picture = _opened(data, how)
    if picture.frames[0].names == "rgb" and bmp.has_fourth(data):
        picture = picture._replace(
            lost=(*picture.lost, "a fourth channel that is said to be unused")
        )
    return picture


def _gif(data: bytes, how: Reading) -> Picture:
    """A GIF, for which Pillow makes room before it can be asked how much."""
    from imgconv.pictures import gif

    gif.refuse_too_large(data, how)
    picture = _opened(data, how)
    return picture._replace(lost=(*picture.lost, *[gif.CUT_OFF] * gif.is_cut_off(data)))


def _png(data: bytes, how: Reading) -> Picture:
    """A PNG without its broken notes, which no decoder gets to see."""
    from PIL import PngImagePlugin

    from imgconv.pictures import chunks

    # Long text is no reason to refuse a picture.
    PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = MAX_TEXT
    data, broken = chunks.sound(data)
    picture = _opened(data, how)
    return picture._replace(lost=(*picture.lost, *broken))


def _opened(data: bytes, how: Reading, pages: Pages | None = None) -> Picture:
    """What Pillow opens, or another reader where Pillow must not; `pages` are those of a TIFF."""
    image = identified(io.BytesIO(data), how, pages)
    if not image:
        return _deep(data, how, misread.UNKNOWN, pages)
    if image.format == "WEBP":  # which Pillow does not tell
        from imgconv.pictures import webp

        image.info["lossless"] = webp.is_lossless(data)
    if image.format in ("JPEG", "MPO"):
        frame, single = jpeg.coded(data)
        if not single:
            limits.refuse_scans(data)
        if frame in jpeg.ARITHMETIC:  # for more of which libjpeg cannot wait
            image.decodermaxblock = len(data) + jpeg.BLOCK
    count, chosen, fault = look_over(image, len(data), how, pages)
    if fault:
        return _deep(data, how, fault, pages)
    if is_animated(image, count):
        return _animated(data, chosen, how)
    if count == 1:
        large = how.later and image.width * image.height >= LARGE
        if large and (picture := _arriving(image, data, how)):
            return picture
        with image, _heard():
            return _single(image, how)
    return _several(image, chosen, how)


@contextlib.contextmanager
def _heard() -> Iterator[None]:
    """Decode, unless libtiff tells of what is damaged, behind which it has gone on."""
    with libtiff.listening() as heard:
        yield
    if heard:
        raise faults.broken()


def identified(
    file: IO[bytes], how: Reading, pages: Pages | None = None
) -> ImageFile.ImageFile | None:
    """Return a file as Pillow opens it; nothing for a TIFF that Pillow does not read."""
    file.seek(0)
    start = file.read(faults.START)
    try:
        image = pillow.opened(file, of_head(start), pillows(how.formats))
    except UnidentifiedImageError:
        if pages:
            return None
        raise faults.of_unknown(start, how.formats) from None
    if image.format == "WEBP" and "exif" in image.info:  # as long as the file; PNG's is looked over
        from imgconv.pictures import tiff_heads

        if tiff_heads.is_repeated(image.info["exif"]):
            image.info["exif"] = BROKEN
    return image


def look_over(
    image: ImageFile.ImageFile, size: int, how: Reading, pages: Pages | None = None
) -> tuple[int, list[int], str]:
    """Look at the heads of a file of so many bytes: how many frames it has, which are wanted.

    The third is why Pillow must not decode them, if so.
    """
    chosen, count = pages[:2] if pages else _frames(image, how)
    if image.format == "TIFF":
        libtiff.hush()
        pillow.expect_pages(image)
        refuse_part(image.tag_v2, count, size)  # type: ignore[attr-defined]
    fault = _looked_over(image, chosen, how)
    limits.refuse_hollow(image, size, how)
    if is_animated(image, count) and fault:
        if not how.shallow:
            raise ImageError("has frames of 16 bits, which are not read; --depth 8 cuts them")
        fault = ""  # each part is read by itself
    if fault and image.format not in ("PNG", "TIFF"):
        raise ImageError("has 16 bits a channel, which are not read; --depth 8 cuts them")
    if image.format in ("JPEG", "MPO") and not image.tile:  # with room for them none is missed
        raise ImageError("broken image: it ends before its pixels; get the whole file")
    return count, chosen, fault


def _frames(image: ImageFile.ImageFile, how: Reading) -> tuple[list[int], int]:
    """The numbers of the frames that are asked for, and how many there are."""
    count = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    return [choose(count, how)] if how.frame is not None else list(range(count)), count


def is_animated(image: ImageFile.ImageFile, count: int) -> bool:
    """Return whether an image of so many frames is an animated PNG."""
    return image.format == "PNG" and count > 1


def _animated(data: bytes, chosen: list[int], how: Reading) -> Picture:
    """The frames of a PNG, each part of which is read by itself."""
    from imgconv.pictures import apng

    return apng.read(data, chosen, lambda part: _opened(part, how._replace(frame=None)))


def _deep(data: bytes, how: Reading, fault: str, pages: Pages | None) -> Picture:
    """A PNG of 16 bits, or a TIFF that the extra decodes; `fault` is why Pillow must not."""
    if not pages:
        from imgconv.pictures import png

        return png.read(data, how)
    from imgconv.pictures import tiff

    return tiff.read(data, how, fault, pages, cuttable=misread.is_cuttable(fault))


def _looked_over(image: ImageFile.ImageFile, chosen: list[int], how: Reading) -> str:
    """Look at the headers of all frames; return why Pillow must not decode them, if so."""
    tally = Tally(how)
    if image.format != "TIFF":  # its frames are all alike
        tally.add(image.size, len(chosen))
        return misread.fault(image, how)
    found = []
    for index in chosen:
        try:
            image.seek(index)
        except Exception as error:  # several kinds
            heed_cause(error)
            return misread.UNKNOWN
        tally.add(image.size)
        found.append(misread.fault(image, how))
    image.seek(chosen[0])
    return next(filter(None, found), "")


def _arriving(image: ImageFile.ImageFile, data: bytes, how: Reading) -> Picture | None:
    """A picture that can be decoded while others work on it, before it is; see `whole`."""
    from imgconv.pictures import arriving, chunks

    if not arriving.comes_in_rows(image) or mode_of(image, is_gray(image), how) != image.mode:
        return None
    said: Image.Image = image
    if image.format == "PNG":  # some of which may stand behind its pixels
        said = Image.open(io.BytesIO(chunks.of_one_pixel(data)), formats=["PNG"])
        said.load()
    if of_image(said) != 1:
        return None
    pillow.prepare(image)
    return Picture((ImagePixels(image),), format_of(image), (metadata.read(said),))


def whole(picture: Picture) -> Picture:
    """Return a picture with all its pixels, which may be decoded only now.

    Raises
    ------
    ImageError
        If it is broken.
    """
    frame = picture.frames[0]
    if isinstance(frame, ImagePixels):
        with faults.told():
            frame.image.load()
    return picture


def _single(image: ImageFile.ImageFile, how: Reading) -> Picture:
    gray = is_gray(image)
    pillow.scale_transparency(image)
    if image.format in ("JPEG", "MPO"):  # other plugins prepare in ways of their own
        pillow.prepare(image)
    kept = metadata.read(image, turn(image))
    lost = ("further pictures",) if image.format == "MPO" else ()
    return Picture((_plain(image, gray, how),), format_of(image), (kept,), lost=lost)


def _several(image: ImageFile.ImageFile, chosen: Sequence[int], how: Reading) -> Picture:
    """Frames as they are seen: Pillow has laid those that are only changes upon the others."""
    pages = image.format == "TIFF"
    mode, durations = ("", ()) if pages else _looked_through(image, chosen, how)

    def at(place: int) -> tuple[Pixels, Metadata]:
        with faults.told(), _heard():
            image.seek(chosen[place])
            gray = is_gray(image)
            if pages:
                stood = turn(image)  # as it is loaded
            else:
                image.load()
                stood = of_image(image)
            wanted = pages or not place  # an animation has those of its first frame
            kept = metadata.read(image, stood) if wanted else Metadata()
            frame = image.copy()
            if not pages:
                turn(frame)
            return _plain(frame, gray, how, mode), kept

    both = Lazy(len(chosen), at)
    several = len(chosen) > 1
    return Picture(
        each(both, lambda found: found[0]),
        format_of(image),
        each(both if pages else both[:1], lambda found: found[1]),
        durations if several else (),
        image.info.get("loop") if several else None,
    )


def _looked_through(
    image: ImageFile.ImageFile, chosen: Iterable[int], how: Reading
) -> tuple[str, tuple[float, ...]]:
    """The mode that has the channels of all frames of an animation, and how long each is shown."""
    names, durations = set(), []
    for index in chosen:
        image.seek(index)
        frame = image.copy()  # which has a palette wherever its mode says so
        names.add(MODES[mode_of(frame, is_gray(image), how)][0])
        durations.append(float(image.info.get("duration") or 0))
    return common(names), tuple(durations)


def format_of(image: Image.Image) -> str:
    """Return what we call the format of an image of Pillow's."""
    names = {"MPO": "JPEG", "PPM": "PFM" if image.mode == "F" else "PNM"}
    return names.get(image.format or "", image.format or "")


def is_gray(image: ImageFile.ImageFile) -> bool:
    """Whether Pillow will give colours for a gray file: a PNG of 16 bits with alpha."""
    return "LA;16" in (str(image.tile[0].args) if image.tile else "")


def _plain(image: Image.Image, gray: bool, how: Reading, mode: str = "") -> Pixels:
    """The pixels in channels that we filter: palettes expanded, transparency as alpha.

    `mode` is that of all frames, where they are to be alike.
    """
    image.load()
    target = mode or mode_of(image, gray, how)
    if image.mode in ("I;16B", "I"):
        image = image.convert("I").convert("I;16")  # straight to I;16 would clip at 255
    if how.shallow and image.mode in ("I;16", "F"):
        image = _cut(image)
    # convert() to the same mode copies
    return ImagePixels(image if target == image.mode else image.convert(target))


def mode_of(image: Image.Image, gray: bool, how: Reading) -> str:
    """Return the mode in which the pixels of an image are kept, by its head alone."""
    mode = "I;16" if image.mode in ("I;16B", "I") else image.mode
    if how.shallow and mode in ("I;16", "F"):
        mode = "L"
    if gray:
        return "LA"
    if image.has_transparency_data and mode not in ("LA", "RGBA"):
        return "LA" if mode in ("1", "L") else "RGBA"
    target = {"1": "L", "P": "RGB", "PA": "RGBA", "RGBX": "RGB"}.get(mode, mode)
    if target not in MODES:
        raise ImageError(f"has samples of mode {mode}; convert it to gray or RGB first")
    return target


def _cut(image: Image.Image) -> Image.Image:
    import numpy as np

    array = np.asarray(image)
    shallow = Image.fromarray(cut(array))
    value = image.info.get("transparency")
    if value is None:
        return shallow
    alpha = Image.fromarray(np.where(array == value, 0, 255).astype(np.uint8))
    return Image.merge("LA", (shallow, alpha))
