"""A large picture read, filtered and written at once: as it is when each waits for the other."""

import io
import mmap
import threading

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from imgconv.errors import ImageError
from imgconv.kernels.kernel import Kernel
from imgconv.kernels.spec import load_kernel
from imgconv.pictures import arriving, decode, encode, jpeg, pillow, png_strips, pnm, tiff_strips
from imgconv.pictures.encode import USUALLY
from imgconv.pictures.picture import LARGE, Reading
from imgconv.pipeline import flow
from imgconv.pipeline.filter import filter_pixels
from imgconv.pipeline.layout import layout
from imgconv.pipeline.work import Work

WIDTH, HEIGHT = 130, 450
SMALLER = 20  # than a picture that flows, and so are its bands and strips: there are as many
STRIPS = jpeg, pnm, tiff_strips
SOBEL = load_kernel("sobel-left")
CHANCE = np.random.default_rng(5)
WIDE = Kernel((CHANCE.random((61, 61)) / 2000).tolist())


def made_smaller(patch: pytest.MonkeyPatch, times: int) -> None:
    """Have bands, strips and the pieces of files be so many times smaller."""
    for module, name in (flow, "BAND"), (arriving, "LEAST"), *((m, "STRIP") for m in STRIPS):
        patch.setattr(module, name, getattr(module, name) // times)
    strips = {how: size // times for how, size in png_strips.STRIP.items()}
    patch.setattr(png_strips, "STRIP", strips)


@pytest.fixture(autouse=True)
def small(monkeypatch) -> None:
    """Have small pictures flow, in as many bands, strips and pieces as large ones."""
    for module in (decode, encode, flow):
        monkeypatch.setattr(module, "LARGE", LARGE // SMALLER)
    monkeypatch.setattr(pillow, "LARGE_PAGE", mmap.PAGESIZE)
    made_smaller(monkeypatch, SMALLER)


def picture(mode: str, width: int) -> Image.Image:
    """Noise, with black and white in it."""
    depth = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}.get(mode, 1)
    array = CHANCE.integers(0, 256, (HEIGHT, width, depth), dtype=np.uint8)
    array[100:250] = 0
    array[250:260, :, :1] = 255
    if mode == "I;16":
        return Image.fromarray(array[:, :, 0].astype(np.uint16) * 257)
    return Image.fromarray(array.squeeze(), mode)


def stored(mode: str, name: str, width: int = WIDTH, **options) -> bytes:
    """Return a file of such a picture."""
    out = io.BytesIO()
    picture(mode, width).save(out, name, **options)
    return out.getvalue()


def begun(data: bytes, work: Work, name: str) -> flow.Flow | None:
    """Return how a file flows into another."""
    return flow.begun(decode.read(data, Reading(later=True)), work, name, USUALLY)


def flowing(data: bytes, work: Work, name: str) -> bytes | None:
    """Return what a file becomes on the way; nothing where all of it is wanted at once."""
    found = begun(data, work, name)
    if not found:
        return None
    out = io.BytesIO()
    flow.run(found, out, len(data))
    return out.getvalue()


def band_count(data: bytes, work: Work, name: str) -> int:
    """Return in how many bands a file flows; none where it does not."""
    found = begun(data, work, name)
    return len(flow._Bands(found, io.BytesIO()).rows) if found else 0


def whole(data: bytes, work: Work, name: str) -> bytes:
    """Return what it becomes when it is read, then filtered, then written."""
    read = decode.read(data)
    out, _ = filter_pixels(read.frames[0], work)
    return encode.encode(read._replace(frames=(out,)), name)[0]


SOURCES = [
    *[(mode, "PNG") for mode in ("L", "LA", "RGB", "RGBA", "I;16")],
    *[(mode, "JPEG") for mode in ("L", "RGB")],
    *[(mode, "PPM") for mode in ("L", "RGB")],
    ("RGB", "BMP"), ("RGB", "TIFF"),
]  # fmt: skip
WORKS = {
    "tall": Work((load_kernel("gaussian(sigma=5)"),), layout(border="reflect")),
    "plain": Work((SOBEL,), layout()),
    "chain": Work((load_kernel("gaussian(sigma=2)"), SOBEL), layout(border="reflect")),
    "stride": Work((SOBEL,), layout("valid", stride=(2, 3))),
    "dilation": Work((SOBEL,), layout(7, "constant", 9, dilation=5)),
    "gray": Work((SOBEL,), layout(), channels="gray"),
    "one channel": Work((SOBEL,), layout(border="symmetric"), "offset"),
    "luma": Work((load_kernel("sharpen"),), layout(), channels="luma"),
    "background": Work((SOBEL,), layout(), background=(9, 99, 200)),
}


TARGETS = ["JPEG", "PNG", "PNM", "TIFF"]


@pytest.mark.parametrize("target", TARGETS)
def test_small_pictures_come_in_bands_here(target):
    """In three, as large ones do, but where a stride leaves little."""
    data = stored("RGB", "PPM")
    counts = {what: band_count(data, work, target) for what, work in WORKS.items()}
    assert counts.pop("stride") == (target != "JPEG")
    assert {*counts.values()} == {3}


@pytest.mark.parametrize("target", TARGETS)
def test_many_bands_make_the_bytes_of_the_whole(target, monkeypatch):
    """Each of few rows, also of a stride."""
    made_smaller(monkeypatch, 16)
    data = stored("RGB", "PPM")
    for i, (what, work) in enumerate(WORKS.items()):
        if (what, target) != ("stride", "JPEG"):
            assert band_count(data, work, target) > 2
            made = flowing(data, work._replace(threads=1 + i % 3), target)
            assert made == whole(data, work, target)


@pytest.mark.parametrize(("mode", "source"), SOURCES)
@pytest.mark.parametrize("target", TARGETS)
def test_bytes_are_those_of_the_whole(mode, source, target):
    """From every format that is read so to those that are written so, by each way to filter."""
    data, seen = stored(mode, source), 0
    for i, work in enumerate(WORKS.values()):
        try:
            expected = whole(data, work, target)
        except ImageError:  # which keeps no alpha, or no 16 bits
            continue
        for threads in (1, 2 + i % 2):
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
        Work((WIDE,), layout()),
        Work((WIDE, SOBEL), layout()),
    ],
)
def test_what_needs_all_of_a_picture_waits_for_it(work):
    """Of a stretch the ends, of a wrapped border the other side, of a transform its tile."""
    assert flowing(stored("L", "JPEG", 20 * WIDTH), work, "JPEG") is None


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


@pytest.mark.parametrize("room", [0, 100, 1000, 15_000])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_full_disk_is_no_fault_of_the_picture(room, threads):
    """What the disk says comes through the decoder that is at work."""
    work = WORKS["plain"]._replace(threads=threads)
    found = begun(stored("RGB", "JPEG"), work, "JPEG")
    with pytest.raises(OSError, match="No space left"):
        flow.run(found, Full(room), 1)
