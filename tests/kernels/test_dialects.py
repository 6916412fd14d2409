"""Kernels as other tools write them: round trips, and the same picture out of the real programs."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from PIL import Image

from imgconv import load_kernel
from imgconv.kernels import dialects
from tests.images import noise
from tests.peers import call, imagemagick, kernels, peer

# A head of more numbers than anybody has memory for.
HUGE = b"\x93NUMPY\x01\0\x4e\0" + (
    b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 1000000000)}".ljust(78)
)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@given(kernels())
def test_a_vips_matrix_comes_back_exactly(tmp_path_factory, kernel):
    """Weights, divisor and bias."""
    path = tmp_path_factory.mktemp("k") / "k.mat"
    path.write_text(dialects.WRITERS["vips"](kernel))
    back = load_kernel(str(path))
    assert (back.weights, back.divisor, back.bias) == (kernel.weights, kernel.divisor, kernel.bias)


@given(kernels(bias=False))
def test_csv_comes_back_with_the_same_effect(tmp_path_factory, kernel):
    """Effective weights, each the same double."""
    path = tmp_path_factory.mktemp("k") / "k.csv"
    path.write_text(dialects.WRITERS["csv"](kernel))
    back = load_kernel(str(path))
    np.testing.assert_array_equal(back.array, kernel.array / kernel.divisor)
    assert back.divisor == 1


@pytest.mark.parametrize("name", ["blur", "sobel-left", "emboss", "laplacian-of-gaussian"])
def test_every_file_form_is_a_kernel_to_apply(run, name):
    """What show writes, and what NumPy saves, is read by apply, and names its output."""
    noise().save("a.png")
    kernel = load_kernel(name)
    np.save("k.npy", kernel.array / kernel.divisor)
    for form, ending in (("vips", "mat"), ("csv", "csv"), ("json", "json"), ("toml", "toml")):
        Path(f"k.{ending}").write_text(run("show", name, "--as", form).text)
    run("apply", "a.png", "-k", name, "-o", "wanted.png", "-q")
    for ending in ("mat", "csv", "json", "npy", "toml"):
        assert run("apply", "a.png", "-k", f"k.{ending}", "-fq").code == 0
        found = np.asarray(Image.open("a.k.png")).astype(int)
        assert np.abs(found - np.asarray(Image.open("wanted.png"))).max() == 0


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("k.mat", "3 3 1\n1 2 3", "width height"),
        ("k.mat", "3 2 1 0\n1 2 3", "3x2"),
        ("k.mat", "", "width height"),
        ("k.mat", "2 1 0 0\n1 2", "divisor"),
        ("k.csv", "1,2\n3", "row 2"),
        ("k.csv", "1,x", "'x' is no number; "),
        ("k.mat", "a b", "'a' is no number; "),
        ("k.csv", "", "empty"),
        ("k.json", "{", "JSON"),
        ("k.npy", "text", "is no array of numbers"),
        ("k.npy", "", "is no array of numbers"),
        ("k.npy", HUGE.decode("latin-1"), "is no array of numbers"),
        ("k.npy", HUGE[:-9].decode("latin-1") + "{", "is no array of numbers"),
        ("gone.csv", None, "cannot be read"),
    ],
)
def test_a_wrong_file_is_one_line(run, name, text, word):
    """With its name, exit 2."""
    if text is not None:
        Path(name).write_text(text, encoding="latin-1")
    result = run("apply", "a.png", "-k", name)
    assert (result.code, len(result.errors)) == (2, 1)
    assert name in result.err
    assert word in result.err


@pytest.mark.parametrize(
    ("spec", "form"),
    [("1,2/3+4", "csv"), ("1,2+4", "imagemagick"), ("1,2+4", "gmic"), ("0.5,1", "ffmpeg"),
     ("box(size=9)", "ffmpeg"), ("box(size=2)", "ffmpeg")],
)  # fmt: skip
def test_what_a_dialect_has_no_place_for_is_refused(run, spec, form):
    """A bias, real weights or a size: named, exit 2."""
    result = run("show", spec, "--as", form)
    assert (result.code, result.out, len(result.errors)) == (2, b"", 1)


def test_the_code_for_opencv_does_what_it_says(run):
    """Run as it is printed."""
    noise(size=(31, 23)).save("a.png")
    for name in ("emboss", "sharpen", "box(size=4)"):
        names = {"x": np.asarray(Image.open("a.png"))}
        exec(run("show", name, "--as", "opencv").text, names)
        run("apply", "a.png", "-k", name, "-o", "o.png", "-fq")
        found = np.asarray(Image.open("o.png")).astype(int)
        assert np.abs(found - names["y"]).max() <= (1 if "box" in name else 0)


@pytest.mark.torch
def test_the_code_for_torch_does_what_it_says(run):
    """Run as it is printed, where torch is installed."""
    torch = pytest.importorskip("torch")
    noise(size=(31, 23)).save("a.png")
    for name in ("emboss", "blur", "1,2;3,4"):
        image = np.asarray(Image.open("a.png")).astype(np.float32)
        names = {"x": torch.tensor(np.moveaxis(image, 2, 0)[None])}
        exec(run("show", name, "--as", "torch").text, names)
        assert run("apply", "a.png", "-k", name, "-o", "o.npy", "-f").code == 0
        wanted = np.moveaxis(names["y"][0].numpy(), 0, 2)
        np.testing.assert_allclose(np.load("o.npy"), wanted, atol=1e-3)


@pytest.mark.peers
@pytest.mark.parametrize(
    "name", ["blur", "sharpen", "sobel-left", "emboss", "kirsch-ne", "box-5", "motion-down"]
)
@pytest.mark.parametrize("tool", ["imagemagick", "vips", "ffmpeg", "gmic"])
def test_the_real_programs_give_the_same_picture(run, tool, name):
    """Bit for bit for whole kernels, within a level for others.

    ffmpeg mirrors its left and right border differently, so there the inside is compared.
    """
    noise(size=(40, 30)).save("a.png")
    shown = run("show", name, "--as", tool)
    if tool == "ffmpeg" and name == "motion-down":  # 9x9
        assert shown.code == 2
        return
    text = shown.text.strip()
    if tool == "imagemagick":
        program = imagemagick()
        edge = ("-virtual-pixel", "edge", "-morphology", "Correlate", text)
        call(program, "a.png", *edge, "-depth", 8, "PNG24:o.png")
    elif tool == "vips":
        Path("k.mat").write_text(text)
        call(peer("vips"), "conv", "a.png", "o.png", "k.mat")
    elif tool == "ffmpeg":
        call(peer("ffmpeg"), "-y", "-i", "a.png", "-vf", text, "-pix_fmt", "rgb24", "o.png")
    else:
        after = ("keep[0]", "round", "cut", "0,255", "-o", "o.png")
        call(peer("gmic"), "a.png", text, "correlate[0]", "[1],1", *after)
    assert run("apply", "a.png", "-k", name, "-o", "ours.png", "-q").code == 0
    theirs = np.asarray(Image.open("o.png").convert("RGB")).astype(int)
    off = np.abs(theirs - np.asarray(Image.open("ours.png")).astype(int))
    off = off[3:-3, 3:-3] if tool == "ffmpeg" else off
    assert off.max() <= (0 if load_kernel(name).divisor == 1 else 1)
