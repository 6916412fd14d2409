"""The way back from outputs to the rows and columns that are read for them, step by step."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from imgconv.engine import samples
from imgconv.engine.geometry import Axis, Fill, Geometry, Layout, Size, Window
from imgconv.engine.samples import Samples
from imgconv.engine.step import Step
from imgconv.light import NamedTuple
from imgconv.pipeline.work import Link

if TYPE_CHECKING:
    from typing import Protocol

    from imgconv.pictures.pixels import Pixels

    class Readable(Protocol):
        """A picture that is read in rectangles."""

        def read(self, rows: range, columns: range, /) -> Pixels:
            """Return a rectangle."""

        @property
        def shape(self) -> Size:
            """Rows and columns of the picture."""


MIRRORED = ("reflect", "symmetric")  # borders that are made of more than the edge
Sources: TypeAlias = "array[int] | range"


class Cut(NamedTuple):
    """The layout of some outputs of a picture, on a block of it that holds what they read.

    `many` are rows and columns of them, `shift` how far the first of them lies, without padding,
    below and right of where the block begins. What is read outside of the block is border. Pieces
    that lie alike in blocks of one size have one layout, and so one program.
    """

    whole: Layout
    fill: Fill
    shape: Size
    many: Size
    shift: Size
    block: Size

    def outputs(self, _: Size, kernel: Size, /) -> int:
        """Return how many outputs the whole picture has, see `Layout.outputs`."""
        return self.whole.outputs(self.shape, kernel)

    def on(self, _: Size, kernel: Size, /) -> Geometry:
        """Return the geometry for the block and a kernel."""
        down, across, _fill = self.whole.on(self.shape, kernel)
        rows, columns = map(_on, (down, across), self.many, self.shift, self.block)
        return Geometry(rows, columns, self.fill)


def _on(axis: Axis, outputs: int, shift: int, block: int) -> Axis:
    """The axis of so many outputs on a block of so many positions."""
    before, read = axis.before - shift, len(axis.positions(range(outputs)))
    return axis._replace(size=block, before=before, after=read - block - before)


def _within(axis: Axis, span: range) -> range:
    """The samples that are read at positions, with those that a border mirrors into them."""
    size, above, below = axis.size, -span.start, span.stop - axis.size
    start, stop = min(max(0, span.start), size - 1), max(1, min(span.stop, size))
    if axis.border in MIRRORED and above > 0:
        start, stop = 0, min(max(stop, above + 1), size)
    if axis.border in MIRRORED and below > 0:
        start, stop = max(0, min(start, size - 1 - below)), size
    return range(start, stop)


def geometries(shape: Size, path: Iterable[Step]) -> list[Geometry]:
    """The geometry of each step's first kernel on the whole picture."""
    found = []
    for step in path:
        found.append(step.layout.on(shape, step.kernels[0].size))
        shape = found[-1].shape
    return found


def shapes(shape: Size, path: Iterable[Step]) -> list[Size]:
    """Return rows and columns of a picture, and of what each step makes of it."""
    return [shape, *(geometry.shape for geometry in geometries(shape, path))]


def reach(shape: Size, path: Sequence[Step], rows: int) -> int:
    """Return how many rows of a picture so many rows of output read."""
    for geometry in reversed(geometries(shape, path)):
        rows = len(geometry.rows.positions(range(rows)))
    return min(rows, shape[0])


def reads(shape: Size, path: Sequence[Step], rows: range) -> range:
    """Return the rows of a picture that rows of output read, where no border wraps around."""
    for size, step in zip(reversed(shapes(shape, path)[:-1]), reversed(path), strict=True):
        axes = [step.layout.on(size, kernel.size).rows for kernel in step.kernels]
        rows = _within(axes[0], _span([axis.positions(rows) for axis in axes]))
    return rows


class Run:
    """A picture's way through links, from what is wanted back to what has to be read."""

    def __init__(
        self, picture: Readable, first: Callable[[Pixels], Samples], links: Sequence[Link]
    ) -> None:
        self._picture, self._first, self._links = picture, first, links
        self._shapes = shapes(picture.shape, (link.step for link in links))

    def made(self, k: int, rows: range, columns: range) -> Any:
        """Return what the k-th link makes for these outputs; before the first is the picture."""
        if k < 0:
            return self._first(self._picture.read(rows, columns))
        step, make, grain = self._links[k]
        if grain == (1, 1) or k + 1 == len(self._links):
            return make(*self._block(k, step, rows, columns))
        wide = [
            range(r.start // g * g, min(-(-r.stop // g) * g, n))
            for r, g, n in zip((rows, columns), grain, self._shapes[k + 1], strict=True)
        ]
        found = make(*self._block(k, step, *wide))
        place = found.at(rows.start - wide[0].start, columns.start - wide[1].start)
        return found._replace(address=place, height=len(rows), width=len(columns))

    def _block(self, k: int, step: Step, rows: range, columns: range) -> tuple[Samples, Step]:
        """What a link reads for these outputs, and the step on that block.

        Wrapped around, it has its border; any other is made as the step is done.
        """
        shape, whole = self._shapes[k], step.layout
        assert isinstance(whole, Layout)
        on = [whole.on(shape, kernel.size) for kernel in step.kernels]
        high = _span([geometry.rows.positions(rows) for geometry in on])
        wide = _span([geometry.columns.positions(columns) for geometry in on])
        down, across = on[0].rows, on[0].columns
        if whole.border == "wrap":
            block = self._gathered(k - 1, _sources(down, high), _sources(across, wide))
        else:
            high, wide = _within(down, high), _within(across, wide)
            block = self.made(k - 1, high, wide)
        (sy, sx), count = whole.stride, (len(rows), len(columns))
        shift = rows.start * sy - high.start, columns.start * sx - wide.start
        cut = Cut(whole, whole.fill, shape, count, shift, (len(high), len(wide)))
        return block, step._replace(layout=cut)

    def _gathered(self, k: int, down: Sources, across: Sources) -> Samples:
        """What the k-th link makes at any rows and columns."""
        if isinstance(down, range) and isinstance(across, range):
            found: Samples = self.made(k, down, across)
            return found
        high, wide = _stretches(down), _stretches(across)
        import numpy as np

        block = np.concatenate([
            np.concatenate([samples.array_of(self.made(k, y, x)) for x in wide], axis=1)
            for y in high
        ])  # fmt: skip
        out = np.empty((len(down), len(across), block.shape[2]), block.dtype)
        rows = block[_places(down, high)]
        for at, place in _runs(_places(across, wide)):
            out[:, at : at + len(place)] = rows[:, place.start : place.stop]
        return samples.of_array(out)


def _sources(axis: Axis, span: range) -> Sources:
    """Which samples stand at positions: themselves, where none of them is outside."""
    if span.start >= 0 and span.stop <= axis.size:
        return span
    return Window(axis, [span], {}).sources()


def _span(each: Sequence[range]) -> range:
    """The positions from the first to the last of several ranges."""
    return range(min(r.start for r in each), max(r.stop for r in each))


def _stretches(sources: Sources) -> list[range]:
    """Indices as ranges, in order."""
    if isinstance(sources, range):
        return [sources]
    found: list[range] = []
    for index in sorted(set(sources)):
        if found and found[-1].stop == index:
            found[-1] = range(found[-1].start, index + 1)
        else:
            found.append(range(index, index + 1))
    return found


def _places(sources: Iterable[int], stretches: Sequence[range]) -> list[int]:
    """Where in a block of stretches side by side each source is."""
    places, at = dict[int, int](), 0
    for stretch in stretches:
        places |= dict(zip(stretch, itertools.count(at)))
        at += len(stretch)
    return [places[index] for index in sources]


def _runs(places: Sequence[int]) -> Iterator[tuple[int, range]]:
    """Runs of consecutive places, and where each begins."""
    at = 0
    for i in range(1, len(places) + 1):
        if i == len(places) or places[i] != places[i - 1] + 1:
            yield at, range(places[at], places[i - 1] + 1)
            at = i
