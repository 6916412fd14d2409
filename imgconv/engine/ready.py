"""Programs that are ready to be called: on threads, in rooms of memory that are kept."""

from __future__ import annotations

import math
import os
from array import array
from collections import deque
from collections.abc import Sequence
from typing import Any

from imgconv.compiled import native
from imgconv.compiled.processor import core_count
from imgconv.compiled.words import LOW
from imgconv.engine import program, samples, team
from imgconv.engine.geometry import Geometry
from imgconv.engine.levels import Ends, outermost, ratio
from imgconv.engine.program import Program
from imgconv.engine.rings import LINE
from imgconv.engine.samples import Samples, pointer
from imgconv.engine.step import Layer, as_it_is
from imgconv.engine.sums import Plan
from imgconv.errors import OptionError
from imgconv.light import NamedTuple

# Below this many taps times samples, 0.1 ms, a helper costs more than it saves.
WORK = 8_000_000
# Bands a thread where they are worth it: two even out a little; each reads anew what it shares with
# the one above.
BANDS = 2

# Words between calls, so that what one tells is in no line of the cache that another reads.
APART = (0,) * 8

# Pixels of a row that is long enough not to be joined with others.
JOINED = 4096

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
    work: int  # taps times samples
    joined: Joined | None = None

    def __call__(self, *where: int, threads: int | None = None) -> list[list[int]]:
        """Have all rows done, on threads if that is worth it; return what each call has told.

        `where` is the address of the source's first row, bytes to the next, and the target's.
        """
        if self.joined and where[1::2] == self.joined.steps:
            source, target = (step * self.joined.rows for step in where[1::2])
            return self.joined.ready(where[0], source, where[2], target, threads=threads)
        written = self.program
        assert written
        short = self.rows == 1 or self.work < WORK * team.AWAKE
        alone = short or self.work < WORK * team.price()
        threads = 1 if alone else threads or thread_count()
        bands = 1 if threads == 1 else threads * BANDS if self.work >= WORK else threads
        tall = -(-self.rows // bands)
        room, at = lent(-(-self.rows // tall) * written.room)
        if threads == 1:
            call = array("q", (written.address, *where, 0, self.rows, at, *self.begin))
            native.conductor()(pointer(call))
            give_back(room)
            if not short:
                team.end()
            return [call[LOW:].tolist()]
        calls, told = list[int](), len(self.begin)
        size = LOW + told + len(APART)
        for first in range(0, self.rows, tall):
            last = min(first + tall, self.rows)
            calls += (written.address, *where, first, last, at, *self.begin, *APART)
            at += written.room
        done = team.share(calls, size, threads - 1)
        give_back(room)
        return [done[i : i + told].tolist() for i in range(LOW, len(calls), size)]

    def on(self, source: Samples, target: Samples, threads: int | None) -> list[list[int]]:
        """Call it on samples."""
        steps = source.step * samples.size(source.kind), target.step * samples.size(target.kind)
        return self(source.address, steps[0], target.address, steps[1], threads=threads)


class Joined(NamedTuple):
    """What does the same to so many rows as one, if these have no gaps: short rows take longer."""

    ready: Ready
    rows: int
    steps: tuple[int, ...]  # bytes from row to row, of the source and of the target


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
    work = rows * columns * layer.cost * (1 if layer.reads else source.channels)
    begin = no_ends([plans[0] for plans in layer.outputs]) if ends else (0, 0)
    written = joined = None
    if not layer.transformed:
        written = program.write(source, target, geometries, layer, filtered, ends=ends)
    if layer.mix and not ends:
        joined = _joined(source, target, geometries[0], layer, filtered)
    return Ready(layer, geometries, filtered, ends, begin, written, rows, work, joined)


def _joined(
    source: Samples, target: Samples, geometry: Geometry, layer: Layer, filtered: bytes
) -> Joined | None:
    """The same for several rows as one, where each pixel becomes one and short rows allow it."""
    most = min(JOINED // source.width, source.height)
    rows = next((n for n in range(most, 1, -1) if source.height % n == 0), 1)
    down, across, fill = geometry
    same = [(axis.taps, axis.before, axis.after, axis.stride) for axis in (down, across)]
    if rows == 1 or same != [(1, 0, 0, 1)] * 2:
        return None
    high, wide = source.height // rows, source.width * rows
    merged = Geometry(down._replace(size=high), across._replace(size=wide), fill)
    ready = prepare(source._replace(height=high, width=wide), target, (merged,), layer, filtered)
    steps = source.width * source.channels, source.width * target.channels
    return Joined(ready, rows, steps)


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
            found.append((ratio(low, divisor), ratio(high, divisor)))
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
        return core_count()
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise OptionError(f"IMGCONV_THREADS is {text!r}, not a whole number from 1 to 1024")
    return int(text)
