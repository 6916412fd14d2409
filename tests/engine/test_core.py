"""The arithmetic through the public API: exact where it is promised, close where it is not."""

import contextlib
import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from imgconv import ImgconvError, Kernel, apply, correlate, list_kernels, load_kernel
from imgconv.engine import ready, samples
from imgconv.engine.levels import rule
from imgconv.engine.plan import make_plan
from imgconv.engine.run import to_pixels as store_pixels
from imgconv.engine.step import Step
from imgconv.errors import GeometryError, ImageError, KernelError, OptionError
from imgconv.pictures.responses import to_pixels
from imgconv.pipeline.layout import layout
from tests import ROOT, reference
from tests.reference import BORDERS, LEVELS

MAXIMUM = {"uint8": 255, "uint16": 65535}
SCIPY = {
    "edge": "nearest",
    "constant": "constant",
    "reflect": "mirror",
    "symmetric": "reflect",
    "wrap": "wrap",
}
SAMPLES = ROOT / "samples"


def planes(image):
    """Return the channels of a picture as lists of rows of plain numbers."""
    return np.moveaxis(np.atleast_3d(image), 2, 0).tolist()


def stacked(channels, image):
    """Return channels as an array of the picture's kind: two axes for two, else three."""
    array = np.moveaxis(np.array(channels, image.dtype), 0, 2)
    return array[..., 0] if image.ndim == 2 else array


def responses(image, kernel, **options):
    """Return the responses of each channel, by the reference."""
    numbers = {"divisor": kernel.divisor, "bias": kernel.bias, **options}
    return [reference.respond(channel, kernel.weights, **numbers) for channel in planes(image)]


def exact(image, kernel, levels, **options):
    """Return what `apply` must give, by the reference."""
    channels = responses(image, kernel, **options)
    return stacked(reference.pixels(channels, levels, MAXIMUM[image.dtype.name]), image)


# ---- every kernel of the catalogue ------------------------------------------------------------


def exact_fast(image, kernel, *, padding, border, fill, stride, dilation):
    """Return the same as `exact` for whole numbers and clip: np.pad, strided slices and int64."""
    (sy, sx), (dy, dx) = reference.pair(stride), reference.pair(dilation)
    top, right, bottom, left = reference.sides(padding, kernel.size, (dy, dx))
    rows, columns = reference.shape(image.shape, kernel.size, padding, stride, dilation)
    how = {"constant_values": fill} if border == "constant" else {}
    around = ((top, bottom), (left, right), (0, 0))[: image.ndim]
    wide = np.pad(image.astype(np.int64), around, border, **how)
    total = np.zeros((rows, columns, *image.shape[2:]), np.int64)
    for a, b in itertools.product(*map(range, kernel.size)):
        tap = wide[a * dy : a * dy + sy * rows : sy, b * dx : b * dx + sx * columns : sx]
        total += kernel.weights[a][b] * tap[:rows, :columns]
    sign = 1 if kernel.divisor > 0 else -1
    over, under = sign * (total + kernel.bias * kernel.divisor), sign * kernel.divisor
    floor, rest = over // under, over % under
    up = (2 * rest > under) | ((2 * rest == under) & (floor % 2 == 1))
    return np.clip(floor + up, 0, MAXIMUM[image.dtype.name]).astype(image.dtype)


def noise(*shape, kind="uint8", seed=1):
    """Return a picture of noise whose ends, 0 and the maximum, both occur often."""
    noises = np.random.default_rng((*shape, seed))
    image = noises.integers(0, MAXIMUM[kind] + 1, shape)
    ends = noises.integers(0, 4, shape)
    image[ends == 0] = 0
    image[ends == 1] = MAXIMUM[kind]
    return image.astype(kind)


# Two are wide enough for the loops written for long rows, two are smaller than most kernels.
PICTURES = [noise(19, 23), noise(21, 17, 3), noise(5, 7), noise(3, 5, 3)]
PADDINGS = ["same", "valid", 3, (1, 2), (0, 1, 2, 3)]
OPTIONS = list(itertools.product(PADDINGS, [1, 2, (3, 2)], [1, 2]))
CATALOGUE = [
    name
    for name in list_kernels()
    if all(isinstance(w, int) for row in load_kernel(name).weights for w in row)
]


def cases(number):
    """All paddings, strides and dilations under all borders, as keyword arguments.

    The flip and the picture go round at different paces, started by the number, so that each meets
    every border with and without a flip. Levels other than clip would compile twice as many loops;
    any whole kernel is tested with them further down.
    """
    product = itertools.product(BORDERS, OPTIONS)
    for turn, (border, (padding, stride, dilation)) in enumerate(product, number):
        geometry = {"padding": padding, "border": border, "stride": stride, "dilation": dilation}
        fill = 200 if border == "constant" else 0
        picture = PICTURES[turn // 2 % 4]
        yield turn % 2, picture, {"fill": fill, **geometry}


def share(number):
    """Every fifth of the cases: any five neighbours in the catalogue meet them all."""
    return itertools.islice(cases(number), number % 5, None, 5)


def fits(image, kernel, options):
    """Whether any output pixel remains."""
    chosen = (options[key] for key in ("padding", "stride", "dilation"))
    return min(reference.shape(image.shape, kernel.size, *chosen)) > 0


def test_catalogue_has_kernels_to_test():
    """The kernels tested below are many, and of odd and even sizes."""
    assert len(CATALOGUE) > 40
    assert {load_kernel(name).size for name in CATALOGUE} > {(3, 3), (2, 2), (1, 2), (9, 9)}


def test_cases_meet_every_border_with_every_option():
    """Every border meets both flips and every picture, with each padding, stride and dilation."""
    for number in range(4):
        found = list(cases(number))
        for border in BORDERS:
            here = [(flip, id(picture), o) for flip, picture, o in found if o["border"] == border]
            assert {flip for flip, _, _ in here} == {0, 1}
            assert len({picture for _, picture, _ in here}) == 4
            assert len({str((o["padding"], o["stride"], o["dilation"])) for *_, o in here}) == 30


def test_shares_meet_what_all_cases_meet():
    """Neighbours take different cases, each of them with and without a flip, of all pictures."""
    taken = [list(share(number)) for number in range(40)]
    for five in range(0, 40, 5):
        assert len({str(o) for found in taken[five : five + 5] for *_, o in found}) == 150
    for found in taken:
        assert {flip for flip, _, _ in found} == {0, 1}
        assert len({id(picture) for _, picture, _ in found}) == 4
        for key, count in (("border", 5), ("padding", 5), ("stride", 3), ("dilation", 2)):
            assert len({str(o[key]) for *_, o in found}) == count


@pytest.mark.parametrize("name", ["roberts-top-left", "emboss", "sharpen-unsharp", "box-3"])
def test_fast_truth_agrees_with_the_reference(name):
    """What the catalogue is held to is itself what the reference says."""
    kernel = load_kernel(name)
    for flip, picture, options in itertools.islice(cases(len(name)), 0, None, 3):
        image = picture[:7, :9]
        weights = reference.flip(kernel.weights) if flip else kernel.weights
        turned = Kernel(weights, divisor=kernel.divisor, bias=kernel.bias)
        if fits(image, kernel, options):
            expected = exact(image, turned, "clip", **options)
            np.testing.assert_array_equal(exact_fast(image, turned, **options), expected)


@pytest.mark.parametrize("name", CATALOGUE)
def test_catalogue_kernel_is_exact(name):
    """A kernel of whole numbers gives bit for bit what rational arithmetic gives."""
    kernel = load_kernel(name)
    computed = 0
    for flip, image, options in share(CATALOGUE.index(name)):
        used = kernel.flipped() if flip else kernel
        weights = reference.flip(kernel.weights) if flip else kernel.weights
        turned = Kernel(weights, divisor=kernel.divisor, bias=kernel.bias)
        if not fits(image, kernel, options):
            with pytest.raises(GeometryError):
                apply(image, used, **options)
            continue
        expected = exact_fast(image, turned, **options)
        np.testing.assert_array_equal(apply(image, used, **options), expected, str(options))
        computed += 1
    assert computed >= 18


# ---- any whole kernel -------------------------------------------------------------------------

# By the number of taps: the core has one pass for up to six, one for up to nine, and passes of
# nine for more. Each of these is compiled anew for each type of samples, accumulator and rounding,
# which takes 1 to 2 s, so not all are combined.
SIZES = {
    6: [(1, 1), (1, 2), (2, 1), (2, 2), (2, 3), (3, 2), (1, 5), (6, 1)],
    9: [(3, 3), (1, 8), (9, 1), (2, 4)],
    99: [(4, 4), (5, 5), (1, 14), (14, 1), (3, 6), (7, 2), (9, 9)],
}
TAPS = {
    ("uint8", "clip"): [6, 9, 99],
    ("uint8", "abs"): [9, 99],
    ("uint8", "offset"): [6, 99],
    ("uint8", "stretch"): [9, 99],
    ("uint16", "clip"): [6, 99],
    ("uint16", "abs"): [99],
    ("uint16", "offset"): [99],
    ("uint16", "stretch"): [99],
}
# The greatest weights of which separable kernels are made: of greater ones some sums would take
# 64 bits, which is seconds of compiling; they have tests of their own.
SEPARABLE = {"uint8": 300, "uint16": 9}
DIVISORS = [1, 1, 1, 2, 16, 256, 3, 9, 1000, -1, -4, -7, 0.5, 2.5, 0.75, -0.375]
BIASES = [0, 0, 1, -128, 128, 1000, -70000, 0.5, -0.125, 2.75]


def whole_kernel(seed, magnitudes, sizes, separable):
    """Make a kernel of whole weights, dense or sparse, with a dyadic divisor and bias.

    Drawn evenly: Hypothesis prefers what is small and simple, and would meet few of the loops.
    """
    draw = random.Random(seed)
    magnitude = draw.choice(magnitudes)
    rows, columns = draw.choice(sizes[-1] if magnitude > 2**15 else draw.choice(sizes))
    density = 0.3 if rows * columns > 80 else 1
    weights = [
        [draw.randint(-magnitude, magnitude) * (draw.random() < density) for _ in range(columns)]
        for _ in range(rows)
    ]
    # Make it separable, or the sum of two such.
    if rows * columns > 9 and magnitude <= separable and draw.random() < 0.5:
        side = math.isqrt(magnitude)
        weights = [[0] * columns for _ in range(rows)]
        for _ in range(draw.choice([1, 2])):
            column = [draw.randint(-side, side) for _ in range(rows)]
            row = [draw.randint(-side, side) // 2 for _ in range(columns)]
            weights = [
                [w + c * r for w, r in zip(line, row, strict=True)]
                for line, c in zip(weights, column, strict=True)
            ]
    return Kernel(weights, divisor=draw.choice(DIVISORS), bias=draw.choice(BIASES))


@st.composite
def pictures(draw, kind):
    """Small pictures of noise, of the two ends only, or of one value; rarely long rows."""
    sides = st.one_of(st.just(1), st.integers(1, 7), st.integers(16, 24))
    shape = (draw(st.integers(1, 7)), draw(sides), *draw(st.sampled_from([(), (), (1,), (3,)])))
    image = noise(*shape, kind=kind, seed=draw(st.integers(0, 2**32)))
    how = draw(st.sampled_from(["noise", "noise", "ends", "low", "high"]))
    if how in ("low", "high"):
        image[:] = 0 if how == "low" else MAXIMUM[kind]
    elif how == "ends":
        image[image != 0] = MAXIMUM[kind]
    return image


paddings = st.one_of(
    st.sampled_from(["same", "same", "valid"]),
    st.integers(0, 12),
    st.tuples(st.integers(0, 9), st.integers(0, 9)),
    st.tuples(*[st.integers(0, 9)] * 4),
)
steps = st.one_of(st.integers(1, 3), st.tuples(st.integers(1, 4), st.integers(1, 4)))


@st.composite
def geometries(draw, kind):
    """Keyword arguments of `correlate`."""
    return {
        "padding": draw(paddings),
        "border": draw(st.sampled_from(BORDERS)),
        "fill": draw(st.integers(0, MAXIMUM[kind])),
        "stride": draw(steps),
        "dilation": draw(steps),
    }


kinds = st.sampled_from(sorted(MAXIMUM))
seeds = st.integers(0, 2**32)
often = settings(max_examples=200, derandomize=True, database=None)


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("kind", sorted(MAXIMUM))
@settings(often, max_examples=60)
@given(st.data(), seeds)
def test_whole_kernel_is_exact(kind, levels, data, seed):
    """Any kernel of whole weights on any picture is bit-equal to rational arithmetic."""
    # stretch multiplies by the maximum and divides by a difference of responses: beyond 2**12 on
    # uint16 that needs more than 64 bits, which is refused and tested below
    large = {"uint8": 2**28, "uint16": 2**12 if levels == "stretch" else 2**20}[kind]
    image, options = data.draw(pictures(kind)), data.draw(geometries(kind))
    sizes = [SIZES[taps] for taps in TAPS[kind, levels]]
    seed = f"{seed} {levels} {image.shape} {options}"
    kernel = whole_kernel(seed, [2, 9, 300, large], sizes, SEPARABLE[kind])
    if not fits(image, kernel, options):
        with pytest.raises(GeometryError):
            apply(image, kernel, levels=levels, **options)
        options["padding"] = "same"
    found = apply(image, kernel, levels=levels, **options)
    expected = exact(image, kernel, levels, **options)
    assert (found.dtype, found.shape) == (image.dtype, expected.shape)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", sorted(MAXIMUM))
@settings(often, max_examples=90)
@given(st.data(), seeds)
def test_response_is_the_exact_one_in_float32(kind, data, seed):
    """The response of a whole kernel is the exact one, rounded to a float32 at most twice."""
    image, options = data.draw(pictures(kind)), data.draw(geometries(kind))
    sizes = list(SIZES.values())
    magnitudes = [2, 9, 300, 2**20] if kind == "uint8" else [2, 9, 300]
    kernel = whole_kernel(f"{seed} {image.shape} {options}", magnitudes, sizes, SEPARABLE[kind])
    if not fits(image, kernel, options):
        with pytest.raises(GeometryError):
            correlate(image, kernel, **options)
        options["padding"] = "same"
    found = correlate(image, kernel, **options)
    channels = np.array(responses(image, kernel, **options), np.float64)
    expected = np.moveaxis(channels, 0, 2).reshape(found.shape)
    assert found.dtype == np.float32
    np.testing.assert_array_max_ulp(found, expected.astype(np.float32))
    np.testing.assert_array_equal(apply(image, kernel, levels="none", **options), found)


@pytest.mark.parametrize(
    ("kind", "divisor", "border"), [("uint8", 1 << 20, "constant"), ("uint16", -70_000, "reflect")]
)
def test_two_passes_in_64_bits_are_exact(kind, divisor, border):
    """Columns, then rows, whose sums no 32 bits hold, over a power of two and any other divisor."""
    rng = np.random.default_rng(1)
    first, second = (np.outer(*pair) for pair in rng.integers(-(2**10), 2**10, (2, 2, 9)))
    for columns, weights in ((1, first), (2, first + second)):
        kernel = Kernel(weights, divisor=divisor, bias=100)
        plan = make_plan(kernel, kind, kind, rule("clip", kind))
        assert (len(plan.down), plan.last.kind) == (columns, "int64")
        image, options = noise(9, 23, 3, kind=kind), {"border": border, "fill": 7}
        expected = exact(image, kernel, "clip", padding="same", **options)
        np.testing.assert_array_equal(apply(image, kernel, **options), expected)


@pytest.mark.parametrize("kind", sorted(MAXIMUM))
def test_responses_in_64_bits_are_exact(kind):
    """Of weights so large that no 32 bits hold their sums, rounded to float32 once."""
    kernel = Kernel(np.random.default_rng(4).integers(-(2**40), 2**40, (3, 4)), divisor=7)
    image = noise(9, 23, kind=kind)
    (wanted,) = responses(image, kernel)
    np.testing.assert_array_max_ulp(
        correlate(image, kernel), np.array(wanted, np.float64).astype(np.float32)
    )


@pytest.mark.parametrize(("kind", "reach"), [("uint8", 2**15), ("uint8", 2**31), ("uint16", 2**31)])
def test_sums_next_to_the_limits_of_an_accumulator_are_exact(kind, reach):
    """Sums just below and above 2**15 and 2**31 do not wrap around."""
    image = noise(2, 40, kind=kind)
    image[:, :20] = MAXIMUM[kind]
    image[1:, 25:36] = 0
    for extra, divisor, sign in itertools.product([-2, -1, 0, 1], [1, 4, 5], [1, -1]):
        most, rest = divmod(reach - divisor, MAXIMUM[kind])
        weights = [sign * (most + extra - 9)] + [sign] * 9
        kernel = Kernel([weights], divisor=divisor, bias=rest)
        channels = responses(image, kernel)
        for levels in LEVELS:
            expected = stacked(reference.pixels(channels, levels, MAXIMUM[kind]), image)
            found = apply(image, kernel, levels=levels)
            np.testing.assert_array_equal(found, expected, f"{kernel} {levels}")


@pytest.mark.parametrize("kind", sorted(MAXIMUM))
def test_whole_kernel_too_large_for_64_bits_is_refused(kind):
    """Whole weights whose sums 64 bits cannot hold are refused in one line, not computed wrong."""
    with pytest.raises(KernelError, match="64-bit") as caught:
        apply(noise(3, 3, kind=kind), [[2**53] * 9])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "kernel",
    [
        {"weights": [[1e300]], "divisor": 1e-300},
        {"weights": [[1e100]], "divisor": 1e-100},
        {"weights": [[2**53]], "divisor": 1e-100},
        {"weights": [[1]], "bias": 1e100, "divisor": 1e100},
        {"weights": [[1e-320, 1e100]]},
        {"weights": [[1e100, 1e100, -1e100]]},
        {"weights": [[0.1, 5e-324]], "divisor": 1e-100},
        {"weights": [[5e-324] * 5] * 5},
        {"weights": [[1e100, 1e-320, -1e100]] * 5, "divisor": 1e-99},
    ],
)
@pytest.mark.parametrize("kind", ["uint8", "float32"])
def test_extreme_numbers_are_computed_or_refused(kernel, kind):
    """Weights, divisors and biases at the ends of the floats give an array or our own error."""
    with contextlib.suppress(ImgconvError):
        assert correlate(np.eye(4).astype(kind), kernel).shape == (4, 4)


# ---- real weights -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def photographs():
    """A crop in colour and one in gray of the sample scene, a little larger than the kernels."""
    colour = np.asarray(Image.open(SAMPLES / "scene.jpg"))[310:350, 500:550]
    gray = np.asarray(Image.open(SAMPLES / "scene-gray.png"))[310:350, 500:550]
    assert colour.shape == (40, 50, 3)
    assert gray.shape == (40, 50)
    assert colour.std() > 10
    assert gray.std() > 10
    return {"colour": colour, "gray": gray}


def as_kind(image, kind):
    """Return an 8-bit picture as another kind, all bits of it in use."""
    if kind == "float32":
        return (image / 255).astype(kind)
    if kind == "uint8":
        return image
    low = np.arange(image.size).reshape(image.shape) % 257
    return np.minimum(image.astype(np.int64) * 257 + low, 65535).astype(kind)


def real_kernel(size, seed, gain):
    """An asymmetric kernel of real weights whose magnitudes sum up to a gain."""
    weights = np.random.default_rng(seed).normal(0.1, 0.5, (size, size))
    return weights * gain / np.abs(weights).sum()


def gaussian(size, sigma):
    """A Gaussian that sums up to 1: separable, so that it may be computed in two passes."""
    bell = np.exp(-((np.arange(size) - size // 2) ** 2) / (2 * sigma**2))
    return np.outer(bell, bell) / bell.sum() ** 2


# The sum of two separable ones, as wide as the first of them.
DIFFERENCE = gaussian(7, 1.0) - gaussian(7, 2.0)


def by_scipy(image, weights, border, fill=0.0):
    """Return the responses in float64."""
    channels = [
        ndimage.correlate(channel, weights, mode=SCIPY[border], cval=fill)
        for channel in np.moveaxis(np.atleast_3d(image).astype(np.float64), 2, 0)
    ]
    return np.stack(channels, -1).reshape(image.shape)


def leveled(response, levels, maximum):
    """Return float64 responses as samples that are not rounded."""
    if levels == "offset":
        return (maximum + 1) / 2 + response / 2 if maximum > 1 else 0.5 + response / 2
    if levels == "stretch":
        low, high = response.min(), response.max()
        return (response - low) * maximum / (high - low) if high > low else response * 0
    return abs(response) if levels == "abs" else response


def assert_within_a_level(found, response, levels):
    """Hold pixels to responses in float64, made pixels here: no more than one level away."""
    maximum = MAXIMUM[found.dtype.name]
    expected = np.clip(np.rint(leveled(response, levels, maximum)), 0, maximum)
    assert found.shape == expected.shape
    assert np.abs(found.astype(np.float64) - expected).max() <= 1


@pytest.mark.parametrize("kind", sorted(MAXIMUM))
@pytest.mark.parametrize("size", [5, 15, 31])
def test_real_weights_stay_within_a_level_of_scipy(photographs, size, kind):
    """Real kernels on photographs are at most one level from SciPy in float64."""
    for seed, (name, levels) in enumerate(itertools.product(photographs, LEVELS)):
        border, gain = BORDERS[seed % 5], (1.5, 40)[(seed + seed // 4) % 2]
        image, weights = as_kind(photographs[name], kind), real_kernel(size, seed, gain)
        found = apply(image, weights, levels=levels, border=border, fill=100)
        assert_within_a_level(found, by_scipy(image, weights, border, 100), levels)


@pytest.mark.parametrize("kind", sorted(MAXIMUM))
def test_separable_weights_stay_within_a_level_of_scipy(photographs, kind):
    """Gaussians, their difference and one almost that are within one level of float64."""
    almost = 30 * DIFFERENCE + real_kernel(7, 1, 0.2)
    kernels = [gaussian(5, 1.0), gaussian(15, 2.5), 200 * DIFFERENCE, almost]
    for turn, (name, levels, weights) in enumerate(itertools.product(photographs, LEVELS, kernels)):
        border = BORDERS[turn % 5]
        image = as_kind(photographs[name], kind)
        found = apply(image, weights, levels=levels, border=border, fill=100)
        assert_within_a_level(found, by_scipy(image, weights, border, 100), levels)


@pytest.mark.parametrize("size", [3, 5, 15])
def test_float_pictures_stay_near_scipy(photographs, size):
    """Float samples give the responses of SciPy in float64, but for float32's own precision."""
    for seed, (name, border) in enumerate(itertools.product(photographs, BORDERS)):
        image, weights = as_kind(photographs[name], "float32"), real_kernel(size, seed, 4)
        expected = by_scipy(image, weights, border, 0.25)
        found = correlate(image, weights, border=border, fill=0.25)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=0, atol=4e-6)
        for levels in LEVELS:
            found = apply(image, weights, levels=levels, border=border, fill=0.25)
            np.testing.assert_allclose(found, leveled(expected, levels, 1), rtol=0, atol=8e-6)


FINITE = {
    "one": np.array([[1.0]]),
    "three": real_kernel(3, 3, 2),
    "five": real_kernel(5, 5, 2),
    "whole": np.outer([1, 4, 6, 4, 1], [1, 2, 0, -2, -1]) + 0.0,
    "gaussian": gaussian(7, 1.0),
    "difference": DIFFERENCE,
}


@pytest.mark.parametrize("name", FINITE)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_spread_as_far_as_the_kernel(bad, name):
    """A sample that is not finite reaches the outputs whose taps read it, and no others."""
    image, weights = noise(20, 33).astype(np.float32), FINITE[name]
    image[7, 9] = bad
    expected = by_scipy(image, weights, "edge")
    assert np.isfinite(expected).sum() == image.size - np.count_nonzero(weights)
    np.testing.assert_allclose(
        correlate(image, weights), expected, rtol=1e-4, atol=1e-3, equal_nan=True
    )


def test_weight_of_zero_reads_nothing():
    """Where the weight is 0, not even NaN or an infinity gets through."""
    image = np.array([[np.nan, 1, np.inf], [2, 3, 4], [-np.inf, 5, np.nan]], np.float32)
    cross = [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
    assert correlate(image, cross, padding="valid").tolist() == [[15]]


def test_stretch_of_floats_ignores_nan_and_infinity():
    """The ends of stretch are the least and greatest finite response; the rest is as it was."""
    image = np.array([[2, np.nan, 6, np.inf, 10, -np.inf]], np.float32)
    expected = [[0, np.nan, 0.5, np.inf, 1, -np.inf]]
    np.testing.assert_array_equal(apply(image, [[1]], levels="stretch"), np.float32(expected))


@pytest.mark.parametrize("scale", [2.0**-40, 2.0**20])
@pytest.mark.parametrize("weights", [[[1]], [[1, -1]], gaussian(5, 1.0), real_kernel(3, 4, 3)])
def test_stretch_of_floats_is_the_same_at_any_scale(photographs, weights, scale):
    """Float samples may have any unit: the same picture in another one is stretched to the same."""
    image = as_kind(photographs["gray"], "float32")
    found = apply(image * np.float32(scale), weights, levels="stretch")
    np.testing.assert_allclose(found, apply(image, weights, levels="stretch"), rtol=0, atol=1e-5)
    flat = np.full((20, 40), 0.7 * scale, np.float32)
    assert not apply(flat, weights, levels="stretch").any()


@pytest.mark.parametrize("size", [3, 5, 7])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
def test_stretch_of_a_flat_picture_is_zero(kind, size):
    """A flat picture has one response everywhere, which stretch makes 0, also by real weights."""
    noises = np.random.default_rng(size)
    for turn in range(20):
        value = noises.uniform(0.1, 1) * MAXIMUM.get(kind, 1)
        image = np.full((20, 40, 3) if turn % 2 else (20, 40), value).astype(kind)
        weights = noises.uniform(-1, 1, (size, size)) * (1 + turn)
        options = {"border": BORDERS[turn % 5], "fill": image.flat[0].item()}
        found = apply(image, weights, levels="stretch", **options)
        assert not found.any(), f"{value} {weights}"


@pytest.mark.parametrize("kind", sorted(MAXIMUM))
def test_stretch_of_a_nearly_flat_picture_stays_within_a_level(kind):
    """A difference of one level, stretched to the whole range, does not show rounding errors."""
    image = np.full((40, 50), MAXIMUM[kind] - 5, kind)
    image[20, 25] += 1
    for seed, size in enumerate([3, 5, 15, 31]):
        weights = real_kernel(size, seed, 30)
        weights -= weights.mean()
        found = apply(image, weights, levels="stretch")
        assert_within_a_level(found, by_scipy(image, weights, "edge"), "stretch")


# ---- threads ----------------------------------------------------------------------------------


def with_threads(monkeypatch, threads, *args, **options):
    """Return what `apply` gives with so many threads."""
    monkeypatch.setenv("IMGCONV_THREADS", str(threads))
    return apply(*args, **options)


@pytest.mark.parametrize("name", ["blur", "binomial-7", "roberts-top-left", "real", "large"])
def test_threads_give_the_same_bytes(monkeypatch, name):
    """One, two and seven threads give the same bytes under all borders, levels and strides."""
    monkeypatch.setattr(ready, "WORK", 0)
    made = {"real": real_kernel(5, 5, 2), "large": [[2**24 * (-1) ** x for x in range(11)]]}
    kernel = made.get(name, name)
    strides = [1, 2, (3, 1), (1, 2)]
    for turn, (border, levels) in enumerate(itertools.product(BORDERS, LEVELS)):
        image = noise(67, 83, 3) if turn % 2 else noise(61, 145)
        options = {"levels": levels, "border": border, "stride": strides[turn % 4]}
        one, two, seven = (
            with_threads(monkeypatch, threads, image, kernel, **options) for threads in (1, 2, 7)
        )
        assert len(np.unique(one)) > 1
        np.testing.assert_array_equal(two, one, str(options))
        np.testing.assert_array_equal(seven, one, str(options))


def test_threads_give_the_same_bytes_on_floats(monkeypatch):
    """Float responses too are the same to the last bit, whatever the number of threads."""
    monkeypatch.setattr(ready, "WORK", 0)
    image = noise(67, 83, 3).astype(np.float32) / 255
    for levels, size in itertools.product(["clip", "stretch", "none"], [3, 5]):
        weights = real_kernel(size, size, 3)
        one, two, seven = (
            with_threads(monkeypatch, threads, image, weights, levels=levels)
            for threads in (1, 2, 7)
        )
        np.testing.assert_array_equal(two, one)
        np.testing.assert_array_equal(seven, one)


def test_large_picture_is_the_same_by_one_thread_and_by_many(monkeypatch):
    """A picture large enough to be shared out comes out as by one thread, and right."""
    image = noise(700, 900, 3)
    assert image.size * 9 > ready.WORK
    one, many = (with_threads(monkeypatch, n, image, "sobel-left") for n in (1, 7))
    np.testing.assert_array_equal(many, one)
    options = {"padding": "same", "border": "edge", "fill": 0, "stride": 1, "dilation": 1}
    kernel = load_kernel("sobel-left")
    np.testing.assert_array_equal(one, exact_fast(image, kernel, **options))


def test_more_threads_than_rows_are_no_harm(monkeypatch):
    """Seven threads share a picture of one or two rows."""
    monkeypatch.setattr(ready, "WORK", 0)
    for image in (noise(1, 40), noise(2, 40), noise(40, 1)):
        found = with_threads(monkeypatch, 7, image, "blur")
        np.testing.assert_array_equal(found, with_threads(monkeypatch, 1, image, "blur"))


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "1025", " "])
def test_wrong_number_of_threads_is_refused(monkeypatch, text):
    """IMGCONV_THREADS that is no whole number from 1 on is refused in one line that names it."""
    monkeypatch.setattr(ready, "WORK", 0)
    monkeypatch.setenv("IMGCONV_THREADS", text)
    with pytest.raises(OptionError, match="IMGCONV_THREADS") as caught:
        apply(noise(9, 9), "blur")
    assert "\n" not in str(caught.value)


# ---- arrays -----------------------------------------------------------------------------------

POWERS = [[1, 2, 4], [8, 16, 32]]


def test_kernel_is_neither_flipped_nor_transposed():
    """The response to a single one is the kernel turned by 180 degrees: a correlation."""
    image = np.zeros((4, 5), np.uint8)
    image[1, 2] = 1
    expected = np.zeros((4, 5))
    expected[0:2, 1:4] = [[32, 16, 8], [4, 2, 1]]
    np.testing.assert_array_equal(correlate(image, POWERS), expected)
    expected[0:2, 1:4] = POWERS
    np.testing.assert_array_equal(correlate(image, Kernel(POWERS).flipped()), expected)


def test_flip_changes_no_padding():
    """An even kernel turned by 180 degrees still has the larger half of its padding after."""
    image = np.zeros((1, 4), np.uint8)
    image[0, 1] = 1
    assert correlate(image, [[1, 2]], border="constant").tolist() == [[2, 1, 0, 0]]
    assert correlate(image, [[2, 1]], border="constant").tolist() == [[1, 2, 0, 0]]


def test_padding_is_top_right_bottom_left():
    """Each of four amounts is added on its own side, in the order of CSS."""
    image = np.full((1, 1), 9, np.uint8)
    found = apply(image, [[1]], padding=(0, 1, 2, 3), border="constant", fill=4)
    assert found.tolist() == [[4, 4, 4, 9, 4], [4] * 5, [4] * 5]


@pytest.mark.parametrize("border", BORDERS)
def test_stride_picks_from_the_answer_of_stride_one(border):
    """Under `same` a stride gives every s-th row and column of what stride 1 gives."""
    image = noise(13, 22, 3)
    whole = apply(image, "emboss", border=border, dilation=(2, 1))
    found = apply(image, "emboss", border=border, dilation=(2, 1), stride=(3, 2))
    np.testing.assert_array_equal(found, whole[::3, ::2])


def test_shape_keeps_its_channels():
    """(H, W) gives (OH, OW), and (H, W, C) gives (OH, OW, C), one channel included."""
    for channels in ((), (1,), (2,), (5,)):
        image = noise(6, 9, *channels)
        assert apply(image, "blur", padding="valid").shape == (4, 7, *channels)
        assert correlate(image, "blur", stride=2).shape == (3, 5, *channels)


def test_each_channel_is_filtered_by_itself():
    """A channel comes out as it does alone, the fourth included: arrays have no alpha."""
    image = noise(9, 20, 4)
    found = apply(image, "sobel-top", levels="abs")
    for c in range(4):
        np.testing.assert_array_equal(
            found[..., c], apply(image[..., c], "sobel-top", levels="abs")
        )


def test_image_is_left_as_it_was():
    """The samples given are not written to, and the result shares none of their memory."""
    image = noise(9, 20)
    before = image.copy()
    found = apply(image, "identity")
    np.testing.assert_array_equal(image, before)
    assert not np.shares_memory(found, image)


def unaligned(image):
    """Return a copy of a picture that begins at an odd address."""
    return np.frombuffer(b"?" + image.tobytes(), image.dtype, offset=1).reshape(image.shape)


def locked(image):
    """Return a copy of a picture that cannot be written to."""
    image = image.copy()
    image.setflags(write=False)
    return image


FORMS = {
    "fortran": np.asfortranarray,
    "reversed": lambda image: image[::-1, ::-1].copy()[::-1, ::-1],
    "strided": lambda image: np.repeat(np.repeat(image, 2, 0), 3, 1)[::2, ::3],
    "transposed": lambda image: image.swapaxes(0, 1).copy().swapaxes(0, 1),
    "cropped": lambda image: np.pad(image, ((1, 2), (3, 4), (0, 0)))[1:-2, 3:-4],
    "planar": lambda image: np.moveaxis(np.moveaxis(image, 2, 0).copy(), 0, 2),
    "readonly": locked,
    "unaligned": unaligned,
    "little-endian": lambda image: image.astype(image.dtype.newbyteorder("<")),
    "big-endian": lambda image: image.astype(image.dtype.newbyteorder(">")),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
def test_order_of_samples_in_memory_is_no_matter(form, kind):
    """An array of any strides, byte order or alignment, writable or not, gives the same pixels."""
    image = as_kind(noise(9, 20, 3), kind)
    same = FORMS[form](image)
    np.testing.assert_array_equal(same, image)
    found = apply(same, "emboss")
    np.testing.assert_array_equal(found, apply(image, "emboss"))
    assert found.dtype == image.dtype


@pytest.mark.parametrize(
    "kind", ["bool", "int8", "int16", "int32", "int64", "uint32", "float16", "float64", "complex64"]
)
def test_other_sample_types_are_refused(kind):
    """Samples of a type other than uint8, uint16 and float32 are refused in one line."""
    for call in (apply, correlate):
        with pytest.raises(ImageError, match=kind) as caught:
            call(np.ones((4, 4), kind), "blur")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("image", ["scene.jpg", None, [[1, 2], [3, 4]], np.array([["a"]]), 3])
def test_what_is_no_picture_is_refused(image):
    """Texts, lists and numbers are refused in one line, not guessed at."""
    with pytest.raises(ImageError) as caught:
        apply(image, "blur")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shape", [(), (5,), (0, 5), (5, 0), (4, 4, 0), (2, 2, 2, 2)])
def test_other_shapes_are_refused(shape):
    """An array that is not (H, W) or (H, W, C), or has a side of 0, is refused in one line."""
    with pytest.raises(ImageError, match="shape") as caught:
        apply(np.zeros(shape, np.uint8), "blur")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "fill"),
    [
        *[("uint8", fill) for fill in (-1, 256, 0.5, 1e300, 10**400)],
        *[("uint16", fill) for fill in (-1, 65536, 1.5)],
    ],
    ids=lambda value: str(value)[:8],
)
def test_fill_that_is_no_sample_is_refused(kind, fill):
    """A fill value that a picture's samples cannot have is refused in one line."""
    with pytest.raises((GeometryError, OptionError), match="fill") as caught:
        apply(noise(4, 4, kind=kind), "blur", border="constant", fill=fill)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("fill", [0, 255, 255.0, np.uint8(255), np.float32(7), np.int64(3)])
def test_fill_is_any_number_that_a_sample_can_have(fill):
    """A fill value is in sample units, from 0 to the maximum, whatever Python calls its type."""
    found = apply(noise(1, 1), [[1]], padding=(0, 1), border="constant", fill=fill)
    assert found[0, 0] == found[0, 2] == int(fill)


def test_fill_of_floats_is_any_finite_number():
    """Float samples take any fill value."""
    image = np.zeros((1, 1), np.float32)
    found = apply(image, [[1]], padding=(0, 1), border="constant", fill=-1234.5)
    assert found.tolist() == [[-1234.5, 0, -1234.5]]


def test_unknown_levels_are_refused_before_anything_is_computed():
    """Levels of no known name are refused, for floats too."""
    for kind in ("uint8", "float32"):
        with pytest.raises(OptionError, match="'none such'"):
            apply(np.zeros((4, 4), kind), "blur", levels="none such")


# ---- one rule ---------------------------------------------------------------------------------


@often
@given(st.data(), seeds, kinds, st.sampled_from(["clip", "abs", "offset"]))
def test_fused_store_follows_the_rule(data, seed, kind, levels):
    """What the core stores from a whole kernel is what the rule makes of its responses."""
    image, draw = data.draw(pictures(kind)), random.Random(f"{seed} {levels}")
    # responses that float32 holds so well that none is mistaken for a tie
    taps = draw.randint(1 if kind == "uint8" else 10, 12)
    weights = [draw.randint(1, 20) * (-1) ** (turn + 1) for turn in range(taps)]
    divisor = draw.choice([1, -1, 2, 16, 256, 3, 9, -10])
    kernel = Kernel([weights], divisor=divisor, bias=draw.randint(-300, 300))
    if kind == "uint16":
        image >>= 6
    expected = to_pixels(correlate(image, kernel), kind, levels)
    np.testing.assert_array_equal(apply(image, kernel, levels=levels), expected)


SPECIAL = [-1, -0.5, 0, 0.5, 1.5, 2.5, 254.5, 255.5, 256, 65534.5, 65535.5, np.nan, np.inf, -np.inf]
floats = st.one_of(
    st.sampled_from(SPECIAL),
    st.floats(-300, 300, width=32),
    st.floats(-(2.0**18), 2.0**18, width=32),
)


@often
@given(st.lists(floats, min_size=1, max_size=40), kinds, st.sampled_from(LEVELS))
def test_store_of_float_responses_follows_the_rule(responses, kind, levels):
    """What the core stores from float responses is what the rule makes of them, with its counts.

    Adding the middle or stretching rounds in float32 or float64, which may move a pixel by one.
    """
    responses = [*responses, 3, 11]  # stretch needs two different finite ones
    image = np.array([responses], np.float32)
    finite = np.abs(image[np.isfinite(image)]).max()
    found, kernel, source = np.empty(image.shape, kind), Kernel([[1]]), samples.of_array(image)
    step = Step(kernel, layout(), magnitude=float(finite), threads=1)
    low, high = store_pixels(source, samples.of_array(found), step, levels, b"\1")
    expected = to_pixels(image, kind, levels)
    if levels in ("clip", "abs"):
        np.testing.assert_array_equal(found, expected)
        values = np.rint(np.abs(image) if levels == "abs" else image)
        assert (low, high) == ((values < 0).sum(), (values > MAXIMUM[kind]).sum())
    else:
        assert np.abs(found.astype(np.int64) - expected).max() <= 1
        odd = ~np.isfinite(image)
        np.testing.assert_array_equal(found[odd], expected[odd])


# ---- worked examples of the course notes ------------------------------------------------------


def test_example_1_corr2d():
    """The cross-correlation of d2l section 7.2: 19 25 / 37 43."""
    image = np.arange(9, dtype=np.uint8).reshape(3, 3)
    expected = [[19, 25], [37, 43]]
    assert correlate(image, [[0, 1], [2, 3]], padding="valid").tolist() == expected
    assert apply(image, "0,1;2,3", padding="valid").tolist() == expected


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
def test_example_2_edge_detector(kind):
    """The kernel 1 -1 finds the two vertical edges, and none in the transposed picture."""
    image = np.ones((6, 8), kind)
    image[:, 2:6] = 0
    found = correlate(image, "1,-1", padding="valid")
    assert found.tolist() == [[0, 1, 0, 0, 0, -1, 0]] * 6
    assert correlate(image.T, [[1, -1]], padding="valid").tolist() == [[0] * 5] * 8


@pytest.mark.parametrize(
    ("kernel", "padding", "stride", "shape"),
    [
        ((3, 3), 1, 1, (8, 8)),
        ((5, 3), (2, 1), 1, (8, 8)),
        ((3, 3), 1, 2, (4, 4)),
        ((3, 5), (0, 1), (3, 4), (2, 2)),
    ],
)
def test_example_7_padding_and_stride(kernel, padding, stride, shape):
    """An 8x8 picture has the output sizes of d2l section 7.3."""
    found = correlate(noise(8, 8), np.ones(kernel), padding=padding, stride=stride)
    assert found.shape == shape


@pytest.mark.parametrize(("side", "layers"), [(32, 7), (224, 55)])
def test_example_7_layers_without_padding(side, layers):
    """Seven 5x5 layers take 32x32 to 4x4, and it needs 55 from 224x224."""
    image = np.full((side, side), 3, np.float32)
    for _ in range(layers):
        image = correlate(image, "box-5", padding="valid")
    assert image.shape == (4, 4)
    np.testing.assert_allclose(image, 3, rtol=1e-5)
