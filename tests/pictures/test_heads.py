"""What heads tell of pictures is what is decoded: how many, which channels, which kind and size."""

import io
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from imgconv.errors import ImageError
from imgconv.pictures import decode, heads
from imgconv.pictures.chunks import put_together
from imgconv.pictures.picture import Reading

NOISE = np.random.default_rng(7).integers(0, 256, (9, 14, 4), dtype=np.uint8)
DEEP = NOISE.astype(np.uint16) * 257
TURNED = Image.Exif()
TURNED[274] = 6


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    """Return an image file."""
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def of(mode: str) -> Image.Image:
    """Return noise in a mode of Pillow's."""
    if mode == "I;16":
        return Image.fromarray(DEEP[:, :, 0])
    if mode == "CMYK":
        return Image.frombytes(mode, (14, 9), NOISE.tobytes())
    return Image.fromarray(NOISE).convert(mode)


def several(mode: str, format: str, **options: object) -> bytes:
    """Return three frames, the second with parts that are as in the first."""
    frames = [of(mode), of(mode), of(mode).transpose(Image.Transpose.ROTATE_180)]
    frames[1].paste(0, (2, 2, 6, 5))
    return saved(frames[0], format, save_all=True, append_images=frames[1:], **options)


def deep_png(array: np.ndarray, *notes: tuple[bytes, bytes]) -> bytes:
    """Return a PNG of 16 bits with notes before its pixels."""
    data = imagecodecs.png_encode(np.ascontiguousarray(array))
    return data[:33] + put_together(*notes)[8:] + data[33:]


def tiff(array: np.ndarray, **options: object) -> bytes:
    """Return a TIFF of tifffile's."""
    out = io.BytesIO()
    tifffile.imwrite(out, array, **options)
    return out.getvalue()


def bmp(masks: tuple[int, ...]) -> bytes:
    """Return a BMP of 32 bits with masks."""
    head = struct.pack("<IiiHHIIiiII4I", 56, 14, 9, 1, 32, 3, 0, 0, 0, 0, 0, *masks)
    return struct.pack("<2sIII", b"BM", 0, 0, 14 + len(head)) + head + NOISE.tobytes()


def npy(array: np.ndarray) -> bytes:
    """Return an .npy."""
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><tiff:Orientation>6</tiff:Orientation></x:xmpmeta>"
BY_XMP = {"photometric": "rgb", "extratags": [(700, "B", len(XMP), XMP, True)]}
ROWS = zlib.compress(b"".join(b"\0" + row.tobytes() for row in NOISE))
FILES = {
    **{f"PNG {mode}": saved(of(mode), "PNG") for mode in ("1", "L", "LA", "RGB", "RGBA", "P")},
    **{f"TIFF {m}": saved(of(m), "TIFF") for m in ("1", "L", "LA", "RGB", "RGBA", "P", "CMYK")},
    **{f"JPEG {mode}": saved(of(mode), "JPEG") for mode in ("L", "RGB", "CMYK")},
    **{f"BMP {mode}": saved(of(mode), "BMP") for mode in ("1", "L", "RGB", "P")},
    **{f"PPM {mode}": saved(of(mode), "PPM") for mode in ("1", "L", "RGB", "I;16")},
    **{f"GIF {mode}": several(mode, "GIF") for mode in ("L", "RGB", "RGBA", "P")},
    **{f"APNG {mode}": several(mode, "PNG") for mode in ("L", "LA", "RGB", "RGBA", "P")},
    **{f"WebP {mode}": several(mode, "WEBP") for mode in ("RGB", "RGBA")},
    "gray through": saved(of("L"), "PNG", transparency=7),
    "colours through": saved(of("P"), "PNG", transparency=3),
    "one GIF through": saved(of("P"), "GIF", transparency=3),
    "apart": several("RGB", "PNG", default_image=True),
    "turned JPEG": saved(of("RGB"), "JPEG", exif=TURNED),
    "turned PNG": saved(of("RGB"), "PNG", exif=TURNED),
    "turned TIFF": saved(of("RGB"), "TIFF", exif=TURNED),
    "turned WebP": saved(of("RGB"), "WEBP", exif=TURNED),
    "turned APNG": several("RGB", "PNG", exif=TURNED),
    "turned behind": put_together(
        (b"IHDR", struct.pack(">IIBBBBB", 14, 9, 8, 6, 0, 0, 0)), (b"IDAT", ROWS),
        (b"eXIf", TURNED.tobytes().removeprefix(b"Exif\0\0")), (b"IEND", b""),
    ),
    "pages": several("RGB", "TIFF"),
    "deep gray": saved(of("I;16"), "PNG"),
    "deep gray through": deep_png(DEEP[:, :, 0], (b"tRNS", b"\0\7")),
    "deep gray alpha": deep_png(DEEP[:, :, :2]),
    "deep colours": deep_png(DEEP[:, :, :3]),
    "deep colours through": deep_png(DEEP[:, :, :3], (b"tRNS", b"\0\1\0\2\0\3")),
    "deep alpha": deep_png(DEEP),
    "PFM": saved(of("F"), "PPM"),
    "real TIFF": tiff(DEEP[:, :, 0].astype("float64")),
    "12 bits": tiff(DEEP[:, :, 0] >> 4, bitspersample=12, photometric="minisblack"),
    "deep TIFF": tiff(DEEP[:, :, :3], photometric="rgb"),
    "deep planes": tiff(np.moveaxis(DEEP, 2, 0)[:3], photometric="rgb", planarconfig="separate"),
    "turned deep TIFF": tiff(
        DEEP[:, :, :3], photometric="rgb", extratags=[(274, "H", 1, 8, True)]
    ),
    "turned by XMP": tiff(NOISE[:, :, :3], **BY_XMP),
    "deep turned by XMP": tiff(DEEP[:, :, :3], **BY_XMP),
    "deep pages": tiff(np.stack([DEEP[:, :, 0]] * 3), photometric="minisblack"),
    "strange TIFF": tiff(NOISE[:, :, :3], photometric="rgb", compression="jpeg2000"),
    "BMP with alpha": bmp((0xFF, 0xFF00, 0xFF0000, 0xFF000000)),
    "deep BMP": bmp((0x3FF, 0xFFC00, 0x3FF00000, 0)),
    "NPY": npy(NOISE),
    "NPY of reals": npy(NOISE[:, :, 0].astype("float64")),
    "NPY of columns": npy(np.asfortranarray(DEEP)),
    "CSV": b"1;2,5\n3;4\n",
    "no CSV": b"fat\n",
    "CSV of long lines": b"1," * 300 + b"1\n",
    "text behind numbers": b"1," * 300 + b"x\n",
}  # fmt: skip


def seen(picture, sizes) -> tuple[object, ...]:
    """Return all that heads may tell."""
    outlines = [(f.names, f.kind, size) for f, size in zip(picture.frames, sizes, strict=True)]
    return outlines, picture.format, picture.apart, bool(picture.durations)


@pytest.mark.parametrize("how", [Reading(), Reading(shallow=True), Reading(frame=1)])
@pytest.mark.parametrize("name", FILES)
def test_heads_tell_what_is_decoded(name, how):
    """Or refuse it in the same words."""
    found = []
    for look in (decoded, looked_at):
        try:
            found.append(look(FILES[name], how))
        except ImageError as error:
            found.append(str(error))
    assert found[0] == found[1]


def decoded(data: bytes, how: Reading) -> tuple[object, ...]:
    """Return what is decoded."""
    picture = decode.read(data, how)
    return seen(picture, [frame.size for frame in picture.frames])


def looked_at(data: bytes, how: Reading) -> tuple[object, ...]:
    """Return what heads tell."""
    return seen(*heads.read(io.BytesIO(data), how))
