"""What goes through `apply -k identity` comes out with everything, or is refused by name.

Files are made and read back by Pillow, tifffile, imagecodecs and by hand, never by imgconv.
"""

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image, ImageCms, PngImagePlugin, TiffImagePlugin

from tests.images import HEIGHT, WIDTH, deep, noise, samples

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GRAY_PROFILE = PROFILE[:16] + b"GRAY" + PROFILE[20:]
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf/></x:xmpmeta>'
ENDINGS = {"PNG": ".png", "JPEG": ".jpg", "TIFF": ".tif", "WEBP": ".webp"}
NAMES = list(ENDINGS)
LOSSLESS = ("PNG", "TIFF")


def exif(orientation: int = 1) -> Image.Exif:
    """Return tags of a camera, with directories within directories."""
    tags = Image.Exif()
    tags[270], tags[271], tags[315] = "a still life", "a camera", "an artist"
    tags[274] = orientation
    tags[34665] = {
        33434: TiffImagePlugin.IFDRational(1, 125),
        36867: "2026:11:22 10:00:00",
        37500: b"maker\0note",
        40962: 1,
    }
    tags[34853] = {1: "N", 2: (48.0, 51.0, 30.0)}
    return tags


def text() -> PngImagePlugin.PngInfo:
    """Return the text of a PNG, some of it beyond Latin."""
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Title", "a title")
    notes.add_itxt("Author", "Ωμέγα")
    return notes


@dataclass(frozen=True)
class Kind:
    """An input, the formats that keep all that can be seen of it, and what others cannot keep."""

    data: bytes
    pixels: np.ndarray
    kept_by: tuple[str, ...]
    fault: str = ""
    ending: str = ".png"
    remedy: list[str] = field(default_factory=list)


def saved(image: Image.Image, name: str, **options: Any) -> bytes:
    """Return an image as Pillow writes it."""
    out = io.BytesIO()
    image.save(out, name, **options)
    return out.getvalue()


def of(mode: str) -> Image.Image:
    """Return a picture of one of Pillow's modes."""
    return Image.fromarray(samples(mode))


def palette(*, transparent: bool) -> Kind:
    """Return a picture with a palette."""
    image = of("RGB").quantize(16)
    options = {"transparency": 3} if transparent else {}
    data = saved(image, "PNG", **options)
    shown = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA" if transparent else "RGB"))
    if transparent:
        return Kind(data, shown, ("PNG", "TIFF", "WEBP"), "transparency")
    return Kind(data, shown, ("PNG", "JPEG", "TIFF", "WEBP"))


def tiff(array: np.ndarray, **options: Any) -> bytes:
    """Return an array as tifffile writes it."""
    out = io.BytesIO()
    tifffile.imwrite(out, array, **options)
    return out.getvalue()


EVERY = ("PNG", "JPEG", "TIFF", "WEBP")
ALPHA = ("PNG", "TIFF", "WEBP")
REALS = np.random.default_rng(4).normal(size=(HEIGHT, WIDTH, 3)).astype(np.float32)
BITS = of("L").convert("1")
CMYK = np.asarray(noise("CMYK"))
KINDS = {
    "L": Kind(saved(of("L"), "PNG"), samples("L"), EVERY),
    "LA": Kind(saved(of("LA"), "PNG"), samples("LA"), ALPHA, "transparency"),
    "RGB": Kind(saved(of("RGB"), "PNG"), samples("RGB"), EVERY),
    "RGBA": Kind(saved(of("RGBA"), "PNG"), samples("RGBA"), ALPHA, "transparency"),
    "P": palette(transparent=False),
    "P with transparency": palette(transparent=True),
    "1": Kind(saved(BITS, "PNG"), np.asarray(BITS.convert("L")), EVERY),
    "I;16": Kind(saved(of("I;16"), "PNG"), samples("I;16"), LOSSLESS, "16 bits"),
    "RGB;16 PNG": Kind(imagecodecs.png_encode(deep(3)), deep(3), LOSSLESS, "16 bits"),
    "RGBA;16 PNG": Kind(imagecodecs.png_encode(deep(4)), deep(4), LOSSLESS, "16 bits"),
    "LA;16 PNG": Kind(imagecodecs.png_encode(deep(2)), deep(2), LOSSLESS, "16 bits"),
    "RGB;16 TIFF": Kind(tiff(deep(3), photometric="rgb"), deep(3), LOSSLESS, "16 bits", ".tif"),
    "planar TIFF": Kind(
        tiff(np.moveaxis(deep(3), 2, 0), photometric="rgb", planarconfig="separate"),
        deep(3), LOSSLESS, "16 bits", ".tif",
    ),
    "tiled TIFF": Kind(
        tiff(deep(3).repeat(9, axis=0), photometric="rgb", tile=(16, 16), compression="zlib",
             predictor=True),
        deep(3).repeat(9, axis=0), LOSSLESS, "16 bits", ".tif",
    ),
    "CMYK": Kind(saved(noise("CMYK"), "TIFF"), CMYK, ("JPEG", "TIFF"), "CMYK", ".tif"),
    "F": Kind(tiff(REALS[:, :, 0]), REALS[:, :, 0], ("TIFF",), "real samples", ".tif"),
    "RGB reals": Kind(tiff(REALS, photometric="rgb"), REALS, ("TIFF",), "real samples", ".tif"),
}  # fmt: skip


def samples_of(data: bytes, name: str) -> np.ndarray:
    """Return the samples of an output, by a reader that keeps them all."""
    if name == "TIFF":
        return tifffile.imread(io.BytesIO(data))
    if name == "PNG":
        return imagecodecs.png_decode(data)
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_samples_are_kept_or_the_error_names_them(kind, name, run, tmp_path):
    """Bit for bit where the format is lossless; else near; else a line, exit 1 and no file."""
    what = KINDS[kind]
    source = tmp_path / f"in{what.ending}"
    source.write_bytes(what.data)
    target = tmp_path / f"out{ENDINGS[name]}"
    result = run("apply", source, "-k", "identity", "-o", target)
    if name not in what.kept_by:
        assert (result.code, target.exists()) == (1, False)
        (line,) = result.errors
        assert f"{name} cannot keep {what.fault}" in line
        assert "--" in line.split("cannot keep")[1]
        return
    assert (result.code, result.err) == (0, "")
    found = samples_of(target.read_bytes(), name)
    if name in LOSSLESS:
        assert found.dtype == what.pixels.dtype
        np.testing.assert_array_equal(found.reshape(what.pixels.shape), what.pixels)
    else:
        assert found.shape[:2] == what.pixels.shape[:2]


@pytest.mark.parametrize("kind", [k for k, what in KINDS.items() if "WEBP" in what.kept_by])
def test_a_webp_of_quality_100_loses_nothing(kind, run, tmp_path):
    """The quality of 100 is the lossless WebP."""
    what = KINDS[kind]
    (tmp_path / "in.png").write_bytes(what.data)
    target = tmp_path / "out.webp"
    assert run("apply", tmp_path / "in.png", "-k", "1", "-o", target, "--quality", 100).code == 0
    mode = {2: "LA", 3: "RGB", 4: "RGBA"}.get(what.pixels.shape[-1], "L")
    mode = mode if what.pixels.ndim == 3 else "L"
    found = np.asarray(Image.open(target).convert(mode))
    np.testing.assert_array_equal(found, what.pixels)


def described(name: str, *, orientation: int = 1) -> bytes:
    """Return a file with all the metadata that its format has a place for."""
    image = noise(size=(WIDTH * 8, HEIGHT * 8))
    options: dict[str, Any] = {"exif": exif(orientation), "icc_profile": PROFILE}
    if name != "WEBP":
        options["dpi"] = (300, 150)
    if name in ("JPEG", "WEBP"):
        options["xmp"] = XMP
    if name == "JPEG":
        options |= {"comment": b"a comment", "quality": 83, "subsampling": 0}
    if name == "PNG":
        notes = text()
        notes.add_itxt("XML:com.adobe.xmp", XMP.decode())
        options["pnginfo"] = notes
    if name == "TIFF":  # Pillow writes EXIF into a TIFF only where it is not compressed
        tags = exif(orientation)
        tags[700] = XMP
        options["exif"] = tags.tobytes()
    return saved(image, name, **options)


@pytest.mark.parametrize("target", NAMES)
@pytest.mark.parametrize("source", NAMES)
def test_metadata_is_kept_or_named(source, target, run, tmp_path):
    """EXIF with its directories, profile, XMP, resolution: kept in each format that has a place."""
    path, out = tmp_path / f"in{ENDINGS[source]}", tmp_path / f"out{ENDINGS[target]}"
    path.write_bytes(described(source))
    result = run("apply", path, "-k", "identity", "-o", out)
    assert result.code == 0
    image = Image.open(out)
    image.load()
    tags = image.getexif()
    assert (tags[270], tags[271], tags[315]) == ("a still life", "a camera", "an artist")
    camera = tags.get_ifd(34665)
    assert camera[36867] == "2026:11:22 10:00:00"
    assert (camera[33434], camera[37500]) == (1 / 125, b"maker\0note")
    assert camera[40962] == WIDTH * 8, "the width that EXIF tells is that of the picture"
    assert tags.get_ifd(34853) == {1: "N", 2: (48.0, 51.0, 30.0)}
    assert image.info["icc_profile"] == PROFILE
    assert XMP in image.info["xmp"]
    if source != "WEBP":
        dpi = image.info.get("dpi") or (tags[282], tags[283])
        assert [round(float(d)) for d in dpi] == [300, 150]
    notes = set(result.err.replace(",", " ").split()) if result.err else set()
    if source == "PNG":
        kept = target == "PNG"
        assert ("text" in notes) != kept
        if kept:
            assert image.text["Title"] == "a title"
            assert image.text["Author"] == "Ωμέγα"
    if source == "JPEG":
        assert ("comment" in notes) == (target in ("TIFF", "WEBP"))
        if target == "JPEG":
            assert image.info["comment"] == b"a comment"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", NAMES)
def test_the_orientation_is_applied_once(name, orientation, run, tmp_path):
    """The output is upright in its pixels, and no tag turns it again."""
    path, out = tmp_path / f"in{ENDINGS[name]}", tmp_path / "out.png"
    path.write_bytes(described(name, orientation=orientation))
    assert run("apply", path, "-k", "identity", "-o", out).code == 0
    image = Image.open(out)
    assert image.getexif().get(274, 1) == 1
    assert (image.width > image.height) == (orientation < 5)


@pytest.mark.parametrize("name", NAMES)
def test_strip_writes_no_metadata(name, run, tmp_path):
    """With --strip nothing is left, and nothing is said of it."""
    path, out = tmp_path / f"in{ENDINGS[name]}", tmp_path / f"out{ENDINGS[name]}"
    path.write_bytes(described(name, orientation=6))
    result = run("apply", path, "-k", "identity", "-o", out, "--strip")
    assert (result.code, result.err) == (0, "")
    data = out.read_bytes()
    for trace in (b"a still life", b"a camera", XMP, b"a title", b"a comment", PROFILE[:64]):
        assert trace not in data
    assert Image.open(out).height > Image.open(out).width, "turned all the same"


def test_the_thumbnail_is_dropped(run, tmp_path):
    """A small picture of what was before the filter would be wrong."""
    tags = exif()
    block = tags.tobytes()[6:]
    small = saved(Image.new("RGB", (16, 16), "red"), "JPEG")
    # a second directory at the end of the block, linked from the first
    first = struct.unpack(">I", block[4:8])[0]
    link = first + 2 + 12 * struct.unpack(">H", block[first : first + 2])[0]
    entries = [
        (513, 4, 1, len(block) + 2 + 3 * 12 + 4),
        (514, 4, 1, len(small)),
        (259, 3, 1, 6 << 16),
    ]
    second = struct.pack(">H", 3) + b"".join(struct.pack(">HHII", *e) for e in sorted(entries))
    block = block[:link] + struct.pack(">I", len(block)) + block[link + 4 :]
    data = saved(noise(), "JPEG", exif=b"Exif\0\0" + block + second + bytes(4) + small)
    assert Image.open(io.BytesIO(data)).getexif().get_ifd(ExifTags.IFD.IFD1), (
        "the test's own thumbnail is found"
    )
    (tmp_path / "in.jpg").write_bytes(data)
    assert run("apply", tmp_path / "in.jpg", "-k", "1", "-o", tmp_path / "out.jpg").code == 0
    found = (tmp_path / "out.jpg").read_bytes()
    assert small not in found
    assert not Image.open(tmp_path / "out.jpg").getexif().get_ifd(ExifTags.IFD.IFD1)


def test_a_jpeg_is_coded_as_its_source_was(run, tmp_path):
    """Tables and sampling follow the source, unless a quality is asked for."""
    path, out = tmp_path / "in.jpg", tmp_path / "out.jpg"
    path.write_bytes(described("JPEG"))
    assert run("apply", path, "-k", "identity", "-o", out).code == 0
    source, found = Image.open(path), Image.open(out)
    assert found.quantization == source.quantization
    assert found.layer == source.layer, "sampling"
    assert run("apply", path, "-k", "identity", "-o", out, "--quality", 30, "-f").code == 0
    assert Image.open(out).quantization != source.quantization


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_of_colours_goes_when_the_picture_becomes_gray(name, run, tmp_path):
    """And one of gray stays with gray."""
    path, out = tmp_path / f"in{ENDINGS[name]}", tmp_path / "out.png"
    path.write_bytes(described(name))
    assert run("apply", path, "-k", "blur", "--channels", "gray", "-o", out, "-q").code == 0
    assert "icc_profile" not in Image.open(out).info
    gray = saved(of("L"), "PNG", icc_profile=GRAY_PROFILE)
    (tmp_path / "gray.png").write_bytes(gray)
    run("apply", tmp_path / "gray.png", "-k", "blur", "-o", out, "-fq")
    assert Image.open(out).info["icc_profile"] == GRAY_PROFILE
    run("apply", tmp_path / "gray.png", "-k", "blur", "--channels", "rgb", "-o", out, "-fq")
    assert "icc_profile" not in Image.open(out).info


def test_deep_files_keep_their_metadata(run, tmp_path):
    """16-bit colours in PNG and TIFF carry what 8-bit ones do."""
    small = saved(
        Image.new("RGB", (1, 1)), "PNG", exif=exif(6), icc_profile=PROFILE, pnginfo=text()
    )
    chunks = small[33 : small.index(b"IDAT") - 4]
    whole = imagecodecs.png_encode(deep(3))
    (tmp_path / "in.png").write_bytes(whole[:33] + chunks + whole[33:])
    upright = np.rot90(deep(3), -1)
    for source, target in (("in.png", "a.png"), ("in.png", "b.tif"), ("b.tif", "c.tif"),
                           ("c.tif", "d.png")):  # fmt: skip
        result = run("apply", tmp_path / source, "-k", "identity", "-o", tmp_path / target)
        assert result.code == 0, result.err
        data = (tmp_path / target).read_bytes()
        found = samples_of(data, "PNG" if target.endswith("png") else "TIFF")
        np.testing.assert_array_equal(found, upright)
        image = Image.open(io.BytesIO(data))
        tags = image.getexif()
        assert (tags[271], tags.get(274, 1)) == ("a camera", 1)
        assert tags.get_ifd(34665)[37500] == b"maker\0note"
        assert image.info["icc_profile"] == PROFILE
    assert Image.open(tmp_path / "a.png").text["Author"] == "Ωμέγα"


# ---- frames -----------------------------------------------------------------------------------


def frames(mode: str = "RGB") -> list[Image.Image]:
    """Return three frames of few colours that differ everywhere."""
    base = np.indices((24, 32)).sum(axis=0) // 4 % 2
    colours = np.array([[250, 20, 30, 255], [10, 200, 90, 0]], np.uint8)
    found = []
    for i in range(3):
        array = np.roll(colours, i, axis=0)[base]
        if mode == "RGB":
            array = array[:, :, :3] // (i + 1)
        found.append(Image.fromarray(np.ascontiguousarray(array)))
    return found


def film(name: str, mode: str = "RGB") -> bytes:
    """Return an animation of three frames with a time of its own each."""
    first, *others = frames(mode)
    options: dict[str, Any] = {"duration": [100, 250, 400], "loop": 3}
    if name == "WEBP":
        options |= {"lossless": True, "exact": True}
    if name == "GIF":
        options["disposal"] = 2
    return saved(first, name, save_all=True, append_images=others, **options)


def shown(data: bytes, mode: str) -> tuple[list[np.ndarray], list[float], int]:
    """Return the frames of an animation as they are seen, their times, and the number of loops."""
    image = Image.open(io.BytesIO(data))
    seen, times = [], []
    for i in range(image.n_frames):
        image.seek(i)
        array = np.asarray(image.convert(mode))
        if mode == "RGBA":  # a colour that nobody sees is no matter
            array = array * (array[:, :, 3:] > 0)
        seen.append(array)
        times.append(image.info["duration"])
    return seen, times, image.info.get("loop")


FILMS = {"GIF": ".gif", "PNG": ".png", "WEBP": ".webp"}


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("target", FILMS)
@pytest.mark.parametrize("source", FILMS)
def test_an_animation_keeps_its_frames_and_its_timing(source, target, mode, run, tmp_path):
    """Every frame, as it is seen, with its time and the loops."""
    path, out = tmp_path / f"in{FILMS[source]}", tmp_path / f"out{FILMS[target]}"
    path.write_bytes(film(source, mode))
    result = run("apply", path, "-k", "identity", "-o", out, "--quality", 100)
    assert (result.code, result.err) == (0, "")
    wanted, times, loop = shown(path.read_bytes(), mode)
    found, found_times, found_loop = shown(out.read_bytes(), mode)
    assert (found_times, found_loop) == (times, loop) == ([100, 250, 400], 3)
    for a, b in zip(wanted, found, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", FILMS)
def test_every_frame_is_filtered(name, run, tmp_path):
    """Each as if it were alone."""
    path, out = tmp_path / f"in{FILMS[name]}", tmp_path / "out.webp"
    path.write_bytes(film(name))
    assert run("apply", path, "-k", "blur", "-o", out, "--quality", 100).code == 0
    found, *_ = shown(out.read_bytes(), "RGB")
    for frame, array in zip(frames(), found, strict=True):
        frame.save(tmp_path / "one.png")
        run("apply", tmp_path / "one.png", "-k", "blur", "-o", tmp_path / "alone.png", "-f")
        np.testing.assert_array_equal(array, np.asarray(Image.open(tmp_path / "alone.png")))


@pytest.mark.parametrize("target", ["JPEG", "BMP"])
def test_frames_are_not_cut_to_one_in_silence(target, run, tmp_path):
    """The error says how many there are and what keeps them; --frame chooses one."""
    ending = {"JPEG": ".jpg", "BMP": ".bmp"}[target]
    path, out = tmp_path / "in.gif", tmp_path / f"out{ending}"
    path.write_bytes(film("GIF"))
    result = run("apply", path, "-k", "identity", "-o", out)
    assert (result.code, out.exists()) == (1, False)
    assert "3 frames" in result.err
    assert "--frame" in result.err
    one = tmp_path / "one.png"
    assert run("apply", path, "-k", "identity", "-o", one, "--frame", 2).code == 0
    np.testing.assert_array_equal(np.asarray(Image.open(one)), np.asarray(frames()[2]))
    result = run("apply", path, "-k", "identity", "-o", out, "--frame", 3, "-f")
    assert result.code == 1
    assert "0 to 2" in result.err


PAGES: dict[str, Callable[[], bytes]] = {
    "8 bits": lambda: saved(of("RGB"), "TIFF", save_all=True, append_images=[
        noise(size=(9, 4)), of("L"),
    ]),
    "16 bits": lambda: b"".join([_deep_pages()]),
}  # fmt: skip


def _deep_pages() -> bytes:
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as file:
        for array in (deep(3), deep(3)[::-1, :4], deep(4)):
            extra = ["unassalpha"] if array.shape[2] == 4 else None
            file.write(array, photometric="rgb", extrasamples=extra)
    return out.getvalue()


@pytest.mark.parametrize("kind", PAGES)
def test_every_page_of_a_tiff_is_kept(kind, run, tmp_path):
    """Pages of different sizes and channels, each by itself."""
    path, out = tmp_path / "in.tif", tmp_path / "out.tif"
    path.write_bytes(PAGES[kind]())
    result = run("apply", path, "-k", "identity", "-o", out)
    assert (result.code, result.err) == (0, "")
    with tifffile.TiffFile(path) as wanted, tifffile.TiffFile(out) as found:
        assert len(found.pages) == len(wanted.pages) == 3
        for a, b in zip(wanted.pages, found.pages, strict=True):
            np.testing.assert_array_equal(a.asarray(), b.asarray())


# ---- alpha ------------------------------------------------------------------------------------


def test_a_background_fills_what_is_not_seen(run, tmp_path):
    """Transparent pixels take the colour, half of it where they are half seen."""
    array = np.array([[[200, 100, 0, 255], [200, 100, 0, 0], [200, 100, 0, 51]]], np.uint8)
    Image.fromarray(array).save(tmp_path / "in.png")
    out = tmp_path / "out.png"
    args = ("apply", tmp_path / "in.png", "-k", "1", "-o", out, "--background", "#0000ff")
    assert run(*args).code == 0
    found = np.asarray(Image.open(out)).tolist()
    assert found == [[[200, 100, 0], [0, 0, 255], [40, 20, 204]]]


@pytest.mark.parametrize("alpha", ["keep", "weighted"])
@pytest.mark.parametrize("name", ["sobel-left", "outline", "emboss"])
def test_a_kernel_never_hides_an_opaque_picture(name, alpha, run, tmp_path):
    """What is seen stays seen, whatever the weights add up to."""
    image = of("RGB")
    image.putalpha(255)
    image.save(tmp_path / "in.png")
    of("RGB").save(tmp_path / "bare.png")
    for stem in ("in", "bare"):
        run("apply", tmp_path / f"{stem}.png", "-k", name, "-o", tmp_path / f"{stem}-out.png",
            "--alpha", alpha, "-q")  # fmt: skip
    found = np.asarray(Image.open(tmp_path / "in-out.png"))
    assert (found[:, :, 3] == 255).all()
    np.testing.assert_array_equal(
        found[:, :, :3], np.asarray(Image.open(tmp_path / "bare-out.png"))
    )


# ---- what a sceptic found ---------------------------------------------------------------------


def pages(*arrays: np.ndarray, **options: Any) -> bytes:
    """Return a TIFF of a page for each array, gray or RGB."""
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as file:
        for array in arrays:
            file.write(array, photometric="rgb" if array.ndim == 3 else "minisblack", **options)
    return out.getvalue()


@pytest.mark.parametrize(
    "arrays",
    [
        (samples("RGB"), deep(3)),
        (samples("I;16"), deep(3)),
        (samples("L"), deep(1)[:, :, 0], samples("RGB")),
    ],
    ids=["8 then 16", "gray then colour", "mixed"],
)
def test_every_page_decides_how_a_tiff_is_read(arrays, run, tmp_path):
    """A later page of more bits is not cut because the first has fewer."""
    (tmp_path / "in.tif").write_bytes(pages(*arrays))
    assert run("apply", tmp_path / "in.tif", "-k", "1", "-o", tmp_path / "out.tif").code == 0
    with tifffile.TiffFile(tmp_path / "out.tif") as found:
        for page, wanted in zip(found.pages, arrays, strict=True):
            assert page.dtype == wanted.dtype
            np.testing.assert_array_equal(page.asarray(), wanted)


@pytest.mark.parametrize("second", [deep(1)[:, :, 0].astype("i2"), deep(1)[:, :, 0].astype("u4")])
def test_a_later_page_of_another_kind_is_refused(second, run, tmp_path):
    """As it would be if it were the first; with --depth 8 too."""
    (tmp_path / "in.tif").write_bytes(pages(samples("L"), second))
    for options in ([], ["--depth", "8"]):
        result = run("apply", tmp_path / "in.tif", "-k", "1", "-o", tmp_path / "o.tif", *options)
        assert result.code == 1, options


def test_the_limit_of_pixels_is_that_of_all_pages(run, tmp_path):
    """A small first page does not hide a large second one."""
    (tmp_path / "in.tif").write_bytes(pages(samples("L"), np.zeros((200, 300), np.uint8)))
    args = ("apply", tmp_path / "in.tif", "-k", "1", "-o", tmp_path / "o.tif")
    assert "300x200" in run(*args, "--max-pixels", 60_034).err
    assert run(*args, "--max-pixels", 60_035).code == 0


@pytest.mark.parametrize("name", ["PNG", "WEBP", "GIF"])
def test_pages_that_are_no_animation_are_refused(name, run, tmp_path):
    """Frames of 16 bits and pages of several sizes would be mixed up; the error says what helps."""
    for stem, data in (
        ("deep", pages(deep(1)[:, :, 0], deep(1)[::-1, :, 0])),
        ("sizes", pages(samples("L"), samples("L")[:3])),
    ):
        path, out = tmp_path / f"{stem}.tif", tmp_path / f"o.{name.lower()}"
        path.write_bytes(data)
        result = run("apply", path, "-k", "1", "-o", out)
        assert (result.code, out.exists()) == (1, False)
        assert "--frame" in result.err or "--depth" in result.err


def test_depth_8_of_planes_and_of_white_at_zero_is_right(run, tmp_path):
    """Two layouts that Pillow mixes up in 16 bits."""
    planes = np.moveaxis(deep(3), 2, 0)
    (tmp_path / "p.tif").write_bytes(tiff(planes, photometric="rgb", planarconfig="separate"))
    args = ("-k", "1", "-f", "-o", tmp_path / "o.png")
    assert run("apply", tmp_path / "p.tif", *args, "--depth", 8).code == 0
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "o.png")), deep(3) >> 8)
    (tmp_path / "w.tif").write_bytes(tiff(samples("I;16"), photometric="miniswhite"))
    assert run("apply", tmp_path / "w.tif", *args).code == 0
    found = imagecodecs.png_decode((tmp_path / "o.png").read_bytes())
    np.testing.assert_array_equal(found, 65535 - samples("I;16"))


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_the_transparent_value_of_few_bits_becomes_alpha(depth, run, tmp_path):
    """It is told in units of the file's own bits."""
    value = (1 << depth) - 2 if depth > 1 else 1
    rows = np.array([[0, value, (1 << depth) - 1, 0]], np.uint8)
    packed = np.packbits(np.unpackbits(rows[:, :, None], axis=2)[:, :, 8 - depth :].reshape(1, -1))

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    data = b"\x89PNG\r\n\x1a\n" + b"".join([
        chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 1, depth, 0, 0, 0, 0)),
        chunk(b"tRNS", struct.pack(">H", value)),
        chunk(b"IDAT", zlib.compress(b"\0" + packed.tobytes())), chunk(b"IEND", b""),
    ])  # fmt: skip
    (tmp_path / "in.png").write_bytes(data)
    assert run("apply", tmp_path / "in.png", "-k", "1", "-o", tmp_path / "o.png").code == 0
    alpha = np.asarray(Image.open(tmp_path / "o.png"))[0, :, 1]
    assert alpha.tolist() == [0 if v == value else 255 for v in rows[0]]


def test_hidden_pixels_of_many_colours_stay_hidden_in_a_gif(run, tmp_path):
    """One entry of the palette is transparent, so all that is hidden is that one."""
    array = np.zeros((2, 3, 4), np.uint8)
    array[0] = [[9, 9, 9, 255], [1, 2, 3, 0], [4, 5, 6, 0]]
    Image.fromarray(array).save(tmp_path / "in.png")
    assert run("apply", tmp_path / "in.png", "-k", "1", "-o", tmp_path / "o.gif").code == 0
    found = np.asarray(Image.open(tmp_path / "o.gif").convert("RGBA"))
    np.testing.assert_array_equal(found[:, :, 3], array[:, :, 3])


@pytest.mark.parametrize("channels", ["gray", "rgb"])
def test_deep_cmyk_is_converted_as_shallow_is(channels, run, tmp_path):
    """By the same rule, in 16 bits."""
    array = np.asarray(noise("CMYK")).astype(np.uint16) * 257
    (tmp_path / "in.tif").write_bytes(tiff(array, photometric="separated"))
    noise("CMYK").save(tmp_path / "in8.tif")
    for stem in ("in", "in8"):
        args = ("-k", "1", "--channels", channels, "-o", tmp_path / f"{stem}.png")
        assert run("apply", tmp_path / f"{stem}.tif", *args).code == 0
    found = imagecodecs.png_decode((tmp_path / "in.png").read_bytes())
    wanted = imagecodecs.png_decode((tmp_path / "in8.png").read_bytes())
    assert found.dtype == np.uint16
    assert abs(found / 257 - wanted).max() <= 1


def test_that_colours_are_no_longer_multiplied_by_alpha_is_said(run, tmp_path):
    """What is written is a TIFF whose alpha multiplies nothing."""
    multiplied = tiff(samples("RGBA"), photometric="rgb", extrasamples=["assocalpha"])
    (tmp_path / "x.tif").write_bytes(multiplied)
    for path in ((), ("--tile", 16)):
        done = run("apply", tmp_path / "x.tif", "-k", "1", "-o", tmp_path / "o.tif", "-f", *path)
        assert "the multiplication of colours by alpha not kept" in done.err


@pytest.mark.parametrize(
    ("source", "name", "most"),
    [("png", "gif", 655_350), ("webp", "gif", 655_350), ("png", "webp", (1 << 24) - 1)],
)
def test_a_frame_is_shown_as_long_as_a_format_can_with_a_note(source, name, most, run, tmp_path):
    """Rather than refused in the words of an encoder whose numbers overflow."""
    frames = [Image.new("RGB", (4, 3), (50 * i, 0, 0)) for i in range(3)]
    times = [16_777_210 if source == "webp" else 20_000_000, 500, 700]
    path, out = tmp_path / f"a.{source}", tmp_path / f"b.{name}"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=times)
    result = run("apply", path, "-k", "identity", "-o", out)
    assert (result.code, f"timing over {most / 1000:g} s a frame" in result.err) == (0, True)
    with Image.open(out) as image:
        shown = []
        for i in range(image.n_frames):
            image.seek(i)
            image.load()
            shown.append(image.info["duration"])
    assert shown == [most, 500, 700]


def test_a_profile_that_a_jpeg_has_no_room_for_is_said(run, tmp_path):
    """Its segments are counted in a byte; Pillow would write more, which nobody can read."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    long = profile + bytes(255 * 65_519)
    for kept in (profile, long):
        Image.new("RGB", (4, 3)).save(tmp_path / "a.tif", icc_profile=kept)
        result = run("apply", tmp_path / "a.tif", "-k", "identity", "-o", tmp_path / "b.jpg", "-f")
        assert ("colour profile (too long) not kept" in result.err) == (kept is long)
        with Image.open(tmp_path / "b.jpg") as image:
            assert image.info.get("icc_profile", b"") == (b"" if kept is long else kept)


def test_timing_that_a_format_has_no_room_for_is_said(run, tmp_path):
    """A GIF counts in 10 ms; without a word on loops it is shown once."""
    first, *others = frames()
    (tmp_path / "in.png").write_bytes(
        saved(first, "PNG", save_all=True, append_images=others, duration=[25, 33, 100])
    )
    result = run("apply", tmp_path / "in.png", "-k", "1", "-o", tmp_path / "o.gif")
    assert "timing finer than 10 ms not kept" in result.err
    once = saved(first, "GIF", save_all=True, append_images=others, duration=50)
    (tmp_path / "once.gif").write_bytes(once)
    run("apply", tmp_path / "once.gif", "-k", "1", "-o", tmp_path / "once.png")
    assert Image.open(tmp_path / "once.png").info["loop"] == 1


def test_each_page_keeps_its_own_profile(run, tmp_path):
    """A gray first page does not take the profile of a colour second one."""
    (tmp_path / "in.tif").write_bytes(
        saved(of("L"), "TIFF", save_all=True, append_images=[of("RGB")], icc_profile=PROFILE)
    )
    assert run("apply", tmp_path / "in.tif", "-k", "1", "-o", tmp_path / "o.tif").code == 0
    image = Image.open(tmp_path / "o.tif")
    assert "icc_profile" not in image.info
    image.seek(1)
    assert image.info["icc_profile"] == PROFILE


def test_a_bigtiff_is_read_with_its_tags(run, tmp_path):
    """Whose header is none that EXIF may have elsewhere."""
    data = tiff(samples("RGB"), photometric="rgb", bigtiff=True, description="big", metadata=None)
    (tmp_path / "in.tif").write_bytes(data)
    for ending in (".tif", ".jpg", ".png"):
        out = tmp_path / f"o{ending}"
        assert run("apply", tmp_path / "in.tif", "-k", "1", "-o", out).code == 0
        assert Image.open(out).getexif()[270] == "big"


@pytest.mark.parametrize("name", NAMES)
def test_odd_metadata_fail_no_picture(name, run, tmp_path):
    """A resolution that is no number, XMP and comments beyond what a JPEG takes, long text."""
    tags = exif()
    tags[282] = tags[283] = TiffImagePlugin.IFDRational(1, 0)
    notes = PngImagePlugin.PngInfo()
    notes.add_itxt("XML:com.adobe.xmp", "x" * 70_000)
    notes.add_text("Comment", "c" * 70_000)
    notes.add_text("Long", "t" * 1_500_000, zip=True)
    data = saved(noise(), "PNG", exif=tags, pnginfo=notes)
    (tmp_path / "in.png").write_bytes(data)
    out = tmp_path / f"o{ENDINGS[name]}"
    result = run("apply", tmp_path / "in.png", "-k", "1", "-o", out)
    assert result.code == 0, result.err
    assert Image.open(out).getexif()[271] == "a camera"
    assert ("XMP (too long)" in result.err) == (name == "JPEG")


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("count", [1, 3])
def test_a_lossless_webp_stays_lossless(run, tmp_path, mode, count):
    """What came in without a loss goes out without one, unless a quality is asked for."""
    frames = [noise(mode, (9 + i, 8)).resize((32, 24)) for i in range(count)]
    if mode == "RGBA":
        for frame in frames:
            frame.putalpha(frame.getchannel("R").point(lambda v: max(v, 1)))
    options = {"save_all": True, "append_images": frames[1:], "duration": 40} if count > 1 else {}
    source, out = tmp_path / "in.webp", tmp_path / "out.webp"
    for more in ({}, {"xmp": b"<x/>"}):  # with it there are chunks before the pixels
        source.write_bytes(saved(frames[0], "WEBP", lossless=True, exact=True, **options, **more))
        for strip in ([], ["--strip"]):
            assert run("apply", source, "-k", "identity", "-o", out, "-f", *strip).code == 0
            with Image.open(out) as image:
                for i, frame in enumerate(frames):
                    image.seek(i)
                    same = np.asarray(image.convert("RGBA")) == np.asarray(frame.convert("RGBA"))
                    assert same.all()
    run("apply", source, "-k", "identity", "-o", out, "-f", "--quality", "50")
    assert b"VP8 " in out.read_bytes()
    source.write_bytes(saved(frames[0], "WEBP", **options))
    run("apply", source, "-k", "identity", "-o", out, "-f")
    assert b"VP8 " in out.read_bytes()


@pytest.mark.parametrize("name", FILMS)
def test_equal_frames_that_are_merged_are_told(run, tmp_path, name):
    """What filtering made equal are as many frames; WebP's encoder makes one, and a note counts."""
    source, out = tmp_path / f"in{FILMS[name]}", tmp_path / f"out{FILMS[name]}"
    source.write_bytes(film(name))
    result = run("apply", source, "-k", "identity", "-o", out)
    assert (result.code, result.err) == (0, "")
    for kernel, left in (("0", 1 if name == "WEBP" else 3), ("identity", 3)):
        result = run("apply", source, "-k", kernel, "-o", out, "-f")
        assert result.code == 0, result.err
        assert ("2 of 3 frames, equal to the one before" in result.err) == (left == 1)
        with Image.open(out) as image:
            assert getattr(image, "n_frames", 1) == left
