"""Pictures piece by piece: TIFF and .zarr files come out as from memory, whole or not at all."""

import asyncio
import contextlib
import io
import json
import math
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from imgconv.pictures import metadata, tiff_pieces, tiff_tags, zarr_pieces
from imgconv.runs.batch import LARGE_FILE
from tests.reference import BORDERS

tifffile = pytest.importorskip("tifffile")
zarr = pytest.importorskip("zarr")

IMGCONV = (sys.executable, "-m", "imgconv")
CHANCE = np.random.default_rng(11)
SHAPE = 180, 155


def samples(kind="uint8", channels=3):
    """Noise of a kind."""
    shape = (*SHAPE, channels) if channels > 1 else SHAPE
    if kind == "float32":
        return CHANCE.random(shape, dtype=np.float32)
    return CHANCE.integers(0, np.iinfo(kind).max + 1, shape, dtype=kind)


def blank(path, shape, side):
    """Write a black picture in tiles, of which one in 64 is there."""
    count = math.prod(-(-length // side) for length in shape)
    tiles = (b"" if i % 64 else bytes(side * side) for i in range(count))
    tifffile.imwrite(path, tiles, shape=shape, dtype="uint8", tile=(side, side))


@pytest.fixture
def apply(run, tmp_path, monkeypatch):
    """Return a function that runs `imgconv apply` in the test's folder, and its result."""
    monkeypatch.chdir(tmp_path)

    def apply(*arguments, code=0):
        done = run("apply", *arguments)
        assert done.code == code, done.err
        return done

    return apply


@pytest.fixture
def both(apply):
    """Return a function that gives the samples that come out of memory, and out of pieces."""

    def both(name, *options):
        apply(name, *options, "-o", "whole.tif", "-f")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tiff_pieces, "SIDE", 128)  # of tiles that are written
            apply(name, *options, "-o", "pieces.tif", "-f", "--tile", 50)
        return [tifffile.imread(file) for file in ("whole.tif", "pieces.tif")]

    return both


LAYOUTS = {
    "tiles": {"tile": (32, 48)},
    "strips": {"rowsperstrip": 19},
    "one strip": {"rowsperstrip": SHAPE[0]},
    "lzw": {"tile": (128, 128), "compression": "lzw", "predictor": True},
    "deflated strips": {"rowsperstrip": 11, "compression": "zlib"},
    "planes": {"tile": (32, 32), "planarconfig": "separate"},
    "planes in strips": {"rowsperstrip": 25, "planarconfig": "separate"},
}


@pytest.mark.parametrize(
    ("layout", "end"), list(zip(LAYOUTS, "<><><><"[: len(LAYOUTS)], strict=True))
)
def test_every_layout_of_a_tiff_is_read(layout, end, tmp_path, both):
    """Tiles, strips, planes, compressed or not, of one byte order or the other."""
    with tifffile.TiffWriter(tmp_path / "a.tif", byteorder=end, bigtiff=end == ">") as file:
        array = samples("uint16")
        if "planarconfig" in LAYOUTS[layout]:
            array = np.moveaxis(array, 2, 0)
        file.write(array, photometric="rgb", **LAYOUTS[layout])
    whole, pieces = both("a.tif", "-k", "0,1,0;1,-3,1;0,1,0/1+7")
    np.testing.assert_array_equal(pieces, whole)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_kind_of_sample_is_kept(kind, channels, tmp_path, both):
    """Gray, colours and alpha, of 8 and 16 bits and of reals."""
    extra = {"extrasamples": ["unassalpha"]} if channels == 4 else {}
    photometric = "rgb" if channels > 1 else "minisblack"
    tifffile.imwrite(
        tmp_path / "a.tif", samples(kind, channels), photometric=photometric, tile=(64, 64), **extra
    )
    whole, pieces = both("a.tif", "-k", "emboss")
    assert (pieces.dtype, pieces.shape) == (whole.dtype, whole.shape)
    np.testing.assert_array_equal(pieces, whole)


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("stride", [1, 3])
def test_borders_and_strides(border, stride, tmp_path, both):
    """A chain whose every step has a border and a stride, stretched over the whole."""
    tifffile.imwrite(tmp_path / "a.tif", samples(), photometric="rgb", tile=(128, 128))
    whole, pieces = both(
        "a.tif", "-k", "sobel-left", "-k", "gaussian(sigma=2)", "--border", border,
        "--stride", stride, "--levels", "stretch",
    )  # fmt: skip
    np.testing.assert_array_equal(pieces, whole)


@pytest.mark.parametrize("size", [(300, 1), (1, 300), (1, 1), (2, 1)])
def test_a_single_row_or_column(size, tmp_path, both):
    """Fewer samples than a tile has, in any direction."""
    tifffile.imwrite(tmp_path / "a.tif", samples(channels=1)[: size[0], : size[1]], tile=(64, 64))
    whole, pieces = both("a.tif", "-k", "emboss", "--border", "reflect")
    np.testing.assert_array_equal(pieces, whole)


def test_inks_become_gray_as_from_memory(tmp_path, both):
    """All four of them, black too."""
    tifffile.imwrite(tmp_path / "a.tif", samples(channels=4), photometric="separated")
    whole, pieces = both("a.tif", "-k", "1", "--channels", "gray")
    np.testing.assert_array_equal(pieces, whole)
    with Image.open(tmp_path / "a.tif") as image:
        np.testing.assert_array_equal(pieces, np.asarray(image.convert("L")))


def test_what_is_said_is_the_same(tmp_path, apply):
    """Sizes and counts of clipped samples as from memory."""
    tifffile.imwrite(tmp_path / "a.tif", samples(), photometric="rgb", tile=(64, 64))
    told = []
    for more in ((), ("--tile", 64)):
        done = apply("a.tif", "-k", "sharpen", "-o", "b.tif", "-f", "--json", *more)
        line = json.loads(done.text)
        assert line.pop("seconds") >= 0
        told.append(line)
    assert told[0] == told[1]


def test_pages_and_what_they_say_are_kept(tmp_path, apply):
    """Two pages of different sizes with resolution, description, EXIF and profile, in BigTIFF."""
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.fromarray(samples())
    exif = image.getexif()
    exif[0x010E] = "two pages"
    image.save(
        tmp_path / "a.tif", save_all=True, append_images=[image.resize((300, 200))],
        icc_profile=profile, dpi=(300, 300), exif=exif, big_tiff=True,
    )  # fmt: skip
    apply("a.tif", "-k", "1", "-o", "b.tif", "--tile", 64)
    with Image.open(tmp_path / "a.tif") as before, Image.open(tmp_path / "b.tif") as after:
        for page in range(2):
            before.seek(page)
            after.seek(page)
            np.testing.assert_array_equal(np.asarray(after), np.asarray(before))
        after.seek(0)
        assert after.info["icc_profile"] == profile
        assert after.info["dpi"] == (300, 300)
        assert after.getexif()[0x010E] == "two pages"


@pytest.mark.parametrize("big", [False, True])
def test_tags_of_tags_are_put_into_every_kind_of_tiff(big):
    """EXIF with a directory of its own, in files of 32-bit and of 64-bit offsets."""
    exif = Image.Exif()
    exif[0x010E] = "a picture"
    exif.get_ifd(0x8769)[0x9003] = "2026:11:22 10:00:00"
    file = io.BytesIO()
    tifffile.imwrite(file, samples(), photometric="rgb", tile=(64, 64), bigtiff=big)
    tiff_tags.put(file, [metadata.Metadata(exif=exif.tobytes(), resolution=(72, 144, 2))])
    with Image.open(file) as image:
        assert image.info["dpi"] == (72, 144)
        found = image.getexif()
        assert found[0x010E] == "a picture"
        assert found.get_ifd(0x8769)[0x9003] == "2026:11:22 10:00:00"
        image.load()


def test_arrays(tmp_path, apply):
    """A .zarr of (H, W, C) in chunks comes out as its .npy does, in chunks of the same size."""
    array = samples("uint16")
    zarr.create_array(str(tmp_path / "a.zarr"), data=array, chunks=(100, 64, 3), zarr_format=2)
    np.save(tmp_path / "a.npy", array)
    apply("a.zarr", "-k", "sharpen", "-o", "b.zarr")
    apply("a.npy", "-k", "sharpen", "--levels", "clip", "-o", "b.npy")
    made = zarr.open(str(tmp_path / "b.zarr"), mode="r")
    assert (made.chunks, made.dtype.name) == ((100, 64, 3), "uint16")
    np.testing.assert_array_equal(made[:], np.load(tmp_path / "b.npy"))
    apply("b.zarr", "-k", "1", "-o", "c.tif")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "c.tif"), made[:])
    apply("c.tif", "-k", "1", "-o", "d.zarr")
    np.testing.assert_array_equal(zarr.open(str(tmp_path / "d.zarr"), mode="r")[:], made[:])


def test_a_frame_of_ome_zarr_is_all_of_its_output(tmp_path, apply):
    """The plane that was chosen, with axes of one for the others."""
    data = CHANCE.integers(0, 60000, (2, 3, 2, 50, 40), dtype=np.uint16)
    described = [{"axes": [{"name": n} for n in "tczyx"], "datasets": [{"path": "0"}]}]
    attributes = {"ome": {"version": "0.5", "multiscales": described}}
    group = zarr.create_group(str(tmp_path / "a.zarr"), attributes=attributes)
    group.create_array("0", data=data, chunks=(1, 1, 1, 32, 32))
    apply("a.zarr", "-k", "1", "--frame", 3, "-o", "b.zarr")
    made = zarr.open(str(tmp_path / "b.zarr"), mode="r")["0"][:]
    np.testing.assert_array_equal(made, data[1:, :, 1:])
    apply("a.zarr/0", "-k", "1", "-o", "c.zarr", code=1)  # five axes without names


def test_an_array_in_a_group_is_named_by_its_path(tmp_path, apply):
    """And what is lost of it is told."""
    group = zarr.create_group(str(tmp_path / "a.zarr"))
    data = CHANCE.random((30, 40))
    group.create_array("inner", data=data, chunks=(16, 16))
    done = apply("a.zarr/inner", "-k", "1", "-o", "b.zarr")
    made = zarr.open(str(tmp_path / "b.zarr"), mode="r")[:]
    np.testing.assert_array_equal(made, data.astype(np.float32))
    assert "float64 (read as float32) not kept" in done.err


def test_a_folder_that_is_no_zarr_is_not_replaced(tmp_path, apply):
    """Whatever its name, and with --force."""
    zarr.create_array(str(tmp_path / "a.zarr"), data=samples(), chunks=(100, 100, 3))
    (tmp_path / "keep.zarr").mkdir()
    (tmp_path / "keep.zarr/thesis.txt").write_text("precious")
    done = apply("a.zarr", "-k", "1", "-o", "keep.zarr", "-f", code=1)
    assert "is there and no .zarr" in done.err
    assert (tmp_path / "keep.zarr/thesis.txt").read_text() == "precious"


def test_zarrs_are_resumed_by_their_chunks(tmp_path, apply):
    """A chunk that changed in the input or is missing in the output is not done and right."""
    source = zarr.create_array(str(tmp_path / "a.zarr"), data=samples(), chunks=(100, 100, 3))
    run = ("a.zarr", "-k", "blur", "-o", "b.zarr", "--resume", "--json")

    def status():
        return json.loads(apply(*run).text)["status"]

    assert [status(), status()] == ["ok", "skipped"]
    source[0:50, 0:50] = 0
    assert [status(), status()] == ["ok", "skipped"]


def test_a_second_attempt_accepts_the_same(tmp_path):
    """What a process that was killed has written already, TIFF or .zarr."""
    from pathlib import Path

    from imgconv.pictures import files

    for again in (False, True):
        with files.whole(tmp_path / "a.zarr", force=False, again=again, folder=True) as made:
            zarr.create_array(str(made), data=np.arange(100.0), chunks=(30,))
    assert isinstance(made, Path)
    assert os.listdir(tmp_path) == ["a.zarr"]


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr(version, tmp_path, apply):
    """Each plane of each channel by itself; the axes and the size of a pixel are kept."""
    data = CHANCE.integers(0, 60000, (2, 2, 1, 150, 130), dtype=np.uint16)
    form = 2 if version == "0.4" else 3
    scale = [1, 1, 1, 0.5, 0.5]
    described = [{
        "axes": [{"name": n} for n in "tczyx"], "name": "cells",
        "datasets": [
            {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]},
            {"path": "1"},
        ],
    }]  # fmt: skip
    attributes = {"multiscales": described}
    if form == 3:
        attributes = {"ome": {"version": version, "multiscales": described}}
    group = zarr.create_group(str(tmp_path / "a.zarr"), zarr_format=form, attributes=attributes)
    group.create_array("0", data=data, chunks=(1, 1, 1, 64, 64))
    group.create_array("1", data=data[..., ::2, ::2], chunks=(1, 1, 1, 64, 64))
    apply("a.zarr", "-k", "outline", "--stride", 2, "-o", "b.zarr", "--tile", 50)
    made = zarr.open(str(tmp_path / "b.zarr"), mode="r")
    told = made.attrs["ome"] if form == 3 else made.attrs
    (level,) = told["multiscales"][0]["datasets"]
    assert level["coordinateTransformations"][0]["scale"] == [1, 1, 1, 1, 1]
    assert made["0"].shape == (2, 2, 1, 75, 65)
    import imgconv

    for t in range(2):
        for c in range(2):
            wanted = imgconv.apply(data[t, c, 0], "outline", stride=2)
            np.testing.assert_array_equal(made["0"][t, c, 0], wanted)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("a.png", "-o", "b.tif", "--tile", "64"), "is decoded as a whole"),
        (("gone.tif", "-o", "b.tif"), "cannot be read: No such file"),
        (("a.tif", "-o", "b.png", "--tile", "64"), "PNG is written whole"),
        (("cut.tif", "-o", "b.tif", "--tile", "64"), "broken image: it is cut off"),
        (("broken.tif", "-o", "b.tif", "--tile", "64"), "broken image"),
        (("empty.zarr", "-o", "b.tif"), "broken .zarr"),
        (("gone.zarr", "-o", "b.tif"), "cannot be read"),
        (("a.tif", "-o", "b.tif", "--tile", "64", "--max-pixels", "1000"), "--max-pixels"),
    ],
)
def test_what_cannot_be_done_leaves_nothing(arguments, told, tmp_path, apply):
    """One line, exit 1, no output and no temporary file."""
    tifffile.imwrite(
        tmp_path / "a.tif", samples(), photometric="rgb", tile=(64, 64), compression="zlib"
    )
    Image.fromarray(samples()).save(tmp_path / "a.png")
    data = bytearray((tmp_path / "a.tif").read_bytes())
    (tmp_path / "cut.tif").write_bytes(data[: len(data) // 2])
    data[len(data) // 2 : len(data) // 2 + 200] = bytes(200)
    (tmp_path / "broken.tif").write_bytes(data)
    (tmp_path / "empty.zarr").mkdir()
    before = set(os.listdir(tmp_path))
    done = apply(*arguments, "-k", "sharpen", code=1)
    (line,) = done.errors
    assert told in line
    assert set(os.listdir(tmp_path)) == before


def test_a_signal_leaves_nothing(tmp_path):
    """Interrupted in the middle: exit 130, the old output whole, no temporary file."""
    blank(tmp_path / "a.tif", (9000, 9000), 256)
    (tmp_path / "b.tif").write_bytes(b"old")
    running = subprocess.Popen(
        [*IMGCONV, "apply", "a.tif", "-k", "box(size=31)", "-k", "box(size=31)", "-o", "b.tif",
         "-f", "--tile", "64"],
        cwd=tmp_path, stderr=subprocess.PIPE,
    )  # fmt: skip
    while running.poll() is None and not list(tmp_path.glob(".imgconv-*")):
        time.sleep(0.01)
    time.sleep(0.2)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=20)
    assert (running.returncode, err) == (130, b"")
    assert sorted(os.listdir(tmp_path)) == ["a.tif", "b.tif"]
    assert (tmp_path / "b.tif").read_bytes() == b"old"


def test_a_picture_of_too_many_pixels_is_done_in_pieces(tmp_path, apply):
    """Beyond what is decoded as a whole, with a word on stderr."""
    blank(tmp_path / "a.tif", (23000, 22500), 1024)
    os.truncate(tmp_path / "a.tif", LARGE_FILE)  # by a hole, as if all tiles were there
    done = apply("a.tif", "-k", "box(size=3)", "--stride", 64, "-o", "b.tif")
    assert "piece by piece" in done.err
    assert tifffile.imread(tmp_path / "b.tif").shape == (360, 352)


def test_without_the_extra_the_error_names_it(tmp_path):
    """One line with the remedy."""
    tifffile.imwrite(tmp_path / "a.tif", samples())
    program = (
        "import sys; sys.modules['tifffile'] = None; sys.argv[0] = 'imgconv'\n"
        "from imgconv.__main__ import run; run()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "apply", "a.tif", "-k", "1", "-o", "b.tif", "--tile", "64"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "pip install 'imgconv[tiles]'" in done.stderr


def test_a_system_without_reads_from_anywhere(both, monkeypatch):
    """Where there is no `pread` threads take turns, and read the same."""
    monkeypatch.delattr(os, "pread")
    tifffile.imwrite("a.tif", samples(), tile=(64, 48), compression="zlib", photometric="rgb")
    whole, pieces = both("a.tif", "-k", "sharpen")
    np.testing.assert_array_equal(pieces, whole)


def test_what_zarr_has_begun_ends_with_its_writer(tmp_path):
    """Else a thread of zarr's makes anew what was removed after an interrupt."""
    from zarr.core.sync import _get_loop

    path = tmp_path / "a.zarr"

    def write():
        time.sleep(0.3)
        path.mkdir()

    with contextlib.suppress(KeyboardInterrupt), zarr_pieces.Writer(path, None, "none"):
        asyncio.run_coroutine_threadsafe(asyncio.to_thread(write), _get_loop())
        raise KeyboardInterrupt
    assert path.is_dir()
