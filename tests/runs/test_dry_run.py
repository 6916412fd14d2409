"""A dry run says what a run would refuse, in the same words, by the heads of its inputs."""

import io
import json
import shutil
import sys
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image, ImageFile

from imgconv.pictures.chunks import put_together

SEED = np.random.default_rng(16)
RGB = SEED.integers(0, 256, (24, 32, 3), dtype=np.uint8)
GRAY16 = SEED.integers(0, 65536, (24, 32), dtype=np.uint16)


def saved(array: np.ndarray, format: str, **options: object) -> bytes:
    """Return an image file."""
    out = io.BytesIO()
    Image.fromarray(array).save(out, format, **options)
    return out.getvalue()


def animated(format: str) -> bytes:
    """Return three frames."""
    frames = [Image.fromarray(RGB[:, ::-1]), Image.fromarray(RGB[::-1])]
    return saved(RGB, format, save_all=True, append_images=frames)


def tiff(array: np.ndarray, **options: object) -> bytes:
    """Return a TIFF as tifffile writes it."""
    out = io.BytesIO()
    tifffile.imwrite(out, array, **options)
    return out.getvalue()


def npy(array: np.ndarray) -> bytes:
    """Return an .npy."""
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def palette(size: tuple[int, int]) -> bytes:
    """Return a PNG of one colour."""
    out = io.BytesIO()
    Image.new("P", size).save(out, "PNG")
    return out.getvalue()


ANIMATION = animated("PNG")
LAST = animated("GIF").rindex(b"!\xf9\4")  # before the head of the last frame
FAR = animated("GIF")[: LAST + 9] + b"\xf0\xff" * 2 + animated("GIF")[LAST + 13 :]
FILES = {
    "rgb.png": saved(RGB, "PNG"),
    "rgb.jpg": saved(RGB, "JPEG"),
    "rgb.bmp": saved(RGB, "BMP"),
    "rgb.tif": saved(RGB, "TIFF"),
    "rgb.webp": saved(RGB, "WEBP"),
    "rgb.ppm": saved(RGB, "PPM"),
    "gray.pgm": saved(RGB[:, :, 0], "PPM"),
    "16.png": saved(GRAY16, "PNG"),
    "deep.png": imagecodecs.png_encode(np.dstack([GRAY16] * 3)),
    "16.tif": tiff(np.dstack([GRAY16] * 3), photometric="rgb"),
    "real.tif": tiff(GRAY16.astype("float32")),
    "int.tif": tiff(GRAY16.astype("int32")),
    "strange.tif": tiff(GRAY16.astype("complex64")),
    "pages.tif": animated("TIFF"),
    "anim.gif": animated("GIF"),
    "far.gif": FAR,
    "anim.png": ANIMATION,
    "anim.webp": animated("WEBP"),
    "turned.jpg": saved(RGB, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0"),
    "alpha.png": saved(np.dstack([RGB, RGB[:, :, 0] // 255 * 0 + 255]), "PNG"),
    "wide.png": palette((70_000, 1)),
    "cut.png": saved(RGB, "PNG")[:200],
    "cut.jpg": saved(RGB, "JPEG")[:100],
    "cut16.tif": tiff(np.dstack([GRAY16] * 3), photometric="rgb")[:2000],
    "text.png": b"no picture\n",
    "page.png": b"<!DOCTYPE html><html></html>",
    "empty.png": b"",
    "five.npy": npy(np.zeros((24, 32, 5), np.uint8)),
    "real.npy": npy(np.zeros((24, 32))),
    "row.npy": npy(np.zeros(5)),
    "complex.npy": npy(np.zeros((3, 4), complex)),
    "object.npy": npy(np.array([[None]], dtype=object)),
    "cut.npy": npy(np.zeros((24, 32)))[:999],
    "huge.npy": b"\x93NUMPY\x01\0\x4e\0"
    + b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 1000000000)}\n   ",
    "frames.npy": npy(np.zeros((3, 24, 32, 3), np.uint8)),
    "bands.tif": tiff(np.dstack([RGB] * 2)[:, :, :5], photometric="rgb", extrasamples=[0, 0]),
    "few.tif": tiff(RGB[:, :, 0] // 16, bitspersample=4, photometric="minisblack"),
    "turned.tif": tiff(
        np.dstack([GRAY16] * 3), photometric="rgb", extratags=[(274, "H", 1, 6, True)]
    ),
    "table.csv": b"1,2,3\n4,5,6\n",
    "word.csv": b"1,2,3\n4,x,6\n",
    "two.npy": npy(np.ones((2, 3, 3))),  # a kernel for two channels
}

REFUSED = [
    "gone.png o.png",
    "empty.png o.png",
    "text.png o.png",
    "page.png o.png",
    "cut.png o.png",
    "cut.jpg o.png",
    "cut16.tif o.tif",
    "int.tif o.tif",
    "strange.tif o.tif",
    "rgb.png there.png",  # which exists
    "rgb.png folder.png/",
    "rgb.png rgb.png/o.png",
    "rgb.png %s.png" % ("n" * 300),
    "rgb.png o.png --max-pixels 700",
    "16.tif o.tif --max-pixels 700",
    "five.npy o.npy --max-pixels 700",
    "huge.npy o.npy",
    "wide.png o.jpg",
    "wide.png o.webp",
    "wide.png o.gif",
    "16.png o.jpg",
    "16.tif o.bmp",
    "16.tif o.webp",
    "real.tif o.png",
    "rgb.png o.pgm",
    "rgb.png o.pfm",
    "rgb.jpg o.tif --frame 1",
    "anim.gif o.gif --frame 3",
    "anim.png o.png --frame 3",
    "anim.webp o.webp --frame 3",
    "pages.tif o.tif --frame 3",
    "pages.tif o.tif --frame 3 --tile 16",
    "16.tif o.tif --frame 1",
    "anim.gif o.jpg",
    "anim.png o.npy",
    "pages.tif o.pgm --channels gray",
    "five.npy o.png",
    "real.npy o.png --levels clip",
    "row.npy o.npy",
    "complex.npy o.npy",
    "object.npy o.npy",
    "cut.npy o.npy",
    "word.csv o.csv",
    "rgb.png o.csv",
    "rgb.png o.png -k two.npy",
    "16.tif o.tif -k two.npy --tile 16",
    "alpha.png o.png -k two.npy --alpha weighted",
    "rgb.png o.png -k blur --padding valid --dilation 20",
    "rgb.png o.png -k blur -k blur --padding valid --stride 20",
    "alpha.png o.png -k blur --padding valid --dilation 20 --alpha weighted",
    "16.tif o.tif -k blur --padding valid --dilation 20 --tile 16",
    "turned.jpg o.png -k box(size=3x31) --padding valid",
    "rgb.png o.png --channels a",
    "gray.pgm o.png --channels r",
    "five.npy o.npy --channels gray",
    "rgb.png o.tif --channels luma --levels none",
    "rgb.png o.png --border constant --fill 300",
    "rgb.png o.png --formats jpeg",
    "16.tif o.tif --formats png --tile 16",
    "five.npy o.npy --formats csv",
    "table.csv o.csv --formats npy",
    "plane.zarr o.tif --formats tiff",
    "five.npy o.npy --axes HW",
    "frames.npy o.npy",
    "frames.npy o.npy --axes NHWC --frame 3",
    "frames.npy o.jpg --axes NHWC",
    "plane.zarr o.tif --axes HWC",
    "five.npy o.npy --border constant --fill red",
    "16.tif o.tif --border constant --fill 70000 --tile 16",
    "alpha.png o.png --alpha weighted --border constant --fill 300",
    "bands.tif o.png",
    "bands.tif o.tif --border constant --fill red --channels a",
    "turned.tif o.tif --max-pixels 700 --tile 16",
    "turned.tif o.tif -k box(size=3x31) --padding valid --tile 16",
    "far.gif o.gif",
    "rgb.png o.tif --tile 16",
    "rgb.tif o.png --tile 16",
    "rgb.png o.zarr",
    "pages.tif o.zarr",
    "rgb.tif there.zarr",  # which is none
    "group.zarr o.tif",
    "plane.zarr o.png",
    "plane.zarr o.tif --frame 1",
]
DONE = [
    "rgb.png o.jpg", "rgb.jpg o.png", "rgb.bmp o.bmp", "rgb.webp o.tif", "rgb.ppm o.gif",
    "16.png o.png", "16.png o.jpg --depth 8", "16.tif o.tif --padding valid -k blur",
    "16.tif o.webp --depth 8", "real.tif o.tif", "real.tif o.png --levels stretch",
    "pages.tif o.gif", "pages.tif o.tif --tile 16 --channels gray", "anim.gif o.webp",
    "anim.png o.npy --frame 2", "anim.webp o.png", "turned.jpg o.png --padding 3,0",
    "alpha.png o.jpg", "rgb.png o.webp -k sepia", "wide.png o.tif",
    "alpha.png o.png --alpha weighted -k blur", "five.npy o.npy --padding 1,2",
    "rgb.png o.png --formats png", "five.npy o.npy --axes CHW --frame 0",
    "frames.npy o.npy --axes NHWC", "bands.tif o.tif", "bands.tif o.tif --tile 16",
    "turned.tif o.tif", "turned.tif o.tif --tile 16", "few.tif o.png",
    "rgb.png o.png --border constant --fill red",
    "16.tif o.tif --border constant --fill 1,2,3 --tile 16",
    "real.npy o.png --levels stretch", "table.csv o.csv",
    "rgb.png o.pgm --channels gray", "rgb.png o.tif --channels luma -k blur",
    "rgb.tif o.zarr", "plane.zarr o.tif --padding 1,2",
]  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with all the files."""
    place = tmp_path_factory.mktemp("files")
    for name, data in FILES.items():
        (place / name).write_bytes(data)
    (place / "there.png").write_text("mine")
    for name in ("folder.png/rgb.png", "there.zarr"):
        (place / name).mkdir(parents=True)
    zarr.save_array(place / "plane.zarr", RGB[:, :, 0])
    zarr.create_group(place / "group.zarr")
    return place


@pytest.fixture
def folder(files, monkeypatch):
    """The folder to work in, without outputs."""
    monkeypatch.chdir(files)
    yield files
    for output in files.glob("o.*"):
        shutil.rmtree(output) if output.is_dir() else output.unlink()


def command(line: str) -> list[str]:
    """Return the arguments of an input, an output and options; identity where none is named."""
    source, target, *options = line.split()
    kernels = [] if "-k" in options else ["-k", "identity"]
    return ["apply", source, "-o", target, *kernels, *options]


def state(folder: Path) -> dict[Path, tuple[int, int]]:
    """Return what changes when anything is written."""
    return {p: (p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob("*")}


@pytest.mark.parametrize("line", REFUSED)
def test_what_a_run_refuses_a_dry_run_refuses_in_the_same_words(line, run, folder):
    """One line, exit code 1, and nothing is written by either."""
    before = state(folder)
    dry = run(*command(line), "--dry-run")
    real = run(*command(line))
    assert (dry.code, dry.err, dry.out) == (real.code, real.err, b"")
    assert (real.code, len(real.errors)) == (1, 1), real
    assert state(folder) == before


@pytest.mark.usefixtures("folder")
def test_a_dry_run_tells_programs_too(run):
    """With --json a line an input, as the run does."""
    outcomes = [
        {k: v for k, v in json.loads(line).items() if k != "seconds"}
        for mode in (["-n"], [])
        for line in run(
            "apply", "16.png", "real.tif", "-k", "identity", "-o", "{stem}.jpg", "--json", *mode
        ).text.splitlines()
    ]
    assert outcomes[:2] == outcomes[2:]
    assert [o["status"] for o in outcomes] == ["failed"] * 4


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("line", "package"),
    [
        ("16.tif o.tif", "tifffile"),
        ("16.tif o.tif --tile 16", "tifffile"),
        ("plane.zarr o.tif", "zarr"),
    ],
)
def test_a_package_that_is_missing_is_missed_by_a_dry_run(line, package, run, monkeypatch):
    """In the words of the run, which name what to install."""
    monkeypatch.setitem(sys.modules, package, None)
    dry, real = run(*command(line), "-n"), run(*command(line))
    assert (dry.code, dry.err) == (real.code, real.err)
    assert (real.code, len(real.errors), "pip install" in real.err) == (1, 1, True)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", ["gif", "jpg", "png"])
def test_what_only_pixels_tell_is_a_note(name, run):
    """Whether alpha is opaque, where a format cannot keep it."""
    result = run(*command(f"alpha.png o.{name}"), "-n")
    assert (result.code, "which only pixels tell" in result.err) == (0, name != "png")


@pytest.mark.parametrize("line", DONE)
def test_what_a_run_does_a_dry_run_foretells(line, run, folder):
    """The size is that of the output, no pixel is decoded, and nothing is written."""
    before = state(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ImageFile.ImageFile, "load", no_pixels)
        patch.setattr(tifffile.TiffPage, "asarray", no_pixels)
        patch.setattr(tifffile.TiffPage, "decode", no_pixels)
        dry = run(*command(line), "--dry-run", "--json")
    assert state(folder) == before
    real = run(*command(line), "--json")
    (foretold, done) = (json.loads(result.text) for result in (dry, real))
    for key in ("seconds", "clipped_low", "clipped_high"):
        del foretold[key], done[key]
    assert (dry.code, foretold) == (0, done), (dry, real)


def no_pixels(image: object, *_: object) -> None:
    """Fail where pixels would be decoded, but for the one that stands for them."""
    if getattr(image, "size", None) != (1, 1):
        pytest.fail("pixels are decoded")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("name", "code"), [("rgb.png", 0), ("16.png", 1), ("text.png", 1)])
def test_a_dry_run_looks_at_what_comes_from_stdin(name, code, run):
    """As the run does."""
    line = ["apply", "-", "-k", "1", "-o", "o.jpg"]
    dry = run(*line, "-n", stdin=FILES[name])
    real = run(*line, stdin=FILES[name])
    assert (dry.code, dry.err, dry.text) == (code, real.err, "stdin -> o.jpg\n" * (not code))


def test_notes_behind_the_pixels_of_a_png_count(run, tmp_path):
    """EXIF that turns the picture may stand there."""
    head = b"\0\0\0\x20\0\0\0\x18\x08\0\0\0\0"
    exif = b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
    rows = zlib.compress(bytes(24 * 33))
    chunks = ((b"IHDR", head), (b"IDAT", rows), (b"eXIf", exif), (b"IEND", b""))
    (tmp_path / "a.png").write_bytes(put_together(*chunks))
    result = run("apply", tmp_path / "a.png", "-k", "1", "-o", tmp_path / "b.png", "-n", "--json")
    outcome = json.loads(result.text)
    assert (outcome["width"], outcome["height"]) == (24, 32)
