"""Signals and failures at each system call that touches an output, its part or a journal."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from tests.images import noise, saved

tifffile = pytest.importorskip("tifffile")
zarr = pytest.importorskip("zarr")
pytestmark = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")

CALLS = (
    "openat", "write", "pwrite64", "fsync", "fdatasync", "ftruncate", "rename", "renameat",
    "renameat2", "link", "linkat", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "chmod",
    "fchmodat", "flock",
)  # fmt: skip
SIGNALS, ERRORS = ("KILL", "INT", "TERM", "HUP"), ("ENOSPC", "EIO", "EINTR")
FAULTS = (*SIGNALS, *ERRORS)
REFUSED = re.compile("cannot be written: .*; |exists; --force")
STEPS = "renameat2:error=ENOSYS"  # as on file systems that exchange nothing

# A process that has imported what a run needs, and starts runs as copies of itself, each of which
# waits until strace is there. It is told of a copy once that has opened all that is not the
# program's, so that calls have the same numbers however soon strace comes.
NURSERY = """
import ctypes, gc, json, os, signal, sys
import tifffile, zarr
import PIL.GifImagePlugin, PIL.ImageDraw, PIL.ImageFont, PIL.PngImagePlugin
import imgconv.cli.apply, imgconv.cli.explain, imgconv.cli.learn, imgconv.cli.main
import imgconv.cli.sheet, imgconv.cli.table, imgconv.kernels.dialects, imgconv.kernels.spec
import imgconv.pictures.chunks, imgconv.pictures.png_strips, imgconv.pipeline.pieces
import imgconv.runs.batch, imgconv.runs.journal, imgconv.runs.outputs
import imgconv.teach.learn, imgconv.teach.page, imgconv.teach.sheet
from imgconv.__main__ import run
from imgconv.compiled import native
for name in native.kept():
    native.part(name)
gc.freeze()
for line in sys.stdin:
    order = json.loads(line)
    (ready, go), (there, here) = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(-1))  # whoever is there may trace it
        signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the tests ignore
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(os.open(order["out"], os.O_WRONLY | os.O_CREAT), 1)
        os.dup2(os.open(order["err"], os.O_WRONLY | os.O_CREAT), 2)
        os.chdir(order["folder"])
        os.environ["XDG_STATE_HOME"] = order["state"]
        os.write(here, b"!")
        os.read(ready, 1)
        for end in (ready, go, there, here):
            os.close(end)
        sys.argv = ["imgconv", *order["arguments"]]
        run()
    os.read(there, 1)
    for end in (ready, there, here):
        os.close(end)
    print(child, flush=True)
    sys.stdin.readline()
    os.write(go, b"!")
    os.close(go)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Scene(NamedTuple):
    """A command, which outputs are there before it, and what is injected besides."""

    command: str
    old: tuple[str, ...]
    beside: str = ""

    @property
    def arguments(self) -> list[str]:
        """The command's words."""
        words = self.command.split()
        return (
            [*words, *["-k", "sharpen", "--threads", "1", "--jobs", "1", "-q"]]
            if words[0] == "apply"
            else words
        )

    def is_beside(self, line: str) -> bool:
        """Whether a line of strace's is about a call in which something is injected besides."""
        return bool(self.beside) and f" {self.beside.partition(':')[0]}(" in line


SCENES = {
    "plain": Scene("apply in/0.png -o out/0.png -f", ("0.png",)),
    "new": Scene("apply in/0.png -o out/0.png", ()),
    "linked": Scene("apply in/0.png -o out/0.png", (), STEPS),
    "batch": Scene("apply in/0.png in/1.png in/2.png -o out/ -f", ("0.png",)),
    "tiled": Scene("apply in/t.tif -o out/t.tif --tile 64 -f", ("t.tif",)),
    "zarr": Scene("apply in/z.zarr -o out/z.zarr -f", ("z.zarr",)),
    "steps": Scene("apply in/z.zarr -o out/z.zarr -f", ("z.zarr",), STEPS),
    "resumed": Scene("apply in/0.png in/1.png in/2.png -o out/ --resume", ()),
    "frames": Scene("apply in/f.gif -o out/f.gif -f", ("f.gif",)),
    "sheet": Scene("sheet in/0.png -k sharpen -o out/s.png -f", ("s.png",)),
    "page": Scene("explain in/0.png -k sharpen --html out/p.html -f", ("p.html",)),
    "learn": Scene("learn in/0.png in/0.png --size 3 -o out/k.toml -f", ("k.toml",)),
}


class Point(NamedTuple):
    """The n-th call of a name in a thread."""

    call: str
    number: int


class Ended(NamedTuple):
    """What a run has left behind: its exit code, its lines and what strace saw."""

    code: int
    lines: list[str]
    log: str


class Nursery:
    """Runs of the program, with faults injected."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._count = folder, 0
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", NURSERY], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env={**os.environ, "ZARR_THREADING__MAX_WORKERS": "1"},
        )  # fmt: skip

    def close(self) -> None:
        """End it."""
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def run(self, folder: Path, arguments: list[str], *faults: str, trace: str = "") -> Ended:
        """Run the program in a folder."""
        self._count += 1
        out, err, log = (self._folder / f"{self._count}.{end}" for end in ("out", "err", "log"))
        places = {"out": str(out), "err": str(err), "folder": str(folder)}
        child = self._tell(
            json.dumps({**places, "state": str(folder / "state"), "arguments": arguments})
        )
        tracer = None
        if trace:
            inject = [f"--inject={fault}" for fault in faults]
            traced = ",".join({trace, *(fault.partition(":")[0] for fault in faults)})
            command = ["strace", "-f", "-y", "-o", str(log), f"--trace={traced}", *inject]
            tracer = subprocess.Popen([*command, "-p", child], stderr=subprocess.PIPE, text=True)
            assert "attached" in tracer.stderr.readline()
        code = int(self._tell(""))
        if tracer:
            tracer.communicate()
        return Ended(code, err.read_text().splitlines(), log.read_text() if trace else "")

    def _tell(self, line: str) -> str:
        print(line, file=self._process.stdin, flush=True)
        return self._process.stdout.readline().strip()


@pytest.fixture(scope="module")
def nursery(tmp_path_factory) -> Iterator[Nursery]:
    """A nursery for all tests, where strace is allowed to trace."""
    if subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True).returncode:
        pytest.skip("strace traces nothing here")
    with contextlib.closing(Nursery(tmp_path_factory.mktemp("nursery"))) as nursery:
        yield nursery


class Stage(NamedTuple):
    """A folder as a scene begins and as it ends, and the calls between."""

    scene: Scene
    begin: Path
    folder: Path
    old: dict[str, object]
    new: dict[str, object]
    points: list[Point]


@pytest.fixture(scope="module")
def stages(tmp_path_factory, nursery) -> dict[str, Stage]:
    """Return a function that sets the stage of a scene, once."""
    found: dict[str, Stage] = {}

    def stage(name: str) -> Stage:
        if name not in found:
            found[name] = set_up(SCENES[name], tmp_path_factory.mktemp(name), nursery)
        return found[name]

    return stage


def set_up(scene: Scene, base: Path, nursery: Nursery) -> Stage:
    """Make inputs and old outputs, and see what a clean run does."""
    folder, begin = base / "now", base / "begin"
    for name in ("in", "out", "state"):
        (folder / name).mkdir(parents=True)
    for i in range(3):
        (folder / f"in/{i}.png").write_bytes(saved(noise(size=(20 + i, 15)), "PNG"))
    frames = [Image.fromarray(np.full((9, 8), i, np.uint8)) for i in (9, 90)]
    frames[0].save(folder / "in/f.gif", save_all=True, append_images=frames[1:])
    tifffile.imwrite(folder / "in/t.tif", np.ones((90, 80), np.uint8), tile=(32, 32))
    zarr.create_array(str(folder / "in/z.zarr"), data=np.ones((40, 30)), chunks=(32, 32))
    for name in scene.old:
        target = folder / "out" / name
        if name.endswith(".zarr"):
            zarr.create_array(str(target), data=np.ones((5, 5)), chunks=(4, 4))
        else:
            target.write_bytes(b"old")
    if "--resume" in scene.arguments:  # after a run that was killed
        killed = [word for word in scene.arguments if word != "--resume"]
        nursery.run(folder, killed, "renameat2:signal=KILL:when=2", trace="renameat2")
        assert len(contents(folder / "out")) == 2  # the first, and a part
        assert [*(folder / "state").rglob("*.journal")]
    shutil.copytree(folder, begin)
    beside = [scene.beside] * bool(scene.beside)
    traced = ",".join(f"?{call}" for call in CALLS)
    nursery.run(folder, scene.arguments)  # keeps what it has compiled
    set_back(begin, folder)
    seen = nursery.run(folder, scene.arguments, *beside, trace=traced)
    assert seen.code == 0, seen
    points = [p for p in called(seen.log, folder) if not scene.beside.startswith(p.call)]
    assert points
    return Stage(scene, begin, folder, contents(begin / "out"), contents(folder / "out"), points)


def set_back(begin: Path, folder: Path) -> None:
    """Have a folder as it was, with its times, at the same place, by which journals know it."""
    shutil.rmtree(folder)
    shutil.copytree(begin, folder)


def called(log: str, folder: Path) -> list[Point]:
    """The calls that touch outputs and journals, each by its place among those of its thread."""
    counts: dict[tuple[str, str], int] = {}
    points: dict[Point, None] = {}
    for line in log.splitlines():
        match = re.match(r"(\d+) +([a-z0-9_]+)\((.*)", line)
        if not match:
            continue
        thread, call, rest = match.groups()
        counts[thread, call] = counts.get((thread, call), 0) + 1
        if is_aimed(rest, folder):
            points[Point(call, counts[thread, call])] = None
    return list(points)


def is_aimed(call: str, folder: Path) -> bool:
    """Whether a call is about outputs or journals."""
    return any(place in call for place in (f"{folder}/out", f"{folder}/state", '"out/'))


def contents(folder: Path) -> dict[str, object]:
    """What is in a folder: bytes, or folders."""
    return {
        path.name: contents(path) if path.is_dir() else path.read_bytes()
        for path in folder.iterdir()
    }


def play(stage: Stage, nursery: Nursery, fault: str, point: Point) -> None:
    """Inject a fault, and look at what is left and at what the next run makes of it."""
    scene, folder = stage.scene, stage.folder
    set_back(stage.begin, folder)
    what = "error" if fault in ERRORS else "signal"
    shot = f"{point.call}:{what}={fault}:when={point.number}"
    beside = [scene.beside] * bool(scene.beside)
    ended = nursery.run(folder, scene.arguments, *beside, shot, trace=point.call)
    said = f"{shot}: {ended}"
    left = contents(folder / "out")
    for name in stage.new:
        assert left.pop(name, None) in (stage.old.get(name), stage.new.get(name)), said
    assert contents(folder / "in") == contents(stage.begin / "in")
    assert all(line.startswith("imgconv: ") for line in ended.lines), said
    refused = [line for line in ended.lines if REFUSED.search(line)]
    lines = [line for line in ended.log.splitlines() if not scene.is_beside(line)]
    injected = [line for line in lines if line.endswith("(INJECTED)")]
    astray = not all(is_aimed(line, folder) for line in injected)  # in another thread as well
    if not (injected or re.search(r"\+\+\+ killed|--- SIG(INT|TERM|HUP)", ended.log)):
        assert (ended.code, ended.lines) == (0, []), said  # threads shared the calls otherwise
    elif fault == "KILL":
        assert ended.code == -signal.SIGKILL, said
    elif what == "signal":
        assert (ended.code, ended.lines) == (130, []), said
    else:
        assert ended.code == len(refused) or astray, said
    if fault in SIGNALS[1:]:
        assert not left.keys() - stage.old.keys(), said
    again = [*scene.arguments, *["-f"] * ("--resume" not in scene.arguments)]
    ended = nursery.run(folder, again)
    assert ended.code == 0, (said, ended)
    assert contents(folder / "out") == stage.new, said
    journals = sorted((folder / "state").rglob("*.journal"))
    assert [path.stem for path in journals if "-" in path.stem[16:]] == [], said


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", SCENES)
def test_one(name, fault, stages, nursery):
    """One of the calls, another for each fault; .ci/faults takes all."""
    stage = stages(name)
    place = FAULTS.index(fault) * len(stage.points) // len(FAULTS)
    play(stage, nursery, fault, stage.points[place])


@pytest.mark.thorough
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", SCENES)
def test_all(name, fault, stages, nursery):
    """Each call."""
    stage = stages(name)
    for point in stage.points:
        play(stage, nursery, fault, point)
