"""Tiles: what is filtered piece by piece is what is filtered as a whole."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from imgconv.errors import GeometryError, OptionError
from imgconv.kernels.kernel import Kernel
from imgconv.kernels.recipes import Combined
from imgconv.kernels.spec import load_kernel
from imgconv.pictures.pixels import ArrayPixels, ImagePixels
from imgconv.pipeline import blocks
from imgconv.pipeline.filter import filter_pixels, find_extent, is_by_rows, steps_of
from imgconv.pipeline.layout import layout
from imgconv.pipeline.views import Band, Outline, Tile
from imgconv.pipeline.work import Work
from tests.reference import BORDERS

CHANCE = np.random.default_rng(7)
PICTURES = {
    "l": CHANCE.integers(0, 256, (23, 31, 1), dtype=np.uint8),
    "rgb": CHANCE.integers(0, 256, (23, 31, 3), dtype=np.uint8),
    "rgba": CHANCE.integers(0, 256, (19, 26, 4), dtype=np.uint8),
    "x": CHANCE.normal(100, 50, (17, 21, 1)).astype(np.float32),
}
EDGE = Kernel([[0, 1, 0], [2, -9, 3], [0, 1, 1]])
EVEN = Kernel([[1, 2, -1, 1]], divisor=2)
# Few of them: each kind of kernel on each kind of sample is compiled first.
CHAINS = [
    (EDGE,),
    (EDGE, EVEN, EDGE),
    (Combined("magnitude", (EDGE, EVEN)),),
]


def in_tiles(pixels, work, down, across):
    """Filter tiles whose corners are at these rows and columns, and put them together."""
    read = []

    def of(rows, columns):
        def rectangle(y, x):
            read.append((y, x))
            return ArrayPixels(
                pixels.samples[y.start : y.stop, x.start : x.stop].copy(), pixels.names
            )

        shape = pixels.samples.shape[:2]
        return Tile(rectangle, shape, pixels.names, pixels.kind, rows, columns)

    if work.levels == "stretch":
        ends = [find_extent(of(y, x), work) for y in down for x in across]
        ends = [pair for pair in ends if pair]
        if ends:
            work = work._replace(ends=(min(e[0] for e in ends), max(e[1] for e in ends)))
    bands, low, high, count = [], 0, 0, 0
    for y in down:
        band = []
        for x in across:
            out, clipped = filter_pixels(of(y, x), work)
            band.append(out.array())
            low, high, count = low + clipped.low, high + clipped.high, count + clipped.samples
        bands.append(np.concatenate(band, axis=1))
    return np.concatenate(bands), (low, high, count), read


def cuts(draw, size):
    """Up to three consecutive ranges that cover a side: the first, one within, the last."""
    at = sorted({0, size, *draw(st.lists(st.integers(1, max(1, size - 1)), max_size=2))} - {size})
    return [range(a, b) for a, b in zip(at, [*at[1:], size], strict=True) if a < b]


@settings(max_examples=70)
@given(st.data())
def test_tiles_make_the_bytes_of_the_whole(data):
    """Every padding, border, stride and dilation, chains, levels, channels and alpha."""
    names = data.draw(st.sampled_from(sorted(PICTURES)))
    kernels = data.draw(st.sampled_from(CHAINS))
    combined = any(isinstance(k, Combined) for k in kernels)
    channels = data.draw(st.sampled_from(["auto"] + ["gray", "luma", "rgb"] * (names != "x")))
    weighted = names == "rgba" and not combined and channels != "luma" and data.draw(st.booleans())
    paddings = ["same", "same", (1, 0, 2, 3)] if combined else ["same", "valid", 3, (0, 1, 2, 9)]
    options = layout(
        "same" if combined else data.draw(st.sampled_from(paddings)),
        data.draw(st.sampled_from(BORDERS)),
        data.draw(st.sampled_from([0, 7])),
        data.draw(st.sampled_from([1, 1, 2, (3, 1)])),
        data.draw(st.sampled_from([1, 1, 2, (1, 3)])),
    )
    levels = data.draw(st.sampled_from(["clip", "stretch", "none"]))
    work = Work(
        kernels, options, levels if (channels, levels) != ("luma", "none") else "clip",
        channels, 1, "weighted" if weighted else "keep",
    )  # fmt: skip
    pixels = ArrayPixels(PICTURES[names], names)
    try:
        whole, clipped = filter_pixels(pixels, work)
    except GeometryError:  # the kernel does not fit
        assume(False)
    width, height = whole.size
    made, counts, _ = in_tiles(pixels, work, cuts(data.draw, height), cuts(data.draw, width))
    np.testing.assert_array_equal(made, whole.array())
    assert counts == tuple(clipped)


@pytest.mark.parametrize("border", ["edge", "reflect", "wrap"])
def test_a_tile_reads_what_it_needs(border):
    """A tile in the middle reads itself and a halo, once, whatever the border."""
    pixels = ArrayPixels(np.zeros((300, 400, 3), np.uint8), "rgb")
    work = Work((EDGE, EDGE), layout(border=border), threads=1)
    _, _, read = in_tiles(pixels, work, [range(100, 120)], [range(200, 230)])
    assert read == [(range(98, 122), range(198, 232))]


def test_sums_over_channels_in_tiles():
    """A kernel over channels, and one for each of what it makes."""
    pixels = ArrayPixels(PICTURES["rgb"], "rgb")
    kernels = load_kernel("sepia"), EDGE
    work = Work(kernels, layout(border="wrap"), threads=1)
    whole, _ = filter_pixels(pixels, work)
    made, _, _ = in_tiles(pixels, work, [range(9), range(9, 23)], [range(30), range(30, 31)])
    np.testing.assert_array_equal(made, whole.array())


def test_transformed_kernels_in_tiles():
    """Kernels so large that they go through Fourier transforms give the same bytes too."""
    weights = np.random.default_rng(3).random((45, 45))
    weights /= weights.sum()
    image = np.random.default_rng(4).integers(0, 256, (1500, 1300, 1), dtype=np.uint8)
    pixels = ArrayPixels(image, "l")
    work = Work((Kernel(weights.tolist()), EDGE), layout(), "none", threads=2)
    assert not is_by_rows(Outline(pixels, pixels.size), work)
    whole, _ = filter_pixels(pixels, work)
    made, _, _ = in_tiles(
        pixels, work, [range(600), range(600, 1500)], [range(333), range(333, 1300)]
    )
    np.testing.assert_array_equal(made, whole.array())


@settings(max_examples=80)
@given(st.data())
def test_bands_make_the_bytes_of_the_whole(data):
    """Rows of a picture of Pillow's, of which those that are not read are others by then."""
    names = data.draw(st.sampled_from(["l", "rgb", "rgba"]))
    kernels = data.draw(st.sampled_from([*CHAINS, (load_kernel("box(size=5)"), EVEN)]))
    combined = any(isinstance(k, Combined) for k in kernels)
    channels = data.draw(st.sampled_from(["auto", "gray", "luma", "rgb"]))
    weighted = names == "rgba" and not combined and channels != "luma" and data.draw(st.booleans())
    paddings = ["same", "same", (1, 0, 2, 3)] if combined else ["same", "valid", 3, (0, 1, 2, 9)]
    options = layout(
        data.draw(st.sampled_from(paddings)),
        data.draw(st.sampled_from(sorted(set(BORDERS) - {"wrap"}))),
        data.draw(st.sampled_from([0, 7])),
        data.draw(st.sampled_from([1, 1, 2, (3, 1)])),
        data.draw(st.sampled_from([1, 1, 2, (1, 3)])),
    )
    image = Image.fromarray(PICTURES[names].squeeze())
    try:
        work = Work(kernels, options, "clip", channels, 1, "weighted" if weighted else "keep")
        whole, clipped = filter_pixels(ImagePixels(image), work)
    except (GeometryError, OptionError):  # the kernel does not fit, nor kernels each other
        assume(False)
    made, counts = [], [0, 0, 0]
    for rows in cuts(data.draw, whole.size[1]):
        read = blocks.reads((image.height, image.width), steps_of(work), rows)
        part = Image.new(image.mode, image.size, (99,) * len(names) if names[1:] else 99)
        part.paste(image.crop((0, read.start, image.width, read.stop)), (0, read.start))
        out, counted = filter_pixels(Band(part, rows), work)
        made.append(out.array())
        counts = [a + b for a, b in zip(counts, counted, strict=True)]
    np.testing.assert_array_equal(np.concatenate(made), whole.array())
    assert counts == list(clipped)
