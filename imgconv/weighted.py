"""Colours weighted by alpha, so that pixels which nobody sees do not bleed into the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from imgconv import pixels, samples, steps
from imgconv.errors import ImageError
from imgconv.kernel import Kernel
from imgconv.levels import clipped, to_pixels
from imgconv.pixels import Pixels

if TYPE_CHECKING:
    import numpy.typing as npt

    from imgconv.pipeline import Work


def filter_weighted(
    picture: Pixels, work: Work, chosen: list[bool]
) -> tuple[Pixels, tuple[int, int]]:
    """Filter colours and alpha; return the pixels, and how many samples of colours were clipped.

    With alpha a from 0 to 1 a colour c becomes sum(w a c) / A / divisor + bias, and alpha
    A = sum(|w| a) / sum(|w|); where that is 0, so is the colour. Of a kernel with several outputs
    each colour has the A of its own weights, and alpha that of all.
    """
    if work.sums and not all(chosen[:-1]):
        raise ImageError("has channels that the kernel is not for; leave out --channels")
    array = picture.array().astype(np.float64)
    # In units of samples, not from 0 to 1, the sums of whole numbers stay whole.
    colours, alpha, fill = array[:, :, :-1], array[:, :, -1:], work.layout.fill
    for kernel in work.kernels:
        assert isinstance(kernel, Kernel)
        total = _response(colours * alpha, replace(kernel, bias=0), work, fill * fill)
        covers = [_response(alpha, _magnitudes([k], kernel), work, fill) for k in kernel.outputs]
        cover, bias = np.dstack(covers), np.array([k.bias for k in kernel.outputs])
        with np.errstate(divide="ignore", invalid="ignore"):
            colours = np.where(cover > 0, total / cover + bias, 0)
        several = len(kernel.outputs) > 1
        alpha = (
            _response(alpha, _magnitudes(kernel.outputs, kernel), work, fill) if several else cover
        )
    names = pixels.of_outputs(picture.names[:-1], colours.shape[2])
    some = chosen[:-1] if not work.sums else [True] * len(names)
    filtered = colours[:, :, some]
    out = np.zeros(colours.shape, picture.kind)
    out[:, :, some] = to_pixels(filtered, picture.kind, work.levels)
    out = np.dstack([out, to_pixels(alpha, picture.kind)])
    return pixels.of_array(out, f"{names}a"), clipped(filtered, picture.kind, work.levels)


def _magnitudes(outputs: Sequence[Kernel], kernel: Kernel) -> Kernel:
    """The kernel of one channel that says how much of what is seen responses rest on."""
    rows, columns = kernel.size
    sums = [[0.0] * columns for _ in range(rows)]
    for output in outputs:
        for i, row in enumerate(output.weights):
            for x, w in enumerate(row):
                sums[i % rows][x] += abs(w)
    total = sum(map(sum, sums))
    return Kernel(sums, divisor=total or 1)


def _response(image: npt.NDArray[Any], kernel: Kernel, work: Work, fill: float) -> npt.NDArray[Any]:
    """The unrounded response of doubles."""
    source = samples.of_array(np.ascontiguousarray(image))
    magnitude = float(np.abs(image).max(initial=0))
    layout = work.layout._replace(fill=fill)
    step = steps.Step(kernel, layout, magnitude=magnitude, threads=work.threads)
    out = np.empty(step.shape(source))
    steps.respond(source, samples.of_array(out), step)
    return out
