"""What fills a constant border: numbers, parts of white, colours, in any picture and any path."""

import json
import pickle

import numpy as np
import pytest
from PIL import Image, ImageColor

from imgconv.engine.geometry import fills
from imgconv.errors import ImageError
from imgconv.kernels.catalog import open_catalog
from imgconv.kernels.spec import find_step, load_kernel
from imgconv.pictures.pixels import ArrayPixels, ImagePixels, of_array
from imgconv.pipeline.fill import Paint, filling
from imgconv.pipeline.filter import filter_pixels
from imgconv.pipeline.layout import layout
from imgconv.pipeline.work import Work

CHANCE = np.random.default_rng(5)
ORANGE = (255, 128, 3)
# (19595 R + 38470 G + 7471 B + 32768) >> 16 of orange, of 8 bits and of 257 times as much.
GRAY, GRAY_16 = 152, 38993
CMYK = (0, 127, 252, 0)
MEAN = "1,1,1;1,1,1;1,1,1/9"


def noise(names, kind="uint8", size=(6, 5)):
    """Pixels of chance, in Pillow's memory where it has such a mode."""
    shape = (*size, len(names))
    if kind == "float32":
        return ArrayPixels(CHANCE.random(shape, dtype=kind), names)
    array = CHANCE.integers(0, np.iinfo(kind).max + 1, shape, dtype=kind)
    modes = {"l": "L", "la": "LA", "rgb": "RGB", "rgba": "RGBA", "cmyk": "CMYK"}
    if kind == "uint8" and names in modes:
        plane = array[:, :, 0] if len(names) == 1 else array
        return ImagePixels(Image.fromarray(plane, modes[names]))
    return ArrayPixels(array, names)


def filtered(pixels, fill, *specs, border="constant", **options):
    """The pixels through kernels, with a border of three around each."""
    number, paint = filling(fill, border)
    shape = layout(options.pop("padding", "same"), border, number)
    work = Work(tuple(map(load_kernel, specs)), shape, paint=paint, **options)
    return filter_pixels(pixels, work)[0].array()


def padded(array, fill):
    """An array with two more pixels on each side, of a number for each channel."""
    planes = np.moveaxis(array, 2, 0)
    done = [np.pad(p, 2, constant_values=v) for p, v in zip(planes, fill, strict=True)]
    return np.stack(done, axis=2)


@pytest.mark.parametrize(
    ("names", "kind", "expected"),
    [
        ("l", "uint8", [GRAY]),
        ("l", "uint16", [GRAY_16]),
        ("l", "float32", [np.float32(0.299 + 0.587 * 128 / 255 + 0.114 * 3 / 255)]),
        ("rgb", "uint8", ORANGE),
        ("rgb", "uint16", [257 * c for c in ORANGE]),
        ("rgb", "float32", np.float32(np.array(ORANGE) / 255)),
        ("cmyk", "uint8", CMYK),
        ("cmyk", "uint16", [257 * c for c in CMYK]),
        ("x", "uint8", [GRAY]),
        ("xxx", "uint16", [257 * c for c in ORANGE]),
    ],
)
@pytest.mark.parametrize("text", ["#ff8003", "255,128,3"])
def test_a_colour_is_scaled_to_the_depth(names, kind, expected, text):
    """Each channel has its own around it, a gray picture its gray, exactly."""
    pixels = noise(names, kind)
    found = filtered(pixels, text, "1", padding=2)
    np.testing.assert_allclose(found, padded(pixels.array(), expected), rtol=1e-7, atol=0)
    if kind != "float32":
        assert (found == padded(pixels.array(), expected)).all()


def test_the_gray_and_the_inks_of_a_colour_are_pillows():
    """As Pillow makes a picture gray, and CMYK into the same colour again."""
    assert Image.new("RGB", (1, 1), ORANGE).convert("L").getpixel((0, 0)) == GRAY
    assert Image.new("CMYK", (1, 1), CMYK).convert("RGB").getpixel((0, 0)) == ORANGE


@pytest.mark.parametrize("text", ["white", "100%", "White", "255,255,255"])
@pytest.mark.parametrize(("kind", "white"), [("uint8", 255), ("uint16", 65535), ("float32", 1)])
def test_white_is_white_in_any_depth(text, kind, white):
    """One number cannot be, a word is."""
    pixels = noise("rgb", kind)
    assert (filtered(pixels, text, "1", padding=2) == padded(pixels.array(), [white] * 3)).all()


@pytest.mark.parametrize(
    ("text", "kind", "number"),
    [("50%", "uint8", 128), ("50%", "uint16", 32768), ("50%", "float32", 0.5), ("0%", "uint8", 0),
     ("10%", "uint8", 26), ("12.5%", "uint16", 8192), ("-20%", "float32", np.float32(-0.2))],
)  # fmt: skip
def test_percents_are_of_white(text, kind, number):
    """Rounded half to even where samples are whole: 127.5 to 128, 25.5 to 26."""
    pixels = noise("l", kind)
    assert (filtered(pixels, text, "1", padding=2) == padded(pixels.array(), [number])).all()


def summed(array, fill):
    """The sums of 3x3 samples with a constant border, as whole numbers."""
    wide = padded(array.astype(np.int64), fill)[1:-1, 1:-1]
    height, width = array.shape[:2]
    return sum(wide[y : y + height, x : x + width] for y in range(3) for x in range(3))


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("names", ["l", "la", "rgb", "rgba", "cmyk"])
@pytest.mark.parametrize(("spec", "divisor"), [(MEAN, 9), (str([[0.5] * 3] * 3), 2)])
def test_colours_bleed_in_exactly(names, kind, spec, divisor):
    """A kernel that reads over the edge sums each channel with its own part of the colour."""
    pixels = noise(names, kind, (40, 37))
    times = 1 if kind == "uint8" else 257
    gray = GRAY if kind == "uint8" else GRAY_16
    fill = {"l": [gray], "cmyk": [times * c for c in CMYK]}.get(
        names.removesuffix("a"), [times * c for c in ORANGE]
    )
    array = pixels.array()
    top = np.iinfo(kind).max
    colours = array[:, :, : len(fill)]
    expected = np.minimum(np.rint(summed(colours, fill) / divisor), top)
    found = filtered(pixels, "255,128,3", spec)
    assert (found[:, :, : len(fill)] == expected).all()
    assert (found[:, :, len(fill) :] == array[:, :, len(fill) :]).all()  # alpha is not filtered


@pytest.mark.parametrize(
    "spec",
    ["box(size=15)", "gaussian(sigma=2)", "box(size=3x41)", "disk(radius=3)", "1,2;3,4/9", "sobel"],
)
def test_each_channel_is_filled_as_it_is_alone(spec):
    """However a kernel is computed, with strides and dilations: as gray with its own number."""
    pixels = noise("rgb", size=(37, 90))
    combined, array = find_step(spec, open_catalog()).work, pixels.array()
    shape = layout((0, 5, 2, 7), "constant", 0, (3, 2), (1, 2))
    work = Work((combined,), shape, "abs", paint=Paint(ORANGE))
    found = filter_pixels(pixels, work)[0].array()
    for channel, number in enumerate(ORANGE):
        gray = of_array(array[:, :, channel : channel + 1], "l")
        alone = Work((combined,), shape._replace(fill=number), "abs")
        expected = filter_pixels(gray, alone)[0].array()
        assert (found[:, :, channel] == expected[:, :, 0]).all()


def test_channels_that_are_chosen_have_their_own():
    """Of red and blue each, green as it was; the brightness of a colour picture has gray."""
    pixels = noise("rgb")
    array = pixels.array()
    found = filtered(pixels, "#ff8003", MEAN, channels="r,b")
    expected = np.rint(summed(array, ORANGE) / 9)
    assert (found[:, :, [0, 2]] == expected[:, :, [0, 2]]).all()
    assert (found[:, :, 1] == array[:, :, 1]).all()
    gray = np.asarray(pixels.image.convert("L"))[:, :, None]
    light = np.rint(summed(gray, [GRAY]) / 9)
    assert (filtered(pixels, "#ff8003", MEAN, channels="gray") == light).all()
    moved = np.clip(array + light - gray.astype(int), 0, 255)
    assert (filtered(pixels, "#ff8003", MEAN, channels="luma") == moved).all()


def test_sums_over_channels_read_the_colour_and_their_outputs_have_its_gray():
    """Red plus blue along a row; then a second kernel on the one channel that comes out."""
    pixels = noise("rgb", size=(4, 3))
    array = padded(pixels.array().astype(int), ORANGE)[2:-2]
    spec = "[[[0,0,1]],[[0,0,0]],[[0,0,1]]]"
    expected = (array[:, 3:6, 0] + array[:, 3:6, 2])[:, :, None]
    assert (filtered(pixels, "#ff8003", spec, levels="none") == expected).all()
    further = np.concatenate([expected[:, 1:], np.full((4, 1, 1), GRAY)], axis=1)
    found = filtered(pixels, "#ff8003", spec, "0,0,1", levels="none")
    assert (found == further).all()


def test_a_chain_fills_the_responses_in_between():
    """In units of samples, at every step."""
    pixels = noise("rgb")
    once = summed(pixels.array(), ORANGE)
    expected = summed(once, ORANGE)
    spec = "1,1,1;1,1,1;1,1,1"
    assert (filtered(pixels, "255,128,3", spec, spec, levels="none") == expected).all()


@pytest.mark.parametrize("names", ["la", "rgba"])
def test_a_colour_around_weighted_ones_is_opaque(names):
    """As much as a background is: the same as in a picture that has such a frame."""
    pixels = noise(names)
    fill = ([GRAY] if names == "la" else [*ORANGE]) + [255]
    framed = ArrayPixels(padded(pixels.array(), fill), names)
    for spec in ("1,2,1;2,4,2;1,2,1/16", "0,-1,0;-1,5,-1;0,-1,0"):
        found = filtered(pixels, "255,128,3", spec, alpha="weighted")
        whole = filtered(framed, "0", spec, alpha="weighted", padding="valid")
        assert (found == whole[1:-1, 1:-1]).all()


def test_large_real_kernels_read_it_too():
    """By Fourier transforms, within a level of doubles."""
    pixels = noise("rgb", size=(60, 50))
    weights = CHANCE.random((41, 41))
    weights /= weights.sum()
    found = filtered(pixels, "255,128,3", json.dumps(weights.tolist()), levels="none")
    array = pixels.array().astype(float)
    for channel in range(3):
        wide = np.pad(array[:, :, channel], 20, constant_values=ORANGE[channel])
        seen = np.lib.stride_tricks.sliding_window_view(wide, (41, 41))
        expected = np.einsum("ijab,ab->ij", seen, weights)
        assert abs(found[:, :, channel] - expected).max() < 0.01


def test_only_a_constant_border_looks_at_it(run, tmp_path, monkeypatch):
    """`--border edge --fill 300` is no error, nor is a word; a dialect's constant looks."""
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (9, 8), "red").save("a.png")
    for fill in ("300", "nan", "whitish"):
        assert run("apply", "a.png", "-k", "blur", "-o", "b.png", "-f", "--fill", fill).code == 0
    at = ["--padding", "1", "--border", "scipy:constant", "--fill", "#0000ff"]
    assert run("apply", "a.png", "-k", "1", "-o", "b.png", "-f", *at).code == 0
    assert Image.open("b.png").getpixel((0, 0)) == ImageColor.getrgb("blue")
    result = run("apply", "a.png", "-k", "blur", "-o", "b.png", "-f", *at[:-1], "120%")
    assert (result.code, result.out) == (1, b"")
    assert "fill 306 is not a uint8 sample" in result.err


def test_weighted_colours_refuse_the_same_numbers(run, tmp_path, monkeypatch):
    """300 is no sample of 8 bits there either."""
    monkeypatch.chdir(tmp_path)
    Image.new("RGBA", (9, 8), "red").save("a.png")
    at = ["--alpha", "weighted", "--border", "constant", "--fill", "300"]
    result = run("apply", "a.png", "-k", "blur", *at)
    assert result.code == 1
    assert "fill 300 is not a uint8 sample" in result.err


def test_a_colour_has_no_meaning_for_many_channels():
    """Five bands have none; a number does."""
    with pytest.raises(ImageError, match="5 channels that are no colours"):
        filtered(noise("xxxxx"), "red", "1", padding=2)
    assert filtered(noise("xxxxx"), "50%", "1", padding=2)[0, 0].tolist() == [128] * 5


@pytest.mark.parametrize("names", ["l", "rgb", "rgba"])
@pytest.mark.parametrize("alpha", ["keep", "weighted"])
def test_pieces_are_filled_as_the_whole(run, tmp_path, monkeypatch, names, alpha):
    """With `--tile`, through a chain, the same samples."""
    tifffile = pytest.importorskip("tifffile")
    monkeypatch.chdir(tmp_path)
    array = noise(names, "uint16", (70, 50)).samples
    kinds = {"photometric": "rgb"} if "r" in names else {}
    if names.endswith("a"):
        kinds["extrasamples"] = ["unassalpha"]
    tifffile.imwrite("a.tif", array.squeeze(), tile=(16, 16), **kinds)
    how = ["-k", "blur", "-k", "sharpen", "--border", "constant", "--fill", "#ff8003"]
    how += ["--alpha", alpha, "-f"]
    assert run("apply", "a.tif", *how, "-o", "whole.tif").code == 0
    assert run("apply", "a.tif", *how, "-o", "pieces.tif", "--tile", 16).code == 0
    assert (tifffile.imread("whole.tif") == tifffile.imread("pieces.tif")).all()


def test_explain_shows_the_fill_of_each_channel(run, tmp_path, monkeypatch):
    """The samples outside are the colour's, and the sum is the pixel that apply writes."""
    monkeypatch.chdir(tmp_path)
    noise("rgb").image.save("a.png")
    at = ["--at", "0,0", "--border", "constant", "--fill", "255,128,3"]
    told = json.loads(run("explain", "a.png", "-k", "1,1,1/3", *at, "--json").text)
    assert [channel["samples"][0][0] for channel in told["channels"]] == [*ORANGE]
    assert "border constant 255,128,3" in run("explain", "a.png", "-k", "1,1,1/3", *at).text
    page = ["--html", "a.html", "--border", "constant", "--fill"]
    assert run("explain", "a.png", "-k", "blur", *page, "white").code == 0
    assert '"fill": 255' in (tmp_path / "a.html").read_text()
    result = run("explain", "a.png", "-k", "blur", *page, "red", "-f")
    assert (result.code, len(result.errors)) == (1, 1)


def test_a_paint_travels():
    """To a worker, and it is the same there."""
    _, paint = filling("#ff8003", "constant")
    assert pickle.loads(pickle.dumps(paint)) == paint == Paint(ORANGE)
    assert fills(paint.on("rgb", "uint8", 4)) == (*ORANGE, 0)
