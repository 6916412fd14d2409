"""One picture piece by piece: read, filtered and written without ever being whole in memory."""

from __future__ import annotations

import functools
import math
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imgconv import light
from imgconv.compiled.memory import free, refuse_beyond
from imgconv.engine import ready, samples
from imgconv.engine.levels import NOTHING, Ends, outermost
from imgconv.engine.pool import Pending, Pool
from imgconv.errors import ImageError
from imgconv.light import NamedTuple
from imgconv.pictures import files, fitting, pillow, profiles, tiff_pieces, zarr_pieces
from imgconv.pictures.descriptions import Written
from imgconv.pictures.encode import Writing
from imgconv.pictures.files import MAX_PIXELS
from imgconv.pictures.formats import PIECES, TIFF_MAGIC
from imgconv.pictures.metadata import Grid, Metadata
from imgconv.pictures.picture import Reading, Tally
from imgconv.pictures.pixels import ArrayPixels, Pixels, white
from imgconv.pictures.tiff_pieces import Wanted
from imgconv.pipeline import blocks
from imgconv.pipeline.filter import (
    filter_pixels,
    find_extent,
    find_grain,
    foretell,
    grid_of,
    over_all,
    steps_of,
)
from imgconv.pipeline.hidden import BLEED, bleeds
from imgconv.pipeline.views import Outline, Tile
from imgconv.pipeline.work import Clipped, Work

if TYPE_CHECKING:
    import numpy.typing as npt

# Rows and columns of what is filtered at once. Python's part of the time is then small, and two
# bands of a picture 30,000 wide, with what they read, take 300 MB.
ROWS, COLUMNS = 512, 2048
BAND = 1 << 27  # bytes that a band may have, unless the picture is so wide that 256 rows have more
WRITTEN = ("TIFF", PIECES)

Progress = Callable[[float], None]
File = tiff_pieces.File | zarr_pieces.File
Page = tiff_pieces.Page | zarr_pieces.Plane


class Made(NamedTuple):
    """What became of a picture: its size, how many samples were clipped, what was not kept.

    `notes` are on how it was read.
    """

    width: int
    height: int
    clipped: list[Clipped]
    lost: list[str]
    notes: Sequence[str] = ()


class Route(NamedTuple):
    """From which file to which, in which format, at most `side` rows and columns at once.

    `again` is for `files.whole`.
    """

    source: str
    target: light.Path
    format: str
    reading: Reading
    writing: Writing
    side: int | None
    again: bool


def filter_file(route: Route, work: Work, progress: Progress | None = None) -> Made:
    """Filter the pages of a TIFF or .zarr into another.

    Raises
    ------
    ImageError, GeometryError
        If the file cannot be read or written in pieces, or no pixel remains.
    """
    name, target, writing = route.format, route.target, route.writing
    with ExitStack() as opened:
        picture, jobs = _begun(route, work, progress, opened)
        kept, lost = _metadata(picture, jobs, name, writing, grid_of(work))
        pillow.keep_memory()
        for job in jobs:
            job.try_out()
        pool = Pool(work.threads or ready.thread_count())
        opened.callback(pool.shutdown)
        if work.together:
            spanned = over_all(work, [job.extent(pool) for job in jobs])
            for job in jobs:
                job.span(spanned)
        whole = files.whole(target, force=writing.force, again=route.again, folder=name == PIECES)
        temporary = opened.enter_context(whole)
        with _writer(Path(temporary), name, picture, jobs, writing) as writer:
            for job in jobs:
                writer.add(job.wanted(pool, writing.compress))
            writer.finish(kept)
        files.settle(temporary)
        height, width = jobs[0].shape
        notes = [*picture.notes, *[BLEED] * any(job.bleeds for job in jobs)]
        return Made(width, height, [job.clipped for job in jobs], lost, notes)


def foretell_file(route: Route, work: Work) -> Made:
    """Return the size of what `filter_file` makes, and raise what it raises before it begins."""
    with ExitStack() as opened:
        picture, jobs = _begun(route, work, None, opened)
        height, width = jobs[0].shape
        return Made(width, height, [], [], picture.notes)


def _begun(
    route: Route, work: Work, progress: Progress | None, opened: ExitStack
) -> tuple[File, list[_Job]]:
    """The file that is read, and what is done to each of its pages, by its heads."""
    name = route.format
    if name not in WRITTEN:
        raise ImageError(f"is to be filtered in pieces, and {name} is written whole; choose .tif")
    if name == PIECES:
        zarr_pieces.refuse_other(Path(route.target))
    picture = _open(route.source, route.reading)
    opened.callback(picture.close)
    count = len(picture.pages)
    if route.reading.max_pixels != MAX_PIXELS:  # which is for pictures decoded whole
        tally = Tally(route.reading)
        for page in picture.pages:
            tally.add((page.shape[1], page.shape[0]))
    jobs = [
        _Job(page, meta.icc, work, name, route.side, _part(progress, i, count))
        for i, (page, meta) in enumerate(zip(_pages(picture), cycle(picture.metadata)))
    ]
    if name == PIECES:
        zarr_pieces.refuse_unfit(_zarr(picture), jobs[0].names, count)
    return picture, jobs


def _zarr(picture: File) -> zarr_pieces.File | None:
    return picture if isinstance(picture, zarr_pieces.File) else None


def is_larger(source: str, work: Work, reading: Reading) -> bool:
    """Return whether a TIFF with its output would not fit the memory, or is not decoded whole."""
    if not tiff_pieces.can_open():
        return False
    try:
        with closing(tiff_pieces.File(source, reading)) as file:
            each = [(_need(page, work), math.prod(page.shape)) for page in file.pages]
            need = os.path.getsize(source) + max(need for need, _ in each)  # page by page
            pixels = sum(count for _, count in each)
    except (ImageError, OSError):  # which is told when it is read as a whole
        return False
    return need > free() or pixels > MAX_PIXELS == reading.max_pixels


def _need(page: tiff_pieces.Page, work: Work) -> float:
    """How many bytes a page, its responses and its output take in memory."""
    height, width = page.shape
    depth = 4 if page.names.startswith("rgb") and page.kind == "uint8" else len(page.names)
    each = samples.size(page.kind) * 2 + 4 * min(len(work.kernels) - 1, 2)
    return float(height * width * depth * each)


def _open(source: str, reading: Reading) -> File:
    if os.path.isdir(source):
        return zarr_pieces.File(source, reading)
    try:
        with open(source, "rb") as file:
            head = file.read(4)
        if head not in TIFF_MAGIC and files.is_zarr(source):
            raise ImageError("is a file, and a .zarr is a folder; name that")
        if head not in TIFF_MAGIC:
            raise ImageError(
                "is decoded as a whole; TIFF and .zarr alone are read piece by piece, as --tile "
                "and outputs in .zarr want; convert it to .tif first"
            )
        return tiff_pieces.File(source, reading)
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror or error}") from None


def _pages(picture: File) -> list[Page]:
    return [*picture.pages]


def _writer(
    path: Path, name: str, picture: File, jobs: Sequence[_Job], writing: Writing
) -> tiff_pieces.Writer | zarr_pieces.Writer:
    if name == "TIFF":
        return tiff_pieces.Writer(path, sum(job.bytes for job in jobs))
    return zarr_pieces.Writer(path, _zarr(picture), writing.compress)


def _metadata(
    picture: File, jobs: Sequence[_Job], name: str, writing: Writing, grid: Grid
) -> tuple[list[Metadata], list[str]]:
    """What is kept beside the pixels of each page, and what is not."""
    if writing.strip:
        return [], picture.lost
    pairs = zip(picture.metadata, jobs, strict=False)
    pages = [
        meta._replace(icc=b"" if job.profile else meta.icc)
        .on(grid)
        .fitted(Written(job.names, job.kind, (job.shape[1], job.shape[0]), len(jobs)))
        for meta, job in pairs
    ]
    _, lost = pages[0].options(name)
    return pages, [*lost, *pages[0].lost, *picture.lost]


def _part(progress: Progress | None, index: int, count: int) -> Progress:
    """What tells of the progress of one page among several."""
    return lambda done: progress((index + done) / count) if progress else None


class _Job:
    """One page: what its output is, and how it is cut."""

    def __init__(
        self,
        page: Page,
        profile: bytes,
        work: Work,
        name: str,
        side: int | None,
        progress: Progress,
    ) -> None:
        self._page, self._progress = page, progress
        served = profiles.serves(profile, page.names, page.kind, work.channels)
        self.profile = profile if served else b""
        self._names = "rgb" + page.names[4:] if self.profile else page.names
        self.clipped, self.bleeds = Clipped(0, 0, 0), False
        self._looks = page.names.endswith("a") and work.alpha == "keep"  # for hidden colours
        self._work = work._replace(threads=1)
        self._steps = steps_of(work)
        pixel = white(self._names, page.kind)
        made = foretell(Outline(pixel, (page.shape[1], page.shape[0])), work)
        self.shape, first = made.shape, made.picture
        if name == "TIFF":
            first = fitting.kept(fitting.named(first, name), name)
        self.names, self.kind = first.names, first.kind
        self._side = side
        rows = min(side or tiff_pieces.SIDE, self.shape[0])
        bands = 2.0 * rows * self.shape[1] * len(self.names) * samples.size(self.kind)
        refuse_beyond(bands, "give --tile a smaller number")

    @property
    def bytes(self) -> int:
        """How many bytes the samples that come out take."""
        height, width = self.shape
        return height * width * len(self.names) * samples.size(self.kind)

    def try_out(self) -> None:
        """Filter one pixel: what has to be compiled is, while nothing waits for it nor is begun."""
        work = self._work
        work = work._replace(ends=NOTHING) if work.levels == "stretch" else work
        filter_pixels(self._tile(range(1), range(1)), work)

    def wanted(self, pool: Pool, compress: str) -> Wanted:
        """Return what is to be written, computed as it is taken."""
        workers = max(1, pool.size)
        return Wanted(self.shape, self.names, self.kind, self._bands(pool), compress, workers)

    def _tile(self, rows: range, columns: range, place: npt.NDArray[Any] | None = None) -> Tile:
        page = self._page

        def read(rows: range, columns: range) -> Pixels:
            found = ArrayPixels(page.read(rows, columns), page.names)
            if self._looks and not self.bleeds and bleeds(found, self._work):
                self.bleeds = True
            if not self.profile:
                return found
            return ArrayPixels(profiles.colour(found, self.profile).array(), self._names)

        return Tile(read, page.shape, self._names, page.kind, rows, columns, place)

    @functools.cached_property
    def _sides(self) -> tuple[int, int]:
        """Rows and columns of output that are made at once, so that they read few more."""
        work, side = self._work, self._side
        band = self.shape[1] * len(self.names) * samples.size(self.kind) * ROWS
        high, wide = side or (ROWS if band < BAND else tiff_pieces.SIDE), side or COLUMNS
        down, across = work.layout.stride
        high = max(1, high // down ** len(work.kernels))
        wide = max(1, wide // across ** len(work.kernels))
        tall, broad = find_grain(self._tile(range(1), range(1)), self._work)
        return -(-high // tall) * tall, -(-wide // broad) * broad

    def _bands(self, pool: Pool) -> Iterator[npt.NDArray[Any]]:
        """Compute bands of rows, the next one while one is being written."""
        passes = 2 if self._work.levels == "stretch" and not self._work.ends else 1
        if passes == 2:
            self._work = self._work._replace(ends=self.extent(pool))
        self._keep()
        height, width = self.shape

        def begin(rows: range) -> tuple[range, npt.NDArray[Any], list[Pending[Clipped]]]:
            out = np.empty((len(rows), width, len(self.names)), self.kind)
            return rows, out, [pool.submit(self._fill, out, rows, x) for x in self._columns()]

        spans = _spans(height, self._sides[0])
        begun = deque([begin(next(spans))])
        while begun:
            begun.extend(begin(rows) for rows in [next(spans, None)] if rows)
            rows, out, pieces = begun.popleft()
            for piece in pieces:
                self.clipped = Clipped(*map(sum, zip(self.clipped, piece.result(), strict=True)))
            self._progress(1 - (1 - rows.stop / height) / passes)
            yield out

    def _columns(self) -> Iterator[range]:
        return _spans(self.shape[1], self._sides[1])

    def _fill(self, out: npt.NDArray[Any], rows: range, columns: range) -> Clipped:
        """Filter one tile into its place in a band."""
        place = out[:, columns.start : columns.stop]
        made, clipped = filter_pixels(self._tile(rows, columns, place), self._work)
        array = made.samples if isinstance(made, ArrayPixels) else made.array()
        if array is not place:
            place[:] = array
        return clipped

    def span(self, work: Work) -> None:
        """Have a stretch span what it does in a work for all pages."""
        self._work = self._work._replace(ends=work.ends)

    def extent(self, pool: Pool) -> Ends:
        """What a stretch of the whole page spans."""
        self._keep()
        found: list[Ends | None] = []
        for rows in _spans(self.shape[0], self._sides[0]):
            tiles = [self._tile(rows, columns) for columns in self._columns()]
            found.extend(pool.map(lambda tile: find_extent(tile, self._work), tiles))
            self._progress(rows.stop / self.shape[0] / 2)
        self._page.keep(0)  # while other pages are looked through
        return outermost(found) or NOTHING

    def _keep(self) -> None:
        """Have the page keep what neighbouring bands share, and forget what it has kept."""
        self._page.keep(blocks.reach(self._page.shape, self._steps, self._sides[0]))


def _spans(size: int, step: int) -> Iterator[range]:
    return (range(at, min(at + step, size)) for at in range(0, size, step))
