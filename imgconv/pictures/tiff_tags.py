"""Metadata put into the directories of a TIFF file that has been written."""

from __future__ import annotations

import contextlib
import io
import struct
from collections.abc import Iterable, Sequence
from typing import IO, Any

from imgconv.errors import ImageError
from imgconv.pictures.metadata import EXIF, GPS, ICC, RESOLUTION, XMP, Metadata, load, nested
from imgconv.pictures.tiff_heads import (
    BYTES,
    STRIPS,
    TILES,
    Widths,
    directory,
    numbers,
    values,
    widths,
)

PLACES = STRIPS[0], TILES[0]  # the tags that tell where samples are
OFFSETS = {"I": 4, "Q": 16}  # the type of numbers as wide as a link

Entries = dict[int, bytes]


def put(file: IO[bytes], pages: Sequence[Metadata]) -> None:
    """Put metadata into the directory of each page of a TIFF file.

    libtiff writes no EXIF through Pillow, so each page gets a new directory at the end of the
    file: its own entries, which point to where they did, and those of the metadata.
    """
    how = widths(file)
    link = how.first
    for page in pages:
        (place,) = numbers(file, link, how.order + how.link)
        entries, following = directory(file, place, how)
        if _add(file, entries, page, how):
            place = _write(file, entries, following, how)
            _lead(file, link, place, how)
        link = _link_of(place, entries, how)


def join(file: IO[bytes], pages: Iterable[tuple[bytes, Metadata]]) -> None:
    """Write a TIFF of pages, each of them a TIFF of its own, and put such metadata into it.

    Raises
    ------
    ImageError
        If it is longer than the offsets of a TIFF reach.
    """
    link = 0
    for data, meta in pages:
        page, start = io.BytesIO(data), _end(file)
        how = widths(page)
        file.write(data)
        (place,) = numbers(page, how.first, how.order + how.link)
        entries, following = directory(page, place, how)
        try:
            if start:
                entries = {tag: _moved(entries[tag], page, file, start) for tag in entries}
            if _add(file, entries, meta, how) or start:
                place = _write(file, entries, following, how)
                _lead(file, link or how.first, place, how)
        except struct.error:
            raise ImageError(
                "is longer than 4 GB, which a TIFF has no offsets for; choose frames with --frame"
            ) from None
        link = _link_of(place, entries, how)


def _moved(entry: bytes, page: IO[bytes], file: IO[bytes], start: int) -> bytes:
    """An entry of a page that now begins somewhere else; where its samples are is written anew."""
    how = widths(page)
    form = f"{how.order}HH{how.link}{how.link}"
    tag, kind, count, value = struct.unpack(form, entry)
    if tag in PLACES:
        moved = [place + start for place in values(page, entry, how)]
        kind, value = OFFSETS[how.link], moved[0]
        if count > 1:
            value = _end(file)
            file.write(struct.pack(f"{how.order}{count}{how.link}", *moved))
    elif BYTES.get(kind, 0) * count > struct.calcsize(how.link):
        value += start
    else:
        return entry
    return struct.pack(form, tag, kind, count, value)


def _add(file: IO[bytes], entries: Entries, meta: Metadata, how: Widths) -> bool:
    """Write what metadata's tags hold, and add these to the entries; return whether it has any."""
    tags = _tiff_tags(meta, how)
    if tags:
        start = _end(file)
        file.write(tags.tobytes(start))
        entries |= directory(file, start, how)[0]
    return bool(tags)


def _write(file: IO[bytes], entries: Entries, following: bytes, how: Widths) -> int:
    """Write a directory at the end of a file, and return where it begins."""
    start = _end(file)
    merged = b"".join(entry for _, entry in sorted(entries.items()))
    file.write(struct.pack(how.order + how.entries, len(entries)) + merged + following)
    return start


def _lead(file: IO[bytes], link: int, place: int, how: Widths) -> None:
    """Have a link lead to a directory."""
    file.seek(link)
    file.write(struct.pack(how.order + how.link, place))


def _link_of(place: int, entries: Entries, how: Widths) -> int:
    """Where a directory's link to the next one stands."""
    return place + struct.calcsize(how.order + how.entries) + how.entry * len(entries)


def _end(file: IO[bytes]) -> int:
    """The end of a file, of an even number of bytes, as a TIFF wants it."""
    end = file.seek(0, io.SEEK_END)
    return end + file.write(b"\0" * (end % 2))


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
