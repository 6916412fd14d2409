"""PNG and JPEG in strips, read by four decoders that are not ours."""

import base64
import functools
import io
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest
from PIL import Image

from imgconv.pictures import coders
from imgconv.pictures.jpeg import UNIT, JpegCoder, saved
from imgconv.pictures.pixels import ImagePixels, of_array
from imgconv.pictures.png_strips import STRIP, PngCoder
from tests.chromium import Chromium, program
from tests.peers import peer

CHANNELS = {"l": 1, "la": 2, "rgb": 3, "rgba": 4}
MODES = {"L": 1, "RGB": 3, "CMYK": 4}
# Files, of which a share is taken by every run.
COUNTS = [40, pytest.param(500, marks=pytest.mark.thorough)]
# What Chromium sees of files: their sizes, and four samples a pixel.
SEE = """(async (files) => {
  const seen = [], canvas = document.createElement("canvas");
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  for (const file of files) {
    const bytes = Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0));
    const how = { premultiplyAlpha: "none", colorSpaceConversion: "none" };
    const bitmap = await createImageBitmap(new Blob([bytes]), how);
    const { width, height } = Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
    pen.drawImage(bitmap, 0, 0);
    let text = "";
    for (const sample of pen.getImageData(0, 0, width, height).data)
      text += String.fromCharCode(sample);
    seen.push([width, height, btoa(text)]);
  }
  return seen;
})"""


class Png(NamedTuple):
    """Samples of shape (H, W, C), and the file that was made of them."""

    said: str
    array: np.ndarray
    data: bytes


class Jpeg(NamedTuple):
    """A file of ours, and one that Pillow makes of the same picture as a whole."""

    said: str
    mode: str
    size: tuple[int, int]
    data: bytes
    plain: bytes


def size_of(chance: random.Random) -> tuple[int, int]:
    """Return a height and a width, from one pixel on; long ones are narrow."""
    sides = chance.choice([(1, 1), (3, 3), (40, 40), (130, 130), (1, 500), (500, 3)])
    return chance.randint(1, sides[0]), chance.randint(1, sides[1])


def samples(shape: tuple[int, int, int], kind: str, seed: int) -> np.ndarray:
    """Return waves, flat parts and noise, one below the other."""
    height, width, count = shape
    top, noise = np.iinfo(kind).max, np.random.default_rng(seed)
    y, x, c = np.ogrid[:height, :width, :count]
    found = ((np.sin(x / 5 + c + seed) + np.cos(y / 3 - c) + 2) * (top / 4.001)).astype(kind)
    found[height // 3 : height // 2] = seed % 2 * top
    found[height // 2 :] ^= noise.integers(0, top, found[height // 2 :].shape, kind, endpoint=True)
    return found


@functools.cache
def pngs(count: int) -> list[Png]:
    """Return files of all channels and depths, ways to pack, threads and rows a strip."""

    def made(seed: int) -> Png:
        chance = random.Random(seed)
        names, kind = chance.choice([*CHANNELS]), chance.choice(["uint8", "uint8", "uint16"])
        size, compress = size_of(chance), chance.choice([*STRIP])
        array = samples((*size, CHANNELS[names]), kind, seed)
        coder, out = PngCoder(names, kind, size[::-1], {}, compress), io.BytesIO()
        coder.rows = chance.choice([1, 2, 7, coder.rows])
        coders.write(out, of_array(array, names), coder, chance.randint(1, 3))
        return Png(f"{seed}: {names} {kind} {size} {compress}", array, out.getvalue())

    return [*map(made, range(count))]


@functools.cache
def jpegs(count: int) -> list[Jpeg]:
    """Return files of all channels, qualities and samplings, threads and rows a strip."""

    def made(seed: int) -> Jpeg:
        chance = random.Random(seed)
        mode, size = chance.choice([*MODES]), size_of(chance)
        array = samples((*size, MODES[mode]), "uint8", seed)
        image = Image.fromarray(array.squeeze(2) if mode == "L" else array, mode)
        coding = {"quality": chance.randint(1, 100)}
        if mode != "L":
            coding["subsampling"] = chance.randint(0, 2)
        coder, out = JpegCoder(image.size, coding, {}), io.BytesIO()
        coder.rows = UNIT * chance.choice([1, 2, 5, -(-size[0] // UNIT)])
        coders.write(out, ImagePixels(image), coder, chance.randint(1, 3))
        said = f"{seed}: {mode} {size} {coding}"
        return Jpeg(said, mode, image.size, out.getvalue(), saved(image, coding))

    return [*map(made, range(count))]


def put(files: list[bytes], folder: Path, ending: str) -> list[Path]:
    """Write files into a folder; return their names there."""
    paths = [folder / f"{i}.{ending}" for i in range(len(files))]
    for path, data in zip(paths, files, strict=True):
        path.write_bytes(data)
    return paths


def as_seen(array: np.ndarray) -> np.ndarray:
    """Return four samples a pixel: gray is three colours, and what has no alpha is opaque."""
    count, top = array.shape[2], np.iinfo(array.dtype).max
    colours = array[..., : count - 1 + count % 2]
    alpha = array[..., -1:] if count in (2, 4) else np.full_like(array[..., :1], top)
    return np.dstack([np.broadcast_to(colours, (*array.shape[:2], 3)), alpha])


# ---- Pillow and OpenCV --------------------------------------------------------------------------


@pytest.mark.parametrize("count", COUNTS)
def test_pillow_and_opencv_read_a_png(count):
    """Sample for sample; of 16 bits Pillow takes the upper half, but in gray."""
    for said, array, data in pngs(count):
        found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        assert found is not None, said
        assert found.dtype == array.dtype, said
        channels = 1 if found.ndim == 2 else found.shape[2]
        seen = as_seen(array)[..., [2, 1, 0, 3][:channels]]
        np.testing.assert_array_equal(np.atleast_3d(found), seen, said)
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            exact = array.dtype == np.uint8 or array.shape[2] == 1
            expected = array if exact else (array >> 8).astype(np.uint8)
            if not exact and array.shape[2] == 2:
                expected = as_seen(expected)  # Pillow has colours for those
            np.testing.assert_array_equal(np.atleast_3d(np.asarray(image)), expected, said)


@pytest.mark.parametrize("count", COUNTS)
def test_pillow_and_opencv_read_a_jpeg(count):
    """Both see what they see of a plain file."""
    for said, mode, size, *files in jpegs(count):
        ours, plain = (Image.open(io.BytesIO(data)) for data in files)
        assert (ours.format, ours.mode, ours.size) == ("JPEG", mode, size), said
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(plain), said)
        read = [cv2.imdecode(np.frombuffer(d, np.uint8), cv2.IMREAD_UNCHANGED) for d in files]
        np.testing.assert_array_equal(*read, said)


# ---- pngcheck, jpeginfo and djpeg ---------------------------------------------------------------


@pytest.mark.peers
@pytest.mark.parametrize("count", COUNTS)
def test_pngcheck_finds_no_fault(tmp_path, count):
    """Nor anything to say."""
    paths = put([png.data for png in pngs(count)], tmp_path, "png")
    done = subprocess.run(
        [peer("pngcheck"), "-v", *paths], capture_output=True, text=True, check=False
    )
    assert done.stdout.count("No errors detected in ") == count, done.stdout[-300:]
    assert (done.returncode, done.stderr) == (0, "")
    assert "warning" not in done.stdout.lower()


@pytest.mark.peers
@pytest.mark.parametrize("count", COUNTS)
def test_jpeginfo_finds_no_fault(tmp_path, count):
    """Each is whole, and read without a warning; it reads no CMYK, of nobody's."""
    files = [jpeg.data for jpeg in jpegs(count) if jpeg.mode != "CMYK"]
    paths = put(files, tmp_path, "jpg")
    command = [peer("jpeginfo"), "-c", *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == len(files)
    assert not [line for line in lines if "OK" not in line or "WARNING" in line]


@pytest.mark.peers
@pytest.mark.parametrize("count", COUNTS)
def test_djpeg_reads_a_jpeg(tmp_path, count):
    """It sees what it sees of a plain file, and says nothing of either."""
    djpeg = peer("djpeg")
    ours, plain = ((tmp_path / name) for name in ("ours", "plain"))
    for folder in (ours, plain):
        folder.mkdir()
    pairs = zip(
        put([jpeg.data for jpeg in jpegs(count)], ours, "jpg"),
        put([jpeg.plain for jpeg in jpegs(count)], plain, "jpg"),
        strict=True,
    )
    for jpeg, pair in zip(jpegs(count), pairs, strict=True):
        done = [subprocess.run([djpeg, path], capture_output=True, check=True) for path in pair]
        assert done[0].stdout == done[1].stdout, jpeg.said
        assert done[0].stderr == b"", jpeg.said


# ---- Chromium -----------------------------------------------------------------------------------

browses = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not program() and "IMGCONV_BROWSER" not in os.environ,
        reason="needs chromium; .ci/browser installs it",
    ),
]


@pytest.fixture(scope="module")
def browser():
    """Start Chromium once."""
    with Chromium() as started:
        yield started


def seen_by(browser: Chromium, files: list[bytes]) -> Iterator[np.ndarray]:
    """Return what Chromium draws of files, some at a time."""
    for at in range(0, len(files), 50):
        texts = [base64.b64encode(data).decode() for data in files[at : at + 50]]
        for width, height, text in browser.run(f"{SEE}({texts!r})"):
            yield np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)


class TestChromium:
    """A browser, which shows 8 bits, with colours that are multiplied by alpha."""

    pytestmark = browses

    @pytest.mark.parametrize("count", COUNTS)
    def test_png(self, browser, count):
        """Alpha is that which was given, and so are colours where it is opaque."""
        found = seen_by(browser, [png.data for png in pngs(count)])
        for (said, array, _), drawn in zip(pngs(count), found, strict=True):
            expected, near = as_seen(array), 0
            if array.dtype == np.uint16:
                expected, near = expected >> 8, 1
            assert drawn.shape == expected.shape, said
            apart = abs(drawn.astype(int) - expected)
            assert apart[..., 3].max() <= near, said
            assert apart[as_seen(array)[..., 3] == np.iinfo(array.dtype).max].max(initial=0) <= near

    @pytest.mark.parametrize("count", COUNTS)
    def test_jpeg(self, browser, count):
        """It draws what it draws of a plain file."""
        ours = seen_by(browser, [jpeg.data for jpeg in jpegs(count)])
        plain = seen_by(browser, [jpeg.plain for jpeg in jpegs(count)])
        for jpeg, found, expected in zip(jpegs(count), ours, plain, strict=True):
            assert found.shape == (*jpeg.size[::-1], 4), jpeg.said
            np.testing.assert_array_equal(found, expected, jpeg.said)
