"""What is said of files that are no pictures, broken, or cannot be written."""

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from imgconv.errors import ImageError
from imgconv.pictures import decode, faults, files, heads

RGB = np.random.default_rng(20).integers(0, 256, (48, 64, 3), dtype=np.uint8)
# Words of Pillow's, libtiff's, tifffile's, imagecodecs', NumPy's and zarr's.
STRANGE = (
    "bytes not processed", "decoder error", "data stream", "Truncated File", "IFD", "TiffTag",
    "returned", "usecols", "allow_pickle", "expected", "Missing dimensions", "StorePath",
    "object has no", "create decoder",
)  # fmt: skip


def saved(format: str, **options: object) -> bytes:
    """Return an image file as Pillow writes it."""
    out = io.BytesIO()
    Image.fromarray(RGB).save(out, format, **options)
    return out.getvalue()


def tiff(**options: object) -> bytes:
    """Return a TIFF of 16 bits as tifffile writes it."""
    out = io.BytesIO()
    tifffile.imwrite(out, RGB.astype(np.uint16) * 257, photometric="rgb", **options)
    return out.getvalue()


FRAMES = {"save_all": True, "append_images": [Image.fromarray(RGB[::-1])]}
WHOLE = {
    "PNG": saved("PNG"),
    "JPEG": saved("JPEG"),
    "progressive JPEG": saved("JPEG", progressive=True),
    "BMP": saved("BMP"),
    "GIF": saved("GIF"),
    "WebP": saved("WEBP"),
    "PPM": saved("PPM"),
    "TIFF": saved("TIFF"),
    "LZW": saved("TIFF", compression="tiff_lzw"),
    "deflated TIFF": saved("TIFF", compression="tiff_adobe_deflate"),
    "animated PNG": saved("PNG", **FRAMES),
    "animated GIF": saved("GIF", **FRAMES),
    "animated WebP": saved("WEBP", **FRAMES),
    "pages": saved("TIFF", **FRAMES),
    "deep TIFF": tiff(),
    "deep LZW": tiff(compression="lzw"),
    "deep zstd": tiff(compression="zstd"),
}


def fault_of(data: bytes) -> str:
    """Return what is said of a file; nothing where it is read."""
    try:
        decode.read(data)
    except ImageError as error:
        return str(error)
    return ""


def told_by_head(data: bytes) -> str:
    """Return what a dry run says of a file."""
    try:
        heads.read(io.BytesIO(data))
    except ImageError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("kind", WHOLE)
def test_a_file_that_is_cut_off_is_called_so_with_a_remedy(kind):
    """Wherever it is cut, in our words; what its head tells, a dry run tells alike."""
    whole = WHOLE[kind]
    assert fault_of(whole) == ""
    for part in (0.02, 0.3, 0.6, 0.9):
        data = whole[: int(len(whole) * part)]
        fault = fault_of(data)
        assert fault.startswith("broken image: "), (part, fault)
        assert "; get " in fault
        assert not any(words in fault for words in STRANGE), fault
        assert told_by_head(data) in ("", fault)


@pytest.mark.parametrize("kind", ["LZW", "deflated TIFF", "deep LZW", "animated GIF"])
def test_damaged_data_are_called_so(kind):
    """Not by the name of a decoder's function or the number of its error."""
    data = bytearray(WHOLE[kind])
    data[len(data) // 3 : len(data) // 2] = b"\xff" * len(data[len(data) // 3 : len(data) // 2])
    fault = fault_of(bytes(data))
    assert fault.startswith("broken image: its data are damaged"), fault
    assert not any(words in fault for words in STRANGE), fault


@pytest.mark.parametrize(
    ("start", "kind", "remedy"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC", "convert"),
        (b"\0\0\0\x1cftypavif\0\0\0\0", "AVIF", "convert"),
        (b"\xff\x0a\0\0", "JPEG XL", "convert"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000", "convert"),
        (b"v/1\x01\2\0\0\0", "OpenEXR", "convert"),
        (b"8BPS\0\1", "Photoshop", "convert"),
        (b"qoif\0\0", "QOI", "convert"),
        (b"%PDF-1.7\n", "PDF", "convert"),
        (b"<?xml version='1.0'?>\n<svg xmlns=''>", "SVG", "convert"),
        (b"PK\x03\x04\x14\0", "ZIP", "unpack"),
        (b"\x1f\x8b\x08\0", "compressed", "unpack"),
        (b"<!DOCTYPE html>\n<html>", "web page", "downloaded"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS", "git lfs pull"),
        (b"x,y\n1,2\n", "table under a heading", "first line"),
        (b"hello there\n", "PNG", "convert"),
    ],
)
def test_what_is_no_picture_is_named(start, kind, remedy):
    """By how it begins, whatever its name ends in."""
    fault = fault_of(start + bytes(64))
    assert fault.startswith("not an image of a kind that is read")
    assert kind in fault, fault
    assert remedy in fault.split(";")[1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,2\n3,x\n", "'x', cell 2 of line 2"),
        ("1,2\n3\n", "line 2 has 1 numbers"),
        ("1;2\n\n3;4;5\n", "line 3 has 3 numbers"),
        ("1,,2\n", "'', cell 2 of line 1"),
    ],
)
def test_a_table_that_is_none_is_told_by_its_line(text, words):
    """Lines and cells count from 1."""
    fault = fault_of(text.encode())
    assert words in fault, fault
    assert ";" in fault


@pytest.mark.parametrize("change", ["json", "shape", "codec", "chunk", "empty", "file"])
def test_a_broken_zarr_is_told_without_python(change, run, tmp_path):
    """Its metadata or a chunk, each with what zarr says where that helps."""
    place = tmp_path / "a.zarr"
    array = zarr.create_array(str(place), shape=(16, 16), chunks=(16, 16), dtype="u1")
    array[:] = RGB[:16, :16, 0]
    mark = place / "zarr.json"
    text = mark.read_text()
    if change == "json":
        mark.write_text(text[:30])
    elif change == "shape":
        mark.write_text(text.replace('"shape"', '"form"'))
    elif change == "codec":
        mark.write_text(text.replace('"zstd"', '"nosuch"'))
    elif change == "chunk":
        (place / "c/0/0").write_bytes((place / "c/0/0").read_bytes()[:9])
    else:
        shutil.rmtree(place)
        place.mkdir() if change == "empty" else place.write_text("no folder")
    result = run("apply", place, "-k", "1", "-o", tmp_path / "b.tif")
    (line,) = result.errors
    assert (result.code, ";" in line, ("nosuch" in line) == (change == "codec")) == (1, True, True)
    assert not any(words in line for words in STRANGE), line


def test_libtiff_prints_nothing(tmp_path):
    """What it says goes to the process's stderr, past Python: our line stands alone there."""
    data = WHOLE["LZW"]
    (tmp_path / "a.tif").write_bytes(data[: len(data) // 2] + b"\xff" * 64)
    command = ["-m", "imgconv", "apply", "a.tif", "-k", "1", "-o", "b.tif"]
    done = subprocess.run(
        [sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    (line,) = done.stderr.splitlines()
    assert (done.returncode, line.startswith("imgconv: a.tif: broken image: ")) == (1, True)


@pytest.mark.parametrize("name", ["file/a.tif", "n" * 300 + ".tif", "folder/a.tif"])
@pytest.mark.parametrize("tile", [(), ("--tile", "16")])
def test_a_place_where_no_file_can_be_is_told_before_the_work(name, tile, run, tmp_path):
    """A file as a folder, a name that is too long, a folder in the way, which stays as it is."""
    (tmp_path / "a.tif").write_bytes(WHOLE["deep TIFF"])
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder/a.tif").mkdir(parents=True)
    (tmp_path / "folder/a.tif/mine").write_text("mine")
    place = f"{tmp_path}/folder/" if name.startswith("folder") else tmp_path / name
    result = run("apply", tmp_path / "a.tif", "-k", "1", "-o", place, "-f", *tile)
    (line,) = result.errors
    assert (result.code, line.endswith("name another place with -o")) == (1, True), line
    assert (tmp_path / "folder/a.tif/mine").read_text() == "mine"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_full_disk_has_a_remedy():
    """Whoever finds it full, NumPy too, which tells no number of an error."""
    with pytest.raises(ImageError, match="No space left on device; make room there"):
        files.write(b"1234", Path("/dev/full"), force=True)


def test_a_full_disk_under_numpy_is_called_so(tmp_path):
    """As for the others."""
    with (
        pytest.raises(ImageError, match="No space left on device; make room there"),
        files.whole(tmp_path / "a.tif", force=False),
    ):
        raise OSError("196608 requested and 32648 written")


def test_an_interrupt_stays_one_where_python_wraps_it():
    """As 3.11 does with a signal that meets a class being made: it is no broken image."""

    def make():
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as interrupt:
            raise RuntimeError("Error calling __set_name__ on 'x' instance") from interrupt

    with pytest.raises(KeyboardInterrupt), faults.told():
        make()
