"""What an output says of itself is true of it: scale, orientation, place on earth, descriptions.

Files are made and read back by tifffile and Pillow, never by imgconv.
"""

import io
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

PATHS = [(), ("--tile", "64")]
WHOLE_OR_TILED = pytest.mark.parametrize("path", PATHS, ids=["whole", "tiled"])


def ramp(*shape: int, kind: str = "uint16") -> np.ndarray:
    """Return samples that differ from each other."""
    return np.arange(np.prod(shape)).reshape(shape).astype(kind)


def written(run, source: Path, *options: object, out: str = "out.tif") -> tuple[Path, str]:
    """Run `apply` and return the output's name and what was said."""
    target = source.parent / out
    result = run("apply", source, "-o", target, "--force", *options)
    assert result.code == 0, result.err
    return target, result.err


def resolution(path: Path) -> tuple[float, float, int]:
    """Return dots a unit across and down, and the unit, as tifffile reads them."""
    with tifffile.TiffFile(path) as file:
        page = file.pages[-1]
        return (*page.get_resolution(), int(page.resolutionunit))


@WHOLE_OR_TILED
@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("unit", ["none", "inch", "centimeter"])
def test_the_resolution_is_kept_in_any_unit(unit, kind, path, run, tmp_path):
    """And under a stride it is as much coarser."""
    source = tmp_path / "in.tif"
    tifffile.imwrite(
        source, ramp(48, 64, kind=kind), resolution=(4e7, 2.5), resolutionunit=unit.upper()
    )
    before = resolution(source)
    out, said = written(run, source, "-k", "identity", *path)
    assert resolution(out) == before
    assert "not kept" not in said
    out, _ = written(run, source, "-k", "identity", "-k", "identity", "--stride", "2,1", *path)
    assert resolution(out) == (before[0], before[1] / 4, before[2])


@WHOLE_OR_TILED
def test_the_scale_of_imagej_is_kept(path, run, tmp_path):
    """ImageJ has dots a unit of its own, which its description names."""
    source = tmp_path / "in.tif"
    tifffile.imwrite(
        source, ramp(3, 48, 64), imagej=True, resolution=(4, 4),
        metadata={"axes": "ZYX", "unit": "um"},
    )  # fmt: skip
    out, _ = written(run, source, "-k", "identity", *path)
    assert resolution(out) == (4, 4, 1)
    with tifffile.TiffFile(out) as file:
        assert file.imagej_metadata["unit"] == "um"


@pytest.mark.parametrize("ending", [".jpg", ".png", ".bmp", ".webp"])
def test_a_resolution_that_a_format_has_no_place_for_is_noted(ending, run, tmp_path):
    """Dots of which nobody knows the unit."""
    source = tmp_path / "in.tif"
    tifffile.imwrite(
        source, ramp(8, 9, kind="uint8"), resolution=(4, 4), resolutionunit="NONE", metadata=None
    )
    _, said = written(run, source, "-k", "identity", out=f"out{ending}")
    assert "resolution (without a unit) not kept" in said


def test_a_resolution_too_fine_for_a_jpeg_is_noted(run, tmp_path):
    """A JPEG counts dots an inch in 16 bits."""
    source = tmp_path / "in.tif"
    tifffile.imwrite(source, ramp(8, 9, kind="uint8"), resolution=(4e6, 4e6), resolutionunit=3)
    _, said = written(run, source, "-k", "identity", out="out.jpg")
    assert "resolution (too fine) not kept" in said


XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description tiff:Make="m" %s/>'
    b"</rdf:RDF></x:xmpmeta>"
)
SAID = [
    b'tiff:Orientation="6"', b"tiff:Orientation='6'",
    b"><tiff:Orientation>6</tiff:Orientation></rdf:Description><rdf:Description",
]  # fmt: skip


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("exif", [6, 1, None])
def test_a_tiff_is_turned_once(exif, kind, said, run, tmp_path):
    """By EXIF; by XMP where there is no EXIF; the output is upright by both."""
    array = ramp(8, 9, 3, kind=kind)
    tags = [(700, 1, None, XMP % said, True)]
    tags += [(274, 3, 1, exif, True)] * (exif is not None)
    source = tmp_path / "in.tif"
    tifffile.imwrite(
        source, array, photometric="rgb", extratags=tags, resolution=(100, 50), resolutionunit=2
    )
    out, _ = written(run, source, "-k", "identity")
    turned = exif != 1
    with tifffile.TiffFile(out) as file:
        page = file.pages[0]
        expected = np.rot90(array, -1) if turned else array
        np.testing.assert_array_equal(page.asarray(), expected)
        assert page.get_resolution() == ((50, 100) if turned else (100, 50))
        assert 274 not in page.tags or page.tags[274].value == 1
        assert b"Orientation" not in page.tags[700].value
        assert b'tiff:Make="m"' in page.tags[700].value


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp"])
def test_other_formats_are_turned_once(ending, run, tmp_path):
    """The pixels, the resolution, and what EXIF and XMP say of them."""
    image = Image.fromarray(ramp(8, 9, 3, kind="uint8"))
    exif, data = Image.Exif(), io.BytesIO()
    exif[274] = 6
    told = {"exif": exif, "dpi": (100, 50)}
    if ending == ".png":
        from PIL.PngImagePlugin import PngInfo

        told["pnginfo"] = PngInfo()
        told["pnginfo"].add_itxt("XML:com.adobe.xmp", (XMP % SAID[0]).decode())
    else:
        told["xmp"] = XMP % SAID[0]
    image.save(data, {".png": "PNG", ".jpg": "JPEG", ".webp": "WEBP"}[ending], **told)
    (tmp_path / f"in{ending}").write_bytes(data.getvalue())
    out, _ = written(run, tmp_path / f"in{ending}", "-k", "identity", out=f"out{ending}")
    with Image.open(out) as after:
        after.load()
        assert after.size == (8, 9)
        assert after.getexif().get(274, 1) == 1
        said = after.info.get("xmp") or after.info["XML:com.adobe.xmp"].encode()
        assert b"Orientation" not in said
        if ending != ".webp":
            assert [round(d) for d in after.info["dpi"]] == [50, 100]


def earth(path: Path, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Where the centres of pixels lie, by the formulas of GeoTIFF 1.1, B.6, on tifffile's tags."""
    with tifffile.TiffFile(path) as file:
        tags = file.pages[0].tags
        keys = np.reshape(tags[34735].value, (-1, 4))[1:]
        half = 0 if [1025, 0, 1, 2] in keys.tolist() else 0.5
        u, v = columns + half, rows + half
        if 34264 in tags:
            matrix = np.reshape(tags[34264].value, (4, 4))
            return (matrix @ np.stack([u, v, 0 * u, 0 * u + 1]))[:2]
        i, j, _, x, y, _ = tags[33922].value[:6]
        wide, high, _ = tags[33550].value
        return np.stack([x + (u - i) * wide, y - (v - j) * high])


GEO = {
    "scale": [(33550, 12, 3, (0.25, 0.5, 0), True), (33922, 12, 6, (2, 3, 0, 1e5, 2e5, 0), True)],
    "matrix": [(34264, 12, 16, (0.3, 0.1, 0, 1e5, 0.2, -0.4, 0, 2e5, *[0] * 7, 1), True)],
}
# By options: how far apart output samples stand, and where on the input the first one's anchor is.
MOVES = {
    (): ((1, 1), (0, 0)),
    ("--stride", "2,3"): ((2, 3), (0, 0)),
    ("--padding", "valid"): ((1, 1), (1, 1)),
    ("--padding", "5,0,2,4", "--stride", "3"): ((3, 3), (-4, -3)),
    ("--padding", "valid", "-k", "box(size=4x2)"): ((1, 1), (2, 1)),
    ("--padding", "same", "-k", "box(size=4x2)", "--stride", "2"): ((4, 4), (0, 0)),
    ("--padding", "valid", "-k", "blur", "--stride", "2"): ((4, 4), (3, 3)),
    ("--padding", "valid", "--dilation", "2"): ((1, 1), (2, 2)),
}


@WHOLE_OR_TILED
@pytest.mark.parametrize("raster", [1, 2], ids=["area", "point"])
@pytest.mark.parametrize("how", GEO)
def test_the_place_on_earth_is_kept(how, raster, path, run, tmp_path):
    """Each output sample lies where the input sample under its anchor lay."""
    keys = (1, 1, 0, 2, 1024, 0, 1, 1, 1025, 0, 1, raster)
    source = tmp_path / "in.tif"
    tifffile.imwrite(
        source,
        ramp(40, 50, kind=["uint8", "uint16"][raster - 1]),
        extratags=[*GEO[how], (34735, 3, len(keys), keys, True)],
    )
    for options, (apart, first) in MOVES.items():
        out, said = written(run, source, "-k", "blur", *options, *path)
        assert "not kept" not in said
        rows, columns = np.indices(tifffile.imread(out).shape).reshape(2, -1)
        before = earth(source, columns * apart[1] + first[1], rows * apart[0] + first[0])
        np.testing.assert_allclose(earth(out, columns, rows), before, rtol=0, atol=1e-7)


@WHOLE_OR_TILED
def test_a_place_on_earth_that_cannot_be_moved_is_dropped_with_a_note(path, run, tmp_path):
    """Rational polynomials, and tags that are no place."""
    for tag in ((50844, 12, 92, (1.5,) * 92, True), (33550, 12, 2, (1.0, 1.0), True)):
        source = tmp_path / "in.tif"
        tifffile.imwrite(source, ramp(40, 50), extratags=[tag])
        out, said = written(run, source, "-k", "identity", "--stride", "2", *path)
        assert "place on earth not kept" in said
        with tifffile.TiffFile(out) as file:
            assert tag[0] not in file.pages[0].tags
        out, said = written(run, source, "-k", "identity", *path)
        assert "not kept" not in said


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_a_picture_that_is_turned_loses_its_place_on_earth_with_a_note(kind, run, tmp_path):
    """Rather than lie beside it."""
    source = tmp_path / "in.tif"
    tags = [*GEO["scale"], (274, 3, 1, 6, True)]
    tifffile.imwrite(source, ramp(40, 50, kind=kind), extratags=tags)
    out, said = written(run, source, "-k", "identity")
    assert "place on earth (the picture is turned) not kept" in said
    with tifffile.TiffFile(out) as file:
        assert 33550 not in file.pages[0].tags


@WHOLE_OR_TILED
def test_ome_xml_is_true_of_what_is_written(path, run, tmp_path):
    """Its sizes, the size of a pixel, and the type of its samples."""
    source = tmp_path / "in.ome.tif"
    told = {
        "axes": "ZYX",
        "PhysicalSizeX": 0.5,
        "PhysicalSizeXUnit": "\u00b5m",
        "PhysicalSizeY": 0.25,
    }
    tifffile.imwrite(source, ramp(3, 48, 64), ome=True, metadata=told)
    options = ("-k", "identity", "--stride", "2,4", "--levels", "none", *path)
    out, said = written(run, source, *options, out="out.ome.tif")
    assert "not kept" not in said
    with tifffile.TiffFile(out) as file:
        assert file.series[0].kind == "ome"
        assert (file.series[0].shape, file.series[0].dtype) == ((3, 24, 16), "float32")
        image = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
    assert (image["SizeX"], image["SizeY"], image["SizeZ"], image["Type"]) == (16, 24, 3, "float")
    assert (image["PhysicalSizeX"], image["PhysicalSizeY"]) == (2, 0.5)
    assert image["PhysicalSizeXUnit"] == "\u00b5m"
    np.testing.assert_array_equal(tifffile.imread(out), ramp(3, 48, 64)[:, ::2, ::4])
    out, said = written(run, source, "-k", "identity", "--frame", "0", *path)
    assert "OME-XML not kept" in said
    assert not tifffile.TiffFile(out).is_ome


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_ome_xml_counts_the_channels_that_are_written(kind, run, tmp_path):
    """Colours made gray are one sample a pixel."""
    source = tmp_path / "in.ome.tif"
    tifffile.imwrite(source, ramp(48, 64, 3, kind=kind), ome=True, photometric="rgb")
    out, _ = written(run, source, "-k", "identity", "--channels", "gray", out="out.ome.tif")
    with tifffile.TiffFile(out) as file:
        assert (file.series[0].kind, file.series[0].shape) == ("ome", (48, 64))


@WHOLE_OR_TILED
def test_imagej_is_told_how_many_images_are_written(path, run, tmp_path):
    """One, where one is chosen."""
    source = tmp_path / "in.tif"
    tifffile.imwrite(source, ramp(3, 48, 64), imagej=True, metadata={"axes": "ZYX", "unit": "um"})
    for options, images in (((), 3), (("--frame", "0"), None)):
        out, _ = written(run, source, "-k", "identity", *options, *path)
        with tifffile.TiffFile(out) as file:
            assert file.imagej_metadata.get("images") == images
            assert file.imagej_metadata["unit"] == "um"


@pytest.mark.parametrize(
    ("right", "wrong"),
    [('SizeZ="3"', 'SizeZ="9"'), ('SizeX="64"', 'SizeC="xx"'), ("</OME>", '<ROI ID="a"/></OME>')],
)
def test_ome_xml_of_another_picture_is_dropped_with_a_note(right, wrong, run, tmp_path):
    """With more planes than there are, with words for numbers, with regions that would not fit."""
    source = tmp_path / "in.ome.tif"
    tifffile.imwrite(source, ramp(3, 48, 64), ome=True, metadata={"axes": "ZYX"})
    with tifffile.TiffFile(source) as file:
        said = file.ome_metadata
    assert right in said
    said = said.replace(right, wrong)
    tifffile.imwrite(source, ramp(3, 48, 64), description=said, metadata=None, photometric=1)
    out, noted = written(run, source, "-k", "identity", "--stride", "2")
    assert "OME-XML not kept" in noted
    with tifffile.TiffFile(out) as file:
        assert not file.is_ome


@pytest.mark.peers
@pytest.mark.skipif(not shutil.which("exiftool"), reason="ExifTool is not installed")
@pytest.mark.parametrize("ending", [".tif", ".png", ".jpg", ".webp"])
def test_exiftool_reads_what_is_so(ending, run, tmp_path):
    """Sizes, the resolution, who made it; and that it is upright, by each path."""
    image, exif = Image.fromarray(ramp(8, 18, 3, kind="uint8")), Image.Exif()
    exif[274], exif[271], exif[282], exif[283], exif[296] = 6, "maker", 100.0, 50.0, 2
    source = tmp_path / f"in{ending}"
    image.save(source, exif=exif, dpi=(100, 50))
    for path in PATHS if ending == ".tif" else PATHS[:1]:
        options = ("-k", "1", "--stride", "2,1", *path)
        out, _ = written(run, source, *options, out=f"out{ending}")
        command = ["exiftool", "-json", "-n", str(out)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        (told,) = json.loads(done.stdout)
        assert (told["ImageWidth"], told["ImageHeight"]) == (8, 9)
        assert told.get("Orientation", 1) == 1
        assert told["Make"] == "maker"
        if "XResolution" in told:
            assert (round(told["XResolution"]), round(told["YResolution"])) == (50, 50)
        assert ending == ".png" or "XResolution" in told


@pytest.mark.peers
@pytest.mark.skipif(not shutil.which("exiftool"), reason="ExifTool is not installed")
@WHOLE_OR_TILED
def test_exiftool_reads_the_place_on_earth(path, run, tmp_path):
    """The tie point on the first sample's corner, and samples as large as they are."""
    keys = (1, 1, 0, 2, 1024, 0, 1, 1, 1025, 0, 1, 1)
    source = tmp_path / "in.tif"
    tifffile.imwrite(
        source, ramp(40, 50), extratags=[*GEO["scale"], (34735, 3, len(keys), keys, True)]
    )
    out, _ = written(run, source, "-k", "identity", "--stride", "2", *path)
    command = ["exiftool", "-json", "-n", str(out)]
    (told,) = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    scale = [float(n) for n in str(told["PixelScale"]).split()]
    i, j, _, x, y, _ = (float(n) for n in str(told["ModelTiePoint"]).split())
    assert scale[:2] == [0.5, 1.0]
    # The middle of the first sample, which lay half a sample of the input from its corner.
    middle = x + (0.5 - i) * scale[0], y - (0.5 - j) * scale[1]
    assert middle == pytest.approx((1e5 + (0.5 - 2) * 0.25, 2e5 - (0.5 - 3) * 0.5), abs=1e-6)
