"""Whole programs on large files of several formats: time, memory, and size of what is written."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from benchmarks.measure import Times, in_turns, ratio, table
from benchmarks.programs import MARGIN, TOLERANCE, Commands, caller, folder, photograph, run, single
from benchmarks.resident import peak

SIZES = ((1632, 1224), (4000, 3000), (11600, 8640))
# The last is of 16 bits, which Pillow has no colours of, and the others' filters of ffmpeg neither.
ROUTES = (("jpg", "jpg"), ("jpg", "png"), ("png", "png"), ("tif", "tif"), ("deep.png", "png"))
PEERS = ("imgconv", "Pillow script", "OpenCV script", "pyvips script", "ffmpeg")
SHALLOW = ("Pillow script", "ffmpeg")
LARGEST = ROUTES[:1]  # what the largest picture is measured on
SECONDS = {SIZES[0]: 10, SIZES[1]: 60, SIZES[2]: 60}  # so that most have three rounds


def report() -> str:
    """Return a table for each size."""
    rows = []
    for size in SIZES:
        for kinds in ROUTES if size != SIZES[-1] else LARGEST:
            rows += _measured(size, *kinds)
    heads = ["Mpx", "from, to", "", "ms (quartiles)", "times imgconv's", "MB held", "MB written"]
    return table([*heads, "the same work"], rows)


def _measured(size: tuple[int, int], kind: str, wanted: str) -> list[list[str]]:
    """A row for each program; one whose samples are others is told, and measured all the same."""
    with folder() as place:
        source = _stored(place, size, kind)
        targets = {name: place / f"{i}.{wanted}" for i, name in enumerate(PEERS)}
        commands: Commands = {}
        for name, target in targets.items():
            known = single(source, target, place / "mask.mat")
            if name in known and not (kind == "deep.png" and name in SHALLOW):
                commands[name] = known[name]
        for command in commands.values():
            run(command)
        lossy = "jpg" in (kind, wanted)
        same = {name: _is_same(targets[name], targets["imgconv"], lossy) for name in commands}
        peaks = {name: min(peak(c) for _ in range(2)) for name, c in commands.items()}
        calls = {name: caller(command) for name, command in commands.items()}
        times: dict[str, Times] = in_turns(calls, seconds=SECONDS[size], rounds=5)
        title = [f"{size[0] * size[1] / 1e6:.3g}", f"{kind}, {wanted}"]
        return [
            [*title, name, times[name].spread, ratio(times[name], times["imgconv"]),
             f"{peaks[name]:.0f}", f"{targets[name].stat().st_size / 1e6:.1f}", same[name]]
            for name in commands
        ]  # fmt: skip


def _stored(place: Path, size: tuple[int, int], kind: str) -> Path:
    """A photograph as a file of a kind, in a folder."""
    source = photograph(place / "source.jpg", *size)
    if kind == "jpg":
        return source
    image = cv2.imread(str(source))
    assert image is not None
    if kind == "deep.png":
        low = np.random.default_rng(0).integers(0, 256, image.shape, np.uint16)
        image = image.astype(np.uint16) * 256 + low  # as a sensor has it
    cv2.imwrite(str(place / f"source.{kind}"), image)
    return place / f"source.{kind}"


def _is_same(output: Path, ours: Path, lossy: bool) -> str:
    """Whether two files hold the same picture, but for what JPEG rounds in any of its rows.

    Pillow leaves the outermost pixels as they are, which reaches as far as blocks of JPEG.
    """
    one, other = (cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in (output, ours))
    if one is None or other is None or one.shape != other.shape or one.dtype != other.dtype:
        return "NO"
    margin = MARGIN if lossy else 1
    inner = [image[margin:-margin, margin:-margin] for image in (one, other)]
    worst = cv2.absdiff(*inner).reshape(len(inner[0]), -1).mean(axis=1).max()
    return "yes" if worst <= (2 * TOLERANCE if lossy else 0) else "NO"
