"""Products of pairs: as whole numbers say, up to the limits of what fits, and plain."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgconv import Kernel, apply
from imgconv.compiled import processor
from imgconv.engine import program, samples, whole
from imgconv.engine.plan import make_plan
from imgconv.engine.run import to_pixels
from imgconv.engine.step import Step
from imgconv.pipeline.layout import layout
from tests.engine.test_mixing import half_to_even
from tests.engine.test_plan import forget, truth
from tests.reference import BORDERS

# Weights next to what a pair takes: products with bytes must stay within 16 bits, else weights.
EDGES = (-128, -127, -126, -64, -63, -1, 0, 0, 1, 2, 3, 63, 64, 126, 127, 128)
WIDE = (-32768, -32767, -16384, 16383, 16384, 32766, 32767, 32768)


def drawn(data: st.DataObject) -> tuple[np.ndarray, Kernel]:
    """A picture with many ends of the range, and whole weights with a divisor and a bias."""
    shape = data.draw(st.tuples(st.integers(1, 14), st.integers(1, 80)), "shape")
    shape += data.draw(st.sampled_from([(), (3,), (4,)]), "channels")
    rng = np.random.default_rng(data.draw(st.integers(0, 999), "seed"))
    kind = data.draw(st.sampled_from([np.uint8, np.uint8, np.uint16]), "kind")
    image = rng.integers(0, np.iinfo(kind).max + 1, shape, kind)
    image[rng.random(shape) < 0.3] = rng.choice([0, np.iinfo(kind).max])
    high, wide = data.draw(st.tuples(st.integers(1, 7), st.integers(1, 6)), "size")
    most = data.draw(st.sampled_from([1, 5, 128, 32768]), "most")
    few = [w for w in (*EDGES, *WIDE) if abs(w) <= most]
    rows = st.lists(st.sampled_from(few), min_size=wide, max_size=wide)
    weights = data.draw(st.lists(rows, min_size=high, max_size=high), "weights")
    divisor = data.draw(st.sampled_from([1, 1, 1, 2, 9, 15, 16]), "divisor")
    bias = data.draw(st.integers(-90, 90) | st.sampled_from([-20000, -9000]), "bias")
    return image, Kernel(weights, divisor=divisor, bias=bias)


def wanted(image: np.ndarray, kernel: Kernel, border: str, levels: str) -> np.ndarray:
    """Exact levels of responses, rounded half to even."""
    responses = truth(image, np.array(kernel.weights, float), border)
    totals, divisor = np.rint(responses).astype(np.int64), kernel.divisor
    totals += kernel.bias * divisor
    white = np.iinfo(image.dtype).max
    if levels == "abs":
        totals = abs(totals)
    elif levels == "offset":
        totals, divisor = (white + 1) * divisor + totals, 2 * divisor
    return np.clip(half_to_even(totals, divisor), 0, white).astype(image.dtype)


@given(st.data())
@settings(max_examples=300)
def test_whole_weights_are_exact_by_pairs_and_plainly(data: st.DataObject) -> None:
    """Whatever the weights, at the limits of pairs and beyond them, all borders, odd heights."""
    image, kernel = drawn(data)
    border = data.draw(st.sampled_from(BORDERS), "border")
    levels = data.draw(st.sampled_from(["clip", "clip", "abs", "offset"]), "levels")
    exact = wanted(image, kernel, border, levels)
    np.testing.assert_array_equal(apply(image, kernel, border=border, levels=levels), exact)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMGCONV_PLAIN", "1")
        forget()
        np.testing.assert_array_equal(apply(image, kernel, border=border, levels=levels), exact)
    forget()


@given(st.data())
@settings(max_examples=25)
def test_long_rows_are_exact_where_they_are_read_in_place(data: st.DataObject) -> None:
    """About as long as that begins, and in several panels, with borders wider than a vector.

    What is clipped counts once, though the end of a row may be made twice.
    """
    depth = data.draw(st.sampled_from([1, 3, 4]), "depth")
    least = data.draw(st.sampled_from([program.IN_PLACE, 2 * program.WIDEST]), "least")
    width = least // depth + data.draw(st.integers(-2, 150), "more")
    rng = np.random.default_rng(data.draw(st.integers(0, 999), "seed"))
    image = rng.integers(0, 256, (data.draw(st.integers(1, 6), "height"), width, depth), np.uint8)
    size = data.draw(st.tuples(st.integers(1, 4), st.sampled_from([1, 2, 3, 5, 70])), "size")
    weights = rng.choice([-2, -1, 0, 0, 0, 1, 2], size)
    weights[0, -1] = 1
    divisor = data.draw(st.sampled_from([1, 1, 4, 15]), "divisor")
    kernel = Kernel(weights.tolist(), divisor=divisor, bias=data.draw(st.integers(-90, 90), "bias"))
    border = data.draw(st.sampled_from(BORDERS), "border")
    out, counting = np.empty_like(image), [1, 1, 1, 0][:depth]
    views, step = (
        (samples.of_array(image), samples.of_array(out)),
        Step(kernel, layout(border=border)),
    )
    counts = to_pixels(*views, step, "clip", bytes(counting))
    totals = np.rint(truth(image, np.array(kernel.weights, float), border)).astype(np.int64)
    totals = half_to_even(totals + kernel.bias * divisor, divisor)
    np.testing.assert_array_equal(out, np.clip(totals, 0, 255))
    counted = totals[..., np.array(counting, bool)]
    assert counts == ((counted < 0).sum(), (counted > 255).sum())


@pytest.mark.skipif(not processor.has_vectors(), reason="no vectors of AVX2 here")
@pytest.mark.parametrize(
    ("weights", "kind", "pairs"),
    [
        ([[1, 0, -1], [2, 0, -2], [1, 0, -1]], "uint8", ("int16", 3)),
        ([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]], "uint8", ("int16", 4)),
        ([[1, 2], [100, -27]], "uint8", ("int16", 2)),
        ([[1, 2, 3]], "uint8", ("int16", 2)),
        ([[100], [27], [-100]], "uint8", ("int16", 2)),
        ([[100, -2], [28, -27]], "uint8", ("int16", 2)),  # not 100 with 28
        ([[64, -1], [64, -1]], "uint8", ("int16", 2)),
        ([[65, 64]], "uint8", ("int32", 1)),  # more than 128 is too much for 16 bits
        ([[-128, 1], [1, 3]], "uint8", ("int16", 2)),
        ([[-128, -1]], "uint8", ("int32", 1)),
        ([[128, -1]], "uint8", None),
        ([[100, -2], [129, -27]], "uint8", ("int32", 2)),
        ([[1, 0, -1], [2, 0, -2], [1, 0, -1]], "uint16", ("int32", 3)),
        ([[20000], [12767]], "uint16", ("int32", 1)),
        ([[-32768], [32767]], "uint16", ("int32", 1)),
        ([[32768], [-1]], "uint16", None),
        ([[1, 2], [3, 5]], "float32", None),
    ],
)
def test_pairs_are_chosen_where_they_fit(
    weights: list[list[int]], kind: str, pairs: tuple[str, int] | None
) -> None:
    """Else the tests above would test nothing of them."""
    beside = make_plan(Kernel(weights), kind, kind).beside
    paired = beside if beside and beside.last.source == "pairs" else None
    assert (paired and (paired.last.kind, len(paired.last.weights) // 2)) == pairs


@pytest.mark.skipif(not processor.has_vectors(), reason="no vectors of AVX2 here")
def test_weights_too_large_together_are_no_pair() -> None:
    """Totals may fit in 16 bits by their bias, where sums of two products would not."""
    alone = make_plan(Kernel([[100, 100]], bias=-20000), "uint8", "uint8")
    assert (alone.last.kind, alone.beside) == ("int16", None)
    apart = make_plan(Kernel([[100, 100, -30, -40]], bias=-9000), "uint8", "uint8").beside
    assert apart is not None
    assert {*zip(apart.last.weights[::2], apart.last.weights[1::2], strict=True)} == {
        (-40, 100), (-30, 100),
    }  # fmt: skip


def test_no_product_of_a_pair_leaves_16_bits() -> None:
    """The limit is right: the instruction would cut off what is beyond, without a word."""
    assert 255 * whole.PAIR_MOST["int16"] <= 32767
    assert 255 * (whole.PAIR_MOST["int16"] + 1) > 32767
