"""The page of `imgconv explain --html`: what is in the file, before a browser opens it."""

import base64
import json
import re

import numpy as np
import pytest
from PIL import Image

from imgconv.engine.levels import LEVELS
from imgconv.pictures.pixels import of_array
from imgconv.pipeline.layout import ALIASES
from imgconv.teach import page
from tests import ROOT, images


@pytest.fixture
def file(tmp_path):
    """Write a small picture with alpha."""
    path = tmp_path / "in.png"
    Image.fromarray(images.samples("RGBA")).save(path)
    return path


def data_of(text: str) -> dict:
    """Return what the page is given."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    return json.loads(found[1])


def samples_of(data: dict) -> np.ndarray:
    """Return the samples that the page computes with."""
    raw = np.frombuffer(base64.b64decode(data["samples"]), np.uint8)
    return raw.reshape(data["height"], data["width"], -1)


def test_a_small_picture_is_there_sample_by_sample(run, file):
    """As it is, but for alpha, which the page says."""
    data = data_of(run("explain", file, "-k", "blur", "--html", "-").text)
    np.testing.assert_array_equal(samples_of(data), images.samples("RGBA")[:, :, :3])
    assert data["notes"] == ["without its alpha"]
    assert data["kernels"][data["chosen"]]["name"] == "blur"


def test_a_large_photo_gives_a_small_page(run, tmp_path):
    """4000x3000 of noise: under 2 MB, and the page says that it is scaled down, and from what."""
    Image.fromarray(np.tile(images.noise(size=(400, 300)), (10, 10, 1))).save(tmp_path / "big.jpg")
    out = tmp_path / "page.html"
    assert run("explain", tmp_path / "big.jpg", "-k", "blur", "--html", out).code == 0
    assert out.stat().st_size < 500_000
    assert "scaled down from 4000x3000" in data_of(out.read_text())["notes"][0]


@pytest.mark.parametrize(
    ("array", "names", "wanted", "note"),
    [
        (np.full((2, 3, 1), 0x1234, np.uint16), "l", 0x12, "cut to 8 bits"),
        (np.full((2, 3, 1), 0.5, np.float32), "l", 128, "cut to 8 bits"),
        (np.full((2, 3, 1), 7, np.float32), "x", 7, None),
        (np.full((2, 3, 4), 255, np.uint8), "cmyk", 0, "inks"),
    ],
)
def test_other_samples_become_8_bits(array, names, wanted, note):
    """16 bits and reals are cut, inks made colours, and the page says so."""
    copy = page.working_copy(of_array(array, names))
    assert set(copy.samples.flat) == {wanted}
    assert (note in " ".join(copy.notes)) if note else not copy.notes


def test_the_window_starts_at_the_same_place(run, tmp_path):
    """--at is a place of the whole picture's output, and its share of the copy's."""
    Image.new("L", (640, 320)).save(tmp_path / "in.png")
    args = ("explain", tmp_path / "in.png", "-k", "blur", "--html", "-")
    assert data_of(run(*args, "--at", "320,100").text)["at"] == [80, 25]
    assert data_of(run(*args, "--at", "639,319").text)["at"] == [159, 79]


def test_nothing_of_a_name_is_markup(run, tmp_path):
    """File and kernel names of a stranger cannot end the script or begin a tag."""
    evil = "</script><b>"
    file = tmp_path / "<i>&.png"
    Image.new("L", (4, 4)).save(file)
    kernel = json.dumps({"weights": [[1]], "name": "one", "summary": evil})
    text = run("explain", file, "-k", kernel, "--html", "-").text
    assert evil not in text
    assert "<i>" not in text
    assert data_of(text)["kernels"][0]["summary"] == evil
    assert "&lt;i&gt;&amp;.png" in text


def test_a_kernel_of_ones_own_stands_first(run, file):
    """It is chosen, and called on the command line as the user did."""
    data = data_of(run("explain", file, "-k", "gaussian(sigma=1)", "--html", "-").text)
    assert (data["chosen"], data["kernels"][0]["spec"]) == (0, "gaussian(sigma=1)")
    assert data["kernels"][0]["family"] == page.YOURS
    data = data_of(run("explain", file, "-k", "blur", "--bias", "3", "--html", "-").text)
    assert (data["kernels"][0]["spec"], data["kernels"][0]["bias"]) == ("", 3)


def test_an_existing_page_is_not_overwritten(run, file, tmp_path):
    """Unless --force says so."""
    out = tmp_path / "page.html"
    out.write_text("mine")
    args = ("explain", file, "-k", "blur", "--html", out)
    result = run(*args)
    assert (result.code, out.read_text()) == (1, "mine")
    assert "--force" in result.err
    assert run(*args, "--force").code == 0
    assert out.read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("choice", "table", "words"),
    [("border", "DRAWINGS", set(ALIASES.values())), ("levels", "RULES", set(LEVELS))],
)
def test_the_page_knows_every_border_and_level(choice, table, words):
    """In what it offers, and in what it says of each."""
    folder = ROOT / "imgconv" / "teach" / "page"
    html, script = ((folder / name).read_text() for name in ("page.html", "page.js"))
    select = re.search(rf'<select id="{choice}">(.*?)</select>', html, re.DOTALL)
    told = re.search(rf"const {table} = {{(.*?)\n}};", script, re.DOTALL)
    assert set(re.findall(r'value="(\w+)"', select[1])) == words
    assert set(re.findall(r"^  (\w+): ", told[1], re.MULTILINE)) == words
