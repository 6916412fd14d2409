"""PNG in strips, and of 16 bits: as others read and write them, and by the specification."""

import io
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from imgconv.errors import ImageError
from imgconv.pictures import coders, decode, png_strips
from imgconv.pictures.picture import Reading
from imgconv.pictures.pixels import of_array
from imgconv.pictures.png_strips import PngCoder
from tests.images import chunk, png

CHANNELS = {"l": 1, "la": 2, "rgb": 3, "rgba": 4}
COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}  # the specification's number of each count of channels
SYNC = b"\0\0\xff\xff"  # with which a sync flush ends
# Of an interlaced picture: where each pass begins, and how far its pixels are apart.
PASSES = (
    (0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
    (1, 0, 2, 1),
)  # fmt: skip


def samples(shape: tuple[int, int], count: int, kind: str, seed: int = 0) -> np.ndarray:
    """Return samples of a picture with some structure: waves, and noise in a part of it."""
    height, width = shape
    top, random = np.iinfo(kind).max, np.random.default_rng(seed)
    y, x, c = np.ogrid[:height, :width, :count]
    waves = np.sin(x / 5 + c) + np.cos(y / 3 - c) + 2
    found = (waves * (top / 4.001)).astype(kind)
    found[: height // 2] ^= random.integers(0, top // 16 + 1, found[: height // 2].shape, kind)
    return found


def written(array: np.ndarray, compress: str = "fast", threads: int = 1, rows: int = 0) -> bytes:
    """Return a PNG of samples of shape (H, W, C), of strips of so many rows."""
    names = next(n for n, count in CHANNELS.items() if count == array.shape[2])
    coder = PngCoder(names, array.dtype.name, array.shape[1::-1], {}, compress)
    coder.rows = rows or coder.rows
    out = io.BytesIO()
    coders.write(out, of_array(array, names), coder, threads)
    return out.getvalue()


def chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return the chunks of a PNG, whose CRCs are right."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    found, at = [], 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", data, at + 8 + length) == (zlib.crc32(kind + body),)
        found.append((kind, body))
        at += 12 + length
    return found


def predicted(way: int, a: int, b: int, c: int) -> int:
    """Return what the specification has a filter take away."""
    if way == 4:
        p = a + b - c
        return min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
    return (0, a, b, (a + b) // 2)[way]


def filtered(rows: np.ndarray, ways: list[int], by: int) -> bytes:
    """Return rows of bytes as a PNG packs them."""
    out, above = b"", bytes(rows.shape[1])
    for row, way in zip(rows.tolist(), ways, strict=True):
        left = [0] * by + row[:-by]
        corner = [0] * by + list(above[:-by])
        near = zip(row, left, above, corner, strict=True)
        out += bytes([way, *((x - predicted(way, a, b, c)) % 256 for x, a, b, c in near)])
        above = row
    return out


def unfiltered(lines: np.ndarray, by: int) -> np.ndarray:
    """Return the rows that were packed."""
    found, above = [], [0] * (lines.shape[1] - 1)
    for way, *line in lines.tolist():
        row: list[int] = []
        for i, x in enumerate(line):
            a, c = (row[i - by], above[i - by]) if i >= by else (0, 0)
            row.append((x + predicted(way, a, above[i], c)) % 256)
        found.append(row)
        above = row
    return np.array(found, np.uint8)


def decoded(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Return the samples of a PNG by the specification, and the filter of each row."""
    (kind, head), *rest = chunks(data)
    width, height, depth, colour, *zeros = struct.unpack(">IIBBBBB", head)
    assert kind == b"IHDR"
    assert zeros == [0, 0, 0]
    assert rest[-1] == (b"IEND", b"")
    count = next(n for n, number in COLOURS.items() if number == colour)
    body = zlib.decompress(b"".join(body for kind, body in rest if kind == b"IDAT"))
    lines = np.frombuffer(body, np.uint8).reshape(height, -1)
    rows = unfiltered(lines, count * depth // 8)
    return rows.view(f">u{depth // 8}").reshape(height, width, count), lines[:, 0]


@settings(max_examples=60)
@given(
    st.tuples(st.integers(1, 24), st.integers(1, 70)),
    st.sampled_from(sorted(CHANNELS)),
    st.sampled_from(["uint8", "uint16"]),
    st.sampled_from(["fast", "small", "none"]),
    st.integers(1, 3),
    st.integers(1, 9),
    st.integers(0, 5),
)
@example((1, 1), "l", "uint8", "fast", 1, 1, 0)
@example((24, 70), "rgb", "uint8", "fast", 3, 5, 0)
@example((24, 70), "la", "uint8", "small", 2, 24, 0)
def test_samples_are_written_as_they_are(shape, names, kind, compress, threads, rows, seed):
    """By the specification; and Pillow and OpenCV read them so, where they know such channels."""
    array = samples(shape, CHANNELS[names], kind, seed)
    data = written(array, compress, threads, rows)
    found, ways = decoded(data)
    np.testing.assert_array_equal(found, array)
    assert set(ways[::rows]) <= {0, 1}, "the first row of a strip looks at none above"
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        if kind == "uint8" or names == "l":
            np.testing.assert_array_equal(
                np.asarray(image), array.squeeze(2) if names == "l" else array
            )
    if names != "la":  # of which OpenCV makes colours
        seen = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        seen = seen.reshape(array.shape)
        order = [2, 1, 0, 3][: len(names)] if names.startswith("rgb") else [0]
        np.testing.assert_array_equal(seen[:, :, order], array)
    (frame,) = decode.read(data).frames
    np.testing.assert_array_equal(frame.array(), array)


@pytest.mark.parametrize("compress", ["fast", "small", "none"])
@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_any_number_of_threads_writes_the_same_bytes(kind, compress):
    """Strips depend on the size alone."""
    array = samples((600, 700), 3, kind)
    one, *others = (written(array, compress, threads) for threads in (1, 2, 3, 8))
    assert others == [one] * 3
    lines = zlib.decompress(b"".join(body for kind, body in chunks(one) if kind == b"IDAT"))
    assert len(lines) == array.nbytes + 600
    packed = [body for kind, body in chunks(one) if kind == b"IDAT"]
    assert len(packed) > 2
    assert all(body.endswith(SYNC) for body in packed[:-2])
    assert packed[-1] == zlib.adler32(lines).to_bytes(4, "big")
    with Image.open(io.BytesIO(one)) as image:
        np.testing.assert_array_equal(np.asarray(image), array >> 8 if kind == "uint16" else array)


@pytest.mark.skipif(not shutil.which("pngcheck"), reason="pngcheck is not installed")
@pytest.mark.parametrize("names", CHANNELS)
@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("compress", ["fast", "small", "none"])
def test_pngcheck_finds_nothing(names, kind, compress, tmp_path):
    """Which looks at each chunk, and at the stream of zlib's."""
    path = tmp_path / "o.png"
    path.write_bytes(written(samples((70, 90), CHANNELS[names], kind), compress, rows=16))
    done = subprocess.run(["pngcheck", "-v", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "No errors" in done.stdout


def drawing(names: str) -> Image.Image:
    """Return a picture of flat areas and lines."""
    mode = names.upper()
    image = Image.new(mode, (900, 700), "white")
    from PIL import ImageDraw

    pen = ImageDraw.Draw(image)
    for i in range(60):
        pen.line((i * 17, 0, 900 - i * 11, 700), fill=("red", "black", "blue")[i % 3], width=2)
        pen.ellipse((i * 14, i * 9, i * 14 + 60, i * 9 + 40), fill=("green", "white")[i % 2])
        pen.text((20, i * 12), "The quick brown fox jumps over the lazy dog " * 3, fill="black")
    return image


def ramps() -> Image.Image:
    """Return a picture in which nothing but slow change is seen."""
    y, x = np.mgrid[:700, :900]
    return Image.fromarray(
        np.dstack([x * 255 // 900, y * 255 // 700, (x + y) // 7]).astype(np.uint8)
    )


def photograph() -> Image.Image:
    """Return a picture with grain."""
    waves = samples((700, 900), 3, "uint8").astype(int)
    grain = np.random.default_rng(3).normal(0, 4, waves.shape)
    return Image.fromarray((waves * 0.9 + 12 + grain).clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("make", [lambda: drawing("rgb"), lambda: drawing("l"), ramps, photograph])
def test_files_are_about_as_small_as_pillows(make: Callable[[], Image.Image]):
    """At most a twentieth larger than by its first level, and than by its ninth where small."""
    image = make()
    array = np.atleast_3d(np.asarray(image))
    for compress, level in (("fast", 1), ("small", 9)):
        out = io.BytesIO()
        image.save(out, "PNG", compress_level=level)
        assert len(written(array, compress)) < 1.05 * len(out.getvalue()), compress


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_sums_of_parts_join(first, second):
    """Adler's, as zlib makes them of the whole."""
    joined = png_strips.joined(zlib.adler32(first), zlib.adler32(second), len(second))
    assert joined == zlib.adler32(first + second)


def test_a_picture_without_pixels_is_refused():
    """A PNG has one at least."""
    with pytest.raises(ImageError, match=r"0x3.*another format"):
        PngCoder("rgb", "uint8", (0, 3), {}, "fast")


# ---- reading 16 bits ----------------------------------------------------------------------------


def deep(count: int, shape: tuple[int, int] = (9, 11)) -> np.ndarray:
    """Return samples of 16 bits."""
    return samples(shape, count, "uint16", 4)


def by_hand(
    array: np.ndarray, lines: bytes, *, interlaced: bool = False, tail: bytes = b""
) -> bytes:
    """Return a PNG of 16 bits of packed lines, or of what they are deflated to."""
    height, width, count = array.shape
    head = struct.pack(">IIBBBBB", width, height, 16, COLOURS[count], 0, 0, interlaced)
    body = zlib.compress(lines) + tail if lines[:1] != b"\x78" else lines
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", body[:50]), chunk(b"IDAT", body[50:]))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


def packed(array: np.ndarray, way: int | None = None) -> bytes:
    """Return the lines of a picture of 16 bits, by one filter or by all in turn."""
    height, _, count = array.shape
    rows = np.ascontiguousarray(array.astype(">u2")).view(np.uint8).reshape(height, -1)
    ways = [i % 5 if way is None else way for i in range(height)]
    return filtered(rows, ways, 2 * count)


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("way", [None, 0, 1, 2, 3, 4])
def test_sixteen_bits_are_read_by_any_filter_without_an_extra(count, way, monkeypatch):
    """Sample for sample."""
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    array = deep(count)
    (frame,) = decode.read(by_hand(array, packed(array, way))).frames
    assert frame.kind == "uint16"
    np.testing.assert_array_equal(frame.array(), array)


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (3, 1), (4, 4), (5, 7), (17, 20)])
def test_interlaced_pictures_of_sixteen_bits_are_read(count, shape):
    """Seven passes, of which small pictures lack some."""
    array = deep(count, shape)
    passes = (array[y::down, x::across] for y, x, down, across in PASSES)
    lines = b"".join(packed(each) for each in passes if each.size)
    (frame,) = decode.read(by_hand(array, lines, interlaced=True)).frames
    np.testing.assert_array_equal(frame.array(), array)


@pytest.mark.parametrize("shallow", [False, True])
def test_a_transparent_colour_of_sixteen_bits_becomes_alpha(shallow):
    """Only where all sixteen bits are alike."""
    array = np.array([[[1, 2, 3], [1, 2, 259], [9, 9, 9]]], np.uint16)
    data = png(16, 2, array, trns=struct.pack(">HHH", 1, 2, 3))
    (frame,) = decode.read(data, Reading(shallow=shallow)).frames
    assert frame.names == "rgba"
    top = 255 if shallow else 65535
    assert frame.array()[0, :, 3].tolist() == [0, top, top]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda lines: zlib.compress(lines[:-9]), "its data are damaged"),
        (lambda lines: zlib.compress(lines)[:-40], "it is cut off"),
        (lambda lines: zlib.compress(lines)[:-4] + b"1234", "its data are damaged"),
        (lambda _: b"\x78" + bytes(60), "its data are damaged"),
        (lambda lines: zlib.compress(b"\5" + lines[1:]), "its data are damaged"),
    ],
)  # fmt: skip
def test_damaged_data_of_sixteen_bits_are_told(spoil, told):
    """Too few, cut off, with a wrong sum, no deflate at all, a filter that is none."""
    array = deep(3)
    with pytest.raises(ImageError, match=f"^broken image: {told}; get "):
        decode.read(by_hand(array, spoil(packed(array))))


def test_what_follows_the_samples_does_no_harm():
    """More than the size says, as other readers take it; it is never all inflated."""
    array = deep(3)
    (frame,) = decode.read(by_hand(array, packed(array) + bytes(1 << 24))).frames
    np.testing.assert_array_equal(frame.array(), array)
