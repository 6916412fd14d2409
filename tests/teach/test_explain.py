"""`imgconv explain --at`: the numbers of one pixel are those of apply, and their sum is exact."""

import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import imgconv
from imgconv.kernels.kernel import Kernel
from imgconv.pictures.pixels import of_array
from imgconv.pipeline.filter import filter_pixels
from imgconv.pipeline.layout import layout
from imgconv.pipeline.work import Work
from imgconv.teach.arithmetic import explain
from imgconv.teach.explain import as_json, as_text
from tests import images, reference
from tests.reference import BORDERS, LEVELS

NAMES = {"gray": "l", "rgb": "rgb", "rgba": "rgba", "deep": "l"}


def picture(draw, kind: str) -> np.ndarray:
    """Draw samples of a small picture, which may be smaller than the kernel."""
    height, width = draw(st.integers(1, 7)), draw(st.integers(1, 8))
    top = 65535 if kind == "deep" else 255
    seed = draw(st.integers(0, 2**32 - 1))
    dtype = np.uint16 if kind == "deep" else np.uint8
    shape = (height, width, len(NAMES[kind]))
    return np.random.default_rng(seed).integers(0, top, shape, dtype, endpoint=True)


SWAP = "[[[[0]],[[1]]],[[[1]],[[0]]]]"
# Six taps and two, since each number of them is compiled.
KERNELS = [
    Kernel([[1, 2, -3], [4, -5, 6]]),
    Kernel([[1, 2, -3], [4, -5, 6]], divisor=-3, bias=5),
    Kernel([[0.3, -1.7]], divisor=0.9, bias=100.5),
]


@st.composite
def works(draw):
    """Draw a kernel and the options of a correlation, as words of `apply`."""
    options = {
        "padding": draw(st.sampled_from(["same", 2, (2, 3), (3, 2, 4, 2)])),
        "border": draw(st.sampled_from(BORDERS)),
        "fill": draw(st.sampled_from([0, 77])),
        "stride": draw(st.sampled_from([1, 2, (1, 3)])),
        "dilation": draw(st.sampled_from([1, 2, (2, 1)])),
    }
    levels = draw(st.sampled_from(LEVELS))
    return draw(st.sampled_from(KERNELS)), options, levels


@settings(max_examples=60)
@given(data=st.data(), work=works(), kind=st.sampled_from(list(NAMES)))
def test_every_pixel_is_what_apply_makes(data, work, kind):
    """At 500 pixels, --json has the pixel of apply, the exact response, and the sum of products."""
    kernel, options, levels = work
    image = picture(data.draw, kind)
    colours = image[:, :, :3]
    wanted = imgconv.apply(colours, kernel, levels=levels, **options)
    exact = [
        reference.respond(
            colours[:, :, c].tolist(),
            kernel.weights,
            divisor=kernel.divisor,
            bias=Fraction(kernel.bias),
            **options,
        )
        for c in range(colours.shape[2])
    ]
    frame = of_array(image, NAMES[kind])
    whole = Work((kernel,), layout(**options), levels)
    for _ in range(5):
        y, x = (data.draw(st.integers(0, side - 1)) for side in wanted.shape[:2])
        told = json.loads(as_json(explain(frame, whole, (x, y))))
        assert [c["name"] for c in told["channels"]] == list(NAMES[kind])
        for c, channel in enumerate(told["channels"][: len(exact)]):
            assert channel["pixel"] == wanted[y, x, c]
            assert channel["response"] == pytest.approx(float(exact[c][y][x]), rel=1e-12)
            products = np.multiply(channel["samples"], channel["weights"])
            np.testing.assert_allclose(channel["products"], products, rtol=1e-12)
            assert channel["sum"] == pytest.approx(products.sum(), rel=1e-9, abs=1e-6)
        if kind == "rgba":
            assert told["channels"][3]["pixel"] == centre(image[:, :, 3], kernel, options, y, x)


def centre(plane, kernel, options, y, x):
    """Return the sample of an unfiltered channel at an output."""
    strides, dilations = map(reference.pair, (options["stride"], options["dilation"]))
    top, _, _, left = reference.sides(options["padding"], kernel.size, dilations)
    at = [
        reference.centre(i, kernel.size[a], plane.shape[a], before, strides[a], dilations[a])
        for a, (i, before) in enumerate([(y, top), (x, left)])
    ]
    return plane[at[0], at[1]]


@pytest.mark.parametrize("channels", ["gray", "rgb", "luma", "r,b", "a"])
@pytest.mark.parametrize("levels", ["clip", "stretch", "none"])
def test_channels_are_those_of_apply(channels, levels):
    """Filtered or not, each channel that comes out has apply's pixel and a sum that leads to it."""
    if (channels, levels) == ("luma", "none"):
        return  # it has no response
    frame = of_array(images.samples("RGBA"), "rgba")
    work = Work((imgconv.load_kernel("sobel-left"),), layout(), levels, channels)
    out, _ = filter_pixels(frame, work)
    found = explain(frame, work, (2, 1))
    assert [c.pixel for c in found.channels if channels != "luma" or c.name != "l"] == (
        out.array()[1, 2].tolist()
    )
    for channel in found.channels:
        if channel.rest:
            assert min(max(channel.response, 0), 255) == channel.pixel
    after, _ = filter_pixels(frame.gray(), work._replace(channels="auto"))
    if channels == "luma":
        assert found.channels[0].pixel == after.array()[1, 2, 0]


@pytest.mark.parametrize("levels", ["clip", "stretch"])
@pytest.mark.parametrize(
    ("name", "channels", "letters"),
    [
        ("luma", "auto", "la"),
        ("sepia", "auto", "rgba"),
        (SWAP, "r,b", "rgba"),
        (SWAP, "a,g", "rgba"),
    ],
)
def test_sums_over_channels_are_those_of_apply(name, channels, letters, levels):
    """Each output of a sum over channels reads its inputs, and alpha stays, at every pixel."""
    pixels = np.asarray(images.noise("RGBA", (6, 5)))
    kernel = imgconv.load_kernel(name)
    work = Work((kernel,), layout(stride=2), levels, channels)
    frame = of_array(pixels, "rgba")
    out, _ = filter_pixels(frame, work)
    assert out.names == letters
    for y in range(3):
        for x in range(3):
            found = json.loads(as_json(explain(frame, work, (x, y))))["channels"]
            assert [c["pixel"] for c in found] == out.array()[y, x].tolist()
            assert "".join(c["name"] for c in found) == letters
            for c in found:
                products = np.multiply(c["samples"], c["weights"])
                assert np.array_equal(products, c["products"])
                assert products.sum() == c["sum"]
                assert c["response"] == pytest.approx(c["sum"] / c["divisor"] + c["bias"])
            first = found[0]["samples"]
            if name != SWAP:
                assert np.ravel(first).tolist() == pixels[2 * y, 2 * x, :3].tolist()


def test_json_is_as_the_contract_has_it(run, tmp_path):
    """Example 1 of the course: 0*0 + 1*1 + 2*3 + 3*4 is 19; plain numbers, no other keys."""
    file = tmp_path / "x.csv"
    file.write_text("0,1,2\n3,4,5\n6,7,8\n")
    result = run("explain", file, "-k", "0,1;2,3", "--padding", "valid", "--at", "0,0", "--json")
    assert (result.code, result.err) == (0, "")
    assert json.loads(result.text) == {
        "x": 0,
        "y": 0,
        "channels": [{
            "name": "0", "samples": [[0, 1], [3, 4]], "weights": [[0, 1], [2, 3]],
            "products": [[0, 1], [6, 12]], "sum": 19, "divisor": 1, "bias": 0, "response": 19,
            "pixel": 19,
        }],
    }  # fmt: skip
    assert ".0" not in result.text


@pytest.fixture
def file(tmp_path):
    """Write a small picture of colours."""
    path = tmp_path / "in.png"
    Image.fromarray(images.samples("RGB")).save(path)
    return path


def test_the_options_are_those_of_apply(run, file, tmp_path):
    """Scale, bias, flip, catalogue and the rest change the pixel as they change apply's."""
    (tmp_path / "mine.toml").write_text("[tilt]\nweights = [[1, 2, 3], [3, -4, 1]]\n")
    options = [
        "-k", "tilt", "--catalog", tmp_path / "mine.toml", "--scale", "1/3", "--bias", "9",
        "--flip", "--padding", "1,2", "--border", "scipy:reflect", "--stride", "2,1",
        "--dilation", "1,2", "--levels", "abs",
    ]  # fmt: skip
    assert run("apply", file, *options, "-o", tmp_path / "out.png").code == 0
    out = np.asarray(Image.open(tmp_path / "out.png"))
    for y, x in np.ndindex(out.shape[:2]):
        told = json.loads(run("explain", file, *options, "--at", f"{x},{y}", "--json").text)
        assert [c["pixel"] for c in told["channels"]] == out[y, x].tolist()


def test_the_text_shows_each_step(run, file):
    """Border samples in brackets, the rounding, the clipping, and the pixel; nothing of colour."""
    text = run("explain", file, "-k", "-3,1,1;-1,-1,1/2+1", "--at", "0,0").text
    pixel = imgconv.apply(images.samples("RGB"), "-3,1,1;-1,-1,1/2+1")[0, 0]
    left, right = images.samples("RGB")[0, :2, 0].astype(int)
    below = images.samples("RGB")[1, :2, 0].astype(int)
    total = -3 * left + left + right - 2 * below[0] + below[1]
    assert f"[{left}]" in text
    assert f"sum       {total}\n" in text
    assert f"{total} / 2 + 1 = {total / 2 + 1:g}" in text
    assert f"pixel     {pixel[0]}\n" in text
    assert "outside it: border edge" in text
    assert "cut to 0" in text
    assert "\x1b" not in text


def test_a_real_weight_may_cost_a_level_and_it_is_said():
    """Where apply's pixel is not the rounded response, the text says why; else it says nothing."""
    image = np.random.default_rng(1).integers(0, 255, (60, 70, 1), np.uint8)
    kernel = imgconv.load_kernel("gaussian(sigma=1)")
    work, frame = Work((kernel,), layout()), of_array(image, "l")
    exact = reference.respond(image[:, :, 0].tolist(), kernel.weights, divisor=kernel.divisor)
    pixels = imgconv.apply(image[:, :, 0], kernel)
    wanted = np.array(reference.pixels([exact], "clip", 255)[0])
    for equal in (True, False):
        places = np.argwhere((pixels == wanted) == equal)[:5]
        assert len(places)
        for y, x in places.tolist():
            text = as_text(explain(frame, work, (x, y)), 80, lambda text, _: text)
            assert ("(real weights are computed to within a level)" in text) != equal
            assert f"pixel     {pixels[y, x]}" in text


def test_alpha_is_kept_and_moved_colours_fit_80_columns(run, tmp_path):
    """--alpha keep is a word here as for apply; what moves a colour is told within the width."""
    Image.fromarray(images.samples("RGBA")).save(tmp_path / "a.png")
    args = ("explain", tmp_path / "a.png", "-k", "blur", "--at", "1,1", "--alpha", "keep")
    text = run(*args, "--channels", "luma").text
    assert f"pixel     {images.samples('RGBA')[1, 1, 3]}  (not filtered" in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("size", [3, 13, 61])
def test_the_text_fits_80_columns(run, file, size):
    """Side by side, below each other, or as sums of rows, whatever the kernel's size."""
    weights = np.zeros((size, size), int)
    weights.flat[-6:] = -21
    args = ("-k", json.dumps(weights.tolist()), "--at", "1,1", "--levels", "stretch")
    result = run("explain", file, *args)
    assert result.code == 0
    assert max(map(len, result.text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["-k", "blur"], 2, "--at X,Y"),
        (["-k", "blur", "-k", "blur", "--at", "0,0"], 2, "give one -k"),
        (["-k", "sobel", "--at", "0,0"], 2, "explain one of them: sobel-right"),
        (["-k", "blur", "--at", "1"], 2, "X,Y, as 10,20"),
        (["-k", "blur", "--at", "-1,0"], 2, "X,Y, as 10,20"),
        (["-k", "blur", "--at", "7,0"], 1, "the output is 7x5"),
        (["-k", "blur", "--at", "2,2", "--stride", "3"], 1, "the output is 3x2"),
        (["-k", "blur", "--at", "0,0", "--alpha", "weighted"], 2, "choose keep"),
        (["-k", "blur", "--html", "p.html", "--json"], 2, "leave out --html"),
        (["-k", "blur", "--html", "p.html", "--levels", "none"], 2, "clip, abs"),
        (["-k", "blur", "--html", "p.html", "--channels", "luma"], 2, "auto, gray, rgb"),
        (["-k", "gaussian(sigma=9)", "--html", "p.html"], 2, "--at explains one pixel"),
        (["-k", "blur", "--html", "p.html", "--at", "7,0"], 1, "the output is 7x5"),
    ],
)
def test_misuse_is_one_line_with_its_remedy(run, file, arguments, code, words):
    """Exit 2 before the picture is read, 1 for what only the picture tells; nothing is written."""
    result = run("explain", file, *arguments)
    assert (result.code, len(result.errors), result.text) == (code, 1, "")
    assert words in result.err
