"""Kernels as other tools write them: files that are read, text and code that is written."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from imgconv.errors import KernelError
from imgconv.kernels.kernel import Kernel, Number

MAX_BYTES = 10_000_000
FFMPEG_SIDES = (3, 5, 7)
_SPACES = re.compile(r"[\s,;]+")


def read(path: Path) -> Kernel:
    """Return the kernel of a file: a matrix of vips (.mat), rows of numbers, an array or JSON.

    Raises
    ------
    KernelError
        If the file cannot be read or is no kernel.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise KernelError(f"{path}: cannot be read: {error.strerror or error}") from None
    if len(data) > MAX_BYTES:
        raise KernelError(f"{path}: over 10 MB, too large for a kernel")
    try:
        if path.suffix.lower() == ".npy":
            return _from_npy(data)
        text = data.decode("utf-8-sig")
        reader = {".mat": _from_mat, ".csv": _from_csv, ".json": _from_json}[path.suffix.lower()]
        return reader(text)
    except KernelError as error:
        raise KernelError(f"{path}: {error}") from None
    except UnicodeDecodeError:
        raise KernelError(f"{path}: is no text; save it as UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise KernelError(f"{path}: {' '.join(str(error).split())[:120]}") from None


def _from_mat(text: str) -> Kernel:
    """What vips calls a matrix: width, height, scale and offset, then the rows."""
    head, *rows = [line for line in text.splitlines() if line.strip()] or [""]
    numbers = [_number(n) for n in _SPACES.split(head.strip()) if n]
    if len(numbers) not in (2, 4):
        raise KernelError("the first line of a .mat file is: width height [scale offset]")
    width, height, divisor, bias = (*numbers, 1, 0)[:4]
    weights = [[_number(n) for n in _SPACES.split(row.strip()) if n] for row in rows]
    if len(weights) != height or any(len(row) != width for row in weights):
        raise KernelError(f"the first line says {width}x{height}, and other numbers follow")
    return Kernel(weights, divisor=divisor, bias=bias)


def _from_csv(text: str) -> Kernel:
    rows = [line for line in text.splitlines() if line.strip()]
    return Kernel([[_number(n) for n in _SPACES.split(row.strip()) if n] for row in rows])


def _from_json(text: str) -> Kernel:
    from imgconv.kernels.spec import from_json

    return from_json(text)


def _from_npy(data: bytes) -> Kernel:
    import io

    import numpy as np

    return Kernel(np.load(io.BytesIO(data), allow_pickle=False))


def _number(text: str) -> Number:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _rows(kernel: Kernel) -> list[list[Number]]:
    """Effective weights: whole numbers where the divisor goes into them."""

    def effective(weight: Number) -> Number:
        found = weight / kernel.divisor
        return int(found) if found.is_integer() and abs(found) < 2**53 else found

    return [[effective(w) for w in row] for row in kernel.weights]


def _lines(rows: list[list[Number]], between: str, after: str) -> str:
    return after.join(between.join(map(repr, row)) for row in rows)


def csv(kernel: Kernel) -> str:
    """Return effective weights, a row a line.

    Raises
    ------
    KernelError
        If there is a bias, for which it has no place.
    """
    _refuse_bias(kernel, "csv")
    return _lines(_rows(kernel), ",", "\n")


def vips(kernel: Kernel) -> str:
    """Return what `vips conv` reads from a .mat file; it correlates, too."""
    rows, columns = kernel.size
    head = f"{columns} {rows} {kernel.divisor!r} {kernel.bias!r}"
    return head + "\n" + _lines([list(row) for row in kernel.weights], " ", "\n")


def imagemagick(kernel: Kernel) -> str:
    """Return what `-morphology Correlate` takes; Convolve would turn it."""
    _refuse_bias(kernel, "imagemagick")
    rows, columns = kernel.size
    return f"{columns}x{rows}+{(columns - 1) // 2}+{(rows - 1) // 2}:" + _lines(
        _rows(kernel), ",", " "
    )


def ffmpeg(kernel: Kernel) -> str:
    """Return the filter that goes after -vf, of all planes.

    ffmpeg 5.1 takes each rdiv for missing, and divides by the sum of the weights if it is not 0.

    Raises
    ------
    KernelError
        If the weights are no whole numbers, or more than 7x7, or the divisor or bias is negative.
    """
    side = next((n for n in FFMPEG_SIDES if n >= max(kernel.size)), None)
    whole = all(isinstance(w, int) for row in kernel.weights for w in row)
    if side is None or not whole or any(n % 2 == 0 for n in kernel.size):
        raise KernelError("ffmpeg takes whole weights of odd sides up to 7x7 alone; try vips")
    if kernel.divisor < 0 or kernel.response_range(0, 0)[0] < 0:
        raise KernelError("ffmpeg takes no negative divisor or bias; try vips")
    rows, columns = (side - n for n in kernel.size)
    empty: list[Number] = [0] * side
    beside: list[Number] = [0] * (columns // 2)
    padded = [[*beside, *row, *beside] for row in kernel.weights]
    padded = [empty] * (rows // 2) + padded + [empty] * (rows // 2)
    matrix = " ".join(str(w) for row in padded for w in row)
    options = [f"{i}m={matrix}:{i}rdiv=1/{kernel.divisor!r}" for i in range(3)]
    options += [f"{i}bias={kernel.bias!r}" for i in range(3) if kernel.bias]
    return f"format=gbrp,convolution={':'.join(options)}"


def gmic(kernel: Kernel) -> str:
    """Return the matrix that `correlate` takes."""
    _refuse_bias(kernel, "gmic")
    return f"({_lines(_rows(kernel), ',', ';')})"


def torch(kernel: Kernel) -> str:
    """Return Python code that applies the weights to a tensor (N, C, H, W).

    Weights of two dimensions are for each channel by itself.
    """
    rows, columns = kernel.size
    bias = kernel.bias
    if len(kernel.shape) == 2:
        expanded, groups = f".expand(x.shape[1], 1, {rows}, {columns})", "x.shape[1]"
    else:
        expanded = ".unsqueeze(0)" * (len(kernel.shape) == 3)
        groups = f"x.shape[1] // {kernel.shape[-3]}"
    if isinstance(bias, tuple):
        added = f"torch.tensor({list(bias)!r}).reshape(-1, 1, 1)"
    else:
        added = repr(bias)
    return (
        "import torch\n"
        "from torch.nn import functional as F\n\n"
        f"weights = torch.tensor({_lists(kernel.weights)!r}, dtype=torch.float32)\n"
        f"weights = weights{expanded} / {kernel.divisor!r}\n"
        f"x = F.pad(x, ({(columns - 1) // 2}, {columns // 2}, {(rows - 1) // 2}, {rows // 2}), "
        '"replicate")\n'
        f"y = F.conv2d(x, weights, groups={groups}) + {added}"
    )


def _lists(weights: Any) -> Any:
    return [_lists(part) for part in weights] if isinstance(weights, tuple) else weights


def opencv(kernel: Kernel) -> str:
    """Return Python code that applies the weights to an image."""
    rows, columns = kernel.size
    return (
        "import cv2\n"
        "import numpy as np\n\n"
        f"weights = np.array({list(map(list, kernel.weights))!r}) / {kernel.divisor!r}\n"
        f"y = cv2.filter2D(x, -1, weights, anchor=({(columns - 1) // 2}, {(rows - 1) // 2}),\n"
        f"                 delta={kernel.bias!r}, borderType=cv2.BORDER_REPLICATE)"
    )


def _refuse_bias(kernel: Kernel, name: str) -> None:
    if kernel.bias:
        raise KernelError(f"{name} has no place for a bias of {kernel.bias}; leave it out, or toml")


def _of_one_channel(name: str, write: Callable[[Kernel], str]) -> Callable[[Kernel], str]:
    """What writes kernels for each channel by itself, and refuses others."""

    def checked(kernel: Kernel) -> str:
        if len(kernel.shape) > 2:
            raise KernelError(
                f"{name} has no kernels over channels; choose torch, numpy, json or toml"
            )
        return write(kernel)

    return checked


WRITERS: dict[str, Callable[[Kernel], str]] = {
    "torch": torch,
    **{
        name: _of_one_channel(name, write)
        for name, write in (
            ("opencv", opencv), ("imagemagick", imagemagick), ("vips", vips), ("ffmpeg", ffmpeg),
            ("gmic", gmic), ("csv", csv),
        )
    },
}  # fmt: skip
