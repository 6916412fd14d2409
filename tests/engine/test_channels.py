"""Kernels over channels: sums of channels to one or several outputs, against loops and Pillow."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imgconv import Kernel, apply, correlate
from imgconv.errors import KernelError
from tests import reference
from tests.images import noise
from tests.reference import BORDERS

SWAP = [[[[0]], [[0]], [[1]]], [[[0]], [[1]], [[0]]], [[[1]], [[0]], [[0]]]]


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@st.composite
def layers(draw):
    """Draw a picture of some channels, whole weights in some groups, biases and a geometry."""
    groups, inputs, each = (draw(st.integers(1, 3)) for _ in range(3))
    size = [draw(st.integers(1, 4)) for _ in range(2)]
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    kind, top = "uint8", 255  # each kind and divisor more is seconds of compiling
    image = rng.integers(0, top + 1, (*rng.integers(1, 9, 2), groups * inputs)).astype(kind)
    weights = rng.integers(-9, 10, (groups * each, inputs, *size)).tolist()
    fields = {
        "divisor": draw(st.sampled_from([1, 16, -5])),
        "bias": rng.integers(-99, 99, groups * each).tolist(),
    }
    geometry = {
        "padding": "same",
        "border": draw(st.sampled_from(BORDERS)),
        "stride": draw(st.integers(1, 3)),
        "dilation": draw(st.integers(1, 2)),
        "fill": draw(st.integers(0, top)),
    }
    return image, weights, fields, geometry, top


@settings(max_examples=80)
@given(layers(), st.sampled_from(["clip", "abs", "stretch"]))
def test_whole_weights_are_exact(layer, levels):
    """Responses and pixels of whole weights over channels equal those of fractions, bit for bit."""
    image, weights, fields, geometry, top = layer
    planes = [image[:, :, c].tolist() for c in range(image.shape[2])]
    wanted = reference.respond_over_channels(planes, weights, **fields, **geometry)
    kernel = Kernel(weights, **fields)
    found = correlate(image, kernel, **geometry)
    rounded = np.array([[[np.float32(float(r)) for r in row] for row in o] for o in wanted])
    np.testing.assert_array_equal(found, np.squeeze(np.moveaxis(rounded, 0, 2), _single(weights)))
    pixels = np.array(reference.pixels(wanted, levels, top))
    found = apply(image, kernel, levels=levels, **geometry)
    difference = found.astype(int) - np.squeeze(np.moveaxis(pixels, 0, 2), _single(weights))
    assert np.abs(difference).max() <= (levels == "stretch")  # whose ends are no whole numbers


def _single(weights):
    """The axis of a single output, which has none."""
    return (2,) if len(weights) == 1 else ()


@settings(max_examples=40)
@given(layers(), st.sampled_from(["float32", "uint8"]))
def test_real_weights_are_within_a_level_of_doubles(layer, kind):
    """Real weights, on samples of both kinds, are within a level of loops in exact fractions."""
    image, weights, fields, geometry, _ = layer
    image = image.astype(int) % 256 / (255 if kind == "float32" else 1)
    image = image.astype(kind)
    geometry["fill"] = 0
    weights = (np.array(weights) / 9.7).tolist()
    planes = [image[:, :, c].astype(float).tolist() for c in range(image.shape[2])]
    exact = [[[[float(w) for w in row] for row in m] for m in o] for o in weights]
    wanted = reference.respond_over_channels(planes, exact, **fields, **geometry)
    wanted = np.moveaxis(np.array(wanted, dtype=float), 0, 2)
    found = correlate(image, Kernel(weights, **fields), **geometry)
    np.testing.assert_allclose(found, np.squeeze(wanted, _single(weights)), rtol=1e-5, atol=1e-3)
    if kind == "uint8":
        pixels = apply(image, Kernel(weights, **fields), **geometry)
        limits = np.clip(np.squeeze(wanted, _single(weights)), 0, 255)
        assert np.abs(pixels - limits).max() <= 1


def test_sixteen_bits_are_exact():
    """Whole weights over channels of 16 bits give exact responses and pixels."""
    rng = np.random.default_rng(11)
    image = rng.integers(0, 65536, (9, 8, 4), np.uint16)
    weights, bias = rng.integers(-9, 10, (2, 2, 3, 2)).tolist(), [7, -40000]
    planes = [image[:, :, c].tolist() for c in range(4)]
    wanted = reference.respond_over_channels(planes, weights, divisor=3, bias=bias)
    pixels = np.moveaxis(np.array(reference.pixels(wanted, "clip", 65535)), 0, 2)
    np.testing.assert_array_equal(apply(image, Kernel(weights, divisor=3, bias=bias)), pixels)


def test_threads_and_bands_change_nothing(monkeypatch):
    """A picture large enough to be shared out is the same by one thread and by three."""
    image = np.random.default_rng(1).integers(0, 256, (700, 900, 3), np.uint8)
    kernel = Kernel(np.random.default_rng(2).normal(size=(5, 3, 3, 3)))
    whole = Kernel(np.random.default_rng(3).integers(-9, 9, (3, 3, 3, 5)))
    found = []
    for threads in ("1", "3"):
        monkeypatch.setenv("IMGCONV_THREADS", threads)
        found.append((correlate(image, kernel), apply(image, whole)))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1], found[1][1])
    cut = correlate(image[100:200, 300:420], kernel, padding="valid")
    np.testing.assert_array_equal(found[0][0][101:199, 301:419], cut)


def test_separable_sums_are_those_of_all_their_taps():
    """A large kernel that is a column times a row in every channel gives the same numbers."""
    rng = np.random.default_rng(5)
    row = np.array([1, 4, 6, 4, 1])
    weights = np.stack([np.outer(row, row) * k for k in (1, 2, -3)])[None]
    image = rng.integers(0, 256, (40, 50, 3), np.uint8)
    planes = [image[:, :, c].tolist() for c in range(3)]
    (wanted,) = reference.respond_over_channels(planes, weights.tolist(), divisor=256)
    np.testing.assert_array_equal(
        correlate(image, Kernel(weights, divisor=256)), np.array(wanted, dtype=np.float32)
    )


def test_shapes_are_checked_against_channels():
    """A kernel for other channels, or outputs that groups cannot share, is one line."""
    image = noise("RGB", (5, 4))
    array = np.asarray(image)
    for weights, words in (
        (np.ones((2, 3, 3)), "takes 2"),
        (np.ones((1, 3, 3)), "takes 1"),  # three dimensions make one output of all channels
        (np.ones((4, 1, 3, 3)), "4 outputs"),
        (np.ones((3, 4, 1, 1)), "takes 4"),
    ):
        with pytest.raises(KernelError, match=words) as caught:
            correlate(array, weights)
        assert "\n" not in str(caught.value)
    assert correlate(array, np.ones((6, 1, 3, 3))).shape == (4, 5, 6)


def test_malformed_weights_name_their_place():
    """Weights that are not alike, too deep or without a bias each are refused with their place."""
    for fields, words in (
        ({"weights": [[[1]], [[1, 2]]]}, "input 2"),
        ({"weights": [[[[1]]], [[[1]], [[1]]]]}, "output 2"),
        ({"weights": [[[[[1]]]]]}, "5 deep"),
        ({"weights": [[[[1], ["a"]]]]}, "output 1, input 1: the weight in row 2"),
        ({"weights": [[[[1]]], [[[1]]]], "bias": [1, 2, 3]}, "3 numbers"),
        ({"weights": [[1]], "bias": [1, 2]}, "2 numbers"),
        ({"weights": [[[1], []]]}, "empty"),
    ):
        with pytest.raises(KernelError, match=words) as caught:
            Kernel(**fields)
        assert "\n" not in str(caught.value)


def test_flip_turns_each_matrix_and_no_channels():
    """A true convolution turns rows and columns, not the channels or the outputs."""
    kernel = Kernel([[[1, 2], [3, 4]], [[5, 6], [7, 8]]])
    assert kernel.flipped().weights == (((4, 3), (2, 1)), ((8, 7), (6, 5)))


# ---- on files ---------------------------------------------------------------------------------


def test_luma_is_what_pillow_makes_gray(run):
    """The kernel luma makes a gray picture, Pillow's own but for ties."""
    noise("RGB", (60, 50)).save("x.png")
    assert run("apply", "x.png", "-k", "luma", "-o", "y.png").code == 0
    found, wanted = Image.open("y.png"), Image.open("x.png").convert("L")
    assert found.mode == "L"
    assert np.abs(np.asarray(found).astype(int) - np.asarray(wanted)).max() <= 1
    assert (np.asarray(found) == np.asarray(wanted)).mean() > 0.99


@pytest.mark.parametrize(
    ("name", "matrix"),
    [
        ("sepia", [[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]]),
        ("saturate", [[0.213 + 0.787 * 1.5, 0.715 - 0.715 * 1.5, 0.072 - 0.072 * 1.5],
                      [0.213 - 0.213 * 1.5, 0.715 + 0.285 * 1.5, 0.072 - 0.072 * 1.5],
                      [0.213 - 0.213 * 1.5, 0.715 - 0.715 * 1.5, 0.072 + 0.928 * 1.5]]),
        ("swap-red-blue", [[0, 0, 1], [0, 1, 0], [1, 0, 0]]),
        ("swap-red-green", [[0, 1, 0], [1, 0, 0], [0, 0, 1]]),
        ("swap-green-blue", [[1, 0, 0], [0, 0, 1], [0, 1, 0]]),
    ],
)  # fmt: skip
def test_1x1_kernels_are_matrix_products(run, name, matrix):
    """Each pixel's colour is the matrix times the colour, alpha stays (example 6)."""
    noise("RGBA", (40, 30)).save("x.png")
    assert run("apply", "x.png", "-k", name, "-o", "y.png", "-q").code == 0
    before, after = np.asarray(Image.open("x.png")), np.asarray(Image.open("y.png"))
    product = np.clip(before[:, :, :3] @ np.array(matrix).T, 0, 255)
    assert np.abs(after[:, :, :3] - product).max() <= 0.5 + 1e-6
    np.testing.assert_array_equal(after[:, :, 3], before[:, :, 3])


def test_one_kernel_over_rgb_gives_one_map(run):
    """Example 11: outline on each input channel, shape (1, 3, 3, 3), is the sum of three maps."""
    noise("RGB", (30, 20)).save("x.png")
    assert run("apply", "x.png", "-k", "outline-rgb", "--levels", "none", "-o", "y.npy").code == 0
    image = np.asarray(Image.open("x.png"))
    total = sum(correlate(np.ascontiguousarray(image[:, :, c]), "outline") for c in range(3))
    np.testing.assert_array_equal(np.load("y.npy"), total)


def test_channels_of_the_course_by_the_command_line(run):
    """Examples 4 and 5: two channels in, one and three out."""
    x = np.array([[[0, 1, 2], [3, 4, 5], [6, 7, 8]], [[1, 2, 3], [4, 5, 6], [7, 8, 9]]])
    np.save("x.npy", x.transpose(1, 2, 0))
    one = np.array([[[0, 1], [2, 3]], [[1, 2], [3, 4]]])
    spec = json.dumps(one.tolist())
    args = ("--padding", "valid", "-o", "-", "--format", "csv")
    assert run("apply", "x.npy", "-k", spec, *args).text == "56,72\n104,120\n"
    spec = json.dumps([(one + k).tolist() for k in range(3)])
    assert run("apply", "x.npy", "-k", spec, "--padding", "valid", "-o", "y.npy").code == 0
    wanted = [[[56, 72], [104, 120]], [[76, 100], [148, 172]], [[96, 128], [192, 224]]]
    np.testing.assert_array_equal(np.load("y.npy").transpose(2, 0, 1), wanted)


def test_toml_keeps_the_shape_and_each_bias(run, tmp_path):
    """A kernel over channels, with a bias for each output, is written as TOML and read back."""
    fields = {"weights": [[[[1, 2]], [[3, 4]]], [[[5, 6]], [[7, 8]]]], "bias": [1, -2.5]}
    (tmp_path / "k.toml").write_text(run("show", json.dumps(fields), "--as", "toml").text)
    shown = json.loads(run("show", "k.toml", "--as", "json").text)
    assert (shown["weights"], shown["bias"]) == (fields["weights"], fields["bias"])


def test_a_chain_goes_on_with_the_channels_that_come_out(run):
    """After luma the next kernel reads one channel, after sepia three; levels come once."""
    noise("RGB", (30, 20)).save("x.png")
    image = np.asarray(Image.open("x.png"))
    assert run("apply", "x.png", "-k", "luma", "-k", "1,0,-1", "-o", "y.npy").code == 0
    brightness = image @ np.array([19595, 38470, 7471]) / 65536
    wanted = correlate(brightness.astype(np.float32), "1,0,-1")
    np.testing.assert_allclose(np.load("y.npy"), wanted, atol=1e-3)
    for chain in (("swap-red-blue", "box-3"), ("box-3", "swap-red-blue")):
        args = [word for name in chain for word in ("-k", name)]
        assert run("apply", "x.png", *args, "-o", "z.png", "-f").code == 0
        swapped = apply(np.ascontiguousarray(image[:, :, ::-1]), "box-3")
        assert np.abs(np.asarray(Image.open("z.png")).astype(int) - swapped).max() <= 1


def test_other_numbers_of_channels_need_an_array_or_a_tiff(run):
    """Two outputs go to .npy and, as responses, to .tif; to a PNG they are one line with both."""
    noise("RGB", (12, 9)).save("x.png")
    two = "[[[[1]],[[1]],[[1]]],[[[1]],[[0]],[[-1]]]]"
    result = run("apply", "x.png", "-k", two, "-o", "y.png")
    assert (result.code, len(result.errors)) == (1, 1)
    assert ".npy" in result.err
    assert ".tif" in result.err
    assert run("apply", "x.png", "-k", two, "-o", "y.npy").code == 0
    assert run("apply", "x.png", "-k", two, "--levels", "none", "-o", "y.tif").code == 0
    assert run("apply", "y.tif", "-k", "1", "-o", "back.npy").code == 0
    image = np.asarray(Image.open("x.png")).astype(int)
    wanted = np.dstack([image.sum(axis=2), image[:, :, 0] - image[:, :, 2]])
    for name in ("y.npy", "back.npy"):
        np.testing.assert_array_equal(np.load(name), wanted)


def test_listed_channels_alone_are_added_up(run):
    """With letters the kernel reads those channels, and as many outputs take their place."""
    noise("RGBA", (12, 9)).save("x.png")
    before = np.asarray(Image.open("x.png"))
    swap = "[[[[0]],[[1]]],[[[1]],[[0]]]]"
    assert run("apply", "x.png", "-k", swap, "--channels", "r,b", "-o", "y.png").code == 0
    np.testing.assert_array_equal(np.asarray(Image.open("y.png")), before[:, :, [2, 1, 0, 3]])
    result = run("apply", "x.png", "-k", "[[[1]],[[1]]]", "--channels", "r,b", "-o", "z.png")
    assert (result.code, len(result.errors)) == (1, 1)
    assert "outputs" in result.err


def test_gray_pictures_become_rgb_first_where_asked(run):
    """A kernel for three channels refuses a gray picture in one line, and takes it made RGB."""
    noise("L", (12, 9)).save("x.png")
    result = run("apply", "x.png", "-k", "sepia", "-o", "y.png")
    assert (result.code, len(result.errors)) == (1, 1)
    assert "--channels" in result.err
    assert run("apply", "x.png", "-k", "sepia", "--channels", "rgb", "-o", "y.png", "-q").code == 0
    assert Image.open("y.png").mode == "RGB"


def test_alpha_follows_the_option(run):
    """Alpha is kept beside one output or three; weighted, hidden colours add nothing."""
    noise("RGBA", (12, 9)).save("x.png")
    before = np.asarray(Image.open("x.png"))
    assert run("apply", "x.png", "-k", "luma", "-o", "y.png").code == 0
    assert Image.open("y.png").mode == "LA"
    np.testing.assert_array_equal(np.asarray(Image.open("y.png"))[:, :, 1], before[:, :, 3])
    mean = "[[[1,1,1],[1,1,1],[1,1,1]],[[1,1,1],[1,1,1],[1,1,1]],[[1,1,1],[1,1,1],[1,1,1]]]"
    spec = f'{{"weights": {mean}, "divisor": 27}}'
    assert run("apply", "x.png", "-k", spec, "--alpha", "weighted", "-o", "z.png").code == 0
    after = np.asarray(Image.open("z.png")).astype(int)
    padded = np.pad(before, ((1, 1), (1, 1), (0, 0)), "edge").astype(float)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))
    alpha = windows[:, :, 3]
    cover = alpha.mean(axis=(2, 3))
    colour = (windows[:, :, :3] * alpha[:, :, None]).sum(axis=(2, 3, 4)) / 27
    wanted = np.where(cover > 0, colour / np.where(cover, cover, 1), 0)
    assert np.abs(after[:, :, 0] - wanted).max() <= 1
    assert np.abs(after[:, :, 1] - cover).max() <= 1


@pytest.mark.parametrize("how", ["magnitude", "max", "sum"])
def test_kernels_over_channels_are_combined(run, how):
    """Two kernels over channels are put together output by output."""
    noise("RGB", (14, 11)).save("x.png")
    first, second = np.ones((1, 3, 1, 2)), np.array([[[[1, -1]]] * 3]).reshape(1, 3, 1, 2)
    specs = [word for k in (first, second) for word in ("-k", json.dumps(k.tolist()))]
    assert run("apply", "x.png", *specs, "--combine", how, "-o", "y.npy").code == 0
    image = np.asarray(Image.open("x.png"))
    each = [correlate(image, k).astype(float) for k in (first, second)]
    wanted = {"magnitude": np.hypot, "max": np.maximum, "sum": np.add}[how](*each)
    np.testing.assert_allclose(np.load("y.npy"), wanted, rtol=1e-6, atol=1e-3)
    for levels in ("clip", "stretch"):
        args = ("--combine", how, "--levels", levels, "-o", f"{levels}.png", "-q")
        assert run("apply", "x.png", *specs, *args).code == 0
        low, high = wanted.min(), wanted.max()
        scaled = (wanted - low) * 255 / (high - low) if levels == "stretch" else wanted
        found = np.asarray(Image.open(f"{levels}.png")).astype(int)
        assert np.abs(found - np.clip(np.rint(scaled), 0, 255)).max() <= 1
