"""Whole programs, from the first keystroke to the file: alone, in batches, and their memory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from benchmarks.measure import Times, in_turns, ratio, table

HERE = Path(__file__).parent
SCENE = HERE.parent / "samples" / "scene.jpg"
WEIGHTS = "1,0,-1,2,0,-2,1,0,-1"
MORPHOLOGY = ["-virtual-pixel", "edge", "-morphology", "Correlate", "3x3:1,0,-1 2,0,-2 1,0,-1"]
MASK = "3 3 1 0\n1 0 -1\n2 0 -2\n1 0 -1\n"
CONVOLUTION = "convolution=" + ":".join(["1 0 -1 2 0 -2 1 0 -1"] * 4 + ["1"] * 4 + ["0"] * 4)
# Two threads each; the programs ask their environment.
THREADS = {
    "OMP_NUM_THREADS": "2", "MAGICK_THREAD_LIMIT": "2", "VIPS_CONCURRENCY": "2",
    "IMGCONV_THREADS": "2",
}  # fmt: skip
ENVIRONMENT = {**os.environ, **THREADS}
Commands = dict[str, list[str]]


def magick(name: str) -> str:
    """Return the name of an ImageMagick program: Debian adds the version."""
    return f"{name}-im6.q16" if shutil.which(f"{name}-im6.q16") else name


def run(command: list[str], place: Path | None = None) -> None:
    """Run a program to its end in a folder; what it says matters only if it fails."""
    found = subprocess.run(command, cwd=place, env=ENVIRONMENT, capture_output=True, text=True)
    if found.returncode:
        raise RuntimeError(f"{' '.join(command)[:500]}: {found.stderr[-500:]}")


@contextmanager
def folder() -> Iterator[Path]:
    """Give a folder with the mask that vips reads."""
    with tempfile.TemporaryDirectory(prefix="imgconv-bench-") as name:
        Path(name, "mask.mat").write_text(MASK)
        yield Path(name)


def photograph(path: Path, width: int, height: int) -> Path:
    """Write our own still life in another size, with the grain of a photograph."""
    with Image.open(SCENE) as scene:
        large = scene.resize((width, height), Image.Resampling.BICUBIC)
    grain = Image.effect_noise((width, height), 12).convert("RGB")
    Image.blend(large, grain, 0.12).save(path, quality=90)
    return path


def single(source: Path, target: Path, mask: Path) -> Commands:
    """Return commands for one picture: JPEG of quality 90, or each program's usual PNG."""
    jpeg, src, dst = target.suffix == ".jpg", str(source), str(target)
    quality = ["-quality", "90"] if jpeg else []
    ffmpeg = ["-q:v", "2"] if jpeg else []
    return {
        "imgconv": ["imgconv", "apply", src, "-k", "sobel-left", "-o", dst, "--force", "-q"],
        "GraphicsMagick": ["gm", "convert", src, "-convolve", WEIGHTS, *quality, dst],
        "ImageMagick": [magick("convert"), src, *MORPHOLOGY, *quality, dst],
        "vips": ["vips", "convi", src, f"{dst}[Q=90]" if jpeg else dst, str(mask)],
        "ffmpeg": ["ffmpeg", "-y", "-threads", "2", "-i", src, "-vf", CONVOLUTION, *ffmpeg, dst],
        "Pillow script": [sys.executable, str(HERE / "peers" / "pillow_filter.py"), src, dst],
        "OpenCV script": [sys.executable, str(HERE / "peers" / "opencv_filter.py"), src, dst],
    }


def many(source: Path, target: Path, mask: Path) -> Commands:
    """Return commands for a folder of pictures, to be run in it."""
    every = sorted(path.name for path in source.glob("*.jpg"))
    out = ["-quality", "90"]
    vips = f'vips convi "$1" "{target}/$1[Q=90]" "{mask}"'
    half = str(len(every) // 2)
    pairs = ["xargs", "-a", str(source / "names"), "-P2"]
    (source / "names").write_text("\n".join(every) + "\n")
    gm = ["gm", "mogrify", "-output-directory", str(target), "-convolve", WEIGHTS, *out]
    return {
        "imgconv": ["imgconv", "apply", *every, "-k", "sobel-left", "-o", f"{target}/", "-fq"],
        "mogrify": [magick("mogrify"), "-path", str(target), *MORPHOLOGY, *out, *every],
        "gm mogrify": [*gm, *every],
        "gm mogrify, 2 processes": [*pairs, f"-n{half}", "env", "OMP_NUM_THREADS=1", *gm],
        "vips, 2 processes": [*pairs, "-n1", "env", "VIPS_CONCURRENCY=1", "sh", "-c", vips, "-"],
        "OpenCV pool of 2": [
            sys.executable, str(HERE / "peers" / "opencv_pool.py"), str(source), str(target),
        ],
    }  # fmt: skip


def caller(command: list[str], place: Path | None = None) -> Callable[[], None]:
    """Return what runs a command."""
    return lambda: run(command, place)


def one_picture(seconds: float) -> dict[str, dict[str, Times]]:
    """Time single pictures, JPEG to JPEG and to PNG, of 0.25 and 12 Mpx."""
    found = {}
    with folder() as place:
        for size in ((512, 512), (4000, 3000)):
            source = photograph(place / "source.jpg", *size)
            for suffix in ("jpg", "png"):
                commands = single(source, place / f"out.{suffix}", place / "mask.mat")
                calls = {name: caller(command) for name, command in commands.items()}
                title = f"{size[0]}x{size[1]}, JPEG to {'JPEG' if suffix == 'jpg' else 'PNG'}"
                found[title] = in_turns(calls, seconds=seconds, rounds=15)
    return found


def batches(seconds: float) -> dict[str, dict[str, Times]]:
    """Time 200 pictures of 512x512 and 20 of 4000x3000."""
    found = {}
    for count, size in ((200, (512, 512)), (20, (4000, 3000))):
        with folder() as place:
            source, target = place / "in", place / "out"
            source.mkdir()
            target.mkdir()
            first = photograph(source / "0.jpg", *size)
            for i in range(1, count):
                shutil.copy(first, source / f"{i}.jpg")
            commands = many(source, target, place / "mask.mat")
            calls = {name: caller(command, source) for name, command in commands.items()}
            found[f"{count} of {size[0]}x{size[1]}"] = in_turns(calls, seconds=seconds, rounds=7)
    return found


def report(found: dict[str, dict[str, Times]]) -> str:
    """Return a table: our milliseconds, and how many times as long everybody else takes."""
    names = list(next(iter(found.values())))[1:]
    rows = []
    for title, times in found.items():
        ours = times["imgconv"]
        rows.append([title, ours.spread, *(ratio(times[name], ours) for name in names)])
    return table(["", "imgconv, ms (quartiles)", *names], rows)


def memory() -> str:
    """Return the most memory that each program holds, by its process."""
    rows = []
    for size in ((4000, 3000), (10000, 10000)):
        with folder() as place:
            source = photograph(place / "source.jpg", *size)
            commands = single(source, place / "out.jpg", place / "mask.mat")
            peaks = {
                name: min(peak(command) for _ in range(3)) for name, command in commands.items()
            }
        told = (f"{p:.0f}" if p else "refused" for p in peaks.values())
        rows.append([f"{size[0] * size[1] / 1e6:g} Mpx", *told])
    return table(["JPEG to JPEG, MB", *commands], rows)


# A small parent: a process begins with as much memory as the one that it is forked from.
PEAK = """
import os, sys
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(child, 0)
print(0 if status else usage.ru_maxrss / 1024)
"""


def peak(command: list[str]) -> float:
    """Return megabytes resident at most, as the system counts them; 0 for a failure."""
    found = subprocess.run(
        [sys.executable, "-S", "-c", PEAK, *command], env=ENVIRONMENT, capture_output=True
    )
    return float(found.stdout.splitlines()[-1])


STARTS = {
    "python": "pass",
    "+ typer": "import typer",
    "+ imgconv.cli": "import imgconv.cli.main",
    "+ Pillow": "import imgconv.cli.main; from PIL import Image, JpegImagePlugin",
    "+ loading the code": (
        "import imgconv.cli.main; from PIL import Image, JpegImagePlugin; "
        "from imgconv.engine import native; "
        "native.function('sweep', 'plain', 6, 0, 0, S='uint8', A='int16', U='uint8')"
    ),
}
AVOIDED = {
    "NumPy": "import numpy", "Rich": "import rich.console", "llvmlite": "import llvmlite.binding",
    "Numba": "import numba",
}  # fmt: skip


def start() -> str:
    """Return where the time of a start goes, and what it does without."""
    with folder() as place:
        source = photograph(place / "tiny.jpg", 64, 64)
        codes = {**STARTS, **AVOIDED}
        commands = {name: [sys.executable, "-c", code] for name, code in codes.items()}
        commands["imgconv --version"] = ["imgconv", "--version"]
        commands["imgconv list"] = ["imgconv", "list"]
        commands["apply, 64x64"] = single(source, place / "out.jpg", place)["imgconv"]
        commands["apply, 512x512"] = single(
            photograph(place / "small.jpg", 512, 512), place / "out.jpg", place
        )["imgconv"]
        calls = {name: caller(command) for name, command in commands.items()}
        found = in_turns(calls, seconds=40, rounds=15)
    return table(["a process that does this", "ms (quartiles)"], (
        [name, times.spread] for name, times in found.items()
    ))  # fmt: skip
