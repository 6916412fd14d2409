"""Files whose heads say more than is there cost little and end in a line; honest ones are read."""

import io
import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from imgconv.compiled import memory
from imgconv.pictures import limits
from tests.pictures import bombs
from tests.pictures.bombs import KINDS, MOST_MEMORY, Bomb

ROOT = Path(__file__).parents[2]
Run = Callable[..., tuple[int, str, int]]


@pytest.fixture(scope="module")
def ran() -> Iterator[Run]:
    """Return what runs the program in a process of its own: exit code, stderr, peak of memory."""
    alone = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # nothing is to run beside what forks
    command = [sys.executable, "-m", bombs.__name__]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=ROOT, env=alone, stdin=pipe, stdout=pipe, text=True
    ) as server:
        assert server.stdin
        assert server.stdout

        def run(*arguments: object) -> tuple[int, str, int]:
            assert server.stdin
            assert server.stdout
            print(json.dumps([str(a) for a in arguments]), file=server.stdin, flush=True)
            code, said, peak = json.loads(server.stdout.readline())
            return code, said, peak

        yield run
        server.stdin.close()


def arguments(bomb: Bomb, folder: Path) -> list[object]:
    """Return a command line that meets a bomb, which is made in a folder."""
    picture, file = folder / "picture.png", folder / f"bomb{bomb.ending}"
    Image.new("L", (3, 2)).save(picture)
    bomb.make(file)
    if bomb.kernel:
        return [picture, "-k", file]
    if not bomb.ending:
        return [picture, *bomb.options]
    return [file, "-k", "blur", *bomb.options]


def faults_of(bomb: Bomb, ran: Run, folder: Path) -> Iterator[str]:
    """Yield what is wrong with how a bomb went off."""
    command, target = arguments(bomb, folder), folder / f"out{bomb.ending or '.png'}"
    before = set(folder.iterdir())
    for how in (["-n"], []) if bomb.ending and not bomb.kernel else ([],):
        code, said, peak = ran("apply", *command, *how, "-o", target)
        told = f"{bomb.name} {' '.join(how)} ends as {code}, {peak >> 20} MB: {said[-300:]!r}"
        lines = said.splitlines()
        right = code in (0, bomb.code) if how else code == bomb.code
        short = (len(said) < 600 and len(lines) == 1) or (code == 0 and not lines)
        odd = "Traceback" in said or "please report" in said
        left = set(folder.iterdir()) - before - ({target} if code == 0 and not how else set())
        if not right or not short or odd or left or peak >= MOST_MEMORY:
            yield f"{told}; left {sorted(left)}"


@pytest.mark.skipif(sys.platform != "linux", reason="the memory is measured as Linux tells it")
@pytest.mark.parametrize("share", [3, pytest.param(1, marks=pytest.mark.thorough)])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_bomb_costs_little_and_ends_in_a_line(
    kind: Callable[[], Iterator[Bomb]], share: int, ran: Run, tmp_path: Path
):
    """Whether it is refused, or read without what it only says; and a dry run does the same."""
    found = []
    for i, bomb in enumerate(itertools.islice(kind(), 0, None, share)):
        folder = tmp_path / str(i)
        folder.mkdir()
        found += faults_of(bomb, ran, folder)
    assert not found


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    """Return an image file."""
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


SIDE = 3000  # of pictures that are black
BELIEVED = limits.BELIEVED // 4  # of pixels without data, which are fewer than such a picture has


def blank(mode: str = "L") -> Image.Image:
    """Return a black picture."""
    return Image.new(mode, (SIDE, SIDE))


def tiff(compression: str, **options: object) -> bytes:
    """Return a black TIFF."""
    out = io.BytesIO()
    array = np.zeros((SIDE, SIDE), options.pop("kind", np.uint8))
    tifffile.imwrite(out, array, compression=compression, **options)
    return out.getvalue()


HONEST = {
    "PNG 1": lambda: saved(blank("1"), "PNG", optimize=True),
    "PNG RGB": lambda: saved(blank("RGB"), "PNG"),
    "JPEG": lambda: saved(blank(), "JPEG", quality=1, optimize=True),
    "JPEG progressive": lambda: saved(blank(), "JPEG", quality=1, progressive=True),
    "JPEG RGB": lambda: saved(blank("RGB"), "JPEG", quality=1, progressive=True),
    "GIF": lambda: saved(blank(), "GIF"),
    "WebP": lambda: saved(blank("RGB"), "WEBP", quality=1, method=0),
    "TIFF 1, fax": lambda: saved(blank("1"), "TIFF", compression="group4"),
    **{
        f"TIFF in {name}": lambda name=name: tiff(name)
        for name in ("lzw", "zlib", "packbits", "zstd", "jpeg")
    },
    "TIFF 16": lambda: tiff("zlib", kind=np.uint16, predictor=True),
    "TIFF of one strip": lambda: tiff("zlib", rowsperstrip=SIDE),
    "TIFF in tiles": lambda: tiff("zstd", tile=(3008, 3008)),
}


@pytest.mark.parametrize("name", HONEST)
def test_what_is_all_of_one_colour_is_believed(name: str, tmp_path: Path, run, monkeypatch):
    """Packed as well as its coder can, as others' programs write it."""
    monkeypatch.setattr(limits, "BELIEVED", BELIEVED)
    path = tmp_path / "in.img"
    path.write_bytes(HONEST[name]())
    result = run("apply", path, "-k", "blur", "-o", tmp_path / "out.png", "-n")
    assert (result.code, result.errors) == (0, [])


def test_what_is_hollow_is_believed_where_somebody_says_so(tmp_path: Path, run):
    """With the very number that the error names."""
    path = tmp_path / "in.gif"
    path.write_bytes(bombs.gif(6000, 6000, bombs.image(1, 1)))
    target = tmp_path / "out.png"
    refused = run("apply", path, "-k", "blur", "-o", target, "-n")
    assert refused.code == 1
    number = refused.err.split("--max-pixels ")[1]
    assert run("apply", path, "-k", "blur", "-o", target, "-n", "--max-pixels", number).code == 0


def test_sparse_tiles_are_believed(tmp_path: Path, run):
    """As GDAL writes them, who leaves out what is all nodata."""

    def tiles() -> Iterator[bytes]:
        yield bytes(256 * 256)
        yield from [b""] * 483  # which are left out

    path = tmp_path / "in.tif"
    tifffile.imwrite(path, tiles(), shape=(5632, 5632), dtype="u1", tile=(256, 256))
    result = run("apply", path, "-k", "blur", "-o", tmp_path / "out.tif", "-n", "--tile", "64")
    assert (result.code, result.errors) == (0, [])


@pytest.mark.parametrize("how", [[], ["-n"]], ids=["run", "dry"])
@pytest.mark.parametrize(
    ("size", "options"), [((5000, 4000), []), ((3, 2), ["--padding", "20000"])], ids=["in", "out"]
)
def test_no_more_is_begun_than_the_memory_holds(size, options, how, tmp_path, run, monkeypatch):
    """Of what is read nor of what comes out; and nothing is written."""
    monkeypatch.setattr(memory, "free", lambda: 7e7)
    path = tmp_path / "in.png"
    path.write_bytes(saved(Image.new("RGB", size), "PNG", compress_level=1))
    result = run("apply", path, "-k", "blur", "-o", tmp_path / "out.png", *options, *how)
    assert result.code == 1
    assert re.search(r"needs \d\.\d GB of memory, and 0\.1 GB are free", result.err)
    assert list(tmp_path.iterdir()) == [path]


def test_a_tiff_of_many_channels_is_not_begun_beyond_the_memory(tmp_path, run, monkeypatch):
    """Which Pillow does not open, and tifffile would make room for."""
    monkeypatch.setattr("imgconv.pipeline.pieces.is_larger", lambda *_: False)  # it is done whole
    monkeypatch.setattr(memory, "free", lambda: 1e8)
    path = tmp_path / "in.tif"
    shape = (7, 4000, 4000)
    tifffile.imwrite(path, shape=shape, dtype="u1", planarconfig="separate", photometric="rgb")
    for how in ([], ["-n"]):
        result = run(
            "apply", path, "-k", "blur", "-o", tmp_path / "out.tif", "--levels", "none", *how
        )
        assert result.code == 1
        assert "needs 0.1 GB of memory, and 0.1 GB are free" in result.err


def test_the_memory_of_a_container_counts_without_what_is_only_cached(monkeypatch):
    """By the files of Linux's control groups, version 2; without a limit, the machine's."""
    said = {
        "/proc/meminfo": "MemTotal: 9000 kB\nMemAvailable: 8000 kB\n",
        "/sys/fs/cgroup/memory.max": "5000000\n",
        "/sys/fs/cgroup/memory.current": "4000000\n",
        "/sys/fs/cgroup/memory.stat": "anon 1\nactive_file 500000\ninactive_file 2500000\n",
    }
    monkeypatch.setattr(memory, "_read", said.__getitem__)
    assert memory.free() == 4_000_000
    said["/sys/fs/cgroup/memory.max"] = "max\n"
    assert memory.free() == 8_192_000
