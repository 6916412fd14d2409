"""The arithmetic of a pixel as text for people, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from fractions import Fraction
from textwrap import wrap
from typing import Any, TypeAlias

from imgconv.engine.geometry import fills
from imgconv.engine.levels import MAXIMUM, NONE, rule
from imgconv.teach.arithmetic import NOUGHT, Channel, Exact, Explained, Matrix, exact, positions
from imgconv.teach.weights import number

Paint: TypeAlias = Callable[[str, str], str]

COLOURS = {"r": "red", "g": "green", "b": "blue", "l": "gray", "a": "alpha"}


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
            "pixel": _plain(exact(c.pixel)),
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
        told = ",".join(f"{number:g}" for number in fills(explained.geometry.fill))
        fill = f" {told}" if layout.border == "constant" else ""
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
