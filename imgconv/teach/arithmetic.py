"""One output pixel's arithmetic: what a kernel reads there, and how a pixel comes of it."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

from imgconv.engine.geometry import OUTSIDE, Axis, Geometry
from imgconv.engine.levels import NONE
from imgconv.errors import ImageError
from imgconv.kernels.kernel import Kernel
from imgconv.light import NamedTuple
from imgconv.pictures.pixels import NAMELESS, Pixels
from imgconv.pipeline.filter import filter_pixels
from imgconv.pipeline.work import CHANNELS, Work

if TYPE_CHECKING:
    import numpy.typing as npt

Exact: TypeAlias = Fraction | float  # a float only where it is infinite or no number
Matrix: TypeAlias = tuple[tuple[Exact, ...], ...]

NOUGHT, ONE = Fraction(0), Fraction(1)


class Channel(NamedTuple):
    """The arithmetic of one channel; `outside` says which samples the border made.

    `rest` says in words what a channel is that the kernel does not filter; its weights are 1.
    `inputs` are the channels that a sum over several reads: their rows one below the other.
    """

    name: str
    samples: Matrix
    weights: Matrix
    divisor: Exact
    bias: Exact
    pixel: int | float
    outside: tuple[tuple[bool, ...], ...]
    rest: str = ""
    inputs: tuple[str, ...] = ()

    @property
    def products(self) -> Matrix:
        """Each weight times its sample; a weight of 0 reads nothing, not even what is no number."""
        return tuple(
            tuple(w * x if w else NOUGHT for w, x in zip(weights, samples, strict=True))
            for weights, samples in zip(self.weights, self.samples, strict=True)
        )

    @property
    def sum(self) -> Exact:
        """The sum of the products."""
        return sum((p for row in self.products for p in row), NOUGHT)

    @property
    def response(self) -> Exact:
        """The sum over the divisor, plus the bias."""
        return self.sum / self.divisor + self.bias


class Explained(NamedTuple):
    """An output pixel, what is done, the kind of its samples, and what `stretch` spans."""

    x: int
    y: int
    size: tuple[int, int]
    channels: tuple[Channel, ...]
    geometry: Geometry
    work: Work
    kind: str
    ends: tuple[Fraction, Fraction]


def explain(frame: Pixels, work: Work, at: tuple[int, int]) -> Explained:
    """Return the arithmetic of the output pixel at (x, y); its pixels are those that `apply` makes.

    Raises
    ------
    ImageError, GeometryError
        If there is no such pixel, or the picture cannot be filtered so.
    """
    (kernel,) = work.kernels
    assert isinstance(kernel, Kernel)
    filtered, _ = filter_pixels(frame, work)
    (width, height), (x, y) = filtered.size, at
    if x >= width or y >= height:
        raise no_such_pixel(at, filtered.size)
    luma = work.channels == "luma" and frame.names.startswith("rgb")
    picture = {"gray": frame.gray, "rgb": frame.colour}.get(work.channels, lambda: frame)()
    layout = work.laid("l" if luma else picture.names, frame.kind)
    geometry = layout.on(frame.size[::-1], kernel.size)
    window = _Window(kernel, geometry, at, filtered.array()[y, x].tolist())
    if luma:
        gray, plain = frame.gray().channel(0), work._replace(channels="auto")
        after, _ = filter_pixels(gray, plain)
        channels = window.moved(frame, gray, after.array()[y, x, 0].item())
        ends = _ends(gray, plain)
    else:
        if work.sums:
            channels = window.summed(picture, filtered.names, work.channels)
        else:
            channels = window.each(picture, work.channels)
        ends = _ends(frame, work)
    return Explained(x, y, filtered.size, tuple(channels), geometry, work, frame.kind, ends)


def no_such_pixel(at: tuple[int, int], size: tuple[int, int]) -> ImageError:
    """Return the error for a pixel outside an output of (width, height)."""
    width, height = size
    return ImageError(
        f"has no output pixel {at[0]},{at[1]}; the output is {width}x{height}, "
        f"so x is 0 to {width - 1} and y 0 to {height - 1}"
    )


class _Window(NamedTuple):
    """What a kernel reads for an output pixel, and the pixel's samples as `apply` makes them."""

    kernel: Kernel
    geometry: Geometry
    at: tuple[int, int]
    pixels: list[int | float]

    def each(self, picture: Pixels, channels: str) -> list[Channel]:
        """Return every channel of the output, filtered or not."""
        array, found = picture.array(), []
        for i, letter in enumerate(picture.names):
            one = self._filled(i)
            make = one._filtered if _is_filtered(letter, channels) else one._kept
            found.append(make(_named(letter, i), array[:, :, i], self.pixels[i]))
        return found

    def summed(self, picture: Pixels, names: str, channels: str) -> list[Channel]:
        """Return every output of a sum over channels, then those that are not filtered."""
        array, letters = picture.array(), picture.names
        read = [i for i, letter in enumerate(letters) if _is_filtered(letter, channels)]
        reads, found = self.kernel.reads(len(read)), {}
        # As many outputs as were read take their places.
        places = read if len(reads) == len(read) else range(len(reads))
        for output, inputs, place in zip(self.kernel.outputs, reads, places, strict=True):
            one = self._replace(kernel=output)
            parts = [one._filled(read[i])._filtered("", array[:, :, read[i]], 0) for i in inputs]
            found[place] = parts[0]._replace(
                name=_named(names[place], place),
                samples=tuple(row for part in parts for row in part.samples),
                outside=tuple(row for part in parts for row in part.outside),
                pixel=self.pixels[place],
                inputs=tuple(_named(letters[read[i]], read[i]) for i in inputs),
            )
        rest = [i for i in range(len(letters)) if i not in read]
        others = [place for place in range(len(names)) if place not in found]
        for i, place in zip(rest, others, strict=True):
            found[place] = self._kept(_named(letters[i], i), array[:, :, i], self.pixels[place])
        return [found[place] for place in range(len(names))]

    def moved(self, frame: Pixels, gray: Pixels, new: int | float) -> list[Channel]:
        """Return the brightness, then each colour moved by as much as the brightness moved."""
        plane, array = gray.array()[:, :, 0], frame.array()
        ((old,),) = self._kept("l", plane, 0).samples
        found = [self._filtered("l", plane, new)]
        for i, letter in enumerate(frame.names):
            kept = self._kept(_named(letter, i), array[:, :, i], self.pixels[i])
            if letter in "rgb":
                ((colour,),), ((beyond,),) = kept.samples, kept.outside
                kept = kept._replace(
                    samples=((colour, exact(new), old),),
                    weights=((ONE, ONE, -ONE),),
                    outside=((beyond,) * 3,),
                    rest="the colour, plus the new brightness, less the old",
                )
            found.append(kept)
        return found

    def _filled(self, channel: int) -> _Window:
        """The same for a channel, with its own part of a colour around."""
        fill = self.geometry.fill
        if not isinstance(fill, tuple):
            return self
        return self._replace(geometry=self.geometry._replace(fill=fill[channel]))

    def _filtered(self, name: str, plane: npt.NDArray[Any], pixel: int | float) -> Channel:
        rows, columns = positions(self.geometry, self.at)
        ys = map(self.geometry.rows.source, rows)
        xs = list(map(self.geometry.columns.source, columns))
        fill, (height, width), bias = self.geometry.fill, plane.shape, self.kernel.bias
        assert not isinstance(bias, tuple)
        assert not isinstance(fill, tuple)
        outside = exact(fill)
        return Channel(
            name,
            tuple(
                tuple(outside if OUTSIDE in (y, x) else exact(plane[y, x].item()) for x in xs)
                for y in ys
            ),
            tuple(tuple(map(exact, row)) for row in self.kernel.weights),
            exact(self.kernel.divisor),
            exact(bias),
            pixel,
            tuple(tuple(not (0 <= p < height and 0 <= q < width) for q in columns) for p in rows),
        )

    def _kept(self, name: str, plane: npt.NDArray[Any], pixel: int | float) -> Channel:
        """A channel that is not filtered: the sample under the anchor, or the edge's."""
        middle = []
        for axis, read in zip(self.geometry[:2], positions(self.geometry, self.at), strict=True):
            middle.append((read[0] + axis.anchor, axis.size))
        y, x = (min(max(position, 0), size - 1) for position, size in middle)
        sample, beyond = exact(plane[y, x].item()), [y, x] != [position for position, _ in middle]
        words = f"not filtered: the sample at {x},{y}"
        return Channel(name, ((sample,),), ((ONE,),), ONE, NOUGHT, pixel, ((beyond,),), words)


def _named(letter: str, index: int) -> str:
    return str(index) if letter == NAMELESS else letter


def _is_filtered(letter: str, channels: str) -> bool:
    if channels == "luma":
        return letter == "l"
    return letter != "a" if channels in CHANNELS else letter in channels.split(",")


def positions(geometry: Geometry, at: tuple[int, int]) -> tuple[list[int], list[int]]:
    """Return the rows and the columns that the pixel at (x, y) reads, some outside the picture."""

    def read(axis: Axis, index: int) -> list[int]:
        first = index * axis.stride - axis.before
        return [first + tap * axis.dilation for tap in range(axis.taps)]

    return read(geometry.rows, at[1]), read(geometry.columns, at[0])


def _ends(frame: Pixels, work: Work) -> tuple[Fraction, Fraction]:
    """The least and greatest response of the frame, where the levels ask for them."""
    if work.levels != "stretch":
        return NOUGHT, NOUGHT
    import numpy as np

    out, _ = filter_pixels(frame, work._replace(levels=NONE))
    channels = "auto" if work.sums else work.channels
    filtered = [_is_filtered(letter, channels) for letter in out.names]
    responses = out.array()[:, :, filtered]
    finite = responses[np.isfinite(responses)]
    if not finite.size:
        return NOUGHT, NOUGHT
    return Fraction(float(finite.min())), Fraction(float(finite.max()))


def exact(value: int | float) -> Exact:
    """Return a number as a fraction, if it is one."""
    return Fraction(value) if math.isfinite(value) else float(value)
