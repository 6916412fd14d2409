"""The README's commands and code do what the README says."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer.main
from PIL import Image

from docs import formats
from imgconv.cli.app import app
from tests import ROOT, shell

README = (ROOT / "README.md").read_text()
OURS = (".venv/bin/imgconv", "imgconv", "cat", "find", "printf")


def _ours(lines: list[str]) -> list[str]:
    """The commands among lines that a test can run."""
    commands = (line.partition("  #")[0].strip() for line in lines)
    return [command for command in commands if command.startswith(OURS)]


# What stands in one block is run in its order, in a folder of its own.
BLOCKS = [
    found
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    if (found := _ours(block.splitlines()))
]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a picture, the samples and an `imgconv` command, as the current one."""
    (tmp_path / "samples").mkdir()
    (tmp_path / "photos" / "in").mkdir(parents=True)
    with Image.open(ROOT / "samples" / "scene.jpg") as scene:
        scene.crop((300, 200, 800, 550)).save(tmp_path / "samples/scene.jpg")
    for name in ("photo.jpg", "photos/in/a.jpg", "photos/b.jpg"):
        shutil.copy(tmp_path / "samples/scene.jpg", tmp_path / name)
    for place in (tmp_path, tmp_path / ".venv" / "bin"):
        place.mkdir(parents=True, exist_ok=True)
        command = place / "imgconv"
        command.write_text(f'#!/bin/sh\nexec {sys.executable} -m imgconv "$@"\n')
        command.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block[0][:50])
def test_every_command_of_the_readme_runs(
    block: list[str], desk: Path, run: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each command ends with exit code 0 and, where it names an output, with that output."""
    if block[0].startswith("imgconv cache"):  # other tests use theirs at the same time
        monkeypatch.setenv("IMGCONV_CACHE_DIR", str(desk / "cache"))
    for command in block:
        done = shell.done(command, run)
        expected = ("clipped", "written", "epoch", "residual")  # what is told of good work
        told = [line for line in done.stderr.splitlines() if not any(w in line for w in expected)]
        assert (command, done.returncode, told) == (command, 0, [])
        _check(command, done, desk)


def _check(command: str, done: subprocess.CompletedProcess[str], desk: Path) -> None:
    """What a command leaves behind is what the README says."""
    if command.startswith("imgconv learn photo"):
        assert "emboss" in done.stderr
    if output := re.search(r"(?:-o|>) (\w+\.\w+)", command):
        least = 20 if output[1].endswith((".csv", ".toml", ".mat")) else 1000
        written = desk / output[1]
        assert written.is_dir() or written.stat().st_size > least
    if command in ("imgconv list", "imgconv list sobel"):
        assert "sobel-left" in done.stdout
    if command.startswith("printf") and "imgconv" in command:
        assert done.stdout == "19,25\n37,43\n"


def test_the_python_code_gives_what_its_comments_say() -> None:
    """The responses of the README's first example are those of the course."""
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert code
    namespace: dict[str, object] = {}
    lines = code[1].splitlines()
    exec("\n".join(lines[:3]), namespace)
    first, second, third = (eval(line.partition("  #")[0], namespace) for line in lines[3:6])
    assert first.ravel().tolist() == [19, 25, 37, 43]
    assert (second.dtype, second.shape) == ("uint8", (3, 3))
    assert third == 1.0


def test_the_table_of_formats_is_that_of_the_code() -> None:
    """`python docs/formats.py` writes it; what is read, written and kept stands in one place."""
    assert formats.table() in README


def test_every_option_says_what_it_does() -> None:
    """No option or argument of any command lacks a help text."""
    for command in typer.main.get_command(app).commands.values():  # type: ignore[attr-defined]
        for parameter in command.params:
            assert getattr(parameter, "help", None), (command.name, parameter.name)
