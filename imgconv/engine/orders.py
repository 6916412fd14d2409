"""The orders that make some columns of the output, from rings of rows to rings and to the target.

A `mix` of the channels of pixels is no order but a move, and done when these are there: `moves`.

An order adds up taps of rows to a row of totals, rounds totals to samples, or does whatever other
part of the compiled ones. Rows are computed in whole vectors, and so have room for these.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Sequence
from typing import Any

from imgconv.compiled import words
from imgconv.engine import samples
from imgconv.engine.geometry import Run, Window
from imgconv.engine.pairs import Piece, groups, in_bits, pieces, products, spared
from imgconv.engine.rings import LANES, Order, Ring, Tap, Work, lanes, widening
from imgconv.engine.step import Join
from imgconv.engine.sums import NINE, Plan, Rounding, Sum, become_bytes

JOINS = {
    "magnitude": words.ADD_SQUARE, "max": words.GREATEST, "min": words.LEAST,
    "sum": words.ADD, "mean": words.ADD,
}  # fmt: skip
MANY = 36  # rows of fewer taps are near enough for each total to read them for itself
# Weights that fused parts do without, by the taps that `words.FUSED` has for them.
KNOWN = {-2: (-1, 1), -3: (1, 1, 1)}


def _fused(what: Sum, rounding: Rounding) -> int | None:
    """Which of the fused parts is a sum and its rounding to bytes, if one is."""
    taps = next((n for n, known in KNOWN.items() if what.weights == known), len(what.weights))
    kind = what.kind, taps, rounding.how
    met = what.source == what.kind and kind in words.FUSED
    return words.FUSED.index(kind) if met and (rounding.within or not rounding.how) else None


def _is_in_step(what: Sum, taps: Sequence[Tap]) -> bool:
    """Whether totals are of rows below each other, and the next of those one row further down."""
    rows, (ring, first, _) = [tap.row for tap in taps], taps[0]
    together = rows == [first + i for i in range(NINE)] and ring.stride == 1
    return together and not what.kind.startswith("int")


class Panel:
    """Some columns of the output, and the orders that make them."""

    def __init__(self, work: Work, pixels: int, windows: dict[int, Window]) -> None:
        self.work, self.pixels, self.windows = work, pixels, windows
        self.count = pixels * work.depth
        self.whole = lanes(self.count)
        self.planar = bool(work.layer.reads) and work.channels > 1
        self.masks: dict[tuple[str, int, int, int], int] = {}
        self.spared: dict[int, range] = {}  # of what readers' rings hold, what no order reads
        self.begun: list[Order] = []  # for the first row of a turn and a call
        self.gone_on: list[Order] = []  # for the others
        self.alone: list[Order] = []  # each for all rows of a chunk
        self.together: list[Order] = []  # one after the other
        for output, plans in enumerate(work.layer.outputs):
            totals = [self._added_up(output, k) for k in range(len(plans))]
            last = plans[0].last
            if work.ends:
                self._keep_ends(totals[0], plans[0], output)
            elif work.layer.join:
                self._join(totals, plans, work.layer.join, output)
            elif last.kind:
                self._deliver(totals[0], last.kind, plans[0].rounding, output, last)
            elif totals[0].ring.slots:  # else it is there already
                self._copy(totals[0], output)
        if self.planar and not work.ends:
            self._interleave()

    @property
    def groups(self) -> list[tuple[int, list[Order]]]:
        """The orders as they are carried out, a group for all rows of a chunk, and when."""
        always = words.FIRST | words.LATER
        if not self.begun:
            return [
                (always, orders) for orders in (*([o] for o in self.alone), self.together) if orders
            ]
        assert not self.alone, "sums that go on from row to row have no chunks"
        before = (words.FIRST, self.begun), (words.LATER, self.gone_on)
        return [(when, [*orders, *self.together]) for when, orders in before]

    def reach(self, window: Window) -> int:
        """How many samples of a row the sums may read, and vectors of pixels write."""
        room = LANES if self.work.layer.mix else 0
        return room + lanes(self.whole + max(window.starts.values()) * self.work.depth)

    def _order(self, part: str, into: Ring | None, numbers: int, *taps: Tap) -> None:
        self.together.append(Order(part, into, 0, self.whole, numbers, taps))

    # ---- taps to totals -----------------------------------------------------------------------

    def _added_up(self, output: int, k: int) -> Tap:
        """Order the sums of a plan, and return the row of its totals."""
        work, plan = self.work, self.work.layer.outputs[output][k]
        readers, last = work.readers[output][k], plan.last
        rings, high = [reader.ring for reader in readers], readers[0].geometry.rows.taps
        window = self.windows[rings[0].number]
        across = {c: at * work.depth for c, at in window.starts.items()}

        def tap(row: int, column: int | None) -> Tap:
            ring = rings[row // high]
            return Tap(ring, row % high, 0 if column is None else across[column] * ring.size)

        if not last.kind:  # a copy
            return tap(*last.places[0])
        if plan.down:
            rows = [self._down(plan, i, tap, window, output, k) for i in range(len(plan.down))]
            if plan.prefixed:
                rows = [self._prefixed(r, i, last.kind, window) for i, r in enumerate(rows)]
                across = {column: column * work.depth for _, column in last.places}
            taps = [
                rows[i]._replace(place=across[column] * rows[i].ring.size)
                for i, column in last.places
            ]
        else:
            taps = [tap(*place) for place in last.places]
        if last.source == "pairs":
            return self._paired(last, taps, k)
        # The first totals of a join stay until the last ones are there.
        totals = work.rings.take(("totals", k, last.kind), last.kind, self.whole)
        self.together.append(self._sum(last, taps, totals, self.whole))
        return Tap(totals)

    def _down(self, plan: Plan, i: int, tap: Any, window: Window, output: int, k: int) -> Tap:
        """Order a sum down the columns, of whole rows, and return the row that it makes.

        Columns of a border that repeats others are copied from the sums of those.
        """
        work, down, long = self.work, plan.down[i], self.reach(window)
        taps = [tap(row, None) for row, _ in down.places]
        if plan.running:
            middle = work.rings.take((output, k, i), down.kind, long)
            self._slide(taps[0].ring, middle, down, long)
            return Tap(middle)
        at, pixels, copies = window.inner()
        begin = at * work.depth // LANES * LANES
        count = lanes((at + pixels) * work.depth) - begin if copies else long
        taps = [t._replace(place=begin * t.ring.size) for t in taps]
        if work.chunk == 1:
            middle = work.rings.take((i, down.kind), down.kind, long)
            self.together.append(self._sum(down, taps, middle, count, begin))
            self.together += self._copies(middle, copies)
        else:
            middle = work.rings.take((output, k, i), down.kind, long, work.chunk, 1)
            many = len(taps) > MANY and work.chunk % words.ABREAST == 0
            for done in range(0, len(taps), NINE):
                group, added = slice(done, done + NINE), max(down.added - done, 0)
                part, rows = down._replace(weights=down.weights[group], added=added), taps[group]
                abreast = many and _is_in_step(part, rows)
                order = self._sum(part, rows, middle, count, begin, done > 0, abreast=abreast)
                self.alone.append(order)
            self.alone += self._copies(middle, copies)
        return Tap(middle)

    def _copies(self, ring: Ring, copies: Sequence[Run]) -> list[Order]:
        """The orders that copy pixels of a row to others."""
        pixel, words = self.work.depth * ring.size, self.work.tables.words
        return [
            Order(
                "copy", ring, at * pixel, n, words(pixel, apart * pixel), [Tap(ring, 0, x * pixel)]
            )
            for at, x, apart, n in copies
        ]

    def _slide(self, ring: Ring, into: Ring, down: Sum, count: int) -> None:
        """Order a sum that goes on: a row comes, and the one before the first of the output goes.

        In a ring of one row more than is added up, that one stands after the last.
        """
        which, high = words.SLIDING.index((down.source, down.kind)), ring.slots - 1
        for orders, rows, begun in (
            (self.begun, range(high), 0),
            (self.gone_on, (high - 1, high), 1),
        ):
            numbers = self.work.tables.words(2 * which + begun)
            taps = [Tap(ring, row) for row in rows]
            orders.append(Order("slide", into, 0, count, numbers, taps))

    def _paired(self, last: Sum, taps: Sequence[Tap], k: int) -> Tap:
        """Order products of pairs, some of them at a time."""
        totals, done = self.work.rings.take(("totals", k, last.kind), last.kind, self.whole), 0
        for part in groups(last):
            some, adding = taps[done : done + len(part.weights)], done > 0
            done += len(some)
            becoming = words.TO_TOTALS if done == len(taps) else words.TO_SUMS
            given = self.work.tables, part, some, totals, self.whole, becoming
            self.together.append(products(*given, adding=adding))
        return Tap(totals)

    def _prefixed(self, row: Tap, i: int, kind: str, window: Window) -> Tap:
        """Order sums from the left over a row; from each pixel of it the sum of those before."""
        depth, long = self.work.depth, self.reach(window)
        made = self.work.rings.take(("prefixed", i, kind), kind, long + depth)
        known = (kind, depth) if (kind, depth) in words.PREFIXED else (kind, 0)
        which = words.PREFIXED.index(known)
        self.together.append(
            Order("prefix", made, 0, long, self.work.tables.words(which, depth), [row])
        )
        return Tap(made)

    def _sum(
        self, what: Sum, taps: Sequence[Tap], into: Ring, count: int, begin: int = 0,
        adding: bool = False, *, abreast: bool = False,
    ) -> Order:  # fmt: skip
        """The order for a sum from a sample of a row on; adding: to what is there."""
        fixed, at, last = what.source == "uint16", begin * into.size, taps[-1]
        kind, how = "uint16" if fixed else what.kind, adding + 2 * abreast
        numbers = self.work.tables.numbers(kind, (how, what.bias, what.added, *what.weights))
        part = "fixed" if fixed else f"total {what.source} {what.kind}"
        at_once = words.ABREAST if abreast else 1
        read = [last._replace(row=last.row + i) for i in range(1, at_once)]
        made = [Tap(into, i, at) for i in range(1, at_once)]
        return Order(part, into, at, count, numbers, [*taps, *read, *made], at_once)

    # ---- totals to samples --------------------------------------------------------------------

    def _numbers(
        self, rounding: Rounding, mask: int, which: int = 0, output: int = 0, added: int = 0
    ) -> int:
        """The numbers of `store`, `extent` and `fused`."""
        wide, how = int(self.work.kind == "uint16"), max(rounding.how - words.SHIFT, 0)
        return self.work.tables.words(*rounding, how, mask, wide, which, output, added)

    def _mask(self, kind: str, piece: Piece | None = None) -> int:
        """The mask of a row for totals of a kind, or in bits: 1 where samples count.

        Beyond the last sample there is 0, and for what of a piece is done already.
        """
        begin, count, done, _ = piece or Piece(0, self.whole)
        lane = words.LANE.get(kind, kind)
        key = lane, begin, count, done
        if key not in self.masks:
            one = "uint8" if kind == words.IN_BITS else lane
            mask = samples.values(one, list(self.work.filtered)) * self.pixels
            mask = samples.room(one, done) + mask[begin + done : begin + count]
            mask += samples.room(one, count - len(mask))
            self.masks[key] = self.work.tables.keep(in_bits(mask) if lane != one else mask)
        return self.masks[key]

    def _keep_ends(self, totals: Tap, plan: Plan, output: int) -> None:
        kind = plan.last.kind
        which = words.TOTALS.index(kind)
        numbers = self._numbers(plan.rounding, self._mask(kind), which, output)
        self._order("extent", totals.ring, numbers, totals)

    def _deliver(
        self, totals: Tap, kind: str, rounding: Rounding, output: int, last: Sum | None = None
    ) -> None:
        """Order that totals become samples of the target; of the sum that was ordered last."""
        wanted = self.work.kind
        if wanted.startswith("float"):
            self._copy(self._responses(totals, kind, rounding, wanted), output)
            return
        both = kind in ("int64", "float32", "float64")
        part = f"store {kind} uint8 uint16" if both else f"store {kind} {wanted}"
        if last and wanted == "uint8" and become_bytes(last, rounding):
            self._become_bytes(last, totals.ring, rounding, output)
            return
        fused = _fused(last, rounding) if last and wanted == "uint8" else None
        summed = self.together.pop() if fused is not None else None

        def order(piece: Piece) -> Order:
            mask = self._mask(kind, piece)
            if summed:
                numbers = self._numbers(rounding, mask, fused or 0, added=summed.numbers)
                return Order("fused", None, 0, self.whole, numbers, summed.taps)
            numbers = self._numbers(rounding, mask)
            return Order(part, None, 0, self.whole, numbers, [totals])

        self._put(order, output)

    def _become_bytes(self, last: Sum, totals: Ring, rounding: Rounding, output: int) -> None:
        """Order that products of pairs become bytes at once, as far as they can in place."""
        work, parts = self.work, groups(last)
        before, (final,) = self.together[-len(parts) : -1], self.together[-1:]
        del self.together[-len(parts) :]
        taps = final.taps[: len(parts[-1].weights)]
        adding = len(parts) > 1
        becoming = words.ON_TO_BYTES if adding else words.TO_BYTES

        def order(piece: Piece) -> Order:
            given = work.tables, parts[-1], taps, totals, self.whole, becoming, rounding
            return products(*given, adding=adding, mask=self._mask(words.IN_BITS, piece))

        ring, found = work.readers[output][0][0].ring, list[Piece]()
        if ring.elsewhere:
            window = self.windows[ring.number]
            reach, within = max(window.starts.values()), window.inside
            inside = range(within.start * work.depth, (within.stop - reach) * work.depth)
            found = pieces(self.count, inside)
            self.spared[ring.number] = spared(found, work.depth, reach)
        self._put(order, output, before, found)

    def _put(
        self, order: Callable[[Piece], Order], output: int, before: Sequence[Order] = (),
        found: Sequence[Piece] = (),
    ) -> None:  # fmt: skip
        """Order that samples go to their plane or to the target, by what makes the order.

        That is piece by piece of a row, for each of which there may be others before. A row that is
        shorter than a vector goes to the target by way of one of its own.
        """
        all_of_it = Piece(0, self.whole)
        if self.planar:
            planes, place = self._plane(output)
            self.together += (*before, order(all_of_it)._replace(into=planes, place=place))
        elif self.count < LANES:
            row = self.work.rings.take("samples", self.work.kind, self.whole)
            self.together += (*before, order(all_of_it)._replace(into=row))
            self._copy(Tap(row), output)
        else:
            size = samples.size(self.work.kind)
            for piece in found or pieces(self.count, range(0)):
                self.together += (piece.of(each, size) for each in (*before, order(piece)))

    def _responses(self, totals: Tap, kind: str, rounding: Rounding, wanted: str) -> Tap:
        """Order that totals become responses of a kind, and return their row."""
        divided = "float64" if kind in ("int32", "int64") else wanted if kind == "int16" else kind
        row = self._widened(totals, kind, divided)
        if rounding.sign == -1 or rounding.divisor != 1:
            numbers = float(words.OVER), rounding.divisor, rounding.sign
            row = self._joined(row, divided, "responses", *numbers)
        return self._widened(row, divided, wanted)

    def _widened(self, row: Tap, kind: str, wanted: str) -> Tap:
        """Order that a row becomes one of another kind, if it is not."""
        if kind == wanted:
            return row
        made = self.work.rings.take(("widened", kind, wanted), wanted, self.whole)
        part, which = widening(kind, wanted)
        self._order(part, made, self.work.tables.words(which, 1), row)
        return Tap(made)

    def _joined(self, row: Tap, kind: str, name: str, *numbers: float) -> Tap:
        """Order that a row of responses is joined to others, or made something of by itself."""
        made = self.work.rings.take((name, kind), kind, self.whole)
        packed = struct.pack(f"q{len(numbers)}d", words.JOINED.index(kind), *numbers)
        self._order("join", made, self.work.tables.keep(array("B", packed)), row)
        return Tap(made)

    def _join(self, totals: Sequence[Tap], plans: Sequence[Plan], join: Join, output: int) -> None:
        """Order that the responses of several kernels become one, and that samples."""
        kind, root, row = join.kind, join.how == "magnitude", totals[0]
        for k, (total, plan) in enumerate(zip(totals, plans, strict=True)):
            response = self._responses(total, plan.last.kind, plan.rounding, kind)
            how = JOINS[join.how] if k else words.SQUARE if root else words.SCALED
            row = self._joined(response, kind, "joined", how, 1, 0)
        how = words.ROOT if root else words.SCALED
        row = self._joined(row, kind, "result", how, join.scale, join.shift)
        self._deliver(row, kind, join.rounding, output)

    # ---- to the target ------------------------------------------------------------------------

    def _plane(self, output: int) -> tuple[Ring, int]:
        """The ring of planes, and where in it that of an output is."""
        length = self.whole * len(self.work.layer.outputs)
        planes = self.work.rings.take("planes", self.work.kind, length)
        return planes, output * self.whole * planes.size

    def _copy(self, row: Tap, output: int) -> None:
        """Order that a row is copied to its plane or to the target."""
        into, place = self._plane(output) if self.planar else (None, 0)
        piece = self.work.tables.words(self.count * samples.size(self.work.kind), 0)
        self.together.append(Order("copy", into, place, 1, piece, [row]))

    def _interleave(self) -> None:
        """Order that planes are put side by side."""
        work, (planes, _) = self.work, self._plane(0)
        apart = self.whole * planes.size
        taps = [Tap(planes, 0, output * apart) for output in range(len(work.layer.outputs))]
        numbers = work.tables.words(planes.size.bit_length() - 1, work.channels)
        self.together.append(Order("interleave", None, 0, self.pixels, numbers, taps))
