"""Measure everything, or the sections asked for, and print Markdown.

Needs ``pip install '.[bench,tiles]'`` and, for whole programs, Debian's packages imagemagick,
graphicsmagick, libvips-tools and ffmpeg. Whole programs (b, c, d, f) do with those that there are.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib.metadata
import platform
import re
import shutil
import subprocess
from pathlib import Path

from benchmarks import programs, resident, starts
from benchmarks.measure import Times

HERE = Path(__file__).parent
LIBRARIES = (
    "imgconv", "numpy", "numba", "pillow", "opencv-python-headless", "pyvips",
    "pyvips-binary", "torch", "dask", "dask-image",
)  # fmt: skip
PROGRAMS = (
    ["gm", "version"], [programs.magick("convert"), "--version"], ["vips", "--version"],
    ["ffmpeg", "-version"],
)  # fmt: skip


def circumstances() -> str:
    """Return the date, the machine and all versions."""
    processor = platform.processor() or platform.machine()
    cpu = Path("/proc/cpuinfo")
    if cpu.exists() and (found := re.search(r"model name\s*: (.*)", cpu.read_text())):
        processor = found[1]
    versions = []
    for name in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions.append(f"{name} {importlib.metadata.version(name)}")
    for command in PROGRAMS:
        if not shutil.which(command[0]):  # section (a) does without
            continue
        said = subprocess.run(command, capture_output=True, text=True).stdout
        versions.append(" ".join(said.split("\n", 1)[0].split()[:3]) or f"{command[0]} (unknown)")
    return (
        f"{datetime.date.today():%Y-%m-%d}, {processor}, Python {platform.python_version()}, two "
        f"threads unless a table says otherwise. {', '.join(versions)}."
    )


def main() -> None:
    """Measure as the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("sections", nargs="*", help="of abcdefghijk; all by default")
    parser.add_argument("--quick", action="store_true", help="two threads only, fewer rounds")
    parser.add_argument("--save", action="store_true", help="keep RESULTS.md and the plot")
    asked = parser.parse_args()
    wanted = "".join(asked.sections) or "abcdefghijk"
    seconds = 20 if asked.quick else 40
    text = [f"# What was measured\n\n{circumstances()}\n\n{EXPLANATION}"]
    panels: dict[str, dict[str, Times]] = {}
    ratios: dict[str, dict[str, float]] = {}
    print(text[0], flush=True)

    def add(title: str, section: str) -> None:
        text.append(f"## {title}\n\n{section}")
        print(f"\n{text[-1]}", flush=True)

    # Each section needs its own peers, so the modules are imported where they are wanted.
    if "a" in wanted:
        from benchmarks import core

        alone = [*core.everything(asked.quick)]
        ratios = core.ratios(alone)
        add("(a) The correlation alone", core.report(alone))
    if "g" in wanted:
        from benchmarks import layers

        add("(g) Sums over channels and combined kernels, 12 Mpx", layers.report())
    if "h" in wanted:
        from benchmarks import arrays

        add("(h) Dask arrays, uint8 gray, 12 Mpx", arrays.report())
    if {*"bc"} & {*wanted}:
        add("Whole programs, sobel-left: is it the same work?", programs.agreement())
    if "b" in wanted:
        single = programs.one_picture(seconds)
        add("(b) Whole programs, one picture, sobel-left", programs.report(single))
        panels["512x512 JPEG file"] = single["512x512, JPEG to JPEG"]
        panels["4000x3000 JPEG file"] = single["4000x3000, JPEG to JPEG"]
    if "c" in wanted:
        batches = programs.batches(4 * seconds)
        add("(c) Batches in two processes", programs.report(batches))
        panels["200 JPEG files of 512x512"] = batches["200 of 512x512"]
    if "d" in wanted:
        add("(d) Peak memory, one picture", resident.one_picture())
        add("(d) The memory of a batch in two processes", resident.batch())
    if "e" in wanted:
        from benchmarks import core

        add("(e) Growth", core.growth())
    if "f" in wanted:
        add("(f) Where a start goes", starts.report())
    if "i" in wanted:
        from benchmarks import larger

        add("(i) A picture larger than memory: 30,000 x 30,000 RGB in pieces", larger.report())
    if "j" in wanted:
        from benchmarks import cluster

        add("(j) 2,000 of 512x512 JPEG on the workers of a Dask scheduler", cluster.report())
    if "k" in wanted:
        from benchmarks import codecs

        add("(k) Large files, from format to format, sobel-left", codecs.report())
    if asked.save:
        from benchmarks import plot

        (HERE / "RESULTS.md").write_text("\n\n".join(text) + "\n")
        plot.draw(ratios, panels, HERE / "speed.png")


EXPLANATION = """\
Everybody works in turns in one run, on the same pictures, with the same taps and the same border.
imgconv's time is the median in milliseconds with its quartiles; a peer's number is how many times
as long it took: above 1 imgconv is ahead. OpenCV's best is the fastest of its routines that do the
job. Pillow has no threads, 8 bits only, leaves its outermost pixels alone where its kernels are
small, and its gaussian is three boxes that only look alike. "Copies" are of the same picture in
memory: `img.copy()`. A dash: not offered. JPEG is written with quality 90 and chroma of half the
size, as the sources have them (ffmpeg: `-q:v 2`, with its own tables), PNG and TIFF as each does
them unasked: some pack TIFF, and some do not.
imgconv alone waits until its files are on the disk. Run it yourself: `python -m benchmarks`."""

if __name__ == "__main__":
    main()
