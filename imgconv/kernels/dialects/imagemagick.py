"""ImageMagick's kernels as text, read and written."""

from __future__ import annotations

import re
from typing import TypeVar

from imgconv.errors import KernelError
from imgconv.kernels.dialects.shared import effective, lines, refuse_bias, weight
from imgconv.kernels.kernel import Kernel

T = TypeVar("T")

_HEAD = re.compile(r"\d[^\s,;:]*\s*:")  # what ImageMagick's texts begin with, right or wrong
_KERNEL = re.compile(
    r"(?P<width>\d{1,9})(?:x(?P<height>\d{1,9}))?(?:\+(?P<x>\d{1,9})\+(?P<y>\d{1,9}))?\s*:"
    r"(?P<weights>[^;]*);?",
    re.IGNORECASE,
)
# https://imagemagick.org/Usage/morphology/#kernel
_BUILT_IN = re.compile(
    r"(unity|gaussian|dog|log|blur|comet|binomial|laplacian|sobel|freichen|roberts|prewitt|compass|"
    r"kirsch|diamond|square|rectangle|octagon|disk|plus|cross|ring|peaks|edges|corners|diagonals|"
    r"lineends|linejunctions|ridges|convexhull|thinse|skeleton|chebyshev|manhattan|octagonal|"
    r"euclidean)\s*(:.*)?",
    re.IGNORECASE | re.DOTALL,
)


def of_text(text: str) -> Kernel | None:
    """Return the kernel of a text as `-morphology Correlate` takes it; None for other texts.

    Raises
    ------
    KernelError
        If the text is wrong, means more than one kernel, or one that ImageMagick makes by name.
    """
    if _HEAD.match(text):
        return _of_weights(text)
    if _BUILT_IN.fullmatch(text):
        raise KernelError("ImageMagick makes this by name; imgconv list shows the names here")
    return None


def _of_weights(text: str) -> Kernel:
    """`3x3+1+1: ...` as `-morphology Correlate` means it; the origin is in the middle if not told.

    A weight of `nan` or `-` is no part of the kernel, which to a correlation is a 0.
    """
    match = _KERNEL.fullmatch(text)
    if not match:
        raise KernelError(
            "ImageMagick's texts begin WIDTHxHEIGHT: or WIDTHxHEIGHT+X+Y:, and only one kernel, "
            "without @ < > or ^, is taken"
        )
    width, height = int(match["width"]), int(match["height"] or match["width"])
    words = re.split(r"\s*,\s*|\s+", match["weights"].strip())
    weights = [0 if w.lower() in ("nan", "-") else weight(w) for w in words]
    if len(weights) != width * height:
        raise KernelError(
            f"{width}x{height} wants {width * height} weights and {len(weights)} follow; "
            "in quotes the shell keeps them together"
        )
    rows = [weights[y * width : (y + 1) * width] for y in range(height)]
    if match["x"] is None:
        return Kernel(rows)
    x, y = int(match["x"]), int(match["y"])
    if x >= width or y >= height:
        raise KernelError(f"the origin +{x}+{y} is outside of {width}x{height}; it begins at +0+0")
    rows = [_centred(row, x, 0) for row in rows]
    return Kernel(_centred(rows, y, [0] * len(rows[0])))


def _centred(line: list[T], origin: int, empty: T) -> list[T]:
    """Add as little as brings the origin to the middle, where ours is: (n - 1) // 2."""
    before = max(0, len(line) - 2 - 2 * origin)
    after = max(0, 2 * origin + 1 - len(line))
    return [empty] * before + line + [empty] * after


def write(kernel: Kernel) -> str:
    """Return what `-morphology Correlate` takes; Convolve would turn it."""
    refuse_bias(kernel, "imagemagick")
    rows, columns = kernel.size
    return f"{columns}x{rows}+{(columns - 1) // 2}+{(rows - 1) // 2}:" + lines(
        effective(kernel), ",", " "
    )
