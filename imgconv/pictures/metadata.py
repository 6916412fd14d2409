"""What a file says beside its pixels: read, fitted to the new picture, put where a format can."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from typing import Any

from PIL import Image

from imgconv.errors import heed_cause
from imgconv.light import NamedTuple
from imgconv.pictures import descriptions
from imgconv.pictures.descriptions import Written
from imgconv.pictures.formats import BY_NAME
from imgconv.pictures.pixels import coloured

# Tags of a TIFF directory that tell how pixels lie in that file, or that are kept by other names.
ORIENTATION, RESOLUTION, XMP, ICC = 274, (282, 283, 296), 700, 34675
DESCRIPTION = 270
EXIF, GPS, INTEROP, EXIF_SIZE = 34665, 34853, 40965, (40962, 40963)
IPTC = 33723, 34377  # and Photoshop's, which hold it
STRUCTURE = frozenset((
    254, 255, 256, 257, 258, 259, 262, 263, 266, 273, ORIENTATION, 277, 278, 279, 280, 281,
    *RESOLUTION, 284, 290, 291, 297, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325, 330, 332,
    334, 336, 338, 339, 340, 341, 342, 347, 512, 513, 514, 529, 530, 531, 532, XMP, *IPTC, ICC,
))  # fmt: skip
SPACES = {"l": b"GRAY", "rgb": b"RGB ", "cmyk": b"CMYK"}
XMP_KEY = "XML:com.adobe.xmp"
# A JPEG keeps EXIF in one segment, and a profile in at most 255.
JPEG_LIMITS = {"exif": 65_500, "xmp": 65_500, "comment": 65_500, "icc": 255 * 65_519}
UNKNOWN_SAMPLING = -1
# Spaces are taken from the first of them, for packets end with thousands to write over.
XMP_ORIENTATION = (
    rb"""(?:(?<!\s)\s+)?tiff:Orientation\s*=\s*("[^"]*"|'[^']*')"""
    rb"|<tiff:Orientation>[^<]*</tiff:Orientation>"
)
INCHES = {2: 1.0, 3: 2.54}  # of a TIFF's units of resolution; 1 is none
SWAPPED = range(5, 9)  # the orientations that change rows and columns
FINEST = {
    "JPEG": 0xFFFF,
    "PNG": 5e7,
    "BMP": 5e7,
    "WEBP": 1e9,
}  # dots an inch that a format has numbers for

Options = dict[str, Any]


class Grid(NamedTuple):
    """Where output samples lie on the picture: by axis how far apart, and where the first."""

    rows: tuple[int, int] = (1, 0)
    columns: tuple[int, int] = (1, 0)


class Metadata(NamedTuple):
    """What is kept of one picture; `exif` are the tags that describe it, upright, no thumbnail.

    `resolution` is of columns, of rows, and in which unit, as a TIFF says it. `text` are a PNG's
    by their keys, `chunks` its notes on colour; `jpeg` is how a JPEG was coded, `lossless` is of a
    WebP. `lost` names what has no place here.
    """

    exif: bytes = b""
    icc: bytes = b""
    xmp: bytes = b""
    resolution: tuple[float, float, int] | None = None
    comment: bytes = b""
    text: tuple[tuple[str, str], ...] = ()
    chunks: tuple[tuple[bytes, bytes], ...] = ()
    jpeg: tuple[tuple[str, Any], ...] = ()
    lossless: bool = False
    lost: tuple[str, ...] = ()

    @property
    def dpi(self) -> tuple[float, float] | None:
        """Dots an inch, across and down; None for a resolution without a unit too."""
        if not self.resolution or self.resolution[2] not in INCHES:
            return None
        x, y, unit = self.resolution
        return x * INCHES[unit], y * INCHES[unit]

    def on(self, grid: Grid) -> Metadata:
        """Return what is true of samples of the picture that are taken on a grid."""
        if grid == Grid():
            return self
        told = self._told(lambda text: descriptions.strided(text, grid.rows[0], grid.columns[0]))
        from imgconv.pictures import geotiff

        exif = load(told.exif)
        if any(tag in exif for tag in geotiff.PLACES):
            lost = geotiff.place(exif, *grid)
            told = told._replace(exif=exif.tobytes(), lost=(*told.lost, *lost))
        if self.resolution:
            x, y, unit = self.resolution
            told = told._replace(resolution=(x / grid.columns[0], y / grid.rows[0], unit))
        return told

    def _told(self, ome: Callable[[str], str], count: int = 0) -> Metadata:
        """Return the same with another OME-XML, or ImageJ's description of so many images."""
        if not self.exif:
            return self
        exif = load(self.exif)
        text = str(exif.get(DESCRIPTION, ""))
        if count and text.startswith(descriptions.IMAGEJ):
            exif[DESCRIPTION] = descriptions.counted(text, count)
        elif not descriptions.is_ome(text):
            return self
        else:
            try:
                exif[DESCRIPTION] = ome(text)
            except ValueError:  # what should be a number is none
                exif[DESCRIPTION] = ""
        if exif[DESCRIPTION]:
            return self._replace(exif=exif.tobytes())
        del exif[DESCRIPTION]
        return self._replace(exif=exif.tobytes(), lost=(*self.lost, descriptions.OME))

    def fitted(self, written: Written) -> Metadata:
        """Return what is true of the new picture too: no profile of other colours, its size."""
        space = SPACES.get(coloured(written.names))
        fitting = self.icc if self.icc[16:20] == space else b""
        gone = ("colour profile (of other colours)",) * (fitting != self.icc)
        told = self._told(lambda text: descriptions.sized(text, written), written.images)
        told = told._replace(icc=fitting, lost=(*told.lost, *gone))
        exif = load(told.exif)
        if exif and any(tag in exif.get_ifd(EXIF) for tag in EXIF_SIZE):
            exif.get_ifd(EXIF).update(zip(EXIF_SIZE, written.size, strict=True))
            return told._replace(exif=exif.tobytes())
        return told

    def options(self, name: str) -> tuple[Options, list[str]]:
        """Return what Pillow is told to write a format with, and the names of what it cannot."""
        fields = {
            "exif": "EXIF", "icc": "colour profile", "xmp": "XMP",
            "resolution": "resolution", "comment": "comment", "text": "text",
        }  # fmt: skip
        able = _OPTIONS.get(name)
        lost = [
            word
            for field, word in fields.items()
            if getattr(self, field) and field not in BY_NAME[name].metadata
        ]
        if name != "PNG" and any(chunk != b"sRGB" for chunk, _ in self.chunks) and not self.icc:
            lost.append("gamma")
        kept = self
        if self.resolution and name in FINEST and not (self.dpi and max(self.dpi) <= FINEST[name]):
            lost.append("resolution (too fine)" if self.dpi else "resolution (without a unit)")
            kept = kept._replace(resolution=None)
        if name == "JPEG":
            for field, most in JPEG_LIMITS.items():
                if len(getattr(self, field)) > most:
                    lost.append(f"{fields[field]} (too long)")
                    empty: dict[str, Any] = {field: b""}
                    kept = kept._replace(**empty)
        return able(kept) if able else {}, lost


def read(image: Image.Image, orientation: int = 1) -> Metadata:
    """Return what an upright image of Pillow's says, before it is turned into another.

    `orientation` is how it stood in its file.
    """
    info, lost = image.info, []
    text = dict(getattr(image, "text", {}))
    comment = info.get("comment") or text.pop("Comment", "")
    exif, resolution, iptc = b"", None, False
    try:
        tags = image.getexif()
        iptc = any(tag in tags for tag in IPTC)
        resolution = _resolution(image, tags)
        if resolution and orientation in SWAPPED:
            resolution = resolution[1], resolution[0], resolution[2]
        if orientation != 1:
            from imgconv.pictures import geotiff

            if geotiff.drop(tags, *geotiff.PLACES):
                lost.append("place on earth (the picture is turned)")
        exif = _described(tags)
    except Exception as error:  # a dozen kinds, on broken tags
        heed_cause(error)
        lost.append("EXIF (broken)")
    if info.get("icc_profile", b"") is None:  # parts of a JPEG's are missing
        lost.append("colour profile (broken)")
    if iptc or any(key in info for key in ("photoshop", 33723)):
        lost.append("IPTC")
    for key in (XMP_KEY, "Raw profile type exif", "Raw profile type xmp"):
        text.pop(key, None)
    return Metadata(
        exif,
        _profile(image),
        _undirected(xmp_of(image)),
        resolution,
        comment.encode() if isinstance(comment, str) else comment,
        tuple((key, str(value)) for key, value in text.items()),
        _colour_chunks(image),
        _coding(image),
        bool(info.get("lossless")),
        tuple(lost),
    )


def xmp_of(image: Image.Image) -> bytes:
    """Return the XMP of a picture of Pillow's."""
    xmp = image.info.get("xmp") or getattr(image, "text", {}).get(XMP_KEY, "")
    return xmp.encode() if isinstance(xmp, str) else xmp


def orientation_of_xmp(xmp: bytes) -> int:
    """Return how XMP says that a picture is to be turned, which counts where EXIF does not."""
    found = re.search(XMP_ORIENTATION, xmp) if b"tiff:Orientation" in xmp else None
    number = re.search(rb"[1-8]", found[0]) if found else None
    return int(number[0]) if number else 1


def _undirected(xmp: bytes) -> bytes:
    """XMP that does not say how the picture is to be turned."""
    return re.sub(XMP_ORIENTATION, b"", xmp) if b"tiff:Orientation" in xmp else xmp


def _profile(image: Image.Image) -> bytes:
    """The colour profile; where a page of a TIFF has none, Pillow has kept another page's."""
    if hasattr(image, "tag_v2") and not _has_tag(image, ICC):
        return b""
    return image.info.get("icc_profile") or b""


def _has_tag(image: Image.Image, *wanted: int) -> bool:
    return any(tag in getattr(image, "tag_v2", ()) for tag in wanted)


def _described(tags: Image.Exif) -> bytes:
    """EXIF without what is about pixels; Pillow leaves the thumbnail out."""
    if not tags:
        return b""
    for tag in STRUCTURE.intersection(tags):
        del tags[tag]
    if str(tags.get(DESCRIPTION, "")).startswith('{"shape": '):  # tifffile's, of that file
        del tags[DESCRIPTION]
    if descriptions.is_ome(said := str(tags.get(DESCRIPTION, ""))):
        tags[DESCRIPTION] = descriptions.in_ascii(said)
    if tags.bigtiff:  # whose header nothing but a TIFF has
        whole, tags = tags, Image.Exif()
        for tag in whole:
            tags[tag] = nested(whole, tag) if tag in (EXIF, GPS) else whole[tag]
    return tags.tobytes() if len(tags) else b""


def _resolution(image: Image.Image, tags: Image.Exif) -> tuple[float, float, int] | None:
    """The resolution, if the file means any: every BMP and each TIFF of tifffile's has some."""
    x, y, unit = (tags.get(tag) for tag in RESOLUTION)
    x, y = (float(v) if v and 0 < float(v) < math.inf else None for v in (x, y))
    dpi = image.info.get("dpi") if image.format != "BMP" else None
    if image.format == "TIFF" or (x and y and not dpi):
        unit = int(unit or 2)
        return (x, y, unit) if x and y and (unit in INCHES or (x, y) != (1, 1)) else None
    meant = dpi and all(0 < float(d) < math.inf for d in dpi)
    return (float(dpi[0]), float(dpi[1]), 2) if dpi and meant else None


def _colour_chunks(image: Image.Image) -> tuple[tuple[bytes, bytes], ...]:
    """The chunks of a PNG that say what its numbers mean, as they stood."""
    if image.format != "PNG":
        return ()
    info, found = image.info, []
    if "chromaticity" in info:
        found.append((b"cHRM", struct.pack(">8I", *(round(c * 1e5) for c in info["chromaticity"]))))
    if "gamma" in info:
        found.append((b"gAMA", struct.pack(">I", round(info["gamma"] * 1e5))))
    if "srgb" in info:
        found.append((b"sRGB", bytes([info["srgb"]])))
    return tuple(found)


def _coding(image: Image.Image) -> tuple[tuple[str, Any], ...]:
    """The tables and the sampling of a JPEG, so that it is written as it was."""
    if image.format not in ("JPEG", "MPO"):
        return ()
    from PIL import JpegImagePlugin

    tables = getattr(image, "quantization", None)
    sampling = JpegImagePlugin.get_sampling(image)
    found: list[tuple[str, Any]] = [("qtables", tables)] if tables else []
    if image.mode != "L":  # 4:4:4 loses nothing where Pillow has no word for what it was
        found.append(("subsampling", sampling if sampling != UNKNOWN_SAMPLING else 0))
    return tuple(found)


def load(data: bytes) -> Image.Exif:
    """Return the tags of EXIF data."""
    exif = Image.Exif()
    if data:
        exif.load(data)
    return exif


def _with_resolution(meta: Metadata) -> bytes:
    """EXIF with the resolution, for formats that have no other place or repeat it there."""
    if not meta.dpi:
        return meta.exif
    exif = load(meta.exif)
    for tag, value in zip(RESOLUTION, (*meta.dpi, 2), strict=True):
        exif[tag] = value
    return exif.tobytes()


def nested(exif: Image.Exif, tag: int) -> dict[int, Any]:
    """Return a directory within another, with the one that is in it."""
    found = dict(exif.get_ifd(tag))
    if INTEROP in found:
        found[INTEROP] = exif.get_ifd(INTEROP)
    return found


def _jpeg(meta: Metadata) -> Options:
    named: Options = {"exif": _with_resolution(meta)} if meta.exif else {}
    if meta.icc:
        named["icc_profile"] = meta.icc
    if meta.xmp:
        named["xmp"] = meta.xmp
    if meta.dpi:
        named["dpi"] = tuple(map(round, meta.dpi))
    if meta.comment:
        named["comment"] = meta.comment
    return named


def _png(meta: Metadata) -> Options:
    from PIL.PngImagePlugin import PngInfo

    notes = PngInfo()
    for chunk, data in meta.chunks:
        notes.add(chunk, data)
    text = dict(meta.text)
    if meta.comment:
        text["Comment"] = meta.comment.decode("utf-8", "replace")
    for key, value in text.items():
        try:
            value.encode("latin-1")
            notes.add_text(key, value)
        except UnicodeEncodeError:
            notes.add_itxt(key, value)
    if meta.xmp:
        notes.add_itxt(XMP_KEY, meta.xmp.decode("utf-8", "replace"))
    named: Options = {"pnginfo": notes} if notes.chunks else {}
    if meta.exif:
        named["exif"] = meta.exif
    if meta.icc:
        named["icc_profile"] = meta.icc
    if meta.dpi:
        named["dpi"] = meta.dpi
    return named


def _webp(meta: Metadata) -> Options:
    return {"exif": _with_resolution(meta), "icc_profile": meta.icc, "xmp": meta.xmp}


def _gif(meta: Metadata) -> Options:
    return {"comment": meta.comment} if meta.comment else {}


def _bmp(meta: Metadata) -> Options:
    return {"dpi": meta.dpi} if meta.dpi else {}


_OPTIONS = {"JPEG": _jpeg, "PNG": _png, "WEBP": _webp, "GIF": _gif, "BMP": _bmp}
