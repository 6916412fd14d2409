"""Kernels read from texts of other tools: round trips, faults, and the programs' own answers."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from imgconv import Kernel, load_kernel
from imgconv.errors import KernelError
from imgconv.kernels import dialects
from imgconv.kernels.catalog import CUSTOM, Entry
from tests.images import noise
from tests.peers import call, imagemagick, kernels, peer

M = "1 2 3 4 5 6 7 8 9"
ROWS = ((1, 2, 3), (4, 5, 6), (7, 8, 9))


def message(text: str) -> str:
    """Return the message that a text is refused with, which is one line."""
    with pytest.raises(KernelError) as caught:
        load_kernel(text)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def effect(kernel: Kernel) -> list[list[float]]:
    """Return the doubles that a kernel multiplies by."""
    return [[w / kernel.divisor for w in row] for row in kernel.weights]


@pytest.mark.parametrize("tool", ["imagemagick", "gmic"])
@given(kernel=kernels(bias=False))
def test_what_is_written_without_a_divisor_comes_back(tool, kernel):
    """Effective weights, each the same double."""
    back = load_kernel(dialects.WRITERS[tool](kernel))
    assert effect(back) == effect(kernel)
    assert (back.size, back.divisor, back.bias) == (kernel.size, 1, 0)


@given(
    weights=st.sampled_from([1, 3, 5, 7]).flatmap(
        lambda side: st.lists(
            st.lists(st.integers(-99, 99), min_size=side, max_size=side), min_size=1, max_size=7
        )
    ),
    divisor=st.integers(1, 10**6) | st.floats(1e-3, 1e6),
    bias=st.integers(0, 10**6) | st.floats(0, 1e6),
)
def test_ffmpegs_filter_comes_back(weights, divisor, bias):
    """As fractions, in the middle of the 3x3, 5x5 or 7x7 that it takes; and the bias."""
    if len(weights) % 2 == 0:
        weights = weights[1:]
    kernel = Kernel(weights, divisor=divisor, bias=bias)
    back = load_kernel(dialects.WRITERS["ffmpeg"](kernel))
    side = max(3, *kernel.size)
    above, beside = ((side - n) // 2 for n in kernel.size)
    padded = np.pad(np.array(weights, object), ((above, above), (beside, beside)))
    wanted = [[w / Fraction(kernel.divisor) for w in row] for row in padded.tolist()]
    assert [[w / Fraction(back.divisor) for w in row] for row in back.weights] == wanted
    assert back.bias == kernel.bias


@given(kernel=kernels())
def test_the_code_for_numpy_makes_the_weights(kernel):
    """Run as it is printed, to the last bit."""
    names: dict = {}
    exec(dialects.WRITERS["numpy"](Entry(kernel, CUSTOM, CUSTOM).named), names)
    np.testing.assert_array_equal(names["weights"], kernel.array / kernel.divisor)
    assert names.get("bias", 0) == kernel.bias


@given(kernel=kernels())
def test_the_code_for_opencv_makes_the_weights(kernel):
    """Run as it is printed, to the last bit; what it does to pictures is tested elsewhere."""
    names = {"x": np.zeros((4, 5))}
    exec(dialects.WRITERS["opencv"](kernel), names)
    np.testing.assert_array_equal(names["weights"], kernel.array / kernel.divisor)
    np.testing.assert_array_equal(names["y"], np.full((4, 5), kernel.bias, float))


@pytest.mark.torch
def test_the_code_for_torch_makes_the_weights():
    """Run as it is printed, to the last bit of a float32."""
    torch = pytest.importorskip("torch")

    @given(kernel=kernels())
    def check(kernel):
        names = {"x": torch.zeros(1, 2, 4, 5)}
        exec(dialects.WRITERS["torch"](kernel), names)
        wanted = kernel.array.astype(np.float32) / np.float32(kernel.divisor)
        for weights in names["weights"]:
            np.testing.assert_array_equal(weights[0].numpy(), wanted)

    check()


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        (f"3x3:{M}", ROWS),
        ("3x3:1,2,3 4,5,6 7,8,9", ROWS),
        ("3: 1,2,3 4,5,6 7,8,9", ROWS),
        (" 3X3 : 1, 2 ,3,4,5,6 7,8,\n9", ROWS),
        ("3x3+1+1:1,2,3 4,5,6 7,8,9;", ROWS),
        ("'3x1: 1, 2, 3'", ((1, 2, 3),)),
        ("1x3:1,2,3", ((1,), (2,), (3,))),
        ("3x3:-,2,nan 4,NaN,6 7,-,9", ((0, 2, 0), (4, 0, 6), (7, 0, 9))),
        ("2x2: -1 +.5 1. 1e1", ((-1, 0.5), (1, 10))),
        ("(1,2,3;4,5,6;7,8,9)", ROWS),
        ("( 1 , 2 ; 3 , -4.5e1 )", ((1, 2), (3, -45))),
    ],
)
def test_imagemagick_and_gmic_are_read(text, weights):
    """Rows by commas or spaces, whichever; nan and - are no part of the kernel."""
    kernel = load_kernel(text)
    assert (kernel.weights, kernel.divisor, kernel.bias) == (weights, 1, 0)


@given(width=st.integers(1, 5), height=st.integers(1, 5), data=st.data())
def test_an_origin_of_imagemagick_is_kept(width, height, data):
    """The weight at the origin is the one over the pixel itself, at (n - 1) // 2 of ours."""
    x = data.draw(st.integers(0, width - 1))
    y = data.draw(st.integers(0, height - 1))
    numbers = np.arange(1, width * height + 1).reshape(height, width)
    listed = ",".join(map(str, numbers.flat))
    found = load_kernel(f"{width}x{height}+{x}+{y}:{listed}").array
    rows, columns = found.shape
    top, left = (rows - 1) // 2 - y, (columns - 1) // 2 - x
    np.testing.assert_array_equal(found[top : top + height, left : left + width], numbers)
    assert np.count_nonzero(found) == numbers.size


@pytest.mark.parametrize(
    ("options", "weights", "divisor", "bias"),
    [
        (f"0m={M}", ROWS, 45, 0),
        (f"0m={M}:0rdiv=0", ROWS, 45, 0),
        (f"0m={M}:0rdiv=1/9:0bias=3", ROWS, 9, 3),
        (f"0m={M}:0rdiv=0.0625:0bias=1/2", ROWS, 16, 0.5),
        (f"0m={M}:0rdiv=2", ROWS, 0.5, 0),
        (f" 0m = {M.replace(' ', '|')} : 0rdiv = 1", ROWS, 1, 0),
        (f"0m='{M}':1m='{M}':2m=\"{M}\"", ROWS, 45, 0),
        (f"{M}:{M}:{M}:{M}:1/9:1/9:1/9:1/9:5:5:5:5", ROWS, 9, 5),
        (f"{M}:{M}:0rdiv=1:1rdiv=1", ROWS, 1, 0),
        ("0m=-1 0 1 -2 0 2 -1 0 1", ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)), 1, 0),
        ("0m=0 0 0 0 -2 0 0 0 0", ((0, 0, 0), (0, -2, 0), (0, 0, 0)), -2, 0),
        ("0m=1 2 3:0mode=row", ((1, 2, 3),), 6, 0),
        ("0m=1 2 3:0mode=column", ((1,), (2,), (3,)), 6, 0),
        ("0rdiv=3", ((0, 0, 0), (0, 1, 0), (0, 0, 0)), 1 / 3, 0),
    ],
)
@pytest.mark.parametrize("around", ["convolution={}", "format=gbrp,convolution={}"])
def test_ffmpegs_filter_is_read(around, options, weights, divisor, bias):
    """As its documentation says; rdiv 0 or missing is 1 / sum, or 1 where the sum is 0."""
    kernel = load_kernel(around.format(options))
    assert (kernel.weights, kernel.divisor, kernel.bias) == (weights, divisor, bias)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("3x3:1,2,3 4,5,6", "9 weights and 6 follow"),
        ("3x3:1,2,3 4,five,6 7,8,9", "'five'"),
        ("3x3:1,2,3,,4,5,6 7,8,9", "missing"),
        ("3x3:", "missing"),
        ("3:1,2,3", "3x3 wants 9"),
        ("3x3+3+1:1,2,3 4,5,6 7,8,9", "+3+1 is outside"),
        ("3x3-1+1:1,2,3 4,5,6 7,8,9", "WIDTHxHEIGHT"),
        ("3x3@:1,2,3 4,5,6 7,8,9", "one kernel"),
        ("3x1:1,2,3;3x1:1,1,1", "one kernel"),
        ("0x3:1", "wants 0"),
        ("300x1:" + ",".join("1" * 300), "255"),
        ("Sobel", "imgconv list"),
        ("Gaussian:0x2", "imgconv list"),
        ("convolution=", "filter alone"),
        (f"convolution=0m={M},scale=320:-1", "filter alone"),
        ("convolution=0m=1 2 3", "3 weights"),
        ("convolution=0m=1 2:0mode=row", "2 weights"),
        ("convolution=0m=0.5 2 3 4 5 6 7 8 9", "'0.5'"),
        (f"convolution=0m={M}:1m=0 0 0 0 1 0 0 0 0", "planes differ"),
        (f"convolution=0m={M}:1m={M}:0bias=3", "planes differ"),
        (f"convolution=0m={M}:0rdiv=-1", "rdiv is -1"),
        (f"convolution=0m={M}:0rdiv=1/0", "rdiv is 1/0"),
        (f"convolution=0m={M}:0rdiv=(1)", "rdiv"),
        (f"convolution=0m={M}:0bias=x", "bias"),
        (f"convolution=0m={M}:0mode=disk", "square, row, column"),
        (f"convolution=0m={M}:blur=3", "blur=3"),
        (f"convolution=0m={M}:1", "'1' is no option"),
        (f"convolution={':'.join(['1'] * 17)}", "no option"),
        ("(1,2;3)", "row 2"),
        ("(1,2;)", "missing"),
        ("(1 2;3 4)", "'1 2'"),
        ("(1,2^3,4)", "^"),
        ("()", "missing"),
    ],
)
def test_a_text_with_a_mistake_says_which(text, word):
    """One short line, with the text."""
    found = message(text)
    assert word in found
    assert text[:40].partition("'")[0] in found
    assert len(found) < 220


@given(st.text("0123456789x+-:;,. ()|=/'\"nam", max_size=30))
@pytest.mark.parametrize("head", ["", "3x3:", "convolution=0m=", "convolution=", "("])
def test_any_text_is_a_kernel_or_one_line(head, text):
    """Whatever is typed, there is no other end."""
    found = ""
    try:
        assert isinstance(load_kernel(head + text), Kernel)
    except KernelError as error:
        found = str(error)
    assert "\n" not in found


@pytest.mark.parametrize("spec", ["3x3:0,-1,0 -1,5,-1 0,-1,0", "(0,-1,0;-1,5,-1;0,-1,0)"])
def test_apply_and_show_take_such_texts(run, tmp_path, monkeypatch, spec):
    """The same picture as by name; the output's name is that of weights in place."""
    monkeypatch.chdir(tmp_path)
    noise().save("a.png")
    assert run("apply", "a.png", "-k", spec, "-q").code == 0
    assert run("apply", "a.png", "-k", "sharpen", "-q").code == 0
    assert Path("a.custom.png").read_bytes() == Path("a.sharpen.png").read_bytes()
    assert run("show", spec, "--as", "csv").text == run("show", "sharpen", "--as", "csv").text


# ffmpeg 5.1 takes each rdiv for missing, so these have the sum of the weights, or 1 where it is 0.
TEXTS = {
    "imagemagick": [
        "3: 1,2,1 2,-4,2 1,2,-6",
        "3x3+0+2: 1 -2 3 0 1 1 -1 -1 -1",
        "4x3+3+1:1,0,0,-1 2,nan,0,-2 1,-,0,1",
        "2x2:1,-1 1,1",
    ],
    "gmic": ["(1,2,1;2,4,-2;-1,-6,1)", "(1,-2;3,1)", "(1,2,-2)"],
    "ffmpeg": [
        "format=gbrp,convolution='-2 -1 0 -1 1 1 0 1 2:-2 -1 0 -1 1 1 0 1 2:-2 -1 0 -1 1 1 0 1 2'",
        "convolution=0m=1 1 1 1 1 1 1 1 1:1m=1 1 1 1 1 1 1 1 1:2m=1 1 1 1 1 1 1 1 1:"
        "0rdiv=1/9:1rdiv=1/9:2rdiv=1/9",
        "convolution=0m=1 0 -1 2 0 -2 1 0 -1:1m=1 0 -1 2 0 -2 1 0 -1:2m=1 0 -1 2 0 -2 1 0 -1:"
        "0bias=40:1bias=40:2bias=40",
        "convolution=0m=1 2 5:1m=1 2 5:2m=1 2 5:0mode=row:1mode=row:2mode=row",
        "convolution=0m=1 2 5:1m=1 2 5:2m=1 2 5:0mode=column:1mode=column:2mode=column",
    ],
}


@pytest.mark.peers
@pytest.mark.parametrize(("tool", "text"), [(tool, text) for tool in TEXTS for text in TEXTS[tool]])
def test_the_real_programs_mean_the_same(tmp_path, monkeypatch, tool, text):
    """SciPy's picture with the weights that we read; of ffmpeg's the inside, within a level."""
    monkeypatch.chdir(tmp_path)
    noise(size=(40, 30)).save("a.png")
    if tool == "imagemagick":
        edge = ("-virtual-pixel", "edge", "-morphology", "Correlate", text)
        call(imagemagick(), "a.png", *edge, "-depth", 8, "PNG24:o.png")
    elif tool == "gmic":
        after = ("keep[0]", "round", "cut", "0,255", "-o", "o.png")
        call(peer("gmic"), "a.png", text, "correlate[0]", "[1],1", *after)
    else:
        whole = ("-vf", f"format=gbrp,{text}", "-pix_fmt", "rgb24", "o.png")
        call(peer("ffmpeg"), "-y", "-i", "a.png", *whole)
    theirs = np.asarray(Image.open("o.png").convert("RGB")).astype(int)
    kernel = load_kernel(text)
    image = np.asarray(Image.open("a.png")).astype(float)
    middle = tuple(-(n % 2 == 0) for n in kernel.size)  # of an even side SciPy's is one further
    weights = kernel.array[:, :, None]
    wanted = ndimage.correlate(image, weights, mode="nearest", origin=(*middle, 0))
    wanted = np.clip(np.rint(wanted / kernel.divisor + kernel.bias), 0, 255)
    off = np.abs(theirs - wanted)
    assert (off[3:-3, 3:-3] if tool == "ffmpeg" else off).max() <= (tool == "ffmpeg")
