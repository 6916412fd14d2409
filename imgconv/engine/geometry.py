"""Padding, border, stride and dilation: which source index each tap of each output reads."""

from __future__ import annotations

import functools
from array import array
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeAlias

from imgconv.errors import GeometryError, OptionError
from imgconv.light import NamedTuple

OUTSIDE = -1

Size = tuple[int, int]  # rows, columns
Run = tuple[int, int, int, int]  # position in a window, source, step, how many
Fill: TypeAlias = float | tuple[float, ...]  # one number, or one for each channel in memory


# A border that is a smaller part than this of what is read is summed like the rest.
NARROW = 8


class Window(NamedTuple):
    """Positions that a piece of output reads along an axis, and where in them each tap starts."""

    axis: Axis
    positions: list[range]
    starts: dict[int, int]

    @property
    def length(self) -> int:
        """How many positions there are."""
        return sum(map(len, self.positions))

    @property
    def inside(self) -> range:
        """Where in the window the image itself is; empty unless all stand side by side."""
        if len(self.positions) != 1 or self.positions[0].step != 1:
            return range(0)
        before, within, _ = self.axis.split(self.positions[0])
        return range(len(before), len(before) + len(within))

    def sources(self) -> array[int]:
        """Return the source index of every position."""
        found = array("q")
        for _, first, step, count in self.runs():
            found.extend(range(first, first + count * step, step) if step else [first] * count)
        return found

    def runs(self) -> list[Run]:
        """Return the same as runs, in order."""
        found, at = [], 0
        for span in self.positions:
            before, inside, after = self.axis.split(span)
            within = [(inside[0], inside.step, len(inside))] if inside else []
            outside = [_runs(map(self.axis.source, side)) for side in (before, after)]
            for first, step, count in (*outside[0], *within, *outside[1]):
                found.append((at, first, step, count))
                at += count
        return found

    def inner(self) -> tuple[int, int, list[Run]]:
        """Return the positions that have to be summed, and of which of them others are copies.

        These are all of them, unless a border that repeats the image is a good part. A copy is a
        run whose source is a position as well.
        """
        runs = self.runs()
        long = max(runs, key=lambda run: run[3])
        at, _, step, many = long
        if step != 1 or (self.length - many) * NARROW < self.length:
            return 0, self.length, []
        copies = []
        for run in runs:
            found = within([long], *run[1:])
            if not found:
                return 0, self.length, []
            if run != long:
                copies.append((run[0], *found, run[3]))
        return at, many, copies


def _runs(sources: Iterable[int]) -> list[tuple[int, int, int]]:
    """Sources as runs of (first, step, how many)."""
    found: list[tuple[int, int, int]] = []
    for source in sources:
        first, step, count = found[-1] if found else (0, 0, 0)
        if count == 1 or (count and source == first + step * count):
            found[-1] = first, source - first if count == 1 else step, count + 1
        else:
            found.append((source, 1, 1))
    return found


def within(long: list[Run], first: int, step: int, count: int) -> tuple[int, int] | None:
    """Where among other runs the pixels of a run are already, and how far apart, if they are."""
    for at, start, apart, many in long:
        place, between = (first - start) // apart, step // apart
        ends = place, place + between * (count - 1)
        met = (first - start) % apart == step % apart == 0
        if met and min(ends) >= 0 and max(ends) < many:
            return at + place, between
    return None


@functools.lru_cache(maxsize=64)
def _phases(
    count: int, shifts: tuple[int, ...], stride: int
) -> tuple[list[int], list[tuple[int, int, int]]]:
    """Lay out what `count` outputs read through taps shifted by so many positions.

    Returns where each tap starts, and the groups of positions: phase of the stride, first, length.
    """
    divided = {shift: divmod(shift, stride) for shift in sorted(set(shifts))}
    phases: dict[int, list[int]] = {}
    for quotient, phase in divided.values():
        phases.setdefault(phase, []).append(quotient)
    ranges = [(phase, q[0], q[-1]) for phase, q in phases.items()]
    if sum(count + high - low for _, low, high in ranges) > count * len(divided):
        ranges = [(phase, quotient, quotient) for quotient, phase in divided.values()]
    starts, groups, at = {}, [], 0
    for phase, low, high in ranges:
        for shift, (quotient, own) in divided.items():
            if own == phase and low <= quotient <= high:
                starts[shift] = at + quotient - low
        groups.append((phase, low, count + high - low))
        at += count + high - low
    return [starts[shift] for shift in shifts], groups


class Axis(NamedTuple):
    """One direction of an image: its samples, what is added around them, what each tap reads.

    `anchor` is how far the sample under a kernel's anchor lies from its first tap.
    """

    size: int
    taps: int
    before: int
    after: int
    stride: int
    dilation: int
    border: str
    anchor: int = 0

    @property
    def outputs(self) -> int:
        """The number of outputs; zero or less where the kernel does not fit."""
        span = self.dilation * (self.taps - 1) + 1
        return (self.size + self.before + self.after - span) // self.stride + 1

    def source(self, position: int) -> int:
        """Return the sample that stands at a position of the image, which may lie outside it."""
        n = self.size
        if 0 <= position < n:
            return position
        if self.border == "constant":
            return OUTSIDE
        if self.border == "edge" or n == 1:
            return 0 if position < 0 else n - 1
        if self.border == "wrap":
            return position % n
        # edge repeated: a period of 2n samples; not repeated: the two ends stand once, 2n - 2
        twice = 1 if self.border == "symmetric" else 0
        folded = position % (2 * n - 2 + 2 * twice)
        return folded if folded < n else 2 * n - 2 + twice - folded

    def window(self, first: int, last: int, taps: Sequence[int]) -> Window:
        """Return what outputs first..last read through the taps, without a stride between them.

        Positions of one phase of the stride stand side by side, so that a tap reads consecutive
        ones; far apart taps (a large dilation) get positions of their own where that is less.
        """
        starts, groups = _phases(
            last - first, tuple(tap * self.dilation for tap in taps), self.stride
        )
        positions = []
        for phase, low, length in groups:
            start = (first + low) * self.stride + phase - self.before
            positions.append(range(start, start + length * self.stride, self.stride))
        return Window(self, positions, dict(zip(taps, starts, strict=True)))

    def split(self, span: range) -> tuple[range, range, range]:
        """Split positions into those before, inside and after the image."""
        low = max(0, min(len(span), -(span.start // span.step)))
        high = max(low, min(len(span), -((span.start - self.size) // span.step)))
        return span[:low], span[low:high], span[high:]

    def positions(self, outputs: range) -> range:
        """Return the positions from the first to the last that consecutive outputs read."""
        span = self.dilation * (self.taps - 1) + 1
        first = outputs[0] * self.stride - self.before
        return range(first, first + (len(outputs) - 1) * self.stride + span)

    def around(self, outputs: range) -> Axis:
        """Return the axis of all positions that consecutive outputs read, as outputs themselves."""
        read = self.positions(outputs)
        return Axis(self.size, 1, -read.start, read.stop - self.size, 1, 1, self.border)

    def centre(self) -> Axis:
        """Return the axis of the one sample that an unfiltered channel takes: edge outside."""
        start = self.anchor - self.before
        after = start + (self.outputs - 1) * self.stride + 1 - self.size
        return Axis(self.size, 1, -start, after, self.stride, 1, "edge")


def fills(fill: Fill) -> tuple[float, ...]:
    """Return the numbers that a constant border is filled with."""
    return fill if isinstance(fill, tuple) else (fill,)


class Geometry(NamedTuple):
    """The two axes of one image under one kernel, and the value of a constant border."""

    rows: Axis
    columns: Axis
    fill: Fill

    @property
    def shape(self) -> tuple[int, int]:
        """The output's rows and columns."""
        return self.rows.outputs, self.columns.outputs


class Placing(Protocol):
    """What tells the geometry of a kernel on samples: the layout of a picture, or of a piece."""

    @property
    def fill(self) -> Fill:
        """The value of a constant border."""

    def outputs(self, shape: Size, kernel: Size, /) -> int:
        """Return how many outputs there are, which decides on plans; 0 where that says little."""

    def on(self, shape: Size, kernel: Size, /) -> Geometry:
        """Return the geometry for samples and a kernel."""


class Layout(NamedTuple):
    """Padding, border, stride and dilation as asked for, before any image is known."""

    padding: tuple[int, int, int, int] | None
    border: str
    fill: Fill
    stride: tuple[int, int]
    dilation: tuple[int, int]
    anchor: str | tuple[int, int] = "center"

    def outputs(self, shape: Size, kernel: Size) -> int:
        """Return how many outputs an image has; 0 with strides or dilations."""
        if (self.stride, self.dilation) != ((1, 1), (1, 1)):
            return 0
        rows, columns = self.on(shape, kernel).shape
        return rows * columns

    def on(self, shape: Size, kernel: Size) -> Geometry:
        """Return the geometry for an image and a kernel, each given as (rows, columns).

        Raises
        ------
        GeometryError
            If no output pixel remains.
        OptionError
            If the anchor is no tap of the kernel.
        """
        spans = tuple(d * (k - 1) for d, k in zip(self.dilation, kernel, strict=True))
        y, x = self.anchored(kernel)
        if self.padding is None:
            top, right, bottom, left = y, spans[1] - x, spans[0] - y, x
        else:
            top, right, bottom, left = self.padding
        (sy, sx), (dy, dx) = self.stride, self.dilation
        rows = Axis(shape[0], kernel[0], top, bottom, sy, dy, self.border, y)
        columns = Axis(shape[1], kernel[1], left, right, sx, dx, self.border, x)
        if rows.outputs < 1 or columns.outputs < 1:
            raise GeometryError(
                f"no output pixel: a kernel that spans {spans[1] + 1}x{spans[0] + 1} does not fit "
                f"an image of {shape[1]}x{shape[0]} padded to {shape[1] + left + right}x"
                f"{shape[0] + top + bottom}; use more padding or a smaller kernel or dilation"
            )
        return Geometry(rows, columns, self.fill)

    def starts(self, kernel: Size) -> Size:
        """Return the position of the sample under the anchor of the first output.

        Raises
        ------
        OptionError
            If the anchor is no tap of the kernel.
        """
        y, x = self.anchored(kernel)
        return (y - self.padding[0], x - self.padding[3]) if self.padding else (0, 0)

    def anchored(self, kernel: Size) -> tuple[int, int]:
        """Return how far from the first tap the anchor lies, which `same` adds before the image.

        Raises
        ------
        OptionError
            If it is no tap of the kernel.
        """
        (dy, dx), (high, wide) = self.dilation, kernel
        if self.anchor == "center":
            return dy * (high - 1) // 2, dx * (wide - 1) // 2
        if self.anchor == "opencv":
            return dy * (high // 2), dx * (wide // 2)
        assert not isinstance(self.anchor, str)
        y, x = self.anchor
        if y >= high or x >= wide:
            most = f"{high - 1},{wide - 1}"
            raise OptionError(f"anchor {y},{x} is no tap of the kernel; choose from 0,0 to {most}")
        return dy * y, dx * x


AS_IT_IS = Layout((0, 0, 0, 0), "edge", 0, (1, 1), (1, 1))
