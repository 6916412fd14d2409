"""What image files are read as, what is refused, and how files are written whole or not at all."""

import contextlib
import io
import os
import resource
import struct
import tempfile
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin, TiffImagePlugin

from imgconv import files
from imgconv.errors import ImageError

HEIGHT, WIDTH = 5, 7
# Pillow's mode, channels and type of sample of the plain pictures.
PLAIN = {
    "L": (0, np.uint8),
    "LA": (2, np.uint8),
    "RGB": (3, np.uint8),
    "RGBA": (4, np.uint8),
    "I;16": (0, np.uint16),
}


def samples(mode: str) -> np.ndarray:
    """Return different samples for every pixel of a small picture, not square."""
    channels, kind = PLAIN[mode]
    shape = (HEIGHT, WIDTH, channels) if channels else (HEIGHT, WIDTH)
    return np.random.default_rng(1).integers(0, np.iinfo(kind).max, shape, kind, endpoint=True)


def saved(image: Image.Image, name: str, **options) -> bytes:
    """Return an image as Pillow writes it."""
    out = io.BytesIO()
    image.save(out, name, **options)
    return out.getvalue()


def noise(mode: str = "RGB", size: tuple[int, int] = (WIDTH, HEIGHT)) -> Image.Image:
    """Return a picture whose file is not small."""
    return Image.frombytes(
        "RGB", size, np.random.default_rng(2).bytes(size[0] * size[1] * 3)
    ).convert(mode)


def png(depth: int, colour: int, rows: np.ndarray, *, trns: bytes = b"", size=None) -> bytes:
    """Write a PNG by hand: bits a sample, colour type, and rows of samples of that depth."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    height, width = rows.shape[:2]
    lines = b"".join(b"\0" + row.tobytes() for row in rows.astype(">u2" if depth > 8 else "u1"))
    header = struct.pack(">IIBBBBB", *(size or (width, height)), depth, colour, 0, 0, 0)
    chunks = [chunk(b"IHDR", header)]
    if trns:
        chunks.append(chunk(b"tRNS", trns))
    chunks += [chunk(b"IDAT", zlib.compress(lines)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def tiff(bits: int, kind: int, rows: np.ndarray, order: str = "<") -> bytes:
    """Write a TIFF by hand: bits a sample, its kind (1 whole, 2 signed, 3 real), and samples."""
    height, width, *channels = rows.shape
    count = channels[0] if channels else 1
    data = rows.astype(rows.dtype.newbyteorder(order)).tobytes()
    after = 8 + len(data)
    tags = [
        (256, 4, [width]),
        (257, 4, [height]),
        (258, 3, [bits] * count),
        (259, 3, [1]),
        (262, 3, [2 if count > 2 else 1]),
        (273, 4, [8]),
        (277, 3, [count]),
        (278, 4, [height]),
        (279, 4, [len(data)]),
        *([(338, 3, [2])] if count in (2, 4) else []),
        (339, 3, [kind] * count),
    ]
    entries, further = b"", b""
    at = after + 2 + 12 * len(tags) + 4
    for tag, form, values in tags:
        packed = struct.pack(f"{order}{len(values)}{'H' if form == 3 else 'I'}", *values)
        if len(packed) > 4:
            value, further = struct.pack(order + "I", at + len(further)), further + packed
        else:
            value = packed.ljust(4, b"\0")
        entries += struct.pack(order + "HHI", tag, form, len(values)) + value
    return (
        struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, after)
        + data
        + struct.pack(order + "H", len(tags)) + entries + struct.pack(order + "I", 0) + further
    )  # fmt: skip


def deep(channels: int) -> np.ndarray:
    """Return 16-bit samples that 8 bits cannot hold."""
    return np.random.default_rng(3).integers(0, 65536, (HEIGHT, WIDTH, channels), np.uint16)


def pixels(data: bytes) -> np.ndarray:
    """Return what a file is read as."""
    return np.asarray(files.read(data).image)


def refusal(data: bytes) -> str:
    """Return the message that a file is refused with: one line, and no Python warning beside it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(ImageError) as raised:
            files.read(data)
    assert not caught
    text = str(raised.value)
    assert text.isprintable()
    assert len(text) < 200
    return text


LOSSLESS = [
    *[(name, mode) for name in ("PNG", "TIFF") for mode in PLAIN],
    *[(name, mode) for name in ("BMP", "PPM") for mode in ("L", "RGB")],
]


@pytest.mark.parametrize(("name", "mode"), LOSSLESS)
def test_a_plain_picture_is_read_as_it_is(name, mode):
    """Gray, colour, alpha and 16-bit gray come in sample for sample."""
    data = saved(Image.fromarray(samples(mode)), name)
    picture = files.read(data)
    assert (picture.format, picture.image.mode) == (name, mode)
    np.testing.assert_array_equal(np.asarray(picture.image), samples(mode))


@pytest.mark.parametrize(("name", "mode"), LOSSLESS)
def test_a_lossless_format_keeps_every_sample(name, mode):
    """What is written is read back by Pillow with the same samples."""
    data = files.encode(Image.fromarray(samples(mode)), name)
    with Image.open(io.BytesIO(data), formats=[name]) as image:
        assert image.mode == mode
        np.testing.assert_array_equal(np.asarray(image), samples(mode))


@pytest.mark.parametrize(
    ("name", "mode", "read_as"),
    [("JPEG", "L", "L"), ("JPEG", "RGB", "RGB"), ("WEBP", "RGB", "RGB"), ("WEBP", "RGBA", "RGBA"),
     ("WEBP", "L", "RGB"), ("WEBP", "LA", "RGBA")],
)  # fmt: skip
def test_a_lossy_format_keeps_the_picture(name, mode, read_as):
    """JPEG and WebP come back in their size and close to the samples of a smooth picture."""
    ramp = np.linspace(40, 200, 24 * 40).reshape(24, 40).astype(np.uint8)
    channels = PLAIN[mode][0]
    smooth = np.stack([ramp] * channels, axis=-1) if channels else ramp
    data = files.encode(Image.fromarray(smooth), name)
    picture = files.read(data)
    assert (picture.format, picture.image.mode, picture.image.size) == (name, read_as, (40, 24))
    back = np.asarray(picture.image.convert(mode), dtype=int)
    assert abs(back - smooth).max() <= 12


def test_a_palette_becomes_its_colours():
    """A palette picture is read as the colours it shows, from PNG, GIF, BMP and TIFF."""
    colours = samples("RGB").reshape(-1, 3)
    image = Image.new("P", (WIDTH, HEIGHT))
    image.putpalette(colours.tobytes())
    image.putdata(range(WIDTH * HEIGHT))
    for name in ("PNG", "GIF", "BMP", "TIFF"):
        np.testing.assert_array_equal(pixels(saved(image, name)), samples("RGB"))


@pytest.mark.parametrize("transparency", [2, bytes([255, 128, 0])], ids=["index", "bytes"])
def test_the_transparency_of_a_palette_becomes_alpha(transparency):
    """A palette with transparent entries is read with an alpha channel."""
    image = Image.new("P", (3, 1))
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image.putdata([0, 1, 2])
    found = pixels(saved(image, "PNG", transparency=transparency))
    alpha = [255, 255, 0] if transparency == 2 else [255, 128, 0]
    assert found.shape == (1, 3, 4)
    assert found[0, :, 3].tolist() == alpha
    assert found[0, :2, :3].tolist() == [[10, 20, 30], [40, 50, 60]]


def test_black_and_white_becomes_gray():
    """A picture of 1 bit a pixel is read as 0 and 255."""
    bits = samples("L") > 127
    for name in ("PNG", "TIFF", "BMP", "PPM"):
        found = pixels(saved(Image.fromarray(bits), name))
        np.testing.assert_array_equal(found, bits * np.uint8(255))


@pytest.mark.parametrize(("colour", "value"), [(0, (9,)), (2, (9, 8, 7))], ids=["gray", "RGB"])
def test_a_transparent_value_of_a_png_becomes_alpha(colour, value):
    """The one colour that a PNG calls transparent is read with alpha 0, all others with 255."""
    rows = np.full((2, 3, len(value)), 200, np.uint8)
    rows[1, 2] = value
    found = pixels(png(8, colour, rows, trns=struct.pack(f">{len(value)}H", *value)))
    assert found.shape == (2, 3, len(value) + 1)
    np.testing.assert_array_equal(found[..., :-1], rows)
    assert found[..., -1].tolist() == [[255, 255, 255], [255, 255, 0]]


def test_sixteen_bit_gray_is_exact_from_either_byte_order():
    """PNG is big-endian, TIFF may be either; the samples are the same."""
    wanted = samples("I;16")
    for data in (png(16, 0, wanted), tiff(16, 1, wanted), tiff(16, 1, wanted, order=">")):
        picture = files.read(data)
        assert picture.image.mode == "I;16"
        np.testing.assert_array_equal(np.asarray(picture.image), wanted)


DEEP = {
    "RGB PNG": png(16, 2, deep(3)),
    "RGBA PNG": png(16, 6, deep(4)),
    "LA PNG": png(16, 4, deep(2)),
    "RGB TIFF": tiff(16, 1, deep(3)),
    "RGBA TIFF": tiff(16, 1, deep(4)),
    "PPM": b"P6 7 5 65535\n" + deep(3).astype(">u2").tobytes(),
    "PPM of 1000": b"P6 7 5 1000\n" + (deep(3) % 1001).astype(">u2").tobytes(),
    "plain PPM": b"P3 1 1 65535\n1000 2000 3000\n",
}


@pytest.mark.parametrize("data", DEEP.values(), ids=DEEP.keys())
def test_sixteen_bits_a_colour_are_refused(data):
    """A picture that Pillow would cut to 8 bits in silence is refused, with the reason."""
    assert "16 bits" in refusal(data)


@pytest.mark.parametrize(
    "data",
    [
        tiff(16, 1, deep(2)),
        tiff(16, 1, deep(5)),
        tiff(32, 3, deep(3).astype("f4")),
        tiff(64, 3, deep(1).astype("f8")),
    ],
    ids=["16-bit LA", "five channels", "real RGB", "float64"],
)
def test_a_tiff_of_a_layout_that_is_not_read_is_still_called_an_image(data):
    """A good TIFF of samples that are not taken is not said to be no image."""
    assert "not an image" not in refusal(data)


def test_sixteen_bits_with_a_transparent_value_are_refused():
    """16-bit gray with a transparent value would lose one or the other."""
    data = png(16, 0, samples("I;16"), trns=struct.pack(">H", 9))
    text = refusal(data)
    assert "16 bits" in text
    assert "transparent" in text


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (saved(noise("CMYK"), "JPEG"), "CMYK"),
        (saved(noise("CMYK"), "TIFF"), "CMYK"),
        (saved(noise("LAB"), "TIFF"), "LAB"),
        (saved(noise("L").convert("F"), "TIFF"), "real samples"),
        (saved(noise("L").convert("I"), "TIFF"), "signed"),
        (tiff(16, 2, samples("I;16").astype("i2")), "signed"),
        (tiff(8, 2, samples("L").astype("i1")), "signed"),
        (b"Pf 2 1 -1.0\n" + struct.pack("<2f", 0.5, 1.5), "F"),
    ],
    ids=["CMYK JPEG", "CMYK TIFF", "LAB", "F", "I", "int16", "int8", "PFM"],
)
def test_samples_of_other_kinds_are_refused(data, fault):
    """What would be changed by being made gray or RGB is refused, and named."""
    assert fault in refusal(data)


@pytest.mark.parametrize("name", ["GIF", "PNG", "WEBP", "TIFF"])
def test_a_picture_of_several_frames_is_refused(name):
    """An animation or a document of several pages is not cut to its first frame in silence."""
    second = noise().transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    data = saved(noise(), name, save_all=True, append_images=[second, noise("L").convert("RGB")])
    assert "3 frames" in refusal(data)


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "LZW", "PPM", "GIF"])
@pytest.mark.parametrize("part", [0.02, 0.5, 0.9])
def test_a_file_that_is_cut_off_is_refused(name, part):
    """Half a download is no picture, wherever it ends."""
    form = ("TIFF", {"compression": "tiff_lzw"}) if name == "LZW" else (name, {})
    data = saved(noise(size=(64, 48)), form[0], **form[1])
    refusal(data[: int(len(data) * part)])


def test_a_tiff_that_is_damaged_in_its_compressed_part_is_refused():
    """A broken code inside is our one line."""
    data = bytearray(saved(noise(size=(64, 48)), "TIFF", compression="tiff_lzw"))
    data[200:2000] = b"\xff" * 1800
    assert "broken image" in refusal(bytes(data))


@pytest.mark.parametrize(
    "data",
    [
        b"just some text, and no image\n",
        b"\0" * 100,
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        saved(noise("RGB"), "EPS"),
        b"%PDF-1.4\n",
        saved(noise(), "TGA"),
    ],
    ids=["text", "zeros", "SVG", "EPS", "PDF", "TGA"],
)
def test_what_is_no_image_of_a_known_format_is_refused(data):
    """Anything else, and a format that would run other programs, is called no readable image."""
    text = refusal(data)
    assert "not an image" in text
    assert "PNG" in text


def test_an_empty_file_is_called_empty():
    """The commonest broken file has its own message."""
    assert "empty" in refusal(b"")


def test_a_picture_beyond_the_limit_is_refused_before_it_is_decoded():
    """A small file that declares 900 million pixels costs neither memory nor time."""
    data = png(8, 0, np.zeros((1, 1), np.uint8), size=(30_000, 30_000))
    text = refusal(data)
    assert "30000x30000" in text
    assert "500 million" in text


ORIENTED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", ORIENTED)
@pytest.mark.parametrize("name", ["PNG", "TIFF"])
def test_the_orientation_of_exif_is_applied(name, orientation):
    """A picture is filtered the way up that it is shown."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(Image.fromarray(samples("RGB")), name, exif=exif)
    np.testing.assert_array_equal(pixels(data), ORIENTED[orientation](samples("RGB")))


def test_the_orientation_of_a_jpeg_is_applied():
    """A camera's picture taken upright comes out upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(noise(size=(40, 24)), "JPEG", exif=exif)
    assert files.read(data).image.size == (24, 40)


def described(name: str) -> tuple[bytes, set[str]]:
    """Return a file with metadata, and the words for it."""
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    profile = b"a colour profile" * 10
    if name == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_text("Title", "a title")
        data = saved(noise(), name, exif=exif, icc_profile=profile, dpi=(300, 300), pnginfo=text)
        return data, {"EXIF", "colour profile", "resolution", "text"}
    if name == "JPEG":
        data = saved(
            noise(), name, exif=exif, icc_profile=profile, dpi=(300, 300), comment=b"a comment",
            xmp=b"<x:xmpmeta/>",
        )  # fmt: skip
        return data, {"EXIF", "colour profile", "resolution", "comment", "XMP"}
    data = saved(noise(), name, exif=exif, icc_profile=profile, xmp=b"<x:xmpmeta/>")
    return data, {"EXIF", "colour profile", "XMP"}


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP"])
def test_metadata_that_is_not_kept_is_said(name):
    """Whatever a file holds besides its pixels, and is left behind, has a word in the note."""
    data, words = described(name)
    assert set(files.read(data).lost) == words


def test_metadata_of_a_tiff_that_is_not_kept_is_said():
    """A TIFF's description, artist and resolution are metadata like those of other formats."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[270] = "a description"
    tags[315] = "an artist"
    assert files.read(saved(noise(), "TIFF", dpi=(300, 300))).lost == ("resolution",)
    assert set(files.read(saved(noise(), "TIFF", tiffinfo=tags)).lost) - {"resolution"}


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP", "TIFF", "PPM", "GIF"])
def test_a_picture_without_metadata_is_said_to_lose_none(name):
    """A plain file gives no note; one about nothing would be read as a loss."""
    assert files.read(saved(noise("L"), name)).lost == ()


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01", b"Exif\0\0not TIFF", b"Exif\0\0"]
)
def test_broken_exif_gives_no_python_warning(exif):
    """A picture with a broken EXIF block is read or refused, without a warning from Pillow."""
    data = saved(noise(), "JPEG")
    data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with contextlib.suppress(ImageError):
            files.read(data)
    assert not caught


@pytest.mark.parametrize(
    ("mode", "name", "lost"),
    [
        *[("LA", name, "transparency") for name in ("JPEG", "BMP", "PPM")],
        *[("RGBA", name, "transparency") for name in ("JPEG", "BMP", "PPM")],
        *[("I;16", name, "16 bits") for name in ("JPEG", "WEBP", "BMP")],
    ],
)  # fmt: skip
def test_what_a_format_cannot_keep_is_an_error_that_names_it(mode, name, lost):
    """Alpha or 16 bits are never cut in silence: the message names them and who keeps them."""
    with pytest.raises(ImageError) as caught:
        files.encode(Image.fromarray(samples(mode)), name)
    text = str(caught.value)
    assert text.startswith(f"{name} cannot keep {lost}")
    assert "PNG" in text


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_format_that_is_not_written_is_not_blamed_for_transparency(mode):
    """An opaque picture that came as GIF is refused for the format, not for an alpha it lacks."""
    with pytest.raises(ImageError) as caught:
        files.encode(Image.fromarray(samples(mode)), "GIF")
    assert "GIF" in str(caught.value)
    assert "transparency" not in str(caught.value)


def test_a_side_beyond_a_formats_limit_is_one_line():
    """What Pillow cannot write is told by format and reason."""
    with pytest.raises(ImageError, match="WEBP") as caught:
        files.encode(Image.new("L", (20_000, 1)), "WEBP")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("a.png", "PNG"), ("a.PNG", "PNG"), ("a.b.jpg", "JPEG"), ("a.jpeg", "JPEG"),
        ("a.tif", "TIFF"), ("a.tiff", "TIFF"), ("a.webp", "WEBP"), ("a.bmp", "BMP"),
        ("a.ppm", "PPM"), ("a.pgm", "PPM"), ("a.pnm", "PPM"),
    ],
)  # fmt: skip
def test_the_ending_of_a_name_chooses_the_format(name, wanted):
    """The last ending counts, in capitals or not."""
    assert files.format_of(Path("folder.jpg") / name) == wanted


@pytest.mark.parametrize("name", ["a", "a.gif", "a.xyz", ".png", "png", "a.png.bak"])
def test_a_name_without_a_known_ending_is_refused(name):
    """Where no format is meant, the message shows the endings there are."""
    with pytest.raises(ImageError, match=r"\.png, .*\.webp"):
        files.format_of(Path("out") / name)


@contextlib.contextmanager
def small_disk(size: int):
    """Let no file grow beyond a size, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def mask(bits: int):
    """Set the umask for a while."""
    before = os.umask(bits)
    try:
        yield
    finally:
        os.umask(before)


@pytest.fixture
def foreign_folder():
    """A folder that this process may look into but not write to, even if it runs as root."""
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base) / "locked"
        folder.mkdir(0o555)
        Path(base).chmod(0o755)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            if root:
                os.seteuid(0)


def test_a_file_is_written_with_its_missing_folders(tmp_path):
    """Folders on the way are made, and nothing but the file is in the last."""
    target = tmp_path / "one" / "two" / "a.png"
    files.write(b"data", target, force=False)
    assert target.read_bytes() == b"data"
    assert list(target.parent.iterdir()) == [target]


def test_an_existing_file_is_left_alone_without_force(tmp_path):
    """Without force an existing file, or a link to nowhere, is an error and stays."""
    target = tmp_path / "a.png"
    target.write_bytes(b"before")
    link = tmp_path / "link.png"
    link.symlink_to("nowhere.png")
    for path in (target, link):
        with pytest.raises(ImageError, match="exists; --force"):
            files.write(b"after", path, force=False)
    assert target.read_bytes() == b"before"
    assert sorted(tmp_path.iterdir()) == [target, link]


def test_force_overwrites_and_keeps_the_mode(tmp_path):
    """An overwritten file has the new bytes and the permissions it had."""
    target = tmp_path / "a.png"
    target.write_bytes(b"before, and longer than after")
    target.chmod(0o604)
    with mask(0o077):
        files.write(b"after", target, force=True)
    assert target.read_bytes() == b"after"
    assert target.stat().st_mode & 0o7777 == 0o604
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(("bits", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o002, 0o664)])
def test_a_new_file_honours_the_umask(tmp_path, bits, mode):
    """A new file has the permissions of any file that this user makes."""
    target = tmp_path / "a.png"
    with mask(bits):
        files.write(b"data", target, force=False)
    assert target.stat().st_mode & 0o7777 == mode


def test_a_link_is_written_through(tmp_path):
    """Overwriting a link changes the file it leads to, there or not yet; it stays a link."""
    (tmp_path / "real").mkdir()
    for name, before in (("old.png", b"before"), ("new.png", None)):
        real, link = tmp_path / "real" / name, tmp_path / name
        if before:
            real.write_bytes(before)
        link.symlink_to(Path("real") / name)
        files.write(b"after", link, force=True)
        assert link.is_symlink()
        assert real.read_bytes() == b"after"
    assert sorted(p.name for p in (tmp_path / "real").iterdir()) == ["new.png", "old.png"]


@pytest.mark.parametrize("exists", [True, False])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, exists):
    """A write that fails half-way keeps what was there and leaves no temporary file."""
    target = tmp_path / "a.png"
    if exists:
        target.write_bytes(b"before")
    with small_disk(1000), pytest.raises(ImageError) as caught:
        files.write(b"x" * 10_000, target, force=True)
    assert str(target) in str(caught.value)
    assert "too large" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"before"] * exists


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    """Ctrl-C while the bytes are on their way to the disk changes nothing."""

    def interrupt(_):
        raise KeyboardInterrupt

    target = tmp_path / "a.png"
    target.write_bytes(b"before")
    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        files.write(b"after", target, force=True)
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"before"]


def test_a_folder_that_cannot_be_written_to_is_one_line(foreign_folder):
    """Missing permission is told with the path, in one line."""
    target = foreign_folder / "a.png"
    for path in (target, foreign_folder / "deeper" / "a.png"):
        with pytest.raises(ImageError) as caught:
            files.write(b"data", path, force=False)
        assert str(path) in str(caught.value)
        assert "Permission denied" in str(caught.value)
        assert "\n" not in str(caught.value)
    assert list(foreign_folder.iterdir()) == []


def test_a_file_on_the_way_is_one_line(tmp_path):
    """A path through a file is told with the path, in one line."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ImageError, match=r"a\.png cannot be written: "):
        files.write(b"data", tmp_path / "file" / "a.png", force=False)


@pytest.mark.parametrize("stem", ["a" * 250, "漢" * 83, "😀" * 62], ids=["1", "3", "4"])
def test_a_name_as_long_as_the_file_system_takes_can_be_written(tmp_path, stem):
    """The temporary name is no longer than the name that was asked for may be, in bytes."""
    target = tmp_path / f"{stem}.png"
    target.write_bytes(b"the file system takes this name")
    files.write(b"data", target, force=True)
    assert target.read_bytes() == b"data"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("name", ["PNG", "TIFF"])
def test_compression_changes_the_size_and_no_sample(name):
    """A lossless output is as large as asked for, and the same picture."""
    image = Image.effect_mandelbrot((200, 150), (-2, -1.5, 1, 1.5), 100)
    sizes = {}
    for compress in files.COMPRESS:
        data = files.encode(image, name, compress=compress)
        assert Image.open(io.BytesIO(data)).tobytes() == image.tobytes()
        sizes[compress] = len(data)
    assert sizes["small"] < sizes["fast"] < sizes["none"]


def test_quality_changes_the_size_of_a_lossy_output():
    """A higher quality takes more bytes."""
    image = Image.effect_noise((200, 150), 40)
    sizes = [len(files.encode(image, "JPEG", quality=quality)) for quality in (20, 60, 95)]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == 3


def test_a_large_jpeg_is_read_as_pillow_reads_it(tmp_path):
    """The memory prepared for a large JPEG, in large pages, ends up with the same samples."""
    noise = np.random.default_rng(5).integers(0, 256, (40, 45, 3), np.uint8)
    large = Image.fromarray(noise).resize((1801, 1603), Image.Resampling.BICUBIC)
    for image in (large, large.convert("L")):
        path = tmp_path / "large.jpg"
        image.save(path, quality=95)
        with Image.open(path) as wanted:
            found = files.read(path.read_bytes()).image
            np.testing.assert_array_equal(np.asarray(found), np.asarray(wanted))


def test_a_jpeg_is_written_where_the_system_gives_no_file_in_memory(monkeypatch):
    """Refused as well as missing: the bytes are the same."""
    with_descriptor = files.encode(noise(), "JPEG")

    def refuse(_):
        raise OSError("not allowed here")

    monkeypatch.setattr(os, "memfd_create", refuse)
    assert files.encode(noise(), "JPEG") == with_descriptor
