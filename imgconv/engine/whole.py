"""Plans in whole numbers: exact, in accumulators as narrow as hold them."""

from __future__ import annotations

import math
from collections.abc import Iterable

from imgconv.compiled import processor
from imgconv.compiled.words import DIVIDE, NARROW, PLAIN, SHIFT
from imgconv.engine.levels import MAXIMUM, Exact
from imgconv.engine.sums import (
    EXACT,
    PASS,
    WHITE,
    Asked,
    Plan,
    Rounding,
    Sum,
    ends_of_runs,
    is_cheaper,
    make_sum,
    snapping,
    taps_of,
)
from imgconv.kernels.factors import Matrix, Products, outer_products
from imgconv.kernels.numbers import Number
from imgconv.light import NamedTuple

# What a row costs whose samples are added up from the left, or that goes on from the one above.
RUNNING = 3
# How far weights go whose products are added up in pairs: those of a sign no further together in
# 16 bits, as 255 times as much fits these. In 32 bits sums are taken modulo their range.
PAIR_MOST = {"int16": 1 << 7, "int32": 1 << 15}


class _Totals(NamedTuple):
    """Whole totals over `divisor`: where they begin, and the least and the greatest of them."""

    start: int
    divisor: int
    least: int
    greatest: int
    asked: Asked

    def times(self, factor: int) -> _Totals:
        """Return those of weights that are so many times as large."""
        start, divisor, least, greatest = (number * factor for number in self[:4])
        return _Totals(start, divisor, least, greatest, self.asked)

    @property
    def reach(self) -> int:
        """How far from 0 they and what is added to round them go."""
        return max(self.greatest, -self.least, abs(self.start)) + self.divisor

    @property
    def kind(self) -> str | None:
        """The narrowest accumulator that holds them, and pixels."""
        return _accumulator(max(self.reach, MAXIMUM[self.asked.result]), self.asked.sample)

    def rounding(self, kind: str) -> Rounding:
        """Return how they are divided: not at all, by a power of two, or by any number."""
        divisor, (_, result, sign, _) = self.divisor, self.asked
        top = MAXIMUM[result]
        within = int(self.least >= 0 and self.greatest <= top * divisor)
        if divisor == 1 and sign == 1 and kind == "int16":
            return Rounding(PLAIN, sign, top)
        shift = divisor.bit_length() - 1
        if divisor == 1 << shift and kind != "int64":
            half = ((1 << shift) >> 1) - (shift > 0)
            return Rounding(SHIFT, sign, top, shift, half, int(shift > 0), divisor)
        if kind == "int16":
            multiplier, shift = reciprocal(divisor)
            even = 1 - divisor % 2
            numbers = shift, divisor // 2, even, divisor, multiplier
            return Rounding(DIVIDE, sign, top, *numbers, within=int(within and not even))
        if kind == "int32" and top == WHITE and self.reach < EXACT:
            snap = snapping(divisor)
            if snap is not None:
                return Rounding(NARROW, sign, top, half=snap, divisor=divisor, within=within)
        return Rounding(DIVIDE, sign, top, divisor=divisor)


def whole_plan(factors: list[list[Exact]], bias: Exact, asked: Asked) -> Plan | None:
    """Return a plan in whole numbers, where an accumulator holds them."""
    divisor = math.lcm(bias.denominator, *(f.denominator for row in factors for f in row))
    weights = [[int(f * divisor) for f in row] for row in factors]
    start = int(bias * divisor)
    ends = _ends(weights, start, MAXIMUM[asked.sample])
    totals = _Totals(start, divisor, *ends, asked)
    kind = totals.kind
    if kind is None:
        return None
    taps = taps_of(weights)
    found = outer_products(weights) if len(taps) > RUNNING else None
    beside = _running(found, len(taps), totals) if found else None
    paired = _paired(weights, totals)
    if found and is_cheaper(found[1], len(taps)):
        separate = _separate(found, totals)
        if separate:
            faster = paired if paired and paired.cost < separate.cost else None
            return separate._replace(beside=beside or faster)
    ring = _ring(asked.sample, kind)
    last = make_sum(ring, kind, taps, start)
    return Plan(ring, asked.size, last, totals.rounding(kind), beside=beside or paired)


def long_plan(products: Products, scale: Exact, bias: Exact, asked: Asked) -> Plan | None:
    """Return such a plan for columns times rows of whole numbers, times a scale."""
    divisor = math.lcm(bias.denominator, scale.denominator)
    times, start = int(scale * divisor), int(bias * divisor)
    made: Products = [(column, tuple(int(w) * times for w in row)) for column, row in products]
    signed = [(*_by_sign(column), *_by_sign(row)) for column, row in made]
    most = sum(high * right + low * left for high, low, right, left in signed)
    least = sum(high * left + low * right for high, low, right, left in signed)
    ends = _ends([[most, least]], start, MAXIMUM[asked.sample])
    totals = _Totals(start, divisor, *ends, asked)
    separate = _separate((1, made), totals)
    beside = _running((1, made), math.prod(asked.size), totals)
    return separate and separate._replace(beside=beside)


def _separate(found: tuple[int, Products], totals: _Totals) -> Plan | None:
    """A plan of sums down and across, where accumulators hold them."""
    times, products = found
    totals, (sample, _, _, size) = totals.times(times), totals.asked
    columns = [[[w] for w in column] for column, _ in products]
    ends = [end for c in columns for end in _ends(c, 0, MAXIMUM[sample])]
    middle = _accumulator(max(map(abs, ends)), sample)
    wider = totals.kind
    if not middle or not wider:
        return None
    middle = wider if wider == "int64" else middle
    wider = max(wider, middle)  # by their names, which sort by their width
    ring = _ring(sample, middle)
    down = tuple(make_sum(ring, middle, taps_of(c)) for c in columns)
    last = make_sum(middle, wider, taps_of([row for _, row in products]), totals.start)
    return Plan(ring, size, last, totals.rounding(wider), down)


def _running(found: tuple[int, Products], taps: int, totals: _Totals) -> Plan | None:
    """A plan for weights that are constant in runs, where it costs less than all their taps."""
    times, products = found
    totals, (sample, _, _, size) = totals.times(times), totals.asked
    columns, rows = [column for column, _ in products], [row for _, row in products]
    kind = totals.kind
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
    last = make_sum(kind, kind, across, totals.start)
    if prefixed:
        last = Sum(kind, kind, tuple(ends), tuple(ends.values()), totals.start)
    sums = tuple(make_sum(ring, kind, taps_of([[w] for w in column])) for column in columns)
    rounding = totals.rounding(kind)
    return Plan(ring, size, last, rounding, sums, prefixed=prefixed, running=running)


def _paired(weights: list[list[int]], totals: _Totals) -> Plan | None:
    """A plan of products of pairs, where their weights fit."""
    kind, (sample, _, _, size), start = totals.kind, totals.asked, totals.start
    if kind is None or kind not in PAIR_MOST or not processor.has_vectors():
        return None
    taps = list(taps_of(weights).items())
    taps += [(taps[0][0], 0)] * (len(taps) % 2)
    # The greatest weight with the least: so the sums of each pair are as small as can be.
    taps.sort(key=lambda tap: tap[1])
    pairs = list(zip(taps[: len(taps) // 2], reversed(taps), strict=False))
    if not all(_fits((int(a), int(b)), kind) for (_, a), (_, b) in pairs):
        return None
    places, found = zip(*(tap for pair in pairs for tap in pair), strict=True)
    if sample == "uint16":  # half of the range is taken away, to be added here; int32 wraps around
        start += (MAXIMUM[sample] + 1) // 2 * sum(found)
        start = (start + (1 << 31)) % (1 << 32) - (1 << 31)
    ring = "uint8" if kind == "int16" else "int16"
    last = Sum("pairs", kind, places, found, start)
    return Plan(ring, size, last, totals.rounding(kind))


def _fits(pair: tuple[int, int], kind: str) -> bool:
    """Whether the products of two weights and samples, added up, stay within a kind."""
    most, together = PAIR_MOST[kind], _by_sign(pair) if kind == "int16" else (0, 0)
    within = all(-most <= w < most for w in pair)
    return within and max(map(abs, together)) <= most


def reciprocal(divisor: int) -> tuple[int, int]:
    """Return what to multiply 15 bits by, and to shift their upper 16 by, to divide them.

    The multiplier is of 16 bits, without a sign.
    """
    shift = (divisor - 1).bit_length() - 1
    return -(-(1 << 16 + shift) // divisor), shift


def _ends(weights: Matrix, start: int, maximum: int) -> tuple[int, int]:
    """The least and the greatest total. An overflow on the way to one that fits is harmless."""
    positive, negative = _by_sign(w for row in weights for w in row)
    return start + maximum * negative, start + maximum * positive


def _by_sign(weights: Iterable[Number]) -> tuple[int, int]:
    """The sums of the weights over 0 and of those below."""
    flat = [int(w) for w in weights]
    return sum(w for w in flat if w > 0), sum(w for w in flat if w < 0)


def _accumulator(reach: int, sample: str) -> str | None:
    """The narrowest accumulator that holds whole numbers of a magnitude, and the samples."""
    widths = (("int16", 15), ("int32", 31), ("int64", 62))
    reach = max(reach, MAXIMUM[sample])
    return next((kind for kind, bits in widths if reach < 1 << bits), None)


def _ring(sample: str, kind: str) -> str:
    """As what samples are read, to be added up in accumulators of a kind."""
    return "int16" if sample == "uint8" and kind != "int64" else kind
