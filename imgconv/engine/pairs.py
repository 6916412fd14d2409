"""Products of pairs as orders, and in which pieces a row of the target is made."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

from imgconv.compiled import processor, words
from imgconv.engine import samples
from imgconv.engine.rings import LANES, Order, Ring, Tables, Tap, lanes
from imgconv.engine.sums import Rounding, Sum
from imgconv.light import NamedTuple

AS_THEY_ARE = Rounding(words.PLAIN, 1, 0)


def groups(what: Sum) -> list[Sum]:
    """A sum of products of pairs as several, of as many pairs as are added up at once."""
    most = 2 * words.SUMMED
    return [
        what._replace(weights=what.weights[at : at + most], bias=0 if at else what.bias)
        for at in range(0, len(what.weights), most)
    ]


def products(
    tables: Tables, what: Sum, taps: Sequence[Tap], sums: Ring, count: int, becoming: int,
    rounding: Rounding = AS_THEY_ARE, *, adding: bool, mask: int = 0,
) -> Order:  # fmt: skip
    """Return the order for a sum of some pairs, added to the sums of others if so told.

    It becomes sums or totals in their place, or bytes where a mask says which of them count; see
    `words.PAIRED`.
    """
    kind, into = what.kind, None if mask else sums
    part, which, most = next(
        (part, which, most)
        for part, each in words.PAIRED.items()
        for which, (*met, most) in enumerate(each)
        if met == [kind, becoming, rounding.how] and 2 * most >= len(what.weights)
    )
    more = 2 * most - len(what.weights)  # with weights of 0
    weights, bits = (*what.weights, *[0] * more), 4 * samples.size(kind)
    joined = [
        int(low) & (1 << bits) - 1 | int(high) << bits
        for low, high in zip(weights[::2], weights[1::2], strict=True)
    ]
    if rounding.how:
        joined += [rounding.sign, rounding.bits, rounding.half, rounding.odd]
        joined.append(rounding.reciprocal - (rounding.reciprocal >> 15 << 16))  # without a sign
    kept = tables.numbers(kind, (-int(adding), what.bias, *joined))
    read = [*taps, *[taps[0]] * more, Tap(sums)]
    return Order(f"paired {part}", into, 0, count, tables.words(which, mask, kept), read)


def in_bits(mask: array[Any]) -> array[Any]:
    """Return a mask of bytes with a bit for each, as sums of pairs are counted, lowest first.

    That is as samples lie, or where vectors have 64 bytes, of so many samples first those in the
    first half of each 16.
    """
    put = mask.tobytes()
    if processor.width() == LANES:
        eights = [put[at : at + 8] for at in range(0, len(put), 8)]
        order = [*range(0, LANES // 8, 2), *range(1, LANES // 8, 2)]
        put = b"".join(eights[at + k] for at in range(0, len(eights), LANES // 8) for k in order)
    digits = put[::-1].translate(bytes.maketrans(b"\0\1", b"01"))
    return array("B", int(digits, 2).to_bytes(len(put) // 8, "little"))


class Piece(NamedTuple):
    """Samples of a row: from one on, so many, of which the first few are `done` already.

    What is made `in_place` reads rows of the source where they are.
    """

    begin: int
    samples: int
    done: int = 0
    in_place: bool = False

    def of(self, order: Order, size: int) -> Order:
        """Return the order for a piece of a row, whose samples have so many bytes in the target."""
        begin, into = self.begin, order.into
        taps = [
            Tap(tap.ring.elsewhere, tap.row, tap.place + tap.ring.shift + begin)
            if self.in_place and tap.ring.elsewhere
            else tap._replace(place=tap.place + begin * tap.ring.size)
            for tap in order.taps
        ]
        place = order.place + begin * (into.size if into else size)
        return order._replace(samples=self.samples, place=place, taps=taps)


def pieces(count: int, inside: range) -> list[Piece]:
    """Return the pieces of a row of so many samples, of which some can be made in place.

    All are whole vectors long, and none reads or writes beyond the row: its end is made once more
    where that takes it.
    """
    begin = lanes(inside.start)
    middle = (inside.stop - begin) // LANES * LANES
    if middle > 0:
        found = [Piece(0, begin)] if begin else []
        found.append(Piece(begin, middle, in_place=True))
    else:
        begin, middle = 0, count // LANES * LANES
        found = [Piece(0, middle)]
    left = count - begin - middle
    if left:
        found.append(Piece(count - lanes(left), lanes(left), lanes(left) - left))
    return found


def spared(found: Sequence[Piece], depth: int, reach: int) -> range:
    """Return the pixels of a reader's ring that no piece reads, whose taps reach so many on."""
    place = next((at for at, piece in enumerate(found) if piece.in_place), None)
    if place is None:
        return range(0)
    piece, behind = found[place], found[place + 1 :]
    begin = -(-piece.begin // depth) + reach if piece.begin else 0
    end = behind[0].begin // depth if behind else (piece.begin + piece.samples) // depth + reach
    return range(begin, end)
