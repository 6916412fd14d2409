"""The axes of arrays: what they are said to be, in and out, as NumPy moves them."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image
from scipy import ndimage

WEIGHTS = np.array([[1, 2, 0], [0, 5, 3], [7, 0, 1]])  # unlike in all directions
SPEC = "1,2,0;0,5,3;7,0,1"
AXES = ["HWC", "HW", "CHW", "NHW", "NHWC", "NCHW"]
SIZES = {"N": 4, "H": 6, "W": 7, "C": 3}


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def array(axes, kind="uint8"):
    """An array of chance, with another size for each axis."""
    shape = tuple(SIZES[axis] for axis in axes)
    return np.random.default_rng(7).integers(0, 250, shape).astype(kind)


def correlated(image, axes):
    """Each plane of rows and columns by itself, wherever these axes are."""
    found = np.moveaxis(image, (axes.index("H"), axes.index("W")), (-2, -1)).astype(float)
    planes = found.reshape(-1, *found.shape[-2:])
    done = [ndimage.correlate(plane, WEIGHTS, mode="nearest") for plane in planes]
    done = np.array(done).reshape(found.shape)
    return np.moveaxis(done, (-2, -1), (axes.index("H"), axes.index("W")))


def npy(image):
    """Return an array as NumPy writes it."""
    out = io.BytesIO()
    np.save(out, image)
    return out.getvalue()


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("kind", ["uint8", "uint16", "float64"])
def test_every_plane_is_filtered_by_itself(run, axes, kind):
    """Rows and columns are where they are said to be; the output has the same axes."""
    image = array(axes, kind)
    np.save("x.npy", image)
    done = run("apply", "x.npy", "-k", SPEC, "--axes", axes, "-o", "y.npy")
    assert (done.code, done.err) == (0, "")
    np.testing.assert_array_equal(np.load("y.npy"), correlated(image, axes))
    done = run("apply", "-", "-k", SPEC, "--axes", axes.lower(), stdin=npy(image))
    assert done.out == Path("y.npy").read_bytes()


@pytest.mark.parametrize("axes", AXES)
def test_a_zarr_is_read_by_the_same_axes(run, axes):
    """And written with them, in pieces."""
    image = array(axes, "uint16") * 3
    zarr.create_array("x.zarr", data=image, chunks=(4,) * image.ndim)
    how = ["-k", SPEC, "--levels", "none", "--tile", 4]
    done = run("apply", "x.zarr", *how, "--axes", axes, "-o", "y.zarr")
    assert (done.code, done.err) == (0, "")
    np.testing.assert_array_equal(zarr.open("y.zarr")[:], correlated(image, axes))
    done = run("apply", "y.zarr", "-k", "1", "-o", "z.zarr")  # which says what its axes are
    assert (done.code, done.err) == (0, "")
    np.testing.assert_array_equal(zarr.open("z.zarr")[:], zarr.open("y.zarr")[:])


def test_a_note_says_how_three_axes_were_taken(run):
    """As (H, W, C) with its shape; two axes leave no doubt, and who says it needs no note."""
    np.save("x.npy", array("NHW"))
    done = run("apply", "x.npy", "-k", SPEC, "-o", "y.npy")
    assert (done.code, len(done.errors)) == (0, 1)
    assert "x.npy: shape (4, 6, 7) taken as (H, W, C); --axes says otherwise" in done.err
    np.testing.assert_array_equal(np.load("y.npy"), correlated(array("NHW"), "HWC"))
    for name, more in (("x.npy", ["--axes", "HWC"]), ("h.npy", [])):
        np.save("h.npy", array("HW"))
        assert run("apply", name, "-k", "1", "-o", "y.npy", "-f", *more).err == ""
    zarr.create_array("x.zarr", data=array("NHW"))
    done = run("apply", "x.zarr", "-k", "1", "-o", "y.zarr")
    assert "taken as (H, W, C); --axes" in done.err
    done = run("apply", "-", "-k", "1", "-o", "y.npy", "-f", stdin=Path("x.npy").read_bytes())
    assert "stdin: shape (4, 6, 7) taken as" in done.err


@pytest.mark.parametrize(
    ("shape", "axes", "told"),
    [
        ((2, 4, 5, 3), None, "--axes NHWC or NCHW says"),
        ((4, 5), "NHW", "--axes NHW has 3 axes; choose HW"),
        ((3, 4, 5), "HW", "--axes HW has 2 axes; choose HWC or CHW or NHW"),
        ((3, 4, 5), "NCHW", "--axes NCHW has 4 axes; choose HWC or CHW or NHW"),
        ((2, 4, 5, 3), "CHW", "--axes CHW has 3 axes; choose NHWC or NCHW"),
        ((1, 2, 3, 4, 5), "NHWC", "--axes NHWC has 4 axes"),
        ((1, 2, 3, 4, 5), None, "must be (H, W) or (H, W, C)"),
        ((0, 5, 4), "NHW", "has no samples"),
        ((7,), None, "must be (H, W)"),
    ],
)
@pytest.mark.parametrize("name", ["x.npy", "x.zarr"])
def test_other_axes_are_an_error_of_that_file(run, name, shape, axes, told):
    """With its shape and what would fit, and the rest goes on."""
    image = np.zeros(shape, np.uint8)
    if name == "x.npy":
        np.save(name, image)
    else:
        zarr.create_array(name, shape=shape, dtype="uint8", chunks=tuple(max(n, 1) for n in shape))
    np.save("good.npy", array(axes or "HW"))
    more = ["--axes", axes] if axes else []
    done = run("apply", name, "good.npy", "-k", "1", *more, "-o", "out/")
    assert done.code == 1
    (line,) = [line for line in done.errors if line.startswith(f"imgconv: {name}")]
    assert str(shape) in line
    assert told in line
    assert Path("out/good.npy").exists()


def test_axes_that_are_none_are_misuse(run):
    """Before any file is read; also where no input is an array by its name."""
    for axes in ("HCW", "", "N", "WH"):
        done = run("apply", "gone.npy", "-k", "1", "--axes", axes)
        assert (done.code, len(done.errors)) == (2, 1)
        assert "HWC, HW, CHW, NHW, NHWC, NCHW" in done.err
    done = run("apply", "gone.png", "gone.jpg", "-k", "1", "--axes", "CHW")
    assert (done.code, len(done.errors)) == (2, 1)
    assert "--axes" in done.err
    Image.new("L", (7, 6)).save("a.png")
    np.save("x.npy", array("CHW"))
    assert run("apply", "a.png", "x.npy", "-k", "1", "--axes", "CHW", "-o", "out/").code == 0
    np.testing.assert_array_equal(np.load("out/x.npy"), np.load("x.npy"))


def test_one_picture_of_several(run):
    """By its number, still among axes of pictures; there is none beyond the last."""
    image = array("NCHW")
    np.save("x.npy", image)
    how = ["-k", SPEC, "--axes", "NCHW", "-o", "y.npy"]
    assert run("apply", "x.npy", *how, "--frame", 2).code == 0
    np.testing.assert_array_equal(np.load("y.npy"), correlated(image, "NCHW")[2:3])
    done = run("apply", "x.npy", *how, "--frame", 4, "-f")
    assert (done.code, "has no frame 4; its frames are 0 to 3" in done.err) == (1, True)


@pytest.mark.parametrize("axes", ["HWC", "CHW", "NHWC", "NCHW"])
@pytest.mark.parametrize("ending", ["npy", "zarr"])
def test_a_sum_over_channels_leaves_no_axis_of_them(run, axes, ending):
    """One output of three channels; two outputs keep the axis where it was."""
    image = array(axes)
    if ending == "npy":
        np.save("x.npy", image)
        load = np.load
    else:
        zarr.create_array("x.zarr", data=image)

        def load(name):
            return zarr.open(name)[:]

    how = ["--axes", axes, "--levels", "none"]
    one = "[[[1]],[[2]],[[4]]]"
    place = axes.index("C")
    total = np.tensordot(image.astype(float), [1, 2, 4], axes=(place, 0))
    assert run("apply", f"x.{ending}", "-k", one, *how, "-o", f"y.{ending}").code == 0
    np.testing.assert_array_equal(load(f"y.{ending}"), total)
    two = "[[[[1]],[[2]],[[4]]],[[[0]],[[1]],[[0]]]]"
    assert run("apply", f"x.{ending}", "-k", two, *how, "-o", f"z.{ending}").code == 0
    pair = np.stack([total, np.take(image, 1, axis=place)], axis=place)
    np.testing.assert_array_equal(load(f"z.{ending}"), pair)


@pytest.mark.parametrize("axes", ["HWC", "CHW", "NHW", "NHWC"])
def test_axes_of_one_stay(run, axes):
    """An array of one channel, or one picture, has that axis still."""
    shape = tuple({"N": 1, "C": 1, "H": 5, "W": 4}[axis] for axis in axes)
    image = np.random.default_rng(2).integers(0, 99, shape, np.uint8)
    np.save("x.npy", image)
    assert run("apply", "x.npy", "-k", "1", "--axes", axes, "-o", "y.npy").code == 0
    np.testing.assert_array_equal(np.load("y.npy"), image)


def test_outputs_get_an_axis_where_there_was_none(run):
    """Two outputs of a gray picture each: at the end."""
    image = array("NHW")
    np.save("x.npy", image)
    two = "[[[[1]]],[[[3]]]]"
    assert run("apply", "x.npy", "-k", two, "--axes", "NHW", "-o", "y.npy").code == 0
    np.testing.assert_array_equal(np.load("y.npy"), np.stack([image, 3.0 * image], axis=3))


def test_pictures_become_frames(run):
    """Of a TIFF pages, of a PNG frames; a JPEG and a table keep one."""
    image = array("NCHW")
    np.save("x.npy", image)
    how = ["-k", "1", "--axes", "NCHW"]
    assert run("apply", "x.npy", *how, "-o", "y.tif").code == 0
    np.testing.assert_array_equal(tifffile.imread("y.tif"), image.transpose(0, 2, 3, 1))
    assert run("apply", "x.npy", *how, "-o", "y.png").code == 0
    with Image.open("y.png") as opened:
        assert opened.n_frames == 4
        opened.seek(2)
        np.testing.assert_array_equal(np.asarray(opened), image[2].transpose(1, 2, 0))
    for name in ("y.jpg", "y.csv"):
        done = run("apply", "x.npy", *how, "-o", name)
        assert (done.code, "has 4 frames" in done.err, "--frame" in done.err) == (1, True, True)
    assert run("apply", "x.npy", *how, "-o", "y.jpg", "--frame", 1).code == 0


def test_a_stretch_may_span_all_pictures(run):
    """Each has its own ends, or with --range all the same."""
    image = np.stack([np.linspace(0, top, 12).reshape(3, 4) for top in (100, 200)])
    np.save("x.npy", image.astype(np.uint8))
    how = ["-k", "1", "--axes", "NHW", "--levels", "stretch", "-f", "-o", "y.npy"]
    assert run("apply", "x.npy", *how).code == 0
    assert np.load("y.npy").max(axis=(1, 2)).tolist() == [255, 255]
    assert run("apply", "x.npy", *how, "--range", "all").code == 0
    assert np.load("y.npy").max(axis=(1, 2)).tolist() == [128, 255]


def test_a_terminal_shows_each_picture(run, monkeypatch):
    """One below the other."""
    np.save("x.npy", np.arange(8, dtype=np.uint8).reshape(2, 2, 2) * 5)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    done = run("apply", "x.npy", "-k", "1", "--axes", "NHW", "-o", "-")
    assert done.text == " 0  5\n10 15\n\n20 25\n30 35\n"


def test_an_ome_zarr_has_axes_of_its_own(run):
    """Another word for them is an error of that file."""
    group = zarr.create_group("x.zarr")
    scale = [{"type": "scale", "scale": [1, 1, 1]}]
    axes = [{"name": name, "type": "space"} for name in "zyx"]
    level = {"path": "0", "coordinateTransformations": scale}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": [level]}]}
    group.create_array("0", data=array("NHW"))
    done = run("apply", "x.zarr", "-k", "1", "--axes", "HWC", "-o", "y.zarr")
    assert (done.code, "its axes are zyx; leave out --axes" in done.err) == (1, True)
    assert run("apply", "x.zarr", "-k", "1", "-o", "y.zarr").code == 0
    made = zarr.open("y.zarr")["0"]
    assert made.metadata.dimension_names == ("z", "y", "x")  # as OME-Zarr 0.5 demands
    np.testing.assert_array_equal(made[:], array("NHW"))
