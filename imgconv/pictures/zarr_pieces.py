"""Arrays and OME-Zarr pictures read and written piece by piece (extra `tiles`)."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import math
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imgconv.compiled.memory import refuse_beyond
from imgconv.engine.levels import SAMPLES
from imgconv.errors import ImageError, heed_cause, one_line, shortened
from imgconv.pictures import axes
from imgconv.pictures.extras import library
from imgconv.pictures.files import MAX_PIXELS
from imgconv.pictures.metadata import Metadata
from imgconv.pictures.picture import Reading, choose, cut, refuse_unlisted
from imgconv.pictures.pixels import NAMELESS
from imgconv.pictures.tiff_pieces import Wanted, regrouped

if TYPE_CHECKING:
    import numpy.typing as npt

MARKS = ("zarr.json", ".zarray", ".zgroup")  # what is in the folder of every array and group
UNTOLD = (AttributeError, KeyError, TypeError, json.JSONDecodeError)  # whose words tell nothing
BLOCK = 256  # rows and columns that are decoded at once, at least
KEPT = 1 << 27  # bytes of samples that stay decoded
SIDE = 1024  # of the chunks that are written where the source has none
PATIENCE = 10  # seconds for what is being written when it is no longer wanted
SMALL = 1 << 16  # pixels, as which a chunk, a plane and a channel count at least


def refuse_other(target: Path) -> None:
    """Raise an error for what is in the place of an output and is no .zarr."""
    if target.exists() and not _is_marked(target):
        raise ImageError(f"{target} is there and no .zarr; name another output")


def _is_marked(folder: Path) -> bool:
    return any((folder / mark).is_file() for mark in MARKS)


def refuse_unfit(source: File | None, names: str, count: int) -> None:
    """Raise an error for so many pages of such channels that no array holds.

    A `source` is a .zarr, whose axes are kept; only those of an OME-Zarr are never more.
    """
    if source:
        if source.ome and len(names) > 1 and "c" not in source.axes:
            raise ImageError(
                f"has axes {source.axes}, none of which is for the {len(names)} channels that "
                "come out; choose .tif with -o"
            )
    elif count > 1:
        raise ImageError(
            f"has {count} pages, of which .zarr keeps one; choose one with --frame, or .tif with -o"
        )


class File:
    """The planes of an array, each with its channels; those of OME-Zarr by its axes."""

    def __init__(self, path: str, how: Reading) -> None:
        refuse_unlisted("ZARR", how)
        zarr = library("zarr", "is a .zarr", extra="tiles")
        if not os.path.isdir(path) or not _is_marked(Path(path)):
            raise ImageError(f"broken .zarr: it has none of {', '.join(MARKS)}; name a whole one")
        with _told("its metadata cannot be used"):
            found = zarr.open(_store(path), mode="r")
        self.ome = _ome(found.attrs) if isinstance(found, zarr.Group) else None
        self._coloured = "omero" in found.attrs.get("ome", found.attrs)
        if self.ome:
            name = str(self.ome["datasets"][0]["path"])
            if name not in found:
                raise ImageError(f"broken OME-Zarr: it has no array {name!r}; get a whole one")
            found = found[name]
        if not isinstance(found, zarr.Array):
            raise ImageError("is a .zarr group that is no OME-Zarr; name an array in it")
        self.array, self.notes = found, list[str]()
        self.axes = _described(self.ome, found.shape, how) if self.ome else self._plain(how)
        if found.dtype.kind not in "uif" or 0 in found.shape:
            raise ImageError(f"is an array of {found.dtype} of shape {found.shape}, no picture")
        others = tuple(n for n, a in zip(found.shape, self.axes, strict=True) if a not in "cyx")
        count = math.prod(others)
        _refuse_hollow(found, self.axes, path, how)
        chosen = range(count) if how.frame is None else [choose(count, how)]
        self.whole = how.frame is None
        self.lost = self._lost(how)
        blocks = _Blocks(found, self.axes)
        places = (tuple(map(int, np.unravel_index(i, others))) if others else () for i in chosen)
        self.pages = [Plane(blocks, place, how) for place in places]
        self.metadata = (Metadata(),)

    def _plain(self, how: Reading) -> str:
        """A letter for each axis of an array, which may have their names."""
        shape = self.array.shape
        names = getattr(self.array.metadata, "dimension_names", None) or ()
        if not how.axes and {"y", "x"} <= set(names) <= set("nyxc"):
            return "".join(names)
        self.notes = axes.assumed(shape, how.axes)
        return axes.of_shape(shape, how.axes)

    def _lost(self, how: Reading) -> list[str]:
        """What of the file no output has."""
        kind = self.array.dtype.name
        lost = [f"{kind} (read as float32)"] * (kind not in SAMPLES and not how.shallow)
        levels = len(self.ome["datasets"]) - 1 if self.ome else 0
        return lost + [f"{levels} further levels"] * bool(levels) + ["omero"] * self._coloured

    def close(self) -> None:
        """Nothing is open: zarr opens chunks when they are read."""


def _refuse_hollow(array: Any, axes: str, path: str, how: Reading) -> None:
    """Raise an error for chunks that are too large to be decoded, and more than files stand for.

    Chunks that are left out are of one value, so that few files may stand for many pixels. Each
    chunk, plane and channel takes some time and memory, however small it is.
    """
    shape = array.shape
    with _told("its metadata cannot be used"):
        size = 2.0 * math.prod(array.chunks) * array.dtype.itemsize  # packed and unpacked
        sides = array.shards or array.chunks  # of what a file holds
        count = math.prod(-(-n // side) for n, side in zip(shape, sides, strict=True))
    refuse_beyond(size, "save it in smaller chunks")
    images = math.prod(n for n, axis in zip(shape, axes, strict=True) if axis not in "yx")
    claimed = max(math.prod(shape), SMALL * count, SMALL * images)
    if claimed <= MAX_PIXELS or how.max_pixels > MAX_PIXELS:
        return
    files = (name for *_, names in os.walk(path) for name in names if name not in MARKS)
    most = min(claimed // MAX_PIXELS, sys.maxsize)
    there = sum(1 for _ in itertools.islice(files, most))
    if there < most:
        raise ImageError(
            f"says a shape of {shortened(str(shape), 80)}, for which its {there} chunks are too "
            "few; get the whole folder, or believe it with a greater --max-pixels"
        )


class _Blocks:
    """The samples of an array, of which what was decoded last is kept.

    zarr decodes whole chunks, and one may hold all planes, or a whole one. A block has so many
    chunks that to ask for each costs little.
    """

    def __init__(self, array: Any, axes: str) -> None:
        self.array, self.axes = array, axes
        chunks = zip(array.chunks, axes, strict=True)
        self._sides = [n * max(1, BLOCK // n) if axis in "yx" else n for n, axis in chunks]
        size = math.prod(self._sides) * array.dtype.itemsize
        self._block = functools.lru_cache(maxsize=max(1, KEPT // size))(self._decoded)

    def read(self, spans: Sequence[range]) -> npt.NDArray[Any]:
        """Return the samples that are in a range of each axis."""
        out = np.empty([len(span) for span in spans], self.array.dtype)
        pairs = list(zip(spans, self._sides, strict=True))
        for block in itertools.product(*(range(s.start // n, -(-s.stop // n)) for s, n in pairs)):
            ours, theirs = [], []
            for i, (span, side) in zip(block, pairs, strict=True):
                first, last = max(span.start, i * side), min(span.stop, (i + 1) * side)
                ours.append(slice(first - span.start, last - span.start))
                theirs.append(slice(first - i * side, last - i * side))
            out[tuple(ours)] = self._block(*block)[tuple(theirs)]
        return out

    def _decoded(self, *block: int) -> npt.NDArray[Any]:
        place = tuple(slice(i * n, (i + 1) * n) for i, n in zip(block, self._sides, strict=True))
        with _told("a chunk is damaged or cut off"):
            return np.asarray(self.array[place])


class Plane:
    """Rows and columns of an array, with its channels, read in rectangles."""

    def __init__(self, blocks: _Blocks, place: tuple[int, ...], how: Reading) -> None:
        array, axes = blocks.array, blocks.axes
        self._blocks, self._axes, self._place, self._how = blocks, axes, place, how
        sizes = dict(zip(axes, array.shape, strict=True))
        self.shape = sizes["y"], sizes["x"]
        self.names = NAMELESS * sizes.get("c", 1)
        kind = array.dtype.name if array.dtype.name in SAMPLES else "float32"
        self.kind = "uint8" if how.shallow else kind

    def keep(self, rows: int) -> None:
        """Nothing is kept but what all planes share."""

    def read(self, rows: range, columns: range) -> npt.NDArray[Any]:
        """Return the samples of a rectangle, of shape (H, W, C)."""
        spans = {"y": rows, "x": columns, "c": range(len(self.names))}
        place = iter(self._place)
        chosen = [spans[a] if a in spans else range(i := next(place), i + 1) for a in self._axes]
        found = self._blocks.read(chosen)
        found = found.squeeze(tuple(i for i, a in enumerate(self._axes) if a not in spans))
        kept = [axis for axis in self._axes if axis in spans]
        if "c" in kept:
            found = np.moveaxis(found, kept.index("c"), 2)
        found = found.reshape(len(rows), len(columns), len(self.names))
        kind = found.dtype.name
        found = cut(found) if self._how.shallow and kind in SAMPLES else found
        return np.ascontiguousarray(found, self.kind)


def _store(folder: str) -> Any:
    """A folder for zarr to read, in which what should be a file is one.

    It would wait for a pipe, and take a folder, or a link to nowhere, for a chunk left out.
    """
    from zarr.storage import LocalStore

    class Files(LocalStore):
        async def get(self, key: str, *rest: Any, **options: Any) -> Any:
            place = os.path.join(folder, key)
            if os.path.lexists(place) and not os.path.isfile(place):
                raise ImageError(f"broken .zarr: its {key} is no file; get a whole one")
            return await super().get(key, *rest, **options)

    return Files(folder, read_only=True)


@contextlib.contextmanager
def _told(fault: str) -> Iterator[None]:
    """Tell what zarr, its stores and codecs raise, many kinds, as a fault of the file."""
    try:
        yield
    except ImageError:
        raise
    except Exception as error:
        heed_cause(error)
        words = shortened(one_line(error), 120)
        said = "" if isinstance(error, UNTOLD) or not words else f" ({words})"
        raise ImageError(f"broken .zarr: {fault}{said}; get a sound copy") from None


def _ome(attributes: Any) -> dict[str, Any] | None:
    """The first multiscale picture that a group describes, by OME-Zarr 0.5 or 0.4."""
    described = attributes.get("ome", attributes)
    several = described.get("multiscales") if hasattr(described, "get") else None
    try:
        first = dict(several[0]) if several else None
        if first and not first["datasets"][0]["path"]:
            first = None
    except (TypeError, KeyError, IndexError):
        raise ImageError(
            "broken OME-Zarr: its multiscales have no datasets; name an array in it"
        ) from None
    return first


def _names(ome: dict[str, Any]) -> list[str]:
    """What an OME-Zarr calls its axes."""
    return [str(a["name"] if isinstance(a, dict) else a) for a in ome.get("axes", "tczyx")]


def _described(ome: dict[str, Any], shape: Sequence[int], how: Reading) -> str:
    """A letter for each axis of an OME-Zarr: y and x, c for channels, others for planes."""
    letters = "".join(name[:1] for name in _names(ome))
    if len(letters) != len(shape) or len(set(letters)) < len(letters) or letters[-2:] != "yx":
        raise ImageError(f"is OME-Zarr with axes {letters!r}; the last two must be y and x")
    if how.axes:
        raise ImageError(f"is OME-Zarr, which says that its axes are {letters}; leave out --axes")
    return letters


async def _ended() -> None:
    """Wait until all else that zarr has begun has come to an end."""
    import asyncio

    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)


class Writer:
    """Writes an array: (H, W) or (H, W, C), or with the axes of the one that was read."""

    def __init__(self, path: Path, source: File | None, compress: str) -> None:
        self._zarr = library("zarr", "is to be written as .zarr", extra="tiles")
        self._path, self._source, self._compress = path, source, compress
        self._places: Iterator[tuple[int, ...]] = iter(())
        self._array: Any = None
        self._axes = ""

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind:  # else zarr, whose threads go on, would make anew what is removed next
            from zarr.core.sync import sync

            with contextlib.suppress(TimeoutError):
                sync(_ended(), timeout=PATIENCE)

    def add(self, page: Wanted) -> None:
        """Write a plane from bands of rows, which follow each other."""
        if self._array is None:
            self._begin(page)
        place, y = next(self._places), 0
        for rows in regrouped(page.bands, self._array.chunks[self._axes.index("y")]):
            self._put(place, range(y, y + len(rows)), rows)
            y += len(rows)

    def finish(self, _: Sequence[Metadata]) -> None:
        """Nothing is left to be done."""

    def _begin(self, page: Wanted) -> None:
        """Make the array, and the group around it that describes it."""
        source = self._source
        ome = source.ome if source else None
        self._axes = source.axes if source else "yx"
        if not ome:
            before = len(source.pages[0].names) if source else 1
            self._axes = axes.after(self._axes, before, len(page.names))
        new = {"y": page.shape[0], "x": page.shape[1], "c": len(page.names)}
        old, chunks = dict(new), {"y": SIDE, "x": SIDE, "c": new["c"]}
        if source:
            old = dict(zip(source.axes, source.array.shape, strict=True))
            chunks = dict(zip(source.axes, source.array.chunks, strict=True))
        kept: dict[str, int] = old if source and source.whole else {}  # of the other axes
        shape = [new.get(axis) or kept.get(axis, 1) for axis in self._axes]
        # A chunk of several planes would be packed anew for each, as they come one by one.
        sides = {a: 1 if a not in "cyx" else chunks.get(a, new[a]) for a in self._axes}
        options: dict[str, Any] = {
            "shape": shape,
            "chunks": [min(sides[a], n) for a, n in zip(self._axes, shape, strict=True)],
            "dtype": page.kind,
            "zarr_format": source.array.metadata.zarr_format if source else 3,
        }
        if options["zarr_format"] == 3:
            options["dimension_names"] = _names(ome) if ome else list(self._axes)
        if self._compress == "none":
            options["compressors"] = None
        if ome:
            options["name"] = str(ome["datasets"][0]["path"])
            self._describe(
                ome,
                options["zarr_format"],
                [old[a] / new[a] if a in "yx" else 1 for a in self._axes],
            )
        self._array = self._zarr.create_array(str(self._path), **options)
        others = [a for a in self._axes if a not in "cyx"]
        self._places = itertools.product(*(range(kept.get(axis, 1)) for axis in others))

    def _describe(self, ome: dict[str, Any], version: int, times: list[float]) -> None:
        """The attributes of an OME-Zarr with one level, whose pixels are so many times as large."""
        first = dict(ome["datasets"][0])
        scaled = []
        for change in first.get("coordinateTransformations", []):
            change = dict(change)
            if len(change.get("scale", ())) == len(times):
                change["scale"] = [s * t for s, t in zip(change["scale"], times, strict=True)]
            scaled.append(change)
        level = first | ({"coordinateTransformations": scaled} if scaled else {})
        described = [dict(ome) | {"datasets": [level]}]
        attributes: dict[str, Any] = {"multiscales": described}
        if version == 3:
            attributes = {"ome": {"version": "0.5", "multiscales": described}}
        self._zarr.create_group(str(self._path), zarr_format=version, attributes=attributes)

    def _put(self, place: tuple[int, ...], span: range, rows: npt.NDArray[Any]) -> None:
        """Write some rows of a plane."""
        each = iter(place)
        chosen = tuple(
            slice(span.start, span.stop) if a == "y" else slice(None) if a in "cx" else next(each)
            for a in self._axes
        )
        kept = [axis for axis in self._axes if axis in "cyx"]
        rows = np.moveaxis(rows, 2, kept.index("c")) if "c" in kept else rows[:, :, 0]
        self._array[chosen] = rows
