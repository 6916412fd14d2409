"""A large picture read, filtered and written at once: as it is when each waits for the other."""

import io
import threading

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from imgconv.errors import ImageError
from imgconv.kernels.kernel import Kernel
from imgconv.kernels.spec import load_kernel
from imgconv.pictures import decode
from imgconv.pictures.encode import USUALLY, encode
from imgconv.pictures.picture import Reading
from imgconv.pipeline import flow
from imgconv.pipeline.filter import filter_pixels
from imgconv.pipeline.layout import layout
from imgconv.pipeline.work import Work

WIDTH, HEIGHT = 1300, 900
SOBEL = load_kernel("sobel-left")
CHANCE = np.random.default_rng(5)
LARGE = Kernel((CHANCE.random((61, 61)) / 2000).tolist())


def picture(mode: str) -> Image.Image:
    """Noise, with black and white in it, of more than a million pixels."""
    depth = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}.get(mode, 1)
    array = CHANCE.integers(0, 256, (HEIGHT, WIDTH, depth), dtype=np.uint8)
    array[200:500] = 0
    array[500:520, :, :1] = 255
    if mode == "I;16":
        return Image.fromarray(array[:, :, 0].astype(np.uint16) * 257)
    return Image.fromarray(array.squeeze(), mode)


def stored(mode: str, name: str, **options) -> bytes:
    """Return a file of such a picture."""
    out = io.BytesIO()
    picture(mode).save(out, name, **options)
    return out.getvalue()


def flowing(data: bytes, work: Work, name: str) -> bytes | None:
    """Return what a file becomes on the way; nothing where all of it is wanted at once."""
    read = decode.read(data, Reading(later=True))
    found = flow.begun(read, work, name, USUALLY)
    if not found:
        return None
    out = io.BytesIO()
    flow.run(found, out, len(data))
    return out.getvalue()


def whole(data: bytes, work: Work, name: str) -> bytes:
    """Return what it becomes when it is read, then filtered, then written."""
    read = decode.read(data)
    out, _ = filter_pixels(read.frames[0], work)
    return encode(read._replace(frames=(out,)), name)[0]


SOURCES = [
    *[(mode, "PNG") for mode in ("L", "LA", "RGB", "RGBA", "I;16")],
    *[(mode, "JPEG") for mode in ("L", "RGB")],
    *[(mode, "PPM") for mode in ("L", "RGB")],
    ("RGB", "BMP"), ("RGB", "TIFF"),
]  # fmt: skip
WORKS = {
    "tall": Work((load_kernel("gaussian(sigma=12)"),), layout(border="reflect")),
    "plain": Work((SOBEL,), layout()),
    "chain": Work((load_kernel("gaussian(sigma=2)"), SOBEL), layout(border="reflect")),
    "stride": Work((SOBEL,), layout("valid", stride=(2, 3))),
    "dilation": Work((SOBEL,), layout(7, "constant", 9, dilation=5)),
    "gray": Work((SOBEL,), layout(), channels="gray"),
    "one channel": Work((SOBEL,), layout(border="symmetric"), "offset"),
    "luma": Work((load_kernel("sharpen"),), layout(), channels="luma"),
    "background": Work((SOBEL,), layout(), background=(9, 99, 200)),
}


@pytest.mark.parametrize(("mode", "source"), SOURCES)
@pytest.mark.parametrize("target", ["JPEG", "PNG", "PNM", "TIFF"])
def test_bytes_are_those_of_the_whole(mode, source, target):
    """From every format that is read so to those that are written so, by each way to filter."""
    data, seen = stored(mode, source), 0
    for work in WORKS.values():
        try:
            expected = whole(data, work, target)
        except ImageError:  # which keeps no alpha, or no 16 bits
            continue
        for threads in (1, 2, 3):
            made = flowing(data, work._replace(threads=threads), target)
            assert made is None or made == expected
            seen += made is not None
    assert seen or (mode in ("LA", "RGBA", "I;16") and target not in ("PNG", "TIFF"))


@pytest.mark.parametrize("threads", [1, 2])
def test_samples_are_those_of_scipy(threads):
    """Not of our own way alone."""
    data = stored("RGB", "PPM")
    work = Work((SOBEL,), layout(), threads=threads)
    made = flowing(data, work, "PNM")
    assert made
    array = np.asarray(Image.open(io.BytesIO(data))).astype(int)
    weights = np.array(SOBEL.weights)
    expected = [ndimage.correlate(array[..., i], weights, mode="nearest") for i in range(3)]
    found = np.asarray(Image.open(io.BytesIO(made)))
    np.testing.assert_array_equal(found, np.dstack(expected).clip(0, 255))


def turned() -> bytes:
    """Return a JPEG that says it lies on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return stored("RGB", "JPEG", exif=exif)


WANTED_WHOLE = {
    "a progressive JPEG": lambda: stored("RGB", "JPEG", progressive=True),
    "a JPEG on its side": turned,
    "a palette": lambda: stored("P", "PNG"),
}


@pytest.mark.parametrize("what", WANTED_WHOLE)
def test_what_does_not_come_in_rows_is_read_before(what):
    """It is filtered and written at once all the same, and as it should be."""
    data, work = WANTED_WHOLE[what](), WORKS["plain"]
    assert not getattr(decode.read(data, Reading(later=True)).frames[0].image, "tile", None)
    assert flowing(data, work, "JPEG") == whole(data, work, "JPEG")


@pytest.mark.parametrize(
    "work",
    [
        Work((SOBEL,), layout(), "stretch"),
        Work((SOBEL,), layout(border="wrap")),
        Work((LARGE,), layout()),
        Work((LARGE, SOBEL), layout()),
    ],
)
def test_what_needs_all_of_a_picture_waits_for_it(work):
    """Of a stretch the ends, of a wrapped border the other side, of a transform its tile."""
    assert flowing(stored("L", "JPEG"), work, "JPEG") is None


@pytest.mark.parametrize("source", ["JPEG", "PNG", "PPM"])
def test_a_file_that_is_cut_off_is_told(source):
    """At twenty places: one line, and no thread is left that waits for more."""
    data, before = stored("RGB", source), threading.active_count()
    for i in range(1, 20):
        with pytest.raises(ImageError, match=r"cut off|broken image"):
            flowing(data[: len(data) * i // 20], WORKS["plain"]._replace(threads=3), "JPEG")
        assert threading.active_count() == before


class Full(io.BytesIO):
    """A disk with room for so many bytes."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def write(self, data) -> int:
        """Write, if there is room."""
        self.room -= len(data)
        if self.room < 0:
            raise OSError(28, "No space left on device")
        return super().write(data)


@pytest.mark.parametrize("room", [0, 100, 10_000, 300_000])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_full_disk_is_no_fault_of_the_picture(room, threads):
    """What the disk says comes through the decoder that is at work."""
    work = WORKS["plain"]._replace(threads=threads)
    found = flow.begun(
        decode.read(stored("RGB", "JPEG"), Reading(later=True)), work, "JPEG", USUALLY
    )
    with pytest.raises(OSError, match="No space left"):
        flow.run(found, Full(room), 1)
