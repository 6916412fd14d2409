"""What the plans of a layer read: the image itself, or rows gathered with their border."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import NamedTuple

from imgconv.engine import fourier, native, samples
from imgconv.engine.calls import Columns, Strip, rooms
from imgconv.engine.geometry import Geometry
from imgconv.engine.layers import Layer
from imgconv.engine.passes import Plan
from imgconv.engine.samples import Samples, pointer

# A piece with its border is gathered into a buffer of about this many bytes, which stay in the
# second-level cache until the taps have read them.
PIECE = 1024 * 1024
# Rows that a piece has at least where several outputs share its buffers, so that calls are few.
ROWS = 16


class Piece(NamedTuple):
    """A rectangle of outputs; `inside` where no tap of it leaves the image."""

    y0: int
    y1: int
    x0: int
    x1: int
    inside: bool = False


def bytes_of(layer: Layer, source: Samples) -> int:
    """How many bytes a column takes in the buffers of a layer."""
    depth = 1 if layer.reads else source.channels
    read = max((len(read) for read in layer.reads), default=1)
    gathered = depth * read * samples.size(layer.plans[0].buffer)
    planes = len(layer.outputs) * samples.size(layer.plans[0].last.result) if layer.reads else 0
    joined = len(layer.outputs[0]) * depth * samples.size(layer.join.source) if layer.join else 0
    return gathered + planes + joined


class Source:
    """The samples that plans of a kind read: in the image itself, or gathered with a border."""

    def __init__(
        self,
        source: Samples,
        geometry: Geometry,
        plans: list[Plan],
        read: tuple[int, ...],
        name: str,
    ) -> None:
        self._source, self._geometry, self._read, self._name = source, geometry, read, name
        self._kind, self._scale = plans[0].buffer, plans[0].scale
        self._kernel = geometry.rows.taps  # rows of a kernel in one channel
        first = [what for plan in plans for what in plan.down or (plan.last,)]
        self._rows = sorted({row for what in first for row, _ in what.places})
        self._columns = sorted({column for plan in plans for _, column in plan.last.places})
        if plans[0].transform:
            self._rows, self._columns = (list(range(n)) for n in plans[0].size)

    def on(self, piece: Piece) -> Callable[[int, int], Strip]:
        """Return what gives the strip for rows of a piece."""
        return self._in_place(piece) if piece.inside else self._gathered(piece)

    def _in_place(self, piece: Piece) -> Callable[[int, int], Strip]:
        """Rows whose taps all read the image itself."""
        source, (rows, columns) = self._source, (self._geometry.rows, self._geometry.columns)
        down = {a: a * rows.dilation * source.step for a in self._rows}
        across = {b: b * columns.dilation * source.channels for b in self._columns}

        def strip(y0: int, y1: int) -> Strip:
            place = source.at(y0 * rows.stride - rows.before, piece.x0 - columns.before)
            return Strip(y0, y1 - y0, place, rows.stride * source.step, down, across)

        return strip

    def _gathered(self, piece: Piece) -> Callable[[int, int], Strip]:
        """Rows whose taps read a buffer that has been given its border, channel by channel."""
        source, kind, scale = self._source, self._kind, self._scale
        depth = 1 if self._read else source.channels
        gather = native.function("gather", int(scale > 1), S=source.kind, U=kind)
        columns = self._geometry.columns.window(piece.x0, piece.x1, self._columns)
        # One channel of several is like pixels of one, so many times as far apart.
        runs = columns.runs(source.channels if self._read else 1)
        across = {b: start * depth for b, start in columns.starts.items()}
        fill = self._geometry.fill * scale
        values = samples.values(kind, [fill if kind[0] == "f" else int(fill), scale])
        step = rooms.step(columns.length * depth)
        wanted = sorted({row % self._kernel for row in self._rows})

        def strip(y0: int, y1: int) -> Strip:
            window = self._geometry.rows.window(y0, y1, wanted)
            rows = window.sources()
            size = len(rows) * step
            buffer = rooms.take(self._name, kind, size * max(1, len(self._read)))
            for i, channel in enumerate(self._read or (0,)):
                gather(
                    source.address + channel * samples.size(source.kind), source.step, len(rows),
                    pointer(rows), buffer + i * size * samples.size(kind), step, depth,
                    pointer(runs), len(runs) // 4, pointer(values),
                )  # fmt: skip
            down = {
                row: row // self._kernel * size + window.starts[row % self._kernel] * step
                for row in self._rows
            }
            return Strip(y0, y1 - y0, buffer, step, down, across)

        return strip


class _Alike(NamedTuple):
    """What plans have in common that read the same strips."""

    kernel: int  # where geometries differ
    buffer: str
    scale: int
    read: tuple[int, ...]


class Reader:
    """Gives what the last pass of each plan of a layer reads, some rows of a piece at a time."""

    def __init__(self, source: Samples, layer: Layer, geometries: Sequence[Geometry]) -> None:
        self._depth = 1 if layer.reads else source.channels
        self._layer, self._source, self._size = layer, source, geometries[0].rows.taps
        several = len(set(geometries)) > 1
        alike: dict[_Alike, list[Plan]] = {}
        self._source_of: list[list[int]] = []
        for o, plans in enumerate(layer.outputs):
            read = layer.reads[o] if layer.reads else ()
            self._source_of.append([])
            for k, plan in enumerate(plans):
                key = _Alike(k if several else 0, plan.buffer, plan.scale, read)
                alike.setdefault(key, []).append(plan)
                self._source_of[-1].append(list(alike).index(key))
        self._sources = [
            Source(source, geometries[key.kernel], plans, key.read, f"gathered{i}")
            for i, (key, plans) in enumerate(alike.items())
        ]
        self._down = [[[Columns(w) for w in p.down] for p in plans] for plans in layer.outputs]

    def form(self, output: int) -> Hashable:
        """Return what outputs have in common whose last passes differ in their numbers only."""
        plan = self._layer.outputs[output][0]
        if plan.down or plan.transform:
            return output
        return self._source_of[output][0], plan.last._replace(weights=(), scalars=())

    def of(self, piece: Piece) -> Iterator[list[Strip]]:
        """Yield the strips of all sources for some rows of a piece, from the first on."""
        views = [source.on(piece) for source in self._sources]
        tall = self._tall(piece)
        for y in range(piece.y0, piece.y1, tall):
            end = min(y + tall, piece.y1)
            yield [view(y, end) for view in views]

    def _tall(self, piece: Piece) -> int:
        """How many rows make buffers that stay in the cache."""
        layer, width = self._layer, piece.x1 - piece.x0
        if len(layer.plans) > 1:
            return max(PIECE // (bytes_of(layer, self._source) * width), self._size, 4)
        (plan,) = layer.plans
        if plan.transform or (piece.inside and not plan.down):
            return piece.y1 - piece.y0
        return max(PIECE // (bytes_of(layer, self._source) * width), self._size, ROWS)

    def strip(self, read: list[Strip], piece: Piece, output: int, kernel: int) -> Strip:
        """Return what the last pass of a plan reads; the passes before it are done here."""
        strip = read[self._source_of[output][kernel]]
        plan, down = self._layer.outputs[output][kernel], self._down[output][kernel]
        if plan.transform:
            return self._transformed(strip, piece, plan.transform)
        return self._passed_down(strip, piece, plan, down) if down else strip

    def _passed_down(self, strip: Strip, piece: Piece, plan: Plan, down: list[Columns]) -> Strip:
        """What the passes down make of a strip, one below the other in a buffer of their own."""
        reach = max(strip.across[column] for _, column in plan.last.places)
        width = (piece.x1 - piece.x0) * self._depth + reach
        kind, step = plan.last.source, rooms.step(width)
        size = strip.rows * step
        middle = rooms.take("middle", kind, size * len(down))
        columns = strip._replace(across={0: 0})
        for i, add_up in enumerate(down):
            add_up(columns, middle + i * size * samples.size(kind), step, width)
        starts = {i: i * size for i in range(len(down))}
        return Strip(strip.y0, strip.rows, middle, step, starts, strip.across)

    def _transformed(
        self, strip: Strip, piece: Piece, weights: tuple[tuple[float, ...], ...]
    ) -> Strip:
        """What the Fourier transform of a strip, as large as two tiles, makes of it."""
        shape = strip.rows, piece.x1 - piece.x0, self._depth
        step = rooms.step(shape[1] * shape[2])
        middle = rooms.take("middle", "float32", strip.rows * step)
        fourier.correlate(strip.address, middle, shape, (strip.step, step), weights)
        return Strip(strip.y0, strip.rows, middle, step, {0: 0}, {0: 0})
