"""Kernels as wide as the picture, whose border is copied from sums, and rows of any length."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from imgconv import Kernel, correlate
from imgconv.engine import samples
from imgconv.engine.geometry import Axis
from imgconv.engine.run import to_pixels
from imgconv.engine.step import Step
from imgconv.pipeline.layout import layout

MODES = {"edge": "nearest", "reflect": "mirror", "symmetric": "reflect", "wrap": "wrap"}


@given(st.data())
@settings(max_examples=60)
@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
def test_wide_kernels_are_as_scipys(kind: str, data: st.DataObject) -> None:
    """Whole and real, in one pass or two, with every border, of pictures of few columns."""
    rng = np.random.default_rng(data.draw(st.integers(0, 999), "seed"))
    height, width = (
        data.draw(st.integers(2, 40), "height"),
        data.draw(st.integers(20, 150), "width"),
    )
    channels, border = data.draw(st.sampled_from([1, 3, 4])), data.draw(st.sampled_from([*MODES]))
    wide = data.draw(st.integers(9, min(2 * width - 1, 99)), "wide")
    column, row = rng.integers(-3, 4, (3, 1)), rng.integers(-3, 4, (1, wide))
    weights = column * row
    if data.draw(st.booleans(), "real"):
        weights = weights / 7.3
    if kind == "float32":
        image = rng.random((height, width, channels), np.float32)
    else:
        image = rng.integers(0, np.iinfo(kind).max, (height, width, channels), kind, endpoint=True)
    if border == "reflect" and height < 3:
        border = "edge"
    found = correlate(image, Kernel(weights.tolist()), border=border).reshape(image.shape)
    planes = [image[:, :, c].astype(float) for c in range(channels)]
    origin = (0, -1 if wide % 2 == 0 else 0)
    wanted = np.dstack(
        [
            ndimage.correlate(p, weights.astype(float), mode=MODES[border], origin=origin)
            for p in planes
        ]
    )
    scale = np.abs(weights).sum() * image.max() + 1
    np.testing.assert_allclose(found, wanted, atol=2e-6 * scale, rtol=0)


def test_columns_are_copied_where_a_border_is_wide() -> None:
    """Else the test above would say nothing of it."""
    axis = Axis(100, 51, 25, 25, 1, 1, "edge")
    at, many, copies = axis.window(0, 100, range(51)).inner()
    assert (at, many) == (25, 100)
    assert copies == [(0, 25, 0, 25), (125, 124, 0, 25)]
    few = axis._replace(taps=5, before=2, after=2).window(0, 100, range(5))
    assert few.inner() == (0, 104, [])
    outside = axis._replace(border="constant").window(0, 100, range(51))
    assert outside.inner() == (0, 150, [])


KERNELS = {
    "pairs": [[1, 0, -1], [2, 0, -2], [1, 0, -1]],
    "sums that run": [[2] * 3] * 3,
    "32 bits": [[90, 0, -99], [77, 5, 1], [0, 3, -80]],
    "64 bits": [[1 << 24, 0, 1], [0, -(1 << 24), 0], [1, 0, 1]],
}


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_samples_of_a_last_vector_that_is_done_once_more_count_once(
    kernel: str, channels: int
) -> None:
    """Nor is anything written beside the output, or counted of channels that are left alone."""
    weights, filtered = np.array(KERNELS[kernel]), bytes([1, 1, 0, 1][-channels:])
    for width in (*range(15, 24), *range(42, 46), 63, 64, 65, 127, 130, 257):
        image = np.random.default_rng(width).integers(0, 256, (3, width, channels), np.uint8)
        room = np.full(image.size + 256, 77, np.uint8)
        out = room[128:][: image.size].reshape(image.shape)
        views = samples.of_array(image), samples.of_array(out)
        counts = to_pixels(*views, Step(Kernel(weights.tolist()), layout()), "clip", filtered)
        planes = [image[:, :, c].astype(np.int64) for c in range(channels)]
        wanted = np.dstack([ndimage.correlate(p, weights, mode="nearest") for p in planes])
        np.testing.assert_array_equal(out, wanted.clip(0, 255))
        counted = wanted[:, :, np.frombuffer(filtered, bool)]
        assert counts == ((counted < 0).sum(), (counted > 255).sum())
        assert {*room[:128], *room[128 + image.size :]} == {77}
