"""Pictures and image files made for the tests: by Pillow, or by hand, byte for byte."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 5, 7
# Pillow's mode, channels and type of sample of the plain pictures.
PLAIN = {
    "L": (0, np.uint8),
    "LA": (2, np.uint8),
    "RGB": (3, np.uint8),
    "RGBA": (4, np.uint8),
    "I;16": (0, np.uint16),
}


def samples(mode: str) -> np.ndarray:
    """Return different samples for every pixel of a small picture, not square."""
    channels, kind = PLAIN[mode]
    shape = (HEIGHT, WIDTH, channels) if channels else (HEIGHT, WIDTH)
    return np.random.default_rng(1).integers(0, np.iinfo(kind).max, shape, kind, endpoint=True)


def saved(image: Image.Image, name: str, **options) -> bytes:
    """Return an image as Pillow writes it."""
    out = io.BytesIO()
    image.save(out, name, **options)
    return out.getvalue()


def noise(mode: str = "RGB", size: tuple[int, int] = (WIDTH, HEIGHT)) -> Image.Image:
    """Return a picture whose file is not small."""
    return Image.frombytes(
        "RGB", size, np.random.default_rng(2).bytes(size[0] * size[1] * 3)
    ).convert(mode)


def chunk(kind: bytes, data: bytes, *, good: bool = True) -> bytes:
    """Write a chunk of a PNG, with its CRC or another."""
    check = struct.pack(">I", zlib.crc32(kind + data) ^ (not good))
    return struct.pack(">I", len(data)) + kind + data + check


def png(depth: int, colour: int, rows: np.ndarray, *, trns: bytes = b"", size=None) -> bytes:
    """Write a PNG by hand: bits a sample, colour type, and rows of samples of that depth."""
    height, width = rows.shape[:2]
    lines = b"".join(b"\0" + row.tobytes() for row in rows.astype(">u2" if depth > 8 else "u1"))
    header = struct.pack(">IIBBBBB", *(size or (width, height)), depth, colour, 0, 0, 0)
    chunks = [chunk(b"IHDR", header)]
    if trns:
        chunks.append(chunk(b"tRNS", trns))
    chunks += [chunk(b"IDAT", zlib.compress(lines)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def apng(
    size: tuple[int, int],
    colour: int,
    parts: list[tuple],
    *,
    more: bytes = b"",
    apart: bool = False,
) -> bytes:
    """Write an animated PNG by hand: parts of samples, x, y, how to dispose of them and to blend.

    With `apart` the first one is for viewers that show no animation.
    """
    control, pixels, number = [], [], 0
    for samples, *_ in parts:
        lines = b"".join(b"\0" + row.tobytes() for row in samples)
        pixels.append(zlib.compress(lines))
    for i, (samples, x, y, dispose, blend) in enumerate(parts):
        if i or not apart:
            h, w = samples.shape[:2]
            told = struct.pack(">IIIIIHHBB", number, w, h, x, y, i + 1, 10, dispose, blend)
            control.append(chunk(b"fcTL", told))
            number += 1
        if i:
            control.append(chunk(b"fdAT", struct.pack(">I", number) + pixels[i]))
            number += 1
        else:
            control.append(chunk(b"IDAT", pixels[i]))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, colour, 0, 0, 0))
    head += chunk(b"acTL", struct.pack(">II", len(parts) - apart, 3)) + more
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(control) + chunk(b"IEND", b"")


def tiff(bits: int, kind: int, rows: np.ndarray, order: str = "<") -> bytes:
    """Write a TIFF by hand: bits a sample, its kind (1 whole, 2 signed, 3 real), and samples."""
    height, width, *channels = rows.shape
    count = channels[0] if channels else 1
    data = rows.astype(rows.dtype.newbyteorder(order)).tobytes()
    after = 8 + len(data)
    tags = [
        (256, 4, [width]),
        (257, 4, [height]),
        (258, 3, [bits] * count),
        (259, 3, [1]),
        (262, 3, [2 if count > 2 else 1]),
        (273, 4, [8]),
        (277, 3, [count]),
        (278, 4, [height]),
        (279, 4, [len(data)]),
        *([(338, 3, [2])] if count in (2, 4) else []),
        (339, 3, [kind] * count),
    ]
    entries, further = b"", b""
    at = after + 2 + 12 * len(tags) + 4
    for tag, form, values in tags:
        packed = struct.pack(f"{order}{len(values)}{'H' if form == 3 else 'I'}", *values)
        if len(packed) > 4:
            value, further = struct.pack(order + "I", at + len(further)), further + packed
        else:
            value = packed.ljust(4, b"\0")
        entries += struct.pack(order + "HHI", tag, form, len(values)) + value
    return (
        struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, after)
        + data
        + struct.pack(order + "H", len(tags)) + entries + struct.pack(order + "I", 0) + further
    )  # fmt: skip


def deep(channels: int) -> np.ndarray:
    """Return 16-bit samples that 8 bits cannot hold."""
    return np.random.default_rng(3).integers(0, 65536, (HEIGHT, WIDTH, channels), np.uint16)
