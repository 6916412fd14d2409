"""One large picture read, filtered and written at once, band by band as its rows arrive."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import accumulate
from typing import IO, TYPE_CHECKING, Any

from imgconv.engine import ready
from imgconv.engine.pool import Pool, Queue
from imgconv.light import NamedTuple
from imgconv.pictures import arriving, coders, encode, pillow
from imgconv.pictures.encode import Writing
from imgconv.pictures.picture import LARGE, Head, Picture
from imgconv.pictures.pixels import ImagePart, ImagePixels, white
from imgconv.pipeline import blocks
from imgconv.pipeline.filter import filter_pixels, foretell, is_by_rows, steps_of
from imgconv.pipeline.hidden import bleeds
from imgconv.pipeline.views import Band, Outline
from imgconv.pipeline.work import Clipped, Work

if TYPE_CHECKING:
    from imgconv.pictures.coders import Coder

BAND = 1 << 19  # pixels of a band at least: many enough, so that Python has little to do
AHEAD = 2  # bands a thread that are begun or made, and not yet written


def _unheard() -> None:
    """Tell nobody."""


class Flow(NamedTuple):
    """How a picture becomes a file: what is done to it, and what writes strips of what comes out.

    `lost` are the names of what is not kept.
    """

    source: ImagePixels
    work: Work
    size: tuple[int, int]
    format: str
    coder: Coder
    lost: tuple[str, ...]


class Seen(NamedTuple):
    """What was seen of a picture: samples that were clipped, and whether hidden colours bleed."""

    clipped: Clipped = Clipped(0, 0, 0)
    bleeds: bool = False


def begun(picture: Picture, work: Work, name: str, writing: Writing) -> Flow | None:
    """Return how a picture flows into a file; nothing for one of which all is wanted at once.

    Raises
    ------
    ImageError, GeometryError
        As `filter_pixels` and `encode.write` do.
    """
    source = picture.frames[0]
    if len(picture.frames) > 1 or not isinstance(source, ImagePixels):
        return None
    if math.prod(source.size) < LARGE or not pillow.is_reachable():
        return None
    if (work.levels == "stretch" and not work.ends) or work.layout.border == "wrap":
        return None
    outline = Outline(white(source.names, source.kind), source.size)
    made = foretell(outline, work)
    if not is_by_rows(outline, work):
        return None
    head = Head(picture._replace(frames=(made.picture,)), (made.size,))
    coder, lost = encode.begun(head, name, writing)
    return Flow(source, work, made.size, name, coder, lost) if coder else None


def run(
    flow: Flow,
    out: IO[bytes],
    size: int = 0,
    *,
    look: Callable[[], None] = _unheard,
    near: Callable[[], None] = _unheard,
) -> Seen:
    """Filter a picture, whose own file has so many bytes, into another; return what was seen.

    `look` is called now and then, `near` when all of it is decoded.

    Raises
    ------
    ImageError
        If the picture is broken, or cannot be written.
    """
    bands = _Bands(flow, out)
    threads = min(flow.work.threads or ready.thread_count(), len(bands.rows))
    with encode.told(flow.format), Pool(threads - 1) as pool:
        queue = Queue(pool, bands.put, AHEAD * threads)

        def there(count: int) -> None:
            """Have those bands made for which all that they read is there."""
            look()
            while bands.begun < count:
                bands.begun += 1
                queue.add(bands.made, bands.begun - 1)

        if arriving.is_arriving(flow.source.image):
            arriving.load(flow.source.image, size, bands.marks, there)
        else:
            there(len(bands.rows))
        near()
        queue.finish()
        flow.coder.finish(out)
    return bands.seen


class _Bands:
    """The bands of a picture: which rows they read, how they are made, and what becomes of them."""

    def __init__(self, flow: Flow, out: IO[bytes]) -> None:
        self._flow, self._out, self._put = flow, out, 0
        image, (_, height) = flow.source.image, flow.size
        self._image = image._new(image.im)  # which does not wait for all of it
        self._work = flow.work._replace(threads=1)
        shape, path = (image.height, image.width), steps_of(flow.work)
        # What a band reads beyond itself, its neighbours read too: it is to be little beside it.
        strip = flow.coder.rows
        strips = max(
            1, BAND // (strip * flow.size[0]), -(-4 * blocks.reach(shape, path, 1) // strip)
        )
        self.rows = [*coders.spans(strips * strip, height)]
        self._reads = [blocks.reads(shape, path, rows) for rows in self.rows]
        self.marks = [*accumulate((read.stop - 1 for read in self._reads), max)]
        kept = accumulate((read.start for read in self._reads[:0:-1]), min)
        self._kept = [*reversed([image.height, *kept])]  # from where on others read
        self.seen, self.begun = Seen(), 0

    def made(self, i: int) -> tuple[list[Any], Seen]:
        """Filter and code a band; on any thread."""
        out, clipped = filter_pixels(Band(self._image, self.rows[i]), self._work)
        part = ImagePart(self._image, self._reads[i], range(self._image.width))
        seen = Seen(clipped, bleeds(part, self._work))
        return coders.coded(out, self._flow.coder, self.rows[i].start), seen

    def put(self, made: tuple[list[Any], Seen]) -> None:
        """Write the next band, and give back the memory under rows that no other one reads."""
        coded, seen = made
        for each in coded:
            self._flow.coder.put(self._out, each)
        clipped = Clipped(*map(sum, zip(self.seen.clipped, seen.clipped, strict=True)))
        self.seen = Seen(clipped, self.seen.bleeds or seen.bleeds)
        if view := pillow.of_memory(self._image.im):
            pillow.release(view._replace(height=self._kept[self._put]))
        self._put += 1
