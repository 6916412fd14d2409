"""Kernels and catalogues as text: what `imgconv list` and `imgconv show` print."""

from __future__ import annotations

import fnmatch
import json
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from textwrap import wrap
from typing import Any

from imgconv.engine.geometry import Layout
from imgconv.kernels import spectrum
from imgconv.kernels.catalog import NAME, Entry
from imgconv.kernels.dialects import WRITERS
from imgconv.kernels.factors import outer_products
from imgconv.kernels.families import FAMILIES, usage
from imgconv.kernels.kernel import Kernel, Number
from imgconv.kernels.recipes import Recipe
from imgconv.runs.report import printable
from imgconv.teach.grid import NARROWEST, WIDTH, grid, number

RECIPES, FORMULAS = "recipes", "families"
MANY = 9  # a row of more weights is not read, but counted


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
    sizes = {e.kernel.name: "x".join(map(str, e.kernel.shape)) for e in entries}
    wide = max(map(len, sizes), default=0)
    deep = max(map(len, sizes.values()), default=0)
    headings: dict[tuple[str, Path | None], list[Entry]] = {}
    for entry in entries:
        headings.setdefault((entry.family, entry.path), []).append(entry)
    lines = []
    for (family, path), members in headings.items():
        lines.append(printable(f"{family}  ({path})" if path else family))
        for entry in members:
            name = entry.kernel.name
            line = f"  {name:{wide}} {sizes[name]:>{deep}}  {entry.kernel.summary}"
            lines.append(line.rstrip())
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
            "size": e.kernel.shape,
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
    lines = [*wrap(f"{_name(entry)}  {shape}  {kernel.summary}", text), ""]
    lines += [*_grids(kernel, width, colours=colours), ""]
    if len(kernel.shape) == 2:
        lines += [*spectrum.table(kernel), ""]
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
            f"{_name(entry)}: {before[1]}x{before[0]} -> {shape[1]}x{shape[0]}{deep}, "
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


def _grids(kernel: Kernel, width: int, *, colours: bool) -> list[str]:
    """Return the weights as lines of right-aligned columns, one grid for each pair of channels."""
    if len(kernel.shape) == 2:
        return grid(kernel.weights, width, colours=colours)
    lines, rows = [], kernel.size[0]
    for o, output in enumerate(kernel.outputs, 1):
        for i in range(kernel.shape[-3]):
            lines.append(f"output {o}, input {i + 1}")
            lines += grid(output.weights[i * rows : (i + 1) * rows], width, colours=colours)
    return lines


def as_toml(entry: Entry) -> str:
    """Return the kernel as a catalogue file has it; reading it gives the same kernel."""
    kernel = entry.kernel
    lines = [f"[{_name(entry)}]"]
    lines += [f"{key} = {_quoted(text)}" for key, text in _texts(kernel).items()]
    lines += [f"weights = {_nested(kernel.weights)}"]
    lines += [f"{key} = {value}" for key, value in _changes(kernel).items()]
    return "\n".join(lines)


def _nested(weights: Any, indent: str = "") -> str:
    """Nested lists, a row of numbers a line."""
    if not isinstance(weights[0], tuple):
        return f"[{', '.join(map(repr, weights))}]"
    parts = (f"{indent}  {_nested(part, indent + '  ')},\n" for part in weights)
    return f"[\n{''.join(parts)}{indent}]"


def as_json(entry: Entry) -> str:
    """Return the kernel as one line of JSON, which is a kernel specification itself."""
    kernel = entry.kernel
    fields: dict[str, Any] = {"name": _name(entry), **_texts(kernel)}
    fields |= {"weights": kernel.weights, "divisor": kernel.divisor, "bias": kernel.bias}
    return json.dumps(fields, ensure_ascii=False)


def as_numpy(entry: Entry) -> str:
    """Return Python code that makes the weights an array."""
    kernel = entry.kernel
    divisor = f" / {kernel.divisor!r}" if kernel.divisor != 1 else ""
    bias = [f"bias = {_bias(kernel)}  # added to each response"] if kernel.bias else []
    heading = f"# {_name(entry)}: {kernel.summary}" if kernel.summary else f"# {_name(entry)}"
    array = f"weights = np.array({_nested(kernel.weights)}){divisor}"
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


def _changes(kernel: Kernel) -> dict[str, str]:
    found = {}
    if kernel.divisor != 1:
        found["divisor"] = repr(kernel.divisor)
    if kernel.bias:
        found["bias"] = _bias(kernel)
    return found


def _bias(kernel: Kernel) -> str:
    return repr(list(kernel.bias) if isinstance(kernel.bias, tuple) else kernel.bias)


def _quoted(text: str) -> str:
    # A TOML basic string escapes as JSON does, and the delete character besides.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
