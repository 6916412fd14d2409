"""What a format keeps of a picture, and what is refused rather than lost."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgconv.errors import ImageError
from imgconv.pictures import decode, encode, formats, metadata
from imgconv.pictures.decode import Picture
from imgconv.pictures.encode import Writing
from imgconv.pictures.pixels import ImagePixels
from tests.images import PLAIN, noise, samples


def encoded(image: Image.Image, name: str, **how) -> bytes:
    """Return the bytes of a picture of one frame."""
    data, _ = encode.encode(Picture((ImagePixels(image),), ""), name, Writing(**how))
    return data


LOSSLESS = [
    *[(name, mode) for name in ("PNG", "TIFF") for mode in PLAIN],
    *[(name, mode) for name in ("BMP", "PNM") for mode in ("L", "RGB")],
]


@pytest.mark.parametrize(("name", "mode"), LOSSLESS)
def test_a_lossless_format_keeps_every_sample(name, mode):
    """What is written is read back by Pillow with the same samples."""
    data = encoded(Image.fromarray(samples(mode)), name)
    with Image.open(io.BytesIO(data), formats=["PPM" if name == "PNM" else name]) as image:
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
    data = encoded(Image.fromarray(smooth), name)
    picture = decode.read(data)
    image = picture.frames[0].image
    assert (picture.format, image.mode, image.size) == (name, read_as, (40, 24))
    back = np.asarray(image.convert(mode), dtype=int)
    assert abs(back - smooth).max() <= 12


@pytest.mark.parametrize(
    ("mode", "name", "lost"),
    [
        *[("LA", name, "transparency") for name in ("JPEG", "BMP", "PNM")],
        *[("RGBA", name, "transparency") for name in ("JPEG", "BMP", "PPM")],
        ("RGBA", "GIF", "partial transparency"),
        ("RGB", "PGM", "colour"),
        *[("I;16", name, "16 bits") for name in ("JPEG", "WEBP", "BMP", "GIF")],
        *[("F", name, "real samples") for name in ("JPEG", "PNG", "WEBP", "PGM")],
        *[("CMYK", name, "CMYK") for name in ("PNG", "WEBP", "GIF", "PPM")],
    ],
)  # fmt: skip
def test_what_a_format_cannot_keep_is_an_error_that_names_it(mode, name, lost):
    """Alpha or 16 bits are never cut in silence: the message names them and who keeps them."""
    with pytest.raises(ImageError) as caught:
        encoded(Image.fromarray(samples(mode)) if mode in PLAIN else noise(mode), name)
    text = str(caught.value)
    assert text.startswith(f"{name} cannot keep {lost}; --")
    assert "TIFF" in text


@pytest.mark.parametrize("name", ["JPEG", "BMP", "PPM", "PGM"])
def test_alpha_that_hides_nothing_is_no_loss(name):
    """An opaque picture with an alpha channel goes where there is none."""
    mode = "LA" if name == "PGM" else "RGBA"
    opaque = noise(mode[:-1])
    opaque.putalpha(255)
    with Image.open(io.BytesIO(encoded(opaque, name))) as image:
        assert image.mode == mode[:-1]


def test_a_side_beyond_a_formats_limit_is_one_line():
    """What Pillow cannot write is told by format and reason."""
    with pytest.raises(ImageError, match="WEBP") as caught:
        encoded(Image.new("L", (20_000, 1)), "WEBP")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("a.png", "PNG"), ("a.PNG", "PNG"), ("a.b.jpg", "JPEG"), ("a.jpeg", "JPEG"),
        ("a.tif", "TIFF"), ("a.tiff", "TIFF"), ("a.webp", "WEBP"), ("a.bmp", "BMP"),
        ("a.ppm", "PPM"), ("a.pgm", "PGM"), ("a.pnm", "PNM"), ("a.gif", "GIF"), ("a.pfm", "PFM"),
    ],
)  # fmt: skip
def test_the_ending_of_a_name_chooses_the_format(name, wanted):
    """The last ending counts, in capitals or not."""
    assert formats.format_of(Path("folder.jpg") / name) == wanted


@pytest.mark.parametrize("name", ["a", "a.eps", "a.xyz", ".png", "png", "a.png.bak"])
def test_a_name_without_a_known_ending_is_refused(name):
    """Where no format is meant, the message shows the endings there are."""
    with pytest.raises(ImageError, match=r"\.png, .*\.webp"):
        formats.format_of(Path("out") / name)


@pytest.mark.parametrize("name", ["PNG", "TIFF"])
def test_compression_changes_the_size_and_no_sample(name):
    """A lossless output is as large as asked for, and the same picture."""
    image = Image.effect_mandelbrot((200, 150), (-2, -1.5, 1, 1.5), 100)
    sizes = {}
    for compress in encode.COMPRESS:
        data = encoded(image, name, compress=compress)
        assert Image.open(io.BytesIO(data)).tobytes() == image.tobytes()
        sizes[compress] = len(data)
    assert sizes["small"] < sizes["fast"] < sizes["none"]


def test_quality_changes_the_size_of_a_lossy_output():
    """A higher quality takes more bytes."""
    image = Image.effect_noise((200, 150), 40)
    sizes = [len(encoded(image, "JPEG", quality=quality)) for quality in (20, 60, 95)]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == 3


def test_a_jpeg_is_written_where_the_system_gives_no_file_in_memory(monkeypatch):
    """Refused as well as missing: the bytes are the same."""
    with_descriptor = encoded(noise(), "JPEG")

    def refuse(_):
        raise OSError("not allowed here")

    monkeypatch.setattr(os, "memfd_create", refuse)
    assert encoded(noise(), "JPEG") == with_descriptor


def test_every_place_of_metadata_is_filled():
    """What the table of formats has a place for is told to the writer of that format."""
    full = metadata.Metadata(
        exif=b"Exif",
        icc=b"icc",
        xmp=b"xmp",
        resolution=(72, 72, 2),
        comment=b"c",
        text=(("k", "v"),),
    )
    for each in formats.FORMATS:
        if each.metadata and each.name != "TIFF":  # which gets directories of its own
            bare = metadata.Metadata().options(each.name)[0]
            for field in each.metadata:
                one = metadata.Metadata()._replace(**{field: getattr(full, field)})
                if field == "exif":
                    exif = Image.Exif()
                    exif[271] = "a camera"
                    one = one._replace(exif=exif.tobytes())
                options, lost = one.options(each.name)
                assert (options != bare, lost) == (True, []), (each.name, field)


@pytest.mark.parametrize("name", ["GIF", "PNG"])
def test_a_frame_equal_to_the_one_before_stays_one(name):
    """A frame each, for as long as it was shown."""
    frames = [noise("L"), noise("L"), Image.new("L", noise().size)]
    picture = Picture(tuple(map(ImagePixels, frames)), "", durations=(100.0, 250.0, 400.0))
    data, lost = encode.encode(picture, name)
    assert lost == ()
    with Image.open(io.BytesIO(data)) as image:
        assert image.n_frames == 3
        for i, (frame, time) in enumerate(zip(frames, picture.durations, strict=True)):
            image.seek(i)
            assert np.array_equal(np.asarray(image.convert("L")), np.asarray(frame))
            assert image.info["duration"] == time


def test_a_frame_of_webp_equal_to_the_one_before_lasts_longer_and_is_told():
    """Its encoder merges them; what is seen when stays the same."""
    frames = [noise("L"), noise("L"), Image.new("L", noise().size)]
    picture = Picture(tuple(map(ImagePixels, frames)), "", durations=(100.0, 250.0, 400.0))
    data, lost = encode.encode(picture, "WEBP", Writing(quality=100))
    assert lost == ("1 of 3 frames, equal to the one before,",)
    with Image.open(io.BytesIO(data)) as image:
        assert image.n_frames == 2
        image.load()
        first = image.info["duration"]
        image.seek(1)
        image.load()
        assert (first, image.info["duration"]) == (350, 400)


@pytest.mark.parametrize(("name", "most"), [("JPEG", 65500), ("GIF", 65535), ("WEBP", 16383)])
def test_sides_that_a_format_does_not_keep_are_named(name, most):
    """One more than the format can say is refused in our words, and the longest is written."""
    for size in ((most + 1, 1), (1, most + 1)):
        with pytest.raises(ImageError, match=f"keeps sides up to {most}; choose PNG or TIFF"):
            encode.encode(Picture((ImagePixels(Image.new("L", size)),), "PNG"), name)
    data, _ = encode.encode(Picture((ImagePixels(Image.new("L", (most, 1))),), "PNG"), name)
    with Image.open(io.BytesIO(data)) as written:
        assert written.size == (most, 1)
