"""Kernels by formula: their numbers, against SciPy and OpenCV, and what a wrong one is told."""

import math
import warnings

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, signal

from imgconv import apply, correlate, load_kernel
from imgconv.errors import KernelError
from imgconv.kernels.families import FAMILIES
from imgconv.kernels.formula import usage
from imgconv.kernels.spec import find


def weights(spec: str) -> np.ndarray:
    """Return the weights over the divisor."""
    kernel = load_kernel(spec)
    return kernel.array / kernel.divisor


def impulse(side: int) -> np.ndarray:
    """Return a picture of one point, whose filtered self is the kernel turned by 180 degrees."""
    image = np.zeros((side, side))
    image[side // 2, side // 2] = 1
    return image


@given(sigma=st.floats(0.3, 12))
def test_gaussian_is_scipys(sigma):
    """Cut off at 4 sigma, as SciPy cuts it."""
    found = weights(f"gaussian(sigma={sigma!r})")
    wanted = ndimage.gaussian_filter(impulse(len(found)), sigma, truncate=4)
    np.testing.assert_allclose(found, wanted, atol=1e-12)


@pytest.mark.filterwarnings("ignore:gaussian. size")  # most are too small to hold it
@pytest.mark.parametrize("size", [1, 3, 4, 5, 11])
@pytest.mark.parametrize("sigma", [0.5, 1, 2.5])
def test_gaussian_of_a_size_is_opencvs(sigma, size):
    """Even sides have their middle between two samples."""
    row = cv2.getGaussianKernel(size, sigma, cv2.CV_64F)
    if size % 2:  # OpenCV's even ones stand half a sample aside
        found = weights(f"gaussian(sigma={sigma}, size={size})")
        np.testing.assert_allclose(found, row @ row.T, atol=1e-12)
    else:
        found = weights(f"gaussian(sigma={sigma}, size={size})")
        np.testing.assert_allclose(found, found[::-1, ::-1])
        assert found.sum() == pytest.approx(1)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_box_and_binomial_are_whole_numbers(size):
    """Exact, and of a gain of 1."""
    kernel = load_kernel(f"box(size={size})")
    assert kernel.weights == tuple([(1,) * size] * size)
    assert kernel.gain == 1
    pascal = np.poly1d([1, 1]) ** (size - 1)
    row = np.atleast_1d(pascal.coeffs)
    kernel = load_kernel(f"binomial(size={size})")
    assert kernel.array.tolist() == np.outer(row, row).tolist()
    assert kernel.gain == 1
    assert all(isinstance(w, int) for r in kernel.weights for w in r)


@pytest.mark.parametrize("radius", [0.5, 1, 1.5, 2, 5.3])
def test_disk_is_all_within_the_radius(radius):
    """Every sample whose middle is no farther off than the radius, by counting."""
    found = load_kernel(f"disk(radius={radius})").weights
    middle = len(found) // 2
    assert middle == int(radius)
    for y, row in enumerate(found):
        for x, w in enumerate(row):
            assert w == (math.hypot(x - middle, y - middle) <= radius)


@pytest.mark.parametrize("sigma", [0.8, 1, 2, 3.7])
def test_log_is_scipys_but_adds_up_to_nothing(sigma):
    """SciPy's own does not quite add up to 0; the difference is spread evenly."""
    found = weights(f"log(sigma={sigma})")
    wanted = ndimage.gaussian_laplace(impulse(len(found)), sigma, truncate=4)
    np.testing.assert_allclose(found, wanted - wanted.mean(), atol=1e-12)
    assert abs(found.sum()) < 1e-12
    assert abs(wanted.mean()) < 1e-3


def test_dog_is_the_difference_of_scipys_gaussians():
    """The first minus the second, in the room of the larger."""
    found = weights("dog(sigma1=1, sigma2=1.6)")
    point = impulse(len(found))
    radius = len(found) // 2
    first, second = (ndimage.gaussian_filter(point, s, radius=radius) for s in (1, 1.6))
    np.testing.assert_allclose(found, first - second, atol=1e-12)


@pytest.mark.parametrize("size", [3, 5, 7])
def test_sobel_is_opencvs_in_every_direction(size):
    """At 0 degrees brighter to the right is positive, at 90 brighter above, between them a mix."""
    along, across = cv2.getDerivKernels(1, 0, size, normalize=False, ktype=cv2.CV_64F)
    right, up = across @ along.T, -(along @ across.T)
    for angle in (0, 30, 90, 135, 180, 270, -45):
        wanted = math.cos(math.radians(angle)) * right + math.sin(math.radians(angle)) * up
        np.testing.assert_allclose(weights(f"sobel(size={size}, angle={angle})"), wanted, atol=1e-9)
    for angle, name in ((0, "right"), (90, "top"), (180, "left"), (270, "bottom")):
        assert load_kernel(f"sobel(angle={angle})").weights == load_kernel(f"sobel-{name}").weights


@pytest.mark.parametrize("angle", [0, 30, 90, 200])
@pytest.mark.parametrize("phase", [0, 90, -30])
def test_gabor_is_opencvs(angle, phase):
    """OpenCV counts the angle clockwise and turns the kernel by 180 degrees."""
    spec = f"gabor(sigma=2, wavelength=5, angle={angle}, phase={phase}, size=17)"
    wanted = cv2.getGaborKernel(
        (17, 17), 2, math.radians(-angle), 5, 1, math.radians(phase), cv2.CV_64F
    )
    np.testing.assert_allclose(weights(spec), wanted[::-1, ::-1], atol=1e-12)


@pytest.mark.parametrize("amount", [0.5, 1, 3])
def test_unsharp_adds_what_a_gaussian_takes_away(amount):
    """On a picture, by SciPy."""
    image = np.random.default_rng(0).normal(size=(40, 50))
    blurred = ndimage.gaussian_filter(image, 1.5, mode="nearest")
    wanted = image + amount * (image - blurred)
    kernel = weights(f"unsharp(sigma=1.5, amount={amount})")
    found = ndimage.correlate(image, kernel, mode="nearest")
    np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_emboss_turns_with_its_angle():
    """At -45 degrees it is the catalogue's; a quarter further, that one turned."""
    assert load_kernel("emboss()").weights == load_kernel("emboss").weights
    turned = np.rot90(load_kernel("emboss").array)
    np.testing.assert_allclose(weights("emboss(angle=45)"), turned, atol=1e-12)


@pytest.mark.parametrize("length", [1, 2, 5, 9.5])
def test_motion_is_a_line_that_fades_at_its_ends(length):
    """Level, it holds what of each sample the line covers; turned, it stays as heavy."""
    level = weights(f"motion(length={length})")
    assert level.shape[0] == 1
    assert level.sum() == pytest.approx(1)
    whole = level[0][level[0] >= level.max() - 1e-12]
    assert len(whole) == 2 * int((length - 1) / 2) + 1
    np.testing.assert_allclose(weights(f"motion(length={length}, angle=90)"), level.T, atol=1e-12)
    for angle in (20, 45, 160):
        found = weights(f"motion(length={length}, angle={angle})")
        assert found.sum() == pytest.approx(1)
        np.testing.assert_allclose(found, found[::-1, ::-1], atol=1e-12)
        mirrored = weights(f"motion(length={length}, angle={-angle})")
        np.testing.assert_allclose(found, mirrored[::-1], atol=1e-12)
    if length > 2:  # it leans as the angle says, up to the right
        slanted = weights(f"motion(length={length}, angle=45)")
        y, x = np.indices(slanted.shape)
        assert (slanted * (x - x.mean()) * (y - y.mean())).sum() < 0


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("gaussian(sigma=-1)", ["sigma=-1", "greater than 0"]),
        ("gaussian(sgima=2)", ["'sgima'", "'sigma'"]),
        ("gaussian()", ["sigma=", "quotes"]),
        ("gaussian(2)", ["'2'", "sigma="]),
        ("gaussian(sigma=x)", ["sigma=x", "number"]),
        ("gaussian(sigma=nan)", ["finite"]),
        ("gaussian(sigma=1, sigma=2)", ["twice"]),
        ("gaussian(sigma=600)", ["4801", "4095", "size"]),
        ("gaussian(sigma=0.01, size=2)", ["sigma=0.01"]),
        ("gausian(sigma=2)", ["'gausian'", "'gaussian'"]),
        ("gaussian", ["gaussian(sigma=", "quoted"]),
        ("box(size=2.5)", ["size=2.5", "whole"]),
        ("box(size=0)", ["size=0"]),
        ("box(size=4097)", ["4095"]),
        ("binomial(size=99)", ["26"]),
        ("sobel(size=4)", ["size=4", "odd"]),
        ("sobel(size=1)", ["size=1", "3"]),
        ("unsharp(sigma=1, size=4)", ["size=4", "odd"]),
        ("motion(length=0.5)", ["length=0.5"]),
        ("disk(radius=0)", ["radius=0"]),
        ("disk(radius=1e9)", ["radius"]),
        ("blur()", ["'blur'", "families"]),
    ],
)
def test_a_wrong_family_is_told_with_its_remedy(spec, words):
    """One line: what, the value, how to write it."""
    with pytest.raises(KernelError) as caught:
        load_kernel(spec)
    text = str(caught.value)
    assert text.isprintable()
    for word in words:
        assert word in text


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_is_listed_with_its_parameters(name, run):
    """Name, parameters, defaults, summary, source."""
    text = run("list", name).text
    assert usage(name) in text
    assert FAMILIES[name].summary in text
    assert FAMILIES[name].source
    assert f"{name}(" in run("list", "--json", name).text


def test_a_family_names_its_file(run, tmp_path):
    """{kernel} is the name with what was given."""
    from tests.images import noise

    noise().save(tmp_path / "a.png")
    result = run("apply", tmp_path / "a.png", "-k", "sobel(size=5, angle=22.5)", "-q")
    assert result.code == 0
    assert (tmp_path / "a.sobel-size5-angle22.5.png").exists()
    assert find("gaussian(sigma=2)").label == "gaussian-sigma2"


# ---- long ones --------------------------------------------------------------------------------


def noise(*shape: int) -> np.ndarray:
    """A picture of noise."""
    return np.random.default_rng(shape).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("sigma", [40, 90.5])
def test_a_wide_gaussian_is_scipys_within_a_level(sigma):
    """Its whole support of 4 sigma, down and across the picture and beyond its edges."""
    image = noise(300, 280)
    wanted = ndimage.gaussian_filter(image.astype(float), sigma, truncate=4, mode="nearest")
    found = apply(image, f"gaussian(sigma={sigma})")
    assert np.abs(found - np.rint(wanted)).max() <= 1
    np.testing.assert_allclose(
        correlate(image, f"gaussian(sigma={sigma})"), wanted, rtol=0, atol=0.01
    )


@pytest.mark.parametrize("size", ["259", "3x4095", "4095x5"])
def test_a_long_mean_is_exact(size):
    """Whole sums divided half to even, as SciPy's mean of them is far from any tie."""
    image = noise(90, 70, 3)
    kernel = load_kernel(f"box(size={size})")
    high, wide = kernel.size
    sums = image.astype(np.int64)
    for axis, side in enumerate((high, wide)):
        beyond = [(side // 2,) * 2 if each == axis else (0, 0) for each in range(3)]
        ahead = np.cumsum(np.insert(np.pad(sums, beyond, "edge"), 0, 0, axis), axis)
        sums = np.take(ahead, range(side, ahead.shape[axis]), axis) - np.take(
            ahead, range(ahead.shape[axis] - side), axis
        )
    quotient, rest = np.divmod(sums, high * wide)
    wanted = quotient + (2 * rest > high * wide)  # an odd number of samples has no tie
    np.testing.assert_array_equal(apply(image, kernel), wanted)
    np.testing.assert_array_equal(apply(image, kernel, stride=3), wanted[::3, ::3])


@pytest.mark.parametrize(
    "spec", ["unsharp(sigma=35)", "motion(length=300)", "motion(length=301.5, angle=90)"]
)
@pytest.mark.parametrize("options", [{}, {"stride": 2, "border": "reflect"}, {"dilation": 2}])
def test_long_kernels_are_their_weights(spec, options):
    """What is kept as columns times rows filters as SciPy does with all the weights."""
    image = noise(310, 305)
    kernel = load_kernel(spec)
    weights = kernel.array / kernel.divisor
    stride, dilation = options.get("stride", 1), options.get("dilation", 1)
    spread = np.zeros([dilation * (n - 1) + 1 for n in weights.shape])
    spread[::dilation, ::dilation] = weights
    around = [(n // 2, n // 2) for n in spread.shape]
    border = {"edge": "edge", "reflect": "reflect"}[options.get("border", "edge")]
    padded = np.pad(image.astype(float), around, mode=border)
    wanted = signal.correlate(padded, spread, "valid", "fft")[::stride, ::stride]
    found = apply(image, kernel, **options)
    assert np.abs(found - np.clip(np.rint(wanted), 0, 255)).max() <= 1


def test_a_size_of_two_sides_is_rows_by_columns():
    """`size=3x9`: three rows of nine."""
    assert load_kernel("box(size=3x9)").size == (3, 9)
    assert load_kernel("gaussian(sigma=2, size=15x19)").size == (15, 19)
    with pytest.raises(KernelError, match="size=3x9 is not a number"):
        load_kernel("dog(sigma1=1, sigma2=2, size=3x9)")


@given(down=st.floats(0.4, 8), across=st.floats(0.4, 8))
@settings(max_examples=25)
def test_a_gaussian_of_two_sigmas_is_scipys(down, across):
    """`sigma` down the columns, `sigma_x` across the rows."""
    found = weights(f"gaussian(sigma={down!r}, sigma_x={across!r})")
    size = max(found.shape)
    spread = np.zeros((size + 1 - size % 2,) * 2)
    spread[len(spread) // 2, len(spread) // 2] = 1
    wanted = ndimage.gaussian_filter(spread, (down, across), truncate=4)
    aside = [(len(spread) - side) // 2 for side in found.shape]
    inside = wanted[aside[0] : aside[0] + found.shape[0], aside[1] : aside[1] + found.shape[1]]
    np.testing.assert_allclose(found, inside, atol=1e-12)


@pytest.mark.parametrize(
    ("spec", "cut"),
    [("gaussian(sigma=250, size=255)", 84), ("gaussian(sigma=3, size=7)", 42),
     ("unsharp(sigma=2, size=7)", 15), ("gaussian(sigma=2, sigma_x=5, size=17x21)", 3)],
)  # fmt: skip
def test_a_size_that_cuts_weight_is_told(spec, cut):
    """By how much of a gaussian in two directions lies beyond the sides."""
    with pytest.warns(UserWarning, match=f" cuts {cut} % of the weight .* size=.* holds it"):
        load_kernel(spec)


@pytest.mark.parametrize(
    "spec", ["gaussian(sigma=3)", "gaussian(sigma=3, size=19)", "box(size=5)", "log(sigma=2)"]
)
def test_what_cuts_next_to_nothing_is_not_told(spec):
    """Up to a hundredth."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_kernel(spec)


@pytest.mark.parametrize(
    ("spec", "parameter"),
    [("gaussian(sigma=1e308)", "sigma"), ("gaussian(sigma=1e-308)", "sigma"),
     ("gabor(sigma=1, wavelength=1e-320)", "wavelength"),
     ("dog(sigma1=1e-200, sigma2=3)", "sigma1"), ("unsharp(sigma=1, amount=1e308)", "amount")],
)  # fmt: skip
def test_numbers_beyond_doubles_name_their_parameter(spec, parameter):
    """One line, which says which."""
    with pytest.raises(KernelError, match=f"{parameter}=.* beyond what doubles hold"):
        load_kernel(spec)


@pytest.mark.parametrize("sigmas", ["sigma=-2, sigma_x=5", "sigma=0, sigma_x=5"])
def test_both_sigmas_are_to_be_positive(sigmas):
    """Also where another one is given across."""
    with pytest.raises(KernelError, match=r"sigma=.* must be greater than 0"):
        load_kernel(f"gaussian({sigmas})")


@pytest.mark.parametrize("size", [4096, 0, "3x4096", "0x3"])
def test_a_side_beyond_what_there_is_is_refused(size):
    """The most is told."""
    with pytest.raises(KernelError, match="does not give a whole side from 1 to 4095"):
        load_kernel(f"box(size={size})")
