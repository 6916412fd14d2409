"""The examples of the course: the commands of docs/course.md, figures pixel by pixel."""

import os
import re
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from tests import ROOT, shell

SECTIONS = (ROOT / "docs" / "course.md").read_text().split("\n## ")[1:]
EDGES = np.ones((6, 8))
EDGES[:, 2:6] = 0
HALVES = np.zeros((6, 7))
HALVES[:, :4] = 255
QUADRANTS = np.kron([[0, 255], [255, 0]], np.ones((4, 4)))
DIAGONALS = np.ones((9, 9))
for i in range(1, 8):
    DIAGONALS[i, i] = DIAGONALS[i, 8 - i] = 255
KERNELS = {"1,-1": [[1, -1]], "1;-1": [[1], [-1]], "1,-1;-1,1": [[1, -1], [-1, 1]]}


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def corr2d(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Return the course's own function, with loops."""
    rows, columns = kernel.shape
    out = np.zeros((image.shape[0] - rows + 1, image.shape[1] - columns + 1))
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            out[y, x] = (image[y : y + rows, x : x + columns] * kernel).sum()
    return out


@pytest.mark.parametrize("section", SECTIONS, ids=lambda s: s.partition("\n")[0])
def test_commands_print_what_stands_below_them(section, tmp_path, run, monkeypatch):
    """Each command of a section of docs/course.md ends well and prints what the page says."""
    shutil.copytree(ROOT / "samples", "samples")
    shutil.copy("samples/scene.jpg", "photo.jpg")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, what in (("imgconv", "-m imgconv"), ("python", "")):
        (programs / name).write_text(f'#!/bin/sh\nexec {sys.executable} {what} "$@"\n')
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("HOME", str(tmp_path))
    blocks = re.findall(r"```console\n(.*?)```", section, re.DOTALL)
    commands = [c for block in blocks for c in re.findall(r"\$ (.*)\n((?:(?!\$ ).*\n)*)", block)]
    assert commands
    for command, printed in commands:
        done = shell.done(command, run)
        assert (command, done.returncode, done.stdout) == (command, 0, printed), done.stderr


def test_the_edge_detector_answers_the_transpose_with_zeros(run):
    """Example 2: 0 1 0 0 0 -1 0 in each row, and nothing on the transpose."""
    np.savetxt("x.csv", EDGES, delimiter=",", fmt="%g")
    np.savetxt("t.csv", EDGES.T, delimiter=",", fmt="%g")
    args = ("-k", "1,-1", "--padding", "valid", "-o", "-")
    assert run("apply", "x.csv", *args).text == "0,1,0,0,0,-1,0\n" * 6
    assert run("apply", "t.csv", *args).text == "0,0,0,0,0\n" * 8


@pytest.mark.parametrize("spec", KERNELS)
@pytest.mark.parametrize("figure", [HALVES, QUADRANTS, DIAGONALS], ids=["halves", "quadrants", "x"])
def test_figures_are_stretched_from_their_least_to_their_greatest(run, figure, spec):
    """Example 9: responses as gray, 0 for the least and 255 for the greatest."""
    Image.fromarray(figure.astype(np.uint8)).save("x.png")
    args = ("-k", spec, "--padding", "valid", "--levels", "stretch", "-o", "y.png")
    assert run("apply", "x.png", *args).code == 0
    response = corr2d(figure, np.array(KERNELS[spec]))
    span = response.max() - response.min()
    wanted = np.rint((response - response.min()) * 255 / span) if span else np.zeros_like(response)
    np.testing.assert_array_equal(np.asarray(Image.open("y.png")), wanted)
