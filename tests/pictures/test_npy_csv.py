"""Arrays in files: .npy and .csv in and out, responses as they are."""

import io

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from imgconv.errors import ImageError
from imgconv.pictures import decode, npy_csv
from imgconv.pictures.pixels import ArrayPixels
from tests.images import noise, saved

X = "0,1,2\n3,4,5\n6,7,8\n"
SOBEL = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])


def npy(array: np.ndarray) -> bytes:
    """Return an array as NumPy writes it."""
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_corr2d_of_the_course(run, tmp_path):
    """The first example: from a table to a table, through a file and through a pipe."""
    (tmp_path / "x.csv").write_text(X)
    args = ("-k", "0,1;2,3", "--padding", "valid")
    assert run("apply", "x.csv", *args, "-o", "-").text == "19,25\n37,43\n"
    assert run("apply", "-", *args, stdin=X.encode()).text == "19,25\n37,43\n"
    assert run("apply", "x.csv", *args, "-o", "y.csv").code == 0
    assert (tmp_path / "y.csv").read_text() == "19,25\n37,43\n"
    assert run("apply", "x.csv", *args, "-o", "y.npy").code == 0
    found = np.load("y.npy")
    assert (found.dtype, found.tolist()) == (np.float32, [[19, 25], [37, 43]])


def test_a_terminal_shows_a_matrix(run, tmp_path, monkeypatch):
    """Numbers below each other, where a person looks."""
    import sys

    (tmp_path / "x.csv").write_text("100,2\n3,-4.5\n")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert run("apply", "x.csv", "-k", "1", "-o", "-").text == " 100    2\n   3 -4.5\n"


@pytest.mark.parametrize(
    "kind", ["uint8", "uint16", "int16", "int64", "float16", "float32", "float64"]
)
def test_npy_of_any_real_type_is_read(run, kind):
    """As it is, or as float32; the response is unrounded, of every channel."""
    image = np.random.default_rng(0).integers(0, 120, (9, 11, 5)).astype(kind)
    np.save("x.npy", image)
    assert run("apply", "x.npy", "-k", "sobel-left", "-o", "y.npy", "--border", "wrap").code == 0
    wanted = np.dstack([
        ndimage.correlate(image[:, :, i].astype(float), SOBEL, mode="wrap") for i in range(5)
    ])  # fmt: skip
    found = np.load("y.npy")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, atol=1e-3)


@pytest.mark.parametrize("ending", [".npy", ".csv", ".tif"])
def test_responses_of_an_image_go_to_an_array(run, ending):
    """Signed and unclipped: by default for arrays, with --levels none for a TIFF."""
    noise("L", (13, 9)).save("x.png")
    levels = ["--levels", "none"] if ending == ".tif" else []
    result = run("apply", "x.png", "-k", "sobel-left", "-o", f"y{ending}", *levels)
    assert (result.code, result.err) == (0, "")
    wanted = ndimage.correlate(np.asarray(Image.open("x.png")).astype(float), SOBEL, mode="nearest")
    if ending == ".tif":
        found = tifffile.imread("y.tif")
        assert found.dtype == np.float32
    else:
        found = np.load("y.npy") if ending == ".npy" else np.loadtxt("y.csv", delimiter=",")
    np.testing.assert_array_equal(found, wanted)
    assert found.min() < 0


def test_responses_of_colours_keep_their_channels(run):
    """RGB to .npy and TIFF; alpha is carried along, and CSV holds no colours."""
    noise("RGB").save("x.png")
    noise("RGBA").save("a.png")
    assert run("apply", "x.png", "-k", "outline", "-o", "y.npy").code == 0
    assert run("apply", "x.png", "-k", "outline", "-o", "y.tif", "--levels", "none").code == 0
    np.testing.assert_array_equal(np.load("y.npy"), tifffile.imread("y.tif"))
    assert run("apply", "a.png", "-k", "outline", "-o", "a.npy").code == 0
    alpha = np.asarray(Image.open("a.png"))[:, :, 3]
    np.testing.assert_array_equal(np.load("a.npy")[:, :, 3], alpha)
    result = run("apply", "x.png", "-k", "outline", "-o", "y.csv")
    assert (result.code, "3 channels" in result.err) == (1, True)
    result = run("apply", "x.png", "-k", "outline", "-o", "z.png", "--levels", "none")
    assert (result.code, "--levels stretch" in result.err) == (1, True)


def test_arrays_become_images_by_stretch_or_as_bytes(run):
    """Reals are stretched to 0-255; uint8 and uint16 are pixels already."""
    reals = np.linspace(-3, 7, 20).reshape(4, 5)
    np.save("reals.npy", reals)
    result = run("apply", "reals.npy", "-k", "1", "-o", "y.png")
    assert (result.code, "--levels stretch" in result.err) == (1, True)
    assert run("apply", "reals.npy", "-k", "1", "-o", "y.png", "--levels", "stretch").code == 0
    wanted = np.rint((reals.astype(np.float32) + 3) * 25.5)
    assert np.abs(np.asarray(Image.open("y.png")) - wanted).max() <= 1
    for kind, mode in (("uint8", "L"), ("uint16", "I;16")):
        image = np.random.default_rng(1).integers(0, 250, (6, 7)).astype(kind)
        np.save("x.npy", image)
        assert run("apply", "x.npy", "-k", "1", "-o", f"{kind}.png").code == 0
        assert Image.open(f"{kind}.png").mode == mode
        np.testing.assert_array_equal(np.asarray(Image.open(f"{kind}.png")), image)
    np.save("two.npy", np.zeros((3, 4, 2), np.uint8))
    result = run("apply", "two.npy", "-k", "1", "-o", "two.png")
    assert (result.code, "2 channels" in result.err) == (1, True)


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=8))
def test_decimals_are_the_shortest_that_come_back(numbers):
    """A number printed and read is the same number, and 19 is not 19.0 or 1.9e+01."""
    array = np.array(numbers, np.float32)[None, :, None]
    text = npy_csv.csv(ArrayPixels(array, "x" * 1)).decode()
    assert "e" not in text.replace("inf", "")
    (back,) = decode.read(text.encode()).frames
    np.testing.assert_array_equal(back.array(), array)
    assert npy_csv.csv(ArrayPixels(np.array([[[19.0], [-0.5]]], np.float32), "x")) == b"19,-0.5\n"


@pytest.mark.parametrize("text", ["inf,1", "nan,2", "-inf", " 3", "+4", ".5,6", "Infinity"])
def test_a_table_may_begin_with_any_number(text):
    """Infinities and NaN are numbers too."""
    (frame,) = decode.read(f"{text}\n".encode()).frames
    wanted = np.array([float(part) for part in text.split(",")], np.float32)
    np.testing.assert_array_equal(frame.array().ravel(), wanted)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"1,2\n3\n", "CSV"),
        (b"1,2\nx,y\n", "CSV"),
        (npy(np.zeros((2, 2), complex)), "complex"),
        (npy(np.zeros(4)), "(4,)"),
        (npy(np.zeros((2, 2, 2, 2))), "(2, 2, 2, 2)"),
        (npy(np.zeros((0, 3))), "(0, 3)"),
        (npy(np.array([[{}]], dtype=object)), "object"),
        (npy(np.zeros((9, 9)))[:150], "NPY"),
        (b"\x93NUMPY\x01\x00", "NPY"),
        (npy(np.zeros((9, 9))).replace(b"}", b"{"), "NPY"),
        (npy(np.zeros((9, 9))).replace(b"(9, 9)", b"(-9,9)"), "NPY"),
        (npy(np.zeros((9, 9))).replace(b"(9, 9), } ", b"(-9,-9), }"), "NPY"),
        (npy(np.zeros((9, 9))).replace(b"(9, 9), }  ", b"(True,9), }"), "NPY"),
    ],
)
def test_a_wrong_array_is_one_line(data, word):
    """Ragged, empty, complex, cut off, of no lengths, or with objects that would run code."""
    with pytest.raises(ImageError) as caught:
        decode.read(data)
    assert word in str(caught.value)
    assert str(caught.value).isprintable()


def test_an_array_is_no_image_with_channels(run):
    """Its channels have no names to choose by; too large a one is refused as an image is."""
    np.save("x.npy", np.zeros((4, 4, 3), np.uint8))
    for channels in ("gray", "rgb", "luma", "r"):
        assert run("apply", "x.npy", "-k", "1", "-o", "y.npy", "--channels", channels).code == 1
    assert "--max-pixels" in run("apply", "x.npy", "-k", "1", "-o", "y.npy", "--max-pixels", 9).err


@pytest.mark.parametrize("name", ["PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "PPM"])
def test_no_image_is_taken_for_a_table(name):
    """By its first bytes."""
    assert not npy_csv.is_table(saved(noise(), name))


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff1,2.5\n3,-4\n",  # a mark of the order of bytes
        "1;2,5\n3;-4\n",  # commas are decimal between semicolons
        "\ufeff1;2,5\r\n3;-4\r\n",
    ],
)
def test_tables_of_other_programs_are_read(text, run):
    """As spreadsheets write them, from a file and from a pipe."""
    with open("x.csv", "wb") as file:
        file.write(text.encode())
    assert run("apply", "x.csv", "-k", "identity", "-o", "-").text == "1,2.5\n3,-4\n"
    found = run("apply", "-", "-k", "identity", "-o", "-", stdin=text.encode())
    assert found.text == "1,2.5\n3,-4\n"


@pytest.mark.parametrize(
    ("kind", "value", "told"),
    [
        ("int64", 7, False), ("int64", 2**24 + 1, True), ("int32", 2**24 + 1, True),
        ("float64", 0.5, False), ("float64", 0.1, True), ("float64", 1e300, True),
        ("float64", np.nan, False), ("int16", -300, False), ("float32", 0.1, False),
    ],
)  # fmt: skip
def test_what_float32_does_not_hold_is_told(kind, value, told, run):
    """Numbers of other kinds become float32: with a note where that changes them."""
    np.save("x.npy", np.full((4, 5), value, kind))
    done = run("apply", "x.npy", "-k", "identity", "-o", "y.npy")
    assert done.code == 0, done.err
    assert (f"the precision of {kind} (read as float32) not kept" in done.err) is told
    np.testing.assert_array_equal(np.load("y.npy"), np.full((4, 5), value, kind).astype(np.float32))
