"""Run a plan over bands of rows on threads: samples in, samples out, no copy of the image."""

from __future__ import annotations

import math
import os
import threading
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeVar

from imgconv import native, samples
from imgconv.errors import OptionError
from imgconv.geometry import Geometry
from imgconv.plan import BLOCK, Plan
from imgconv.samples import Samples, pointer

T = TypeVar("T")

# A piece with its border is gathered into a buffer of about this many bytes, which stay in the
# second-level cache until the taps have read them.
PIECE = 512 * 1024
# Below this many taps times samples a thread costs more than it saves.
WORK = 4_000_000
# Bands a thread: two even out a little; each costs its windows and calls.
BANDS = 2


@dataclass(frozen=True)
class _Piece:
    """A rectangle of outputs; `inside` where no tap of it leaves the image."""

    y0: int
    y1: int
    x0: int
    x1: int
    inside: bool = False


@dataclass(frozen=True)
class _Strip:
    """Rows of outputs from y0 on, and where in memory their taps read."""

    y0: int
    rows: int
    address: int
    step: int
    offsets: array[int]


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
    sweep = _sweep(plan, filtered)
    mask = samples.values("uint8", _mask(filtered))
    weights = samples.values(plan.accumulator, plan.weights)
    scalars = samples.values(plan.accumulator, plan.scalars)

    def correlate_piece(piece: _Piece) -> array[int]:
        counts = samples.room("int64", 2)
        scratch = samples.room(plan.accumulator, BLOCK)
        for strip in _strips(source, plan, geometry, piece):
            sweep(
                strip.address, strip.step, target.at(strip.y0, piece.x0), target.step,
                strip.rows, (piece.x1 - piece.x0) * source.channels, source.channels,
                pointer(strip.offsets), pointer(weights), len(weights), pointer(scalars),
                pointer(scratch), BLOCK, pointer(mask), pointer(counts),
            )  # fmt: skip
        return counts

    counts = _in_bands(correlate_piece, source, plan, geometry, threads)
    return sum(low for low, _ in counts), sum(high for _, high in counts)


def extent(
    source: Samples, plan: Plan, geometry: Geometry, filtered: bytes, threads: int | None
) -> tuple[Fraction, Fraction]:
    """Return the least and the greatest finite response of the filtered channels; 0 for none."""
    find = native.function("extent", S=plan.buffer, A=plan.accumulator)
    mask = samples.values("uint8", _mask(filtered))
    weights = samples.values(plan.accumulator, plan.weights)
    bias = samples.values(plan.accumulator, plan.scalars[:1])
    reals = plan.accumulator.startswith("float")
    limit = math.inf if reals else 2 ** (8 * bias.itemsize - 1) - 1

    def extent_of_piece(piece: _Piece) -> array[Any]:
        found = samples.values(plan.accumulator, (limit, -limit))
        scratch = samples.room(plan.accumulator, BLOCK)
        for strip in _strips(source, plan, geometry, piece):
            find(
                strip.address, strip.step, strip.rows, (piece.x1 - piece.x0) * source.channels,
                source.channels, pointer(strip.offsets), pointer(weights), len(weights),
                pointer(bias), pointer(scratch), BLOCK, pointer(mask), pointer(found),
            )  # fmt: skip
        return found

    found = _in_bands(extent_of_piece, source, plan, geometry, threads)
    low, high = min(low for low, _ in found), max(high for _, high in found)
    if low > high:
        return Fraction(0), Fraction(0)
    divisor = Fraction(plan.scalars[6])
    return Fraction(low) / divisor, Fraction(high) / divisor


def sample(source: Samples, target: Samples, geometry: Geometry) -> None:
    """Copy the sample under the middle of the kernel, for channels that are not filtered."""
    gather = native.function("gather", S=source.kind, U=target.kind)
    rows, runs = geometry.rows.centres().sources(), geometry.columns.centres().runs()
    fill = samples.values(target.kind, [0])
    gather(
        source.address, source.step, len(rows), pointer(rows), target.address, target.step,
        source.channels, pointer(runs), len(runs) // 4, pointer(fill),
    )  # fmt: skip


def _sweep(plan: Plan, filtered: bytes) -> Callable[..., None]:
    form = (plan.rounding, plan.fused, int(0 in filtered))
    return native.function("sweep", *form, S=plan.buffer, A=plan.accumulator, U=plan.result)


def warm(plan: Plan, filtered: bytes) -> None:
    """Have compiled what a plan needs, and kept for later processes."""
    _sweep(plan, filtered)
    native.function("gather", S=plan.sample, U=plan.buffer)
    if plan.rounding == "response":
        native.function("extent", S=plan.buffer, A=plan.accumulator)


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
    if threads == 1 or height * width * source.channels * len(plan.taps) < WORK:
        return [work(piece) for piece in _pieces(source, plan, geometry, 1)]
    # A pool would take 0.4 ms to start and stop, a tenth of a 3x3 kernel's time over 12 Mpx.
    pieces = iter(list(_pieces(source, plan, geometry, BANDS * threads)))
    done: list[T] = []
    failed: list[BaseException] = []

    def share() -> None:
        try:
            done.extend(map(work, pieces))
        except BaseException as error:  # told where the threads are joined
            failed.append(error)

    helpers = [threading.Thread(target=share) for _ in range(threads - 1)]
    for helper in helpers:
        helper.start()
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
    (top, bottom), (left, right) = geometry.rows.inside(), geometry.columns.inside()
    if plan.buffer != source.kind or geometry.columns.stride > 1 or top >= bottom or left >= right:
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


def _strips(source: Samples, plan: Plan, geometry: Geometry, piece: _Piece) -> Iterator[_Strip]:
    """Give a piece's rows to the core: in place, or gathered with their border, some at a time."""
    rows, columns, channels = geometry.rows, geometry.columns, source.channels
    if piece.inside:
        y, x = piece.y0 * rows.stride - rows.before, piece.x0 - columns.before
        steps = (rows.dilation * source.step, columns.dilation * channels)
        offsets = [a * steps[0] + b * steps[1] for a, b in plan.taps]
        yield _Strip(
            piece.y0, piece.y1 - piece.y0, source.at(y, x), rows.stride * source.step,
            _with_room(offsets),
        )  # fmt: skip
        return
    gather = native.function("gather", S=source.kind, U=plan.buffer)
    across = columns.window(piece.x0, piece.x1, [b for _, b in plan.taps])
    runs, width = across.runs(), len(across) * channels
    whole = not plan.buffer.startswith("float")
    fill = samples.values(plan.buffer, [int(geometry.fill) if whole else geometry.fill])
    tall = max(PIECE // (width * fill.itemsize), 16, plan.size[0])
    buffer = samples.room(plan.buffer, 0)
    for y in range(piece.y0, piece.y1, tall):
        end = min(y + tall, piece.y1)
        down = rows.window(y, end, [a for a, _ in plan.taps])
        sources = down.sources()
        if len(buffer) < len(sources) * width:
            buffer = samples.room(plan.buffer, len(sources) * width)
        gather(
            source.address, source.step, len(sources), pointer(sources),
            pointer(buffer), width, channels, pointer(runs), len(runs) // 4, pointer(fill),
        )  # fmt: skip
        offsets = [down.starts[a] * width + across.starts[b] * channels for a, b in plan.taps]
        yield _Strip(y, end - y, pointer(buffer), width, _with_room(offsets))


def _with_room(offsets: list[int]) -> array[int]:
    """The offsets, followed by as much room for the core to move them in."""
    return samples.values("int64", offsets + [0] * len(offsets))
