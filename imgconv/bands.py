"""Run a plan over bands of rows on threads: samples in, samples out, no copy of the image."""

from __future__ import annotations

import math
import os
import threading
from array import array
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, NamedTuple, TypeVar

from imgconv import fourier, native, samples
from imgconv.errors import OptionError
from imgconv.geometry import Geometry
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

    Row r and column c of the kernel are `down[r]` and `across[c]` samples from the address.
    """

    y0: int
    rows: int
    address: int
    step: int
    down: dict[int, int]
    across: dict[int, int]


class _Sweep:
    """A pass, made ready to be called many times from many threads."""

    def __init__(self, what: Pass, filtered: bytes) -> None:
        masked = 0 in filtered or what.rounding not in ("plain", "response")
        form = (what.rounding, what.fused, int(masked), what.fixed)
        self._call = native.function(
            "sweep", *form, S=what.source, A=what.accumulator, U=what.result
        )
        self._channels = len(filtered)
        self._what = what
        self._mask = samples.values("uint8", _mask(filtered))
        self._weights = samples.values(what.accumulator, what.weights)
        self._scalars = samples.values(what.accumulator, what.scalars)

    def __call__(
        self, strip: _Strip, address: int, step: int, size: int, counts: array[int]
    ) -> None:
        """Write rows of `size` samples, `step` apart, to an address."""
        offsets = _offsets(self._what.places, strip)
        scratch = samples.room(self._what.accumulator, BLOCK)
        self._call(
            strip.address, strip.step, address, step, strip.rows, size, self._channels,
            pointer(offsets), pointer(self._weights), len(self._weights), pointer(self._scalars),
            pointer(scratch), BLOCK, pointer(self._mask), pointer(counts),
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
    plan: Plan,
    geometry: Geometry,
    filtered: bytes,
    threads: int | None,
) -> tuple[int, int]:
    """Compute a plan from source to target; return how many samples were clipped below and above.

    `filtered` holds for each channel a 1 if its clipping counts, else a 0.
    """
    sweep = _Sweep(plan.last, filtered)
    strips = _Strips(source, plan, geometry)

    def correlate_piece(piece: _Piece) -> array[int]:
        counts, size = samples.room("int64", 2), (piece.x1 - piece.x0) * source.channels
        for strip in strips.of(piece):
            sweep(strip, target.at(strip.y0, piece.x0), target.step, size, counts)
        return counts

    counts = _in_bands(correlate_piece, source, plan, geometry, threads)
    return sum(low for low, _ in counts), sum(high for _, high in counts)


def extent(
    source: Samples, plan: Plan, geometry: Geometry, filtered: bytes, threads: int | None
) -> tuple[Fraction, Fraction]:
    """Return the least and the greatest finite response of the filtered channels; 0 for none."""
    last, channels = plan.last, source.channels
    find = native.function("extent", S=last.source, A=last.accumulator)
    mask = samples.values("uint8", _mask(filtered))
    weights = samples.values(last.accumulator, last.weights)
    bias = samples.values(last.accumulator, last.scalars[:1])
    reals = last.accumulator.startswith("float")
    limit = math.inf if reals else 2 ** (8 * bias.itemsize - 1) - 1
    strips = _Strips(source, plan, geometry)

    def extent_of_piece(piece: _Piece) -> array[Any]:
        found = samples.values(last.accumulator, (limit, -limit))
        scratch = samples.room(last.accumulator, BLOCK)
        for strip in strips.of(piece):
            offsets = _offsets(last.places, strip)
            find(
                strip.address, strip.step, strip.rows, (piece.x1 - piece.x0) * channels, channels,
                pointer(offsets), pointer(weights), len(weights), pointer(bias), pointer(scratch),
                BLOCK, pointer(mask), pointer(found),
            )  # fmt: skip
        return found

    found = _in_bands(extent_of_piece, source, plan, geometry, threads)
    low, high = min(low for low, _ in found), max(high for _, high in found)
    if low > high:
        return Fraction(0), Fraction(0)
    divisor = Fraction(last.scalars[6])
    return Fraction(low) / divisor, Fraction(high) / divisor


def sample(source: Samples, target: Samples, geometry: Geometry) -> None:
    """Copy the sample under the middle of the kernel, for channels that are not filtered."""
    gather = native.function("gather", 0, S=source.kind, U=target.kind)
    rows, runs = geometry.rows.centres().sources(), geometry.columns.centres().runs()
    fill = samples.values(target.kind, [0, 1])
    gather(
        source.address, source.step, len(rows), pointer(rows), target.address, target.step,
        source.channels, pointer(runs), len(runs) // 4, pointer(fill),
    )  # fmt: skip


def warm(plan: Plan, filtered: bytes) -> None:
    """Have compiled what a plan needs, and kept for later processes."""
    for what in plan.down:
        _Columns(what)
    _Sweep(plan.last, filtered)
    native.function("gather", int(plan.scale > 1), S=plan.sample, U=plan.buffer)
    if plan.last.rounding == "response":
        native.function("extent", S=plan.last.source, A=plan.last.accumulator)


def _mask(filtered: bytes) -> bytes:
    return (filtered * (BLOCK // len(filtered) + 2))[: BLOCK + len(filtered)]


def _in_bands(
    work: Callable[[_Piece], T],
    source: Samples,
    plan: Plan,
    geometry: Geometry,
    threads: int | None,
) -> list[T]:
    """Do the work on pieces of the output that together cover it once, on threads if worth it."""
    height, width = geometry.shape
    threads = threads or thread_count()
    # In the first thread malloc gives back what a transform takes, and each takes it anew, at twice
    # the time; so that thread leaves transforms to the others.
    helped = threads if plan.transform else threads - 1
    if not helped or height * width * source.channels * plan.taps < WORK:
        return list(map(work, _pieces(source, plan, geometry, 1)))
    # A pool would take 0.4 ms to start and stop, a tenth of a 3x3 kernel's time over 12 Mpx.
    pieces = iter(list(_pieces(source, plan, geometry, BANDS * threads)))
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


def _pieces(source: Samples, plan: Plan, geometry: Geometry, bands: int) -> Iterator[_Piece]:
    """Cut the output into bands of rows, apart from a frame whose taps leave the image.

    Only inside the frame are the samples read where they are.
    """
    height, width = geometry.shape
    if plan.transform:
        tall, wide = fourier.outputs(plan.size)
        for y in range(0, height, tall):
            for x in range(0, width, wide):
                yield _Piece(y, min(y + tall, height), x, min(x + wide, width))
        return
    (top, bottom), (left, right) = geometry.rows.inside(), geometry.columns.inside()
    small = height * width * source.channels <= SMALL
    if (
        small
        or plan.buffer != source.kind
        or geometry.columns.stride > 1
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


class _Strips:
    """Gives the rows of a piece to the core, some at a time where they take a buffer."""

    def __init__(self, source: Samples, plan: Plan, geometry: Geometry) -> None:
        self._source, self._plan, self._geometry = source, plan, geometry
        self._down = [_Columns(what) for what in plan.down]
        first = plan.down or (plan.last,)
        self._rows = [row for what in first for row, _ in what.places]
        self._columns = [column for _, column in plan.last.places]
        if plan.transform:
            self._rows, self._columns = list(range(plan.size[0])), list(range(plan.size[1]))

    def of(self, piece: _Piece) -> Iterator[_Strip]:
        """Yield what the last pass reads; the passes before it are done here."""
        strips = self._in_place(piece) if piece.inside else self._gathered(piece)
        if not self._down and not self._plan.transform:
            yield from strips
            return
        first = self._transformed if self._plan.transform else self._passed_down
        for strip in strips:
            yield first(strip, piece)

    def _tall(self, width: int) -> int:
        """How many rows of so many samples a buffer takes that stays in the cache."""
        return max(PIECE // (samples.size(self._plan.buffer) * width), 16)

    def _in_place(self, piece: _Piece) -> Iterator[_Strip]:
        """Rows whose taps all read the image itself."""
        source, (rows, columns) = self._source, (self._geometry.rows, self._geometry.columns)
        down = {a: a * rows.dilation * source.step for a in self._rows}
        across = {b: b * columns.dilation * source.channels for b in self._columns}
        tall = piece.y1 - piece.y0
        if self._down:
            tall = self._tall((piece.x1 - piece.x0) * source.channels)
        for y in range(piece.y0, piece.y1, tall):
            place = source.at(y * rows.stride - rows.before, piece.x0 - columns.before)
            step, count = rows.stride * source.step, min(tall, piece.y1 - y)
            yield _Strip(y, count, place, step, down, across)

    def _gathered(self, piece: _Piece) -> Iterator[_Strip]:
        """Rows whose taps read a buffer that has been given its border."""
        source, kind, scale = self._source, self._plan.buffer, self._plan.scale
        channels = source.channels
        gather = native.function("gather", int(scale > 1), S=source.kind, U=kind)
        columns = self._geometry.columns.window(piece.x0, piece.x1, self._columns)
        runs, width = columns.runs(), columns.length * channels
        across = {b: start * channels for b, start in columns.starts.items()}
        fill = self._geometry.fill * scale
        values = samples.values(kind, [fill if kind[0] == "f" else int(fill), scale])
        tall, step = max(self._tall(width), self._plan.size[0]), _rooms.step(width)
        if self._plan.transform:
            tall = piece.y1 - piece.y0
        for y in range(piece.y0, piece.y1, tall):
            end = min(y + tall, piece.y1)
            window = self._geometry.rows.window(y, end, self._rows)
            rows = window.sources()
            buffer = _rooms.take("gathered", kind, len(rows) * step)
            gather(
                source.address, source.step, len(rows), pointer(rows),
                buffer, step, channels, pointer(runs), len(runs) // 4, pointer(values),
            )  # fmt: skip
            down = {a: start * step for a, start in window.starts.items()}
            yield _Strip(y, end - y, buffer, step, down, across)

    def _passed_down(self, strip: _Strip, piece: _Piece) -> _Strip:
        """What the passes down make of a strip, one below the other in a buffer of their own."""
        width = (piece.x1 - piece.x0) * self._source.channels + max(strip.across.values())
        kind, step = self._plan.last.source, _rooms.step(width)
        size = strip.rows * step
        middle = _rooms.take("middle", kind, size * len(self._down))
        columns = strip._replace(across={0: 0})
        for i, add_up in enumerate(self._down):
            add_up(columns, middle + i * size * samples.size(kind), step, width)
        down = {i: i * size for i in range(len(self._down))}
        return _Strip(strip.y0, strip.rows, middle, step, down, strip.across)

    def _transformed(self, strip: _Strip, piece: _Piece) -> _Strip:
        """What the Fourier transform of a strip, as large as two tiles, makes of it."""
        assert self._plan.transform
        shape = strip.rows, piece.x1 - piece.x0, self._source.channels
        step = _rooms.step(shape[1] * shape[2])
        middle = _rooms.take("middle", "float32", strip.rows * step)
        fourier.correlate(strip.address, middle, shape, (strip.step, step), self._plan.transform)
        return _Strip(strip.y0, strip.rows, middle, step, {0: 0}, {0: 0})


def _offsets(places: tuple[tuple[int, int], ...], strip: _Strip) -> array[int]:
    """Where each tap reads, followed by as much room for the core to move them in."""
    down, across = strip.down, strip.across
    return samples.values("int64", [down[a] + across[b] for a, b in places] * 2)
