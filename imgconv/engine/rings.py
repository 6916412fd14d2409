"""What a program is made of: tables of numbers, rings of rows, readers that fill them, orders."""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from imgconv.compiled import words
from imgconv.engine import samples
from imgconv.engine.geometry import Geometry
from imgconv.engine.mixing import Mix
from imgconv.engine.samples import pointer
from imgconv.engine.step import Layer
from imgconv.engine.sums import Plan
from imgconv.light import NamedTuple

LANES = 64  # samples of a vector, at most
LINE = 64  # bytes of a line of the cache, on which rows begin


def lanes(count: int) -> int:
    """Round up to whole vectors."""
    return -(-count // LANES) * LANES


def widening(kind: str, wanted: str) -> tuple[str, int]:
    """Return the part that makes a row of a wider kind, and which of its kinds."""
    name = "short" if wanted == "int16" else "whole" if wanted.startswith("int") else "real"
    return f"widen {name}", words.WIDENED[name].index((kind, wanted))


class Tables:
    """Numbers in memory, kept as long as this is."""

    def __init__(self) -> None:
        self.kept: list[array[Any]] = []

    def keep(self, table: array[Any]) -> int:
        """Return the address of a table, good as long as this is."""
        self.kept.append(table)
        return pointer(table)

    def numbers(self, kind: str, numbers: Iterable[float]) -> int:
        """Return the address of numbers of a kind."""
        return self.keep(samples.values(kind, numbers))

    def words(self, *numbers: int) -> int:
        """Return the address of words."""
        return self.numbers("int64", numbers)

    def records(self, records: Iterable[Iterable[int]]) -> int:
        """Return the address of records of words, one after the other."""
        return self.words(*(word for record in records for word in record))


class Ring:
    """Rows that are written in turn; from one output to the next it goes on by `stride`."""

    def __init__(self, number: int, size: int, slots: int, stride: int) -> None:
        self.number, self.slots, self.stride = number, slots, stride
        self.size = size  # bytes of a sample
        # A ring of the addresses at which the same rows of the source are, and how many samples on
        # a tap has there what it has here.
        self.elsewhere: Ring | None = None
        self.shift = 0
        self.length = 0  # samples of the longest row

    @property
    def step(self) -> int:
        """Bytes from one row to the next: an odd number of lines, since even ones share sets."""
        return (-(-self.length * self.size // LINE) | 1) * LINE


class Rings(dict[Hashable, Ring]):
    """The rings of a program by their names."""

    def take(
        self, name: Hashable, kind: str, length: int = 0, slots: int = 1, stride: int = 0
    ) -> Ring:
        """Return the ring of a name, with room for rows of a length; made where it is not there."""
        if name not in self:
            self[name] = Ring(len(self), samples.size(kind), slots, stride)
        self[name].length = max(self[name].length, length)
        return self[name]


class Reader:
    """What `fill` is told of a ring: to take all channels of a pixel, one, or sums of them."""

    def __init__(
        self,
        geometry: Geometry,
        plan: Plan,
        channel: int | None,
        ring: Ring,
        mix: Mix | None = None,
    ) -> None:
        self.geometry, self.plan, self.channel = geometry, plan, channel
        self.ring, self.mix = ring, mix
        self.columns = set[int]()


class Tap(NamedTuple):
    """A row that an order reads: of a ring, so many rows on, so many bytes into it."""

    ring: Ring
    row: int = 0
    place: int = 0


class Order(NamedTuple):
    """A part, what it reads, and where it writes to: a ring, or the target where there is none.

    Rows of totals that it makes `at_once` go where the last taps say, but for the first.
    """

    part: str
    into: Ring | None
    place: int
    samples: int
    numbers: int
    taps: Sequence[Tap]
    at_once: int = 1


class Work(NamedTuple):
    """What orders are for: outputs of a layer, each with the readers of its plans."""

    layer: Layer
    readers: list[list[list[Reader]]]  # of each output, each plan, each channel
    depth: int  # samples of a pixel that are computed at once
    channels: int  # samples of a pixel of the target
    kind: str  # of the target
    filtered: bytes
    ends: bool
    chunk: int
    tables: Tables
    rings: Rings
