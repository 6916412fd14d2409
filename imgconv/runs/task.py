"""The task that a run does for each of its jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from imgconv.pictures.encode import Writing
from imgconv.pictures.picture import Reading
from imgconv.pictures.pixels import Pixels
from imgconv.pipeline.work import Work


class Task(NamedTuple):
    """What is done to every input."""

    work: Work
    reading: Reading = Reading()
    writing: Writing = Writing()
    levels: str | None = None  # by default none for arrays, and clip for images
    skip_existing: bool = False
    dry: bool = False
    preview: Callable[[Pixels], str] | None = None
    tile: int | None = None  # piece by piece, each of so many rows and columns
    progress: Callable[[float], None] | None = None  # of a picture that is done in pieces
    again: bool = False  # a process that was killed may have begun, or done it all but the telling
    meaning: str = ""  # what decides an output's bytes beside the input, where a journal is kept
