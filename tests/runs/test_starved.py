"""Processes that are given too little: a right output or a line for each input, never a crash."""

import errno
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from imgconv.compiled import cache, memory
from imgconv.errors import StarvedError, shortage
from tests import ROOT, reference
from tests.images import noise, saved

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits as Linux knows them")
# Python would keep bytecode that a limit on files has cut off.
IMGCONV = (sys.executable, "-B", "-m", "imgconv")
OUTLINE = [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]
SIZE = (24, 17)
NOBODY = 23517  # a user with no processes; root has no limit on them
# As such a user, who may read what is root's.
AS_NOBODY = (
    "setpriv", "--reuid", str(NOBODY), "--clear-groups",
    "--securebits", "+no_setuid_fixup",
    "--inh-caps", "+dac_override", "--ambient-caps", "+dac_override",
)  # fmt: skip
COMMANDS = {
    "jpeg": ("in/a.jpg", "-o", "out/a.png"),
    "tiff": ("in/a.tif", "-o", "out/a.tif"),
    "batch": ("in/each", "-o", "out/", "--jobs", "2"),
}


class Place(NamedTuple):
    """A folder with pictures, what a filter makes of each, and what Python itself takes."""

    folder: Path
    right: dict[str, np.ndarray]
    python: int = 0  # kB
    files: int = 0


def filtered(samples):
    """Return what the filter makes of samples, by the tests' own arithmetic."""
    top = np.iinfo(samples.dtype).max
    channels = np.moveaxis(samples.astype(object), 2, 0)
    each = [reference.respond(c.tolist(), OUTLINE) for c in channels]
    made = [[[min(max(r, 0), top) for r in row] for row in channel] for channel in each]
    return np.moveaxis(np.array(made, dtype=object).astype(samples.dtype), 0, 2)


def samples_of(path):
    """Return the samples of a file, as others read it."""
    if path.suffix == ".tif":
        import tifffile

        return tifffile.imread(path)
    return np.asarray(Image.open(path))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The pictures, and compiled code that belongs to the user who is nobody."""
    import tifffile

    folder = tmp_path_factory.mktemp("starved")
    (folder / "in/each").mkdir(parents=True)
    Path(folder / "in/a.jpg").write_bytes(saved(noise(size=SIZE), "JPEG"))
    deep = np.random.default_rng(3).integers(0, 65535, (*SIZE[::-1], 3), np.uint16)
    tifffile.imwrite(folder / "in/a.tif", deep, photometric="rgb")
    for i in range(4):
        noise(size=(SIZE[0] + i, SIZE[1])).save(folder / f"in/each/{i}.png")
    sources = {
        "a.png": "a.jpg", "a.tif": "a.tif", **{f"{i}.png": f"each/{i}.png" for i in range(4)},
    }  # fmt: skip
    right = {out: filtered(samples_of(folder / "in" / name)) for out, name in sources.items()}
    for name in COMMANDS:  # compile what they need
        assert starve(Place(folder, right), name) == (0, [])
    shutil.copytree(cache.place(), folder / "cache")
    if os.geteuid() == 0:
        for path in (folder / "cache", *(folder / "cache").iterdir()):
            os.chown(path, NOBODY, NOBODY)
    tell = "import typing, runpy; print(open('/proc/self/status').read())"
    told = subprocess.run([sys.executable, "-c", tell], capture_output=True, text=True, check=True)
    fields = dict(line.split(":", 1) for line in told.stdout.splitlines() if ":" in line)
    return Place(
        folder, right, int(fields["VmPeak"].split()[0]), next(filter(begins, range(4, 30)))
    )


def begins(files):
    """Whether Python itself begins with so many files."""
    command = f'ulimit -n {files}; exec "$@"'
    modules = [sys.executable, "-c", "import typing, runpy"]
    done = subprocess.run(
        ["bash", "-c", command, "bash", *modules], capture_output=True, check=False
    )
    return not done.returncode and not done.stderr


def starve(place, name, limit="", value=0):
    """Run a command under a limit of the shell's; return its exit code and lines of stderr.

    What it leaves must be right, and each line of ours.
    """
    out = place.folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    source, *rest = COMMANDS[name]
    command = [*IMGCONV, "apply", source, "-q", "-k", "outline", *rest]
    if limit:
        command = ["bash", "-c", f'ulimit -{limit} {value}; exec "$@"', "bash", *command]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if limit == "u" and os.geteuid() == 0:
        command = [*AS_NOBODY, *command]
        environment["IMGCONV_CACHE_DIR"] = str(place.folder / "cache")
    done = subprocess.run(
        command, cwd=place.folder, env=environment, capture_output=True, timeout=120, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    lines = done.stderr.decode().splitlines()
    left = {path.name for path in out.iterdir()}
    wanted = {"batch": {f"{i}.png" for i in range(4)}}.get(name) or {Path(rest[1]).name}
    ending = f"{name} {limit} {value}: {done.returncode} {lines}"
    for path in out.iterdir():
        np.testing.assert_array_equal(samples_of(path), place.right[path.name], ending)
    assert all(line.startswith("imgconv: ") and "report" not in line for line in lines), ending
    if done.returncode == 0:
        assert (left, lines) == (wanted, []), ending
    elif done.returncode == 1:
        assert len(lines) == len(wanted - left) > 0, ending
    else:
        assert (done.returncode, left, len(lines)) == (2, set(), 1), ending
    return done.returncode, lines


def amounts(limit, place):
    """Return 20 values of a limit, from what Python itself needs on."""
    if limit == "v":
        return [int((place.python + 4096) * 1.17**i) for i in range(20)]
    first = {"u": 1, "n": place.files, "f": 0}[limit]
    return range(first, first + 20)


needs_setpriv = pytest.mark.skipif(
    os.geteuid() == 0 and not shutil.which("setpriv"), reason="root has no limit on processes"
)


@needs_setpriv
@pytest.mark.thorough
@pytest.mark.parametrize("limit", ["v", "u", "n", "f"])
@pytest.mark.parametrize("name", COMMANDS)
def test_each_amount_gives_a_right_output_or_a_line(place, name, limit):
    """The more there is, the further it comes; with enough it is done."""
    ends = [starve(place, name, limit, value)[0] for value in amounts(limit, place)]
    assert ends[-1] == 0


@pytest.mark.parametrize(
    ("name", "share", "code"),
    [("jpeg", 0, 2), ("tiff", 0, 2), ("batch", 0, 2), ("tiff", 0.25, 1), ("tiff", 1, 0)],
)
def test_little_memory(place, name, share, code):
    """Nothing loads; or the program, but not NumPy, whose library would leave without a word."""
    found = starve(place, name, "v", int(place.python + 4096 + share * 300_000))
    assert found[0] == code
    assert not code or "not enough memory" in found[1][0]


@needs_setpriv
@pytest.mark.parametrize("name", COMMANDS)
def test_no_threads(place, name):
    """One does it all; OpenBLAS has sent an interrupt, which ended the run without a word."""
    assert starve(place, name, "u", 1) == (0, [])


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("more", [0, 1])
def test_few_open_files(place, name, more):
    """What is not read says why, and what helps."""
    _, lines = starve(place, name, "n", place.files + more)
    assert all("too many open files; raise the limit (ulimit -n)" in line for line in lines)


@pytest.mark.parametrize("name", COMMANDS)
def test_no_room_in_files(place, name):
    """Nothing is written, nor begun."""
    code, lines = starve(place, name, "f", 0)
    assert code == 1
    assert all("File too large; raise the limit" in line for line in lines)


def test_a_jpeg_in_a_pipe_is_whole_where_files_may_not_grow(place):
    """Pillow does not look how much of what it encodes is taken by a file in memory."""
    command = 'ulimit -f 1; exec "$@" < in/a.jpg | cat'
    run = [
        "bash",
        "-c",
        command,
        "bash",
        *IMGCONV,
        "apply",
        "-",
        "-qk",
        "outline",
        "--quality",
        "100",
    ]
    done = subprocess.run(run, cwd=place.folder, capture_output=True, check=True)
    (place.folder / "piped.jpg").write_bytes(done.stdout)
    assert len(done.stdout) > 1024
    assert samples_of(place.folder / "piped.jpg").shape == (*SIZE[::-1], 3)


@pytest.mark.parametrize("size", [0, 1])
def test_several_frames_find_no_room_on_their_way_to_a_pipe(place, size):
    """They wait in a file, which is not to be had, or too small."""
    first, *others = (noise(size=(40, 40)) for _ in range(3))
    first.save(place.folder / "in/film.tif", save_all=True, append_images=others)
    command = f'ulimit -f {size}; exec "$@" | cat'
    run = ["bash", "-c", command, "bash", *IMGCONV, "apply", "in/film.tif", "-qk", "outline"]
    done = subprocess.run([*run, "-o", "-"], cwd=place.folder, capture_output=True, check=False)
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("imgconv: in/film.tif: the folder for temporary files: ")
    assert line.endswith("; set TMPDIR to another")
    assert done.stdout == b""


def test_compiling_is_not_begun_without_room(place, tmp_path, monkeypatch):
    """LLVM would end the process by a signal."""
    monkeypatch.setenv("IMGCONV_CACHE_DIR", str(tmp_path / "none"))
    code, (line,) = starve(place, "jpeg", "v", place.python + 300_000)
    assert (code, "llvmlite wants" in line) == (1, True)


def test_room_is_what_a_limit_leaves(monkeypatch):
    """Without limits there is no end of it; what is loaded already needs little more."""
    assert memory.room() == (float("inf"), float("inf"))
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = {resource.RLIMIT_AS: taken + (1 << 30), resource.RLIMIT_DATA: resource.RLIM_INFINITY}
    monkeypatch.setattr(resource, "getrlimit", lambda which: (limits[which], limits[which]))
    size, data = memory.room()
    assert abs(size - (1 << 30)) < 1 << 26
    assert data == float("inf")
    limits[resource.RLIMIT_AS] = taken
    with pytest.raises(StarvedError, match="not enough memory: numpy wants"):
        memory.ask_for("numpy")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "memory"),
        (OSError(errno.ENOMEM, "x"), "memory"),
        (ImportError("libx.so.1: failed to map segment from shared object"), "memory"),
        (SystemError("<f> returned NULL without setting an exception"), "memory"),
        (OSError(errno.EMFILE, "x"), "open files"),
        (RuntimeError("can't start new thread"), "thread"),
        (OSError(errno.ENOSPC, "No space left on device"), ""),
        (ValueError("x"), ""),
    ],
)
def test_a_shortage_is_known_through_what_it_led_to(error, said):
    """NumPy and others raise errors of their own from it."""
    try:
        try:
            raise error
        except Exception:
            raise KeyError("x") from None
    except KeyError as led_to:
        found = shortage(led_to)
    assert said in str(found) if said else found is None


def test_what_a_user_wrote_tells_of_no_shortage(run, tmp_path):
    """Names of files and kernels may be any words."""
    path = tmp_path / "out of memory.png"
    noise().save(path)
    assert "--force overwrites" in run("apply", path, "-k", "1", "-o", path).err
    assert "is no name" in run("apply", path, "-k", "Too many open files").err
    assert shortage(FileNotFoundError(errno.ENOENT, "x", str(path))) is None


def test_a_picture_is_not_turned_wrong_for_want_of_files(run, tmp_path, monkeypatch):
    """What says how it stands is broken for other reasons."""
    exif = Image.Exif()
    exif[274] = 6
    (tmp_path / "a.jpg").write_bytes(saved(noise(), "JPEG", exif=exif))

    def none(_):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(Image.Image, "getexif", none)
    result = run("apply", tmp_path / "a.jpg", "-k", "1", "-o", tmp_path / "b.png")
    assert (result.code, len(result.errors)) == (1, 1)
    assert "too many open files; raise the limit" in result.err
    assert not (tmp_path / "b.png").exists()


CLOSED = [[n for n in range(3) if bits >> n & 1] for bits in range(8)]


@pytest.mark.parametrize("closed", CLOSED, ids=str)
def test_closed_streams(place, closed):
    """A picture needs none of them; what is to be printed is told, if anybody hears it."""
    shut = " ".join(f"{n}>&-" for n in closed)
    (place.folder / "out/closed.png").unlink(missing_ok=True)
    filtering = "apply in/a.jpg -qk outline -o out/closed.png"
    for words, code in ((filtering, 0), ("list --names", int(1 in closed))):
        command = ["bash", "-c", f'exec "$@" {shut}', "bash", *IMGCONV, *words.split()]
        done = subprocess.run(
            command, cwd=place.folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True, check=False,
        )  # fmt: skip
        told = (
            b"imgconv: stdout cannot be written: it is closed\n"
            if code and 2 not in closed
            else b""
        )
        assert (done.returncode, done.stderr) == (code, told)
    np.testing.assert_array_equal(samples_of(place.folder / "out/closed.png"), place.right["a.png"])


def program(main):
    """Run the program with another `main`, its streams closed."""
    before = "import imgconv.__main__ as program, imgconv.cli.main as commands"
    code = "\n".join([before, main, "commands.main = main", "program.run()"])
    return subprocess.run(
        ["bash", "-c", 'exec "$@" <&- >&-', "bash", sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_library_that_cannot_be_loaded_is_one_line():
    """As one of a disk that fails, whatever asked for it."""
    done = program("def main(): raise ImportError('x.so: cannot read file data')")
    assert (done.returncode, done.stderr) == (2, "imgconv: x.so: cannot read file data\n")


def test_what_is_opened_takes_no_place_of_a_stream():
    """What a library prints would be written there."""
    done = program("import os\ndef main(): return 0 if os.open('/dev/null', 0) > 2 else 1")
    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_dropped_for_want_of_memory_is_not_printed():
    """In a callback nothing can be raised; what matters is told by what it leads to."""
    done = program(
        "import weakref\n"
        "class Thing: pass\n"
        "def starve(_): raise MemoryError\n"
        "def main():\n"
        "    thing = Thing()\n"
        "    kept = weakref.ref(thing, starve)\n"
        "    del thing\n"
        "    return 0"
    )
    assert (done.returncode, done.stderr) == (0, "")
