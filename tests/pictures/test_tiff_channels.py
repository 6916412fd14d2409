"""What the channels of a TIFF are: the same whole, piece by piece and from stdin.

Files are made by tifffile and Pillow, and what comes out is read by them, never by imgconv.
"""

import io
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from imgconv.errors import ImageError
from imgconv.pictures import decode, heads, tiff_pieces
from imgconv.pictures.picture import Reading

KINDS = ["uint8", "uint16", "float32"]
SIZE = 37, 29  # no multiple of a tile


def noise(*shape: int, kind: str = "uint8", least: int = 0) -> np.ndarray:
    """Return samples of a kind, reals from 0 to 1."""
    found = np.random.default_rng(7).random(shape)
    top = 1 if kind == "float32" else np.iinfo(kind).max - least
    return (found * top).astype(kind) + np.array(least, kind)


def tiff(image: np.ndarray, *, planes: bool = False, **options) -> bytes:
    """Return a TIFF of samples of shape (H, W, C), side by side or in planes."""
    out = io.BytesIO()
    options |= {"planarconfig": "separate" if planes else "contig"} if image.ndim == 3 else {}
    image = np.moveaxis(image, 2, 0) if planes else image
    tifffile.imwrite(out, image, metadata=None, **options)
    return out.getvalue()


def untagged(data: bytes, code: int) -> bytes:
    """Return a TIFF without a tag, which is a private one instead."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        at = file.pages[0].tags[code].offset
    return data[:at] + (65000).to_bytes(2, "little") + data[at + 2 :]


def both(data: bytes, path: Path) -> tuple[str, np.ndarray, tuple[str, ...]]:
    """Return names, samples and what is lost, read whole and in pieces alike; or the refusal."""
    (path / "in.tif").write_bytes(data)
    found = []
    try:
        picture = decode.read(data)
        (frame,) = picture.frames
        found.append((frame.names, frame.array(), picture.lost))
    except ImageError as error:
        found.append(("", np.zeros(0), (str(error),)))
    try:
        file = tiff_pieces.File(str(path / "in.tif"), Reading())
        (page,) = file.pages
        samples = np.hstack([page.read(range(SIZE[0]), r) for r in (range(11), range(11, SIZE[1]))])
        found.append((page.names, samples, tuple(file.lost)))
        file.close()
    except ImageError as error:
        found.append(("", np.zeros(0), (str(error),)))
    (whole, pieces) = found
    assert (whole[0], whole[2]) == (pieces[0], pieces[2])
    np.testing.assert_array_equal(whole[1], pieces[1])
    assert whole[1].dtype == pieces[1].dtype
    return whole


def written(run, source: Path, *options: object) -> list[tuple[np.ndarray, str, list[int]]]:
    """Return what comes out whole, in pieces and from stdin: samples, colours, extra samples."""
    found = []
    for how in ((), ("--tile", 16)):
        target = source.with_name("out.tif")
        done = run("apply", source, *options, *how, "-o", target, "--force")
        assert done.code == 0, done.err
        found.append(target.read_bytes())
    done = run("apply", "-", *options, "--format", "TIFF", stdin=source.read_bytes())
    assert done.code == 0, done.err
    pages = [tifffile.TiffFile(io.BytesIO(data)).pages[0] for data in (*found, done.out)]
    return [(p.asarray(), p.photometric.name, [int(e) for e in p.extrasamples]) for p in pages]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("planes", [False, True])
@pytest.mark.parametrize(
    ("photometric", "names"),
    [("minisblack", "l"), ("rgb", "rgb"), ("separated", "cmyk")],
)
def test_channels_that_are_not_alpha_are_data(photometric, names, planes, kind, tmp_path):
    """However many there are, beside whichever colours."""
    for others in (1, 2):
        image = noise(*SIZE, len(names) + others, kind=kind)
        data = tiff(image, photometric=photometric, extrasamples=[0] * others, planes=planes)
        found, samples, lost = both(data, tmp_path)
        assert (found, lost) == (names + "x" * others, ())
        np.testing.assert_array_equal(samples, image)


@pytest.mark.parametrize(
    ("kind", "photometric", "count"),
    [("uint8", "rgb", 4), ("uint16", "rgb", 4), ("uint8", "minisblack", 2)],
)
def test_data_beside_colours_is_filtered_and_tagged_as_it_was(
    kind, photometric, count, run, tmp_path
):
    """Like the colours; as `x` it can be chosen or left alone."""
    source, image = tmp_path / "in.tif", noise(*SIZE, count, kind=kind)
    source.write_bytes(tiff(image, photometric=photometric, extrasamples=[0]))
    for channels, chosen in (("auto", range(count)), ("x", [count - 1])):
        wanted = image.copy()
        wanted[:-1, :, chosen] = image[1:, :, chosen]  # the middle tap is the second of three
        for samples, colour, extra in written(run, source, "-k", "0;0;1", "--channels", channels):
            np.testing.assert_array_equal(samples, wanted)
            assert (colour.lower(), extra) == (photometric, [0])


def test_data_beside_colours_goes_along_where_they_become_others(run, tmp_path):
    """Under luma and as gray it is neither brightness nor a part of it."""
    source, image = tmp_path / "in.tif", noise(*SIZE, 4)
    source.write_bytes(tiff(image, photometric="rgb", extrasamples=[0]))
    for channels, count in (("luma", 4), ("gray", 2)):
        for samples, _, extra in written(run, source, "-k", "identity", "--channels", channels):
            assert samples.shape == (*SIZE, count)
            np.testing.assert_array_equal(samples[:, :, -1], image[:, :, 3])
            assert extra == [0]
    inks = noise(*SIZE, 5)
    source.write_bytes(tiff(inks, photometric="separated", extrasamples=[0]))
    for samples, colour, extra in written(run, source, "-k", "identity", "--channels", "rgb"):
        np.testing.assert_array_equal(samples[:, :, 3], inks[:, :, 4])
        assert (samples.shape, colour, extra) == ((*SIZE, 4), "RGB", [0])


def test_data_beside_colours_is_not_left_out_of_other_formats_in_silence(run, tmp_path):
    """A format without a place for it refuses, arrays keep it, what is looked at is the colours."""
    source, image = tmp_path / "in.tif", noise(*SIZE, 4)
    source.write_bytes(tiff(image, photometric="rgb", extrasamples=[0]))
    for ending in ("png", "jpg", "webp", "gif", "bmp", "ppm"):
        done = run("apply", source, "-k", "identity", "-o", tmp_path / f"out.{ending}")
        assert done.code == 1
        assert "cannot keep a channel that is neither colour nor alpha" in done.err
        assert not (tmp_path / f"out.{ending}").exists()
    assert run("apply", source, "-k", "identity", "-o", tmp_path / "out.npy").code == 0
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), image)
    assert run("sheet", source, "-k", "identity", "-o", tmp_path / "sheet.png").code == 0
    assert run("explain", source, "-k", "identity", "--html", tmp_path / "page.html").code == 0


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize(("photometric", "names"), [("minisblack", "l"), ("rgb", "rgb")])
def test_one_channel_of_which_nothing_is_said_is_alpha(photometric, names, kind, tmp_path):
    """As viewers take it: programs wrote so before there was a tag for that."""
    image = noise(*SIZE, len(names) + 1, kind=kind)
    data = tiff(image, photometric=photometric, extrasamples=[0])
    found, samples, _ = both(untagged(data, 338), tmp_path)
    assert found == f"{names}a"
    np.testing.assert_array_equal(samples, image)


@pytest.mark.parametrize("planes", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("photometric", "names"), [("minisblack", "l"), ("rgb", "rgb")])
def test_colours_multiplied_by_alpha_are_divided(photometric, names, kind, planes, tmp_path):
    """The colours are as near to those that were multiplied as rounding let them be; it is told."""
    top = 1 if kind == "float32" else int(np.iinfo(kind).max)
    colour, alpha = noise(*SIZE, len(names), kind=kind), noise(*SIZE, 1, kind=kind, least=top // 9)
    alpha[0], alpha[1] = 0, top
    share = alpha / top
    multiplied = colour * share if top == 1 else np.rint(colour * share)
    image = np.concatenate([multiplied.astype(kind), alpha], axis=2)
    data = tiff(image, photometric=photometric, extrasamples=[1], planes=planes)
    found, samples, lost = both(data, tmp_path)
    assert (found, lost) == (f"{names}a", ("the multiplication of colours by alpha",))
    np.testing.assert_array_equal(samples[:, :, -1:], alpha)
    assert not samples[0, :, :-1].any()
    np.testing.assert_array_equal(samples[1, :, :-1], colour[1])
    away = np.abs(samples[1:, :, :-1].astype(float) - colour[1:])
    assert (away <= (1e-6 if top == 1 else 0.5 / share[1:] + 0.5)).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("said", [[2, 0], [0, 2], [1, 0], [2, 2]])
def test_alpha_beside_other_channels_is_refused_by_name(said, kind, tmp_path):
    """Nothing of them is left out in silence."""
    data = tiff(noise(*SIZE, 5, kind=kind), photometric="rgb", extrasamples=said)
    _, _, (fault,) = both(data, tmp_path)
    assert fault.startswith("has alpha and other channels, which is not read")


def test_white_at_zero_is_the_colours_alone(tmp_path):
    """Alpha is not turned round with them."""
    image = noise(*SIZE, 2, kind="uint16")
    _, samples, _ = both(tiff(image, photometric="miniswhite", extrasamples=[2]), tmp_path)
    np.testing.assert_array_equal(samples[:, :, 0], 65535 - image[:, :, 0])
    np.testing.assert_array_equal(samples[:, :, 1], image[:, :, 1])


def patched(data: bytes, **values: int) -> bytes:
    """Return a TIFF whose tags of such names have another value, or two."""
    out = bytearray(data)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        for name, value in values.items():
            at = file.pages[0].tags[name].valueoffset
            out[at : at + 4] = value.to_bytes(4, "little")
    return bytes(out)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "side", [{"rowsperstrip": 16}, {"tile": (16, 16)}], ids=["strips", "tiles"]
)
@pytest.mark.parametrize(("across", "down"), [(1, 1), (2, 1), (2, 2), (1, 2), (4, 2)])
def test_brightness_and_differences_become_colours(across, down, side, packed, tmp_path):
    """As Pillow makes them, each pair of differences for all the pixels that share it."""
    high, wide = SIZE
    bright, *shared = noise(3, 48, 32)
    shared = [plane[::down, ::across].repeat(down, 0).repeat(across, 1) for plane in shared]
    right = 16 if "tile" in side else wide
    parts = []
    for y in range(0, 48, 16):
        for x in range(0, 32 if "tile" in side else 1, 16):
            rows = range(y, min(y + 16, y + 16 if "tile" in side else high), down)
            parts.append(b"".join(
                bright[i : i + down, j : j + across].tobytes() + bytes(p[i, j] for p in shared)
                for i in rows for j in range(x, x + right, across)
            ))  # fmt: skip
    parts = [zlib.compress(part) for part in parts] if packed else parts
    out, what = io.BytesIO(), {"photometric": "ycbcr", "compression": "zlib", "metadata": None}
    tifffile.imwrite(out, iter(parts), shape=(*SIZE, 3), dtype="uint8", **what, **side)
    data = patched(out.getvalue(), YCbCrSubSampling=across | down << 16)
    names, samples, lost = both(data if packed else patched(data, Compression=1), tmp_path)
    planes = [Image.fromarray(plane[:high, :wide]) for plane in (bright, *shared)]
    wanted = np.array(Image.merge("YCbCr", planes).convert("RGB"))
    assert (names, lost) == ("rgb", ())
    assert np.abs(samples.astype(int) - wanted).max() <= 1


def test_brightness_and_differences_are_of_the_range_that_the_file_says():
    """Black at 16 and white at 235, as of video; with other shares of the colours."""
    levels = np.array([[[16, 128, 128], [235, 128, 128], [16, 128, 240], [16, 16, 128]]], "uint8")
    range_, shares = (16, 235, 128, 240, 128, 240), (2126, 7152, 722)
    tags = [
        (532, 5, 6, tuple(n for value in range_ for n in (value, 1)), True),
        (529, 5, 3, tuple(n for value in shares for n in (value, 10000)), True),
    ]
    out = io.BytesIO()
    tifffile.imwrite(out, levels, photometric="ycbcr", metadata=None, extratags=tags)
    (frame,) = decode.read(out.getvalue()).frames
    red, blue = 127 * (2 - 2 * 0.2126), -127 * (2 - 2 * 0.0722)  # of the greatest difference
    wanted = [
        [0, 0, 0],
        [255, 255, 255],
        [red, 0, 0],
        [0, -0.0722 * blue / 0.7152, 0],
    ]
    np.testing.assert_allclose(frame.array()[0], wanted, atol=0.5)


@pytest.mark.parametrize("names", ["rgb", "rgba"])
def test_webp_in_a_tiff_is_read(names, tmp_path):
    """Pillow's libtiff knows no WebP."""
    image = noise(*SIZE, len(names))
    extra = {"extrasamples": [2]} if names == "rgba" else {}
    lossless = {"compression": "webp", "compressionargs": {"lossless": True}}
    found, samples, lost = both(tiff(image, photometric="rgb", **extra, **lossless), tmp_path)
    assert (found, lost) == (names, ())
    np.testing.assert_array_equal(samples, image)


@pytest.mark.parametrize("mode", ["1", "P", "PA"])
@pytest.mark.parametrize("packed", [None, "packbits", "tiff_lzw"])
def test_few_bits_and_palettes_are_read_in_pieces_too(mode, packed, tmp_path):
    """As Pillow makes gray or colours of them."""
    image = Image.fromarray(noise(*SIZE, 3)).convert("P" if mode == "PA" else mode).convert(mode)
    out = io.BytesIO()
    image.save(out, "TIFF", compression=packed)
    names, samples, _ = both(out.getvalue(), tmp_path)
    wanted = {"1": "L", "P": "RGB", "PA": "RGBA"}[mode]
    assert names == wanted.lower()
    shape = (*SIZE, len(names))
    np.testing.assert_array_equal(samples, np.array(image.convert(wanted)).reshape(shape))


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite", "rgb"])
def test_samples_of_any_depth_are_scaled(bits, photometric, tmp_path):
    """To all of 8 bits, or of 16 where there are more, rounded; white is white."""
    top, kind = (1 << bits) - 1, "uint8" if bits < 8 else "uint16"
    most = int(np.iinfo(kind).max)
    image = noise(*SIZE, 3 if photometric == "rgb" else 1, kind=kind) >> (most.bit_length() - bits)
    image = image if photometric == "rgb" else image[:, :, 0]
    options = {"photometric": photometric, "bitspersample": bits, "rowsperstrip": 10}
    _, samples, _ = both(tiff(image, **options), tmp_path)
    levels = np.rint(image * (most / top)).astype(kind)
    assert samples.dtype == kind
    np.testing.assert_array_equal(
        np.squeeze(samples), most - levels if photometric == "miniswhite" else levels
    )


def test_reals_of_24_bits_are_read_in_pieces_too(tmp_path):
    """With 7 bits of exponent, 63 for 1."""
    signs = np.resize([1, -1], SIZE)
    samples = np.resize(np.frombuffer(b"\0\0\x3f\0\0\xbf", "uint8"), (*SIZE, 4))
    lengths = {"BitsPerSample": 24, "StripByteCounts": 3 * signs.size}
    data = patched(tiff(samples.view("float32")[:, :, 0]), **lengths)
    _, samples, _ = both(data, tmp_path)
    np.testing.assert_array_equal(samples[:, :, 0], signs)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("depth", [8, 16])
def test_palettes_have_colours_of_8_or_16_bits(bits, depth, tmp_path):
    """Which are of 8, as some programs write them, if none needs more: so libtiff takes them."""
    levels, colours = noise(*SIZE) >> (8 - bits), noise(256, 3)
    table = colours.T.astype("uint16") * (257 if depth == 16 else 1)
    data = tiff(levels, photometric="palette", colormap=table, bitspersample=bits)
    _, samples, _ = both(data, tmp_path)
    np.testing.assert_array_equal(samples, colours[levels])
    _, _, (fault,) = both(untagged(data, 320), tmp_path)
    assert fault.startswith("broken image: it has no palette")
    with pytest.raises(ImageError, match="no palette"):
        heads.read(io.BytesIO(untagged(data, 320)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("said", ["minisblack", "rgb", "separated"])
def test_black_is_0_where_nothing_says_so(said, kind, run, tmp_path):
    """As libtiff guesses of one channel or three; of four it is not known what they are."""
    count = {"minisblack": 1, "rgb": 3, "separated": 4}[said]
    image = noise(*SIZE, count, kind=kind).squeeze()
    data = untagged(tiff(image, photometric=said), 262)
    names, samples, lost = both(data, tmp_path)
    if said == "separated":
        assert lost[0].startswith("has 4 channels of a layout that is not read")
        return
    assert (names, lost) == ("l" if count == 1 else said, ())
    np.testing.assert_array_equal(samples.squeeze(), image)
    for samples, colour, _ in written(run, tmp_path / "in.tif", "-k", "identity"):
        np.testing.assert_array_equal(samples, image)
        assert colour == said.upper()


@pytest.mark.parametrize("coder", ["tiff_ccitt", "group3", "group4"])
def test_a_fax_is_left_to_libtiff(coder, tmp_path):
    """Which tells where it is damaged, and has white at 0 where nothing says so."""
    image, out = Image.fromarray(noise(*SIZE) > 128), io.BytesIO()
    image.save(out, "TIFF", compression=coder, tiffinfo={262: 0})
    for data in (out.getvalue(), untagged(out.getvalue(), 262)):
        (frame,) = decode.read(data).frames
        np.testing.assert_array_equal(frame.array()[:, :, 0], np.array(image) * 255)
        (tmp_path / "in.tif").write_bytes(data)
        with pytest.raises(ImageError, match=r"is coded as a fax, .* leave out --tile"):
            tiff_pieces.File(str(tmp_path / "in.tif"), Reading())


@pytest.mark.parametrize(
    ("options", "changes", "words"),
    [
        ({}, {"PhotometricInterpretation": 8}, "has colours of CIELAB, which are not read"),
        ({}, {"PhotometricInterpretation": 32803}, "has colours of a sensor (CFA)"),
        ({}, {"PhotometricInterpretation": 32845}, "has colours of LogLuv, which are not read"),
        ({"compression": "jpeg2000"}, {"PhotometricInterpretation": 6}, "has YCbCr colours in"),
        ({"kind": "int16"}, {}, "has signed samples"),
        ({"kind": "uint32"}, {}, "has samples of 32 bits"),
        ({"kind": "complex64"}, {}, "has samples of type complex64"),
    ],
)
def test_what_is_not_read_is_named_alike(options, changes, words, tmp_path):
    """Whole and in pieces, in our own words."""
    kind = options.pop("kind", "uint8")
    image = (noise(*SIZE, 3) >> 2).astype(kind)
    _, _, (fault,) = both(patched(tiff(image, photometric="rgb", **options), **changes), tmp_path)
    assert fault.startswith(words)


@pytest.mark.parametrize(
    ("names", "options"),
    [
        ("lx", {"extrasamples": [0], "photometric": "miniswhite"}),
        ("rgb", {"photometric": "rgb", "compression": "png"}),
        ("cmykxx", {"photometric": "separated", "extrasamples": [0, 0]}),
    ],
)
def test_a_page_of_another_kind_follows(names, options, tmp_path):
    """Also one that Pillow cannot open, behind one that it can."""
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as file:
        file.write(noise(*SIZE), metadata=None)
        file.write(noise(*SIZE, len(names)), metadata=None, planarconfig="contig", **options)
    (tmp_path / "in.tif").write_bytes(out.getvalue())
    for frame, wanted in ((None, ["l", names]), (1, [names]), (0, ["l"])):
        how = Reading(frame=frame)
        assert [f.names for f in decode.read(out.getvalue(), how).frames] == wanted
        opened = tiff_pieces.File(str(tmp_path / "in.tif"), how)
        assert [page.names for page in opened.pages] == wanted
        opened.close()


def test_planes_of_jpeg_become_colours(tmp_path):
    """Which no coder has made of them."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    image = np.dstack([6 * y, 8 * x, 3 * (y + x)]).astype("uint8")
    options = {"compression": "jpeg", "compressionargs": {"level": 100}, "planes": True}
    _, samples, _ = both(tiff(image, photometric="ycbcr", subsampling=(1, 1), **options), tmp_path)
    planes = [Image.fromarray(np.ascontiguousarray(image[:, :, i])) for i in range(3)]
    wanted = np.array(Image.merge("YCbCr", planes).convert("RGB"))
    assert np.abs(samples.astype(int) - wanted).mean() < 3
