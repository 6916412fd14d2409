"""What a plain command loads: it pays for that at every start."""

import os
import subprocess
import sys

import pytest

from tests import ROOT
from tests.images import noise

# Runs a command, and tells what is loaded when it leaves.
PROGRAM = """
import os, sys
from imgconv import __main__ as program
def leave(code, leave=os._exit):
    with open("loaded", "w") as file:
        print(*sys.modules, sep="\\n", file=file)
    leave(code)
os._exit = leave
program.run()
"""
PEER = """
import re, typing, sys
from PIL import Image
Image.open("a.jpg").save("b.jpg")
print(*sys.modules, sep="\\n")
"""
START = {"__main__", "cli", "cli.main", "cli.short"}
KERNELS = {
    "cli.specs", "cli.table", "errors", "kernels", "kernels.catalog", "kernels.recipes",
    "kernels.shipped", "light",
}  # fmt: skip
LIST = {"cli.listing", "teach", "teach.listing"}
APPLY = {
    "cli.apply", "cli.terminal", "compiled", "engine", "kernels.factors", "kernels.kernel",
    "kernels.numbers", "kernels.separable", "kernels.spec", "pictures", "runs",
    *(f"compiled.{name}" for name in (
        "cache", "linker", "memory", "native", "processor", "words",
    )),
    *(f"engine.{name}" for name in (
        "geometry", "levels", "mixing", "moves", "orders", "pairs", "plan", "program", "ready",
        "rings", "run", "samples", "step", "sums", "team", "whole",
    )),
    *(f"pictures.{name}" for name in (
        "axes", "decode", "descriptions", "encode", "faults", "files", "fitting", "formats",
        "jpeg", "lazy", "libtiff", "limits", "metadata", "misread", "orientation", "picture",
        "pillow", "pixels", "replacing", "stdout",
    )),
    "pipeline", "pipeline.fill", "pipeline.filter", "pipeline.hidden", "pipeline.layout",
    "pipeline.views", "pipeline.work", "runs.batch", "runs.delivery", "runs.inputs", "runs.job",
    "runs.outputs", "runs.report", "runs.task",
}  # fmt: skip
# Of the standard library, beside what Pillow loads for the same picture.
LIBRARY = {
    "__future__", "_blake2", "_sha2", "_sha256", "_ctypes", "ctypes",
    "fcntl", "fnmatch", "gc", "importlib", "mmap",
}  # fmt: skip


def lines(program: str, *words: str) -> list[str]:
    """Run a program in this folder and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", program, *words], env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout.split("\n")


@pytest.mark.parametrize(
    ("words", "ours"),
    [
        (["--version"], START),
        (["list"], START | KERNELS | LIST),
        (["apply", "a.jpg", "-k", "sobel-left", "-o", "c.jpg", "-fq"], START | KERNELS | APPLY),
    ],
)
def test_a_plain_command_loads_no_more(tmp_path, monkeypatch, words, ours):
    """Once all that it needs is compiled; who adds to these lists measures what that takes."""
    monkeypatch.chdir(tmp_path)
    noise(size=(64, 48)).save("a.jpg")
    for _ in range(2):
        lines(PROGRAM, *words)
    loaded = set((tmp_path / "loaded").read_text().split())
    mine = {n.removeprefix("imgconv.") for n in loaded if n.startswith("imgconv.")}
    assert mine == ours
    peer = set(lines(PEER))
    others = {name.partition(".")[0] for name in loaded - peer} - {"imgconv"}
    assert others <= LIBRARY
    assert {n for n in loaded if n.startswith("PIL.")} <= peer
