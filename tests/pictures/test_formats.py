"""Which formats are opened: those that are listed; no decoder runs for others."""

import io

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from imgconv.errors import ImageError, OptionError
from imgconv.pictures import decode
from imgconv.pictures.formats import BY_NAME, FORMATS, PILLOW, listed, of_head, pillows
from imgconv.pictures.picture import Reading
from tests.images import noise, saved


def npy():
    """An array as NumPy writes it."""
    out = io.BytesIO()
    np.save(out, np.arange(12, dtype=np.uint8).reshape(3, 4))
    return out.getvalue()


def big(order):
    """A BigTIFF of either order of bytes."""
    out = io.BytesIO()
    tifffile.imwrite(out, np.ones((3, 4), np.uint8), bigtiff=True, byteorder=order)
    return out.getvalue()


FILES = {
    "BMP": saved(noise(), "BMP"), "GIF": saved(noise("L"), "GIF"), "JPEG": saved(noise(), "JPEG"),
    "PNG": saved(noise(), "PNG"), "TIFF": saved(noise(), "TIFF"), "WEBP": saved(noise(), "WEBP"),
    "PGM": saved(noise("L"), "PPM"), "PPM": saved(noise(), "PPM"), "PFM": saved(noise("F"), "PPM"),
    "PNM": saved(noise("1"), "PPM"), "NPY": npy(), "CSV": b"1,2\n3,4\n",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IMGCONV_FORMATS", raising=False)


def test_every_format_that_is_read_has_a_file_here():
    """But for .zarr, which is a folder; each is known by how it begins, but for tables."""
    assert {*FILES, "ZARR"} == set(BY_NAME)
    heads = {name: of_head(data) for name, data in FILES.items()}
    assert heads == {name: "" if name == "CSV" else name for name in FILES}
    assert of_head(big("<")) == of_head(big(">")) == "TIFF"
    assert of_head(FILES["TIFF"][:2] + b"\0*") == ""


@pytest.mark.parametrize("name", FILES)
def test_what_is_not_listed_is_never_opened(name, monkeypatch):
    """It is refused by its name, with what to add, before any decoder sees it."""
    others = tuple(each for each in FILES if each != name)
    alone = decode.read(FILES[name], Reading(formats=listed(name)))
    for one, same in zip(alone.frames, decode.read(FILES[name]).frames, strict=True):
        np.testing.assert_array_equal(one.array(), same.array())

    def opened(*_, **__):
        raise AssertionError

    for decoder in ("PIL.Image.open", "numpy.load", "numpy.loadtxt", "tifffile.TiffFile"):
        monkeypatch.setattr(decoder, opened)
    with pytest.raises(ImageError) as caught:
        decode.read(FILES[name], Reading(formats=others))
    assert f"is {name}, and only" in str(caught.value)
    assert f"add {name.lower()} to --formats" in str(caught.value)


def test_what_no_sign_tells_is_opened_as_what_is_listed_only():
    """Pillow's readers of other formats are not asked, whatever the bytes are."""
    assert pillows() == ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
    assert {f.pillow or f.name for f in FORMATS if f.reader == PILLOW} == set(pillows())
    assert pillows(("PGM", "NPY", "PNG")) == ("PNG", "PPM")
    odd = b"MM*\0" + FILES["TIFF"][4:]  # a sign that Pillow takes for a TIFF, and no other
    with pytest.raises(ImageError, match="not an image of a kind that is read"):
        decode.read(odd, Reading(formats=("PNG", "NPY")))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("png", ("PNG",)), ("PNG,jpeg", ("PNG", "JPEG")), ("jpg", ("JPEG",)), (".tif", ("TIFF",)),
        ("png, webp ,png", ("PNG", "WEBP")), ("zarr,csv", ("ZARR", "CSV")), ("apng", ("PNG",)),
        ("pnm", ("PNM", "PGM", "PPM")), ("pgm", ("PGM",)),
    ],
)  # fmt: skip
def test_a_list_has_names_or_endings(text, names, monkeypatch):
    """In any case, with spaces; the environment has the same words, the option goes before it."""
    assert listed(text) == names
    monkeypatch.setenv("IMGCONV_FORMATS", text)
    assert listed(None) == names
    assert listed("bmp") == ("BMP",)
    monkeypatch.setenv("IMGCONV_FORMATS", "")
    assert listed(None) == ()


@pytest.mark.parametrize("text", ["", "png,", "heic", "png;jpeg", "eps"])
def test_a_list_of_others_is_misuse(run, monkeypatch, text):
    """The known ones are named; from the environment in every command, before a file is read."""
    done = run("apply", "gone.png", "-k", "1", "--formats", text)
    assert (done.code, len(done.errors)) == (2, 1)
    assert "--formats has no format" in done.err
    assert "bmp, csv, gif" in done.err
    if not text:
        return
    monkeypatch.setenv("IMGCONV_FORMATS", text)
    with pytest.raises(OptionError, match="IMGCONV_FORMATS has no format"):
        listed(None)
    for command in COMMANDS:
        done = run(*command)
        assert (done.code, len(done.errors), "IMGCONV_FORMATS" in done.err) == (2, 1, True)


COMMANDS = (
    ["apply", "a.png", "-k", "1", "-o", "b.png"],
    ["sheet", "a.png", "-k", "blur", "-o", "s.png"],
    ["explain", "a.png", "-k", "blur", "--at", "0,0"],
    ["learn", "a.png", "a.png"],
)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_every_command_heeds_the_environment(run, monkeypatch, command):
    """What a file is, not what it is called, decides."""
    with open("a.png", "wb") as file:
        file.write(FILES["TIFF"])
    monkeypatch.setenv("IMGCONV_FORMATS", "png,jpeg")
    done = run(*command)
    assert (done.code, done.out) == (1, b"")
    (line,) = [line for line in done.errors if "a.png: is TIFF" in line]
    assert "only PNG, JPEG may be opened" in line
    monkeypatch.setenv("IMGCONV_FORMATS", "png,tiff")
    assert run(*command).code == 0


def test_no_path_goes_round_it(run, monkeypatch):
    """Whole and in pieces, by itself and as asked for, from stdin, and a store in a folder."""
    tifffile.imwrite("a.tif", np.ones((40, 50), np.uint8), tile=(16, 16))
    zarr.create_array("a.zarr", data=np.ones((6, 7), np.uint8))
    monkeypatch.setattr("imgconv.runs.batch.LARGE", 1)
    for arguments in (
        ["a.tif", "-o", "b.tif"], ["a.tif", "-o", "c.tif", "--tile", 16], ["a.tif", "-o", "b.png"],
        ["a.tif", "-o", "b.zarr"], ["a.zarr", "-o", "c.zarr"], ["a.zarr", "-o", "d.tif"],
    ):  # fmt: skip
        name = "ZARR" if "zarr" in arguments[0] else "TIFF"
        done = run("apply", *arguments, "-k", "1", "--formats", "png,npy")
        assert done.code == 1, arguments
        assert f"is {name}, and only PNG, NPY may be opened" in done.err
        assert run("apply", *arguments, "-k", "1", "--formats", name).code == 0, done.err
    done = run("apply", "-", "-k", "1", "--formats", "png", stdin=FILES["GIF"])
    assert (done.code, done.out, "stdin: is GIF" in done.err) == (1, b"", True)
    assert run("apply", "-", "-k", "1", "--formats", "gif", stdin=FILES["GIF"]).code == 0


def test_the_rest_goes_on(run):
    """A folder of both: those that are listed are written, the others told by name."""
    noise().save("a.png")
    noise().save("b.bmp")
    done = run("apply", ".", "-k", "1", "-o", "out/", "--formats", "png")
    assert done.code == 1
    assert "b.bmp: is BMP" in done.err
    assert Image.open("out/a.png").size == noise().size
