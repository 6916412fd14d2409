"""TIFF in strips: as Pillow, tifffile and OpenCV read them."""

import io
import sys

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imgconv.pictures import decode, encode
from imgconv.pictures.encode import Writing
from imgconv.pictures.picture import Picture
from imgconv.pictures.pixels import of_array

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


@settings(max_examples=60, deadline=None)
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
    if names in ("rgb", "l"):  # by alpha OpenCV multiplies
        seen = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        order = [2, 1, 0] if names == "rgb" else [0]
        np.testing.assert_array_equal(seen.reshape(array.shape)[:, :, order], array)
    if kind == "uint8" or names == "l":
        with Image.open(io.BytesIO(data)) as image:
            np.testing.assert_array_equal(np.asarray(image).reshape(array.shape), array)
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
