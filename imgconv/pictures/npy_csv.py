"""Arrays in files: .npy and .csv, where numbers are numbers and channels have no names."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

from imgconv.engine.levels import SAMPLES
from imgconv.errors import ImageError, one_line
from imgconv.pictures import axes
from imgconv.pictures.picture import Picture, Reading, choose, refuse_too_many, refuse_unlisted
from imgconv.pictures.pixels import NAMELESS, ArrayPixels, Pixels

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

MAGIC = b"\x93NUMPY"
# The first line of a table of numbers; no image begins so.
_LINE = re.compile(rb"[\s\d.,;+\-eEaAfFiInNtTyY]+")
ORDER = "nyxc"  # of axes, as frames have them
MARK = b"\xef\xbb\xbf"  # of UTF-8, with which some programs begin a text


def is_table(data: bytes) -> bool:
    """Whether a file is an array rather than an image."""
    line = data[:4096].removeprefix(MARK).lstrip().partition(b"\n")[0]
    return data.startswith(MAGIC) or bool(line and _LINE.fullmatch(line))


def read(data: bytes, how: Reading) -> Picture:
    """Return an array as a picture, with a frame for each of its pictures.

    Raises
    ------
    ImageError
        If it is broken, no picture's shape or of a type that is no real number.
    """
    import numpy as np

    name = "NPY" if data.startswith(MAGIC) else "CSV"
    refuse_unlisted(name, how)
    try:
        if name == "NPY":
            array = np.load(io.BytesIO(data), allow_pickle=False)
        else:
            array = _table(data.removeprefix(MARK).decode("ascii"))
    except (ValueError, OSError, EOFError) as error:
        fault = one_line(error)[:160]
        raise ImageError(f"broken {name}: {fault}") from None
    letters, notes = axes.of_shape(array.shape, how.axes), axes.assumed(array.shape, how.axes)
    if array.dtype.kind not in "uif":
        raise ImageError(f"is an array of {array.dtype}; it must be one of real numbers")
    array = _ordered(array, letters)
    chosen = choose(len(array), how)
    array = array if how.frame is None else array[chosen : chosen + 1]
    refuse_too_many([array.shape[2:0:-1]] * len(array), how)
    kind = array.dtype.name if array.dtype.name in SAMPLES else "float32"
    with np.errstate(over="ignore", invalid="ignore"):
        samples = np.ascontiguousarray(array, dtype=kind)
    lost: tuple[str, ...] = ()
    if name == "NPY" and array.dtype.name != kind:
        exact = np.array_equal(samples, array, equal_nan=array.dtype.kind == "f")
        lost = (f"the precision of {array.dtype.name} (read as {kind})",) * (not exact)
    frames = tuple(ArrayPixels(each, NAMELESS * array.shape[3]) for each in samples)
    return Picture(frames, name, lost=lost, axes=letters, notes=tuple(notes))


def _ordered(array: npt.NDArray[Any], letters: str) -> npt.NDArray[Any]:
    """A view with all of the axes n, y, x, c in this order."""
    import numpy as np

    missing = tuple(i for i, axis in enumerate(ORDER) if axis not in letters)
    return np.expand_dims(
        array.transpose([letters.index(a) for a in ORDER if a in letters]), missing
    )


def _table(text: str) -> npt.NDArray[Any]:
    """Lines of numbers; between semicolons a comma is decimal."""
    import numpy as np

    if ";" in text:
        return np.loadtxt(io.StringIO(text.replace(",", ".")), delimiter=";", ndmin=2)
    return np.loadtxt(io.StringIO(text), delimiter=",", ndmin=2)


def npy(frames: Sequence[Pixels], letters: str) -> bytes:
    """Return the bytes of an .npy file with such axes, where frames and channels are not one."""
    import numpy as np

    array, out = np.stack([frame.array() for frame in frames]), io.BytesIO()
    array = array.squeeze(tuple(i for i, axis in enumerate(ORDER) if axis not in letters))
    held = [axis for axis in ORDER if axis in letters]
    np.save(out, np.ascontiguousarray(array.transpose([held.index(axis) for axis in letters])))
    return out.getvalue()


def csv(pixels: Pixels) -> bytes:
    """Return lines of numbers, each the shortest decimal that is read as the same number.

    Raises
    ------
    ImageError
        If there are several channels.
    """
    return "".join(",".join(row) + "\n" for row in _cells(pixels)).encode()


def matrices(frames: Sequence[Pixels]) -> bytes:
    """Return rows of numbers below each other, for people, with a line between two pictures."""
    return "\n".join(map(_matrix, frames)).encode()


def _matrix(pixels: Pixels) -> str:
    cells = _cells(pixels)
    wide = max(len(cell) for row in cells for cell in row)
    return "".join(" ".join(cell.rjust(wide) for cell in row) + "\n" for row in cells)


def _cells(pixels: Pixels) -> list[list[str]]:
    array = pixels.array()
    if array.shape[2] > 1:
        raise ImageError(f"has {array.shape[2]} channels, and CSV keeps one; choose NPY with -o")
    return [[_decimal(value) for value in row] for row in array[:, :, 0]]


def _decimal(value: npt.ArrayLike) -> str:
    import numpy as np

    return np.format_float_positional(np.float32(value), trim="-")  # type: ignore[arg-type]


def write(picture: Picture, name: str) -> bytes:
    """Return what a file of a format holds.

    Raises
    ------
    ImageError
        If it has no axis for several frames, or CSV none for channels.
    """
    count, (first, *_) = len(picture.frames), picture.frames
    letters = picture.axes or axes.after("yx", 1, len(first.names))
    if count > 1 and (name == "CSV" or "n" not in letters):
        raise ImageError(f"has {count} frames; choose one with --frame")
    return npy(picture.frames, letters) if name == "NPY" else csv(first)
