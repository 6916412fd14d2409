"""Sums over three channels at 1x1, straight from pixels of bytes to pixels of bytes."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

from imgconv.engine.levels import Exact, Rule, ratio
from imgconv.engine.plan import is_short
from imgconv.engine.sums import EXACT, WHITE, snapping
from imgconv.kernels.kernel import Kernel
from imgconv.light import NamedTuple

# Weights are of 16 bits; that of the second channel is given in two halves.
WEIGHT = (1 << 15) - 1
# How far a response may be from the exact one, in levels.
ERROR = 0.05

Row = tuple[int, int, int, int]  # weights of the channels, and the bias


class Mix(NamedTuple):
    """For each output whole weights and a bias, and by what their sum is divided."""

    rows: tuple[Row, ...]
    divisors: tuple[int, ...]

    @property
    def within(self) -> bool:
        """Whether the one output there is cannot be below 0 or above white."""
        (*weights, bias), divisor = self.rows[0], self.divisors[0]
        most = WHITE * sum(weights) + bias
        return len(self.rows) == 1 and min(*weights, bias) >= 0 and most <= WHITE * divisor

    def packed(self) -> bytes:
        """The numbers of `matrices.mixing`: those of outputs that are not there are 0."""
        rows = [*self.rows, *[(0, 0, 0, 0)] * (3 - len(self.rows))]
        divisors = [*self.divisors, *[1] * (3 - len(self.divisors))]
        pairs = [n for r, g, b, _ in rows for n in (r, g // 2, b, g - g // 2)]
        biases, scales = [row[3] for row in rows], [1 / divisor for divisor in divisors]
        snaps = [snapping(divisor) or 0 for divisor in divisors]
        return struct.pack("12h3i6f", *pairs, *biases, *scales, *snaps)


def make_mix(outputs: Sequence[Kernel], rule: Rule) -> Mix | None:
    """Return the sums of kernels over three channels, with the rule of the levels folded in.

    None where whole ones would not be exact, or real ones not precise.
    """
    if rule.absolute or len(outputs) not in (1, 3):
        return None
    found = [_row(kernel, rule) for kernel in outputs]
    if not all(found):
        return None
    rows, divisors = zip(*(each for each in found if each), strict=True)
    return Mix(rows, divisors)


def _row(kernel: Kernel, rule: Rule) -> tuple[Row, int] | None:
    assert not isinstance(kernel.bias, tuple)
    scale = ratio(rule.scale, kernel.divisor)
    exact = [ratio(w) * scale for row in kernel.weights for w in row]
    exact.append(ratio(kernel.bias) * rule.scale + rule.shift)
    common = math.lcm(*(number.denominator for number in exact))
    whole = _fitting(exact, common)
    if is_short(kernel):
        return (whole, common) if whole and snapping(common) is not None else None
    for bits in range(16, 7, -1):
        row = _fitting(exact, 1 << bits)
        if row:
            off = [abs(n - number * 2**bits) for n, number in zip(row, exact, strict=True)]
            error = (WHITE * sum(off[:3]) + off[3]) / 2**bits
            return (row, 1 << bits) if error < ERROR else None
    return None


def _fitting(exact: Sequence[Exact], divisor: int) -> Row | None:
    """The numbers times a divisor, rounded, if the sums are exact."""
    red, green, blue, bias = (round(number * divisor) for number in exact)
    fits = max(abs(red), abs(green) // 2 + 1, abs(blue)) <= WEIGHT
    reach = WHITE * (abs(red) + abs(green) + abs(blue)) + abs(bias)
    return (red, green, blue, bias) if fits and reach < EXACT else None
