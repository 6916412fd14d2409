"""Inks become colours through the picture's own profile, as Pillow's ImageCms has it."""

import io
import itertools
import json
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from tests.images import noise, saved

SIZE = (40, 30)


def profile() -> bytes:
    """Write an ICC profile of four inks by hand: each leaves some light, black leaves L* = 20."""
    nodes = []
    for c, m, y, k in itertools.product((0, 1), repeat=4):
        light = 100 - 20 * c - 25 * m - 8 * y
        light = light if not k else light / 5
        a, b = (-18 * c + 35 * m - 3 * y) * (1 - k), (-25 * c - 5 * m + 45 * y) * (1 - k)
        nodes += [round(light * 2.55), round(a) + 128, round(b) + 128]
    same = bytes(range(256))
    matrix = struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix + same * 4 + bytes(nodes) + same * 3
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    tags = [(b"A2B0", table), (b"wtpt", white)]
    at, entries, data = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, value in tags:
        entries += name + struct.pack(">II", at + len(data), len(value))
        data += value + bytes(-len(value) % 4)
    head = struct.pack(
        ">I4sI4s4s4s", at + len(data), b"none", 0x02400000, b"prtr", b"CMYK", b"Lab "
    )
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    head += struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + entries + data


PROFILE = profile()


def wanted(inks: Image.Image, intent: int = ImageCms.Intent.PERCEPTUAL) -> np.ndarray:
    """Return the colours that Pillow makes of inks through the profile."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(PROFILE))
    srgb = ImageCms.createProfile("sRGB")
    found = ImageCms.profileToProfile(inks, source, srgb, intent, "RGB")
    return np.asarray(found)


def test_paper_and_black_are_what_the_profile_says():
    """The measure of these tests: L* of 100 and 20 in sRGB, worked out by hand."""
    inks = np.array([[[0, 0, 0, 0], [0, 0, 0, 255]]], np.uint8)
    image = Image.frombytes("CMYK", (2, 1), inks.tobytes())
    paper, black = wanted(image, ImageCms.Intent.RELATIVE_COLORIMETRIC)[0]
    np.testing.assert_allclose(paper, 255, atol=1)
    np.testing.assert_allclose(black, 48, atol=1)


@pytest.mark.parametrize(("name", "more"), [("TIFF", []), ("TIFF", ["--tile", "16"]), ("JPEG", [])])
def test_inks_become_colours_through_their_profile(run, tmp_path, name, more):
    """Red, green and blue, or gray of these; sRGB, so that the profile of inks is gone."""
    source, out = tmp_path / "in", tmp_path / "out.tif"
    source = source.with_suffix({"TIFF": ".tif", "JPEG": ".jpg"}[name])
    source.write_bytes(saved(noise("CMYK", SIZE), name, icc_profile=PROFILE))
    with Image.open(source) as image:
        colours = wanted(image)
    for channels, expected in (
        ("rgb", colours), ("gray", np.asarray(Image.fromarray(colours).convert("L"))),
    ):  # fmt: skip
        arguments = ["-k", "identity", "--channels", channels, "-o", out, "-f", *more]
        result = run("apply", source, *arguments)
        assert (result.code, result.err) == (0, "")
        with Image.open(out) as image:
            np.testing.assert_array_equal(np.asarray(image), expected)
            assert "icc_profile" not in image.info
    result = run("apply", source, "-k", "identity", "-o", out, "-f", *more)
    with Image.open(out) as image:
        assert (image.mode, image.info["icc_profile"]) == ("CMYK", PROFILE)


def test_explain_shows_the_samples_that_apply_reads(run, tmp_path):
    """The colours of the profile, not others."""
    path = tmp_path / "in.jpg"
    path.write_bytes(saved(noise("CMYK", SIZE), "JPEG", icc_profile=PROFILE))
    with Image.open(path) as image:
        expected = wanted(image)[4, 3].tolist()
    result = run("explain", path, "-k", "identity", "--channels", "rgb", "--at", "3,4", "--json")
    assert [c["pixel"] for c in json.loads(result.text)["channels"]] == expected


def test_a_profile_that_cannot_serve_is_told(run, tmp_path):
    """Inks of 16 bits are converted without it, and so are those with a broken one."""
    deep = np.asarray(noise("CMYK", SIZE)).astype(np.uint16) * 257
    tifffile.imwrite(tmp_path / "deep.tif", deep, photometric="separated", iccprofile=PROFILE)
    broken = PROFILE[:128] + bytes(len(PROFILE) - 128)
    (tmp_path / "broken.jpg").write_bytes(saved(noise("CMYK"), "JPEG", icc_profile=broken))
    for name in ("deep.tif", "broken.jpg"):
        out = tmp_path / f"{name}.out.tif"
        result = run("apply", tmp_path / name, "-k", "identity", "--channels", "rgb", "-o", out)
        assert (result.code, "colour profile" in result.err) == (0, True), result.err
