"""The command line from outside: outputs, messages, exit codes, and real processes and pipes."""

import errno
import io
import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import imgconv
from imgconv.kernels.kernel import Kernel
from imgconv.kernels.spec import list_kernels, load_kernel
from tests import reference
from tests.kernels.test_catalog import DIVISORS, KERNELS, WEIGHTS
from tests.reference import LEVELS

MODULE = [sys.executable, "-m", "imgconv"]
SCRIPT = Path(sysconfig.get_path("scripts")) / "imgconv"
SOBEL = WEIGHTS["sobel-left"]


def random(*shape: int, seed: int = 0) -> np.ndarray:
    """Return random 8-bit samples."""
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def save(path: Path, pixels: np.ndarray, **options) -> Path:
    """Write samples as an image file, and return its path."""
    Image.fromarray(pixels).save(path, **options)
    return path


def load(path: Path) -> np.ndarray:
    """Return the samples of an image file."""
    with Image.open(path) as image:
        return np.array(image)


@pytest.fixture
def gray(tmp_path, monkeypatch):
    """A gray picture `a.png` of 8x6 pixels in the current folder, as samples."""
    monkeypatch.chdir(tmp_path)
    pixels = random(6, 8)
    save(tmp_path / "a.png", pixels)
    return pixels


@pytest.fixture
def colour(tmp_path, monkeypatch):
    """A colour picture `c.png` with alpha of 7x5 pixels in the current folder, as samples."""
    monkeypatch.chdir(tmp_path)
    pixels = random(5, 7, 4)
    save(tmp_path / "c.png", pixels)
    return pixels


def total(pixels, weights):
    """Return the exact sums of weights times samples, the edge repeated to keep the size."""
    weights = np.array(weights, dtype=object)
    rows, columns = weights.shape
    height, width = pixels.shape[:2]
    top, left = (rows - 1) // 2, (columns - 1) // 2
    around = [(top, rows - 1 - top), (left, columns - 1 - left)] + [(0, 0)] * (pixels.ndim - 2)
    padded = np.pad(pixels.astype(object), around, mode="edge")
    return sum(
        weights[y, x] * padded[y : y + height, x : x + width]
        for y in range(rows)
        for x in range(columns)
    )


def to_pixel(value) -> int:
    """Round an exact response half to even, then saturate."""
    return min(max(round(Fraction(value)), 0), 255)  # round() of a Fraction is half to even


def filtered(pixels, weights, divisor=1, bias=0):
    """Return what a kernel makes of 8-bit samples, in exact arithmetic."""
    exact = total(pixels, weights) * (1 / Fraction(divisor)) + Fraction(bias)
    return np.vectorize(to_pixel, otypes=[np.uint8])(exact)


def refused(result, *words: str) -> str:
    """Check that a run was misuse: exit code 2, nothing on stdout, one line; return the line."""
    return one_line(result, 2, *words)


def failed(result, *words: str) -> str:
    """Check that a run of one input failed: exit code 1, nothing on stdout, one line."""
    return one_line(result, 1, *words)


def one_line(result, code: int, *words: str) -> str:
    """Check an exit code, nothing on stdout and one line with some words; return the line."""
    assert result.code == code
    assert result.out == b""
    [line] = result.errors
    assert line.startswith("imgconv: ")
    for word in words:
        assert word in line
    return line


def names(folder: str = ".") -> list[str]:
    """Return what is in a folder, sorted."""
    return sorted(path.name for path in Path(folder).iterdir())


def words(value: object) -> str | None:
    """Return a parameter's words as its id, where it is a list of words."""
    return " ".join(map(str, value))[:40] if isinstance(value, list) else None


# Numbers


@pytest.mark.parametrize("name", [n for n in WEIGHTS if np.ndim(WEIGHTS[n]) == 2])
def test_a_whole_kernel_is_exact_through_the_command_line(tmp_path, run, name):
    """Every shipped kernel gives the bytes of exact arithmetic, on pictures small and tiny."""
    pictures = {"rgb": random(9, 11, 3), "gray": random(7, 6, seed=1), "tiny": random(2, 3, seed=2)}
    files = [save(tmp_path / f"{stem}.png", pixels) for stem, pixels in pictures.items()]
    result = run("apply", *files, "-k", name, "-o", f"{tmp_path}/out/", "-q", "--jobs", "1")
    assert (result.code, result.out, result.err) == (0, b"", "")
    for stem, pixels in pictures.items():
        wanted = filtered(pixels, WEIGHTS[name], DIVISORS.get(name, 1))
        np.testing.assert_array_equal(load(tmp_path / "out" / f"{stem}.png"), wanted)


@pytest.mark.parametrize("name", [n for n in WEIGHTS if np.ndim(WEIGHTS[n]) > 2])
def test_a_kernel_over_channels_is_exact_through_the_command_line(tmp_path, run, name):
    """Every shipped kernel over channels gives the bytes of exact arithmetic."""
    pixels = random(9, 11, 3)
    file = save(tmp_path / "x.png", pixels)
    result = run("apply", file, "-k", name, "-o", tmp_path / "y.png", "-q")
    assert (result.code, result.out, result.err) == (0, b"", "")
    weights = WEIGHTS[name] if np.ndim(WEIGHTS[name]) == 4 else [WEIGHTS[name]]
    planes = [pixels[:, :, c].tolist() for c in range(3)]
    responses = reference.respond_over_channels(planes, weights, divisor=DIVISORS.get(name, 1))
    wanted = np.moveaxis(np.array(reference.pixels(responses, "clip", 255)), 0, 2)
    found = load(tmp_path / "y.png")
    np.testing.assert_array_equal(found, wanted if found.ndim == 3 else wanted[:, :, 0])


@pytest.mark.parametrize(
    ("options", "weights", "divisor", "bias"),
    [
        (["-k", "1,1,1;1,1,1;1,1,1", "--scale", "1/9"], [[1] * 3] * 3, 9, 0),
        (["-k", "box-3", "--scale", "0.25"], [[1] * 3] * 3, 4, 0),
        (["-k", "box-3", "--scale", "2/18"], [[1] * 3] * 3, 9, 0),
        (["-k", "sobel-left", "--bias", "128"], SOBEL, 1, 128),
        (["-k", "sobel-left", "--bias", "-3"], SOBEL, 1, -3),
        (["-k", "sobel-left", "--scale", "-1/8", "--bias", "127.5"], SOBEL, -8, 127.5),
        (["-k", "blur", "--bias", "1/2"], WEIGHTS["blur"], 16, 0.5),
        (["-k", "1,1/2+100", "--bias", "0"], [[1, 1]], 2, 0),
        (["-k", "1,1/2+100", "--scale", "1"], [[1, 1]], 1, 100),
        (["-k", "identity", "--scale", "0"], [[0]], 1, 0),
        (["-k", "1,2,1/16+-7"], [[1, 2, 1]], 16, -7),
    ],
    ids=words,
)
def test_scale_and_bias_replace_those_of_the_kernel_exactly(
    gray, run, options, weights, divisor, bias
):
    """--scale stands for 1/divisor and --bias for the bias, as fractions and not as floats."""
    assert run("apply", "a.png", *options, "-o", "out.png").code == 0
    np.testing.assert_array_equal(load("out.png"), filtered(gray, weights, divisor, bias))


def test_a_scale_of_sixteen_digits_is_taken(gray, run):
    """--scale 0.1111111111111111, as Python prints 1/9, is within a level of 1/9."""
    assert run("apply", "a.png", "-k", "box-3", "--scale", repr(1 / 9), "-o", "out.png").code == 0
    wanted = filtered(gray, WEIGHTS["box-3"], 9).astype(int)
    assert abs(load("out.png") - wanted).max() <= 1


@pytest.mark.usefixtures("gray")
def test_scale_and_bias_are_misuse_with_several_kernels(run):
    """With a chain nobody knows which kernel is meant."""
    for option in ("--scale", "--bias"):
        result = run("apply", "a.png", "-k", "blur", "-k", "outline", option, "2")
        refused(result, option, "one kernel")


def test_flip_turns_the_weights_and_not_the_padding(gray, run):
    """--flip is a true convolution; an even kernel still has its larger half after the pixel."""
    options = ["-k", "1,2,3,4;5,6,7,8/16", "--flip", "-o", "out.png"]
    assert run("apply", "a.png", *options).code == 0
    wanted = filtered(gray, [[8, 7, 6, 5], [4, 3, 2, 1]], 16)
    np.testing.assert_array_equal(load("out.png"), wanted)


@pytest.mark.parametrize("levels", LEVELS)
def test_levels_turn_responses_into_pixels(gray, run, levels):
    """--levels follows the formulas of the contract, rounding half to even once."""
    assert run("apply", "a.png", "-k", "sobel-left", "--levels", levels, "-o", "o.png").code == 0
    response = total(gray, SOBEL)
    low, high = response.min(), response.max()
    rule = {
        "clip": lambda r: r,
        "abs": abs,
        "offset": lambda r: 128 + Fraction(r, 2),
        "stretch": lambda r: Fraction((r - low) * 255, high - low),
    }[levels]
    wanted = [[to_pixel(rule(int(r))) for r in row] for row in response]
    assert load("o.png").tolist() == wanted


def test_several_kernels_are_a_chain_that_is_not_rounded_in_between(gray, run):
    """A blur after a gradient sees negative and fractional responses."""
    assert run("apply", "a.png", "-k", "sobel-left", "-k", "blur", "-o", "o.png").code == 0
    between = total(gray, SOBEL)
    exact = total(between, WEIGHTS["blur"]) * Fraction(1, 16)
    wanted = np.vectorize(to_pixel, otypes=[int])(exact)
    assert abs(load("o.png") - wanted).max() <= 1
    assert (wanted != filtered(filtered(gray, SOBEL), WEIGHTS["blur"], 16)).any()


def test_stride_and_padding_reach_the_picture(gray, run):
    """Rows and columns are in the order Y,X and T,R,B,L."""
    options = ["-k", "identity", "--padding", "valid", "--stride", "2,3"]
    assert run("apply", "a.png", *options, "-o", "o.png").code == 0
    np.testing.assert_array_equal(load("o.png"), gray[1:-1:2, 1:-1:3])
    options = ["-k", "1", "--padding", "1,2,3,4", "--border", "zeros", "--fill", "9"]
    assert run("apply", "a.png", *options, "-o", "p.png").code == 0
    wanted = np.pad(gray, [(1, 3), (4, 2)], constant_values=9)
    np.testing.assert_array_equal(load("p.png"), wanted)


# Channels


def test_alpha_is_kept_and_each_colour_filtered_by_itself(colour, run):
    """By default the three colours are filtered and alpha comes out as it went in."""
    assert run("apply", "c.png", "-k", "outline", "-o", "o.png").code == 0
    out = load("o.png")
    np.testing.assert_array_equal(out[..., :3], filtered(colour[..., :3], WEIGHTS["outline"]))
    np.testing.assert_array_equal(out[..., 3], colour[..., 3])


def test_listed_channels_are_filtered_and_the_others_are_not(colour, run):
    """--channels with letters filters those only, alpha too when it is named."""
    for channels, chosen in (("g", [1]), ("r,b", [0, 2]), ("a", [3]), ("b,a", [2, 3])):
        options = ["-k", "outline", "--channels", channels, "-o", "o.png", "--force"]
        assert run("apply", "c.png", *options).code == 0
        wanted = colour.copy()
        wanted[..., chosen] = filtered(colour[..., chosen], WEIGHTS["outline"])
        np.testing.assert_array_equal(load("o.png"), wanted)


def test_gray_and_rgb_are_made_before_filtering(colour, gray, run):
    """--channels gray weighs the colours as Pillow does; rgb repeats a gray picture."""
    red, green, blue = (colour[..., i].astype(int) for i in range(3))
    luma = (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16
    options = ["-k", "outline", "--channels"]
    assert run("apply", "c.png", *options, "gray", "-o", "g.png").code == 0
    wanted = np.dstack([filtered(luma, WEIGHTS["outline"]), colour[..., 3]])
    np.testing.assert_array_equal(load("g.png"), wanted)
    assert run("apply", "a.png", *options, "rgb", "-o", "r.png").code == 0
    wanted = np.dstack([filtered(gray, WEIGHTS["outline"])] * 3)
    np.testing.assert_array_equal(load("r.png"), wanted)


def test_luma_leaves_a_picture_alone_under_the_identity(colour, run):
    """Brightness that does not change moves no colour."""
    assert run("apply", "c.png", "-k", "identity", "--channels", "luma", "-o", "o.png").code == 0
    np.testing.assert_array_equal(load("o.png"), colour)


@pytest.mark.usefixtures("gray")
def test_a_channel_that_is_no_letter_is_misuse_and_a_missing_one_a_failure(run):
    """A q is no channel of any picture; r is one, but not of this picture."""
    refused(run("apply", "a.png", "-k", "blur", "--channels", "q"), "'q'")
    failed(run("apply", "a.png", "-k", "blur", "--channels", "r"), "a.png", "'r'", "it has l")
    assert names() == ["a.png"]


# Where outputs go


@pytest.mark.usefixtures("gray")
def test_the_default_output_stands_beside_the_input(run):
    """Without -o the kernel's name goes between stem and ending; several are joined by a plus."""
    Path("sub").mkdir()
    Path("a.png").rename("sub/a.b.png")
    Path("my file.toml").write_text("[inner]\nweights = [[1]]\n")
    for options, name in (
        (["-k", "identity"], "a.b.identity.png"),
        (["-k", "identity", "-k", "blur"], "a.b.identity+blur.png"),
        (["-k", "1"], "a.b.custom.png"),
        (["-k", "[[1]]"], "a.b.custom.png"),
        (["-k", "my file.toml"], "a.b.my file.png"),
        (["-k", "my file.toml:inner"], "a.b.inner.png"),
    ):
        assert run("apply", "sub/a.b.png", *options, "--force").code == 0
        assert (Path("sub") / name).is_file()
        (Path("sub") / name).unlink()
    assert names("sub") == ["a.b.png"]
    assert names() == ["my file.toml", "sub"]


@pytest.mark.usefixtures("gray")
def test_a_name_from_json_never_leads_out_of_the_folder(run):
    """A kernel's name with a slash or a NUL is refused, or written without it: no traceback."""
    for name in ("a/b", "../b", "/b", "a\0b"):
        spec = json.dumps({"name": name, "weights": [[1]]})
        result = run("apply", "a.png", "-k", spec, "--force")
        assert result.code in (0, 2)
        assert len(result.errors) == (result.code == 2)
    assert all(path.is_file() for path in Path().iterdir())
    assert not Path("../b.png").exists()


def test_a_folder_keeps_the_names_of_the_inputs(gray, run):
    """-o with an existing folder, or a name with a slash at its end, writes into the folder."""
    Path("there").mkdir()
    for folder in ("there", "there/", "made/deeper/"):
        assert run("apply", "a.png", "-k", "identity", "-o", folder, "--force").code == 0
        np.testing.assert_array_equal(load(Path(folder) / "a.png"), gray)


def test_the_ending_of_the_output_chooses_its_format(gray, run):
    """-o out.bmp is a BMP, with the samples of the picture."""
    assert run("apply", "a.png", "-k", "identity", "-o", "out.bmp").code == 0
    with Image.open("out.bmp") as image:
        assert image.format == "BMP"
    np.testing.assert_array_equal(load("out.bmp"), gray)


def test_an_existing_output_is_refused_without_force(gray, run):
    """Without --force an existing file is an error of that input and stays as it is."""
    for output in ("out.png", "a.identity.png"):
        Path(output).write_bytes(b"mine")
        options = ["-o", output] if output == "out.png" else []
        failed(run("apply", "a.png", "-k", "identity", *options), output, "--force")
        assert Path(output).read_bytes() == b"mine"
        assert run("apply", "a.png", "-k", "identity", *options, "--force").code == 0
        np.testing.assert_array_equal(load(output), gray)


def test_an_input_is_its_own_output_with_force_only(gray, run):
    """A picture is replaced by its filtered self when that is asked for, under any name of it."""
    before = Path("a.png").read_bytes()
    Path("link.png").symlink_to("a.png")
    os.link("a.png", "hard.png")
    for output in ("a.png", "./a.png", "../" + Path.cwd().name + "/a.png", "link.png", "hard.png"):
        failed(run("apply", "a.png", "-k", "outline", "-o", output), "--force")
        assert Path("a.png").read_bytes() == before
    assert run("apply", "a.png", "-k", "outline", "-o", "link.png", "--force").code == 0
    np.testing.assert_array_equal(load("a.png"), filtered(gray, WEIGHTS["outline"]))


@pytest.mark.parametrize(
    "arguments",
    [
        ["a.png", "sub/a.png", "-o", "out/"],
        ["a.png", "a.png"],
        ["a.png", "./a.png"],
        ["a.png", "sub/../a.png"],
        ["sub/a.png", "link/a.png"],
        ["a.png", "sub/a.png", "-o", "out/", "--force"],
    ],
    ids=words,
)
def test_two_inputs_to_one_output_are_refused(gray, run, arguments):
    """Before anything is written it is clear that one file would overwrite another."""
    Path("sub").mkdir()
    Path("link").symlink_to("sub")
    save(Path("sub/a.png"), gray)
    before = sorted(Path().rglob("*"))
    refused(run("apply", *arguments, "-k", "identity"), "a.png")
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("{stm}.png", ["{stm}", "{stem}"]),
        ("{stem!r}.png", ["{stem!r}"]),
        ("{stem:>999999999}.png", ["{stem:>9"]),
        ("out{}.png", ["out{}.png"]),
        ("}.png", ["}.png"]),
        ("{0.__class__}/", ["{0.__class__}/"]),
        ("out", ["out", ".png"]),
        ("out.xyz", ["'.xyz'", ".png"]),
        ("{kernel}.eps", ["'.eps'", ".png"]),
        (".png", [".png"]),
        ("", []),
    ],
)
@pytest.mark.usefixtures("gray")
def test_an_output_that_names_no_format_is_misuse(run, output, words):
    """Braces hold the fields of templates alone, and a file needs an ending that can be written."""
    refused(run("apply", "a.png", "missing.png", "-k", "identity", "-o", output))
    refused(run("apply", "a.png", "-k", "identity", "-o", output), *words)
    assert names() == ["a.png"]


def test_several_inputs_to_one_file_or_to_stdout_are_misuse(gray, run):
    """One file, or a pipe, holds one picture."""
    save(Path("b.png"), gray)
    refused(run("apply", "a.png", "b.png", "-k", "identity", "-o", "out.png"), "out.png")
    refused(run("apply", "a.png", "b.png", "-k", "identity", "-o", "-"))
    refused(run("apply", "-", "-", "-k", "identity", "-o", "out/"), "stdin")
    refused(run("apply", "-", "-k", "identity", "-o", "out/"), "stdin")
    assert names() == ["a.png", "b.png"]


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "tif", "webp", "ppm"])
def test_stdin_to_stdout_keeps_the_format(gray, run, ending):
    """A picture from stdin goes to stdout in the format it came in, with or without -o -."""
    data = save(Path(f"in.{ending}"), gray).read_bytes()
    for options in ([], ["-o", "-"]):
        result = run("apply", "-", "-k", "identity", *options, "--quiet", stdin=data)
        assert (result.code, result.err) == (0, "")
        Path("out").write_bytes(result.out)
        with Image.open("out") as out, Image.open(f"in.{ending}") as image:
            assert (out.format, out.size) == (image.format, image.size)


def test_stdin_goes_to_stdout_in_its_own_format(gray, run):
    """A GIF stays one, unless --format says otherwise."""
    data = save(Path("in.gif"), gray).read_bytes()
    for options, wanted in (([], "GIF"), (["--format", "png"], "PNG")):
        result = run("apply", "-", "-k", "identity", *options, stdin=data)
        with Image.open(io.BytesIO(result.out)) as image:
            assert image.format == wanted
            np.testing.assert_array_equal(np.asarray(image.convert("L")), gray)


@pytest.mark.usefixtures("gray")
def test_a_picture_is_not_written_to_a_terminal(run, monkeypatch):
    """Neither with -o - nor by default is a person's terminal filled with bytes."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    data = Path("a.png").read_bytes()
    refused(run("apply", "-", "-k", "identity", "-o", "-", stdin=data), "terminal")
    refused(run("apply", "-", "-k", "identity", stdin=data), "terminal")


@pytest.mark.parametrize(
    ("pixels", "output", "lost"),
    [
        (random(3, 4, 4), "out.jpg", "transparency"),
        (random(3, 4, 4), "out.bmp", "transparency"),
        (random(3, 4, 2), "out.ppm", "transparency"),
        (random(3, 4).astype(np.uint16) * 257, "out.jpg", "16 bits"),
        (random(3, 4).astype(np.uint16) * 257, "out.webp", "16 bits"),
    ],
)
def test_what_the_output_cannot_keep_fails_and_writes_nothing(tmp_path, run, pixels, output, lost):
    """The input and what would be lost are named; an existing file is kept even with --force."""
    source = save(tmp_path / "in.png", pixels)
    target = tmp_path / output
    kernel = "box-3" if lost == "16 bits" else "outline"
    failed(run("apply", source, "-k", kernel, "-o", target), str(source), lost)
    assert sorted(tmp_path.iterdir()) == [source]
    target.write_bytes(b"mine")
    failed(run("apply", source, "-k", kernel, "-o", target, "--force"), lost)
    assert target.read_bytes() == b"mine"


def test_sixteen_bit_gray_stays_exact(tmp_path, run):
    """A 16-bit picture is filtered in 16 bits and written so."""
    pixels = np.random.default_rng(5).integers(0, 65536, (5, 6), np.uint16)
    source = save(tmp_path / "in.png", pixels)
    for ending in ("png", "tif"):
        target = tmp_path / f"out.{ending}"
        assert run("apply", source, "-k", "box-3", "-o", target).code == 0
        exact = total(pixels, WEIGHTS["box-3"]) * Fraction(1, 9)
        assert load(target).tolist() == [[round(value) for value in row] for row in exact]


def test_lost_metadata_is_a_note_that_quiet_leaves_out(tmp_path, run):
    """What of a file is not kept is said on stderr, once; --quiet is for errors only."""
    source = save(tmp_path / "in.png", random(3, 4), dpi=(300, 300))
    result = run("apply", source, "-k", "identity", "-o", tmp_path / "out.ppm")
    assert (result.code, result.out) == (0, b"")
    [line] = result.errors
    assert "note" in line
    assert str(source) in line
    assert "resolution not kept" in line
    result = run("apply", source, "-k", "identity", "-o", tmp_path / "quiet.ppm", "-q")
    assert (result.code, result.out, result.err) == (0, b"", "")


# Misuse and failures


@pytest.mark.parametrize(
    "arguments",
    [
        ["--stride", "0"], ["--stride", "x"], ["--stride", "1,2,3"], ["--stride", "-1"],
        ["--stride", "1.5"], ["--stride", ""], ["--stride", "9" * 30],
        ["--dilation", "0"], ["--dilation", "1,"], ["--dilation", "²"],
        ["--padding", "-1"], ["--padding", "1,2,3"], ["--padding", "1,2,3,4,5"],
        ["--compress", "tiny"], ["--quality", "0"], ["--jobs", "0"],
        ["--padding", "full"], ["--border", "gimp"], ["--border", "numpy:mirror"],
        ["--border", "gimp:edge"], ["--border", ""], ["--border", ":edge"],
        *[
            ["--fill", fill, "--border", "constant"]
            for fill in ("nan", "inf", "", "whitish", "#ff800080", "256,0,0", "1,2", "50 %", "5%%")
        ],
        ["--levels", "normal"], ["--channels", "rgba"], ["--channels", "r,,g"], ["--channels", ""],
        ["--channels", "R"],
        ["--threads", "0"], ["--threads", "many"],
        ["--scale", "x"], ["--scale", "1/0"], ["--scale", "nan"], ["--scale", "inf"],
        ["--bias", "x"], ["--bias", "inf"], ["--bias", "1e400"], ["--scale", "1e400"],
        ["--scale", "1e-400"],
        ["--no-such-option"], ["--stride"],
        ["-k", "sobel-lef"], ["-k", "1/9,1/9"], ["-k", "gone.toml"], ["-k", "[[1]"],
        ["--catalog", "gone.toml"],
    ],
    ids=words,
)  # fmt: skip
@pytest.mark.usefixtures("gray")
def test_a_bad_option_is_one_line_before_any_file_is_read(run, arguments):
    """Misuse exits 2 and names the option or its value; no input is looked at."""
    kernel = [] if arguments[0] == "-k" else ["-k", "identity"]
    line = refused(run("apply", "gone.png", *kernel, *arguments))
    assert "gone.png" not in line
    value = arguments[-1]
    assert arguments[0] in line or arguments[0].strip("-") in line or (value and value in line)
    assert names() == ["a.png"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["apply"], "-k"),
        (["apply", "a.png"], "-k"),
        (["apply", "-k", "blur"], "input"),
        (["aply", "a.png"], "aply"),
        (["show"], "SPEC"),
        (["show", "blur", "--as", "yaml"], "'yaml'"),
        (["show", "no-such-kernel"], "no-such-kernel"),
        (["list", "--colour"], "--colour"),
        (["list", "a", "b"], "b"),
        (["--nonsense"], "--nonsense"),
    ],
    ids=words,
)
def test_a_wrong_command_is_one_line(run, arguments, word):
    """What is missing or unknown is named, with exit code 2."""
    refused(run(*arguments), word)


def test_without_arguments_the_help_is_shown_on_lines_of_its_own(run):
    """A bare `imgconv` shows what there is, as --help does, and not as one escaped line."""
    result = run()
    shown = result.text + result.err
    assert "Commands:" in [line.strip() for line in shown.splitlines()]
    assert "\\n" not in shown


@pytest.mark.parametrize("command", [[], ["apply"], ["list"], ["show"]])
def test_help_goes_to_stdout(run, command):
    """--help and -h of every command are results: on stdout, exit code 0."""
    for option in ("--help", "-h"):
        result = run(*command, option)
        assert (result.code, result.err) == (0, "")
        assert result.text.lstrip().startswith("Usage: imgconv")


@pytest.mark.usefixtures("gray")
def test_an_unknown_kernel_suggests_the_nearest_and_writes_nothing(run):
    """A misspelt name among good ones stops everything before it starts."""
    result = run("apply", "a.png", "-k", "blur", "-k", "sobel-lef")
    refused(result, "'sobel-lef'", "did you mean 'sobel-left'", "imgconv list")
    assert names() == ["a.png"]


@pytest.mark.usefixtures("gray")
def test_mirror_is_refused_with_the_two_words_to_choose_from(run):
    """A border that means two things names both."""
    refused(run("apply", "a.png", "-k", "blur", "--border", "mirror"), "'reflect'", "'symmetric'")


def test_a_failed_input_does_not_stop_the_others(gray, run):
    """Each broken input has its line, in order; the good ones are written; exit code 1."""
    save(Path("b.png"), gray)
    Path("text.png").write_text("no image")
    Path("empty.png").write_bytes(b"")
    inputs = ["text.png", "a.png", "missing.png", "b.png", "empty.png"]
    result = run("apply", *inputs, "-k", "identity", "-o", "out/")
    assert (result.code, result.out) == (1, b"")
    *lines, summary = result.errors
    assert summary.startswith("imgconv: 5 inputs: 2 written, 3 failed")
    for line, name in zip(lines, ["text.png", "missing.png", "empty.png"], strict=True):
        assert line.startswith(f"imgconv: {name}: ")
    assert names("out") == ["a.png", "b.png"]


@pytest.mark.usefixtures("gray")
def test_a_picture_that_the_kernel_does_not_fit_fails(run):
    """No output pixel is an error of that file, with both sizes."""
    result = run("apply", "a.png", "-k", "box-7", "--padding", "valid")
    failed(result, "a.png", "7x7", "8x6")


@pytest.mark.usefixtures("gray")
def test_a_fill_that_is_no_sample_fails(run):
    """A border of 300 is not an 8-bit sample."""
    result = run("apply", "a.png", "-k", "blur", "--border", "constant", "--fill", "300")
    failed(result, "300", "0 to 255")


@pytest.mark.usefixtures("gray")
def test_a_folder_among_the_inputs_is_called_a_folder(run):
    """A folder is not blamed for its ending, nor for being empty."""
    Path("pics").mkdir()
    for options in ([], ["-o", "out/"], ["-o", "out.png"]):
        one_line(run("apply", "pics", "-k", "identity", *options), 0, "pics", "folder")
    assert run("apply", ".", "-k", "identity", "-o", "out/").code == 0
    assert Path("out/a.png").exists()


@pytest.mark.parametrize("name", ["", " ", "none"])
@pytest.mark.parametrize("options", [[], ["-o", "out/"], ["-o", "out.png"]], ids=words)
@pytest.mark.usefixtures("gray")
def test_an_input_that_names_no_file_is_one_line(run, name, options):
    """An empty name from a script's empty variable is told, not a traceback."""
    result = run("apply", name, "-k", "identity", *options)
    assert result.code in (1, 2)
    assert len(result.errors) == 1
    assert names() == ["a.png"]


@pytest.mark.parametrize(
    "output", ["loop.png", "loop/", "loop/deeper/", "x" * 300 + ".png", "x" * 300 + "/", "a.png/"]
)
@pytest.mark.usefixtures("gray")
def test_an_output_that_cannot_be_reached_is_one_line(run, output):
    """A link that leads to itself, a name that is too long, a file for a folder: no traceback."""
    Path("loop.png").symlink_to("loop.png")
    Path("loop").symlink_to("loop")
    result = run("apply", "a.png", "-k", "identity", "-o", output)
    assert result.code in (1, 2)
    assert len(result.errors) == 1
    assert names() == ["a.png", "loop", "loop.png"]


@pytest.mark.parametrize("spec", ["1e308,1e308", "1e308,-1e308", "1/1e-320", "1,1/1e-300+1e308"])
@pytest.mark.usefixtures("gray")
def test_numbers_at_the_end_of_the_range_are_shown_used_or_refused(run, spec):
    """A kernel that overflows is refused in one line or goes through; there is no traceback."""
    for arguments in (["show", spec], ["apply", "a.png", "-k", spec, "-o", "o.png", "--force"]):
        result = run(*arguments)
        assert len(result.errors) == (result.code != 0)


NAMES = {
    "a b.png": "a b.png",
    "[red]x.png": "[red]x.png",
    "a\nb.png": "a\\nb.png",
    "a\x1b[31mb.png": "a\\x1b[31mb.png",
    os.fsdecode(b"a\xff.png"): "a\\udcff.png",
    "ä漢😀.png": "ä漢😀.png",
    "a\u202eb.png": "a\\u202eb.png",
    "-x.png": "-x.png",
    "{stem}.png": "{stem}.png",
    "%s\\n.png": "%s\\n.png",
}


@pytest.mark.parametrize(("name", "shown"), NAMES.items(), ids=range(len(NAMES)))
def test_any_name_is_written_and_told_on_one_line(gray, run, name, shown):
    """A file's name is taken as it is; in messages it is literal, and odd characters are spelt."""
    failed(run("apply", "-k", "identity", "-o", "out/", "--", name), f"imgconv: {shown}: ")
    Path("a.png").rename(name)
    result = run("apply", "-k", "identity", "-o", "out/", "--", name)
    assert (result.code, result.err) == (0, "")
    np.testing.assert_array_equal(load(Path("out") / name), gray)
    line = failed(run("apply", "-k", "identity", "-o", "out/", "--", name), "--force")
    assert line.count(shown) == 2


@pytest.mark.parametrize("stem", ["a b", "[red]", "a\nb", "a\x1b[31mb", os.fsdecode(b"a\xff")])
def test_any_name_of_a_catalogue_can_be_listed_and_shown(tmp_path, run, stem):
    """The name of a user's file is printed on its line, whatever characters it has."""
    file = tmp_path / f"{stem}.toml"
    file.write_text("[mine]\nweights = [[1]]\n")
    result = run("list", "mine", "--catalog", file)
    assert (result.code, result.err) == (0, "")
    assert len(result.text.splitlines()) == 2
    assert "\x1b" not in result.text
    result = run("show", "mine", "--catalog", file)
    assert (result.code, result.err) == (0, "")
    assert "\x1b" not in result.text
    for form in ("toml", "json", "numpy"):
        assert run("show", f"{file}:mine", "--as", form).code == 0


# list and show


def test_list_shows_every_kernel_with_its_summary(run):
    """Each shipped kernel has one line with its name, size and summary, below its family."""
    result = run("list")
    assert (result.code, result.err) == (0, "")
    listed, _, _ = result.text.partition("\nrecipes ")
    lines = [line.split(None, 2) for line in listed.splitlines() if line.startswith(" ")]
    wanted = []
    for file in KERNELS:
        assert f"\n{file.stem}\n" in "\n" + result.text
        for name, fields in tomllib.loads(file.read_text(encoding="utf-8")).items():
            shape = "x".join(map(str, np.array(fields["weights"]).shape))
            wanted.append([name, shape, fields["summary"]])
    assert lines == wanted


def test_the_list_fits_eighty_columns(run):
    """No line of the shipped catalogue wraps in a terminal of 80 columns."""
    assert [line for line in run("list").text.splitlines() if len(line) > 80] == []


def test_the_columns_of_the_list_stand_below_each_other(run):
    """Summaries begin in one column, over all families."""
    known = {name: load_kernel(name).summary for name in list_kernels()}
    starts = {
        line.index(known[line.split()[0]])
        for line in run("list").text.splitlines()
        if line.startswith(" ") and line.split()[0] in known
    }
    assert len(starts) == 1


def test_names_are_one_a_line(run):
    """--names is for scripts: what apply takes as a name, recipes among them, and nothing else."""
    result = run("list", "--names")
    assert result.code == 0
    recipes = ["kirsch", "prewitt", "roberts", "robinson", "scharr", "sobel"]
    assert sorted(result.text.splitlines()) == sorted([*list_kernels(), *recipes])
    assert run("list", "families", "--names").out == b""


def test_the_json_list_has_the_keys_of_the_contract(run):
    """--json is an array of name, family, summary, size as rows and columns, and source."""
    rows = json.loads(run("list", "--json").out)
    others = [row for row in rows if row["family"] in ("families", "recipes")]
    assert all(row["size"] is None and row["summary"] and row["source"] for row in others)
    assert len(others) == 11 + 6
    rows = [row for row in rows if row not in others]
    assert sorted(row["name"] for row in rows) == list_kernels()
    for row in rows:
        kernel = load_kernel(row["name"])
        assert row == {
            "name": kernel.name,
            "family": row["family"],
            "summary": kernel.summary,
            "size": list(np.array(kernel.weights).shape),
            "source": kernel.source,
        }
    assert {row["family"] for row in rows} == {file.stem for file in KERNELS}


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("sobel", ["sobel", "sobel-bottom", "sobel-left", "sobel-right", "sobel-top"]),
        ("laplacian-?", ["laplacian-4", "laplacian-8"]),
        ("*-nw", ["kirsch-nw", "robinson-nw"]),
        ("roberts", ["roberts", "roberts-top-left", "roberts-top-right"]),
        ("box-[35]", ["box-3", "box-5"]),
        ("blur", ["binomial-5", "binomial-7", "blur", "box-3", "box-5", "box-7"]),
    ],
)
def test_a_pattern_picks_by_name_or_family(run, pattern, wanted):
    """PATTERN is a part of a name or family, or has wildcards for all of it."""
    assert sorted(run("list", pattern, "--names").text.split()) == wanted
    rows = json.loads(run("list", pattern, "--json").out)
    assert sorted(row["name"] for row in rows if row["family"] != "families") == wanted


def test_a_pattern_that_nothing_matches_says_so(run):
    """Nothing on stdout, one line that names the pattern, and no success."""
    result = run("list", "zzz")
    assert result.code != 0
    assert result.out == b""
    [line] = result.errors
    assert "'zzz'" in line


@pytest.mark.parametrize("text", ["two\\nlines", "red \\u001b[31m", "back \\r over"])
def test_a_users_summary_stays_on_its_line(tmp_path, run, text):
    """Line breaks and escape sequences in a catalogue's texts do not reach the terminal."""
    file = tmp_path / "mine.toml"
    file.write_text(f'[mine]\nsummary = "{text}"\nsource = "{text}"\nweights = [[1]]\n')
    listed = run("list", "mine", "--catalog", file)
    shown = run("show", "mine", "--catalog", file)
    for result in (listed, shown):
        assert result.code in (0, 2)
        assert all(line.isprintable() for line in result.text.splitlines())
        assert "\r" not in result.text
    if listed.code == 0:
        assert len(listed.text.splitlines()) == 2


def test_show_tells_weights_sum_gain_range_and_source(run):
    """The card of a kernel has its rows and what follows from them."""
    result = run("show", "sobel-left", "blur")
    assert (result.code, result.err) == (0, "")
    sobel, _, blur = result.text.partition("\n\nblur")
    assert [line.split() for line in sobel.splitlines()[2:5]] == [
        ["1", "0", "-1"], ["2", "0", "-2"], ["1", "0", "-1"],
    ]  # fmt: skip
    facts = dict(line.split(None, 1) for line in sobel.splitlines() if line[:1].isalpha())
    assert facts["sum"] == "0"
    assert facts["range"].startswith("-1020 to 1020")
    assert " ".join(sobel.split("source")[1].split()) == load_kernel("sobel-left").source
    facts = dict(line.split(None, 1) for line in blur.splitlines() if line[:1].isalpha())
    assert facts["divisor"] == facts["sum"] == "16"
    assert facts["gain"].split()[0] == "1"
    assert facts["range"].startswith("0 to 255")


@pytest.mark.parametrize("form", ["toml", "json", "numpy"])
def test_every_kernel_can_be_shown_in_a_form_to_use(tmp_path, run, form):
    """The form of each shipped kernel means the same kernel, or the same weights in NumPy."""
    names = list_kernels()
    result = run("show", *names, "--as", form)
    assert (result.code, result.err) == (0, "")
    begin = {"toml": r"^(?=\[)", "json": r"^(?={)", "numpy": r"^(?=# )"}[form]
    nothing, *parts = re.split(begin, result.text, flags=re.MULTILINE)
    assert not nothing
    for name, part in zip(names, parts, strict=True):
        kernel = load_kernel(name)
        if form == "json":
            assert load_kernel(part) == kernel
        elif form == "toml":
            (tmp_path / "k.toml").write_text(part)
            assert load_kernel(f"{tmp_path}/k.toml:{name}") == kernel
        else:
            space = {}
            exec(part, space)  # it is our own output, and Python
            wanted = np.array(kernel.weights) / kernel.divisor
            np.testing.assert_array_equal(space["weights"], wanted)


def test_several_kernels_as_toml_are_one_catalogue(tmp_path, run):
    """What show prints for several kernels can be saved and used as a file."""
    result = run("show", "blur", "sobel-left", "--as", "toml")
    (tmp_path / "two.toml").write_bytes(result.out)
    for name in ("blur", "sobel-left"):
        assert load_kernel(f"{tmp_path}/two.toml:{name}") == load_kernel(name)


def test_several_kernels_as_json_are_one_a_line(run):
    """Each line is a specification of its kernel."""
    lines = run("show", "blur", "sobel-left", "--as", "json").text.splitlines()
    assert [load_kernel(line) for line in lines] == [load_kernel("blur"), load_kernel("sobel-left")]


def test_the_numpy_form_has_divisor_and_bias(run):
    """A divisor is divided by, a bias is a variable of its own."""
    space = {}
    exec(run("show", "1,2;3,4/8+-5", "--as", "numpy").text, space)
    np.testing.assert_array_equal(space["weights"], [[0.125, 0.25], [0.375, 0.5]])
    assert space["bias"] == -5


def test_a_text_of_the_kernel_never_becomes_code(run):
    """A summary of two lines stays a comment in the NumPy form, or is refused."""
    spec = json.dumps({"weights": [[1]], "summary": "what\nharm = True", "name": "n\nharm = True"})
    result = run("show", spec, "--as", "numpy")
    assert result.code in (0, 2)
    space = {}
    exec(result.text, space)
    assert "harm" not in space


@pytest.mark.parametrize("stem", ["my kernel", "v1.2", "Grün", "under_score", "UPPER", "1"])
def test_the_toml_form_of_a_file_loads_whatever_the_file_is_called(tmp_path, run, stem):
    """A file's name need not be a kernel's name for its kernel to be shown and saved again."""
    file = tmp_path / f"{stem}.toml"
    file.write_text("[inner]\nweights = [[1, 2]]\n")
    result = run("show", file, "--as", "toml")
    assert result.code == 0
    (tmp_path / "again.toml").write_bytes(result.out)
    assert load_kernel(str(tmp_path / "again.toml")).weights == ((1, 2),)


@pytest.mark.parametrize("name", ["", "a b", "A", "x.y", 'q"', "a]\nb = 1\n[c", "ä", "\ud800"])
def test_the_toml_form_of_any_name_loads_or_is_refused(tmp_path, run, name):
    """A name that TOML or a catalogue cannot have is not printed as if it could."""
    result = run("show", json.dumps({"name": name, "weights": [[1, 2]]}), "--as", "toml")
    assert result.code in (0, 2)
    if result.code == 0:
        (tmp_path / "again.toml").write_bytes(result.out)
        assert load_kernel(str(tmp_path / "again.toml")).weights == ((1, 2),)


def test_half_characters_in_a_text_are_no_traceback(run):
    r"""JSON can write \ud800, which no terminal can print."""
    spec = r'{"weights": [[1]], "summary": "\ud800", "source": "\udfff"}'
    for options in ([], ["--as", "toml"], ["--as", "json"], ["--as", "numpy"]):
        result = run("show", spec, *options)
        assert result.code in (0, 2)
        assert len(result.errors) == (result.code == 2)


def test_the_version_is_the_packages(run):
    """--version prints name and version on stdout."""
    result = run("--version")
    assert (result.code, result.text, result.err) == (0, f"imgconv {imgconv.__version__}\n", "")


@pytest.mark.usefixtures("gray")
def test_an_interrupt_exits_130(run, monkeypatch):
    """Ctrl-C while a picture is filtered is no traceback but exit code 130, and leaves no file."""

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("imgconv.pictures.encode.encode", interrupt)
    result = run("apply", "a.png", "-k", "identity")
    assert (result.code, result.out) == (130, b"")
    assert len(result.errors) <= 1
    assert names() == ["a.png"]


# Real processes


def process(*command: str, **options) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end, in the environment of a user: output is buffered."""
    env = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    env["imgconv"] = f"{sys.executable} -m imgconv"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.run(command, env=env, check=False, **pipes)


def shell(command: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command of the shell, in which $imgconv is imgconv."""
    return process("bash", "-c", command)


def test_two_of_three_files_are_written_by_a_real_process(gray):
    """The missing one is a line on stderr, the others are written, the exit code is 1."""
    save(Path("[b] ä.png"), gray)
    done = shell("$imgconv apply a.png missing.png '[b] ä.png' -k blur -o out/")
    assert (done.returncode, done.stdout) == (1, b"")
    line, summary = done.stderr.decode().splitlines()
    assert "missing.png" in line
    assert "2 written, 1 failed" in summary
    assert names("out") == ["[b] ä.png", "a.png"]
    np.testing.assert_array_equal(load("out/a.png"), filtered(gray, WEIGHTS["blur"], 16))


def test_a_pipe_does_the_same_as_files(gray, run):
    """Stdin to stdout to stdin gives the bytes that two steps over a file give."""
    done = shell(
        "set -o pipefail; cat a.png | $imgconv apply - -k blur -o - "
        "| $imgconv apply - -k outline -q -o c.png"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert run("apply", "a.png", "-k", "blur", "-o", "b.png").code == 0
    assert run("apply", "b.png", "-k", "outline", "-o", "d.png").code == 0
    assert Path("c.png").read_bytes() == Path("d.png").read_bytes()
    wanted = filtered(filtered(gray, WEIGHTS["blur"], 16), WEIGHTS["outline"])
    np.testing.assert_array_equal(load("c.png"), wanted)


@pytest.mark.usefixtures("gray")
def test_a_pipe_that_is_closed_early_is_quiet():
    """`| head` takes what it wants; the writer neither complains nor leaves a traceback."""
    save(Path("big.png"), random(300, 400, 3))  # more than a pipe holds
    for command in ("$imgconv list | head -1", "$imgconv apply big.png -k 1 -o - | head -c 10"):
        done = shell(command)
        assert done.stdout
        assert done.stderr == b""


@pytest.mark.parametrize(
    "arguments",
    [["list"], ["list", "--json"], ["show", "blur"], ["--version"], ["--help"]],
    ids=words,
)
def test_a_reader_that_has_gone_is_quiet(arguments):
    """Nobody reads at all: short results too, which are written last of all, end quietly."""
    read, write = os.pipe()
    os.close(read)
    try:
        done = process(*MODULE, *arguments, stdout=write)
    finally:
        os.close(write)
    assert done.stderr == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize(
    "arguments", ["list", "show blur", "--version", "apply a.png -k 1 -o -"]
)  # fmt: skip
@pytest.mark.usefixtures("gray")
def test_a_full_disk_on_stdout_is_one_line(arguments):
    """A result that cannot be written is told in one line, and is no success."""
    done = shell(f"$imgconv {arguments} > /dev/full")
    assert done.returncode == 1
    [line] = done.stderr.decode().splitlines()
    assert "No space left" in line


@pytest.mark.usefixtures("gray")
def test_a_part_of_the_program_that_cannot_be_read_is_named(run, monkeypatch):
    """It is loaded when it is needed, from a disk that may fail."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error", "a.py")

    monkeypatch.setattr("imgconv.kernels.spec.find_step", fail)
    result = run("apply", "a.png", "-k", "blur", "-o", "b.png")
    assert (result.code, result.err) == (1, "imgconv: a.py cannot be read: Input/output error\n")


def test_a_closed_stdin_or_stdout_is_one_line():
    """A service that starts imgconv without the pipe it needs gets a message."""
    for command in ("$imgconv apply - -k 1 -o o.png <&-", "$imgconv apply a.png -k 1 -o - >&-"):
        done = shell(command)
        assert done.returncode in (1, 2)
        assert len(done.stderr.decode().splitlines()) == 1


def test_a_scale_of_a_hundred_million_digits_is_refused():
    """A typing error in an exponent does not keep the machine busy for minutes."""
    arguments = ["apply", "gone.png", "-k", "blur", "--scale", "1e99999999"]
    done = process(*MODULE, *arguments, timeout=10)
    assert done.returncode == 2


def test_python_m_is_the_same_command():
    """`python -m imgconv` and the installed script give the same bytes and codes."""
    if not SCRIPT.exists():
        pytest.skip("imgconv is not installed here")
    for arguments in (["list"], ["show", "blur", "--as", "json"], ["show", "nothing-like-it"]):
        module, script = (process(*command, *arguments) for command in (MODULE, [str(SCRIPT)]))
        assert module.stdout == script.stdout
        assert module.stderr == script.stderr
        assert module.returncode == script.returncode


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["apply", "--help"], ["list"], ["list", "--json"], ["show", "blur"],
     ["show", "blur", "--as", "json"], ["apply", "gone.png", "-k", "no-such-kernel"]],
    ids=words,
)  # fmt: skip
def test_a_quick_command_imports_nothing_slow(arguments):
    """Help, lists, cards and misuse start without Numba, NumPy, Pillow or Rich."""
    code = (
        "import sys\n"
        "from imgconv.cli.main import main\n"
        f"main({arguments!r})\n"
        "slow = {'numba', 'llvmlite', 'numpy', 'rich', 'PIL', 'scipy', 'torch'}\n"
        "print('imported:', *sorted(slow & set(sys.modules)))\n"
    )
    done = process(sys.executable, "-c", code)
    assert done.stdout.decode().splitlines()[-1] == "imported:"


def test_the_package_itself_imports_nothing_slow():
    """`import imgconv` with load_kernel costs what a catalogue costs, no more."""
    code = (
        "import sys, imgconv\n"
        "kernel = imgconv.load_kernel('blur')\n"
        "print(*sorted({'numba', 'numpy', 'rich', 'PIL', 'typer'} & set(sys.modules)))\n"
    )
    done = process(sys.executable, "-c", code)
    assert (done.returncode, done.stdout) == (0, b"\n")


def test_the_public_names_are_there():
    """What the contract offers in Python is found at the top, and nothing by a wrong name."""
    assert imgconv.load_kernel("blur") == load_kernel("blur")
    assert imgconv.Kernel is Kernel
    assert "sobel-left" in imgconv.list_kernels()
    assert set(imgconv.__all__) >= {"Kernel", "load_kernel", "list_kernels", "correlate", "apply"}
    assert all(callable(getattr(imgconv, name)) for name in imgconv.__all__)
    assert not hasattr(imgconv, "convolve")


@pytest.mark.usefixtures("gray")
def test_a_long_scale_is_read_to_its_end(run):
    """The exponent after many digits counts."""
    outputs = []
    for name, scale in (("long.png", "3." + "3" * 70 + "e-1"), ("short.png", "0.3333333333333333")):
        assert run("apply", "a.png", "-k", "1,1,1", "--scale", scale, "-o", name).code == 0
        outputs.append(load(Path(name)))
    np.testing.assert_array_equal(*outputs)
    assert outputs[0].min() < 200
