"""Colours weighted by alpha, so that pixels which nobody sees do not bleed into the others."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from imgconv.engine import run, samples
from imgconv.engine.geometry import Fill, Layout
from imgconv.engine.levels import MAXIMUM, NONE, Ends
from imgconv.engine.samples import Samples
from imgconv.engine.step import Step, refuse_fill
from imgconv.errors import ImageError, KernelError
from imgconv.kernels.kernel import Kernel
from imgconv.kernels.numbers import MAX_SIDE
from imgconv.kernels.separable import Separable
from imgconv.pictures import pixels
from imgconv.pictures.pixels import ArrayPixels, Pixels
from imgconv.pictures.responses import clipped, extent, to_pixels
from imgconv.pipeline.blocks import Cut
from imgconv.pipeline.views import Tile, View
from imgconv.pipeline.work import Link

if TYPE_CHECKING:
    import numpy.typing as npt

    from imgconv.pipeline.work import Work


def filter_weighted(view: View, work: Work, chosen: list[bool]) -> tuple[Pixels, tuple[int, int]]:
    """Filter colours and alpha; return the pixels, and how many samples of colours were clipped.

    With alpha a from 0 to 1 what is not seen counts as the mean of what is, m = sum(|w| a c) /
    sum(|w| a): a colour c becomes (sum(w a c) + m (sum(w) - sum(w a))) / divisor + bias, so that
    what is flat stays so. Alpha becomes A = sum(|w| a) / sum(|w|); where that is 0, so is the
    colour. Of a kernel with several outputs each colour has the sums of its own weights, and alpha
    those of all.
    """
    array = _weighed(view, work, chosen)
    colours, alpha = array[:, :, :-1], array[:, :, -1:]
    names = pixels.of_outputs(view.names[:-1], colours.shape[2])
    some = _filtered(work, chosen, len(names))
    kind = "float32" if work.levels == NONE else view.kind
    levels = "clip" if work.levels == NONE else work.levels  # which leaves reals as they are
    out = np.zeros(colours.shape, kind)
    out[:, :, some] = to_pixels(colours[:, :, some], kind, levels, work.ends)
    out = np.dstack([out, to_pixels(alpha, kind)])
    counts = clipped(colours[:, :, some], kind, levels, work.ends)
    return ArrayPixels(out, f"{names}a") if isinstance(view, Tile) else pixels.of_array(
        out, f"{names}a"
    ), counts


def foretell_weighted(view: View, work: Work, chosen: list[bool]) -> tuple[str, tuple[int, int]]:
    """Return the names and the size of what `filter_weighted` makes, and raise what it raises."""
    made = Samples(0, *view.shape, len(view.names) - 1, 0, "float64", None)
    for step in _path(view, work, chosen):
        assert isinstance(step.work, Kernel)
        _absolute(step.work)
        height, width, channels = step.shape(made)
        made = made._replace(height=height, width=width, channels=channels)
    return f"{pixels.of_outputs(view.names[:-1], made.channels)}a", (made.width, made.height)


def weighted_extent(view: View, work: Work, chosen: list[bool]) -> Ends | None:
    """Return the least and the greatest response of the colours, if there is one."""
    colours = _weighed(view, work, chosen)[:, :, :-1]
    return extent(colours[:, :, _filtered(work, chosen, colours.shape[2])])


def _filtered(work: Work, chosen: list[bool], outputs: int) -> list[bool]:
    """Which of the colours that come out were filtered."""
    return [True] * outputs if work.sums else chosen[:-1]


def _weighed(view: View, work: Work, chosen: list[bool]) -> npt.NDArray[Any]:
    """The responses of the colours, and of alpha, through all kernels."""
    path = _path(view, work, chosen)
    # In units of samples, not from 0 to 1, the sums of whole numbers stay whole.
    top = MAXIMUM[view.kind]
    links = [Link(step, functools.partial(_weigh, top)) for step in path]
    made = view.run(lambda p: samples.of_array(p.array().astype(np.float64)), links)
    return samples.array_of(made)


def _path(view: View, work: Work, chosen: list[bool]) -> list[Step]:
    """The steps of a chain, if they are for all colours."""
    if work.sums and not all(chosen[:-1]):
        raise ImageError("has channels that the kernel is not for; leave out --channels")
    names, path = view.names, list[Step]()
    for kernel in work.kernels:
        step = Step(kernel, work.laid(names, view.kind), threads=work.threads)
        if outputs := step.outputs(len(names) - 1):
            names = f"{pixels.of_outputs(names[:-1], outputs)}a"
        refuse_fill(step.layout.fill, view.kind)
        path.append(step)
    return path


def _weigh(top: float, source: Samples, step: Step) -> Samples:
    """Make of colours and alpha those that one kernel gives; `top` is an alpha of 1.

    Sums without divisors, so that those of whole numbers are whole.
    """
    kernel, array = step.work, samples.array_of(source)
    assert isinstance(kernel, Kernel)
    colours, alpha = array[:, :, :-1], array[:, :, -1:]
    *paint, opaque = np.broadcast_to(step.layout.fill, array.shape[2]).tolist()
    signed, absolute = _bare(kernel), _absolute(kernel)

    @functools.cache  # weights of one sign are their own magnitudes
    def seen(weights: Kernel) -> npt.NDArray[Any]:
        return _response(colours * alpha, weights, step, tuple(c * opaque for c in paint))

    @functools.cache
    def held(weights: Kernel) -> npt.NDArray[Any]:
        return _response(alpha, weights, step, opaque)

    total, greatest = seen(signed), seen(absolute)
    each = [_summed([output], kernel) for output in signed.outputs]
    cover = np.dstack([held(_summed([output], kernel)) for output in absolute.outputs])
    unseen = np.array([_sum(weights) * top for weights in each])
    unseen = unseen - np.dstack([held(weights) for weights in each])
    bias = np.array([k.bias for k in kernel.outputs])
    with np.errstate(divide="ignore", invalid="ignore"):
        response = (total + greatest / cover * unseen) / (top * kernel.divisor) + bias
    made = np.where(cover > 0, response, 0)
    every = _summed(absolute.outputs, kernel)
    return samples.of_array(np.dstack([made, held(every) / (_sum(every) or 1)]))


def _bare(kernel: Kernel) -> Kernel:
    """A kernel's weights alone."""
    return kernel._replace(divisor=1, bias=0)


def _absolute(kernel: Kernel) -> Kernel:
    """The magnitudes of a kernel's weights."""
    weights = kernel.weights
    if isinstance(weights, Separable):
        if len(weights.products) > 1:
            size = "x".join(map(str, kernel.size))
            raise KernelError(
                f"kernel {kernel.name or 'custom'} of {size} is no column times a row; "
                f"--alpha weighted takes such ones of at most {MAX_SIDE} a side"
            )
        column, row = (tuple(map(abs, side)) for side in weights.products[0])
        return _bare(kernel)._replace(weights=Separable([(column, row)]))
    return _bare(kernel)._replace(weights=np.abs(np.array(weights, dtype=object)).tolist())


def _summed(outputs: Sequence[Kernel], kernel: Kernel) -> Kernel:
    """The kernel of one channel whose weights are sums of those of several, by their places."""
    if isinstance(kernel.weights, Separable):
        return outputs[0]
    rows, columns = kernel.size
    sums: list[list[float]] = [[0] * columns for _ in range(rows)]
    for output in outputs:
        for i, row in enumerate(output.weights):
            for x, w in enumerate(row):
                sums[i % rows][x] += w
    return Kernel(sums)


def _sum(kernel: Kernel) -> float:
    """The sum of the weights of a kernel of one channel."""
    weights = kernel.weights
    if isinstance(weights, Separable):
        return math.fsum(sum(column) * sum(row) for column, row in weights.products)
    return math.fsum(w for row in weights for w in row)


def _response(image: npt.NDArray[Any], kernel: Kernel, step: Step, fill: Fill) -> npt.NDArray[Any]:
    """The unrounded response of doubles."""
    source = samples.of_array(np.ascontiguousarray(image))
    magnitude = float(np.abs(image).max(initial=0))
    assert isinstance(step.layout, (Layout, Cut))
    layout = step.layout._replace(fill=fill)
    step = Step(kernel, layout, magnitude=magnitude, threads=step.threads)
    out = np.empty(step.shape(source))
    run.respond(source, samples.of_array(out), step)
    return out
