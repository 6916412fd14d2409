"""Arrays in files: .npy and .csv, where numbers are numbers and channels have no names."""

from __future__ import annotations

import io
import math
import re
from typing import IO, TYPE_CHECKING, Any

from imgconv.engine.levels import SAMPLES
from imgconv.errors import ImageError, heed_cause, one_line, printable, shortened
from imgconv.light import NamedTuple
from imgconv.pictures import axes
from imgconv.pictures.faults import START
from imgconv.pictures.lazy import each
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
REAL = "uif"  # what NumPy calls kinds of real numbers
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
        array = _in_place(data)
    else:
        array = _table(data.removeprefix(MARK))
        looked = _laid(array.shape, array.dtype, how)
    array = _ordered(array, looked.axes)[looked.chosen.start : looked.chosen.stop]

    def made(place: int) -> Pixels:
        with np.errstate(over="ignore", invalid="ignore"):
            samples = np.require(array[place], looked.kind, ["C", "ALIGNED"])
        return ArrayPixels(samples, NAMELESS * array.shape[3])

    def is_exact(place: int) -> bool:
        reals = array.dtype.kind == "f"
        return np.array_equal(made(place).array(), array[place], equal_nan=reals)

    places = range(len(array))
    lost: tuple[str, ...] = ()
    if name == "NPY" and array.dtype.name != looked.kind and not all(map(is_exact, places)):
        lost = (f"the precision of {array.dtype.name} (read as {looked.kind})",)
    return Picture(each(places, made), name, lost=lost, axes=looked.axes, notes=looked.notes)


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


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """The shape of an array in an .npy, whether its columns stand together, and its type."""
    from numpy.lib import format as npy

    file.seek(0)
    try:
        version = npy.read_magic(file)
        if version[0] not in (1, 2, 3):
            raise ImageError(f"is NPY of version {version[0]}, which is not read; save it anew")
        old = version == (1, 0)
        head = (npy.read_array_header_1_0 if old else npy.read_array_header_2_0)(file)
        if not all(type(side) is int and side >= 0 for side in head[0]):  # as no array has them
            raise ValueError
        return head
    except ImageError:
        raise
    except Exception as error:  # several kinds, of what is wrong with a text of Python's
        heed_cause(error)
        raise ImageError("broken NPY: its head is cut off or damaged; save it anew") from None


def _looked_over(file: IO[bytes], size: int, how: Reading) -> _Laid:
    """How the array in an .npy of so many bytes is taken, by its head."""
    shape, _, dtype = _header(file)
    wanted = file.tell() + math.prod(shape) * dtype.itemsize
    if dtype.kind in REAL and size < wanted:
        raise ImageError(f"broken NPY: it has {size} of {wanted} bytes; get the whole file")
    return _laid(shape, dtype, how)


def _in_place(data: bytes) -> npt.NDArray[Any]:
    """The array in an .npy that has been looked over, where it is."""
    import numpy as np

    file = io.BytesIO(data)
    shape, turned, dtype = _header(file)
    return np.ndarray(shape, dtype, data, file.tell(), order="F" if turned else "C")


def _laid(shape: tuple[int, ...], dtype: np.dtype[Any], how: Reading) -> _Laid:
    """How an array of a shape and a type is taken, or an error if it is no picture."""
    letters, notes = axes.of_shape(shape, how.axes), axes.assumed(shape, how.axes)
    if dtype.kind not in REAL:
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
    count, cells = 0, re.compile(f"(?:^|(?<={between}))[^{between}]*")
    for i, line in enumerate(io.TextIOWrapper(io.BytesIO(data), "latin-1"), 1):
        row, found = line.partition("#")[0].rstrip("\n"), 0
        if not row:
            continue
        for found, cell in enumerate(cells.finditer(row), 1):  # one by one: a line may have many
            try:
                float(cell[0].replace(",", "."))
            except ValueError:
                shown = shortened(printable(cell[0].strip()), 20)
                return f"{shown!r}, cell {found} of line {i}, is no number; put one there"
        count = count or found
        if found != count:
            return f"line {i} has {found} numbers, and others {count}; make them alike"
    return ""


def npy(out: IO[bytes], frames: Sequence[Pixels], letters: str) -> None:
    """Write an .npy file with such axes, where frames and channels are not one."""
    import numpy as np
    from numpy.lib import format as npy

    first = frames[0]
    width, height = first.size
    sides = {"n": len(frames), "y": height, "x": width, "c": len(first.names)}
    shape = tuple(sides[axis] for axis in letters)
    kind = npy.dtype_to_descr(np.dtype(first.kind))
    head = {"descr": kind, "fortran_order": False, "shape": shape}
    npy.write_array_header_1_0(out, head)
    others = [axis for axis in letters if axis != "n"]
    held = [axis for axis in ORDER if axis in others]
    for i in range(len(frames)):  # n is the first axis of all AXES
        array = frames[i].array()
        array = array if "c" in held else array[:, :, 0]
        out.write(np.ascontiguousarray(array.transpose([held.index(a) for a in others])).data)


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


def write(out: IO[bytes], picture: Picture, name: str) -> None:
    """Write a file of a format, of what `refuse` does not."""
    first = picture.frames[0]
    if name == "CSV":
        out.write(csv(first))
    else:
        npy(out, picture.frames, picture.axes or axes.after("yx", 1, len(first.names)))
