"""One picture through its kernels: which channels are filtered, what becomes of the others."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from imgconv import apply, load_kernel
from imgconv.engine import ready
from imgconv.errors import GeometryError, ImageError, KernelError, OptionError
from imgconv.pictures.pixels import ArrayPixels, ImagePixels, white
from imgconv.pipeline.filter import filter_pixels, foretell
from imgconv.pipeline.layout import layout
from imgconv.pipeline.views import Outline
from imgconv.pipeline.work import Work
from tests import reference
from tests.reference import LEVELS

CHANNELS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
COLOURS = {"L": 1, "LA": 1, "RGB": 3, "RGBA": 3}
GEOMETRIES = [
    {},
    {"stride": (2, 3), "border": "wrap"},
    {"padding": "valid", "dilation": 2, "border": "reflect"},
    {"padding": (3, 0, 1, 4), "stride": 2, "border": "constant", "fill": 90},
    {"padding": 5, "dilation": (1, 2), "border": "symmetric"},
]


def picture(mode, width=11, height=13, seed=0):
    """Return a picture of noise, its alpha too, with many samples at the ends."""
    noises = np.random.default_rng((*mode.encode(), width, height, seed))
    shape = (height, width, CHANNELS[mode]) if CHANNELS.get(mode, 1) > 1 else (height, width)
    if mode == "I;16":
        return Image.fromarray(noises.integers(0, 65536, shape).astype(np.uint16))
    samples = np.clip(noises.integers(-60, 316, shape), 0, 255).astype(np.uint8)
    image = Image.fromarray(samples)
    assert image.mode == mode
    return image


def run(image, *specs, levels="clip", channels="auto", threads=1, **geometry):
    """Filter a picture and return the result as a picture, and the counts."""
    kernels = tuple(map(load_kernel, specs))
    out, clipped = filter_pixels(
        ImagePixels(image), Work(kernels, layout(**geometry), levels, channels, threads)
    )
    assert isinstance(out, ImagePixels)
    return out.image, (clipped.low, clipped.high)


def split(image):
    """Return the channels of a picture as lists of rows."""
    return np.moveaxis(np.atleast_3d(np.asarray(image)), 2, 0).tolist()


def responses(planes, *specs, **geometry):
    """Take channels through a chain in exact arithmetic."""
    for kernel in map(load_kernel, specs):
        options = {"divisor": kernel.divisor, "bias": kernel.bias, **geometry}
        planes = [reference.respond(plane, kernel.weights, **options) for plane in planes]
    return planes


def expected(planes, *specs, levels="clip", maximum=255, **geometry):
    """Filter channels by the reference."""
    return reference.pixels(responses(planes, *specs, **geometry), levels, maximum)


def kept(planes, *specs, padding="same", stride=1, dilation=1, **_):
    """Take channels that are not filtered through the geometry of a chain."""
    (sy, sx), (dy, dx) = reference.pair(stride), reference.pair(dilation)
    for kernel in map(load_kernel, specs if planes else ()):
        size = len(planes[0]), len(planes[0][0])
        top, _, _, left = reference.sides(padding, kernel.size, (dy, dx))
        rows, columns = reference.shape(size, kernel.size, padding, stride, dilation)
        ys = [reference.centre(i, kernel.size[0], size[0], top, sy, dy) for i in range(rows)]
        xs = [reference.centre(j, kernel.size[1], size[1], left, sx, dx) for j in range(columns)]
        planes = [[[plane[y][x] for x in xs] for y in ys] for plane in planes]
    return planes


def brightness(planes):
    """Return the gray of red, green and blue, as Pillow's L: weights of 1/65536, rounded."""
    return [
        [(19595 * r + 38470 * g + 7471 * b + 32768) >> 16 for r, g, b in zip(*rows, strict=True)]
        for rows in zip(*planes, strict=True)
    ]


# ---- auto -------------------------------------------------------------------------------------


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
@pytest.mark.parametrize("mode", CHANNELS)
def test_auto_filters_each_colour_and_keeps_alpha(mode, geometry):
    """Each colour is filtered by itself and alpha is sampled exactly, under every geometry."""
    image = picture(mode)
    planes, colours = split(image), COLOURS[mode]
    for spec, levels in itertools.product(["emboss", "1,2;3,-4/3+1"], LEVELS):
        out, _ = run(image, spec, levels=levels, **geometry)
        filtered = expected(planes[:colours], spec, levels=levels, **geometry)
        assert out.mode == mode
        assert split(out) == filtered + kept(planes[colours:], spec, **geometry)


def test_auto_keeps_sixteen_bits():
    """A 16-bit gray picture stays one, and is exact to the last bit."""
    image = picture("I;16")
    out, _ = run(image, "emboss", levels="offset")
    assert out.mode == "I;16"
    assert split(out) == expected(split(image), "emboss", levels="offset", maximum=65535)


def test_float_picture_is_neither_rounded_nor_clipped():
    """A picture of floats keeps what lies between and beyond its samples."""
    image = Image.fromarray(np.array([[0, 0.5, 2], [-1, 4, 0.25]], np.float32))
    out, clipped = run(image, "1,-2")
    assert out.mode == "F"
    assert split(out) == [[[-1, -3.5, -2], [-9, 3.5, -0.25]]]
    assert clipped == (0, 0)


def test_alpha_is_exact_whatever_becomes_of_the_colours():
    """Under a kernel that makes every colour black, alpha is the picture's own."""
    image = picture("RGBA", 40, 30)
    out, _ = run(image, "-1,-1,-1;-1,-1,-1;-1,-1,-1")
    np.testing.assert_array_equal(np.asarray(out)[..., :3], 0)
    np.testing.assert_array_equal(np.asarray(out)[..., 3], np.asarray(image)[..., 3])


def test_picture_is_left_as_it_was():
    """The picture given is not changed."""
    image = picture("RGBA")
    before = image.copy()
    run(image, "emboss", channels="luma")
    run(image, "emboss")
    assert image.tobytes() == before.tobytes()


# ---- gray and rgb -----------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "gray"), [("RGB", "L"), ("RGBA", "LA"), ("L", "L"), ("LA", "LA")])
def test_gray_filters_the_brightness_alone(mode, gray):
    """A colour picture becomes its gray before it is filtered; alpha stays."""
    image, geometry = picture(mode), GEOMETRIES[3]
    planes, colours = split(image), COLOURS[mode]
    out, _ = run(image, "emboss", channels="gray", **geometry)
    light = brightness(planes[:3]) if colours == 3 else planes[0]
    assert out.mode == gray
    alpha = kept(planes[colours:], "emboss", **geometry)
    assert split(out) == expected([light], "emboss", **geometry) + alpha


@pytest.mark.parametrize(("mode", "colour"), [("L", "RGB"), ("LA", "RGBA"), ("RGB", "RGB")])
def test_rgb_makes_three_channels_of_gray(mode, colour):
    """A gray picture becomes three equal channels, each filtered; alpha stays."""
    image = picture(mode)
    planes, colours = split(image), COLOURS[mode]
    out, _ = run(image, "emboss", channels="rgb")
    assert out.mode == colour
    rgb = planes[:3] if colours == 3 else planes[:1] * 3
    assert split(out) == expected(rgb, "emboss") + planes[colours:]


def test_sixteen_bits_stay_gray():
    """A 16-bit picture is filtered as it is under gray, and three times the same under rgb."""
    image = picture("I;16")
    wanted = expected(split(image), "blur", maximum=65535)
    out, _ = run(image, "blur", channels="gray")
    assert split(out) == wanted
    work = Work((load_kernel("blur"),), layout(), channels="rgb")
    pixels, _ = filter_pixels(ImagePixels(image), work)
    assert (pixels.names, pixels.kind) == ("rgb", "uint16")
    assert [pixels.array()[:, :, i].tolist() for i in range(3)] == wanted * 3


# ---- luma -------------------------------------------------------------------------------------


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_luma_moves_each_colour_by_as_much_as_the_brightness(mode, geometry):
    """Under luma, out = saturate(c + y' - y) with c and y sampled and y' the filtered y."""
    image = picture(mode)
    planes = split(image)
    light = brightness(planes[:3])
    for levels in LEVELS:
        out, _ = run(image, "emboss", channels="luma", levels=levels, **geometry)
        after = np.array(expected([light], "emboss", levels=levels, **geometry))
        change = after - kept([light], "emboss", **geometry)
        sampled = kept(planes, "emboss", **geometry)
        colours = np.clip(np.array(sampled[:3]) + change, 0, 255)
        assert out.mode == mode
        assert split(out) == colours.tolist() + sampled[3:]


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_identity_is_exact_under_luma(mode):
    """The identity changes no sample of a picture filtered by its brightness."""
    image = picture(mode, 50, 40)
    for specs in (["identity"], ["1"], ["identity", "1/2", "2"]):
        out, clipped = run(image, *specs, channels="luma")
        assert out.mode == mode
        assert out.tobytes() == image.tobytes()
        assert clipped == (0, 0)


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_gray_picture_is_all_luma(mode):
    """A picture without colour is filtered under luma as under auto."""
    image = picture(mode)
    for levels in LEVELS:
        luma, clipped = run(image, "emboss", channels="luma", levels=levels)
        auto, counts = run(image, "emboss", levels=levels)
        assert (luma.mode, luma.tobytes(), clipped) == (auto.mode, auto.tobytes(), counts)


# ---- a list -----------------------------------------------------------------------------------


@pytest.mark.parametrize("geometry", GEOMETRIES[:4], ids=str)
@pytest.mark.parametrize(
    ("mode", "channels"),
    [
        ("RGB", "r"),
        ("RGB", "g,b"),
        ("RGB", "b,g,r"),
        ("RGBA", "a"),
        ("RGBA", "r,a"),
        ("LA", "l"),
        ("LA", "a"),
        ("L", "l"),
    ],
)
def test_list_filters_the_named_channels_alone(mode, channels, geometry):
    """The channels in the list are filtered, alpha too if named; the others are sampled."""
    image = picture(mode)
    planes = split(image)
    named = [name in channels for name in mode.lower()]
    for levels in ("clip", "stretch"):
        out, _ = run(image, "emboss", channels=channels, levels=levels, **geometry)
        chosen = [plane for plane, yes in zip(planes, named, strict=True) if yes]
        filtered = iter(expected(chosen, "emboss", levels=levels, **geometry))
        others = iter(kept(planes, "emboss", **geometry))
        both = [(next(others), yes) for yes in named]
        assert split(out) == [next(filtered) if yes else plane for plane, yes in both]


@pytest.mark.parametrize(
    ("mode", "channels", "missing"),
    [("RGB", "a", "a"), ("L", "r", "r"), ("LA", "g,a", "g"), ("RGB", "l", "l"), ("I;16", "b", "b")],
)
def test_channel_that_the_picture_lacks_is_refused(mode, channels, missing):
    """A listed channel that is not there is refused in one line that names it."""
    with pytest.raises(ImageError, match=f"'{missing}'") as caught:
        run(picture(mode), "blur", channels=channels)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("channels", ["", "w", "rg", "r,", "r;g", "Gray", "z", "r,,g", "auto,r"])
def test_unknown_channels_are_refused_before_any_picture(channels):
    """Channels that are no word and no list of letters are refused in one line."""
    with pytest.raises(OptionError, match="channels") as caught:
        Work((load_kernel("blur"),), layout(), channels=channels)
    assert "\n" not in str(caught.value)


def test_unknown_levels_are_refused_before_any_picture():
    """Levels of no known name are refused in one line."""
    with pytest.raises(OptionError, match="levels 'sigmoid'") as caught:
        Work((load_kernel("blur"),), layout(), levels="sigmoid")
    assert "\n" not in str(caught.value)


# ---- chains -----------------------------------------------------------------------------------

CHAINS = [
    ["blur", "outline"],
    ["sobel-left", "blur"],
    ["box-7", "emboss", "sharpen"],
    ["1,2/3+0.25", "0.3,-0.7;0.1,0.9"],
    ["0.111,0.222,0.333", "1;-2;1", "edge-corner"],
]


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("mode", ["L", "RGBA", "I;16"])
def test_chain_stays_within_a_level_of_exact(mode, levels):
    """A chain, unrounded in between, is at most one level from exact arithmetic; alpha is exact."""
    image, maximum = picture(mode), 65535 if mode == "I;16" else 255
    planes, colours = split(image), COLOURS.get(mode, 1)
    for turn, specs in enumerate(CHAINS):
        geometry = [{}, {"stride": 2, "border": "wrap"}, {"padding": 2, "border": "constant"}]
        options = {**geometry[turn % 3], "fill": 200}
        out, _ = run(image, *specs, levels=levels, **options)
        exact = expected(planes[:colours], *specs, levels=levels, maximum=maximum, **options)
        found = split(out)
        assert np.shape(found[:colours]) == np.shape(exact)
        assert np.abs(np.array(found[:colours]) - np.array(exact)).max() <= 1, (specs, options)
        assert found[colours:] == kept(planes[colours:], *specs, **options)


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_chain_with_a_large_gain_stays_within_a_level(kind):
    """Undivided blurs, whose responses float32 does not hold, leave no error for an outline."""
    maximum = np.iinfo(kind).max
    image = Image.fromarray(maximum - np.asarray(picture("L", 16, 15)).astype(kind) % 8)
    for times in (2, 3, 4):
        specs = ["1,2,1;2,4,2;1,2,1"] * times + ["outline"]
        for levels in ("clip", "offset"):
            out, _ = run(image, *specs, levels=levels)
            exact = expected(split(image), *specs, levels=levels, maximum=maximum)
            error = np.abs(np.array(split(out)) - np.array(exact)).max()
            assert error <= 1, (times, levels)


def test_chain_is_not_rounded_in_between():
    """Halving and doubling gives every sample back, the odd ones too."""
    image = picture("RGB")
    out, clipped = run(image, "1/2", "2")
    assert out.tobytes() == image.tobytes()
    assert clipped == (0, 0)


def test_chain_is_not_clipped_in_between():
    """What lies beyond white or below black in between comes back."""
    image = picture("L")
    for there, back in (("3", "1/3"), ("-1", "-1"), ("1+1000", "1+-1000")):
        assert run(image, there, back)[0].tobytes() == image.tobytes()


def test_levels_come_once_at_the_end_of_a_chain():
    """Under abs a first kernel's negative responses are still negative for the second."""
    image = Image.fromarray(np.array([[10, 30, 20]], np.uint8))
    out, _ = run(image, "-1", "1,-1", levels="abs", border="constant")
    assert split(out) == [[[20, 10, 20]]]


def test_gray_comes_once_at_the_start_of_a_chain():
    """The brightness is taken before the first kernel, not after it."""
    image = picture("RGB")
    out, _ = run(image, "1+-100", "1+100", channels="gray")
    assert split(out) == [brightness(split(image))]


# ---- what is counted --------------------------------------------------------------------------


def clipped_of(planes, maximum=255):
    """Count the responses that, rounded, lie below 0 and above the maximum."""
    rounded = [round(r) for plane in planes for row in plane for r in row]
    return sum(r < 0 for r in rounded), sum(r > maximum for r in rounded)


@pytest.mark.parametrize(
    ("mode", "spec"),
    [
        *itertools.product(["L", "RGBA", "I;16"], ["emboss", "sharpen-strong", "1,2;3,-4/3+1"]),
        ("RGBA", "0.5,0.9;-1.3,0.7"),
    ],
)
def test_clipped_samples_are_counted(mode, spec):
    """The counts are of samples of filtered channels below 0 and above the maximum."""
    image, maximum = picture(mode, 30, 20), 65535 if mode == "I;16" else 255
    planes = split(image)[: COLOURS.get(mode, 1)]
    for geometry in GEOMETRIES:
        _, clipped = run(image, spec, **geometry)
        assert clipped == clipped_of(responses(planes, spec, **geometry), maximum)
        assert min(clipped) > 0


def test_clipped_samples_of_levels_are_counted():
    """Under abs nothing is clipped below, under offset and stretch nothing that need not be."""
    image = picture("RGB", 30, 20)
    bright = [[[abs(r) for r in row] for row in p] for p in responses(split(image), "emboss")]
    assert run(image, "emboss", levels="abs")[1] == clipped_of(bright)
    half = [[[128 + r / 2 for r in row] for row in p] for p in responses(split(image), "emboss")]
    assert run(image, "emboss", levels="offset")[1] == clipped_of(half)
    assert run(image, "emboss", levels="stretch")[1] == (0, 0)


def test_clipped_samples_of_other_channels_are_not_counted():
    """Only the listed channels count, and alpha only if it is listed."""
    image = picture("RGBA", 30, 20)
    planes = split(image)
    for channels, chosen in (("r", [0]), ("g,b", [1, 2]), ("a", [3]), ("auto", [0, 1, 2])):
        _, clipped = run(image, "emboss", channels=channels)
        assert clipped == clipped_of(responses([planes[c] for c in chosen], "emboss"))


def test_rounding_to_the_ends_is_no_clipping():
    """A response that rounds to 0 or to the maximum is not cut off."""
    image = Image.fromarray(np.array([[0, 254, 255]], np.uint8))
    assert run(image, "1+-0.5")[1] == (0, 0)
    assert run(image, "1+0.25")[1] == (0, 0)
    assert run(image, "1+-0.75")[1] == (1, 0)
    assert run(image, "1+0.5")[1] == (0, 1)


def test_threads_change_neither_pixels_nor_counts(monkeypatch):
    """Seven threads give the bytes and the counts of one, whatever is filtered."""
    monkeypatch.setattr(ready, "WORK", 0)
    image = picture("RGBA", 37, 41)
    for channels, levels in itertools.product(["auto", "luma", "g,a"], ["clip", "stretch"]):
        for specs in (["emboss"], ["blur", "outline"]):
            one, many = (
                run(image, *specs, channels=channels, levels=levels, threads=n) for n in (1, 7)
            )
            assert many[0].tobytes() == one[0].tobytes()
            assert many[1] == one[1]


# ---- what does not fit ------------------------------------------------------------------------


def test_chain_that_runs_out_of_pixels_is_refused():
    """A chain whose later kernel finds no pixel left is refused in one line."""
    with pytest.raises(GeometryError, match="no output pixel") as caught:
        run(picture("RGB", 5, 5), "box-3", "box-5", padding="valid")
    assert "\n" not in str(caught.value)


def test_fill_that_is_no_sample_is_refused():
    """A fill value outside the samples of the picture is refused, in a chain too."""
    for specs in (["blur"], ["blur", "blur"]):
        with pytest.raises(GeometryError, match="fill 300"):
            run(picture("L"), *specs, border="constant", fill=300)
    run(picture("I;16"), "blur", border="constant", fill=300)


NOTHING = Fraction(0)

# ---- alpha weighted ---------------------------------------------------------------------------


def weighted(planes, name, **geometry):
    """Return colours and alpha by the contract's formula, sample by sample.

    colour = (sum w a c + m (sum w - sum w a)) / divisor + bias with m = sum |w| a c / sum |w| a,
    0 where that is none; A = sum |w| a / sum |w|.
    """
    kernel = load_kernel(name)
    *colours, alpha = planes
    alpha = [[Fraction(int(a), 255) for a in row] for row in alpha]
    weights = [list(row) for row in kernel.weights]
    sizes = [[abs(w) for w in row] for row in weights]
    total = sum(map(sum, sizes))
    cover = reference.respond(alpha, sizes, divisor=total, **geometry)
    found = []
    for colour in colours:
        product = [
            [c * a for c, a in zip(*rows, strict=True)] for rows in zip(colour, alpha, strict=True)
        ]
        sums, most = (reference.respond(product, w, **geometry) for w in (weights, sizes))
        held, whole = reference.respond(alpha, weights, **geometry), sum(map(sum, weights))
        found.append([
            [(s + m / (a * total) * (whole - h)) / kernel.divisor + kernel.bias if a else NOTHING
             for s, m, h, a in zip(*rows, strict=True)]
            for rows in zip(sums, most, held, cover, strict=True)
        ])  # fmt: skip
    return found, cover


@pytest.mark.parametrize("geometry", [{}, {"stride": 2}, {"padding": "valid"}], ids=str)
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_weighted_alpha_is_the_formula_of_the_contract(mode, geometry):
    """Colours weighted by alpha and alpha itself, against exact fractions."""
    image = picture(mode)
    alpha = np.asarray(image.getchannel("A")) // 86 * 85  # much of it not seen at all
    image.putalpha(Image.fromarray(alpha))
    for name in ("blur", "sobel-left", "sharpen", "sharpen-unsharp", "emboss"):
        responses, cover = weighted(split(image), name, **geometry)
        shown = reference.pixels([[[255 * a for a in row] for row in cover]], "clip", 255)[0]
        for levels in ("clip", "abs", "offset"):
            work = Work((load_kernel(name),), layout(**geometry), levels, alpha="weighted")
            out, clipped = filter_pixels(ImagePixels(image), work)
            *colours, seen = split(out.image)
            wanted = reference.pixels(responses, levels, 255)
            assert np.abs(np.array(colours) - np.array(wanted)).max() <= 1
            assert seen == shown
            flat = [reference.level(r, levels, 255) for c in responses for row in c for r in row]
            assert abs(clipped.low - sum(round(r) < 0 for r in flat)) <= 2
            assert clipped.samples == len(flat)


def test_what_is_not_seen_does_not_bleed():
    """A red that nobody sees leaves no trace around a green that is seen; kept alpha lets it."""
    image = Image.new("RGBA", (8, 4), (255, 0, 0, 0))
    image.paste((0, 200, 0, 255), (0, 0, 4, 4))
    for alpha, red in (("keep", True), ("weighted", False)):
        work = Work((load_kernel("box-3"),), layout(), alpha=alpha)
        out, _ = filter_pixels(ImagePixels(image), work)
        assert out.array()[:, :4, 0].any() == red


@pytest.mark.parametrize("spec", ["blur", "sharpen", "unsharp(sigma=2)", "log(sigma=1)", "emboss"])
def test_flat_stays_flat_beside_a_hole(spec):
    """Whatever the signs of the weights: what is missing counts as the mean of what is there."""
    image = Image.new("RGBA", (16, 12), (100, 100, 100, 255))
    image.paste((0, 0, 0, 0), (5, 4, 11, 9))
    kernel = load_kernel(spec)
    wanted = apply(np.full((16, 16), 100, np.uint8), kernel)[8, 8]
    out, _ = filter_pixels(ImagePixels(image), Work((kernel,), layout(), alpha="weighted"))
    seen = out.array()[:, :, 3] > 0
    np.testing.assert_array_equal(out.array()[seen][:, :3], wanted)


@pytest.mark.parametrize("kernels", [("identity",), ("sepia",), ("[[[[1]],[[1]],[[1]]]]",)])
@pytest.mark.parametrize("names", ["l", "la", "rgb", "rgba", "cmyk", "x", "xxxx"])
def test_an_outline_foretells_what_comes_out(kernels, names):
    """Channels, kind and size, or the same error, whatever is done to a picture."""
    array = np.random.default_rng(5).integers(0, 256, (6, 5, len(names)), dtype=np.uint8)
    loaded = tuple(map(load_kernel, kernels))
    words = ("auto", "gray", "rgb", "luma", "r", "r,b,g", "a")
    many = itertools.product(words, ("clip", "none"), ("keep", "weighted"), (None, (9, 8, 7)))
    for channels, levels, alpha, background in many:
        if (alpha, channels) == ("weighted", "luma"):
            continue
        shape = layout(padding=(0, 1, 2, 3))
        work = Work(loaded, shape, levels, channels, 1, alpha, background)
        real = outcome(lambda: filter_pixels(ArrayPixels(array, names), work)[0])  # noqa: B023
        told = outcome(lambda: foretell(Outline(white(names, "uint8"), (5, 6)), work))  # noqa: B023
        assert told == real, work


def outcome(make):
    """Return what is known of pixels without looking at them, or the error."""
    try:
        made = make()
    except (ImageError, KernelError) as error:
        return str(error)
    return made.names, made.kind, made.size
