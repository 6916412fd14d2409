"""What is filtered at once: a picture in memory, or a tile with all it reads of a larger one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from imgconv.engine import run, samples
from imgconv.engine.geometry import Axis, Size
from imgconv.engine.samples import Samples
from imgconv.engine.step import Step
from imgconv.light import NamedTuple
from imgconv.pictures import pixels
from imgconv.pictures.pixels import ArrayPixels, ImagePart, Pixels
from imgconv.pipeline.work import Link

if TYPE_CHECKING:
    import numpy.typing as npt
    from PIL import Image

Change: TypeAlias = Callable[[Pixels], Pixels]


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
    def shape(self) -> Size:
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
        links = [Link(step, lambda *on: _sampled(*on)[0]) for step in path[:-1]]
        links.append(Link(path[-1], lambda *on: _sampled(*on)[1]()))
        return [self.run(functools.partial(_channel, i), links) for i in wanted]

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
    def shape(self) -> Size:
        """Rows and columns of the picture."""
        return self.size[1], self.size[0]

    def changed(self, change: Change) -> Outline:
        """Return the outline of what becomes of the picture."""
        return Outline(change(self.picture), self.size)


class Tile(NamedTuple):
    """Some rows and columns of the output of a picture, which is read in rectangles."""

    read: Callable[[range, range], Pixels]
    shape: Size
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
        from imgconv.pipeline import blocks

        return blocks.Run(self, first, links).made(len(links) - 1, self.rows, self.columns)

    def sampled(self, path: Sequence[Step], wanted: Sequence[int]) -> list[Pixels]:
        """Take channels through the geometry of steps, as those that are not filtered go."""
        from imgconv.pipeline import blocks

        axes = [(g.rows, g.columns) for g in blocks.geometries(self.shape, path)]
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


class Band(Whole):
    """Some rows of the output of a picture, of which no more need be there than they read.

    What is done to the picture before is done to these rows, pixel by pixel.
    """

    def __init__(self, image: Image.Image, rows: range, changes: tuple[Change, ...] = ()) -> None:
        self._image, self._rows, self._changes = image, rows, changes
        super().__init__(self.read(range(1), range(image.width)))

    @property
    def shape(self) -> Size:
        """Rows and columns of the picture."""
        return self._image.height, self._image.width

    def changed(self, change: Change) -> Band:
        """Return a view of what becomes of the picture."""
        return Band(self._image, self._rows, (*self._changes, change))

    def run(self, first: Callable[[Pixels], Samples], links: Sequence[Link]) -> Any:
        """Make of the rows that are read what the links make one after the other."""
        from imgconv.pipeline import blocks

        wide = blocks.shapes(self.shape, (link.step for link in links))[-1][1]
        return blocks.Run(self, first, links).made(len(links) - 1, self._rows, range(wide))

    def read(self, rows: range, columns: range) -> Pixels:
        """Return a rectangle of the picture."""
        found: Pixels = ImagePart(self._image, rows, columns)
        for change in self._changes:
            found = change(found)
        return found


View: TypeAlias = Whole | Tile


def _channel(index: int, picture: Pixels) -> Samples:
    return picture.channel(index).view()


def _sampled(source: Samples, step: Step) -> tuple[Samples, Callable[[], Pixels]]:
    """Samples under the middles of a kernel, and what returns their pixels."""
    geometry = step.on(source)[0]
    target, finished = pixels.room("l", source.kind, *geometry.shape)
    run.sample(source, target, geometry)
    return target, finished


def _centres(axes: Sequence[Axis], outputs: range) -> Sequence[int]:
    """The samples of the picture that unfiltered outputs take, through one axis after another."""
    found: Sequence[int] = outputs
    for axis in reversed(axes):
        centres = axis.centre().window(0, axis.outputs, [0]).sources()
        found = [centres[i] for i in found]
    return found
