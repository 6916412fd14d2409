"""Pictures larger than memory: what a TIFF in pieces takes, beside one in memory and the core."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tifffile

import imgconv
from benchmarks.measure import Times, table

SIDE, SMALL = 30_000, 5_000
TILE = 256
KERNELS = {
    "sharpen": ("sharpen",),
    "chain of three": ("gaussian(sigma=1)", "emboss", "sharpen"),
}
ROUNDS = 3


def make(path: Path, side: int) -> None:
    """Write a tiled RGB TIFF of noise."""
    noise = np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), np.uint8)

    def tiles() -> Iterator[npt.NDArray[np.uint8]]:
        for y in range(0, side, TILE):
            for x in range(0, side, TILE):
                yield np.ascontiguousarray(np.roll(noise, y * 7 + x * 3, 1)[:TILE, :TILE])

    with tifffile.TiffWriter(path, bigtiff=True) as file:
        file.write(
            tiles(), shape=(side, side, 3), dtype="uint8", tile=(TILE, TILE), photometric="rgb"
        )


def run(source: Path, kernels: tuple[str, ...], *options: str) -> tuple[float, float]:
    """Return the seconds that a whole process takes, and its peak memory in MB."""
    words = [word for kernel in kernels for word in ("-k", kernel)]
    target = source.with_name("out.tif")
    command = [sys.executable, "-m", "imgconv", "apply", str(source), *words, "-o", str(target)]
    begin = time.perf_counter()
    # A process of its own waits for it, so that the peak is that of this one alone.
    code = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command, "-f", "-q", "--compress", "none", *options],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return time.perf_counter() - begin, int(done.stdout) / 1024


def core(kernels: tuple[str, ...]) -> float:
    """Return the seconds that the small picture takes in memory, without files."""
    noise = np.random.default_rng(0).integers(0, 256, (SMALL, SMALL, 3), np.uint8)
    begin = time.perf_counter()
    image: npt.NDArray[np.generic] = noise
    for i, kernel in enumerate(kernels, 1):
        last = i == len(kernels)
        image = (imgconv.apply if last and len(kernels) == 1 else imgconv.correlate)(image, kernel)
    return time.perf_counter() - begin


def report() -> str:
    """Return one table: memory, and megapixels a second in pieces, in memory, of the core alone."""
    folder = Path(tempfile.mkdtemp(prefix="imgconv-larger-"))
    rows = []
    try:
        large, small = folder / "large.tif", folder / "small.tif"
        make(large, SIDE)
        make(small, SMALL)
        for name, kernels in KERNELS.items():
            run(small, kernels)
            run(small, kernels, "--tile", "1024")
            core(kernels)
            pieces, whole, alone, peaks = [], [], [], []
            for _ in range(ROUNDS):
                seconds, peak = run(large, kernels, "--tile", "1024")
                pieces.append(seconds)
                peaks.append(peak)
                whole.append(run(small, kernels)[0])
                alone.append(core(kernels))
            rows.append([
                name, f"{max(peaks):.0f}", _rate(SIDE, pieces), _rate(SMALL, whole),
                _rate(SMALL, alone),
            ])  # fmt: skip
    finally:
        shutil.rmtree(folder)
    head = ["kernel", "peak, MB", "in pieces, Mpx/s", "in memory, Mpx/s", "core alone, Mpx/s"]
    return table(head, rows)


def _rate(side: int, seconds: list[float]) -> str:
    return f"{side * side / 1e6 / Times(tuple(seconds)).median:.0f}"
