"""The moves by which a row of the source becomes a row of a ring: with its border, as its kind."""

from __future__ import annotations

import struct
from array import array

from imgconv.compiled import native, words
from imgconv.engine import samples
from imgconv.engine.geometry import Run, Window, within
from imgconv.engine.mixing import Mix
from imgconv.engine.rings import Reader, Tables, widening
from imgconv.engine.samples import Samples
from imgconv.light import NamedTuple

Move = tuple[int, int, int, int, int, int, int]  # see `words`

# From so many pixels on a run is converted from where it is.
LONG = 16


class Moves(NamedTuple):
    """What makes the moves of a reader; `depth` samples of a pixel come into the ring."""

    source: Samples
    depth: int
    reader: Reader
    tables: Tables

    @property
    def channels(self) -> int:
        """Samples of a pixel that are taken."""
        return self.source.channels if self.reader.mix else self.depth

    @property
    def taken(self) -> int:
        """Bytes of a pixel as it is taken."""
        return self.channels * samples.size(self.source.kind)

    @property
    def made(self) -> int:
        """Bytes of a pixel in the ring."""
        return self.depth * self.reader.ring.size

    def of(self, window: Window, spared: range = range(0)) -> list[Move]:
        """Return the moves for a window, but for positions that nobody reads.

        Long runs are converted from where they are. A border is copied from these; what is in none
        is gathered in a raw row first, where it would be in the ring.
        """
        runs = [part for run in window.runs() for part in _without(run, spared)]
        pixel = self.source.channels * samples.size(self.source.kind)
        long = [run for run in runs if run[3] >= LONG and run[2] * pixel == self.taken]
        moves: list[Move] = []
        mix = self.reader.mix
        if mix:  # vectors reach beyond the ends of short runs, in the ring as well
            long = [run for run in long if run[3] >= words.MIXED_AT_ONCE]
        else:
            runs.sort(key=lambda run: run not in long)
        for at, first, step, count in runs:
            if (at, first, step, count) in long:
                moves.append(self._convert(words.AT_SOURCE, first * pixel, at, count))
                continue
            found = None if mix else within(long, first, step, count)  # each pixel is to count
            if found:
                place, apart = (n * self.made for n in found)
                pieces = self._copy(count, self.made, apart)
                moves.append((*pieces, words.AT_RING, at * self.made, words.AT_RING, place))
                continue
            source = (words.AT_SOURCE, first * pixel) if first >= 0 else (words.AT_FILLING, 0)
            part = self._copy(count, self.taken, step * pixel)
            if first >= 0 and count >= LONG:
                part = self._pick(count, step)
            moves.append((*part, words.AT_RAW, at * self.taken, *source))
            moves.append(self._convert(words.AT_RAW, at * self.taken, at, count))
        return moves

    def _convert(self, source: int, begin: int, at: int, count: int) -> Move:
        """Pixels that lie side by side, into the ring."""
        plan, kind = self.reader.plan, self.source.kind
        part = self._copy(count, self.made, self.made)
        if self.reader.mix:
            part = native.part("mix"), count, self.tables.keep(self._mixing(self.reader.mix))
        elif plan.ring != kind or plan.scale > 1:
            wide = "int16" if plan.ring == "uint16" else plan.ring
            name, which = widening(kind, wide)
            numbers = self.tables.words(which, plan.scale)
            part = native.part(name), count * self.depth, numbers
        return *part, words.AT_RING, at * self.made, source, begin

    def _mixing(self, mix: Mix) -> array[int]:
        which = words.MIXED.index((self.source.channels, self.depth, mix.within))
        return array("B", struct.pack("q", which) + mix.packed())

    def _copy(self, count: int, size: int, apart: int) -> tuple[int, int, int]:
        return native.part("copy"), count, self.tables.words(size, apart)

    def _pick(self, count: int, step: int) -> tuple[int, int, int]:
        size = samples.size(self.source.kind).bit_length() - 1
        numbers = self.tables.words(size, self.channels, step * self.source.channels)
        return native.part("pick"), count, numbers


def _without(run: Run, spared: range) -> list[Run]:
    """The parts of a run before and after what is spared."""
    at, first, step, count = run
    if not spared or step != 1 or spared.start < at or spared.stop > at + count:
        return [run]
    parts = (at, spared.start), (spared.stop, at + count)
    return [(begin, first + begin - at, 1, end - begin) for begin, end in parts if end > begin]
