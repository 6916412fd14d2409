"""Weights drawn as text: numbers in columns, or a map of their signs and sizes."""

from __future__ import annotations

import math
from collections.abc import Callable
from textwrap import wrap

from imgconv.kernels.factors import Matrix
from imgconv.kernels.numbers import Number

WIDTH, NARROWEST = 80, 40  # of lines, where no terminal says otherwise, and where one is too small
INDENT = "  "
LITTLE, ABOVE, BELOW = ".", "+*#", "-~="  # weights on a map, from small to great
# Of a terminal's 256 colours, from pale to strong: black is read on each, on dark and light ones.
BLACK, WARM, COLD = 16, (223, 216, 209, 208), (189, 153, 117, 75)


def grid(weights: Matrix, width: int = WIDTH, *, colours: bool = False) -> list[str]:
    """Return the weights in right-aligned columns, rounded or as a map where those are too wide."""
    greatest = max(abs(w) for row in weights for w in row)
    for write in (number, _rounding(greatest)):
        cells = [[write(w) for w in row] for row in weights]
        wide = max(len(cell) for row in cells for cell in row) + 2
        if wide * len(weights[0]) < width:
            break
    else:
        return _map(weights, greatest, width, colours=colours)
    lines = [
        "".join(
            _tinted(f"{cell:>{wide - 1}} ", w, greatest * colours)
            for cell, w in zip(row, line, strict=True)
        )
        for row, line in zip(cells, weights, strict=True)
    ]
    rounded = ["", f"{INDENT}rounded; --as has the numbers"] * (write is not number)
    return [f" {line.rstrip()}" for line in lines] + rounded


def _rounding(greatest: float) -> Callable[[Number], str]:
    """What writes numbers with as many decimals as give the greatest three digits."""
    decimals = max(2 - math.floor(math.log10(greatest)), 0) if greatest else 0
    return lambda weight: f"{weight:z.{decimals}f}"


def _map(weights: Matrix, greatest: float, width: int, *, colours: bool) -> list[str]:
    """A character for each weight, or for the greatest of a block of them, and what they mean."""
    rows, columns = len(weights), len(weights[0])
    block = -(-columns // (width - len(INDENT)))
    blocks = [
        [
            max((w for row in weights[y : y + block] for w in row[x : x + block]), key=abs)
            for x in range(0, columns, block)
        ]
        for y in range(0, rows, block)
    ]
    lines = [
        INDENT + "".join(_tinted(_sign(w, greatest), w, greatest * colours) for w in row)
        for row in blocks
    ]
    legend = (
        f"{' '.join(ABOVE)} above 0 and {' '.join(BELOW)} below, up to a third, two thirds and all "
        f"of {number(greatest)}; {LITTLE} less than a twentieth; --as has the numbers"
    )
    if block > 1:
        legend = f"the greatest of {block}x{block} weights: {legend}"
    fitted = wrap(legend, min(width, WIDTH), initial_indent=INDENT, subsequent_indent=INDENT)
    return [*lines, "", *fitted]


def _sign(weight: Number, greatest: float) -> str:
    """A weight's character on a map."""
    if _is_little(weight, greatest):
        return LITTLE
    third = min(int(3 * abs(weight) / greatest), 2)
    return ABOVE[third] if weight > 0 else BELOW[third]


def _is_little(weight: Number, greatest: float) -> bool:
    """Whether a weight is 0, or next to nothing beside the greatest."""
    return not weight or abs(weight) * 20 < greatest


def _tinted(text: str, weight: Number, greatest: float) -> str:
    """A cell on a ground that tells the sign and size of a weight; plain where greatest is 0."""
    if not greatest or _is_little(weight, greatest):
        return text
    tints = WARM if weight > 0 else COLD
    tint = tints[min(int(len(tints) * abs(weight) / greatest), len(tints) - 1)]
    return f"\x1b[38;5;{BLACK};48;5;{tint}m{text}\x1b[0m"


def number(value: Number) -> str:
    """Return a number's shortest decimal: 19, not 19.0; 0.111, not 1/9."""
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else f"{value:.6g}"
