"""What the core is told to do: a plan of passes over samples, and how taps become a pass."""

from __future__ import annotations

from typing import NamedTuple

from imgconv.kernels.factors import Matrix, Products, outer_products
from imgconv.kernels.kernel import Number

# Samples in a block: 4096 accumulators of four bytes fit the first-level cache beside the rows.
BLOCK = 4096
# Taps in one sweep over a block, as written out in `core`: of 3, 4, 6, 8 and 9, nine was fastest.
GROUP = 9
HALF_GROUP = 6
# What a pass more costs, in taps: it writes and reads back what the taps of one pass share.
PASS = 8
UNCHANGED = (0, 1, 0, 0, 0, 0, 1, 0)
DIVISOR = 6  # its place among the scalars

Place = tuple[int, int]


class Pass(NamedTuple):
    """One run of the core's sweep over samples of a kind.

    `places` are the (row, column) of each weight. `scalars` are bias, sign, top, shift, half, odd,
    divisor, and added or the reciprocal; `rounding`, `fused` and `fixed` choose the loop (see
    `core.sweep`).
    """

    source: str
    accumulator: str
    result: str
    places: tuple[Place, ...]
    weights: tuple[Number, ...]
    scalars: tuple[Number, ...]
    rounding: str
    fused: int = 0
    fixed: int = 0


class Plan(NamedTuple):
    """Everything the core needs to know of a kernel.

    A separable kernel has one or two passes `down` its columns; `last` reads their results, and
    its places are then (which of them, column). `buffer` is the kind of sample that pieces with a
    border are gathered as, `scale` what they are multiplied by. `transform` are weights that are
    applied by Fourier transforms first.
    """

    sample: str
    buffer: str
    size: tuple[int, int]
    last: Pass
    down: tuple[Pass, ...] = ()
    scale: int = 1
    transform: tuple[tuple[float, ...], ...] | None = None

    @property
    def taps(self) -> int:
        """How many multiplications an output sample costs."""
        return len(self.last.weights) + sum(len(p.weights) for p in self.down)


def taps_of(weights: Matrix) -> dict[Place, Number]:
    """Return the weights that are not zero, by their places; one of them where all are."""
    taps = {(y, x): w for y, row in enumerate(weights) for x, w in enumerate(row) if w}
    return taps or {(0, 0): 0}


def make_pass(
    source: str,
    kind: str,
    result: str,
    taps: dict[Place, Number],
    scalars: tuple[Number, ...],
    rounding: str,
    *,
    filled: bool,
) -> Pass:
    """Return a pass over taps; filled: with a last group made full, cheaper than tap by tap."""
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
    return HALF_GROUP if rounding in ("plain", "whole") and taps <= HALF_GROUP else GROUP


def products_of(weights: Matrix, taps: int) -> tuple[int, Products] | None:
    """Return outer products, where passes down and across cost less than all the taps."""
    if taps <= PASS + 2:
        return None
    found = outer_products(weights)
    if found is None:
        return None
    cost = sum(sum(map(bool, c)) + sum(map(bool, r)) + PASS for c, r in found[1])
    return found if cost < taps else None
