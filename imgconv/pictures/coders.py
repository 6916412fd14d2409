"""Files that are written strip by strip: each strip is coded on any thread, and put in its turn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

from imgconv.pictures.pixels import ArrayPixels, ImagePart, Pixels

if TYPE_CHECKING:
    from typing import Protocol

    class Coder(Protocol):
        """A file of one picture, as it is written.

        `rows` are those of every strip but the last; the size of the picture alone decides them,
        and so the bytes are the same whoever codes what, and when.
        """

        rows: int

        def code(self, strip: Pixels, first: int, /) -> Any:
            """Return what becomes of a strip that begins at such a row; on any thread."""

        def put(self, out: IO[bytes], coded: Any, /) -> None:
            """Write what became of the next strip."""

        def finish(self, out: IO[bytes], /) -> None:
            """Write what follows the last one."""


FEW = 4  # strips, which are coded sooner than threads are started


def spans(rows: int, height: int) -> Iterator[range]:
    """Return the rows of each strip of so many."""
    return (range(at, min(at + rows, height)) for at in range(0, height, rows))


def write(out: IO[bytes], picture: Pixels, coder: Coder, threads: int) -> None:
    """Write a picture that is in memory."""
    height = picture.size[1]
    if height <= FEW * coder.rows:
        for found in coded(picture, coder, 0):
            coder.put(out, found)
        coder.finish(out)
        return
    from imgconv.engine.pool import Pool, Queue

    with Pool(min(threads, -(-height // coder.rows)) - 1) as pool:
        queue = Queue[Any](pool, lambda found: coder.put(out, found), threads)
        for rows in spans(coder.rows, height):
            queue.add(_code, picture, coder, rows, rows.start)
        queue.finish()
    coder.finish(out)


def coded(band: Pixels, coder: Coder, first: int) -> list[Any]:
    """Return what becomes of the strips of some rows, which begin at such a row of the picture."""
    each = spans(coder.rows, band.size[1])
    return [_code(band, coder, rows, first + rows.start) for rows in each]


def _code(band: Pixels, coder: Coder, rows: range, first: int) -> Any:
    if len(rows) == band.size[1]:
        return coder.code(band, first)
    if isinstance(band, ArrayPixels):
        return coder.code(ArrayPixels(band.samples[rows.start : rows.stop], band.names), first)
    return coder.code(ImagePart(band.image, rows, range(band.size[0])), first)
