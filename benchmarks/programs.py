"""Whole programs, from the first keystroke to the file: alone and in batches."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, JpegImagePlugin

from benchmarks.measure import Times, in_turns, ratio, table

HERE = Path(__file__).parent
SCENE = HERE.parent / "samples" / "scene.jpg"
WEIGHTS = "1,0,-1,2,0,-2,1,0,-1"
MORPHOLOGY = ["-virtual-pixel", "edge", "-morphology", "Correlate", "3x3:1,0,-1 2,0,-2 1,0,-1"]
MASK = "3 3 1 0\n1 0 -1\n2 0 -2\n1 0 -1\n"
CONVOLUTION = "convolution=" + ":".join(["1 0 -1 2 0 -2 1 0 -1"] * 4 + ["1"] * 4 + ["0"] * 4)
# As the sources have it, which imgconv keeps: quality 90, and chroma of half the size. Of quality
# 90, vips, GraphicsMagick and ImageMagick would write chroma of the full size, which takes longer.
QUALITY = ["-quality", "90", "-sampling-factor", "2x2"]
VIPS_QUALITY = "[Q=90,subsample_mode=on]"
# Two threads each; the programs ask their environment. Bytecode is written, as pip would.
THREADS = {
    "OMP_NUM_THREADS": "2", "MAGICK_THREAD_LIMIT": "2", "VIPS_CONCURRENCY": "2",
    "OPENCV_FOR_THREADS_NUM": "2", "IMGCONV_THREADS": "2",
}  # fmt: skip
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | THREADS
# What pip installs as the program, beside the Python that has the peers.
OURS = str(Path(sys.executable).with_name("imgconv"))
OURS = OURS if os.access(OURS, os.X_OK) else "imgconv"
# JPEG rounds, and decoders do in their own ways: so many levels apart in the mean is the same.
# Pillow leaves the outermost pixels as they are, which reaches as far as blocks of 16.
TOLERANCE, MARGIN = 1, 16
Commands = dict[str, list[str]]


def magick(name: str) -> str:
    """Return the name of an ImageMagick program: Debian adds the version."""
    return f"{name}-im6.q16" if shutil.which(f"{name}-im6.q16") else name


def absent() -> dict[str, str]:
    """Return what is not installed of the peers: words of commands, and what they stand for."""
    programs = {
        "gm": "GraphicsMagick", magick("convert"): "ImageMagick", "vips": "vips",
        "ffmpeg": "ffmpeg", "xargs": "xargs",
    }  # fmt: skip
    modules = {"PIL": "pillow", "cv2": "opencv", "pyvips": "pyvips"}
    found = {word: name for word, name in programs.items() if not shutil.which(word)}
    for module, name in modules.items():
        if not importlib.util.find_spec(module):
            found[str(HERE / "peers" / f"{name}_filter.py")] = module
    return found


def installed(commands: Commands) -> Commands:
    """Return the commands whose programs there are."""
    missing = absent().keys()
    return {name: words for name, words in commands.items() if missing.isdisjoint(words)}


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


@contextmanager
def folders(count: int, width: int, height: int) -> Iterator[tuple[Path, Path, Commands]]:
    """Give a folder of so many pictures, one for the outputs, and the commands for both."""
    with folder() as place:
        source, target = place / "in", place / "out"
        source.mkdir()
        target.mkdir()
        first = photograph(source / "0.jpg", width, height)
        for i in range(1, count):
            shutil.copy(first, source / f"{i}.jpg")
        yield source, target, many(source, target, place / "mask.mat")


def photograph(path: Path, width: int, height: int) -> Path:
    """Write our own still life in another size, with the grain of a photograph."""
    with Image.open(SCENE) as scene:
        large = scene.resize((width, height), Image.Resampling.BICUBIC)
    grain = Image.effect_noise((width, height), 12).convert("RGB")
    Image.blend(large, grain, 0.12).save(path, quality=90)
    return path


def single(source: Path, target: Path, mask: Path) -> Commands:
    """Return commands for one picture: JPEG of quality 90, or each program's usual PNG.

    Of them all, imgconv alone makes sure that its output is on the disk.
    """
    jpeg, src, dst = target.suffix == ".jpg", str(source), str(target)
    quality = QUALITY if jpeg else []
    colours = f"format=gbrp,{CONVOLUTION},format={'yuvj420p' if jpeg else 'rgb24'}"
    ffmpeg = ["-vf", colours, *(["-q:v", "2"] if jpeg else [])]
    vips = [f"{src}[access=sequential]", f"{dst}{VIPS_QUALITY if jpeg else ''}", str(mask)]
    return installed({
        "imgconv": [OURS, "apply", src, "-k", "sobel-left", "-o", dst, "--force", "-q"],
        "Pillow script": [sys.executable, str(HERE / "peers" / "pillow_filter.py"), src, dst],
        "OpenCV script": [sys.executable, str(HERE / "peers" / "opencv_filter.py"), src, dst],
        "pyvips script": [sys.executable, str(HERE / "peers" / "pyvips_filter.py"), src, dst],
        "vips": ["vips", "convi", *vips],
        "GraphicsMagick": ["gm", "convert", src, "-convolve", WEIGHTS, *quality, dst],
        "ImageMagick": [magick("convert"), src, *MORPHOLOGY, *quality, dst],
        "ffmpeg": ["ffmpeg", "-y", "-threads", "2", "-i", src, *ffmpeg, dst],
    })  # fmt: skip


def many(source: Path, target: Path, mask: Path) -> Commands:
    """Return commands for a folder of JPEG files, to be run in it, each in two processes."""
    every = sorted(path.name for path in source.glob("*.jpg"))
    (source / "names").write_text("\n".join(every) + "\n")
    halves = f"-n{max(len(every) // 2, 1)}"
    pairs = ["xargs", "-a", str(source / "names"), "-P2"]
    gm = ["gm", "mogrify", "-output-directory", str(target), "-convolve", WEIGHTS, *QUALITY]
    vips = ["{}[access=sequential]", f"{target}/{{}}{VIPS_QUALITY}", str(mask)]
    return installed({
        "imgconv": [
            OURS, "apply", *every, "-k", "sobel-left", "-o", f"{target}/", "-fq", "--jobs", "2",
        ],
        "Pillow pool": pool("pillow", source, target),
        "OpenCV pool": pool("opencv", source, target),
        "pyvips pool": pool("pyvips", source, target),
        "vips, xargs -P2": [
            *pairs, "-I{}", "env", "VIPS_CONCURRENCY=1", "vips", "convi", *vips,
        ],
        "gm mogrify, xargs -P2": [*pairs, halves, "env", "OMP_NUM_THREADS=1", *gm],
    })  # fmt: skip


def pool(peer: str, source: Path, target: Path) -> list[str]:
    """Return the command that has a peer's script do a folder in two processes."""
    peers = HERE / "peers"
    script = str(peers / f"{peer}_filter.py")
    return [sys.executable, str(peers / "pool.py"), script, str(source), str(target)]


def caller(command: list[str], place: Path | None = None) -> Callable[[], None]:
    """Return what runs a command."""
    return lambda: run(command, place)


def anew(command: list[str], place: Path, target: Path, *, large: bool) -> Callable[[], None]:
    """Return what runs a command whose outputs go to a new folder, beside those of runs before.

    Many files that replace others, or follow deleted ones, may take a file system as long as all
    the rest takes. Large ones, which are few, are not kept.
    """

    def call() -> None:
        before = tempfile.mkdtemp(dir=target.parent)
        target.rename(before)
        if large:
            shutil.rmtree(before)
        target.mkdir()
        run(command, place)

    return call


def agreement() -> str:
    """Return how far the peers' outputs are from ours: only equal work can be compared."""
    rows: list[list[str]] = []
    with folder() as place, folders(1, 512, 512) as (pictures, target, batch):
        source, output = pictures / "0.jpg", place / "0.jpg"
        alone = single(source, output, place / "mask.mat")
        todo = [(name, words, output) for name, words in alone.items()]
        todo += [(f"{name} (batch)", words, target / "0.jpg") for name, words in batch.items()]
        for name, words, written in todo:
            run(words, pictures)
            kept = written.replace(place / f"kept-{len(rows)}.jpg")
            rows.append([name, *apart(kept, place / "kept-0.jpg")])
    missing = ", ".join(absent().values())
    note = f"\n\nNot installed, and so not measured: {missing}." if missing else ""
    return table(["", "levels apart", "the same work", "JPEG as ours"], rows) + note


def apart(output: Path, ours: Path) -> list[str]:
    """Return the mean difference of two pictures, whether it is small, and if JPEG is the same."""
    with Image.open(output) as one, Image.open(ours) as other:
        a, b = (np.asarray(image.convert("RGB"), np.int16) for image in (one, other))
        inner = np.abs(a - b)[MARGIN:-MARGIN, MARGIN:-MARGIN].mean()
        assert isinstance(one, JpegImagePlugin.JpegImageFile)
        assert isinstance(other, JpegImagePlugin.JpegImageFile)
        found = [(JpegImagePlugin.get_sampling(i), i.quantization) for i in (one, other)]
    same = found[0] == found[1]
    how = "yes" if same else "other chroma" if found[0][0] != found[1][0] else "other tables"
    return [f"{inner:.3f}", "yes" if inner <= TOLERANCE else "NO", how]


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
        with folders(count, *size) as (source, target, commands):
            calls = {
                name: anew(words, source, target, large=size > (1000, 1000))
                for name, words in commands.items()
            }
            found[f"{count} of {size[0]}x{size[1]}"] = in_turns(calls, seconds=seconds, rounds=9)
    return found


def report(found: dict[str, dict[str, Times]]) -> str:
    """Return a table: everybody's milliseconds, and how many times as long as ours they are."""
    rows = []
    for title, times in found.items():
        for name, time in times.items():
            rows.append([title, name, time.spread, ratio(time, times["imgconv"])])
            title = ""
    return table(["", "", "ms (quartiles)", "times imgconv's"], rows)
