"""Kernels as text for people: what `imgconv show` prints."""

from __future__ import annotations

import math
from collections.abc import Iterable
from textwrap import wrap

from imgconv.engine.geometry import Layout
from imgconv.errors import printable
from imgconv.kernels import frequencies
from imgconv.kernels.catalog import Entry
from imgconv.kernels.factors import outer_products
from imgconv.kernels.kernel import Kernel
from imgconv.kernels.numbers import Number
from imgconv.kernels.separable import Separable
from imgconv.teach.weights import NARROWEST, WIDTH, grid, number

MANY = 9  # a row of more weights is not read, but counted


def card(entry: Entry, *, width: int = WIDTH, colours: bool = False) -> str:
    """Return what there is to know of a kernel, for people: in colours on a terminal of a width."""
    kernel = entry.kernel
    low, high = kernel.response_range()
    facts = {
        "divisor": number(kernel.divisor),
        "bias": _of_outputs([k.bias for k in kernel.outputs if not isinstance(k.bias, tuple)]),
        "sum": _of_outputs([k.sum for k in kernel.outputs]),
        "gain": _of_outputs([k.gain for k in kernel.outputs])
        + "  (what a flat image is multiplied by)",
        "structure": _structure(kernel),
        "range": f"{number(low)} to {number(high)}  (responses to samples of 0 to 255)",
        "source": kernel.source or "not given",
    }
    if entry.path:
        facts["catalogue"] = printable(str(entry.path))
    width = max(width, NARROWEST)
    text = min(width, WIDTH)
    shape = "x".join(map(str, kernel.shape))
    lines = [*wrap(f"{entry.name}  {shape}  {kernel.summary}", text), ""]
    lines += [*_grids(kernel, width, colours=colours), ""]
    if len(kernel.shape) == 2:
        lines += [*frequencies.table(kernel), ""]
    for name, value in facts.items():
        lines += wrap(f"{name:10} {value}", text, subsequent_indent=" " * 11)
    return "\n".join(lines)


def _of_outputs(numbers: Iterable[Number]) -> str:
    """A number for each output; once where they are the same."""
    found = list(map(number, numbers))
    return found[0] if len(set(found)) == 1 else ", ".join(found)


def chain(entries: list[Entry], layout: Layout) -> str:
    """Return how many samples an output of a chain sees on each axis, its receptive field."""
    field, step = [1, 1], [1, 1]
    for entry in entries:
        for axis in (0, 1):
            reach = (entry.kernel.size[axis] - 1) * layout.dilation[axis]
            field[axis] += reach * step[axis]
            step[axis] *= layout.stride[axis]
    return f"{len(entries)} in a chain: each output sees {field[0]}x{field[1]} samples"


def on(entries: list[Entry], shape: tuple[int, int], layout: Layout) -> str:
    """Return the shapes that a picture of (rows, columns) takes through kernels, and their cost.

    Raises
    ------
    GeometryError
        If no output pixel remains.
    """
    lines, first, channels = [], shape, 1
    products = numbers = 0
    inputs = entries[0].kernel.shape[-3] if len(entries[0].kernel.shape) > 2 else 1
    for entry in entries:
        kernel, before = entry.kernel, shape
        shape, outputs = layout.on(shape, kernel.size).shape, len(kernel.outputs)
        taps = sum(1 for k in kernel.outputs for row in k.weights for w in row if w)
        products += taps * shape[0] * shape[1]
        numbers += math.prod(kernel.shape) + (outputs if isinstance(kernel.bias, tuple) else 0)
        channels = outputs if len(kernel.shape) > 2 else channels
        deep = f"x{outputs}" * (len(kernel.shape) > 2)
        lines.append(
            f"{entry.name}: {before[1]}x{before[0]} -> {shape[1]}x{shape[0]}{deep}, "
            f"{taps} products a {'pixel' if deep else 'sample'}"
        )
    full = first[0] * first[1] * inputs * shape[0] * shape[1] * channels
    lines.append(
        f"{products:,} products in all, {numbers} weights; a fully connected layer between the two "
        f"has {full:,}"
    )
    return "\n".join(line for text in lines for line in wrap(text, 80))


def _structure(kernel: Kernel) -> str:
    """Whether a kernel is symmetric, and the column and row that it is the product of."""
    if len(kernel.shape) > 2:
        inputs = kernel.shape[-3]
        several = len(kernel.outputs) > 1
        made = f"{len(kernel.outputs)} outputs, each" if several else "one output,"
        return f"{made} the sum over {inputs} channel{'s' * (inputs > 1)}"
    if isinstance(kernel.weights, Separable):
        return _of_products(kernel.weights)
    rows = kernel.weights
    words = []
    if all(row == row[::-1] for row in rows):
        words.append("symmetric left to right")
    if rows == rows[::-1]:
        words.append("symmetric top to bottom")
    found = outer_products(rows) if any(w for row in rows for w in row) else None
    if found and len(found[1]) == 1:
        times, ((column, row),) = found
        below = f" / {number(times)}" if times != 1 else ""
        shown = (" ".join(map(number, side)) for side in (column, row))
        if max(kernel.size) > MANY:
            words.append("separable, column of {} times row of {}".format(*kernel.size))
        else:
            words.append("separable, column ({}) times row ({})".format(*shown) + below)
    elif found:
        words.append("rank 2")
    return ", ".join(words) or "neither symmetric nor separable"


def _of_products(weights: Separable) -> str:
    columns, rows = zip(*weights.products, strict=True)
    words = []
    if all(row == row[::-1] for row in rows):
        words.append("symmetric left to right")
    if all(column == column[::-1] for column in columns):
        words.append("symmetric top to bottom")
    made = "separable, column of {} times row of {}".format(*weights.shape)
    return ", ".join([*words, made if len(rows) == 1 else "rank 2"])


def _grids(kernel: Kernel, width: int, *, colours: bool) -> list[str]:
    """Return the weights as lines of right-aligned columns, one grid for each pair of channels."""
    if isinstance(kernel.weights, Separable):
        return [f"too many weights to be shown; --as csv writes all {math.prod(kernel.size):,}"]
    if len(kernel.shape) == 2:
        return grid(kernel.weights, width, colours=colours)
    lines, rows = [], kernel.size[0]
    for o, output in enumerate(kernel.outputs, 1):
        for i in range(kernel.shape[-3]):
            lines.append(f"output {o}, input {i + 1}")
            lines += grid(output.weights[i * rows : (i + 1) * rows], width, colours=colours)
    return lines
