"""The loops of the core with their weights at hand, to be called on rows of samples in memory."""

from __future__ import annotations

import math
import threading
from array import array
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from imgconv.engine import native, samples
from imgconv.engine.layers import Layer
from imgconv.engine.passes import BLOCK, DIVISOR, Pass
from imgconv.engine.samples import pointer

# Columns of samples that a pass down does at a time.
PANEL = 2048


class Strip(NamedTuple):
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


class Rows(NamedTuple):
    """Rows of `size` samples in memory, `step` samples apart; of several planes, `apart`."""

    address: int
    step: int
    rows: int
    size: int
    apart: int = 0


class Rooms(threading.local):
    """The buffers of a thread, kept for the next picture: fresh memory costs more than the work.

    They and the rows in them begin with a line of the cache, so that no load needs two.
    """

    LINE = 64

    def __init__(self) -> None:
        self.rooms: dict[str, array[int]] = {}

    def take(self, name: str, kind: str, count: int) -> int:
        """Return the address of room for samples; the same room whenever the name is the same."""
        needed = count * samples.size(kind) + self.LINE
        if len(self.rooms.get(name, ())) < needed:
            self.rooms[name] = samples.room("uint8", needed)
        return -(-pointer(self.rooms[name]) // self.LINE) * self.LINE

    def step(self, width: int) -> int:
        """Return from one row of samples to the next."""
        return -(-width // self.LINE) * self.LINE


rooms = Rooms()


class Sweep:
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
        self, strip: Strip, address: int, step: int, size: int, counts: array[int], apart: int = 0
    ) -> None:
        """Write rows of `size` samples, `step` apart, to an address, the outputs `apart`."""
        what = self._what
        offsets = _offsets(what.places, strip)
        scratch = rooms.take("sums", what.accumulator, BLOCK)
        self._call(
            strip.address, strip.step, address, step, strip.rows, size, self._channels,
            pointer(offsets), pointer(self._weights), len(what.weights), pointer(self._scalars),
            scratch, BLOCK, pointer(self._mask), pointer(counts), self._outputs, apart,
        )  # fmt: skip


class Extent:
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

    def __call__(self, strip: Strip, size: int, found: array[Any]) -> None:
        """Look at rows of `size` samples."""
        offsets = _offsets(self._what.places, strip)
        scratch = rooms.take("sums", self._what.accumulator, BLOCK)
        self._call(
            strip.address, strip.step, strip.rows, size, self._channels, pointer(offsets),
            pointer(self._weights), len(self._weights), pointer(self._bias), scratch, BLOCK,
            pointer(self._mask), pointer(found),
        )  # fmt: skip

    def told(self, found: array[Any]) -> list[tuple[Fraction, Fraction]]:
        """Return the ends as responses; nothing where there was none that is finite."""
        low, high = found
        divisor = Fraction(self._what.scalars[DIVISOR])
        return [(Fraction(low) / divisor, Fraction(high) / divisor)] if low <= high else []


class Joined:
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

    def __call__(self, joined: Rows, address: int, step: int, counts: array[int]) -> None:
        """Put responses together to rows, `step` samples apart, at an address."""
        scratch = rooms.take("sums", self.kind, BLOCK)
        self._call(
            joined.address, joined.apart, joined.step, self._count, address, step, joined.rows,
            joined.size, self._channels, pointer(self._factors), pointer(self._scalars),
            scratch, BLOCK, pointer(self._mask), pointer(counts),
        )  # fmt: skip


class Columns:
    """A pass down the columns of a separable kernel, made ready likewise."""

    def __init__(self, what: Pass) -> None:
        self._call = native.function("columns", what.fixed, S=what.source, A=what.accumulator)
        self._what = what
        self._weights = samples.values(what.accumulator, what.weights)
        self._numbers = samples.values(what.accumulator, (what.scalars[0], what.scalars[7]))

    def __call__(self, strip: Strip, address: int, step: int, size: int) -> None:
        """Write rows of `size` accumulators, `step` apart, to an address."""
        offsets = _offsets(self._what.places, strip)
        self._call(
            strip.address, strip.step, address, step, strip.rows, size, pointer(offsets),
            pointer(self._weights), len(self._weights), pointer(self._numbers), PANEL,
        )  # fmt: skip


def _mask(filtered: bytes) -> bytes:
    return (filtered * (BLOCK // len(filtered) + 2))[: BLOCK + len(filtered)]


def _offsets(places: tuple[tuple[int, int], ...], strip: Strip) -> array[int]:
    """Where each tap reads, followed by as much room for the core to move them in."""
    down, across = strip.down, strip.across
    return samples.values("int64", [down[a] + across[b] for a, b in places] * 2)
