"""How pictures are turned upright, by what EXIF says of them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from PIL import Image

from imgconv.errors import heed_cause
from imgconv.pictures.metadata import ORIENTATION, orientation_of_xmp, xmp_of

if TYPE_CHECKING:
    import numpy.typing as npt

# From an orientation of EXIF: whether rows and columns change places, then which axes turn round.
_TURNS: dict[int, tuple[bool, tuple[int, ...]]] = {
    1: (False, ()), 2: (False, (1,)), 3: (False, (0, 1)), 4: (False, (0,)),
    5: (True, ()), 6: (True, (1,)), 7: (True, (0, 1)), 8: (True, (0,)),
}  # fmt: skip


def of_image(image: Image.Image) -> int:
    """Return how an image is to be turned: not at all where what says so is broken."""
    if image.format in ("JPEG", "MPO"):
        image._exif = None  # Pillow raises what is wrong once, and has swallowed it at the opening
    try:
        exif = image.getexif()
        if ORIENTATION not in exif:  # Pillow does not know all ways to write XMP
            exif[ORIENTATION] = orientation_of_xmp(xmp_of(image))
        return known(int(exif[ORIENTATION]))
    except Exception as error:  # a dozen kinds
        heed_cause(error)
        image._exif = None  # so that `metadata` can tell of it
        return 1


def known(value: Any) -> int:
    """Return an orientation, for what is none that of an upright picture."""
    return value if isinstance(value, int) and value in _TURNS else 1


def turn(image: Image.Image) -> int:
    """Turn an image upright, and what it says of that; return how it stood."""
    if image.format == "TIFF":  # which turns itself when it is loaded
        stood = of_image(image)
        image.load()
        return stood
    image.load()  # the EXIF of a PNG may stand behind its pixels
    stood = of_image(image)
    if stood != 1:
        from PIL import ImageOps

        with contextlib.suppress(Exception):  # behind the turn, of other tags that are broken
            ImageOps.exif_transpose(image, in_place=True)
    return stood


def upright(array: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Return samples of shape (H, W, C) turned upright."""
    import numpy as np

    swapped, turned = _TURNS.get(orientation, _TURNS[1])
    return np.flip(array.swapaxes(0, 1) if swapped else array, turned)


def lying(
    rows: range, columns: range, shape: tuple[int, int], orientation: int
) -> tuple[range, range]:
    """Return the rows and columns of samples as they lie that make a rectangle of upright ones.

    `shape` is that of the whole picture, upright.
    """
    swapped, turned = _TURNS.get(orientation, _TURNS[1])
    found = [
        range(size - span.stop, size - span.start) if axis in turned else span
        for axis, (span, size) in enumerate(zip((rows, columns), shape, strict=True))
    ]
    return (found[1], found[0]) if swapped else (found[0], found[1])
