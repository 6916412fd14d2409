"""A matrix of weights as a sum of outer products of a column and a row, where one or two do."""

from __future__ import annotations

import math
from collections.abc import Sequence

from imgconv.kernels.numbers import Number

Matrix = Sequence[Sequence[Number]]
Products = list[tuple[tuple[Number, ...], tuple[Number, ...]]]

# What may be left of real weights, relative to the largest: far less than float32 can tell.
NEGLIGIBLE = 1e-12


def outer_products(weights: Matrix) -> tuple[int, Products] | None:
    """Return a multiplier and one or two (column, row), or None for weights of a higher rank.

    The products add up to the multiplier times the weights, for whole numbers exactly.
    """
    if all(isinstance(w, int) for row in weights for w in row):
        return _whole(weights)
    products: Products = []
    rest = [list(map(float, row)) for row in weights]
    limit = NEGLIGIBLE * max(abs(w) for row in rest for w in row)
    while len(products) < 2:
        y, x = _pivot(rest)
        pivot = rest[y][x]
        column, row = tuple(r[x] / pivot for r in rest), tuple(rest[y])
        products.append((column, row))
        rest = [[w - c * r for w, r in zip(line, row, strict=True)]
                for line, c in zip(rest, column, strict=True)]  # fmt: skip
        if all(abs(w) <= limit for line in rest for w in line):
            return 1, products
    return None


def _whole(weights: Matrix) -> tuple[int, Products] | None:
    """Eliminate without fractions: multiplier * weights = the products so far + the rest."""
    rest = [list(map(int, row)) for row in weights]
    multiplier = 1
    found: list[tuple[int, list[int], list[int]]] = []
    while len(found) < 2:
        y, x = _pivot(rest)
        pivot = rest[y][x]
        column, row = [r[x] for r in rest], rest[y]
        found = [(k * pivot, u, v) for k, u, v in found] + [(1, column, row)]
        multiplier *= pivot
        rest = [[w * pivot - c * r for w, r in zip(line, row, strict=True)]
                for line, c in zip(rest, column, strict=True)]  # fmt: skip
        if not any(w for line in rest for w in line):
            return _reduced(multiplier, found)
    return None


def _reduced(
    multiplier: int, found: list[tuple[int, list[int], list[int]]]
) -> tuple[int, Products]:
    """Take out what the numbers have in common, so that accumulators stay small."""
    parts = []
    for k, column, row in found:
        c, r = math.gcd(*column), math.gcd(*row)
        parts.append((k * c * r, [w // c for w in column], [w // r for w in row]))
    common = math.gcd(multiplier, *(k for k, _, _ in parts)) * (1 if multiplier > 0 else -1)
    return multiplier // common, [
        (tuple(w * (k // common) for w in column), tuple(row)) for k, column, row in parts
    ]


def _pivot(matrix: Matrix) -> tuple[int, int]:
    """The place of the largest weight."""
    places = ((y, x) for y, row in enumerate(matrix) for x in range(len(row)))
    return max(places, key=lambda place: abs(matrix[place[0]][place[1]]))
