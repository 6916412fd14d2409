"""The numbers of a kernel, in nested rows: checked, made plain and exact, changed and turned."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from imgconv.errors import KernelError, shortened
from imgconv.kernels.separable import Separable

Number = int | float

MAX_SIDE = 255
MAX_CHANNELS = 4096
DIMENSIONS = ("output", "input", "row", "column")
# Above this neither a float nor the 64-bit accumulators hold every whole number.
MAX_WHOLE = 2**53
# Beyond this (a divisor: below its reciprocal) sums and quotients might overflow a float.
MAX_REAL = 1e100


def exact_number(value: object, what: str) -> Number:
    """Return a plain int or float: a float that is whole becomes an int.

    Raises
    ------
    KernelError
        If the value is no real number (a boolean is none), not finite or a whole number over 2**53.
    """
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:  # a NumPy or torch scalar
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise KernelError(f"{what} is {short(value)}, not a number")
    if isinstance(value, float):
        if not math.isfinite(value):
            raise KernelError(f"{what} is {value}, not a finite number")
        if abs(value) > MAX_REAL:
            raise KernelError(f"{what} is {value:g}, too large; the limit is {MAX_REAL:g}")
        return int(value) if value.is_integer() and abs(value) <= MAX_WHOLE else value
    if abs(value) > MAX_WHOLE:
        raise KernelError(f"{what} is a whole number beyond 2**53, too large to stay exact")
    return value


def short(value: object) -> str:
    """Return a value as a message can hold it."""
    try:
        text = repr(value)
    except RecursionError:
        return f"a deeply nested {type(value).__name__}"
    return shortened(text, 40)


def _rows(weights: Any) -> tuple[tuple[Number, ...], ...]:
    """Check nested rows of numbers and return them as tuples of plain numbers."""
    weights = listed(weights)
    if not isinstance(weights, (list, tuple)):
        raise KernelError(f"weights are {short(weights)}, not rows of numbers such as [[1, 0, -1]]")
    if not weights:
        raise KernelError("weights are empty; give at least one row with one number")
    if len(weights) > MAX_SIDE:
        raise KernelError(f"weights have {len(weights)} rows; a side has at most {MAX_SIDE}")
    rows = []
    for y, row in enumerate(weights, 1):
        row = listed(row)
        if not isinstance(row, (list, tuple)):
            raise KernelError(
                f"row {y} of the weights is {short(row)}, not a list of numbers; "
                "a single row is written [[1, 0, -1]]"
            )
        if not row:
            raise KernelError(f"row {y} of the weights is empty")
        if len(row) > MAX_SIDE:
            raise KernelError(f"row {y} has {len(row)} weights; a side has at most {MAX_SIDE}")
        if len(row) != len(weights[0]):
            raise KernelError(
                f"row {y} has {len(row)} weights where row 1 has {len(weights[0])}; "
                "all rows must be equally long"
            )
        rows.append(
            tuple(
                exact_number(w, f"the weight in row {y}, column {x}") for x, w in enumerate(row, 1)
            )
        )
    return tuple(rows)


def nested(weights: Any) -> Any:
    """Check weights of two to four dimensions and return them as tuples of plain numbers."""
    if isinstance(weights, Separable):
        return weights
    depth = _depth(weights)
    if depth > len(DIMENSIONS):
        raise KernelError(
            f"weights are nested {depth} deep; (rows, columns), (in, rows, columns) or "
            "(out, in, rows, columns) are the shapes of a kernel"
        )
    return _planes(weights, DIMENSIONS[-max(depth, 2) : -2], "")


def _planes(weights: Any, dimensions: tuple[str, ...], where: str) -> tuple[Any, ...]:
    """Check the matrices within the outer dimensions, which must be alike."""
    if not dimensions:
        try:
            return _rows(weights)
        except KernelError as error:
            raise KernelError(f"{where}: {error}") if where else error from None
    what, *inner = dimensions
    weights = listed(weights)
    if not isinstance(weights, (list, tuple)) or not weights:
        raise KernelError(f"{where or 'the kernel'} has no {what}s but {short(weights)}")
    if len(weights) > MAX_CHANNELS:
        raise KernelError(f"weights have {len(weights)} {what}s; the most is {MAX_CHANNELS}")
    found = []
    for i, part in enumerate(weights, 1):
        name = f"{where}, {what} {i}" if where else f"{what} {i}"
        found.append(_planes(part, tuple(inner), name))
        first, this = shape_of(found[0]), shape_of(found[-1])
        if this != first:
            raise KernelError(
                f"{name} has weights of {by(this)} where {what} 1 has {by(first)}; "
                "all must be alike"
            )
    return tuple(found)


def listed(weights: Any) -> Any:
    """Return an array as lists, and anything else as it is."""
    return weights.tolist() if hasattr(weights, "tolist") else weights


def _depth(weights: Any) -> int:
    """How deep lists are nested, by their first elements, counted to one more than may be."""
    depth, weights = 0, listed(weights)
    while isinstance(weights, (list, tuple)) and weights and depth <= len(DIMENSIONS):
        depth, weights = depth + 1, listed(weights[0])
    return depth


def shape_of(weights: Any) -> tuple[int, ...]:
    """Return the shape of checked weights."""
    if isinstance(weights, Separable):
        return weights.shape
    return (len(weights), *shape_of(weights[0])) if isinstance(weights, tuple) else ()


def by(shape: tuple[int, ...]) -> str:
    """Return a shape as people write it."""
    return "x".join(map(str, shape))


def each(weights: Any, change: Callable[[Number], Number]) -> Any:
    """Return weights with each number changed."""
    if isinstance(weights, Separable):
        return weights.each(change)
    if isinstance(weights, tuple):
        return tuple(each(part, change) for part in weights)
    return change(weights)


def turned(weights: Any, depth: int) -> Any:
    """Return weights with the rows and columns reversed, the outer dimensions as they are."""
    if isinstance(weights, Separable):
        return weights.turned()
    if depth == 2:
        return tuple(row[::-1] for row in weights[::-1])
    return tuple(turned(part, depth - 1) for part in weights)


def total(numbers: Any) -> Number:
    """Return the sum of numbers, exactly where all are whole."""
    values = list(numbers)
    return sum(values) if all(isinstance(v, int) for v in values) else math.fsum(values)
