"""A step on a picture of a known shape, written down for the conductor.

The way of a row: a *reader* takes it from the source into a *ring* of rows, with its border, as the
kind of samples that the sums read; `orders` take it from there to the target. Both are for a
*panel* of columns, so wide that what readers fill stays in the cache, where it can. What is said
here by name stands in memory as `words` tells; nobody writes to it again, so that threads share it.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from imgconv.compiled import native, words
from imgconv.engine import samples
from imgconv.engine.geometry import Geometry, Window, fills
from imgconv.engine.mixing import Mix
from imgconv.engine.moves import Moves
from imgconv.engine.orders import Panel
from imgconv.engine.rings import LANES, LINE, Order, Reader, Rings, Tables, Work, lanes
from imgconv.engine.samples import Samples
from imgconv.engine.step import Layer, as_it_is
from imgconv.engine.sums import Plan, become_bytes
from imgconv.light import NamedTuple

# So many samples of a row are done at once, and fewer where their rings would have more bytes than
# are in the cache; where many columns are read for each, than a thread may take.
WIDEST, CACHED, LARGEST = 1 << 14, 1 << 19, 1 << 28
# So many rows are added up down their columns before they are added up across: neighbours share
# most of what they read, nine rows of taps at a time. Not where many sums down share a ring.
CHUNK, SHARING = 16, 5
# Rows of so many samples are long: it pays to read most of each where it is.
IN_PLACE = 4096
# In so many pixels a `mix` counts at once: no lane of 16 bits is clipped more than 2**14 times.
COUNTED = 1 << 16


class Program(NamedTuple):
    """Where its words are, how many bytes of room it needs (whole lines), and its tables."""

    address: int
    room: int
    tables: list[array[Any]]


def write(
    source: Samples,
    target: Samples,
    geometries: Sequence[Geometry],
    layer: Layer,
    filtered: bytes,
    *,
    ends: bool = False,
) -> Program:
    """Write the program of a layer on a picture.

    Of `source` and `target` only the kinds, the channels and the source's size matter. `geometries`
    are those of the kernels that are combined. `filtered` is 1 for each channel in memory that
    counts for clipping and ends. With `ends` the least and the greatest total of each output are
    found, and nothing is written to the target.
    """
    assert len({geometry.shape for geometry in geometries}) == 1, geometries
    if layer.mix:
        met = (source.channels, target.channels, layer.mix.within) in words.MIXED and not ends
        layer = as_it_is("uint8")._replace(mix=layer.mix) if met else layer._replace(mix=None)
    tables, rings = Tables(), Rings()
    readers: dict[Hashable, Reader] = {}
    if _is_plain(geometries[0]) and not layer.reads:
        layer = layer._replace(outputs=tuple(tuple(map(_beside, each)) for each in layer.outputs))
    planned = [plan for plans in layer.outputs for plan in plans]
    downs, running = sum(len(plan.down) for plan in planned), any(p.running for p in planned)
    chunk = CHUNK if 0 < downs < SHARING and not running else 1
    straight = layer.mix is not None and _is_straight(geometries[0])
    read = [
        [
            _readers(
                readers,
                rings,
                geometries[k],
                plan,
                _channels(layer, output),
                chunk,
                layer.mix,
                straight,
            )
            for k, plan in enumerate(plans)
        ]
        for output, plans in enumerate(layer.outputs)
    ]
    if _may_be_elsewhere(source, target) and not ends and not layer.join:
        _look_elsewhere(rings, readers.values())
    depth = 1 if layer.reads else target.channels if layer.mix else source.channels
    counted = b"\1" if layer.reads else filtered  # of sums over channels all count
    work = Work(
        layer, read, depth, target.channels, target.kind, counted, ends, chunk, tables, rings
    )
    return _Layout(source, work, list(readers.values())).program()


def _is_plain(geometry: Geometry) -> bool:
    """Whether outputs that are side by side, or a turn's below each other, share what they read."""
    rows, columns, _ = geometry
    return rows.stride == 1 == columns.stride == columns.dilation


def _is_straight(geometry: Geometry) -> bool:
    """Whether a row that is mixed goes to the target as it is: columns of its own, in vectors."""
    columns = geometry.columns
    alone = columns.taps == columns.stride == 1 and columns.before == columns.after == 0
    return alone and words.MIXED_AT_ONCE <= columns.outputs <= COUNTED


def _may_be_elsewhere(source: Samples, target: Samples) -> bool:
    """Whether long rows of bytes become such rows: then sums of pairs may read the source's own."""
    like = source.kind == target.kind == "uint8" and source.channels == target.channels
    return like and source.width * source.channels >= IN_PLACE


def _look_elsewhere(rings: Rings, readers: Iterable[Reader]) -> None:
    """Have the addresses kept of rows that are read where they are."""
    for reader in readers:
        plan, ring = reader.plan, reader.ring
        if reader.channel is None and become_bytes(plan.last, plan.rounding):
            ring.elsewhere = rings.take((ring.number, "at"), "int64", 1, ring.slots, ring.stride)


def _beside(plan: Plan) -> Plan:
    return plan.beside or plan


def _channels(layer: Layer, output: int) -> Sequence[int | None]:
    return layer.reads[output] if layer.reads else (None,)


def _readers(
    readers: dict[Hashable, Reader],
    rings: Rings,
    geometry: Geometry,
    plan: Plan,
    channels: Sequence[int | None],
    chunk: int,
    mix: Mix | None,
    straight: bool,
) -> list[Reader]:
    """The readers of a plan, one for each channel that it adds up; those alike are the same."""
    found = []
    rows = geometry.rows
    for channel in channels:
        key = geometry, plan.ring, plan.scale, plan.running, channel
        if key not in readers:
            stride = rows.stride // math.gcd(rows.stride, rows.dilation)
            slots = rows.taps + (chunk - 1) * stride + plan.running
            ring = rings.take(key, plan.ring, 0, 0 if straight else slots, stride)
            readers[key] = Reader(geometry, plan, channel, ring, mix)
        columns = {column for _, column in plan.last.places}
        readers[key].columns |= set(range(geometry.columns.taps)) if plan.prefixed else columns
        found.append(readers[key])
    return found


class _Layout:
    """Panels and rings get their places, and everything is put in words."""

    def __init__(self, source: Samples, work: Work, readers: list[Reader]) -> None:
        self.source, self.work, self.readers = source, work, readers
        self.columns, self.rows = readers[0].geometry.columns, readers[0].geometry.rows

    def program(self) -> Program:
        """Write everything down: the orders of panels alike once."""
        wide, columns, work = self._width(), self.columns.outputs, self.work
        codes: dict[Hashable, Panel] = {}
        panels = []
        for first in range(0, columns, wide):
            last = min(first + wide, columns)
            windows = {
                r.ring.number: r.geometry.columns.window(first, last, sorted(r.columns))
                for r in self.readers
            }
            key = last - first, *(tuple(window.starts.items()) for window in windows.values())
            for reader in self.readers:
                if reader.ring.elsewhere:
                    window = windows[reader.ring.number]
                    reader.ring.shift = (window.positions[0].start - first) * work.depth
                    key = *key, window.inside
            if key not in codes:
                codes[key] = Panel(work, last - first, windows)
            for reader in self.readers:
                window = windows[reader.ring.number]
                reader.ring.length = max(reader.ring.length, codes[key].reach(window))
            panels.append((first, key, windows))
        return self._in_words(panels, codes)

    def _width(self) -> int:
        """How many columns a panel has: all of them if that is not too many."""
        columns, depth = self.columns.outputs, self.work.depth
        each = sum(reader.ring.slots * reader.ring.size for reader in self.readers)
        if not each:
            return lanes(columns)
        # What a panel reads beyond its columns is to be little beside them.
        wide = min(8 * self.columns.taps, LARGEST // each // depth)
        wide = max(min(WIDEST, CACHED // each) // depth, LANES, wide)
        return lanes(-(-columns // -(-columns // wide)))

    def _in_words(self, panels: list[Any], codes: dict[Hashable, Panel]) -> Program:
        """Lay out the room: addresses, slots and marks, a job, a raw row, the rings."""
        tables, rings = self.work.tables, self.work.rings.values()
        orders = [o for panel in codes.values() for _, group in panel.groups for o in group]
        most = max((len(order.taps) for order in orders), default=0)
        longest = max(w.length for *_, windows in panels for w in windows.values())
        longest += words.MIXED_AT_ONCE if self.work.layer.mix else 0
        longest *= max(self.work.depth, self.source.channels)
        job = 8 * (words.SLOTS + 2 * len(rings))
        raw = job + 8 * (words.INPUTS + max(most, 1))
        at = raw + longest * samples.size(self.source.kind)
        places, of_addresses = [], {reader.ring.elsewhere for reader in self.readers}
        for ring in rings:
            at = -(-at // LINE) * LINE
            places.append((at, ring.step, ring.slots, ring.stride, int(ring in of_addresses)))
            at += ring.slots * ring.step
        written = {key: self._groups(panel) for key, panel in codes.items()}
        pixel = self.work.channels * samples.size(self.work.kind)
        shares = [
            (*written[key], first * pixel, *self._shares(windows, codes[key].spared))
            for first, key, windows in panels
        ]
        shared = math.gcd(self.rows.stride, self.rows.dilation)
        apart = self.rows.dilation // shared
        address = tables.words(
            self.rows.stride, self.rows.dilation, apart, self.work.chunk,
            tables.records(shares), len(shares),
            tables.records(map(self._reader, self.readers)), len(self.readers),
            tables.records(places), len(places), job, raw,
        )  # fmt: skip
        return Program(address, (at // LINE + 2) * LINE, tables.kept)

    def _reader(self, reader: Reader) -> tuple[int, ...]:
        """A reader in words; a row that fills is as long as one of the source."""
        kind, tables, (rows, _, fill) = self.source.kind, self.work.tables, reader.geometry
        positions = Window(rows, [rows.positions(range(rows.outputs))], {}).sources()
        pixel = fills(fill) * (1 if isinstance(fill, tuple) else self.source.channels)
        filling = samples.values(kind, pixel if kind.startswith("float") else map(int, pixel))
        if rows.border == "constant":
            filling *= self.source.width
        channel, addresses = (reader.channel or 0) * samples.size(kind), reader.ring.elsewhere
        return (
            native.part("fill"), rows.taps, tables.keep(positions), channel,
            tables.keep(filling) + channel, addresses.number if addresses else -1,
        )  # fmt: skip

    def _shares(self, windows: dict[int, Window], spared: dict[int, range]) -> list[int]:
        """What readers move for a panel, but for what is read from where it is."""
        found, tables = [], self.work.tables
        for reader in self.readers:
            window = windows[reader.ring.number]
            given = Moves(self.source, self.work.depth, reader, tables)
            moves = given.of(window, spared.get(reader.ring.number, range(0)))
            made = window.length * self.work.depth * reader.ring.size
            found += [tables.records(moves), len(moves), made]
        return found

    def _groups(self, panel: Panel) -> tuple[int, int]:
        """Groups of orders in words, and how many there are."""
        tables = self.work.tables
        groups = [
            (tables.records(map(self._order, orders)), len(orders), when, orders[0].at_once)
            for when, orders in panel.groups
        ]
        return tables.records(groups), len(groups)

    def _order(self, order: Order) -> tuple[int, ...]:
        taps = self.work.tables.records((t.ring.number, t.row, t.place) for t in order.taps)
        ring = order.into.number if order.into else -1
        part = native.part(order.part)
        numbers = part, order.samples, order.numbers, ring, order.place
        return *numbers, taps, len(order.taps)
