"""TIFF in strips: as Pillow, tifffile and OpenCV read them."""

import io
import subprocess
import sys

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from imgconv.pictures import coders, decode, encode
from imgconv.pictures.encode import Writing
from imgconv.pictures.metadata import Metadata
from imgconv.pictures.picture import Picture
from imgconv.pictures.pixels import of_array
from imgconv.pictures.tiff_strips import TiffCoder
from tests.peers import peer

CHANNELS = {"l": 1, "la": 2, "rgb": 3, "rgba": 4, "cmyk": 4}


def samples(shape: tuple[int, int], names: str, kind: str, seed: int = 0) -> np.ndarray:
    """Return samples that change slowly, and here and there at once."""
    height, width = shape
    random = np.random.default_rng(seed)
    steps = random.integers(-40, 41, (height, width, CHANNELS[names]))
    return np.cumsum(steps * random.integers(1, 200), 1).astype(kind)


def written(array: np.ndarray, names: str, how: Writing, threads: int = 1) -> bytes:
    """Return a TIFF of samples of shape (H, W, C)."""
    data, lost = encode.encode(Picture((of_array(array, names),), "TIFF"), "TIFF", how, threads)
    assert lost == ()
    return data


def assert_read_alike(data: bytes, array: np.ndarray, names: str) -> None:
    """OpenCV and Pillow find the samples in a file, where they know such channels."""
    if names in ("rgb", "l"):  # by alpha OpenCV multiplies
        seen = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        order = [2, 1, 0] if names == "rgb" else [0]
        np.testing.assert_array_equal(seen.reshape(array.shape)[:, :, order], array)
    if array.dtype == np.uint8 or names == "l":
        with Image.open(io.BytesIO(data)) as image:
            np.testing.assert_array_equal(np.asarray(image).reshape(array.shape), array)


@settings(max_examples=60)
@given(
    st.tuples(st.integers(1, 300), st.integers(1, 500)),
    st.sampled_from(sorted(CHANNELS)),
    st.sampled_from(["uint8", "uint16"]),
    st.sampled_from(["fast", "small", "none"]),
    st.integers(1, 3),
    st.integers(0, 5),
)
def test_samples_are_written_as_they_are(shape, names, kind, compress, threads, seed):
    """Others read them so, where they know such channels; and so do we."""
    array = samples(shape, names, kind, seed)
    data = written(array, names, Writing(compress=compress), threads)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        (page,) = file.pages
        np.testing.assert_array_equal(page.asarray().reshape(array.shape), array)
        assert page.photometric.name == {"l": "MINISBLACK", "rgb": "RGB"}.get(
            names.removesuffix("a"), "SEPARATED"
        )
        assert [e.name for e in page.extrasamples] == ["UNASSALPHA"] * names.endswith("a")
    assert_read_alike(data, array, names)
    (frame,) = decode.read(data).frames
    assert frame.names == names
    np.testing.assert_array_equal(frame.array(), array)


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("compress", ["fast", "small", "none"])
def test_any_number_of_threads_writes_the_same_bytes(kind, compress, monkeypatch):
    """In strips that the size alone decides; of 16 bits without an extra."""
    monkeypatch.setitem(sys.modules, "tifffile", None)
    array = samples((700, 900), "rgb", kind)
    one, *others = (
        written(array, "rgb", Writing(compress=compress), threads) for threads in (1, 2, 3)
    )
    assert others == [one] * 2
    with Image.open(io.BytesIO(one)) as image:
        assert len(image.tag_v2[273]) == -(-700 // image.tag_v2[278])


def test_a_photograph_takes_less_room_than_by_pillow():
    """Than with LZW, and where it is to be small than deflated as it is."""
    waves = np.add.outer(np.sin(np.arange(400) / 30), np.cos(np.arange(500) / 40))[..., None]
    grain = np.random.default_rng(3).normal(0, 3, (400, 500, 3))
    array = (waves * 50 + 128 + grain).clip(0, 255).astype(np.uint8)
    for compress, scheme in (("fast", "tiff_lzw"), ("small", "tiff_adobe_deflate")):
        out = io.BytesIO()
        Image.fromarray(array).save(out, "TIFF", compression=scheme)
        assert len(written(array, "rgb", Writing(compress=compress))) < len(out.getvalue())


def in_strips(array: np.ndarray, names: str, compress: str, rows: int, threads: int) -> bytes:
    """Return a TIFF of strips of so many rows."""
    out = io.BytesIO()
    coder = TiffCoder(names, array.dtype.name, array.shape[1::-1], compress, Metadata())
    coder.rows = rows
    coders.write(out, of_array(array, names), coder, threads)
    return out.getvalue()


@settings(max_examples=80)
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 60)),
    st.sampled_from([*((n, k) for n in sorted(CHANNELS) for k in ("uint8", "uint16")),
                     ("l", "float32"), ("rgb", "float32")]),
    st.sampled_from(["fast", "small", "none"]),
    st.integers(1, 50),
    st.integers(0, 5),
)  # fmt: skip
def test_strips_of_any_rows_have_the_samples_that_were_given(shape, channels, compress, rows, seed):
    """Many strips, or one that is larger than the picture; by any number of threads."""
    names, kind = channels
    array = samples(shape, names, kind, seed)
    data = in_strips(array, names, compress, rows, 1)
    assert {in_strips(array, names, compress, rows, threads) for threads in (2, 3)} == {data}
    np.testing.assert_array_equal(
        tifffile.imread(io.BytesIO(data)).reshape(array.shape), array, strict=True
    )
    assert_read_alike(data, array, names)


@pytest.mark.peers
@pytest.mark.parametrize("compress", ["fast", "small", "none"])
def test_libtiff_has_nothing_to_say(tmp_path, compress):
    """Of one page or several, of odd sizes; each strip is of the length that its rows have."""
    paths = []
    for i, (names, kind, size) in enumerate(
        (names, kind, size)
        for names in CHANNELS
        for kind in ("uint8", "uint16")
        for size in ((1, 1), (7, 5), (150, 701))
    ):
        frame = of_array(samples(size, names, kind, i), names)
        for frames in ((frame,), (frame,) * 3):
            data, _ = encode.encode(Picture(frames, "TIFF"), "TIFF", Writing(compress=compress))
            paths.append(tmp_path / f"{i}-{len(frames)}.tif")
            paths[-1].write_bytes(data)
    command = [peer("tiffinfo"), "-D", *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    if compress == "none":
        for path in paths:
            with tifffile.TiffFile(path) as file:
                for page in file.pages:
                    assert sum(page.databytecounts) == page.nbytes


def test_what_is_said_of_a_picture_is_kept(run, tmp_path):
    """EXIF, a profile, XMP and resolution, of a small picture and of one in many strips."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    exif.get_ifd(0x8769)[0x9003] = "2024:05:06 07:08:09"
    said = {"exif": exif, "icc_profile": profile, "dpi": (200, 100), "xmp": b"<x:xmpmeta/>"}
    for size in ((9, 5), (1300, 900)):
        Image.new("RGB", size, "red").save(tmp_path / "a.jpg", **said)
        target = tmp_path / f"{size[0]}.tif"
        assert run("apply", tmp_path / "a.jpg", "-qk", "1", "-o", target).code == 0
        with Image.open(target) as image:
            assert image.info["icc_profile"] == profile
            assert image.info["dpi"] == (200, 100)
            assert image.tag_v2[700] == b"<x:xmpmeta/>"
            found = image.getexif()
            assert found[0x010F] == "a maker"
            assert found.get_ifd(0x8769)[0x9003] == "2024:05:06 07:08:09"
