"""The public operation on arrays: check, allocate, correlate, turn responses into samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imgconv import samples, steps
from imgconv.errors import ImageError
from imgconv.geometry import Geometry, Layout, Padding, Pair, layout
from imgconv.kernel import Kernel
from imgconv.levels import SAMPLES
from imgconv.spec import load_kernel

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


def correlate(
    image: npt.NDArray[Any],
    kernel: Any,
    *,
    padding: Padding = "same",
    border: str = "edge",
    fill: float = 0,
    stride: Pair = 1,
    dilation: Pair = 1,
) -> npt.NDArray[np.float32]:
    """Correlate an image with a kernel; the kernel is not flipped.

    Parameters
    ----------
    image : ndarray of shape (H, W) or (H, W, C); uint8, uint16 or float32
        Samples in their own units (0-255 for uint8). Each channel is filtered by itself.
    kernel : Kernel, str, nested list, array or mapping
        Anything that `load_kernel` takes; KH rows of KW weights.
    padding : "same", "valid", int, (rows, columns) or (top, right, bottom, left)
        How much is added around the image. "same" adds d(k - 1), half of it (rounded down) before.
    border : str
        With what: edge, constant, reflect, symmetric or wrap, or an alias of these.
    fill : float
        The value of a constant border, in sample units.
    stride, dilation : int or (y, x)
        Steps between outputs and between taps.

    Returns
    -------
    ndarray of shape (OH, OW) or (OH, OW, C), float32
        The response, unrounded and unclipped. OH = (H + top + bottom - d(KH - 1) - 1)//s + 1.

    Raises
    ------
    KernelError
        If the kernel is malformed, or its name unknown.
    OptionError
        If an option is malformed.
    GeometryError
        If no output pixel remains.
    ImageError
        If the image has another shape or type.

    Notes
    -----
    out[y, x] = sum_ab weights[a, b] * image[y*s + a*d - top, x*s + b*d - left] / divisor + bias
    Source: Zhang et al., Dive into Deep Learning, section 7.2.
    """
    shape = layout(padding, border, fill, stride, dilation)
    return _respond(_checked(image), load_kernel(kernel), shape)


def apply(
    image: npt.NDArray[Any],
    kernel: Any,
    *,
    levels: str = "clip",
    padding: Padding = "same",
    border: str = "edge",
    fill: float = 0,
    stride: Pair = 1,
    dilation: Pair = 1,
) -> npt.NDArray[Any]:
    """Filter an image: `correlate`, then the responses made into samples of the image's type.

    Parameters
    ----------
    image, kernel, padding, border, fill, stride, dilation
        As `correlate` takes them.
    levels : "clip", "abs", "offset", "stretch" or "none"
        How a response r becomes a sample, with M = 255, 65535 or 1.0: r; its absolute value;
        (M + 1)/2 + r/2 (0.5 + r/2 for float); (r - min) * M / (max - min). Integers are then
        rounded half to even and saturated; floats are neither. "none" gives float32 responses.

    Returns
    -------
    ndarray of shape (OH, OW) or (OH, OW, C), of the image's type (float32 for "none")

    Raises
    ------
    KernelError, OptionError, GeometryError, ImageError
        As `correlate` does.
    """
    shape = layout(padding, border, fill, stride, dilation)
    pixels, weights = _checked(image), load_kernel(kernel)
    if levels == "none":
        return _respond(pixels, weights, shape)
    source = samples.of_array(pixels)
    geometry = steps.geometry_of(source, weights, shape)
    out = _room(pixels, geometry, pixels.dtype.name)
    every = bytes([1]) * source.channels
    steps.to_pixels(source, samples.of_array(out), weights, geometry, levels, every)
    return out


def _respond(image: npt.NDArray[Any], kernel: Kernel, shape: Layout) -> npt.NDArray[np.float32]:
    source = samples.of_array(image)
    geometry = steps.geometry_of(source, kernel, shape)
    out: npt.NDArray[np.float32] = _room(image, geometry, "float32")
    steps.respond(source, samples.of_array(out), kernel, geometry)
    return out


def _room(image: npt.NDArray[Any], geometry: Geometry, kind: str) -> npt.NDArray[Any]:
    import numpy as np

    return np.empty((*geometry.shape, *image.shape[2:]), kind)


def _checked(image: Any) -> npt.NDArray[Any]:
    """The image as a C-contiguous array that the core can read."""
    import numpy as np

    array = np.asarray(image)
    if array.dtype.name not in SAMPLES:
        raise ImageError(
            f"image of type {array.dtype}; convert it to {', '.join(SAMPLES)} with .astype()"
        )
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise ImageError(
            f"image of shape {array.shape}; it must be (H, W) or (H, W, C), with no side of 0"
        )
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
