"""How a kernel is computed on a kind of sample: its taps, its accumulator, its rounding."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from imgconv.errors import KernelError
from imgconv.kernel import Kernel, Number
from imgconv.levels import MAXIMUM, Rule

# Samples in a block: 4096 accumulators of four bytes fit the first-level cache beside the rows.
BLOCK = 4096
# Taps in one pass, as written out in `core`: of 3, 4, 6, 8 and 9, nine was the fastest.
GROUP = 9
HALF_GROUP = 6
IDENTITY = Rule(Fraction(1), Fraction(0), False)


@dataclass(frozen=True)
class Plan:
    """Everything the core needs to know of a kernel.

    `taps` are the (row, column) of each weight that is not zero. `scalars` are bias, sign, top,
    shift, half, odd and divisor; `rounding` and `fused` choose the loop (see `core.sweep`).
    `buffer` is the kind that pieces with a border are gathered as.
    """

    sample: str
    buffer: str
    accumulator: str
    result: str
    taps: tuple[tuple[int, int], ...]
    weights: tuple[Number, ...]
    scalars: tuple[Number, ...]
    rounding: str
    fused: int
    size: tuple[int, int]


def make_plan(
    kernel: Kernel, sample: str, result: str, rule: Rule = IDENTITY, magnitude: float = 0
) -> Plan:
    """Choose how to compute a kernel on samples of a kind, with the rule of the levels folded in.

    Parameters
    ----------
    kernel : Kernel
    sample, result : "uint8", "uint16" or "float32"
        The kinds read and written; a float32 result is the unrounded response.
    rule : Rule
        From response to pixel.
    magnitude : float, optional
        The greatest absolute value of float samples, where it is known (a chain).

    Raises
    ------
    KernelError
        If an integer kernel is too large for exact 64-bit arithmetic.
    """
    taps = [((y, x), w) for y, row in enumerate(kernel.weights) for x, w in enumerate(row) if w]
    taps = taps or [((0, 0), 0)]
    scale = rule.scale / Fraction(kernel.divisor)
    factors = [Fraction(w) * scale for _, w in taps]
    bias = Fraction(kernel.bias) * rule.scale + rule.shift
    places = tuple(place for place, _ in taps)
    sign, top = -1 if rule.absolute else 1, MAXIMUM[result]

    whole = _whole(factors, bias, MAXIMUM[sample]) if sample != "float32" else None
    if whole:
        kind, integers, start, divisor = whole
        shift = divisor.bit_length() - 1
        half = ((1 << shift) >> 1) - (shift > 0)
        scalars = (start, sign, top, shift, half, int(shift > 0), divisor)
        if result == "float32":
            rounding = "response"
        elif divisor == 1 and sign == 1:
            rounding = "plain"
        else:
            rounding = "shift" if divisor == 1 << shift else "divide"
        fused = _fused(len(integers), rounding)
        places, weights = _padded(places, integers, fused or GROUP)
        return Plan(
            sample, sample, kind, result, places, weights, scalars, rounding, fused, kernel.size
        )
    if sample != "float32" and _is_whole(kernel):
        raise KernelError(
            f"the whole weights of kernel {kernel.name or 'custom'!r} are too large for exact "
            "64-bit arithmetic; divide weights and divisor by a common number"
        )

    reals: tuple[Number, ...] = tuple(map(float, factors))
    kind = _float_for(reals, float(bias), magnitude or MAXIMUM[sample])
    rounding = "response" if result == "float32" else "real"
    fused = 0
    if sample != "float32":  # there, an infinity times a filled up 0 would be NaN
        fused = _fused(len(reals), rounding)
        places, reals = _padded(places, reals, fused or GROUP)
    buffer = sample if len(places) <= GROUP else kind
    real_scalars = (float(bias), sign, top, 0, 0, 0, 1)
    return Plan(
        sample, buffer, kind, result, places, reals, real_scalars, rounding, fused, kernel.size
    )


def _fused(taps: int, rounding: str) -> int:
    """How many taps the one pass has that goes straight to pixels; 0 where there is none."""
    if taps > GROUP or rounding == "response":
        return 0
    return HALF_GROUP if taps <= HALF_GROUP else GROUP


def _is_whole(kernel: Kernel) -> bool:
    numbers = (kernel.divisor, kernel.bias, *(w for row in kernel.weights for w in row))
    return all(isinstance(n, int) for n in numbers)


def _whole(
    factors: list[Fraction], bias: Fraction, maximum: int
) -> tuple[str, tuple[int, ...], int, int] | None:
    """Accumulator, weights, bias and divisor in whole numbers, where an accumulator holds them.

    The bounds include the divisor, which rounding adds half of. An overflow on the way to a total
    that fits is harmless: whole numbers wrap around and back.
    """
    divisor = math.lcm(bias.denominator, *(f.denominator for f in factors))
    weights = tuple(int(f * divisor) for f in factors)
    start = int(bias * divisor)
    highest = start + maximum * sum(w for w in weights if w > 0)
    lowest = start + maximum * sum(w for w in weights if w < 0)
    reach = max(highest, -lowest, abs(start), *map(abs, weights)) + divisor
    for accumulator, bits in (("int16", 15), ("int32", 31), ("int64", 62)):
        if reach < 1 << bits and (accumulator != "int16" or maximum == 255):
            return accumulator, weights, start, divisor
    return None


def _float_for(weights: tuple[Number, ...], bias: float, magnitude: float) -> str:
    """float32 where its rounding errors stay well below one level, else float64.

    Each of n taps in groups of nine goes through at most n/9 + 9 additions, each of them wrong by
    at most 2**-24 of the sum of the magnitudes.
    """
    reach = magnitude * math.fsum(map(abs, weights)) + abs(bias)
    additions = len(weights) / GROUP + GROUP + 3
    fits = max(map(abs, weights)) < 1e30 and abs(bias) < 1e30
    return "float32" if fits and additions * reach * 2**-24 < 0.25 else "float64"


def _padded(
    places: tuple[tuple[int, int], ...], weights: tuple[Number, ...], group: int
) -> tuple[tuple[tuple[int, int], ...], tuple[Number, ...]]:
    """Fill up the last group with taps of weight 0, cheaper than a pass for each of a few left."""
    missing = -len(weights) % group
    return places + places[:1] * missing, weights + (0,) * missing
