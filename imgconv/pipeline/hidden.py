"""Colours that alpha hides, and whether a kernel lets them be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imgconv.engine.levels import MAXIMUM
from imgconv.kernels.kernel import Kernel
from imgconv.kernels.recipes import Combined
from imgconv.kernels.separable import Separable
from imgconv.pictures.pixels import ImagePixels, Pixels
from imgconv.pipeline.work import Work

if TYPE_CHECKING:
    import numpy.typing as npt

Span = tuple[int, int]
ROWS = 256  # that are looked through at once
BLEED = "colours that alpha hides bleed into those that are seen; --alpha weighted keeps them out"


def bleeds(picture: Pixels, work: Work) -> bool:
    """Return whether the kernels mix hidden colours with other ones that are seen.

    A colour under an alpha of 0 counts where a pixel that is seen, and another, is within reach.
    """
    letters = set(work.channels.split(","))
    unasked = not letters & {"auto", "gray", "rgb", *picture.names[:-1]}
    if work.alpha != "keep" or work.background or picture.names[1:][-1:] != "a" or unasked:
        return False
    alpha = picture.channel(len(picture.names) - 1)
    if isinstance(alpha, ImagePixels) and alpha.image.getextrema()[0]:  # without NumPy
        return False
    reach = _reach(work)
    if reach == ((0, 0), (0, 0)):
        return False
    samples, (above, below) = picture.array(), reach[0]
    high = max(ROWS, above + below)
    return any(
        _differ(samples[max(0, y - above) : y + high + below], reach)
        for y in range(0, len(samples), high)
    )


def _reach(work: Work) -> tuple[Span, Span]:
    """How far from a hidden sample those stand that read it: above and below, left and right."""
    found, apart = [[0, 0], [0, 0]], [1, 1]
    for each in work.kernels:
        kernels = each.kernels if isinstance(each, Combined) else (each,)
        sides = [max(several) for several in zip(*map(_extent, kernels), strict=True)]
        before = work.layout.anchored(kernels[0].size)
        for axis, side in enumerate(sides):
            beyond = work.layout.dilation[axis] * (side - 1)
            if beyond:
                found[axis][0] += apart[axis] * (beyond - before[axis])
                found[axis][1] += apart[axis] * before[axis]
            apart[axis] *= work.layout.stride[axis]
    return (found[0][0], found[0][1]), (found[1][0], found[1][1])


def _extent(kernel: Kernel) -> tuple[int, int]:
    """Rows and columns of a kernel; 1 where nothing but one tap has a weight."""
    if isinstance(kernel.weights, Separable):
        return kernel.size
    single = all(sum(w != 0 for r in out.weights for w in r) <= 1 for out in kernel.outputs)
    return (1, 1) if single else kernel.size


def _differ(samples: npt.NDArray[Any], reach: tuple[Span, Span]) -> bool:
    """Whether a hidden pixel has another colour than one that is seen within reach."""
    import numpy as np

    hidden = samples[:, :, -1] == 0
    if not hidden.any() or hidden.all():
        return False
    real = samples.dtype.kind == "f"
    low, high = (-np.inf, np.inf) if real else (0, MAXIMUM[samples.dtype.name])
    for i in range(samples.shape[2] - 1):
        colour = samples[:, :, i]
        least = _spread(np.where(hidden, high, colour).astype(colour.dtype), reach, np.minimum)
        most = _spread(np.where(hidden, low, colour).astype(colour.dtype), reach, np.maximum)
        if (hidden & (least <= most) & ((least != colour) | (most != colour))).any():
            return True
    return False


def _spread(samples: npt.NDArray[Any], reach: tuple[Span, Span], extreme: Any) -> npt.NDArray[Any]:
    """Return the extreme of the samples within reach of each, in steps that double."""
    import numpy as np

    for axis, beyond in enumerate(reach):
        pads = [beyond if each == axis else (0, 0) for each in range(2)]
        found, span, wanted = np.pad(samples, pads, "edge"), 1, sum(beyond) + 1
        while span < wanted:
            step = min(span, wanted - span)
            size = found.shape[axis]
            found = extreme(
                found.take(range(size - step), axis), found.take(range(step, size), axis)
            )
            span += step
        samples = found
    return samples
