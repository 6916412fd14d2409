"""Where the time of a start goes: by its parts, as a plain command is found to have them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

from benchmarks.measure import in_turns, table
from benchmarks.programs import ENVIRONMENT, OURS, caller, folder, photograph, single

# The working folder is left out of the path: what pip installed is what the program loads.
PYTHON = [sys.executable, "-P", "-c"]
# Runs the program, and tells what it has loaded when it leaves; it ends by os._exit.
LEARN = """
import json, os, sys
leave, asked = os._exit, []
def tell(code):
    os.write(1, json.dumps([code, [*sys.modules], asked]).encode())
    leave(code)
os._exit = tell
{before}
from imgconv.__main__ import run
run()
"""
# Notes the parts of the engine that are asked for. Loads modules sooner, so it has its own run.
PARTS = """
from imgconv.compiled import native
part = native.part
def noting(name):
    asked.append(name)
    return part(name)
native.part = noting
"""
MAP = "from imgconv.compiled import native; [native.part(name) for name in {parts!r}]"
# As the program ends: taking the interpreter down would take long.
LEAVE = "import os; os._exit(0)"
WITHOUT = {
    "Typer": "import typer", "Rich": "import rich.console", "NumPy": "import numpy",
    "llvmlite": "import llvmlite.binding", "Numba": "import numba",
}  # fmt: skip


def learn(command: list[str], before: str = "") -> tuple[list[str], list[str]]:
    """Return the modules that a command of ours loads, and the parts of the engine it maps."""
    code = LEARN.format(before=before)
    told = subprocess.run(
        [*PYTHON, code, *command[1:]], env=ENVIRONMENT, capture_output=True, text=True
    )
    try:
        failed, modules, parts = json.loads(told.stdout)
    except ValueError:
        failed = True
    if failed:
        raise RuntimeError(f"{' '.join(command)}: {told.stdout[-500:]}{told.stderr[-500:]}")
    return [name for name in modules if name != "__main__"], parts


def growing(command: list[str]) -> dict[str, str]:
    """Return codes that do ever more of what a plain command does before its work."""
    modules, _ = learn(command)
    bare = [*PYTHON, "import sys; print(*sys.modules)"]
    begun = subprocess.run(bare, env=ENVIRONMENT, capture_output=True, text=True).stdout.split()
    tops: dict[str, Callable[[str], bool]] = {
        "Python's own modules": lambda top: top in sys.stdlib_module_names,
        "Pillow's": lambda top: top == "PIL",
        "others'": lambda top: top not in (*sys.stdlib_module_names, "PIL", "imgconv"),
        "imgconv's": lambda top: top == "imgconv",
    }
    found, loaded = {"python": "pass"}, list[str]()
    for title, belongs in tops.items():
        names = [n for n in modules if n not in begun and belongs(n.split(".")[0])]
        if names:
            loaded += names
            code = f"for name in {' '.join(loaded)!r}.split(): __import__(name)\n"
            found[f"+ {len(names)} of {title}"] = code
    try:
        _, parts = learn(command, PARTS)
    except RuntimeError as error:  # the engine has no such function any more
        print(f"No row for the engine's code: {error}", file=sys.stderr)
        parts = []
    if parts:
        unique = [*dict.fromkeys(parts)]
        found[f"+ {len(unique)} parts of the engine mapped"] = code + MAP.format(parts=unique)
    return found


def report() -> str:
    """Return where the time of a start goes, and what it does without."""
    with folder() as place:
        source, mask = photograph(place / "tiny.jpg", 64, 64), place / "mask.mat"
        tiny = single(source, place / "out.jpg", mask)["imgconv"]
        small = single(photograph(place / "small.jpg", 512, 512), place / "out.jpg", mask)
        caller(tiny)()  # compiles what is not kept yet
        steps = growing(tiny)
        commands = {name: [*PYTHON, f"{code}\n{LEAVE}"] for name, code in steps.items()}
        commands["= apply, 64x64"] = tiny
        commands["apply, 512x512"] = small["imgconv"]
        commands["the same, Pillow script"] = small["Pillow script"]
        commands["imgconv --version"] = [OURS, "--version"]
        commands["imgconv list"] = [OURS, "list"]
        commands["import PIL.Image"] = [*PYTHON, f"import PIL.Image; {LEAVE}"]
        for name, code in WITHOUT.items():
            commands[f"import {name}, done without"] = [*PYTHON, f"{code}; {LEAVE}"]
        calls = {name: caller(command) for name, command in commands.items()}
        found = in_turns(calls, seconds=60, rounds=25)
    rows, before = [], 0.0
    for name, times in found.items():
        more = f"{(times.median - before) * 1000:.3g}" if name[0] in "+=" else ""
        rows.append([name, times.spread, more])
        before = times.median
    return table(["a process that does this", "ms (quartiles)", "more than before"], rows)
