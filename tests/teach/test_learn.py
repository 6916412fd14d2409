"""Kernels learned from pictures before and after: found again, named, or told apart from none."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageFilter
from scipy import ndimage

from imgconv import load_kernel
from imgconv.errors import KernelError, OptionError
from imgconv.teach import learn


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    """Return a colour picture with texture, edges, black and white, as large as a photograph is."""
    rng = np.random.default_rng(0)
    base = ndimage.gaussian_filter(rng.normal(size=(180, 220, 3)), (1, 1, 0)) * 400 + 120
    base[40:80, 50:120] = 255
    base[100:130, 20:60] = 0
    return Image.fromarray(np.clip(base, 0, 255).astype(np.uint8))


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch, picture):
    monkeypatch.chdir(tmp_path)
    picture.save("before.png")


def learned(run, *arguments: object) -> dict:
    """Return what --json prints."""
    result = run("learn", "before.png", "after.png", "--json", *arguments)
    assert result.code == 0, result.err
    return json.loads(result.text)


def applied(spec: str) -> np.ndarray:
    """Make after.png by SciPy: responses rounded and clipped; return the effective weights."""
    kernel = load_kernel(spec)
    weights = kernel.array / kernel.divisor
    before = np.asarray(Image.open("before.png")).astype(float)
    after = np.dstack([
        ndimage.correlate(before[:, :, c], weights, mode="nearest") for c in range(3)
    ])  # fmt: skip
    Image.fromarray(np.clip(np.rint(after), 0, 255).astype(np.uint8)).save("after.png")
    return weights


@pytest.mark.parametrize(
    "spec",
    ["gaussian(sigma=0.8, size=5)", "box(size=3)", "motion(length=5, angle=30)",
     "unsharp(sigma=0.8, size=5)", "sharpen", "emboss", "sobel-left", "kirsch-n"],
)  # fmt: skip
def test_a_kernel_comes_back_from_rounded_and_clipped_pixels(run, spec):
    """Within 0.01 a weight, also where half of the samples were clipped."""
    weights = applied(spec)
    size = f"{weights.shape[0]}x{weights.shape[1]}"
    found = learned(run, "--size", size)
    np.testing.assert_allclose(found["weights"], weights, atol=0.01)
    assert found["verdict"].startswith(f"this is a {size} kernel to within rounding")
    assert 0 <= found["residual"] < 0.31


@pytest.mark.parametrize("name", ["sharpen", "blur", "sobel-left", "outline", "box-5"])
def test_a_known_kernel_is_named_in_whole_numbers(run, name):
    """Also when a larger one is looked for; the divisor is the least."""
    applied(name)
    found = learned(run, "--size", 5)
    assert name in found["verdict"]
    weights = np.array(found["integer"]["weights"]) / found["integer"]["divisor"]
    kernel = load_kernel(name)
    around = [((5 - n) // 2,) * 2 for n in kernel.size]
    np.testing.assert_array_equal(weights, np.pad(kernel.array, around) / kernel.divisor)


def test_a_median_is_called_not_linear(run):
    """However near a kernel may come."""
    before = Image.open("before.png")
    before.filter(ImageFilter.MedianFilter(3)).save("after.png")
    assert "no linear kernel of this size explains it" in learned(run)["verdict"]


def test_a_kernel_too_small_is_called_so(run):
    """What reaches farther is not explained by less."""
    applied("box-5")
    assert "no linear kernel of this size" in learned(run, "--size", 3)["verdict"]


@pytest.mark.parametrize("shift", [(1, 0), (0, -1), (-2, 1), (0, 0)])
def test_a_shift_is_called_a_shift(run, shift):
    """To the right and down."""
    before = Image.open("before.png")
    ImageChops.offset(before, *shift).save("after.png")
    verdict = learned(run, "--size", 5)["verdict"]
    wanted = "the pictures are the same" if shift == (0, 0) else f"is shifted by {shift}"
    assert wanted in verdict


def test_a_bias_is_found(run):
    """With --bias, in levels."""
    before = np.asarray(Image.open("before.png")).astype(float)
    Image.fromarray(np.rint(before * 0.61 + 40).astype(np.uint8)).save("after.png")
    found = learned(run, "--bias", "--size", 1)
    assert found["bias"] == pytest.approx(40, abs=0.3)  # flat parts round all one way
    assert found["weights"][0][0] == pytest.approx(0.61, abs=0.003)


def test_each_channel_may_have_its_own(run):
    """One kernel is tried first; three are told where one does not explain them."""
    before = Image.open("before.png")
    kernels = [ImageFilter.Kernel((3, 3), [0, -1, 0, -1, 5, -1, 0, -1, 0], scale=1)]
    kernels += [
        ImageFilter.Kernel((3, 3), [1] * 9),
        ImageFilter.Kernel((3, 3), [0] * 4 + [1] + [0] * 4),
    ]
    channels = [c.filter(k) for c, k in zip(before.split(), kernels, strict=True)]
    Image.merge("RGB", channels).save("after.png")
    found = learned(run)
    assert [one["verdict"].split(": ")[-1] for one in found] == [
        "sharpen", "box-3", "the pictures are the same",
    ]  # fmt: skip


def test_the_result_is_a_kernel_to_apply(run):
    """The TOML gives the picture after, from the picture before."""
    applied("emboss")
    result = run("learn", "before.png", "after.png", "-o", "mine.toml")
    assert (result.code, result.out) == (0, b"")
    assert "emboss" in result.err
    run("apply", "before.png", "-k", "mine.toml", "-o", "again.png", "-q")
    assert Image.open("again.png").tobytes() == Image.open("after.png").tobytes()
    assert run("learn", "before.png", "after.png", "-o", "mine.toml").code == 1
    assert run("learn", "before.png", "after.png", "-o", "mine.toml", "-f").code == 0
    assert run("learn", "before.png", "after.png").text.startswith("[emboss]\n")


def test_a_valid_picture_is_as_good_as_one_of_the_same_size(run):
    """AFTER may be smaller by the kernel."""
    run("apply", "before.png", "-k", "sharpen", "--padding", "valid", "-o", "after.png", "-q")
    assert "sharpen" in learned(run)["verdict"]


@settings(max_examples=30)
@given(
    rows=st.integers(1, 4), columns=st.integers(1, 4), seed=st.integers(0, 99), bias=st.booleans()
)
def test_real_responses_give_their_weights_exactly(rows, columns, seed, bias):
    """Any size, even or odd, of real numbers, against NumPy's own sums."""
    rng = np.random.default_rng(seed)
    weights, offset = rng.normal(size=(rows, columns)), bias * rng.normal()
    before = rng.normal(size=(20, 24, 2))
    windows = np.lib.stride_tricks.sliding_window_view(before, (rows, columns), axis=(0, 1))
    after = np.einsum("yxcab,ab->yxc", windows, weights) + offset
    equations = learn.sums(before, after, (rows, columns), bias=bias)
    found = learn.solve(equations)
    np.testing.assert_allclose(found[: rows * columns].reshape(rows, columns), weights, atol=1e-8)
    if bias:
        assert found[-1] == pytest.approx(offset, abs=1e-8)
    assert equations.residual(found) < 1e-6


def test_the_course_learns_its_edge_detector(run):
    """Example 3: ten steps from random weights lead near to 1, -1, and the loss falls."""
    image = np.ones((6, 8))
    image[:, 2:6] = 0
    np.savetxt("x.csv", image, delimiter=",", fmt="%g")
    assert run("apply", "x.csv", "-k", "1,-1", "--padding", "valid", "-o", "y.csv").code == 0
    args = ("--size", "1x2", "--method", "sgd", "--lr", "3e-2", "--epochs", 10, "--json")
    result = run("learn", "x.csv", "y.csv", *args)
    weights = np.array(json.loads(result.text)["weights"])
    np.testing.assert_allclose(weights, [[1, -1]], atol=0.1)
    losses = [float(line.split("loss ")[1]) for line in result.errors]
    assert len(losses) == 10
    assert losses == sorted(losses, reverse=True)
    # the first loss and the first step, by hand, from the same weights
    start = np.random.default_rng(0).normal(size=2)
    after = image[:, :-1] - image[:, 1:]
    off = start[0] * image[:, :-1] + start[1] * image[:, 1:] - after
    assert losses[0] == pytest.approx((off**2).sum(), rel=1e-3)
    slope = 2 * np.array([(off * image[:, :-1]).sum(), (off * image[:, 1:]).sum()])
    step = start - 3e-2 * slope
    second = step[0] * image[:, :-1] + step[1] * image[:, 1:] - after
    assert losses[1] == pytest.approx((second**2).sum(), rel=1e-3)
    result = run("learn", "x.csv", "y.csv", "--size", "1x2", "--method", "sgd", "--lr", 3)
    assert (result.code, "--lr" in result.err) == (1, True)


def test_descent_works_on_pictures(run):
    """With the step that it chooses by itself, towards what least squares find."""
    applied("box(size=1)")
    found = learned(run, "--size", 1, "--method", "sgd", "--epochs", 40)
    assert found["weights"][0][0] == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("size", ["0", "x", "3x", "3x3x3", "-1", "100", "²", ""])
def test_a_wrong_size_is_misuse(size, run):
    """Exit 2, with a right one."""
    with pytest.raises(OptionError, match="--size"):
        learn.size_of(size)
    assert run("learn", "before.png", "before.png", f"--size={size}").code == 2


def test_pictures_that_do_not_fit_are_told(run):
    """Sizes, channels, files that are missing: one line, exit 1."""
    small = np.zeros((9, 9, 3))
    for before, after in (
        (small, small[:, :, :1]),
        (small, small[:4]),
        (small[:2], small[:2]),
        (small * np.nan, small),
    ):
        with pytest.raises(KernelError):
            learn.sums(before, after, (3, 3), bias=False)
    Image.new("RGB", (9, 9)).save("small.png")
    for names in (("before.png", "small.png"), ("before.png", "gone.png")):
        result = run("learn", *names)
        assert (result.code, result.out, len(result.errors)) == (1, b"", 1)
    assert run("learn", "before.png", "before.png", "--method", "magic").code == 2
