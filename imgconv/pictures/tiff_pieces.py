"""TIFF files read and written piece by piece, for pictures larger than memory (extra `tiles`)."""

from __future__ import annotations

import functools
import importlib.util
import math
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from imgconv.errors import ImageError
from imgconv.light import NamedTuple
from imgconv.pictures import tiff, tiff_heads, tiff_tags, ycbcr
from imgconv.pictures.extras import library
from imgconv.pictures.faults import CUT_OFF, SOUND, told
from imgconv.pictures.lazy import each
from imgconv.pictures.metadata import SWAPPED, Metadata
from imgconv.pictures.orientation import lying, upright
from imgconv.pictures.picture import Reading, refuse_unlisted

if TYPE_CHECKING:
    import numpy.typing as npt

SIDE = 256  # of the tiles that are written
BUFFER = 1 << 24  # bytes that wait to be compressed
KEPT = 1 << 27  # samples of a turned page that stay decoded
LARGEST = 1 << 28  # bytes of a segment that is decoded at once
CLASSIC = (1 << 32) - (1 << 25)  # bytes of samples that a TIFF of 32-bit offsets surely holds
_alone = threading.Lock()


def can_open() -> bool:
    """Return whether the packages are there that read TIFF in pieces."""
    return importlib.util.find_spec("tifffile") is not None


class File:
    """The pages of a TIFF file, as a context that closes it."""

    notes: Sequence[str] = ()

    def __init__(self, path: str, how: Reading) -> None:
        refuse_unlisted("TIFF", how)
        tifffile = library("tifffile", "is to be read piece by piece", extra="tiles")
        self._file = open(path, "rb")  # noqa: SIM115
        try:
            with told():
                found, number = tiff_heads.pages(self._file, how), self._file.fileno()
                self._file.seek(0)
                opened = tifffile.TiffFile(self._file)
                chosen = tiff.chosen(opened, found, os.fstat(number).st_size)
                self.lost = [*tiff.changed(chosen, how), *found.lost]
                sound: Any = tiff_heads.Repaired(self._file, found.broken)
                self.pages = each(chosen, told()(lambda page: Page(page, number, how)))
                self.metadata = each(chosen, told()(lambda page: tiff.metadata_of(sound, page)))
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Page:
    """A page, whose samples are read in rectangles, from the tiles or strips that hold them."""

    def __init__(self, page: Any, file: int, how: Reading) -> None:
        self._page, self._file, self._how = page, file, how
        self.names, self.kind = tiff.look_over(page, how)
        self._shape = page.imagelength, page.imagewidth
        self._orientation = tiff.orientation_of(page)
        self.shape = tiff.size_of(page)[::-1]
        self._is_plain = _is_plain(page)
        self._segment = _segment(page, np.dtype(page.dtype))
        if not all(self.shape + self._segment):
            raise ImageError(f"broken image: it is {self.shape[1]}x{self.shape[0]}; {SOUND}")
        self._read = functools.lru_cache(maxsize=1)(self._decoded)

    def keep(self, rows: int) -> None:
        """Keep as many decoded segments as so many rows, and those next to them, take."""
        along = int(self._orientation in SWAPPED)  # rows of the picture are columns as they lie
        across = 1 - along
        count = rows // self._segment[along] + 2
        count *= -(-self._shape[across] // self._segment[across])
        if along:  # where segments are whole rows, all of them
            count = min(count, KEPT // (math.prod(self._segment) * len(self.names)))
        self._read = functools.lru_cache(maxsize=count + 2)(self._decoded)

    def read(self, rows: range, columns: range) -> npt.NDArray[Any]:
        """Return the samples of a rectangle, of shape (H, W, C), upright."""
        place = lying(rows, columns, self.shape, self._orientation)
        return np.ascontiguousarray(upright(self._lying(*place), self._orientation))

    def _lying(self, rows: range, columns: range) -> npt.NDArray[Any]:
        """The samples of a rectangle as they lie."""
        out = np.empty((len(rows), len(columns), len(self.names)), self.kind)
        high, wide = self._segment
        for i in range(rows.start // high, (rows.stop - 1) // high + 1):
            for j in range(columns.start // wide, (columns.stop - 1) // wide + 1):
                y, x = i * high, j * wide
                top, bottom = max(rows.start, y), min(rows.stop, y + high)
                left, right = max(columns.start, x), min(columns.stop, x + wide)
                out[
                    top - rows.start : bottom - rows.start,
                    left - columns.start : right - columns.start,
                ] = self._read(i, j)[top - y : bottom - y, left - x : right - x]
        return out

    def _decoded(self, i: int, j: int) -> npt.NDArray[Any]:
        """The samples of a segment, in all channels."""
        with told():
            return tiff.samples_of(self._page, self._joined(i, j), self._how)

    def _joined(self, i: int, j: int) -> npt.NDArray[Any]:
        page, (high, wide) = self._page, self._segment
        if not page.is_tiled and self._is_plain:
            return self._plain(i)
        across, down = -(-self._shape[1] // wide), -(-self._shape[0] // high)
        planes = page.samplesperpixel if page.planarconfig == 2 else 1
        parts = [self._part(p * across * down + i * across + j) for p in range(planes)]
        return parts[0] if planes == 1 else np.concatenate(parts, axis=2)

    def _plain(self, i: int) -> npt.NDArray[Any]:
        """Some rows of a strip that is not compressed, however many it has."""
        page, (high, wide) = self._page, self._segment
        kind = np.dtype(page.dtype).newbyteorder(page.parent.byteorder)
        row = wide * page.samplesperpixel * kind.itemsize
        first, rows = i * high, min(high, self._shape[0] - i * high)
        parts = []
        while rows:
            strip, at = divmod(first, page.rowsperstrip)
            count = min(rows, page.rowsperstrip - at)
            parts.append(self._bytes(page.dataoffsets[strip] + at * row, count * row))
            first, rows = first + count, rows - count
        return np.frombuffer(b"".join(parts), kind).reshape(-1, wide, page.samplesperpixel)

    def _part(self, index: int) -> npt.NDArray[Any]:
        """A segment of one plane, or of all channels side by side; zeros for one left out."""
        page, count = self._page, self._page.databytecounts[index]
        data = self._bytes(page.dataoffsets[index], count) if count else None
        if ycbcr.is_shared(page):
            high, wide = self._segment
            rows = high if page.is_tiled else min(high, self._shape[0] - index * high)
            return ycbcr.unpacked(page, data, (rows, wide))
        found, _, shape = page.decode(data, index, jpegtables=page.jpegtables)
        if found is None:
            found = np.full(shape, page.nodata, page.dtype)
        return found[0]  # type: ignore[no-any-return]

    def _bytes(self, offset: int, count: int) -> bytes:
        data = _read_at(self._file, count, offset)
        if len(data) < count:
            raise ImageError(CUT_OFF)
        return data


def _read_at(file: int, count: int, offset: int) -> bytes:
    """Bytes from anywhere, for several threads at once."""
    if hasattr(os, "pread"):
        return os.pread(file, count, offset)
    with _alone:  # another system: one after the other, and the place is as it was
        place = os.lseek(file, 0, os.SEEK_CUR)
        os.lseek(file, offset, os.SEEK_SET)
        try:
            return os.read(file, count)
        finally:
            os.lseek(file, place, os.SEEK_SET)


def _is_plain(page: Any) -> bool:
    """Whether samples lie as they are in memory, row by row."""
    packed = page.bitspersample != 8 * page.dtype.itemsize or ycbcr.is_shared(page)
    usual = page.compression == page.planarconfig == page.fillorder == 1
    return usual and not packed and all(page.dataoffsets)


def _segment(page: Any, kind: np.dtype[Any]) -> tuple[int, int]:
    """Rows and columns of what is decoded at once."""
    if page.is_tiled:
        high, wide = page.tilelength, page.tilewidth
        if high * wide * page.samplesperpixel * kind.itemsize > LARGEST:
            raise ImageError(f"has tiles of {wide}x{high}, too large to be decoded; save it anew")
        return high, wide
    row = page.imagewidth * page.samplesperpixel * kind.itemsize
    if _is_plain(page):
        return max(1, min((1 << 20) // row, page.imagelength)), page.imagewidth
    high = min(page.rowsperstrip, page.imagelength)
    if high * row > LARGEST:
        raise ImageError(
            f"has strips of {high} rows, {high * row >> 20} MB each when decoded; "
            "save it in tiles, or strips of fewer rows"
        )
    return high, page.imagewidth


class Wanted(NamedTuple):
    """A page to be written."""

    shape: tuple[int, int]
    names: str
    kind: str
    bands: Iterable[npt.NDArray[Any]]
    compress: str
    workers: int


class Writer:
    """Writes pages of tiles, then what the file says beside; as a context it closes the file."""

    def __init__(self, path: Path, size: int) -> None:
        tifffile = library("tifffile", "is to be written piece by piece", extra="tiles")
        self._path = path
        self._writer = tifffile.TiffWriter(path, bigtiff=size > CLASSIC, byteorder="<")

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: TracebackType | object) -> None:
        self._writer.close()

    def add(self, page: Wanted) -> None:
        """Write a page from bands of rows, which follow each other."""
        several = len(page.names) > 1
        self._writer.write(
            _tiles(page.bands, page.shape[1], several=several),
            shape=(*page.shape, len(page.names)) if several else page.shape,
            dtype=page.kind,
            tile=(SIDE, SIDE),
            maxworkers=page.workers,
            buffersize=BUFFER,
            **tiff.how_to_write(page.names, page.compress),
        )

    def finish(self, kept: Sequence[Metadata]) -> None:
        """Close the file, and put metadata into its pages."""
        self._writer.close()
        with self._path.open("r+b") as file:
            tiff_tags.put(file, kept)


def _tiles(
    bands: Iterable[npt.NDArray[Any]], width: int, *, several: bool
) -> Iterator[npt.NDArray[Any]]:
    """Cut rows into tiles, those at the right and below filled up with zeros.

    (tifffile would do that, but takes one column for channels.)
    """
    for rows in regrouped(bands, SIDE):
        for x in range(0, width, SIDE):
            tile = rows[:, x : x + SIDE]
            if tile.shape[:2] != (SIDE, SIDE):
                whole = np.zeros((SIDE, SIDE, tile.shape[2]), tile.dtype)
                whole[: tile.shape[0], : tile.shape[1]] = tile
                tile = whole
            yield np.ascontiguousarray(tile if several else tile[:, :, 0])


def regrouped(bands: Iterable[npt.NDArray[Any]], high: int) -> Iterator[npt.NDArray[Any]]:
    """Return the same rows in bands of another height, and the rest."""
    waiting: list[npt.NDArray[Any]] = []
    count = 0  # of rows that wait
    for band in bands:
        waiting.append(band)
        count += len(band)
        if count < high:
            continue
        rows = np.concatenate(waiting) if len(waiting) > 1 else band
        whole = count // high * high
        for y in range(0, whole, high):
            yield rows[y : y + high]
        waiting, count = [rows[whole:]] * (whole < count), count - whole
    if waiting:
        yield np.concatenate(waiting)
