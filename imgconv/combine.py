"""Several kernels on the same picture, their responses put together: gradients, compasses."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from imgconv import samples, steps
from imgconv.kernel import Kernel
from imgconv.recipes import Combined
from imgconv.samples import Samples

if TYPE_CHECKING:
    import numpy.typing as npt

    from imgconv.geometry import Geometry, Layout


class _How(NamedTuple):
    """How a response joins those before it, and what is done at the end."""

    join: Callable[[Any, Any], Any]
    first: Callable[[Any], Any] = lambda one: one
    last: Callable[[Any, int], Any] = lambda total, _: total


_HOW = {
    "magnitude": _How(
        lambda total, one: total + np.square(one), np.square, lambda t, _: np.sqrt(t)
    ),
    "max": _How(np.maximum),
    "min": _How(np.minimum),
    "mean": _How(np.add, last=lambda total, count: total / count),
    "sum": _How(np.add),
}


def respond(
    source: Samples, combined: Combined, layout: Layout, *, magnitude: float, threads: int | None
) -> npt.NDArray[Any]:
    """Return the combined unrounded responses of shape (OH, OW, channels in memory), in doubles."""
    how, total = _HOW[combined.how], None
    for kernel in combined.kernels:
        geometry = steps.geometry_of(source, kernel, layout)
        one = _responses(source, kernel, geometry, magnitude, threads)
        total = how.first(one) if total is None else how.join(total, one)
    return np.asarray(how.last(total, len(combined.kernels)))


def _responses(
    source: Samples, kernel: Kernel, geometry: Geometry, magnitude: float, threads: int | None
) -> npt.NDArray[Any]:
    out = np.empty((*geometry.shape, source.channels))
    steps.respond(
        source, samples.of_array(out), kernel, geometry, magnitude=magnitude, threads=threads
    )
    return out


def response_range(combined: Combined, low: float, high: float) -> tuple[float, float]:
    """Return bounds of the combined response to samples between low and high."""
    lows, highs = zip(*(k.response_range(low, high) for k in combined.kernels), strict=True)
    if combined.how == "magnitude":
        return 0.0, math.hypot(*(max(abs(a), abs(b)) for a, b in zip(lows, highs, strict=True)))
    if combined.how in ("max", "min"):
        choose = max if combined.how == "max" else min
        return choose(lows), choose(highs)
    parts = len(lows) if combined.how == "mean" else 1
    return sum(lows) / parts, sum(highs) / parts
