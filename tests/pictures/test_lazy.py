"""Frames one by one: what several take of memory is what one takes, and each is its own."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageDraw

from imgconv.pictures.lazy import Lazy, each

STATUS, PEAK, ANEW = Path("/proc/self/status"), "VmHWM", Path("/proc/self/clear_refs")
SIDE, MANY = 300, 24  # 9 MB as colours, before filtering and after it
SMALL = 50
ENDINGS = {
    "GIF": ".gif", "PNG": ".png", "WEBP": ".webp", "TIFF": ".tif", "deep": ".tif", "NPY": ".npy",
}  # fmt: skip


def frame(i: int, side: int) -> Image.Image:
    """Return one of many frames that hardly take a byte in a file."""
    image = Image.new("RGB", (side, side), (4 * i % 256, 80, 200))
    ImageDraw.Draw(image).rectangle((i, i, i + 40, i + 30), fill=(255, 0, 0))
    return image


def film(kind: str, count: int, side: int = SMALL) -> bytes:
    """Return a file of so many frames."""
    out, frames = io.BytesIO(), [frame(i, side) for i in range(count)]
    if kind == "deep":
        with tifffile.TiffWriter(out) as file:
            for each in frames:
                array = np.asarray(each).astype(np.uint16) * 257
                file.write(array, photometric="rgb", compression="zlib", metadata=None)
    elif kind == "NPY":
        np.save(out, np.stack([np.asarray(each)[:, :, :1] for each in frames]))
    else:
        options = {"compression": "tiff_lzw"} if kind == "TIFF" else {"duration": 40}
        options |= {"lossless": True} if kind == "WEBP" else {}
        frames[0].save(out, kind, save_all=True, append_images=frames[1:], **options)
    return out.getvalue()


def told(word: str) -> int:
    """Return what Linux says of this process's memory, in kB."""
    return int(next(li for li in STATUS.read_text().splitlines() if li.startswith(word)).split()[1])


@pytest.mark.skipif(not os.access(ANEW, os.W_OK), reason="nothing tells the peak of memory here")
@pytest.mark.parametrize("kind", ENDINGS)
def test_many_frames_take_no_more_memory_than_one(run, tmp_path, kind):
    """Beside the file itself, which an array's holds unpacked."""
    source, few, out = (tmp_path / f"{n}{ENDINGS[kind]}" for n in ("in", "few", "out"))
    many = 4 * MANY if kind == "NPY" else MANY  # of a channel each
    source.write_bytes(film(kind, many, SIDE))
    few.write_bytes(film(kind, 2, SIDE))
    axes = ["--axes", "NHWC"] if kind == "NPY" else []
    for path in (few, source):
        ANEW.write_text("5")
        before = told(PEAK)
        assert run("apply", path, "-k", "sobel-left", "-o", out, "-f", *axes).code == 0
        grown = told(PEAK) - before
    assert grown < 6_000 + source.stat().st_size // 1000, f"{grown} kB"


@pytest.mark.parametrize("kind", ENDINGS)
@pytest.mark.parametrize("target", [".gif", ".png", ".webp", ".tif"])
def test_each_frame_is_filtered_as_if_it_were_alone(run, tmp_path, kind, target):
    """As --frame does it."""
    if kind in ("deep", "NPY") and target != ".tif":
        pytest.skip("those keep 8 bits of named channels")
    source, out, alone = (tmp_path / name for name in (f"in{ENDINGS[kind]}", "out", "alone"))
    out, alone = out.with_suffix(target), alone.with_suffix(target)
    source.write_bytes(film(kind, 3))
    more = ["--axes", "NHWC"] if kind == "NPY" else []
    more += ["--quality", "100"] if target == ".webp" else []
    assert run("apply", source, "-k", "emboss", "-o", out, *more).code == 0
    for i in range(3):
        made = run("apply", source, "-k", "emboss", "-o", alone, "-f", *more, "--frame", i)
        assert made.code == 0
        np.testing.assert_array_equal(page(out, i), page(alone, 0))
    assert len({page(out, i).tobytes() for i in range(3)}) == 3


def page(path: Path, index: int) -> np.ndarray:
    """Return a frame as other readers see it."""
    if path.suffix == ".tif":
        return tifffile.imread(path, key=index)
    with Image.open(path) as image:
        image.seek(index)
        return np.asarray(image.convert("RGBA"))


def test_an_item_is_made_when_it_is_asked_for_and_once_in_a_row():
    """The last one is kept; a slice and a change are as lazy."""
    made = []
    items = Lazy(5, lambda i: made.append(i) or i)
    doubled = each(items[1:], lambda i: 2 * i)
    assert (len(items), len(doubled), made) == (5, 4, [])
    assert (doubled[-1], doubled[3], made) == (8, 8, [4])
    assert list(doubled) == [2, 4, 6, 8]
    assert made == [4, 1, 2, 3, 4]
    with pytest.raises(IndexError):
        items[5]
    assert each([7], str) == ("7",)


def test_a_broken_frame_leaves_nothing_half_written(run, tmp_path):
    """The first of two pages is written when the second is found to be damaged."""
    data = bytearray(film("TIFF", 2))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        start, length = file.pages[1].dataoffsets[0], file.pages[1].databytecounts[0]
    data[start : start + length] = b"\xff" * length
    source, out = tmp_path / "in.tif", tmp_path / "out.tif"
    source.write_bytes(bytes(data))
    out.write_text("mine")
    for target in (out, "-"):
        result = run("apply", source, "-k", "emboss", "-o", target, "-f")
        assert (result.code, result.out) == (1, b"")
        assert "broken image" in result.err
        assert result.err.count("\n") == 1
    assert out.read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.tif", "out.tif"]
