"""Files whose heads say more than is there: each count that we read at its greatest, by hand.

Each is made as bytes, so that no library has to agree with what they say.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import struct
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

Make = Callable[[Path], None]
MOST31, MOST32, MOST64 = 2**31 - 1, 2**32 - 1, 2**64 - 1
WIDE, HIGH = 20_000, 25_000  # 500 million pixels, as many as are allowed
DEEP = 100_000  # how far things are nested
MANY = 20_000  # frames, pages, chunks


class Bomb(NamedTuple):
    """A file of a name, what makes it, and what comes of it: an exit code.

    `options` stand in the command beside the file; a `kernel` is what the file is.
    """

    name: str
    ending: str
    make: Make
    code: int = 1
    options: tuple[str, ...] = ()
    kernel: bool = False


def written(data: bytes) -> Make:
    """Return what writes a file of such bytes."""

    def write(path: Path) -> None:
        path.write_bytes(data)

    return write


def zeros(count: int) -> bytes:
    """Return so many megabytes of zeros, deflated, without ever having them."""
    packer = zlib.compressobj(9)
    head, block = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH), bytes(1 << 20)
    one = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)  # each is like the others
    check = struct.pack(">HH", (count << 20) % 65521, 1)
    return head + one * count + b"\x03\0" + check


# PNG


def chunk(kind: bytes, data: bytes = b"", length: int | None = None) -> bytes:
    """Return a chunk of a PNG, which may say another length."""
    size = struct.pack(">I", len(data) if length is None else length)
    return size + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def ihdr(width: int, height: int, depth: int = 8, colour: int = 0) -> bytes:
    """Return the head of a PNG."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))


def png(*chunks: bytes) -> bytes:
    """Return a PNG of such chunks."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + chunk(b"IEND")


PIXEL = chunk(b"IDAT", zlib.compress(bytes(2)))  # of a PNG of one gray pixel
DOT = ihdr(1, 1)


def frame(number: int, width: int = 1, height: int = 1, left: int = 0, top: int = 0) -> bytes:
    """Return what an animated PNG says of a frame."""
    return chunk(b"fcTL", struct.pack(">5IHHBB", number, width, height, left, top, 1, 1, 0, 0))


def animated(count: int, *chunks: bytes) -> bytes:
    """Return a PNG of one pixel that says that it has so many frames."""
    return png(DOT, chunk(b"acTL", struct.pack(">II", count, 0)), *chunks)


def pngs() -> Iterator[Bomb]:
    """Yield bombs in PNG."""
    tiny = chunk(b"IDAT", zlib.compress(bytes(100)))
    first = frame(0) + PIXEL

    def bomb(name: str, data: bytes, code: int = 1) -> Bomb:
        return Bomb(f"PNG {name}", ".png", written(data), code)

    for colour, depth in ((2, 16), (6, 8), (3, 8)):
        palette = chunk(b"PLTE", bytes(3)) if colour == 3 else b""
        yield bomb(
            f"sides {colour}/{depth}", png(ihdr(MOST31, MOST31, depth, colour), palette, tiny)
        )
        yield bomb(f"500 Mpx {colour}/{depth}", png(ihdr(WIDE, HIGH, depth, colour), palette, tiny))
    padded = zlib.compress(bytes(100)) + bytes(70_000)
    yield bomb("500 Mpx, IDAT padded", png(ihdr(WIDE, HIGH, 8, 6), chunk(b"IDAT", padded)))
    yield bomb("acTL", animated(MOST32, first))
    yield bomb("acTL, no frame", animated(MOST32, PIXEL))
    yield bomb("acTL empty", png(DOT, chunk(b"acTL"), first))
    yield bomb("acTL late", png(DOT, PIXEL, chunk(b"acTL", struct.pack(">II", MOST32, 0))), 0)
    second = chunk(b"fdAT", struct.pack(">I", 2) + zlib.compress(bytes(2)))
    for place in ((MOST32, MOST32), (1, 1, MOST32, MOST32), (0, 0)):
        yield bomb(f"fcTL {place}", animated(2, first, frame(1, *place), second))
    yield bomb("fcTL first", animated(2, frame(0, MOST32, MOST32), PIXEL, frame(1), second))
    yield bomb("fdAT", animated(2, first, frame(1), chunk(b"fdAT", struct.pack(">I", MOST32))))
    canvas = chunk(b"acTL", struct.pack(">II", 2, 0)), frame(0, WIDE, HIGH), tiny
    yield bomb("canvas", png(ihdr(WIDE, HIGH, 8, 6), *canvas, frame(1), second))
    for kind in (b"IDAT", b"tEXt", b"fcTL"):
        data = png(DOT, PIXEL, chunk(kind, b"", MOST32))
        yield bomb(f"{kind.decode()} of 4 GB", data, 0 if kind == b"tEXt" else 1)
    giant = zeros(1000)
    notes = {
        b"iCCP": b"x\0\0" + giant,
        b"zTXt": b"x\0\0" + giant,
        b"iTXt": b"x\0\1\0\0\0" + giant,
    }
    for kind, data in notes.items():
        yield bomb(f"{kind.decode()} of 1 GB", png(DOT, chunk(kind, data), PIXEL), 0)
    yield bomb("IDAT of 1 GB", png(DOT, chunk(b"IDAT", giant)), 0)
    yield bomb("16-bit IDAT of 200 MB", png(ihdr(1, 1, 16, 2), chunk(b"IDAT", zeros(200))), 0)
    text = b"".join(chunk(b"zTXt", b"%d\0\0" % i + zeros(32)) for i in range(50))
    yield bomb("50 zTXt of 32 MB", png(DOT, text, PIXEL), 0)
    yield bomb("chunks", png(DOT, chunk(b"tEXt", b"a\0b") * MANY, PIXEL), 0)
    yield bomb("PLTE", png(ihdr(1, 1, 8, 3), chunk(b"PLTE", bytes(3 << 20)), PIXEL))
    exif = b"MM\0*\0\0\0\x08" + overlapping(">", 5000) + bytes(1 << 20)
    yield bomb("eXIf overlapping", png(DOT, chunk(b"eXIf", exif), PIXEL), 0)
    spaces = b"XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta>" + b" " * 1_000_000 + b"</x:xmpmeta>"
    yield bomb("XMP of spaces", png(DOT, chunk(b"iTXt", spaces), PIXEL), 0)
    laughs = b"".join(b'<!ENTITY a%d "%s">' % (i, b"&a%d;" % (i - 1) * 10) for i in range(1, 30))
    xmp = b"XML:com.adobe.xmp\0\0\0\0\0<!DOCTYPE x [%s]><x:xmpmeta>&a29;</x:xmpmeta>" % laughs
    yield bomb("XMP of entities", png(DOT, chunk(b"iTXt", xmp), PIXEL), 0)


def overlapping(order: str, count: int) -> bytes:
    """Return a directory of so many tags, each of which claims the same megabyte."""
    entries = [struct.pack(f"{order}HHII", 50000 + i, 7, 1 << 20, 8) for i in range(count)]
    return struct.pack(f"{order}H", count) + b"".join(entries) + bytes(4)


# GIF


def gif(width: int, height: int, *parts: bytes) -> bytes:
    """Return a GIF of two colours with such parts."""
    return (
        b"GIF89a"
        + struct.pack("<HHBBB", width, height, 0x80, 0, 0)
        + bytes(6)
        + b"".join(parts)
        + b";"
    )


def image(width: int, height: int, left: int = 0, top: int = 0, data: bytes = b"\2\x44\1") -> bytes:
    """Return a frame of a GIF, whose codes are those of one pixel."""
    return b"," + struct.pack("<4HB", left, top, width, height, 0) + b"\2" + data + b"\0"


def gifs() -> Iterator[Bomb]:
    """Yield bombs in GIF."""

    def bomb(name: str, data: bytes, code: int = 1) -> Bomb:
        return Bomb(f"GIF {name}", ".gif", written(data), code)

    one = image(1, 1)
    yield bomb("canvas", gif(65535, 65535, one))
    yield bomb("500 Mpx", gif(WIDE, HIGH, one))
    yield bomb("400 Mpx", gif(WIDE, WIDE, one))
    yield bomb("frame", gif(1, 1, image(65535, 65535)))
    yield bomb("frame of 500 Mpx", gif(1, 1, image(WIDE, HIGH)))
    yield bomb("frame far off", gif(1, 1, image(1, 1, WIDE - 1, HIGH - 1)))
    yield bomb("frames of 6000x6000", gif(6000, 6000, *[one] * 10))
    yield bomb("frames", gif(6000, 6000, *[one] * MANY))
    yield bomb("no frame", gif(WIDE, HIGH))
    yield bomb("comment", gif(1, 1, b"!\xfe" + (b"\xff" + b" " * 255) * 10_000 + b"\0", one), 0)


# TIFF

TIFF_TAGS = {256: 1, 257: 1, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 1, 279: 1}


def directory(tags: dict[int, object], following: int = 0, *, big: bool = False) -> bytes:
    """Return a directory of such tags: a number, or a kind, a count and a number."""
    entries = []
    for tag, said in sorted(tags.items()):
        kind, count, value = said if isinstance(said, tuple) else (4, 1, said)
        entries.append(struct.pack("<HHQQ" if big else "<HHII", tag, kind, count, value))
    head = struct.pack("<Q" if big else "<H", len(entries))
    return head + b"".join(entries) + struct.pack("<Q" if big else "<I", following)


def tiff(tags: dict[int, object] | None = None, *, big: bool = False, data: bytes = b"") -> bytes:
    """Return a TIFF of one pixel, whose tags may say other things; data stand at 256."""
    head = b"II+\0\x08\0\0\0" + struct.pack("<Q", 16) if big else b"II*\0" + struct.pack("<I", 8)
    said = TIFF_TAGS | (tags or {})
    found = directory({t: v for t, v in said.items() if v is not None}, big=big)
    return (head + found).ljust(256, b"\0") + data


def tiffs() -> Iterator[Bomb]:
    """Yield bombs in TIFF."""

    def bomb(name: str, data: bytes, code: int = 1, *options: str) -> Bomb:
        return Bomb(f"TIFF {name}", ".tif", written(data), code, options)

    sides = {256: MOST32, 257: MOST32}
    yield bomb("sides", tiff(sides))
    yield bomb("sides, one strip", tiff(sides | {278: MOST32, 279: MOST32}))
    large: dict[int, object] = {256: WIDE, 257: HIGH, 278: HIGH, 273: 256, 279: 10}
    for name, number in (
        ("none", 1), ("fax", 3), ("LZW", 5), ("JPEG", 7), ("deflate", 8), ("PackBits", 32773),
        ("LZMA", 34925), ("zstd", 50000), ("WebP", 50001),
    ):  # fmt: skip
        data = zlib.compress(bytes(1000))
        yield bomb(f"500 Mpx in {name}", tiff(large | {259: number, 279: len(data)}, data=data))
    yield bomb("500 Mpx, BigTIFF", tiff(large | {259: 8}, data=bytes(100), big=True))
    deep = {258: (3, 1, 16), 262: 2, 277: 3}
    data = zlib.compress(bytes(1000))
    yield bomb("500 Mpx RGB 16", tiff(large | deep | {259: 8, 279: len(data)}, data=data))
    tiles = {273: None, 278: None, 279: None, 259: 8, 324: 256, 325: len(data)}
    tiled = large | tiles
    del tiled[278]
    yield bomb("tile of 500 Mpx", tiff(tiled | {322: WIDE, 323: 25008}, data=data))
    yield bomb("tile sides", tiff(tiles | {322: MOST31 - 15, 323: MOST31 - 15}, data=data))
    yield bomb("tile sides 32", tiff(tiles | {322: MOST32, 323: MOST32}, data=data))
    for tag in (258, 273, 279, 320, 339, 338, 347, 330, 700, 34675, 270, 33550, 34735, 529, 65000):
        code = 0 if tag in (330, 700, 34675, 270, 33550, 34735, 65000) else 1
        big, most = (True, MOST64) if tag % 2 else (False, MOST32)
        yield bomb(f"tag {tag} of {most}", tiff({tag: (4, most, 0)}, big=big), code)
    yield bomb("samples a pixel", tiff({277: 65535}))
    yield bomb("samples a pixel, planes", tiff({277: 65535, 284: 2}))
    yield bomb("bits", tiff({258: (3, 1, 65535)}))
    yield bomb("strip's bytes", tiff({279: MOST32}), 0)
    yield bomb("strip's bytes, deflate", tiff({279: MOST32, 259: 8}))
    yield bomb("strip's place", tiff({273: MOST32}))
    giant = zeros(1000)
    strip = {259: 8, 279: len(giant)}
    yield bomb("strip of 1 GB", tiff(strip, data=giant))
    yield bomb("strip of 1 GB, 16 bits", tiff(strip | deep, data=giant))
    yield bomb("strip of 1 GB, pieces", tiff(strip, data=giant), 1, "--tile", "64")
    yield bomb("entries", b"II*\0\x08\0\0\0" + struct.pack("<H", 65535))
    yield bomb("entries, BigTIFF", b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, MOST64))
    yield bomb("directories upon each other", upon_each_other())
    yield bomb("tags upon each other", tags_upon_each_other(), 0)
    yield bomb("circle", b"II*\0\x08\0\0\0" + directory(TIFF_TAGS, 8) + bytes(200), 0)
    yield bomb("SubIFD circle", tiff({330: 8}), 0)
    yield bomb("EXIF circle", tiff({34665: 8}), 0)
    yield bomb("pages", pages(MANY // 4))
    spaces = b"<x:xmpmeta>" + b" " * 1_000_000 + b"</x:xmpmeta>"
    yield bomb("XMP of spaces", tiff({700: (7, len(spaces), 256)}, data=spaces), 0)
    for name, each in (("Pixels", b"<Pixels "), ("Channel", b"<Channel "), ("UUID", b"<UUID "),
                       ("OME", b"<OME ")):  # fmt: skip
        text = b"<OME>" + each * 200_000 + b"</OME>\0"
        yield bomb(f"OME of {name}", tiff({270: (2, len(text), 256)}, data=text), 0)
    text = b"ImageJ=1.5\nimages=999999999\nslices=999999999\n\0"
    yield bomb("ImageJ", tiff({270: (2, len(text), 256)}, data=text), 0)
    digits = b'<OME><Pixels SizeC="%s" SizeX="9"/></OME>\0' % (b"9" * 1_000_000)
    yield bomb("OME of digits", tiff({270: (2, len(digits), 256)}, data=digits), 0)


def upon_each_other() -> bytes:
    """Return a TIFF of 4,000 directories of 65,535 entries, each of which begins in another."""
    count, most, first = 4000, 65535, 1000
    entry = struct.pack("<HHII", 65000, 1, 1, 0)
    data = bytearray(struct.pack("<2sHI", b"II", 42, first).ljust(first) + bytes(2))
    data += entry * (most + 2 * count)
    for at in range(first, first + 12 * count, 12):
        struct.pack_into("<H", data, at, most)  # in the value of an entry
        struct.pack_into("<I", data, at + 2 + most * 12, at + 12)  # for a tag
    return bytes(data)


def tags_upon_each_other() -> bytes:
    """Return a TIFF of 10,000 tags, all of which claim the same megabytes."""
    tags: dict[int, object] = {**TIFF_TAGS, **{33000 + i: (7, 1 << 22, 8) for i in range(10_000)}}
    return b"II*\0\x08\0\0\0" + directory(tags) + bytes(1 << 22)


def pages(count: int) -> bytes:
    """Return a TIFF of so many pages of 6,000 pixels squared, which have a byte each."""
    tags: dict[int, object] = TIFF_TAGS | {256: 6000, 257: 6000, 278: 6000, 259: 8, 279: 1}
    size = len(directory(tags))
    parts = [directory(tags, 8 + (i + 1) * size if i + 1 < count else 0) for i in range(count)]
    return b"II*\0\x08\0\0\0" + b"".join(parts)


# JPEG


def segment(marker: int, data: bytes, length: int | None = None) -> bytes:
    """Return a segment of a JPEG, which may say another length."""
    size = len(data) + 2 if length is None else length
    return struct.pack(">BBH", 255, marker, size) + data


def jpeg(
    width: int, height: int, *segments: bytes, start: int = 0xC0, scans: int = 1, parts: int = 1
) -> bytes:
    """Return a gray JPEG that ends where its codes begin."""
    kinds = b"".join(bytes([i + 1, 0x11, 0]) for i in range(parts))
    frame = segment(start, struct.pack(">BHHB", 8, height, width, parts) + kinds)
    tables = segment(0xDB, bytes(1) + bytes([1] * 64))
    codes = b"\0\1" + bytes(15) + b"\0"
    huffman = segment(0xC4, b"\0" + codes[1:]) + segment(0xC4, b"\x10" + codes[1:])
    last = b"\0\0\0" if start == 0xC2 else b"\0\x3f\0"
    each = b"".join(bytes([i + 1, 0]) for i in range(parts))
    scan = segment(0xDA, bytes([parts]) + each + last) + bytes(10)
    return b"\xff\xd8" + b"".join(segments) + tables + frame + huffman + scan * scans + b"\xff\xd9"


def jpegs() -> Iterator[Bomb]:
    """Yield bombs in JPEG."""

    def bomb(name: str, data: bytes, code: int = 1) -> Bomb:
        return Bomb(f"JPEG {name}", ".jpg", written(data), code)

    whole = jpeg(8, 8)
    yield bomb("sides", jpeg(65535, 65535))
    yield bomb("500 Mpx", jpeg(WIDE, HIGH))
    yield bomb("500 Mpx in colour", jpeg(WIDE, HIGH, parts=3))
    yield bomb("500 Mpx, progressive", jpeg(WIDE, HIGH, start=0xC2))
    yield bomb("500 Mpx, arithmetic", jpeg(WIDE, HIGH, start=0xC9))
    yield bomb("scans", jpeg(4000, 4000, start=0xC2, scans=20_000))
    yield bomb("APP1 of 65535", whole[:2] + segment(0xE1, b"Exif\0\0", 65535) + whole[2:])
    icc = [
        segment(0xE2, b"ICC_PROFILE\0" + bytes([i % 255 + 1, 255]) + bytes(65000))
        for i in range(510)
    ]
    yield bomb("ICC of 255 parts, twice", jpeg(8, 8, *icc), 0)
    parts = segment(0xE2, b"ICC_PROFILE\0\1\xff" + bytes(10))
    yield bomb("ICC of one of 255 parts", jpeg(8, 8, parts), 0)
    mpo = struct.pack(">HHHIIHHIIHHII", 3, 0xB000, 7, 4, 0x30313030, 0xB001, 4, 1, MOST32,
                      0xB002, 7, MOST32, 50)  # fmt: skip
    yield bomb("MPO", jpeg(8, 8, segment(0xE2, b"MPF\0MM\0*\0\0\0\x08" + mpo + bytes(4))), 0)
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", 65535)
    yield bomb("EXIF entries", jpeg(8, 8, segment(0xE1, exif)), 0)
    claims = struct.pack(">HHHII", 1, 37500, 7, MOST32, 8) + bytes(4)
    yield bomb("EXIF claims", jpeg(8, 8, segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x08" + claims)), 0)
    circle = struct.pack(">HHHII", 1, 34665, 4, 1, 8) + bytes(4)
    yield bomb("EXIF circle", jpeg(8, 8, segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x08" + circle)), 0)


# WebP


def riff(*parts: bytes, size: int | None = None) -> bytes:
    """Return a WebP of such parts, which may say another size."""
    data = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(data) if size is None else size) + data


def part(kind: bytes, data: bytes, size: int | None = None) -> bytes:
    """Return a chunk of a WebP, which may say another size."""
    told = struct.pack("<I", len(data) if size is None else size)
    return kind + told + data + bytes(len(data) % 2)


def lossless(width: int, height: int) -> bytes:
    """Return the lossless data of one colour: no bit a pixel."""
    bits = width - 1 | height - 1 << 14 | 0 << 28
    head, at = b"\x2f" + struct.pack("<I", bits), 0
    # No transform, no cache, no groups; five codes of one symbol of one bit, 0.
    tail = 0
    at = 3
    for _ in range(5):
        tail |= 1 << at
        at += 4
    return head + tail.to_bytes(8, "little")


def lossy(width: int, height: int) -> bytes:
    """Return the head of lossy data, and few of these."""
    return b"\x10\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height) + bytes(30)


def uint24(value: int) -> bytes:
    """Return a number of three bytes."""
    return struct.pack("<I", value)[:3]


def webps() -> Iterator[Bomb]:
    """Yield bombs in WebP."""

    def bomb(name: str, data: bytes, code: int = 1) -> Bomb:
        return Bomb(f"WebP {name}", ".webp", written(data), code)

    yield bomb("sides, lossy", riff(part(b"VP8 ", lossy(16383, 16383))))
    yield bomb("sides, lossless", riff(part(b"VP8L", lossless(16384, 16384))))
    extended = b"\2\0\0\0" + uint24(16382) * 2
    anim = part(b"ANIM", bytes(6))
    dot = part(b"VP8L", lossless(1, 1))
    anmf = part(b"ANMF", uint24(0) * 2 + uint24(0) * 2 + uint24(1) + b"\0" + dot)
    yield bomb("canvas", riff(part(b"VP8X", extended), anim, anmf))
    yield bomb("canvas of 2^24", riff(part(b"VP8X", b"\2\0\0\0" + b"\xff" * 6), anim, anmf))
    wide = b"\2\0\0\0" + uint24(5999) * 2
    yield bomb("frames", riff(part(b"VP8X", wide), anim, anmf * MANY))
    yield bomb("frames of 6000x6000", riff(part(b"VP8X", wide), anim, anmf * 10))
    yield bomb("size", riff(part(b"VP8L", lossless(1, 1)), size=MOST32 - 1))
    yield bomb("part", riff(part(b"VP8L", lossless(1, 1), MOST32 - 1)))
    exif = part(b"EXIF", b"MM\0*\0\0\0\x08" + overlapping(">", 5000) + bytes(1 << 20))
    flags = part(b"VP8X", b"\x08\0\0\0" + bytes(6))
    yield bomb("EXIF overlapping", riff(flags, dot, exif), 0)
    for kind, flag in ((b"ICCP", 0x20), (b"EXIF", 8), (b"XMP ", 4)):
        flags = part(b"VP8X", bytes([flag, 0, 0, 0]) + bytes(6))
        before, after = part(kind, b"", MOST32 - 1), dot
        if kind != b"ICCP":
            before, after = after, before
        yield bomb(f"{kind.decode()} of 4 GB", riff(flags, before, after))


# BMP, PNM, PFM


def bmp(width: int, height: int, bits: int = 24, kind: int = 0, **said: int) -> bytes:
    """Return a BMP with a few bytes of pixels."""
    offset, colours, size = said.get("offset", 54), said.get("colours", 0), said.get("size", 40)
    head = struct.pack("<IiiHHIIiiII", size, width, height, 1, bits, kind, 0, 0, 0, colours, 0)
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, offset) + head + bytes(64)


def others() -> Iterator[Bomb]:
    """Yield bombs in BMP and PNM."""

    def bomb(name: str, ending: str, data: bytes, code: int = 1) -> Bomb:
        return Bomb(name, ending, written(data), code)

    for bits, kind in ((24, 0), (32, 3), (16, 0), (8, 1)):
        yield bomb(f"BMP sides {bits}/{kind}", ".bmp", bmp(MOST31, MOST31, bits, kind))
        yield bomb(f"BMP 500 Mpx {bits}/{kind}", ".bmp", bmp(WIDE, -HIGH, bits, kind))
    yield bomb("BMP colours", ".bmp", bmp(1, 1, 8, colours=MOST32))
    yield bomb("BMP offset", ".bmp", bmp(1, 1, offset=MOST32))
    yield bomb("BMP head", ".bmp", bmp(1, 1, size=MOST32))
    for kind in (2, 4, 6):
        for sides in (f"{WIDE} {HIGH}", f"{MOST31} {MOST31}", "9" * 10_000_000):
            deepest = {1: "", 4: ""}.get(kind, "\n255")
            head = f"P{kind}\n{sides}{deepest}\n".encode()
            yield bomb(f"P{kind} of {sides[:20]}", ".ppm", head + b"1 " * 10)
    yield bomb("P5 maximum", ".pgm", b"P5\n1 1\n" + b"9" * 1_000_000 + b"\n\0\0")
    yield bomb("P2 number", ".pgm", b"P2\n1 1\n255\n" + b"9" * 10_000_000 + b"\n")
    yield bomb("P5 comment", ".pgm", b"P5\n#" + b" " * 300_000 + b"\n1 1\n255\n\0", 0)
    yield bomb("P7", ".pnm", b"P7\nWIDTH 20000\nHEIGHT 25000\nDEPTH 4\nMAXVAL 255\nENDHDR\n\0")
    for sides in (f"{WIDE} {HIGH}", f"{MOST31} {MOST31}"):
        yield bomb(f"PFM of {sides}", ".pfm", f"Pf\n{sides}\n-1.0\n".encode() + bytes(40))
    yield bomb("PFM scale", ".pfm", b"Pf\n1 1\n-" + b"9" * 1_000_000 + b"\n" + bytes(4))


# Arrays


def npy(shape: str, kind: str = "|u1", length: int | None = None, version: int = 1) -> bytes:
    """Return an .npy that says such a shape, and has ten bytes."""
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    size = struct.pack("<H" if version == 1 else "<I", len(text) if length is None else length)
    return b"\x93NUMPY" + bytes([version, 0]) + size + text + bytes(10)


SHAPES = (
    "(1000000000, 1000000000)",
    f"({2**63}, {2**63})",
    "(1000000000, 0)",
    "(0, 1000000000)",
    "(-1000000000, -1)",
    "()",
    f"({'1, ' * 64})",
    f"({'1, ' * 2000})",
    f"({'9' * 5000},)",
    f"{'(' * 5000}",
    "(1000000000, 1, 1, 1)",
    "(1, 1, 1000000000)",
)


def arrays() -> Iterator[Bomb]:
    """Yield bombs in .npy and CSV."""

    def bomb(name: str, ending: str, data: bytes, code: int = 1, *options: str) -> Bomb:
        return Bomb(name, ending, written(data), code, options)

    for shape in SHAPES:
        yield bomb(f"NPY {shape[:30]}", ".npy", npy(shape))
    yield bomb("NPY of 2^32 bytes of head", ".npy", npy("(1, 1)", length=MOST32, version=2))
    yield bomb("NPY of one text", ".npy", npy("()", f"<U{MOST31 // 4}"))
    yield bomb("NPY of many", ".npy", npy("(1000000000, 1, 1)"), 1, "--axes", "NHW")
    yield bomb("NPY of many of none", ".npy", npy("(1000000000, 0, 1)"), 1, "--axes", "NHW")
    yield bomb("CSV of a number", ".csv", b"9" * 3_000_000 + b"\n", 0)
    yield bomb("CSV of a small number", ".csv", b"." + b"0" * 3_000_000 + b"1\n", 0)
    yield bomb("CSV of a great exponent", ".csv", b"1e" + b"9" * 3_000_000 + b"\n", 0)
    yield bomb("CSV of a long line", ".csv", b"1," * 300_000 + b"x\n")
    yield bomb("CSV of many lines", ".csv", b"1\n" * 150_000 + b"x\n")


# .zarr


def zarr(**said: object) -> Make:
    """Return what makes an array's folder, of one chunk that has four bytes."""
    usual: dict[str, object] = {
        "zarr_format": 3, "node_type": "array", "shape": [1, 1], "data_type": "uint8",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1, 1]}},
        "chunk_key_encoding": {"name": "default"}, "fill_value": 0,
        "codecs": [{"name": "bytes"}], "attributes": {},
    }  # fmt: skip
    return folder({"zarr.json": json.dumps(usual | said).encode(), "c/0/0": bytes(4)})


def older(**said: object) -> Make:
    """Return what makes an older array's folder."""
    usual: dict[str, object] = {
        "zarr_format": 2, "shape": [1, 1], "chunks": [1, 1], "dtype": "|u1", "fill_value": 0,
        "order": "C", "compressor": None, "filters": None,
    }  # fmt: skip
    return folder({".zarray": json.dumps(usual | said).encode(), "0.0": bytes(4)})


def folder(files: dict[str, bytes]) -> Make:
    """Return what makes a folder of such files."""

    def make(path: Path) -> None:
        for name, data in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(data)

    return make


def regular(*sides: int) -> dict[str, object]:
    """Return the chunks of an array, all of such a shape."""
    return {"name": "regular", "configuration": {"chunk_shape": list(sides)}}


def zarrs() -> Iterator[Bomb]:
    """Yield bombs in .zarr."""

    def bomb(name: str, make: Make, code: int = 1) -> Bomb:
        return Bomb(f"zarr {name}", ".zarr", make, code)

    billion = 10**9
    for name, shape, chunks in (
        ("of chunks", [billion, billion], [1, 1]),
        ("of rows", [billion, billion], [1, billion]),
        ("in one chunk", [billion, billion], [billion, billion]),
        ("of planes", [billion, 1, 1], [1, 1, 1]),
        ("of channels", [1, 1, billion], [1, 1, 1]),
        ("of 2^63", [2**63, 2**63], [1, 1]),
        ("of many digits", [10**4000, 1], [1, 1]),
        ("of 500 Mpx in one chunk", [WIDE, HIGH], [WIDE, HIGH]),
        ("of one pixel in a chunk", [1, 1], [billion, billion]),
        ("of no chunk", [1, 1], [0, 0]),
        ("of many axes", [1] * 10_000, [1] * 10_000),
    ):
        yield bomb(name, zarr(shape=shape, chunk_grid=regular(*chunks)))
    yield bomb("older", older(shape=[billion, billion], chunks=[billion, billion]))
    yield bomb("of many planes, older", older(shape=[billion, 1, 1], chunks=[1, 1, 1]))
    inner = {"name": "sharding_indexed", "configuration": {
        "chunk_shape": [1, 1], "codecs": [{"name": "bytes"}],
        "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
    }}  # fmt: skip
    yield bomb("of shards", zarr(
        shape=[billion, billion], chunk_grid=regular(billion, billion), codecs=[inner]
    ))  # fmt: skip
    yield bomb("nested", folder({"zarr.json": b"[" * DEEP}))
    yield bomb("nested attributes", folder({"zarr.json": b'{"attributes":' * DEEP}))
    yield bomb("of digits", folder({"zarr.json": b'{"zarr_format": %s}' % (b"9" * 1_000_000)}))
    gz = {"name": "gzip", "configuration": {"level": 9}}
    data = b"\x1f\x8b\x08" + bytes(7) + zeros(300)[2:-4] + bytes(8)

    def gzipped(path: Path) -> None:
        zarr(codecs=[{"name": "bytes"}, gz])(path)
        (path / "c/0/0").write_bytes(data)

    yield bomb("gzip of 300 MB", gzipped)

    def zstandard(path: Path) -> None:
        zstd = {"name": "zstd", "configuration": {"level": 1, "checksum": False}}
        zarr(codecs=[{"name": "bytes"}, zstd])(path)
        head = b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 1 << 40) + b"\1\0\0"
        (path / "c/0/0").write_bytes(head)

    yield bomb("zstd of 1 TB", zstandard)

    def blosc(path: Path) -> None:
        older(
            compressor={"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0}
        )(path)
        (path / "0.0").write_bytes(struct.pack("<4BIII", 2, 1, 0x21, 1, MOST31, MOST31, 16))

    yield bomb("blosc of 1 GB", blosc)


# Kernels


def kernels() -> Iterator[Bomb]:
    """Yield bombs for which -k names a file, and texts that -k is."""

    def file(name: str, ending: str, data: bytes) -> Bomb:
        return Bomb(f"-k {name}", ending, written(data), 2, kernel=True)

    def text(name: str, spec: str) -> Bomb:
        return Bomb(f"-k {name}", "", folder({}), 2, ("-k", spec))

    for shape in SHAPES:
        yield file(f"NPY {shape[:30]}", ".npy", npy(shape))
    yield file("NPY of 2^32 bytes of head", ".npy", npy("(1, 1)", length=MOST32, version=2))
    yield file("NPY of one text", ".npy", npy("()", f"<U{MOST31 // 4}"))
    yield file("NPY of texts of nothing", ".npy", npy("(1000000000,)", "|V0"))
    million = b"9" * 900_000
    for ending, before, after in (
        (".csv", b"", b""),
        (".mat", b"", b""),
        (".mat", b"1 1 ", b"\n1"),
        (".json", b"[[", b"]]"),
        (".json", b"[[1e", b"]]"),
        (".toml", b"[a]\nweights = [[", b"]]"),
        (".toml", b"[a]\nweights = [[1e", b"]]"),
        (".toml", b"[a]\nweights = [[0x", b"]]"),
    ):
        yield file(f"digits in {ending} {before.decode()[-4:]}", ending, before + million + after)
    for ending, data in (
        (".json", b"[" * DEEP),
        (".json", b'{"weights":' * DEEP),
        (".toml", b"[a]\nweights = " + b"[" * DEEP),
        (".toml", b"[" + b"a." * DEEP + b"a]\nb = 1"),
        (".toml", (b"a." * 500 + b"b%d = 1\n") * 900),
        (".toml", b"[a]\nweights = {" + b"a = {" * DEEP),
        (".csv", b"1," * 4_000_000),
        (".mat", b"99999999 99999999\n1"),
    ):
        yield file(f"{data[:20]!r} in {ending}", ending, data)
    for spec in (
        "[" * DEEP, "[[1e999999999]]", "1e999999999", "9" * DEEP, "1," * 50_000 + "1",
        "gaussian(sigma=1e300)", "gaussian(sigma=2,size=1000000000)", "box(size=1000000000)",
        f"box(size={'9' * 5000})", "disk(radius=1e9)", "motion(length=1000000000)",
        "99999999x99999999: 1", "999999999:1", f"gaussian({'(' * DEEP}", "binomial(size=999999999)",
        "convolution=" + "0m='" + "1 " * 50_000 + "'",
    ):  # fmt: skip
        yield text(spec[:30], spec)


KINDS = (pngs, gifs, tiffs, jpegs, webps, others, arrays, zarrs, kernels)


# What runs the program and measures it: a process that has imported what takes long, and forks.

MOST_MEMORY, MOST_SECONDS = 1 << 30, 10


def serve() -> None:
    """Run the program for each line of arguments on stdin, as JSON, and print what became of it."""
    import numpy  # noqa: F401
    import tifffile  # noqa: F401
    import zarr  # noqa: F401

    from imgconv import __main__ as program
    from imgconv.cli.main import main

    with tempfile.TemporaryFile() as err, tempfile.NamedTemporaryFile(suffix=".png") as dot:
        dot.write(png(DOT, PIXEL))
        dot.flush()
        with contextlib.redirect_stdout(io.StringIO()):
            main(["apply", dot.name, "-k", "blur", "-n"])  # imports the rest
        for line in sys.stdin:
            err.seek(0)
            err.truncate()
            if not (child := os.fork()):
                nothing = os.open(os.devnull, os.O_RDWR)
                for number, file in enumerate((nothing, nothing, err.fileno())):
                    os.dup2(file, number)
                resource.setrlimit(resource.RLIMIT_AS, (8 * MOST_MEMORY,) * 2)
                resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS,) * 2)  # whoever else works
                sys.argv = ["imgconv", *json.loads(line)]
                program.run()
            _, status, used = os.wait4(child, 0)
            err.seek(0)
            said = err.read().decode(errors="replace")
            print(json.dumps([os.waitstatus_to_exitcode(status), said, used.ru_maxrss << 10]))
            sys.stdout.flush()


if __name__ == "__main__":
    serve()
