"""The public operation on arrays: check, allocate, correlate, turn responses into samples."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from imgconv.engine import results, run, samples
from imgconv.engine.levels import NONE, SAMPLES
from imgconv.engine.ready import Ready
from imgconv.engine.samples import Samples
from imgconv.engine.step import Step
from imgconv.errors import ImageError
from imgconv.kernels.kernel import Kernel
from imgconv.kernels.spec import load_kernel
from imgconv.light import NamedTuple
from imgconv.pipeline.layout import Anchor, Padding, Pair, layout

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
    anchor: Anchor = "center",
    out: npt.NDArray[np.float32] | None = None,
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
    anchor : "center", "opencv" or (y, x)
        Where a kernel of even size stands under "same": with d(k - 1)//2 before, with d(k//2) as
        OpenCV and SciPy, or with the tap (y, x) over the output.
    out : ndarray of the result's shape and type, optional
        Is written to and returned: no new memory is taken. It may share memory with the image.

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
        If the image or `out` has another shape or type.

    Notes
    -----
    out[y, x] = sum_ab weights[a, b] * image[y*s + a*d - top, x*s + b*d - left] / divisor + bias
    Source: Zhang et al., Dive into Deep Learning, sections 7.2 and 7.4; groups as in
    torch.nn.Conv2d, PyTorch documentation.
    """
    return _done(image, kernel, NONE, out, (padding, border, fill, stride, dilation, anchor))


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
    anchor: Anchor = "center",
    out: npt.NDArray[Any] | None = None,
) -> npt.NDArray[Any]:
    """Filter an image: `correlate`, then the responses made into samples of the image's type.

    Parameters
    ----------
    image, kernel, padding, border, fill, stride, dilation, anchor, out
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
    return _done(image, kernel, levels, out, (padding, border, fill, stride, dilation, anchor))


class _Prepared(NamedTuple):
    """What a call comes down to, for images of a shape and a type."""

    step: Step
    shape: tuple[int, ...]
    kind: str
    ready: Ready | None  # None where more than one program is needed
    rows: tuple[int, int]  # bytes from one row to the next, of the image and of the result


def _done(
    image: Any, kernel: Any, levels: str, out: npt.NDArray[Any] | None, options: tuple[Any, ...]
) -> npt.NDArray[Any]:
    """Check everything once for a shape, then call the program that is kept."""
    pixels = _in_order(image)
    kernel = kernel if isinstance(kernel, Kernel) else load_kernel(kernel)
    asked = kernel, pixels.shape, pixels.dtype, levels, *options
    try:
        prepared = _prepare(*asked)
    except TypeError:  # a list among the options cannot be looked up
        prepared = _prepare.__wrapped__(*asked)
    if out is None:
        made = results.new(prepared.shape, prepared.kind, prepared.rows[1])
    elif _is_apart(out, pixels, prepared):
        made = out
    else:
        out[...] = _done(pixels, kernel, levels, None, options)
        return out
    if prepared.ready:
        (step, to_step), address_of = prepared.rows, samples.address_of
        prepared.ready(address_of(pixels), step, address_of(made), to_step)
    else:
        to(pixels, made, prepared.step, levels)
    return made


@functools.lru_cache(maxsize=64, typed=True)
def _prepare(
    kernel: Kernel,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    levels: str,
    padding: Padding,
    border: str,
    fill: float,
    stride: Pair,
    dilation: Pair,
    anchor: Anchor,
) -> _Prepared:
    """Check what has been asked for, and have the program written."""
    check(shape, dtype)
    step = Step(kernel, layout(padding, border, fill, stride, dilation, anchor))
    height, width, channels = (*shape, 1)[:3]
    kind = dtype.name
    source = Samples(0, height, width, channels, width * channels, kind, None)
    result = "float32" if levels == NONE else kind
    made = shape_of(source, step, len(shape))
    rows = (
        width * channels * dtype.itemsize,
        made[1] * (*made, 1)[2] * samples.size(result),
    )
    if levels == "stretch":
        return _Prepared(step, made, result, None, rows)
    ready = run.ready(source, step, result, (*made, 1)[2], levels)
    return _Prepared(step, made, result, None if ready.layer.transformed else ready, rows)


def _is_apart(out: Any, image: npt.NDArray[Any], prepared: _Prepared) -> bool:
    """Whether a result can be written to an array while the image is read.

    Raises
    ------
    ImageError
        If it cannot hold the result.
    """
    import numpy as np

    if not isinstance(out, np.ndarray):
        raise ImageError(f"out is of type {type(out).__name__}; give {_wanted(prepared)}")
    if out.shape != prepared.shape or out.dtype.name != prepared.kind or not out.flags.writeable:
        locked = "" if out.flags.writeable else ", read-only"
        raise ImageError(
            f"out is of shape {out.shape} and type {out.dtype}{locked}; give {_wanted(prepared)}"
        )
    plain = out.flags.c_contiguous and out.dtype.isnative
    return plain and not np.may_share_memory(out, image)


def _wanted(prepared: _Prepared) -> str:
    return f"a writable array of shape {prepared.shape} and type {prepared.kind}"


def respond(image: npt.NDArray[Any], step: Step) -> npt.NDArray[np.float32]:
    """Return the responses of a C-contiguous image."""
    out: npt.NDArray[np.float32] = room(image, step, "float32")
    to(image, out, step, NONE)
    return out


def to(image: npt.NDArray[Any], out: npt.NDArray[Any], step: Step, levels: str) -> None:
    """Write the responses of a C-contiguous image, or the samples that they become."""
    source, target = samples.of_array(image), samples.of_array(out)
    if levels == NONE:
        run.respond(source, target, step)
    else:
        run.to_pixels(source, target, step, levels, bytes([1]) * source.channels)


def room(image: npt.NDArray[Any], step: Step, kind: str) -> npt.NDArray[Any]:
    """Return room for what comes out."""
    import numpy as np

    return np.empty(shape_of(samples.of_array(image), step, image.ndim), kind)


def shape_of(source: Samples, step: Step, axes: int) -> tuple[int, ...]:
    """Return the shape of what comes out; a single output has no axis of channels."""
    rows, columns, channels = step.shape(source)
    single = axes == 2 if not step.outputs(source.channels) else channels == 1
    return (rows, columns) if single else (rows, columns, channels)


def _in_order(image: Any) -> npt.NDArray[Any]:
    """The image as an array whose samples lie in memory as the core reads them."""
    import numpy as np

    array = np.asarray(image)
    if array.flags.c_contiguous and array.dtype.isnative:
        return array
    check(array.shape, array.dtype)
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))


def check(shape: tuple[int, ...], dtype: Any) -> None:
    """Check the shape and the type of an array of any library.

    Raises
    ------
    ImageError
        If they are not those of an image.
    """
    if dtype.name not in SAMPLES:
        raise ImageError(
            f"image of type {dtype}; convert it to {', '.join(SAMPLES)} with .astype()"
        )
    if len(shape) not in (2, 3) or 0 in shape:
        raise ImageError(
            f"image of shape {shape}; it must be (H, W) or (H, W, C), with no side of 0"
        )
