"""Kernels and catalogues as text: what `imgconv list` and `imgconv show` print."""

from __future__ import annotations

import fnmatch
import json
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from textwrap import wrap
from typing import Any

from imgconv.catalog import NAME, Entry
from imgconv.dialects import WRITERS
from imgconv.factors import outer_products
from imgconv.families import FAMILIES, usage
from imgconv.geometry import Layout
from imgconv.kernel import Kernel, Number
from imgconv.recipes import Recipe
from imgconv.report import printable

RECIPES, FORMULAS = "recipes", "families"
WIDTH, NARROWEST = 80, 40  # of lines, where no terminal says otherwise, and where one is too small
INDENT = "  "
MANY = 9  # a row of more weights is not read, but counted
LITTLE, ABOVE, BELOW = ".", "+*#", "-~="  # weights on a map, from small to great
# Of a terminal's 256 colours, from pale to strong: black is read on each, on dark and light ones.
BLACK, WARM, COLD = 16, (223, 216, 209, 208), (189, 153, 117, 75)


def matching(entries: Iterable[Entry], pattern: str) -> list[Entry]:
    """Return the entries whose name or family has the pattern in it, or matches its wildcards."""
    return [e for e in entries if _matches(e.kernel.name, e.family, pattern)]


def matching_recipes(recipes: Iterable[Recipe], pattern: str) -> list[Recipe]:
    """Return the recipes that match likewise."""
    return [r for r in recipes if _matches(r.name, r.family, pattern)]


def matching_families(pattern: str) -> list[str]:
    """Return the families of kernels by formula that match likewise."""
    return [name for name in FAMILIES if _matches(name, FORMULAS, pattern)]


def _matches(name: str, family: str, pattern: str) -> bool:
    glob = pattern if any(c in pattern for c in "*?[") else f"*{pattern}*"
    return fnmatch.fnmatchcase(name, glob) or fnmatch.fnmatchcase(family, glob)


def table(entries: list[Entry], recipes: list[Recipe], families: list[str]) -> str:
    """Return aligned columns of name, size and summary under headings, then the formulas."""
    wide = max((len(e.kernel.name) for e in entries), default=0)
    headings: dict[tuple[str, Path | None], list[Entry]] = {}
    for entry in entries:
        headings.setdefault((entry.family, entry.path), []).append(entry)
    lines = []
    for (family, path), members in headings.items():
        lines.append(printable(f"{family}  ({path})" if path else family))
        for entry in members:
            size = "{}x{}".format(*entry.kernel.size)
            lines.append(
                f"  {entry.kernel.name:{wide}}  {size:>5}  {entry.kernel.summary}".rstrip()
            )
    lines += [f"{RECIPES}  (several kernels, combined)"] * bool(recipes)
    for recipe in recipes:
        lines.append(f"  {recipe.name}: {recipe.combine} of {len(recipe.kernels)}")
        lines += wrap(recipe.summary, 74, initial_indent=" " * 6, subsequent_indent=" " * 6)
    lines += [f"{FORMULAS}  (by formula, in quotes)"] * bool(families)
    for name in families:
        lines += [f"  {usage(name)}", f"      {FAMILIES[name].summary}"]
    return "\n".join(lines)


def json_list(entries: list[Entry], recipes: list[Recipe], families: list[str]) -> str:
    """Return a JSON array of name, family, summary, size and source."""
    rows: list[dict[str, Any]] = [
        {
            "name": e.kernel.name,
            "family": e.family,
            "summary": e.kernel.summary,
            "size": e.kernel.size,
            "source": e.kernel.source,
        }
        for e in entries
    ]
    rows += [
        {
            "name": r.name,
            "family": RECIPES,
            "summary": r.summary,
            "size": None,
            "source": r.source,
        }
        for r in recipes
    ]
    rows += [
        {
            "name": usage(name),
            "family": FORMULAS,
            "summary": FAMILIES[name].summary,
            "size": None,
            "source": FAMILIES[name].source,
        }
        for name in families
    ]
    return "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]"


def card(entry: Entry, *, width: int = WIDTH, colours: bool = False) -> str:
    """Return what there is to know of a kernel, for people: in colours on a terminal of a width."""
    kernel = entry.kernel
    low, high = kernel.response_range()
    rows, columns = kernel.size
    facts = {
        "divisor": number(kernel.divisor),
        "bias": number(kernel.bias),
        "sum": number(kernel.sum),
        "gain": f"{number(kernel.gain)}  (what a flat image is multiplied by)",
        "structure": _structure(kernel),
        "range": f"{number(low)} to {number(high)}  (responses to samples of 0 to 255)",
        "source": kernel.source or "not given",
    }
    if entry.path:
        facts["catalogue"] = printable(str(entry.path))
    width = max(width, NARROWEST)
    text = min(width, WIDTH)
    lines = [*wrap(f"{_name(entry)}  {rows}x{columns}  {kernel.summary}", text), ""]
    lines += grid(kernel, width, colours=colours)
    lines.append("")
    for name, value in facts.items():
        lines += wrap(f"{name:10} {value}", text, subsequent_indent=" " * 11)
    return "\n".join(lines)


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
    lines, first = [], shape
    products = numbers = 0
    for entry in entries:
        before, shape = shape, layout.on(shape, entry.kernel.size).shape
        taps = sum(1 for row in entry.kernel.weights for w in row if w)
        products += taps * shape[0] * shape[1]
        numbers += entry.kernel.size[0] * entry.kernel.size[1]
        lines.append(
            f"{_name(entry)}: {before[1]}x{before[0]} -> {shape[1]}x{shape[0]}, "
            f"{taps} products a sample"
        )
    full = first[0] * first[1] * shape[0] * shape[1]
    lines.append(
        f"{products:,} products in all, {numbers} weights; a fully connected layer between the two "
        f"has {full:,}"
    )
    return "\n".join(line for text in lines for line in wrap(text, 80))


def _structure(kernel: Kernel) -> str:
    """Whether a kernel is symmetric, and the column and row that it is the product of."""
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


def grid(kernel: Kernel, width: int = WIDTH, *, colours: bool = False) -> list[str]:
    """Return the weights in right-aligned columns, rounded or as a map where those are too wide."""
    greatest = max(abs(w) for row in kernel.weights for w in row)
    for write in (number, _rounding(greatest)):
        cells = [[write(w) for w in row] for row in kernel.weights]
        wide = max(len(cell) for row in cells for cell in row) + 2
        if wide * kernel.size[1] < width:
            break
    else:
        return _map(kernel, greatest, width, colours=colours)
    lines = [
        "".join(
            _tinted(f"{cell:>{wide - 1}} ", w, greatest * colours)
            for cell, w in zip(row, weights, strict=True)
        )
        for row, weights in zip(cells, kernel.weights, strict=True)
    ]
    rounded = ["", f"{INDENT}rounded; --as has the numbers"] * (write is not number)
    return [f" {line.rstrip()}" for line in lines] + rounded


def _rounding(greatest: float) -> Callable[[Number], str]:
    """What writes numbers with as many decimals as give the greatest three digits."""
    decimals = max(2 - math.floor(math.log10(greatest)), 0) if greatest else 0
    return lambda weight: f"{weight:z.{decimals}f}"


def _map(kernel: Kernel, greatest: float, width: int, *, colours: bool) -> list[str]:
    """A character for each weight, or for the greatest of a block of them, and what they mean."""
    rows, columns = kernel.size
    block = -(-columns // (width - len(INDENT)))
    blocks = [
        [
            max((w for row in kernel.weights[y : y + block] for w in row[x : x + block]), key=abs)
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


def as_toml(entry: Entry) -> str:
    """Return the kernel as a catalogue file has it; reading it gives the same kernel."""
    kernel = entry.kernel
    lines = [f"[{_name(entry)}]"]
    lines += [f"{key} = {_quoted(text)}" for key, text in _texts(kernel).items()]
    rows = [f"  [{', '.join(map(repr, row))}]," for row in kernel.weights]
    lines += ["weights = [", *rows, "]"]
    lines += [f"{key} = {value!r}" for key, value in _changes(kernel).items()]
    return "\n".join(lines)


def as_json(entry: Entry) -> str:
    """Return the kernel as one line of JSON, which is a kernel specification itself."""
    kernel = entry.kernel
    fields: dict[str, Any] = {"name": _name(entry), **_texts(kernel)}
    fields |= {"weights": kernel.weights, "divisor": kernel.divisor, "bias": kernel.bias}
    return json.dumps(fields, ensure_ascii=False)


def as_numpy(entry: Entry) -> str:
    """Return Python code that makes the weights an array."""
    kernel = entry.kernel
    rows = ",\n    ".join(str(list(row)) for row in kernel.weights)
    divisor = f" / {kernel.divisor!r}" if kernel.divisor != 1 else ""
    bias = [f"bias = {kernel.bias!r}  # added to each response"] if kernel.bias else []
    heading = f"# {_name(entry)}: {kernel.summary}" if kernel.summary else f"# {_name(entry)}"
    array = f"weights = np.array([\n    {rows},\n]){divisor}"
    return "\n".join([heading, "import numpy as np", "", array, *bias])


def _as(write: Callable[[Kernel], str]) -> Callable[[Entry], str]:
    return lambda entry: write(entry.kernel)


FORMS: dict[str, Callable[[Entry], str]] = {
    "toml": as_toml,
    "json": as_json,
    "numpy": as_numpy,
    **{name: _as(write) for name, write in WRITERS.items()},
}


def _name(entry: Entry) -> str:
    """The kernel's own name, which a catalogue could have, or one for weights without."""
    return next((n for n in (entry.kernel.name, entry.label) if NAME.fullmatch(n)), "custom")


def _texts(kernel: Kernel) -> dict[str, str]:
    both = {"summary": kernel.summary, "source": kernel.source}
    return {key: text for key, text in both.items() if text}


def _changes(kernel: Kernel) -> dict[str, Number]:
    found: dict[str, Number] = {}
    if kernel.divisor != 1:
        found["divisor"] = kernel.divisor
    if kernel.bias:
        found["bias"] = kernel.bias
    return found


def _quoted(text: str) -> str:
    # A TOML basic string escapes as JSON does, and the delete character besides.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
