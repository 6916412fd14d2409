"""What a stretch spans: each frame, all frames of a file, or the responses that are told."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

tifffile = pytest.importorskip("tifffile")

MOST = (50, 100, 150, 200)


def pages(path: Path, kind: str) -> np.ndarray:
    """Pages whose least sample is 0 and whose greatest ones differ."""
    stack = np.stack([np.linspace(0, most, 24 * 30).reshape(24, 30) for most in MOST])
    stack = stack.round().astype(kind)
    with tifffile.TiffWriter(path) as file:
        for page in stack:
            file.write(page, metadata=None)
    return stack.astype(float)


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("further", [[], ["--tile", "16"]], ids=" ".join)
@pytest.mark.parametrize(
    ("span", "low", "high"), [("all", 0, 200), ("0,400", 0, 400), ("10.5,60", 10.5, 60)]
)
def test_pages_stay_comparable(
    run: Any, tmp_path: Path, kind: str, further: list[str], span: str, low: float, high: float
) -> None:
    """One rule for all of them, as its formula says; and what lies outside is clipped."""
    stack = pages(tmp_path / "in.tif", kind)
    options = "-k", "identity", "--levels", "stretch", "--range", span, *further
    done = run("apply", tmp_path / "in.tif", *options, "-o", tmp_path / "out.tif")
    assert done.code == 0, done.err
    white = np.iinfo(kind).max
    wanted = np.clip(np.rint((stack - low) * white / (high - low)), 0, white)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), wanted)


def test_each_frame_by_itself_is_what_is_done_else(run: Any, tmp_path: Path) -> None:
    """All become white somewhere."""
    pages(tmp_path / "in.tif", "uint8")
    for options in ([], ["--range", "frame"]):
        command = "-k", "identity", "--levels", "stretch", *options, "--force"
        assert run("apply", tmp_path / "in.tif", *command, "-o", tmp_path / "out.tif").code == 0
        assert (tifffile.imread(tmp_path / "out.tif").max(axis=(1, 2)) == 255).all()


def test_frames_of_an_animation_stay_comparable(run: Any, tmp_path: Path) -> None:
    """As pages do."""
    frames = [Image.new("L", (9, 9), most) for most in MOST]
    for frame in frames:
        frame.putpixel((0, 0), 0)
    frames[0].save(tmp_path / "in.gif", save_all=True, append_images=frames[1:], duration=50)
    options = "-k", "identity", "--levels", "stretch", "--range", "all"
    assert run("apply", tmp_path / "in.gif", *options, "-o", tmp_path / "out.png").code == 0
    with Image.open(tmp_path / "out.png") as found:
        for index, most in enumerate(MOST):
            found.seek(index)
            assert abs(np.asarray(found.convert("L")).max() - most * 255 / 200) <= 1


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["--range", "all"], "--range all is what --levels stretch spans"),
        (["--range", "0,5", "--levels", "clip"], "--range 0,5 is what --levels stretch spans"),
        (["--range", "5,0", "--levels", "stretch"], "range '5,0' is none of frame, all and"),
        (["--range", "each", "--levels", "stretch"], "range 'each' is none of frame, all and"),
    ],
)
def test_a_range_without_a_meaning_is_misuse(run: Any, options: list[str], fault: str) -> None:
    """Before anything is read."""
    done = run("apply", "none.png", "-k", "identity", *options, "-o", "out.png")
    assert done.code == 2
    assert fault in done.err
