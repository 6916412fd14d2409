"""Programs that are ready to be called: on threads, in rooms of memory that are kept."""

from __future__ import annotations

import itertools
import math
import os
from _thread import allocate_lock, start_new_thread
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple, TypeVar

from imgconv.engine import native, program, samples
from imgconv.engine.geometry import Geometry
from imgconv.engine.levels import Ends, outermost
from imgconv.engine.orders import LINE
from imgconv.engine.program import Program
from imgconv.engine.samples import Samples, pointer
from imgconv.engine.step import Layer, as_it_is
from imgconv.engine.sums import Plan
from imgconv.engine.words import LOW
from imgconv.errors import OptionError

T = TypeVar("T")
R = TypeVar("R")

# Below this many taps times samples a thread costs more than it saves.
WORK = 4_000_000
# Bands a thread: two even out a little; each reads anew what it shares with the one above.
BANDS = 2

# Rooms of memory that no call uses now: fresh memory costs more than the work on a small picture.
_rooms: deque[array[int]] = deque()


class Ready(NamedTuple):
    """What is done to pictures of a shape, and the program that does it, if not transformed."""

    layer: Layer
    geometries: tuple[Geometry, ...]
    filtered: bytes
    ends: bool
    begin: tuple[int, ...]  # the words in which the parts count, or keep ends
    program: Program | None
    rows: int
    work: int  # multiplications

    def __call__(self, *where: int, threads: int | None = None) -> list[list[int]]:
        """Have all rows done, on threads if that is worth it; return what each call has told.

        `where` is the address of the source's first row, bytes to the next, and the target's.
        """
        written, conduct = self.program, native.conductor()
        assert written

        def rows(first: int, last: int) -> list[int]:
            room, at = lent(written.room)
            call = array("q", (written.address, *where, first, last, at, *self.begin))
            conduct(pointer(call))
            give_back(room)
            return call[LOW:].tolist()

        threads = 1 if self.work < WORK else threads or thread_count()
        if threads == 1:
            return [rows(0, self.rows)]
        tall = -(-self.rows // (BANDS * threads))
        bands = [(y, min(y + tall, self.rows)) for y in range(0, self.rows, tall)]
        return shared(lambda band: rows(*band), bands, threads - 1, here=True)

    def on(self, source: Samples, target: Samples, threads: int | None) -> list[list[int]]:
        """Call it on samples."""
        steps = source.step * samples.size(source.kind), target.step * samples.size(target.kind)
        return self(source.address, steps[0], target.address, steps[1], threads=threads)


def prepare(
    source: Samples,
    target: Samples,
    geometries: tuple[Geometry, ...],
    layer: Layer,
    filtered: bytes,
    *,
    ends: bool = False,
) -> Ready:
    """Make what is called on pictures ready; the arguments are those of `program.write`."""
    rows, columns = geometries[0].shape
    work = rows * columns * layer.taps * (1 if layer.reads else source.channels)
    begin = no_ends([plans[0] for plans in layer.outputs]) if ends else (0, 0)
    written = None
    if not layer.transformed:
        written = program.write(source, target, geometries, layer, filtered, ends=ends)
    return Ready(layer, geometries, filtered, ends, begin, written, rows, work)


def copying(source: Samples, target: Samples, geometry: Geometry) -> Ready:
    """What copies samples with their border, as the kind of the target."""
    return prepare(source, target, (geometry,), as_it_is(target.kind), bytes(source.channels))


def lent(size: int) -> tuple[array[int], int]:
    """Return room of a size that nobody else uses, and its address, at a line of the cache."""
    try:
        room = _rooms.pop()
    except IndexError:
        room = samples.room("uint8", 0)
    if len(room) < size + LINE:
        room = samples.room("uint8", size + LINE)
    return room, -(-pointer(room) // LINE) * LINE


def give_back(room: array[int]) -> None:
    """Keep room for who needs some next."""
    _rooms.append(room)


def shared(work: Callable[[T], R], todo: Iterable[T], helpers: int, *, here: bool) -> list[R]:
    """Do work on threads, and in this one too where so told.

    `threading` waits until each has begun, 0.15 ms; a pool takes 0.4 to start and stop.
    """
    left, done, failed = iter(todo), list[R](), list[BaseException]()
    started, ended = deque[int](), deque[Any]()

    def share() -> None:
        try:
            done.extend(map(work, left))
        except BaseException as error:  # told when all have ended
            failed.append(error)

    def helper(bell: Any) -> None:
        share()
        ended.append(bell)
        bell.release()

    bells = [allocate_lock() for _ in range(helpers)]
    try:
        for bell in bells:
            bell.acquire()
        # In one call: no interrupt can come between a start and its note.
        started.extend(map(start_new_thread, itertools.repeat(helper), zip(bells, strict=True)))
        if here:
            share()
    except BaseException as error:
        failed.append(error)
        deque(left, maxlen=0)  # nothing for one that was interrupted while it started
    for bell in bells[: len(started)]:
        while bell not in ended:  # what it writes to may be gone when this has returned
            try:
                bell.acquire()
            except BaseException as error:
                failed.append(error)
    if failed:
        raise failed[0]
    return done


def no_ends(plans: Sequence[Plan]) -> tuple[int, ...]:
    """The ends of each output before anything was seen, as words."""
    real, whole = array("q", array("d", (math.inf, -math.inf)).tobytes()), (2**63 - 1, -(2**63))
    kinds = [plan.last.kind for plan in plans]
    return tuple(n for kind in kinds for n in (real if kind.startswith("float") else whole))


def ends_told(words: Sequence[int], plans: Sequence[Plan]) -> Ends | None:
    """The ends of all outputs as responses; nothing where there was none that is finite."""
    found = []
    for o, plan in enumerate(plans):
        pair: array[Any] = array("q", words[2 * o : 2 * o + 2])
        if plan.last.kind.startswith("float"):
            pair = array("d", pair.tobytes())
        low, high = pair
        if low <= high:
            divisor = plan.rounding.divisor
            found.append((Fraction(low) / divisor, Fraction(high) / divisor))
    return outermost(found)


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
