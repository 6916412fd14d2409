"""Pipes, devices, sockets, the system's files and links: opened where they are the one input."""

import importlib.util
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgconv.errors import ImageError
from imgconv.pictures import files
from imgconv.runs import journal as journals
from tests.images import noise, saved
from tests.runs.test_batch import IMGCONV, heeds

SLOW = 120  # seconds after which a run is taken to hang
PICTURE = saved(noise(), "PNG")
needs_tiles = pytest.mark.skipif(
    not (importlib.util.find_spec("zarr") and importlib.util.find_spec("tifffile")),
    reason="the extra `tiles` is not installed",
)
pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without pipes as files")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder `in` of a picture and of what only has the name of one; the current one is above."""
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    Path("in/a.png").write_bytes(PICTURE)
    os.mkfifo("in/pipe.png")
    Path("in/linked.png").symlink_to("pipe.png")
    Path("in/device.png").symlink_to("/dev/zero")
    Path("in/loop.png").symlink_to("loop.png")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("in/socket.png")


def command(*arguments, **options) -> tuple[int, list[str], bytes]:
    """Run `apply` as a process that must end; return its code, its messages and its output."""
    done = subprocess.run(
        [*IMGCONV, *map(str, arguments)], capture_output=True, check=False, timeout=SLOW, **options
    )
    return done.returncode, done.stderr.decode().splitlines(), done.stdout


def shell(line: str) -> tuple[int, list[str], bytes]:
    """Run a line of bash, where `imgconv` is the program."""
    words = " ".join(IMGCONV)
    done = subprocess.run(
        ["bash", "-c", f'imgconv() {{ {words} "$@"; }}; {line}'],
        capture_output=True, check=False, timeout=SLOW,
    )  # fmt: skip
    return done.returncode, done.stderr.decode().splitlines(), done.stdout


def names(folder: str = ".") -> set[str]:
    """Return what is in a folder, hidden things too."""
    return set(os.listdir(folder))


@pytest.mark.parametrize("more", [[], ["--recursive"], ["-n"]])
def test_in_a_folder_they_are_left_alone(more):
    """They are counted, and no error; the picture beside them is done."""
    code, (note,), _ = command("apply", "in", "-k", "1", "-o", "out/", *more)
    left = "left alone: 1 circular link, 1 device, 2 pipes, 1 socket"
    assert (code, note) == (0, f"imgconv: note: {left}")
    assert more == ["-n"] or names("out") == {"a.png"}


@pytest.mark.parametrize("dry", [False, True])
def test_of_several_that_are_named_they_fail_alone(dry):
    """Each in one line, without being opened; a dry run says the same."""
    sources = [f"in/{name}.png" for name in ("pipe", "linked", "device", "socket", "loop", "a")]
    Path("list").write_text("\n".join(sources))
    given = ["--files-from", "list", "-n"] if dry else sources
    told = [
        "in/pipe.png: is a pipe, which is read as the one input only; name it alone",
        "in/linked.png: is a pipe, which is read as the one input only; name it alone",
        "in/device.png: is a device, which is read as the one input only; name it alone",
        "in/socket.png: is a socket, which is read as the one input only; name it alone",
        "in/loop.png: cannot be read: Too many levels of symbolic links",
    ]
    code, errors, _ = command("apply", *given, "-k", "1", "-o", "out/")
    assert (code, errors[:-1]) == (1, [f"imgconv: {line}" for line in told])
    assert "5 failed" in errors[-1]
    assert dry or names("out") == {"a.png"}


def test_a_file_url_is_a_file(run):
    """Of fsspec's local files too, which have another word for it."""
    for scheme in ("file", "local"):
        urls = [f"{scheme}://{os.getcwd()}/in/{name}.png" for name in ("pipe", "a")]
        result = run("apply", *urls, "-k", "1", "-o", f"{scheme}/")
        assert (result.code, "pipe.png: is a pipe" in result.errors[0]) == (1, True)
        assert names(scheme) == {"a.png"}


@pytest.mark.parametrize(
    "line",
    [
        "imgconv apply <(cat in/a.png) -k 1 --format png -o out.png",
        "cat in/a.png | imgconv apply /dev/stdin -k 1 -o out.png",
        "cat in/a.png | imgconv apply - -k 1 -o out.png",
        "cat in/a.png > in/pipe.png & imgconv apply in/linked.png -k 1 -o out.png",
        "imgconv apply --files-from <(echo in/a.png) -k 1 -o out.png",
        "imgconv apply in/a.png -k 1 --format png -o /dev/stdout -f | cat > out.png",
    ],
)
def test_the_one_input_or_output_may_be_a_pipe(line):
    """Also one that the shell makes."""
    assert shell(line)[0] == 0
    assert np.array_equal(Image.open("out.png"), Image.open("in/a.png"))


def waits(pid: int) -> bool:
    """Whether a process is in one and the same system call for a while."""
    calls = set()
    for _ in range(20):
        calls.add(Path(f"/proc/{pid}/syscall").read_text())
        time.sleep(0.01)
    return len(calls) == 1 and "running" not in calls.pop()


@pytest.mark.skipif(not Path("/proc/self/syscall").exists(), reason="no system calls are shown")
@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["in/pipe.png", "-o", "o-1.png"], "SIGINT"),
        (["-", "-o", "o-1.png"], "SIGTERM"),
        *[
            (["-", "in/a.png", "-o", "o-{index}.png"], name)
            for name in ("SIGINT", "SIGTERM", "SIGHUP")
        ],
        (["in/a.png", "-o", "in/pipe.png", "-f"], "SIGHUP"),
    ],
)
def test_a_signal_ends_what_waits(arguments, name):
    """For who never writes to a pipe, or never reads from it: exit 130, and nothing is left."""
    done = {"o-2.png"} if "o-{index}.png" in arguments else set()
    until = time.monotonic() + SLOW
    running = subprocess.Popen(
        [*IMGCONV, "apply", *arguments, "-k", "1"], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        while not (heeds(running.pid, signal.SIGTERM) and waits(running.pid) and done <= names()):
            assert running.poll() is None
            assert time.monotonic() < until
        running.send_signal(signal.Signals[name])
        running.wait(SLOW)
    finally:
        running.kill()
    _, err = running.communicate()
    assert (running.returncode, err) == (130, b"")
    assert names() == {"in"} | done


def test_files_of_the_system_are_read_by_themselves(run):
    """They tell no size; among others they count as empty, and some of them never end."""
    version = Path("/proc/version")
    if not version.exists() or version.stat().st_size:
        pytest.skip("a system without such files")
    assert files.read(str(version)) == version.read_bytes()
    Path("version.png").symlink_to(version)
    alone = run("apply", "version.png", "-k", "1", "-o", "out/")
    among = run("apply", "version.png", "in/a.png", "-k", "1", "-o", "out/")
    assert ("not an image" in alone.err, "the file is empty" in among.err) == (True, True)


def test_what_grows_while_it_is_read_is_read_as_it_was(monkeypatch):
    """Else who appends faster than we read would never let us end."""
    real = os.fstat

    def growing(number):
        seen = real(number)
        with open("in/a.png", "ab") as file:
            file.write(b"more")
        return seen

    monkeypatch.setattr(os, "fstat", growing)
    assert files.read("in/a.png") == PICTURE


@pytest.mark.parametrize("first", ["apply", "explain --at 0,0", "sheet"])
@pytest.mark.parametrize(
    ("size", "fault"),
    [(1 << 40, "big.png: needs 1099.5 GB"), (3 << 30, "big.png: needs 3.2 GB")],
)
def test_a_size_beyond_the_memory_is_one_line(size, fault, first):
    """A file may have holes, and be a terabyte of nothing behind its head."""
    with open("big.png", "wb") as file:
        file.write(PICTURE)
        file.truncate(size)
    output = "-o o.png" * (not first.startswith("explain"))
    code, (error,), _ = shell(f"ulimit -v 2000000; imgconv {first} big.png -k 1 {output}")
    assert (code, fault in error) == (1, True)


def test_what_is_no_picture_is_not_read_to_its_end(run):
    """Be it a terabyte; what may be a picture, a table or a list is."""
    with open("big.png", "wb") as file:
        file.truncate(1 << 40)
    result = run("apply", "big.png", "-k", "1", "-o", "o.png")
    assert (result.code, "not an image of a kind that is read" in result.err) == (1, True)
    noise("L", (1500, 1000)).save("odd.tif")
    data = bytearray(Path("odd.tif").read_bytes())
    data[2:4] = data[3:1:-1]  # which Pillow takes for a TIFF
    table = f"0.{'1' * 4000}\n".encode() * 300
    for stream, name in ((bytes(data), "o.tif"), (table, "o.csv")):
        result = run("apply", "-", "-k", "1", "-o", name, stdin=stream)
        assert result.code == 0, result.err
    many = b"a" * 4000 + b".png\0"
    result = run("apply", "--files-from", "-", "-0", "-k", "1", "-o", "o.png", stdin=many * 300)
    assert (result.code, "300 inputs for one output" in result.err) == (2, True)


def test_of_several_outputs_none_is_a_pipe(run):
    """It would keep a thread waiting; nor is one written piece by piece, or replaced."""
    Path("b.png").write_bytes(PICTURE)
    Path("out").mkdir()
    os.mkfifo("out/b.png")
    result = run("apply", "in/a.png", "b.png", "-k", "1", "-o", "out/", "-f")
    assert result.code == 1
    assert "out/b.png is a pipe, not for one output of several" in result.errors[0]
    assert (names("out"), Path("out/b.png").is_fifo()) == ({"a.png", "b.png"}, True)


def test_who_may_write_to_a_device_need_not_own_its_folder(monkeypatch):
    """A link to one is as good as its name."""
    Path("link.png").symlink_to("/dev/null")
    monkeypatch.setattr(os, "access", lambda *_: False)
    files.refuse_unwritable(Path("link.png"))
    with pytest.raises(ImageError, match="read-only"):
        files.refuse_unwritable(Path("new.png"))


@needs_tiles
@pytest.mark.parametrize(
    ("source", "target"),
    [("in/pipe.png", "o.tif"), ("pipe.zarr", "o.tif"), ("a.tif", "link.tif"), ("a.tif", "p.tif")],
)
def test_nothing_but_files_is_done_piece_by_piece(source, target):
    """A pipe is read once only, and nothing takes its place, nor a device's.

    (No test writes to a real device: whoever breaks this as root would lose it.)
    """
    noise(size=(40, 30)).save("a.tif")
    os.mkfifo("pipe.zarr")
    os.mkfifo("p.tif")
    Path("link.tif").symlink_to("p.tif")
    code, (line,), _ = command("apply", source, "-k", "1", "--tile", "16", "-o", target, "-f")
    assert (code, "is not from file to file" in line) == (1, True)
    assert (Path("link.tif").is_symlink(), Path("p.tif").is_fifo()) == (True, True)


@needs_tiles
def test_in_a_zarr_every_chunk_is_a_file():
    """A pipe would be waited for; a folder, or a link to nowhere, be taken for a chunk of zeros."""
    import zarr

    makers = (os.mkfifo, os.mkdir, lambda name: name.symlink_to("nowhere"))
    for i, (make, place) in enumerate(itertools.product(makers, ("c/1/0", "zarr.json"))):
        array = zarr.create_array(f"{i}.zarr", shape=(20, 20), chunks=(10, 10), dtype="u1")
        array[:] = 7
        name = Path(f"{i}.zarr", place)
        name.unlink()
        make(name)
    sources = [f"{i}.zarr" for i in range(6)]
    code, errors, _ = command("apply", *sources, "-k", "1", "-o", "out/")
    assert (code, [*Path().glob("out/*")]) == (1, [])
    for name, line in zip(sources, errors[:-1], strict=True):
        assert f"{name}: broken .zarr: it" in line


@needs_tiles
def test_a_file_that_is_cut_while_it_is_looked_at_is_one_line():
    """Where its notes are broken too, which are left out; the process does not die of it."""
    import tifffile

    notes = [(315, 2, 9, "somebody", True), (700, 1, 50000, b"x" * 50000, True)]
    tifffile.imwrite("a.tif", np.zeros((8000, 8), np.uint8), metadata=None, extratags=notes)
    with tifffile.TiffFile("a.tif") as file:
        at = file.pages[0].tags[315].offset + 8
    with open("a.tif", "r+b") as file:
        file.seek(at)
        file.write(b"\xff\xff\xff\x7f")
    program = (
        "import os, sys\n"
        "from imgconv.pictures import tiff\n"
        "def metadata_of(*arguments, real=tiff.metadata_of):\n"
        "    os.truncate('a.tif', 1000)\n"
        "    return real(*arguments)\n"
        "tiff.metadata_of = metadata_of\n"
        "import imgconv.cli.main\n"
        "sys.exit(imgconv.cli.main.main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "apply", "a.tif", "-k", "1", "--tile", "16", "-o", "o.tif"],
        capture_output=True, check=False, timeout=SLOW,
    )  # fmt: skip
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert b"a.tif: broken image" in done.stderr


@pytest.mark.parametrize(
    "arguments", [["-k", "k.npy"], ["-k", "k.toml"], ["-k", "1", "--catalog", "k.toml"],
                  ["-k", "1", "--catalog", "kernels"]],
)  # fmt: skip
def test_kernels_are_files(arguments):
    """Also in a folder: a pipe is neither waited for nor read twice."""
    Path("kernels").mkdir()
    for name in ("k.npy", "k.toml", "kernels/k.toml"):
        os.mkfifo(name)
    code, (line,), _ = command("apply", "in/a.png", *arguments, "-o", "o.png")
    assert (code, "is no file but a pipe or a device" in line) == (2, True)


def test_a_pipe_among_ones_own_kernels_is_a_warning(config_home):
    """As all that is broken there."""
    folder = config_home / "imgconv" / "kernels"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "k.toml")
    code, (line,), _ = command("apply", "in/a.png", "-k", "1", "-o", "o.png")
    assert (code, "k.toml: is no file" in line) == (0, True)


def test_a_journal_keeps_files_and_is_one(state_home):
    """What has no size and no time that tell of it is done anew; a pipe is no journal."""
    assert journals.stamp("in/a.png")
    assert not journals.stamp("in/pipe.png")
    Path("b.png").write_bytes(PICTURE)
    run = ["apply", "in/a.png", "b.png", "-k", "1", "-o", "out/", "--resume"]
    assert command(*run)[0] == 0
    (journal,) = state_home.rglob("*.journal")
    journal.unlink()
    os.mkfifo(journal)
    code, errors, _ = command(*run)
    assert (code, "no journal is kept" in errors[0]) == (0, True)
