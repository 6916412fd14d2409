"""Run a layer over bands of rows on threads: samples in, samples out, no copy of the image."""

from __future__ import annotations

import itertools
import math
import os
import threading
from array import array
from collections.abc import Callable, Hashable, Iterator, Sequence
from fractions import Fraction
from typing import Any, NamedTuple, TypeVar

from imgconv import fourier, native, samples
from imgconv.errors import OptionError
from imgconv.geometry import Geometry
from imgconv.layers import Layer
from imgconv.passes import BLOCK, Pass, Plan
from imgconv.samples import Samples, pointer

T = TypeVar("T")

# A piece with its border is gathered into a buffer of about this many bytes, which stay in the
# second-level cache until the taps have read them.
PIECE = 1024 * 1024
# Columns of samples that a pass down does at a time.
PANEL = 2048
# Below this many taps times samples a thread costs more than it saves.
WORK = 4_000_000
# Rows that a piece has at least where several outputs share its buffers, so that calls are few.
ROWS = 16
# A picture of no more samples is copied with its border: quicker than four pieces for the frame.
SMALL = 1 << 21
# Bands a thread: two even out a little; each costs its windows and calls.
BANDS = 2


class _Piece(NamedTuple):
    """A rectangle of outputs; `inside` where no tap of it leaves the image."""

    y0: int
    y1: int
    x0: int
    x1: int
    inside: bool = False


class _Strip(NamedTuple):
    """Rows of outputs from y0 on, and where in memory their taps read.

    Row r and column c of the kernel are `down[r]` and `across[c]` samples from the address; the
    rows of several channels are numbered one below the other.
    """

    y0: int
    rows: int
    address: int
    step: int
    down: dict[int, int]
    across: dict[int, int]


class _Rows(NamedTuple):
    """Rows of `size` samples in memory, `step` samples apart; of several planes, `apart`."""

    address: int
    step: int
    rows: int
    size: int
    apart: int = 0


class _Sweep:
    """A pass for one or more outputs, made ready to be called many times from many threads."""

    def __init__(self, passes: Sequence[Pass], filtered: bytes) -> None:
        what = passes[0]
        masked = 0 in filtered or what.rounding not in ("plain", "response", "whole")
        form = (what.rounding, what.fused, int(masked), what.fixed)
        self._call = native.function(
            "sweep", *form, S=what.source, A=what.accumulator, U=what.result
        )
        self._outputs, self._channels, self._what = len(passes), len(filtered), what
        self._mask = samples.values("uint8", _mask(filtered))
        self._weights = samples.values(what.accumulator, [w for p in passes for w in p.weights])
        self._scalars = samples.values(what.accumulator, [s for p in passes for s in p.scalars])

    def __call__(
        self, strip: _Strip, address: int, step: int, size: int, counts: array[int], apart: int = 0
    ) -> None:
        """Write rows of `size` samples, `step` apart, to an address, the outputs `apart`."""
        what = self._what
        offsets, scratch = (
            _offsets(what.places, strip),
            _rooms.take("sums", what.accumulator, BLOCK),
        )
        self._call(
            strip.address, strip.step, address, step, strip.rows, size, self._channels,
            pointer(offsets), pointer(self._weights), len(what.weights), pointer(self._scalars),
            scratch, BLOCK, pointer(self._mask), pointer(counts), self._outputs, apart,
        )  # fmt: skip


class _Extent:
    """What finds the ends of a pass's responses, made ready likewise."""

    def __init__(self, what: Pass, filtered: bytes) -> None:
        self._call = native.function("extent", S=what.source, A=what.accumulator)
        self._what = what
        self._channels = len(filtered)
        self._mask = samples.values("uint8", _mask(filtered))
        self._weights = samples.values(what.accumulator, what.weights)
        self._bias = samples.values(what.accumulator, what.scalars[:1])

    def begin(self) -> array[Any]:
        """Return room for the ends, as if nothing had been seen."""
        reals = self._what.accumulator.startswith("float")
        limit = math.inf if reals else 2 ** (8 * self._bias.itemsize - 1) - 1
        return samples.values(self._what.accumulator, (limit, -limit))

    def __call__(self, strip: _Strip, size: int, found: array[Any]) -> None:
        """Look at rows of `size` samples."""
        offsets = _offsets(self._what.places, strip)
        scratch = _rooms.take("sums", self._what.accumulator, BLOCK)
        self._call(
            strip.address, strip.step, strip.rows, size, self._channels, pointer(offsets),
            pointer(self._weights), len(self._weights), pointer(self._bias), scratch, BLOCK,
            pointer(self._mask), pointer(found),
        )  # fmt: skip

    def told(self, found: array[Any]) -> list[tuple[Fraction, Fraction]]:
        """Return the ends as responses; nothing where there was none that is finite."""
        low, high = found
        divisor = Fraction(self._what.scalars[6])
        return [(Fraction(low) / divisor, Fraction(high) / divisor)] if low <= high else []


class _Joined:
    """A join, made ready likewise."""

    def __init__(self, layer: Layer, result: str, filtered: bytes) -> None:
        assert layer.join
        how, self.source, self.kind, factors, scalars, rounding = layer.join
        masked = int(0 in filtered or rounding == "real")
        self._call = native.function(
            "join", how, rounding, masked, S=self.source, A=self.kind, U=result
        )
        self._count, self._channels = len(layer.outputs[0]), len(filtered)
        self._factors = samples.values(self.kind, factors)
        self._scalars = samples.values(self.kind, scalars)
        self._mask = samples.values("uint8", _mask(filtered))

    def __call__(self, joined: _Rows, address: int, step: int, counts: array[int]) -> None:
        """Put responses together to rows, `step` samples apart, at an address."""
        scratch = _rooms.take("sums", self.kind, BLOCK)
        self._call(
            joined.address, joined.apart, joined.step, self._count, address, step, joined.rows,
            joined.size, self._channels, pointer(self._factors), pointer(self._scalars),
            scratch, BLOCK, pointer(self._mask), pointer(counts),
        )  # fmt: skip


class _Columns:
    """A pass down the columns of a separable kernel, made ready likewise."""

    def __init__(self, what: Pass) -> None:
        self._call = native.function("columns", what.fixed, S=what.source, A=what.accumulator)
        self._what = what
        self._weights = samples.values(what.accumulator, what.weights)
        self._numbers = samples.values(what.accumulator, (what.scalars[0], what.scalars[7]))

    def __call__(self, strip: _Strip, address: int, step: int, size: int) -> None:
        """Write rows of `size` accumulators, `step` apart, to an address."""
        offsets = _offsets(self._what.places, strip)
        self._call(
            strip.address, strip.step, address, step, strip.rows, size, pointer(offsets),
            pointer(self._weights), len(self._weights), pointer(self._numbers), PANEL,
        )  # fmt: skip


def thread_count() -> int:
    """Return how many threads to use: IMGCONV_THREADS, or one a core.

    Raises
    ------
    OptionError
        If IMGCONV_THREADS is not a whole number from 1 to 1024.
    """
    text = os.environ.get("IMGCONV_THREADS", "")
    if not text:
        affinity = getattr(os, "sched_getaffinity", None)  # absent on some systems
        return len(affinity(0)) if affinity else os.cpu_count() or 1
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise OptionError(f"IMGCONV_THREADS is {text!r}, not a whole number from 1 to 1024")
    return int(text)


def run(
    source: Samples,
    target: Samples,
    layer: Layer,
    geometries: Sequence[Geometry],
    filtered: bytes,
    threads: int | None,
) -> tuple[int, int]:
    """Compute a layer from source to target; return how many samples were clipped below and above.

    `geometries` are those of the kernels that are joined, or of the only one. `filtered` holds for
    each channel in memory a 1 if its clipping counts, else a 0.
    """
    read = _Reader(source, layer, geometries)
    writer = _Writer(source, target, layer, read, _mask_of(layer, filtered))

    def correlate_piece(piece: _Piece) -> array[int]:
        counts = samples.room("int64", 2)
        for strips in read.of(piece):
            writer.write(strips, piece, counts)
        return counts

    counts = _in_bands(correlate_piece, source, layer, geometries, threads)
    return sum(low for low, _ in counts), sum(high for _, high in counts)


def extent(
    source: Samples, layer: Layer, geometry: Geometry, filtered: bytes, threads: int | None
) -> tuple[Fraction, Fraction]:
    """Return the least and the greatest finite response of the filtered channels; 0 for none.

    The layer is of one kernel.
    """
    read, depth = _Reader(source, layer, [geometry]), 1 if layer.reads else source.channels
    mask = _mask_of(layer, filtered)
    finds = [_Extent(plan.last, mask) for plan in layer.plans]

    def extents_of_piece(piece: _Piece) -> list[tuple[Fraction, Fraction]]:
        found, size = [find.begin() for find in finds], (piece.x1 - piece.x0) * depth
        for strips in read.of(piece):
            for output, (find, ends) in enumerate(zip(finds, found, strict=True)):
                find(read.strip(strips, piece, output, 0), size, ends)
        return [e for find, ends in zip(finds, found, strict=True) for e in find.told(ends)]

    each = _in_bands(extents_of_piece, source, layer, [geometry], threads)
    ends = [pair for pairs in each for pair in pairs]
    if not ends:
        return Fraction(0), Fraction(0)
    return min(low for low, _ in ends), max(high for _, high in ends)


def sample(source: Samples, target: Samples, geometry: Geometry) -> None:
    """Copy the sample under the middle of the kernel, for channels that are not filtered."""
    gather = native.function("gather", 0, S=source.kind, U=target.kind)
    rows, runs = geometry.rows.centres().sources(), geometry.columns.centres().runs()
    fill = samples.values(target.kind, [0, 1])
    gather(
        source.address, source.step, len(rows), pointer(rows), target.address, target.step,
        source.channels, pointer(runs), len(runs) // 4, pointer(fill),
    )  # fmt: skip


def warm(layer: Layer, filtered: bytes) -> None:
    """Have compiled what a layer needs, and kept for later processes."""
    for plan in layer.plans:
        for what in plan.down:
            _Columns(what)
        _Sweep([plan.last], _mask_of(layer, filtered))
        native.function("gather", int(plan.scale > 1), S=plan.sample, U=plan.buffer)
        if plan.last.rounding in ("response", "whole"):
            native.function("extent", S=plan.last.source, A=plan.last.accumulator)


def _mask_of(layer: Layer, filtered: bytes) -> bytes:
    """Which samples count: of sums over channels all do."""
    return b"\1" if layer.reads else filtered


def _mask(filtered: bytes) -> bytes:
    return (filtered * (BLOCK // len(filtered) + 2))[: BLOCK + len(filtered)]


def _in_bands(
    work: Callable[[_Piece], T],
    source: Samples,
    layer: Layer,
    geometries: Sequence[Geometry],
    threads: int | None,
) -> list[T]:
    """Do the work on pieces of the output that together cover it once, on threads if worth it."""
    height, width = geometries[0].shape
    threads = threads or thread_count()
    # In the first thread malloc gives back what a transform takes, and each takes it anew, at twice
    # the time; so that thread leaves transforms to the others.
    helped = threads if layer.transformed else threads - 1
    depth = 1 if layer.reads else source.channels
    if not helped or height * width * depth * layer.taps < WORK:
        return list(map(work, _pieces(source, layer, geometries, 1)))
    # A pool would take 0.4 ms to start and stop, a tenth of a 3x3 kernel's time over 12 Mpx.
    pieces = iter(list(_pieces(source, layer, geometries, BANDS * threads)))
    done: list[T] = []
    failed: list[BaseException] = []

    def share() -> None:
        try:
            done.extend(map(work, pieces))
        except BaseException as error:  # told where the threads are joined
            failed.append(error)

    helpers = [threading.Thread(target=share) for _ in range(helped)]
    for helper in helpers:
        helper.start()
    if helped < threads:
        share()
    for helper in helpers:
        helper.join()
    if failed:
        raise failed[0]
    return done


def _pieces(
    source: Samples, layer: Layer, geometries: Sequence[Geometry], bands: int
) -> Iterator[_Piece]:
    """Cut the output into bands of rows, apart from a frame whose taps leave the image.

    Only inside the frame are the samples read where they are.
    """
    height, width = geometries[0].shape
    if layer.transformed:
        yield from _tiles(height, width, *fourier.outputs(layer.plans[0].size))
        return
    if layer.reads:
        wide = max(PIECE // (ROWS * _bytes(layer, source)), 64)
        yield from _tiles(height, width, -(-height // bands), wide)
        return
    insides = [(g.rows.inside(), g.columns.inside()) for g in geometries]
    top, left = (max(inside[axis][0] for inside in insides) for axis in (0, 1))
    bottom, right = (min(inside[axis][1] for inside in insides) for axis in (0, 1))
    small = height * width * source.channels <= SMALL
    if (
        small
        or any(plan.buffer != source.kind for plan in layer.plans)
        or geometries[0].columns.stride > 1
        or not top < bottom
        or not left < right
    ):
        top, bottom, left, right = 0, height, 0, 0
    tall = -(-(bottom - top) // bands)
    for y in range(top, bottom, tall):
        end = min(y + tall, bottom)
        if left < right:
            yield _Piece(y, end, left, right, inside=True)
        for x0, x1 in ((0, left), (right, width)):
            if x0 < x1:
                yield _Piece(y, end, x0, x1)
    for y0, y1 in ((0, top), (bottom, height)):
        if y0 < y1:
            yield _Piece(y0, y1, 0, width)


def _tiles(height: int, width: int, tall: int, wide: int) -> Iterator[_Piece]:
    for y in range(0, height, tall):
        for x in range(0, width, wide):
            yield _Piece(y, min(y + tall, height), x, min(x + wide, width))


def _bytes(layer: Layer, source: Samples) -> int:
    """How many bytes a column takes in the buffers of a layer."""
    depth = 1 if layer.reads else source.channels
    read = max((len(read) for read in layer.reads), default=1)
    gathered = depth * read * samples.size(layer.plans[0].buffer)
    planes = len(layer.outputs) * samples.size(layer.plans[0].last.result) if layer.reads else 0
    joined = len(layer.outputs[0]) * depth * samples.size(layer.join.source) if layer.join else 0
    return gathered + planes + joined


class _Rooms(threading.local):
    """The buffers of a thread, kept for the next picture: fresh memory costs more than the work.

    They and the rows in them begin with a line of the cache, so that no load needs two.
    """

    LINE = 64

    def __init__(self) -> None:
        self._rooms: dict[str, array[int]] = {}

    def take(self, name: str, kind: str, count: int) -> int:
        """Return the address of room for samples; the same room whenever the name is the same."""
        needed = count * samples.size(kind) + self.LINE
        if len(self._rooms.get(name, ())) < needed:
            self._rooms[name] = samples.room("uint8", needed)
        return -(-pointer(self._rooms[name]) // self.LINE) * self.LINE

    def step(self, width: int) -> int:
        """Return from one row of samples to the next."""
        return -(-width // self.LINE) * self.LINE


_rooms = _Rooms()


class _Source:
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

    def on(self, piece: _Piece) -> Callable[[int, int], _Strip]:
        """Return what gives the strip for rows of a piece."""
        return self._in_place(piece) if piece.inside else self._gathered(piece)

    def _in_place(self, piece: _Piece) -> Callable[[int, int], _Strip]:
        """Rows whose taps all read the image itself."""
        source, (rows, columns) = self._source, (self._geometry.rows, self._geometry.columns)
        down = {a: a * rows.dilation * source.step for a in self._rows}
        across = {b: b * columns.dilation * source.channels for b in self._columns}

        def strip(y0: int, y1: int) -> _Strip:
            place = source.at(y0 * rows.stride - rows.before, piece.x0 - columns.before)
            return _Strip(y0, y1 - y0, place, rows.stride * source.step, down, across)

        return strip

    def _gathered(self, piece: _Piece) -> Callable[[int, int], _Strip]:
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
        step = _rooms.step(columns.length * depth)
        wanted = sorted({row % self._kernel for row in self._rows})

        def strip(y0: int, y1: int) -> _Strip:
            window = self._geometry.rows.window(y0, y1, wanted)
            rows = window.sources()
            size = len(rows) * step
            buffer = _rooms.take(self._name, kind, size * max(1, len(self._read)))
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
            return _Strip(y0, y1 - y0, buffer, step, down, across)

        return strip


class _Alike(NamedTuple):
    """What plans have in common that read the same strips."""

    kernel: int  # where geometries differ
    buffer: str
    scale: int
    read: tuple[int, ...]


class _Reader:
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
            _Source(source, geometries[key.kernel], plans, key.read, f"gathered{i}")
            for i, (key, plans) in enumerate(alike.items())
        ]
        self._down = [[[_Columns(w) for w in p.down] for p in plans] for plans in layer.outputs]

    def form(self, output: int) -> Hashable:
        """Return what outputs have in common whose last passes differ in their numbers only."""
        plan = self._layer.outputs[output][0]
        if plan.down or plan.transform:
            return output
        return self._source_of[output][0], plan.last._replace(weights=(), scalars=())

    def of(self, piece: _Piece) -> Iterator[list[_Strip]]:
        """Yield the strips of all sources for some rows of a piece, from the first on."""
        views = [source.on(piece) for source in self._sources]
        tall = self._tall(piece)
        for y in range(piece.y0, piece.y1, tall):
            end = min(y + tall, piece.y1)
            yield [view(y, end) for view in views]

    def _tall(self, piece: _Piece) -> int:
        """How many rows make buffers that stay in the cache."""
        layer, width = self._layer, piece.x1 - piece.x0
        if len(layer.plans) > 1:
            return max(PIECE // (_bytes(layer, self._source) * width), self._size, 4)
        (plan,) = layer.plans
        if plan.transform or (piece.inside and not plan.down):
            return piece.y1 - piece.y0
        return max(PIECE // (_bytes(layer, self._source) * width), self._size, ROWS)

    def strip(self, read: list[_Strip], piece: _Piece, output: int, kernel: int) -> _Strip:
        """Return what the last pass of a plan reads; the passes before it are done here."""
        strip = read[self._source_of[output][kernel]]
        plan, down = self._layer.outputs[output][kernel], self._down[output][kernel]
        if plan.transform:
            return self._transformed(strip, piece, plan.transform)
        return self._passed_down(strip, piece, plan, down) if down else strip

    def _passed_down(
        self, strip: _Strip, piece: _Piece, plan: Plan, down: list[_Columns]
    ) -> _Strip:
        """What the passes down make of a strip, one below the other in a buffer of their own."""
        reach = max(strip.across[column] for _, column in plan.last.places)
        width = (piece.x1 - piece.x0) * self._depth + reach
        kind, step = plan.last.source, _rooms.step(width)
        size = strip.rows * step
        middle = _rooms.take("middle", kind, size * len(down))
        columns = strip._replace(across={0: 0})
        for i, add_up in enumerate(down):
            add_up(columns, middle + i * size * samples.size(kind), step, width)
        starts = {i: i * size for i in range(len(down))}
        return _Strip(strip.y0, strip.rows, middle, step, starts, strip.across)

    def _transformed(
        self, strip: _Strip, piece: _Piece, weights: tuple[tuple[float, ...], ...]
    ) -> _Strip:
        """What the Fourier transform of a strip, as large as two tiles, makes of it."""
        shape = strip.rows, piece.x1 - piece.x0, self._depth
        step = _rooms.step(shape[1] * shape[2])
        middle = _rooms.take("middle", "float32", strip.rows * step)
        fourier.correlate(strip.address, middle, shape, (strip.step, step), weights)
        return _Strip(strip.y0, strip.rows, middle, step, {0: 0}, {0: 0})


class _Writer:
    """Writes the outputs of a layer from the strips that its plans read."""

    def __init__(
        self, source: Samples, target: Samples, layer: Layer, read: _Reader, filtered: bytes
    ) -> None:
        self._target, self._layer, self._read = target, layer, read
        self._depth = 1 if layer.reads else source.channels
        # Outputs whose plans differ in their numbers only are done by one call.
        alike = [list(each) for _, each in itertools.groupby(range(len(layer.outputs)), read.form)]
        if layer.join:
            alike = [[output] for output in range(len(layer.outputs))]
        self._groups = [
            (group[0], [_Sweep([layer.outputs[o][k].last for o in group], filtered)
                        for k in range(len(layer.outputs[0]))])
            for group in alike
        ]  # fmt: skip
        self._join = _Joined(layer, target.kind, filtered) if layer.join else None
        # Sums over channels are computed plane by plane, unless the only plane is the target.
        self._planar = bool(layer.reads) and target.channels > 1
        if self._planar:
            self._interleave = native.function("interleave", S="", U=target.kind)

    def write(self, read: list[_Strip], piece: _Piece, counts: array[int]) -> None:
        """Write the rows of a piece that the strips are for."""
        target, (y0, rows) = self._target, (read[0].y0, read[0].rows)
        width, address = piece.x1 - piece.x0, target.at(y0, piece.x0)
        if not self._planar:
            self._write(read, piece, _Rows(address, target.step, rows, width * self._depth), counts)
            return
        outputs, step = len(self._layer.outputs), _rooms.step(width)
        apart = rows * step
        planes = _rooms.take("planes", target.kind, outputs * apart)
        self._write(read, piece, _Rows(planes, step, rows, width, apart), counts)
        self._interleave(
            planes, apart, step, outputs, address, target.step, target.channels, rows, width
        )

    def _write(self, read: list[_Strip], piece: _Piece, out: _Rows, counts: array[int]) -> None:
        """Write the rows of all outputs."""
        for output, sweeps in self._groups:
            address = out.address + output * out.apart * samples.size(self._target.kind)
            if not self._join:
                strip = self._read.strip(read, piece, output, 0)
                sweeps[0](strip, address, out.step, out.size, counts, out.apart)
                continue
            kind, step = self._join.source, _rooms.step(out.size)
            apart = out.rows * step
            responses = _rooms.take("responses", kind, len(sweeps) * apart)
            for k, sweep in enumerate(sweeps):
                strip = self._read.strip(read, piece, output, k)
                sweep(strip, responses + k * apart * samples.size(kind), step, out.size, counts)
            joined = _Rows(responses, step, out.rows, out.size, apart)
            self._join(joined, address, out.step, counts)


def _offsets(places: tuple[tuple[int, int], ...], strip: _Strip) -> array[int]:
    """Where each tap reads, followed by as much room for the core to move them in."""
    down, across = strip.down, strip.across
    return samples.values("int64", [down[a] + across[b] for a, b in places] * 2)
