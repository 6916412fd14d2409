"""Large kernels by Fourier transforms of tiles: cost grows with the picture, not with the taps.

Two real tiles travel as the real and the imaginary part of one complex tile, which takes half as
long as transforms of each.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from _thread import allocate_lock, start_new_thread
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from imgconv.engine.geometry import Axis, Geometry
from imgconv.engine.ready import Ready, copying, give_back, lent, prepare, thread_count
from imgconv.engine.samples import Samples, array_of, nowhere
from imgconv.engine.step import Layer
from imgconv.engine.sums import Plan

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Weights = tuple[tuple[float, ...], ...]
T = TypeVar("T")
R = TypeVar("R")


def side(size: tuple[int, int]) -> int:
    """Return how many samples a tile has in each direction: the kernel takes a quarter at most.

    Powers of two were faster than 320 and 384; 256 fit the second-level cache twice.
    """
    return max(256, 4 << (max(size) - 1).bit_length())


def outputs(size: tuple[int, int]) -> tuple[int, int]:
    """Return the rows and columns of outputs that two tiles have, one below the other."""
    return 2 * (side(size) - size[0] + 1), side(size) - size[1] + 1


@functools.lru_cache(maxsize=8)
def _spectrum(weights: Weights) -> npt.NDArray[np.complex64]:
    """What the transform of a tile is multiplied by."""
    import numpy as np

    tile = side((len(weights), len(weights[0])))
    padded = np.zeros((tile, tile))
    padded[: len(weights), : len(weights[0])] = weights
    return (np.conj(np.fft.fft2(padded)) / padded.size).astype(np.complex64)


def correlate(source: Samples, target: Samples, weights: Weights) -> None:
    """Correlate float32 samples with as many more rows and columns as the kernel has, less one."""
    import numpy as np

    image, out, factors = array_of(source), array_of(target), _spectrum(weights)
    columns = target.width
    tile: npt.NDArray[Any] = np.empty_like(factors)
    half = len(tile) - len(weights) + 1
    for channel in range(source.channels):
        tile[:] = 0
        for part, first in ((tile.real, 0), (tile.imag, half)):
            inside = image[first : first + len(tile), :, channel]
            part[: len(inside), : source.width] = inside
        # The inverse is the transform of the conjugate: NumPy 2.4's ifft2 is wrong with `out`,
        # without which every tile takes fresh memory.
        np.fft.fft2(tile, out=tile)
        np.multiply(tile, factors, out=tile)
        np.conjugate(tile, out=tile)
        np.fft.fft2(tile, out=tile)
        for part, first, sign in ((tile.real, 0, 1), (tile.imag, half, -1)):
            below = out[first : first + half, :, channel]
            np.multiply(part[: len(below), :columns], np.float32(sign), out=below)


def transform(
    source: Samples, target: Samples, ready: Ready, threads: int | None
) -> list[list[int]]:
    """Do a step tile by tile: samples and border as reals, the transform, what is made of it.

    In the first thread malloc gives back what a transform takes, and each takes it anew, at twice
    the time; so that thread leaves transforms to the others.
    """
    (plan,), (geometry,) = ready.layer.outputs[0], ready.geometries
    (rows, columns), (tall, wide), weights = geometry.shape, outputs(plan.size), plan.transform
    assert weights
    there = nowhere(target.kind, target.channels)

    def tile(first: tuple[int, int]) -> list[int]:
        y = range(first[0], min(first[0] + tall, rows))
        x = range(first[1], min(first[1] + wide, columns))
        around = Geometry(geometry.rows.around(y), geometry.columns.around(x), geometry.fill)
        with _floats(source, *around.shape) as read, _floats(source, len(y), len(x)) as made:
            copying(source, read, around).on(source, read, 1)
            correlate(read, made, weights)
            shape = nowhere("float32", source.channels, len(y), len(x))
            done = _finishing(shape, there, plan, ready.filtered, ready.ends)
            return done.on(made, target._replace(address=target.at(y.start, x.start)), 1)[0]

    places = itertools.product(range(0, rows, tall), range(0, columns, wide))
    return shared(tile, places, threads or thread_count())


@contextlib.contextmanager
def _floats(like: Samples, height: int, width: int) -> Iterator[Samples]:
    """Lend room for reals, with as many channels."""
    step = width * like.channels
    room, at = lent(4 * height * step)
    yield Samples(at, height, width, like.channels, step, "float32", None)
    give_back(room)


@functools.lru_cache(maxsize=16)  # tiles are alike, but for those at the ends
def _finishing(source: Samples, target: Samples, plan: Plan, filtered: bytes, ends: bool) -> Ready:
    """What makes samples of what a transform has made."""
    rows, columns = (Axis(n, 1, 0, 0, 1, 1, "edge") for n in (source.height, source.width))
    layer, geometry = Layer(((plan._replace(transform=None),),)), Geometry(rows, columns, 0)
    return prepare(source, target, (geometry,), layer, filtered, ends=ends)


def shared(work: Callable[[T], R], todo: Iterable[T], helpers: int) -> list[R]:
    """Do work on threads; an interrupt is raised when all that was begun has ended."""
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
