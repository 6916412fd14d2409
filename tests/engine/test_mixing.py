"""Sums over three channels straight from pixels, and the multiplication that divides exactly."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imgconv import Kernel, apply, correlate, load_kernel
from imgconv.compiled import processor
from imgconv.engine import mixing, samples, sums
from imgconv.engine.plan import IDENTITY
from imgconv.engine.run import to_pixels
from imgconv.engine.step import Step
from imgconv.pipeline.layout import layout
from tests.engine.test_plan import forget

DIVISORS = (1, 2, 3, 7, 10, 256, 999, 1000, 9998, 16383, 65536)


@pytest.fixture(params=["as it is", "plain"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Pixels by vectors, and plane by plane as on other processors."""
    if request.param == "plain":
        monkeypatch.setenv("IMGCONV_PLAIN", "1")
    forget()
    return str(request.param)


def picture(data: st.DataObject) -> np.ndarray:
    """A picture of bytes, often of few pixels, with the ends of their range."""
    shape = data.draw(
        st.tuples(st.integers(1, 20), st.integers(1, 70) | st.integers(120, 150)), "shape"
    )
    rng = np.random.default_rng(data.draw(st.integers(0, 999), "seed"))
    image = rng.integers(0, 256, (*shape, 3), np.uint8)
    return np.where(rng.random(image.shape) < 0.2, rng.choice([0, 255], image.shape), image).astype(
        np.uint8
    )


def half_to_even(totals: np.ndarray, divisor: int) -> np.ndarray:
    """Whole totals divided, in whole numbers."""
    quotient, rest = np.divmod(totals, divisor)
    up = (2 * rest > divisor) | ((2 * rest == divisor) & (quotient % 2 == 1))
    return quotient + up


@given(st.data())
@settings(max_examples=150)
def test_whole_sums_of_channels_are_exact(data: st.DataObject) -> None:
    """Whatever the weights, the divisor and the padding, as whole numbers say; ties to even."""
    image, outputs = picture(data), data.draw(st.sampled_from([1, 3]))
    most = data.draw(st.sampled_from([2, 400, 32767, 65534]))
    weight = st.lists(st.integers(-most, most), min_size=3, max_size=3)
    weights = np.array(data.draw(st.lists(weight, min_size=outputs, max_size=outputs)))
    divisor, bias = data.draw(st.sampled_from(DIVISORS)), data.draw(st.integers(-300, 300))
    pad, stride = data.draw(st.integers(0, 3)), data.draw(st.integers(1, 3))
    border = data.draw(st.sampled_from(["edge", "constant", "reflect"]))
    if border == "reflect" and min(image.shape[:2]) < 4:
        border = "wrap"
    kernel = Kernel(weights[:, :, None, None].tolist(), divisor=divisor, bias=bias)
    found = apply(image, kernel, padding=pad, stride=stride, border=border, fill=9)
    modes: dict[str, Any] = {"constant": {"mode": "constant", "constant_values": 9}}
    sides = ((pad, pad), (pad, pad), (0, 0))
    padded = np.pad(image, sides, **modes.get(border, {"mode": border}))[::stride, ::stride]
    totals = padded.astype(np.int64) @ weights.T + bias * divisor
    wanted = np.clip(half_to_even(totals, divisor), 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(found, wanted[:, :, 0] if outputs == 1 else wanted)


@pytest.mark.parametrize(("pad", "stride"), [(1, 2), (2, 3), (0, 1), (0, 2)])
def test_as_many_pixels_out_as_in_are_not_the_same_pixels(pad: int, stride: int) -> None:
    """A border and a stride may leave the shape as it is: rows are not to be taken as one."""
    image = np.random.default_rng(3).integers(0, 256, (2 * pad or 4, 2 * pad or 4, 3), np.uint8)
    found = apply(image, "luma", padding=pad, stride=stride)
    padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), "edge")
    np.testing.assert_array_equal(found, apply(padded, "luma")[::stride, ::stride])


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("width", [*range(60, 84), 128, 129, 191, 193])
def test_nothing_is_written_beside_the_output(outputs: int, width: int) -> None:
    """Vectors write whole pixels alone, from row to row as well, though each is as wide as many."""
    image = np.random.default_rng(width).integers(0, 256, (3, width, 3), np.uint8)
    room = np.full(image.size + 256, 77, np.uint8)
    shape = (3, width, 3)[: 2 + (outputs == 3)]
    out = room[128:][: np.prod(shape)].reshape(shape)
    weights = np.eye(3, dtype=int)[:outputs, ::-1]
    apply(image, Kernel(weights[:, :, None, None].tolist()), out=out)
    np.testing.assert_array_equal(out, image[:, :, 2] if outputs == 1 else image[:, :, ::-1])
    assert {*room[:128], *room[128 + out.size :]} == {77}


@given(st.data())
@settings(max_examples=60)
def test_real_sums_of_channels_are_near(data: st.DataObject) -> None:
    """Real weights come out as their responses do, rounded, but where these are next to a tie."""
    image = picture(data)
    rng = np.random.default_rng(data.draw(st.integers(0, 999), "weights"))
    kernel = Kernel(rng.normal(size=(3, 3, 1, 1)).tolist(), bias=float(rng.normal()))
    responses = correlate(image, kernel).astype(np.float64)
    found = apply(image, kernel).astype(np.float64)
    clear = np.abs(responses - np.floor(responses) - 0.5) > mixing.ERROR
    wanted = np.clip(np.rint(responses), 0, 255)
    np.testing.assert_array_equal(found[clear], wanted[clear])


@pytest.mark.usefixtures("path")
def test_pictures_with_a_fourth_channel_in_memory_are_the_same(run: Any, tmp_path: Any) -> None:
    """Pillow keeps colours four bytes apart; their sums are those of an array of three."""
    image = np.random.default_rng(1).integers(0, 256, (37, 61, 3), np.uint8)
    Image.fromarray(image).save(tmp_path / "in.png")
    for name in ("sepia", "luma"):
        run("apply", tmp_path / "in.png", "-k", name, "-o", tmp_path / f"{name}.png")
        with Image.open(tmp_path / f"{name}.png") as written:
            np.testing.assert_array_equal(np.asarray(written), apply(image, name))


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize(("weight", "bias"), [(2, -300), (1, 0), (0.2, 0), (0.334, 0), (0.3, -1)])
def test_clipped_sums_are_counted_once(outputs: int, weight: float, bias: int) -> None:
    """Rows of any length: the part of the last vector that is no pixel does not count."""
    kernel = Kernel([[[[weight]], [[weight]], [[weight]]]] * outputs, bias=bias)
    for width in (1, 7, 8, 9, 31, 32, 33, 63, 64, 65, 100):
        image = np.random.default_rng(width).integers(0, 256, (5, width, 3), np.uint8)
        image[0, :4] = 255
        image[4, -4:] = 0
        out = np.empty((5, width, outputs), np.uint8)
        views = samples.of_array(image), samples.of_array(out)
        counts = to_pixels(*views, Step(kernel, layout()), "clip", bytes([1, 1, 1]))
        totals = np.rint(np.repeat(weight * image.astype(int).sum(2) + bias, outputs))
        assert counts == ((totals < 0).sum(), (totals > 255).sum())


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("width", [1 << 16, (1 << 16) + 1, 600_000])
def test_long_rows_are_counted_whole(outputs: int, width: int) -> None:
    """Counts are of 16 bits while a row is mixed."""
    image, out = np.full((1, width, 3), 255, np.uint8), np.empty((1, width, outputs), np.uint8)
    views = samples.of_array(image), samples.of_array(out)
    for weight, bias, counts in (1, 0, (0, outputs * width)), (-1, 0, (outputs * width, 0)):
        kernel = Kernel([[[[weight]]] * 3] * outputs, bias=bias)
        assert to_pixels(*views, Step(kernel, layout()), "clip", bytes([1, 1, 1])) == counts


@pytest.mark.skipif(not processor.has_vectors(), reason="no vectors of AVX2 here")
def test_vectors_are_used_where_there_are_some() -> None:
    """Colours that are shipped are mixed by vectors: else these tests would test the plain path."""
    for name in ("sepia", "luma"):
        assert mixing.make_mix(load_kernel(name).outputs, IDENTITY)


@pytest.mark.parametrize("divisor", [3, 6, 9, 10, 225, 1000, 9998, 10201, 16383])
def test_a_multiplication_divides_exactly(divisor: int) -> None:
    """All totals that come to pixels, in float32 beside whole numbers."""
    snap = sums.snapping(divisor)
    assert snap is not None
    totals = np.arange(-2 * divisor, min(300 * divisor, 1 << 24), dtype=np.int64)
    product = totals.astype(np.float32) * (np.float32(1) / np.float32(divisor))
    found = np.rint(product + np.float32(snap) - np.float32(snap))
    np.testing.assert_array_equal(found, half_to_even(totals, divisor))


def test_divisors_that_a_multiplication_would_miss_are_refused() -> None:
    """Beyond these limits a tie or its neighbour might go wrong."""
    assert sums.snapping(16385) is None
    assert sums.snapping(10_000) is None
