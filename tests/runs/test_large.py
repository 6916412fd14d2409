"""Runs over pictures that are read, filtered and written at once: an output, or a line and none."""

import functools
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from tests import ROOT
from tests.images import saved

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="devices, limits and signals")
# Python would keep bytecode that a limit on files has cut off.
IMGCONV = (sys.executable, "-B", "-m", "imgconv", "apply")
WIDTH, HEIGHT = 1300, 810  # little more than is large
ENDINGS = {"jpg": "JPEG", "png": "PNG", "ppm": "PPM"}
OUTLINE = np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]])


@functools.cache
def picture(channels: int = 1, seed: int = 7) -> Image.Image:
    """Return waves with some noise, more than a million pixels."""
    y, x, c = np.ogrid[:HEIGHT, :WIDTH, :channels]
    waves = (np.sin(x / 9 + c + seed) + np.cos(y / 7 - c)) * 50 + 128
    noise = np.random.default_rng(seed).integers(-8, 9, waves.shape)
    return Image.fromarray((waves + noise).astype(np.uint8).squeeze())


def outlined(path: Path) -> np.ndarray:
    """Return what the filter makes of a file, by SciPy."""
    with Image.open(path) as image:
        array = np.asarray(image).astype(np.int16)
    kernel = OUTLINE.reshape(3, 3, *[1] * (array.ndim - 2))
    return ndimage.correlate(array, kernel, mode="nearest").clip(0, 255)


@pytest.fixture(scope="module")
def sources(once) -> Path:
    """A folder with a gray picture of each format, for what does not depend on samples."""

    def make(folder: Path) -> None:
        for ending, name in ENDINGS.items():
            picture().save(folder / f"a.{ending}", name)

    return once("large", make)


@pytest.fixture(scope="module")
def colours(once) -> Path:
    """A folder with a picture in colours of each format, named by it."""

    def make(folder: Path) -> None:
        for ending, name in ENDINGS.items():
            picture(3).save(folder / f"{ending}.{ending}", name)

    return once("large-in-colours", make)


def apply(*words: object, shell: str = 'exec "$@"', **options) -> subprocess.CompletedProcess:
    """Run the program with the filter, by such a line of the shell's."""
    command = ["bash", "-c", shell, "bash", *IMGCONV, "-qk", "outline", *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, env=environment, capture_output=True, timeout=120, check=False, **options
    )


def refused(done: subprocess.CompletedProcess, folder: Path, left: dict[str, bytes]) -> str:
    """Return the one line of a run that failed, and left the files of a folder as they were."""
    (line,) = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout) == (1, b"")
    assert line.startswith("imgconv: ")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == left
    return line


@pytest.fixture(scope="module")
def outputs(colours, once) -> Path:
    """A folder with what each of them becomes in each format."""

    def make(folder: Path) -> None:
        for ending in (*ENDINGS, "tif"):
            done = apply(*colours.iterdir(), "-o", f"{folder}/", "--format", ending, "--jobs", 1)
            assert (done.returncode, done.stderr) == (0, b"")
        assert len([*folder.iterdir()]) == 12

    return once("large-outputs", make)


@pytest.mark.parametrize("source", ENDINGS)
def test_samples_are_those_of_scipy(colours, outputs, source):
    """Whatever is read and written."""
    expected = outlined(colours / f"{source}.{source}")
    for ending in ("png", "ppm", "tif"):
        with Image.open(outputs / f"{source}.{ending}") as image:
            np.testing.assert_array_equal(np.asarray(image), expected)


@pytest.mark.parametrize(
    ("source", "ending"), [("jpg", "png"), ("png", "ppm"), ("ppm", "tif"), ("png", "jpg")]
)
def test_a_pipe_gets_the_bytes_of_a_file(colours, outputs, source, ending):
    """Each format that comes and each that goes, at whatever pace it is read."""
    path = colours / f"{source}.{source}"
    feed = f'(head -c 70000; sleep 0.5; cat) < "{path}" | exec "$@" | (sleep 0.3; cat)'
    done = apply("-", "-o", "-", "--format", ending, shell=feed)
    assert (done.stderr, done.stdout) == (b"", (outputs / f"{source}.{ending}").read_bytes())


@pytest.mark.parametrize("source", ENDINGS)
def test_an_input_that_ends_early_leaves_what_was_there(sources, tmp_path, source):
    """Files, and a pipe."""
    data, target = (sources / f"a.{source}").read_bytes(), tmp_path / "out"
    cut = [data[: int(len(data) * share)] for share in (0.02, 0.5, 0.97)]
    names = [f"{i}.png" for i in range(len(cut))]
    target.mkdir()
    for i, each in enumerate(cut):
        (tmp_path / f"{i}.{source}").write_bytes(each)
        (target / names[i]).write_bytes(b"before")
    left = dict.fromkeys(names, b"before")
    inputs = [tmp_path / f"{i}.{source}" for i in range(len(cut))]
    done = apply(*inputs, "-fo", f"{target}/", "--format", "png", "--jobs", 1)
    lines = done.stderr.decode().splitlines()
    assert [f"{i}.{source}: broken image" in line for i, line in enumerate(lines)] == [True] * 3
    assert {path.name: path.read_bytes() for path in target.iterdir()} == left
    assert done.returncode == 1
    done = apply("-", "-fo", target / names[0], input=cut[1])
    assert "broken image" in refused(done, target, left)


@pytest.mark.parametrize("ending", [*ENDINGS, "tif"])
def test_no_room(sources, tmp_path, ending):
    """In files, and on a device."""
    small = 'ulimit -f 20; exec "$@"'
    target = tmp_path / f"b.{ending}"
    target.write_bytes(b"before")
    left = {target.name: b"before"}
    done = apply(sources / "a.jpg", "-fo", target, shell=small)
    assert "File too large; raise the limit" in refused(done, tmp_path, left)
    words = (sources / "a.jpg", "--format", ending, "-o")
    line = refused(apply(*words, "/dev/full", "-f"), tmp_path, left)
    assert "No space left on device" in line


@pytest.mark.parametrize("ending", ["jpg", "tif"])
def test_no_room_for_standard_output(sources, tmp_path, ending):
    """Nor where temporary files are, of which it gets the bytes, whatever wrote them."""
    words = (sources / "a.jpg", "--format", ending, "-o")
    done = apply(*words, "-", shell='ulimit -f 20; "$@" | cat; exit ${PIPESTATUS[0]}')
    assert "set TMPDIR to another" in refused(done, tmp_path, {})
    done = apply(*words, "-", shell='exec "$@" > /dev/full')
    assert b"No space left on device" in done.stderr
    assert done.returncode


def test_a_picture_onto_itself(sources, tmp_path):
    """All of it is read before."""
    path = tmp_path / "a.png"
    shutil.copy(sources / "a.png", path)
    expected = outlined(path)
    assert apply(path, "-fo", path).stderr == b""
    with Image.open(path) as image:
        np.testing.assert_array_equal(np.asarray(image), expected)
    assert [*tmp_path.iterdir()] == [path]


def test_a_named_pipe_gets_the_bytes_of_a_file(sources, tmp_path):
    """It is written whole, not replaced."""
    pipe, target = tmp_path / "b.jpg", tmp_path / "c.jpg"
    os.mkfifo(pipe)
    done = apply(sources / "a.png", "-fo", pipe, shell=f'cat "{pipe}" > "{pipe}.read" & "$@"; wait')
    assert (done.returncode, done.stderr) == (0, b"")
    assert apply(sources / "a.png", "-o", target).stderr == b""
    assert Path(f"{pipe}.read").read_bytes() == target.read_bytes()
    assert pipe.is_fifo()


def test_jobs_and_threads_write_the_same_bytes(tmp_path):
    """Of a folder, of which one file is broken; and a run that is taken up leaves them alone."""
    (tmp_path / "in").mkdir()
    for i in range(3):
        (tmp_path / f"in/{i}.jpg").write_bytes(saved(picture(seed=i), "JPEG"))
    (tmp_path / "in/cut.jpg").write_bytes(saved(picture(), "JPEG")[:60_000])
    seen = []
    for jobs, threads in ((1, 1), (1, 5), (2, 2), (3, 1)):
        out = tmp_path / f"{jobs}-{threads}"
        words = (tmp_path / "in", "-o", f"{out}/", "--jobs", jobs, "--threads", threads)
        for _ in range(2):
            done = apply(*words, "--resume")
            (line,) = done.stderr.decode().splitlines()
            assert "cut.jpg: broken image" in line
            assert done.returncode == 1
            seen.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert sorted(seen[0]) == ["0.jpg", "1.jpg", "2.jpg"]
    assert all(found == seen[0] for found in seen)


@pytest.fixture(scope="module")
def undisturbed(colours, tmp_path_factory) -> tuple[float, bytes]:
    """How long a run takes, and what it makes."""
    target = tmp_path_factory.mktemp("undisturbed") / "b.png"
    for _ in range(2):  # the first may compile
        begin = time.monotonic()
        assert apply(colours / "png.png", "-fo", target).stderr == b""
    return time.monotonic() - begin, target.read_bytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("moments", [3, pytest.param(30, marks=pytest.mark.thorough)])
def test_a_signal_leaves_all_or_nothing(colours, undisturbed, tmp_path, number, moments):
    """At any moment, and the end comes at once."""
    (takes, whole), chance, target = undisturbed, random.Random(moments), tmp_path / "b.png"
    words = (*IMGCONV, colours / "png.png", "-qk", "outline", "-fo", target)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for _ in range(moments):
        target.write_bytes(b"before")
        with subprocess.Popen(words, env=environment, stderr=subprocess.PIPE) as process:
            time.sleep(chance.uniform(0.3, 1.1) * takes)
            process.send_signal(number)
            _, said = process.communicate(timeout=10)
        assert [*tmp_path.iterdir()] == [target]
        assert target.read_bytes() in (b"before", whole)
        assert process.returncode in (0, 130, -number)
        assert len(said.splitlines()) <= 1


def test_little_memory_makes_no_other_output(sources, tmp_path):
    """It is right, or there is a line and nothing."""
    expected = outlined(sources / "a.jpg")
    for megabytes in (24, 28, 36, 40, 60, 90, 130, 300, 2000):
        target = tmp_path / "b.png"
        done = apply(
            sources / "a.jpg", "-o", target, shell=f'ulimit -v {megabytes * 1024}; exec "$@"'
        )
        if done.returncode == 0:
            assert done.stderr == b""
            with Image.open(io.BytesIO(target.read_bytes())) as image:
                np.testing.assert_array_equal(np.asarray(image), expected)
            target.unlink()
        elif megabytes >= 130:
            assert len(done.stderr.splitlines()) == 1, done.stderr
        assert not [*tmp_path.iterdir()]
    assert done.returncode == 0
