"""What image files are read as, and what is refused, before and behind their pixels."""

import contextlib
import io
import re
import struct
import sys
import warnings

import numpy as np
import pytest
import tifffile
from PIL import Image

from imgconv.errors import ImageError
from imgconv.pictures import decode
from imgconv.pictures.decode import Reading
from imgconv.pictures.pixels import ImagePixels
from tests.images import HEIGHT, PLAIN, WIDTH, chunk, deep, noise, png, samples, saved, tiff


def single(data: bytes) -> Image.Image:
    """Return the only frame of a file, as Pillow holds it."""
    (frame,) = decode.read(data).frames
    assert isinstance(frame, ImagePixels)
    return frame.image


def pixels(data: bytes) -> np.ndarray:
    """Return what a file is read as."""
    return np.asarray(single(data))


def refusal(data: bytes) -> str:
    """Return the message that a file is refused with: one line, and no Python warning beside it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(ImageError) as raised:
            decode.read(data)
    assert not caught
    text = str(raised.value)
    assert text.isprintable()
    assert len(text) < 200
    return text


LOSSLESS = [
    *[(name, mode) for name in ("PNG", "TIFF") for mode in PLAIN],
    *[(name, mode) for name in ("BMP", "PPM") for mode in ("L", "RGB")],
    ("TIFF", "CMYK"),
    ("TIFF", "F"),
    ("PPM", "F"),
]


@pytest.mark.parametrize(("name", "mode"), LOSSLESS)
def test_a_plain_picture_is_read_as_it_is(name, mode):
    """Gray, colour, alpha and 16-bit gray come in sample for sample."""
    image = Image.fromarray(samples(mode)) if mode in PLAIN else noise(mode)
    data = saved(image, name)
    wanted = {"PPM": "PFM" if mode == "F" else "PNM"}
    assert decode.read(data).format == wanted.get(name, name)
    assert single(data).mode == mode
    np.testing.assert_array_equal(pixels(data), np.asarray(image))


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
        assert single(data).mode == "I;16"
        np.testing.assert_array_equal(pixels(data), wanted)


def read_deep(data: bytes) -> np.ndarray:
    """Return the samples of a file that Pillow would cut."""
    (frame,) = decode.read(data).frames
    return frame.array()


DEEP = {
    "RGB PNG": (png(16, 2, deep(3)), deep(3)),
    "RGBA PNG": (png(16, 6, deep(4)), deep(4)),
    "LA PNG": (png(16, 4, deep(2)), deep(2)),
    "RGB TIFF": (tiff(16, 1, deep(3)), deep(3)),
    "big-endian TIFF": (tiff(16, 1, deep(3), order=">"), deep(3)),
    "RGBA TIFF": (tiff(16, 1, deep(4)), deep(4)),
    "LA TIFF": (tiff(16, 1, deep(2)), deep(2)),
    "real RGB TIFF": (tiff(32, 3, deep(3).astype("f4")), deep(3)),
    "float64 TIFF": (tiff(64, 3, deep(1).astype("f8")), deep(1)),
    "float16 TIFF": (tiff(16, 3, (deep(3) % 2048).astype("f2")), deep(3) % 2048),
}


@pytest.mark.parametrize(("data", "wanted"), DEEP.values(), ids=DEEP.keys())
def test_deep_pictures_are_read_sample_for_sample(data, wanted):
    """What Pillow would cut to 8 bits, or not read, comes in whole."""
    np.testing.assert_array_equal(read_deep(data), wanted)


@pytest.mark.parametrize("compression", [None, "lzw", "deflate"])
@pytest.mark.parametrize("end", ["<", ">"])
@pytest.mark.parametrize("kind", ["uint16", "float32"])
def test_every_byte_order_is_read(kind, end, compression):
    """Whole numbers and reals, compressed or not."""
    array = np.random.default_rng(1).integers(0, 65536, (5, 7)).astype(kind)
    out = io.BytesIO()
    tifffile.imwrite(out, array, byteorder=end, compression=compression, metadata=None)
    (frame,) = decode.read(out.getvalue()).frames
    np.testing.assert_array_equal(frame.array()[:, :, 0], array)


def test_gray_and_alpha_in_planes_are_read():
    """Which Pillow calls a broken image."""
    array = np.random.default_rng(1).integers(0, 256, (2, 5, 7), np.uint8)
    out = io.BytesIO()
    options = {"planarconfig": "separate", "extrasamples": ["unassalpha"]}
    tifffile.imwrite(out, array, photometric="minisblack", metadata=None, **options)
    (frame,) = decode.read(out.getvalue()).frames
    np.testing.assert_array_equal(frame.array(), np.moveaxis(array, 0, 2))


@pytest.mark.parametrize("name", [name for name in DEEP if "TIFF" in name])
def test_without_the_extra_a_deep_tiff_is_refused_with_its_remedies(name, monkeypatch):
    """Never a silent cut: the error names the depth, the extra and the option."""
    monkeypatch.setitem(sys.modules, "tifffile", None)
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    text = refusal(DEEP[name][0])
    assert re.search("16 bits|real numbers|does not read|64 bits", text)
    assert "imgconv[deep]" in text
    assert ("--depth 8" in text) != ("does not read" in text), "which --depth would not help"


SHALLOW = [name for name in DEEP if "TIFF" not in name] + ["RGB TIFF", "RGBA TIFF"]


@pytest.mark.parametrize("name", SHALLOW)
@pytest.mark.parametrize("extra", [True, False])
def test_depth_8_takes_the_upper_bits_with_the_extra_or_without(name, extra, monkeypatch):
    """A cut that is asked for is the same everywhere."""
    if not extra:
        monkeypatch.setitem(sys.modules, "tifffile", None)
        monkeypatch.setitem(sys.modules, "imagecodecs", None)
    data, wanted = DEEP[name]
    (frame,) = decode.read(data, Reading(shallow=True)).frames
    np.testing.assert_array_equal(frame.array(), wanted >> 8)


def test_depth_8_cuts_gray_and_reals():
    """16-bit gray gives its upper bits, reals from 0 to 1 are rounded, beyond it saturated."""
    gray = png(16, 0, samples("I;16"))
    (frame,) = decode.read(gray, Reading(shallow=True)).frames
    np.testing.assert_array_equal(frame.array()[:, :, 0], samples("I;16") >> 8)
    reals = Image.fromarray(np.array([[-1, 0, 0.5, 1, 7]], np.float32))
    (frame,) = decode.read(saved(reals, "TIFF"), Reading(shallow=True)).frames
    assert frame.array().ravel().tolist() == [0, 0, 128, 255, 255]


@pytest.mark.parametrize(
    "data",
    [
        b"P6 7 5 65535\n" + deep(3).astype(">u2").tobytes(),
        b"P6 7 5 1000\n" + (deep(3) % 1001).astype(">u2").tobytes(),
        b"P3 1 1 65535\n1000 2000 3000\n",
    ],
    ids=["PPM", "PPM of 1000", "plain PPM"],
)
def test_a_deep_ppm_is_refused(data):
    """Colours of 16 bits in a PPM are cut by Pillow, and by nobody else we know."""
    text = refusal(data)
    assert "16 bits" in text
    assert "--depth 8" in text


def test_a_deep_pgm_is_gray_of_16_bits():
    """Gray of 16 bits in a PGM is whole."""
    data = b"P5 7 5 65535\n" + samples("I;16").astype(">u2").tobytes()
    assert single(data).mode == "I;16"
    np.testing.assert_array_equal(pixels(data), samples("I;16"))


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (saved(noise("LAB"), "TIFF"), "LAB"),
        (saved(noise("L").convert("I"), "TIFF"), "signed"),
        (tiff(16, 2, samples("I;16").astype("i2")), "signed"),
        (tiff(8, 2, samples("L").astype("i1")), "signed"),
        (tiff(32, 1, deep(1).astype("u4")), "32 bits"),
    ],
    ids=["LAB", "I", "int16", "int8", "uint32"],
)
def test_samples_of_other_kinds_are_refused(data, fault):
    """What would be changed by being made gray or RGB is refused, and named."""
    text = refusal(data)
    assert fault in text
    assert "not an image" not in text


@pytest.mark.parametrize(("colour", "value"), [(0, (9,)), (2, (9, 8, 7))], ids=["gray", "RGB"])
def test_a_transparent_value_of_16_bits_becomes_alpha(colour, value):
    """As with 8 bits: one colour is not seen, all others are."""
    rows = np.full((2, 3, len(value)), 2000, np.uint16)
    rows[1, 2] = value
    found = read_deep(png(16, colour, rows, trns=struct.pack(f">{len(value)}H", *value)))
    np.testing.assert_array_equal(found[..., :-1], rows)
    assert found[..., -1].tolist() == [[65535] * 3, [65535, 65535, 0]]


@pytest.mark.parametrize("name", ["RGB PNG", "RGB TIFF", "real RGB TIFF"])
@pytest.mark.parametrize("part", [0.02, 0.5, 0.9])
def test_a_deep_file_that_is_cut_off_is_refused(name, part):
    """Also by the libraries of the extra."""
    data, _ = DEEP[name]
    if "TIFF" in name:  # with its directory before the samples, which nobody then misses
        out = io.BytesIO()
        with tifffile.TiffWriter(out) as file:
            file.write(deep(3).repeat(20, axis=0), photometric="rgb", rowsperstrip=5)
        data = out.getvalue()
    refusal(data[: int(len(data) * part)])


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


@pytest.mark.parametrize("compression", ["group3", "tiff_lzw", "jpeg"])
def test_damage_that_libtiff_tells_stderr_of_is_refused(compression, capfd):
    """It goes on behind bad codes of a fax; what it prints is no line of ours."""
    mode = "L" if compression in ("tiff_lzw", "jpeg") else "1"
    data = bytearray(saved(noise(mode, (64, 48)), "TIFF", compression=compression))
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        (start,), (size,) = file.pages[0].dataoffsets, file.pages[0].databytecounts
    end = start + size - size // 3
    data[start + size // 3 : end] = (b"\xff\x4f\0\x11" * size)[: end - start - size // 3]
    assert refusal(bytes(data)) == "broken image: its data are damaged; get a sound copy"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "error",
    [
        KeyError(296),
        IndexError("tuple index out of range"),
        TypeError("'<' not supported between instances of 'tuple' and 'int'"),
        struct.error("unpack_from requires a buffer of at least 4 bytes"),
        ValueError("cannot reshape array of size 5 into shape (2,3)"),
        OSError("decoder error -2"),
        ValueError(),
    ],
)
def test_words_about_a_decoder_are_not_told_as_words_about_a_file(error, monkeypatch):
    """What Python raises in the midst of somebody's code helps nobody with a picture."""

    def failing(*_):
        raise error

    monkeypatch.setattr(decode, "_decoded", failing)
    assert refusal(b"BM") == "broken image: its data are damaged; get a sound copy"


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
    assert single(data).size == (24, 40)


@pytest.mark.parametrize("place", [6, 28, 51], ids=["canvas", "first frame", "last frame"])
def test_a_gif_is_asked_for_its_size_before_room_is_made_for_it(place):
    """A few bytes that clear a canvas of 65535 x 65535, or put a frame far outside of it."""
    clear = b"!\xf9\4\x08\0\0\0\0"
    frame = struct.pack("<B4HB", 0x2C, 0, 0, 2, 2, 0) + b"\2\2\x84\x51\0"
    data = bytearray(b"GIF89a" + struct.pack("<2H3B", 2, 2, 0x80, 0, 0) + bytes(6))
    data += (clear + frame) * 2 + b";"
    assert [frame.size for frame in decode.read(bytes(data)).frames] == [(2, 2)] * 2
    data[place : place + 4] = b"\xff" * 4
    assert re.search("2 frames up to 6553[57]x6553[57] is more than", refusal(bytes(data)))


def test_a_gif_may_be_gray_before_it_has_colours():
    """Pillow then says that there is a palette, and has none."""
    images = [Image.new(mode, (2, 2)) for mode in ("L", "P")]
    gray, colour = (saved(image, "GIF", optimize=False) for image in images)
    place = "<4HB", 0, 0, 2, 2, 0x80  # with colours of its own
    own = b"," + struct.pack(*place) + bytes([9, 8, 7, 1, 2, 3]) + colour[colour.index(b",") + 10 :]
    picture = decode.read(gray.removesuffix(b";") + own.removesuffix(b";") + own)
    assert [frame.names for frame in picture.frames] == ["rgb"] * 3
    assert [picture.frames[i].array()[0, 0].tolist() for i in (0, 2)] == [[0, 0, 0], [9, 8, 7]]


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP", "TIFF", "PPM", "GIF"])
def test_a_picture_without_metadata_is_said_to_lose_none(name):
    """A plain file gives no note; one about nothing would be read as a loss."""
    picture = decode.read(saved(noise("L"), name))
    assert picture.lost == picture.metadata[0].lost == ()


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01", b"Exif\0\0not TIFF", b"Exif\0\0"]
)
def test_broken_exif_gives_no_python_warning(exif):
    """A picture with a broken EXIF block is read, without a warning from Pillow."""
    data = saved(noise(), "JPEG")
    data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        decode.read(data)
    assert not caught


def test_a_large_jpeg_is_read_as_pillow_reads_it(tmp_path):
    """The memory prepared for a large JPEG, in large pages, ends up with the same samples."""
    noise = np.random.default_rng(5).integers(0, 256, (40, 45, 3), np.uint8)
    large = Image.fromarray(noise).resize((1801, 1603), Image.Resampling.BICUBIC)
    for image in (large, large.convert("L")):
        path = tmp_path / "large.jpg"
        image.save(path, quality=95)
        with Image.open(path) as wanted:
            found = single(path.read_bytes())
            np.testing.assert_array_equal(np.asarray(found), np.asarray(wanted))


@pytest.mark.parametrize(
    ("name", "mode", "options"),
    [
        ("JPEG", "L", {}),
        ("JPEG", "CMYK", {}),
        ("JPEG", "RGB", {"progressive": True}),
        ("MPO", "RGB", {"save_all": True, "append_images": [noise()]}),
        ("PNG", "RGB", {}),
        ("BMP", "RGB", {}),
        ("PPM", "RGB", {}),
        ("WEBP", "RGB", {"lossless": True}),
        ("GIF", "P", {}),
    ],
)
def test_a_picture_is_read_whole_or_refused_wherever_it_is_cut(name, mode, options):
    """What a file cut short is read as, if it is read, are the pixels of the whole one."""
    data = saved(noise(mode), name, **options)
    whole = pixels(data)
    for length in range(len(data)):
        with contextlib.suppress(ImageError):
            assert np.array_equal(pixels(data[:length]), whole), length


def test_a_jpeg_that_ends_before_its_pixels_is_said_to():
    """Without a start of scan there is nothing to decode."""
    data = saved(noise(), "JPEG")
    assert "ends before its pixels" in refusal(data[: data.index(b"\xff\xda")])


def test_an_animation_cut_off_between_frames_is_told():
    """A GIF has no count of its frames: it is its end that is missing."""
    frames = [noise("P"), Image.new("P", (WIDTH, HEIGHT), 3)]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    cut = data[: data.index(b"\x21\xf9", data.index(b"\x2c"))]
    picture = decode.read(cut)
    assert (len(picture.frames), len(picture.lost)) == (1, 1)
    assert "cut off" in picture.lost[0]
    assert not decode.read(data).lost
    assert not decode.read(data + bytes(9)).lost


@pytest.mark.parametrize("place", ["behind", "before"])
@pytest.mark.parametrize("count", [2, 3])
def test_transparency_that_is_not_of_the_palette_is_left_out(place, count):
    """More entries than colours, or entries before them: as libpng, which leaves them out too."""
    rows = np.array([[0, 1]], np.uint8)
    data, colours = png(8, 3, rows), chunk(b"PLTE", bytes(range(6)))
    notes = [colours, chunk(b"tRNS", bytes(count))]
    notes = b"".join(notes if place == "behind" else notes[::-1])
    picture = decode.read(data[:33] + notes + data[33:])
    fits = (place, count) == ("behind", 2)
    wanted = [[[0, 1, 2, 0], [3, 4, 5, 0]]] if fits else [[[0, 1, 2], [3, 4, 5]]]
    np.testing.assert_array_equal(picture.frames[0].array(), wanted)
    assert picture.lost == (() if fits else ("tRNS (broken)",))


def test_a_png_without_colours_is_no_black_picture():
    """A palette that is empty, missing or there twice; a packing that nobody knows."""
    data, colours = png(8, 3, np.array([[0, 1]], np.uint8)), chunk(b"PLTE", bytes(range(6)))
    for notes in (b"", chunk(b"PLTE", b""), colours * 2):
        assert "palette" in refusal(data[:33] + notes + data[33:])
    head = data[16:26] + b"\x80" + data[27:29]
    assert "packing" in refusal(data[:8] + chunk(b"IHDR", head) + colours + data[33:])


def test_a_profile_of_which_a_part_is_missing_is_told():
    """A JPEG has it in parts, which say how many they are."""
    profile = bytes(range(200))
    data = saved(noise(), "JPEG", icc_profile=profile)
    assert decode.read(data).metadata[0].icc == profile
    at = data.index(b"ICC_PROFILE\0") + 13
    picture = decode.read(data[:at] + b"\2" + data[at + 1 :])
    assert not picture.metadata[0].icc
    assert picture.metadata[0].lost == ("colour profile (broken)",)


@pytest.mark.parametrize("depth", [8, 16])
def test_a_png_whose_pixels_have_a_bad_crc_is_refused(depth):
    """Damaged pixels are told from their checksum, where zlib finds nothing."""
    rows = samples("RGB").astype("u1" if depth == 8 else "u2")
    data = bytearray(png(depth, 2, rows))
    for kind in (b"IHDR", b"IDAT", b"IEND"):
        at = data.index(kind) - 4
        end = at + 12 + struct.unpack(">I", data[at : at + 4])[0]
        damaged = bytearray(data)
        damaged[end - 1] ^= 1
        assert f"CRC of its {kind.decode()} chunk" in refusal(bytes(damaged))


@pytest.mark.parametrize(
    ("notes", "lost"),
    [
        (chunk(b"tEXt", b"Author\0somebody", good=False), "tEXt (broken)"),
        (chunk(b"gAMA", struct.pack(">I", 45455), good=False), "gAMA (broken)"),
        (chunk(b"cHRM", b""), "cHRM (broken)"),
        (chunk(b"iCCP", b"name\0\0no deflate"), "iCCP (broken)"),
        (chunk(b"zTXt", b"key\0\1unknown method"), "zTXt (broken)"),
        (chunk(b"prVt", b"", good=False) + chunk(b"cHRM", b"1"), "prVt (broken) cHRM (broken)"),
        (chunk(b"eXIf", b"junk"), "EXIF (broken)"),
        (chunk(b"eXIf", b"II*\0\xff\xff\xff\xff"), ""),
    ],
)
@pytest.mark.parametrize("depth", [8, 16])
def test_a_png_with_broken_notes_is_read_and_they_are_told(notes, lost, depth):
    """What says nothing of the pixels keeps nobody from reading them."""
    rows = samples("RGB").astype("u1" if depth == 8 else "u2")
    data = png(depth, 2, rows)
    for at in (33, len(data) - 12):  # before and behind the pixels
        if notes[4:8] in (b"cHRM", b"iCCP", b"prVt") and at > 33:
            continue
        picture = decode.read(data[:at] + notes + data[at:])
        np.testing.assert_array_equal(picture.frames[0].array(), rows)
        assert " ".join((*picture.lost, *picture.metadata[0].lost)) == lost


@pytest.mark.parametrize("name", ["JPEG", "WEBP", "PNG"])
def test_junk_in_place_of_exif_is_told_and_the_picture_read(name):
    """The tags are lost, the pixels are as without them."""
    options = {"lossless": True} if name == "WEBP" else {}
    data = saved(noise(), name, exif=b"Exif\0\0II+junk", **options)
    picture = decode.read(data)
    np.testing.assert_array_equal(
        picture.frames[0].array(), pixels(saved(noise(), name, **options))
    )
    assert picture.metadata[0].lost == ("EXIF (broken)",)


def test_a_png_without_its_end_is_read_and_that_is_told():
    """All pixels are there, what may have followed them is not."""
    data = png(8, 2, samples("RGB"))
    picture = decode.read(data[:-12])
    np.testing.assert_array_equal(picture.frames[0].array(), samples("RGB"))
    assert "cut off" in picture.lost[0]


def bmp(bits: int, masks: tuple[int, ...], words: np.ndarray, *, size: int = 124) -> bytes:
    """Write a BMP with masks by hand, rows upwards; in a header of 40 bytes they follow it."""
    height, width = words.shape
    row = words.astype("<u2" if bits == 16 else "<u4").tobytes()
    step = width * bits // 8
    rows = [row[i * step : (i + 1) * step] for i in range(height)]
    data = b"".join(r + bytes(-len(r) % 4) for r in reversed(rows))
    kind = (6 if len(masks) == 4 and size == 40 else 3) if masks else 0
    head = struct.pack("<IiiHHIIiiII", size, width, height, 1, bits, kind, len(data), 0, 0, 0, 0)
    head += struct.pack(f"<{len(masks)}I", *masks)
    head = head.ljust(size, b"\0")
    offset = 14 + len(head)
    return b"BM" + struct.pack("<IHHI", offset + len(data), 0, 0, offset) + head + data


@pytest.mark.parametrize("size", [40, 56, 124])
@pytest.mark.parametrize(
    ("bits", "masks"),
    [
        (16, (0x7C00, 0x3E0, 0x1F, 0x8000)),
        (16, (0xF00, 0xF0, 0xF, 0xF000)),
        (16, (0xF800, 0x7E0, 0x1F)),
        (16, ()),
        (32, (0xFF0000, 0xFF00, 0xFF, 0xFF000000)),
        (32, (0xFF, 0xFF00, 0xFF0000)),
        (32, (0x3FF00000, 0xFFC00, 0x3FF, 0xC0000000)),
    ],
)
def test_a_bmp_with_masks_is_read_with_its_alpha(size, bits, masks):
    """Each sample is as far from black to white as its bits say."""
    words = np.random.default_rng(4).integers(0, 2**bits, (HEIGHT, WIDTH))
    (frame,) = decode.read(bmp(bits, masks, words, size=size)).frames
    each = masks or (0x7C00, 0x3E0, 0x1F)
    shares = [(words & m) / m for m in each]  # of white
    white = 65535 if max(m.bit_count() for m in each) > 8 else 255
    assert (frame.names, frame.kind) == ("rgba"[: len(each)], f"uint{white.bit_length()}")
    np.testing.assert_allclose(frame.array(), np.dstack(shares) * white, atol=0.5001)


def test_a_bmp_with_masks_that_cannot_be_is_refused():
    """Masks that overlap, have gaps or leave the word are no picture's; nor is one cut off."""
    words = np.zeros((2, 2), int)
    for masks in ((3, 2, 4), (5, 8, 16), (0x10000, 1, 2), (1, 2, 0)):
        assert "its masks" in refusal(bmp(16, masks, words))
    assert "cut off" in refusal(bmp(16, (1, 2, 4), words)[:-1])


@pytest.mark.parametrize(
    ("bits", "kind", "size", "words"),
    [
        (0, 4, 40, "0-bit pixels with JPEG"),
        (24, 4, 64, "24-bit pixels with RLE24"),
        (1, 3, 64, "1-bit pixels with Huffman's code"),
        (16, 1, 40, "16-bit pixels with RLE8"),
        (32, 11, 124, "32-bit pixels with CMYK"),
        (2, 0, 40, "2-bit pixels with no packing"),
        (24, 0, 16, "a header of 16 bytes"),
    ],
)
def test_a_bmp_of_a_kind_that_is_not_read_is_named(bits, kind, size, words):
    """Not called broken, nor told in a decoder's words."""
    data = bytearray(bmp(32, (), np.zeros((HEIGHT, WIDTH), int), size=max(size, 40)))
    data[14:18], data[28:30] = struct.pack("<I", size), struct.pack("<H", bits)
    data[30:34] = struct.pack("<I", kind)
    assert refusal(bytes(data)).startswith(f"is a BMP {'with' if size == 16 else 'of'} {words}")


def test_the_unused_bytes_of_a_bmp_are_told_if_they_look_like_alpha():
    """By the standard they are nobody's; some programs write alpha there."""
    image = Image.fromarray(samples("RGBA"))
    assert "fourth" in decode.read(saved(image, "BMP")).lost[0]
    image.putalpha(255)
    assert decode.read(saved(image, "BMP")).lost == ()


def both_ways(run, path, *options):
    """The samples that come out, decoded whole and piece by piece; or the refusals."""
    found = []
    for further in ((), ("--tile", "16")):
        target = path.with_name("out.tif")
        done = run("apply", path, "-k", "identity", *options, *further, "-o", target, "--force")
        found.append(tifffile.imread(target) if done.code == 0 else done.err)
    return found


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite", "rgb"])
def test_packed_samples_are_scaled_to_16_bits(bits, photometric, run, tmp_path):
    """White is white, the same whole, in pieces and cut to 8 bits."""
    top = (1 << bits) - 1
    image = np.linspace(0, top, 35 * 20).round().astype(np.uint16).reshape(35, 20)
    image = np.stack([image, image[::-1], image // 2], 2) if photometric == "rgb" else image
    path = tmp_path / "in.tif"
    tifffile.imwrite(path, image, bitspersample=bits, photometric=photometric, metadata=None)
    shown = top - image.astype(int) if photometric == "miniswhite" else image.astype(int)
    wanted = np.rint(shown * 65535 / top)
    for found in both_ways(run, path):
        np.testing.assert_array_equal(found, wanted)
    for found in both_ways(run, path, "--depth", "8"):
        np.testing.assert_array_equal(found, wanted.astype(int) >> 8)


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_a_page_without_data_is_no_copy_of_the_one_before(kind, run, tmp_path):
    """Its offsets are lost: whether whole, in pieces or alone, it is refused."""
    path = tmp_path / "in.tif"
    with tifffile.TiffWriter(path) as file:
        for level in (50, 200):
            file.write(np.full((24, 30), level, kind), metadata=None)
    with tifffile.TiffFile(path) as file:
        place = file.pages[1].tags[273].offset
    data = bytearray(path.read_bytes())
    data[place : place + 2] = struct.pack("<H", 272)
    path.write_bytes(data)
    for found in (*both_ways(run, path), *both_ways(run, path, "--frame", "1")):
        assert "broken image" in found


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_images_in_a_row_are_no_single_picture(kind, run, tmp_path):
    """As ImageJ writes stacks over 4 GB: one directory, and ten images behind it."""
    path, stack = tmp_path / "in.tif", np.zeros((10, 24, 30), kind)
    options = {"imagej": True, "metadata": {"axes": "ZYX"}}
    tifffile.imwrite(path, stack, truncate=True, **options)
    assert all("images" in found and "10" in found for found in both_ways(run, path))
    tifffile.imwrite(path, stack, **options)
    assert all(found.shape == stack.shape for found in both_ways(run, path))


def test_a_thumbnail_is_not_the_picture(run, tmp_path):
    """A camera's raw file begins with a small picture of what it holds."""
    path = tmp_path / "in.dng"
    with tifffile.TiffWriter(path) as file:
        small = np.zeros((12, 16, 3), np.uint8)
        version = (50706, "B", 4, (1, 4, 0, 0), True)
        file.write(small, subifds=1, subfiletype=1, photometric="rgb", extratags=[version])
        file.write(np.zeros((384, 512), np.uint16), photometric="minisblack")
    path.rename(tmp_path / "in.tif")
    for found in both_ways(run, tmp_path / "in.tif"):
        assert "thumbnail" in found
