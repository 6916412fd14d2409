"""What the channels of a TIFF are: the same whole, piece by piece and from stdin.

Files are made by tifffile, and what comes out is read by it, never by imgconv.
"""

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile

from imgconv.errors import ImageError
from imgconv.pictures import decode, tiff_pieces
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
