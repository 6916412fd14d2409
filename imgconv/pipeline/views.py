"""What is filtered at once: a picture in memory, or a tile with all it reads of a larger one."""

from __future__ import annotations

import functools
import itertools
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from imgconv.engine import run, samples
from imgconv.engine.geometry import Axis, Fill, Geometry, Layout, Window
from imgconv.engine.samples import Samples
from imgconv.engine.step import Step
from imgconv.light import NamedTuple
from imgconv.pictures import pixels
from imgconv.pictures.pixels import ArrayPixels, Pixels

if TYPE_CHECKING:
    import numpy.typing as npt

Change: TypeAlias = Callable[[Pixels], Pixels]
Shape = tuple[int, int]
MIRRORED = ("reflect", "symmetric")  # borders that are made of more than the edge
Sources: TypeAlias = "array[int] | range"


class Link(NamedTuple):
    """A step of a chain: what it makes of samples, the last one whatever is wanted of them.

    `grain` are rows and columns of outputs that are the same bytes only if made together.
    """

    step: Step
    make: Callable[[Samples, Step], Any]
    grain: Shape = (1, 1)


class Cut(NamedTuple):
    """The layout of some outputs of a picture, on a block of it that holds what they read.

    `count` are rows and columns of them, `shift` how far the first of them lies, without padding,
    below and right of where the block begins. What is read outside of the block is border. Pieces
    that lie alike in blocks of one size have one layout, and so one program.
    """

    whole: Layout
    fill: Fill
    shape: Shape
    count: Shape
    shift: Shape
    block: Shape

    def outputs(self, _: Shape, kernel: Shape, /) -> int:
        """Return how many outputs the whole picture has, see `Layout.outputs`."""
        return self.whole.outputs(self.shape, kernel)

    def on(self, _: Shape, kernel: Shape, /) -> Geometry:
        """Return the geometry for the block and a kernel."""
        down, across, _fill = self.whole.on(self.shape, kernel)
        rows, columns = map(_on, (down, across), self.count, self.shift, self.block)
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


class Whole:
    """A picture in memory, all of which is filtered."""

    def __init__(self, picture: Pixels) -> None:
        self.picture = picture

    @functools.cached_property
    def samples(self) -> Samples:
        """The samples in memory."""
        return self.picture.view()

    @property
    def names(self) -> str:
        """A letter for each channel."""
        return self.picture.names

    @property
    def kind(self) -> str:
        """The type of the samples."""
        return self.picture.kind

    @property
    def shape(self) -> Shape:
        """Rows and columns of the picture."""
        return self.picture.size[1], self.picture.size[0]

    @property
    def depth(self) -> int:
        """How many samples a pixel has in memory."""
        return self.samples.channels

    def changed(self, change: Change) -> Whole:
        """Return a view of what becomes of the picture."""
        return Whole(change(self.picture))

    def run(self, first: Callable[[Pixels], Samples], links: Sequence[Link]) -> Any:
        """Make samples of the picture, and of those what the links make one after the other."""
        made: Any = first(self.picture)
        for step, make, _ in links:
            made = make(made, step)
        return made

    def sampled(self, path: Sequence[Step], wanted: Sequence[int]) -> list[Pixels]:
        """Take channels through the geometry of steps, as those that are not filtered go."""
        found = []
        for i in wanted:
            channel = self.picture.channel(i)
            for step in path:
                source = channel.view()
                geometry = step.on(source)[0]
                target, finished = channel.room(*geometry.shape)
                run.sample(source, target, geometry)
                channel = finished()
            found.append(channel)
        return found

    def room(
        self, names: str, kind: str, height: int, width: int, depth: int
    ) -> tuple[Samples, Callable[[], Pixels]]:
        """Room for pixels, see `pixels.room`."""
        return pixels.room(names, kind, height, width, depth)


class Outline(Whole):
    """What a head tells of a picture: one white pixel stands for all."""

    def __init__(self, pixel: Pixels, size: tuple[int, int]) -> None:
        super().__init__(pixel)
        self.size = size

    @property
    def shape(self) -> Shape:
        """Rows and columns of the picture."""
        return self.size[1], self.size[0]

    def changed(self, change: Change) -> Outline:
        """Return the outline of what becomes of the picture."""
        return Outline(change(self.picture), self.size)


class Tile(NamedTuple):
    """Some rows and columns of the output of a picture, which is read in rectangles."""

    read: Callable[[range, range], Pixels]
    shape: Shape
    names: str
    kind: str
    rows: range
    columns: range
    place: npt.NDArray[Any] | None = None  # where the output goes, if it needs nothing else done

    @property
    def depth(self) -> int:
        """How many samples a pixel has in memory."""
        return len(self.names)

    def changed(self, change: Change) -> Tile:
        """Return a view of what becomes of the picture."""

        def read(rows: range, columns: range) -> Pixels:
            found = change(self.read(rows, columns))
            return ArrayPixels(found.array(), found.names)

        small = read(range(1), range(1))
        return self._replace(read=read, names=small.names, kind=small.kind)

    def run(self, first: Callable[[Pixels], Samples], links: Sequence[Link]) -> Any:
        """Make of each rectangle what the next link reads of it, up to what is wanted at last."""
        return _Run(self, first, links).made(len(links) - 1, self.rows, self.columns)

    def sampled(self, path: Sequence[Step], wanted: Sequence[int]) -> list[Pixels]:
        """Take channels through the geometry of steps, as those that are not filtered go."""
        axes = [(g.rows, g.columns) for g in _geometries(self.shape, path)]
        rows = _centres([a for a, _ in axes], self.rows)
        columns = _centres([a for _, a in axes], self.columns)
        top, left = min(rows), min(columns)
        block = self.read(range(top, max(rows) + 1), range(left, max(columns) + 1)).array()
        down, across = [y - top for y in rows], [x - left for x in columns]
        block = block[down][:, across]
        return [ArrayPixels(block[:, :, i : i + 1].copy(), "l") for i in wanted]

    def room(
        self, names: str, kind: str, height: int, width: int, depth: int
    ) -> tuple[Samples, Callable[[], Pixels]]:
        """Room for pixels as an array, which is what is written of a tile."""
        import numpy as np

        shape = height, width, depth or len(names)
        new = self.place
        if new is None or (new.shape, new.dtype.name) != (shape, kind):
            new = np.empty(shape, kind)
        return samples.of_array(new), lambda: ArrayPixels(new, names)


View: TypeAlias = Whole | Tile


def _geometries(shape: Shape, path: Iterable[Step]) -> list[Geometry]:
    """The geometry of each step's first kernel on the whole picture."""
    found = []
    for step in path:
        found.append(step.layout.on(shape, step.kernels[0].size))
        shape = found[-1].shape
    return found


def shapes(shape: Shape, path: Iterable[Step]) -> list[Shape]:
    """Return rows and columns of a picture, and of what each step makes of it."""
    return [shape, *(geometry.shape for geometry in _geometries(shape, path))]


def reach(shape: Shape, path: Sequence[Step], rows: int) -> int:
    """Return how many rows of a picture so many rows of output read."""
    for geometry in reversed(_geometries(shape, path)):
        rows = len(geometry.rows.positions(range(rows)))
    return min(rows, shape[0])


def _centres(axes: Sequence[Axis], outputs: range) -> Sequence[int]:
    """The samples of the picture that unfiltered outputs take, through one axis after another."""
    found: Sequence[int] = outputs
    for axis in reversed(axes):
        centres = axis.centre().window(0, axis.outputs, [0]).sources()
        found = [centres[i] for i in found]
    return found


class _Run:
    """One tile's way back from what is wanted to what has to be read."""

    def __init__(
        self, tile: Tile, first: Callable[[Pixels], Samples], links: Sequence[Link]
    ) -> None:
        self._tile, self._first, self._links = tile, first, links
        self._shapes = shapes(tile.shape, (link.step for link in links))

    def made(self, k: int, rows: range, columns: range) -> Any:
        """Return what the k-th link makes for these outputs; before the first is the picture."""
        if k < 0:
            return self._first(self._tile.read(rows, columns))
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
