"""What a file says of its scale and its place is true of the output, as tifffile reads it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

tifffile = pytest.importorskip("tifffile")

HEIGHT, WIDTH = 13, 17
# A kernel that takes the sample under its anchor: each output shows where it comes from.
TAKING = {"3x3": "[[0,0,0],[0,1,0],[0,0,0]]", "2x4": "[[0,1,0,0],[0,0,0,0]]"}
OPENCV = "[[0,0,0,0],[0,0,1,0]]"
SPANS = (
    ["-k", TAKING["3x3"], "--stride", "2"],
    ["-k", TAKING["3x3"], "--stride", "3,2", "--padding", "2,1,0,3", "--border", "constant"],
    ["-k", TAKING["3x3"], "--padding", "valid"],
    ["-k", TAKING["2x4"], "--padding", "valid"],
    ["-k", TAKING["3x3"], "--padding", "valid", "--dilation", "3"],
    ["-k", OPENCV, "--anchor", "opencv", "--padding", "valid", "--stride", "2"],
    ["-k", TAKING["3x3"], "-k", TAKING["3x3"], "--padding", "valid", "--stride", "2,1"],
    ["-k", TAKING["3x3"]],
)
SCALED = (
    (33550, "d", 3, (30.0, 20.0, 0.0)),
    (33922, "d", 6, (2.0, 1.0, 0.0, 440720.25, 3751320.5, 0.0)),
)
TURNED = ((34264, "d", 16, (8.0, -3, 0, 1e5, 2, -7.5, 0, 2e6, 0, 0, 0, 0, 0, 0, 0, 1)),)


def keys(raster: int) -> tuple[tuple[int, str, int, tuple[int, ...]], ...]:
    """The GeoKeys of a raster of areas (1) or of points (2)."""
    return ((34735, "H", 12, (1, 1, 0, 2, 1024, 0, 1, 1, 1025, 0, 1, raster)),)


def numbered() -> np.ndarray:
    """A picture each of whose samples tells its place."""
    return np.arange(1, HEIGHT * WIDTH + 1, dtype=np.uint16).reshape(HEIGHT, WIDTH)


def earth(page: Any, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Where the centres of samples lie, by the formulas of GeoTIFF."""
    tags = page.tags
    half = 0.0 if tags[34735].value[11] == 2 else 0.5
    i, j = columns + half, rows + half
    if 34264 in tags:
        m = tags[34264].value
        return np.stack([m[0] * i + m[1] * j + m[3], m[4] * i + m[5] * j + m[7]])
    x, y, _, east, north, _ = tags[33922].value[:6]
    across, down, _ = tags[33550].value
    return np.stack([east + (i - x) * across, north - (j - y) * down])


@pytest.mark.parametrize("options", SPANS, ids=" ".join)
@pytest.mark.parametrize(("raster", "tags"), [(1, SCALED), (2, TURNED)], ids=["areas", "points"])
@pytest.mark.parametrize("further", [[], ["--tile", "5"]], ids=" ".join)
def test_samples_keep_their_place_on_earth(
    run: Any, tmp_path: Path, options: list[str], raster: int, tags: Any, further: list[str]
) -> None:
    """The centre of each output sample lies where that of the sample under its anchor lay."""
    image = numbered()
    tifffile.imwrite(
        tmp_path / "in.tif", image, extratags=[(*t, True) for t in tags + keys(raster)]
    )
    done = run("apply", tmp_path / "in.tif", *options, *further, "-o", tmp_path / "out.tif")
    assert done.code == 0, done.err
    with tifffile.TiffFile(tmp_path / "in.tif") as a, tifffile.TiffFile(tmp_path / "out.tif") as b:
        before, after = a.pages[0], b.pages[0]
        found = after.asarray()
        inside = found > 0  # the border is 0, and no other sample is
        rows, columns = np.divmod(found[inside].astype(int) - 1, WIDTH)
        assert inside.sum() > 8
        there = earth(after, *np.indices(found.shape)[:, inside])
        np.testing.assert_allclose(there, earth(before, rows, columns), rtol=0, atol=1e-6)


@pytest.mark.parametrize("further", [[], ["--tile", "5"]], ids=" ".join)
@pytest.mark.parametrize(
    ("unit", "kind"), [(1, "uint16"), (2, "uint8"), (3, "uint16"), (3, "uint8")]
)
def test_resolution_is_kept_in_its_unit(
    run: Any, tmp_path: Path, unit: int, kind: str, further: list[str]
) -> None:
    """Samples an inch, a centimetre, or whatever ImageJ means; half as many with a stride of 2."""
    tifffile.imwrite(
        tmp_path / "in.tif", numbered().astype(kind), resolution=(40, 30), resolutionunit=unit
    )
    for stride, wanted in ((1, (40, 30)), (2, (20, 15))):
        target = tmp_path / f"{stride}.tif"
        options = "-k", "blur", "--stride", stride, *further, "-o", target
        assert run("apply", tmp_path / "in.tif", *options).code == 0
        with tifffile.TiffFile(target) as file:
            tags = file.pages[0].tags
            found = [tags[n].value[0] / tags[n].value[1] for n in (282, 283)]
            np.testing.assert_allclose(found, wanted)
            assert tags[296].value == unit


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_orientation_is_told_once(run: Any, tmp_path: Path, kind: str) -> None:
    """Pixels are turned, and neither EXIF nor XMP says that they are to be turned again."""
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    tags = [(274, "H", 1, 6, True), (700, "B", len(xmp), xmp, True)]
    image = np.stack([numbered()] * 3, 2).astype(kind)
    tifffile.imwrite(tmp_path / "in.tif", image, photometric="rgb", extratags=tags)
    done = run("apply", tmp_path / "in.tif", "-k", "identity", "-o", tmp_path / "out.tif")
    assert done.code == 0, done.err
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        page = file.pages[0]
        np.testing.assert_array_equal(page.asarray(), np.rot90(image, -1))
        assert 274 not in page.tags or page.tags[274].value == 1
        assert b'tiff:Orientation="6"' not in bytes(page.tags[700].value)


def test_a_turned_picture_loses_its_place_with_a_note(run: Any, tmp_path: Path) -> None:
    """Tie points are about samples as they lay."""
    tags = [(*t, True) for t in (*SCALED, *keys(1), (274, "H", 1, 6))]
    tifffile.imwrite(tmp_path / "in.tif", numbered(), extratags=tags)
    done = run("apply", tmp_path / "in.tif", "-k", "identity", "-o", tmp_path / "out.tif")
    assert "place on earth (the picture is turned) not kept" in done.err
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert not {33550, 33922} & {tag.code for tag in file.pages[0].tags}
