"""One output pixel's arithmetic: what a kernel reads there, and how a pixel comes of it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from textwrap import wrap
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from imgconv.engine.geometry import OUTSIDE, Axis, Geometry
from imgconv.engine.levels import MAXIMUM, NONE, rule
from imgconv.errors import ImageError
from imgconv.kernels.kernel import Kernel
from imgconv.pictures.pixels import NAMELESS, Pixels
from imgconv.pipeline.filter import CHANNELS, Work, filter_pixels
from imgconv.teach.grid import number

if TYPE_CHECKING:
    import numpy.typing as npt

Exact: TypeAlias = Fraction | float  # a float only where it is infinite or no number
Matrix: TypeAlias = tuple[tuple[Exact, ...], ...]
Paint: TypeAlias = Callable[[str, str], str]

NOUGHT, ONE = Fraction(0), Fraction(1)
COLOURS = {"r": "red", "g": "green", "b": "blue", "l": "gray", "a": "alpha"}


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
    geometry = work.layout.on(frame.size[::-1], kernel.size)
    pixels = filtered.array()[y, x].tolist()
    if work.channels == "luma" and frame.names.startswith("rgb"):
        gray = frame.gray().channel(0)
        plain = replace(work, channels="auto")
        after, _ = filter_pixels(gray, plain)
        new = after.array()[y, x, 0].item()
        channels = _moved(frame, gray, kernel, geometry, at, [new, *pixels])
        ends = _ends(gray, plain)
    elif work.sums:
        channels = _summed(frame, filtered.names, work.channels, kernel, geometry, at, pixels)
        ends = _ends(frame, work)
    else:
        channels = _each(frame, work.channels, kernel, geometry, at, pixels)
        ends = _ends(frame, work)
    return Explained(x, y, filtered.size, tuple(channels), geometry, work, frame.kind, ends)


def no_such_pixel(at: tuple[int, int], size: tuple[int, int]) -> ImageError:
    """Return the error for a pixel outside an output of (width, height)."""
    width, height = size
    return ImageError(
        f"has no output pixel {at[0]},{at[1]}; the output is {width}x{height}, "
        f"so x is 0 to {width - 1} and y 0 to {height - 1}"
    )


def _each(
    frame: Pixels,
    channels: str,
    kernel: Kernel,
    geometry: Geometry,
    at: tuple[int, int],
    pixels: list[int | float],
) -> list[Channel]:
    """Every channel of the output, filtered or not."""
    picture = {"gray": frame.gray, "rgb": frame.colour}.get(channels, lambda: frame)()
    array, found = picture.array(), []
    for i, letter in enumerate(picture.names):
        name = _named(letter, i)
        if _is_filtered(letter, channels):
            found.append(_filtered(name, array[:, :, i], kernel, geometry, at, pixels[i]))
        else:
            found.append(_kept(name, array[:, :, i], geometry, at, pixels[i]))
    return found


def _summed(
    frame: Pixels,
    names: str,
    channels: str,
    kernel: Kernel,
    geometry: Geometry,
    at: tuple[int, int],
    pixels: list[int | float],
) -> list[Channel]:
    """Every output of a sum over channels, then those that are not filtered."""
    picture = {"gray": frame.gray, "rgb": frame.colour}.get(channels, lambda: frame)()
    array, letters = picture.array(), picture.names
    read = [i for i, letter in enumerate(letters) if _is_filtered(letter, channels)]
    reads, found = kernel.reads(len(read)), {}
    # As many outputs as were read take their places.
    places = read if len(reads) == len(read) else range(len(reads))
    for output, inputs, place in zip(kernel.outputs, reads, places, strict=True):
        parts = [_filtered("", array[:, :, read[i]], output, geometry, at, 0) for i in inputs]
        found[place] = parts[0]._replace(
            name=_named(names[place], place),
            samples=tuple(row for part in parts for row in part.samples),
            outside=tuple(row for part in parts for row in part.outside),
            pixel=pixels[place],
            inputs=tuple(_named(letters[read[i]], read[i]) for i in inputs),
        )
    rest = [i for i in range(len(letters)) if i not in read]
    others = [place for place in range(len(names)) if place not in found]
    for i, place in zip(rest, others, strict=True):
        name = _named(letters[i], i)
        found[place] = _kept(name, array[:, :, i], geometry, at, pixels[place])
    return [found[place] for place in range(len(names))]


def _named(letter: str, index: int) -> str:
    return str(index) if letter == NAMELESS else letter


def _is_filtered(letter: str, channels: str) -> bool:
    return letter != "a" if channels in CHANNELS else letter in channels.split(",")


def _moved(
    frame: Pixels,
    gray: Pixels,
    kernel: Kernel,
    geometry: Geometry,
    at: tuple[int, int],
    pixels: list[int | float],
) -> list[Channel]:
    """The brightness, then each colour moved by as much as the brightness moved."""
    new, *pixels = pixels
    plane, array = gray.array()[:, :, 0], frame.array()
    ((old,),) = _kept("l", plane, geometry, at, 0).samples
    found = [_filtered("l", plane, kernel, geometry, at, new)]
    for i, letter in enumerate(frame.names):
        kept = _kept(letter, array[:, :, i], geometry, at, pixels[i])
        if letter != "a":
            ((colour,),), ((beyond,),) = kept.samples, kept.outside
            kept = kept._replace(
                samples=((colour, _exact(new), old),),
                weights=((ONE, ONE, -ONE),),
                outside=((beyond,) * 3,),
                rest="the colour, plus the new brightness, less the old",
            )
        found.append(kept)
    return found


def _filtered(
    name: str,
    plane: npt.NDArray[Any],
    kernel: Kernel,
    geometry: Geometry,
    at: tuple[int, int],
    pixel: int | float,
) -> Channel:
    rows, columns = positions(geometry, at)
    ys, xs = map(geometry.rows.source, rows), list(map(geometry.columns.source, columns))
    fill, (height, width), bias = _exact(geometry.fill), plane.shape, kernel.bias
    assert not isinstance(bias, tuple)
    return Channel(
        name,
        tuple(
            tuple(fill if OUTSIDE in (y, x) else _exact(plane[y, x].item()) for x in xs) for y in ys
        ),
        tuple(tuple(map(_exact, row)) for row in kernel.weights),
        _exact(kernel.divisor),
        _exact(bias),
        pixel,
        tuple(tuple(not (0 <= p < height and 0 <= q < width) for q in columns) for p in rows),
    )


def _kept(
    name: str,
    plane: npt.NDArray[Any],
    geometry: Geometry,
    at: tuple[int, int],
    pixel: int | float,
) -> Channel:
    """A channel that is not filtered: the sample in the window's middle, or the edge's."""
    middle = []
    for axis, read in zip(geometry[:2], positions(geometry, at), strict=True):
        middle.append((read[(axis.taps - 1) // 2], axis.size))
    y, x = (min(max(position, 0), size - 1) for position, size in middle)
    sample, beyond = _exact(plane[y, x].item()), [y, x] != [position for position, _ in middle]
    words = f"not filtered: the sample at {x},{y}"
    return Channel(name, ((sample,),), ((ONE,),), ONE, NOUGHT, pixel, ((beyond,),), words)


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

    out, _ = filter_pixels(frame, replace(work, levels=NONE))
    channels = "auto" if work.sums else work.channels
    filtered = [_is_filtered(letter, channels) for letter in out.names]
    responses = out.array()[:, :, filtered]
    finite = responses[np.isfinite(responses)]
    if not finite.size:
        return NOUGHT, NOUGHT
    return Fraction(float(finite.min())), Fraction(float(finite.max()))


def _exact(value: int | float) -> Exact:
    return Fraction(value) if math.isfinite(value) else float(value)


def as_json(explained: Explained) -> str:
    """Return one JSON object: the pixel's place, and the numbers of each channel."""
    channels = [
        {
            "name": c.name,
            "samples": _plain_rows(c.samples, c.inputs),
            "weights": _plain_rows(c.weights, c.inputs),
            "products": _plain_rows(c.products, c.inputs),
            "sum": _plain(c.sum),
            "divisor": _plain(c.divisor),
            "bias": _plain(c.bias),
            "response": _plain(c.response),
            "pixel": _plain(_exact(c.pixel)),
        }
        for c in explained.channels
    ]
    return json.dumps({"x": explained.x, "y": explained.y, "channels": channels})


def _plain(value: Exact) -> int | float | None:
    """A number of JSON, which has none that are infinite."""
    if isinstance(value, float):
        return None
    return value.numerator if value.denominator == 1 else float(value)


def _plain_rows(matrix: Matrix, inputs: tuple[str, ...]) -> list[Any]:
    """Rows of numbers; of a sum over channels a list of rows for each of them."""
    rows = [[_plain(value) for value in row] for row in matrix]
    if not inputs:
        return rows
    size = len(rows) // len(inputs)
    return [rows[i : i + size] for i in range(0, len(rows), size)]


def as_text(explained: Explained, wide: int, paint: Paint) -> str:
    """Return the arithmetic for people, in as many columns as there are.

    `paint` is told a text and what it is: heading, border, pixel.
    """
    x, y, (width, height) = explained.x, explained.y, explained.size
    rows, columns = positions(explained.geometry, (x, y))
    lines = [
        f"output pixel {x},{y} of {width}x{height}",
        f"reads columns {_span(columns)}, rows {_span(rows)} of the picture",
    ]
    if any(True in row for c in explained.channels if not c.rest for row in c.outside):
        layout = explained.work.layout
        fill = f" {layout.fill:g}" if layout.border == "constant" else ""
        lines.append(f"{paint('[ ]', 'border')} outside it: border {layout.border}{fill}")
    for channel in explained.channels:
        lines += ["", paint(COLOURS.get(channel.name, f"channel {channel.name}"), "heading")]
        if channel.rest:
            lines += _rest(channel, wide, paint)
        else:
            if channel.inputs:
                those = ", ".join(COLOURS.get(n, f"channel {n}") for n in channel.inputs)
                lines.append(f"  the sum over {those}, one below the other")
            lines += _matrices(channel, wide, paint)
            lines += _steps(channel, explained, wide, paint)
    return "\n".join(lines)


def _span(read: Sequence[int]) -> str:
    if len(read) == 1:
        return str(read[0])
    step = read[1] - read[0]
    return f"{read[0]} to {read[-1]}" + f" by {step}" * (step > 1)


def _rest(channel: Channel, wide: int, paint: Paint) -> list[str]:
    first, *more = map(_number, channel.products[0])
    total = "".join(f" - {p[1:]}" if p.startswith("-") else f" + {p}" for p in more)
    shown = f"{first}{total} = {_number(channel.sum)}: " if more else ""
    pixel = number(channel.pixel)
    lines = wrap(f"{pixel}  ({shown}{channel.rest})", wide - 12)
    lines[0] = paint(pixel, "pixel") + lines[0].removeprefix(pixel)
    return ["  pixel     " + lines[0], *(" " * 12 + line for line in lines[1:])]


def _matrices(channel: Channel, wide: int, paint: Paint) -> list[str]:
    """Samples, weights and products: side by side, else below each other, else sums of rows."""
    blocks = {
        "samples": _cells(channel.samples, channel.outside),
        "x weights": _cells(channel.weights),
        "= products": _cells(channel.products),
    }
    widths = {name: max(len(name), len(cells[0])) for name, cells in blocks.items()}
    if sum(widths.values()) + 10 <= wide:
        rows = [list(blocks), *zip(*blocks.values(), strict=True)]
        lines = ["    ".join(map(str.ljust, row, widths.values())) for row in rows]
    elif max(widths.values()) + 4 <= wide:
        lines = [line for name in blocks for line in (name, *(f"  {c}" for c in blocks[name]))]
    else:
        size = f"{len(channel.weights)}x{len(channel.weights[0])}"
        sums = " ".join(_number(sum(row, NOUGHT)) for row in channel.products)
        lines = [f"{size} products, too wide for {wide} columns (--json has them)"]
        lines += ["sums of their rows:", *wrap(sums, wide - 4, initial_indent="  ",
                                               subsequent_indent="  ")]  # fmt: skip
    left, right = paint("[", "border"), paint("]", "border")
    # In one pass: what paints has brackets itself.
    marks = str.maketrans({"[": left, "]": right})
    return [f"  {line}".rstrip().translate(marks) for line in lines]


def _cells(matrix: Matrix, marked: tuple[tuple[bool, ...], ...] = ()) -> list[str]:
    """Lines of right-aligned columns; brackets around what is marked."""
    shown = [[_number(value) for value in row] for row in matrix]
    wide = max(len(cell) for row in shown for cell in row)
    if not any(True in row for row in marked):
        return ["  ".join(cell.rjust(wide) for cell in row) for row in shown]
    return [
        "".join(
            f"[{cell}]".rjust(wide + 2) if mark else f" {cell} ".rjust(wide + 2)
            for cell, mark in zip(row, marks, strict=True)
        )
        for row, marks in zip(shown, marked, strict=True)
    ]


def _steps(channel: Channel, explained: Explained, wide: int, paint: Paint) -> list[str]:
    """From the sum to the pixel."""
    response, levels = _number(channel.response), explained.work.levels
    divided = f"{_number(channel.sum)} / {_number(channel.divisor)} + {_number(channel.bias)}"
    steps = [f"  sum       {_number(channel.sum)}", f"  response  {divided} = {response}"]
    remark = ""
    if levels != NONE:
        level, maximum = _level(channel, explained), MAXIMUM[explained.kind]
        steps.append(f"  {levels:9} {_formula(response, explained)}{_settled(level, maximum)}")
        if _rounded(level, maximum) not in (None, channel.pixel):
            remark = "  (real weights are computed to within a level)"
    lines = [line for step in steps for line in wrap(step, wide, subsequent_indent=" " * 12)]
    return [*lines, f"  pixel     {paint(number(channel.pixel), 'pixel')}{remark}"]


def _formula(response: str, explained: Explained) -> str:
    levels, maximum = explained.work.levels, MAXIMUM[explained.kind]
    if levels == "abs":
        return f"|{response}| = "
    if levels == "offset":
        middle = "0.5" if maximum == 1 else str((maximum + 1) // 2)
        return f"{middle} + {response} / 2 = "
    if levels == "stretch" and explained.ends[0] < explained.ends[1]:
        low, high = map(_number, explained.ends)
        return f"({response} - {low}) x {maximum} / ({high} - {low}) = "
    return ""


def _level(channel: Channel, explained: Explained) -> Exact:
    """A response at its level, neither rounded nor cut."""
    scale, shift, absolute = rule(explained.work.levels, explained.kind, explained.ends)
    response = channel.response
    return (-response if absolute and response < 0 else response) * scale + shift


def _rounded(level: Exact, maximum: int) -> int | None:
    """The sample that a level is worth by the rule; none of real samples, and of what is none."""
    if maximum == 1 or isinstance(level, float):
        return None
    return min(max(round(level), 0), maximum)


def _settled(level: Exact, maximum: int) -> str:
    """A level, and what rounding and clipping make of it."""
    shown, cut = _number(level), _rounded(level, maximum)
    if cut is None:
        return shown
    rounded = round(level)
    if rounded != level:
        shown += f", rounded to {rounded}"
    if rounded != cut:
        shown += f", cut to {cut}"
    return shown


def _number(value: Exact) -> str:
    if isinstance(value, Fraction):
        return number(value.numerator if value.denominator == 1 else float(value))
    return str(value)
