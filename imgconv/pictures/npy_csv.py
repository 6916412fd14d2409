"""Arrays in files: .npy and .csv, where numbers are numbers and channels have no names."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

from imgconv.engine.levels import SAMPLES
from imgconv.errors import ImageError, one_line
from imgconv.pictures.picture import Picture, Reading, refuse_too_many
from imgconv.pictures.pixels import NAMELESS, ArrayPixels, Pixels

if TYPE_CHECKING:
    import numpy.typing as npt

MAGIC = b"\x93NUMPY"
# The first line of a table of numbers; no image begins so.
_LINE = re.compile(rb"[\s\d.,;+\-eEaAfFiInNtTyY]+")
MARK = b"\xef\xbb\xbf"  # of UTF-8, with which some programs begin a text


def is_table(data: bytes) -> bool:
    """Whether a file is an array rather than an image."""
    line = data[:4096].removeprefix(MARK).lstrip().partition(b"\n")[0]
    return data.startswith(MAGIC) or bool(line and _LINE.fullmatch(line))


def read(data: bytes, how: Reading) -> Picture:
    """Return an array as a picture of one frame.

    Raises
    ------
    ImageError
        If it is broken, no picture's shape or of a type that is no real number.
    """
    import numpy as np

    try:
        if data.startswith(MAGIC):
            array = np.load(io.BytesIO(data), allow_pickle=False)
        else:
            array = _table(data.removeprefix(MARK).decode("ascii"))
    except (ValueError, OSError, EOFError) as error:
        what = "NPY" if data.startswith(MAGIC) else "CSV"
        fault = one_line(error)[:160]
        raise ImageError(f"broken {what}: {fault}") from None
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise ImageError(f"is an array of shape {array.shape}; it must be (H, W) or (H, W, C)")
    if array.dtype.kind not in "uif":
        raise ImageError(f"is an array of {array.dtype}; it must be one of real numbers")
    refuse_too_many([(array.shape[1], array.shape[0])], how)
    array = array if array.ndim == 3 else array[:, :, None]
    kind = array.dtype.name if array.dtype.name in SAMPLES else "float32"
    with np.errstate(over="ignore", invalid="ignore"):
        samples = np.ascontiguousarray(array, dtype=kind)
    name = "NPY" if data.startswith(MAGIC) else "CSV"
    lost: tuple[str, ...] = ()
    if name == "NPY" and array.dtype.name != kind:
        exact = np.array_equal(samples, array, equal_nan=array.dtype.kind == "f")
        lost = (f"the precision of {array.dtype.name} (read as {kind})",) * (not exact)
    return Picture((ArrayPixels(samples, NAMELESS * array.shape[2]),), name, lost=lost)


def _table(text: str) -> npt.NDArray[Any]:
    """Lines of numbers; between semicolons a comma is decimal."""
    import numpy as np

    if ";" in text:
        return np.loadtxt(io.StringIO(text.replace(",", ".")), delimiter=";", ndmin=2)
    return np.loadtxt(io.StringIO(text), delimiter=",", ndmin=2)


def npy(pixels: Pixels) -> bytes:
    """Return the bytes of an .npy file of shape (H, W), or (H, W, C) for several channels."""
    import numpy as np

    array, out = pixels.array(), io.BytesIO()
    np.save(out, array[:, :, 0] if array.shape[2] == 1 else array)
    return out.getvalue()


def csv(pixels: Pixels) -> bytes:
    """Return lines of numbers, each the shortest decimal that is read as the same number.

    Raises
    ------
    ImageError
        If there are several channels.
    """
    return "".join(",".join(row) + "\n" for row in _cells(pixels)).encode()


def matrix(pixels: Pixels) -> bytes:
    """Return rows of numbers below each other, for people."""
    cells = _cells(pixels)
    wide = max(len(cell) for row in cells for cell in row)
    return "".join(" ".join(cell.rjust(wide) for cell in row) + "\n" for row in cells).encode()


def _cells(pixels: Pixels) -> list[list[str]]:
    array = pixels.array()
    if array.shape[2] > 1:
        raise ImageError(f"has {array.shape[2]} channels, and CSV keeps one; choose NPY with -o")
    return [[_decimal(value) for value in row] for row in array[:, :, 0]]


def _decimal(value: npt.ArrayLike) -> str:
    import numpy as np

    return np.format_float_positional(np.float32(value), trim="-")  # type: ignore[arg-type]


def write(pixels: Pixels, name: str) -> bytes:
    """Return what a file of a format holds."""
    return npy(pixels) if name == "NPY" else csv(pixels)
