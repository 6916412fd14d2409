"""How a kernel is computed on a kind of sample: its taps, accumulators, passes and rounding."""

from __future__ import annotations

import functools
import math
from fractions import Fraction

from imgconv.engine.fixed import fixed_plan
from imgconv.engine.levels import MAXIMUM, Rule
from imgconv.engine.sums import (
    GROUP,
    PASS,
    Plan,
    Rounding,
    Sum,
    ends_of_runs,
    make_sum,
    products_of,
    snapping,
    taps_of,
)
from imgconv.engine.words import DIVIDE, NARROW, PLAIN, SHIFT
from imgconv.errors import KernelError
from imgconv.kernels.factors import Matrix, outer_products
from imgconv.kernels.kernel import Kernel

IDENTITY = Rule(Fraction(1), Fraction(0), False)
# Fourier transforms take as long as so many taps, and NumPy 85 ms to be imported: as long as so
# many taps times samples.
TRANSFORM = 250
TRANSFORM_START = 2.5e9
# What a row costs whose samples are added up from the left, or that goes on from the one above.
RUNNING = 3
WHITE = 255


@functools.lru_cache(maxsize=64)  # a batch asks for the same one again and again
def make_plan(
    kernel: Kernel,
    sample: str,
    result: str,
    rule: Rule = IDENTITY,
    magnitude: float = 0,
    outputs: int = 0,
) -> Plan:
    """Choose how to compute a kernel on samples of a kind, with the rule of the levels folded in.

    `sample` and `result` are the kinds that are read and written; a float result is the unrounded
    response. `magnitude` is the greatest absolute value of float samples, where it is known, and
    `outputs` how many samples come out, where neither stride nor dilation hides that.

    Raises
    ------
    KernelError
        If an integer kernel is too large for exact 64-bit arithmetic.
    """
    assert len(kernel.shape) == 2, kernel.shape
    assert not isinstance(kernel.bias, tuple)
    scale = rule.scale / Fraction(kernel.divisor)
    bias = Fraction(kernel.bias) * rule.scale + rule.shift
    sign = -1 if rule.absolute else 1
    if not sample.startswith("float"):
        if is_short(kernel):
            factors = [[Fraction(w) * scale for w in row] for row in kernel.weights]
            whole = _whole_plan(factors, bias, sample, result, sign, kernel.size)
            if whole:
                return whole
        if is_whole(kernel):
            raise KernelError(
                f"the whole weights of kernel {kernel.name or 'custom'!r} are too large for exact "
                "64-bit arithmetic; divide weights and divisor by a common number"
            )
    factor = float(scale)
    weights = [[w * factor for w in row] for row in kernel.weights]
    if sample == result == "uint8":
        fixed = fixed_plan(weights, float(bias), sign, kernel.size)
        if fixed:
            return fixed
    span = magnitude or MAXIMUM[sample]
    return _real_plan(weights, float(bias), span, sample, result, sign, kernel.size, outputs)


def is_whole(kernel: Kernel) -> bool:
    """Whether all its numbers are whole, so that it is computed exactly."""
    numbers = (kernel.divisor, kernel.bias, *(w for row in kernel.weights for w in row))
    return all(isinstance(n, int) for n in numbers)


def is_short(kernel: Kernel) -> bool:
    """Whether the weights may be whole numbers of some small unit, as 0.25 is and 0.1 is not."""
    return all(w.as_integer_ratio()[1] < 1 << 31 for row in kernel.weights for w in row)


# ---- whole numbers ----------------------------------------------------------------------------


def _whole_plan(
    factors: list[list[Fraction]],
    bias: Fraction,
    sample: str,
    result: str,
    sign: int,
    size: tuple[int, int],
) -> Plan | None:
    """A plan in whole numbers, exact, where an accumulator holds them."""
    divisor = math.lcm(bias.denominator, *(f.denominator for row in factors for f in row))
    weights = [[int(f * divisor) for f in row] for row in factors]
    start, most = int(bias * divisor), MAXIMUM[sample]
    top = MAXIMUM.get(result, 0)
    reach = _reach(weights, start, most) + divisor
    kind = _accumulator(max(reach, top), sample)
    if kind is None:
        return None
    taps = taps_of(weights)
    beside = _running_plan(weights, len(taps), sample, (start, divisor, sign, top), size)
    if found := products_of(weights, len(taps)):
        times, products = found
        columns = [[[w] for w in column] for column, _ in products]
        middle = _accumulator(max(_reach(c, 0, most) for c in columns), sample)
        wider = _accumulator(max(reach * times, top), sample)
        if middle and wider:
            middle = wider if wider == "int64" else middle
            wider = max(wider, middle)  # by their names, which sort by their width
            ring = _ring(sample, middle)
            down = tuple(make_sum(ring, middle, taps_of(c)) for c in columns)
            across = taps_of([row for _, row in products])
            last = make_sum(middle, wider, across, start * times)
            rounding = _division(divisor * times, wider, sign, top, reach * times)
            return Plan(ring, size, last, rounding, down, beside=beside)
    ring = _ring(sample, kind)
    last = make_sum(ring, kind, taps, start)
    return Plan(ring, size, last, _division(divisor, kind, sign, top, reach), beside=beside)


def _running_plan(
    weights: Matrix, taps: int, sample: str, rest: tuple[int, int, int, int], size: tuple[int, int]
) -> Plan | None:
    """A plan for weights that are constant in runs, where it costs less than the others."""
    found = outer_products(weights) if taps > RUNNING else None
    if not found:
        return None
    times, products = found
    columns, rows = [column for column, _ in products], [row for _, row in products]
    start, divisor, sign, top = rest
    reach = (_reach(weights, start, MAXIMUM[sample]) + divisor) * times
    kind = _accumulator(max(reach, top), sample)
    if kind is None or kind == "int64":
        return None
    running = all(w == 1 for column in columns for w in column)
    ends, across = ends_of_runs(rows), taps_of(rows)
    prefixed = RUNNING * len(rows) + len(ends) <= len(across)
    down = sum(sum(map(bool, column)) for column in columns)
    dense = min(taps, down + len(across) + PASS * len(rows))
    cost = RUNNING * len(rows) + len(ends) if prefixed else len(across)
    if not (running or prefixed) or (RUNNING if running else down) + cost >= dense:
        return None
    ring = sample if running else _ring(sample, kind)
    last = make_sum(kind, kind, across, start * times)
    if prefixed:
        last = Sum(kind, kind, tuple(ends), tuple(ends.values()), start * times)
    rounding = _division(divisor * times, kind, sign, top, reach)
    sums = tuple(make_sum(ring, kind, taps_of([[w] for w in column])) for column in columns)
    return Plan(ring, size, last, rounding, sums, prefixed=prefixed, running=running)


def _division(divisor: int, kind: str, sign: int, top: int, reach: int) -> Rounding:
    """How totals are divided: not at all, by a power of two, or by any number."""
    if divisor == 1 and sign == 1 and kind == "int16":
        return Rounding(PLAIN, sign, top)
    shift = divisor.bit_length() - 1
    if divisor == 1 << shift and kind != "int64":
        half = ((1 << shift) >> 1) - (shift > 0)
        return Rounding(SHIFT, sign, top, shift, half, int(shift > 0), divisor)
    if kind == "int16":
        multiplier, shift = reciprocal(divisor)
        even = 1 - divisor % 2
        return Rounding(DIVIDE, sign, top, shift, divisor // 2, even, divisor, multiplier)
    if kind == "int32" and top == WHITE and reach < 1 << 24:
        snap = snapping(divisor)
        if snap is not None:
            return Rounding(NARROW, sign, top, half=snap, divisor=divisor)
    return Rounding(DIVIDE, sign, top, divisor=divisor)


def reciprocal(divisor: int) -> tuple[int, int]:
    """Return what to multiply 15 bits by, and to shift their upper 16 by, to divide them.

    The multiplier is of 16 bits, without a sign.
    """
    shift = (divisor - 1).bit_length() - 1
    return -(-(1 << 16 + shift) // divisor), shift


def _reach(weights: Matrix, start: int, maximum: int) -> int:
    """The greatest magnitude of a total. An overflow on the way to one that fits is harmless."""
    flat = [int(w) for row in weights for w in row]
    highest = start + maximum * sum(w for w in flat if w > 0)
    lowest = start + maximum * sum(w for w in flat if w < 0)
    return max(highest, -lowest, abs(start), *map(abs, flat))


def _accumulator(reach: int, sample: str) -> str | None:
    """The narrowest accumulator that holds whole numbers of a magnitude, and the samples."""
    widths = (("int16", 15), ("int32", 31), ("int64", 62))
    reach = max(reach, MAXIMUM[sample])
    return next((kind for kind, bits in widths if reach < 1 << bits), None)


def _ring(sample: str, kind: str) -> str:
    """As what samples are read, to be added up in accumulators of a kind."""
    return "int16" if sample == "uint8" and kind != "int64" else kind


# ---- real numbers -----------------------------------------------------------------------------


def _real_plan(
    weights: list[list[float]],
    bias: float,
    magnitude: float,
    sample: str,
    result: str,
    sign: int,
    size: tuple[int, int],
    outputs: int,
) -> Plan:
    """A plan in float32 where that is precise enough, else in float64."""
    double = "float64" in (sample, result)
    flat = [abs(w) for row in weights for w in row if w]
    within = _float_error(flat, bias, magnitude) < 0.25 and max(flat, default=0) < 1e30
    kind = "float32" if within and not double else "float64"
    rounding = Rounding(PLAIN, sign, MAXIMUM[result])
    taps = taps_of(weights)
    found = products_of(weights, len(taps))
    # Two products may differ by an infinity, where the sum of the taps would be none.
    if found and (len(found[1]) == 1 or not sample.startswith("float")):
        _, products = found
        down = tuple(make_sum(kind, kind, taps_of([[w] for w in c])) for c, _ in products)
        across = taps_of([row for _, row in products])
        return Plan(kind, size, make_sum(kind, kind, across, bias), rounding, down)
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
    additions = len(flat) / GROUP + GROUP + 3
    return additions * (magnitude * math.fsum(flat) + abs(bias)) * 2**-24
