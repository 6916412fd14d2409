"""Run a layer over bands of rows on threads: samples in, samples out, no copy of the image."""

from __future__ import annotations

import itertools
import os
import threading
from array import array
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import TypeVar

from imgconv.engine import fourier, native, samples
from imgconv.engine.calls import Columns, Extent, Joined, Rows, Strip, Sweep, rooms
from imgconv.engine.geometry import Geometry
from imgconv.engine.layers import Layer
from imgconv.engine.levels import Ends, outermost
from imgconv.engine.samples import Samples, pointer
from imgconv.engine.strips import PIECE, ROWS, Piece, Reader, bytes_of
from imgconv.errors import OptionError

T = TypeVar("T")

# Below this many taps times samples a thread costs more than it saves.
WORK = 4_000_000
# A picture of no more samples is copied with its border: quicker than four pieces for the frame.
SMALL = 1 << 21
# Bands a thread: two even out a little; each costs its windows and calls.
BANDS = 2


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
    read = Reader(source, layer, geometries)
    writer = Writer(source, target, layer, read, _counted(layer, filtered))

    def correlate_piece(piece: Piece) -> array[int]:
        counts = samples.room("int64", 2)
        for strips in read.of(piece):
            writer.write(strips, piece, counts)
        return counts

    counts = _in_bands(correlate_piece, source, layer, geometries, threads)
    return sum(low for low, _ in counts), sum(high for _, high in counts)


def extent(
    source: Samples, layer: Layer, geometry: Geometry, filtered: bytes, threads: int | None
) -> Ends | None:
    """Return the least and the greatest finite response of the filtered channels, if there is one.

    The layer is of one kernel.
    """
    read, depth = Reader(source, layer, [geometry]), 1 if layer.reads else source.channels
    mask = _counted(layer, filtered)
    finds = [Extent(plan.last, mask) for plan in layer.plans]

    def extents_of_piece(piece: Piece) -> list[tuple[Fraction, Fraction]]:
        found, size = [find.begin() for find in finds], (piece.x1 - piece.x0) * depth
        for strips in read.of(piece):
            for output, (find, ends) in enumerate(zip(finds, found, strict=True)):
                find(read.strip(strips, piece, output, 0), size, ends)
        return [e for find, ends in zip(finds, found, strict=True) for e in find.told(ends)]

    each = _in_bands(extents_of_piece, source, layer, [geometry], threads)
    return outermost(pair for pairs in each for pair in pairs)


def sample(source: Samples, target: Samples, geometry: Geometry) -> None:
    """Copy the sample under the middle of the kernel, for channels that are not filtered."""
    gather = native.function("gather", 0, S=source.kind, U=target.kind)
    rows, runs = geometry.rows.centres().sources(), geometry.columns.centres().runs()
    fill = samples.values(target.kind, [0, 1])
    gather(
        source.address, source.step, len(rows), pointer(rows), target.address, target.step,
        source.channels, pointer(runs), len(runs) // 4, pointer(fill),
    )  # fmt: skip


def warm(layer: Layer, result: str, filtered: bytes) -> None:
    """Have compiled what a layer needs for samples of a kind, and kept for later processes."""
    counted = _counted(layer, filtered)
    for plan in layer.plans:
        for what in plan.down:
            Columns(what)
        Sweep([plan.last], counted)
        native.function("gather", int(plan.scale > 1), S=plan.sample, U=plan.buffer)
        if plan.last.rounding in ("response", "whole"):
            native.function("extent", S=plan.last.source, A=plan.last.accumulator)
    if layer.join:
        Joined(layer, result, counted)
    if len(layer.reads) > 1:
        native.function("interleave", S="", U=result)


def _counted(layer: Layer, filtered: bytes) -> bytes:
    """Which samples count: of sums over channels all do."""
    return b"\1" if layer.reads else filtered


def _in_bands(
    work: Callable[[Piece], T],
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
) -> Iterator[Piece]:
    """Cut the output into bands of rows, apart from a frame whose taps leave the image.

    Only inside the frame are the samples read where they are.
    """
    height, width = geometries[0].shape
    if layer.transformed:
        yield from _tiles(height, width, *fourier.outputs(layer.plans[0].size))
        return
    if layer.reads:
        wide = max(PIECE // (ROWS * bytes_of(layer, source)), 64)
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
            yield Piece(y, end, left, right, inside=True)
        for x0, x1 in ((0, left), (right, width)):
            if x0 < x1:
                yield Piece(y, end, x0, x1)
    for y0, y1 in ((0, top), (bottom, height)):
        if y0 < y1:
            yield Piece(y0, y1, 0, width)


def _tiles(height: int, width: int, tall: int, wide: int) -> Iterator[Piece]:
    for y in range(0, height, tall):
        for x in range(0, width, wide):
            yield Piece(y, min(y + tall, height), x, min(x + wide, width))


class Writer:
    """Writes the outputs of a layer from the strips that its plans read."""

    def __init__(
        self, source: Samples, target: Samples, layer: Layer, read: Reader, filtered: bytes
    ) -> None:
        self._target, self._layer, self._read = target, layer, read
        self._depth = 1 if layer.reads else source.channels
        # Outputs whose plans differ in their numbers only are done by one call.
        alike = [list(each) for _, each in itertools.groupby(range(len(layer.outputs)), read.form)]
        if layer.join:
            alike = [[output] for output in range(len(layer.outputs))]
        self._groups = [
            (group[0], [Sweep([layer.outputs[o][k].last for o in group], filtered)
                        for k in range(len(layer.outputs[0]))])
            for group in alike
        ]  # fmt: skip
        self._join = Joined(layer, target.kind, filtered) if layer.join else None
        # Sums over channels are computed plane by plane, unless the only plane is the target.
        self._planar = bool(layer.reads) and target.channels > 1
        if self._planar:
            self._interleave = native.function("interleave", S="", U=target.kind)

    def write(self, read: list[Strip], piece: Piece, counts: array[int]) -> None:
        """Write the rows of a piece that the strips are for."""
        target, (y0, rows) = self._target, (read[0].y0, read[0].rows)
        width, address = piece.x1 - piece.x0, target.at(y0, piece.x0)
        if not self._planar:
            self._write(read, piece, Rows(address, target.step, rows, width * self._depth), counts)
            return
        outputs, step = len(self._layer.outputs), rooms.step(width)
        apart = rows * step
        planes = rooms.take("planes", target.kind, outputs * apart)
        self._write(read, piece, Rows(planes, step, rows, width, apart), counts)
        self._interleave(
            planes, apart, step, outputs, address, target.step, target.channels, rows, width
        )

    def _write(self, read: list[Strip], piece: Piece, out: Rows, counts: array[int]) -> None:
        """Write the rows of all outputs."""
        for output, sweeps in self._groups:
            address = out.address + output * out.apart * samples.size(self._target.kind)
            if not self._join:
                strip = self._read.strip(read, piece, output, 0)
                sweeps[0](strip, address, out.step, out.size, counts, out.apart)
                continue
            kind, step = self._join.source, rooms.step(out.size)
            apart = out.rows * step
            responses = rooms.take("responses", kind, len(sweeps) * apart)
            for k, sweep in enumerate(sweeps):
                strip = self._read.strip(read, piece, output, k)
                sweep(strip, responses + k * apart * samples.size(kind), step, out.size, counts)
            joined = Rows(responses, step, out.rows, out.size, apart)
            self._join(joined, address, out.step, counts)
