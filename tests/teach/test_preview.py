"""`apply --preview` draws the result: its escape codes, read back, are the picture resized."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imgconv.pictures.pixels import of_array
from imgconv.teach.preview import drawn
from tests.terminal import PALETTE, in_terminal

OWN = None  # the terminal's own colour


def cells(text: str) -> list[list[tuple]]:
    """Return each line's cells as a terminal shows them: the colours of both halves."""
    lines, ink, paper = [], OWN, OWN
    for line in text.split("\n"):
        row = []
        for codes, character in re.findall(r"\x1b\[([\d;]*)m|(.)", line):
            numbers = [int(n) for n in codes.split(";") if n]
            while numbers:
                code = numbers.pop(0)
                if code == 0:
                    ink = paper = OWN
                elif code in (39, 49):
                    ink, paper = (OWN, paper) if code == 39 else (ink, OWN)
                else:
                    count = {2: 3, 5: 1}[numbers.pop(0)]
                    colour, numbers = numbers[:count], numbers[count:]
                    colour = tuple(colour) if count == 3 else PALETTE[colour[0]]
                    ink, paper = (colour, paper) if code == 38 else (ink, colour)
            if character:
                assert character == "▀"
                row.append((ink, paper))
        lines.append(row)
        assert (ink, paper) == (OWN, OWN), "colours run beyond the line"
    return lines


def pixels(text: str) -> np.ndarray:
    """Return the picture that a terminal shows, without the half line below an odd one."""
    rows = [[cell[half] for cell in line] for line in cells(text) for half in (0, 1)]
    if all(colour is OWN for colour in rows[-1]):
        rows.pop()
    return np.array(rows, np.uint8)


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Return a picture in which no two pixels need be alike."""
    depth = len(Image.new(mode, (1, 1)).getbands())
    rng = np.random.default_rng(width * height)
    return Image.frombytes(mode, (width, height), rng.bytes(width * height * depth))


def preview(image: Image.Image, columns: int, lines: int, *, exact: bool = True) -> np.ndarray:
    """Return what is drawn of an image, read back."""
    array = np.asarray(image)
    names = {"L": "l", "RGB": "rgb", "RGBA": "rgba"}[image.mode]
    array = array if array.ndim == 3 else array[:, :, None]
    return pixels(drawn(of_array(array, names), columns, lines, exact=exact))


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("size", [(200, 90), (90, 200), (81, 160), (300, 7)])
def test_a_large_picture_is_resized_to_the_cells(size, mode):
    """In its proportions, each cell two pixels, gray drawn as gray."""
    image = noise(*size, mode)
    found = preview(image, 80, 40)
    height, width = found.shape[:2]
    assert width == 80 or height == 80
    assert (width <= 80, height <= 80) == (True, True)
    assert abs(width * size[1] - height * size[0]) <= max(size) / 2
    wanted = image.resize((width, height), Image.Resampling.LANCZOS).convert("RGB")
    np.testing.assert_array_equal(found, np.asarray(wanted))


@given(width=st.integers(1, 20), height=st.integers(1, 20))
def test_a_small_picture_has_square_pixels(width, height):
    """Enlarged by the greatest whole number that fits."""
    image = noise(width, height)
    times = min(20 // width, 24 // height)
    wanted = np.asarray(image).repeat(times, axis=0).repeat(times, axis=1)
    np.testing.assert_array_equal(preview(image, 20, 12), wanted)


def test_transparent_pixels_lie_on_gray():
    """What is not seen is a middle gray, on which neither black nor white is lost."""
    image = Image.new("RGBA", (4, 4), (200, 0, 0, 0))
    image.paste((200, 0, 0, 255), (0, 0, 2, 4))
    found = preview(image, 4, 2)
    assert {tuple(p) for p in found[:, :2].reshape(-1, 3)} == {(200, 0, 0)}
    assert {tuple(p) for p in found[:, 2:].reshape(-1, 3)} == {(128, 128, 128)}


def test_256_colours_are_the_nearest():
    """No other colour of the palette is nearer, by the sum of squares."""
    image = noise(16, 16)
    found = preview(image, 16, 8, exact=False).astype(int)
    every = np.array(PALETTE[16:])
    apart = ((np.asarray(image).astype(int)[:, :, None] - every) ** 2).sum(-1)
    np.testing.assert_array_equal(((found - np.asarray(image)) ** 2).sum(-1), apart.min(-1))


def test_deep_and_real_samples_are_drawn():
    """16 bits by their upper 8, responses from their least to their greatest."""
    deep = np.array([[0, 300], [65535, 32768]], np.uint16)[:, :, None]
    text = drawn(of_array(deep, "l"), 2, 1, exact=True)
    assert pixels(text)[:, :, 0].tolist() == [[0, 1], [255, 128]]
    reals = np.array([[-4, 0], [1, 2]], np.float32)[:, :, None]
    text = drawn(of_array(reals, "x"), 2, 1, exact=True)
    assert pixels(text)[:, :, 0].tolist() == [[0, 170], [212, 255]]


@pytest.fixture
def picture(tmp_path):
    """A picture of its own in a folder of its own."""
    noise(50, 30).save(tmp_path / "a.png")
    return tmp_path


def test_what_is_written_is_drawn(picture):
    """Each output under its name, as large as fits above the prompt."""
    noise(30, 60).save(picture / "b.png")
    code, shown = in_terminal(
        picture, "apply", "a.png", "b.png", "-k", "blur", "-o", "out/", "-q", "--preview"
    )
    assert code == 0
    first, second = re.fullmatch(r"out/a.png\n(.*)\nout/b.png\n(.*)\n", shown, re.DOTALL).groups()
    np.testing.assert_array_equal(pixels(first), np.asarray(Image.open(picture / "out/a.png")))
    reduced = Image.open(picture / "out/b.png").resize((18, 36), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(pixels(second), np.asarray(reduced))


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_terminals_without_colours_get_a_note(picture, environment):
    """The output is written, and nothing drawn."""
    args = ("apply", "a.png", "-k", "blur", "-o", "out.png", "--preview")
    code, shown = in_terminal(picture, *args, **environment)
    assert (code, (picture / "out.png").exists()) == (0, True)
    assert "no preview" in shown
    assert "\x1b" not in shown


def test_a_pipe_gets_a_note(run, picture):
    """A command stays right where its output is sent elsewhere; nothing is printed there."""
    out = picture / "out.png"
    result = run("apply", picture / "a.png", "-k", "blur", "-o", out, "--preview")
    assert (result.code, result.out, out.exists()) == (0, b"", True)
    assert "no preview" in result.errors[0]


@pytest.mark.parametrize(
    "more", [("-o", "-"), ("-o", "x.png", "--json"), ("-o", "x.png", "--dry-run")]
)
def test_stdout_is_for_one_thing(run, picture, monkeypatch, more):
    """A result, JSON or names there leave no room for a drawing: misuse."""
    monkeypatch.chdir(picture)
    result = run("apply", "a.png", "-k", "blur", "--preview", *more)
    assert (result.code, len(result.errors)) == (2, 1)
    assert not (picture / "x.png").exists()


def test_what_is_no_picture_is_written_all_the_same(tmp_path):
    """Responses of two channels have no colours: a note, no failure."""
    np.save(tmp_path / "a.npy", np.ones((4, 5, 2), np.float32))
    args = ("apply", "a.npy", "-k", "blur", "-o", "b.npy", "--preview")
    code, shown = in_terminal(tmp_path, *args)
    assert (code, (tmp_path / "b.npy").exists()) == (0, True)
    assert "no preview: has 2 channels" in shown
