"""The public operation on arrays: check, allocate, correlate, turn responses into samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imgconv.engine import samples, steps
from imgconv.engine.geometry import Padding, Pair, layout
from imgconv.engine.levels import SAMPLES
from imgconv.engine.steps import Step
from imgconv.errors import ImageError
from imgconv.kernels.spec import load_kernel

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
        Samples in their own units (0-255 for uint8).
    kernel : Kernel, str, nested list, array or mapping
        Anything that `load_kernel` takes. Weights (KH, KW) filter each channel by itself,
        (C, KH, KW) add up all channels to one output, (OUT, C/groups, KH, KW) those of a group.
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
        A sum over channels has OUT of them, or no axis for them where there is one output.

    Raises
    ------
    KernelError
        If the kernel is malformed, its name unknown, or its shape not for C channels.
    OptionError
        If an option is malformed.
    GeometryError
        If no output pixel remains.
    ImageError
        If the image has another shape or type.

    Notes
    -----
    out[y, x] = sum_ab weights[a, b] * image[y*s + a*d - top, x*s + b*d - left] / divisor + bias
    Source: Zhang et al., Dive into Deep Learning, sections 7.2 and 7.4; groups as in
    torch.nn.Conv2d, PyTorch documentation.
    """
    shape = layout(padding, border, fill, stride, dilation)
    return respond(_checked(image), Step(load_kernel(kernel), shape))


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
        Of the shape that `correlate` returns.

    Raises
    ------
    KernelError, OptionError, GeometryError, ImageError
        As `correlate` does.
    """
    shape = layout(padding, border, fill, stride, dilation)
    pixels, step = _checked(image), Step(load_kernel(kernel), shape)
    if levels == "none":
        return respond(pixels, step)
    source = samples.of_array(pixels)
    out = room(pixels, step, pixels.dtype.name)
    steps.to_pixels(source, samples.of_array(out), step, levels, bytes([1]) * source.channels)
    return out


def respond(image: npt.NDArray[Any], step: Step) -> npt.NDArray[np.float32]:
    """Return the responses of a C-contiguous image."""
    out: npt.NDArray[np.float32] = room(image, step, "float32")
    steps.respond(samples.of_array(image), samples.of_array(out), step)
    return out


def room(image: npt.NDArray[Any], step: Step, kind: str) -> npt.NDArray[Any]:
    """Return room for what comes out; a single output has no axis of channels."""
    import numpy as np

    source = samples.of_array(image)
    rows, columns, channels = step.shape(source)
    single = image.ndim == 2 if not step.outputs(source.channels) else channels == 1
    return np.empty((rows, columns) if single else (rows, columns, channels), kind)


def _checked(image: Any) -> npt.NDArray[Any]:
    """The image as a C-contiguous array that the core can read."""
    import numpy as np

    array = np.asarray(image)
    check(array)
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))


def check(array: Any) -> None:
    """Check the type and the shape of an array of any library.

    Raises
    ------
    ImageError
        If they are not those of an image.
    """
    if array.dtype.name not in SAMPLES:
        raise ImageError(
            f"image of type {array.dtype}; convert it to {', '.join(SAMPLES)} with .astype()"
        )
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise ImageError(
            f"image of shape {array.shape}; it must be (H, W) or (H, W, C), with no side of 0"
        )
