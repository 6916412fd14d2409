"""Pillow's memory is reached in place, and where it cannot be, a copy gives the same picture."""

import numpy as np
import pytest
from PIL import Image

from imgconv import load_kernel
from imgconv.pictures import pillow
from imgconv.pictures.pixels import ImagePixels
from imgconv.pipeline.filter import filter_pixels
from imgconv.pipeline.layout import layout
from imgconv.pipeline.work import Work


def noise(mode: str, width: int, height: int) -> Image.Image:
    """Return a picture of random samples."""
    random = np.random.default_rng(width)
    if mode == "I;16":
        return Image.fromarray(random.integers(0, 65536, (height, width), np.uint16))
    bands = [Image.fromarray(random.integers(0, 256, (height, width), np.uint8)) for _ in mode]
    return bands[0] if mode == "L" else Image.merge(mode, bands)


@pytest.mark.parametrize("channels", ["auto", "gray", "luma", "a", "l"])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16"])
def test_in_place_and_copied_give_the_same_picture(
    mode: str, channels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The result does not depend on how the samples were reached."""
    if channels in ("a", "l") and channels.upper() not in mode.replace("I;16", "L"):
        pytest.skip("the picture has no such channel")
    image = noise(mode, 37, 23)
    assert pillow.is_reachable(), "this Pillow lets its memory be reached"
    for name, stride in (("sharpen", 1), ("binomial-7", 2), ("sobel-left", 1)):
        kernels = (load_kernel(name), load_kernel("emboss"))
        work = Work(kernels, layout(padding=2, stride=stride), channels=channels, threads=1)
        in_place, counts = filter_pixels(ImagePixels(image), work)
        with monkeypatch.context() as patch:
            patch.setattr(pillow, "is_reachable", lambda: False)
            copied, counts_of_copied = filter_pixels(ImagePixels(image), work)
        assert in_place.names == copied.names
        assert in_place.array().tobytes() == copied.array().tobytes()
        assert counts == counts_of_copied


@pytest.mark.parametrize(("mode", "depth"), [("L", 1), ("RGB", 4), ("RGBA", 4), ("LA", 4)])
def test_a_view_of_an_image_is_its_own_memory(mode: str, depth: int) -> None:
    """A view has Pillow's samples a pixel; odd widths are not padded."""
    pillow.in_one_block()
    image = noise(mode, 7, 5)
    view = pillow.of_image(image)
    assert (view.height, view.width, view.channels, view.step) == (5, 7, depth, 7 * depth)
    assert view.at(1, 2) == view.address + (7 + 2) * depth


def test_an_image_in_several_blocks_is_copied() -> None:
    """A large image made before blocks were asked for is still read right."""
    Image.core.set_use_block_allocator(0)
    try:
        image = noise("RGB", 3000, 2500)
        pixels = np.asarray(image)
        view = pillow.of_image(image)
        assert (view.height, view.width) == (2500, 3000)
        out, _ = filter_pixels(
            ImagePixels(image), Work((load_kernel("identity"),), layout(), threads=1)
        )
    finally:
        pillow.in_one_block()
    np.testing.assert_array_equal(out.array(), pixels)
