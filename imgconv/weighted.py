"""Colours weighted by alpha, so that pixels which nobody sees do not bleed into the others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from imgconv import samples, steps
from imgconv.kernel import Kernel
from imgconv.levels import clipped, to_pixels
from imgconv.pixels import Pixels, of_array

if TYPE_CHECKING:
    import numpy.typing as npt

    from imgconv.pipeline import Work


def filter_weighted(
    picture: Pixels, work: Work, chosen: list[bool]
) -> tuple[Pixels, tuple[int, int]]:
    """Filter colours and alpha; return the pixels, and how many samples of colours were clipped.

    With alpha a from 0 to 1 a colour c becomes sum(w a c) / A / divisor + bias, and alpha
    A = sum(|w| a) / sum(|w|); where that is 0, so is the colour.
    """
    array = picture.array().astype(np.float64)
    # In units of samples, not from 0 to 1, the sums of whole numbers stay whole.
    colours, alpha, fill = array[:, :, :-1], array[:, :, -1:], work.layout.fill
    for kernel in work.kernels:
        assert isinstance(kernel, Kernel)
        cover = _response(alpha, _magnitudes(kernel), work, fill)
        total = _response(colours * alpha, replace(kernel, bias=0), work, fill * fill)
        with np.errstate(divide="ignore", invalid="ignore"):
            colours = np.where(cover > 0, total / cover + kernel.bias, 0)
        alpha = cover
    filtered = colours[:, :, chosen[:-1]]
    pixels = np.zeros(colours.shape, picture.kind)
    pixels[:, :, chosen[:-1]] = to_pixels(filtered, picture.kind, work.levels)
    out = np.dstack([pixels, to_pixels(alpha, picture.kind)])
    return of_array(out, picture.names), clipped(filtered, picture.kind, work.levels)


def _magnitudes(kernel: Kernel) -> Kernel:
    """The kernel that says how much of what is seen a response rests on."""
    weights = tuple(tuple(abs(w) for w in row) for row in kernel.weights)
    total = sum(map(sum, weights))
    return replace(kernel, weights=weights, divisor=total or 1, bias=0)


def _response(image: npt.NDArray[Any], kernel: Kernel, work: Work, fill: float) -> npt.NDArray[Any]:
    """The unrounded response of doubles."""
    source = samples.of_array(np.ascontiguousarray(image))
    geometry = steps.geometry_of(source, kernel, work.layout._replace(fill=fill))
    out = np.empty((*geometry.shape, image.shape[2]))
    steps.respond(
        source, samples.of_array(out), kernel, geometry,
        magnitude=float(np.abs(image).max(initial=0)), threads=work.threads,
    )  # fmt: skip
    return out
