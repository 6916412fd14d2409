"""A picture in the cells of a terminal: two pixels each, one above the other."""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Iterable, Sequence

from imgconv.pictures.pixels import Colour, Pixels
from imgconv.teach.visible import enlarged, reduced, visible

UPPER = "▀"
RESET = "\x1b[0m"
GRAY = (128, 128, 128)  # below transparent pixels: neither dark nor light ones vanish on it
OTHERS = 2  # lines of a terminal that are for a picture's name and the prompt
STEPS = (0, 95, 135, 175, 215, 255)  # of red, green and blue among the 256 colours of terminals


def for_terminal(picture: Pixels) -> str:
    """Return a picture as large as the terminal, in 24-bit colours where it says it has them.

    Raises
    ------
    ImageError
        If it has channels that are no colours.
    """
    columns, lines = shutil.get_terminal_size()
    exact = os.environ.get("COLORTERM", "") in ("truecolor", "24bit")
    return drawn(picture, columns, max(lines - OTHERS, 1), exact=exact)


def drawn(picture: Pixels, columns: int, lines: int, *, exact: bool) -> str:
    """Return lines of half blocks, with colours of 24 bits or the nearest of 256."""
    box = columns, 2 * lines
    image = enlarged(reduced(visible(picture, GRAY), *box), *box).convert("RGB")
    data, width = image.tobytes(), image.width
    pixels = [(data[i], data[i + 1], data[i + 2]) for i in range(0, len(data), 3)]
    rows = [pixels[i : i + width] for i in range(0, len(pixels), width)]
    # Below the last row of an odd number is the terminal's own colour.
    below: list[Sequence[Colour | None]] = [*rows[1::2], [None] * width]
    return "\n".join(
        _line(zip(upper, lower, strict=True), exact=exact)
        for upper, lower in zip(rows[::2], below, strict=False)
    )


def _line(cells: Iterable[tuple[Colour, Colour | None]], *, exact: bool) -> str:
    """One line of cells, with a code wherever a colour changes."""
    text, now = [], ("", "")
    for upper, lower in cells:
        codes = _code(38, upper, exact), _code(48, lower, exact)
        changed = [code for code, old in zip(codes, now, strict=True) if code != old]
        text.append(f"\x1b[{';'.join(changed)}m{UPPER}" if changed else UPPER)
        now = codes
    return "".join(text) + RESET


def _code(layer: int, colour: Colour | None, exact: bool) -> str:
    """What sets the colour of a cell's upper half (38) or lower half (48)."""
    if colour is None:
        return f"{layer + 1}"  # the terminal's own
    return (
        f"{layer};2;{colour[0]};{colour[1]};{colour[2]}"
        if exact
        else f"{layer};5;{_nearest(colour)}"
    )


@functools.lru_cache(maxsize=4096)
def _nearest(colour: Colour) -> int:
    """The nearest of 256 colours: 16 to 231 are a cube of six steps a side, the rest are grays."""
    steps = [min(range(6), key=lambda i: abs(STEPS[i] - part)) for part in colour]
    gray = min(max(round((sum(colour) / 3 - 8) / 10), 0), 23)
    of_cube, of_grays = [STEPS[i] for i in steps], [8 + 10 * gray] * 3
    if _distance(of_grays, colour) < _distance(of_cube, colour):
        return 232 + gray
    return 16 + 36 * steps[0] + 6 * steps[1] + steps[2]


def _distance(one: Iterable[int], other: Iterable[int]) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))
