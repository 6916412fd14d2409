"""How a kernel is computed on a kind of sample: its taps, accumulators, passes and rounding."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from imgconv.errors import KernelError
from imgconv.factors import Matrix, Products, outer_products
from imgconv.kernel import Kernel, Number
from imgconv.levels import MAXIMUM, Rule

# Samples in a block: 4096 accumulators of four bytes fit the first-level cache beside the rows.
BLOCK = 4096
# Taps in one sweep over a block, as written out in `core`: of 3, 4, 6, 8 and 9, nine was fastest.
GROUP = 9
HALF_GROUP = 6
# What a pass more costs, in taps: it writes and reads back what the taps of one pass share.
PASS = 8
IDENTITY = Rule(Fraction(1), Fraction(0), False)
UNCHANGED = (0, 1, 0, 0, 0, 0, 1)

Place = tuple[int, int]


@dataclass(frozen=True)
class Pass:
    """One run of the core's sweep over samples of a kind.

    `places` are the (row, column) of each weight. `scalars` are bias, sign, top, shift, half, odd
    and divisor; `rounding` and `fused` choose the loop (see `core.sweep`).
    """

    source: str
    accumulator: str
    result: str
    places: tuple[Place, ...]
    weights: tuple[Number, ...]
    scalars: tuple[Number, ...]
    rounding: str
    fused: int = 0


@dataclass(frozen=True)
class Plan:
    """Everything the core needs to know of a kernel.

    A separable kernel has one or two passes `down` its columns; `last` reads their results, and
    its places are then (which of them, column). `buffer` is the kind of sample that pieces with a
    border are gathered as.
    """

    sample: str
    buffer: str
    size: tuple[int, int]
    last: Pass
    down: tuple[Pass, ...] = ()

    @property
    def taps(self) -> int:
        """How many multiplications an output sample costs."""
        return len(self.last.weights) + sum(len(p.weights) for p in self.down)


def make_plan(
    kernel: Kernel, sample: str, result: str, rule: Rule = IDENTITY, magnitude: float = 0
) -> Plan:
    """Choose how to compute a kernel on samples of a kind, with the rule of the levels folded in.

    Parameters
    ----------
    kernel : Kernel
    sample, result : "uint8", "uint16", "float32" or "float64"
        The kinds read and written; a float result is the unrounded response.
    rule : Rule
        From response to pixel.
    magnitude : float, optional
        The greatest absolute value of float samples, where it is known (a chain).

    Raises
    ------
    KernelError
        If an integer kernel is too large for exact 64-bit arithmetic.
    """
    scale = rule.scale / Fraction(kernel.divisor)
    factors = [[Fraction(w) * scale for w in row] for row in kernel.weights]
    bias = Fraction(kernel.bias) * rule.scale + rule.shift
    if not sample.startswith("float"):
        whole = _whole_plan(factors, bias, sample, result, rule.absolute, kernel.size)
        if whole:
            return whole
        if _is_whole(kernel):
            raise KernelError(
                f"the whole weights of kernel {kernel.name or 'custom'!r} are too large for exact "
                "64-bit arithmetic; divide weights and divisor by a common number"
            )
    weights = [[float(f) for f in row] for row in factors]
    span = magnitude or MAXIMUM[sample]
    return _real_plan(weights, float(bias), span, sample, result, rule.absolute, kernel.size)


def _is_whole(kernel: Kernel) -> bool:
    numbers = (kernel.divisor, kernel.bias, *(w for row in kernel.weights for w in row))
    return all(isinstance(n, int) for n in numbers)


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

    def last(source: str, taps: dict[Place, Number], kind: str, times: int) -> Pass:
        total = divisor * times
        shift = total.bit_length() - 1
        half = ((1 << shift) >> 1) - (shift > 0)
        scalars = (start * times, sign, MAXIMUM[result], shift, half, int(shift > 0), total)
        if result.startswith("float"):
            rounding = "response"
        elif total == 1 and not absolute and kind == "int16":
            rounding = "plain"
        else:
            rounding = "shift" if total == 1 << shift else "divide"
        return _pass(source, kind, result, taps, scalars, rounding, filled=True)

    reach = _reach(weights, start, MAXIMUM[sample]) + divisor
    kind = _accumulator(max(reach, MAXIMUM[result]))
    if kind is None:
        return None
    taps = _taps(weights)
    if found := _products(weights, len(taps)):
        times, products = found
        columns = [[[w] for w in column] for column, _ in products]
        middle = _accumulator(max(_reach(c, 0, MAXIMUM[sample]) for c in columns))
        wider = _accumulator(max(reach * times, MAXIMUM[result]))
        if middle and wider:
            wider = max(wider, middle)  # by their names, which sort by their width
            down = tuple(
                _pass(sample, middle, middle, _taps(c), UNCHANGED, "raw", filled=True)
                for c in columns
            )
            across = _taps([row for _, row in products])
            return Plan(sample, sample, size, last(middle, across, wider, times), down)
    return Plan(sample, sample, size, last(sample, taps, kind, 1))


def _real_plan(
    weights: list[list[float]],
    bias: float,
    magnitude: float,
    sample: str,
    result: str,
    absolute: bool,
    size: tuple[int, int],
) -> Plan:
    """A plan in float32 where that is precise enough, else in float64."""
    double = "float64" in (sample, result)
    within = _float_error(weights, bias, magnitude) < 0.25 and _largest(weights) < 1e30
    kind = "float32" if within and not double else "float64"
    scalars = (bias, -1 if absolute else 1, MAXIMUM[result], 0, 0, 0, 1)
    rounding = "response" if result.startswith("float") else "real"
    # Among float samples an infinity times a weight of 0 that only fills up would be NaN.
    filled = not sample.startswith("float")
    taps = _taps(weights)
    found = _products(weights, len(taps))
    # Two products may differ by an infinity, where the sum of the taps would be none.
    if found and (filled or len(found[1]) == 1):
        _, products = found
        down = tuple(
            _pass(sample, kind, kind, _taps([[w] for w in c]), UNCHANGED, "raw", filled=filled)
            for c, _ in products
        )
        across = _taps([row for _, row in products])
        last = _pass(kind, kind, result, across, scalars, rounding, filled=filled)
        return Plan(sample, sample, size, last, down)
    # Many taps read each sample so often that it pays to convert it to floats once.
    buffer = sample if len(taps) <= GROUP else kind
    last = _pass(buffer, kind, result, taps, scalars, rounding, filled=filled)
    return Plan(sample, buffer, size, last)


def _taps(weights: Matrix) -> dict[Place, Number]:
    """The weights that are not zero, by their places; one of them where all are."""
    taps = {(y, x): w for y, row in enumerate(weights) for x, w in enumerate(row) if w}
    return taps or {(0, 0): 0}


def _pass(
    source: str,
    kind: str,
    result: str,
    taps: dict[Place, Number],
    scalars: tuple[Number, ...],
    rounding: str,
    *,
    filled: bool,
) -> Pass:
    """A pass over some taps; filled: with a last group made full, cheaper than tap by tap."""
    places, weights = tuple(taps), tuple(taps.values())
    fused = _fused(kind, rounding, len(taps)) if filled else 0
    missing = -len(taps) % (fused or GROUP) if filled else 0
    places, weights = places + places[:1] * missing, weights + (0,) * missing
    return Pass(source, kind, result, places, weights, scalars, rounding, fused)


def _fused(kind: str, rounding: str, taps: int) -> int:
    """How many taps go straight to pixels in one sweep; 0 where that is not worth its own code.

    Every form is compiled by itself, so there are only those whose speed memory would allow.
    """
    if kind not in ("int16", "float32") or rounding in ("response", "raw") or taps > GROUP:
        return 0
    return HALF_GROUP if rounding == "plain" and taps <= HALF_GROUP else GROUP


def _products(weights: Matrix, taps: int) -> tuple[int, Products] | None:
    """The weights as outer products, where passes down and across cost less than all taps."""
    if taps <= PASS + 2:
        return None
    found = outer_products(weights)
    if found is None:
        return None
    cost = sum(sum(map(bool, c)) + sum(map(bool, r)) + PASS for c, r in found[1])
    return found if cost < taps else None


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
