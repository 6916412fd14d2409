"""A hint where colours that alpha hides bleed into those that are seen, and nowhere else."""

import numpy as np
import pytest
from PIL import Image

HINT = "--alpha weighted"
RED, BLACK = (200, 30, 10), (0, 0, 0)


def picture(colour, hidden, size=(600, 20), at=300) -> np.ndarray:
    """A colour that is seen, and from a row on another one, or the same, under an alpha of 0."""
    samples = np.empty((*size, 4), np.uint8)
    samples[:] = (*colour, 255)
    samples[at:] = (*hidden, 0)
    return samples


def said(run, path, array, *options) -> str:
    """What `apply` says of a picture, the same piece by piece."""
    Image.fromarray(array).save(path)
    done = run("apply", path, *options, "-o", path.parent / "out.tif", "--force")
    tiled = run("apply", path, *options, "-o", path.parent / "out.tif", "--force", "--tile", "64")
    assert done.code == tiled.code == 0, done.err
    assert tiled.err == done.err
    return done.err


def test_a_hidden_colour_that_differs_is_told(run, tmp_path):
    """Where the kernel reaches it, in colours that are filtered as if it were seen."""
    path = tmp_path / "in.tif"
    bleeding = picture(RED, BLACK)
    assert HINT in said(run, path, bleeding, "-k", "blur")
    assert HINT in said(run, path, bleeding[..., [0, 3]], "-k", "blur")
    assert HINT in said(run, path, bleeding, "-k", "blur", "--channels", "g")
    assert HINT in said(run, path, bleeding, "-k", "identity", "-k", "gaussian(sigma=5)")
    for options in (
        ("--alpha", "weighted"), ("--background", "white"), ("--channels", "a"),
    ):  # fmt: skip
        assert HINT not in said(run, path, bleeding, "-k", "blur", *options)
    for kernel in ("identity", "2", "1,2,1", "sepia"):  # none of which reads another row
        assert HINT not in said(run, path, bleeding, "-k", kernel)


def test_hidden_colours_that_do_no_harm_are_not_told(run, tmp_path):
    """The same as those within reach, or out of it; nothing hidden, nothing seen."""
    path = tmp_path / "in.tif"
    assert HINT not in said(run, path, picture(RED, RED), "-k", "blur")
    assert HINT not in said(run, path, picture(RED, BLACK, at=600), "-k", "blur")
    assert HINT not in said(run, path, picture(RED, BLACK, at=0), "-k", "blur")
    apart = picture(RED, RED)
    apart[320:] = (*BLACK, 0)
    assert HINT not in said(run, path, apart, "-k", "box(size=41)")
    assert HINT in said(run, path, apart, "-k", "box(size=43)")
    assert HINT not in said(run, path, apart, "-k", "box(size=21)", "--dilation", "2")
    assert HINT in said(run, path, apart, "-k", "box(size=21)", "--dilation", "3")


@pytest.mark.parametrize("seed", range(4))
def test_the_hint_is_that_of_every_pair_of_pixels(seed, run, tmp_path):
    """By the definition: a hidden pixel, one that is seen within reach, two colours."""
    chance = np.random.default_rng(seed)
    for _ in range(12):
        samples = chance.integers(0, 2, (9, 8, 4), np.uint8)
        samples[..., :3] = np.where(chance.random((9, 8, 1)) < 0.02, samples[..., :3], 1)
        samples[..., 3] = np.where(chance.random((9, 8)) < 0.1, 0, 255)
        high, wide = chance.integers(1, 6, 2)
        wanted = any(
            (samples[y, x, :3] != samples[v, u, :3]).any()
            for y, x in np.argwhere(samples[..., 3] == 0)
            for v, u in np.argwhere(samples[..., 3] != 0)
            if -((high - 1) // 2) <= y - v <= high // 2 and -((wide - 1) // 2) <= x - u <= wide // 2
        )
        kernel = f"box(size={high}x{wide})"
        found = HINT in said(run, tmp_path / "in.tif", samples, "-k", kernel)
        assert found == wanted
