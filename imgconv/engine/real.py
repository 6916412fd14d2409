"""Plans in real numbers: in float32 where that is precise enough, else in float64."""

from __future__ import annotations

import math

from imgconv.compiled.words import PLAIN
from imgconv.engine.levels import MAXIMUM
from imgconv.engine.sums import NINE, Asked, Plan, Rounding, make_sum, products_of, taps_of
from imgconv.kernels.factors import Products

# Fourier transforms take as long as so many taps, and NumPy 85 ms to be imported: as long as so
# many taps times samples.
TRANSFORM = 250
TRANSFORM_START = 2.5e9


def real_plan(
    weights: list[list[float]],
    bias: float,
    magnitude: float,
    asked: Asked,
    outputs: int,
) -> Plan:
    """Return a plan in float32 where that is precise enough, else in float64."""
    sample, result, sign, size = asked
    double = "float64" in (sample, result)
    flat = [abs(w) for row in weights for w in row if w]
    within = _float_error(flat, bias, magnitude) < 0.25 and max(flat, default=0) < 1e30
    kind = "float32" if within and not double else "float64"
    rounding = Rounding(PLAIN, sign, MAXIMUM[result])
    taps = taps_of(weights)
    found = products_of(weights, len(taps))
    # Two products may differ by an infinity, where the sum of the taps would be none.
    if found and (len(found[1]) == 1 or not sample.startswith("float")):
        return _separate(found[1], bias, kind, rounding, size)
    if _is_transformed(flat, sample, magnitude, outputs) and not double:
        last = make_sum("float32", "float32", {(0, 0): 1.0}, bias)
        return Plan("float32", size, last, rounding, transform=tuple(map(tuple, weights)))
    return Plan(kind, size, make_sum(kind, kind, taps, bias), rounding)


def _is_transformed(flat: list[float], sample: str, magnitude: float, outputs: int) -> bool:
    """Whether Fourier transforms are faster, and precise enough.

    Float samples are never transformed: a NaN would spread over its tile.
    """
    faster = outputs * (len(flat) - TRANSFORM) > TRANSFORM_START
    precise = magnitude * math.fsum(flat) * 2**-20 < 0.25
    return faster and precise and not sample.startswith("float")


def _float_error(flat: list[float], bias: float, magnitude: float) -> float:
    """How much rounding to float32 may change a response.

    Each of n taps in groups of nine goes through at most n/9 + 9 additions, each of them wrong by
    at most 2**-24 of the sum of the magnitudes.
    """
    additions = len(flat) / NINE + NINE + 3
    return additions * (magnitude * math.fsum(flat) + abs(bias)) * 2**-24


def long_plan(
    products: Products, scale: float, bias: float, magnitude: float, asked: Asked
) -> Plan:
    """Return such a plan for columns times rows, times a scale."""
    sample, result, sign, size = asked
    made = [(column, tuple(w * scale for w in row)) for column, row in products]
    double = "float64" in (sample, result)
    most = math.fsum(math.fsum(map(abs, c)) * math.fsum(map(abs, r)) for c, r in made)
    error = _float_error([most] + [0.0] * max(size), bias, magnitude) * 2  # down and across
    kind = "float32" if error < 0.25 and not double else "float64"
    return _separate(made, bias, kind, Rounding(PLAIN, sign, MAXIMUM[result]), size)


def _separate(
    products: Products, bias: float, kind: str, rounding: Rounding, size: tuple[int, int]
) -> Plan:
    """A plan of sums down and across."""
    down = tuple(make_sum(kind, kind, taps_of([[w] for w in column])) for column, _ in products)
    across = taps_of([row for _, row in products])
    return Plan(kind, size, make_sum(kind, kind, across, bias), rounding, down)
