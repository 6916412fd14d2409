"""The formats of pictures, in one table: names, what each keeps, who reads and writes it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from imgconv.errors import ImageError, OptionError, shortened
from imgconv.light import NamedTuple

if TYPE_CHECKING:
    from typing import Protocol

    class Named(Protocol):
        """A path, or a URL."""

        @property
        def suffix(self) -> str:
            """The name's ending, with its dot."""


PILLOW, NUMPY, ZARR, ZLIB = "Pillow", "NumPy", "zarr", "zlib"  # who reads and writes a format

Channels = tuple[str, ...]


class Format(NamedTuple):
    """A format of files: the first of its endings is the usual one, `others` are only read.

    `keeps` are the channels by the kind of their samples, `metadata` the fields of `Metadata` that
    have a place. `pillow` is what Pillow calls it, where that is another name; `deep` the package
    that reads and writes what Pillow would cut, in the extra of that name. `head` is how its files
    begin; those of a table of numbers have no such sign.
    """

    name: str
    endings: tuple[str, ...]
    keeps: Mapping[str, Channels]
    metadata: tuple[str, ...] = ()
    several: str = ""  # what several pictures in a file are: frames or pages
    pillow: str = ""
    reader: str = PILLOW
    writer: str = PILLOW
    deep: str = ""
    others: tuple[str, ...] = ()
    head: bytes = b""  # a regular expression


_GRAY: Channels = ("l",)
_COLOUR: Channels = ("l", "rgb")
_ALPHA: Channels = ("l", "la", "rgb", "rgba")
_ALL = ("exif", "icc", "xmp", "resolution")
_NUMBERS: dict[str, Channels] = {}  # channels without names, of any number

# fmt: off
FORMATS = (
    Format("BMP", (".bmp",), {"uint8": _COLOUR}, ("resolution",), head=rb"BM"),
    Format("CSV", (".csv",), _NUMBERS, reader=NUMPY, writer=NUMPY),
    Format("GIF", (".gif",), {"uint8": _ALPHA}, ("comment",), several="frames", head=rb"GIF8"),
    Format("JPEG", (".jpg", ".jpeg", ".jfif", ".jpe"), {"uint8": (*_COLOUR, "cmyk")},
           (*_ALL, "comment"), others=(".mpo",), head=rb"\xff\xd8\xff"),
    Format("NPY", (".npy",), _NUMBERS, reader=NUMPY, writer=NUMPY, head=rb"\x93NUMPY"),
    Format("PFM", (".pfm",), {"float32": _GRAY}, pillow="PPM", head=rb"P[fF]"),
    Format("PGM", (".pgm",), {"uint8": _GRAY, "uint16": _GRAY}, pillow="PPM", head=rb"P[25]"),
    Format("PNG", (".png", ".apng"), {"uint8": _ALPHA, "uint16": _ALPHA},
           (*_ALL, "comment", "text"), several="frames", writer=ZLIB, head=rb"\x89PNG"),
    Format("PNM", (".pnm",), {"uint8": _COLOUR, "uint16": _GRAY}, pillow="PPM", others=(".pbm",),
           head=rb"P[0147y]"),
    Format("PPM", (".ppm",), {"uint8": _COLOUR}, pillow="PPM", head=rb"P[36]"),
    Format("TIFF", (".tif", ".tiff"),
           dict.fromkeys(("uint8", "uint16", "float32"), (*_ALPHA, "cmyk")), _ALL,
           several="pages", writer=ZLIB, deep="tifffile", head=rb"II[*+]\0|MM\0[*+]"),
    Format("WEBP", (".webp",), {"uint8": _ALPHA}, _ALL, several="frames", head=rb"RIFF....WEBP"),
    Format("ZARR", (".zarr",), _NUMBERS, reader=ZARR, writer=ZARR),
)
# fmt: on

BY_NAME = {each.name: each for each in FORMATS}
# Formats by the ending of a name.
ENDINGS = dict(sorted((ending, each.name) for each in FORMATS for ending in each.endings))
ARRAYS = tuple(each.name for each in FORMATS if each.writer == NUMPY)  # which keep any numbers
# What is taken of a folder, by its ending; arrays have to be named.
_TAKEN = {e for each in FORMATS if each.name not in ARRAYS for e in each.endings + each.others}
PIECES = "ZARR"  # which is a folder, written piece by piece
SEVERAL = tuple(each.name for each in FORMATS if each.several)
VARIABLE = "IMGCONV_FORMATS"  # of the environment: the formats to be opened
TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def pillows(names: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return what Pillow may open, in its own words: some of what it reads runs other programs."""
    allowed = [BY_NAME[name] for name in names or BY_NAME]
    return tuple(sorted({f.pillow or f.name for f in allowed if f.reader == PILLOW}))


def of_head(data: bytes) -> str:
    """Return the format that a file begins as; nothing for others."""
    found = (f.name for f in FORMATS if f.head and re.match(f.head, data, re.DOTALL))
    return next(found, "")


def listed(text: str | None) -> tuple[str, ...]:
    """Return the formats of a list of names or endings; without one, of that in the environment.

    None are all. PNM is any of its family, as its ending is.

    Raises
    ------
    OptionError
        If there is no such format.
    """
    where = "--formats" if text is not None else VARIABLE
    text = text if text is not None else os.environ.get(VARIABLE) or None
    found: dict[str, None] = {}
    for word in text.split(",") if text is not None else ():
        bare = word.strip().removeprefix(".")
        name = ENDINGS.get(f".{bare.lower()}", bare.upper())
        if name not in BY_NAME:
            known = ", ".join(BY_NAME).lower()
            raise OptionError(f"{where} has no format {shortened(bare)!r}; choose from {known}")
        found |= dict.fromkeys(("PNM", "PGM", "PPM") if name == "PNM" else (name,))
    return tuple(found)


def is_taken(path: str) -> bool:
    """Return whether a file in a folder is an input, by its name: hidden ones are not."""
    name = os.path.basename(path)
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in _TAKEN


def ending_format(path: Named) -> str:
    """Return the format that a name's ending means; nothing for other endings."""
    return ENDINGS.get(path.suffix.lower(), "")


def format_of(path: Named) -> str:
    """Return the format that a name's ending asks for.

    Raises
    ------
    ImageError
        If there is none that can be written.
    """
    name = ending_format(path)
    if not name:
        raise ImageError(
            f"{path}: cannot write {path.suffix or 'a file without ending'!r}; "
            f"use {', '.join(ENDINGS)}, or --format"
        )
    return name


def keeping(names: str, kind: str) -> list[str]:
    """Return the formats that keep such channels in samples of such a kind."""
    return [each.name for each in FORMATS if names in each.keeps.get(kind, ())]
