"""Pages of TIFF files of any depth, which Pillow would cut: read and written by tifffile."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any

from PIL import Image

from imgconv.compiled.memory import refuse_beyond
from imgconv.engine.levels import MAXIMUM
from imgconv.errors import ImageError
from imgconv.pictures import faults, metadata, tiff_heads, ycbcr
from imgconv.pictures.extras import library
from imgconv.pictures.lazy import each
from imgconv.pictures.metadata import ORIENTATION, Metadata
from imgconv.pictures.orientation import known, upright
from imgconv.pictures.picture import (
    PART_TAGS,
    PLANES_OF_METAMORPH,
    Picture,
    Reading,
    Tally,
    cut,
    refuse_part,
    refuse_samples,
)
from imgconv.pictures.pixels import NAMELESS, Pixels, coloured, of_array

if TYPE_CHECKING:
    import numpy.typing as npt

    from imgconv.pictures.tiff_heads import Pages

COMPRESS = {"fast": "lzw", "small": "zlib", "none": None}
PHOTOMETRIC = {"l": "minisblack", "rgb": "rgb", "cmyk": "separated"}
COLOURS = {0: "l", 1: "l", 2: "rgb", 3: "rgb", 5: "cmyk", 6: "rgb"}  # by the number of the same
WHITE_IS_0, PALETTE = 0, 3
GUESSED = {1: 1, 3: 2}  # what so many channels are where nothing says it, as to libtiff
FAX, OLD_JPEG = (2, 3, 4), 6  # what packs samples
UNSPECIFIED, MULTIPLIED, ALPHA = 0, 1, 2  # what a channel beside the colours is said to be


def read(data: bytes, how: Reading, fault: str, found: Pages, *, cuttable: bool) -> Picture:
    """Decode the pages that were found in a TIFF of any depth; `fault` is why Pillow must not.

    `cuttable` says that Pillow could, if the samples were to be cut to 8 bits.
    """
    pages = opened(io.BytesIO(data), len(data), how, fault, found, cuttable=cuttable)

    def frame(place: int) -> Pixels:
        with faults.told():
            return _page(pages[place], how)

    def told(place: int) -> Metadata:
        return metadata_of(io.BytesIO(data), pages[place])

    places = range(len(pages))
    lost = tuple(changed(pages, how))
    return Picture(each(places, frame), "TIFF", each(places, told), lost=lost)


def opened(
    data: IO[bytes], size: int, how: Reading, fault: str, found: Pages, *, cuttable: bool
) -> Sequence[Any]:
    """Return the pages of a TIFF of so many bytes that are asked for, by their heads; see `read`.

    They are read when they are asked for.
    """
    tifffile = library("tifffile", fault, cuttable=cuttable and not how.shallow)
    data.seek(0)
    pages = chosen(tifffile.TiffFile(data), found, size)
    tally = Tally(how)
    for page in pages:
        tally.add((page.imagewidth, page.imagelength))
        samples = page.imagewidth * page.imagelength * page.samplesperpixel
        refuse_beyond(samples * page.bitspersample / 8)
    return pages


def chosen(file: Any, found: Pages, size: int) -> Sequence[Any]:
    """Return those pages of tifffile's that are asked for, of a file of so many bytes.

    Raises
    ------
    ImageError
        If the first is only a part of the picture, see `refuse_part`.
    """
    _refuse_part_of(file.pages[0], found.total, size)
    return each(found.chosen, lambda i: file.pages[i].aspage())


def look_over(page: Any, how: Reading) -> tuple[str, str]:
    """Return the channels of a page and the kind in which its samples are filtered, by its head.

    Raises
    ------
    ImageError
        If it is of a kind that is not read.
    """
    return channels_of(page), "uint8" if how.shallow else kind_of(page)


def size_of(page: Any) -> tuple[int, int]:
    """Return the width and the height of a page that has been turned."""
    size = page.imagewidth, page.imagelength
    return size[::-1] if orientation_of(page) in metadata.SWAPPED else size


def _page(page: Any, how: Reading) -> Pixels:
    """The pixels of a page."""
    import numpy as np

    names, _ = look_over(page, how)
    array = ycbcr.whole(page) if ycbcr.is_shared(page) else page.asarray()
    if array.ndim == 3 and page.planarconfig == 2:
        array = np.moveaxis(array, 0, 2)
    array = array.reshape(page.imagelength, page.imagewidth, page.samplesperpixel)
    return of_array(upright(samples_of(page, array, how), orientation_of(page)), names)


def channels_of(page: Any) -> str:
    """Return a letter for each channel of a page of a TIFF.

    Raises
    ------
    ImageError
        If its samples or their meaning are of a kind that is not read.
    """
    import numpy as np

    kind, bits, colours = np.dtype(page.dtype), page.bitspersample, colours_of(page)
    if page.imagedepth > 1:
        raise ImageError(f"has {page.imagedepth} planes of depth; save them as pages")
    refuse_samples(bits, [int(page.sampleformat)], colours)
    if kind.kind not in "buf":
        raise ImageError(f"has samples of type {kind.name}; convert them to 16 bits")
    if kind.kind == "u" and bits > 8 * kind.itemsize:
        raise ImageError(f"has samples of {bits} bits; convert them to 16")
    if colours not in COLOURS or _beside(page) < 0 or (colours == PALETTE and bits > 8):
        count = page.samplesperpixel
        raise ImageError(f"has {count} channels of a layout that is not read; make it gray or RGB")
    if colours == PALETTE and page.colormap is None:
        raise ImageError("broken image: it has no palette; get a sound copy")
    ycbcr.refuse_other(page)
    _refuse_coder(int(page.compression))
    colour, said = COLOURS[colours], _said(page)
    if not any(said):
        return colour + NAMELESS * len(said)
    if len(said) > 1 or colour == "cmyk":
        beside = "inks" if colour == "cmyk" else "other channels"
        raise ImageError(f"has alpha and {beside}, which is not read; save it without its alpha")
    return f"{colour}a"


def colours_of(page: Any) -> int:
    """Return what the colours of a page are, by their number in a TIFF; -1 if nothing tells it."""
    said = int(page.photometric)
    if said or tiff_heads.COLOURS in page.tags:  # tifffile has 0 where nothing is said
        return said
    return GUESSED.get(page.samplesperpixel - len(page.extrasamples), -1)


def _refuse_coder(number: int) -> None:
    """Raise an error for what samples are packed as, if nothing here unpacks it rightly."""
    if number in FAX:  # of which tifffile takes damaged codes for others, and libtiff tells
        raise ImageError(
            "is coded as a fax, which is read whole and by itself; leave out --tile, "
            "or take its page by --frame"
        )
    if number == OLD_JPEG:
        raise ImageError("is packed as old JPEG, which is decoded as a whole; leave out --tile")
    tifffile = library("tifffile", "is a TIFF", cuttable=False)
    try:
        tifffile.TIFF.DECOMPRESSORS[number]
    except KeyError:
        known = {each.value: each.name for each in tifffile.COMPRESSION}
        name = known.get(number, f"compression {number}")
        raise ImageError(f"is packed as {name}, which is not read; save it anew") from None


def _beside(page: Any) -> int:
    """How many channels there are beside the colours, which in a palette are one."""
    colours = colours_of(page)
    return int(page.samplesperpixel) - (1 if colours == PALETTE else len(COLOURS[colours]))


def _said(page: Any) -> tuple[int, ...]:
    """What each channel beside the colours is said to be.

    A single one of whole numbers that nothing is said of is alpha in practice.
    """
    extra = _beside(page)
    said = tuple(int(e) for e in page.extrasamples)[:extra]
    alone = extra == 1 and page.dtype.kind == "u"
    return said or (ALPHA if alone else UNSPECIFIED,) * extra


def changed(pages: Sequence[Any], how: Reading) -> list[str]:
    """Return what of the samples of pages is not kept as it is, before any is decoded.

    Raises
    ------
    ImageError
        If one is of a kind that is not read.
    """
    multiplied = doubles = False
    for page in pages:
        look_over(page, how)
        multiplied |= MULTIPLIED in _said(page)
        doubles |= page.dtype == "float64"
    lost = ["64-bit reals (read as 32-bit)"] * (doubles and not how.shallow)
    return lost + ["the multiplication of colours by alpha"] * multiplied


def _refuse_part_of(first: Any, count: int, size: int) -> None:
    """Raise an error for so many pages of which the first is a part, as `refuse_part`."""
    tags = first.aspage().tags
    found = {code: tags[code].value for code in PART_TAGS if code in tags}
    if planes := tags.get(PLANES_OF_METAMORPH):
        found[PLANES_OF_METAMORPH] = (0,) * planes.count
    refuse_part(found, count, size)


def kind_of(page: Any) -> str:
    """Return the type that the samples of a page are read as."""
    import numpy as np

    kind = np.dtype(page.dtype)
    return {"f": "float32", "b": "uint8"}.get(kind.kind) or str(kind.name)


def samples_of(page: Any, array: npt.NDArray[Any], how: Reading) -> npt.NDArray[Any]:
    """Return samples of a page as we filter them: black is 0, white all bits, reals of 32 bits."""
    import numpy as np

    colours, bits, kind = colours_of(page), page.bitspersample, kind_of(page)
    array = array.astype(kind, copy=False)
    if colours == PALETTE:
        eight = page.colormap.max() < 256  # bits, as some write them
        colourmap = (page.colormap if eight else page.colormap >> 8).T[: 1 << bits]
        table = np.zeros((1 << bits, 3), kind)  # black where it has no colour
        table[: len(colourmap)] = colourmap
        array = np.dstack([table[array[:, :, 0]], array[:, :, 1:]])
    elif kind != "float32" and bits not in (8, 16):
        top, white = (1 << bits) - 1, MAXIMUM[kind]
        array = ((np.arange(top + 1) * white + top // 2) // top).astype(kind)[array]
    if colours == WHITE_IS_0:
        full = np.array(MAXIMUM[kind], kind)
        array = np.dstack([full - array[:, :, :1], array[:, :, 1:]])
    if ycbcr.is_plain(page):
        array = ycbcr.to_rgb(page, array)
    if MULTIPLIED in _said(page):
        array = _divided(array)
    return cut(array) if how.shallow else array


def _divided(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return samples whose colours are no longer multiplied by alpha; black where it is 0."""
    import numpy as np

    colours, alpha = array[:, :, :-1], array[:, :, -1:]
    if array.dtype.kind == "f":
        found = np.zeros_like(colours)
        np.divide(colours, alpha, out=found, where=alpha != 0)
    else:
        top, twice = int(np.iinfo(array.dtype).max), np.maximum(2 * alpha.astype(np.uint64), 1)
        found = np.minimum((colours.astype(np.uint64) * (2 * top) + alpha) // twice, top)
        found = np.where(alpha, found, 0)
    return np.dstack([found.astype(array.dtype), alpha])


def orientation_of(page: Any) -> int:
    """Return how a page is to be turned, as EXIF says it."""
    if tag := page.tags.get(ORIENTATION):
        return known(tag.value)
    xmp = page.tags.get(metadata.XMP)
    return metadata.orientation_of_xmp(bytes(xmp.value)) if xmp else 1


def metadata_of(file: IO[bytes], page: Any) -> Metadata:
    """Return the metadata of a page, through a picture of Pillow's that has no pixels."""
    if page.parent.is_bigtiff and page.parent.byteorder == ">":
        return Metadata(lost=("the tags of a big-endian BigTIFF",))  # Pillow reads none
    image = Image.new("L", (1, 1))
    image.format = "TIFF"
    exif = image.getexif()
    exif.endian, exif.bigtiff = page.parent.byteorder, page.parent.is_bigtiff
    with warnings.catch_warnings():  # what Pillow says of broken tags is no line of ours
        warnings.simplefilter("ignore")
        exif.load_from_fp(file, page.offset)
    for key, tag in (("xmp", metadata.XMP), ("icc_profile", metadata.ICC)):
        if tag in exif:
            image.info[key] = exif[tag]
    return metadata.read(image, orientation_of(page))


def how_to_write(names: str, compress: str) -> dict[str, Any]:
    """Return the options by which tifffile writes a page of such channels."""
    colours = coloured(names)
    alpha, others = names.endswith("a"), names.count(NAMELESS) - (not colours)
    return {
        "photometric": PHOTOMETRIC.get(colours, "minisblack"),
        "planarconfig": "contig" if len(names) > 1 else None,
        "extrasamples": ["unspecified"] * others + ["unassalpha"] * alpha or None,
        "compression": COMPRESS[compress],
        "predictor": COMPRESS[compress] is not None,
        "metadata": None,
        "software": False,
    }


def write(frame: Pixels, compress: str) -> bytes:
    """Return the bytes of a TIFF of one page, without metadata."""
    tifffile = library("tifffile", "has 16 bits a channel")
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as file:
        array = frame.array() if len(frame.names) > 1 else frame.array()[:, :, 0]
        file.write(array, **how_to_write(frame.names, compress), maxworkers=1)
    return out.getvalue()
