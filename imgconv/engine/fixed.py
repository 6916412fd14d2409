"""Plans in 16-bit fixed point for real weights on uint8: twice as many samples a vector as floats.

A term is the upper half of the product of two uint16, a sample in units of 2**-8 and a weight: less
than the exact term by less than one unit. The bias makes up for half a unit each.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from imgconv.compiled.words import SHIFT
from imgconv.engine.sums import NINE, WHITE, Place, Plan, Rounding, Sum, products_of, taps_of
from imgconv.kernels.factors import Products

# How far a response may be from the exact one, in levels: less than one.
ERROR = 0.75
UNIT = 1 << 8
WORD = 1 << 16

Rounded = tuple[Sum, float]  # and its error, in its own units


def fixed_plan(
    weights: list[list[float]], bias: float, sign: int, size: tuple[int, int]
) -> Plan | None:
    """Return a plan from uint8 to uint8, or None where it were not precise enough or not faster.

    `weights`, `bias` and `sign` (-1 for absolute values) are those from samples to levels.
    """
    lowest, highest = (bias + WHITE * n for n in _parts(w for row in weights for w in row))
    taps = {place: float(w) for place, w in taps_of(weights).items()}
    found = products_of(weights, len(taps))
    if not found and len(taps) <= NINE and not lowest == bias < highest:
        return None  # one group for each sign is no faster than one of floats
    down: tuple[Sum, ...] = ()
    origins, error = [0], 0.0
    if found:
        taps = {}
        separated = _separated(found[1])
        if separated is None:
            return None
        down, origins, taps, error = separated
    for kind, bits in (("uint16", 8), *(("int16", bits) for bits in range(7, -1, -1))):
        scaled = {p: w * UNIT * 2**bits for p, w in taps.items()}
        last, last_error = _sum(scaled, origins, bias * 2**bits) or (None, 0)
        if last is None or error + last_error / 2**bits > ERROR:
            continue
        slack = (error + 0.5) * 2**bits + last_error
        low, high = lowest * 2**bits - slack, highest * 2**bits + slack
        if kind == "uint16":
            fits = lowest >= 0 and high < WORD and sign == 1
        else:
            fits = max(high, -low) < WORD // 2
        if fits:
            half = 2**bits // 2 - (bits > 0)
            rounding = Rounding(SHIFT, sign, WHITE, bits, half, int(bits > 0), 2**bits)
            return Plan("uint16", size, last._replace(kind=kind), rounding, down, UNIT)
    return None


def _parts(weights: Iterator[float]) -> tuple[float, float]:
    """The sums of the negative and of the positive weights."""
    flat = list(weights)
    return math.fsum(w for w in flat if w < 0), math.fsum(w for w in flat if w > 0)


def _separated(
    products: Products,
) -> tuple[tuple[Sum, ...], list[int], dict[Place, float], float] | None:
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
        found = _sum(taps, [0], origin)
        if found is None or WHITE * UNIT + 2 * len(column) >= WORD:  # 128 taps: these are `real`
            return None
        down.append(found[0])
        origins.append(origin)
        across |= {(i, x): w * norm for x, w in enumerate(row) if w}
        error += found[1] / UNIT * norm * math.fsum(map(abs, row))
    return tuple(down), origins, across, error


def _sum(taps: Mapping[Place, float], origins: Sequence[int], bias: float) -> Rounded | None:
    """Round weights, given in units of 2**-16 of the sum; None if one does not fit 16 bits.

    A tap in row r reads samples to which origins[r] has been added (in later rows the last one).
    The positive ones come first; each sign is filled up to whole groups. All is wrapped to 16 bits.
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
        missing = -len(those) % NINE
        places += places[-1:] * missing
        weights += [0] * missing
        if sign == 1:
            added = len(weights)
    whole = math.floor(bias + 0.5) % WORD
    return Sum("uint16", "uint16", tuple(places), tuple(weights), whole, added), error
