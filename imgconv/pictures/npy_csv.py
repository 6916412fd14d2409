"""Arrays in files: .npy and .csv, where numbers are numbers and channels have no names."""

from __future__ import annotations

import io
import math
import re
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from imgconv.engine.levels import SAMPLES
from imgconv.errors import ImageError, one_line, printable, shortened
from imgconv.pictures import axes
from imgconv.pictures.faults import START
from imgconv.pictures.picture import (
    Head,
    Picture,
    Reading,
    Tally,
    choose,
    refuse_unlisted,
)
from imgconv.pictures.pixels import NAMELESS, ArrayPixels, Pixels, white

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

MAGIC = b"\x93NUMPY"
# The first line of a table of numbers; no image begins so.
_LINE = re.compile(rb"[\s\d.,;+\-eEaAfFiInNtTyY]+")
ORDER = "nyxc"  # of axes, as frames have them
MARK = b"\xef\xbb\xbf"  # of UTF-8, with which some programs begin a text


def is_table(data: bytes) -> bool:
    """Whether a file is an array rather than an image."""
    line = data[:START].removeprefix(MARK).lstrip().partition(b"\n")[0]
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
    if name == "NPY":
        looked = _looked_over(io.BytesIO(data), len(data), how)
        array = np.load(io.BytesIO(data), allow_pickle=False)
    else:
        array = _table(data.removeprefix(MARK))
        looked = _laid(array.shape, array.dtype, how)
    array = _ordered(array, looked.axes)[looked.chosen.start : looked.chosen.stop]
    kind = looked.kind
    with np.errstate(over="ignore", invalid="ignore"):
        samples = np.ascontiguousarray(array, dtype=kind)
    lost: tuple[str, ...] = ()
    if name == "NPY" and array.dtype.name != kind:
        exact = np.array_equal(samples, array, equal_nan=array.dtype.kind == "f")
        lost = (f"the precision of {array.dtype.name} (read as {kind})",) * (not exact)
    frames = tuple(ArrayPixels(each, NAMELESS * array.shape[3]) for each in samples)
    return Picture(frames, name, lost=lost, axes=looked.axes, notes=looked.notes)


def _ordered(array: npt.NDArray[Any], letters: str) -> npt.NDArray[Any]:
    """A view with all of the axes n, y, x, c in this order."""
    import numpy as np

    missing = tuple(i for i, axis in enumerate(ORDER) if axis not in letters)
    return np.expand_dims(
        array.transpose([letters.index(a) for a in ORDER if a in letters]), missing
    )


def head(file: IO[bytes], size: int, how: Reading) -> Head:
    """Return what the head of an array's file of so many bytes tells; a table is read.

    Raises
    ------
    ImageError
        As `read` does.
    """
    file.seek(0)
    if file.read(len(MAGIC)) != MAGIC:
        file.seek(0)
        picture = read(file.read(), how)
        return Head(picture, tuple(frame.size for frame in picture.frames))
    refuse_unlisted("NPY", how)
    looked = _looked_over(file, size, how)
    frames = (white(NAMELESS * looked.channels, looked.kind),) * len(looked.chosen)
    picture = Picture(frames, "NPY", axes=looked.axes, notes=looked.notes)
    return Head(picture, (looked.size,) * len(frames))


class _Laid(NamedTuple):
    """How an array is taken: its axes, which of its pictures, their size, channels and samples."""

    axes: str
    chosen: range
    size: tuple[int, int]
    channels: int
    kind: str
    notes: tuple[str, ...]


def _looked_over(file: IO[bytes], size: int, how: Reading) -> _Laid:
    """How the array in an .npy of so many bytes is taken, by its head."""
    from numpy.lib import format as npy

    file.seek(0)
    try:
        version = npy.read_magic(file)
        if version[0] not in (1, 2, 3):
            raise ImageError(f"is NPY of version {version[0]}, which is not read; save it anew")
        old = version == (1, 0)
        read = npy.read_array_header_1_0 if old else npy.read_array_header_2_0
        shape, _, dtype = read(file)
    except ImageError:
        raise
    except Exception:  # several kinds, of what is wrong with a text of Python's
        raise ImageError("broken NPY: its head is cut off or damaged; save it anew") from None
    laid = _laid(shape, dtype, how)
    wanted = file.tell() + math.prod(shape) * dtype.itemsize
    if size < wanted:
        raise ImageError(f"broken NPY: it has {size} of {wanted} bytes; get the whole file")
    return laid


def _laid(shape: tuple[int, ...], dtype: np.dtype[Any], how: Reading) -> _Laid:
    """How an array of a shape and a type is taken, or an error if it is no picture."""
    letters, notes = axes.of_shape(shape, how.axes), axes.assumed(shape, how.axes)
    if dtype.kind not in "uif":
        raise ImageError(f"is an array of {dtype}; it must be one of real numbers")
    sides = dict(zip(letters, shape, strict=True))
    count, size = sides.get("n", 1), (sides["x"], sides["y"])
    chosen = range(count)
    if how.frame is not None:
        first = choose(count, how)
        chosen = range(first, first + 1)
    Tally(how).add(size, len(chosen))
    kind = dtype.name if dtype.name in SAMPLES else "float32"
    return _Laid(letters, chosen, size, sides.get("c", 1), kind, tuple(notes))


def _table(data: bytes) -> npt.NDArray[Any]:
    """Lines of numbers; between semicolons a comma is decimal."""
    import numpy as np

    between = ";" if b";" in data else ","
    try:
        text = data.decode("ascii")
        text = text.replace(",", ".") if between == ";" else text
        return np.loadtxt(io.StringIO(text), delimiter=between, ndmin=2)
    except ValueError as error:
        fault = _fault_of_table(data, between) or shortened(one_line(error), 160)
        raise ImageError(f"broken CSV: {fault}") from None


def _fault_of_table(data: bytes, between: str) -> str:
    """What is wrong with lines that are no table, by the first of them that is none."""
    count = 0
    for i, line in enumerate(data.decode("latin-1").splitlines(), 1):
        cells = line.partition("#")[0].split(between)
        if cells == [""]:
            continue
        for j, cell in enumerate(cells, 1):
            try:
                float(cell.replace(",", "."))
            except ValueError:
                shown = shortened(printable(cell.strip()), 20)
                return f"{shown!r}, cell {j} of line {i}, is no number; put one there"
        count = count or len(cells)
        if len(cells) != count:
            return f"line {i} has {len(cells)} numbers, and others {count}; make them alike"
    return ""


def npy(frames: Sequence[Pixels], letters: str) -> bytes:
    """Return the bytes of an .npy file with such axes, where frames and channels are not one."""
    import numpy as np

    array, out = np.stack([frame.array() for frame in frames]), io.BytesIO()
    array = array.squeeze(tuple(i for i, axis in enumerate(ORDER) if axis not in letters))
    held = [axis for axis in ORDER if axis in letters]
    np.save(out, np.ascontiguousarray(array.transpose([held.index(axis) for axis in letters])))
    return out.getvalue()


def csv(pixels: Pixels) -> bytes:
    """Return lines of numbers, each the shortest decimal that is read as the same number."""
    return "".join(",".join(row) + "\n" for row in _cells(pixels)).encode()


def matrices(frames: Sequence[Pixels]) -> bytes:
    """Return rows of numbers below each other, for people, with a line between two pictures."""
    return "\n".join(map(_matrix, frames)).encode()


def _refuse_several(channels: int) -> None:
    if channels > 1:
        raise ImageError(f"has {channels} channels, and CSV keeps one; choose NPY with -o")


def _matrix(pixels: Pixels) -> str:
    _refuse_several(len(pixels.names))
    cells = _cells(pixels)
    wide = max(len(cell) for row in cells for cell in row)
    return "".join(" ".join(cell.rjust(wide) for cell in row) + "\n" for row in cells)


def _cells(pixels: Pixels) -> list[list[str]]:
    return [[_decimal(value) for value in row] for row in pixels.array()[:, :, 0]]


def _decimal(value: npt.ArrayLike) -> str:
    import numpy as np

    return np.format_float_positional(np.float32(value), trim="-")  # type: ignore[arg-type]


def refuse(picture: Picture, name: str) -> None:
    """Raise an error for a picture that an array's file has no axes for."""
    count, channels = len(picture.frames), len(picture.frames[0].names)
    if count > 1 and (name == "CSV" or "n" not in picture.axes):
        raise ImageError(f"has {count} frames; choose one with --frame")
    if name == "CSV":
        _refuse_several(channels)


def write(picture: Picture, name: str) -> bytes:
    """Return what a file of a format holds, of what `refuse` does not."""
    first, *_ = picture.frames
    letters = picture.axes or axes.after("yx", 1, len(first.names))
    return npy(picture.frames, letters) if name == "NPY" else csv(first)
