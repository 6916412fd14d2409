"""Plans in 16-bit fixed point for real weights on uint8: twice as many samples a vector as floats.

A term is the upper half of the product of two uint16, a sample in units of 2**-8 and a weight: less
than the exact term by less than one unit. The bias makes up for half a unit each.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from imgconv.engine.sums import GROUP, Place, Plan, Rounding, Sum, products_of, taps_of
from imgconv.engine.words import SHIFT
from imgconv.kernels.factors import Products

# How far a response may be from the exact one, in levels: less than one.
ERROR = 0.75
UNIT = 1 << 8
WORD = 1 << 16
WHITE = 255


class _Sum(NamedTuple):
    """Taps in whole numbers, the positive ones first, each sign filled up to whole groups.

    The weights after the first `added` are subtracted. `error` is in units of the sum.
    """

    places: tuple[Place, ...]
    weights: tuple[int, ...]
    added: int
    bias: int
    error: float

    def wrapped(self, kind: str) -> Sum:
        """Return the sum for the core, its numbers wrapped to 16 bits."""
        bias, *weights = (n % WORD for n in (self.bias, *self.weights))
        return Sum("uint16", kind, self.places, tuple(weights), bias, self.added)


def fixed_plan(
    weights: list[list[float]], bias: float, sign: int, size: tuple[int, int]
) -> Plan | None:
    """Return a plan from uint8 to uint8, or None where it were not precise enough or not faster.

    `weights`, `bias` and `sign` (-1 for absolute values) are those from samples to levels.
    """
    lowest, highest = (bias + WHITE * n for n in _parts(w for row in weights for w in row))
    taps = {place: float(w) for place, w in taps_of(weights).items()}
    found = products_of(weights, len(taps))
    if not found and len(taps) <= GROUP and not lowest == bias < highest:
        return None  # one group for each sign is no faster than one of floats
    down: list[_Sum] = []
    origins, error = [0], 0.0
    if found:
        taps = {}
        separated = _separated(found[1])
        if separated is None:
            return None
        down, origins, taps, error = separated
    for kind, bits in (("uint16", 8), *(("int16", bits) for bits in range(7, -1, -1))):
        last = _sum({p: w * UNIT * 2**bits for p, w in taps.items()}, origins, bias * 2**bits)
        if last is None or error + last.error / 2**bits > ERROR:
            continue
        slack = (error + 0.5) * 2**bits + last.error
        low, high = lowest * 2**bits - slack, highest * 2**bits + slack
        if kind == "uint16":
            fits = lowest >= 0 and high < WORD and sign == 1
        else:
            fits = max(high, -low) < WORD // 2
        if fits:
            half = 2**bits // 2 - (bits > 0)
            rounding = Rounding(SHIFT, sign, WHITE, bits, half, int(bits > 0), 2**bits)
            passes = tuple(s.wrapped("uint16") for s in down)
            return Plan("uint16", size, last.wrapped(kind), rounding, passes, UNIT)
    return None


def _parts(weights: Iterator[float]) -> tuple[float, float]:
    """The sums of the negative and of the positive weights."""
    flat = list(weights)
    return math.fsum(w for w in flat if w < 0), math.fsum(w for w in flat if w > 0)


def _separated(
    products: Products,
) -> tuple[list[_Sum], list[int], dict[Place, float], float] | None:
    """Sums down each column, what they add to stay positive, the taps across, and the error.

    A column is made to have weights of 1 in all, so that its sums take no more room than samples.
    """
    down, origins, error = [], [], 0.0
    across: dict[Place, float] = {}
    for i, (column, row) in enumerate(products):
        norm = math.fsum(map(abs, column))
        negative, _ = _parts(w / norm for w in column)
        origin = math.ceil(-negative * WHITE * UNIT) + (len(column) if negative else 0)
        taps = {(y, 0): w / norm * WORD for y, w in enumerate(column) if w}
        total = _sum(taps, [0], origin)
        if total is None or WHITE * UNIT + 2 * len(column) >= WORD:
            return None
        down.append(total)
        origins.append(origin)
        across |= {(i, x): w * norm for x, w in enumerate(row) if w}
        error += total.error / UNIT * norm * math.fsum(map(abs, row))
    return down, origins, across, error


def _sum(taps: Mapping[Place, float], origins: Sequence[int], bias: float) -> _Sum | None:
    """Round weights, given in units of 2**-16 of the sum; None if one does not fit 16 bits.

    A tap in row r reads samples to which origins[r] has been added (in later rows the last one).
    """
    places: list[Place] = []
    weights: list[int] = []
    error, added = 0.5, 0  # the error of the bias itself
    for sign in (1, -1):
        those = {place: abs(w) for place, w in taps.items() if w * sign > 0}
        for place, weight in those.items():
            whole = round(weight)
            half = 0.5 if whole else 0.0
            if whole >= WORD:
                return None
            error += half + abs(weight - whole)
            bias += sign * (half - origins[min(place[0], len(origins) - 1)] * whole / WORD)
            places.append(place)
            weights.append(whole)
        missing = -len(those) % GROUP
        places += places[-1:] * missing
        weights += [0] * missing
        if sign == 1:
            added = len(weights)
    return _Sum(tuple(places), tuple(weights), added, math.floor(bias + 0.5), error)
