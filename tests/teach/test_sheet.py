"""The sheet: every tile is what independent code makes of the picture, every caption whole."""

import io
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, features
from scipy import ndimage

from imgconv.kernels.catalog import open_catalog
from imgconv.kernels.kernel import Kernel
from imgconv.kernels.recipes import Combined
from imgconv.kernels.spec import find_step
from imgconv.teach import sheet
from imgconv.teach.sheet import PAPER, Look, Tile
from tests.images import noise

# Example 10 of the course: names, weights and divisors as it prints them.
COURSE = {
    "sobel-bottom": ([[-1, -2, -1], [0, 0, 0], [1, 2, 1]], 1),
    "sobel-left": ([[1, 0, -1], [2, 0, -2], [1, 0, -1]], 1),
    "sobel-right": ([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], 1),
    "sobel-top": ([[1, 2, 1], [0, 0, 0], [-1, -2, -1]], 1),
    "sharpen": ([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], 1),
    "blur": ([[1, 2, 1], [2, 4, 2], [1, 2, 1]], 16),
    "emboss": ([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]], 1),
    "outline": ([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]], 1),
}
SIGNED = ("sobel-bottom", "sobel-left", "sobel-right", "sobel-top", "outline")


def truth(picture: np.ndarray, name: str, levels: str) -> np.ndarray:
    """Return a tile by SciPy and the rule that the README has for levels."""
    weights, divisor = COURSE[name]
    response = ndimage.correlate(picture.astype(float), np.array(weights, float), mode="nearest")
    response /= divisor
    response = 128 + response / 2 if levels == "offset" else response
    return np.clip(np.rint(response), 0, 255).astype(np.uint8)


def pictures(image: Image.Image, size: tuple[int, int]) -> list[np.ndarray]:
    """Return the tiles' pictures of a size, found by the gray line around each."""
    array, line = np.asarray(image), 0xD0
    width, height = size
    gray = array if array.ndim == 2 else array[:, :, 1]
    found: list[np.ndarray] = []
    ahead = np.zeros(gray.shape, bool)
    for y, x in np.argwhere(gray == line):
        box = gray[y : y + height + 2, x : x + width + 2]
        if box.shape != (height + 2, width + 2) or ahead[y, x]:
            continue
        frame = np.concatenate([box[0], box[-1], box[:, 0], box[:, -1]])
        if (frame == line).all():
            found.append(array[y + 1 : y + 1 + height, x + 1 : x + 1 + width])
            ahead[y : y + height + 2, x : x + width + 2] = True
    return found


@pytest.mark.parametrize("levels", [None, "clip"])
def test_the_sheet_of_the_course_is_one_command(run, tmp_path, levels):
    """Example 10: 3x3 tiles, the original first, each equal to SciPy's pixel for pixel."""
    noise("L", (300, 200)).resize((600, 400)).save(tmp_path / "photo.png")
    names = list(itertools.chain.from_iterable(("-k", name) for name in COURSE))
    more = ("--levels", levels) if levels else ()
    out = tmp_path / "sheet.png"
    result = run("sheet", tmp_path / "photo.png", *names, *more, "--columns", 3, "-o", out)
    assert (result.code, result.err) == (0, "")
    photo = Image.open(tmp_path / "photo.png").resize((240, 160), Image.Resampling.LANCZOS)
    small, found = np.asarray(photo), pictures(Image.open(out), (240, 160))
    assert len(found) == 9
    np.testing.assert_array_equal(found[0], small)
    for name, tile in zip(COURSE, found[1:], strict=True):
        chosen = levels or ("offset" if name in SIGNED else "clip")
        np.testing.assert_array_equal(tile, truth(small, name, chosen), err_msg=name)


def test_recipes_are_stretched_magnitudes(run, tmp_path):
    """By SciPy: from the least to the greatest length of the gradient."""
    noise("L", (40, 30)).save(tmp_path / "a.png")
    out = tmp_path / "s.png"
    assert run("sheet", tmp_path / "a.png", "-k", "sobel", "--size", 40, "-o", out).code == 0
    picture = np.asarray(Image.open(tmp_path / "a.png")).astype(float)
    across, down = (ndimage.sobel(picture, axis, mode="nearest") for axis in (1, 0))
    length = np.hypot(across, down)
    wanted = np.rint((length - length.min()) * 255 / (length.max() - length.min()))
    np.testing.assert_array_equal(pictures(Image.open(out), (40, 30))[1], wanted)


def test_small_pictures_are_enlarged_after(run, tmp_path):
    """A 7x6 figure of the course keeps its pixels, as squares of a whole number a side."""
    array = np.zeros((6, 7), np.uint8)
    array[:, :4] = 255
    Image.fromarray(array).save(tmp_path / "a.png")
    out = tmp_path / "s.png"
    result = run("sheet", tmp_path / "a.png", "-k", "identity", "--size", 30, "-o", out)
    assert result.code == 0
    for tile in pictures(Image.open(out), (28, 24)):
        np.testing.assert_array_equal(tile, array.repeat(4, axis=0).repeat(4, axis=1))


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ("blur", "clip"), ("sharpen-strong", "clip"), ("emboss", "clip"), ("identity", "clip"),
        ("gaussian(sigma=2)", "clip"), ("-1+255", "clip"), ("1,0,-1+128", "clip"),
        ("sobel-left", "offset"), ("laplacian-8", "offset"), ("log(sigma=2)", "offset"),
        ("0.1,0,-0.1", "offset"), ("0", "clip"),
        ("scharr-left", "stretch"), ("kirsch-n", "stretch"), ("1,1,1", "stretch"),
        ("-1", "stretch"), ("sobel", "stretch"), ("kirsch", "stretch"),
    ],
)  # fmt: skip
def test_levels_fit_the_kernel(spec, wanted):
    """Flat pictures keep their brightness, vanish, or go beyond white."""
    assert sheet.fitting_levels(find_step(spec, open_catalog()).work) == wanted


def test_combinations_that_stay_in_range_are_clipped():
    """A mean of blurs is a picture as any."""
    blurs = Combined("mean", (Kernel([[1]]), Kernel([[1, 1]], divisor=2)))
    assert sheet.fitting_levels(blurs) == "clip"


def test_the_whole_catalogue_by_default(run, tmp_path, monkeypatch):
    """Each kernel and each recipe once, those of --catalog too; they are tried elsewhere."""
    noise("RGB", (24, 16)).save(tmp_path / "a.png")
    more = tmp_path / "more.toml"
    more.write_text("[mine]\nweights = [[1, 2]]\n[blur]\nweights = [[1]]\n")
    asked = []

    def make(picture, steps, *_):
        asked.extend(steps)
        return picture

    monkeypatch.setattr(sheet, "make", make)
    args = ("sheet", tmp_path / "a.png", "--catalog", more, "-o", tmp_path / "s.png")
    assert run(*args).code == 0
    known = open_catalog([more])
    names = [title for title, _ in asked]
    assert names == list(dict.fromkeys(names))
    assert set(names) == {*known, *known.recipes}
    assert dict(asked)["blur"].work.weights == ((1,),)


def tile(width: int, height: int, title: str = "name", note: str = "3x3") -> Tile:
    """Return a black tile."""
    return Tile(Image.new("L", (width, height)), title, note)


@settings(max_examples=30)
@given(
    count=st.integers(1, 9),
    width=st.integers(1, 90),
    height=st.integers(1, 120),
    titles=st.lists(st.text(st.characters(codec="utf-8"), max_size=80), min_size=9, max_size=9),
    columns=st.none() | st.integers(1, 12),
)
def test_captions_keep_to_their_cells(count, width, height, titles, columns):
    """What is not a tile's picture and caption is paper: margins are even and nothing collides."""
    look = Look(90, columns)
    tiles = [tile(width, height, title) for title in titles[:count]]
    where = sheet.grid(tiles, look)
    image = np.array(sheet.drawn(tiles, where, look))
    assert image.shape == where.size[::-1]
    taken = np.zeros(image.shape, bool)
    for index in range(count):
        left, top = where.corner(index)
        cell = taken[top - 1 : top + where.cell[1], left - 1 : left + where.cell[0] + 1]
        assert cell.shape == (where.cell[1] + 1, where.cell[0] + 2)
        assert not cell.any()
        cell[:] = True
    assert (image[~taken] == PAPER[0]).all()
    rows, columns_taken = np.flatnonzero(taken.any(1)), np.flatnonzero(taken.any(0))
    margins = (rows[0], image.shape[0] - 1 - rows[-1], columns_taken[0])
    assert max(margins) - min(margins) <= 1


@pytest.mark.parametrize("title", ["x" * 300, "gabor(sigma=3,wavelength=6,angle=30)" * 3])
def test_long_names_are_shortened_in_the_middle(title):
    """Both ends stay, and it fits; a short one is left alone."""
    font = sheet.Letters(240).font
    fitted = sheet.fitted(title, font, 200)
    start, end = fitted.split("...")
    assert title.startswith(start)
    assert title.endswith(end)
    assert 0 <= len(start) - len(end) <= 1
    assert 190 < font.getlength(fitted) <= 200
    assert sheet.fitted("sobel-left", font, 200) == "sobel-left"


def test_the_weights_of_a_large_kernel_are_shortened_in_a_few_steps():
    """However long they are; the font is asked a few times, not once a letter."""
    asked = []

    class Font:
        """Letters of 7 pixels."""

        def getlength(self, text: str) -> int:
            asked.append(text)
            return 7 * len(text)

    text = "0.123456789," * 10_000
    assert sheet.fitted(text, Font(), 200) == "0.123456789,0...0.123456789,"
    assert len(asked) < 25


def test_names_of_the_catalogue_are_never_shortened():
    """Even under the smallest pictures the cells are wide enough."""
    known = open_catalog()
    tiles = [tile(16, 16, name, "magnitude of 2, stretched") for name in [*known, *known.recipes]]
    look = Look(16)
    where, letters = sheet.grid(tiles, look), sheet.Letters(16)
    for one in tiles:
        assert sheet.fitted(one.title, letters.font, where.cell[0]) == one.title
        assert sheet.fitted(one.note, letters.small, where.cell[0]) == one.note


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (2, 2), (3, 3), (4, 2), (9, 3), (66, 10)])
def test_columns_make_a_page(count, columns):
    """Of photographs 3 to 2, as many side by side as make a sheet of such proportions, full."""
    assert sheet.grid([tile(240, 160)] * count, Look()).columns == columns


def test_without_freetype_letters_are_of_a_fixed_size(monkeypatch):
    """Pillow's other font: captions are whole too."""
    from PIL import ImageFont

    monkeypatch.setattr(features, "check", lambda _: False)
    monkeypatch.setattr(ImageFont, "load_default", lambda _: ImageFont.load_default_imagefont())
    tiles = [tile(90, 60, "sobel-left"), tile(90, 60, "n\u00e4me")]
    image = sheet.drawn(tiles, sheet.grid(tiles, Look(90)), Look(90))
    assert image.getextrema()[0] == 0


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "CMYK", "I;16", "F", "P"])
def test_every_kind_of_picture_has_a_sheet(run, tmp_path, mode):
    """Transparent ones lie on the paper, deeper ones are cut to 8 bits."""
    image = noise("RGB", (20, 20)).convert("L" if mode in ("I;16", "F") else mode)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image).astype(np.uint16) * 256 + 7)
    if mode == "F":
        image = Image.fromarray(np.asarray(image).astype(np.float32) / 255)
    if mode.endswith("A"):
        image.putalpha(Image.new("L", image.size, 0))
    image.save(tmp_path / "a.tif")
    out = tmp_path / "s.png"
    result = run("sheet", tmp_path / "a.tif", "-k", "identity", "--size", 20, "-o", out)
    assert (result.code, result.err) == (0, "")
    first, second = pictures(Image.open(out), (20, 20))
    np.testing.assert_array_equal(first, second)
    if mode.endswith("A"):
        assert (first == PAPER[0]).all()
    elif mode in ("L", "I;16", "F"):
        np.testing.assert_array_equal(first, np.asarray(noise("RGB", (20, 20)).convert("L")))


def test_channels_and_border_are_those_of_apply(run, tmp_path):
    """A tile is what apply makes of the small picture with the same words."""
    noise("RGB", (30, 20)).save(tmp_path / "a.png")
    out, alone = tmp_path / "s.png", tmp_path / "b.png"
    for channels in ("gray", "luma", "r,b"):
        words = ("-k", "box-5", "--channels", channels, "--border", "wrap", "-f")
        assert run("sheet", tmp_path / "a.png", *words, "--size", 30, "-o", out).code == 0
        assert run("apply", tmp_path / "a.png", *words, "-o", alone).code == 0
        found = pictures(Image.open(out), (30, 20))[1]
        np.testing.assert_array_equal(found, np.asarray(Image.open(alone)))


def test_one_frame_is_chosen(run, tmp_path):
    """The first, or the one that is asked for."""
    frames = [Image.new("L", (20, 20), value) for value in (10, 90)]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    for more, value in (((), 10), (("--frame", 1), 90)):
        args = ("-k", "blur", "--size", 20, "-fo", tmp_path / "s.png", *more)
        assert run("sheet", tmp_path / "a.tif", *args).code == 0
        assert pictures(Image.open(tmp_path / "s.png"), (20, 20))[0].max() == value


def test_streams(run):
    """From stdin to stdout, as a PNG."""
    data = io.BytesIO()
    noise("RGB", (20, 10)).save(data, "PNG")
    result = run("sheet", "-", "-k", "blur", "-o", "-", stdin=data.getvalue())
    assert Image.open(io.BytesIO(result.out)).format == "PNG"


@pytest.mark.parametrize(
    "arguments",
    [
        ("-k", "no-such-kernel", "-o", "s.png"),
        ("-k", "1,2;3", "-o", "s.png"),
        ("-k", "blur", "-o", "s.xyz"),
        ("-k", "blur", "-o", "s.npy"),
        ("-k", "blur", "-o", "s.png", "--levels", "none"),
        ("-k", "blur", "-o", "s.png", "--levels", "loud"),
        ("-k", "blur", "-o", "s.png", "--border", "mirror"),
        ("-k", "blur", "-o", "s.png", "--channels", "u,v"),
        ("-k", "blur", "-o", "s.png", "--columns", "0"),
        ("-k", "blur", "-o", "s.png", "--size", "3"),
        ("-k", "blur"),
    ],
)
def test_misuse_is_told_before_the_picture_is_read(run, tmp_path, monkeypatch, arguments):
    """Exit 2, one line; the picture need not even exist."""
    monkeypatch.chdir(tmp_path)
    result = run("sheet", "missing.png", *arguments)
    assert (result.code, len(result.errors)) == (2, 1)


def test_what_fails_is_one_line_and_exit_1(run, tmp_path, monkeypatch):
    """No picture, an existing sheet, a missing channel or frame, too many pixels."""
    monkeypatch.chdir(tmp_path)
    noise("L", (20, 10)).save("a.png")
    tmp_path.joinpath("broken.png").write_bytes(b"no picture")
    tmp_path.joinpath("there.png").write_bytes(b"kept")
    for name, *arguments in (
        ("missing.png", "-o", "s.png"), ("broken.png", "-o", "s.png"),
        ("a.png", "-o", "there.png"), ("a.png", "-o", "s.png", "--channels", "r"),
        ("a.png", "-o", "s.png", "--frame", "3"), ("a.png", "-o", "s.png", "--max-pixels", "100"),
        ("a.png", "-o", "s.png", "--max-pixels", "50000", "--size", "4096"),
    ):  # fmt: skip
        result = run("sheet", name, "-k", "blur", *arguments)
        assert (result.code, len(result.errors)) == (1, 1), (name, arguments)
        assert not tmp_path.joinpath("s.png").exists()
    assert tmp_path.joinpath("there.png").read_bytes() == b"kept"
    assert run("sheet", "a.png", "-k", "blur", "-o", "there.png", "--force").code == 0


def test_a_profile_of_colours_goes_with_the_sheet(run, tmp_path):
    """Colours mean what they meant in the picture; a note where the format has no place for it."""
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    noise("RGB", (20, 10)).save(tmp_path / "a.png", icc_profile=profile)
    args = ("sheet", tmp_path / "a.png", "-k", "blur", "-o")
    assert run(*args, tmp_path / "s.jpg").err == ""
    assert Image.open(tmp_path / "s.jpg").info["icc_profile"] == profile
    assert "colour profile not kept" in run(*args, tmp_path / "s.bmp").err
