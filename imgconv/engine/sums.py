"""What the core adds up: taps as sums, how a total is rounded, and both as the plan of a kernel."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from imgconv.compiled import words
from imgconv.kernels.factors import Matrix, Products, outer_products
from imgconv.kernels.numbers import Number
from imgconv.light import NamedTuple

# Taps that are added up at once, see `parts.total`.
NINE = 9
# What a pass more costs, in taps: it writes and reads back what the taps of one pass share.
PASS = 8
WHITE = 255
# float32 tells whole numbers apart below this.
EXACT = 1 << 24

Place = tuple[int, int]


class Asked(NamedTuple):
    """What is asked of a plan beside its weights; a sign of -1 takes absolute values."""

    sample: str
    result: str
    sign: int
    size: tuple[int, int]


class Sum(NamedTuple):
    """Taps added up: rows of `source` to totals of `kind`; of none, it is a copy.

    `places` are the (row, column) of each weight. If `source` is "pairs", each two after each other
    are one, and products of pairs are added up. In fixed point (`source` is uint16) the first
    `added` weights are added, and the others taken away.
    """

    source: str
    kind: str
    places: tuple[Place, ...]
    weights: tuple[Number, ...]
    bias: Number = 0
    added: int = 0


class Rounding(NamedTuple):
    """How a total becomes a sample or a response; the order is that of `words`.

    By SHIFT: so many `bits`, after `half` and, where that is a tie, the bit of `odd`. By DIVIDE of
    int16: `reciprocal`, shifted by `bits`, with `half` the divisor and 1 in `odd` if it is even, so
    that there are ties. By NARROW: `half` is what `snapping` returns. `within` is 1 where no pixel
    can be clipped, of those that DIVIDE (without ties) or NARROW makes.
    """

    how: int
    sign: int  # -1 takes the absolute value
    top: int
    bits: int = 0
    half: int = 0
    odd: int = 0
    divisor: int = 1
    reciprocal: int = 0
    within: int = 0


class Plan(NamedTuple):
    """Everything the core needs to know of a kernel.

    Samples are read as `ring`, times `scale`. A separable kernel has one or two sums `down` its
    columns; `last` adds up their results, and its places are then (which of them, column).
    `transform` are weights that are applied by Fourier transforms first.

    `beside` is a plan of the same for outputs that lie side by side and read neighbours, where what
    is constant in runs costs the same at any length. It is `prefixed`: `last` adds up sums from the
    left, and its places are the ends of runs. One that is `running` has columns of ones: from one
    output to the next a row comes and one goes.
    """

    ring: str
    size: tuple[int, int]
    last: Sum
    rounding: Rounding
    down: tuple[Sum, ...] = ()
    scale: int = 1
    transform: tuple[tuple[float, ...], ...] | None = None
    prefixed: bool = False
    running: bool = False
    beside: Plan | None = None

    @property
    def cost(self) -> int:
        """What an output sample takes: as long as so many taps."""
        if self.beside:
            return self.beside.cost
        down = (2 if self.running else len(each.weights) for each in self.down)
        passes = 1 + len(self.down) * (2 if self.prefixed else 1)
        last = len(self.last.weights)
        if self.last.source == "pairs" and self.last.kind == "int16":
            last //= 2
        return last + sum(down) + PASS * passes


def become_bytes(what: Sum, rounding: Rounding) -> bool:
    """Whether products of pairs become bytes in the part that adds them up."""
    whole = rounding.how != words.DIVIDE or bool(rounding.within)
    return what.source == "pairs" and what.kind == "int16" and whole


def taps_of(weights: Matrix) -> dict[Place, Number]:
    """Return the weights that are not zero, by their places; one of them where all are."""
    taps = {(y, x): w for y, row in enumerate(weights) for x, w in enumerate(row) if w}
    return taps or {(0, 0): 0}


def make_sum(source: str, kind: str, taps: dict[Place, Number], bias: Number = 0) -> Sum:
    """Return a sum over taps; of whole numbers with as many as the loops take at once.

    Among float samples an infinity times a weight of 0 that only fills up would be NaN.
    """
    places, weights = tuple(taps), tuple(taps.values())
    if kind.startswith("int"):
        rest = len(taps) % NINE
        full = {2: 3, 4: 6 if len(taps) < NINE else 4, 5: 6, 7: 9, 8: 9}.get(rest, rest)
        places += places[:1] * (full - rest)
        weights += (0,) * (full - rest)
    return Sum(source, kind, places, weights, bias)


def products_of(weights: Matrix, taps: int) -> tuple[int, Products] | None:
    """Return outer products, where passes down and across cost less than all the taps."""
    found = outer_products(weights) if taps > PASS + 2 else None
    return found if found and is_cheaper(found[1], taps) else None


def is_cheaper(products: Products, taps: int) -> bool:
    """Whether passes down and across cost less than all the taps."""
    return sum(sum(map(bool, (*c, *r))) + PASS for c, r in products) < taps


def ends_of_runs(rows: Sequence[Sequence[Number]]) -> dict[Place, Number]:
    """Return taps on the sums from the left of each row that add up its weights."""
    taps = {}
    for i, row in enumerate(rows):
        for x, (before, weight) in enumerate(itertools.pairwise((0, *row, 0))):
            if before != weight:
                taps[i, x] = before - weight
    return taps


def snapping(divisor: int) -> int | None:
    """Return what float32 adds and takes away again for multiplication to divide exactly.

    Of whole totals below EXACT, to quotients that are rounded half to even to less than 256. None
    if it would not. By a power of two every product is exact. Else, below 256, a product with the
    reciprocal is within 2**-15 of the quotient. That is a tie only for even divisors, and else
    1/divisor off one at least, or 1/(2 divisor) for odd ones. Next to 1.5 * 2**10 float32 is a grid
    of 2**-13: the products of ties fall back on them.
    """
    if divisor & (divisor - 1) == 0:
        return 0
    if divisor % 2:
        return 0 if divisor < 1 << 14 else None
    return 3 << 9 if divisor < 10_000 else None
