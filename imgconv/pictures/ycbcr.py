"""Brightness and two differences (YCbCr) in TIFF, where no JPEG coder makes RGB of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imgconv.errors import ImageError
from imgconv.pictures.extras import library
from imgconv.pictures.picture import JPEG, YCBCR

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

COEFFICIENTS, REFERENCE = 529, 532
USUAL = 0.299, 0.587, 0.114
BYTES = (1, 5, 8, 32773, 32946, 34925, 50000)  # what packs any bytes: none, LZW, deflate, ...


def is_plain(page: Any) -> bool:
    """Return whether a page has such samples, and they come out of the decoder as they are."""
    whole = int(page.compression) not in JPEG or page.planarconfig == 2
    return int(page.photometric) == YCBCR and whole


def is_shared(page: Any) -> bool:
    """Return whether several pixels of a page share their differences."""
    return is_plain(page) and _shared(page) != (1, 1)


def refuse_other(page: Any) -> None:
    """Raise an error for a page whose samples would not be understood."""
    if not is_plain(page):
        return
    if int(page.compression) not in (*BYTES, *JPEG):
        coder = getattr(page.compression, "name", page.compression)
        raise ImageError(f"has YCbCr colours in {coder}, which is not read; make them RGB")
    odd = page.planarconfig == 2 or page.samplesperpixel != 3 or page.predictor != 1
    if page.bitspersample not in (8, 16) or (is_shared(page) and odd):
        raise ImageError("has YCbCr colours in a layout that is not read; make them RGB")


def _shared(page: Any) -> tuple[int, int]:
    """How many pixels across and down have the same differences; 2x2 where it is not said."""
    across, down = page.subsampling or (2, 2)
    return int(across), int(down)


def unpacked(page: Any, data: bytes | None, shape: tuple[int, int]) -> npt.NDArray[np.integer]:
    """Return the samples of a segment whose differences are shared, of shape (H, W, 3)."""
    import numpy as np

    kind = np.dtype(page.dtype).newbyteorder(page.parent.byteorder)
    if data is None:
        return np.zeros((*shape, 3), page.dtype)
    if page.compression != 1:
        tifffile = library("tifffile", "has YCbCr colours", cuttable=False)
        data = tifffile.TIFF.DECOMPRESSORS[page.compression](data)
    across, down = _shared(page)
    high, wide = -(-shape[0] // down), -(-shape[1] // across)
    # A unit is the brightness of its pixels, row by row, then the two differences of all.
    units = np.frombuffer(data, kind, high * wide * (across * down + 2)).reshape(high, wide, -1)
    bright = units[:, :, :-2].reshape(high, wide, down, across).swapaxes(1, 2)
    differences = units[:, :, -2:].repeat(down, axis=0).repeat(across, axis=1)
    found = np.dstack([bright.reshape(high * down, wide * across), differences])
    return found[: shape[0], : shape[1]].astype(page.dtype)


def whole(page: Any) -> npt.NDArray[np.integer]:
    """Return all samples of a page whose differences are shared."""
    import numpy as np

    size = page.imagelength, page.imagewidth
    high, wide = (
        (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, size[1])
    )
    out = np.zeros((*size, 3), page.dtype)
    file, across = page.parent.filehandle, -(-size[1] // wide)
    for i, (offset, count) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=True)):
        y, x = i // across * high, i % across * wide
        file.seek(offset)
        shape = (high, wide) if page.is_tiled else (min(high, size[0] - y), wide)
        found = unpacked(page, file.read(count) if count else None, shape)
        out[y : y + high, x : x + wide] = found[: size[0] - y, : size[1] - x]
    return out


def to_rgb(page: Any, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return red, green and blue of samples of a page, and what is beside them, by TIFF 6.0."""
    import numpy as np

    top = int(np.iinfo(array.dtype).max)
    half = (top + 1) // 2
    coded = _ratios(page, COEFFICIENTS) or list(USUAL)
    reference = _ratios(page, REFERENCE) or [0, top, half, top, half, top]
    full = [
        (array[:, :, i].astype(np.float64) - black) * (most / (white - black))
        for i, (black, white, most) in enumerate(
            zip(reference[::2], reference[1::2], (top, half - 1, half - 1), strict=True)
        )
    ]
    red = full[0] + full[2] * (2 - 2 * coded[0])
    blue = full[0] + full[1] * (2 - 2 * coded[2])
    green = (full[0] - coded[2] * blue - coded[0] * red) / coded[1]
    colours = np.rint(np.dstack([red, green, blue])).clip(0, top).astype(array.dtype)
    return np.dstack([colours, array[:, :, 3:]])


def _ratios(page: Any, tag: int) -> list[float]:
    """The numbers of a tag of ratios; none where it is not there."""
    said = page.tags.valueof(tag) or ()
    return [above / below for above, below in zip(said[::2], said[1::2], strict=True)]
