"""How a kernel is computed on a kind of sample: its taps, accumulators, passes and rounding."""

from __future__ import annotations

import functools
import math
from fractions import Fraction

from imgconv.engine.fixed import fixed_plan
from imgconv.engine.levels import MAXIMUM, Rule
from imgconv.engine.passes import (
    GROUP,
    UNCHANGED,
    Pass,
    Place,
    Plan,
    make_pass,
    products_of,
    taps_of,
)
from imgconv.errors import KernelError
from imgconv.kernels.factors import Matrix
from imgconv.kernels.kernel import Kernel, Number

IDENTITY = Rule(Fraction(1), Fraction(0), False)
TOTALS = "totals"  # for a result: the accumulators as they are, not yet divided
# Fourier transforms take as long as so many taps, and NumPy 85 ms to be imported: as long as so
# many taps times samples.
TRANSFORM = 250
TRANSFORM_START = 2.5e9


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

    Parameters
    ----------
    kernel : Kernel
        Of two dimensions: one output's, see `Kernel.outputs`.
    sample, result : "uint8", "uint16", "float32" or "float64"
        The kinds read and written; a float result is the unrounded response, TOTALS are for later.
    rule : Rule
        From response to pixel.
    magnitude : float, optional
        The greatest absolute value of float samples, where it is known (a chain).
    outputs : int, optional
        How many samples come out of a kernel without stride and dilation, where that is known.

    Raises
    ------
    KernelError
        If an integer kernel is too large for exact 64-bit arithmetic.
    """
    assert len(kernel.shape) == 2, kernel.shape
    assert not isinstance(kernel.bias, tuple)
    scale = rule.scale / Fraction(kernel.divisor)
    bias = Fraction(kernel.bias) * rule.scale + rule.shift
    if not sample.startswith("float"):
        if _is_short(kernel):
            factors = [[Fraction(w) * scale for w in row] for row in kernel.weights]
            whole = _whole_plan(factors, bias, sample, result, rule.absolute, kernel.size)
            if whole:
                return whole
        if _is_whole(kernel):
            raise KernelError(
                f"the whole weights of kernel {kernel.name or 'custom'!r} are too large for exact "
                "64-bit arithmetic; divide weights and divisor by a common number"
            )
    result = "float64" if result == TOTALS else result
    factor = float(scale)
    weights = [[w * factor for w in row] for row in kernel.weights]
    if sample == result == "uint8":
        fixed = fixed_plan(weights, float(bias), rule.absolute, kernel.size)
        if fixed:
            return fixed
    span = magnitude or MAXIMUM[sample]
    return _real_plan(
        weights, float(bias), span, sample, result, rule.absolute, kernel.size, outputs
    )


def _is_whole(kernel: Kernel) -> bool:
    numbers = (kernel.divisor, kernel.bias, *(w for row in kernel.weights for w in row))
    return all(isinstance(n, int) for n in numbers)


def _is_short(kernel: Kernel) -> bool:
    """Whether the weights may be whole numbers of some small unit, as 0.25 is and 0.1 is not."""
    return all(w.as_integer_ratio()[1] < 1 << 31 for row in kernel.weights for w in row)


def _whole_plan(
    factors: list[list[Fraction]],
    bias: Fraction,
    sample: str,
    result: str,
    absolute: bool,
    size: tuple[int, int],
) -> Plan | None:
    """A plan in whole numbers, exact, where an accumulator holds them."""
    divisor = math.lcm(bias.denominator, *(f.denominator for row in factors for f in row))
    weights = [[int(f * divisor) for f in row] for row in factors]
    start, sign = int(bias * divisor), -1 if absolute else 1
    top = MAXIMUM.get(result, 0)

    def last(source: str, taps: dict[Place, Number], kind: str, times: int) -> Pass:
        total = divisor * times
        shift = total.bit_length() - 1
        half = ((1 << shift) >> 1) - (shift > 0)
        scalars = (start * times, sign, top, shift, half, int(shift > 0), total, 0)
        if kind == "int16" and total != 1 << shift:
            multiplier, shift = reciprocal(total)
            even = 1 - total % 2
            scalars = (*scalars[:3], shift, total // 2, even, total, multiplier)
        if result == TOTALS:
            return make_pass(source, kind, kind, taps, scalars, "whole", filled=True)
        if result.startswith("float"):
            rounding = "whole" if total == 1 and not absolute else "response"
        elif total == 1 and not absolute and kind == "int16":
            rounding = "plain"
        else:
            rounding = "shift" if total == 1 << shift else "divide"
        return make_pass(source, kind, result, taps, scalars, rounding, filled=True)

    reach = _reach(weights, start, MAXIMUM[sample]) + divisor
    kind = _accumulator(max(reach, top))
    if kind is None:
        return None
    taps = taps_of(weights)
    if found := products_of(weights, len(taps)):
        times, products = found
        columns = [[[w] for w in column] for column, _ in products]
        middle = _accumulator(max(_reach(c, 0, MAXIMUM[sample]) for c in columns))
        wider = _accumulator(max(reach * times, top))
        if middle and wider:
            wider = max(wider, middle)  # by their names, which sort by their width
            down = tuple(
                make_pass(sample, middle, middle, taps_of(c), UNCHANGED, "raw", filled=True)
                for c in columns
            )
            across = taps_of([row for _, row in products])
            return Plan(sample, sample, size, last(middle, across, wider, times), down)
    # Many taps read each sample so often that it pays to make it wide once.
    buffer = kind if kind == "int16" and len(taps) > GROUP else sample
    return Plan(sample, buffer, size, last(buffer, taps, kind, 1))


def _real_plan(
    weights: list[list[float]],
    bias: float,
    magnitude: float,
    sample: str,
    result: str,
    absolute: bool,
    size: tuple[int, int],
    outputs: int,
) -> Plan:
    """A plan in float32 where that is precise enough, else in float64."""
    double = "float64" in (sample, result)
    within = _float_error(weights, bias, magnitude) < 0.25 and _largest(weights) < 1e30
    kind = "float32" if within and not double else "float64"
    scalars = (bias, -1 if absolute else 1, MAXIMUM[result], 0, 0, 0, 1, 0)
    rounding = "real"
    if result.startswith("float"):
        rounding = "response" if absolute else "whole"
    # Among float samples an infinity times a weight of 0 that only fills up would be NaN.
    filled = not sample.startswith("float")
    taps = taps_of(weights)
    found = products_of(weights, len(taps))
    # Two products may differ by an infinity, where the sum of the taps would be none.
    if found and (filled or len(found[1]) == 1):
        _, products = found
        down = tuple(
            make_pass(
                sample, kind, kind, taps_of([[w] for w in c]), UNCHANGED, "raw", filled=filled
            )
            for c, _ in products
        )
        across = taps_of([row for _, row in products])
        last = make_pass(kind, kind, result, across, scalars, rounding, filled=filled)
        return Plan(sample, sample, size, last, down)
    if _is_transformed(weights, sample, magnitude, outputs) and not double:
        one = {(0, 0): 1.0}
        last = make_pass("float32", "float32", result, one, scalars, rounding, filled=False)
        return Plan(sample, "float32", size, last, transform=tuple(map(tuple, weights)))
    # Many taps read each sample so often that it pays to convert it to floats once.
    buffer = sample if len(taps) <= GROUP else kind
    last = make_pass(buffer, kind, result, taps, scalars, rounding, filled=filled)
    return Plan(sample, buffer, size, last)


def _is_transformed(
    weights: list[list[float]], sample: str, magnitude: float, outputs: int
) -> bool:
    """Whether Fourier transforms are faster, and precise enough.

    Float samples are never transformed: a NaN would spread over its tile.
    """
    flat = [abs(w) for row in weights for w in row if w]
    faster = outputs * (len(flat) - TRANSFORM) > TRANSFORM_START
    precise = magnitude * math.fsum(flat) * 2**-20 < 0.25
    return faster and precise and not sample.startswith("float")


def reciprocal(divisor: int) -> tuple[int, int]:
    """Return what to multiply 15 bits by, and to shift their upper 16 by, to divide them.

    The multiplier is of 16 bits, here with a sign.
    """
    shift = (divisor - 1).bit_length() - 1
    multiplier = -(-(1 << 16 + shift) // divisor)
    return (multiplier + (1 << 15)) % (1 << 16) - (1 << 15), shift


def _reach(weights: Matrix, start: int, maximum: int) -> int:
    """The greatest magnitude of a total. An overflow on the way to one that fits is harmless."""
    flat = [int(w) for row in weights for w in row]
    highest = start + maximum * sum(w for w in flat if w > 0)
    lowest = start + maximum * sum(w for w in flat if w < 0)
    return max(highest, -lowest, abs(start), *map(abs, flat))


def _accumulator(reach: int) -> str | None:
    """The narrowest accumulator that holds whole numbers of a magnitude."""
    widths = (("int16", 15), ("int32", 31), ("int64", 62))
    return next((kind for kind, bits in widths if reach < 1 << bits), None)


def _largest(weights: list[list[float]]) -> float:
    return max(abs(w) for row in weights for w in row)


def _float_error(weights: list[list[float]], bias: float, magnitude: float) -> float:
    """How much rounding to float32 may change a response.

    Each of n taps in groups of nine goes through at most n/9 + 9 additions, each of them wrong by
    at most 2**-24 of the sum of the magnitudes.
    """
    flat = [abs(w) for row in weights for w in row]
    additions = len(flat) / GROUP + GROUP + 3
    return additions * (magnitude * math.fsum(flat) + abs(bias)) * 2**-24
