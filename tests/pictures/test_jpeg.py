"""JPEG in strips: the pixels of a plain encode, whoever decodes them."""

import io
import subprocess

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imgconv.errors import ImageError
from imgconv.pictures import coders, decode
from imgconv.pictures.jpeg import UNIT, JpegCoder, coded, saved
from imgconv.pictures.pixels import ImagePixels
from tests.images import saved as stored
from tests.peers import peer

CHANCE = np.random.default_rng(11)
WHITE = {"L": (), "RGB": (3,), "CMYK": (4,)}


def picture(mode: str, size: tuple[int, int]) -> Image.Image:
    """Something smooth with an edge and noise in it."""
    width, height = size
    ramp = np.add.outer(np.arange(height) * 3, np.arange(width) * 2) % 256
    ramp[height // 2 :, width // 3 :] //= 2
    noisy = ramp[..., None] + CHANCE.integers(-9, 9, (height, width, 4))
    image = Image.fromarray(noisy.clip(0, 255).astype(np.uint8), "CMYK")
    return image if mode == "CMYK" else image.convert(mode)


def in_strips(image: Image.Image, rows: int, threads: int, coding: dict, notes: dict) -> bytes:
    """Write a picture in strips of so many rows."""
    coder = JpegCoder(image.size, coding, notes)
    coder.rows, out = rows, io.BytesIO()
    coders.write(out, ImagePixels(image), coder, threads)
    return out.getvalue()


@settings(max_examples=150)
@given(st.data())
def test_strips_have_the_pixels_of_a_plain_file(data):
    """Every size, quality and sampling, tables of a file's own; to libjpeg and to OpenCV's."""
    mode = data.draw(st.sampled_from(["L", "RGB", "CMYK"]))
    image = picture(mode, (data.draw(st.integers(1, 90)), data.draw(st.integers(1, 200))))
    coding: dict = {"quality": data.draw(st.integers(1, 100))}
    if data.draw(st.booleans()):
        table = data.draw(st.lists(st.integers(1, 255), min_size=64, max_size=64))
        coding = {"qtables": {0: table, 1: table[::-1]}}
    if mode != "L":
        coding["subsampling"] = data.draw(st.sampled_from([0, 1, 2]))
    rows = UNIT * data.draw(st.integers(1, 4))
    threads = data.draw(st.integers(1, 3))
    made, plain = in_strips(image, rows, threads, coding, {}), saved(image, coding)
    with Image.open(io.BytesIO(made)) as found, Image.open(io.BytesIO(plain)) as expected:
        assert (found.mode, found.size) == (mode, image.size)
        assert found.quantization == expected.quantization
        np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))
    read = [cv2.imdecode(np.frombuffer(d, np.uint8), cv2.IMREAD_UNCHANGED) for d in (made, plain)]
    np.testing.assert_array_equal(*read)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_strips_cost_next_to_nothing(mode):
    """A file of 1.5 Mpx is at most 0.2 % larger, and the same by any number of threads."""
    image = picture(mode, (1500, 1000))
    files = {in_strips(image, JpegCoder(image.size, {}, {}).rows, n, {}, {}) for n in (1, 2, 5)}
    assert len(files) == 1
    assert len(files.pop()) <= 1.002 * len(saved(image, {}))


def test_what_a_file_says_is_said_once():
    """EXIF, a profile and a comment are as Pillow writes them, before the first strip."""
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    notes = {"exif": exif.tobytes(), "icc_profile": b"p" * 70_000, "comment": b"said"}
    image = picture("RGB", (40, 70))
    made, plain = in_strips(image, 16, 2, {"quality": 80}, notes), saved(image, notes)
    with Image.open(io.BytesIO(made)) as found, Image.open(io.BytesIO(plain)) as expected:
        for key in ("exif", "icc_profile", "comment", "dpi"):
            assert found.info.get(key) == expected.info.get(key)
    assert made.count(b"p" * 60_000) == 1


@pytest.mark.peers
@pytest.mark.parametrize("size", [(200, 100), (1200, 900)])
@pytest.mark.parametrize("ways", [["-arithmetic"], ["-arithmetic", "-progressive"]])
def test_arithmetic_coding_is_read_at_any_length(tmp_path, run, size, ways):
    """Where libjpeg is given parts of a file, it says of each longer than one that it is broken."""
    source = tmp_path / "a.jpg"
    noisy = Image.fromarray(CHANCE.integers(0, 256, (size[1], size[0], 3), np.uint8))
    command = [peer("cjpeg"), *ways, "-outfile", source]
    subprocess.run(command, input=stored(noisy, "PPM"), check=True)
    assert (source.stat().st_size > 1 << 16) == (size[0] > 1000)
    assert run("apply", source, "-qk", "1", "-o", tmp_path / "b.png").err == ""
    expected = subprocess.run([peer("djpeg"), source], capture_output=True, check=True).stdout
    with Image.open(io.BytesIO(expected)) as image, Image.open(tmp_path / "b.png") as found:
        np.testing.assert_array_equal(np.asarray(found), np.asarray(image))


def test_how_a_file_is_coded_is_told_by_its_head():
    """One scan of a baseline frame is all that is read; a second one is an error."""
    image = picture("RGB", (64, 48))
    plain, gray = saved(image, {}), saved(image.convert("L"), {})
    assert coded(plain) == coded(gray) == (0xC0, True)
    assert coded(plain[:2] + b"\xff\xff" + plain[3:]) == (0xC0, True)  # filled up
    assert coded(saved(image, {"progressive": True})) == (0xC2, False)
    scan = plain.index(b"\xff\xda")
    first = plain[: scan + 4] + b"\1" + plain[scan + 5 :]  # of three components
    assert coded(first) == (0xC0, False)
    for cut in range(scan + 5):
        assert coded(plain[:cut])[1] is False
    twice = plain[:-2] + plain[scan:-2] * 200 + plain[-2:]
    with pytest.raises(ImageError, match="broken image"):
        decode.whole(decode.read(twice))
