"""Metadata put into the directories of a TIFF file that has been written."""

from __future__ import annotations

import contextlib
import io
import struct
from collections.abc import Sequence
from typing import IO, Any

from imgconv.pictures.metadata import EXIF, GPS, ICC, RESOLUTION, XMP, Metadata, load, nested
from imgconv.pictures.tiff_heads import Widths, directory, numbers, widths


def put(file: IO[bytes], pages: Sequence[Metadata]) -> None:
    """Put metadata into the directory of each page of a TIFF file.

    libtiff writes no EXIF through Pillow, so each page gets a new directory at the end of the
    file: its own entries, which point to where they did, and those of the metadata.
    """
    how = widths(file)
    link = how.first
    for page in pages:
        (old,) = numbers(file, link, how.order + how.link)
        entries, following = directory(file, old, how)
        tags = _tiff_tags(page, how)
        if tags:
            start = file.seek(0, io.SEEK_END)
            start += file.write(b"\0" * (start % 2))
            file.write(tags.tobytes(start))
            added, _ = directory(file, start, how)
            entries |= added
            new = file.seek(0, io.SEEK_END)
            new += file.write(b"\0" * (new % 2))
            merged = b"".join(entry for _, entry in sorted(entries.items()))
            file.write(struct.pack(how.order + how.entries, len(entries)) + merged + following)
            file.seek(link)
            file.write(struct.pack(how.order + how.link, new))
            old = new
        link = old + struct.calcsize(how.order + how.entries) + how.entry * len(entries)


def _tiff_tags(meta: Metadata, how: Widths) -> Any:
    """Metadata as a directory of Pillow's; None for none."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    head = b"II+\0\x08\0\0\0" + bytes(8) if how.link == "Q" else b"II*\0" + bytes(4)
    tags = ImageFileDirectory_v2(head, prefix=b"II" if how.order == "<" else b"MM")
    exif = load(meta.exif)
    for tag in exif:
        with contextlib.suppress(KeyError, TypeError, ValueError):
            tags[tag] = nested(exif, tag) if tag in (EXIF, GPS) else exif[tag]
    if meta.resolution:
        for tag, value in zip(RESOLUTION, meta.resolution, strict=True):
            tags[tag] = value
    for tag, data in ((XMP, meta.xmp), (ICC, meta.icc)):
        if data:
            tags[tag] = data
    return tags if len(tags) else None
