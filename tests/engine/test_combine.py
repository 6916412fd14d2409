"""Kernels put together: magnitudes, compasses, means, against the reference and SciPy."""

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from imgconv import load_kernel
from imgconv.errors import KernelError
from imgconv.kernels.catalog import open_catalog
from imgconv.kernels.spec import find_step
from tests import reference
from tests.images import noise
from tests.reference import LEVELS

WINDS = ("n", "ne", "e", "se", "s", "sw", "w", "nw")
JOIN = {
    "max": max,
    "min": min,
    "sum": sum,
    "mean": lambda rs: sum(rs) / len(rs),
    "magnitude": lambda rs: math.hypot(*map(float, rs)),
}


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    noise("RGB", (17, 12)).save("rgb.png")
    noise("L", (13, 11)).save("l.png")
    noise("RGBA", (9, 8)).save("rgba.png")
    noise("LA", (9, 8)).save("la.png")


def planes(path: str) -> list[list[list[int]]]:
    """Return the channels of a picture as rows of whole numbers."""
    array = np.asarray(Image.open(path))
    array = array if array.ndim == 3 else array[:, :, None]
    return [array[:, :, i].tolist() for i in range(array.shape[2])]


def combined(path: str, names: list[str], how: str, **geometry) -> list:
    """Return the combined responses of each channel, by the reference."""
    found = []
    for plane in planes(path):
        each = [
            reference.respond(
                plane, load_kernel(n).weights, divisor=load_kernel(n).divisor, **geometry
            )
            for n in names
        ]
        found.append([[JOIN[how](rs) for rs in zip(*rows, strict=True)]
                      for rows in zip(*each, strict=True)])  # fmt: skip
    return found


@pytest.mark.parametrize("how", JOIN)
@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("geometry", [{}, {"stride": 2, "border": "wrap"}], ids=str)
def test_responses_are_combined_before_the_levels(run, how, levels, geometry):
    """Each kernel on the picture itself, then joined, then made pixels: within one level."""
    names = ["sobel-right", "sobel-bottom", "sharpen"]
    specs = [part for name in names for part in ("-k", name)]
    options = [part for key, value in geometry.items() for part in (f"--{key}", value)]
    args = ("apply", "rgb.png", *specs, "--combine", how, "--levels", levels, *options)
    assert run(*args, "-o", "out.png", "-q").code == 0
    responses = combined("rgb.png", names, how, **geometry)
    exact = [[[reference.Fraction(r) for r in row] for row in channel] for channel in responses]
    wanted = np.array(reference.pixels(exact, levels, 255))
    found = np.moveaxis(np.asarray(Image.open("out.png")).astype(int), 2, 0)
    assert np.abs(found - wanted).max() <= 1


@pytest.mark.parametrize(
    ("name", "kernels", "how"),
    [
        ("sobel", ["sobel-right", "sobel-bottom"], "magnitude"),
        ("prewitt", ["prewitt-right", "prewitt-bottom"], "magnitude"),
        ("scharr", ["scharr-right", "scharr-bottom"], "magnitude"),
        ("roberts", ["roberts-top-left", "roberts-top-right"], "magnitude"),
        ("kirsch", [f"kirsch-{d}" for d in ["n", "ne", "e", "se", "s", "sw", "w", "nw"]], "max"),
        (
            "robinson",
            [f"robinson-{d}" for d in ["n", "ne", "e", "se", "s", "sw", "w", "nw"]],
            "max",
        ),
    ],
)
def test_a_recipe_is_a_name_like_any_other(run, name, kernels, how):
    """The same as its kernels with --combine, and it names the file."""
    assert run("apply", "l.png", "-k", name, "-q").code == 0
    specs = [part for kernel in kernels for part in ("-k", kernel)]
    assert run("apply", "l.png", *specs, "--combine", how, "-o", "o.png", "-q").code == 0
    assert Path(f"l.{name}.png").read_bytes() == Path("o.png").read_bytes()
    (responses,) = combined("l.png", kernels, how)
    wanted = np.clip(np.rint(np.array(responses, float)), 0, 255)
    assert np.abs(np.asarray(Image.open("o.png")) - wanted).max() <= 1
    assert name in run("list", name).text


def test_sobel_is_scipys_magnitude(run):
    """To floats, unrounded."""
    assert run("apply", "l.png", "-k", "sobel", "-o", "o.npy").code == 0
    image = np.asarray(Image.open("l.png")).astype(float)
    wanted = np.hypot(*(ndimage.sobel(image, axis, mode="nearest") for axis in (0, 1)))
    np.testing.assert_allclose(np.load("o.npy"), wanted, rtol=1e-6)


def test_a_recipe_stands_in_a_chain(run):
    """Blurred first, or blurred after: unrounded in between."""
    image = np.asarray(Image.open("l.png")).astype(float)
    blur = load_kernel("blur").array / 16

    def soft(picture: np.ndarray) -> np.ndarray:
        return ndimage.correlate(picture, blur, mode="nearest")

    def edges(picture: np.ndarray) -> np.ndarray:
        return np.hypot(*(ndimage.sobel(picture, axis, mode="nearest") for axis in (0, 1)))

    for specs, wanted in (
        (("-k", "blur", "-k", "sobel"), edges(soft(image))),
        (("-k", "sobel", "-k", "blur"), soft(edges(image))),
    ):
        assert run("apply", "l.png", *specs, "-o", "o.npy", "-f").code == 0
        np.testing.assert_allclose(np.load("o.npy"), wanted, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", ["rgba", "la"])
def test_alpha_is_kept_and_letters_choose(run, name):
    """Only the channels that are filtered are combined; the others go through as they are."""
    assert run("apply", f"{name}.png", "-k", "sobel", "-o", "o.png", "-q").code == 0
    before, after = np.asarray(Image.open(f"{name}.png")), np.asarray(Image.open("o.png"))
    np.testing.assert_array_equal(after[:, :, -1], before[:, :, -1])
    first = combined(f"{name}.png", ["sobel-right", "sobel-bottom"], "magnitude")[0]
    wanted = np.clip(np.rint(np.array(first)), 0, 255)
    assert np.abs(after[:, :, 0] - wanted).max() <= 1
    letter = "g" if name == "rgba" else "l"
    args = ("-k", "sobel", "--channels", letter, "-o", "p.png", "-q")
    assert run("apply", f"{name}.png", *args).code == 0
    found = np.asarray(Image.open("p.png"))
    if name == "rgba":
        np.testing.assert_array_equal(found[:, :, 0], before[:, :, 0])
        np.testing.assert_array_equal(found[:, :, 1], after[:, :, 1])


@pytest.mark.parametrize(
    "arguments",
    [
        ["-k", "sobel", "-k", "blur", "--combine", "max"],
        ["-k", "blur", "--combine", "product"],
        ["-k", "sobel", "--scale", "2"],
        ["-k", "sobel", "--alpha", "weighted"],
    ],
)
def test_what_cannot_be_combined_is_misuse(run, arguments):
    """One line, exit 2."""
    result = run("apply", "rgba.png", *arguments)
    assert (result.code, result.out, len(result.errors)) == (2, b"", 1)


def test_outputs_of_different_shapes_are_refused(run):
    """Without a border a larger kernel leaves fewer pixels."""
    args = ("-k", "blur", "-k", "box-5", "--combine", "max", "--padding", "valid")
    result = run("apply", "l.png", *args)
    assert (result.code, "--padding same" in result.err) == (2, True)


@pytest.mark.parametrize(
    ("toml", "word"),
    [
        ('[mine]\ncombine = "product"\nkernels = ["blur"]', "product"),
        ('[mine]\ncombine = "max"', "kernels"),
        ('[mine]\ncombine = "max"\nkernels = []', "kernels"),
        ('[mine]\ncombine = "max"\nkernels = [1]', "kernels"),
        ('[mine]\ncombine = "max"\nkernels = ["nosuch"]', "nosuch"),
        ('[mine]\ncombine = "max"\nkernels = ["sobel"]', "recipe itself"),
        ('[mine]\ncombine = "max"\nkernels = ["blur"]\nweights = [[1]]', "weights"),
    ],
)
def test_a_wrong_recipe_is_one_line(run, tmp_path, toml, word):
    """Named with its file or its name."""
    (tmp_path / "my.toml").write_text(toml)
    result = run("apply", "l.png", "-k", "mine", "--catalog", "my.toml")
    assert (result.code, len(result.errors)) == (2, 1)
    assert word in result.err


def test_a_recipe_of_the_users_own(run, tmp_path):
    """From a catalogue, with kernels of any form."""
    (tmp_path / "my.toml").write_text(
        '[mine]\ncombine = "mean"\nkernels = ["blur", "gaussian(sigma=1)", "1,0,-1"]\n'
    )
    assert run("apply", "l.png", "-k", "mine", "--catalog", "my.toml", "-o", "o.npy").code == 0
    step = find_step("mine", open_catalog([tmp_path / "my.toml"]))
    assert len(step.work.kernels) == 3
    with pytest.raises(KernelError, match="recipe"):
        load_kernel("sobel")
    assert "recipe" in run("show", "kirsch").err
